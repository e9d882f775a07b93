//! `orgtide webhook`

use clap::{Args, Subcommand};
use destinations::webhook::{
    generate,
    letters::{Letter, LetterState, Replayed},
};
use salesforce::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{
    open,
    terminal::{Terminal, counted, short},
};
use crate::{
    app::{
        App,
        webhooks::{Letters, Meant, Sent, WholeLetter},
    },
    config::Config,
    error::{Error, Exit},
    store::journal::Actor,
};

/// Shows and replays what the receiver of a webhook has not taken
///
/// Rows go to a receiver as signed messages: `orgtide import acme Contact --to webhook:https://hooks.example.com/acme`. A
/// message that a receiver refuses for itself becomes a dead letter, and waits here. docs/webhooks.md tells it whole.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orgtide webhook secret\n  orgtide webhook test webhook:https://hooks.example.com/acme\n  \
                  orgtide webhook list acme --dead\n  orgtide webhook replay acme --all"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: WebhookCommand,
}

#[derive(Debug, Subcommand)]
enum WebhookCommand {
    /// Makes a signing secret and prints it; nothing keeps it
    #[command(after_help = "Example:\n  (umask 077; orgtide webhook secret > /run/secrets/webhook)")]
    Secret,
    /// Sends a message that says nothing, to try address, policy, signature and answer
    #[command(after_help = "Examples:\n  orgtide webhook test webhook:https://hooks.example.com/acme\n  \
                            orgtide webhook test acme")]
    Test {
        /// An address as import takes it, or a connection's name: then its receivers
        target: String,
    },
    /// Lists the messages that wait for their receiver, and the dead letters
    #[command(after_help = "Example:\n  orgtide webhook list acme --dead")]
    List {
        /// The connection's name
        connection: String,
        /// Only dead letters
        #[arg(long)]
        dead: bool,
    },
    /// Shows one message: what it says, and what its receiver answered
    #[command(after_help = "Example:\n  orgtide webhook show acme msg_3f0c9a…")]
    Show {
        /// The connection's name
        connection: String,
        /// The message's id
        id: String,
    },
    /// Sends dead letters again, under the same ids
    ///
    /// Rows that later messages have told since are left out.
    #[command(
        after_help = "Examples:\n  orgtide webhook replay acme --all\n  orgtide webhook replay acme msg_3f0c9a…\n  \
                            orgtide webhook replay acme --since 2026-11-22T00:00:00Z"
    )]
    Replay {
        #[command(flatten)]
        which: Which,
        /// Only those made at this moment or later
        #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with_all = ["ids", "all"])]
        since: Option<Timestamp>,
    },
    /// Removes dead letters for good
    #[command(after_help = "Example:\n  orgtide webhook discard acme msg_3f0c9a…")]
    Discard {
        #[command(flatten)]
        which: Which,
    },
    /// Makes a waiting message a dead letter, so that those behind it are sent
    ///
    /// For a message that breaks its receiver: one that is answered with 500 waits for better times otherwise.
    #[command(after_help = "Example:\n  orgtide webhook set-aside acme msg_3f0c9a…")]
    SetAside {
        /// The connection's name
        connection: String,
        /// The message's id
        id: String,
    },
    /// Has the next import send every row, as if its receiver knew none
    #[command(after_help = "Example:\n  orgtide webhook resend acme Contact && orgtide import acme Contact \
                            --to webhook:https://hooks.example.com/acme")]
    Resend {
        /// The connection's name
        connection: String,
        /// Only rows of these objects or tables
        objects: Vec<String>,
    },
}

/// Which dead letters.
#[derive(Debug, Args)]
struct Which {
    /// The connection's name
    connection: String,
    /// The messages' ids
    ids: Vec<String>,
    /// All dead letters of the connection
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

impl Which {
    /// What is meant; `None`: nothing is named.
    fn meant(&self) -> Option<Meant> {
        match (self.all, self.ids.is_empty()) {
            (true, _) => Some(Meant::All),
            (false, false) => Some(Meant::Ids(self.ids.clone())),
            (false, true) => None,
        }
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "write a time such as 2026-11-22T00:00:00Z".to_owned())
}

pub(super) async fn run(arguments: Arguments, config: Config, terminal: &Terminal) -> Result<Exit, Error> {
    if let WebhookCommand::Secret = arguments.command {
        let secret = generate().map_err(|error| Error::Unreadable {
            what: "the system's randomness".to_owned(),
            reason: error.to_string(),
        })?;
        terminal.document(&json!({ "secret": secret.expose_secret() }));
        terminal.say(secret.expose_secret());
        return Ok(Exit::Done);
    }
    let app = open(config, "webhook", terminal).await?;
    match arguments.command {
        WebhookCommand::Secret => {}
        WebhookCommand::Test { target } => {
            let tried = app.try_webhooks(&target).await?;
            terminal.document(&json!({ "taken_by": tried }));
            tried.iter().for_each(|receiver| terminal.say(format!("{receiver} has taken the message.")));
        }
        WebhookCommand::List { connection, dead } => {
            let mut receivers = app.letters(&connection).await?;
            for one in &mut receivers {
                one.letters.retain(|letter| !dead || letter.state == LetterState::Dead);
            }
            list(&connection, &receivers, terminal);
        }
        WebhookCommand::Show { connection, id } => show(&app.letter(&connection, &id).await?, terminal),
        WebhookCommand::Replay { which, since } => {
            let meant = since.map(Meant::Since).or_else(|| which.meant());
            let Some(meant) = meant else { return Ok(unsaid(terminal)) };
            return replay(&app, &which.connection, &meant, terminal).await;
        }
        WebhookCommand::Discard { which } => {
            let Some(meant) = which.meant() else { return Ok(unsaid(terminal)) };
            let discarded = app.discard_letters(&which.connection, &meant, &Actor::CommandLine).await?;
            terminal.document(&json!({ "connection": which.connection, "discarded": discarded }));
            terminal.say(format!("{} discarded.", counted(discarded, "dead letter")));
        }
        WebhookCommand::SetAside { connection, id } => {
            app.set_letter_aside(&connection, &id, &Actor::CommandLine).await?;
            terminal.document(&json!({ "connection": connection, "set_aside": id }));
            terminal.say(format!("{id} is a dead letter now. The next run sends those behind it."));
        }
        WebhookCommand::Resend { connection, objects } => {
            let rows = app.resend_rows(&connection, &objects, &Actor::CommandLine).await?;
            terminal.document(&json!({ "connection": connection, "rows": rows }));
            terminal.say(format!("The next import sends {} again.", counted(rows, "row")));
        }
    }
    Ok(Exit::Done)
}

/// Nothing was said about which letters are meant.
fn unsaid(terminal: &Terminal) -> Exit {
    terminal.notice("Name the messages by their ids, or give --all.");
    Exit::Usage
}

async fn replay(app: &App, connection: &str, meant: &Meant, terminal: &Terminal) -> Result<Exit, Error> {
    let sent = app.replay_letters(connection, meant, &Actor::CommandLine).await?;
    terminal.document(&json!({ "connection": connection, "messages": sent }));
    if sent.is_empty() {
        terminal.say("There is no dead letter.");
    }
    for Sent { letter, outcome } in &sent {
        let outcome = match outcome {
            Replayed::Taken { left_out: 0 } => "taken".to_owned(),
            Replayed::Taken { left_out } => {
                format!("taken, without {} that later messages have told since", counted(*left_out, "row"))
            }
            Replayed::Overtaken => "not sent: later messages have told all of it since".to_owned(),
            Replayed::Refused { reason } => format!("refused again: {reason}"),
        };
        terminal.say(format!("{}: {outcome}", letter.id));
    }
    let is_refused = |sent: &Sent| matches!(sent.outcome, Replayed::Refused { .. });
    Ok(if sent.iter().any(is_refused) { Exit::Partial } else { Exit::Done })
}

fn list(connection: &str, receivers: &[Letters], terminal: &Terminal) {
    terminal.document(&json!({ "connection": connection, "receivers": receivers }));
    for Letters { receiver, letters } in receivers {
        let dead = letters.iter().filter(|letter| letter.state == LetterState::Dead).count() as u64;
        let waiting = letters.len() as u64 - dead;
        terminal.say(format!("{receiver}: {}, {waiting} waiting", counted(dead, "dead letter")));
        if !letters.is_empty() {
            let rows = letters.iter().map(row).collect();
            terminal.table(&["  message", "of", "is", "tries", "made", "answer"], &[3], rows);
        }
    }
}

fn row(letter: &Letter) -> Vec<String> {
    vec![
        format!("  {}", letter.id),
        letter.table.clone(),
        state(letter).to_owned(),
        letter.attempts.to_string(),
        short(letter.made_at),
        letter.answer.clone().unwrap_or_default(),
    ]
}

fn state(letter: &Letter) -> &'static str {
    match letter.state {
        LetterState::Waiting => "waiting",
        LetterState::Dead => "dead",
    }
}

fn show(whole: &WholeLetter, terminal: &Terminal) {
    terminal.document(whole);
    let WholeLetter { letter, body } = whole;
    terminal.say(format!(
        "{} of {}, {}, tried {}",
        letter.id,
        letter.table,
        state(letter),
        counted(letter.attempts.into(), "time")
    ));
    if let Some(answer) = &letter.answer {
        terminal.say(format!("The last time, {answer}."));
    }
    terminal.say(serde_json::to_string_pretty(body).unwrap_or_default());
}
