//! What is connected, what runs, and how fresh it is.

use std::collections::BTreeMap;

use destinations::{DestinationSettings, RowCounts, webhook::letters};
use salesforce::{Timestamp, oauth::Flow, org::OrgKind};
use serde::Serialize;
use sync::{checkpoint::Swept, table::StreamKey};

use super::{
    App,
    quota::QuotaStatus,
    runs::RunStatus,
    schedules::ScheduleStatus,
    stage::StageStatus,
    verify::{CertificateStatus, VerificationStatus},
};
use crate::{
    connection::{forecast::Forecast, state::ConnectionState},
    error::Error,
    store::{
        care::{ProxiedCalls, Switches},
        connections::Connection,
        drifts::DriftState,
        journal::Entry,
        schedules::Plan,
        streams::Stream,
    },
};

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// A connection with its streams.
#[derive(Debug, Serialize)]
pub struct ConnectionStatus {
    pub name: String,
    pub customer: String,
    pub org: String,
    pub org_id: String,
    pub org_kind: OrgKind,
    /// In what its address and the org itself contradict each other about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_kind_unclear: Option<String>,
    pub username: String,
    pub flow: Flow,
    pub api_version: String,
    #[serde(flatten)]
    pub state: ConnectionState,
    /// API calls of runs that began within the last 24 hours.
    pub api_calls_24h: u64,
    /// API calls of programs through the proxy within the last 24 hours.
    pub proxied: ProxiedCalls,
    /// How the org's API quota stands.
    pub quota: QuotaStatus,
    pub forecast: Forecast,
    pub switches: Switches,
    pub approvals_warning: Option<String>,
    pub streams: Vec<StreamStatus>,
}

/// A stream with its last run.
#[derive(Debug, Serialize)]
pub struct StreamStatus {
    pub object: String,
    pub table: String,
    /// Which of several streams that fill the table.
    pub stream: Option<String>,
    pub destination: String,
    /// The table holds everything up to this moment of the org's clock; `None`: not yet.
    pub fresh_as_of: Option<Timestamp>,
    /// Columns whose values change without moving a record's stamp, and as of when every row has them.
    pub refreshed: BTreeMap<String, Timestamp>,
    /// Rows of the table whose record exists; `None`: the destination cannot be read now.
    pub rows: Option<u64>,
    /// Rows that are kept although their record was deleted.
    pub deleted_rows: Option<u64>,
    pub last_run: Option<RunStatus>,
    /// The latest comparison with the source.
    pub certificate: Option<CertificateStatus>,
    /// When the next comparison is.
    pub verification: VerificationStatus,
    /// When all rows were held against the org's Ids, and what came of it; a reading of everything counts as one.
    pub swept: Option<Swept>,
    /// A sweep that goes on in the next runs, and what it has come to so far.
    pub sweeping: Option<Swept>,
    /// Records that become no row at present.
    pub rejected_records: u64,
    /// Messages that the receiver of a webhook has refused; `None`: there is none, or it cannot be told now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<u64>,
    /// Changes of the org's fields that wait for somebody to decide, in words.
    pub pending_changes: Vec<String>,
    /// What is read and judged and not imported.
    pub stage: Option<StageStatus>,
    /// Which process runs it now.
    pub running: Option<String>,
    /// When it runs by itself.
    pub schedule: ScheduleStatus,
}

/// A sign-in that somebody has begun and that is not over.
#[derive(Debug, Serialize)]
pub struct PendingSignIn {
    /// The name of the connection that it is to become.
    pub connection: String,
    pub flow: Flow,
    pub begun_at: Timestamp,
    #[serde(flatten)]
    pub state: ConnectionState,
}

impl App {
    /// Every sign-in that is under way, the oldest first.
    pub async fn pending(&self) -> Result<Vec<PendingSignIn>, Error> {
        let pending = self.store.sign_ins().await?.into_iter().map(|row| PendingSignIn {
            connection: row.connection,
            flow: row.flow,
            begun_at: row.begun_at,
            state: ConnectionState::Pending { expires_at: row.expires_at },
        });
        Ok(pending.collect())
    }

    /// The names of all connections.
    pub async fn connection_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.connections().await?.into_iter().map(|connection| connection.name).collect())
    }

    /// Every connection with its streams and their last runs. Asks the control store only.
    pub async fn status(&self) -> Result<Vec<ConnectionStatus>, Error> {
        let mut all = Vec::new();
        for connection in self.store.connections().await? {
            all.push(self.connection_status(connection).await?);
        }
        Ok(all)
    }

    /// One connection with its streams and their last runs. Asks the control store only.
    pub async fn one_status(&self, name: &str) -> Result<(Connection, ConnectionStatus), Error> {
        let connection = self.store.connection(name).await?;
        Ok((connection.clone(), self.connection_status(connection).await?))
    }

    /// The newest entries of the journal, of one connection or of all.
    pub async fn journal(&self, connection: Option<&str>, limit: u32) -> Result<Vec<Entry>, Error> {
        Ok(self.store.journal(connection, limit).await?)
    }

    async fn connection_status(&self, connection: Connection) -> Result<ConnectionStatus, Error> {
        let since = Timestamp(self.clock.now().0 - DAY_MILLIS);
        let mut streams = Vec::new();
        let plans = self.store.plans(&connection.id).await?;
        for stream in self.store.streams(&connection.id).await? {
            let plan = plans.iter().find(|(id, _)| *id == stream.id).map(|(_, plan)| plan.clone());
            streams.push(self.stream_status(&connection, stream, &plan.unwrap_or_default()).await?);
        }
        let (proxied, _) = self.proxied(&connection).await?;
        let told = connection.organization.as_ref();
        Ok(ConnectionStatus {
            org_kind: connection.org_kind(),
            org_kind_unclear: told.and_then(|told| OrgKind::contradiction(&connection.instance, told)),
            proxied,
            quota: self.quota_of(&connection).await?,
            forecast: self.forecast(&connection).await?,
            switches: self.store.switches(&connection.id).await?,
            approvals_warning: self.approvals_warning(&connection).await?,
            api_calls_24h: self.store.api_calls_since(&connection.id, since).await?,
            name: connection.name,
            customer: connection.customer,
            org: connection.org.host().to_owned(),
            org_id: connection.org_id,
            username: connection.username,
            flow: connection.flow,
            api_version: connection.api_version.to_string(),
            state: connection.state,
            streams,
        })
    }

    async fn stream_status(&self, connection: &Connection, stream: Stream, plan: &Plan) -> Result<StreamStatus, Error> {
        let last_run = self.store.runs(&stream.id, 1).await?.into_iter().next().map(RunStatus::of);
        let holder = self.store.lease_holder(&stream.lease_name()).await?;
        let stage = self.store.stage(&stream.id).await?;
        let counts = count(&stream.key(connection, &self.store), &stream.destination).await;
        let drift = self.store.unagreed_drift(&stream.id).await?;
        let pending = drift.filter(|drift| drift.state == DriftState::Pending);
        let certificate = self.store.certificates(&stream.id, 1).await?.first().map(CertificateStatus::of);
        let checkpoint = stream.checkpoint.as_ref();
        Ok(StreamStatus {
            certificate,
            verification: self.verification_status(&stream).await?,
            swept: checkpoint.and_then(|checkpoint| checkpoint.swept),
            sweeping: checkpoint.and_then(|checkpoint| checkpoint.id_sweep.as_ref()).map(|sweep| sweep.found),
            dead_letters: dead_letters(&stream.key(connection, &self.store), &stream.destination).await,
            rejected_records: self.store.count_rejected(&stream.id).await?,
            pending_changes: pending.iter().flat_map(|drift| &drift.changes).map(ToString::to_string).collect(),
            stage: stage.as_ref().map(StageStatus::of),
            rows: counts.map(|counts| counts.present),
            deleted_rows: counts.map(|counts| counts.deleted),
            fresh_as_of: fresh_as_of(&stream),
            refreshed: stream.checkpoint.as_ref().map(|checkpoint| checkpoint.refreshed.clone()).unwrap_or_default(),
            object: stream.object,
            table: stream.table,
            stream: stream.mapping.stream,
            destination: stream.destination,
            last_run,
            running: holder.map(|(holder, since)| format!("{holder}, since {since}")),
            schedule: plan.into(),
        })
    }
}

/// Counts the rows of a stream's table.
async fn count(stream: &StreamKey, destination: &str) -> Option<RowCounts> {
    let destination: DestinationSettings = destination.parse().ok()?;
    match destinations::count(&destination, stream).await {
        Ok(counts) => Some(counts),
        Err(error) => {
            tracing::debug!(%error, "the rows cannot be counted");
            None
        }
    }
}

/// Counts the messages that the receiver of a webhook has refused.
async fn dead_letters(stream: &StreamKey, destination: &str) -> Option<u64> {
    let DestinationSettings::Webhook(settings) = destination.parse().ok()? else { return None };
    letters::dead(&settings, stream).await.ok().filter(|number| *number > 0)
}

/// The end of the last whole window. While a later window is being read, that one began where the last whole one ended.
fn fresh_as_of(stream: &Stream) -> Option<Timestamp> {
    let checkpoint = stream.checkpoint.as_ref()?;
    match checkpoint.at {
        sync::checkpoint::Position::Complete => Some(checkpoint.window.until),
        _ => checkpoint.window.from,
    }
}
