//! What people and programs read, look by look.

use super::*;
use crate::command::detect::culprit::{RankedBy, Taker};

fn taker(program: &str, pid: u32, cpu_percent: f64) -> Taker {
    Taker {
        pid,
        program: program.to_owned(),
        name: program.to_owned(),
        cpu_percent: Some(cpu_percent),
        resident_bytes: Some(1 << 20),
        memory_percent: Some(0.5),
        read_bytes_per_second: None,
        written_bytes_per_second: Some(0.0),
    }
}

fn reason(feature: &str, value: f64, usual: (f64, f64), share: f64) -> Reason {
    Reason { feature: feature.to_owned(), value, usual_low: usual.0, usual_high: usual.1, share }
}

fn look(cpu: Option<f64>, memory: Option<f64>, score: Option<f64>) -> Judgement {
    let reasons = vec![
        reason("CPU Usage (%)", cpu.unwrap_or(0.0), (3.1, 12.0), 0.83),
        reason("Memory Usage (%)", memory.unwrap_or(0.0), (40.0, 40.3), 0.13),
        reason("Load (1 min)", 1.234, (0.1, 0.2), 0.04),
    ];
    Judgement {
        ts_ms: 1_795_143_845_000,
        interval_ms: 5_000,
        cpu_percent: cpu,
        memory_percent: memory,
        features: vec![("CPU Usage (%)", cpu), ("Memory Usage (%)", memory)],
        verdict: score.map(|score| Verdict { score, threshold: 0.5, is_anomaly: score > 0.5, reasons }),
        ranked_by: RankedBy::Cpu,
        processes: vec![taker("burn\u{1b}[2J", 4711, 49.8), taker("postgres", 12, 3.25)],
    }
}

fn screen(colour: bool) -> Screen {
    Screen { zone: TimeZone::UTC, colour }
}

#[test]
fn the_line_is_that_of_the_script_with_the_score_behind_it() {
    for (look, expected) in [
        (
            look(Some(12.5), Some(40.1), Some(0.424)),
            "[2026-11-20 03:04:05] | CPU: 12.5% | Memory: 40.1% | Status: Normal | Score: 0.42\n",
        ),
        (
            look(Some(0.04), Some(100.0), Some(0.5)),
            "[2026-11-20 03:04:05] | CPU: 0.0% | Memory: 100.0% | Status: Normal | Score: 0.50\n",
        ),
        (
            look(None, Some(40.1), None),
            "[2026-11-20 03:04:05] | CPU: unknown | Memory: 40.1% | Status: unknown (CPU Usage (%) could not be read)\n",
        ),
        (
            look(None, None, None),
            "[2026-11-20 03:04:05] | CPU: unknown | Memory: unknown | Status: unknown (CPU Usage (%), Memory Usage (%) could \
             not be read)\n",
        ),
    ] {
        assert_eq!(screen(false).judgement(&look), expected);
    }
}

#[test]
fn an_anomaly_says_what_drives_it_and_who() {
    let text = screen(false).judgement(&look(Some(97.5), Some(40.1), Some(0.712)));
    insta::assert_snapshot!(text, @r"
    [2026-11-20 03:04:05] | CPU: 97.5% | Memory: 40.1% | Status: ANOMALY DETECTED | Score: 0.71
        threshold 0.50
        CPU Usage (%) 97.5, usual 3.1 to 12.0, 83 % of it
        Memory Usage (%) 40.1, usual 40.0 to 40.3, 13 % of it
        burn\u{1b}[2J (pid 4711) takes 49.8 % of this machine's CPU
        postgres (pid 12) takes 3.2 % of this machine's CPU
    ");
    let close = screen(false).judgement(&look(Some(97.5), Some(40.1), Some(0.5004)));
    assert!(close.contains("| Score: 0.5004\n    threshold 0.5000\n"), "{close}");
    let painted = screen(true).judgement(&look(Some(97.5), Some(40.1), Some(0.712)));
    assert!(painted.contains("| Status: \u{1b}[1;31mANOMALY DETECTED\u{1b}[0m | Score: 0.71\n"), "{painted}");
    assert!(screen(true).judgement(&look(None, None, None)).contains("\u{1b}[33munknown\u{1b}[0m"));
    assert!(!screen(true).judgement(&look(Some(1.0), Some(1.0), Some(0.1))).contains('\u{1b}'));
}

#[test]
fn nobody_is_the_culprit_of_too_little() {
    let busy = look(Some(97.5), Some(40.1), Some(0.7));
    assert_eq!(busy.culprit().map(|taker| taker.pid), Some(4711));
    assert_eq!(look(Some(0.1), Some(40.1), Some(0.7)).culprit(), None, "less CPU than usual");
    assert_eq!(look(Some(97.5), Some(40.1), Some(0.4)).culprit(), None, "no anomaly");
    assert_eq!(look(None, Some(40.1), None).culprit(), None, "not judged");
}

#[test]
fn the_end_counts_and_names_the_strangest_moment() {
    let mut tally = Tally::default();
    let closing = |tally: &Tally| screen(false).closing(tally);
    assert_eq!(closing(&tally), "nothing was judged: the first interval was not over\n");
    tally.add(&look(None, None, None));
    assert_eq!(closing(&tally), "1 look: no anomaly, 1 not judged\n");
    tally.add(&look(Some(97.5), Some(40.1), Some(0.81)));
    tally.add(&look(Some(20.0), Some(40.1), Some(0.6)));
    assert_eq!(
        closing(&tally),
        "3 looks: 2 anomalies, 1 not judged; strangest at 2026-11-20 03:04:05 with score 0.81: \
         CPU Usage (%) 97.5\n"
    );
}

#[test]
fn programs_read_the_same() {
    let value = json(&look(Some(97.5), Some(40.1), Some(0.712)), &TimeZone::UTC);
    for (pointer, expected) in [
        ("/ts_ms", json!(1_795_143_845_000_i64)),
        ("/time", json!("2026-11-20 03:04:05")),
        ("/status", json!("anomaly")),
        ("/cpu_percent", json!(97.5)),
        ("/score", json!(0.712)),
        ("/threshold", json!(0.5)),
        ("/features/Memory Usage (%)", json!(40.1)),
        ("/reasons/0/feature", json!("CPU Usage (%)")),
        ("/reasons/0/usual_high", json!(12.0)),
        ("/reasons/2/share", json!(0.04)),
        ("/culprit/pid", json!(4711)),
        ("/ranked_by", json!("cpu")),
        ("/processes/1/program", json!("postgres")),
        ("/processes/1/read_bytes_per_second", json!(null)),
    ] {
        assert_eq!(value.pointer(pointer), Some(&expected), "{pointer}");
    }
    let unknown = json(&look(None, Some(40.1), None), &TimeZone::UTC);
    for (pointer, expected) in [
        ("/status", json!("unknown")),
        ("/cpu_percent", json!(null)),
        ("/score", json!(null)),
        ("/reasons", json!(null)),
        ("/features/CPU Usage (%)", json!(null)),
        ("/culprit", json!(null)),
    ] {
        assert_eq!(unknown.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert_eq!(json(&look(Some(1.0), Some(2.0), Some(0.1)), &TimeZone::UTC)["status"], "normal");
}
