//! What one look at every process costs: the `/proc` tier against the sysinfo crate, in CPU time of this process.
//!
//! Criterion is of no use here: it repeats as fast as it can, and a warm loop reads up to five times cheaper than a look
//! once a second, whose caches have gone cold. So each sample waits 200 ms first, rounds are interleaved, and the table
//! shows medians. The processes are those of the machine as it is; start the load (`load/hold 2000`) outside.
//!
//! `cargo bench -p watchkeeper-collect --bench sample [-- ROUNDS]`

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
use watchkeeper_collect::{CollectConfig, Collector, TierChoice, derive, open};
use watchkeeper_core::Reading;

/// Looks that are made and not counted: the first one reads everything.
const WARM_UP: usize = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// One way of looking: a name, and a look that gives the number of living processes.
struct Contender {
    name: &'static str,
    look: Box<dyn FnMut() -> usize>,
    samples: Vec<Sample>,
}

struct Sample {
    cpu_us: f64,
    processes: usize,
}

fn main() {
    // `cargo bench` and `cargo test --benches` pass options of their own.
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(15_usize);
    let testing = std::env::args().any(|argument| argument == "--test");
    let rounds = if testing { 1 } else { rounds };
    let mut contenders = contenders();
    for round in 0..rounds + WARM_UP {
        for contender in &mut contenders {
            std::thread::sleep(PAUSE);
            let before_us = cpu_us();
            let processes = (contender.look)();
            let sample = Sample { cpu_us: cpu_us() - before_us, processes };
            if round >= WARM_UP {
                contender.samples.push(sample);
            }
        }
    }
    print(&mut contenders);
}

fn contenders() -> Vec<Contender> {
    let contender = |name, look: Box<dyn FnMut() -> usize>| Contender { name, look, samples: Vec::new() };
    vec![
        contender("proc tier, processes and machine", Box::new(collector(TierChoice::Auto))),
        contender("derive, the same two readings", Box::new(deriver())),
        contender("sysinfo without tasks", Box::new(sysinfo(false))),
        contender("sysinfo as it comes, tasks on", Box::new(sysinfo(true))),
        contender("portable tier", Box::new(collector(TierChoice::Portable))),
    ]
}

fn opened(tier: TierChoice) -> Box<dyn Collector> {
    open(&CollectConfig { tier, ..CollectConfig::default() }).expect("this machine can be read")
}

fn collector(tier: TierChoice) -> impl FnMut() -> usize {
    let mut collector = opened(tier);
    move || collector.read().expect("this machine can be read").processes.map_or(0, |processes| processes.len())
}

fn deriver() -> impl FnMut() -> usize {
    let mut collector = opened(TierChoice::Auto);
    let mut read = || -> Reading { collector.read().expect("this machine can be read") };
    let before = read();
    std::thread::sleep(PAUSE);
    let after = read();
    move || derive(Some(&before), &after).processes.map_or(0, |processes| processes.len())
}

fn sysinfo(tasks: bool) -> impl FnMut() -> usize {
    let mut system = System::new().expect("this machine can be read");
    let kind = ProcessRefreshKind::nothing().with_cpu().with_memory().with_disk_usage();
    let kind = if tasks { kind.with_tasks() } else { kind.without_tasks() };
    move || {
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
        system.processes().values().filter(|process| process.thread_kind().is_none()).count()
    }
}

fn print(contenders: &mut [Contender]) {
    println!("{:34} {:>9} {:>9} {:>9} {:>9} {:>9}", "look", "processes", "us/proc", "least", "most", "ms/look");
    for Contender { name, samples, .. } in contenders {
        let per_process = |sample: &Sample| sample.cpu_us / sample.processes.max(1) as f64;
        samples.sort_by(|a, b| per_process(a).total_cmp(&per_process(b)));
        let (Some(least), Some(median), Some(most)) = (samples.first(), samples.get(samples.len() / 2), samples.last())
        else {
            continue;
        };
        println!(
            "{name:34} {:>9} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
            median.processes,
            per_process(median),
            per_process(least),
            per_process(most),
            median.cpu_us / 1_000.0
        );
    }
}

/// CPU time of this process so far.
fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
