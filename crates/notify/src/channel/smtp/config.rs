//! The table `[smtp.NAME]`.

use std::path::PathBuf;

use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Problem, SecretSource, Validate, text};

/// A mail channel, the table `[smtp.NAME]`. Routes name it by NAME.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SmtpConfig {
    /// Name or address of the mail server with its port: usually 587 for starttls, 465 for tls, 25 for plaintext.
    /// Example: `server = "smtp.example.com:587"`. Required.
    pub server: String,
    /// How the connection is protected: `"starttls"`, `"tls"` or `"plaintext"`. With `"starttls"` a server that does not
    /// offer it is a failure; with `"plaintext"` no password is ever sent. Required, there is no default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
    /// Name of the account, if the server asks for one. Needs `password`. Default: no account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the password of the account is found, never the password itself.
    /// Example: `password = { env = "SMTP_PASSWORD" }` or `password = { file = "/run/credentials/watchkeeper/smtp" }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretSource>,
    /// Who the mails come from. Example: `from = "Watchkeeper <watchkeeper@example.com>"`. Required.
    pub from: String,
    /// A PEM file with the certificate of an own authority, trusted beside those of this machine; its whole path.
    /// Example: `ca = "/etc/watchkeeper/authority.pem"`. Default: only those of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// How long a mail is tried before it is given up; mails about incidents that are not critical are given up after
    /// 24 h at the latest. Range: 1 minute to 30 days. Default: `"72h"`.
    pub give_up_after: Span,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Begins in the clear, then TLS before anything is said; usually port 587.
    Starttls,
    /// TLS from the first byte; usually port 465.
    Tls,
    /// No protection. Only for a server on this machine or in a network that is trusted.
    Plaintext,
}

impl Default for SmtpConfig {
    fn default() -> Self {
        Self {
            server: String::new(),
            security: None,
            user: None,
            password: None,
            from: String::new(),
            ca: None,
            give_up_after: Span::from_secs(72 * 3_600),
        }
    }
}

const SHORTEST: Span = Span::from_secs(60);
const LONGEST: Span = Span::from_secs(30 * 86_400);

impl Validate for SmtpConfig {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(message) = Server::parse(&self.server) {
            problems.push(Problem::new("server", message).help("write server = \"smtp.example.com:587\""));
        }
        if self.security.is_none() {
            problems.push(
                Problem::new("security", "it is not said how the connection is protected")
                    .help("write security = \"starttls\" (usually port 587), \"tls\" (465) or \"plaintext\""),
            );
        }
        if let Err(message) = address(&self.from) {
            problems.push(Problem::new("from", message).help("write from = \"Watchkeeper <watchkeeper@example.com>\""));
        }
        problems.extend(self.account_problems());
        if self.ca.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            problems.push(Problem::new("ca", "the path of the file is empty"));
        } else if self.ca.as_ref().is_some_and(|path| path.is_relative()) {
            problems.push(
                Problem::new(
                    "ca",
                    "the path of the file is relative, and the watch has no folder of its own to start at",
                )
                .help("write the whole path, such as \"/etc/watchkeeper/authority.pem\""),
            );
        } else if self.ca.is_some() && self.security == Some(Security::Plaintext) {
            problems.push(
                Problem::new("ca", "there is no certificate to check without TLS")
                    .help("remove `ca`, or set security = \"starttls\""),
            );
        }
        if !(SHORTEST..=LONGEST).contains(&self.give_up_after) {
            problems.push(
                Problem::new("give_up_after", "a mail is tried for 1 minute to 30 days")
                    .help("\"72h\" survives a weekend"),
            );
        }
        problems
    }
}

impl SmtpConfig {
    fn account_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match (&self.user, &self.password) {
            (Some(_), None) => problems.push(
                Problem::new("user", "an account without a password")
                    .help("add password = { env = \"SMTP_PASSWORD\" } or password = { file = \"/path\" }"),
            ),
            (None, Some(_)) => {
                problems.push(Problem::new("password", "a password without an account").help("add user = \"NAME\""));
            }
            _ => {}
        }
        if let Some(user) = &self.user {
            if user.is_empty() || user.chars().any(char::is_control) {
                problems.push(Problem::new("user", "the name of the account is empty or has control characters"));
            }
            if self.security == Some(Security::Plaintext) {
                problems.push(
                    Problem::new("user", "a password is never sent without TLS")
                        .help("set security = \"starttls\" or \"tls\", or remove user and password"),
                );
            }
        }
        let empty = match &self.password {
            Some(SecretSource::Env(name)) => name.is_empty(),
            Some(SecretSource::File(path)) => path.as_os_str().is_empty(),
            None => false,
        };
        if empty {
            problems.push(Problem::new("password", "the place of the password is empty"));
        }
        problems
    }
}

/// A recipient of a mail channel as a mailbox.
///
/// # Errors
/// A sentence that says what is wrong.
pub(crate) fn address(written: &str) -> Result<Mailbox, String> {
    if written.trim().is_empty() {
        return Err("the mail address is missing".to_owned());
    }
    // A line break would end the header that the address stands in.
    if written.chars().any(char::is_control) {
        return Err("the mail address has control characters".to_owned());
    }
    written.parse().map_err(|_| format!("`{}` is not a mail address", text::clean(written, 80)))
}

/// A server and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Name or address, without the brackets of an IPv6 address.
    pub(crate) host: String,
    /// Not 0.
    pub(crate) port: u16,
}

impl Server {
    /// Reads `host:port` or `[address]:port`.
    pub(crate) fn parse(written: &str) -> Result<Self, String> {
        if written.is_empty() {
            return Err("the mail server is missing".to_owned());
        }
        // What stands there comes back in a message that is printed.
        let shown = text::clean(written, 80);
        if written.contains("://") {
            return Err(format!("`{shown}` is an URL; a name and a port are expected"));
        }
        let (host, port) = written.rsplit_once(':').ok_or_else(|| format!("`{shown}` has no port"))?;
        let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            Some(inner) => inner.filter(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok()),
            None => Some(host).filter(|host| !host.contains(':')),
        };
        let host =
            host.ok_or_else(|| format!("`{shown}` has an IPv6 address that is not in brackets, as in [::1]:587"))?;
        let plausible = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(plausible) {
            return Err(format!("`{}` cannot be the name of a server", text::clean(host, 80)));
        }
        match port.parse() {
            Ok(port @ 1..) => Ok(Self { host: host.to_owned(), port }),
            _ => Err(format!("`{}` is not a port; it must be a number from 1 to 65535", text::clean(port, 80))),
        }
    }
}
