//! What a browser brings back from signing in.

use std::borrow::Cow;

use ring::digest::{SHA256, digest};
use url::form_urlencoded;

use crate::{
    error::{OAuthRefusal, Recovery, Stage},
    secret::AuthorizationCode,
};

/// Stands for the host of a refusal that came by way of a browser or a person.
pub(super) const SOMEBODY: &str = "Salesforce";

/// Why a callback is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    #[error("the callback does not say which sign-in it belongs to. Start signing in again, in this browser")]
    StateMissing,
    /// Another sign-in, another browser, or an attack: what came with it is not used.
    #[error(
        "the callback belongs to another sign-in than the one that this browser has started. Nothing of it is used. \
         Start signing in again, in one window"
    )]
    StateMismatch,
    #[error("the callback says both that access was given and that it was refused. Nothing of it is used")]
    ErrorAndCode,
    #[error("the callback brings neither a code nor an error. Start signing in again")]
    NeitherCodeNorError,
    #[error("the callback names {name} twice. Nothing of it is used")]
    RepeatedParameter { name: &'static str },
    /// The org's user or policies said no.
    #[error("{0}")]
    Refused(Box<OAuthRefusal>),
}

impl CallbackError {
    /// What cures this error.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Refused(refusal) => refusal.cause.recovery(),
            Self::StateMissing
            | Self::StateMismatch
            | Self::ErrorAndCode
            | Self::NeitherCodeNorError
            | Self::RepeatedParameter { .. } => Recovery::Reauthorize,
        }
    }

    /// The refusal, when Salesforce refused.
    pub fn refusal(&self) -> Option<&OAuthRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// Reads the query of a callback, as it stands in the address. `state` is what the request of this browser held.
///
/// The state is compared before anything else is looked at, in a time that tells nothing about it. The code is decoded
/// once; it is encoded again when it is exchanged. Source: help page `remoteaccess_oauth_web_server_flow`; RFC 6749,
/// section 4.1.2.
///
/// # Errors
/// See [`CallbackError`].
pub fn read_callback(query: &str, state: &str) -> Result<AuthorizationCode, CallbackError> {
    let came_back = only(query, "state")?.ok_or(CallbackError::StateMissing)?;
    if state.is_empty() || !is_same(&came_back, state) {
        return Err(CallbackError::StateMismatch);
    }
    match (only(query, "error")?, only(query, "code")?) {
        (Some(_), Some(_)) => Err(CallbackError::ErrorAndCode),
        (Some(error), None) => {
            let description = only(query, "error_description")?.unwrap_or_default();
            let refusal = OAuthRefusal::new(Stage::Authorize, SOMEBODY, 0, &error, &description);
            Err(CallbackError::Refused(Box::new(refusal)))
        }
        (None, Some(code)) if !code.is_empty() => Ok(code.into_owned().into()),
        (None, _) => Err(CallbackError::NeitherCodeNorError),
    }
}

/// The value of a parameter that may come once.
fn only<'a>(query: &'a str, name: &'static str) -> Result<Option<Cow<'a, str>>, CallbackError> {
    let query = query.strip_prefix('?').unwrap_or(query);
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let value = values.next().map(|(_, value)| value);
    if values.next().is_some() { Err(CallbackError::RepeatedParameter { name }) } else { Ok(value) }
}

/// Compares digests, so that the time it takes says nothing about the texts.
fn is_same(one: &str, other: &str) -> bool {
    let digest = |text: &str| digest(&SHA256, text.as_bytes());
    digest(one).as_ref() == digest(other).as_ref()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::OAuthCause;

    #[test]
    fn a_code_is_decoded_exactly_once() {
        for (query, expected) in [
            ("code=aPrx.x%3D%3D&state=s", "aPrx.x=="),
            ("?state=s&code=aPrx%253D", "aPrx%3D"),
            ("code=a%2Bb+c&state=s&sfdc_community_url=x", "a+b c"),
        ] {
            assert_eq!(read_callback(query, "s").unwrap().expose(), expected, "{query}");
        }
    }

    #[test]
    fn a_state_counts_before_everything_else() {
        for (query, expected) in [
            ("code=c", CallbackError::StateMissing),
            ("error=access_denied", CallbackError::StateMissing),
            ("", CallbackError::StateMissing),
            ("code=c&state=S", CallbackError::StateMismatch),
            ("code=c&state=", CallbackError::StateMismatch),
            ("code=c&code=d&state=other", CallbackError::StateMismatch),
            ("error=access_denied&state=other", CallbackError::StateMismatch),
            ("code=c&state=s&state=s", CallbackError::RepeatedParameter { name: "state" }),
        ] {
            assert_eq!(read_callback(query, "s").unwrap_err(), expected, "{query}");
        }
        assert_eq!(read_callback("code=c&state=", "").unwrap_err(), CallbackError::StateMismatch);
    }

    #[test]
    fn a_callback_that_contradicts_itself_is_not_followed() {
        for (query, expected) in [
            ("state=s&code=c&error=access_denied", CallbackError::ErrorAndCode),
            ("state=s", CallbackError::NeitherCodeNorError),
            ("state=s&code=", CallbackError::NeitherCodeNorError),
            ("state=s&code=c&code=c", CallbackError::RepeatedParameter { name: "code" }),
            ("state=s&error=x&error=y", CallbackError::RepeatedParameter { name: "error" }),
        ] {
            let error = read_callback(query, "s").unwrap_err();
            assert_eq!((error.recovery(), &error), (Recovery::Reauthorize, &expected), "{query}");
        }
    }

    #[test]
    fn a_refusal_keeps_salesforces_words_and_names_its_cause() {
        let query = "error=OAUTH_APP_BLOCKED&error_description=this+app+is+blocked+by+admin&state=s";
        let error = read_callback(query, "s").unwrap_err();
        let refusal = error.refusal().unwrap();
        assert_eq!(refusal.cause, OAuthCause::AppBlocked);
        assert_eq!(refusal.description, "this app is blocked by admin");
        assert!(error.to_string().contains("Connected Apps OAuth Usage"), "{error}");
        let denied = read_callback("error=access_denied&error_description=end-user+denied&state=s", "s").unwrap_err();
        assert_eq!(denied.refusal().unwrap().cause, OAuthCause::Denied);
    }

    proptest! {
        #[test]
        fn any_callback_is_read(query in ".{0,200}", state in ".{0,20}") {
            let _ = read_callback(&query, &state);
        }

        #[test]
        fn a_code_comes_through_as_it_was(code in ".{1,60}", state in ".{1,40}") {
            let mut query = form_urlencoded::Serializer::new(String::new());
            let query = query.append_pair("code", &code).append_pair("state", &state).finish();
            let read = read_callback(&query, &state).unwrap();
            prop_assert_eq!(read.expose(), code);
        }
    }
}
