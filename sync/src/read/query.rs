//! Reading by the query resource, page by page, in the order of Id.

use std::collections::VecDeque;

use arrow_array::{Array, cast::AsArray};
use salesforce::{ErrorCode, query::QueryPage};

use super::{Phase, Piece, Question, ReadError, ReadMode, soql};
use crate::{batch::Batch, checkpoint::Position, decode::JsonDecoder, mapping::CompiledMapping};

/// Follows a query's pages. The first page is there from the start: it tells how many records match.
pub(crate) struct QueryReader {
    question: Question,
    decoder: JsonDecoder,
    /// What is decoded and not handed over.
    pending: VecDeque<Batch>,
    next_url: Option<String>,
    total: u64,
    wire_bytes: u64,
    /// Id of the last record that was decoded or, after a crash, written.
    last_id: Option<String>,
}

impl QueryReader {
    /// Asks for the first page of the records after `after_id`.
    pub(super) async fn open(question: Question, after_id: Option<String>) -> Result<Self, ReadError> {
        let decoder = JsonDecoder::new(&question.mapping.fields, question.mapping.record_id);
        let mut reader = Self {
            question,
            decoder,
            pending: VecDeque::new(),
            next_url: None,
            total: 0,
            wire_bytes: 0,
            last_id: after_id,
        };
        reader.ask().await?;
        reader.announce();
        Ok(reader)
    }

    /// How many records the query matches.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn announce(&self) {
        self.question.tell(Phase::Reading { mode: ReadMode::Query, total: Some(self.total) });
    }

    /// The next records, in the order of Id.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, ReadError> {
        while self.pending.is_empty() {
            let Some(url) = self.next_url.take() else { return Ok(None) };
            match self.fetch(QueryPage::Next { url: &url }).await {
                // A cursor lives two days; the records after the last Id are the same question.
                Err(ReadError::Api(error)) if error.code() == Some(&ErrorCode::InvalidQueryLocator) => {
                    self.ask().await?;
                }
                fetched => fetched?,
            }
        }
        Ok(self.pending.pop_front().map(|batch| self.piece(batch)))
    }

    /// Asks for the first page of what is still to be read.
    async fn ask(&mut self) -> Result<(), ReadError> {
        // A limited query cannot tell how many of its records came before the last Id: it begins again.
        let after_id = self.last_id.as_deref().filter(|_| self.question.mapping.limit.is_none());
        let soql = soql::by_id(&self.question.mapping, &self.question.window, after_id);
        self.fetch(QueryPage::First { soql: &soql, deleted: self.question.deleted }).await
    }

    async fn fetch(&mut self, page: QueryPage<'_>) -> Result<(), ReadError> {
        let body = self.question.client.query_page(page).await?;
        let pending = &mut self.pending;
        let envelope = self.decoder.push_page(&body, &mut |batch| pending.push_back(batch)).map_err(|source| {
            ReadError::Decode { object: self.question.mapping.object.clone(), source: Box::new(source) }
        })?;
        self.pending.extend(self.decoder.flush());
        if let Some(last) = self.pending.back() {
            self.last_id = last_id(&self.question.mapping, last);
        }
        self.total = envelope.total_size.unwrap_or(self.total);
        self.next_url = envelope.next_records_url;
        self.wire_bytes += body.len() as u64;
        Ok(())
    }

    fn piece(&mut self, batch: Batch) -> Piece {
        let resume = match last_id(&self.question.mapping, &batch) {
            Some(last_id) => Position::Query { last_id },
            None => Position::Start,
        };
        Piece { batch: Some(batch), resume, wire_bytes: std::mem::take(&mut self.wire_bytes) }
    }
}

/// The Id of a batch's last record.
fn last_id(mapping: &CompiledMapping, batch: &Batch) -> Option<String> {
    let ids = batch.records.column(mapping.record_id).as_string::<i32>();
    let last = ids.len().checked_sub(1)?;
    ids.is_valid(last).then(|| ids.value(last).to_owned())
}
