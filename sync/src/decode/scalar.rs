//! Values from their text, exactly: no number passes through a float.

use salesforce::{Timestamp, time::parse_date};

use crate::table::{DECIMAL_PRECISION, DECIMAL_SCALE};

/// The first value that `Decimal128(38, 18)` cannot hold, as its unscaled integer.
const DECIMAL_LIMIT: u128 = 10u128.pow(DECIMAL_PRECISION as u32);

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Reads `true` and `false`.
pub fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"true" => Some(true),
        b"false" => Some(false),
        _ if text.eq_ignore_ascii_case(b"true") => Some(true),
        _ if text.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

/// Reads an integer in any spelling of a number: Bulk writes `0.0` and `9.0E2` in integer columns.
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text);
    if (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) {
        let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        return Some(if negative { -value } else { value });
    }
    let number = Number::parse(text)?;
    let value = i128::try_from(number.scaled_by(0)?).ok()?;
    i64::try_from(if number.negative { -value } else { value }).ok()
}

/// Reads a decimal, scientific notation included, as the unscaled integer of `Decimal128(38, 18)`. `None` for what
/// that type cannot hold exactly.
pub fn decimal(text: &[u8]) -> Option<i128> {
    if let Some(value) = short_decimal(text) {
        return Some(value);
    }
    let number = Number::parse(text)?;
    let value = number.scaled_by(i64::from(DECIMAL_SCALE)).filter(|value| *value < DECIMAL_LIMIT)? as i128;
    Some(if number.negative { -value } else { value })
}

/// The common case of [`decimal`]: at most 18 digits, a point among them or not, no exponent.
fn short_decimal(text: &[u8]) -> Option<i128> {
    let (negative, rest) = sign(text);
    if rest.len() > 18 {
        return None;
    }
    let mut value: i64 = 0;
    let mut digits = 0;
    let mut point = None;
    for byte in rest {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i64::from(byte - b'0');
                digits += 1;
            }
            b'.' if point.is_none() => point = Some(digits),
            _ => return None,
        }
    }
    if digits == 0 {
        return None;
    }
    let fraction = point.map_or(0, |before| digits - before);
    let value = i128::from(value) * i128::from(10i64.pow(DECIMAL_SCALE as u32 - fraction));
    Some(if negative { -value } else { value })
}

/// Days since 1970-01-01.
pub fn date(text: &[u8]) -> Option<i32> {
    parse_date(text)
}

/// Milliseconds since 1970-01-01T00:00:00Z, from the spelling of either API.
pub fn timestamp(text: &[u8]) -> Option<i64> {
    if let Some(millis) = utc_timestamp(text) {
        return Some(millis);
    }
    Timestamp::parse(std::str::from_utf8(text).ok()?).map(|stamp| stamp.0)
}

/// The common case of [`timestamp`]: `2024-09-24T03:26:07.000` followed by `Z` or `+0000`.
fn utc_timestamp(text: &[u8]) -> Option<i64> {
    let (moment, zone) = text.split_at_checked(23)?;
    if !matches!(zone, b"Z" | b"+0000") || moment[10] != b'T' {
        return None;
    }
    let days = parse_date(&moment[..10])?;
    Some(i64::from(days) * MILLIS_PER_DAY + i64::from(time(&moment[11..])?))
}

/// Milliseconds since midnight of `10:15:00.000Z`, with or without fraction and `Z`. The `Z` of a time of day carries
/// no zone.
pub fn time(text: &[u8]) -> Option<i32> {
    let text = text.strip_suffix(b"Z").unwrap_or(text);
    let (clock, fraction) = text.split_at_checked(8)?;
    let [h, hour, b':', m, minute, b':', s, second] = clock else { return None };
    let (hour, minute, second) = (two_digits(*h, *hour)?, two_digits(*m, *minute)?, two_digits(*s, *second)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((hour * 3600 + minute * 60 + second) * 1000 + fraction_millis(fraction)?)
}

/// Milliseconds of `.5` or `.000`; digits beyond the third are dropped.
fn fraction_millis(text: &[u8]) -> Option<i32> {
    let digits = match text {
        [] => return Some(0),
        [b'.', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => digits,
        _ => return None,
    };
    Some((0..3).fold(0, |millis, place| millis * 10 + digits.get(place).map_or(0, |digit| i32::from(digit - b'0'))))
}

fn two_digits(tens: u8, ones: u8) -> Option<i32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i32::from(tens) * 10 + i32::from(ones))
}

/// Whether the text begins with a minus, and the text after its sign.
fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// `±mantissa × 10^exponent`; the mantissa has no trailing zero unless it is zero.
struct Number {
    negative: bool,
    mantissa: u128,
    exponent: i64,
}

impl Number {
    /// Reads `-12.50`, `9.0E2`, `.5`. `None` for what is no number and for more significant digits than 38.
    fn parse(text: &[u8]) -> Option<Self> {
        let (negative, rest) = sign(text);
        let end = rest.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(rest.len());
        let (digits, power) = rest.split_at(end);
        let power = match power {
            [] => 0,
            [_, power @ ..] => exponent(power)?,
        };
        let mut number = Self { negative, mantissa: 0, exponent: power };
        let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
        let fraction = digits.get(point + 1..).unwrap_or_default();
        number.take_digits(&digits[..point], fraction)?;
        Some(number)
    }

    fn take_digits(&mut self, whole: &[u8], fraction: &[u8]) -> Option<()> {
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut zeros: u32 = 0;
        for digit in whole.iter().chain(fraction) {
            match digit {
                b'0' => zeros += 1,
                b'1'..=b'9' => {
                    if self.mantissa != 0 {
                        self.mantissa = self.mantissa.checked_mul(10u128.checked_pow(zeros.checked_add(1)?)?)?;
                    }
                    self.mantissa = self.mantissa.checked_add(u128::from(digit - b'0'))?;
                    zeros = 0;
                }
                _ => return None,
            }
        }
        self.exponent = self.exponent.saturating_add(i64::from(zeros)).saturating_sub(fraction.len() as i64);
        (self.mantissa < DECIMAL_LIMIT).then_some(())
    }

    /// `mantissa × 10^(exponent + scale)`, when that is an integer that fits.
    fn scaled_by(&self, scale: i64) -> Option<u128> {
        if self.mantissa == 0 {
            return Some(0);
        }
        let power = u32::try_from(self.exponent.saturating_add(scale)).ok()?;
        self.mantissa.checked_mul(10u128.checked_pow(power)?)
    }
}

/// The digits after `E`; a power too large to count is as good as the largest.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let power = digits
        .iter()
        .fold(0i64, |power, digit| power.saturating_mul(10).saturating_add(i64::from(digit - b'0')))
        .min(i64::MAX / 4);
    Some(if negative { -power } else { power })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(whole: i128) -> i128 {
        whole * 10i128.pow(18)
    }

    #[test]
    fn an_integer_column_that_bulk_writes_with_a_point_or_an_exponent_stays_an_integer() {
        for (text, value) in [
            ("0.0", 0),
            ("-0.0", 0),
            ("9.0E2", 900),
            ("9e+2", 900),
            ("1200e-2", 12),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("-9223372036854775808.0", i64::MIN),
            ("000000000000000000000000000000000000000000000007", 7),
        ] {
            assert_eq!(integer(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["3.5", "9223372036854775808", "1e400", "1e-1", "", "-", "12a", "0x1", " 1", "1 ", "NaN"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    // Pitfall 31.
    #[test]
    fn a_decimal_is_exact_in_every_spelling() {
        for (text, value) in [
            ("50000.00", scaled(50_000)),
            ("0.1", 10i128.pow(17)),
            ("-12.345", -12_345 * 10i128.pow(15)),
            ("9.12260031E8", scaled(912_260_031)),
            ("1.6147805824397E13", scaled(16_147_805_824_397)),
            ("123456789012345678", scaled(123_456_789_012_345_678)),
            ("0.000000000000000001", 1),
            ("1e-18", 1),
            ("99999999999999999999.999999999999999999", 10i128.pow(38) - 1),
            ("0.50000000000000000000000000000000000000000000000000", 5 * 10i128.pow(17)),
            ("0e999999999999999999999", 0),
            (".5", 5 * 10i128.pow(17)),
        ] {
            assert_eq!(decimal(text.as_bytes()), Some(value), "{text}");
        }
    }

    #[test]
    fn what_a_decimal_cannot_hold_exactly_is_refused() {
        for text in [
            "1e20",
            "100000000000000000000",
            "1e-19",
            "NaN",
            "Infinity",
            "-Infinity",
            "",
            ".",
            "1.2.3",
            "1e",
            "e1",
            "١",
        ] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_carries_no_zone() {
        let expected = Some((10 * 3600 + 15 * 60) * 1000);
        for text in ["10:15:00.000Z", "10:15:00.000", "10:15:00Z", "10:15:00"] {
            assert_eq!(time(text.as_bytes()), expected, "{text}");
        }
        for text in ["24:00:00.000Z", "10:60:00", "10:15", "10:15:00.", "10:15:00.x", "a0:15:00", ""] {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn both_spellings_of_a_moment_are_the_same_moment() {
        for text in ["2024-09-24T03:26:07.000Z", "2024-09-24T03:26:07.000+0000", "2024-09-24T05:26:07+02:00"] {
            assert_eq!(timestamp(text.as_bytes()), Some(1_727_148_367_000), "{text}");
        }
        for text in ["2024-09-24T24:00:00.000Z", "2024-13-24T00:00:00.000Z", "2024-09-24 03:26:07.000Z", "soon", ""] {
            assert_eq!(timestamp(text.as_bytes()), None, "{text}");
        }
    }
}
