//! Links between records and the rows of somebody's own table, kept in the destination beside both.
//!
//! The rules and what they decide stand in [`sync::matching`]; here is what people see of it and decide themselves. The SQL
//! is written once, for every destination that has any.

pub(crate) mod foresee;
pub(crate) mod sql;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sync::{
    Recovery, Timestamp,
    destination::{DestinationError, Written},
    matching::Matching,
    table::{StreamKey, TableSchema},
};

pub use self::foresee::{Change, Filling, Foreseen, Foresight, foresee};
use crate::{DestinationSettings, postgres, sqlite};

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchStatus {
    /// It stands for one row of theirs.
    Matched,
    /// No row was found.
    Unmatched,
    /// Several rows were found.
    Ambiguous,
    /// A person has said that it stands for none.
    Ignored,
}

impl MatchStatus {
    /// As the destination stores it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Unmatched => "unmatched",
            Self::Ambiguous => "ambiguous",
            Self::Ignored => "ignored",
        }
    }

    pub(crate) fn of(text: &str) -> Option<Self> {
        [Self::Matched, Self::Unmatched, Self::Ambiguous, Self::Ignored]
            .into_iter()
            .find(|status| status.text() == text)
    }
}

/// A record's link, or its place in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Match {
    /// The key of its row in the stream's table.
    pub record: String,
    pub status: MatchStatus,
    /// The key of the row that it stands for, as text.
    pub their_key: Option<String>,
    /// The keys of the rows that were found, twenty at most.
    pub candidates: Vec<String>,
    /// When this came to be: the end of the window that was read, or when a person decided.
    pub changed_at: String,
    /// Who decided; `None`: the rules.
    pub decided_by: Option<String>,
    /// The record was deleted; the row that it stood for is as it was.
    pub gone: bool,
}

/// A record beside the rows that it may stand for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    #[serde(flatten)]
    pub link: Match,
    /// The columns that are compared or handed over.
    pub ours: BTreeMap<String, Value>,
    /// By their key: the row that it is linked to, or the candidates.
    pub theirs: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Match {
    /// A record that the rules have not kept anything of.
    pub(crate) fn unseen(record: &str) -> Self {
        Self {
            record: record.to_owned(),
            status: MatchStatus::Unmatched,
            their_key: None,
            candidates: Vec::new(),
            changed_at: String::new(),
            decided_by: None,
            gone: false,
        }
    }
}

/// What a person says of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It stands for the row with this key.
    Link(String),
    /// It stands for none, and is not asked about again.
    Ignore,
}

/// Who decides, and when.
#[derive(Debug, Clone, Copy)]
pub struct Decider<'a> {
    pub name: &'a str,
    pub at: Timestamp,
}

/// Why a link could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error("table {table:?} is matched with no other; its mapping needs a [match] section, and then a run")]
    NotMatching { table: String },
    #[error("table {table:?} has no row {record:?} of this connection")]
    NoRecord { table: String, record: String },
    #[error("table {table:?} has no row whose key is {key:?}")]
    NoRow { table: String, key: String },
}

impl MatchError {
    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Destination(error) => error.recovery(),
            Self::NotMatching { .. } | Self::NoRecord { .. } | Self::NoRow { .. } => Recovery::Configure,
        }
    }
}

/// The links of a stream, those that were changed last first; `status`: only those.
///
/// # Errors
/// The destination cannot be read, or the stream is not matched.
pub async fn list(
    settings: &DestinationSettings,
    stream: &StreamKey,
    status: Option<MatchStatus>,
    limit: u32,
) -> Result<Vec<Match>, MatchError> {
    match settings {
        DestinationSettings::Sqlite(settings) => {
            sqlite::links::blocking(settings, stream, move |links| links.list(status, limit)).await
        }
        DestinationSettings::Postgres(settings) => postgres::links::list(settings, stream, status, limit).await,
        DestinationSettings::Files(_) | DestinationSettings::Webhook(_) => Err(not_matching(stream)),
    }
}

/// One record beside the rows that it may stand for.
///
/// # Errors
/// The destination cannot be read, the stream is not matched, or has no such record.
pub async fn compare(
    settings: &DestinationSettings,
    stream: &StreamKey,
    record: &str,
) -> Result<Comparison, MatchError> {
    match settings {
        DestinationSettings::Sqlite(settings) => {
            let record = record.to_owned();
            sqlite::links::blocking(settings, stream, move |links| links.compare(&record)).await
        }
        DestinationSettings::Postgres(settings) => postgres::links::compare(settings, stream, record).await,
        DestinationSettings::Files(_) | DestinationSettings::Webhook(_) => Err(not_matching(stream)),
    }
}

/// Keeps a person's decision, which the rules do not touch any more, and fills the row's columns.
///
/// # Errors
/// The destination cannot be written, the stream is not matched, or there is no such record or row.
pub async fn decide(
    settings: &DestinationSettings,
    stream: &StreamKey,
    record: &str,
    decision: Decision,
    decider: Decider<'_>,
) -> Result<Comparison, MatchError> {
    match settings {
        DestinationSettings::Sqlite(settings) => {
            let (record, name, at) = (record.to_owned(), decider.name.to_owned(), decider.at);
            let work =
                move |links: &sqlite::links::Links<'_>| links.decide(&record, &decision, Decider { name: &name, at });
            sqlite::links::blocking(settings, stream, work).await
        }
        DestinationSettings::Postgres(settings) => {
            postgres::links::decide(settings, stream, record, &decision, decider).await
        }
        DestinationSettings::Files(_) | DestinationSettings::Webhook(_) => Err(not_matching(stream)),
    }
}

/// Applies the rules again: to the records that are unmatched or ambiguous, or to these, whatever was decided of them.
///
/// # Errors
/// The destination cannot be written, the stream is not matched, or has no such record.
pub async fn retry(
    settings: &DestinationSettings,
    stream: &StreamKey,
    records: &[String],
    at: Timestamp,
) -> Result<Written, MatchError> {
    match settings {
        DestinationSettings::Sqlite(settings) => {
            let records = records.to_vec();
            sqlite::links::blocking(settings, stream, move |links| links.retry(&records, at)).await
        }
        DestinationSettings::Postgres(settings) => postgres::links::retry(settings, stream, records, at).await,
        DestinationSettings::Files(_) | DestinationSettings::Webhook(_) => Err(not_matching(stream)),
    }
}

/// Neither files nor a webhook have tables of somebody's beside them.
fn not_matching(stream: &StreamKey) -> MatchError {
    MatchError::NotMatching { table: stream.table.clone() }
}

/// Everything that matching needs to know of a stream, as it is kept beside the links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rules {
    pub(crate) matching: Matching,
    /// The key column of the stream's table.
    pub(crate) id: String,
    pub(crate) version: Option<String>,
    /// Rows of the stream's table can carry a deletion flag.
    pub(crate) flag: bool,
    /// Columns of ours that hold text.
    pub(crate) texts: Vec<String>,
}

impl Rules {
    /// The same with the names that columns of ours have in the destination.
    pub(crate) fn renamed(mut self, name: impl Fn(&str) -> String) -> Self {
        let pairs = self.matching.by.iter_mut().flat_map(|by| &mut by.pairs).map(|pair| &mut pair.ours);
        let transfers = self.matching.columns.values_mut().map(|transfer| &mut transfer.from);
        let own = [&mut self.id].into_iter().chain(&mut self.version).chain(&mut self.texts);
        for ours in pairs.chain(transfers).chain(own) {
            *ours = name(ours);
        }
        self
    }

    /// `None`: the table is not matched.
    pub(crate) fn of(table: &TableSchema, flag: bool) -> Option<Self> {
        let is_text = |name: &&str| {
            let column = table.columns.iter().find(|column| column.name == **name);
            column.is_some_and(|column| column.kind == sync::table::ColumnType::Text)
        };
        let matching = table.matching.clone()?;
        let mut texts: Vec<String> = matching.ours().filter(is_text).map(str::to_owned).collect();
        texts.sort_unstable();
        texts.dedup();
        Some(Self {
            id: table.columns[table.id].name.clone(),
            version: table.version.map(|version| table.columns[version].name.clone()),
            flag,
            texts,
            matching,
        })
    }
}
