//! Routes: which incidents go to whom.

mod matcher;

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Incident, Problem, Severity, Validate};

pub use matcher::Matcher;

/// A route: which incidents go to whom. The first route that matches wins, unless it says `continue = true`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// Which incidents: a condition on the texts `severity`, `rule`, `host`, `entity` (such as a mount point, or a
    /// program) and `labels.NAME`, see `docs/rules.md`.
    /// Example: `match = 'severity == "critical" && entity != "/tmp"'`. Default: every incident.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matcher: Option<String>,
    /// To whom: a list of channels with their recipients.
    /// Example: `to = [{ channel = "mail", recipients = ["ops@example.com"] }]`. Required.
    pub to: Vec<TargetConfig>,
    /// Incidents with the same values of these go into one message: any of `host`, `cause`, `rule`, `severity`,
    /// `incident` and `labels.NAME`. Default: `["host", "cause"]`.
    pub group_by: Vec<String>,
    /// How long a new incident waits for others of its group. Range: 0 to 1 hour.
    /// Default: `"5s"` for critical incidents, `"30s"` for all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_wait: Option<Span>,
    /// Whether the routes after this one are asked too. Default: `false`.
    #[serde(rename = "continue")]
    pub go_on: bool,
}

/// A channel and the people reached through it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetConfig {
    /// Name of a channel: `"mail"` for the table `[smtp.mail]`. Required.
    pub channel: String,
    /// The recipients in the channel's own form; mail addresses for an smtp channel, such as `"ops@example.com"` or
    /// `"Operators <ops@example.com>"`. Each gets a message of their own. Required.
    pub recipients: Vec<String>,
}

impl Default for RouteConfig {
    fn default() -> Self {
        Self {
            matcher: None,
            to: Vec::new(),
            group_by: vec!["host".to_owned(), "cause".to_owned()],
            group_wait: None,
            go_on: false,
        }
    }
}

const LONGEST_WAIT: Span = Span::from_secs(3_600);

impl Validate for RouteConfig {
    /// Everything that can be said without knowing the channels; [`Routes::compile`] says the rest.
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(text) = &self.matcher {
            problems.extend(Matcher::parse(text).err().into_iter().flatten().map(|problem| problem.under("match")));
        }
        if self.to.is_empty() {
            problems.push(
                Problem::new("to", "a route without `to` tells nobody")
                    .help("write to = [{ channel = \"mail\", recipients = [\"you@example.com\"] }]"),
            );
        }
        for (index, target) in self.to.iter().enumerate() {
            problems.extend(target.validate().into_iter().map(|problem| problem.under(&format!("to.{index}"))));
        }
        for (index, key) in self.group_by.iter().enumerate() {
            if GroupKey::parse(key).is_none() {
                problems.push(
                    Problem::new(format!("group_by.{index}"), format!("incidents have no `{key}` to be grouped by"))
                        .help("use any of host, cause, rule, severity, incident and labels.NAME"),
                );
            }
        }
        if self.group_wait.is_some_and(|wait| wait > LONGEST_WAIT) {
            problems
                .push(Problem::new("group_wait", "a group waits at most 1 hour").help("use \"30s\" or a few minutes"));
        }
        problems
    }
}

impl Validate for TargetConfig {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.channel.is_empty() {
            problems.push(
                Problem::new("channel", "the name of the channel is missing")
                    .help("write the name of a channel table, such as \"mail\" for [smtp.mail]"),
            );
        }
        if self.recipients.is_empty() {
            problems.push(
                Problem::new("recipients", "nobody is named")
                    .help("name at least one recipient, such as recipients = [\"you@example.com\"]"),
            );
        }
        for (index, recipient) in self.recipients.iter().enumerate() {
            if recipient.trim().is_empty() {
                problems.push(Problem::new(format!("recipients.{index}"), "the recipient is empty"));
            } else if self.recipients[..index].contains(recipient) {
                problems.push(Problem::new(format!("recipients.{index}"), format!("`{recipient}` is named twice")));
            }
        }
        problems
    }
}

/// Routes that are ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    routes: Vec<Route>,
}

impl Routes {
    /// Prepares routes. `channels` are the names of all channel tables.
    ///
    /// # Errors
    /// Everything that is wrong, with key paths that begin with the index of the route.
    pub fn compile(routes: &[RouteConfig], channels: &[String]) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut compiled = Vec::with_capacity(routes.len());
        for (index, config) in routes.iter().enumerate() {
            let mut found = config.validate();
            found.extend(unknown_channels(config, channels));
            problems.extend(found.into_iter().map(|problem| problem.under(&index.to_string())));
            compiled.extend(Route::compile(index, config));
        }
        if problems.is_empty() { Ok(Self { routes: compiled }) } else { Err(problems) }
    }

    /// Everybody whom some route reaches through a channel, in the order of the routes, each once.
    pub fn recipients(&self, channel: &str) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let targets = self.routes.iter().flat_map(|route| &route.targets).filter(|target| target.channel == channel);
        for recipient in targets.flat_map(|target| &target.recipients) {
            if !all.contains(recipient) {
                all.push(recipient.clone());
            }
        }
        all
    }

    /// The routes that an incident takes, in order.
    pub(crate) fn of<'a>(&'a self, incident: &'a Incident) -> impl Iterator<Item = &'a Route> {
        let mut done = false;
        self.routes.iter().filter(move |route| {
            let taken = !done && route.matcher.as_ref().is_none_or(|matcher| matcher.matches(incident));
            done |= taken && !route.go_on;
            taken
        })
    }
}

fn unknown_channels(config: &RouteConfig, channels: &[String]) -> Vec<Problem> {
    let unknown = |target: &&TargetConfig| !target.channel.is_empty() && !channels.contains(&target.channel);
    let indexed = config.to.iter().enumerate();
    indexed
        .filter(|(_, target)| unknown(target))
        .map(|(index, target)| {
            let name = &target.channel;
            let near = channels
                .iter()
                .map(|known| (strsim::damerau_levenshtein(name, known), known))
                .filter(|(distance, known)| *distance <= (known.chars().count() / 3).max(1))
                .min();
            let help = match near {
                Some((_, known)) => format!("did you mean `{known}`?"),
                None if channels.is_empty() => format!("add a table [smtp.{name}]"),
                None => format!("the channels are {}; or add a table [smtp.{name}]", channels.join(", ")),
            };
            Problem::new(format!("to.{index}.channel"), format!("there is no channel `{name}`")).help(help)
        })
        .collect()
}

/// One route that is ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Its place in the configuration, from 0.
    index: usize,
    matcher: Option<Matcher>,
    /// To whom.
    pub(crate) targets: Vec<TargetConfig>,
    group_by: Vec<GroupKey>,
    group_wait: Option<Span>,
    go_on: bool,
}

impl Route {
    fn compile(index: usize, config: &RouteConfig) -> Option<Self> {
        Some(Self {
            index,
            matcher: config.matcher.as_deref().map(Matcher::parse).transpose().ok()?,
            targets: config.to.clone(),
            group_by: config.group_by.iter().map(|key| GroupKey::parse(key)).collect::<Option<_>>()?,
            group_wait: config.group_wait,
            go_on: config.go_on,
        })
    }

    /// How long a message of this severity waits for others of its group, milliseconds.
    pub(crate) fn wait_ms(&self, severity: Severity) -> i64 {
        self.group_wait.map_or(if severity == Severity::Critical { 5_000 } else { 30_000 }, Span::ms)
    }

    /// The longest that any message of this route waits, milliseconds.
    pub(crate) fn longest_wait_ms(&self) -> i64 {
        Severity::ALL.into_iter().map(|severity| self.wait_ms(severity)).max().unwrap_or_default()
    }

    /// Rows with the same key, channel and recipient become one message.
    pub(crate) fn group_key(&self, incident: &Incident) -> String {
        let mut key = format!("route {}", self.index);
        if let Some(began_ms) = incident.course.storm_ms {
            let _ = write!(key, " storm={began_ms}");
            return key;
        }
        for part in &self.group_by {
            // Debug form: quoted and escaped, so that no value can imitate another key.
            let _ = write!(key, " {}={:?}", part.name(), part.value(incident));
        }
        key
    }
}

/// Something that incidents are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
enum GroupKey {
    Host,
    Cause,
    Rule,
    Severity,
    Incident,
    Label(String),
}

impl GroupKey {
    fn parse(key: &str) -> Option<Self> {
        Some(match key {
            "host" => Self::Host,
            "cause" => Self::Cause,
            "rule" => Self::Rule,
            "severity" => Self::Severity,
            "incident" => Self::Incident,
            _ => Self::Label(key.strip_prefix("labels.").filter(|name| !name.is_empty())?.to_owned()),
        })
    }

    fn name(&self) -> &str {
        match self {
            Self::Host => "host",
            Self::Cause => "cause",
            Self::Rule => "rule",
            Self::Severity => "severity",
            Self::Incident => "incident",
            Self::Label(name) => name,
        }
    }

    fn value(&self, incident: &Incident) -> String {
        match self {
            Self::Host => incident.host.clone(),
            Self::Cause => incident.cause.clone(),
            Self::Rule => incident.evidence.rule.clone(),
            Self::Severity => incident.severity.word().to_owned(),
            Self::Incident => incident.key.to_string(),
            Self::Label(name) => incident.labels.get(name).cloned().unwrap_or_default(),
        }
    }
}
