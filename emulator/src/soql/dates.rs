//! Date literals such as `TODAY` and `LAST_N_DAYS:5`. Each means a span of days in the user's time zone; weeks begin
//! where the user's do.
//!
//! Source: SOQL reference v66, "Date Formats and Date Literals".

use super::asked::{Calendar, Week};
use crate::value::{Date, Timestamp};

/// Days from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DaySpan {
    pub start: Date,
    pub end: Date,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
    FiscalQuarter,
    FiscalYear,
}

/// Spans of whole units, counted from the current one.
#[derive(Clone, Copy)]
enum Shape {
    /// One unit this far away.
    At(i32),
    /// This many units before the current one.
    Last,
    /// This many units behind the current one.
    Next,
    /// The unit this many before.
    Ago,
}

const PLAIN: [(&str, Unit, i32); 21] = [
    ("YESTERDAY", Unit::Day, -1),
    ("TODAY", Unit::Day, 0),
    ("TOMORROW", Unit::Day, 1),
    ("LAST_WEEK", Unit::Week, -1),
    ("THIS_WEEK", Unit::Week, 0),
    ("NEXT_WEEK", Unit::Week, 1),
    ("LAST_MONTH", Unit::Month, -1),
    ("THIS_MONTH", Unit::Month, 0),
    ("NEXT_MONTH", Unit::Month, 1),
    ("LAST_QUARTER", Unit::Quarter, -1),
    ("THIS_QUARTER", Unit::Quarter, 0),
    ("NEXT_QUARTER", Unit::Quarter, 1),
    ("LAST_FISCAL_QUARTER", Unit::FiscalQuarter, -1),
    ("THIS_FISCAL_QUARTER", Unit::FiscalQuarter, 0),
    ("NEXT_FISCAL_QUARTER", Unit::FiscalQuarter, 1),
    ("LAST_YEAR", Unit::Year, -1),
    ("THIS_YEAR", Unit::Year, 0),
    ("NEXT_YEAR", Unit::Year, 1),
    ("LAST_FISCAL_YEAR", Unit::FiscalYear, -1),
    ("THIS_FISCAL_YEAR", Unit::FiscalYear, 0),
    ("NEXT_FISCAL_YEAR", Unit::FiscalYear, 1),
];

fn counted(name: &str) -> Option<(Unit, Shape)> {
    let (middle, shape) = match name.strip_prefix("LAST_N_") {
        Some(middle) => (middle, Shape::Last),
        None => match name.strip_prefix("NEXT_N_") {
            Some(middle) => (middle, Shape::Next),
            None => (name.strip_prefix("N_")?.strip_suffix("_AGO")?, Shape::Ago),
        },
    };
    let unit = match middle {
        "DAYS" => Unit::Day,
        "WEEKS" => Unit::Week,
        "MONTHS" => Unit::Month,
        "QUARTERS" => Unit::Quarter,
        "YEARS" => Unit::Year,
        "FISCAL_QUARTERS" => Unit::FiscalQuarter,
        "FISCAL_YEARS" => Unit::FiscalYear,
        _ => return None,
    };
    Some((unit, shape))
}

/// Whether this literal, in upper case, exists with or without a number behind it.
pub(super) fn is_known(name: &str, with_count: bool) -> bool {
    match with_count {
        true => counted(name).is_some(),
        false => PLAIN.iter().any(|(known, ..)| *known == name) || matches!(name, "LAST_90_DAYS" | "NEXT_90_DAYS"),
    }
}

/// The days that a literal means at `now`. `None` for an unknown literal or a number out of reach.
pub(super) fn span(name: &str, count: Option<i32>, now: Timestamp, calendar: Calendar) -> Option<DaySpan> {
    let today = calendar.local(now).date();
    let (unit, shape, count) = match (name, count) {
        ("LAST_90_DAYS", None) => (Unit::Day, Shape::Last, 90),
        ("NEXT_90_DAYS", None) => (Unit::Day, Shape::Next, 90),
        (_, None) => {
            let (_, unit, offset) = *PLAIN.iter().find(|(known, ..)| *known == name)?;
            (unit, Shape::At(offset), 0)
        }
        (_, Some(count)) => {
            let (unit, shape) = counted(name)?;
            (unit, shape, count)
        }
    };
    if !(0..=100_000).contains(&count) {
        return None;
    }
    let at = |offset: i32| start_of(unit, today, offset, calendar);
    let (from, to) = match (shape, unit) {
        (Shape::At(offset), _) => (offset, offset + 1),
        // Only days count the current one in.
        (Shape::Last, Unit::Day) => (1 - count, 1),
        (Shape::Last, _) => (-count, 0),
        (Shape::Next, _) => (1, count + 1),
        (Shape::Ago, _) => (-count, 1 - count),
    };
    Some(DaySpan { start: at(from), end: at(to) })
}

/// The first day of the unit that lies `offset` units from the one around `today`.
fn start_of(unit: Unit, today: Date, offset: i32, calendar: Calendar) -> Date {
    let first = calendar.fiscal_month as i32;
    match unit {
        Unit::Day => Date(today.0 + offset),
        Unit::Week => {
            // 1970-01-01 was a Thursday, four days behind a Sunday.
            let behind = if calendar.week == Week::FromSunday { 4 } else { 3 };
            Date(today.0 - (today.0 + behind).rem_euclid(7) + 7 * offset)
        }
        Unit::Month => start_of_months(today, offset, 1, 1),
        Unit::Quarter => start_of_months(today, offset, 3, 1),
        Unit::Year => start_of_months(today, offset, 12, 1),
        Unit::FiscalQuarter => start_of_months(today, offset, 3, first),
        Unit::FiscalYear => start_of_months(today, offset, 12, first),
    }
}

/// The first day of a unit of so many months, counted from the `first` month of a year.
fn start_of_months(today: Date, offset: i32, months: i32, first: i32) -> Date {
    let (year, month, _) = today.civil();
    let now = year * 12 + month as i32 - first;
    let start = (now.div_euclid(months) + offset) * months + first - 1;
    Date::from_civil(start.div_euclid(12), start.rem_euclid(12) as u32 + 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(name: &str, count: Option<i32>) -> (Date, Date) {
        let saturday = Timestamp::parse("2026-11-21T10:00:00Z").unwrap();
        let span = span(name, count, saturday, Calendar::default()).unwrap();
        (span.start, span.end)
    }

    fn day(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    #[test]
    fn literals_mean_whole_units() {
        assert_eq!(days("TODAY", None), (day("2026-11-21"), day("2026-11-22")));
        assert_eq!(days("THIS_WEEK", None), (day("2026-11-15"), day("2026-11-22")));
        assert_eq!(days("LAST_QUARTER", None), (day("2026-07-01"), day("2026-10-01")));
        assert_eq!(days("NEXT_MONTH", None), (day("2026-12-01"), day("2027-01-01")));
    }

    #[test]
    fn only_days_count_the_current_unit_in() {
        assert_eq!(days("LAST_N_DAYS", Some(1)), (day("2026-11-21"), day("2026-11-22")));
        assert_eq!(days("LAST_N_MONTHS", Some(2)), (day("2026-09-01"), day("2026-11-01")));
        assert_eq!(days("N_YEARS_AGO", Some(1)), (day("2025-01-01"), day("2026-01-01")));
    }

    #[test]
    fn fiscal_years_begin_in_their_month() {
        let now = Timestamp::parse("2026-02-10T10:00:00Z").unwrap();
        let calendar = Calendar { fiscal_month: 4, ..Calendar::default() };
        let of = |name: &str| span(name, None, now, calendar).map(|span| (span.start, span.end)).unwrap();
        assert_eq!(of("THIS_FISCAL_YEAR"), (day("2025-04-01"), day("2026-04-01")));
        assert_eq!(of("LAST_FISCAL_QUARTER"), (day("2025-10-01"), day("2026-01-01")));
        assert_eq!(of("THIS_YEAR"), (day("2026-01-01"), day("2027-01-01")));
    }

    #[test]
    fn weeks_begin_on_sunday_or_on_monday() {
        let sunday = Timestamp::parse("2026-11-22T10:00:00Z").unwrap();
        let of = |week| span("THIS_WEEK", None, sunday, Calendar { week, ..Calendar::default() }).unwrap().start;
        assert_eq!((of(Week::FromSunday), of(Week::FromMonday)), (day("2026-11-22"), day("2026-11-16")));
    }

    #[test]
    fn unknown_literals_are_no_literals() {
        assert!(!is_known("LAST_N_FISCAL_DAYS", true));
        assert!(!is_known("LAST_N_DAYS", false));
        assert!(!is_known("NOW", false));
    }
}
