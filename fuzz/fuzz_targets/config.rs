//! The configuration file and a file of rules beside it, from texts to checked settings: no panic, an error is a text that a
//! terminal can show, and what is accepted reads back the same from the document that `config show` prints. A line `---`
//! stands between the two files.
#![no_main]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use watchkeeper::config::{ConfigError, Loaded, SourceFile, Sources, effective_document, load};

/// A file of our own that nobody else may write, below the folder for temporary files.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("watchkeeper-fuzz-{}.toml", std::process::id()));
    fs::write(&path, "").expect("a file can be made");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    path
});

fuzz_target!(|text: &str| {
    let (main, rules) = text.split_once("\n---\n").map_or((text, None), |(main, rules)| (main, Some(rules)));
    match read(main, rules) {
        Ok(loaded) => {
            let document = effective_document(&loaded);
            let again = read(&document, None).expect("what is shown can be loaded");
            assert_eq!(again.config, loaded.config, "{text:?}");
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.is_empty(), "refused without a reason");
            assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?} reaches a terminal");
        }
    }
});

/// As the program does it at its start.
fn read(text: &str, rules: Option<&str>) -> Result<Loaded, ConfigError> {
    fs::write(&*FILE, text).expect("a file can be written");
    let mut sources = Sources::from_process(Some(&FILE), Vec::<(String, String, String)>::new())?;
    let file = |text: &str| SourceFile { path: PathBuf::from("rules.d/fuzz.toml"), text: text.to_owned() };
    sources.rules.files.extend(rules.map(file));
    load(sources)
}
