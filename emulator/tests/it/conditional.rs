//! Conditional requests, formats and compression.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v60.0";

async fn seen(request: RequestBuilder) -> Seen {
    Seen::of(request.send().await.unwrap()).await
}

async fn account() -> (Acme, String, String) {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let id = acme.emulator.control().insert("Account", json!({"Name": "Tagged & Co", "Phone": "1"})).unwrap();
    (acme, token, format!("{ROOT}/sobjects/Account/{id}"))
}

#[tokio::test]
async fn an_account_has_a_tag_that_changes_with_it() {
    let (acme, token, path) = account().await;
    let first = acme.get(&path, &token).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() == 30, "{tag}");
    let get = |name: &'static str, value: String| acme.request(Method::GET, &path, &token).header(name, value);
    assert_eq!(seen(get("If-None-Match", tag.clone())).await.status, 304);
    let compressed = tag.replace("=\"", "=-gzip\"");
    assert_eq!(seen(get("If-None-Match", format!("\"other\", {compressed}"))).await.status, 304);
    assert_eq!(seen(get("If-Match", "\"other\"".to_owned())).await.status, 412);
    assert_eq!(seen(get("If-Match", tag.clone())).await.status, 200);

    let patch = |name: &'static str, value: &str| {
        acme.request(Method::PATCH, &path, &token).header(name, value).json(&json!({"Phone": "2"}))
    };
    assert_eq!(seen(patch("If-Match", "\"other\"")).await.status, 412);
    assert_eq!(seen(patch("If-None-Match", &tag)).await.status, 412);
    assert_eq!(seen(patch("If-Match", &tag)).await.status, 204);
    assert_eq!(seen(patch("If-Match", &tag)).await.status, 412, "the record has changed since");
    assert_ne!(acme.get(&path, &token).await.header("etag"), tag);
}

#[tokio::test]
async fn rows_are_read_and_written_by_the_date_of_their_last_change() {
    let (acme, token, path) = account().await;
    assert_eq!(acme.get(&path, &token).await.header("last-modified"), "Sat, 21 Nov 2026 09:00:00 GMT");
    let (then, before) = ("Sat, 21 Nov 2026 09:00:00 GMT", "Sat, 21 Nov 2026 08:59:59 GMT");
    let with = |method: Method, name: &'static str, value: &str| {
        acme.request(method, &path, &token).header(name, value).json(&json!({"Phone": "2"}))
    };
    let unchanged = seen(with(Method::GET, "If-Modified-Since", then)).await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));
    assert_eq!(seen(with(Method::GET, "If-Modified-Since", before)).await.status, 200);
    assert_eq!(seen(with(Method::PATCH, "If-Unmodified-Since", before)).await.status, 412);
    assert_eq!(seen(with(Method::PATCH, "If-Unmodified-Since", then)).await.status, 204);
    for header in ["If-Unmodified-Since", "If-Match", "If-None-Match"] {
        assert_eq!(seen(with(Method::PATCH, header, "nonsense")).await.status, 400, "{header}");
        assert_eq!(seen(with(Method::GET, header, "nonsense")).await.status, 200, "{header}");
    }
    let head = seen(acme.request(Method::HEAD, &path, &token)).await;
    assert_eq!((head.status, head.text.as_str(), head.header("last-modified")), (200, "", then));
    // DELETE knows no conditions.
    assert_eq!(seen(with(Method::DELETE, "If-Unmodified-Since", before)).await.status, 204);
}

#[tokio::test]
async fn an_upsert_of_a_record_that_is_there_keeps_the_conditions() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let path = format!("{ROOT}/sobjects/Account/Customer_Number__c/E-1");
    let create_only = || {
        let request = acme.request(Method::PATCH, &path, &token).header("If-None-Match", "*");
        request.json(&json!({"Name": "Once"}))
    };
    assert_eq!(seen(create_only()).await.status, 201);
    assert_eq!(seen(create_only()).await.status, 412);
}

#[tokio::test]
async fn contacts_have_no_tag() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let id = acme.emulator.control().insert("Contact", json!({"LastName": "x"})).unwrap();
    let path = format!("{ROOT}/sobjects/Contact/{id}");
    assert_eq!(acme.get(&path, &token).await.header("etag"), "");
    let request = acme.request(Method::GET, &path, &token).header("If-Match", "\"other\"");
    assert_eq!(seen(request).await.status, 200);
}

#[tokio::test]
async fn answers_are_xml_where_the_client_wants_it() {
    let (acme, token, path) = account().await;
    let accept = |path: &str, media: &str| acme.request(Method::GET, path, &token).header("Accept", media);
    let record = seen(accept(&format!("{path}?fields=Name,Phone,Fax"), "application/xml")).await;
    assert_eq!(record.header("content-type"), "application/xml;charset=UTF-8");
    let start = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Account type=\"Account\" url=\"{path}\">");
    assert!(record.text.starts_with(&start), "{}", record.text);
    assert!(record.text.contains("<Name>Tagged &amp; Co</Name><Phone>1</Phone>"), "{}", record.text);
    let page = acme.get(&format!("{ROOT}/query.xml?q=SELECT+Name+FROM+Account+WHERE+Phone='1'"), &token).await;
    assert!(page.text.contains("<QueryResult>") && page.text.contains("<records type=\"Account\""), "{}", page.text);
    let wrong = acme.get(&format!("{ROOT}/sobjects/Nope.xml"), &token).await;
    assert_eq!(wrong.status, 404);
    assert!(wrong.text.contains("<Errors><Error>") && wrong.text.contains("<errorCode>NOT_FOUND</errorCode>"));
    assert!(acme.get(&format!("{ROOT}/limits.json"), &token).await.json()["DailyApiRequests"].is_object());
    for (media, status) in [
        ("text/html", 406),
        ("image/png, text/csv", 406),
        ("text/html, */*;q=0.1", 200),
        ("application/json;charset=UTF-8", 200),
    ] {
        let answer = seen(accept(&path, media)).await;
        assert_eq!(answer.status, status, "{media}");
        assert!(status == 200 || answer.text.is_empty());
    }
}

#[tokio::test]
async fn records_are_written_in_xml_and_in_compressed_bodies() {
    let (acme, token, path) = account().await;
    let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Account xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
               <Name>By XML</Name><NumberOfEmployees>7</NumberOfEmployees><Phone xsi:nil=\"true\"/></Account>";
    let request = acme.request(Method::PATCH, &path, &token).header("content-type", "application/xml");
    let answer = seen(request.body(xml)).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, b"{\"Site\": \"packed\"}").unwrap();
    let request = acme.request(Method::PATCH, &path, &token).header("content-type", "application/json");
    let answer = seen(request.header("content-encoding", "gzip").body(packer.finish().unwrap())).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let record = acme.get(&path, &token).await.json();
    assert_eq!((&record["Name"], &record["NumberOfEmployees"]), (&json!("By XML"), &json!(7)));
    assert_eq!((&record["Phone"], &record["Site"]), (&Value::Null, &json!("packed")));
    let broken = acme.request(Method::PATCH, &path, &token).header("content-type", "application/xml").body("<Account>");
    assert_eq!(seen(broken).await.code(), "XML_PARSER_ERROR");
}

#[tokio::test]
async fn answers_are_deflated_for_clients_that_know_nothing_better() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let plain = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let request = plain.get(acme.url(&format!("{ROOT}/sobjects"))).bearer_auth(&token);
    let response = request.header("accept-encoding", "deflate").send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "deflate");
    let mut text = String::new();
    let packed = response.bytes().await.unwrap();
    std::io::Read::read_to_string(&mut flate2::read::ZlibDecoder::new(&packed[..]), &mut text).unwrap();
    assert!(serde_json::from_str::<Value>(&text).unwrap()["sobjects"].is_array());
}

#[tokio::test]
async fn methods_that_a_resource_lacks_are_answered_with_those_it_has() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let answer = acme.send(Method::PUT, &format!("{ROOT}/sobjects/Account"), &token, &json!({})).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST"));
    assert_eq!(answer.code(), "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn deprecated_versions_carry_a_warning_where_the_scenario_says_so() {
    use emulator::scenario::DeprecatedVersions;
    let acme = Acme::start_with(|scenario| scenario.rest.deprecated_versions = DeprecatedVersions::Warned).await;
    let token = acme.sign_in().await;
    let old = acme.get("/services/data/v40.0/sobjects/Account/listviews", &token).await;
    assert!(old.header("warning").starts_with("299 - \""), "{:?}", old.headers);
    assert_eq!(acme.get("/services/data/v41.0/sobjects/Account/listviews", &token).await.header("warning"), "");
    let silent = Acme::start().await;
    let token = silent.sign_in().await;
    assert_eq!(silent.get("/services/data/v31.0/limits", &token).await.header("warning"), "");
}

#[tokio::test]
async fn an_app_has_a_quota_of_its_own_where_the_scenario_gives_it_one() {
    let acme = Acme::start_with(|scenario| {
        scenario.limits.daily_api_requests_per_app.insert("Acme Integration".to_owned(), 2);
    })
    .await;
    let token = acme.sign_in().await;
    let path = format!("{ROOT}/sobjects/Account/listviews");
    let first = acme.get(&path, &token).await;
    let info = "api-usage=1/100000; per-app-api-usage=1/2(appName=Acme Integration)";
    assert_eq!(first.header("sforce-limit-info"), info);
    acme.get(&path, &token).await;
    let refused = acme.get(&path, &token).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "REQUEST_LIMIT_EXCEEDED"));
    let other = acme.sign_in_as_admin().await;
    assert_eq!(acme.get(&path, &other).await.status, 200);
}
