//! Which messages a change causes, for whom, and when.

use std::collections::HashSet;

use proptest::prelude::*;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Change, Incident, IncidentEvent, Severity, Validate};
use watchkeeper_notify::{RouteConfig, Routes, TargetConfig, plan, plan_test};

use crate::fixture::{OPENED_MS, change, filesystem, incident, routes_to};

fn target(channel: &str, recipients: &[&str]) -> TargetConfig {
    TargetConfig {
        channel: channel.to_owned(),
        recipients: recipients.iter().map(|&recipient| recipient.to_owned()).collect(),
    }
}

fn route(matcher: &str, recipient: &str, go_on: bool) -> RouteConfig {
    let matcher = Some(matcher.to_owned()).filter(|matcher| !matcher.is_empty());
    RouteConfig { matcher, to: vec![target("mail", &[recipient])], go_on, ..RouteConfig::default() }
}

fn compiled(routes: &[RouteConfig]) -> Routes {
    Routes::compile(routes, &["mail".to_owned(), "pager".to_owned()]).unwrap()
}

/// Whom an incident that opens is told to.
fn recipients(routes: &[RouteConfig], incident: &Incident) -> Vec<String> {
    let rows = plan(&[change(IncidentEvent::Opened, incident, OPENED_MS)], &compiled(routes), OPENED_MS);
    rows.into_iter().map(|row| row.recipient).collect()
}

#[test]
fn the_first_route_that_matches_wins_unless_it_goes_on() {
    let critical = incident(0);
    let warning = filesystem(0);
    let first = |go_on| vec![route("severity == \"critical\"", "a@x.org", go_on), route("", "b@x.org", false)];
    assert_eq!(recipients(&first(false), &critical), ["a@x.org"]);
    assert_eq!(recipients(&first(false), &warning), ["b@x.org"]);
    assert_eq!(recipients(&first(true), &critical), ["a@x.org", "b@x.org"]);
    assert_eq!(recipients(&[], &critical), Vec::<String>::new());
}

#[test]
fn a_matcher_asks_for_severity_rule_host_and_labels() {
    for (matcher, cpu, disk) in [
        ("severity == \"critical\"", true, false),
        ("severity != \"critical\"", false, true),
        ("rule == \"host-cpu\"", true, false),
        ("host == \"db1\"", true, true),
        ("host == \"db2\"", false, false),
        ("labels.env == \"prod\"", true, false),
        ("severity == \"critical\" || entity == \"/var/lib\"", true, true),
        ("rule in [\"filesystem-full\", \"host-memory\"]", false, true),
        ("!(rule in [\"filesystem-full\", \"host-memory\"])", true, false),
        ("entity.startsWith(\"/var\") && labels.env == \"\"", false, true),
        ("rule.contains(\"cpu\") || rule.endsWith(\"memory\")", true, false),
        ("labels.team.matches(\"^d.t\")", true, false),
        ("labels.env != \"prod\"", false, true),
        ("labels.env == \"\"", false, true),
        ("\"prod\" == labels.env", true, false),
    ] {
        let routes = [route(matcher, "a@x.org", false)];
        assert_eq!(!recipients(&routes, &incident(0)).is_empty(), cpu, "{matcher}");
        assert_eq!(!recipients(&routes, &filesystem(0)).is_empty(), disk, "{matcher}");
    }
}

#[test]
fn every_event_has_its_time() {
    let later_ms = OPENED_MS + 600_000;
    for (event, severity, at_ms, due_ms) in [
        (IncidentEvent::Opened, Severity::Critical, OPENED_MS, Some(OPENED_MS + 5_000)),
        (IncidentEvent::Opened, Severity::Warning, OPENED_MS, Some(OPENED_MS + 30_000)),
        (IncidentEvent::Opened, Severity::Info, OPENED_MS, Some(OPENED_MS + 30_000)),
        (IncidentEvent::Severity, Severity::Critical, later_ms, Some(later_ms + 5_000)),
        (IncidentEvent::Resolved, Severity::Critical, later_ms, Some(later_ms)),
        (IncidentEvent::Ended, Severity::Warning, later_ms, Some(later_ms)),
        // Over before the first message is due: never told before it.
        (IncidentEvent::Resolved, Severity::Warning, OPENED_MS + 10_000, Some(OPENED_MS + 31_000)),
        (IncidentEvent::Joined, Severity::Critical, later_ms, None),
        (IncidentEvent::Acknowledged, Severity::Critical, later_ms, None),
    ] {
        let mut incident = incident(0);
        incident.severity = severity;
        let rows = plan(&[change(event, &incident, at_ms)], &routes_to(&["a@x.org"]), at_ms);
        assert_eq!(rows.first().map(|row| row.due_ms), due_ms, "{event:?} {severity}");
        if let Some(row) = rows.first() {
            let hours = (row.expires_ms - row.created_ms) / 3_600_000;
            assert_eq!(hours, if severity == Severity::Critical { 72 } else { 24 }, "{event:?} {severity}");
            assert_eq!((row.created_ms, row.incident, row.event), (at_ms, Some(incident.key), Some(event)));
        }
    }
}

#[test]
fn a_storm_is_one_group_whose_messages_come_in_steps() {
    let minute_ms = 60_000;
    let began_ms = OPENED_MS;
    let mut stormy = [incident(0), filesystem(1), filesystem(2)];
    for one in &mut stormy {
        one.course.storm_ms = Some(began_ms);
    }
    let routes = compiled(&[RouteConfig { group_by: vec!["incident".to_owned()], ..route("", "a@x.org", false) }]);
    let due = |index: usize, event, now_ms: i64| {
        let rows = plan(&[change(event, &stormy[index], now_ms)], &routes, now_ms);
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!(row.group_key, format!("route 0 storm={began_ms}"));
        (row.event.unwrap(), row.due_ms - began_ms)
    };
    for (index, event, later_ms, told_as, due_ms) in [
        (0, IncidentEvent::Opened, 0, IncidentEvent::Opened, 5_000),
        (1, IncidentEvent::Opened, 0, IncidentEvent::Opened, 30_000),
        (1, IncidentEvent::Storm, 0, IncidentEvent::Opened, 30_000),
        (0, IncidentEvent::Opened, 5_001, IncidentEvent::Opened, 5_000 + minute_ms),
        (1, IncidentEvent::Opened, 30_001, IncidentEvent::Opened, 30_000 + 5 * minute_ms),
        (2, IncidentEvent::Resolved, 90 * minute_ms, IncidentEvent::Resolved, 90 * minute_ms + 30_000),
        (2, IncidentEvent::Ended, 90 * minute_ms + 30_001, IncidentEvent::Ended, 95 * minute_ms + 30_000),
        // The wall clock was set.
        (0, IncidentEvent::Resolved, -3_600_000, IncidentEvent::Resolved, -3_600_000 + minute_ms),
    ] {
        assert_eq!(due(index, event, began_ms + later_ms), (told_as, due_ms), "{index} {event:?} {later_ms}");
    }
    let alone = plan(&[change(IncidentEvent::Opened, &incident(0), OPENED_MS)], &routes, OPENED_MS);
    let anew = plan(&[change(IncidentEvent::Storm, &stormy[0], OPENED_MS)], &routes, OPENED_MS);
    assert_eq!(alone[0].dedup_key, anew[0].dedup_key, "it is told once");
}

#[test]
fn five_thousand_incidents_in_ten_seconds_are_three_messages() {
    let routes = routes_to(&["a@x.org"]);
    let mut messages = HashSet::new();
    for second in 0..10 {
        let now_ms = OPENED_MS + second * 1_000;
        let opened = |number: i64| {
            let mut one = if number % 100 == 0 { incident(number) } else { filesystem(number) };
            one.course.storm_ms = Some(OPENED_MS);
            change(IncidentEvent::Opened, &one, now_ms)
        };
        let changes: Vec<_> = (second * 500..(second + 1) * 500).map(opened).collect();
        let rows = plan(&changes, &routes, now_ms);
        assert_eq!(rows.len(), 500, "each has its own row");
        messages.extend(rows.into_iter().map(|row| (row.group_key, row.due_ms)));
    }
    assert!(messages.len() <= 3, "{messages:?}");
}

#[test]
fn the_recipients_of_a_channel_are_those_of_all_routes() {
    let pager = RouteConfig { to: vec![target("pager", &["+49"])], ..RouteConfig::default() };
    let routes =
        compiled(&[route("", "a@x.org", true), pager, route("", "b@x.org", true), route("", "a@x.org", false)]);
    assert_eq!(routes.recipients("mail"), ["a@x.org", "b@x.org"]);
    assert_eq!(routes.recipients("pager"), ["+49"]);
    assert_eq!(routes.recipients("none"), Vec::<String>::new());
}

#[test]
fn a_route_can_say_how_long_a_group_waits() {
    let routes = compiled(&[RouteConfig { group_wait: Some(Span::from_secs(120)), ..route("", "a@x.org", false) }]);
    let rows = plan(&[change(IncidentEvent::Opened, &incident(0), OPENED_MS)], &routes, OPENED_MS);
    assert_eq!(rows[0].due_ms, OPENED_MS + 120_000);
}

#[test]
fn incidents_are_grouped_by_what_the_route_says() {
    let grouped = |keys: &[&str]| {
        let group_by = keys.iter().map(|&key| key.to_owned()).collect();
        let routes = compiled(&[RouteConfig { group_by, ..route("", "a@x.org", false) }]);
        let changes = [incident(0), incident(1), filesystem(2)].map(|i| change(IncidentEvent::Opened, &i, OPENED_MS));
        plan(&changes, &routes, OPENED_MS).into_iter().map(|row| row.group_key).collect::<HashSet<_>>().len()
    };
    for (keys, groups) in [
        (&["host", "cause"][..], 2),
        (&["host"], 1),
        (&[], 1),
        (&["rule"], 2),
        (&["severity"], 2),
        (&["labels.team"], 2),
        (&["incident"], 3),
    ] {
        assert_eq!(grouped(keys), groups, "{keys:?}");
    }
}

#[test]
fn no_value_can_imitate_another_group() {
    let group = |host: &str, cause: &str| {
        let incident = Incident { host: host.to_owned(), cause: cause.to_owned(), ..incident(0) };
        plan(&[change(IncidentEvent::Opened, &incident, OPENED_MS)], &routes_to(&["a@x.org"]), OPENED_MS)[0]
            .group_key
            .clone()
    };
    assert_ne!(group("a\" cause=\"b", "c"), group("a", "b\" cause=\"c"));
}

#[test]
fn a_severity_that_rises_twice_is_told_twice_and_everything_else_once() {
    let incident = incident(0);
    let key =
        |event, at_ms| plan(&[change(event, &incident, at_ms)], &routes_to(&["a@x.org"]), at_ms)[0].dedup_key.clone();
    assert_ne!(key(IncidentEvent::Severity, OPENED_MS), key(IncidentEvent::Severity, OPENED_MS + 1));
    assert_eq!(key(IncidentEvent::Opened, OPENED_MS), key(IncidentEvent::Opened, OPENED_MS + 1));
    assert_ne!(key(IncidentEvent::Opened, OPENED_MS), key(IncidentEvent::Resolved, OPENED_MS));
}

#[test]
fn a_test_message_is_due_at_once_and_never_a_duplicate() {
    let recipients = ["a@x.org".to_owned(), "b@x.org".to_owned()];
    let rows = plan_test("mail", &recipients, OPENED_MS);
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.due_ms == OPENED_MS && row.incident.is_none() && row.channel == "mail"));
    let again = plan_test("mail", &recipients, OPENED_MS + 1);
    let keys: HashSet<_> = rows.iter().chain(&again).map(|row| &row.dedup_key).collect();
    assert_eq!(keys.len(), 4);
}

#[test]
fn all_mistakes_of_routes_are_reported_with_their_keys() {
    let routes = [
        RouteConfig::default(),
        RouteConfig {
            matcher: Some("severity == \"critcal\"".to_owned()),
            to: vec![target("mial", &[]), target("sms", &["+49"]), target("", &["a", "a", " "])],
            group_by: vec!["host".to_owned(), "colour".to_owned(), "labels.".to_owned()],
            group_wait: Some(Span::from_secs(7_200)),
            go_on: false,
        },
    ];
    let problems = Routes::compile(&routes, &["mail".to_owned(), "pager".to_owned()]).unwrap_err();
    let said: Vec<_> = problems.iter().map(|problem| (problem.key_path.as_str(), problem.message.as_str())).collect();
    assert_eq!(said[0], ("0.to", "a route without `to` tells nobody"));
    let keys: Vec<_> = said[1..].iter().map(|(key, _)| *key).collect();
    assert_eq!(
        keys,
        [
            "1.match",
            "1.to.0.recipients",
            "1.to.2.channel",
            "1.to.2.recipients.1",
            "1.to.2.recipients.2",
            "1.group_by.1",
            "1.group_by.2",
            "1.group_wait",
            "1.to.0.channel",
            "1.to.1.channel"
        ]
    );
    assert!(problems[1].within.is_some(), "{problems:?}");
    let help = |key: &str| problems.iter().find(|p| p.key_path == key).and_then(|p| p.help.clone()).unwrap();
    assert_eq!(help("1.to.0.channel"), "did you mean `mail`?");
    assert_eq!(help("1.to.1.channel"), "the channels are mail, pager; or add a table [smtp.sms]");
    assert!(help("1.match").contains("critical"), "{}", help("1.match"));
}

#[test]
fn a_condition_on_something_else_than_an_incident_is_a_mistake() {
    for matcher in
        ["serverity == \"critical\"", "severity = \"critical\"", "system.cpu.utilization > \"90%\"", "host", ""]
    {
        let config = RouteConfig { matcher: Some(matcher.to_owned()), ..route("", "a@x.org", false) };
        assert!(config.validate().iter().any(|problem| problem.key_path == "match"), "{matcher}");
    }
}

proptest! {
    #[test]
    fn a_plan_has_one_row_for_each_event_channel_and_recipient(
        incidents in 0_i64..6,
        mails in 1_usize..4,
        pagers in 0_usize..3,
        now_ms in 0_i64..4_000_000_000_000,
    ) {
        let names = |count: usize| (0..count).map(|n| format!("r{n}@x.org")).collect::<Vec<_>>();
        let mut to = vec![TargetConfig { channel: "mail".to_owned(), recipients: names(mails) }];
        if pagers > 0 {
            to.push(TargetConfig { channel: "pager".to_owned(), recipients: names(pagers) });
        }
        let config = RouteConfig { to, go_on: true, ..RouteConfig::default() };
        // The same people again: nobody is told twice.
        let routes = compiled(&[config.clone(), config]);
        let events = [IncidentEvent::Opened, IncidentEvent::Joined, IncidentEvent::Resolved];
        let changes: Vec<Change> = (0..incidents)
            .map(incident)
            .flat_map(|incident| events.map(|event| change(event, &incident, now_ms)))
            .collect();
        let rows = plan(&changes, &routes, now_ms);
        prop_assert_eq!(rows.len(), incidents as usize * 2 * (mails + pagers));
        let keys: HashSet<_> = rows.iter().map(|row| &row.dedup_key).collect();
        prop_assert_eq!(keys.len(), rows.len());
        for row in &rows {
            prop_assert!(row.created_ms == now_ms && row.due_ms >= now_ms && row.due_ms <= now_ms + 31_000);
            prop_assert!(row.expires_ms > row.due_ms);
        }
        for opened in rows.iter().filter(|row| row.event == Some(IncidentEvent::Opened)) {
            let closed = rows.iter().find(|row| {
                row.event == Some(IncidentEvent::Resolved)
                    && (row.incident, &row.channel, &row.recipient) == (opened.incident, &opened.channel, &opened.recipient)
            });
            prop_assert_eq!(closed.map(|row| &row.group_key), Some(&opened.group_key));
        }
    }
}
