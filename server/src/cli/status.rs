//! `orgtide status`

use clap::Args;
use serde_json::json;

use super::{
    connection::uses,
    progress::{destination_place, swept_words},
    quota,
    schedule::{next_run, show_trouble},
    terminal::{Terminal, counted, grouped, short},
};
use crate::{
    app::{
        App,
        status::{ConnectionStatus, StreamStatus},
        verify::CertificateStatus,
    },
    connection::state::ConnectionState,
    error::{Error, Exit},
    store::{care::Switches, runs::RunState},
};

/// Shows connections, their streams, the last runs and the next, freshness and API usage
///
/// Asks the control store only, so it works without a network.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orgtide status")]
pub(super) struct Arguments {}

pub(super) async fn run(_arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let connections = app.status().await?;
    let pending = app.pending().await?;
    terminal.document(&json!({ "connections": connections, "sign_ins": pending }));
    for sign_in in &pending {
        terminal.say(format!(
            "{}: {}, by {}",
            sign_in.connection,
            state(&sign_in.connection, &sign_in.state),
            sign_in.flow
        ));
    }
    if connections.is_empty() && pending.is_empty() {
        terminal.say("Nothing is connected yet. Begin with: orgtide connect <address of the org>");
    }
    for (index, connection) in connections.iter().enumerate() {
        if index > 0 {
            terminal.say("");
        }
        show(connection, terminal);
    }
    Ok(Exit::Done)
}

fn show(connection: &ConnectionStatus, terminal: &Terminal) {
    let ConnectionStatus { name, customer, org, org_id, username, flow, api_version, .. } = connection;
    let whose = if customer == name { String::new() } else { format!(" of {customer}") };
    terminal.say(format!("{name}{whose}: {}", state(name, &connection.state)));
    let kind = &connection.org_kind;
    terminal.say(format!("  {org} ({org_id}), {kind}, as {username}, by {flow}, API {api_version}"));
    if let Some(unclear) = &connection.org_kind_unclear {
        terminal.say(format!("  {unclear}: orgtide check {name}"));
    }
    terminal.say(format!("  {} by runs of the last 24 hours", counted(connection.api_calls_24h, "API call")));
    terminal.say(format!("  API quota of 24 hours: {}", quota::in_short(&connection.quota)));
    for note in connection.quota.notes() {
        terminal.say(format!("  {note}"));
    }
    let proxied = &connection.proxied;
    if proxied.calls > 0 {
        let (calls, writes) = (counted(proxied.calls, "API call"), counted(proxied.writes, "write"));
        terminal.say(format!("  {calls} by programs through the proxy, {writes} among them"));
    }
    terminal.say(format!("  {}", connection.forecast.text));
    if connection.switches != Switches::default() {
        terminal.say(format!("  {}", uses(&connection.switches)));
    }
    if let Some(warning) = &connection.approvals_warning {
        terminal.say(format!("  {warning}"));
    }
    if connection.streams.is_empty() {
        if !matches!(connection.state, ConnectionState::Disconnected { .. }) {
            terminal.say(format!("  no streams yet: orgtide import {name} Account Contact"));
        }
        return;
    }
    let rows = connection.streams.iter().map(row).collect();
    terminal.table(
        &[
            "  object",
            "rows",
            "deleted",
            "fresh as of",
            "last run",
            "began",
            "rows read",
            "rejected",
            "calls",
            "verified",
            "schedule",
            "next run",
            "destination",
        ],
        &[1, 2, 6, 7, 8],
        rows,
    );
    for stream in &connection.streams {
        // What waits is told above, for all of them.
        let last = stream.last_run.as_ref().filter(|run| run.state != RunState::Waiting.name());
        if let Some(error) = last.and_then(|run| run.error.as_ref()) {
            terminal.say(format!("  {}: {error}", stream.object));
        }
        let name = &connection.name;
        if stream.rejected_records > 0 {
            let number = counted(stream.rejected_records, "record");
            terminal.say(format!("  {}: {number} rejected: orgtide rejected {name} {}", stream.object, stream.table));
        }
        if let Some(dead) = stream.dead_letters {
            let number = counted(dead, "dead letter");
            terminal.say(format!("  {}: {number} at its receiver: orgtide webhook list {name} --dead", stream.object));
        }
        if !stream.pending_changes.is_empty() {
            let changes = counted(stream.pending_changes.len() as u64, "change");
            let object = &stream.object;
            terminal.say(format!("  {object}: {changes} of its fields to decide on: orgtide drift {name} {object}"));
        }
        if let Some(oldest) = stream.refreshed.values().min() {
            let columns: Vec<&str> = stream.refreshed.keys().map(String::as_str).collect();
            terminal.say(format!("  {}: {} as of {}", stream.object, few(&columns), short(*oldest)));
        }
        if let Some(certificate) = stream.certificate.as_ref().filter(|certificate| !certificate.is_equal) {
            let (object, table, at) = (&stream.object, &stream.table, short(certificate.made_at));
            terminal
                .say(format!("  {object} differed from its source at {at}: orgtide verify {name} {table} --repair"));
        }
        show_idle_work(name, stream, terminal);
        if let Some(stage) = &stream.stage {
            let counts = stage.counts;
            terminal.say(format!(
                "  {} is staged: {} ready, {} cannot be imported: orgtide stage list {name} {}",
                stream.object,
                grouped(counts.ready),
                grouped(counts.rejected),
                stream.table
            ));
        }
        if let Some(holder) = &stream.running {
            terminal.say(format!("  {} is being run by {holder}", stream.object));
        }
        show_trouble(&stream.object, &stream.schedule, "  ", terminal);
    }
}

fn state(name: &str, state: &ConnectionState) -> String {
    match state {
        ConnectionState::Pending { expires_at } => format!("waiting for a sign-in until {}", short(*expires_at)),
        ConnectionState::Connected { since } => format!("connected since {}", short(*since)),
        ConnectionState::Degraded { since, attempts, retry_at, reason } => format!(
            "degraded since {} ({}), next attempt after {}: {reason}",
            short(*since),
            counted(u64::from(*attempts), "attempt"),
            short(*retry_at)
        ),
        ConnectionState::NeedsReauthorization { since, reason, retry_at } => {
            let again = retry_at.map(|at| format!(" (tried again after {}, in case it is put right)", short(at)));
            format!("needs a new sign-in since {}: {reason}{}", short(*since), again.unwrap_or_default())
        }
        ConnectionState::SandboxRefreshed { since, found_org_id } => format!(
            "its sandbox was refreshed, as seen since {}, and is the org {found_org_id} now; nothing runs until it is decided \
             what becomes of the rows (orgtide connect {name} --refreshed, or another name)",
            short(*since)
        ),
        ConnectionState::Disconnected { at } => format!("disconnected at {}", short(*at)),
    }
}

/// The first of them, and how many more there are.
fn few(columns: &[&str]) -> String {
    const NAMED: usize = 4;
    let more = columns.len().saturating_sub(NAMED);
    let named = columns[..columns.len() - more].join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

/// What is done while the org has calls to spare.
fn show_idle_work(connection: &str, stream: &StreamStatus, terminal: &Terminal) {
    let StreamStatus { object, table, .. } = stream;
    if let Some(found) = &stream.sweeping {
        terminal.say(format!("  {object}: a sweep goes on in the next runs; so far {}", swept_words(found)));
    }
    if let Some(found) = stream.swept.as_ref().filter(|swept| swept.rows > 0) {
        terminal.say(format!("  {object}: {} as of {}", swept_words(found), short(found.as_of)));
        if found.left > 0 {
            terminal.say(format!(
                "    so many at once may be a permission that was lost: orgtide check {connection}; otherwise: orgtide \
                 verify {connection} {table} --depth versions --repair"
            ));
        }
    }
    if let Some(trouble) = &stream.verification.trouble {
        terminal.say(format!("  {object} could not be verified: {trouble}"));
    }
}

/// The moment up to which the copy was the source, when it was last compared.
fn verified(certificate: &CertificateStatus) -> String {
    match certificate.is_equal {
        true => short(certificate.as_of),
        false => "differs".to_owned(),
    }
}

fn row(stream: &StreamStatus) -> Vec<String> {
    let run = stream.last_run.as_ref();
    let number = |count: fn(&crate::store::runs::RunCounts) -> u64| {
        run.map(|run| grouped(count(&run.counts))).unwrap_or_default()
    };
    let object = match &stream.stream {
        None if stream.object == stream.table => stream.object.clone(),
        None => format!("{} → {}", stream.object, stream.table),
        Some(name) => format!("{} ({name}) → {}", stream.object, stream.table),
    };
    vec![
        format!("  {object}"),
        stream.rows.map(grouped).unwrap_or_default(),
        stream.deleted_rows.map(grouped).unwrap_or_default(),
        stream.fresh_as_of.map_or_else(|| "not yet".to_owned(), short),
        run.map(|run| run.state.to_owned()).unwrap_or_default(),
        run.map(|run| short(run.started_at)).unwrap_or_default(),
        number(|counts| counts.rows),
        number(|counts| counts.rejected_values),
        number(|counts| counts.api_calls),
        stream.certificate.as_ref().map_or_else(String::new, verified),
        stream.schedule.schedule.clone(),
        next_run(&stream.schedule),
        destination_place(&stream.destination),
    ]
}
