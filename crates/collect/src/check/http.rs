//! Asking for an URL: one GET, no redirect, no proxy, no more than the beginning of the body, all within one deadline.

use std::io::Read;
use std::time::Instant;

use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, Timeout};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::clean;

use super::failure::Failure;
use super::names::Names;
use super::target::Server;

/// So much of a body is looked at, bytes.
const MOST_BODY: usize = 1 << 20;

/// One URL and what its answer must be.
pub(super) struct Http {
    agent: Agent,
    uri: Uri,
    status: Vec<u16>,
    contains: Option<String>,
    timeout: Span,
}

/// What an answer was.
pub(super) struct Answer {
    /// Its status, if there was one.
    pub(super) status: Option<u16>,
    /// Why it is not good.
    pub(super) failure: Option<Failure>,
}

impl Http {
    /// Makes the client. `tls` is for `https`.
    pub(super) fn new(
        uri: Uri,
        status: Vec<u16>,
        contains: Option<String>,
        timeout: Span,
        tls: Option<TlsConfig>,
    ) -> Self {
        let mut config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            // A connection of the last try would not show that there is no new one.
            .max_idle_connections(0)
            .timeout_global(Some(timeout.duration()))
            .user_agent(concat!("watchkeeper/", env!("CARGO_PKG_VERSION"), " (check)"));
        if let Some(tls) = tls {
            config = config.tls_config(tls);
        }
        let names = Lookup { names: Names::default(), timeout };
        let agent = Agent::with_parts(config.build(), DefaultConnector::default(), names);
        Self { agent, uri, status, contains, timeout }
    }

    /// Asks once.
    pub(super) fn ask(&self) -> Answer {
        match self.agent.get(self.uri.clone()).call() {
            Err(error) => Answer { status: None, failure: Some(self.failure(error, &BEFORE)) },
            Ok(response) => {
                let status = Some(response.status().as_u16());
                let failure = self.judge(response).err();
                Answer { status, failure }
            }
        }
    }

    fn judge(&self, response: Response<Body>) -> Result<(), Failure> {
        let status = response.status();
        let number = status.as_u16();
        let is_good = if self.status.is_empty() { (200..400).contains(&number) } else { self.status.contains(&number) };
        if !is_good {
            return Err(Failure::new(format!("the answer was {}{}", shown(status), leads_to(&response))));
        }
        let Some(text) = &self.contains else { return Ok(()) };
        let leads_to = leads_to(&response);
        match find(response.into_body().into_reader(), text.as_bytes()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::new(format!(
                "the answer {}does not contain `{}`{leads_to}",
                if leads_to.is_empty() { String::new() } else { format!("{} ", shown(status)) },
                clean(text, 80)
            ))),
            Err(error) => Err(self.failure(error.into(), &WITHIN)),
        }
    }

    fn failure(&self, error: ureq::Error, words: &Words) -> Failure {
        match error {
            ureq::Error::Timeout(Timeout::Connect) => Failure::late("no connection", self.timeout),
            ureq::Error::Timeout(_) => Failure::late(words.late, self.timeout),
            ureq::Error::Rustls(error) => Failure::tls(&error),
            ureq::Error::Other(error) => {
                error.downcast::<Failure>().map_or_else(|error| Failure::new(error.to_string()), |failure| *failure)
            }
            ureq::Error::Io(error) => {
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                match (inner, error.kind()) {
                    (Some(tls), _) => Failure::tls(tls),
                    (None, std::io::ErrorKind::UnexpectedEof) => Failure::new(words.cut),
                    (None, _) => Failure::io(&error),
                }
            }
            ureq::Error::Protocol(error) => {
                let error = error.to_string();
                let what = error.strip_prefix("http parse fail: ").unwrap_or(&error);
                Failure::new(format!("the answer is not HTTP: {what}"))
            }
            other => Failure::new(other.to_string()),
        }
    }
}

/// How a failure is told by what had come until then.
struct Words {
    late: &'static str,
    cut: &'static str,
}

const BEFORE: Words = Words { late: "no answer", cut: "the connection was closed without an answer" };
const WITHIN: Words =
    Words { late: "the answer was not complete", cut: "the connection was closed before the answer was complete" };

/// A status with the words that go with it; those of the server are not asked.
fn shown(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(words) => format!("{} {words}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// Where a redirect leads; nothing for other answers.
fn leads_to(response: &Response<Body>) -> String {
    let location = response.headers().get("location").and_then(|location| location.to_str().ok());
    match location.filter(|_| response.status().is_redirection()).map(public) {
        None => String::new(),
        Some(place) => format!(", which leads to {}; redirects are not followed", clean(&place, 100)),
    }
}

/// An address without what may be secret in it: user, password, and what follows a `?` or `#`.
fn public(location: &str) -> String {
    let location = location.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = location.split_once("//") else { return location.to_owned() };
    let (server, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let server = server.rsplit('@').next().unwrap_or_default();
    format!("{scheme}//{server}{path}")
}

/// Whether a text is in the beginning of a body. Stops reading when it is found.
fn find(mut body: impl Read, text: &[u8]) -> std::io::Result<bool> {
    let mut seen: Vec<u8> = Vec::new();
    let mut piece = [0_u8; 8_192];
    while seen.len() < MOST_BODY {
        let most = piece.len().min(MOST_BODY - seen.len());
        let count = body.read(&mut piece[..most])?;
        if count == 0 {
            break;
        }
        // It may lie across two pieces.
        let from = seen.len().saturating_sub(text.len() - 1);
        seen.extend_from_slice(&piece[..count]);
        if seen[from..].windows(text.len()).any(|window| window == text) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Our lookup for the client: one question at a time, and its failure in our words.
#[derive(Debug)]
struct Lookup {
    names: Names,
    timeout: Span,
}

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let until = Instant::now() + (*timeout.after).min(self.timeout.duration());
        let found = self.names.look_up(&Server { host, port }, until, self.timeout);
        let mut addresses = self.empty();
        for address in found.map_err(|failure| ureq::Error::Other(Box::new(failure)))? {
            addresses.push(address);
        }
        Ok(addresses)
    }
}
