//! What admins decide about apps, users and sessions, and when it takes effect.

use std::time::Duration;

use emulator::Scenario;
use emulator::scenario::{
    AppKind, AppSpec, AppState, IpRange, IpRelaxation, LoginHours, Permissions, PermittedUsers, RefreshTokenPolicy,
    SessionLevelPolicy, Setup,
};

use crate::client::{Acme, CONNECTED_KEY, CONNECTED_SECRET, KEY, SECRET, Seen, access_token};

const REFRESH: &str = "5Aep.acme.connected.admin";
const ADMIN: &str = "admin@acme.example";
const ADMIN_PASSWORD: &str = "correct-horseTokenOfAdmin0000000000000";
const ROOT: &str = "/services/data/v60.0";
const HOUR: u64 = 3600;

fn error(error: &str, description: &str) -> (String, String) {
    (error.to_owned(), description.to_owned())
}

fn expired() -> (String, String) {
    error("invalid_grant", "expired access/refresh token")
}

fn elsewhere() -> Vec<IpRange> {
    vec!["198.51.100.0-198.51.100.255".parse().unwrap()]
}

fn connected(scenario: &mut Scenario) -> &mut AppSpec {
    scenario.apps.iter_mut().find(|app| app.consumer_key == CONNECTED_KEY).unwrap()
}

fn admins(scenario: &mut Scenario) -> &mut Permissions {
    scenario.profiles.get_mut("System Administrator").unwrap()
}

impl Acme {
    fn change(&self, change: impl FnOnce(&mut Setup)) {
        self.emulator.control().change_setup(change).unwrap();
    }

    fn change_app(&self, key: &str, change: impl FnOnce(&mut AppSpec)) {
        self.change(|setup| change(setup.app_mut(key).unwrap()));
    }

    fn pass(&self, seconds: u64) {
        self.emulator.control().advance(Duration::from_secs(seconds));
    }

    /// A refresh of the administrator's token.
    async fn renew(&self) -> Seen {
        self.refresh(CONNECTED_KEY, CONNECTED_SECRET, REFRESH).await
    }

    async fn root(&self, token: &str) -> Seen {
        self.get(ROOT, token).await
    }
}

#[tokio::test]
async fn a_changed_refresh_token_policy_holds_for_tokens_that_exist() {
    let acme = Acme::start().await;
    let set = |policy| acme.change_app(CONNECTED_KEY, |app| app.refresh_token_policy = policy);
    acme.pass(100 * 24 * HOUR);
    assert_eq!(acme.renew().await.status, 200, "valid until revoked");

    set(RefreshTokenPolicy::InactivityHours(24));
    acme.pass(24 * HOUR);
    assert_eq!(acme.renew().await.status, 200, "used within the day");
    set(RefreshTokenPolicy::LifetimeHours(102 * 24));
    assert_eq!(acme.renew().await.status, 200, "younger than 102 days");
    acme.pass(24 * HOUR + 1);
    assert_eq!(acme.renew().await.oauth_error(), expired(), "older than 102 days");
    set(RefreshTokenPolicy::Infinite);
    assert_eq!(acme.renew().await.oauth_error(), expired(), "what has expired does not come back");
}

#[tokio::test]
async fn each_refresh_token_policy_ends_a_token_in_its_way() {
    for (policy, idle_hours, lives) in [
        (RefreshTokenPolicy::Infinite, 100_000, true),
        (RefreshTokenPolicy::Zero, 0, false),
        (RefreshTokenPolicy::LifetimeHours(12), 12, true),
        (RefreshTokenPolicy::LifetimeHours(12), 13, false),
        (RefreshTokenPolicy::InactivityHours(12), 12, true),
        (RefreshTokenPolicy::InactivityHours(12), 13, false),
    ] {
        let acme = Acme::start().await;
        acme.change_app(CONNECTED_KEY, |app| app.refresh_token_policy = policy);
        acme.pass(idle_hours * HOUR);
        assert_eq!(acme.renew().await.status == 200, lives, "{policy:?} after {idle_hours} hours");
    }
}

#[tokio::test]
async fn ip_relaxation_decides_whether_the_ranges_of_a_profile_hold_for_an_app() {
    for (relaxation, second_factor, password_works, refresh_works) in [
        (IpRelaxation::Enforce, false, false, false),
        (IpRelaxation::Bypass, false, true, true),
        (IpRelaxation::EnforceRelaxRefresh, false, false, true),
        (IpRelaxation::BypassSecondFactor, false, false, false),
        (IpRelaxation::BypassSecondFactor, true, true, true),
    ] {
        let acme = Acme::start_with(|scenario| {
            admins(scenario).login_ip_ranges = elsewhere();
            connected(scenario).ip_relaxation = relaxation;
            scenario.users[0].second_factor = second_factor;
        })
        .await;
        let by_password = acme.password_grant(ADMIN, ADMIN_PASSWORD).await;
        let answers = [
            (password_works, "authentication failure", by_password),
            (refresh_works, "ip restricted", acme.renew().await),
        ];
        for (works, refusal, answer) in answers {
            let expected = if works { 200 } else { 400 };
            assert_eq!(answer.status, expected, "{relaxation:?} {second_factor}: {}", answer.text);
            assert!(works || answer.oauth_error() == error("invalid_grant", refusal), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn within_the_ranges_of_the_profile_nothing_is_restricted_and_no_security_token_needed() {
    let acme = Acme::start_with(|scenario| admins(scenario).login_ip_ranges = elsewhere()).await;
    acme.emulator.control().set_caller_address("198.51.100.7".parse().unwrap());
    assert_eq!(acme.password_grant(ADMIN, "correct-horse").await.status, 200);
    assert_eq!(acme.renew().await.status, 200);
}

#[tokio::test]
async fn login_hours_close_and_open_every_flow() {
    let acme = Acme::start_with(|scenario| {
        admins(scenario).login_hours = Some(LoginHours { from: 8 * 60, to: 10 * 60 });
    })
    .await;
    let token = access_token(&acme.renew().await);
    acme.pass(HOUR);
    assert_eq!(acme.renew().await.oauth_error(), error("invalid_grant", "invalid login hours"));
    let by_password = acme.password_grant(ADMIN, ADMIN_PASSWORD).await;
    assert_eq!(by_password.oauth_error(), error("invalid_grant", "authentication failure"));
    assert_eq!(acme.root(&token).await.status, 200, "a session goes on");
    let history = acme.emulator.control().login_history();
    assert_eq!(history.last().unwrap().status, "Restricted Time");
    acme.pass(22 * HOUR);
    assert_eq!(acme.renew().await.status, 200);
}

#[tokio::test]
async fn the_session_timeout_is_the_apps_then_the_profiles_then_the_orgs() {
    let timeouts: [(Option<u32>, Option<u32>, u64); 4] =
        [(Some(15), Some(30), 15), (None, Some(30), 30), (None, None, 240), (Some(480), Some(30), 480)];
    for (of_app, of_profile, minutes) in timeouts {
        let acme = Acme::start_with(|scenario| {
            scenario.org.session_timeout_minutes = 240;
            admins(scenario).session_timeout_minutes = of_profile;
            connected(scenario).session_timeout_minutes = of_app;
        })
        .await;
        let token = access_token(&acme.renew().await);
        for _ in 0..3 {
            acme.pass(minutes * 60 - 1);
            assert_eq!(acme.root(&token).await.status, 200, "use extends {minutes} minutes");
        }
        acme.pass(minutes * 60);
        assert_eq!(acme.root(&token).await.status, 401, "{minutes} minutes without use");
    }
}

#[tokio::test]
async fn switching_to_admin_approval_cuts_off_whoever_is_not_assigned_tokens_included() {
    let acme = Acme::start().await;
    let token = access_token(&acme.renew().await);
    assert_eq!(acme.root(&token).await.status, 200);
    acme.change_app(CONNECTED_KEY, |app| app.permitted_users = PermittedUsers::AdminApproved);
    let dead = acme.root(&token).await;
    assert_eq!((dead.status, dead.code().as_str()), (401, "INVALID_SESSION_ID"));
    let refused = error("invalid_app_access", "user is not admin approved to access this app");
    assert_eq!(acme.renew().await.oauth_error(), refused);
    acme.change_app(CONNECTED_KEY, |app| app.profiles = vec!["System Administrator".to_owned()]);
    assert_eq!(acme.renew().await.status, 200, "the profile is assigned now");
}

#[tokio::test]
async fn deactivating_a_user_or_blocking_an_app_ends_sessions_at_once() {
    let acme = Acme::start().await;
    let token = access_token(&acme.renew().await);
    acme.change_app(CONNECTED_KEY, |app| app.state = AppState::Blocked);
    assert_eq!(acme.root(&token).await.status, 401);
    assert_eq!(acme.renew().await.oauth_error().0, "app_blocked");
    acme.change_app(CONNECTED_KEY, |app| app.state = AppState::Enabled);
    let token = access_token(&acme.renew().await);
    acme.change(|setup| setup.user_mut(ADMIN).unwrap().frozen = true);
    assert_eq!(acme.root(&token).await.status, 401);
    assert_eq!(acme.renew().await.oauth_error(), error("invalid_grant", "inactive user"));
}

#[tokio::test]
async fn a_change_takes_its_time_and_misleads_meanwhile() {
    type Change = fn(&mut AppSpec);
    let changes: [(Change, (String, String)); 3] = [
        (|app| app.client_credentials = None, error("invalid_grant", "client credentials flow not enabled")),
        (
            |app| app.client_credentials.as_mut().unwrap().run_as = None,
            error("invalid_grant", "no client credentials user enabled"),
        ),
        (
            |app| app.permission_sets.clear(),
            error("invalid_app_access", "user is not admin approved to access this app"),
        ),
    ];
    for (spoil, misleading) in changes {
        let acme = Acme::start_with(|scenario| {
            scenario.org.propagation_minutes = 8;
            spoil(scenario.apps.iter_mut().find(|app| app.consumer_key == KEY).unwrap());
        })
        .await;
        let builtin = Scenario::builtin("acme").unwrap().setup();
        acme.pass(8 * 60);
        acme.change(|setup| *setup.app_mut(KEY).unwrap() = builtin.app(KEY).unwrap().clone());
        let shown = acme.emulator.control().setup();
        assert!(shown.app(KEY).unwrap().client_credentials.is_some(), "Setup shows what was saved");
        for _ in 0..2 {
            assert_eq!(acme.client_credentials(KEY, SECRET).await.oauth_error(), misleading);
            acme.pass(4 * 60 - 1);
        }
        acme.pass(2);
        assert_eq!(acme.client_credentials(KEY, SECRET).await.status, 200);
    }
}

#[tokio::test]
async fn a_new_app_and_a_new_secret_are_unknown_until_they_have_spread() {
    let acme = Acme::start_with(|scenario| {
        scenario.org.propagation_minutes = 10;
        connected(scenario).fresh = true;
    })
    .await;
    assert_eq!(acme.renew().await.oauth_error(), error("invalid_client_id", "client identifier invalid"));
    acme.pass(600);
    assert_eq!(acme.renew().await.status, 200);
    acme.change_app(CONNECTED_KEY, |app| app.consumer_secret = emulator::Secret::new("new"));
    let with_new = async || acme.refresh(CONNECTED_KEY, "new", REFRESH).await;
    assert_eq!(with_new().await.oauth_error(), error("invalid_client", "invalid client credentials"));
    assert_eq!(acme.renew().await.status, 200, "the old one works still");
    acme.pass(600);
    assert_eq!(with_new().await.status, 200);
}

#[tokio::test]
async fn in_the_second_half_servers_disagree_so_that_success_and_failure_alternate() {
    let acme = Acme::start_with(|scenario| {
        scenario.org.propagation_minutes = 8;
        scenario.org.propagation_alternates = true;
    })
    .await;
    acme.pass(8 * 60);
    acme.change_app(KEY, |app| app.client_credentials = None);
    let statuses = async || {
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(acme.client_credentials(KEY, SECRET).await.status);
        }
        statuses
    };
    acme.pass(3 * 60);
    assert_eq!(statuses().await, [200; 6]);
    acme.pass(60);
    let mixed = statuses().await;
    assert!(mixed.windows(2).all(|pair| pair[0] != pair[1]), "{mixed:?}");
    acme.pass(4 * 60);
    assert_eq!(statuses().await, [400; 6]);
}

#[tokio::test]
async fn api_access_control_lets_approved_apps_and_external_client_apps_through() {
    let acme = Acme::start().await;
    acme.change(|setup| setup.org.api_access_control = true);
    let refused = acme.renew().await;
    assert_eq!(refused.oauth_error(), error("app_blocked", "this app is blocked by admin"));
    assert_eq!(acme.client_credentials(KEY, SECRET).await.status, 200, "an External Client App");
    acme.change(|setup| setup.profiles.get_mut("System Administrator").unwrap().use_any_api_client = true);
    assert_eq!(acme.renew().await.status, 200, "the user may use any API client");
    acme.change(|setup| {
        setup.profiles.get_mut("System Administrator").unwrap().use_any_api_client = false;
        let app = setup.app_mut(CONNECTED_KEY).unwrap();
        app.permitted_users = PermittedUsers::AdminApproved;
        app.profiles = vec!["System Administrator".to_owned()];
    });
    assert_eq!(acme.renew().await.status, 200, "installed and approved");
}

#[tokio::test]
async fn an_uninstalled_connected_app_works_for_those_who_approved_it_before() {
    let acme = Acme::start_with(|scenario| connected(scenario).state = AppState::NotInstalled).await;
    assert_eq!(acme.renew().await.status, 200, "the administrator approved it once");
    let sam = async || acme.password_grant("sam@acme.example", "sams-passwordTokenOfSam").await;
    assert_eq!(sam().await.oauth_error(), error("invalid_client", "app must be installed into org"));
    acme.change(|setup| setup.profiles.get_mut("Standard User").unwrap().approve_uninstalled_apps = true);
    assert_eq!(sam().await.status, 200);
    acme.change(|setup| {
        setup.profiles.get_mut("Standard User").unwrap().approve_uninstalled_apps = false;
        setup.org.uninstalled_apps_refused = false;
    });
    assert_eq!(sam().await.status, 200, "before September 2025");
}

#[tokio::test]
async fn a_user_logs_in_3600_times_an_hour_and_refreshes_do_not_count() {
    let acme = Acme::start().await;
    assert_eq!(Scenario::builtin("acme").unwrap().limits.hourly_logins_per_user, 3600);
    for _ in 0..3600 {
        assert_eq!(acme.client_credentials(KEY, SECRET).await.status, 200);
    }
    let limited = error("rate_limit_exceeded", "number of logins exceeded");
    assert_eq!(acme.client_credentials(KEY, SECRET).await.oauth_error(), limited);
    assert_eq!(acme.renew().await.status, 200, "another user");
    let history = acme.emulator.control().login_history();
    assert_eq!(history[history.len() - 2].status, "Login Rate Exceeded");
    acme.pass(HOUR);
    assert_eq!(acme.client_credentials(KEY, SECRET).await.status, 200);
}

#[tokio::test]
async fn a_session_level_policy_makes_the_api_answer_insufficient_access() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    acme.change(|setup| setup.org.session_level_policy = SessionLevelPolicy::Block);
    let refused = acme.root(&token).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "INSUFFICIENT_ACCESS"));
    let info = acme.get("/services/oauth2/userinfo", &token).await;
    assert_eq!(info.status, 200, "signing in is not the data API");
}

#[tokio::test]
async fn login_ranges_may_hold_for_every_request_and_not_only_for_the_login() {
    let acme = Acme::start_with(|scenario| {
        admins(scenario).login_ip_ranges = vec!["203.0.113.0-203.0.113.255".parse().unwrap()];
    })
    .await;
    let token = access_token(&acme.renew().await);
    acme.emulator.control().set_caller_address("192.0.2.1".parse().unwrap());
    assert_eq!(acme.root(&token).await.status, 200);
    acme.change(|setup| setup.org.ip_ranges_on_every_request = true);
    let refused = acme.root(&token).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "INVALID_SESSION_ID"));
    acme.emulator.control().set_caller_address("203.0.113.99".parse().unwrap());
    assert_eq!(acme.root(&token).await.status, 200);
}

#[tokio::test]
async fn introspection_shows_an_app_its_own_tokens_or_all_where_it_may() {
    let acme = Acme::start().await;
    let access = access_token(&acme.renew().await);
    let ask = async |token: &str, key: &str, secret: &str| {
        let form = [("token", token), ("client_id", key), ("client_secret", secret)];
        let request = acme.http.post(acme.url("/services/oauth2/introspect")).form(&form);
        Seen::of(request.send().await.unwrap()).await
    };
    let inactive = r#"{"active":false}"#;
    for token in [access.as_str(), REFRESH] {
        let own = ask(token, CONNECTED_KEY, CONNECTED_SECRET).await.json();
        assert_eq!((&own["active"], &own["username"]), (&true.into(), &ADMIN.into()), "{own}");
        assert_eq!(own["client_id"], CONNECTED_KEY);
        assert_eq!(ask(token, KEY, SECRET).await.text, inactive);
    }
    acme.change_app(KEY, |app| app.introspects_all_tokens = true);
    let of_other = ask(&access, KEY, SECRET).await.json();
    assert_eq!((&of_other["token_type"], &of_other["scope"]), (&"access_token".into(), &"api id refresh_token".into()));
    assert_eq!(of_other["exp"].as_i64().unwrap() - of_other["iat"].as_i64().unwrap(), 7200);
    assert_eq!(ask(REFRESH, KEY, SECRET).await.json()["token_type"], "refresh_token");
    assert_eq!(ask("unknown", KEY, SECRET).await.text, inactive);
    for (key, secret) in [(KEY, "wrong"), ("unknown", SECRET), (KEY, "")] {
        let refused = ask(&access, key, secret).await;
        assert_eq!((refused.status, refused.oauth_error().0.as_str()), (401, "invalid_client"), "{key} {secret}");
    }
    acme.pass(2 * HOUR);
    assert_eq!(ask(&access, CONNECTED_KEY, CONNECTED_SECRET).await.text, inactive, "asking is no use");
}

#[tokio::test]
async fn tokens_are_revoked_by_form_query_string_or_script_without_a_client_secret() {
    let acme = Acme::start().await;
    let send = async |request: reqwest::RequestBuilder| Seen::of(request.send().await.unwrap()).await;
    let revoke = acme.url("/services/oauth2/revoke");
    let fresh = async || access_token(&acme.renew().await);

    let form = [("token", fresh().await), ("revoke_reason", "logout".to_owned())];
    let answer = send(acme.http.post(&revoke).form(&form)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(acme.root(&form[0].1).await.status, 401);
    let query = [("token", fresh().await)];
    assert_eq!(send(acme.http.get(&revoke).query(&query)).await.status, 200);
    let script = send(acme.http.get(&revoke).query(&[("token", "x"), ("callback", "done")])).await;
    assert_eq!((script.status, script.text.as_str()), (400, r#"done({"error":"invalid_token"});"#));
    let json = acme.http.post(&revoke).header("accept", "application/json").form(&[("token", "x")]);
    assert_eq!(send(json).await.oauth_error(), error("unsupported_token_type", "invalid token: x"));
    assert_eq!(acme.renew().await.status, 200, "the refresh token outlives its access tokens");
}

#[tokio::test]
async fn an_app_that_moved_to_an_external_client_app_has_no_password_flow_any_more() {
    let acme = Acme::start().await;
    assert_eq!(acme.password_grant(ADMIN, ADMIN_PASSWORD).await.status, 200);
    acme.change_app(CONNECTED_KEY, |app| app.kind = AppKind::ExternalClientApp);
    let refused = acme.password_grant(ADMIN, ADMIN_PASSWORD).await;
    assert_eq!(refused.oauth_error(), error("invalid_grant", "authentication failure"));
}
