//! Every sentence about silences.

use clap::Parser;

use super::*;

/// 2026-11-20 16:30:00 UTC.
const NOW_MS: i64 = 1_795_192_200_000;

#[derive(Debug, Parser)]
struct Call {
    #[command(flatten)]
    args: SilenceArgs,
}

fn asked(arguments: &[&str]) -> Result<NewSilence, String> {
    let call = Call::try_parse_from([&["silence"], arguments].concat()).map_err(|error| error.to_string())?;
    request(&call.args, NOW_MS, &TimeZone::UTC)
}

#[test]
fn options_become_one_condition() {
    for (arguments, expected) in [
        (&["--rule", "host-cpu"][..], r#"rule == "host-cpu""#),
        (&["--entity", r#"C:\"x""#], r#"entity == "C:\\\"x\"""#),
        (
            &["--severity", "warning", "--host", "db1", "--label", "env=test", "--label", "team=a=b"],
            r#"host == "db1" && severity == "warning" && labels.env == "test" && labels.team == "a=b""#,
        ),
        (&["--rule", "x", "--match", "host != 'db2'"], r#"rule == "x" && (host != 'db2')"#),
    ] {
        let silence = asked(&[arguments, &["--for", "2h", "--comment", "why"]].concat()).unwrap();
        assert_eq!((silence.matcher.as_str(), silence.ends_ms), (expected, NOW_MS + 7_200_000));
        assert!(Matcher::parse(&silence.matcher).is_ok());
    }
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let rest = ["--for", "2h", "--comment", "why"];
    for (arguments, sentence) in [
        (&[][..], "which incidents? name them with --rule, --host, --entity, --severity, --label or --match; "),
        (&["--rule", "x"], "until when? name a length such as --for 2h, or a time such as --until 09:00"),
        (&["--rule", "x", "--for", "2h"], "why? say it with --comment, for those who miss the messages"),
        (&["--rule", "x", "--for", "soon"], "--for: `soon` is not a time; "),
        (&["--rule", "x", "--until", "2020-01-01"], "--until: `2020-01-01` is 2020-01-01 00:00:00, and it is "),
        (&["--label", "env", rest[0], rest[1], rest[2], rest[3]], "--label: `env` is no label; write NAME=VALUE"),
        (&["--severity", "bad", rest[0], rest[1], rest[2], rest[3]], "`severity == \"bad\"`: "),
        (&["--match", "rul == 'x'", rest[0], rest[1], rest[2], rest[3]], "`rul == 'x'`: "),
    ] {
        let error = asked(arguments).unwrap_err();
        assert!(error.starts_with(sentence), "{arguments:?}: {error}");
    }
    assert!(asked(&["--match", "rul == 'x'", "--for", "2h"]).unwrap_err().contains("did you mean `rule`?"));
    for both in [&["--for", "2h", "--until", "3h"][..], &["--list", "--rule", "x"]] {
        assert!(asked(both).unwrap_err().contains("cannot be used with"), "{both:?}");
    }
}

#[test]
fn what_people_read_of_silences_is_clean() {
    let silence = |number, comment: &str| Silence {
        number,
        matcher: "rule == \"host-cpu\"".to_owned(),
        author: "ada".to_owned(),
        comment: comment.to_owned(),
        created_ms: NOW_MS,
        starts_ms: NOW_MS,
        ends_ms: NOW_MS + 3_600_000,
    };
    assert_eq!(
        made(&silence(7, "x"), &TimeZone::UTC),
        "silence 7 is in force until 2026-11-20 17:30:00: no messages about incidents with rule == \"host-cpu\"\n\
         `watchkeeper incidents unsilence 7` ends it\n"
    );
    assert_eq!(list(&[], &TimeZone::UTC), "no silences\n");
    assert_eq!(
        list(&[silence(7, "new disks"), silence(12, "a\u{1b}[31m")], &TimeZone::UTC),
        "number  until                by            which, and why\n     \
         7  2026-11-20 17:30:00  ada           rule == \"host-cpu\": new disks\n    \
         12  2026-11-20 17:30:00  ada           rule == \"host-cpu\": a\\u{1b}[31m\n"
    );
    assert_eq!(
        [0, 1, 2].map(notice),
        [
            "",
            "\n1 silence is in force; `watchkeeper incidents silence --list` shows it\n",
            "\n2 silences are in force; `watchkeeper incidents silence --list` shows them\n",
        ]
    );
    for (result, expected) in [
        (Unsilenced::Done(0), Ok("silence 7 has ended; no message waited for that")),
        (Unsilenced::Done(1), Ok("silence 7 has ended; 1 message waited for that")),
        (Unsilenced::Done(2), Ok("silence 7 has ended; 2 messages waited for that")),
        (Unsilenced::Over(NOW_MS), Err("silence 7 ended 2026-11-20 16:30:00")),
        (
            Unsilenced::Unknown,
            Err("there is no silence 7; `watchkeeper incidents silence --list` shows those in force"),
        ),
    ] {
        let said = ended(7, result, &TimeZone::UTC);
        assert_eq!(said.as_ref().map(String::as_str).map_err(String::as_str), expected);
    }
}

#[test]
fn a_rule_that_there_is_none_of_is_doubted_with_what_was_meant() {
    let config = Config::default();
    assert_eq!(unknown_rule("host-cpu", &config), None);
    assert_eq!(
        unknown_rule("host-cpv", &config).as_deref(),
        Some("no rule has the id `host-cpv`; did you mean `host-cpu`?")
    );
    assert_eq!(unknown_rule("of-tomorrow", &config).as_deref(), Some("no rule has the id `of-tomorrow`"));
}

#[test]
fn a_silence_that_is_too_long_is_a_wrong_argument() {
    let asked = |length| asked(&["--rule", "host-cpu", "--for", length, "--comment", "why"]);
    assert!(asked("30d").is_ok());
    let sentence = asked("40d").unwrap_err();
    assert!(sentence.starts_with("--for: a silence lasts at most 30d; "), "{sentence}");
}
