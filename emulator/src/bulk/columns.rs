//! What the names in an upload mean: fields of the object, or parents that are named by a field of theirs.
//!
//! Source: Bulk API 2.0 guide v66, "Prepare CSV Files": `Owner.Email`, `Mother_Of_Child__r.External_ID__c`, and with the
//! object in front where a reference goes to several, `Lead:Who.Email`.

use serde_json::{Value as Json, json};

use super::csv::Row;
use super::load::{Operation, Parsed, Refusal};
use crate::database::Record;
use crate::scenario::UserAccess;
use crate::schema::{Access, FieldType, Object, Schema};
use crate::value::{Date, Decimal, TimeOfDay, Timestamp};

/// Sets a field to null (Bulk API 2.0 guide v66, "Prepare CSV Files").
const NULL: &str = "#N/A";
/// Characters of the header.
const MAX_HEADER: usize = 32_000;

/// The columns of a CSV.
#[derive(Debug)]
pub(super) struct Columns {
    columns: Vec<Column>,
}

/// A column of a CSV, or a key of a record in XML or JSON.
#[derive(Clone, Debug)]
pub(super) enum Column {
    Own { name: String, kind: FieldType },
    Parent { relationship: String, of: Option<String>, key: String, kind: FieldType },
}

/// The object that an upload is about, as its user sees it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) object: &'a Object,
    pub(super) schema: &'a Schema,
    pub(super) access: &'a UserAccess,
}

impl View<'_> {
    fn field_kind(self, object: &Object, name: &str) -> Option<FieldType> {
        let (_, field) = object.find(name).filter(|(_, field)| self.access.reads_field(object, field))?;
        Some(field.kind)
    }

    /// What a name means.
    pub(super) fn column(self, name: &str) -> Option<Column> {
        let Some((path, key)) = name.split_once('.') else {
            let kind = self.field_kind(self.object, name)?;
            return Some(Column::Own { name: name.to_owned(), kind });
        };
        let (of, relationship) = match path.split_once(':') {
            Some((of, relationship)) => (Some(of), relationship),
            None => (None, path),
        };
        self.parent(relationship, of, key)
    }

    /// A parent that is named by one of its fields.
    pub(super) fn parent(self, relationship: &str, of: Option<&str>, key: &str) -> Option<Column> {
        let (_, reference) = self.object.find_relationship(relationship)?;
        if !self.access.reads_field(self.object, reference) {
            return None;
        }
        let meant = |name: &&String| of.is_none_or(|of| of.eq_ignore_ascii_case(name));
        let mut parents = reference.reference_to.iter().filter(meant).filter_map(|name| self.schema.find(name));
        let kind = parents.find_map(|(_, parent)| self.field_kind(parent, key))?;
        Some(Column::Parent {
            relationship: relationship.to_owned(),
            of: of.map(str::to_owned),
            key: key.to_owned(),
            kind,
        })
    }
}

impl View<'_> {
    /// A reference by the name of its relationship, which is how XML and JSON empty it.
    pub(super) fn reference(self, relationship: &str) -> Option<Column> {
        let (_, reference) = self.object.find_relationship(relationship)?;
        self.field_kind(self.object, &reference.name)?;
        Some(Column::Own { name: reference.name.clone(), kind: FieldType::Reference })
    }
}

/// Source: `errorMessage` of captured jobs.
pub(super) fn unknown_name(name: &str) -> String {
    format!("InvalidBatch : Field name not found : {name}")
}

impl Columns {
    /// Reads a header.
    ///
    /// # Errors
    /// The `errorMessage` of the job: one name that means nothing fails all rows.
    pub(super) fn read(header: &Row, view: View<'_>, operation: Operation) -> Result<Self, String> {
        if header.characters() > MAX_HEADER {
            return Err(format!("InvalidBatch : The header has more than {MAX_HEADER} characters"));
        }
        if let Some(excess) = header.excess() {
            return Err(format!("InvalidBatch : {}", excess.message()));
        }
        let mut columns: Vec<Column> = Vec::with_capacity(header.len());
        let mut names = std::collections::HashSet::new();
        for name in header.fields() {
            let column = view.column(&name).ok_or_else(|| unknown_name(&name))?;
            if !names.insert(name.to_lowercase()) {
                return Err(format!("InvalidBatch : Duplicate field name : {name}"));
            }
            columns.push(column);
        }
        let is_id = |column: &Column| matches!(column, Column::Own { kind: FieldType::Id, .. });
        if operation.takes_ids() && !(columns.len() == 1 && columns.iter().all(is_id)) {
            return Err("InvalidBatch : Delete batch must contain only ids".to_owned());
        }
        Ok(Self { columns })
    }

    /// The record that a row describes.
    pub(super) fn record(&self, row: &Row) -> Parsed {
        if let Some(excess) = row.excess() {
            return Err(Refusal::invalid_field(excess.message(), Vec::new()));
        }
        if row.len() != self.columns.len() {
            let message = format!("The row has {} columns, the header has {}", row.len(), self.columns.len());
            return Err(Refusal::invalid_field(message, Vec::new()));
        }
        let mut record = Record::new();
        for (index, (column, text)) in self.columns.iter().zip(row.fields()).enumerate() {
            match text.as_ref() {
                "" => {}
                NULL => column.put_null(&mut record),
                text => column.put(text, index, &mut record)?,
            }
        }
        Ok(record)
    }

    /// The text of the id column, when there is one.
    pub(super) fn id(&self, row: &Row) -> Option<String> {
        let is_id = |column: &Column| matches!(column, Column::Own { kind: FieldType::Id, .. });
        let index = self.columns.iter().position(is_id).filter(|index| *index < row.len())?;
        Some(row.field(index).into_owned())
    }
}

impl Column {
    /// Empties a field or a reference.
    pub(super) fn put_null(&self, record: &mut Record) {
        let name = match self {
            Self::Own { name, .. } => name,
            Self::Parent { relationship, .. } => relationship,
        };
        record.insert(name.clone(), Json::Null);
    }

    /// Puts a value that came with a type of its own, as in JSON.
    pub(super) fn put_typed(&self, value: &Json, index: usize, record: &mut Record) -> Result<(), Refusal> {
        match (self, value) {
            (_, Json::Null) => self.put_null(record),
            (_, Json::String(text)) if text.is_empty() => self.put_null(record),
            (_, Json::String(text)) => self.put(text, index, record)?,
            (Self::Own { name, .. }, value) => drop(record.insert(name.clone(), value.clone())),
            (Self::Parent { .. }, value) => self.put(&value.to_string(), index, record)?,
        }
        Ok(())
    }

    /// Puts what `text` means into a record; `index` is the column's number, from 0, in the error.
    pub(super) fn put(&self, text: &str, index: usize, record: &mut Record) -> Result<(), Refusal> {
        match self {
            Self::Own { name, kind } => record.insert(name.clone(), read(*kind, text, index, name)?),
            Self::Parent { relationship, of, key, kind } => {
                let value = read(*kind, text, index, key)?;
                let mut named = Record::new();
                named.insert(key.clone(), value);
                if let Some(of) = of {
                    named.insert("attributes".to_owned(), json!({"type": of}));
                }
                record.insert(relationship.clone(), Json::Object(named))
            }
        };
        Ok(())
    }
}

/// The value of a text in a field of this type. Booleans and dates come in the forms of XML Schema; a number may be in
/// scientific notation; a time zone that is left out is UTC (inferred).
fn read(kind: FieldType, text: &str, index: usize, field: &str) -> Result<Json, Refusal> {
    let value = match kind {
        FieldType::Boolean => boolean(text).map(Json::Bool),
        FieldType::Int | FieldType::Long => whole_number(text).map(Json::String),
        FieldType::Double | FieldType::Currency | FieldType::Percent => {
            Decimal::parse(text).map(|_| Json::String(text.to_owned()))
        }
        FieldType::Date => date(text).map(Json::String),
        FieldType::DateTime => date_time(text).map(Json::String),
        FieldType::Time => TimeOfDay::parse(text).map(|_| Json::String(text.to_owned())),
        _ => Some(Json::String(text.to_owned())),
    };
    value.ok_or_else(|| {
        let message = format!(
            "Failed to deserialize field at col {index}. Due to, '{text}' is not a valid value for the type {}",
            kind.soap_type()
        );
        Refusal::invalid_field(message, vec![field.to_owned()])
    })
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// `5`, and `5.0` as Bulk results write some whole numbers.
fn whole_number(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_whole = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    whole.parse::<i64>().ok().filter(|_| is_whole).map(|number| number.to_string())
}

/// `2026-11-21`, with or without a time zone behind it.
fn date(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    Date::parse(date)?;
    let zoned = || Timestamp::parse(&format!("{date}T00:00:00{rest}")).is_some();
    (rest.is_empty() || zoned()).then(|| date.to_owned())
}

fn date_time(text: &str) -> Option<String> {
    if Timestamp::parse(text).is_some() || Date::parse(text).is_some() {
        return Some(text.to_owned());
    }
    let in_utc = format!("{}Z", text.replacen(' ', "T", 1));
    Timestamp::parse(&in_utc).map(|_| in_utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_in_the_forms_of_the_guide() {
        let read = |kind, text: &str| read(kind, text, 3, "F__c").ok();
        for (kind, text, value) in [
            (FieldType::Boolean, "TRUE", Some(json!(true))),
            (FieldType::Boolean, "0", Some(json!(false))),
            (FieldType::Boolean, "yes", None),
            (FieldType::Int, "5.0", Some(json!("5"))),
            (FieldType::Int, "5.5", None),
            (FieldType::Double, "1.5E3", Some(json!("1.5E3"))),
            (FieldType::Double, "1,5", None),
            (FieldType::Date, "2026-11-21", Some(json!("2026-11-21"))),
            (FieldType::Date, "2026-11-21Z", Some(json!("2026-11-21"))),
            (FieldType::Date, "2026-11-21+01:00", Some(json!("2026-11-21"))),
            (FieldType::Date, "21.11.2026", None),
            (FieldType::DateTime, "2026-11-21T10:00:00.000Z", Some(json!("2026-11-21T10:00:00.000Z"))),
            (FieldType::DateTime, "2026-11-21T10:00:00+0100", Some(json!("2026-11-21T10:00:00+0100"))),
            (FieldType::DateTime, "2026-11-21 10:00:00", Some(json!("2026-11-21T10:00:00Z"))),
            (FieldType::DateTime, "tomorrow", None),
            (FieldType::Time, "10:15:00.000Z", Some(json!("10:15:00.000Z"))),
            (FieldType::String, " x ", Some(json!(" x "))),
        ] {
            assert_eq!(read(kind, text), value, "{kind:?} {text:?}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_told_as_results_tell_it() {
        let refusal = read(FieldType::Date, "2003-04-987654321987654321", 3, "CloseDate").unwrap_err();
        assert_eq!(
            refusal.in_csv(),
            "INVALID_FIELD:Failed to deserialize field at col 3. Due to, '2003-04-987654321987654321' is not a valid value \
             for the type xsd:date:CloseDate --"
        );
    }
}
