//! Processes that stand still, die, or meet others.

use emulator::Effect;
use orgtide::connection::state::ConnectionState;
use salesforce::{OAuthError, oauth::TokenSource};

use super::scene::{At, Halt, ROTATING, STEADY, Scene, refreshing};
use crate::{database::on_both_databases, org::TOKEN};

/// Longer than a lease.
const LONG: i64 = 300;

fn refusal(error: &str, description: &str) -> Effect {
    Effect::Answer {
        status: 400,
        content_type: "application/json;charset=UTF-8".to_owned(),
        body: format!(r#"{{"error":"{error}","error_description":"{description}"}}"#),
    }
}

on_both_databases! {
    async fn a_process_that_stood_still_before_sending_sends_nothing_and_uses_what_its_successor_got(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
        let halt = Halt::new(At::BeforeSending);
        let stalled = scene.halting(&halt).await;
        let call = tokio::spawn(async move { stalled.session().await });
        halt.is_reached().await;
        scene.fixture.clock.advance(LONG);
        let theirs = scene.keeper().await.session().await.unwrap();
        halt.wake();
        let ours = call.await.unwrap().unwrap();
        assert_eq!(ours.access_token.expose(), theirs.access_token.expose());
        assert_eq!(scene.org.asked(TOKEN), 1, "the one that stood still sends no token");
        assert!(matches!(scene.state().await, ConnectionState::Connected { .. }));
        assert_eq!(scene.journal().await, ["fenced", "replayed", "rotated", "taken-over"]);
    }

    async fn a_process_that_stood_still_before_sending_begins_anew_when_nobody_took_its_place(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
        let halt = Halt::new(At::BeforeSending);
        let stalled = scene.halting(&halt).await;
        let call = tokio::spawn(async move { stalled.session().await });
        halt.is_reached().await;
        scene.fixture.clock.advance(LONG);
        halt.wake();
        call.await.unwrap().unwrap();
        assert_eq!(scene.org.asked(TOKEN), 1);
        assert_eq!(scene.journal().await, ["overslept", "rotated"]);
    }

    async fn an_answer_that_outlived_its_lease_is_stored_while_nobody_has_a_newer_one(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
        let halt = Halt::new(At::AfterTheAnswer);
        let stalled = scene.halting(&halt).await;
        let call = tokio::spawn(async move { stalled.session().await });
        halt.is_reached().await;
        scene.fixture.clock.advance(LONG);
        // A successor takes the lease and reaches nobody.
        let lease = {
            let store = scene.store().await;
            let holder = orgtide::store::lease::Holder::this_process("successor");
            let lease = store.acquire_lease("the sign-in of acme", &holder, std::time::Duration::from_secs(9)).await;
            lease.unwrap()
        };
        scene.store().await.release_lease(&lease).await.unwrap();
        halt.wake();
        let session = call.await.unwrap().unwrap();
        assert_ne!(scene.refresh_token().await, ROTATING.2, "the only token that works is stored");
        assert_eq!(scene.keeper().await.session().await.unwrap().access_token.expose(), session.access_token.expose());
        assert_eq!(scene.journal().await, ["fenced", "late-answer-kept", "rotated"]);
        scene.keeper().await.renew(&session.access_token).await.unwrap();
    }

    async fn an_answer_that_outlived_a_refused_replay_is_tried_once_and_never_called_connected_unproved(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
        let halt = Halt::new(At::AfterTheAnswer);
        let stalled = scene.halting(&halt).await;
        let call = tokio::spawn(async move { stalled.session().await });
        halt.is_reached().await;
        scene.fixture.clock.advance(LONG);
        // The successor replays the spent token, which ends the whole grant.
        let refused = scene.keeper().await.session().await.unwrap_err();
        assert!(matches!(refused, OAuthError::Refused(_)), "{refused}");
        halt.wake();
        let ended = call.await.unwrap().unwrap_err();
        assert!(matches!(ended, OAuthError::Refused(_)), "{ended}");
        assert!(matches!(scene.state().await, ConnectionState::NeedsReauthorization { retry_at: None, .. }));
        assert_eq!(scene.org.asked(TOKEN), 3, "the first, the replay, and one with the late token");
    }

    async fn an_answer_that_outlived_a_new_sign_in_replaces_nothing(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
        let halt = Halt::new(At::AfterTheAnswer);
        let stalled = scene.halting(&halt).await;
        let call = tokio::spawn(async move { stalled.session().await });
        halt.is_reached().await;
        scene.fixture.clock.advance(LONG);
        scene.save(&refreshing(STEADY)).await;
        let lease = {
            let holder = orgtide::store::lease::Holder::this_process("connect");
            let term = std::time::Duration::from_secs(9);
            scene.store().await.acquire_lease("the sign-in of acme", &holder, term).await.unwrap()
        };
        scene.store().await.release_lease(&lease).await.unwrap();
        halt.wake();
        call.await.unwrap().unwrap();
        assert_eq!(scene.refresh_token().await, STEADY.2);
        assert_eq!(scene.journal().await, ["fenced", "late-answer-dropped", "renewed"]);
    }

    async fn a_token_that_is_being_redeemed_elsewhere_is_waited_for(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
        scene.org.fault(TOKEN, refusal("invalid_grant", "token request is already being processed"));
        // Before Winter '25 the same refusal had these words.
        scene.org.fault(TOKEN, refusal("invalid_grant", "expired authorization code"));
        scene.keeper().await.session().await.unwrap();
        assert_eq!(scene.org.asked(TOKEN), 3);
        assert!(!scene.has_open_intent().await);
        assert_eq!(scene.journal().await, ["redeemed-elsewhere", "redeemed-elsewhere", "rotated"]);
        assert!(matches!(scene.state().await, ConnectionState::Connected { .. }));
    }

    async fn a_token_that_stays_in_process_elsewhere_costs_an_attempt_and_no_connection(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
        for _ in 0..4 {
            scene.org.fault(TOKEN, refusal("invalid_grant", "token request is already being processed"));
        }
        scene.keeper().await.session().await.unwrap_err();
        assert!(matches!(scene.state().await, ConnectionState::Degraded { attempts: 1, .. }));
        assert!(!scene.has_open_intent().await);
        scene.keeper().await.session().await.unwrap();
    }
}
