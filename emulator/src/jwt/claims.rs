//! The claims of an assertion, read as leniently as orgs read them.

use serde_json::{Map, Value};

/// The path of the token endpoint: some clients name it whole as the audience.
const TOKEN_PATH: &str = "/services/oauth2/token";

/// How long after `exp` an assertion still passes. That it is the three minutes of Salesforce Help is inferred.
const LEEWAY_SECONDS: i64 = 180;

/// The claims of a JWT.
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// A claim that is a text and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Consumer key of the client.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// The user name. `prn`, an early name of the claim, wins over `sub` (Salesforce Help, "OAuth 2.0 JWT Bearer Flow").
    pub(crate) fn username(&self) -> Option<&str> {
        self.text("prn").or_else(|| self.text("sub"))
    }

    /// Whether `exp` is missing, odd, or further before `now` (seconds since 1970) than orgs forgive.
    ///
    /// CumulusCI sends the second in which it signs, and orgs let it in.
    /// It is a number or the text of one: simple-salesforce sends a text. Salesforce's own command line sends
    /// milliseconds; read as seconds they lie in the far future, so they pass, as they do in orgs.
    pub(crate) fn is_expired(&self, now: i64) -> bool {
        let expires = match self.0.get("exp") {
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        // Seconds of any date that a clock shows are exact in a double. NaN is after nothing.
        let is_young = |expires: f64| expires > (now - LEEWAY_SECONDS) as f64;
        !expires.is_some_and(is_young)
    }

    /// The hosts that `aud` names, with their port if any, in lower case. It is a text or an array; each entry is a base
    /// address, a bare host (restforce) or the whole address of the token endpoint (ForceCLI).
    pub(crate) fn audiences(&self) -> impl Iterator<Item = String> {
        let entries = match self.0.get("aud") {
            Some(Value::Array(entries)) => entries.as_slice(),
            Some(entry) => std::slice::from_ref(entry),
            None => &[],
        };
        entries.iter().filter_map(|entry| audience_host(entry.as_str()?))
    }
}

fn audience_host(audience: &str) -> Option<String> {
    let audience = audience.trim();
    let rest = ["https://", "http://"].iter().find_map(|scheme| {
        let start = audience.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| &audience[scheme.len()..])
    });
    let rest = rest.unwrap_or(audience);
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let known = path.trim_end_matches('/');
    let is_known = known.is_empty() || known == TOKEN_PATH;
    (is_known && !host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_795_251_600;

    fn claims(value: Value) -> Claims {
        match value {
            Value::Object(claims) => Claims(claims),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn prn_wins_over_sub() {
        assert_eq!(claims(json!({"sub": "a"})).username(), Some("a"));
        assert_eq!(claims(json!({"sub": "a", "prn": "b"})).username(), Some("b"));
        assert_eq!(claims(json!({"sub": "a", "prn": ""})).username(), Some("a"));
        assert_eq!(claims(json!({"sub": 7})).username(), None);
    }

    #[test]
    fn the_expiry_may_be_a_text_an_hour_ahead_or_milliseconds_or_just_past() {
        for ahead in [
            json!(NOW - 179),
            json!(NOW),
            json!(NOW + 3600),
            json!((NOW + 180).to_string()),
            json!(NOW as f64 + 0.5),
            json!(NOW * 1000 + 300),
            json!(u64::MAX),
        ] {
            assert!(!claims(json!({"exp": ahead})).is_expired(NOW), "{ahead}");
        }
    }

    #[test]
    fn a_past_absent_or_odd_expiry_is_expired() {
        for past in [json!(NOW - 180), json!("soon"), json!("NaN"), json!(null), json!([NOW + 9]), json!("")] {
            assert!(claims(json!({"exp": past})).is_expired(NOW), "{past}");
        }
        assert!(claims(json!({})).is_expired(NOW));
    }

    #[test]
    fn an_audience_has_many_spellings() {
        for audience in [
            json!("https://login.salesforce.com"),
            json!("https://login.salesforce.com/"),
            json!("login.salesforce.com"),
            json!("HTTPS://Login.Salesforce.com"),
            json!("https://login.salesforce.com/services/oauth2/token"),
            json!(["https://login.salesforce.com"]),
        ] {
            let read: Vec<String> = claims(json!({"aud": audience})).audiences().collect();
            assert_eq!(read, ["login.salesforce.com"], "{audience}");
        }
        let several = claims(json!({"aud": ["a.example", 3, "http://127.0.0.1:80"]}));
        assert_eq!(several.audiences().collect::<Vec<_>>(), ["a.example", "127.0.0.1:80"]);
    }

    #[test]
    fn another_path_or_no_host_is_no_audience() {
        for audience in [json!("https://login.salesforce.com/other"), json!(""), json!("/"), json!(null), json!({})] {
            assert_eq!(claims(json!({"aud": audience})).audiences().next(), None, "{audience}");
        }
    }

    proptest! {
        #[test]
        fn no_audience_or_expiry_makes_it_panic(text in any::<String>()) {
            let claims = claims(json!({"aud": text, "exp": text}));
            claims.audiences().for_each(drop);
            claims.is_expired(NOW);
        }
    }
}
