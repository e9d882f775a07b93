//! The Streaming API of an org that has no channels.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Acme;

const PATH: &str = "/cometd/60.0";

async fn send(acme: &Acme, path: &str, token: &str, message: Value) -> Value {
    let answer = acme.send(Method::POST, path, token, &json!([message])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()[0].clone()
}

fn handshake() -> Value {
    json!({"channel": "/meta/handshake", "id": "1", "version": "1.0", "supportedConnectionTypes": ["long-polling"]})
}

#[tokio::test]
async fn a_client_signs_in_and_is_told_that_the_channel_does_not_exist() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let met = send(&acme, &format!("{PATH}/handshake"), &token, handshake()).await;
    assert_eq!((&met["successful"], &met["id"], &met["version"]), (&json!(true), &json!("1"), &json!("1.0")), "{met}");
    assert_eq!(met["supportedConnectionTypes"], json!(["long-polling"]));
    let client = met["clientId"].clone();
    let connect = json!({
        "channel": "/meta/connect",
        "clientId": client,
        "connectionType": "long-polling",
        "advice": {"timeout": 0},
    });
    let connected = send(&acme, PATH, &token, connect.clone()).await;
    assert_eq!((&connected["successful"], &connected["advice"]["reconnect"]), (&json!(true), &json!("retry")));
    let channel = "/topic/AccountUpdates";
    let subscribe = json!({"channel": "/meta/subscribe", "clientId": client, "id": "7", "subscription": channel});
    let expected = json!({
        "channel": "/meta/subscribe",
        "clientId": client,
        "error": format!("400::The channel you requested to subscribe to does not exist {{{channel}}}"),
        "id": "7",
        "subscription": channel,
        "successful": false,
    });
    assert_eq!(send(&acme, PATH, &token, subscribe).await, expected);
    let mut stranger = connect.clone();
    stranger["clientId"] = json!("somebody");
    let unknown = send(&acme, PATH, &token, stranger).await;
    assert_eq!(
        (&unknown["error"], &unknown["advice"]["reconnect"]),
        (&json!("403::Unknown client"), &json!("handshake"))
    );

    let mut waiting = connect;
    waiting.as_object_mut().unwrap().remove("advice");
    let quickly = Duration::from_millis(300);
    let waited = tokio::time::timeout(quickly, send(&acme, PATH, &token, waiting)).await;
    assert!(waited.is_err(), "a client that is connected waits for messages: {waited:?}");
    let bye = json!({"channel": "/meta/disconnect", "clientId": client});
    assert_eq!(send(&acme, PATH, &token, bye).await["successful"], true);
}

#[tokio::test]
async fn a_handshake_without_a_session_or_a_version_is_denied_with_the_reason() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    for (path, token, reason) in [
        (PATH, "wrong", "401::Authentication invalid"),
        ("/cometd", &*token, "400::API version in the URI is mandatory. URI format: '/cometd/60.0'"),
        (
            "/cometd/22.0",
            &*token,
            "400::Unsupported API version. Only API versions '23.0' and above are supported. URI format: '/cometd/60.0'",
        ),
    ] {
        let denied = send(&acme, path, token, handshake()).await;
        let expected = json!({
            "advice": {"reconnect": "none"},
            "channel": "/meta/handshake",
            "error": "403::Handshake denied",
            "ext": {"sfdc": {"failureReason": reason}},
            "id": "1",
            "successful": false,
        });
        assert_eq!(denied, expected);
    }
    let anonymous = acme.http.post(acme.url(PATH)).json(&json!([handshake()])).send().await.unwrap();
    let body: Value = anonymous.json().await.unwrap();
    assert_eq!(body[0]["ext"]["sfdc"]["failureReason"], "401::Request requires authentication");
    let connect = json!({"channel": "/meta/connect", "clientId": "x"});
    let ended = send(&acme, PATH, "wrong", connect).await;
    assert_eq!(
        (&ended["error"], &ended["advice"]["reconnect"]),
        (&json!("401::Authentication invalid"), &json!("none"))
    );
    assert_eq!(acme.get(PATH, &token).await.status, 405);
}
