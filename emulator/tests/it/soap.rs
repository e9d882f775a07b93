//! SOAP `login()` and its faults, and Bulk API 1.0, of which only refusals exist.

use std::time::Duration;

use emulator::Scenario;
use emulator::scenario::{LoginHours, OrgState, SandboxSpec};

use crate::client::{Acme, Seen, tls_client};

const ADMIN: &str = "admin@acme.example";
const PASSWORD: &str = "correct-horse";
const ADMIN_PASSWORD: &str = "correct-horseTokenOfAdmin0000000000000";
const PATH: &str = "/services/Soap/u/60.0";
const LOGIN_FAILED: &str = "Invalid username, password, security token; or user locked out.";

async fn acme(change: impl FnOnce(&mut Scenario)) -> Acme {
    Acme::start_with(|scenario| {
        scenario.org.soap_login = true;
        change(scenario);
    })
    .await
}

fn envelope(header: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<env:Envelope \
         xmlns:env=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:urn=\"urn:partner.soap.sforce.com\">\
         <env:Header>{header}</env:Header><env:Body>{body}</env:Body></env:Envelope>"
    )
}

fn login(username: &str, password: &str) -> String {
    let options = "<urn:CallOptions><urn:client>tests</urn:client></urn:CallOptions>\
                   <urn:LoginScopeHeader><urn:organizationId>00DgL000000ACME</urn:organizationId></urn:LoginScopeHeader>";
    let login = format!(
        "<n1:login xmlns:n1=\"urn:partner.soap.sforce.com\"><n1:username>{username}</n1:username>\
         <n1:password>{password}</n1:password></n1:login>"
    );
    envelope(options, &login)
}

fn call(session: &str, body: &str) -> String {
    envelope(&format!("<urn:SessionHeader><urn:sessionId>{session}</urn:sessionId></urn:SessionHeader>"), body)
}

async fn post(acme: &Acme, path: &str, body: String) -> Seen {
    let request = acme.http.post(acme.url(path)).header("content-type", "text/xml").header("soapaction", "anything");
    Seen::of(request.body(body).send().await.unwrap()).await
}

async fn sign_in(acme: &Acme, username: &str, password: &str) -> Seen {
    post(acme, PATH, login(username, password)).await
}

fn element<'a>(answer: &'a Seen, name: &str) -> &'a str {
    let (_, rest) = answer.text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name}: {}", answer.text));
    rest.split_once(&format!("</{name}>")).unwrap().0
}

/// The exception code of a fault, whose three places must agree.
fn fault(answer: &Seen) -> (String, String) {
    assert_eq!(answer.status, 500, "{}", answer.text);
    let code = element(answer, "sf:exceptionCode").to_owned();
    let message = element(answer, "sf:exceptionMessage").to_owned();
    assert_eq!(element(answer, "faultcode"), format!("sf:{code}"));
    assert_eq!(element(answer, "faultstring"), format!("{code}: {message}"));
    (code, message)
}

#[tokio::test]
async fn login_answers_with_all_fields_of_the_wsdl_in_their_order() {
    let acme = acme(|_| {}).await;
    let answer = sign_in(&acme, ADMIN, ADMIN_PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/xml;charset=UTF-8");
    let names: Vec<&str> = answer
        .text
        .split('<')
        .filter_map(|tag| tag.split(['>', ' ', '/']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('?') && !name.starts_with("soapenv"))
        .collect();
    let expected = "loginResponse result metadataServerUrl passwordExpired sandbox serverUrl sessionId userId userInfo \
         accessibilityMode chatterExternal currencySymbol defaultAppIdForProfile orgAttachmentFileSizeLimit \
         orgDefaultCurrencyIsoCode orgDefaultCurrencyLocale orgDisallowHtmlAttachments orgHasPersonAccounts \
         organizationId organizationMultiCurrency organizationName profileId roleId sessionSecondsValid \
         userDefaultCurrencyIsoCode userEmail userFullName userId userLanguage userLocale userName userTimeZone \
         userType userUiSkin";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    let base = acme.emulator.http_url();
    assert_eq!(element(&answer, "serverUrl"), format!("{base}/services/Soap/u/60.0/00DgL000000ACME"));
    assert_eq!(element(&answer, "metadataServerUrl"), format!("{base}/services/Soap/m/60.0/00DgL000000ACME"));
    assert_eq!(element(&answer, "userFullName"), "Ada Admin");
    assert_eq!(element(&answer, "sessionSecondsValid"), "7200");
    let token = element(&answer, "sessionId");
    assert_eq!(acme.get("/services/data/v60.0/sobjects", token).await.status, 200);
    assert_eq!(acme.get("/services/oauth2/userinfo", token).await.json()["preferred_username"], ADMIN);
}

#[tokio::test]
async fn the_path_may_name_the_org_and_the_enterprise_wsdl_has_its_own_namespaces() {
    let acme = acme(|_| {}).await;
    let with_org = post(&acme, "/services/Soap/u/64.0/00DgL000000ACME", login(ADMIN, ADMIN_PASSWORD)).await;
    assert_eq!(with_org.status, 200, "{}", with_org.text);
    let enterprise = |password| login(ADMIN, password).replace("urn:partner", "urn:enterprise");
    let answer = post(&acme, "/services/Soap/c/31.0", enterprise(ADMIN_PASSWORD)).await;
    assert!(answer.text.contains("xmlns=\"urn:enterprise.soap.sforce.com\""), "{}", answer.text);
    assert!(element(&answer, "serverUrl").contains("/services/Soap/c/31.0/"));
    let refused = post(&acme, "/services/Soap/c/31.0", enterprise("wrong")).await;
    assert!(refused.text.contains("xmlns:sf=\"urn:fault.enterprise.soap.sforce.com\""), "{}", refused.text);
    assert_eq!(fault(&refused).0, "INVALID_LOGIN");
}

#[tokio::test]
async fn what_is_wrong_with_name_and_password_reads_the_same_except_for_a_missing_token() {
    let acme = acme(|scenario| scenario.users[2].locked_out = true).await;
    for (username, password) in [
        (ADMIN, "wrong"),
        (ADMIN, "correct-horseWrongToken"),
        ("nobody@acme.example", ADMIN_PASSWORD),
        ("sam@acme.example", "sams-passwordTokenOfSam"),
        ("gone@acme.example", "gones-passwordTokenOfGone"),
        ("", ""),
    ] {
        let answer = sign_in(&acme, username, password).await;
        assert_eq!(fault(&answer), ("INVALID_LOGIN".to_owned(), LOGIN_FAILED.to_owned()), "{username}");
    }
    let (code, message) = fault(&sign_in(&acme, ADMIN, PASSWORD).await);
    assert_eq!(code, "LOGIN_MUST_USE_SECURITY_TOKEN");
    assert!(message.starts_with(LOGIN_FAILED), "{message}");
    let reasons: Vec<&str> = acme.emulator.control().login_history().iter().map(|entry| entry.status).collect();
    assert!(reasons.contains(&"Password Lockout") && reasons.contains(&"User is Inactive"), "{reasons:?}");
}

#[tokio::test]
async fn a_trusted_network_needs_no_security_token_for_soap_either() {
    let acme = acme(|scenario| scenario.org.trusted_ip_ranges = vec!["203.0.113.10".parse().unwrap()]).await;
    assert_eq!(sign_in(&acme, ADMIN, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn every_policy_that_keeps_a_user_out_has_its_fault() {
    type Change = fn(&mut Scenario);
    let refusals: [(&str, Change); 8] = [
        ("INVALID_OPERATION", |scenario| scenario.org.soap_login = false),
        ("LOGIN_DURING_RESTRICTED_DOMAIN", |scenario| {
            let profile = scenario.profiles.get_mut("System Administrator").unwrap();
            profile.login_ip_ranges = vec!["198.51.100.1".parse().unwrap()];
        }),
        ("LOGIN_DURING_RESTRICTED_TIME", |scenario| {
            let profile = scenario.profiles.get_mut("System Administrator").unwrap();
            profile.login_hours = Some(LoginHours { from: 600, to: 1080 });
        }),
        ("ORG_LOCKED", |scenario| scenario.org.state = OrgState::Locked),
        ("TRIAL_EXPIRED", |scenario| scenario.org.state = OrgState::Deleted),
        ("ORG_IN_MAINTENANCE", |scenario| scenario.org.state = OrgState::Maintenance),
        ("CLIENT_NOT_ACCESSIBLE_FOR_USER", |scenario| scenario.org.api_access_control = true),
        ("LOGIN_RATE_EXCEEDED", |scenario| scenario.limits.hourly_logins_per_user = 0),
    ];
    for (code, change) in refusals {
        let acme = acme(change).await;
        assert_eq!(fault(&sign_in(&acme, ADMIN, ADMIN_PASSWORD).await).0, code);
    }
    let acme = acme(|_| {}).await;
    assert_eq!(
        fault(&sign_in(&acme, "noapi@acme.example", "noapis-passwordTokenOfNoApi").await).0,
        "API_CURRENTLY_DISABLED"
    );
}

#[tokio::test]
async fn the_refusal_of_newer_orgs_has_the_text_that_they_send() {
    let acme = Acme::start().await;
    let expected = ("INVALID_OPERATION".to_owned(), "SOAP API login() is disabled by default in this org".to_owned());
    assert_eq!(fault(&sign_in(&acme, ADMIN, ADMIN_PASSWORD).await), expected);
}

#[tokio::test]
async fn login_exists_from_31_to_64_and_other_versions_say_why_not() {
    let acme = acme(|_| {}).await;
    for (version, code) in [
        ("30.0", "UNSUPPORTED_API_VERSION"),
        ("69.0", "UNSUPPORTED_API_VERSION"),
        ("sixty", "UNSUPPORTED_API_VERSION"),
        ("65.0", "INVALID_OPERATION"),
        ("68.0", "INVALID_OPERATION"),
    ] {
        let answer = post(&acme, &format!("/services/Soap/u/{version}"), login(ADMIN, ADMIN_PASSWORD)).await;
        assert_eq!(fault(&answer).0, code, "{version}");
    }
}

#[tokio::test]
async fn an_expired_password_gives_a_session_that_is_good_for_nothing() {
    let acme = acme(|scenario| scenario.users[0].password_expired = true).await;
    let answer = sign_in(&acme, ADMIN, ADMIN_PASSWORD).await;
    assert_eq!((answer.status, element(&answer, "passwordExpired")), (200, "true"));
    let token = element(&answer, "sessionId").to_owned();
    let refused = acme.get("/services/data/v60.0/sobjects", &token).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"));
    let query = call(&token, "<urn:query><urn:queryString>SELECT Id FROM User</urn:queryString></urn:query>");
    assert_eq!(fault(&post(&acme, PATH, query).await).0, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD");
}

#[tokio::test]
async fn logout_ends_the_session_and_a_dead_session_is_a_fault() {
    let acme = acme(|_| {}).await;
    let token = element(&sign_in(&acme, ADMIN, ADMIN_PASSWORD).await, "sessionId").to_owned();
    let logout = || call(&token, "<urn:logout/>");
    let answer = post(&acme, PATH, logout()).await;
    assert!(answer.status == 200 && answer.text.contains("<logoutResponse/>"), "{}", answer.text);
    assert_eq!(acme.get("/services/data/v60.0", &token).await.status, 401);
    let expected = "Invalid Session ID found in SessionHeader: Illegal Session";
    assert_eq!(fault(&post(&acme, PATH, logout()).await), ("INVALID_SESSION_ID".to_owned(), expected.to_owned()));
    let metadata = post(&acme, "/services/Soap/m/60.0", call(&token, "<m:listMetadata xmlns:m='urn:m'/>")).await;
    assert_eq!((metadata.status, element(&metadata, "faultcode")), (500, "sf:INVALID_SESSION_ID"));
}

#[tokio::test]
async fn a_session_of_soap_ends_after_inactivity_of_its_profile() {
    let acme = acme(|scenario| {
        scenario.profiles.get_mut("System Administrator").unwrap().session_timeout_minutes = Some(30);
    })
    .await;
    let answer = sign_in(&acme, ADMIN, ADMIN_PASSWORD).await;
    assert_eq!(element(&answer, "sessionSecondsValid"), "1800");
    acme.emulator.control().advance(Duration::from_secs(1800));
    assert_eq!(acme.get("/services/data/v60.0", element(&answer, "sessionId")).await.status, 401);
}

#[tokio::test]
async fn what_is_no_message_or_no_operation_is_the_clients_fault() {
    let acme = acme(|_| {}).await;
    let token = element(&sign_in(&acme, ADMIN, ADMIN_PASSWORD).await, "sessionId").to_owned();
    let unknown = "No operation available for request {urn:partner.soap.sforce.com}fly, please check the WSDL for the \
                   service.";
    for (body, expected) in [
        (String::new(), "Unable to parse the message"),
        ("{}".to_owned(), "Unable to parse the message"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".to_owned(), "Unable to parse the message"),
        ("<x/>".to_owned(), "no SOAP 1.1 envelope"),
        (envelope("", ""), "is empty"),
        (call(&token, "<urn:fly/>"), unknown),
        (envelope("", "<login><username>a</username></login>"), "No operation available for request {}login"),
    ] {
        let answer = post(&acme, PATH, body).await;
        assert_eq!((answer.status, element(&answer, "faultcode")), (500, "soapenv:Client"), "{}", answer.text);
        assert!(element(&answer, "faultstring").contains(expected), "{}", answer.text);
    }
    let get = acme.http.get(acme.url(PATH)).send().await.unwrap();
    assert_eq!(get.status(), 405);
}

#[tokio::test]
async fn at_the_login_hosts_the_user_decides_the_org() {
    let acme = acme(|scenario| {
        let name = "uat".to_owned();
        scenario.sandboxes = vec![SandboxSpec { name, id: "00DgL000000UATE".to_owned(), copies_apps: true }];
    })
    .await;
    let tls = tls_client(&acme.emulator);
    let at = async |host: &str, username: &str| {
        let request = tls.post(format!("https://{host}{PATH}")).body(login(username, ADMIN_PASSWORD));
        Seen::of(request.send().await.unwrap()).await
    };
    let sandbox_admin = "admin@acme.example.uat";
    let production = at("login.salesforce.com", ADMIN).await;
    assert!(element(&production, "serverUrl").starts_with("https://acme.my.salesforce.com/"), "{}", production.text);
    assert_eq!(element(&production, "sandbox"), "false");
    let sandbox = at("test.salesforce.com", sandbox_admin).await;
    let url = element(&sandbox, "serverUrl");
    assert!(url.starts_with("https://acme--uat.sandbox.my.salesforce.com/"), "{url}");
    assert_eq!(element(&sandbox, "sandbox"), "true");
    for (host, username) in [
        ("login.salesforce.com", sandbox_admin),
        ("test.salesforce.com", ADMIN),
        ("login.salesforce.com", "nobody@acme.example"),
        ("acme.my.salesforce.com", sandbox_admin),
    ] {
        assert_eq!(fault(&at(host, username).await).0, "INVALID_LOGIN", "{host} {username}");
    }
    assert_eq!(at("acme.lightning.force.com", ADMIN).await.status, 404);
}

#[tokio::test]
async fn routing_policies_close_the_login_host_for_soap_alone() {
    let status = async |change: fn(&mut Scenario), host: &str| {
        let acme = acme(change).await;
        let request = acme.http.post(acme.url(PATH)).header("host", host).body(login(ADMIN, ADMIN_PASSWORD));
        request.send().await.unwrap().status().as_u16()
    };
    let closed: fn(&mut Scenario) = |scenario| scenario.org.generic_soap_login = false;
    assert_eq!(status(closed, "login.salesforce.com").await, 500);
    assert_eq!(status(closed, "acme.my.salesforce.com").await, 200);
    assert_eq!(status(|scenario| scenario.org.generic_login = false, "login.salesforce.com").await, 200);
}

#[tokio::test]
async fn bulk_version_one_tells_a_wrong_session_in_xml() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let ask = async |version: &str, token: &str| {
        let url = acme.url(&format!("/services/async/{version}/job"));
        let request = acme.http.post(url).header("x-sfdc-session", token).body("<jobInfo/>");
        let answer = Seen::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/xml"));
        element(&answer, "exceptionCode").to_owned()
    };
    assert_eq!(ask("60.0", "wrong").await, "InvalidSessionId");
    assert_eq!(ask("20.0", &token).await, "InvalidVersion");
    assert_eq!(ask("60.0", &token).await, "InvalidJob");
}
