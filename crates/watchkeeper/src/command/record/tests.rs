use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    record: RecordArgs,
}

#[test]
fn flags_set_the_keys_of_the_configuration_and_a_percent_sign_is_understood() {
    let overrides = |flags: &[&str]| {
        let line = Line::try_parse_from(["record"].iter().chain(flags)).unwrap();
        line.record
            .overrides()
            .into_iter()
            .map(|(flag, key, value)| format!("{flag} {key}={value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(overrides(&[]), [""; 0]);
    let flags = ["--interval=1s", "--duration=0", "--cpu-alert=80.5%", "--top=9", "--output=a.xlsx", "--threat-log=b"];
    let expected = [
        "--interval record.log_interval=1s",
        "--duration record.run_duration=0",
        "--cpu-alert record.cpu_alert_threshold=80.5",
        "--top record.top=9",
        "--output record.output_filename=a.xlsx",
        "--threat-log record.threat_log_filename=b",
    ];
    assert_eq!(overrides(&flags), expected);
}

#[test]
fn what_ends_before_the_first_row_replaces_no_workbook() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a.xlsx"), "a full workbook").unwrap();
    let mut config = Config::default();
    (config.record.output_filename, config.record.threat_log_filename) = (path("a.xlsx"), path("b.txt"));
    let (session, _) = Session::begin(&config, Files::of(&config.record), TimeZone::UTC).unwrap();
    assert!(path(".a.xlsx.spool").exists());
    assert_eq!(session.end(None), DONE);
    assert_eq!(std::fs::read_to_string(path("a.xlsx")).unwrap(), "a full workbook");
    assert!(!path(".a.xlsx.spool").exists());
}

#[test]
fn the_next_command_can_be_copied() {
    for (workbook, command) in [
        ("system_monitor_report.xlsx", "watchkeeper train"),
        ("/srv/week-1.xlsx", "watchkeeper train --from /srv/week-1.xlsx"),
        #[cfg(unix)]
        ("a (recovered).xlsx", "watchkeeper train --from 'a (recovered).xlsx'"),
        #[cfg(unix)]
        ("$(reboot).xlsx", "watchkeeper train --from '$(reboot).xlsx'"),
        #[cfg(windows)]
        ("a (recovered).xlsx", "watchkeeper train --from \"a (recovered).xlsx\""),
        ("-a.xlsx", "watchkeeper train --from=-a.xlsx"),
    ] {
        assert_eq!(with_file("watchkeeper train", "--from", Path::new(workbook)), command);
    }
}
