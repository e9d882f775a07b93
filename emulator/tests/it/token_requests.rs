//! How token requests may be written, and what is refused whatever they hold.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use reqwest::{Method, RequestBuilder};

use crate::client::{Acme, CONNECTED_KEY, CONNECTED_SECRET, KEY, SECRET, Seen};

const TOKEN: &str = "/services/oauth2/token";
const GRANT: [(&str, &str); 3] = [("grant_type", "client_credentials"), ("client_id", KEY), ("client_secret", SECRET)];
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

fn error(error: &str, description: &str) -> (String, String) {
    (error.to_owned(), description.to_owned())
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn multipart(pairs: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--sep\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    pairs.iter().map(part).collect::<String>() + "--sep--\r\n"
}

fn form(request: RequestBuilder, body: String) -> RequestBuilder {
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

async fn answer(request: RequestBuilder) -> Seen {
    Seen::of(request.send().await.unwrap()).await
}

impl Acme {
    fn post(&self, path_and_query: &str) -> RequestBuilder {
        self.http.post(self.url(path_and_query))
    }
}

#[tokio::test]
async fn every_way_to_write_the_same_request_gives_a_token() {
    let acme = Acme::start().await;
    let in_query = format!("{TOKEN}?{}", encoded(&GRANT));
    let pieces = encoded(&GRANT).bytes().map(|byte| Ok::<_, std::io::Error>(vec![byte])).collect::<Vec<_>>();
    let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let partly = [("grant_type", "client_credentials"), ("client_id", KEY)];
    for (way, request) in [
        ("form", form(acme.post(TOKEN), encoded(&GRANT))),
        ("query string alone", acme.post(&in_query)),
        ("query string with an empty form", form(acme.post(&in_query), String::new())),
        ("form and query string", form(acme.post(&format!("{TOKEN}?client_secret={SECRET}")), encoded(&partly))),
        ("media type with a character set", {
            let media = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
            acme.post(TOKEN).header("content-type", media).body(encoded(&GRANT))
        }),
        ("multipart", {
            acme.post(TOKEN).header("content-type", "multipart/form-data; boundary=sep").body(multipart(&GRANT))
        }),
        ("multipart with a quoted boundary", {
            let media = "multipart/form-data; charset=utf-8; boundary=\"sep\"";
            acme.post(TOKEN).header("content-type", media).body(multipart(&GRANT))
        }),
        ("chunks of one byte", {
            acme.post(TOKEN).header("content-type", "application/x-www-form-urlencoded").body(chunked)
        }),
        ("the first of repeated parameters counts", {
            form(acme.post(TOKEN), encoded(&GRANT) + "&grant_type=password&client_id=other&client_secret=other")
        }),
        ("the form counts before the query string", {
            form(acme.post(&format!("{TOKEN}?client_secret=other&grant_type=x")), encoded(&GRANT))
        }),
    ] {
        let answer = answer(request).await;
        assert_eq!(answer.status, 200, "{way}: {}", answer.text);
    }
}

#[tokio::test]
async fn basic_authentication_is_read_in_every_spelling() {
    let acme = Acme::start().await;
    let pair = format!("{KEY}:{SECRET}");
    let escaped = format!("{}:{SECRET}", KEY.replace('.', "%2E"));
    let ask = async |header: String, body: &[(&str, &str)]| {
        let request = form(acme.post(TOKEN), encoded(body)).header("authorization", header);
        answer(request).await
    };
    let grant = [("grant_type", "client_credentials")];
    for header in [
        format!("Basic {}", STANDARD.encode(&pair)),
        format!("basic {}", STANDARD.encode(&pair)),
        format!("BASIC   {}", STANDARD_NO_PAD.encode(&pair)),
        format!("Basic {}", STANDARD.encode(escaped)),
    ] {
        assert_eq!(ask(header.clone(), &grant).await.status, 200, "{header}");
    }
    let wrong = format!("Basic {}", STANDARD.encode(format!("{KEY}:wrong")));
    assert_eq!(ask(wrong.clone(), &grant).await.oauth_error(), error("invalid_client", "invalid client credentials"));
    assert_eq!(ask(wrong, &GRANT).await.status, 200, "the body counts before the header");
    let key_alone = format!("Basic {}", STANDARD.encode(format!("{KEY}:")));
    assert_eq!(ask(key_alone.clone(), &grant).await.oauth_error().0, "invalid_client");
    assert_eq!(ask(key_alone, &[grant[0], ("client_secret", SECRET)]).await.status, 200);
    for malformed in ["Basic", "Basic ?", "Basic bm9jb2xvbg=="] {
        let refused = ask(malformed.to_owned(), &grant).await;
        assert_eq!((refused.status, refused.oauth_error().0.as_str()), (400, "invalid_basic_auth_header"));
        assert_eq!(ask(malformed.to_owned(), &GRANT).await.status, 200, "{malformed} with the pair in the body");
    }
    assert_eq!(ask("Bearer x".to_owned(), &grant).await.oauth_error().0, "invalid_client_id");
}

#[tokio::test]
async fn a_media_type_that_is_no_form_carries_no_grant() {
    let acme = Acme::start().await;
    let expected = error("unsupported_grant_type", "grant type not supported");
    for media in ["application/json", "text/plain", "application/x-www-form", "multipart/form-data", ""] {
        let request = acme.post(TOKEN).header("content-type", media).body(encoded(&GRANT));
        let refused = answer(request).await;
        assert_eq!((refused.status, refused.oauth_error()), (400, expected.clone()), "{media}");
    }
}

#[tokio::test]
async fn methods_other_than_post_are_refused() {
    let acme = Acme::start().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let url = acme.url(&format!("{TOKEN}?{}", encoded(&GRANT)));
        let refused = answer(acme.http.request(method.clone(), url)).await;
        assert_eq!((refused.status, refused.oauth_error().0.as_str()), (400, "invalid_request"), "{method}");
    }
}

#[tokio::test]
async fn errors_come_in_the_format_that_is_asked_for_by_parameter_or_header() {
    let acme = Acme::start().await;
    let wrong = [("grant_type", "a<b"), ("client_id", KEY)];
    let by_header = async |accept: &str| answer(form(acme.post(TOKEN), encoded(&wrong)).header("accept", accept)).await;
    let xml = by_header("text/html, application/xml;q=0.9").await;
    assert_eq!((xml.status, xml.header("content-type")), (400, "application/xml;charset=UTF-8"));
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><OAuth><error>unsupported_grant_type</error>\
                    <error_description>grant type not supported</error_description></OAuth>";
    assert_eq!(xml.text, expected);
    let pairs = by_header("application/x-www-form-urlencoded").await;
    assert_eq!(pairs.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(pairs.text, "error=unsupported_grant_type&error_description=grant+type+not+supported");
    let json =
        answer(form(acme.post(&format!("{TOKEN}?format=json")), encoded(&wrong)).header("accept", "application/xml"));
    assert_eq!(json.await.header("content-type"), "application/json;charset=UTF-8");
    let token = answer(form(acme.post(&format!("{TOKEN}?format=xml")), encoded(&GRANT))).await;
    assert!(token.text.contains("<token_type>Bearer</token_type>"), "{}", token.text);
}

#[tokio::test]
async fn token_exchange_ends_in_a_refusal_that_says_what_is_missing() {
    let acme = Acme::start_with(|scenario| {
        let app = |key: &str| scenario.apps.iter().position(|app| app.consumer_key == key).unwrap();
        let (on, strict) = (app(CONNECTED_KEY), app("3MVG9.acme.rotating"));
        scenario.apps[on].token_exchange_flow = true;
        scenario.apps[strict].token_exchange_flow = true;
        scenario.apps[strict].secret_required_for_token_exchange = true;
    })
    .await;
    let ask = async |pairs: &[(&str, &str)]| {
        let grant = [&[("grant_type", EXCHANGE)], pairs].concat();
        acme.token_request(&grant).await
    };
    let subject = [("subject_token", "x"), ("subject_token_type", ACCESS_TOKEN)];
    let with = |key: &'static str| [subject[0], subject[1], ("client_id", key)];
    for (pairs, expected) in [
        (with(KEY).to_vec(), error("invalid_grant", "token exchange flow not enabled")),
        (vec![("client_id", CONNECTED_KEY)], error("invalid_request", "missing subject_token")),
        (
            vec![("client_id", CONNECTED_KEY), subject[0], ("subject_token_type", "jwt")],
            error("invalid_request", "unsupported subject_token_type"),
        ),
        (
            with(CONNECTED_KEY).to_vec(),
            error("invalid_request", "no token exchange handler found for the subject token type"),
        ),
        (with("3MVG9.acme.rotating").to_vec(), error("invalid_client", "invalid client credentials")),
        (with("unknown").to_vec(), error("invalid_client_id", "client identifier invalid")),
    ] {
        let refused = ask(&pairs).await;
        assert_eq!((refused.status, refused.oauth_error()), (400, expected), "{pairs:?}");
    }
}

#[tokio::test]
async fn grants_of_sites_phones_and_saml_are_not_supported() {
    let acme = Acme::start().await;
    for grant in ["hybrid_auth_code", "hybrid_refresh", "urn:ietf:params:oauth:grant-type:saml2-bearer"] {
        let refused = acme
            .token_request(&[
                ("grant_type", grant),
                ("client_id", CONNECTED_KEY),
                ("client_secret", CONNECTED_SECRET),
                ("refresh_token", "5Aep.acme.connected.admin"),
                ("assertion", "x"),
                ("code", "x"),
            ])
            .await;
        let expected = error("unsupported_grant_type", "grant type not supported");
        assert_eq!((refused.status, refused.oauth_error()), (400, expected), "{grant}");
    }
}

#[tokio::test]
async fn guests_of_headless_apps_are_refused() {
    let acme = Acme::start().await;
    let with = async |hint: &str| {
        answer(form(acme.post(TOKEN), encoded(&GRANT)).header("uvid-hint", hint)).await.oauth_error()
    };
    assert_eq!(with("UVID 1").await, error("invalid_request", "uvid invalid"));
    let known = with("UVID 4adfa08d-53ef-4b45-a2f6-2e2a6ac2b3aa").await;
    assert_eq!(known, error("invalid_request", "guest flow not enabled"));
}

#[tokio::test]
async fn headless_identity_and_dynamic_registration_are_refused_in_so_many_words() {
    let acme = Acme::start().await;
    for path in [
        "/services/auth/headless/init/registration",
        "/services/auth/headless/init/passwordless/login",
        "/services/auth/headless/forgot_password",
        "/services/oauth2/echo?code=aPrx",
    ] {
        let refused = answer(acme.post(path).json(&serde_json::json!({"username": "x"}))).await;
        let expected = error("invalid_request", "request not supported on this domain");
        assert_eq!((refused.status, refused.oauth_error()), (400, expected), "{path}");
    }
    let url = acme.url("/.well-known/openid-configuration");
    let discovery = answer(acme.http.get(url)).await.json();
    let endpoint = discovery["registration_endpoint"].as_str().unwrap();
    let registration = acme.http.post(endpoint).json(&serde_json::json!({"redirect_uris": ["https://app.example/"]}));
    let refused = answer(registration).await;
    assert_eq!((refused.status, refused.oauth_error().0.as_str()), (401, "invalid_token"));
}
