use watchkeeper_core::catalogue;

use super::*;
use crate::scenes::rule;
use crate::{ExpectConfig, RuleConfig, compile};

fn compiled(when: &str) -> Rule {
    compile(&[rule("any", when, "0s")], 1_000).unwrap().remove(0)
}

#[test]
fn what_a_rule_compares_says_what_it_is_a_sign_of() {
    for (when, cause) in [
        ("system.cpu.utilization > \"90%\"", Some(Cause::HostCpu)),
        ("avg(system.cpu.utilization, \"5m\") >= \"90%\"", Some(Cause::HostCpu)),
        ("system.cpu.utilization < \"5%\"", None),
        ("system.cpu.utilization.idle < \"5%\"", Some(Cause::HostCpu)),
        ("system.cpu.utilization.idle > \"95%\"", None),
        ("system.linux.load.5m > 8", Some(Cause::HostCpu)),
        ("process.cpu.cores > 0.9 && process.uptime > \"1h\"", Some(Cause::ProcessCpu)),
        ("process.memory.usage > \"1GiB\"", None),
        ("process.state == \"D\"", Some(Cause::Uninterruptible)),
        ("process.state == \"Z\"", None),
        ("process.state != \"D\"", None),
        ("system.disk.utilization > \"95%\"", Some(Cause::DiskSaturated)),
        ("system.linux.oom_kills > 0", Some(Cause::OutOfMemory)),
        ("count(system.linux.oom_kills, \"5m\") > 0", Some(Cause::OutOfMemory)),
        ("system.filesystem.free < \"1GiB\"", Some(Cause::FilesystemFull)),
        ("predict(system.filesystem.free, \"6h\", \"4h\") <= 0", None),
        ("system.filesystem.inodes.utilization > \"95%\"", Some(Cause::FilesystemFull)),
        ("watchkeeper.log.failing > \"1m\"", Some(Cause::WriteFailing)),
        ("watchkeeper.channel.failing > \"1m\"", None),
    ] {
        assert_eq!(Cause::of(&compiled(when)), cause, "{when}");
    }
}

#[test]
fn an_expectation_of_at_least_so_many_is_about_missing_processes() {
    for (min, max, cause) in [(Some(1), None, Some(Cause::ProcessMissing)), (None, Some(3), None)] {
        let process = "process.name == \"postgres\"".to_owned();
        let expect = Some(ExpectConfig { process, min, max, max_restarts: None });
        let config = RuleConfig { expect, when: None, ..rule("gone", "", "0s") };
        let rule = compile(&[config], 1_000).unwrap().remove(0);
        assert_eq!((Cause::of(&rule), level(&rule)), (cause, None));
    }
}

#[test]
fn every_metric_in_the_table_is_in_the_catalogue() {
    for name in SIGNS.iter().flat_map(|(metrics, ..)| *metrics) {
        assert!(catalogue::metric(name).is_some(), "{name}");
    }
}

#[test]
fn one_more_threshold_is_the_same_level_and_a_movement_is_none() {
    let level_of = |when: &str| level(&compiled(when));
    let high = level_of("system.filesystem.utilization > \"90%\"");
    assert_eq!(high, Some(("system.filesystem.utilization".to_owned(), true)));
    assert_eq!(level_of("avg(system.filesystem.utilization, \"5m\") >= \"97%\""), high);
    for other in [
        "system.filesystem.utilization < \"10%\"",
        "slope(system.filesystem.utilization, \"2h\") > \"5%/h\"",
        "process.state == \"Z\"",
    ] {
        assert_ne!(level_of(other), high, "{other}");
    }
}

#[test]
fn to_be_the_least_value_is_to_be_low_and_not_to_be_it_is_to_be_high() {
    let level_of = |when: &str| level(&compiled(when));
    let low = level_of("check.up < 1");
    assert_eq!(low, Some(("check.up".to_owned(), false)));
    assert_eq!(level_of("check.up == 0"), low);
    assert_eq!(level_of("check.up != 0"), Some(("check.up".to_owned(), true)));
    assert_eq!(level_of("system.linux.load.1m == 3"), None);
}
