//! How values read as text, in every destination that spells them out.

use std::io::Write as _;

use sync::table::DECIMAL_SCALE;

pub(crate) const MILLIS_PER_DAY: i64 = 86_400_000;
const ONE: u128 = 10u128.pow(DECIMAL_SCALE as u32);

/// Writes the shortest exact text of an unscaled `Decimal128(38, 18)`.
pub(crate) fn write_decimal(out: &mut Vec<u8>, unscaled: i128) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let magnitude = unscaled.unsigned_abs();
    let (whole, fraction) = (magnitude / ONE, (magnitude % ONE) as u64);
    match u64::try_from(whole) {
        Ok(whole) => write_number(out, whole),
        // Writing to a vector cannot fail.
        Err(_) => write!(out, "{whole}").unwrap_or_default(),
    }
    if fraction != 0 {
        out.push(b'.');
        let start = out.len();
        out.resize(start + DECIMAL_SCALE as usize, b'0');
        write_digits(&mut out[start..], fraction);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    let start = out.len();
    out.resize(start + number.checked_ilog10().map_or(1, |log| log as usize + 1), b'0');
    write_digits(&mut out[start..], number);
}

/// Fills `out` with the last digits of a number, zeros in front.
#[inline]
fn write_digits(out: &mut [u8], mut number: u64) {
    for place in out.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Writes `2024-09-24`.
pub(crate) fn write_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = sync::civil_from_days(days);
    let mut text = *b"0000-00-00";
    write_digits(&mut text[..4], year.unsigned_abs());
    write_digits(&mut text[5..7], u64::from(month));
    write_digits(&mut text[8..], u64::from(day));
    out.extend_from_slice(&text);
}

/// Writes `10:15:00.000`.
pub(crate) fn write_time(out: &mut Vec<u8>, millis: i64) {
    let millis = millis.unsigned_abs();
    let mut text = *b"00:00:00.000";
    write_digits(&mut text[..2], millis / 3_600_000);
    write_digits(&mut text[3..5], millis / 60_000 % 60);
    write_digits(&mut text[6..8], millis / 1000 % 60);
    write_digits(&mut text[9..], millis % 1000);
    out.extend_from_slice(&text);
}

/// Writes `2024-09-24T03:26:07.000Z`.
pub(crate) fn write_timestamp(out: &mut Vec<u8>, millis: i64) {
    write_date(out, millis.div_euclid(MILLIS_PER_DAY));
    out.push(b'T');
    write_time(out, millis.rem_euclid(MILLIS_PER_DAY));
    out.push(b'Z');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sync::Timestamp;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_decimal_is_its_shortest_exact_text() {
        for (unscaled, text) in [
            (0, "0"),
            (50_000 * ONE as i128, "50000"),
            (10i128.pow(17), "0.1"),
            (-12_345 * 10i128.pow(15), "-12.345"),
            (-1, "-0.000000000000000001"),
            (10i128.pow(38) - 1, "99999999999999999999.999999999999999999"),
            (123_456_789_012_345_678 * ONE as i128, "123456789012345678"),
        ] {
            assert_eq!(written(|out| write_decimal(out, unscaled)), text);
        }
    }

    #[test]
    fn a_time_of_day_has_milliseconds_and_no_zone() {
        assert_eq!(written(|out| write_time(out, (10 * 3600 + 15 * 60) * 1000)), "10:15:00.000");
        assert_eq!(written(|out| write_time(out, MILLIS_PER_DAY - 1)), "23:59:59.999");
    }

    proptest! {
        #[test]
        fn a_timestamp_is_written_as_salesforce_reads_it(millis in -8_520_336_000_000..64_060_588_800_000i64) {
            prop_assert_eq!(written(|out| write_timestamp(out, millis)), Timestamp(millis).to_string());
        }

        #[test]
        fn the_text_of_a_decimal_says_the_same_number(unscaled in -(10i128.pow(38) - 1)..10i128.pow(38)) {
            let text = written(|out| write_decimal(out, unscaled));
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            prop_assert!(!fraction.ends_with('0'));
            prop_assert_eq!(format!("{whole}{fraction:0<18}").parse::<i128>().unwrap(), unscaled);
        }
    }
}
