mod model;

use watchkeeper_core::process::{Command, Executable};

use super::*;
use crate::expect::ExpectConfig;
use crate::programs::last_row;
use crate::scenes::{Machine, process};

fn read(expect: &ExpectConfig) -> (Question, Expect) {
    Expect::read(expect).unwrap()
}

fn postgres() -> ExpectConfig {
    ExpectConfig { process: "process.name == \"postgres\"".to_owned(), ..ExpectConfig::default() }
}

/// A machine with an expectation.
struct World {
    machine: Machine,
    expected: Expected,
    which: Question,
    expect: Expect,
}

impl World {
    fn new(expect: &ExpectConfig) -> Self {
        let (which, expect) = read(expect);
        Self { machine: Machine::new(), expected: Expected::default(), which, expect }
    }

    fn now_ticks(&self) -> u64 {
        let at = self.machine.snapshot.at;
        ((at.mono_ms + at.suspended_ms) / 10) as u64
    }

    /// A process that begins half a second after the last look.
    fn begin(&mut self, pid: u32, name: &str) {
        let mut born = process(pid, name);
        born.key.start_ticks = self.now_ticks() + 50;
        self.machine.add(born);
    }

    /// A process ends by a signal, and somebody sees it.
    fn kill(&mut self, pid: u32) {
        let ts_ms = self.machine.snapshot.at.ts_ms + 200;
        let exited = exited(self.machine.process(pid), ts_ms);
        self.machine.remove(pid);
        self.machine.snapshot.exited.push(exited);
    }

    fn look(&mut self) -> Seen {
        let tick = self.machine.tick();
        self.machine.snapshot.exited.clear();
        let ended: Vec<Process> = tick.exited.iter().map(last_row).collect();
        self.expected.look(&self.expect, &self.which, &tick, &ended)
    }

    fn verdicts(&mut self, looks: usize) -> Vec<Option<bool>> {
        (0..looks).map(|_| self.look().verdict).collect()
    }
}

fn exited(process: &Process, ts_ms: i64) -> Exited {
    Exited {
        key: process.key,
        parent: process.parent,
        image: process.image.clone(),
        uid: process.uid,
        ts_ms,
        code: None,
        signal: Some(9),
        cpu: None,
        faults: None,
        io: None,
        network: None,
    }
}

/// One whose name is read and whose executable is not.
fn closed(pid: u32, of_kernel: bool) -> Process {
    let mut closed = process(pid, "worker");
    let image = Arc::make_mut(&mut closed.image);
    if of_kernel {
        image.command = Some(Command::default());
        closed.parent = 2;
    }
    closed
}

#[test]
fn what_may_be_there_is_not_missing() {
    let by_path = |min| ExpectConfig {
        process: "process.executable.path == \"/bin/db\"".to_owned(),
        min: Some(min),
        max: Some(2),
        ..ExpectConfig::default()
    };
    let db = |pid| {
        let mut db = process(pid, "db");
        let executable = Executable { path: "/bin/db".to_owned(), ..Executable::default() };
        Arc::make_mut(&mut db.image).executable = Some(executable);
        db
    };
    // Known, unknown, threads of the kernel; at least; verdict.
    for (known, unknown, of_kernel, min, verdict) in [
        (1, 0, 0, 1, Some(false)),
        (0, 0, 0, 1, Some(true)),
        (0, 1, 0, 1, None),
        (0, 0, 3, 1, Some(true)),
        (1, 1, 0, 1, Some(false)),
        (1, 1, 0, 2, None),
        (1, 1, 0, 3, Some(true)),
        (2, 1, 0, 1, None),
        (3, 0, 0, 1, Some(true)),
        (3, 9, 0, 1, Some(true)),
        (2, 0, 5, 1, Some(false)),
    ] {
        let mut world = World::new(&ExpectConfig { max: Some(2.max(min)), ..by_path(min) });
        (0..known).for_each(|pid| world.machine.add(db(100 + pid)));
        (0..unknown).for_each(|pid| world.machine.add(closed(200 + pid, false)));
        (0..of_kernel).for_each(|pid| world.machine.add(closed(300 + pid, true)));
        assert_eq!(world.look().verdict, verdict, "{known} {unknown} {of_kernel} {min}");
    }
}

#[test]
fn the_dead_do_not_count() {
    let mut world = World::new(&postgres());
    world.begin(812, "postgres");
    assert_eq!(world.look(), Seen { verdict: Some(false), value: Some(1.0) });
    world.machine.process(812).state = Some(ProcessState::Zombie);
    assert_eq!(world.look(), Seen { verdict: Some(true), value: Some(0.0) });
    let last = world.expected.finding().unwrap().last.clone().unwrap();
    assert_eq!((last.key.pid, last.signal), (812, None));
    world.kill(812);
    world.look();
    let last = world.expected.finding().unwrap().last.clone().unwrap();
    assert_eq!((last.key.pid, last.signal), (812, Some(9)), "its parent has waited for it");
}

#[test]
fn a_list_that_cannot_be_read_says_nothing() {
    let mut world = World::new(&postgres());
    world.begin(812, "postgres");
    assert_eq!(world.verdicts(2), [Some(false); 2]);
    let list = world.machine.snapshot.processes.take();
    assert_eq!(world.verdicts(2), [None; 2]);
    world.machine.snapshot.processes = list;
    assert_eq!(world.verdicts(1), [Some(false)]);
}

/// What happens between two looks.
type Happens = fn(&mut World);

#[test]
fn only_what_begins_in_the_place_of_another_is_a_restart() {
    let often = ExpectConfig { max_restarts: Some("0/1m".to_owned()), ..postgres() };
    let cases: [(&str, Happens, bool); 9] = [
        ("nothing", |_| {}, false),
        ("one more begins", |world| world.begin(901, "postgres"), false),
        ("one ends", |world| world.kill(812), false),
        ("another ends and one begins", |world| (world.kill(813), world.begin(901, "postgres")).1, false),
        ("one ends and one begins", |world| (world.kill(812), world.begin(901, "postgres")).1, true),
        ("one vanishes and one begins", |world| (world.machine.remove(812), world.begin(901, "postgres")).1, true),
        (
            "one ends and another is taken for it",
            |world| {
                world.kill(812);
                let image = world.machine.process(812 - 1).image.clone();
                let mut renamed = (*image).clone();
                renamed.name = "postgres".to_owned();
                world.machine.process(811).image = Arc::new(renamed);
            },
            false,
        ),
        ("one begins and ends", |world| (world.begin(901, "postgres"), world.kill(901)).1, false),
        (
            "one ends, one begins and ends",
            |world| {
                world.kill(812);
                world.begin(901, "postgres");
                world.kill(901);
            },
            true,
        ),
    ];
    for (name, happens, restarted) in cases {
        let mut world = World::new(&often);
        for (pid, name) in [(811, "sh"), (812, "postgres"), (813, "nginx")] {
            world.machine.add(process(pid, name));
        }
        assert_eq!(world.verdicts(2), [Some(false); 2], "{name}");
        happens(&mut world);
        assert_eq!(world.look().verdict, Some(restarted), "{name}");
    }
}

#[test]
fn restarts_are_forgotten_after_their_time() {
    let mut world = World::new(&ExpectConfig { max_restarts: Some("1/1m".to_owned()), ..postgres() });
    world.begin(100, "postgres");
    world.look();
    for (pid, verdict) in [(100, false), (101, true), (102, true)] {
        world.kill(pid);
        world.begin(pid + 1, "postgres");
        assert_eq!(world.look().verdict, Some(verdict), "{pid}");
    }
    assert_eq!(world.expected.finding().map(|finding| finding.count), Some(3));
    let verdicts = world.verdicts(60);
    assert_eq!(verdicts.iter().position(|verdict| *verdict == Some(false)), Some(58), "one is left after 60 s");
}

#[test]
fn what_began_in_the_night_before_is_none_of_the_first_look() {
    let mut world = World::new(&ExpectConfig { max_restarts: Some("0/10m".to_owned()), ..postgres() });
    world.begin(1, "postgres");
    world.begin(2, "postgres");
    world.kill(1);
    assert_eq!(world.look(), Seen { verdict: Some(false), value: Some(1.0) });
}

#[test]
fn a_bomb_of_short_processes_is_remembered_in_little_room() {
    let mut world = World::new(&ExpectConfig { max_restarts: Some("1000/24h".to_owned()), ..postgres() });
    world.look();
    for round in 0..40 {
        for pid in 0..100 {
            world.begin(10_000 + round * 100 + pid, "postgres");
            world.kill(10_000 + round * 100 + pid);
        }
        world.look();
    }
    assert!(world.expected.restarts.len() <= MOST_KEPT && world.expected.ended.len() <= MOST_KEPT);
    assert_eq!(world.look().verdict, Some(true), "3,999 of them");
}

#[test]
fn missing_comes_before_restarted_and_restarted_before_too_many() {
    let all = ExpectConfig { min: Some(2), max: Some(2), max_restarts: Some("0/1m".to_owned()), ..postgres() };
    let mut world = World::new(&all);
    world.begin(1, "postgres");
    world.begin(2, "postgres");
    assert_eq!(world.look().verdict, Some(false));
    world.kill(1);
    world.look();
    let broken = |world: &World| world.expected.finding().map(|finding| (finding.broken, finding.count));
    assert_eq!(broken(&world), Some((Broken::Missing { least: 2 }, 1)));
    world.begin(3, "postgres");
    world.begin(4, "postgres");
    world.look();
    let allowed = Restarts { most: 0, within_ms: 60_000 };
    assert_eq!(broken(&world), Some((Broken::Restarted(allowed), 1)));
    world.verdicts(60);
    assert_eq!(broken(&world), Some((Broken::TooMany { most: 2 }, 3)));
}

#[test]
fn a_new_boot_restarts_nothing() {
    let mut world = World::new(&ExpectConfig { max_restarts: Some("0/10m".to_owned()), ..postgres() });
    world.begin(1, "postgres");
    assert_eq!(world.verdicts(2), [Some(false); 2]);
    world.machine.remove(1);
    let boot = BootId(uuid::Uuid::from_u128(77));
    (world.machine.snapshot.at.boot, world.machine.snapshot.at.mono_ms) = (boot, 20_000);
    let mut again = process(1, "postgres");
    (again.key.boot, again.key.start_ticks) = (boot, 500);
    world.machine.add(again);
    assert_eq!(world.verdicts(2), [Some(false); 2]);
}
