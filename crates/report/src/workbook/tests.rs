use std::io::{Cursor, Read};
use std::path::PathBuf;

use calamine::{Data, Range, Reader, Xlsx, open_workbook_from_rs};
use tempfile::TempDir;
use watchkeeper_core::reading::Peer;

use super::*;
use crate::column::columns;
use crate::recording::{Header, Spool, spool_path};
use crate::row::{ProcessRow, Row};

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

    fn entry(&self, name: &str) -> String {
        entry(&self.target, name)
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

fn entry(path: &Path, name: &str) -> String {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut text = String::new();
    archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

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
