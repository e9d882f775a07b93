//! The states of a connection, and what moves it from one to another. Pure.

use std::time::Duration;

use salesforce::Timestamp;
use serde::{Deserialize, Serialize};

/// After the first failure for a passing reason; doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// No wait after a passing failure is longer, unless Salesforce asks for more.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Between two attempts after a refusal that an admin can take back.
pub const HOUR: Duration = Duration::from_secs(3600);

/// Where a connection stands. Data lives in the state that owns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ConnectionState {
    /// Somebody has begun to sign in.
    Pending { expires_at: Timestamp },
    /// The last sign-in, or renewal, went well.
    Connected { since: Timestamp },
    /// Renewals fail for a reason that passes by itself.
    Degraded {
        since: Timestamp,
        attempts: u32,
        retry_at: Timestamp,
        #[serde(default)]
        reason: String,
    },
    /// Salesforce refuses the grant; a person has to act.
    NeedsReauthorization {
        since: Timestamp,
        reason: String,
        /// From then on one more attempt may be made, in case an admin has put things right; `None`: it is certain that
        /// the same credentials never work again, or trying them would do harm.
        #[serde(default)]
        retry_at: Option<Timestamp>,
    },
    /// The org behind the connection's host is another one: its sandbox was refreshed. Nothing runs until a person has
    /// said what becomes of the former org's rows.
    SandboxRefreshed {
        since: Timestamp,
        /// The org that is there now.
        found_org_id: String,
    },
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
    /// A session could not be obtained, for a reason that passes by itself. `asked` is how long Salesforce wants to be
    /// left alone.
    RenewalFailed { reason: String, asked: Option<Duration> },
    /// Salesforce refused the stored grant.
    Refused { reason: String, trial: Trial },
    /// A refused grant is about to be tried once more.
    Attempted,
    /// A newer refresh token has turned up after the former one was refused.
    Replaced,
    /// The org that answers is what a refresh has made of the connection's sandbox.
    SandboxRefreshed { org_id: String },
    /// A person ends the connection.
    Disconnect,
}

/// Whether what was refused is tried again without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// At most once an hour: an admin may put it right.
    Hourly,
    /// Whenever it is needed: nothing was sent.
    AtOnce,
    /// Not before it is replaced: a password that is wrong locks its user out, and a dead refresh token stays dead.
    Never,
}

/// Whether a renewal may be attempted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    Now,
    /// Not before then.
    From {
        at: Timestamp,
        reason: String,
    },
    /// Not before a person has signed in again.
    Never {
        reason: String,
    },
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
            Self::SandboxRefreshed { .. } => "sandbox refreshed",
            Self::Disconnected { .. } => "disconnected",
        }
    }

    /// Whether the grant of a connection in this state may be redeemed at `now`.
    pub fn admits_renewal(&self, now: Timestamp) -> Admission {
        let from = |at: Timestamp, reason: &String| match now >= at {
            true => Admission::Now,
            false => Admission::From { at, reason: reason.clone() },
        };
        match self {
            Self::Pending { .. } | Self::Connected { .. } => Admission::Now,
            Self::Degraded { retry_at, reason, .. } => from(*retry_at, reason),
            Self::NeedsReauthorization { retry_at: Some(at), reason, .. } => from(*at, reason),
            Self::NeedsReauthorization { retry_at: None, reason, .. } => Admission::Never { reason: reason.clone() },
            Self::SandboxRefreshed { found_org_id, .. } => Admission::Never {
                reason: format!("the sandbox was refreshed, and is another org now ({found_org_id})"),
            },
            Self::Disconnected { .. } => Admission::Never { reason: "the connection was ended".to_owned() },
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

            (Self::Connected { .. }, Event::RenewalFailed { reason, asked }) => {
                Ok(Self::Degraded { since: now, attempts: 1, retry_at: now.after(wait_after(1, asked)), reason })
            }
            (Self::Degraded { since, attempts, .. }, Event::RenewalFailed { reason, asked }) => {
                let attempts = attempts.saturating_add(1);
                Ok(Self::Degraded { since, attempts, retry_at: now.after(wait_after(attempts, asked)), reason })
            }
            // A passing failure says nothing about a grant that was refused.
            (state @ Self::NeedsReauthorization { .. }, Event::RenewalFailed { .. }) => Ok(state),

            (Self::Connected { .. } | Self::Degraded { .. }, Event::Refused { reason, trial }) => {
                Ok(Self::NeedsReauthorization { since: now, reason, retry_at: trial.next(now) })
            }
            (Self::NeedsReauthorization { since, .. }, Event::Refused { reason, trial }) => {
                Ok(Self::NeedsReauthorization { since, reason, retry_at: trial.next(now) })
            }

            // Committed before the attempt, so that the hour is kept even by a process that dies in the middle.
            (Self::NeedsReauthorization { since, reason, retry_at }, Event::Attempted) => {
                let retry_at = retry_at.and(Trial::Hourly.next(now));
                Ok(Self::NeedsReauthorization { since, reason, retry_at })
            }
            (Self::NeedsReauthorization { since, reason, .. }, Event::Replaced) => {
                Ok(Self::NeedsReauthorization { since, reason, retry_at: Trial::AtOnce.next(now) })
            }
            (state @ (Self::Connected { .. } | Self::Degraded { .. }), Event::Attempted | Event::Replaced) => Ok(state),

            (Self::SandboxRefreshed { since, found_org_id }, Event::SandboxRefreshed { org_id })
                if found_org_id == org_id =>
            {
                Ok(Self::SandboxRefreshed { since, found_org_id })
            }
            (
                Self::Connected { .. }
                | Self::Degraded { .. }
                | Self::NeedsReauthorization { .. }
                | Self::SandboxRefreshed { .. },
                Event::SandboxRefreshed { org_id },
            ) => Ok(Self::SandboxRefreshed { since: now, found_org_id: org_id }),
            // Whatever the grant does: it is none of the org that the connection is of.
            (
                state @ Self::SandboxRefreshed { .. },
                Event::Renewed
                | Event::RenewalFailed { .. }
                | Event::Refused { .. }
                | Event::Attempted
                | Event::Replaced,
            ) => Ok(state),

            (state @ Self::Disconnected { .. }, Event::Disconnect) => Ok(state),
            (_, Event::Disconnect) => Ok(Self::Disconnected { at: now }),

            (
                state @ (Self::Pending { .. } | Self::Disconnected { .. }),
                event @ (Event::Renewed
                | Event::RenewalFailed { .. }
                | Event::Refused { .. }
                | Event::Attempted
                | Event::Replaced
                | Event::SandboxRefreshed { .. }),
            ) => Err(InvalidTransition { state: state.name(), event }),
        }
    }
}

impl Trial {
    fn next(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Hourly => Some(now.after(HOUR)),
            Self::AtOnce => Some(now),
            Self::Never => None,
        }
    }
}

/// How long is waited after so many failures in a row; never less than Salesforce asks.
fn wait_after(attempts: u32, asked: Option<Duration>) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Timestamp = Timestamp(1_000);
    const NOW: Timestamp = Timestamp(2_000);
    const LATER: Timestamp = Timestamp(3_000);
    const AN_HOUR_ON: Timestamp = Timestamp(2_000 + 3_600_000);

    fn pending() -> ConnectionState {
        ConnectionState::Pending { expires_at: LATER }
    }
    fn connected(since: Timestamp) -> ConnectionState {
        ConnectionState::Connected { since }
    }
    fn degraded(since: Timestamp, attempts: u32, retry_at: Timestamp) -> ConnectionState {
        ConnectionState::Degraded { since, attempts, retry_at, reason: "silence".into() }
    }
    fn needs_reauthorization(since: Timestamp, reason: &str, retry_at: Option<Timestamp>) -> ConnectionState {
        ConnectionState::NeedsReauthorization { since, reason: reason.into(), retry_at }
    }
    fn disconnected(at: Timestamp) -> ConnectionState {
        ConnectionState::Disconnected { at }
    }
    fn failed() -> ConnectionEvent {
        ConnectionEvent::RenewalFailed { reason: "silence".into(), asked: None }
    }
    fn refused() -> ConnectionEvent {
        ConnectionEvent::Refused { reason: "revoked".into(), trial: Trial::Hourly }
    }
    fn refused_for_good() -> ConnectionEvent {
        ConnectionEvent::Refused { reason: "dead".into(), trial: Trial::Never }
    }

    fn refreshed(since: Timestamp, org_id: &str) -> ConnectionState {
        ConnectionState::SandboxRefreshed { since, found_org_id: org_id.into() }
    }
    fn noticed(org_id: &str) -> ConnectionEvent {
        ConnectionEvent::SandboxRefreshed { org_id: org_id.into() }
    }

    #[test]
    fn every_state_answers_every_event_as_the_table_says() {
        use ConnectionEvent::{Attempted, Authorized, Disconnect, Renewed, Replaced};
        let (p, c) = (pending(), connected(BEFORE));
        let d = degraded(BEFORE, 1, NOW);
        let n = needs_reauthorization(BEFORE, "old", Some(NOW));
        let never = needs_reauthorization(BEFORE, "old", None);
        let x = disconnected(BEFORE);
        let r = refreshed(BEFORE, "00D2");
        let (ten_on, twenty_on) = (Timestamp(12_000), Timestamp(22_000));
        let table = [
            (&p, Authorized, Some(connected(NOW))),
            (&p, Renewed, None),
            (&p, failed(), None),
            (&p, refused(), None),
            (&p, Attempted, None),
            (&p, Disconnect, Some(disconnected(NOW))),
            (&c, Authorized, Some(connected(BEFORE))),
            (&c, Renewed, Some(connected(BEFORE))),
            (&c, failed(), Some(degraded(NOW, 1, ten_on))),
            (&c, refused(), Some(needs_reauthorization(NOW, "revoked", Some(AN_HOUR_ON)))),
            (&c, refused_for_good(), Some(needs_reauthorization(NOW, "dead", None))),
            (&c, Attempted, Some(c.clone())),
            (&c, Disconnect, Some(disconnected(NOW))),
            (&d, Authorized, Some(connected(NOW))),
            (&d, Renewed, Some(connected(NOW))),
            (&d, failed(), Some(degraded(BEFORE, 2, twenty_on))),
            (&d, refused(), Some(needs_reauthorization(NOW, "revoked", Some(AN_HOUR_ON)))),
            (&d, refused_for_good(), Some(needs_reauthorization(NOW, "dead", None))),
            (&d, Attempted, Some(d.clone())),
            (&d, Disconnect, Some(disconnected(NOW))),
            (&n, Authorized, Some(connected(NOW))),
            (&n, Renewed, Some(connected(NOW))),
            (&n, failed(), Some(n.clone())),
            (&n, refused(), Some(needs_reauthorization(BEFORE, "revoked", Some(AN_HOUR_ON)))),
            (&n, refused_for_good(), Some(needs_reauthorization(BEFORE, "dead", None))),
            (&n, Attempted, Some(needs_reauthorization(BEFORE, "old", Some(AN_HOUR_ON)))),
            (&never, Attempted, Some(never.clone())),
            (&never, Replaced, Some(needs_reauthorization(BEFORE, "old", Some(NOW)))),
            (&c, Replaced, Some(c.clone())),
            (&x, Replaced, None),
            (&n, Disconnect, Some(disconnected(NOW))),
            (&p, noticed("00D2"), None),
            (&c, noticed("00D2"), Some(refreshed(NOW, "00D2"))),
            (&d, noticed("00D2"), Some(refreshed(NOW, "00D2"))),
            (&n, noticed("00D2"), Some(refreshed(NOW, "00D2"))),
            (&r, noticed("00D2"), Some(r.clone())),
            (&r, noticed("00D3"), Some(refreshed(NOW, "00D3"))),
            (&r, Authorized, Some(connected(NOW))),
            (&r, Renewed, Some(r.clone())),
            (&r, failed(), Some(r.clone())),
            (&r, refused(), Some(r.clone())),
            (&r, Attempted, Some(r.clone())),
            (&r, Replaced, Some(r.clone())),
            (&r, Disconnect, Some(disconnected(NOW))),
            (&x, noticed("00D2"), None),
            (&x, Authorized, Some(connected(NOW))),
            (&x, Renewed, None),
            (&x, failed(), None),
            (&x, refused(), None),
            (&x, Attempted, None),
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
            needs_reauthorization(NOW, "expired access/refresh token", None),
            needs_reauthorization(NOW, "inactive user", Some(LATER)),
            refreshed(NOW, "00D2"),
            disconnected(NOW),
        ] {
            let document = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<ConnectionState>(&document).unwrap(), state, "{document}");
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes_and_are_never_shorter_than_salesforce_asks() {
        let seconds = |attempts, asked: Option<u64>| wait_after(attempts, asked.map(Duration::from_secs)).as_secs();
        assert_eq!([1, 2, 3, 5, 6, 40].map(|attempts| seconds(attempts, None)), [10, 20, 40, 160, 300, 300]);
        assert_eq!((seconds(1, Some(90)), seconds(9, Some(90))), (90, 300));
        assert_eq!(seconds(1, Some(4_000)), 4_000);
    }

    #[test]
    fn a_refused_grant_is_admitted_once_an_hour_and_a_dead_one_never() {
        let refused = connected(BEFORE).on(refused(), NOW).unwrap();
        assert!(matches!(refused.admits_renewal(NOW), Admission::From { at: AN_HOUR_ON, .. }));
        assert_eq!(refused.admits_renewal(AN_HOUR_ON), Admission::Now);
        let attempted = refused.on(ConnectionEvent::Attempted, AN_HOUR_ON).unwrap();
        assert!(matches!(attempted.admits_renewal(AN_HOUR_ON), Admission::From { .. }));
        let dead = connected(BEFORE).on(refused_for_good(), NOW).unwrap();
        assert!(matches!(dead.admits_renewal(Timestamp(i64::MAX)), Admission::Never { .. }));
    }

    #[test]
    fn a_degraded_connection_is_left_alone_until_its_time() {
        let degraded = connected(BEFORE).on(failed(), NOW).unwrap();
        assert!(matches!(degraded.admits_renewal(Timestamp(11_999)), Admission::From { .. }));
        assert_eq!(degraded.admits_renewal(Timestamp(12_000)), Admission::Now);
    }
}
