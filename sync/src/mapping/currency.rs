//! Amounts from one currency to another, by the org's own rates.

use std::{collections::BTreeMap, sync::Arc};

use arrow_array::{Array, ArrayRef, RecordBatch, builder::PrimitiveBuilder, cast::AsArray, types::Decimal128Type};
use arrow_buffer::i256;
use salesforce::{ApiError, Client};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{cast::as_decimals, make::Trouble, text::write_decimal};
use crate::{decode::scalar, read::is_missing, table::DECIMAL_SCALE};

/// The rates of an org with several currencies: how many units of a currency one unit of the corporate currency is
/// (Object Reference v66, *CurrencyType*).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Currencies {
    /// Unscaled integers of `Decimal128(38, 18)`, by ISO code.
    rates: BTreeMap<String, i128>,
}

impl Currencies {
    /// A rate as the org spells it; `None` when that is no positive number.
    #[must_use]
    pub fn with(mut self, code: &str, rate: &str) -> Option<Self> {
        let rate = scalar::decimal(rate.as_bytes()).filter(|rate| *rate > 0)?;
        self.rates.insert(code.to_owned(), rate);
        Some(self)
    }

    /// Asks the org for the rates of its active currencies. `None` when it has one currency alone, or the user may not
    /// see the rates.
    ///
    /// # Errors
    /// When the org does not answer.
    pub async fn load(client: &Client) -> Result<Option<Self>, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Currency {
            iso_code: String,
            conversion_rate: Box<RawValue>,
        }
        let soql = "SELECT IsoCode, ConversionRate FROM CurrencyType WHERE IsActive = true";
        let found: Vec<Currency> = match client.query(soql).await {
            Ok(found) => found,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        // A currency whose rate is none that can be reckoned with is as good as unknown, and named when it is asked for.
        let with = |known: Self, currency: &Currency| {
            known.clone().with(&currency.iso_code, currency.conversion_rate.get()).unwrap_or(known)
        };
        let currencies = found.iter().fold(Self::default(), with);
        Ok((!currencies.rates.is_empty()).then_some(currencies))
    }

    /// Every currency that has a rate.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.rates.keys().map(String::as_str)
    }

    pub(super) fn rates(&self) -> &BTreeMap<String, i128> {
        &self.rates
    }
}

/// Converts amounts.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    /// Index of the field with the ISO code of the amount's currency.
    pub(super) currency: usize,
    pub(super) rates: Arc<Currencies>,
    /// The rate of the currency that is converted to.
    pub(super) rate: i128,
    /// Digits after the point that an amount is rounded to.
    pub(super) scale: u32,
}

impl Exchange {
    /// The amounts in the other currency. A record without a currency, or with one that has no rate, is a misfit.
    pub(super) fn apply(&self, amounts: &ArrayRef, records: &RecordBatch, trouble: &mut Vec<Trouble>) -> ArrayRef {
        let amounts = amounts.as_primitive::<Decimal128Type>();
        let codes = records.column(self.currency).as_string::<i32>();
        let mut converted = PrimitiveBuilder::<Decimal128Type>::with_capacity(amounts.len());
        for row in 0..amounts.len() {
            if amounts.is_null(row) {
                converted.append_null();
                continue;
            }
            let code = if codes.is_valid(row) { codes.value(row) } else { "" };
            let rate = self.rates.rates.get(code);
            let amount = rate.and_then(|rate| exchanged(amounts.value(row), *rate, self.rate, self.scale));
            converted.append_option(amount.or_else(|| {
                let mut text = String::new();
                write_decimal(&mut text, amounts.value(row));
                Trouble::misfit(trouble, row, &format!("{text} {code}"))
            }));
        }
        Arc::new(as_decimals(converted.finish()))
    }
}

/// `amount / from * to`, multiplied before it is divided and rounded once, half away from zero. `None` when the result
/// is too large.
fn exchanged(amount: i128, from: i128, to: i128, scale: u32) -> Option<i128> {
    let unit = 10i128.pow((DECIMAL_SCALE as u32).saturating_sub(scale));
    let dividend = i256::from_i128(amount).checked_mul(i256::from_i128(to))?;
    let divisor = i256::from_i128(from).checked_mul(i256::from_i128(unit))?;
    let half = divisor.checked_div(i256::from_i128(2))?;
    let half = if amount < 0 { half.wrapping_neg() } else { half };
    let rounded = dividend.checked_add(half)?.checked_div(divisor)?;
    rounded.checked_mul(i256::from_i128(unit))?.to_i128().filter(|amount| amount.unsigned_abs() < 10u128.pow(38))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> i128 {
        scalar::decimal(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_amount_is_converted_exactly_and_rounded_once_half_away_from_zero() {
        for (from, rate, target, scale, expected) in [
            ("100", "1", "0.92", 2, "92"),
            ("92", "0.92", "1", 2, "100"),
            ("0.1", "3", "1", 2, "0.03"),
            ("0.01", "2", "1", 2, "0.01"),
            ("-0.01", "2", "1", 2, "-0.01"),
            ("0.015", "1", "1", 2, "0.02"),
            ("0.0149999", "1", "1", 2, "0.01"),
            ("123456789012345678.99", "1.1", "1.1", 2, "123456789012345678.99"),
            ("7", "3", "1", 0, "2"),
        ] {
            assert_eq!(exchanged(amount(from), amount(rate), amount(target), scale), Some(amount(expected)), "{from}");
        }
    }

    #[test]
    fn an_amount_that_grows_beyond_what_a_column_holds_is_refused() {
        assert_eq!(exchanged(amount("99999999999999999999"), amount("0.01"), amount("1"), 2), None);
    }

    #[test]
    fn a_rate_is_a_positive_number() {
        assert!(Currencies::default().with("EUR", "0.92").is_some());
        for wrong in ["0", "-1", "", "x"] {
            assert_eq!(Currencies::default().with("EUR", wrong), None, "{wrong}");
        }
    }
}
