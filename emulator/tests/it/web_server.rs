//! The web server flow, from the app's link to its tokens.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use emulator::scenario::{IdentityVerification, RefreshTokenPolicy};
use reqwest::Url;
use ring::digest;

use crate::browser::{Browser, CALLBACK, Page, authorize_url};
use crate::client::{Acme, CONNECTED_KEY, CONNECTED_SECRET, Seen, access_token};

const SAM: &str = "sam@acme.example";
const SAMS_PASSWORD: &str = "sams-password";

pub(crate) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

fn error(error: &str, description: &str) -> (String, String) {
    (error.to_owned(), description.to_owned())
}

/// The page that an app's link leads to.
async fn authorize(acme: &Acme, browser: &mut Browser, more: &[(&str, &str)]) -> Page {
    let url = authorize_url(acme.emulator.http_url(), CONNECTED_KEY, more);
    browser.open(&url).await
}

/// A code that Sam lets the app have in a fresh browser.
pub(crate) async fn code(acme: &Acme, more: &[(&str, &str)]) -> String {
    let mut browser = Browser::plain(&acme.emulator);
    let login = authorize(acme, &mut browser, more).await;
    let mut page = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    if page.seen.status == 200 {
        page = browser.allow(&page).await;
    }
    assert!(page.left_for(CALLBACK), "{page:?}");
    page.given("code").unwrap()
}

async fn redeem(acme: &Acme, code: &str, more: &[(&str, &str)]) -> Seen {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", CONNECTED_KEY),
        ("client_secret", CONNECTED_SECRET),
        ("redirect_uri", CALLBACK),
        ("code", code),
    ];
    for (name, value) in more {
        form.retain(|(known, _)| known != name);
        form.push((name, value));
    }
    acme.token_request(&form).await
}

#[tokio::test]
async fn a_person_logs_in_allows_access_and_the_app_gets_its_tokens() {
    let acme = Acme::start().await;
    let mut browser = Browser::plain(&acme.emulator);
    let login = authorize(&acme, &mut browser, &[("state", "a state & more")]).await;
    let consent = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    assert!(consent.is_consent(), "{consent:?}");
    for text in [
        "Acme Connected",
        "Sam Standard",
        "Manage user data via APIs",
        "Perform requests at any time",
        "Access the identity URL service",
    ] {
        assert!(consent.seen.text.contains(text), "{text}: {}", consent.seen.text);
    }
    let callback = browser.allow(&consent).await;
    assert!(callback.left_for(CALLBACK), "{callback:?}");
    assert_eq!(callback.given("state").as_deref(), Some("a state & more"));
    assert!(callback.url.query().unwrap().contains("%3D%3D"), "{}", callback.url);
    let code = callback.given("code").unwrap();
    assert!(code.starts_with("aPrx") && code.ends_with("=="));
    let answer = redeem(&acme, &code, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    let mut keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected =
        ["access_token", "id", "instance_url", "issued_at", "refresh_token", "scope", "signature", "token_type"];
    assert_eq!(keys, expected);
    assert_eq!(body["scope"], "api id refresh_token");
    assert_eq!(acme.get("/services/data/v60.0/sobjects", &access_token(&answer)).await.status, 200);
    let refreshed = acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, body["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    let logins = acme.emulator.control().login_history();
    assert_eq!((logins[0].username.as_str(), logins[0].status), (SAM, "Success"));
}

/// The claims of an ID token, unverified.
fn claims_of(id_token: &str) -> serde_json::Value {
    let claims = id_token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

async fn acme_with_openid() -> Acme {
    Acme::start_with(|scenario| {
        let app = scenario.apps.iter_mut().find(|app| app.consumer_key == CONNECTED_KEY).unwrap();
        app.scopes.push("openid".to_owned());
    })
    .await
}

#[tokio::test]
async fn the_id_token_of_a_code_carries_the_nonce_and_a_renewed_one_does_not() {
    let acme = acme_with_openid().await;
    let code = code(&acme, &[("nonce", "of this browser"), ("scope", "openid refresh_token")]).await;
    let body = redeem(&acme, &code, &[]).await.json();
    let claims = claims_of(body["id_token"].as_str().unwrap());
    assert_eq!((&claims["nonce"], &claims["aud"]), (&"of this browser".into(), &CONNECTED_KEY.into()));
    assert_eq!(claims["sub"], body["id"]);
    let renewed = acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, body["refresh_token"].as_str().unwrap()).await.json();
    assert!(claims_of(renewed["id_token"].as_str().unwrap()).get("nonce").is_none(), "{renewed}");
}

#[tokio::test]
async fn a_token_and_an_id_token_come_in_the_fragment_when_both_are_asked_for() {
    let acme = acme_with_openid().await;
    let mut browser = Browser::plain(&acme.emulator);
    let asked = [("response_type", "token id_token"), ("scope", "openid api"), ("nonce", "n")];
    let login = authorize(&acme, &mut browser, &asked).await;
    let consent = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    let callback = browser.allow(&consent).await;
    let fragment = callback.url.fragment().unwrap();
    let given: std::collections::BTreeMap<_, _> = url::form_urlencoded::parse(fragment.as_bytes()).collect();
    assert_eq!(claims_of(&given["id_token"])["nonce"], "n");
    assert_eq!(acme.get("/services/data/v60.0/sobjects", &given["access_token"]).await.status, 200);
}

#[tokio::test]
async fn a_wrong_password_is_told_in_salesforces_words_and_noted() {
    let acme = Acme::start().await;
    let mut browser = Browser::plain(&acme.emulator);
    let login = authorize(&acme, &mut browser, &[]).await;
    let again = browser.log_in(&login, SAM, "wrong").await;
    assert!(again.is_login());
    assert!(again.seen.text.contains("Please check your username and password."), "{}", again.seen.text);
    assert_eq!(acme.emulator.control().login_history()[0].status, "Invalid Password");
    assert!(browser.log_in(&again, SAM, SAMS_PASSWORD).await.is_consent());
}

#[tokio::test]
async fn deny_tells_the_app() {
    let acme = Acme::start().await;
    let mut browser = Browser::plain(&acme.emulator);
    let login = authorize(&acme, &mut browser, &[("state", "s")]).await;
    let consent = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    let denied = browser.deny(&consent).await;
    let expected = format!("{CALLBACK}?error=access_denied&error_description=end-user+denied+authorization&state=s");
    assert_eq!(denied.url.as_str(), expected);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_a_quarter_of_an_hour() {
    let acme = Acme::start().await;
    let expired = error("invalid_grant", "expired authorization code");
    let used = code(&acme, &[]).await;
    assert_eq!(redeem(&acme, &used, &[]).await.status, 200);
    assert_eq!(redeem(&acme, &used, &[]).await.oauth_error(), expired);
    let old = code(&acme, &[]).await;
    acme.emulator.control().advance(Duration::from_secs(15 * 60));
    assert_eq!(redeem(&acme, &old, &[]).await.oauth_error(), expired);
}

#[tokio::test]
async fn of_many_that_redeem_one_code_at_a_time_one_succeeds() {
    let acme = Acme::start().await;
    let code = code(&acme, &[]).await;
    let attempts = (0..16).map(|_| redeem(&acme, &code, &[]));
    let answers = futures_util::future::join_all(attempts).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    let lost = answers.iter().filter(|answer| answer.status != 200);
    lost.for_each(|answer| assert_eq!(answer.oauth_error(), error("invalid_grant", "expired authorization code")));
}

#[tokio::test]
async fn a_code_that_is_not_the_apps_or_was_decoded_wrongly_is_invalid() {
    let acme = Acme::start().await;
    let code = code(&acme, &[]).await;
    let encoded = code.replace('=', "%3D");
    let invalid = error("invalid_grant", "invalid authorization code");
    let rotating = [("client_id", "3MVG9.acme.rotating"), ("client_secret", "acme-rotating-secret")];
    for (sent, more) in [(encoded.as_str(), &[][..]), ("aPrxUnknown==", &[]), ("", &[]), (&code, &rotating)] {
        let answer = redeem(&acme, sent, more).await;
        assert_eq!((answer.status, answer.oauth_error()), (400, invalid.clone()), "{sent}");
    }
    assert_eq!(redeem(&acme, &code, &[]).await.status, 200);
}

#[tokio::test]
async fn the_callback_must_be_the_same_string_at_the_token_endpoint() {
    let acme = Acme::start().await;
    let code = code(&acme, &[]).await;
    let answer = redeem(&acme, &code, &[("redirect_uri", "https://app.example/callback/")]).await;
    assert_eq!(answer.oauth_error(), error("redirect_uri_mismatch", "redirect_uri must match configuration"));
    assert_eq!(redeem(&acme, &code, &[("redirect_uri", "")]).await.oauth_error().0, "redirect_uri_missing");
}

#[tokio::test]
async fn a_wrong_verifier_is_an_invalid_request_where_the_scenario_follows_the_documentation() {
    let acme = Acme::start_with(|scenario| scenario.org.wrong_verifier_is_invalid_request = true).await;
    let code = code(&acme, &[("code_challenge", &challenge_of("word"))]).await;
    let wrong = redeem(&acme, &code, &[("code_verifier", "other")]).await;
    assert_eq!(wrong.oauth_error(), error("invalid_request", "invalid code verifier"));
    assert_eq!(redeem(&acme, &code, &[]).await.oauth_error(), error("invalid_grant", "invalid code verifier"));
}

#[tokio::test]
async fn a_scope_that_the_app_lacks_is_a_generic_error_where_the_scenario_says_so() {
    for (generic, expected) in [(true, "OAUTH_APPROVAL_ERROR_GENERIC"), (false, "invalid_scope")] {
        let acme = Acme::start_with(|scenario| scenario.org.missing_scope_is_generic_error = generic).await;
        let mut browser = Browser::plain(&acme.emulator);
        let refused = authorize(&acme, &mut browser, &[("scope", "api wave_api")]).await;
        assert_eq!(refused.given("error").as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn a_challenge_that_was_sent_needs_its_verifier_of_whatever_length() {
    let acme = Acme::start().await;
    let invalid = error("invalid_grant", "invalid code verifier");
    for length in [1, 43, 128, 171, 500] {
        let verifier = "v".repeat(length);
        let challenge = challenge_of(&verifier);
        let code = code(&acme, &[("code_challenge", &challenge)]).await;
        assert_eq!(redeem(&acme, &code, &[]).await.oauth_error(), invalid);
        assert_eq!(redeem(&acme, &code, &[("code_verifier", "other")]).await.oauth_error(), invalid);
        assert_eq!(redeem(&acme, &code, &[("code_verifier", &verifier)]).await.status, 200, "{length}");
    }
    let unchallenged = code(&acme, &[]).await;
    assert_eq!(redeem(&acme, &unchallenged, &[("code_verifier", "surplus")]).await.status, 200);
    let plain = code(&acme, &[("code_challenge", "word"), ("code_challenge_method", "plain")]).await;
    assert_eq!(redeem(&acme, &plain, &[("code_verifier", "word")]).await.status, 200);
}

#[tokio::test]
async fn a_public_app_redeems_without_secret_and_a_wrong_one_is_refused_all_the_same() {
    let acme = Acme::start_with(|scenario| scenario.apps[1].secret_required_for_web_server = false).await;
    let code = code(&acme, &[]).await;
    let wrong = redeem(&acme, &code, &[("client_secret", "wrong")]).await;
    assert_eq!(wrong.oauth_error(), error("invalid_client", "invalid client credentials"));
    assert_eq!(redeem(&acme, &code, &[("client_secret", "")]).await.status, 200);
}

#[tokio::test]
async fn a_confidential_app_needs_its_secret() {
    let acme = Acme::start().await;
    let code = code(&acme, &[]).await;
    let without = redeem(&acme, &code, &[("client_secret", "")]).await;
    assert_eq!(without.oauth_error(), error("invalid_client", "invalid client credentials"));
}

#[tokio::test]
async fn a_refresh_token_needs_its_scope_and_a_policy_that_lets_it_live() {
    let acme = Acme::start().await;
    let without = redeem(&acme, &code(&acme, &[("scope", "api id")]).await, &[]).await.json();
    assert_eq!((without["scope"].as_str(), without.get("refresh_token")), (Some("api id"), None));
    let acme = Acme::start_with(|scenario| scenario.apps[1].refresh_token_policy = RefreshTokenPolicy::Zero).await;
    let without = redeem(&acme, &code(&acme, &[]).await, &[]).await.json();
    assert_eq!(without.get("refresh_token"), None);
}

#[tokio::test]
async fn the_sixth_approval_ends_the_first_and_its_sessions() {
    let acme = Acme::start().await;
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(redeem(&acme, &code(&acme, &[]).await, &[]).await);
    }
    let refresh = async |answer: &Seen| {
        let token = answer.json()["refresh_token"].as_str().unwrap().to_owned();
        acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, &token).await
    };
    let first = refresh(&answers[0]).await;
    assert_eq!(first.oauth_error(), error("invalid_grant", "expired access/refresh token"));
    assert_eq!(acme.get("/services/data/v60.0/sobjects", &access_token(&answers[0])).await.status, 401);
    for answer in &answers[1..] {
        assert_eq!(refresh(answer).await.status, 200);
    }
}

#[tokio::test]
async fn a_user_who_was_deactivated_meanwhile_gets_nothing_for_the_code() {
    let acme = Acme::start().await;
    let code = code(&acme, &[]).await;
    acme.emulator.control().change_setup(|setup| setup.user_mut(SAM).unwrap().active = false).unwrap();
    assert_eq!(redeem(&acme, &code, &[]).await.oauth_error(), error("invalid_grant", "inactive user"));
}

#[tokio::test]
async fn an_unknown_browser_is_asked_for_the_code_that_was_mailed_and_is_known_then() {
    let acme = Acme::start_with(|scenario| {
        scenario.org.identity_verification = IdentityVerification::UnknownBrowser;
    })
    .await;
    let control = acme.emulator.control();
    let mut browser = Browser::plain(&acme.emulator);
    let login = authorize(&acme, &mut browser, &[]).await;
    let page = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    assert!(page.is_verification(), "{page:?}");
    assert!(page.seen.text.contains("s***@acme.example"));
    let first = control.mailbox().pop().unwrap().code.unwrap();
    let wrong = browser.enter_code(&page, "nonsense").await;
    assert!(wrong.seen.text.contains("invalid or has expired"), "{}", wrong.seen.text);
    let resent = browser.press(&wrong, ("resend", "1"), &[]).await;
    let second = control.mailbox().pop().unwrap().code.unwrap();
    if first != second {
        assert!(browser.enter_code(&resent, &first).await.is_verification());
    }
    let consent = browser.press(&resent, ("", ""), &[("code", &second), ("remember", "1")]).await;
    assert!(browser.allow(&consent).await.left_for(CALLBACK));
    let login = authorize(&acme, &mut browser, &[("prompt", "login")]).await;
    let known = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    assert!(known.left_for(CALLBACK), "{known:?}");
    assert_eq!(control.mailbox().len(), 2);
}

#[tokio::test]
async fn a_verification_code_grows_old_and_five_wrong_ones_end_the_attempt() {
    let acme = Acme::start_with(|scenario| scenario.org.identity_verification = IdentityVerification::Always).await;
    let control = acme.emulator.control();
    let mut browser = Browser::plain(&acme.emulator);
    let login = authorize(&acme, &mut browser, &[]).await;
    let mut page = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    let code = control.mailbox().pop().unwrap().code.unwrap();
    control.advance(Duration::from_secs(10 * 60));
    for _ in 0..4 {
        page = browser.enter_code(&page, &code).await;
        assert!(page.is_verification());
    }
    assert!(browser.enter_code(&page, &code).await.is_login());
}

#[tokio::test]
async fn form_posts_from_elsewhere_and_old_forms_do_nothing() {
    let acme = Acme::start().await;
    let mut browser = Browser::plain(&acme.emulator);
    let login = authorize(&acme, &mut browser, &[]).await;
    let mut stranger = Browser::plain(&acme.emulator);
    let refused = stranger.log_in(&login, SAM, SAMS_PASSWORD).await;
    assert_eq!((refused.seen.status, refused.heading().as_str()), (400, "This page is no longer valid"));
    let consent = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    assert_eq!(stranger.allow(&consent).await.seen.status, 400);
    let url = Url::parse(consent.url.as_str()).unwrap();
    let gone = stranger.open(url.as_str()).await;
    assert_eq!(gone.heading(), "This request is no longer open");
    assert!(browser.allow(&consent).await.left_for(CALLBACK));
    assert_eq!(browser.allow(&consent).await.heading(), "This request is no longer open");
}
