//! JSON in columns, with its version: a reader refuses what a newer program wrote.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use watchkeeper_core::Evidence;
use watchkeeper_core::evidence::EVIDENCE_VERSION;

use super::Failure;

/// Version of the labels, alert lists and entities in columns.
const VERSION: u16 = 1;

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u16,
    value: T,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u16,
}

/// The text of a value for a column.
pub(super) fn encode<T: Serialize>(what: &str, value: &T) -> Result<String, Failure> {
    to_text(what, &Versioned { version: VERSION, value })
}

/// The value of a column's text.
pub(super) fn decode<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Failure> {
    Ok(from_text::<Versioned<T>>(what, text, VERSION)?.value)
}

/// The text of evidence for a column.
///
/// # Errors
/// If it could not be read again: JSON has no numbers that are not finite.
pub(super) fn encode_evidence(evidence: &Evidence) -> Result<String, Failure> {
    let text = to_text("evidence", evidence)?;
    decode_evidence(&text)?;
    Ok(text)
}

/// The evidence of a column's text.
pub(super) fn decode_evidence(text: &str) -> Result<Evidence, Failure> {
    from_text("evidence", text, EVIDENCE_VERSION)
}

fn to_text<T: Serialize>(what: &str, value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Malformed(format!("{what} cannot be written: {error}")))
}

fn from_text<T: DeserializeOwned>(what: &str, text: &str, newest: u16) -> Result<T, Failure> {
    let malformed = |error: serde_json::Error| Failure::Malformed(format!("{what} cannot be read: {error}"));
    let VersionOnly { version } = serde_json::from_str(text).map_err(malformed)?;
    if version > newest {
        return Err(Failure::Malformed(format!(
            "{what} has version {version}, this program knows versions up to {newest}; a newer version wrote it"
        )));
    }
    serde_json::from_str(text).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_back_and_a_newer_version_is_refused() {
        let text = encode("labels", &vec!["a"]).unwrap();
        assert_eq!(text, r#"{"version":1,"value":["a"]}"#);
        assert_eq!(decode::<Vec<String>>("labels", &text).unwrap(), ["a"]);
        for (text, expected) in [
            (r#"{"version":2,"value":["a"]}"#, "labels has version 2, this program knows versions up to 1"),
            (r#"{"value":["a"]}"#, "labels cannot be read"),
            ("", "labels cannot be read"),
            (r#"{"version":1,"value":7}"#, "labels cannot be read"),
        ] {
            let Err(Failure::Malformed(reason)) = decode::<Vec<String>>("labels", text) else { panic!("{text}") };
            assert!(reason.starts_with(expected), "{reason}");
        }
    }

    #[test]
    fn newer_evidence_is_refused_before_it_is_understood() {
        let Err(Failure::Malformed(reason)) = decode_evidence(r#"{"version":9,"unheard":"of"}"#) else { panic!() };
        assert!(reason.contains("evidence has version 9"), "{reason}");
    }
}
