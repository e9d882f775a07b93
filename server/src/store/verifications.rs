//! When copies are held against their source by themselves.

use std::time::Duration;

use salesforce::Timestamp;

use super::{
    Store,
    database::{Change, DatabaseError, Row},
    error::StoreError,
};
use crate::{connection::state::ConnectionState, store::care::Switches};

/// A stream that has been imported gets its first certificate after so long.
pub const FIRST_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A copy that is to be held against its source now.
#[derive(Debug, Clone)]
pub struct DueVerification {
    pub stream_id: String,
    pub object: String,
    pub connection: String,
    pub org_id: String,
    pub state: ConnectionState,
    pub switches: Switches,
}

/// When a copy is held against its source next, and why there is no certificate of the last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedVerification {
    pub next_at: Timestamp,
    pub trouble: Option<String>,
}

impl Store {
    /// The copies that are to be verified now, what has waited longest first. Streams that have read nothing yet are not among
    /// them.
    pub async fn due_verifications(&self, at_most: u32) -> Result<Vec<DueVerification>, StoreError> {
        const DUE: &str = "SELECT streams.id, object, connections.name, org_id, state, switches FROM streams \
             JOIN connections ON connections.id = connection_id \
             LEFT JOIN verifications ON verifications.stream_id = streams.id \
             WHERE checkpoint IS NOT NULL AND COALESCE(next_at, streams.created_at + $2) <= $1 \
             ORDER BY COALESCE(next_at, streams.created_at + $2), streams.id LIMIT $3";
        let values = [self.clock.now().into(), first_after().into(), i64::from(at_most).into()];
        let read = |mut row: Row| {
            Ok(DueVerification {
                stream_id: row.text()?,
                object: row.text()?,
                connection: row.text()?,
                org_id: row.text()?,
                state: row.document()?,
                switches: row.document()?,
            })
        };
        self.database.query(DUE, values).await?.into_iter().map(read).collect()
    }

    /// When a stream's copy is verified next; `None`: there is no such stream.
    pub async fn planned_verification(&self, stream_id: &str) -> Result<Option<PlannedVerification>, StoreError> {
        const PLANNED: &str = "SELECT COALESCE(next_at, streams.created_at + $2), trouble FROM streams \
             LEFT JOIN verifications ON verifications.stream_id = streams.id WHERE streams.id = $1";
        let row = self.database.query_first(PLANNED, [stream_id.into(), first_after().into()]).await?;
        row.map(|mut row| Ok(PlannedVerification { next_at: row.moment()?, trouble: row.optional_text()? })).transpose()
    }

    /// Says when a stream's copy is verified next, and what the last attempt met.
    pub async fn plan_verification(
        &self,
        stream_id: &str,
        next_at: Timestamp,
        trouble: Option<&str>,
    ) -> Result<(), StoreError> {
        const PLAN: &str = "INSERT INTO verifications (stream_id, next_at, trouble) VALUES ($1, $2, $3) \
             ON CONFLICT (stream_id) DO UPDATE SET next_at = excluded.next_at, trouble = excluded.trouble";
        let change = Change::new(PLAN, [stream_id.into(), next_at.into(), trouble.map(str::to_owned).into()]);
        self.database.commit_one(change).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }
}

fn first_after() -> i64 {
    i64::try_from(FIRST_AFTER.as_millis()).expect("a day")
}
