use std::io::{Cursor, Read};
use std::path::PathBuf;

use calamine::{Data, DataType, Range, Reader, Xlsx, open_workbook_from_rs};
use tempfile::TempDir;
use watchkeeper_core::reading::Peer;

use super::*;
use crate::column::columns;
use crate::recording::{Header, Spool, spool_path};
use crate::row::{ProcessRow, Row};

#[cfg(target_os = "linux")]
mod disk;
mod place;
mod text;

const STARTED_MS: i64 = 1_795_143_840_000;

struct World {
    folder: TempDir,
    target: PathBuf,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report.xlsx");
        Self { folder, target }
    }

    /// A recording of rows with these shares of CPU time, percent.
    fn spool(&self, cpu_percents: &[Option<f64>]) -> Spool {
        let mut spool = Spool::create(&spool_path(&self.target), &header()).unwrap();
        for (number, cpu_percent) in cpu_percents.iter().enumerate() {
            spool.append(&row(number as i64, *cpu_percent)).unwrap();
        }
        spool
    }

    fn write(&self, spool: &Spool, limits: Limits) -> Result<Saved, WorkbookError> {
        write_within(&spool.recording().unwrap(), &self.target, &TimeZone::UTC, limits)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// One file inside the workbook.
    fn entry(&self, name: &str) -> String {
        let mut archive = zip::ZipArchive::new(File::open(&self.target).unwrap()).unwrap();
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn sheet_names(&self) -> Vec<String> {
        let bytes = std::fs::read(&self.target).unwrap();
        let workbook: Xlsx<_> = open_workbook_from_rs(Cursor::new(bytes)).unwrap();
        workbook.sheet_names()
    }
}

fn header() -> Header {
    Header {
        version: Header::VERSION,
        program: "watchkeeper 0.1.0".to_owned(),
        host: "web-1".to_owned(),
        system: "Linux".to_owned(),
        zone: "UTC".to_owned(),
        tier: "proc".to_owned(),
        started_ms: STARTED_MS,
        interval_ms: 5_000,
        cpu_alert_percent: 80.0,
        cpu_count: Some(2),
        memory_bytes: Some(8 << 30),
        columns: columns().iter().map(|column| column.title.to_owned()).collect(),
        gaps: vec!["the temperatures cannot be read".to_owned()],
    }
}

fn row(number: i64, cpu_percent: Option<f64>) -> Row {
    let process = |pid: u32, program: &str, cpu_us| ProcessRow {
        pid,
        start_ticks: 7,
        name: program.chars().take(15).collect(),
        program: program.to_owned(),
        cpu_us: Some(cpu_us),
        resident_bytes: Some(5_000_000),
        read_bytes: None,
        written_bytes: Some(1_000_000),
    };
    let mut values: Vec<Option<f64>> = (0..columns().len()).map(|at| Some(at as f64 + number as f64 / 8.0)).collect();
    values[0] = cpu_percent;
    values[2] = None;
    Row {
        ts_ms: STARTED_MS + (number + 1) * 5_000,
        interval_ms: 5_000,
        values,
        cpu_count: Some(2),
        peers: Some(vec![Peer { address: "192.0.2.7".to_owned(), connections: 3 + number as u32 % 2 }]),
        processes: Some(vec![process(4711, "yes", 4_980_000), process(12, "=cmd|'/c calc'!A1", 1_000_000)]),
    }
}

fn sheet(path: &Path, name: &str) -> Range<Data> {
    let bytes = std::fs::read(path).unwrap();
    let mut workbook: Xlsx<_> = open_workbook_from_rs(Cursor::new(bytes)).unwrap();
    workbook.worksheet_range(name).unwrap()
}

fn cell<'a>(range: &'a Range<Data>, row: u32, title: &str) -> &'a Data {
    let column = titles(range).iter().position(|known| known == title).unwrap_or_else(|| panic!("no {title}"));
    range.get_value((row, column as u32)).unwrap_or(&Data::Empty)
}

fn text(text: &str) -> Data {
    Data::String(text.to_owned())
}

/// All texts of a sheet, a line for each row.
fn lines(path: &Path, name: &str) -> String {
    let range = sheet(path, name);
    let rows = range.rows().map(|row| {
        let cells: Vec<String> = row.iter().filter(|cell| !cell.is_empty()).map(ToString::to_string).collect();
        cells.join(" | ")
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// Long recordings take this way.
const LONG: Limits = Limits { rows_in_memory: 0, ..Limits::USUAL };

fn titles(range: &Range<Data>) -> Vec<String> {
    range.headers().unwrap()
}

#[test]
fn the_sheets_are_those_that_are_promised() {
    let world = World::new();
    let spool = world.spool(&[Some(12.5), Some(97.5), None, Some(81.0)]);
    assert_eq!(world.write(&spool, Limits::USUAL).unwrap(), Saved::Target);
    let mut workbook: Xlsx<_> = open_workbook_from_rs(Cursor::new(std::fs::read(&world.target).unwrap())).unwrap();
    assert_eq!(
        workbook.sheet_names(),
        [
            "Summary",
            "System_Log",
            "Alert_Tickets",
            "CPU_Graph",
            "Memory_Graph",
            "Disk_Graph",
            "Network_Graph",
            "Top_Processes",
            "Connections",
            "Chart_Data",
        ]
    );
    for name in workbook.sheet_names() {
        let formulas = workbook.worksheet_formula(&name).unwrap();
        assert!(formulas.used_cells().all(|(_, _, formula)| formula.is_empty()), "{name}");
    }
    assert_eq!(world.names(), [".report.xlsx.spool", "report.xlsx"], "nothing temporary stays");
}

#[test]
fn the_log_has_the_columns_of_the_scripts_first_and_real_dates_and_numbers() {
    let world = World::new();
    let spool = world.spool(&[Some(12.5), Some(97.5), None]);
    world.write(&spool, Limits::USUAL).unwrap();
    let log = sheet(&world.target, "System_Log");
    let mut expected = vec!["Timestamp"];
    expected.extend(columns().iter().map(|column| column.title));
    expected.extend(["Top Process", "Top Process CPU (%)", "Interval (s)"]);
    assert_eq!(titles(&log), expected);
    assert_eq!(&expected[..3], ["Timestamp", "CPU Usage (%)", "Memory Usage (%)"]);
    assert_eq!(log.height(), 4);
    let first: Vec<&Data> = log.rows().nth(1).unwrap().iter().collect();
    let Data::DateTime(time) = first[0] else { panic!("{:?} is no date", first[0]) };
    assert_eq!(time.as_f64(), 46_346.0 + 11_045.0 / 86_400.0, "2026-11-20 03:04:05");
    assert_eq!((first[1], first[2], first[3]), (&Data::Float(12.5), &Data::Float(1.0), &Data::Empty));
    assert_eq!(first[15], &Data::String("yes (pid 4711)".to_owned()));
    assert_eq!((first[16], first[17]), (&Data::Float(49.8), &Data::Float(5.0)));
    assert_eq!(log.get((3, 1)), Some(&Data::Empty), "an unknown usage is an empty cell");
}

#[test]
fn alerts_are_a_line_each_with_ticket_severity_and_culprit() {
    let world = World::new();
    world.write(&world.spool(&[Some(97.5), Some(81.0), None, Some(5.0), Some(80.04)]), Limits::USUAL).unwrap();
    let alerts = sheet(&world.target, "Alert_Tickets");
    let expected =
        ["Timestamp", "AlertType", "Details", "Ticket", "Severity", "Culprit", "Culprit Share (%)", "Duration (s)"];
    assert_eq!((titles(&alerts), alerts.height()), (expected.map(str::to_owned).to_vec(), 4));
    for (row, details, ticket, severity, duration) in [
        (1, "CPU usage 97.5% is above the threshold of 80%", 1.0, "Critical", 5.0),
        (2, "CPU usage 81.0% is above the threshold of 80%", 1.0, "Warning", 10.0),
        (3, "CPU usage 80.0% is above the threshold of 80%", 2.0, "Warning", 5.0),
    ] {
        assert!(matches!(cell(&alerts, row, "Timestamp"), Data::DateTime(_)));
        assert_eq!(cell(&alerts, row, "AlertType"), &text("High CPU Usage"));
        assert_eq!(cell(&alerts, row, "Details"), &text(details));
        assert_eq!(cell(&alerts, row, "Ticket"), &Data::Float(ticket));
        assert_eq!(cell(&alerts, row, "Severity"), &text(severity));
        assert_eq!(cell(&alerts, row, "Culprit"), &text("yes (pid 4711)"));
        assert_eq!(cell(&alerts, row, "Culprit Share (%)"), &Data::Float(49.8));
        assert_eq!(cell(&alerts, row, "Duration (s)"), &Data::Float(duration));
    }
}

#[test]
fn without_an_alert_its_sheet_has_titles_and_the_summary_says_so() {
    for limits in [Limits::USUAL, LONG] {
        let world = World::new();
        world.write(&world.spool(&[Some(12.0), Some(80.0)]), limits).unwrap();
        let alerts = sheet(&world.target, "Alert_Tickets");
        assert_eq!((alerts.height(), titles(&alerts).len()), (1, 8));
        assert!(lines(&world.target, "Summary").contains("No alert: CPU usage was never above 80 %"));
    }
}

#[test]
fn a_long_recording_has_the_same_cells_as_a_short_one() {
    let world = World::new();
    let percents: Vec<Option<f64>> = (0..50).map(|at| (at % 7 != 0).then_some(f64::from(at) * 2.0)).collect();
    let spool = world.spool(&percents);
    world.write(&spool, Limits::USUAL).unwrap();
    let names = world.sheet_names();
    let short: Vec<Range<Data>> = names.iter().map(|name| sheet(&world.target, name)).collect();
    let [short_log, short_alerts] = [2, 3].map(|number| world.entry(&format!("xl/worksheets/sheet{number}.xml")));
    world.write(&spool, LONG).unwrap();
    assert_eq!(world.sheet_names(), names);
    for (name, short) in names.iter().zip(&short).filter(|(name, _)| !name.ends_with("_Graph") && *name != "Chart_Data")
    {
        assert_eq!(&sheet(&world.target, name), short, "{name}");
    }
    // What is around the rows is the same text: the size, the frozen titles, the filter, the colours, the print settings.
    for (number, short) in [(2, short_log), (3, short_alerts)] {
        let long = world.entry(&format!("xl/worksheets/sheet{number}.xml"));
        let around = |text: &str| {
            let (head, rest) = text.split_once("<row r=\"2\"").unwrap();
            (head.to_owned(), rest.split_once("</sheetData>").unwrap().1.to_owned())
        };
        assert_eq!(around(&long), around(&short), "sheet {number}");
    }
}

#[test]
fn what_is_too_long_for_a_sheet_goes_on_in_the_next() {
    let world = World::new();
    let spool = world.spool(&[Some(90.0); 7]);
    for rows_in_memory in [100, 0] {
        let limits = Limits { rows_of_a_sheet: 3, rows_in_memory, ..Limits::USUAL };
        world.write(&spool, limits).unwrap();
        let names = world.sheet_names();
        let pages =
            ["System_Log", "System_Log_2", "System_Log_3", "Alert_Tickets", "Alert_Tickets_2", "Alert_Tickets_3"];
        assert_eq!(names[1..7], pages);
        let mut times = Vec::new();
        for (page, rows) in pages.iter().zip([3, 3, 1, 3, 3, 1]) {
            let range = sheet(&world.target, page);
            assert_eq!((range.height(), range.get_value((0, 0))), (rows + 1, Some(&text("Timestamp"))), "{page}");
            times.extend(range.rows().skip(1).map(|row| row[0].clone()));
        }
        assert_eq!(times[..7], times[7..]);
        assert!(times.windows(2).take(6).all(|pair| pair[0].to_string() < pair[1].to_string()), "{times:?}");
    }
}

#[test]
fn what_is_written_here_can_be_trained_from() {
    let world = World::new();
    let percents = [Some(12.5), None, Some(97.5), Some(80.5), Some(0.0)];
    let spool = world.spool(&percents);
    for (rows_of_a_sheet, rows_in_memory) in [(100, 100), (100, 0), (2, 100), (2, 0)] {
        world.write(&spool, Limits { rows_of_a_sheet, rows_in_memory, ..Limits::USUAL }).unwrap();
        let table = crate::read_table(&world.target, &TimeZone::UTC).unwrap();
        let cpu = table.columns.iter().find(|column| column.title == "CPU Usage (%)").unwrap();
        assert_eq!((table.rows, &cpu.values[..], cpu.unreadable), (5, &percents[..], 0));
        let times: Vec<i64> = table.times_ms.unwrap().into_iter().map(Option::unwrap).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 5_000), "{times:?}");
    }
}

#[test]
fn titles_stay_in_sight_and_have_filters() {
    let world = World::new();
    world.write(&world.spool(&[Some(90.0); 4]), Limits::USUAL).unwrap();
    for (number, range) in [(2, "A1:R5"), (3, "A1:H5"), (8, "A1:L3"), (9, "A1:G2")] {
        let xml = world.entry(&format!("xl/worksheets/sheet{number}.xml"));
        assert!(
            xml.contains(r#"<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>"#),
            "{number}"
        );
        assert!(xml.contains(&format!(r#"<autoFilter ref="{range}"/>"#)), "{number}: {xml}");
        assert!(xml.contains(r#"orientation="landscape""#) && xml.contains(r#"fitToPage="1""#), "{number}");
    }
    let names = world.entry("xl/workbook.xml");
    assert!(names.contains("_xlnm.Print_Titles") && names.contains("System_Log!$1:$1"), "{names}");
    assert!(names.contains(r#"name="Chart_Data" sheetId="10" state="hidden""#), "{names}");
}

#[test]
fn charts_are_native_and_have_titles() {
    let world = World::new();
    world.write(&world.spool(&[Some(90.0); 4]), Limits::USUAL).unwrap();
    // The first is that of the summary.
    for (number, title, axis, range) in [
        (2, "CPU Usage Over Time", "CPU Usage (%)", "System_Log!$B$2:$B$5"),
        (3, "Memory Usage Over Time", "Memory Usage (%)", "System_Log!$C$2:$C$5"),
        (4, "Disk Traffic Over Time", "Disk Traffic (MB/s)", "System_Log!$J$2:$J$5"),
        (5, "Network Traffic Over Time", "Network Traffic (MB/s)", "System_Log!$L$2:$L$5"),
    ] {
        let xml = world.entry(&format!("xl/charts/chart{number}.xml"));
        for part in ["<c:lineChart>", &format!("<a:t>{title}</a:t>"), "<a:t>Time</a:t>", &format!("<a:t>{axis}</a:t>")]
        {
            assert!(xml.contains(part), "{part} in chart {number}: {xml}");
        }
        assert!(
            xml.contains(&format!("<c:f>{range}</c:f>")) && xml.contains("<c:f>System_Log!$A$2:$A$5</c:f>"),
            "{xml}"
        );
        // A time axis would put all points of a day onto one spot.
        assert!(!xml.contains("<c:dateAx>") && !xml.contains("<c:auto"), "{xml}");
        assert_eq!(xml.contains(r#"<c:max val="100"/>"#), number < 4, "{xml}");
        assert_eq!(xml.contains("Alert threshold (80 %)") && xml.contains("Chart_Data!$A$2:$A$5"), number == 2);
    }
}

#[test]
fn charts_of_long_recordings_show_few_points_and_say_so() {
    let world = World::new();
    let mut percents = vec![Some(10.0); 1_000];
    percents[777] = Some(99.0);
    let limits = Limits { rows_in_memory: 999, chart_steps: 100, ..Limits::USUAL };
    world.write(&world.spool(&percents), limits).unwrap();
    let data = sheet(&world.target, "Chart_Data");
    assert_eq!(data.height(), 64, "63 steps of 16 rows");
    let highest: Vec<f64> = (1..64)
        .filter_map(|row| match cell(&data, row, "CPU Usage (%)") {
            Data::Float(value) if *value > 10.0 => Some(*value),
            _ => None,
        })
        .collect();
    assert_eq!(highest, [99.0], "the peak is not lost");
    let note =
        "1,000 rows are drawn as 63 points of 16 rows (1 m 20 s) each; a point is the highest value among its rows.";
    assert!(lines(&world.target, "CPU_Graph").contains(note), "{}", lines(&world.target, "CPU_Graph"));
    assert!(world.entry("xl/charts/chart2.xml").contains("<c:f>Chart_Data!$B$2:$B$64</c:f>"));
}

#[test]
fn the_summary_says_who_it_was() {
    let world = World::new();
    world.write(&world.spool(&[Some(12.5), Some(97.5), Some(90.0), Some(3.0)]), Limits::USUAL).unwrap();
    let summary = lines(&world.target, "Summary");
    for line in [
        "Recording of web-1",
        "2026-11-20 03:04:00 to 2026-11-20 03:04:20, 20 s",
        "1 alert ticket: CPU usage was above 80 % for 10 s in all",
        "Highest CPU usage: 97.5 %. yes (pid 4711) took 49.8 % of this machine's CPU at 2026-11-20 03:04:10",
        "Observed | 20 s in 4 rows, one every 5 s",
        "CPU alert threshold | 80 %",
        "Alert tickets | 1 (2 intervals above the threshold)",
        "Memory | 8.0 GiB",
        "the temperatures cannot be read",
        "Not known in any row: Swap Usage (%)",
        "yes (pid 4711) | 19.92 | 49.8 | 49.8 |",
        "CPU Usage (%) | 50.75 | 97.5 | 97.5 |",
        concat!("Made by Watchkeeper ", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(summary.contains(line), "{line} in:\n{summary}");
    }
    let core = world.entry("docProps/core.xml");
    for part in
        ["<dc:title>Recording of web-1</dc:title>", "<dc:creator>Watchkeeper</dc:creator>", "2026-11-20T03:04:00Z"]
    {
        assert!(core.contains(part), "{core}");
    }
}

#[test]
fn processes_and_addresses_are_those_of_the_whole_recording() {
    let world = World::new();
    world.write(&world.spool(&[Some(12.5), Some(97.5), Some(90.0), Some(3.0)]), Limits::USUAL).unwrap();
    let top = sheet(&world.target, "Top_Processes");
    assert_eq!(cell(&top, 1, "Program"), &text("yes"));
    assert_eq!(cell(&top, 2, "Program"), &text("=cmd|'/c calc'!A1"));
    for (title, value) in [
        ("PID", 4_711.0),
        ("CPU Time (s)", 19.92),
        ("Mean CPU (%)", 49.8),
        ("Peak CPU (%)", 49.8),
        ("Peak Memory (MB)", 5.0),
        ("Written (MB)", 4.0),
    ] {
        let Data::Float(found) = cell(&top, 1, title) else { panic!("{title} is no number") };
        assert!((found - value).abs() < 1e-9, "{title}: {found}");
    }
    assert_eq!(cell(&top, 1, "Read (MB)"), &Data::Empty, "unknown is not zero");
    let peers = sheet(&world.target, "Connections");
    assert_eq!(cell(&peers, 1, "Remote Address"), &text("192.0.2.7"));
    assert_eq!(cell(&peers, 1, "Mean Connections"), &Data::Float(3.5));
    assert_eq!(cell(&peers, 1, "Peak Connections"), &Data::Float(4.0));
    assert_eq!(cell(&peers, 1, "Seen In (%)"), &Data::Float(100.0));
}

#[test]
fn a_recording_without_rows_is_a_workbook_too() {
    for limits in [Limits::USUAL, LONG] {
        let world = World::new();
        assert_eq!(world.write(&world.spool(&[]), limits).unwrap(), Saved::Target);
        assert_eq!(sheet(&world.target, "System_Log").height(), 1);
        assert!(lines(&world.target, "CPU_Graph").contains("The recording has no rows."));
        assert!(lines(&world.target, "Summary").contains("CPU usage is not known"));
    }
}

#[test]
fn the_same_recording_gives_the_same_file() {
    for limits in [Limits::USUAL, LONG] {
        let world = World::new();
        let spool = world.spool(&[Some(12.5), Some(97.5)]);
        world.write(&spool, limits).unwrap();
        let first = std::fs::read(&world.target).unwrap();
        world.write(&spool, limits).unwrap();
        assert!(std::fs::read(&world.target).unwrap() == first);
    }
}

#[test]
fn rows_with_odd_numbers_break_nothing() {
    for limits in [Limits::USUAL, LONG] {
        let world = World::new();
        let mut spool = world.spool(&[Some(1.0)]);
        for (ts_ms, interval_ms) in [(i64::MAX, i64::MAX), (i64::MIN, i64::MIN), (0, 0), (i64::MIN, i64::MAX), (-1, -1)]
        {
            let mut odd = row(1, Some(f64::MAX));
            (odd.ts_ms, odd.interval_ms) = (ts_ms, interval_ms);
            odd.values[1] = Some(-5e-324);
            odd.cpu_count = Some(u32::MAX);
            odd.processes.as_mut().unwrap()[0].cpu_us = Some(u64::MAX);
            odd.processes.as_mut().unwrap()[0].written_bytes = Some(u64::MAX);
            spool.append(&odd).unwrap();
        }
        assert_eq!(world.write(&spool, limits).unwrap(), Saved::Target);
        assert_eq!(sheet(&world.target, "System_Log").height(), 7);
    }
}
