//! The OAuth endpoints.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use emulator::{Effect, Fault};
use ring::hmac;

use crate::client::{Acme, CONNECTED_KEY, CONNECTED_SECRET, KEY, SECRET, Seen, access_token};

const REFRESH: &str = "5Aep.acme.connected.admin";
const ROTATING_KEY: &str = "3MVG9.acme.rotating";
const ROTATING_SECRET: &str = "acme-rotating-secret";
const ROTATING: &str = "5Aep.acme.rotating.sam";
const ADMIN: &str = "admin@acme.example";
const ADMIN_PASSWORD: &str = "correct-horseTokenOfAdmin0000000000000";

fn error(error: &str, description: &str) -> (String, String) {
    (error.to_owned(), description.to_owned())
}

fn keys(answer: &Seen) -> Vec<String> {
    answer.json().as_object().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn client_credentials_answer_with_the_fields_of_that_flow_as_strings() {
    let acme = Acme::start().await;
    let answer = acme.client_credentials(KEY, SECRET).await;
    assert_eq!(answer.status, 200);
    let expected =
        ["access_token", "api_instance_url", "id", "instance_url", "issued_at", "scope", "signature", "token_type"];
    assert_eq!(keys(&answer), expected);
    let body = answer.json();
    assert!(body.as_object().unwrap().values().all(serde_json::Value::is_string), "{body}");
    assert_eq!(body["instance_url"], acme.emulator.http_url());
    assert_eq!(body["scope"], "api");
    assert_eq!(body["issued_at"], "1795251600000");
    assert!(access_token(&answer).starts_with("00DgL000000ACME!AQ"));
    let identity = format!("{}/id/00DgL000000ACME", acme.emulator.http_url());
    assert!(body["id"].as_str().unwrap().starts_with(&identity), "{body}");
}

#[tokio::test]
async fn the_signature_is_the_hmac_of_id_and_issued_at_under_the_consumer_secret() {
    let acme = Acme::start().await;
    let body = acme.client_credentials(KEY, SECRET).await.json();
    let message = format!("{}{}", body["id"].as_str().unwrap(), body["issued_at"].as_str().unwrap());
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let expected = STANDARD.encode(hmac::sign(&key, message.as_bytes()).as_ref());
    assert_eq!(body["signature"], expected);
}

#[tokio::test]
async fn the_password_flow_shows_neither_scope_nor_refresh_token() {
    let acme = Acme::start().await;
    let answer = acme.password_grant(ADMIN, ADMIN_PASSWORD).await;
    let expected = ["access_token", "id", "instance_url", "issued_at", "signature", "token_type"];
    assert_eq!(keys(&answer), expected);
}

#[tokio::test]
async fn every_failure_of_the_password_flow_reads_the_same() {
    let acme = Acme::start().await;
    let failure = error("invalid_grant", "authentication failure");
    for (username, password) in
        [(ADMIN, "wrong"), (ADMIN, "correct-horse"), ("nobody@acme.example", ADMIN_PASSWORD), ("", "")]
    {
        let answer = acme.password_grant(username, password).await;
        assert_eq!((answer.status, answer.oauth_error()), (400, failure.clone()), "{username}");
    }
}

#[tokio::test]
async fn a_trusted_network_needs_no_security_token() {
    let acme =
        Acme::start_with(|scenario| scenario.org.trusted_ip_ranges = vec!["203.0.113.10".parse().unwrap()]).await;
    assert_eq!(acme.password_grant(ADMIN, "correct-horse").await.status, 200);
}

#[tokio::test]
async fn the_password_flow_fails_where_the_org_blocks_it() {
    let acme = Acme::start_with(|scenario| scenario.org.username_password_flow = false).await;
    let answer = acme.password_grant(ADMIN, ADMIN_PASSWORD).await;
    assert_eq!(answer.oauth_error(), error("invalid_grant", "authentication failure"));
}

#[tokio::test]
async fn an_external_client_app_has_no_password_flow() {
    let acme = Acme::start().await;
    let form = [
        ("grant_type", "password"),
        ("client_id", KEY),
        ("client_secret", SECRET),
        ("username", ADMIN),
        ("password", ADMIN_PASSWORD),
    ];
    assert_eq!(acme.token_request(&form).await.oauth_error(), error("invalid_grant", "authentication failure"));
}

#[tokio::test]
async fn each_way_that_client_credentials_fail_has_its_own_description() {
    let acme = Acme::start().await;
    for (key, secret, expected) in [
        ("unknown", SECRET, error("invalid_client_id", "client identifier invalid")),
        (KEY, "wrong", error("invalid_client", "invalid client credentials")),
        (CONNECTED_KEY, CONNECTED_SECRET, error("invalid_grant", "client credentials flow not enabled")),
        ("3MVG9.acme.norunas", "acme-norunas-secret", error("invalid_grant", "no client credentials user enabled")),
        ("3MVG9.acme.full", "acme-full-secret", error("invalid_grant", "no valid scopes defined")),
        ("3MVG9.acme.inactive", "acme-inactive-secret", error("invalid_grant", "inactive user")),
        (
            "3MVG9.acme.unassigned",
            "acme-unassigned-secret",
            error("invalid_app_access", "user is not admin approved to access this app"),
        ),
        (
            "3MVG9.acme.disabled",
            "acme-disabled-secret",
            error("oauth_flow_disabled", "The external client app or the OAuth plugin is disabled."),
        ),
        (
            "3MVG9.acme.elsewhere",
            "acme-elsewhere-secret",
            error("app_not_found", "External client app is not installed in this org"),
        ),
    ] {
        let answer = acme.client_credentials(key, secret).await;
        assert_eq!((answer.status, answer.oauth_error()), (400, expected), "{key}");
    }
}

#[tokio::test]
async fn a_missing_secret_is_refused_before_the_flow_is_looked_at() {
    let acme = Acme::start().await;
    let answer = acme.token_request(&[("grant_type", "client_credentials"), ("client_id", CONNECTED_KEY)]).await;
    assert_eq!(answer.oauth_error(), error("invalid_client", "invalid client credentials"));
}

#[tokio::test]
async fn grants_that_are_not_available_and_misspelt_ones_are_not_supported() {
    let acme = Acme::start().await;
    let expected = error("unsupported_grant_type", "grant type not supported");
    for grant in ["client-credentials", "urn:ietf:params:oauth:grant-type:jwt", ""] {
        let answer = acme.token_request(&[("grant_type", grant), ("client_id", KEY), ("client_secret", SECRET)]).await;
        assert_eq!((answer.status, answer.oauth_error()), (400, expected.clone()), "{grant}");
    }
}

#[tokio::test]
async fn a_json_body_carries_no_grant() {
    let acme = Acme::start().await;
    let body = serde_json::json!({"grant_type": "client_credentials", "client_id": KEY, "client_secret": SECRET});
    let request = acme.http.post(acme.url("/services/oauth2/token")).json(&body);
    let answer = Seen::of(request.send().await.unwrap()).await;
    assert_eq!(answer.oauth_error(), error("unsupported_grant_type", "grant type not supported"));
}

#[tokio::test]
async fn the_client_may_authenticate_by_basic_and_send_surplus_parameters() {
    let acme = Acme::start().await;
    let request = acme.http.post(acme.url("/services/oauth2/token?device_id=1")).basic_auth(KEY, Some(SECRET)).form(&[
        ("grant_type", "client_credentials"),
        ("code_verifier", "surplus"),
        ("format", "json"),
    ]);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_multipart_body_is_read_like_a_form() {
    let acme = Acme::start().await;
    let part = |name: &str, value: &str| {
        format!("--sep\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = [part("grant_type", "client_credentials"), part("client_id", KEY), part("client_secret", SECRET)];
    let request = acme
        .http
        .post(acme.url("/services/oauth2/token"))
        .header("content-type", "multipart/form-data; boundary=sep")
        .body(body.concat() + "--sep--\r\n");
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_answer_comes_in_the_format_that_is_asked_for() {
    let acme = Acme::start().await;
    let ask = async |format: &str| {
        acme.token_request(&[("format", format), ("grant_type", "password"), ("client_id", "unknown")]).await
    };
    assert_eq!(ask("urlencoded").await.text, "error=invalid_client_id&error_description=client+identifier+invalid");
    assert!(ask("xml").await.text.contains("<OAuth><error>invalid_client_id</error>"));
    assert_eq!(ask("json").await.oauth_error().0, "invalid_client_id");
}

#[tokio::test]
async fn a_get_is_refused() {
    let acme = Acme::start().await;
    let answer = Seen::of(acme.http.get(acme.url("/services/oauth2/token")).send().await.unwrap()).await;
    assert_eq!((answer.status, answer.oauth_error().0.as_str()), (400, "invalid_request"));
}

#[tokio::test]
async fn wrong_hosts_answer_as_they_do_in_the_field() {
    let acme = Acme::start().await;
    let at = async |host: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", KEY), ("client_secret", SECRET)];
        let request = acme.http.post(acme.url("/services/oauth2/token")).header("host", host).form(&form);
        Seen::of(request.send().await.unwrap()).await
    };
    let wrong_domain = error("invalid_grant", "request not supported on this domain");
    let unsupported = error("unsupported_grant_type", "grant type not supported");
    assert_eq!(at("acme.my.salesforce.com").await.status, 200);
    assert_eq!(at("login.salesforce.com").await.oauth_error(), wrong_domain);
    assert_eq!(at("test.salesforce.com").await.oauth_error(), wrong_domain);
    assert_eq!(at("acme.my.salesforce-setup.com").await.oauth_error(), wrong_domain);
    assert_eq!(at("acme.lightning.force.com").await.oauth_error(), unsupported);
}

#[tokio::test]
async fn production_users_sign_in_at_login_but_not_at_test() {
    let acme = Acme::start().await;
    let at = async |host: &str| {
        let form = [
            ("grant_type", "password"),
            ("client_id", CONNECTED_KEY),
            ("client_secret", CONNECTED_SECRET),
            ("username", ADMIN),
            ("password", ADMIN_PASSWORD),
        ];
        let request = acme.http.post(acme.url("/services/oauth2/token")).header("host", host).form(&form);
        Seen::of(request.send().await.unwrap()).await
    };
    assert_eq!(at("login.salesforce.com").await.status, 200);
    assert_eq!(at("test.salesforce.com").await.oauth_error(), error("invalid_grant", "authentication failure"));
}

#[tokio::test]
async fn without_rotation_a_refresh_token_stays_and_is_not_repeated() {
    let acme = Acme::start().await;
    for _ in 0..2 {
        let answer = acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, REFRESH).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let expected = ["access_token", "id", "instance_url", "issued_at", "scope", "signature", "token_type"];
        assert_eq!(keys(&answer), expected);
    }
}

#[tokio::test]
async fn rotation_gives_a_successor_and_a_replay_ends_the_whole_approval() {
    let acme = Acme::start().await;
    let first = acme.refresh(ROTATING_KEY, ROTATING_SECRET, ROTATING).await;
    let successor = first.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(successor, ROTATING);
    let token = access_token(&first);
    assert_eq!(acme.get("/services/data/v60.0", &token).await.status, 200);

    let expired = error("invalid_grant", "expired access/refresh token");
    let replay = acme.refresh(ROTATING_KEY, ROTATING_SECRET, ROTATING).await;
    assert_eq!(replay.oauth_error(), expired);
    let after = acme.refresh(ROTATING_KEY, ROTATING_SECRET, &successor).await;
    assert_eq!(after.oauth_error(), expired);
    assert_eq!(acme.get("/services/data/v60.0", &token).await.status, 401);
}

#[tokio::test]
async fn a_refresh_token_that_is_in_process_is_refused_and_works_afterwards() {
    let acme = Acme::start().await;
    acme.emulator.control().push_fault(Fault::next("POST /services/oauth2/token", Effect::Hang));
    let first = acme.refresh(ROTATING_KEY, ROTATING_SECRET, ROTATING);
    let second = async {
        acme.faults_struck().await;
        let busy = acme.refresh(ROTATING_KEY, ROTATING_SECRET, ROTATING).await;
        acme.emulator.control().release();
        busy
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(second.oauth_error(), error("invalid_grant", "token request is already being processed"));
    assert_eq!(first.status, 200);
    let successor = first.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(acme.refresh(ROTATING_KEY, ROTATING_SECRET, &successor).await.status, 200);
}

#[tokio::test]
async fn an_idle_refresh_token_expires_and_use_keeps_it_alive() {
    let acme = Acme::start().await;
    let days = |days: u64| Duration::from_secs(days * 86_400);
    acme.emulator.control().advance(days(29));
    let used = acme.refresh(ROTATING_KEY, ROTATING_SECRET, ROTATING).await;
    let successor = used.json()["refresh_token"].as_str().unwrap().to_owned();
    acme.emulator.control().advance(days(29));
    let used = acme.refresh(ROTATING_KEY, ROTATING_SECRET, &successor).await;
    let successor = used.json()["refresh_token"].as_str().unwrap().to_owned();
    acme.emulator.control().advance(days(31));
    let idle = acme.refresh(ROTATING_KEY, ROTATING_SECRET, &successor).await;
    assert_eq!(idle.oauth_error(), error("invalid_grant", "expired access/refresh token"));
}

#[tokio::test]
async fn a_scope_on_a_refresh_is_refused() {
    let acme = Acme::start().await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", CONNECTED_KEY),
        ("client_secret", CONNECTED_SECRET),
        ("refresh_token", REFRESH),
        ("scope", "api"),
    ];
    assert_eq!(
        acme.token_request(&form).await.oauth_error(),
        error("invalid_request", "scope parameter not supported")
    );
}

#[tokio::test]
async fn a_refresh_token_of_another_app_is_refused() {
    let acme = Acme::start().await;
    let answer = acme.refresh(ROTATING_KEY, ROTATING_SECRET, REFRESH).await;
    assert_eq!(answer.oauth_error(), error("invalid_grant", "expired access/refresh token"));
}

#[tokio::test]
async fn a_session_ends_after_inactivity_and_use_extends_it() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let status = async || acme.get("/services/data/v60.0", &token).await.status;
    for _ in 0..3 {
        acme.emulator.control().advance(Duration::from_secs(59 * 60));
        assert_eq!(status().await, 200);
    }
    acme.emulator.control().advance(Duration::from_secs(60 * 60));
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn userinfo_says_who_it_is_and_refuses_bad_tokens_with_403_and_plain_text() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let info = acme.get("/services/oauth2/userinfo", &token).await.json();
    assert_eq!(info["preferred_username"], "integration@acme.example");
    assert!(info["organization_id"].as_str().unwrap().starts_with("00DgL000000ACME"));
    assert_eq!(info["organization_id"].as_str().unwrap().len(), 18);
    assert_eq!(info["is_salesforce_integration_user"], true);

    let refused = acme.get("/services/oauth2/userinfo", "bad").await;
    assert_eq!((refused.status, refused.text.as_str()), (403, "Bad_OAuth_Token"));
    assert!(refused.header("content-type").starts_with("text/plain"));
    let request = acme.http.get(acme.url("/services/oauth2/userinfo"));
    assert_eq!(Seen::of(request.send().await.unwrap()).await.text, "Missing_OAuth_Token");
}

#[tokio::test]
async fn the_identity_url_of_the_token_answer_names_the_user() {
    let acme = Acme::start().await;
    let answer = acme.client_credentials(KEY, SECRET).await;
    let id = answer.json()["id"].as_str().unwrap().replace(acme.emulator.http_url(), "");
    let identity = acme.get(&format!("{id}?version=latest"), &access_token(&answer)).await;
    assert_eq!(identity.status, 200, "{}", identity.text);
    let identity = identity.json();
    assert_eq!(identity["username"], "integration@acme.example");
    let rest = format!("{}/services/data/v68.0/", acme.emulator.http_url());
    assert_eq!(identity["urls"]["rest"], rest);
}

#[tokio::test]
async fn introspection_tells_the_end_of_a_session_to_its_own_app_only() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let ask = async |key: &str, secret: &str| {
        let form = [("token", token.as_str()), ("client_id", key), ("client_secret", secret)];
        let request = acme.http.post(acme.url("/services/oauth2/introspect")).form(&form);
        Seen::of(request.send().await.unwrap()).await
    };
    let own = ask(KEY, SECRET).await.json();
    assert_eq!(own["active"], true);
    assert_eq!(own["exp"].as_i64().unwrap() - own["iat"].as_i64().unwrap(), 3600);
    assert_eq!(ask(CONNECTED_KEY, CONNECTED_SECRET).await.text, r#"{"active":false}"#);
    assert_eq!(ask(KEY, "wrong").await.status, 401);
}

#[tokio::test]
async fn revoking_an_access_token_ends_it_alone_and_a_refresh_token_takes_its_sessions_with_it() {
    let acme = Acme::start().await;
    let revoke = async |token: &str| {
        let request = acme.http.post(acme.url("/services/oauth2/revoke")).form(&[("token", token)]);
        Seen::of(request.send().await.unwrap()).await
    };
    let first = access_token(&acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, REFRESH).await);
    assert_eq!((revoke(&first).await.status, revoke(&first).await.status), (200, 400));
    let second = access_token(&acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, REFRESH).await);
    assert_eq!(acme.get("/services/data/v60.0", &second).await.status, 200);
    assert_eq!(revoke(REFRESH).await.status, 200);
    assert_eq!(acme.get("/services/data/v60.0", &second).await.status, 401);
    let after = acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, REFRESH).await;
    assert_eq!(after.oauth_error(), error("invalid_grant", "expired access/refresh token"));
    assert_eq!(
        revoke("nonsense").await.text,
        "error=unsupported_token_type&error_description=invalid+token%3A+nonsense"
    );
}

#[tokio::test]
async fn discovery_names_the_org_itself_as_issuer() {
    let acme = Acme::start().await;
    let url = acme.url("/.well-known/openid-configuration");
    let document = Seen::of(acme.http.get(url).send().await.unwrap()).await.json();
    assert_eq!(document["issuer"], acme.emulator.http_url());
    assert_eq!(document["token_endpoint"], acme.url("/services/oauth2/token"));
}
