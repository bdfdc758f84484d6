//! Workbooks: no panic, no memory beyond what the file has a reason for, and what is said can be shown.
//!
//! An input that begins like an archive is read as it is. Any other is a row of parts, separated by byte 0xFF, from which an
//! archive with right checksums is made; the first byte of each says which part it is (`PARTS`). Parts that are not given
//! are those of a small workbook.
#![no_main]

use std::io::{Cursor, Write as _};

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use watchkeeper_report::parse_workbook;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// What the bytes `a`, `b`, ... stand for, and what stands there otherwise.
const PARTS: [(&str, &str); 9] = [
    (
        "xl/worksheets/sheet1.xml",
        "<worksheet><dimension ref=\"A1:B2\"/><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v>1</v></c></row>\
         <row r=\"2\"><c r=\"A2\" s=\"1\"><v>46346.5</v></c><c r=\"B2\"><v>12.5</v></c></row></sheetData></worksheet>",
    ),
    ("xl/sharedStrings.xml", "<sst uniqueCount=\"2\"><si><t>Timestamp</t></si><si><t>CPU Usage (%)</t></si></sst>"),
    ("xl/styles.xml", "<styleSheet><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/></cellXfs></styleSheet>"),
    ("xl/workbook.xml", "<workbook><sheets><sheet name=\"System_Log\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"),
    (
        "xl/_rels/workbook.xml.rels",
        "<Relationships><Relationship Id=\"r1\" Type=\"x/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
         <Relationship Id=\"r2\" Type=\"x/worksheet\" Target=\"worksheets/sheet2.xml\"/></Relationships>",
    ),
    (
        "_rels/.rels",
        "<Relationships><Relationship Id=\"r\" Type=\"x/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>",
    ),
    ("xl/worksheets/sheet2.xml", "<worksheet><sheetData/></worksheet>"),
    ("xl/theme/theme1.xml", "<theme/>"),
    ("xl/media/image1.png", ""),
];

fuzz_target!(|bytes: &[u8]| if bytes.starts_with(b"PK") { look(bytes) } else { look(&archive(bytes)) });

fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut contents = PARTS.map(|(_, content)| content.as_bytes());
    for (first, content) in bytes.split(|byte| *byte == 0xff).filter_map(|part| part.split_first()) {
        contents[usize::from(first.wrapping_sub(b'a')) % PARTS.len()] = content;
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for ((name, _), content) in PARTS.iter().zip(contents) {
        writer.start_file(*name, options).expect("the name is new");
        writer.write_all(content).expect("memory can be written");
    }
    writer.finish().expect("memory can be written").into_inner()
}

fn look(bytes: &[u8]) {
    match parse_workbook(bytes, &TimeZone::UTC) {
        Ok(table) => {
            for column in &table.columns {
                assert_eq!(column.values.len(), table.rows, "{}", column.title);
                assert!(column.values.iter().flatten().all(|value| value.is_finite()), "{}", column.title);
                shown(&column.title);
                column.first_unreadable.iter().for_each(|(_, text)| shown(text));
            }
            assert!(table.times_ms.is_none_or(|times| times.len() == table.rows));
            table.notes.iter().for_each(|note| shown(note));
        }
        Err(problem) => shown(&problem.to_string()),
    }
}

fn shown(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?} reaches a terminal");
}
