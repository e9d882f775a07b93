//! Rows that are worked out when somebody asks for them: definitions of objects and fields, permissions, tokens.
//!
//! They follow from the schema, from the configuration and from who asks, so that nothing has to be kept in step. A table is
//! kept for as long as what it follows from stays the same.

mod definitions;
mod permissions;

pub(crate) use definitions::{custom_field_id, custom_object_id, is_customizable};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Org;
use crate::database::Snapshot;
use crate::ids::{KeyPrefix, RecordId};
use crate::rest::Caller;
use crate::scenario::{Permissions, Setup, UserAccess};
use crate::schema::{FieldIndex, FieldType, Object, ObjectIndex, Schema};
use crate::table::{StoredRow, Table};
use crate::value::{Timestamp, Value};

/// The objects whose rows are worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    CustomField,
    CustomObject,
    EntityDefinition,
    EntityParticle,
    FieldDefinition,
    FieldPermissions,
    OauthToken,
    ObjectPermissions,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::CustomField,
        Self::CustomObject,
        Self::EntityDefinition,
        Self::EntityParticle,
        Self::FieldDefinition,
        Self::FieldPermissions,
        Self::OauthToken,
        Self::ObjectPermissions,
    ];

    fn object(self) -> &'static str {
        match self {
            Self::CustomField => "CustomField",
            Self::CustomObject => "CustomObject",
            Self::EntityDefinition => "EntityDefinition",
            Self::EntityParticle => "EntityParticle",
            Self::FieldDefinition => "FieldDefinition",
            Self::FieldPermissions => "FieldPermissions",
            Self::OauthToken => "OauthToken",
            Self::ObjectPermissions => "ObjectPermissions",
        }
    }

    /// Whether a query may need its rows: it names the object, or a relationship that leads there.
    fn is_named_in(self, query: &str) -> bool {
        let ways: &[&str] = match self {
            Self::FieldDefinition => &["fielddefinition", "fields"],
            Self::EntityParticle => &["entityparticle", "particles"],
            Self::FieldPermissions => &["fieldpermissions", "fieldperms"],
            Self::ObjectPermissions => &["objectpermissions", "objectperms"],
            Self::CustomField => &["customfield"],
            Self::CustomObject => &["customobject"],
            Self::EntityDefinition => &["entitydefinition"],
            Self::OauthToken => &["oauthtoken"],
        };
        ways.iter().any(|way| query.contains(way))
    }

    /// Whether everybody sees the same rows.
    fn is_common(self) -> bool {
        matches!(self, Self::FieldPermissions | Self::ObjectPermissions)
    }
}

/// The tables that have been worked out.
#[derive(Default)]
pub(crate) struct Computed {
    made: Mutex<HashMap<(Kind, RecordId), Made>>,
}

/// A table and what it follows from.
struct Made {
    schema: Arc<Schema>,
    setup: Arc<Setup>,
    stored: Arc<Table>,
    stamp: Timestamp,
    table: Arc<Table>,
}

/// What rows are worked out from.
struct Scene<'a> {
    org: &'a Org,
    schema: &'a Schema,
    setup: &'a Setup,
    access: &'a UserAccess,
    user: RecordId,
    /// When the schema or a permission changed last.
    stamp: Timestamp,
}

/// Rows in the making: the positions of the columns are looked up once.
struct Rows<'a> {
    object: &'a Object,
    positions: Vec<Option<FieldIndex>>,
    empty: Vec<Value>,
    table: Table,
}

impl Org {
    /// The data as a query of a caller sees it.
    pub(crate) fn view(&self, caller: &Caller, query: &str) -> Snapshot {
        self.view_of(&caller.access, caller.user_id, query)
    }

    /// The data as somebody sees it who sees everything, for an object.
    pub(crate) fn whole_view(&self, object: &str) -> Snapshot {
        let all = Permissions { modify_all_data: true, view_setup: true, ..Permissions::default() };
        self.view_of(&UserAccess::combine([&all].into_iter()), self.user_id(""), object)
    }

    fn view_of(&self, access: &UserAccess, user: RecordId, query: &str) -> Snapshot {
        let mut snapshot = self.snapshot();
        let query = query.to_ascii_lowercase();
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_named_in(&query)) {
            let Some((index, _)) = snapshot.schema().find(kind.object()) else { continue };
            let table = self.computed_table(&snapshot, kind, index, access, user);
            snapshot.put_table(index, table);
        }
        snapshot
    }

    fn computed_table(
        &self,
        snapshot: &Snapshot,
        kind: Kind,
        index: ObjectIndex,
        access: &UserAccess,
        user: RecordId,
    ) -> Arc<Table> {
        let (schema, setup) = (snapshot.schema(), self.configuration.saved());
        let (stored, stamp) = (snapshot.shared_table(index), Timestamp::from(self.schema_changed()).whole_seconds());
        let key = (kind, if kind.is_common() { self.id } else { user });
        let mut made = self.computed.made.lock().unwrap_or_else(PoisonError::into_inner);
        // Tokens change with every use.
        if let Some(known) = made.get(&key).filter(|_| kind != Kind::OauthToken)
            && Arc::ptr_eq(&known.schema, schema)
            && Arc::ptr_eq(&known.setup, &setup)
            && Arc::ptr_eq(&known.stored, stored)
            && known.stamp == stamp
        {
            return Arc::clone(&known.table);
        }
        let scene = Scene { org: self, schema, setup: &setup, access, user, stamp };
        let table = Arc::new(scene.table(kind, stored));
        let entry = Made { schema: schema.clone(), setup: setup.clone(), stored: stored.clone(), stamp, table };
        let table = Arc::clone(&entry.table);
        made.insert(key, entry);
        table
    }
}

impl Scene<'_> {
    fn table(&self, kind: Kind, stored: &Table) -> Table {
        match kind {
            Kind::CustomField => self.custom_fields(stored),
            Kind::CustomObject => self.custom_objects(stored),
            Kind::EntityDefinition => self.entities(stored),
            Kind::EntityParticle => self.particles(stored),
            Kind::FieldDefinition => self.fields(stored),
            Kind::FieldPermissions => self.field_permissions(stored),
            Kind::ObjectPermissions => self.object_permissions(stored),
            Kind::OauthToken => self.tokens(stored),
        }
    }
}

impl<'a> Rows<'a> {
    /// Rows with these columns, beside those that are stored.
    fn beside(stored: &'a Table, columns: &[&str]) -> Self {
        let object: &Object = stored.object();
        let empty = object.fields().iter().map(|field| match field.kind {
            FieldType::Boolean => Value::Bool(false),
            _ => Value::Null,
        });
        let positions = columns.iter().map(|name| object.find(name).map(|(position, _)| position)).collect();
        Self { object, positions, empty: empty.collect(), table: stored.clone() }
    }

    /// Adds a row with a number, which gives it its place, and with values in the order of the columns.
    fn add<const N: usize>(&mut self, number: u64, values: [Value; N]) -> RecordId {
        let id = RecordId::new(self.object.key_prefix.unwrap_or(KeyPrefix::custom(0)), number);
        let mut row = self.empty.clone();
        for (position, value) in self.positions.iter().zip(values) {
            if let Some(position) = position {
                row[*position] = value;
            }
        }
        self.table.put(StoredRow { id, is_deleted: false, values: row });
        id
    }
}

/// The id that rows show which have none of their own.
fn no_id() -> Value {
    RecordId::parse("000000000000000").map_or(Value::Null, Value::Id)
}

fn text(value: impl Into<Box<str>>) -> Value {
    Value::text(value)
}

fn maybe(value: Option<&str>) -> Value {
    value.map_or(Value::Null, Value::text)
}

/// A number that a name always has.
fn number_of(name: &str) -> u64 {
    let hash = name
        .to_ascii_lowercase()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash % 1_000_000_000_000
}
