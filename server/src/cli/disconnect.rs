//! `orgtide disconnect`

use std::io::IsTerminal;

use clap::Args;
use inquire::{Confirm, Select};
use serde_json::json;

use super::terminal::{Terminal, counted};
use crate::{
    app::{
        App,
        disconnect::{Data, Disconnected, Revocation},
    },
    error::{Error, Exit},
    store::journal::Actor,
};

/// Ends a connection: revokes its tokens at Salesforce, forgets its secrets, keeps or removes its data
///
/// Asks what becomes of the imported rows, unless it is told. A token that cannot be revoked is said, with the way to
/// revoke it in Setup; its secrets are forgotten here all the same.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orgtide disconnect acme --keep-data --yes")]
pub(super) struct Arguments {
    /// The connection's name
    name: String,
    /// The imported rows stay where they are
    #[arg(long, conflicts_with = "delete_data")]
    keep_data: bool,
    /// The imported rows, the streams and their runs are removed
    #[arg(long)]
    delete_data: bool,
    /// Does not ask whether you are sure
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let name = &arguments.name;
    let data = match (arguments.keep_data, arguments.delete_data) {
        (true, _) => Data::Keep,
        (_, true) => Data::Delete,
        (false, false) => ask_about_data(name)?,
    };
    if !arguments.yes && !is_sure(name, data)? {
        terminal.say("Nothing was changed.");
        return Ok(Exit::Done);
    }
    let ended = app.disconnect(name, data, &Actor::CommandLine).await?;
    terminal.document(&json!({ "disconnected": ended }));
    show(&ended, terminal);
    Ok(match ended.revocation {
        Revocation::Failed { .. } => Exit::Partial,
        Revocation::Done | Revocation::Before => Exit::Done,
    })
}

fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn ask_about_data(name: &str) -> Result<Data, Error> {
    if !is_interactive() {
        return Err(Error::Missing { what: "what becomes of the data", remedy: "give --keep-data or --delete-data" });
    }
    let (keep, delete) = ("Keep the imported rows", "Remove the imported rows");
    let answer = Select::new(&format!("What becomes of the data of {name}?"), vec![keep, delete]).prompt();
    match answer {
        Ok(answer) => Ok(if answer == delete { Data::Delete } else { Data::Keep }),
        Err(error) => Err(Error::Unreadable { what: "the answer".into(), reason: error.to_string() }),
    }
}

fn is_sure(name: &str, data: Data) -> Result<bool, Error> {
    if !is_interactive() {
        return Err(Error::Missing { what: "a confirmation", remedy: "give --yes" });
    }
    let question = match data {
        Data::Keep => format!("End {name}, and keep its data?"),
        Data::Delete => format!("End {name}, and remove its data?"),
    };
    let answer = Confirm::new(&question).with_default(false).prompt();
    answer.map_err(|error| Error::Unreadable { what: "the answer".into(), reason: error.to_string() })
}

fn show(ended: &Disconnected, terminal: &Terminal) {
    let name = &ended.connection;
    match &ended.revocation {
        Revocation::Done => {
            terminal.say(format!("{name} is ended: revoked at Salesforce, and its secrets are forgotten."))
        }
        Revocation::Before => {
            terminal.say(format!("{name} is ended. There was nothing left to revoke; its secrets are forgotten."));
        }
        Revocation::Failed { reason, remedy } => {
            terminal
                .say(format!("{name} is ended here and its secrets are forgotten, but it is not revoked: {reason}"));
            terminal.say(format!("  what to do: {remedy}"));
        }
    }
    for removed in &ended.removed {
        terminal.say(format!(
            "  {}: {} removed from {}",
            removed.object,
            counted(removed.rows, "row"),
            removed.destination
        ));
    }
    if let Some(left) = &ended.left_in_the_org {
        terminal.say(left);
    }
}
