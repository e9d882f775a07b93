//! `orgtide key`

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::terminal::{Terminal, counted};
use crate::{
    app::App,
    clock::SystemClock,
    config::Config,
    error::{Error, Exit},
    store::{journal::Actor, sealed::KeyUse},
};

/// Replaces and checks the key that secrets are sealed with
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  orgtide key check\n  orgtide key rotate")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a new key and seals everything anew with it, while other processes go on
    ///
    /// A keyring that comes from a command or from the environment has to hold the new key already: add a line with a
    /// higher number to it, then run this.
    Rotate,
    /// Says what each key seals, and which one may be dropped
    Check,
    /// Forgets every sealed secret because its key is lost; all connections need a new sign-in
    GiveUp {
        /// Says that the key is lost for good
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(arguments: Arguments, config: Config, terminal: &Terminal) -> Result<Exit, Error> {
    match arguments.command {
        Command::Rotate => {
            let app = super::open(config, "key rotate", terminal).await?;
            let rotated = app.rotate_key(&Actor::CommandLine).await?;
            terminal.document(&json!({ "rotated": rotated }));
            terminal.say(format!(
                "Key {} seals from now on; {} sealed anew.",
                rotated.key,
                counted(rotated.resealed, "record")
            ));
            show(&rotated.uses, terminal);
            Ok(Exit::Done)
        }
        Command::Check => {
            let app = super::open(config, "key check", terminal).await?;
            let uses = app.key_uses().await?;
            terminal.document(&json!({ "keys": uses }));
            show(&uses, terminal);
            let is_well = uses.iter().all(|known| known.is_in_the_keyring || known.records == 0);
            Ok(if is_well { Exit::Done } else { Exit::Partial })
        }
        Command::GiveUp { yes } => {
            if !yes {
                return Err(Error::Missing {
                    what: "a confirmation",
                    remedy: "give --yes: every stored secret is forgotten, and each connection needs a new sign-in",
                });
            }
            App::give_up_lost_key(&config, Arc::new(SystemClock)).await?;
            terminal.document(&json!({ "given_up": true }));
            terminal.say(
                "All sealed secrets are forgotten. Connect again under the same names: streams and data are kept.",
            );
            Ok(Exit::Done)
        }
    }
}

fn show(uses: &[KeyUse], terminal: &Terminal) {
    for known in uses {
        let KeyUse { key, records, .. } = known;
        let records = counted(*records, "record");
        terminal.say(match known {
            KeyUse { is_in_the_keyring: false, .. } => format!(
                "  key {key}: seals {records}, and is NOT in the keyring: put it back, or connect again what it sealed"
            ),
            KeyUse { is_newest: true, .. } => format!("  key {key}: seals {records} and all that comes"),
            KeyUse { records: 0, .. } => format!(
                "  key {key}: seals nothing any more. It may be dropped from the keyring as soon as no process runs that \
                 got its keyring from a command or the environment before the rotation; those that read a file have \
                 noticed by themselves"
            ),
            _ => format!("  key {key}: still seals {records}: run `orgtide key rotate` again"),
        });
    }
}
