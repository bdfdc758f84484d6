//! What the series of a test are about.

use watchkeeper_core::catalogue::{self, Metric};
use watchkeeper_core::text::clean;
use watchkeeper_core::{EntityKind, Problem};

use super::config::{TestProcess, TestSeries, TestSocket};

/// One thing that has series in a test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Host,
    Cpu(u32),
    Disk(String),
    Filesystem(String),
    Interface(String),
    Peer(String),
    Socket(TestSocket),
    Check(String),
    Process(TestProcess),
}

impl Subject {
    pub(super) fn kind(&self) -> EntityKind {
        match self {
            Self::Host => EntityKind::Host,
            Self::Cpu(_) => EntityKind::Cpu,
            Self::Disk(_) => EntityKind::Disk,
            Self::Filesystem(_) => EntityKind::Filesystem,
            Self::Interface(_) => EntityKind::Interface,
            Self::Peer(_) => EntityKind::Peer,
            Self::Socket(_) => EntityKind::Socket,
            Self::Check(_) => EntityKind::Check,
            Self::Process(_) => EntityKind::Process,
        }
    }

    /// What a series is about, and its metric.
    ///
    /// # Errors
    /// Everything that is wrong, with key paths from the series.
    pub(super) fn of(series: &TestSeries) -> Result<(Self, &'static Metric), Vec<Problem>> {
        let named = named(series);
        let metric = metric(&series.metric);
        match (metric, named.as_slice()) {
            (Err(problem), _) => Err(vec![problem]),
            (Ok(_), [_, second, ..]) => {
                let message = "a series is about one thing";
                Err(vec![Problem::new(second.kind().word(), message).help("write a series for each")])
            }
            (Ok(metric), []) if metric.entity_kind() == EntityKind::Host => Ok((Self::Host, metric)),
            (Ok(metric), [subject]) if metric.entity_kind() == subject.kind() => {
                let problems = subject.problems();
                if problems.is_empty() { Ok((subject.clone(), metric)) } else { Err(problems) }
            }
            (Ok(metric), [subject]) => {
                let word = subject.kind().word();
                let message = format!("`{}` belongs to a {}, not to a {word}", metric.name, metric.entity_kind());
                Err(vec![Problem::new(word, message).help(needed(metric.entity_kind()))])
            }
            (Ok(metric), []) => {
                let message = format!("`{}` belongs to a {}", metric.name, metric.entity_kind());
                Err(vec![Problem::new("metric", message).help(needed(metric.entity_kind()))])
            }
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match self {
            Self::Process(process) => {
                if process.name.is_empty() {
                    problems.push(Problem::new("process.name", "the name of the process is empty"));
                }
                if process.pid == Some(0) {
                    problems.push(Problem::new("process.pid", "numbers of processes begin with 1"));
                }
            }
            Self::Socket(socket) if !matches!(socket.protocol.as_str(), "tcp" | "udp") => {
                problems.push(Problem::new("socket.protocol", "the protocol is \"tcp\" or \"udp\""));
            }
            _ => {}
        }
        problems
    }
}

fn named(series: &TestSeries) -> Vec<Subject> {
    let TestSeries { cpu, disk, filesystem, interface, peer, socket, check, process, .. } = series;
    [
        cpu.map(Subject::Cpu),
        disk.clone().map(Subject::Disk),
        filesystem.clone().map(Subject::Filesystem),
        interface.clone().map(Subject::Interface),
        peer.clone().map(Subject::Peer),
        socket.clone().map(Subject::Socket),
        check.clone().map(Subject::Check),
        process.clone().map(Subject::Process),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn metric(name: &str) -> Result<&'static Metric, Problem> {
    catalogue::metric(name).ok_or_else(|| {
        let near = catalogue::metrics()
            .map(|metric| (strsim::damerau_levenshtein(metric.name, name), metric.name))
            .min()
            .filter(|(distance, _)| *distance <= name.len() / 4 + 1);
        let problem = Problem::new("metric", format!("there is no metric `{}`", clean(name, 80)));
        match near {
            Some((_, near)) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("docs/rules.md lists them"),
        }
    })
}

/// How a thing of this kind is written.
fn needed(kind: EntityKind) -> String {
    let written = match kind {
        EntityKind::Host => return "write none of `cpu` to `process`: it is the machine's".to_owned(),
        EntityKind::Cpu => "cpu = 0",
        EntityKind::Disk => "disk = \"sda\"",
        EntityKind::Filesystem => "filesystem = \"/\"",
        EntityKind::Interface => "interface = \"eth0\"",
        EntityKind::Peer => "peer = \"10.0.0.7\"",
        EntityKind::Socket => "socket = { port = 80 }",
        EntityKind::Check => "check = \"website\"",
        EntityKind::Process | EntityKind::Program => "process = { name = \"java\" }",
    };
    format!("say of which, e.g. `{written}`")
}
