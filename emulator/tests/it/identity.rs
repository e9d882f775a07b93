//! Who a token belongs to, and the way from a token to a browser session.

use std::time::Duration;

use emulator::Secret;
use emulator::scenario::IssuedRefreshToken;
use reqwest::redirect::Policy;
use reqwest::{Client, Method};

use crate::client::{Acme, CONNECTED_KEY, CONNECTED_SECRET, Seen, access_token};

const ADMIN: &str = "admin@acme.example";
const NO_API: &str = "noapi@acme.example";

/// An org where a user has approved the connected app for some scopes, with the token and the identity path.
async fn signed_in(user: &str, scopes: &[&str]) -> (Acme, String, String) {
    let acme = Acme::start_with(|scenario| {
        let scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        let (app, user, token) = (CONNECTED_KEY.to_owned(), user.to_owned(), Secret::new("5Aep.identity"));
        scenario.refresh_tokens.push(IssuedRefreshToken { app, user, token, scopes });
    })
    .await;
    let answer = acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, "5Aep.identity").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let path = answer.json()["id"].as_str().unwrap().replace(acme.emulator.http_url(), "");
    (acme, access_token(&answer), path)
}

#[tokio::test]
async fn the_identity_comes_as_json_xml_or_a_form_by_parameter_before_accept() {
    let (acme, token, path) = signed_in(ADMIN, &["id"]).await;
    let get = async |query: &str, accept: &str| {
        let request = acme.request(Method::GET, &format!("{path}{query}"), &token).header("accept", accept);
        Seen::of(request.send().await.unwrap()).await
    };
    for (query, accept, media, excerpt) in [
        ("", "*/*", "application/json", r#""username":"admin@acme.example""#),
        ("?format=json", "application/xml", "application/json", r#""username":"admin@acme.example""#),
        ("?format=xml", "*/*", "application/xml", "<username>admin@acme.example</username>"),
        ("", "application/xml,application/json", "application/xml", r#"<addr_city xsi:nil="true"/>"#),
        ("?format=xml", "*/*", "application/xml", "<status><body xsi:nil=\"true\"/>"),
        ("?format=urlencoded", "*/*", "application/x-www-form-urlencoded", "username=admin%40acme.example"),
        ("?format=urlencoded", "*/*", "application/x-www-form-urlencoded", "&status.body=&"),
        ("?callback=show", "*/*", "application/javascript", r#"show({"active":true,"#),
        ("?callback=a%3Cb%3E.c", "*/*", "application/javascript", "ab.c({"),
    ] {
        let answer = get(query, accept).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(answer.header("content-type").starts_with(media), "{query} {accept}: {:?}", answer.headers);
        assert!(answer.text.contains(excerpt), "{query} {accept}: {}", answer.text);
    }
}

#[tokio::test]
async fn addresses_keep_the_word_version_until_one_is_named_and_pretty_print_indents() {
    let (acme, token, path) = signed_in(ADMIN, &["id"]).await;
    let rest = async |query: &str| acme.get(&format!("{path}{query}"), &token).await.json()["urls"]["rest"].clone();
    let expected = |version: &str| acme.url(&format!("/services/data/v{version}/"));
    assert_eq!(rest("").await, expected("{version}"));
    assert_eq!(rest("?version=latest").await, expected("68.0"));
    assert_eq!(rest("?version=60.0").await, expected("60.0"));
    for (query, line) in [("", "  \"user_type\" : \"STANDARD\","), ("?format=xml", "  <user_type>STANDARD</user_type>")]
    {
        let request = acme.request(Method::GET, &format!("{path}{query}"), &token).header("X-PrettyPrint", "1");
        let answer = Seen::of(request.send().await.unwrap()).await;
        assert!(answer.text.lines().any(|found| found == line), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_identity_url_refuses_with_one_word_of_plain_text() {
    let (acme, token, path) = signed_in(ADMIN, &["id"]).await;
    let (head, user) = path.rsplit_once('/').unwrap();
    let other_org = format!("/id/00DgL000000XXXX/{user}");
    let bad_org = format!("/id/00x/{user}");
    for (asked, token, status, text) in [
        (path.as_str(), "", 403, "Missing_OAuth_Token"),
        (&path, "bad", 403, "Bad_OAuth_Token"),
        (&other_org, &token, 403, "Wrong_Org"),
        (&bad_org, &token, 404, "Bad_Id"),
        (&format!("{head}/005000000000000"), &token, 404, "Bad_Id"),
        (&format!("{head}/%C3%A4%C3%A4"), &token, 404, "Bad_Id"),
    ] {
        let request = match token {
            "" => acme.http.get(acme.url(asked)),
            token => acme.request(Method::GET, asked, token),
        };
        let answer = Seen::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.text.as_str()), (status, text), "{asked}");
        assert!(answer.header("content-type").starts_with("text/plain"));
    }
    let by_parameter = acme.http.get(acme.url(&format!("{path}?oauth_token={token}")));
    assert_eq!(Seen::of(by_parameter.send().await.unwrap()).await.status, 200);
}

#[tokio::test]
async fn another_users_identity_needs_the_api() {
    let (_, _, sams) = signed_in("sam@acme.example", &["id"]).await;
    let (_, _, gones) = {
        let (acme, token, path) = signed_in(ADMIN, &["api"]).await;
        let users =
            acme.get("/services/data/v60.0/query?q=SELECT+Id+FROM+User+WHERE+IsActive=false", &token).await.json();
        let id = users["records"][0]["Id"].as_str().unwrap().to_owned();
        let (head, _) = path.rsplit_once('/').unwrap();
        (acme, token, format!("{head}/{id}"))
    };
    for (user, scope, asked, status, text) in [
        (ADMIN, "api", &sams, 200, "sam@acme.example"),
        (ADMIN, "full", &sams, 200, "sam@acme.example"),
        (ADMIN, "id", &sams, 404, "No_Access"),
        (NO_API, "api", &sams, 404, "No_Access"),
        (ADMIN, "api", &gones, 404, "Inactive"),
        (ADMIN, "refresh_token", &sams, 403, "Invalid_Scope"),
    ] {
        let (acme, token, _) = signed_in(user, &[scope]).await;
        let answer = acme.get(asked, &token).await;
        assert_eq!(answer.status, status, "{user} {scope}: {}", answer.text);
        assert!(answer.text.contains(text), "{user} {scope}: {}", answer.text);
    }
}

#[tokio::test]
async fn userinfo_tells_the_address_only_with_a_scope_of_the_identity() {
    for (scope, status, has_email) in [
        ("openid", 200, true),
        ("id", 200, true),
        ("full", 200, true),
        ("api", 200, false),
        ("refresh_token", 403, false),
    ] {
        let (acme, token, path) = signed_in(ADMIN, &[scope]).await;
        let answer = acme.get("/services/oauth2/userinfo", &token).await;
        assert_eq!(answer.status, status, "{scope}: {}", answer.text);
        if status == 200 {
            let info = answer.json();
            assert_eq!(info["sub"], acme.url(&path));
            assert_eq!(info["preferred_username"], ADMIN);
            assert_eq!(info.get("email").is_some(), has_email, "{scope}: {info}");
        }
    }
}

#[tokio::test]
async fn single_access_leads_a_browser_in_once_and_within_a_minute() {
    let (acme, token, _) = signed_in(ADMIN, &["web"]).await;
    let browser = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let open = async |url: &str| Seen::of(browser.get(url).send().await.unwrap()).await;
    let door = async |query: &str| {
        let answer = acme.get(&format!("/services/oauth2/singleaccess{query}"), &token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["frontdoor_uri"].as_str().unwrap().to_owned()
    };
    let url = door("?redirect_uri=/lightning/o/Account/home").await;
    assert!(url.starts_with(&acme.url("/secur/frontdoor.jsp?otp=00DgL000000ACME%21AQ")), "{url}");
    let inside = open(&url).await;
    assert_eq!((inside.status, inside.header("location")), (302, acme.url("/lightning/o/Account/home").as_str()));
    let cookie = inside.header("set-cookie");
    assert!(cookie.starts_with("sid=00DgL000000ACME!AQ") && cookie.contains("HttpOnly"), "{cookie}");
    let outside = acme.url("/?ec=302&startURL=%2Flightning%2Fo%2FAccount%2Fhome");
    assert_eq!(open(&url).await.header("location"), outside);

    let late = door("").await;
    acme.emulator.control().advance(Duration::from_secs(60));
    let answer = open(&late).await;
    assert_eq!(answer.header("location"), acme.url("/?ec=302&startURL=%2Flightning%2Fpage%2Fhome"));
    assert_eq!(answer.header("set-cookie"), "");
}

#[tokio::test]
async fn single_access_needs_a_scope_of_the_browser_a_live_token_and_a_path_of_the_org() {
    let (acme, token, _) = signed_in(ADMIN, &["api"]).await;
    let refused = acme.get("/services/oauth2/singleaccess", &token).await;
    assert_eq!((refused.status, refused.text.as_str()), (403, "Invalid_Scope"));
    let refused = acme.get("/services/oauth2/singleaccess", "bad").await;
    assert_eq!((refused.status, refused.text.as_str()), (403, "Bad_OAuth_Token"));
    let (acme, token, _) = signed_in(ADMIN, &["web"]).await;
    let refused = acme.get("/services/oauth2/singleaccess?redirect_uri=https://evil.example/", &token).await;
    assert_eq!((refused.status, refused.oauth_error().0.as_str()), (400, "invalid_request"));
}
