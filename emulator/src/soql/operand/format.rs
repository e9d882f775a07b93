//! `FORMAT(field)`: a value as a page for the locale `en_US` shows it. The forms are inferred.

use crate::schema::FieldType;
use crate::soql::asked::Calendar;
use crate::value::{Cell, Date, Decimal, TimeOfDay};

/// The text of a value; `None` for null.
pub(in crate::soql) fn format(
    cell: Cell<'_>,
    kind: FieldType,
    scale: u8,
    currency: Option<&str>,
    calendar: Calendar,
) -> Option<String> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Int(number) => format_number(Decimal::from(number), kind, scale, currency),
        Cell::Decimal(number) => format_number(number, kind, scale, currency),
        Cell::Date(date) => format_date(date),
        Cell::DateTime(time) => {
            let local = calendar.local(time);
            format!("{}, {}", format_date(local.date()), format_time(local.time_of_day()))
        }
        Cell::Time(time) => format_time(time),
        Cell::Bool(value) => value.to_string(),
        Cell::Id(id) => String::from_utf8_lossy(&id.to_bytes()).into_owned(),
        Cell::Text(text) | Cell::Json(text) => text.to_owned(),
        Cell::Bytes(_) => return None,
    })
}

fn format_number(number: Decimal, kind: FieldType, scale: u8, currency: Option<&str>) -> String {
    let plain = grouped(number.rounded(scale).with_scale(scale));
    match (kind, currency) {
        (FieldType::Currency, Some(code)) => format!("{code} {plain}"),
        (FieldType::Currency, None) => match plain.strip_prefix('-') {
            Some(amount) => format!("-${amount}"),
            None => format!("${plain}"),
        },
        (FieldType::Percent, _) => format!("{plain}%"),
        _ => plain,
    }
}

/// A number with commas between thousands.
fn grouped(number: Decimal) -> String {
    let mut plain = Vec::new();
    number.write_plain(&mut plain);
    let plain = String::from_utf8_lossy(&plain);
    let (sign, digits) = plain.strip_prefix('-').map_or(("", &*plain), |digits| ("-", digits));
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

fn format_date(date: Date) -> String {
    let (year, month, day) = date.civil();
    format!("{month}/{day}/{year}")
}

fn format_time(time: TimeOfDay) -> String {
    let (hour, minute) = (time.0 / 3_600_000, time.0 / 60_000 % 60);
    let half = if hour < 12 { "AM" } else { "PM" };
    format!("{}:{minute:02} {half}", (hour + 11) % 12 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Timestamp;

    #[test]
    fn values_look_as_on_an_american_page() {
        let money = Cell::Decimal(Decimal::new(-1_234_567_895, 3));
        let of = |cell, kind, scale, code| format(cell, kind, scale, code, Calendar::default()).unwrap();
        assert_eq!(of(money, FieldType::Currency, 2, None), "-$1,234,567.90");
        assert_eq!(of(money, FieldType::Currency, 2, Some("EUR")), "EUR -1,234,567.90");
        assert_eq!(of(Cell::Int(999), FieldType::Int, 0, None), "999");
        assert_eq!(of(Cell::Int(5), FieldType::Percent, 0, None), "5%");
        let noon = Timestamp::parse("2026-11-21T12:05:00Z").unwrap();
        assert_eq!(of(Cell::DateTime(noon), FieldType::DateTime, 0, None), "11/21/2026, 12:05 PM");
    }
}
