//! Signing in by SOAP `login()`.

use emulator::{
    Effect, Scenario, Secret,
    scenario::{LoginHours, OrgState},
};
use salesforce::{
    OAuthError, Recovery,
    error::OAuthCause,
    oauth::{Session, SoapLogin, SoapVersion, TokenSet, soap_login},
    secret::{Password, SecurityToken},
};

use crate::acme::{Acme, host, my_domain};

const ROUTE: &str = "POST /services/Soap/u/{version}";

async fn acme(change: impl FnOnce(&mut Scenario)) -> Acme {
    Acme::start_with(|scenario| {
        scenario.org.soap_login = true;
        change(scenario);
    })
    .await
}

async fn sign_in(acme: &Acme, password: &str, security_token: Option<&str>) -> Result<TokenSet, OAuthError> {
    let password = Password::from(password.to_owned());
    let security_token = security_token.map(|token| SecurityToken::from(token.to_owned()));
    let who = SoapLogin {
        username: "admin@acme.example",
        password: &password,
        security_token: security_token.as_ref(),
        version: SoapVersion::default(),
    };
    soap_login(&acme.http(), &my_domain(), &who).await
}

const TOKEN: Option<&str> = Some("TokenOfAdmin0000000000000");

#[tokio::test]
async fn a_password_signs_in_and_its_session_reads_data() {
    let acme = acme(|_| {}).await;
    let tokens = sign_in(&acme, "correct-horse", TOKEN).await.unwrap();
    assert_eq!(tokens.instance_url, my_domain());
    assert_eq!((tokens.org_id.as_ref().unwrap().len(), tokens.user_id.as_ref().unwrap().len()), (18, 18));
    let session: Session = tokens.session();
    let client = acme.client_of_session(session);
    assert_eq!(client.userinfo().await.unwrap().preferred_username, "admin@acme.example");
    client.describe("Account").await.unwrap();
}

#[tokio::test]
async fn letters_that_xml_reserves_are_part_of_a_password() {
    let odd = "<&>\"']]>&amp;é€😀";
    let acme = acme(|scenario| {
        let user = scenario.users.iter_mut().find(|user| user.username == "admin@acme.example").unwrap();
        user.password = Some(Secret::new(odd));
    })
    .await;
    sign_in(&acme, odd, TOKEN).await.unwrap();
}

#[tokio::test]
async fn each_fault_names_its_cause() {
    let admin = |scenario: &mut Scenario| -> usize {
        scenario.users.iter().position(|user| user.username == "admin@acme.example").unwrap()
    };
    type Change = Box<dyn FnOnce(&mut Scenario)>;
    let cases: [(&str, Change, Option<&str>, OAuthCause, Recovery); 6] = [
        ("switched off", Box::new(|s| s.org.soap_login = false), TOKEN, OAuthCause::SoapLoginOff, Recovery::Configure),
        ("no token", Box::new(|_| {}), None, OAuthCause::SecurityTokenMissing, Recovery::Reauthorize),
        (
            "expired",
            Box::new(move |s| {
                let at = admin(s);
                s.users[at].password_expired = true;
            }),
            TOKEN,
            OAuthCause::PasswordExpired,
            Recovery::Reauthorize,
        ),
        (
            "inactive",
            Box::new(move |s| {
                let at = admin(s);
                s.users[at].active = false;
            }),
            TOKEN,
            OAuthCause::SoapLoginRefused,
            Recovery::Reauthorize,
        ),
        ("locked", Box::new(|s| s.org.state = OrgState::Locked), TOKEN, OAuthCause::OrgInactive, Recovery::Configure),
        (
            "hours",
            Box::new(move |s| {
                let at = admin(s);
                let profile = s.users[at].profile.clone();
                s.profiles.get_mut(&profile).unwrap().login_hours = Some(LoginHours { from: 0, to: 1 });
            }),
            TOKEN,
            OAuthCause::HoursRestricted,
            Recovery::Configure,
        ),
    ];
    for (name, change, token, cause, recovery) in cases {
        let acme = acme(change).await;
        let error = sign_in(&acme, "correct-horse", token).await.unwrap_err();
        assert_eq!((error.cause(), error.recovery()), (Some(cause), recovery), "{name}: {error}");
        assert_eq!(acme.count(ROUTE), 1, "{name}: a refusal is not repeated");
    }
}

#[tokio::test]
async fn a_wrong_password_is_sent_once() {
    let acme = acme(|_| {}).await;
    let error = sign_in(&acme, "wrong", TOKEN).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::SoapLoginRefused));
    assert_eq!(error.recovery(), Recovery::Reauthorize);
    assert_eq!(acme.count(ROUTE), 1);
}

#[tokio::test]
async fn maintenance_and_pages_in_the_place_of_an_envelope_are_no_refusals() {
    let acme = acme(|_| {}).await;
    let mut seen = 0;
    let page = "<html><title>Proxy</title></html>".to_owned();
    for effect in [
        Effect::Maintenance { status: 503 },
        Effect::Unavailable { retry_after: 3 },
        Effect::LostAnswer,
        Effect::CutBody { after: 200 },
        Effect::Answer { status: 502, content_type: "text/html".to_owned(), body: page.clone() },
    ] {
        acme.fault(ROUTE, effect);
        let error = sign_in(&acme, "correct-horse", TOKEN).await.unwrap_err();
        assert!(matches!(error.recovery(), Recovery::Retry { .. }), "{error:?}");
        seen += 1;
        assert_eq!(acme.count(ROUTE), seen, "sent once: {error}");
    }
    acme.fault(ROUTE, Effect::Answer { status: 200, content_type: "text/html".to_owned(), body: page });
    let error = sign_in(&acme, "correct-horse", TOKEN).await.unwrap_err();
    assert!(matches!(error, OAuthError::Unexpected { .. }), "{error}");
}

#[tokio::test]
async fn the_generic_host_signs_in_and_leads_to_the_orgs_own() {
    let acme = acme(|_| {}).await;
    let password = Password::from("correct-horse".to_owned());
    let token = SecurityToken::from("TokenOfAdmin0000000000000".to_owned());
    let who = SoapLogin {
        username: "admin@acme.example",
        password: &password,
        security_token: Some(&token),
        version: SoapVersion::new(31).unwrap(),
    };
    let tokens = soap_login(&acme.http(), &host("login.salesforce.com"), &who).await.unwrap();
    assert_eq!(tokens.instance_url, my_domain());
}
