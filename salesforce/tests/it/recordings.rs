//! Recorded answers of real orgs. They lie beside the project and are never part of it; where they are absent, these
//! tests say so and pass.

use std::{fs, path::PathBuf};

use emulator::Effect;
use salesforce::{
    ErrorCode, HostRules, Http, HttpConfig, Recovery, Timestamp,
    describe::FieldType,
    error::OAuthCause,
    oauth::{Grant, exchange},
    org,
};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::acme::{Acme, DESCRIBE, TOKEN, integration, my_domain};

/// A recorded body, or `None` with a message.
fn recorded(name: &str) -> Option<String> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/recordings")).join(name);
    match fs::read_to_string(&path) {
        Ok(text) if name.ends_with(".yaml") => Some(body_of_cassette(&text)),
        Ok(text) => Some(text),
        Err(_) => {
            eprintln!("skipped: there is no recording {name}");
            None
        }
    }
}

/// The `string` of a cassette's response: JSON, folded over lines or in single quotes; other keys may follow.
fn body_of_cassette(text: &str) -> String {
    let (_, body) = text.split_once("string: ").unwrap();
    let body = body.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let body = match body.strip_prefix('\'') {
        Some(quoted) => quoted.replace("''", "'"),
        None => body.trim_start_matches(['>', '-', ' ']).to_owned(),
    };
    let mut values = serde_json::Deserializer::from_str(&body).into_iter::<IgnoredAny>();
    values.next().unwrap().unwrap();
    body[..values.byte_offset()].to_owned()
}

fn answer(status: u16, body: String) -> Effect {
    Effect::Answer { status, content_type: "application/json;charset=UTF-8".to_owned(), body }
}

#[tokio::test]
async fn recorded_describes_are_read_whole() {
    for object in ["Account", "Contact", "Case", "Event", "Custom__c"] {
        let Some(body) = recorded(&format!("cumulusci/GET_sobjects_{object}_describe.yaml")) else { return };
        let raw: Value = serde_json::from_str(&body).unwrap();
        let acme = Acme::start().await;
        acme.fault(DESCRIBE, answer(200, body));
        let read = acme.client().describe(object).await.unwrap();
        let fields = raw["fields"].as_array().unwrap();
        assert_eq!(read.fields.len(), fields.len(), "{object}");
        for (field, raw) in read.fields.iter().zip(fields) {
            assert_eq!(raw["name"], field.name);
            assert!(!matches!(field.kind, FieldType::Other(_)), "{object}.{}: {:?}", field.name, field.kind);
        }
    }
}

#[tokio::test]
async fn the_recorded_list_of_objects_is_read() {
    let Some(body) = recorded("cumulusci/GET_sobjects_Global_describe.yaml") else { return };
    let acme = Acme::start().await;
    acme.fault("GET /services/data/vXX.X/sobjects", answer(200, body));
    let objects = acme.client().describe_global().await.unwrap();
    assert!(objects.iter().any(|object| object.name == "Account" && object.queryable));
}

#[tokio::test]
async fn recorded_token_answers_are_read_and_their_hosts_checked() {
    let Some(body) = recorded("restforce/auth_success_response.json") else { return };
    let acme = Acme::start().await;
    let sign_in = async |host_rules| {
        acme.fault(TOKEN, answer(200, body.clone()));
        let http = Http::new(HttpConfig { host_rules, ..acme.settings() }).unwrap();
        exchange(&http, &my_domain(), &integration(), &Grant::ClientCredentials).await
    };
    let tokens = sign_in(HostRules { legacy_instance_hosts: true, ..HostRules::default() }).await.unwrap();
    assert_eq!(tokens.instance_url.host(), "na1.salesforce.com");
    assert_eq!(tokens.org_id.as_deref(), Some("00Dx0000000BV7zEAG"));
    let error = sign_in(HostRules::default()).await.unwrap_err();
    assert_eq!(error.recovery(), Recovery::Configure, "{error}");
}

#[tokio::test]
async fn recorded_refusals_of_sign_ins_are_understood() {
    for (name, cause) in [
        ("auth_error_response", OAuthCause::AuthenticationFailure),
        ("refresh_error_response", OAuthCause::RefreshTokenDead),
    ] {
        let Some(body) = recorded(&format!("restforce/{name}.json")) else { return };
        let acme = Acme::start().await;
        acme.fault(TOKEN, answer(400, body));
        let refused = exchange(&acme.http(), &my_domain(), &integration(), &Grant::ClientCredentials).await;
        assert_eq!(refused.unwrap_err().cause(), Some(cause));
    }
}

#[tokio::test]
async fn recorded_refusals_of_data_are_understood() {
    for (name, code) in [
        ("query_error_response", ErrorCode::InvalidField),
        ("sobject_describe_error_response", ErrorCode::NotFound),
        ("write_error_response", ErrorCode::InvalidField),
    ] {
        let Some(body) = recorded(&format!("restforce/sobject/{name}.json")) else { return };
        let acme = Acme::start().await;
        acme.fault(DESCRIBE, answer(400, body));
        let error = acme.client().describe("Account").await.unwrap_err();
        assert_eq!(error.code(), Some(&code), "{name}");
    }
}

#[tokio::test]
async fn recorded_windows_of_changes_are_read() {
    let Some(updated) = recorded("restforce/sobject/get_updated_success_response.json") else { return };
    let Some(deleted) = recorded("restforce/sobject/get_deleted_success_response.json") else { return };
    let acme = Acme::start().await;
    acme.fault("GET /services/data/vXX.X/sobjects/{object}/updated", answer(200, updated));
    acme.fault("GET /services/data/vXX.X/sobjects/{object}/deleted", answer(200, deleted));
    let client = acme.client();
    let (start, end) = (Timestamp(0), Timestamp(86_400_000));
    assert_eq!(client.updated("Contact", start, end).await.unwrap().ids.len(), 7);
    assert_eq!(client.deleted("Contact", start, end).await.unwrap().deleted_records.len(), 1);
}

#[tokio::test]
async fn the_recorded_versions_are_read_in_order() {
    let Some(body) = recorded("restforce/services_data_success_response.json") else { return };
    let acme = Acme::start().await;
    acme.fault("GET /services/data", answer(200, body));
    let versions = org::versions(&acme.http(), &my_domain()).await.unwrap();
    assert_eq!(versions.first().map(|entry| entry.version.0), Some(20));
}
