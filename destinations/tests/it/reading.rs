//! Rows that are read back, beside those that are there.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use serde_json::Value;
use sync::{
    destination::{Destination, DestinationError},
    shown,
    table::{Column, ColumnType, StreamKey, TableSchema},
};

use crate::{
    case::Place,
    rows::{Row, read_json},
};

/// The stream's rows are read back as they are in the table.
pub(crate) async fn assert_same(
    place: &dyn Place,
    (destination, stream, table): (&mut dyn Destination, &StreamKey, &TableSchema),
    kinds: &BTreeMap<String, ColumnType>,
    index: usize,
) {
    let name = place.settings().table_name(stream);
    let name = name.rsplit_once('.').map_or(name.as_str(), |(_, name)| name);
    let columns: Vec<usize> = (0..table.columns.len()).collect();
    let key = &table.columns[table.id].name;
    let (mut read, mut spoiled): (Vec<Row>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut after: Option<String> = None;
    loop {
        let held = match destination.read(after.as_deref(), &columns).await {
            Err(DestinationError::WriteOnly { .. }) if place.name() == "webhook" => return,
            held => held.unwrap_or_else(|error| panic!("step {index}: {error}")),
        };
        let Some(last) = held.rows.num_rows().checked_sub(1) else { break };
        let rows: Vec<Row> = (0..=last)
            .map(|row| {
                let mut shown: Row = shown::row(table, &held.rows, row).into_iter().collect();
                shown.insert("_deleted".to_owned(), held.deleted.value(row).into());
                read_json(shown, kinds)
            })
            .collect();
        // A value of another type, which somebody has put there, reads as null.
        spoiled.extend(held.spoiled.iter().map(|row| rows[*row][key].clone()));
        after = held.rows.column(table.id).as_string::<i32>().value(last).to_owned().into();
        read.extend(rows);
    }
    let is_readable = |row: &Row| !spoiled.contains(&row[key]);
    let is_own = |row: &Row| {
        row["_connection"] == stream.connection.as_str()
            && row.get("_stream").is_none_or(|name| name.as_str() == stream.stream.as_deref())
    };
    let order = ["_connection".to_owned(), place.settings().column_name(key)];
    let there: Vec<Row> = place
        .rows(name, &order, kinds)
        .into_iter()
        .filter(is_own)
        .map(|row| {
            let named =
                |column: &Column| (column.name.clone(), row[&place.settings().column_name(&column.name)].clone());
            let mut cells: Row = table.columns.iter().map(named).collect();
            cells.insert("_deleted".to_owned(), row.get("_deleted").cloned().unwrap_or(Value::Bool(false)));
            read_json(cells, kinds)
        })
        .collect();
    let readable = |rows: Vec<Row>| -> Vec<Row> { rows.into_iter().filter(is_readable).collect() };
    assert_eq!(readable(read), readable(there), "rows read back at step {index} on {}", place.name());
}
