//! Parameters of OAuth requests, and answers in the three formats.

use std::borrow::Cow;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use http::{StatusCode, header};
use serde::Serializer;
use serde::ser::SerializeMap;
use url::form_urlencoded;

use super::OAuthError;
use crate::answer::Answer;
use crate::call::Call;
use crate::jwt::Unverified;
use crate::multipart;
use crate::payload::Payload;

/// The parameters of a request: those of the body before those of the query string. Secrets are among them, so there
/// is no `Debug`.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads `application/x-www-form-urlencoded` or `multipart/form-data`; another media type has no parameters.
    pub(crate) fn of(call: &Call) -> Self {
        let mut all = Vec::new();
        if call.has_media_type("application/x-www-form-urlencoded") {
            all.extend(form_urlencoded::parse(&call.body).into_owned());
        } else if call.has_media_type("multipart/form-data") {
            let content_type = call.header(header::CONTENT_TYPE).unwrap_or_default();
            all.extend(multipart::fields(content_type, &call.body));
        }
        all.extend(form_urlencoded::parse(call.query.as_bytes()).into_owned());
        Self(all)
    }

    /// Reads a query string alone.
    pub(crate) fn of_query(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A parameter that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// The user that a request names, by user name or in an assertion.
    pub(crate) fn username(&self) -> Option<String> {
        let asserted = || Some(Unverified::parse(self.get("assertion")?)?.claims().username()?.to_owned());
        self.get("username").map(str::to_owned).or_else(asserted)
    }

    /// The consumer key that a request names, in its parameters, by HTTP Basic or in an assertion.
    pub(crate) fn client_id(&self, call: &Call) -> Option<String> {
        ClientCredentials::of(call, self).ok()?.id
    }
}

/// How a client says who it is.
pub(super) struct ClientCredentials {
    pub(super) id: Option<String>,
    pub(super) secret: Option<String>,
    /// A JWT in the place of the secret, and its type (RFC 7523 §2.2).
    pub(super) assertion: Option<(String, Option<String>)>,
}

impl ClientCredentials {
    /// From the body, else from HTTP Basic. A header that cannot be read matters only where it would be needed.
    ///
    /// An assertion names its app as the issuer: that of the JWT bearer flow says who asks, whatever `client_id` comes
    /// with it.
    pub(super) fn of(call: &Call, parameters: &Parameters) -> Result<Self, OAuthError> {
        let owned = |name| parameters.get(name).map(str::to_owned);
        let issuer = |name| {
            let assertion = Unverified::parse(parameters.get(name)?)?;
            assertion.claims().issuer().map(str::to_owned)
        };
        let named = issuer("assertion").or_else(|| owned("client_id")).or_else(|| issuer("client_assertion"));
        let (user, password) = match basic(call) {
            Basic::Malformed if named.is_none() => {
                return Err(OAuthError::new("invalid_basic_auth_header", "invalid basic auth header"));
            }
            Basic::Absent | Basic::Malformed => (None, None),
            Basic::Sent { id, secret } => (id, secret),
        };
        Ok(Self {
            id: named.or(user),
            secret: owned("client_secret").or(password),
            assertion: owned("client_assertion").map(|assertion| (assertion, owned("client_assertion_type"))),
        })
    }
}

/// User and password of HTTP Basic.
enum Basic {
    Absent,
    Malformed,
    Sent { id: Option<String>, secret: Option<String> },
}

/// The padding of Base64 may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// RFC 6749 §2.3.1 asks for form-encoding first; consumer keys and secrets survive decoding either way, except for `+`,
/// which they do not contain.
fn basic(call: &Call) -> Basic {
    let header = call.header(header::AUTHORIZATION).unwrap_or_default().trim();
    let (scheme, encoded) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Basic::Absent;
    }
    let decoded = BASE64.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((id, secret)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
        return Basic::Malformed;
    };
    let unescape = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let some = |text: &str| Some(unescape(text)).filter(|text| !text.is_empty());
    Basic::Sent { id: some(id), secret: some(secret) }
}

/// Names and texts, in order. Every value of a token answer is a string.
pub(super) struct Fields(Vec<(&'static str, Cow<'static, str>)>);

impl Fields {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    pub(super) fn with_some(self, name: &'static str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn url_encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

impl serde::Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Xml,
    UrlEncoded,
}

impl Encoding {
    /// The parameter `format`, else the first known media type of `Accept`, else `otherwise`.
    pub(super) fn wanted(call: &Call, parameters: &Parameters, otherwise: Self) -> Self {
        let named = match parameters.get("format") {
            Some("json") => Some(Self::Json),
            Some("xml") => Some(Self::Xml),
            Some("urlencoded") => Some(Self::UrlEncoded),
            _ => None,
        };
        let accepted = || {
            let accept = call.header(header::ACCEPT).unwrap_or_default();
            accept.split(',').find_map(|media| match media.split(';').next().unwrap_or_default().trim() {
                "application/json" => Some(Self::Json),
                "application/xml" => Some(Self::Xml),
                "application/x-www-form-urlencoded" => Some(Self::UrlEncoded),
                _ => None,
            })
        };
        named.or_else(accepted).unwrap_or(otherwise)
    }

    pub(super) fn answer(self, status: StatusCode, fields: &Fields) -> Answer {
        let answer = match self {
            Self::Json => Answer::json(status, fields),
            Self::Xml => {
                let body = Payload::bytes(xml(fields));
                Answer::typed(status, "application/xml;charset=UTF-8", body)
            }
            Self::UrlEncoded => {
                let body = Payload::bytes(fields.url_encoded());
                Answer::typed(status, "application/x-www-form-urlencoded", body)
            }
        };
        answer.with(header::CACHE_CONTROL, "no-cache, no-store").with(header::PRAGMA, "no-cache")
    }
}

/// JSON as a call of a function, for pages that load it as a script. Only letters of names get into the script.
pub(super) fn jsonp(status: StatusCode, callback: &str, json: &str) -> Answer {
    let name: String = callback
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '$'))
        .collect();
    Answer::text(status, format!("{name}({json});")).with(header::CONTENT_TYPE, "application/javascript")
}

fn xml(fields: &Fields) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><OAuth>");
    for (name, value) in &fields.0 {
        text.push_str(&format!("<{name}>{}</{name}>", escape_xml(value)));
    }
    text.push_str("</OAuth>");
    text
}

/// Text as XML content.
pub(crate) fn escape_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
