//! The work of a job: rows from the upload into the database, 10,000 at a time.

use std::io::BufReader;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::job::{Ending, Job, State, Work};
use super::results::{Results, Written};
use crate::bulk::columns::{Columns, View};
use crate::bulk::csv::{Reader, Row, write_value};
use crate::bulk::fate::{Fate, Turn};
use crate::bulk::file::{DiskError, Reading, Stored, Tape};
use crate::bulk::load::{Outcome, Parsed, Refusal, TOGETHER};
use crate::org::Org;
use crate::scenario::Advance;
use crate::value::CsvDialect;

/// The id of a row that failed is told from this version on (Bulk API 2.0 guide v66, "Get Job Failed Record Results").
const FAILED_IDS_FROM: u16 = 53;

/// Whether there is more to be done now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Step,
    Nothing,
}

/// Why a job fails.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Message(String),
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// A job at work.
pub(super) struct Load {
    upload: Arc<Stored>,
    /// The names as they were uploaded.
    header: Bytes,
    columns: Columns,
    reader: Reader<BufReader<Reading>>,
    /// Where the rows begin that have not been looked at.
    rest: u64,
    successful: Tape,
    failed: Tape,
    processed: u64,
    failures: u64,
}

/// What a batch came to.
enum Batch {
    More,
    Last,
}

impl Org {
    /// Starts a job that is in the queue when jobs run by themselves.
    pub(super) fn start_ingest_job(self: &Arc<Self>, job: Arc<Job>) {
        if self.jobs.advance() == Advance::Auto && !matches!(job.state(), State::Open(_)) {
            let org = Arc::clone(self);
            tokio::task::spawn_blocking(move || while org.step_ingest(&job) == Next::Step {});
        }
    }

    /// Takes one job one state further, or writes one of its batches.
    pub(in crate::bulk) fn step_ingest_job(&self, job: &Job) {
        self.step_ingest(job);
    }

    fn step_ingest(&self, job: &Job) -> Next {
        job.expire(self.now());
        match job.state() {
            State::Open(_) | State::Over(..) => Next::Nothing,
            State::UploadComplete(_) => {
                job.begin(self.now());
                Next::Step
            }
            State::InProgress(upload) => self.work_ingest(job, upload),
        }
    }

    fn work_ingest(&self, job: &Job, upload: Option<Arc<Stored>>) -> Next {
        let mut work = job.work();
        if job.is_over() || job.is_stopped() {
            return Next::Nothing;
        }
        let ending = match job.order.fate.turn(self.now()) {
            Turn::Wait => return Next::Nothing,
            Turn::Abort => Ending::Aborted,
            Turn::Fail(message) => Ending::Failed(message),
            Turn::Work => match self.write_batch(job, &mut work, upload) {
                Ok(Batch::More) => return Next::Step,
                Ok(Batch::Last) => Ending::Complete,
                Err(failure) => Ending::Failed(failure.to_string()),
            },
        };
        job.end(&mut work, ending, self.now());
        Next::Nothing
    }

    fn write_batch(&self, job: &Job, work: &mut Work, upload: Option<Arc<Stored>>) -> Result<Batch, Failure> {
        let started = Instant::now();
        let Some(upload) = upload else {
            return Ok(Batch::Last);
        };
        if let Work::NotBegun = work {
            let Some(load) = self.begin_load(job, upload)? else { return Ok(Batch::Last) };
            *work = Work::Begun(Box::new(load));
        }
        let Work::Begun(load) = work else {
            return Ok(Batch::Last);
        };
        let limit = self.scenario.limits.daily_bulk_batches;
        if self.usage.bulk_batches.count(self.now(), limit).is_err() {
            return Err(Failure::Message("ExceededQuota : ApiBatchItems Limit exceeded.".to_owned()));
        }
        let written = load.write(self, job);
        job.report(load.processed, load.failures, started.elapsed());
        written
    }

    /// An upload of nothing is a job without rows, as jsforce's tests have it.
    fn begin_load(&self, job: &Job, upload: Arc<Stored>) -> Result<Option<Load>, Failure> {
        let order = &job.order;
        let mut reader =
            Reader::new(BufReader::with_capacity(64 << 10, Reading::new(Arc::clone(&upload))), order.format);
        let mut row = Row::default();
        let found = reader.next(&mut row).map_err(|error| Failure::Message(error.to_string()))?;
        if !found {
            return Ok(None);
        }
        let snapshot = self.snapshot();
        let gone = || Failure::Message(format!("InvalidBatch : Unable to find object: {}", order.target.object));
        let (_, object) = snapshot.schema().find(&order.target.object).ok_or_else(gone)?;
        let view = View { object, schema: snapshot.schema(), access: &order.target.access };
        let columns = Columns::read(&row, view, order.target.operation).map_err(Failure::Message)?;
        Ok(Some(Load {
            header: raw_header(&upload, reader.offset()).map_err(DiskError::Read)?,
            columns,
            rest: reader.offset(),
            reader,
            successful: Tape::new(self.jobs.disk()),
            failed: Tape::new(self.jobs.disk()),
            processed: 0,
            failures: 0,
            upload,
        }))
    }
}

/// The first line as it is, without its end.
fn raw_header(upload: &Stored, end: u64) -> std::io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(end).map_err(std::io::Error::other)?];
    upload.read_exact_at(&mut bytes, 0)?;
    Ok(Bytes::from(bytes.trim_ascii().to_vec()))
}

impl Load {
    /// Writes the next batch of rows.
    fn write(&mut self, org: &Org, job: &Job) -> Result<Batch, Failure> {
        let mut left = org.scenario.bulk.batch_rows;
        while left > 0 {
            if let Fate::GivesUp { after, message } = &job.order.fate
                && self.processed >= *after
            {
                return Err(Failure::Message(message.clone()));
            }
            let wanted = left.min(TOGETHER as u64).min(self.before_giving_up(&job.order.fate));
            let (rows, end) = self.read(wanted);
            left -= rows.len() as u64;
            self.load(org, job, &rows)?;
            match end {
                Ok(true) => {}
                Ok(false) => return Ok(Batch::Last),
                Err(message) => return Err(Failure::Message(message)),
            }
        }
        Ok(if self.rest < self.upload.length() { Batch::More } else { Batch::Last })
    }

    fn before_giving_up(&self, fate: &Fate) -> u64 {
        match fate {
            Fate::GivesUp { after, .. } => after - self.processed,
            _ => u64::MAX,
        }
    }

    /// Up to `wanted` rows, and whether there may be more; or why no more can be read behind them.
    fn read(&mut self, wanted: u64) -> (Vec<Row>, Result<bool, String>) {
        let mut rows = Vec::new();
        while (rows.len() as u64) < wanted {
            let mut row = Row::default();
            match self.reader.next(&mut row) {
                Ok(true) => rows.push(row),
                Ok(false) => {
                    self.rest = self.reader.offset();
                    return (rows, Ok(false));
                }
                Err(error) => return (rows, Err(error.to_string())),
            }
            self.rest = self.reader.offset();
        }
        (rows, Ok(true))
    }

    fn load(&mut self, org: &Org, job: &Job, rows: &[Row]) -> Result<(), Failure> {
        let parsed: Vec<Parsed> = rows.iter().enumerate().map(|(index, row)| self.parse(job, index, row)).collect();
        let outcomes = org.load_rows(&job.order.target, &parsed);
        let dialect = job.order.format.dialect();
        for (row, outcome) in rows.iter().zip(outcomes) {
            self.processed += 1;
            self.failures += u64::from(outcome.is_err());
            self.note(job, row, &outcome, dialect)?;
        }
        Ok(())
    }

    fn parse(&self, job: &Job, index: usize, row: &Row) -> Parsed {
        if let Fate::FailsRows { rows, code, message } = &job.order.fate
            && self.processed + (index as u64) < *rows
        {
            return Err(Refusal { code: code.clone().into(), message: message.clone(), fields: Vec::new() });
        }
        self.columns.record(row)
    }

    /// Adds a row to the results.
    fn note(&mut self, job: &Job, row: &Row, outcome: &Outcome, dialect: CsvDialect) -> Result<(), DiskError> {
        let (tape, id, word) = match outcome {
            Ok(saved) => (&mut self.successful, saved.id.to_string(), saved.created.to_string()),
            Err(refusal) => {
                let id = self.columns.id(row).filter(|_| job.order.version >= FAILED_IDS_FROM);
                (&mut self.failed, id.unwrap_or_default(), refusal.in_csv())
            }
        };
        tape.append(|out| {
            write_value(&id, out);
            out.push(dialect.delimiter);
            write_value(&word, out);
            for value in row.fields() {
                out.push(dialect.delimiter);
                write_value(&value, out);
            }
            out.extend_from_slice(dialect.line_ending.as_bytes());
        })
    }

    /// What there is in the end.
    pub(super) fn finish(self) -> Result<Results, DiskError> {
        let written = Written { successful: self.successful.finish()?, failed: self.failed.finish()? };
        Ok(Results { header: self.header, written: Some(written), rest: Some((self.upload, self.rest)) })
    }
}
