//! What holds for any two readings.

use watchkeeper_core::catalogue::{EntityRef, Value, metrics};

use super::*;

/// Any counter that a machine can hold; small ones often, so that equal and falling ones come up.
fn counter() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..5, 0_u64..10_000_000, 0_u64..(1 << 58)]
}

prop_compose! {
    fn any_process(now_ms: i64)(
        pid in 1_u32..6, start_ticks in prop_oneof![Just(100_u64), 0_u64..20_000],
        looked_ms in 0..=now_ms, readable in any::<[bool; 4]>(),
        total_us in counter(), user_us in counter(), faults in counter(), read_bytes in counter(), resident_bytes in counter(),
    ) -> ProcessReading {
        let looked = |readable: bool| if readable { Some(()) } else { None };
        ProcessReading {
            cpu: Looked { value: looked(readable[0]).map(|()| ProcessCpu { total_us, user_us: user_us.min(total_us) }), mono_ms: looked_ms },
            faults: Looked { value: looked(readable[1]).map(|()| ProcessFaults { minor: faults, major: 1 }), mono_ms: looked_ms },
            io: Looked { value: looked(readable[2]).map(|()| ProcessIo { read_bytes, written_bytes: faults }), mono_ms: looked_ms },
            memory: Looked { value: looked(readable[3]).map(|()| ProcessMemory { resident_bytes, virtual_bytes: 1 }), mono_ms: looked_ms },
            ..process(pid, start_ticks, looked_ms, 0)
        }
    }
}

prop_compose! {
    fn any_reading()(mono_ms in 0_i64..200_000)(
        mono_ms in Just(mono_ms), ts_ms in -1_000_000_i64..2_000_000_000_000, suspended_ms in 0_i64..10_000, boot in 1_u128..3,
        cpu_count in prop::option::of(0_u32..5), cpu in prop::option::of((counter(), counter(), counter())),
        disk in prop::option::of((counter(), counter())), interface in prop::option::of((counter(), counter())),
        created in prop::option::of(counter()),
        processes in prop::option::of(prop::collection::vec(any_process(mono_ms).boxed(), 0..6)).boxed(),
    ) -> Reading {
        let mut any = reading(mono_ms);
        any.at = Moment { ts_ms, mono_ms, suspended_ms, boot: BootId(Uuid::from_u128(boot)) };
        any.host.cpu_count = cpu_count;
        any.host.cpu = cpu.map(|(user_us, idle_us, softirq_us)| times(user_us, idle_us, softirq_us));
        any.host.counters.created = created;
        any.disks = disk.map(|(read_bytes, busy_us)| vec![DiskReading {
            name: "sda".to_owned(),
            counters: DiskCounters { read_bytes, busy_us, ..DiskCounters::default() },
            in_flight: 0,
        }]);
        any.interfaces = interface.map(|(received_bytes, sent_bytes)| vec![InterfaceReading {
            name: "eth0".to_owned(),
            counters: InterfaceCounters { received_bytes, sent_bytes, ..InterfaceCounters::default() },
            up: None,
        }]);
        any.processes = processes.map(|mut processes| {
            for process in &mut processes {
                process.key.boot = any.at.boot;
            }
            processes.sort_by_key(|process| process.key);
            processes.dedup_by_key(|process| process.key);
            processes
        });
        any
    }
}

/// Two readings of one boot, the earlier one first.
fn comparable() -> impl Strategy<Value = (Reading, Reading)> {
    (any_reading().boxed(), any_reading().boxed()).prop_map(|(mut a, mut b)| {
        for reading in [&mut a, &mut b] {
            reading.at.boot = BOOT;
            reading.processes.iter_mut().flatten().for_each(|process| process.key.boot = BOOT);
        }
        if a.at.mono_ms <= b.at.mono_ms { (a, b) } else { (b, a) }
    })
}

/// Any two readings; most of them can be compared.
fn pair() -> impl Strategy<Value = (Reading, Reading)> {
    prop_oneof![3 => comparable().boxed(), 1 => (any_reading().boxed(), any_reading().boxed()).boxed()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_metric_of_every_snapshot_is_finite_and_not_negative((before, after) in pair()) {
        let snapshot = derive(Some(&before), &after);
        prop_assert!(snapshot.interval_ms >= 0);
        for metric in metrics() {
            // The remainder is signed by nature, uptime follows the clocks of the reading.
            if metric.name.contains("not_attributed") || metric.name.contains("unattributed") {
                continue;
            }
            let mut entities = vec![EntityRef::Host];
            entities.extend(snapshot.processes.iter().flatten().map(EntityRef::Process));
            entities.extend(snapshot.disks.iter().flatten().map(EntityRef::Disk));
            entities.extend(snapshot.interfaces.iter().flatten().map(EntityRef::Interface));
            for entity in entities {
                if let Some(number) = metric.value(&snapshot, entity).and_then(Value::number) {
                    prop_assert!(number.is_finite() && number >= 0.0, "{} is {}", metric.name, number);
                }
            }
        }
    }

    #[test]
    fn no_process_uses_more_than_the_machine_has((before, mut after) in comparable(), cpu_count in 1_u32..5) {
        after.host.cpu_count = Some(cpu_count);
        let snapshot = derive(Some(&before), &after);
        let count = u64::from(before.host.cpu_count.unwrap_or(0).max(cpu_count));
        // A process born at the last tick before the previous look may have begun that tick earlier.
        let most_us = (snapshot.interval_ms as u64 + 2 + 10) * 1_000 * count + 20_000;
        for process in snapshot.processes.iter().flatten() {
            if let Some(cpu) = process.cpu {
                prop_assert!(cpu.total_us <= most_us && cpu.user_us <= cpu.total_us, "{:?} of {}", cpu, most_us);
            }
        }
    }

    #[test]
    fn processes_and_remainder_add_up_to_the_machine((before, after) in pair()) {
        let snapshot = derive(Some(&before), &after);
        if let Some(remainder_us) = snapshot.not_attributed.cpu_us {
            let sum_us: u64 = snapshot.processes.iter().flatten().filter_map(|p| p.cpu).map(|cpu| cpu.total_us).sum();
            let busy_us = snapshot.host.cpu.expect("else there is no remainder").busy_us();
            prop_assert_eq!(sum_us as i64 + remainder_us, busy_us as i64);
        }
    }

    #[test]
    fn everyone_is_either_alive_or_ended_or_was_never_there((before, after) in pair()) {
        let snapshot = derive(Some(&before), &after);
        let keys = |processes: &Option<Vec<ProcessReading>>| {
            processes.iter().flatten().map(|process| process.key).collect::<Vec<_>>()
        };
        let living: Vec<_> = snapshot.processes.iter().flatten().map(|process| process.key).collect();
        prop_assert_eq!(&living, &keys(&after.processes));
        let mut ended = keys(&before.processes);
        ended.retain(|key| !living.contains(key));
        let comparable = after.processes.is_some() && !snapshot.flags.has(TickFlags::FIRST_LOOK);
        let expected = if comparable { ended } else { Vec::new() };
        prop_assert_eq!(snapshot.exited.iter().map(|exited| exited.key).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn differences_of_many_looks_add_up_to_the_total(
        steps in prop::collection::vec((100_i64..5_000, any::<bool>(), 0_u64..100_000), 1..20),
    ) {
        let mut mono_ms = 60_000;
        let mut latest = process(7, OLD, mono_ms, 0);
        let mut previous = with(reading(mono_ms), vec![latest.clone()]);
        let (mut booked_us, mut used_us) = (0, 0);
        for (interval_ms, looked, step_us) in steps {
            mono_ms += interval_ms;
            if looked {
                used_us += step_us;
                latest = process(7, OLD, mono_ms, used_us);
            }
            let current = with(reading(mono_ms), vec![latest.clone()]);
            booked_us += cpu_us(&derive(Some(&previous), &current), 7).expect("known");
            previous = current;
        }
        prop_assert_eq!(booked_us, used_us);
    }

    #[test]
    fn the_same_reading_twice_is_a_standstill(mut only in any_reading()) {
        only.host.cpu_count = Some(2);
        let snapshot = derive(Some(&only), &only);
        for process in snapshot.processes.iter().flatten() {
            prop_assert!(process.cpu.is_none_or(|cpu| cpu == ProcessCpu::default()));
            prop_assert!(process.io.is_none_or(|io| io == ProcessIo::default()));
        }
        prop_assert!(snapshot.exited.is_empty() && snapshot.interval_ms == 0 && snapshot.flags == TickFlags(0));
    }
}
