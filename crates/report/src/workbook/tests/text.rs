//! Text of strangers in a workbook.

use super::*;

#[test]
fn foreign_text_is_text_and_nothing_else() {
    let nasty = [
        "=cmd|'/c calc'!A1",
        "@SUM(A1:A9)",
        "+1+1",
        "-2+3",
        "http://example.com/x",
        "mailto:root@example.com",
        "internal:Sheet2!A1",
        "<b>&\"'</b>",
        "{=A1}",
        "日本語",
        "a\u{1b}[31mb\nc\u{202e}d",
        "_x0041_",
        "\u{ffff}",
    ];
    for limits in [Limits::USUAL, LONG] {
        let world = World::new();
        let mut spool = world.spool(&[]);
        for (number, name) in nasty.iter().enumerate() {
            let mut row = row(number as i64, Some(90.0));
            let process = &mut row.processes.as_mut().unwrap()[0];
            process.pid += number as u32;
            process.name = (*name).to_owned();
            process.program = (*name).to_owned();
            row.peers = Some(vec![Peer { address: (*name).to_owned(), connections: 1 }]);
            spool.append(&row).unwrap();
        }
        world.write(&spool, limits).unwrap();
        let mut found = lines(&world.target, "System_Log");
        for sheet in ["Alert_Tickets", "Top_Processes", "Connections"] {
            found.push_str(&lines(&world.target, sheet));
        }
        for name in ["=cmd|'/c calc'!A1 (pid", "@SUM(A1:A9) (pid", "http://example.com/x (pid", "<b>&\"'</b> (pid"] {
            assert_eq!(found.matches(name).count(), 2, "{name} in log and alerts: {found}");
        }
        assert!(found.contains("a\\u{1b}[31mb c\\u{202e}d (pid"), "{found}");
        assert!(!found.contains('\u{1b}') && !found.contains('\u{202e}') && !found.contains('\u{ffff}'));
        let mut archive = zip::ZipArchive::new(File::open(&world.target).unwrap()).unwrap();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).unwrap();
            let mut xml = String::new();
            entry.read_to_string(&mut xml).unwrap();
            assert!(!xml.contains("<f>") && !xml.contains("<hyperlink"), "{xml}");
            assert!(!xml.contains("relationships/hyperlink"), "{xml}");
        }
        let bytes = std::fs::read(&world.target).unwrap();
        let mut workbook: Xlsx<_> = open_workbook_from_rs(Cursor::new(bytes)).unwrap();
        for name in workbook.sheet_names() {
            assert!(workbook.worksheet_formula(&name).unwrap().used_cells().next().is_none(), "{name}");
        }
    }
}

#[test]
fn the_longest_text_fits_into_a_cell() {
    for limits in [Limits::USUAL, LONG] {
        let world = World::new();
        let header = Header { host: "h".repeat(50_000), gaps: vec!["g".repeat(50_000); 40], ..header() };
        let mut spool = Spool::create(&spool_path(&world.target), &header).unwrap();
        let mut row = row(0, Some(99.0));
        row.peers = Some(vec![Peer { address: "\u{7}".repeat(50_000), connections: 1 }]);
        row.processes.as_mut().unwrap()[0].program = "\u{10ffff}\u{7}".repeat(50_000);
        row.processes.as_mut().unwrap()[0].name = "n".repeat(50_000);
        spool.append(&row).unwrap();
        assert_eq!(world.write(&spool, limits).unwrap(), Saved::Target);
        assert!(lines(&world.target, "Summary").contains("and 10 more"));
    }
}
