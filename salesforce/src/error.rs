//! What goes wrong on the wire, by cause, and what to do about it.

mod advice;
pub(crate) mod body;
mod code;
mod oauth;

use std::{net::IpAddr, time::Duration};

pub(crate) use self::oauth::mentioned;
pub use self::{
    advice::{Advice, advice, advised},
    code::ErrorCode,
    oauth::{OAuthCause, OAuthError, OAuthRefusal, Setting, Stage},
};
use crate::{
    bulk::JobId,
    quota::{OverBudget, Withheld},
};

/// What cures an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The same again later; `after` when Salesforce said how long.
    Retry { after: Option<Duration> },
    /// A person has to sign in, or hand over credentials, again.
    Reauthorize,
    /// A person has to change a setting, here or in the org.
    Configure,
    /// Only this row is wrong.
    Reject,
    /// We are wrong.
    Bug,
}

/// A request that got no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The name leads nowhere: Salesforce has certainly not seen the request.
    #[error("{host} is not known to the name service ({reason}). Check the spelling of the address")]
    UnknownHost { host: String, reason: String },
    /// No connection was opened: Salesforce has certainly not seen the request.
    #[error("{host} cannot be reached ({reason}). Check the network, the proxy setting and the name")]
    Unreachable { host: String, reason: String },
    /// The host could not prove that it is the host.
    #[error(
        "{host} shows a certificate that is not trusted ({reason}). If a proxy inspects the traffic, add its authority \
         to the extra certificate bundle"
    )]
    Certificate { host: String, reason: String },
    /// Not sent: the name leads into a private network.
    #[error("{host} resolves to {address}, which is not a public address; nothing is sent there")]
    PrivateAddress { host: String, address: IpAddr },
    /// The connection ended after the request may have been sent.
    #[error("the connection to {host} broke ({reason})")]
    Broken { host: String, reason: String },
    #[error("{host} did not answer within {}", seconds(*waited))]
    NoAnswer { host: String, waited: Duration },
    #[error("{host} sent nothing more for {} in the middle of an answer", seconds(*waited))]
    Stalled { host: String, waited: Duration },
    /// A page for people instead of an answer for programs.
    #[error("{host} answered with a web page (HTTP {status}{}), as it does during maintenance", titled(title))]
    Maintenance { host: String, status: u16, title: String, retry_after: Option<Duration> },
    /// An error status without a word.
    #[error("{host} answered HTTP {status} without saying why")]
    Unavailable { host: String, status: u16, retry_after: Option<Duration> },
    /// Larger than any answer this client asks for.
    #[error("{host} sent an answer of more than {limit} bytes")]
    TooLarge { host: String, limit: usize },
    /// Not sent: its time had passed when the connection stood.
    #[error("nothing was sent to {host}: its time had passed, as if this process had stood still")]
    TooLate { host: String },
    /// Not sent: the host rules forbid it.
    #[error("{host} is not a host that requests may go to")]
    HostRefused { host: String },
}

impl WireError {
    /// True when Salesforce may have seen, and acted on, the request.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::UnknownHost { .. }
            | Self::Unreachable { .. }
            | Self::Certificate { .. }
            | Self::PrivateAddress { .. }
            | Self::TooLate { .. }
            | Self::HostRefused { .. } => false,
            Self::Broken { .. }
            | Self::NoAnswer { .. }
            | Self::Stalled { .. }
            | Self::Maintenance { .. }
            | Self::Unavailable { .. }
            | Self::TooLarge { .. } => true,
        }
    }

    /// What Salesforce asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Maintenance { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub fn recovery(&self) -> Recovery {
        match self {
            Self::UnknownHost { .. }
            | Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::NoAnswer { .. }
            | Self::TooLate { .. }
            | Self::Stalled { .. } => Recovery::Retry { after: None },
            Self::Maintenance { retry_after, .. } => Recovery::Retry { after: *retry_after },
            Self::Unavailable { status, retry_after, .. } => match status {
                401 => Recovery::Reauthorize,
                403 => Recovery::Configure,
                406 => Recovery::Retry { after: *retry_after },
                status if is_transient_status(*status) => Recovery::Retry { after: *retry_after },
                _ => Recovery::Bug,
            },
            Self::TooLarge { .. } => Recovery::Bug,
            Self::HostRefused { .. } | Self::PrivateAddress { .. } | Self::Certificate { .. } => Recovery::Configure,
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

fn titled(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!(", {title:?}") }
}

/// An answer in which Salesforce says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was being done, such as "describe Account".
    pub doing: String,
    pub host: String,
    /// The HTTP status; that of the inner answer for a composite request.
    pub status: u16,
    pub code: ErrorCode,
    /// Salesforce's own words, with anything that looks like a token blotted out.
    pub message: String,
    /// The API names of the fields that Salesforce blames.
    pub fields: Vec<String>,
    pub retry_after: Option<Duration>,
}

/// Why an object, or a query, cannot be read by the Bulk API although REST may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkRefusal {
    /// The object is not supported by the Bulk API.
    Object,
    /// The query selects a compound field or another one that CSV has no form for.
    Field,
    /// The org or the user has no Bulk API.
    NotEnabled,
    /// The object is readable only with a filter, or by users with "View All Data".
    NeedsFilter,
    /// The day's jobs or the day's result size are used up.
    Quota,
}

impl Refusal {
    /// Why the Bulk API refuses what REST may allow; `None` when the refusal is about something else.
    ///
    /// Error codes alone do not tell (`API_ERROR` stands for several), so the texts of Bulk API 2.0 guide v66 and of
    /// connectors' trackers are recognised here and nowhere else.
    pub fn by_bulk(&self) -> Option<BulkRefusal> {
        let says = |words: &str| self.message.contains(words);
        if says("Max bulk v2 query") {
            return Some(BulkRefusal::Quota);
        }
        match self.code {
            ErrorCode::InvalidEntity => Some(BulkRefusal::Object),
            ErrorCode::FeatureNotEnabled => Some(BulkRefusal::NotEnabled),
            ErrorCode::ExceededQuota => Some(BulkRefusal::Quota),
            ErrorCode::ApiError | ErrorCode::FunctionalityNotEnabled if says("compound data") => {
                Some(BulkRefusal::Field)
            }
            ErrorCode::ApiError if says("does not support query") || says("is not supported by the Bulk API") => {
                Some(BulkRefusal::Object)
            }
            ErrorCode::ApiError if says("Implementation restriction") => Some(BulkRefusal::NeedsFilter),
            _ => None,
        }
    }

    /// True for "too many at once", which passes within minutes; the day's quota does not.
    fn is_concurrency_limit(&self) -> bool {
        self.code == ErrorCode::RequestLimitExceeded && self.message.contains("oncurrent")
    }

    /// True for a refused session that a new one replaces.
    ///
    /// Two texts come with the same code although every session of the app is refused (jsforce `src/http-api.ts`
    /// skips both to avoid endless renewals). The OAuth endpoints say `Bad_OAuth_Token` with status 403.
    pub(crate) fn is_cured_by_new_session(&self) -> bool {
        let incurable =
            ["This session is not valid for use with the REST API", "Connected app is not attached to Agent"];
        match self.code {
            ErrorCode::InvalidSessionId => {
                self.status == 401 && !incurable.iter().any(|words| self.message.contains(words))
            }
            ErrorCode::BadOAuthToken => true,
            _ => false,
        }
    }

    /// True when it is the session that is refused, and not what was asked.
    pub(crate) fn is_about_session(&self) -> bool {
        matches!(self.code, ErrorCode::InvalidSessionId | ErrorCode::BadOAuthToken | ErrorCode::InvalidAuthHeader)
    }

    /// True when the same request may succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self.code {
            ErrorCode::QueryTimeout | ErrorCode::RequestRunningTooLong => false,
            ErrorCode::RequestLimitExceeded => self.is_concurrency_limit(),
            ErrorCode::UnableToLockRow | ErrorCode::ServerUnavailable | ErrorCode::TooManyLockFailure => true,
            _ => is_transient_status(self.status),
        }
    }

    fn recovery(&self) -> Recovery {
        if self.is_transient() {
            return Recovery::Retry { after: self.retry_after };
        }
        self.by_bulk().map_or_else(
            || self.code.recovery(),
            |refusal| match refusal {
                BulkRefusal::Quota => Recovery::Retry { after: self.retry_after },
                BulkRefusal::Object | BulkRefusal::Field => Recovery::Bug,
                BulkRefusal::NotEnabled | BulkRefusal::NeedsFilter => Recovery::Configure,
            },
        )
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { doing, host, status, code, message, fields, .. } = self;
        write!(out, "{doing}: {host} refused with {code} (HTTP {status})")?;
        if !message.is_empty() {
            write!(out, ": {}", message.trim())?;
        }
        if !fields.is_empty() {
            write!(out, " [fields: {}]", fields.join(", "))?;
        }
        match advice(code) {
            Some(Advice { why, remedy, .. }) => write!(out, ": {why}. {remedy}"),
            None => Ok(()),
        }
    }
}

/// Statuses that pass by themselves: too many requests, an overloaded or unreachable server, Edge routing (420).
/// Source: REST guide, "Status Codes and Error Responses"; 429 from connectors.
pub(crate) fn is_transient_status(status: u16) -> bool {
    matches!(status, 420 | 429 | 500 | 502 | 503 | 504)
}

/// Why a data request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Salesforce said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The session was refused, and a new one is, or would be, refused too.
    #[error("{refusal}. {}", if *renewed { "A new session was refused as well" } else { "A new session would not help" })]
    SessionRefused { refusal: Box<Refusal>, renewed: bool },
    /// There is no session to make the request with.
    #[error(transparent)]
    SignIn(#[from] OAuthError),
    #[error("{doing}: {cause}")]
    Wire { doing: String, cause: WireError },
    /// Not sent: who keeps the budget of API calls does not admit it.
    #[error("{0}")]
    Withheld(Box<Withheld>),
    /// Each attempt failed; the last failure is kept.
    #[error("given up after {attempts} attempts. {last}")]
    GivenUp { attempts: u32, last: Box<ApiError> },
    /// An answer that is not what Salesforce documents.
    #[error("{doing}: {host} sent an answer that cannot be read: {reason}")]
    Unexpected { doing: String, host: String, reason: String },
    /// An answer that contradicts itself; taking it for the end would lose records.
    #[error("{doing}: {host} broke the protocol: {violation}. Nothing is taken from this answer")]
    Protocol { doing: String, host: String, violation: &'static str },
    /// A Bulk job ended without results.
    #[error("the query job {job} {}", job_end(*aborted, message))]
    JobEnded { job: JobId, aborted: bool, message: String },
    /// A Bulk job stands still.
    #[error("the query job {job} has not advanced in {}", seconds(*waited))]
    JobUnfinished { job: JobId, waited: Duration },
}

fn job_end(aborted: bool, message: &str) -> String {
    match (aborted, message) {
        (true, _) => "was aborted in the org".to_owned(),
        (false, "") => "failed, and Salesforce does not say why".to_owned(),
        (false, message) => format!("failed: {message}"),
    }
}

/// A job that was tried in vain more than 15 times.
fn says_retried(message: &str) -> bool {
    message.contains("more than 15") || message.contains("more than fifteen")
}

/// A failed job names its cause before a colon (`InvalidBatch : Field name not found : X`), or says that the query was
/// tried more than 15 times, which a narrower query cures (Bulk API 2.0 guide v66, "Limits").
fn failed_job_recovery(message: &str) -> Recovery {
    if says_retried(message) {
        return Recovery::Configure;
    }
    match message.split_once(':').map(|(code, _)| ErrorCode::parse(code.trim())) {
        None | Some(ErrorCode::Other(_)) => Recovery::Retry { after: None },
        Some(code) => code.recovery(),
    }
}

impl From<Withheld> for ApiError {
    fn from(withheld: Withheld) -> Self {
        Self::Withheld(Box::new(withheld))
    }
}

impl ApiError {
    /// What cures this error.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Refused(refusal) => refusal.recovery(),
            Self::SessionRefused { renewed: true, .. } => Recovery::Reauthorize,
            Self::SessionRefused { renewed: false, .. } => Recovery::Configure,
            Self::SignIn(error) => error.recovery(),
            Self::Wire { cause, .. } => cause.recovery(),
            Self::Withheld(withheld) => Recovery::Retry { after: withheld.after() },
            Self::GivenUp { last, .. } => last.recovery(),
            Self::Unexpected { .. } | Self::Protocol { .. } => Recovery::Bug,
            Self::JobEnded { aborted: true, .. } => Recovery::Retry { after: None },
            Self::JobEnded { aborted: false, message, .. } => failed_job_recovery(message),
            Self::JobUnfinished { .. } => Recovery::Retry { after: None },
        }
    }

    /// The budget that is used up, where that is why nothing was sent.
    pub fn over_budget(&self) -> Option<&OverBudget> {
        match self {
            Self::Withheld(withheld) => match &**withheld {
                Withheld::OverBudget(over) => Some(over),
                Withheld::Unknown { .. } => None,
            },
            _ => None,
        }
    }

    /// Salesforce's error code, when Salesforce gave one.
    pub fn code(&self) -> Option<&ErrorCode> {
        self.refusal().map(|refusal| &refusal.code)
    }

    /// What Salesforce said, when it refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::SessionRefused { refusal, .. } => Some(refusal),
            Self::GivenUp { last, .. } => last.refusal(),
            Self::SignIn(_)
            | Self::Withheld(_)
            | Self::Wire { .. }
            | Self::Unexpected { .. }
            | Self::Protocol { .. }
            | Self::JobEnded { .. }
            | Self::JobUnfinished { .. } => None,
        }
    }

    /// True when fewer records at once may be had: the query takes too long, touches too much, or its object has no
    /// further pages.
    pub fn is_too_large(&self) -> bool {
        if let Self::JobEnded { aborted: false, message, .. } = self {
            return says_retried(message);
        }
        matches!(
            self.code(),
            Some(
                ErrorCode::OperationTooLarge
                    | ErrorCode::QueryTimeout
                    | ErrorCode::QueryTooComplicated
                    | ErrorCode::RequestRunningTooLong
                    | ErrorCode::ExceededIdLimit
            )
        )
    }

    /// True when an object or a field is not there, or not for this user: what is known of the org's schema is outdated.
    ///
    /// A job that fails for it says `InvalidBatch : Field name not found : X`, or has the words of the query's refusal.
    pub fn is_about_schema(&self) -> bool {
        match self {
            Self::JobEnded { aborted: false, message, .. } => {
                ["Field name not found", "No such column", "INVALID_FIELD", "INVALID_TYPE"]
                    .iter()
                    .any(|words| message.contains(words))
            }
            _ => matches!(self.code(), Some(ErrorCode::InvalidField | ErrorCode::InvalidType)),
        }
    }

    /// True when the same request may succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_transient(),
            Self::Wire { cause, .. } => matches!(cause.recovery(), Recovery::Retry { .. }),
            Self::SessionRefused { .. }
            | Self::SignIn(_)
            | Self::Withheld(_)
            | Self::GivenUp { .. }
            | Self::Unexpected { .. }
            | Self::Protocol { .. }
            | Self::JobEnded { .. }
            | Self::JobUnfinished { .. } => false,
        }
    }

    /// What Salesforce asked to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Wire { cause, .. } => cause.retry_after(),
            _ => self.refusal().and_then(|refusal| refusal.retry_after),
        }
    }
}

#[cfg(test)]
mod tests;
