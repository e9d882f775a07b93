//! Changes to a running org, by the library and over HTTP.

use emulator::Effect;
use emulator::Fault;
use emulator::schema::{FieldSpec, FieldType};
use emulator::tree::Unknown;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v60.0";

async fn control(acme: &Acme, method: Method, path: &str, body: Value) -> Seen {
    let request = acme.http.request(method, acme.url(&format!("/__emulator/{path}"))).json(&body);
    Seen::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn every_control_route_of_the_document_is_there_and_takes_its_body() {
    let acme = Acme::start().await;
    let document = include_str!("../../../docs/emulator.md");
    let (_, table) = document.split_once("| request | body | does |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let control_of_acme = acme.emulator.control();
    let mut tried = 0;
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').skip(1).map(|cell| cell.trim_matches([' ', '`'])).collect();
        let (method, path) = cells[0].split_once(' ').unwrap();
        let id = control_of_acme.insert("Account", json!({"Name": "Of this row"})).unwrap().to_string();
        if path.ends_with("undelete") {
            control_of_acme.delete(&id).unwrap();
        }
        let body = if cells[1].is_empty() { Value::Null } else { serde_json::from_str(cells[1]).unwrap() };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for prefix in ["", "orgs/acme/"] {
            let path = format!("{prefix}{}", path.replace("<id>", &id));
            let answer = control(&acme, method.clone(), &path, body.clone()).await;
            let unknown = ["there is no such control route", "the body is not valid"];
            assert!(!unknown.iter().any(|problem| answer.text.contains(problem)), "{row}: {}", answer.text);
        }
        tried += 1;
    }
    assert!(tried > 15, "{tried}");
}

async fn names(acme: &Acme, token: &str, soql: &str) -> Vec<String> {
    let request = acme.request(Method::GET, &format!("{ROOT}/queryAll"), token).query(&[("q", soql)]);
    let body = Seen::of(request.send().await.unwrap()).await.json();
    body["records"].as_array().unwrap().iter().map(|record| record["Name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn records_change_from_outside_with_the_emulated_time() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let org = acme.emulator.control();
    org.advance(std::time::Duration::from_secs(60));
    let id = org.insert("Account", json!({"Name": "From outside"})).unwrap().to_string();
    let record = acme.get(&format!("{ROOT}/sobjects/Account/{id}"), &token).await.json();
    assert_eq!(record["SystemModstamp"], "2026-11-21T09:01:00.000+0000");
    org.update(&id, json!({"Name": "Renamed"})).unwrap();
    org.delete(&id).unwrap();
    assert!(org.delete(&id).is_err());
    let soql = "SELECT Name FROM Account WHERE Name = 'Renamed' AND IsDeleted = true";
    assert_eq!(names(&acme, &token, soql).await, ["Renamed"]);
    org.undelete(&id).unwrap();
    org.purge(&id).unwrap();
    assert_eq!(acme.get(&format!("{ROOT}/sobjects/Account/{id}"), &token).await.status, 404);
}

#[tokio::test]
async fn a_late_commit_shows_with_a_stamp_that_readers_have_passed() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let org = acme.emulator.control();
    let earlier = org.now();
    org.advance(std::time::Duration::from_secs(600));
    org.insert_at("Account", json!({"Name": "Late"}), earlier).unwrap();
    let soql = "SELECT Name FROM Account WHERE Name = 'Late' AND SystemModstamp = 2026-11-21T09:00:00Z";
    assert_eq!(names(&acme, &token, soql).await, ["Late"]);
}

#[tokio::test]
async fn a_field_that_is_added_shows_in_describe_which_is_no_longer_unmodified() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let path = format!("{ROOT}/sobjects/Account/describe");
    let since = acme.get(&path, &token).await.header("last-modified").to_owned();
    acme.emulator.control().advance(std::time::Duration::from_secs(5));
    let field = FieldSpec { name: "Added__c".into(), kind: Some(FieldType::Date), ..FieldSpec::default() };
    acme.emulator.control().declare_field("Account", &field).unwrap();
    let request = acme.request(Method::GET, &path, &token).header("if-modified-since", since);
    let describe = Seen::of(request.send().await.unwrap()).await;
    assert_eq!(describe.status, 200);
    let fields = describe.json()["fields"].clone();
    assert!(fields.as_array().unwrap().iter().any(|field| field["name"] == "Added__c" && field["type"] == "date"));
}

#[tokio::test]
async fn a_tree_of_records_is_loaded_with_its_references() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let records = json!([
        {"attributes": {"type": "Account", "referenceId": "A1"}, "Name": "Tree parent"},
        {"attributes": {"type": "Contact", "referenceId": "C1"}, "LastName": "Tree child", "AccountId": "@A1"},
    ]);
    let records: Vec<emulator::database::Record> = serde_json::from_value(records).unwrap();
    let loaded = acme.emulator.control().load_tree(&records, Unknown::Refuse).unwrap();
    assert_eq!(loaded.len(), 2);
    let soql = "SELECT Name FROM Contact WHERE Account.Name = 'Tree parent'";
    assert_eq!(names(&acme, &token, soql).await, ["Tree child"]);
}

#[tokio::test]
async fn the_same_changes_are_made_over_http() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let created = control(&acme, Method::POST, "records/Account", json!({"Name": "By route"})).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let path = format!("records/Account/{id}");
    assert_eq!(control(&acme, Method::PATCH, &path, json!({"Name": "By other route"})).await.status, 204);
    assert_eq!(names(&acme, &token, "SELECT Name FROM Account WHERE Name LIKE 'By %'").await, ["By other route"]);
    assert_eq!(control(&acme, Method::DELETE, &path, json!({})).await.status, 204);
    assert_eq!(control(&acme, Method::POST, &format!("{path}/undelete"), json!({})).await.status, 204);
    assert_eq!(control(&acme, Method::POST, &format!("{path}/purge"), json!({})).await.status, 204);
    let tree =
        json!({"declare": true, "records": [{"attributes": {"type": "Planet__c"}, "Name": "Mars", "Moons__c": 2}]});
    assert_eq!(control(&acme, Method::POST, "records/tree", tree).await.status, 201);
    assert_eq!(names(&acme, &token, "SELECT Name FROM Planet__c WHERE Moons__c = 2").await, ["Mars"]);
    let refused = control(&acme, Method::POST, "records/Account", json!({"Nope": 1})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("No such column 'Nope'"), "{}", refused.text);
}

#[tokio::test]
async fn clock_sessions_journal_faults_and_jobs_are_reachable_over_http() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let clock = control(&acme, Method::POST, "clock", json!({"seconds": 90})).await.json();
    assert_eq!(clock["now"], "2026-11-21T09:01:30Z");
    assert_eq!(control(&acme, Method::DELETE, "sessions", json!({})).await.status, 204);
    assert_eq!(acme.get(ROOT, &token).await.status, 401);
    let journal = control(&acme, Method::GET, "journal", json!({})).await.json();
    assert_eq!(journal[1]["status"], 401);
    acme.emulator.control().push_fault(Fault::next("*", Effect::Hang));
    assert_eq!(control(&acme, Method::GET, "faults", json!({})).await.json()[0]["effect"]["kind"], "hang");
    assert_eq!(control(&acme, Method::DELETE, "faults", json!({})).await.status, 204);
    assert!(acme.emulator.control().unused_faults().is_empty());

    assert_eq!(control(&acme, Method::PUT, "jobs", json!({"advance": "step"})).await.status, 204);
    let token = acme.sign_in().await;
    let body = json!({"operation": "query", "query": "SELECT Id FROM Account"});
    let job = acme.send(Method::POST, &format!("{ROOT}/jobs/query"), &token, &body).await.json();
    for state in ["InProgress", "JobComplete"] {
        assert_eq!(control(&acme, Method::POST, "jobs/step", json!({})).await.status, 204);
        let path = format!("{ROOT}/jobs/query/{}", job["id"].as_str().unwrap());
        assert_eq!(acme.get(&path, &token).await.json()["state"], state);
    }
    assert_eq!(control(&acme, Method::GET, "nonsense", json!({})).await.status, 404);
}

#[tokio::test]
async fn apps_users_and_switches_change_while_the_org_runs() {
    let acme = Acme::start().await;
    let app = json!({
        "name": "Made in a test", "kind": "connected_app", "consumer_key": "made-in-a-test",
        "consumer_secret": "its-secret", "scopes": ["api"], "client_credentials": {"run_as": "admin@acme.example"},
    });
    let sign_in = async || acme.client_credentials("made-in-a-test", "its-secret").await;
    assert_eq!(sign_in().await.oauth_error().0, "invalid_client_id");
    assert_eq!(control(&acme, Method::PUT, "apps", app).await.status, 204);
    assert_eq!(sign_in().await.status, 200);

    let admin = json!({"username": "admin@acme.example", "last_name": "Admin", "profile": "System Administrator", "active": false});
    assert_eq!(control(&acme, Method::PUT, "users", admin).await.status, 204);
    assert_eq!(sign_in().await.oauth_error().1, "inactive user");
    let stranger = json!({"username": "new@acme.example", "last_name": "New", "profile": "System Administrator"});
    let refused = control(&acme, Method::PUT, "users", stranger).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("not added"), "{}", refused.text);

    let org = json!({"id": "00DgL000000ACME", "name": "Acme", "my_domain": "acme", "state": "locked"});
    assert_eq!(control(&acme, Method::PUT, "org", org).await.status, 204);
    assert_eq!(sign_in().await.oauth_error().0, "inactive_org");
    let renamed = json!({"id": "00DgL000000ACME", "name": "Acme", "my_domain": "other"});
    assert_eq!(control(&acme, Method::PUT, "org", renamed).await.status, 400);

    assert_eq!(control(&acme, Method::DELETE, "apps/made-in-a-test", Value::Null).await.status, 204);
    assert_eq!(sign_in().await.oauth_error().0, "invalid_client_id");
}
