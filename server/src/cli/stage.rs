//! `orgtide stage`

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sync::{run::Outcome, table::DeleteMode};

use super::{
    export::{self, Exported},
    import::{self, STOPPING},
    progress::{Bars, destination_place, document, exit_of, show_outcomes},
    rejected::reasons,
    stop_signal,
    terminal::{Terminal, counted, grouped, short},
};
use crate::{
    app::{
        App,
        import::{StreamOutcome, Watcher},
        stage::{Built, StageRequest, StageView, StagedRecord, TESTED, Tested, again::Again},
    },
    error::{Error, Exit},
    store::staged::{StagedState, Which},
};

/// Imports in stages: builds the table, tries the first records, judges all, and only then imports
///
/// `build` creates the table and shows it. `test` reads the first 10 records and writes them. `run` reads all, keeps each as
/// ready or as one that cannot be imported, with the reasons, and writes nothing. After that: `list`, `show`, `export`,
/// `select`, put records right in Salesforce and `retry`, and `import` what was selected, or everything. No sync and no
/// schedule runs the object before. What is kept is personal data: it is sealed, expires as retention.rejected_days says,
/// and goes with the import.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide stage build acme Contact --fields Id,LastName,Email
  orgtide stage test acme Contact
  orgtide stage run acme Contact
  orgtide stage list acme Contact --rejected
  orgtide stage retry acme Contact
  orgtide stage import acme Contact")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: StageCommand,
}

#[derive(Debug, Subcommand)]
enum StageCommand {
    /// Creates the table in the destination, or brings it up to date, and shows it; reads no record
    #[command(after_help = "Example:\n  orgtide stage build acme Contact --fields Id,LastName,Email")]
    Build(import::What),
    /// Reads the first 10 records, writes those that become rows, and shows both kinds
    #[command(after_help = "Example:\n  orgtide stage test acme Contact")]
    Test(import::What),
    /// Reads all records, or --limit of them, and keeps each as ready or as one that cannot be imported; writes nothing
    #[command(after_help = "Example:\n  orgtide stage run acme Contact --limit 1000")]
    Run(import::What),
    /// Lists staged records
    #[command(after_help = "Example:\n  orgtide stage list acme Contact --rejected --reason email")]
    List {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        filter: Filter,
        /// At most this many
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: usize,
    },
    /// Shows one staged record: the row as it would be written, or why it cannot be imported
    #[command(after_help = "Example:\n  orgtide stage show acme Contact 0035g00000ABCDEAA4")]
    Show {
        #[command(flatten)]
        of: Of,
        /// The record's Id
        record: String,
    },
    /// Writes staged records into a file that only its owner may read
    #[command(after_help = "Example:\n  orgtide stage export acme Contact --rejected --to contacts.csv")]
    Export {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        filter: Filter,
        /// A file that does not exist yet: .csv, or .jsonl with one JSON document a line
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Selects staged records for `import --selected`
    #[command(after_help = "Examples:\n  orgtide stage select acme Contact 0035g00000ABCDEAA4\n  \
                            orgtide stage select acme Contact --all\n  \
                            orgtide stage select acme Contact --reason email\n  \
                            orgtide stage select acme Contact --clear")]
    Select {
        #[command(flatten)]
        of: Of,
        /// Ids of records
        #[arg(required_unless_present_any = ["clear", "all", "reason"])]
        records: Vec<String>,
        /// All that are ready
        #[arg(long, conflicts_with_all = ["records", "reason"])]
        all: bool,
        /// Those that cannot be imported and whose reasons name this text: a column, or a part of the message
        #[arg(long, value_name = "TEXT", conflicts_with = "records")]
        reason: Option<String>,
        /// Takes them out of the selection; all when none is named
        #[arg(long)]
        clear: bool,
    },
    /// Reads records again that could not be imported, and judges them anew
    #[command(after_help = "Example:\n  orgtide stage retry acme Contact")]
    Retry {
        #[command(flatten)]
        of: Of,
        /// Ids of records [default: all that cannot be imported]
        records: Vec<String>,
    },
    /// Imports everything, or only the selected or named records
    ///
    /// Records are read anew, as they are in the org now. Importing everything ends the stage: from then on `orgtide sync`
    /// and schedules keep the table up to date.
    #[command(after_help = "Examples:\n  orgtide stage import acme Contact\n  \
                            orgtide stage import acme Contact --selected")]
    Import {
        #[command(flatten)]
        of: Of,
        /// Only the records of these Ids
        #[arg(conflicts_with = "selected")]
        records: Vec<String>,
        /// Only the selected records
        #[arg(long)]
        selected: bool,
    },
}

/// Whose stage.
#[derive(Debug, Args)]
struct Of {
    /// The connection's name
    connection: String,
    /// The object's API name, or the table
    object: String,
}

#[derive(Debug, Args)]
struct Filter {
    /// Only rows that are ready
    #[arg(long, group = "state")]
    ready: bool,
    /// Only records that cannot be imported
    #[arg(long, group = "state")]
    rejected: bool,
    /// Only records that have been written
    #[arg(long, group = "state")]
    written: bool,
    /// Only selected records
    #[arg(long, group = "state")]
    selected: bool,
    /// Only records whose reasons name this text: a column, or a part of the message
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Filter {
    fn which(&self) -> Which {
        match self {
            Self { ready: true, .. } => Which::Of(StagedState::Ready),
            Self { rejected: true, .. } => Which::Of(StagedState::Rejected),
            Self { written: true, .. } => Which::Of(StagedState::Written),
            Self { selected: true, .. } => Which::Selected,
            Self { .. } => Which::All,
        }
    }
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    match arguments.command {
        StageCommand::Build(how) => build(&request(&how)?, &app, terminal).await,
        StageCommand::Test(how) => test(&request(&how)?, &app, terminal).await,
        StageCommand::Run(how) => stage(&request(&how)?, &app, terminal).await,
        StageCommand::List { of, filter, limit } => {
            let view = app.staged(&of.connection, &of.object, &filter.which(), filter.reason.as_deref(), limit).await?;
            list(&view, terminal);
            Ok(Exit::Done)
        }
        StageCommand::Show { of, record } => {
            show(&app.staged_record(&of.connection, &of.object, &record).await?, terminal);
            Ok(Exit::Done)
        }
        StageCommand::Export { of, filter, to } => {
            let (which, reason) = (filter.which(), filter.reason.as_deref());
            let view = app.staged(&of.connection, &of.object, &which, reason, usize::MAX).await?;
            let records: Vec<Exported<'_>> = view.records.iter().map(|record| exported(&view.object, record)).collect();
            export::write(&to, &records, terminal)?;
            Ok(Exit::Done)
        }
        StageCommand::Select { of, records, all, reason, clear } => {
            let records = match (records.is_empty(), all, &reason) {
                (false, ..) => records,
                (true, true, _) => ids(&of, &Which::Of(StagedState::Ready), None, &app).await?,
                (true, false, Some(reason)) => ids(&of, &Which::Of(StagedState::Rejected), Some(reason), &app).await?,
                (true, false, None) => ids(&of, &Which::Selected, None, &app).await?,
            };
            select(&of, &records, !clear, &app, terminal).await
        }
        StageCommand::Retry { of, records } => {
            let (watcher, stop) = watched(terminal);
            let again = app.retry_staged(&of.connection, &of.object, &records, &watcher, &stop).await?;
            Ok(show_again(&[again], "ready", terminal))
        }
        StageCommand::Import { of, records, selected } => import_staged(&of, &records, selected, &app, terminal).await,
    }
}

fn request(how: &import::What) -> Result<StageRequest, Error> {
    Ok(StageRequest { import: import::request(how)?, says_how: how.says_how() })
}

/// Bars without a line at the end: a stage has its own words.
fn watched(terminal: &Terminal) -> (Arc<dyn Watcher>, tokio::sync::watch::Receiver<bool>) {
    (Arc::new(Bars::wordless(*terminal)), stop_signal(terminal, STOPPING))
}

async fn build(request: &StageRequest, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let built = app.build(request).await?;
    terminal.document(&json!({ "connection": request.import.connection, "tables": built }));
    for table in &built {
        show_table(table, terminal);
    }
    Ok(Exit::Done)
}

fn show_table(built: &Built, terminal: &Terminal) {
    let place = destination_place(&built.destination);
    terminal.say(format!("{}: table {} in {place}", built.object, built.table));
    let version = built.version.as_ref().map(|version| format!(", the newer {version} wins")).unwrap_or_default();
    let deletes = match built.deletes {
        DeleteMode::Flag => "the row of a deleted record stays, with _deleted set",
        DeleteMode::Remove => "the row of a deleted record goes",
    };
    terminal.say(format!("  one row for each _connection and {}{version}; {deletes}", built.key));
    let kind = |kind| serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
    let rows = built.columns.iter().map(|column| {
        vec![format!("  {}", column.name), kind(column.kind).unwrap_or_default(), column.fields.join(", ")]
    });
    terminal.table(&["  column", "type", "made of"], &[], rows.collect());
}

async fn test(request: &StageRequest, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let (watcher, stop) = watched(terminal);
    let tested = app.test(request, &watcher, &stop).await?;
    terminal.document(&json!({ "connection": request.import.connection, "streams": tested }));
    for one in &tested {
        show_test(one, terminal);
    }
    Ok(Exit::Done)
}

fn show_test(tested: &Tested, terminal: &Terminal) {
    let (written, rejected) = (tested.rows.len() as u64, tested.rejected.len() as u64);
    terminal.say(format!(
        "{}: of the first {TESTED} records, {} written into {} in {}, {rejected} cannot be imported",
        tested.object,
        counted(written, "row"),
        tested.table,
        destination_place(&tested.destination)
    ));
    for row in &tested.rows {
        let cells = row.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        let cells: Vec<String> = cells.map(|(column, value)| format!("{column}={}", export::text(value))).collect();
        terminal.say(format!("  written: {}", cells.join("  ")));
    }
    for record in &tested.rejected {
        let why = record.problems.as_deref().map(reasons).unwrap_or_default();
        terminal.say(format!("  cannot be imported: {}  {why}", record.record_id));
    }
}

async fn stage(request: &StageRequest, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let (watcher, stop) = watched(terminal);
    let outcomes = app.stage(request, &watcher, &stop).await?;
    let connection = &request.import.connection;
    let mut streams = Vec::new();
    for outcome in &outcomes {
        let mut told = document(outcome);
        if outcome.result.is_ok() {
            let view = app.staged(connection, &outcome.stream.table, &Which::All, None, 0).await?;
            told["staged"] = json!(view.status);
            say_staged(outcome, &view, terminal);
        }
        streams.push(told);
    }
    terminal.document(&json!({ "connection": connection, "streams": streams }));
    Ok(exit_of(&outcomes))
}

fn say_staged(outcome: &StreamOutcome, view: &StageView, terminal: &Terminal) {
    let counts = view.status.counts;
    let stopped = match &outcome.result {
        Ok(report) if report.outcome == Outcome::Stopped => ", stopped; the next `stage run` goes on here",
        Ok(_) | Err(_) => "",
    };
    terminal.say(format!(
        "{:<12} {} ready, {} cannot be imported{stopped}",
        view.object,
        grouped(counts.ready),
        grouped(counts.rejected)
    ));
    let (connection, object) = (&view.connection, &view.object);
    if counts.rejected > 0 {
        terminal.say(format!("Why: orgtide stage list {connection} {object} --rejected"));
    }
    terminal.say(format!("Nothing is written yet. To import: orgtide stage import {connection} {object}"));
}

fn list(view: &StageView, terminal: &Terminal) {
    terminal.document(view);
    let counts = view.status.counts;
    terminal.say(format!(
        "{}: {} ready, {} cannot be imported, {} written, {} selected; staged {}",
        view.object,
        grouped(counts.ready),
        grouped(counts.rejected),
        grouped(counts.written),
        grouped(counts.selected),
        short(view.status.staged_at)
    ));
    let rows = view.records.iter().map(|record| {
        let mark = if record.selected { "selected" } else { "" };
        vec![
            format!("  {}", record.record_id),
            state(record.state).to_owned(),
            mark.to_owned(),
            reasons(&record.problems),
        ]
    });
    terminal.table(&["  record", "state", "", "why"], &[], rows.collect());
}

fn state(state: StagedState) -> &'static str {
    match state {
        StagedState::Ready => "ready",
        StagedState::Rejected => "cannot be imported",
        StagedState::Written => "written",
    }
}

fn show(record: &StagedRecord, terminal: &Terminal) {
    terminal.document(record);
    terminal.say(format!("{}: {}", record.record_id, state(record.state)));
    record.problems.iter().for_each(|problem| terminal.say(format!("  {}: {}", problem.column, problem.message)));
    match record.fields.as_ref().and_then(Value::as_object) {
        Some(fields) => {
            let rows = fields.iter().map(|(field, value)| vec![format!("  {field}"), export::text(value)]);
            terminal.table(&["  field", "value"], &[], rows.collect());
        }
        None => terminal.say("  What was read of it is not kept any more."),
    }
}

fn exported<'a>(object: &'a str, record: &'a StagedRecord) -> Exported<'a> {
    Exported {
        object,
        record_id: &record.record_id,
        state: record.state.name(),
        reasons: reasons(&record.problems),
        fields: record.fields.as_ref(),
    }
}

/// The Ids of the staged records that are meant.
async fn ids(of: &Of, which: &Which, reason: Option<&str>, app: &App) -> Result<Vec<String>, Error> {
    let view = app.staged(&of.connection, &of.object, which, reason, usize::MAX).await?;
    Ok(view.records.into_iter().map(|record| record.record_id).collect())
}

async fn select(of: &Of, records: &[String], selected: bool, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let changed = app.select_staged(&of.connection, &of.object, records, selected).await?;
    terminal.document(&json!({ "connection": of.connection, "object": of.object, "changed": changed }));
    let words = if selected { "selected" } else { "taken out of the selection" };
    terminal.say(format!("{} {words}", counted(changed, "record")));
    Ok(Exit::Done)
}

async fn import_staged(
    of: &Of,
    records: &[String],
    selected: bool,
    app: &App,
    terminal: &Terminal,
) -> Result<Exit, Error> {
    if selected || !records.is_empty() {
        let (watcher, stop) = watched(terminal);
        let again = app.write_staged(&of.connection, &of.object, records, &watcher, &stop).await?;
        return Ok(show_again(&[again], "written", terminal));
    }
    let stop = stop_signal(terminal, STOPPING);
    let watcher: Arc<dyn Watcher> = Arc::new(Bars::new(*terminal));
    let outcome = app.import_staged(&of.connection, &of.object, &watcher, &stop).await?;
    Ok(show_outcomes(&of.connection, &[outcome], terminal))
}

/// What came of records that were read again.
pub(super) fn show_again(all: &[Again], fine: &str, terminal: &Terminal) -> Exit {
    terminal.document(&json!({ "streams": all }));
    if all.is_empty() {
        terminal.say("There is nothing to read again.");
    }
    for again in all {
        let gone = match again.gone {
            0 => String::new(),
            number => format!(", {} gone from the org or from the filter", grouped(number)),
        };
        terminal.say(format!(
            "{:<12} {} {fine}, {} still cannot be imported{gone}",
            again.object,
            grouped(again.fine),
            grouped(again.rejected)
        ));
    }
    if all.iter().any(|again| again.rejected > 0) { Exit::Partial } else { Exit::Done }
}
