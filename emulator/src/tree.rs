//! Loads sObject tree files: records with reference ids, and plans that name several files.
//!
//! Source: Salesforce CLI, `data import tree`; the shape of the files is that of `data export tree --plan`.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value as Json;

use crate::database::{Author, Database, Record, RowError};
use crate::ids::RecordId;
use crate::schema::{FieldSpec, FieldType, ObjectSpec, SchemaError};
use crate::value::{Date, TimeOfDay, Timestamp};

/// Why a file was not loaded. Records before the failing one stay.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is no sObject tree or plan: {source}")]
    Syntax { path: PathBuf, source: serde_json::Error },
    #[error("{what} has no attributes.type, so nobody knows its object")]
    Untyped { what: String },
    #[error("{object} record {reference} refers to {target}, which no earlier record is called")]
    UnknownReference { object: String, reference: String, target: String },
    #[error("{object} record {reference} was refused: {source}")]
    Refused { object: String, reference: String, source: RowError },
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// What to do with objects and fields that the schema does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Fail as an insert does.
    Refuse,
    /// Declare them, with types inferred from the values of the whole file.
    Declare,
}

/// One file of a plan.
#[derive(Debug, Deserialize)]
struct PlanStep {
    files: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Tree {
    records: Vec<Record>,
}

/// Loads files into an org; remembers reference ids between files.
pub struct TreeLoader<'a> {
    database: &'a mut Database,
    author: Author<'a>,
    unknown: Unknown,
    by_reference: HashMap<String, RecordId>,
    inserted: Vec<(String, RecordId)>,
}

impl<'a> TreeLoader<'a> {
    #[must_use]
    pub fn new(database: &'a mut Database, author: Author<'a>, unknown: Unknown) -> Self {
        Self { database, author, unknown, by_reference: HashMap::new(), inserted: Vec::new() }
    }

    /// Loads the files of a plan, in its order. Their names are relative to the plan.
    ///
    /// # Errors
    /// [`TreeError`] for the first file or record that fails.
    pub fn load_plan(&mut self, path: &Path) -> Result<(), TreeError> {
        let steps: Vec<PlanStep> = read(path)?;
        for file in steps.iter().flat_map(|step| &step.files) {
            self.load_file(&path.with_file_name(file))?;
        }
        Ok(())
    }

    /// Loads one file.
    ///
    /// # Errors
    /// [`TreeError`] for the first record that fails.
    pub fn load_file(&mut self, path: &Path) -> Result<(), TreeError> {
        let tree: Tree = read(path)?;
        self.load(&tree.records)
    }

    /// Loads records; children in `records` of a relationship come after their parents.
    ///
    /// # Errors
    /// [`TreeError`] for the first record that fails.
    pub fn load(&mut self, records: &[Record]) -> Result<(), TreeError> {
        if self.unknown == Unknown::Declare {
            self.declare_missing(records)?;
        }
        for record in records {
            self.insert(record)?;
        }
        Ok(())
    }

    /// The records that were inserted, as (object, id), in order.
    #[must_use]
    pub fn into_inserted(self) -> Vec<(String, RecordId)> {
        self.inserted
    }

    fn insert(&mut self, record: &Record) -> Result<(), TreeError> {
        let (object, reference) = identity(record)?;
        let mut fields = Record::new();
        for (name, value) in record.iter().filter(|(name, _)| *name != "attributes") {
            fields.insert(name.clone(), self.resolved(object, reference, name, value)?);
        }
        let refused =
            |source| TreeError::Refused { object: object.to_owned(), reference: reference.to_owned(), source };
        let id = self.database.insert(object, &fields, &self.author).map_err(refused)?;
        if !reference.is_empty() {
            self.by_reference.insert(reference.to_owned(), id);
        }
        self.inserted.push((object.to_owned(), id));
        Ok(())
    }

    /// `@Ref` in a reference field becomes the id of the record that is called so.
    fn resolved(&self, object: &str, reference: &str, name: &str, value: &Json) -> Result<Json, TreeError> {
        let Some(target) = value.as_str().and_then(|text| text.strip_prefix('@')) else { return Ok(value.clone()) };
        let declared = self.database.schema().find(object).and_then(|(_, object)| object.find(name));
        if declared.is_some_and(|(_, field)| field.kind != FieldType::Reference) {
            return Ok(value.clone());
        }
        match self.by_reference.get(target) {
            Some(id) => Ok(Json::String(id.to_string())),
            None => Err(TreeError::UnknownReference {
                object: object.to_owned(),
                reference: reference.to_owned(),
                target: target.to_owned(),
            }),
        }
    }

    fn declare_missing(&mut self, records: &[Record]) -> Result<(), TreeError> {
        for record in records {
            let object = identity(record)?.0;
            if self.database.schema().find(object).is_none() {
                self.database.declare(&ObjectSpec { name: object.to_owned(), ..ObjectSpec::default() })?;
            }
            for name in record.keys().filter(|name| *name != "attributes") {
                let known = self.database.schema().find(object).is_some_and(|(_, known)| known.find(name).is_some());
                if !known {
                    let same = records.iter().filter(|other| identity(other).is_ok_and(|(name, _)| name == object));
                    let values = same.filter_map(|record| record.get(name)).collect::<Vec<_>>();
                    let spec = self.inferred(object, name, &values);
                    self.database.declare_field(object, &spec)?;
                }
            }
        }
        Ok(())
    }

    /// A field that can hold all these values. `Loc__Latitude__s` makes the location `Loc__c`.
    fn inferred(&self, object: &str, name: &str, values: &[&Json]) -> FieldSpec {
        let location = name.strip_suffix("__Latitude__s").or_else(|| name.strip_suffix("__Longitude__s"));
        if let Some(stem) = location {
            return FieldSpec::of(&format!("{stem}__c"), FieldType::Location);
        }
        let texts: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
        let all = |test: fn(&str) -> bool| !texts.is_empty() && texts.iter().all(|text| test(text));
        let mut spec = FieldSpec::of(name, FieldType::String);
        if all(|text| text.starts_with('@')) {
            spec.kind = Some(FieldType::Reference);
            spec.reference_to = self.targets(object, &texts);
        } else if all(|text| Date::parse(text).is_some()) {
            spec.kind = Some(FieldType::Date);
        } else if all(|text| Timestamp::parse(text).is_some()) {
            spec.kind = Some(FieldType::DateTime);
        } else if all(|text| text.ends_with('Z') && TimeOfDay::parse(text).is_some()) {
            spec.kind = Some(FieldType::Time);
        } else if texts.iter().any(|text| text.chars().count() > 255) {
            (spec.kind, spec.length) = (Some(FieldType::TextArea), Some(131_072));
        } else if !values.is_empty() && values.iter().all(|value| value.is_boolean()) {
            spec.kind = Some(FieldType::Boolean);
        } else if values.iter().any(|value| value.is_number()) {
            let fraction = |value: &Json| value.to_string().split_once('.').map_or(0, |(_, digits)| digits.len());
            let scale = values.iter().map(|value| fraction(value)).max().unwrap_or(0);
            (spec.kind, spec.precision, spec.scale) = (Some(FieldType::Double), Some(18), u8::try_from(scale).ok());
        }
        spec
    }

    /// The objects of the records that these references name. What is not loaded yet is taken for the same object.
    fn targets(&self, object: &str, references: &[&str]) -> Vec<String> {
        let ids = references.iter().filter_map(|text| self.by_reference.get(text.strip_prefix('@')?));
        let found = ids.filter_map(|id| self.database.schema().find_prefix(id.prefix()));
        let mut names: Vec<String> = found.map(|(_, object)| object.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            names.push(object.to_owned());
        }
        names
    }
}

/// A record's object and reference id.
fn identity(record: &Record) -> Result<(&str, &str), TreeError> {
    let attributes = record.get("attributes");
    let text = |key: &str| attributes.and_then(|attributes| attributes.get(key)).and_then(Json::as_str);
    let reference = text("referenceId").unwrap_or_default();
    match text("type") {
        Some(object) => Ok((object, reference)),
        None => Err(TreeError::Untyped { what: format!("the record {reference:?}") }),
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, TreeError> {
    let text = std::fs::read(path).map_err(|source| TreeError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| TreeError::Syntax { path: path.to_owned(), source })
}
