//! The collector as the binary uses it: opened by its settings, read twice, and the difference taken.

use std::time::Duration;

use watchkeeper_collect::{CollectConfig, CollectError, CommandLine, TierChoice, derive, open};
use watchkeeper_core::Snapshot;
use watchkeeper_core::snapshot::TickFlags;

fn config(tier: TierChoice) -> CollectConfig {
    CollectConfig { tier, ..CollectConfig::default() }
}

/// Two looks, a while apart.
fn snapshot(config: &CollectConfig) -> Result<Snapshot, CollectError> {
    let mut collector = open(config)?;
    let before = collector.read()?;
    std::thread::sleep(Duration::from_millis(300));
    Ok(derive(Some(&before), &collector.read()?))
}

#[test]
fn the_tier_is_chosen_by_the_settings() {
    for (choice, tier) in [
        (TierChoice::Portable, "portable"),
        #[cfg(target_os = "linux")]
        (TierChoice::Auto, "proc"),
        #[cfg(target_os = "linux")]
        (TierChoice::Proc, "proc"),
        #[cfg(not(target_os = "linux"))]
        (TierChoice::Auto, "portable"),
    ] {
        assert_eq!(open(&config(choice)).expect("it can be opened").tier(), tier, "{choice:?}");
    }
}

#[test]
fn every_tier_sees_this_process_and_what_it_needs() {
    for tier in [TierChoice::Auto, TierChoice::Portable] {
        let snapshot = snapshot(&config(tier)).expect("this machine can be read");
        assert!(!snapshot.flags.has(TickFlags::FIRST_LOOK));
        assert!((300..20_000).contains(&snapshot.interval_ms), "{tier:?}: {} ms", snapshot.interval_ms);
        let this = snapshot.process_by_pid(std::process::id()).expect("this process is there");
        assert!(this.cpu.is_some(), "{tier:?}");
        assert!(this.memory.is_some_and(|memory| memory.resident_bytes > 100_000), "{tier:?}");
        assert!(!this.image.program.is_empty(), "{tier:?}");
        // Wine 8 does not know this question.
        assert!(this.image.command.is_some() || std::env::var_os("WINEPREFIX").is_some(), "{tier:?}");
        assert!(snapshot.host.cpu_count.is_some_and(|count| count > 0), "{tier:?}");
        assert!(snapshot.host.memory.is_some_and(|memory| memory.total_bytes > 0), "{tier:?}");
    }
}

#[test]
fn command_lines_stay_out_of_the_log_when_they_are_not_wanted() {
    for tier in [TierChoice::Auto, TierChoice::Portable] {
        let config = CollectConfig { command_line: CommandLine::None, ..config(tier) };
        let snapshot = snapshot(&config).expect("this machine can be read");
        let processes = snapshot.processes.expect("the list can be read");
        assert!(!processes.is_empty() && processes.iter().all(|process| process.image.command.is_none()), "{tier:?}");
    }
}
