//! Random histories of an org, read at random moments, by runs that die: each time the copy is held against the org.
//!
//! `ORGTIDE_PROOF=full` runs many of them; every random choice follows from `ORGTIDE_PROOF_SEED`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use emulator::History;
use sync::{
    mapping::{ColumnMapping, Mapping},
    read::ReadChoice,
};

use crate::{
    memory::{Durable, Row},
    org::{Org, Setting, nowhere, whole},
    proof::Random,
};

/// Columns by which each object is read, at times fewer and at times more.
const STREAMS: [(&str, [&[&str]; 3]); 3] = [
    ("Account", [&["Name"], &["Name", "Phone"], &["Name", "Industry", "ParentId"]]),
    ("Contact", [&["LastName"], &["LastName", "Email", "AccountId"], &["LastName", "Phone"]]),
    ("Task", [&["Subject"], &["Subject", "Status"], &["Subject", "Priority", "WhoId"]]),
];
/// Moments of each history at which the copy is held against the org.
const CHECKS: u64 = 6;

struct Stream {
    object: &'static str,
    columns: [&'static [&'static str]; 3],
    chosen: usize,
    durable: Arc<Mutex<Durable>>,
}

impl Stream {
    fn mapping(&self) -> Mapping {
        let columns = self.columns[self.chosen].iter().map(|name| ColumnMapping::field(*name)).collect();
        Mapping { columns, ..whole(self.object) }
    }
}

#[derive(Default)]
struct Tally {
    steps: usize,
    runs: u64,
    deaths: u64,
    rows: usize,
}

/// Runs a stream until it completes; it may die on the way, and the org lives on meanwhile.
async fn sync(org: &Org, stream: &Stream, random: &mut Random, history: &mut History, tally: &mut Tally) {
    let read = match random.below(3) {
        0 => ReadChoice::Bulk,
        1 => ReadChoice::Query,
        _ => ReadChoice::Auto,
    };
    for attempt in 0.. {
        let written = stream.durable.lock().unwrap().writes;
        let crash = if attempt < 3 { random.crash(written) } else { None };
        let deletions_every = Some(Duration::from_secs(random.below(2) * 3600));
        tally.runs += 1;
        let setting = Setting { read, crash, deletions_every, ..Setting::default() };
        if org.run(&stream.mapping(), &stream.durable, setting).await.is_ok() {
            return;
        }
        tally.deaths += 1;
        tally.steps += org.emulator.control().wander(history, random.below(3) as usize).len();
    }
}

/// The rows whose records live, with the columns that are mapped now.
fn living(durable: &Durable, expected: &Durable) -> BTreeMap<String, Row> {
    let names: Vec<String> = expected.rows.values().next().into_iter().flat_map(|row| row.keys().cloned()).collect();
    let is_living = |row: &&Row| row["_deleted"].as_deref() == Some("false");
    let narrowed = |row: &Row| names.iter().map(|name| (name.clone(), row.get(name).cloned().flatten())).collect();
    let rows = durable.rows.iter().filter(|(_, row)| is_living(row));
    rows.map(|(id, row)| (id.clone(), narrowed(row))).collect()
}

/// Brings each stream up to date with everything that is committed, and holds it against a reading from nothing.
async fn check(org: &Org, streams: &[Stream], tally: &mut Tally, place: &str) {
    // getDeleted tells of whole minutes that are over.
    org.emulator.control().advance(Duration::from_secs(120));
    for stream in streams {
        let setting = Setting { deletions_every: Some(Duration::ZERO), ..Setting::default() };
        org.run(&stream.mapping(), &stream.durable, setting).await.unwrap();
        let expected = nowhere();
        org.sync(&stream.mapping(), &expected).await;
        let expected = expected.lock().unwrap();
        let copy = living(&stream.durable.lock().unwrap(), &expected);
        let truth = living(&expected, &expected);
        let place = format!("{place}, {}", stream.object);
        let lost: Vec<&String> = truth.keys().filter(|id| !copy.contains_key(*id)).collect();
        let undead: Vec<&String> = copy.keys().filter(|id| !truth.contains_key(*id)).collect();
        assert!(lost.is_empty(), "{place}: lost {lost:?}");
        assert!(undead.is_empty(), "{place}: not deleted {undead:?}");
        for (id, row) in &truth {
            assert_eq!(&copy[id], row, "{place}, {id}");
        }
        tally.rows += truth.len();
    }
}

async fn live_through(seed: u64, tally: &mut Tally) {
    let mut random = Random::of(seed);
    let sizes = "[bulk]\npage_rows = 40\n[pages]\nrows = 40\nrows_with_long_text = 40";
    let org = Org::start_with_seed(seed, &format!("[rows]\nAccount = 60\nContact = 150\nTask = 50\n{sizes}")).await;
    let objects: Vec<&str> = STREAMS.iter().map(|(object, _)| *object).collect();
    let mut history = History::new(seed, &objects);
    let mut streams: Vec<Stream> = STREAMS
        .into_iter()
        .map(|(object, columns)| Stream { object, columns, chosen: random.below(3) as usize, durable: nowhere() })
        .collect();
    for stream in &streams {
        sync(&org, stream, &mut random, &mut history, tally).await;
    }
    for round in 0..CHECKS {
        for _ in 0..4 {
            let steps = 1 + random.below(12) as usize;
            tally.steps += org.emulator.control().wander(&mut history, steps).len();
            let stream = &mut streams[random.below(3) as usize];
            if random.below(4) == 0 {
                stream.chosen = random.below(3) as usize;
            }
            sync(&org, stream, &mut random, &mut history, tally).await;
        }
        check(&org, &streams, tally, &format!("seed {seed}, round {round}")).await;
    }
    org.emulator.control().settle(&mut history);
    check(&org, &streams, tally, &format!("seed {seed}, at the end")).await;
}

// Pitfalls 1, 2, 4, 10, 11.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_an_org_that_changes_at_random_is_the_org_whenever_it_is_looked_at() {
    let histories = if std::env::var("ORGTIDE_PROOF").as_deref() == Ok("full") { 300 } else { 4 };
    let seed: u64 = std::env::var("ORGTIDE_PROOF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut tally = Tally::default();
    for history in 0..histories {
        live_through(seed.wrapping_mul(1000).wrapping_add(history), &mut tally).await;
    }
    let Tally { steps, runs, deaths, rows } = tally;
    println!(
        "proof: copies of orgs that change at random: {histories} histories, {steps} changes, {runs} runs of which \
         {deaths} died, {rows} rows compared, 0 lost, 0 left over, 0 different"
    );
}
