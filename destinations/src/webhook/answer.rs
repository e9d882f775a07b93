//! What a receiver's answer means for the message it answers.

use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use sync::Timestamp;

use super::settings::Answers;

/// An excerpt of an answer has so many letters.
const EXCERPT: usize = 300;

/// No receiver is left alone for longer than this at its word.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    /// It passes by itself.
    Later {
        reason: String,
        after: Option<Duration>,
    },
    /// The receiver does not take this very message.
    Refused {
        reason: String,
    },
    /// The receiver takes none until a person has done something.
    Denied {
        reason: String,
    },
    /// As that; the address is not the right one.
    Unusable {
        reason: String,
    },
}

/// An answer, as far as it was read.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn judge(&self, answers: Answers) -> Verdict {
        let status = self.status;
        let said = || format!("it answers {}", self.shown());
        match status {
            200..=299 => match fault_in(&self.body).filter(|_| answers == Answers::Body) {
                Some(fault) => Verdict::Refused { reason: format!("{}, which says that it failed ({fault})", said()) },
                None => Verdict::Taken,
            },
            300..=399 => Verdict::Unusable {
                reason: format!("it answers {status}, and no redirect is followed: write the address that it leads to"),
            },
            401 | 403 => Verdict::Denied {
                reason: format!("{}. Compare the signing secret on both sides, and both clocks", said()),
            },
            404 | 405 => Verdict::Unusable {
                reason: format!("{}. Correct the address, or the receiver, which has to take POST there", said()),
            },
            410 => Verdict::Unusable {
                reason: "it answers 410 Gone: it wants no more messages. End the sync, or name another receiver"
                    .to_owned(),
            },
            408 | 425 | 429 | 500..=599 => Verdict::Later { reason: said(), after: self.retry_after },
            _ => Verdict::Refused { reason: said() },
        }
    }

    /// The status, and the beginning of the body with what could be mistaken spelt out.
    fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim();
        if text.is_empty() {
            return self.status.to_string();
        }
        let excerpt: String = text.chars().take(EXCERPT).flat_map(char::escape_debug).collect();
        let rest = if text.chars().nth(EXCERPT).is_some() { "…" } else { "" };
        format!("{}: \"{excerpt}{rest}\"", self.status)
    }
}

/// What in an answer's JSON says that something failed although its status does not: `error` or `errors` that are not
/// empty, `success` or `ok` that are false.
fn fault_in(body: &[u8]) -> Option<&'static str> {
    let Ok(Value::Object(answer)) = serde_json::from_slice(body) else { return None };
    let is_something = |name: &str| match answer.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::Bool(true)) => true,
    };
    let is_false = |name: &str| answer.get(name) == Some(&Value::Bool(false));
    ["error", "errors"]
        .into_iter()
        .find(|name| is_something(name))
        .or_else(|| ["success", "ok"].into_iter().find(|name| is_false(name)))
}

/// `Retry-After` in seconds, or as a date (RFC 9110, 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let until = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(until.saturating_sub(Duration::from_millis(now.0.unsigned_abs())).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Verdict {
        Answer { status, retry_after: Some(Duration::from_secs(7)), body: body.as_bytes().to_vec() }
            .judge(Answers::Body)
    }

    #[test]
    fn only_2xx_takes_a_message_and_only_if_its_body_agrees() {
        for (status, body) in [
            (200, ""),
            (204, ""),
            (202, "ok"),
            (200, "{\"error\": null, \"errors\": [], \"success\": true, \"ok\": 1}"),
        ] {
            assert_eq!(judged(status, body), Verdict::Taken, "{body}");
        }
        for body in [
            r#"{"error": "no such table"}"#,
            r#"{"errors": [{"message": "x"}], "data": null}"#,
            r#"{"success": false}"#,
            r#"{"ok": false}"#,
            r#"{"error": true}"#,
        ] {
            assert!(matches!(judged(200, body), Verdict::Refused { .. }), "{body}");
            let answer = Answer { status: 200, retry_after: None, body: body.as_bytes().to_vec() };
            assert_eq!(answer.judge(Answers::Status), Verdict::Taken, "{body}");
        }
        for body in ["{\"error\": \"cut off", "[{\"error\": 1}]", "{\"data\": {\"error\": 1}}"] {
            assert_eq!(judged(200, body), Verdict::Taken, "{body}");
        }
    }

    #[test]
    fn every_other_status_is_known_by_what_cures_it() {
        let after = Some(Duration::from_secs(7));
        for status in [408, 425, 429, 500, 502, 503, 504, 507, 599] {
            assert!(matches!(judged(status, ""), Verdict::Later { after: asked, .. } if asked == after), "{status}");
        }
        for status in [400, 402, 409, 411, 413, 415, 418, 422, 431, 600] {
            assert!(matches!(judged(status, ""), Verdict::Refused { .. }), "{status}");
        }
        for status in [401, 403] {
            assert!(matches!(judged(status, ""), Verdict::Denied { .. }), "{status}");
        }
        for status in [300, 301, 302, 303, 304, 307, 308, 404, 405, 410] {
            assert!(matches!(judged(status, ""), Verdict::Unusable { .. }), "{status}");
        }
    }

    #[test]
    fn an_answer_is_shown_in_part_and_cannot_write_to_a_terminal() {
        let Verdict::Refused { reason } = judged(422, &format!("\u{1b}[31mno\n\"{}", "x".repeat(1000))) else {
            panic!("refused")
        };
        assert!(reason.starts_with(r#"it answers 422: "\u{1b}[31mno\n\"xxx"#), "{reason}");
        assert!(reason.len() < 400 && reason.ends_with("…\""), "{reason}");
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, Timestamp::parse("2026-11-21T10:00:00Z").unwrap())
        };
        assert_eq!(asked("30"), Some(Duration::from_secs(30)));
        assert_eq!(asked("Sat, 21 Nov 2026 10:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(asked("Sat, 21 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("18446744073709551615"), Some(LONGEST));
        assert_eq!(asked("soon"), None);
    }
}
