//! Command lines without secrets.
//!
//! Replaced by [`MARK`] are the values of options and variables whose names are secret-like (`--password VALUE`,
//! `--api-key=VALUE`, `DB_PASSWORD=VALUE`, `X-Auth-Token: VALUE`, `"token": VALUE`), `Authorization` headers, passwords in
//! addresses (`scheme://user:VALUE@host`), and the short options by which well-known programs take a password
//! (`mysql -pVALUE`). In doubt more is replaced than necessary: inside an argument that holds several words, such as the
//! text of `sh -c`, everything after a secret's beginning goes, because nobody knows where its quotes end.

mod name;

use self::name::{is_secret_name, last_name, takes_no_value};

/// Longest stored command line in bytes.
pub(crate) const LIMIT_BYTES: usize = 4_096;

/// What stands in the place of a secret.
pub(crate) const MARK: &str = "***";

/// The command line with secrets replaced and arguments joined by blanks, at most [`LIMIT_BYTES`] long.
pub(crate) fn command_line(arguments: &[&str]) -> String {
    Redactor::default().run(arguments, false)
}

/// The same for a command line whose end was not read: a secret may be cut in the last argument.
pub(crate) fn cut_command_line(arguments: &[&str]) -> String {
    Redactor::default().run(arguments, true)
}

/// Programs that take a password in a short option: names, the option, and whether its value may also be the next
/// argument.
const SHORT_OPTIONS: [(&[&str], &str, bool); 11] = [
    (&["mysql", "mariadb"], "-p", false),
    (&["sshpass", "mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"], "-p", true),
    (&["7z", "7za", "7zr", "7zz", "rar", "unrar"], "-p", false),
    (&["redis-cli"], "-a", true),
    (&["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldappasswd", "ldapwhoami"], "-w", true),
    (&["zip", "unzip", "mosquitto_pub", "mosquitto_sub"], "-P", true),
    (&["psexec", "psexec64"], "-p", true),
    (&["sqlcmd", "osql", "bcp"], "-P", true),
    (&["schtasks"], "/rp", true),
    (&["schtasks"], "/RP", true),
    // `docker login`, `az login` and the like.
    (&["login"], "-p", true),
];

/// Words between an `Authorization:` header's name and its secret.
const SCHEMES: [&str; 6] = ["bearer", "basic", "digest", "token", "negotiate", "apikey"];

/// What the word before says about the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expect {
    #[default]
    Nothing,
    /// It is a secret.
    Secret,
    /// It is a secret if it begins with `=` or `:`, or is just that: `password = VALUE`.
    Assignment,
    /// Behind the colon in it is a secret: `-u user:VALUE`.
    UserAndSecret,
}

#[derive(Debug, Default)]
struct Redactor {
    expect: Expect,
    /// Short options that hold a password for the programs named so far.
    short: Vec<(&'static str, bool)>,
    text: String,
}

impl Redactor {
    fn run(mut self, arguments: &[&str], cut: bool) -> String {
        for (index, argument) in arguments.iter().enumerate() {
            if self.text.len() > LIMIT_BYTES {
                break;
            }
            if index > 0 {
                self.text.push(' ');
            }
            self.argument(argument, cut && index + 1 == arguments.len());
        }
        limit(&mut self.text);
        self.text
    }

    fn argument(&mut self, argument: &str, cut: bool) {
        if self.expect == Expect::Secret {
            // Whatever its words are, all of it is the secret.
            self.secret(argument);
            return;
        }
        let mut rest = argument;
        loop {
            let blank = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
            self.text.push_str(&rest[..blank]);
            rest = &rest[blank..];
            if rest.is_empty() {
                return;
            }
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if self.word(word, cut && after.is_empty()) == Found::Secret && !after.is_empty() {
                return;
            }
            if self.expect == Expect::Secret && !after.is_empty() {
                let secret = after.trim_start();
                self.text.push_str(&after[..after.len() - secret.len()]);
                self.secret(secret);
                return;
            }
            rest = after;
        }
    }

    /// Replaces a secret that a word before announced. That word may have taken no value after all, so what was
    /// replaced still counts: `--some-token-switch --key VALUE`.
    fn secret(&mut self, secret: &str) {
        self.text.push_str(MARK);
        self.remember_program(secret);
        let is_scheme = SCHEMES.contains(&secret.to_ascii_lowercase().as_str());
        let is_name = assigned_secret(secret) == Some(secret.len());
        let is_option = self.short_option(secret) == Some(secret);
        self.expect = if is_scheme || is_name || is_option { Expect::Secret } else { expectation(secret) };
    }

    fn word(&mut self, word: &str, cut: bool) -> Found {
        let expect = std::mem::take(&mut self.expect);
        if expect == Expect::Assignment && word.starts_with(['=', ':']) {
            self.text.push_str(&word[..1]);
            if word.len() == 1 {
                self.expect = Expect::Secret;
                return Found::Nothing;
            }
            self.text.push_str(MARK);
            return Found::Secret;
        }
        let word = hide_address_secret(word, cut);
        if let Some(option) = self.short_option(&word) {
            self.text.push_str(option);
            if word.len() > option.len() {
                self.text.push_str(MARK);
                // `-password VALUE` for a program that also takes `-pVALUE`.
                self.expect = expectation(&word);
                return Found::Secret;
            }
            self.expect = Expect::Secret;
            return Found::Nothing;
        }
        let behind_user = word.find(':').filter(|_| expect == Expect::UserAndSecret).map(|colon| colon + 1);
        // Whichever begins first covers the other.
        if let Some(value) = assigned_secret(&word).into_iter().chain(behind_user).min() {
            self.text.push_str(&word[..value]);
            if value == word.len() {
                self.expect = Expect::Secret;
                return Found::Nothing;
            }
            // `Authorization:Bearer VALUE`
            if SCHEMES.contains(&word[value..].to_ascii_lowercase().as_str()) {
                self.expect = Expect::Secret;
            }
            self.text.push_str(MARK);
            return Found::Secret;
        }
        self.remember_program(&word);
        self.text.push_str(&word);
        self.expect = expectation(&word);
        Found::Nothing
    }

    /// The short option at the beginning of a word, if it takes a password for a program that was named before.
    fn short_option(&self, word: &str) -> Option<&'static str> {
        let (option, _) = self
            .short
            .iter()
            .find(|(option, separate)| word.starts_with(option) && (word.len() > option.len() || *separate))?;
        Some(option)
    }

    fn remember_program(&mut self, word: &str) {
        let name = word.rsplit(['/', '\\']).next().unwrap_or(word).to_ascii_lowercase();
        let name = name.strip_suffix(".exe").unwrap_or(&name);
        // `mysqldump`, `mysqladmin`, `mariadb-dump`: all of a family.
        let family =
            |names: &[&str]| names.iter().any(|known| name == *known || (known.len() > 4 && name.starts_with(known)));
        for (names, option, separate) in SHORT_OPTIONS {
            if family(names) && !self.short.contains(&(option, separate)) {
                self.short.push((option, separate));
            }
        }
    }
}

/// Whether a word held a secret, so that the rest of its argument goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Secret,
    Nothing,
}

/// What a word that holds no secret itself says about the next one.
fn expectation(word: &str) -> Expect {
    let bare = word.trim_matches(['"', '\'']);
    if announces(bare) || bare.eq_ignore_ascii_case("bearer") {
        Expect::Secret
    } else if matches!(bare, "-u" | "-U" | "--user" | "--proxy-user") {
        Expect::UserAndSecret
    } else if last_name(bare).is_some_and(is_secret_name) {
        Expect::Assignment
    } else {
        Expect::Nothing
    }
}

/// An option whose value is the next argument and a secret.
fn announces(word: &str) -> bool {
    // On Windows options begin with a slash; a path has more of them, or a dot.
    let is_option = match word.strip_prefix('/') {
        Some(name) => !name.contains(['/', '.', '=', ':']),
        None => word.starts_with('-') && !word.contains(['=', ':']),
    };
    is_option && is_secret_name(word.trim_start_matches(['-', '/'])) && !takes_no_value(word)
}

/// Where the secret begins that a word assigns to a secret-like name, by `=` or `:`.
fn assigned_secret(word: &str) -> Option<usize> {
    word.match_indices(['=', ':'])
        .find(|(at, _)| {
            last_name(word[..*at].trim_end_matches(['"', '\'', '\\', ']', ')'])).is_some_and(is_secret_name)
        })
        .map(|(at, mark)| at + mark.len())
}

/// Replaces the password in `scheme://user:password@host`; over HTTP also a user without password, which is a token.
/// In a word that was cut, what follows `user:` may be the beginning of a password.
fn hide_address_secret(word: &str, cut: bool) -> std::borrow::Cow<'_, str> {
    let Some(start) = word.find("://").map(|at| at + 3) else {
        return word.into();
    };
    let (before, address) = word.split_at(start);
    let scheme = before[..start - 3].to_ascii_lowercase();
    let is_http = scheme.ends_with("http") || scheme.ends_with("https");
    // A password may hold `/` and `@` although it should not: the last `@` ends it.
    let Some(end) = address.rfind('@') else {
        return match address.find(':') {
            Some(colon) if cut => format!("{before}{}:{MARK}", &address[..colon]).into(),
            _ => word.into(),
        };
    };
    let (credentials, host) = address.split_at(end);
    let path = credentials.find(['/', '?', '#']).unwrap_or(credentials.len());
    match credentials.find(':') {
        // Over HTTP the user may be the token and the password a filler.
        Some(_) if is_http => format!("{before}{MARK}{host}").into(),
        Some(colon) => format!("{before}{}:{MARK}{host}", &credentials[..colon]).into(),
        None if is_http && path == credentials.len() => format!("{before}{MARK}{host}").into(),
        None => word.into(),
    }
}

/// Cuts at the limit, between characters.
fn limit(text: &mut String) {
    if text.len() > LIMIT_BYTES {
        text.truncate(text.floor_char_boundary(LIMIT_BYTES));
    }
}

#[cfg(test)]
mod tests;
