//! A stream's rows on their way back, page by page.

use rusqlite::{Connection, types::ValueRef};
use sync::table::Held;

use super::{
    rows::Stream,
    schema::{CONNECTION, DELETED, STREAM, quoted},
};
use crate::held::{BATCH_ROWS, Cell, HeldBuilder};

/// The rows behind the key `after`, in the order of their keys.
pub(super) fn read(
    connection: &Connection,
    stream: &Stream,
    after: Option<&str>,
    columns: &[usize],
) -> rusqlite::Result<Held> {
    let table = &stream.table;
    let name = |index: usize| quoted(&table.columns[index].name);
    let names: Vec<String> = columns.iter().map(|index| name(*index)).collect();
    let key = name(table.id);
    let deleted = if stream.own.flag { DELETED } else { "0" };
    let mut condition = format!("{CONNECTION} = ?1 AND {key} > ?2");
    if stream.own.stream {
        condition.push_str(&format!(" AND {STREAM} IS ?3"));
    }
    let sql = format!(
        "SELECT {deleted}, {names} FROM {table} WHERE {condition} ORDER BY {key} LIMIT {BATCH_ROWS}",
        names = names.join(", "),
        table = quoted(&table.name),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.raw_bind_parameter(1, &stream.key.connection)?;
    statement.raw_bind_parameter(2, after.unwrap_or_default())?;
    if stream.own.stream {
        statement.raw_bind_parameter(3, &table.stream)?;
    }
    let mut rows = statement.raw_query();
    let mut held = HeldBuilder::new(table, columns);
    while let Some(row) = rows.next()? {
        let is_deleted = !matches!(row.get_ref(0)?, ValueRef::Integer(0) | ValueRef::Null);
        held.row(is_deleted, |index, push| {
            push(match row.get_ref(index + 1)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(value) => Cell::Integer(value),
                ValueRef::Text(text) => Cell::Text(text),
                ValueRef::Real(_) | ValueRef::Blob(_) => Cell::Other,
            });
            Ok::<(), rusqlite::Error>(())
        })?;
        if held.is_full() {
            break;
        }
    }
    Ok(held.finish())
}
