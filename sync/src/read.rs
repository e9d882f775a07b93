//! Reading one window of one object, by query or by Bulk job, into batches with a place to go on from.

mod bulk;
mod deletions;
mod ids;
mod query;
mod slices;
mod soql;

use std::{sync::Arc, time::Duration};

use salesforce::{ApiError, Client, ErrorCode, Recovery, Timestamp, bulk::JobState, query::Deleted};
use serde::{Deserialize, Serialize};

use crate::{batch::Batch, checkpoint::Position, decode::DecodeError, mapping::CompiledMapping, strategy};

use bulk::BulkReader;
pub(crate) use deletions::{Heard, LOOKED_UP, Span, gone};
pub(crate) use ids::IdReader;
use query::{First, QueryReader};
use slices::SliceReader;
use soql::Condition;

/// How records are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadMode {
    /// REST query, page by page: few calls for few records.
    Query,
    /// A Bulk API 2.0 job: few calls for many records.
    Bulk,
}

/// Who chooses the read mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadChoice {
    /// The number of records does; Bulk where it is refused gives way to query.
    #[default]
    Auto,
    Query,
    Bulk,
}

/// What bounds a reader.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions {
    pub choice: ReadChoice,
    /// From this many records on, Bulk is chosen. A query page holds 2,000 records at most and 250 of wide ones, a job
    /// costs about ten calls whatever it holds.
    pub bulk_from: u64,
    /// Result pages fetched ahead hold at most this many bytes.
    pub ahead_bytes: std::num::NonZeroUsize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        let ahead_bytes = std::num::NonZeroUsize::new(8 * 1024 * 1024).expect("not zero");
        Self { choice: ReadChoice::Auto, bulk_from: 10_000, ahead_bytes }
    }
}

/// What a reader tells while there is nothing to hand over yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// A job is being worked on by Salesforce; `records` so far.
    Job { state: JobState, records: u64 },
    /// Records arrive; `total` of them when the org has said so.
    Reading { mode: ReadMode, total: Option<u64> },
    /// Bulk was refused or came to nothing, and the records are queried instead.
    FellBack { reason: String },
    /// A job came to nothing, and another is made.
    JobAgain { reason: String },
}

/// Listens to phases.
pub type Listener = Arc<dyn Fn(Phase) + Send + Sync>;

/// Records, and the place from which reading goes on once they are durable.
#[derive(Debug)]
pub struct Piece {
    /// `None`: there is only a place to save.
    pub batch: Option<Batch>,
    /// `None`: the place from which reading goes on is still the one before.
    pub resume: Option<Position>,
    /// Bytes that came over the wire for this piece.
    pub wire_bytes: u64,
    /// Time spent on waiting for a job to be done.
    pub waited: Duration,
}

impl Piece {
    fn of(batch: Batch, resume: Position, wire_bytes: u64) -> Self {
        Self { batch: Some(batch), resume: Some(resume), wire_bytes, waited: Duration::ZERO }
    }

    fn place(resume: Position) -> Self {
        Self { batch: None, resume: Some(resume), wire_bytes: 0, waited: Duration::ZERO }
    }
}

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("{object}: what Salesforce sent cannot be read: {source}")]
    Decode { object: String, source: Box<DecodeError> },
    #[error(
        "{object}: Salesforce announced {announced} records but sent {received}; nothing after the last whole page was kept. Run the same command again: it goes on from there"
    )]
    Truncated { object: String, announced: u64, received: u64 },
    #[error(
        "{object}: the mapping reads fields that Bulk refuses, and the read mode is fixed to Bulk. Use read mode auto or query"
    )]
    NotByBulk { object: String },
    #[error("{object}: what Salesforce sent cannot be read: {reason}")]
    Parents { object: String, reason: String },
}

impl ReadError {
    /// True when the org's fields are others than those that were asked for: describing it anew may cure that.
    pub fn is_about_schema(&self) -> bool {
        match self {
            Self::Api(error) => error.is_about_schema(),
            Self::Decode { .. } | Self::Truncated { .. } | Self::NotByBulk { .. } | Self::Parents { .. } => false,
        }
    }

    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Api(error) => error.recovery(),
            Self::Truncated { .. } => Recovery::Retry { after: None },
            Self::NotByBulk { .. } => Recovery::Configure,
            Self::Parents { .. } => Recovery::Bug,
            Self::Decode { source, .. } => source.recovery(),
        }
    }
}

/// A result page holds about so many bytes of records, by what they take in JSON: as CSV they take a third or so. It costs
/// a call, and is what a transfer that breaks off repeats, and a run that was killed.
const PAGE_BYTES: u64 = 128 * 1024 * 1024;
/// What a field takes in JSON where no record has been seen.
const FIELD_BYTES: u64 = 40;
/// Pages of wide records are no smaller, and those of narrow ones no larger. Salesforce names no maximum, and gives fewer
/// where it finds so many too many.
const PAGE_ROWS: std::ops::RangeInclusive<u64> = 10_000..=250_000;

/// How many records make a page of a job's results, of which a first page has shown how many bytes they have in JSON, unless
/// Bulk is prescribed: nobody asks for one then.
pub(crate) fn result_page_rows(choice: ReadChoice, fields: usize, record_bytes: u64) -> u32 {
    match choice {
        ReadChoice::Bulk => page_rows(FIELD_BYTES * fields as u64),
        ReadChoice::Auto | ReadChoice::Query => page_rows(record_bytes),
    }
}

/// How many records of this size make a result page.
fn page_rows(record_bytes: u64) -> u32 {
    let rows = PAGE_BYTES / record_bytes.max(1);
    u32::try_from(rows.clamp(*PAGE_ROWS.start(), *PAGE_ROWS.end())).unwrap_or(u32::MAX)
}

/// True when Bulk refuses what the query resource may allow.
fn is_refused_by_bulk(error: &ApiError) -> bool {
    error.refusal().is_some_and(|refusal| refusal.by_bulk().is_some())
}

/// True when what was named is not there, or not for this user.
pub(crate) fn is_missing(error: &ApiError) -> bool {
    matches!(error.code(), Some(ErrorCode::NotFound | ErrorCode::InvalidType | ErrorCode::InvalidJob))
}

/// What every reader needs to know.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) client: Client,
    pub(crate) mapping: Arc<CompiledMapping>,
    /// Records stamped after this moment; `None`: all.
    pub(crate) from: Option<Timestamp>,
    pub(crate) range: IdRange,
    pub(crate) deleted: Deleted,
    /// Deletions are asked for as well, in the same call as the first page where there is one.
    pub(crate) deletions: Option<Span>,
    pub(crate) listener: Listener,
}

/// A part of an object in the order of Id; without ends, all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IdRange {
    /// Behind this Id.
    pub(crate) after: Option<String>,
    /// Up to this Id, itself among them.
    pub(crate) up_to: Option<String>,
}

impl Question {
    /// What is asked: the window, behind a record.
    fn after(&self, after_id: Option<String>) -> Condition {
        Condition { from: self.from, after_id, range: self.range.clone(), ..Condition::default() }
    }

    fn asked(&self) -> Option<salesforce::query::DeletionsAsked<'_>> {
        self.deletions.as_ref().map(|span| span.asked(&self.mapping.object))
    }

    fn tell(&self, phase: Phase) {
        (self.listener)(phase);
    }
}

/// The query of a first reading by REST.
pub(crate) fn whole_question(mapping: &CompiledMapping) -> String {
    soql::by_id(mapping, &Condition::default())
}

/// Reads one window.
pub(crate) struct Reader {
    question: Question,
    options: ReadOptions,
    by: By,
}

enum By {
    Query(Box<QueryReader>),
    Bulk(Box<BulkReader>),
    Slices(Box<SliceReader>),
}

/// A reader that has begun, and what its first answer told.
pub(crate) struct Opened {
    pub(crate) reader: Reader,
    /// By the org's clock: what was committed before is read.
    pub(crate) as_of: Timestamp,
    pub(crate) heard: Heard,
}

impl Reader {
    /// Opens a reader that goes on at `position`, or from the start where that position is gone: a job lives seven
    /// days at most, and one that was made with another API version does not answer (Bulk API 2.0 guide v66).
    pub(crate) async fn open(
        question: Question,
        at: &Position,
        api: salesforce::ApiVersion,
        options: ReadOptions,
    ) -> Result<Opened, ReadError> {
        let slices = strategy::slices(&question.mapping.object, question.mapping.filter.as_deref());
        match (at, slices) {
            (Position::Slice { parent }, Some(slices)) => {
                Self::by_slices(question, options, slices, Some(parent)).await
            }
            (_, Some(slices)) => Self::by_slices(question, options, slices, None).await,
            (Position::Query { last_id }, None) => Self::by_query(question, options, Some(last_id.clone())).await,
            (Position::Bulk { job, locator, page_rows }, None) if api == question.client.version() => {
                let place = (locator.clone(), *page_rows);
                match BulkReader::resume(question.clone(), job, place, options.ahead_bytes).await? {
                    Some(reader) => Self::by_bulk(question, options, reader).await,
                    None => Self::begin(question, options).await,
                }
            }
            (Position::Bulk { .. } | Position::Slice { .. } | Position::Start | Position::Complete, None) => {
                Self::begin(question, options).await
            }
        }
    }

    /// Opens a reader at the start of the window, in the mode that suits the number of records.
    async fn begin(question: Question, options: ReadOptions) -> Result<Opened, ReadError> {
        let bulk_readable = question.mapping.bulk_readable;
        match options.choice {
            ReadChoice::Bulk if !bulk_readable => Err(ReadError::NotByBulk { object: question.mapping.object.clone() }),
            ReadChoice::Bulk => {
                let page_rows = result_page_rows(options.choice, question.mapping.fields.len(), 0);
                let reader = BulkReader::create(question.clone(), page_rows, options.ahead_bytes).await?;
                Self::by_bulk(question, options, reader).await
            }
            ReadChoice::Query => Self::by_query(question, options, None).await,
            ReadChoice::Auto => {
                let mut query = QueryReader::open(question.clone(), question.after(None), question.asked()).await?;
                let first = query.take_first();
                let suits_bulk = query.total() >= options.bulk_from || query.is_slow();
                let by = match bulk_readable && suits_bulk {
                    true => Self::bulk_rather_than(query, &question, options).await?,
                    false => By::Query(query.into()),
                };
                Self::opened(question, options, by, first)
            }
        }
    }

    /// A job in place of a query that has been begun; the query where the job is refused.
    async fn bulk_rather_than(query: QueryReader, question: &Question, options: ReadOptions) -> Result<By, ReadError> {
        match BulkReader::create(question.clone(), page_rows(query.record_bytes()), options.ahead_bytes).await {
            Ok(reader) => Ok(By::Bulk(reader.into())),
            Err(ReadError::Api(error)) if is_refused_by_bulk(&error) => {
                question.tell(Phase::FellBack { reason: error.to_string() });
                query.announce();
                Ok(By::Query(query.into()))
            }
            Err(error) => Err(error),
        }
    }

    async fn by_query(question: Question, options: ReadOptions, after_id: Option<String>) -> Result<Opened, ReadError> {
        let mut reader = QueryReader::open(question.clone(), question.after(after_id), question.asked()).await?;
        let first = reader.take_first();
        Self::opened(question, options, By::Query(reader.into()), first)
    }

    async fn by_slices(
        question: Question,
        options: ReadOptions,
        slices: strategy::Slices,
        after: Option<&String>,
    ) -> Result<Opened, ReadError> {
        let after = after.map(String::as_str);
        let mut reader = SliceReader::open(question.clone(), slices, after, question.asked()).await?;
        let first = reader.take_first();
        Self::opened(question, options, By::Slices(reader.into()), first)
    }

    /// A job has no page that deletions could travel with: they are asked for by themselves.
    async fn by_bulk(question: Question, options: ReadOptions, reader: BulkReader) -> Result<Opened, ReadError> {
        let as_of = match reader.created_at() {
            Some(created_at) => created_at,
            None => question.client.server_time().await?,
        };
        let deletions = match question.asked() {
            Some(asked) => match question.client.deleted(asked.object, asked.start, asked.end).await {
                // The org was not asked: that says nothing of its deletions.
                Err(error @ ApiError::Withheld(_)) => return Err(error.into()),
                answer => Some(answer),
            },
            None => None,
        };
        let first = Some(First { as_of, deletions });
        Self::opened(question, options, By::Bulk(reader.into()), first)
    }

    fn opened(question: Question, options: ReadOptions, by: By, first: Option<First>) -> Result<Opened, ReadError> {
        let First { as_of, deletions } = first.expect("a reader begins with a first answer");
        let heard = Heard::of(deletions, question.deletions);
        Ok(Opened { reader: Self { question, options, by }, as_of, heard })
    }

    /// The next piece, or `None` at the end of the window.
    ///
    /// Where a job came to nothing, twice or in a way that another would too, the records are queried from the start,
    /// if nobody has fixed the read mode.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>, ReadError> {
        match &mut self.by {
            By::Query(reader) => reader.next().await,
            By::Slices(reader) => reader.next().await,
            By::Bulk(reader) => match reader.next().await {
                Err(ReadError::Api(error)) if bulk::is_lost(&error) && self.options.choice == ReadChoice::Auto => {
                    self.question.tell(Phase::FellBack { reason: error.to_string() });
                    let query = QueryReader::open(self.question.clone(), self.question.after(None), None).await?;
                    self.by = By::Query(query.into());
                    Ok(Some(Piece::place(Position::Start)))
                }
                outcome => outcome,
            },
        }
    }

    pub(crate) fn mode(&self) -> ReadMode {
        match self.by {
            By::Query(_) | By::Slices(_) => ReadMode::Query,
            By::Bulk(_) => ReadMode::Bulk,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_records_are_few_pages_and_wide_ones_more() {
        let pages = |record_bytes| 1_000_000_u64.div_ceil(u64::from(page_rows(record_bytes)));
        // An Id, a stamp and a flag; thirty fields; all fields of a contact, with long texts.
        assert_eq!([pages(230), pages(1_100), pages(6_000)], [4, 9, 45]);
        assert_eq!([page_rows(0), page_rows(u64::MAX)], [250_000, 10_000]);
    }
}
