//! Paths from an object to a field of its own or of a parent.

use salesforce::describe::{FieldDescribe, FieldType, ObjectDescribe};

use super::MappingProblem;
use crate::{batch::ReadField, catalogue::Catalogue, table::ColumnType};

/// A path climbs at most this many parents (SOQL reference v66, *Understanding Relationship Query Limitations*).
pub const MAX_HOPS: usize = 5;

/// The fields that can be read through a relationship to several objects (Object Reference v66, *Name*).
const NAME_FIELDS: &[(&str, ColumnType)] = &[
    ("Alias", ColumnType::Text),
    ("Email", ColumnType::Text),
    ("FirstName", ColumnType::Text),
    ("Id", ColumnType::Text),
    ("IsActive", ColumnType::Boolean),
    ("LastName", ColumnType::Text),
    ("Name", ColumnType::Text),
    ("Phone", ColumnType::Text),
    ("ProfileId", ColumnType::Text),
    ("RecordTypeId", ColumnType::Text),
    ("Title", ColumnType::Text),
    ("Type", ColumnType::Text),
    ("UserRoleId", ColumnType::Text),
    ("Username", ColumnType::Text),
];

/// A path that exists, as the schema spells it.
#[derive(Debug, Clone)]
pub(super) struct Resolved {
    pub(super) field: ReadField,
    /// Bulk refuses some types (Bulk API 2.0 guide v66, *Query*).
    pub(super) bulk_readable: bool,
    /// `None`: a field that several objects share.
    pub(super) describe: Option<FieldDescribe>,
}

/// Follows `path` from `object`.
pub(super) fn resolve(
    catalogue: &Catalogue,
    object: &ObjectDescribe,
    path: &str,
    place: &str,
) -> Result<Resolved, MappingProblem> {
    let problem = |message: String, suggestion| MappingProblem { place: place.to_owned(), message, suggestion };
    let mut parts: Vec<&str> = path.split('.').map(str::trim).collect();
    let name = parts.pop().unwrap_or_default();
    if name.is_empty() || parts.iter().any(|part| part.is_empty()) {
        return Err(problem(format!("{path:?} is not a field name."), None));
    }
    if parts.len() > MAX_HOPS {
        return Err(problem(format!("{path:?} climbs {} parents; {MAX_HOPS} are allowed.", parts.len()), None));
    }
    let mut spelt = String::new();
    let mut object = object;
    for (step, part) in parts.iter().enumerate() {
        let Some(link) = object.relationship(part) else {
            return Err(problem(
                format!("{} has no relationship {part:?} that this user can see.", object.name),
                nearest(part, object.fields.iter().filter_map(|field| field.relationship_name.as_deref())),
            ));
        };
        spelt.push_str(link.relationship_name.as_deref().unwrap_or(part));
        spelt.push('.');
        match link.reference_to.as_slice() {
            [parent] => match catalogue.object(parent) {
                Some(describe) => object = describe,
                None => {
                    return Err(problem(format!("{path:?} leads to {parent}, which this user cannot see."), None));
                }
            },
            _ if step + 1 == parts.len() => return polymorphic(spelt, name, link, problem),
            _ => {
                let message = format!("{path:?} climbs past {part}, which leads to several kinds of object.");
                return Err(problem(message, None));
            }
        }
    }
    let Some(field) = object.field(name) else {
        return Err(problem(
            format!("{} has no field {name:?} that this user can see.", object.name),
            nearest(name, object.fields.iter().map(|field| field.name.as_str())),
        ));
    };
    spelt.push_str(&field.name);
    Ok(Resolved {
        field: ReadField { path: spelt, kind: column_type(&field.kind) },
        bulk_readable: is_bulk_readable(&field.kind),
        describe: Some(field.clone()),
    })
}

fn polymorphic(
    mut spelt: String,
    name: &str,
    link: &FieldDescribe,
    problem: impl Fn(String, Option<String>) -> MappingProblem,
) -> Result<Resolved, MappingProblem> {
    match NAME_FIELDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((known, kind)) => {
            spelt.push_str(known);
            Ok(Resolved { field: ReadField { path: spelt, kind: *kind }, bulk_readable: true, describe: None })
        }
        None => Err(problem(
            format!(
                "{} leads to several kinds of object ({}), of which only the fields they share can be read.",
                link.name,
                link.reference_to.join(", ")
            ),
            nearest(name, NAME_FIELDS.iter().map(|(known, _)| *known)),
        )),
    }
}

/// The candidate that was probably meant.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = name.to_ascii_lowercase();
    candidates
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

/// The column type of a field type.
pub(crate) fn column_type(kind: &FieldType) -> ColumnType {
    match kind {
        FieldType::Boolean => ColumnType::Boolean,
        FieldType::Int | FieldType::Long => ColumnType::Integer,
        FieldType::Double | FieldType::Currency | FieldType::Percent => ColumnType::Decimal,
        FieldType::Date => ColumnType::Date,
        FieldType::Datetime => ColumnType::Timestamp,
        FieldType::Time => ColumnType::Time,
        FieldType::Address
        | FieldType::Location
        | FieldType::Json
        | FieldType::Complexvalue
        | FieldType::Floatarray
        | FieldType::Textarray => ColumnType::Json,
        FieldType::String
        | FieldType::Picklist
        | FieldType::Multipicklist
        | FieldType::Combobox
        | FieldType::Reference
        | FieldType::Base64
        | FieldType::Textarea
        | FieldType::Phone
        | FieldType::Id
        | FieldType::Url
        | FieldType::Email
        | FieldType::Encryptedstring
        | FieldType::Datacategorygroupreference
        | FieldType::Anytype
        | FieldType::Other(_) => ColumnType::Text,
    }
}

fn is_bulk_readable(kind: &FieldType) -> bool {
    !matches!(kind, FieldType::Base64) && column_type(kind) != ColumnType::Json
}
