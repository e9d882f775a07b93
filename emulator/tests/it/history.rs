//! What happens to records over time: open transactions, merges, the recycle bin, archives.

use std::time::Duration;

use emulator::{Control, ControlError, Deed, History, Scenario, Step};
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

#[tokio::test]
async fn an_archived_activity_is_seen_by_query_all_alone_and_counts_no_more() {
    let acme = Acme::start_with(|scenario| {
        scenario.rows.insert("Task".to_owned(), 400);
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    let org = Org { acme, token };
    let id = org.control().insert("Task", json!({"Subject": "To archive"})).unwrap().to_string();
    let soql = format!("SELECT Id, IsArchived FROM Task WHERE Id = '{id}'");
    assert_eq!(org.query(&soql).await.len(), 1);
    org.control().archive(&id).unwrap();
    assert!(org.query(&soql).await.is_empty());
    assert_eq!(org.query_all(&soql).await[0]["IsArchived"], true);
    let all = org.query_all("SELECT Id, IsArchived FROM Task").await;
    let archived = all.iter().filter(|task| task["IsArchived"] == true).count();
    assert!(archived > 10, "some of what is generated is archived: {archived}");
    let binned = org.query_all("SELECT Id FROM Task WHERE IsDeleted = true AND IsArchived = false").await.len();
    let path = format!("{ROOT}/query?q=SELECT+COUNT()+FROM+Task");
    let counted = org.acme.get(&path, &org.token).await.json()["totalSize"].as_u64().unwrap();
    assert_eq!(usize::try_from(counted).unwrap() + archived + binned, all.len());
    assert!(
        refusal(org.control().archive(&org.control().insert("Account", json!({"Name": "A"})).unwrap().to_string()))
            .contains("are not archived")
    );
}

#[tokio::test]
async fn children_are_deleted_and_come_back_with_their_parent_and_cases_keep_it_from_being_deleted() {
    let org = Org::start().await;
    let control = org.control();
    let account = control.insert("Account", json!({"Name": "Parent"})).unwrap().to_string();
    let contact = control.insert("Contact", json!({"LastName": "Child", "AccountId": account})).unwrap().to_string();
    let task = control.insert("Task", json!({"WhoId": contact, "WhatId": account})).unwrap().to_string();
    let alone =
        control.insert("Contact", json!({"LastName": "Gone before", "AccountId": account})).unwrap().to_string();
    control.delete(&alone).unwrap();
    control.delete(&account).unwrap();
    let soql = format!("SELECT Id FROM Contact WHERE AccountId = '{account}' AND IsDeleted = true");
    assert_eq!(org.query_all(&soql).await.len(), 2);
    assert_eq!(org.query_all(&format!("SELECT IsDeleted FROM Task WHERE Id = '{task}'")).await[0]["IsDeleted"], true);
    control.undelete(&account).unwrap();
    let back = org.query(&format!("SELECT Id FROM Contact WHERE AccountId = '{account}'")).await;
    assert_eq!(back.iter().map(|record| record["Id"].clone()).collect::<Vec<_>>(), [json!(contact)]);
    assert_eq!(
        org.query(&format!("SELECT Who.Type, What.Type FROM Task WHERE Id = '{task}'")).await[0]["Who"]["Type"],
        "Contact"
    );

    let case = control.insert("Case", json!({"AccountId": account})).unwrap().to_string();
    assert!(refusal(control.delete(&account)).starts_with("DELETE_FAILED"));
    control.delete(&case).unwrap();
    control.purge(&account).unwrap();
    assert!(org.query_all(&format!("SELECT Id FROM Task WHERE Id = '{task}'")).await.is_empty());
    let deleted = org.changes("Task", "deleted", "08:00", "09:30").await;
    assert_eq!(deleted["deletedRecords"][0]["id"], json!(task));
}

const WANDERED: [&str; 6] = ["Account", "Contact", "Task", "Campaign", "CampaignMember", "Invoice__c"];

async fn wandered(seed: u64, steps: usize) -> (Acme, Vec<Step>) {
    let scenario = |scenario: &mut Scenario| {
        scenario.rows.insert("Campaign".to_owned(), 5);
        scenario.rows.insert("Invoice__c".to_owned(), 30);
    };
    let acme = Acme::start_with(scenario).await;
    let mut history = History::new(seed, &WANDERED);
    let steps = acme.emulator.control().wander(&mut history, steps);
    acme.emulator.control().settle(&mut history);
    (acme, steps)
}

#[tokio::test]
async fn a_history_is_the_same_for_the_same_seed_and_another_for_another() {
    let ((one, first), (other, second), (_, third)) =
        (wandered(3, 150).await, wandered(3, 150).await, wandered(4, 150).await);
    assert_eq!(first, second);
    assert_ne!(first, third);
    for object in WANDERED {
        let (one, other) = (one.emulator.control(), other.emulator.control());
        assert_eq!(one.records(object), other.records(object), "{object}");
        assert_eq!(one.binned_records(object), other.binned_records(object), "{object}");
    }
}

#[tokio::test]
async fn a_history_does_everything_and_what_it_leaves_is_what_queries_show() {
    let (acme, steps) = wandered(1, 1200).await;
    let has = |wanted: fn(&Deed) -> bool| assert!(steps.iter().any(|step| wanted(&step.deed)), "{:?}", steps.last());
    has(|deed| matches!(deed, Deed::Update { times: 3, .. }));
    has(|deed| matches!(deed, Deed::MassUpdate { rows: 20.., .. }));
    has(|deed| matches!(deed, Deed::LateCommit { .. }));
    has(|deed| matches!(deed, Deed::RollBack { .. }));
    has(|deed| matches!(deed, Deed::Commit { .. }));
    has(|deed| matches!(deed, Deed::Undelete { .. }));
    has(|deed| matches!(deed, Deed::Merge { .. }));
    has(|deed| matches!(deed, Deed::Purge { .. }));
    has(|deed| matches!(deed, Deed::EmptyBin { .. }));
    has(|deed| matches!(deed, Deed::Archive { .. }));
    has(|deed| matches!(deed, Deed::ReParent { .. }));
    let refused = steps.iter().filter(|step| matches!(step.deed, Deed::Refused { .. } | Deed::Nothing)).count();
    assert!(refused * 4 < steps.len(), "{refused} of {} steps did nothing", steps.len());

    let token = acme.sign_in_as_admin().await;
    let org = Org { acme, token };
    for object in WANDERED {
        let ids = |records: &[Value]| records.iter().map(|record| record["Id"].clone()).collect::<Vec<_>>();
        let shown = org.query_all(&format!("SELECT Id, SystemModstamp FROM {object} WHERE IsDeleted = false")).await;
        let known: Vec<Value> = org.control().records(object).into_iter().map(Value::Object).collect();
        assert_eq!(ids(&shown), ids(&known), "{object}");
        for (shown, known) in shown.iter().zip(&known) {
            assert_eq!(shown["SystemModstamp"], known["SystemModstamp"], "{object} {shown}");
        }
        let snapshot = org.control().snapshot();
        let (index, _) = snapshot.schema().find(object).unwrap();
        assert_eq!(snapshot.table(index).live_rows(), known.len() as u64, "{object}");
    }
}

#[tokio::test]
async fn every_object_of_an_org_with_every_feature_has_a_history_that_gets_somewhere() {
    let text = include_str!("../../scenarios/acme.toml")
        .replace("[rows]", "[currencies]\ncorporate = 'EUR'\nrates = { USD = '1.1' }\n[rows]");
    let mut scenario = Scenario::from_toml(&text).unwrap();
    scenario.person_accounts = Some(20);
    for object in
        ["Lead", "Case", "Task", "Event", "Campaign", "CampaignMember", "ContentDocument", "Idea", "Vote", "Attachment"]
    {
        scenario.rows.insert(object.to_owned(), 20);
    }
    let acme = Acme::start_in(scenario, emulator::Options::default()).await;
    let control = acme.emulator.control();
    let snapshot = control.snapshot();
    let objects: Vec<&str> = snapshot.schema().objects().iter().map(|object| object.name.as_str()).collect();
    let mut history = History::new(11, &objects);
    let steps = control.wander(&mut history, 1500);
    control.settle(&mut history);
    let refused: Vec<&Step> =
        steps.iter().filter(|step| matches!(step.deed, Deed::Refused { .. } | Deed::Nothing)).collect();
    assert!(
        refused.len() * 2 < steps.len(),
        "{} of {} steps did nothing: {:?}",
        refused.len(),
        steps.len(),
        &refused[..20]
    );
    let persons = control.records("Account").into_iter().filter(|account| account["IsPersonAccount"] == true);
    for person in persons {
        let contact =
            control.records("Contact").into_iter().find(|contact| contact["Id"] == person["PersonContactId"]).unwrap();
        assert_eq!((&contact["AccountId"], &contact["Name"]), (&person["Id"], &person["Name"]));
    }
}
