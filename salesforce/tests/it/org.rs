//! What an org says of itself.

use emulator::Effect;
use salesforce::{ErrorCode, Timestamp, org};

use crate::acme::{Acme, DESCRIBE, VERSION, my_domain};

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

#[tokio::test]
async fn many_objects_are_described_by_one_request_and_each_has_its_own_outcome() {
    let acme = Acme::start().await;
    let names = ["Account", "Nothing__c", "Contact"].map(str::to_owned);
    let client = acme.client();
    let described = client.describe_many(&names).await.unwrap();
    let outcomes: Vec<_> = described
        .iter()
        .map(|(name, outcome)| {
            (name.as_str(), outcome.as_ref().map(|object| object.name.as_str()).map_err(|e| e.code()))
        })
        .collect();
    let missing = Err(Some(&ErrorCode::NotFound));
    assert_eq!(outcomes, [("Account", Ok("Account")), ("Nothing__c", missing), ("Contact", Ok("Contact"))]);
    assert_eq!(client.usage().calls, 1);
    let alone = client.describe("Account").await.unwrap();
    assert_eq!(format!("{alone:?}"), format!("{:?}", described[0].1.as_ref().unwrap()));
}

#[tokio::test]
async fn an_org_that_refuses_composites_is_asked_object_by_object() {
    let acme = Acme::start().await;
    let body = r#"[{"errorCode":"FUNCTIONALITY_NOT_ENABLED","message":"This feature is not currently enabled."}]"#;
    let refusal = Effect::Answer { status: 403, content_type: "application/json".into(), body: body.into() };
    acme.fault("POST /services/data/vXX.X/composite", refusal);
    let names = ["Account", "Contact"].map(str::to_owned);
    let described = acme.client().describe_many(&names).await.unwrap();
    assert!(described.iter().all(|(name, outcome)| outcome.as_ref().unwrap().name == *name));
    assert_eq!(acme.requests().iter().filter(|request| *request == DESCRIBE).count(), 2);
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_not_used_further_for_single_describes() {
    let acme = Acme::start().await;
    let body = r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]"#;
    let refusal = Effect::Answer { status: 403, content_type: "application/json".into(), body: body.into() };
    acme.fault("POST /services/data/vXX.X/composite", refusal);
    let names = ["Account", "Contact"].map(str::to_owned);
    let error = acme.client().describe_many(&names).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::RequestLimitExceeded));
    assert!(!acme.requests().iter().any(|request| request == DESCRIBE));
}

#[tokio::test]
async fn a_describe_names_the_values_of_a_picklist_with_their_labels() {
    let acme = Acme::start().await;
    let account = acme.client().describe("Account").await.unwrap();
    let industry = &account.field("Industry").unwrap().picklist_values;
    assert!(industry.iter().any(|value| value.value == "Banking" && value.label() == "Banking" && value.active));
}
