//! `orgtide rejected`

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sync::mapping::RowProblem;

use super::{
    export::{self, Exported},
    import::STOPPING,
    progress::Bars,
    stage::show_again,
    stop_signal,
    terminal::{Terminal, counted, grouped, short},
};
use crate::{
    app::{
        App,
        import::Watcher,
        rejected::{RejectedOfStream, RejectedRecord},
    },
    error::{Error, Exit},
};

/// Shows the records that become no row, each with its reasons
///
/// A record leaves the list when it becomes a row: after it was put right in Salesforce, or the mapping was. What was
/// read of it is personal data: it is sealed, and kept as long as retention.rejected_days says.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  orgtide rejected acme\n  orgtide rejected acme Contact --reason email\n  \
                  orgtide rejected show acme Contact 0035g00000ABCDEAA4\n  \
                  orgtide rejected export acme Contact --to rejected.csv"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<RejectedCommand>,
    /// The connection's name
    #[arg(required = true)]
    connection: Option<String>,
    /// Only records of these objects or tables
    objects: Vec<String>,
    /// Only records whose reasons name this text: a column, or a part of the message
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// At most this many of each object
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Subcommand)]
enum RejectedCommand {
    /// Shows one record: every reason, and what was read of it
    #[command(after_help = "Example:\n  orgtide rejected show acme Contact 0035g00000ABCDEAA4")]
    Show {
        /// The connection's name
        connection: String,
        /// The object's API name, or the table
        object: String,
        /// The record's Id
        record: String,
    },
    /// Reads records again that became no row, writes those that are fine now, and keeps the others
    #[command(after_help = "Examples:\n  orgtide rejected retry acme\n  \
                            orgtide rejected retry acme Contact --record 0035g00000ABCDEAA4")]
    Retry {
        /// The connection's name
        connection: String,
        /// Only records of these objects or tables
        objects: Vec<String>,
        /// Only the record of this Id; may be repeated
        #[arg(long = "record", value_name = "ID")]
        records: Vec<String>,
    },
    /// Writes the records with their reasons into a file, for whoever puts them right
    ///
    /// The file is personal data: only its owner may read it, and nobody deletes it but you.
    #[command(after_help = "Example:\n  orgtide rejected export acme Contact --to rejected.csv")]
    Export {
        /// The connection's name
        connection: String,
        /// Only records of these objects or tables
        objects: Vec<String>,
        /// A file that does not exist yet: .csv, or .jsonl with one JSON document a line
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Only records whose reasons name this text
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    match arguments.command {
        Some(RejectedCommand::Show { connection, object, record }) => {
            let record = app.rejected_record(&connection, &object, &record).await?;
            show(&record, terminal);
        }
        Some(RejectedCommand::Retry { connection, objects, records }) => {
            let watcher: Arc<dyn Watcher> = Arc::new(Bars::wordless(*terminal));
            let stop = stop_signal(terminal, STOPPING);
            let again = app.retry_rejected(&connection, &objects, &records, &watcher, &stop).await?;
            return Ok(show_again(&again, "written", terminal));
        }
        Some(RejectedCommand::Export { connection, objects, to, reason }) => {
            let streams = app.rejected(&connection, &objects, reason.as_deref(), usize::MAX).await?;
            let exported: Vec<Exported<'_>> = streams.iter().flat_map(exported).collect();
            export::write(&to, &exported, terminal)?;
        }
        None => {
            let connection = arguments.connection.unwrap_or_default();
            let streams =
                app.rejected(&connection, &arguments.objects, arguments.reason.as_deref(), arguments.limit).await?;
            list(&connection, &streams, terminal);
        }
    }
    Ok(Exit::Done)
}

fn list(connection: &str, streams: &[RejectedOfStream], terminal: &Terminal) {
    terminal.document(&json!({ "connection": connection, "streams": streams }));
    if streams.iter().all(|stream| stream.total == 0) {
        terminal.say("Every record that was read is a row.");
        return;
    }
    for stream in streams.iter().filter(|stream| stream.total > 0) {
        let shown = stream.records.len() as u64;
        let part = if shown < stream.total { format!(", {} of them here", grouped(shown)) } else { String::new() };
        terminal.say(format!("{}: {}{part}", stream.object, counted(stream.total, "rejected record")));
        let rows = stream.records.iter().map(row).collect();
        terminal.table(&["  record", "why", "tries", "since", "last"], &[2], rows);
    }
}

fn row(record: &RejectedRecord) -> Vec<String> {
    vec![
        format!("  {}", record.record_id),
        record.problems.as_deref().map_or_else(|| "expired; `retry` says it anew".to_owned(), reasons),
        grouped(record.attempts),
        short(record.first_at),
        short(record.last_at),
    ]
}

/// All reasons in one line.
pub(super) fn reasons(problems: &[RowProblem]) -> String {
    let reason = |problem: &RowProblem| format!("{}: {}", problem.column, problem.message);
    problems.iter().map(reason).collect::<Vec<_>>().join("; ")
}

fn show(record: &RejectedRecord, terminal: &Terminal) {
    terminal.document(record);
    terminal.say(format!("{}, rejected {} since {}", record.record_id, times(record.attempts), short(record.first_at)));
    match &record.problems {
        Some(problems) => {
            problems.iter().for_each(|problem| terminal.say(format!("  {}: {}", problem.column, problem.message)));
        }
        None => terminal.say("  Why, and what was read of it, has expired. Reading it again says so anew."),
    }
    if let Some(fields) = record.record.as_ref().and_then(Value::as_object) {
        terminal.say("");
        let rows = fields.iter().map(|(field, value)| vec![format!("  {field}"), export::text(value)]);
        terminal.table(&["  field", "value"], &[], rows.collect());
    }
}

fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        number => format!("{} times", grouped(number)),
    }
}

fn exported(stream: &RejectedOfStream) -> impl Iterator<Item = Exported<'_>> {
    stream.records.iter().map(|record| Exported {
        object: &stream.object,
        record_id: &record.record_id,
        state: "rejected",
        reasons: record.problems.as_deref().map(reasons).unwrap_or_default(),
        fields: record.record.as_ref(),
    })
}
