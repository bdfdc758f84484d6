//! Every mistake in a folder of bad rule files, and what is said about it.

use std::path::{Path, PathBuf};

use watchkeeper::config::{SourceFile, Sources, load};

/// What the program says about a file of this text; `None` if it has nothing against it.
fn said(text: &str) -> Option<String> {
    let file = SourceFile { path: PathBuf::from("watchkeeper.toml"), text: text.to_owned() };
    load(Sources { file: Some(file), ..Sources::default() }).err().map(|error| error.to_string())
}

/// Compares with the text beside each file; with `UPDATE_EXPECT=1` writes that text instead.
#[test]
fn every_mistake_in_a_rule_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-rules");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    assert!(paths.len() >= 90, "the files are there: {}", paths.len());
    let mut different = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let said = said(&text).unwrap_or_else(|| panic!("nothing is said about {}", path.display()));
        assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{}\n{said}", path.display());
        assert!(said.contains("watchkeeper.toml:"), "{} says no line\n{said}", path.display());
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&golden, &said).unwrap();
        }
        if std::fs::read_to_string(&golden).unwrap_or_default() != said {
            different.push(format!("{}\n{said}", path.display()));
        }
    }
    assert!(different.is_empty(), "run with UPDATE_EXPECT=1 and look at what changed:\n{}", different.join("\n"));
}
