//! Processes that are killed while they send, and what their receiver holds in the end.
//!
//! `ORGTIDE_PROOF=full` kills many; every random choice follows from `ORGTIDE_PROOF_SEED`.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use destinations::{
    DestinationSettings,
    webhook::{Clock, Policy, Surroundings},
};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sync::{
    Timestamp,
    checkpoint::{Checkpoint, Epoch, Position},
    table::{ColumnType, Deletion, TableBatch, TableSchema},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::{BEGINNING, Hook, Reply};
use crate::{
    case::checkpoint,
    contact::{batch, stream, table},
    rows::Row,
};

/// Holds the task of a further process.
const TASK: &str = "ORGTIDE_TEST_WEBHOOK_TASK";
/// This file's test that does it.
const WORKER: &str = "webhook::proof::a_further_process_sends_until_it_is_killed";

/// Batches of a copy; the last three are a whole reading that sweeps.
const BATCHES: u64 = 12;
const SWEEPING: u64 = 3;
const KEYS: u64 = 24;

/// SplitMix64 (Steele, Lea and Flood): the same numbers for the same seed on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn contacts() -> TableSchema {
    let columns = [("Id", ColumnType::Text), ("Name", ColumnType::Text), ("SystemModstamp", ColumnType::Timestamp)];
    TableSchema { version: Some(2), sweeps: true, ..table(&columns) }
}

/// One batch of a history, as values that anybody can apply.
struct Step {
    upserts: BTreeMap<String, (String, Timestamp)>,
    deletes: BTreeMap<String, Timestamp>,
    sweeps: bool,
}

fn step(seed: u64, index: u64) -> Step {
    let mut random = Random(seed.wrapping_mul(1000).wrapping_add(index));
    let stamp = Timestamp(BEGINNING.0 + i64::try_from(index).unwrap() * 1000);
    let mut keys = |most: u64| -> BTreeSet<String> {
        (0..random.below(most) + 1).map(|_| format!("{:02}", random.below(KEYS))).collect()
    };
    let (upserts, deletes) = (keys(12), keys(4));
    let sweeps = index >= BATCHES - SWEEPING;
    Step {
        upserts: upserts.into_iter().map(|key| (key.clone(), (format!("{key} as of {index}"), stamp))).collect(),
        deletes: deletes.into_iter().filter(|_| !sweeps).map(|key| (key, stamp)).collect(),
        sweeps,
    }
}

impl Step {
    fn batch(&self) -> TableBatch {
        let row = |(key, (name, stamp)): (&String, &(String, Timestamp))| json!({"Id": key, "Name": name, "SystemModstamp": stamp.to_string()});
        let rows: Vec<Value> = self.upserts.iter().map(row).collect();
        let deletes = self.deletes.iter().map(|(id, version)| Deletion { id: id.clone(), version: Some(*version) });
        TableBatch { deletes: deletes.collect(), ..batch(&contacts(), &rows) }
    }

    fn checkpoint(&self, index: u64) -> Checkpoint {
        let resume = checkpoint(&index.to_string());
        let at = if index + 1 == BATCHES { Position::Complete } else { resume.at };
        Checkpoint { at, sweep: self.sweeps.then_some(7), ..resume }
    }
}

/// What a receiver has to hold when everything has arrived once and in order.
fn expected(seed: u64) -> Vec<Row> {
    let mut rows: BTreeMap<String, (String, Timestamp, bool)> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for index in 0..BATCHES {
        let step = step(seed, index);
        for (key, (name, stamp)) in &step.upserts {
            rows.insert(key.clone(), (name.clone(), *stamp, false));
            if step.sweeps {
                named.insert(key.clone());
            }
        }
        for (key, stamp) in &step.deletes {
            if let Some(row) = rows.get_mut(key) {
                (row.1, row.2) = (*stamp, true);
            }
        }
    }
    rows.iter_mut().filter(|(key, _)| !named.contains(*key)).for_each(|(_, row)| row.2 = true);
    let row = |(key, (name, stamp, deleted)): (String, (String, Timestamp, bool))| {
        let row = json!({
            "_connection": "acme", "Id": key, "Name": name, "SystemModstamp": stamp.to_string(), "_deleted": deleted,
        });
        serde_json::from_value(row).unwrap()
    };
    rows.into_iter().map(row).collect()
}

/// What a further process does.
#[derive(Serialize, Deserialize)]
struct Task {
    address: String,
    seed: u64,
    epoch: i64,
    /// It stands still at its so manieth look at the clock: there is one between any two steps.
    halt_at_look: Option<u64>,
}

/// The clock of a further process.
struct HaltingClock {
    looks: AtomicU64,
    halt_at: Option<u64>,
}

impl Clock for HaltingClock {
    fn now(&self) -> Timestamp {
        if Some(self.looks.fetch_add(1, Ordering::SeqCst)) == self.halt_at {
            println!("\nhalted");
            loop {
                std::thread::park();
            }
        }
        BEGINNING
    }

    fn sleep(&self, _wait: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn time_out(&self, _limit: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// No test of its own: the processes of the proof below are this one, started with a task.
#[tokio::test]
async fn a_further_process_sends_until_it_is_killed() {
    let Ok(task) = std::env::var(TASK) else { return };
    let Task { address, seed, epoch, halt_at_look } = serde_json::from_str(&task).unwrap();
    let clock = HaltingClock { looks: AtomicU64::new(0), halt_at: halt_at_look };
    let surroundings = Surroundings {
        policy: Policy { allow: Vec::new(), allow_http: true },
        clock: Arc::new(clock),
        ..Surroundings::default()
    };
    let settings = address.parse::<DestinationSettings>().unwrap().within(&surroundings);
    let mut destination = destinations::open(&settings).unwrap();
    let begin = match destination.prepare(&stream(), &contacts(), Epoch(epoch)).await.unwrap().map(|resume| resume.at) {
        None => 0,
        Some(Position::Query { last_id }) => last_id.parse::<u64>().unwrap() + 1,
        Some(Position::Complete) => BATCHES,
        Some(other) => panic!("{other:?}"),
    };
    for index in begin..BATCHES {
        let step = step(seed, index);
        destination.write(step.batch(), &step.checkpoint(index), Epoch(epoch)).await.unwrap();
    }
    destination.close().await.unwrap();
    println!("\ndone");
}

/// Where a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kill {
    /// Between two of its steps: before a commit, between commit and sending, between answer and mark.
    AtLook(u64),
    /// The receiver has the message, and takes it not.
    BeforeItIsTaken(u64),
    /// The receiver has taken it, and has not answered.
    BeforeTheAnswer(u64),
}

impl Kill {
    fn drawn(random: &mut Random) -> Self {
        match random.below(3) {
            0 => Self::AtLook(random.below(60)),
            1 => Self::BeforeItIsTaken(random.below(14)),
            _ => Self::BeforeTheAnswer(random.below(14)),
        }
    }

    fn place(self) -> &'static str {
        match self {
            Self::AtLook(_) => "between steps",
            Self::BeforeItIsTaken(_) => "before a message was taken",
            Self::BeforeTheAnswer(_) => "before its answer",
        }
    }
}

fn start(task: &Task) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([WORKER, "--exact", "--nocapture", "--test-threads=1"])
        .env(TASK, serde_json::to_string(task).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

/// Runs a process until it is done (true) or killed.
async fn run(hook: &Hook, seed: u64, epoch: i64, kill: Option<Kill>) -> bool {
    let halt_at_look = match kill {
        Some(Kill::AtLook(look)) => Some(look),
        _ => None,
    };
    let replies = |requests: u64, last: Reply| (0..requests).map(|_| Reply::Take(200, "")).chain([last]);
    match kill {
        Some(Kill::BeforeItIsTaken(requests)) => hook.receiver.script(replies(requests, Reply::Hang)),
        Some(Kill::BeforeTheAnswer(requests)) => hook.receiver.script(replies(requests, Reply::TakeAndHang)),
        Some(Kill::AtLook(_)) | None => {}
    }
    let (mut child, mut lines) = start(&Task { address: hook.address("&rows=3"), seed, epoch, halt_at_look });
    let is_done = loop {
        tokio::select! {
            line = lines.next_line() => match line.unwrap().as_deref() {
                Some("done") => break true,
                Some("halted") => break false,
                Some(_) => {}
                None => panic!("the process of seed {seed} has failed"),
            },
            () = hook.receiver.hanging.notified() => break false,
        }
    };
    if is_done {
        drop(child.wait().await)
    } else {
        child.kill().await.unwrap()
    }
    hook.receiver.state.lock().unwrap().script.clear();
    is_done
}

#[tokio::test]
async fn whatever_a_sending_process_is_killed_at_its_receiver_ends_with_everything_once() {
    let copies = if std::env::var("ORGTIDE_PROOF").as_deref() == Ok("full") { 60 } else { 4 };
    let seed: u64 = std::env::var("ORGTIDE_PROOF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut random = Random(seed);
    let mut kills: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut messages, mut repeats) = (0, 0);
    for copy in 0..copies {
        let hook = Hook::new().await;
        let history = random.below(1 << 40);
        // Every other receiver does not look at ids: what is sent again, it applies again.
        hook.receiver.state.lock().unwrap().forgets_ids = copy % 2 == 1;
        let mut killed = 0;
        for epoch in 1.. {
            let kill = Some(Kill::drawn(&mut random)).filter(|_| killed < 12);
            if run(&hook, history, epoch, kill).await {
                break;
            }
            killed += 1;
            *kills.entry(kill.unwrap().place()).or_default() += 1;
        }
        assert_eq!(hook.receiver.rows("Contact"), expected(history), "copy {copy} of seed {seed}");
        let arrived = hook.receiver.arrived();
        let mut known: BTreeMap<&str, &Value> = BTreeMap::new();
        let mut told: BTreeSet<(String, String)> = BTreeSet::new();
        for one in &arrived {
            match known.insert(&one.id, &one.message) {
                Some(message) => {
                    repeats += 1;
                    assert_eq!(message, &one.message, "what is sent again says the same");
                }
                None => {
                    for row in one.message["data"]["upserts"].as_array().into_iter().flatten() {
                        let version = (row["Id"].to_string(), row["SystemModstamp"].to_string());
                        assert!(told.insert(version), "{row} is in two messages of copy {copy} of seed {seed}");
                    }
                }
            }
        }
        let taken: BTreeSet<&str> = arrived.iter().filter(|one| one.is_taken).map(|one| one.id.as_str()).collect();
        assert_eq!(taken.len(), known.len(), "every message was taken in the end");
        assert!(u64::try_from(arrived.len() - known.len()).unwrap() <= killed, "a kill repeats one message at most");
        messages += known.len();
    }
    let all: u64 = kills.values().sum();
    let places: Vec<String> = kills.iter().map(|(place, count)| format!("{count} {place}")).collect();
    println!(
        "proof: killed webhooks: {all} kills ({}) in {copies} copies, {messages} messages, {repeats} sent again under the same \
         id, 0 lost, 0 twice, 0 different",
        places.join(", ")
    );
}
