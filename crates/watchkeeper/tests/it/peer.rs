//! A real mail server (aiosmtpd, `scripts/smtp-peer`) with STARTTLS and AUTH, and the authority its certificate comes from.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::program::PASSWORD;

/// An authority of our own and a certificate for `localhost`, in a folder that goes with it.
pub struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("an authority");
        let issuer = Issuer::new(params, key);
        let server_key = KeyPair::generate().expect("a key");
        let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let server = server.signed_by(&server_key, &issuer).expect("a certificate");
        fs::write(folder.path().join("ca.pem"), authority.pem()).expect("written");
        fs::write(folder.path().join("server.pem"), server.pem()).expect("written");
        fs::write(folder.path().join("server.key"), server_key.serialize_pem()).expect("written");
        Self { folder }
    }

    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

/// A running mail server; ended when it is dropped.
pub struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    port: u16,
    mailbox: PathBuf,
    _folder: tempfile::TempDir,
}

/// A message that the server has taken.
#[derive(Clone, Debug)]
pub struct Mail {
    pub recipients: Vec<String>,
    pub tls: bool,
    pub authenticated: bool,
    pub subject: String,
    /// The plain text part.
    pub text: String,
    data: String,
}

impl Peer {
    /// Starts the server on a port, or on a free one for 0, and waits until it listens.
    pub fn start(authority: &Authority, port: u16, mode: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mailbox = folder.path().join("mailbox");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/smtp-peer");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .arg("--cert")
            .arg(authority.folder.path().join("server.pem"))
            .arg("--key")
            .arg(authority.folder.path().join("server.key"))
            .arg("--mailbox")
            .arg(&mailbox)
            .args(["--user", "watchkeeper", "--password", PASSWORD, "--mode", mode, "--port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the mail server starts");
        let stdin = child.stdin.take();
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output is ours");
        BufReader::new(stdout).read_line(&mut line).expect("it says something");
        let port = line.trim().strip_prefix("ready ").and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the mail server did not start (python3-aiosmtpd?): {line}"));
        Self { child, stdin, port, mailbox, _folder: folder }
    }

    /// A port that nobody listens on now.
    pub fn free_port() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("its address").port()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything it has taken so far.
    pub fn mails(&self) -> Vec<Mail> {
        let text = fs::read_to_string(&self.mailbox).unwrap_or_default();
        let mail = |line: &str| {
            let mail: serde_json::Value = serde_json::from_str(line).ok()?;
            let recipients = mail["recipients"].as_array()?.iter().filter_map(|one| one.as_str().map(str::to_owned));
            Some(Mail {
                recipients: recipients.collect(),
                tls: mail["tls"].as_bool()?,
                authenticated: mail["auth"].as_bool()?,
                subject: mail["subject"].as_str()?.to_owned(),
                text: mail["text"].as_str()?.to_owned(),
                data: mail["data"].as_str()?.to_owned(),
            })
        };
        text.lines().filter_map(mail).collect()
    }

    /// Waits for a message that is so.
    pub fn wait_for(&self, patience: Duration, is_so: impl Fn(&Mail) -> bool) -> Mail {
        let until = Instant::now() + patience;
        loop {
            let mails = self.mails();
            if let Some(mail) = mails.iter().find(|mail| is_so(mail)) {
                return mail.clone();
            }
            assert!(
                Instant::now() < until,
                "waited {patience:?} in vain for a mail; there are {:#?}",
                mails.iter().map(|mail| &mail.subject).collect::<Vec<_>>()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mail {
    /// A header's value as it was sent, folded lines joined.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        let mut fields = head.split("\r\n").filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }
}
