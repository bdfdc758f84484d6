//! How a watch ends and goes on: signals, closed outputs, new settings.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::program::{Program, said};
use crate::shipped;

const PATIENCE: Duration = Duration::from_mins(1);

/// A mail server that takes the call and says nothing.
fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let configuration = format!(
        "[smtp.mail]\nserver = \"127.0.0.1:{port}\"\nsecurity = \"plaintext\"\nfrom = \"watch@localhost\"\n\
         [[route]]\nto = [{{ channel = \"mail\", recipients = [\"ops@localhost\"] }}]\n"
    );
    (listener, configuration)
}

#[test]
fn a_send_that_hangs_is_cut_after_five_seconds_and_its_caller_is_told() {
    let (server, configuration) = silent_server();
    let program = Program::new(&configuration);
    let mut watch = program.run();
    let mut test = program.call(&["notify", "test", "--channel", "mail"]);
    let test = test.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _call = server.accept().unwrap();
    let began = Instant::now();
    assert!(watch.terminate(Duration::from_secs(20)), "{}", program.log());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(7), "it took {took:?}");
    let answer = test.wait_with_output().unwrap();
    assert_eq!(answer.status.code(), Some(1));
    let said = String::from_utf8(answer.stderr).unwrap();
    assert!(said.contains("the running watch did not answer; it has just ended"), "{said}");
    // The message is still there, and the next watch tries it again at once.
    let _next = program.run();
    let _call = server.accept().unwrap();
}

#[test]
fn ctrl_c_ends_at_once_what_is_ending_and_a_second_sigterm_does_not() {
    let (server, configuration) = silent_server();
    let program = Program::new(&configuration);
    let mut watch = program.run();
    let mut test = program.call(&["notify", "test", "--channel", "mail"]);
    let mut test = test.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _call = server.accept().unwrap();
    watch.signal(Signal::TERM);
    program.wait_for(PATIENCE, "the watch to begin to end", || program.log().contains("ending: what waits"));
    watch.signal(Signal::TERM);
    assert!(watch.wait(Duration::from_millis(500)).is_none(), "a second SIGTERM cut the end short");
    watch.signal(Signal::INT);
    let status = watch.wait(Duration::from_secs(2));
    assert!(status.is_some_and(|status| status.signal() == Some(Signal::INT.as_raw())), "{status:?}");
    test.wait().unwrap();
    assert_eq!(program.command(&["status"]).status.code(), Some(3));
}

#[cfg(target_os = "linux")] // other kernels have no second name for a folder
#[test]
fn a_watch_in_a_folder_with_a_long_name_is_reached() {
    let program = Program::new("");
    let long = program.folder().join("x".repeat(120)).join("state");
    let path = long.to_str().unwrap();
    let program = Program::new(&format!("[store]\npath = \"{path}\"\n")).in_configured_store();
    let mut watch = program.run();
    assert!(watch.terminate(Duration::from_secs(10)));
    assert!(!long.join("control.sock").exists());
}

#[test]
fn outputs_that_nobody_reads_are_no_reason_to_fail_otherwise() {
    let program = Program::new("");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut call = program.call(&["incidents", "show", "99"]);
    call.stderr(writer.try_clone().unwrap()).stdout(writer.try_clone().unwrap());
    assert_eq!(call.status().unwrap().code(), Some(1));
    program.configure("unknown = 1\n");
    let mut call = program.call(&["config", "check"]);
    call.stderr(writer.try_clone().unwrap()).stdout(writer.try_clone().unwrap());
    assert_eq!(call.status().unwrap().code(), Some(2));
    program.configure("");
    let mut watch = program.run_into(writer);
    program.wait_for_status(PATIENCE, |status| status["recorder"]["ticks"].as_u64() > Some(2));
    assert!(watch.terminate(Duration::from_secs(10)));
}

#[test]
fn an_output_that_takes_nothing_stops_no_rule() {
    let program = Program::new("[collect]\ninterval = \"200ms\"\n");
    let (_reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'.'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    let log = fs::File::create(program.folder().join("watch.log")).unwrap();
    let mut watch = program.run_between(writer, log);
    program.wait_for_status(PATIENCE, |status| {
        let rules = &status["analyst"]["last_tick_mono_ms"];
        rules.is_i64() && status["reader"]["ticks"].as_u64() > Some(5) && status["level"] != "critical"
    });
    assert!(watch.terminate(Duration::from_secs(10)), "{}", program.log());
}

#[test]
fn a_status_that_cannot_be_asked_is_unknown() {
    let program = Program::new("");
    let state = program.state_folder();
    // As root, nothing is refused: something else than a socket is.
    fs::create_dir(&state).unwrap();
    let nobody = program.command(&["status"]);
    assert_eq!(nobody.status.code(), Some(3), "{nobody:?}");
    let listener = std::os::unix::net::UnixListener::bind(state.join("control.sock")).unwrap();
    let answering = std::thread::spawn(move || drop(listener.accept()));
    let broken = said(program.call(&["status"]));
    answering.join().unwrap();
    assert_eq!(broken.status.code(), Some(3), "{broken:?}");
    assert!(broken.stderr.starts_with("error: "), "{broken:?}");
}

#[test]
fn a_reload_takes_on_everything_or_nothing() {
    let program = Program::new("[collect]\ninterval = \"1s\"\n");
    let mut watch = program.run();
    let interval = |ms: i64| move |status: &serde_json::Value| status["interval_ms"].as_i64() == Some(ms);
    let taken =
        "[collect]\ninterval = \"200ms\"\ntier = \"portable\"\n[rules]\ndisable = [\"host-cpu\", \"host-memory\"]\n";
    program.configure(taken);
    watch.signal(Signal::HUP);
    let rules = shipped::in_force().len() - 2;
    program.wait_for_status(PATIENCE, |status| {
        interval(200)(status) && status["tier"] == "portable" && status["analyst"]["rules"] == rules
    });
    program.configure("[collect]\ninterval = \"2s\"\n[rules]\ndisable = [\"no-such-rule\"]\n");
    watch.signal(Signal::HUP);
    program.wait_for(PATIENCE, "the refusal", || program.log().contains("the configuration was not reloaded"));
    // The commands read the file as well.
    program.configure(taken);
    let ticks = |status: &serde_json::Value| status["reader"]["ticks"].as_u64().unwrap_or_default();
    let status = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let before = status(&program.command(&["status", "--json"]).stdout);
    assert!(interval(200)(&before) && before["tier"] == "portable" && before["analyst"]["rules"] == rules, "{before}");
    program.wait_for_status(PATIENCE, |now| ticks(now) > ticks(&before) + 4);
    assert!(watch.terminate(Duration::from_secs(10)));
}
