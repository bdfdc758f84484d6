//! A minute in which nothing is wrong.

use std::process::Command;
use std::time::Duration;

use super::MACHINE;
use super::quick::Incidents;
use super::trouble::Trouble;
use crate::program::Program;
use crate::shipped;

/// Rules about a machine that is short of memory within seconds. A machine that builds and tests may be.
const SHORT_OF_MEMORY: [&str; 2] = ["host-memory-critical", "pressure-memory"];

/// The share of a filesystem that is taken, or of its inodes if those are more, by another program.
fn taken_percent(mount_point: &str) -> Option<u8> {
    let said = Command::new("df").args(["--output=pcent,ipcent", mount_point]).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().filter_map(|share| share.strip_suffix('%')?.parse().ok()).max()
}

#[test]
fn a_quiet_minute_is_quiet_with_all_shipped_rules() {
    let _machine = MACHINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let program = Program::new("collect.interval = \"250ms\"\n");
    // What is started, stopped, listens and waits for a moment is no trouble.
    let mut parent = Trouble::start(program.folder(), "wk-short-zombie", "zombie");
    let mut server = Trouble::start(program.folder(), "wk-short-server", "listener");
    let _cache = Trouble::start(program.folder(), "wk-cache", "cache");
    let mut watch = program.run();
    let rules = shipped::in_force().len();
    program.wait_for_status(Duration::from_mins(3), |status| {
        assert_eq!(status["analyst"]["rules"], rules);
        status["reader"]["ticks"].as_u64() >= Some(80)
    });
    parent.heal();
    server.heal();
    // A minute, on a machine that keeps up; a busy one loses looks.
    program.wait_for_status(Duration::from_mins(3), |status| status["reader"]["ticks"].as_u64() >= Some(250));
    let incidents = Incidents(&program).all();
    let (real, false_ones): (Vec<_>, Vec<_>) = incidents.into_iter().partition(|incident| {
        let mount_point = incident["evidence"]["entity"]["filesystem"].as_str();
        let is_full = mount_point.and_then(taken_percent).is_some_and(|percent| percent >= 90);
        is_full || SHORT_OF_MEMORY.iter().any(|rule| incident["evidence"]["rule"] == *rule)
    });
    for incident in real {
        println!("this machine is really in trouble: {}", incident["title"]);
    }
    assert!(false_ones.is_empty(), "somebody would have been woken: {false_ones:#?}");
    assert!(watch.terminate(Duration::from_secs(10)));
}
