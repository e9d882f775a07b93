//! What is done while an org has calls to spare may die before or after any of its writes: the next run goes on, and the
//! copy is as if nothing had happened.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use salesforce::query::Deleted;
use serde_json::Value;
use sync::{
    Timestamp,
    checkpoint::Swept,
    mapping::{ColumnMapping, Mapping},
    read::ReadChoice,
    run::Refresh,
};

use crate::{
    id_sweep::{Copy, NOW, names, sweeping},
    memory::{Crash, Durable},
    org::{Comparing, Org, Setting, whole},
    proof::Random,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Does the work, with a crash; false when it died.
type Work<'a> = dyn Fn(Arc<Mutex<Durable>>, Option<Crash>) -> BoxFuture<'a, bool> + 'a;

/// What came of a work that died once and was done again, with the number of records that both took.
async fn done_again(base: &Durable, work: &Work<'_>, crash: Crash) -> Durable {
    let durable = Arc::new(Mutex::new(base.clone()));
    assert!(!work(Arc::clone(&durable), Some(crash)).await, "{crash:?} does not happen");
    assert!(work(Arc::clone(&durable), None).await, "{crash:?}");
    durable.lock().unwrap().clone()
}

/// Dies at every write of the work in turn; `most_again` records at most come twice.
async fn survives_every_crash(base: Durable, work: &Work<'_>, most_again: u64) {
    let undisturbed = Arc::new(Mutex::new(base.clone()));
    assert!(work(Arc::clone(&undisturbed), None).await);
    let undisturbed = undisturbed.lock().unwrap().clone();
    let writes = base.writes..undisturbed.writes;
    assert!(writes.end - writes.start >= 2, "{writes:?}");
    for crash in writes.flat_map(|write| [Crash::Before(write), Crash::After(write)]) {
        let durable = done_again(&base, work, crash).await;
        assert_eq!(durable.rows, undisturbed.rows, "{crash:?}");
        assert!(durable.taken <= undisturbed.taken + most_again, "{crash:?}: {} taken", durable.taken);
        let (ours, theirs) = (durable.checkpoint.unwrap(), undisturbed.checkpoint.clone().unwrap());
        assert_eq!((ours.at, ours.id_sweep, ours.backfill), (theirs.at, theirs.id_sweep, theirs.backfill), "{crash:?}");
        let left = |swept: Option<Swept>| swept.map(|swept| (swept.gone, swept.left));
        assert_eq!(left(ours.swept), left(theirs.swept), "{crash:?}");
        assert!(ours.refreshed.keys().eq(theirs.refreshed.keys()), "{crash:?}");
    }
}

fn base(durable: &Arc<Mutex<Durable>>) -> Durable {
    durable.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_goes_on_after_the_last_range_that_it_had_come_through() {
    for read in [ReadChoice::Query, ReadChoice::Bulk] {
        let copy = Copy::lacking(&names(), 17).await;
        let org = &copy.org;
        let once = |durable: Arc<Mutex<Durable>>, crash| -> BoxFuture<'_, bool> {
            // Where the last write is durable, the sweep is over.
            let stored = base(&durable).checkpoint.unwrap();
            let is_over = stored.swept.is_some_and(|swept| swept.rows > 0);
            let setting = Setting { crash, read, sweep: Some(NOW).filter(|_| !is_over), ..sweeping(NOW) };
            Box::pin(async move { org.run(&names(), &durable, setting).await.is_ok() })
        };
        survives_every_crash(base(&copy.durable), &once, copy.missing.len() as u64).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_are_read_again_go_on_after_the_last_page_that_was_written() {
    let mapping =
        Mapping { columns: ["LastName", "Account.Name"].map(ColumnMapping::field).to_vec(), ..whole("Contact") };
    let sizes = "[bulk]\npage_rows = 150\n[pages]\nrows = 150\nrows_with_long_text = 150";
    for read in [ReadChoice::Query, ReadChoice::Bulk] {
        let org = Org::start(&format!("[rows]\nContact = 900\nAccount = 5\n{sizes}")).await;
        let durable = crate::org::nowhere();
        org.sync(&mapping, &durable).await;
        let found: Vec<Value> = org
            .client
            .query_with("SELECT AccountId FROM Contact WHERE AccountId != null LIMIT 1", Deleted::Excluded)
            .await
            .unwrap();
        org.rename_account(found[0]["AccountId"].as_str().unwrap(), "Renamed");
        org.emulator.control().advance(DAY);
        let refresh = Some(Refresh { every: DAY, below_percent: 100 });
        let (org, mapping) = (&org, &mapping);
        let work = move |durable: Arc<Mutex<Durable>>, crash| -> BoxFuture<'_, bool> {
            let setting = Setting { crash, read, refresh, ..Setting::default() };
            Box::pin(async move { org.run(mapping, &durable, setting).await.is_ok() })
        };
        let before = refreshed(&durable);
        survives_every_crash(base(&durable), &work, 0).await;
        assert_eq!(refreshed(&durable), before, "each try began with the same copy");
    }
}

fn refreshed(durable: &Arc<Mutex<Durable>>) -> BTreeMap<String, Timestamp> {
    durable.lock().unwrap().checkpoint.as_ref().unwrap().refreshed.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_that_died_is_done_again_and_touches_what_differs_alone() {
    let copy = Copy::lacking(&names(), 17).await;
    let mut random = Random::of(3);
    for (number, row) in copy.durable.lock().unwrap().rows.values_mut().enumerate() {
        if random.below(20) == 0 {
            row.insert("LastName".into(), Some(format!("altered {number}")));
        }
    }
    let altered = base(&copy.durable).rows.values().filter(|row| is_altered(row)).count() as u64;
    assert!(altered > 10);
    let org = &copy.org;
    let work = move |durable: Arc<Mutex<Durable>>, crash| -> BoxFuture<'_, bool> {
        let how = Comparing { repair: true, crash, ..Comparing::default() };
        Box::pin(async move {
            let certificate = org.verify(&names(), &durable, how).await;
            certificate.is_ok_and(|certificate| certificate.is_equal())
        })
    };
    survives_every_crash(base(&copy.durable), &work, altered + copy.missing.len() as u64).await;
}

fn is_altered(row: &crate::memory::Row) -> bool {
    row["LastName"].as_deref().is_some_and(|name| name.starts_with("altered "))
}
