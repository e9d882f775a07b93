//! The table: made, recognised, widened.

use futures_util::future::try_join3;
use sync::{
    destination::DestinationError,
    table::{Column, ColumnType, DeleteMode, TableSchema},
};
use tokio_postgres::{
    Row, Transaction,
    types::{ToSql, Type},
};

use super::{
    checkpoints::{self, CHECKPOINTS},
    column::{Found, converted, declared},
    fault::Fault,
    name::{identifier, quoted},
};
use crate::{lost::Lost, widening::wider};

pub(super) const CONNECTION: &str = "_connection";
pub(super) const DELETED: &str = "_deleted";
pub(super) const STREAM: &str = "_stream";
pub(super) const GENERATION: &str = "_generation";

/// Columns that PostgreSQL gives every table.
const SYSTEM_COLUMNS: [&str; 6] = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];

/// Held while tables are made or changed: two that make the same one would fail in the catalogue.
const PREPARING: i64 = 0x6f72_6774_6964_6501;

/// Where one stream's rows are.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) place: String,
    pub(super) schema: String,
    pub(super) table: String,
}

impl Target {
    /// The table, as SQL spells it.
    pub(super) fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }

    /// The table, as messages name it.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    /// Its schema and name as the parameters of a statement.
    fn parameters(&self) -> [(&(dyn ToSql + Sync), Type); 2] {
        [(&self.schema, Type::TEXT), (&self.table, Type::TEXT)]
    }

    pub(super) fn incompatible(&self, reason: impl Into<String>) -> DestinationError {
        DestinationError::Incompatible { place: self.place.clone(), table: self.name(), reason: reason.into() }
    }

    pub(super) fn not_ours(&self, reason: impl Into<String>) -> DestinationError {
        DestinationError::NotOurs { place: self.place.clone(), table: self.name(), reason: reason.into() }
    }
}

/// Which columns of Orgtide's own a table has beside `_connection`.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnColumns {
    /// Rows can carry a deletion flag.
    pub(super) flag: bool,
    /// Rows carry the name of their stream.
    pub(super) stream: bool,
}

/// What [`make_ready`] found or made.
#[derive(Debug)]
pub(super) struct Readiness {
    /// What the table lacked; `None` when there was no table, and so no rows, whatever a checkpoint says.
    pub(super) lost: Option<Lost>,
    pub(super) own: OwnColumns,
    /// The type in which each of the table's columns is held.
    pub(super) held: Vec<ColumnType>,
}

/// Creates the table, or widens the one that is there.
pub(super) async fn make_ready(
    transaction: &Transaction<'_>,
    target: &Target,
    table: &TableSchema,
) -> Result<Readiness, Fault> {
    check_names(target, table)?;
    // Answered one after the other, in one round trip: what is found is as it is under the lock.
    let lock = async { Ok(transaction.batch_execute(&format!("SELECT pg_advisory_xact_lock({PREPARING})")).await?) };
    let ((), there_is, found) = try_join3(lock, there_is(transaction, target), find(transaction, target)).await?;
    there_is.make_up(transaction, target).await?;
    match found {
        None => {
            transaction.batch_execute(&create(target, table)).await?;
            Ok(Readiness {
                lost: None,
                own: OwnColumns { flag: table.deletes == DeleteMode::Flag, stream: table.stream.is_some() },
                held: table.columns.iter().map(|column| column.kind).collect(),
            })
        }
        Some(found) => {
            found.check(target, table)?;
            widen(transaction, target, table, &found).await
        }
    }
}

/// The types in which the table holds, or is going to hold, its columns. Changes nothing.
pub(super) async fn held_types(
    transaction: &Transaction<'_>,
    target: &Target,
    table: &TableSchema,
) -> Result<Vec<ColumnType>, Fault> {
    check_names(target, table)?;
    let found = find(transaction, target).await?;
    found.as_ref().map_or(Ok(()), |found| found.check(target, table))?;
    let mut types = Vec::new();
    for column in &table.columns {
        let held = match &found {
            Some(found) => found.held(target, column)?,
            None => None,
        };
        types.push(held.map_or(column.kind, |held| wider(held.kind, column.kind)));
    }
    Ok(types)
}

/// What there is around the table.
struct ThereIs {
    schema: bool,
    checkpoints: bool,
}

async fn there_is(transaction: &Transaction<'_>, target: &Target) -> Result<ThereIs, Fault> {
    let there_is = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), \
                    EXISTS (SELECT FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
                            WHERE nspname = $1 AND relname = $2)";
    let checkpoints = Target { table: CHECKPOINTS.to_owned(), ..target.clone() };
    let row = transaction.query_typed_one(there_is, &checkpoints.parameters()).await?;
    Ok(ThereIs { schema: row.try_get(0)?, checkpoints: row.try_get(1)? })
}

impl ThereIs {
    /// Makes what is not there.
    async fn make_up(&self, transaction: &Transaction<'_>, target: &Target) -> Result<(), Fault> {
        if !self.schema {
            transaction.batch_execute(&format!("CREATE SCHEMA {}", quoted(&target.schema))).await?;
        }
        if !self.checkpoints {
            transaction.batch_execute(&checkpoints::create(target)).await?;
        }
        Ok(())
    }
}

/// A column's name in the table.
pub(super) fn column_name(table: &TableSchema, column: usize) -> String {
    quoted(&identifier(&table.columns[column].name))
}

/// Refuses names that PostgreSQL keeps for itself or that meet.
fn check_names(target: &Target, table: &TableSchema) -> Result<(), Fault> {
    let refuse = |reason: String| Err(target.incompatible(reason).into());
    for (what, name) in [("schema", &target.schema), ("table", &target.table)] {
        if name.is_empty() || name.contains('\0') {
            return refuse(format!("{name:?} is no {what} name; choose another one"));
        }
    }
    if target.table.starts_with("_orgtide_") {
        return refuse("the name is reserved; choose another one in the mapping".to_owned());
    }
    let mut taken: Vec<String> = [CONNECTION, DELETED, STREAM, GENERATION].map(str::to_owned).into();
    for column in &table.columns {
        let name = identifier(&column.name).into_owned();
        if name.is_empty() || name.contains('\0') || SYSTEM_COLUMNS.contains(&name.as_str()) {
            return refuse(format!("{name:?} is no column name; choose another one in the mapping"));
        }
        if taken.contains(&name) {
            return refuse(format!("the column name {name:?} is taken; choose another one in the mapping"));
        }
        taken.push(name);
    }
    Ok(())
}

pub(super) fn create(target: &Target, table: &TableSchema) -> String {
    let mut columns = vec![format!("{CONNECTION} {KEY_TYPE} NOT NULL")];
    columns.extend((0..table.columns.len()).map(|index| {
        let constraint = if index == table.id { " NOT NULL" } else { "" };
        format!("{} {}{constraint}", column_name(table, index), column_type(table, index))
    }));
    columns.extend(own_columns(table).into_iter().map(|(name, kind)| format!("{name} {kind}")));
    let id = column_name(table, table.id);
    format!("CREATE TABLE {} ({}, PRIMARY KEY ({CONNECTION}, {id}))", target.quoted(), columns.join(", "))
}

/// Bytes are compared: faster, the same on every server, and ids tell upper case from lower.
const KEY_TYPE: &str = "text COLLATE \"C\"";

/// A column's type, as it is declared.
pub(super) fn column_type(table: &TableSchema, column: usize) -> &'static str {
    if column == table.id { KEY_TYPE } else { declared(table.columns[column].kind) }
}

/// Columns beside the mapping's and the connection.
fn own_columns(table: &TableSchema) -> Vec<(&'static str, &'static str)> {
    let mut columns = Vec::new();
    if table.deletes == DeleteMode::Flag {
        columns.push((DELETED, "boolean NOT NULL DEFAULT false"));
    }
    if table.stream.is_some() {
        columns.push((STREAM, KEY_TYPE));
    }
    if table.sweeps {
        columns.push((GENERATION, "bigint"));
    }
    columns
}

/// A relation of the schema.
pub(super) struct FoundTable {
    pub(super) kind: String,
    columns: Vec<FoundColumn>,
    /// The columns of each unique index that can tell rows apart, the primary key first.
    pub(super) keys: Vec<Vec<String>>,
}

struct FoundColumn {
    name: String,
    declared: String,
    /// Must be given a value by whoever inserts.
    is_required: bool,
    is_generated: bool,
}

/// The relation whose schema is `$1` and whose name is `$2`.
const RELATION: &str = "(SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                        WHERE n.nspname = $1 AND c.relname = $2)";

pub(super) async fn find(transaction: &Transaction<'_>, target: &Target) -> Result<Option<FoundTable>, Fault> {
    let kind = format!("SELECT relkind::text FROM pg_class WHERE oid = {RELATION}");
    let columns = format!(
        "SELECT attname::text, format_type(atttypid, atttypmod),
                attnotnull AND NOT atthasdef AND attidentity = '', attgenerated <> ''
         FROM pg_attribute WHERE attrelid = {RELATION} AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    );
    let keys = format!(
        "SELECT array_agg(a.attname::text ORDER BY k.place)
         FROM pg_index i
         CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
         WHERE i.indrelid = {RELATION} AND i.indisunique AND i.indisvalid AND i.indimmediate
           AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
         GROUP BY i.indexrelid, i.indisprimary ORDER BY i.indisprimary DESC"
    );
    let relation = target.parameters();
    let (kind, columns, keys) = try_join3(
        transaction.query_typed_opt(&kind, &relation),
        transaction.query_typed(&columns, &relation),
        transaction.query_typed(&keys, &relation),
    )
    .await?;
    let Some(kind) = kind else { return Ok(None) };
    let column = |row: &Row| {
        Ok(FoundColumn {
            name: row.try_get(0)?,
            declared: row.try_get(1)?,
            is_required: row.try_get(2)?,
            is_generated: row.try_get(3)?,
        })
    };
    Ok(Some(FoundTable {
        kind: kind.try_get(0)?,
        columns: columns.iter().map(column).collect::<Result<_, tokio_postgres::Error>>()?,
        keys: keys.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
    }))
}

/// How a table holds a column.
struct Held {
    kind: ColumnType,
    /// Every value of the type, as Orgtide declares it.
    is_exact: bool,
}

impl FoundTable {
    /// `None`: the table does not have the column.
    fn held(&self, target: &Target, column: &Column) -> Result<Option<Held>, DestinationError> {
        let Some(there) = self.column(&identifier(&column.name)) else { return Ok(None) };
        match Found::parse(&there.declared) {
            Found::Exact(kind) => Ok(Some(Held { kind, is_exact: true })),
            Found::Narrower(kind) => Ok(Some(Held { kind, is_exact: false })),
            Found::Foreign => Err(target.incompatible(format!(
                "its column {:?} has the type {}, which Orgtide does not write; drop the column, or change its type to {}",
                there.name,
                there.declared,
                declared(column.kind)
            ))),
        }
    }

    fn column(&self, name: &str) -> Option<&FoundColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether this is a table of ours for these rows.
    fn check(&self, target: &Target, table: &TableSchema) -> Result<(), DestinationError> {
        const ELSE: &str = "rename or drop it, or choose another table name in the mapping";
        let kind = match self.kind.as_str() {
            "r" | "p" => None,
            "v" | "m" => Some("a view"),
            "f" => Some("a foreign table"),
            "i" | "I" => Some("an index"),
            "S" => Some("a sequence"),
            _ => Some("no table"),
        };
        if let Some(kind) = kind {
            return Err(target.incompatible(format!("it is {kind}; {ELSE}")));
        }
        if self.column(CONNECTION).is_none() {
            return Err(target.incompatible(format!("a table of this name exists that Orgtide did not make; {ELSE}")));
        }
        self.check_key(target, table)?;
        let mut ours = vec![CONNECTION, DELETED, STREAM, GENERATION];
        let names: Vec<_> = table.columns.iter().map(|column| identifier(&column.name)).collect();
        ours.extend(names.iter().map(AsRef::as_ref));
        for column in &self.columns {
            let name = &column.name;
            let is_ours = ours.contains(&name.as_str());
            if column.is_required && !is_ours {
                let reason =
                    format!("its column {name:?} needs a value that the mapping does not give; drop the column");
                return Err(target.incompatible(reason));
            }
            if column.is_generated && is_ours {
                return Err(target.incompatible(format!("its column {name:?} is computed; drop the column")));
            }
        }
        Ok(())
    }

    fn check_key(&self, target: &Target, table: &TableSchema) -> Result<(), DestinationError> {
        let id = identifier(&table.columns[table.id].name);
        let is_ours = |key: &Vec<String>| {
            key.len() == 2 && [CONNECTION, &*id].iter().all(|name| key.iter().any(|column| column == name))
        };
        if self.keys.iter().any(is_ours) {
            return Ok(());
        }
        let reason = match self.keys.first() {
            Some(key) => format!(
                "its key is ({}), not ({CONNECTION}, {id}); rename or drop it, or choose another table name in the \
                 mapping",
                key.join(", ")
            ),
            None => format!(
                "its key is gone; make it again: ALTER TABLE {} ADD PRIMARY KEY ({CONNECTION}, {})",
                target.quoted(),
                quoted(&id)
            ),
        };
        Err(target.incompatible(reason))
    }
}

/// Adds columns that are missing and retypes those that cannot hold the values to come. Nothing becomes narrower.
async fn widen(
    transaction: &Transaction<'_>,
    target: &Target,
    table: &TableSchema,
    found: &FoundTable,
) -> Result<Readiness, Fault> {
    let mut changes = Vec::new();
    let (mut held, mut lost) = (Vec::new(), Lost::default());
    for (index, column) in table.columns.iter().enumerate() {
        let name = column_name(table, index);
        let Some(Held { kind, is_exact }) = found.held(target, column)? else {
            changes.push(format!("ADD COLUMN {name} {}", column_type(table, index)));
            lost.columns.push(column.name.clone());
            lost.version |= table.version == Some(index);
            held.push(column.kind);
            continue;
        };
        let wide = wider(kind, column.kind);
        if !is_exact || wide != kind {
            let value = converted(&format!("{name}::{}", declared(kind)), kind, wide);
            changes.push(format!("ALTER COLUMN {name} TYPE {} USING {value}", declared(wide)));
            lost.retyped(table, index);
        }
        held.push(wide);
    }
    for (name, kind) in own_columns(table) {
        if found.column(name).is_none() {
            changes.push(format!("ADD COLUMN {name} {kind}"));
            lost.stream |= name == STREAM;
            lost.generation |= name == GENERATION;
        }
    }
    if !changes.is_empty() {
        transaction.batch_execute(&format!("ALTER TABLE {} {}", target.quoted(), changes.join(", "))).await?;
    }
    let own = OwnColumns {
        flag: table.deletes == DeleteMode::Flag || found.column(DELETED).is_some(),
        stream: table.stream.is_some() || found.column(STREAM).is_some(),
    };
    Ok(Readiness { lost: Some(lost), own, held })
}
