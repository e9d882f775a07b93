//! Writes the rows of an upload, whatever their format was: 200 at a time, each for itself.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::database::{Author, Change, Database, Record, RowError, Saved, StatusCode};
use crate::ids::RecordId;
use crate::org::Org;
use crate::scenario::UserAccess;
use crate::value::TextOrder;

/// Rows that Salesforce writes together; triggers see as many (Bulk API 2.0 guide v66, "How Requests Are Processed").
pub(super) const TOGETHER: usize = 200;

/// What a job does with its rows.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) enum Operation {
    Insert,
    Update,
    Upsert,
    Delete,
    HardDelete,
}

impl Operation {
    /// Whether a row is nothing but an id.
    pub(super) fn takes_ids(self) -> bool {
        matches!(self, Self::Delete | Self::HardDelete)
    }
}

/// Where rows go, and for whom.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) object: String,
    pub(super) operation: Operation,
    /// The field that upserts go by.
    pub(super) key: Option<String>,
    /// Whether its values differ by case.
    pub(super) key_order: TextOrder,
    pub(super) user: RecordId,
    pub(super) access: UserAccess,
}

/// Why a row was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Cow<'static, str>,
    pub(super) message: String,
    pub(super) fields: Vec<String>,
}

impl From<RowError> for Refusal {
    fn from(error: RowError) -> Self {
        Self { code: error.status_code.as_str().into(), message: error.message, fields: error.fields }
    }
}

impl Refusal {
    /// `CODE:message:FIELD1,FIELD2 --`, as results in CSV have it.
    pub(super) fn in_csv(&self) -> String {
        match self.fields.as_slice() {
            [] => format!("{}:{}:--", self.code, self.message),
            fields => format!("{}:{}:{} --", self.code, self.message, fields.join(",")),
        }
    }

    pub(super) fn invalid_field(message: String, fields: Vec<String>) -> Self {
        Self { code: StatusCode::InvalidField.as_str().into(), message, fields }
    }
}

/// What a row says, or why it says nothing.
pub(super) type Parsed = Result<Record, Refusal>;
/// What became of a row.
pub(super) type Outcome = Result<Saved, Refusal>;

impl Org {
    /// Writes rows in their order.
    pub(super) fn load_rows(&self, target: &Target, rows: &[Parsed]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(rows.len());
        for together in rows.chunks(TOGETHER) {
            self.write(|database, at| {
                let by = Author { user: target.user, at, access: &target.access };
                let mut seen = HashSet::new();
                outcomes.extend(together.iter().map(|row| {
                    let record = row.as_ref().map_err(Clone::clone)?;
                    target.refuse_repeated(record, &mut seen)?;
                    Ok(target.change(database, record, &by)?)
                }));
            });
        }
        outcomes
    }
}

impl Target {
    fn change(&self, database: &mut Database, record: &Record, by: &Author<'_>) -> Result<Saved, RowError> {
        let object = self.object.as_str();
        match self.operation {
            Operation::Insert => database.change(&Change::Insert { object, record }, by),
            Operation::Update => database.change(&Change::Update { object, record }, by),
            Operation::Upsert => {
                let key = self.key.as_deref().unwrap_or("Id");
                database.change(&Change::Upsert { object, key, record }, by)
            }
            Operation::Delete => database.change(&Change::Delete { id: self.named(database, record)? }, by),
            Operation::HardDelete => database.change(&Change::HardDelete { id: self.named(database, record)? }, by),
        }
    }

    /// The id of a row that is to be deleted, which has to be one of the job's object.
    fn named(&self, database: &Database, record: &Record) -> Result<RecordId, RowError> {
        let text = entry(record, "Id").unwrap_or_default();
        let malformed = || RowError::on(StatusCode::MalformedId, "Id", format!("malformed id {text}"));
        if text.is_empty() {
            return Err(RowError::new(StatusCode::MissingArgument, "Id not specified in a delete call"));
        }
        let id = RecordId::parse(text).map_err(|_| malformed())?;
        let object = database.schema().find(&self.object).map(|(_, object)| object);
        if object.is_some_and(|object| object.key_prefix != Some(id.prefix())) {
            return Err(malformed());
        }
        Ok(id)
    }

    /// Refuses a key or an id that an earlier row of the same 200 has. That the first one is written, and the codes, are
    /// inferred (SOAP API guide, `upsert()` and `update()`).
    fn refuse_repeated(&self, record: &Record, seen: &mut HashSet<String>) -> Result<(), RowError> {
        let (key, what) = match (self.operation, &self.key) {
            (Operation::Update, _) => ("Id", "id"),
            (Operation::Upsert, Some(key)) => (key.as_str(), "external id"),
            _ => return Ok(()),
        };
        let Some(text) = entry(record, key).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        let known = match (RecordId::parse(text), self.key_order) {
            (Ok(id), _) if key.eq_ignore_ascii_case("Id") => id.to_string(),
            (_, TextOrder::CaseSensitive) => text.to_owned(),
            (_, TextOrder::IgnoreCase) => text.to_lowercase(),
        };
        if seen.insert(known) {
            return Ok(());
        }
        Err(RowError::on(StatusCode::DuplicateValue, key, format!("Duplicate {what} specified: {text}")))
    }
}

/// The text of a record's entry, whatever the case of its name.
fn entry<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let (_, value) = record.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    value.as_str()
}
