use watchkeeper_core::quantity::Span;

use super::super::config::{TestProcess, TestSeries};
use super::*;
use crate::{RuleConfig, compile};

fn rule(id: &str, when: &str, hold: &str) -> RuleConfig {
    let RuleConfig { keep_firing, .. } = RuleConfig::default();
    RuleConfig {
        id: id.to_owned(),
        hold: Span::parse(hold).unwrap(),
        keep_firing,
        ..crate::scenes::rule(id, when, hold)
    }
}

fn series(metric: &str, values: &str) -> TestSeries {
    TestSeries { metric: metric.to_owned(), values: values.to_owned(), ..TestSeries::default() }
}

fn of_process(name: &str, metric: &str, values: &str) -> TestSeries {
    let process = TestProcess { name: name.to_owned(), ..TestProcess::default() };
    TestSeries { process: Some(process), ..series(metric, values) }
}

fn expect(at: &str, states: &[(&str, &[&str])]) -> ExpectedAlerts {
    let of = |word: &str| {
        let found = states.iter().find(|(state, _)| *state == word);
        found.map(|(_, alerts)| alerts.iter().map(|alert| (*alert).to_owned()).collect())
    };
    ExpectedAlerts {
        at: Span::parse(at).unwrap(),
        pending: of("pending"),
        firing: of("firing"),
        recovering: of("recovering"),
        resolved: of("resolved"),
        ended: of("ended"),
    }
}

fn test(series: Vec<TestSeries>, expect: Vec<ExpectedAlerts>) -> SeriesTest {
    let (name, interval) = ("a test".to_owned(), Span::from_secs(1));
    SeriesTest { name, interval, rules: Vec::new(), series, expect }
}

fn played(test: &SeriesTest, rules: &[RuleConfig]) -> Outcome {
    let rules = compile(rules, test.interval.ms()).unwrap();
    assert_eq!(test_problems(test, Some(&rules)), []);
    run(test, rules).unwrap()
}

#[test]
fn an_alert_goes_through_its_life_at_the_expected_times() {
    let busy = rule("busy", "system.cpu.utilization > \"90%\"", "5m");
    let test = test(
        vec![series("system.cpu.utilization", "10%x60 95%x400 20%x120")],
        vec![
            expect("59s", &[("pending", &[]), ("firing", &[])]),
            expect("60s", &[("pending", &["busy"])]),
            expect("5m59s", &[("pending", &["busy"]), ("firing", &[])]),
            expect("6m", &[("pending", &[]), ("firing", &["busy"])]),
            expect("459s", &[("firing", &["busy"])]),
            expect("460s", &[("firing", &[]), ("recovering", &["busy"])]),
            expect("520s", &[("recovering", &[]), ("resolved", &["busy"]), ("ended", &[])]),
        ],
    );
    let outcome = played(&test, std::slice::from_ref(&busy));
    assert_eq!(outcome.differences, []);
    assert_eq!(outcome.looks, 580);
    let told: Vec<_> = outcome.happened.iter().map(|h| (h.at_ms / 1_000, h.alert.as_str(), h.state)).collect();
    assert_eq!(
        told,
        [
            (60, "busy", AlertState::Pending),
            (360, "busy", AlertState::Firing),
            (460, "busy", AlertState::Recovering),
            (520, "busy", AlertState::Resolved)
        ]
    );
}

#[test]
fn what_is_other_than_expected_is_told_with_what_is_there() {
    let busy = rule("busy", "system.cpu.utilization > \"90%\"", "5m");
    let many = rule("many", "process.thread.count > 100", "0s");
    let test = test(
        vec![series("system.cpu.utilization", "95%x400"), of_process("java", "process.thread.count", "200x400")],
        vec![expect("4m", &[("firing", &["busy", "many on ruby"])]), expect("6m", &[("firing", &["busy"])])],
    );
    let outcome = played(&test, &[busy, many]);
    let found = |at_ms, expect, expected: &[&str], found: &[&str], instead: &[(&str, Option<AlertState>)]| Difference {
        expect,
        at_ms,
        state: AlertState::Firing,
        expected: expected.iter().map(|text| (*text).to_owned()).collect(),
        found: found.iter().map(|text| (*text).to_owned()).collect(),
        instead: instead.iter().map(|(text, state)| ((*text).to_owned(), *state)).collect(),
    };
    let java = "many on java (pid 1000)";
    assert_eq!(
        outcome.differences,
        [
            found(
                240_000,
                0,
                &["busy", "many on ruby"],
                &[java],
                &[("busy", Some(AlertState::Pending)), ("many on ruby", None)]
            ),
            {
                let mut difference = found(360_000, 1, &["busy"], &[java, "busy"], &[]);
                difference.found = outcome.differences[1].found.clone();
                difference
            },
        ]
    );
    assert_eq!(outcome.differences[1].found.len(), 2);
}

#[test]
fn a_process_ends_with_its_series_and_comes_back_as_another() {
    let stuck = rule("stuck", "process.state == \"D\"", "0s");
    let test = test(
        vec![of_process("nfs", "process.state", "Sx5 Dx5 .x5 Dx5")],
        vec![
            expect("4s", &[("firing", &[])]),
            expect("5s", &[("firing", &["stuck on nfs"])]),
            expect("10s", &[("firing", &[]), ("ended", &["stuck on nfs"])]),
            expect("15s", &[("firing", &["stuck on nfs (pid 1000)"])]),
            expect("20s", &[("firing", &[]), ("ended", &["stuck"])]),
        ],
    );
    assert_eq!(played(&test, &[stuck]).differences, []);
}

#[test]
fn unknown_is_neither_true_nor_over() {
    let full = rule("full", "system.filesystem.utilization > \"90%\"", "10s");
    let mut values = series("system.filesystem.utilization", "95%x30 _x200 10%x100");
    values.filesystem = Some("/data".to_owned());
    let free = TestSeries { filesystem: Some("/data".to_owned()), ..series("system.filesystem.limit", "1TBx330") };
    let on_disk = test(vec![values, free], vec![expect("10s", &[("firing", &["full on /data"])])]);
    // A filesystem always knows its numbers: what is not said of it is nothing, and 0 % is not full.
    assert_eq!(played(&on_disk, &[full]).differences, []);
    let busy = rule("busy", "system.cpu.utilization > \"90%\"", "10s");
    let blind = test(
        vec![series("system.cpu.utilization", "95%x30 _x200 10%x100")],
        vec![
            expect("10s", &[("firing", &["busy"])]),
            expect("3m", &[("firing", &["busy", "no-data/busy"]), ("resolved", &[])]),
            expect("5m", &[("firing", &[]), ("resolved", &["busy", "no-data/busy"])]),
        ],
    );
    assert_eq!(played(&blind, &[busy]).differences, []);
}

#[test]
fn every_mistake_of_a_test_is_said_at_once() {
    let rules = compile(&[rule("busy", "system.cpu.utilization > \"90%\"", "0s")], 1_000).unwrap();
    let mut wrong = test(
        vec![
            series("system.cpu.utilisation", "1x3"),
            series("process.thread.count", "1x3"),
            of_process("java", "system.cpu.utilization", "1x3"),
            series("system.uptime", "1x3"),
            series("system.cpu.utilization", "90%x3 9y"),
            of_process("java", "process.uptime", "1x3"),
        ],
        vec![expect("5s", &[("firing", &["busy", "bussy"])]), expect("40d", &[("pending", &[])]), expect("1s", &[])],
    );
    wrong.name = " ".to_owned();
    let mut problems: Vec<(String, String)> =
        test_problems(&wrong, Some(&rules)).into_iter().map(|problem| (problem.key_path, problem.message)).collect();
    problems.sort();
    let found: Vec<(&str, &str)> = problems.iter().map(|(path, message)| (path.as_str(), message.as_str())).collect();
    assert_eq!(
        found,
        [
            ("expect.0.firing.1", "no rule of this test has the id `bussy`"),
            ("expect.1.at", "until 40d there would be more than 1000000 looks"),
            ("expect.2", "nothing is expected at this time"),
            ("name", "the test has no name"),
            ("series.0.metric", "there is no metric `system.cpu.utilisation`"),
            ("series.1.metric", "`process.thread.count` belongs to a process"),
            ("series.2.process", "`system.cpu.utilization` belongs to a host, not to a process"),
            ("series.3.metric", "`system.uptime` cannot be given"),
            ("series.4.values", "`9y` is not a ratio 0..1"),
            ("series.5.metric", "`process.uptime` cannot be given"),
        ]
    );
    let twice = test(
        vec![series("system.cpu.utilization", "1"), series("system.cpu.utilization", "1")],
        vec![expect("0s", &[("firing", &[])])],
    );
    let problems = test_problems(&twice, Some(&rules));
    assert_eq!(problems[0].first.as_deref(), Some("series.0.metric"));
}

#[test]
fn values_that_contradict_each_other_are_named_with_their_look() {
    let rules = compile(&[rule("busy", "system.cpu.utilization > \"90%\"", "0s")], 1_000).unwrap();
    let test = test(
        vec![series("system.cpu.utilization", "50%x9"), series("system.cpu.utilization.user", "10%x4 60%x5")],
        vec![expect("1s", &[("firing", &[])])],
    );
    let problems = run(&test, rules).unwrap_err();
    assert_eq!(problems[0].key_path, "series.0.values");
    assert_eq!(problems[0].message, "value 5 of `system.cpu.utilization` cannot be 50.0 %: it reads 60.0 %");
}
