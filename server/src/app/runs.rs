//! What ran, when, and what came of it.

use std::time::Duration;

use salesforce::Timestamp;
use serde::Serialize;
use sync::{checkpoint::Window, forecast::Expected, read::ReadMode, verify::Certificate};

use super::{App, import::chosen};
use crate::{
    error::{Error, OVER_BUDGET},
    store::{
        runs::{GAVE_WAY, Purpose, Run, RunCounts, RunState},
        streams::Stream,
    },
};

/// A run keeps no more of the values that fit no type.
const ALL_VALUES: u32 = 1000;

/// A run, for people and programs.
#[derive(Debug, Clone, Serialize)]
pub struct RunStatus {
    pub id: String,
    pub purpose: Purpose,
    pub state: &'static str,
    /// `gave_way`: it has stopped because other customers waited; `over_budget`: it waits for API calls.
    pub reason: Option<&'static str>,
    /// The process that ran it.
    pub holder: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    #[serde(serialize_with = "as_name")]
    pub read_by: Option<ReadMode>,
    pub resumed: bool,
    pub window: Option<Window>,
    pub mapping_version: Option<i64>,
    #[serde(flatten)]
    pub counts: RunCounts,
    pub error: Option<String>,
    pub error_code: Option<String>,
}

impl RunStatus {
    pub(crate) fn of(run: Run) -> Self {
        let (error, error_code) = run.error.map(|fault| (fault.message, fault.code)).unzip();
        Self {
            id: run.id,
            purpose: run.purpose,
            state: run.state.name(),
            reason: match run.state {
                RunState::GaveWay => Some(GAVE_WAY),
                RunState::Waiting => Some(OVER_BUDGET),
                _ => None,
            },
            holder: run.holder,
            started_at: run.started_at,
            ended_at: run.ended_at,
            read_by: run.reading.mode,
            resumed: run.reading.is_resumed,
            window: run.reading.window,
            mapping_version: run.mapping_version,
            counts: run.counts,
            error,
            error_code: error_code.filter(|code| !code.is_empty()),
        }
    }

    /// How long it took, or has taken until `now`.
    pub fn took(&self, now: Timestamp) -> Duration {
        let until = self.ended_at.unwrap_or(now);
        Duration::from_millis(u64::try_from(until.0 - self.started_at.0).unwrap_or(0))
    }
}

/// `rest` or `bulk`.
pub fn mode_name(mode: ReadMode) -> &'static str {
    match mode {
        ReadMode::Query => "rest",
        ReadMode::Bulk => "bulk",
    }
}

#[allow(clippy::ref_option, reason = "serde hands it over so")]
fn as_name<S: serde::Serializer>(mode: &Option<ReadMode>, serializer: S) -> Result<S::Ok, S::Error> {
    mode.map(mode_name).serialize(serializer)
}

/// A run with the stream that it was one of.
#[derive(Debug, Clone, Serialize)]
pub struct StreamRun {
    pub object: String,
    pub table: String,
    pub destination: String,
    #[serde(flatten)]
    pub run: RunStatus,
}

/// Everything that is known of one run.
#[derive(Debug, Serialize)]
pub struct RunDetail {
    pub connection: String,
    #[serde(flatten)]
    pub run: StreamRun,
    /// The values that fitted no type, as far as they are kept.
    pub values: Vec<ValueDetail>,
    /// What a comparison with the source has found.
    pub certificate: Option<Certificate>,
    /// What an import was expected to cost, when somebody has asked before it.
    pub forecast: Option<Expected>,
}

/// A value that fitted no type. Personal data.
#[derive(Debug, Serialize)]
pub struct ValueDetail {
    pub record_id: String,
    pub field: String,
    pub raw: String,
}

impl App {
    /// The latest runs of a connection, or of some objects or tables of it; newest first.
    ///
    /// # Errors
    /// Nothing is remembered of what is named.
    pub async fn latest_runs(
        &self,
        connection: &str,
        objects: &[String],
        at_most: u32,
    ) -> Result<Vec<StreamRun>, Error> {
        let connection = self.store.connection(connection).await?;
        let streams = chosen(&connection, self.store.streams(&connection.id).await?, objects)?;
        let mut runs = Vec::new();
        for stream in &streams {
            let latest = self.store.runs(&stream.id, at_most).await?;
            runs.extend(latest.into_iter().map(|run| of_stream(stream, run)));
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.run.started_at));
        runs.truncate(usize::try_from(at_most).unwrap_or(usize::MAX));
        Ok(runs)
    }

    /// One run by its id, with the values that it rejected.
    pub async fn run_detail(&self, id: &str) -> Result<RunDetail, Error> {
        let run = self.store.run(id).await?;
        let stream = self.store.stream(&run.stream_id).await?;
        let connection = self.store.connection_of_id(&stream.connection_id).await?;
        let values = self.store.rejected_values(id, ALL_VALUES).await?.into_iter().map(|value| ValueDetail {
            record_id: value.record_id,
            field: value.field,
            raw: String::from_utf8_lossy(&value.raw).into_owned(),
        });
        let certificate = self.store.certificate_of_run(id).await?.map(|kept| kept.certificate);
        let forecast = self.store.forecast_of_run(id).await?;
        let (connection, values) = (connection.name, values.collect());
        Ok(RunDetail { connection, values, certificate, forecast, run: of_stream(&stream, run) })
    }

    /// Forgets what runs have left behind, when its time is over.
    pub async fn forget_old_runs(&self) -> Result<(), Error> {
        let retention = self.config.retention;
        let ago = |life: Duration| {
            let millis = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
            Timestamp(self.clock.now().0.saturating_sub(millis))
        };
        Ok(self.store.forget_runs(ago(retention.runs), ago(retention.rejected)).await?)
    }
}

fn of_stream(stream: &Stream, run: Run) -> StreamRun {
    StreamRun {
        object: stream.object.clone(),
        table: stream.table.clone(),
        destination: stream.destination.clone(),
        run: RunStatus::of(run),
    }
}
