//! `orgtide runs`

use clap::{Args, Subcommand};
use serde_json::json;
use sync::read::ReadMode;

use super::{
    forecast,
    progress::destination_place,
    terminal::{Terminal, counted, grouped, short},
    verify,
};
use crate::{
    app::{
        App,
        runs::{RunDetail, RunStatus, StreamRun, mode_name},
    },
    error::{Error, Exit},
    store::runs::GAVE_WAY,
};

/// Shows what ran: what was asked, what was read and written, how long it took, and why it failed
///
/// The records of runs are kept as long as retention.runs_days says.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  orgtide runs acme\n  orgtide runs acme Contact --limit 5 --json\n  \
                  orgtide runs show run_0123456789abcdef0123"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<RunsCommand>,
    /// The connection's name
    #[arg(required = true)]
    connection: Option<String>,
    /// Only runs of these objects or tables
    objects: Vec<String>,
    /// At most this many
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: u32,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// Shows one run with everything that was counted, and the values that fitted no type
    ///
    /// These values are personal data, kept as long as retention.rejected_days says.
    #[command(after_help = "Example:\n  orgtide runs show run_0123456789abcdef0123")]
    Show {
        /// The run's id, as `orgtide runs` shows it
        run: String,
    },
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    match (arguments.command, arguments.connection) {
        (Some(RunsCommand::Show { run }), _) => show(&run, &app, terminal).await,
        (None, connection) => {
            let connection = connection.unwrap_or_default();
            list(&connection, &arguments.objects, arguments.limit, &app, terminal).await
        }
    }
}

async fn list(connection: &str, objects: &[String], limit: u32, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let runs = app.latest_runs(connection, objects, limit).await?;
    terminal.document(&json!({ "connection": connection, "runs": runs }));
    if runs.is_empty() {
        terminal.say("Nothing has run yet.");
        return Ok(Exit::Done);
    }
    let header = ["began", "object", "asked", "state", "seconds", "by", "rows", "deleted", "rejected", "calls", "run"];
    let rows = runs.iter().map(|run| row(run, app)).collect();
    terminal.table(&header, &[4, 6, 7, 8, 9], rows);
    Ok(Exit::Done)
}

fn row(run: &StreamRun, app: &App) -> Vec<String> {
    let status = &run.run;
    let counts = &status.counts;
    vec![
        short(status.started_at),
        if run.object == run.table { run.object.clone() } else { format!("{} → {}", run.object, run.table) },
        status.purpose.name().to_owned(),
        state(status),
        seconds(status, app),
        status.read_by.map(mode_name).unwrap_or_default().to_owned(),
        grouped(counts.rows),
        grouped(counts.deleted_rows + counts.swept_rows),
        grouped(counts.rejected_rows),
        grouped(counts.api_calls),
        status.id.clone(),
    ]
}

fn state(run: &RunStatus) -> String {
    match run.reason {
        Some(GAVE_WAY) => format!("{}, gave way to other customers", run.state),
        Some(_) | None => run.state.to_owned(),
    }
}

fn seconds(run: &RunStatus, app: &App) -> String {
    format!("{:.1}", run.took(app.now()).as_secs_f64())
}

async fn show(id: &str, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let detail = app.run_detail(id).await?;
    terminal.document(&detail);
    for (label, text) in facts(&detail, app) {
        terminal.say(format!("{label:<16} {text}"));
    }
    if let Some(certificate) = &detail.certificate {
        terminal.say("");
        verify::show(&detail.connection, certificate, terminal);
    }
    if !detail.values.is_empty() {
        terminal.say("\nValues that fitted no type; their cells are null:");
        let rows = detail.values.iter();
        let rows = rows.map(|value| vec![value.record_id.clone(), value.field.clone(), value.raw.clone()]);
        terminal.table(&["record", "field", "value"], &[], rows.collect());
    }
    Ok(Exit::Done)
}

/// What is known of a run, without what it did not do.
fn facts(detail: &RunDetail, app: &App) -> Vec<(&'static str, String)> {
    let StreamRun { object, table, destination, run } = &detail.run;
    let counts = &run.counts;
    let mut facts = vec![
        ("run", run.id.clone()),
        ("stream", format!("{object} of {} → {table} in {}", detail.connection, destination_place(destination))),
        ("asked", run.purpose.name().to_owned()),
        ("state", state(run)),
        ("began", short(run.started_at)),
        ("took", format!("{} s", seconds(run, app))),
    ];
    facts.extend(run.holder.clone().map(|holder| ("ran in", holder)));
    facts.extend(run.mapping_version.map(|version| ("mapping version", version.to_string())));
    facts.extend(run.read_by.map(|mode| ("read by", long_name(mode).to_owned())));
    facts.extend(run.window.map(|window| {
        let from = window.from.map_or_else(|| "the beginning".to_owned(), short);
        ("window", format!("{from} to {}", short(window.until)))
    }));
    if run.resumed {
        facts.push(("resumed", "it went on where an earlier run had stopped".to_owned()));
    }
    let numbers = [
        ("records read", counts.read),
        ("rows written", counts.rows),
        ("rows filled", counts.patched_rows),
        ("rows deleted", counts.deleted_rows),
        ("rows swept", counts.swept_rows),
        ("rows matched", counts.matched_rows),
        ("rows unmatched", counts.unmatched_rows),
        ("rows ambiguous", counts.ambiguous_rows),
        ("records rejected", counts.rejected_rows),
        ("values rejected", counts.rejected_values),
    ];
    let told = numbers.into_iter().filter(|(label, number)| *number > 0 || *label == "rows written");
    facts.extend(told.map(|(label, number)| (label, grouped(number))));
    let jobs =
        if counts.bulk_jobs > 0 { format!(", {}", counted(counts.bulk_jobs, "Bulk job")) } else { String::new() };
    let bytes = megabytes(counts.read_bytes);
    facts.push(("wire", format!("{}{jobs}, {bytes}", counted(counts.api_calls, "API call"))));
    facts.extend(detail.forecast.as_ref().map(|expected| ("forecast", forecast::in_short(expected))));
    let stages = counts.stages;
    let stages = [
        ("waiting", stages.waiting),
        ("reading", stages.reading),
        ("mapping", stages.mapping),
        ("writing", stages.writing),
    ];
    let stages: Vec<String> = stages
        .into_iter()
        .filter(|(_, millis)| *millis > 0)
        .map(|(stage, millis)| format!("{stage} {:.1} s", millis as f64 / 1000.0))
        .collect();
    if !stages.is_empty() {
        facts.push(("time", stages.join(", ")));
    }
    let why = if run.reason.is_some() { "waits" } else { "failed" };
    facts.extend(run.error.clone().map(|error| (why, error)));
    facts
}

fn long_name(mode: ReadMode) -> &'static str {
    match mode {
        ReadMode::Query => "REST query",
        ReadMode::Bulk => "Bulk API 2.0",
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
