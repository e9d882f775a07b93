//! Codes of the device flow: a device asks for them, a person confirms one of them in a browser, and the device polls
//! with the other (Salesforce Help, "OAuth 2.0 Device Flow for IoT Integration").

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::OAuthError;
use crate::ids::RecordId;
use crate::org::random_text;
use crate::scenario::SessionLevel;
use crate::web::Bounded;

/// Minutes that both codes are good for.
const LIFE: TimeDelta = TimeDelta::minutes(10);
/// Seconds between two polls.
const INTERVAL: i64 = 5;
/// What each poll that comes too early adds to them (RFC 8628, section 3.5).
const SLOWER_BY: i64 = 5;
/// Codes that are remembered; beyond it the oldest are forgotten.
const CAPACITY: usize = 2000;
const USER_CODE_LENGTH: usize = 8;
const USER_CODE_ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// What a device asks a person for.
#[derive(Clone, Debug)]
pub(crate) struct DeviceRequest {
    pub(crate) consumer_key: String,
    /// Absent: every scope of the app.
    pub(crate) scopes: Option<Vec<String>>,
    /// The org of the My Domain where the device asked; absent at the login hosts.
    pub(crate) org: Option<RecordId>,
    /// Who has been let in to answer.
    pub(crate) admitted: Option<(RecordId, String)>,
    pub(crate) user_code: String,
    started: DateTime<Utc>,
    interval: i64,
    last_poll: Option<DateTime<Utc>>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Waiting,
    Denied,
    Allowed(DeviceApproval),
    Used,
}

/// What a person let a device have.
#[derive(Clone, Debug)]
pub(crate) struct DeviceApproval {
    pub(crate) org: RecordId,
    pub(crate) username: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) level: SessionLevel,
}

/// Why a poll gives no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotYet {
    Pending,
    SlowDown,
    Denied,
    /// Too old, or used already.
    Expired,
    /// Never issued, issued to another app, or confirmed in another org.
    Unknown,
}

/// The codes are Salesforce's and RFC 8628's; none of the texts is documented, except for that of a denial.
impl From<NotYet> for OAuthError {
    fn from(reason: NotYet) -> Self {
        match reason {
            NotYet::Pending => Self::new("authorization_pending", "authorization pending"),
            NotYet::SlowDown => Self::new("slow_down", "polling too frequently"),
            NotYet::Denied => Self::new("access_denied", "end-user denied authorization"),
            NotYet::Expired => Self::invalid_grant("expired device code"),
            NotYet::Unknown => Self::invalid_grant("invalid device code"),
        }
    }
}

/// A device's own code and the rules for using it.
pub(super) struct Started {
    pub(super) device_code: String,
    pub(super) user_code: String,
    pub(super) interval: i64,
}

/// The codes of all orgs.
pub(crate) struct DeviceCodes {
    issued: Mutex<Bounded<DeviceRequest>>,
}

impl Default for DeviceCodes {
    fn default() -> Self {
        Self { issued: Mutex::new(Bounded::new(CAPACITY)) }
    }
}

impl DeviceCodes {
    pub(super) fn start(
        &self,
        consumer_key: &str,
        scopes: Option<Vec<String>>,
        org: Option<RecordId>,
        now: DateTime<Utc>,
    ) -> Started {
        let (device_code, user_code) = (random_text(64), new_user_code());
        let request = DeviceRequest {
            consumer_key: consumer_key.to_owned(),
            scopes,
            org,
            admitted: None,
            user_code: user_code.clone(),
            started: now,
            interval: INTERVAL,
            last_poll: None,
            state: State::Waiting,
        };
        self.lock().insert(device_code.clone(), request);
        Started { device_code, user_code, interval: INTERVAL }
    }

    /// A device asks again. What was allowed in `org` is handed out once.
    pub(super) fn poll(
        &self,
        device_code: &str,
        consumer_key: &str,
        org: RecordId,
        now: DateTime<Utc>,
    ) -> Result<DeviceApproval, NotYet> {
        let mut issued = self.lock();
        let request = issued.get_mut(device_code).filter(|request| request.consumer_key == consumer_key);
        let request = request.ok_or(NotYet::Unknown)?;
        if matches!(request.state, State::Used) || request.is_old(now) {
            return Err(NotYet::Expired);
        }
        let last_poll = request.last_poll.replace(now);
        if last_poll.is_some_and(|last| now - last < TimeDelta::seconds(request.interval)) {
            request.interval += SLOWER_BY;
            return Err(NotYet::SlowDown);
        }
        match &request.state {
            State::Waiting => Err(NotYet::Pending),
            State::Denied => Err(NotYet::Denied),
            State::Used => Err(NotYet::Expired),
            State::Allowed(approval) if approval.org != org => Err(NotYet::Unknown),
            State::Allowed(approval) => {
                let approval = approval.clone();
                request.state = State::Used;
                Ok(approval)
            }
        }
    }

    /// The org in which a code was confirmed.
    pub(crate) fn org_of(&self, device_code: &str) -> Option<RecordId> {
        match &self.lock().get(device_code)?.state {
            State::Allowed(approval) => Some(approval.org),
            State::Waiting | State::Denied | State::Used => None,
        }
    }

    /// The request that a person names, while it waits for an answer.
    pub(crate) fn waiting(&self, user_code: &str, now: DateTime<Utc>) -> Option<DeviceRequest> {
        self.with_waiting(user_code, now, |request| request.clone())
    }

    /// Notes who has been let in to answer.
    pub(crate) fn admit(&self, user_code: &str, org: RecordId, username: &str, now: DateTime<Utc>) {
        self.with_waiting(user_code, now, |request| request.admitted = Some((org, username.to_owned())));
    }

    /// Answers a request; `None` denies it. Whether it still waited.
    pub(crate) fn answer(&self, user_code: &str, approval: Option<DeviceApproval>, now: DateTime<Utc>) -> bool {
        let state = approval.map_or(State::Denied, State::Allowed);
        self.with_waiting(user_code, now, |request| request.state = state).is_some()
    }

    fn with_waiting<T>(
        &self,
        user_code: &str,
        now: DateTime<Utc>,
        change: impl FnOnce(&mut DeviceRequest) -> T,
    ) -> Option<T> {
        let user_code = plain_user_code(user_code);
        let waits = |request: &DeviceRequest| {
            request.user_code == user_code && matches!(request.state, State::Waiting) && !request.is_old(now)
        };
        self.lock().find_mut(waits).map(change)
    }

    fn lock(&self) -> MutexGuard<'_, Bounded<DeviceRequest>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeviceRequest {
    fn is_old(&self, now: DateTime<Utc>) -> bool {
        now - self.started >= LIFE
    }
}

/// A code as it was issued, however a person writes it: in small letters, with spaces or hyphens.
pub(crate) fn plain_user_code(written: &str) -> String {
    let letters = written.chars().filter(char::is_ascii_alphanumeric).take(2 * USER_CODE_LENGTH);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

fn new_user_code() -> String {
    let mut bytes = [0; USER_CODE_LENGTH];
    getrandom::fill(&mut bytes).expect("the system has a source of randomness");
    bytes.iter().map(|byte| char::from(USER_CODE_ALPHABET[usize::from(byte % 36)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "3MVG9.device";

    fn second(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_219_200 + seconds, 0).unwrap()
    }

    fn org() -> RecordId {
        RecordId::parse("00DgL000000ACME").unwrap()
    }

    fn started() -> (DeviceCodes, Started) {
        let codes = DeviceCodes::default();
        let started = codes.start(KEY, None, None, second(0));
        (codes, started)
    }

    fn poll(codes: &DeviceCodes, started: &Started, at: i64) -> Option<NotYet> {
        codes.poll(&started.device_code, KEY, org(), second(at)).err()
    }

    #[test]
    fn each_early_poll_makes_the_interval_five_seconds_longer() {
        let (codes, started) = started();
        for (at, expected) in [
            (0, NotYet::Pending),
            (4, NotYet::SlowDown),
            (13, NotYet::SlowDown),
            (28, NotYet::Pending),
            (42, NotYet::SlowDown),
            (62, NotYet::Pending),
        ] {
            assert_eq!(poll(&codes, &started, at), Some(expected), "after {at} seconds");
        }
    }

    #[test]
    fn the_codes_live_for_ten_minutes() {
        let (codes, started) = started();
        assert_eq!(poll(&codes, &started, 599), Some(NotYet::Pending));
        assert!(codes.waiting(&started.user_code, second(599)).is_some());
        assert_eq!(poll(&codes, &started, 600), Some(NotYet::Expired));
        assert!(codes.waiting(&started.user_code, second(600)).is_none());
        assert!(!codes.answer(&started.user_code, None, second(600)));
    }

    #[test]
    fn a_user_code_is_eight_letters_and_digits_and_may_be_written_freely() {
        let (codes, started) = started();
        assert_eq!(started.user_code.len(), 8);
        assert!(started.user_code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()));
        let (first, last) = started.user_code.split_at(4);
        let written = format!(" {}-{} ", first.to_lowercase(), last);
        assert!(codes.waiting(&written, second(1)).is_some());
        assert!(codes.waiting("", second(1)).is_none());
    }
}
