//! Nothing secret reaches a log or a message.

use std::{
    io,
    sync::{Arc, Mutex},
};

use emulator::Effect;
use salesforce::{
    Timestamp,
    oauth::{
        Audience, Grant, IssuedToken, PrivateKey, ReissuedSession, SoapLogin, SoapVersion, TokenSource, assertion,
        exchange, introspect, revoke, soap_login, start_device,
    },
    secret::{Password, SecurityToken},
};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    acme::{Acme, DESCRIBE, TOKEN, connected, host, my_domain, password, refresh, rotating},
    web_server::Attempt,
};

/// A log that is kept in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Secrets of the scenario that the requests below carry.
const SECRETS: [&str; 5] = [
    "correct-horse",
    "TokenOfAdmin0000000000000",
    "acme-connected-secret",
    "acme-rotating-secret",
    "5Aep.acme.rotating.sam",
];

#[tokio::test]
async fn no_secret_is_logged_even_at_the_finest_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let acme = Acme::start().await;
    let tokens = Arc::new(ReissuedSession::new(acme.http(), my_domain(), connected(), password("correct-horse")));
    let access_token = tokens.session().await.unwrap().access_token;
    let rotated = exchange(&acme.http(), &my_domain(), &rotating(), &refresh(SECRETS[4])).await.unwrap();
    acme.fault(DESCRIBE, Effect::Unavailable { retry_after: 1 });
    acme.client_of(tokens).describe("Account").await.unwrap();

    let text = log.text();
    assert!(text.contains("/services/oauth2/token"), "the log is kept");
    let issued =
        [access_token.expose(), rotated.access_token.expose(), rotated.refresh_token.as_ref().unwrap().expose()];
    for secret in SECRETS.into_iter().chain(issued) {
        assert!(!text.contains(secret), "a secret is logged");
    }
}

#[tokio::test]
async fn no_secret_is_in_a_message_or_in_debug_output() {
    let acme = Acme::start().await;
    let grants = [(connected(), password("correct-horse")), (rotating(), refresh(SECRETS[4]))];
    let mut seen = Vec::new();
    for (app, grant) in &grants {
        seen.push(format!("{app:?} {grant:?}"));
        let body = format!("{{\"error\":\"invalid_grant\",\"error_description\":\"invalid token: {}\"}}", SECRETS[4]);
        let content_type = "application/json".to_owned();
        acme.fault(crate::acme::TOKEN, Effect::Answer { status: 400, content_type, body });
        let error = exchange(&acme.http(), &my_domain(), app, grant).await.unwrap_err();
        seen.push(format!("{error} {error:?}"));
        let tokens = exchange(&acme.http(), &my_domain(), app, grant).await.unwrap();
        seen.push(format!("{tokens:?} {:?}", tokens.session()));
        assert!(!seen.concat().contains(tokens.access_token.expose()));
    }
    for secret in SECRETS {
        assert!(!seen.concat().contains(secret), "{seen:?}");
    }
}

/// Every way to sign in that is begun here, with what it says and prints, and the secrets that it had.
async fn sign_in_every_way(acme: &Acme) -> (Vec<String>, Vec<String>) {
    let (http, org) = (acme.http(), my_domain());
    let (mut printed, mut secrets) = (Vec::new(), Vec::new());

    let attempt = Attempt::at_acme();
    attempt.probe(acme).await.unwrap();
    let code = attempt.code(acme).await;
    secrets.extend([attempt.verifier.expose().to_owned(), code.expose().to_owned()]);
    printed.push(format!("{:?} {code:?}", attempt.verifier));
    let tokens = attempt.redeem(acme, code).await.unwrap();
    let refresh_token = tokens.refresh_token.clone().unwrap();
    secrets.extend([tokens.access_token.expose().to_owned(), refresh_token.expose().to_owned()]);
    let access = IssuedToken::Access(&tokens.access_token);
    let state = introspect(&http, &org, &connected(), access).await.unwrap();
    printed.push(format!("{tokens:?} {access:?} {state:?}"));
    revoke(&http, &org, IssuedToken::Refresh(&refresh_token)).await.unwrap();
    revoke(&http, &org, IssuedToken::Refresh(&refresh_token)).await.unwrap();

    let start = start_device(&http, &host("login.salesforce.com"), &connected(), &["api"]).await.unwrap();
    let grant = Grant::Device { device_code: start.device_code.clone() };
    let error = exchange(&http, &org, &connected(), &grant).await.unwrap_err();
    secrets.push(start.device_code.expose().to_owned());
    printed.push(format!("{start:?} {grant:?} {error} {error:?}"));

    let pem = include_str!("keys/client.key.pem");
    let key = PrivateKey::from_pem(pem).unwrap();
    let assertion = assertion(&key, "3MVG9.acme.integration", "x@acme.example", &Audience(my_domain()), Timestamp(0));
    secrets.extend([pem.lines().nth(1).unwrap().to_owned(), assertion.expose().to_owned()]);
    let grant = Grant::JwtBearer { assertion };
    let error = exchange(&http, &org, &connected(), &grant).await.unwrap_err();
    printed.push(format!("{key:?} {grant:?} {error} {error:?}"));

    let (password, token) = (Password::from(SECRETS[0].to_owned()), SecurityToken::from(SECRETS[1].to_owned()));
    let version = SoapVersion::default();
    let who = SoapLogin { username: "admin@acme.example", password: &password, security_token: Some(&token), version };
    let tokens = soap_login(&http, &org, &who).await.unwrap();
    secrets.push(tokens.access_token.expose().to_owned());
    printed.push(format!("{who:?} {tokens:?}"));
    (printed, secrets)
}

#[tokio::test]
async fn no_way_to_sign_in_logs_or_prints_its_secrets() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let acme = Acme::start_with(|scenario| {
        scenario.org.soap_login = true;
        for app in &mut scenario.apps {
            app.device_flow = true;
        }
    })
    .await;
    let (printed, issued) = {
        let _guard = tracing::subscriber::set_default(subscriber);
        sign_in_every_way(&acme).await
    };
    let text = log.text();
    assert!(text.contains("/services/oauth2/revoke") && text.contains("/services/Soap/u/"), "the log is kept");
    let known = SECRETS[..3].iter().map(|secret| (*secret).to_owned());
    for secret in issued.into_iter().chain(known) {
        assert!(!text.contains(&secret), "a secret is logged");
        assert!(!printed.concat().contains(&secret), "a secret is printed: {printed:?}");
    }
}

#[tokio::test]
async fn a_refusal_that_repeats_a_secret_is_told_without_it() {
    let acme = Acme::start().await;
    let attempt = Attempt::at_acme();
    let code = attempt.code(&acme).await;
    let secret = code.expose().to_owned();
    let body = format!("{{\"error\":\"invalid_grant\",\"error_description\":\"invalid token: {secret}\"}}");
    acme.fault(TOKEN, Effect::Answer { status: 400, content_type: "application/json".to_owned(), body });
    let error = attempt.redeem(&acme, code).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&secret), "{error}");
}
