//! Dates, times of day and points in time, with their texts on the wire.

const MS_PER_DAY: i64 = 86_400_000;

/// A day: days since 1970-01-01 in the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A time of day: milliseconds since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(pub u32);

impl Date {
    /// The first day that a query can name. Source: SOQL reference v66, date formats.
    pub const MIN: Self = Self::from_civil(1700, 1, 1);
    /// The last day that a query can name.
    pub const MAX: Self = Self::from_civil(4000, 12, 31);

    /// The day of a year, month (1–12) and day of month. Days beyond the month's end run on into the next.
    #[must_use]
    pub const fn from_civil(year: i32, month: u32, day: u32) -> Self {
        let y = if month <= 2 { year - 1 } else { year };
        let era = y.div_euclid(400);
        let year_of_era = y.rem_euclid(400);
        let shifted = (month + 9) % 12;
        let day_of_year = ((153 * shifted + 2) / 5 + day - 1) as i32;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(era * 146_097 + day_of_era - 719_468)
    }

    /// Year, month and day of month.
    #[must_use]
    pub const fn civil(self) -> (i32, u32, u32) {
        let z = self.0 + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = (day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100)) as u32;
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
    }

    /// Reads `2024-09-24`; days that no month has are refused.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *text.as_bytes() else { return None };
        let (year, month, day) = (number(&[y0, y1, y2, y3])?, number(&[m0, m1])?, number(&[d0, d1])?);
        let date = Self::from_civil(i32::try_from(year).ok()?, month.max(1), day);
        (date.civil() == (year as i32, month, day)).then_some(date)
    }

    /// Midnight UTC.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * MS_PER_DAY)
    }

    /// Writes `2024-09-24`.
    pub fn write(self, out: &mut Vec<u8>) {
        let (year, month, day) = self.civil();
        let year = year.clamp(0, 9999) as u32;
        let [y0, y1] = pair(year / 100);
        let [y2, y3] = pair(year % 100);
        let [m0, m1] = pair(month);
        let [d0, d1] = pair(day);
        out.extend_from_slice(&[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1]);
    }
}

impl Timestamp {
    /// The same time without its fraction of a second: audit fields are stored to the second.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self(self.0.div_euclid(1000) * 1000)
    }

    #[must_use]
    pub fn date(self) -> Date {
        Date(self.0.div_euclid(MS_PER_DAY) as i32)
    }

    #[must_use]
    pub fn time_of_day(self) -> TimeOfDay {
        TimeOfDay(self.0.rem_euclid(MS_PER_DAY) as u32)
    }

    /// Reads `2024-09-24T03:26:07Z` with an optional fraction and an offset `Z`, `+0000`, `+00:00` or `+01`.
    ///
    /// Source: REST API guide, valid date and date-time formats; SOQL reference v66, dateTime formats.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let date = Date::parse(text.get(..10)?)?;
        let rest = text.get(10..)?.strip_prefix(['T', 't'])?;
        let zone = rest.find(['Z', 'z', '+', '-'])?;
        let (time, offset) = (rest.get(..zone)?, rest.get(zone..)?);
        let time = TimeOfDay::parse_plain(time)?;
        Some(Self(date.start().0 + i64::from(time.0) - offset_minutes(offset)? * 60_000))
    }

    /// Writes `2024-09-24T03:26:07.000+0000`, the form of REST answers.
    pub fn write_rest(self, out: &mut Vec<u8>) {
        self.write_local(out);
        out.extend_from_slice(b"+0000");
    }

    /// Writes `2024-09-24T03:26:07.000Z`, the form of Bulk results.
    pub fn write_bulk(self, out: &mut Vec<u8>) {
        self.write_local(out);
        out.push(b'Z');
    }

    fn write_local(self, out: &mut Vec<u8>) {
        self.date().write(out);
        out.push(b'T');
        self.time_of_day().write_plain(out);
    }
}

impl From<Timestamp> for chrono::DateTime<chrono::Utc> {
    fn from(time: Timestamp) -> Self {
        Self::from_timestamp_millis(time.0).unwrap_or(Self::MAX_UTC)
    }
}

impl From<chrono::DateTime<chrono::Utc>> for Timestamp {
    fn from(time: chrono::DateTime<chrono::Utc>) -> Self {
        Self(time.timestamp_millis())
    }
}

impl TimeOfDay {
    /// Reads `10:15:00.000Z`; fraction and `Z` may be absent.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_plain(text.strip_suffix(['Z', 'z']).unwrap_or(text))
    }

    fn parse_plain(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let [h0, h1, b':', m0, m1, b':', s0, s1] = *whole.as_bytes() else { return None };
        let (hour, minute, second) = (number(&[h0, h1])?, number(&[m0, m1])?, number(&[s0, s1])?);
        let plausible = hour < 24 && minute < 60 && second < 60 && (1..=9).contains(&fraction.len());
        let ms = plausible.then(|| number(fraction.as_bytes())).flatten()?;
        let ms = u64::from(ms) * 1000 / 10_u64.pow(fraction.len() as u32);
        Some(Self(((hour * 60 + minute) * 60 + second) * 1000 + ms as u32))
    }

    /// Writes `10:15:00.000Z`.
    pub fn write(self, out: &mut Vec<u8>) {
        self.write_plain(out);
        out.push(b'Z');
    }

    fn write_plain(self, out: &mut Vec<u8>) {
        let seconds = self.0 / 1000;
        let [h0, h1] = pair(seconds / 3600);
        let [m0, m1] = pair(seconds / 60 % 60);
        let [s0, s1] = pair(seconds % 60);
        let [f0, f1] = pair(self.0 % 1000 / 10);
        let f2 = b'0' + (self.0 % 10) as u8;
        out.extend_from_slice(&[h0, h1, b':', m0, m1, b':', s0, s1, b'.', f0, f1, f2]);
    }
}

fn offset_minutes(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'Z' | b'z' if text.len() == 1 => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match *text.as_bytes().get(1..)? {
        [h0, h1] => (number(&[h0, h1])?, 0),
        [h0, h1, m0, m1] | [h0, h1, b':', m0, m1] => (number(&[h0, h1])?, number(&[m0, m1])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * i64::from(hours * 60 + minutes))
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |n, d| d.is_ascii_digit().then(|| n * 10 + u32::from(d - b'0')))
}

fn pair(number: u32) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rest(time: Timestamp) -> String {
        let mut out = Vec::new();
        time.write_rest(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn offsets_are_understood_with_and_without_colon() {
        let utc = Timestamp::parse("2024-09-24T03:26:07.000Z").unwrap();
        for text in ["2024-09-24T04:26:07+01:00", "2024-09-24T04:26:07.0+0100", "2024-09-23T21:26:07-06"] {
            assert_eq!(Timestamp::parse(text), Some(utc), "{text}");
        }
        assert_eq!(rest(utc), "2024-09-24T03:26:07.000+0000");
    }

    #[test]
    fn impossible_dates_and_times_are_refused() {
        for text in ["2023-02-29", "2024-13-01", "2024-00-10", "2024-1-1", "20240101", "äöüä-01-01"] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
        for text in ["2024-09-24", "2024-09-24T25:00:00Z", "2024-09-24T10:00:00", "2024-09-24T10:00:00+1"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(TimeOfDay::parse("10:15:00.000Z"), Some(TimeOfDay(36_900_000)));
    }

    proptest! {
        #[test]
        fn days_round_trip_through_text(day in Date::MIN.0..=Date::MAX.0) {
            let mut out = Vec::new();
            Date(day).write(&mut out);
            prop_assert_eq!(Date::parse(std::str::from_utf8(&out).unwrap()), Some(Date(day)));
        }

        #[test]
        fn timestamps_round_trip_through_text(ms in Date::MIN.start().0..Date::MAX.start().0) {
            prop_assert_eq!(Timestamp::parse(&rest(Timestamp(ms))), Some(Timestamp(ms)));
        }

        #[test]
        fn reading_arbitrary_text_never_panics(text in ".{0,30}") {
            let _ = (Date::parse(&text), Timestamp::parse(&text), TimeOfDay::parse(&text));
        }
    }
}
