//! Reading the children of one parent after the other, for objects that answer only when their parents are named.

use std::collections::VecDeque;

use salesforce::{
    ErrorCode,
    query::{DeletionsAsked, QueryPage},
};
use serde::Deserialize;

use super::{
    Phase, Piece, Question, ReadError, ReadMode,
    deletions::is_id,
    query::{First, QueryReader},
    soql::{self, Condition},
};
use crate::{checkpoint::Position, strategy::Slices};

/// Parents named in one query. Each may have many children, and their pages are followed.
const PARENTS: usize = 200;

/// Names all parents, slice by slice.
pub(crate) struct SliceReader {
    question: Question,
    slices: Slices,
    /// Parents that are known and not yet asked for, in the order of Id.
    parents: VecDeque<String>,
    next_url: Option<String>,
    slice: Option<Slice>,
    /// The last parent that is known.
    last_known: Option<String>,
    /// Records that a limited reading may still hand over.
    left: Option<u64>,
    first: Option<First>,
}

/// The children that are being read.
struct Slice {
    reader: QueryReader,
    last_parent: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParentPage {
    records: Vec<Parent>,
    next_records_url: Option<String>,
}

#[derive(Deserialize)]
struct Parent {
    #[serde(rename = "Id")]
    id: String,
}

impl SliceReader {
    /// Asks for the parents after `after`, and for deletions in the same call.
    pub(super) async fn open(
        question: Question,
        slices: Slices,
        after: Option<&str>,
        deletions: Option<DeletionsAsked<'_>>,
    ) -> Result<Self, ReadError> {
        let soql = soql::parents(slices.parent, after);
        let page = question.client.first_page(&soql, question.deleted, deletions).await?;
        let first = Some(First { as_of: page.as_of, deletions: page.deletions });
        let (last_known, left) = (after.map(str::to_owned), question.mapping.limit);
        let (parents, next_url, slice) = (VecDeque::new(), None, None);
        let mut reader = Self { question, slices, parents, next_url, slice, last_known, left, first };
        reader.take(&page.body)?;
        reader.question.tell(Phase::Reading { mode: ReadMode::Query, total: None });
        Ok(reader)
    }

    pub(super) fn take_first(&mut self) -> Option<First> {
        self.first.take()
    }

    /// The next children; at the end of a slice a piece without any, so that reading goes on behind it.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, ReadError> {
        loop {
            if self.left == Some(0) {
                return Ok(None);
            }
            if let Some(slice) = &mut self.slice {
                return match slice.reader.next().await? {
                    Some(piece) => Ok(Some(self.within_limit(Piece { resume: None, ..piece }))),
                    None => {
                        Ok(self.slice.take().map(|slice| Piece::place(Position::Slice { parent: slice.last_parent })))
                    }
                };
            }
            if self.parents.is_empty() {
                let Some(url) = self.next_url.take() else { return Ok(None) };
                self.follow(&url).await?;
                continue;
            }
            self.slice = Some(self.open_slice().await?);
        }
    }

    /// Further parents. A lost cursor is asked for anew behind the last parent, which is there or nothing follows.
    async fn follow(&mut self, url: &str) -> Result<(), ReadError> {
        let client = self.question.client.clone();
        let body = match client.query_page(QueryPage::Next { url }).await {
            Err(error) if error.code() == Some(&ErrorCode::InvalidQueryLocator) => {
                let soql = soql::parents(self.slices.parent, self.last_known.as_deref());
                client.query_page(QueryPage::First { soql: &soql, deleted: self.question.deleted }).await?
            }
            page => page?,
        };
        self.take(&body)
    }

    /// The piece, without what a limited reading has no room for.
    fn within_limit(&mut self, mut piece: Piece) -> Piece {
        if let (Some(left), Some(batch)) = (&mut self.left, &mut piece.batch) {
            let rows = usize::try_from(*left).unwrap_or(usize::MAX).min(batch.records.num_rows());
            batch.records = batch.records.slice(0, rows);
            *left -= rows as u64;
        }
        piece
    }

    async fn open_slice(&mut self) -> Result<Slice, ReadError> {
        let count = self.parents.len().min(PARENTS);
        let named: Vec<String> = self.parents.drain(..count).collect();
        let last_parent = named.last().cloned().expect("a slice is of at least one parent");
        let condition =
            Condition { from: self.question.from, parents: Some((self.slices.field, named)), ..Condition::default() };
        let reader = QueryReader::open(self.question.clone(), condition, None).await?;
        Ok(Slice { reader, last_parent })
    }

    fn take(&mut self, body: &[u8]) -> Result<(), ReadError> {
        let page: ParentPage = serde_json::from_slice(body)
            .map_err(|error| ReadError::Parents { object: self.slices.parent.to_owned(), reason: error.to_string() })?;
        self.parents.extend(page.records.into_iter().map(|parent| parent.id).filter(|id| is_id(id)));
        self.last_known = self.parents.back().cloned().or(self.last_known.take());
        self.next_url = page.next_records_url;
        Ok(())
    }
}
