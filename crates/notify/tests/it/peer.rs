//! A real mail server that is started for a test, and certificates for it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Secret, SecretSource};
use watchkeeper_notify::{Channel, Security, SmtpConfig};

use crate::fixture::origin;

/// A running server; ends with the value.
pub struct Peer {
    child: Child,
    folder: TempDir,
    /// The port it listens on.
    pub port: u16,
}

/// What the account of the server is called, and its password.
pub const USER: &str = "monitor";
pub const PASSWORD: &str = "s3cret-canary-49f1";

/// One message as the server was given it.
#[derive(serde::Deserialize)]
pub struct Mail {
    pub recipients: Vec<String>,
    pub tls: bool,
    pub auth: bool,
    pub data: String,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
}

impl std::fmt::Debug for Mail {
    /// The headers alone: the rest is long.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default();
        write!(f, "to {:?}, tls {}, auth {}\n{head}", self.recipients, self.tls, self.auth)
    }
}

impl Mail {
    /// A header of it; folded lines are joined.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        let prefix = format!("{}:", name.to_lowercase());
        head.lines()
            .find(|line| line.to_lowercase().starts_with(&prefix))
            .map(|line| line[prefix.len()..].trim().to_owned())
    }
}

impl Peer {
    /// Starts the server in a mode, with a certificate for `localhost` of its own authority.
    pub fn start(mode: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_certificates(folder.path());
        Self::start_in(folder, mode, arguments)
    }

    fn start_in(folder: TempDir, mode: &str, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/smtp-peer");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).args(["--mode", mode, "--user", USER, "--password", PASSWORD]);
        for (flag, file) in [("--cert", "server.pem"), ("--key", "server.key"), ("--mailbox", "mailbox")] {
            command.arg(flag).arg(folder.path().join(file));
        }
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("these tests need /usr/bin/python3");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.strip_prefix("ready ").and_then(|port| port.trim().parse().ok());
        let port =
            port.expect("the mail server of the tests did not start; it needs the Debian package python3-aiosmtpd");
        Self { child, folder, port }
    }

    /// Stops the server and starts another one in its place, with the same certificate, port and mailbox.
    pub fn turn_into(&mut self, mode: &str) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let port = self.port.to_string();
        let next = Self::start_in(folder, mode, &["--port", &port]);
        *self = next;
    }

    /// The certificate of its authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Messages that it was given, accepted or not.
    pub fn mails(&self) -> Vec<Mail> {
        let text = std::fs::read_to_string(self.folder.path().join("mailbox")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Commands that it saw.
    pub fn commands(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("mailbox.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How many of its commands begin with this word.
    pub fn count(&self, word: &str) -> usize {
        self.commands().iter().filter(|command| command.starts_with(word)).count()
    }

    /// The settings that reach it.
    pub fn config(&self) -> SmtpConfig {
        SmtpConfig {
            server: format!("localhost:{}", self.port),
            security: Some(Security::Starttls),
            user: Some(USER.to_owned()),
            password: Some(SecretSource::Env("UNUSED".to_owned())),
            from: "Watchkeeper <watchkeeper@example.com>".to_owned(),
            ca: Some(self.authority()),
            give_up_after: Span::from_secs(72 * 3_600),
        }
    }

    /// The channel `mail` to it.
    pub fn channel(&self) -> Channel {
        channel(&self.config())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The channel `mail` with these settings.
pub fn channel(config: &SmtpConfig) -> Channel {
    let password = config.password.as_ref().map(|_| Secret::new(PASSWORD));
    Channel::smtp("mail", config, password, origin()).unwrap()
}

/// Writes an authority and a certificate for `localhost` that it has signed.
pub fn write_certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    std::fs::write(folder.join("authority.pem"), authority.pem()).unwrap();
    std::fs::write(folder.join("server.pem"), server.pem()).unwrap();
    std::fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}
