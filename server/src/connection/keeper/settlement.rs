//! What an answer of the token endpoint comes to. Pure.

use salesforce::{OAuthError, oauth::Renewed};

use super::stored::{document, is_same_org};
use crate::{
    connection::{
        outcome::{Outcome, event_of},
        state::ConnectionEvent,
    },
    store::{
        connections::Connection,
        credentials::CredentialKind,
        redemptions::{Answer, Closing, Settlement},
    },
};

/// What an answer changes, and why its session must not be used, if so. A rotated refresh token is always kept: the one
/// before it is spent.
pub(super) fn settlement_of(connection: &Connection, renewed: &Renewed) -> (Settlement, Option<OAuthError>) {
    let tokens = &renewed.tokens;
    let other_org = tokens.org_id.as_ref().filter(|found| !is_same_org(found, &connection.org_id));
    let verdict = match (other_org, &renewed.instance_refused) {
        (Some(found), None) if connection.is_refreshed_at(&tokens.instance_url) => {
            Some(super::replaced::refreshed(connection, found))
        }
        (Some(found), _) => Some(OAuthError::OtherOrg { expected: connection.org_id.clone(), found: found.clone() }),
        (None, Some(refused)) => Some(OAuthError::InstanceHost(refused.clone())),
        (None, None) => None,
    };
    let mut answer = Answer::default();
    let mut outcomes = Vec::new();
    if let Some(rotated) = &tokens.refresh_token {
        answer.credentials.push((CredentialKind::RefreshToken, rotated.expose().into()));
    }
    if let Some(OAuthError::SandboxRefreshed { found, .. }) = &verdict {
        outcomes.push(Outcome::SandboxRefreshed { from: connection.org_id.clone(), to: found.clone() });
        let answer = (!answer.credentials.is_empty()).then_some(answer);
        let event = verdict.as_ref().map(event_of);
        return (Settlement { answer, redemption: Closing::Closed, event, outcomes }, verdict);
    }
    if let Some(error) = &verdict {
        let event = event_of(error);
        if let ConnectionEvent::Refused { reason, .. } = &event {
            let cause = if other_org.is_some() { "other-org" } else { "instance-refused" };
            outcomes.push(Outcome::Refused { cause: cause.to_owned(), reason: reason.clone(), retry_at: None });
        }
        return (
            Settlement { answer: Some(answer), redemption: Closing::Closed, event: Some(event), outcomes },
            verdict,
        );
    }
    answer.credentials.push((CredentialKind::Session, document(&tokens.session())));
    answer.scopes = (!tokens.scopes.is_empty()).then(|| tokens.scopes.clone());
    answer.instance = Some(tokens.instance_url.clone());
    outcomes.push(if tokens.refresh_token.is_some() { Outcome::Rotated } else { Outcome::Renewed });
    if tokens.instance_url != connection.instance {
        outcomes.push(Outcome::InstanceMoved { from: connection.instance.clone(), to: tokens.instance_url.clone() });
    }
    let event = Some(ConnectionEvent::Renewed);
    (Settlement { answer: Some(answer), redemption: Closing::Closed, event, outcomes }, None)
}
