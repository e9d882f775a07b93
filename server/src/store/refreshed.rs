//! What the control store holds of rows that were removed.

use super::{
    Store,
    database::Change,
    error::StoreError,
    lease::{Lease, still_held},
};

impl Store {
    /// Forgets what was read into a stream's table, while its lease is held: checkpoint, staged and rejected records,
    /// certificates, and what its fields were like. The stream itself stays, with its mappings, its schedule and the record
    /// of its runs; what was to be staged before it is imported is still to be.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another process has taken the lease.
    pub async fn forget_copy(&self, stream: &str, lease: &Lease) -> Result<(), StoreError> {
        const VALUES: &str = "DELETE FROM rejected_values WHERE run_id IN (SELECT id FROM runs WHERE stream_id = $1)";
        const ROWS: &str = "DELETE FROM rejected_rows WHERE stream_id = $1";
        const STAGED: &str = "DELETE FROM staged_rows WHERE stream_id = $1";
        const IMPORTED: &str = "DELETE FROM stages WHERE stream_id = $1 AND is_draft = 0";
        const DRAFT: &str = "UPDATE stages SET checkpoint = NULL, ready_rows = 0 WHERE stream_id = $1";
        const SHAPE: &str = "DELETE FROM shapes WHERE stream_id = $1";
        const DRIFTS: &str = "DELETE FROM drifts WHERE stream_id = $1";
        const CERTIFICATES: &str = "DELETE FROM certificates WHERE stream_id = $1";
        const CHECKPOINT: &str = "UPDATE streams SET checkpoint = NULL, checkpoint_at = NULL WHERE id = $1";
        let all = [VALUES, ROWS, STAGED, IMPORTED, DRAFT, SHAPE, DRIFTS, CERTIFICATES, CHECKPOINT];
        let mut changes = vec![still_held(lease)];
        changes.extend(all.map(|sql| Change::new(sql, [stream.into()])));
        self.commit_under(lease, changes).await
    }
}
