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
#[command(after_help = "Examples:\n  orgtide sync acme\n  orgtide sync acme Contact --json\n  \
                  orgtide sync acme Contact --sweep")]
pub(super) struct Arguments {
    /// The connection's name
    connection: String,
    /// Only these objects [default: every object that was imported]
    objects: Vec<String>,
    /// Then holds all rows against the Ids that the org has: rows go whose records are gone though nobody has said so
    ///
    /// `orgtide sync` does so by itself now and then (read.sweep_hours), bit by bit, while the org has calls to spare; with
    /// this it is done at once and to its end.
    #[arg(long)]
    sweep: bool,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let stop = stop_signal(terminal, super::import::STOPPING);
    let watcher: Arc<dyn Watcher> = Arc::new(Bars::new(*terminal));
    let (connection, objects) = (&arguments.connection, &arguments.objects);
    let outcomes = match arguments.sweep {
        true => app.sweep(connection, objects, &watcher, &stop).await?,
        false => app.sync(connection, objects, &watcher, &stop).await?,
    };
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
