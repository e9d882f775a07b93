//! Reading by a Bulk API 2.0 query job, page by page of its results.

use std::{collections::VecDeque, num::NonZeroUsize, sync::Arc};

use salesforce::{
    ApiError,
    bulk::{BulkResults, JobId, JobState, Locator, QueryJob, ResultChunk},
};

use super::{Phase, Piece, Question, ReadError, ReadMode, is_missing, soql};
use crate::{batch::Batch, checkpoint::Position, decode::CsvDecoder};

/// A page whose record count is wrong is fetched this often before the run gives up.
const PAGE_ATTEMPTS: u32 = 3;

/// Reads a job's results in page order.
pub(crate) struct BulkReader {
    question: Question,
    job: QueryJob,
    ahead_bytes: NonZeroUsize,
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
    /// Creates a job.
    pub(super) async fn create(question: Question, ahead_bytes: NonZeroUsize) -> Result<Self, ReadError> {
        let soql = soql::for_bulk(&question.mapping, &question.window);
        let job = question.client.create_query_job(&soql, question.deleted).await?;
        Ok(Self::new(question, job, None, ahead_bytes, State::Created))
    }

    /// Goes on with a job made earlier; `None` when the org no longer has it, or it did not succeed.
    pub(super) async fn resume(
        question: Question,
        job: &JobId,
        locator: Option<Locator>,
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
                Some(Self::new(question, job, locator, ahead_bytes, State::Waiting))
            }
        })
    }

    fn new(question: Question, job: QueryJob, page: Option<Locator>, ahead_bytes: NonZeroUsize, state: State) -> Self {
        let decoder = CsvDecoder::new(&question.mapping.fields, question.mapping.record_id);
        Self {
            question,
            job,
            ahead_bytes,
            results: None,
            decoder,
            cut: VecDeque::new(),
            whole: page.is_none(),
            page,
            page_attempts: 1,
            wire_bytes: 0,
            received: 0,
            state,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Piece>, ReadError> {
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
            match results.next().await? {
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

    /// Waits for the job. One that does not end in the time that is given is aborted, so that the next run makes
    /// another instead of waiting for it again.
    async fn wait(&mut self) -> Result<(), ReadError> {
        let listener = Arc::clone(&self.question.listener);
        let mut seen =
            |job: &QueryJob| listener(Phase::Job { state: job.state, records: job.number_records_processed });
        let client = &self.question.client;
        let waited = client.wait_for_query_job(&self.job.id, &mut seen).await;
        if matches!(waited, Err(ApiError::JobUnfinished { .. })) {
            // A job that cannot be aborted has ended meanwhile; the next run looks.
            let _ = client.abort_query_job(&self.job.id).await;
        }
        self.job = waited?;
        Ok(())
    }

    fn open(&mut self) {
        let total = self.job.number_records_processed;
        self.question.tell(Phase::Reading { mode: ReadMode::Bulk, total: Some(total) });
        self.results = Some(self.question.client.query_results(&self.job.id, self.page.clone(), self.ahead_bytes));
        self.state = State::Reading;
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
        let resume = Position::Bulk { job: self.job.id.clone(), locator: self.page.clone() };
        Piece { batch, resume, wire_bytes: std::mem::take(&mut self.wire_bytes) }
    }

    fn truncated(&self, announced: u64, received: u64) -> ReadError {
        ReadError::Truncated { object: self.question.mapping.object.clone(), announced, received }
    }

    fn undecodable(&self, source: crate::decode::DecodeError) -> ReadError {
        ReadError::Decode { object: self.question.mapping.object.clone(), source: Box::new(source) }
    }
}
