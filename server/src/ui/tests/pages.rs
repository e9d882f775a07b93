//! What every page carries, and what it does not.

use salesforce::oauth::Flow;

use super::*;
use crate::{
    app::connect::{AppChoice, ConnectRequest, Offered},
    diagnose::Quiet,
    store::{connections::Confirmed, journal::Actor},
};

const KEY: &str = "3MVG9.acme.integration";
const SECRET: &str = "acme-integration-secret";

/// An installation with a connected org.
pub(super) async fn connected() -> (Emulator, Installation) {
    let (emulator, installation) = beside("acme").await;
    let request = ConnectRequest {
        name: None,
        org: "acme.my.salesforce.com".into(),
        customer: None,
        app: AppChoice::Own { client_id: KEY.into(), client_secret: Some(SECRET.to_owned().into()) },
        api_version: None,
        confirmed: Confirmed::default(),
        owner: None,
        actor: Actor::CommandLine,
        first_import: Default::default(),
    };
    installation.app.connect(request, Offered::ClientCredentials, &Quiet).await.unwrap();
    (emulator, installation)
}

/// Every page that somebody can look at without changing anything, with what it answers.
async fn all_pages(visitor: &Visitor<'_>) -> Vec<(String, Answered)> {
    let mut pages = Vec::new();
    for route in routes::all().into_iter().filter(|route| route.method == "GET" && route.path != "/assets/{file}") {
        pages.push((route.path.to_owned(), visitor.get(&filled(&route)).await));
    }
    for flow in Flow::ALL {
        let path = format!("/connect/{flow}?org=acme.my.salesforce.com&client_id=key");
        pages.push((path.clone(), visitor.get(&path).await));
    }
    for path in ["/connect?org=acme", "/connect?org=login.salesforce.com", "/connect?org=nonsense", "/no/such/page"] {
        pages.push((path.to_owned(), visitor.get(path).await));
    }
    pages
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let (_emulator, installation) = connected().await;
    let mut pages = all_pages(&installation.user(Role::Owner).await).await;
    pages.extend(all_pages(&installation.visitor()).await);
    for (path, answered) in pages {
        let policy = answered.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answered.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(answered.header(header::REFERRER_POLICY), "same-origin", "{path}");
        assert_eq!(answered.header(header::CACHE_CONTROL), "no-store", "{path}");
        assert_eq!(answered.header("x-request-id").len(), 16, "{path}");
        assert!(answered.header(header::STRICT_TRANSPORT_SECURITY).is_empty(), "{path}");
        is_well_formed(&path, &answered.body);
    }
}

/// Nothing inline, every label is of a field, every id stands once, and every form of a session has its token.
fn is_well_formed(path: &str, body: &str) {
    for inline in ["<style", " style=", "javascript:", " onclick=", " onload=", " onsubmit=", "hx-on"] {
        assert!(!body.contains(inline), "{path}: {inline}");
    }
    assert_eq!(body.matches("<script").count(), body.matches("<script src=\"/assets/").count(), "{path}");
    let attributes = |name: &str| -> Vec<String> {
        let quoted = format!(" {name}=\"");
        body.split(&quoted).skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
    };
    let mut ids = attributes("id");
    let named: Vec<String> = ids.clone();
    ids.sort();
    ids.windows(2).for_each(|pair| assert_ne!(pair[0], pair[1], "{path}: an id stands twice"));
    for reference in ["for", "aria-labelledby", "data-copy"].into_iter().flat_map(&attributes) {
        assert!(named.contains(&reference), "{path}: nothing is called {reference}");
    }
    for described in attributes("aria-describedby").iter().flat_map(|ids| ids.split(' ')) {
        assert!(named.iter().any(|id| id == described), "{path}: nothing is called {described}");
    }
    for form in body.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap_or_default()) {
        let is_public = form.contains("action=\"/sign-in\"") || form.contains("action=\"/link\"");
        let is_read = form.contains("method=\"get\"");
        assert!(is_public || is_read || form.contains("name=\"form_token\""), "{path}: a form without its token");
    }
}

#[tokio::test]
async fn members_find_no_secret_and_no_setting_in_any_page() {
    let (_emulator, installation) = connected().await;
    let (owner, member) = (installation.user(Role::Owner).await, installation.user(Role::Member).await);
    let (connection, _) = installation.app.one_status("acme").await.unwrap();
    let settings =
        [KEY, &connection.username, &connection.org_id, connection.api_version.to_string().as_str()].map(str::to_owned);
    let owners = owner.get("/connections/acme").await.body;
    for setting in &settings[1..] {
        assert!(owners.contains(setting), "an owner sees {setting}");
    }
    let members = member.get("/connections/acme").await.body;
    assert!(members.contains("acme.my.salesforce.com") && members.contains("Connected"));
    for (path, answered) in all_pages(&member).await {
        for setting in settings.iter().chain([&"/connect/".to_owned(), &"sqlite:".to_owned()]) {
            let is_hint = path == "/connect/error-page" && setting == "/connect/";
            assert!(is_hint || !answered.body.contains(setting), "{path} shows {setting}");
        }
    }
    for visitor in [&owner, &member, &installation.visitor()] {
        for (path, answered) in all_pages(visitor).await {
            for secret in [SECRET, PASSWORD, "$argon2id$"] {
                assert!(!answered.body.contains(secret), "{path} shows a secret");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_form_comes_back_with_everything_but_its_secrets() {
    let (_emulator, installation) = beside("acme").await;
    let admin = installation.user(Role::Admin).await;
    let fields = [
        ("org", "acme.my.salesforce.com"),
        ("client_id", KEY),
        ("client_secret", "SENTINEL-wrong"),
        ("customer", "Acme & Söhne"),
        ("api_version", "60.0"),
    ];
    let begun = admin.post("/connect/client-credentials", &fields).await;
    let place = begun.place().to_owned();
    assert!(place.starts_with("/attempts/"), "{begun:?}");
    let refused = admin.last(&place).await.body;
    for shown in ["What to do:", KEY, "Acme &#38; Söhne", "60.0", "<strong>acme.my.salesforce.com</strong>"] {
        assert!(refused.contains(shown), "{shown}: {refused}");
    }
    assert!(!refused.contains("SENTINEL"));
    assert!(installation.app.status().await.unwrap().is_empty(), "nothing is saved");
    let other = installation.user(Role::Owner).await;
    assert_eq!(other.get(&place).await.status, StatusCode::NOT_FOUND, "an attempt is shown to whoever began it");
}

#[tokio::test]
async fn a_form_that_lacks_something_says_so_and_asks_nobody() {
    let installation = Installation::fresh().await;
    let admin = installation.user(Role::Admin).await;
    let answered = admin.post("/connect/password", &[("org", "acme.my.salesforce.com"), ("client_id", KEY)]).await;
    assert_eq!(answered.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answered.body.contains("Something that is needed was left empty"));
    assert!(answered.body.contains(KEY));
}

#[tokio::test]
async fn a_callback_that_nobody_waits_for_says_what_to_do_and_saves_nothing() {
    let installation = Installation::fresh().await;
    let member = installation.user(Role::Member).await;
    let arrived = member.get("/oauth/callback?code=SENTINEL&state=stolen").await;
    let place = arrived.place().to_owned();
    assert!(place.starts_with("/attempts/") && !place.contains("SENTINEL"), "{place}");
    let page = member.last(&place).await.body;
    assert!(page.contains("Not connected") && page.contains("another sign-in"), "{page}");
    assert!(!page.contains("SENTINEL") && !page.contains("stolen"));
    let nobody = installation.visitor().get("/oauth/callback?code=SENTINEL&state=stolen").await;
    assert!(nobody.place().starts_with("/sign-in?to="), "{nobody:?}");
}

#[tokio::test]
async fn a_page_of_salesforces_is_explained() {
    let installation = Installation::fresh().await;
    let member = installation.user(Role::Member).await;
    let pasted = "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration";
    let page = member.post("/connect/error-page", &[("page", pasted)]).await.body;
    assert!(page.contains("What to do:") && page.contains("allback URL"), "{page}");
    let page = member.post("/connect/error-page", &[("page", "<b>hello</b>")]).await.body;
    assert!(page.contains("No error of Salesforce") && page.contains("&#60;b&#62;hello"), "{page}");
}

#[tokio::test]
async fn a_connection_is_ended_by_an_admin_or_by_its_own_user_and_asks_about_the_data() {
    let (_emulator, installation) = connected().await;
    let (admin, member) = (installation.user(Role::Admin).await, installation.user(Role::Member).await);
    for answered in [
        member.get("/connections/acme/disconnect").await,
        member.post("/connections/acme/disconnect", &[("data", "delete")]).await,
    ] {
        assert_eq!(answered.status, StatusCode::FORBIDDEN);
    }
    assert!(admin.get("/connections/acme").await.body.contains("Forecast"));
    let ended = admin.post("/connections/acme/disconnect", &[("data", "keep")]).await;
    assert!(ended.body.contains("acme is disconnected"), "{ended:?}");
    let page = admin.get("/connections/acme").await.body;
    assert!(page.contains("Disconnected") && !page.contains("/connections/acme/disconnect"), "{page}");
}
