//! Long tables inside a workbook that was made without their rows.
//!
//! The library makes the whole workbook with one empty row in each long sheet, which says what style each column has.
//! Here it is copied entry by entry, and in the long sheets the rows take the place of that row, written as they are
//! read. What is written is the subset of the format that a number and a text need (ECMA-376 part 1, 18.3.1.4 and
//! 18.3.1.73).

use std::fmt::Write as _;
use std::io::{Cursor, Read, Seek, Write};

use rust_xlsxwriter::utility::column_number_to_name;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::cell::{Cell, Page, Table};
use super::error::Trouble;

/// Text that is gathered before it is compressed.
const BLOCK_BYTES: usize = 64 << 10;

/// Copies the workbook and fills the pages: number of the sheet from 1, index of its table, the page. Pages of a table
/// come in order.
pub(super) fn write(
    template: Vec<u8>,
    out: &mut (impl Write + Seek),
    pages: &[(usize, usize, Page)],
    tables: &mut [Table<'_>],
) -> Result<(), Trouble> {
    let mut archive = ZipArchive::new(Cursor::new(template))?;
    let mut writer = ZipWriter::new(out);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o600);
    let mut left = pages.iter();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let page = left.as_slice().first().filter(|(sheet, ..)| name == format!("xl/worksheets/sheet{sheet}.xml"));
        let Some((_, table, page)) = page else {
            writer.raw_copy_file(entry)?;
            continue;
        };
        left.next();
        let mut sheet = String::new();
        entry.read_to_string(&mut sheet).map_err(Trouble::Io)?;
        drop(entry);
        writer.start_file(name, options)?;
        fill(&mut writer, &sheet, page, &mut tables[*table])?;
    }
    if let Some((.., page)) = left.next() {
        return Err(Trouble::Other(format!("there is no place for the sheet {}", page.name)));
    }
    writer.finish()?;
    Ok(())
}

/// Writes a sheet with the rows of its page where the empty row is.
fn fill(out: &mut impl Write, sheet: &str, page: &Page, table: &mut Table<'_>) -> Result<(), Trouble> {
    let unlike = || Trouble::Other(format!("the sheet {} is not as expected", page.name));
    let (head, rest) = sheet.split_once("<row r=\"2\"").ok_or_else(unlike)?;
    let (empty_row, tail) = rest.split_once("</sheetData>").ok_or_else(unlike)?;
    let styles: Vec<&str> = empty_row.split(" s=\"").skip(1).filter_map(|cell| cell.split('"').next()).collect();
    if styles.len() != table.looks.len() {
        return Err(unlike());
    }
    let last_column = column_number_to_name(table.looks.len() as u16 - 1);
    let head = head.replacen(
        &format!("<dimension ref=\"A1:{last_column}2\"/>"),
        &format!("<dimension ref=\"A1:{last_column}{}\"/>", page.rows + 1),
        1,
    );
    let columns: Vec<(String, &str)> =
        (0..).zip(styles).map(|(column, style)| (column_number_to_name(column), style)).collect();
    out.write_all(head.as_bytes()).map_err(Trouble::Io)?;
    let mut text = String::with_capacity(BLOCK_BYTES + 4096);
    for row in 2..=page.rows + 1 {
        let Some(cells) = table.cells.next().transpose()? else { break };
        write_row(&mut text, row, &columns, &cells);
        if text.len() >= BLOCK_BYTES {
            out.write_all(text.as_bytes()).map_err(Trouble::Io)?;
            text.clear();
        }
    }
    text.push_str("</sheetData>");
    out.write_all(text.as_bytes()).map_err(Trouble::Io)?;
    out.write_all(tail.as_bytes()).map_err(Trouble::Io)
}

fn write_row(text: &mut String, row: u64, columns: &[(String, &str)], cells: &[Cell]) {
    let _ = write!(text, "<row r=\"{row}\">");
    for ((column, style), cell) in columns.iter().zip(cells) {
        // Writing to a string does not fail.
        let _ = match cell {
            Cell::Empty => Ok(()),
            Cell::Number(value) => write!(text, "<c r=\"{column}{row}\" s=\"{style}\"><v>{value}</v></c>"),
            Cell::Text(content) if content.is_empty() => Ok(()),
            Cell::Text(content) => {
                let _ =
                    write!(text, "<c r=\"{column}{row}\" s=\"{style}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">");
                escape(text, content);
                write!(text, "</t></is></c>")
            }
        };
    }
    text.push_str("</row>");
}

/// Text as XML, and so that `_x0041_`, which spreadsheets take for a character's number, stays what it is.
fn escape(text: &mut String, content: &str) {
    for (at, c) in content.char_indices() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '_' if is_code(&content.as_bytes()[at..]) => text.push_str("_x005F_"),
            c => text.push(c),
        }
    }
}

/// Whether this begins with a character's number.
fn is_code(bytes: &[u8]) -> bool {
    bytes.len() >= 7 && bytes[1] == b'x' && bytes[6] == b'_' && bytes[2..6].iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_what_it_is() {
        for (content, expected) in [
            ("a<b>&\"c\"", "a&lt;b&gt;&amp;\"c\""),
            ("_x0041_", "_x005F_x0041_"),
            ("__x0041_ _x41_ _xZZZZ_ _x00", "__x005F_x0041_ _x41_ _xZZZZ_ _x00"),
            ("_x日本", "_x日本"),
        ] {
            let mut text = String::new();
            escape(&mut text, content);
            assert_eq!(text, expected, "{content}");
        }
    }
}
