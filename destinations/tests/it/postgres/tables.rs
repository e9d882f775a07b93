//! Tables that are there already, made or altered by somebody else.

use destinations::DeclaredColumn;
use serde_json::{Value, json};
use sync::{
    checkpoint::{Asked, Checkpoint, Epoch},
    destination::DestinationError,
    table::{ColumnType, StreamKey},
};

use super::{IDS, PostgresSchema, one, quoted};
use crate::{
    case::{Place, checkpoint, of_key},
    contact::{batch, names, stream, table},
};

#[tokio::test]
async fn a_table_that_was_dropped_is_imported_from_the_start() {
    for place in PostgresSchema::on_each_server() {
        let mut destination = place.prepared(&names()).await.unwrap();
        destination.write(one(), &checkpoint("done"), Epoch(1)).await.unwrap();
        place.execute("DROP TABLE \"Contact\"").await;
        let error = destination.write(one(), &checkpoint("more"), Epoch(1)).await.unwrap_err();
        assert!(
            matches!(&error, DestinationError::Incompatible { reason, .. } if reason.contains("next run")),
            "{error}"
        );
        assert_eq!(destination.prepare(&stream(), &names(), Epoch(2)).await.unwrap(), None);
        destination.write(one(), &checkpoint("again"), Epoch(2)).await.unwrap();
        assert_eq!(place.query::<String>(IDS).await, "1");
    }
}

#[tokio::test]
async fn a_column_that_was_dropped_is_made_again_and_asked_for_again() {
    for place in PostgresSchema::on_each_server() {
        let mut resume = checkpoint("done");
        resume.asked = Asked {
            scope: "all".to_owned(),
            columns: ["Id", "Name"].map(|name| (name.to_owned(), "print".to_owned())).into(),
        };
        let mut destination = place.prepared(&names()).await.unwrap();
        destination.write(one(), &resume, Epoch(1)).await.unwrap();
        place.execute("ALTER TABLE \"Contact\" DROP COLUMN \"Name\"").await;
        let stored = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap().unwrap();
        resume.asked.columns.remove("Name");
        assert_eq!(stored, resume);
    }
}

#[tokio::test]
async fn a_table_that_is_altered_while_rows_are_written_takes_no_part_of_a_batch_and_says_what_to_do() {
    for (sql, words, cure) in [
        ("DROP COLUMN \"Name\"", "the next run makes it ready again", None),
        ("ALTER \"Name\" TYPE integer USING 7", "the next run makes it ready again", None),
        (
            "DROP CONSTRAINT \"Contact_pkey\"",
            "the next run makes it ready again",
            Some("ADD PRIMARY KEY (_connection, \"Id\")"),
        ),
        (
            "ADD mine text NOT NULL DEFAULT 'x'; ALTER TABLE \"Contact\" ALTER mine DROP DEFAULT",
            "\"mine\"",
            Some("DROP COLUMN mine"),
        ),
    ] {
        for place in PostgresSchema::on_each_server() {
            let mut destination = place.prepared(&names()).await.unwrap();
            destination.write(one(), &checkpoint("1"), Epoch(1)).await.unwrap();
            place.execute(&format!("ALTER TABLE \"Contact\" {sql}")).await;
            let more = || batch(&names(), &[json!({"Id": "2", "Name": "b"}), json!({"Id": "3", "Name": "c"})]);
            let error = destination.write(more(), &checkpoint("2"), Epoch(1)).await.unwrap_err();
            assert!(matches!(error, DestinationError::Incompatible { .. }), "{sql}: {error}");
            assert!(error.to_string().contains("Contact") && error.to_string().contains(words), "{sql}: {error}");
            assert_eq!(place.query::<String>(IDS).await, "1", "{sql}");
            if let Some(cure) = cure {
                place.assert_incompatible(&names(), cure.trim_start_matches("DROP COLUMN ")).await;
                place.execute(&format!("ALTER TABLE \"Contact\" {cure}")).await;
            }
            let stored = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap();
            assert_eq!(stored, Some(checkpoint("1")), "{sql}");
            destination.write(more(), &checkpoint("2"), Epoch(1)).await.unwrap();
            assert_eq!(place.query::<String>(IDS).await, "1,2,3", "{sql}");
        }
    }
}

#[tokio::test]
async fn the_columns_of_any_table_are_told_with_their_types() {
    for place in PostgresSchema::on_each_server() {
        place
            .execute(&format!(
                "CREATE SCHEMA {0}; SET search_path = {0};
                 CREATE TYPE mood AS ENUM ('calm');
                 CREATE TABLE \"Kunden & Co\" (id bigserial PRIMARY KEY, \"Größe\" numeric(12,2), gone text, name varchar(80),
                     at timestamp, since timestamptz, day date, hour time(3), ok boolean, doc jsonb, tags text[], mood mood,
                     code char(3), twice numeric GENERATED ALWAYS AS (1 * 2) STORED);
                 ALTER TABLE \"Kunden & Co\" DROP COLUMN gone;
                 CREATE VIEW shown AS SELECT id, name FROM \"Kunden & Co\"",
                quoted(&place.name)
            ))
            .await;
        let told = async |table: &str| {
            let key = StreamKey { table: table.to_owned(), ..stream() };
            let columns = destinations::columns(&place.settings(), &key).await.unwrap();
            let told = |column: &DeclaredColumn| (column.name.clone(), column.declared.clone(), column.kind());
            columns.iter().map(told).collect::<Vec<_>>()
        };
        use ColumnType::{Boolean, Date, Decimal, Integer, Json, Text, Time, Timestamp};
        let all = told("Kunden & Co").await;
        let expected = [
            ("id", "bigint", Some(Integer)),
            ("Größe", "numeric(12,2)", Some(Decimal)),
            ("name", "character varying(80)", Some(Text)),
            ("at", "timestamp without time zone", Some(Timestamp)),
            ("since", "timestamp with time zone", Some(Timestamp)),
            ("day", "date", Some(Date)),
            ("hour", "time(3) without time zone", Some(Time)),
            ("ok", "boolean", Some(Boolean)),
            ("doc", "jsonb", Some(Json)),
            ("tags", "text[]", None),
            ("mood", ".mood", None),
            ("code", "character(3)", Some(Text)),
            ("twice", "numeric", Some(Decimal)),
        ];
        assert_eq!(all.len(), expected.len(), "{all:?}");
        for (told, (name, declared, kind)) in all.iter().zip(expected) {
            assert!(told.0 == name && told.1.ends_with(declared) && told.2 == kind, "{told:?} is not {name}");
        }
        assert_eq!(told("shown").await.len(), 2, "of a view as well");
        assert!(
            told("kunden & co").await.is_empty() && told("pg_class").await.is_empty(),
            "of this schema, by its name"
        );
    }
}

#[tokio::test]
async fn a_relation_that_is_not_ours_is_left_alone_and_the_message_says_what_to_do() {
    for (sql, words) in [
        ("CREATE TABLE \"Contact\" (\"Id\" text PRIMARY KEY, \"Name\" text)", "Orgtide did not make"),
        ("CREATE VIEW \"Contact\" AS SELECT 1 AS \"Id\"", "it is a view"),
        ("CREATE MATERIALIZED VIEW \"Contact\" AS SELECT 1 AS \"Id\"", "it is a view"),
        ("CREATE SEQUENCE \"Contact\"", "it is a sequence"),
        ("CREATE TABLE x (a text); CREATE INDEX \"Contact\" ON x (a)", "it is an index"),
        ("CREATE TYPE \"Contact\" AS ENUM ('a')", "Contact"),
        (
            "CREATE EXTENSION IF NOT EXISTS file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
             CREATE FOREIGN TABLE \"Contact\" (_connection text) SERVER files OPTIONS (filename '/dev/null')",
            "it is a foreign table",
        ),
        (
            "CREATE TABLE \"Contact\" (_connection text, \"Email\" text, \"Id\" text, PRIMARY KEY (_connection, \"Email\"))",
            "its key is (_connection, Email), not (_connection, Id)",
        ),
        ("CREATE TABLE \"Contact\" (_connection text, \"Id\" text)", "ADD PRIMARY KEY (_connection, \"Id\")"),
        (
            "CREATE TABLE \"Contact\" (_connection text, \"Id\" text, \"Extra\" text NOT NULL, PRIMARY KEY (_connection, \"Id\"))",
            "\"Extra\" needs a value",
        ),
        (
            "CREATE TABLE \"Contact\" (_connection text, \"Id\" text, \"Name\" text GENERATED ALWAYS AS ('x') STORED,
                 PRIMARY KEY (_connection, \"Id\"))",
            "\"Name\" is computed",
        ),
        (
            "CREATE TABLE \"Contact\" (_connection text, \"Id\" text, \"Name\" bytea, PRIMARY KEY (_connection, \"Id\"))",
            "change its type to text",
        ),
    ] {
        for place in PostgresSchema::on_each_server() {
            if sql.contains("file_fdw")
                && place.query::<i64>("SELECT count(*) FROM pg_available_extensions WHERE name = 'file_fdw'").await == 0
            {
                continue;
            }
            place.execute(&format!("CREATE SCHEMA {0}; SET search_path = {0}; {sql}", quoted(&place.name))).await;
            let before = place.shape().await;
            place.assert_incompatible(&names(), words).await;
            assert_eq!(place.shape().await, before, "{sql}");
            if sql.contains("file_fdw") {
                place.execute("DROP SERVER files CASCADE").await;
            }
        }
    }
}

#[tokio::test]
async fn a_partitioned_table_with_the_key_takes_rows() {
    for place in PostgresSchema::on_each_server() {
        let sql =
            "CREATE TABLE \"Contact\" (_connection text, \"Id\" text, \"Name\" text, PRIMARY KEY (_connection, \"Id\"))
                   PARTITION BY LIST (_connection);
                   CREATE TABLE acme PARTITION OF \"Contact\" FOR VALUES IN ('acme')";
        place.execute(&format!("CREATE SCHEMA {0}; SET search_path = {0}; {sql}", quoted(&place.name))).await;
        let mut destination = place.prepared(&names()).await.unwrap();
        for _ in 0..2 {
            destination.write(one(), &checkpoint("1"), Epoch(1)).await.unwrap();
        }
        assert_eq!(place.query::<i64>("SELECT count(*) FROM acme").await, 1);
    }
}

#[tokio::test]
async fn names_that_postgresql_keeps_for_itself_are_refused_before_anything_is_made() {
    for place in PostgresSchema::on_each_server() {
        for (columns, words) in [
            (["Id", "Id"], "is taken"),
            (["Id", "_deleted"], "is taken"),
            (["Id", "_connection"], "is taken"),
            (["Id", "ctid"], "is no column name"),
            (["Id", ""], "is no column name"),
            (["Id", "a\0b"], "is no column name"),
        ] {
            place.assert_incompatible(&table(&columns.map(|name| (name, ColumnType::Text))), words).await;
        }
        assert_eq!(place.shape().await, "");
        let mut destination =
            place.prepared(&table(&[("Id", ColumnType::Text), ("ID", ColumnType::Text)])).await.unwrap();
        let both = table(&[("Id", ColumnType::Text), ("ID", ColumnType::Text)]);
        destination.write(batch(&both, &[json!({"Id": "1", "ID": "2"})]), &checkpoint("1"), Epoch(1)).await.unwrap();
        assert_eq!(place.query::<String>("SELECT \"ID\" FROM \"Contact\"").await, "2");
    }
}

#[tokio::test]
async fn a_column_whose_type_somebody_narrowed_is_widened_again_with_its_values() {
    use ColumnType::{Date, Decimal, Integer, Json, Text, Timestamp};
    let wanted = table(&[
        ("Id", Text),
        ("Name", Text),
        ("Count", Integer),
        ("Amount", Decimal),
        ("At", Timestamp),
        ("Day", Date),
        ("Doc", Json),
    ]);
    for place in PostgresSchema::on_each_server() {
        let mut destination = place.prepared(&wanted).await.unwrap();
        let row = json!({"Id": "1", "Name": "abc", "Count": 7, "Amount": "1.5", "At": "2024-09-24T03:26:07.000Z",
            "Day": "2024-09-24", "Doc": "[1]"});
        destination.write(batch(&wanted, &[row]), &checkpoint("1"), Epoch(1)).await.unwrap();
        place
            .execute(
                "ALTER TABLE \"Contact\" ALTER \"Name\" TYPE varchar(3), ALTER \"Count\" TYPE smallint,
                 ALTER \"Amount\" TYPE numeric(4,1), ALTER \"At\" TYPE timestamp(0) without time zone,
                 ALTER \"Day\" TYPE timestamptz, ALTER \"Doc\" TYPE json",
            )
            .await;
        destination.prepare(&stream(), &wanted, Epoch(1)).await.unwrap();
        let row = json!({"Id": "2", "Name": "abcdef", "Count": i64::MAX, "Amount": "0.000000000000000001",
            "At": "2024-09-24T03:26:07.123Z", "Day": "1700-01-01", "Doc": "{}"});
        destination.write(batch(&wanted, &[row]), &checkpoint("2"), Epoch(1)).await.unwrap();
        let rows = place.all_rows("Contact", &of_key()).await;
        let expected = json!([
            {"_connection": "acme", "_deleted": false, "Id": "1", "Name": "abc", "Count": 7, "Amount": "1.5",
             "At": "2024-09-24T03:26:07.000Z", "Day": "2024-09-24T00:00:00.000Z", "Doc": "[1]"},
            {"_connection": "acme", "_deleted": false, "Id": "2", "Name": "abcdef", "Count": i64::MAX,
             "Amount": "0.000000000000000001", "At": "2024-09-24T03:26:07.123Z", "Day": "1700-01-01T00:00:00.000Z",
             "Doc": "{}"},
        ]);
        assert_eq!(json!(rows), expected);
    }
}

#[tokio::test]
async fn every_type_becomes_text_as_a_sqlite_destination_spells_it() {
    use ColumnType::{Boolean, Date, Decimal, Integer, Json, Text, Time, Timestamp};
    let kinds = [Boolean, Integer, Decimal, Date, Timestamp, Time, Json];
    let columns = ["Flag", "Count", "Amount", "Day", "At", "Clock", "Doc"];
    let named = |kind: &dyn Fn(usize) -> ColumnType| {
        let all: Vec<_> = columns.iter().enumerate().map(|(index, name)| (*name, kind(index))).collect();
        table(&[&[("Id", Text)], all.as_slice()].concat())
    };
    let (typed, texts) = (named(&|index| kinds[index]), named(&|_| Text));
    let row = |id: &str| {
        json!({"Id": id, "Flag": true, "Count": -7, "Amount": "0.1", "Day": "1700-01-01",
            "At": "2024-09-24T03:26:07.000Z", "Clock": "10:15:00.000", "Doc": "[1, null]"})
    };
    for place in PostgresSchema::on_each_server() {
        let mut destination = place.prepared(&typed).await.unwrap();
        destination.write(batch(&typed, &[row("1")]), &checkpoint("1"), Epoch(1)).await.unwrap();
        destination.prepare(&stream(), &texts, Epoch(1)).await.unwrap();
        destination.prepare(&stream(), &typed, Epoch(1)).await.unwrap();
        destination.write(batch(&typed, &[row("2")]), &checkpoint("2"), Epoch(1)).await.unwrap();
        let rows = place.all_rows("Contact", &of_key()).await;
        let spelled = |id: &str| {
            json!({"_connection": "acme", "_deleted": false, "Id": id, "Flag": "true", "Count": "-7", "Amount": "0.1",
                "Day": "1700-01-01", "At": "2024-09-24T03:26:07.000Z", "Clock": "10:15:00.000", "Doc": "[1, null]"})
        };
        assert_eq!(json!(rows), json!([spelled("1"), spelled("2")]));
    }
}

#[tokio::test]
async fn a_column_that_a_view_uses_is_not_retyped_behind_its_owners_back() {
    for place in PostgresSchema::on_each_server() {
        let numbers = table(&[("Id", ColumnType::Text), ("Code", ColumnType::Integer)]);
        place.prepared(&numbers).await.unwrap();
        place.execute("CREATE VIEW codes AS SELECT \"Code\" FROM \"Contact\"").await;
        let before = place.shape().await;
        let texts = table(&[("Id", ColumnType::Text), ("Code", ColumnType::Text)]);
        place.assert_incompatible(&texts, "codes").await;
        assert_eq!(place.shape().await, before);
    }
}

#[tokio::test]
async fn a_row_of_many_columns_is_written_and_one_too_wide_for_a_page_says_so() {
    let columns: Vec<String> = (0..1200).map(|index| format!("Field_{index}__c")).collect();
    let wide = table(
        &std::iter::once(("Id", ColumnType::Text))
            .chain(columns.iter().map(|name| (name.as_str(), ColumnType::Text)))
            .collect::<Vec<_>>(),
    );
    let row = |length: usize| {
        let mut row: serde_json::Map<String, Value> =
            columns.iter().map(|name| (name.clone(), json!("x".repeat(length)))).collect();
        row.insert("Id".to_owned(), json!("1"));
        Value::Object(row)
    };
    for place in PostgresSchema::on_each_server() {
        let mut destination = place.prepared(&wide).await.unwrap();
        destination.write(batch(&wide, &[row(3)]), &checkpoint("1"), Epoch(1)).await.unwrap();
        let error = destination.write(batch(&wide, &[row(40)]), &checkpoint("2"), Epoch(1)).await.unwrap_err();
        assert!(
            matches!(&error, DestinationError::Incompatible { reason, .. } if reason.contains("leave fields out")),
            "{error}"
        );
        let kept: Option<Checkpoint> = destination.prepare(&stream(), &wide, Epoch(1)).await.unwrap();
        assert_eq!(kept, Some(checkpoint("1")));
    }
}
