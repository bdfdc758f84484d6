//! Titles of checks that fail, and what no process is to blame for.

use watchkeeper_core::catalogue::Metric;
use watchkeeper_core::text::clean;
use watchkeeper_core::{Entity, Snapshot};

use super::{LONGEST_NAME, Scene};

/// Longest reason of a check in a title, in characters.
const LONGEST_REASON: usize = 120;

/// Metrics of the machine that nobody's work explains: what the watch itself lacks, and its clock.
const NOBODYS: [&str; 5] =
    ["watchkeeper.log.", "watchkeeper.state.", "watchkeeper.channel.", "watchkeeper.outbox.", "system.clock."];

/// Filesystems that are kept in memory: what is written there is in no process's account of disks.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "devtmpfs"];

/// Whether who takes most of the machine says nothing about it, unless a process of its own is known.
pub(super) fn blames_nobody(metric: &Metric, entity: &Entity, snapshot: &Snapshot) -> bool {
    let is_in_memory = |mount_point: &str| {
        let mut filesystems = snapshot.filesystems.iter().flatten();
        filesystems.any(|found| found.mount_point == mount_point && IN_MEMORY.contains(&found.kind.as_str()))
    };
    match entity {
        Entity::Socket(_) | Entity::Check(_) => true,
        Entity::Filesystem(mount_point) if is_in_memory(mount_point) => true,
        _ => NOBODYS.iter().any(|own| metric.name.starts_with(own)),
    }
}

impl Scene<'_> {
    /// A check with why it fails and what it tries, e.g. `web: connection refused (tcp 127.0.0.1:80)`.
    pub(super) fn check_words(&self, name: &str) -> String {
        let check = self.tick.snapshot.checks.iter().flatten().find(|check| check.name == name);
        let name = clean(name, LONGEST_NAME);
        let Some(check) = check else { return name };
        let why = check.error.as_ref().map(|error| format!(": {}", clean(error, LONGEST_REASON)));
        format!("{name}{} ({})", why.unwrap_or_default(), clean(&check.target, LONGEST_NAME))
    }
}

#[cfg(test)]
mod tests {
    use watchkeeper_core::reading::{Check, ProcessIo};
    use watchkeeper_core::snapshot::Watch;
    use watchkeeper_core::text::title_with_culprit;

    use crate::scenes::{Machine, Story, burning, process, rule};

    /// A machine that somebody keeps busy, with a check that was tried.
    fn machine(error: Option<&str>) -> Machine {
        let mut machine = Machine::new();
        machine.add(burning(0.5, process(40, "yes")));
        machine.snapshot.checks = Some(vec![Check {
            name: "web".to_owned(),
            target: "https://example.com/health".to_owned(),
            up: Some(error.is_none()),
            duration_us: Some(2_500_000),
            status: None,
            error: error.map(str::to_owned),
            tried_mono_ms: Some(1),
        }]);
        machine
    }

    /// What is said of the incident that a rule opens at once.
    fn said(machine: Machine, when: &str, title: Option<&str>) -> String {
        let mut story = Story::new(&[crate::RuleConfig { title: title.map(str::to_owned), ..rule("any", when, "3s") }]);
        story.machine = machine;
        story.ticks(5);
        let incidents = story.analyzer.open_incidents();
        assert_eq!(incidents.len(), 1, "{when}");
        title_with_culprit(&incidents[0].title, &incidents[0].evidence)
    }

    #[test]
    fn a_check_that_fails_is_named_with_its_reason_and_target_and_nobody_is_blamed() {
        for (error, when, title, expected) in [
            (
                Some("connection refused"),
                "check.up == 0",
                Some("A server does not answer"),
                "A server does not answer: web: connection refused (https://example.com/health)",
            ),
            (
                Some("\u{1b}[31mred"),
                "check.up == 0",
                Some("Down"),
                "Down: web: \\u{1b}[31mred (https://example.com/health)",
            ),
            (None, "check.duration > \"2s\"", Some("Slow"), "Slow: web (https://example.com/health)"),
        ] {
            assert_eq!(said(machine(error), when, title), expected);
        }
    }

    #[test]
    fn what_the_watch_lacks_is_nobodys_doing_but_a_late_look_may_be() {
        let watch = |watch| {
            let mut machine = machine(None);
            machine.snapshot.watch = Some(watch);
            machine
        };
        let failing = watch(Watch { channel_failing_ms: 400_000, ..Watch::default() });
        let text = said(failing, "watchkeeper.channel.failing > \"5m\"", Some("Mail fails"));
        assert_eq!(text, "Mail fails");
        let late = watch(Watch { late_ms: 9_000, ..Watch::default() });
        let text = said(late, "watchkeeper.collection.delay > \"2s\"", Some("Late"));
        assert!(text.starts_with("Late: yes (pid 40) takes "), "{text}");
    }

    #[test]
    fn who_writes_to_disks_did_not_fill_a_filesystem_in_memory() {
        for (kind, blamed) in [("ext4", true), ("tmpfs", false)] {
            let mut machine = machine(None);
            machine.filesystem("/run", 0.99);
            machine.snapshot.filesystems.as_mut().unwrap()[0].kind = kind.to_owned();
            let written = ProcessIo { read_bytes: 0, written_bytes: 1 << 20 };
            machine.process(40).io = Some(written);
            let text = said(machine, "system.filesystem.utilization > \"90%\"", Some("Full"));
            assert_eq!(text.starts_with("Full: /run: yes (pid 40) takes "), blamed, "{text}");
            assert_eq!(text == "Full: /run", !blamed, "{text}");
        }
    }

    #[test]
    fn an_alert_of_a_check_goes_on_while_nothing_is_known_and_is_over_when_it_answers() {
        let mut story = Story::new(&[rule("down", "check.up == 0", "3s")]);
        story.machine = machine(Some("connection refused"));
        story.ticks(5);
        assert_eq!(story.analyzer.open_incidents().len(), 1);
        let up = |story: &mut Story, up| story.machine.snapshot.checks.as_mut().unwrap()[0].up = up;
        up(&mut story, None);
        story.ticks(20);
        assert_eq!(story.analyzer.open_incidents().len(), 1, "unknown resolves nothing");
        up(&mut story, Some(true));
        story.ticks(5);
        assert_eq!(story.analyzer.open_incidents().len(), 0);
    }
}
