//! The emulator's own page: who may see it, and who may press its buttons. What it does is tried in a browser.

use reqwest::Method;
use reqwest::header::{HOST, LOCATION, ORIGIN};

use crate::client::{Acme, SECRET, Seen, tls_client};

async fn with_headers(acme: &Acme, method: Method, path: &str, headers: &[(&str, &str)]) -> Seen {
    let request = acme.http.request(method, acme.url(path));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Seen::of(request.body("seconds=60").send().await.unwrap()).await
}

#[tokio::test]
async fn the_page_shows_the_scenarios_secrets_on_plain_loopback() {
    let acme = Acme::start().await;
    let page = with_headers(&acme, Method::GET, "/", &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains(SECRET));
    assert_eq!(page.header("cache-control"), "no-store");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.text.contains("<script>") && !page.text.contains("style="));
}

#[tokio::test]
async fn the_page_is_not_there_under_any_name_but_a_loopback_one() {
    let acme = Acme::start().await;
    for host in ["acme.my.salesforce.com", "evil.example", "login.salesforce.com"] {
        for path in ["/", "/ca.pem", "/__emulator/page/events", "/__emulator/page/home.js"] {
            let answer = with_headers(&acme, Method::GET, path, &[(HOST.as_str(), host)]).await;
            assert!(!answer.text.contains(SECRET), "{host}{path}");
            assert!(!answer.text.contains("/__emulator/") && !answer.text.contains("CERTIFICATE"), "{host}{path}");
        }
    }
    let over_tls = tls_client(&acme.emulator).get("https://acme.my.salesforce.com/").send().await.unwrap();
    assert!(!over_tls.text().await.unwrap().contains(SECRET));
}

#[tokio::test]
async fn a_change_that_another_sites_page_sends_is_refused() {
    let acme = Acme::start().await;
    let started = acme.emulator.control().now();
    let sent_by_others: [&[(&str, &str)]; 5] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[(ORIGIN.as_str(), "https://evil.example")],
        &[(ORIGIN.as_str(), "null")],
        &[("sec-fetch-site", "cross-site"), (ORIGIN.as_str(), acme.emulator.http_url())],
    ];
    for path in ["/__emulator/page/clock", "/__emulator/clock"] {
        for headers in sent_by_others {
            let answer = with_headers(&acme, Method::POST, path, headers).await;
            assert_eq!(answer.status, 403, "{path} {headers:?}");
        }
    }
    assert_eq!(acme.emulator.control().now(), started);
}

#[tokio::test]
async fn a_button_of_the_page_leads_back_to_it() {
    let acme = Acme::start().await;
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let own: [&[(&str, &str)]; 3] =
        [&[("sec-fetch-site", "same-origin")], &[(ORIGIN.as_str(), acme.emulator.http_url())], &[]];
    for headers in own {
        let started = acme.emulator.control().now();
        let request = client.post(acme.url("/__emulator/page/clock")).body("seconds=60");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()[LOCATION], "/?done=clock#clock");
        assert_eq!((acme.emulator.control().now() - started).num_seconds(), 60);
    }
}

#[tokio::test]
async fn what_a_button_cannot_do_changes_nothing_and_is_said() {
    let acme = Acme::start().await;
    for (path, body, said) in [
        ("clock", "seconds=-1", "The clock has not moved"),
        ("clock", "amount=18446744073709551615&unit=86400", "The clock has not moved"),
        ("clock", "", "The clock has not moved"),
        ("caller", "address=%3Cscript%3E", "no IP address"),
        ("faults", "effect=unknown&route=*&nth=1", "No fault was added"),
        ("faults", "effect=hang&route=*&nth=0", "No fault was added"),
        ("faults", "effect=hang&route=&nth=1", "No fault was added"),
    ] {
        let started = acme.emulator.control().now();
        let request = acme.http.post(acme.url(&format!("/__emulator/page/{path}"))).body(body);
        let page = Seen::of(request.send().await.unwrap()).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains(said), "{path} {body}");
        assert_eq!(acme.emulator.control().now(), started);
        assert!(acme.emulator.control().unused_faults().is_empty());
    }
    let unknown = with_headers(&acme, Method::POST, "/__emulator/page/nothing", &[]).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn text_of_a_scenario_or_a_request_is_never_markup() {
    let acme = Acme::start_with(|scenario| scenario.org.name = "<script>alert(1)</script>".to_owned()).await;
    let control = acme.emulator.control();
    control.push_fault(emulator::Fault::next("GET <b>", emulator::Effect::Hang));
    with_headers(&acme, Method::GET, "/%3Cscript%3E'\"", &[]).await;
    let page = with_headers(&acme, Method::GET, "/?done=%3Cscript%3E", &[]).await;
    assert!(!page.text.contains("<script>") && !page.text.contains("<b>"), "{}", page.text);
}

#[tokio::test]
async fn the_page_and_its_buttons_are_not_in_the_journal() {
    let acme = Acme::start().await;
    with_headers(&acme, Method::GET, "/", &[]).await;
    with_headers(&acme, Method::POST, "/__emulator/page/sessions", &[]).await;
    assert!(acme.emulator.control().journal().is_empty());
}

#[tokio::test]
async fn the_events_begin_with_everything_and_go_on_with_what_happens() {
    let acme = Acme::start().await;
    let mut events = acme.http.get(acme.url("/__emulator/page/events")).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut seen = String::new();
    let mut until = async |wanted: &str| {
        while !seen.contains(wanted) {
            let chunk = events.chunk().await.unwrap().expect("the events do not end");
            seen.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        std::mem::take(&mut seen)
    };
    let first = until("id=\"logins-acme\"").await;
    assert!(first.starts_with("event: all-rows\n"), "{first}");
    with_headers(&acme, Method::GET, "/services/data", &[]).await;
    let then = until("status good").await;
    assert!(then.contains("event: rows\n") && then.contains("id=\"request-1\""), "{then}");
    acme.emulator.control().push_fault(emulator::Fault::next("GET /later", emulator::Effect::Hang));
    let last = until("GET /later").await;
    assert!(last.contains("event: part\n"), "{last}");
}
