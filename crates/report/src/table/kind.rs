//! What a file is, told from its first bytes: its name may lie.

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A zip archive: a workbook, or something that is told apart by its parts.
    Archive,
    /// Text, which may be a table.
    Text,
    /// Nothing.
    Nothing,
    /// Something else that we can name: what it is, and what to do.
    Foreign(&'static str, &'static str),
}

/// What to do with other spreadsheets.
pub(super) const SAVE_AS: &str = "open it in a spreadsheet program and save it as .xlsx or .csv";
const UNPACK: &str = "unpack it first";
/// What to do with what is no table at all.
pub(super) const NAME_THE_DATA: &str = "name the workbook or CSV that the data is in";

#[rustfmt::skip] // a table: one kind a line
const MAGIC: &[(&[u8], Kind)] = &[
    (b"PK\x03\x04", Kind::Archive),
    (b"PK\x05\x06", Kind::Foreign("is an empty archive", NAME_THE_DATA)),
    (b"\x89WKM", Kind::Foreign("is a model of this program and holds no data", NAME_THE_DATA)),
    (b"%PDF", Kind::Foreign("is a PDF", NAME_THE_DATA)),
    (b"{\\rtf", Kind::Foreign("is a text document (.rtf)", NAME_THE_DATA)),
    (b"\x89PNG", Kind::Foreign("is an image", NAME_THE_DATA)),
    (b"\xff\xd8\xff", Kind::Foreign("is an image", NAME_THE_DATA)),
    (b"GIF8", Kind::Foreign("is an image", NAME_THE_DATA)),
    (b"\x1f\x8b", Kind::Foreign("is compressed with gzip", UNPACK)),
    (b"BZh", Kind::Foreign("is compressed with bzip2", UNPACK)),
    (b"\xfd7zXZ", Kind::Foreign("is compressed with xz", UNPACK)),
    (b"\x28\xb5\x2f\xfd", Kind::Foreign("is compressed with zstd", UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", Kind::Foreign("is a 7-Zip archive", UNPACK)),
    (b"Rar!", Kind::Foreign("is a RAR archive", UNPACK)),
    (b"PAR1", Kind::Foreign("is a Parquet file", "export it as CSV")),
    (b"SQLite format 3\0", Kind::Foreign("is an SQLite database", "export the table as CSV")),
    (b"\x7fELF", Kind::Foreign("is a program", NAME_THE_DATA)),
    (b"MZ\x90", Kind::Foreign("is a program", NAME_THE_DATA)),
    (b"\x93NUMPY", Kind::Foreign("is a NumPy array", "save it as CSV")),
    (b"\x89HDF", Kind::Foreign("is an HDF5 file", "export the table as CSV")),
];

/// A pickle begins with the number of its protocol; joblib's files are pickles, bare or compressed with zlib.
const PICKLE: Kind = Kind::Foreign(
    "is a Python pickle, such as a .joblib model",
    "it holds a model and no data: name the workbook or CSV that the model was trained on",
);
/// The container of Office before 2007, in which encrypted workbooks are kept until today.
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// How much of a file is looked at to tell whether it is text.
const LOOK_BYTES: usize = 4_096;

impl Kind {
    /// What these bytes are; all of the file.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return *kind;
        }
        if bytes.starts_with(COMPOUND) {
            return compound(bytes);
        }
        let start = &bytes[..bytes.len().min(LOOK_BYTES)];
        if matches!(start, [0x80, 1..=5, ..] | [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] if !is_text(start)) {
            return PICKLE;
        }
        let is_wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        if !is_wide && !is_text(start) {
            return Self::Foreign("is neither a workbook nor text", NAME_THE_DATA);
        }
        let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
        let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
        let text = &text[text.iter().position(|byte| !blank(byte)).unwrap_or(text.len())..];
        if text.is_empty() && bytes.iter().skip(LOOK_BYTES).all(blank) {
            return Self::Nothing;
        }
        match text {
            [b'<', ..] => Self::Foreign("is a web page or another XML file", SAVE_AS),
            [b'{', ..] | [b'[', b'{' | b'\n', ..] => Self::Foreign("holds JSON", "save it as CSV"),
            _ => Self::Text,
        }
    }
}

/// An old workbook, an encrypted one, or another document of old Office programs: its folder names its streams.
fn compound(bytes: &[u8]) -> Kind {
    let names = |name: &str| {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.windows(name.len()).any(|window| window == name)
    };
    if names("EncryptedPackage") {
        Kind::Foreign("is encrypted", "open it with its password and save it without one")
    } else if names("Workbook") || names("Book") {
        Kind::Foreign("is an old Excel workbook (.xls)", SAVE_AS)
    } else {
        Kind::Foreign("is a document of an old Office program", NAME_THE_DATA)
    }
}

/// Text has no control characters besides blanks; zero bytes are what a crash leaves in a log, and are no reason to refuse it.
fn is_text(start: &[u8]) -> bool {
    let controls = start.iter().filter(|byte| matches!(byte, 1..=8 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f)).count();
    controls * 200 < start.len().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_content() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let table: [(&str, Vec<u8>, &str); 23] = [
            ("a table", b"Timestamp,CPU Usage (%)\n".to_vec(), "text"),
            ("a table with a mark", b"\xef\xbb\xbfTimestamp\n".to_vec(), "text"),
            ("Excel's Unicode text", [b"\xff\xfe".to_vec(), wide("Timestamp\t")].concat(), "text"),
            ("titles in Latin-1", b"Pr\xfcfung,CPU\n".to_vec(), "text"),
            ("a log with zeros from a crash", b"a,b\n1,2\n\0\0\0\0".to_vec(), "text"),
            ("bracketed times", b"[2026-11-20 03:04:05],12.5\n".to_vec(), "text"),
            ("zlib's first bytes as text", b"x^,y\n".to_vec(), "text"),
            ("nothing", Vec::new(), "nothing"),
            ("blanks", b" \r\n\n".to_vec(), "nothing"),
            ("zeros", vec![0; 10_000], "nothing"),
            ("a workbook", b"PK\x03\x04...".to_vec(), "archive"),
            ("an old workbook", [COMPOUND, &wide("Workbook")].concat(), "is an old Excel workbook (.xls)"),
            ("an encrypted one", [COMPOUND, &wide("EncryptedPackage")].concat(), "is encrypted"),
            ("a Word document", COMPOUND.to_vec(), "is a document of an old Office program"),
            ("a pickle", b"\x80\x04\x95\x0b\0\0\0\0\0\0\0".to_vec(), "is a Python pickle, such as a .joblib model"),
            ("zlib", b"\x78\x9c\x03\x00\x01\x02".to_vec(), "is a Python pickle, such as a .joblib model"),
            ("a PDF", b"%PDF-1.7".to_vec(), "is a PDF"),
            ("our model", b"\x89WKM\r\n\x1a\n".to_vec(), "is a model of this program and holds no data"),
            ("an image", b"\x89PNG\r\n".to_vec(), "is an image"),
            ("a web page", b"\n<html>".to_vec(), "is a web page or another XML file"),
            ("JSON lines", b"{\"a\": 1}\n".to_vec(), "holds JSON"),
            ("a JSON list", b"[{\"a\": 1}]".to_vec(), "holds JSON"),
            ("noise", (0..=255).collect(), "is neither a workbook nor text"),
        ];
        for (name, bytes, expected) in table {
            let found = match Kind::of(&bytes) {
                Kind::Archive => "archive",
                Kind::Text => "text",
                Kind::Nothing => "nothing",
                Kind::Foreign(what, remedy) => {
                    assert!(!remedy.is_empty(), "{name}");
                    what
                }
            };
            assert_eq!(found, expected, "{name}");
        }
    }
}
