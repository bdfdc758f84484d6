//! A workbook's archive, looked through before it is read.
//!
//! The library that reads workbooks believes what they claim: it reserves memory for as many texts as a part says it has,
//! copies the name of a font for each cell format, and adds up the letters of a cell's address without looking for the end of the
//! number. Each part is unpacked here once, in small pieces, to see that it claims nothing that it cannot hold.

use std::io::{self, BufRead as _, BufReader, Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::TableProblem;
use super::kind::{NAME_THE_DATA, SAVE_AS};

/// Parts of an archive; a workbook has a few for each sheet.
const MOST_PARTS: usize = 10_000;
/// Unpacked bytes of all parts: a full sheet of twenty columns has one GiB.
const MOST_BYTES: u64 = 4 << 30;
/// Unpacked bytes for each packed one, as long as they are many; sheets of equal numbers come to a hundred.
const MOST_RATIO: u64 = 250;
/// Unpacked bytes that need no reason.
const FREE_BYTES: u64 = 64 << 20;
/// Unpacked bytes of a part that is no XML, such as a picture.
const LONGEST_BINARY: u64 = 256 << 20;
/// Bytes of one tag or one text between tags; a cell's text has 32,767 characters at most.
const LONGEST_EVENT: u64 = 1 << 20;
/// Bytes of a tag that is copied for each format: the name of a font, the code of a number format (255 characters).
const LONGEST_STYLE_TAG: usize = 4_096;
/// Formats of cells; a spreadsheet program stops at 65,490.
const MOST_FORMATS: usize = 70_000;

/// Looks through all parts. `Ok` means that reading it takes no more memory than its content has a reason to.
pub(super) fn check(bytes: &[u8]) -> Result<(), TableProblem> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| TableProblem::Damaged(error.to_string()))?;
    refuse_others(&archive)?;
    if archive.len() > MOST_PARTS {
        return Err(TableProblem::Bomb(format!("it has {} parts", archive.len())));
    }
    let packed = bytes.len() as u64;
    let mut left = MOST_BYTES.min(FREE_BYTES.max(packed.saturating_mul(MOST_RATIO)));
    for index in 0..archive.len() {
        // What cannot be opened is only a loss when it is needed, and then the reader says so.
        let Ok(part) = archive.by_index(index) else { continue };
        left = part_within(part, left)?;
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

/// Unpacks a part; gives back how many of `left` bytes are left.
fn part_within(part: impl Read, left: u64) -> Result<u64, TableProblem> {
    let mut part = BufReader::new(Meter { part, left, event_left: LONGEST_EVENT, exceeded: None });
    let is_xml = part.fill_buf().is_ok_and(|start| matches!(start, [b'<' | 0xef | 0xfe | 0xff, ..]));
    if is_xml {
        let mut xml = Reader::from_reader(part);
        let config = xml.config_mut();
        config.check_end_names = false;
        config.expand_empty_elements = true;
        let checked = check_events(&mut xml);
        let meter = xml.get_ref().get_ref();
        return meter.verdict().and(checked).map(|()| meter.left);
    }
    part.get_mut().event_left = LONGEST_BINARY;
    // An error of unpacking is the reader's to report, if it needs the part.
    let _ = io::copy(&mut part, &mut io::sink());
    part.get_ref().verdict().map(|()| part.get_ref().left)
}

/// What is measured while a part is unpacked.
struct Meter<R> {
    part: R,
    /// Bytes until all parts are too much.
    left: u64,
    /// Bytes until one event is too much.
    event_left: u64,
    exceeded: Option<&'static str>,
}

impl<R> Meter<R> {
    fn verdict(&self) -> Result<(), TableProblem> {
        self.exceeded.map_or(Ok(()), |what| Err(TableProblem::Bomb(what.to_owned())))
    }
}

impl<R: Read> Read for Meter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(buffer)?;
        let meter = |left: u64| left.checked_sub(read as u64);
        match (meter(self.left), meter(self.event_left)) {
            (Some(left), Some(event_left)) => (self.left, self.event_left) = (left, event_left),
            (None, _) => self.exceeded = Some("unpacked it is far larger than its numbers need"),
            (_, None) => self.exceeded = Some("one of its texts is longer than a sheet can hold"),
        }
        match self.exceeded {
            Some(what) => Err(io::Error::other(what)),
            None => Ok(read),
        }
    }
}

fn check_events<R: Read>(xml: &mut Reader<BufReader<Meter<R>>>) -> Result<(), TableProblem> {
    let mut buffer = Vec::new();
    let mut formats = 0_usize;
    loop {
        buffer.clear();
        xml.get_mut().get_mut().event_left = LONGEST_EVENT;
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
            Some(range) if !range.split(':').all(|place| is_place(place, false)) => Err(not_a_place(&range)),
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
    TableProblem::Damaged(format!("\"{}\" is no place in a sheet", watchkeeper_core::text::clean(place, 40)))
}

/// Whether this is `A1` to `ZZZ9999999`; a row may be a number alone.
fn is_place(place: &str, is_row: bool) -> bool {
    let letters = place.bytes().take_while(u8::is_ascii_alphabetic).count();
    let digits = &place[letters..];
    (1..=7).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (letters <= 3 && (is_row || letters > 0))
}
