//! The same rows read alike from every destination.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sync::{
    checkpoint::Epoch,
    table::{Column, ColumnType, DeleteMode, StreamKey, TableBatch, TableSchema},
};

use crate::{
    case::{Place, checkpoint, of_key},
    files::FilesPlace,
    postgres::PostgresSchema,
    rows::{Row, read_json, record_batch},
    sqlite::SqliteFile,
    webhook::Hook,
};

/// Each type with its extremes and what is easily lost.
const VALUES: [(ColumnType, &[&str]); 8] = [
    (
        ColumnType::Text,
        &[
            r#""""#,
            r#"" ""#,
            r#""N/A""#,
            r#""null""#,
            r#""\\N""#,
            r#""a\r\n\tb""#,
            r#""'\"\\,;""#,
            r#""👩‍👩‍👧 ÅÅ""#,
            r#""\u0001\u007f\u2028""#,
        ],
    ),
    (ColumnType::Boolean, &["true", "false"]),
    (ColumnType::Integer, &["0", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808"]),
    (
        ColumnType::Decimal,
        &[
            r#""0""#,
            r#""0.1""#,
            r#""-0.000000000000000001""#,
            r#""1""#,
            r#""10000""#,
            r#""9999.9999""#,
            r#""100000000.00000001""#,
            r#""123456789012345678""#,
            r#""-99999999999999999999.999999999999999999""#,
        ],
    ),
    (
        ColumnType::Date,
        &[
            r#""0001-01-01""#,
            r#""1582-10-10""#,
            r#""1700-01-01""#,
            r#""2000-02-29""#,
            r#""4000-12-31""#,
            r#""9999-12-31""#,
        ],
    ),
    (
        ColumnType::Timestamp,
        &[
            r#""0001-01-01T00:00:00.000Z""#,
            r#""1700-01-01T00:00:00.000Z""#,
            r#""1969-12-31T23:59:59.999Z""#,
            r#""2024-03-31T01:30:00.000Z""#,
            r#""9999-12-31T23:59:59.999Z""#,
        ],
    ),
    (ColumnType::Time, &[r#""00:00:00.000""#, r#""10:15:00.001""#, r#""23:59:59.999""#]),
    (
        ColumnType::Json,
        &[r#""{\"b\":[1,2.5,null],\"a\":\"\\u00e9\"}""#, r#""[]""#, r#""7""#, r#""\"x\"""#, r#""null""#],
    ),
];

#[tokio::test]
async fn the_same_batch_reads_the_same_from_every_destination() {
    let column =
        |(index, (kind, _)): (usize, &(ColumnType, &[&str]))| Column { name: format!("c{index}"), kind: *kind };
    let mut columns = vec![Column { name: "Id".to_owned(), kind: ColumnType::Text }];
    columns.extend(VALUES.iter().enumerate().map(column));
    let kinds: BTreeMap<String, ColumnType> = columns.iter().map(|column| (column.name.clone(), column.kind)).collect();
    let table = TableSchema {
        name: "Extremes".to_owned(),
        columns,
        id: 0,
        version: None,
        deletes: DeleteMode::Remove,
        stream: None,
        sweeps: false,
        matching: None,
    };
    let longest = VALUES.iter().map(|(_, values)| values.len()).max().unwrap();
    // One row more, which has nothing but nulls.
    let rows: Vec<Row> = (0..=longest)
        .map(|row| {
            let cell =
                |values: &[&str]| values.get(row).map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
            let cells = VALUES.iter().enumerate().map(|(index, (_, values))| (format!("c{index}"), cell(values)));
            cells.chain([("Id".to_owned(), json!(format!("{row:03}")))]).collect()
        })
        .collect();
    let expected: Vec<Row> = rows
        .iter()
        .cloned()
        .map(|mut row| {
            row.insert("_connection".to_owned(), json!("acme"));
            read_json(row, &kinds)
        })
        .collect();
    let sqlite = SqliteFile::new();
    let servers = PostgresSchema::on_each_server();
    let (files, hook) = (FilesPlace::all(), Hook::new().await);
    let places = servers.iter().map(|server| server as &dyn Place).chain([&sqlite as &dyn Place, &hook]);
    let places = places.chain(files.iter().map(|place| place as &dyn Place));
    for place in places {
        let key = StreamKey {
            connection: "acme".to_owned(),
            org: "00D000000000001".to_owned(),
            installation: "ins_1".to_owned(),
            object: "Extremes".to_owned(),
            table: "Extremes".to_owned(),
            stream: None,
        };
        let mut destination = place.open();
        destination.prepare(&key, &table, Epoch(1)).await.unwrap();
        let batch = TableBatch { upserts: record_batch(&table, &rows), ..TableBatch::empty(&table) };
        destination.write(batch, &checkpoint("1"), Epoch(1)).await.unwrap();
        destination.close().await.unwrap();
        let held: Vec<Row> =
            place.rows("Extremes", &of_key(), &kinds).into_iter().map(|row| read_json(row, &kinds)).collect();
        assert_eq!(held, expected, "{}", place.name());
    }
}
