//! `orgtide match`

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use destinations::matching::{Comparison, Decision, Match, MatchStatus};
use serde_json::{Value, json};

use super::{
    export,
    terminal::{Terminal, counted},
};
use crate::{
    app::{
        App,
        matches::{MatchesOfStream, Retried},
    },
    error::{Error, Exit},
    store::journal::Actor,
};

/// Shows which rows of your own tables the records stand for, and decides what the rules cannot
///
/// A mapping with a `match` section links records to rows that are there already. What no row or several rows were found
/// for waits here. A decision stays until `match retry` is given the record.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  orgtide match list acme\n  orgtide match link acme Account 0015g00000ABCDEAA4 4711"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: MatchCommand,
}

#[derive(Debug, Subcommand)]
enum MatchCommand {
    /// Lists the records that wait for a decision, or those of another status
    #[command(after_help = "Examples:\n  orgtide match list acme\n  orgtide match list acme Account --status matched")]
    List {
        /// The connection's name
        connection: String,
        /// Only records of these objects or tables
        objects: Vec<String>,
        /// Which records
        #[arg(long, value_enum, default_value_t = Listed::Open)]
        status: Listed,
        /// At most this many of each object
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: u32,
    },
    /// Shows one record beside the rows that it may stand for
    #[command(after_help = "Example:\n  orgtide match show acme Account 0015g00000ABCDEAA4")]
    Show {
        #[command(flatten)]
        record: Record,
    },
    /// Says which row a record stands for, and fills the row
    #[command(after_help = "Example:\n  orgtide match link acme Account 0015g00000ABCDEAA4 4711")]
    Link {
        #[command(flatten)]
        record: Record,
        /// The key of your row
        key: String,
    },
    /// Says that a record stands for none of your rows
    #[command(after_help = "Example:\n  orgtide match ignore acme Account 0015g00000ABCDEAA4")]
    Ignore {
        #[command(flatten)]
        record: Record,
    },
    /// Applies the rules again: to all that wait, or to some records, whose decisions are forgotten
    #[command(
        after_help = "Examples:\n  orgtide match retry acme\n  orgtide match retry acme Account 0015g00000ABCDEAA4"
    )]
    Retry {
        /// The connection's name
        connection: String,
        /// Only records of this object or table
        object: Option<String>,
        /// The records' keys [default: all that wait]
        records: Vec<String>,
    },
}

/// Which record.
#[derive(Debug, Args)]
struct Record {
    /// The connection's name
    connection: String,
    /// The object's API name, or the table
    object: String,
    /// The record's key in the table: its Id, unless the mapping says otherwise
    record: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Listed {
    /// Unmatched and ambiguous
    Open,
    Matched,
    Unmatched,
    Ambiguous,
    Ignored,
}

impl Listed {
    fn statuses(self) -> &'static [MatchStatus] {
        match self {
            Self::Open => &[MatchStatus::Ambiguous, MatchStatus::Unmatched],
            Self::Matched => &[MatchStatus::Matched],
            Self::Unmatched => &[MatchStatus::Unmatched],
            Self::Ambiguous => &[MatchStatus::Ambiguous],
            Self::Ignored => &[MatchStatus::Ignored],
        }
    }
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    match arguments.command {
        MatchCommand::List { connection, objects, status, limit } => {
            let streams = app.matches(&connection, &objects, status.statuses(), limit).await?;
            list(&connection, &streams, terminal);
        }
        MatchCommand::Show { record: Record { connection, object, record } } => {
            show(&app.compared(&connection, &object, &record).await?, terminal);
        }
        MatchCommand::Link { record, key } => decide(record, Decision::Link(key), &app, terminal).await?,
        MatchCommand::Ignore { record } => decide(record, Decision::Ignore, &app, terminal).await?,
        MatchCommand::Retry { connection, object, records } => {
            let objects: Vec<String> = object.into_iter().collect();
            let retried = app.retry_matches(&connection, &objects, &records).await?;
            tried(&connection, &retried, terminal);
        }
    }
    Ok(Exit::Done)
}

async fn decide(record: Record, decision: Decision, app: &App, terminal: &Terminal) -> Result<(), Error> {
    let Record { connection, object, record } = record;
    let compared = app.decide_match(&connection, &object, &record, decision, &Actor::CommandLine).await?;
    show(&compared, terminal);
    Ok(())
}

fn list(connection: &str, streams: &[MatchesOfStream], terminal: &Terminal) {
    terminal.document(&json!({ "connection": connection, "streams": streams }));
    for stream in streams {
        let found = counted(stream.matches.len() as u64, "record");
        terminal.say(format!("{} and {}: {found}", stream.table, stream.matched_with));
        let rows: Vec<Vec<String>> = stream.matches.iter().map(row).collect();
        if !rows.is_empty() {
            terminal.table(&["  record", "is", "row", "since", "decided by"], &[], rows);
        }
    }
}

fn row(link: &Match) -> Vec<String> {
    let gone = if link.gone { ", deleted" } else { "" };
    vec![
        format!("  {}", link.record),
        format!("{}{gone}", link.status.text()),
        link.their_key.clone().unwrap_or_else(|| link.candidates.join(", ")),
        link.changed_at.clone(),
        link.decided_by.clone().unwrap_or_else(|| "rules".to_owned()),
    ]
}

fn show(compared: &Comparison, terminal: &Terminal) {
    terminal.document(compared);
    let link = &compared.link;
    let by = link.decided_by.as_ref().map_or_else(String::new, |name| format!(", as {name} said"));
    match &link.their_key {
        Some(key) => terminal.say(format!("{} stands for row {key}{by}.", link.record)),
        None => terminal.say(format!("{} is {}{by}.", link.record, link.status.text())),
    }
    let line = |whose: &str, values: &BTreeMap<String, Value>| {
        values.iter().map(|(name, value)| vec![format!("  {whose}"), name.clone(), export::text(value)]).collect()
    };
    let mut rows: Vec<Vec<String>> = line("Salesforce", &compared.ours);
    for (key, values) in &compared.theirs {
        let theirs: Vec<Vec<String>> = line(&format!("row {key}"), values);
        rows.extend(theirs);
    }
    terminal.table(&["  whose", "column", "value"], &[], rows);
}

fn tried(connection: &str, streams: &[Retried], terminal: &Terminal) {
    terminal.document(&json!({ "connection": connection, "streams": streams }));
    for Retried { table, matched, unmatched, ambiguous, .. } in streams {
        terminal.say(format!(
            "{table}: {} matched, {unmatched} unmatched, {ambiguous} ambiguous",
            counted(*matched, "record")
        ));
    }
}
