//! Secrets from the environment or from files that nobody else can read.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use watchkeeper_core::text::clean;
use watchkeeper_core::{Problem, Secret, SecretSource};

use super::load::Variable;
use super::safety;

/// The largest secret that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Fetches a secret. The key path of a problem is empty: the caller knows where the source was named.
///
/// # Errors
/// A sentence that names the variable or file and never its content.
pub fn resolve(source: &SecretSource, variable: Variable) -> Result<Secret, Problem> {
    match source {
        SecretSource::Env(name) => from_environment(name, variable),
        SecretSource::File(path) => from_file(path),
    }
}

fn from_environment(name: &str, variable: Variable) -> Result<Secret, Problem> {
    let shown = clean(name, 100);
    let problem = |what: &str| Problem::new("", format!("the environment variable {shown} {what}"));
    // The standard library panics on names that no variable can have.
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(Problem::new("", format!("`{shown}` cannot be the name of an environment variable")));
    }
    let value = variable(name).ok_or_else(|| {
        problem("is not set").help("set it where Watchkeeper is started, or use { file = \"/path\" }")
    })?;
    let value = value.into_string().map_err(|_| problem("is not valid UTF-8"))?;
    if value.is_empty() {
        return Err(problem("is empty"));
    }
    Ok(Secret::new(value))
}

fn from_file(path: &Path) -> Result<Secret, Problem> {
    let shown = clean(&path.display().to_string(), 300);
    let problem = |what: &str| Problem::new("", format!("the secret file {shown} {what}"));
    if !path.is_absolute() {
        return Err(
            problem("is not an absolute path").help("write it from the root, such as \"/etc/watchkeeper/smtp\"")
        );
    }
    let refused = |refusal: safety::Refusal| Problem::new("", refusal.message).help(refusal.help);
    let mut file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => problem("does not exist"),
        ErrorKind::PermissionDenied => {
            problem("cannot be read: permission denied").help("it must belong to the user that Watchkeeper runs as")
        }
        _ => problem(&format!("cannot be read: {error}")),
    })?;
    let metadata = file.metadata().map_err(|error| problem(&format!("cannot be read: {error}")))?;
    if metadata.is_dir() {
        return Err(problem("is a folder"));
    }
    if !metadata.is_file() {
        return Err(problem("is not a regular file"));
    }
    safety::refuse_readable(path, &metadata).map_err(refused)?;
    safety::refuse_writable(path, &metadata, "secret file").map_err(refused)?;
    let mut bytes = Vec::new();
    let read = file.by_ref().take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| problem(&format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > LARGEST {
        return Err(problem(&format!("is larger than {} KiB", LARGEST / 1024)));
    }
    let text = String::from_utf8(bytes).map_err(|_| problem("is not valid UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(problem("is empty"));
    }
    Ok(Secret::new(text))
}
