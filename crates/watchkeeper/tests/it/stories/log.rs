//! A story that was written to the log, backtested: the same alerts.

use std::collections::BTreeSet;

use watchkeeper_analyze::Analyzer;
use watchkeeper_core::port::LoadedState;
use watchkeeper_core::{Change, Range, Recorder as _};
use watchkeeper_store::Reader;

use super::world::{GIB, MEMORY, World};

#[test]
fn a_backtest_of_the_log_of_a_story_says_what_was_said_live() {
    let mut world = World::new("[[rule]]\nid = \"hog\"\nwhen = 'process.cpu.utilization > \"60%\"'\nfor = \"1m\"\n");
    let mut recorder = world.store().recorder().unwrap();
    let from_ms = world.snapshot.at.ts_ms;
    world.begin(900, "report", 830);
    for at_s in 1..=2_400 {
        match at_s {
            // A hog, that ends by the kernel's hand.
            300..=420 => {
                world.burn(900, 3.8);
                world.cpu(Some(0.97));
                world.hold(900, f64::from(at_s - 300) * 0.08 * GIB);
                world.memory(0.4 * MEMORY + f64::from(at_s - 300) * 0.07 * GIB);
            }
            421 => {
                world.end(900, Some(9));
                world.snapshot.host.counters.oom_kills = Some(1);
                world.memory(0.4 * MEMORY);
            }
            // Then a disk, a filesystem, a clock, a service and a fork bomb.
            500..=1_600 => {
                world.cpu(Some(0.2));
                world.disk(1.0, 20);
                world.filesystem("/", if at_s < 900 { 0.6 } else { 0.98 });
                if at_s == 700 {
                    world.set_clock(-20);
                }
                if at_s > 1_000 && at_s % 60 == 0 {
                    let pid = 2_000 + at_s as u32;
                    world.begin(pid, "api", 1);
                    world.end(pid, None);
                }
            }
            1_700 => {
                for pid in 10_000..12_500 {
                    world.begin(pid, "bash", 840);
                }
            }
            1_900 => {
                world.disk(0.1, 0);
                world.filesystem("/", 0.5);
                world.snapshot.processes.as_mut().unwrap().retain(|process| process.key.pid < 10_000);
            }
            _ => {}
        }
        let look = world.look();
        recorder.record(&look).unwrap();
    }
    recorder.flush().unwrap();
    let opened: BTreeSet<&str> = world.told.iter().map(|told| told.incident.evidence.rule.as_str()).collect();
    let expected = ["clock-jump", "disk-saturated", "filesystem-full-critical", "fork-bomb", "hog", "oom-kill"];
    assert!(expected.iter().all(|id| opened.contains(id)), "{:?}", world.lines());

    let state = LoadedState { host: world.settings().host, alerts: Vec::new(), incidents: Vec::new() };
    let mut again = Analyzer::new(world.settings(), state);
    let range = Range::new(from_ms, world.snapshot.at.ts_ms + 1);
    let reader = Reader::open(&world.folder()).unwrap();
    let mut replayed = Vec::new();
    for look in reader.replay(range).unwrap() {
        replayed.extend(again.step(&look.unwrap()));
    }
    let plain = |changes: &[Change]| -> Vec<Change> {
        let mut changes = changes.to_vec();
        for change in &mut changes {
            // Numbers are given by the store.
            if let Change::Incident { incident, .. } = change {
                incident.ticket = None;
            }
        }
        changes
    };
    assert_eq!(plain(&replayed), plain(&world.changes));
}
