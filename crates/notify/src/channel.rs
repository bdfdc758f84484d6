//! Channels: the ways in which messages leave.

pub(crate) mod smtp;

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc::UnboundedSender;
use watchkeeper_core::outbox::{Delivery, Outcome};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Secret, text};

use crate::message::{Origin, View};
use smtp::{Smtp, SmtpConfig};

/// How long one claim may be worked on, all messages of it together.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Why a channel could not be made ready.
#[derive(Debug, Error)]
pub enum ChannelError {
    /// The file with the certificates of an own authority could not be read.
    #[error("cannot read the certificates in {path}: {reason}")]
    Certificates {
        /// File.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The file holds no certificate that could be trusted.
    #[error("{path} holds no usable certificate; it must be a PEM file with the certificate of the authority")]
    NoCertificate {
        /// File.
        path: PathBuf,
    },
    /// A setting cannot be used; validation reports the same with the key.
    #[error("cannot set up channel `{channel}`: {reason}")]
    Setting {
        /// Name of the channel.
        channel: String,
        /// What is wrong.
        reason: String,
    },
}

/// A channel that is ready to send.
#[derive(Debug)]
pub struct Channel {
    name: String,
    give_up_after: Span,
    deadline: Duration,
    origin: Origin,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Smtp(Smtp),
}

impl Channel {
    /// A mail channel `[smtp.NAME]`. The trusted certificates are read now, once; the server is not contacted.
    ///
    /// # Errors
    /// A certificate file that cannot be used, or settings that validation refuses.
    pub fn smtp(
        name: &str,
        config: &SmtpConfig,
        password: Option<Secret>,
        origin: Origin,
    ) -> Result<Self, ChannelError> {
        let kind = Kind::Smtp(Smtp::new(name, config, password, &origin.host)?);
        Ok(Self { name: name.to_owned(), give_up_after: config.give_up_after, deadline: DEADLINE, origin, kind })
    }

    /// The same with another overall deadline than 30 s for the messages of one claim.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The name behind the dot of its table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long one claim may be worked on.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// How long a message is tried at the most.
    pub(crate) fn give_up_after(&self) -> Span {
        self.give_up_after
    }

    /// Who its messages come from.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Sends messages in their order and tells the verdict on each as soon as it is known, by its index. A message
    /// without a verdict was not reached in time. Dropping the future cuts what is being sent.
    pub(crate) async fn deliver(&self, messages: Vec<Outgoing>, verdicts: &UnboundedSender<(usize, Verdict)>) {
        match &self.kind {
            Kind::Smtp(smtp) => smtp.deliver(messages, verdicts, self.deadline).await,
        }
    }
}

/// One message for one recipient.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// In the channel's own form.
    pub(crate) recipient: String,
    /// Constant over retries, with angle brackets.
    pub(crate) message_id: String,
    /// Message-IDs that it belongs to; empty if it begins a thread.
    pub(crate) references: Vec<String>,
    /// When it is sent, milliseconds UTC.
    pub(crate) now_ms: i64,
    /// What it says.
    pub(crate) view: View,
}

/// What a peer's answer, or its absence, means for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) code: Option<u16>,
    /// Cleaned, without secrets.
    pub(crate) text: String,
    /// The failure has nothing to do with this recipient or this message: the channel as a whole does not work.
    pub(crate) concerns_all: bool,
}

impl Verdict {
    /// A verdict in these words; they are cleaned here. A failure that is not final concerns all.
    pub(crate) fn new(outcome: Outcome, code: Option<u16>, words: &str) -> Self {
        let concerns_all = matches!(outcome, Outcome::Transient | Outcome::Channel);
        Self { outcome, code, text: text::clean(words.trim(), 400), concerns_all }
    }

    /// The same as the ledger keeps it.
    pub(crate) fn delivery(&self, ts_ms: i64) -> Delivery {
        Delivery { ts_ms, outcome: self.outcome, code: self.code, text: self.text.clone() }
    }
}
