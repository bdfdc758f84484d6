use std::sync::Arc;

use proptest::prelude::*;

use crate::catalogue::{EntityRef, metric};
use crate::process::{Executable, Image, ProcessState};
use crate::snapshot::{Process, Snapshot};
use crate::{BootId, Moment, ProcessKey};

fn process(start_ticks: u64, parent: u32, unit: Option<&str>) -> Process {
    let key = ProcessKey { boot: BootId::default(), pid: 700, start_ticks };
    let image = Image { unit: unit.map(str::to_owned), ..Image::default() };
    Process::unknown(key, parent, Arc::new(image))
}

/// A tick that ends so many milliseconds after the boot, of which some were slept.
fn tick(booted_ms: i64, interval_ms: i64) -> Snapshot {
    let at = Moment { ts_ms: 0, mono_ms: booted_ms - 5_000, suspended_ms: 5_000, boot: BootId::default() };
    Snapshot::unknown(at, interval_ms)
}

fn value(name: &str, snapshot: &Snapshot, process: &Process) -> Option<f64> {
    metric(name).expect("in the catalogue").value(snapshot, EntityRef::Process(process))?.number()
}

#[test]
fn only_the_main_process_of_a_service_that_began_in_the_interval_is_a_start() {
    let lost = Snapshot { dropped: 2, ..tick(100_000, 1_000) };
    for (name, snapshot, process, expected) in [
        ("began", tick(100_000, 1_000), process(9_950, 1, Some("web.service")), Some(1.0)),
        ("older", tick(100_000, 1_000), process(9_899, 1, Some("web.service")), Some(0.0)),
        ("older, and ticks were lost", lost, process(9_750, 1, Some("web.service")), Some(1.0)),
        ("a worker of it", tick(100_000, 1_000), process(9_950, 690, Some("web.service")), Some(0.0)),
        ("a scope", tick(100_000, 1_000), process(9_950, 1, Some("session-3.scope")), Some(0.0)),
        ("no unit", tick(100_000, 1_000), process(9_950, 1, None), Some(0.0)),
        ("first look", tick(100_000, 0), process(9_950, 1, Some("web.service")), None),
    ] {
        assert_eq!(value("process.service.starts", &snapshot, &process), expected, "{name}");
    }
}

proptest! {
    #[test]
    fn intervals_that_follow_each_other_count_every_start_once(
        start_ticks in 1_200_u64..1_800,
        intervals in prop::collection::vec(1_i64..2_500, 1..40),
    ) {
        let process = process(start_ticks, 1, Some("web.service"));
        let mut booted_ms = 10_000;
        let mut counted = 0.0;
        for interval_ms in &intervals {
            booted_ms += interval_ms;
            counted += value("process.service.starts", &tick(booted_ms, *interval_ms), &process).expect("known");
        }
        let is_past = i64::try_from(start_ticks).expect("small") < booted_ms / 10;
        prop_assert!((counted - f64::from(is_past)).abs() < 0.1, "{counted}");
    }
}

#[test]
fn a_file_that_nobody_could_look_at_is_neither_replaced_nor_kept() {
    let executable = |inode, deleted| Some(Executable { inode, deleted, ..Executable::default() });
    for (name, executable, expected) in [
        ("kept", executable(Some(1), false), Some(0.0)),
        ("replaced", executable(Some(1), true), Some(1.0)),
        ("gone before anybody looked", executable(None, true), Some(1.0)),
        ("unseen", executable(None, false), None),
        ("no file", None, None),
    ] {
        let mut process = process(1, 1, None);
        process.image = Arc::new(Image { executable, ..Image::default() });
        assert_eq!(value("process.executable.replaced", &tick(1_000, 1_000), &process), expected, "{name}");
    }
}

#[test]
fn only_windows_says_whether_a_window_answers() {
    for (state, expected) in [
        (Some(ProcessState::Hung), Some(1.0)),
        (Some(ProcessState::Answering), Some(0.0)),
        (Some(ProcessState::Running), None),
        (None, None),
    ] {
        let process = Process { state, ..process(1, 1, None) };
        assert_eq!(value("process.window.hung", &tick(1_000, 1_000), &process), expected, "{state:?}");
    }
}
