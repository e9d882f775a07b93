//! Nothing secret reaches a log or a message.

use std::{
    io,
    sync::{Arc, Mutex},
};

use emulator::Effect;
use salesforce::oauth::{ReissuedSession, TokenSource, exchange};
use tracing_subscriber::fmt::MakeWriter;

use crate::acme::{Acme, DESCRIBE, connected, my_domain, password, refresh, rotating};

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
