//! Limits, and how long the connection lasts.

use salesforce::{
    error::BulkRefusal,
    oauth::{Flow, Renewal},
};

use super::api::{granted, may_refresh, needs_refresh_token};
use crate::diagnose::{
    catalogue,
    facts::{Case, Fact, OrgFacts},
    finding::Finding,
    of_error,
};

pub(super) fn bulk(_case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    vec![match &facts.bulk {
        Fact::Known(()) => catalogue::BULK_ALLOWED.found("Bulk answers"),
        Fact::Refused(error) => match error.refusal() {
            Some(refusal) if refusal.by_bulk() == Some(BulkRefusal::NotEnabled) => {
                catalogue::BULK_REFUSED.found(of_error::said(refusal))
            }
            _ => catalogue::BULK_UNKNOWN.found(of_error::of_api(error).seen),
        },
        Fact::NotAsked => return Vec::new(),
    }]
}

pub(super) fn requests(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let from_limits = facts.limits.known().and_then(|limits| limits.get("DailyApiRequests"));
    let from_limits = from_limits.map(|limit| (limit.max - limit.remaining, limit.max));
    let from_headers = facts.requests.map(|(used, max)| (used.cast_signed(), max.cast_signed()));
    // The headers are of this moment; the limits lag by minutes, and need a permission.
    let Some((used, max)) = from_headers.or(from_limits).filter(|(_, max)| *max > 0) else {
        let is_hidden = facts.objects_listed.known().is_some();
        return if is_hidden { vec![catalogue::REQUESTS_UNKNOWN.found("nothing tells")] } else { Vec::new() };
    };
    let ours = case.calls_of_a_day.filter(|calls| *calls > 0);
    let ours = ours.map(|calls| format!(", {calls} of them by runs of this connection")).unwrap_or_default();
    let seen = format!("{used} of {max} API requests of 24 hours are used{ours}");
    let entry = match used {
        used if used >= max => &catalogue::REQUESTS_USED_UP,
        used if used.saturating_mul(10) >= max.saturating_mul(8) => &catalogue::REQUESTS_LOW,
        _ => &catalogue::REQUESTS_LEFT,
    };
    vec![entry.found(seen)]
}

/// Whether the next session comes without a person.
pub(super) fn renewal(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let Some(flow) = case.flow.filter(|_| facts.identity.known().is_some()) else { return Vec::new() };
    let granted = granted(case, facts);
    let is_allowed = may_refresh(granted);
    let granted = granted.join(" ");
    vec![match (needs_refresh_token(flow) && !case.has_refresh_token, is_allowed) {
        (true, true) => catalogue::REFRESH_TOKEN_WITHHELD.found(format!("no refresh token came; granted: {granted}")),
        (true, false) => catalogue::REFRESH_SCOPE_MISSING.found(format!("no refresh token came; granted: {granted}")),
        (false, _) => catalogue::RENEWS_ITSELF.found(match flow.renewal() {
            Renewal::RefreshToken => "sessions are renewed by the refresh token",
            Renewal::SameCredentials => "sessions are renewed by the same credentials",
        }),
    }]
}

/// A session that lasts no longer is renewed many times an hour.
const SHORT_SESSION_MINUTES: i64 = 20;

/// How long a session lasts: opaque tokens tell by introspection alone.
pub(super) fn session(_case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let ends = facts.introspection.as_ref().and_then(|introspection| introspection.expires_at);
    // By the org's clock, which may not be ours.
    let Some((ends, now)) = ends.zip(facts.probe.known().and_then(|probe| probe.at)) else { return Vec::new() };
    // Both are of this minute.
    let minutes = (ends.0 - now.0 + 30_000) / 60_000;
    let entry = if minutes > SHORT_SESSION_MINUTES { &catalogue::SESSION_LENGTH } else { &catalogue::SESSION_SHORT };
    vec![entry.found(format!("a session lasts {minutes} minutes unless it is used"))]
}

pub(super) fn approvals(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let uses_tokens = case.flow.is_some_and(|flow| flow.renewal() == Renewal::RefreshToken);
    match facts.identity.known() {
        Some(user) if uses_tokens && case.has_refresh_token => {
            let seen =
                format!("one of the five refresh tokens of {} for this app is used here", user.preferred_username);
            vec![catalogue::FIVE_APPROVALS.found(seen)]
        }
        _ => Vec::new(),
    }
}

pub(super) fn ending(case: &Case, _facts: &OrgFacts) -> Vec<Finding> {
    match case.flow {
        Some(Flow::Password) => vec![catalogue::PASSWORD_FLOW_ENDING.found("the connection signs in by password")],
        Some(Flow::SoapLogin) => vec![catalogue::SOAP_LOGIN_ENDING.found("the connection signs in by SOAP login()")],
        _ => Vec::new(),
    }
}
