//! What a scenario demands of rows, and rows that are refused on demand.

use emulator::database::{DeletedParents, Rules, StatusCode};
use emulator::{Effect, Fault, Scenario};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};
use crate::rest::query;

const ROOT: &str = "/services/data/v60.0";

const RULES: &str = r#"
    [[validations]]
    object = "Opportunity"
    message = "A deal that is won has an amount."
    field = "Amount"
    when = [{ field = "StageName", is = { equals = "closed won" } }, { field = "Amount", is = "blank" }]

    [[validations]]
    object = "Opportunity"
    message = "The amount of a deal never changes."
    when = [{ field = "Amount", is = "changed" }, { field = "Amount", is = { above = 1000 } }]

    [[duplicates]]
    name = "Same_Name_And_Phone"
    object = "Account"
    fields = ["Name", "Phone"]

    [[duplicates]]
    name = "Same_Site"
    object = "Account"
    fields = ["Site"]
    action = "block"
    message = "There is one already."
"#;

fn rules(scenario: &mut Scenario) {
    scenario.rules = toml::from_str(RULES).unwrap();
}

async fn create(acme: &Acme, token: &str, object: &str, record: &Value) -> Seen {
    acme.send(Method::POST, &format!("{ROOT}/sobjects/{object}"), token, record).await
}

#[tokio::test]
async fn a_validation_rule_refuses_rows_while_its_conditions_hold() {
    let acme = Acme::start_with(rules).await;
    let token = acme.sign_in_as_admin().await;
    let deal = |stage: &str, amount: Value| json!({"Name": "d", "CloseDate": "2026-12-01", "StageName": stage, "Amount": amount});
    let refused = create(&acme, &token, "Opportunity", &deal("Closed Won", Value::Null)).await;
    let expected = json!([{
        "message": "A deal that is won has an amount.",
        "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "fields": ["Amount"],
    }]);
    assert_eq!((refused.status, refused.json()), (400, expected));
    let open = create(&acme, &token, "Opportunity", &deal("Prospecting", Value::Null)).await;
    let id = open.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{ROOT}/sobjects/Opportunity/{id}");
    let patch = async |change: Value| acme.send(Method::PATCH, &path, &token, &change).await;
    assert_eq!(patch(json!({"StageName": "Closed Won"})).await.code(), "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    assert_eq!(patch(json!({"StageName": "Closed Won", "Amount": 1000})).await.status, 204);
    let changed = patch(json!({"Amount": 1000.5})).await;
    assert_eq!(changed.json()[0]["message"], "The amount of a deal never changes.");
    assert_eq!(changed.json()[0]["fields"], json!([]));
}

#[tokio::test]
async fn a_duplicate_rule_warns_with_what_it_found_and_lets_those_pass_who_insist() {
    let acme = Acme::start_with(rules).await;
    let token = acme.sign_in_as_admin().await;
    let record = json!({"Name": "Twin", "Phone": "1"});
    let first = create(&acme, &token, "Account", &record).await.json()["id"].clone();
    assert_eq!(create(&acme, &token, "Account", &json!({"Name": "Twin"})).await.status, 201, "a blank is no duplicate");
    let refused = create(&acme, &token, "Account", &json!({"Name": "TWIN", "Phone": "1"})).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "DUPLICATES_DETECTED"));
    let found = refused.json()[0]["duplicateResut"].clone();
    assert_eq!((&found["allowSave"], &found["duplicateRule"]), (&json!(true), &json!("Same_Name_And_Phone")));
    assert_eq!(found["matchResults"][0]["matchRecords"][0]["record"]["Id"], first);
    assert_eq!(refused.json()[0]["message"], "Use one of these records?");
    let insist = async |record: &Value| {
        let request = acme.request(Method::POST, &format!("{ROOT}/sobjects/Account"), &token).json(record);
        let header = "allowSave=true; includeRecordDetails=true";
        Seen::of(request.header("Sforce-Duplicate-Rule-Header", header).send().await.unwrap()).await
    };
    assert_eq!(insist(&record).await.status, 201);

    create(&acme, &token, "Account", &json!({"Name": "a", "Site": "here"})).await;
    let blocked = insist(&json!({"Name": "b", "Site": "here"})).await;
    assert_eq!(blocked.json()[0]["message"], "There is one already.");
    let collection = json!({"records": [{"attributes": {"type": "Account"}, "Name": "c", "Site": "here"}]});
    let rows = acme.send(Method::POST, &format!("{ROOT}/composite/sobjects"), &token, &collection).await.json();
    let error = json!({"statusCode": "DUPLICATES_DETECTED", "message": "There is one already.", "fields": []});
    assert_eq!(rows[0]["errors"], json!([error]));
}

#[tokio::test]
async fn a_rule_of_what_there_is_not_keeps_the_scenario_from_starting() {
    let acme = include_str!("../../scenarios/acme.toml");
    for (rule, reason) in [
        ("object = \"Nope\"\nname = \"r\"\nfields = []", "Nope, which does not exist"),
        ("object = \"Account\"\nname = \"r\"\nfields = [\"Nope\"]", "the field Nope, which does not exist"),
    ] {
        let refusal = Scenario::from_toml(&format!("{acme}\n[[rules.duplicates]]\n{rule}")).unwrap_err().to_string();
        assert!(refusal.contains(reason), "{refusal}");
    }
}

#[tokio::test]
async fn a_full_org_takes_no_more_records_but_lets_them_change() {
    let acme = Acme::start_with(|scenario| {
        scenario.rows.clear();
        scenario.limits.data_storage_megabytes = Some(1);
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    let account = |number: usize| json!({"attributes": {"type": "Account"}, "Name": format!("n{number}")});
    let path = format!("{ROOT}/composite/sobjects");
    let mut full = Value::Null;
    for batch in 0..3 {
        let records: Vec<Value> = (0..200).map(|number| account(batch * 200 + number)).collect();
        let rows = acme.send(Method::POST, &path, &token, &json!({"records": records})).await.json();
        full = rows[199].clone();
    }
    assert_eq!(full["errors"][0]["statusCode"], "STORAGE_LIMIT_EXCEEDED", "{full}");
    let limits = acme.get(&format!("{ROOT}/limits"), &token).await.json();
    assert_eq!(limits["DataStorageMB"], json!({"Max": 1, "Remaining": 0}));
    let id = query(&acme, &token, "SELECT Id FROM Account LIMIT 1").await.json()["records"][0]["Id"].clone();
    let path = format!("{ROOT}/sobjects/Account/{}", id.as_str().unwrap());
    assert_eq!(acme.send(Method::PATCH, &path, &token, &json!({"Phone": "1"})).await.status, 204);
}

#[tokio::test]
async fn lookups_of_a_deleted_parent_are_kept_or_cleared_as_the_scenario_says() {
    for deleted_parents in [DeletedParents::Kept, DeletedParents::Cleared] {
        let rules = Rules { deleted_parents, ..Rules::default() };
        let acme = Acme::start_with(|scenario| scenario.rules = rules).await;
        let token = acme.sign_in_as_admin().await;
        let control = acme.emulator.control();
        let parent = control.insert("Account", json!({"Name": "P"})).unwrap().to_string();
        let child = control.insert("Account", json!({"Name": "C", "ParentId": parent})).unwrap();
        control.advance(std::time::Duration::from_secs(60));
        let stamps = async || {
            let soql = format!("SELECT ParentId, SystemModstamp FROM Account WHERE Id = '{child}'");
            let record = query(&acme, &token, &soql).await.json()["records"][0].clone();
            (record["ParentId"].clone(), record["SystemModstamp"].clone())
        };
        let before = stamps().await;
        acme.send(Method::DELETE, &format!("{ROOT}/sobjects/Account/{parent}"), &token, &Value::Null).await;
        let expected = match deleted_parents {
            DeletedParents::Kept => before.clone(),
            DeletedParents::Cleared => (Value::Null, before.1.clone()),
        };
        assert_eq!(stamps().await, expected);
        control.undelete(&parent).unwrap();
        assert_eq!(stamps().await, before);
    }
}

#[tokio::test]
async fn the_nth_row_of_a_write_is_refused_on_demand_whatever_the_route() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let control = acme.emulator.control();
    let locked = Effect::RefusedRow {
        status_code: StatusCode::UnableToLockRow,
        message: "unable to obtain exclusive access to this record".into(),
        fields: Vec::new(),
    };
    control.push_fault(Fault { nth: 2, ..Fault::next("INSERT Account", locked.clone()) });
    control.push_fault(Fault::next("UPDATE *", locked));
    let record = |name: &str| json!({"attributes": {"type": "Account"}, "Name": name});
    let records = json!({"records": [record("a"), record("b"), record("c")]});
    let rows = acme.send(Method::POST, &format!("{ROOT}/composite/sobjects"), &token, &records).await.json();
    let successes: Vec<bool> = rows.as_array().unwrap().iter().map(|row| row["success"].as_bool().unwrap()).collect();
    assert_eq!(successes, [true, false, true], "{rows}");
    assert_eq!(rows[1]["errors"][0]["statusCode"], "UNABLE_TO_LOCK_ROW");
    let path = format!("{ROOT}/sobjects/Account/{}", rows[0]["id"].as_str().unwrap());
    let refused = acme.send(Method::PATCH, &path, &token, &json!({"Phone": "1"})).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "UNABLE_TO_LOCK_ROW"));
    assert_eq!(acme.send(Method::PATCH, &path, &token, &json!({"Phone": "1"})).await.status, 204);
    assert!(control.unused_faults().is_empty());

    let fault = json!({"on": "DELETE Account", "effect": {
        "kind": "refused_row", "status_code": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": "Trigger: execution of BeforeDelete"}});
    let push = acme.http.post(acme.url("/__emulator/faults")).json(&fault);
    assert_eq!(push.send().await.unwrap().status(), 204);
    let refused = acme.send(Method::DELETE, &path, &token, &Value::Null).await;
    assert_eq!(refused.code(), "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
}

#[tokio::test]
async fn one_more_request_is_refused_while_too_many_have_been_running_for_long() {
    let acme = Acme::start_with(|scenario| scenario.limits.concurrent_long_requests = 1).await;
    let token = acme.sign_in().await;
    let path = format!("{ROOT}/sobjects/Account/listviews");
    let control = acme.emulator.control();
    control.push_fault(Fault::next("GET */listviews", Effect::Hang));
    let hanging = acme.get(&path, &token);
    let meanwhile = async {
        acme.faults_struck().await;
        assert_eq!(acme.get(&path, &token).await.status, 200, "it has not been running for long");
        control.advance(std::time::Duration::from_secs(20));
        let refused = acme.get(&path, &token).await;
        let message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
        let expected = json!([{"message": message, "errorCode": "REQUEST_LIMIT_EXCEEDED"}]);
        assert_eq!((refused.status, refused.json()), (403, expected));
        loop {
            control.release();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = hanging => assert_eq!(answer.status, 200),
        () = meanwhile => unreachable!(),
    }
    assert_eq!(acme.get(&path, &token).await.status, 200);
}
