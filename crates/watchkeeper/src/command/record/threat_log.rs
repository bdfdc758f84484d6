//! The threat log: a text file with a line for each alert, as the script wrote it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use watchkeeper_core::text::local_time;

use super::block::detected;

/// Writes alerts to the end of a file. The file is opened for each of them: they are rare, and somebody may have moved it away.
#[derive(Debug)]
pub struct ThreatLog {
    path: PathBuf,
    zone: TimeZone,
    lost: u64,
    trouble: Option<String>,
}

impl ThreatLog {
    /// Makes the file if there is none; what is in it stays.
    ///
    /// # Errors
    /// When it cannot be made or written to.
    pub fn begin(path: &Path, zone: TimeZone) -> io::Result<Self> {
        open(path)?;
        Ok(Self { path: path.to_owned(), zone, lost: 0, trouble: None })
    }

    /// Adds a line. Says what is wrong when that is new; later lines are tried all the same.
    pub fn add(&mut self, ts_ms: i64, percent: f64) -> Option<String> {
        let line = format!("[{}] - {}\n", local_time(ts_ms, &self.zone), detected(percent));
        match append(&self.path, &line) {
            Ok(()) => {
                self.trouble = None;
                None
            }
            Err(error) => {
                self.lost += 1;
                let error = error.to_string();
                let is_new = self.trouble.as_ref() != Some(&error);
                self.trouble = Some(error.clone());
                is_new.then_some(error)
            }
        }
    }

    /// Lines that could not be added.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = open(path)?;
    // A full disk or the end of the machine may have left half a line. Pipes and terminals have no end to look at.
    let metadata = file.metadata()?;
    let after_half_a_line = metadata.is_file() && metadata.len() > 0 && !ends_with_a_line(&mut file)?;
    let line = if after_half_a_line { format!("\n{line}") } else { line.to_owned() };
    file.write_all(line.as_bytes())
}

fn ends_with_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The file, made if it is not there.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const AT_MS: i64 = 1_795_143_845_000;
    const LINE: &str = "[2026-11-20 03:04:05] - High CPU usage detected: 97.5%\n";

    fn begin(path: &Path) -> ThreatLog {
        ThreatLog::begin(path, TimeZone::UTC).unwrap()
    }

    #[test]
    fn it_is_there_from_the_start_and_has_the_lines_of_the_script() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cpu_threat_log.txt");
        let mut log = begin(&path);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        assert_eq!((log.add(AT_MS, 97.5), log.add(AT_MS + 1_000, 80.04)), (None, None));
        let expected = format!("{LINE}[2026-11-20 03:04:06] - High CPU usage detected: 80.0%\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(log.lost(), 0);
    }

    #[test]
    fn what_was_there_is_continued_on_a_line_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for (before, between) in [("older\n", ""), ("half a li", "\n"), ("", "")] {
            fs::write(&path, before).unwrap();
            begin(&path).add(AT_MS, 97.5);
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{before}{between}{LINE}"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_gets_lines_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        // Who reads has it open for writing too: it waits for nobody.
        let mut reader = open(&path).unwrap();
        assert_eq!(begin(&path).add(AT_MS, 97.5), None);
        let mut line = [0; LINE.len()];
        reader.read_exact(&mut line).unwrap();
        assert_eq!(line, LINE.as_bytes());
    }

    #[test]
    fn a_trouble_is_said_once_and_over_when_the_file_can_be_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = begin(&path);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let trouble = log.add(AT_MS, 97.5);
        // Windows says of a folder only that access is denied.
        assert!(trouble.is_some_and(|error| cfg!(windows) || error.contains("directory")));
        assert_eq!(log.add(AT_MS, 97.5), None, "it was said");
        fs::remove_dir(&path).unwrap();
        assert_eq!(log.add(AT_MS, 97.5), None);
        assert_eq!(fs::read_to_string(&path).unwrap(), LINE, "a file that was moved away is made again");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(log.add(AT_MS, 97.5).is_some(), "it is another trouble");
        assert_eq!(log.lost(), 3);
        assert!(ThreatLog::begin(&path, TimeZone::UTC).is_err());
    }
}
