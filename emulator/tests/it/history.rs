//! What happens to records over time: open transactions, merges, the recycle bin, archives.

use std::time::Duration;

use emulator::{Control, ControlError};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v60.0";

struct Org {
    acme: Acme,
    token: String,
}

impl Org {
    async fn start() -> Self {
        let acme = Acme::start().await;
        let token = acme.sign_in_as_admin().await;
        Self { acme, token }
    }

    fn control(&self) -> &Control {
        self.acme.emulator.control()
    }

    fn wait(&self, minutes: u64) {
        self.control().advance(Duration::from_secs(minutes * 60));
    }

    async fn ask(&self, resource: &str, soql: &str) -> Vec<Value> {
        let path = format!("{ROOT}/{resource}");
        let request = self.acme.request(Method::GET, &path, &self.token).query(&[("q", soql)]);
        let answer = Seen::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["records"].as_array().unwrap().clone()
    }

    async fn query(&self, soql: &str) -> Vec<Value> {
        self.ask("query", soql).await
    }

    async fn query_all(&self, soql: &str) -> Vec<Value> {
        self.ask("queryAll", soql).await
    }

    /// `updated` or `deleted` of an object between two times of the scenario's day.
    async fn changes(&self, object: &str, kind: &str, from: &str, until: &str) -> Value {
        let path = format!("{ROOT}/sobjects/{object}/{kind}/?start=2026-11-21T{from}:00Z&end=2026-11-21T{until}:00Z");
        let answer = self.acme.get(&path, &self.token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn control_route(&self, method: Method, path: &str, body: Value) -> Seen {
        let url = self.acme.url(&format!("/__emulator/{path}"));
        Seen::of(self.acme.http.request(method, url).json(&body).send().await.unwrap()).await
    }
}

fn refusal(result: Result<(), ControlError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn an_open_transaction_shows_at_commit_with_the_stamps_of_its_statements_and_holds_the_watermark_back() {
    let org = Org::start().await;
    let control = org.control();
    let known = control.insert("Account", json!({"Name": "Known"})).unwrap().to_string();
    org.wait(5);
    let transaction = control.begin();
    org.wait(5);
    let inside = control.in_transaction(transaction);
    let parent = inside.insert("Account", json!({"Name": "Inside"})).unwrap().to_string();
    inside.insert("Contact", json!({"LastName": "Inside", "AccountId": parent})).unwrap();
    inside.update(&known, json!({"Name": "Known inside"})).unwrap();
    org.wait(90);

    assert!(org.query("SELECT Id FROM Account WHERE Name LIKE '%nside'").await.is_empty());
    for kind in ["updated", "deleted"] {
        let answer = org.changes("Account", kind, "08:00", "11:00").await;
        assert_eq!(answer["latestDateCovered"], "2026-11-21T09:05:00.000+0000", "{kind}");
    }
    let locked =
        format!("UNABLE_TO_LOCK_ROW: unable to obtain exclusive access to this record or 1 records: {}", &known[..15]);
    assert_eq!(refusal(control.update(&known, json!({"Name": "Other"}))), locked);
    assert_eq!(refusal(control.delete(&known)), locked);

    control.commit(transaction).unwrap();
    let soql = "SELECT Name FROM Account WHERE SystemModstamp = 2026-11-21T09:10:00Z ORDER BY Name";
    let names: Vec<Value> = org.query(soql).await.iter().map(|record| record["Name"].clone()).collect();
    assert_eq!(names, ["Inside", "Known inside"]);
    assert_eq!(org.query("SELECT Id FROM Contact WHERE Account.Name = 'Inside'").await.len(), 1);
    let after = org.changes("Account", "updated", "08:00", "11:00").await;
    assert_eq!(after["latestDateCovered"], "2026-11-21T10:40:00.000+0000");
    control.update(&known, json!({"Name": "Other"})).unwrap();
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_leaves_nothing_but_a_gap_in_the_ids() {
    let org = Org::start().await;
    let control = org.control();
    let kept = control.insert("Account", json!({"Name": "Kept"})).unwrap().to_string();
    let transaction = control.begin();
    let lost = control.in_transaction(transaction).insert("Account", json!({"Name": "Lost"})).unwrap();
    control.in_transaction(transaction).delete(&kept).unwrap();
    assert!(control.in_transaction(transaction).insert("Account", json!({"Nope": 1})).is_err());
    assert_eq!(control.open_transactions()[0].rows, 2);
    control.roll_back(transaction).unwrap();
    assert!(control.open_transactions().is_empty());
    assert_eq!(org.query("SELECT Name FROM Account WHERE Name IN ('Kept', 'Lost')").await.len(), 1);
    assert!(org.changes("Account", "deleted", "08:00", "09:30").await["deletedRecords"].as_array().unwrap().is_empty());
    let next = control.insert("Account", json!({"Name": "Next"})).unwrap();
    assert!(next > lost, "the id of a dropped row is not given away again");
    assert!(control.commit(transaction).is_err());
}

#[tokio::test]
async fn transactions_are_opened_written_and_committed_over_http() {
    let org = Org::start().await;
    let opened = org.control_route(Method::POST, "transactions", json!({})).await;
    assert_eq!((opened.status, opened.json()), (201, json!({"id": 1})));
    let created = org.control_route(Method::POST, "transactions/1/records/Account", json!({"Name": "Inside"})).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let listed = org.control_route(Method::GET, "transactions", json!({})).await.json();
    assert_eq!(listed, json!([{"id": 1, "started": "2026-11-21T09:00:00Z", "rows": 1}]));
    assert!(org.query("SELECT Id FROM Account WHERE Name = 'Inside'").await.is_empty());
    assert_eq!(org.control_route(Method::POST, "transactions/1/commit", json!({})).await.status, 204);
    assert_eq!(org.query("SELECT Id FROM Account WHERE Name = 'Inside'").await.len(), 1);
    assert_eq!(org.control_route(Method::POST, "transactions/1/commit", json!({})).await.status, 400);
}

#[tokio::test]
async fn the_losers_of_a_merge_name_their_master_and_their_children_move_with_a_new_stamp() {
    let org = Org::start().await;
    let control = org.control();
    let [master, first, second] =
        ["Master", "First", "Second"].map(|name| control.insert("Account", json!({"Name": name})).unwrap().to_string());
    control.update(&master, json!({"ParentId": first})).unwrap();
    let child = json!({"LastName": "Child", "AccountId": first});
    let child = control.insert("Contact", child).unwrap().to_string();
    org.wait(10);
    control.merge(&master, &[&first, &second]).unwrap();

    let soql = "SELECT Name FROM Account WHERE IsDeleted = true AND MasterRecordId != null \
                AND SystemModstamp = 2026-11-21T09:10:00Z ORDER BY Name";
    let losers: Vec<Value> = org.query_all(soql).await.iter().map(|record| record["Name"].clone()).collect();
    assert_eq!(losers, ["First", "Second"]);
    let moved = &org
        .query(&format!("SELECT AccountId, LastModifiedDate, SystemModstamp FROM Contact WHERE Id = '{child}'"))
        .await[0];
    assert_eq!(moved["AccountId"], json!(master));
    assert_eq!(moved["SystemModstamp"], "2026-11-21T09:10:00.000+0000");
    assert_eq!(moved["LastModifiedDate"], "2026-11-21T09:00:00.000+0000");
    let stayed = &org.query(&format!("SELECT ParentId, LastModifiedDate FROM Account WHERE Id = '{master}'")).await[0];
    assert_eq!(
        (&stayed["ParentId"], stayed["LastModifiedDate"].as_str()),
        (&Value::Null, Some("2026-11-21T09:10:00.000+0000"))
    );
    let deleted = org.changes("Account", "deleted", "09:05", "09:15").await;
    assert_eq!(deleted["deletedRecords"].as_array().unwrap().len(), 2);

    assert!(refusal(control.merge(&master, &[&first])).contains("entity is deleted"));
    assert!(refusal(control.merge(&master, &[&master])).contains("besides the master"));
    let deal = json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-01"});
    let deals = [0, 1].map(|_| control.insert("Opportunity", deal.clone()).unwrap().to_string());
    assert!(refusal(control.merge(&deals[0], &[&deals[1]])).contains("cannot be merged"));
}

#[tokio::test]
async fn an_emptied_recycle_bin_is_known_to_get_deleted_alone_and_a_trimmed_log_to_nobody() {
    let org = Org::start().await;
    let control = org.control();
    let gone = control.insert("Account", json!({"Name": "Gone"})).unwrap().to_string();
    control.delete(&gone).unwrap();
    org.wait(60);
    assert_eq!(org.query_all("SELECT Id FROM Account WHERE Name = 'Gone'").await.len(), 1);
    let emptied = org.control_route(Method::POST, "recycle-bin/empty", json!({"older_than_seconds": 600})).await;
    assert!(emptied.json()["rows"].as_u64().unwrap() >= 1);
    assert!(org.query_all("SELECT Id FROM Account WHERE Name = 'Gone'").await.is_empty());
    let deleted = org.changes("Account", "deleted", "08:30", "09:30").await;
    assert_eq!(deleted["deletedRecords"][0], json!({"id": gone, "deletedDate": "2026-11-21T09:00:00.000+0000"}));

    control.trim_delete_log("Account", control.now() - Duration::from_secs(1800)).unwrap();
    let trimmed = org.changes("Account", "deleted", "08:30", "09:30").await;
    assert_eq!(trimmed["deletedRecords"], json!([]));
    assert_eq!(trimmed["earliestDateAvailable"], "2026-11-21T09:30:00.000+0000");
}
