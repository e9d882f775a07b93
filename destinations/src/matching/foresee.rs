//! What a run would make of records, before anything is written.
//!
//! A destination copies what the run would touch into temporary tables (the rows, the links, the rows of theirs) and runs
//! the statements of the run on the copies, so that what is foreseen is what happens.

use std::collections::BTreeMap;

use arrow_array::{RecordBatch, StringArray, cast::AsArray};
use serde::Serialize;
use sync::{
    destination::DestinationError,
    matching::Matching,
    table::{Column, DeleteMode, StreamKey, TableSchema},
};

use super::{MatchError, MatchStatus, Rules};
use crate::{DestinationSettings, files, postgres, sqlite};

/// What a run would make of a record, as far as matching goes. Personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Foreseen {
    /// The key of its row in the stream's table.
    pub record: String,
    #[serde(flatten)]
    pub outcome: Foresight,
    /// What becomes of the row that it stands for; `None`: it stands for none.
    #[serde(flatten)]
    pub filling: Option<Filling>,
}

/// Which row a record would stand for, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Foresight {
    /// The rules find this one row.
    Matched {
        their_key: String,
        /// The columns of theirs that the alternative compares.
        by: Vec<String>,
    },
    /// The link that the rules have made before stays: they find nothing now, or its row among others.
    Stays { their_key: String },
    /// A person has said that it stands for this row.
    Linked { their_key: String, decided_by: String },
    /// A person has said that it stands for none.
    Ignored { decided_by: String },
    /// The rules find several rows.
    Ambiguous {
        /// Their keys, twenty at most.
        candidates: Vec<String>,
        /// How many they are.
        rows: u64,
    },
    /// The rules find none.
    Unmatched,
}

/// What becomes of the columns of a row of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "filling", rename_all = "snake_case")]
pub enum Filling {
    /// These change; none: everything stays.
    Changes { changes: Vec<Change> },
    /// Another one of these records stands for the row too, changed later, and fills it.
    ByAnother { filled_by: String },
    /// The row refuses a value, and the run would stop.
    Refused {
        /// Where it is one column alone that refuses.
        column: Option<String>,
        reason: String,
    },
}

/// A column of theirs that is filled. Values are as text; `None` is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub column: String,
    pub was: Option<String>,
    pub becomes: Option<String>,
}

impl Foresight {
    /// The key of the row that the record would stand for.
    pub fn their_key(&self) -> Option<&str> {
        match self {
            Self::Matched { their_key, .. } | Self::Stays { their_key } | Self::Linked { their_key, .. } => {
                Some(their_key)
            }
            Self::Ignored { .. } | Self::Ambiguous { .. } | Self::Unmatched => None,
        }
    }
}

/// Which rows of theirs these rows of a stream would stand for, and what would be filled, if a run wrote them now. The
/// stream's table need not be there. Nothing is written: all of it happens in a transaction that is given up, and in
/// temporary tables.
///
/// `rows` has the columns of `table`, in its order. Constraints of their table are looked at where a copy of it has them.
///
/// # Errors
/// The mapping of `table` matches nothing; the destination cannot be read, has no such table of theirs, or would refuse the
/// stream.
pub async fn foresee(
    settings: &DestinationSettings,
    table: &TableSchema,
    stream: &StreamKey,
    rows: &RecordBatch,
) -> Result<Vec<Foreseen>, MatchError> {
    let asked = Asked::new(table, stream, rows)?;
    let foreseen = match settings {
        DestinationSettings::Sqlite(settings) => {
            let settings = settings.clone();
            let task = tokio::task::spawn_blocking(move || sqlite::foresee::foresee(&settings, &asked));
            task.await.expect("looking ahead does not panic")
        }
        DestinationSettings::Postgres(settings) => postgres::foresee::foresee(settings, &asked).await,
        DestinationSettings::Files(_) => Err(files::no_matching(settings, &table.name)),
        DestinationSettings::Webhook(_) => return Err(MatchError::NotMatching { table: table.name.clone() }),
    };
    Ok(foreseen?)
}

/// What is asked of a destination.
pub(crate) struct Asked {
    /// The table as the mapping makes it.
    pub(crate) whole: TableSchema,
    /// The same with the columns alone that matching is about, the key and the version.
    pub(crate) table: TableSchema,
    /// Where they are among those of the whole table.
    pub(crate) columns: Vec<usize>,
    /// The columns of `table`.
    pub(crate) rows: RecordBatch,
    pub(crate) rules: Rules,
    pub(crate) stream: StreamKey,
}

impl Asked {
    fn new(table: &TableSchema, stream: &StreamKey, rows: &RecordBatch) -> Result<Self, MatchError> {
        let rules = Rules::of(table, table.deletes == DeleteMode::Flag);
        let rules = rules.ok_or_else(|| MatchError::NotMatching { table: table.name.clone() })?;
        let (columns, part) = part(table, &rules.matching);
        let rows = rows.project(&columns).map_err(|error| DestinationError::Other {
            place: "what is looked ahead at".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { whole: table.clone(), table: part, columns, rows, rules, stream: stream.clone() })
    }

    /// The keys of the rows.
    pub(crate) fn records(&self) -> Vec<&str> {
        let ids: Option<&StringArray> = self.rows.column(self.table.id).as_string_opt();
        ids.into_iter().flatten().flatten().collect()
    }

    /// What became of each record, with what it fills.
    pub(crate) fn foreseen(&self, judged: Vec<Judged>, fillings: &Fillings) -> Vec<Foreseen> {
        let foreseen = judged.into_iter().map(|judged| {
            let record = judged.record.clone();
            let outcome = judged.outcome(&self.rules.matching);
            let filling = outcome.their_key().map(|key| filling(fillings, key, &record));
            Foreseen { record, outcome, filling }
        });
        foreseen.collect()
    }
}

/// The columns that matching is about, with the key and the version, and the table that has no others.
fn part(table: &TableSchema, matching: &Matching) -> (Vec<usize>, TableSchema) {
    let is_needed = |(index, column): &(usize, &Column)| {
        let is_own = *index == table.id || table.version == Some(*index);
        is_own || matching.ours().any(|name| name == column.name)
    };
    let columns: Vec<usize> = table.columns.iter().enumerate().filter(is_needed).map(|(index, _)| index).collect();
    let place = |wanted: usize| columns.iter().position(|index| *index == wanted);
    let part = TableSchema {
        columns: columns.iter().map(|index| table.columns[*index].clone()).collect(),
        id: place(table.id).expect("the key is one of them"),
        version: table.version.and_then(place),
        stream: None,
        sweeps: false,
        ..table.clone()
    };
    (columns, part)
}

/// A record's link on the copy of the links, and what the rules have found for it.
pub(crate) struct Judged {
    pub(crate) record: String,
    pub(crate) status: String,
    pub(crate) their_key: Option<String>,
    pub(crate) candidates: Option<String>,
    pub(crate) decided_by: Option<String>,
    /// How many rows.
    pub(crate) found: i64,
    /// The alternative that found them.
    pub(crate) step: Option<i64>,
}

impl Judged {
    fn outcome(self, matching: &Matching) -> Foresight {
        let Self { record: _, status, their_key, candidates, decided_by, found, step } = self;
        let their_key = their_key.unwrap_or_default();
        match (MatchStatus::of(&status), decided_by) {
            (Some(MatchStatus::Matched), Some(decided_by)) => Foresight::Linked { their_key, decided_by },
            (Some(MatchStatus::Matched), None) if found == 1 => {
                let alternative = step.and_then(|step| matching.by.get(usize::try_from(step).ok()?));
                let columns = alternative.into_iter().flat_map(|by| &by.pairs).map(|pair| pair.theirs.clone());
                Foresight::Matched { their_key, by: columns.collect() }
            }
            (Some(MatchStatus::Matched), None) => Foresight::Stays { their_key },
            (Some(MatchStatus::Ambiguous), _) => Foresight::Ambiguous {
                candidates: candidates.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
                rows: found.unsigned_abs(),
            },
            (Some(MatchStatus::Unmatched), _) => Foresight::Unmatched,
            // What is not known was written by a later version, which the rules leave alone.
            (Some(MatchStatus::Ignored) | None, by) => Foresight::Ignored { decided_by: by.unwrap_or_default() },
        }
    }
}

/// By the key of a row of theirs: the record that fills it, and with what.
pub(crate) type Fillings = BTreeMap<String, (String, Filling)>;

fn filling(fillings: &Fillings, their_key: &str, record: &str) -> Filling {
    match fillings.get(their_key) {
        Some((filler, filling)) if filler == record => filling.clone(),
        Some((filler, _)) => Filling::ByAnother { filled_by: filler.clone() },
        None => Filling::Changes { changes: Vec::new() },
    }
}

/// Columns of rows of theirs, as text, by key.
pub(crate) type Snapshot = BTreeMap<String, Vec<Option<String>>>;

/// What differs between a row before and after it was filled; `columns` names the values.
pub(crate) fn changes(columns: &[&str], key: &str, before: &Snapshot, after: &Snapshot) -> Filling {
    let (was, becomes) = (before.get(key), after.get(key));
    let pairs = was.into_iter().flatten().zip(becomes.into_iter().flatten());
    let changed = columns.iter().zip(pairs).filter(|(_, (was, becomes))| was != becomes);
    let change = |(column, (was, becomes)): (&&str, (&Option<String>, &Option<String>))| Change {
        column: (*column).to_owned(),
        was: was.clone(),
        becomes: becomes.clone(),
    };
    Filling::Changes { changes: changed.map(change).collect() }
}
