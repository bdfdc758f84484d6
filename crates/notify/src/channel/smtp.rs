//! Mail by SMTP.

mod answer;
mod config;
mod dialogue;
mod mail;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use watchkeeper_core::Secret;
use watchkeeper_core::outbox::Outcome;

use super::{ChannelError, Outgoing, Verdict};
use answer::{Redaction, Stage};
use config::Server;
pub use config::{Security, SmtpConfig};
use dialogue::Dialogue;
use mail::Form;

/// A mail server and how to reach it.
#[derive(Debug)]
pub(crate) struct Smtp {
    settings: Arc<Settings>,
}

/// What a dialogue needs to know.
struct Settings {
    server: Server,
    tls: Tls,
    credentials: Option<Credentials>,
    redaction: Redaction,
    from: Mailbox,
    hello: ClientId,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("server", &self.server).field("from", &self.from).finish_non_exhaustive()
    }
}

/// How the connection is protected.
enum Tls {
    None,
    Start(TlsParameters),
    Implicit(TlsParameters),
}

/// Where a dialogue stands: the index of its message, and the stage.
type Progress = Arc<Mutex<(usize, Stage)>>;

impl Smtp {
    pub(crate) fn new(
        name: &str,
        config: &SmtpConfig,
        password: Option<Secret>,
        host: &str,
    ) -> Result<Self, ChannelError> {
        let setting = |reason: &str| ChannelError::Setting { channel: name.to_owned(), reason: reason.to_owned() };
        let server = Server::parse(&config.server).map_err(|problem| setting(&problem))?;
        let from = config.from.parse().map_err(|_| setting("`from` is not a mail address"))?;
        let tls = match config.security.ok_or_else(|| setting("`security` is missing"))? {
            Security::Plaintext => Tls::None,
            Security::Starttls => Tls::Start(trust(name, config, &server)?),
            Security::Tls => Tls::Implicit(trust(name, config, &server)?),
        };
        if matches!(tls, Tls::None) && config.user.is_some() {
            return Err(setting("a password is never sent without TLS"));
        }
        let redaction = Redaction::of(config.user.as_deref(), password.as_ref());
        let credentials = match (&config.user, password) {
            (Some(user), Some(password)) => Some(Credentials::new(user.clone(), password.expose().to_owned())),
            (None, None) => None,
            _ => return Err(setting("`user` and `password` belong together")),
        };
        let hello = hello_name(host);
        Ok(Self { settings: Arc::new(Settings { server, tls, credentials, redaction, from, hello }) })
    }

    /// Sends messages over as few connections as possible, a transaction for each. See [`super::Channel::deliver`].
    pub(crate) async fn deliver(
        &self,
        messages: Vec<Outgoing>,
        verdicts: &UnboundedSender<(usize, Verdict)>,
        deadline: Duration,
    ) {
        let count = messages.len();
        let progress: Progress = Arc::new(Mutex::new((0, Stage::Connect)));
        // A task of its own: lettre panics on an EHLO answer with a line of blanks, and no answer of a peer may end the
        // worker. Dropping the set aborts the task, and that closes the socket.
        let mut task = JoinSet::new();
        let until = Instant::now() + deadline;
        task.spawn(send_all(Arc::clone(&self.settings), messages, verdicts.clone(), Arc::clone(&progress), until));
        let ended = timeout_at(until, task.join_next()).await;
        let (index, stage) = *progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let words = match ended {
            Ok(Some(Err(error))) if error.is_panic() => format!("{stage}: the answer could not be understood"),
            Ok(_) => return,
            Err(_) => format!("{stage}: no answer within {} s", deadline.as_secs_f64()),
        };
        let verdict = Verdict::new(Outcome::Transient, None, &words);
        // Until a transaction has begun the failure is everybody's, afterwards only that of the message at hand.
        let last = if stage.is_shared() { count } else { index + 1 };
        for index in index..last.min(count) {
            let _ = verdicts.send((index, verdict.clone()));
        }
    }
}

/// Works through the messages, with a new connection after a broken one. A failure before the first transaction of a
/// connection holds for all messages that are left.
async fn send_all(
    settings: Arc<Settings>,
    messages: Vec<Outgoing>,
    verdicts: UnboundedSender<(usize, Verdict)>,
    progress: Progress,
    until: Instant,
) {
    let count = messages.len();
    let full = |(index, message)| (index, message, Form::Full);
    let mut left: VecDeque<(usize, Outgoing, Form)> = messages.into_iter().enumerate().map(full).collect();
    while let Some((first, ..)) = left.front() {
        note(&progress, *first, Stage::Connect);
        let mut dialogue = match Dialogue::open(&settings, &progress, until).await {
            Ok(dialogue) => dialogue,
            Err(verdict) => {
                for (index, ..) in left {
                    let _ = verdicts.send((index, verdict.clone()));
                }
                return;
            }
        };
        while let Some((index, message, form)) = left.pop_front() {
            let attempt = dialogue.send(&message, form).await;
            if attempt.content_refused && form == Form::Full {
                // Too large, or something in it was not liked: the bare words may pass.
                left.push_front((index, message, Form::Plain));
            } else {
                // Told before anything else is asked of the peer: an accepted message must not be sent again.
                let _ = verdicts.send((index, attempt.verdict));
            }
            note(&progress, left.front().map_or(count, |(next, ..)| *next), Stage::Mail);
            if !attempt.alive || (!left.is_empty() && !dialogue.reset().await) {
                break;
            }
        }
        if left.is_empty() {
            dialogue.quit().await;
        }
    }
}

fn note(progress: &Progress, index: usize, stage: Stage) {
    *progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = (index, stage);
}

/// The authorities of this machine and the configured one. Uses ring, whatever else is linked in.
fn trust(name: &str, config: &SmtpConfig, server: &Server) -> Result<TlsParameters, ChannelError> {
    // lettre takes the process-wide provider if there is one. Another part of the program may have set it before, which
    // is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = TlsParameters::builder(server.host.clone());
    if let Some(path) = &config.ca {
        let pem = std::fs::read(path).map_err(|reason| ChannelError::Certificates { path: path.clone(), reason })?;
        let none = || ChannelError::NoCertificate { path: path.clone() };
        if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
            return Err(none());
        }
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|_| none())?);
    }
    builder.build().map_err(|error| match &config.ca {
        Some(path) => ChannelError::NoCertificate { path: path.clone() },
        None => ChannelError::Setting { channel: name.to_owned(), reason: error.to_string() },
    })
}

/// lettre takes a file without any certificate for an empty list.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// What we call ourselves in EHLO: the host's name if it can be one there.
fn hello_name(host: &str) -> ClientId {
    let valid = !host.is_empty() && host.len() <= 253 && host.split('.').all(is_label);
    if valid { ClientId::Domain(host.to_owned()) } else { ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST) }
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_name_is_said_in_ehlo() {
        for (host, said) in [
            ("db1.example.com", "db1.example.com"),
            ("", "[127.0.0.1]"),
            ("my host", "[127.0.0.1]"),
            ("db1\r\nMAIL FROM:<x@y>", "[127.0.0.1]"),
            ("db1..example", "[127.0.0.1]"),
            ("über", "[127.0.0.1]"),
        ] {
            assert_eq!(hello_name(host).to_string(), said, "{host:?}");
        }
    }
}
