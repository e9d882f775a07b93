//! Addresses of callers, and when they may come.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::{DateTime, Timelike, Utc};
use serde::Deserialize;

/// A range of addresses, both ends included: `203.0.113.0-203.0.113.255`, or one address alone.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct IpRange {
    first: IpAddr,
    last: IpAddr,
}

/// A text that is no range of addresses.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a range of addresses: write the first and the last of one kind with a hyphen between them")]
pub struct MalformedRange(String);

impl IpRange {
    /// The range from `first` to `last`; `None` when they are of two kinds or out of order.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    /// Whether an address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && (self.first..=self.last).contains(&address)
    }
}

impl FromStr for IpRange {
    type Err = MalformedRange;

    fn from_str(text: &str) -> Result<Self, MalformedRange> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let parsed = first.trim().parse().ok().zip(last.trim().parse().ok());
        parsed.and_then(|(first, last)| Self::new(first, last)).ok_or_else(|| MalformedRange(text.to_owned()))
    }
}

impl TryFrom<String> for IpRange {
    type Error = MalformedRange;

    fn try_from(text: String) -> Result<Self, MalformedRange> {
        text.parse()
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.first, self.last)
    }
}

/// Login hours of a profile, the same on every day, in UTC. The end is not included.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct LoginHours {
    /// Minutes after midnight.
    pub from: u32,
    /// Minutes after midnight.
    pub to: u32,
}

impl LoginHours {
    /// Whether a moment lies within the hours.
    pub fn contain(&self, moment: DateTime<Utc>) -> bool {
        let minute = moment.hour() * 60 + moment.minute();
        (self.from..self.to).contains(&minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_of_its_ends() {
        let range: IpRange = "203.0.113.4 - 203.0.113.6".parse().unwrap();
        let inside = |text: &str| range.contains(text.parse().unwrap());
        assert!(inside("203.0.113.4") && inside("203.0.113.6"));
        assert!(!inside("203.0.113.3") && !inside("203.0.113.7") && !inside("::1"));
    }

    #[test]
    fn a_range_that_runs_backwards_or_mixes_kinds_is_none() {
        for text in ["203.0.113.6-203.0.113.4", "203.0.113.4-::1", "203.0.113.0/24", ""] {
            assert_eq!(text.parse::<IpRange>(), Err(MalformedRange(text.to_owned())));
        }
    }

    #[test]
    fn login_hours_end_before_their_last_minute() {
        let hours = LoginHours { from: 8 * 60, to: 18 * 60 };
        let at = |hour, minute| {
            DateTime::from_timestamp(1_795_219_200 + i64::from(hour) * 3600 + i64::from(minute) * 60, 0).unwrap()
        };
        assert!(hours.contain(at(8, 0)) && hours.contain(at(17, 59)));
        assert!(!hours.contain(at(7, 59)) && !hours.contain(at(18, 0)));
    }
}
