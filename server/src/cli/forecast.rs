//! `orgtide forecast`

use clap::Args;
use serde_json::json;
use sync::forecast::Expected;

use super::{
    import::{What, request},
    terminal::{Terminal, counted, grouped},
};
use crate::{
    app::{App, cost::Cost, runs::mode_name},
    error::{Error, Exit},
    schedule::when::Schedule,
};

/// Says what an import would cost: rows, megabytes, API calls, Bulk jobs, minutes, and how much of the quota
///
/// Asks one call an object, the first page of what the import would read, and those that describe objects. `orgtide runs
/// show` has the forecast beside what the import then did cost.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide forecast acme Account Contact
  orgtide forecast acme Contact --where \"Email != null\" --every 15m
  orgtide forecast acme --mapping contacts.toml --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    what: What,
    /// What bringing them up to date by this schedule would cost in 24 hours
    #[arg(long, value_name = "WHEN")]
    every: Option<Schedule>,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let request = request(&arguments.what)?;
    let cost = app.cost(&request, arguments.every.as_ref()).await?;
    terminal.document(&json!({ "connection": request.connection, "forecast": cost }));
    let header = ["object", "by", "rows", "MB", "calls", "jobs", "time"];
    let rows = cost.objects.iter().map(|one| row(&one.object, &one.expected)).collect();
    terminal.table(&header, &[2, 3, 4, 5, 6], rows);
    for line in summary(&cost) {
        terminal.say(line);
    }
    Ok(Exit::Done)
}

fn row(object: &str, expected: &Expected) -> Vec<String> {
    vec![
        object.to_owned(),
        mode_name(expected.mode).to_owned(),
        grouped(expected.rows),
        megabytes(expected.bytes),
        grouped(expected.calls),
        grouped(expected.jobs),
        time(expected.seconds),
    ]
}

fn summary(cost: &Cost) -> Vec<String> {
    let calls = counted(cost.calls, "API call");
    let describes = match cost.describe_calls {
        0 => String::new(),
        number => format!(" ({} to describe the objects)", grouped(number)),
    };
    let jobs = counted(cost.jobs, "Bulk job");
    let rows = counted(cost.rows, "row");
    let mut lines = vec![format!(
        "In all: {rows}, {} MB, {calls}{describes}, {jobs}, {}",
        megabytes(cost.bytes),
        time(cost.seconds)
    )];
    let org = cost.percent_of_org.map(|percent| format!(", {} of what the org has left", share(percent)));
    let budget = share(cost.percent_of_budget);
    lines.push(format!("That is {budget} of what is left of the budget{}", org.unwrap_or_default()));
    if !cost.unknown.is_empty() {
        let unknown = cost.unknown.join(", ");
        lines
            .push(format!("Not in it: {unknown}, which is asked for by its parents; nobody knows beforehand how many"));
    }
    if cost.percent_of_budget > 100.0 {
        lines.push("It is more than is left: the import stops in between, and goes on when calls are free".to_owned());
    }
    lines.extend(cost.scheduled_calls.map(|calls| {
        let calls = counted(calls, "API call");
        format!("The schedule costs about {calls} in 24 hours, and more where more than a page has changed")
    }));
    if cost.objects.iter().any(|one| one.expected.is_rate_assumed) {
        lines.push("The time is an assumption: nothing as large has been read here yet".to_owned());
    }
    lines
}

/// What a run was expected to cost, in a line.
pub(super) fn in_short(expected: &Expected) -> String {
    let Expected { rows, bytes, calls, jobs, seconds, .. } = expected;
    format!(
        "{} by {}, {}, {}, {} MB, {}",
        counted(*rows, "record"),
        mode_name(expected.mode),
        counted(*calls, "API call"),
        counted(*jobs, "Bulk job"),
        megabytes(*bytes),
        time(*seconds)
    )
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds => format!("{:.0} min", seconds / 60.0),
    }
}

fn share(percent: f64) -> String {
    if percent < 0.1 { "less than 0.1 %".to_owned() } else { format!("{percent:.1} %") }
}
