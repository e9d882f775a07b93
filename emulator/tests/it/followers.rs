//! Rows that follow from writes: histories of fields and shares of owners. And orgs that are large, or change their shape.

use std::collections::BTreeSet;
use std::time::Duration;

use emulator::{Control, Deed, History, Scenario};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v60.0";

async fn start(change: impl FnOnce(&mut Scenario)) -> (Acme, String) {
    let acme = Acme::start_with(|scenario| {
        scenario.rows.clear();
        change(scenario);
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    (acme, token)
}

async fn query(acme: &Acme, token: &str, soql: &str) -> Vec<Value> {
    let request = acme.request(Method::GET, &format!("{ROOT}/query"), token).query(&[("q", soql)]);
    let answer = Seen::of(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{soql}: {}", answer.text);
    answer.json()["records"].as_array().unwrap().clone()
}

fn tracking(scenario: &mut Scenario) {
    let fields = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    scenario.field_history.insert("Account".to_owned(), fields(&["Name", "AnnualRevenue", "OwnerId", "Description"]));
    scenario.field_history.insert("Invoice__c".to_owned(), fields(&["Status__c"]));
    scenario.field_history.insert("Opportunity".to_owned(), fields(&["Amount"]));
}

fn user(control: &Control, username: &str) -> String {
    let users = control.records("User");
    users.iter().find(|user| user["Username"] == username).unwrap()["Id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn changes_of_tracked_fields_are_written_into_the_history_with_the_time_and_the_author_of_the_write() {
    let (acme, token) = start(tracking).await;
    let control = acme.emulator.control();
    let sam = user(control, "sam@acme.example");
    let body = json!({"Name": "One", "Phone": "1"});
    let created = acme.send(Method::POST, &format!("{ROOT}/sobjects/Account"), &token, &body).await.json();
    let id = created["id"].as_str().unwrap();
    control.advance(Duration::from_secs(60));
    let change = json!({"Name": "Two", "Phone": "2", "AnnualRevenue": 5, "OwnerId": sam, "Description": "long"});
    assert_eq!(acme.send(Method::PATCH, &format!("{ROOT}/sobjects/Account/{id}"), &token, &change).await.status, 204);
    assert_eq!(
        acme.send(Method::PATCH, &format!("{ROOT}/sobjects/Account/{id}"), &token, &json!({"Phone": "3"})).await.status,
        204
    );
    let soql = "SELECT AccountId, Account.Name, Field, DataType, OldValue, NewValue, CreatedDate, CreatedBy.Name FROM \
                AccountHistory ORDER BY Id";
    let rows = query(&acme, &token, soql).await;
    let seen: Vec<[&Value; 4]> =
        rows.iter().map(|row| [&row["Field"], &row["DataType"], &row["OldValue"], &row["NewValue"]]).collect();
    let admin = user(control, "admin@acme.example");
    let expected = [
        json!(["created", "Text", null, null]),
        json!(["Name", "Text", "One", "Two"]),
        json!(["AnnualRevenue", "Currency", null, 5]),
        json!(["Owner", "Text", "Ada Admin", "Sam Standard"]),
        json!(["Owner", "EntityId", admin, sam]),
        json!(["Description", "TextArea", null, null]),
    ];
    assert_eq!(json!(seen), json!(expected));
    assert_eq!(
        (&rows[0]["CreatedDate"], &rows[1]["CreatedDate"]),
        (&json!("2026-11-21T09:00:00.000+0000"), &json!("2026-11-21T09:01:00.000+0000"))
    );
    assert_eq!((&rows[0]["CreatedBy"]["Name"], &rows[0]["AccountId"]), (&json!("Ada Admin"), &json!(id)));

    control.insert("Opportunity", json!({"Name": "o", "StageName": "Prospecting", "CloseDate": "2026-12-01"})).unwrap();
    assert_eq!(query(&acme, &token, "SELECT Id FROM OpportunityFieldHistory").await.len(), 1);
    control.delete(id).unwrap();
    assert!(query(&acme, &token, "SELECT Id FROM AccountHistory").await.is_empty(), "deleted with their account");
}

#[tokio::test]
async fn history_and_share_go_with_a_record_that_is_gone_for_good() {
    let (acme, token) = start(|scenario| {
        tracking(scenario);
        scenario.shares = vec!["Account".to_owned()];
    })
    .await;
    let control = acme.emulator.control();
    for binned_before in [false, true] {
        let id = control.insert("Account", json!({"Name": "One"})).unwrap().to_string();
        control.update(&id, json!({"Name": "Two"})).unwrap();
        let count = async |object: &str| {
            query(&acme, &token, &format!("SELECT Id FROM {object} WHERE AccountId = '{id}'")).await.len()
        };
        assert_eq!((count("AccountHistory").await, count("AccountShare").await), (2, 1));
        if binned_before {
            control.delete(&id).unwrap();
            assert_eq!((count("AccountHistory").await, count("AccountShare").await), (0, 0));
        }
        control.purge(&id).unwrap();
        assert_eq!((count("AccountHistory").await, count("AccountShare").await), (0, 0), "{binned_before}");
    }
}

#[tokio::test]
async fn a_custom_object_has_a_history_and_one_that_is_not_tracked_has_none() {
    let (acme, token) = start(tracking).await;
    let control = acme.emulator.control();
    let id = control.insert("Invoice__c", json!({})).unwrap().to_string();
    let transaction = control.begin();
    control.in_transaction(transaction).update(&id, json!({"Status__c": "Sent"})).unwrap();
    let soql = "SELECT ParentId, Field, OldValue, NewValue FROM Invoice__History WHERE Field = 'Status__c'";
    assert!(query(&acme, &token, soql).await.is_empty(), "not before the commit");
    control.commit(transaction).unwrap();
    let row = &query(&acme, &token, soql).await[0];
    assert_eq!((&row["ParentId"], &row["OldValue"], &row["NewValue"]), (&json!(id), &json!("Draft"), &json!("Sent")));
    let lost = control.begin();
    control.in_transaction(lost).update(&id, json!({"Status__c": "Paid"})).unwrap();
    control.roll_back(lost).unwrap();
    assert_eq!(query(&acme, &token, soql).await.len(), 1);
    assert_eq!(acme.get(&format!("{ROOT}/sobjects/ContactHistory/describe"), &token).await.status, 404);
    let describe = acme.get(&format!("{ROOT}/sobjects/Invoice__History/describe"), &token).await.json();
    let cursors: Vec<&str> = ["SystemModstamp", "LastModifiedDate", "CreatedDate"]
        .into_iter()
        .filter(|name| describe["fields"].as_array().unwrap().iter().any(|field| field["name"] == *name))
        .collect();
    assert_eq!((cursors, &describe["createable"]), (vec!["CreatedDate"], &json!(false)));
    let tracked = "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Invoice__c' AND \
                   IsFieldHistoryTracked = true";
    assert_eq!(query(&acme, &token, tracked).await.len(), 1);
}

#[tokio::test]
async fn owners_of_private_objects_have_a_share_that_follows_them() {
    let (acme, token) = start(|scenario| {
        scenario.rows.insert("Account".to_owned(), 30);
        scenario.shares = vec!["Account".to_owned(), "Invoice__c".to_owned()];
    })
    .await;
    let control = acme.emulator.control();
    let owners = query(&acme, &token, "SELECT Id, OwnerId FROM Account").await;
    let shares =
        query(&acme, &token, "SELECT AccountId, UserOrGroupId, AccountAccessLevel, RowCause FROM AccountShare").await;
    let pairs = |rows: &[Value], keys: [&str; 2]| -> BTreeSet<String> {
        rows.iter().map(|row| format!("{} {}", row[keys[0]], row[keys[1]])).collect()
    };
    assert_eq!(pairs(&owners, ["Id", "OwnerId"]), pairs(&shares, ["AccountId", "UserOrGroupId"]));
    assert_eq!((&shares[0]["AccountAccessLevel"], &shares[0]["RowCause"]), (&json!("All"), &json!("Owner")));

    let id = control.insert("Invoice__c", json!({})).unwrap().to_string();
    let soql =
        format!("SELECT UserOrGroupId, AccessLevel, LastModifiedDate FROM Invoice__Share WHERE ParentId = '{id}'");
    let sam = user(control, "sam@acme.example");
    control.advance(Duration::from_secs(5));
    control.update(&id, json!({"Text__c": "x"})).unwrap();
    assert_eq!(query(&acme, &token, &soql).await[0]["LastModifiedDate"], "2026-11-21T09:00:00.000+0000");
    control.update(&id, json!({"OwnerId": sam})).unwrap();
    let share = query(&acme, &token, &soql).await;
    assert_eq!((share.len(), &share[0]["UserOrGroupId"], &share[0]["AccessLevel"]), (1, &json!(sam), &json!("All")));
    assert_eq!(share[0]["LastModifiedDate"], "2026-11-21T09:00:05.000+0000");
    control.delete(&id).unwrap();
    assert!(query(&acme, &token, &soql).await.is_empty());
    control.undelete(&id).unwrap();
    assert_eq!(query(&acme, &token, &soql).await.len(), 1);
}

#[tokio::test]
async fn a_large_org_starts_and_describes_itself() {
    let (acme, token) = start(|scenario| {
        let toml = "objects = 2000\nfields = 12\nwidest = 800\nrows = 3";
        scenario.volume = toml::from_str(toml).unwrap();
    })
    .await;
    let global = acme.get(&format!("{ROOT}/sobjects"), &token).await.json();
    assert!(global["sobjects"].as_array().unwrap().len() > 2000);
    let wide = acme.get(&format!("{ROOT}/sobjects/Volume_1__c/describe"), &token).await.json();
    assert!(wide["fields"].as_array().unwrap().len() > 800);
    assert_eq!(query(&acme, &token, "SELECT Id, Field_799__c FROM Volume_1__c").await.len(), 3);
    assert_eq!(query(&acme, &token, "SELECT Id FROM Volume_2000__c").await.len(), 3);
    let prefixes: BTreeSet<&str> =
        global["sobjects"].as_array().unwrap().iter().filter_map(|object| object["keyPrefix"].as_str()).collect();
    assert_eq!(prefixes.len(), global["sobjects"].as_array().unwrap().len(), "every object has a prefix of its own");
    let names = "SELECT QualifiedApiName FROM EntityDefinition WHERE KeyPrefix != null LIMIT 5";
    assert_eq!(query(&acme, &token, names).await.len(), 5);
    let children = "SELECT QualifiedApiName, (SELECT QualifiedApiName FROM Fields) FROM EntityDefinition WHERE \
                    QualifiedApiName IN ('Volume_1__c', 'Volume_2__c') ORDER BY QualifiedApiName";
    let records = query(&acme, &token, children).await;
    let of_wide = &records[0]["Fields"];
    let rest = acme.get(of_wide["nextRecordsUrl"].as_str().unwrap(), &token).await.json();
    let seen: BTreeSet<&str> = [&of_wide["records"], &rest["records"]]
        .into_iter()
        .flat_map(|page| page.as_array().unwrap())
        .map(|field| field["QualifiedApiName"].as_str().unwrap())
        .collect();
    let total = usize::try_from(of_wide["totalSize"].as_u64().unwrap()).unwrap();
    assert!(total > 800 && seen.len() == total && seen.contains("Field_800__c"), "{} of {total}", seen.len());
    assert!(records[1]["Fields"]["records"].as_array().unwrap().len() > 12);
}

#[tokio::test]
async fn a_history_may_change_the_shape_of_objects_and_is_the_same_for_the_same_seed() {
    let walk = async || {
        let (acme, token) = start(|scenario| {
            scenario.rows.insert("Account".to_owned(), 20);
            scenario.rows.insert("Contact".to_owned(), 20);
        })
        .await;
        let control = acme.emulator.control();
        let mut history = History::new(11, &["Account", "Contact", "Invoice__c"]).changing_shapes();
        let steps = control.wander(&mut history, 600);
        control.settle(&mut history);
        let fields = acme.get(&format!("{ROOT}/sobjects/Contact/describe"), &token).await.json()["fields"].clone();
        (steps, control.records("Contact"), fields)
    };
    let (first, records, fields) = walk().await;
    let kinds: BTreeSet<String> =
        first.iter().map(|step| serde_json::to_value(step).unwrap()["deed"].to_string()).collect();
    for deed in
        ["add_field", "remove_field", "rename_field", "retype_field", "hide_field", "show_field", "merge", "undelete"]
    {
        assert!(kinds.contains(&format!("\"{deed}\"")), "{deed} in {kinds:?}");
    }
    assert!(
        !first.iter().any(|step| matches!(step.deed, Deed::Refused { ref reason } if reason.contains("INVALID_TYPE")))
    );
    let second = walk().await;
    assert_eq!((first, records, fields), second);
}
