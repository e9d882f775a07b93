//! getUpdated and getDeleted.

use salesforce::{ErrorCode, Timestamp};

use crate::acme::Acme;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[tokio::test]
async fn a_window_tells_how_far_it_covers() {
    let acme = Acme::start().await;
    let client = acme.client();
    let (start, end) = (at("2026-11-20T00:00:00Z"), at("2026-11-21T08:00:00Z"));
    let updated = client.updated("Contact", start, end).await.unwrap();
    assert!(updated.latest_date_covered <= end);
    assert!(updated.ids.iter().all(|id| id.len() == 18 && id.starts_with("003")));
    let deleted = client.deleted("Contact", start, end).await.unwrap();
    assert!(deleted.earliest_date_available <= deleted.latest_date_covered);
}

#[tokio::test]
async fn a_window_that_is_too_old_or_empty_is_refused() {
    let acme = Acme::start().await;
    let client = acme.client();
    for (start, end) in
        [("2026-01-01T00:00:00Z", "2026-11-21T08:00:00Z"), ("2026-11-21T08:00:00Z", "2026-11-21T08:00:30Z")]
    {
        let error = client.updated("Contact", at(start), at(end)).await.unwrap_err();
        assert_eq!(error.code(), Some(&ErrorCode::InvalidReplicationDate), "{error}");
    }
}
