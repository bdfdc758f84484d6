//! Taking on another configuration while the watch runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::App;
use super::analyst::Command;
use super::delivery::Delivery;
use super::pace::NewReading;
use super::sinks::Sinks;
use crate::config::ConfigError;
use crate::health::locked;
use crate::settings::Settings;
use crate::signals::Event;

impl App {
    /// Takes on new settings as a whole, or keeps the old ones and says why.
    pub(super) fn reload(&self, load: &impl Fn() -> Result<Settings, ConfigError>, event: Event) {
        let refuse = |reason: String, all: &dyn std::fmt::Display| {
            tracing::error!("the configuration was not reloaded, the old one stays in force:\n{all:#}");
            *locked(&self.not_taken) = Some(reason);
        };
        let settings = match load() {
            Ok(settings) => settings,
            Err(error) => return refuse(error.summary(), &error),
        };
        // Files that were only touched, or changed back, say what is in force.
        let is_in_force = settings.digest == locked(&self.current).settings.digest;
        if event == Event::Changed && is_in_force {
            if locked(&self.not_taken).take().is_some() {
                tracing::info!("the configuration on disk is the one in force again");
            }
            return;
        }
        let old = Arc::clone(&locked(&self.current).settings);
        let names = |settings: &Settings| settings.rules.iter().map(|rule| rule.id.clone()).collect();
        let rules = rules_words(&names(&old), &names(&settings));
        if let Err(error) = self.take_on(Arc::new(settings)) {
            refuse(format!("{error:#}"), &error);
        } else {
            *locked(&self.not_taken) = None;
            tracing::info!("the configuration was reloaded{rules}");
        }
    }

    fn take_on(&self, settings: Arc<Settings>) -> anyhow::Result<()> {
        let mut current = locked(&self.current);
        let old = Arc::clone(&current.settings);
        // Whatever can fail comes first.
        let (collect, checks) = (&settings.config.collect, &settings.config.check);
        let reads_anew = old.config.collect != *collect || old.config.check != *checks;
        let collector = reads_anew.then(|| watchkeeper_collect::open_with_checks(collect, checks)).transpose()?;
        Sinks::check(&settings)?;
        let delivery = Delivery::start(&self.runtime, &settings, &self.store, &self.wake)?;
        for (section, has_changed) in
            [("store", old.config.store != settings.config.store), ("log", old.config.log != settings.config.log)]
        {
            if has_changed {
                tracing::warn!("changes of [{section}] take effect at the next start");
            }
        }
        let former = std::mem::replace(&mut current.delivery, delivery);
        current.delivery.succeed(former);
        *locked(&self.health.channels) = current.delivery.health();
        if let Err(error) = current.sinks.take_on(&settings) {
            tracing::error!("{error:#}");
        }
        locked(&self.judge).clone_from(&settings.judge);
        super::warn_of_interval(&settings);
        self.analyst.command(Command::Reload(Arc::clone(&settings)));
        if let Some(collector) = collector {
            current.tier = collector.tier();
            self.signal.reload(NewReading { collector, interval: collect.interval.duration() });
        }
        current.settings = settings;
        Ok(())
    }
}

/// How many rules are in force that were not, and the other way round, for the end of a sentence.
fn rules_words(before: &BTreeSet<String>, now: &BTreeSet<String>) -> String {
    match (now.difference(before).count(), before.difference(now).count()) {
        (0, 0) => String::new(),
        (more, 0) => format!(" (rules: {more} more)"),
        (0, fewer) => format!(" (rules: {fewer} fewer)"),
        (more, fewer) => format!(" (rules: {more} more, {fewer} fewer)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_says_how_many_rules_came_and_went() {
        let names = |names: &str| names.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
        for (before, now, words) in [
            ("a b", "a b", ""),
            ("a", "a b c", " (rules: 2 more)"),
            ("a b", "b", " (rules: 1 fewer)"),
            ("a b", "c b d", " (rules: 2 more, 1 fewer)"),
        ] {
            assert_eq!(rules_words(&names(before), &names(now)), words, "{before} {now}");
        }
    }
}
