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
        Some(refusal) if refusal.code == ErrorCode::InvalidSessionId && lacks_api(case) => {
            let granted = case.scopes.join(" ");
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
fn lacks_api(case: &Case) -> bool {
    !case.scopes.is_empty() && !has(case, "api") && !has(case, "full")
}

fn has(case: &Case, scope: &str) -> bool {
    case.scopes.iter().any(|granted| granted == scope)
}

pub(super) fn scopes(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    if facts.identity.known().is_none() || case.scopes.is_empty() || lacks_api(case) {
        return Vec::new();
    }
    let granted = case.scopes.join(" ");
    let is_renewed_by_token = case.flow.is_some_and(|flow| flow.renewal() == Renewal::RefreshToken);
    let has_refresh = has(case, "refresh_token") || has(case, "offline_access");
    match (has(case, "full"), is_renewed_by_token && !has_refresh) {
        (true, _) => vec![catalogue::SCOPE_FULL.found(format!("granted: {granted}"))],
        // Missing renewal is judged with the lifetime.
        (false, true) => Vec::new(),
        (false, false) => vec![catalogue::SCOPES_SUFFICE.found(format!("granted: {granted}"))],
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
pub(super) fn may_refresh(case: &Case) -> bool {
    case.scopes.is_empty() || has(case, "refresh_token") || has(case, "offline_access")
}
