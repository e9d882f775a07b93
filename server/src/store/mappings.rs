//! Every mapping that a stream has had.

use salesforce::Timestamp;
use sync::mapping::Mapping;

use super::{
    Store,
    database::{Change, Committed, DatabaseError, Row},
    error::StoreError,
    journal::Actor,
    streams::Stream,
};

/// A mapping as it was, by whom, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct MappingVersion {
    pub version: i64,
    pub mapping: Mapping,
    pub author: Actor,
    pub note: Option<String>,
    pub made_at: Timestamp,
}

impl Store {
    /// The mappings of a stream, the newest first.
    pub async fn mapping_versions(&self, stream_id: &str) -> Result<Vec<MappingVersion>, StoreError> {
        const READ: &str = "SELECT version, mapping, author, note, made_at FROM mapping_versions WHERE stream_id = $1 \
             ORDER BY version DESC";
        self.database.query(READ, [stream_id.into()]).await?.into_iter().map(version).collect()
    }

    /// Gives a stream another mapping, as its next version; false when somebody else has changed it meanwhile.
    pub async fn set_mapping(
        &self,
        connection: &str,
        stream: &Stream,
        mapping: &Mapping,
        actor: &Actor,
        note: Option<&str>,
    ) -> Result<bool, StoreError> {
        const SET: &str = "UPDATE streams SET mapping = $2, mapping_version = mapping_version + 1 WHERE id = $1 AND mapping_version = $3";
        const KEEP: &str = "INSERT INTO mapping_versions (stream_id, version, mapping, author, note, made_at) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        let document = serde_json::to_string(mapping).expect("a mapping is plain data");
        let version = stream.mapping_version + 1;
        let set = [(&stream.id).into(), (&document).into(), stream.mapping_version.into()];
        let keep = [
            (&stream.id).into(),
            version.into(),
            document.into(),
            actor.text().into(),
            note.into(),
            self.clock.now().into(),
        ];
        let detail = serde_json::json!({ "object": stream.object, "version": version, "note": note });
        let changes = vec![
            Change::exactly_one(SET, set),
            Change::new(KEEP, keep),
            self.entry(Some(connection), actor, "mapping-changed", &detail),
        ];
        match self.database.commit(changes).await.map_err(DatabaseError::unexpected)? {
            Committed::Done(_) => Ok(true),
            Committed::Undone => Ok(false),
        }
    }
}

fn version(mut row: Row) -> Result<MappingVersion, StoreError> {
    Ok(MappingVersion {
        version: row.integer()?,
        mapping: row.document()?,
        author: row.text()?.into(),
        note: row.optional_text()?,
        made_at: row.moment()?,
    })
}
