//! What a rule says to those who are told: labels, summary and runbook.

use watchkeeper_core::{Problem, label_problems};

use super::shown;
use crate::config::RuleConfig;

/// Longest summary in characters.
const LONGEST_SUMMARY: usize = 1_000;
/// Lines of a summary.
const MOST_LINES: usize = 5;
/// Longest runbook in characters.
const LONGEST_RUNBOOK: usize = 500;

/// Everything that is wrong with labels, summary and runbook.
pub fn about_problems(config: &RuleConfig) -> Vec<Problem> {
    let mut problems = label_problems(&config.labels);
    problems.extend(config.summary.as_deref().and_then(summary_problem));
    problems.extend(config.runbook.as_deref().and_then(runbook_problem));
    problems
}

/// Where the guide page of a shipped rule lies.
pub fn guide(id: &str) -> String {
    format!("docs/rules/{id}.md")
}

fn summary_problem(summary: &str) -> Option<Problem> {
    let wrong = |message: String| Some(Problem::new("summary", message));
    if summary.trim().is_empty() {
        wrong("the summary is empty".to_owned()).map(|problem| problem.help("leave it out"))
    } else if summary.chars().count() > LONGEST_SUMMARY {
        wrong(format!("the summary is longer than {LONGEST_SUMMARY} characters"))
            .map(|problem| problem.help("say it in one or two sentences, and the rest in the runbook"))
    } else if summary.trim_end().lines().count() > MOST_LINES {
        wrong(format!("the summary has more than {MOST_LINES} lines"))
            .map(|problem| problem.help("say it in one or two sentences, and the rest in the runbook"))
    } else if summary.chars().any(|c| c.is_control() && c != '\n') {
        wrong("the summary has control characters in it".to_owned())
    } else {
        None
    }
}

fn runbook_problem(runbook: &str) -> Option<Problem> {
    const WRITE: &str = "write a link that begins with https:// or http://, or a path";
    let wrong = |message: String| Some(Problem::new("runbook", message));
    if runbook.trim().is_empty() {
        return wrong("the runbook is empty".to_owned()).map(|problem| problem.help("leave it out"));
    }
    if runbook.chars().count() > LONGEST_RUNBOOK {
        return wrong(format!("the runbook is longer than {LONGEST_RUNBOOK} characters"))
            .map(|problem| problem.help("it says where to read, not what to do"));
    }
    if runbook.chars().any(char::is_control) {
        return wrong("the runbook has control characters or more than one line".to_owned());
    }
    let (scheme, rest) = scheme(runbook)?;
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        return wrong(format!("`{}:` is no link that people are sent to", shown(scheme)))
            .map(|problem| problem.help(WRITE));
    }
    let Some(rest) = rest.strip_prefix("//") else {
        return wrong("the link of the runbook has no `//`".to_owned()).map(|problem| problem.help(WRITE));
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return wrong("the link of the runbook has a user or a password in it".to_owned())
            .map(|problem| problem.help("everybody who is told gets it; leave that part out"));
    }
    if host.is_empty() || runbook.contains(char::is_whitespace) {
        return wrong("the link of the runbook is not whole".to_owned()).map(|problem| problem.help(WRITE));
    }
    None
}

/// What stands before the first colon of a link, and what comes behind it. The drive of a path on Windows is none.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then_some((scheme, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes::rule;

    fn told(change: impl FnOnce(&mut RuleConfig)) -> Vec<String> {
        let mut config = rule("any", "system.cpu.utilization > 0.5", "5m");
        change(&mut config);
        about_problems(&config)
            .into_iter()
            .map(|problem| format!("{}: {}", problem.key_path, problem.message))
            .collect()
    }

    #[test]
    fn a_summary_is_a_few_lines_of_text() {
        let none = "";
        for (summary, said) in [
            ("The replica falls behind.", none),
            ("One.\nTwo.\nThree.\nFour.\nFive.\n", none),
            ("Straße, 日本語", none),
            (" \n", "summary: the summary is empty"),
            ("1\n2\n3\n4\n5\n6", "summary: the summary has more than 5 lines"),
            ("a\u{1b}[31mb", "summary: the summary has control characters in it"),
            ("a\rb", "summary: the summary has control characters in it"),
            (&"x".repeat(1_001), "summary: the summary is longer than 1000 characters"),
        ] {
            let expected: &[&str] = if said.is_empty() { &[] } else { &[said] };
            assert_eq!(told(|config| config.summary = Some(summary.to_owned())), expected, "{summary:?}");
        }
    }

    #[test]
    fn a_runbook_is_a_link_for_people_or_a_path() {
        let none = "";
        for (runbook, said) in [
            ("https://wiki.example.com/db-lag", none),
            ("HTTP://wiki:8080/x?y=a@b#z", none),
            ("/srv/runbooks/db lag.md", none),
            ("docs/rules/host-cpu.md", none),
            ("C:\\runbooks\\db.md", none),
            ("see the folder on the shelf: third from the left", none),
            ("", "runbook: the runbook is empty"),
            ("a\nb", "runbook: the runbook has control characters or more than one line"),
            ("javascript:alert(1)", "runbook: `javascript:` is no link that people are sent to"),
            ("file:///etc/passwd", "runbook: `file:` is no link that people are sent to"),
            ("https:wiki", "runbook: the link of the runbook has no `//`"),
            ("https:///x", "runbook: the link of the runbook is not whole"),
            ("https://wiki/a b", "runbook: the link of the runbook is not whole"),
            ("https://me:secret@wiki/", "runbook: the link of the runbook has a user or a password in it"),
            (&"x".repeat(501), "runbook: the runbook is longer than 500 characters"),
        ] {
            let expected: &[&str] = if said.is_empty() { &[] } else { &[said] };
            assert_eq!(told(|config| config.runbook = Some(runbook.to_owned())), expected, "{runbook:?}");
        }
    }

    #[test]
    fn labels_of_a_rule_are_labels() {
        let found = told(|config| drop(config.labels.insert("two words".to_owned(), "x".to_owned())));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("labels.two words: "), "{found:?}");
    }
}
