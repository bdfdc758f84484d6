//! The `[[check]]` tables: what is tried again and again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::Problem;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::{clean, is_active};

use super::target::Target;

/// The most checks of one machine; each has a thread.
const MOST: usize = 64;
/// Longest name of a check in characters.
const LONGEST_NAME: usize = 64;
/// Longest text that an answer must hold, in bytes.
const LONGEST_TEXT: usize = 1_000;
const SHORTEST_INTERVAL: Span = Span::from_secs(1);
const LONGEST_INTERVAL: Span = Span::from_secs(86_400);
const SHORTEST_TIMEOUT: Span = Span::from_ms(100);

/// A port or an URL that is tried again and again, the table `[[check]]`. What comes of it are the fields `check.up`,
/// `check.duration` and `check.http.status`, which rules with `each = "check"` look at. A check only ever contacts the address
/// that stands here: redirects are not followed, proxies are not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckConfig {
    /// Name of the check in incidents, rules and the log; each has its own. Required. Example: `name = "database"`.
    pub name: String,
    /// Name or address and port of a TCP server: the check succeeds when it takes the connection, which is closed again at
    /// once. Either this or `http`. Example: `tcp = "127.0.0.1:5432"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<String>,
    /// URL that is asked for with GET; `https` checks the certificate. User and password are refused in it, and what follows
    /// a `?` is not shown in incidents and the log. Either this or `tcp`. Example: `http = "https://example.com/health"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// Time between two tries, from `"1s"` to `"1d"`. Default: `"30s"`. Example: `interval = "10s"`.
    pub interval: Span,
    /// How long a try may take in all, looking up the name included, from `"100ms"` up to `interval`. What takes longer has
    /// failed. Default: `"5s"`. Example: `timeout = "2s"`.
    pub timeout: Span,
    /// Which statuses of an HTTP answer are good. Default: all from 200 to 399, so a redirect is, which is not followed. Example: `status = [200, 204]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(range(min = 100, max = 599)))]
    pub status: Vec<u16>,
    /// Text that the first MiB of an HTTP answer must hold, as it is written. Default: the body is not read. Example:
    /// `contains = "\"status\":\"ok\""`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A PEM file with the certificate of an own authority, trusted beside those of this machine; its whole path.
    /// Default: only those of this machine. Example: `ca = "/etc/watchkeeper/authority.pem"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

impl Default for CheckConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            tcp: None,
            http: None,
            interval: Span::from_secs(30),
            timeout: Span::from_secs(5),
            status: Vec::new(),
            contains: None,
            ca: None,
        }
    }
}

/// Everything that is wrong with the checks, at `N.key`.
pub fn validate_checks(checks: &[CheckConfig]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut first_with: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, check) in checks.iter().enumerate() {
        let first = *first_with.entry(check.name.as_str()).or_insert(index);
        if first != index && !check.name.is_empty() {
            let message = format!("the name `{}` is used twice", clean(&check.name, LONGEST_NAME));
            let problem = Problem::new(format!("{index}.name"), message).first(format!("{first}.name"));
            problems.push(problem.help("give each check a name of its own"));
        }
        problems.extend(check.problems().into_iter().map(|problem| problem.under(&index.to_string())));
    }
    if checks.len() > MOST {
        let message = format!("{} checks are more than the {MOST} that one machine may have", checks.len());
        problems.push(Problem::new(MOST.to_string(), message).help("let another machine do some of them"));
    }
    problems
}

impl CheckConfig {
    /// What is tried.
    ///
    /// # Errors
    /// What is wrong with it, at `tcp` or `http`.
    pub(super) fn target(&self) -> Result<Target, Problem> {
        match (&self.tcp, &self.http) {
            (Some(tcp), None) => Target::tcp(tcp).map_err(|problem| problem.under("tcp")),
            (None, Some(url)) => Target::http(url).map_err(|problem| problem.under("http")),
            (None, None) => Err(Problem::new("", "it is not said what is checked")
                .help("write tcp = \"127.0.0.1:5432\" or http = \"https://example.com/health\"")),
            (Some(_), Some(_)) => Err(Problem::new("http", "a check has either `tcp` or `http`, not both")
                .help("make two checks of it, each with its own name")),
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = self.name_problems();
        let target = self.target();
        let (is_tcp, is_plain) = match &target {
            Ok(target) => (matches!(target, Target::Tcp(_)), target.is_plain()),
            Err(_) => (self.http.is_none() && self.tcp.is_some(), false),
        };
        problems.extend(target.err());
        if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&self.interval) {
            problems.push(
                Problem::new("interval", format!("{} is no time between two tries", self.interval))
                    .help("write a value from \"1s\" to \"1d\"; the default is \"30s\""),
            );
        } else if self.timeout > self.interval {
            let message = format!("a try of {} does not fit into an interval of {}", self.timeout, self.interval);
            let help = format!("write \"{}\" or less, or set a longer `interval`", self.interval);
            problems.push(Problem::new("timeout", message).help(help));
        }
        if self.timeout < SHORTEST_TIMEOUT {
            problems.push(
                Problem::new("timeout", format!("{} is too short for a try", self.timeout))
                    .help("write \"100ms\" or more; the default is \"5s\""),
            );
        }
        for (index, status) in self.status.iter().enumerate().filter(|(_, status)| !(100..=599).contains(*status)) {
            let message = format!("{status} is no status of an HTTP answer");
            problems.push(Problem::new(format!("status.{index}"), message).help("write numbers from 100 to 599"));
        }
        let body = self.contains.as_ref();
        if body.is_some_and(|text| text.is_empty() || text.len() > LONGEST_TEXT) {
            let message = format!("a text of 1 to {LONGEST_TEXT} bytes is looked for");
            problems.push(Problem::new("contains", message).help("leave it out if any answer is good"));
        }
        let only_http = [("status", !self.status.is_empty()), ("contains", body.is_some())];
        for (key, _) in only_http.into_iter().filter(|(_, is_set)| is_tcp && *is_set) {
            problems.push(
                Problem::new(key, "a TCP connection has no answer to look at").help("leave it out, or write `http`"),
            );
        }
        problems.extend(self.ca_problem(is_tcp || is_plain));
        problems
    }

    fn name_problems(&self) -> Vec<Problem> {
        let problem = if self.name.trim().is_empty() {
            Problem::new("name", "the check has no name")
        } else if self.name.chars().any(is_active) || self.name.trim() != self.name {
            Problem::new("name", "the name has control characters in it, or blanks around it")
        } else if self.name.chars().count() > LONGEST_NAME {
            Problem::new("name", format!("the name is longer than {LONGEST_NAME} characters"))
        } else {
            return Vec::new();
        };
        vec![problem.help("write a short name, such as \"database\"")]
    }

    fn ca_problem(&self, is_plain: bool) -> Option<Problem> {
        let path = self.ca.as_ref()?;
        if path.as_os_str().is_empty() {
            Some(Problem::new("ca", "the path of the file is empty"))
        } else if path.is_relative() {
            let message = "the path of the file is relative, and the watch has no folder of its own to start at";
            Some(Problem::new("ca", message).help("write the whole path, such as \"/etc/watchkeeper/authority.pem\""))
        } else {
            let message = "there is no certificate to check without https";
            is_plain.then(|| Problem::new("ca", message).help("remove `ca`, or write `http = \"https://...\"`"))
        }
    }
}
