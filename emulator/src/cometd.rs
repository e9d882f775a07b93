//! `/cometd/{version}`: the Streaming API of an org without channels. A client signs in and stays connected; whatever it
//! subscribes to does not exist.
//!
//! Source: Streaming API guide, "Handling Streaming API Errors" and "Streaming API Error Codes"; Bayeux protocol 1.0; a
//! captured refusal of a subscription.

use std::time::Duration;

use http::{Method, StatusCode};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::call::Call;
use crate::org::Org;
use crate::route::{NEWEST_VERSION, OLDEST_VERSION};
use crate::site::Site;

/// How long a client is kept waiting for messages that never come (Streaming API guide: 110 seconds).
const PATIENCE_MILLISECONDS: u64 = 110_000;
/// Messages of one request. Clients send two or three.
const MOST_MESSAGES: usize = 100;
const NO_VERSION: &str = "400::API version in the URI is mandatory. URI format: '/cometd/60.0'";
const WRONG_VERSION: &str =
    "400::Unsupported API version. Only API versions '23.0' and above are supported. URI format: '/cometd/60.0'";

impl Org {
    /// `POST /cometd/{version}`, whatever follows: clients append the kind of message.
    pub(crate) async fn cometd(&self, call: &Call, version: Option<u16>) -> Answer {
        if call.method != Method::POST {
            return Answer::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Some(messages) = messages(&call.body) else {
            return Answer::html(StatusCode::BAD_REQUEST, "<h1>Invalid JSON</h1>");
        };
        let refusal = self.refusal_of(call, version);
        let client = client_of(call);
        let waits = refusal.is_none() && messages.iter().any(|message| waits(message, &client));
        if waits {
            tokio::time::sleep(Duration::from_millis(PATIENCE_MILLISECONDS)).await;
        }
        let replies: Vec<Value> = messages.iter().map(|message| reply(message, &client, refusal)).collect();
        Answer::ok(&replies)
    }

    /// Why nobody is let in.
    fn refusal_of(&self, call: &Call, version: Option<u16>) -> Option<&'static str> {
        match version {
            None if call.path.trim_matches('/') == "cometd" => return Some(NO_VERSION),
            Some(version) if (OLDEST_VERSION..=NEWEST_VERSION).contains(&version) => {}
            _ => return Some(WRONG_VERSION),
        }
        let Some(token) = call.bearer() else { return Some("401::Request requires authentication") };
        let known = call.site == Site::MyDomain && self.caller_by(call, token, NEWEST_VERSION).is_ok();
        if known { None } else { Some("401::Authentication invalid") }
    }
}

/// The messages of a request: a list, or one alone.
fn messages(body: &[u8]) -> Option<Vec<Value>> {
    let messages = match serde_json::from_slice(body).ok()? {
        Value::Array(messages) => messages,
        message => vec![message],
    };
    let sound = messages.len() <= MOST_MESSAGES && messages.iter().all(Value::is_object);
    sound.then_some(messages)
}

/// The client of a session: the same whenever it signs in, so that nothing has to be remembered.
fn client_of(call: &Call) -> String {
    let hash = digest(&SHA256, call.bearer().unwrap_or_default().as_bytes());
    hash.as_ref().iter().take(14).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a client waits for messages. The first time it asks not to.
fn waits(message: &Value, client: &str) -> bool {
    message["channel"] == "/meta/connect" && message["clientId"] == client && message["advice"]["timeout"] != 0
}

fn reply(message: &Value, client: &str, refusal: Option<&'static str>) -> Value {
    let channel = message["channel"].as_str().unwrap_or_default();
    let mut reply = match (channel, refusal) {
        ("/meta/handshake", Some(reason)) => json!({
            "ext": {"sfdc": {"failureReason": reason}},
            "advice": {"reconnect": "none"},
            "error": "403::Handshake denied",
        }),
        ("/meta/handshake", None) => json!({
            "ext": {"replay": true, "payload.format": true},
            "version": "1.0",
            "minimumVersion": "1.0",
            "supportedConnectionTypes": ["long-polling"],
            "advice": {"reconnect": "retry", "interval": 0, "timeout": PATIENCE_MILLISECONDS},
            "clientId": client,
        }),
        (_, Some(reason)) => json!({"advice": {"reconnect": "none", "interval": 0}, "error": reason}),
        _ if message["clientId"] != client => {
            json!({"advice": {"reconnect": "handshake", "interval": 0}, "error": "403::Unknown client"})
        }
        ("/meta/connect", None) => json!({
            "advice": {"reconnect": "retry", "interval": 0, "timeout": PATIENCE_MILLISECONDS},
            "clientId": client,
        }),
        ("/meta/subscribe", None) => json!({"clientId": client, "error": no_such_channel(&message["subscription"])}),
        ("/meta/unsubscribe" | "/meta/disconnect", None) => json!({"clientId": client}),
        // Nobody publishes here (Streaming API guide, "Client Connection").
        _ => json!({"clientId": client, "error": "403::Publishing to this channel is not allowed"}),
    };
    reply["channel"] = json!(channel);
    reply["successful"] = json!(reply.get("error").is_none());
    for name in ["id", "subscription"] {
        if let Some(value) = message.get(name) {
            reply[name] = value.clone();
        }
    }
    reply
}

fn no_such_channel(subscription: &Value) -> String {
    match subscription.as_str() {
        None | Some("") => "400::Channel name not specified".to_owned(),
        Some(name) if !name.starts_with('/') => "400::Channel subscriptions must start with a leading '/'".to_owned(),
        Some(name) => format!("400::The channel you requested to subscribe to does not exist {{{name}}}"),
    }
}
