//! The machine as a whole and its parts, at random.

use super::*;

pub(super) fn quiet(mut host: Host) -> Host {
    host.cpu = host.cpu.map(|_| CpuTimes::default());
    host
}

pub(super) fn host(dice: &mut Dice) -> Host {
    Host {
        clock_step_ms: dice.maybe(Dice::signed),
        oom_victim: dice.maybe(|dice| 1 + dice.roll(5) as u32),
        cpu_count: dice.maybe(|dice| 1 + dice.roll(4) as u32),
        cpu: dice.maybe(Dice::times),
        memory: dice.maybe(|dice| Memory {
            total_bytes: dice.count(),
            free_bytes: dice.count(),
            available_bytes: dice.count(),
            buffers_bytes: dice.count(),
            cached_bytes: dice.count(),
            shared_bytes: dice.count(),
            slab_bytes: dice.count(),
            dirty_bytes: dice.count(),
        }),
        swap: dice.maybe(|dice| Swap { total_bytes: dice.count(), free_bytes: dice.count() }),
        load: dice.maybe(|dice| Load { one: dice.number(), five: dice.number(), fifteen: dice.number() }),
        pressure: dice.maybe(|dice| Pressure {
            cpu_some: dice.maybe(Dice::stall),
            memory_some: dice.maybe(Dice::stall),
            memory_full: dice.maybe(Dice::stall),
            io_some: dice.maybe(Dice::stall),
            io_full: dice.maybe(Dice::stall),
        }),
        counters: HostCounters {
            created: dice.maybe(Dice::count),
            context_switches: dice.maybe(Dice::count),
            interrupts: dice.maybe(Dice::count),
            minor_faults: dice.maybe(Dice::count),
            major_faults: dice.maybe(Dice::count),
            swapped_in_bytes: dice.maybe(Dice::count),
            swapped_out_bytes: dice.maybe(Dice::count),
            oom_kills: dice.maybe(|dice| dice.roll(12).saturating_sub(9)),
        },
        connections: dice.maybe(|dice| dice.roll(9) as u32),
    }
}

pub(super) fn some_of(dice: &mut Dice, names: &[&str]) -> Vec<String> {
    let kept: Vec<bool> = names.iter().map(|_| !dice.one_in(4)).collect();
    names.iter().zip(kept).filter(|(_, kept)| *kept).map(|(name, _)| (*name).to_owned()).collect()
}

pub(super) fn disks(dice: &mut Dice) -> Vec<Disk> {
    let names = some_of(dice, &["nvme0n1", "sda", "sdb"]);
    let counters = |dice: &mut Dice| DiskCounters {
        read_bytes: dice.count(),
        written_bytes: dice.count(),
        reads: dice.count(),
        writes: dice.count(),
        read_us: dice.count(),
        write_us: dice.count(),
        busy_us: dice.count(),
    };
    names.into_iter().map(|name| Disk { name, counters: dice.maybe(counters), in_flight: dice.count() }).collect()
}

pub(super) fn filesystems(dice: &mut Dice) -> Vec<Filesystem> {
    let mounts = some_of(dice, &["/", "/home", "/tmp a\nb"]);
    let mut filesystem = |mount_point: String| Filesystem {
        mount_point,
        device: format!("/dev/sda{}", dice.roll(2)),
        kind: "ext4".to_owned(),
        total_bytes: dice.count(),
        free_bytes: dice.count(),
        available_bytes: dice.count(),
        inodes: dice.count(),
        inodes_free: dice.count(),
        read_only: dice.one_in(2),
    };
    mounts.into_iter().map(&mut filesystem).collect()
}

pub(super) fn interfaces(dice: &mut Dice) -> Vec<Interface> {
    let counters = |dice: &mut Dice| InterfaceCounters {
        received_bytes: dice.count(),
        sent_bytes: dice.count(),
        received_packets: dice.count(),
        sent_packets: dice.count(),
        received_errors: dice.count(),
        sent_errors: dice.count(),
        received_dropped: dice.count(),
        sent_dropped: dice.count(),
    };
    let names = some_of(dice, &["eth0", "lo"]);
    let mut interface =
        |name| Interface { name, counters: dice.maybe(counters), up: dice.maybe(|dice| dice.one_in(2)) };
    names.into_iter().map(&mut interface).collect()
}

pub(super) fn peers(dice: &mut Dice) -> Vec<Peer> {
    let addresses = some_of(dice, &["10.0.0.1", "10.0.0.2", "other"]);
    let mut peers: Vec<Peer> =
        addresses.into_iter().map(|address| Peer { address, connections: 1 + dice.roll(3) as u32 }).collect();
    peers.sort_by_key(|peer| (std::cmp::Reverse(peer.connections), peer.address.clone()));
    peers
}

pub(super) fn sockets(dice: &mut Dice) -> Vec<Socket> {
    let addresses = some_of(dice, &["127.0.0.1", "::"]);
    let mut sockets: Vec<Socket> = addresses
        .into_iter()
        .map(|address| Socket {
            opened: dice.maybe(|dice| dice.one_in(3)),
            owner: dice.maybe(|dice| 1 + dice.roll(5) as u32),
            unread_bytes: dice.maybe(Dice::count),
            protocol: if dice.one_in(4) { "udp" } else { "tcp" }.to_owned(),
            address,
            port: 80 + dice.roll(2) as u16,
            uid: dice.maybe(|dice| dice.roll(2) as u32),
            queue: dice.maybe(|dice| dice.roll(3) as u32),
            backlog: dice.maybe(|_| 128),
        })
        .collect();
    if dice.one_in(3) {
        // Two workers listen at the same address.
        sockets.extend(sockets.first().cloned());
    }
    sockets.sort_by_key(|socket| (socket.protocol.clone(), socket.address.clone(), socket.port, socket.uid));
    sockets
}

pub(super) fn checks(dice: &mut Dice) -> Vec<Check> {
    let names = some_of(dice, &["database", "web"]);
    let errors = ["connection refused", "no answer within 5 s"];
    let mut check = |name: String| {
        let up = dice.maybe(|dice| dice.one_in(2));
        Check {
            target: format!("tcp 127.0.0.1:{}", 5_432 + name.len()),
            name,
            up,
            duration_us: dice.maybe(Dice::count),
            status: dice.maybe(|dice| 200 + dice.roll(304) as u16),
            error: (up == Some(false)).then(|| errors[dice.roll(2) as usize].to_owned()),
            tried_mono_ms: dice.maybe(|dice| dice.roll(1 << 40) as i64),
        }
    };
    names.into_iter().map(&mut check).collect()
}

pub(super) fn anomaly(dice: &mut Dice) -> Anomaly {
    let mut share = || dice.roll(1_001) as f64 / 1_000.0;
    Anomaly { score: share(), threshold: share(), confidence: share() }
}

pub(super) fn watch(dice: &mut Dice) -> Watch {
    Watch {
        late_ms: dice.count(),
        log_failing_ms: dice.count(),
        state_failing_ms: dice.count(),
        channel_failing_ms: dice.count(),
        outbox_age_ms: dice.count(),
    }
}

pub(super) fn remainder(dice: &mut Dice) -> Remainder {
    let all = [
        RemainderReason::Interrupts,
        RemainderReason::Ended,
        RemainderReason::FirstLook,
        RemainderReason::Permission,
        RemainderReason::Kernel,
    ];
    Remainder {
        cpu_us: dice.maybe(Dice::signed),
        read_bytes: dice.maybe(Dice::signed),
        written_bytes: dice.maybe(Dice::signed),
        received_bytes: dice.maybe(Dice::signed),
        sent_bytes: dice.maybe(Dice::signed),
        reasons: all.into_iter().filter(|_| dice.one_in(2)).collect(),
    }
}

pub(super) fn gaps(dice: &mut Dice) -> Vec<Gap> {
    let all = [
        (Section::ProcessNetwork, GapReason::Unsupported),
        (Section::ProcessDisk, GapReason::Permission),
        (Section::Sockets, GapReason::NotSampled),
    ];
    let gap = |dice: &mut Dice, (section, reason)| Gap {
        section,
        reason,
        count: 1 + dice.roll(2),
        remedy: dice.maybe(|_| "run it as root".to_owned()),
    };
    all.into_iter().filter_map(|what| if dice.one_in(2) { Some(gap(dice, what)) } else { None }).collect()
}
