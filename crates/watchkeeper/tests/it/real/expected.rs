//! Processes that should run and do not, that begin again and again, and that are too many.

use super::quick::{Incidents, configuration, culprit};
use super::trouble::{Sleeper, Trouble, sleep_named};
use crate::program::Program;

/// The rules that only their users can write, as their guide pages show them, for programs of this test.
fn rules(tag: u32) -> String {
    format!(
        r#"
[[rule]]
id = "process-missing"
expect = {{ process = 'process.name == "vital-{tag}"', min = 1 }}
for = "2s"
keep_firing = "0s"
severity = "critical"

[[rule]]
id = "restarts"
expect = {{ process = 'process.name == "flaky-{tag}"', max_restarts = "3/15s" }}
keep_firing = "0s"

[[rule]]
id = "too-many-instances"
expect = {{ process = 'process.name == "many-{tag}"', max = 2 }}
for = "2s"
keep_firing = "0s"
"#
    )
}

#[test]
fn what_should_run_is_missed_and_what_begins_again_or_is_too_many_is_named() {
    // Other names than those of the same test in another checkout on this machine.
    let tag = std::process::id();
    let program = Program::new(&configuration(Vec::new(), &rules(tag)));
    let named = |name: &str| sleep_named(program.folder(), name);
    let (vital, many) = (named(&format!("vital-{tag}")), named(&format!("many-{tag}")));
    let first = Sleeper::start(&vital);
    let mut crowd: Vec<Sleeper> = (0..2).map(|_| Sleeper::start(&many)).collect();
    let mut watch = program.run();
    let flaky = named(&format!("flaky-{tag}"));
    let mut supervisor =
        Trouble::start_with(program.folder(), "wk-supervisor", &["supervisor", flaky.to_str().expect("a path")]);
    let incidents = Incidents(&program);
    let restarts = incidents.wait("restarts", "a loop", |_| true);
    let title = restarts["title"].as_str().unwrap_or_default();
    assert!(title.starts_with(&format!("flaky-{tag} was started again 4 times in ")), "{title}");
    assert!(incidents.all().iter().all(|incident| incident["cause"] == "restarts"), "the others are as they should be");

    let pid = first.pid();
    // SIGKILL, and waited for.
    drop(first);
    crowd.push(Sleeper::start(&many));
    let missing = incidents.blames("process-missing", pid);
    let title = missing["title"].as_str().unwrap_or_default();
    let expected =
        format!("vital-{tag} is missing: expected at least 1 process, there are none; the last one (pid {pid}) ended ");
    assert!(title.starts_with(&expected), "{title}");
    let too_many = incidents.wait("too-many-instances", "a crowd", |_| true);
    assert_eq!(too_many["title"], format!("too many many-{tag} processes: 3, at most 2"));
    assert!(crowd.iter().any(|one| culprit(&too_many) == Some(u64::from(one.pid()))), "{too_many:#}");

    let _second = Sleeper::start(&vital);
    crowd.pop();
    supervisor.heal();
    for incident in [&missing, &too_many, &restarts] {
        incidents.is_resolved(incident);
    }
    assert!(watch.terminate(std::time::Duration::from_secs(10)));
}
