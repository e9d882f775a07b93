//! Rows whose records are gone though nobody has said so.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use sync::{
    checkpoint::Swept,
    mapping::{ColumnMapping, Mapping},
    read::ReadChoice,
    run::{Outcome, Report, Sweep},
    table::DeleteMode,
};

use crate::{
    memory::Durable,
    org::{Org, Setting, nowhere, whole},
};

const HOUR: Duration = Duration::from_secs(3600);
const ROWS: u64 = 1200;
const RANGE: usize = 200;

/// A sweep that is due whenever it is asked for, to its end.
pub(crate) const NOW: Sweep =
    Sweep { every: Duration::ZERO, below_percent: 100, turn: Duration::MAX, range_rows: RANGE };

pub(crate) fn names() -> Mapping {
    let columns = ["LastName", "Email"].map(ColumnMapping::field).to_vec();
    Mapping { columns, deletes: DeleteMode::Remove, ..whole("Contact") }
}

/// Deletions are not asked for: as if they were older than what the org remembers of them.
pub(crate) fn sweeping(sweep: Sweep) -> Setting {
    Setting { sweep: Some(sweep), deletions_every: Some(HOUR * 24 * 365), ..Setting::default() }
}

/// An org and its copy, of which one record in `every` is gone and one row in `every` is missing.
pub(crate) struct Copy {
    pub(crate) org: Org,
    pub(crate) durable: Arc<Mutex<Durable>>,
    pub(crate) gone: BTreeSet<String>,
    pub(crate) missing: BTreeSet<String>,
}

impl Copy {
    pub(crate) async fn lacking(mapping: &Mapping, every: usize) -> Self {
        let sizes = "[bulk]\npage_rows = 150\n[pages]\nrows = 150\nrows_with_long_text = 150";
        let org = Org::start(&format!("[rows]\nContact = {ROWS}\n{sizes}")).await;
        org.emulator.control().advance(HOUR);
        let durable = nowhere();
        org.sync(mapping, &durable).await;
        // Deletions are asked for by the first run after everything was read.
        org.emulator.control().advance(HOUR);
        org.sync(mapping, &durable).await;
        let ids: Vec<String> = durable.lock().unwrap().rows.keys().cloned().collect();
        let gone: BTreeSet<String> = ids.iter().step_by(every).cloned().collect();
        let missing: BTreeSet<String> = ids.iter().skip(1).step_by(every).cloned().collect();
        gone.iter().for_each(|id| org.emulator.control().purge(id).unwrap());
        missing.iter().for_each(|id| drop(durable.lock().unwrap().rows.remove(id)));
        org.emulator.control().advance(HOUR);
        Self { org, durable, gone, missing }
    }

    async fn sync(&self, mapping: &Mapping, setting: Setting) -> Report {
        self.org.run(mapping, &self.durable, setting).await.unwrap()
    }

    fn swept(&self) -> Option<Swept> {
        self.durable.lock().unwrap().checkpoint.as_ref().unwrap().swept.filter(|swept| swept.rows > 0)
    }

    fn place(&self) -> Option<String> {
        self.durable.lock().unwrap().checkpoint.as_ref().unwrap().id_sweep.clone().and_then(|under_way| under_way.after)
    }

    /// The rows of living records are those of the org.
    async fn assert_is_whole(&self) {
        let durable = self.durable.lock().unwrap().clone();
        let living = |id: &&String| durable.rows[*id]["_deleted"].as_deref() != Some("true");
        let rows: BTreeSet<String> = durable.rows.keys().filter(living).cloned().collect();
        let records = self.org.emulator.control().records("Contact");
        let ids: BTreeSet<String> = records.iter().map(|record| record["Id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(rows, ids);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_a_record_go_and_records_without_a_row_come_and_no_other_row_is_touched() {
    for (deletes, read) in [(DeleteMode::Remove, ReadChoice::Query), (DeleteMode::Flag, ReadChoice::Bulk)] {
        let mapping = Mapping { deletes, ..names() };
        let copy = Copy::lacking(&mapping, 17).await;
        copy.sync(&mapping, Setting { deletions_every: Some(HOUR * 9999), ..Setting::default() }).await;
        assert_eq!(copy.durable.lock().unwrap().rows.len(), ROWS as usize - copy.missing.len(), "nobody has said it");
        let taken = copy.durable.lock().unwrap().taken;
        let report = copy.sync(&mapping, Setting { read, ..sweeping(NOW) }).await;
        let found = report.swept.unwrap();
        assert!(found.is_whole);
        let expected = [copy.gone.len() as u64, copy.missing.len() as u64, 0];
        assert_eq!([found.found.gone, found.found.missing, found.found.left], expected);
        assert_eq!(report.counts.deletes, copy.gone.len() as u64);
        assert_eq!(copy.swept(), Some(found.found));
        assert_eq!(copy.durable.lock().unwrap().taken - taken, copy.missing.len() as u64);
        copy.assert_is_whole().await;
        let again = copy.sync(&mapping, sweeping(NOW)).await.swept.unwrap().found;
        assert_eq!([again.gone, again.missing, again.left], [0; 3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_goes_on_in_the_next_run_and_is_due_once_in_its_time() {
    let copy = Copy::lacking(&names(), 17).await;
    let weekly = Sweep { every: 7 * 24 * HOUR, turn: Duration::ZERO, ..NOW };
    assert_eq!(copy.sync(&names(), sweeping(weekly)).await.swept, None, "everything was read an hour ago");
    copy.org.emulator.control().advance(7 * 24 * HOUR);
    let mut places = BTreeSet::new();
    let mut began = None;
    while copy.swept().is_none() {
        let report = copy.sync(&names(), sweeping(weekly)).await;
        assert_eq!(report.outcome, Outcome::Complete);
        let found = report.swept.unwrap().found;
        assert_eq!(*began.get_or_insert(found.as_of), found.as_of, "as fresh as its beginning");
        if let Some(place) = copy.place() {
            assert!(places.insert(place), "each run comes further");
        }
        copy.org.emulator.control().advance(HOUR);
    }
    assert!(places.len() >= 5, "{places:?}");
    copy.assert_is_whole().await;
    assert_eq!(copy.sync(&names(), sweeping(weekly)).await.swept, None, "once in its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_swept_while_calls_are_short_or_others_wait_and_a_stop_ends_it() {
    let copy = Copy::lacking(&names(), 17).await;
    let spent = copy.sync(&names(), sweeping(Sweep { below_percent: 0, ..NOW })).await;
    assert_eq!((spent.outcome, spent.swept), (Outcome::Complete, None));
    let waited_for = copy.sync(&names(), Setting { is_waited_for: true, ..sweeping(NOW) }).await;
    assert_eq!((waited_for.outcome, waited_for.swept), (Outcome::Complete, None));
    assert!(copy.sync(&names(), sweeping(NOW)).await.swept.unwrap().is_whole, "it stays due");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_most_of_a_range_seems_gone_nothing_is_deleted() {
    let copy = Copy::lacking(&names(), 17).await;
    let first: Vec<String> = copy.durable.lock().unwrap().rows.keys().take(RANGE).cloned().collect();
    for id in first[..150].iter().filter(|id| !copy.gone.contains(*id)) {
        copy.org.emulator.control().purge(id).unwrap();
    }
    let found = copy.sync(&names(), sweeping(NOW)).await.swept.unwrap().found;
    let seemingly = first[150..].iter().filter(|id| copy.gone.contains(*id)).count() as u64;
    assert_eq!(found.left, 150 + seemingly);
    let durable = copy.durable.lock().unwrap().clone();
    assert!(first.iter().all(|id| durable.rows.contains_key(id)), "a permission may have been lost");
    let elsewhere = copy.gone.iter().filter(|id| !first.contains(*id)).count() as u64;
    assert_eq!(found.gone, elsewhere, "the other ranges are swept");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_deleted_or_brought_back_meanwhile_is_no_loss() {
    let copy = Copy::lacking(&names(), 40).await;
    let ids: Vec<String> = copy.durable.lock().unwrap().rows.keys().cloned().collect();
    let (binned, back) = (&ids[5], &ids[6]);
    let one_range = Sweep { turn: Duration::ZERO, ..NOW };
    copy.sync(&names(), sweeping(one_range)).await;
    copy.org.delete_contact(binned);
    copy.org.delete_contact(back);
    copy.org.emulator.control().undelete(back).unwrap();
    copy.org.insert_contact("Newcomer", Duration::ZERO);
    let found = copy.sync(&names(), sweeping(NOW)).await.swept.unwrap().found;
    let swept = |ids: &BTreeSet<String>| ids.iter().filter(|id| *id != binned && *id != back).count() as u64;
    assert_eq!([found.gone, found.missing], [swept(&copy.gone), swept(&copy.missing)], "a newcomer was never missing");
    copy.org.emulator.control().advance(HOUR);
    copy.org.sync(&names(), &copy.durable).await;
    copy.assert_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_activities_are_there_for_a_sweep_and_for_a_second_look() {
    let org = Org::start("[rows]\nTask = 300").await;
    org.emulator.control().advance(HOUR);
    let tasks = Mapping { columns: vec![ColumnMapping::field("Subject")], ..whole("Task") };
    let durable = nowhere();
    org.sync(&tasks, &durable).await;
    let ids: Vec<String> = durable.lock().unwrap().rows.keys().take(4).cloned().collect();
    ids[..3].iter().for_each(|id| org.emulator.control().archive(id).unwrap());
    org.emulator.control().advance(HOUR);
    org.sync(&tasks, &durable).await;
    org.emulator.control().purge(&ids[3]).unwrap();
    // A missing row of an archived record is looked for by its Id, too.
    durable.lock().unwrap().rows.remove(&ids[0]);
    org.emulator.control().advance(HOUR);
    let found = org.run(&tasks, &durable, sweeping(NOW)).await.unwrap().swept.unwrap().found;
    assert_eq!([found.gone, found.missing, found.left], [1, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_read_whole_or_in_parts_are_not_swept() {
    let org = Org::start("[rows]\nContact = 200\nActivityFieldHistory = 100").await;
    let sample = Mapping { limit: Some(50), ..names() };
    let keyed = Mapping { key: Some("AccountId".into()), ..names() };
    for mapping in [sample, keyed, whole("ActivityFieldHistory"), whole("ContentDocumentLink")] {
        let durable = nowhere();
        org.sync(&mapping, &durable).await;
        let report = org.run(&mapping, &durable, sweeping(NOW)).await.unwrap();
        assert_eq!(report.swept, None, "{}", mapping.object);
    }
}
