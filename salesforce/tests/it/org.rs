//! What an org says of itself.

use salesforce::{ErrorCode, Timestamp, org};

use crate::acme::{Acme, VERSION, my_domain};

#[tokio::test]
async fn the_versions_of_an_org_need_no_session_and_cost_no_call() {
    let acme = Acme::start().await;
    let versions = org::versions(&acme.http(), &my_domain()).await.unwrap();
    assert!(versions.is_sorted_by_key(|entry| entry.version));
    assert_eq!(versions.last().unwrap().version, VERSION);
    assert_eq!(acme.requests(), ["GET /services/data"]);
}

#[tokio::test]
async fn userinfo_names_org_and_user_of_the_session() {
    let acme = Acme::start().await;
    let user = acme.client().userinfo().await.unwrap();
    assert_eq!(user.preferred_username, "integration@acme.example");
    assert!(user.organization_id.starts_with("00D") && user.user_id.starts_with("005"));
}

#[tokio::test]
async fn calls_are_counted_and_the_quota_is_read() {
    let acme = Acme::start().await;
    let client = acme.client();
    client.describe("Account").await.unwrap();
    client.describe_global().await.unwrap();
    client.server_time().await.unwrap();
    client.userinfo().await.unwrap();
    let usage = client.usage();
    assert_eq!(usage.calls, 2, "neither the versions resource nor userinfo counts");
    assert_eq!(usage.org_max, Some(100_000));
    assert!(usage.org_used >= Some(2));
}

#[tokio::test]
async fn limits_are_read_by_name() {
    let acme = Acme::start().await;
    let limits = acme.client().limits().await.unwrap();
    assert_eq!(limits["DailyApiRequests"].max, 100_000);
}

#[tokio::test]
async fn the_orgs_clock_is_asked_and_not_this_machines() {
    let acme = Acme::start().await;
    assert_eq!(acme.client().server_time().await.unwrap(), Timestamp::parse("2026-11-21T09:00:00Z").unwrap());
}

#[tokio::test]
async fn describe_shows_the_fields_that_the_user_may_see() {
    let acme = Acme::start().await;
    let account = acme.client().describe("Account").await.unwrap();
    assert_eq!(account.key_prefix.as_deref(), Some("001"));
    assert!(account.field("name").is_some() && account.field("SystemModstamp").is_some());
}

#[tokio::test]
async fn describe_is_asked_for_only_when_it_has_changed() {
    let acme = Acme::start().await;
    let client = acme.client();
    let first = client.describe_if_changed("Account", None).await.unwrap().expect("the first is whole");
    let stamp = first.last_modified.expect("describes have a stamp");
    assert!(client.describe_if_changed("Account", Some(&stamp)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_unknown_object_is_refused_in_salesforces_words() {
    let acme = Acme::start().await;
    let error = acme.client().describe("Nothing__c").await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::NotFound));
    assert!(error.to_string().contains("describing Nothing__c"), "{error}");
}
