//! What a message says about one incident.

use jiff::tz::TimeZone;
use serde::Serialize;
use watchkeeper_core::evidence::{Acknowledgement, Contributor, Evidence, Known, RankedBy, Recurrence, UsualRange};
use watchkeeper_core::incident::{Incident, IncidentEvent};
use watchkeeper_core::{Entity, Severity, Unit, text};

use super::zone_named;

/// Alerts that joined an incident and are named in a message.
const ALSO: usize = 5;

/// One incident, ready to be shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    /// Order in a message, gravest first, what is over last.
    #[serde(skip)]
    pub(crate) rank: u8,
    /// `CRITICAL`, `WARNING`, `INFO`, `RESOLVED` or `ENDED`.
    pub(crate) status: &'static str,
    /// What colours it: `critical`, `warning`, `info` or `resolved`.
    pub(crate) tone: &'static str,
    /// It is over.
    pub(crate) over: bool,
    /// What is wrong.
    pub(crate) title: String,
    /// Title with the most important news, for a subject or a list.
    pub(crate) line: String,
    /// Where it happens.
    pub(crate) host: String,
    /// Who does it, a sentence without full stop.
    pub(crate) culprit: Option<String>,
    /// When it fired and when it was over, a sentence.
    pub(crate) story: String,
    /// Value at the moment of firing, and what it was compared with.
    pub(crate) value: String,
    /// See `value`.
    pub(crate) threshold: Option<String>,
    /// Name and value of what else is known.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// Who takes how much.
    pub(crate) top: Option<Top>,
    /// What changed most over the last minutes.
    pub(crate) changes: Vec<ChangeLine>,
    /// `#7`, or a word that there is no number yet.
    pub(crate) ticket: String,
    /// The command that shows more.
    pub(crate) command: String,
}

/// The largest contributors.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Top {
    /// What the shares are shares of, e.g. `this machine's CPU`.
    whole: String,
    /// The amounts say more than the shares.
    amounts: bool,
    /// Largest first.
    lines: Vec<TopLine>,
    /// What no process answers for.
    rest: Option<TopLine>,
}

/// One contributor.
#[derive(Clone, Debug, Serialize)]
struct TopLine {
    /// Program and pid.
    name: String,
    user: Option<String>,
    command: Option<String>,
    amount: String,
    share: Option<String>,
    /// Length of a bar, 0 to 100.
    bar: u32,
}

/// How a program changed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ChangeLine {
    program: String,
    now: String,
    before: Option<String>,
}

impl Entry {
    /// What is to be said about an incident of which these events are told, in their order.
    pub(super) fn of(incident: &Incident, events: &[IncidentEvent]) -> Self {
        let evidence = &incident.evidence;
        let zone = zone_named(&evidence.time_zone);
        let over = events.iter().rev().find(|event| event.closes()).copied();
        let opened = events.contains(&IncidentEvent::Opened);
        let title = text::clean(&incident.title, 160);
        let culprit = text::culprit_sentence(evidence);
        let closed_ms = incident.closed_ms.unwrap_or(incident.opened_ms);
        let lasted = text::duration((closed_ms - incident.opened_ms).max(0));
        let line = match over {
            Some(_) if opened => {
                let clock = |ms| text::local_time(ms, &zone).get(11..16).map(str::to_owned).unwrap_or_default();
                let (fired, closed) = (clock(incident.opened_ms), clock(closed_ms));
                format!("{title}: fired {fired}, {} {closed}", over_word(over))
            }
            Some(_) => format!("{title}{}: over after {lasted}", incident.counts()),
            None if events.contains(&IncidentEvent::Flapping) => match flapping_sentence(incident) {
                Some(sentence) => format!("{title}: {sentence}"),
                None => text::title_with_culprit(&title, evidence),
            },
            None if events.contains(&IncidentEvent::Severity) => {
                let culprit = culprit.as_ref().map(|culprit| format!(", {culprit}")).unwrap_or_default();
                format!("{title}: now {}{culprit}", incident.severity)
            }
            None => format!("{}{}", text::title_with_culprit(&title, evidence), incident.counts()),
        };
        let ticket = incident.ticket.filter(|ticket| *ticket > 0);
        Self {
            rank: over.map_or(Severity::Critical as u8 - incident.severity as u8, |_| u8::MAX),
            status: status(over, incident.severity),
            tone: over.map_or(incident.severity.word(), |_| "resolved"),
            over: over.is_some(),
            line,
            title,
            host: text::clean(&incident.host, 80),
            culprit,
            story: story(incident, over, &lasted, &zone),
            value: text::value_words(evidence),
            threshold: evidence.threshold.map(|threshold| evidence.unit.show(threshold).to_string()),
            facts: facts(incident, &zone),
            top: evidence.ranked_by.as_ref().and_then(|ranked_by| Top::of(evidence, ranked_by)),
            changes: changes(evidence),
            ticket: ticket.map_or_else(|| "no number yet".to_owned(), |ticket| format!("#{ticket}")),
            command: ticket.map_or_else(
                || "watchkeeper incidents list".to_owned(),
                |ticket| format!("watchkeeper incidents show {ticket}"),
            ),
        }
    }
}

pub(super) fn status(over: Option<IncidentEvent>, severity: Severity) -> &'static str {
    match (over, severity) {
        (Some(IncidentEvent::Ended), _) => "ENDED",
        (Some(_), _) => "RESOLVED",
        (None, Severity::Critical) => "CRITICAL",
        (None, Severity::Warning) => "WARNING",
        (None, Severity::Info) => "INFO",
    }
}

pub(super) fn over_word(over: Option<IncidentEvent>) -> &'static str {
    if over == Some(IncidentEvent::Ended) { "ended" } else { "resolved" }
}

fn story(incident: &Incident, over: Option<IncidentEvent>, lasted: &str, zone: &TimeZone) -> String {
    let evidence = &incident.evidence;
    let zone_name = text::clean(zone.iana_name().unwrap_or("UTC"), 60);
    let held = text::duration((evidence.fired_ms - evidence.since_ms).max(0));
    let fired = format!(
        "Since {} ({zone_name}); it had held for {held} when the alert fired.",
        text::local_time(evidence.since_ms, zone)
    );
    // Also told by a late message about the opening, whose news about the end comes in a message of its own.
    let Some(closed_ms) = incident.closed_ms else { return fired };
    let why = match over {
        Some(IncidentEvent::Ended) => ": what was watched is gone, which does not say that it recovered",
        Some(_) => ": the value is back",
        None => "",
    };
    format!("{fired} Over since {}, after {lasted}{why}.", text::local_time(closed_ms, zone))
}

fn facts(incident: &Incident, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let evidence = &incident.evidence;
    let mut facts = Vec::new();
    match &evidence.entity {
        Entity::Host => {}
        Entity::Process(key) => facts.push(("Where", format!("process with pid {}", key.pid))),
        entity => facts.push(("Where", format!("{} {}", entity.kind(), text::clean(&entity.name(), 160)))),
    }
    if let Some(sentence) = flapping_sentence(incident) {
        facts.push(("Flapping", sentence));
    } else if incident.times > 1 {
        facts.push(("Fired", format!("{} times", incident.times)));
    }
    facts.extend(also(incident));
    if let Some(summary) = &evidence.summary {
        facts.push(("Meaning", text::clean(summary, 600)));
    }
    if let Some(runbook) = &evidence.runbook {
        facts.push(("What to do", text::clean(runbook, 300)));
    }
    if let Some(trend) = &evidence.trend {
        facts.push(("Trend", text::trend_sentence(trend, evidence.fired_ms, zone)));
    }
    facts.push(("Usual", usual(evidence.unit, &evidence.usual)));
    facts.push(("Before", recurrence(&evidence.recurrence, zone)));
    if let Known::Yes(last) = &evidence.last_acknowledgement {
        facts.push(("Taken by", acknowledgement(last, zone)));
    }
    facts.extend(text::started_by(evidence, " ← ").map(|names| ("Started by", names)));
    facts.push(("Rule", format!("{}: {}", text::clean(&evidence.rule, 80), text::clean(&evidence.condition, 200))));
    if !incident.labels.is_empty() {
        let label = |(name, value): (&String, &String)| format!("{}={}", text::clean(name, 40), text::clean(value, 60));
        facts.push(("Labels", incident.labels.iter().map(label).collect::<Vec<_>>().join(", ")));
    }
    facts
}

/// How often it came lately, if it flaps and there was a summary.
fn flapping_sentence(incident: &Incident) -> Option<String> {
    let flapping = incident.course.flapping.as_ref().filter(|flapping| flapping.summaries > 0)?;
    let span = text::duration((flapping.told_ms - flapping.from_ms).max(0));
    let times = |count: u32| if count == 1 { "once".to_owned() } else { format!("{count} times") };
    Some(format!("came {} within {span}, {} in all", times(flapping.lately), times(flapping.told_times)))
}

/// What else belongs to it: a line for each of the first alerts of other rules or on other things.
fn also(incident: &Incident) -> Option<(&'static str, String)> {
    let others = incident.joined.iter().filter(|joined| joined.rule != incident.evidence.rule);
    let mut titles: Vec<String> = Vec::new();
    for title in others.map(|joined| text::clean(&joined.title, 160)) {
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    let left_out = titles.len().saturating_sub(ALSO);
    titles.truncate(ALSO);
    if left_out > 0 {
        titles.push(format!("and {left_out} more"));
    }
    (!titles.is_empty()).then(|| ("Also", titles.join("; ")))
}

fn usual(unit: Unit, usual: &Known<UsualRange>) -> String {
    match usual {
        Known::Yes(range) => {
            let days = if range.days == 1 { "day".to_owned() } else { format!("{} days", range.days) };
            format!("{} to {} at this hour, over the last {days}", unit.show(range.low), unit.show(range.high))
        }
        Known::Nothing => "there are no earlier values at this hour".to_owned(),
        Known::NotYet => "not known yet".to_owned(),
        Known::NoLog => "there is no log".to_owned(),
    }
}

fn recurrence(recurrence: &Known<Recurrence>, zone: &TimeZone) -> String {
    match recurrence {
        Known::Yes(Recurrence { times: 0, .. }) | Known::Nothing => "the first time in 30 days".to_owned(),
        Known::Yes(known) => {
            let times = if known.times == 1 { "once".to_owned() } else { format!("{} times", known.times) };
            let last = text::local_time(known.last_ms, zone);
            let length = if known.times == 1 { "for" } else { "typically for" };
            let length = format!("{length} {}", text::duration(known.median_ms));
            let pattern = known.pattern.as_ref().map(|pattern| text::pattern_sentence(pattern, zone));
            let pattern = pattern.map_or(String::new(), |pattern| format!("; {pattern}"));
            format!("{times} in the last 30 days, last on {last}, {length}{pattern}")
        }
        Known::NotYet => "not known yet".to_owned(),
        Known::NoLog => "there is no log".to_owned(),
    }
}

fn acknowledgement(last: &Acknowledgement, zone: &TimeZone) -> String {
    let note = last.note.as_ref().map(|note| format!(": “{}”", text::clean(note, 160))).unwrap_or_default();
    format!("{} on {}{note}", text::clean(&last.by, 60), text::local_time(last.at_ms, zone))
}

impl Top {
    fn of(evidence: &Evidence, ranked_by: &RankedBy) -> Option<Self> {
        if evidence.top.is_empty() {
            return None;
        }
        let show = |amount: f64| ranked_by.unit.show(amount).to_string();
        let share = |share: Option<f64>| share.map(|share| Unit::Ratio.show(share).to_string());
        let bar = |share: Option<f64>| (share.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0).round() as u32;
        let line = |contributor: &Contributor| TopLine {
            name: text::contributor_name(contributor),
            user: user(contributor),
            command: contributor.command.as_deref().filter(|command| !command.is_empty()).map(|c| text::clean(c, 140)),
            amount: show(contributor.amount.value),
            share: share(contributor.amount.share),
            bar: bar(contributor.amount.share),
        };
        let rest = evidence.not_attributed.map(|amount| TopLine {
            name: "not attributed to any process".to_owned(),
            user: None,
            command: None,
            amount: show(amount.value),
            share: share(amount.share),
            bar: bar(amount.share),
        });
        Some(Self {
            whole: text::clean(&ranked_by.whole, 60),
            amounts: ranked_by.unit != Unit::Ratio || evidence.top.iter().any(|line| line.amount.share.is_none()),
            lines: evidence.top.iter().map(line).collect(),
            rest,
        })
    }
}

fn user(contributor: &Contributor) -> Option<String> {
    let name = contributor.user.as_deref().map(|user| text::clean(user, 40));
    name.or_else(|| contributor.uid.map(|uid| format!("uid {uid}")))
}

fn changes(evidence: &Evidence) -> Vec<ChangeLine> {
    let Some(ranked_by) = &evidence.ranked_by else { return Vec::new() };
    let show = |value: f64| ranked_by.unit.show(value).to_string();
    let line = |change: &watchkeeper_core::evidence::ProgramChange| ChangeLine {
        program: text::clean(&change.program, 80),
        now: show(change.now),
        before: change.before.map(show),
    };
    evidence.changes.iter().take(5).map(line).collect()
}
