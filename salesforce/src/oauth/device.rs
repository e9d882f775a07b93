//! The device flow: a code that a person confirms in a browser elsewhere.
//!
//! It begins here; each poll is an [`super::exchange`] of [`super::Grant::Device`].

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::{Url, form_urlencoded::Serializer};

use super::{ClientApp, TOKEN_ENDPOINT, post};
use crate::{
    error::{OAuthError, Stage},
    host::{HostRules, OrgUrl},
    http::{Answer, Http, Replay, Request},
    secret::DeviceCode,
};

/// How long a person has. It is documented and not part of the answer (help page `remoteaccess_oauth_device_flow`).
pub const DEVICE_CODE_LIFE: Duration = Duration::from_secs(600);

/// The interval when the answer names none (RFC 8628, section 3.2).
const USUAL_INTERVAL: Duration = Duration::from_secs(5);
/// No interval is longer, whatever the answer says: the code itself lives no longer than ten of them.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// The user code has eight characters today.
const LONGEST_USER_CODE: usize = 32;

/// What a person is shown, and what is polled with.
#[derive(Debug, Clone)]
pub struct DeviceStart {
    pub device_code: DeviceCode,
    pub user_code: String,
    /// Where the user code is entered: https, on a host of Salesforce.
    pub verification_uri: Url,
    /// Between two polls; [`crate::error::OAuthCause::SlowDown`] adds five seconds to it (RFC 8628, section 3.5).
    pub interval: Duration,
}

impl DeviceStart {
    /// The address of the page with the code filled in, for a link or a QR code.
    pub fn prefilled_uri(&self) -> Url {
        let mut uri = self.verification_uri.clone();
        uri.query_pairs_mut().append_pair("user_code", &self.user_code);
        uri
    }
}

/// The answer. Everything but the interval is a text there; that is a number, and lenient readers take both.
#[derive(Deserialize)]
struct DeviceAnswer {
    device_code: String,
    user_code: String,
    verification_uri: String,
    #[serde(default)]
    interval: Value,
}

/// Starts the device flow of `app` at `login`. No scopes ask for every scope of the app.
///
/// The secret is sent if there is one: it is not needed yet, but a wrong one is told now rather than after a person has
/// signed in.
///
/// # Errors
/// The refusal with its cause; [`OAuthError::Unexpected`] when the answer leads elsewhere than to Salesforce.
pub async fn start_device(
    http: &Http,
    login: &OrgUrl,
    app: &ClientApp,
    scopes: &[&str],
) -> Result<DeviceStart, OAuthError> {
    let request = Request::oauth(TOKEN_ENDPOINT, form(app, scopes).into(), Replay::Harmless);
    let answer: Answer = post(http, login, &request, Stage::Device).await?;
    read(&answer.body, http.host_rules())
        .map_err(|reason| OAuthError::Unexpected { host: login.host().to_owned(), reason })
}

fn form(app: &ClientApp, scopes: &[&str]) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("response_type", "device_code");
    app.append_to(&mut form);
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.join(" "));
    }
    form.finish()
}

fn read(body: &[u8], rules: HostRules) -> Result<DeviceStart, String> {
    let answer: DeviceAnswer = serde_json::from_slice(body)
        // The position only: the text beside it is the code.
        .map_err(|error| format!("no device code in line {} column {}", error.line(), error.column()))?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let user_code = answer.user_code;
    if user_code.is_empty() || user_code.len() > LONGEST_USER_CODE || !user_code.chars().all(is_plain) {
        return Err("its user code is none".to_owned());
    }
    if answer.device_code.is_empty() {
        return Err("its device code is empty".to_owned());
    }
    Ok(DeviceStart {
        device_code: answer.device_code.into(),
        user_code,
        verification_uri: verification_uri(&answer.verification_uri, rules)?,
        interval: interval(&answer.interval),
    })
}

/// A person signs in there, so it has to be Salesforce.
fn verification_uri(text: &str, rules: HostRules) -> Result<Url, String> {
    let refused = || "the page to enter the code is not on a host of Salesforce".to_owned();
    let uri = Url::parse(text).map_err(|_| refused())?;
    let is_plain =
        uri.scheme() == "https" && uri.port().is_none() && uri.username().is_empty() && uri.password().is_none();
    let is_admitted = uri.host_str().is_some_and(|host| rules.admits(host));
    if is_plain && is_admitted { Ok(uri) } else { Err(refused()) }
}

fn interval(value: &Value) -> Duration {
    let seconds = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|seconds| *seconds > 0);
    seconds.map_or(USUAL_INTERVAL, Duration::from_secs).min(LONGEST_INTERVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(uri: &str, interval: &str) -> String {
        format!(r#"{{"device_code":"d","user_code":"08T3AY9D","verification_uri":"{uri}"{interval}}}"#)
    }

    #[test]
    fn the_interval_is_read_as_a_number_or_a_text_and_bounded() {
        for (interval, seconds) in [
            ("", 5),
            (r#","interval":7"#, 7),
            (r#","interval":"9""#, 9),
            (r#","interval":0"#, 5),
            (r#","interval":-1"#, 5),
            (r#","interval":null"#, 5),
            (r#","interval":99999999999"#, 60),
            (r#","interval":{}"#, 5),
        ] {
            let text = answer("https://acme.my.salesforce.com/setup/connect", interval);
            let start = read(text.as_bytes(), HostRules::default()).unwrap();
            assert_eq!(start.interval, Duration::from_secs(seconds), "{interval}");
            let prefilled = "https://acme.my.salesforce.com/setup/connect?user_code=08T3AY9D";
            assert_eq!(start.prefilled_uri().as_str(), prefilled);
        }
    }

    #[test]
    fn a_page_elsewhere_is_refused() {
        for uri in [
            "http://acme.my.salesforce.com/setup/connect",
            "https://acme.my.salesforce.com.evil.example/setup/connect",
            "https://acme.my.salesforce.com:8443/setup/connect",
            "https://a@acme.my.salesforce.com/setup/connect",
            "javascript:alert(1)",
            "/setup/connect",
            "",
        ] {
            let text = answer(uri, "");
            assert!(read(text.as_bytes(), HostRules::default()).unwrap_err().contains("not on a host"), "{uri}");
        }
    }

    #[test]
    fn an_answer_without_codes_is_refused_and_not_repeated() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"device_code":"canary","user_code":1,"verification_uri":""}"#,
            r#"{"device_code":"canary","user_code":"","verification_uri":"https://login.salesforce.com"}"#,
            r#"{"device_code":"canary","user_code":"<script>","verification_uri":"https://login.salesforce.com"}"#,
            r#"{"device_code":"","user_code":"AB","verification_uri":"https://login.salesforce.com"}"#,
        ] {
            let reason = read(text.as_bytes(), HostRules::default()).unwrap_err();
            assert!(!reason.contains("canary"), "{reason}");
        }
    }
}
