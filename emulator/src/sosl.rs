//! Full-text search: text → [`Search`] → records, found by reading every row.
//!
//! Source: SOQL and SOSL reference v66, "SOSL Syntax". There is no index: words are found at once after a write, and
//! relevance does not order results; synonyms, stop words and lemmas are absent.

mod expression;
mod parser;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::schema::{Access, Field, FieldIndex, FieldType, Object};
use crate::soql::{Plan, QueryError, RowScope};
use crate::table::Row;
use crate::value::{Cell, Timestamp};

pub use expression::Expression;

/// Results of one search. Source: SOQL and SOSL reference v66, "SOSL Limits".
const MAX_RESULTS: usize = 2000;

/// Why a search is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// It is not SOSL.
    #[error("{0}")]
    Malformed(String),
    /// What is searched for cannot be searched for.
    #[error("{0}")]
    Invalid(String),
    /// An object to return does not exist, or is not searched.
    #[error(
        "sObject type '{0}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' \
         after the entity name. Please reference your WSDL or the describe call for the appropriate names."
    )]
    Object(String),
    /// The fields, the filter or the order of what is returned are wrong.
    #[error("{}", .0.message)]
    Query(#[from] QueryError),
}

impl SearchError {
    /// Salesforce's code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Malformed(_) => "MALFORMED_SEARCH",
            Self::Invalid(_) => "INVALID_SEARCH",
            Self::Object(_) => "INVALID_TYPE",
            Self::Query(error) => error.code.as_str(),
        }
    }
}

/// Which fields are searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    #[default]
    All,
    Name,
    Email,
    Phone,
    Sidebar,
}

impl Scope {
    /// By its name in `IN … FIELDS`, whatever its case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "ALL" => Self::All,
            "NAME" => Self::Name,
            "EMAIL" => Self::Email,
            "PHONE" => Self::Phone,
            "SIDEBAR" => Self::Sidebar,
            _ => return None,
        })
    }

    fn includes(self, field: &Field) -> bool {
        let is_name = field.name_field || field.compound.as_deref() == Some("Name") || field.name == "Subject";
        match self {
            Self::Name => is_name && field.kind.is_text(),
            Self::Email => field.kind == FieldType::Email,
            Self::Phone => field.kind == FieldType::Phone,
            Self::Sidebar => {
                let contact = matches!(field.kind, FieldType::Email | FieldType::Phone);
                field.kind.is_text() && (is_name || contact || field.id_lookup)
            }
            Self::All => {
                let listed = matches!(field.kind, FieldType::Picklist | FieldType::MultiPicklist);
                field.kind.is_text() && !listed && field.kind != FieldType::EncryptedString
            }
        }
    }
}

/// What comes back of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returning {
    pub object: String,
    /// As SOQL selects them; none mean `Id`.
    pub fields: Vec<String>,
    /// What follows `WHERE`, in SOQL.
    pub filter: Option<String>,
    /// What follows `ORDER BY`, in SOQL.
    pub order: Option<String>,
    pub limit: Option<usize>,
    pub offset: usize,
}

/// A search that is understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    pub find: Expression,
    pub scope: Scope,
    /// None means the ids of every object that is searched.
    pub returning: Vec<Returning>,
    pub limit: Option<usize>,
}

/// The records of one object that a search found.
#[derive(Debug)]
pub struct Found {
    plan: Arc<Plan>,
    pub ids: Vec<RecordId>,
}

impl Found {
    /// How the records are written.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Search {
    /// Reads SOSL.
    ///
    /// # Errors
    /// [`SearchError`] in Salesforce's words where they are known.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        parser::parse(text)
    }

    /// Finds records, object by object, in the order of each one's clause or of ids.
    ///
    /// # Errors
    /// [`SearchError`] for objects and fields that do not exist for the user.
    pub fn run(&self, snapshot: &Snapshot, access: &dyn Access, now: Timestamp) -> Result<Vec<Found>, SearchError> {
        let everything = || {
            let objects = snapshot.schema().objects().iter().filter(|object| is_searched(object, access));
            objects.map(|object| Returning { object: object.name.clone(), ..Returning::default() }).collect()
        };
        let names_none = self.returning.is_empty();
        let returning = if names_none { everything() } else { self.returning.clone() };
        let mut left = self.limit.unwrap_or(MAX_RESULTS).min(MAX_RESULTS);
        let mut found = Vec::with_capacity(returning.len());
        for wanted in &returning {
            match self.find_in(wanted, left, snapshot, access, now) {
                Ok(ids) => {
                    left -= ids.ids.len();
                    found.push(ids);
                }
                // Nobody has asked for an object that cannot be queried by itself.
                Err(_) if names_none => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn find_in(
        &self,
        wanted: &Returning,
        most: usize,
        snapshot: &Snapshot,
        access: &dyn Access,
        now: Timestamp,
    ) -> Result<Found, SearchError> {
        let declared = snapshot.schema().find(&wanted.object).map(|(_, object)| object);
        let object = declared.filter(|object| is_searched(object, access));
        let object = object.ok_or_else(|| SearchError::Object(wanted.object.clone()))?;
        let plan = Plan::compile(&soql(wanted), snapshot.schema(), access, RowScope::Live, now)?;
        let plan = Arc::new(plan);
        let fields = self.fields(object, access);
        let limit = wanted.limit.unwrap_or(most).min(most);
        let results = plan.execute(snapshot.clone());
        let mut words = Words::default();
        let matching = results.rows(0).filter(|row| self.matches(row, &fields, &mut words)).map(|row| row.id());
        let ids = matching.skip(wanted.offset).take(limit).collect();
        Ok(Found { plan, ids })
    }

    fn fields(&self, object: &Object, access: &dyn Access) -> Vec<FieldIndex> {
        let fields = object.fields().iter().enumerate();
        let searched = fields.filter(|(_, field)| self.scope.includes(field) && access.reads_field(object, field));
        searched.map(|(index, _)| index).collect()
    }

    fn matches(&self, row: &Row<'_>, fields: &[FieldIndex], words: &mut Words) -> bool {
        words.read(row, fields);
        self.find.holds(&|phrase| words.fields.iter().any(|field| phrase.is_in(field)))
    }
}

fn is_searched(object: &Object, access: &dyn Access) -> bool {
    object.can.searchable && object.can.queryable && object.required_filter.is_empty() && access.reads(object)
}

/// The words of a row's fields, field by field.
#[derive(Default)]
struct Words {
    fields: Vec<Vec<String>>,
    scratch: String,
}

impl Words {
    fn read(&mut self, row: &Row<'_>, fields: &[FieldIndex]) {
        self.fields.clear();
        for field in fields {
            let Cell::Text(text) = row.cell(*field, &mut self.scratch) else { continue };
            let mut words = expression::words(text);
            // A phone number is found with and without what divides it.
            if row.object().field(*field).kind == FieldType::Phone {
                words.push(text.chars().filter(char::is_ascii_digit).collect());
            }
            self.fields.push(words);
        }
    }
}

/// The rows of an object that may come back, as a query.
fn soql(wanted: &Returning) -> String {
    let fields = if wanted.fields.is_empty() { "Id".to_owned() } else { wanted.fields.join(", ") };
    let mut text = format!("SELECT {fields} FROM {}", wanted.object);
    if let Some(filter) = &wanted.filter {
        text.push_str(&format!(" WHERE {filter}"));
    }
    if let Some(order) = &wanted.order {
        text.push_str(&format!(" ORDER BY {order}"));
    }
    text
}
