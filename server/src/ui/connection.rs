//! One connection: how it stands, what it imports, and what can be done.

use std::sync::Arc;

use askama::Template;

use super::{
    attempt::{Outcome, Subject},
    call::{Answer, Call, go_to},
    findings::FindingView,
    frame::Frame,
    problem::{Problem, capital},
    schedules::ScheduleView,
    verified::{self, VerifiedView},
    words::{BAD, BUSY, Badge, CALM, GOOD, Moment, WARN, address, badge_of, grouped},
};
use crate::{
    app::{
        quota::QuotaStatus,
        status::{ConnectionStatus, StreamStatus},
    },
    auth::Role,
    connection::{forecast::Basis, state::ConnectionState},
    store::{care::Switches, connections::Connection, journal::Entry},
};

#[derive(Template)]
#[template(path = "ui/connection.html")]
struct Page {
    frame: Frame,
    name: String,
    customer: String,
    org: String,
    kind: String,
    /// In what its address and the org contradict each other about its kind.
    kind_unclear: Option<String>,
    badge: Badge,
    state: StateView,
    streams: Vec<StreamView>,
    verified: Vec<VerifiedView>,
    /// For admins alone.
    settings: Option<Settings>,
    life: Option<LifeView>,
    quota: Option<QuotaView>,
    findings: Vec<FindingView>,
    checked: Option<Moment>,
    journal: Vec<EntryView>,
    /// The caller's own sign-in, or an admin's.
    may_end: bool,
    may_renew: bool,
    is_running: bool,
    /// What an admin chooses between after the sandbox was refreshed.
    choices: Option<Choices>,
}

/// Where the two ways on from a refreshed sandbox begin.
struct Choices {
    /// The former org's rows give their place to the new one's.
    replace: String,
    /// The rows stay, and the new org is another connection.
    keep: String,
}

/// What the state means, in a sentence.
struct StateView {
    text: String,
    since: Option<Moment>,
}

/// What is to come, for admins.
struct LifeView {
    forecast: String,
    end: Option<Moment>,
    is_assumed: bool,
    warning: Option<String>,
    /// What is switched on, as sentences.
    switches: Vec<&'static str>,
}

/// How the org's API quota stands, for admins.
struct QuotaView {
    calls: u64,
    budget: u64,
    used: String,
    org: Option<String>,
    jobs: String,
    notes: Vec<String>,
}

/// What members do not see.
struct Settings {
    username: String,
    flow: &'static str,
    ending: Option<&'static str>,
    api_version: String,
    org_id: String,
    scopes: String,
    app: Option<String>,
    reconnect: String,
    api_calls: String,
}

pub(super) struct StreamView {
    pub(super) object: String,
    pub(super) badge: Badge,
    pub(super) rows: String,
    pub(super) fresh: Option<Moment>,
    pub(super) error: Option<String>,
    /// Records that became no row.
    pub(super) rejected: Option<String>,
    pub(super) schedule: ScheduleView,
    /// For admins alone.
    pub(super) table: Option<String>,
    /// How the org's fields differ from what was agreed, while that waits for a decision; for admins alone.
    pub(super) pending_changes: Vec<String>,
}

pub(super) struct EntryView {
    pub(super) at: Moment,
    pub(super) connection: Option<String>,
    pub(super) event: String,
    pub(super) actor: String,
    pub(super) detail: String,
}

pub(super) async fn show(call: Call) -> Answer {
    let name = call.part("name");
    let app = &call.console.app;
    let (connection, status) = app.one_status(name).await?;
    let now = app.now();
    let is_admin = call.has_role(Role::Admin);
    let journal = if is_admin { app.journal(Some(name), 12).await? } else { Vec::new() };
    let is_own = connection.owner.as_ref() == Some(&call.caller()?.user.id);
    let is_over = matches!(connection.state, ConnectionState::Disconnected { .. });
    let last_check = call.console.attempts.last_check(name).filter(|_| is_admin);
    let page = Page {
        frame: call.frame(name).below("Integrations", "/integrations"),
        name: name.to_owned(),
        customer: status.customer.clone(),
        org: status.org.clone(),
        kind: status.org_kind.to_string(),
        kind_unclear: status.org_kind_unclear.clone(),
        choices: is_admin.then(|| choices(&connection)).flatten(),
        badge: badge_of(&connection.state),
        state: state(&connection.state, is_admin, now),
        settings: is_admin.then(|| settings(&connection, &status)),
        life: if is_admin { Some(life(&call, name).await?) } else { None },
        quota: is_admin.then(|| quota(&status.quota)),
        streams: streams(&status, is_admin, now),
        verified: verified::views(&call, name, &status, is_admin).await?,
        checked: last_check.as_ref().map(|(at, _)| Moment::of(*at, now)),
        findings: last_check.map(|(_, findings)| findings).unwrap_or_default(),
        journal: journal.into_iter().map(|entry| EntryView::of(entry, now)).collect(),
        may_end: !is_over && (is_admin || is_own),
        may_renew: is_own && connection.app.is_some(),
        is_running: status.streams.iter().any(|stream| stream.running.is_some()),
    };
    call.page(&page)
}

fn state(state: &ConnectionState, is_admin: bool, now: salesforce::Timestamp) -> StateView {
    let (text, since) = match state {
        ConnectionState::Pending { .. } => ("Somebody has begun to sign in.".to_owned(), None),
        ConnectionState::Connected { since } => ("The last sign-in or renewal went well.".to_owned(), Some(*since)),
        ConnectionState::Degraded { since, attempts, retry_at, reason: _ } => (
            format!(
                "Renewals fail for a reason that passes by itself ({attempts} so far). The next one is tried {}.",
                Moment::of(*retry_at, now).relative
            ),
            Some(*since),
        ),
        ConnectionState::NeedsReauthorization { since, reason, retry_at: _ } => {
            let reason = if is_admin { format!(" {}", capital(reason)) } else { String::new() };
            (format!("Salesforce refuses the grant, and a person has to sign in again.{reason}"), Some(*since))
        }
        ConnectionState::SandboxRefreshed { since, found_org_id } => {
            let now_it_is = if is_admin { format!(" ({found_org_id})") } else { String::new() };
            let text = format!(
                "The sandbox was refreshed, and is another org now{now_it_is}. Its records may have the same Ids with other \
                 content, so nothing runs until an admin has decided what becomes of the rows."
            );
            (text, Some(*since))
        }
        ConnectionState::Disconnected { at } => {
            ("A person has ended it. Its secrets are forgotten.".to_owned(), Some(*at))
        }
    };
    StateView { text, since: since.map(|since| Moment::of(since, now)) }
}

/// Both lead to a form that is filled already.
fn choices(connection: &Connection) -> Option<Choices> {
    if !matches!(connection.state, ConnectionState::SandboxRefreshed { .. }) {
        return None;
    }
    let form = |name: &str, refreshed: &str| {
        let client_id = if connection.app.is_none() { connection.client_id.as_str() } else { "" };
        let query = [
            ("org", connection.org.host()),
            ("name", name),
            ("customer", &connection.customer),
            ("username", &connection.username),
            ("client_id", client_id),
            ("refreshed", refreshed),
        ];
        address(&format!("/connect/{}", connection.flow), &query)
    };
    Some(Choices { replace: form(&connection.name, "yes"), keep: form(&format!("{}-2", connection.name), "") })
}

async fn life(call: &Call, name: &str) -> Result<LifeView, Problem> {
    let (_, prospect) = call.console.app.prospect(name).await?;
    let end = prospect.forecast.end;
    Ok(LifeView {
        forecast: prospect.forecast.text,
        end: end.map(|end| Moment::of(end.at, call.console.app.now())),
        is_assumed: end.is_some_and(|end| end.basis == Basis::Assumed),
        warning: prospect.approvals_warning,
        switches: switched_on(&prospect.switches),
    })
}

fn quota(quota: &QuotaStatus) -> QuotaView {
    let of = |used: u64, all: u64| format!("{} of {}", grouped(used), grouped(all));
    QuotaView {
        calls: quota.calls,
        budget: quota.budget.calls.max(1),
        used: of(quota.calls, quota.budget.calls),
        org: quota.org.map(|heard| of(heard.used, heard.max)),
        jobs: of(quota.jobs, quota.budget.jobs),
        notes: quota.notes(),
    }
}

fn switched_on(switches: &Switches) -> Vec<&'static str> {
    let all = [
        (switches.paused, "It is paused: no stream is run, and the connection is kept alive."),
        (switches.token, "Programs may take its access tokens."),
        (switches.proxy, "Programs may read from the org through this installation."),
        (switches.proxy_writes, "Programs may write to the org through this installation."),
    ];
    all.into_iter().filter(|(is_on, _)| *is_on).map(|(_, sentence)| sentence).collect()
}

fn settings(connection: &Connection, status: &ConnectionStatus) -> Settings {
    let client_id = if connection.app.is_none() { connection.client_id.as_str() } else { "" };
    let query = [
        ("org", connection.org.host()),
        ("name", &connection.name),
        ("customer", &connection.customer),
        ("username", &connection.username),
        ("client_id", client_id),
    ];
    Settings {
        username: connection.username.clone(),
        flow: connection.flow.title(),
        ending: connection.flow.ending(),
        api_version: connection.api_version.to_string(),
        org_id: connection.org_id.clone(),
        scopes: connection.scopes.join(" "),
        app: connection.app.clone(),
        reconnect: match connection.app {
            Some(_) => "/integrations".to_owned(),
            None => address(&format!("/connect/{}", connection.flow), &query),
        },
        api_calls: grouped(status.api_calls_24h),
    }
}

pub(super) fn streams(status: &ConnectionStatus, is_admin: bool, now: salesforce::Timestamp) -> Vec<StreamView> {
    let view = |stream: &StreamStatus| {
        let run = stream.last_run.as_ref();
        let badge = match (stream.running.is_some(), run.map(|run| run.state)) {
            (false, Some("waiting")) => WARN.named("Waits for API calls"),
            (false, Some("stopped")) if run.is_some_and(|run| run.reason.is_some()) => CALM.named("Waits for its turn"),
            (true, _) => BUSY.named("Running"),
            (false, None) => CALM.named("Not run yet"),
            (false, Some("completed")) => GOOD.named("Complete"),
            (false, Some("stopped")) => WARN.named("Stopped"),
            (false, Some("failed")) => BAD.named("Failed"),
            (false, Some(_)) => WARN.named("Interrupted"),
        };
        let rows = match (stream.running.is_some(), run, stream.rows) {
            (true, Some(run), _) => grouped(run.counts.rows),
            (_, _, Some(rows)) => grouped(rows),
            _ => "unknown".to_owned(),
        };
        let failed =
            run.filter(|run| matches!(run.state, "failed" | "waiting") && stream.running.is_none() && is_admin);
        StreamView {
            object: stream.object.clone(),
            badge,
            rows,
            fresh: stream.fresh_as_of.map(|at| Moment::of(at, now)),
            rejected: (stream.rejected_records > 0).then(|| grouped(stream.rejected_records)),
            error: failed.and_then(|run| run.error.clone()),
            schedule: ScheduleView::of(&stream.schedule, is_admin, now),
            table: is_admin.then(|| format!("{} in {}", stream.table, place_of(&stream.destination))),
            pending_changes: if is_admin { stream.pending_changes.clone() } else { Vec::new() },
        }
    };
    status.streams.iter().map(view).collect()
}

/// A destination without its options.
fn place_of(destination: &str) -> &str {
    let place = destination.split('?').next().unwrap_or_default();
    place.split_once(':').map_or(place, |(_, place)| place)
}

impl EntryView {
    pub(super) fn of(entry: Entry, now: salesforce::Timestamp) -> Self {
        let detail = match &entry.detail {
            serde_json::Value::Object(members) => {
                let plain = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                members.iter().map(|(name, value)| format!("{}: {}", name.replace('_', " "), plain(value))).collect()
            }
            _ => Vec::new(),
        };
        Self {
            at: Moment::of(entry.at, now),
            connection: entry.connection,
            event: entry.event,
            actor: entry.actor.text(),
            detail: detail.join(", "),
        }
    }
}

/// Checks the connection again, while the person watches.
pub(super) async fn check(call: Call) -> Answer {
    let name = call.part("name").to_owned();
    call.console.app.one_status(&name).await?;
    let user_id = &call.caller()?.user.id;
    let subject = Subject::Check { connection: name.clone() };
    let attempt = call.console.attempts.begin(user_id, subject, None, call.console.app.now());
    let (console, ours) = (call.console.clone(), Arc::clone(&attempt));
    tokio::spawn(async move {
        match console.app.check(&name, Vec::new(), &*ours).await {
            Ok(examined) => {
                let views = examined.findings.iter().map(FindingView::of).collect();
                console.attempts.remember_check(&name, console.app.now(), views);
                ours.end(Outcome::Checked);
            }
            Err(error) => ours.end(Outcome::Failed(FindingView::of_error(&error))),
        }
    });
    go_to(&format!("/attempts/{}", attempt.id))
}

#[derive(Template)]
#[template(path = "ui/journal.html")]
struct JournalPage {
    frame: Frame,
    journal: Vec<EntryView>,
}

/// What happened to all connections, and who did it.
pub(super) async fn journal(call: Call) -> Answer {
    let now = call.console.app.now();
    let journal = call.console.app.journal(None, 200).await?;
    let journal = journal.into_iter().map(|entry| EntryView::of(entry, now)).collect();
    call.page(&JournalPage { frame: call.frame("Journal"), journal })
}
