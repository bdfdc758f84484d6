//! A message as a mail: headers and MIME parts.

use std::time::{Duration, SystemTime};

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mail, MultiPart, SinglePart};

use crate::channel::Outgoing;
use crate::template::Message;

/// How much of a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Text and HTML.
    Full,
    /// Text alone, for a server that has refused the full form.
    Plain,
}

/// The mail, ready for DATA. `None` if it cannot be built, which no address that lettre has parsed can cause.
pub(super) fn build(outgoing: &Outgoing, words: &Message, from: &Mailbox, to: &Mailbox, form: Form) -> Option<Vec<u8>> {
    let mut builder = Mail::builder()
        .from(from.clone())
        .to(to.clone())
        .subject(&words.subject)
        .date(SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(outgoing.now_ms).unwrap_or_default()))
        .message_id(Some(outgoing.message_id.clone()))
        .header(AutoSubmitted);
    if let Some(first) = outgoing.references.first() {
        builder = builder.in_reply_to(first.clone()).references(outgoing.references.join(" "));
    }
    let text = SinglePart::plain(words.text.clone());
    let mail = match form {
        Form::Full => builder
            .multipart(MultiPart::alternative().singlepart(text).singlepart(SinglePart::html(words.html.clone()))),
        Form::Plain => builder.singlepart(text),
    };
    Some(mail.ok()?.formatted())
}

/// Says that no person wrote this, so that no holiday notice answers it (RFC 3834).
#[derive(Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
