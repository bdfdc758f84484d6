use super::*;
use crate::table::workbook::tests::archive;

fn check_part(name: &str, text: &str) -> Result<(), String> {
    let parts = [("_rels/.rels".to_owned(), "<Relationships/>".to_owned()), (name.to_owned(), text.to_owned())];
    check_within(&archive(&parts), 100_000).map_err(|problem| problem.to_string())
}

#[test]
fn what_unpacks_to_far_more_than_it_is_is_refused() {
    let bomb = Err("is no workbook of a recording: unpacked it is far larger than its numbers need".to_owned());
    let rows = |count: usize| format!("<worksheet>{}</worksheet>", "<row/>".repeat(count));
    assert_eq!(check_part("xl/worksheets/sheet1.xml", &rows(10_000)), Ok(()));
    assert_eq!(check_part("xl/worksheets/sheet1.xml", &rows(1_000_000)), bomb);
    assert_eq!(check_part("xl/media/image1.png", &"x".repeat(2_000_000)), bomb);
    let cells: Vec<String> =
        (0..100_000).map(|row| format!("<c r=\"A{row}\"><v>{}</v></c>", row * 7_919 % 1_000)).collect();
    assert_eq!(check_part("xl/worksheets/sheet1.xml", &cells.concat()), Ok(()), "a sheet of numbers has a reason");
}

#[test]
fn a_checksum_that_does_not_fit_is_damage_wherever_it_stands() {
    let texts =
        ["<worksheet>12.5</worksheet>".to_owned(), "no XML 12.5".to_owned(), "<unfinished <worksheet 12.5".to_owned()];
    for text in texts {
        let parts = [("_rels/.rels".to_owned(), String::new()), ("part".to_owned(), text.clone())];
        let mut bytes = archive(&parts);
        assert_eq!(check(&bytes), Ok(()), "{text}");
        // The checksum stands in the folder at the end too, and that one counts.
        let folder = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        bytes[folder + 16] ^= 1;
        assert!(matches!(check(&bytes), Err(TableProblem::Damaged(_))), "{text}");
    }
}

#[test]
fn a_range_encloses_something() {
    for range in ["A1", "A1:A1", "A1:XFD1048576", "C9:D9", "Z9:AA10", "a1:B2", "A09:A10"] {
        assert!(is_range(range), "{range}");
    }
    for range in
        ["", ":", "A", "1", "A1:", ":A1", "C9:A10", "A9:C1", "AA1:Z2", "A1:B2:C3", "AAAA1", "A12345678", "A1:B-2", "é1"]
    {
        assert!(!is_range(range), "{range}");
    }
    assert!(is_place("7", true) && is_place("A7", true) && !is_place("7", false) && !is_place("", true));
}
