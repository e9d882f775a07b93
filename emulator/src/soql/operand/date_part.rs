//! Date functions: the year, the quarter, the hour … of a date.
//!
//! Source: SOQL reference v66, "Date Functions".

use crate::soql::asked::Calendar;
use crate::value::{Cell, Date, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::soql) enum DatePart {
    CalendarYear,
    CalendarQuarter,
    CalendarMonth,
    DayInMonth,
    DayInWeek,
    DayInYear,
    DayOnly,
    FiscalYear,
    FiscalQuarter,
    FiscalMonth,
    HourInDay,
    WeekInMonth,
    WeekInYear,
}

const NAMES: [(&str, DatePart); 13] = [
    ("CALENDAR_YEAR", DatePart::CalendarYear),
    ("CALENDAR_QUARTER", DatePart::CalendarQuarter),
    ("CALENDAR_MONTH", DatePart::CalendarMonth),
    ("DAY_IN_MONTH", DatePart::DayInMonth),
    ("DAY_IN_WEEK", DatePart::DayInWeek),
    ("DAY_IN_YEAR", DatePart::DayInYear),
    ("DAY_ONLY", DatePart::DayOnly),
    ("FISCAL_YEAR", DatePart::FiscalYear),
    ("FISCAL_QUARTER", DatePart::FiscalQuarter),
    ("FISCAL_MONTH", DatePart::FiscalMonth),
    ("HOUR_IN_DAY", DatePart::HourInDay),
    ("WEEK_IN_MONTH", DatePart::WeekInMonth),
    ("WEEK_IN_YEAR", DatePart::WeekInYear),
];

impl DatePart {
    /// The function of this name.
    pub(in crate::soql) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, part)| *part)
    }

    /// Whether it makes sense for a time alone, not for a day.
    pub(in crate::soql) fn needs_time(self) -> bool {
        matches!(self, Self::DayOnly | Self::HourInDay)
    }

    /// The part of a date, or of a time as the calendar's zone shows it.
    pub(super) fn of(self, cell: Cell<'_>, calendar: Calendar) -> Cell<'static> {
        let local = match cell {
            Cell::Date(date) => date.start(),
            Cell::DateTime(time) => calendar.local(time),
            _ => return Cell::Null,
        };
        match self {
            Self::DayOnly => Cell::Date(local.date()),
            _ => Cell::Int(self.number(local, calendar.fiscal_month)),
        }
    }

    fn number(self, local: Timestamp, fiscal_month: u32) -> i64 {
        let date = local.date();
        let (year, month, day) = date.civil();
        let day_of_year = date.0 - Date::from_civil(year, 1, 1).0;
        // A fiscal year has the name of the calendar year in which it ends. Source: Salesforce Help, "Fiscal Year".
        let fiscal = (month + 12 - fiscal_month) % 12;
        let ends_next_year = fiscal_month > 1 && month >= fiscal_month;
        match self {
            Self::CalendarYear => i64::from(year),
            Self::CalendarQuarter => i64::from((month - 1) / 3 + 1),
            Self::CalendarMonth => i64::from(month),
            Self::DayInMonth => i64::from(day),
            // 1970-01-01 was a Thursday; Sunday is 1.
            Self::DayInWeek => i64::from((date.0 + 4).rem_euclid(7) + 1),
            Self::DayInYear => i64::from(day_of_year + 1),
            Self::FiscalYear => i64::from(year) + i64::from(ends_next_year),
            Self::FiscalQuarter => i64::from(fiscal / 3 + 1),
            Self::FiscalMonth => i64::from(fiscal + 1),
            Self::HourInDay => i64::from(local.time_of_day().0 / 3_600_000),
            Self::WeekInMonth => i64::from((day - 1) / 7 + 1),
            Self::WeekInYear => i64::from(day_of_year / 7 + 1),
            Self::DayOnly => i64::from(date.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, calendar: Calendar) -> Vec<i64> {
        let time = Timestamp::parse(text).unwrap();
        let number = |part: DatePart| match part.of(Cell::DateTime(time), calendar) {
            Cell::Int(number) => number,
            other => panic!("{other:?} is no number"),
        };
        NAMES.iter().filter(|(name, _)| *name != "DAY_ONLY").map(|(_, part)| number(*part)).collect()
    }

    #[test]
    fn a_date_has_the_parts_that_the_reference_lists() {
        let utc = Calendar::default();
        assert_eq!(parts("2026-11-21T23:30:00Z", utc), [2026, 4, 11, 21, 7, 325, 2026, 4, 11, 23, 3, 47]);
        assert_eq!(parts("2024-12-31T00:00:00Z", utc), [2024, 4, 12, 31, 3, 366, 2024, 4, 12, 0, 5, 53]);
    }

    #[test]
    fn time_zones_and_fiscal_years_move_the_parts() {
        let berlin = Calendar { zone: chrono_tz::Europe::Berlin, fiscal_month: 10, ..Calendar::default() };
        assert_eq!(parts("2026-11-21T23:30:00Z", berlin), [2026, 4, 11, 22, 1, 326, 2027, 1, 2, 0, 4, 47]);
    }
}
