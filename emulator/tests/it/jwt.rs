//! JSON Web Tokens: the JWT bearer flow, client assertions, JWT access tokens, ID tokens, keys and discovery.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use emulator::Scenario;
use emulator::Secret;
use emulator::scenario::{AppSpec, AppState, IssuedRefreshToken, PermittedUsers, RefreshTokenPolicy, SandboxSpec};
use ring::digest;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::client::{Acme, CONNECTED_KEY, CONNECTED_SECRET, KEY, SECRET, Seen, access_token, tls_client};

pub(crate) const CERTIFICATE: &str = include_str!("keys/client.crt.pem");
const PRIVATE_KEY: &[u8] = include_bytes!("keys/client.key.pem");
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const INTEGRATION: &str = "integration@acme.example";
const ADMIN: &str = "admin@acme.example";
const SAM: &str = "sam@acme.example";
const LOGIN: &str = "https://login.salesforce.com";
/// Emulated time of the scenario.
const NOW: i64 = 1_795_251_600;

fn app<'a>(scenario: &'a mut Scenario, key: &str) -> &'a mut AppSpec {
    scenario.apps.iter_mut().find(|app| app.consumer_key == key).unwrap()
}

/// An org whose two main apps know the client's certificate.
async fn start() -> Acme {
    start_with(|_| {}).await
}

async fn start_with(change: impl FnOnce(&mut Scenario)) -> Acme {
    Acme::start_with(|scenario| {
        for key in [KEY, CONNECTED_KEY] {
            app(scenario, key).certificate = Some(CERTIFICATE.to_owned());
        }
        change(scenario);
    })
    .await
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A JWT signed with the client's key.
fn sign(header: &Value, claims: &Value) -> String {
    let der = PrivatePkcs8KeyDer::from_pem_slice(PRIVATE_KEY).unwrap();
    let key = KeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let signed = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn assertion(claims: &Value) -> String {
    sign(&json!({"alg": "RS256"}), claims)
}

/// The claims with which the integration user of [`KEY`] signs in.
fn good() -> Value {
    json!({"iss": KEY, "sub": INTEGRATION, "aud": LOGIN, "exp": NOW + 180})
}

fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

async fn present(acme: &Acme, assertion: &str) -> Seen {
    acme.token_request(&[("grant_type", JWT_BEARER), ("assertion", assertion)]).await
}

async fn bearer(acme: &Acme, claims: &Value) -> Seen {
    present(acme, &assertion(claims)).await
}

fn error(error: &str, description: &str) -> (String, String) {
    (error.to_owned(), description.to_owned())
}

fn not_approved() -> (String, String) {
    error("invalid_grant", "user hasn't approved this consumer")
}

/// The claims of a JWT, once its signature fits a key that the org publishes.
async fn verified(acme: &Acme, token: &str) -> (Value, Value) {
    let keys = Seen::of(acme.http.get(acme.url("/id/keys")).send().await.unwrap()).await.json();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let header: Value = serde_json::from_slice(&bytes(header)).unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let [n, e] = ["n", "e"].map(|name| bytes(key[name].as_str().unwrap()));
    let key = PublicKeyComponents { n, e };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &bytes(signature)).unwrap();
    (header, serde_json::from_slice(&bytes(claims)).unwrap())
}

#[tokio::test]
async fn a_preauthorized_user_signs_in_with_an_assertion_and_gets_no_refresh_token() {
    let acme = start().await;
    let answer = bearer(&acme, &good()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let fields: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["access_token", "id", "instance_url", "scope", "token_type"]);
    assert_eq!(answer.json()["scope"], "api");
    let token = access_token(&answer);
    assert!(token.starts_with("00DgL000000ACME!AQ"));
    assert_eq!(acme.get("/services/data/v60.0", &token).await.status, 200);
    let info = acme.get("/services/oauth2/userinfo", &token).await.json();
    assert_eq!(info["preferred_username"], INTEGRATION);
}

/// Everything about the first assertion is wrong; each line mends what the line before complained about.
#[tokio::test]
async fn while_the_flow_is_set_up_its_errors_come_in_the_order_of_the_field() {
    let acme = start_with(|scenario| {
        let mended = app(scenario, KEY);
        mended.scopes = vec!["api".to_owned()];
    })
    .await;
    let mut claims = json!({"iss": "3MVG9.nobody", "sub": SAM, "aud": "https://wrong.example", "exp": NOW - 180});
    let unsigned = |claims: &Value| format!("{}.{}.", part(&json!({"alg": "none"})), part(claims));
    let answer = present(&acme, &unsigned(&claims)).await;
    assert_eq!((answer.status, answer.oauth_error()), (400, error("invalid_client_id", "client identifier invalid")));
    claims = with(claims, "iss", KEY);
    let answer = present(&acme, &unsigned(&claims)).await;
    assert_eq!((answer.status, answer.oauth_error()), (400, error("invalid_grant", "invalid assertion")));
    for (name, value, (code, description)) in [
        ("sub", json!(SAM), ("invalid_grant", "audience is invalid")),
        ("aud", json!(LOGIN), ("invalid_grant", "expired authorization code")),
        ("exp", json!(NOW + 60), ("invalid_app_access", "user is not admin approved to access this app")),
        (
            "sub",
            json!(INTEGRATION),
            (
                "invalid_request",
                "refresh_token scope is required and the connected app should be installed and preauthorized",
            ),
        ),
    ] {
        claims = with(claims, name, value);
        let answer = bearer(&acme, &claims).await;
        assert_eq!((answer.status, answer.oauth_error()), (400, error(code, description)), "{claims}");
    }
}

#[tokio::test]
async fn an_assertion_must_be_signed_with_rs256_by_the_key_of_the_certificate() {
    let acme = start().await;
    let whole = assertion(&good());
    let (signed, signature) = whole.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let forged = format!("{header}.{}.{signature}", part(&with(good(), "sub", ADMIN)));
    let other_algorithm = sign(&json!({"alg": "RS512"}), &good());
    let no_certificate = assertion(&with(good(), "iss", "3MVG9.acme.norunas"));
    let no_subject = assertion(&json!({"iss": KEY, "aud": LOGIN, "exp": NOW + 60}));
    for wrong in [forged.as_str(), &other_algorithm, &no_certificate, &no_subject, signed, "x", "..", "a.b.c", "ä.ö.ü"]
    {
        let answer = present(&acme, wrong).await;
        assert_eq!(answer.oauth_error(), error("invalid_grant", "invalid assertion"), "{wrong}");
    }
    let missing = acme.token_request(&[("grant_type", JWT_BEARER)]).await;
    assert_eq!(missing.oauth_error(), error("invalid_grant", "invalid assertion"));
}

#[tokio::test]
async fn audience_and_expiry_are_read_as_clients_write_them() {
    let acme = start().await;
    let own = acme.emulator.http_url().to_owned();
    let short = own.trim_start_matches("http://").to_owned();
    for audience in [
        json!(LOGIN),
        json!("https://login.salesforce.com/"),
        json!("login.salesforce.com"),
        json!("https://login.salesforce.com/services/oauth2/token"),
        json!("https://acme.my.salesforce.com"),
        json!(["https://acme.my.salesforce.com"]),
        json!(format!("{own}/services/oauth2/token")),
        json!(own),
        json!(short),
    ] {
        let answer = bearer(&acme, &with(good(), "aud", audience.clone())).await;
        assert_eq!(answer.status, 200, "{audience}: {}", answer.text);
    }
    for wrong in [json!("https://test.salesforce.com"), json!("https://other.my.salesforce.com"), json!(null)] {
        let answer = bearer(&acme, &with(good(), "aud", wrong.clone())).await;
        assert_eq!(answer.oauth_error(), error("invalid_grant", "audience is invalid"), "{wrong}");
    }
    // CumulusCI's assertions expire in the second in which they are signed.
    for expiry in [json!((NOW + 300).to_string()), json!(NOW + 3600), json!(NOW * 1000 + 300), json!(NOW)] {
        let answer = bearer(&acme, &with(good(), "exp", expiry.clone())).await;
        assert_eq!(answer.status, 200, "{expiry}: {}", answer.text);
    }
    for stale in [json!(NOW - 180), json!("soon"), json!(null)] {
        let answer = bearer(&acme, &with(good(), "exp", stale.clone())).await;
        assert_eq!(answer.oauth_error(), error("invalid_grant", "expired authorization code"), "{stale}");
    }
    let later = assertion(&with(good(), "exp", NOW));
    acme.emulator.control().advance(Duration::from_secs(180));
    let answer = present(&acme, &later).await;
    assert_eq!(answer.oauth_error(), error("invalid_grant", "expired authorization code"));
}

#[tokio::test]
async fn prn_wins_over_sub_and_a_surplus_client_id_does_no_harm() {
    let acme = start().await;
    let answer = bearer(&acme, &with(with(good(), "sub", SAM), "prn", INTEGRATION)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let signed = assertion(&good());
    let form = [("grant_type", JWT_BEARER), ("assertion", signed.as_str()), ("client_id", CONNECTED_KEY)];
    let token = access_token(&acme.token_request(&form).await);
    let form = [("token", token.as_str()), ("client_id", KEY), ("client_secret", SECRET)];
    let request = acme.http.post(acme.url("/services/oauth2/introspect")).form(&form);
    assert_eq!(Seen::of(request.send().await.unwrap()).await.json()["client_id"], KEY);
}

#[tokio::test]
async fn an_assertion_with_a_jti_is_used_once_and_one_without_as_often_as_one_likes() {
    let acme = start().await;
    let named = assertion(&with(good(), "jti", "first"));
    assert_eq!(present(&acme, &named).await.status, 200);
    let (code, _) = present(&acme, &named).await.oauth_error();
    assert_eq!(code, "bad_jti_claim");
    assert_eq!(bearer(&acme, &with(good(), "jti", "second")).await.status, 200);
    let unnamed = assertion(&good());
    assert_eq!(present(&acme, &unnamed).await.status, 200);
    assert_eq!(present(&acme, &unnamed).await.status, 200);
}

#[tokio::test]
async fn users_who_authorize_themselves_need_an_approval_that_has_not_aged_out() {
    let acme = start_with(|scenario| {
        app(scenario, CONNECTED_KEY).refresh_token_policy = RefreshTokenPolicy::LifetimeHours(24);
    })
    .await;
    let later = |user: &str, hours: i64| json!({"iss": CONNECTED_KEY, "sub": user, "aud": LOGIN, "exp": NOW + hours * 3600 + 60});
    let answer = bearer(&acme, &later(ADMIN, 0)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["scope"], "api id");
    for stranger in [SAM, "nobody@acme.example"] {
        assert_eq!(bearer(&acme, &later(stranger, 0)).await.oauth_error(), not_approved());
    }
    acme.emulator.control().advance(Duration::from_secs(24 * 3600));
    assert_eq!(bearer(&acme, &later(ADMIN, 24)).await.status, 200);
    acme.emulator.control().advance(Duration::from_secs(3600));
    assert_eq!(bearer(&acme, &later(ADMIN, 25)).await.oauth_error(), not_approved());
}

#[tokio::test]
async fn the_login_history_says_what_the_caller_is_told_and_more() {
    let acme = start().await;
    bearer(&acme, &good()).await;
    bearer(&acme, &with(good(), "sub", "nobody@acme.example")).await;
    bearer(&acme, &with(good(), "sub", SAM)).await;
    let history = acme.emulator.control().login_history();
    let seen: Vec<(&str, &str)> = history.iter().map(|entry| (entry.username.as_str(), entry.status)).collect();
    let expected = [
        (INTEGRATION, "Success"),
        ("nobody@acme.example", "Failed: User Not Found"),
        (SAM, "Failed: Not approved for access"),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn an_uninstalled_connected_app_is_told_to_be_installed() {
    let acme = start_with(|scenario| {
        let connected = app(scenario, CONNECTED_KEY);
        connected.state = AppState::NotInstalled;
        connected.permitted_users = PermittedUsers::AdminApproved;
        connected.profiles = vec!["Standard User".to_owned()];
    })
    .await;
    let answer = bearer(&acme, &with(with(good(), "iss", CONNECTED_KEY), "sub", SAM)).await;
    let text = "refresh_token scope is required and the connected app should be installed and preauthorized";
    assert_eq!(answer.oauth_error(), error("invalid_request", text));
}

#[tokio::test]
async fn an_inactive_user_is_told_so() {
    let acme = start().await;
    acme.emulator.control().change_setup(|setup| setup.user_mut(INTEGRATION).unwrap().active = false).unwrap();
    assert_eq!(bearer(&acme, &good()).await.oauth_error(), error("invalid_grant", "inactive user"));
}

#[tokio::test]
async fn at_a_login_host_connected_apps_work_and_local_external_client_apps_are_not_found() {
    let acme = start().await;
    let http = tls_client(&acme.emulator);
    let ask = async |claims: Value| {
        let form = [("grant_type", JWT_BEARER), ("assertion", &assertion(&claims))];
        let request = http.post("https://login.salesforce.com/services/oauth2/token").form(&form);
        Seen::of(request.send().await.unwrap()).await
    };
    let expected = error("app_not_found", "External client app is not installed in this org");
    assert_eq!(ask(good()).await.oauth_error(), expected);
    let answer = ask(with(with(good(), "iss", CONNECTED_KEY), "sub", ADMIN)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["instance_url"], "https://acme.my.salesforce.com");
    assert!(answer.json()["id"].as_str().unwrap().starts_with("https://login.salesforce.com/id/00DgL000000ACME"));
}

#[tokio::test]
async fn a_login_host_finds_the_org_by_the_subject() {
    let acme = start_with(|scenario| {
        let sandbox = SandboxSpec { name: "uat".to_owned(), id: "00DgL000000UAT1".to_owned(), copies_apps: true };
        scenario.sandboxes.push(sandbox);
        app(scenario, CONNECTED_KEY).permitted_users = PermittedUsers::AdminApproved;
        app(scenario, CONNECTED_KEY).profiles = vec!["System Administrator".to_owned()];
    })
    .await;
    let http = tls_client(&acme.emulator);
    let ask = async |host: &str, user: &str| {
        let claims = json!({"iss": CONNECTED_KEY, "sub": user, "aud": format!("https://{host}"), "exp": NOW + 60});
        let form = [("grant_type", JWT_BEARER), ("assertion", &assertion(&claims))];
        let request = http.post(format!("https://{host}/services/oauth2/token")).form(&form);
        Seen::of(request.send().await.unwrap()).await
    };
    let production = ask("login.salesforce.com", ADMIN).await;
    assert_eq!(production.json()["instance_url"], "https://acme.my.salesforce.com", "{}", production.text);
    let sandbox = ask("test.salesforce.com", "admin@acme.example.uat").await;
    assert_eq!(sandbox.json()["instance_url"], "https://acme--uat.sandbox.my.salesforce.com", "{}", sandbox.text);
    let crossed = ask("login.salesforce.com", "admin@acme.example.uat").await;
    assert_eq!(crossed.oauth_error(), error("invalid_grant", "audience is invalid"));
}

#[tokio::test]
async fn a_certificate_of_no_use_is_found_before_the_org_starts() {
    let mut scenario = Scenario::builtin("acme").unwrap();
    app(&mut scenario, KEY).certificate = Some("-----BEGIN CERTIFICATE-----".to_owned());
    let problem = scenario.setup().check().unwrap_err().to_string();
    assert!(problem.contains("Acme Integration has a certificate of no use"), "{problem}");
}

#[tokio::test]
async fn a_client_assertion_stands_in_for_the_secret() {
    let acme = start().await;
    let claims = json!({"iss": KEY, "sub": KEY, "aud": acme.url("/services/oauth2/token"), "exp": NOW + 60});
    let ask = async |kind: &str, assertion: String| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", kind),
            ("client_assertion", assertion.as_str()),
        ];
        acme.token_request(&form).await
    };
    let answer = ask(ASSERTION_TYPE, assertion(&claims)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(ask("saml", assertion(&claims)).await.oauth_error().0, "invalid_assertion_type");
    let refused = error("invalid_client", "invalid client credentials");
    for (name, value) in [
        ("exp", json!(NOW - 180)),
        ("aud", json!("https://other.example")),
        ("sub", json!(INTEGRATION)),
        ("iss", json!("3MVG9.acme.norunas")),
    ] {
        let wrong = with(claims.clone(), name, value);
        assert_eq!(ask(ASSERTION_TYPE, assertion(&wrong)).await.oauth_error(), refused, "{wrong}");
    }
    let once = assertion(&with(claims.clone(), "jti", "one"));
    assert_eq!(ask(ASSERTION_TYPE, once.clone()).await.status, 200);
    assert_eq!(ask(ASSERTION_TYPE, once).await.oauth_error().0, "bad_jti_claim");

    let (token, signed) = (access_token(&answer), assertion(&claims));
    let form = [
        ("token", token.as_str()),
        ("client_id", KEY),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &signed),
    ];
    let request = acme.http.post(acme.url("/services/oauth2/introspect")).form(&form);
    assert_eq!(Seen::of(request.send().await.unwrap()).await.json()["active"], true);
    let connected = json!({"iss": CONNECTED_KEY, "sub": CONNECTED_KEY, "aud": LOGIN, "exp": NOW + 60});
    let signed = assertion(&connected);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "5Aep.acme.connected.admin"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", signed.as_str()),
    ];
    assert_eq!(acme.token_request(&form).await.status, 200);
}

/// A call with a session, of an operation that this org does not have.
async fn soap_call(acme: &Acme, session: &str) -> Seen {
    let body = format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:urn=\"urn:partner.soap.sforce.com\"><soapenv:Header><urn:SessionHeader>\
         <urn:sessionId>{session}</urn:sessionId></urn:SessionHeader></soapenv:Header>\
         <soapenv:Body><urn:getUserInfo/></soapenv:Body></soapenv:Envelope>"
    );
    let request = acme.http.post(acme.url("/services/Soap/u/60.0")).header("content-type", "text/xml").body(body);
    Seen::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn an_app_that_issues_jwts_gives_tokens_that_rest_takes_and_soap_and_bulk_refuse() {
    let acme = start_with(|scenario| {
        app(scenario, KEY).named_user_jwt = true;
        app(scenario, KEY).named_user_jwt_minutes = Some(30);
    })
    .await;
    let answer = acme.client_credentials(KEY, SECRET).await.json();
    assert_eq!(answer["token_format"], "jwt");
    assert_eq!(answer["api_instance_url"], "https://api.salesforce.com");
    let token = answer["access_token"].as_str().unwrap();
    let (header, claims) = verified(&acme, token).await;
    assert_eq!(
        [&header["alg"], &header["typ"], &header["tty"], &header["ver"]],
        ["RS256", "JWT", "sfdc-core-token", "1.0"]
    );
    assert!(header["tnk"].as_str().unwrap().starts_with("core/"), "{header}");
    let user = answer["id"].as_str().unwrap().rsplit_once('/').unwrap().1;
    assert_eq!(claims["sub"], format!("uid:{user}"));
    assert_eq!(claims["aud"], json!([acme.emulator.http_url()]));
    assert_eq!([&claims["iss"], &claims["scp"], &claims["client_id"]], [acme.emulator.http_url(), "api", KEY]);
    assert_eq!(claims["exp"], NOW + 30 * 60);
    assert!(claims["nbf"].as_i64().unwrap() <= NOW);

    assert_eq!(acme.get("/services/data/v60.0/limits", token).await.status, 200);
    assert_eq!(acme.get("/services/oauth2/userinfo", token).await.status, 200);
    let refused = acme.get("/services/data/v60.0/jobs/query", token).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "INVALID_SESSION_ID"));
    let form = [("token", token), ("client_id", KEY), ("client_secret", SECRET)];
    let state = async || {
        let request = acme.http.post(acme.url("/services/oauth2/introspect")).form(&form);
        Seen::of(request.send().await.unwrap()).await.json()
    };
    assert_eq!(state().await["exp"], NOW + 30 * 60);
    let answer = soap_call(&acme, token).await;
    assert_eq!(answer.status, 500);
    assert!(answer.text.contains("<faultcode>sf:INVALID_SESSION_ID</faultcode>"), "{}", answer.text);
    let version_one = acme.http.get(acme.url("/services/async/60.0/job")).header("X-SFDC-Session", token);
    let answer = Seen::of(version_one.send().await.unwrap()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("<exceptionCode>InvalidSessionId</exceptionCode>"), "{}", answer.text);

    acme.emulator.control().advance(Duration::from_secs(29 * 60));
    assert_eq!(acme.get("/services/data/v60.0/limits", token).await.status, 200);
    acme.emulator.control().advance(Duration::from_secs(60));
    assert_eq!(acme.get("/services/data/v60.0/limits", token).await.status, 401);
    assert_eq!(state().await, json!({"active": false}));
}

#[tokio::test]
async fn the_openid_scope_brings_an_id_token_that_the_published_key_verifies() {
    let acme = start_with(|scenario| {
        app(scenario, CONNECTED_KEY).id_token_minutes = 5;
        let scopes = Some(["api", "openid", "refresh_token"].map(str::to_owned).to_vec());
        let token = Secret::new("5Aep.openid");
        let (app, user) = (CONNECTED_KEY.to_owned(), ADMIN.to_owned());
        scenario.refresh_tokens.push(IssuedRefreshToken { app, user, token, scopes });
    })
    .await;
    let answer = acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, "5Aep.openid").await.json();
    let (header, claims) = verified(&acme, answer["id_token"].as_str().unwrap()).await;
    assert_eq!(header["alg"], "RS256");
    assert_eq!([&claims["iss"], &claims["aud"]], [acme.emulator.http_url(), CONNECTED_KEY]);
    assert_eq!(claims["sub"], answer["id"]);
    assert_eq!([&claims["iat"], &claims["exp"]], [NOW, NOW + 300]);
    let hash = digest::digest(&digest::SHA256, answer["access_token"].as_str().unwrap().as_bytes());
    assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]));
    assert_eq!(claims.get("nonce"), None);
    let without = acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, "5Aep.acme.connected.admin").await.json();
    assert_eq!(without.get("id_token"), None);
}

#[tokio::test]
async fn every_host_publishes_keys_and_discovery_and_only_a_my_domain_the_document_of_rfc_8414() {
    let acme = start().await;
    let http = tls_client(&acme.emulator);
    let get = async |url: String| Seen::of(http.get(url).send().await.unwrap()).await;
    for host in ["https://login.salesforce.com", "https://acme.my.salesforce.com"] {
        let document = get(format!("{host}/.well-known/openid-configuration")).await.json();
        assert_eq!(document["issuer"], host);
        let keys = get(document["jwks_uri"].as_str().unwrap().to_owned()).await.json();
        let key = &keys["keys"][0];
        assert_eq!([&key["kty"], &key["use"], &key["alg"]], ["RSA", "sig", "RS256"]);
        let scopes = document["scopes_supported"].as_array().unwrap();
        assert!(scopes.contains(&json!("refresh_token")) && scopes.contains(&json!("cdp_query_api")));
    }
    let path = "/.well-known/oauth-authorization-server";
    assert_eq!(get(format!("https://login.salesforce.com{path}")).await.status, 404);
    let document = get(format!("https://acme.my.salesforce.com{path}")).await.json();
    assert_eq!(document["issuer"], "https://acme.my.salesforce.com");
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(get("https://login.salesforce.com/.well-known/auth-configuration".to_owned()).await.status, 404);
    let configuration = get("https://acme.my.salesforce.com/.well-known/auth-configuration".to_owned()).await.json();
    assert_eq!(configuration["Url"], "https://acme.my.salesforce.com");
}
