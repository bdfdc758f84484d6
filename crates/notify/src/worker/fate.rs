//! What is to become of a claimed row before anything is sent: acknowledgements and silences count as they are then.

use watchkeeper_core::outbox::{Due, Outcome};
use watchkeeper_core::{Incident, Silence};

use crate::channel::Verdict;
use crate::route::Matcher;

/// What is to become of a claimed row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate {
    /// It is sent.
    Send,
    /// It needs no sending.
    Over(Verdict),
    /// It waits for the end of a silence, milliseconds UTC.
    Wait {
        /// The end.
        until_ms: i64,
    },
}

/// The silences in force, ready to be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Silences(Vec<(Matcher, Silence)>);

impl Silences {
    /// A condition that this version does not understand silences nothing: in doubt somebody is told.
    pub(super) fn of(silences: Vec<Silence>) -> Self {
        let ready = |silence: Silence| {
            let Ok(matcher) = Matcher::parse(&silence.matcher) else {
                tracing::warn!(silence = silence.number, "the silence is not understood and silences nothing");
                return None;
            };
            Some((matcher, silence))
        };
        Self(silences.into_iter().filter_map(ready).collect())
    }

    /// What is to become of a row.
    pub(super) fn fate(&self, due: &Due) -> Fate {
        // An unknown condition never holds: in doubt the message is sent.
        if due.acknowledged && due.row.unless.as_deref() == Some("acknowledged") {
            return Fate::Over(Verdict::new(Outcome::Needless, None, "somebody has acknowledged the incident"));
        }
        let Some(incident) = due.incident.as_deref() else {
            if due.row.incident.is_none() {
                return Fate::Send;
            }
            return Fate::Over(Verdict::new(Outcome::Dead, None, "the incident it tells of is no longer stored"));
        };
        let Some(last) = self.last_of(incident) else { return Fate::Send };
        if over_untold(due).is_some() { over_in(last) } else { Fate::Wait { until_ms: last.ends_ms } }
    }

    /// What is to become of a row that these silences, which were in force when its incident was over, do not hold back
    /// any more: its end may come between the end of the incident and the sending.
    pub(super) fn fate_then(&self, due: &Due) -> Fate {
        let last = due.incident.as_deref().filter(|_| over_untold(due).is_some()).and_then(|it| self.last_of(it));
        last.map_or(Fate::Send, over_in)
    }

    /// The silence of an incident that ends last.
    fn last_of(&self, incident: &Incident) -> Option<&Silence> {
        let silencing = self.0.iter().filter(|(matcher, _)| matcher.matches(incident)).map(|(_, silence)| silence);
        silencing.max_by_key(|silence| silence.ends_ms)
    }
}

/// When the incident of a row was over, milliseconds UTC, if nobody was told of it.
pub(super) fn over_untold(due: &Due) -> Option<i64> {
    due.incident.as_deref().filter(|_| !due.told)?.closed_ms
}

fn over_in(silence: &Silence) -> Fate {
    let text = format!("the incident was over before silence {} ended, and nobody was told of it", silence.number);
    Fate::Over(Verdict::new(Outcome::Needless, None, &text))
}
