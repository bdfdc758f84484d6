//! The stages that write files for other programs. Each has a thread and a mailbox of its own: a slow disk delays neither the log nor
//! the alerts nor another file.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use watchkeeper_core::{Recorder, Snapshot};
use watchkeeper_store::{Sink, SinkConfig, SinkError, SinkOrigin};

use crate::health::{SinkReport, locked};
use crate::mailbox::{Mail, Mailbox};
use crate::settings::Settings;

/// How long a stage waits for a tick before it looks whether it is over.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the disks of all files may take to say whether these can be continued; a disk that hangs does not keep the watch from
/// beginning.
const CHECK: Duration = Duration::from_secs(2);
/// How often it is looked whether a stage has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Where the reader puts ticks for the sinks of the moment.
#[derive(Debug, Default)]
pub struct Outlets(Mutex<Vec<Arc<Mailbox<()>>>>);

impl Outlets {
    /// Gives a tick to every sink.
    pub fn put(&self, snapshot: &Arc<Snapshot>) {
        for mailbox in locked(&self.0).iter() {
            mailbox.put(Arc::clone(snapshot));
        }
    }
}

/// The sinks of one configuration.
#[derive(Default)]
pub struct Sinks {
    outlets: Arc<Outlets>,
    running: Vec<Running>,
    /// Stages of former configurations that write what they have.
    ending: Vec<JoinHandle<()>>,
}

struct Running {
    config: SinkConfig,
    origin: SinkOrigin,
    mailbox: Arc<Mailbox<()>>,
    report: Arc<Mutex<SinkReport>>,
    thread: JoinHandle<()>,
}

impl Sinks {
    /// Where ticks are to be put.
    pub fn outlets(&self) -> Arc<Outlets> {
        Arc::clone(&self.outlets)
    }

    /// Looks whether the files that are there can be continued.
    ///
    /// # Errors
    /// The first that only a person can mend. What may be over by the next interval is none, nor what is not known in time.
    pub fn check(settings: &Settings) -> anyhow::Result<()> {
        let (sender, answers) = mpsc::channel::<Result<(), SinkError>>();
        for config in &settings.config.sink {
            let (config, sender) = (config.clone(), sender.clone());
            let look = move || {
                // Nobody waits any more if it took too long.
                let _ = sender.send(Sink::check(&config));
            };
            std::thread::Builder::new().name("sink-check".to_owned()).spawn(look).context("cannot look at a file")?;
        }
        drop(sender);
        let until = Instant::now() + CHECK;
        while let Ok(answer) = answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
            match answer {
                Err(error) if error.is_refusal() => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Goes on with the sinks of these settings: those that are as they were stay, the others end, and new ones begin with the next
    /// tick.
    ///
    /// # Errors
    /// A thread cannot be started; the others go on.
    pub fn take_on(&mut self, settings: &Settings) -> anyhow::Result<()> {
        let origin = origin(settings);
        let mut former = std::mem::take(&mut self.running);
        let mut new = Vec::new();
        for config in &settings.config.sink {
            match former.iter().position(|running| running.goes_on(config, &origin)) {
                Some(index) => self.running.push(former.remove(index)),
                None => new.push(config.clone()),
            }
        }
        self.ending.retain(|thread| !thread.is_finished());
        let mut result = Ok(());
        let mut predecessors: Vec<(SinkConfig, JoinHandle<()>)> = Vec::new();
        for running in former {
            running.mailbox.close();
            predecessors.push((running.config, running.thread));
        }
        for config in new {
            // One writer a file: the new one begins when the former has written what it had.
            let former = predecessors.iter().position(|(former, _)| former.path == config.path);
            let former = former.map(|index| predecessors.remove(index).1);
            match Running::start(config, origin.clone(), former) {
                Ok(running) => self.running.push(running),
                Err(error) => result = Err(error),
            }
        }
        self.ending.extend(predecessors.into_iter().map(|(_, thread)| thread));
        *locked(&self.outlets.0) = self.running.iter().map(|running| Arc::clone(&running.mailbox)).collect();
        result
    }

    /// How each of them does.
    pub fn report(&self) -> Vec<SinkReport> {
        self.running.iter().map(Running::report).collect()
    }

    /// Takes no more ticks; what is there is still written.
    pub fn close(&self) {
        for running in &self.running {
            running.mailbox.close();
        }
    }

    /// Waits for the end of all.
    ///
    /// # Errors
    /// The first that ended with a defect or not in time; it is left to itself in that case.
    pub fn join(&mut self, until: Instant) -> anyhow::Result<()> {
        let mut result = Ok(());
        for running in self.running.drain(..) {
            let path = running.config.path;
            result = result.and(join(running.thread, &path, until));
        }
        for thread in self.ending.drain(..) {
            result = result.and(join(thread, Path::new("of a former configuration"), until));
        }
        result
    }
}

impl Running {
    fn start(config: SinkConfig, origin: SinkOrigin, former: Option<JoinHandle<()>>) -> anyhow::Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let report = Arc::new(Mutex::new(SinkReport {
            path: config.path.display().to_string(),
            format: config.format.map(|format| format.word().to_owned()).unwrap_or_default(),
            ..SinkReport::default()
        }));
        let thread = std::thread::Builder::new().name("sink".to_owned()).spawn({
            let (sink, mailbox, report) =
                (Sink::new(&config, origin.clone()), Arc::clone(&mailbox), Arc::clone(&report));
            move || {
                if let Some(former) = former {
                    // A defect of the former one is known by now.
                    let _ = former.join();
                }
                run(sink, &mailbox, &report);
            }
        });
        let thread = thread.with_context(|| format!("cannot start to write {}", config.path.display()))?;
        Ok(Self { config, origin, mailbox, report, thread })
    }

    /// Whether it is just what these settings ask for.
    fn goes_on(&self, config: &SinkConfig, origin: &SinkOrigin) -> bool {
        let same = self.origin.host_name == origin.host_name && self.origin.zone == origin.zone;
        same && self.config == *config && !self.thread.is_finished()
    }

    fn report(&self) -> SinkReport {
        let mut report = locked(&self.report).clone();
        if self.thread.is_finished() {
            report.error = Some(format!("the sink {} ended with a defect; please report it", report.path));
        }
        report
    }
}

fn origin(settings: &Settings) -> SinkOrigin {
    SinkOrigin {
        host_name: settings.host_name.clone(),
        zone: settings.zone.clone(),
        user_name: watchkeeper_collect::user_name,
    }
}

/// Writes every tick until the mailbox is closed and empty, then what waits.
fn run(mut sink: Sink, mailbox: &Mailbox<()>, report: &Mutex<SinkReport>) {
    loop {
        match mailbox.take(PATIENCE) {
            Some(Mail::Tick(snapshot, _)) => {
                let error = sink.record(&snapshot).err().map(|error| error.to_string());
                note(report, &sink, error, mailbox.dropped_total());
            }
            None if mailbox.is_over() => break,
            Some(Mail::Command(())) | None => {}
        }
    }
    let error = sink.flush().err().map(|error| error.to_string());
    note(report, &sink, error, mailbox.dropped_total());
}

/// Says the first of several errors, and their end, once.
fn note(report: &Mutex<SinkReport>, sink: &Sink, error: Option<String>, dropped: u64) {
    let mut report = locked(report);
    let written = sink.written();
    if written.lost_rows > 0 && report.lost_rows == 0 {
        tracing::error!("rows of {} are lost: more wait than memory is for", report.path);
    }
    (report.rows, report.lost_rows, report.last_ms, report.dropped) =
        (written.rows, written.lost_rows, written.last_ms, dropped);
    match (&error, &report.error) {
        (Some(text), None) => tracing::error!("{text}"),
        (None, Some(_)) => tracing::info!("{} is written again", report.path),
        _ => {}
    }
    report.error = error;
}

fn join(thread: JoinHandle<()>, path: &Path, until: Instant) -> anyhow::Result<()> {
    while !thread.is_finished() {
        if Instant::now() >= until {
            bail!("the sink {} did not end in time; what it had not written is lost", path.display());
        }
        std::thread::sleep(LOOK);
    }
    if thread.join().is_err() {
        bail!("the sink {} ended with a defect; please report it", path.display());
    }
    Ok(())
}
