//! The life of an alert against a naive model, written from the specification and not from the machine.

use proptest::prelude::*;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::snapshot::TickFlags;
use watchkeeper_core::{AlertState, Entity, Fingerprint, IncidentEvent};

use super::stories::BUSY;
use super::*;
use crate::RuleConfig;
use crate::scenes::{HOST, Machine, left_behind, line, nothing, rule, settings};

/// What a look shows: how busy the CPU is, against 90 % and the 85.5 % that clear.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Holds,
    Between,
    Clear,
    Unknown,
}

/// What happens until the next look, and how long the machine slept or how far the clock was set.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    Lost(u32),
    Slept(i64),
    ClockSet(i64),
    Restart(i64),
}

/// The specification, a sentence a line. Times in seconds.
#[derive(Debug, Default)]
struct Naive {
    state: Option<AlertState>,
    known: i64,
    lost: i64,
    /// Wall clock.
    now: i64,
    /// Wall clock at the last row that the store was given.
    row: i64,
    /// Wall clock when it was over.
    over: Vec<i64>,
    flaps: bool,
}

impl Naive {
    fn look(&mut self, before: Before, seen: Seen, hold: i64, keep: i64) {
        self.now += 1;
        match before {
            Before::Nothing => {}
            Before::Lost(ticks) => self.lost += i64::from(ticks),
            Before::Slept(seconds) | Before::ClockSet(seconds) => self.now += seconds,
            Before::Restart(seconds) => return self.restart(seconds),
        }
        let state = self.state;
        match (state, seen) {
            // What nobody knows changes nothing, but `for` needs four fifths that are known.
            (_, Seen::Unknown) => self.lost += 1,
            (None, Seen::Holds) => self.enter(Some(AlertState::Pending)),
            (Some(AlertState::Pending), Seen::Holds) | (Some(AlertState::Recovering), Seen::Clear) => self.known += 1,
            (Some(AlertState::Pending), _) => self.enter(None),
            (Some(AlertState::Firing), Seen::Clear) => self.enter(Some(AlertState::Recovering)),
            (Some(AlertState::Recovering), _) => self.enter(Some(AlertState::Firing)),
            (None | Some(_), _) => {}
        }
        let fires = self.known >= hold && self.known * 5 >= (self.known + self.lost) * 4;
        match (self.state, seen) {
            (Some(AlertState::Pending), Seen::Holds) if fires => {
                self.flaps = self.over.iter().filter(|at| (self.now - **at).abs() <= 1_800).count() >= 4;
                self.enter(Some(AlertState::Firing));
            }
            (Some(AlertState::Recovering), Seen::Clear)
                if self.known >= if self.flaps { keep.max(1_800) } else { keep } =>
            {
                self.enter(None);
                let now = self.now;
                self.over.retain(|at| (now - at).abs() <= 1_800);
                self.over.push(now);
            }
            (Some(AlertState::Pending | AlertState::Recovering), Seen::Holds | Seen::Clear)
                if self.known > 0 && self.known % 10 == 0 =>
            {
                self.row = self.now;
            }
            _ => {}
        }
    }

    fn enter(&mut self, state: Option<AlertState>) {
        (self.state, self.known, self.lost, self.row) = (state, 0, 0, self.now);
    }

    /// The gap is not counted, what was not written is not known, and after five minutes what waits begins anew.
    fn restart(&mut self, seconds: i64) {
        self.now += seconds - 1;
        self.over.clear();
        let stale = (self.now - self.row).abs() > 300;
        match self.state {
            Some(AlertState::Pending) if stale => self.enter(None),
            Some(AlertState::Recovering) if stale => self.enter(Some(AlertState::Firing)),
            _ => (self.known, self.lost) = (self.known / 10 * 10, 0),
        }
    }
}

fn step() -> impl Strategy<Value = (Before, Seen)> {
    let before = prop_oneof![
        30 => Just(Before::Nothing),
        2 => (1_u32..4).prop_map(Before::Lost),
        1 => Just(Before::Slept(8 * 3_600)),
        1 => prop::sample::select(vec![-3_600, 3_600]).prop_map(Before::ClockSet),
        1 => prop::sample::select(vec![5, 290, 1_000]).prop_map(Before::Restart),
    ];
    let seen = prop_oneof![
        8 => Just(Seen::Holds), 2 => Just(Seen::Between), 4 => Just(Seen::Clear), 1 => Just(Seen::Unknown)
    ];
    (before, seen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn alerts_live_as_the_naive_model_says(
        story in prop::collection::vec((step(), 1_usize..12), 1..30),
        hold in prop::sample::select(vec![0_i64, 3, 10, 15]),
        keep in prop::sample::select(vec![0_i64, 1, 4, 12]),
    ) {
        let busy = RuleConfig { keep_firing: Span::from_secs(keep), ..rule("busy", BUSY, &format!("{hold}s")) };
        let mut analyzer = Analyzer::new(settings(std::slice::from_ref(&busy)), nothing());
        let (mut machine, mut model) = (Machine::new(), Naive::default());
        let mut all: Vec<Change> = Vec::new();
        let mut was_open = false;
        // Runs of the same, so that what waits comes to its end.
        let looks = story.iter().flat_map(|((before, seen), times)| {
            std::iter::once((*before, *seen)).chain(std::iter::repeat_n((Before::Nothing, *seen), times - 1))
        });
        for (number, (before, seen)) in looks.enumerate() {
            machine.cpu(match seen {
                Seen::Holds => Some(0.95),
                Seen::Between => Some(0.88),
                Seen::Clear => Some(0.5),
                Seen::Unknown => None,
            });
            let at = &mut machine.snapshot.at;
            let snapshot = match before {
                Before::Nothing => machine.tick(),
                Before::Lost(ticks) => {
                    machine.snapshot.dropped = ticks;
                    machine.tick()
                }
                Before::Slept(seconds) => {
                    at.ts_ms += seconds * 1_000;
                    at.suspended_ms += seconds * 1_000;
                    machine.snapshot.flags = TickFlags::default().with(TickFlags::SUSPENDED);
                    machine.tick()
                }
                Before::ClockSet(seconds) => {
                    at.ts_ms += seconds * 1_000;
                    machine.snapshot.flags = TickFlags::default().with(TickFlags::CLOCK_STEP);
                    machine.tick()
                }
                Before::Restart(seconds) => {
                    analyzer = Analyzer::new(settings(std::slice::from_ref(&busy)), left_behind(&all));
                    machine.first_look(seconds * 1_000)
                }
            };
            let changes = analyzer.step(&snapshot);
            model.look(before, seen, hold, keep);
            let counts = analyzer.counts();
            let state = match (counts.pending, counts.firing, counts.recovering) {
                (0, 0, 0) => None,
                (1, 0, 0) => Some(AlertState::Pending),
                (0, 1, 0) => Some(AlertState::Firing),
                (0, 0, 1) => Some(AlertState::Recovering),
                more => panic!("{more:?}"),
            };
            prop_assert_eq!(state, model.state, "look {} after {:?}", number, before);
            // People hear of the beginning and of the end, and of nothing between.
            let is_open = matches!(state, Some(AlertState::Firing | AlertState::Recovering));
            let events = changes.iter().filter(|change| {
                matches!(change, Change::Incident { event, .. } if *event != IncidentEvent::Flapping)
            });
            let events = events.count();
            prop_assert_eq!(events, usize::from(is_open != was_open), "look {}", number);
            prop_assert_eq!(analyzer.open_incidents().len(), usize::from(is_open));
            for change in &changes {
                if let Change::Alert(alert) = change {
                    prop_assert_eq!(&alert.entity, &Entity::Host, "{}", line(change));
                    prop_assert_eq!(alert.fingerprint, Fingerprint::of(HOST, "busy", &Entity::Host));
                }
            }
            was_open = is_open;
            all.extend(changes);
        }
    }
}

#[test]
fn the_model_itself_says_what_it_should() {
    let mut model = Naive::default();
    for (seen, times, state) in [
        (Seen::Holds, 3, Some(AlertState::Pending)),
        (Seen::Holds, 1, Some(AlertState::Firing)),
        (Seen::Between, 9, Some(AlertState::Firing)),
        (Seen::Clear, 2, Some(AlertState::Recovering)),
        (Seen::Unknown, 9, Some(AlertState::Recovering)),
        (Seen::Clear, 1, None),
    ] {
        for _ in 0..times {
            model.look(Before::Nothing, seen, 3, 2);
        }
        assert_eq!(model.state, state, "{seen:?}");
    }
}
