//! Whatever happens in which order: in one table, the rows of a connection are those of its own org, and of one org alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use emulator::Control;
use serde_json::json;

use super::{UAT, sandbox, scenario};
use crate::{
    org::{Acme, CLIENT_ID, end_of},
    place::Place,
};

const QUERY: &str = "GET /services/data/vXX.X/query";
const STEPS: usize = 14;

/// Numbers that follow from a seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// Production and its sandbox, imported into one table.
struct Pair<'a> {
    acme: Acme,
    place: &'a Place,
    /// How often the sandbox was refreshed.
    refreshes: usize,
    serial: usize,
}

/// What every record of an org says of itself: it is told apart from the record with the same Id elsewhere.
fn mark(org: &Control, text: &str) {
    for record in org.records("Account") {
        org.update(record["Id"].as_str().unwrap(), json!({"Description": text})).unwrap();
    }
}

impl<'a> Pair<'a> {
    async fn connected(place: &'a Place) -> Self {
        let mut scenario = scenario();
        scenario.rows.insert("Account".to_owned(), 12);
        let acme = Acme::of(scenario).await;
        acme.connect().await;
        let pair = Self { acme, place, refreshes: 0, serial: 0 };
        mark(pair.acme.emulator.control(), "production");
        mark(&sandbox(&pair.acme), "sandbox 0");
        pair.run(&format!("connect acme-uat --org {UAT} --client-id {CLIENT_ID}"), &[0]).await;
        for name in ["acme", "acme-uat"] {
            pair.run(&format!("import {name} Account --read rest --to {}", pair.place.to()), &[0]).await;
        }
        pair
    }

    async fn run(&self, line: &str, expected: &[i32]) {
        let ended = self.acme.run(line).await;
        assert!(expected.contains(&ended.code), "{line}: {ended:?}");
    }

    fn org(&self, is_sandbox: bool) -> Control {
        if is_sandbox { sandbox(&self.acme) } else { self.acme.emulator.control().clone() }
    }

    /// Something happens in one of the orgs.
    fn change(&mut self, dice: &mut Dice) {
        let is_sandbox = dice.roll(2) == 1;
        let description = if is_sandbox { format!("sandbox {}", self.refreshes) } else { "production".to_owned() };
        let org = self.org(is_sandbox);
        let ids: Vec<String> =
            org.records("Account").iter().map(|record| record["Id"].as_str().unwrap().to_owned()).collect();
        self.serial += 1;
        let name = format!("changed {}", self.serial);
        match dice.roll(3) {
            0 => drop(org.insert("Account", json!({"Name": name, "Description": description})).unwrap()),
            1 => org.update(&ids[dice.roll(ids.len())], json!({"Name": name})).unwrap(),
            _ if ids.len() > 4 => org.delete(&ids[dice.roll(ids.len())]).unwrap(),
            _ => {}
        }
        self.acme.emulator.control().advance(std::time::Duration::from_secs(90));
    }

    fn refresh(&mut self) {
        sandbox(&self.acme).refresh_sandbox(None).unwrap();
        self.refreshes += 1;
        mark(&sandbox(&self.acme), &format!("sandbox {}", self.refreshes));
    }

    /// A process dies while it reads from an org.
    async fn kill(&self, line: &str) {
        self.acme.fault(QUERY, emulator::Effect::Hang);
        let mut program = self.acme.spawn(line);
        let reached = async {
            tokio::select! {
                () = crate::org::until("a query", || self.acme.emulator.control().unused_faults().is_empty()) => {}
                // It was refused before it asked for anything.
                _ = end_of(&mut program) => {}
            }
        };
        reached.await;
        let _ = program.kill().await;
        self.acme.emulator.control().clear_faults();
        self.acme.emulator.control().release();
    }

    /// Where the rows of the connection say that they come from.
    async fn origins(&self, connection: &str) -> BTreeSet<String> {
        let sql = format!("SELECT DISTINCT \"Description\" FROM \"Account\" WHERE _connection = '{connection}'");
        match self.place.columns("Account").await.is_empty() {
            true => BTreeSet::new(),
            false => self.place.texts(&sql).await.into_iter().flatten().collect(),
        }
    }

    async fn never_mixed(&self, after: &str) {
        let production = self.origins("acme").await;
        assert!(production.iter().all(|origin| origin == "production"), "after {after}: {production:?}");
        let sandbox = self.origins("acme-uat").await;
        assert!(sandbox.len() <= 1 && !sandbox.contains("production"), "after {after}: {sandbox:?}");
    }

    /// The rows that are there are the records that are there.
    async fn are_equal(&self, connection: &str, org: &Control) {
        let there: BTreeMap<String, String> = org
            .records("Account")
            .iter()
            .map(|record| (record["Id"].as_str().unwrap().into(), record["Name"].as_str().unwrap().into()))
            .collect();
        let sql = format!(
            "SELECT \"Id\" || ' ' || \"Name\" FROM \"Account\" WHERE _connection = '{connection}' AND NOT _deleted"
        );
        let copied = self.place.texts(&sql).await.into_iter().flatten().map(|row| {
            let (id, name) = row.split_once(' ').unwrap();
            (id.to_owned(), name.to_owned())
        });
        assert_eq!(copied.collect::<BTreeMap<_, _>>(), there, "{connection}");
    }

    async fn step(&mut self, dice: &mut Dice) -> String {
        match dice.roll(8) {
            0 | 1 => {
                self.change(dice);
                "a change".into()
            }
            2 => {
                self.run("sync acme", &[0]).await;
                "a sync of production".into()
            }
            3 => {
                // Refused once the sandbox was refreshed.
                self.run("sync acme-uat", &[0, 3, 7]).await;
                "a sync of the sandbox".into()
            }
            4 => {
                self.refresh();
                "a refresh".into()
            }
            5 => {
                self.run(&format!("connect acme-uat --org {UAT} --client-id {CLIENT_ID} --refreshed"), &[0]).await;
                "a replacement".into()
            }
            6 => {
                self.kill("sync acme-uat").await;
                "a kill in a sync of the sandbox".into()
            }
            _ => {
                self.kill("import acme-uat Account").await;
                "a kill in an import of the sandbox".into()
            }
        }
    }
}

async fn wander(seed: u64, place: &Place) {
    let mut pair = Pair::connected(place).await;
    let mut dice = Dice(seed | 1);
    for step in 0..STEPS {
        let done = pair.step(&mut dice).await;
        pair.never_mixed(&format!("step {step} of seed {seed}: {done}")).await;
    }
    pair.run(&format!("connect acme-uat --org {UAT} --client-id {CLIENT_ID} --refreshed"), &[0]).await;
    for (name, is_sandbox) in [("acme", false), ("acme-uat", true)] {
        pair.run(&format!("sync {name}"), &[0]).await;
        pair.are_equal(name, &pair.org(is_sandbox)).await;
    }
    pair.never_mixed("the end").await;
}

/// `ORGTIDE_SEED` replays one.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_production_and_sandbox_with_the_same_ids_never_mix_whatever_happens() {
    let given = std::env::var("ORGTIDE_SEED").ok().map(|seed| seed.parse().unwrap());
    for seed in given.map_or_else(|| vec![20_261_122, 7, 4_711], |seed| vec![seed]) {
        let folder = tempfile::tempdir().unwrap();
        for place in Place::each(Path::new(folder.path())).await {
            wander(seed, &place).await;
        }
    }
}
