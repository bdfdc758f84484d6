//! Random births and deaths against a model written from the specification.

use proptest::prelude::*;

use super::*;

/// What happens between two looks.
#[derive(Clone, Copy, Debug)]
enum Event {
    Begin,
    /// The n-th of the living ends, and somebody sees it.
    End(usize),
    /// The n-th of the living is not there any more.
    Vanish(usize),
    /// The list cannot be read at the next look.
    Blind,
}

/// The specification: the processes that count are a number, and what is left open is a number.
#[derive(Default)]
struct Naive {
    living: u32,
    /// When processes ended in whose place none has begun, and when processes began anew; looks.
    open: Vec<i64>,
    restarts: Vec<i64>,
}

impl Naive {
    fn expect(&mut self, look: i64, births: u32, deaths: u32, config: &Expect) -> bool {
        let restarts = config.restarts.unwrap();
        let recent = |at: &i64| (look - at) * 1_000 < restarts.within_ms;
        self.open.retain(recent);
        self.restarts.retain(recent);
        self.open.extend((0..deaths).map(|_| look));
        for _ in 0..births {
            if !self.open.is_empty() {
                self.open.remove(0);
                self.restarts.push(look);
            }
        }
        self.living = self.living + births - deaths;
        let too_often = self.restarts.len() > restarts.most as usize;
        self.living < config.min.unwrap() || self.living > config.max.unwrap() || too_often
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Begin),
        3 => (0_usize..8).prop_map(Event::End),
        2 => (0_usize..8).prop_map(Event::Vanish),
        1 => Just(Event::Blind),
    ]
}

proptest! {
    #[test]
    fn expectations_follow_the_naive_model(
        looks in prop::collection::vec(prop::collection::vec(event(), 0..4), 1..80),
        most in 0_u32..4,
    ) {
        let config = ExpectConfig {
            min: Some(1),
            max: Some(4),
            max_restarts: Some(format!("{most}/20s")),
            ..postgres()
        };
        let mut world = World::new(&config);
        let mut naive = Naive::default();
        let mut alive: Vec<u32> = vec![1, 2];
        // Those that some look saw can die; what is born and dies unseen is told elsewhere.
        let mut old = alive.clone();
        let mut next = 10;
        for pid in [1, 2] {
            world.machine.add(process(pid, "postgres"));
        }
        naive.living = 2;
        world.look();
        // What happened while nobody could look counts at the next look that could.
        let (mut births, mut deaths) = (0, 0);
        for (look, events) in looks.into_iter().enumerate() {
            let mut is_blind = false;
            for event in events {
                match event {
                    Event::Begin => {
                        world.begin(next, "postgres");
                        alive.push(next);
                        next += 1;
                        births += 1;
                    }
                    Event::End(place) | Event::Vanish(place) if !old.is_empty() => {
                        let pid = old.remove(place % old.len());
                        alive.retain(|other| *other != pid);
                        if matches!(event, Event::End(_)) { world.kill(pid) } else { world.machine.remove(pid) }
                        deaths += 1;
                    }
                    Event::End(_) | Event::Vanish(_) => {}
                    Event::Blind => is_blind = true,
                }
            }
            if is_blind {
                // Who ends before a look that sees nothing is seen to end by the one after it.
                world.machine.snapshot.exited.clear();
                let list = world.machine.snapshot.processes.take();
                prop_assert_eq!(world.look().verdict, None);
                world.machine.snapshot.processes = list;
            } else {
                let broken = naive.expect(look as i64, births, deaths, &world.expect);
                (births, deaths) = (0, 0);
                old.clone_from(&alive);
                prop_assert_eq!(world.look().verdict, Some(broken), "look {}", look);
            }
        }
    }
}
