//! Names of files that were set aside: `processes.csv` becomes `processes-2026-11-20T235959.csv`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;

const TIME: &str = "%Y-%m-%dT%H%M%S";
/// Characters of a time.
const TIME_LENGTH: usize = 17;

/// A name for the file, with the local time of its last row, that nobody has. Several of one second are numbered from 2 on.
pub(super) fn free_name(path: &Path, last: DateTime) -> PathBuf {
    let time = last.strftime(TIME).to_string();
    let name = |number: u32| {
        let mut name = path.file_stem().map_or_else(OsString::new, OsStr::to_owned);
        name.push(if number > 1 { format!("-{time}-{number}") } else { format!("-{time}") });
        if let Some(extension) = path.extension() {
            name.push(".");
            name.push(extension);
        }
        path.with_file_name(name)
    };
    let free = |path: &PathBuf| fs::symlink_metadata(path).is_err();
    (1..=u32::MAX).map(name).find(free).expect("a folder does not hold four thousand million files")
}

/// The oldest of the files that were set aside, by the time in their names, beyond those that are kept. `newest` is kept
/// whatever the clock said when the others were made.
pub(super) fn surplus(path: &Path, newest: &Path, keep: usize) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(DateTime, u32, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()) && entry.path() != newest)
        .filter_map(|entry| {
            let (time, number) = parse(path, &entry.file_name())?;
            Some((time, number, entry.path()))
        })
        .collect();
    found.sort();
    let surplus = (found.len() + 1).saturating_sub(keep.max(1));
    found.into_iter().take(surplus).map(|(_, _, path)| path).collect()
}

/// The time and number in a name, if it is exactly one that [`free_name`] gives.
fn parse(path: &Path, name: &OsStr) -> Option<(DateTime, u32)> {
    let stem = path.file_stem()?.to_str()?;
    let mut rest = name.to_str()?.strip_prefix(stem)?.strip_prefix('-')?;
    if let Some(extension) = path.extension() {
        rest = rest.strip_suffix(extension.to_str()?)?.strip_suffix('.')?;
    }
    let (time, number) = rest.split_at_checked(TIME_LENGTH)?;
    let parsed = DateTime::strptime(TIME, time).ok()?;
    let number = match number.strip_prefix('-') {
        None if number.is_empty() => 1,
        Some(digits) => digits.parse().ok().filter(|number: &u32| *number > 1 && number.to_string() == digits)?,
        None => return None,
    };
    (parsed.strftime(TIME).to_string() == time).then_some((parsed, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_name_is_free_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let last = date(2026, 11, 20).at(23, 59, 59, 0);
        for (name, expected) in [
            ("processes.csv", ["processes-2026-11-20T235959.csv", "processes-2026-11-20T235959-2.csv"]),
            ("log", ["log-2026-11-20T235959", "log-2026-11-20T235959-2"]),
            ("a.b-c.jsonl", ["a.b-c-2026-11-20T235959.jsonl", "a.b-c-2026-11-20T235959-2.jsonl"]),
            (".hidden", [".hidden-2026-11-20T235959", ".hidden-2026-11-20T235959-2"]),
        ] {
            let path = folder.path().join(name);
            for (index, expected) in expected.into_iter().enumerate() {
                let free = free_name(&path, last);
                assert_eq!(free.file_name().unwrap(), expected);
                assert_eq!(parse(&path, free.file_name().unwrap()), Some((last, index as u32 + 1)));
                fs::write(&free, "").unwrap();
            }
        }
    }

    #[test]
    fn only_names_of_ours_are_deleted_and_the_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.csv");
        let others = [
            "p.csv",
            "p-2026-11-20T000000.csv.gz",
            "p-2026-11-20.csv",
            "p-2026-11-20T000000-1.csv",
            "p-2026-11-20T000000-02.csv",
            "p-2026-11-20T000000-x.csv",
            "p-2026-13-20T000000.csv",
            "p-2026-11-20T0000 1.csv",
            "pp-2026-11-20T000000.csv",
            "p-important.csv",
            "p-2026-11-20T000000.jsonl",
        ];
        let ours = [
            "p-2025-12-31T235959.csv",
            "p-2026-11-19T000000.csv",
            "p-2026-11-19T000000-2.csv",
            "p-2026-11-19T000000-10.csv",
            "p-2026-11-20T000000.csv",
        ];
        for name in others.iter().chain(&ours) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("p-2024-01-01T000000.csv")).unwrap();
        let names = |keep: usize, newest: &str| -> Vec<String> {
            let found = surplus(&path, &folder.path().join(newest), keep);
            found.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(5, ours[4]), [""; 0]);
        assert_eq!(names(2, ours[4]), ours[..3]);
        assert_eq!(names(1, ours[4]), ours[..4]);
        // The clock was wrong when the others were made.
        assert_eq!(names(2, ours[0]), ours[1..4]);
    }
}
