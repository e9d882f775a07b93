//! `orgtide sync`

use std::sync::Arc;

use clap::Args;

use super::{
    progress::{Bars, show_outcomes},
    stop_signal,
    terminal::Terminal,
};
use crate::{
    app::{App, import::Watcher},
    connection::forecast::Unless,
    error::{Error, Exit},
};

/// Brings imported objects up to date: what was inserted, changed or deleted since
///
/// Reads what has changed since the last run. Ctrl-C ends it at a place from which the next run goes on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  orgtide sync acme\n  orgtide sync acme Contact --json")]
pub(super) struct Arguments {
    /// The connection's name
    connection: String,
    /// Only these objects [default: every object that was imported]
    objects: Vec<String>,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let stop = stop_signal(terminal, super::import::STOPPING);
    let watcher: Arc<dyn Watcher> = Arc::new(Bars::new(*terminal));
    let outcomes = app.sync(&arguments.connection, &arguments.objects, &watcher, &stop).await?;
    let exit = show_outcomes(&arguments.connection, &outcomes, terminal);
    let (_, prospect) = app.prospect(&arguments.connection).await?;
    // What keeps itself alive needs no words here; `status` and `connection show` have them.
    if prospect.forecast.end.is_some_and(|end| end.unless == Unless::SignedInAgain) {
        terminal.notice(&prospect.forecast.text);
    }
    if let Some(warning) = &prospect.approvals_warning {
        terminal.warning(warning);
    }
    Ok(exit)
}
