//! A copy whose processes are killed again and again holds what a copy holds that nobody disturbed.
//!
//! One process works on it, or three at once; the kills strike imports, incremental runs and back-fills.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use emulator::Scenario;
use futures_util::future::select_all;
use serde_json::json;
use tokio::process::Child;
use url::Url;

use super::{Random, parquet};
use crate::{
    database::{Fixture, postgres},
    org::{Acme, CLIENT_ID, ORG, ended as output_of},
};

/// A commit a page: a dozen places to be killed at between two commits.
const PAGES: u64 = 12;
pub(super) const FIELDS: &str =
    "Id,FirstName,LastName,Email,Phone,Description,MailingCity,AccountId,Birthdate,CreatedDate";
const FURTHER_FIELDS: [&str; 3] = ["Title", "Department", "LeadSource"];

/// Another process runs the stream.
const BUSY: i32 = 6;

/// How much of the proof runs.
struct Length {
    contacts: u64,
    /// How many kills strike each pair of a phase and a number of processes; there are six pairs on each database.
    kills: u32,
}

fn length() -> Length {
    match std::env::var("ORGTIDE_PROOF").as_deref() {
        Ok("full") => Length { contacts: 3_000, kills: 84 },
        _ => Length { contacts: 600, kills: 1 },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Import,
    Incremental,
    BackFill,
    Refresh,
    Sweep,
    Repair,
}

/// Where the control store and the copies are.
pub(super) enum Place {
    /// Each a SQLite file.
    Sqlite,
    /// The control store in a SQLite file, copies in folders of Parquet files.
    Parquet,
    Server(Fixture),
}

/// An org, and the program that copies it.
pub(super) struct Scene {
    pub(super) org: Acme,
    place: Place,
    length: Length,
    random: Random,
    pub(super) kills: BTreeMap<(Phase, usize), u32>,
    /// Settings of the program, beside the usual ones.
    pub(super) settings: Vec<(&'static str, String)>,
    /// How long a run of a phase took that was left alone.
    takes: BTreeMap<Phase, Duration>,
    changed: u64,
}

impl Scene {
    pub(super) async fn open(place: Place) -> Self {
        let mut scenario = Scenario::builtin("acme").unwrap();
        let length = length();
        scenario.rows.insert("Contact".to_owned(), length.contacts);
        scenario.bulk.page_rows = length.contacts / PAGES;
        // As many days' requests as a slow machine needs for all its kills come within one day.
        scenario.limits.daily_api_requests = 100_000_000;
        let (org, random) = (Acme::of(scenario).await, Random::from_environment());
        Self {
            org,
            place,
            length,
            random,
            kills: BTreeMap::new(),
            settings: Vec::new(),
            takes: BTreeMap::new(),
            changed: 0,
        }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        // The first load is a job and what has changed is a query, so that the kills strike both.
        let mut environment = vec![("ORGTIDE_BULK_THRESHOLD", (self.length.contacts / 2).to_string())];
        environment.extend(self.settings.iter().cloned());
        if let Place::Server(fixture) = &self.place {
            environment.push(("ORGTIDE_DATABASE_URL", fixture.place()));
            let password = Url::parse(&fixture.place()).unwrap().password().unwrap_or_default().to_owned();
            environment.push(("PGPASSWORD", password));
        }
        environment
    }

    fn spawn(&self, line: &str) -> Child {
        let environment = self.environment();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.org.spawn_with(line, &environment)
    }

    /// How many kills are to strike each phase.
    pub(super) fn wanted(&self) -> u32 {
        self.length.kills
    }

    pub(super) fn contacts(&self) -> u64 {
        self.length.contacts
    }

    /// Changes the rows of a copy behind the program's back.
    pub(super) async fn tamper(&self, name: &str, sql: &str) {
        match &self.place {
            Place::Sqlite => {
                let file = self.org.directory.path().join(name).with_extension("db");
                rusqlite::Connection::open(file).unwrap().execute_batch(sql).unwrap();
            }
            Place::Parquet => panic!("nobody runs SQL on files: {sql}"),
            Place::Server(fixture) => {
                let client = postgres::client(&fixture.place()).await;
                client.batch_execute(&format!("SET search_path TO \"{name}\"; {sql}")).await.unwrap();
            }
        }
    }

    pub(super) async fn succeed(&self, line: &str) {
        let ended = output_of(self.spawn(line)).await;
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
    }

    /// Where the copy of that name is, as the command line takes it.
    fn destination(&self, name: &str) -> String {
        match &self.place {
            Place::Sqlite => format!("sqlite:{}", self.org.directory.path().join(name).with_extension("db").display()),
            Place::Parquet => format!("parquet:{}?keep=0", self.org.directory.path().join(name).display()),
            Place::Server(fixture) => {
                let mut url = Url::parse(&fixture.place()).unwrap();
                url.set_password(None).unwrap();
                format!("{url}?schema={name}")
            }
        }
    }

    /// Connects the org under a name of its own, whose copy is empty.
    pub(super) async fn connect(&self, name: &str) {
        self.succeed(&format!("connect {name} --org {ORG} --client-id {CLIENT_ID}")).await;
    }

    pub(super) fn import(&self, name: &str, fields: &str) -> String {
        format!("import {name} Contact --fields {fields} --to {}", self.destination(name))
    }

    /// Changes a third of the records, makes some and deletes some.
    fn change(&mut self) {
        let control = self.org.emulator.control();
        let records = control.records("Contact");
        let ids: Vec<String> = records.iter().map(|record| record["Id"].as_str().unwrap().to_owned()).collect();
        for id in &ids {
            match self.random.below(30) {
                0 => control.delete(id).unwrap(),
                1..10 => {
                    self.changed += 1;
                    control.update(id, json!({"Description": format!("change {}", self.changed)})).unwrap();
                }
                _ => {}
            }
        }
        for number in 0..100 {
            self.changed += 1;
            let name = format!("Nr. {} of {number}", self.changed);
            control.insert("Contact", json!({"LastName": name, "Title": "new"})).unwrap();
        }
    }

    /// Runs `line` in so many processes at once, again and again, and kills them at random moments until `kills` have
    /// struck or one of them has come to its end.
    pub(super) async fn under_fire(&mut self, line: &str, phase: Phase, processes: usize) {
        let mut takes = self.takes.get(&phase).copied().unwrap_or(Duration::from_secs(1));
        let mut herd: Vec<(Child, Instant)> = Vec::new();
        loop {
            while herd.len() < processes {
                herd.push((self.spawn(line), Instant::now()));
            }
            let moment = takes.mul_f64(self.random.below(1_100) as f64 / 1_000.0);
            let first = select_all(herd.iter_mut().map(|(child, _)| Box::pin(child.wait())));
            let ended = tokio::time::timeout(moment, first).await.map(|(_, index, _)| index);
            match ended {
                Ok(index) => {
                    let (child, since) = herd.swap_remove(index);
                    let ended = output_of(child).await;
                    if ended.code == 0 {
                        self.takes.insert(phase, since.elapsed());
                        break;
                    }
                    assert!(processes > 1 && ended.code == BUSY, "{line}: {ended:?}");
                }
                Err(_) => {
                    let victim = self.random.below(herd.len() as u64) as usize;
                    let (mut child, _) = herd.swap_remove(victim);
                    child.kill().await.unwrap();
                    *self.kills.entry((phase, processes)).or_default() += 1;
                    // A machine that has become slower is given the time to come to an end.
                    takes = takes.mul_f64(1.05);
                }
            }
        }
        for (child, _) in herd {
            let ended = output_of(child).await;
            assert!([0, BUSY].contains(&ended.code), "{line}: {ended:?}");
        }
    }

    /// Asserts that the copy holds the living records as a copy does that is made now.
    pub(super) async fn compare(&self, name: &str, fields: &str, round: &str) {
        let truth = format!("truth{round}");
        self.connect(&truth).await;
        self.succeed(&self.import(&truth, fields)).await;
        let columns =
            fields.split(',').map(|field| format!("\"{}\"", field.replace('.', "_"))).collect::<Vec<_>>().join(", ");
        let differences = match &self.place {
            Place::Sqlite => self.differences_of_databases(name, &truth, &columns),
            Place::Parquet => self.differences_of_folders(name, &truth, fields),
            Place::Server(fixture) => differences_of_schemas(&fixture.place(), name, &truth, &columns).await,
        };
        assert_eq!(differences, (0, 0), "{name} lacks so many records, and has so many that are not there");
    }

    fn differences_of_databases(&self, name: &str, truth: &str, columns: &str) -> (i64, i64) {
        let file = |name: &str| self.org.directory.path().join(name).with_extension("db");
        let database = rusqlite::Connection::open(file(name)).unwrap();
        database.execute("ATTACH ?1 AS truth", [file(truth).display().to_string()]).unwrap();
        let minus = |one: &str, other: &str| -> i64 {
            let living = |schema: &str| format!("SELECT {columns} FROM {schema}.Contact WHERE _deleted = 0");
            let sql = format!("SELECT count(*) FROM ({} EXCEPT {})", living(one), living(other));
            database.query_row(&sql, [], |row| row.get(0)).unwrap()
        };
        (minus("truth", "main"), minus("main", "truth"))
    }

    fn differences_of_folders(&self, name: &str, truth: &str, fields: &str) -> (i64, i64) {
        let living = |name: &str| parquet::living(&self.org.directory.path().join(name).join("Contact"), fields);
        let (copy, truth) = (living(name), living(truth));
        let lacking = |from: &BTreeMap<String, String>, among: &BTreeMap<String, String>| {
            from.iter().filter(|(id, row)| among.get(*id) != Some(row)).count() as i64
        };
        (lacking(&truth, &copy), lacking(&copy, &truth))
    }

    /// One copy from its first import to a back-fill, under fire in each phase.
    async fn copy_under_fire(&mut self, round: u32, processes: usize) {
        let name = format!("copy{round}");
        self.connect(&name).await;
        self.under_fire(&self.import(&name, FIELDS), Phase::Import, processes).await;
        self.compare(&name, FIELDS, &format!("{round}a")).await;

        self.change();
        self.under_fire(&format!("sync {name}"), Phase::Incremental, processes).await;
        self.compare(&name, FIELDS, &format!("{round}b")).await;

        let further = format!("{FIELDS},{}", FURTHER_FIELDS.join(","));
        self.map(&name, &further).await;
        self.change();
        self.under_fire(&format!("sync {name}"), Phase::BackFill, processes).await;
        self.compare(&name, &further, &format!("{round}c")).await;
    }

    /// Gives the copy further columns.
    async fn map(&self, name: &str, fields: &str) {
        let file = self.org.directory.path().join("mapping.toml");
        let columns: String = fields.split(',').map(|field| format!("[[columns]]\nfield = \"{field}\"\n")).collect();
        std::fs::write(&file, format!("object = \"Contact\"\n{columns}")).unwrap();
        self.succeed(&format!("map set {name} --file {}", file.display())).await;
    }

    async fn prove(mut self, kind: &str) {
        let (wanted, mut rounds) = (self.length.kills, 0);
        for processes in [1, 3] {
            let reached = |scene: &Self| {
                let kills = |phase| scene.kills.get(&(phase, processes)).copied().unwrap_or_default();
                [Phase::Import, Phase::Incremental, Phase::BackFill].into_iter().map(kills).min()
            };
            while reached(&self) < Some(wanted) {
                self.copy_under_fire(rounds, processes).await;
                rounds += 1;
            }
        }
        let all: u32 = self.kills.values().sum();
        let by_phase: Vec<String> = self
            .kills
            .iter()
            .map(|((phase, processes), kills)| format!("{kills} in {phase:?} by {processes}").to_lowercase())
            .collect();
        println!(
            "proof: killed copies on {kind}: {all} kills ({}) in {rounds} copies of {} rows and more, 0 lost, 0 twice, \
             0 different",
            by_phase.join(", "),
            self.length.contacts
        );
    }
}

async fn differences_of_schemas(url: &str, name: &str, truth: &str, columns: &str) -> (i64, i64) {
    let client = postgres::client(url).await;
    let mut found = Vec::new();
    for (one, other) in [(truth, name), (name, truth)] {
        let living = |schema: &str| format!("SELECT {columns} FROM \"{schema}\".\"Contact\" WHERE NOT _deleted");
        let sql = format!("SELECT count(*) FROM ({} EXCEPT {}) x", living(one), living(other));
        found.push(client.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0));
    }
    (found[0], found[1])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_a_file_whose_processes_are_killed_is_the_copy_of_one_that_is_not() {
    Scene::open(Place::Sqlite).await.prove("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_parquet_files_whose_processes_are_killed_is_the_copy_of_one_that_is_not() {
    Scene::open(Place::Parquet).await.prove("parquet").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_on_a_server_whose_processes_are_killed_is_the_copy_of_one_that_is_not() {
    postgres::with_fixture(on_a_server).await;
}

async fn on_a_server(fixture: Fixture) {
    Scene::open(Place::Server(fixture)).await.prove("postgres").await;
}
