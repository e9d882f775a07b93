//! Matching: which row of a table that is not ours a record stands for, and which of its columns the record fills.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    mapping::{MappingProblem, nearest},
    table::{Column, TableSchema},
};

/// How the rows of a stream are matched to rows that are there already, in a table of the same destination that Orgtide
/// did not make; `docs/matching.md` tells it whole.
///
/// A record that arrives is linked to the one row that the first alternative finds whose values it has all and that finds
/// any. Several rows make it ambiguous, none unmatched. Rows of that table are updated, never inserted and never deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matching {
    pub table: String,
    /// The one column of its primary key, or another whose values are unique.
    pub key: String,
    /// Tried in this order.
    pub by: Vec<Alternative>,
    #[serde(default)]
    pub unmatched: Unmatched,
    /// By the name of their column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Transfer>,
}

/// Columns that have to be the same on both sides, all of them. Values are compared as text; a value that is null or blank
/// is the same as none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AlternativeForm", into = "AlternativeForm")]
pub struct Alternative {
    pub pairs: Vec<Pair>,
    /// Neither case nor blanks around a value count.
    pub fold: bool,
}

/// `["email"]`, or `{ columns = ["email"], fold = true }`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum AlternativeForm {
    Exact(Vec<Pair>),
    Said(SaidAlternative),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidAlternative {
    columns: Vec<Pair>,
    #[serde(default)]
    fold: bool,
}

impl From<AlternativeForm> for Alternative {
    fn from(form: AlternativeForm) -> Self {
        match form {
            AlternativeForm::Exact(pairs) => Self { pairs, fold: false },
            AlternativeForm::Said(SaidAlternative { columns, fold }) => Self { pairs: columns, fold },
        }
    }
}

impl From<Alternative> for AlternativeForm {
    fn from(Alternative { pairs, fold }: Alternative) -> Self {
        if fold { Self::Said(SaidAlternative { columns: pairs, fold }) } else { Self::Exact(pairs) }
    }
}

/// A column of theirs and the one of ours that is compared with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PairForm", into = "PairForm")]
pub struct Pair {
    pub theirs: String,
    pub ours: String,
}

/// `"email"`, or `{ theirs = "customer_no", ours = "vendor_id" }`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PairForm {
    Same(String),
    Apart(ApartPair),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApartPair {
    theirs: String,
    ours: String,
}

impl From<PairForm> for Pair {
    fn from(form: PairForm) -> Self {
        match form {
            PairForm::Same(name) => Self { theirs: name.clone(), ours: name },
            PairForm::Apart(ApartPair { theirs, ours }) => Self { theirs, ours },
        }
    }
}

impl From<Pair> for PairForm {
    fn from(Pair { theirs, ours }: Pair) -> Self {
        if theirs == ours { Self::Same(theirs) } else { Self::Apart(ApartPair { theirs, ours }) }
    }
}

/// What becomes of a record that no row is found for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmatched {
    /// It waits in the queue for a person, or for a row that fits.
    #[default]
    Queue,
    /// It is counted, and not kept.
    Ignore,
}

/// Where a column of theirs is filled from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// A column of ours.
    pub from: String,
    pub wins: Winner,
}

/// Whose value stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Winner {
    /// Salesforce's, also when it is null, unless their column cannot be.
    Salesforce,
    /// Theirs: the column is not written.
    Theirs,
    /// Theirs, unless it is null or empty.
    Empty,
}

impl Matching {
    /// The names of the columns of ours that are compared or handed over.
    pub fn ours(&self) -> impl Iterator<Item = &str> {
        let compared = self.by.iter().flat_map(|by| &by.pairs).map(|pair| pair.ours.as_str());
        compared.chain(self.columns.values().map(|transfer| transfer.from.as_str()))
    }

    /// What of this cannot work for a table, whatever the other one is.
    pub fn problems(&self, table: &TableSchema) -> Vec<MappingProblem> {
        let mut problems = Problems { columns: &table.columns, found: Vec::new() };
        if self.table.trim().is_empty() || self.table.eq_ignore_ascii_case(&table.name) || self.table.starts_with('_') {
            problems.refuse("match.table", "This names a table that is not Orgtide's, beside the stream's own.");
        }
        if self.key.trim().is_empty() {
            problems.refuse("match.key", "The key is the column that tells their rows apart.");
        }
        if self.by.is_empty() {
            problems.refuse("match.by", "At least one alternative says which columns are compared.");
        }
        for (index, alternative) in self.by.iter().enumerate() {
            let place = format!("match.by[{index}]");
            if alternative.pairs.is_empty() {
                problems.refuse(&place, "An alternative without columns would find every row.");
            }
            alternative.pairs.iter().for_each(|pair| problems.check_column(&place, &pair.ours));
        }
        for (theirs, transfer) in &self.columns {
            let place = format!("match.columns.{theirs}");
            if theirs.eq_ignore_ascii_case(&self.key) {
                problems.refuse(&place, "The key of their rows is not written.");
            }
            problems.check_column(&format!("{place}.from"), &transfer.from);
        }
        problems.found
    }
}

struct Problems<'a> {
    columns: &'a [Column],
    found: Vec<MappingProblem>,
}

impl Problems<'_> {
    fn refuse(&mut self, place: &str, message: &str) {
        self.found.push(MappingProblem { place: place.to_owned(), message: message.to_owned(), suggestion: None });
    }

    fn check_column(&mut self, place: &str, name: &str) {
        if self.columns.iter().any(|column| column.name == name) {
            return;
        }
        self.found.push(MappingProblem {
            place: place.to_owned(),
            message: format!("This mapping makes no column {name:?}."),
            suggestion: nearest(name, self.columns.iter().map(|column| column.name.as_str())),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ColumnType, DeleteMode};

    fn read(text: &str) -> Matching {
        serde_json::from_str(text).unwrap()
    }

    fn table() -> TableSchema {
        let columns = ["Id", "vendor_id", "email", "phone"];
        TableSchema {
            name: "Contact".to_owned(),
            columns: columns.map(|name| Column { name: name.to_owned(), kind: ColumnType::Text }).to_vec(),
            id: 0,
            version: None,
            deletes: DeleteMode::Flag,
            stream: None,
            sweeps: false,
            matching: None,
        }
    }

    const WHOLE: &str = r#"{"table": "customers", "key": "id",
        "by": [["vendor_id"], {"columns": ["email", {"theirs": "surname", "ours": "phone"}], "fold": true}],
        "unmatched": "ignore",
        "columns": {"tel": {"from": "phone", "wins": "empty"}}}"#;

    #[test]
    fn what_is_written_is_read_again_in_its_short_form() {
        let matching = read(WHOLE);
        assert_eq!(matching.by[0].pairs, [Pair { theirs: "vendor_id".into(), ours: "vendor_id".into() }]);
        assert!(matching.by[1].fold && !matching.by[0].fold);
        let written = serde_json::to_string(&matching).unwrap();
        assert!(written.contains(r#""by":[["vendor_id"],{"columns":["email",{"theirs":"surname","ours":"phone"}]"#));
        assert_eq!(read(&written), matching);
        assert!(matching.problems(&table()).is_empty());
        assert_eq!(matching.ours().collect::<Vec<_>>(), ["vendor_id", "email", "phone", "phone"]);
    }

    #[test]
    fn every_problem_is_named_at_once_with_its_place_and_a_suggestion() {
        let wrong = read(
            r#"{"table": "contact", "key": "", "by": [[], ["emial"]],
                "columns": {"": {"from": "Phone", "wins": "theirs"}}}"#,
        );
        let problems: Vec<String> = wrong.problems(&table()).iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "match.table: This names a table that is not Orgtide's, beside the stream's own.",
                "match.key: The key is the column that tells their rows apart.",
                "match.by[0]: An alternative without columns would find every row.",
                "match.by[1]: This mapping makes no column \"emial\". Did you mean \"email\"?",
                "match.columns.: The key of their rows is not written.",
                "match.columns..from: This mapping makes no column \"Phone\". Did you mean \"phone\"?",
            ]
        );
        let empty = read(r#"{"table": "customers", "key": "id", "by": []}"#).problems(&table());
        assert_eq!(empty[0].place, "match.by");
    }
}
