//! The dialogue with a mail server, command by command, so that every failure has its stage.
//!
//! lettre's connection is used, not its transport: that one stops at the first refused recipient and waits for the
//! answer to QUIT without a limit. Every positive answer is checked for the code that belongs to its command: an answer
//! that somebody slipped in before the handshake would otherwise shift all that follow, and a message would count as
//! accepted before it was sent.

use std::ops::RangeInclusive;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use watchkeeper_core::outbox::Outcome;

use super::answer::{self, Stage};
use super::config::{Server, address};
use super::mail::{Form, build};
use super::{Progress, Settings, Tls};
use crate::channel::{Outgoing, Verdict};
use crate::template::render_view;

/// How long the answer to QUIT is waited for; what it says does not matter.
const QUIT: Duration = Duration::from_secs(1);
/// How long one address of a server may take to answer before the next one is tried.
const CONNECT: Duration = Duration::from_secs(10);

/// An open connection on which transactions can be made.
pub(super) struct Dialogue<'a> {
    connection: AsyncSmtpConnection,
    settings: &'a Settings,
    progress: &'a Progress,
}

/// What came of a transaction.
pub(super) struct Attempt {
    pub(super) verdict: Verdict,
    /// The connection can be used for another one.
    pub(super) alive: bool,
    /// It was the message that was refused, for good: in another form it may pass.
    pub(super) content_refused: bool,
}

impl<'a> Dialogue<'a> {
    /// Connects, protects the connection and authenticates.
    pub(super) async fn open(settings: &'a Settings, progress: &'a Progress, until: Instant) -> Result<Self, Verdict> {
        let connection = match &settings.tls {
            Tls::Implicit(parameters) => Self::open_protected(settings, progress, parameters, until).await?,
            Tls::None | Tls::Start(_) => Self::open_plain(settings, progress, until).await?,
        };
        let mut dialogue = Self { connection, settings, progress };
        if let Tls::Start(parameters) = &settings.tls {
            dialogue.enter(Stage::Starttls);
            if !dialogue.connection.can_starttls() {
                let words = "STARTTLS: the server does not offer it, so nothing was sent";
                return Err(Verdict::new(Outcome::Channel, None, words));
            }
            let upgraded = dialogue.connection.starttls(parameters.clone(), &settings.hello).await;
            upgraded.map_err(|error| {
                let stage = if is_connecting(&error) { Stage::Tls } else { Stage::Starttls };
                answer::verdict(stage, &error, &settings.redaction)
            })?;
        }
        dialogue.authenticate().await?;
        Ok(dialogue)
    }

    async fn open_plain(
        settings: &Settings,
        progress: &Progress,
        until: Instant,
    ) -> Result<AsyncSmtpConnection, Verdict> {
        let stream = connect(&settings.server, until)
            .await
            .map_err(|reason| Verdict::new(Outcome::Transient, None, &format!("{}: {reason}", Stage::Connect)))?;
        enter(progress, Stage::Ehlo);
        let connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &settings.hello).await;
        connection.map_err(|error| answer::verdict(Stage::Ehlo, &error, &settings.redaction))
    }

    async fn open_protected(
        settings: &Settings,
        progress: &Progress,
        parameters: &TlsParameters,
        until: Instant,
    ) -> Result<AsyncSmtpConnection, Verdict> {
        enter(progress, Stage::Open);
        let server = (settings.server.host.as_str(), settings.server.port);
        let (patience, hello) = (Some(patience(until)), &settings.hello);
        let connection =
            AsyncSmtpConnection::connect_tokio1(server, patience, hello, Some(parameters.clone()), None).await;
        connection.map_err(|error| {
            let stage = match is_connecting(&error) {
                true if error.to_string().contains("tls handshake") => Stage::Tls,
                true => Stage::Connect,
                false => Stage::Ehlo,
            };
            answer::verdict(stage, &error, &settings.redaction)
        })
    }

    async fn authenticate(&mut self) -> Result<(), Verdict> {
        let Some(credentials) = &self.settings.credentials else { return Ok(()) };
        self.enter(Stage::Auth);
        // Cannot happen after the handshake above; no mistake made there later may send a password in the clear.
        if !self.connection.is_encrypted() {
            let words = "AUTH: the connection is not encrypted, so no password was sent";
            return Err(Verdict::new(Outcome::Channel, None, words));
        }
        let answered = self.connection.auth(DEFAULT_MECHANISMS, credentials).await;
        self.expect(Stage::Auth, 235..=235, answered).map(|_| ())
    }

    /// One transaction.
    pub(super) async fn send(&mut self, message: &Outgoing, form: Form) -> Attempt {
        let to = match address(&message.recipient) {
            Ok(to) => to,
            Err(problem) => {
                let verdict = Verdict::new(Outcome::Dead, None, &format!("RCPT: {problem}"));
                return Attempt { verdict, alive: true, content_refused: false };
            }
        };
        match self.transaction(message, &to, form).await {
            Ok(verdict) => Attempt { verdict, alive: true, content_refused: false },
            Err((verdict, stage)) => Attempt {
                // After a refusal in good order the connection still serves; after 421 and after silence it does not.
                alive: verdict.code.is_some_and(|code| code != 421) && !self.connection.has_broken(),
                content_refused: stage == Stage::Data && verdict.outcome == Outcome::Dead,
                verdict,
            },
        }
    }

    async fn transaction(&mut self, message: &Outgoing, to: &Mailbox, form: Form) -> Result<Verdict, (Verdict, Stage)> {
        let from = &self.settings.from;
        let words = render_view(&message.view);
        let mail = build(message, &words, from, to, form)
            .ok_or_else(|| (Verdict::new(Outcome::Dead, None, "DATA: the mail could not be built"), Stage::Rcpt))?;
        let parameters = self.parameters(&[&from.email, &to.email], &mail).map_err(|verdict| (verdict, Stage::Rcpt))?;

        self.enter(Stage::Mail);
        let answered = self.connection.command(Mail::new(Some(from.email.clone()), parameters)).await;
        self.expect(Stage::Mail, 250..=250, answered).map_err(|verdict| (verdict, Stage::Mail))?;

        self.enter(Stage::Rcpt);
        let answered = self.connection.command(Rcpt::new(to.email.clone(), Vec::new())).await;
        // 251: the server passes it on to where the recipient has moved.
        self.expect(Stage::Rcpt, 250..=251, answered).map_err(|verdict| (verdict, Stage::Rcpt))?;

        self.enter(Stage::Data);
        let answered = self.connection.command(Data).await;
        self.expect(Stage::Data, 354..=354, answered).map_err(|verdict| (verdict, Stage::Data))?;
        let answered = self.connection.message(&mail).await;
        let accepted = self.expect(Stage::Data, 250..=299, answered).map_err(|verdict| (verdict, Stage::Data))?;
        let said = accepted.message().collect::<Vec<_>>().join(" ");
        Ok(Verdict::new(Outcome::Sent, Some(accepted.code().into()), &self.settings.redaction.apply(&said)))
    }

    /// What MAIL must announce for these addresses and this message.
    fn parameters(&self, addresses: &[&Address], mail: &[u8]) -> Result<Vec<MailParameter>, Verdict> {
        let mut parameters = Vec::new();
        let offers = |extension| self.connection.server_info().supports_feature(extension);
        let plain = |address: &&Address| AsRef::<str>::as_ref(*address).is_ascii();
        if !addresses.iter().all(plain) {
            if !offers(Extension::SmtpUtfEight) {
                let words = "MAIL: the server does not take addresses with letters beyond ASCII (SMTPUTF8)";
                return Err(Verdict::new(Outcome::Channel, None, words));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !mail.is_ascii() && offers(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    /// Ends what is left of a transaction; `false` if the connection is of no more use.
    pub(super) async fn reset(&mut self) -> bool {
        self.connection.command(Rset).await.is_ok_and(|answer| answer.has_code(250))
    }

    /// Says goodbye; everything is settled by now.
    pub(super) async fn quit(mut self) {
        let _ = timeout(QUIT, self.connection.command(Quit)).await;
    }

    fn enter(&self, stage: Stage) {
        enter(self.progress, stage);
    }

    fn expect(
        &self,
        stage: Stage,
        codes: RangeInclusive<u16>,
        answered: Result<Response, Error>,
    ) -> Result<Response, Verdict> {
        match answered {
            Ok(response) if codes.contains(&response.code().into()) => Ok(response),
            Ok(response) => {
                let words = format!("{stage}: {} where {} was expected", response.code(), codes.start());
                Err(Verdict::new(Outcome::Transient, None, &words))
            }
            Err(error) => Err(answer::verdict(stage, &error, &self.settings.redaction)),
        }
    }
}

fn enter(progress: &Progress, stage: Stage) {
    progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1 = stage;
}

/// How long one address may take, so that there is time left for the dialogue, or for another address.
fn patience(until: Instant) -> Duration {
    CONNECT.min(until.saturating_duration_since(Instant::now()) / 2)
}

/// Connects to the first address that answers.
async fn connect(server: &Server, until: Instant) -> std::io::Result<TcpStream> {
    let mut failure = None;
    for address in tokio::net::lookup_host((server.host.as_str(), server.port)).await? {
        match timeout(patience(until), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = Some(std::io::Error::new(error.kind(), format!("{address}: {error}"))),
            Err(_) => failure = Some(std::io::Error::other(format!("{address}: no answer"))),
        }
    }
    Err(failure.unwrap_or_else(|| std::io::Error::other(format!("{} has no address", server.host))))
}

/// Whether lettre failed before it could read a byte of the dialogue: in TCP or in the handshake. It has a kind for this
/// but no question that tells it.
fn is_connecting(error: &Error) -> bool {
    error.to_string().starts_with("Connection error")
}
