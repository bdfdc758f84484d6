//! What is not as it should be.

use watchkeeper_core::text::duration;

use super::{Level, Report, Trouble};

/// The shortest time without a tick that is called a standstill, milliseconds.
const SHORTEST_STANDSTILL_MS: i64 = 10_000;

/// Looks at everything and names what is not as it should be, gravest first.
pub fn troubles(report: &Report) -> Vec<Trouble> {
    let mut found = Vec::new();
    let mut say = |level, text: String| found.push(Trouble { level, text });
    standstills(report, &mut say);
    for (what, error) in [
        ("the machine cannot be read", &report.reader.error),
        ("the log is not written", &report.recorder.error),
        ("alerts are not kept", &report.analyst.error),
        ("alerts are only held in memory", &report.analyst.memory_only),
    ] {
        if let Some(error) = error {
            say(Level::Critical, format!("{what}: {error}"));
        }
    }
    if let Some(error) = &report.config_error {
        let text =
            format!("the configuration on disk is not the one in force: {error}; `watchkeeper config check` shows all");
        say(Level::Warning, text);
    }
    // Where nothing else is logged, the files are the log.
    let level = if report.recorder.is_off { Level::Critical } else { Level::Warning };
    for sink in &report.sinks {
        if let Some(error) = &sink.error {
            say(level, error.clone());
        }
        if sink.lost_rows > 0 {
            say(level, format!("rows of {} lost since the start: {}", sink.path, sink.lost_rows));
        }
        if sink.dropped > 0 {
            say(level, format!("ticks lost in front of {} since the start: {}", sink.path, sink.dropped));
        }
    }
    if let Some(recording) = &report.recording {
        if let Some(error) = &recording.error {
            say(Level::Warning, error.clone());
        }
        if recording.lost > 0 {
            say(Level::Warning, format!("ticks that are not in the recording {}: {}", recording.path, recording.lost));
        }
    }
    if report.analyst.lost > 0 {
        let text = format!(
            "changes of alerts that could not be kept: {}; the messages of the watch say why",
            report.analyst.lost
        );
        say(Level::Critical, text);
    }
    match &report.outbox {
        None => say(Level::Critical, format!("the store in {} does not answer", report.state_folder)),
        Some(outbox) if outbox.dead > 0 => {
            let text = format!("messages that reached nobody: {}; `watchkeeper incidents show` says why", outbox.dead);
            say(Level::Warning, text);
        }
        Some(_) => {}
    }
    for (name, channel) in &report.channels {
        if let (Some(since_ms), Some(error)) = (channel.failing_since_ms, &channel.last_error) {
            let since = duration(report.now_ms - since_ms);
            say(Level::Warning, format!("channel {name} has failed for {since}: {error}"));
        }
    }
    for (place, dropped) in [("log", report.recorder.dropped), ("rules", report.analyst.dropped)] {
        if dropped > 0 {
            say(Level::Warning, format!("ticks lost in front of the {place} since the start: {dropped}"));
        }
    }
    let reader = &report.reader;
    let looks = reader.ticks + reader.late;
    if reader.late > looks / 100 {
        say(Level::Warning, format!("{} of {looks} looks came too late and were left out", reader.late));
    }
    for notice in &report.recorder.notices {
        say(Level::Warning, notice.clone());
    }
    found.sort_by_key(|trouble| std::cmp::Reverse(trouble.level));
    found
}

/// Stages that do nothing any more. Who waits for a tick that nobody took is not to blame.
fn standstills(report: &Report, say: &mut impl FnMut(Level, String)) {
    let patience_ms = (3 * report.interval_ms).max(SHORTEST_STANDSTILL_MS);
    let started_mono_ms = report.now_mono_ms - report.running_ms;
    let last_look_ms = report.reader.last_tick_mono_ms.unwrap_or(started_mono_ms);
    for (nothing_done, last_ms, newest_ms) in [
        ("nobody has looked at the machine", report.reader.last_tick_mono_ms, report.now_mono_ms),
        ("nothing was taken for the log", report.recorder.last_tick_mono_ms, last_look_ms),
        ("no rule was evaluated", report.analyst.last_tick_mono_ms, last_look_ms),
    ] {
        let last_ms = last_ms.unwrap_or(started_mono_ms);
        if newest_ms - last_ms > patience_ms {
            say(Level::Critical, format!("{nothing_done} for {}", duration(report.now_mono_ms - last_ms)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{ChannelReport, OutboxReport, RecordingReport, SinkReport, sample_report};

    fn said(change: impl FnOnce(&mut Report)) -> Vec<String> {
        let mut report = sample_report();
        change(&mut report);
        troubles(&report).iter().map(|trouble| format!("{}: {}", trouble.level.word(), trouble.text)).collect()
    }

    #[test]
    fn a_watch_that_works_has_no_troubles() {
        assert_eq!(said(|_| ()), [""; 0]);
        let waits = said(|report| {
            report.reader.last_tick_mono_ms = None;
            report.analyst.last_tick_mono_ms = None;
            report.recorder.last_tick_mono_ms = None;
            report.running_ms = 900;
        });
        assert_eq!(waits, [""; 0], "it has only just begun");
        assert_eq!(said(|report| report.now_ms += 3_600_000), [""; 0], "the wall clock was set");
    }

    #[test]
    fn a_stage_that_stands_still_is_critical_and_named() {
        for (name, change, text) in [
            (
                "reader",
                (|report| report.now_mono_ms += 59_500) as fn(&mut Report),
                "critical: nobody has looked at the machine for 1 m",
            ),
            (
                "recorder",
                |report| report.recorder.last_tick_mono_ms = Some(460_000),
                "critical: nothing was taken for the log for 40 s",
            ),
            ("analyst", |report| report.analyst.last_tick_mono_ms = None, "critical: no rule was evaluated for 5 m"),
        ] {
            assert_eq!(said(change), [text], "{name}");
        }
    }

    #[test]
    fn every_trouble_is_said_gravest_first() {
        let found = said(|report| {
            report.reader.error = Some("no /proc".to_owned());
            report.reader.late = 30;
            report.recorder.error = Some("no space".to_owned());
            report.recorder.dropped = 2;
            report.recorder.notices = vec!["a day was set aside".to_owned()];
            report.analyst.error = Some("out of memory".to_owned());
            report.analyst.memory_only = Some("disk full".to_owned());
            report.analyst.dropped = 1;
            report.analyst.lost = 3;
            let failing = ChannelReport {
                failing_since_ms: Some(report.now_ms - 65_000),
                last_error: Some("connection refused".to_owned()),
                ..ChannelReport::default()
            };
            report.channels.insert("mail".to_owned(), failing);
            report.outbox = Some(OutboxReport { dead: 4, ..OutboxReport::default() });
        });
        insta::assert_snapshot!(found.join("\n"), @r"
        critical: the machine cannot be read: no /proc
        critical: the log is not written: no space
        critical: alerts are not kept: out of memory
        critical: alerts are only held in memory: disk full
        critical: changes of alerts that could not be kept: 3; the messages of the watch say why
        warning: messages that reached nobody: 4; `watchkeeper incidents show` says why
        warning: channel mail has failed for 1 m 5 s: connection refused
        warning: ticks lost in front of the log since the start: 2
        warning: ticks lost in front of the rules since the start: 1
        warning: 30 of 330 looks came too late and were left out
        warning: a day was set aside
        ");
    }

    #[test]
    fn a_file_that_is_not_written_is_critical_only_where_it_is_the_log() {
        for (is_off, level) in [(false, "warning"), (true, "critical")] {
            let found = said(|report| {
                report.recorder.is_off = is_off;
                let error = Some("no space left for the log in /a.csv; 3 ticks wait in memory".to_owned());
                let path = "/a.csv".to_owned();
                report.sinks = vec![SinkReport { path, lost_rows: 7, dropped: 2, error, ..SinkReport::default() }];
            });
            let expected = [
                "no space left for the log in /a.csv; 3 ticks wait in memory",
                "rows of /a.csv lost since the start: 7",
                "ticks lost in front of /a.csv since the start: 2",
            ];
            assert_eq!(found, expected.map(|text| format!("{level}: {text}")));
        }
        assert_eq!(said(|report| report.recorder.is_off = true), [""; 0], "nobody wants a log");
    }

    #[test]
    fn a_configuration_that_was_not_taken_is_a_warning() {
        let found = said(|report| report.config_error = Some("no `[` (/a.toml:3:1), and 2 more".to_owned()));
        let expected = "warning: the configuration on disk is not the one in force: no `[` (/a.toml:3:1), and 2 more; \
                        `watchkeeper config check` shows all";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_recording_that_is_not_whole_is_a_warning() {
        let found = said(|report| {
            let error = Some("no space is left for the recording /a.zst".to_owned());
            report.recording =
                Some(RecordingReport { path: "/a.zst".to_owned(), lost: 5, error, ..Default::default() });
        });
        let expected = [
            "warning: no space is left for the recording /a.zst",
            "warning: ticks that are not in the recording /a.zst: 5",
        ];
        assert_eq!(found, expected);
        assert_eq!(said(|report| report.recording = Some(RecordingReport::default())), [""; 0]);
    }

    #[test]
    fn a_store_that_does_not_answer_is_critical() {
        assert_eq!(said(|report| report.outbox = None), ["critical: the store in /state does not answer"]);
    }
}
