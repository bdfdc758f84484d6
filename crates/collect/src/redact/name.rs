//! Names that announce a secret.

/// A name with one of these in it is secret-like, whatever stands around them.
const PARTS: [&str; 9] =
    ["password", "passwd", "passphrase", "passcode", "secret", "token", "credential", "apikey", "privatekey"];

/// A name that ends with one of these is secret-like: `PGPASS`, `requirepass`, `masterauth`, `sshkey`.
const ENDS: [&str; 5] = ["pass", "pwd", "auth", "key", "keys"];

/// A name with one of these as a whole word is secret-like: `key-file`, `DB_PW`, `auth.header`.
const WORDS: [&str; 24] = [
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "cred",
    "creds",
    "jwt",
    "key",
    "keys",
    "otp",
    "pass",
    "passin",
    "passout",
    "pin",
    "psk",
    "pw",
    "pwd",
    "sas",
    "sig",
    "signature",
    "pwds",
    "passwds",
    "cookies",
    "totp",
];

/// Whether a name of an option, variable, header or field announces a secret. The name is taken as it is written:
/// `api-key`, `API_KEY`, `apiKey` and `Dapp.apiKey` are one.
pub(super) fn is_secret_name(name: &str) -> bool {
    let joined: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    if joined.is_empty() {
        return false;
    }
    if PARTS.iter().any(|part| joined.contains(part)) || ENDS.iter().any(|end| joined.ends_with(end)) {
        return true;
    }
    words(name).any(|word| WORDS.contains(&word.as_str()))
}

/// Options that are about secrets and take no value: `--password-stdin`, `--no-password`.
pub(super) fn takes_no_value(option: &str) -> bool {
    let name = option.trim_start_matches('-');
    name.starts_with("no-") || name.ends_with("-stdin")
}

/// The name at the end of a text: letters, digits and what joins them.
pub(super) fn last_name(text: &str) -> Option<&str> {
    let is_joined = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = text.char_indices().rev().take_while(|(_, c)| is_joined(*c)).last()?.0;
    Some(&text[start..])
}

/// The words of a name, lower case: split where letters and digits end and where a capital follows a small letter.
fn words(name: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = name;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let mut previous_small = false;
        let end = rest.char_indices().find(|(_, c)| {
            let ends = !c.is_ascii_alphanumeric() || (previous_small && c.is_ascii_uppercase());
            previous_small = c.is_ascii_lowercase() || c.is_ascii_digit();
            ends
        });
        let (word, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        rest = after;
        (!word.is_empty()).then(|| word.to_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_their_words() {
        for name in [
            "password",
            "PASSWORD",
            "db-password",
            "PGPASSWORD",
            "MYSQL_PWD",
            "passwd",
            "passphrase",
            "token",
            "GITHUB_TOKEN",
            "authToken",
            "secret",
            "AWS_SECRET_ACCESS_KEY",
            "client_secret",
            "api-key",
            "apiKey",
            "API_KEY",
            "Dapp.apiKey",
            "key",
            "private-key",
            "X-Api-Key",
            "auth",
            "Authorization",
            "requirepass",
            "masterauth",
            "pw",
            "pin",
            "sig",
            "cookie",
            "passin",
            "storepass",
            "accessKeyId",
            "ssh_key",
            "DBPASS",
            "credentials",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "",
            "-",
            "user",
            "author",
            "keyboard",
            "keyring-name",
            "path",
            "passive",
            "host",
            "pint",
            "signal",
            "config",
            "port",
            "compass-dir",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn the_last_name_of_a_text_is_found() {
        for (text, name) in [
            ("password", Some("password")),
            ("?user=a&password", Some("password")),
            ("{\"api-key", Some("api-key")),
            ("a b", Some("b")),
            ("é", None),
            ("x/", None),
            ("", None),
        ] {
            assert_eq!(last_name(text), name, "{text}");
        }
    }
}
