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
    program.wait_for_status(Duration::from_secs(60), |status| status["reader"]["ticks"].as_u64() >= Some(24));
    assert!(!listed(&program).contains("window"), "the window is full too early");
    assert!(watch.terminate(Duration::from_secs(10)));

    let mut watch = program.run();
    let fired_after = |program: &Program| {
        let status: serde_json::Value = serde_json::from_str(&program.command(&["status", "--json"]).stdout).unwrap();
        status["reader"]["ticks"].as_u64().unwrap()
    };
    program.wait_for(Duration::from_secs(60), "the alert", || listed(&program).contains("window"));
    // Without the log it takes 32 looks, with it some eight; some time goes by until it is noticed.
    let looks = fired_after(&program);
    assert!(looks < 28, "it fired after {looks} looks: the window began anew\n{}", program.log());
    assert!(program.log().contains("the windows of the rules know "), "{}", program.log());
    assert!(watch.terminate(Duration::from_secs(10)));
}

fn listed(program: &Program) -> String {
    program.command(&["incidents", "list", "--json"]).stdout
}
