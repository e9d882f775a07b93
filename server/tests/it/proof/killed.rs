//! A keeper that is killed loses a connection only where nobody could keep it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use emulator::{Effect, JournalEntry};
use orgtide::{
    connection::state::ConnectionState,
    store::{Store, credentials::CredentialKind},
};
use salesforce::oauth::TokenSource;
use secrecy::ExposeSecret;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};

use super::{
    Random,
    callers::org_with_connections,
    process::{Halt, HaltingClock, Pace, Task},
};
use crate::{
    database::on_both_databases,
    org::{Acme, TOKEN, in_time},
};

const VICTIM: &str = "proof::killed::a_process_that_is_killed";
/// So that the deadline of a dead sender is waited out in seconds.
const FASTER: u32 = 20;

/// After this much real time nothing of a dead process is under way any more.
const SETTLED: Duration = Duration::from_millis(200);

struct Length {
    kills: usize,
    lanes: usize,
}

fn length() -> Length {
    match std::env::var("ORGTIDE_PROOF").as_deref() {
        Ok("full") => Length { kills: 500, lanes: 5 },
        _ => Length { kills: 8, lanes: 4 },
    }
}

/// How a process is brought to its end.
#[derive(Debug, Clone, Copy)]
enum Plan {
    /// When it stands still.
    Halted(Halt),
    /// After so many milliseconds, wherever it is.
    After(u64),
    /// While its request is held before Salesforce acts on it.
    Unanswered,
    /// While the answer is on its way.
    Answering,
}

/// Where a process was, by what it left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    BeforeTheIntent,
    AfterTheIntent,
    AfterSending,
    AfterTheAnswer,
    AfterTheCommit,
}

impl Found {
    fn words(self) -> &'static str {
        match self {
            Self::BeforeTheIntent => "before the intent",
            Self::AfterTheIntent => "after the intent",
            Self::AfterSending => "after sending",
            Self::AfterTheAnswer => "after the answer",
            Self::AfterTheCommit => "after the commit",
        }
    }
}

/// One org and its connections; kills happen one after the other, so that the org's journal tells whose request it was.
struct Lane {
    org: Acme,
    store: Arc<Store>,
    task: Task,
    looks: u64,
}

on_both_databases! {
    async fn a_killed_keeper_loses_a_connection_only_between_salesforces_rotation_and_our_commit(fixture: Fixture) {
        let (length, mut random) = (length(), Random::from_environment());
        let pace = Pace::faster_by(FASTER);
        let each = length.kills.div_ceil(length.lanes);
        let mut running = Vec::new();
        for number in 0..length.lanes {
            // The first connection shows how long a renewal is.
            let (org, names) = org_with_connections(&fixture, &format!("lane{number}-"), each + 1).await;
            let task = Task::new(&fixture, &org, pace, names);
            let store = task.store(Arc::new(pace)).await;
            let mut lane = Lane { org, store, task, looks: 0 };
            let (offset, mut random) = (number, Random(random.below(u64::MAX)));
            running.push(tokio::spawn(async move {
                lane.looks = lane.looks_of_a_renewal().await;
                let mut found = Vec::new();
                for kill in 0..each {
                    let plan = lane.plan(kill * 7 + offset, &mut random);
                    found.push(lane.kill(&lane.task.connections[kill + 1], plan).await);
                }
                found
            }));
        }
        let (mut places, mut lost) = (BTreeMap::<Found, usize>::new(), 0);
        for lane in running {
            for (found, is_lost) in lane.await.unwrap() {
                *places.entry(found).or_default() += 1;
                lost += usize::from(is_lost);
            }
        }
        let kills: usize = places.values().sum();
        assert!(kills >= length.kills);
        let places: Vec<String> = places.iter().map(|(place, count)| format!("{count} {}", place.words())).collect();
        println!(
            "proof: killed keeper on {}: {kills} kills ({}), {lost} connections lost, all between Salesforce's rotation and \
             our commit, 0 others",
            fixture.kind(), places.join(", ")
        );
    }
}

impl Lane {
    /// How often an undisturbed renewal looks at the clock.
    async fn looks_of_a_renewal(&self) -> u64 {
        let task = Task { connections: vec![self.task.connections[0].clone()], ..self.task.clone() };
        let output = task.start(VICTIM).wait_with_output().await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (_, looks) = said.lines().find_map(|line| line.split_once("looks ")).expect("it says how often it looked");
        looks.trim().parse().unwrap()
    }

    /// Every named place in turn, and between them random ones.
    fn plan(&self, kill: usize, random: &mut Random) -> Plan {
        match kill % 8 {
            0 => Plan::Halted(Halt::BeforeSending),
            1 => Plan::Halted(Halt::AfterTheAnswer),
            2 => Plan::Unanswered,
            3 => Plan::Answering,
            4 => Plan::After(random.below(60)),
            // The last looks are those of the commit.
            5 => Plan::Halted(Halt::AtLook(self.looks - random.below(4))),
            _ => Plan::Halted(Halt::AtLook(1 + random.below(self.looks))),
        }
    }

    /// Kills a process in the middle of a renewal, lets a successor go on, and holds the outcome against the org's
    /// journal. True when the connection is lost.
    async fn kill(&self, name: &str, plan: Plan) -> (Found, bool) {
        let before = self.requests().len();
        match plan {
            Plan::Unanswered => self.org.fault(TOKEN, Effect::Hang),
            Plan::Answering => self.org.fault(TOKEN, Effect::SlowBody { bytes_per_second: 40 }),
            Plan::Halted(_) | Plan::After(_) => {}
        }
        let halt = if let Plan::Halted(halt) = plan { halt } else { Halt::Nowhere };
        let task = Task { connections: vec![name.to_owned()], halt, ..self.task.clone() };
        let mut process = task.start(VICTIM);
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        reaches(&mut lines, "begins").await;
        match plan {
            Plan::Halted(_) => reaches(&mut lines, "halted").await,
            Plan::After(milliseconds) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
            Plan::Unanswered | Plan::Answering => self.arrival(before).await,
        }
        process.kill().await.unwrap();
        self.org.emulator.control().release();
        // What had left the process arrives, and what was held is answered or given up.
        tokio::time::sleep(SETTLED).await;

        let found = self.found(name, before).await;
        let rotated = self.requests()[before..].iter().any(|entry| entry.status == Some(200));
        let committed = found == Found::AfterTheCommit;
        let successor = self.task.keeper(&self.store, &self.task.http(), Arc::new(self.task.pace), name);
        let ended = successor.session().await;
        let state = self.store.connection(name).await.unwrap().state;
        let is_lost = ended.is_err();
        assert_eq!(
            is_lost,
            rotated && !committed,
            "{name}, {plan:?}, killed {}: {ended:?}, {:#?}",
            found.words(),
            &self.requests()[before..]
        );
        assert_eq!(is_lost, matches!(state, ConnectionState::NeedsReauthorization { .. }), "{name}: {state:?}");
        (found, is_lost)
    }

    /// Where the process was, by the store and by the org's journal.
    async fn found(&self, name: &str, before: usize) -> Found {
        let connection = self.store.connection(name).await.unwrap();
        let token = self.store.credential(&connection.id, CredentialKind::RefreshToken).await.unwrap().unwrap();
        if token.expose_secret() != format!("5Aep.{name}") {
            return Found::AfterTheCommit;
        }
        let has_intent = self.store.open_redemption(&connection.id).await.unwrap().is_some();
        match (has_intent, self.requests().get(before).map(|entry| entry.status)) {
            (false, _) => Found::BeforeTheIntent,
            (true, None) => Found::AfterTheIntent,
            (true, Some(None)) => Found::AfterSending,
            (true, Some(Some(_))) => Found::AfterTheAnswer,
        }
    }

    fn requests(&self) -> Vec<JournalEntry> {
        let journal = self.org.emulator.control().journal();
        journal.into_iter().filter(|entry| format!("{} {}", entry.method, entry.route) == TOKEN).collect()
    }

    async fn arrival(&self, before: usize) {
        let arrived = async {
            while self.requests().len() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        in_time(TOKEN, arrived).await;
    }
}

/// Reads on until the process says so. One that has ended says nothing more, and is not waited for.
async fn reaches<R: tokio::io::AsyncBufRead + Unpin>(lines: &mut Lines<R>, word: &str) {
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains(word) {
            return;
        }
    }
}

/// A further process: renews one connection, and stands still where it is told.
#[tokio::test]
async fn a_process_that_is_killed() {
    let Some(task) = Task::given() else { return };
    let clock = Arc::new(HaltingClock::new(&task));
    let store = task.store(clock.clone()).await;
    let keeper = task.keeper(&store, &task.http(), clock.clone(), &task.connections[0]);
    clock.start();
    println!("begins");
    keeper.session().await.unwrap();
    println!("looks {}", clock.looks());
}
