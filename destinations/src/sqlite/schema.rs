//! The table: made, recognised, widened; and the statements that write to it.

use rusqlite::{Connection, OptionalExtension, Transaction};
use sync::table::{ColumnType, DeleteMode, TableSchema};

/// Holds each stream's epoch and checkpoint.
pub(super) const CHECKPOINTS: &str = "_orgtide_checkpoints";

const CREATE_CHECKPOINTS: &str = "CREATE TABLE IF NOT EXISTS _orgtide_checkpoints (
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    \"table\" TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    checkpoint TEXT,
    PRIMARY KEY (connection, object, \"table\")
)";

/// Stands in for a column while its type changes.
const RETYPED: &str = "_orgtide_retyped";

pub(super) const CONNECTION: &str = "_connection";
pub(super) const DELETED: &str = "_deleted";

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

/// What `make_ready` found.
pub(super) struct Readiness {
    /// There was no table, so no rows either, whatever a checkpoint says.
    pub(super) is_new: bool,
    /// Rows can carry a deletion flag.
    pub(super) has_flag: bool,
}

/// Creates the table, or widens the one that is there.
pub(super) fn make_ready(transaction: &Transaction<'_>, table: &TableSchema) -> Result<Readiness, SchemaFault> {
    check_names(table)?;
    transaction.execute_batch(CREATE_CHECKPOINTS)?;
    match find(transaction, &table.name)? {
        None => {
            transaction.execute_batch(&create(table))?;
            Ok(Readiness { is_new: true, has_flag: table.deletes == DeleteMode::Flag })
        }
        Some(found) => {
            found.check(table)?;
            widen(transaction, table)
        }
    }
}

/// An identifier of any alphabet.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The statements of one table. Parameters are bound by index.
pub(super) struct Statements {
    /// `?1` is the connection, `?2…` the columns in order.
    pub(super) upsert: String,
    /// `?1` is the connection, `?2` the id, `?3` the version when the table has one.
    pub(super) delete: String,
}

impl Statements {
    pub(super) fn new(table: &TableSchema, has_flag: bool) -> Self {
        Self { upsert: upsert(table, has_flag), delete: delete(table) }
    }
}

/// Inserts a row or replaces one whose version is not newer; a row that arrives is not deleted.
fn upsert(table: &TableSchema, has_flag: bool) -> String {
    let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let parameters: Vec<String> = (1..=names.len() + 1).map(|index| format!("?{index}")).collect();
    let mut assignments: Vec<String> = names
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != table.id)
        .map(|(_, name)| format!("{name} = excluded.{name}"))
        .collect();
    if has_flag {
        assignments.push(format!("{DELETED} = 0"));
    }
    let action = if assignments.is_empty() {
        "NOTHING".to_owned()
    } else {
        let guard = table.version.map_or(String::new(), |version| {
            let version = quoted(&table.columns[version].name);
            let newer = newer_than_held(&format!("excluded.{version}"), &version);
            format!(" WHERE {newer}")
        });
        format!("UPDATE SET {}{guard}", assignments.join(", "))
    };
    format!(
        "INSERT INTO {table} AS held ({CONNECTION}, {names}) VALUES ({parameters}) \
         ON CONFLICT ({CONNECTION}, {id}) DO {action}",
        table = quoted(&table.name),
        names = names.join(", "),
        parameters = parameters.join(", "),
        id = names[table.id],
    )
}

/// Flags or removes a row whose version is not newer than the deletion.
fn delete(table: &TableSchema) -> String {
    let name = quoted(&table.name);
    let id = quoted(&table.columns[table.id].name);
    let version = table.version.map(|version| quoted(&table.columns[version].name));
    let guard = version.as_ref().map_or(String::new(), |version| format!(" AND ({})", newer_than_held("?3", version)));
    let row = format!("held.{CONNECTION} = ?1 AND held.{id} = ?2{guard}");
    match table.deletes {
        DeleteMode::Remove => format!("DELETE FROM {name} AS held WHERE {row}"),
        DeleteMode::Flag => {
            let moved = version.map_or(String::new(), |version| format!(", {version} = coalesce(?3, {version})"));
            format!("UPDATE {name} AS held SET {DELETED} = 1{moved} WHERE {row}")
        }
    }
}

/// The guard against older versions. A version that is missing on either side decides nothing.
fn newer_than_held(arriving: &str, version: &str) -> String {
    format!("{arriving} >= held.{version} OR held.{version} IS NULL OR {arriving} IS NULL")
}

/// Refuses names that SQLite cannot tell apart or keeps for itself.
fn check_names(table: &TableSchema) -> Result<(), SchemaFault> {
    let refuse = |reason: String| Err(SchemaFault::Refused(reason));
    let lower = table.name.to_ascii_lowercase();
    if lower.is_empty() || lower.starts_with("sqlite_") || lower == CHECKPOINTS || lower.contains('\0') {
        return refuse("the name is reserved; choose another one in the mapping".to_owned());
    }
    let mut taken = vec![CONNECTION.to_owned(), DELETED.to_owned()];
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

fn create(table: &TableSchema) -> String {
    let mut columns = vec![format!("{CONNECTION} TEXT NOT NULL")];
    columns.extend(table.columns.iter().enumerate().map(|(index, column)| {
        let constraint = if index == table.id { " NOT NULL" } else { "" };
        format!("{} {}{constraint}", quoted(&column.name), declared(column.kind))
    }));
    if table.deletes == DeleteMode::Flag {
        columns.push(FLAG_COLUMN.to_owned());
    }
    let id = quoted(&table.columns[table.id].name);
    format!("CREATE TABLE {} ({}, PRIMARY KEY ({CONNECTION}, {id}))", quoted(&table.name), columns.join(", "))
}

const FLAG_COLUMN: &str = "_deleted INTEGER NOT NULL DEFAULT 0";

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
struct Found {
    name: String,
    is_view: bool,
    columns: Vec<FoundColumn>,
}

struct FoundColumn {
    name: String,
    declared: String,
    /// Must be given a value by whoever inserts.
    is_required: bool,
    /// Place in the primary key, from 1; 0 outside it.
    key_place: i64,
}

fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<Found>> {
    let query = "SELECT name, type = 'view' FROM sqlite_schema
                 WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
    let found = connection.query_row(query, [name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((name, is_view)) = found else { return Ok(None) };
    let name: String = name;
    let columns = columns(connection, &name)?;
    Ok(Some(Found { name, is_view, columns }))
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<FoundColumn>> {
    let query = "SELECT name, type, \"notnull\" AND dflt_value IS NULL, pk FROM pragma_table_xinfo(?1)";
    connection
        .prepare(query)?
        .query_map([table], |row| {
            Ok(FoundColumn {
                name: row.get(0)?,
                declared: row.get(1)?,
                is_required: row.get(2)?,
                key_place: row.get(3)?,
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
fn widen(transaction: &Transaction<'_>, table: &TableSchema) -> Result<Readiness, SchemaFault> {
    let name = quoted(&table.name);
    let held = columns(transaction, &table.name)?;
    let find = |wanted: &str| held.iter().find(|column| column.name.eq_ignore_ascii_case(wanted));
    for column in &table.columns {
        let declared = declared(column.kind);
        match find(&column.name) {
            None => {
                let column = quoted(&column.name);
                transaction.execute_batch(&format!("ALTER TABLE {name} ADD COLUMN {column} {declared}"))?;
            }
            Some(held) if keeps_values(&held.declared, declared) => {}
            Some(held) => retype(transaction, &name, &quoted(&held.name), declared)?,
        }
    }
    let mut has_flag = find(DELETED).is_some();
    if !has_flag && table.deletes == DeleteMode::Flag {
        transaction.execute_batch(&format!("ALTER TABLE {name} ADD COLUMN {FLAG_COLUMN}"))?;
        has_flag = true;
    }
    Ok(Readiness { is_new: false, has_flag })
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
