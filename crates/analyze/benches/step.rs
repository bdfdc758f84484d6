//! What a tick costs the analyzer: 5,000 processes, without rules, with 50 of them, and with windows.
//!
//! Divide the difference by 250,000 for the cost of one evaluation.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use uuid::Uuid;
use watchkeeper_analyze::{Analyzer, RuleConfig, Settings, compile};
use watchkeeper_core::moment::Moment;
use watchkeeper_core::port::LoadedState;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::snapshot::{
    CpuTimes, Host, Memory, Process, ProcessCpu, ProcessIo, ProcessMemory, Remainder, TickFlags,
};
use watchkeeper_core::{BootId, HostId, Image, ProcessKey, ProcessState, Snapshot};

const PROCESSES: u32 = 5_000;
const RULES: usize = 50;
const BOOT: BootId = BootId(Uuid::from_u128(2));
const HOST: HostId = HostId(Uuid::from_u128(1));

/// Conditions that do not hold, as is usual.
const CONDITIONS: [&str; 10] = [
    "process.cpu.utilization > \"90%\"",
    "process.cpu.cores > 3.5",
    "process.memory.usage > \"4GiB\"",
    "process.memory.utilization > \"50%\"",
    "process.disk.io.write > \"200MiB/s\"",
    "process.disk.io.read > \"200MiB/s\"",
    "process.thread.count > 5000",
    "process.unix.file_descriptor.count > 50000",
    "process.state == \"Z\"",
    "process.name == \"nothing-has-this-name\"",
];

fn process(number: u32) -> Process {
    let total_us = u64::from(number % 7) * 1_000;
    Process {
        key: ProcessKey { boot: BOOT, pid: number + 2, start_ticks: u64::from(number) * 10 },
        parent: 1 + number / 10,
        image: Arc::new(Image {
            name: format!("worker-{}", number % 300),
            program: format!("service-{0}.service / worker-{0}", number % 300),
            ..Image::default()
        }),
        uid: Some(1_000),
        state: Some(ProcessState::Sleeping),
        threads: Some(4),
        cpu: Some(ProcessCpu { total_us, user_us: total_us / 2 }),
        memory: Some(ProcessMemory { resident_bytes: u64::from(number) << 12, virtual_bytes: 1 << 30 }),
        faults: None,
        io: Some(ProcessIo { read_bytes: 0, written_bytes: u64::from(number.is_multiple_of(50)) * 4_096 }),
        network: None,
        descriptors: Some(30),
    }
}

fn snapshot() -> Snapshot {
    let cpu = CpuTimes { user_us: 1_000_000, idle_us: 1_000_000, ..CpuTimes::default() };
    let memory = Memory { total_bytes: 16 << 30, available_bytes: 8 << 30, ..Memory::default() };
    Snapshot {
        anomaly: None,
        checks: None,
        watch: None,
        at: Moment { ts_ms: 1_795_176_000_000, mono_ms: 1_000_000, suspended_ms: 0, boot: BOOT },
        interval_ms: 1_000,
        flags: TickFlags::default(),
        host: Host { cpu_count: Some(2), cpu: Some(cpu), memory: Some(memory), ..Host::default() },
        cpus: None,
        disks: None,
        filesystems: None,
        interfaces: None,
        peers: None,
        sockets: None,
        processes: Some((0..PROCESSES).map(process).collect()),
        exited: Vec::new(),
        not_attributed: Remainder::default(),
        dropped: 0,
        gaps: Vec::new(),
    }
}

fn analyzer(rules: usize, each: Option<&str>) -> Analyzer {
    let additive = if each.is_some() { 8 } else { CONDITIONS.len() };
    let configs: Vec<RuleConfig> = (0..rules)
        .map(|number| RuleConfig {
            id: format!("rule-{number}"),
            when: Some(CONDITIONS[number % additive].to_owned()),
            hold: Span::from_secs(300),
            each: each.map(str::to_owned),
            ..RuleConfig::default()
        })
        .collect();
    with_rules(&configs)
}

fn with_rules(configs: &[RuleConfig]) -> Analyzer {
    let settings = Settings {
        host: HOST,
        host_name: "bench".to_owned(),
        labels: BTreeMap::new(),
        time_zone: "UTC".to_owned(),
        rules: compile(configs, 1_000).expect("the conditions are right"),
    };
    Analyzer::new(settings, LoadedState { host: HOST, alerts: Vec::new(), incidents: Vec::new() })
}

fn steps(criterion: &mut Criterion) {
    let mut snapshot = snapshot();
    for (name, rules, each) in [
        ("step, 5000 processes, no rule", 0, None),
        ("step, 5000 processes, 50 rules on processes", RULES, None),
        ("step, 5000 processes, 50 rules on programs", RULES, Some("program")),
    ] {
        let mut analyzer = analyzer(rules, each);
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                snapshot.at.ts_ms += 1_000;
                snapshot.at.mono_ms += 1_000;
                black_box(analyzer.step(&snapshot))
            });
        });
    }
}

/// Windows of every process that are full and do not fire, and of every program. The memory of all processes moves with
/// every tick, which is the worst there is: most processes have long stretches in which it does not.
fn windows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("windows");
    group.sample_size(10);
    for (name, when, each) in [
        ("avg over 2 m, 5000 processes", "avg(process.memory.usage, \"2m\") > \"40GiB\"", "process"),
        ("avg over 6 h, 5000 processes", "avg(process.memory.usage, \"6h\") > \"40GiB\"", "process"),
        ("quantile over 6 h, 5000 processes", "quantile(process.memory.usage, \"6h\", 0.9) > \"40GiB\"", "process"),
        ("slope over 6 h, 5000 processes", "slope(process.memory.usage, \"6h\") > \"40GiB/h\"", "process"),
        ("growth over 6 h, 5000 processes", "growth(process.memory.usage, \"6h\") > \"40GiB/h\"", "process"),
        (
            "slope over 6 h where a cheap part decides, 5000 processes",
            "process.memory.usage > \"40GiB\" && slope(process.memory.usage, \"6h\") > \"1MiB/h\"",
            "process",
        ),
        ("growth over 6 h, 300 programs", "growth(process.memory.usage, \"6h\") > \"40GiB/h\"", "program"),
        ("slope over 2 m, 300 programs", "slope(process.memory.usage, \"2m\") > \"40GiB/h\"", "program"),
    ] {
        let mut snapshot = snapshot();
        let mut analyzer = with_rules(&[RuleConfig {
            id: "window".to_owned(),
            when: Some(when.to_owned()),
            each: Some(each.to_owned()),
            ..RuleConfig::default()
        }]);
        // Full windows, fed with fewer looks than a watch would have.
        for _ in 0..256 {
            advance(&mut snapshot, 84_000);
            analyzer.warm_up(&snapshot);
        }
        for _ in 0..130 {
            advance(&mut snapshot, 1_000);
            analyzer.warm_up(&snapshot);
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                advance(&mut snapshot, 1_000);
                black_box(analyzer.step(&snapshot))
            });
        });
    }
    group.finish();
}

/// The next tick, in which every process has some more memory or less.
fn advance(snapshot: &mut Snapshot, interval_ms: i64) {
    snapshot.interval_ms = interval_ms;
    snapshot.at.ts_ms += interval_ms;
    snapshot.at.mono_ms += interval_ms;
    let number = snapshot.at.mono_ms as u64 / 1_000;
    for (index, process) in snapshot.processes.iter_mut().flatten().enumerate() {
        let noise = (number.wrapping_mul(2_654_435_761) ^ (index as u64).wrapping_mul(40_503)) % 1_000;
        let resident_bytes = (1 << 28) + number * 4_096 + noise * 65_536;
        process.memory = Some(ProcessMemory { resident_bytes, virtual_bytes: 1 << 30 });
    }
}

criterion_group!(benches, steps, windows);
criterion_main!(benches);
