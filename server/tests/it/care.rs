//! What keeps connections alive, what ends them, and what is said about both.

use std::{sync::Arc, time::Duration};

use emulator::Effect;
use orgtide::{
    app::{
        App,
        connect::{AppChoice, ConnectRequest, Offered},
    },
    connection::state::ConnectionState,
    diagnose::Quiet,
    store::{care::TokenPolicy, connections::Confirmed, journal::Actor},
};
use salesforce::oauth::TokenSource;

use crate::{
    database::{HandClock, on_both_databases},
    keeper::scene::{ROTATING, STEADY, Scene, refreshing},
    org::{Acme, ORG, TOKEN, rows},
};

const REVOKE: &str = "POST /services/oauth2/revoke";
const DAY: u64 = 24 * 3600;

/// Connects with a refresh token under the name `acme`.
async fn connect(app: &App, client: (&str, &str, &str)) {
    let request = ConnectRequest {
        name: Some("acme".into()),
        org: ORG.into(),
        customer: None,
        app: AppChoice::Own { client_id: client.0.into(), client_secret: Some(client.1.to_owned().into()) },
        api_version: None,
        confirmed: Confirmed::default(),
        owner: None,
        actor: Actor::CommandLine,
        first_import: Default::default(),
    };
    let offered = Offered::RefreshToken { refresh_token: client.2.to_owned().into() };
    app.connect(request, offered, &Quiet).await.unwrap();
}

/// Time passes here and in the org.
fn pass(clock: &HandClock, acme: &Acme, time: Duration) {
    clock.advance_by(time);
    acme.emulator.control().advance(time);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_connection_outlives_its_idle_limit_because_it_is_kept_alive() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    let app = acme.app_with_clock(clock.clone()).await;
    connect(&app, ROTATING).await;
    app.switch("acme", |switches| switches.paused = true, &Actor::CommandLine).await.unwrap();
    let mut renewals = 0;
    for _ in 0..120 {
        pass(&clock, &acme, Duration::from_secs(DAY));
        let tended = app.tend().await.unwrap();
        assert!(tended.failed.is_empty(), "{tended:?}");
        assert!(tended.next_at > orgtide::clock::Clock::now(&*clock));
        renewals += tended.renewed.len();
    }
    assert_eq!(renewals, 120 / 7, "weekly, and no more often");
    let (connection, prospect) = app.prospect("acme").await.unwrap();
    assert!(matches!(connection.state, ConnectionState::Connected { .. }));
    assert!(prospect.forecast.text.contains("assumed") && prospect.switches.paused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_nobody_tends_ends_with_its_idle_limit_and_the_forecast_had_said_so() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    let app = acme.app_with_clock(clock.clone()).await;
    connect(&app, ROTATING).await;
    let (_, prospect) = app.prospect("acme").await.unwrap();
    let end = prospect.forecast.end.unwrap();
    pass(&clock, &acme, Duration::from_secs(31 * DAY));
    assert!(orgtide::clock::Clock::now(&*clock) > end.at);
    let tended = app.tend().await.unwrap();
    assert_eq!((tended.renewed.len(), tended.failed.len()), (0, 1), "{tended:?}");
    let (connection, prospect) = app.prospect("acme").await.unwrap();
    assert!(matches!(connection.state, ConnectionState::NeedsReauthorization { retry_at: None, .. }));
    assert!(prospect.forecast.text.contains("needs a new sign-in"));
    assert!(app.tend().await.unwrap().failed.is_empty(), "what has ended is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_tend_the_same_connections_redeem_once() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    let (one, two) = (acme.app_with_clock(clock.clone()).await, acme.app_with_clock(clock.clone()).await);
    connect(&one, ROTATING).await;
    pass(&clock, &acme, Duration::from_secs(8 * DAY));
    let before = acme.asked(TOKEN);
    let (first, second) = tokio::join!(one.tend(), two.tend());
    assert!(first.unwrap().failed.is_empty() && second.unwrap().failed.is_empty());
    assert_eq!(acme.asked(TOKEN) - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_for_a_passing_reason_is_tried_again_when_it_is_due() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    let app = acme.app_with_clock(clock.clone()).await;
    connect(&app, STEADY).await;
    pass(&clock, &acme, Duration::from_secs(8 * DAY));
    acme.fault(TOKEN, Effect::Unavailable { retry_after: 120 });
    let tended = app.tend().await.unwrap();
    assert_eq!(tended.failed.len(), 1);
    let wait = tended.next_at.0 - orgtide::clock::Clock::now(&*clock).0;
    assert_eq!(wait, 120_000, "it comes back when Salesforce said");
    assert!(app.tend().await.unwrap().failed.is_empty(), "not before");
    pass(&clock, &acme, Duration::from_secs(121));
    assert_eq!(app.tend().await.unwrap().renewed, ["acme"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_states_the_policy_and_salesforce_the_life_of_a_session() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    let app = acme.app_with_clock(clock.clone()).await;
    connect(&app, ROTATING).await;
    let idle = TokenPolicy::Idle { hours: 90 * 24 };
    app.state_policy("acme", Some(idle), &Actor::CommandLine).await.unwrap();
    let life = app.ask_session_life("acme").await.unwrap();
    assert_eq!(life, Some(Duration::from_secs(2 * 3600)));
    let (_, prospect) = app.prospect("acme").await.unwrap();
    assert!(prospect.forecast.text.contains("unused for 90 days"), "{}", prospect.forecast.text);
    assert_eq!(prospect.lifetimes.session_seconds, Some(7200));
}

on_both_databases! {
    async fn the_fifth_approval_of_a_user_for_an_app_is_warned_of_and_a_death_after_another_is_explained(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, STEADY).await;
        let store = scene.store().await;
        scene.keeper().await.session().await.unwrap();
        for number in 1..=5 {
            scene.fixture.clock.advance(60);
            let mut other = refreshing(STEADY);
            other.name = format!("other{number}");
            store.save_connection(&other).await.unwrap();
        }
        let connection = scene.connection().await;
        assert_eq!(store.approvals(&connection).await.unwrap().len(), 6);
        let dead = r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#;
        let content_type = "application/json;charset=UTF-8".to_owned();
        scene.org.fault(TOKEN, Effect::Answer { status: 400, content_type, body: dead.to_owned() });
        let rejected = scene.keeper().await.session().await.unwrap().access_token;
        scene.keeper().await.renew(&rejected).await.unwrap_err();
        let ConnectionState::NeedsReauthorization { reason, .. } = scene.state().await else { panic!() };
        assert!(reason.contains("approved the same app again (5 times here, the last as other5"), "{reason}");
        assert!(reason.contains("one more ends the oldest"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnected_connection_is_revoked_its_secrets_are_gone_and_its_data_stays_if_that_is_wanted() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    connect(&acme.app_with_clock(clock).await, STEADY).await;
    assert_eq!(acme.run("import acme Account").await.code, 0);
    let refused = acme.run("disconnect acme").await;
    assert_eq!(refused.code, 3, "nobody was asked, so nothing is done: {refused:?}");
    let ended = acme.run("disconnect acme --keep-data --yes").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("revoked at Salesforce"), "{}", ended.out);
    assert_eq!(acme.asked(REVOKE), 1);
    assert_eq!(rows(&acme.data().join("acme.db"), "SELECT count(*) FROM Account"), 120);
    let control = acme.data().join("control.sqlite");
    assert_eq!(rows(&control, "SELECT count(*) FROM credentials"), 0);
    let before = acme.asked(TOKEN);
    assert_ne!(acme.run("sync acme").await.code, 0);
    assert_eq!(acme.asked(TOKEN), before, "what was ended asks for nothing");
    let token = [("ORGTIDE_CLIENT_SECRET", STEADY.1), ("ORGTIDE_REFRESH_TOKEN", STEADY.2)];
    let line = format!("connect acme --org {ORG} --flow refresh-token --client-id {}", STEADY.0);
    let again = acme.run_with(&line, &token).await;
    assert!(again.err.contains("expired access/refresh token"), "the org knows the token no more: {again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnect_that_deletes_leaves_no_row_no_stream_and_no_rejected_value() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    connect(&acme.app_with_clock(clock).await, STEADY).await;
    assert_eq!(acme.run("import acme Account Contact").await.code, 0);
    let ended = acme.run("disconnect acme --delete-data --yes --json").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let removed = &ended.json()["disconnected"]["removed"];
    assert_eq!((removed[0]["rows"].as_i64(), removed[1]["rows"].as_i64()), (Some(120), Some(400)), "{removed}");
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('Account', 'Contact')";
    assert_eq!(rows(&acme.data().join("acme.db"), tables), 0);
    let control = acme.data().join("control.sqlite");
    for table in ["streams", "runs", "rejected_values", "credentials"] {
        assert_eq!(rows(&control, &format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    assert_eq!(rows(&control, "SELECT count(*) FROM journal WHERE event = 'data-deleted'"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_fails_is_said_with_the_way_through_setup_and_keeps_no_secret() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    connect(&acme.app_with_clock(clock).await, STEADY).await;
    let content_type = "application/x-www-form-urlencoded".to_owned();
    let body = "error=server_error&error_description=broken".to_owned();
    acme.fault(REVOKE, Effect::Answer { status: 400, content_type, body });
    let ended = acme.run("disconnect acme --keep-data --yes").await;
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.out.contains("not revoked") && ended.out.contains("Connected Apps OAuth Usage"), "{}", ended.out);
    assert_eq!(rows(&acme.data().join("control.sqlite"), "SELECT count(*) FROM credentials"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_connection_runs_no_stream_until_it_is_resumed() {
    let acme = Acme::start().await;
    acme.connect().await;
    assert_eq!(acme.run("import acme Account").await.code, 0);
    assert_eq!(acme.run("connection pause acme").await.code, 0);
    let paused = acme.run("sync acme").await;
    assert_eq!(paused.code, 3, "{paused:?}");
    assert!(paused.err.contains("orgtide connection resume acme"), "{}", paused.err);
    assert_eq!(acme.run("connection resume acme").await.code, 0);
    assert_eq!(acme.run("sync acme").await.code, 0);
}
