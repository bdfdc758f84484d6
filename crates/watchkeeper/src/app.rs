//! The running watch: the only place where stages are made and tied together.
//!
//! ```text
//! reader -> mailbox -> recorder -> log
//!        -> mailbox -> sink -> file, for each of them
//!        -> mailbox -> analyst -> ledger (alerts, incidents, messages) -> notify workers -> peers
//!                              -> tape -> recording, if one is asked for
//! control socket -> status, test messages          signals -> reload, end
//! ```

mod analyst;
mod banner;
mod changes;
mod console;
mod delivery;
mod pace;
mod people;
mod queue;
mod reader;
mod recorder;
mod reload;
mod report;
mod sinks;
mod stage;
mod tape;
mod test_message;
mod warm_up;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use watchkeeper_analyze::Analyzer;
use watchkeeper_collect::{Collector, derive};
use watchkeeper_core::port::LoadedState;
use watchkeeper_core::{Ledger, Reading, Recorder};
use watchkeeper_store::{SqliteLedger, Store};

use crate::config::{ConfigError, Stamp};
use crate::control::{Answer, Request, Server};
use crate::health::{Health, Lasting, RecordingReport, locked};
use crate::mailbox::Mailbox;
use crate::paths::control_socket;
use crate::settings::Settings;
use crate::signals::{self, Event, Events};

use analyst::{Analyst, Command};
use changes::Changes;
use console::Console;
use delivery::Delivery;
use pace::Signal;
use queue::Queue;
use reader::{Bench, Reader};
use sinks::Sinks;
use stage::Stage;
use tape::Recording;

#[cfg(test)]
pub(crate) use console::tests::incident as example_incident;
pub use console::{gap_lines, incident_text, is_coloured, is_shown};
pub use pace::next_due;
pub use people::{acknowledge, silence, too_long, unsilence};
pub use test_message::{send_alone, wait_for};

/// How long the end may take: by then everything is on disk, and what is still being sent is cut.
const LAST: Duration = Duration::from_millis(4_500);
/// How long of that a look at the machine may take that had begun.
const LAST_LOOK: Duration = Duration::from_secs(1);
/// How long after that standard output may take what is left for it.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A running watch.
struct App {
    state_folder: PathBuf,
    store: Arc<Store>,
    runtime: Handle,
    wake: Arc<Notify>,
    health: Arc<Health>,
    signal: Arc<Signal>,
    judge: Arc<Bench>,
    analyst: Arc<Mailbox<Command>>,
    recorder: Arc<Mailbox<()>>,
    current: Mutex<Current>,
    /// Why the configuration on disk is not the one in force, if it is not.
    not_taken: Mutex<Option<String>>,
    started_ms: i64,
    started: Instant,
    /// How the recording does, if one is made.
    recording: Option<Arc<Mutex<RecordingReport>>>,
    /// The log of samples is written.
    samples: bool,
    /// Questions to the store that `status` waits for.
    store_questions: Arc<AtomicUsize>,
}

/// What a reload replaces.
struct Current {
    settings: Arc<Settings>,
    delivery: Delivery,
    sinks: Sinks,
    tier: &'static str,
}

/// Where settings come from, once more.
pub struct Source<L, S> {
    /// Makes them anew.
    pub load: L,
    /// What the files that they are made of look like.
    pub stamp: S,
    /// What these looked like before they were read for the settings in force.
    pub read: Stamp,
}

/// Watches until it is told to end; what the analyzer is given goes into the `recording`, if that names a file. Settings
/// are made anew from their source when it is told to, and when its files changed.
pub fn watch<L, S>(
    settings: Settings,
    source: Source<L, S>,
    state_folder: PathBuf,
    recording: Option<&Path>,
) -> anyhow::Result<()>
where
    L: Fn() -> Result<Settings, ConfigError>,
    S: Fn() -> Stamp + Clone + Send + 'static,
{
    // Signals are caught before anything is written, so that an early Ctrl+C ends as cleanly as a late one.
    let events = Events::catch().context("cannot catch signals")?;
    // Whatever can be refused comes before anything runs; what was made until then goes with its value.
    let store = Arc::new(Store::open(&state_folder, &settings.config.store)?);
    let mut server = Server::bind(control_socket(&state_folder))?;
    let mut ledger = store.ledger()?;
    let state = ledger.load()?;
    let samples = settings.config.store.samples;
    let recorder: Box<dyn Recorder> = if samples { Box::new(store.recorder()?) } else { Box::new(store.unlogged()) };
    Sinks::check(&settings)?;
    let mut collector = watchkeeper_collect::open_with_checks(&settings.config.collect, &settings.config.check)?;
    let first = collector.read()?;
    let begin = |path| Recording::begin(path, &settings, collector.tier(), &state);
    let recording = recording.map(begin).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("notify")
        .enable_all()
        .build()
        .context("cannot start the notify workers")?;
    let wake = Arc::new(Notify::new());
    let delivery = Delivery::start(runtime.handle(), &settings, &store, &wake)?;
    let settings = Arc::new(settings);
    let mut sinks = Sinks::default();
    sinks.take_on(&settings)?;
    let health = Arc::new(Health::default());
    *locked(&health.channels) = delivery.health();
    let app = Arc::new(App {
        runtime: runtime.handle().clone(),
        wake,
        health,
        signal: Arc::new(Signal::default()),
        judge: Arc::new(Mutex::new(settings.judge.clone())),
        analyst: Arc::new(Mailbox::default()),
        recorder: Arc::new(Mailbox::default()),
        started_ms: watchkeeper_collect::wall_clock_ms(),
        started: Instant::now(),
        current: Mutex::new(Current { settings: Arc::clone(&settings), delivery, sinks, tier: collector.tier() }),
        not_taken: Mutex::default(),
        state_folder,
        recording: recording.as_ref().map(Recording::report),
        samples,
        store,
        store_questions: Arc::default(),
    });
    let (console, printer) = Console::start(settings.zone.clone(), &events.handle())?;
    console.print(&banner::banner(&app, &settings, &first, &console));
    let stages = app.start(
        &settings,
        Parts { collector, first, ledger, state, recorder, recording, console },
        &events.handle(),
    )?;
    server.serve({
        let app = Arc::clone(&app);
        move |request, caller| app.answer(request, caller)
    })?;
    let Source { load, stamp, read } = source;
    let changes = Arc::new(Mutex::new(Changes::new(read, Instant::now())));
    changes::watch(&changes, stamp.clone(), events.handle()).context("cannot look for changes of the configuration")?;
    while let Some(event) = events.next().filter(|event| *event != Event::End) {
        if event == Event::Reload {
            locked(&changes).read(stamp(), Instant::now());
        }
        app.reload(&load, event);
    }
    tracing::info!("ending: what waits is written down");
    let ended = app.stop(stages);
    // A terminal that is paused is no failure.
    let _ = printer.join(Instant::now() + LAST_WORDS);
    // Whoever looks up a name or waits for the disk there ends with the program.
    runtime.shutdown_background();
    // Last, for a disk that hangs would not let go of the file either.
    drop(server);
    ended
}

/// What the stages are made of.
struct Parts {
    collector: Box<dyn Collector>,
    first: Reading,
    ledger: SqliteLedger,
    state: LoadedState,
    recorder: Box<dyn Recorder>,
    recording: Option<Recording>,
    console: Console,
}

/// The stages, in the order in which they end.
struct Stages {
    reader: Stage,
    analyst: Stage,
    recorder: Stage,
    recording: Option<Stage>,
}

impl App {
    fn start(&self, settings: &Arc<Settings>, parts: Parts, events: &signals::Handle) -> anyhow::Result<Stages> {
        let Parts { collector, first, ledger, state, recorder, recording, console } = parts;
        warn_of_interval(settings);
        for notice in self.store.notices() {
            tracing::warn!("{notice}");
        }
        let (tape, recording) = recording.map(|recording| recording.start(events)).transpose()?.unzip();
        // A recording holds all that the rules knew; what they know from the log would be missing in it.
        let warms_up = tape.is_none();
        let mut analyst = Analyst {
            analyzer: Analyzer::new(settings.analyzer(self.store.host_id()), state),
            settings: Arc::clone(settings),
            ledger,
            queue: Queue::default(),
            host: self.store.host_id(),
            state_folder: self.state_folder.clone(),
            samples: self.samples,
            wake: Arc::clone(&self.wake),
            console,
            health: Arc::clone(&self.health),
            tape: tape.unwrap_or_default(),
        };
        let mut reader = Reader {
            interval: settings.config.collect.interval.duration(),
            collector,
            signal: Arc::clone(&self.signal),
            judge: Arc::clone(&self.judge),
            recorder: Arc::clone(&self.recorder),
            analyst: Arc::clone(&self.analyst),
            sinks: locked(&self.current).sinks.outlets(),
            health: Arc::clone(&self.health),
            lasting: Lasting::default(),
        };
        reader.hand_on(derive(None, &first), Duration::ZERO);
        let (recorder_mail, analyst_mail) = (Arc::clone(&self.recorder), Arc::clone(&self.analyst));
        let health = Arc::clone(&self.health);
        let (until_ms, interval) = (first.at.ts_ms, settings.config.collect.interval);
        let rules = move || {
            if warms_up {
                warm_up::warm_up(&mut analyst.analyzer, &analyst.state_folder, until_ms, interval);
            }
            analyst.run(&analyst_mail);
        };
        Ok(Stages {
            recorder: Stage::start("recorder", events, move || recorder::run(recorder, &recorder_mail, &health))?,
            analyst: Stage::start("analyst", events, rules)?,
            reader: Stage::start("reader", events, move || reader.run(first))?,
            recording,
        })
    }

    /// Ends the reader first; what it has read is still recorded and evaluated, and its messages are in the outbox.
    ///
    /// # Errors
    /// The first stage that ended with a defect or not in time; all others have ended.
    fn stop(&self, stages: Stages) -> anyhow::Result<()> {
        let until = Instant::now() + LAST;
        self.signal.stop();
        locked(&self.current).delivery.stop();
        let reader = stages.reader.join(Instant::now() + LAST_LOOK);
        self.analyst.close();
        self.recorder.close();
        locked(&self.current).sinks.close();
        let (analyst, recorder) = (stages.analyst.join(until), stages.recorder.join(until));
        let mut current = locked(&self.current);
        current.delivery.wait(&self.runtime, until);
        let sinks = current.sinks.join(until);
        // It ends when the analyst has.
        let recording = stages.recording.map_or(Ok(()), |stage| stage.join(until));
        reader.and(analyst).and(recorder).and(sinks).and(recording)
    }

    fn answer(&self, request: Request, caller: &str) -> Answer {
        match request {
            Request::Status => Answer::Status(Box::new(self.report())),
            Request::NotifyTest { channel, to } => {
                let settings = Arc::clone(&locked(&self.current).settings);
                let rows = self.with_ledger(|ledger| {
                    test_message::plan(&settings, ledger, &channel, &to).inspect(|_| self.wake.notify_waiters())
                });
                rows.map_or_else(refusal, |rows| Answer::NotifyTest(wait_for(&self.state_folder, &rows)))
            }
            Request::Acknowledge(request) => self
                .with_ledger(|ledger| acknowledge(ledger, &request, caller))
                .map_or_else(refusal, |(by, results)| Answer::Acknowledged { by, results }),
            Request::Silence(request) => {
                self.with_ledger(|ledger| silence(ledger, &request, caller)).map_or_else(refusal, Answer::Silenced)
            }
            Request::Unsilence { number } => {
                let done = self.with_ledger(|ledger| unsilence(ledger, number));
                // What waited is due now.
                self.wake.notify_waiters();
                done.map_or_else(refusal, Answer::Unsilenced)
            }
        }
    }

    fn with_ledger<T>(&self, work: impl FnOnce(&mut SqliteLedger) -> anyhow::Result<T>) -> anyhow::Result<T> {
        work(&mut self.store.ledger()?)
    }
}

/// Says that the model judges looks of another length than it learned from.
fn warn_of_interval(settings: &Settings) {
    let interval = settings.config.collect.interval.duration();
    if let Some(warning) = settings.judge.as_ref().and_then(|judge| judge.warning(interval)) {
        tracing::warn!("{warning}");
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it ends a chain")]
fn refusal(error: anyhow::Error) -> Answer {
    Answer::Error(format!("{error:#}"))
}
