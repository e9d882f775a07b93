//! Who redeems a grant, how often, and what survives what.

use std::{sync::Arc, time::Duration};

use emulator::{Effect, Scenario};
use futures_util::{FutureExt, future::BoxFuture};
use orgtide::{
    connection::{keeper::Keeper, state::ConnectionState},
    store::{
        Store,
        connections::{Confirmed, NewConnection},
        credentials::CredentialKind,
        lease::Holder,
    },
};
use salesforce::{
    ApiVersion, Http, HttpConfig, OAuthError, Timestamp,
    http::Timer,
    oauth::{Flow, TokenSource},
    secret::AccessToken,
};
use secrecy::ExposeSecret;

use crate::{
    database::{Fixture, HandClock},
    org::{Acme, TOKEN, rows},
};

const ROTATING: (&str, &str, &str) = ("3MVG9.acme.rotating", "acme-rotating-secret", "5Aep.acme.rotating.sam");
const STEADY: (&str, &str, &str) = ("3MVG9.acme.connected", "acme-connected-secret", "5Aep.acme.connected.admin");

/// Short waits move the clock; a deadline is never reached.
struct HandTimer(Arc<HandClock>);

impl Timer for HandTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        if duration >= Duration::from_secs(50) {
            return std::future::pending().boxed();
        }
        self.0.advance_by(duration);
        tokio::task::yield_now().boxed()
    }
}

struct Scene {
    org: Acme,
    fixture: Fixture,
}

impl Scene {
    async fn with(grant: Flow, app: (&str, &str), credentials: &[(CredentialKind, &str)]) -> Self {
        let scene = Self { org: Acme::start().await, fixture: Fixture::sqlite() };
        let host = || serde_json::from_value("acme.my.salesforce.com".into()).unwrap();
        let secret = (CredentialKind::ClientSecret, app.1);
        let new = NewConnection {
            customer: "acme".into(),
            name: "acme".into(),
            org: host(),
            instance: host(),
            org_id: "00DgL000000ACMEUA4".into(),
            user_id: "005".into(),
            username: "sam@acme.example".into(),
            api_version: ApiVersion(68),
            flow: grant,
            app: None,
            client_id: app.0.into(),
            scopes: Vec::new(),
            audience: None,
            owner: None,
            confirmed: Confirmed::default(),
            state: ConnectionState::Connected { since: Timestamp(1) },
            credentials: credentials.iter().chain([&secret]).map(|(kind, text)| (*kind, (*text).into())).collect(),
        };
        scene.store().await.save_connection(&new).await.unwrap();
        scene
    }

    async fn refreshing(app: (&str, &str, &str)) -> Self {
        Self::with(Flow::RefreshToken, (app.0, app.1), &[(CredentialKind::RefreshToken, app.2)]).await
    }

    async fn store(&self) -> Store {
        self.fixture.open().await.unwrap()
    }

    /// The connection's keeper, as a further process has it.
    async fn keeper(&self) -> Keeper {
        let timer: Arc<dyn Timer> = Arc::new(HandTimer(self.fixture.clock.clone()));
        let http = Http::new(HttpConfig {
            extra_ca_pem: vec![self.org.emulator.ca_pem().to_owned()],
            mapped_hosts: self.org.mapped_hosts(),
            timer,
            ..HttpConfig::default()
        })
        .unwrap();
        let holder = Holder { command: "test".into(), host: "elsewhere".into(), process: 1, birth: None };
        let store = Arc::new(self.store().await);
        Keeper::new(store, Arc::new(http), self.fixture.clock.clone(), holder, "acme".into())
    }

    async fn refresh_token(&self) -> String {
        let store = self.store().await;
        let connection = store.connection("acme").await.unwrap();
        let token = store.credential(&connection.id, CredentialKind::RefreshToken).await.unwrap().unwrap();
        token.expose_secret().to_owned()
    }

    async fn state(&self) -> ConnectionState {
        self.store().await.connection("acme").await.unwrap().state
    }
}

fn rejected() -> AccessToken {
    AccessToken::from("rejected".to_owned())
}

#[tokio::test]
async fn thirty_callers_of_three_processes_redeem_once_and_the_rotated_token_is_stored() {
    let scene = Scene::refreshing(ROTATING).await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        let keeper = scene.keeper().await;
        calls.extend((0..10).map(|_| {
            let keeper = keeper.clone();
            tokio::spawn(async move { keeper.session().await.unwrap().access_token.expose().to_owned() })
        }));
    }
    let mut tokens = Vec::new();
    for call in calls {
        tokens.push(call.await.unwrap());
    }
    tokens.dedup();
    assert_eq!((tokens.len(), scene.org.asked(TOKEN)), (1, 1));
    assert_ne!(scene.refresh_token().await, ROTATING.2);
    let store = scene.store().await;
    let connection = store.connection("acme").await.unwrap();
    assert_eq!(store.open_redemption(&connection.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_that_another_process_renewed_is_used_instead_of_redeeming_again() {
    let scene = Scene::refreshing(ROTATING).await;
    let (one, two) = (scene.keeper().await, scene.keeper().await);
    let old = one.session().await.unwrap().access_token;
    two.session().await.unwrap();
    let renewed = one.renew(&old).await.unwrap().access_token;
    assert_eq!(two.renew(&old).await.unwrap().access_token.expose(), renewed.expose());
    assert_eq!(scene.org.asked(TOKEN), 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_in_the_middle_loses_nothing() {
    let scene = Scene::refreshing(ROTATING).await;
    let keeper = scene.keeper().await;
    scene.org.fault(TOKEN, Effect::Hang);
    let caller = {
        let keeper = keeper.clone();
        tokio::spawn(async move { keeper.session().await })
    };
    scene.org.arrival(TOKEN).await;
    caller.abort();
    let _ = caller.await;
    scene.org.emulator.control().release();
    keeper.session().await.unwrap();
    assert_eq!(scene.org.asked(TOKEN), 1);
    assert_ne!(scene.refresh_token().await, ROTATING.2);
}

#[tokio::test]
async fn a_lost_answer_to_a_token_that_does_not_rotate_is_made_good_by_the_next_process() {
    let scene = Scene::refreshing(STEADY).await;
    scene.org.fault(TOKEN, Effect::LostAnswer);
    let lost = scene.keeper().await.session().await.unwrap_err();
    assert!(lost.may_have_redeemed(), "{lost}");
    assert!(matches!(scene.state().await, ConnectionState::Degraded { attempts: 1, .. }));
    scene.keeper().await.session().await.unwrap();
    assert_eq!(scene.org.asked(TOKEN), 2);
    assert!(matches!(scene.state().await, ConnectionState::Connected { .. }));
}

#[tokio::test]
async fn a_lost_answer_to_a_rotated_token_ends_in_a_new_sign_in_after_one_more_attempt() {
    let scene = Scene::refreshing(ROTATING).await;
    scene.org.fault(TOKEN, Effect::LostAnswer);
    scene.keeper().await.session().await.unwrap_err();
    let before = orgtide::clock::Clock::now(&*scene.fixture.clock);
    let refused = scene.keeper().await.session().await.unwrap_err();
    let waited = orgtide::clock::Clock::now(&*scene.fixture.clock).0 - before.0;
    assert!(waited >= 49_000, "the sender's deadline is waited out: {waited} ms");
    assert!(matches!(refused, OAuthError::Refused(_)), "{refused}");
    assert!(matches!(scene.state().await, ConnectionState::NeedsReauthorization { .. }));
    let retired = scene.keeper().await.session().await.unwrap_err();
    assert!(matches!(retired, OAuthError::Retired { .. }), "{retired}");
    assert_eq!(scene.org.asked(TOKEN), 2, "a dead token is not sent again");
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_never_again() {
    let credentials = [(CredentialKind::Password, "wrong"), (CredentialKind::SecurityToken, "TokenOfSam")];
    let scene = Scene::with(Flow::Password, (STEADY.0, STEADY.1), &credentials).await;
    for _ in 0..3 {
        scene.keeper().await.session().await.unwrap_err();
    }
    assert_eq!(scene.org.asked(TOKEN), 1);
}

#[tokio::test]
async fn client_credentials_work_again_when_the_org_is_put_right_without_a_new_sign_in() {
    let app = ("3MVG9.acme.integration", "acme-integration-secret");
    let scene = Scene::with(Flow::ClientCredentials, app, &[]).await;
    let refusal = r#"{"error":"invalid_grant","error_description":"no client credentials user enabled"}"#;
    let content_type = "application/json;charset=UTF-8".to_owned();
    scene.org.fault(TOKEN, Effect::Answer { status: 400, content_type, body: refusal.to_owned() });
    let keeper = scene.keeper().await;
    keeper.session().await.unwrap_err();
    assert!(matches!(scene.state().await, ConnectionState::NeedsReauthorization { .. }));
    keeper.session().await.unwrap();
    assert!(matches!(scene.state().await, ConnectionState::Connected { .. }));
    assert!(keeper.renew(&rejected()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_leads_to_another_org_is_refused_and_its_records_never_mix() {
    let acme = Acme::start().await;
    acme.connect().await;
    assert_eq!(acme.run("import acme Account").await.code, 0);
    let database = acme.data().join("acme.db");
    let before = rows(&database, "SELECT count(*) FROM Account");
    let mut refreshed = Scenario::builtin("acme").unwrap();
    refreshed.org.id = "00D5f000004NewO".to_owned();
    refreshed.rows.insert("Account".to_owned(), 500);
    let acme = acme.replaced_by(refreshed).await;
    let ended = acme.run("sync acme").await;
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("leads to org 00D5f000004NewO"), "{}", ended.err);
    assert_eq!(rows(&database, "SELECT count(*) FROM Account"), before);
}
