//! Records of a stream that become no row at present.
//!
//! A record comes in with each run that rejects it, and leaves when it becomes a row, when it is deleted, or when a whole
//! reading names it no more. Why it was rejected and what was read of it is sealed, and expires
//! ([`Store::forget_runs`]).

use std::collections::HashSet;

use salesforce::Timestamp;
use serde::{Deserialize, Serialize};
use sync::mapping::{RejectedRow, RowProblem};

use super::{
    Store,
    database::{Change, Row},
    error::StoreError,
    runs::Run,
};
use crate::vault::{Place, Vault};

/// A record that becomes no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub record_id: String,
    /// `None`: expired. Reading the record again says why.
    pub why: Option<Why>,
    /// How often it was read and rejected.
    pub attempts: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// The last run that rejected it.
    pub run_id: String,
}

/// Why a record becomes no row. Personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    pub problems: Vec<RowProblem>,
    /// What was read of it, as a JSON object.
    pub record: String,
}

impl Store {
    /// The Ids of a stream's rejected records.
    pub async fn rejected_ids(&self, stream_id: &str) -> Result<HashSet<String>, StoreError> {
        const IDS: &str = "SELECT record_id FROM rejected_rows WHERE stream_id = $1";
        let rows = self.database.query(IDS, [stream_id.into()]).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    /// How many rejected records a stream has.
    pub async fn count_rejected(&self, stream_id: &str) -> Result<u64, StoreError> {
        const COUNT: &str = "SELECT COUNT(*) FROM rejected_rows WHERE stream_id = $1";
        let row = self.database.query_first(COUNT, [stream_id.into()]).await?;
        row.map_or(Ok(0), |mut row| row.count())
    }

    /// A stream's rejected records in the order of their Ids, opened: at most `at_most` after `after`.
    pub async fn rejected(&self, stream_id: &str, after: &str, at_most: u32) -> Result<Vec<Rejected>, StoreError> {
        const PAGE: &str = "SELECT record_id, sealed, attempts, first_at, last_at, run_id FROM rejected_rows \
             WHERE stream_id = $1 AND record_id > $2 ORDER BY record_id LIMIT $3";
        let page = [stream_id.into(), after.into(), i64::from(at_most).into()];
        let rows = self.database.query(PAGE, page).await?;
        rows.into_iter().map(|row| open(&self.vault, stream_id, row)).collect()
    }

    /// One rejected record of a stream, opened.
    pub async fn rejected_record(&self, stream_id: &str, record_id: &str) -> Result<Option<Rejected>, StoreError> {
        const ONE: &str = "SELECT record_id, sealed, attempts, first_at, last_at, run_id FROM rejected_rows \
             WHERE stream_id = $1 AND record_id = $2";
        let row = self.database.query_first(ONE, [stream_id.into(), record_id.into()]).await?;
        row.map(|row| open(&self.vault, stream_id, row)).transpose()
    }
}

/// Puts a record on the list, or notes that it was rejected again.
pub(super) fn keep(vault: &Vault, run: &Run, row: &RejectedRow, now: Timestamp) -> Change {
    const KEEP: &str = "INSERT INTO rejected_rows (stream_id, record_id, sealed, attempts, first_at, last_at, run_id) \
         VALUES ($1, $2, $3, 1, $4, $4, $5) ON CONFLICT (stream_id, record_id) DO UPDATE SET \
         sealed = excluded.sealed, attempts = rejected_rows.attempts + 1, last_at = excluded.last_at, \
         run_id = excluded.run_id";
    let why = Why { problems: row.problems.clone(), record: row.record.clone() };
    let document = serde_json::to_vec(&why).expect("reasons are plain data");
    let sealed = vault.seal(place(&row_of(&run.stream_id, &row.id)), &document);
    Change::new(KEEP, [(&run.stream_id).into(), (&row.id).into(), sealed.into(), now.into(), (&run.id).into()])
}

/// Takes a record off the list.
pub(super) fn settle(stream_id: &str, record_id: &str) -> Change {
    const SETTLE: &str = "DELETE FROM rejected_rows WHERE stream_id = $1 AND record_id = $2";
    Change::new(SETTLE, [stream_id.into(), record_id.into()])
}

fn row_of(stream_id: &str, record_id: &str) -> String {
    format!("{stream_id}/{record_id}")
}

fn place(row: &str) -> Place<'_> {
    Place { table: "rejected_rows", row, column: "sealed" }
}

fn open(vault: &Vault, stream_id: &str, mut row: Row) -> Result<Rejected, StoreError> {
    let record_id = row.text()?;
    let why = match row.optional_blob()? {
        Some(sealed) => {
            let document = vault.open(place(&row_of(stream_id, &record_id)), &sealed)?;
            let why = serde_json::from_slice(&document);
            Some(why.map_err(|error| StoreError::corrupt(format!("reasons cannot be read: {error}")))?)
        }
        None => None,
    };
    Ok(Rejected {
        record_id,
        why,
        attempts: row.count()?,
        first_at: row.moment()?,
        last_at: row.moment()?,
        run_id: row.text()?,
    })
}
