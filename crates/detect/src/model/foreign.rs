//! What bytes look like that are no model of ours, so that the sentence can say which file was given by mistake.

use crate::error::ModelError;

/// Beginnings of files, and what has them.
const KNOWN: [(&[u8], &str); 12] = [
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls) or another Office document"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"<?xml", "an XML document"),
];

/// What joblib writes when it compresses, and old versions of it: gzip, bzip2, xz, lzma, lz4, its own.
const COMPRESSED: [&[u8]; 6] = [b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\0\0", b"\x04\x22\x4d\x18", b"ZF0x"];

/// Bytes that are looked at.
const LOOKED_AT: usize = 4_096;

/// The error for bytes that do not begin as a model does.
pub(super) fn foreign(bytes: &[u8]) -> ModelError {
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    if is_pickle(head) || is_zlib(head) || COMPRESSED.iter().any(|start| head.starts_with(start)) {
        return ModelError::Joblib;
    }
    ModelError::Foreign { looks_like: looks_like(head) }
}

fn looks_like(head: &[u8]) -> Option<&'static str> {
    if head.is_empty() {
        return Some("an empty file");
    }
    if head.starts_with(b"PK\x03\x04") {
        // The parts of a workbook are named without compression.
        let names = [&b"[Content_Types].xml"[..], b"xl/", b"_rels/"];
        let is_workbook = names.iter().any(|name| head.windows(name.len()).any(|window| window == *name));
        return Some(if is_workbook { "an Excel workbook" } else { "a zip archive" });
    }
    if let Some((_, what)) = KNOWN.iter().find(|(start, _)| head.starts_with(start)) {
        return Some(what);
    }
    text(head)
}

/// Pickle protocol 2 to 5. Protocols 0 and 1 begin like any text.
fn is_pickle(head: &[u8]) -> bool {
    matches!(head, [0x80, 2..=5, ..])
}

/// A zlib stream with a window of 32 KiB, which is what Python writes; its first two bytes are a multiple of 31.
fn is_zlib(head: &[u8]) -> bool {
    matches!(head, [0x78, flags, ..] if (0x7800 + u16::from(*flags)).is_multiple_of(31))
}

fn text(head: &[u8]) -> Option<&'static str> {
    let whole = match std::str::from_utf8(head) {
        Ok(text) => text,
        // Cut within a character by us, not by whoever wrote it.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let text = whole.trim_start_matches('\u{feff}').trim_start();
    if text.is_empty() || text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    if is_json(text) {
        return Some("a JSON file");
    }
    let line = text.lines().next().unwrap_or_default();
    Some(if line.contains([',', ';', '\t']) { "a CSV file" } else { "a text file" })
}

/// An object, or an array of texts, objects or arrays: a line of a log may begin with a bracket and a date.
fn is_json(text: &str) -> bool {
    let inside = |bracket| text.strip_prefix(bracket).map(str::trim_start);
    inside('{').is_some_and(|rest| rest.starts_with(['"', '}']))
        || inside('[').is_some_and(|rest| rest.starts_with(['"', '{', '[', ']']))
}
