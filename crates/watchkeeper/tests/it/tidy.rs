//! The rules of the house that no lint can see. A rule that is not checked here is a wish.
//!
//! Every test reads the source tree, collects everything that offends and shows all of it at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file without its tests, in lines.
const LONGEST_FILE: usize = 500;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] = ["util", "utils", "helper", "helpers", "common", "misc", "manager", "types", "mod"];

/// Crates that get time with the data and do no input or output.
const PURE_CRATES: [&str; 4] = ["core", "expression", "detect", "analyze"];

/// How a clock, a file, a socket or a thread is reached; none of it has a place in a pure crate.
const IMPURE: [&str; 14] = [
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "clock_gettime",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "File::open",
    "tokio::",
    "rusqlite::",
    "lettre::",
];

/// Where the operating system may be asked for by name; a trailing `/` stands for the whole folder.
const PLATFORM_CODE: [&str; 5] = [
    "crates/collect/",
    "crates/watchkeeper/src/control.rs",
    "crates/watchkeeper/src/control/",
    "crates/watchkeeper/src/service.rs",
    "crates/watchkeeper/src/service/",
];

/// One file of ours with its text.
struct Source {
    /// From the root of the checkout, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Name of the folder under `crates/`.
    fn crate_folder(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        self.path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
    }

    /// Line numbers and lines up to the inner test module, without comments that stand alone.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .take(self.lines_without_tests())
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn lines_without_tests(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let test_module = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
        // `mod tests;` keeps its text elsewhere: then the rest of the file is still code.
        match test_module {
            Some(start) if lines[start + 1].ends_with('{') => start,
            _ => lines.len(),
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the checkout has a path")
}

/// All files under `folder`, sorted, without what a build or an editor leaves behind.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(next) = open.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries.map(|entry| entry.expect("a folder of the checkout can be listed")) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if matches!(name.as_str(), ".git" | "target" | "corpus" | "artifacts" | "__pycache__") {
                continue;
            }
            let kind = entry.file_type().expect("an entry has a type");
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("inside the checkout").to_string_lossy().replace('\\', "/")
}

fn sources() -> Vec<Source> {
    let sources: Vec<Source> = files("crates")
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| Source { path: relative(&path), text: fs::read_to_string(&path).expect("source is UTF-8") })
        .collect();
    assert!(sources.len() > 20, "only {} source files found: these checks look in the wrong place", sources.len());
    sources
}

/// Fails with every offence on a line of its own.
#[track_caller]
fn none(offences: &[String], rule: &str) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

#[test]
fn no_source_file_is_longer_than_a_reader_can_hold() {
    let offences: Vec<String> = sources()
        .iter()
        .filter(|source| !source.is_test() && source.lines_without_tests() > LONGEST_FILE)
        .map(|source| format!("{}: {} lines", source.path, source.lines_without_tests()))
        .collect();
    none(&offences, "split these by the question they answer (500 lines without tests is the end)");
}

#[test]
fn every_file_name_says_what_is_inside() {
    let offences: Vec<String> = files("crates")
        .iter()
        .map(|path| relative(path))
        .filter(|path| {
            path.split('/').any(|part| {
                let stem = part.split('.').next().unwrap_or(part).to_lowercase();
                EMPTY_NAMES.contains(&stem.as_str())
            })
        })
        .collect();
    none(&offences, "a file is named after the noun it defines, and a module is `thing.rs` + `thing/part.rs`");
}

#[test]
fn every_module_says_what_it_is_for() {
    let offences: Vec<String> = sources()
        .iter()
        .filter(|source| !source.text.starts_with("//! ") && !source.path.ends_with("tests.rs"))
        .map(|source| source.path.clone())
        .collect();
    none(&offences, "these do not start with a `//!` sentence");
}

#[test]
fn the_operating_system_is_named_only_where_it_is_read() {
    let offences: Vec<String> = sources()
        .iter()
        .filter(|source| !source.is_test() && !PLATFORM_CODE.iter().any(|place| source.path.starts_with(place)))
        .flat_map(|source| {
            source
                .code()
                .filter(|(_, line)| {
                    line.contains("cfg") && (line.contains("target_os") || line.contains("target_family"))
                })
                .map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect();
    none(&offences, "cfg(target_os) belongs into collect and the binary's service and control files");
}

#[test]
fn unsafe_code_lives_in_collect_alone_and_gives_its_reason() {
    let mut offences = Vec::new();
    for source in sources() {
        let is_root = source.path.ends_with("/src/lib.rs") || source.path.ends_with("/src/main.rs");
        if source.crate_folder() != "collect" {
            if is_root && !source.text.contains("#![forbid(unsafe_code)]") {
                offences.push(format!("{}: lacks #![forbid(unsafe_code)]", source.path));
            }
            continue;
        }
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let opens =
                ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"].iter().any(|word| code.contains(word));
            let reason = lines[index.saturating_sub(6)..=index].iter().any(|above| above.contains("SAFETY:"));
            if opens && !reason {
                offences.push(format!("{}:{}: no SAFETY reason above", source.path, index + 1));
            }
        }
    }
    none(&offences, "unsafe code");
}

#[test]
fn pure_crates_have_no_clock_no_files_and_no_threads() {
    let offences: Vec<String> = sources()
        .iter()
        .filter(|source| PURE_CRATES.contains(&source.crate_folder()) && !source.is_test())
        .flat_map(|source| {
            source
                .code()
                .filter(|(_, line)| IMPURE.iter().any(|word| line.contains(word)))
                .map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect();
    none(&offences, "time comes with the data; core, expression and analyze do no input or output");
}

#[test]
fn no_test_is_switched_off() {
    let marker = concat!("#[", "ignore");
    let offences: Vec<String> =
        sources().iter().filter(|source| source.text.contains(marker)).map(|source| source.path.clone()).collect();
    none(&offences, "a test that does not run protects nothing");
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let home = std::env::var("HOME").unwrap_or_default();
    let private: Vec<String> = [format!("{}/", root().display()), format!("{}/", home.trim_end_matches('/'))]
        .into_iter()
        .filter(|path| path.len() > 3)
        .collect();
    let top = fs::read_dir(root()).expect("the root can be listed").filter_map(|entry| Some(entry.ok()?.path()));
    let folders = ["crates", "docs", "scripts", "benches", "fuzz", "rules", ".ci"];
    let offences: Vec<String> = top
        .filter(|path| path.is_file())
        .chain(folders.iter().flat_map(|folder| files(folder)))
        .filter(|path| {
            let bytes = fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            private.iter().any(|prefix| text.contains(prefix.as_str()))
        })
        .map(|path| relative(&path))
        .collect();
    none(&offences, &format!("these contain one of {private:?}"));
}

#[test]
fn versions_of_dependencies_stand_once_and_lints_apply_everywhere() {
    let mut offences = Vec::new();
    for path in files("crates").iter().filter(|path| path.ends_with("Cargo.toml")) {
        let text = fs::read_to_string(path).expect("a manifest can be read");
        let manifest: toml::Table = text.parse().expect("a manifest is TOML");
        let path = relative(path);
        if manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) != Some(true) {
            offences.push(format!("{path}: lacks `[lints] workspace = true`"));
        }
        let platforms =
            manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
        let tables = platforms.filter_map(toml::Value::as_table).chain([&manifest]);
        for table in tables {
            for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
                for (name, value) in table.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
                    if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                        offences.push(format!("{path}: {name} does not come from [workspace.dependencies]"));
                    }
                }
            }
        }
    }
    none(&offences, "manifests");
}

#[test]
fn every_shipped_rule_has_an_id_of_its_own() {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut offences = Vec::new();
    let rule_files = ["rules", "crates"].iter().flat_map(|folder| files(folder)).filter(|path| {
        path.extension().is_some_and(|extension| extension == "toml")
            && path.parent().is_some_and(|parent| parent.ends_with("rules"))
    });
    for path in rule_files {
        let text = fs::read_to_string(&path).expect("a rule file can be read");
        let path = relative(&path);
        let file: toml::Table = match text.parse() {
            Ok(file) => file,
            Err(error) => {
                offences.push(format!("{path}: {error}"));
                continue;
            }
        };
        let rules = file.get("rule").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if rules.is_empty() {
            offences.push(format!("{path}: holds no [[rule]]"));
        }
        for rule in rules {
            let text_of = |key: &str| rule.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
            let id = text_of("id");
            for key in ["id", "title", "when"] {
                if text_of(key).is_empty() {
                    offences.push(format!("{path}: rule `{id}` lacks `{key}`"));
                }
            }
            if let Some(first) = seen.insert(id.clone(), path.clone()) {
                offences.push(format!("{path}: rule `{id}` is also in {first}"));
            }
        }
    }
    assert!(!seen.is_empty(), "no shipped rule was found in a folder named `rules`");
    none(&offences, "shipped rules");
}

#[test]
fn decisions_are_numbered_without_a_hole() {
    let mut offences = Vec::new();
    let pages = files("docs/adr");
    assert!(!pages.is_empty(), "docs/adr holds no decision");
    for (index, path) in pages.iter().enumerate() {
        let name = relative(path);
        let number = format!("{:04}", index + 1);
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        if !file_name.starts_with(&format!("{number}-")) || !file_name.ends_with(".md") {
            offences.push(format!("{name}: should be {number}-some-words.md"));
        }
        let text = fs::read_to_string(path).expect("a decision can be read");
        if !text.starts_with(&format!("# {number} ")) {
            offences.push(format!("{name}: the first line should be `# {number} The decision in a sentence`"));
        }
        for part in ["Status:", "## Why", "## Decision", "## What it costs"] {
            if !text.contains(part) {
                offences.push(format!("{name}: lacks `{part}`"));
            }
        }
    }
    none(&offences, "decisions");
}

#[test]
fn every_script_can_be_started() {
    let mut offences = Vec::new();
    for path in files("scripts").iter().chain(&files(".ci")) {
        let name = relative(path);
        let text = fs::read_to_string(path).expect("a script is UTF-8");
        let is_module = path.extension().is_some_and(|extension| extension == "py");
        if !is_module && !text.starts_with("#!") {
            offences.push(format!("{name}: does not start with #!"));
        }
        if text.starts_with("#!/usr/bin/env bash")
            && !text.contains("set -euo pipefail")
            && !text.contains("set -uo pipefail")
        {
            offences.push(format!("{name}: lacks strict mode"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(path).expect("a script has a mode").permissions().mode();
            if !is_module && mode & 0o111 == 0 {
                offences.push(format!("{name}: is not executable"));
            }
        }
    }
    none(&offences, "scripts");
}
