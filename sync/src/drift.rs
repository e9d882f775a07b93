//! How an org's fields differ from those that a stream has agreed to read, and what is read meanwhile.
//!
//! A [`Shape`] is what was agreed. [`diff`] compares it with what the org shows now, [`Shape::with`] agrees to that, and
//! [`fitted`] is the mapping that can be run in between: it reads what was agreed as far as it is still there. A column
//! whose field is gone keeps its values, for it is not read; a field that is new is back-filled once it is read.

use std::{collections::BTreeMap, fmt};

use ring::digest::{SHA256, digest};
use salesforce::describe::{FieldDescribe, FieldType};
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::Catalogue,
    mapping::{ColumnMapping, Mapping, Source, Target, column_type},
    table::ColumnType,
};

/// What an object's fields are like: all of its own, and those of parents that the mapping reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// In the order of the describe; fields that are gone stay where they were, paths to parents come last.
    fields: Vec<FieldShape>,
}

/// One field, as far as a change of it matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FieldShape {
    /// The name, or the path to a parent's field.
    path: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    label: String,
    kind: FieldType,
    #[serde(default, skip_serializing_if = "is_zero")]
    length: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    precision: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    scale: u32,
    /// A hash of the values that may be picked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picklist: Option<String>,
    /// What its column has come to hold: as wide as every type that the field has had.
    held: ColumnType,
    /// It is not there any more; its column is, with what was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A field that the mapping would read.
    New {
        field: String,
        label: String,
        #[serde(rename = "type")]
        kind: FieldType,
        /// It was there before.
        returned: bool,
    },
    /// A field that was read is removed, or hidden from the connection's user: the describe does not tell which.
    Gone {
        field: String,
        label: String,
    },
    /// A field that was read is gone, and one that is much like it is new.
    Renamed {
        from: String,
        to: String,
        because: String,
    },
    Retyped {
        field: String,
        from: FieldType,
        to: FieldType,
        /// The column holds the former values and the new ones without becoming a text.
        widening: bool,
    },
    /// Other length, precision or scale.
    Resized {
        field: String,
        from: String,
        to: String,
    },
    Relabelled {
        field: String,
        from: String,
        to: String,
    },
    /// Other values may be picked.
    Repicked {
        field: String,
    },
    /// The object is removed, or hidden from the connection's user.
    ObjectGone {
        object: String,
    },
}

impl Change {
    /// Whether somebody may want to decide on it. The others change neither what is read nor how.
    pub fn matters(&self) -> bool {
        match self {
            Self::New { .. }
            | Self::Gone { .. }
            | Self::Renamed { .. }
            | Self::Retyped { .. }
            | Self::ObjectGone { .. } => true,
            Self::Resized { .. } | Self::Relabelled { .. } | Self::Repicked { .. } => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { field, label, kind, returned } => {
                let again = if *returned { "is there again" } else { "is new" };
                write!(out, "{field} ({label}, {}) {again}", name_of(kind))
            }
            Self::Gone { field, label } => write!(out, "{field} ({label}) is removed, or hidden from this user"),
            Self::Renamed { from, to, because } => write!(out, "{from} is probably {to} now: {because}"),
            Self::Retyped { field, from, to, widening } => {
                let (from, to) = (name_of(from), name_of(to));
                let how = if *widening {
                    "the column holds both"
                } else {
                    "the column stays as wide as it was, or becomes text"
                };
                write!(out, "{field} was {from} and is {to}; {how}")
            }
            Self::Resized { field, from, to } => write!(out, "{field} had {from} and has {to}"),
            Self::Relabelled { field, from, to } => write!(out, "{field} was labelled {from:?} and is {to:?}"),
            Self::Repicked { field } => write!(out, "{field} has other picklist values"),
            Self::ObjectGone { object } => write!(out, "{object} is removed, or hidden from this user"),
        }
    }
}

/// As describe spells it.
fn name_of(kind: &FieldType) -> String {
    let name = serde_json::to_value(kind).ok();
    name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Shape {
    /// What the org shows now of what `mapping` may read; `None`: there is no such object for this user.
    pub fn of(mapping: &Mapping, catalogue: &Catalogue) -> Option<Self> {
        let object = catalogue.object(&mapping.object)?;
        let mut fields: Vec<FieldShape> =
            object.fields.iter().map(|field| FieldShape::of(field.name.clone(), field)).collect();
        let mut parents = BTreeMap::new();
        for path in mapping.paths().filter(|path| path.contains('.')) {
            if let Some((spelt, field)) = catalogue.field(&mapping.object, &path) {
                parents.entry(spelt.to_lowercase()).or_insert_with(|| FieldShape::of(spelt, field));
            }
        }
        fields.extend(parents.into_values());
        Some(Self { fields })
    }

    /// This shape once `now` is agreed to: what is gone stays known, and a column stays as wide as it has become.
    pub fn with(&self, now: &Self) -> Self {
        let held = |field: &FieldShape| match self.find(&field.path) {
            Some(known) => FieldShape { held: widest(known.held, field.held), ..field.clone() },
            None => field.clone(),
        };
        let mut fields: Vec<FieldShape> = now.fields.iter().map(held).collect();
        let gone = self.fields.iter().filter(|field| now.find(&field.path).is_none());
        fields.extend(gone.map(|field| FieldShape { gone: true, ..field.clone() }));
        Self { fields }
    }

    fn find(&self, path: &str) -> Option<&FieldShape> {
        self.fields.iter().find(|field| field.path.eq_ignore_ascii_case(path))
    }

    /// The field, when it is there.
    fn present(&self, path: &str) -> Option<&FieldShape> {
        self.find(path).filter(|field| !field.gone)
    }

    fn has_lost(&self, path: &str, now: &Self) -> bool {
        self.find(path).is_some() && now.present(path).is_none()
    }
}

impl FieldShape {
    fn of(path: String, field: &FieldDescribe) -> Self {
        Self {
            path,
            label: field.label.clone(),
            kind: field.kind.clone(),
            length: field.length,
            precision: field.precision,
            scale: field.scale,
            picklist: picklist(field),
            held: column_type(&field.kind),
            gone: false,
        }
    }

    /// Whether a mapping of all fields reads it.
    fn is_whole(&self) -> bool {
        !self.path.contains('.') && !matches!(self.kind, FieldType::Address | FieldType::Location | FieldType::Base64)
    }

    fn size(&self) -> String {
        match self.length {
            0 => format!("{} digits, {} of them decimals", self.precision, self.scale),
            length => format!("{length} characters"),
        }
    }
}

fn picklist(field: &FieldDescribe) -> Option<String> {
    if field.picklist_values.is_empty() {
        return None;
    }
    let values: Vec<_> =
        field.picklist_values.iter().map(|value| (&value.value, value.label(), value.active)).collect();
    let text = serde_json::to_vec(&values).expect("texts serialise");
    Some(digest(&SHA256, &text).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// The narrowest type that holds values of both.
fn widest(one: ColumnType, other: ColumnType) -> ColumnType {
    use ColumnType::{Date, Decimal, Integer, Text, Timestamp};
    match (one, other) {
        (one, other) if one == other => one,
        (Integer, Decimal) | (Decimal, Integer) => Decimal,
        (Date, Timestamp) | (Timestamp, Date) => Timestamp,
        _ => Text,
    }
}

/// Whether a mapping reads every field that there is.
fn takes_all(mapping: &Mapping) -> bool {
    mapping.columns.is_empty() || mapping.rest
}

fn names(mapping: &Mapping, path: &str) -> bool {
    mapping.paths().any(|named| named.eq_ignore_ascii_case(path))
}

/// How what the org shows differs from what was agreed, as far as `mapping` reads it.
pub fn diff(mapping: &Mapping, agreed: &Shape, now: &Shape) -> Vec<Change> {
    let all = takes_all(mapping);
    let reads = |field: &FieldShape| (all && field.is_whole()) || names(mapping, &field.path);
    let gone: Vec<&FieldShape> =
        agreed.fields.iter().filter(|field| !field.gone && now.find(&field.path).is_none() && reads(field)).collect();
    let mut new: Vec<&FieldShape> =
        now.fields.iter().filter(|field| !field.path.contains('.') && agreed.present(&field.path).is_none()).collect();
    let mut changes = Vec::new();
    for field in gone {
        match successor(field, agreed, now, &new) {
            Some((index, because)) => {
                let to = new.remove(index).path.clone();
                changes.push(Change::Renamed { from: field.path.clone(), to, because });
            }
            None => changes.push(Change::Gone { field: field.path.clone(), label: field.label.clone() }),
        }
    }
    changes.extend(new.into_iter().filter(|field| reads(field)).map(|field| Change::New {
        field: field.path.clone(),
        label: field.label.clone(),
        kind: field.kind.clone(),
        returned: agreed.find(&field.path).is_some(),
    }));
    for field in now.fields.iter().filter(|field| reads(field)) {
        if let Some(known) = agreed.present(&field.path) {
            compare(known, field, &mut changes);
        }
    }
    changes
}

fn compare(known: &FieldShape, field: &FieldShape, changes: &mut Vec<Change>) {
    let name = || field.path.clone();
    if known.kind != field.kind {
        let native = column_type(&field.kind);
        let widening = widest(known.held, native) == native && (native != ColumnType::Text || known.held == native);
        changes.push(Change::Retyped { field: name(), from: known.kind.clone(), to: field.kind.clone(), widening });
    } else if known.size() != field.size() {
        changes.push(Change::Resized { field: name(), from: known.size(), to: field.size() });
    }
    if known.label != field.label {
        changes.push(Change::Relabelled { field: name(), from: known.label.clone(), to: field.label.clone() });
    }
    if known.picklist != field.picklist && known.picklist.is_some() {
        changes.push(Change::Repicked { field: name() });
    }
}

/// Which of the new fields a gone one probably is: the index, and why.
fn successor(gone: &FieldShape, agreed: &Shape, now: &Shape, new: &[&FieldShape]) -> Option<(usize, String)> {
    let alike = |field: &FieldShape| column_type(&field.kind) == column_type(&gone.kind);
    let candidates = || new.iter().enumerate().filter(|(_, field)| alike(field));
    if !gone.label.is_empty()
        && let Some((index, _)) = candidates().find(|(_, field)| field.label == gone.label)
    {
        return Some((index, format!("both are labelled {:?}", gone.label)));
    }
    let likeness = |field: &FieldShape| strsim::jaro_winkler(&stem(&gone.path), &stem(&field.path));
    let nearest = candidates().max_by(|one, other| likeness(one.1).total_cmp(&likeness(other.1)));
    if let Some((index, field)) = nearest.filter(|(_, field)| likeness(field) > 0.9) {
        return Some((index, format!("the names are alike, and {} is new", field.path)));
    }
    let neighbours = |shape: &Shape, path: &str| {
        let fields: Vec<&FieldShape> = shape.fields.iter().filter(|field| !field.gone).collect();
        let at = fields.iter().position(|field| field.path == path)?;
        let beside = |index: Option<usize>| index.and_then(|index| fields.get(index)).map(|field| field.path.clone());
        Some((beside(at.checked_sub(1)), beside(Some(at + 1))))
    };
    let place = neighbours(agreed, &gone.path)?;
    let same_place = |field: &&FieldShape| {
        field.kind == gone.kind && field.length == gone.length && neighbours(now, &field.path) == Some(place.clone())
    };
    let index = new.iter().position(same_place)?;
    Some((index, "it has the same type, and stands between the same fields".to_owned()))
}

/// A name without what all custom fields have.
fn stem(path: &str) -> String {
    path.trim_end_matches("__c").replace('_', "").to_lowercase()
}

/// The mapping that can be run now: what was agreed, as far as it is there, in columns as wide as they have become.
///
/// `None`: nothing of the columns is left to read.
pub fn fitted(mapping: &Mapping, agreed: &Shape, now: &Shape) -> Option<Mapping> {
    let mut fitted = mapping.clone();
    fitted.columns.retain(|column| !is_lost(column, agreed, now));
    if fitted.columns.is_empty() && !mapping.columns.is_empty() && !mapping.rest {
        return None;
    }
    for column in &mut fitted.columns {
        if let Source::Field(path) = &column.source
            && column.target.is_none()
        {
            column.target = kept_type(path, agreed, now);
        }
    }
    if takes_all(mapping) {
        spell_out(&mut fitted, agreed, now);
    }
    Some(fitted)
}

/// Replaces "all fields" by their names where one of them is not agreed, or has to be read as another type.
fn spell_out(fitted: &mut Mapping, agreed: &Shape, now: &Shape) {
    let whole = || now.fields.iter().filter(|field| field.is_whole() && !names(fitted, &field.path));
    let is_plain =
        |field: &FieldShape| agreed.present(&field.path).is_some() && kept_type(&field.path, agreed, now).is_none();
    if whole().all(is_plain) {
        return;
    }
    let columns: Vec<ColumnMapping> = whole()
        .filter(|field| agreed.present(&field.path).is_some())
        .map(|field| ColumnMapping {
            target: kept_type(&field.path, agreed, now),
            ..ColumnMapping::field(field.path.clone())
        })
        .collect();
    fitted.columns.extend(columns);
    fitted.rest = false;
}

/// The type to convert to, where the field's own is not what its column holds.
fn kept_type(path: &str, agreed: &Shape, now: &Shape) -> Option<Target> {
    let (known, field) = (agreed.find(path)?, now.find(path)?);
    (known.held != column_type(&field.kind)).then(|| known.held.into())
}

/// Whether a column cannot be made any more because of a field that is gone.
fn is_lost(column: &ColumnMapping, agreed: &Shape, now: &Shape) -> bool {
    match &column.source {
        Source::Field(path) => agreed.has_lost(path, now),
        Source::Value(_) => false,
        Source::Compute(expression) => agreed
            .fields
            .iter()
            .filter(|field| now.present(&field.path).is_none())
            .any(|field| mentions(expression, &field.path)),
    }
}

/// Whether an expression names a path, as a word of its own.
fn mentions(expression: &str, path: &str) -> bool {
    let (expression, path) = (expression.to_lowercase(), path.to_lowercase());
    let is_part = |other: char| other.is_alphanumeric() || other == '_' || other == '.';
    expression.match_indices(&path).any(|(at, _)| {
        let before = expression[..at].chars().next_back();
        let after = expression[at + path.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(|next| next.is_alphanumeric() || next == '_')
    })
}

#[cfg(test)]
mod tests;
