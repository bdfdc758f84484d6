//! A filesystem in memory for a test; whoever mounts needs the right to.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A mounted filesystem that is gone when the test is over.
pub struct Mount(pub PathBuf);

impl Mount {
    /// Makes the folder and mounts a filesystem in memory there, with these options of `mount`.
    pub fn tmpfs(at: PathBuf, options: &str) -> Self {
        fs::create_dir(&at).expect("a folder");
        let mut call = Command::new("mount");
        let mounted = call.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at).output().expect("mount starts");
        assert!(mounted.status.success(), "this test needs the right to mount: {mounted:?}");
        Self(at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
