//! Runs of streams: what they did, how far they came, and the values that fitted no type.

use salesforce::Timestamp;
use serde::{Deserialize, Serialize};
use sync::{batch::Misfit, checkpoint::Checkpoint};
use zeroize::Zeroizing;

use super::{
    Store,
    database::{Change, Row},
    error::StoreError,
    fresh_id,
    lease::{Lease, still_held},
};
use crate::vault::Place;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Completed,
    /// Ended by a person at a checkpoint.
    Stopped,
    Failed,
    /// Its process ended without a word; a later run of the stream found that out.
    Abandoned,
}

impl RunState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    fn from_name(name: &str) -> Result<Self, StoreError> {
        match name {
            "running" => Ok(Self::Running),
            "completed" => Ok(Self::Completed),
            "stopped" => Ok(Self::Stopped),
            "failed" => Ok(Self::Failed),
            "abandoned" => Ok(Self::Abandoned),
            other => Err(StoreError::corrupt(format!("a run is {other:?}"))),
        }
    }
}

/// What a run has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RunCounts {
    /// Records written, whether or not they changed anything.
    pub rows: u64,
    pub deleted_rows: u64,
    /// Values that fitted no type; their cells are null.
    pub rejected_values: u64,
    pub read_bytes: u64,
    pub api_calls: u64,
}

/// One execution of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: String,
    pub stream_id: String,
    pub epoch: i64,
    pub state: RunState,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub counts: RunCounts,
    pub error: Option<String>,
}

/// A value that fitted no type, opened.
#[derive(Debug)]
pub struct RejectedValue {
    pub record_id: String,
    pub field: String,
    pub raw: Zeroizing<Vec<u8>>,
}

const COLUMN_OF_RAW: &str = "raw";

impl Store {
    /// Records that a run begins, under the stream's lease. Runs of the stream that are still called running belong to
    /// processes that are gone, and become abandoned.
    pub async fn begin_run(&self, stream_id: &str, lease: &Lease) -> Result<Run, StoreError> {
        const ABANDON: &str =
            "UPDATE runs SET state = 'abandoned', ended_at = $2 WHERE stream_id = $1 AND state = 'running'";
        const BEGIN: &str = "INSERT INTO runs (id, stream_id, epoch, state, started_at, run_rows, \
             deleted_rows, rejected_values, read_bytes, api_calls) VALUES ($1, $2, $3, 'running', $4, 0, 0, 0, 0, 0)";
        let run = Run {
            id: fresh_id("run"),
            stream_id: stream_id.to_owned(),
            epoch: lease.epoch,
            state: RunState::Running,
            started_at: self.clock.now(),
            ended_at: None,
            counts: RunCounts::default(),
            error: None,
        };
        let begin = [(&run.id).into(), stream_id.into(), run.epoch.into(), run.started_at.into()];
        let changes = vec![
            still_held(lease),
            Change::new(ABANDON, [stream_id.into(), run.started_at.into()]),
            Change::new(BEGIN, begin),
        ];
        self.commit_under(lease, changes).await?;
        Ok(run)
    }

    /// Mirrors how far a run has come.
    pub async fn save_run_progress(
        &self,
        run: &Run,
        counts: &RunCounts,
        checkpoint: &Checkpoint,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        const COUNTS: &str = "UPDATE runs SET run_rows = $2, deleted_rows = $3, \
             rejected_values = $4, read_bytes = $5, api_calls = $6 WHERE id = $1";
        const CHECKPOINT: &str =
            "UPDATE streams SET checkpoint = $2, checkpoint_epoch = $3, checkpoint_at = $4 WHERE id = $1";
        let document = serde_json::to_string(checkpoint).expect("a checkpoint is plain data");
        let values = [(&run.stream_id).into(), document.into(), lease.epoch.into(), self.clock.now().into()];
        let changes = vec![
            still_held(lease),
            Change::new(COUNTS, values_of_counts(&run.id, counts)),
            Change::new(CHECKPOINT, values),
        ];
        self.commit_under(lease, changes).await
    }

    /// Keeps values that fitted no type. `first` is the ordinal of the first of them within the run.
    pub async fn keep_rejected_values(
        &self,
        run: &Run,
        rejected: &[Misfit],
        first: u64,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        let mut changes = vec![still_held(lease)];
        changes.extend((first..).zip(rejected).map(|(ordinal, misfit)| self.reject(run, ordinal, misfit)));
        self.commit_under(lease, changes).await
    }

    fn reject(&self, run: &Run, ordinal: u64, misfit: &Misfit) -> Change {
        const REJECT: &str = "INSERT INTO rejected_values (run_id, ordinal, record_id, field, sealed, rejected_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (run_id, ordinal) DO NOTHING";
        let sealed = self.vault.seal(place(&row_of(&run.id, ordinal)), misfit.raw.as_bytes());
        let values = vec![
            (&run.id).into(),
            ordinal.into(),
            (&misfit.id).into(),
            (&misfit.field).into(),
            sealed.into(),
            self.clock.now().into(),
        ];
        Change::new(REJECT, values)
    }

    /// Records how a run ended.
    pub async fn end_run(
        &self,
        run: &Run,
        state: RunState,
        counts: &RunCounts,
        error: Option<&str>,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        const COUNTS: &str = "UPDATE runs SET run_rows = $2, deleted_rows = $3, \
             rejected_values = $4, read_bytes = $5, api_calls = $6 WHERE id = $1";
        const END: &str = "UPDATE runs SET state = $2, ended_at = $3, error = $4 WHERE id = $1";
        let end = [(&run.id).into(), state.name().into(), self.clock.now().into(), error.into()];
        let changes =
            vec![still_held(lease), Change::new(COUNTS, values_of_counts(&run.id, counts)), Change::new(END, end)];
        self.commit_under(lease, changes).await
    }

    /// The latest runs of a stream, newest first.
    pub async fn runs(&self, stream_id: &str, at_most: u32) -> Result<Vec<Run>, StoreError> {
        const LATEST: &str = "SELECT id, stream_id, epoch, state, started_at, ended_at, run_rows, \
             deleted_rows, rejected_values, read_bytes, api_calls, error FROM runs WHERE stream_id = $1 \
             ORDER BY epoch DESC LIMIT $2";
        let rows = self.database.query(LATEST, [stream_id.into(), i64::from(at_most).into()]).await?;
        rows.into_iter().map(run).collect()
    }

    /// The API calls of all runs of a connection that began at or after `since`.
    pub async fn api_calls_since(&self, connection_id: &str, since: Timestamp) -> Result<u64, StoreError> {
        const SUM: &str = "SELECT CAST(COALESCE(SUM(api_calls), 0) AS BIGINT) FROM runs \
             JOIN streams ON streams.id = runs.stream_id WHERE streams.connection_id = $1 AND runs.started_at >= $2";
        let row = self.database.query_first(SUM, [connection_id.into(), since.into()]).await?;
        row.map_or(Ok(0), |mut row| row.count())
    }

    /// The values that a run rejected, opened.
    pub async fn rejected_values(&self, run_id: &str, at_most: u32) -> Result<Vec<RejectedValue>, StoreError> {
        const READ: &str = "SELECT ordinal, record_id, field, sealed FROM rejected_values WHERE run_id = $1 \
             ORDER BY ordinal LIMIT $2";
        let rows = self.database.query(READ, [run_id.into(), i64::from(at_most).into()]).await?;
        let open = |mut row: Row| {
            let ordinal = row.count()?;
            let (record_id, field) = (row.text()?, row.text()?);
            let raw = self.vault.open(place(&row_of(run_id, ordinal)), &row.blob()?)?;
            Ok(RejectedValue { record_id, field, raw })
        };
        rows.into_iter().map(open).collect()
    }
}

fn row_of(run_id: &str, ordinal: u64) -> String {
    format!("{run_id}/{ordinal}")
}

fn place(row: &str) -> Place<'_> {
    Place { table: "rejected_values", row, column: COLUMN_OF_RAW }
}

fn values_of_counts(run_id: &str, counts: &RunCounts) -> Vec<super::database::Value> {
    vec![
        run_id.into(),
        counts.rows.into(),
        counts.deleted_rows.into(),
        counts.rejected_values.into(),
        counts.read_bytes.into(),
        counts.api_calls.into(),
    ]
}

fn run(mut row: Row) -> Result<Run, StoreError> {
    Ok(Run {
        id: row.text()?,
        stream_id: row.text()?,
        epoch: row.integer()?,
        state: RunState::from_name(&row.text()?)?,
        started_at: row.moment()?,
        ended_at: row.optional_integer()?.map(Timestamp),
        counts: RunCounts {
            rows: row.count()?,
            deleted_rows: row.count()?,
            rejected_values: row.count()?,
            read_bytes: row.count()?,
            api_calls: row.count()?,
        },
        error: row.optional_text()?,
    })
}
