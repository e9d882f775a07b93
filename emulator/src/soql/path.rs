//! Field paths bound to the schema: `Name`, `Account.Owner.Name`, `Broker__r.Email__c`.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::asked::Asked;
use super::outcome::{QueryError, QueryErrorCode};
use super::syntax::{Name, Path};
use crate::database::Snapshot;
use crate::schema::{Field, FieldIndex, FieldType, Object, ObjectIndex};
use crate::table::Row;
use crate::value::{Cell, TextOrder};

/// Parents that a path may climb. Source: SOQL reference v66, "Relationship query limitations".
const MAX_HOPS: usize = 5;
/// Parents that a statement may name in all. Source: as above.
const MAX_PARENTS: usize = 55;

/// The object that a query is about, and who asks.
pub(super) struct Scene<'a> {
    pub query: &'a str,
    pub asked: &'a Asked<'a>,
    pub object: ObjectIndex,
    /// What the query calls its object, and parents of it: `FROM Contact c, c.Account a`.
    pub aliases: Vec<(String, Vec<Name>)>,
    /// The parents that the statement has named so far.
    pub parents: &'a RefCell<BTreeSet<String>>,
}

/// A field as it is reached from a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BoundPath {
    /// References to follow, each a field of the row before.
    pub hops: Vec<Hop>,
    pub leaf: Leaf,
    pub kind: FieldType,
}

/// A reference that a path follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub reference: Reference,
    /// As the schema spells it.
    pub relationship: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Field(FieldIndex),
    /// A field of whatever a polymorphic reference points to.
    Named(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    Field {
        object: ObjectIndex,
        field: FieldIndex,
    },
    /// A field of whatever a polymorphic reference points to.
    Named {
        name: &'static str,
    },
    /// The object that a polymorphic reference points to.
    TypeName,
}

/// Fields behind a polymorphic reference. Source: object reference, "Name".
const NAME_FIELDS: [(&str, FieldType); 12] = [
    ("Id", FieldType::Id),
    ("Name", FieldType::String),
    ("FirstName", FieldType::String),
    ("LastName", FieldType::String),
    ("Email", FieldType::Email),
    ("Phone", FieldType::Phone),
    ("Title", FieldType::String),
    ("Alias", FieldType::String),
    ("Username", FieldType::String),
    ("IsActive", FieldType::Boolean),
    ("ProfileId", FieldType::Reference),
    ("UserRoleId", FieldType::Reference),
];

/// Parents behind a polymorphic reference: relationship, object, field. Source: as above.
const NAME_PARENTS: [(&str, &str, &str); 2] =
    [("Profile", "Profile", "ProfileId"), ("UserRole", "UserRole", "UserRoleId")];

impl Scene<'_> {
    pub(super) fn object(&self) -> &Object {
        self.asked.schema.object(self.object)
    }

    /// The same statement from the view of another object.
    pub(super) fn at_object(&self, object: ObjectIndex) -> Scene<'_> {
        Scene { query: self.query, asked: self.asked, object, aliases: Vec::new(), parents: self.parents }
    }

    pub(super) fn error(&self, code: QueryErrorCode, at: usize, message: &str) -> QueryError {
        QueryError::at(code, self.query, at, message)
    }

    pub(super) fn malformed(&self, at: usize, message: &str) -> QueryError {
        self.error(QueryErrorCode::MalformedQuery, at, message)
    }

    /// Finds the field that a path means to this user.
    pub(super) fn resolve(&self, path: &Path) -> Result<BoundPath, QueryError> {
        let (last, parents) = path.parts.split_last().expect("a path has a part");
        let (before, parents) = self.without_alias(parents);
        let parents: Vec<&Name> = before.iter().chain(parents).collect();
        if parents.len() > MAX_HOPS {
            let message = "Relationships can not be more than 5 levels deep";
            return Err(self.error(QueryErrorCode::MalformedQuery, path.at(), message));
        }
        // `None` behind a polymorphic reference.
        let mut object = Some(self.object);
        let mut hops = Vec::with_capacity(parents.len());
        for parent in parents {
            let unknown = || self.no_relationship(path.at(), &parent.text);
            let Some(known) = object else {
                let (hop, target) = self.name_parent(parent).ok_or_else(unknown)?;
                hops.push(hop);
                object = Some(target);
                continue;
            };
            let (field, reference) = self.relationship(known, &parent.text).ok_or_else(unknown)?;
            let relationship = reference.relationship_name.clone().unwrap_or_default();
            hops.push(Hop { reference: Reference::Field(field), relationship });
            self.count_parent(&hops, path.at())?;
            object = if reference.is_polymorphic() {
                None
            } else {
                Some(self.visible_target(reference).ok_or_else(unknown)?)
            };
        }
        let Some(object) = object else {
            let (leaf, kind) = name_leaf(&last.text).ok_or_else(|| self.no_column(path.at(), &last.text, "Name"))?;
            return Ok(BoundPath { hops, leaf, kind });
        };
        let declared = self.asked.schema.object(object);
        let found = declared.find(&last.text).filter(|(_, field)| self.asked.access.reads_field(declared, field));
        let (field, found) = found.ok_or_else(|| self.no_column(path.at(), &last.text, &declared.name))?;
        Ok(BoundPath { hops, leaf: Leaf::Field { object, field }, kind: found.kind })
    }

    /// A path's parents without a first word that only repeats what the query is about, behind those that it stands for.
    fn without_alias<'p>(&'p self, parents: &'p [Name]) -> (&'p [Name], &'p [Name]) {
        let Some((first, rest)) = parents.split_first() else { return (&[], parents) };
        if let Some((_, meant)) = self.aliases.iter().find(|(alias, _)| first.is(alias)) {
            return (meant, rest);
        }
        let is_object = first.is(&self.object().name) && self.relationship(self.object, &first.text).is_none();
        (&[], if is_object { rest } else { parents })
    }

    /// A parent of whatever a polymorphic reference points to.
    fn name_parent(&self, name: &Name) -> Option<(Hop, ObjectIndex)> {
        let (relationship, object, field) = NAME_PARENTS.into_iter().find(|(known, ..)| name.is(known))?;
        let hop = Hop { reference: Reference::Named(field), relationship: relationship.to_owned() };
        Some((hop, self.asked.visible(object)?))
    }

    fn count_parent(&self, hops: &[Hop], at: usize) -> Result<(), QueryError> {
        let mut key = self.object().name.clone();
        for hop in hops {
            key.push('.');
            key.push_str(&hop.relationship);
        }
        let mut parents = self.parents.borrow_mut();
        parents.insert(key);
        match parents.len() {
            0..=MAX_PARENTS => Ok(()),
            _ => Err(self.malformed(at, "No more than 55 child-to-parent relationships can be specified in a query")),
        }
    }

    /// The field at the end of a path; `None` for what a polymorphic parent shows.
    pub(super) fn leaf(&self, path: &BoundPath) -> Option<&Field> {
        match path.leaf {
            Leaf::Field { object, field } => Some(self.asked.schema.object(object).field(field)),
            Leaf::Named { .. } | Leaf::TypeName => None,
        }
    }

    pub(super) fn text_order(&self, path: &BoundPath) -> TextOrder {
        match self.leaf(path) {
            Some(field) if field.case_sensitive => TextOrder::CaseSensitive,
            _ => TextOrder::IgnoreCase,
        }
    }

    pub(super) fn relationship(&self, object: ObjectIndex, name: &str) -> Option<(FieldIndex, &Field)> {
        let object = self.asked.schema.object(object);
        object.find_relationship(name).filter(|(_, field)| self.asked.access.reads_field(object, field))
    }

    fn visible_target(&self, reference: &Field) -> Option<ObjectIndex> {
        self.asked.visible(reference.reference_to.first()?)
    }

    pub(super) fn no_relationship(&self, at: usize, name: &str) -> QueryError {
        let message = format!(
            "Didn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship, \
             be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe \
             call for the appropriate names."
        );
        self.error(QueryErrorCode::InvalidField, at, &message)
    }

    fn no_column(&self, at: usize, name: &str, object: &str) -> QueryError {
        self.error(QueryErrorCode::InvalidField, at, &no_column_message(name, object))
    }
}

pub(super) fn no_column_message(name: &str, object: &str) -> String {
    format!(
        "No such column '{name}' on entity '{object}'. If you are attempting to use a custom field, be sure to append the \
         '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
    )
}

fn name_leaf(name: &str) -> Option<(Leaf, FieldType)> {
    if name.eq_ignore_ascii_case("Type") {
        return Some((Leaf::TypeName, FieldType::String));
    }
    let (name, kind) = NAME_FIELDS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some((Leaf::Named { name }, kind))
}

impl BoundPath {
    /// Whether this is a field of the query's own rows.
    pub(super) fn is_own(&self) -> bool {
        self.hops.is_empty()
    }

    /// The same field from the view of the row that holds it.
    pub(super) fn local(&self) -> Self {
        Self { hops: Vec::new(), leaf: self.leaf.clone(), kind: self.kind }
    }

    /// Another field of the row that holds this one.
    pub(super) fn beside(&self, object: ObjectIndex, field: FieldIndex, kind: FieldType) -> Self {
        Self { hops: self.hops.clone(), leaf: Leaf::Field { object, field }, kind }
    }

    /// The value that a row shows here; null when a parent is missing.
    pub(super) fn read<'s, 'a: 's>(&self, row: &Row<'a>, snapshot: &'a Snapshot, scratch: &'s mut String) -> Cell<'s> {
        let mut row = *row;
        for hop in &self.hops {
            match follow(&row, hop.reference, snapshot, scratch) {
                Some(parent) => row = parent,
                None => return Cell::Null,
            }
        }
        self.leaf.read(&row, scratch)
    }
}

impl Leaf {
    pub(super) fn read<'s, 'a: 's>(&self, row: &Row<'a>, scratch: &'s mut String) -> Cell<'s> {
        match self {
            Self::Field { field, .. } => row.cell(*field, scratch),
            Self::Named { name } => match row.object().find(name) {
                Some((field, _)) => row.cell(field, scratch),
                None => Cell::Null,
            },
            Self::TypeName => Cell::Text(row.object().name.as_str()),
        }
    }
}

/// The row that a reference points to.
pub(super) fn follow<'a>(
    row: &Row<'a>,
    reference: Reference,
    snapshot: &'a Snapshot,
    scratch: &mut String,
) -> Option<Row<'a>> {
    let field = match reference {
        Reference::Field(field) => field,
        Reference::Named(name) => row.object().find(name)?.0,
    };
    match row.cell(field, scratch) {
        Cell::Id(id) => snapshot.row(id),
        Cell::Text(name) => snapshot.row_named(row.object().field(field), name),
        _ => None,
    }
}
