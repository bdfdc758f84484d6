//! How a channel does, as `status` shows it.

use serde::{Deserialize, Serialize};

/// What became of a channel's attempts since the watch started. Times are milliseconds UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelHealth {
    /// Messages that the peer has accepted.
    pub sent: u64,
    /// Messages that were tried, accepted or not.
    pub attempts: u64,
    /// When the peer last accepted a message.
    pub last_success_ms: Option<i64>,
    /// Since when every attempt has failed; `None` while the channel works or was not needed.
    pub failing_since_ms: Option<i64>,
    /// The setup is wrong or the peer refuses us as a sender: only a person can mend it.
    pub misconfigured: bool,
    /// What went wrong last; kept after the channel works again. Cleaned, no secret.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_ms: Option<i64>,
}

impl ChannelHealth {
    /// Notes an accepted message; answers whether the channel had been failing.
    pub(crate) fn accepted(&mut self, now_ms: i64) -> bool {
        self.attempts += 1;
        self.sent += 1;
        self.last_success_ms = Some(now_ms);
        self.misconfigured = false;
        self.failing_since_ms.take().is_some()
    }

    /// Notes a message that this one recipient did not get; the channel itself works.
    pub(crate) fn refused(&mut self, now_ms: i64, text: &str) {
        self.attempts += 1;
        self.note_error(now_ms, text);
    }

    /// Notes an attempt that failed for all.
    pub(crate) fn failed(&mut self, now_ms: i64, text: &str, misconfigured: bool) {
        self.attempts += 1;
        self.failing_since_ms.get_or_insert(now_ms);
        self.misconfigured = misconfigured;
        self.note_error(now_ms, text);
    }

    /// Notes that something else than the peer is in the way, such as the state database.
    pub(crate) fn note_error(&mut self, now_ms: i64, text: &str) {
        self.last_error = Some(text.to_owned());
        self.last_error_ms = Some(now_ms);
    }
}
