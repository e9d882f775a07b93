//! Requests for authorization: who is asked what, and how each refusal looks.

use std::collections::BTreeSet;

use emulator::scenario::{
    AppKind, AppState, LevelAction, LoginHours, OrgState, PermittedUsers, PolicyRefusals, SandboxSpec, SessionLevel,
    SessionLevelPolicy, UserKind, UserSpec,
};
use emulator::{Emulator, Options, Scenario};

use crate::browser::{Browser, CALLBACK, Page, authorize_url};
use crate::client::{Acme, CONNECTED_KEY, Seen};

const SAM: &str = "sam@acme.example";
const SAMS_PASSWORD: &str = "sams-password";

fn error(error: &str, description: &str) -> (String, String) {
    (error.to_owned(), description.to_owned())
}

async fn authorize(acme: &Acme, browser: &mut Browser, more: &[(&str, &str)]) -> Page {
    let url = authorize_url(acme.emulator.http_url(), CONNECTED_KEY, more);
    browser.open(&url).await
}

fn connected(scenario: &mut Scenario) -> &mut emulator::scenario::AppSpec {
    scenario.apps.iter_mut().find(|app| app.consumer_key == CONNECTED_KEY).unwrap()
}

fn sam(scenario: &mut Scenario) -> &mut UserSpec {
    scenario.users.iter_mut().find(|user| user.username == SAM).unwrap()
}

/// Sam at the consent page, in a fresh browser.
async fn at_consent(acme: &Acme, more: &[(&str, &str)]) -> (Browser, Page) {
    let mut browser = Browser::plain(&acme.emulator);
    let login = authorize(acme, &mut browser, more).await;
    let page = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    (browser, page)
}

/// A browser in which Sam is signed in and has let the app in.
async fn known_browser(acme: &Acme) -> Browser {
    let (mut browser, consent) = at_consent(acme, &[]).await;
    assert!(browser.allow(&consent).await.left_for(CALLBACK));
    browser
}

#[tokio::test]
async fn what_app_and_org_refuse_is_told_at_the_callback_before_anybody_signs_in() {
    type Case = (&'static [(&'static str, &'static str)], fn(&mut Scenario), &'static str, &'static str);
    let unsupported = ("unsupported_response_type", "response type not supported");
    let cases: &[Case] = &[
        (&[("response_type", "")], |_| {}, unsupported.0, unsupported.1),
        (&[("response_type", "nonsense")], |_| {}, unsupported.0, unsupported.1),
        (&[("response_type", "hybrid_token")], |_| {}, unsupported.0, unsupported.1),
        (&[("response_type", "code_credentials")], |_| {}, unsupported.0, unsupported.1),
        (&[("response_type", "token")], |it| it.org.user_agent_flow = false, unsupported.0, unsupported.1),
        (&[("scope", "api web")], |_| {}, "invalid_scope", "the requested scope is not allowed"),
        (&[("scope", "full")], |_| {}, "invalid_scope", "the requested scope is not allowed"),
        (&[("immediate", "true")], |_| {}, "immediate_unsuccessful", "a login or an approval is needed"),
        (
            &[("code_challenge", "x"), ("code_challenge_method", "S512")],
            |_| {},
            "invalid_request",
            "invalid code challenge method",
        ),
        (&[], |it| connected(it).state = AppState::Blocked, "OAUTH_APP_BLOCKED", "this app is blocked by admin"),
        (
            &[],
            |it| connected(it).state = AppState::Disabled,
            "oauth_flow_disabled",
            "The external client app or the OAuth plugin is disabled.",
        ),
        (
            &[],
            |it| (connected(it).kind, connected(it).state) = (AppKind::ExternalClientApp, AppState::NotInstalled),
            "OAUTH_EC_APP_NOT_FOUND",
            "External client app is not installed in this org",
        ),
    ];
    for (more, change, code, description) in cases {
        let acme = Acme::start_with(change).await;
        let more: Vec<(&str, &str)> = more.iter().copied().chain([("state", "s")]).collect();
        let page = authorize(&acme, &mut Browser::plain(&acme.emulator), &more).await;
        assert!(page.left_for(CALLBACK), "{code} {page:?}");
        assert_eq!((page.error(), page.given("state").as_deref()), (error(code, description), Some("s")));
        let in_fragment = more.contains(&("response_type", "token"));
        assert_eq!(page.url.fragment().is_some(), in_fragment, "{code}");
    }
}

#[tokio::test]
async fn what_the_policies_say_about_a_user_is_told_at_the_callback_after_the_login() {
    let ip = |it: &mut Scenario| {
        let profile = it.profiles.get_mut("Standard User").unwrap();
        profile.login_ip_ranges = vec!["198.51.100.1".parse().unwrap()];
    };
    let hours = |it: &mut Scenario| {
        it.profiles.get_mut("Standard User").unwrap().login_hours = Some(LoginHours { from: 0, to: 60 });
    };
    type Case = (fn(&mut Scenario), &'static str, &'static str);
    let cases: &[Case] = &[
        (|it| sam(it).active = false, "inactive_user", "user is inactive"),
        (|it| sam(it).frozen = true, "inactive_user", "user is inactive"),
        (|it| it.org.state = OrgState::Locked, "inactive_org", "organization is inactive"),
        (|it| sam(it).kind = UserKind::Portal, "access_denied", "end-user denied authorization"),
        (ip, "invalid_grant", "ip restricted"),
        (hours, "invalid_grant", "invalid login hours"),
        (|it| it.limits.hourly_logins_per_user = 0, "rate_limit_exceeded", "number of logins exceeded"),
        (
            |it| connected(it).required_session_level = SessionLevel::HighAssurance,
            "invalid_session_level",
            "session security level is too low",
        ),
        (|it| it.org.api_access_control = true, "OAUTH_APP_BLOCKED", "this app is blocked by admin"),
        (
            |it| connected(it).permitted_users = PermittedUsers::AdminApproved,
            "OAUTH_APP_ACCESS_DENIED",
            "user is not admin approved to access this app",
        ),
        (
            |it| sam(it).kind = UserKind::Integration,
            "OAUTH_APPROVAL_ERROR_GENERIC",
            "An unexpected error has occured during authentication. Please try again.",
        ),
    ];
    for (change, code, description) in cases {
        let acme = Acme::start_with(change).await;
        let (_, page) = at_consent(&acme, &[("state", "s")]).await;
        assert!(page.left_for(CALLBACK), "{code} {page:?}");
        assert_eq!((page.error(), page.given("state").as_deref()), (error(code, description), Some("s")));
        assert_ne!(acme.emulator.control().login_history()[0].status, "Success", "{code}");
    }
}

#[tokio::test]
async fn policy_refusals_may_end_on_a_page_instead() {
    let acme = Acme::start_with(|scenario| {
        scenario.org.policy_refusals = PolicyRefusals::Page;
        sam(scenario).kind = UserKind::Integration;
    })
    .await;
    let (_, page) = at_consent(&acme, &[]).await;
    assert_eq!((page.seen.status, page.url.path()), (200, "/setup/secur/RemoteAccessErrorPage.apexp"));
    assert!(page.seen.text.contains("An unexpected error has occured"), "{}", page.seen.text);
}

#[tokio::test]
async fn consent_is_asked_once_until_more_is_wanted_or_the_app_wants_it_asked() {
    let acme = Acme::start().await;
    let mut browser = known_browser(&acme).await;
    for (more, asks) in [
        (&[][..], false),
        (&[("scope", "api")], false),
        (&[("scope", "profile")], true),
        (&[("prompt", "consent")], true),
    ] {
        let page = authorize(&acme, &mut browser, more).await;
        assert_eq!(page.left_for(CALLBACK), !asks, "{more:?} {page:?}");
        assert!(!asks || page.is_consent());
    }
    let mut other = Browser::plain(&acme.emulator);
    let login = authorize(&acme, &mut other, &[]).await;
    assert!(other.log_in(&login, SAM, SAMS_PASSWORD).await.left_for(CALLBACK));
}

#[tokio::test]
async fn users_of_an_admin_approved_app_are_not_asked() {
    let acme = Acme::start_with(|scenario| {
        connected(scenario).permitted_users = PermittedUsers::AdminApproved;
        connected(scenario).profiles = vec!["Standard User".into()];
    })
    .await;
    let (mut browser, page) = at_consent(&acme, &[]).await;
    assert!(page.left_for(CALLBACK), "{page:?}");
    assert!(authorize(&acme, &mut browser, &[("prompt", "consent")]).await.is_consent());
}

#[tokio::test]
async fn a_login_is_asked_for_when_the_app_wants_it_and_when_the_session_has_ended() {
    let acme = Acme::start().await;
    let mut browser = known_browser(&acme).await;
    for prompt in ["login", "login consent", "consent login"] {
        let page = authorize(&acme, &mut browser, &[("prompt", prompt)]).await;
        assert!(page.is_login(), "{prompt} {page:?}");
        let page = browser.log_in(&page, SAM, SAMS_PASSWORD).await;
        assert_eq!(page.is_consent(), prompt != "login", "{prompt} {page:?}");
    }
    acme.emulator.control().advance(std::time::Duration::from_secs(2 * 3600));
    assert!(authorize(&acme, &mut browser, &[]).await.is_login());
}

#[tokio::test]
async fn silent_requests_succeed_once_nothing_needs_to_be_asked() {
    let acme = Acme::start().await;
    let mut browser = known_browser(&acme).await;
    let silent = ("immediate", "true");
    assert!(authorize(&acme, &mut browser, &[silent]).await.given("code").is_some());
    for more in [("prompt", "login"), ("prompt", "consent"), ("scope", "profile")] {
        let page = authorize(&acme, &mut browser, &[silent, more]).await;
        assert_eq!(page.error().0, "immediate_unsuccessful", "{more:?}");
    }
}

#[tokio::test]
async fn a_person_may_choose_another_account_or_say_not_you() {
    let acme = Acme::start().await;
    let mut browser = known_browser(&acme).await;
    let page = authorize(&acme, &mut browser, &[("prompt", "select_account")]).await;
    assert_eq!(page.heading(), "Choose a username");
    assert!(page.seen.text.contains(SAM));
    assert!(browser.press(&page, ("account", "this"), &[]).await.left_for(CALLBACK));

    let page = authorize(&acme, &mut browser, &[("prompt", "select_account")]).await;
    let link = page.link("Log in with a different username");
    let login = browser.open(&link).await;
    let consent = browser.log_in(&login, "admin@acme.example", "correct-horse").await;
    assert!(consent.left_for(CALLBACK), "the scenario has the admin's approval already: {consent:?}");

    let consent = authorize(&acme, &mut browser, &[("prompt", "consent")]).await;
    assert!(consent.seen.text.contains("Ada Admin"));
    let login = browser.open(&consent.link("Not you?")).await;
    let consent = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    assert!(consent.seen.text.contains("Sam Standard"), "{consent:?}");
}

#[tokio::test]
async fn the_login_page_knows_a_hinted_and_a_remembered_user_name() {
    let acme = Acme::start().await;
    let mut browser = Browser::plain(&acme.emulator);
    let hinted = authorize(&acme, &mut browser, &[("login_hint", "ada@acme.example")]).await;
    assert!(hinted.seen.text.contains("value=\"ada@acme.example\""), "{}", hinted.seen.text);
    let of_a_domain = authorize(&acme, &mut browser, &[("login_hint", "acme.my.salesforce.com")]).await;
    assert!(of_a_domain.seen.text.contains("value=\"\""), "{}", of_a_domain.seen.text);
    browser.press(&hinted, ("", ""), &[("username", SAM), ("password", SAMS_PASSWORD), ("remember", "1")]).await;
    let remembered = authorize(&acme, &mut browser, &[("prompt", "login")]).await;
    assert!(remembered.seen.text.contains(&format!("value=\"{SAM}\"")), "{}", remembered.seen.text);
}

#[tokio::test]
async fn the_user_agent_flow_puts_the_token_into_the_fragment() {
    let acme = Acme::start().await;
    let more = [("response_type", "token"), ("state", "a&b")];
    let (mut browser, consent) = at_consent(&acme, &more).await;
    let page = browser.allow(&consent).await;
    assert!(page.left_for(CALLBACK) && page.url.query().is_none(), "{page:?}");
    let fragment = page.url.fragment().unwrap();
    let names: BTreeSet<&str> = fragment.split('&').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    for name in ["access_token", "instance_url", "id", "issued_at", "signature", "scope", "token_type", "state"] {
        assert!(names.contains(name), "{name}: {fragment}");
    }
    assert_eq!(page.given("state").as_deref(), Some("a&b"));
    let token = page.given("access_token").unwrap();
    assert_eq!(acme.get("/services/data/v60.0/sobjects", &token).await.status, 200);
    let (mut browser, consent) = at_consent(&acme, &[("response_type", "token"), ("prompt", "consent")]).await;
    let denied = browser.deny(&consent).await;
    assert_eq!(denied.url.fragment(), Some("error=access_denied&error_description=end-user+denied+authorization"));
}

#[tokio::test]
async fn an_app_that_asks_for_high_assurance_makes_the_user_bring_a_second_factor() {
    let acme = Acme::start_with(|scenario| {
        connected(scenario).required_session_level = SessionLevel::HighAssurance;
        connected(scenario).level_action = LevelAction::RaiseSessionLevel;
        scenario.org.session_level_policy = SessionLevelPolicy::Block;
    })
    .await;
    let more = [("response_type", "token")];
    let (mut browser, page) = at_consent(&acme, &more).await;
    assert!(page.is_verification(), "{page:?}");
    let code = acme.emulator.control().mailbox().pop().unwrap().code.unwrap();
    let consent = browser.enter_code(&page, &code).await;
    let page = browser.allow(&consent).await;
    let token = page.given("access_token").unwrap_or_else(|| panic!("{page:?}"));
    assert_eq!(acme.get("/services/data/v60.0/sobjects", &token).await.status, 200);
    assert!(authorize(&acme, &mut browser, &more).await.given("access_token").is_some());
}

#[tokio::test]
async fn what_apps_and_strangers_write_is_shown_as_text() {
    let acme = Acme::start_with(|scenario| connected(scenario).name = "<script>alert('app')</script>".into()).await;
    let (mut browser, consent) = at_consent(&acme, &[("scope", "api"), ("state", "\"><script>")]).await;
    assert!(!consent.seen.text.contains("<script"), "{}", consent.seen.text);
    let error = "/setup/secur/RemoteAccessErrorPage.apexp?error=%3Cscript%3E&error_description=%3Cscript%3Ealert(1)";
    let page = browser.open(&acme.url(error)).await;
    assert!(!page.seen.text.contains("<script"), "{}", page.seen.text);
    for start in ["https://evil.example/", "//evil.example/", "/\\evil.example/"] {
        let mut browser = Browser::plain(&acme.emulator);
        let url = reqwest::Url::parse_with_params(&acme.url("/login"), [("startURL", start)]).unwrap();
        let login = browser.open(url.as_str()).await;
        assert_eq!(browser.log_in(&login, SAM, SAMS_PASSWORD).await.heading(), "You are logged in", "{start}");
    }
}

#[tokio::test]
async fn pages_may_not_be_framed_scripted_or_kept() {
    let acme = Acme::start().await;
    let mut browser = Browser::plain(&acme.emulator);
    let login = authorize(&acme, &mut browser, &[]).await;
    let policy = login.seen.header("content-security-policy");
    for part in ["default-src 'none'", "form-action 'self' https://app.example;", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert_eq!(login.seen.header("x-frame-options"), "DENY");
    assert_eq!(login.seen.header("cache-control"), "no-cache, no-store");
    assert_eq!(login.seen.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn the_cookie_is_for_this_host_alone_and_for_tls_where_there_is_tls() {
    let acme = Acme::start().await;
    let plain = Seen::of(acme.http.get(acme.url("/login")).send().await.unwrap()).await;
    let cookie = plain.header("set-cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Lax") && !cookie.contains("Secure"), "{cookie}");
    let https = crate::client::tls_client(&acme.emulator);
    let answer = https.get("https://login.salesforce.com/login").send().await.unwrap();
    assert!(Seen::of(answer).await.header("set-cookie").ends_with("; HttpOnly; SameSite=Lax; Secure"));
}

#[tokio::test]
async fn a_request_may_come_by_post_with_a_login_experience_in_its_path() {
    let acme = Acme::start().await;
    let mut browser = Browser::plain(&acme.emulator);
    let url = acme.url("/services/oauth2/authorize/brand?device_id=1");
    let form = [("response_type", "code"), ("client_id", CONNECTED_KEY), ("redirect_uri", CALLBACK)];
    assert!(browser.post(&url, &form).await.is_login());
    let put = Seen::of(acme.http.put(url).form(&form).send().await.unwrap()).await;
    assert!(put.text.contains("error=invalid_request&error_description=must%20use%20HTTP%20GET"), "{}", put.text);
}

#[tokio::test]
async fn callbacks_with_a_query_and_of_an_apps_own_scheme_get_their_answer() {
    let with_query = "https://app.example/callback?tenant=1";
    let own_scheme = "acmesync://oauth/done";
    let acme = Acme::start_with(|scenario| {
        connected(scenario).callback_urls.extend([with_query.to_owned(), own_scheme.to_owned()]);
    })
    .await;
    let (mut browser, consent) = at_consent(&acme, &[("redirect_uri", with_query)]).await;
    let page = browser.allow(&consent).await;
    assert!(page.url.as_str().starts_with("https://app.example/callback?tenant=1&code=aPrx"), "{}", page.url);
    let page = authorize(&acme, &mut browser, &[("redirect_uri", own_scheme)]).await;
    assert!(page.url.as_str().starts_with("acmesync://oauth/done?code=aPrx"), "{}", page.url);
}

#[tokio::test]
async fn an_org_that_closes_the_generic_host_signs_in_at_its_my_domain_only() {
    let acme = Acme::start_with(|scenario| scenario.org.generic_login = false).await;
    let mut browser = Browser::tls(&acme.emulator);
    let login = browser.open(&authorize_url("https://login.salesforce.com", CONNECTED_KEY, &[])).await;
    assert!(browser.log_in(&login, SAM, SAMS_PASSWORD).await.is_login());
    assert_eq!(acme.emulator.control().login_history()[0].status, "Failed: My Domain required");
    let login = browser.open(&authorize_url("https://acme.my.salesforce.com", CONNECTED_KEY, &[])).await;
    assert!(browser.log_in(&login, SAM, SAMS_PASSWORD).await.is_consent());
}

#[tokio::test]
async fn hosts_without_pages_have_none() {
    let acme = Acme::start().await;
    let mut browser = Browser::tls(&acme.emulator);
    for host in ["https://acme.lightning.force.com", "https://acme.my.salesforce-setup.com"] {
        assert_eq!(browser.open(&authorize_url(host, CONNECTED_KEY, &[])).await.seen.status, 404, "{host}");
    }
}

#[tokio::test]
async fn a_person_logs_in_and_out_without_any_app() {
    let acme = Acme::start().await;
    let mut browser = Browser::plain(&acme.emulator);
    let login = browser.open(&acme.url("/login")).await;
    let page = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    assert_eq!(page.heading(), "You are logged in");
    let page = browser.open(&page.link("Log out")).await;
    assert_eq!(page.heading(), "You are logged out");
    assert!(browser.open(&acme.url("/login")).await.is_login());
}

#[tokio::test]
async fn a_wrong_client_or_callback_is_told_on_a_page_and_never_at_the_callback() {
    let acme = Acme::start_with(|scenario| {
        connected(scenario).callback_urls.push("http://app.example/plain".into());
        connected(scenario).callback_urls.push("javascript:alert(1)".into());
    })
    .await;
    let mut browser = Browser::plain(&acme.emulator);
    let mismatch = "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration";
    let unknown = "error=invalid_client_id&error_description=client%20identifier%20invalid";
    for (more, expected) in [
        (("client_id", ""), unknown),
        (("client_id", "3MVG9.nobody"), unknown),
        (("client_id", "3mvg9.acme.connected"), unknown),
        (("redirect_uri", ""), "error=redirect_uri_missing&error_description="),
        (("redirect_uri", "https://app.example/callback/"), mismatch),
        (("redirect_uri", "https://APP.example/callback"), mismatch),
        (("redirect_uri", "https://app.example:443/callback"), mismatch),
        (("redirect_uri", "https://app.example/callback?x=1"), mismatch),
        (("redirect_uri", "https://evil.example"), mismatch),
        (("redirect_uri", "urn:ietf:wg:oauth:2.0:oob"), "error=invalid_request&error_description=out-of-band%20not"),
        (("redirect_uri", "http://app.example/plain"), "error=invalid_request&error_description=callback%20must%20use"),
        (("redirect_uri", "javascript:alert(1)"), "error=invalid_request&error_description=callback%20must%20use"),
    ] {
        let page = authorize(&acme, &mut browser, &[more]).await;
        assert_eq!(page.seen.status, 400, "{more:?} {page:?}");
        assert!(page.seen.text.contains(&format!("<pre tabindex=\"0\">{expected}")), "{more:?} {}", page.seen.text);
        assert_eq!(page.seen.header("location"), "");
    }
}

#[tokio::test]
async fn an_uninstalled_connected_app_is_refused_on_the_remote_access_error_page() {
    let acme = Acme::start_with(|scenario| {
        connected(scenario).state = AppState::NotInstalled;
        scenario.refresh_tokens.clear();
    })
    .await;
    let mut browser = Browser::plain(&acme.emulator);
    let login = authorize(&acme, &mut browser, &[("state", "s")]).await;
    let page = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    assert_eq!(page.url.path(), "/setup/secur/RemoteAccessErrorPage.apexp");
    let expected = "error=invalid_client&error_description=app+must+be+installed+into+org&state=s";
    assert_eq!(page.url.query(), Some(expected));
    assert!(page.seen.text.contains("app must be installed into org"));
}

#[tokio::test]
async fn a_missing_challenge_is_a_bare_400_whether_app_or_org_requires_it() {
    for by_app in [true, false] {
        let acme = Acme::start_with(|scenario| match by_app {
            true => connected(scenario).pkce_required = Some(true),
            false => scenario.org.pkce_required = true,
        })
        .await;
        let mut browser = Browser::plain(&acme.emulator);
        let page = authorize(&acme, &mut browser, &[]).await;
        assert_eq!(page.seen.status, 400);
        assert_eq!(page.seen.text, "error=invalid_request&error_description=missing required code challenge");
        assert_eq!(page.seen.header("content-type"), "application/octet-stream");
        assert!(authorize(&acme, &mut browser, &[("code_challenge", "x")]).await.is_login());
    }
}

#[tokio::test]
async fn people_of_several_orgs_sign_in_at_one_generic_host() {
    let mut acme = Scenario::builtin("acme").unwrap();
    acme.sandboxes = vec![SandboxSpec { name: "uat".into(), id: "00DgL000000ACUA".into(), copies_apps: true }];
    let mut other = Scenario::builtin("acme").unwrap();
    other.org.id = "00DgL000000OTHR".into();
    other.org.my_domain = "other".into();
    other.refresh_tokens.clear();
    other.apps.retain(|app| app.consumer_key == CONNECTED_KEY);
    for app in &mut other.apps {
        (app.consumer_key, app.kind) = ("3MVG9.other".into(), AppKind::ExternalClientApp);
        app.pkce_required = Some(false);
    }
    for user in &mut other.users {
        user.username = user.username.replace("acme", "other");
    }
    let emulator = Emulator::start_all(vec![acme, other], Options::default()).await.unwrap();
    let mut browser = Browser::tls(&emulator);
    let login = "https://login.salesforce.com";
    let test = "https://test.salesforce.com";

    for (host, key, user) in [
        (login, CONNECTED_KEY, SAM),
        (login, "3MVG9.other", "sam@other.example"),
        (test, CONNECTED_KEY, "sam@acme.example.uat"),
    ] {
        browser.forget();
        let page = browser.open(&authorize_url(host, key, &[])).await;
        let page = browser.log_in(&page, user, SAMS_PASSWORD).await;
        assert!(page.seen.text.contains(user), "{page:?}");
        assert!(browser.allow(&page).await.given("code").is_some());
    }
    browser.forget();
    let page = browser.open(&authorize_url(login, "3MVG9.other", &[])).await;
    let page = browser.log_in(&page, SAM, SAMS_PASSWORD).await;
    let not_found = error("OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org");
    assert_eq!(page.error(), not_found);
    let page = browser.open(&authorize_url(login, CONNECTED_KEY, &[("prompt", "login")])).await;
    assert!(browser.log_in(&page, "sam@acme.example.uat", SAMS_PASSWORD).await.is_login());
    let page = browser.open(&authorize_url("https://acme.my.salesforce.com", "3MVG9.other", &[])).await;
    assert!(page.seen.text.contains("error=invalid_client_id"), "{page:?}");
}
