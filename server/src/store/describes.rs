//! What orgs have said of their objects lately.

use std::ops::RangeInclusive;

use salesforce::{Timestamp, describe::ObjectDescribe};

use super::{
    Store,
    database::{Change, DatabaseError},
    error::StoreError,
};

/// A describe, and when it was asked for.
#[derive(Debug)]
pub struct KeptDescribe {
    pub describe: ObjectDescribe,
    pub at: Timestamp,
}

impl Store {
    /// Keeps describes that were made for `viewer`, and lets go of the connection's that are older than `oldest`.
    pub async fn keep_describes(
        &self,
        connection_id: &str,
        viewer: &str,
        describes: impl IntoIterator<Item = (&ObjectDescribe, Timestamp)>,
        oldest: Timestamp,
    ) -> Result<(), StoreError> {
        const KEEP: &str = "INSERT INTO describes (connection_id, object, viewer, described_at, describe) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (connection_id, object) DO UPDATE SET viewer = excluded.viewer, \
             described_at = excluded.described_at, describe = excluded.describe";
        const FORGET: &str = "DELETE FROM describes WHERE connection_id = $1 AND described_at < $2";
        let keep = |(describe, at): (&ObjectDescribe, Timestamp)| {
            let document = serde_json::to_string(describe).expect("a describe is plain data");
            let name = describe.name.to_ascii_lowercase();
            Change::new(KEEP, [connection_id.into(), name.into(), viewer.into(), at.into(), document.into()])
        };
        let mut changes: Vec<Change> = describes.into_iter().map(keep).collect();
        changes.push(Change::new(FORGET, [connection_id.into(), oldest.into()]));
        self.database.commit(changes).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// The describes that were made for `viewer` within `life`. One that this version cannot read is none.
    pub async fn kept_describes(
        &self,
        connection_id: &str,
        viewer: &str,
        life: &RangeInclusive<Timestamp>,
    ) -> Result<Vec<KeptDescribe>, StoreError> {
        const READ: &str = "SELECT described_at, describe FROM describes \
             WHERE connection_id = $1 AND viewer = $2 AND described_at BETWEEN $3 AND $4 ORDER BY object";
        let asked = [connection_id.into(), viewer.into(), (*life.start()).into(), (*life.end()).into()];
        let rows = self.database.query(READ, asked).await?;
        let mut kept = Vec::new();
        for mut row in rows {
            let at = row.moment()?;
            if let Ok(describe) = serde_json::from_str(&row.text()?) {
                kept.push(KeptDescribe { describe, at });
            }
        }
        Ok(kept)
    }
}
