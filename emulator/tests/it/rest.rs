//! The data API: versions, describe, queries, records and changes.

use emulator::Scenario;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v60.0";

pub(crate) async fn query(acme: &Acme, token: &str, soql: &str) -> Seen {
    query_with(acme, token, soql, "query", None).await
}

async fn query_with(acme: &Acme, token: &str, soql: &str, resource: &str, batch: Option<u32>) -> Seen {
    let mut request = acme.request(Method::GET, &format!("{ROOT}/{resource}"), token).query(&[("q", soql)]);
    if let Some(batch) = batch {
        request = request.header("Sforce-Query-Options", format!("batchSize={batch}"));
    }
    Seen::of(request.send().await.unwrap()).await
}

fn names(records: &Value) -> Vec<String> {
    records.as_array().unwrap().iter().map(|record| record["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_scenario_that_is_shipped_is_valid() {
    for name in Scenario::builtin_names() {
        assert_eq!(Scenario::builtin(name).unwrap().name, name);
    }
}

#[test]
fn a_scenario_with_a_misspelt_key_or_a_dangling_name_is_refused_with_the_reason() {
    let acme = include_str!("../../scenarios/acme.toml");
    for (from, to, reason) in [
        ("[rows]", "[row]", "unknown field `row`"),
        ("run_as = \"integration@acme.example\"", "run_as = \"nobody\"", "nobody, who does not exist"),
        ("\"00DgL000000ACME\"", "\"001gL000000ACME\"", "is not an org id"),
        ("my_domain = \"acme\"", "my_domain = \"Acme Inc\"", "is not a My Domain name"),
        ("profile = \"System Administrator\"", "profile = \"Admin\"", "which does not exist"),
    ] {
        let refusal = Scenario::from_toml(&acme.replace(from, to)).unwrap_err().to_string();
        assert!(refusal.contains(reason), "{refusal}");
    }
}

#[tokio::test]
async fn versions_are_free_and_need_no_session() {
    let acme = Acme::start().await;
    let answer = Seen::of(acme.http.get(acme.url("/services/data")).send().await.unwrap()).await;
    assert_eq!(answer.header("sforce-limit-info"), "");
    let versions = answer.json();
    let last = versions.as_array().unwrap().last().unwrap().clone();
    assert_eq!(last, json!({"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}));
    assert_eq!(versions[0]["version"], "31.0");
}

#[tokio::test]
async fn retired_versions_are_gone_and_unknown_paths_are_not_found() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let gone = acme.get("/services/data/v30.0/query", &token).await;
    assert_eq!((gone.status, gone.code().as_str()), (410, "GONE"));
    let expected = json!([{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]);
    for path in ["/services/data/v69.0", "/services/data/v60.0//sobjects", "/services/data/v60.0/nonsense"] {
        let answer = acme.get(path, &token).await;
        assert_eq!((answer.status, answer.json()), (404, expected.clone()), "{path}");
    }
}

#[tokio::test]
async fn a_session_without_api_enabled_is_told_so() {
    let acme = Acme::start().await;
    let answer = acme.client_credentials("3MVG9.acme.noapi", "acme-noapi-secret").await;
    let answer = acme.get(ROOT, &crate::client::access_token(&answer)).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "API_CURRENTLY_DISABLED"));
}

#[tokio::test]
async fn the_oauth_scheme_of_older_clients_is_accepted() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let request = acme.http.get(acme.url(ROOT)).header("authorization", format!("OAuth {token}"));
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn requests_are_counted_in_every_answer_and_refused_at_the_daily_limit() {
    let acme = Acme::start_with(|scenario| scenario.limits.daily_api_requests = 3).await;
    let token = acme.sign_in().await;
    for used in 1..=3 {
        let answer = acme.get(&format!("{ROOT}/limits"), &token).await;
        assert_eq!(answer.header("sforce-limit-info"), format!("api-usage={used}/3"));
        assert_eq!(answer.json()["DailyApiRequests"], json!({"Max": 3, "Remaining": 3 - used}));
    }
    let refused = acme.get(&format!("{ROOT}/limits"), &token).await;
    assert_eq!(refused.status, 403);
    let expected = json!([{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]);
    assert_eq!(refused.json(), expected);
    acme.emulator.control().advance(std::time::Duration::from_secs(25 * 3600));
    let token = acme.sign_in().await;
    assert_eq!(acme.get(&format!("{ROOT}/limits"), &token).await.status, 200);
}

#[tokio::test]
async fn limits_need_view_setup() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as("sam@acme.example", "sams-passwordTokenOfSam").await;
    assert_eq!(acme.get(&format!("{ROOT}/limits"), &token).await.status, 403);
}

#[tokio::test]
async fn objects_without_read_permission_do_not_exist() {
    let acme = Acme::start().await;
    let (integration, admin) = (acme.sign_in().await, acme.sign_in_as_admin().await);
    let global = async |token: &str| names(&acme.get(&format!("{ROOT}/sobjects"), token).await.json()["sobjects"]);
    let has = |names: &[String], wanted: &str| names.iter().any(|name| name == wanted);
    let (visible, all) = (global(&integration).await, global(&admin).await);
    assert!(has(&visible, "Account") && !has(&visible, "Invoice__c"), "{visible:?}");
    assert!(has(&all, "Invoice__c"));
    assert_eq!(acme.get(&format!("{ROOT}/sobjects/Invoice__c/describe"), &integration).await.status, 404);
    let refused = query(&acme, &integration, "SELECT Id FROM Invoice__c").await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "INVALID_TYPE"));
}

#[tokio::test]
async fn fields_hidden_by_field_level_security_are_absent_from_describe_and_queries() {
    let acme = Acme::start().await;
    let sam = acme.sign_in_as("sam@acme.example", "sams-passwordTokenOfSam").await;
    let admin = acme.sign_in_as_admin().await;
    let fields = async |token: &str| {
        names(&acme.get(&format!("{ROOT}/sobjects/Contact/describe"), token).await.json()["fields"])
    };
    assert!(fields(&admin).await.contains(&"Birthdate".to_owned()));
    assert!(!fields(&sam).await.contains(&"Birthdate".to_owned()));
    let refused = query(&acme, &sam, "SELECT Birthdate FROM Contact").await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "INVALID_FIELD"));
}

#[tokio::test]
async fn a_describe_that_has_not_changed_is_answered_with_304_and_no_body() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let path = format!("{ROOT}/sobjects/Account/describe");
    let first = acme.get(&path, &token).await;
    let since = first.header("last-modified").to_owned();
    assert_eq!(since, "Sat, 21 Nov 2026 09:00:00 GMT");
    let request = acme.request(Method::GET, &path, &token).header("if-modified-since", since);
    let second = Seen::of(request.send().await.unwrap()).await;
    assert_eq!((second.status, second.text.as_str()), (304, ""));
}

#[tokio::test]
async fn basic_information_is_the_entry_of_describe_global() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let body = acme.get(&format!("{ROOT}/sobjects/Account"), &token).await.json();
    assert_eq!(body["objectDescribe"]["keyPrefix"], "001");
    assert_eq!(body["recentItems"], json!([]));
}

#[tokio::test]
async fn pages_follow_each_other_by_next_records_url_until_every_row_came_once() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let mut page = query_with(&acme, &token, "SELECT Id, Name FROM Contact", "query", Some(200)).await.json();
    let total = page["totalSize"].as_u64().unwrap();
    let mut ids = Vec::new();
    loop {
        assert_eq!(page["totalSize"], total);
        ids.extend(page["records"].as_array().unwrap().iter().map(|r| r["Id"].as_str().unwrap().to_owned()));
        let keys: Vec<&String> = page.as_object().unwrap().keys().collect();
        if page["done"] == true {
            assert_eq!(keys, ["done", "records", "totalSize"]);
            break;
        }
        assert_eq!(keys, ["done", "nextRecordsUrl", "records", "totalSize"]);
        let next = page["nextRecordsUrl"].as_str().unwrap().to_owned();
        assert!(next.starts_with("/services/data/v60.0/query/0r8") && next.ends_with(&format!("-{}", ids.len())));
        let request = acme.request(Method::GET, &next, &token).header("Sforce-Query-Options", "batchSize=200");
        page = Seen::of(request.send().await.unwrap()).await.json();
    }
    assert_eq!(ids.len() as u64, total);
    ids.dedup();
    assert_eq!(ids.len() as u64, total);
}

#[tokio::test]
async fn an_open_cursor_shows_the_data_as_it_was_for_two_days() {
    let acme = Acme::start().await;
    let admin = acme.sign_in_as_admin().await;
    let soql = "SELECT Id, LastName FROM Contact";
    let page = query_with(&acme, &admin, soql, "query", Some(200)).await.json();
    let next = page["nextRecordsUrl"].as_str().unwrap().to_owned();
    let before = acme.get(&next, &admin).await.json();
    let victim = before["records"][0]["Id"].as_str().unwrap();
    let deleted = acme.request(Method::DELETE, &format!("{ROOT}/sobjects/Contact/{victim}"), &admin);
    assert_eq!(deleted.send().await.unwrap().status(), 204);
    assert_eq!(acme.get(&next, &admin).await.json(), before);

    acme.emulator.control().advance(std::time::Duration::from_secs(2 * 86_400));
    let admin = acme.sign_in_as_admin().await;
    let expired = acme.get(&next, &admin).await;
    let expected = json!([{"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}]);
    assert_eq!((expired.status, expired.json()), (400, expected));
}

#[tokio::test]
async fn a_cursor_belongs_to_the_user_who_opened_it() {
    let acme = Acme::start().await;
    let (admin, other) = (acme.sign_in_as_admin().await, acme.sign_in().await);
    let page = query_with(&acme, &admin, "SELECT Id FROM Contact", "query", Some(200)).await.json();
    let refused = acme.get(page["nextRecordsUrl"].as_str().unwrap(), &other).await;
    assert_eq!(refused.code(), "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn pages_shrink_when_long_text_is_selected_whatever_the_client_asks_for() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let page = query_with(&acme, &token, "SELECT Id, Description FROM Contact", "query", Some(2000)).await.json();
    assert_eq!(page["records"].as_array().unwrap().len(), 250);
    assert_eq!(page["done"], false);
}

#[tokio::test]
async fn the_batch_size_is_kept_between_200_and_2000() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let rows = async |batch| {
        let page = query_with(&acme, &token, "SELECT Id FROM Contact", "query", Some(batch)).await.json();
        page["records"].as_array().unwrap().len()
    };
    assert_eq!(rows(1).await, 200);
    assert_eq!(rows(300).await, 300);
}

#[tokio::test]
async fn a_count_is_a_total_without_records() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let counted = query(&acme, &token, "SELECT COUNT() FROM Account").await;
    let listed = query(&acme, &token, "SELECT Id FROM Account").await.json();
    let expected = json!({"totalSize": listed["totalSize"], "done": true, "records": []});
    assert_eq!(counted.json(), expected);
}

#[tokio::test]
async fn a_query_that_is_too_long_is_malformed_and_one_too_long_for_a_url_goes_by_composite() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let composite = async |soql: &str| {
        let url = reqwest::Url::parse_with_params(&acme.url("/services/data/v60.0/query"), [("q", soql)]).unwrap();
        let url = url.as_str().strip_prefix(acme.emulator.http_url()).unwrap().to_owned();
        let body = json!({"compositeRequest": [{"method": "GET", "url": url, "referenceId": "one"}]});
        let answer = acme.send(Method::POST, &format!("{ROOT}/composite"), &token, &body).await;
        assert_eq!(answer.status, 200);
        answer.json()["compositeResponse"][0].clone()
    };
    let names: Vec<String> = (0..2000).map(|number| format!("'name number {number}'")).collect();
    let long = format!("SELECT Id FROM Account WHERE Name IN ({})", names.join(","));
    assert!(long.len() > 16_384);
    let answer = composite(&long).await;
    assert_eq!((answer["httpStatusCode"].as_u64(), answer["referenceId"].as_str()), (Some(200), Some("one")));
    assert_eq!(answer["body"]["done"], true);

    let endless = format!("SELECT Id FROM Account WHERE Name = '{}'", "x".repeat(100_000));
    let answer = composite(&endless).await;
    assert_eq!(answer["httpStatusCode"], 400);
    assert_eq!(answer["body"][0]["message"], "SOQL statements can not be longer than 100000 characters");
}

#[tokio::test]
async fn a_record_is_created_read_changed_and_deleted() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let created = acme
        .send(
            Method::POST,
            &format!("{ROOT}/sobjects/Account"),
            &token,
            &json!({"Name": "Übung \"1\" 🎈", "NumberOfEmployees": 7}),
        )
        .await;
    assert_eq!(created.status, 201, "{}", created.text);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(created.json(), json!({"id": id, "success": true, "errors": []}));
    let path = format!("{ROOT}/sobjects/Account/{id}");
    let changed = acme.send(Method::PATCH, &path, &token, &json!({"NumberOfEmployees": 8})).await;
    assert_eq!((changed.status, changed.text.as_str()), (204, ""));
    let record = acme.get(&format!("{path}?fields=Name,NumberOfEmployees"), &token).await;
    let url = format!("/services/data/v60.0/sobjects/Account/{id}");
    let attributes = format!(r#"{{"attributes":{{"type":"Account","url":"{url}"}}"#);
    assert!(record.text.starts_with(&attributes), "{}", record.text);
    assert_eq!(record.json()["NumberOfEmployees"], 8);
    assert_eq!(acme.send(Method::DELETE, &path, &token, &json!({})).await.status, 204);
    let gone = acme.get(&path, &token).await;
    assert_eq!((gone.status, gone.code().as_str()), (404, "ENTITY_IS_DELETED"));
    let soql = format!("SELECT Id, IsDeleted FROM Account WHERE Id = '{id}'");
    assert_eq!(query(&acme, &token, &soql).await.json()["totalSize"], 0);
    assert_eq!(query_with(&acme, &token, &soql, "queryAll", None).await.json()["records"][0]["IsDeleted"], true);
}

#[tokio::test]
async fn wrong_records_are_refused_with_code_message_and_fields() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let post = async |body: Value| acme.send(Method::POST, &format!("{ROOT}/sobjects/Contact"), &token, &body).await;
    let missing = post(json!({"FirstName": "A"})).await;
    let expected = json!([{"message": "Required fields are missing: [LastName]", "errorCode": "REQUIRED_FIELD_MISSING", "fields": ["LastName"]}]);
    assert_eq!((missing.status, missing.json()), (400, expected));
    let unknown = post(json!({"LastName": "A", "Nonsense": 1})).await;
    let expected =
        json!([{"message": "No such column 'Nonsense' on sobject of type Contact", "errorCode": "INVALID_FIELD"}]);
    assert_eq!((unknown.status, unknown.json()), (400, expected));
    let request = acme.request(Method::POST, &format!("{ROOT}/sobjects/Contact"), &token).body("LastName=A");
    assert_eq!(request.send().await.unwrap().status(), 415);
    let request = acme.request(Method::POST, &format!("{ROOT}/sobjects/Contact"), &token);
    let broken = request.header("content-type", "application/json").body("{");
    assert_eq!(Seen::of(broken.send().await.unwrap()).await.code(), "JSON_PARSER_ERROR");
    assert_eq!(acme.send(Method::PUT, &format!("{ROOT}/sobjects/Contact"), &token, &json!({})).await.status, 405);
}

#[tokio::test]
async fn a_user_without_create_permission_creates_nothing() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let answer = acme.send(Method::POST, &format!("{ROOT}/sobjects/Account"), &token, &json!({"Name": "A"})).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test]
async fn an_upsert_by_external_id_inserts_then_updates() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let path = |version: &str| format!("/services/data/{version}/sobjects/Account/Customer_Number__c/K-1");
    let put = async |version: &str| acme.send(Method::PATCH, &path(version), &token, &json!({"Name": "K"})).await;
    let inserted = put("v60.0").await;
    assert_eq!((inserted.status, inserted.json()["created"].as_bool()), (201, Some(true)), "{}", inserted.text);
    let updated = put("v60.0").await;
    assert_eq!((updated.status, updated.json()["created"].as_bool()), (200, Some(false)));
    assert_eq!(put("v45.0").await.status, 204);
    assert_eq!(acme.get(&path("v60.0"), &token).await.json()["Name"], "K");
    let wrong = acme.get("/services/data/v60.0/sobjects/Account/Nope__c/1", &token).await;
    let message = "Provided external ID field does not exist or is not accessible: Nope__c";
    assert_eq!((wrong.status, wrong.json()[0]["message"].as_str()), (404, Some(message)));
}

#[tokio::test]
async fn a_post_may_stand_for_a_patch() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let id = query(&acme, &token, "SELECT Id FROM Account LIMIT 1").await.json()["records"][0]["Id"].clone();
    let path = format!("{ROOT}/sobjects/Account/{}?_HttpMethod=PATCH", id.as_str().unwrap());
    assert_eq!(acme.send(Method::POST, &path, &token, &json!({"Site": "here"})).await.status, 204);
}

#[tokio::test]
async fn changes_are_reported_by_the_minute_with_the_time_that_is_covered() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let minutes = |count: u64| acme.emulator.control().advance(std::time::Duration::from_secs(60 * count));
    minutes(5);
    let create = async || {
        let body = json!({"Name": "changed"});
        let answer = acme.send(Method::POST, &format!("{ROOT}/sobjects/Account"), &token, &body).await;
        answer.json()["id"].as_str().unwrap().to_owned()
    };
    let (kept, dropped) = (create().await, create().await);
    minutes(1);
    acme.send(Method::DELETE, &format!("{ROOT}/sobjects/Account/{dropped}"), &token, &json!({})).await;
    minutes(5);
    let span = "start=2026-11-21T09%3A05%3A30%2B00%3A00&end=2026-11-21T09%3A20%3A00Z";
    let updated = acme.get(&format!("{ROOT}/sobjects/Account/updated/?{span}"), &token).await.json();
    let expected = json!({"ids": [kept], "latestDateCovered": "2026-11-21T09:11:00.000+0000"});
    assert_eq!(updated, expected);
    let deleted = acme.get(&format!("{ROOT}/sobjects/Account/deleted/?{span}"), &token).await.json();
    let record = json!({"id": dropped, "deletedDate": "2026-11-21T09:06:00.000+0000"});
    assert_eq!(deleted["deletedRecords"], json!([record]));
    assert_eq!(deleted["latestDateCovered"], "2026-11-21T09:11:00.000+0000");
}

#[tokio::test]
async fn a_span_that_is_too_old_too_short_or_badly_encoded_is_refused() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    for span in [
        "start=2026-10-01T00:00:00Z&end=2026-11-01T00:00:00Z",
        "start=2026-11-21T08:00:00Z&end=2026-11-21T08:00:59Z",
        "start=2026-11-20T00:00:00+00:00&end=2026-11-21T00:00:00Z",
    ] {
        let answer = acme.get(&format!("{ROOT}/sobjects/Account/updated?{span}"), &token).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "INVALID_REPLICATION_DATE"), "{span}");
    }
}

#[tokio::test]
async fn answers_are_compressed_only_for_clients_that_ask_for_it() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let plain = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let ask = async |encoding: Option<&str>| {
        let mut request = plain.get(acme.url(&format!("{ROOT}/sobjects"))).bearer_auth(&token);
        if let Some(encoding) = encoding {
            request = request.header("accept-encoding", encoding);
        }
        let response = request.send().await.unwrap();
        let encoding = response.headers().get("content-encoding").cloned();
        (encoding.map(|value| value.to_str().unwrap().to_owned()), response.bytes().await.unwrap())
    };
    let (encoding, whole) = ask(None).await;
    assert_eq!(encoding, None);
    let (encoding, packed) = ask(Some("gzip, deflate")).await;
    assert_eq!(encoding.as_deref(), Some("gzip"));
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, whole);
}

#[tokio::test]
async fn indented_json_says_the_same() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let path = format!("{ROOT}/sobjects/Account/describe");
    let plain = acme.get(&path, &token).await;
    let pretty =
        Seen::of(acme.request(Method::GET, &path, &token).header("X-PrettyPrint", "1").send().await.unwrap()).await;
    assert!(pretty.text.lines().count() > 100);
    assert_eq!(pretty.json(), plain.json());
}

#[tokio::test]
async fn the_rows_of_a_scenario_are_those_outside_the_recycle_bin() {
    let acme = Acme::start_with(|scenario| {
        scenario.rows.insert("Contact".into(), 1001);
    })
    .await;
    let token = acme.sign_in().await;
    let soql = "SELECT COUNT() FROM Contact";
    assert_eq!(query(&acme, &token, soql).await.json()["totalSize"], 1001);
    let all = query_with(&acme, &token, soql, "queryAll", None).await.json();
    assert!(all["totalSize"].as_u64().unwrap() > 1001);
}

#[tokio::test]
async fn users_profiles_and_permissions_of_the_scenario_are_rows_that_can_be_queried() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let user =
        query(&acme, &token, "SELECT Id, Profile.Name, IsActive FROM User WHERE Username = 'sam@acme.example'").await;
    assert_eq!(user.json()["records"][0]["Profile"]["Name"], "Standard User", "{}", user.text);
    let soql = "SELECT PermissionsRead, PermissionsEdit FROM ObjectPermissions WHERE SobjectType = 'Contact' AND Parent.Label = 'Orgtide Read'";
    let rights = query(&acme, &token, soql).await.json();
    assert_eq!(rights["totalSize"], 1);
    assert_eq!(rights["records"][0]["PermissionsRead"], true);
    assert_eq!(rights["records"][0]["PermissionsEdit"], false);
}

#[tokio::test]
async fn files_are_found_by_the_ids_that_their_links_require_and_refused_without_in_the_words_of_salesforce() {
    let acme = Acme::start_with(|scenario| {
        scenario.rows.insert("ContentDocument".to_owned(), 20);
        scenario.rows.insert("ContentDocumentLink".to_owned(), 40);
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    let text = "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or \
                LinkedEntityId using the equals operator or multiple Id's using the IN operator.";
    for filter in [
        "",
        " WHERE ShareType = 'V'",
        " WHERE LinkedEntityId != null",
        " WHERE Id = '06AgL0000000001' OR ShareType = 'V'",
    ] {
        let soql = format!("SELECT Id FROM ContentDocumentLink{filter}");
        let refused = query(&acme, &token, &soql).await;
        assert_eq!(refused.json(), json!([{"message": text, "errorCode": "MALFORMED_QUERY"}]), "{soql}");
        let job = json!({"operation": "query", "query": soql});
        let refused = acme.send(Method::POST, &format!("{ROOT}/jobs/query"), &token, &job).await;
        assert_eq!(refused.json(), json!([{"message": text, "errorCode": "API_ERROR"}]), "{soql}");
    }
    let documents = query(&acme, &token, "SELECT Id FROM ContentDocument").await.json();
    let ids: Vec<String> = documents["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| format!("'{}'", record["Id"].as_str().unwrap()))
        .collect();
    let soql =
        format!("SELECT Id, LinkedEntity.Type FROM ContentDocumentLink WHERE ContentDocumentId IN ({})", ids.join(","));
    let links = query(&acme, &token, &soql).await;
    assert_eq!(links.json()["totalSize"], 40, "{}", links.text);
}

#[tokio::test]
async fn objects_with_odd_rules_are_described_with_the_cursors_that_they_have() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let cursors = ["SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime"];
    for (object, expected) in [
        ("AccountHistory", vec!["CreatedDate"]),
        ("AccountShare", vec!["LastModifiedDate"]),
        ("LoginHistory", vec!["LoginTime"]),
        ("ContentFolderLink", vec![]),
        ("ActivityFieldHistory", vec![]),
        ("CampaignMember", vec!["SystemModstamp", "LastModifiedDate", "CreatedDate"]),
    ] {
        let describe = acme.get(&format!("{ROOT}/sobjects/{object}/describe"), &token).await.json();
        let usable = |name: &str| {
            let field = describe["fields"].as_array().unwrap().iter().find(|field| field["name"] == name);
            field.is_some_and(|field| field["filterable"] == true && field["sortable"] == true)
        };
        let found: Vec<&str> = cursors.into_iter().filter(|name| usable(name)).collect();
        assert_eq!(found, expected, "{object}");
    }
    for object in ["CaseStatus", "TaskStatus"] {
        let job = json!({"operation": "query", "query": format!("SELECT Id FROM {object}")});
        let refused = acme.send(Method::POST, &format!("{ROOT}/jobs/query"), &token, &job).await;
        let text = format!("Entity '{object}' is not supported by the Bulk API.");
        assert_eq!(refused.json(), json!([{"message": text, "errorCode": "INVALIDENTITY"}]));
        let labels = query(&acme, &token, &format!("SELECT MasterLabel FROM {object}")).await.json();
        assert!(labels["totalSize"].as_u64().unwrap() >= 4);
    }
}
