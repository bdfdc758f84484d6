//! The model file: what is refused, and with which words.

use super::*;

#[test]
fn files_of_others_are_named() {
    let python = "this looks like a model that Python saved (joblib or pickle); such a file is a program that runs when it is loaded, so Watchkeeper does not load it";
    let foreign = |what: &str| format!("this is not a model of Watchkeeper; it looks like {what}");
    for (name, bytes, expected) in [
        ("empty", &b""[..], foreign("an empty file")),
        (
            "workbook",
            b"PK\x03\x04\x14\0\0\0\x08\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\x13\0\0\0[Content_Types].xml",
            foreign("an Excel workbook"),
        ),
        ("zip", b"PK\x03\x04\x14\0\0\0\x08\0\0\0!\0schema.json", foreign("a zip archive")),
        (
            "old workbook",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0",
            foreign("an old Excel workbook (.xls) or another Office document"),
        ),
        ("CSV", b"Timestamp,CPU Usage (%),Memory Usage (%)\n2026", foreign("a CSV file")),
        ("CSV of a spreadsheet", "\u{feff}Zeit;CPU\n1;2".as_bytes(), foreign("a CSV file")),
        ("log", b"[2026-11-20 03:04:05] - High CPU usage detected: 97.5%\n", foreign("a text file")),
        ("words", b"hello\n", foreign("a text file")),
        ("JSON", b" {\"trees\": 1}", foreign("a JSON file")),
        ("SQLite", b"SQLite format 3\0\x10", foreign("a SQLite database")),
        ("picture", b"\x89PNG\r\n\x1a\n\0", foreign("a picture")),
        (
            "noise",
            b"\x00\x01\x02\x03",
            "this is not a model of Watchkeeper; its content is of no kind that is known here".to_owned(),
        ),
        ("pickle 2", b"\x80\x02csklearn", python.to_owned()),
        ("pickle 5", b"\x80\x05\x95\x10", python.to_owned()),
        ("zlib", b"\x78\x9c\xed\xbd", python.to_owned()),
        ("zlib at level 3", b"\x78\x5e\xed\xbd", python.to_owned()),
        ("gzip", b"\x1f\x8b\x08\0", python.to_owned()),
        ("bzip2", b"BZh91AY", python.to_owned()),
        ("xz", b"\xfd7zXZ\0", python.to_owned()),
        ("lzma", b"\x5d\0\0\x80\0", python.to_owned()),
        ("lz4", b"\x04\x22\x4d\x18\x64", python.to_owned()),
        ("old joblib", b"ZF0x1234", python.to_owned()),
        (
            "another pickle",
            b"\x80\x06\x95",
            "this is not a model of Watchkeeper; its content is of no kind that is known here".to_owned(),
        ),
    ] {
        assert_eq!(refusal(bytes), expected, "{name}");
    }
    // A character cut in two at the end of what is looked at is still text.
    assert_eq!(refusal(&[b"a,b\n".repeat(1_023), "123é,".into()].concat()), foreign("a CSV file"));
}

#[test]
fn newer_models_are_told_from_damaged_ones() {
    let mut bytes = small_model().to_bytes();
    bytes[8] = 2;
    assert_eq!(refusal(&bytes), "the model is damaged: its checksum does not fit its content");
    let newer = sealed(bytes.clone());
    assert_eq!(Model::from_bytes(&newer), Err(ModelError::Newer { found: 2, known: 1 }));
    assert_eq!(refusal(&newer), "the model has format version 2, and this program knows versions up to 1");
    bytes[8] = 0;
    assert_eq!(refusal(&sealed(bytes)), "the model is damaged: its format version is 0");
}

#[test]
fn damage_is_described() {
    let model = small_model();
    let bytes = model.to_bytes();
    let header = serde_json::to_string(&model.summary).unwrap();
    let nodes = bytes[24 + header.len()..bytes.len() - 4].to_vec();
    let changed = |from: &str, to: &str| {
        assert!(header.contains(from), "{from} is not in {header}");
        file_of(header.replacen(from, to, 1).as_bytes(), &nodes)
    };
    let with_nodes = |nodes: &[u8]| file_of(header.as_bytes(), nodes);
    let patched = |place: usize, value: &[u8]| {
        let mut nodes = nodes.clone();
        nodes[place..place + value.len()].copy_from_slice(value);
        with_nodes(&nodes)
    };
    assert_eq!(file_of(header.as_bytes(), &nodes), bytes, "the file is put together as it is written");
    let length = bytes.len();
    let tail = nodes.len() - 6;
    for (name, bytes, expected) in [
        ("a bit of the magic number", bytes[..3].to_vec(), "it ends after 3 bytes".to_owned()),
        ("half of it", bytes[..length / 2].to_vec(), format!("it ends after {} bytes of {length} bytes", length / 2)),
        ("something behind it", [&bytes[..], b"\r\n"].concat(), "2 bytes follow behind its end".to_owned()),
        ("no body", sealed(bytes[..24].to_vec()), "its header is cut".to_owned()),
        ("no JSON", file_of(b"not JSON", &nodes), "its header cannot be read, line 1 column 2".to_owned()),
        (
            "an unknown key",
            changed("\"trees\"", "\"words\""),
            "its header cannot be read, line 1 column 676".to_owned(),
        ),
        ("few rows", changed("\"rows\":400", "\"rows\":9"), "it was trained on too few rows".to_owned()),
        ("one name twice", changed("feature 1", "feature 0"), "two features have one name".to_owned()),
        ("no tree", changed("\"trees\":7", "\"trees\":0"), "the number of trees is out of range".to_owned()),
        ("more trees", changed("\"trees\":7", "\"trees\":8"), "its trees end within tree 8 of 8".to_owned()),
        ("fewer trees", changed("\"trees\":7", "\"trees\":6"), "31 nodes follow behind its last tree".to_owned()),
        (
            "more samples than rows",
            changed("\"samples\":20", "\"samples\":401"),
            "the sample size is out of range".to_owned(),
        ),
        (
            "other samples",
            changed("\"samples\":20", "\"samples\":30"),
            "tree 1 is none: its leaves hold 20 rows and not 30".to_owned(),
        ),
        (
            "a contamination of nearly all",
            changed("\"0.1\"", "\"0.9\""),
            "its header cannot be read, line 1 column 741".to_owned(),
        ),
        (
            "all flagged",
            changed("\"flagged\":17", "\"flagged\":401"),
            "more rows are flagged than there were".to_owned(),
        ),
        (
            "a range in disorder",
            changed("\"p10\":12.5", "\"p10\":99.0"),
            "the range of a feature is not in order".to_owned(),
        ),
        ("half a node", with_nodes(&nodes[..nodes.len() - 1]), "its last node is cut".to_owned()),
        ("a node less", with_nodes(&nodes[..tail]), "its trees end within tree 7 of 7".to_owned()),
        (
            "a node more",
            with_nodes(&[&nodes[..], &[255; 6]].concat()),
            "1 nodes follow behind its last tree".to_owned(),
        ),
        (
            "a feature too far",
            patched(0, &4_u16.to_le_bytes()),
            "tree 1 is none: node 0 splits by feature 4, and there are 4".to_owned(),
        ),
        (
            "no threshold",
            patched(2, &f32::NAN.to_le_bytes()),
            "tree 1 is none: the threshold of node 0 is not a number".to_owned(),
        ),
        (
            "a leaf of many rows",
            patched(tail + 2, &70_000_u32.to_le_bytes()),
            "a leaf of tree 7 has too many rows".to_owned(),
        ),
    ] {
        assert_eq!(refusal(&bytes), format!("the model is damaged: {expected}"), "{name}");
    }
}

#[test]
fn a_header_that_promises_much_makes_nothing_large() {
    let model = small_model();
    let header = serde_json::to_string(&model.summary).unwrap();
    let promise = header.replacen("\"trees\":7", "\"trees\":10000", 1);
    assert_eq!(
        refusal(&file_of(promise.as_bytes(), &[])),
        "the model is damaged: its trees end within tree 1 of 10000"
    );
    let mut long = model.to_bytes();
    long[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(refusal(&sealed(long)), "the model is damaged: its header is cut");
}

#[test]
fn any_cut_is_refused() {
    let bytes = small_model().to_bytes();
    for length in 0..bytes.len() {
        assert!(Model::from_bytes(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn any_flipped_bit_is_refused() {
    let mut bytes = small_model().to_bytes();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            bytes[place] ^= 1 << bit;
            assert!(Model::from_bytes(&bytes).is_err(), "bit {bit} of byte {place}");
            bytes[place] ^= 1 << bit;
        }
    }
}
