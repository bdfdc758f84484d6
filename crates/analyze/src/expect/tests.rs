use super::*;
use crate::{RuleConfig, compile};

fn rule(expect: &str) -> RuleConfig {
    serde_json::from_str(&format!("{{\"id\": \"x\", \"expect\": {expect}}}")).unwrap()
}

const PROCESS: &str = r#""process": "process.name == \"postgres\"""#;

#[test]
fn expectations_are_read() {
    let ten_minutes = Restarts { most: 3, within_ms: 600_000 };
    let none = Expect { min: None, max: None, restarts: None };
    for (text, expected) in [
        ("", Expect { min: Some(1), ..none }),
        (r#", "min": 4"#, Expect { min: Some(4), ..none }),
        (r#", "max": 8"#, Expect { max: Some(8), ..none }),
        (r#", "max": 0"#, Expect { max: Some(0), ..none }),
        (r#", "min": 2, "max": 2"#, Expect { min: Some(2), max: Some(2), ..none }),
        (r#", "max_restarts": "3/10m""#, Expect { restarts: Some(ten_minutes), ..none }),
        (r#", "min": 1, "max_restarts": " 3 / 10m ""#, Expect { min: Some(1), restarts: Some(ten_minutes), ..none }),
        (
            r#", "max_restarts": "0/24h""#,
            Expect { restarts: Some(Restarts { most: 0, within_ms: 86_400_000 }), ..none },
        ),
    ] {
        let rules = compile(&[rule(&format!("{{{PROCESS}{text}}}"))], 1_000).unwrap();
        assert_eq!(rules[0].expect, Some(expected), "{text}");
        assert_eq!((rules[0].each, rules[0].metric.name), (EntityKind::Host, COUNTED_AS), "{text}");
    }
}

#[test]
fn mistakes_are_named_at_their_key() {
    let with = |text: &str| rule(&format!("{{{PROCESS}{text}}}"));
    let broken = |process: &str| rule(&serde_json::json!({ "process": process }).to_string());
    let of_another = RuleConfig { when: Some("system.cpu.utilization > 0.5".to_owned()), ..with("") };
    let cleared = RuleConfig { clear: Some("system.cpu.utilization < 0.5".to_owned()), ..with("") };
    let each = RuleConfig { each: Some("process".to_owned()), ..with("") };
    let nothing = RuleConfig { id: "x".to_owned(), ..RuleConfig::default() };
    for (rule, key, message) in [
        (nothing, "0", "the rule says neither when it fires nor what it expects"),
        (of_another, "0.expect", "a rule has either `when` or `expect`, not both"),
        (cleared, "0.clear", "an expectation has no `clear`: it is over when all is as expected again"),
        (each, "0.each", "an expectation counts the processes of the whole machine"),
        (with(r#", "min": 3, "max": 2"#), "0.expect.min", "`min` of 3 is more than `max` of 2"),
        (with(r#", "min": 0"#), "0.expect.min", "at least 0 processes are always there"),
        (with(r#", "max_restarts": "3 in 10m""#), "0.expect.max_restarts", "`3 in 10m` has no slash"),
        (with(r#", "max_restarts": "x/10m""#), "0.expect.max_restarts", "`x/10m` begins with no number from 0 to 1000"),
        (
            with(r#", "max_restarts": "1001/10m""#),
            "0.expect.max_restarts",
            "`1001/10m` begins with no number from 0 to 1000",
        ),
        (
            with(r#", "max_restarts": "3/2d""#),
            "0.expect.max_restarts",
            "restarts are counted over 1 s to 24 h, not over 2d",
        ),
        (
            with(r#", "max_restarts": "3/2s""#),
            "0.expect.max_restarts",
            "restarts within 2s are under three collection intervals of 1s",
        ),
        (broken("process.nam == \"x\""), "0.expect.process", "there is no field `process.nam`"),
        (
            broken("system.cpu.utilization > \"90%\""),
            "0.expect.process",
            "`system.cpu.utilization` belongs to the host, but processes are to be counted",
        ),
        (
            broken("system.filesystem.utilization > \"90%\""),
            "0.expect.process",
            "`system.filesystem.utilization` belongs to the filesystem, but processes are to be counted",
        ),
    ] {
        let problems = compile(&[rule], 1_000).unwrap_err();
        let found: Vec<(&str, &str)> = problems.iter().map(|p| (p.key_path.as_str(), p.message.as_str())).collect();
        assert_eq!(found, [(key, message)]);
    }
}

#[test]
fn all_mistakes_are_said_at_once() {
    let wrong = RuleConfig {
        clear: Some("x".to_owned()),
        each: Some("disk".to_owned()),
        ..rule(r#"{"process": "process.nam", "min": 2, "max": 1, "max_restarts": "often"}"#)
    };
    let problems = compile(&[wrong], 1_000).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key_path.as_str()).collect();
    let expect = ["0.expect.process", "0.expect.max_restarts", "0.expect.min"];
    assert_eq!(keys, [["0.clear", "0.each"].as_slice(), &expect].concat());
}
