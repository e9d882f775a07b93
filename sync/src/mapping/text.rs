//! Values as text, and dates in a spelling of the user's.

use std::fmt::Write as _;

use salesforce::{Timestamp, time::parse_date};

use crate::{civil_from_days, decode::scalar, table::DECIMAL_SCALE};

pub(super) const MILLIS_PER_DAY: i64 = 86_400_000;

/// One, as the unscaled integer of `Decimal128(38, 18)`.
pub(super) const ONE: i128 = 10i128.pow(DECIMAL_SCALE as u32);

/// Writes the shortest exact text: `50000`, `0.1`, `-12.345`.
pub(crate) fn write_decimal(out: &mut String, unscaled: i128) {
    if unscaled < 0 {
        out.push('-');
    }
    let magnitude = unscaled.unsigned_abs();
    let (whole, fraction) = (magnitude / ONE.unsigned_abs(), magnitude % ONE.unsigned_abs());
    let _ = write!(out, "{whole}");
    if fraction != 0 {
        let _ = write!(out, ".{fraction:018}");
        out.truncate(out.trim_end_matches('0').len());
    }
}

/// Writes `2024-09-24`.
pub(crate) fn write_date(out: &mut String, days: i64) {
    let (year, month, day) = civil_from_days(days);
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
}

/// Writes `2024-09-24T03:26:07.000Z`.
pub(crate) fn write_timestamp(out: &mut String, millis: i64) {
    let _ = write!(out, "{}", Timestamp(millis));
}

/// Writes `10:15:00.000`.
pub(crate) fn write_time(out: &mut String, millis: i64) {
    let seconds = millis / 1000;
    let _ = write!(out, "{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, millis % 1000);
}

/// Reads a truth in the spellings that systems export.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "1" => Some(true),
        "false" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// How a date, a moment or a time of day is spelt: `%d.%m.%Y`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Literal(char),
}

impl Format {
    /// # Errors
    /// In words, when a part is not known or comes twice.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let part = match character {
                '%' => match characters.next() {
                    Some('Y') => Part::Year,
                    Some('m') => Part::Month,
                    Some('d') => Part::Day,
                    Some('H') => Part::Hour,
                    Some('M') => Part::Minute,
                    Some('S') => Part::Second,
                    Some('%') => Part::Literal('%'),
                    other => {
                        let other = other.map(String::from).unwrap_or_default();
                        return Err(format!(
                            "\"%{other}\" is no part of a format; those are %Y %m %d %H %M %S and %%."
                        ));
                    }
                },
                other => Part::Literal(other),
            };
            if !matches!(part, Part::Literal(_)) && parts.contains(&part) {
                return Err(format!("{text:?} has a part twice."));
            }
            parts.push(part);
        }
        Ok(Self { parts })
    }

    pub(super) fn has_date(&self) -> bool {
        [Part::Year, Part::Month, Part::Day].iter().all(|part| self.parts.contains(part))
    }

    pub(super) fn has_time(&self) -> bool {
        [Part::Hour, Part::Minute].iter().all(|part| self.parts.contains(part))
    }

    /// Days since 1970-01-01 and milliseconds since midnight; parts that the format lacks are the first of their kind.
    /// A year has four digits, the others one or two.
    pub(super) fn read(&self, text: &str) -> Option<(i32, i32)> {
        let mut values = Civil { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0 };
        let mut rest = text;
        for part in &self.parts {
            rest = match part {
                Part::Literal(character) => rest.strip_prefix(*character)?,
                Part::Year => number(rest, 4, 4, &mut values.year)?,
                Part::Month => number(rest, 1, 2, &mut values.month)?,
                Part::Day => number(rest, 1, 2, &mut values.day)?,
                Part::Hour => number(rest, 1, 2, &mut values.hour)?,
                Part::Minute => number(rest, 1, 2, &mut values.minute)?,
                Part::Second => number(rest, 1, 2, &mut values.second)?,
            };
        }
        rest.is_empty().then_some(())?;
        let Civil { year, month, day, hour, minute, second } = values;
        let days = parse_date(format!("{year:04}-{month:02}-{day:02}").as_bytes())?;
        let millis = scalar::time(format!("{hour:02}:{minute:02}:{second:02}").as_bytes())?;
        Some((days, millis))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(super) fn read_timestamp(&self, text: &str) -> Option<i64> {
        self.read(text).map(|(days, millis)| i64::from(days) * MILLIS_PER_DAY + i64::from(millis))
    }

    pub(super) fn write(&self, out: &mut String, timestamp: i64) {
        let (year, month, day) = civil_from_days(timestamp.div_euclid(MILLIS_PER_DAY));
        let seconds = timestamp.rem_euclid(MILLIS_PER_DAY) / 1000;
        for part in &self.parts {
            let _ = match part {
                Part::Literal(character) => write!(out, "{character}"),
                Part::Year => write!(out, "{year:04}"),
                Part::Month => write!(out, "{month:02}"),
                Part::Day => write!(out, "{day:02}"),
                Part::Hour => write!(out, "{:02}", seconds / 3600),
                Part::Minute => write!(out, "{:02}", seconds / 60 % 60),
                Part::Second => write!(out, "{:02}", seconds % 60),
            };
        }
    }
}

struct Civil {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

/// Takes a number of so many digits off the front.
fn number<'a>(text: &'a str, least: usize, most: usize, value: &mut u32) -> Option<&'a str> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, rest) = (digits >= least).then(|| text.split_at(digits))?;
    *value = number.parse().ok()?;
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(unscaled: i128) -> String {
        let mut out = String::new();
        write_decimal(&mut out, unscaled);
        out
    }

    #[test]
    fn a_decimal_is_its_shortest_exact_text() {
        assert_eq!(decimal(50_000 * ONE), "50000");
        assert_eq!(decimal(ONE / 10), "0.1");
        assert_eq!(decimal(-12_345 * ONE / 1000), "-12.345");
        assert_eq!(decimal(1), "0.000000000000000001");
        assert_eq!(decimal(0), "0");
        assert_eq!(decimal(1 - 10i128.pow(38)), "-99999999999999999999.999999999999999999");
    }

    #[test]
    fn a_format_reads_what_it_writes_and_leaves_out_zeros_on_request_of_the_text() {
        let format = Format::parse("%d.%m.%Y %H:%M:%S").unwrap();
        assert_eq!(format.read("01.02.2026 03:04:05"), format.read("1.2.2026 3:4:5"));
        let stamp = format.read_timestamp("01.02.2026 03:04:05").unwrap();
        let mut text = String::new();
        format.write(&mut text, stamp);
        assert_eq!(text, "01.02.2026 03:04:05");
        for wrong in
            ["31.02.2026 00:00:00", "01.02.26 00:00:00", "01.02.2026", "01.02.2026 00:00:00Z", "01.02.2026 24:00:00"]
        {
            assert_eq!(format.read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_format_that_is_none_says_what_one_is() {
        assert!(Format::parse("%B").unwrap_err().contains("%Y %m %d"));
        assert!(Format::parse("%").unwrap_err().contains("%Y %m %d"));
        assert!(Format::parse("%d%d").unwrap_err().contains("twice"));
    }
}
