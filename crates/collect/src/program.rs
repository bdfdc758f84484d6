//! What people mean by "this process over time": the program.
//!
//! `[container or *.service] / executable file name`, then the script of an interpreter or the jar or main class of
//! java: `cron.service/bash cleanup.sh`, `docker:0123456789ab/nginx`, `python3 backup.py`, `rustc`. User sessions,
//! scopes and slices do not count. On Windows a name is small letters, however the file was called this time, and keeps
//! its `.exe`: `python.exe backup.py`. Baselines hang on this; raise `PROGRAM_VERSION` in the core when it changes.

/// What is known of a process when it is named.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts<'a> {
    /// The kernel's name.
    pub(crate) name: &'a str,
    /// Path of the executable.
    pub(crate) executable: Option<&'a str>,
    /// The command line, argument by argument, the program itself first; not redacted, never stored.
    pub(crate) arguments: &'a [&'a str],
    /// The systemd unit it runs in.
    pub(crate) unit: Option<&'a str>,
    /// The container it runs in.
    pub(crate) container: Option<&'a str>,
}

/// Longest script or class in a program's name, in characters.
const SCRIPT_CHARACTERS: usize = 100;

/// The kernel cuts names to this many bytes.
const KERNEL_NAME_BYTES: usize = 15;

/// How a system names files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// Folders end at `/`.
    Unix,
    /// Folders end at `\` or `/`, names differ by more than case, programs end with `.exe`.
    Windows,
}

const NAMING: Naming = if cfg!(windows) { Naming::Windows } else { Naming::Unix };

/// The program that a process counts as; never empty.
pub(crate) fn program(facts: &Facts<'_>) -> String {
    program_as(NAMING, facts)
}

fn program_as(naming: Naming, facts: &Facts<'_>) -> String {
    let file = file_name(naming, facts);
    let file = if naming == Naming::Windows { file.to_lowercase() } else { file.to_owned() };
    let script = script(naming, &file, facts.arguments.get(1..).unwrap_or_default());
    let home = facts.container.or_else(|| facts.unit.filter(|unit| unit.ends_with(".service")));
    let mut program = String::new();
    if let Some(home) = home {
        program.push_str(home);
        program.push('/');
    }
    program.push_str(&file);
    if let Some(script) = script {
        program.push(' ');
        program.extend(script.chars().take(SCRIPT_CHARACTERS));
    }
    program
}

/// The file name of the executable. Where the kernel does not show the executable, the name of the process, which the
/// command line may complete where it was cut.
fn file_name<'a>(naming: Naming, facts: &Facts<'a>) -> &'a str {
    let last_part = |path: &'a str| last_part(naming, path);
    if let Some(name) = facts.executable.map(last_part).filter(|name| !name.is_empty()) {
        return name;
    }
    match facts.arguments.first().map(|first| last_part(first)) {
        Some(whole) if facts.name.len() >= KERNEL_NAME_BYTES && whole.starts_with(facts.name) => whole,
        Some(_) if !facts.name.is_empty() => facts.name,
        Some(whole) if !whole.is_empty() => whole,
        // A thread of the kernel: `kworker/0:1` and `kworker/1:2` are one program.
        None if !facts.name.is_empty() => {
            facts.name.split('/').next().filter(|name| !name.is_empty()).unwrap_or(facts.name)
        }
        _ => "unknown",
    }
}

fn last_part(naming: Naming, path: &str) -> &str {
    let ends: &[char] = if naming == Naming::Windows { &['/', '\\'] } else { &['/'] };
    path.trim_end_matches(ends).rsplit(ends).next().unwrap_or(path)
}

/// How an interpreter is told what to run.
struct Interpreter {
    /// Names without version, e.g. `python` for `python3.12`.
    names: &'static [&'static str],
    /// Options whose value is the next argument and says nothing about the program.
    with_value: &'static [&'static str],
    /// Options whose value is the program's text: there is no script.
    inline: &'static [&'static str],
    /// Options whose value names a module to run.
    module: &'static [&'static str],
}

const INTERPRETERS: [Interpreter; 6] = [
    Interpreter { names: &["python", "pythonw", "pypy"], with_value: &["-W", "-X"], inline: &["-c"], module: &["-m"] },
    Interpreter {
        names: &["node", "nodejs"],
        with_value: &["-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"],
        inline: &["-e", "--eval", "-p", "--print"],
        module: &[],
    },
    Interpreter {
        names: &["sh", "bash", "dash"],
        with_value: &["-o", "+o", "-O", "+O", "--rcfile", "--init-file"],
        inline: &["-c", "-s"],
        module: &[],
    },
    Interpreter { names: &["perl"], with_value: &["-I"], inline: &["-e", "-E"], module: &[] },
    Interpreter { names: &["ruby"], with_value: &["-I", "-r", "-C", "-E"], inline: &["-e"], module: &[] },
    Interpreter {
        names: &["java", "javaw"],
        with_value: &[
            "-cp",
            "-classpath",
            "--class-path",
            "-p",
            "--module-path",
            "--upgrade-module-path",
            "--add-modules",
            "--add-exports",
            "--add-opens",
            "--add-reads",
            "--limit-modules",
            "--patch-module",
        ],
        inline: &[],
        module: &["-m", "--module", "-jar"],
    },
];

/// The script, module, jar or main class that an interpreter runs; `arguments` without the interpreter itself.
fn script<'a>(naming: Naming, file: &str, arguments: &[&'a str]) -> Option<&'a str> {
    let last_part = |path: &'a str| last_part(naming, path);
    let stem = if naming == Naming::Windows { file.strip_suffix(".exe").unwrap_or(file) } else { file };
    let stem = stem.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    let interpreter = INTERPRETERS.iter().find(|interpreter| interpreter.names.contains(&stem))?;
    let is_shell = interpreter.names.contains(&"sh");
    let mut arguments = arguments.iter().copied();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            return arguments.next().map(last_part).filter(|script| !script.is_empty());
        }
        let is_option = argument.starts_with('-') || (is_shell && argument.starts_with('+'));
        if !is_option {
            return Some(last_part(argument)).filter(|script| !script.is_empty());
        }
        if argument == "-" || interpreter.inline.contains(&argument) || (is_shell && bundles_inline(argument)) {
            return None;
        }
        if interpreter.module.contains(&argument) {
            return arguments.next().map(last_part).filter(|module| !module.is_empty());
        }
        if interpreter.with_value.contains(&argument) || (is_shell && bundles_option_name(argument)) {
            arguments.next();
        }
    }
    None
}

/// A shell's `-lc` and the like: several letters in one, with the text of the program in the next argument.
fn bundles_inline(argument: &str) -> bool {
    argument.strip_prefix('-').is_some_and(|letters| !letters.starts_with('-') && letters.contains(['c', 's']))
}

/// A shell's `-euo`: the name of an option, such as `pipefail`, is the next argument.
fn bundles_option_name(argument: &str) -> bool {
    argument.strip_prefix('-').is_some_and(|letters| !letters.starts_with('-') && letters.ends_with(['o', 'O']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn programs_are_what_people_mean() {
        for (executable, command, expected) in [
            ("/usr/sbin/nginx", "nginx: worker process", "nginx"),
            ("/usr/bin/python3.12", "python3 /opt/jobs/backup.py --all", "python3.12 backup.py"),
            ("/usr/bin/python3.12", "python3 -u -W ignore backup.py", "python3.12 backup.py"),
            ("/usr/bin/python3.12", "python3 -m http.server 8000", "python3.12 http.server"),
            ("/usr/bin/python3.12", "python3 -c import-time", "python3.12"),
            ("/usr/bin/python3.12", "python3 -", "python3.12"),
            ("/usr/bin/python3.12", "python3", "python3.12"),
            ("/usr/bin/pypy3", "pypy3 x.py", "pypy3 x.py"),
            ("/usr/bin/node", "node --max-old-space-size=4096 -r dotenv/config dist/server.js", "node server.js"),
            ("/usr/bin/node", "node -e process.exit()", "node"),
            ("/usr/bin/bash", "/bin/bash /usr/local/bin/cleanup.sh 3", "bash cleanup.sh"),
            ("/usr/bin/bash", "bash -euo pipefail deploy.sh", "bash deploy.sh"),
            ("/usr/bin/bash", "bash -o pipefail deploy.sh", "bash deploy.sh"),
            ("/usr/bin/bash", "bash -c sleep", "bash"),
            ("/usr/bin/bash", "bash -lc sleep", "bash"),
            ("/usr/bin/bash", "-bash", "bash"),
            ("/usr/bin/dash", "/bin/sh -x /etc/cron.daily/logrotate", "dash logrotate"),
            ("/usr/bin/perl", "perl -w -I lib bin/report.pl", "perl report.pl"),
            ("/usr/bin/perl5.36.0", "perl -e print", "perl5.36.0"),
            ("/usr/bin/ruby3.1", "ruby -- /srv/app/worker.rb", "ruby3.1 worker.rb"),
            ("/usr/lib/jvm/17/bin/java", "java -Xmx1g -jar /opt/app/app.jar --port 80", "java app.jar"),
            ("/usr/lib/jvm/17/bin/java", "java -cp /a:/b -Dx=y org.example.Main arg", "java org.example.Main"),
            ("/usr/lib/jvm/17/bin/java", "java --module-path m -m app/org.example.Main", "java org.example.Main"),
            ("/usr/bin/pythonic", "pythonic x.py", "pythonic"),
            ("/usr/bin/vim", "vim backup.py", "vim"),
        ] {
            let arguments: Vec<&str> = command.split(' ').collect();
            let facts = Facts { executable: Some(executable), arguments: &arguments, ..Facts::default() };
            assert_eq!(program(&facts), expected, "{command}");
        }
    }

    #[test]
    fn programs_of_windows_are_told_apart_by_more_than_case() {
        for (executable, arguments, expected) in [
            (r"C:\Program Files\nginx\nginx.exe", &["nginx.exe"][..], "nginx.exe"),
            (r"C:\WINDOWS\System32\SvcHost.EXE", &["svchost.exe", "-k", "x"], "svchost.exe"),
            (r"C:\Python312\python.exe", &["python", r"D:\jobs\Backup.py", "--all"], "python.exe Backup.py"),
            (r"C:\Python312\pythonw.exe", &["pythonw", "-m", "http.server"], "pythonw.exe http.server"),
            (r"C:\jdk\bin\javaw.exe", &["javaw", "-jar", r"C:\app\App.jar"], "javaw.exe App.jar"),
            (r"\\server\share\tool.exe", &[], "tool.exe"),
        ] {
            let facts = Facts { name: "x", executable: Some(executable), arguments, ..Facts::default() };
            assert_eq!(program_as(Naming::Windows, &facts), expected);
        }
        let closed = Facts { name: "MsMpEng.exe", ..Facts::default() };
        assert_eq!(program_as(Naming::Windows, &closed), "msmpeng.exe");
        // Elsewhere a file may be called so.
        let odd = Facts { executable: Some(r"/opt/a\b.exe"), ..Facts::default() };
        assert_eq!(program_as(Naming::Unix, &odd), r"a\b.exe");
    }

    #[test]
    fn services_and_containers_are_part_of_the_name() {
        for (unit, container, expected) in [
            (Some("cron.service"), None, "cron.service/nginx"),
            (Some("session-3.scope"), None, "nginx"),
            (Some("user.slice"), None, "nginx"),
            (None, Some("docker:0123456789ab"), "docker:0123456789ab/nginx"),
            (Some("docker.service"), Some("docker:0123456789ab"), "docker:0123456789ab/nginx"),
        ] {
            let facts = Facts { name: "nginx", executable: Some("/usr/sbin/nginx"), unit, container, arguments: &[] };
            assert_eq!(program(&facts), expected);
        }
    }

    #[test]
    fn without_the_executable_the_kernels_name_is_taken() {
        for (name, arguments, expected) in [
            ("nginx", &["nginx: master process /usr/sbin/nginx"][..], "nginx"),
            ("systemd-journal", &["/lib/systemd/systemd-journald"], "systemd-journald"),
            ("systemd-journal", &["[other]"], "systemd-journal"),
            ("python3", &["python3", "/opt/backup.py"], "python3 backup.py"),
            ("kworker/0:1", &[], "kworker"),
            ("ksoftirqd/1", &[], "ksoftirqd"),
            ("kthreadd", &[], "kthreadd"),
            ("/odd", &[], "/odd"),
            ("", &["/usr/bin/quiet"], "quiet"),
            ("", &[""], "unknown"),
            ("", &[], "unknown"),
        ] {
            assert_eq!(program(&Facts { name, arguments, ..Facts::default() }), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_program_is_never_empty(
            name in "[a-z/ ]{0,20}", executable in prop::option::of("(/|python3|java|bash|é| ){0,4}"),
            arguments in prop::collection::vec("(-m|-jar|--|-|-c|/|[a-zé./ ]{0,8})", 0..5),
        ) {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let facts = Facts { name: &name, executable: executable.as_deref(), arguments: &arguments, ..Facts::default() };
            prop_assert!(!program(&facts).is_empty());
        }

        #[test]
        fn a_script_name_is_bounded(length in 0_usize..3_000) {
            let script = "é".repeat(length);
            let facts = Facts { executable: Some("/usr/bin/python3"), arguments: &["python3", &script], ..Facts::default() };
            prop_assert!(program(&facts).chars().count() <= "python3 ".len() + SCRIPT_CHARACTERS);
        }
    }
}
