//! The command line: what can be asked for, and how an answer becomes an exit code.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::command;
use crate::config::{ConfigError, Loaded, Sources};

/// Exit codes of all commands; those of `status` speak of the watch, but for arguments that cannot be understood.
pub const DONE: u8 = 0;
/// It was asked for rightly and did not work.
pub const FAILED: u8 = 1;
/// It was asked for wrongly: arguments or configuration.
pub const MISUSED: u8 = 2;

/// A flight recorder for machines that also calls for help.
#[derive(Debug, Parser)]
#[command(name = "watchkeeper", version, max_term_width = 100, after_help = "Without a command, `run` is meant.")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options that every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file, also `WATCHKEEPER_CONFIG` [default: in the platform's folder, see `config path`]
    #[arg(long, global = true, value_name = "FILE", display_order = 100)]
    pub config: Option<PathBuf>,
    /// Least important messages shown: error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL", display_order = 100)]
    pub log_level: Option<String>,
    /// Form of messages on standard error: text or json
    #[arg(long, global = true, value_name = "FORMAT", display_order = 100)]
    pub log_format: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch this machine: log, analyse, notify
    #[command(after_help = command::run::EXAMPLES)]
    Run(command::run::RunArgs),
    /// Play a recording of `run --recording` through the rules
    #[command(after_help = command::replay::EXAMPLES)]
    Replay(command::replay::ReplayArgs),
    /// Record this machine for a while into a workbook and a threat log
    Record(command::record::RecordArgs),
    /// Learn what is normal from a recording or the log
    #[command(after_help = command::train::EXAMPLES)]
    Train(command::train::TrainArgs),
    /// Judge this machine live with a model
    #[command(after_help = command::detect::EXAMPLES)]
    Detect(command::detect::DetectArgs),
    /// Health of the running watch (exit 0 ok, 1 warning, 2 critical, 3 unknown)
    Status(command::status::StatusArgs),
    /// Incidents: what happened, who did it, who was told
    #[command(subcommand)]
    Incidents(command::incidents::IncidentsCommand),
    /// Rules: which are in force, and whether they are right
    #[command(subcommand)]
    Rules(command::rules::RulesCommand),
    /// Messages to people
    #[command(subcommand)]
    Notify(command::notify::NotifyCommand),
    /// The configuration
    #[command(subcommand)]
    Config(command::config::ConfigCommand),
}

impl Global {
    /// Where this call's configuration comes from.
    pub fn sources(&self) -> Result<Sources, ConfigError> {
        self.sources_with(Vec::new())
    }

    /// The same with flags of a command that set keys: flag, key, value.
    fn sources_with(&self, mut overrides: Vec<(String, String, String)>) -> Result<Sources, ConfigError> {
        for (flag, key, value) in
            [("--log-level", "log.level", &self.log_level), ("--log-format", "log.format", &self.log_format)]
        {
            if let Some(value) = value {
                overrides.push((flag.to_owned(), key.to_owned(), value.clone()));
            }
        }
        Sources::from_process(self.config.as_deref(), overrides)
    }

    /// The configuration of this call.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        crate::config::load(self.sources()?)
    }

    /// The configuration of this call with more files of rules, as if they lay in `rules.d`.
    pub fn load_with_rule_files(&self, files: &[PathBuf]) -> Result<Loaded, ConfigError> {
        let mut sources = self.sources()?;
        for file in files {
            sources.rules.add_as_if(file);
        }
        crate::config::load(sources)
    }

    /// The configuration of this call with flags of a command that set keys: flag, key, value.
    pub fn load_with(&self, flags: Vec<(String, String, String)>) -> Result<Loaded, ConfigError> {
        crate::config::load(self.sources_with(flags)?)
    }
}

/// Parses, acts, and says what is wrong on standard error.
pub fn main() -> ExitCode {
    // A console of Windows that does not understand colours shows their letters.
    #[cfg(windows)]
    let _ = anstyle_query::windows::enable_ansi_colors();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, everything else was asked for wrongly; clap's codes are the same.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(MISUSED));
        }
    };
    let global = cli.global;
    let result = match cli.command {
        None => command::run::run(&global, &command::run::RunArgs::default()),
        Some(Command::Run(args)) => command::run::run(&global, &args),
        Some(Command::Replay(args)) => command::replay::replay(&global, &args),
        Some(Command::Record(args)) => command::record::record(&global, &args),
        Some(Command::Train(args)) => command::train::train(&global, &args),
        Some(Command::Detect(args)) => command::detect::detect(&global, &args),
        Some(Command::Status(args)) => command::status::status(&global, &args),
        Some(Command::Incidents(command)) => command::incidents::incidents(&global, &command),
        Some(Command::Rules(command)) => command::rules::rules(&global, &command),
        Some(Command::Notify(command)) => command::notify::notify(&global, &command),
        Some(Command::Config(command)) => command::config::config(&global, &command),
    };
    ExitCode::from(result.unwrap_or_else(|error| {
        if let Some(error) = error.downcast_ref::<ConfigError>() {
            error.print();
            return MISUSED;
        }
        command::complain(&format!("{error:#}"));
        FAILED
    }))
}
