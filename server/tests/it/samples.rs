//! Public sample records go into an org and come out of an import as they were.
//!
//! The records lie beside the project, not in it; where they are absent, there is nothing to compare.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use emulator::{Scenario, tree::Unknown};
use rusqlite::types::Value as Stored;
use serde_json::{Map, Value};

use crate::org::Acme;

/// A record as its file has it.
type Sample = Map<String, Value>;

/// An emulated org that holds the records of one plan and no others.
struct SampleOrg {
    acme: Acme,
    plan: String,
    /// Each record with its object and the id that the org gave it.
    records: Vec<(Sample, String, String)>,
}

// Pitfall 46.
#[tokio::test]
async fn contacts_experiences_reviews_and_cases_come_out_as_they_went_in() {
    compare("coral-cloud/data-plan-large.json").await;
}

#[tokio::test]
async fn accounts_contacts_and_opportunities_come_out_as_they_went_in() {
    compare("lwc-recipes/data-plan.json").await;
}

#[tokio::test]
async fn products_of_families_come_out_as_they_went_in() {
    compare("ebikes/sample-data-plan.json").await;
}

#[tokio::test]
async fn brokers_and_properties_with_locations_come_out_as_they_went_in() {
    compare("dreamhouse/sample-data-plan.json").await;
}

/// Imports everything that a plan loads, over both wires, and compares value by value.
async fn compare(plan: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/samples").join(plan);
    if !path.exists() {
        println!("skipped: there is no {}", path.display());
        return;
    }
    let org = SampleOrg::load(plan, &path).await;
    for read in ["rest", "bulk"] {
        let database = org.import(read).await;
        let compared = org.compare_with(&database);
        println!("{plan}, read by {read}: {} records, {compared} values compared", org.records.len());
        assert!(compared > 3 * org.records.len(), "{plan}: {compared} values are hardly all");
    }
}

impl SampleOrg {
    async fn load(plan: &str, path: &Path) -> Self {
        let mut scenario = Scenario::builtin("acme").unwrap();
        scenario.rows.clear();
        for user in &mut scenario.users {
            "System Administrator".clone_into(&mut user.profile);
        }
        let acme = Acme::of(scenario).await;
        let inserted = acme.emulator.control().load_plan(path, Unknown::Declare).unwrap();
        let samples = samples(path);
        assert_eq!(inserted.len(), samples.len(), "{plan}");
        let records = samples.into_iter().zip(inserted);
        let records = records.map(|(sample, (object, id))| (sample, object, id.to_string())).collect();
        acme.connect().await;
        Self { acme, plan: plan.to_owned(), records }
    }

    /// Imports every object into a database of its own.
    async fn import(&self, read: &str) -> PathBuf {
        let objects: BTreeSet<&str> = self.records.iter().map(|(_, object, _)| object.as_str()).collect();
        let names = objects.iter().copied().collect::<Vec<_>>().join(" ");
        let database = self.acme.directory.path().join(format!("{read}.db"));
        let line = format!("import acme {names} --read {read} --to sqlite:{} --json", database.display());
        let imported = self.acme.run(&line).await;
        assert_eq!(imported.code, 0, "{}: {imported:?}", self.plan);
        for (stream, object) in imported.json()["streams"].as_array().unwrap().iter().zip(objects) {
            let loaded = self.records.iter().filter(|(_, loaded, _)| loaded == object).count();
            assert_eq!((&stream["object"], &stream["read"]), (&object.into(), &read.into()), "{stream}");
            assert_eq!((&stream["rows"], &stream["rejected_values"]), (&loaded.into(), &0.into()), "{stream}");
        }
        database
    }

    /// Compares every value of every record with its column, and returns how many that were.
    fn compare_with(&self, database: &Path) -> usize {
        let database = rusqlite::Connection::open(database).unwrap();
        let ids = self.ids();
        let mut compared = 0;
        for (sample, object, id) in &self.records {
            let fields: Vec<&String> = sample.keys().filter(|field| *field != "attributes").collect();
            let columns = fields.iter().map(|field| format!("\"{field}\"")).collect::<Vec<_>>().join(", ");
            let sql = format!("SELECT {columns} FROM \"{object}\" WHERE _connection = 'acme' AND Id = ?1");
            let mut select = database.prepare_cached(&sql).unwrap();
            let row = |row: &rusqlite::Row<'_>| (0..fields.len()).map(|index| row.get(index)).collect();
            let row: Vec<Stored> = select.query_row([id], row).unwrap();
            for (field, stored) in fields.iter().zip(row) {
                let sent = &sample[*field];
                assert!(is_same(sent, &stored, &ids), "{object}.{field} of {id} went in as {sent}, and is {stored:?}");
                compared += 1;
            }
        }
        compared
    }

    /// Ids by the names that the files give the records. A name belongs to one record of a plan.
    fn ids(&self) -> BTreeMap<&str, &str> {
        let mut ids = BTreeMap::new();
        for (sample, _, id) in &self.records {
            ids.insert(sample["attributes"]["referenceId"].as_str().unwrap(), id.as_str());
        }
        assert_eq!(ids.len(), self.records.len(), "{}", self.plan);
        ids
    }
}

/// The records of all files that a plan names, in order.
fn samples(plan: &Path) -> Vec<Sample> {
    let read = |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let texts = |files: &Value| -> Vec<String> { serde_json::from_value(files.clone()).unwrap() };
    let steps = read(plan);
    let files = steps.as_array().unwrap().iter().flat_map(|step| texts(&step["files"]));
    let records = files.flat_map(|file| -> Vec<Sample> {
        serde_json::from_value(read(&plan.with_file_name(file))["records"].clone()).unwrap()
    });
    records.collect()
}

/// Whether a column holds what a record was given: a reference as the id of what it names, a number by its value, an
/// empty text as null, a time of day without the zone that it does not have, and everything else as it is.
fn is_same(sent: &Value, stored: &Stored, ids: &BTreeMap<&str, &str>) -> bool {
    match (sent, stored) {
        (Value::Null, Stored::Null) => true,
        (Value::Bool(sent), Stored::Integer(stored)) => i64::from(*sent) == *stored,
        (Value::Number(sent), Stored::Integer(stored)) => sent.as_i64() == Some(*stored),
        (Value::Number(sent), Stored::Text(stored)) => stored.parse().ok() == sent.as_f64(),
        (Value::String(sent), Stored::Null) => sent.is_empty(),
        (Value::String(sent), Stored::Text(stored)) => {
            let id = sent.strip_prefix('@').and_then(|name| ids.get(name));
            let expected = id.copied().unwrap_or_else(|| without_zone(sent));
            expected == stored
        }
        _ => false,
    }
}

/// `09:00:00.000Z` as a time of day is stored.
fn without_zone(text: &str) -> &str {
    match text.strip_suffix('Z') {
        Some(time) if time.len() == "09:00:00.000".len() && time.as_bytes().get(2) == Some(&b':') => time,
        _ => text,
    }
}
