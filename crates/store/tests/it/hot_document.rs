//! Every query of docs/log-format.md, run on a log that was just recorded; and its tables against the schema.

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use watchkeeper_core::reading::ProcessMemory;
use watchkeeper_core::snapshot::{Exited, Process, ProcessCpu};
use watchkeeper_core::{History, ProcessKey, ProcessState, Range, Recorder, Snapshot};

use crate::hot_world::{TEN, World, first_look, folder, image, key, open, plain, process, reader};

const DOCUMENT: &str = include_str!("../../../../docs/log-format.md");

fn queries() -> Vec<&'static str> {
    DOCUMENT.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn rows(folder: &std::path::Path, query: &str) -> Vec<Vec<Value>> {
    let path = folder.join("log").join("2026-11-20.db");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let width = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        all.push((0..width).map(|column| row.get(column).unwrap()).collect());
    }
    all
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// Three processes for 20 minutes: pid 1 busy, pid 2 idle from the start, pid 3 gone after 1,180 s with a last burst.
fn record(folder: &std::path::Path) -> Vec<Snapshot> {
    let (_store, mut recorder) = open(folder);
    let mut snapshots = Vec::new();
    for second in 0..1_200 {
        let mut snapshot = plain(TEN + second * 1_000, if second < 1_180 { 3 } else { 2 });
        let processes = snapshot.processes.as_mut().unwrap();
        processes[1] = process(2, 0);
        if second == 1_180 {
            snapshot.exited.push(Exited {
                key: key(3),
                parent: 1,
                image: image("p3").into(),
                uid: Some(0),
                ts_ms: TEN + second * 1_000 - 400,
                code: Some(1),
                signal: None,
                cpu: Some(ProcessCpu { total_us: 9_000_000, user_us: 0 }),
                faults: None,
                io: None,
                network: None,
            });
        }
        if second == 0 {
            snapshot = first_look(snapshot);
        }
        recorder.record(&snapshot).unwrap();
        snapshots.push(snapshot);
    }
    recorder.flush().unwrap();
    snapshots
}

#[test]
fn every_query_runs_and_says_what_was_recorded() {
    let (_parent, folder) = folder();
    record(&folder);
    let queries = queries();
    assert_eq!(queries.len(), 5);

    let top = rows(&folder, queries[0]);
    let ranked: Vec<_> = top.iter().map(|row| (row[0].clone(), row[1].clone(), row[3].clone())).collect();
    // 880 s of 3 ms and the last burst; 900 s of 1 ms; nothing.
    assert_eq!(
        ranked,
        [
            (Value::Integer(3), text("p3"), Value::Real(11.64)),
            (Value::Integer(1), text("p1"), Value::Real(0.9)),
            (Value::Integer(2), text("p2"), Value::Real(0.0)),
        ]
    );

    let one = rows(&folder, queries[1]);
    assert_eq!(one.len(), 300);
    assert!(one.iter().all(|row| row[1] == Value::Integer(1_000) && row[4] == Value::Integer(1 << 20)));
    let idle = rows(&folder, &queries[1].replace("pid = 1", "pid = 2"));
    assert_eq!(idle.len(), 300, "a process without rows is there all the same");
    assert!(idle.iter().all(|row| row[1] == Value::Integer(0) && row[4] == Value::Integer(2 << 20)));
    assert_eq!(rows(&folder, &queries[1].replace("pid = 1", "pid = 3")).len(), 280, "and not after its end");

    let cpu = rows(&folder, queries[2]);
    assert_eq!((cpu.len(), &cpu[5][0], &cpu[5][1]), (20, &text("2026-11-20 10:05"), &Value::Real(25.0)));

    let happened = rows(&folder, queries[3]);
    assert_eq!(
        happened,
        [vec![text("10:19:39.600"), text("exit"), Value::Integer(3), text("p3"), text("code 1, signal -")]]
    );

    let minute = rows(&folder, queries[4]);
    let minute: Vec<_> = minute.iter().map(|row| (row[0].clone(), row[3].clone(), row[4].clone())).collect();
    assert_eq!(
        minute,
        [
            (Value::Integer(1), Value::Real(0.06), Value::Integer(1 << 20)),
            (Value::Integer(2), Value::Real(0.0), Value::Integer(2 << 20)),
        ]
    );
}

#[test]
fn the_last_minute_by_query_is_the_last_minute_by_the_reader() {
    for seed in 0..10 {
        let (_parent, folder) = folder();
        let (store, mut recorder) = open(&folder);
        let mut world = World::new(seed);
        for second in 0..90 {
            recorder.record(&world.tick(TEN + second * 1_000, 7_000_000 + second * 1_000, 1_000)).unwrap();
        }
        drop((recorder, store));
        let reader = reader(&folder);
        let Some(processes) = reader.snapshot(TEN + 89_000).unwrap().unwrap().processes else { continue };
        let range = Range::new(TEN + 30_000, TEN + 90_000);
        let mut expected: Vec<(i64, i64, i64, Option<i64>)> = processes
            .iter()
            .map(|process| {
                let points = reader.process(&process.key, range).unwrap();
                let cpu_us: u64 = points.iter().filter_map(|point| point.process.cpu).map(|cpu| cpu.total_us).sum();
                let ProcessKey { pid, start_ticks, .. } = process.key;
                let resident = process.memory.map(|memory| memory.resident_bytes.cast_signed());
                (i64::from(pid), start_ticks.cast_signed(), cpu_us.cast_signed(), resident)
            })
            .collect();
        expected.sort_unstable();
        let mut found: Vec<_> = rows(&folder, queries()[4]).iter().map(|row| as_process(row)).collect();
        found.sort_unstable();
        // The query asks for the rows since the last key tick and for CPU time in rows: a list that could not be read in
        // between hides neither.
        let found_keys: Vec<_> = found.iter().map(|(pid, start, _, resident)| (*pid, *start, *resident)).collect();
        let expected_keys: Vec<_> =
            expected.iter().map(|(pid, start, _, resident)| (*pid, *start, *resident)).collect();
        assert_eq!(found_keys, expected_keys, "seed {seed}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.2, expected.2, "CPU of {} with seed {seed}", found.0);
        }
    }
}

fn as_process(row: &[Value]) -> (i64, i64, i64, Option<i64>) {
    match (&row[0], &row[1], &row[3], &row[4]) {
        (Value::Integer(pid), Value::Integer(start), Value::Real(cpu_s), resident) => {
            let resident = if let Value::Integer(bytes) = resident { Some(*bytes) } else { None };
            (*pid, *start, (cpu_s * 1e6).round() as i64, resident)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_view_of_processes_shows_states_and_sizes_as_they_were() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    let mut snapshot = plain(TEN, 0);
    let sizes = [0, 1, 4_095, 4_096, 4_097, 123 << 12, (1 << 40) + 512, u64::MAX >> 1, 1 << 62];
    let mut expected = Vec::new();
    let processes = ProcessState::CODES.iter().zip(sizes).enumerate().map(|(index, ((state, letter), bytes))| {
        let pid = index as u32 + 1;
        expected.push(vec![
            Value::Integer(i64::from(pid)),
            text(&letter.to_string()),
            Value::Integer(bytes.cast_signed()),
            Value::Integer(4_096 * i64::from(pid)),
        ]);
        let mut process = process(pid, 0);
        process.state = Some(*state);
        process.memory = Some(ProcessMemory { resident_bytes: bytes, virtual_bytes: 4_096 * u64::from(pid) });
        process
    });
    let mut processes: Vec<_> = processes.collect();
    let mut unknown = process(99, 0);
    (unknown.state, unknown.memory) = (None, None);
    processes.push(unknown);
    expected.push(vec![Value::Integer(99), Value::Null, Value::Null, Value::Null]);
    snapshot.processes = Some(processes);
    recorder.record(&snapshot).unwrap();
    recorder.flush().unwrap();
    let query = "SELECT p.pid, s.state, s.resident_bytes, s.virtual_bytes FROM process_sample AS s \
                 JOIN process AS p ON p.id = s.process WHERE s.tick = 1 ORDER BY p.pid";
    assert_eq!(rows(&folder, query), expected);
    let mut rebuilt = reader(&folder).snapshot(TEN).unwrap().unwrap().processes.unwrap();
    rebuilt.sort_by_key(|process| process.key);
    let parts = |process: &Process| (process.key, process.state, process.memory);
    let told: Vec<_> = snapshot.processes.iter().flatten().map(parts).collect();
    assert_eq!(rebuilt.iter().map(parts).collect::<Vec<_>>(), told);
}

#[test]
fn a_question_to_a_view_about_ticks_is_a_search_by_the_key() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    recorder.record(&plain(TEN, 1)).unwrap();
    recorder.flush().unwrap();
    let views = rows(&folder, "SELECT name FROM sqlite_schema WHERE type = 'view' AND name LIKE '%_sample'");
    assert_eq!(views.len(), 8);
    for view in &views {
        let Value::Text(view) = &view[0] else { panic!("{view:?}") };
        for question in [
            format!("SELECT * FROM {view} WHERE tick = 7"),
            format!("SELECT * FROM {view} WHERE tick BETWEEN 7 AND 9"),
            format!("SELECT * FROM tick AS o JOIN {view} AS s ON s.tick = o.id WHERE o.ts_ms > 5"),
        ] {
            let plan = rows(&folder, &format!("EXPLAIN QUERY PLAN {question}"));
            let is_search =
                plan.iter().any(|step| step[3] == text("SEARCH r USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"));
            let is_scan = plan.iter().any(|step| matches!(&step[3], Value::Text(step) if step.starts_with("SCAN")));
            assert!(is_search && !is_scan, "{question}: {plan:?}");
        }
    }
}

#[test]
fn every_table_and_column_of_the_schema_is_in_the_document() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    recorder.record(&plain(TEN, 1)).unwrap();
    recorder.flush().unwrap();
    let columns = rows(
        &folder,
        "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c \
         WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'refinery_schema_history'",
    );
    assert!(columns.len() > 150);
    // Told as a family: "and the same of", "`received_` and `sent_`".
    let families = ["_some_", "_full_", "received_", "sent_"];
    for row in columns {
        let (Value::Text(table), Value::Text(column)) = (&row[0], &row[1]) else { panic!("{row:?}") };
        assert!(DOCUMENT.contains(table.as_str()), "{table}");
        let is_family = families.iter().any(|family| column.contains(family));
        assert!(is_family || DOCUMENT.contains(column.as_str()), "{table}.{column}");
    }
}
