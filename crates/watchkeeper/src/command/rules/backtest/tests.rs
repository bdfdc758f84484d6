use super::*;
use crate::config::{Sources, load};

fn loaded() -> Loaded {
    load(Sources::default()).unwrap()
}

fn args(from: Option<&str>, to: Option<&str>) -> BacktestArgs {
    let text = |text: Option<&str>| text.map(str::to_owned);
    BacktestArgs {
        what: None,
        last: Span::parse("14d").unwrap(),
        from: text(from),
        to: text(to),
        longest: false,
        json: false,
    }
}

#[test]
fn a_rule_is_meant_by_its_id_a_file_by_its_path_and_a_slip_is_mended() {
    let loaded = loaded();
    let ids = |what: Option<&str>| -> Vec<String> {
        chosen(&loaded, what).unwrap_or_else(|error| panic!("{error}")).into_iter().map(|rule| rule.id).collect()
    };
    assert!(ids(None).contains(&"host-cpu".to_owned()));
    assert_eq!(ids(Some("host-cpu")), ["host-cpu"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.toml");
    let own = "[[rule]]\nid = \"host-cpu\"\nwhen = 'system.cpu.utilization > \"1%\"'\nfor = \"3s\"\n";
    std::fs::write(&path, own).unwrap();
    assert_eq!(ids(path.to_str()), ["host-cpu"]);
    let refused = |what: &str| chosen(&loaded, Some(what)).unwrap_err().to_string();
    assert!(refused("host-cqu").contains("did you mean `host-cpu`?"));
    assert!(refused("no\u{1b}[31m").contains("neither a rule nor a file `no\\u{1b}[31m`"));
    assert!(refused("missing.toml").contains("the file of rules missing.toml does not exist"));
    std::fs::write(&path, own.replace("3s", "1s")).unwrap();
    assert!(refused(path.to_str().unwrap()).contains("new.toml:4:7"));
    std::fs::write(&path, "").unwrap();
    assert!(refused(path.to_str().unwrap()).contains("there are no rules in it"));
}

#[test]
fn the_time_that_is_meant_is_before_now_and_has_a_length() {
    /// 2026-11-20 17:30:00 UTC.
    const NOW_MS: i64 = 1_795_195_800_000;
    let of = |from, to| range(&args(from, to), NOW_MS, &TimeZone::UTC).map_err(|error| error.to_string());
    let hour_ms = 3_600_000;
    assert_eq!(of(None, None), Ok(Range::new(NOW_MS - 14 * 24 * hour_ms, NOW_MS)));
    assert_eq!(of(None, Some("1h ago")), Ok(Range::new(NOW_MS - (14 * 24 + 1) * hour_ms, NOW_MS - hour_ms)));
    assert_eq!(of(Some("3h"), Some("1h")), Ok(Range::new(NOW_MS - 3 * hour_ms, NOW_MS - hour_ms)));
    let error = of(Some("1h"), Some("3h")).unwrap_err();
    assert!(error.contains("from 2026-11-20 16:30:00 to 2026-11-20 14:30:00 is no time"), "{error}");
    assert!(of(Some("tomorrow"), None).is_err() && of(Some("2099-01-01"), None).is_err());
}
