//! A workbook's archive, looked through before it is read.
//!
//! The library that reads workbooks believes what they claim: it reserves memory for as many texts as a part says it has,
//! copies the name of a font for each cell format, and adds up the letters of a cell's address without looking for the end of the
//! number. Each part is unpacked here once, in small pieces, to see that it claims nothing that it cannot hold.

use std::io::{self, BufReader, Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use watchkeeper_core::text::clean;
use zip::ZipArchive;

use super::TableProblem;
use super::kind::{NAME_THE_DATA, SAVE_AS};

/// Parts of an archive; a workbook has a few for each sheet.
const MOST_PARTS: usize = 10_000;
/// Unpacked bytes of all parts: a full sheet of twenty columns has one GiB.
const MOST_BYTES: u64 = 4 << 30;
/// Unpacked bytes for each packed one, when there are many: a sheet of zeros alone has fifteen.
const MOST_RATIO: u64 = 100;
/// Unpacked bytes that need no reason.
const FREE_BYTES: u64 = 64 << 20;
/// The same in a picture, where anything may look like the begin of a tag.
const LONGEST_IN_PICTURE: u64 = 64 << 20;
const PICTURES: [&str; 9] = ["png", "jpg", "jpeg", "gif", "emf", "wmf", "tif", "tiff", "bin"];
/// Bytes of one tag or one text between tags; a cell's text has 32,767 characters at most.
const LONGEST_EVENT: u64 = 1 << 20;
/// Bytes of a tag that is copied for each format: the name of a font, the code of a number format (255 characters).
const LONGEST_STYLE_TAG: usize = 4_096;
/// Formats of cells; a spreadsheet program stops at 65,490.
const MOST_FORMATS: usize = 70_000;

/// Looks through all parts. `Ok` means that reading it takes no more memory than its content has a reason to.
pub(super) fn check(bytes: &[u8]) -> Result<(), TableProblem> {
    check_within(bytes, FREE_BYTES)
}

/// The same, with the unpacked bytes that need no reason.
fn check_within(bytes: &[u8], free_bytes: u64) -> Result<(), TableProblem> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| TableProblem::Damaged(error.to_string()))?;
    refuse_others(&archive)?;
    if archive.len() > MOST_PARTS {
        return Err(TableProblem::Bomb(format!("it has {} parts", archive.len())));
    }
    let packed = bytes.len() as u64;
    let mut left = MOST_BYTES.min(free_bytes.max(packed.saturating_mul(MOST_RATIO)));
    for index in 0..archive.len() {
        // What cannot be opened is only a loss when it is needed, and then the reader says so.
        let Ok(part) = archive.by_index(index) else { continue };
        let name = String::from_utf8_lossy(part.name_raw()).to_ascii_lowercase();
        let is_picture = name.rsplit_once('.').is_some_and(|(_, extension)| PICTURES.contains(&extension));
        left = part_within(part, left, if is_picture { LONGEST_IN_PICTURE } else { LONGEST_EVENT })?;
    }
    Ok(())
}

/// Names archives that are no workbook of this kind.
fn refuse_others(archive: &ZipArchive<Cursor<&[u8]>>) -> Result<(), TableProblem> {
    let has = |wanted: &str| {
        archive.file_names_raw().any(|name| {
            name.len() == wanted.len()
                && name
                    .iter()
                    .zip(wanted.bytes())
                    .all(|(a, b)| a.eq_ignore_ascii_case(&b) || (*a == b'\\' && b == b'/'))
        })
    };
    let foreign = |what, remedy| Err(TableProblem::Foreign { what, remedy });
    if has("xl/workbook.bin") {
        foreign("is a binary workbook (.xlsb)", SAVE_AS)
    } else if has("mimetype") && has("content.xml") {
        foreign("is an OpenDocument file (.ods)", SAVE_AS)
    } else if has("word/document.xml") || has("ppt/presentation.xml") {
        foreign("is a text document or a presentation", NAME_THE_DATA)
    } else if !has("[Content_Types].xml") && !has("_rels/.rels") {
        foreign("is a zip archive and no workbook", "unpack it first")
    } else {
        Ok(())
    }
}

/// Unpacks a part to its end, where its checksum stands; gives back how many of `left` bytes are left.
fn part_within(part: impl Read, left: u64, longest_event: u64) -> Result<u64, TableProblem> {
    let part = BufReader::new(Meter { part, left, event_left: longest_event, problem: None });
    let mut xml = Reader::from_reader(part);
    let config = xml.config_mut();
    config.check_end_names = false;
    config.expand_empty_elements = true;
    let checked = check_events(&mut xml, longest_event);
    let meter = xml.get_mut().get_mut();
    meter.event_left = u64::MAX;
    if checked.is_ok() && meter.problem.is_none() {
        // What goes wrong, the meter keeps.
        let _ = io::copy(meter, &mut io::sink());
    }
    match meter.problem.take() {
        Some(problem) => Err(problem),
        None => checked.map(|()| meter.left),
    }
}

/// What is measured while a part is unpacked.
struct Meter<R> {
    part: R,
    /// Bytes until all parts are too much.
    left: u64,
    /// Bytes until one event is too much.
    event_left: u64,
    problem: Option<TableProblem>,
}

impl<R: Read> Read for Meter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stop = || Err(io::Error::other("the part is not read on"));
        if self.problem.is_some() {
            return stop();
        }
        let read = match self.part.read(buffer) {
            Ok(read) => read as u64,
            Err(error) => {
                self.problem = Some(TableProblem::Damaged(clean(&error.to_string(), 100)));
                return stop();
            }
        };
        let bomb = |words: &str| Some(TableProblem::Bomb(words.to_owned()));
        if read > self.left {
            self.problem = bomb("unpacked it is far larger than its numbers need");
            return stop();
        }
        if read > self.event_left {
            self.problem = bomb("one of its texts is longer than a sheet can hold");
            return stop();
        }
        self.left -= read;
        self.event_left -= read;
        Ok(read as usize)
    }
}

fn check_events<R: Read>(xml: &mut Reader<BufReader<Meter<R>>>, longest_event: u64) -> Result<(), TableProblem> {
    let mut buffer = Vec::new();
    let mut formats = 0_usize;
    loop {
        buffer.clear();
        xml.get_mut().get_mut().event_left = longest_event;
        match xml.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => {
                formats += usize::from(tag.local_name().as_ref() == "xf");
                if formats > MOST_FORMATS {
                    return Err(TableProblem::Bomb(format!("it has more than {MOST_FORMATS} cell formats")));
                }
                check_tag(&tag)?;
            }
            // A part that is no XML after all is only a loss when it is needed, and then the reader says so.
            Ok(Event::Eof) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
    }
}

/// What the tags of a sheet, the formats and the shared texts claim.
fn check_tag(tag: &BytesStart<'_>) -> Result<(), TableProblem> {
    let name = tag.local_name();
    let attribute = |name: &str| -> Result<Option<String>, TableProblem> {
        let found = tag.try_get_attribute(name).map_err(|error| TableProblem::Damaged(error.to_string()))?;
        Ok(found.map(|found| found.value.into_owned()))
    };
    match name.as_ref() {
        "c" | "row" => match attribute("r")? {
            Some(place) if !is_place(&place, name.as_ref() == "row") => Err(not_a_place(&place)),
            _ => Ok(()),
        },
        "dimension" => match attribute("ref")? {
            Some(range) if !is_range(&range) => Err(not_a_place(&range)),
            _ => Ok(()),
        },
        "sst" => {
            let count = attribute("uniqueCount")?.and_then(|count| count.parse::<u64>().ok());
            if count.is_some_and(|count| count > 1 << 24) {
                return Err(TableProblem::Bomb("it claims to have more texts than its sheets have cells".to_owned()));
            }
            Ok(())
        }
        "name" | "numFmt" if tag.len() > LONGEST_STYLE_TAG => {
            Err(TableProblem::Bomb("the name of a font or a number format is too long".to_owned()))
        }
        _ => Ok(()),
    }
}

fn not_a_place(place: &str) -> TableProblem {
    TableProblem::Damaged(format!("\"{}\" is no place in a sheet", clean(place, 40)))
}

/// Whether this is `A1` to `ZZZ9999999`; a row may be a number alone.
fn is_place(place: &str, is_row: bool) -> bool {
    let (letters, digits) = split_place(place);
    let is_number = (1..=7).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number && letters.len() <= 3 && (is_row || !letters.is_empty())
}

/// Whether this is a place, or two that enclose something.
fn is_range(range: &str) -> bool {
    let mut places = range.split(':');
    let (first, last) = (places.next().unwrap_or_default(), places.next());
    let last = last.unwrap_or(first);
    let before = |a: &str, b: &str| (a.len(), a.to_ascii_uppercase()) <= (b.len(), b.to_ascii_uppercase());
    let ((left, top), (right, bottom)) = (split_place(first), split_place(last));
    let is_ordered = before(left, right) && before(top.trim_start_matches('0'), bottom.trim_start_matches('0'));
    places.next().is_none() && is_place(first, false) && is_place(last, false) && is_ordered
}

fn split_place(place: &str) -> (&str, &str) {
    place.split_at(place.bytes().take_while(u8::is_ascii_alphabetic).count())
}

#[cfg(test)]
mod tests;
