//! What programs with a key get, and what they do not.

use std::sync::Arc;

use emulator::Effect;
use orgtide::{api, app::App, clock::SystemClock, store::journal::Actor};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::org::{Acme, rows};

const QUERY: &str = "GET /services/data/vXX.X/query";
const SELECT: &str =
    "/api/v1/connections/acme/proxy/services/data/v68.0/query?q=SELECT%20Id%20FROM%20Account%20LIMIT%201";

/// The API of an installation that is connected to Acme.
struct Installation {
    acme: Acme,
    app: Arc<App>,
    address: std::net::SocketAddr,
}

/// An answer over HTTP/1.1.
#[derive(Debug)]
struct Answered {
    status: u16,
    head: String,
    body: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Installation {
    async fn start() -> Self {
        let acme = Acme::start().await;
        acme.connect().await;
        let app = Arc::new(acme.app_with_clock(Arc::new(SystemClock)).await);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = api::routes(Arc::clone(&app));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { acme, app, address }
    }

    /// An API key of the connection, by the command line.
    async fn key(&self, name: &str, allow: &str) -> String {
        let made = self.acme.run(&format!("api-key create {name} --connection acme --allow {allow}")).await;
        assert_eq!(made.code, 0, "{made:?}");
        made.out.trim().to_owned()
    }

    async fn allow(&self, what: &str) {
        assert_eq!(self.acme.run(&format!("connection allow acme {what}")).await.code, 0);
    }

    async fn ask(&self, method: &str, path: &str, key: &str, body: &str) -> Answered {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\
             cookie: stolen=1\r\nx-forwarded-host: evil.example\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
        Answered { status, head: head.to_owned(), body }
    }

    fn journal(&self, event: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM journal WHERE event = '{event}'");
        rows(&self.acme.data().join("control.sqlite"), &sql)
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

#[tokio::test(flavor = "multi_thread")]
async fn access_tokens_are_handed_out_only_when_their_connections_owner_says_so_and_each_is_noted() {
    let here = Installation::start().await;
    let path = "/api/v1/connections/acme/token";
    assert_eq!(here.acme.run("token acme").await.code, 3, "off by default");
    let key = here.key("crm", "token").await;
    assert_eq!(here.ask("POST", path, &key, "").await.status, 403);
    here.allow("token").await;
    let issued = here.ask("POST", path, &key, "").await;
    assert_eq!(issued.status, 200, "{issued:?}");
    assert!(issued.head.contains("cache-control: no-store"));
    let token = issued.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(here.acme.run("token acme").await.out.trim(), token);
    assert_eq!(here.journal("token-issued"), 2);
    for (name, bytes) in here.acme.every_file() {
        let holds = |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!holds(&token) && !holds(&key), "{}", name.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_wrong_of_another_connection_or_for_something_else_opens_nothing() {
    let here = Installation::start().await;
    here.allow("token").await;
    here.allow("proxy").await;
    let (token, proxy) = (here.key("tokens", "token").await, here.key("reader", "proxy").await);
    let path = "/api/v1/connections/acme/token";
    for wrong in ["", "orgtide_00", &token[..token.len() - 1]] {
        let refused = here.ask("POST", path, wrong, "").await;
        assert_eq!(refused.status, 401);
        assert!(refused.head.contains("www-authenticate: Bearer"));
    }
    let refused = here.ask("POST", path, &proxy, "").await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("not_allowed")));
    assert!(refused.head.contains("content-type: application/problem+json"));
    assert_eq!(here.ask("GET", SELECT, &token, "").await.status, 403);
    assert_eq!(here.ask("POST", "/api/v1/connections/beta/token", &token, "").await.status, 403);
    assert_eq!(here.acme.run("api-key revoke tokens").await.code, 0);
    assert_eq!(here.ask("POST", path, &token, "").await.status, 401, "a revoked key ends at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_reads_the_orgs_rest_api_with_a_key_of_ours_and_its_calls_are_counted() {
    let here = Installation::start().await;
    let key = here.key("reader", "proxy").await;
    assert_eq!(here.ask("GET", SELECT, &key, "").await.status, 403, "off by default");
    here.allow("proxy").await;
    let read = here.ask("GET", SELECT, &key, "").await;
    assert_eq!((read.status, read.json()["totalSize"].as_u64()), (200, Some(1)), "{read:?}");
    assert!(read.head.contains("sforce-limit-info: api-usage="), "{}", read.head);
    assert!(!read.head.contains("set-cookie") && !read.head.contains("authorization"));
    let missing =
        here.ask("GET", "/api/v1/connections/acme/proxy/services/data/v68.0/sobjects/Nothing__c", &key, "").await;
    assert_eq!(missing.status, 404, "what the org says is passed on");
    here.acme.emulator.control().expire_sessions();
    assert_eq!(here.ask("GET", SELECT, &key, "").await.status, 200, "an ended session is renewed");
    let status = here.acme.run("status --json").await.json();
    assert!(status["connections"][0]["proxied"]["calls"].as_u64().unwrap() >= 3, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_writes_only_where_the_owner_has_allowed_it_and_each_write_is_noted() {
    let here = Installation::start().await;
    here.allow("proxy").await;
    let key = here.key("writer", "proxy,proxy-writes").await;
    let path = "/api/v1/connections/acme/proxy/services/data/v68.0/sobjects/Account";
    let refused = here.ask("POST", path, &key, r#"{"Name":"Beta"}"#).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("switched_off")));
    here.allow("proxy-writes").await;
    let reader = here.key("reader", "proxy").await;
    assert_eq!(here.ask("POST", path, &reader, r#"{"Name":"Beta"}"#).await.status, 403);
    let written = here.ask("POST", path, &key, r#"{"Name":"Beta"}"#).await;
    assert_ne!(written.status / 100, 5, "{written:?}");
    assert_eq!(here.journal("proxy-write"), 1);
    let status = here.acme.run("status").await;
    assert!(status.out.contains("WRITE through the proxy"), "{}", status.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_cannot_leave_the_data_api_however_the_path_is_spelt() {
    let here = Installation::start().await;
    here.allow("proxy").await;
    let key = here.key("reader", "proxy").await;
    let before = here.acme.emulator.control().journal().len();
    for path in [
        "services/oauth2/userinfo",
        "services/data/../oauth2/userinfo",
        "services/data/%2e%2e/oauth2/userinfo",
        "services/data/%252e%252e/oauth2/userinfo",
        "services/data/..%2foauth2/userinfo",
        "services/data/..;/oauth2/userinfo",
        "services/data//oauth2",
        "services/data/v68.0/%0d%0aHost:%20evil.example",
        "services/Soap/u/64.0",
    ] {
        let refused = here.ask("GET", &format!("/api/v1/connections/acme/proxy/{path}"), &key, "").await;
        assert!(matches!(refused.status, 400 | 404), "{path}: {refused:?}");
    }
    let traced = here.ask("TRACE", SELECT, &key, "").await;
    assert_eq!(traced.status, 405);
    assert_eq!(here.acme.emulator.control().journal().len(), before, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reserve_of_the_orgs_quota_is_left_to_others() {
    let here = Installation::start().await;
    here.allow("proxy").await;
    let key = here.key("reader", "proxy").await;
    assert_eq!(here.ask("GET", SELECT, &key, "").await.status, 200, "tells what is used");
    here.app.switch("acme", |switches| switches.reserve = 100_000, &Actor::CommandLine).await.unwrap();
    let before = here.acme.asked(QUERY);
    let refused = here.ask("GET", SELECT, &key, "").await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("quota_reserved")));
    assert!(refused.head.contains("retry-after:"));
    assert_eq!(here.acme.asked(QUERY), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_not_taken_for_whole() {
    let here = Installation::start().await;
    here.allow("proxy").await;
    let key = here.key("reader", "proxy").await;
    here.acme.fault(QUERY, Effect::CutBody { after: 20 });
    let mut stream = tokio::net::TcpStream::connect(here.address).await.unwrap();
    let request =
        format!("GET {SELECT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).await;
    assert!(!text.ends_with("0\r\n\r\n"), "the last chunk is missing: {text}");
}
