//! What only exists on Experience Cloud sites, or only for apps that Salesforce knows: headless identity, guests, and
//! dynamic client registration. A My Domain refuses all of it (Salesforce Help, "Headless Identity" and "OpenID Connect
//! Dynamic Client Registration"); which error it gives there is not documented.

use http::StatusCode;

use super::OAuthError;
use super::form::{Encoding, Parameters};
use crate::answer::Answer;
use crate::call::Call;

/// Any call below `/services/auth/headless`, and `/services/oauth2/echo`, to which the authorization code and
/// credentials flow redirects.
pub(crate) fn headless(call: &Call) -> Answer {
    let encoding = Encoding::wanted(call, &Parameters::of(call), Encoding::Json);
    OAuthError::new("invalid_request", "request not supported on this domain").into_answer(encoding)
}

/// `POST /services/oauth2/register`: nobody has the initial access token that it asks for (RFC 7591, section 3).
pub(crate) fn register() -> Answer {
    OAuthError::new("invalid_token", "a valid initial access token is required")
        .with_status(StatusCode::UNAUTHORIZED)
        .into_answer(Encoding::Json)
}

/// Refuses guests: they name themselves by the header `Uvid-Hint: UVID <uuid>`.
pub(super) fn check_guest(call: &Call) -> Result<(), OAuthError> {
    let Some(hint) = call.header("uvid-hint") else { return Ok(()) };
    match hint.strip_prefix("UVID ").is_some_and(is_uuid) {
        true => Err(OAuthError::new("invalid_request", "guest flow not enabled")),
        false => Err(OAuthError::new("invalid_request", "uvid invalid")),
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let is_hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_five_groups_of_hexadecimal_digits() {
        assert!(is_uuid("4adfa08d-53ef-4b45-a2f6-2e2a6ac2b3aa"));
        for wrong in ["", "4adfa08d", "4adfa08d-53ef-4b45-a2f6-2e2a6ac2b3ag", "4adfa08-d53ef-4b45-a2f6-2e2a6ac2b3aa"] {
            assert!(!is_uuid(wrong), "{wrong}");
        }
    }
}
