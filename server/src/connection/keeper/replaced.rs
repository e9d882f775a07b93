//! A sandbox whose org a refresh has replaced.

use salesforce::OAuthError;

use crate::{connection::state::ConnectionState, store::connections::Connection};

/// What is told of a connection whose sandbox is the org `found` now.
pub(super) fn refreshed(connection: &Connection, found: &str) -> OAuthError {
    OAuthError::SandboxRefreshed {
        host: connection.instance.host().to_owned(),
        expected: connection.org_id.clone(),
        found: found.to_owned(),
    }
}

/// Nothing is asked for in the name of an org that is there no longer.
pub(super) fn refuse_refreshed(connection: &Connection) -> Result<(), OAuthError> {
    match &connection.state {
        ConnectionState::SandboxRefreshed { found_org_id, .. } => Err(refreshed(connection, found_org_id)),
        _ => Ok(()),
    }
}
