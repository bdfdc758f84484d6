//! A day of the log through fifty rules: what it costs to rebuild it, to evaluate it, and both at once.
//!
//! `cargo bench -p watchkeeper --bench backtest -- [HOURS]` (24 by default, simulated, one tick a second) prints a table.
//! The machine is that of the benchmark of the store: 300 processes of which about 15 % change from one tick to the next.

#![allow(clippy::unwrap_used, reason = "a benchmark may end with a panic")]

#[path = "../../store/benches/hot/machine.rs"]
mod machine;

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::tz::TimeZone;
use rustix::time::{ClockId, clock_gettime};
use watchkeeper_analyze::backtest::Backtest;
use watchkeeper_analyze::{Rule, RuleConfig, Settings, compile};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{HostId, Range, Recorder};
use watchkeeper_store::{Reader, Store, StoreConfig};

use machine::{DAY, Machine, PROCESSES};

/// Conditions as they are commonly written: half on processes and programs, half on the machine and its parts, some with
/// windows.
const CONDITIONS: [(&str, Option<&str>); 10] = [
    ("system.cpu.utilization > \"90%\"", None),
    ("avg(system.cpu.utilization, \"15m\") > \"80%\"", None),
    ("system.memory.utilization > \"95%\" && system.paging.io.in > \"1MiB/s\"", None),
    ("system.filesystem.utilization > \"97%\"", None),
    ("predict(system.filesystem.free, \"6h\", \"4h\") <= 0 && system.filesystem.utilization > \"70%\"", None),
    ("process.cpu.utilization > \"60%\"", None),
    ("process.cpu.utilization > \"80%\"", Some("program")),
    ("process.state in [\"D\", \"Z\"]", None),
    ("process.memory.utilization > \"60%\" && process.uptime > \"10m\"", None),
    ("process.unix.file_descriptor.count > 50000 || process.thread.count > 20000", None),
];
const RULES: usize = 50;

fn rules() -> Vec<Rule> {
    let rule = |index: usize| {
        let (when, each) = CONDITIONS[index % CONDITIONS.len()];
        RuleConfig {
            id: format!("rule-{index}"),
            when: Some(when.to_owned()),
            each: each.map(str::to_owned),
            hold: Span::from_secs(60),
            ..RuleConfig::default()
        }
    };
    compile(&(0..RULES).map(rule).collect::<Vec<_>>(), 1_000).unwrap()
}

fn main() {
    // Cargo passes `--bench`.
    let hours: i64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(24);
    let ticks = hours * 3_600;
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("store");
    let store = Store::open(&folder, &StoreConfig::default()).unwrap();
    let mut recorder = store.recorder().unwrap();
    let mut machine = Machine::new();
    for second in 0..ticks {
        recorder.record(&machine.tick(second)).unwrap();
    }
    drop(recorder);
    let range = Range::new(DAY, DAY + (ticks + 1) * 1_000);
    println!("{ticks} ticks, {PROCESSES} processes, {RULES} rules, {hours} simulated hours");
    println!("{:<44} {:>10} {:>10} {:>12}", "", "seconds", "CPU s", "CPU us/tick");
    let reader = Reader::open(&folder).unwrap();
    measured("rebuild the ticks", ticks, || reader.replay(range).unwrap().map(Result::unwrap).count() as u64);
    measured("rebuild and evaluate (budget 60 s a day)", ticks, || {
        let settings = Settings {
            host: HostId::default(),
            host_name: "bench".to_owned(),
            labels: BTreeMap::new(),
            time_zone: "UTC".to_owned(),
            rules: rules(),
        };
        let mut backtest = Backtest::new(settings, range);
        for tick in reader.replay(range).unwrap() {
            backtest.look(&tick.unwrap());
        }
        let looks = backtest.ticks();
        let fired: u64 = backtest.finish(&TimeZone::UTC).iter().map(|record| record.times).sum();
        println!("{:<44} {fired:>10}", "alerts that would have fired");
        looks
    });
}

fn measured(what: &str, ticks: i64, work: impl FnOnce() -> u64) {
    let (begin, before_us) = (Instant::now(), process_cpu_us());
    let looks = work();
    let (took, cpu_us) = (begin.elapsed().as_secs_f64(), process_cpu_us() - before_us);
    assert_eq!(looks, ticks.unsigned_abs(), "every tick is looked at");
    println!("{what:<44} {took:>10.1} {:>10.1} {:>12.1}", cpu_us as f64 / 1e6, cpu_us as f64 / ticks as f64);
}

fn process_cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}
