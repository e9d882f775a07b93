//! Exact decimal numbers, as Salesforce's `double`, `currency` and `percent` fields hold them.

use std::cmp::Ordering;
use std::io::Write as _;

/// `unscaled × 10^-scale`. Two decimals are equal when their numbers are; the scale is kept for rendering.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    unscaled: i128,
    scale: u8,
}

/// More digits than any Salesforce number field has; keeps arithmetic on `i128` exact.
const MAX_DIGITS: usize = 36;

impl Decimal {
    #[must_use]
    pub const fn new(unscaled: i128, scale: u8) -> Self {
        Self { unscaled, scale }
    }

    /// Reads `-12.50`, `1e3`, `9.1E-4`. `None` for anything else or for more than 36 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
        if !all_digits || whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > MAX_DIGITS {
            return None;
        }
        let mut unscaled = 0_i128;
        for digit in whole.bytes().chain(fraction.bytes()) {
            unscaled = unscaled * 10 + i128::from(digit - b'0');
        }
        if mantissa.starts_with('-') {
            unscaled = -unscaled;
        }
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        Self::from_parts(unscaled, scale)
    }

    fn from_parts(unscaled: i128, scale: i32) -> Option<Self> {
        if scale >= 0 {
            return Some(Self { unscaled, scale: u8::try_from(scale).ok().filter(|s| usize::from(*s) <= MAX_DIGITS)? });
        }
        let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
        let unscaled = unscaled.checked_mul(factor).filter(|v| v.unsigned_abs() < 10_u128.pow(MAX_DIGITS as u32))?;
        Some(Self { unscaled, scale: 0 })
    }

    /// The same number with at least `scale` digits behind the point.
    #[must_use]
    pub fn with_scale(self, scale: u8) -> Self {
        let missing = scale.saturating_sub(self.scale);
        match 10_i128.checked_pow(u32::from(missing)).and_then(|factor| self.unscaled.checked_mul(factor)) {
            Some(unscaled) if missing > 0 => Self { unscaled, scale },
            _ => self,
        }
    }

    /// Digits before the decimal point, none for a number below one.
    #[must_use]
    pub fn whole_digits(self) -> u32 {
        let whole = self.unscaled.unsigned_abs() / 10_u128.pow(u32::from(self.scale));
        whole.checked_ilog10().map_or(0, |digits| digits + 1)
    }

    /// `None` when the sum needs more than an `i128`.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (a, b) = (self.with_scale(other.scale), other.with_scale(self.scale));
        (a.scale == b.scale).then(|| a.unscaled.checked_add(b.unscaled)).flatten().map(|sum| Self::new(sum, a.scale))
    }

    /// The nearest binary number.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        let mut text = Vec::new();
        self.write_plain(&mut text);
        std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// The shortest decimal that stands for a binary number. `None` for what is no number or has too many digits.
    #[must_use]
    pub fn from_f64(number: f64) -> Option<Self> {
        Self::parse(&format!("{number:e}"))
    }

    /// The number without zeros at the end behind its point.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        while self.scale > 0 && self.unscaled % 10 == 0 {
            self = Self { unscaled: self.unscaled / 10, scale: self.scale - 1 };
        }
        self
    }

    /// The number with at most `places` digits behind the point, halves away from zero.
    #[must_use]
    pub fn rounded(self, places: u8) -> Self {
        let Some(surplus) = self.scale.checked_sub(places).filter(|surplus| *surplus > 0) else { return self };
        let Some(factor) = 10_i128.checked_pow(u32::from(surplus)) else { return self };
        let (whole, rest) = (self.unscaled / factor, self.unscaled % factor);
        let carry = if rest.abs() * 2 >= factor { rest.signum() } else { 0 };
        Self { unscaled: whole + carry, scale: places }
    }

    /// Digits and scale: `unscaled × 10^-scale`.
    #[must_use]
    pub fn parts(self) -> (i128, u8) {
        (self.unscaled, self.scale)
    }

    /// Writes `-12.50`.
    pub fn write_plain(self, out: &mut Vec<u8>) {
        if self.unscaled < 0 {
            out.push(b'-');
        }
        let mut digits = [0; 40];
        let digits = decimal_digits(self.unscaled.unsigned_abs(), &mut digits);
        let scale = usize::from(self.scale);
        if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            out.extend_from_slice(whole);
            if scale > 0 {
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
        } else {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + scale - digits.len(), b'0');
            out.extend_from_slice(digits);
        }
    }

    /// Writes the number as Java writes a `double`, but with all its digits: `5.0`, `50000.25`, `9.12260031E8`,
    /// `1.0E-4`.
    ///
    /// Source: reported Bulk API 2.0 results (forcedotcom/cli issue 3367, forcedotcom/dataloader issue 1204).
    pub fn write_double(self, out: &mut Vec<u8>) {
        let mut buffer = [0; 40];
        let digits = decimal_digits(self.unscaled.unsigned_abs(), &mut buffer);
        let significant = digits.len() - digits.iter().rev().take_while(|d| **d == b'0').count();
        if significant == 0 {
            out.extend_from_slice(b"0.0");
            return;
        }
        if self.unscaled < 0 {
            out.push(b'-');
        }
        let exponent = digits.len() as i32 - 1 - i32::from(self.scale);
        let digits = &digits[..significant];
        match exponent {
            0..7 => write_point(digits, exponent as usize + 1, out),
            -3..0 => {
                out.extend_from_slice(b"0.");
                out.resize(out.len() + (-exponent - 1) as usize, b'0');
                out.extend_from_slice(digits);
            }
            _ => {
                write_point(digits, 1, out);
                write!(out, "E{exponent}").expect("writing to a Vec succeeds");
            }
        }
    }
}

/// Writes `digits` with a point behind the first `whole`, filled with zeros on both sides.
fn write_point(digits: &[u8], whole: usize, out: &mut Vec<u8>) {
    let (head, tail) = digits.split_at(whole.min(digits.len()));
    out.extend_from_slice(head);
    out.resize(out.len() + whole - head.len(), b'0');
    out.push(b'.');
    out.extend_from_slice(if tail.is_empty() { b"0" } else { tail });
}

fn decimal_digits(number: u128, buffer: &mut [u8; 40]) -> &[u8] {
    let mut at = buffer.len();
    // Division of 128-bit numbers is slow and rarely needed.
    let mut large = number;
    while large > u128::from(u64::MAX) {
        at -= 1;
        buffer[at] = b'0' + (large % 10) as u8;
        large /= 10;
    }
    let mut small = large as u64;
    loop {
        at -= 1;
        buffer[at] = b'0' + (small % 10) as u8;
        small /= 10;
        if small == 0 {
            return &buffer[at..];
        }
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self::new(i128::from(number), 0)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.with_scale(other.scale), other.with_scale(self.scale));
        if a.scale == b.scale {
            return a.unscaled.cmp(&b.unscaled);
        }
        // Only numbers with more than 36 digits in sum come here; their whole parts differ.
        let whole = |d: &Self| d.unscaled / 10_i128.pow(u32::from(d.scale));
        whole(self).cmp(&whole(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(text: &str) -> String {
        let mut out = Vec::new();
        Decimal::parse(text).unwrap().write_plain(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn double(text: &str) -> String {
        let mut out = Vec::new();
        Decimal::parse(text).unwrap().write_double(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_numbers_keep_their_scale() {
        for text in ["50000.00", "-0.05", "0", "123456789012345678", "9007199254740993", "0.00"] {
            assert_eq!(plain(text), text);
        }
        assert_eq!(plain("1.5e3"), "1500");
    }

    #[test]
    fn doubles_are_written_as_bulk_results_show_them() {
        for (text, expected) in [
            ("912260031", "9.12260031E8"),
            ("16147805824397", "1.6147805824397E13"),
            ("0", "0.0"),
            ("0.00", "0.0"),
            ("5", "5.0"),
            ("50000.00", "50000.0"),
            ("-1234567.25", "-1234567.25"),
            ("10000000", "1.0E7"),
            ("0.001", "0.001"),
            ("0.00012", "1.2E-4"),
            ("123456789012345.678", "1.23456789012345678E14"),
        ] {
            assert_eq!(double(text), expected);
        }
    }

    #[test]
    fn texts_that_are_no_numbers_are_refused() {
        for text in ["", "-", ".", "1,5", "NaN", "1e", "1e999", "--1", "1.2.3", "٣"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn both_forms_read_back_as_the_same_number(unscaled in -10_i128.pow(18)..10_i128.pow(18), scale in 0_u8..18) {
            let number = Decimal::new(unscaled, scale);
            let (mut a, mut b) = (Vec::new(), Vec::new());
            number.write_plain(&mut a);
            number.write_double(&mut b);
            prop_assert_eq!(Decimal::parse(std::str::from_utf8(&a).unwrap()), Some(number));
            prop_assert_eq!(Decimal::parse(std::str::from_utf8(&b).unwrap()), Some(number));
        }
    }
}
