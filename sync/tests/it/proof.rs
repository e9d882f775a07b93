//! Storms of random faults, and the short slice of them that runs every time.
//!
//! `ORGTIDE_PROOF=full` runs all of them; every random choice follows from `ORGTIDE_PROOF_SEED`.

use emulator::{Effect, FaultRate};
use sync::read::ReadChoice;

use crate::{
    memory::{Crash, Durable},
    org::{Org, Setting, nowhere, whole},
};

const CONTACTS: u64 = 1500;
const PAGE: u64 = 200;
/// Runs that an import in a storm may take. Each comes further than the one before, or dies at once.
const MOST_RUNS: u32 = 200;

/// SplitMix64 (Steele, Lea and Flood): the same numbers for the same seed on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn effect(&mut self) -> Effect {
        match self.below(8) {
            0 => Effect::LostAnswer,
            1 => Effect::CutBody { after: self.below(60_000) },
            2 => Effect::Unavailable { retry_after: 1 },
            3 => Effect::Maintenance { status: if self.below(2) == 0 { 200 } else { 503 } },
            4 => Effect::ExpireSession,
            5 => Effect::ShortPage { rows: 1 + self.below(PAGE) },
            6 => Effect::Error { status: 500, code: "UNKNOWN_EXCEPTION".into(), message: "An unexpected error".into() },
            _ => Effect::Answer { status: 406, content_type: "text/plain".into(), body: String::new() },
        }
    }

    /// A process that dies at one of the next writes, sometimes.
    pub(crate) fn crash(&mut self, written: u64) -> Option<Crash> {
        let write = written + self.below(6);
        match self.below(3) {
            0 => Some(Crash::Before(write)),
            1 => Some(Crash::After(write)),
            _ => None,
        }
    }

    fn brew(&mut self, org: &Org) {
        for route in ["*/results*", "*/resultPages*", "*/jobs/query*", "*/query*", "*/describe", "*/oauth2/token"] {
            let probability = self.below(60) as f64 / 100.0;
            let rate = FaultRate { on: format!("* {route}").as_str().into(), probability, effect: self.effect() };
            org.emulator.control().set_fault_rate(rate);
        }
    }
}

/// Imports until it succeeds; how many runs that took.
async fn weather(org: &Org, read: ReadChoice, random: &mut Random) -> (Durable, u32) {
    let durable = nowhere();
    for run in 1..=MOST_RUNS {
        // The last runs are in calm weather: a storm may be such that nothing gets through.
        match run > MOST_RUNS / 2 {
            true => org.emulator.control().clear_faults(),
            false => random.brew(org),
        }
        let crash = random.crash(durable.lock().unwrap().writes);
        if org.run(&whole("Contact"), &durable, Setting { read, crash, ..Setting::default() }).await.is_ok() {
            return (durable.lock().unwrap().clone(), run);
        }
    }
    panic!("no run of {MOST_RUNS} succeeded")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_through_a_storm_of_faults_and_crashes_gives_the_same_table_as_one_in_calm_weather() {
    let storms = if std::env::var("ORGTIDE_PROOF").as_deref() == Ok("full") { 100 } else { 4 };
    let seed = std::env::var("ORGTIDE_PROOF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut random = Random(seed);
    let (mut runs, mut faults) = (0, 0);
    for storm in 0..storms {
        let sizes = format!("[bulk]\npage_rows = {PAGE}\n[pages]\nrows = {PAGE}\nrows_with_long_text = {PAGE}");
        let more = format!("[rows]\nContact = {CONTACTS}\n{sizes}");
        let org = Org::start_with_seed(random.below(1 << 40), &more).await;
        let calm = nowhere();
        org.sync(&whole("Contact"), &calm).await;
        let read = if storm % 2 == 0 { ReadChoice::Bulk } else { ReadChoice::Query };
        let (durable, took) = weather(&org, read, &mut random).await;
        assert_eq!(durable.rows, calm.lock().unwrap().rows, "storm {storm} of seed {seed}");
        runs += took;
        faults += org.emulator.control().journal().iter().filter(|entry| entry.fault.is_some()).count();
    }
    println!(
        "proof: import through storms: {storms} storms, {runs} runs, {faults} faults struck, 0 of {} records lost, 0 \
         twice, 0 different",
        storms * CONTACTS
    );
}
