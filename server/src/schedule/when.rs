//! When a stream runs by itself: what people write, and the moments that it means. Pure.
//!
//! Moments follow from the schedule and the stream's id alone, so that every process finds the same ones, and what was
//! missed is known without a record: it lies in the past.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::Cron;
use ring::digest::{SHA256, digest};
use salesforce::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::closest;

/// A week.
const LONGEST_MINUTES: u32 = 7 * 24 * 60;
const MINUTE_MILLIS: i64 = 60_000;
/// Streams whose interval is long are spread no further than this.
const WIDEST_JITTER_MILLIS: i64 = 5 * MINUTE_MILLIS;

/// What people may write.
pub const FORMS: &str = "write none, `every 15 minutes` (or 15m, 2h), hourly, `hourly at :20`, `daily at 03:00 \
     Europe/Berlin`, or `cron */20 6-18 * * 1-5 Europe/Berlin`; without a zone it is UTC";

const UNREADABLE: &str = "it is none of the forms";

/// When a stream runs by itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Schedule {
    /// Only when somebody asks for it.
    #[default]
    None,
    /// At multiples of so many minutes since 1970 (UTC): 15 minutes are :00, :15, :30 and :45.
    Every { minutes: u32 },
    /// Once an hour; at that minute (UTC), or at the full hour with the spread of an interval.
    Hourly { minute: Option<u8> },
    /// Once a day, by the wall clock of a zone.
    Daily { time: TimeOfDay, zone: Tz },
    /// By five cron fields, by the wall clock of a zone.
    Cron { pattern: Pattern, zone: Tz },
}

/// A time of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay {
    hour: u8,
    minute: u8,
}

/// Five cron fields, as they were written and as they are searched.
#[derive(Debug, Clone)]
pub struct Pattern {
    written: String,
    cron: Box<Cron>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

/// A text that is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{written:?} is no schedule: {reason}")]
pub struct ScheduleError {
    pub written: String,
    pub reason: String,
}

impl Schedule {
    /// The first moment after `after` at which the stream of that id runs; `None`: never by itself.
    ///
    /// A clock that goes forward skips a repeating moment, and moves one that is at a fixed time to the end of the gap; a
    /// clock that goes back repeats a repeating moment, and runs one at a fixed time once.
    pub fn next(&self, after: Timestamp, stream_id: &str) -> Option<Timestamp> {
        let jitter = self.jitter(stream_id);
        let before = Timestamp(after.0.checked_sub(jitter)?);
        let base = match self {
            Self::None => return None,
            Self::Every { minutes } => next_multiple(before, i64::from(*minutes), 0)?,
            Self::Hourly { minute } => next_multiple(before, 60, i64::from(minute.unwrap_or(0)))?,
            Self::Daily { time, zone } => next_by_wall_clock(&daily(*time).cron, *zone, before)?,
            Self::Cron { pattern, zone } => next_by_wall_clock(&pattern.cron, *zone, before)?,
        };
        Some(Timestamp(base.0.checked_add(jitter)?))
    }

    /// The same with an interval so many times as long, but a day at most. A time of day, and a pattern, stay as they are.
    #[must_use]
    pub fn slowed(&self, times: u32) -> Self {
        const DAY: u32 = 24 * 60;
        let longer = |minutes: u32| Self::Every { minutes: minutes.saturating_mul(times).min(minutes.max(DAY)) };
        match self {
            Self::Every { minutes } if times > 1 => longer(*minutes),
            Self::Hourly { .. } if times > 1 => longer(60),
            other => other.clone(),
        }
    }

    /// How often a stream runs in 24 hours; at least once.
    pub fn runs_a_day(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Every { minutes } => (24 * 60 / u64::from((*minutes).max(1))).max(1),
            Self::Hourly { .. } => 24,
            Self::Daily { .. } => 1,
            Self::Cron { .. } => {
                let day = Timestamp(24 * 60 * MINUTE_MILLIS);
                let moments = std::iter::successors(self.next(Timestamp(0), ""), |at| self.next(*at, ""));
                (moments.take_while(|at| *at <= day).count() as u64).max(1)
            }
        }
    }

    /// How much later than its schedule says a stream runs, so that not all begin at once: by its id, always the same.
    /// Less than a tenth of an interval and five minutes; less than a minute where a person has named the minute.
    fn jitter(&self, stream_id: &str) -> i64 {
        let bound = match self {
            Self::None => return 0,
            Self::Every { minutes } => (i64::from(*minutes) * MINUTE_MILLIS / 10).min(WIDEST_JITTER_MILLIS),
            Self::Hourly { minute: None } => WIDEST_JITTER_MILLIS,
            Self::Hourly { minute: Some(_) } | Self::Daily { .. } | Self::Cron { .. } => MINUTE_MILLIS,
        };
        let hash = digest(&SHA256, stream_id.as_bytes());
        let number = hash.as_ref().iter().take(4).fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
        number % bound
    }
}

/// The first moment after `after` that is `offset` minutes past a multiple of `minutes`.
fn next_multiple(after: Timestamp, minutes: i64, offset: i64) -> Option<Timestamp> {
    let (interval, offset) = (minutes * MINUTE_MILLIS, offset * MINUTE_MILLIS);
    let passed = after.0.checked_sub(offset)?.div_euclid(interval);
    passed.checked_add(1)?.checked_mul(interval)?.checked_add(offset).map(Timestamp)
}

fn next_by_wall_clock(cron: &Cron, zone: Tz, after: Timestamp) -> Option<Timestamp> {
    let there = DateTime::<Utc>::from_timestamp_millis(after.0)?.with_timezone(&zone);
    let next = cron.find_next_occurrence(&there, false).ok()?;
    Some(Timestamp(next.timestamp_millis()))
}

fn daily(time: TimeOfDay) -> Pattern {
    Pattern::read(&format!("{} {} * * *", time.minute, time.hour)).expect("a time of the day is a pattern")
}

impl Pattern {
    fn read(fields: &str) -> Result<Self, String> {
        let fields: Vec<&str> = fields.split_whitespace().collect();
        if fields.len() != 5 {
            return Err(format!(
                "cron has five fields (minute, hour, day of the month, month, day of the week), and these are {}",
                fields.len()
            ));
        }
        let written = fields.join(" ");
        let cron: Cron = Cron::from_str(&written).map_err(|error| error.to_string())?;
        Ok(Self { written, cron: Box::new(cron) })
    }

    /// False for a day that no calendar has.
    fn occurs(&self) -> bool {
        next_by_wall_clock(&self.cron, Tz::UTC, Timestamp(0)).is_some()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// Writes it so that it can be read again.
impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("none"),
            Self::Every { minutes: 1 } => out.write_str("every minute"),
            Self::Every { minutes: 60 } => out.write_str("every hour"),
            Self::Every { minutes } if minutes % 60 == 0 => write!(out, "every {} hours", minutes / 60),
            Self::Every { minutes } => write!(out, "every {minutes} minutes"),
            Self::Hourly { minute: None } => out.write_str("hourly"),
            Self::Hourly { minute: Some(minute) } => write!(out, "hourly at :{minute:02}"),
            Self::Daily { time, zone } => write!(out, "daily at {time} {zone}"),
            Self::Cron { pattern, zone } => write!(out, "cron {} {zone}", pattern.written),
        }
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.to_string()
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(written: String) -> Result<Self, ScheduleError> {
        written.parse()
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(written: &str) -> Result<Self, ScheduleError> {
        let words: Vec<&str> = written.split_whitespace().collect();
        read(&words).map_err(|reason| ScheduleError { written: written.trim().to_owned(), reason })
    }
}

fn read(words: &[&str]) -> Result<Schedule, String> {
    let Some((first, rest)) = words.split_first() else { return Err("it is empty".to_owned()) };
    match first.to_ascii_lowercase().as_str() {
        "none" | "never" | "off" | "manual" if rest.is_empty() => Ok(Schedule::None),
        "every" => interval(&rest.concat()),
        "hourly" => hourly(without_at(rest)),
        "daily" => daily_of(without_at(rest)),
        "cron" => cron(rest),
        first if first.starts_with(|c: char| c.is_ascii_digit()) && words.len() < 5 => interval(&words.concat()),
        first if first.starts_with(['*', '@']) || first.starts_with(|c: char| c.is_ascii_digit()) => cron(words),
        _ => Err(UNREADABLE.to_owned()),
    }
}

fn without_at<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    match words {
        [first, rest @ ..] if first.eq_ignore_ascii_case("at") => rest,
        words => words,
    }
}

/// `15m`, `2 hours`, `hour`: a number, which is 1 when it is left out, and a unit.
fn interval(written: &str) -> Result<Schedule, String> {
    let digits = written.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = written.split_at(digits);
    let minutes_of_unit = match unit.to_ascii_lowercase().as_str() {
        "m" | "min" | "mins" | "minute" | "minutes" => 1,
        "h" | "hour" | "hours" => 60,
        "d" | "day" | "days" => 24 * 60,
        _ => return Err(UNREADABLE.to_owned()),
    };
    let number = if number.is_empty() { Some(1_u32) } else { number.parse().ok() };
    match number.and_then(|number| number.checked_mul(minutes_of_unit)) {
        Some(minutes @ 1..=LONGEST_MINUTES) => Ok(Schedule::Every { minutes }),
        _ => Err("an interval is between a minute and a week".to_owned()),
    }
}

fn hourly(words: &[&str]) -> Result<Schedule, String> {
    let minute = match words {
        [] => return Ok(Schedule::Hourly { minute: None }),
        [minute] => minute.trim_start_matches(':').parse::<u8>().ok().filter(|minute| *minute < 60),
        _ => None,
    };
    let minute = minute.ok_or("the minute of an hour is between :00 and :59")?;
    Ok(Schedule::Hourly { minute: Some(minute) })
}

fn daily_of(words: &[&str]) -> Result<Schedule, String> {
    let no_time = || "a daily schedule needs a time, such as `daily at 03:00 Europe/Berlin`".to_owned();
    let (time, rest) = match words {
        [] => return Err(no_time()),
        // 3 am
        [time, half, rest @ ..] if matches!(half.to_ascii_lowercase().as_str(), "am" | "pm") => {
            (time_of_day(&format!("{time}{half}")), rest)
        }
        [time, rest @ ..] => (time_of_day(time), rest),
    };
    Ok(Schedule::Daily { time: time.ok_or_else(no_time)?, zone: zone(rest)? })
}

/// `03:00`, `3:00`, `3am`, `3:30pm`.
fn time_of_day(written: &str) -> Option<TimeOfDay> {
    let written = written.to_ascii_lowercase();
    let (clock, half) = match (written.strip_suffix("am"), written.strip_suffix("pm")) {
        (Some(clock), _) => (clock, Some(0)),
        (_, Some(clock)) => (clock, Some(12)),
        (None, None) => (written.as_str(), None),
    };
    let (hour, minute) = match clock.split_once(':') {
        Some((hour, minute)) if minute.len() == 2 => (hour.parse::<u8>().ok()?, minute.parse::<u8>().ok()?),
        None if half.is_some() => (clock.parse().ok()?, 0),
        Some(_) | None => return None,
    };
    let hour = match half {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
        None => hour,
    };
    (hour < 24 && minute < 60).then_some(TimeOfDay { hour, minute })
}

fn cron(words: &[&str]) -> Result<Schedule, String> {
    let (fields, rest) = words.split_at(words.len().min(5));
    let (pattern, zone) = (Pattern::read(&fields.join(" "))?, zone(rest)?);
    match pattern.occurs() {
        true => Ok(Schedule::Cron { pattern, zone }),
        false => Err("no day has this date".to_owned()),
    }
}

/// A zone of the tz database, in any case.
fn zone(words: &[&str]) -> Result<Tz, String> {
    let name = match words {
        [] => return Ok(Tz::UTC),
        [name] => *name,
        words => return Err(format!("{:?} is more than a time zone", words.join(" "))),
    };
    let known = TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
    known.copied().ok_or_else(|| {
        let meant = closest(name, TZ_VARIANTS.iter().map(|zone| zone.name()));
        let hint = meant.map(|meant| format!("; is {meant} meant?")).unwrap_or_default();
        format!("{name:?} is no time zone such as Europe/Berlin or UTC{hint}")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule(written: &str) -> Schedule {
        written.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// The moments of a schedule after `from`, without the jitter.
    fn moments(written: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = schedule(written);
        let jitter = schedule.jitter("stream");
        let mut moment = Timestamp(at(from).0 + jitter);
        let mut all = Vec::new();
        for _ in 0..count {
            moment = schedule.next(moment, "stream").unwrap();
            all.push(Timestamp(moment.0 - jitter).to_string().replace(":00.000Z", ""));
        }
        all
    }

    #[test]
    fn a_schedule_is_read_as_people_write_it() {
        for (written, shown) in [
            ("none", "none"),
            ("Manual", "none"),
            ("15m", "every 15 minutes"),
            ("every 15 minutes", "every 15 minutes"),
            ("Every 1 Minute", "every minute"),
            ("every minute", "every minute"),
            ("every 2h", "every 2 hours"),
            ("120 min", "every 2 hours"),
            ("every hour", "every hour"),
            ("1 day", "every 24 hours"),
            ("hourly", "hourly"),
            ("hourly at :05", "hourly at :05"),
            ("hourly 20", "hourly at :20"),
            ("daily 03:00 Europe/Berlin", "daily at 03:00 Europe/Berlin"),
            ("daily at 3 pm america/new_york", "daily at 15:00 America/New_York"),
            ("daily 12am", "daily at 00:00 UTC"),
            ("daily 12:30pm", "daily at 12:30 UTC"),
            ("cron  */20 * * * *  UTC", "cron */20 * * * * UTC"),
            ("*/20 6-18 * * mon-fri Asia/Kolkata", "cron */20 6-18 * * mon-fri Asia/Kolkata"),
            ("0 0 1 * *", "cron 0 0 1 * * UTC"),
        ] {
            let read = schedule(written);
            assert_eq!(read.to_string(), shown, "{written}");
            assert_eq!(schedule(shown), read, "what is shown can be read again");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_a_reason() {
        for (written, reason) in [
            ("", "it is empty"),
            ("sometimes", "none of the forms"),
            ("none please", "none of the forms"),
            ("every 0 minutes", "between a minute and a week"),
            ("8 days", "between a minute and a week"),
            ("99999999999m", "between a minute and a week"),
            ("15 seconds", "none of the forms"),
            ("hourly at :60", "between :00 and :59"),
            ("daily", "needs a time"),
            ("daily 24:00", "needs a time"),
            ("daily 13pm", "needs a time"),
            ("daily 3:0", "needs a time"),
            ("daily 03:00 Europe/Berln", "is Europe/Berlin meant?"),
            ("daily 03:00 Europe/Berlin tomorrow", "more than a time zone"),
            ("cron * * * *", "five fields"),
            ("cron 61 * * * *", ""),
            ("cron 0 0 31 2 *", "no day has this date"),
            ("cron ü * * * *", ""),
            ("@daily", "five fields"),
        ] {
            let error = written.parse::<Schedule>().unwrap_err().to_string();
            assert!(error.contains(reason), "{written}: {error}");
        }
    }

    #[test]
    fn intervals_are_multiples_of_their_length() {
        let from = "2025-06-15T10:07:30Z";
        assert_eq!(moments("15m", from, 3), ["2025-06-15T10:15", "2025-06-15T10:30", "2025-06-15T10:45"]);
        assert_eq!(moments("hourly", from, 2), ["2025-06-15T11:00", "2025-06-15T12:00"]);
        assert_eq!(moments("hourly at :05", from, 2), ["2025-06-15T11:05", "2025-06-15T12:05"]);
        assert_eq!(moments("hourly at :20", from, 2), ["2025-06-15T10:20", "2025-06-15T11:20"]);
    }

    #[test]
    fn a_time_that_the_clock_skips_runs_at_the_end_of_the_gap_and_one_that_it_repeats_runs_once() {
        let spring = moments("daily 02:30 Europe/Berlin", "2025-03-28T12:00:00Z", 3);
        assert_eq!(spring, ["2025-03-29T01:30", "2025-03-30T01:00", "2025-03-31T00:30"]);
        let autumn = moments("daily 02:30 Europe/Berlin", "2025-10-25T12:00:00Z", 3);
        assert_eq!(autumn, ["2025-10-26T00:30", "2025-10-27T01:30", "2025-10-28T01:30"]);
        // A zone whose clock moves at midnight, and one that moves by half an hour.
        let midnight = moments("daily 00:00 America/Asuncion", "2024-10-05T12:00:00Z", 2);
        assert_eq!(midnight, ["2024-10-06T04:00", "2024-10-07T03:00"]);
        let half = moments("daily 02:15 Australia/Lord_Howe", "2025-10-04T00:00:00Z", 2);
        assert_eq!(half, ["2025-10-04T15:30", "2025-10-05T15:15"]);
    }

    #[test]
    fn an_interval_of_cron_follows_the_wall_clock_through_gap_and_overlap() {
        let spring = moments("cron 30 * * * * Europe/Berlin", "2025-03-30T00:00:00Z", 3);
        assert_eq!(spring, ["2025-03-30T00:30", "2025-03-30T01:30", "2025-03-30T02:30"]);
        let autumn = moments("cron 30 * * * * Europe/Berlin", "2025-10-26T00:00:00Z", 3);
        assert_eq!(autumn, ["2025-10-26T00:30", "2025-10-26T01:30", "2025-10-26T02:30"]);
        let weekdays = moments("cron 0 9 * * 1-5 Europe/Berlin", "2025-06-13T08:00:00Z", 2);
        assert_eq!(weekdays, ["2025-06-16T07:00", "2025-06-17T07:00"]);
    }

    #[test]
    fn nothing_but_a_person_starts_what_has_no_schedule() {
        assert_eq!(Schedule::None.next(Timestamp(0), "stream"), None);
    }

    #[test]
    fn moments_at_the_ends_of_time_are_none_rather_than_a_panic() {
        for written in ["15m", "hourly", "hourly :59", "daily 03:00 Asia/Tokyo", "cron * * * * * UTC"] {
            for moment in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
                let _ = schedule(written).next(Timestamp(moment), "stream");
            }
        }
    }

    fn any_schedule() -> impl Strategy<Value = Schedule> {
        let zone = || (0..TZ_VARIANTS.len()).prop_map(|index| TZ_VARIANTS[index]);
        let cron =
            ["* * * * *", "*/7 * * * *", "0 */5 * * *", "15 2 * * *", "30 1 * * sun", "0 0 1 * *", "5,35 0-4 * * *"];
        prop_oneof![
            (1..=LONGEST_MINUTES).prop_map(|minutes| Schedule::Every { minutes }),
            proptest::option::of(0_u8..60).prop_map(|minute| Schedule::Hourly { minute }),
            (0_u8..24, 0_u8..60, zone())
                .prop_map(|(hour, minute, zone)| Schedule::Daily { time: TimeOfDay { hour, minute }, zone }),
            (proptest::sample::select(cron.to_vec()), zone())
                .prop_map(|(fields, zone)| Schedule::Cron { pattern: Pattern::read(fields).unwrap(), zone }),
        ]
    }

    /// 1990 to 2040.
    fn any_moment() -> impl Strategy<Value = Timestamp> {
        (631_152_000_000_i64..2_208_988_800_000).prop_map(Timestamp)
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_again(schedule in any_schedule()) {
            prop_assert_eq!(&schedule.to_string().parse::<Schedule>().unwrap(), &schedule);
        }

        #[test]
        fn reading_never_panics(written in "(cron|every|daily|hourly|)[ -~äü:*/0-9]{0,24}") {
            if let Ok(schedule) = written.parse::<Schedule>() {
                let _ = schedule.next(Timestamp(0), "stream");
            }
        }

        #[test]
        fn the_next_moment_is_later_and_the_first(schedule in any_schedule(), from in any_moment(), id in "[a-z0-9]{1,8}") {
            let next = schedule.next(from, &id).unwrap();
            prop_assert!(next > from);
            // Asked from anywhere before it, it is the same: nothing lies in between.
            let halfway = Timestamp(from.0 + (next.0 - from.0) / 2);
            prop_assert_eq!(schedule.next(halfway, &id), Some(next));
            prop_assert_eq!(schedule.next(Timestamp(next.0 - 1), &id), Some(next));
        }

        #[test]
        fn what_was_missed_collapses_into_one_moment(schedule in any_schedule(), from in any_moment(), away in 0_i64..40 * 86_400_000) {
            let back = Timestamp(from.0 + away);
            let missed = schedule.next(from, "stream").unwrap();
            let next = schedule.next(back, "stream").unwrap();
            prop_assert!(next > back && (missed == next || missed <= back));
        }

        #[test]
        fn an_interval_is_as_long_as_it_says_and_its_jitter_is_bounded(minutes in 1..=LONGEST_MINUTES, from in any_moment(), id in "[a-z0-9]{1,8}") {
            let schedule = Schedule::Every { minutes };
            let first = schedule.next(from, &id).unwrap();
            let second = schedule.next(first, &id).unwrap();
            prop_assert_eq!(second.0 - first.0, i64::from(minutes) * MINUTE_MILLIS);
            let jitter = schedule.jitter(&id);
            prop_assert!((0..WIDEST_JITTER_MILLIS.min(i64::from(minutes) * MINUTE_MILLIS / 10)).contains(&jitter));
        }

        #[test]
        fn a_daily_schedule_runs_once_a_day_of_its_zone(hour in 0_u8..24, minute in 0_u8..60, zone in 0..TZ_VARIANTS.len(), from in any_moment()) {
            let schedule = Schedule::Daily { time: TimeOfDay { hour, minute }, zone: TZ_VARIANTS[zone] };
            let first = schedule.next(from, "stream").unwrap();
            let second = schedule.next(first, "stream").unwrap();
            let hours = (second.0 - first.0) / (60 * MINUTE_MILLIS);
            // Samoa and others have left out a whole day.
            prop_assert!((21..=49).contains(&hours), "{} after {}", hours, first);
        }
    }

    #[test]
    fn streams_of_one_schedule_are_spread() {
        let schedule = schedule("every 30 minutes");
        let jitters: std::collections::BTreeSet<_> =
            (0..100).map(|number| schedule.jitter(&format!("str_{number}"))).collect();
        assert!(jitters.len() > 90);
        assert!(*jitters.iter().next_back().unwrap() > 120_000, "over most of the three minutes");
    }
}
