//! Reading by a Bulk API 2.0 query job, page by page of its results.

use std::{collections::VecDeque, num::NonZeroUsize, sync::Arc, time::Duration};

use salesforce::{
    ApiError, Timestamp,
    bulk::{BulkResults, JobId, JobState, Locator, QueryJob, ResultChunk},
};

use super::{Phase, Piece, Question, ReadError, ReadMode, is_missing, soql};
use crate::{batch::Batch, checkpoint::Position, decode::CsvDecoder};

/// Jobs made for one reading. One may have been stopped by somebody, or be stuck; what ends the second one too would
/// end a third.
const MOST_JOBS: u32 = 2;

/// A page whose record count is wrong is fetched this often before the run gives up.
const PAGE_ATTEMPTS: u32 = 3;

/// Reads a job's results in page order.
pub(crate) struct BulkReader {
    question: Question,
    job: QueryJob,
    ahead_bytes: NonZeroUsize,
    /// Most records in a page; `None`: as many as Salesforce likes.
    page_rows: Option<u32>,
    results: Option<BulkResults>,
    decoder: CsvDecoder,
    /// Batches cut from the current page.
    cut: VecDeque<Batch>,
    /// The page being read; reading goes on here after a crash.
    page: Option<Locator>,
    page_attempts: u32,
    wire_bytes: u64,
    received: u64,
    whole: bool,
    /// Jobs made by this reader, or resumed.
    jobs: u32,
    /// Time spent on waiting since the last piece.
    waited: Duration,
    state: State,
}

/// What the reader does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The job's name has to be saved before anything waits for it.
    Created,
    /// The job is not finished.
    Waiting,
    Reading,
    Ended,
}

impl BulkReader {
    /// Creates a job, whose results are read in pages of so many records.
    pub(super) async fn create(
        question: Question,
        page_rows: u32,
        ahead_bytes: NonZeroUsize,
    ) -> Result<Self, ReadError> {
        let job = make(&question).await?;
        Ok(Self::new(question, job, (None, Some(page_rows)), ahead_bytes, State::Created))
    }

    /// Goes on with a job made earlier; `None` when the org no longer has it, or it did not succeed.
    pub(super) async fn resume(
        question: Question,
        job: &JobId,
        place: (Option<Locator>, Option<u32>),
        ahead_bytes: NonZeroUsize,
    ) -> Result<Option<Self>, ReadError> {
        let job = match question.client.query_job(job).await {
            Ok(job) => job,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(match job.state {
            JobState::Aborted | JobState::Failed => None,
            JobState::UploadComplete | JobState::InProgress | JobState::JobComplete => {
                Some(Self::new(question, job, place, ahead_bytes, State::Waiting))
            }
        })
    }

    fn new(
        question: Question,
        job: QueryJob,
        (page, page_rows): (Option<Locator>, Option<u32>),
        ahead_bytes: NonZeroUsize,
        state: State,
    ) -> Self {
        let decoder = CsvDecoder::new(&question.mapping.fields, question.mapping.record_id);
        Self {
            question,
            job,
            ahead_bytes,
            page_rows,
            results: None,
            decoder,
            cut: VecDeque::new(),
            whole: page.is_none(),
            page,
            page_attempts: 1,
            wire_bytes: 0,
            received: 0,
            jobs: 1,
            waited: Duration::ZERO,
            state,
        }
    }

    /// When the job was made, before it read anything.
    pub(super) fn created_at(&self) -> Option<Timestamp> {
        self.job.created_date
    }

    /// The next piece. Where a job comes to nothing, another is made once, and all of its records are read: what has
    /// been written of the first one's is written again.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, ReadError> {
        match self.advance().await {
            Err(ReadError::Api(error)) if is_lost(&error) && !error.is_too_large() && self.jobs < MOST_JOBS => {
                self.question.tell(Phase::JobAgain { reason: error.to_string() });
                let (jobs, waited) = (self.jobs + 1, self.waited);
                let job = make(&self.question).await?;
                let place = (None, self.page_rows);
                *self = Self::new(self.question.clone(), job, place, self.ahead_bytes, State::Created);
                (self.jobs, self.waited) = (jobs, waited);
                self.advance().await
            }
            outcome => outcome,
        }
    }

    async fn advance(&mut self) -> Result<Option<Piece>, ReadError> {
        if self.state == State::Created {
            self.state = State::Waiting;
            return Ok(Some(self.piece(None)));
        }
        if self.state == State::Waiting {
            self.wait().await?;
            self.open();
        }
        while self.state == State::Reading {
            if let Some(batch) = self.cut.pop_front() {
                return Ok(Some(self.piece(Some(batch))));
            }
            let Some(results) = &mut self.results else { break };
            let chunk = match results.next().await {
                Err(error) if self.is_number_refused(&error) => {
                    self.page_rows = None;
                    self.open();
                    continue;
                }
                chunk => chunk?,
            };
            match chunk {
                Some(ResultChunk::PageStart { locator }) => self.begin_page(locator),
                Some(ResultChunk::Bytes(bytes)) => {
                    self.wire_bytes += bytes.len() as u64;
                    let cut = &mut self.cut;
                    let pushed = self.decoder.push(&bytes, &mut |batch| cut.push_back(batch));
                    pushed.map_err(|source| self.undecodable(source))?;
                }
                Some(ResultChunk::PageEnd { rows, next }) => {
                    if let Some(piece) = self.end_page(rows, next)? {
                        return Ok(Some(piece));
                    }
                }
                None => self.end()?,
            }
        }
        Ok(None)
    }

    /// Waits for the job as long as it advances. One that stands still is aborted, so that nobody waits for it again.
    async fn wait(&mut self) -> Result<(), ReadError> {
        let listener = Arc::clone(&self.question.listener);
        let mut seen =
            |job: &QueryJob| listener(Phase::Job { state: job.state, records: job.number_records_processed });
        let client = &self.question.client;
        let begun = client.timer().instant();
        let waited = client.wait_for_query_job(&self.job.id, &mut seen).await;
        self.waited += client.timer().instant().saturating_duration_since(begun);
        if matches!(waited, Err(ApiError::JobUnfinished { .. })) {
            // A job that cannot be aborted has ended meanwhile.
            let _ = client.abort_query_job(&self.job.id).await;
        }
        self.job = waited?;
        Ok(())
    }

    fn open(&mut self) {
        let total = self.job.number_records_processed;
        self.question.tell(Phase::Reading { mode: ReadMode::Bulk, total: Some(total) });
        self.results =
            Some(self.question.client.query_results(&self.job.id, self.page_rows, self.page.clone(), self.ahead_bytes));
        self.state = State::Reading;
    }

    /// The first page is refused as it is asked for: perhaps for its size, of which nothing is documented.
    fn is_number_refused(&self, error: &ApiError) -> bool {
        let is_bad_request = error.refusal().is_some_and(|refusal| refusal.status == 400);
        is_bad_request && self.page_rows.is_some() && self.whole && self.page.is_none() && self.received == 0
    }

    /// A page begins, or begins again: what came of it before is dropped, or has been written and will be once more.
    fn begin_page(&mut self, locator: Option<Locator>) {
        self.cut.clear();
        self.decoder.flush();
        self.page = locator;
    }

    /// Closes a page when it holds what Salesforce said, and fetches it again when it does not.
    fn end_page(&mut self, announced: Option<u64>, next: Option<Locator>) -> Result<Option<Piece>, ReadError> {
        let cut = &mut self.cut;
        let received = match self.decoder.finish_page(&mut |batch| cut.push_back(batch)) {
            Ok(rows) if announced.is_none_or(|announced| announced == rows) => rows,
            _ if self.page_attempts < PAGE_ATTEMPTS => {
                self.page_attempts += 1;
                self.cut.clear();
                self.open();
                return Ok(None);
            }
            Ok(received) => return Err(self.truncated(announced.unwrap_or_default(), received)),
            Err(source) => return Err(self.undecodable(source)),
        };
        self.page_attempts = 1;
        self.received += received;
        self.cut.extend(self.decoder.flush());
        // After the last page reading goes on at that page: `None` would name the first.
        if next.is_some() {
            self.page = next;
        }
        Ok(self.cut.pop_front().map(|batch| self.piece(Some(batch))))
    }

    /// The job said how many records it holds: all of them have to be here.
    fn end(&mut self) -> Result<(), ReadError> {
        self.state = State::Ended;
        let announced = self.job.number_records_processed;
        if self.whole && announced != self.received {
            return Err(self.truncated(announced, self.received));
        }
        Ok(())
    }

    fn piece(&mut self, batch: Option<Batch>) -> Piece {
        let resume = Position::Bulk { job: self.job.id.clone(), locator: self.page.clone(), page_rows: self.page_rows };
        let (wire_bytes, waited) = (std::mem::take(&mut self.wire_bytes), std::mem::take(&mut self.waited));
        Piece { batch, resume: Some(resume), wire_bytes, waited }
    }

    fn truncated(&self, announced: u64, received: u64) -> ReadError {
        ReadError::Truncated { object: self.question.mapping.object.clone(), announced, received }
    }

    fn undecodable(&self, source: crate::decode::DecodeError) -> ReadError {
        ReadError::Decode { object: self.question.mapping.object.clone(), source: Box::new(source) }
    }
}

async fn make(question: &Question) -> Result<QueryJob, ReadError> {
    let soql = soql::for_bulk(&question.mapping, &question.after(None));
    Ok(question.client.create_query_job(&soql, question.deleted).await?)
}

/// True when a job came to nothing for reasons of its own: it failed, was aborted, stands still, or is not there any
/// more (results are kept for seven days; Bulk API 2.0 guide v66).
pub(super) fn is_lost(error: &ApiError) -> bool {
    match error {
        ApiError::JobEnded { .. } => !error.is_about_schema(),
        ApiError::JobUnfinished { .. } => true,
        _ => is_missing(error) || error.refusal().is_some_and(|refusal| refusal.status == 410),
    }
}
