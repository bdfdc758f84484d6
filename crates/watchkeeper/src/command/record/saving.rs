//! The end of a recording: its workbook, at its place or at least somewhere.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;

use anyhow::Context;
use jiff::tz::TimeZone;
use watchkeeper_report::{Recording, Row, Saved, Spool, write_workbook};

use super::files::{Files, shown};
use super::tally::count;
use super::with_file;

/// Writes the workbook of the rows in the spool and of those behind them that wait in memory; says where it is. The spool
/// goes only when it is at its place.
pub fn save(
    spool: Spool,
    waiting: Vec<Row>,
    files: &Files,
    zone: &TimeZone,
    troubles: &mut Vec<String>,
) -> Option<PathBuf> {
    let in_memory = waiting.len() as u64;
    let recording = match spool.recording() {
        Ok(recording) => recording.followed_by(waiting),
        Err(error) => {
            troubles.push(format!("{error}; {}", kept_and_lost(&spool, in_memory, files)));
            return None;
        }
    };
    let error = match write_workbook(&recording, &files.output, zone) {
        Ok(saved) => {
            // Older systems keep the name of a file that somebody reads.
            drop(recording);
            troubles.extend(spool.remove().err().map(|error| error.to_string()));
            return Some(match saved {
                Saved::Target => files.output.clone(),
                Saved::Beside { path, reason } => {
                    let (target, path_shown) = (shown(&files.output), shown(&path));
                    troubles
                        .push(format!("{target} was not replaced: {reason}; the recording is saved as {path_shown}"));
                    path
                }
            });
        }
        Err(error) => error,
    };
    match save_elsewhere(&recording, zone) {
        Ok(path) => {
            // Temporary files do not outlive every restart: what is on disk stays there.
            let kept = if is_there(&spool) { format!("; {}", kept(&spool, files)) } else { String::new() };
            troubles.push(format!("{error}; the recording is saved as {}{kept}", shown(&path)));
            Some(path)
        }
        Err(second) => {
            troubles.push(format!("{error}, and {second:#}; {}", kept_and_lost(&spool, in_memory, files)));
            None
        }
    }
}

/// Saves in the folder for temporary files.
fn save_elsewhere(recording: &Recording, zone: &TimeZone) -> anyhow::Result<PathBuf> {
    let path = Files::elsewhere(recording.header().started_ms, zone);
    // Others use that folder too. The workbook takes on the permissions of the file whose place it takes.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path).with_context(|| format!("cannot make {}", shown(&path)))?;
    match write_workbook(recording, &path, zone) {
        Ok(Saved::Target) => Ok(path),
        Ok(Saved::Beside { path, .. }) => Ok(path),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(error.into())
        }
    }
}

/// Whether the next recording will find rows.
fn is_there(spool: &Spool) -> bool {
    spool.rows() > 0 && spool.path().is_file()
}

fn kept(spool: &Spool, files: &Files) -> String {
    let recover = with_file("watchkeeper record --recover", "--output", &files.output);
    let rows = count(spool.rows(), "row");
    format!("{rows} are kept in {}, and `{recover}` makes a workbook of them", shown(spool.path()))
}

/// What there is of a recording that could not be saved anywhere.
fn kept_and_lost(spool: &Spool, in_memory: u64, files: &Files) -> String {
    if !is_there(spool) {
        return format!("its {} are lost", count(spool.rows() + in_memory, "row"));
    }
    let kept = kept(spool, files);
    if in_memory == 0 { kept } else { format!("{kept}; {} that waited in memory are lost", count(in_memory, "row")) }
}
