//! Mappings are checked, changed, and kept as they were.

use serde_json::json;

use crate::org::{Acme, rows};

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
