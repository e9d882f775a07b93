//! Signing in in a browser: the link, the pages, the callback, the tokens.

use emulator::{Effect, Scenario};
use salesforce::{
    OAuthError, OrgUrl, Recovery,
    error::OAuthCause,
    oauth::{
        AuthorizationRequest, ClientApp, Grant, Probe, TokenSet, exchange, probe_authorize, read_callback,
        read_error_page,
    },
    secret::{AuthorizationCode, CodeVerifier},
};

use crate::{
    acme::{Acme, TOKEN, app, connected, host, my_domain},
    browser::{Browser, Ended, Person, SAM},
};

const CALLBACK: &str = "https://app.example/callback";
const AUTHORIZE: &str = "GET /services/oauth2/authorize";
const STATE: &str = "state of this browser";

/// One attempt to connect, as the server keeps it.
pub(crate) struct Attempt {
    login: OrgUrl,
    app: ClientApp,
    redirect_uri: &'static str,
    scopes: Vec<&'static str>,
    pub(crate) verifier: CodeVerifier,
}

impl Attempt {
    fn new(login: OrgUrl, app: ClientApp, redirect_uri: &'static str) -> Self {
        Self { login, app, redirect_uri, scopes: vec!["api", "refresh_token"], verifier: CodeVerifier::fresh() }
    }

    pub(crate) fn at_acme() -> Self {
        Self::new(my_domain(), connected(), CALLBACK)
    }

    fn request(&self) -> AuthorizationRequest<'_> {
        AuthorizationRequest {
            login: &self.login,
            client_id: &self.app.client_id,
            redirect_uri: self.redirect_uri,
            scopes: &self.scopes,
            state: STATE,
            verifier: &self.verifier,
            login_hint: None,
        }
    }

    pub(crate) async fn probe(&self, acme: &Acme) -> Result<Probe, OAuthError> {
        probe_authorize(&acme.http(), &self.request()).await
    }

    /// Where the link leads `person`.
    async fn walk(&self, acme: &Acme, person: Person<'_>) -> Ended {
        Browser::new(acme).walk(&self.request().url(), person).await
    }

    pub(crate) async fn code(&self, acme: &Acme) -> AuthorizationCode {
        let ended = self.walk(acme, SAM).await;
        read_callback(ended.query_at(self.redirect_uri), STATE).unwrap()
    }

    pub(crate) async fn redeem(&self, acme: &Acme, code: AuthorizationCode) -> Result<TokenSet, OAuthError> {
        let redirect_uri = self.redirect_uri.to_owned();
        let grant = Grant::AuthorizationCode { code, redirect_uri, verifier: self.verifier.clone() };
        exchange(&acme.http(), &self.login, &self.app, &grant).await
    }
}

#[tokio::test]
async fn a_person_signs_in_and_the_app_gets_its_tokens() {
    let acme = Acme::start().await;
    for login in [my_domain(), host("login.salesforce.com")] {
        let attempt = Attempt::new(login, connected(), CALLBACK);
        assert_eq!(attempt.probe(&acme).await.unwrap(), Probe::Ready);
        let code = attempt.code(&acme).await;
        assert!(code.expose().ends_with("=="), "codes need care when they are decoded");
        let tokens = attempt.redeem(&acme, code).await.unwrap();
        assert!(tokens.refresh_token.is_some());
        assert_eq!(tokens.instance_url, my_domain());
        assert_eq!(tokens.scopes, ["api", "refresh_token"]);
        assert_eq!((tokens.org_id.unwrap().len(), tokens.user_id.unwrap().len()), (18, 18));
    }
}

#[tokio::test]
async fn a_public_app_signs_in_without_a_secret() {
    let acme = Acme::start_with(|scenario| {
        let app = scenario.apps.iter_mut().find(|app| app.consumer_key == "3MVG9.acme.connected").unwrap();
        app.secret_required_for_web_server = false;
    })
    .await;
    let public = ClientApp { client_secret: None, ..connected() };
    let attempt = Attempt::new(my_domain(), public, CALLBACK);
    let code = attempt.code(&acme).await;
    attempt.redeem(&acme, code).await.unwrap();
}

#[tokio::test]
async fn a_code_is_good_once_for_its_app_and_with_its_verifier() {
    let acme = Acme::start().await;
    let attempt = Attempt::at_acme();
    let code = attempt.code(&acme).await;
    attempt.redeem(&acme, code.clone()).await.unwrap();
    let used = attempt.redeem(&acme, code).await.unwrap_err();
    assert_eq!(used.cause(), Some(OAuthCause::AuthorizationCodeDead));
    assert_eq!(used.recovery(), Recovery::Reauthorize);

    let code = attempt.code(&acme).await;
    let stolen = Attempt { verifier: CodeVerifier::fresh(), ..Attempt::at_acme() };
    let error = stolen.redeem(&acme, code).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::CodeVerifierWrong));

    let code = attempt.code(&acme).await;
    let other = Attempt { app: app("3MVG9.acme.integration", "acme-integration-secret"), ..Attempt::at_acme() };
    let error = other.redeem(&acme, code).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::AuthorizationCodeInvalid));
}

#[tokio::test]
async fn a_code_is_sent_once_when_its_answer_is_lost() {
    let acme = Acme::start().await;
    let attempt = Attempt::at_acme();
    let code = attempt.code(&acme).await;
    acme.fault(TOKEN, Effect::LostAnswer);
    attempt.redeem(&acme, code).await.unwrap_err();
    assert_eq!(acme.count(TOKEN), 1);
}

/// The org of guide G3 with one step done wrongly.
async fn g3(variant: &str) -> (Acme, Attempt) {
    let name = if variant.is_empty() { "g3-mailfino".to_owned() } else { format!("g3-mailfino/{variant}") };
    let acme = Acme::of(Scenario::builtin(&name).unwrap()).await;
    let login = host(&acme.own_host());
    let app = app("3MVG9.nordlicht.mailfino", "nordlicht-mailfino-secret");
    (acme, Attempt::new(login, app, "https://app.mailfino.example/oauth/salesforce/callback"))
}

const MIA: Person<'_> =
    Person { username: "mia@nordlicht.example", password: "nordlicht-mia-password", decision: "allow" };

#[tokio::test]
async fn what_is_set_up_wrongly_is_found_before_a_person_is_sent_away() {
    for (variant, cause) in [
        ("app-of-another-org", OAuthCause::AppOfOtherOrg),
        ("app-disabled", OAuthCause::AppDisabled),
        ("app-blocked", OAuthCause::AppBlocked),
        ("not-waited", OAuthCause::UnknownClient),
        ("callback-with-slash", OAuthCause::RedirectUriMismatch),
        ("callback-in-capitals", OAuthCause::RedirectUriMismatch),
        ("callback-without-tls", OAuthCause::RedirectUriMismatch),
        ("scope-full", OAuthCause::InvalidScope),
        ("scope-refresh-missing", OAuthCause::InvalidScope),
    ] {
        let (acme, attempt) = g3(variant).await;
        let Err(error) = attempt.probe(&acme).await else { panic!("{variant} is not found") };
        assert_eq!(error.cause(), Some(cause), "{variant}: {error}");
        assert_eq!(acme.requests(), [AUTHORIZE], "{variant}: asked once, and no redirect followed");
    }
}

#[tokio::test]
async fn what_depends_on_who_signs_in_comes_back_to_the_callback() {
    let bot = Person::allowing("bot@nordlicht.example", "nordlicht-bot-password");
    for (variant, person, cause) in [
        ("integration-user", bot, OAuthCause::ApprovalFailed),
        ("permitted-users-unassigned", MIA, OAuthCause::NotAdminApproved),
        ("user-denies", MIA.denying(), OAuthCause::Denied),
        ("session-level", MIA, OAuthCause::SessionLevelTooLow),
    ] {
        let (acme, attempt) = g3(variant).await;
        assert_eq!(attempt.probe(&acme).await.unwrap(), Probe::Ready, "{variant}");
        let ended = attempt.walk(&acme, person).await;
        let error = read_callback(ended.query_at(attempt.redirect_uri), STATE).unwrap_err();
        assert_eq!(error.refusal().map(|refusal| refusal.cause), Some(cause), "{variant}: {error}");
    }
}

#[tokio::test]
async fn what_never_comes_back_is_read_from_the_page_that_a_person_copies() {
    let (acme, attempt) = g3("connected-app-uninstalled").await;
    let ended = attempt.walk(&acme, MIA).await;
    for copied in [ended.url.as_str(), &ended.text, "app must be installed into org"] {
        let refusal = read_error_page(copied).unwrap_or_else(|| panic!("nothing in {copied}"));
        assert_eq!(refusal.cause, OAuthCause::AppNotInstalled, "{copied}");
    }
    assert_eq!(read_error_page(ended.url.as_str()).unwrap().host, attempt.login.host());
    for (variant, cause) in
        [("not-waited", OAuthCause::UnknownClient), ("callback-with-slash", OAuthCause::RedirectUriMismatch)]
    {
        let (acme, attempt) = g3(variant).await;
        let ended = attempt.walk(&acme, MIA).await;
        assert_eq!(read_error_page(&ended.text).map(|refusal| refusal.cause), Some(cause), "{variant}");
    }
}

#[tokio::test]
async fn the_shapes_that_our_own_link_never_provokes_are_read_as_well() {
    let acme = Acme::start().await;
    let page = |text: &str| Effect::Answer {
        status: 200,
        content_type: "text/html".to_owned(),
        body: format!("<html><body>{text}</body></html>"),
    };
    let bare = "error=invalid_request&error_description=missing required code challenge".to_owned();
    for (effect, cause) in [
        (
            Effect::Answer { status: 400, content_type: "application/octet-stream".to_owned(), body: bare },
            OAuthCause::ChallengeMissing,
        ),
        (page("<pre>error=invalid_client_id&amp;error_description=x</pre>"), OAuthCause::UnknownClient),
        (
            page(
                "<script>location.replace('/setup/secur/RemoteAccessErrorPage.apexp?error=invalid_client&\
                 error_description=app+must+be+installed+into+org')</script>",
            ),
            OAuthCause::AppNotInstalled,
        ),
    ] {
        acme.fault(AUTHORIZE, effect);
        let error = Attempt::at_acme().probe(&acme).await.unwrap_err();
        assert_eq!(error.cause(), Some(cause), "{error}");
    }
}

#[tokio::test]
async fn a_probe_that_tells_nothing_keeps_nobody_from_signing_in() {
    let acme = Acme::start().await;
    let answer =
        |status, body: &str| Effect::Answer { status, content_type: "text/html".to_owned(), body: body.to_owned() };
    let long = format!("<html>{}</html>", "x".repeat(1 << 20));
    for (effect, expected) in [
        (answer(200, "<form action=\"/?error=1\">Log in"), Probe::Ready),
        (answer(200, &long), Probe::Ready),
        (answer(404, "<html>?"), Probe::Unclear { status: 404 }),
    ] {
        acme.fault(AUTHORIZE, effect);
        assert_eq!(Attempt::at_acme().probe(&acme).await.unwrap(), expected);
    }
    acme.fault(AUTHORIZE, Effect::Maintenance { status: 503 });
    let error = Attempt::at_acme().probe(&acme).await.unwrap_err();
    assert!(matches!(error.recovery(), Recovery::Retry { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_secret_is_told_when_the_code_is_redeemed() {
    let (acme, mut attempt) = g3("client-secret-wrong").await;
    attempt.app = app("3MVG9.nordlicht.mailfino", "that of another app");
    let ended = attempt.walk(&acme, MIA).await;
    let code = read_callback(ended.query_at(attempt.redirect_uri), STATE).unwrap();
    let error = attempt.redeem(&acme, code).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::WrongSecret));
}
