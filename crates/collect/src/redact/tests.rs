use proptest::prelude::*;

use super::*;

#[test]
fn secrets_are_replaced_and_the_rest_is_kept() {
    for (arguments, expected) in [
        (&["nginx", "-g", "daemon off;"][..], "nginx -g daemon off;"),
        (&[], ""),
        (&["app", "--password", "hunter2", "--port", "80"], "app --password *** --port 80"),
        (&["app", "--password=hunter2", "--port=80"], "app --password=*** --port=80"),
        (&["app", "--db-password=a=b"], "app --db-password=***"),
        (&["app", "-password", "hunter2"], "app -password ***"),
        (&["app", "--api-key", "k", "x"], "app --api-key *** x"),
        (&["app", "--token", "--weird-secret", "x"], "app --token *** ***"),
        (&["app", "--token", "-x", "y"], "app --token *** y"),
        (&["app", "--password"], "app --password"),
        (&["env", "DB_PASSWORD=hunter2", "PATH=/bin", "run"], "env DB_PASSWORD=*** PATH=/bin run"),
        (&["java", "-Ddb.password=hunter2", "-jar", "a.jar"], "java -Ddb.password=*** -jar a.jar"),
        (&["docker", "run", "-e", "TOKEN=abc", "image"], "docker run -e TOKEN=*** image"),
        (&["docker", "run", "--env=TOKEN=abc", "image"], "docker run --env=TOKEN=*** image"),
        (&["docker", "login", "-u", "me", "-p", "abc", "host"], "docker login -u me -p *** host"),
        (&["docker", "login", "--password-stdin", "host"], "docker login --password-stdin host"),
        (&["docker", "run", "-p", "80:80", "image"], "docker run -p 80:80 image"),
        (&["/usr/bin/mysql", "-u", "root", "-phunter2", "db"], "/usr/bin/mysql -u root -p*** db"),
        (&["mysqldump", "-phunter2"], "mysqldump -p***"),
        (&["mysql", "-p", "db"], "mysql -p db"),
        (&["sudo", "mariadb-dump", "-phunter2"], "sudo mariadb-dump -p***"),
        (&["ssh", "-p22", "host"], "ssh -p22 host"),
        (&["sshpass", "-p", "hunter2", "ssh", "h"], "sshpass -p *** ssh h"),
        (&["sshpass", "-phunter2", "ssh", "h"], "sshpass -p*** ssh h"),
        (&["redis-cli", "-a", "hunter2", "ping"], "redis-cli -a *** ping"),
        (&["curl", "-H", "Authorization: Bearer abc", "http://h/"], "curl -H Authorization: *** http://h/"),
        (&["curl", "-H", "Authorization:", "Bearer", "abc", "x"], "curl -H Authorization: *** *** x"),
        (&["curl", "-H", "authorization:Basic", "abc", "x"], "curl -H authorization:*** *** x"),
        (&["curl", "-H", "X-Api-Key: abc def"], "curl -H X-Api-Key: ***"),
        (&["curl", "-u", "me:hunter2", "h"], "curl -u me:*** h"),
        (&["curl", "-d", "{\"password\": \"x\", \"y\": 1}"], "curl -d {\"password\": ***"),
        (&["psql", "postgres://me:hunter2@db:5432/x?sslmode=on"], "psql postgres://me:***@db:5432/x?sslmode=on"),
        (&["psql", "postgres://me:a/b@c@db/x"], "psql postgres://me:***@db/x"),
        (&["git", "clone", "https://ghp_abc@github.com/a/b"], "git clone https://***@github.com/a/b"),
        (&["git", "clone", "https://me:ghp_abc@github.com/a/b"], "git clone https://***@github.com/a/b"),
        (&["git", "clone", "ssh://git@github.com/a/b"], "git clone ssh://git@github.com/a/b"),
        (&["npm", "i", "https://host/pkg@1.0"], "npm i https://host/pkg@1.0"),
        (&["app", "http://host:8080/x"], "app http://host:8080/x"),
        (&["app", "jdbc:mysql://h/db?user=a&password=x&y=1"], "app jdbc:mysql://h/db?user=a&password=***"),
        (&["sh", "-c", "mysql -phunter2 db"], "sh -c mysql -p***"),
        (&["sh", "-c", "run --token abc --x"], "sh -c run --token ***"),
        (&["sh", "-c", "export PASSWORD='a b c'; run"], "sh -c export PASSWORD=***"),
        (&["sh", "-c", "echo  two   blanks"], "sh -c echo  two   blanks"),
        (&["x", "password = hunter2 y"], "x password = ***"),
        (&["x", "password =hunter2 y"], "x password =***"),
        (&["openssl", "rsa", "-passin", "pass:hunter2"], "openssl rsa -passin ***"),
        (&["net", "use", "/password:hunter2"], "net use /password:***"),
        (&["app.exe", "/password", "hunter2", "/v"], "app.exe /password *** /v"),
        (&["nginx", "/etc/ssl/private.key", "x"], "nginx /etc/ssl/private.key x"),
        (&["C:\\MySQL\\bin\\MySQL.exe", "-phunter2"], "C:\\MySQL\\bin\\MySQL.exe -p***"),
        (&["schtasks", "/create", "/ru", "me", "/rp", "hunter2"], "schtasks /create /ru me /rp ***"),
        (&["sqlcmd.exe", "-U", "sa", "-P", "hunter2", "-Q", "x"], "sqlcmd.exe -U sa -P *** -Q x"),
        (&["sshd: root@pts/0"], "sshd: root@pts/0"),
    ] {
        assert_eq!(command_line(arguments), expected, "{arguments:?}");
    }
}

#[test]
fn an_address_that_was_cut_shows_no_password() {
    assert_eq!(cut_command_line(&["psql", "postgres://me:hunt"]), "psql postgres://me:***");
    assert_eq!(cut_command_line(&["psql", "postgres://me:hunt", "x"]), "psql postgres://me:hunt x");
}

#[test]
fn a_long_command_line_is_cut_between_characters() {
    for arguments in [vec!["é"; 3_000], vec!["a"; 20_000]] {
        let text = command_line(&arguments);
        assert!((LIMIT_BYTES - 4..=LIMIT_BYTES).contains(&text.len()), "{}", text.len());
    }
    let long = "é".repeat(50_000);
    assert!(command_line(&["x", &long]).len() <= LIMIT_BYTES);
}

/// A secret with a beginning that nothing else has.
fn secret() -> impl Strategy<Value = String> {
    "ZQX[!-~]{4,30}"
}

/// Arguments without secrets, also such as surround them in reality.
fn innocent() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(
        "[a-z/.-]{0,12}|--[a-z-]{1,10}(=[a-z:/]{0,8})?|(mysql|curl|sh|-c|-u|--no-password|Bearer|--token)",
        0..6,
    )
}

/// The ways in which a secret stands in a command line.
fn planted() -> impl Strategy<Value = (String, Vec<String>)> {
    let name = prop::sample::select(vec![
        "password",
        "db-password",
        "DB_PASSWORD",
        "token",
        "auth-token",
        "client-secret",
        "api-key",
        "apiKey",
        "KEY",
        "passphrase",
    ]);
    let dashes = prop::sample::select(vec!["-", "--"]);
    (secret(), name, dashes, 0_usize..14).prop_map(|(secret, name, dashes, way)| {
        let arguments = match way {
            0 => vec![format!("{dashes}{name}"), secret.clone()],
            1 => vec![format!("{dashes}{name}={secret}")],
            2 => vec![format!("{name}={secret}")],
            3 => vec![format!("{dashes}D{name}={secret}")],
            4 => vec!["mysql".to_owned(), format!("-p{secret}")],
            5 => vec!["-H".to_owned(), format!("Authorization: Bearer {secret}")],
            6 => vec![format!("Authorization: {secret}")],
            7 => vec!["Authorization:".to_owned(), "Bearer".to_owned(), secret.clone()],
            8 => vec![format!("postgres://user:{secret}@host/db")],
            9 => vec![format!("https://{secret}@host/db")],
            10 => vec![format!("sh -c 'x; {dashes}{name} {secret}'")],
            11 => vec![format!("export {name}=\"{secret} {secret}\"; run")],
            12 => vec![format!("{{\"{name}\":\"{secret}\"}}")],
            _ => vec![format!("{dashes}{name}"), format!("{secret} {secret}")],
        };
        (secret, arguments)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_planted_secret_never_survives(before in innocent(), (secret, planted) in planted(), after in innocent()) {
        // A path in front of the secret part would be HTTP's own way to hold an `@`; such an address has no credentials.
        prop_assume!(!(planted[0].starts_with("https://ZQX") && secret.contains(['/', '?', '#'])));
        let arguments: Vec<&str> = before.iter().chain(&planted).chain(&after).map(String::as_str).collect();
        let text = command_line(&arguments);
        prop_assert!(!text.contains("ZQX"), "{:?} shows {:?} as {:?}", arguments, secret, text);
    }

    #[test]
    fn any_arguments_are_answered_within_the_limit(arguments in prop::collection::vec("\\PC{0,40}", 0..8), cut in any::<bool>()) {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let text = if cut { cut_command_line(&arguments) } else { command_line(&arguments) };
        prop_assert!(text.len() <= LIMIT_BYTES);
    }

    #[test]
    fn nothing_is_lost_where_there_is_no_secret(arguments in prop::collection::vec("[b-h]{1,6}", 0..8)) {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        prop_assert_eq!(command_line(&arguments), arguments.join(" "));
    }
}
