//! Looking ahead with the privileges and the constraints that a server has.

use std::fs;

use destinations::{
    DestinationSettings,
    matching::{self, Filling, Foreseen, Foresight, MatchError},
    postgres::PostgresSettings,
};
use serde_json::{Value, json};
use sync::table::{ColumnType, TableSchema};

use super::{PostgresSchema, quoted};
use crate::{
    case::Place,
    contact::{batch, stream, table},
};

fn people() -> TableSchema {
    let matching = json!({
        "table": "customers", "key": "id", "by": [["vendor_id"]],
        "columns": { "phone": { "from": "phone", "wins": "salesforce" }, "age": { "from": "age", "wins": "empty" } }
    });
    TableSchema {
        matching: Some(serde_json::from_value(matching).unwrap()),
        ..table(&["Id", "vendor_id", "phone", "age"].map(|name| (name, ColumnType::Text)))
    }
}

async fn foresee(settings: PostgresSettings, rows: &[Value]) -> Result<Vec<Foreseen>, MatchError> {
    let settings = DestinationSettings::Postgres(Box::new(settings));
    matching::foresee(&settings, &people(), &stream(), &batch(&people(), rows).upserts).await
}

fn row(id: &str, phone: &str, age: &str) -> Value {
    json!({ "Id": id, "vendor_id": id, "phone": phone, "age": age })
}

#[tokio::test]
async fn a_value_that_their_column_refuses_is_named_with_the_reason_and_the_other_records_are_foreseen() {
    for place in PostgresSchema::on_each_server() {
        place.sql(&format!(
            "CREATE TABLE {0}.customers (id bigint PRIMARY KEY, vendor_id text, phone varchar(5), age integer,
                 CONSTRAINT adults CHECK (age > 17));
             INSERT INTO {0}.customers (id, vendor_id, phone)
                 VALUES (1, 'a', 'old'), (2, 'b', 'old'), (3, 'c', 'old'), (4, 'd', 'old')",
            quoted(&place.name)
        ));
        let rows = [row("a", "1-1", "40"), row("b", "555-555", "40"), row("c", "3-3", "ten"), row("d", "4-4", "10")];
        let before = place.everything();
        let foreseen = foresee(place.address(""), &rows).await.unwrap();
        assert_eq!(place.everything(), before);
        let Some(Filling::Changes { changes }) = &foreseen[0].filling else { panic!("{foreseen:?}") };
        let becomes: Vec<_> =
            changes.iter().map(|change| (change.column.as_str(), change.becomes.as_deref())).collect();
        assert_eq!(becomes, [("age", Some("40")), ("phone", Some("1-1"))]);
        for (foreseen, named, words) in [
            (&foreseen[1], "phone", "too long"),
            (&foreseen[2], "age", "invalid input syntax"),
            (&foreseen[3], "age", "adults"),
        ] {
            assert!(matches!(foreseen.outcome, Foresight::Matched { .. }), "{foreseen:?}");
            let Some(Filling::Refused { column, reason }) = &foreseen.filling else { panic!("{foreseen:?}") };
            assert!(column.as_deref() == Some(named) && reason.contains(words), "{foreseen:?}");
        }
    }
}

#[tokio::test]
async fn to_look_ahead_it_is_enough_to_read_their_table_and_without_that_it_says_what_is_missing() {
    for place in PostgresSchema::on_each_server() {
        let role = quoted(&place.name);
        let database: String = place.query("SELECT current_database()::text").await;
        place.sql(&format!(
            "CREATE TABLE {role}.customers (id bigint PRIMARY KEY, vendor_id text, phone text, age text);
             INSERT INTO {role}.customers VALUES (1, 'a', 'old', NULL);
             CREATE ROLE {role} LOGIN PASSWORD 'x';
             GRANT CONNECT, TEMPORARY ON DATABASE {} TO {role}; GRANT USAGE ON SCHEMA {role} TO {role}",
            quoted(&database)
        ));
        fs::write(place.folder.path().join("pgpass"), "*:*:*:*:x\n").unwrap();
        let user = place.server.get_user().unwrap();
        let address = place.address("").to_string().replace(&format!("//{user}@"), &format!("//{}@", place.name));
        let settings = PostgresSettings::parse(&address).unwrap();
        let rows = [row("a", "1-1", "40")];
        let denied = foresee(settings.clone(), &rows).await.unwrap_err();
        place.execute(&format!("GRANT SELECT ON customers TO {role}")).await;
        let foreseen = foresee(settings, &rows).await;
        place.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
        assert!(denied.to_string().contains("permission denied for table customers"), "{denied}");
        let foreseen = foreseen.unwrap();
        assert_eq!(foreseen[0].outcome.their_key(), Some("1"));
        let Some(Filling::Changes { changes }) = &foreseen[0].filling else { panic!("{foreseen:?}") };
        assert_eq!(changes.len(), 2, "{changes:?}");
    }
}

#[tokio::test]
async fn to_look_ahead_waits_for_nobody_who_writes_to_their_table() {
    for place in PostgresSchema::on_each_server() {
        place.sql(&format!(
            "CREATE TABLE {0}.customers (id bigint PRIMARY KEY, vendor_id text, phone text, age text);
             INSERT INTO {0}.customers VALUES (1, 'a', 'old', NULL)",
            quoted(&place.name)
        ));
        let writer = place.client().await;
        writer.batch_execute("BEGIN; UPDATE customers SET phone = 'not committed'").await.unwrap();
        let foreseen = foresee(place.address(""), &[row("a", "1-1", "40")]).await.unwrap();
        let Some(Filling::Changes { changes }) = &foreseen[0].filling else { panic!("{foreseen:?}") };
        assert_eq!(changes[1].was.as_deref(), Some("old"), "{changes:?}");
        writer.batch_execute("COMMIT").await.unwrap();
    }
}
