//! The statements that write to one table. Parameters are bound by index: `?1` is always the connection.

use sync::table::{DeleteMode, TableSchema};

use super::schema::{CONNECTION, DELETED, GENERATION, OwnColumns, STREAM, quoted};

/// A statement and where what concerns the whole batch is bound; the cells of a row begin at `?2`.
pub(super) struct Statement {
    pub(super) sql: String,
    /// The stream's name.
    pub(super) stream: Option<usize>,
    pub(super) generation: Option<usize>,
}

/// The statements of one table and stream.
pub(super) struct Statements {
    /// `?2…` are the columns in order.
    pub(super) upsert: Statement,
    /// The same, whatever version is there.
    pub(super) upsert_anyway: Statement,
    /// The same while a reading sweeps.
    pub(super) upsert_named: Statement,
    /// Marks a row of the stream that the reading has named and that stays as it is; `?2` is the id.
    pub(super) mark: Statement,
    /// Flags or removes what the reading has not named.
    pub(super) sweep: Statement,
    /// `?2` is the id, `?3` the version when the table has one.
    pub(super) delete: Statement,
    own: OwnColumns,
}

impl Statements {
    pub(super) fn new(table: &TableSchema, own: OwnColumns) -> Self {
        Self {
            upsert: upsert(table, own, Upsert::Guarded),
            upsert_anyway: upsert(table, own, Upsert::Anyway),
            upsert_named: upsert(table, own, Upsert::Named),
            mark: mark(table, own),
            sweep: sweep(table, own),
            delete: delete(table, own),
            own,
        }
    }

    /// Fills some columns of rows that are there; `?2…` are `columns`, indexes into the table's. `None`: there is nothing
    /// to fill beside the key and the version.
    pub(super) fn patch(&self, table: &TableSchema, columns: &[usize]) -> Option<Statement> {
        let name_of = |index: usize| quoted(&table.columns[index].name);
        let parameter = |wanted: usize| columns.iter().position(|index| *index == wanted).map(|place| place + 2);
        let assignments: Vec<String> = columns
            .iter()
            .enumerate()
            .filter(|(_, index)| **index != table.id && table.version != Some(**index))
            .map(|(place, index)| format!("{} = ?{}", name_of(*index), place + 2))
            .collect();
        if assignments.is_empty() {
            return None;
        }
        let mut row = format!("held.{CONNECTION} = ?1 AND held.{} = ?{}", name_of(table.id), parameter(table.id)?);
        if let Some(version) = table.version {
            let arriving = format!("?{}", parameter(version)?);
            row.push_str(&format!(" AND ({})", newer_than_held(&arriving, &name_of(version))));
        }
        let stream = self.own.stream.then_some(columns.len() + 2);
        row.push_str(&of_stream_or_none(stream));
        let table = quoted(&table.name);
        let sql = format!("UPDATE {table} AS held SET {} WHERE {row}", assignments.join(", "));
        Some(Statement { sql, stream, generation: None })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upsert {
    /// A row that is newer stays.
    Guarded,
    /// As that, with the mark of a reading that sweeps.
    Named,
    /// No row stays.
    Anyway,
}

/// Inserts a row or replaces the one that is there; a row that arrives is not deleted.
fn upsert(table: &TableSchema, own: OwnColumns, how: Upsert) -> Statement {
    let mut names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let id = names[table.id].clone();
    let mut own_column = |is_there: bool, name: &str| {
        is_there.then(|| {
            names.push(name.to_owned());
            names.len() + 1
        })
    };
    let stream = own_column(own.stream, STREAM);
    let generation = own_column(how == Upsert::Named, GENERATION);
    let parameters: Vec<String> = (1..=names.len() + 1).map(|index| format!("?{index}")).collect();
    let mut assignments: Vec<String> =
        names.iter().filter(|name| **name != id).map(|name| format!("{name} = excluded.{name}")).collect();
    if own.flag {
        assignments.push(format!("{DELETED} = 0"));
    }
    let action = if assignments.is_empty() {
        "NOTHING".to_owned()
    } else {
        let version = table.version.filter(|_| how != Upsert::Anyway);
        let guard = version.map_or(String::new(), |version| {
            let version = quoted(&table.columns[version].name);
            let newer = newer_than_held(&format!("excluded.{version}"), &version);
            format!(" WHERE {newer}")
        });
        format!("UPDATE SET {}{guard}", assignments.join(", "))
    };
    let sql = format!(
        "INSERT INTO {table} AS held ({CONNECTION}, {names}) VALUES ({parameters}) \
         ON CONFLICT ({CONNECTION}, {id}) DO {action}",
        table = quoted(&table.name),
        names = names.join(", "),
        parameters = parameters.join(", "),
    );
    Statement { sql, stream, generation }
}

fn mark(table: &TableSchema, own: OwnColumns) -> Statement {
    let id = quoted(&table.columns[table.id].name);
    let table = quoted(&table.name);
    let stream = own.stream.then_some(4);
    // A mark on another stream's row would hide it from that stream's own reading.
    let of_stream = stream.map_or(String::new(), |place| format!(" AND {STREAM} IS ?{place}"));
    let sql = format!("UPDATE {table} SET {GENERATION} = ?3 WHERE {CONNECTION} = ?1 AND {id} = ?2{of_stream}");
    Statement { sql, stream, generation: Some(3) }
}

fn sweep(table: &TableSchema, own: OwnColumns) -> Statement {
    let name = quoted(&table.name);
    let stream = own.stream.then_some(3);
    let of_stream = stream.map_or(String::new(), |place| format!(" AND {STREAM} IS ?{place}"));
    let rows = format!("{CONNECTION} = ?1 AND {GENERATION} IS NOT ?2{of_stream}");
    let sql = match table.deletes {
        DeleteMode::Remove => format!("DELETE FROM {name} WHERE {rows}"),
        DeleteMode::Flag => format!("UPDATE {name} SET {DELETED} = 1 WHERE {rows} AND {DELETED} = 0"),
    };
    Statement { sql, stream, generation: Some(2) }
}

/// Flags or removes a row whose version is not newer than the deletion.
fn delete(table: &TableSchema, own: OwnColumns) -> Statement {
    let name = quoted(&table.name);
    let id = quoted(&table.columns[table.id].name);
    let version = table.version.map(|version| quoted(&table.columns[version].name));
    let guard = version.as_ref().map_or(String::new(), |version| format!(" AND ({})", newer_than_held("?3", version)));
    let stream = own.stream.then_some(if version.is_some() { 4 } else { 3 });
    let row = format!("held.{CONNECTION} = ?1 AND held.{id} = ?2{guard}{}", of_stream_or_none(stream));
    let sql = match table.deletes {
        DeleteMode::Remove => format!("DELETE FROM {name} AS held WHERE {row}"),
        DeleteMode::Flag => {
            let moved = version.map_or(String::new(), |version| format!(", {version} = coalesce(?3, {version})"));
            format!("UPDATE {name} AS held SET {DELETED} = 1{moved} WHERE {row}")
        }
    };
    Statement { sql, stream, generation: None }
}

/// The guard against older versions. A version that is missing on either side decides nothing.
fn newer_than_held(arriving: &str, version: &str) -> String {
    format!("{arriving} >= held.{version} OR held.{version} IS NULL OR {arriving} IS NULL")
}

/// The guard against rows of other streams. A row that was written before streams had names is anybody's.
fn of_stream_or_none(parameter: Option<usize>) -> String {
    parameter.map_or(String::new(), |place| format!(" AND (held.{STREAM} IS ?{place} OR held.{STREAM} IS NULL)"))
}
