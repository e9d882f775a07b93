//! Field paths bound to the schema: `Name`, `Account.Owner.Name`, `Broker__r.Email__c`.

use crate::database::Snapshot;
use crate::schema::{Access, Field, FieldIndex, FieldType, Object, ObjectIndex, Schema};
use crate::table::Row;
use crate::value::Cell;

use super::outcome::{QueryError, QueryErrorCode};
use super::syntax::Path;

/// Parents that a path may climb. Source: SOQL reference v66, "Relationship query limitations".
const MAX_HOPS: usize = 5;

/// The object that a query is about, and who asks.
pub(super) struct Scene<'a> {
    pub query: &'a str,
    pub schema: &'a Schema,
    pub access: &'a dyn Access,
    pub object: ObjectIndex,
    pub alias: Option<&'a str>,
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
    pub field: FieldIndex,
    /// As the schema spells it.
    pub relationship: String,
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
const NAME_FIELDS: [(&str, FieldType); 11] = [
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
];

impl Scene<'_> {
    pub(super) fn object(&self) -> &Object {
        self.schema.object(self.object)
    }

    pub(super) fn error(&self, code: QueryErrorCode, at: usize, message: &str) -> QueryError {
        QueryError::at(code, self.query, at, message)
    }

    /// Finds the field that a path means to this user.
    pub(super) fn resolve(&self, path: &Path) -> Result<BoundPath, QueryError> {
        let (last, parents) = path.parts.split_last().expect("a path has a part");
        let parents = match parents.split_first() {
            Some((first, rest)) if self.names_object(&first.text) => rest,
            _ => parents,
        };
        if parents.len() > MAX_HOPS {
            let message = "Relationships can not be more than 5 levels deep";
            return Err(self.error(QueryErrorCode::MalformedQuery, path.at(), message));
        }
        let mut object = self.object;
        let mut hops = Vec::with_capacity(parents.len());
        for (depth, parent) in parents.iter().enumerate() {
            let found = self.relationship(object, &parent.text);
            let (field, reference) = found.ok_or_else(|| self.no_relationship(path.at(), &parent.text))?;
            let relationship = reference.relationship_name.clone().unwrap_or_default();
            hops.push(Hop { field, relationship });
            if reference.is_polymorphic() {
                let is_last = depth + 1 == parents.len();
                let leaf = is_last.then(|| name_leaf(&last.text)).flatten();
                let (leaf, kind) = leaf.ok_or_else(|| self.no_column(path.at(), &last.text, "Name"))?;
                return Ok(BoundPath { hops, leaf, kind });
            }
            object = self.visible_target(reference).ok_or_else(|| self.no_relationship(path.at(), &parent.text))?;
        }
        let declared = self.schema.object(object);
        let found = declared.find(&last.text).filter(|(_, field)| self.access.reads_field(declared, field));
        let (field, found) = found.ok_or_else(|| self.no_column(path.at(), &last.text, &declared.name))?;
        Ok(BoundPath { hops, leaf: Leaf::Field { object, field }, kind: found.kind })
    }

    /// Whether a path's first word only repeats what the query is about.
    fn names_object(&self, word: &str) -> bool {
        match self.alias {
            Some(alias) if alias.eq_ignore_ascii_case(word) => true,
            _ => self.object().name.eq_ignore_ascii_case(word) && self.relationship(self.object, word).is_none(),
        }
    }

    fn relationship(&self, object: ObjectIndex, name: &str) -> Option<(FieldIndex, &Field)> {
        let object = self.schema.object(object);
        object.find_relationship(name).filter(|(_, field)| self.access.reads_field(object, field))
    }

    fn visible_target(&self, reference: &Field) -> Option<ObjectIndex> {
        let (index, object) = self.schema.find(reference.reference_to.first()?)?;
        self.access.reads(object).then_some(index)
    }

    fn no_relationship(&self, at: usize, name: &str) -> QueryError {
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
    /// The value that a row shows here; null when a parent is missing.
    pub(super) fn read<'s, 'a: 's>(&self, row: &Row<'a>, snapshot: &'a Snapshot, scratch: &'s mut String) -> Cell<'s> {
        let mut row = *row;
        for hop in &self.hops {
            match follow(&row, hop.field, snapshot, scratch) {
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
    reference: FieldIndex,
    snapshot: &'a Snapshot,
    scratch: &mut String,
) -> Option<Row<'a>> {
    match row.cell(reference, scratch) {
        Cell::Id(id) => snapshot.row(id),
        _ => None,
    }
}
