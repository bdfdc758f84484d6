//! The file of a model: written whole or not at all, and read with a sentence for whatever is wrong with it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use watchkeeper_core::text::clean;
use watchkeeper_detect::{Model, ModelError};
use watchkeeper_report::{Column, column};

use crate::config::refuse_writable;

/// Where a model lies when no other place is named.
pub const DEFAULT_PATH: &str = "anomaly_detector.model";

/// No model is larger than this.
const LARGEST_BYTES: u64 = 1 << 30;

/// Why a model could not be read or written.
#[derive(Debug, Error)]
pub enum ModelFileError {
    /// There is no file.
    #[error("there is no model {}; learn one first: {}", shown(path), train_command(path))]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It is no model that can be used.
    #[error("{}: {reason}; {}", shown(path), remedy(path, reason))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: ModelError,
    },
    /// It is too large to be a model.
    #[error("{} is too large to be a model; name the file of one with --model", shown(path))]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no file.
    #[error("{} is no file; name the file of a model with --model", shown(path))]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// The system refused to read it.
    #[error("cannot read the model {}: {reason}", shown(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Something else lies where the model is to be written.
    #[error(
        "{} is there and is no model of Watchkeeper; it is left as it is: name another file with --model",
        shown(path)
    )]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// It judges by something that no recording of this version has.
    #[error(
        "{} judges by {features}, which this program does not know; learn another model: {}",
        shown(path),
        train_command(path)
    )]
    UnknownFeatures {
        /// The file.
        path: PathBuf,
        /// The features, safe to show.
        features: String,
    },
    /// Others could have written it, and root would rely on it.
    #[error("{reason}; {remedy}")]
    Unsafe {
        /// What is wrong, with the file.
        reason: String,
        /// The command that mends it.
        remedy: String,
    },
    /// The system refused to write it.
    #[error("cannot write the model {}: {}; what was there before is unchanged", shown(path), why(reason))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

/// Reads a model.
pub fn read(path: &Path) -> Result<Model, ModelFileError> {
    let bytes = read_bytes(path)?;
    Model::from_bytes(&bytes).map_err(|reason| ModelFileError::Unusable { path: path.to_owned(), reason })
}

/// The same for a watch: as root only a file that nobody else can have written.
pub fn read_as_trusted(path: &Path) -> Result<Model, ModelFileError> {
    if let Ok(metadata) = fs::metadata(path) {
        refuse_writable(path, &metadata, "the model")
            .map_err(|refusal| ModelFileError::Unsafe { reason: refusal.message, remedy: refusal.help })?;
    }
    read(path)
}

/// The columns that a model judges by, in its order.
pub fn columns(model: &Model, path: &Path) -> Result<Vec<&'static Column>, ModelFileError> {
    let unknown: Vec<String> = model
        .features()
        .filter(|feature| column(feature).is_none())
        .map(|feature| format!("`{}`", clean(feature, 80)))
        .collect();
    if !unknown.is_empty() {
        return Err(ModelFileError::UnknownFeatures { path: path.to_owned(), features: unknown.join(", ") });
    }
    Ok(model.features().filter_map(column).collect())
}

/// Says whether a model may be written here: over an older model, not over anything else, and not over a folder.
pub fn check_target(path: &Path) -> Result<(), ModelFileError> {
    match read(path) {
        Err(ModelFileError::Unusable { reason: ModelError::Foreign { .. } | ModelError::Joblib, path }) => {
            // What is empty cannot be lost.
            let is_empty = fs::metadata(&path).is_ok_and(|metadata| metadata.len() == 0);
            if is_empty { Ok(()) } else { Err(ModelFileError::Taken { path }) }
        }
        Err(ModelFileError::TooLarge { path }) => Err(ModelFileError::Taken { path }),
        Ok(_) | Err(ModelFileError::Missing { .. } | ModelFileError::Unusable { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes a model under a temporary name beside its place, syncs it and renames it. Answers its size in bytes.
pub fn write(path: &Path, model: &Model) -> Result<u64, ModelFileError> {
    let bytes = model.to_bytes();
    watchkeeper_report::replace_file(path, &bytes)
        .map_err(|reason| ModelFileError::Write { path: path.to_owned(), reason })?;
    Ok(bytes.len() as u64)
}

/// The command that learns a model into this file.
pub fn train_command(path: &Path) -> String {
    format!("`watchkeeper train{}`", model_flag(path))
}

/// What to do about a file that is no model, without losing it.
fn remedy(path: &Path, reason: &ModelError) -> String {
    match reason {
        ModelError::Foreign { .. } | ModelError::Joblib => {
            let renamed = path.with_extension("model");
            let other = if renamed == path { path.with_file_name("watchkeeper.model") } else { renamed };
            format!("learn one of your own beside it: {}", train_command(&other))
        }
        ModelError::Newer { .. } => format!("update this program, or learn a new one: {}", train_command(path)),
        ModelError::Damaged { .. } => format!("learn a new one: {}", train_command(path)),
    }
}

/// ` --model FILE` as a shell takes it, or nothing for the default.
pub fn model_flag(path: &Path) -> String {
    if path == Path::new(DEFAULT_PATH) { String::new() } else { format!(" {}", file_flag("--model", path)) }
}

/// A flag with a file, as a shell takes it and as this program does: a name that begins with a dash looks like a flag.
pub fn file_flag(flag: &str, path: &Path) -> String {
    let name = shown(path);
    let mark = if name.starts_with('-') { '=' } else { ' ' };
    format!("{flag}{mark}{}", shell_word(&name))
}

fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:\\+@%,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else if cfg!(windows) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A path, safe to show.
pub fn shown(path: &Path) -> String {
    clean(&path.display().to_string(), 300)
}

fn why(reason: &io::Error) -> String {
    match reason.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "no space is left".to_owned(),
        io::ErrorKind::NotFound => "its folder does not exist".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::PermissionDenied => "the system refuses to write there".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "its filesystem is read-only".to_owned(),
        _ => reason.to_string(),
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, ModelFileError> {
    let failed = |reason: io::Error| match reason.kind() {
        io::ErrorKind::NotFound => ModelFileError::Missing { path: path.to_owned() },
        _ => ModelFileError::Read { path: path.to_owned(), reason },
    };
    // Asked before it is opened: a pipe would wait for a writer.
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(ModelFileError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_BYTES {
        return Err(ModelFileError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_detect::{ForestOptions, Training};

    fn model() -> Model {
        let rows: Vec<f64> = (0..40).map(|number| f64::from(number % 7)).collect();
        let features = ["CPU Usage (%)".to_owned(), "Memory Usage (%)".to_owned()];
        let training = Training { features: &features, rows: &rows, at_ms: 0, source: "a.csv", interval_ms: None };
        Model::train(&training, &ForestOptions { trees: 5, ..ForestOptions::default() }).unwrap()
    }

    /// A sentence without the path of this run.
    fn said<T: std::fmt::Debug>(result: Result<T, ModelFileError>, folder: &Path) -> String {
        result.unwrap_err().to_string().replace(&folder.display().to_string(), "FOLDER").replace('\\', "/")
    }

    #[test]
    fn a_model_of_another_kind_is_refused_with_the_command() {
        let trained = |features: &[&str]| {
            let features: Vec<String> = features.iter().map(|feature| (*feature).to_owned()).collect();
            let rows: Vec<f64> = (0..20 * features.len()).map(|number| (number % 7) as f64).collect();
            let training = Training { features: &features, rows: &rows, at_ms: 0, source: "a.csv", interval_ms: None };
            Model::train(&training, &ForestOptions::default()).unwrap()
        };
        let path = Path::new("other.model");
        let error = columns(&trained(&["CPU Usage (%)", "Fan\u{1b} (rpm)", "Noise"]), path).unwrap_err();
        assert_eq!(
            error.to_string(),
            "other.model judges by `Fan\\u{1b} (rpm)`, `Noise`, which this program does not know; learn another model: \
             `watchkeeper train --model other.model`"
        );
        let known = columns(&trained(&["Memory Usage (%)", "CPU Usage (%)"]), path).unwrap();
        assert_eq!(known.iter().map(|column| column.short).collect::<Vec<_>>(), ["memory", "cpu"]);
    }

    #[test]
    fn a_model_is_written_whole_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.model");
        let model = model();
        assert!(check_target(&path).is_ok());
        let bytes = write(&path, &model).unwrap();
        assert_eq!((read(&path).unwrap(), fs::metadata(&path).unwrap().len()), (model.clone(), bytes));
        assert!(check_target(&path).is_ok(), "an older model may be replaced");
        fs::write(&path, model.to_bytes().split_at(100).0).unwrap();
        assert!(check_target(&path).is_ok(), "a damaged one too");
        write(&path, &model).unwrap();
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a.model"], "something temporary was left");
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write_bytes = |name: &str, bytes: &[u8]| fs::write(path(name), bytes).unwrap();
        let whole = model().to_bytes();
        write_bytes("anomaly_detector.joblib", b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00");
        write_bytes("report.xlsx", b"PK\x03\x04 and more of it");
        write_bytes("other.model", b"quite something else");
        write_bytes("cut.model", &whole[..whole.len() / 2]);
        write_bytes("empty.model", b"");
        fs::create_dir(path("folder")).unwrap();
        let mut sentences = String::new();
        for name in ["nowhere.model", "anomaly_detector.joblib", "report.xlsx", "other.model", "empty.model", "folder"]
        {
            sentences.push_str(&said(read(&path(name)), folder.path()));
            sentences.push('\n');
        }
        insta::assert_snapshot!(sentences, @"
        there is no model FOLDER/nowhere.model; learn one first: `watchkeeper train --model FOLDER/nowhere.model`
        FOLDER/anomaly_detector.joblib: this looks like a model that Python saved (joblib or pickle); such a file is a program that runs when it is loaded, so Watchkeeper does not load it; learn one of your own beside it: `watchkeeper train --model FOLDER/anomaly_detector.model`
        FOLDER/report.xlsx: this is not a model of Watchkeeper; it looks like a zip archive; learn one of your own beside it: `watchkeeper train --model FOLDER/report.model`
        FOLDER/other.model: this is not a model of Watchkeeper; it looks like a text file; learn one of your own beside it: `watchkeeper train --model FOLDER/watchkeeper.model`
        FOLDER/empty.model: this is not a model of Watchkeeper; it looks like an empty file; learn one of your own beside it: `watchkeeper train --model FOLDER/watchkeeper.model`
        FOLDER/folder is no file; name the file of a model with --model
        ");
        // What exactly is damaged is the model's own matter.
        let damaged = said(read(&path("cut.model")), folder.path());
        assert!(damaged.starts_with("FOLDER/cut.model: the model is damaged: "), "{damaged}");
        assert!(damaged.ends_with("; learn a new one: `watchkeeper train --model FOLDER/cut.model`"), "{damaged}");
        let newer =
            ModelFileError::Unusable { path: DEFAULT_PATH.into(), reason: ModelError::Newer { found: 9, known: 1 } };
        assert_eq!(
            newer.to_string(),
            "anomaly_detector.model: the model has format version 9, and this program knows versions up to 1; update this \
             program, or learn a new one: `watchkeeper train`"
        );
        let default = said(read(Path::new(DEFAULT_PATH)), folder.path());
        assert_eq!(default, "there is no model anomaly_detector.model; learn one first: `watchkeeper train`");

        let mut targets = String::new();
        for name in ["anomaly_detector.joblib", "report.xlsx", "folder"] {
            targets.push_str(&said(check_target(&path(name)), folder.path()));
            targets.push('\n');
        }
        targets.push_str(&said(write(&path("nowhere/a.model"), &model()), folder.path()));
        targets.push('\n');
        insta::assert_snapshot!(targets, @"
        FOLDER/anomaly_detector.joblib is there and is no model of Watchkeeper; it is left as it is: name another file with --model
        FOLDER/report.xlsx is there and is no model of Watchkeeper; it is left as it is: name another file with --model
        FOLDER/folder is no file; name the file of a model with --model
        cannot write the model FOLDER/nowhere/a.model: its folder does not exist; what was there before is unchanged
        ");
        assert!(check_target(&path("empty.model")).is_ok(), "what is empty cannot be lost");
    }

    #[test]
    fn a_full_disk_is_called_so() {
        let full = ModelFileError::Write { path: "a.model".into(), reason: io::ErrorKind::StorageFull.into() };
        assert_eq!(
            full.to_string(),
            "cannot write the model a.model: no space is left; what was there before is unchanged"
        );
    }

    #[cfg(unix)]
    #[test]
    fn commands_can_be_pasted() {
        for (path, command) in [
            ("anomaly_detector.model", "`watchkeeper train`"),
            ("/srv/a.model", "`watchkeeper train --model /srv/a.model`"),
            ("my model", "`watchkeeper train --model 'my model'`"),
            ("it's", r"`watchkeeper train --model 'it'\''s'`"),
            ("-a.model", "`watchkeeper train --model=-a.model`"),
        ] {
            assert_eq!(train_command(Path::new(path)), command);
        }
    }
}
