//! The way to the org, and who signs in there.

use std::time::Duration;

use salesforce::{ApiError, Timestamp, oauth::Flow, org::OrgKind};

use crate::diagnose::{
    catalogue,
    facts::{Case, Fact, OrgFacts},
    finding::Finding,
    of_error,
};

/// Answers have whole seconds, and take their time.
const SKEW_WORTH_SAYING: Duration = Duration::from_secs(300);
/// An assertion lives for three minutes.
const SKEW_FOR_ASSERTIONS: Duration = Duration::from_secs(120);

pub(super) fn host(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let host = case.instance.host();
    match &facts.probe {
        Fact::Known(_) => vec![catalogue::HOST_ANSWERS.found(format!("{host} answers, with a certificate of its own"))],
        // It answered; what is judged with the org.
        Fact::Refused(ApiError::Refused(_) | ApiError::Unexpected { .. }) => {
            vec![catalogue::HOST_ANSWERS.found(format!("{host} answers"))]
        }
        Fact::Refused(error) => vec![of_error::of_api(error)],
        Fact::NotAsked => Vec::new(),
    }
}

pub(super) fn org(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let host = case.instance.host();
    let probe = match &facts.probe {
        Fact::Known(probe) => probe,
        Fact::Refused(ApiError::Refused(refusal)) if (300..=399).contains(&refusal.status) => {
            return vec![catalogue::ORG_MOVED.found(of_error::said(refusal))];
        }
        Fact::Refused(ApiError::Refused(refusal)) => return vec![catalogue::NO_ORG.found(of_error::said(refusal))],
        Fact::Refused(error @ ApiError::Unexpected { .. }) => return vec![catalogue::NO_ORG.found(error.to_string())],
        Fact::Refused(_) | Fact::NotAsked => return Vec::new(),
    };
    let Some(org_id) = &probe.org_id else {
        return vec![catalogue::GENERIC_HOST.found(format!("{host} is a login host"))];
    };
    match &case.expected {
        Some(expected) if !same(org_id, &expected.org_id) => {
            let seen = format!("{host} belongs to org {org_id}, and {} to {}", case.connection, expected.org_id);
            vec![other_org(case, seen)]
        }
        _ => {
            let kind = OrgKind::of_host(&case.instance).with_article();
            vec![catalogue::ORG_KNOWN.found(format!("{host} is org {org_id}, by its address {kind}"))]
        }
    }
}

/// An org that is not the connection's: what a refresh has made of its sandbox, or any other.
fn other_org(case: &Case, seen: String) -> Finding {
    match case.expected.as_ref().is_some_and(|expected| expected.is_sandbox) {
        true => catalogue::SANDBOX_REFRESHED.found(seen),
        false => catalogue::OTHER_ORG.found(seen),
    }
}

/// What the org says of its own kind, beside what its address says.
pub(super) fn kind(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let Some(organization) = &facts.organization else { return Vec::new() };
    if let Some(seen) = OrgKind::contradiction(&case.instance, organization) {
        return vec![catalogue::KIND_UNCLEAR.found(seen)];
    }
    match OrgKind::of(&case.instance, Some(organization)) {
        kind @ OrgKind::Trial { .. } => vec![catalogue::TRIAL.found(format!("the org is {}", kind.with_article()))],
        _ => Vec::new(),
    }
}

/// Org ids have 15 characters, and three that only repeat their capitals (SOAP API guide, "ID Field Type").
fn same(one: &str, other: &str) -> bool {
    let significant = |id: &str| id.get(..15).map(str::to_owned);
    significant(one).is_some() && significant(one) == significant(other)
}

pub(super) fn clock(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let Some((here, there)) = facts.now.zip(facts.probe.known().and_then(|probe| probe.at)) else { return Vec::new() };
    let skew = Duration::from_millis(here.0.abs_diff(there.0));
    let seen = format!("this machine's clock is {} Salesforce's", skew_in_words(skew, here > there));
    let tolerated = if case.flow == Some(Flow::JwtBearer) { SKEW_FOR_ASSERTIONS } else { SKEW_WORTH_SAYING };
    match skew > tolerated {
        true => vec![catalogue::CLOCK_SKEW.found(seen)],
        false => vec![catalogue::CLOCK_AGREES.found(format!("the clocks agree ({} here)", minute(here)))],
    }
}

fn skew_in_words(skew: Duration, is_ahead: bool) -> String {
    let seconds = skew.as_secs();
    let by = match (seconds / 86_400, seconds / 3_600, seconds / 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    };
    format!("{by} {}", if is_ahead { "ahead of" } else { "behind" })
}

fn minute(at: Timestamp) -> String {
    at.to_string().chars().take(16).collect::<String>().replace('T', " ") + " UTC"
}

pub(super) fn sign_in(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    match &facts.identity {
        Fact::Known(user) => {
            let by = case.flow.map(|flow| format!(" by {flow}")).unwrap_or_default();
            vec![catalogue::SIGNED_IN.found(format!("{}{by}", user.preferred_username))]
        }
        Fact::Refused(error) => vec![of_error::of_api(error)],
        Fact::NotAsked => Vec::new(),
    }
}

/// Whether the session is one of the org that answers, and of the one that was connected.
pub(super) fn same_org(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let Some(user) = facts.identity.known() else { return Vec::new() };
    let host_org = facts.probe.known().and_then(|probe| probe.org_id.as_deref());
    let connected_org = case.expected.as_ref().map(|expected| expected.org_id.as_str());
    let found = user.organization_id.as_str();
    let differing = connected_org.into_iter().chain(host_org).find(|org_id| !same(org_id, found));
    let seen = |org_id: &str| format!("the session is one of org {found}, not {org_id}");
    let finding = |org_id: &str| match connected_org == Some(org_id) {
        true => other_org(case, seen(org_id)),
        false => catalogue::OTHER_ORG.found(seen(org_id)),
    };
    differing.map(finding).into_iter().collect()
}

pub(super) fn user(case: &Case, facts: &OrgFacts) -> Vec<Finding> {
    let Some(user) = facts.identity.known() else { return Vec::new() };
    let name = &user.preferred_username;
    let mut findings = Vec::new();
    let connected = case.expected.as_ref().map(|expected| expected.username.as_str());
    if let Some(connected) = connected.filter(|connected| !name.eq_ignore_ascii_case(connected)) {
        findings.push(catalogue::OTHER_USER.found(format!("{name} signs in; {connected} was connected")));
    }
    // Where a person signs in, the person is meant to.
    let is_for_programs = case.flow.is_some_and(|flow| {
        matches!(flow, Flow::ClientCredentials | Flow::JwtBearer | Flow::Password | Flow::SoapLogin)
    });
    if user.is_salesforce_integration_user {
        findings.push(catalogue::INTEGRATION_USER.found(format!("{name} may use the API alone")));
    } else if is_for_programs {
        findings.push(catalogue::NOT_API_ONLY.found(format!("{name} may use the browser, too")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_both_lengths_are_the_same_org() {
        assert!(same("00DgL000000ACME", "00DgL000000ACMEUA4"));
        assert!(!same("00DgL000000ACME", "00DgL000000ACMF"));
        assert!(!same("", ""));
    }

    #[test]
    fn a_skew_is_said_in_words() {
        assert_eq!(skew_in_words(Duration::from_secs(7 * 60 + 5), true), "7 min ahead of");
        assert_eq!(skew_in_words(Duration::from_secs(3_660), false), "1 h 1 min behind");
        assert_eq!(skew_in_words(Duration::from_secs(100_000), true), "1 d 3 h ahead of");
    }
}
