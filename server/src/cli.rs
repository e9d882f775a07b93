//! The command line: parses, calls one method of [`App`], and renders what it returns.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Parser, Subcommand};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::{
    app::App,
    clock::SystemClock,
    config::{self, Config, LogFormat, Sources},
    error::{Error, Exit},
};

mod certificate;
mod check;
mod completions;
mod connect;
mod connection;
mod demo;
mod disconnect;
mod drift;
mod emulator;
mod explain;
mod export;
mod export_app;
mod findings;
mod follower;
mod forecast;
mod guide;
mod import;
mod key;
mod map;
mod matches;
mod objects;
mod progress;
mod promote;
mod quota;
mod reading;
mod rejected;
mod runs;
mod schedule;
mod secrets;
mod serve;
mod stage;
mod status;
mod sync;
mod terminal;
mod token;
mod verify;
mod webhook;

use terminal::Terminal;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a fault of this program
  2    the command line is wrong
  3    settings, credentials or this machine: a person has to correct something here
  4    Salesforce refuses what was asked: a permission, an unknown object or field, a version
  5    the destination cannot take the rows
  6    busy: another process does the same
  7    a part succeeded, or a check found a failure
  8    try again later: network, maintenance, quota
  130  stopped by Ctrl-C, at a place from which the next run goes on

Settings come from a file, the environment (ORGTIDE_…) and flags: see `orgtide settings`.";

/// Heads the options that every command has.
const EVERYWHERE: &str = "Options of every command";

/// Keeps Salesforce orgs imported, mapped and up to date in your own database.
///
/// First steps: `orgtide demo` tries everything against an emulated org. With an org of your own: `orgtide connect`,
/// `orgtide check`, `orgtide import`, then `orgtide sync` as often as you like.
#[derive(Debug, Parser)]
#[command(name = "orgtide", version, after_help = EXIT_CODES, after_long_help = EXIT_CODES, max_term_width = 100)]
pub struct CommandLine {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Globals {
    /// Answers with one JSON document on standard output, errors included
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// Where the control store and imported databases are
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    data_dir: Option<String>,
    /// What is logged on standard error: error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL", help_heading = EVERYWHERE)]
    log_level: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Emulator(emulator::Arguments),
    Guide(guide::Arguments),
    ExportApp(export_app::Arguments),
    Connect(connect::Arguments),
    Connection(connection::Arguments),
    Disconnect(disconnect::Arguments),
    Certificate(certificate::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    Objects(objects::Arguments),
    Forecast(forecast::Arguments),
    Import(import::Arguments),
    Stage(stage::Arguments),
    Sync(sync::Arguments),
    Schedule(schedule::Arguments),
    Verify(verify::Arguments),
    Runs(runs::Arguments),
    Rejected(rejected::Arguments),
    Match(matches::Arguments),
    Serve(serve::Arguments),
    Map(map::Arguments),
    Drift(drift::Arguments),
    Promote(promote::Arguments),
    Quota(quota::Arguments),
    Status(status::Arguments),
    Webhook(webhook::Arguments),
    Token(token::Arguments),
    ApiKey(token::ApiKeyArguments),
    Key(key::Arguments),
    Settings(SettingsArguments),
    Completions(completions::Arguments),
}

/// Shows every setting with its default and its environment variable
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orgtide settings > ~/.config/orgtide/config.toml")]
struct SettingsArguments {}

/// Runs one command to its end.
pub fn main(line: CommandLine) -> ExitCode {
    let terminal = Terminal::new(line.globals.json);
    // These work whatever the settings are.
    match &line.command {
        Command::Settings(SettingsArguments {}) => return code(settings(&terminal)),
        Command::Completions(arguments) => return code(completions::run(arguments, &terminal)),
        Command::Explain(arguments) => {
            let explained = explain::run(arguments, &terminal);
            return code(explained.unwrap_or_else(|error| failed(&terminal, &error)));
        }
        _ => {}
    }
    let exit = match Config::load(&line.globals.sources()) {
        Ok(config) => {
            start_log(&config);
            match tokio::runtime::Runtime::new() {
                Ok(runtime) => runtime.block_on(run(line.command, config, &terminal)),
                Err(error) => Err(Error::Unreadable { what: "the runtime".into(), reason: error.to_string() }),
            }
        }
        Err(error) => Err(error.into()),
    };
    code(exit.unwrap_or_else(|error| failed(&terminal, &error)))
}

fn failed(terminal: &Terminal, error: &Error) -> Exit {
    terminal.error(error);
    error.exit()
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}

fn settings(terminal: &Terminal) -> Exit {
    terminal.text(config::REFERENCE);
    Exit::Done
}

async fn run(command: Command, config: Config, terminal: &Terminal) -> Result<Exit, Error> {
    match command {
        Command::Demo(arguments) => demo::run(arguments, config, terminal).await,
        Command::Emulator(arguments) => emulator::run(arguments, terminal).await,
        Command::Connect(arguments) => {
            connect::run(arguments, open(config, "connect", terminal).await?, terminal).await
        }
        Command::Guide(arguments) => guide::run(arguments, config, terminal).await,
        Command::ExportApp(arguments) => export_app::run(arguments, config, terminal).await,
        Command::Certificate(arguments) => {
            certificate::run(arguments, open(config, "certificate", terminal).await?, terminal).await
        }
        Command::Connection(arguments) => {
            connection::run(arguments, open(config, "connection", terminal).await?, terminal).await
        }
        Command::Disconnect(arguments) => {
            disconnect::run(arguments, open(config, "disconnect", terminal).await?, terminal).await
        }
        Command::Check(arguments) => check::run(arguments, open(config, "check", terminal).await?, terminal).await,
        Command::Objects(arguments) => {
            objects::run(arguments, open(config, "objects", terminal).await?, terminal).await
        }
        Command::Forecast(arguments) => {
            forecast::run(arguments, open(config, "forecast", terminal).await?, terminal).await
        }
        Command::Import(arguments) => import::run(arguments, open(config, "import", terminal).await?, terminal).await,
        Command::Stage(arguments) => stage::run(arguments, open(config, "stage", terminal).await?, terminal).await,
        Command::Sync(arguments) => sync::run(arguments, open(config, "sync", terminal).await?, terminal).await,
        Command::Schedule(arguments) => {
            schedule::run(arguments, open(config, "schedule", terminal).await?, terminal).await
        }
        Command::Verify(arguments) => verify::run(arguments, open(config, "verify", terminal).await?, terminal).await,
        Command::Runs(arguments) => runs::run(arguments, open(config, "runs", terminal).await?, terminal).await,
        Command::Match(arguments) => matches::run(arguments, open(config, "match", terminal).await?, terminal).await,
        Command::Rejected(arguments) => {
            rejected::run(arguments, open(config, "rejected", terminal).await?, terminal).await
        }
        Command::Serve(arguments) => serve::run(arguments, config, terminal).await,
        Command::Map(arguments) => map::run(arguments, open(config, "map", terminal).await?, terminal).await,
        Command::Drift(arguments) => drift::run(arguments, open(config, "drift", terminal).await?, terminal).await,
        Command::Promote(arguments) => {
            promote::run(arguments, open(config, "promote", terminal).await?, terminal).await
        }
        Command::Quota(arguments) => quota::run(arguments, open(config, "quota", terminal).await?, terminal).await,
        Command::Status(arguments) => status::run(arguments, open(config, "status", terminal).await?, terminal).await,
        Command::Token(arguments) => token::run(arguments, open(config, "token", terminal).await?, terminal).await,
        Command::ApiKey(arguments) => {
            token::run_api_key(arguments, open(config, "api-key", terminal).await?, terminal).await
        }
        Command::Webhook(arguments) => webhook::run(arguments, config, terminal).await,
        Command::Key(arguments) => key::run(arguments, config, terminal).await,
        Command::Settings(SettingsArguments {}) => Ok(settings(terminal)),
        Command::Completions(arguments) => Ok(completions::run(&arguments, terminal)),
        Command::Explain(arguments) => explain::run(&arguments, terminal),
    }
}

async fn open(config: Config, command: &str, terminal: &Terminal) -> Result<App, Error> {
    let app = App::open(config, Arc::new(SystemClock), &format!("orgtide {command}")).await?;
    app.notices().iter().for_each(|notice| terminal.notice(notice));
    Ok(app)
}

impl Globals {
    fn sources(&self) -> Sources {
        let flags = [("data_dir", &self.data_dir), ("log.level", &self.log_level)];
        Sources {
            file: self.config.clone(),
            environment: config::environment(),
            flags: flags.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect(),
        }
    }
}

fn start_log(config: &Config) {
    let level = config.log_level.as_str().to_lowercase();
    let ours = ["orgtide", "salesforce", "sync", "destinations", "emulator"].map(|name| format!("{name}={level}"));
    let filter = EnvFilter::new(format!("warn,{}", ours.join(",")));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match config.log_format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
}

/// Becomes true at the first Ctrl-C (or SIGTERM); the second one ends the process at once.
fn stop_signal(terminal: &Terminal, words: &'static str) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    let terminal = *terminal;
    tokio::spawn(async move {
        interrupted().await;
        terminal.notice(words);
        // Whoever does not listen any more has ended anyway.
        let _ = sender.send(true);
        interrupted().await;
        std::process::exit(Exit::Stopped as i32);
    });
    receiver
}

/// Tries the desktop's own opener, for somebody who sits at a terminal; the link is printed anyway.
fn open_browser(url: &str) {
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        return;
    }
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = std::process::Command::new(opener);
    command.arg(url).stdin(std::process::Stdio::null());
    // Nobody waits for it: it may live as long as the browser.
    let _ = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn();
}

/// Completes when somebody asks this process to end.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
