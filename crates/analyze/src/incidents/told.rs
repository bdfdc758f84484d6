//! What a tick did to incidents, as the changes that are stored and told.

use watchkeeper_core::incident::{About, Course, Flapping};
use watchkeeper_core::{Change, Incident, IncidentEvent, IncidentKey};

use super::{Incidents, Open, Wait};

const HOUR_MS: i64 = 3_600_000;

/// How often a summary of what flaps is due: after an hour, then after two, then every four.
const SUMMARIES_MS: [i64; 3] = [HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS];

/// How long it may take until the store knows how often an incident has fired, observed milliseconds.
const STORED_MS: i64 = 60_000;

/// What the end of a tick is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// Wall clock, milliseconds UTC.
    pub(crate) at_ms: i64,
    /// Length of the tick with the time that was lost before it, monotonic milliseconds.
    pub(crate) passed_ms: i64,
}

impl Incidents {
    /// An incident that no alert holds waits or is over. `how_long` says how long it waits, by what it is about.
    pub(crate) fn settle(&mut self, how_long: impl Fn(&About) -> i64) {
        for open in self.open.values_mut().filter(|open| open.alive.is_empty()) {
            let limit_ms = open.incident.course.about.iter().map(&how_long).max().unwrap_or_default();
            match &mut open.wait {
                Some(wait) => wait.limit_ms = limit_ms,
                None => open.tick.wait_ms = limit_ms,
            }
        }
    }

    /// The changes of a tick, of the incident that opened first before those of others, and what is over last. `is_pending` says whether an alert like this may fire
    /// soon.
    pub(crate) fn tell(&mut self, end: End, is_pending: impl Fn(&About) -> bool) -> Vec<Change> {
        self.mark_storm(end);
        let mut told = Vec::new();
        let mut over = Vec::new();
        for (key, open) in &mut self.open {
            let (events, is_over) = open.tell(end, &is_pending);
            if !events.is_empty() {
                told.push((open.number, *key, events));
            }
            if let Some((event, closed_ms)) = is_over {
                over.push((open.number, *key, event, closed_ms));
            }
        }
        told.sort_unstable_by_key(|(number, ..)| *number);
        over.sort_unstable_by_key(|(number, ..)| *number);
        let mut changes = Vec::with_capacity(told.len() + over.len());
        for (_, key, events) in told {
            let Some(open) = self.open.get(&key) else { continue };
            changes.extend(events.into_iter().map(|event| change(event, end.at_ms, &open.incident)));
        }
        for (_, key, event, closed_ms) in over {
            let Some(mut open) = self.forget(key) else { continue };
            open.incident.closed_ms = Some(closed_ms);
            changes.push(change(event, end.at_ms, &open.incident));
        }
        changes
    }

    fn mark_storm(&mut self, end: End) {
        let opened =
            self.open.iter().filter(|(_, open)| open.tick.events.contains(&IncidentEvent::Opened)).map(|(key, _)| *key);
        let opened: Vec<IncidentKey> = opened.collect();
        let Some((since_ms, keys)) = self.storms.look(end.at_ms, end.passed_ms, opened.into_iter()) else { return };
        for key in keys {
            if let Some(open) = self.open.get_mut(&key)
                && open.incident.course.storm_ms.is_none()
            {
                open.incident.course.storm_ms = Some(since_ms);
                open.tick.events.push(IncidentEvent::Storm);
            }
        }
    }
}

impl Open {
    /// What happened to it; and if it is over, how and since when.
    fn tell(
        &mut self,
        end: End,
        is_pending: impl Fn(&About) -> bool,
    ) -> (Vec<IncidentEvent>, Option<(IncidentEvent, i64)>) {
        let tick = std::mem::take(&mut self.tick);
        let was = self.incident.severity;
        if let Some(gravest) = self.alive.values().max() {
            self.incident.severity = *gravest;
        }
        if let Some(unstored_ms) = &mut self.unstored_ms {
            *unstored_ms += end.passed_ms;
        }
        let mut events = Vec::new();
        let has = |event| tick.events.contains(&event);
        if has(IncidentEvent::Opened) {
            events.push(IncidentEvent::Opened);
        } else {
            let joined =
                has(IncidentEvent::Joined) || self.unstored_ms.is_some_and(|unstored_ms| unstored_ms >= STORED_MS);
            let left = has(IncidentEvent::Left) && !self.alive.is_empty();
            let told = [
                (has(IncidentEvent::Storm), IncidentEvent::Storm),
                (joined, IncidentEvent::Joined),
                (left, IncidentEvent::Left),
                (was != self.incident.severity, IncidentEvent::Severity),
                (sum_up(&mut self.incident, end.at_ms), IncidentEvent::Flapping),
            ];
            events.extend(told.into_iter().filter(|(happened, _)| *happened).map(|(_, event)| event));
        }
        if !events.is_empty() {
            self.unstored_ms = None;
        }
        (events, self.over(end, tick.wait_ms, is_pending))
    }

    fn over(&mut self, end: End, wait_ms: i64, is_pending: impl Fn(&About) -> bool) -> Option<(IncidentEvent, i64)> {
        if !self.alive.is_empty() {
            return None;
        }
        let wait = match &mut self.wait {
            Some(wait) => {
                wait.waited_ms += end.passed_ms;
                *wait
            }
            None => *self.wait.insert(Wait { since_ms: end.at_ms, waited_ms: 0, limit_ms: wait_ms }),
        };
        // What is about to fire again, only has to hold for long.
        let goes_on =
            wait.limit_ms > 0 && (wait.waited_ms < wait.limit_ms || self.incident.course.about.iter().any(is_pending));
        let event = if self.incident.course.is_back { IncidentEvent::Resolved } else { IncidentEvent::Ended };
        (!goes_on).then_some((event, wait.since_ms))
    }
}

/// Sums up what flaps, if that is due and there is something to say.
fn sum_up(incident: &mut Incident, at_ms: i64) -> bool {
    let Incident { course: Course { flapping: Some(flapping), .. }, times, .. } = incident else { return false };
    let every_ms = SUMMARIES_MS[(flapping.summaries as usize).min(SUMMARIES_MS.len() - 1)];
    if (at_ms - flapping.told_ms).abs() < every_ms || *times <= flapping.told_times {
        return false;
    }
    let alerts = std::mem::take(&mut flapping.alerts);
    *flapping = Flapping {
        alerts,
        from_ms: flapping.told_ms,
        told_ms: at_ms,
        lately: *times - flapping.told_times,
        told_times: *times,
        summaries: flapping.summaries.saturating_add(1),
    };
    true
}

fn change(event: IncidentEvent, at_ms: i64, incident: &Incident) -> Change {
    Change::Incident { event, at_ms, incident: Box::new(incident.clone()) }
}
