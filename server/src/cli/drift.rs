//! `orgtide drift`

use clap::{Args, Subcommand};
use serde_json::json;

use super::terminal::{Terminal, short};
use crate::{
    app::{App, drift::DriftEntry},
    error::{Error, Exit},
    store::{drifts::DriftState, journal::Actor},
};

/// Shows how the fields of an org have changed, and decides what its streams read from now on
///
/// A mapping says what happens when fields come, go or change their type: `drift = "apply"` goes on with what is there, fills
/// new columns for the rows of before and keeps the values of gone ones; "ask" goes on with what was agreed; "stop" reads
/// nothing until somebody decides.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  orgtide drift acme
  orgtide drift accept acme Contact
  orgtide drift reject acme"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    decision: Option<Decision>,
    #[command(flatten)]
    shown: Option<Shown>,
}

#[derive(Debug, Args)]
struct Shown {
    /// The connection's name
    connection: String,
    /// Objects [default: every object that was imported]
    objects: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Decision {
    /// Goes on with the fields that the org has now; new columns are filled for the rows of before
    #[command(after_help = "Example:\n  orgtide drift accept acme Contact")]
    Accept(Shown),
    /// Stays with the fields that were agreed, as far as they are there
    #[command(after_help = "Example:\n  orgtide drift reject acme Contact")]
    Reject(Shown),
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    match (arguments.decision, arguments.shown) {
        (Some(Decision::Accept(shown)), _) => decide(&shown, true, &app, terminal).await,
        (Some(Decision::Reject(shown)), _) => decide(&shown, false, &app, terminal).await,
        (None, Some(shown)) => show(&shown, &app, terminal).await,
        (None, None) => {
            Err(Error::Missing { what: "the connection's name", remedy: "name a connection: orgtide drift acme" })
        }
    }
}

async fn decide(shown: &Shown, accept: bool, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let Shown { connection, objects } = shown;
    let decided = app.decide_drifts(connection, objects, accept, &Actor::CommandLine).await?;
    terminal.document(&json!({ "connection": connection, "decided": decided }));
    let words =
        if accept { "accepted: the next run reads what the org has now" } else { "rejected: it stays as it was" };
    if decided.is_empty() {
        terminal.say("nothing is pending");
    }
    decided.iter().for_each(|object| terminal.say(format!("{object}: {words}")));
    Ok(Exit::Done)
}

async fn show(shown: &Shown, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let Shown { connection, objects } = shown;
    let drifts = app.drifts(connection, objects).await?;
    terminal.document(&json!({ "connection": connection, "drifts": drifts }));
    if drifts.is_empty() {
        terminal.say("the fields are as they were when they were first read");
    }
    drifts.iter().for_each(|drift| say(drift, terminal));
    if let Some(pending) = drifts.iter().find(|drift| drift.state == DriftState::Pending) {
        let object = &pending.object;
        terminal.say(format!(
            "decide with: orgtide drift accept {connection} {object}, or orgtide drift reject {connection} {object}"
        ));
    }
    Ok(Exit::Done)
}

fn say(drift: &DriftEntry, terminal: &Terminal) {
    let decided = match (&drift.decided_by, drift.decided_at) {
        (Some(actor), Some(at)) => format!(" by {} at {}", actor.text(), short(at)),
        _ => String::new(),
    };
    terminal.say(format!("{}: {}, {}{decided}", short(drift.found_at), drift.object, drift.state.name()));
    drift.words.iter().for_each(|change| terminal.say(format!("  {change}")));
}
