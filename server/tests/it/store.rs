//! The control store, on both databases.

use std::{process::Command, time::Duration};

use orgtide::{
    connection::state::ConnectionState,
    store::{
        Store, StoreError,
        connections::{Confirmed, Connection, Difference, NewConnection, SavedConnection},
        credentials::CredentialKind,
        lease::Holder,
        redemptions::{Answer, Closing, Settlement},
        runs::{Ending, Purpose, Reading, Run, RunCounts, RunFault, RunState, Unwritten},
        staged::StageStep,
        streams::{NewStream, Stream},
    },
};
use salesforce::{ApiVersion, OrgUrl, Timestamp, oauth::Flow};
use secrecy::ExposeSecret;
use sync::{
    batch::Misfit,
    checkpoint::{Asked, Checkpoint, Position, Window},
    mapping::{Mapping, RejectedRow, RowProblem},
    read::{ReadChoice, ReadMode},
};

use crate::database::on_both_databases;

const TERM: Duration = Duration::from_secs(60);
const ORG: &str = "00D5g00000ABCDEAA4";

fn values(values: &[Misfit]) -> Unwritten<'_> {
    Unwritten { values, ..Unwritten::default() }
}

fn rows(rows: &[RejectedRow]) -> Unwritten<'_> {
    Unwritten { rows, ..Unwritten::default() }
}

fn rejected(id: &str) -> RejectedRow {
    let problem = RowProblem { column: "email".into(), message: "SENTINEL is no address".into() };
    RejectedRow { id: id.into(), problems: vec![problem], record: r#"{"Email":"SENTINEL"}"#.into() }
}

fn completed(counts: RunCounts) -> Ending {
    Ending { state: RunState::Completed, reading: Reading::default(), counts, error: None }
}

fn host(name: &str) -> OrgUrl {
    serde_json::from_value(name.into()).unwrap()
}

fn sign_in(name: &str, org_id: &str) -> NewConnection {
    NewConnection {
        customer: "Acme".into(),
        name: name.into(),
        org: host("acme.my.salesforce.com"),
        instance: host("acme.my.salesforce.com"),
        org_id: org_id.into(),
        user_id: "0055g00000ABCDEAA4".into(),
        username: "integration@acme.example".into(),
        api_version: ApiVersion(68),
        flow: Flow::ClientCredentials,
        app: None,
        client_id: "3MVG9.client".into(),
        scopes: vec!["api".into()],
        audience: None,
        owner: None,
        confirmed: Confirmed::default(),
        organization: None,
        handed_over: None,
        state: ConnectionState::Connected { since: Timestamp(5) },
        credentials: vec![(CredentialKind::ClientSecret, "SENTINEL-client-secret".into())],
    }
}

async fn saved(store: &Store, new: &NewConnection) -> Connection {
    match store.save_connection(new).await.unwrap() {
        SavedConnection::Saved(connection) => *connection,
        SavedConnection::Differs(difference) => panic!("{difference:?}"),
    }
}

async fn secret(store: &Store, connection: &Connection, kind: CredentialKind) -> Option<String> {
    let secret = store.credential(&connection.id, kind).await.unwrap()?;
    Some(secret.expose_secret().to_owned())
}

fn account() -> Mapping {
    Mapping { object: "Account".into(), ..Mapping::default() }
}

async fn account_stream(store: &Store) -> Stream {
    let connection = saved(store, &sign_in("acme", ORG)).await;
    store.remember_stream(&new_stream(&connection.id, &account())).await.unwrap()
}

fn new_stream<'a>(connection_id: &'a str, mapping: &'a Mapping) -> NewStream<'a> {
    NewStream {
        connection_id,
        destination: "sqlite:/data/acme.db",
        object: &mapping.object,
        table: "Account",
        mapping,
        read: ReadChoice::Auto,
    }
}

fn us() -> Holder {
    Holder::this_process("orgtide import acme")
}

/// A process on a machine that we cannot look into.
fn somebody_elsewhere() -> Holder {
    Holder { command: "orgtide sync acme".into(), host: "elsewhere".into(), process: 7, birth: None }
}

fn checkpoint(at: Position) -> Checkpoint {
    let window = Window { from: None, until: Timestamp(9) };
    Checkpoint::new(window, Asked::default(), ApiVersion(68), at)
}

on_both_databases! {
    async fn a_sign_in_is_saved_whole_and_read_back(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let new = sign_in("acme", ORG);
        let connection = saved(&store, &new).await;
        assert_eq!((connection.name.as_str(), connection.customer.as_str()), ("acme", "Acme"));
        assert_eq!((&connection.org, &connection.state), (&new.org, &new.state));
        assert_eq!((connection.api_version, connection.flow), (new.api_version, new.flow));
        let other_process = fixture.open().await.unwrap();
        let read = other_process.connection("acme").await.unwrap();
        assert_eq!(read.id, connection.id);
        assert_eq!(
            secret(&other_process, &read, CredentialKind::ClientSecret).await.as_deref(),
            Some("SENTINEL-client-secret")
        );
        assert_eq!(secret(&other_process, &read, CredentialKind::RefreshToken).await, None);
    }

    async fn a_reconnect_keeps_the_connection_and_drops_the_old_credentials(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let first = saved(&store, &sign_in("acme", ORG)).await;
        let again = NewConnection {
            flow: Flow::RefreshToken,
            credentials: vec![(CredentialKind::RefreshToken, "refresh".into())],
            ..sign_in("acme", ORG)
        };
        let second = saved(&store, &again).await;
        assert_eq!(first.id, second.id);
        assert_eq!(second.flow, Flow::RefreshToken);
        assert_eq!(secret(&store, &second, CredentialKind::ClientSecret).await, None);
        assert_eq!(secret(&store, &second, CredentialKind::RefreshToken).await.as_deref(), Some("refresh"));
    }

    async fn a_reconnect_that_meets_another_org_changes_nothing(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let before = saved(&store, &sign_in("acme", ORG)).await;
        let other = NewConnection {
            credentials: vec![(CredentialKind::ClientSecret, "other".into())],
            ..sign_in("acme", "00D5g00000ZZZZZAA4")
        };
        let refused = store.save_connection(&other).await.unwrap();
        assert!(matches!(refused, SavedConnection::Differs(Difference::Org { expected }) if expected == ORG));
        let after = store.connection("acme").await.unwrap();
        assert_eq!((after.org_id.as_str(), &after.id), (ORG, &before.id));
        assert_eq!(
            secret(&store, &after, CredentialKind::ClientSecret).await.as_deref(),
            Some("SENTINEL-client-secret")
        );
    }

    async fn an_unknown_name_is_answered_with_the_names_there_are(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        saved(&store, &sign_in("acme", ORG)).await;
        saved(&store, &sign_in("beta", "00D5g00000ZZZZZAA4")).await;
        let error = store.connection("acmee").await.unwrap_err();
        assert_eq!(error.to_string(), "there is no connection named \"acmee\" (there is: acme, beta)");
        assert!(error.remedy().contains("orgtide connect"));
    }

    async fn a_lease_is_held_by_one_and_names_its_holder(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let since = orgtide::clock::Clock::now(&*fixture.clock);
        let lease = store.acquire_lease("stream", &us(), TERM).await.unwrap();
        assert_eq!(lease.epoch, 1);
        fixture.clock.advance(59);
        let other_process = fixture.open().await.unwrap();
        let error = other_process.acquire_lease("stream", &somebody_elsewhere(), TERM).await.unwrap_err();
        assert!(matches!(&error, StoreError::Leased { holder, since: s, .. } if **holder == us() && *s == since));
        assert!(error.to_string().contains("`orgtide import acme` (process"), "{error}");
        other_process.acquire_lease("another stream", &somebody_elsewhere(), TERM).await.unwrap();
    }

    async fn an_epoch_only_grows_across_holders_releases_and_lapses(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let first = store.acquire_lease("stream", &us(), TERM).await.unwrap();
        store.release_lease(&first).await.unwrap();
        assert_eq!(store.lease_holder("stream").await.unwrap(), None);
        let second = store.acquire_lease("stream", &somebody_elsewhere(), TERM).await.unwrap();
        fixture.clock.advance(60);
        let third = store.acquire_lease("stream", &us(), TERM).await.unwrap();
        assert_eq!((first.epoch, second.epoch, third.epoch), (1, 2, 3));
        store.release_lease(&second).await.unwrap();
        assert!(store.lease_holder("stream").await.unwrap().is_some(), "an old holder releases nothing");
        assert!(matches!(store.renew_lease(&second, TERM).await, Err(StoreError::Fenced { epoch: 2, .. })));
    }

    async fn a_renewed_lease_is_held_longer_and_a_released_one_is_not_renewed(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let lease = store.acquire_lease("stream", &somebody_elsewhere(), TERM).await.unwrap();
        fixture.clock.advance(50);
        let lease = store.renew_lease(&lease, TERM).await.unwrap();
        fixture.clock.advance(50);
        assert!(store.acquire_lease("stream", &us(), TERM).await.is_err());
        store.release_lease(&lease).await.unwrap();
        assert!(matches!(store.renew_lease(&lease, TERM).await, Err(StoreError::Fenced { .. })));
    }

    async fn the_lease_of_a_process_that_is_gone_is_free_at_once(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let living = Holder::of_process("orgtide import acme", child.id());
        let first = store.acquire_lease("stream", &living, TERM).await.unwrap();
        assert!(matches!(store.acquire_lease("stream", &us(), TERM).await, Err(StoreError::Leased { .. })));
        child.kill().unwrap();
        child.wait().unwrap();
        let second = store.acquire_lease("stream", &us(), TERM).await.unwrap();
        assert_eq!(second.epoch, first.epoch + 1);
    }

    async fn thirty_processes_ask_for_a_lease_and_one_gets_it(fixture: Fixture) {
        let store = std::sync::Arc::new(fixture.open().await.unwrap());
        let asking: Vec<_> = (0..30)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.acquire_lease("stream", &somebody_elsewhere(), TERM).await.is_ok() })
            })
            .collect();
        let mut granted = 0;
        for answer in asking {
            granted += u32::from(answer.await.unwrap());
        }
        assert_eq!(granted, 1);
    }

    async fn a_remembered_stream_keeps_its_identity_and_counts_its_mappings(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let first = account_stream(&store).await;
        let same = store.remember_stream(&new_stream(&first.connection_id, &account())).await.unwrap();
        assert_eq!((&same.id, same.mapping_version), (&first.id, 1));
        let filtered = Mapping { filter: Some("Name != null".into()), ..account() };
        let changed = store.remember_stream(&new_stream(&first.connection_id, &filtered)).await.unwrap();
        assert_eq!((&changed.id, changed.mapping_version), (&first.id, 2));
        assert_eq!(store.streams(&first.connection_id).await.unwrap(), [changed]);
    }

    async fn a_table_of_one_object_is_refused_to_another(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let stream = account_stream(&store).await;
        let contact = Mapping { object: "Contact".into(), ..Mapping::default() };
        let refused = store.remember_stream(&new_stream(&stream.connection_id, &contact)).await;
        assert!(matches!(refused, Err(StoreError::NameTaken { kind: "table", .. })));
    }

    async fn a_run_mirrors_its_checkpoint_and_ends_with_its_counts(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let stream = account_stream(&store).await;
        let lease = store.acquire_lease(&stream.lease_name(), &us(), TERM).await.unwrap();
        let run = store.begin_run(&stream, Purpose::Sync, &us(), &lease).await.unwrap();
        let counts = RunCounts { rows: 9, api_calls: 3, ..RunCounts::default() };
        let at = checkpoint(Position::Query { last_id: "001".into() });
        store.save_run_progress(&run, &counts, &at, &[], &lease).await.unwrap();
        assert_eq!(store.streams(&stream.connection_id).await.unwrap()[0].checkpoint, Some(at));
        let window = Window { from: None, until: Timestamp(7) };
        let reading = Reading { mode: Some(ReadMode::Bulk), is_resumed: true, window: Some(window) };
        let error = Some(RunFault { code: "salesforce".into(), message: "no".into() });
        let ending = Ending { state: RunState::Failed, reading, counts, error: error.clone() };
        store.end_run(&run, &ending, &[], &lease).await.unwrap();
        let ended = &store.runs(&stream.id, 5).await.unwrap()[0];
        assert_eq!((ended.state, ended.counts, ended.reading), (RunState::Failed, counts, reading));
        assert_eq!((ended.purpose, ended.mapping_version, &ended.error), (Purpose::Sync, Some(1), &error));
        assert_eq!(ended.holder, Some(us().to_string()));
        assert_eq!(&store.run(&run.id).await.unwrap(), ended);
        assert_eq!(store.api_calls_since(&stream.connection_id, run.started_at).await.unwrap(), 3);
        assert_eq!(store.api_calls_since(&stream.connection_id, Timestamp(run.started_at.0 + 1)).await.unwrap(), 0);
    }

    async fn a_run_that_lost_its_lease_changes_nothing(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let stream = account_stream(&store).await;
        let lease = store.acquire_lease(&stream.lease_name(), &somebody_elsewhere(), TERM).await.unwrap();
        let run = store.begin_run(&stream, Purpose::Sync, &us(), &lease).await.unwrap();
        fixture.clock.advance(61);
        let theirs = store.acquire_lease(&stream.lease_name(), &us(), TERM).await.unwrap();
        let their_run = store.begin_run(&stream, Purpose::Sync, &us(), &theirs).await.unwrap();
        let counts = RunCounts { rows: 1, ..RunCounts::default() };
        let at = checkpoint(Position::Complete);
        let misfit = Misfit { id: "001".into(), field: "Name".into(), raw: "x".into() };
        let saved = store.save_run_progress(&run, &counts, &at, &[], &lease).await;
        assert!(matches!(saved, Err(StoreError::Fenced { epoch: 1, .. })), "{saved:?}");
        let kept = store.keep_unwritten(&run, values(&[misfit]), &lease).await;
        assert!(matches!(kept, Err(StoreError::Fenced { epoch: 1, .. })), "{kept:?}");
        let ended = store.end_run(&run, &completed(counts), &[], &lease).await;
        assert!(matches!(ended, Err(StoreError::Fenced { .. })));
        assert_eq!(store.streams(&stream.connection_id).await.unwrap()[0].checkpoint, None);
        let runs = store.runs(&stream.id, 5).await.unwrap();
        assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [RunState::Running, RunState::Abandoned]);
        assert_eq!((runs[0].id.as_str(), runs[1].counts), (their_run.id.as_str(), RunCounts::default()));
        assert!(store.rejected_values(&run.id, 10).await.unwrap().is_empty());
    }

    async fn a_rejected_record_is_listed_once_counts_its_attempts_and_leaves_when_it_is_settled(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let stream = account_stream(&store).await;
        let lease = store.acquire_lease(&stream.lease_name(), &us(), TERM).await.unwrap();
        let first = store.begin_run(&stream, Purpose::Sync, &us(), &lease).await.unwrap();
        store.keep_unwritten(&first, rows(&[rejected("001A"), rejected("001B")]), &lease).await.unwrap();
        fixture.clock.advance(60);
        let second = store.begin_run(&stream, Purpose::Sync, &us(), &lease).await.unwrap();
        store.keep_unwritten(&second, rows(&[rejected("001A")]), &lease).await.unwrap();
        let listed = store.rejected(&stream.id, "", 10).await.unwrap();
        let attempts: Vec<_> = listed.iter().map(|row| (row.record_id.as_str(), row.attempts)).collect();
        assert_eq!(attempts, [("001A", 2), ("001B", 1)]);
        assert_eq!((&listed[0].run_id, &listed[1].run_id), (&second.id, &first.id));
        assert_eq!(listed[0].last_at.0 - listed[0].first_at.0, 60_000);
        let why = listed[0].why.as_ref().unwrap();
        assert_eq!((why.problems[0].column.as_str(), why.record.as_str()), ("email", r#"{"Email":"SENTINEL"}"#));
        assert_eq!(store.rejected(&stream.id, "001A", 10).await.unwrap().len(), 1, "a page begins after an Id");
        let at = checkpoint(Position::Complete);
        store.save_run_progress(&second, &RunCounts::default(), &at, &["001A".into()], &lease).await.unwrap();
        store.end_run(&second, &completed(RunCounts::default()), &["001B".into()], &lease).await.unwrap();
        assert_eq!(store.count_rejected(&stream.id).await.unwrap(), 0);
    }

    async fn what_runs_leave_behind_is_forgotten_in_time_and_the_last_run_of_a_stream_stays(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let stream = account_stream(&store).await;
        let lease = store.acquire_lease(&stream.lease_name(), &us(), TERM).await.unwrap();
        let mut runs: Vec<Run> = Vec::new();
        for number in 0..3_i64 {
            let lease = orgtide::store::lease::Lease { epoch: lease.epoch + number, ..lease.clone() };
            if number > 0 {
                store.release_lease(&orgtide::store::lease::Lease { epoch: lease.epoch - 1, ..lease.clone() }).await.unwrap();
                store.acquire_lease(&stream.lease_name(), &us(), TERM).await.unwrap();
            }
            let run = store.begin_run(&stream, Purpose::Sync, &us(), &lease).await.unwrap();
            let misfit = Misfit { id: "001A".into(), field: "Name".into(), raw: "x".into() };
            let unwritten = Unwritten { rows: &[rejected("001A")], ..values(std::slice::from_ref(&misfit)) };
            store.keep_unwritten(&run, unwritten, &lease).await.unwrap();
            store.end_run(&run, &completed(RunCounts::default()), &[], &lease).await.unwrap();
            runs.push(run);
            fixture.clock.advance(100);
        }
        let after = |run: &Run| Timestamp(run.started_at.0 + 1);
        store.forget_runs(after(&runs[0]), after(&runs[1])).await.unwrap();
        let known = store.runs(&stream.id, 9).await.unwrap();
        assert_eq!(known.iter().map(|run| &run.id).collect::<Vec<_>>(), [&runs[2].id, &runs[1].id]);
        assert!(store.rejected_values(&runs[1].id, 9).await.unwrap().is_empty());
        assert_eq!(store.rejected_values(&runs[2].id, 9).await.unwrap().len(), 1);
        assert!(store.rejected(&stream.id, "", 9).await.unwrap()[0].why.is_some(), "it was rejected again since");
        store.forget_runs(after(&runs[2]), after(&runs[2])).await.unwrap();
        assert_eq!(store.runs(&stream.id, 9).await.unwrap().len(), 1, "the last one stays");
        let listed = &store.rejected(&stream.id, "", 9).await.unwrap()[0];
        assert_eq!((listed.record_id.as_str(), &listed.why), ("001A", &None));
    }

    async fn a_token_answer_is_saved_only_under_the_lease(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let connection = saved(&store, &sign_in("acme", ORG)).await;
        let mut lease = store.acquire_lease("grant", &somebody_elsewhere(), TERM).await.unwrap();
        store.begin_redemption(&connection, "hash", &mut lease, TERM, &[]).await.unwrap();
        fixture.clock.advance(61);
        let mut theirs = store.acquire_lease("grant", &us(), TERM).await.unwrap();
        assert_eq!(theirs.displaced.as_deref(), Some(&somebody_elsewhere()), "it was never given back");
        let answer = |token: &str, instance: &str| Settlement {
            answer: Some(Answer {
                instance: Some(host(instance)),
                scopes: None,
                credentials: vec![(CredentialKind::RefreshToken, token.into())],
            }),
            redemption: Closing::Closed,
            ..Settlement::default()
        };
        let late = store.settle(&connection, &answer("late", "acme.my.salesforce.com"), &lease).await;
        assert!(matches!(late, Err(StoreError::Fenced { .. })));
        assert_eq!(secret(&store, &connection, CredentialKind::RefreshToken).await, None);
        let open = store.open_redemption(&connection.id).await.unwrap().unwrap();
        assert_eq!((open.token_hash.as_str(), open.epoch, open.attempts), ("hash", 1, 1));
        let again = store.begin_redemption(&connection, "hash", &mut theirs, TERM, &[]).await.unwrap();
        assert_eq!(again.attempts, 2);
        store.settle(&connection, &answer("rotated", "acme2.my.salesforce.com"), &theirs).await.unwrap();
        assert_eq!(store.open_redemption(&connection.id).await.unwrap(), None);
        assert_eq!(secret(&store, &connection, CredentialKind::RefreshToken).await.as_deref(), Some("rotated"));
        let read = store.connection("acme").await.unwrap();
        assert_eq!((read.instance, read.scopes), (host("acme2.my.salesforce.com"), connection.scopes));
    }

    async fn a_machine_whose_clock_is_an_hour_off_takes_no_lease_of_a_store_that_machines_share(fixture: Fixture) {
        struct Fast;
        impl orgtide::clock::Clock for Fast {
            fn now(&self) -> Timestamp {
                Timestamp(orgtide::clock::SystemClock.now().0 + 3_600_000)
            }
            fn is_of_this_machine(&self) -> bool {
                true
            }
        }
        let opened = fixture.open_with(std::sync::Arc::new(Fast)).await;
        match fixture.kind() {
            "postgres" => {
                let refused = opened.err().expect("the clocks differ");
                assert!(refused.to_string().contains("s ahead of that of the control store"), "{refused}");
            }
            _ => assert!(opened.is_ok(), "a file is used on one machine"),
        }
        fixture.open_with(std::sync::Arc::new(orgtide::clock::SystemClock)).await.unwrap();
    }

    async fn a_withdrawn_intent_leaves_an_earlier_one_open(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let connection = saved(&store, &sign_in("acme", ORG)).await;
        let mut lease = store.acquire_lease("grant", &us(), TERM).await.unwrap();
        let withdrawn = Settlement { redemption: Closing::Withdrawn, ..Settlement::default() };
        store.begin_redemption(&connection, "hash", &mut lease, TERM, &[]).await.unwrap();
        store.begin_redemption(&connection, "hash", &mut lease, TERM, &[]).await.unwrap();
        store.settle(&connection, &withdrawn, &lease).await.unwrap();
        assert_eq!(store.open_redemption(&connection.id).await.unwrap().unwrap().attempts, 1);
        store.settle(&connection, &withdrawn, &lease).await.unwrap();
        assert_eq!(store.open_redemption(&connection.id).await.unwrap(), None);
    }

    async fn secrets_and_rejected_values_are_nowhere_in_the_database(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let stream = account_stream(&store).await;
        let lease = store.acquire_lease("stream", &us(), TERM).await.unwrap();
        let run = store.begin_run(&stream, Purpose::Sync, &us(), &lease).await.unwrap();
        let misfit = Misfit { id: "001A".into(), field: "Birthdate".into(), raw: "SENTINEL-personal".into() };
        let unwritten = Unwritten { rows: &[rejected("001A")], ..values(std::slice::from_ref(&misfit)) };
        store.keep_unwritten(&run, unwritten, &lease).await.unwrap();
        store.begin_stage(&stream, &lease).await.unwrap();
        let step = StageStep { ready: &[("001B".into(), r#"{"Email":"SENTINEL"}"#.into())], ..StageStep::default() };
        store.save_stage(&stream.id, &step, &lease).await.unwrap();
        let dump = fixture.dump().await;
        let holds = |needle: &str| dump.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(holds("3MVG9.client"), "the dump holds what is no secret");
        assert!(!holds("SENTINEL"));
        // PostgreSQL shows bytes in hex.
        assert!(!holds(&"SENTINEL".bytes().map(|byte| format!("{byte:02x}")).collect::<String>()));
        let opened = &store.rejected_values(&run.id, 10).await.unwrap()[0];
        assert_eq!((&*opened.record_id, &*opened.field, &**opened.raw), ("001A", "Birthdate", &b"SENTINEL-personal"[..]));
    }

    async fn a_credential_that_was_copied_to_another_connection_does_not_open(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let acme = saved(&store, &sign_in("acme", ORG)).await;
        let evil = saved(&store, &sign_in("evil", "00D5g00000ZZZZZAA4")).await;
        fixture
            .tamper(&format!(
                "UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE connection_id = '{}') \
                 WHERE connection_id = '{}'",
                acme.id, evil.id
            ))
            .await;
        let error = store.credential(&evil.id, CredentialKind::ClientSecret).await.unwrap_err();
        assert!(matches!(error, StoreError::Vault(_)), "{error}");
        assert!(store.credential(&acme.id, CredentialKind::ClientSecret).await.is_ok());
    }

    async fn credentials_move_to_a_further_key_while_the_store_is_in_use(fixture: Fixture) {
        let mut fixture = fixture;
        let store = fixture.open().await.unwrap();
        let connection = saved(&store, &sign_in("acme", ORG)).await;
        let fresh = orgtide::vault::Vault::fresh_keyring().replacen("1 ", "2 ", 1);
        fixture.keyring = format!("{}{fresh}", fixture.keyring);
        let rotated = fixture.open().await.unwrap();
        assert_eq!(rotated.reseal().await.unwrap(), 2, "the credential, and the canary");
        assert_eq!(rotated.reseal().await.unwrap(), 0);
        fixture.keyring = fresh;
        let only_new = fixture.open().await.unwrap();
        assert_eq!(
            secret(&only_new, &connection, CredentialKind::ClientSecret).await.as_deref(),
            Some("SENTINEL-client-secret")
        );
    }

    async fn a_store_of_a_newer_version_is_refused_and_left_alone(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        saved(&store, &sign_in("acme", ORG)).await;
        drop(store);
        fixture.tamper("INSERT INTO schema_version (version) VALUES (700)").await;
        let before = fixture.dump().await;
        let error = fixture.open().await.err().expect("it is refused");
        assert!(matches!(error, StoreError::Newer { found: 700, .. }), "{error}");
        assert!(error.to_string().contains("schema is version 700, and this program knows versions up to "));
        assert_eq!(fixture.dump().await, before);
    }

    async fn opening_a_store_again_and_at_once_migrates_it_once(fixture: Fixture) {
        let fixture = std::sync::Arc::new(fixture);
        let opening: Vec<_> = (0..8)
            .map(|_| {
                let fixture = fixture.clone();
                tokio::spawn(async move { fixture.open().await.map(drop) })
            })
            .collect();
        for opened in opening {
            opened.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_left_alone() {
    let fixture = crate::database::Fixture::sqlite();
    fixture.tamper("CREATE TABLE customers_of_somebody_else (x)").await;
    let before = fixture.dump().await;
    let error = fixture.open().await.err().expect("it is refused");
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert_eq!(fixture.dump().await, before);
}

#[tokio::test]
async fn a_wrong_database_url_is_refused_without_showing_its_password() {
    let vault = orgtide::vault::Vault::from_keyring(&orgtide::vault::Vault::fresh_keyring()).unwrap();
    let url = secrecy::SecretString::from("postgres://user:SENTINEL@127.0.0.1:1/control");
    let address = orgtide::store::StoreAddress::Url(&url);
    let clock = std::sync::Arc::new(orgtide::clock::SystemClock);
    let error = Store::open(address, clock, std::sync::Arc::new(vault)).await.err().expect("nobody listens there");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1/control") && !format!("{error:?} {error}").contains("SENTINEL"));
}
