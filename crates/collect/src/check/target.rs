//! What a check contacts, as it is written and as it may be shown.

use std::fmt;

use ureq::http::Uri;
use watchkeeper_core::Problem;
use watchkeeper_core::text::clean;

/// Longest part of a setting that comes back in a message.
const LONGEST_SHOWN: usize = 80;

/// A server and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Name or address, without the brackets of an IPv6 address.
    pub(super) host: String,
    /// Not 0.
    pub(super) port: u16,
}

/// What a check contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A port that takes connections.
    Tcp(Server),
    /// An URL with host, without user, password and fragment.
    Http(Uri),
}

impl Target {
    /// Reads `host:port` or `[address]:port`.
    pub(super) fn tcp(written: &str) -> Result<Self, Problem> {
        let wrong = |message: String| Err(Problem::new("", message).help("write tcp = \"127.0.0.1:5432\""));
        let shown = clean(written, LONGEST_SHOWN);
        if written.contains("://") {
            let problem = Problem::new("", "an URL stands where a name and a port are expected");
            return Err(problem.help("write `http` instead of `tcp`"));
        }
        if written.contains('@') {
            return wrong("a name and a port are expected, without a user".to_owned());
        }
        let Some((host, port)) = written.rsplit_once(':') else { return wrong(format!("`{shown}` has no port")) };
        let bare = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            Some(inner) => inner.filter(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok()),
            None => Some(host).filter(|host| !host.contains(':')),
        };
        let Some(host) = bare else {
            return wrong(format!("`{shown}` has an IPv6 address that is not in brackets, as in [::1]:5432"));
        };
        let plausible = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(plausible) {
            return wrong(format!("`{}` cannot be the name of a server", clean(host, LONGEST_SHOWN)));
        }
        match port.parse() {
            Ok(port @ 1..) => Ok(Self::Tcp(Server { host: host.to_owned(), port })),
            _ => wrong(format!("`{}` is not a port; it must be a number from 1 to 65535", clean(port, LONGEST_SHOWN))),
        }
    }

    /// Reads an URL. What is wrong with it is told without what may be secret in it.
    pub(super) fn http(written: &str) -> Result<Self, Problem> {
        const EXAMPLE: &str = "write http = \"https://example.com/health\"";
        let rest = written.strip_prefix("https://").or_else(|| written.strip_prefix("http://"));
        let Some(rest) = rest else {
            return Err(Problem::new("", "the URL begins with neither http:// nor https://").help(EXAMPLE));
        };
        let server = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if server.contains('@') {
            return Err(Problem::new("", "user and password do not belong into the URL of a check")
                .help("let the server answer its health without them; what is written here is no secret"));
        }
        if rest.contains('#') {
            return Err(Problem::new("", "what follows `#` is never sent").help("remove it from the URL"));
        }
        if server.is_empty() || server.starts_with(':') {
            return Err(Problem::new("", "the URL names no server").help(EXAMPLE));
        }
        let uri: Uri = written.parse().map_err(|_| {
            Problem::new("", "this is not an URL")
                .help("blanks and letters beyond ASCII are written %20 and the like, in the name of a server xn--")
        })?;
        let Some(authority) = uri.authority() else {
            return Err(Problem::new("", "the URL names no server").help(EXAMPLE));
        };
        // With brackets an IPv6 address ends at the last of them.
        let after = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if !after.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(Problem::new("", "the port of the URL is not a number from 1 to 65535").help(EXAMPLE));
        }
        Ok(Self::Http(uri))
    }

    /// Nothing about it is protected by TLS.
    pub(super) fn is_plain(&self) -> bool {
        match self {
            Self::Tcp(_) => true,
            Self::Http(uri) => uri.scheme_str() != Some("https"),
        }
    }
}

impl fmt::Display for Target {
    /// As it may be shown: an URL without what follows its `?`, where tokens are written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(Server { host, port }) if host.contains(':') => write!(f, "tcp [{host}]:{port}"),
            Self::Tcp(Server { host, port }) => write!(f, "tcp {host}:{port}"),
            Self::Http(uri) => {
                let authority = uri.authority().map_or("", |authority| authority.as_str());
                write!(f, "{}://{authority}{}", uri.scheme_str().unwrap_or("http"), uri.path())?;
                f.write_str(if uri.query().is_some() { "?..." } else { "" })
            }
        }
    }
}
