//! Stages: what an import would write, and what it could not, before it writes anything.

use std::collections::HashSet;

use salesforce::Timestamp;
use serde::{Deserialize, Serialize};
use sync::{
    checkpoint::Checkpoint,
    mapping::{RejectedRow, RowProblem},
};

use super::{
    Store,
    database::{Change, DatabaseError, Row, Value},
    error::StoreError,
    lease::{Lease, still_held},
    streams::Stream,
};
use crate::vault::{Place, Vault};

/// A stream's stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// The stream has never been imported whole, and nothing runs it by itself.
    pub is_draft: bool,
    /// `None`: nothing has been staged.
    pub checkpoint: Option<Checkpoint>,
    pub staged_at: Timestamp,
    pub counts: StageCounts,
}

/// What a stage holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StageCounts {
    /// Rows that an import would write.
    pub ready: u64,
    /// Records that cannot be imported.
    pub rejected: u64,
    /// Rows that were ready and have been written.
    pub written: u64,
    pub selected: u64,
}

/// Where a staged record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StagedState {
    Ready,
    /// It cannot be imported.
    Rejected,
    Written,
}

impl StagedState {
    pub const ALL: [Self; 3] = [Self::Ready, Self::Rejected, Self::Written];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Rejected => "rejected",
            Self::Written => "written",
        }
    }

    fn from_name(name: &str) -> Result<Self, StoreError> {
        let known = Self::ALL.into_iter().find(|state| state.name() == name);
        known.ok_or_else(|| StoreError::corrupt(format!("a staged record is {name:?}")))
    }
}

/// A staged record, opened.
#[derive(Debug, Clone)]
pub struct Staged {
    pub record_id: String,
    pub state: StagedState,
    pub is_selected: bool,
    pub staged_at: Timestamp,
    /// `None`: expired.
    pub content: Option<StagedContent>,
}

/// What was read of a record. Personal data.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StagedContent {
    /// The row as it would be written, as a JSON object.
    Row(String),
    Rejected {
        problems: Vec<RowProblem>,
        record: String,
    },
}

/// What a step of staging changes, together.
#[derive(Debug, Default)]
pub struct StageStep<'a> {
    /// Rows that are ready: the record's Id, and the row as a JSON object.
    pub ready: &'a [(String, String)],
    /// Rows that are ready and of which no more than their number is kept.
    pub only_counted: u64,
    /// Records that are gone.
    pub gone: &'a [String],
    pub checkpoint: Option<&'a Checkpoint>,
}

/// Which staged records are meant.
#[derive(Debug, Clone)]
pub enum Which {
    All,
    Of(StagedState),
    Selected,
}

impl Store {
    /// Remembers that a stream is staged before it is imported; nothing changes for one that was imported before.
    pub async fn begin_stage(&self, stream: &Stream, lease: &Lease) -> Result<(), StoreError> {
        const BEGIN: &str = "INSERT INTO stages (stream_id, is_draft, mapping_version, epoch, ready_rows, staged_at) \
             VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (stream_id) DO NOTHING";
        let is_draft = i64::from(stream.checkpoint.is_none());
        let values = vec![
            (&stream.id).into(),
            is_draft.into(),
            stream.mapping_version.into(),
            lease.epoch.into(),
            self.clock.now().into(),
        ];
        self.commit_under(lease, vec![still_held(lease), Change::new(BEGIN, values)]).await
    }

    /// Where staging goes on: where it stopped, unless the mapping has changed or the last reading was whole. Then
    /// everything that was staged is forgotten.
    pub async fn resume_stage(&self, stream: &Stream, lease: &Lease) -> Result<Option<Checkpoint>, StoreError> {
        const STANDS: &str = "SELECT mapping_version, checkpoint FROM stages WHERE stream_id = $1";
        const FORGET: &str = "DELETE FROM staged_rows WHERE stream_id = $1";
        const RESET: &str = "UPDATE stages SET checkpoint = NULL, ready_rows = 0, mapping_version = $2, epoch = $3, \
             staged_at = $4 WHERE stream_id = $1";
        let row = self.database.query_first(STANDS, [(&stream.id).into()]).await?;
        let read = |mut row: Row| Ok::<_, StoreError>((row.integer()?, row.optional_document::<Checkpoint>()?));
        let (version, checkpoint) = row.map(read).transpose()?.unwrap_or((0, None));
        let is_under_way = |checkpoint: &Checkpoint| checkpoint.at != sync::checkpoint::Position::Complete;
        let resumed = checkpoint.filter(|checkpoint| version == stream.mapping_version && is_under_way(checkpoint));
        if resumed.is_none() {
            let reset: Vec<Value> =
                vec![(&stream.id).into(), stream.mapping_version.into(), lease.epoch.into(), self.clock.now().into()];
            let changes =
                vec![still_held(lease), Change::new(FORGET, [(&stream.id).into()]), Change::new(RESET, reset)];
            self.commit_under(lease, changes).await?;
        }
        Ok(resumed)
    }

    /// Keeps what a step of staging came to, with its place.
    pub async fn save_stage(&self, stream_id: &str, step: &StageStep<'_>, lease: &Lease) -> Result<(), StoreError> {
        const READY: &str = "INSERT INTO staged_rows (stream_id, record_id, state, is_selected, sealed, staged_at) \
             VALUES ($1, $2, 'ready', 0, $3, $4) ON CONFLICT (stream_id, record_id) DO UPDATE SET state = 'ready', \
             sealed = excluded.sealed, staged_at = excluded.staged_at";
        const GONE: &str = "DELETE FROM staged_rows WHERE stream_id = $1 AND record_id = $2";
        const COUNT: &str = "UPDATE stages SET ready_rows = ready_rows + $2 WHERE stream_id = $1";
        const CHECKPOINT: &str = "UPDATE stages SET checkpoint = $2, epoch = $3, staged_at = $4 WHERE stream_id = $1";
        let now = self.clock.now();
        let mut changes = vec![still_held(lease)];
        for (id, row) in step.ready {
            let sealed = seal(&self.vault, stream_id, id, &StagedContent::Row(row.clone()));
            changes.push(Change::new(READY, [stream_id.into(), id.into(), sealed.into(), now.into()]));
        }
        changes.extend(step.gone.iter().map(|id| Change::new(GONE, [stream_id.into(), id.into()])));
        if step.only_counted > 0 {
            changes.push(Change::new(COUNT, [stream_id.into(), step.only_counted.into()]));
        }
        if let Some(checkpoint) = step.checkpoint {
            let document = serde_json::to_string(checkpoint).expect("a checkpoint is plain data");
            let values = [stream_id.into(), document.into(), lease.epoch.into(), now.into()];
            changes.push(Change::new(CHECKPOINT, values));
        }
        self.commit_under(lease, changes).await
    }

    /// Keeps records that cannot be imported.
    pub async fn stage_rejected(
        &self,
        stream_id: &str,
        rejected: &[RejectedRow],
        lease: &Lease,
    ) -> Result<(), StoreError> {
        const REJECTED: &str = "INSERT INTO staged_rows (stream_id, record_id, state, is_selected, sealed, staged_at) \
             VALUES ($1, $2, 'rejected', 0, $3, $4) ON CONFLICT (stream_id, record_id) DO UPDATE SET \
             state = 'rejected', sealed = excluded.sealed, staged_at = excluded.staged_at";
        let mut changes = vec![still_held(lease)];
        for row in rejected {
            let content = StagedContent::Rejected { problems: row.problems.clone(), record: row.record.clone() };
            let sealed = seal(&self.vault, stream_id, &row.id, &content);
            let values = [stream_id.into(), (&row.id).into(), sealed.into(), self.clock.now().into()];
            changes.push(Change::new(REJECTED, values));
        }
        self.commit_under(lease, changes).await
    }

    /// Notes that staged records have been written.
    pub async fn mark_written(&self, stream_id: &str, ids: &[String], lease: &Lease) -> Result<(), StoreError> {
        const WRITTEN: &str = "UPDATE staged_rows SET state = 'written', is_selected = 0, sealed = NULL \
             WHERE stream_id = $1 AND record_id = $2";
        let mut changes = vec![still_held(lease)];
        changes.extend(ids.iter().map(|id| Change::new(WRITTEN, [stream_id.into(), id.into()])));
        self.commit_under(lease, changes).await
    }

    /// Forgets a stream's stage: the stream is imported now.
    pub async fn end_stage(&self, stream_id: &str, lease: &Lease) -> Result<(), StoreError> {
        const ROWS: &str = "DELETE FROM staged_rows WHERE stream_id = $1";
        const STAGE: &str = "DELETE FROM stages WHERE stream_id = $1";
        let mut changes = vec![still_held(lease)];
        changes.extend([ROWS, STAGE].map(|sql| Change::new(sql, [stream_id.into()])));
        self.commit_under(lease, changes).await
    }

    /// The streams of a connection that are staged and have never been imported whole.
    pub async fn drafts(&self, connection_id: &str) -> Result<HashSet<String>, StoreError> {
        const DRAFTS: &str = "SELECT stages.stream_id FROM stages JOIN streams ON streams.id = stages.stream_id \
             WHERE streams.connection_id = $1 AND stages.is_draft = 1";
        let rows = self.database.query(DRAFTS, [connection_id.into()]).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    /// A stream's stage with its counts; `None`: the stream is not staged.
    pub async fn stage(&self, stream_id: &str) -> Result<Option<Stage>, StoreError> {
        const STAGE: &str = "SELECT is_draft, checkpoint, staged_at, ready_rows FROM stages WHERE stream_id = $1";
        const COUNTS: &str = "SELECT state, COUNT(*), CAST(COALESCE(SUM(is_selected), 0) AS BIGINT) FROM staged_rows \
             WHERE stream_id = $1 GROUP BY state";
        let Some(mut row) = self.database.query_first(STAGE, [stream_id.into()]).await? else { return Ok(None) };
        let (is_draft, checkpoint, staged_at) = (row.integer()? != 0, row.optional_document()?, row.moment()?);
        let mut counts = StageCounts { ready: row.count()?, ..StageCounts::default() };
        for mut row in self.database.query(COUNTS, [stream_id.into()]).await? {
            let (state, number) = (StagedState::from_name(&row.text()?)?, row.count()?);
            match state {
                StagedState::Ready => counts.ready += number,
                StagedState::Rejected => counts.rejected += number,
                StagedState::Written => counts.written += number,
            }
            counts.selected += row.count()?;
        }
        Ok(Some(Stage { is_draft, checkpoint, staged_at, counts }))
    }

    /// Staged records in the order of their Ids, opened: at most `at_most` after `after`.
    pub async fn staged(
        &self,
        stream_id: &str,
        which: &Which,
        after: &str,
        at_most: u32,
    ) -> Result<Vec<Staged>, StoreError> {
        const PAGE: &str = "SELECT record_id, state, is_selected, staged_at, sealed FROM staged_rows \
             WHERE stream_id = $1 AND record_id > $2 ORDER BY record_id LIMIT $3";
        const OF_STATE: &str = "SELECT record_id, state, is_selected, staged_at, sealed FROM staged_rows \
             WHERE stream_id = $1 AND record_id > $2 AND state = $4 ORDER BY record_id LIMIT $3";
        const SELECTED: &str = "SELECT record_id, state, is_selected, staged_at, sealed FROM staged_rows \
             WHERE stream_id = $1 AND record_id > $2 AND is_selected = 1 ORDER BY record_id LIMIT $3";
        let mut values: Vec<Value> = vec![stream_id.into(), after.into(), i64::from(at_most).into()];
        let sql = match which {
            Which::All => PAGE,
            Which::Of(state) => {
                values.push(state.name().into());
                OF_STATE
            }
            Which::Selected => SELECTED,
        };
        let rows = self.database.query(sql, values).await?;
        rows.into_iter().map(|row| open(&self.vault, stream_id, row)).collect()
    }

    /// One staged record, opened.
    pub async fn staged_record(&self, stream_id: &str, record_id: &str) -> Result<Option<Staged>, StoreError> {
        const ONE: &str = "SELECT record_id, state, is_selected, staged_at, sealed FROM staged_rows \
             WHERE stream_id = $1 AND record_id = $2";
        let row = self.database.query_first(ONE, [stream_id.into(), record_id.into()]).await?;
        row.map(|row| open(&self.vault, stream_id, row)).transpose()
    }

    /// Selects staged records, or takes them out of the selection; returns how many that changed.
    pub async fn select_staged(&self, stream_id: &str, ids: &[String], selected: bool) -> Result<u64, StoreError> {
        const SELECT: &str = "UPDATE staged_rows SET is_selected = $3 WHERE stream_id = $1 AND record_id = $2 \
             AND is_selected <> $3 AND state <> 'written' RETURNING record_id";
        let flag = i64::from(selected);
        let select = |id: &String| Change::new(SELECT, [stream_id.into(), id.into(), flag.into()]);
        match self.database.commit(ids.iter().map(select).collect()).await.map_err(DatabaseError::unexpected)? {
            super::database::Committed::Done(rows) => Ok(rows.iter().map(|rows| rows.len() as u64).sum()),
            super::database::Committed::Undone => Ok(0),
        }
    }
}

fn row_of(stream_id: &str, record_id: &str) -> String {
    format!("{stream_id}/{record_id}")
}

fn place(row: &str) -> Place<'_> {
    Place { table: "staged_rows", row, column: "sealed" }
}

fn seal(vault: &Vault, stream_id: &str, record_id: &str, content: &StagedContent) -> Vec<u8> {
    let document = serde_json::to_vec(content).expect("staged content is plain data");
    vault.seal(place(&row_of(stream_id, record_id)), &document)
}

fn open(vault: &Vault, stream_id: &str, mut row: Row) -> Result<Staged, StoreError> {
    let record_id = row.text()?;
    let state = StagedState::from_name(&row.text()?)?;
    let (is_selected, staged_at) = (row.integer()? != 0, row.moment()?);
    let content = match row.optional_blob()? {
        Some(sealed) => {
            let document = vault.open(place(&row_of(stream_id, &record_id)), &sealed)?;
            let content = serde_json::from_slice(&document);
            Some(content.map_err(|error| StoreError::corrupt(format!("staged content cannot be read: {error}")))?)
        }
        None => None,
    };
    Ok(Staged { record_id, state, is_selected, staged_at, content })
}
