//! The states of a connection, and what moves it from one to another. Pure.

use salesforce::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a connection stands. Data lives in the state that owns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ConnectionState {
    /// Somebody has begun to sign in.
    Pending { expires_at: Timestamp },
    /// The last sign-in, or renewal, went well.
    Connected { since: Timestamp },
    /// Renewals fail for a reason that passes by itself.
    Degraded { since: Timestamp, attempts: u32, retry_at: Timestamp },
    /// Salesforce refuses the grant; a person has to act.
    NeedsReauthorization { since: Timestamp, reason: String },
    /// A person has ended it.
    Disconnected { at: Timestamp },
}

/// What happens to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// A person has signed in, and the sign-in is proved.
    Authorized,
    /// A session was obtained with the stored grant.
    Renewed,
    /// A session could not be obtained, for a reason that passes by itself.
    RenewalFailed { retry_at: Timestamp },
    /// Salesforce refused the stored grant.
    Refused { reason: String },
    /// A person ends the connection.
    Disconnect,
}

/// An event that cannot happen in a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a connection that is {state} cannot meet {event:?}")]
pub struct InvalidTransition {
    pub state: &'static str,
    pub event: ConnectionEvent,
}

impl ConnectionState {
    /// The state's name, as people and documents see it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Connected { .. } => "connected",
            Self::Degraded { .. } => "degraded",
            Self::NeedsReauthorization { .. } => "needs reauthorization",
            Self::Disconnected { .. } => "disconnected",
        }
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// An event that has no meaning in this state, such as the renewal of a connection that was ended.
    pub fn on(self, event: ConnectionEvent, now: Timestamp) -> Result<Self, InvalidTransition> {
        use ConnectionEvent as Event;
        match (self, event) {
            (Self::Pending { expires_at }, Event::Authorized) if now >= expires_at => {
                Err(InvalidTransition { state: "pending", event: Event::Authorized })
            }
            (Self::Connected { since }, Event::Authorized | Event::Renewed) => Ok(Self::Connected { since }),
            (_, Event::Authorized) => Ok(Self::Connected { since: now }),

            // A refused grant may work again without a new sign-in: an administrator restores the run-as user.
            (Self::Degraded { .. } | Self::NeedsReauthorization { .. }, Event::Renewed) => {
                Ok(Self::Connected { since: now })
            }

            (Self::Connected { .. }, Event::RenewalFailed { retry_at }) => {
                Ok(Self::Degraded { since: now, attempts: 1, retry_at })
            }
            (Self::Degraded { since, attempts, .. }, Event::RenewalFailed { retry_at }) => {
                Ok(Self::Degraded { since, attempts: attempts.saturating_add(1), retry_at })
            }
            // A passing failure says nothing about a grant that was refused.
            (state @ Self::NeedsReauthorization { .. }, Event::RenewalFailed { .. }) => Ok(state),

            (Self::Connected { .. } | Self::Degraded { .. }, Event::Refused { reason }) => {
                Ok(Self::NeedsReauthorization { since: now, reason })
            }
            (Self::NeedsReauthorization { since, .. }, Event::Refused { reason }) => {
                Ok(Self::NeedsReauthorization { since, reason })
            }

            (state @ Self::Disconnected { .. }, Event::Disconnect) => Ok(state),
            (_, Event::Disconnect) => Ok(Self::Disconnected { at: now }),

            (
                state @ (Self::Pending { .. } | Self::Disconnected { .. }),
                event @ (Event::Renewed | Event::RenewalFailed { .. } | Event::Refused { .. }),
            ) => Err(InvalidTransition { state: state.name(), event }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Timestamp = Timestamp(1_000);
    const NOW: Timestamp = Timestamp(2_000);
    const LATER: Timestamp = Timestamp(3_000);

    fn pending() -> ConnectionState {
        ConnectionState::Pending { expires_at: LATER }
    }
    fn connected(since: Timestamp) -> ConnectionState {
        ConnectionState::Connected { since }
    }
    fn degraded(since: Timestamp, attempts: u32, retry_at: Timestamp) -> ConnectionState {
        ConnectionState::Degraded { since, attempts, retry_at }
    }
    fn needs_reauthorization(since: Timestamp, reason: &str) -> ConnectionState {
        ConnectionState::NeedsReauthorization { since, reason: reason.into() }
    }
    fn disconnected(at: Timestamp) -> ConnectionState {
        ConnectionState::Disconnected { at }
    }
    fn failed() -> ConnectionEvent {
        ConnectionEvent::RenewalFailed { retry_at: LATER }
    }
    fn refused() -> ConnectionEvent {
        ConnectionEvent::Refused { reason: "revoked".into() }
    }

    #[test]
    fn every_state_answers_every_event_as_the_table_says() {
        use ConnectionEvent::{Authorized, Disconnect, Renewed};
        let (p, c) = (pending(), connected(BEFORE));
        let (d, n) = (degraded(BEFORE, 1, NOW), needs_reauthorization(BEFORE, "old"));
        let x = disconnected(BEFORE);
        let table = [
            (&p, Authorized, Some(connected(NOW))),
            (&p, Renewed, None),
            (&p, failed(), None),
            (&p, refused(), None),
            (&p, Disconnect, Some(disconnected(NOW))),
            (&c, Authorized, Some(connected(BEFORE))),
            (&c, Renewed, Some(connected(BEFORE))),
            (&c, failed(), Some(degraded(NOW, 1, LATER))),
            (&c, refused(), Some(needs_reauthorization(NOW, "revoked"))),
            (&c, Disconnect, Some(disconnected(NOW))),
            (&d, Authorized, Some(connected(NOW))),
            (&d, Renewed, Some(connected(NOW))),
            (&d, failed(), Some(degraded(BEFORE, 2, LATER))),
            (&d, refused(), Some(needs_reauthorization(NOW, "revoked"))),
            (&d, Disconnect, Some(disconnected(NOW))),
            (&n, Authorized, Some(connected(NOW))),
            (&n, Renewed, Some(connected(NOW))),
            (&n, failed(), Some(n.clone())),
            (&n, refused(), Some(needs_reauthorization(BEFORE, "revoked"))),
            (&n, Disconnect, Some(disconnected(NOW))),
            (&x, Authorized, Some(connected(NOW))),
            (&x, Renewed, None),
            (&x, failed(), None),
            (&x, refused(), None),
            (&x, Disconnect, Some(disconnected(BEFORE))),
        ];
        for (state, event, expected) in table {
            let met = format!("{state:?} on {event:?}");
            let invalid = InvalidTransition { state: state.name(), event: event.clone() };
            assert_eq!(state.clone().on(event, NOW), expected.ok_or(invalid), "{met}");
        }
    }

    #[test]
    fn a_sign_in_that_took_too_long_does_not_connect() {
        assert!(pending().on(ConnectionEvent::Authorized, LATER).is_err());
    }

    #[test]
    fn a_state_survives_its_document() {
        for state in [
            pending(),
            connected(NOW),
            degraded(NOW, 3, LATER),
            needs_reauthorization(NOW, "expired access/refresh token"),
            disconnected(NOW),
        ] {
            let document = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<ConnectionState>(&document).unwrap(), state, "{document}");
        }
    }
}
