//! A watch that is started again knows from its log what was before.

use std::time::Duration;

use crate::program::Program;

/// Whatever happens, there is a process; the window is known when eight seconds of it were seen.
const CONFIGURATION: &str = r#"
collect.interval = "250ms"
rules.disable = ["host-cpu", "host-memory"]

[[rule]]
id = "window"
when = 'min(system.process.count, "10s") > 0'
"#;

#[test]
fn a_restart_in_the_middle_of_a_window_does_not_make_anybody_wait_for_it_again() {
    let program = Program::new(CONFIGURATION);
    let mut watch = program.run();
    // Six seconds: less than the rule needs.
    program.wait_for_status(Duration::from_mins(1), |status| status["reader"]["ticks"].as_u64() >= Some(24));
    assert!(!listed(&program).contains("window"), "the window is full too early");
    assert!(watch.terminate(Duration::from_secs(10)));

    let begun_ms = watchkeeper_collect::wall_clock_ms();
    let mut watch = program.run();
    program.wait_for(Duration::from_mins(1), "the alert", || listed(&program).contains("window"));
    let listed: serde_json::Value = serde_json::from_str(&listed(&program)).expect("incidents as JSON");
    let opened_ms = listed[0]["incident"]["opened_ms"].as_i64().or(listed[0]["opened_ms"].as_i64());
    // Without the log it cannot be less than eight seconds, with it it takes some two.
    let after_ms = opened_ms.expect("when it opened") - begun_ms;
    assert!((0..8_000).contains(&after_ms), "it fired after {after_ms} ms: the window began anew\n{}", program.log());
    assert!(program.log().contains("the windows of the rules know "), "{}", program.log());
    assert!(watch.terminate(Duration::from_secs(10)));
}

fn listed(program: &Program) -> String {
    program.command(&["incidents", "list", "--json"]).stdout
}
