//! What messages say: golden files of subject, text and HTML, and everything foreign made harmless.

use proptest::prelude::*;
use watchkeeper_core::evidence::Trend;
use watchkeeper_core::incident::{About, Flapping, Joined};
use watchkeeper_core::outbox::Due;
use watchkeeper_core::{Entity, Fingerprint, IncidentEvent, Severity, Unit};
use watchkeeper_notify::{Message, plan_test, render};

use crate::fixture::{OPENED_MS, due, filesystem, incident, origin, told, told_at};

fn words(rows: &[Due], now_ms: i64) -> Message {
    render(rows, &origin(), now_ms)
}

/// Subject and text in one file, the page in another.
fn golden(name: &str, message: &Message) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("{name}.txt"), format!("Subject: {}\n\n{}", message.subject, message.text));
        insta::assert_snapshot!(format!("{name}.html"), message.html);
    });
}

#[test]
fn an_opened_incident_names_the_culprit_and_all_that_is_known() {
    let message = words(&told(&[(IncidentEvent::Opened, &incident(0))]), OPENED_MS + 5_000);
    assert_eq!(
        message.subject,
        "[CRITICAL] db1: CPU above 90 % for 5 minutes: yes (pid 4711) takes 49.8 % of this machine's CPU"
    );
    golden("opened", &message);
}

#[test]
fn a_message_about_little_says_what_is_not_known() {
    let message = words(&told(&[(IncidentEvent::Opened, &filesystem(0))]), OPENED_MS + 30_000);
    golden("filesystem", &message);
}

#[test]
fn a_message_about_a_rise_says_when_it_will_be_full() {
    let mut leak = incident(0);
    leak.evidence.trend = Some(Trend {
        metric: "process.memory.usage".to_owned(),
        unit: Unit::Bytes,
        per_second: 60_000.0,
        rise: 1_296_000_000.0,
        r2: 0.98,
        p: 1e-9,
        window_ms: 21_600_000,
        limit: Some(8e9),
        full_ms: Some(leak.evidence.fired_ms + 32_400_000),
    });
    let message = words(&told(&[(IncidentEvent::Opened, &leak)]), OPENED_MS + 5_000);
    let said =
        "rose by 1.2 GiB in 6 h 0 m, 206.0 MiB/h (r2 0.98); the machine's memory will be full in about 9 h 0 m, at";
    let text = message.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&format!("Trend {said}")), "{text}");
    assert!(message.html.contains("will be full in about 9 h 0 m"), "{}", message.html);
}

#[test]
fn an_incident_that_is_over_says_for_how_long_it_was() {
    let mut over = incident(0);
    over.closed_ms = Some(over.opened_ms + 2_280_000);
    let message = words(&told_at(OPENED_MS + 2_280_000, &[(IncidentEvent::Resolved, &over)]), OPENED_MS + 2_280_000);
    assert_eq!(message.subject, "[RESOLVED] db1: CPU above 90 % for 5 minutes: over after 38 m");
    golden("resolved", &message);
}

#[test]
fn what_opened_and_closed_while_unsent_is_told_as_one_story() {
    let mut over = incident(0);
    over.closed_ms = Some(over.opened_ms + 2_280_000);
    let rows = told(&[(IncidentEvent::Opened, &over), (IncidentEvent::Ended, &over)]);
    let message = words(&rows, OPENED_MS + 10_800_000);
    assert_eq!(message.subject, "[ENDED] [delayed 3 h] db1: CPU above 90 % for 5 minutes: fired 03:02, ended 03:40");
    assert!(message.text.starts_with("This message is 3 h late"), "{}", message.text);
    assert!(message.html.contains("3 h late."), "{}", message.html);
}

#[test]
fn a_late_message_about_the_opening_knows_that_it_is_over() {
    let mut over = incident(0);
    over.closed_ms = Some(over.opened_ms + 2_280_000);
    let message = words(&told(&[(IncidentEvent::Opened, &over)]), OPENED_MS + 3_000_000);
    assert!(message.subject.starts_with("[CRITICAL] [delayed 50 m] "), "{}", message.subject);
    assert!(message.text.replace("\n            ", " ").contains("Over since 2026-11-20 03:40:00, after 38 m."));
}

#[test]
fn a_title_that_ends_with_the_culprit_does_not_name_it_twice() {
    let mut own = incident(0);
    own.title = "Process uses much CPU: yes (pid 4711)".to_owned();
    let message = words(&told(&[(IncidentEvent::Opened, &own)]), OPENED_MS);
    let expected = "[CRITICAL] db1: Process uses much CPU: yes (pid 4711) takes 49.8 % of this machine's CPU";
    assert_eq!(message.subject, expected);
    own.evidence.top.clear();
    let message = words(&told(&[(IncidentEvent::Opened, &own)]), OPENED_MS);
    assert_eq!(message.subject, "[CRITICAL] db1: Process uses much CPU: yes (pid 4711)");
}

#[test]
fn a_severity_that_rose_is_the_news() {
    let message = words(&told(&[(IncidentEvent::Severity, &incident(0))]), OPENED_MS);
    assert!(message.subject.contains(": now critical, yes (pid 4711)"), "{}", message.subject);
}

#[test]
fn several_incidents_are_one_message_with_the_gravest_first() {
    let mut over = incident(9);
    over.closed_ms = Some(over.opened_ms + 60_000);
    let mut mild = filesystem(8);
    mild.severity = Severity::Info;
    let others: Vec<_> = (2..6).map(filesystem).collect();
    let mut events = vec![(IncidentEvent::Resolved, &over), (IncidentEvent::Opened, &mild)];
    events.extend(others.iter().map(|incident| (IncidentEvent::Opened, incident)));
    let gravest = incident(1);
    events.push((IncidentEvent::Opened, &gravest));
    let message = words(&told(&events), OPENED_MS + 10_000);
    assert!(message.subject.starts_with("[CRITICAL] db1: CPU above 90 %"), "{}", message.subject);
    assert!(message.subject.ends_with("(+6 more)"), "{}", message.subject);
    golden("several", &message);
}

#[test]
fn a_flood_of_incidents_stays_one_readable_message() {
    let many: Vec<_> = (0..300).map(incident).collect();
    let events: Vec<_> = many.iter().map(|incident| (IncidentEvent::Opened, incident)).collect();
    let message = words(&told(&events), OPENED_MS);
    assert_eq!(
        message.subject,
        "[CRITICAL] db1: 300 incidents since 03:02:00, first of them: CPU above 90 % for 5 minutes"
    );
    assert!(message.text.contains("\nand 260 more\n"), "{}", message.text);
    assert!(message.html.len() < 100_000, "{} bytes", message.html.len());
}

#[test]
fn a_storm_is_a_table_with_the_gravest_first_and_what_is_over_last() {
    let mut many: Vec<_> = (0..25).map(filesystem).collect();
    many[3].times = 37;
    many[4].title = "Filesystem\u{1b}[31m <b>almost</b> full: /srv".to_owned();
    many.push(incident(30));
    let mut over = filesystem(31);
    over.closed_ms = Some(over.opened_ms + 60_000);
    let mut events: Vec<_> = vec![(IncidentEvent::Opened, &over), (IncidentEvent::Resolved, &over)];
    events.extend(many.iter().map(|incident| (IncidentEvent::Opened, incident)));
    let message = words(&told(&events), OPENED_MS + 30_000);
    golden("storm", &message);
    let ends: Vec<_> = many.iter().map(|incident| (IncidentEvent::Resolved, incident)).collect();
    let message = words(&told_at(OPENED_MS + 600_000, &ends), OPENED_MS + 600_000);
    assert_eq!(message.subject, "[RESOLVED] db1: 26 incidents since 03:02:00 are over");
}

#[test]
fn an_incident_of_several_alerts_says_what_else_belongs_to_it() {
    let mut grouped = incident(0);
    let joined = |rule: &str, title: &str| Joined {
        at_ms: OPENED_MS + 2_000,
        rule: rule.to_owned(),
        severity: Severity::Warning,
        title: title.to_owned(),
        fingerprint: Fingerprint(7),
    };
    grouped.joined = vec![
        joined("process-cpu", "Process uses much CPU: yes (pid 4711)"),
        joined("host-load", "Load above the CPUs"),
    ];
    let about = |rule: &str| About { rule: rule.to_owned(), entity: Entity::Host };
    grouped.course.about = ["host-cpu", "process-cpu", "host-load"].map(about).into();
    grouped.evidence.summary =
        Some("The CPUs have had no rest for minutes: everything on this machine is slow.".into());
    grouped.evidence.runbook = Some("https://wiki.example.com/cpu".to_owned());
    let message = words(&told(&[(IncidentEvent::Opened, &grouped)]), OPENED_MS + 5_000);
    assert!(message.subject.ends_with(" (2 more alerts)"), "{}", message.subject);
    golden("grouped", &message);
}

#[test]
fn a_crash_loop_says_how_often_and_what_flaps_how_often_lately() {
    let mut looping = incident(0);
    looping.title = "Process uses much CPU: yes (pid 4711)".to_owned();
    looping.times = 37;
    looping.closed_ms = Some(OPENED_MS + 3_600_000);
    let message = words(&told_at(OPENED_MS + 3_900_000, &[(IncidentEvent::Ended, &looping)]), OPENED_MS + 3_900_000);
    assert_eq!(message.subject, "[ENDED] db1: Process uses much CPU: yes (pid 4711) (37 times): over after 1 h 0 m");
    golden("crash_loop", &message);

    let mut flapping = incident(0);
    flapping.title.insert_str(0, "flapping: ");
    flapping.times = 54;
    flapping.course.flapping = Some(Flapping {
        alerts: vec![Fingerprint(1)],
        from_ms: OPENED_MS,
        told_ms: OPENED_MS + 3_600_000,
        lately: 31,
        told_times: 54,
        summaries: 1,
    });
    let message =
        words(&told_at(OPENED_MS + 3_600_000, &[(IncidentEvent::Flapping, &flapping)]), OPENED_MS + 3_600_000);
    assert_eq!(
        message.subject,
        "[CRITICAL] db1: flapping: CPU above 90 % for 5 minutes: came 31 times within 1 h 0 m, 54 times in all"
    );
}

#[test]
fn a_test_message_says_that_it_is_one() {
    let rows = due(plan_test("mail", &["ops@example.com".to_owned()], OPENED_MS), &[]);
    let message = words(&rows, OPENED_MS);
    assert_eq!(message.subject, "[TEST] db1: Watchkeeper can reach you through mail");
    golden("test", &message);
}

#[test]
fn a_message_that_is_not_on_disk_says_so() {
    let mut rows = told(&[(IncidentEvent::Opened, &incident(0))]);
    rows[0].memory_only = Some("no space left on device".to_owned());
    let mut unnumbered = incident(0);
    unnumbered.ticket = Some(-3);
    rows[0].incident = Some(Box::new(unnumbered));
    let message = words(&rows, OPENED_MS);
    for part in [&message.text.replace('\n', " "), &message.html] {
        assert!(part.contains("held in memory") && part.contains("no space left on device"), "{part}");
        assert!(part.contains("no number yet") && part.contains("watchkeeper incidents list"), "{part}");
        assert!(!part.contains("#-3") && !part.contains("show -3"), "{part}");
    }
}

#[test]
fn nothing_is_said_to_be_late_that_only_waited_for_its_group() {
    let mut rows = told(&[(IncidentEvent::Opened, &incident(0))]);
    rows[0].row.due_ms = OPENED_MS + 600_000;
    let message = words(&rows, OPENED_MS + 899_999);
    assert!(!message.subject.contains("delayed") && !message.text.contains("late"), "{}", message.text);
    let message = words(&rows, OPENED_MS + 900_000);
    assert!(message.subject.contains("[delayed 15 m]"), "{}", message.subject);
    // A row that was tried is due at its next attempt; it is late from its beginning.
    rows[0].attempts = 4;
    let message = words(&rows, OPENED_MS + 600_000);
    assert!(message.subject.contains("[delayed 10 m]"), "{}", message.subject);
}

#[test]
fn a_process_cannot_write_into_the_message_with_its_name() {
    let mut evil = incident(0);
    evil.title = "full\r\nBcc: victim@example.com".to_owned();
    evil.host = "db1\u{202e}\r\n".to_owned();
    evil.evidence.top[0].program = "<script>alert(1)</script>\r\nX-Evil: 1".to_owned();
    evil.evidence.top[0].command = Some("\u{1b}[31m<img src=x onerror=y> \"q\" 'a'".to_owned());
    evil.evidence.top[0].user = Some("<b>root</b>".to_owned());
    evil.evidence.lineage = vec!["</td><h1>".to_owned()];
    let message = words(&told(&[(IncidentEvent::Opened, &evil)]), OPENED_MS);
    assert!(!message.subject.contains(['\r', '\n']), "{:?}", message.subject);
    assert!(!message.text.contains(['\r', '\u{1b}', '\u{202e}']), "{:?}", message.text);
    assert!(!message.text.contains("\nBcc:") && !message.text.contains("\nX-Evil:"), "{}", message.text);
    for markup in ["<script", "<img", "<b>", "<h1>", "\u{1b}", "\u{202e}"] {
        assert!(!message.html.contains(markup), "{markup}");
    }
    assert!(message.html.contains("&lt;script&gt;"), "{}", message.html);
}

#[test]
fn a_zone_that_nobody_knows_is_utc() {
    let mut elsewhere = incident(0);
    elsewhere.evidence.time_zone = "Middle/Earth".to_owned();
    let message = words(&told(&[(IncidentEvent::Opened, &elsewhere)]), OPENED_MS);
    assert!(message.text.contains("Since 2026-11-20 01:57:00 (UTC)"), "{}", message.text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_foreign_text_gives_a_safe_message_of_78_columns(
        foreign in "[\\PC\\r\\n\\t\u{1b}\u{202e}<>&\"']{0,300}",
        value in proptest::num::f64::ANY,
    ) {
        let mut strange = incident(0);
        strange.title.clone_from(&foreign);
        strange.host.clone_from(&foreign);
        strange.evidence.value = value;
        strange.evidence.rule.clone_from(&foreign);
        strange.evidence.condition.clone_from(&foreign);
        strange.evidence.top[0].program.clone_from(&foreign);
        strange.evidence.top[0].command = Some(foreign.clone());
        strange.evidence.changes[0].program.clone_from(&foreign);
        strange.labels.insert(foreign.clone(), foreign.clone());
        let message = words(&told(&[(IncidentEvent::Opened, &strange)]), OPENED_MS);
        prop_assert!(!message.subject.chars().any(char::is_control));
        prop_assert!(!message.text.chars().any(|c| c.is_control() && c != '\n'));
        prop_assert!(!message.html.chars().any(|c| c.is_control() && c != '\n'));
        for line in message.text.lines() {
            prop_assert!(textwrap::core::display_width(line) <= 78, "{line}");
        }
    }
}

#[test]
fn a_condition_on_words_is_shown_as_it_is_written_and_nobody_is_said_to_take_nothing() {
    let mut stuck = incident(0);
    stuck.evidence.unit = Unit::Text;
    stuck.evidence.value = 1.0;
    stuck.evidence.threshold = None;
    stuck.evidence.condition = "process.state in [\"D\", \"Z\"]".to_owned();
    stuck.evidence.top[0].amount.share = Some(0.0);
    stuck.evidence.lineage = vec!["yes x9".to_owned()];
    let message = words(&told(&[(IncidentEvent::Opened, &stuck)]), OPENED_MS);
    assert_eq!(message.subject, "[CRITICAL] db1: CPU above 90 % for 5 minutes");
    let text = message.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("Value process.state in [\"D\", \"Z\"]"), "{text}");
    assert!(!text.contains("Started by"), "nobody but itself: {text}");
}
