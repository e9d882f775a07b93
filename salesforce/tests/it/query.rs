//! Reading by REST queries.

use std::collections::BTreeSet;

use emulator::Effect;
use salesforce::{
    ApiError, ErrorCode,
    query::{Deleted, QueryPage},
};
use serde::Deserialize;

use crate::acme::Acme;

const QUERY: &str = "GET /services/data/vXX.X/query";
const COMPOSITE: &str = "POST /services/data/vXX.X/composite";

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "Id")]
    id: String,
}

fn page(json: &str) -> Effect {
    Effect::Answer { status: 200, content_type: "application/json".to_owned(), body: json.to_owned() }
}

async fn many_contacts(rows: u64) -> Acme {
    Acme::start_with(|scenario| {
        scenario.rows.insert("Contact".to_owned(), rows);
    })
    .await
}

/// Reads all contacts, and holds them against the org's own count.
async fn everybody(acme: &Acme, soql: &str) -> usize {
    let client = acme.client();
    let rows: Vec<Row> = client.query(soql).await.unwrap();
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let count = client.count("Contact", None, Deleted::Excluded).await.unwrap();
    assert_eq!((rows.len(), ids.len()), (count as usize, count as usize));
    rows.len()
}

/// Pitfalls 27 and 30: paging goes on to the end, along links as they are given.
#[tokio::test]
async fn paging_does_not_stop_at_ten_thousand_rows() {
    let acme = many_contacts(11_000).await;
    let rows = everybody(&acme, "SELECT Id FROM Contact").await;
    assert!(rows > 10_000);
    assert_eq!(acme.emulator.control().journal().iter().filter(|entry| entry.path.contains("//")).count(), 0);
}

/// Pitfall 29.
#[tokio::test]
async fn pages_that_shrink_because_of_long_text_lose_and_repeat_nothing() {
    let acme = many_contacts(600).await;
    let rows = everybody(&acme, "SELECT Id, Description FROM Contact").await;
    assert!(rows > 500, "more than two pages of 250");
}

/// Pitfall 66.
#[tokio::test]
async fn a_page_that_is_not_the_last_and_names_no_next_is_an_error() {
    let acme = Acme::start().await;
    acme.fault(QUERY, page(r#"{"totalSize":9,"done":false,"records":[]}"#));
    let error = acme.client().query::<Row>("SELECT Id FROM Contact").await.map(drop).unwrap_err();
    assert!(matches!(error, ApiError::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    let acme = Acme::start().await;
    let link = "https://evil.test/services/data/v68.0/query/01g-2000";
    acme.fault(QUERY, page(&format!(r#"{{"totalSize":9,"done":false,"nextRecordsUrl":"{link}","records":[]}}"#)));
    let error = acme.client().query::<Row>("SELECT Id FROM Contact").await.map(drop).unwrap_err();
    assert!(matches!(error, ApiError::Protocol { .. }), "{error:?}");
}

/// Pitfall 59.
#[tokio::test]
async fn a_time_zone_offset_with_a_plus_sign_arrives_whole() {
    let acme = Acme::start().await;
    let filter = "CreatedDate >= 1990-01-01T00:00:00+02:00";
    let count = acme.client().count("Contact", Some(filter), Deleted::Excluded).await.unwrap();
    assert_eq!(count, 400);
}

#[tokio::test]
async fn counting_asks_the_org_and_reads_no_rows() {
    let acme = Acme::start().await;
    let client = acme.client();
    assert_eq!(client.count("Account", None, Deleted::Excluded).await.unwrap(), 120);
    assert_eq!(client.count("Account", Some("Name = 'nobody at all'"), Deleted::Included).await.unwrap(), 0);
    assert_eq!(client.usage().calls, 2);
}

/// Pitfall 8: the length counts after encoding.
#[tokio::test]
async fn a_query_too_long_for_a_url_travels_in_a_composite_request() {
    let acme = Acme::start().await;
    let client = acme.client();
    // 6,000 characters become 18,000 bytes.
    let blanks = " ".repeat(6_000);
    let soql = format!("SELECT Id{blanks}FROM Contact");
    let rows: Vec<Row> = client.query(&soql).await.unwrap();
    assert_eq!(rows.len(), 400);
    assert_eq!((acme.count(COMPOSITE), acme.count(QUERY)), (1, 0));
    let short: Vec<Row> = client.query("SELECT Id FROM Contact").await.unwrap();
    assert_eq!(rows.iter().map(|row| &row.id).collect::<Vec<_>>(), short.iter().map(|row| &row.id).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_refusal_inside_a_composite_request_is_reported_like_any_other() {
    let acme = Acme::start().await;
    let soql = format!("SELECT Id,{}Nothing__c FROM Contact", " ".repeat(6_000));
    let error = acme.client().query::<Row>(&soql).await.map(drop).unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidField), "{error:?}");
}

#[tokio::test]
async fn an_unknown_field_is_reported_with_salesforces_words_and_a_remedy() {
    let acme = Acme::start().await;
    let error = acme.client().query::<Row>("SELECT Nothing__c FROM Contact").await.map(drop).unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidField));
    let message = error.to_string();
    assert!(message.contains("Nothing__c") && message.contains("field-level security"), "{message}");
}

#[tokio::test]
async fn a_page_is_handed_over_as_the_org_wrote_it() {
    let acme = Acme::start().await;
    let soql = "SELECT Id FROM Account LIMIT 1";
    let body = acme.client().query_page(QueryPage::First { soql, deleted: Deleted::Included }).await.unwrap();
    let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(page["totalSize"], 1);
    assert_eq!(page["records"][0]["attributes"]["type"], "Account");
}
