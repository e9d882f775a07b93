//! Progress of runs on standard error, and their outcomes on standard output.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use destinations::DestinationSettings;
use indicatif::{FormattedDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use sync::{
    checkpoint::Swept,
    read::Phase,
    run::{Counts, Deletions, Outcome},
};

use super::terminal::{Terminal, counted, error_document, grouped};
use crate::{
    app::{
        import::{RunEvent, StreamOutcome, Watcher},
        runs::mode_name,
    },
    error::{Error, Exit},
};

/// A bar a stream, with rows, rate, time to go, and API calls; nothing where nobody watches.
pub(super) struct Bars {
    terminal: Terminal,
    indent: &'static str,
    /// A line tells how each stream ended.
    has_words: bool,
    bars: Mutex<HashMap<String, ProgressBar>>,
}

impl Bars {
    pub(super) fn new(terminal: Terminal) -> Self {
        Self::indented(terminal, "")
    }

    /// Bars and lines that begin with `indent`.
    pub(super) fn indented(terminal: Terminal, indent: &'static str) -> Self {
        Self { terminal, indent, has_words: true, bars: Mutex::default() }
    }

    /// Bars alone.
    pub(super) fn wordless(terminal: Terminal) -> Self {
        Self { has_words: false, ..Self::new(terminal) }
    }

    fn start(&self, stream: &str, object: &str) {
        // indicatif draws nothing when standard error is no terminal.
        let target = if self.terminal.is_json() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target)
            .with_style(waiting())
            .with_prefix(format!("{}{object}", self.indent));
        bar.enable_steady_tick(Duration::from_millis(120));
        bar.set_message("asking");
        self.bars.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.to_owned(), bar);
    }

    fn on<T>(&self, stream: &str, act: impl FnOnce(&ProgressBar) -> T) -> Option<T> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner).get(stream).map(act)
    }
}

impl Watcher for Bars {
    fn event(&self, event: RunEvent<'_>) {
        match event {
            RunEvent::Started { stream } => self.start(&stream.id, &stream.object),
            RunEvent::Phase { stream, phase } => {
                self.on(&stream.id, |bar| show_phase(bar, phase));
            }
            RunEvent::Progress { stream, counts, org_used, org_max } => {
                self.on(&stream.id, |bar| {
                    bar.set_position(counts.read);
                    bar.set_message(rates(bar, &counts, org_used.zip(org_max)));
                });
            }
            RunEvent::Ended { outcome } => {
                self.on(&outcome.stream.id, ProgressBar::finish_and_clear);
                let line = format!("{}{}", self.indent, line(outcome));
                match outcome.result {
                    Ok(_) if !self.has_words => {}
                    Ok(_) => self.terminal.say(line),
                    Err(_) => self.terminal.notice(&line),
                }
            }
        }
    }
}

fn waiting() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:<12} {spinner} {msg}").expect("the template is right")
}

fn reading(is_total_known: bool) -> ProgressStyle {
    let template = if is_total_known {
        "{prefix:<12} {bar:24} {human_pos}/{human_len} rows  {msg}"
    } else {
        "{prefix:<12} {spinner} {human_pos} rows  {msg}"
    };
    ProgressStyle::with_template(template).expect("the template is right").progress_chars("━╸─")
}

fn show_phase(bar: &ProgressBar, phase: Phase) {
    match phase {
        Phase::Job { records, .. } => {
            bar.set_style(waiting());
            bar.set_message(format!("Salesforce is preparing a Bulk job: {}", counted(records, "record")));
        }
        Phase::Reading { total, .. } => {
            bar.set_style(reading(total.is_some()));
            bar.set_message("");
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.reset_elapsed();
        }
        Phase::JobAgain { reason } => bar.println(format!("  {reason}; another job is made")),
        Phase::FellBack { reason } => bar.println(format!("  Bulk is not possible ({reason}); reading by REST")),
    }
}

fn rates(bar: &ProgressBar, counts: &Counts, quota: Option<(u64, u64)>) -> String {
    let seconds = bar.elapsed().as_secs_f64().max(0.001);
    let quota = quota.map(|(used, max)| format!(" ({}/{} of the day)", grouped(used), grouped(max)));
    // Nobody knows before the first rows.
    let to_go = bar.length().filter(|_| counts.read > 0).map(|_| format!("  {} to go", FormattedDuration(bar.eta())));
    format!(
        "{} rows/s  {:.1} MB/s  {}{}{}",
        grouped((counts.read as f64 / seconds) as u64),
        counts.wire_bytes as f64 / 1e6 / seconds,
        counted(counts.api_calls, "API call"),
        quota.unwrap_or_default(),
        to_go.unwrap_or_default()
    )
}

/// One stream's outcome, for people.
fn line(outcome: &StreamOutcome) -> String {
    let object = &outcome.stream.object;
    let report = match &outcome.result {
        Ok(report) => report,
        Err(error) if error.over_budget().is_some() => return format!("{object:<12} {}", without(object, error)),
        Err(error) => {
            let remedy = error.remedy().map(|remedy| format!("\n{:<12} what to do: {remedy}", "")).unwrap_or_default();
            return format!("{object:<12} failed: {}{remedy}", without(object, error));
        }
    };
    let millis = (outcome.ended_at.0 - outcome.started_at.0).max(1);
    let seconds = millis as f64 / 1000.0;
    let counts = &report.counts;
    let mut parts = vec![counted(counts.rows, "row")];
    if counts.deletes > 0 {
        parts.push(format!("{} deleted", grouped(counts.deletes)));
    }
    if counts.swept > 0 {
        parts.push(format!("{} gone", grouped(counts.swept)));
    }
    parts.extend(report.swept.map(|swept| swept_words(&swept.found)));
    if counts.patched > 0 {
        parts.push(format!("{} filled", counted(counts.patched, "row")));
    }
    if counts.rejected > 0 {
        parts.push(format!("{} rejected", counted(counts.rejected, "record")));
    }
    if counts.misfits > 0 {
        parts.push(format!("{} that fitted no type", counted(counts.misfits, "value")));
    }
    parts.push(format!("{seconds:.1} s"));
    parts.push(format!("{} rows/s", grouped((counts.rows as f64 / seconds) as u64)));
    parts.push(counted(counts.api_calls, "API call"));
    parts.extend(report.mode.map(|mode| mode_name(mode).to_owned()));
    let state = match (report.outcome, report.resumed) {
        (Outcome::Stopped | Outcome::GaveWay, _) => "stopped, the next run goes on here: ",
        (Outcome::Complete, true) => "went on and is complete: ",
        (Outcome::Complete, false) => "",
    };
    format!("{object:<12} {state}{}", parts.join(", "))
}

/// What a sweep has come to.
pub(super) fn swept_words(found: &Swept) -> String {
    let left = if found.left > 0 { format!(", {} left as they are", grouped(found.left)) } else { String::new() };
    format!(
        "{} held against the org's Ids, {} of them without a record, and {} without a row{left}",
        counted(found.rows, "row"),
        grouped(found.gone),
        counted(found.missing, "record")
    )
}

/// What an error says of an object, without its name before it.
fn without(object: &str, error: &Error) -> String {
    let message = error.to_string();
    message.strip_prefix(&format!("{object}: ")).unwrap_or(&message).to_owned()
}

/// Prints the document of all outcomes, and says how the process ends.
pub(super) fn show_outcomes(connection: &str, outcomes: &[StreamOutcome], terminal: &Terminal) -> Exit {
    terminal.document(&json!({ "connection": connection, "streams": documents(outcomes) }));
    let mut places: Vec<String> =
        outcomes.iter().map(|outcome| destination_place(&outcome.stream.destination)).collect();
    places.dedup();
    if outcomes.iter().any(|outcome| outcome.result.is_ok()) {
        terminal.say(format!("Rows are in {}", places.join(", ")));
    }
    let waiting = outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err());
    if let Some(remedy) = waiting.filter(|error| error.over_budget().is_some()).find_map(Error::remedy) {
        terminal.notice(&format!("What is left waits for API calls: {remedy}"));
    }
    exit_of(outcomes)
}

/// The outcomes, as documents show them.
pub(super) fn documents(outcomes: &[StreamOutcome]) -> Value {
    outcomes.iter().map(document).collect()
}

/// A destination as people know it: the file, where it is one.
pub(super) fn destination_place(destination: &str) -> String {
    match destination.parse() {
        Ok(DestinationSettings::Sqlite(sqlite)) => sqlite.path.display().to_string(),
        Ok(DestinationSettings::Webhook(webhook)) => webhook.place(),
        Ok(DestinationSettings::Postgres(_) | DestinationSettings::Files(_)) | Err(_) => destination.to_owned(),
    }
}

pub(super) fn document(outcome: &StreamOutcome) -> Value {
    let stream = &outcome.stream;
    let mut document = json!({
        "object": stream.object,
        "table": stream.table,
        "destination": stream.destination,
        "started_at": outcome.started_at,
        "ended_at": outcome.ended_at,
    });
    let rest = match &outcome.result {
        Ok(report) => json!({
            "outcome": match report.outcome {
                Outcome::Complete => "complete",
                Outcome::Stopped | Outcome::GaveWay => "stopped",
            },
            "read": report.mode.map(mode_name),
            "resumed": report.resumed,
            "window": report.window,
            "rows": report.counts.rows,
            "deleted": report.counts.deletes,
            "swept": report.counts.swept,
            "patched": report.counts.patched,
            "id_sweep": report.swept.map(|swept| json!({ "is_whole": swept.is_whole, "found": swept.found })),
            "rejected": report.counts.rejected,
            "rejected_values": report.counts.misfits,
            "bytes": report.counts.wire_bytes,
            "api_calls": report.counts.api_calls,
            "deletions": deletions(&report.deletions),
        }),
        Err(error) => {
            let outcome = if error.over_budget().is_some() { "waiting" } else { "failed" };
            json!({ "outcome": outcome, "goes_on_at": error.over_budget().map(|over| over.free_at), "error": error_document(error) })
        }
    };
    if let (Value::Object(document), Value::Object(rest)) = (&mut document, rest) {
        document.extend(rest);
    }
    document
}

/// What is known of records that are deleted for good.
fn deletions(deletions: &Deletions) -> Value {
    match deletions {
        Deletions::Known { until } => json!({ "known_until": until }),
        Deletions::NotAsked => Value::Null,
        Deletions::Unknown { reason } => json!({ "unknown": reason }),
    }
}

/// How a process ends that ran these.
pub(super) fn exit_of(outcomes: &[StreamOutcome]) -> Exit {
    let is_stopped =
        |outcome: &StreamOutcome| matches!(&outcome.result, Ok(report) if report.outcome == Outcome::Stopped);
    let mut failures = outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err());
    match failures.next() {
        _ if outcomes.iter().any(is_stopped) => Exit::Stopped,
        None => Exit::Done,
        Some(first) if failures.clone().chain([first]).all(|error| error.over_budget().is_some()) => Exit::TryLater,
        Some(first) if outcomes.iter().all(|outcome| outcome.result.is_err()) => first.exit(),
        Some(_) => Exit::Partial,
    }
}
