//! What streams have agreed to read, and how the org's fields came to differ from that.

use salesforce::Timestamp;
use serde::Serialize;
use serde_json::json;
use sync::drift::{Change as FieldChange, Shape};

use super::{
    Store,
    database::{Change, Committed, DatabaseError, Row},
    error::StoreError,
    fresh_id,
    journal::Actor,
    streams::Stream,
};

/// What became of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftState {
    /// The stream went on with it by itself.
    Applied,
    /// Somebody has to decide.
    Pending,
    Accepted,
    /// The stream stays with what was agreed.
    Rejected,
    /// The org's fields differ otherwise, or not at all, since.
    Passed,
}

impl DriftState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Passed => "passed",
        }
    }

    fn from_name(name: &str) -> Result<Self, StoreError> {
        match name {
            "applied" => Ok(Self::Applied),
            "pending" => Ok(Self::Pending),
            "accepted" => Ok(Self::Accepted),
            "rejected" => Ok(Self::Rejected),
            "passed" => Ok(Self::Passed),
            other => Err(StoreError::corrupt(format!("a drift is {other:?}"))),
        }
    }
}

/// A difference that a stream has met.
#[derive(Debug, Clone)]
pub struct Drift {
    pub id: String,
    pub stream_id: String,
    pub state: DriftState,
    pub changes: Vec<FieldChange>,
    pub found_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<Actor>,
}

const AGREE: &str = "INSERT INTO shapes (stream_id, shape, agreed_at) VALUES ($1, $2, $3) \
     ON CONFLICT (stream_id) DO UPDATE SET shape = excluded.shape, agreed_at = excluded.agreed_at";

impl Store {
    /// What a stream has agreed to read; `None`: it has not run yet.
    pub async fn shape(&self, stream_id: &str) -> Result<Option<Shape>, StoreError> {
        const READ: &str = "SELECT shape FROM shapes WHERE stream_id = $1";
        let row = self.database.query_first(READ, [stream_id.into()]).await?;
        row.map(|mut row| row.document()).transpose()
    }

    /// Agrees to a shape in silence. What was pending is not any more.
    pub async fn agree(&self, stream_id: &str, shape: &Shape) -> Result<(), StoreError> {
        let changes = vec![self.pass(stream_id), self.agreed(stream_id, document(shape))];
        self.database.commit(changes).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// Keeps a difference, and notes it in the journal. One that is applied agrees to `shape` at once.
    pub async fn found_drift(
        &self,
        connection: &str,
        stream: &Stream,
        state: DriftState,
        changes: &[FieldChange],
        shape: &Shape,
    ) -> Result<(), StoreError> {
        const KEEP: &str = "INSERT INTO drifts (id, stream_id, state, changes, shape, found_at) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        let keep = [
            fresh_id("dri").into(),
            (&stream.id).into(),
            state.name().into(),
            document(changes).into(),
            document(shape).into(),
            self.clock.now().into(),
        ];
        let words: Vec<String> = changes.iter().map(ToString::to_string).collect();
        let detail = json!({ "object": stream.object, "state": state, "changes": words });
        let mut commit = vec![
            self.pass(&stream.id),
            Change::new(KEEP, keep),
            self.entry(Some(connection), &Actor::Orgtide, "fields-changed", &detail),
        ];
        if state == DriftState::Applied {
            commit.push(self.agreed(&stream.id, document(shape)));
        }
        self.database.commit(commit).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// The differences that the streams of a connection have met, the newest first.
    pub async fn drifts(&self, connection_id: &str, at_most: u32) -> Result<Vec<Drift>, StoreError> {
        const READ: &str = "SELECT drifts.id, stream_id, state, changes, found_at, decided_at, decided_by FROM drifts \
             JOIN streams ON streams.id = drifts.stream_id WHERE streams.connection_id = $1 \
             ORDER BY found_at DESC, drifts.id LIMIT $2";
        let rows = self.database.query(READ, [connection_id.into(), i64::from(at_most).into()]).await?;
        rows.into_iter().map(drift).collect()
    }

    /// The last difference of a stream that waits for a decision or was rejected.
    pub async fn unagreed_drift(&self, stream_id: &str) -> Result<Option<Drift>, StoreError> {
        const READ: &str = "SELECT id, stream_id, state, changes, found_at, decided_at, decided_by FROM drifts \
             WHERE stream_id = $1 AND state IN ('pending', 'rejected') ORDER BY found_at DESC, id LIMIT 1";
        self.database.query_first(READ, [stream_id.into()]).await?.map(drift).transpose()
    }

    /// Decides on a pending difference; false when it is not pending any more.
    pub async fn decide_drift(
        &self,
        connection: &str,
        object: &str,
        drift: &Drift,
        accept: bool,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        const DECIDE: &str = "UPDATE drifts SET state = $2, decided_at = $3, decided_by = $4 \
             WHERE id = $1 AND state = 'pending'";
        const AGREE_TO: &str = "INSERT INTO shapes (stream_id, shape, agreed_at) \
             SELECT stream_id, shape, CAST($2 AS BIGINT) FROM drifts WHERE id = $1 \
             ON CONFLICT (stream_id) DO UPDATE SET shape = excluded.shape, agreed_at = excluded.agreed_at";
        let now = self.clock.now();
        let state = if accept { DriftState::Accepted } else { DriftState::Rejected };
        let event = if accept { "change-of-fields-accepted" } else { "change-of-fields-rejected" };
        let decide = [(&drift.id).into(), state.name().into(), now.into(), actor.text().into()];
        let mut commit = vec![Change::exactly_one(DECIDE, decide)];
        if accept {
            commit.push(Change::new(AGREE_TO, [(&drift.id).into(), now.into()]));
        }
        commit.push(self.entry(Some(connection), actor, event, &json!({ "object": object })));
        match self.database.commit(commit).await.map_err(DatabaseError::unexpected)? {
            Committed::Done(_) => Ok(true),
            Committed::Undone => Ok(false),
        }
    }

    fn agreed(&self, stream_id: &str, shape: String) -> Change {
        Change::new(AGREE, [stream_id.into(), shape.into(), self.clock.now().into()])
    }

    /// What was pending gives way.
    fn pass(&self, stream_id: &str) -> Change {
        const PASS: &str =
            "UPDATE drifts SET state = 'passed', decided_at = $2 WHERE stream_id = $1 AND state = 'pending'";
        Change::new(PASS, [stream_id.into(), self.clock.now().into()])
    }
}

fn document(data: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(data).expect("plain data serialises")
}

fn drift(mut row: Row) -> Result<Drift, StoreError> {
    Ok(Drift {
        id: row.text()?,
        stream_id: row.text()?,
        state: DriftState::from_name(&row.text()?)?,
        changes: row.document()?,
        found_at: row.moment()?,
        decided_at: row.optional_integer()?.map(Timestamp),
        decided_by: row.optional_text()?.map(Actor::from),
    })
}
