//! The rules that come with the program, for tests that want none of them or count them.

/// Ids of those that are in force without configuration.
pub fn in_force() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules");
    let files = std::fs::read_dir(folder).expect("the folder of rules");
    let mut ids = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file.expect("a file of rules").path()).expect("its text");
        let table: toml::Table = toml::from_str(&text).expect("TOML");
        for rule in table["rule"].as_array().expect("rules") {
            if rule.get("enabled").and_then(toml::Value::as_bool) != Some(false) {
                ids.push(rule["id"].as_str().expect("an id").to_owned());
            }
        }
    }
    ids
}

/// A line of `[rules]` that takes them all out.
pub fn none() -> String {
    format!("disable = {:?}", in_force())
}
