//! What tells the rows apart.

use salesforce::describe::{FieldType, ObjectDescribe};

use super::{Compiling, problem};
use crate::mapping::{Mapping, MappingProblem, path::resolve};

/// Stamps of parents that move with every change, best first.
const STAMPS: [&str; 2] = ["SystemModstamp", "LastModifiedDate"];

/// Whose the rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// A row is a record.
    Record,
    /// A row is the parent that this path names.
    Parent {
        path: String,
        /// The other spelling of the same: `OwnerId` is `Owner.Id`.
        twin: Option<String>,
        /// The parent's own stamp, when it can be read.
        stamp: Option<String>,
    },
    /// A row is a record, by something that is unique among them.
    Unique { path: String },
}

impl Key {
    /// Whether the rows are others than the records.
    pub(super) fn is_parent(&self) -> bool {
        matches!(self, Self::Parent { .. })
    }

    /// The condition of the records that make rows. A record that names no parent makes none, and neither does one
    /// that is deleted: it deletes no parent, and what a table holds does not depend on when it was read.
    pub(super) fn filter(&self, object: &ObjectDescribe, filter: Option<&str>) -> Option<String> {
        let path = match self {
            Self::Record => return filter.map(str::to_owned),
            Self::Parent { path, .. } | Self::Unique { path } => path,
        };
        let alive = object.field("IsDeleted").is_some().then(|| "IsDeleted = false".to_owned());
        let conditions: Vec<String> = filter
            .map(|filter| format!("({filter})"))
            .into_iter()
            .chain([format!("{path} != null")])
            .chain(alive)
            .collect();
        Some(conditions.join(" AND "))
    }
}

impl Compiling<'_> {
    pub(super) fn key(&mut self, mapping: &Mapping) -> Key {
        let found = match mapping.key.as_deref() {
            None => Ok(Key::Record),
            Some(path) if path.trim().eq_ignore_ascii_case("Id") => Ok(Key::Record),
            Some(path) => self.other_key(path),
        };
        match found {
            Ok(Key::Parent { path, stamp: None, twin }) => {
                self.warn(
                    "key",
                    format!("No stamp of {path} can be read, so that a row is replaced by whatever is read later."),
                );
                Key::Parent { path, stamp: None, twin }
            }
            Ok(key) => key,
            Err(problem) => {
                self.problems.push(problem);
                Key::Record
            }
        }
    }

    fn other_key(&self, path: &str) -> Result<Key, MappingProblem> {
        let resolved = resolve(self.catalogue, self.object, path, "key")?;
        let path = resolved.field.path;
        let (parents, name) = path.rsplit_once('.').unwrap_or(("", &path));
        let described = resolved.describe.as_ref();
        let kind = described.map(|field| &field.kind);
        let relationship = described.and_then(|field| field.relationship_name.as_deref());
        match (kind, relationship) {
            // The fields of several objects' shared name have no describe.
            (Some(FieldType::Id), _) | (None, _) if name == "Id" && !parents.is_empty() => {
                Ok(Key::Parent { twin: self.reference(parents), stamp: self.stamp_of(parents), path })
            }
            (Some(FieldType::Reference), Some(relationship)) => {
                let parent =
                    if parents.is_empty() { relationship.to_owned() } else { format!("{parents}.{relationship}") };
                let twin = Some(format!("{parent}.Id"));
                Ok(Key::Parent { twin, stamp: self.stamp_of(&parent), path })
            }
            (Some(FieldType::Reference), None) => Ok(Key::Parent { twin: None, stamp: None, path }),
            (Some(_), _) if described.is_some_and(|field| field.unique) => match parents {
                "" => Ok(Key::Unique { path }),
                _ => Ok(Key::Parent { twin: None, stamp: self.stamp_of(parents), path }),
            },
            _ => Err(problem(
                "key",
                format!(
                    "{path} does not tell rows apart: it is neither an Id, nor a reference, nor unique in the org."
                ),
            )),
        }
    }

    /// `AccountId` of `Account`, `Account.OwnerId` of `Account.Owner`.
    fn reference(&self, relationship: &str) -> Option<String> {
        let (parents, name) = relationship.rsplit_once('.').unwrap_or(("", relationship));
        let mut object = self.object;
        for part in parents.split('.').filter(|part| !part.is_empty()) {
            object = self.catalogue.object(object.relationship(part)?.reference_to.first()?)?;
        }
        let field = &object.relationship(name)?.name;
        Some(if parents.is_empty() { field.clone() } else { format!("{parents}.{field}") })
    }

    fn stamp_of(&self, parent: &str) -> Option<String> {
        STAMPS
            .iter()
            .filter_map(|stamp| resolve(self.catalogue, self.object, &format!("{parent}.{stamp}"), "key").ok())
            .find(|stamp| {
                stamp.describe.as_ref().is_some_and(|field| field.filterable && field.kind == FieldType::Datetime)
            })
            .map(|stamp| stamp.field.path)
    }
}
