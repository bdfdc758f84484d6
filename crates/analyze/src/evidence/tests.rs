use std::sync::Arc;

use watchkeeper_core::evidence::Amount;
use watchkeeper_core::process::Command;
use watchkeeper_core::snapshot::{
    Exited, Interface, InterfaceCounters, ProcessIo, ProcessMemory, ProcessNetwork, Socket,
};
use watchkeeper_core::text::{culprit_sentence, title_with_culprit};
use watchkeeper_core::{Incident, ProcessKey};

use crate::scenes::{BOOT, Machine, Story, burning, process, rule};

/// A machine on which `yes` burns half of the CPU, beside a build under cron and a database.
fn burdened() -> Machine {
    let mut machine = Machine::new();
    machine.cpu(Some(0.95));
    machine.snapshot.not_attributed.cpu_us = Some(40_000);
    machine.snapshot.not_attributed.written_bytes = Some(1 << 20);
    machine.add(process(1, "systemd"));
    machine.add(process(10, "cron"));
    let mut cargo = process(11, "cargo");
    cargo.parent = 10;
    machine.add(cargo);
    for pid in 20..24 {
        let mut rustc = burning(0.0625, process(pid, "rustc"));
        rustc.parent = 11;
        rustc.memory = Some(ProcessMemory { resident_bytes: 256 << 20, virtual_bytes: 1 << 30 });
        machine.add(rustc);
    }
    let mut postgres = burning(0.03125, process(30, "postgres"));
    postgres.memory = Some(ProcessMemory { resident_bytes: 2 << 30, virtual_bytes: 4 << 30 });
    postgres.io = Some(ProcessIo { read_bytes: 0, written_bytes: 3 << 20 });
    machine.add(postgres);
    for process in machine.snapshot.processes.iter_mut().flatten().skip(1) {
        Arc::make_mut(&mut process.image).unit =
            Some(if process.key.pid < 30 { "cron.service" } else { "postgresql.service" }.to_owned());
    }
    machine
}

/// The incident that one rule opens after a quarter of an hour, in whose last minute `yes` ran.
fn incident(when: &str, each: Option<&str>) -> Incident {
    let config = crate::RuleConfig { each: each.map(str::to_owned), ..rule("any", when, "16m") };
    let mut story = Story::new(&[config]);
    story.machine = burdened();
    story.ticks(15 * 60);
    let mut yes = burning(0.5, process(40, "yes"));
    yes.io = Some(ProcessIo { read_bytes: 1 << 20, written_bytes: 15 << 20 });
    yes.parent = 11;
    Arc::make_mut(&mut yes.image).unit = Some("cron.service".to_owned());
    story.machine.add(yes);
    story.ticks(61);
    let incidents = story.analyzer.open_incidents();
    assert_eq!(incidents.len(), 1, "{when}");
    incidents[0].clone()
}

fn golden(name: &str, incident: &Incident) {
    let text = serde_json::to_string_pretty(incident).unwrap();
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
}

#[test]
fn a_busy_machine_names_the_burner_and_its_share() {
    let incident = incident("system.cpu.utilization > \"90%\"", None);
    golden("host_cpu", &incident);
    let sentence = culprit_sentence(&incident.evidence);
    assert_eq!(sentence.as_deref(), Some("yes (pid 40) takes 50.0 % of this machine's CPU"));
}

#[test]
fn full_memory_names_who_holds_it() {
    let incident = incident("system.memory.utilization > \"20%\"", None);
    golden("host_memory", &incident);
    let sentence = culprit_sentence(&incident.evidence);
    assert_eq!(sentence.as_deref(), Some("postgres (pid 30) takes 25.0 % of this machine's memory"));
}

#[test]
fn memory_that_no_process_holds_is_said_so() {
    let mut story = Story::new(&[rule("full", "system.memory.utilization > \"90%\"", "0s")]);
    story.machine = burdened();
    story.machine.snapshot.host.memory.as_mut().unwrap().available_bytes = 512 << 20;
    story.ticks(1);
    let rest = story.analyzer.open_incidents()[0].evidence.not_attributed.unwrap();
    assert_eq!(rest.value, f64::from(7680 - 3 * 1024 - 3) * f64::from(1 << 20));
    assert_eq!(rest.share, Some(rest.value / f64::from(8 * 1024) / f64::from(1 << 20)));
}

#[test]
fn a_full_filesystem_names_who_wrote() {
    let mut story = Story::new(&[rule("full", "system.filesystem.utilization > \"90%\"", "0s")]);
    story.machine = burdened();
    story.machine.filesystem("/data", 0.5);
    let mut dump = process(50, "pg_dump");
    dump.io = Some(ProcessIo { read_bytes: 0, written_bytes: 9 << 20 });
    story.machine.add(dump);
    story.ticks(300);
    story.machine.remove(50);
    story.ticks(300);
    story.machine.filesystem("/data", 0.95);
    story.ticks(1);
    let incident = story.analyzer.open_incidents()[0].clone();
    golden("filesystem", &incident);
    let sentence = culprit_sentence(&incident.evidence);
    let expected = "pg_dump (pid 50) takes 60.0 % of all bytes written by processes in the last 15 minutes";
    assert_eq!(sentence.as_deref(), Some(expected));
}

#[test]
fn the_same_metric_over_different_times_is_ranked_twice() {
    let mut story = Story::new(&[
        rule("full", "system.filesystem.utilization > \"90%\"", "0s"),
        rule("writes", "process.disk.io.write > \"50MiB/s\"", "0s"),
    ]);
    story.machine = burdened();
    story.ticks(59);
    story.machine.filesystem("/data", 0.95);
    story.machine.process(23).io = Some(ProcessIo { read_bytes: 0, written_bytes: 60 << 20 });
    story.ticks(1);
    let incidents = story.analyzer.open_incidents();
    let evidence = |cause: &str| &incidents.iter().find(|incident| incident.cause == cause).unwrap().evidence;
    let (full, writes) = (evidence("full"), evidence("writes"));
    assert_eq!((full.top[0].program.as_str(), writes.top[0].program.as_str()), ("postgres", "rustc"));
    assert_eq!(writes.top[0].amount.value, f64::from(60 << 20));
    assert_eq!(writes.ranked_by.as_ref().unwrap().whole, "all bytes written to storage");
}

#[test]
fn a_rule_on_processes_names_the_process_itself_first() {
    let config = rule("any", "process.memory.usage > \"1GiB\"", "3s");
    let mut story = Story::new(&[config, rule("few", "process.thread.count < 1", "3s")]);
    story.machine = burdened();
    story.machine.process(22).threads = Some(0);
    story.ticks(4);
    for (rule, pid, sentence) in
        [("any", 30, Some("postgres (pid 30) takes 25.0 % of this machine's memory")), ("few", 22, None)]
    {
        let incidents = story.analyzer.open_incidents();
        let evidence = &incidents.iter().find(|incident| incident.cause == rule).unwrap().evidence;
        assert_eq!(culprit_sentence(evidence).as_deref(), sentence);
        assert_eq!((evidence.top[0].key.pid, evidence.top.len()), (pid, 5));
    }
}

#[test]
fn a_rule_on_programs_names_the_largest_process_of_the_program() {
    let incident = incident("process.cpu.utilization > \"20%\"", Some("program"));
    assert_eq!(incident.title, "process.cpu.utilization above 20.0 %: rustc");
    let evidence = &incident.evidence;
    assert_eq!(evidence.value, 0.25);
    let top: Vec<_> = evidence.top.iter().map(|top| (top.program.as_str(), top.key.pid)).collect();
    assert_eq!(top, [("rustc", 20), ("yes", 40), ("rustc", 21), ("rustc", 22), ("rustc", 23)]);
    assert_eq!(evidence.lineage, ["rustc x4", "cargo", "cron.service"]);
}

#[test]
fn a_process_whose_share_is_unknown_is_named_with_what_is_known() {
    let mut story = Story::new(&[rule("stuck", "process.state == \"D\"", "3s")]);
    let mut stuck = process(7, "nfs");
    stuck.state = Some(watchkeeper_core::ProcessState::DiskSleep);
    stuck.cpu = None;
    story.machine.add(stuck);
    let mut gone = process(8, "dark");
    gone.state = Some(watchkeeper_core::ProcessState::DiskSleep);
    (gone.cpu, gone.memory) = (None, None);
    story.machine.add(gone);
    story.ticks(4);
    let sentences: Vec<Option<String>> =
        story.analyzer.open_incidents().iter().map(|incident| culprit_sentence(&incident.evidence)).collect();
    assert!(sentences.contains(&None), "a share of nothing is not worth a sentence: {sentences:?}");
    let dark = sentences.iter().flatten().find(|sentence| sentence.contains("dark")).unwrap();
    assert!(!dark.contains('%'), "{dark}");
}

#[test]
fn what_ended_in_the_tick_of_firing_is_among_the_contributors() {
    let mut story = Story::new(&[rule("busy", "system.cpu.utilization > \"90%\"", "0s")]);
    story.machine.cpu(Some(0.95));
    story.machine.add(process(3, "idle"));
    story.machine.add(burning(0.75, process(12, "ld")));
    let short = burning(0.75, process(9, "cc1"));
    story.machine.snapshot.exited.push(Exited {
        key: ProcessKey { boot: BOOT, pid: 9, start_ticks: 99_000 },
        parent: 1,
        image: short.image,
        uid: None,
        ts_ms: 0,
        code: Some(0),
        signal: None,
        cpu: short.cpu,
        faults: None,
        io: None,
        network: None,
    });
    story.ticks(1);
    let top = story.analyzer.open_incidents()[0].evidence.top.clone();
    // Of two that did the same the lower key comes first; who did nothing is no contributor.
    assert_eq!(top.iter().map(|top| top.program.as_str()).collect::<Vec<_>>(), ["cc1", "ld"]);
    assert_eq!(top[0].amount, Amount { value: 0.75, share: Some(0.75) });
}

#[test]
fn where_bytes_of_processes_are_unknown_the_cpu_names_a_culprit() {
    let mut story = Story::new(&[rule("net", "system.network.io.receive > \"1MiB/s\"", "0s")]);
    let counters = InterfaceCounters { received_bytes: 2 << 20, ..InterfaceCounters::default() };
    let interface = Interface { name: "eth0".to_owned(), counters: Some(counters), up: Some(true) };
    story.machine.snapshot.interfaces = Some(vec![interface]);
    story.machine.add(burning(0.5, process(7, "curl")));
    story.ticks(1);
    let sentence = culprit_sentence(&story.analyzer.open_incidents()[0].evidence);
    assert_eq!(sentence.as_deref(), Some("curl (pid 7) takes 50.0 % of this machine's CPU"));
    // Once they are known they do.
    story.machine.snapshot.interfaces = Some(Vec::new());
    story.ticks(1);
    let interface = Interface { name: "eth1".to_owned(), counters: Some(counters), up: Some(true) };
    story.machine.snapshot.interfaces = Some(vec![interface]);
    let mut wget = process(8, "wget");
    wget.network = Some(ProcessNetwork { received_bytes: 3 << 20, sent_bytes: 0 });
    story.machine.add(wget);
    story.ticks(1);
    let sentence = culprit_sentence(&story.analyzer.open_incidents()[0].evidence);
    let expected = "wget (pid 8) takes 100.0 % of all bytes sent and received over sockets";
    assert_eq!(sentence.as_deref(), Some(expected));
}

#[test]
fn nobody_is_blamed_when_nothing_is_known() {
    let mut story = Story::new(&[rule("full", "system.memory.utilization > \"1%\"", "0s")]);
    story.machine.snapshot.processes = None;
    story.ticks(1);
    let evidence = story.analyzer.open_incidents()[0].evidence.clone();
    assert!(evidence.top.is_empty() && evidence.lineage.is_empty() && evidence.changes.is_empty());
    assert_eq!(culprit_sentence(&evidence), None);
}

#[test]
fn a_window_is_named_as_it_is_written_and_shown_in_its_own_unit() {
    for (when, title) in [
        ("avg(system.cpu.utilization, \"300s\") > \"90%\"", "avg(system.cpu.utilization, \"5m\") above 90.0 %"),
        (
            "slope(process.memory.usage, \"2h\") > \"20MiB/s\" && process.memory.usage > \"1GiB\"",
            "slope(process.memory.usage, \"2h\") > \"20MiB/s\" && process.memory.usage > \"1GiB\"",
        ),
        ("trend_p(process.memory.usage, \"2h\") < \"1%\"", "trend_p(process.memory.usage, \"2h\") below 1.0 %"),
        (
            "count(process.disk.io.write, \"1h\") >= \"1GiB\"",
            "count(process.disk.io.write, \"1h\") at or above 1.0 GiB",
        ),
        (
            "predict(system.filesystem.free, \"6h\", \"4h\") <= 0",
            "predict(system.filesystem.free, \"6h\", \"4h\") at or below 0 B",
        ),
    ] {
        let rules = crate::compile(&[rule("any", when, "0s")], 1_000).unwrap();
        assert_eq!(super::made_title(&rules[0]), title);
    }
}

#[test]
fn titles_are_made_safe_and_say_what_and_where() {
    let named = crate::RuleConfig {
        title: Some("Filesystem almost full".to_owned()),
        ..rule("full", "system.filesystem.utilization > \"90%\"", "0s")
    };
    let mut story = Story::new(&[named, rule("any", "process.cpu.utilization > \"50%\"", "0s")]);
    story.machine.filesystem("/mnt/\u{1b}[2J", 0.95);
    let mut evil = burning(0.6, process(6, "a\nb"));
    Arc::make_mut(&mut evil.image).command = Some(Command { text: "x".to_owned(), length: 1 });
    story.machine.add(evil);
    story.ticks(1);
    let titles: Vec<&str> = story.analyzer.open_incidents().iter().map(|incident| incident.title.as_str()).collect();
    assert!(titles.contains(&"Filesystem almost full: /mnt/\\u{1b}[2J"), "{titles:?}");
    assert!(titles.contains(&"process.cpu.utilization above 50.0 %: a b (pid 6)"), "{titles:?}");
}

/// Connections that nobody accepts, at a socket of this process.
fn stalled(owner: Option<u32>) -> Story {
    let mut story = Story::new(&[rule("stalled", "system.network.socket.queue > 10", "0s")]);
    story.machine = burdened();
    story.machine.add(process(50, "web"));
    Arc::make_mut(&mut story.machine.process(50).image).unit = Some("web.service".to_owned());
    let address = "127.0.0.1".to_owned();
    let socket = Socket { protocol: "tcp".to_owned(), address, port: 80, queue: Some(11), owner, ..Socket::default() };
    story.machine.snapshot.sockets = Some(vec![socket]);
    story.ticks(1);
    story
}

#[test]
fn a_socket_that_is_not_served_names_its_program() {
    let story = stalled(Some(50));
    let incident = story.analyzer.open_incidents()[0].clone();
    let evidence = &incident.evidence;
    assert_eq!(incident.title, "system.network.socket.queue above 10: tcp 127.0.0.1:80 of web (pid 50)");
    assert_eq!((evidence.top[0].key.pid, evidence.top[1].program.as_str()), (50, "rustc"), "it, then who takes most");
    assert_eq!(evidence.lineage, ["web", "web.service"]);
    assert_eq!(culprit_sentence(evidence).as_deref(), Some("web (pid 50) listens there"));
    assert_eq!(title_with_culprit(&incident.title, evidence), incident.title);
}

#[test]
fn a_socket_whose_listener_is_not_known_accuses_nobody() {
    for owner in [None, Some(4_711)] {
        let story = stalled(owner);
        let incident = story.analyzer.open_incidents()[0].clone();
        let evidence = &incident.evidence;
        assert_eq!(incident.title, "system.network.socket.queue above 10: tcp 127.0.0.1:80");
        assert_eq!((evidence.top.len(), evidence.changes.len(), evidence.lineage.len()), (0, 0, 0));
        assert_eq!((&evidence.ranked_by, culprit_sentence(evidence)), (&None, None));
    }
}
