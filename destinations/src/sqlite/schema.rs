//! The table: made, recognised, widened.

use rusqlite::{Connection, OptionalExtension, Transaction};
use sync::{
    destination::DestinationError,
    table::{ColumnType, DeleteMode, TableSchema},
};

use super::failure::Failure;
use crate::lost::Lost;

/// Stands in for a column while its type changes.
const RETYPED: &str = "_orgtide_retyped";

pub(super) const CONNECTION: &str = "_connection";
pub(super) const DELETED: &str = "_deleted";
pub(super) const STREAM: &str = "_stream";
pub(super) const GENERATION: &str = "_generation";

/// Why a table cannot be had.
pub(super) enum SchemaFault {
    Sqlite(rusqlite::Error),
    /// In words that follow "table … cannot take this stream".
    Refused(String),
}

impl From<rusqlite::Error> for SchemaFault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl SchemaFault {
    /// What ends the transaction that wanted the table.
    pub(super) fn failure(self, place: &str, table: &str) -> Failure {
        match self {
            Self::Sqlite(error) => Failure::Sqlite(error),
            Self::Refused(reason) => Failure::Destination(DestinationError::Incompatible {
                place: place.to_owned(),
                table: table.to_owned(),
                reason,
            }),
        }
    }
}

/// Which columns of ours a table has beside `_connection`.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnColumns {
    /// Rows can carry a deletion flag.
    pub(super) flag: bool,
    /// Rows carry the name of their stream.
    pub(super) stream: bool,
}

/// What `make_ready` found.
pub(super) enum Readiness {
    /// There was no table, so no rows either, whatever a checkpoint says.
    Made,
    /// There was one; what it lacked is empty in its rows.
    Widened(Lost),
}

/// Creates the table, or widens the one that is there.
pub(super) fn make_ready(
    transaction: &Transaction<'_>,
    table: &TableSchema,
) -> Result<(Readiness, OwnColumns), SchemaFault> {
    if check(transaction, table)? {
        let (lost, own) = widen(transaction, table)?;
        return Ok((Readiness::Widened(lost), own));
    }
    transaction.execute_batch(&create(&quoted(&table.name), table))?;
    let own = OwnColumns { flag: table.deletes == DeleteMode::Flag, stream: table.stream.is_some() };
    Ok((Readiness::Made, own))
}

/// Whether the table is there; refuses one that cannot take these rows. Changes nothing.
pub(super) fn check(transaction: &Transaction<'_>, table: &TableSchema) -> Result<bool, SchemaFault> {
    check_names(table)?;
    let found = find(transaction, &table.name)?;
    found.as_ref().map_or(Ok(()), |found| found.check(table))?;
    Ok(found.is_some())
}

/// An identifier of any alphabet.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Refuses names that SQLite cannot tell apart or keeps for itself.
fn check_names(table: &TableSchema) -> Result<(), SchemaFault> {
    let refuse = |reason: String| Err(SchemaFault::Refused(reason));
    let lower = table.name.to_ascii_lowercase();
    if lower.is_empty() || lower.starts_with("sqlite_") || lower.starts_with("_orgtide_") || lower.contains('\0') {
        return refuse("the name is reserved; choose another one in the mapping".to_owned());
    }
    let mut taken = [CONNECTION, DELETED, STREAM, GENERATION].map(str::to_owned).to_vec();
    for column in &table.columns {
        let lower = column.name.to_ascii_lowercase();
        if lower.is_empty() || lower.contains('\0') {
            return refuse(format!("{:?} is no column name; choose another one in the mapping", column.name));
        }
        if taken.contains(&lower) {
            let name = &column.name;
            return refuse(format!("the column name {name:?} is taken (case does not count); choose another one"));
        }
        taken.push(lower);
    }
    Ok(())
}

/// `name` as SQL spells it.
pub(super) fn create(name: &str, table: &TableSchema) -> String {
    let mut columns = vec![format!("{CONNECTION} TEXT NOT NULL")];
    columns.extend(table.columns.iter().enumerate().map(|(index, column)| {
        let constraint = if index == table.id { " NOT NULL" } else { "" };
        format!("{} {}{constraint}", quoted(&column.name), declared(column.kind))
    }));
    columns.extend(own_columns(table).into_iter().filter(|own| own.is_wanted).map(|own| own.definition.to_owned()));
    let id = quoted(&table.columns[table.id].name);
    format!("CREATE TABLE {name} ({}, PRIMARY KEY ({CONNECTION}, {id}))", columns.join(", "))
}

/// A column that rows have for Orgtide's sake.
struct OwnColumn {
    name: &'static str,
    definition: &'static str,
    is_wanted: bool,
}

fn own_columns(table: &TableSchema) -> [OwnColumn; 3] {
    [
        OwnColumn {
            name: DELETED,
            definition: "_deleted INTEGER NOT NULL DEFAULT 0",
            is_wanted: table.deletes == DeleteMode::Flag,
        },
        OwnColumn { name: STREAM, definition: "_stream TEXT", is_wanted: table.stream.is_some() },
        OwnColumn { name: GENERATION, definition: "_generation INTEGER", is_wanted: table.sweeps },
    ]
}

fn declared(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Boolean | ColumnType::Integer => "INTEGER",
        ColumnType::Text
        | ColumnType::Decimal
        | ColumnType::Date
        | ColumnType::Timestamp
        | ColumnType::Time
        | ColumnType::Json => "TEXT",
    }
}

/// A table or view of the file.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) is_view: bool,
    pub(super) columns: Vec<FoundColumn>,
}

pub(super) struct FoundColumn {
    pub(super) name: String,
    pub(super) declared: String,
    /// Cannot be null.
    pub(super) is_not_null: bool,
    /// Must be given a value by whoever inserts.
    is_required: bool,
    /// Place in the primary key, from 1; 0 outside it.
    pub(super) key_place: i64,
}

pub(super) fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<Found>> {
    let query = "SELECT name, type = 'view' FROM sqlite_schema
                 WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
    let found = connection.query_row(query, [name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((name, is_view)) = found else { return Ok(None) };
    let name: String = name;
    let columns = columns(connection, &name)?;
    Ok(Some(Found { name, is_view, columns }))
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<FoundColumn>> {
    let query = "SELECT name, type, \"notnull\" AND dflt_value IS NULL, pk, \"notnull\" FROM pragma_table_xinfo(?1)";
    connection
        .prepare(query)?
        .query_map([table], |row| {
            Ok(FoundColumn {
                name: row.get(0)?,
                declared: row.get(1)?,
                is_required: row.get(2)?,
                key_place: row.get(3)?,
                is_not_null: row.get(4)?,
            })
        })?
        .collect()
}

impl Found {
    /// Whether this is a table of ours for these rows.
    fn check(&self, table: &TableSchema) -> Result<(), SchemaFault> {
        let refuse = |reason: String| Err(SchemaFault::Refused(reason));
        const ELSE: &str = "rename or drop it, or choose another table name in the mapping";
        if self.is_view {
            return refuse(format!("it is a view; {ELSE}"));
        }
        if self.name != table.name {
            let name = &self.name;
            return refuse(format!("{name:?} exists, and SQLite does not tell the case of names apart; {ELSE}"));
        }
        let id = &table.columns[table.id].name;
        let mut key: Vec<&FoundColumn> = self.columns.iter().filter(|column| column.key_place > 0).collect();
        key.sort_by_key(|column| column.key_place);
        let key: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
        if key.is_empty() && self.columns.iter().any(|column| column.name == CONNECTION) {
            return refuse(format!(
                "its key ({CONNECTION}, {id}) is gone, and SQLite gives a table no other one: drop the table, and the next \
                 run makes it again and imports everything"
            ));
        }
        if key.first().is_none_or(|first| *first != CONNECTION) {
            return refuse(format!("a table of this name exists that Orgtide did not make; {ELSE}"));
        }
        if key.len() != 2 || !key[1].eq_ignore_ascii_case(id) {
            return refuse(format!("its key is ({}), not ({CONNECTION}, {id}); {ELSE}", key.join(", ")));
        }
        let is_known = |name: &str| {
            name == CONNECTION || table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name))
        };
        match self.columns.iter().find(|column| column.is_required && !is_known(&column.name)) {
            Some(column) => {
                let name = &column.name;
                refuse(format!("its column {name:?} needs a value that the mapping does not give; drop the column"))
            }
            None => Ok(()),
        }
    }
}

/// Adds columns that are missing and retypes those whose declared type would change values.
fn widen(transaction: &Transaction<'_>, table: &TableSchema) -> Result<(Lost, OwnColumns), SchemaFault> {
    let name = quoted(&table.name);
    let held = columns(transaction, &table.name)?;
    let find = |wanted: &str| held.iter().find(|column| column.name.eq_ignore_ascii_case(wanted));
    let add = |definition: &str| transaction.execute_batch(&format!("ALTER TABLE {name} ADD COLUMN {definition}"));
    let mut lost = Lost::default();
    for (index, column) in table.columns.iter().enumerate() {
        let declared = declared(column.kind);
        match find(&column.name) {
            None => {
                add(&format!("{} {declared}", quoted(&column.name)))?;
                lost.columns.push(column.name.clone());
                lost.version |= table.version == Some(index);
            }
            Some(held) if keeps_values(&held.declared, declared) => {}
            Some(held) => {
                retype(transaction, &name, &quoted(&held.name), declared)?;
                lost.retyped(table, index);
            }
        }
    }
    for own in own_columns(table).into_iter().filter(|own| own.is_wanted && find(own.name).is_none()) {
        add(own.definition)?;
        lost.stream |= own.name == STREAM;
        lost.generation |= own.name == GENERATION;
    }
    let own = OwnColumns {
        flag: find(DELETED).is_some() || table.deletes == DeleteMode::Flag,
        stream: find(STREAM).is_some() || table.stream.is_some(),
    };
    Ok((lost, own))
}

/// Whether a column declared as `held` stores what one declared as `wanted` would without changing it. SQLite turns a
/// text that looks like a number into one, and may shorten it, unless the column's affinity is text or none
/// (*Datatypes In SQLite*, §3).
fn keeps_values(held: &str, wanted: &str) -> bool {
    let held = held.to_ascii_uppercase();
    let has = |part: &str| held.contains(part);
    let is_integer = has("INT");
    let is_text_or_none = !is_integer && (held.is_empty() || ["CHAR", "CLOB", "TEXT", "BLOB"].into_iter().any(has));
    match wanted {
        "TEXT" => is_text_or_none,
        _ => is_text_or_none || is_integer || !["REAL", "FLOA", "DOUB"].into_iter().any(has),
    }
}

fn retype(transaction: &Transaction<'_>, table: &str, column: &str, declared: &str) -> rusqlite::Result<()> {
    transaction.execute_batch(&format!(
        "ALTER TABLE {table} ADD COLUMN {RETYPED} {declared};
         UPDATE {table} SET {RETYPED} = CAST({column} AS {declared});
         ALTER TABLE {table} DROP COLUMN {column};
         ALTER TABLE {table} RENAME COLUMN {RETYPED} TO {column}"
    ))
}
