//! Whether a failed request is sent again, and when.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, header};

use super::{Replay, RetryPolicy};
use crate::{error::ApiError, time::Timestamp};

/// True when `error` passes by itself and sending again does no harm.
pub(super) fn is_worth_another_attempt(error: &ApiError, replay: Replay) -> bool {
    if !error.is_transient() {
        return false;
    }
    match replay {
        Replay::Harmless => true,
        Replay::OnlyIfNotSeen => match error {
            ApiError::Wire { cause, .. } => !cause.may_have_arrived(),
            // 420: Edge could not route it. 429: refused before any work. A 5xx leaves open what was done.
            ApiError::Refused(refusal) => matches!(refusal.status, 420 | 429),
            _ => false,
        },
    }
}

/// How long to wait after failed attempt number `attempt` (from 1): between half and all of a time that doubles, and
/// no less than Salesforce asked for, and no more than the policy's longest wait.
pub(super) fn wait(policy: &RetryPolicy, attempt: u32, asked: Option<Duration>, random: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(20);
    let full = policy.first_wait.saturating_mul(1 << doublings).min(policy.longest_wait);
    let jittered = full.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX));
    jittered.max(asked.unwrap_or_default()).min(policy.longest_wait)
}

/// `Retry-After` in seconds, or as a date measured against the answer's own `Date` (RFC 9110, 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

/// The answer's `Date`, in whole seconds.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()?;
    i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::{ErrorCode, Refusal, WireError};

    fn wire(cause: WireError) -> ApiError {
        ApiError::Wire { doing: "query".to_owned(), cause }
    }

    fn refused(status: u16, code: &str) -> ApiError {
        ApiError::Refused(Box::new(Refusal {
            doing: String::new(),
            host: String::new(),
            status,
            code: ErrorCode::parse(code),
            message: String::new(),
            fields: Vec::new(),
            retry_after: None,
        }))
    }

    // Pitfall 21.
    #[test]
    fn transient_statuses_and_empty_406_are_tried_again() {
        for status in [420, 429, 500, 502, 503, 504, 406] {
            let error = wire(WireError::Unavailable { host: String::new(), status, retry_after: None });
            assert!(is_worth_another_attempt(&error, Replay::Harmless), "{status}");
        }
        for status in [400, 401, 403, 404, 405, 409, 410, 414, 415, 431] {
            let error = wire(WireError::Unavailable { host: String::new(), status, retry_after: None });
            assert!(!is_worth_another_attempt(&error, Replay::Harmless), "{status}");
        }
        assert!(is_worth_another_attempt(&refused(503, "SERVER_UNAVAILABLE"), Replay::Harmless));
        assert!(!is_worth_another_attempt(&refused(400, "QUERY_TIMEOUT"), Replay::Harmless));
    }

    #[test]
    fn what_must_not_happen_twice_is_sent_again_only_if_nobody_saw_it() {
        let host = String::new;
        let unseen = wire(WireError::Unreachable { host: host(), reason: String::new() });
        assert!(is_worth_another_attempt(&unseen, Replay::OnlyIfNotSeen));
        assert!(is_worth_another_attempt(&refused(429, "x"), Replay::OnlyIfNotSeen));
        for error in [
            wire(WireError::Broken { host: host(), reason: String::new() }),
            wire(WireError::NoAnswer { host: host(), waited: Duration::ZERO }),
            wire(WireError::Unavailable { host: host(), status: 503, retry_after: None }),
            refused(503, "SERVER_UNAVAILABLE"),
        ] {
            assert!(is_worth_another_attempt(&error, Replay::Harmless), "{error}");
            assert!(!is_worth_another_attempt(&error, Replay::OnlyIfNotSeen), "{error}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let headers = |retry_after: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, retry_after.parse().unwrap());
            headers.insert(header::DATE, "Sat, 21 Nov 2026 10:00:00 GMT".parse().unwrap());
            headers
        };
        assert_eq!(retry_after(&headers("30")), Some(Duration::from_secs(30)));
        assert_eq!(retry_after(&headers("Sat, 21 Nov 2026 10:01:00 GMT")), Some(Duration::from_secs(60)));
        assert_eq!(retry_after(&headers("Sat, 21 Nov 2026 09:00:00 GMT")), Some(Duration::ZERO));
        assert_eq!(retry_after(&headers("soon")), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn a_wait_is_within_its_bounds(attempt: u32, asked in 0u64..1000, random: u32) {
            let policy = RetryPolicy::default();
            let asked = Duration::from_secs(asked);
            let waited = wait(&policy, attempt, Some(asked), random);
            prop_assert!(waited <= policy.longest_wait);
            prop_assert!(waited >= asked.min(policy.longest_wait));
            prop_assert!(waited >= policy.first_wait / 2);
        }
    }
}
