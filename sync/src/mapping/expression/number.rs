//! Arithmetic that is exact or refused; only quotients, products of fractions and `round` round.

use std::ops::Neg;

use arrow_buffer::i256;

use super::value::Fault;
use crate::mapping::text::ONE;

const LIMIT: u128 = 10u128.pow(38);

/// An operation on two numbers of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Whole numbers; a quotient is cut off towards zero, as in CEL.
pub(super) fn integers(operation: Arithmetic, a: i64, b: i64) -> Result<i64, Fault> {
    match operation {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Remainder if b == 0 => return Err(Fault::DividedByZero),
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Remainder => a.checked_rem(b),
    }
    .ok_or(Fault::TooLargeNumber)
}

/// Decimals; products and quotients are rounded to 18 digits after the point, half away from zero.
pub(super) fn decimals(operation: Arithmetic, a: i128, b: i128) -> Result<i128, Fault> {
    let result = match operation {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => ratio(a, b, ONE),
        Arithmetic::Divide | Arithmetic::Remainder if b == 0 => return Err(Fault::DividedByZero),
        Arithmetic::Divide => ratio(a, ONE, b),
        Arithmetic::Remainder => a.checked_rem(b),
    };
    result.filter(|value| value.unsigned_abs() < LIMIT).ok_or(Fault::TooLargeNumber)
}

/// `a * b / c`, rounded once, half away from zero.
fn ratio(a: i128, b: i128, c: i128) -> Option<i128> {
    let dividend = i256::from_i128(a).checked_mul(i256::from_i128(b))?;
    let divisor = i256::from_i128(c);
    let half = i256::from_i128(c.checked_abs()? / 2);
    let half = if dividend < i256::ZERO { half.neg() } else { half };
    dividend.checked_add(half)?.checked_div(divisor)?.to_i128()
}

/// Rounds to so many digits after the point, half away from zero.
pub(super) fn round(value: i128, digits: i64) -> Result<i128, Fault> {
    let Ok(digits @ 0..18) = u32::try_from(digits) else {
        return if digits >= 18 { Ok(value) } else { Err(Fault::TooLargeNumber) };
    };
    let unit = 10i128.pow(18 - digits);
    let half = if value < 0 { -unit / 2 } else { unit / 2 };
    let rounded = (value + half) / unit * unit;
    if rounded.unsigned_abs() < LIMIT { Ok(rounded) } else { Err(Fault::TooLargeNumber) }
}

/// The whole number that a decimal is once its fraction is cut off.
pub(super) fn truncated(value: i128) -> Result<i64, Fault> {
    i64::try_from(value / ONE).map_err(|_| Fault::TooLargeNumber)
}
