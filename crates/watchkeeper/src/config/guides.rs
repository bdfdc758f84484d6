//! The guide pages of rules, built in: who is woken at night has the program, not its source.

/// Id of the rule, page in Markdown.
const GUIDES: [(&str, &str); 43] = [
    ("anomaly", include_str!("../../../../docs/rules/anomaly.md")),
    ("channel-failing", include_str!("../../../../docs/rules/channel-failing.md")),
    ("check-failed", include_str!("../../../../docs/rules/check-failed.md")),
    ("clock-jump", include_str!("../../../../docs/rules/clock-jump.md")),
    ("descriptor-leak", include_str!("../../../../docs/rules/descriptor-leak.md")),
    ("disk-saturated", include_str!("../../../../docs/rules/disk-saturated.md")),
    ("executable-replaced", include_str!("../../../../docs/rules/executable-replaced.md")),
    ("filesystem-full", include_str!("../../../../docs/rules/filesystem-full.md")),
    ("filesystem-full-critical", include_str!("../../../../docs/rules/filesystem-full-critical.md")),
    ("filesystem-full-soon", include_str!("../../../../docs/rules/filesystem-full-soon.md")),
    ("filesystem-inodes", include_str!("../../../../docs/rules/filesystem-inodes.md")),
    ("fork-bomb", include_str!("../../../../docs/rules/fork-bomb.md")),
    ("host-cpu", include_str!("../../../../docs/rules/host-cpu.md")),
    ("host-load", include_str!("../../../../docs/rules/host-load.md")),
    ("host-memory", include_str!("../../../../docs/rules/host-memory.md")),
    ("host-memory-critical", include_str!("../../../../docs/rules/host-memory-critical.md")),
    ("interface-drops", include_str!("../../../../docs/rules/interface-drops.md")),
    ("interface-errors", include_str!("../../../../docs/rules/interface-errors.md")),
    ("listener-not-accepting", include_str!("../../../../docs/rules/listener-not-accepting.md")),
    ("log-failing", include_str!("../../../../docs/rules/log-failing.md")),
    ("looks-dropped", include_str!("../../../../docs/rules/looks-dropped.md")),
    ("memory-leak", include_str!("../../../../docs/rules/memory-leak.md")),
    ("new-listening-port", include_str!("../../../../docs/rules/new-listening-port.md")),
    ("oom-kill", include_str!("../../../../docs/rules/oom-kill.md")),
    ("outbox-old", include_str!("../../../../docs/rules/outbox-old.md")),
    ("pressure-cpu", include_str!("../../../../docs/rules/pressure-cpu.md")),
    ("pressure-io", include_str!("../../../../docs/rules/pressure-io.md")),
    ("pressure-memory", include_str!("../../../../docs/rules/pressure-memory.md")),
    ("process-cpu", include_str!("../../../../docs/rules/process-cpu.md")),
    ("process-memory", include_str!("../../../../docs/rules/process-memory.md")),
    ("process-missing", include_str!("../../../../docs/rules/process-missing.md")),
    ("sampling-late", include_str!("../../../../docs/rules/sampling-late.md")),
    ("service-restarts", include_str!("../../../../docs/rules/service-restarts.md")),
    ("state-failing", include_str!("../../../../docs/rules/state-failing.md")),
    ("stopped", include_str!("../../../../docs/rules/stopped.md")),
    ("swap-traffic", include_str!("../../../../docs/rules/swap-traffic.md")),
    ("swap-used", include_str!("../../../../docs/rules/swap-used.md")),
    ("thread-growth", include_str!("../../../../docs/rules/thread-growth.md")),
    ("too-many-instances", include_str!("../../../../docs/rules/too-many-instances.md")),
    ("uninterruptible", include_str!("../../../../docs/rules/uninterruptible.md")),
    ("unread-queue", include_str!("../../../../docs/rules/unread-queue.md")),
    ("window-hung", include_str!("../../../../docs/rules/window-hung.md")),
    ("zombie", include_str!("../../../../docs/rules/zombie.md")),
];

/// The guide page of a shipped rule.
pub fn guide(id: &str) -> Option<&'static str> {
    GUIDES.into_iter().find(|(name, _)| *name == id).map(|(_, page)| page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, all_rules};

    #[test]
    fn every_page_is_built_in_and_every_shipped_rule_has_one() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules");
        let pages = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut pages: Vec<String> = pages.filter_map(|name| Some(name.strip_suffix(".md")?.to_owned())).collect();
        pages.sort();
        assert_eq!(pages, GUIDES.map(|(name, _)| name));
        for (rule, _) in all_rules(&Config::default()).unwrap() {
            let page = guide(&rule.id).unwrap_or_else(|| panic!("{} has no guide page", rule.id));
            assert!(page.starts_with(&format!("# {}\n", rule.id)), "{}", rule.id);
        }
    }
}
