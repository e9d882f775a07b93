//! Records that become no row at present: which, why, and where they go from here.

use salesforce::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sync::mapping::RowProblem;

use super::{App, import::chosen};
use crate::{
    error::Error,
    store::{rejected::Rejected, streams::Stream},
};

/// So many records are opened at a time.
const PAGE: u32 = 500;

/// A stream's rejected records.
#[derive(Debug, Serialize)]
pub struct RejectedOfStream {
    pub object: String,
    pub table: String,
    /// How many there are, whether or not they are among `records`.
    pub total: u64,
    pub records: Vec<RejectedRecord>,
}

/// A record that becomes no row. Personal data.
#[derive(Debug, Clone, Serialize)]
pub struct RejectedRecord {
    pub record_id: String,
    /// `None`: expired. Reading the record again says why.
    pub problems: Option<Vec<RowProblem>>,
    /// What was read of it; `None`: expired.
    pub record: Option<Value>,
    pub attempts: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub run: String,
}

impl RejectedRecord {
    fn of(rejected: Rejected) -> Self {
        let (problems, record) = rejected.why.map(|why| (why.problems, read(&why.record))).unzip();
        Self {
            record_id: rejected.record_id,
            problems,
            record,
            attempts: rejected.attempts,
            first_at: rejected.first_at,
            last_at: rejected.last_at,
            run: rejected.run_id,
        }
    }

    /// Whether a reason names `text`, in whatever case.
    fn is_because_of(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let names = |problem: &RowProblem| {
            [&problem.column, &problem.message].iter().any(|part| part.to_lowercase().contains(&text))
        };
        self.problems.as_ref().is_some_and(|problems| problems.iter().any(names))
    }
}

/// A record as it was kept; one that is no JSON is shown as it is.
pub(crate) fn read(record: &str) -> Value {
    serde_json::from_str(record).unwrap_or_else(|_| Value::String(record.to_owned()))
}

impl App {
    /// The rejected records of a connection, or of some objects or tables of it, by stream: at most `at_most` of each,
    /// of those whose reasons name `reason`.
    ///
    /// # Errors
    /// Nothing is remembered of what is named.
    pub async fn rejected(
        &self,
        connection: &str,
        objects: &[String],
        reason: Option<&str>,
        at_most: usize,
    ) -> Result<Vec<RejectedOfStream>, Error> {
        let connection = self.store.connection(connection).await?;
        let streams = chosen(&connection, self.store.streams(&connection.id).await?, objects)?;
        let mut all = Vec::new();
        for stream in streams {
            all.push(RejectedOfStream {
                total: self.store.count_rejected(&stream.id).await?,
                records: self.rejected_records(&stream, reason, at_most).await?,
                object: stream.object,
                table: stream.table,
            });
        }
        Ok(all)
    }

    pub(super) async fn rejected_records(
        &self,
        stream: &Stream,
        reason: Option<&str>,
        at_most: usize,
    ) -> Result<Vec<RejectedRecord>, Error> {
        let mut records: Vec<RejectedRecord> = Vec::new();
        let mut after = String::new();
        while records.len() < at_most {
            let page = self.store.rejected(&stream.id, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.record_id);
            let page = page.into_iter().map(RejectedRecord::of);
            records.extend(page.filter(|record| reason.is_none_or(|reason| record.is_because_of(reason))));
        }
        records.truncate(at_most);
        Ok(records)
    }

    /// One rejected record of a connection's object or table.
    ///
    /// # Errors
    /// It is not among the rejected ones, or not any more.
    pub async fn rejected_record(
        &self,
        connection: &str,
        object: &str,
        record_id: &str,
    ) -> Result<RejectedRecord, Error> {
        let connection = self.store.connection(connection).await?;
        let streams = chosen(&connection, self.store.streams(&connection.id).await?, &[object.to_owned()])?;
        for stream in streams {
            if let Some(rejected) = self.store.rejected_record(&stream.id, record_id).await? {
                return Ok(RejectedRecord::of(rejected));
            }
        }
        Err(Error::NotRejected { object: object.to_owned(), record: record_id.to_owned() })
    }
}
