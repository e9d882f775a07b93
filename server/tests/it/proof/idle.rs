//! What a copy's processes do while the org has calls to spare, killed again and again: reading columns again, sweeping by
//! Ids, and putting right what differs.

use std::time::Duration;

use serde_json::json;

use super::copies::{FIELDS, Phase, Place, Scene};
use crate::database::{Fixture, postgres};

const HOUR: Duration = Duration::from_secs(3600);
const PHASES: [Phase; 3] = [Phase::Refresh, Phase::Sweep, Phase::Repair];

impl Scene {
    /// One copy, made in peace, under fire in each phase.
    async fn idle_work_under_fire(&mut self, round: u32) {
        let name = format!("idle{round}");
        let fields = format!("{FIELDS},Account.Name");
        self.connect(&name).await;
        self.org.emulator.control().advance(HOUR);
        self.succeed(&self.import(&name, &fields)).await;
        self.org.emulator.control().advance(HOUR);
        self.succeed(&format!("sync {name}")).await;

        self.rename_accounts(round);
        self.org.emulator.control().advance(25 * HOUR);
        self.under_fire(&format!("sync {name}"), Phase::Refresh, 1).await;
        self.compare(&name, &fields, &format!("{round}r")).await;

        self.lose_some(&name).await;
        self.org.emulator.control().advance(HOUR);
        self.under_fire(&format!("sync {name} --sweep"), Phase::Sweep, 1).await;
        self.compare(&name, &fields, &format!("{round}s")).await;

        self.alter_some(&name).await;
        self.under_fire(&format!("verify {name} --repair"), Phase::Repair, 1).await;
        self.compare(&name, &fields, &format!("{round}v")).await;
    }

    fn rename_accounts(&self, round: u32) {
        let control = self.org.emulator.control();
        for (number, account) in control.records("Account").into_iter().enumerate() {
            let id = account["Id"].as_str().unwrap().to_owned();
            control.update(&id, json!({"Name": format!("Account {number} of round {round}")})).unwrap();
        }
    }

    /// Records go without a word, and rows as well.
    async fn lose_some(&self, name: &str) {
        let control = self.org.emulator.control();
        let records = control.records("Contact");
        let ids: Vec<&str> = records.iter().map(|record| record["Id"].as_str().unwrap()).collect();
        ids.iter().step_by(13).for_each(|id| control.purge(id).unwrap());
        let lost: Vec<String> = ids.iter().skip(1).step_by(17).map(|id| format!("'{id}'")).collect();
        self.tamper(name, &format!("DELETE FROM \"Contact\" WHERE \"Id\" IN ({})", lost.join(","))).await;
    }

    async fn alter_some(&self, name: &str) {
        let records = self.org.emulator.control().records("Contact");
        let ids: Vec<&str> = records.iter().map(|record| record["Id"].as_str().unwrap()).collect();
        let quoted = |ids: Vec<&&str>| ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
        let altered = quoted(ids.iter().step_by(7).collect());
        let lost = quoted(ids.iter().skip(1).step_by(19).collect());
        let alter = format!("UPDATE \"Contact\" SET \"LastName\" = 'altered' WHERE \"Id\" IN ({altered})");
        self.tamper(name, &format!("{alter}; DELETE FROM \"Contact\" WHERE \"Id\" IN ({lost})")).await;
    }

    async fn prove_idle_work(mut self, kind: &str) {
        let ranges = (self.contacts() / 12).to_string();
        // Deletions are not asked for: as if the org had forgotten them.
        let unsaid = "10000000".to_owned();
        self.settings = vec![("ORGTIDE_SWEEP_RANGE_ROWS", ranges), ("ORGTIDE_DELETIONS_MINUTES", unsaid)];
        let (wanted, mut rounds) = (self.wanted(), 0);
        let struck = |scene: &Self, phase: Phase| scene.kills.get(&(phase, 1)).copied().unwrap_or_default();
        while PHASES.into_iter().any(|phase| struck(&self, phase) < wanted) {
            self.idle_work_under_fire(rounds).await;
            rounds += 1;
        }
        let by_phase = PHASES.map(|phase| format!("{} in {phase:?}", struck(&self, phase)).to_lowercase()).join(", ");
        let all: u32 = self.kills.values().sum();
        println!(
            "proof: killed idle work on {kind}: {all} kills ({by_phase}) in {rounds} copies of about {} rows, 0 lost, 0 \
             twice, 0 different",
            self.contacts()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_in_idle_quota_in_a_file_is_done_whole_though_its_processes_are_killed() {
    Scene::open(Place::Sqlite).await.prove_idle_work("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_in_idle_quota_on_a_server_is_done_whole_though_its_processes_are_killed() {
    postgres::with_fixture(on_a_server).await;
}

async fn on_a_server(fixture: Fixture) {
    Scene::open(Place::Server(fixture)).await.prove_idle_work("postgres").await;
}
