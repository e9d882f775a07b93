//! What the session may do at all.

use salesforce::{
    ApiError, ErrorCode, OAuthError,
    oauth::{Flow, Renewal},
    org::VersionStanding,
};

use crate::diagnose::{
    catalogue,
    facts::{Case, Fact, OrgFacts},
    finding::Finding,
    of_error,
};

/// Whether the API answers, and if not, what exactly refuses.
pub(super) fn access(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let error = match &facts.objects_listed {
        Fact::Known(objects) => {
            let seen = format!("the API answers; the user sees {} objects", objects.len());
            return vec![catalogue::API_ANSWERS.found(seen)];
        }
        Fact::Refused(error) => error,
        Fact::NotAsked => return Vec::new(),
    };
    if let (ApiError::SignIn(OAuthError::Retired { reason }), None) = (error, &case.expected) {
        // A session that has just been issued.
        return vec![catalogue::SESSION_REFUSED.found(reason.clone())];
    }
    vec![match error.refusal() {
        Some(refusal) if refusal.code == ErrorCode::InvalidSessionId && lacks_api(granted(case, facts)) => {
            let granted = granted(case, facts).join(" ");
            catalogue::SCOPE_API_MISSING.found(format!("{}; granted: {granted}", of_error::said(refusal)))
        }
        // The identity is answered and even the list of objects is not: no object's permission is to blame.
        Some(refusal) if refusal.code == ErrorCode::InsufficientAccess && !of_error::is_about_assurance(refusal) => {
            catalogue::EVERYTHING_REFUSED.found(of_error::said(refusal))
        }
        _ => of_error::of_api(error),
    }]
}

/// True when it is known that the token opens no data. `full` contains `api`, and so does `chatter_api` a part of it.
fn lacks_api(granted: &[String]) -> bool {
    !granted.is_empty() && !has(granted, "api") && !has(granted, "full")
}

fn has(granted: &[String], scope: &str) -> bool {
    granted.iter().any(|granted| granted == scope)
}

/// What was granted, by the answer to the sign-in, or by what Salesforce says of the token; empty: not known.
pub(super) fn granted<'a>(case: &'a Case, facts: &'a OrgFacts) -> &'a [String] {
    match (&facts.introspection, case.scopes.is_empty()) {
        (Some(introspection), true) => &introspection.scopes,
        _ => &case.scopes,
    }
}

pub(super) fn scopes(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let granted = granted(case, facts);
    if facts.identity.known().is_none() || granted.is_empty() || lacks_api(granted) {
        return Vec::new();
    }
    let seen = format!("granted: {}", granted.join(" "));
    let is_renewed_by_token = case.flow.is_some_and(|flow| flow.renewal() == Renewal::RefreshToken);
    match (has(granted, "full"), is_renewed_by_token && !may_refresh(granted)) {
        (true, _) => vec![catalogue::SCOPE_FULL.found(seen)],
        // Missing renewal is judged with the lifetime.
        (false, true) => Vec::new(),
        (false, false) => vec![catalogue::SCOPES_SUFFICE.found(seen)],
    }
}

pub(super) fn token_format(_case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    match facts.speaks_by_jwt {
        Some(true) => vec![catalogue::JWT_TOKEN.found("the access token is a JWT")],
        Some(false) | None => Vec::new(),
    }
}

pub(super) fn version(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let version = case.api_version;
    let offered = match &facts.versions {
        Fact::Known(offered) => offered,
        Fact::Refused(error) => return vec![unanswered(error).about(version.to_string())],
        Fact::NotAsked => return Vec::new(),
    };
    let range = match (offered.iter().min(), offered.iter().max()) {
        (Some(oldest), Some(newest)) => format!("{oldest} to {newest}"),
        _ => "none".to_owned(),
    };
    let seen = format!("{version} is used; the org offers {range}");
    let entry = match version.standing() {
        VersionStanding::Retired => &catalogue::VERSION_RETIRED,
        _ if !offered.contains(&version) => &catalogue::VERSION_NOT_OFFERED,
        VersionStanding::Retiring => &catalogue::VERSION_RETIRING,
        VersionStanding::Supported => &catalogue::VERSION_SUPPORTED,
    };
    vec![entry.found(seen).about(version.to_string())]
}

/// The list of versions needs no session, so this is about the host.
fn unanswered(error: &ApiError) -> Finding {
    of_error::of_api(error)
}

/// Whether a flow may bring a refresh token, and needs one.
pub(super) fn needs_refresh_token(flow: Flow) -> bool {
    matches!(flow, Flow::WebServer | Flow::Device)
}

/// Whether a refresh token was granted, as far as the scopes tell.
pub(super) fn may_refresh(granted: &[String]) -> bool {
    granted.is_empty() || has(granted, "refresh_token") || has(granted, "offline_access")
}
