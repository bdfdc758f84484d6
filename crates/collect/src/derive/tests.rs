use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;
use watchkeeper_core::reading::{
    CpuReading, CpuTimes, DiskCounters, DiskReading, HostReading, InterfaceCounters, InterfaceReading, Looked,
    Pressure, ProcessCpu, ProcessFaults, ProcessIo, ProcessMemory, ProcessNetwork, ProcessReading, Socket, Stall,
};
use watchkeeper_core::snapshot::{HostCounters, RemainderReason, Snapshot};
use watchkeeper_core::{BootId, Image, Moment, ProcessKey};

use super::*;

mod properties;

const BOOT: BootId = BootId(Uuid::from_u128(1));

/// The machine `mono_ms` after its boot, which was at a fixed time, with two CPUs and nothing else.
fn reading(mono_ms: i64) -> Reading {
    Reading {
        checks: None,
        at: Moment { ts_ms: 1_700_000_000_000 + mono_ms, mono_ms, suspended_ms: 0, boot: BOOT },
        host: HostReading { cpu_count: Some(2), ..HostReading::default() },
        cpus: None,
        disks: None,
        filesystems: None,
        interfaces: None,
        peers: None,
        sockets: None,
        processes: Some(Vec::new()),
        gaps: Vec::new(),
    }
}

/// A process as it was looked at at this time, with this CPU time and ten times as many bytes read.
fn process(pid: u32, start_ticks: u64, mono_ms: i64, total_us: u64) -> ProcessReading {
    ProcessReading {
        key: ProcessKey { boot: BOOT, pid, start_ticks },
        parent: 1,
        image: Arc::new(Image { name: "app".to_owned(), program: "app".to_owned(), ..Image::default() }),
        uid: Some(1_000),
        state: None,
        threads: Some(1),
        cpu: Looked::at(mono_ms, ProcessCpu { total_us, user_us: total_us / 2 }),
        memory: Looked::at(mono_ms, ProcessMemory { resident_bytes: total_us, virtual_bytes: 9 }),
        faults: Looked::at(mono_ms, ProcessFaults { minor: total_us, major: 0 }),
        io: Looked::at(mono_ms, ProcessIo { read_bytes: total_us * 10, written_bytes: 0 }),
        network: Looked::default(),
        descriptors: Looked::at(mono_ms, 5),
    }
}

fn with(mut reading: Reading, processes: Vec<ProcessReading>) -> Reading {
    reading.processes = Some(processes);
    reading
}

fn cpu_us(snapshot: &Snapshot, pid: u32) -> Option<u64> {
    snapshot.process_by_pid(pid).expect("the process is there").cpu.map(|cpu| cpu.total_us)
}

const OLD: u64 = 100;

#[test]
fn at_the_first_look_every_difference_is_unknown() {
    let mut current = with(reading(60_000), vec![process(7, OLD, 60_000, 500)]);
    current.host.cpu = Some(CpuTimes { user_us: 9, ..CpuTimes::default() });
    current.disks = Some(vec![DiskReading { name: "sda".to_owned(), ..DiskReading::default() }]);
    let snapshot = derive(None, &current);
    assert!(snapshot.flags.has(TickFlags::FIRST_LOOK));
    assert_eq!(snapshot.interval_ms, 0);
    let process = snapshot.process_by_pid(7).expect("it is there");
    assert_eq!((process.cpu, process.io, process.faults), (None, None, None));
    assert_eq!(process.memory.map(|memory| memory.resident_bytes), Some(500), "gauges are known");
    assert_eq!(snapshot.host.cpu, None);
    assert_eq!(snapshot.host.clock_step_ms, None);
    assert_eq!(snapshot.disks.expect("listed")[0].counters, None);
    assert_eq!(snapshot.not_attributed.reasons, [RemainderReason::FirstLook]);
    assert_eq!(snapshot.not_attributed.cpu_us, None);
}

#[test]
fn another_boot_is_a_first_look() {
    let before = with(reading(60_000), vec![process(7, OLD, 60_000, 500)]);
    let mut after = reading(61_000);
    after.at.boot = BootId(Uuid::from_u128(2));
    let snapshot = derive(Some(&before), &after);
    assert!(snapshot.flags.has(TickFlags::FIRST_LOOK));
    assert_eq!((snapshot.interval_ms, snapshot.exited.len()), (0, 0));
}

#[test]
fn a_reading_from_the_future_counts_as_none() {
    assert!(derive(Some(&reading(61_000)), &reading(60_000)).flags.has(TickFlags::FIRST_LOOK));
}

#[test]
fn what_was_not_looked_at_has_moved_nothing() {
    let older = process(7, OLD, 30_000, 500);
    let before = with(reading(60_000), vec![older.clone()]);
    let snapshot = derive(Some(&before), &with(reading(61_000), vec![older.clone()]));
    let same = snapshot.process_by_pid(7).expect("it is there");
    assert_eq!(same.cpu, Some(ProcessCpu::default()));
    assert_eq!(same.io, Some(ProcessIo::default()));
    assert_eq!(same.descriptors, Some(5), "gauges stand");
    let moved = with(reading(61_000), vec![process(7, OLD, 61_000, 900)]);
    assert_eq!(cpu_us(&derive(Some(&before), &moved), 7), Some(400), "booked when it is read");
}

#[test]
fn counters_that_cannot_be_compared_are_unknown() {
    let base = process(7, OLD, 60_000, 500);
    let later = process(7, OLD, 61_000, 600);
    let unreadable = ProcessReading { io: Looked::unreadable(61_000), ..later.clone() };
    let was_unreadable = ProcessReading { io: Looked::unreadable(60_000), ..base.clone() };
    let backwards = process(7, OLD, 61_000, 400);
    for (name, before, after, io, cpu) in [
        ("unreadable now", &base, &unreadable, None, Some(100)),
        ("unreadable before", &was_unreadable, &later, None, Some(100)),
        ("readable twice", &base, &later, Some(1_000), Some(100)),
        ("backwards", &base, &backwards, None, None),
    ] {
        let before = with(reading(60_000), vec![before.clone()]);
        let snapshot = derive(Some(&before), &with(reading(61_000), vec![after.clone()]));
        let process = snapshot.process_by_pid(7).expect("it is there");
        assert_eq!(process.io.map(|io| io.read_bytes), io, "{name}");
        assert_eq!(process.cpu.map(|cpu| cpu.total_us), cpu, "{name}");
    }
}

#[test]
fn a_process_is_counted_from_zero_only_if_it_was_born_after_the_previous_look() {
    // The previous look was 60 s after the boot: tick 6000. Start times are cut to a tick.
    for (start_ticks, cpu) in [(6_050, Some(700)), (6_000, Some(700)), (5_999, Some(700)), (5_998, None), (100, None)] {
        let current = with(reading(61_000), vec![process(7, start_ticks, 61_000, 700)]);
        let snapshot = derive(Some(&reading(60_000)), &current);
        assert_eq!(cpu_us(&snapshot, 7), cpu, "tick {start_ticks}");
    }
}

#[test]
fn start_times_count_sleep_and_so_does_birth() {
    let mut before = reading(60_000);
    before.at.suspended_ms = 500_000;
    let mut after = with(reading(61_000), vec![process(7, 6_050, 61_000, 700), process(8, 56_050, 61_000, 700)]);
    after.at.suspended_ms = 500_000;
    let snapshot = derive(Some(&before), &after);
    assert_eq!((cpu_us(&snapshot, 7), cpu_us(&snapshot, 8)), (None, Some(700)));
}

#[test]
fn after_a_list_that_could_not_be_read_old_processes_are_unknown() {
    let mut before = reading(60_000);
    before.processes = None;
    let after = with(reading(61_000), vec![process(7, OLD, 61_000, 700)]);
    assert_eq!(cpu_us(&derive(Some(&before), &after), 7), None);
    let snapshot = derive(Some(&after), &before_at(62_000));
    assert_eq!((snapshot.processes, snapshot.exited.len()), (None, 0));
}

fn before_at(mono_ms: i64) -> Reading {
    Reading { processes: None, ..reading(mono_ms) }
}

#[test]
fn a_pid_that_is_used_again_is_one_exit_and_one_birth() {
    let before = with(reading(60_000), vec![process(7, OLD, 60_000, 900_000)]);
    let after = with(reading(61_000), vec![process(7, 6_050, 61_000, 700)]);
    let snapshot = derive(Some(&before), &after);
    assert_eq!(cpu_us(&snapshot, 7), Some(700));
    assert_eq!(snapshot.exited.len(), 1);
    let exited = &snapshot.exited[0];
    assert_eq!((exited.key.start_ticks, exited.ts_ms), (OLD, after.at.ts_ms));
    assert_eq!((exited.code, exited.signal, exited.cpu, exited.io), (None, None, None, None));
    assert!(snapshot.not_attributed.reasons.contains(&RemainderReason::Ended));
}

#[test]
fn exec_keeps_counting() {
    let before = with(reading(60_000), vec![process(7, OLD, 60_000, 500)]);
    let mut other = process(7, OLD, 61_000, 800);
    other.image = Arc::new(Image { name: "tool".to_owned(), program: "tool".to_owned(), ..Image::default() });
    let snapshot = derive(Some(&before), &with(reading(61_000), vec![other]));
    assert_eq!(cpu_us(&snapshot, 7), Some(300));
    assert_eq!(snapshot.process_by_pid(7).map(|process| process.image.name.as_str()), Some("tool"));
    assert!(snapshot.exited.is_empty());
}

#[test]
fn cpu_time_beyond_what_the_machine_can_give_is_cut_off() {
    let before = with(reading(60_000), vec![process(7, OLD, 60_000, 0)]);
    let after = with(reading(61_000), vec![process(7, OLD, 61_000, 50_000_000)]);
    // Two CPUs for a second, two milliseconds of rounding for each, two ticks.
    assert_eq!(cpu_us(&derive(Some(&before), &after), 7), Some(2_000_000 + 4_000 + 20_000));
    let born = with(reading(61_000), vec![process(7, 6_090, 61_000, 50_000_000)]);
    assert_eq!(cpu_us(&derive(Some(&reading(60_000)), &born), 7), Some(2 * 100_000 + 4_000 + 20_000));
    // Sleep after its start does not make it older than the previous look, but for the tick that its start is cut to.
    let mut woken = with(reading(61_000), vec![process(7, 6_000, 61_000, 50_000_000)]);
    woken.at.suspended_ms = 3_600_000;
    assert_eq!(cpu_us(&derive(Some(&reading(60_000)), &woken), 7), Some(2 * 1_010_000 + 4_000 + 20_000));
    // One that slept through the last looks has the last interval only.
    let slept = with(reading(60_000), vec![process(7, OLD, 31_000, 0)]);
    assert_eq!(cpu_us(&derive(Some(&slept), &after), 7), Some(2_000_000 + 4_000 + 20_000));
}

#[test]
fn a_socket_is_opened_in_the_look_in_which_it_appears_and_in_no_other() {
    let socket = |protocol: &str, port| Socket { protocol: protocol.to_owned(), port, ..Socket::default() };
    let no_news = Socket { opened: Some(false), ..socket("udp", 40_000) };
    let at = |mono_ms, sockets: Option<Vec<Socket>>| Reading { sockets, ..reading(mono_ms) };
    let first = at(60_000, Some(vec![socket("tcp", 80)]));
    let second = at(61_000, Some(vec![socket("tcp", 80), socket("tcp", 81), socket("udp", 80), no_news.clone()]));
    // Nobody looked at sockets in between: the same list stands.
    let third = Reading { at: reading(62_000).at, ..second.clone() };
    let blind = at(63_000, None);
    let other = Reading { at: Moment { boot: BootId(Uuid::from_u128(2)), ..first.at }, ..first.clone() };
    for (name, previous, current, expected) in [
        ("first look", None, &second, Some(vec![None; 4])),
        ("appeared", Some(&first), &second, Some(vec![Some(false), Some(true), Some(true), Some(false)])),
        ("stands", Some(&second), &third, Some(vec![Some(false); 4])),
        ("list unknown now", Some(&third), &blind, None),
        ("list unknown before", Some(&blind), &Reading { at: reading(64_000).at, ..first.clone() }, Some(vec![None])),
        ("other boot", Some(&other), &second, Some(vec![None; 4])),
    ] {
        let snapshot = derive(previous, current);
        let opened = |sockets: Vec<Socket>| sockets.iter().map(|socket| socket.opened).collect::<Vec<_>>();
        assert_eq!(snapshot.sockets.map(opened), expected, "{name}");
    }
}

#[test]
fn clocks_that_are_set_and_machines_that_sleep_are_flagged_and_change_no_rate() {
    for (name, ts_ms, slept_ms, flags, step_ms) in [
        ("steady", 0, 0, 0, 0),
        ("rounding", 400, 50, 0, 0),
        ("forward", 3_600_000, 0, TickFlags::CLOCK_STEP, 3_600_000),
        ("backward", -3_600_000, 0, TickFlags::CLOCK_STEP, -3_600_000),
        ("by a second", -1_000, 0, TickFlags::CLOCK_STEP, -1_000),
        ("asleep", 8 * 3_600_000, 8 * 3_600_000, TickFlags::SUSPENDED, 0),
        ("asleep and set", 0, 8 * 3_600_000, TickFlags::SUSPENDED | TickFlags::CLOCK_STEP, -8 * 3_600_000),
    ] {
        let before = with(reading(60_000), vec![process(7, OLD, 60_000, 0)]);
        let mut after = with(reading(61_000), vec![process(7, OLD, 61_000, 250_000)]);
        after.at.ts_ms += ts_ms;
        after.at.suspended_ms += slept_ms;
        let snapshot = derive(Some(&before), &after);
        assert_eq!(snapshot.flags, TickFlags(flags), "{name}");
        assert_eq!(snapshot.host.clock_step_ms, Some(step_ms), "{name}");
        assert_eq!(snapshot.interval_ms, 1_000, "{name}");
        assert_eq!(snapshot.cores(cpu_us(&snapshot, 7)), Some(0.25), "{name}");
    }
}

#[test]
fn a_slewed_clock_is_no_step() {
    let mut after = reading(60_000 + 3_600_000);
    after.at.ts_ms += 1_800;
    assert_eq!(derive(Some(&reading(60_000)), &after).flags, TickFlags(0));
}

fn times(user_us: u64, idle_us: u64, softirq_us: u64) -> CpuTimes {
    CpuTimes { user_us, idle_us, softirq_us, ..CpuTimes::default() }
}

#[test]
fn counters_of_the_machine_that_went_backwards_are_unknown() {
    for (name, before, after, expected) in [
        ("forward", times(100, 100, 0), times(300, 900, 0), Some(times(200, 800, 0))),
        ("busy time backwards", times(100, 100, 0), times(99, 900, 0), None),
        ("idle time a little backwards", times(100, 900_000, 0), times(300, 890_000, 0), Some(times(200, 0, 0))),
        ("idle time far backwards", times(100, 9_000_000, 0), times(300, 1, 0), None),
    ] {
        let (mut old, mut new) = (reading(60_000), reading(61_000));
        (old.host.cpu, new.host.cpu) = (Some(before), Some(after));
        old.cpus = Some(vec![CpuReading { number: 1, times: before }, CpuReading { number: 0, times: before }]);
        new.cpus = Some(vec![CpuReading { number: 1, times: after }, CpuReading { number: 5, times: after }]);
        let snapshot = derive(Some(&old), &new);
        assert_eq!(snapshot.host.cpu, expected, "{name}");
        let cpus = snapshot.cpus.expect("listed");
        assert_eq!((cpus[0].times, cpus[1].times), (expected, None), "{name}: a CPU that came online is unknown");
    }
}

#[test]
fn disks_and_interfaces_are_matched_by_name() {
    let disk = |name: &str, read_bytes| DiskReading {
        name: name.to_owned(),
        counters: DiskCounters { read_bytes, ..DiskCounters::default() },
        in_flight: 3,
    };
    let interface = |name: &str, sent_bytes| InterfaceReading {
        name: name.to_owned(),
        counters: InterfaceCounters { sent_bytes, ..InterfaceCounters::default() },
        up: Some(true),
    };
    let (mut old, mut new) = (reading(60_000), reading(61_000));
    old.disks = Some(vec![disk("a", 5), disk("b", 50)]);
    new.disks = Some(vec![disk("b", 70), disk("a", 4), disk("c", 1)]);
    old.interfaces = Some(vec![interface("eth0", 10), interface("tun0", 99)]);
    new.interfaces = Some(vec![interface("tun0", 1), interface("eth0", 25)]);
    let snapshot = derive(Some(&old), &new);
    let disks: Vec<_> = snapshot.disks.iter().flatten().map(|disk| disk.counters.map(|c| c.read_bytes)).collect();
    assert_eq!(disks, [Some(20), None, None], "known, went backwards, new");
    let sent: Vec<_> = snapshot.interfaces.iter().flatten().map(|i| i.counters.map(|c| c.sent_bytes)).collect();
    assert_eq!(sent, [None, Some(15)]);
}

#[test]
fn pressure_and_events_are_differences() {
    let stall = |total_us| Some(Stall { avg10: 0.5, avg60: 0.25, total_us });
    let (mut old, mut new) = (reading(60_000), reading(61_000));
    old.host.pressure = Some(Pressure { cpu_some: stall(10), io_some: stall(9), ..Pressure::default() });
    new.host.pressure =
        Some(Pressure { cpu_some: stall(25), io_some: stall(3), memory_some: stall(1), ..Pressure::default() });
    old.host.counters = HostCounters { created: Some(5), oom_kills: Some(1), ..HostCounters::default() };
    new.host.counters =
        HostCounters { created: Some(9), oom_kills: Some(0), interrupts: Some(4), ..HostCounters::default() };
    let host = derive(Some(&old), &new).host;
    let pressure = host.pressure.expect("known");
    assert_eq!((pressure.cpu_some, pressure.io_some, pressure.memory_some), (stall(15), None, None));
    assert_eq!(host.counters, HostCounters { created: Some(4), ..HostCounters::default() });
}

#[test]
fn what_no_process_answers_for_stands_on_its_own() {
    let disk = |name: &str, read_bytes| DiskReading {
        name: name.to_owned(),
        counters: DiskCounters { read_bytes, ..DiskCounters::default() },
        in_flight: 0,
    };
    let (mut old, mut new) = (reading(60_000), reading(61_000));
    (old.host.cpu, new.host.cpu) = (Some(times(0, 0, 0)), Some(times(900_000, 0, 50_000)));
    old.disks = Some(vec![disk("sda", 0), disk("dm-0", 0)]);
    new.disks = Some(vec![disk("sda", 7_000_000), disk("dm-0", 7_000_000)]);
    old.processes = Some(vec![process(7, OLD, 60_000, 0)]);
    new.processes = Some(vec![process(7, OLD, 61_000, 600_000), process(8, OLD, 61_000, 5)]);
    let remainder = derive(Some(&old), &new).not_attributed;
    assert_eq!(remainder.cpu_us, Some(350_000));
    assert_eq!(remainder.read_bytes, Some(1_000_000), "what passes through a mapped device counts once");
    assert_eq!((remainder.received_bytes, remainder.sent_bytes), (None, None), "no process is known");
    assert_eq!(remainder.reasons, [RemainderReason::Interrupts, RemainderReason::FirstLook, RemainderReason::Kernel]);
}

#[test]
fn refused_counters_and_unseen_processes_are_reasons() {
    let (mut old, mut new) = (reading(60_000), reading(61_000));
    old.processes = Some(vec![process(7, OLD, 60_000, 0)]);
    new.processes = Some(vec![ProcessReading { io: Looked::unreadable(61_000), ..process(7, OLD, 61_000, 0) }]);
    old.host.counters.created = Some(10);
    new.host.counters.created = Some(11);
    let remainder = derive(Some(&old), &new).not_attributed;
    assert_eq!(remainder.reasons, [RemainderReason::Ended, RemainderReason::Permission]);
    assert_eq!(remainder.read_bytes, None);
}

#[test]
fn network_bytes_are_booked_where_a_tier_sees_them() {
    let network = |mono_ms, received_bytes| ProcessReading {
        network: Looked::at(mono_ms, ProcessNetwork { received_bytes, sent_bytes: 0 }),
        ..process(7, OLD, mono_ms, 0)
    };
    let before = with(reading(60_000), vec![network(60_000, 10)]);
    let after = with(reading(61_000), vec![network(61_000, 35)]);
    let snapshot = derive(Some(&before), &after);
    assert_eq!(snapshot.process_by_pid(7).and_then(|process| process.network).map(|n| n.received_bytes), Some(25));
}
