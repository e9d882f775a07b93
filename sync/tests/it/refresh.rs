//! Columns whose values change without moving the record's stamp.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use salesforce::query::Deleted;
use serde_json::Value;
use sync::{
    Timestamp,
    mapping::{ColumnMapping, Mapping},
    read::ReadChoice,
    run::{Outcome, Refresh, Report},
};

use crate::{
    memory::{Crash, Durable},
    org::{Org, Setting, nowhere, whole},
};

const HOUR: Duration = Duration::from_secs(3600);
const DAILY: Refresh = Refresh { every: Duration::from_secs(24 * 3600), below_percent: 50 };

fn with_parent() -> Mapping {
    let columns = ["LastName", "Account.Name"].map(ColumnMapping::field).to_vec();
    Mapping { columns, ..whole("Contact") }
}

struct Copy {
    org: Org,
    durable: Arc<Mutex<Durable>>,
    /// An account that contacts belong to.
    account: String,
}

impl Copy {
    async fn of(mapping: &Mapping, contacts: u64) -> Self {
        let org = Org::start(&format!("[rows]\nContact = {contacts}\nAccount = 5")).await;
        org.emulator.control().advance(HOUR);
        let durable = nowhere();
        org.sync(mapping, &durable).await;
        let soql = "SELECT AccountId FROM Contact WHERE AccountId != null LIMIT 1";
        let found: Vec<Value> = org.client.query_with(soql, Deleted::Excluded).await.unwrap();
        let account = found[0]["AccountId"].as_str().unwrap().to_owned();
        Self { org, durable, account }
    }

    async fn later(&self, by: Duration, refresh: Refresh) -> Report {
        self.org.emulator.control().advance(by);
        self.org.run(&with_parent(), &self.durable, refreshing(refresh)).await.unwrap()
    }

    /// Rows with this name of an account.
    fn named(&self, name: &str) -> usize {
        let durable = self.durable.lock().unwrap();
        durable.rows.values().filter(|row| row["Account_Name"].as_deref() == Some(name)).count()
    }

    fn refreshed(&self) -> Option<Timestamp> {
        let durable = self.durable.lock().unwrap();
        durable.checkpoint.as_ref().unwrap().refreshed.get("Account_Name").copied()
    }
}

fn refreshing(refresh: Refresh) -> Setting {
    Setting { refresh: Some(refresh), ..Setting::default() }
}

// Pitfall 48.
#[tokio::test(flavor = "multi_thread")]
async fn a_parents_field_is_read_again_when_its_time_has_come_and_no_other_column_is_touched() {
    let copy = Copy::of(&with_parent(), 300).await;
    let first = copy.refreshed().expect("everything was read");
    copy.org.rename_account(&copy.account, "Renamed");
    let ours = copy.durable.lock().unwrap().rows.keys().next().unwrap().clone();
    copy.durable.lock().unwrap().rows.get_mut(&ours).unwrap().insert("LastName".into(), Some("ours".into()));

    let soon = copy.later(HOUR, DAILY).await;
    assert_eq!((soon.counts.patched, copy.named("Renamed"), copy.refreshed()), (0, 0, Some(first)));
    let due = copy.later(24 * HOUR, DAILY).await;
    assert_eq!(due.counts.patched, 300);
    assert!(copy.named("Renamed") > 0);
    assert!(copy.refreshed().unwrap() > first);
    assert_eq!(copy.durable.lock().unwrap().rows[&ours]["LastName"].as_deref(), Some("ours"));
    let after = copy.later(HOUR, DAILY).await;
    assert_eq!(after.counts.patched, 0, "once in its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_again_while_the_org_has_no_calls_to_spare() {
    let copy = Copy::of(&with_parent(), 300).await;
    copy.org.rename_account(&copy.account, "Renamed");
    let spent = copy.later(48 * HOUR, Refresh { below_percent: 0, ..DAILY }).await;
    assert_eq!((spent.outcome, spent.counts.patched), (Outcome::Complete, 0));
    assert_eq!(copy.later(HOUR, DAILY).await.counts.patched, 300, "it stays due");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_again_goes_on_where_it_died_and_is_as_fresh_as_its_beginning() {
    let copy = Copy::of(&with_parent(), 2500).await;
    copy.org.rename_account(&copy.account, "Renamed");
    copy.org.emulator.control().advance(24 * HOUR);
    let before = copy.durable.lock().unwrap().writes;
    // The window is one write; of the two pages that are filled, the first is durable.
    let crash = Some(Crash::After(before + 1));
    let died = copy
        .org
        .run(&with_parent(), &copy.durable, Setting { crash, read: ReadChoice::Query, ..refreshing(DAILY) })
        .await;
    died.unwrap_err();
    let began = copy.durable.lock().unwrap().checkpoint.clone().unwrap().backfill.unwrap().began;
    let rest = copy.later(HOUR, DAILY).await;
    assert!(rest.counts.patched > 0 && rest.counts.patched < 2500, "{} filled", rest.counts.patched);
    assert_eq!(copy.refreshed(), began);
    let stale =
        copy.org.client.query_with::<Value>("SELECT Id FROM Contact WHERE Account.Name = 'Renamed'", Deleted::Excluded);
    assert_eq!(copy.named("Renamed"), stale.await.unwrap().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn describe_the_path_and_the_mapping_say_which_columns_change_unnoticed() {
    let org = Org::start("").await;
    let field = |path: &str| ColumnMapping::field(path);
    let said = |refresh| ColumnMapping { refresh: Some(refresh), ..field("Title") };
    let columns = vec![
        field("LastName"),
        field("Account.Name"),
        said(true),
        ColumnMapping { refresh: Some(false), ..field("Account.Phone") },
        ColumnMapping::compute("coalesce(Owner.Name, LastName)", "who"),
    ];
    let mapping = Mapping { columns, ..whole("Contact") };
    let volatile = org.compile(&mapping).await.unwrap().volatile.clone();
    assert_eq!(Vec::from_iter(volatile), ["Account_Name", "Title", "who"]);
    let formulas = org.compile(&whole("Invoice__c")).await.unwrap().volatile.clone();
    assert_eq!(Vec::from_iter(formulas), ["Caption__c", "Total__c", "Unpaid__c"]);
}
