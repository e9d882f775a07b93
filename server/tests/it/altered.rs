//! Tables that somebody alters by hand: each is put right, or refused with what to do, and nothing is half done.

use serde_json::json;

use crate::{
    org::Acme,
    place::{Place, Schema},
};

/// How a table is altered, and what comes of it.
struct Alteration {
    sql: &'static str,
    then: Then,
}

enum Then {
    Healed,
    /// Words of the refusal, and what they tell to do.
    Refused(&'static [&'static str], &'static str),
}

const ON_POSTGRES: [Alteration; 5] = [
    Alteration { sql: "ALTER TABLE \"Contact\" DROP COLUMN \"FirstName\"", then: Then::Healed },
    Alteration {
        sql: "ALTER TABLE \"Contact\" ALTER \"FirstName\" TYPE varchar(2) USING left(\"FirstName\", 2)",
        then: Then::Healed,
    },
    Alteration {
        sql: "ALTER TABLE \"Contact\" ALTER \"FirstName\" TYPE integer USING length(\"FirstName\")",
        then: Then::Healed,
    },
    Alteration {
        sql: "ALTER TABLE \"Contact\" ADD mine text NOT NULL DEFAULT 'x';
              ALTER TABLE \"Contact\" ALTER mine DROP DEFAULT",
        then: Then::Refused(&["\"mine\" needs a value", "drop the column"], "ALTER TABLE \"Contact\" DROP COLUMN mine"),
    },
    Alteration {
        sql: "ALTER TABLE \"Contact\" DROP CONSTRAINT \"Contact_pkey\"",
        then: Then::Refused(
            &["its key is gone", "ADD PRIMARY KEY (_connection, \"Id\")"],
            "ALTER TABLE \"Contact\" ADD PRIMARY KEY (_connection, \"Id\")",
        ),
    },
];

/// SQLite changes a table only by making another one of its rows.
const ON_SQLITE: [Alteration; 5] = [
    Alteration { sql: "ALTER TABLE Contact DROP COLUMN FirstName", then: Then::Healed },
    Alteration {
        sql: "CREATE TABLE other (_connection TEXT NOT NULL, Id TEXT NOT NULL, LastName TEXT, FirstName REAL,
                  SystemModstamp TEXT, _deleted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (_connection, Id));
              INSERT INTO other SELECT _connection, Id, LastName, length(FirstName), SystemModstamp, _deleted FROM Contact;
              DROP TABLE Contact; ALTER TABLE other RENAME TO Contact",
        then: Then::Healed,
    },
    Alteration { sql: "DROP TABLE Contact", then: Then::Healed },
    Alteration {
        sql: "CREATE TABLE other (_connection TEXT NOT NULL, Id TEXT NOT NULL, LastName TEXT, FirstName TEXT,
                  SystemModstamp TEXT, _deleted INTEGER NOT NULL DEFAULT 0, mine TEXT NOT NULL,
                  PRIMARY KEY (_connection, Id));
              INSERT INTO other SELECT _connection, Id, LastName, FirstName, SystemModstamp, _deleted, 'x' FROM Contact;
              DROP TABLE Contact; ALTER TABLE other RENAME TO Contact",
        then: Then::Refused(&["\"mine\" needs a value", "drop the column"], "ALTER TABLE Contact DROP COLUMN mine"),
    },
    Alteration {
        sql: "CREATE TABLE other AS SELECT * FROM Contact; DROP TABLE Contact; ALTER TABLE other RENAME TO Contact",
        then: Then::Refused(&["its key (_connection, Id) is gone", "drop the table"], "DROP TABLE Contact"),
    },
];

/// Contacts with a first name each, imported.
async fn imported(place: &Place) -> Acme {
    let mut scenario = emulator::Scenario::builtin("acme").unwrap();
    scenario.rows.clear();
    let org = Acme::of(scenario).await;
    org.connect().await;
    for number in 0..10 {
        add(&org, number);
    }
    let line = format!("import acme Contact --fields Id,LastName,FirstName --to {}", place.to());
    assert_eq!(org.run(&line).await.code, 0);
    org
}

fn add(org: &Acme, number: usize) {
    let contact = json!({"LastName": format!("Last {number}"), "FirstName": format!("007 {number}")});
    org.emulator.control().insert("Contact", contact).unwrap();
}

/// What stands in the table.
async fn names(place: &Place) -> Vec<String> {
    place.rows("Contact", &["LastName", "FirstName"].map(str::to_owned)).await
}

fn expected(count: usize) -> Vec<String> {
    let mut names: Vec<String> =
        (0..count).map(|number| format!("LastName=Last {number}; FirstName=007 {number}")).collect();
    names.sort();
    names
}

async fn is_put_right_or_refused(place: &Place, alterations: &[Alteration]) {
    let org = imported(place).await;
    assert_eq!(names(place).await, expected(10));
    for (number, Alteration { sql, then }) in (10..).zip(alterations) {
        place.execute(sql).await;
        add(&org, number);
        if let Then::Refused(words, cure) = then {
            let before = names(place).await;
            let refused = org.run("sync acme").await;
            assert_eq!(refused.code, 5, "{sql}: {refused:?}");
            for word in words.iter().chain(&["Contact"]) {
                assert!(refused.err.contains(word), "{sql}: {word}: {refused:?}");
            }
            assert_eq!(names(place).await, before, "{sql}");
            place.execute(cure).await;
        }
        let synced = org.run("sync acme").await;
        assert_eq!(synced.code, 0, "{sql}: {synced:?}");
        assert_eq!(names(place).await, expected(number + 1), "{sql}");
    }
}

#[tokio::test]
async fn a_table_of_a_file_that_is_altered_by_hand_is_put_right_or_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    is_put_right_or_refused(&Place::File(folder.path().join("rows.db")), &ON_SQLITE).await;
}

#[tokio::test]
async fn a_table_of_a_server_that_is_altered_by_hand_is_put_right_or_refused_with_what_to_do() {
    let Some(schema) = Schema::start().await else { return };
    is_put_right_or_refused(&Place::Schema(Box::new(schema)), &ON_POSTGRES).await;
}
