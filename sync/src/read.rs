//! Reading one window of one object, by query or by Bulk job, into batches with a place to go on from.

mod bulk;
mod query;
mod soql;

use std::sync::Arc;

use salesforce::{ApiError, Client, ErrorCode, Recovery, bulk::JobState, query::Deleted};
use serde::{Deserialize, Serialize};

use crate::{
    batch::Batch,
    checkpoint::{Checkpoint, Position, Window},
    decode::DecodeError,
    mapping::CompiledMapping,
};

use bulk::BulkReader;
use query::QueryReader;

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
    /// Bulk was refused, and the records are queried instead.
    FellBack { reason: String },
}

/// Listens to phases.
pub type Listener = Arc<dyn Fn(Phase) + Send + Sync>;

/// Records, and the place from which reading goes on once they are durable.
#[derive(Debug)]
pub struct Piece {
    /// `None`: there is only a place to save.
    pub batch: Option<Batch>,
    pub resume: Position,
    /// Bytes that came over the wire for this piece.
    pub wire_bytes: u64,
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
}

impl ReadError {
    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Api(error) => error.recovery(),
            Self::Truncated { .. } => Recovery::Retry { after: None },
            Self::NotByBulk { .. } => Recovery::Configure,
            Self::Decode { source, .. } => source.recovery(),
        }
    }
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
    pub(crate) window: Window,
    pub(crate) deleted: Deleted,
    pub(crate) listener: Listener,
}

impl Question {
    fn tell(&self, phase: Phase) {
        (self.listener)(phase);
    }
}

/// Reads one window.
pub(crate) enum Reader {
    Query(Box<QueryReader>),
    Bulk(Box<BulkReader>),
}

impl Reader {
    /// Opens a reader that goes on at `position`, or from the start where that position is gone: a job lives seven
    /// days at most, and one that was made with another API version does not answer (Bulk API 2.0 guide v66).
    pub(crate) async fn open(question: Question, from: &Checkpoint, options: ReadOptions) -> Result<Self, ReadError> {
        match &from.at {
            Position::Query { last_id } => {
                Ok(Self::Query(QueryReader::open(question, Some(last_id.clone())).await?.into()))
            }
            Position::Bulk { job, locator } if from.api == question.client.version() => {
                match BulkReader::resume(question.clone(), job, locator.clone(), options.ahead_bytes).await? {
                    Some(reader) => Ok(Self::Bulk(reader.into())),
                    None => Self::begin(question, options).await,
                }
            }
            Position::Bulk { .. } | Position::Start | Position::Complete => Self::begin(question, options).await,
        }
    }

    /// Opens a reader at the start of the window, in the mode that suits the number of records.
    async fn begin(question: Question, options: ReadOptions) -> Result<Self, ReadError> {
        let bulk_readable = question.mapping.bulk_readable;
        match options.choice {
            ReadChoice::Bulk if !bulk_readable => Err(ReadError::NotByBulk { object: question.mapping.object.clone() }),
            ReadChoice::Bulk => Ok(Self::Bulk(BulkReader::create(question, options.ahead_bytes).await?.into())),
            ReadChoice::Query => Ok(Self::Query(QueryReader::open(question, None).await?.into())),
            ReadChoice::Auto => {
                let query = QueryReader::open(question.clone(), None).await?;
                if !bulk_readable || query.total() < options.bulk_from {
                    return Ok(Self::Query(query.into()));
                }
                match BulkReader::create(question.clone(), options.ahead_bytes).await {
                    Ok(reader) => Ok(Self::Bulk(reader.into())),
                    Err(ReadError::Api(error)) if is_refused_by_bulk(&error) => {
                        question.tell(Phase::FellBack { reason: error.to_string() });
                        query.announce();
                        Ok(Self::Query(query.into()))
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// The next piece, or `None` at the end of the window.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>, ReadError> {
        match self {
            Self::Query(reader) => reader.next().await,
            Self::Bulk(reader) => reader.next().await,
        }
    }

    pub(crate) fn mode(&self) -> ReadMode {
        match self {
            Self::Query(_) => ReadMode::Query,
            Self::Bulk(_) => ReadMode::Bulk,
        }
    }
}
