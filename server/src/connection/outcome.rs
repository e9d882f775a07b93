//! What becomes of renewals, as the journal tells it.

use salesforce::{OAuthError, OrgUrl, Recovery, Timestamp, error::OAuthCause};
use serde_json::{Value, json};

use super::state::{ConnectionEvent, Trial};
use crate::store::lease::Holder;

/// What became of a renewal, or of a part of it. Each has a stable name in the journal.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// There is another session; a refresh token stayed as it was.
    Renewed,
    /// There is another session, and another refresh token replaces the one that was sent.
    Rotated,
    /// A refresh token was sent, and no usable answer came: the token may be spent.
    AnswerLost { attempts: i64, reason: String },
    /// A refresh token whose answer was lost is sent again.
    Replayed { attempts: i64 },
    /// Salesforce refuses the grant.
    Refused { cause: String, reason: String, retry_at: Option<Timestamp> },
    /// There is no session, for a reason that passes by itself.
    Failed { reason: String },
    /// Salesforce says that the same refresh token is being redeemed by another request.
    RedeemedElsewhere { attempt: u32 },
    /// A process that held the lease has died, or stood still for too long; this one goes on in its place.
    TakenOver { from: Box<Holder> },
    /// Another process has taken the lease: this one changed nothing.
    Fenced { epoch: i64 },
    /// This process slept between its intent and its request; nothing was sent.
    Overslept { began: Timestamp },
    /// An answer that came too late for its own lease is stored under another: nobody has a newer token.
    LateAnswerKept,
    /// An answer that came too late is of no use: the connection has newer credentials, or was ended.
    LateAnswerDropped,
    /// The org behind the host is what a refresh has made of the sandbox.
    SandboxRefreshed { from: String, to: String },
    /// The org's API is at another address from now on.
    InstanceMoved { from: OrgUrl, to: OrgUrl },
}

impl Outcome {
    /// The stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::Rotated => "rotated",
            Self::AnswerLost { .. } => "answer-lost",
            Self::Replayed { .. } => "replayed",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "renewal-failed",
            Self::RedeemedElsewhere { .. } => "redeemed-elsewhere",
            Self::TakenOver { .. } => "taken-over",
            Self::Fenced { .. } => "fenced",
            Self::Overslept { .. } => "overslept",
            Self::LateAnswerKept => "late-answer-kept",
            Self::LateAnswerDropped => "late-answer-dropped",
            Self::SandboxRefreshed { .. } => "sandbox-refreshed",
            Self::InstanceMoved { .. } => "instance-moved",
        }
    }

    /// What else the journal keeps of it; never a secret.
    pub fn detail(&self) -> Value {
        match self {
            Self::Renewed | Self::Rotated | Self::LateAnswerKept | Self::LateAnswerDropped => json!({}),
            Self::AnswerLost { attempts, reason } => json!({ "attempts": attempts, "reason": reason }),
            Self::Replayed { attempts } => json!({ "attempts": attempts }),
            Self::Refused { cause, reason, retry_at } => {
                json!({ "cause": cause, "reason": reason, "retry_at": retry_at })
            }
            Self::Failed { reason } => json!({ "reason": reason }),
            Self::RedeemedElsewhere { attempt } => json!({ "attempt": attempt }),
            Self::TakenOver { from } => json!({ "from": from.to_string() }),
            Self::Fenced { epoch } => json!({ "epoch": epoch }),
            Self::Overslept { began } => json!({ "began": began }),
            Self::SandboxRefreshed { from, to } => json!({ "from": from, "to": to }),
            Self::InstanceMoved { from, to } => json!({ "from": from.host(), "to": to.host() }),
        }
    }
}

/// The event that a failed renewal is for its connection's state.
pub(crate) fn event_of(error: &OAuthError) -> ConnectionEvent {
    if let OAuthError::SandboxRefreshed { found, .. } = error {
        return ConnectionEvent::SandboxRefreshed { org_id: found.clone() };
    }
    let reason = error.to_string();
    match error.recovery() {
        Recovery::Reauthorize | Recovery::Configure => ConnectionEvent::Refused { reason, trial: trial_of(error) },
        Recovery::Retry { after } => ConnectionEvent::RenewalFailed { reason, asked: after },
        Recovery::Reject | Recovery::Bug => ConnectionEvent::RenewalFailed { reason, asked: None },
    }
}

/// Salesforce's word that a refresh token is dead is final, and sending it again could end the token that replaced it
/// elsewhere. Repeating a refused password locks its user out. All else an admin may put right.
fn trial_of(error: &OAuthError) -> Trial {
    match error {
        OAuthError::Refused(refusal) => match refusal.cause {
            OAuthCause::RefreshTokenDead | OAuthCause::DeviceSecretInvalid => Trial::Never,
            OAuthCause::AuthenticationFailure
            | OAuthCause::SecurityTokenMissing
            | OAuthCause::PasswordExpired
            | OAuthCause::PasswordLocked
            | OAuthCause::VerificationPending
            | OAuthCause::SoapLoginRefused => Trial::Never,
            _ => Trial::Hourly,
        },
        OAuthError::OtherOrg { .. } => Trial::Never,
        // Nothing was sent, so that nothing has to be spared.
        OAuthError::Configuration { .. } => Trial::AtOnce,
        _ => Trial::Hourly,
    }
}
