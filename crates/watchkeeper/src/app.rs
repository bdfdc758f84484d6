//! The running watch: the only place where stages are made and tied together.
//!
//! ```text
//! reader -> mailbox -> recorder -> log
//!        -> mailbox -> analyst -> ledger (alerts, incidents, messages) -> notify workers -> peers
//! control socket -> status, test messages          signals -> reload, end
//! ```

mod analyst;
mod banner;
mod console;
mod delivery;
mod pace;
mod reader;
mod recorder;
mod report;
mod test_message;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use watchkeeper_analyze::Analyzer;
use watchkeeper_collect::Collector;
use watchkeeper_core::{Ledger, Reading};
use watchkeeper_store::Store;

use crate::config::ConfigError;
use crate::control::{Answer, Request, Server};
use crate::health::{Health, locked};
use crate::mailbox::Mailbox;
use crate::paths::control_socket;
use crate::settings::Settings;

use analyst::{Analyst, Command};
use console::Console;
use delivery::Delivery;
use pace::Signal;
use reader::Reader;

pub use console::gap_lines;
pub use test_message::{send_alone, wait_for};

/// A running watch.
struct App {
    state_folder: PathBuf,
    store: Store,
    runtime: Runtime,
    wake: Arc<Notify>,
    health: Arc<Health>,
    signal: Arc<Signal>,
    analyst: Arc<Mailbox<Command>>,
    recorder: Arc<Mailbox<()>>,
    current: Mutex<Current>,
    started_ms: i64,
    tier: Mutex<&'static str>,
}

/// What a reload replaces.
struct Current {
    settings: Arc<Settings>,
    delivery: Option<Delivery>,
}

/// Watches until SIGTERM, SIGINT or Ctrl+C. `reload` makes the settings anew, for SIGHUP.
pub fn watch(
    settings: Settings,
    state_folder: PathBuf,
    reload: impl Fn() -> Result<Settings, ConfigError>,
) -> anyhow::Result<()> {
    // Signals are caught before anything is written, so that an early Ctrl+C ends as cleanly as a late one.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot catch signals")?;
    let mut collector = watchkeeper_collect::open(&settings.config.collect)?;
    let store = Store::open(&state_folder, &settings.config.store)?;
    let first = collector.read()?;
    let settings = Arc::new(settings);
    let app = Arc::new(App {
        runtime: tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("notify")
            .enable_all()
            .build()
            .context("cannot start the notify workers")?,
        wake: Arc::new(Notify::new()),
        health: Arc::new(Health::default()),
        signal: Arc::new(Signal::default()),
        analyst: Arc::new(Mailbox::default()),
        recorder: Arc::new(Mailbox::default()),
        started_ms: watchkeeper_collect::wall_clock_ms(),
        tier: Mutex::new(collector.tier()),
        current: Mutex::new(Current { settings: Arc::clone(&settings), delivery: None }),
        state_folder,
        store,
    });
    let console = Console::new(settings.zone.clone());
    console.print(&banner::banner(&app, &settings, &first, &console));
    let stages = app.start(&settings, collector, first, console)?;
    let mut server = Server::bind(control_socket(&app.state_folder))?;
    server.serve({
        let app = Arc::clone(&app);
        move |request| app.answer(request)
    })?;
    for signal in &mut signals {
        match signal {
            SIGHUP => app.reload(&reload),
            _ => break,
        }
    }
    // A second signal while things are written down ends the program at once.
    drop(signals);
    for signal in [SIGTERM, SIGINT] {
        let _ = signal_hook::flag::register_conditional_default(signal, Arc::new(true.into()));
    }
    drop(server);
    app.stop(stages);
    Ok(())
}

/// The threads of the stages, in the order in which they end.
struct Stages {
    reader: JoinHandle<()>,
    analyst: JoinHandle<()>,
    recorder: JoinHandle<()>,
}

impl App {
    fn start(
        &self,
        settings: &Arc<Settings>,
        collector: Box<dyn Collector>,
        first: Reading,
        console: Console,
    ) -> anyhow::Result<Stages> {
        let mut ledger = self.store.ledger()?;
        let state = ledger.load()?;
        locked(&self.health.recorder).notices = self.store.notices().to_vec();
        for notice in self.store.notices() {
            tracing::warn!("{notice}");
        }
        let analyst = Analyst {
            analyzer: Analyzer::new(settings.analyzer(self.store.host_id()), state),
            settings: Arc::clone(settings),
            ledger,
            host: self.store.host_id(),
            state_folder: self.state_folder.clone(),
            wake: Arc::clone(&self.wake),
            console,
            health: Arc::clone(&self.health),
        };
        let recorder = self.store.recorder()?;
        let reader = Reader {
            interval: settings.config.collect.interval.duration(),
            collector,
            signal: Arc::clone(&self.signal),
            recorder: Arc::clone(&self.recorder),
            analyst: Arc::clone(&self.analyst),
            health: Arc::clone(&self.health),
        };
        locked(&self.current).delivery = Some(Delivery::start(&self.runtime, settings, &self.store, &self.wake)?);
        let (recorder_mail, analyst_mail) = (Arc::clone(&self.recorder), Arc::clone(&self.analyst));
        let health = Arc::clone(&self.health);
        Ok(Stages {
            recorder: spawn("recorder", move || recorder::run(recorder, &recorder_mail, &health))?,
            analyst: spawn("analyst", move || analyst.run(&analyst_mail))?,
            reader: spawn("reader", move || reader.run(first))?,
        })
    }

    /// Ends the reader first; what it has read is still recorded, evaluated and, within seconds, sent.
    fn stop(&self, stages: Stages) {
        self.signal.stop();
        join(stages.reader);
        self.analyst.close();
        self.recorder.close();
        join(stages.analyst);
        join(stages.recorder);
        if let Some(delivery) = locked(&self.current).delivery.take() {
            delivery.stop(&self.runtime);
        }
    }

    /// Takes on new settings as a whole, or keeps the old ones.
    fn reload(&self, load: &impl Fn() -> Result<Settings, ConfigError>) {
        let settings = match load() {
            Ok(settings) => Arc::new(settings),
            Err(error) => {
                tracing::error!("the configuration was not reloaded, the old one stays in force:\n{error}");
                return;
            }
        };
        let mut current = locked(&self.current);
        let old = Arc::clone(&current.settings);
        if old.config.store != settings.config.store {
            tracing::warn!("changes of [store] take effect at the next start");
        }
        if let Some(delivery) = current.delivery.take() {
            delivery.stop(&self.runtime);
        }
        match Delivery::start(&self.runtime, &settings, &self.store, &self.wake) {
            Ok(delivery) => current.delivery = Some(delivery),
            Err(error) => tracing::error!("messages wait, their channels could not be started: {error:#}"),
        }
        self.analyst.command(Command::Reload(Arc::clone(&settings)));
        if old.config.collect != settings.config.collect {
            self.signal.reload(settings.config.collect.clone());
        }
        current.settings = settings;
        tracing::info!("the configuration was reloaded");
    }

    fn answer(&self, request: Request) -> Answer {
        match request {
            Request::Status => Answer::Status(Box::new(self.report())),
            Request::NotifyTest { channel, to } => {
                let settings = Arc::clone(&locked(&self.current).settings);
                let result = self.store.ledger().map_err(anyhow::Error::from).and_then(|mut ledger| {
                    test_message::plan(&settings, &mut ledger, &channel, &to).inspect(|_| self.wake.notify_waiters())
                });
                match result {
                    Ok(rows) => Answer::NotifyTest(wait_for(&self.state_folder, &rows)),
                    Err(error) => Answer::Error(format!("{error:#}")),
                }
            }
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(run).with_context(|| format!("cannot start the {name}"))
}

fn join(stage: JoinHandle<()>) {
    let name = stage.thread().name().unwrap_or("stage").to_owned();
    if stage.join().is_err() {
        tracing::error!("the {name} ended with a defect; please report it");
    }
}
