//! Mappings are checked, changed, and kept as they were.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    org::{Acme, rows},
    place::Place,
};

fn write(org: &Acme, text: &str) -> String {
    let file = org.directory.path().join("mapping.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[tokio::test]
async fn a_mapping_is_changed_by_version_and_an_earlier_one_comes_back() {
    let org = Acme::start().await;
    org.connect().await;
    assert_eq!(org.run("import acme Contact --fields LastName").await.code, 0);
    let file = write(&org, "object = \"Contact\"\ncolumns = [{ field = \"LastName\" }, { field = \"Email\" }]\n");
    let dry = org.run(&format!("map set acme --file {file} --dry-run --json")).await.json();
    let change = json!({
        "object": "Contact", "table": "Contact", "version": 2, "rereads": "columns", "columns": ["Email"]
    });
    assert_eq!(dry["changes"], json!([change]));
    let versions = async || org.run("map history acme Contact --json").await.json()["versions"].clone();
    assert_eq!(versions().await.as_array().unwrap().len(), 1, "a dry run changes nothing");

    assert_eq!(org.run(&format!("map set acme --file {file}")).await.code, 0);
    assert_eq!(org.run("sync acme").await.code, 0);
    let filled = "SELECT COUNT(*) FROM Contact WHERE Email IS NOT NULL";
    assert!(rows(&org.data().join("acme.db"), filled) > 0, "the new column is filled in the rows of before");

    assert_eq!(org.run("map revert acme Contact --version 1").await.code, 0);
    let listed = versions().await;
    assert_eq!((&listed[0]["version"], &listed[0]["note"]), (&json!(3), &json!("as in version 1")));
    let shown = org.run("map show acme Contact").await.out;
    assert!(shown.contains("LastName") && !shown.contains("Email"), "{shown}");
}

#[tokio::test]
async fn every_problem_of_a_mapping_is_named_with_its_place_and_a_suggestion() {
    let org = Acme::start().await;
    org.connect().await;
    let file = write(&org, "object = \"Contact\"\ncolumns = [{ field = \"LastNam\" }, { field = \"Account.Nam\" }]\n");
    let checked = org.run(&format!("map check acme --file {file} --json")).await;
    assert_eq!(checked.code, 4, "{checked:?}");
    let problems = checked.json()["mappings"][0]["problems"].clone();
    let named: Vec<_> =
        problems.as_array().unwrap().iter().map(|p| (p["place"].clone(), p["suggestion"].clone())).collect();
    assert_eq!(named, [(json!("columns[0].field"), json!("LastName")), (json!("columns[1].field"), json!("Name"))]);
}

#[tokio::test]
async fn a_preview_shows_each_record_beside_its_row_or_the_reasons_against_it_and_writes_nothing() {
    let org = Acme::start().await;
    org.connect().await;
    let text = "object = \"Contact\"\ntable = \"people\"\n\
                columns = [{ field = \"LastName\", column = \"name\", case = \"upper\" }, \
                { field = \"Email\", column = \"email\", required = true }, { field = \"Title\", as = \"integer\" }]\n";
    let file = write(&org, text);
    let shown = org.run(&format!("map preview acme --file {file} --records 200 --json")).await.json();
    let preview = &shown["previews"][0];
    let records = preview["records"].as_array().unwrap();
    assert_eq!((&preview["table"], records.len()), (&json!("people"), 200));
    let of = |outcome: &str| records.iter().filter(|record| record["outcome"] == outcome).collect::<Vec<_>>();
    let (ready, rejected) = (of("ready"), of("rejected"));
    assert!(!ready.is_empty() && !rejected.is_empty(), "{} ready of 200", ready.len());
    for record in &ready {
        let name = record["record"]["LastName"].as_str().unwrap().to_uppercase();
        assert_eq!((&record["row"]["name"], &record["row"]["email"]), (&json!(name), &record["record"]["Email"]));
        let misfits = usize::from(record["record"]["Title"].is_string() && record["row"]["Title"].is_null());
        assert_eq!(record["misfits"].as_array().unwrap().len(), misfits, "{record}");
    }
    assert!(ready.iter().any(|record| record["misfits"][0]["field"] == "Title"));
    assert!(rejected.iter().all(|record| record["record"]["Email"].is_null()));
    assert_eq!(rejected[0]["problems"][0]["column"], "email");
    assert!(!org.data().join("acme.db").exists() && org.run("sync acme").await.code != 0, "nothing is remembered");

    let id = rejected[0]["record_id"].as_str().unwrap();
    let one = org.run(&format!("map preview acme Contact --file {file} --id {id} --id 003000000000000AAA")).await;
    assert!(
        one.out.contains("1 record, 0 ready, 1 rejected") && one.out.contains("003000000000000AAA: there is no"),
        "{one:?}"
    );
    let every = org.run("map preview acme Contact --records 2").await;
    assert!(every.out.contains("2 ready") && every.out.contains("LastName: "), "{every:?}");
}

const WITH_MATCH: &str = r#"
    object = "Contact"
    columns = [{ field = "Email", column = "email" }, { field = "Phone", column = "phone" }]
    [match]
    table = "customers"
    key = "id"
    by = [["email"]]
    [match.columns]
    phone = { from = "phone", wins = "salesforce" }
"#;

/// The records' verdicts on their rows, by the address that they are matched by.
fn matches(shown: &serde_json::Value) -> BTreeMap<String, serde_json::Value> {
    let records = shown["previews"][0]["records"].as_array().unwrap().iter();
    let with_address = records.filter_map(|record| Some((record["row"]["email"].as_str()?, record)));
    with_address.map(|(email, record)| (email.to_owned(), record["match"].clone())).collect()
}

#[tokio::test]
async fn a_preview_says_which_row_of_theirs_each_record_would_stand_for_and_what_it_would_fill_there() {
    let org = Acme::start().await;
    org.connect().await;
    let file = write(&org, WITH_MATCH);
    let theirs = org.directory.path().join("vendor.db");
    let line = format!("map preview acme --file {file} --records 50 --to sqlite:{}", theirs.display());
    let without = org.run(&format!("{line} --json")).await;
    assert_eq!(without.code, 0, "{without:?}");
    let error = without.json()["previews"][0]["match"]["error"].clone();
    assert!(error["code"] == "destination" && error["message"].as_str().unwrap().contains("no such table"), "{error}");
    let found: Vec<String> = matches(&without.json()).into_keys().collect();
    let said = org.run(&line).await;
    assert!(said.err.contains("warning: which rows of customers") && said.out.contains("is ready"), "{said:?}");
    assert!(!theirs.exists(), "a file is not made either");

    let database = rusqlite::Connection::open(&theirs).unwrap();
    database.execute_batch("CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, phone TEXT)").unwrap();
    let customer = "INSERT INTO customers (id, email, phone) VALUES (?1, ?2, 'old')";
    for (id, email) in [(1, &found[0]), (2, &found[1]), (3, &found[1])] {
        database.execute(customer, (id, email)).unwrap();
    }
    let shown = org.run(&format!("{line} --json")).await.json();
    let verdicts = matches(&shown);
    let one = &verdicts[&found[0]];
    assert_eq!((&one["status"], &one["their_key"], &one["by"]), (&json!("matched"), &json!("1"), &json!(["email"])));
    let change = &one["changes"][0];
    assert_eq!((&change["column"], &change["was"]), (&json!("phone"), &json!("old")));
    let several = &verdicts[&found[1]];
    assert_eq!((&several["status"], &several["candidates"]), (&json!("ambiguous"), &json!(["2", "3"])));
    assert_eq!(verdicts[&found[2]]["status"], "unmatched");
    let said = org.run(&line).await.out;
    let several = "ambiguous: 2 rows of customers fit (2, 3); waits for a decision";
    for part in ["stands for row 1 of customers, by email", "ITS COLUMN", "1 matched, 1 ambiguous", several] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(rows(&theirs, "SELECT COUNT(*) FROM sqlite_schema"), 1, "no table is left over");
    assert_eq!(rows(&theirs, "SELECT COUNT(*) FROM customers WHERE phone = 'old'"), 3);

    let imported = org.run(&format!("import acme --mapping {file} --to sqlite:{}", theirs.display())).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    let became: Option<String> =
        database.query_row("SELECT phone FROM customers WHERE id = 1", [], |row| row.get(0)).unwrap();
    assert_eq!(json!(became), change["becomes"], "what was foreseen has happened");
    let record = several_record(&database, &found[1]);
    assert_eq!(org.run(&format!("match ignore acme Contact {record}")).await.code, 0);
    let again = matches(&org.run("map preview acme Contact --records 50 --json").await.json());
    assert_eq!((&again[&found[0]]["status"], &again[&found[0]]["changes"]), (&json!("matched"), &json!([])));
    let ignored = json!({ "record": record, "status": "ignored", "decided_by": "command line" });
    assert_eq!(again[&found[1]], ignored);
}

fn several_record(database: &rusqlite::Connection, email: &str) -> String {
    database.query_row("SELECT Id FROM Contact WHERE email = ?1", [email], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_preview_shows_the_rows_also_when_their_table_cannot_be_reached() {
    let org = Acme::start().await;
    org.connect().await;
    let file = write(&org, WITH_MATCH);
    let line = format!("map preview acme --file {file} --json");
    let away = org.run(&format!("{line} --to postgres://nobody@127.0.0.1:1/crm?connect_timeout=5")).await;
    let preview = away.json()["previews"][0].clone();
    assert_eq!((away.code, preview["records"].as_array().unwrap().len()), (0, 10), "{away:?}");
    assert!(preview["match"]["error"]["message"].as_str().unwrap().contains("cannot be reached"), "{preview}");
    assert!(preview["records"][0]["match"].is_null(), "{preview}");
    let wrong = org.run(&format!("{line} --to mysql://nobody@localhost/crm")).await;
    assert_eq!(wrong.code, 5, "an address that is none is a mistake: {wrong:?}");
}

#[tokio::test]
async fn a_mapping_is_proposed_for_columns_and_fits_the_org() {
    let org = Acme::start().await;
    org.connect().await;
    let file = org.directory.path().join("proposed.toml");
    let line = format!("map suggest acme Contact --columns e_mail,surname,company,shoe_size -o {}", file.display());
    assert_eq!(org.run(&line).await.code, 0);
    let text = std::fs::read_to_string(&file).unwrap();
    for part in
        ["field = \"Email\"", "field = \"LastName\"", "field = \"Account.Name\"", "No field fits \"shoe_size\"", " %: "]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(org.run(&format!("map check acme --file {}", file.display())).await.code, 0);
    let again = org.run(&line).await;
    assert_eq!(again.code, 3, "a file that is there stays: {again:?}");
}

#[tokio::test]
async fn a_mapping_is_proposed_for_a_table_a_schema_file_or_without_either() {
    let org = Acme::start().await;
    org.connect().await;
    for theirs in Place::each(org.directory.path()).await {
        theirs.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, last_name TEXT, email VARCHAR(80))").await;
        let suggested = org.run(&format!("map suggest acme Contact --like people --to {} --json", theirs.to())).await;
        let suggestions = suggested.json()["suggestions"].clone();
        let fields: Vec<_> = suggestions.as_array().unwrap().iter().map(|one| &one["proposed"]["field"]).collect();
        assert_eq!(fields, [&json!(null), &json!("LastName"), &json!("Email")], "an Id is no number: {suggested:?}");
        let missing = org.run(&format!("map suggest acme Contact --like nobody --to {} --json", theirs.to())).await;
        let error = missing.json()["error"].clone();
        assert!(missing.code == 3 && error["message"].as_str().unwrap().contains("nobody"), "{missing:?}");
    }

    let schema = org.directory.path().join("schema.toml");
    std::fs::write(&schema, "[columns]\ncreated_at = \"text\"\n").unwrap();
    let suggested = org.run(&format!("map suggest acme Contact --like {} --json", schema.display())).await.json();
    assert_eq!(
        suggested["mapping"]["columns"],
        json!([{ "field": "CreatedDate", "column": "created_at", "as": "text" }])
    );

    let tidy = org.run("map suggest acme Contact").await.out;
    assert!(tidy.contains("column = \"last_name\"") && tidy.contains("# Left out"), "{tidy}");
    let file = write(&org, &tidy);
    assert_eq!(org.run(&format!("import acme --mapping {file}")).await.code, 0, "{tidy}");
    assert!(rows(&org.data().join("acme.db"), "SELECT COUNT(last_name) FROM Contact") > 0);
}

#[tokio::test]
async fn two_versions_of_a_mapping_and_a_file_are_compared() {
    let org = Acme::start().await;
    org.connect().await;
    assert_eq!(org.run("import acme Contact --fields LastName,Email").await.code, 0);
    let file = write(&org, "object = \"Contact\"\ncolumns = [{ field = \"LastName\" }, { field = \"Phone\" }]\n");
    let added = "+ Phone {\"field\":\"Phone\"}";
    let with_file = org.run(&format!("map diff acme Contact --file {file}")).await.out;
    assert!(
        with_file.contains(added) && with_file.contains("- Email") && !with_file.contains("LastName"),
        "{with_file}"
    );
    assert_eq!(org.run("map diff acme Contact").await.code, 3, "there is no earlier version");
    assert_eq!(org.run(&format!("map set acme --file {file}")).await.code, 0);
    assert_eq!(org.run("map diff acme Contact").await.out, with_file);
    assert_eq!(org.run(&format!("map diff acme Contact --file {file}")).await.out, "no difference\n");
}
