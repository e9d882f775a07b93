//! Callers of several processes share the sessions of many connections.

use std::{collections::BTreeSet, sync::Arc};

use emulator::{Scenario, Secret, scenario::IssuedRefreshToken};
use orgtide::store::{connections::Connection, credentials::CredentialKind};
use salesforce::{
    ApiError, ApiVersion, Client, Http,
    oauth::{IssuedToken, Revoked, TokenSource, revoke},
    secret::AccessToken,
};
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Child,
    sync::watch,
};

use super::{
    Random,
    process::{Pace, Task},
};
use crate::{
    database::{Fixture, on_both_databases},
    keeper::scene::{ROTATING, refreshing},
    org::{Acme, TOKEN},
};

struct Length {
    connections: usize,
    processes: usize,
    callers: usize,
    expiries: u64,
}

fn length() -> Length {
    match std::env::var("ORGTIDE_PROOF").as_deref() {
        Ok("full") => Length { connections: 100, processes: 4, callers: 64, expiries: 2000 },
        _ => Length { connections: 8, processes: 2, callers: 8, expiries: 30 },
    }
}

/// An org that has issued a rotating refresh token for each of many connections, which are in the store.
pub(super) async fn org_with_connections(fixture: &Fixture, prefix: &str, count: usize) -> (Acme, Vec<String>) {
    let names: Vec<String> = (0..count).map(|number| format!("{prefix}{number}")).collect();
    let mut scenario = Scenario::builtin("acme").unwrap();
    scenario.limits.approvals_per_user_and_app = count + 10;
    let issued = |name: &String| IssuedRefreshToken {
        token: Secret::new(format!("5Aep.{name}")),
        ..scenario.refresh_tokens[1].clone()
    };
    let tokens: Vec<_> = names.iter().map(issued).collect();
    scenario.refresh_tokens.extend(tokens);
    let org = Acme::of(scenario).await;
    let store = fixture.open().await.unwrap();
    for name in &names {
        let token = format!("5Aep.{name}");
        let mut new = refreshing((ROTATING.0, ROTATING.1, &token));
        new.name.clone_from(name);
        store.save_connection(&new).await.unwrap();
    }
    (org, names)
}

/// What the org's journal says of the token endpoint. The journal forgets, so it is looked at again and again.
#[derive(Default)]
struct Redemptions {
    seen: u64,
    asked: u64,
    refused: u64,
}

impl Redemptions {
    /// Counts what has been answered since the last look.
    fn look(&mut self, org: &Acme) {
        let journal = org.emulator.control().journal();
        let new = journal.iter().filter(|entry| entry.number > self.seen);
        let answered: Vec<_> = new.take_while(|entry| entry.status.is_some()).collect();
        if let Some(first) = journal.first() {
            assert!(first.number <= self.seen + 1, "the journal has forgotten what was not counted");
        }
        let asked: Vec<_> =
            answered.iter().filter(|entry| format!("{} {}", entry.method, entry.route) == TOKEN).collect();
        self.asked += asked.len() as u64;
        self.refused += asked.iter().filter(|entry| entry.status != Some(200)).count() as u64;
        self.seen = answered.last().map_or(self.seen, |entry| entry.number);
    }
}

on_both_databases! {
    async fn one_redemption_an_expiry_whatever_callers_and_processes_there_are(fixture: Fixture) {
        let (length, mut random) = (length(), Random::from_environment());
        let (org, names) = org_with_connections(&fixture, "c", length.connections).await;
        let pace = Pace::faster_by(1);
        let task = Task::new(&fixture, &org, pace, names.clone());
        let mut processes: Vec<Child> = (0..length.processes)
            .map(|number| {
                let callers = length.callers / length.processes;
                let test = "proof::callers::a_process_with_callers";
                Task { seed: random.below(1 << 40) + number as u64, callers, ..task.clone() }.start(test)
            })
            .collect();
        let store = task.store(Arc::new(pace)).await;
        let http = task.http();
        let (mut expired, mut tries, mut redemptions) = (0, 0_u64, Redemptions::default());
        while expired < length.expiries {
            tries += 1;
            if tries.is_multiple_of(50) {
                redemptions.look(&org);
            }
            let name = &names[random.below(names.len() as u64) as usize];
            let connection = store.connection(name).await.unwrap();
            // Ends the session if it is open; one that has ended is not counted again.
            match session_token(&store, &connection).await {
                Some(token) => expired += u64::from(expire(&http, &connection, &token).await),
                None => tokio::task::yield_now().await,
            }
        }
        let mut calls = 0;
        for process in &mut processes {
            process.stdin.take().unwrap().write_all(b"stop\n").await.unwrap();
        }
        for mut process in processes {
            let mut said = String::new();
            process.stdout.take().unwrap().read_to_string(&mut said).await.unwrap();
            assert!(process.wait().await.unwrap().success(), "{said}");
            let called = said.lines().find_map(|line| line.split_once("calls ")).expect("it says how many calls it made");
            calls += called.1.trim().parse::<u64>().unwrap();
        }
        redemptions.look(&org);
        let Redemptions { asked, refused, .. } = redemptions;
        assert_eq!(refused, 0, "no token was replayed");
        assert_eq!(asked, length.connections as u64 + expired, "one redemption an expiry");
        println!(
            "proof: rotation on {}: {} callers in {} processes, {} connections, {calls} calls, {expired} expiries, {asked} \
             redemptions, 0 replays",
            fixture.kind(), length.callers, length.processes, length.connections
        );
    }
}

async fn session_token(store: &orgtide::store::Store, connection: &Connection) -> Option<AccessToken> {
    let session = store.credential(&connection.id, CredentialKind::Session).await.unwrap()?;
    let session: serde_json::Value = serde_json::from_str(session.expose_secret()).unwrap();
    Some(session["access_token"].as_str().unwrap().to_owned().into())
}

async fn expire(http: &Http, connection: &Connection, token: &AccessToken) -> bool {
    revoke(http, &connection.org, IssuedToken::Access(token)).await.unwrap() == Revoked::Now
}

/// A further process: its callers ask who they are, again and again, and at the end once more for each connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_with_callers() {
    let Some(task) = Task::given() else { return };
    let clock = Arc::new(task.pace);
    let (store, http) = (task.store(clock.clone()).await, task.http());
    let client = |name: &String| {
        let keeper: Arc<dyn TokenSource> = Arc::new(task.keeper(&store, &http, clock.clone(), name));
        Client::new(http.clone(), keeper, ApiVersion(68))
    };
    let clients: Arc<Vec<Client>> = Arc::new(task.connections.iter().map(client).collect());
    let (stop, stopped) = watch::channel(false);
    let callers: Vec<_> = (0..task.callers)
        .map(|number| {
            let (clients, stopped) = (Arc::clone(&clients), stopped.clone());
            let mut random = Random(task.seed.wrapping_mul(31) + number as u64);
            tokio::spawn(async move {
                let mut calls = 0_u64;
                while !*stopped.borrow() {
                    calls += 1;
                    match clients[random.below(clients.len() as u64) as usize].userinfo().await {
                        // The next session has expired before it was used: whoever needs it asks once more.
                        Ok(_) | Err(ApiError::SessionRefused { renewed: true, .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                calls
            })
        })
        .collect();
    let told = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    told.await.unwrap().unwrap();
    stop.send(true).unwrap();
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.unwrap();
    }
    let mut users = BTreeSet::new();
    for client in clients.iter() {
        users.insert(client.userinfo().await.unwrap().user_id);
        calls += 1;
    }
    assert_eq!(users.len(), 1);
    println!("calls {calls}");
}
