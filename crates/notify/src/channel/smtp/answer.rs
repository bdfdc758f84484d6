//! What a mail server's answers mean, and how they are put into words.

use std::error::Error as _;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::Error;
use watchkeeper_core::Secret;
use watchkeeper_core::outbox::Outcome;

use crate::channel::Verdict;

/// The steps of a dialogue, as people know them from logs of mail servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Name lookup and TCP.
    Connect,
    /// All until the answer to EHLO, where the handshake comes first and lettre does it in one step.
    Open,
    /// The server's greeting and the answer to EHLO.
    Ehlo,
    /// The offer and the answer to STARTTLS.
    Starttls,
    /// The handshake.
    Tls,
    /// The account.
    Auth,
    /// The sender.
    Mail,
    /// The recipient.
    Rcpt,
    /// The message itself.
    Data,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Open => "connect, TLS or EHLO",
            Self::Ehlo => "EHLO",
            Self::Starttls => "STARTTLS",
            Self::Tls => "TLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
        })
    }
}

impl Stage {
    /// Whether what happens here concerns all messages alike.
    pub(crate) fn is_shared(self) -> bool {
        !matches!(self, Self::Mail | Self::Rcpt | Self::Data)
    }
}

/// What a refusal with this code means at this stage.
///
/// An error of ours in doubt is one that keeps the message: only what says that this recipient or this message will
/// never be taken is [`Outcome::Dead`].
pub(crate) fn outcome(stage: Stage, code: u16) -> Outcome {
    match (stage, code) {
        // Accounts and protection, wherever the server says it.
        (_, 530 | 534 | 535 | 538) => Outcome::Channel,
        // A full mailbox: RFC 5321 tells clients to treat 552 to RCPT as 452.
        (_, ..500) | (Stage::Rcpt, 552) => Outcome::Transient,
        (Stage::Rcpt, 550 | 551 | 553) | (Stage::Data, _) => Outcome::Dead,
        _ => Outcome::Channel,
    }
}

/// The verdict on a failure of lettre at a stage.
pub(crate) fn verdict(stage: Stage, error: &Error, redaction: &Redaction) -> Verdict {
    let code = error.status().map(u16::from);
    let words = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let words = if error.source().is_some_and(is_cut) { CUT.to_owned() } else { redaction.apply(&words) };
    if let Some(code) = code {
        let verdict = Verdict::new(outcome(stage, code), Some(code), &format!("{stage}: {code} {words}"));
        // "Not this one now", such as a greylist or a full mailbox, says nothing about the others; 421 closes the shop.
        let of_one = matches!(stage, Stage::Rcpt | Stage::Data) && verdict.outcome == Outcome::Transient && code != 421;
        return Verdict { concerns_all: verdict.concerns_all && !of_one, ..verdict };
    }
    if let Some(reason) = tls_reason(error) {
        return Verdict::new(Outcome::Channel, None, &format!("{}: {}", Stage::Tls, redaction.apply(&reason)));
    }
    // lettre's own objections, such as no common way to authenticate, do not pass by themselves.
    let outcome = if error.is_client() { Outcome::Channel } else { Outcome::Transient };
    Verdict::new(outcome, None, &format!("{stage}: {words}"))
}

/// What is said of a connection that ended in the middle: the TLS library's own words are about its manual.
const CUT: &str = "the server ended the connection";

/// Whether the peer was gone before it was done.
fn is_cut(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof) || error.source().is_some_and(is_cut)
}

/// A failed handshake in words, with the remedy where the configuration has one.
fn handshake(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "the certificate is not of an authority that is trusted here; `ca` names the file of another one".to_owned()
        }
        other => other.to_string(),
    }
}

/// The reason of a failed handshake. A connection that merely ended is none.
fn tls_reason(error: &Error) -> Option<String> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(reason) = inner.downcast_ref::<rustls::Error>() {
            return Some(handshake(reason));
        }
        // `source` of an I/O error skips the error it was made from.
        let within = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(reason) = within.and_then(|reason| reason.downcast_ref::<rustls::Error>()) {
            return Some(handshake(reason));
        }
        source = inner.source();
    }
    None
}

/// What must not appear in any text, although a server may repeat it.
pub(crate) struct Redaction(Vec<String>);

impl Redaction {
    /// The password as it is and as it travels in AUTH PLAIN and AUTH LOGIN.
    pub(crate) fn of(user: Option<&str>, password: Option<&Secret>) -> Self {
        let Some(password) = password.map(Secret::expose).filter(|password| !password.is_empty()) else {
            return Self(Vec::new());
        };
        let plain = format!("\0{}\0{password}", user.unwrap_or_default());
        // Longest first, so that no part of one is left over by another.
        let mut secrets = vec![STANDARD.encode(plain), STANDARD.encode(password), password.to_owned()];
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// The text without secrets.
    pub(crate) fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "********"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_table_says() {
        use Outcome::{Channel, Dead, Transient};
        for (stage, code, expected) in [
            (Stage::Ehlo, 421, Transient),
            (Stage::Mail, 450, Transient),
            (Stage::Rcpt, 451, Transient),
            (Stage::Data, 452, Transient),
            (Stage::Auth, 454, Transient),
            (Stage::Mail, 530, Channel),
            (Stage::Auth, 534, Channel),
            (Stage::Auth, 535, Channel),
            (Stage::Rcpt, 538, Channel),
            (Stage::Data, 530, Channel),
            (Stage::Ehlo, 554, Channel),
            (Stage::Mail, 550, Channel),
            (Stage::Rcpt, 550, Dead),
            (Stage::Rcpt, 551, Dead),
            (Stage::Rcpt, 553, Dead),
            (Stage::Rcpt, 552, Transient),
            (Stage::Rcpt, 554, Channel),
            (Stage::Data, 552, Dead),
            (Stage::Data, 554, Dead),
        ] {
            assert_eq!(outcome(stage, code), expected, "{stage} {code}");
        }
    }

    #[test]
    fn a_server_that_repeats_the_password_does_not_bring_it_into_a_text() {
        let redaction = Redaction::of(Some("monitor"), Some(&Secret::new("s3cret")));
        let repeated = format!("no s3cret, {} or {}", STANDARD.encode("\0monitor\0s3cret"), STANDARD.encode("s3cret"));
        assert_eq!(redaction.apply(&repeated), "no ********, ******** or ********");
        assert_eq!(Redaction::of(None, None).apply("nothing to hide"), "nothing to hide");
    }

    #[test]
    fn failures_of_the_connection_are_told_in_words_of_ours() {
        let cut = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "see the manual of the library");
        assert!(is_cut(&cut));
        assert!(!is_cut(&std::io::Error::other("the peer made a mistake")));
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        assert!(handshake(&unknown).contains("`ca`"), "{}", handshake(&unknown));
        let expired = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        assert!(handshake(&expired).contains("Expired"), "{}", handshake(&expired));
    }
}
