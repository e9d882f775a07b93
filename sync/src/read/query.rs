//! Reading by the query resource, page by page, in the order of Id.

use std::collections::VecDeque;

use arrow_array::{Array, cast::AsArray};
use salesforce::{
    ApiError, ErrorCode, Timestamp,
    changes::DeletedIn,
    query::{DeletionsAsked, QueryPage},
};

use super::{
    Phase, Piece, Question, ReadError, ReadMode,
    soql::{self, Condition},
};
use crate::{batch::Batch, checkpoint::Position, decode::JsonDecoder, mapping::CompiledMapping, strategy};

/// What the org refuses whole is asked for in pieces of so many records, and then of half as many, and so on.
const FIRST_PIECE: u64 = 2000;
/// Smaller pieces are not asked for: what is refused then is refused for another reason.
const LEAST_PIECE: u64 = 125;
/// A reading that cannot go on after a record begins again this often.
const BEGINNINGS: u32 = 3;

/// Follows a query's pages. The first page is there from the start: it tells how many records match.
pub(crate) struct QueryReader {
    question: Question,
    decoder: JsonDecoder,
    /// What is decoded and not handed over.
    pending: VecDeque<Batch>,
    next_url: Option<String>,
    total: u64,
    wire_bytes: u64,
    /// Where asking goes on: after the last record that was decoded or, after a crash, written.
    condition: Condition,
    /// Records that came of the query that was asked last.
    received: u64,
    /// Times that the question was begun anew because its cursor was lost and nothing had come of it.
    beginnings: u32,
    /// The org did not come to an end with it in time.
    is_slow: bool,
    first: Option<First>,
}

/// What the first page tells besides its records.
#[derive(Debug)]
pub(super) struct First {
    pub(super) as_of: Timestamp,
    pub(super) deletions: Option<Result<DeletedIn, ApiError>>,
}

impl QueryReader {
    /// Asks for the first page of what meets `condition`, and for deletions in the same call.
    pub(super) async fn open(
        question: Question,
        condition: Condition,
        deletions: Option<DeletionsAsked<'_>>,
    ) -> Result<Self, ReadError> {
        let decoder = JsonDecoder::new(&question.mapping.fields, question.mapping.record_id);
        let mut reader = Self {
            question,
            decoder,
            pending: VecDeque::new(),
            next_url: None,
            total: 0,
            wire_bytes: 0,
            condition,
            received: 0,
            beginnings: 0,
            is_slow: false,
            first: None,
        };
        reader.ask(deletions).await?;
        reader.announce();
        Ok(reader)
    }

    /// How many records the query matches.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What a record of the first page takes, in JSON.
    pub(super) fn record_bytes(&self) -> u64 {
        self.wire_bytes / self.received.max(1)
    }

    /// The org needs longer for it than a query may take, which a job may.
    pub(super) fn is_slow(&self) -> bool {
        self.is_slow
    }

    /// What the first page told, once.
    pub(super) fn take_first(&mut self) -> Option<First> {
        self.first.take()
    }

    pub(super) fn announce(&self) {
        self.question.tell(Phase::Reading { mode: ReadMode::Query, total: Some(self.total) });
    }

    /// The next records, in the order of Id.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, ReadError> {
        while self.pending.is_empty() {
            let fetched = match self.next_url.take() {
                Some(url) => self.follow(&url).await,
                None if self.is_piece_full() => self.ask(None).await,
                None => return Ok(None),
            };
            match fetched {
                // A cursor lives two days; the records after the last Id are the same question.
                Err(ReadError::Api(error)) if error.code() == Some(&ErrorCode::InvalidQueryLocator) => {
                    self.go_on_after(error).await?;
                }
                fetched => fetched?,
            }
        }
        Ok(self.pending.pop_front().map(|batch| self.piece(batch)))
    }

    /// Asks again for what comes after the last record. Bounded: each time at least one record more has come, or one
    /// more of a few beginnings is used up.
    async fn go_on_after(&mut self, lost: ApiError) -> Result<(), ReadError> {
        if self.received == 0 || !self.goes_on_after_any() {
            self.beginnings += 1;
            if self.beginnings >= BEGINNINGS {
                return Err(lost.into());
            }
        }
        self.ask(None).await
    }

    /// A limited query cannot tell how many of its records came before the last Id, and some objects have no order.
    fn goes_on_after_any(&self) -> bool {
        self.question.mapping.limit.is_none() && strategy::is_ordered(&self.question.mapping.object)
    }

    /// A piece that holds as many records as it may is perhaps not the last.
    fn is_piece_full(&self) -> bool {
        self.condition.piece.is_some_and(|piece| self.received >= piece)
    }

    /// Asks for the first page of what is still to be read; in smaller pieces while the org finds it too large.
    async fn ask(&mut self, mut deletions: Option<DeletionsAsked<'_>>) -> Result<(), ReadError> {
        loop {
            let mut condition = self.condition.clone();
            if !self.goes_on_after_any() {
                condition.after_id = None;
            }
            self.received = 0;
            let soql = soql::by_id(&self.question.mapping, &condition);
            match self.question.client.first_page(&soql, self.question.deleted, deletions.take()).await {
                Ok(page) => {
                    self.first = Some(First { as_of: page.as_of, deletions: page.deletions });
                    return self.take(&page.body);
                }
                Err(error) => self.narrow(error)?,
            }
        }
    }

    async fn follow(&mut self, url: &str) -> Result<(), ReadError> {
        match self.question.client.query_page(QueryPage::Next { url }).await {
            Ok(body) => self.take(&body),
            Err(error) if error.is_too_large() => {
                self.narrow(error)?;
                self.ask(None).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the next query smaller, when that can help.
    ///
    /// Nothing is left out: pieces go on one after the other behind the last record that came, until one is not full.
    fn narrow(&mut self, error: ApiError) -> Result<(), ReadError> {
        let smaller = self.condition.piece.map_or(FIRST_PIECE, |piece| piece / 2);
        if !error.is_too_large() || !self.goes_on_after_any() || smaller < LEAST_PIECE {
            return Err(error.into());
        }
        tracing::info!(object = self.question.mapping.object, records = smaller, "the query is asked in pieces");
        self.is_slow = error.code() == Some(&ErrorCode::QueryTimeout);
        self.condition.piece = Some(smaller);
        Ok(())
    }

    /// Decodes a page.
    fn take(&mut self, body: &[u8]) -> Result<(), ReadError> {
        let pending = &mut self.pending;
        let envelope = self.decoder.push_page(body, &mut |batch| pending.push_back(batch)).map_err(|source| {
            ReadError::Decode { object: self.question.mapping.object.clone(), source: Box::new(source) }
        })?;
        self.pending.extend(self.decoder.flush());
        self.received += self.pending.iter().map(|batch| batch.records.num_rows() as u64).sum::<u64>();
        if let Some(last) = self.pending.back() {
            self.condition.after_id = last_id(&self.question.mapping, last);
        }
        self.total = self.total.max(envelope.total_size.unwrap_or_default());
        self.next_url = envelope.next_records_url;
        self.wire_bytes += body.len() as u64;
        Ok(())
    }

    fn piece(&mut self, batch: Batch) -> Piece {
        let resume = match last_id(&self.question.mapping, &batch) {
            Some(last_id) if strategy::is_ordered(&self.question.mapping.object) => Position::Query { last_id },
            _ => Position::Start,
        };
        Piece::of(batch, resume, std::mem::take(&mut self.wire_bytes))
    }
}

/// The Id of a batch's last record.
fn last_id(mapping: &CompiledMapping, batch: &Batch) -> Option<String> {
    let ids = batch.records.column(mapping.record_id).as_string::<i32>();
    let last = ids.len().checked_sub(1)?;
    ids.is_valid(last).then(|| ids.value(last).to_owned())
}
