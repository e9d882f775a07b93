//! What is tried again, what is not, and what a person learns.

use std::time::Duration;

use emulator::{Effect, FaultRate, Pattern};
use salesforce::{
    ApiError, ApiVersion, ErrorCode, Http, HttpConfig, Recovery, error::WireError, http::RetryPolicy, org,
};
use url::Url;

use crate::acme::{Acme, DESCRIBE, VERSION, my_domain};

fn error(status: u16, code: &str, message: &str) -> Effect {
    Effect::Error { status, code: code.to_owned(), message: message.to_owned() }
}

fn answer(status: u16, content_type: &str, body: &str) -> Effect {
    Effect::Answer { status, content_type: content_type.to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn every_passing_failure_is_tried_again() {
    for effect in [
        Effect::Unavailable { retry_after: 1 },
        Effect::Maintenance { status: 503 },
        Effect::Maintenance { status: 200 },
        Effect::CutBody { after: 10 },
        Effect::LostAnswer,
        error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
        error(502, "UNKNOWN", "x"),
        error(504, "UNKNOWN", "x"),
        error(420, "UNKNOWN", "x"),
        error(429, "UNKNOWN", "x"),
        error(503, "SERVER_UNAVAILABLE", "Server too busy"),
        error(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"),
        error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
        answer(406, "text/plain", ""),
        answer(502, "text/html", "<html><title>Bad Gateway</title></html>"),
        answer(200, "application/json", "\n<!DOCTYPE html><title>We are down for maintenance</title>"),
    ] {
        let acme = Acme::start().await;
        acme.fault(DESCRIBE, effect.clone());
        let outcome = acme.client().describe("Account").await;
        assert!(outcome.is_ok(), "{effect:?}: {outcome:?}");
        assert_eq!(acme.count(DESCRIBE), 2, "{effect:?}");
        assert_eq!(acme.timer.waits().len(), 1, "{effect:?}");
    }
}

#[tokio::test]
async fn a_request_that_hangs_is_given_up_and_tried_again() {
    let acme = Acme::start().await;
    acme.fault(DESCRIBE, Effect::Hang);
    let settings = HttpConfig { response_timeout: Duration::from_secs(1), ..acme.settings() };
    acme.client_with(settings, VERSION).describe("Account").await.unwrap();
    assert_eq!(acme.count(DESCRIBE), 2);
}

// Pitfall 26.
#[tokio::test]
async fn an_answer_that_takes_longer_than_every_limit_is_read_as_long_as_pieces_of_it_come() {
    let defaults = HttpConfig::default();
    assert!(defaults.response_timeout.min(2 * defaults.read_timeout) >= Duration::from_secs(120));
    let acme = Acme::start().await;
    acme.fault(DESCRIBE, Effect::SlowBody { bytes_per_second: 20_000 });
    let limit = Duration::from_secs(1);
    let settings = HttpConfig { response_timeout: limit, read_timeout: limit, compression: false, ..acme.settings() };
    let begun = std::time::Instant::now();
    acme.client_with(settings, VERSION).describe("Account").await.unwrap();
    assert!(begun.elapsed() > 2 * limit, "{:?}", begun.elapsed());
    assert_eq!(acme.count(DESCRIBE), 1);
}

#[tokio::test]
async fn what_does_not_pass_is_reported_at_once() {
    for (effect, code) in [
        (error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), ErrorCode::RequestLimitExceeded),
        (error(400, "QUERY_TIMEOUT", "Your query request was running for too long."), ErrorCode::QueryTimeout),
        (error(400, "INVALID_TYPE", "sObject type 'X' is not supported."), ErrorCode::InvalidType),
        (error(403, "INSUFFICIENT_ACCESS", "insufficient access rights"), ErrorCode::InsufficientAccess),
        (error(400, "A_CODE_OF_TOMORROW", "new"), ErrorCode::Other("A_CODE_OF_TOMORROW".to_owned())),
        (
            answer(414, "text/html", "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"),
            ErrorCode::Other("HTTP_414".to_owned()),
        ),
        (
            answer(431, "text/html", "<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>"),
            ErrorCode::Other("HTTP_431".to_owned()),
        ),
        (answer(302, "text/html", "<h1>Moved</h1>"), ErrorCode::Other("HTTP_302".to_owned())),
    ] {
        let acme = Acme::start().await;
        acme.fault(DESCRIBE, effect);
        let error = acme.client().describe("Account").await.unwrap_err();
        assert_eq!(error.code(), Some(&code), "{error}");
        assert_eq!(acme.count(DESCRIBE), 1, "{error}");
        assert!(acme.timer.waits().is_empty(), "{error}");
    }
}

#[tokio::test]
async fn a_wait_is_as_long_as_salesforce_asks() {
    let acme = Acme::start().await;
    acme.fault(DESCRIBE, Effect::Unavailable { retry_after: 30 });
    acme.client().describe("Account").await.unwrap();
    assert_eq!(acme.timer.waits(), [Duration::from_secs(30)]);
}

#[tokio::test]
async fn giving_up_keeps_the_last_cause_and_counts_every_attempt() {
    let acme = Acme::start().await;
    acme.fault_always(DESCRIBE, error(503, "SERVER_UNAVAILABLE", "Server too busy"));
    let settings = HttpConfig { retry: RetryPolicy { attempts: 3, ..RetryPolicy::default() }, ..acme.settings() };
    let client = acme.client_with(settings, VERSION);
    let error = client.describe("Account").await.unwrap_err();
    assert!(matches!(error, ApiError::GivenUp { attempts: 3, .. }), "{error:?}");
    assert_eq!(error.code(), Some(&ErrorCode::ServerUnavailable));
    assert!(matches!(error.recovery(), Recovery::Retry { .. }));
    assert_eq!((acme.count(DESCRIBE), client.usage().calls), (3, 3));
}

#[tokio::test]
async fn one_request_in_four_going_wrong_is_not_noticed() {
    let acme = Acme::start().await;
    let on = Pattern::from(DESCRIBE);
    acme.emulator.control().set_fault_rate(FaultRate { on, probability: 0.25, effect: Effect::LostAnswer });
    let client = acme.client();
    for _ in 0..40 {
        client.describe("Account").await.unwrap();
    }
}

// Pitfall 56.
#[tokio::test]
async fn an_answer_that_is_no_json_is_reported() {
    let acme = Acme::start().await;
    acme.fault(DESCRIBE, answer(200, "application/json", "{\"name\":"));
    let error = acme.client().describe("Account").await.unwrap_err();
    assert!(matches!(error, ApiError::Unexpected { .. }), "{error:?}");
}

#[tokio::test]
async fn a_retired_version_is_told_apart_and_explained() {
    let acme = Acme::start().await;
    let error = acme.client_with(acme.settings(), ApiVersion(20)).describe("Account").await.unwrap_err();
    assert!(error.to_string().contains("retired"), "{error}");
    assert_eq!(error.recovery(), Recovery::Configure);
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_at_once() {
    let acme = Acme::start().await;
    let other = Acme::start().await;
    let settings = HttpConfig { extra_ca_pem: vec![other.emulator.ca_pem().to_owned()], ..acme.settings() };
    let error = org::versions(&Http::new(settings).unwrap(), &my_domain()).await.unwrap_err();
    let ApiError::Wire { cause: WireError::Certificate { .. }, .. } = &error else { panic!("{error:?}") };
    assert_eq!(error.recovery(), Recovery::Configure);
    assert!(acme.timer.waits().is_empty());
}

#[tokio::test]
async fn a_bundle_without_certificates_is_refused_when_it_is_read() {
    let settings = HttpConfig { extra_ca_pem: vec!["nothing".to_owned()], ..HttpConfig::default() };
    let error = Http::new(settings).err().expect("refused");
    assert!(error.to_string().contains("certificate bundle"), "{error}");
}

#[tokio::test]
async fn the_outgoing_proxy_is_used_and_mapped_hosts_bypass_it() {
    let acme = Acme::start().await;
    let proxy = acme.emulator.proxy_address().unwrap();
    let through = |proxy: &str, mapped| HttpConfig {
        proxy: Some(Url::parse(proxy).unwrap()),
        mapped_hosts: if mapped { acme.settings().mapped_hosts } else { Vec::new() },
        ..acme.settings()
    };
    let proxied = Http::new(through(&format!("http://{proxy}"), false)).unwrap();
    org::versions(&proxied, &my_domain()).await.unwrap();
    let mapped = Http::new(through("http://127.0.0.1:1", true)).unwrap();
    org::versions(&mapped, &my_domain()).await.unwrap();
    let dead = Http::new(through("http://127.0.0.1:1", false)).unwrap();
    assert!(org::versions(&dead, &my_domain()).await.is_err());
}

#[tokio::test]
async fn compressed_and_plain_answers_are_the_same() {
    let acme = Acme::start().await;
    let plain = HttpConfig { compression: false, ..acme.settings() };
    let describe = async |settings| {
        let client = acme.client_with(settings, VERSION);
        serde_json::to_value(client.describe("Account").await.unwrap()).unwrap()
    };
    assert_eq!(describe(acme.settings()).await, describe(plain).await);
}
