//! How the org is reached: plain HTTP, TLS under its host names, and the proxy.

use emulator::{Emulator, Options, Scenario, StartError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Acme, KEY, SECRET, Seen, access_token, tls_client, trusting};

const GRANT: [(&str, &str); 3] = [("grant_type", "client_credentials"), ("client_id", KEY), ("client_secret", SECRET)];

#[tokio::test]
async fn the_org_answers_over_tls_under_its_real_host_name_with_http_2() {
    let acme = Acme::start().await;
    let client = tls_client(&acme.emulator);
    let request = client.post("https://acme.my.salesforce.com/services/oauth2/token").form(&GRANT);
    let response = request.send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let answer = Seen::of(response).await;
    assert_eq!(answer.json()["instance_url"], "https://acme.my.salesforce.com");
    let versions = client.get("https://acme.my.salesforce.com/services/data").send().await.unwrap();
    assert_eq!(versions.status(), 200);
}

/// Airbyte looks for `content-type` among the names as they were sent, and stumbles over what it finds there.
#[tokio::test]
async fn names_of_headers_begin_with_capitals_in_http_1() {
    let acme = Acme::start().await;
    let host = acme.emulator.http_url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /services/data HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("\r\nContent-Type: application/json;charset=UTF-8\r\n"), "{answer}");
}

#[tokio::test]
async fn a_data_call_on_the_login_host_says_that_the_url_was_not_reset() {
    let acme = Acme::start().await;
    let client = tls_client(&acme.emulator);
    let token = acme.sign_in().await;
    for host in ["login", "test"] {
        let request = client.get(format!("https://{host}.salesforce.com/services/data/v60.0/limits"));
        let answer = Seen::of(request.bearer_auth(&token).send().await.unwrap()).await;
        assert_eq!(answer.code(), "URL_NOT_RESET");
    }
}

#[tokio::test]
async fn a_client_that_cannot_map_host_names_goes_through_the_proxy() {
    let acme = Acme::start().await;
    let proxy = reqwest::Proxy::https(format!("http://{}", acme.emulator.proxy_address().unwrap())).unwrap();
    let client = trusting(&acme.emulator).proxy(proxy).build().unwrap();
    let request = client.post("https://acme.my.salesforce.com/services/oauth2/token").form(&GRANT);
    let answer = Seen::of(request.send().await.unwrap()).await;
    assert!(access_token(&answer).starts_with("00D"));
}

#[tokio::test]
async fn the_proxy_answers_for_the_orgs_own_hosts_only() {
    let acme = Acme::start().await;
    for (line, status) in [
        ("CONNECT example.com:443 HTTP/1.1", "403"),
        ("CONNECT other.my.salesforce.com:443 HTTP/1.1", "403"),
        ("CONNECT acme.my.salesforce.com:22 HTTP/1.1", "403"),
        ("GET http://acme.my.salesforce.com/ HTTP/1.1", "405"),
    ] {
        let mut stream = TcpStream::connect(acme.emulator.proxy_address().unwrap()).await.unwrap();
        stream.write_all(format!("{line}\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{line}");
    }
}

#[tokio::test]
async fn the_proxy_also_leads_to_the_plain_listener_for_clients_that_send_everything_through_it() {
    let acme = Acme::start().await;
    let plain = acme.emulator.http_url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(acme.emulator.proxy_address().unwrap()).await.unwrap();
    let request = format!(
        "CONNECT {plain} HTTP/1.1\r\n\r\nGET /services/data HTTP/1.1\r\nHost: {plain}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn the_certificate_authority_is_used_again_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let options = Options { certificate_authority: Some(folder.path().to_owned()), ..Options::default() };
        Emulator::start(Scenario::builtin("acme").unwrap(), options).await.unwrap()
    };
    let first = start().await;
    let trusting_first = trusting(&first);
    let ca = first.ca_pem().to_owned();
    assert_eq!(std::fs::read_to_string(folder.path().join("ca.pem")).unwrap(), ca);
    first.stop().await;

    let second = start().await;
    assert_eq!(second.ca_pem(), ca);
    let host = "acme.my.salesforce.com";
    let client = trusting_first.no_proxy().resolve(host, second.tls_address().unwrap()).build().unwrap();
    assert_eq!(client.get(format!("https://{host}/services/data")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused() {
    let options = Options { http: Some("0.0.0.0:0".parse().unwrap()), ..Options::default() };
    let refusal = Emulator::start(Scenario::builtin("acme").unwrap(), options).await.err().unwrap();
    assert!(matches!(refusal, StartError::NotLoopback(_)), "{refusal}");
}

#[tokio::test]
async fn too_long_a_target_is_414_and_too_much_of_target_and_headers_is_431_both_in_html() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let long = acme.get(&format!("/services/data/v60.0/query?q={}", "x".repeat(17_000)), &token).await;
    assert_eq!((long.status, long.text.as_str()), (414, "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"));
    let request = acme.request(reqwest::Method::GET, "/services/data/v60.0/limits", &token);
    let wide = Seen::of(request.header("x-filler", "y".repeat(16_380)).send().await.unwrap()).await;
    let text = "<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>";
    assert_eq!((wide.status, wide.text.as_str()), (431, text));
}

#[tokio::test]
async fn the_date_header_follows_the_emulated_clock() {
    let acme = Acme::start().await;
    let date = async || {
        let response = acme.http.get(acme.url("/services/data")).send().await.unwrap();
        response.headers()["date"].to_str().unwrap().to_owned()
    };
    assert_eq!(date().await, "Sat, 21 Nov 2026 09:00:00 GMT");
    acme.emulator.control().advance(std::time::Duration::from_secs(3600));
    assert_eq!(date().await, "Sat, 21 Nov 2026 10:00:00 GMT");
}

#[tokio::test]
async fn several_orgs_run_in_one_process() {
    let (first, second) = tokio::join!(Acme::start(), Acme::start());
    let token = first.sign_in().await;
    assert_eq!(first.get("/services/data/v60.0", &token).await.status, 200);
    assert_eq!(second.get("/services/data/v60.0", &token).await.status, 401);
}

#[tokio::test]
async fn control_routes_are_on_the_plain_listener_under_a_loopback_name_only() {
    let acme = Acme::start().await;
    let clock = acme.http.get(acme.url("/__emulator/clock"));
    assert_eq!(clock.send().await.unwrap().status(), 200);
    let named = acme.http.get(acme.url("/__emulator/clock")).header("host", "evil.example");
    assert_eq!(named.send().await.unwrap().status(), 404);
    let tls = tls_client(&acme.emulator).get("https://acme.my.salesforce.com/__emulator/clock");
    assert_eq!(tls.send().await.unwrap().status(), 404);
}
