use super::*;
use proptest::prelude::*;
use std::io::Write as _;
use zip::write::SimpleFileOptions;

const HEADER: &str = "<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Timestamp</t></is></c>\
                      <c r=\"B1\" t=\"inlineStr\"><is><t>CPU Usage (%)</t></is></c></row>";

/// The parts of a workbook with these sheets; `rows` is what stands in `sheetData`.
fn parts(sheets: &[(&str, &str)]) -> Vec<(String, String)> {
    let number = |index: usize| index + 1;
    let list: Vec<String> = (0..sheets.len())
        .map(|index| format!("<sheet name=\"{}\" sheetId=\"{1}\" r:id=\"rId{1}\"/>", sheets[index].0, number(index)))
        .collect();
    let kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let relations: Vec<String> = (1..=sheets.len())
        .map(|number| {
            format!(
                "<Relationship Id=\"rId{number}\" Type=\"{kind}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>"
            )
        })
        .collect();
    let mut parts = vec![
        ("[Content_Types].xml".to_owned(), "<Types/>".to_owned()),
        (
            "_rels/.rels".to_owned(),
            format!(
                "<Relationships><Relationship Id=\"r\" Type=\"{kind}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        ("xl/workbook.xml".to_owned(), format!("<workbook><sheets>{}</sheets></workbook>", list.concat())),
        ("xl/_rels/workbook.xml.rels".to_owned(), format!("<Relationships>{}</Relationships>", relations.concat())),
    ];
    for (index, (_, rows)) in sheets.iter().enumerate() {
        let sheet = format!("<worksheet><dimension ref=\"A1:XFD1048576\"/><sheetData>{rows}</sheetData></worksheet>");
        parts.push((format!("xl/worksheets/sheet{}.xml", number(index)), sheet));
    }
    parts
}

pub(in crate::table) fn archive(parts: &[(String, String)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        writer.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn workbook(sheets: &[(&str, &str)]) -> Result<Table, TableProblem> {
    read(&archive(&parts(sheets)), &TimeZone::UTC)
}

/// The log with one part more, or one replaced.
fn with_part(name: &str, text: &str) -> Result<Table, TableProblem> {
    let rows = format!("{HEADER}<row r=\"2\"><c r=\"B2\"><v>1</v></c></row>");
    let mut parts = parts(&[("System_Log", &rows)]);
    parts.retain(|(known, _)| known != name);
    parts.push((name.to_owned(), text.to_owned()));
    read(&archive(&parts), &TimeZone::UTC)
}

/// The values of the CPU column of a log with these rows below its titles.
fn cpu(rows: &str) -> Vec<Option<f64>> {
    let table = workbook(&[("System_Log", &format!("{HEADER}{rows}"))]).unwrap();
    table.column("cpu").unwrap().values.clone()
}

#[test]
fn the_log_is_found_by_its_name_and_continued_in_order() {
    let rows = |value: u32| format!("{HEADER}<row r=\"2\"><c r=\"B2\"><v>{value}</v></c></row>");
    let (first, second, tenth, other) = (rows(1), rows(2), rows(10), rows(99));
    let table = workbook(&[
        ("Summary", &other),
        ("system_log_10", &tenth),
        ("SYSTEM_LOG", &first),
        ("System_Log_2", &second),
        ("System_Log_old", &other),
        ("System_Logs", &other),
    ])
    .unwrap();
    assert_eq!(table.column("cpu").unwrap().values, [1.0, 2.0, 10.0].map(Some));
    assert_eq!(table.notes, [""; 0]);
}

#[test]
fn a_sheet_of_the_log_without_titles_is_left_out() {
    let rows = format!("{HEADER}<row r=\"2\"><c r=\"B2\"><v>1</v></c></row>");
    let table =
        workbook(&[("System_Log", &rows), ("System_Log_2", "<row r=\"3\"><c r=\"B3\"><v>5</v></c></row>")]).unwrap();
    assert_eq!(table.column("cpu").unwrap().values, [Some(1.0)]);
    assert_eq!(table.notes, ["a part of the table was left out: no titles stand above its row 3"]);
}

#[test]
fn a_workbook_without_the_log_names_its_sheets() {
    let rows = format!("{HEADER}<row r=\"2\"><c r=\"B2\"><v>1</v></c></row>");
    let only = workbook(&[("Tabelle1", &rows)]).unwrap();
    assert_eq!(only.column("cpu").unwrap().values, [Some(1.0)]);
    assert_eq!(only.notes, ["sheet \"Tabelle1\" was read: there is no other, and none named System_Log"]);
    let problem = workbook(&[("Tabelle1", &rows), ("a\u{202e}b", "")]).unwrap_err().to_string();
    assert_eq!(problem, "has no sheet System_Log; its sheets are: Tabelle1, a\\u{202e}b");
    for rows in ["", "<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Price</t></is></c></row>"] {
        let problem = workbook(&[("Tabelle1", rows)]).unwrap_err().to_string();
        assert_eq!(problem, "has no sheet System_Log; its sheets are: Tabelle1", "{rows}");
    }
    let many: Vec<(String, &str)> = (0..25).map(|index| (format!("s{index}"), "")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, rows)| (name.as_str(), *rows)).collect();
    assert!(workbook(&many).unwrap_err().to_string().ends_with("s18, s19, and 5 more"));
}

#[test]
fn cells_are_read_as_the_format_has_them() {
    for (name, cell, expected) in [
        ("a number", "<c r=\"B2\"><v>12.5</v></c>", Some(12.5)),
        ("a formula with its result", "<c r=\"B2\"><f>A1+1</f><v>12.5</v></c>", Some(12.5)),
        ("a formula with a text", "<c r=\"B2\" t=\"str\"><f>A1</f><v>12.5 %</v></c>", Some(12.5)),
        ("a formula without a result", "<c r=\"B2\"><f>A1+1</f></c>", None),
        ("an inline text", "<c r=\"B2\" t=\"inlineStr\"><is><t>12,5</t></is></c>", Some(12.5)),
        ("a text in pieces", "<c r=\"B2\" t=\"inlineStr\"><is><r><t>12</t></r><r><t>.5</t></r></is></c>", Some(12.5)),
        ("an error", "<c r=\"B2\" t=\"e\"><v>#DIV/0!</v></c>", None),
        ("an error of a newer program", "<c r=\"B2\" t=\"e\"><v>#SPILL!</v></c>", None),
        ("a text that is not there", "<c r=\"B2\" t=\"s\"><v>7</v></c>", None),
        ("a type that is not known", "<c r=\"B2\" t=\"zz\"><v>7</v></c>", None),
        ("no address", "<c/><c><v>12.5</v></c>", Some(12.5)),
        ("a cell far to the right", "<c r=\"XFD2\"><v>1</v></c><c r=\"B2\"><v>12.5</v></c>", Some(12.5)),
        ("a cell twice", "<c r=\"B2\"><v>1</v></c><c r=\"B2\"><v>12.5</v></c>", Some(12.5)),
    ] {
        let rows = format!("<row r=\"2\">{cell}</row><row r=\"3\"><c r=\"B3\"><v>3</v></c></row>");
        let expected: Vec<Option<f64>> = expected.into_iter().chain([3.0]).map(Some).collect();
        assert_eq!(cpu(&rows), expected, "{name}");
    }
    assert_eq!(
        cpu("<row r=\"9\"><c r=\"B9\"><v>9</v></c></row><row r=\"2\"><c r=\"B2\"><v>2</v></c></row>"),
        [9.0, 2.0].map(Some)
    );
}

#[test]
fn formulas_without_a_stored_result_are_counted_by_column() {
    let empty =
        ["<c r=\"B2\"><f>A1+1</f></c>", "<c r=\"B3\"><f>A1+1</f><v></v></c>", "<c r=\"B4\"><f>A1+1</f><v/></c>"];
    let row = |(cell, row): (&&str, u32)| format!("<row r=\"{row}\">{cell}<c r=\"C{row}\"><v>1</v></c></row>");
    let rows = empty.iter().zip(2..).map(row).collect::<Vec<_>>().concat();
    let more = "<row r=\"5\"><c r=\"B5\"><f>A1+1</f><v>12.5</v></c></row><row r=\"6\"><c r=\"B6\"/><c r=\"C6\"><v>1</v></c></row>";
    let memory = "<c r=\"C1\" t=\"inlineStr\"><is><t>Memory Usage (%)</t></is></c></row>";
    let header = HEADER.replace("</row>", memory);
    let table = workbook(&[("System_Log", &format!("{header}{rows}{more}"))]).unwrap();
    let unstored = |name| table.column(name).unwrap().unstored;
    assert_eq!((unstored("cpu"), unstored("memory"), table.rows), (3, 0, 5));
    assert_eq!(table.column("cpu").unwrap().values, [None, None, None, Some(12.5), None]);
    let only =
        workbook(&[("System_Log", &format!("{HEADER}<row r=\"2\">{}</row>", empty[0]))]).unwrap_err().to_string();
    assert!(
        only.ends_with(
            "its cells are formulas without a stored result: open the file in a spreadsheet program and save it"
        ),
        "{only}"
    );
}

#[test]
fn what_one_cell_spoils_is_counted() {
    let rows = format!("{HEADER}<row r=\"2\"><c r=\"A2\" t=\"e\"><v>#SPILL!</v></c><c r=\"B2\"><v>1</v></c></row>");
    let table = workbook(&[("System_Log", &rows)]).unwrap();
    assert_eq!(table.notes, ["one cell of sheet \"System_Log\" cannot be read"]);
}

#[test]
fn formats_of_cells_say_what_a_number_is() {
    let styles = "<styleSheet><numFmts><numFmt numFmtId=\"170\" formatCode=\"0.00%\"/>\
                  <numFmt numFmtId=\"171\" formatCode=\"yyyy\\-mm\\-dd hh:mm:ss\"/></numFmts>\
                  <cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"170\"/><xf numFmtId=\"171\"/><xf numFmtId=\"9\"/></cellXfs></styleSheet>";
    let rows = format!(
        "{HEADER}<row r=\"2\"><c r=\"A2\" s=\"2\"><v>1</v></c><c r=\"B2\" s=\"1\"><v>0.125</v></c></row>\
         <row r=\"3\"><c r=\"A3\" s=\"2\"><v>46346.5</v></c><c r=\"B3\" s=\"3\"><v>0.5</v></c></row>\
         <row r=\"4\"><c r=\"B4\" s=\"2\"><v>46346.5</v></c></row>"
    );
    for (is_1904, day) in [(false, "2026-11-20T12:00:00Z"), (true, "2030-11-21T12:00:00Z")] {
        let mut parts = parts(&[("System_Log", &rows)]);
        parts.push(("xl/styles.xml".to_owned(), styles.to_owned()));
        if is_1904 {
            parts[2].1 = parts[2].1.replace("<sheets>", "<workbookPr date1904=\"1\"/><sheets>");
        }
        let table = read(&archive(&parts), &TimeZone::UTC).unwrap();
        let cpu = table.column("cpu").unwrap();
        assert_eq!(cpu.values, [Some(12.5), Some(50.0)]);
        let day = day.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        assert_eq!(table.times_ms.unwrap()[1], Some(day), "{is_1904}");
        assert_eq!(table.notes, ["row 4 was left out: nothing in it is a number"]);
    }
}

#[test]
fn a_percent_sign_that_is_only_shown_changes_no_number() {
    for (code, expected) in [
        ("0%", true),
        ("0.0 %;[Red]-0.0 %", true),
        ("0.0\"%\"", false),
        ("0.0\\%", false),
        ("0.0_%", false),
        ("\"a\"0%", true),
        ("General", false),
        ("\\", false),
    ] {
        assert_eq!(shows_percent(code), expected, "{code}");
    }
}

#[test]
fn a_workbook_that_claims_more_than_it_holds_is_refused() {
    let sheet = |rows: &str| format!("<worksheet><sheetData>{HEADER}{rows}</sheetData></worksheet>");
    let long = "x".repeat(2 << 20);
    let (sheet_1, strings, styles) = ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml");
    let formats = format!("<styleSheet><cellXfs>{}</cellXfs></styleSheet>", "<xf/>".repeat(70_001));
    let font = format!("<styleSheet><fonts><font><name val=\"{}\"/></font></fonts></styleSheet>", &long[..5_000]);
    let cell = |place: &str| sheet(&format!("<row><c r=\"{place}\"><v>1</v></c></row>"));
    let table: Vec<(&str, String, &str)> = vec![
        (strings, "<sst uniqueCount=\"99999999999999\"/>".to_owned(), "more texts than its sheets have cells"),
        (
            strings,
            "<a><sst uniqueCount=\"18446744073709551615\"></sst></a>".to_owned(),
            "more texts than its sheets have cells",
        ),
        (strings, format!("<sst><si><t>{long}</t></si></sst>"), "one of its texts is longer than a sheet can hold"),
        (sheet_1, format!("<worksheet a=\"{long}\"/>"), "one of its texts is longer than a sheet can hold"),
        (styles, formats, "more than 70000 cell formats"),
        (styles, font, "the name of a font or a number format is too long"),
        (sheet_1, cell("ZZZZZZZZZZ1"), "\"ZZZZZZZZZZ1\" is no place in a sheet"),
        (sheet_1, cell("A99999999999"), "\"A99999999999\" is no place in a sheet"),
        (sheet_1, cell("7"), "\"7\" is no place in a sheet"),
        (sheet_1, cell("A"), "\"A\" is no place in a sheet"),
        (sheet_1, sheet("<row r=\"4294967297\"/>"), "\"4294967297\" is no place in a sheet"),
        (sheet_1, format!("<worksheet><dimension ref=\"C9:A1\"/>{}", sheet("")), "\"C9:A1\" is no place in a sheet"),
        (sheet_1, "<worksheet><sheetData><row>".to_owned(), "Unexpected end of xml"),
        (sheet_1, "<chartsheet/>".to_owned(), "Expecting a worksheet"),
        ("xl/workbook.xml", "<workbook/>".to_owned(), "has no sheet System_Log; it has no sheet at all"),
    ];
    for (name, text, expected) in table {
        let shown: String = text.chars().take(60).collect();
        let problem = with_part(name, &text).err().map(|problem| problem.to_string());
        assert!(problem.as_ref().is_some_and(|problem| problem.contains(expected)), "{name} {shown}: {problem:?}");
    }
    let many: Vec<(String, String)> = (0..10_001).map(|index| (format!("_rels/{index}"), String::new())).collect();
    let many = [parts(&[("System_Log", HEADER)]), many].concat();
    assert_eq!(
        read(&archive(&many), &TimeZone::UTC).unwrap_err().to_string(),
        "is no workbook of a recording: it has 10006 parts"
    );
}

#[test]
fn other_archives_are_named() {
    for (name, expected) in [
        ("xl/workbook.bin", "is a binary workbook (.xlsb)"),
        ("word/document.xml", "is a text document or a presentation"),
        ("README.txt", "is a zip archive and no workbook"),
    ] {
        let problem = read(&archive(&[(name.to_owned(), String::new())]), &TimeZone::UTC).unwrap_err().to_string();
        assert!(problem.starts_with(expected), "{name}: {problem}");
    }
}

#[test]
fn a_full_sheet_is_read_without_room_for_what_is_not_there() {
    let rows: Vec<String> =
        (2..=20_000).map(|row| format!("<row r=\"{row}\"><c r=\"B{row}\"><v>{row}</v></c></row>")).collect();
    let last = "<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c><c r=\"B1048576\"><v>7</v></c></row>";
    let values = cpu(&format!("{}{last}", rows.concat()));
    assert_eq!((values.len(), values.last(), values[0]), (20_000, Some(&Some(7.0)), Some(2.0)));
    assert!(values.capacity() < 40_000);
}

fn fixture() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/original.xlsx")).unwrap()
}

#[test]
fn a_workbook_cut_anywhere_is_a_sentence() {
    let whole = fixture();
    for end in (4..whole.len()).step_by(97) {
        let problem = read(&whole[..end], &TimeZone::UTC).unwrap_err().to_string();
        assert!(problem.starts_with("is a damaged workbook ("), "{end}: {problem}");
    }
}

proptest! {
    #[test]
    fn bits_that_flip_break_nothing(flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..8)) {
        let mut bytes = fixture();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Ok(table) = read(&bytes, &TimeZone::UTC) {
            prop_assert!(table.rows <= 12 && table.columns.iter().all(|column| column.values.len() == table.rows));
        }
    }

    #[test]
    fn whatever_stands_in_a_sheet_breaks_nothing(sheet in sheet_text(), styles in sheet_text(), strings in sheet_text()) {
        for (name, text) in [("xl/worksheets/sheet1.xml", &sheet), ("xl/styles.xml", &styles), ("xl/sharedStrings.xml", &strings)] {
            let _ = with_part(name, text);
        }
    }

    #[test]
    fn what_was_written_is_read(rows in prop::collection::vec((0..4_000_000_000_u32, cell(), cell()), 1..40)) {
        let mut workbook = rust_xlsxwriter::Workbook::new();
        let date = rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
        let sheet = workbook.add_worksheet().set_name("System_Log").unwrap();
        for (place, title) in (0..).zip(["Memory Usage (%)", "Timestamp", "CPU Usage (%)"]) {
            sheet.write_string(0, place, title).unwrap();
        }
        for (row, (seconds, memory, cpu)) in (1..).zip(&rows) {
            sheet.write_number_with_format(row, 1, 25_569.0 + f64::from(*seconds) / 86_400.0, &date).unwrap();
            for (place, cell) in [(0, memory), (2, cpu)] {
                match cell {
                    Written::Nothing => {}
                    Written::Number(number) => { sheet.write_number(row, place, *number).unwrap(); }
                    Written::Text(text) => { sheet.write_string(row, place, text).unwrap(); }
                    Written::Word => { sheet.write_string(row, place, "NaN").unwrap(); }
                    Written::Truth(truth) => { sheet.write_boolean(row, place, *truth).unwrap(); }
                }
            }
        }
        let bytes = workbook.save_to_buffer().unwrap();
        let table = crate::parse_workbook(&bytes, &TimeZone::UTC).unwrap();
        prop_assert_eq!(table.rows, rows.len());
        let times: Vec<Option<i64>> = rows.iter().map(|(seconds, ..)| Some(i64::from(*seconds) * 1_000)).collect();
        prop_assert_eq!(table.times_ms.as_ref(), Some(&times));
        let columns = [("memory", rows.iter().map(|row| &row.1).collect::<Vec<_>>()), ("cpu", rows.iter().map(|row| &row.2).collect())];
        for (name, written) in columns {
            let column = table.column(name).unwrap();
            let count = |wanted: fn(&Written) -> bool| written.iter().filter(|cell| wanted(cell)).count();
            let expected: Vec<Option<f64>> = written.iter().map(|cell| cell.number()).collect();
            prop_assert_eq!(&column.values, &expected);
            prop_assert_eq!(column.not_finite, count(|cell| matches!(cell, Written::Word)));
            prop_assert_eq!(column.unreadable, count(|cell| matches!(cell, Written::Text(_) | Written::Truth(_))));
        }
    }
}

/// What a test writes into a cell.
#[derive(Clone, Debug)]
enum Written {
    Nothing,
    Number(f64),
    Text(String),
    Word,
    Truth(bool),
}

impl Written {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

fn cell() -> impl Strategy<Value = Written> {
    prop_oneof![
        Just(Written::Nothing),
        (-1e9..1e9).prop_map(Written::Number),
        "[a-z=<&\"]{2,20}x".prop_map(Written::Text),
        Just(Written::Word),
        any::<bool>().prop_map(Written::Truth),
    ]
}

/// Tags as a workbook has them, in any order and with anything in them.
fn sheet_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "<worksheet>",
            "<dimension ref=\"A1:B2\"/>",
            "<dimension ref=\"B9:A1\"/>",
            "<sheetData>",
            "</sheetData>",
            "<row r=\"2\">",
            "<row>",
            "</row>",
            "<c r=\"A2\" t=\"s\" s=\"1\">",
            "<c r=\"B2\">",
            "<c t=\"e\">",
            "<c t=\"b\">",
            "<c t=\"d\">",
            "<c t=\"inlineStr\">",
            "</c>",
            "<v>",
            "</v>",
            "<is>",
            "</is>",
            "<t>",
            "</t>",
            "<f>",
            "</f>",
            "<sst uniqueCount=\"3\">",
            "</sst>",
            "<si>",
            "</si>",
            "<styleSheet>",
            "<numFmts>",
            "<numFmt numFmtId=\"7\" formatCode=\"[$-409]yy\\\"\"/>",
            "</numFmts>",
            "<cellXfs>",
            "<xf numFmtId=\"7\" fontId=\"0\">",
            "</xf>",
            "</cellXfs>",
            "</styleSheet>",
            "<fonts>",
            "<font>",
            "<color theme=\"99\" tint=\"-2\"/>",
            "</font>",
            "</fonts>",
            "&#x10ffff;",
            "&amp;",
            "&bogus;",
            "_x005F_",
            "<![CDATA[x]]>",
            "<!-- x -->",
            "12.5",
            "1e999",
            "-1e308",
            "Timestamp",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}
