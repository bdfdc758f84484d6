//! Files of other shapes than the configuration's, whose mistakes are shown in the same way.

use std::path::Path;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use watchkeeper_core::Problem;

use super::super::diagnostic::ConfigError;
use super::super::files::{self, Unreadable, Writers};
use super::super::shape::Shape;
use super::super::source_map::{Origin, SourceMap};
use super::{Assembled, assemble, locate, read};

/// A file that was read.
#[derive(Debug)]
pub struct SideFile<T> {
    /// What it says.
    pub value: T,
    map: SourceMap,
    shape: Shape,
}

/// Reads a file that is looked at and not gone by; `what` it is, for messages, and `check` what is wrong with it beyond
/// its shape.
///
/// # Errors
/// Everything that is wrong with it, rendered.
pub fn load_side<T: DeserializeOwned + JsonSchema>(
    path: &Path,
    what: &str,
    check: impl FnOnce(&T) -> Vec<Problem>,
) -> Result<SideFile<T>, ConfigError> {
    let text = files::read(path, what, Writers::Anybody).map_err(|unreadable| {
        let said = match unreadable {
            Unreadable::Missing => files::missing(path, what),
            Unreadable::Folder(refusal) | Unreadable::Because(refusal) => refusal,
        };
        ConfigError::sentence(said.message, said.help)
    })?;
    let shape = Shape::of::<T>();
    let mut map = SourceMap::default();
    map.add(Origin::File(path.display().to_string()), Vec::new(), text);
    let Assembled { root, is_whole, mut diagnostics, .. } = assemble(&map, &shape);
    if !is_whole {
        return Err(ConfigError::render(diagnostics, &map, &shape));
    }
    let mut part = read::<T>(root, &shape);
    diagnostics.append(&mut part.diagnostics);
    if let Some(value) = &part.value {
        diagnostics.extend(check(value).into_iter().filter_map(|problem| part.locate(problem, &map)));
    }
    match part.value {
        Some(value) if diagnostics.is_empty() => Ok(SideFile { value, map, shape }),
        _ => Err(ConfigError::render(diagnostics, &map, &shape)),
    }
}

impl<T> SideFile<T> {
    /// Problems that were found later, shown at the places where the values were written.
    pub fn report(&self, problems: Vec<Problem>) -> ConfigError {
        let Assembled { root, .. } = assemble(&self.map, &self.shape);
        let located = problems.into_iter().map(|problem| locate(problem, &root, &self.map));
        ConfigError::render(located.collect(), &self.map, &self.shape)
    }
}
