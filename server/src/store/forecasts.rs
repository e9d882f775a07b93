//! What imports were expected to cost, and how fast earlier ones were.

use salesforce::Timestamp;
use sync::{forecast::Expected, read::ReadMode};

use super::{
    Store,
    database::{Change, DatabaseError},
    error::StoreError,
    runs::{RunCounts, mode_name},
};

/// A forecast is that of an import that begins within a day.
const KEPT_MILLIS: i64 = 24 * 3_600_000;

/// How long one run has taken.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub rows: u64,
    pub millis: u64,
    /// Of them for a Bulk job.
    pub waiting_millis: u64,
}

impl Store {
    /// Keeps what importing into a table is expected to cost, in place of an earlier forecast.
    pub async fn keep_forecast(&self, connection_id: &str, table: &str, expected: &Expected) -> Result<(), StoreError> {
        const KEEP: &str = "INSERT INTO forecasts (connection_id, table_name, made_at, forecast) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (connection_id, table_name) DO UPDATE SET made_at = excluded.made_at, forecast = excluded.forecast";
        let document = serde_json::to_string(expected).expect("a forecast is plain data");
        let values = [connection_id.into(), table.into(), self.clock.now().into(), document.into()];
        self.database.commit_one(Change::new(KEEP, values)).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// How long the connection's latest run took that has read so many records in that mode.
    pub async fn latest_pace(
        &self,
        connection_id: &str,
        mode: ReadMode,
        rows: u64,
    ) -> Result<Option<Pace>, StoreError> {
        const LATEST: &str = "SELECT counts, ended_at - started_at FROM runs JOIN streams ON streams.id = runs.stream_id \
             WHERE connection_id = $1 AND runs.read_mode = $2 AND state = 'completed' AND is_resumed = 0 \
             AND purpose IN ('import', 'sync') ORDER BY started_at DESC LIMIT 50";
        for mut row in self.database.query(LATEST, [connection_id.into(), mode_name(mode).into()]).await? {
            let (counts, millis): (RunCounts, u64) = (row.document()?, row.count()?);
            if counts.read >= rows {
                return Ok(Some(Pace { rows: counts.read, millis, waiting_millis: counts.stages.waiting }));
            }
        }
        Ok(None)
    }

    /// What a run was expected to cost.
    pub async fn forecast_of_run(&self, run_id: &str) -> Result<Option<Expected>, StoreError> {
        const READ: &str = "SELECT forecast FROM runs WHERE id = $1";
        let row = self.database.query_first(READ, [run_id.into()]).await?;
        row.map_or(Ok(None), |mut row| row.optional_document())
    }
}

/// Writes the latest forecast of its table into the record of an import.
pub(super) fn note(run_id: &str, stream_id: &str, now: Timestamp) -> Change {
    const NOTE: &str = "UPDATE runs SET forecast = (SELECT forecasts.forecast FROM forecasts \
         JOIN streams ON streams.connection_id = forecasts.connection_id AND streams.table_name = forecasts.table_name \
         WHERE streams.id = $2 AND made_at > $3) WHERE id = $1";
    Change::new(NOTE, [run_id.into(), stream_id.into(), Timestamp(now.0 - KEPT_MILLIS).into()])
}
