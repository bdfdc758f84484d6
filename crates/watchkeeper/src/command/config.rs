//! `watchkeeper config`: looking at the configuration without starting anything.

use std::fmt::Write as _;

use clap::Subcommand;
use watchkeeper_core::Problem;
use watchkeeper_core::text::clean;

use crate::cli::{DONE, Global};
use crate::config::{self, Config, ConfigError, Loaded, files, rule_files};
use crate::settings::named_problems;

/// What can be asked about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say whether the configuration is right; exit code 2 if it is not
    Check,
    /// Print the settings in force, and where each was written
    Show,
    /// Print a configuration file with every key explained
    Default,
    /// Print a JSON schema of the configuration, for editors
    Schema,
    /// Print which files are used
    Path,
    /// Print the reference manual in Markdown
    #[command(hide = true)]
    Docs,
}

/// Answers.
pub fn config(global: &Global, command: &ConfigCommand) -> anyhow::Result<u8> {
    let text = match command {
        ConfigCommand::Check => check(&global.load()?)?,
        ConfigCommand::Show => config::effective_document(&global.load()?),
        ConfigCommand::Default => config::default_document(),
        ConfigCommand::Schema => schema()?,
        ConfigCommand::Path => path(global),
        ConfigCommand::Docs => config::manual(),
    };
    super::print(&text)?;
    Ok(DONE)
}

/// What was found, or everything that is wrong, secrets included.
fn check(loaded: &Loaded) -> Result<String, ConfigError> {
    let sources = loaded.secret_sources();
    let unresolved = sources.iter().filter_map(|(key_path, source)| loaded.resolve(source, key_path).err());
    let problems: Vec<Problem> = unresolved.chain(named_problems(&loaded.config)).collect();
    if !problems.is_empty() {
        return Err(loaded.report(problems));
    }
    let mut text = String::from("ok\n");
    let file = match &loaded.file {
        Some(path) => clean(&path.display().to_string(), 300),
        None => "none, the defaults are used".to_owned(),
    };
    let config = &loaded.config;
    let names = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let channels = config.smtp.keys().map(|name| format!("{} (smtp)", clean(name, 100))).collect();
    let rules = config::effective_rules(config).unwrap_or_default();
    let shipped = rules.iter().filter(|rule| rule.shipped).count();
    let _ = writeln!(text, "file:     {file}");
    for (index, path) in loaded.rule_files.iter().enumerate() {
        let name = if index == 0 { "rules.d:" } else { "" };
        let _ = writeln!(text, "{name:9} {}", files::shown(path));
    }
    let _ = writeln!(text, "channels: {}", names(channels));
    let _ = writeln!(text, "routes:   {}", config.route.len());
    let _ = writeln!(text, "rules:    {shipped} shipped, {} of your own", rules.len() - shipped);
    let _ = writeln!(text, "secrets:  {} found", sources.len());
    if !config.sink.is_empty() {
        let files = config.sink.iter().map(|sink| clean(&sink.path.display().to_string(), 300)).collect();
        let _ = writeln!(text, "files:    {}", names(files));
    }
    if !config.store.samples && config.sink.is_empty() {
        text.push_str("warning:  nothing is logged: store.samples is false, and there is no [[sink]]\n");
    }
    Ok(text)
}

fn schema() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&schemars::schema_for!(Config))? + "\n")
}

/// The files that are read, one a line, and why, as comments.
fn path(global: &Global) -> String {
    let config = global.config.as_deref();
    let Some((path, reason)) = files::candidate(config) else {
        return "# this user has no home folder; the defaults are used\n".to_owned();
    };
    let state = match path.try_exists() {
        Ok(true) => "it is used",
        Ok(false) if reason == files::Reason::Platform => "it does not exist, the defaults are used",
        Ok(false) => "it does not exist",
        Err(_) => "it cannot be looked at",
    };
    let mut text = format!("{}\n# {}; {state}\n", files::shown(&path), reason.words());
    let Some(folder) = rule_files::folder(config) else { return text };
    let (paths, state) = match rule_files::list(&folder) {
        Ok(paths) if paths.is_empty() => (paths, "there are none".to_owned()),
        Ok(paths) if paths.len() == 1 => (paths, "1 file is used".to_owned()),
        Ok(paths) => {
            let state = format!("{} files are used", paths.len());
            (paths, state)
        }
        Err(_) => (Vec::new(), "it cannot be looked at".to_owned()),
    };
    for path in &paths {
        let _ = writeln!(text, "{}", files::shown(path));
    }
    let _ = writeln!(text, "# rules in {}; {state}", files::shown(&folder.join("*.toml")));
    text
}
