//! Which alerts are one incident: what belongs together, how bad it is, and when it is over.

mod cause;
mod storm;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use watchkeeper_core::incident::{About, Flapping, Joined, MOST_JOINED};
use watchkeeper_core::{Alert, Entity, Fingerprint, Incident, IncidentEvent, IncidentKey, Severity};

use crate::life::{Turn, rule_without_data};
use crate::rule::Rule;
pub(crate) use cause::Cause;
use cause::{Shared, level};
use storm::Storms;
pub(crate) use told::End;

/// How long after the opening of an incident other alerts join it that share its cause.
const TOGETHER_MS: i64 = 60_000;

/// How long an incident waits at the least for the next process of a program whose process has ended, observed
/// milliseconds.
const NEXT_MS: i64 = 300_000;

/// The label of an incident in which an alert flaps: routes can match it.
const FLAPPING: &str = "flapping";
const YES: &str = "yes";

/// An alert that begins to fire, with what decides where it belongs.
pub(crate) struct Firing<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) turn: Turn,
    pub(crate) alert: &'a Alert,
    /// The rule, or its data that is missing, and what it watches.
    pub(crate) about: About,
    pub(crate) cause: Option<Cause>,
    /// Labels of its host and its rule.
    pub(crate) labels: &'a BTreeMap<String, String>,
    pub(crate) at_ms: i64,
}

/// Where an alert that begins to fire belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In an incident about the same rule on the same thing: it fires once more.
    Again(IncidentKey),
    /// In an incident that shares its cause.
    With(IncidentKey),
    /// In an incident whose cause it is.
    Before(IncidentKey),
    /// In one of its own.
    Alone,
}

/// A metric, whether it is too high or too low, and whose.
type Level = (String, bool, Entity);

/// The incidents that are open.
#[derive(Default)]
pub(crate) struct Incidents {
    open: BTreeMap<IncidentKey, Open>,
    by_about: BTreeMap<About, IncidentKey>,
    by_level: BTreeMap<Level, IncidentKey>,
    /// By what their first alerts are a sign of, and what those watch.
    by_cause: BTreeMap<Cause, BTreeMap<Entity, BTreeSet<IncidentKey>>>,
    storms: Storms,
    /// How many there have been.
    count: u64,
}

/// An incident that is open.
struct Open {
    incident: Incident,
    /// The first has the lowest.
    number: u64,
    /// What its first alert is a sign of.
    cause: Option<(Cause, Entity)>,
    levels: Vec<Level>,
    /// Its alerts that are not over, and how bad each of them is.
    alive: BTreeMap<Fingerprint, Severity>,
    /// If none is, and the next process of its program may continue it.
    wait: Option<Wait>,
    /// Observed time since how often it fired was last stored, if it is not.
    unstored_ms: Option<i64>,
    tick: OfTick,
}

/// Waiting for the next process of a program.
#[derive(Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "units stand at the end of names")]
struct Wait {
    /// When the last process ended, milliseconds UTC.
    since_ms: i64,
    waited_ms: i64,
    limit_ms: i64,
}

/// What happened to an incident since its changes were last told.
#[derive(Default)]
struct OfTick {
    events: Vec<IncidentEvent>,
    /// How long the next of its kind is waited for after the last alert that was over.
    wait_ms: i64,
}

impl Incidents {
    /// Goes on with incidents of an earlier watch.
    pub(crate) fn load(incidents: Vec<Incident>) -> Self {
        let count = incidents.len() as u64;
        let open = |(incident, number): (Incident, u64)| (incident.key, Open::new(incident, number));
        Self { open: incidents.into_iter().zip(0..).map(open).collect(), count, ..Self::default() }
    }

    /// Knows its incidents by the rules that are in force now. Alerts that go on are to be held anew.
    pub(crate) fn follow<'a>(&mut self, rule: impl Fn(&str) -> Option<&'a Rule>) {
        (self.by_about, self.by_level, self.by_cause) = Default::default();
        for key in self.open.keys().copied().collect::<Vec<_>>() {
            let Some(open) = self.open.get_mut(&key) else { continue };
            open.alive.clear();
            (open.cause, open.levels) = Default::default();
            let about = open.incident.course.about.clone();
            for (place, about) in about.into_iter().enumerate() {
                let rule = rule(&about.rule);
                self.index(key, &about, rule, rule.filter(|_| place == 0).and_then(Cause::of));
            }
        }
    }

    /// An alert goes on that belongs to an incident.
    pub(crate) fn hold(&mut self, alert: &Alert, severity: Severity) {
        if let Some(open) = alert.incident.and_then(|key| self.open.get_mut(&key)) {
            open.alive.insert(alert.fingerprint, severity);
        }
    }

    /// An alert goes on for the moment, as bad as it was, whose rule is gone.
    pub(crate) fn hold_still(&mut self, alert: &Alert) {
        let severity = alert.incident.and_then(|key| self.open.get(&key)).map(|open| open.incident.severity);
        if let Some(severity) = severity {
            self.hold(alert, severity);
        }
    }

    /// Whether an alert of an earlier watch was flapping.
    pub(crate) fn flaps(&self, alert: &Alert) -> bool {
        let open = alert.incident.and_then(|key| self.open.get(&key));
        let flapping = open.and_then(|open| open.incident.course.flapping.as_ref());
        flapping.is_some_and(|flapping| flapping.alerts.contains(&alert.fingerprint))
    }

    /// All that are open.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Incident> {
        self.open.values().map(|open| &open.incident)
    }

    /// An open incident, to complete what is known of it.
    pub(crate) fn get_mut(&mut self, key: IncidentKey) -> Option<&mut Incident> {
        self.open.get_mut(&key).map(|open| &mut open.incident)
    }

    /// Where an alert that begins to fire belongs.
    pub(crate) fn place(&self, firing: &Firing<'_>) -> Place {
        if let Some(key) = self.by_about.get(&firing.about) {
            return Place::Again(*key);
        }
        if firing.turn != Turn::Blinded
            && let Some((metric, above)) = level(firing.rule)
            && let Some(key) = self.by_level.get(&(metric, above, firing.about.entity.clone()))
            && self.is_open_to(*key, firing)
        {
            return Place::With(*key);
        }
        let Some(cause) = firing.cause else { return Place::Alone };
        let fits = |key: &&IncidentKey| self.is_young(**key, firing.at_ms) && self.is_open_to(**key, firing);
        let of = |cause: Cause| self.by_cause.get(&cause).into_iter().flatten();
        let all = |cause: Cause| of(cause).flat_map(|(_, keys)| keys);
        if let Some(key) = cause.explanations().flat_map(all).find(fits) {
            return Place::With(*key);
        }
        let own = &firing.about.entity;
        let shared = cause.shared_with(own);
        let is_shared = |entity: &Entity| match shared {
            Shared::Nobody => false,
            Shared::OwnAndHost => entity == own || *entity == Entity::Host,
            Shared::All => true,
        };
        if let Some(key) = of(cause).filter(|(entity, _)| is_shared(entity)).flat_map(|(_, keys)| keys).find(fits) {
            return Place::With(*key);
        }
        let explained = cause.explained().flat_map(all).filter(fits);
        let oldest = explained.min_by_key(|key| (self.open.get(*key).map(|open| open.incident.opened_ms), **key));
        oldest.map_or(Place::Alone, |key| Place::Before(*key))
    }

    /// Opens an incident by its first alert.
    pub(crate) fn open(&mut self, mut incident: Incident, firing: &Firing<'_>) {
        let key = incident.key;
        incident.course.about.push(firing.about.clone());
        let mut open = Open::new(incident, self.count);
        self.count += 1;
        open.tick.events.push(IncidentEvent::Opened);
        open.take(firing);
        if firing.turn == Turn::Flapped {
            open.incident.title.insert_str(0, "flapping: ");
        }
        self.open.insert(key, open);
        self.index(key, &firing.about, Some(firing.rule), firing.cause);
    }

    /// An alert joins an incident. `title` is asked for what is wrong if there is room to list it.
    pub(crate) fn join(&mut self, place: Place, firing: &Firing<'_>, title: impl FnOnce() -> String) {
        let (Place::Again(key) | Place::With(key) | Place::Before(key)) = place else { return };
        let Some(open) = self.open.get_mut(&key) else { return };
        open.take(firing);
        if matches!(place, Place::Again(_)) {
            open.incident.times = open.incident.times.saturating_add(1);
        }
        if open.incident.joined.len() < MOST_JOINED {
            let joined = Joined {
                at_ms: firing.at_ms,
                rule: firing.about.rule.clone(),
                severity: firing.rule.severity,
                title: title(),
                fingerprint: firing.alert.fingerprint,
            };
            open.incident.joined.push(joined);
            open.tick.events.push(IncidentEvent::Joined);
        } else {
            open.unstored_ms.get_or_insert(0);
        }
        if open.add_about(firing, false) {
            self.index(key, &firing.about, Some(firing.rule), None);
        }
    }

    /// An alert turns out to be the cause of an incident, which is about it from now on; what it was about before is what
    /// joined first. `made` is the incident that the alert would have opened alone.
    pub(crate) fn lead(&mut self, key: IncidentKey, firing: &Firing<'_>, made: Incident) {
        let Some(open) = self.open.get_mut(&key) else { return };
        let incident = &mut open.incident;
        let first = incident.alerts.first().copied().unwrap_or(firing.alert.fingerprint);
        let former = Joined {
            at_ms: incident.opened_ms,
            rule: incident.course.about.first().map_or_else(|| incident.cause.clone(), |about| about.rule.clone()),
            severity: open.alive.get(&first).copied().unwrap_or(incident.severity),
            title: std::mem::replace(&mut incident.title, made.title),
            fingerprint: first,
        };
        incident.joined.insert(0, former);
        incident.joined.truncate(MOST_JOINED);
        (incident.cause, incident.evidence) = (made.cause, made.evidence);
        open.take(firing);
        open.tick.events.push(IncidentEvent::Joined);
        open.add_about(firing, true);
        if let Some(former) = open.cause.take() {
            self.forget_cause(&former, key);
        }
        self.index(key, &firing.about, Some(firing.rule), firing.cause);
    }

    /// An alert that flaps has come again.
    pub(crate) fn relapsed(&mut self, alert: &Alert) {
        if self.flaps(alert)
            && let Some(open) = alert.incident.and_then(|key| self.open.get_mut(&key))
        {
            open.incident.times = open.incident.times.saturating_add(1);
        }
    }

    /// An alert is over. `wait_ms`: how long another one of its kind may continue its incident.
    pub(crate) fn over(&mut self, turn: Turn, alert: &Alert, wait_ms: i64) {
        let Some(open) = alert.incident.and_then(|key| self.open.get_mut(&key)) else { return };
        open.alive.remove(&alert.fingerprint);
        open.incident.course.is_back |= turn == Turn::Resolved;
        open.tick.events.push(IncidentEvent::Left);
        open.tick.wait_ms = wait_ms;
        let flapping = &mut open.incident.course.flapping;
        if let Some(flaps) = flapping {
            flaps.alerts.retain(|other| *other != alert.fingerprint);
            if flaps.alerts.is_empty() && !open.alive.is_empty() {
                *flapping = None;
            }
        }
    }

    /// How long an incident waits after an alert was over for another one of its kind: for the next process of its
    /// program, or for data that comes and goes.
    pub(crate) fn wait_ms(rule: &Rule, turn: Turn, alert: &Alert) -> i64 {
        let is_no_data = rule_without_data(alert).is_some();
        match turn {
            Turn::Ended if !is_no_data => Self::wait_for(rule, &alert.entity),
            Turn::Resolved if is_no_data => Self::wait_after(rule),
            _ => 0,
        }
    }

    /// How long an incident waits for the next process of a program whose processes have ended.
    pub(crate) fn wait_for(rule: &Rule, entity: &Entity) -> i64 {
        if matches!(entity, Entity::Process(_) | Entity::Program(_)) { Self::wait_after(rule) } else { 0 }
    }

    /// Not at all after an alert that is to be over at once.
    fn wait_after(rule: &Rule) -> i64 {
        if rule.keep_ms > 0 { NEXT_MS.max(rule.keep_ms) } else { 0 }
    }

    fn index(&mut self, key: IncidentKey, about: &About, rule: Option<&Rule>, cause: Option<Cause>) {
        let Some(open) = self.open.get_mut(&key) else { return };
        self.by_about.insert(about.clone(), key);
        if let Some((metric, above)) = rule.filter(|rule| rule.id == about.rule).and_then(level) {
            let level = (metric, above, about.entity.clone());
            open.levels.push(level.clone());
            self.by_level.insert(level, key);
        }
        if let Some(cause) = cause {
            open.cause = Some((cause, about.entity.clone()));
            self.by_cause.entry(cause).or_default().entry(about.entity.clone()).or_default().insert(key);
        }
    }

    fn forget(&mut self, key: IncidentKey) -> Option<Open> {
        let open = self.open.remove(&key)?;
        for about in &open.incident.course.about {
            if self.by_about.get(about) == Some(&key) {
                self.by_about.remove(about);
            }
        }
        for level in &open.levels {
            if self.by_level.get(level) == Some(&key) {
                self.by_level.remove(level);
            }
        }
        if let Some(cause) = &open.cause {
            self.forget_cause(cause, key);
        }
        Some(open)
    }

    fn forget_cause(&mut self, (cause, entity): &(Cause, Entity), key: IncidentKey) {
        let Some(by_entity) = self.by_cause.get_mut(cause) else { return };
        if let Some(keys) = by_entity.get_mut(entity) {
            keys.remove(&key);
            if keys.is_empty() {
                by_entity.remove(entity);
            }
        }
    }

    /// Whether alerts of another kind can join: it has one that goes on, and the same people are told of both.
    fn is_open_to(&self, key: IncidentKey, firing: &Firing<'_>) -> bool {
        fn others(labels: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
            labels.iter().filter(|(name, _)| *name != FLAPPING)
        }
        let open = self.open.get(&key).filter(|open| !open.alive.is_empty());
        open.is_some_and(|open| others(&open.incident.labels).eq(others(firing.labels)))
    }

    fn is_young(&self, key: IncidentKey, at_ms: i64) -> bool {
        self.open.get(&key).is_some_and(|open| (at_ms - open.incident.opened_ms).abs() <= TOGETHER_MS)
    }
}

impl Open {
    fn new(incident: Incident, number: u64) -> Self {
        Self {
            incident,
            number,
            cause: None,
            levels: Vec::new(),
            alive: BTreeMap::new(),
            wait: None,
            unstored_ms: None,
            tick: OfTick::default(),
        }
    }

    /// Holds an alert.
    fn take(&mut self, firing: &Firing<'_>) {
        let fingerprint = firing.alert.fingerprint;
        self.alive.insert(fingerprint, firing.rule.severity);
        self.wait = None;
        let Incident { alerts, course, labels, times, .. } = &mut self.incident;
        if alerts.len() <= MOST_JOINED && !alerts.contains(&fingerprint) {
            alerts.push(fingerprint);
        }
        if firing.turn == Turn::Flapped {
            labels.insert(FLAPPING.to_owned(), YES.to_owned());
            let begin =
                || Flapping { told_ms: firing.at_ms, told_times: *times, from_ms: firing.at_ms, ..Flapping::default() };
            course.flapping.get_or_insert_with(begin).alerts.push(fingerprint);
        }
    }

    /// Answers whether it is known by it from now on.
    fn add_about(&mut self, firing: &Firing<'_>, first: bool) -> bool {
        let about = &mut self.incident.course.about;
        let adds = !about.contains(&firing.about) && about.len() <= MOST_JOINED;
        if adds {
            about.insert(if first { 0 } else { about.len() }, firing.about.clone());
        }
        adds
    }
}
