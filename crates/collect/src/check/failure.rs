//! Why a try failed, in a sentence that stays the same while the reason does: it is part of what the log knows a check by.

use std::io;

use rustls::CertificateError;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::clean;

/// Longest sentence, in characters.
const LONGEST: usize = 200;
pub(super) const NOT_OF_A_SERVER: &str =
    "the certificate is not that of a server, but of an authority or of something else";

/// Why a try failed: lower case, no full stop, cleaned of foreign control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failure(String);

impl Failure {
    /// A sentence, which may hold foreign text.
    pub(super) fn new(sentence: impl AsRef<str>) -> Self {
        Self(clean(sentence.as_ref(), LONGEST))
    }

    /// The connection could not be made, or broke.
    pub(super) fn io(error: &io::Error) -> Self {
        Self::new(reason(error))
    }

    /// What was waited for did not come in time.
    pub(super) fn late(what: &str, timeout: Span) -> Self {
        Self::new(format!("{what} within {timeout}"))
    }

    /// The certificate was refused, or the handshake failed otherwise.
    pub(super) fn tls(error: &rustls::Error) -> Self {
        use CertificateError as C;
        Self::new(match error {
            rustls::Error::InvalidCertificate(C::UnknownIssuer) => {
                "the certificate is not of an authority that is trusted here; `ca` names the file of another one"
                    .to_owned()
            }
            rustls::Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
                "the certificate has expired".to_owned()
            }
            rustls::Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
                "the certificate is not valid yet".to_owned()
            }
            rustls::Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
                "the certificate is for another name".to_owned()
            }
            rustls::Error::InvalidCertificate(C::InvalidPurpose | C::InvalidPurposeContext { .. }) => {
                NOT_OF_A_SERVER.to_owned()
            }
            // What the library has no word for it wraps, and shows as it looks inside.
            rustls::Error::InvalidCertificate(C::Other(inner)) if inner.to_string().contains("CaUsedAsEndEntity") => {
                NOT_OF_A_SERVER.to_owned()
            }
            rustls::Error::InvalidCertificate(_) => "the certificate cannot be verified".to_owned(),
            rustls::Error::InvalidMessage(_) => "no TLS is spoken there".to_owned(),
            other => format!("no TLS connection: {other}"),
        })
    }
}

/// What happened to a connection, in the same words on every system; else what the system says, without its number.
pub(super) fn reason(error: &io::Error) -> String {
    use io::ErrorKind as K;
    // Windows says these in whole sentences, and in the language of the machine.
    let known = error.raw_os_error().and_then(|_| match error.kind() {
        K::ConnectionRefused => Some("connection refused"),
        K::ConnectionReset => Some("connection reset by peer"),
        K::ConnectionAborted => Some("connection aborted"),
        K::HostUnreachable => Some("no route to host"),
        K::NetworkUnreachable => Some("network is unreachable"),
        _ => None,
    });
    known.map_or_else(|| plain(&error.to_string()), str::to_owned)
}

/// The words of the system's own sentence.
fn plain(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(text);
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_lower_case_without_number_and_full_stop() {
        let cases = [
            ("No such host is known. (os error 11001)", "no such host is known"),
            ("failed to lookup address information: Name or service not known", "name or service not known"),
            ("Broken pipe (os error 32)", "broken pipe"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(reason(&io::Error::other(text)), expected);
        }
    }

    #[test]
    fn a_broken_connection_is_said_in_the_same_words_on_every_system() {
        // Numbers of Linux, of macOS and of Windows.
        let numbers = match std::env::consts::OS {
            "linux" => [111, 104, 103, 113, 101],
            "windows" => [10_061, 10_054, 10_053, 10_065, 10_051],
            _ => [61, 54, 53, 65, 51],
        };
        let words = [
            "connection refused",
            "connection reset by peer",
            "connection aborted",
            "no route to host",
            "network is unreachable",
        ];
        for (number, words) in numbers.into_iter().zip(words) {
            assert_eq!(reason(&io::Error::from_raw_os_error(number)), words);
        }
        // What was not the system's is said by whoever said it.
        assert_eq!(reason(&io::Error::new(io::ErrorKind::ConnectionReset, "Too early")), "too early");
    }
}
