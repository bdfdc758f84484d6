//! Why a try failed, in a sentence that stays the same while the reason does: it is part of what the log knows a check by.

use std::io;

use rustls::CertificateError;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::clean;

/// Longest sentence, in characters.
const LONGEST: usize = 200;

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
            other => format!("no TLS connection: {other}"),
        })
    }
}

/// What the system says, without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(text);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
