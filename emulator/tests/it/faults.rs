//! Faults, and the journal that shows what happened.

use std::time::Duration;

use emulator::{Effect, Fault, FaultRate, Pattern};
use reqwest::Method;
use serde_json::json;

use crate::client::{Acme, KEY, SECRET, Seen};

const LIMITS: &str = "/services/data/v60.0/limits";

async fn struck(effect: Effect) -> (Acme, Seen) {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    acme.emulator.control().push_fault(Fault::next("GET */limits", effect));
    let answer = acme.get(LIMITS, &token).await;
    assert_eq!(acme.get(LIMITS, &token).await.status, 200, "a fault strikes once");
    (acme, answer)
}

#[tokio::test]
async fn any_error_can_be_given_on_any_route() {
    let (acme, answer) =
        struck(Effect::Error { status: 400, code: "QUERY_TIMEOUT".into(), message: "too long".into() }).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "QUERY_TIMEOUT"));
    let entry = acme.emulator.control().journal().into_iter().find(|entry| entry.fault.is_some()).unwrap();
    assert_eq!((entry.fault, entry.status), (Some("error"), Some(400)));
    assert_eq!(entry.route, "/services/data/vXX.X/limits");
}

#[tokio::test]
async fn an_unavailable_org_says_when_to_come_back() {
    let (_, answer) = struck(Effect::Unavailable { retry_after: 7 }).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "7"));
    assert_eq!(answer.code(), "SERVER_UNAVAILABLE");
}

#[tokio::test]
async fn a_maintenance_page_is_html_even_with_status_200() {
    let (_, answer) = struck(Effect::Maintenance { status: 200 }).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn a_cut_body_breaks_off_before_its_promised_length() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    acme.emulator.control().push_fault(Fault::next("GET */limits", Effect::CutBody { after: 10 }));
    let response = acme.request(Method::GET, LIMITS, &token).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn a_slow_body_arrives_whole() {
    let (_, answer) = struck(Effect::SlowBody { bytes_per_second: 100_000 }).await;
    assert!(answer.json()["DailyApiRequests"]["Max"].is_number());
}

#[tokio::test]
async fn a_lost_answer_has_done_its_work() {
    let acme = Acme::start().await;
    acme.emulator.control().push_fault(Fault::next("POST /services/oauth2/token", Effect::LostAnswer));
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "3MVG9.acme.rotating"),
        ("client_secret", "acme-rotating-secret"),
        ("refresh_token", "5Aep.acme.rotating.sam"),
    ];
    let request = acme.http.post(acme.url("/services/oauth2/token")).form(&form);
    assert!(request.send().await.is_err());
    let replay = acme.token_request(&form).await;
    assert_eq!(replay.oauth_error().1, "expired access/refresh token");
    let lost = acme.emulator.control().journal().remove(0);
    assert_eq!((lost.fault, lost.status), (Some("lost_answer"), None));
}

#[tokio::test]
async fn a_session_expires_before_the_request_is_looked_at() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    acme.emulator.control().push_fault(Fault::next("* /services/data/*", Effect::ExpireSession));
    let answer = acme.get(LIMITS, &token).await;
    assert_eq!(
        (answer.status, answer.json()),
        (401, json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]))
    );
}

#[tokio::test]
async fn a_hanging_request_goes_on_when_it_is_released() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    acme.emulator.control().push_fault(Fault::next("GET */limits", Effect::Hang));
    let release = async {
        acme.faults_struck().await;
        // The request is past the queue; it may not wait yet, so it is released until it has answered.
        loop {
            acme.emulator.control().release();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = acme.get(LIMITS, &token) => assert_eq!(answer.status, 200),
        () = release => unreachable!(),
    }
}

#[tokio::test]
async fn a_client_that_gives_up_on_a_hanging_request_leaves_the_org_usable() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    acme.emulator.control().push_fault(Fault::next("GET */limits", Effect::Hang));
    let request = acme.request(Method::GET, LIMITS, &token).timeout(Duration::from_millis(20));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(acme.get(LIMITS, &token).await.status, 200);
}

#[tokio::test]
async fn a_rate_strikes_until_it_is_cleared() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    acme.emulator.control().set_fault_rate(FaultRate {
        on: Pattern::from("GET */limits"),
        probability: 1.0,
        effect: Effect::Unavailable { retry_after: 1 },
    });
    for _ in 0..3 {
        assert_eq!(acme.get(LIMITS, &token).await.status, 503);
    }
    acme.emulator.control().clear_faults();
    assert_eq!(acme.get(LIMITS, &token).await.status, 200);
}

#[tokio::test]
async fn faults_are_pushed_over_http_as_well() {
    let acme = Acme::start().await;
    let fault = json!({"on": "GET /services/data", "effect": {"kind": "error", "status": 500, "code": "UNKNOWN_EXCEPTION", "message": "x"}});
    let push = acme.http.post(acme.url("/__emulator/faults")).json(&fault);
    assert_eq!(push.send().await.unwrap().status(), 204);
    assert_eq!(acme.http.get(acme.url("/services/data")).send().await.unwrap().status(), 500);
    let wrong =
        acme.http.post(acme.url("/__emulator/faults")).json(&json!({"on": "*", "effect": {"kind": "nonsense"}}));
    assert_eq!(wrong.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn the_journal_holds_no_secret() {
    let acme = Acme::start().await;
    let url = format!("/services/oauth2/token?client_secret={SECRET}");
    let form = [("grant_type", "client_credentials"), ("client_id", KEY)];
    let answer = acme.http.post(acme.url(&url)).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let journal = format!("{:?}", acme.emulator.control().journal());
    assert!(journal.contains("/services/oauth2/token") && !journal.contains(SECRET), "{journal}");
}
