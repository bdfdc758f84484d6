//! Which shipped rules are made to fire for real, and which by recorded readings.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::shipped;

const FOLDER: &str = "crates/watchkeeper/tests/it/real";

/// Rules that are made to fire for real, and by what. The others need hours, a second machine, a broken disk or cable, a
/// clock that is set, or another system.
pub(super) const REAL: [(&str, &str); 14] = [
    ("check-failed", "a port that closes"),
    ("descriptor-leak", "a program that opens twenty files a second"),
    ("filesystem-full", "a tmpfs of which 93 % are taken"),
    ("filesystem-full-critical", "a tmpfs of which 99 % are taken"),
    ("filesystem-inodes", "a tmpfs with 97 files of 101"),
    ("listener-not-accepting", "a server with a full backlog that never accepts"),
    ("memory-leak", "a program that takes 10 MiB/s and keeps them"),
    ("new-listening-port", "a server that is started"),
    ("oom-kill", "a control group with 96 MiB and a process that wants more"),
    ("stopped", "SIGSTOP"),
    ("thread-growth", "a program that starts five threads a second"),
    ("uninterruptible", "a parent in vfork"),
    ("unread-queue", "a server that accepts and never reads"),
    ("zombie", "a child that nobody waits for"),
];

/// The same of what only users can write.
const REAL_EXAMPLES: [(&str, &str); 3] = [
    ("process-missing", "kill -9"),
    ("restarts", "a program that ends every 0.6 seconds (`max_restarts`)"),
    ("too-many-instances", "one more than there should be"),
];

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Ids of the rules that are played on recorded readings; that each of them fires there is tested there.
fn recorded() -> BTreeSet<String> {
    let rows = text("crates/analyze/src/shipped/rows.rs");
    let begins = rows.lines().zip(rows.lines().skip(1)).filter(|(line, _)| matches!(line.trim(), "row(" | "slow("));
    begins.filter_map(|(_, next)| Some(next.trim().strip_prefix('"')?.strip_suffix("\",")?.to_owned())).collect()
}

#[test]
fn every_shipped_rule_is_made_to_fire_for_real_or_by_recorded_readings() {
    let tests: String =
        ["expected", "processes", "sockets", "space"].map(|name| text(&format!("{FOLDER}/{name}.rs"))).concat();
    let recorded = recorded();
    let manual = text("docs/rules.md");
    let mut table = "how the shipped rules are made to fire:\n".to_owned();
    let mut nowhere = Vec::new();
    for rule in shipped::rules() {
        let real = REAL.iter().find(|(id, _)| *id == rule.id);
        let by = match real {
            Some((id, by)) => {
                assert!(tests.contains(&format!("quick(\"{id}\", ")), "no test makes {id} fire");
                assert!(manual.contains(&format!("| `{id}` | {by} |")), "docs/rules.md does not say how {id} is tried");
                format!("for real: {by}")
            }
            None if recorded.contains(&rule.id) => "recorded readings".to_owned(),
            None => {
                nowhere.push(rule.id.clone());
                "NOTHING".to_owned()
            }
        };
        let _ = writeln!(table, "  {:24}  {by}", rule.id);
    }
    for (id, by) in REAL_EXAMPLES {
        assert!(tests.contains(&format!("id = \"{id}\"")), "no test makes {id} fire");
        assert!(manual.contains(&format!("| `{id}` | {by} |")), "docs/rules.md does not say how {id} is tried");
        let _ = writeln!(table, "  {id:24}  for real: {by}");
    }
    // Also where nobody looks at the output of tests that pass.
    let _ = std::io::stdout().write_all(table.as_bytes());
    assert!(nowhere.is_empty(), "nothing makes these fire: {}", nowhere.join(", "));
    assert!(recorded.len() > 30, "the recorded readings are not where they were: {recorded:?}");
    for (id, _) in REAL {
        assert!(shipped::rules().iter().any(|rule| rule.id == id), "{id} is no shipped rule");
    }
}
