//! A process that burns CPU under a name of its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::shipped;

thread_local! {
    /// Every test has a burner of its own name: its watch may begin while that of another test still burns, and two
    /// processes of one program are one incident.
    static NAME: String = format!("burn-core-{}", NEXT.fetch_add(1, Ordering::Relaxed));
}

static NEXT: AtomicU32 = AtomicU32::new(1);

/// The program that the burner of this test counts as.
pub fn name() -> String {
    NAME.with(Clone::clone)
}

/// The host and a rule that only the burner of this test breaks, and no other rule that a busy machine could break. Ends in the table of the rule, so
/// that a test goes on with `for` and what else it wants of it.
pub fn rule() -> String {
    format!("{HOST}\n{}\n{}", shipped::none(), RULE.replace("NAME", &name()))
}

const HOST: &str = r#"
[host]
name = "testhost"
time_zone = "Europe/Berlin"

[rules]"#;

const RULE: &str = r#"
[[rule]]
id = "burner"
title = "A process takes a large part of the machine"
each = "process"
when = 'process.cpu.cores > 0.3 && process.name == "NAME"'
"#;

/// Belongs to the rule where a test waits for the end of a burner: without it the incident waits for the next one.
pub const OVER_AT_ONCE: &str = "keep_firing = \"0s\"\n";

/// One burner at a time: two would share a core on a small machine.
static CORE: Mutex<()> = Mutex::new(());

/// Burns one core until it is dropped.
pub struct Burner {
    child: Child,
    _core: MutexGuard<'static, ()>,
}

impl Burner {
    /// Starts a copy of `yes` under another name; its output goes nowhere. As root it gets its core even while other tests
    /// compute.
    pub fn start(folder: &Path) -> Self {
        Self::named(folder, &name())
    }

    /// The same under a file name of the test's choice.
    pub fn named(folder: &Path, name: &str) -> Self {
        let core = CORE.lock().unwrap_or_else(PoisonError::into_inner);
        let program = folder.join(name);
        std::fs::copy("/usr/bin/yes", &program).expect("a copy of yes");
        let child = Command::new("nice")
            .args(["-n", "-15"])
            .arg(program)
            .stdout(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .expect("the burner starts");
        Self { child, _core: core }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
