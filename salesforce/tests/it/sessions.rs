//! How sessions end and are obtained again.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use emulator::Effect;
use futures_util::future::{BoxFuture, join_all};
use salesforce::{
    ApiError, ErrorCode, OAuthError, Recovery,
    error::OAuthCause,
    oauth::{Grant, KeepRefreshToken, ReissuedSession, TokenSource},
    secret::RefreshToken,
};

use crate::acme::{Acme, DESCRIBE, TOKEN, connected, integration, my_domain, password, refresh, rotating};

fn session_refused(message: &str) -> Effect {
    Effect::Error { status: 401, code: "INVALID_SESSION_ID".to_owned(), message: message.to_owned() }
}

fn reissued(acme: &Acme) -> Arc<ReissuedSession> {
    Arc::new(ReissuedSession::new(acme.http(), my_domain(), integration(), Grant::ClientCredentials))
}

// Pitfall 64.
#[tokio::test]
async fn thirty_callers_that_are_refused_together_renew_once() {
    let acme = Acme::start().await;
    let client = acme.client_of(reissued(&acme));
    client.describe("Account").await.unwrap();
    acme.emulator.control().expire_sessions();
    let answers = join_all((0..30).map(|_| client.describe("Account"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(acme.count(TOKEN), 2, "one sign-in, one renewal");
}

#[tokio::test]
async fn thirty_callers_without_a_session_sign_in_once() {
    let acme = Acme::start().await;
    let client = acme.client();
    let answers = join_all((0..30).map(|_| client.describe("Account"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(acme.count(TOKEN), 1);
}

#[tokio::test]
async fn an_expired_session_is_renewed_and_the_request_repeated_once() {
    let acme = Acme::start().await;
    let client = acme.client();
    client.describe("Account").await.unwrap();
    acme.fault(DESCRIBE, Effect::ExpireSession);
    client.describe("Contact").await.unwrap();
    assert_eq!((acme.count(TOKEN), acme.count(DESCRIBE)), (2, 3));
}

#[tokio::test]
async fn a_refused_userinfo_renews_the_session_too() {
    let acme = Acme::start().await;
    let client = acme.client();
    client.userinfo().await.unwrap();
    acme.emulator.control().expire_sessions();
    client.userinfo().await.unwrap();
    assert_eq!(acme.count(TOKEN), 2);
}

// Pitfall 40.
#[tokio::test]
async fn a_refusal_that_a_new_session_cannot_cure_renews_nothing() {
    for message in ["This session is not valid for use with the REST API", "Connected app is not attached to Agent"] {
        let acme = Acme::start().await;
        acme.fault(DESCRIBE, session_refused(message));
        let error = acme.client().describe("Account").await.unwrap_err();
        assert!(matches!(error, ApiError::SessionRefused { renewed: false, .. }), "{error:?}");
        assert_eq!(error.recovery(), Recovery::Configure);
        assert_eq!((acme.count(TOKEN), acme.count(DESCRIBE)), (1, 1));
    }
}

// Pitfall 40.
#[tokio::test]
async fn a_missing_permission_renews_nothing() {
    for (status, code) in [(403, "INSUFFICIENT_ACCESS"), (401, "INVALID_AUTH_HEADER"), (403, "API_DISABLED_FOR_ORG")] {
        let acme = Acme::start().await;
        let message = "no".to_owned();
        acme.fault(DESCRIBE, Effect::Error { status, code: code.to_owned(), message });
        let error = acme.client().describe("Account").await.unwrap_err();
        assert_eq!(error.code(), Some(&ErrorCode::parse(code)));
        assert_eq!((acme.count(TOKEN), acme.count(DESCRIBE)), (1, 1), "{code}");
    }
}

#[tokio::test]
async fn a_new_session_that_is_refused_too_is_renewed_once_more_and_then_the_attempt_ends() {
    let acme = Acme::start().await;
    for _ in 0..3 {
        acme.fault(DESCRIBE, session_refused("Session expired or invalid"));
    }
    let error = acme.client().describe("Account").await.unwrap_err();
    assert!(matches!(error, ApiError::SessionRefused { renewed: true, .. }), "{error:?}");
    assert_eq!(error.recovery(), Recovery::Reauthorize);
    assert_eq!((acme.count(TOKEN), acme.count(DESCRIBE)), (3, 3));
}

#[tokio::test]
async fn a_caller_that_goes_away_loses_no_exchange() {
    let acme = Acme::start().await;
    let tokens = reissued(&acme);
    acme.fault(TOKEN, Effect::Hang);
    let caller = tokio::spawn({
        let tokens = Arc::clone(&tokens);
        async move { tokens.session().await.map(drop) }
    });
    acme.until_seen(TOKEN, 1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    acme.emulator.control().release();
    tokens.session().await.unwrap();
    assert_eq!(acme.count(TOKEN), 1);
}

#[tokio::test]
async fn a_refused_password_is_not_sent_again_until_it_is_changed() {
    let acme = Acme::start().await;
    let tokens = ReissuedSession::new(acme.http(), my_domain(), connected(), password("wrong"));
    for _ in 0..3 {
        let error = tokens.session().await.unwrap_err();
        assert_eq!(error.cause(), Some(OAuthCause::AuthenticationFailure));
    }
    assert_eq!(acme.count(TOKEN), 1);
    tokens.change_grant(password("correct-horse"));
    tokens.session().await.unwrap();
    assert_eq!(acme.count(TOKEN), 2);
}

/// Remembers what it was given, and refuses as often as it was told.
#[derive(Default)]
struct Keeper {
    kept: Mutex<Vec<String>>,
    refusals: Mutex<u32>,
}

impl KeepRefreshToken for Keeper {
    fn keep<'a>(&'a self, rotated: &'a RefreshToken) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut refusals = self.refusals.lock().unwrap();
            if *refusals > 0 {
                *refusals -= 1;
                return Err("the disk is full".to_owned());
            }
            self.kept.lock().unwrap().push(rotated.expose().to_owned());
            Ok(())
        })
    }
}

fn with_keeper(acme: &Acme, keeper: &Arc<Keeper>) -> ReissuedSession {
    let grant = refresh("5Aep.acme.rotating.sam");
    ReissuedSession::with_keeper(acme.http(), my_domain(), rotating(), grant, keeper.clone())
}

// Pitfall 22.
#[tokio::test]
async fn each_rotated_refresh_token_is_stored_and_used_next() {
    let acme = Acme::start().await;
    let keeper = Arc::new(Keeper::default());
    let tokens = with_keeper(&acme, &keeper);
    let mut session = tokens.session().await.unwrap();
    for renewals in 1..=3 {
        assert_eq!(keeper.kept.lock().unwrap().len(), renewals);
        session = tokens.renew(&session.access_token).await.unwrap();
    }
    let kept: BTreeSet<String> = keeper.kept.lock().unwrap().iter().cloned().collect();
    assert_eq!(kept.len(), 4, "each token is a new one");
    assert!(!kept.contains("5Aep.acme.rotating.sam"));
}

// Pitfall 22.
#[tokio::test]
async fn a_session_is_held_back_until_its_refresh_token_is_stored() {
    let acme = Acme::start().await;
    let keeper = Arc::new(Keeper { refusals: Mutex::new(1), ..Keeper::default() });
    let tokens = with_keeper(&acme, &keeper);
    let error = tokens.session().await.unwrap_err();
    assert!(matches!(error, OAuthError::NotStored { .. }), "{error:?}");
    tokens.session().await.unwrap();
    assert_eq!(acme.count(TOKEN), 1, "the token that was not stored is not redeemed again but stored");
    assert_eq!(keeper.kept.lock().unwrap().len(), 1);
}
