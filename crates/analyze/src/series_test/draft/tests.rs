use watchkeeper_core::catalogue::{Kind, metric, metrics};
use watchkeeper_core::{BootId, Moment, ProcessState};

use super::super::config::{TestProcess, TestSocket};
use super::*;

fn subject(kind: EntityKind) -> Subject {
    match kind {
        EntityKind::Host | EntityKind::Program => Subject::Host,
        EntityKind::Cpu => Subject::Cpu(1),
        EntityKind::Disk => Subject::Disk("sda".to_owned()),
        EntityKind::Filesystem => Subject::Filesystem("/data".to_owned()),
        EntityKind::Interface => Subject::Interface("eth0".to_owned()),
        EntityKind::Peer => Subject::Peer("10.0.0.7".to_owned()),
        EntityKind::Socket => {
            Subject::Socket(TestSocket { port: 80, address: "::".to_owned(), protocol: "tcp".to_owned() })
        }
        EntityKind::Check => Subject::Check("website".to_owned()),
        EntityKind::Process => Subject::Process(TestProcess { name: "java".to_owned(), ..TestProcess::default() }),
    }
}

/// A look at a machine with these values of one thing.
fn look(subject: &Subject, values: &[(&'static Metric, Slot)]) -> (Snapshot, Vec<Result<(), Contradiction>>) {
    let at = Moment { ts_ms: 0, mono_ms: 3_600_000, suspended_ms: 0, boot: BootId::default() };
    let mut snapshot = Snapshot::unknown(at, 10_000);
    let instance = match subject {
        Subject::Process(process) => Some(Instance::begin(process, 7, at.boot, at.mono_ms, 10_000)),
        _ => None,
    };
    let mut values = values.to_vec();
    values.sort_by_key(|(metric, _)| rank(metric));
    let thing = Present { subject, instance, values };
    fill(&mut snapshot, &[subject.kind()], std::slice::from_ref(&thing));
    let read = thing.values.iter().filter_map(|(metric, slot)| match slot {
        Slot::Number(given) => Some(check(&snapshot, &thing, metric, *given)),
        _ => None,
    });
    let read = read.collect();
    (snapshot, read)
}

#[test]
fn every_metric_of_the_catalogue_can_be_given_or_says_what_to_give_instead() {
    for metric in metrics().filter(|metric| metric.kind != Kind::Label) {
        if let Err(instead) = can_be_given(metric) {
            assert!(!instead.is_empty());
            continue;
        }
        let values: &[f64] = match metric.unit {
            _ if metric.name == "check.up"
                || metric.name.ends_with(".replaced")
                || metric.name.ends_with(".opened") =>
            {
                &[0.0, 1.0]
            }
            Unit::Ratio => &[0.0, 0.5, 0.25, 1.0],
            Unit::Bytes => &[0.0, 4_096.0, 123_456_789.0],
            _ => &[0.0, 1.0, 3.0, 200.0],
        };
        for value in values {
            let subject = subject(metric.entity_kind());
            if metric.name == "system.cpu.logical.count" && *value == 0.0 {
                continue;
            }
            let (_, read) = look(&subject, &[(metric, Slot::Number(*value))]);
            assert_eq!(read, [Ok(())], "{} = {value}", metric.name);
        }
    }
}

#[test]
fn values_of_one_thing_go_together_in_any_order_or_contradict_each_other() {
    let number = |name: &str, value: f64| (metric(name).unwrap(), Slot::Number(value));
    for (values, expected) in [
        (vec![("system.cpu.utilization", 0.9), ("system.cpu.utilization.system", 0.3)], 0),
        (vec![("system.cpu.utilization", 0.2), ("system.cpu.utilization.system", 0.3)], 1),
        (vec![("system.cpu.utilization.idle", 0.5), ("system.cpu.utilization.iowait", 0.25)], 0),
        (vec![("system.memory.utilization", 0.5), ("system.memory.limit", 1e9)], 0),
        (vec![("system.memory.utilization", 0.5), ("system.memory.usage", 1e9)], 1),
        (vec![("system.filesystem.utilization", 0.95), ("system.filesystem.limit", 1e12)], 0),
        (vec![("process.cpu.utilization", 0.5), ("process.cpu.utilization.user", 0.4)], 0),
        (vec![("process.cpu.utilization.system", 0.1), ("process.cpu.utilization.user", 0.4)], 0),
        (vec![("process.disk.io", 1e6), ("process.disk.io.read", 4e5)], 0),
        (vec![("system.disk.operations.read", 100.0), ("system.disk.operation_time.read", 0.01)], 0),
        (vec![("system.network.socket.queue.utilization", 0.5), ("system.network.socket.backlog", 4096.0)], 0),
        // Nobody counts half a context switch.
        (vec![("system.context_switches", 0.05)], 1),
        (vec![("system.cpu.utilization", 1.5)], 1),
        (vec![("system.network.connection.count", -1.0)], 1),
    ] {
        for order in [values.clone(), values.iter().rev().copied().collect()] {
            let kind = metric(values[0].0).unwrap().entity_kind();
            let values: Vec<_> = order.into_iter().map(|(name, value)| number(name, value)).collect();
            let (_, read) = look(&subject(kind), &values);
            assert_eq!(read.iter().filter(|read| read.is_err()).count(), expected, "{read:?} of {values:?}");
        }
    }
}

#[test]
fn what_no_series_tells_is_unknown() {
    let disk = subject(EntityKind::Disk);
    let (snapshot, _) = look(&disk, &[(metric("system.disk.io.read").unwrap(), Slot::Unknown)]);
    assert_eq!((snapshot.host.cpu, snapshot.host.memory, snapshot.cpus.as_ref()), (None, None, None));
    assert_eq!(snapshot.disks.map(|disks| disks[0].counters), Some(None), "it is there");
    assert_eq!(snapshot.processes.map(|processes| processes.len()), Some(0));
}

#[test]
fn processes_are_counted_by_state_and_together() {
    let values = [("system.process.count", 10.0), ("system.process.count.zombie", 3.0)];
    let values = values.map(|(name, value)| (metric(name).unwrap(), Slot::Number(value)));
    let (snapshot, read) = look(&Subject::Host, &values);
    assert_eq!(read, [Ok(()), Ok(())]);
    let zombies = snapshot.processes.unwrap();
    assert_eq!(zombies.iter().filter(|process| process.state == Some(ProcessState::Zombie)).count(), 3);
}
