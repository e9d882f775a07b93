//! Objects and fields that change while the org runs.

use std::time::Duration;

use emulator::schema::{FieldSpec, FieldType};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v60.0";

async fn query(acme: &Acme, token: &str, soql: &str) -> Seen {
    let path = format!("{ROOT}/query");
    Seen::of(acme.request(Method::GET, &path, token).query(&[("q", soql)]).send().await.unwrap()).await
}

async fn all(acme: &Acme, token: &str, soql: &str) -> Vec<Value> {
    let answer = query(acme, token, soql).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["records"].as_array().unwrap().clone()
}

fn spec(name: &str, kind: FieldType) -> FieldSpec {
    FieldSpec { name: name.into(), kind: Some(kind), ..FieldSpec::default() }
}

#[tokio::test]
async fn a_field_that_is_added_is_empty_in_rows_that_exist_and_has_its_default_in_others() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let control = acme.emulator.control();
    let default = Some("7".to_owned());
    control.declare_field("Account", &FieldSpec { default, ..spec("Weight__c", FieldType::Double) }).unwrap();
    let default = Some("true".to_owned());
    control.declare_field("Account", &FieldSpec { default, ..spec("Checked__c", FieldType::Boolean) }).unwrap();
    let known = &all(&acme, &token, "SELECT Id, Weight__c, Checked__c FROM Account LIMIT 1").await[0];
    assert_eq!((&known["Weight__c"], &known["Checked__c"]), (&Value::Null, &json!(false)));
    control.update(known["Id"].as_str().unwrap(), json!({"Phone": "1"})).unwrap();
    control.insert("Account", json!({"Name": "Later"})).unwrap();
    let later = &all(&acme, &token, "SELECT Weight__c, Checked__c FROM Account WHERE Name = 'Later'").await[0];
    assert_eq!((later["Weight__c"].as_f64(), &later["Checked__c"]), (Some(7.0), &json!(true)));
    assert_eq!(all(&acme, &token, "SELECT Id FROM Account WHERE Checked__c = true").await.len(), 1);
}

#[tokio::test]
async fn a_field_that_is_removed_leaves_the_others_as_they_were_and_is_no_such_column() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let control = acme.emulator.control();
    let touched = control.records("Contact")[3]["Id"].as_str().unwrap().to_owned();
    control.update(&touched, json!({"Level__c": "Primary", "Notes__c": "kept"})).unwrap();
    let transaction = control.begin();
    control.in_transaction(transaction).update(&touched, json!({"Member_Since__c": "2026-01-02"})).unwrap();
    let before = control.records("Contact");
    for field in ["Level__c", "OtherAddress"] {
        control.remove_field("Contact", field).unwrap();
    }
    for (old, new) in before.iter().zip(control.records("Contact")) {
        let kept = old.iter().filter(|(name, _)| *name != "Level__c" && !name.starts_with("Other"));
        assert_eq!(
            kept.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>(),
            new.into_iter().collect::<Vec<_>>()
        );
    }
    control.commit(transaction).unwrap();
    let soql = format!("SELECT Member_Since__c, Notes__c FROM Contact WHERE Id = '{touched}'");
    let record = &all(&acme, &token, &soql).await[0];
    assert_eq!((&record["Member_Since__c"], &record["Notes__c"]), (&json!("2026-01-02"), &json!("kept")));
    let refused = query(&acme, &token, "SELECT Level__c FROM Contact").await;
    assert!(refused.text.contains("No such column 'Level__c' on entity 'Contact'"), "{}", refused.text);
    assert!(control.remove_field("Contact", "SystemModstamp").is_err());
    assert!(control.remove_field("Contact", "OtherCity").is_err());
}

#[tokio::test]
async fn a_field_of_another_type_or_name_keeps_what_fits_and_moves_no_stamp() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let control = acme.emulator.control();
    control.update(control.records("Contact")[0]["Id"].as_str().unwrap(), json!({"Score__c": 12.5})).unwrap();
    let before = control.records("Contact");
    control.advance(Duration::from_secs(60));
    control.retype_field("Contact", &FieldSpec { length: Some(30), ..spec("Score__c", FieldType::String) }).unwrap();
    control.retype_field("Contact", &spec("Languages__c", FieldType::Date)).unwrap();
    control.rename_field("Contact", "Notes__c", "Remarks__c").unwrap();
    let records = all(&acme, &token, "SELECT Score__c, Languages__c, Remarks__c, SystemModstamp FROM Contact").await;
    assert_eq!(records[0]["Score__c"], "12.5");
    let rest_time = |value: &Value| value.as_str().unwrap().to_owned();
    for (old, new) in before.iter().zip(&records) {
        let number = |value: &Value| value.as_str().map(|text| text.parse::<f64>().unwrap()).or(value.as_f64());
        assert_eq!(number(&old["Score__c"]), number(&new["Score__c"]));
        assert_eq!((&old["Notes__c"], &Value::Null), (&new["Remarks__c"], &new["Languages__c"]));
        assert_eq!(rest_time(&old["SystemModstamp"]), rest_time(&new["SystemModstamp"]));
    }
    assert_eq!(query(&acme, &token, "SELECT Notes__c FROM Contact").await.status, 400);
}

#[tokio::test]
async fn hidden_fields_and_objects_do_not_exist_and_describe_is_modified_each_time() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let control = acme.emulator.control();
    let path = format!("{ROOT}/sobjects/Contact/describe");
    let mut known = acme.get(&path, &token).await.header("last-modified").to_owned();
    let mut describe = async || {
        let request = acme.request(Method::GET, &path, &token).header("if-modified-since", &known);
        let answer = Seen::of(request.send().await.unwrap()).await;
        known = answer.header("last-modified").to_owned();
        answer
    };
    assert_eq!(describe().await.status, 304);
    control.hide_field("Contact", "Phone").unwrap();
    let without = describe().await;
    assert!(!without.text.contains("\"name\":\"Phone\""), "hidden from the administrator too");
    assert_eq!(query(&acme, &token, "SELECT Phone FROM Contact").await.code(), "INVALID_FIELD");
    control.show_field("Contact", "Phone").unwrap();
    assert!(describe().await.text.contains("\"name\":\"Phone\""));
    control.hide_object("Contact").unwrap();
    assert_eq!(describe().await.status, 404);
    assert_eq!(query(&acme, &token, "SELECT Id FROM Contact").await.code(), "INVALID_TYPE");
    control.show_object("Contact").unwrap();
    assert_eq!(query(&acme, &token, "SELECT Id FROM Contact").await.status, 200);
    assert!(control.hide_field("Contact", "Nope").is_err());
}

#[tokio::test]
async fn a_job_that_runs_after_a_change_reads_its_columns_or_fails_for_want_of_one() {
    let acme = Acme::start_with(|scenario| scenario.bulk.advance = emulator::scenario::Advance::Step).await;
    let token = acme.sign_in_as_admin().await;
    let control = acme.emulator.control();
    let jobs = format!("{ROOT}/jobs/query");
    let mut ids = Vec::new();
    for soql in ["SELECT Id, Score__c, Newsletter__c FROM Contact", "SELECT Id, Level__c FROM Contact"] {
        let created =
            acme.send(Method::POST, &jobs, &token, &json!({"operation": "query", "query": soql})).await.json();
        ids.push(created["id"].as_str().unwrap().to_owned());
    }
    let expected = control.records("Contact")[0].clone();
    control.remove_field("Contact", "Level__c").unwrap();
    control.step_jobs();
    control.step_jobs();
    let page = acme.get(&format!("{jobs}/{}/results", ids[0]), &token).await;
    let line = page.text.lines().nth(1).unwrap();
    let newsletter = format!("\"{}\"", expected["Newsletter__c"]);
    assert!(
        line.starts_with(&format!("\"{}\"", expected["Id"].as_str().unwrap())) && line.ends_with(&newsletter),
        "{line}"
    );
    let failed = acme.get(&format!("{jobs}/{}", ids[1]), &token).await.json();
    assert_eq!(failed["state"], "Failed");
    assert!(
        failed["errorMessage"].as_str().unwrap().starts_with("InvalidBatch : Failed to process query: INVALID_FIELD")
    );
}
