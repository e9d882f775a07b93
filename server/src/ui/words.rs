//! Numbers, moments and states, as people read them.

use salesforce::Timestamp;

use crate::connection::state::ConnectionState;
pub(super) use crate::counts::grouped;

/// An address with its query, without what is empty.
pub(super) fn address(path: &str, query: &[(&str, &str)]) -> String {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
    format!("{path}?{}", encoded.finish())
}

/// A moment: how long ago or ahead it is, and when exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) relative: String,
    /// For `datetime`.
    pub(super) exact: String,
    /// `2026-11-22 04:10 UTC`.
    pub(super) plain: String,
}

impl Moment {
    pub(super) fn of(moment: Timestamp, now: Timestamp) -> Self {
        let exact = moment.to_string();
        let plain = format!("{} {} UTC", exact.get(..10).unwrap_or(""), exact.get(11..16).unwrap_or(""));
        let seconds = (now.0 - moment.0) / 1000;
        let relative = match seconds {
            -5..=5 => "now".to_owned(),
            6.. => format!("{} ago", span(seconds)),
            _ => format!("in {}", span(-seconds)),
        };
        Self { relative, exact, plain }
    }
}

/// Seconds in the unit that fits.
pub(super) fn span(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// How something stands: a word, and how it is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Badge {
    pub(super) text: &'static str,
    /// A class of the style sheet.
    pub(super) kind: &'static str,
    /// Said by shape as well as by colour.
    pub(super) sign: &'static str,
}

pub(super) const GOOD: Badge = Badge { text: "OK", kind: "good", sign: "✓" };
pub(super) const WARN: Badge = Badge { text: "Warning", kind: "warn", sign: "!" };
pub(super) const BAD: Badge = Badge { text: "Failed", kind: "bad", sign: "✕" };
pub(super) const CALM: Badge = Badge { text: "", kind: "calm", sign: "○" };
pub(super) const BUSY: Badge = Badge { text: "Running", kind: "busy", sign: "…" };

impl Badge {
    pub(super) const fn named(self, text: &'static str) -> Self {
        Self { text, ..self }
    }
}

pub(super) fn badge_of(state: &ConnectionState) -> Badge {
    match state {
        ConnectionState::Pending { .. } => CALM.named("Pending"),
        ConnectionState::Connected { .. } => GOOD.named("Connected"),
        ConnectionState::Degraded { .. } => WARN.named("Degraded"),
        ConnectionState::NeedsReauthorization { .. } => BAD.named("Needs reauthorization"),
        ConnectionState::SandboxRefreshed { .. } => BAD.named("Sandbox refreshed"),
        ConnectionState::Disconnected { .. } => CALM.named("Disconnected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_the_unit_that_fits() {
        let now = Timestamp(1_800_000_000_000);
        for (ago, text) in [
            (0, "now"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (7200, "2 hours ago"),
            (86_400 * 3, "3 days ago"),
            (-90, "in 1 minute"),
            (-86_400 * 90, "in 90 days"),
        ] {
            assert_eq!(Moment::of(Timestamp(now.0 - ago * 1000), now).relative, text);
        }
        assert_eq!(Moment::of(Timestamp(0), now).plain, "1970-01-01 00:00 UTC");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
