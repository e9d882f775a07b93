//! Several streams into one table.

use serde_json::json;

use crate::org::{Acme, rows};

const PEOPLE: &str = r#"
[[mapping]]
object = "Contact"
table = "people"
stream = "leaders"
filter = "Department = 'Leaders'"

[[mapping.columns]]
field = "Email"
column = "email"

[[mapping]]
object = "Contact"
table = "people"
stream = "makers"
filter = "Department = 'Makers'"

[[mapping.columns]]
field = "Email"
column = "email"

[[mapping]]
object = "Account"
table = "people"
stream = "owners"
key = "OwnerId"

[[mapping.columns]]
field = "Owner.Email"
column = "email"
"#;

fn of(org: &Acme, stream: &str, condition: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM people WHERE _stream = '{stream}' AND {condition}");
    rows(&org.data().join("acme.db"), &sql)
}

#[tokio::test]
async fn contacts_of_two_streams_and_owners_of_accounts_fill_one_table_and_each_goes_on_by_itself() {
    let org = Acme::start().await;
    org.connect().await;
    let control = org.emulator.control();
    let person = |name: &str, department: &str| {
        control.insert("Contact", json!({"LastName": name, "Department": department})).unwrap().to_string()
    };
    let (leader, _, maker) = (person("Lead", "Leaders"), person("Leap", "Leaders"), person("Make", "Makers"));
    let file = org.directory.path().join("people.toml");
    std::fs::write(&file, PEOPLE).unwrap();
    let imported = org.run(&format!("import acme --mapping {} --json", file.display())).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    let owners = of(&org, "owners", "_deleted = 0");
    assert!(owners > 0 && of(&org, "owners", "Id NOT LIKE '005%'") == 0);
    assert_eq!((of(&org, "leaders", "_deleted = 0"), of(&org, "makers", "_deleted = 0")), (2, 1));
    let database = org.data().join("acme.db");
    let checkpoints = "SELECT COUNT(DISTINCT stream) FROM _orgtide_checkpoints \
                       WHERE \"table\" = 'people' AND checkpoint NOT NULL";
    assert_eq!(rows(&database, checkpoints), 3);

    control.update(&leader, json!({"Email": "lead@example.com"})).unwrap();
    control.delete(&maker).unwrap();
    person("Mark", "Makers");
    let synced = org.run("sync acme --json").await;
    assert_eq!(synced.code, 0, "{synced:?}");
    assert!(synced.json()["streams"].as_array().unwrap().iter().all(|stream| stream["outcome"] == "complete"));
    assert_eq!(of(&org, "leaders", "_deleted = 0 AND email = 'lead@example.com'"), 1);
    assert_eq!((of(&org, "makers", "_deleted = 0"), of(&org, "makers", "_deleted = 1")), (1, 1));
    assert_eq!((of(&org, "leaders", "_deleted = 0"), of(&org, "owners", "_deleted = 0")), (2, owners));

    // A whole reading of all of them sweeps none of the others' rows.
    assert_eq!(org.run(&format!("import acme --mapping {}", file.display())).await.code, 0);
    assert_eq!((of(&org, "makers", "_deleted = 0"), of(&org, "leaders", "_deleted = 0")), (1, 2));
    assert_eq!(of(&org, "owners", "_deleted = 0"), owners);
    let status = org.run("status --json").await.json()["connections"][0]["streams"].clone();
    for (name, expected) in [("leaders", 2), ("makers", 1), ("owners", owners)] {
        let stream = status.as_array().unwrap().iter().find(|stream| stream["stream"] == name).unwrap();
        assert_eq!(stream["rows"], expected, "{name}: {status}");
    }
}
