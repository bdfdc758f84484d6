//! From texts to a checked configuration. Pure: what it reads comes in [`Sources`].

mod side;

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::DeValue;
use watchkeeper_analyze::Rule;
use watchkeeper_core::{Problem, Secret, SecretSource};

use super::assemble::{Assembled, assemble, salvage};
use super::diagnostic::{ConfigError, Diagnostic};
use super::rule_files::{self, RuleFiles};
use super::shape::Shape;
use super::source_map::{Origin, SourceMap};
use super::tree::{self, Node};
use super::{Config, environment, files, inner, inspect, rules, secrets};

pub use side::{SideFile, load_side};

/// The shape of [`Config`].
pub static SHAPE: LazyLock<Shape> = LazyLock::new(Shape::of::<Config>);

/// Everything that a configuration is made of. Later ones win: file, environment, flags.
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<SourceFile>,
    /// The files of rules beside it.
    pub rules: RuleFiles,
    /// Environment variables; those that do not begin with `WATCHKEEPER_` are ignored.
    pub environment: Vec<(OsString, OsString)>,
    /// Flags that set a key.
    pub overrides: Vec<Override>,
    /// Looks up the variables that secrets are in.
    pub variable: Variable,
}

/// Looks up an environment variable by its name.
pub type Variable = fn(&str) -> Option<OsString>;

impl Default for Sources {
    /// Nothing at all, also no environment.
    fn default() -> Self {
        let rules = RuleFiles::default();
        Self { file: None, rules, environment: Vec::new(), overrides: Vec::new(), variable: |_| None }
    }
}

/// A configuration file that was read.
pub struct SourceFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// A flag that sets a key.
pub struct Override {
    /// The flag as it was typed, for messages: `--log-level`.
    pub flag: String,
    /// The key it sets: `log.level`.
    pub key_path: String,
    /// Its value: TOML, or a text without quotes.
    pub value: String,
}

impl From<(String, String, String)> for Override {
    fn from((flag, key_path, value): (String, String, String)) -> Self {
        Self { flag, key_path, value }
    }
}

impl Sources {
    /// What this process was started with: the given file, else that of `WATCHKEEPER_CONFIG`, else the first of the
    /// platform's folders; the files of `rules.d` beside it; its environment; the given flags.
    pub fn from_process<O: Into<Override>>(
        config: Option<&Path>,
        overrides: impl IntoIterator<Item = O>,
    ) -> Result<Self, ConfigError> {
        let file = files::find(config)?;
        let rules = rule_files::folder(config).map(|folder| RuleFiles::read(&folder)).unwrap_or_default();
        let overrides = overrides.into_iter().map(Into::into).collect();
        let variable: Variable = |name| std::env::var_os(name);
        Ok(Self { file, rules, environment: environment::of_this_process(), overrides, variable })
    }

    /// The environment of this process alone, without any file.
    pub fn from_environment() -> Self {
        Self { environment: environment::of_this_process(), ..Self::default() }
    }
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// All settings, with defaults.
    pub config: Config,
    /// The file they came from, if there is one.
    pub file: Option<PathBuf>,
    /// The files of rules, in the order in which they were read.
    pub rule_files: Vec<PathBuf>,
    variable: Variable,
    map: SourceMap,
}

/// Reads a configuration and checks all of it.
///
/// # Errors
/// Everything that is wrong with it, rendered.
pub fn load(sources: Sources) -> Result<Loaded, ConfigError> {
    let shape = &*SHAPE;
    let mut map = SourceMap::default();
    let path = sources.file.map(|file| {
        let name = file.path.display().to_string();
        map.add(Origin::File(name), Vec::new(), file.text);
        file.path
    });
    let mut rule_files = Vec::new();
    for file in sources.rules.files {
        map.add(Origin::RuleFile(file.path.display().to_string()), Vec::new(), file.text);
        rule_files.push(file.path);
    }
    let mut diagnostics = sources.rules.unread;
    diagnostics.extend(environment::collect(&sources.environment, shape, &mut map));
    for flag in sources.overrides {
        let keys = flag.key_path.split('.').map(str::to_owned).collect();
        map.add(Origin::Flag(flag.flag), keys, flag.value);
    }
    let Assembled { root, is_whole, diagnostics: wrong, begins } = assemble(&map, shape);
    diagnostics.extend(wrong);
    let mut part = read::<Config>(root, shape);
    diagnostics.append(&mut part.diagnostics);
    if let Some(config) = &part.value {
        let problems = if is_whole { config.problems(&part.channels) } else { config.problems_of_rules_alone() };
        diagnostics.extend(problems.into_iter().filter_map(|problem| part.locate(problem, &map)));
    }
    match part.value {
        Some(config) if diagnostics.is_empty() => {
            Ok(Loaded { config, file: path, rule_files, variable: sources.variable, map })
        }
        _ => {
            let in_files = diagnostics.into_iter().map(|diagnostic| begins.as_in_file(diagnostic));
            Err(ConfigError::render(in_files.collect(), &map, shape))
        }
    }
}

/// What can be made out of a configuration that cannot be used, for whoever only wants to ask the watch that goes on
/// without it. Nothing of it is checked.
pub fn salvaged(sources: Sources) -> Config {
    let shape = &*SHAPE;
    let mut map = SourceMap::default();
    if let Some(file) = sources.file {
        map.add(Origin::File(file.path.display().to_string()), Vec::new(), file.text);
    }
    environment::collect(&sources.environment, shape, &mut map);
    read::<Config>(salvage(&map, shape), shape).value.unwrap_or_default()
}

impl Loaded {
    /// The zone of local times: the configured one, else the system's.
    pub fn time_zone(&self) -> Result<TimeZone, Problem> {
        self.config.host.zone().map_err(|problem| problem.under("host"))
    }

    /// The rules in force, compiled.
    pub fn rules(&self) -> Result<Vec<Rule>, Vec<Problem>> {
        rules::effective_rules(&self.config)
    }

    /// The secret of this source; `key_path` is where the configuration names it.
    pub fn resolve(&self, source: &SecretSource, key_path: &str) -> Result<Secret, Problem> {
        secrets::resolve(source, self.variable).map_err(|problem| problem.under(key_path))
    }

    /// Every source of a secret that the configuration names, with its key path.
    pub fn secret_sources(&self) -> Vec<(String, SecretSource)> {
        let smtp = self.config.smtp.iter();
        smtp.filter_map(|(name, smtp)| Some((format!("smtp.{name}.password"), smtp.password.clone()?))).collect()
    }

    /// Problems that were found later, shown at the places where the values were written.
    pub fn report(&self, problems: Vec<Problem>) -> ConfigError {
        let Assembled { root, begins, .. } = assemble(&self.map, &SHAPE);
        let located = problems.into_iter().map(|problem| begins.as_in_file(locate(problem, &root, &self.map)));
        ConfigError::render(located.collect(), &self.map, &SHAPE)
    }

    /// Hands over the settings that were written, with their places.
    pub fn written<R>(&self, look: impl FnOnce(&Node<'_>, &SourceMap) -> R) -> R {
        look(&assemble(&self.map, &SHAPE).root, &self.map)
    }

    /// Where each of the user's own rules was written.
    pub fn rule_places(&self) -> Vec<Option<Place>> {
        let place = |root: &Node<'_>, map: &SourceMap, index: usize| {
            let node = tree::lookup(root, &format!("rule.{index}")).node?;
            let (source, local) = map.local(&node.span())?;
            Some(Place { file: PathBuf::from(source.origin.to_string()), line: source.line(local.start) })
        };
        self.written(|root, map| (0..self.config.rule.len()).map(|index| place(root, map, index)).collect())
    }

    /// A number that changes with what the files say.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for source in self.map.sources().iter().filter(|source| source.origin.is_file()) {
            (source.origin.to_string(), &source.text).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
}

/// What could be read of a tree.
struct Part<'i, T> {
    /// The value, without the parts that were wrong.
    value: Option<T>,
    /// The tree that the value was read from.
    sound: Node<'i>,
    /// Everything that was wrong.
    diagnostics: Vec<Diagnostic>,
    /// Key paths of what was taken out.
    removed: Vec<String>,
    /// Entries of lists that moved up, and where they were written.
    moved: Vec<(String, usize)>,
    /// Names of all channels, also of those that cannot be used: a route to them is not the mistake.
    channels: Vec<String>,
}

fn read<'i, T: DeserializeOwned>(root: Node<'i>, shape: &Shape) -> Part<'i, T> {
    let channels = match tree::lookup(&root, "smtp").node.map(Spanned::get_ref) {
        Some(DeValue::Table(channels)) => channels.keys().map(|key| key.get_ref().to_string()).collect(),
        _ => Vec::new(),
    };
    let inspection = inspect::inspect(root, shape);
    let (mut sound, mut diagnostics) = (inspection.sound, inspection.diagnostics);
    // What the walk cannot know, the types themselves say: one mistake a time, which is then taken out.
    let value = loop {
        let DeValue::Table(table) = sound.get_ref() else { break None };
        let deserializer = toml::de::Deserializer::from(Spanned::new(sound.span(), table.clone()));
        match T::deserialize(deserializer) {
            Ok(value) => break Some(value),
            Err(error) => {
                let span = error.span();
                let diagnostic = Diagnostic::new(error.message());
                let removed = span.as_ref().is_some_and(|span| tree::remove_span(&mut sound, span));
                diagnostics.push(match span {
                    Some(span) if removed => diagnostic.at(span),
                    _ => diagnostic,
                });
                if !removed {
                    break None;
                }
            }
        }
    };
    Part { value, sound, diagnostics, removed: inspection.removed, moved: inspection.moved, channels }
}

impl<T> Part<'_, T> {
    /// A problem with its place; `None` if it only follows from something that was taken out before.
    fn locate(&self, problem: Problem, map: &SourceMap) -> Option<Diagnostic> {
        if self.removed.iter().any(|removed| follows(&problem, removed)) {
            return None;
        }
        let mut diagnostic = locate(problem, &self.sound, map);
        diagnostic.key = diagnostic.key.map(|key| self.as_written(&key));
        Some(diagnostic)
    }

    /// The key path with the positions that list entries had before others were taken out.
    fn as_written(&self, key_path: &str) -> String {
        let mut parts: Vec<String> = key_path.split('.').map(str::to_owned).collect();
        for (moved, position) in &self.moved {
            if is_below(key_path, moved)
                && let Some(part) = parts.get_mut(moved.matches('.').count())
            {
                *part = position.to_string();
            }
        }
        parts.join(".")
    }
}

/// Whether a key path is another one or leads below it.
fn is_below(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a problem comes from the absence of what was taken out.
fn follows(problem: &Problem, removed: &str) -> bool {
    let key_path = problem.key_path.as_str();
    if is_below(removed, key_path) || is_below(key_path, removed) {
        return true;
    }
    // `a user without a password` where the password was taken out.
    let Some((table, key)) = removed.rsplit_once('.') else { return false };
    let said = format!("{} {}", problem.message, problem.help.as_deref().unwrap_or_default());
    is_below(key_path, table) && said.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key)
}

/// A problem with the place of its key.
fn locate(problem: Problem, root: &Node<'_>, map: &SourceMap) -> Diagnostic {
    let place = tree::lookup(root, &problem.key_path);
    // The table around a missing key is shown only where somebody wrote a header: in a file.
    let is_in_file = |node: &&Node<'_>| map.local(&node.span()).is_some_and(|(source, _)| source.origin.is_file());
    let mut span = place.node.or(place.nearest.filter(is_in_file)).map(Spanned::span);
    if let (Some(within), Some(node)) = (&problem.within, place.node)
        && let Some(value) = node.get_ref().as_str()
        && let Some((source, local)) = map.local(&node.span())
        && let Some(found) = inner::within(&source.text[local], value, within)
    {
        let base = node.span().start;
        span = Some(found.start + base..found.end + base);
    }
    let first = problem.first.and_then(|key_path| tree::lookup(root, &key_path).node.map(Spanned::span));
    Diagnostic { message: problem.message, span, key: Some(problem.key_path), help: problem.help, first }
}
