//! The real binary with a folder, a configuration and an environment of its own.

#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "not every test is for every system"))]

use std::fs;
#[cfg(unix)]
use std::os::fd::OwnedFd;
#[cfg(windows)]
use std::os::windows::io::OwnedHandle as OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

/// The password that test servers take.
pub const PASSWORD: &str = "correct-horse-battery";

/// A place to run the program in.
pub struct Program {
    folder: tempfile::TempDir,
    /// The configuration names the store's folder.
    store_is_configured: bool,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A running watch; killed when it is dropped.
pub struct Watch {
    child: Child,
}

impl Program {
    /// With this configuration.
    pub fn new(configuration: &str) -> Self {
        let program = Self { folder: tempfile::tempdir().expect("a folder"), store_is_configured: false };
        program.configure(configuration);
        program
    }

    /// With the store where the configuration says.
    pub fn in_configured_store(self) -> Self {
        Self { store_is_configured: true, ..self }
    }

    /// Replaces the configuration.
    pub fn configure(&self, configuration: &str) {
        let file = self.config_file();
        fs::write(&file, configuration).expect("the configuration is written");
        #[cfg(unix)]
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is ours");
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("watchkeeper.toml")
    }

    pub fn state_folder(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A call of the program that knows nothing of the machine's own configuration.
    pub fn call(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        if cfg!(windows) {
            // A program of Windows needs some variables of the system.
            for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WATCHKEEPER_"))
            {
                command.env_remove(name);
            }
        } else {
            command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path());
        }
        command
            .args(arguments)
            .env("WATCHKEEPER_CONFIG", self.config_file())
            .env("TEST_SMTP_PASSWORD", PASSWORD)
            .stdin(Stdio::null());
        if !self.store_is_configured {
            command.env("WATCHKEEPER_STORE__PATH", self.state_folder());
        }
        command
    }

    /// Runs a command to its end.
    pub fn command(&self, arguments: &[&str]) -> Said {
        said(self.call(arguments))
    }

    /// Starts the watch and waits until it answers.
    pub fn run(&self) -> Watch {
        self.run_into(fs::File::create(self.folder.path().join("watch.log")).expect("a log file"))
    }

    /// The same with more arguments for `run`.
    pub fn run_with(&self, arguments: &[&str]) -> Watch {
        let output = fs::File::create(self.folder.path().join("watch.log")).expect("a log file");
        self.started(arguments, output.try_clone().expect("the output twice"), output)
    }

    /// The same with another place for what it says.
    pub fn run_into(&self, output: impl Into<OwnedFd>) -> Watch {
        let output: OwnedFd = output.into();
        self.run_between(output.try_clone().expect("the output twice"), output)
    }

    /// The same with a place each for what it says and for what is not as it should be.
    pub fn run_between(&self, stdout: impl Into<OwnedFd>, stderr: impl Into<OwnedFd>) -> Watch {
        self.started(&[], stdout, stderr)
    }

    fn started(&self, arguments: &[&str], stdout: impl Into<OwnedFd>, stderr: impl Into<OwnedFd>) -> Watch {
        let mut call = self.call(&["run", "--log-level", "debug"]);
        call.args(arguments);
        call.stdout(stdout.into()).stderr(stderr.into());
        let mut watch = Watch { child: call.spawn().expect("the watch starts") };
        self.wait_for(Duration::from_secs(30), "an answer of the watch", || {
            if let Ok(Some(status)) = watch.child.try_wait() {
                panic!("the watch ended with {status}:\n{}", self.log());
            }
            let answer = self.command(&["status"]);
            answer.stdout.starts_with("watch ") && answer.status.code() != Some(3)
        });
        watch
    }

    /// What the watch wrote to its outputs.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("watch.log")).unwrap_or_default()
    }

    /// Waits until it is so.
    pub fn wait_for(&self, patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
        let until = Instant::now() + patience;
        while !is_so() {
            assert!(Instant::now() < until, "waited {patience:?} in vain for {what}; the watch said:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the status is so.
    pub fn wait_for_status(&self, patience: Duration, is_so: impl Fn(&serde_json::Value) -> bool) {
        self.wait_for(patience, "a status", || {
            serde_json::from_str(&self.command(&["status", "--json"]).stdout).is_ok_and(|status| is_so(&status))
        });
    }
}

/// Runs a call to its end.
pub fn said(mut call: Command) -> Said {
    let output = call.output().expect("the program starts");
    Said {
        status: output.status,
        stdout: String::from_utf8(output.stdout).expect("standard output is text"),
        stderr: String::from_utf8(output.stderr).expect("standard error is text"),
    }
}

impl Watch {
    /// Sends a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the signal is sent");
    }

    /// SIGTERM; says whether it ended with code 0 in time.
    #[cfg(unix)]
    pub fn terminate(&mut self, patience: Duration) -> bool {
        self.signal(Signal::TERM);
        self.wait(patience).is_some_and(|status| status.success())
    }

    /// How it ended, if it did in time.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            let ended = self.child.try_wait().expect("the watch can be waited for");
            if ended.is_some() || Instant::now() >= until {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.kill();
    }
}
