//! Processes that make trouble, and stop making it when they are told to.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A process that makes trouble; ended when it is dropped.
pub struct Trouble {
    child: Child,
    /// `None` while it is ended.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// What it said when the trouble was there.
    said: String,
}

impl Trouble {
    /// A trouble of `trouble.py` as the program `python3 NAME.py`.
    pub fn start(folder: &Path, name: &str, trouble: &str) -> Self {
        Self::start_with(folder, name, &[trouble])
    }

    /// The same with an argument.
    pub fn start_with(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        let script = folder.join(format!("{name}.py"));
        fs::write(&script, include_str!("trouble.py")).expect("the script is written");
        let mut call = Command::new("/usr/bin/python3");
        call.arg(script).args(arguments);
        Self::of(call)
    }

    /// A parent that waits uninterruptibly for its child, which [`Self::number`] is the process id of.
    pub fn uninterruptible(folder: &Path, name: &str) -> Self {
        let (source, program) = (folder.join(format!("{name}.c")), folder.join(name));
        fs::write(&source, include_str!("vfork.c")).expect("the source is written");
        let compiled = Command::new("cc").arg("-o").arg(&program).arg(&source).output();
        let compiled = compiled.expect("a C compiler, as SQLite needs it");
        assert!(compiled.status.success(), "{compiled:?}");
        Self::of(Command::new(program))
    }

    fn of(mut call: Command) -> Self {
        let mut child = call.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the trouble starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("its output is ours"));
        let mut trouble = Self { child, stdin, stdout, said: String::new() };
        trouble.said = trouble.line();
        assert!(trouble.said.starts_with("ready"), "{call:?} said: {}", trouble.said);
        trouble
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it says something");
        line.trim().to_owned()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The number it said when the trouble was there: a port, or the process id of a child.
    pub fn number(&self) -> u32 {
        self.said.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a number")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the signal is sent");
    }

    /// Ends the child that it waits for.
    pub fn end_child(&mut self) {
        let child = i32::try_from(self.number()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(child, Signal::KILL).expect("the signal is sent");
        assert_eq!(self.line(), "over");
    }

    /// The trouble ends, the process lives on.
    pub fn heal(&mut self) {
        self.stdin.as_mut().expect("it was not ended").write_all(b"\n").expect("it listens");
        assert_eq!(self.line(), "over");
    }

    /// Waits until it was ended by somebody else.
    pub fn wait(&mut self) {
        self.child.wait().expect("it ends");
    }
}

impl Drop for Trouble {
    /// By the end of its input, so that it ends its own children; else by SIGKILL.
    fn drop(&mut self) {
        drop(self.stdin.take());
        let until = Instant::now() + Duration::from_secs(2);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `sleep` under another name, for so many seconds; killed when it is dropped.
pub struct Sleeper(Child);

/// A copy of `sleep` with this name.
pub fn sleep_named(folder: &Path, name: &str) -> PathBuf {
    let program = folder.join(name);
    fs::copy("/usr/bin/sleep", &program).expect("a copy of sleep");
    program
}

impl Sleeper {
    pub fn start(program: &Path) -> Self {
        Self(Command::new(program).arg("600").spawn().expect("it starts"))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
