//! Runs of streams: what was asked of them, what they did, how far they came, and the values that fitted no type.

use salesforce::Timestamp;
use serde::{Deserialize, Serialize};
use sync::{
    batch::Misfit,
    checkpoint::{Checkpoint, Window},
    mapping::RejectedRow,
    read::ReadMode,
};
use zeroize::Zeroizing;

use super::{
    Store,
    database::{Change, DatabaseError, Row},
    error::StoreError,
    forecasts, fresh_id,
    lease::{Holder, Lease, still_held},
    rejected,
    streams::Stream,
};
use crate::vault::Place;

/// What a run was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Read everything.
    Import,
    /// Read what has changed.
    Sync,
    /// Read what has changed, and look for rows whose records are gone.
    Sweep,
    /// Read the first records, and write them.
    Test,
    /// Read and judge everything, and write nothing.
    Stage,
    /// Read certain records again, and write those that are fine now.
    Retry,
    /// Compare the copy with its source, and put right what differs where that was asked for.
    Verify,
}

impl Purpose {
    pub const ALL: [Self; 7] =
        [Self::Import, Self::Sync, Self::Sweep, Self::Test, Self::Stage, Self::Retry, Self::Verify];

    pub fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Sync => "sync",
            Self::Sweep => "sweep",
            Self::Test => "test",
            Self::Stage => "stage",
            Self::Retry => "retry",
            Self::Verify => "verify",
        }
    }

    fn from_name(name: &str) -> Result<Self, StoreError> {
        let known = Self::ALL.into_iter().find(|purpose| purpose.name() == name);
        known.ok_or_else(|| StoreError::corrupt(format!("a run was asked for {name:?}")))
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Completed,
    /// Ended by a person at a checkpoint.
    Stopped,
    /// Ended at a checkpoint because other customers waited; it goes on from there when its turn comes.
    GaveWay,
    /// Ended at a checkpoint because the org's budget of API calls was used up; it goes on from there when calls are free.
    Waiting,
    Failed,
    /// Its process ended without a word; a later run of the stream found that out.
    Abandoned,
}

impl RunState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopped | Self::GaveWay => "stopped",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    fn stored(name: &str, code: Option<&str>) -> Result<Self, StoreError> {
        match name {
            "stopped" if code == Some(GAVE_WAY) => Ok(Self::GaveWay),
            "running" => Ok(Self::Running),
            "completed" => Ok(Self::Completed),
            "stopped" => Ok(Self::Stopped),
            "waiting" => Ok(Self::Waiting),
            "failed" => Ok(Self::Failed),
            "abandoned" => Ok(Self::Abandoned),
            other => Err(StoreError::corrupt(format!("a run is {other:?}"))),
        }
    }
}

/// What a run has done so far. What an older version did not count is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunCounts {
    /// Records that arrived.
    pub read: u64,
    /// Rows written, whether or not that changed anything.
    pub rows: u64,
    pub deleted_rows: u64,
    /// Rows deleted because a whole reading did not name them any more.
    pub swept_rows: u64,
    /// Rows in which a column was filled.
    pub patched_rows: u64,
    /// Records that became no row.
    pub rejected_rows: u64,
    /// Values that fitted no type; their cells are null.
    pub rejected_values: u64,
    /// Rows that were joined to one of the vendor's own.
    pub matched_rows: u64,
    pub unmatched_rows: u64,
    /// Rows that more than one of the vendor's own would match.
    pub ambiguous_rows: u64,
    pub read_bytes: u64,
    pub api_calls: u64,
    /// Those of the calls that made a Bulk job.
    pub bulk_jobs: u64,
    pub stages: StageMillis,
}

/// What the time of a run went to, in milliseconds. Reading and writing go on at the same time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageMillis {
    /// For the org, before the first record.
    pub waiting: u64,
    pub reading: u64,
    pub mapping: u64,
    pub writing: u64,
}

/// How a run read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// `None`: nothing was read.
    pub mode: Option<ReadMode>,
    /// It went on where an earlier one had stopped.
    pub is_resumed: bool,
    pub window: Option<Window>,
}

/// One execution of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: String,
    pub stream_id: String,
    pub epoch: i64,
    pub purpose: Purpose,
    /// The process that ran it, for people.
    pub holder: Option<String>,
    pub mapping_version: Option<i64>,
    pub state: RunState,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub reading: Reading,
    pub counts: RunCounts,
    pub error: Option<RunFault>,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunFault {
    /// The error's short, stable name.
    pub code: String,
    pub message: String,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Ending {
    pub state: RunState,
    pub reading: Reading,
    pub counts: RunCounts,
    pub error: Option<RunFault>,
}

/// What of the records that were read is not going to be written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwritten<'a> {
    pub values: &'a [Misfit],
    /// The ordinal of the first of these values within the run.
    pub first_value: u64,
    pub rows: &'a [RejectedRow],
}

/// A value that fitted no type, opened.
#[derive(Debug)]
pub struct RejectedValue {
    pub record_id: String,
    pub field: String,
    pub raw: Zeroizing<Vec<u8>>,
}

/// Stands for why a run has stopped, where that of a failed one has the code of its error.
pub(crate) const GAVE_WAY: &str = "gave_way";
const COLUMN_OF_RAW: &str = "raw";

impl Store {
    /// Records that a run begins, under the stream's lease. Runs of the stream that are still called running belong to
    /// processes that are gone, and become abandoned.
    pub async fn begin_run(
        &self,
        stream: &Stream,
        purpose: Purpose,
        holder: &Holder,
        lease: &Lease,
    ) -> Result<Run, StoreError> {
        const ABANDON: &str =
            "UPDATE runs SET state = 'abandoned', ended_at = $2 WHERE stream_id = $1 AND state = 'running'";
        const BEGIN: &str = "INSERT INTO runs (id, stream_id, epoch, state, started_at, api_calls, purpose, holder, \
             mapping_version) VALUES ($1, $2, $3, 'running', $4, 0, $5, $6, $7)";
        let run = Run {
            id: fresh_id("run"),
            stream_id: stream.id.clone(),
            epoch: lease.epoch,
            purpose,
            holder: Some(holder.to_string()),
            mapping_version: Some(stream.mapping_version),
            state: RunState::Running,
            started_at: self.clock.now(),
            ended_at: None,
            reading: Reading::default(),
            counts: RunCounts::default(),
            error: None,
        };
        let begin = vec![
            (&run.id).into(),
            (&run.stream_id).into(),
            run.epoch.into(),
            run.started_at.into(),
            purpose.name().into(),
            run.holder.clone().into(),
            run.mapping_version.into(),
        ];
        let mut changes = vec![
            still_held(lease),
            Change::new(ABANDON, [(&run.stream_id).into(), run.started_at.into()]),
            Change::new(BEGIN, begin),
        ];
        if purpose == Purpose::Import {
            changes.push(forecasts::note(&run.id, &run.stream_id, run.started_at));
        }
        self.commit_under(lease, changes).await?;
        Ok(run)
    }

    /// Keeps what is not going to be written, before the rows beside it are.
    pub async fn keep_unwritten(&self, run: &Run, unwritten: Unwritten<'_>, lease: &Lease) -> Result<(), StoreError> {
        let mut changes = vec![still_held(lease)];
        let values = (unwritten.first_value..).zip(unwritten.values);
        changes.extend(values.map(|(ordinal, misfit)| self.reject(run, ordinal, misfit)));
        changes.extend(unwritten.rows.iter().map(|row| rejected::keep(&self.vault, run, row, self.clock.now())));
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

    /// Mirrors how far a run has come. `settled` are rejected records that have become rows, or are gone.
    pub async fn save_run_progress(
        &self,
        run: &Run,
        counts: &RunCounts,
        checkpoint: &Checkpoint,
        settled: &[String],
        lease: &Lease,
    ) -> Result<(), StoreError> {
        const CHECKPOINT: &str =
            "UPDATE streams SET checkpoint = $2, checkpoint_epoch = $3, checkpoint_at = $4 WHERE id = $1";
        let document = serde_json::to_string(checkpoint).expect("a checkpoint is plain data");
        let values = [(&run.stream_id).into(), document.into(), lease.epoch.into(), self.clock.now().into()];
        let mut changes = vec![still_held(lease), counted(run, counts), Change::new(CHECKPOINT, values)];
        changes.extend(settled.iter().map(|id| rejected::settle(&run.stream_id, id)));
        self.commit_under(lease, changes).await
    }

    /// Records how a run ended. `settled` as in [`Store::save_run_progress`].
    pub async fn end_run(
        &self,
        run: &Run,
        ending: &Ending,
        settled: &[String],
        lease: &Lease,
    ) -> Result<(), StoreError> {
        const END: &str = "UPDATE runs SET state = $2, ended_at = $3, read_mode = $4, is_resumed = $5, \
             run_window = $6, error = $7, error_code = $8 WHERE id = $1";
        let Ending { state, reading, counts, error } = ending;
        let window = reading.window.map(|window| serde_json::to_string(&window).expect("a window is plain data"));
        let (message, code) = error.as_ref().map(|fault| (fault.message.as_str(), fault.code.as_str())).unzip();
        let code = if *state == RunState::GaveWay { Some(GAVE_WAY) } else { code };
        let end = vec![
            (&run.id).into(),
            state.name().into(),
            self.clock.now().into(),
            reading.mode.map(mode_name).into(),
            i64::from(reading.is_resumed).into(),
            window.into(),
            message.into(),
            code.into(),
        ];
        let mut changes = vec![still_held(lease), counted(run, counts), Change::new(END, end)];
        changes.extend(settled.iter().map(|id| rejected::settle(&run.stream_id, id)));
        self.commit_under(lease, changes).await
    }

    /// The latest runs of a stream, newest first.
    pub async fn runs(&self, stream_id: &str, at_most: u32) -> Result<Vec<Run>, StoreError> {
        const LATEST: &str = "SELECT id, stream_id, epoch, purpose, holder, mapping_version, state, started_at, \
             ended_at, read_mode, is_resumed, run_window, counts, error, error_code FROM runs WHERE stream_id = $1 \
             ORDER BY epoch DESC LIMIT $2";
        let rows = self.database.query(LATEST, [stream_id.into(), i64::from(at_most).into()]).await?;
        rows.into_iter().map(run).collect()
    }

    /// The run of that id.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is none, or none any more.
    pub async fn run(&self, id: &str) -> Result<Run, StoreError> {
        const BY_ID: &str = "SELECT id, stream_id, epoch, purpose, holder, mapping_version, state, started_at, \
             ended_at, read_mode, is_resumed, run_window, counts, error, error_code FROM runs WHERE id = $1";
        let row = self.database.query_first(BY_ID, [id.into()]).await?;
        let unknown = || StoreError::Unknown { kind: "run", name: id.to_owned(), known: Vec::new() };
        row.map(run).transpose()?.ok_or_else(unknown)
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

    /// Forgets runs that ended before `runs_before`, except the last one of each stream, and what was read of records
    /// and values that were rejected before `rejected_before`. A record stays in the list of its stream; reading it
    /// again says why.
    pub async fn forget_runs(&self, runs_before: Timestamp, rejected_before: Timestamp) -> Result<(), StoreError> {
        const VALUES: &str = "DELETE FROM rejected_values WHERE rejected_at < $1";
        const ROWS: &str = "UPDATE rejected_rows SET sealed = NULL WHERE last_at < $1 AND sealed IS NOT NULL";
        const STAGED: &str = "UPDATE staged_rows SET sealed = NULL WHERE staged_at < $1 AND sealed IS NOT NULL";
        const VALUES_OF_RUNS: &str = "DELETE FROM rejected_values WHERE run_id IN (SELECT id FROM runs \
             WHERE ended_at < $1 AND epoch < (SELECT MAX(later.epoch) FROM runs later \
             WHERE later.stream_id = runs.stream_id))";
        const RUNS: &str = "DELETE FROM runs WHERE ended_at < $1 AND epoch < (SELECT MAX(later.epoch) FROM runs later \
             WHERE later.stream_id = runs.stream_id)";
        let mut changes: Vec<Change> =
            [VALUES, ROWS, STAGED].map(|sql| Change::new(sql, [rejected_before.into()])).into();
        changes.extend([VALUES_OF_RUNS, RUNS].map(|sql| Change::new(sql, [runs_before.into()])));
        self.database.commit(changes).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }
}

fn row_of(run_id: &str, ordinal: u64) -> String {
    format!("{run_id}/{ordinal}")
}

fn place(row: &str) -> Place<'_> {
    Place { table: "rejected_values", row, column: COLUMN_OF_RAW }
}

fn counted(run: &Run, counts: &RunCounts) -> Change {
    const COUNTS: &str = "UPDATE runs SET counts = $2, api_calls = $3 WHERE id = $1";
    let document = serde_json::to_string(counts).expect("counts are plain data");
    Change::new(COUNTS, [(&run.id).into(), document.into(), counts.api_calls.into()])
}

pub(super) fn mode_name(mode: ReadMode) -> &'static str {
    match mode {
        ReadMode::Query => "query",
        ReadMode::Bulk => "bulk",
    }
}

fn mode(name: &str) -> Result<ReadMode, StoreError> {
    match name {
        "query" => Ok(ReadMode::Query),
        "bulk" => Ok(ReadMode::Bulk),
        other => Err(StoreError::corrupt(format!("a run read by {other:?}"))),
    }
}

fn run(mut row: Row) -> Result<Run, StoreError> {
    let (id, stream_id, epoch) = (row.text()?, row.text()?, row.integer()?);
    let purpose = Purpose::from_name(&row.text()?)?;
    let (holder, mapping_version) = (row.optional_text()?, row.optional_integer()?);
    let state = row.text()?;
    let (started_at, ended_at) = (row.moment()?, row.optional_integer()?.map(Timestamp));
    let reading = Reading {
        mode: row.optional_text()?.as_deref().map(mode).transpose()?,
        is_resumed: row.integer()? != 0,
        window: row.optional_document()?,
    };
    let counts = row.document()?;
    let (message, code) = (row.optional_text()?, row.optional_text()?);
    Ok(Run {
        id,
        stream_id,
        epoch,
        purpose,
        holder,
        mapping_version,
        state: RunState::stored(&state, code.as_deref())?,
        started_at,
        ended_at,
        reading,
        counts,
        error: message.map(|message| RunFault { code: code.unwrap_or_default(), message }),
    })
}
