//! `watchkeeper record` as a user calls it: real looks at a real machine, a real workbook, real signals.

mod losses;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use calamine::{Data, Reader, Xlsx, open_workbook};
use rustix::process::{Pid, Signal, kill_process};

use crate::burner::{self, Burner};
use crate::program::{Program, Said, said};

const PATIENCE: Duration = Duration::from_mins(1);
/// The folder for temporary files, which only some tests make.
const TEMPORARY: &str = "temporary";

/// A call of `record` in the folder of the program.
fn record(program: &Program, arguments: &[&str]) -> Command {
    let mut call = program.call(&["record"]);
    call.args(arguments).current_dir(program.folder()).env("TMPDIR", program.folder().join(TEMPORARY));
    call
}

/// A recording under way; killed when it is dropped.
struct Recording {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Recording {
    fn start(program: &Program, arguments: &[&str]) -> Self {
        let (stdout, stderr) = (program.folder().join("stdout"), program.folder().join("stderr"));
        let mut call = record(program, arguments);
        call.stdout(File::create(&stdout).expect("a file")).stderr(File::create(&stderr).expect("a file"));
        Self { child: call.spawn().expect("the recording starts"), stdout, stderr }
    }

    /// Waits until so many blocks were printed, and gives what was.
    fn wait_for_blocks(&mut self, count: usize) -> String {
        self.wait_until(&format!("{count} blocks"), |printed, _| blocks(printed).len() >= count)
    }

    /// Waits until what it says is so, and gives what it printed.
    fn wait_until(&mut self, what: &str, is_so: impl Fn(&str, &str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let printed = fs::read_to_string(&self.stdout).expect("what it said");
            let complaints = self.complaints();
            if is_so(&printed, &complaints) {
                return printed;
            }
            let has_ended = self.child.try_wait().expect("it can be waited for").is_some();
            assert!(!has_ended && Instant::now() < until, "waited in vain for {what}:\n{printed}\n{complaints}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn complaints(&self) -> String {
        fs::read_to_string(&self.stderr).expect("what it said")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the signal is sent");
    }

    /// Waits for its end.
    fn end(mut self) -> Said {
        let status = self.child.wait().expect("it can be waited for");
        let stdout = fs::read_to_string(&self.stdout).expect("what it said");
        Said { status, stdout, stderr: self.complaints() }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// First lines of the blocks.
fn blocks(printed: &str) -> Vec<&str> {
    printed.lines().filter(|line| line.starts_with('[') && line.contains("] | CPU: ")).collect()
}

/// A sheet as rows of texts, titles first.
fn sheet(path: &Path, name: &str) -> Vec<Vec<String>> {
    let mut workbook: Xlsx<_> = open_workbook(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let range = workbook.worksheet_range(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    range.rows().map(|row| row.iter().map(Data::to_string).collect()).collect()
}

fn column(rows: &[Vec<String>], title: &str) -> usize {
    rows[0].iter().position(|cell| cell == title).unwrap_or_else(|| panic!("no {title} in {:?}", rows[0]))
}

fn workbook(program: &Program) -> PathBuf {
    program.folder().join("system_monitor_report.xlsx")
}

fn spool(program: &Program) -> PathBuf {
    program.folder().join(".system_monitor_report.xlsx.spool")
}

/// Names in the folder of the program that are not those of every test.
fn names(program: &Program) -> Vec<String> {
    let entries = fs::read_dir(program.folder()).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.retain(|name| !["watchkeeper.toml", "stdout", "stderr", &burner::name()].contains(&name.as_str()));
    names.sort();
    names
}

/// Whom the lines below the alerts name.
fn culprits(printed: &str) -> Vec<&str> {
    let lines: Vec<&str> = printed.lines().collect();
    let alerts = lines.windows(2).filter(|pair| pair[0].starts_with("ALERT: "));
    alerts.map(|pair| pair[1].trim_start().split(" takes ").next().expect("a name")).collect()
}

#[test]
fn a_recording_under_load_has_its_culprit_on_the_screen_in_the_workbook_and_in_the_threat_log() {
    let program = Program::new("[host]\ntime_zone = \"UTC\"\n");
    let burner = Burner::start(program.folder());
    // Any load is an alert, and the burner is by far the largest.
    let arguments = ["--interval", "500ms", "--duration", "3s", "--cpu-alert", "1%", "--top", "2"];
    let answer = said(record(&program, &arguments));
    let pid = burner.pid();
    drop(burner);
    assert!(answer.status.success(), "{answer:?}");
    assert_eq!(answer.stderr, "");
    let printed = &answer.stdout;
    let first_lines = blocks(printed);
    // A machine that is busy with other tests may leave looks out.
    let rows = first_lines.len();
    assert!((2..=6).contains(&rows), "{printed}");
    for line in &first_lines {
        let [time, cpu, memory] = line.split(" | ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(time.starts_with("[20") && time.len() == "[2026-11-20 03:04:05]".len(), "{line}");
        for (share, name) in [(cpu, "CPU: "), (memory, "Memory: ")] {
            let number = share.strip_prefix(name).and_then(|rest| rest.strip_suffix('%')).expect(line);
            assert!((0.0..=100.0).contains(&number.parse::<f64>().expect(line)), "{line}");
        }
    }
    assert!(printed.contains("\nEstablished connections: "), "{printed}");
    assert_eq!(printed.matches("\nALERT: High CPU usage detected: ").count(), rows, "{printed}");
    // Beside what else the machine compiles it may be the second.
    let listed = printed.lines().filter(|line| line.starts_with("  ") && line.contains(&format!(" {pid} "))).count();
    assert!(listed >= 1 && printed.contains(&format!("\n  {} ", burner::name())), "{printed}");
    let culprits = culprits(printed);
    assert_eq!(culprits.len(), rows, "{printed}");
    assert!(printed.contains(&format!("Recorded {rows} rows in ")), "{printed}");
    assert!(printed.contains(&format!("; {rows} alerts above 1 % CPU.\nWorst moment: ")), "{printed}");
    assert!(printed.contains("Written: system_monitor_report.xlsx and cpu_threat_log.txt.\n"), "{printed}");
    assert!(printed.ends_with("`watchkeeper train` learns from it what is normal.\n"), "{printed}");

    let log = sheet(&workbook(&program), "System_Log");
    assert_eq!(log[0][..3], ["Timestamp", "CPU Usage (%)", "Memory Usage (%)"]);
    assert_eq!(log.len(), rows + 1);
    for (line, row) in first_lines.iter().zip(&log[1..]) {
        let cpu = row[1].parse::<f64>().unwrap();
        assert!(line.contains(&format!("| CPU: {cpu:.1}% |")), "{line} is not {row:?}");
    }
    let tickets = sheet(&workbook(&program), "Alert_Tickets");
    assert_eq!(tickets[0][..3], ["Timestamp", "AlertType", "Details"]);
    assert_eq!(tickets.len(), rows + 1);
    assert!(tickets[1..].iter().all(|ticket| ticket[1] == "High CPU Usage"), "{tickets:?}");
    let culprit = column(&tickets, "Culprit");
    let named: Vec<&str> = tickets[1..].iter().map(|ticket| ticket[culprit].as_str()).collect();
    assert_eq!(named, culprits, "{printed}");

    let threats = fs::read_to_string(program.folder().join("cpu_threat_log.txt")).unwrap();
    assert_eq!(threats.lines().count(), rows);
    for (threat, line) in threats.lines().zip(&first_lines) {
        let cpu = line.split(" | ").nth(1).unwrap().trim_start_matches("CPU: ");
        assert_eq!(threat, format!("{} - High CPU usage detected: {cpu}", line.split(" | ").next().unwrap()));
    }
    assert_eq!(names(&program), ["cpu_threat_log.txt", "system_monitor_report.xlsx"]);
}

#[test]
fn ctrl_c_and_sigterm_save_what_is_there() {
    for signal in [Signal::INT, Signal::TERM] {
        let program = Program::new("");
        let mut recording =
            Recording::start(&program, &["--interval", "200ms", "--duration", "0", "--cpu-alert", "100"]);
        recording.wait_for_blocks(3);
        recording.signal(signal);
        let answer = recording.end();
        assert_eq!(answer.status.code(), Some(0), "{signal:?}: {answer:?}");
        let rows = blocks(&answer.stdout).len();
        assert_eq!(sheet(&workbook(&program), "System_Log").len(), rows + 1, "{answer:?}");
        assert!(answer.stdout.contains(&format!("Recorded {rows} rows in ")), "{answer:?}");
        assert!(!spool(&program).exists());
        assert_eq!(fs::read_to_string(program.folder().join("cpu_threat_log.txt")).unwrap(), "", "made at the start");
    }
}

#[test]
fn ctrl_c_in_the_first_interval_saves_what_there_is_of_it() {
    let program = Program::new("");
    let mut recording = Recording::start(&program, &["--interval", "1h", "--duration", "0"]);
    recording.wait_until("the preface", |printed, _| printed.contains("Ctrl+C ends it"));
    // Less than 100 ms say nothing about CPU time and are no row.
    std::thread::sleep(Duration::from_millis(300));
    recording.signal(Signal::INT);
    let answer = recording.end();
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    assert!(answer.stdout.contains("Recorded 1 row in "), "{answer:?}");
    let log = sheet(&workbook(&program), "System_Log");
    assert_eq!((log.len(), blocks(&answer.stdout).len()), (2, 1), "{answer:?}");
    assert_ne!(log[1][1], "", "the CPU usage of so short an interval is known");
    assert_eq!(names(&program), ["cpu_threat_log.txt", "system_monitor_report.xlsx"]);
}

#[test]
fn after_kill_9_the_next_recording_saves_the_rows_that_were_printed() {
    let program = Program::new("[host]\ntime_zone = \"UTC\"\n");
    let mut killed = Recording::start(&program, &["--interval", "100ms", "--duration", "0"]);
    killed.wait_for_blocks(8);
    killed.signal(Signal::KILL);
    let printed = blocks(&killed.end().stdout).len();
    assert!(spool(&program).exists() && !workbook(&program).exists());
    // As it is when the end came while it saved, and of a recording to another file.
    let (left, of_another) = (".system_monitor_report.xlsx.a1B2c3.tmp", ".another.xlsx.a1B2c3.tmp");
    for name in [left, of_another] {
        fs::write(program.folder().join(name), "half a workbook").unwrap();
    }

    let next = said(record(&program, &["--interval", "100ms", "--duration", "300ms"]));
    assert!(next.status.success(), "{next:?}");
    let recovered: Vec<String> =
        names(&program).into_iter().filter(|name| name.starts_with("system_monitor_report (recovered 20")).collect();
    let [recovered] = &recovered[..] else { panic!("{:?}", names(&program)) };
    let rows = sheet(&program.folder().join(recovered), "System_Log").len() - 1;
    assert!(rows >= printed && rows <= printed + 1, "{rows} rows of {printed} blocks");
    assert!(next.stdout.starts_with("The recording that began at 20"), "{next:?}");
    let sentence = format!("did not come to its end; its {rows} rows are now in {recovered}.\n");
    assert!(next.stdout.contains(&sentence), "{next:?}");
    assert_eq!(sheet(&workbook(&program), "System_Log").len(), blocks(&next.stdout).len() + 1);
    let hidden: Vec<String> = names(&program).into_iter().filter(|name| name.starts_with('.')).collect();
    assert_eq!(hidden, [of_another]);
}

#[test]
fn rows_can_be_recovered_without_recording() {
    let program = Program::new("");
    let nothing = said(record(&program, &["--recover"]));
    assert_eq!(nothing.status.code(), Some(1));
    assert!(nothing.stderr.contains("no recording to system_monitor_report.xlsx waits to be recovered"), "{nothing:?}");
    let mut killed = Recording::start(&program, &["--interval", "100ms", "--duration", "0"]);
    killed.wait_for_blocks(2);
    let too_early = said(record(&program, &["--recover"]));
    assert_eq!(too_early.status.code(), Some(1));
    assert!(too_early.stderr.contains("another `watchkeeper record` is recording"), "{too_early:?}");
    killed.signal(Signal::KILL);
    drop(killed);
    fs::create_dir(workbook(&program)).unwrap();
    let recovered = said(record(&program, &["--recover", "--threat-log", "nowhere/cpu_threat_log.txt"]));
    assert!(recovered.status.success(), "places that it does not need are no hindrance: {recovered:?}");
    fs::remove_dir(workbook(&program)).unwrap();
    assert!(recovered.stdout.contains("Next: `watchkeeper train --from 'system_monitor_report (recovered "));
    assert!(!spool(&program).exists() && !workbook(&program).exists());
}

#[test]
fn a_spool_that_cannot_be_read_is_set_aside() {
    let program = Program::new("");
    fs::write(spool(&program), "no recording\nat all\n").unwrap();
    let answer = said(record(&program, &["--interval", "100ms", "--duration", "200ms"]));
    assert!(answer.status.success(), "{answer:?}");
    assert!(
        answer.stderr.contains("cannot be read as a recording") && answer.stderr.contains("is kept as"),
        "{answer:?}"
    );
    let aside = names(&program).into_iter().find(|name| name.starts_with("system_monitor_report.xlsx (unreadable 20"));
    assert_eq!(fs::read_to_string(program.folder().join(aside.unwrap())).unwrap(), "no recording\nat all\n");
    assert_eq!(sheet(&workbook(&program), "System_Log").len(), blocks(&answer.stdout).len() + 1);
}

#[test]
fn a_second_recording_to_the_same_workbook_is_refused_and_the_first_goes_on() {
    let program = Program::new("");
    let mut first = Recording::start(&program, &["--interval", "100ms", "--duration", "0"]);
    first.wait_for_blocks(1);
    let left = program.folder().join(".system_monitor_report.xlsx.a1B2c3.tmp");
    fs::write(&left, "a workbook in the making").unwrap();
    let second = said(record(&program, &[]));
    assert_eq!(second.status.code(), Some(1));
    let expected = "error: another `watchkeeper record` is recording to system_monitor_report.xlsx; end that one, or name \
                    another file with --output\n";
    assert_eq!(second.stderr, expected);
    let elsewhere =
        ["--interval", "100ms", "--duration", "200ms", "--output", "other.xlsx", "--threat-log", "other.txt"];
    assert!(said(record(&program, &elsewhere)).status.success());
    let printed = first.wait_for_blocks(1);
    first.wait_for_blocks(blocks(&printed).len() + 1);
    first.signal(Signal::TERM);
    assert!(first.end().status.success());
    assert!(left.exists(), "whoever is refused removes nothing that may be of the one at work");
}

#[test]
fn settings_come_from_file_environment_and_flags() {
    let program = Program::new(
        "[record]\nlog_interval = \"100ms\"\nrun_duration = \"300ms\"\noutput_filename = \"file.xlsx\"\n\
         threat_log_filename = \"file.txt\"\n",
    );
    let answer = said(record(&program, &[]));
    assert!(answer.status.success(), "{answer:?}");
    assert_eq!(names(&program), ["file.txt", "file.xlsx"]);
    assert_eq!(sheet(&program.folder().join("file.xlsx"), "System_Log").len(), blocks(&answer.stdout).len() + 1);
    assert!(answer.stdout.contains(" every 100ms for 300ms into file.xlsx."), "{answer:?}");
    assert!(answer.stdout.contains("Next: `watchkeeper train --from file.xlsx`"), "{answer:?}");
    let mut call = record(&program, &["--threat-log", "flag.txt", "--duration", "100ms"]);
    call.env("WATCHKEEPER_RECORD__OUTPUT_FILENAME", "environment.xlsx");
    call.env("WATCHKEEPER_RECORD__THREAT_LOG_FILENAME", "environment.txt")
        .env("WATCHKEEPER_RECORD__RUN_DURATION", "9h");
    let answer = said(call);
    assert!(answer.status.success(), "{answer:?}");
    assert_eq!(names(&program), ["environment.xlsx", "file.txt", "file.xlsx", "flag.txt"]);
}

#[test]
fn what_is_asked_for_wrongly_is_refused_before_anything_runs() {
    for (arguments, sentences) in [
        (&["--interval", "5"][..], &["flag --interval", "`5` has no unit; write \"5s\" for seconds"][..]),
        (&["--interval", "-5s"], &["flag --interval", "`-5s` is not a duration"]),
        (&["--top", "-1"], &["flag --top", "expected a whole number from 1 to 100"]),
        (&["--interval", "50ms"], &["flag --interval", "shorter than the shortest interval, 100ms"]),
        (&["--interval", "2h"], &["flag --interval", "longer than the longest interval, 1h"]),
        (&["--interval", "2m"], &["flag --interval", "a recording of 1m would end before its first interval of 2m"]),
        (&["--duration", "1s"], &["flag --duration", "a recording of 1s would end before its first interval of 5s"]),
        (&["--duration", "soon"], &["flag --duration", "`soon` is not a duration"]),
        (&["--cpu-alert", "0"], &["flag --cpu-alert", "0 is no share"]),
        (&["--cpu-alert", "101"], &["flag --cpu-alert", "101 is no share"]),
        (&["--cpu-alert", "much"], &["flag --cpu-alert", "expected a number, found a text"]),
        (&["--top", "0"], &["flag --top", "expected a whole number from 1 to 100"]),
        (&["--output", ""], &["flag --output", "the name of the file is empty"]),
        (&["--output", "report.csv"], &["flag --output", "its name must end in `.xlsx`"]),
        (&["--output", "nowhere/report.xlsx"], &["flag --output", "nowhere does not exist"]),
        (&["--output", "folder.xlsx"], &["flag --output", "folder.xlsx is a folder"]),
        (&["--threat-log", "folder.xlsx"], &["flag --threat-log", "folder.xlsx is a folder"]),
        (&["--threat-log", "system_monitor_report.xlsx"], &["flag --threat-log", "are the same file"]),
        (&["--threat-log", ".system_monitor_report.xlsx.spool"], &["flag --threat-log", "would be written into"]),
        (&["--frequency", "1s"], &["unexpected argument '--frequency'"]),
    ] {
        let program = Program::new("");
        fs::create_dir(program.folder().join("folder.xlsx")).unwrap();
        let answer = said(record(&program, arguments));
        assert_eq!(answer.status.code(), Some(2), "{arguments:?}: {answer:?}");
        for sentence in sentences {
            assert!(answer.stderr.contains(sentence), "{arguments:?}: no {sentence} in {}", answer.stderr);
        }
        assert_eq!((names(&program), answer.stdout.as_str()), (vec!["folder.xlsx".to_owned()], ""), "{arguments:?}");
    }
}

#[test]
fn a_zone_that_is_not_there_is_said_once() {
    let program = Program::new("");
    let answer = |command: &str, zone: &str| {
        let mut call = program.call(&[command]);
        call.args(["--duration", "200ms", "--interval", "100ms"]).current_dir(program.folder()).env("TZ", zone);
        said(call)
    };
    for zone in ["UTC", "EST5EDT,M3.2.0,M11.1.0", ""] {
        assert_eq!(answer("record", zone).stderr, "", "{zone}");
    }
    let warning =
        "warning: there is no time zone `Mars/Phobos` here, which the variable TZ names: times are those of UTC\n";
    let wrong = answer("record", "Mars/Phobos");
    assert!(wrong.status.success() && wrong.stderr == warning, "{wrong:?}");
    // There is no model: only what is said before is looked at.
    assert!(answer("detect", "Mars/Phobos").stderr.starts_with(warning));
    program.configure("[host]\ntime_zone = \"UTC\"\n");
    assert_eq!(answer("record", "Mars/Phobos").stderr, "", "nobody asks for it");
}

#[test]
fn a_mistake_in_the_file_is_shown_at_its_place() {
    let program = Program::new("[record]\nlog_interval = 5\ncpu_alert_threshold = \"80%\"\n");
    let answer = said(record(&program, &[]));
    assert_eq!(answer.status.code(), Some(2));
    for sentence in ["watchkeeper.toml:2:16", "write \"5s\" for seconds", "watchkeeper.toml:3:23", "a plain number"] {
        assert!(answer.stderr.contains(sentence), "no {sentence} in {}", answer.stderr);
    }
}

#[test]
fn a_reader_who_has_seen_enough_ends_no_recording() {
    let program = Program::new("");
    let mut call = record(&program, &["--interval", "100ms", "--duration", "1s"]);
    let mut child = call.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = [0; 10];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    assert!(child.wait().unwrap().success());
    let rows = sheet(&workbook(&program), "System_Log").len() - 1;
    assert!((2..=10).contains(&rows), "{rows} rows of a second");
}

#[test]
fn a_terminal_that_takes_nothing_delays_no_look_and_no_end() {
    let program = Program::new("");
    // Nobody reads, and the pipe is full.
    let (_reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'.'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    let mut call = record(&program, &["--interval", "100ms", "--duration", "0"]);
    let mut child = call.stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + PATIENCE;
    let rows = || fs::read_to_string(spool(&program)).map_or(0, |text| text.lines().count());
    while rows() < 30 {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none(), "{} rows", rows());
        std::thread::sleep(Duration::from_millis(50));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(sheet(&workbook(&program), "System_Log").len() > 29);
}

#[test]
fn a_workbook_that_cannot_be_replaced_is_saved_beside() {
    let program = Program::new("");
    fs::write(workbook(&program), "locked").unwrap();
    fs::set_permissions(workbook(&program), fs::Permissions::from_mode(0o400)).unwrap();
    let answer = said(record(&program, &["--interval", "100ms", "--duration", "200ms"]));
    assert_eq!(answer.status.code(), Some(1), "{answer:?}");
    assert!(answer.stderr.contains("system_monitor_report.xlsx was not replaced: it is read-only"), "{answer:?}");
    let beside = names(&program).into_iter().find(|name| name.starts_with("system_monitor_report (20")).unwrap();
    assert!(answer.stderr.contains(&beside) && answer.stdout.contains(&beside), "{answer:?}");
    assert_eq!(sheet(&program.folder().join(beside), "System_Log").len(), blocks(&answer.stdout).len() + 1);
    assert_eq!(fs::read_to_string(workbook(&program)).unwrap(), "locked");
}
