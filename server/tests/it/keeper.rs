//! Who redeems a grant, how often, and what survives what.

pub(crate) mod scene;
mod stalled;

use std::{collections::BTreeSet, sync::Arc};

use emulator::{Effect, Scenario};
use orgtide::{
    config::{Config, Sources},
    connection::state::ConnectionState,
    store::{connections::NewConnection, credentials::CredentialKind},
};
use salesforce::{
    OAuthError, Recovery,
    oauth::{Flow, TokenSource},
    secret::AccessToken,
};

use crate::{
    database::on_both_databases,
    org::{Acme, ORG, TOKEN, rows},
};
use scene::{HandTimer, ROTATING, STEADY, Scene, StillTimer, connection, refreshing};

const INTEGRATION: (&str, &str) = ("3MVG9.acme.integration", "acme-integration-secret");
const HOUR: i64 = 3600;

fn rejected() -> AccessToken {
    AccessToken::from("rejected".to_owned())
}

fn refusal(error: &str, description: &str) -> Effect {
    Effect::Answer {
        status: 400,
        content_type: "application/json;charset=UTF-8".to_owned(),
        body: format!(r#"{{"error":"{error}","error_description":"{description}"}}"#),
    }
}

on_both_databases! {
    async fn thirty_callers_of_three_processes_redeem_once_and_the_rotated_token_is_stored(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
        let mut calls = Vec::new();
        for _ in 0..3 {
            let keeper = scene.process(Arc::new(StillTimer), Default::default(), None).await;
            calls.extend((0..10).map(|_| {
                let keeper = keeper.clone();
                tokio::spawn(async move { keeper.session().await.unwrap().access_token.expose().to_owned() })
            }));
        }
        let mut tokens = BTreeSet::new();
        for call in calls {
            tokens.insert(call.await.unwrap());
        }
        assert_eq!((tokens.len(), scene.org.asked(TOKEN)), (1, 1));
        assert_ne!(scene.refresh_token().await, ROTATING.2);
        assert!(!scene.has_open_intent().await);
        assert_eq!(scene.journal().await, ["rotated"]);
    }

    async fn a_session_that_another_process_renewed_is_used_instead_of_redeeming_again(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
        let (one, two) = (scene.keeper().await, scene.keeper().await);
        let old = one.session().await.unwrap().access_token;
        two.session().await.unwrap();
        let renewed = one.renew(&old).await.unwrap().access_token;
        assert_eq!(two.renew(&old).await.unwrap().access_token.expose(), renewed.expose());
        assert_eq!(scene.org.asked(TOKEN), 2);
    }

    async fn a_caller_that_goes_away_in_the_middle_loses_nothing(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
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

    async fn a_lost_answer_to_a_token_that_does_not_rotate_is_made_good_by_the_next_process(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, STEADY).await;
        scene.org.fault(TOKEN, Effect::LostAnswer);
        let lost = scene.keeper().await.session().await.unwrap_err();
        assert!(lost.may_have_redeemed(), "{lost}");
        assert!(matches!(scene.state().await, ConnectionState::Degraded { attempts: 1, .. }));
        scene.keeper().await.session().await.unwrap();
        assert_eq!(scene.org.asked(TOKEN), 2);
        assert!(matches!(scene.state().await, ConnectionState::Connected { .. }));
        assert_eq!(scene.journal().await, ["answer-lost", "renewed", "replayed"]);
    }

    async fn a_lost_answer_to_a_rotated_token_ends_in_a_new_sign_in_after_one_more_attempt(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, ROTATING).await;
        scene.org.fault(TOKEN, Effect::LostAnswer);
        scene.keeper().await.session().await.unwrap_err();
        let before = scene.now();
        let refused = scene.keeper().await.session().await.unwrap_err();
        let waited = scene.now().0 - before.0;
        assert!(waited >= 49_000, "the sender's deadline is waited out: {waited} ms");
        assert!(matches!(refused, OAuthError::Refused(_)), "{refused}");
        assert!(matches!(scene.state().await, ConnectionState::NeedsReauthorization { retry_at: None, .. }));
        scene.fixture.clock.advance(25 * HOUR);
        let retired = scene.keeper().await.session().await.unwrap_err();
        assert!(matches!(retired, OAuthError::Retired { .. }), "{retired}");
        assert_eq!(scene.org.asked(TOKEN), 2, "a dead token is not sent again");
        assert_eq!(scene.journal().await, ["answer-lost", "refused", "replayed"]);
    }

    async fn a_wrong_password_is_tried_once_and_never_again_until_it_changes(fixture: Fixture) {
        let wrong = [(CredentialKind::Password, "wrong"), (CredentialKind::SecurityToken, "TokenOfSam")];
        let new = connection(Flow::Password, (STEADY.0, STEADY.1), &wrong);
        let scene = Scene::of(fixture, new).await;
        for _ in 0..3 {
            scene.keeper().await.session().await.unwrap_err();
            scene.fixture.clock.advance(2 * HOUR);
        }
        assert_eq!(scene.org.asked(TOKEN), 1);
        let right = [(CredentialKind::Password, "sams-password"), (CredentialKind::SecurityToken, "TokenOfSam")];
        scene.save(&connection(Flow::Password, (STEADY.0, STEADY.1), &right)).await;
        scene.keeper().await.session().await.unwrap();
    }

    async fn soap_logins_are_renewed_and_a_refused_one_is_not_repeated(fixture: Fixture) {
        let credentials = |password| [(CredentialKind::Password, password), (CredentialKind::SecurityToken, "TokenOfSam")];
        let soap = |password| NewConnection {
            client_id: String::new(),
            ..connection(Flow::SoapLogin, ("", ""), &credentials(password))
        };
        let scene = Scene::of(fixture, soap("sams-password")).await;
        scene.keeper().await.session().await.unwrap();
        scene.keeper().await.renew(&rejected()).await.unwrap();
        scene.save(&soap("wrong")).await;
        let before = scene.org.emulator.control().journal().len();
        for _ in 0..3 {
            scene.keeper().await.session().await.unwrap_err();
            scene.fixture.clock.advance(2 * HOUR);
        }
        assert_eq!(scene.org.emulator.control().journal().len() - before, 1);
    }

    async fn a_refused_grant_is_tried_once_an_hour_across_processes_and_works_again_when_the_org_is_put_right(fixture: Fixture) {
        let scene = Scene::of(fixture, connection(Flow::ClientCredentials, INTEGRATION, &[])).await;
        for _ in 0..2 {
            scene.org.fault(TOKEN, refusal("invalid_grant", "no client credentials user enabled"));
        }
        scene.keeper().await.session().await.unwrap_err();
        assert!(matches!(scene.state().await, ConnectionState::NeedsReauthorization { retry_at: Some(_), .. }));
        for _ in 0..5 {
            let postponed = scene.keeper().await.session().await.unwrap_err();
            assert!(matches!(postponed.recovery(), Recovery::Retry { after: Some(_) }), "{postponed}");
            assert!(postponed.to_string().contains("no client credentials user enabled"), "{postponed}");
            scene.fixture.clock.advance(11 * 60);
        }
        assert_eq!(scene.org.asked(TOKEN), 1);
        scene.fixture.clock.advance(HOUR);
        scene.keeper().await.session().await.unwrap_err();
        scene.keeper().await.session().await.unwrap_err();
        assert_eq!(scene.org.asked(TOKEN), 2, "one more an hour later, whoever asks");
        scene.fixture.clock.advance(HOUR);
        scene.keeper().await.session().await.unwrap();
        assert!(matches!(scene.state().await, ConnectionState::Connected { .. }));
        assert!(scene.keeper().await.renew(&rejected()).await.is_ok());
    }

    async fn an_attempt_at_a_refused_grant_counts_even_when_its_process_dies_in_the_middle(fixture: Fixture) {
        let scene = Scene::of(fixture, connection(Flow::ClientCredentials, INTEGRATION, &[])).await;
        scene.org.fault(TOKEN, refusal("invalid_grant", "no client credentials user enabled"));
        scene.keeper().await.session().await.unwrap_err();
        scene.fixture.clock.advance(HOUR);
        let halt = scene::Halt::new(scene::At::BeforeSending);
        let dying = scene.halting(&halt).await;
        let call = tokio::spawn(async move { dying.session().await });
        halt.is_reached().await;
        scene.fixture.clock.advance(300);
        let postponed = scene.keeper().await.session().await.unwrap_err();
        assert!(matches!(postponed, OAuthError::Postponed { .. }), "{postponed}");
        call.abort();
    }

    async fn a_degraded_connection_is_left_alone_until_its_time_whoever_asks(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, STEADY).await;
        for _ in 0..2 {
            scene.org.fault(TOKEN, Effect::Unavailable { retry_after: 90 });
        }
        scene.keeper().await.session().await.unwrap_err();
        for _ in 0..3 {
            let postponed = scene.keeper().await.session().await.unwrap_err();
            assert!(matches!(postponed, OAuthError::Postponed { .. }), "{postponed}");
        }
        assert_eq!(scene.org.asked(TOKEN), 1);
        scene.fixture.clock.advance(91);
        scene.keeper().await.session().await.unwrap_err();
        assert!(matches!(scene.state().await, ConnectionState::Degraded { attempts: 2, .. }));
        scene.fixture.clock.advance(91);
        scene.keeper().await.session().await.unwrap();
        assert_eq!(scene.org.asked(TOKEN), 3);
    }

    async fn an_org_that_moves_is_followed_and_an_answer_that_says_less_changes_nothing(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, STEADY).await;
        let answer = |body: &str| Effect::Answer {
            status: 200,
            content_type: "application/json;charset=UTF-8".to_owned(),
            body: body.to_owned(),
        };
        scene.org.fault(TOKEN, answer(r#"{"access_token":"00D!a","instance_url":"https://acme-new.my.salesforce.com"}"#));
        let session = scene.keeper().await.session().await.unwrap();
        assert_eq!(session.instance_url.host(), "acme-new.my.salesforce.com");
        scene.org.fault(TOKEN, answer(r#"{"access_token":"00D!b"}"#));
        let session = scene.keeper().await.renew(&session.access_token).await.unwrap();
        assert_eq!(session.instance_url.host(), "acme-new.my.salesforce.com");
        let kept = scene.connection().await;
        assert_eq!(kept.org.host(), ORG);
        assert_eq!((kept.instance.host(), kept.scopes.join(" ")), ("acme-new.my.salesforce.com", "api refresh_token".into()));
        assert_eq!(scene.journal().await, ["instance-moved", "renewed", "renewed"]);
    }

    async fn an_answer_with_a_host_that_is_no_salesforce_is_refused_but_its_refresh_token_is_kept(fixture: Fixture) {
        let scene = Scene::refreshing(fixture, STEADY).await;
        let body = r#"{"access_token":"00D!a","refresh_token":"5Aep.rotated","instance_url":"https://169.254.169.254"}"#;
        scene.org.fault(TOKEN, Effect::Answer {
            status: 200,
            content_type: "application/json;charset=UTF-8".to_owned(),
            body: body.to_owned(),
        });
        let refused = scene.keeper().await.session().await.unwrap_err();
        assert!(matches!(refused, OAuthError::InstanceHost(_)), "{refused}");
        assert_eq!(scene.refresh_token().await, "5Aep.rotated");
        assert!(matches!(scene.state().await, ConnectionState::NeedsReauthorization { .. }));
        assert_eq!(scene.connection().await.instance.host(), ORG);
        assert!(!scene.has_open_intent().await);
    }

    async fn a_configured_client_app_with_another_consumer_key_is_an_error_and_nothing_is_sent(fixture: Fixture) {
        let new = NewConnection {
            app: Some("shared".into()),
            credentials: vec![(CredentialKind::RefreshToken, ROTATING.2.into())],
            ..refreshing(ROTATING)
        };
        let scene = Scene::of(fixture, new).await;
        let folder = tempfile::tempdir().unwrap();
        let configured = |client_id: &str| {
            let file = folder.path().join("config.toml");
            let text = format!("[client_apps.shared]\nclient_id = \"{client_id}\"\nclient_secret = \"{}\"\n", ROTATING.1);
            std::fs::write(&file, text).unwrap();
            let environment = [("HOME".to_owned(), folder.path().display().to_string())].into();
            Config::load(&Sources { file: Some(file), environment, flags: Vec::new() }).unwrap().client_apps
        };
        let timer = || Arc::new(HandTimer(scene.fixture.clock.clone()));
        for apps in [configured("3MVG9.another"), Default::default()] {
            let refused = scene.process(timer(), apps, None).await.session().await.unwrap_err();
            assert!(matches!(refused, OAuthError::Configuration { .. }), "{refused}");
            assert_eq!(refused.recovery(), Recovery::Configure);
            assert!(!refused.to_string().contains("3MVG9"), "the key is not shown: {refused}");
        }
        assert_eq!(scene.org.asked(TOKEN), 0);
        assert!(matches!(scene.state().await, ConnectionState::NeedsReauthorization { .. }));
        scene.process(timer(), configured(ROTATING.0), None).await.session().await.unwrap();
        assert!(matches!(scene.state().await, ConnectionState::Connected { .. }));
    }
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
