//! The functions that an expression may call; `a.f(b)` and `f(a, b)` are the same.

use std::borrow::Cow;

use super::{
    MAX_TEXT, MAX_TEXTS,
    check::{bounded_texts, day, moment},
    number,
    value::{Fault, Kind, Value, bounded},
};
use crate::{
    civil_from_days,
    decode::scalar,
    mapping::text::{Format, MILLIS_PER_DAY, ONE, truth, write_date, write_decimal, write_time, write_timestamp},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Lower,
    Upper,
    Trim,
    Substring,
    Replace,
    Split,
    Join,
    IndexOf,
    Int,
    Decimal,
    Text,
    Boolean,
    Date,
    Timestamp,
    Duration,
    Format,
    Part(Part),
    Abs,
    Round,
    Floor,
    Ceil,
    Least,
    Greatest,
}

/// A part of a date or a moment, counted as CEL does (CEL language definition, *List of Standard Definitions*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    /// January is 0.
    Month,
    /// The first is 1.
    Day,
    /// The first is 0.
    DayOfMonth,
    /// Sunday is 0.
    DayOfWeek,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

const FUNCTIONS: [(&str, Function); 38] = [
    ("size", Function::Size),
    ("contains", Function::Contains),
    ("startsWith", Function::StartsWith),
    ("endsWith", Function::EndsWith),
    ("lower", Function::Lower),
    ("lowerAscii", Function::Lower),
    ("upper", Function::Upper),
    ("upperAscii", Function::Upper),
    ("trim", Function::Trim),
    ("substring", Function::Substring),
    ("replace", Function::Replace),
    ("split", Function::Split),
    ("join", Function::Join),
    ("indexOf", Function::IndexOf),
    ("int", Function::Int),
    ("decimal", Function::Decimal),
    ("double", Function::Decimal),
    ("string", Function::Text),
    ("bool", Function::Boolean),
    ("date", Function::Date),
    ("timestamp", Function::Timestamp),
    ("duration", Function::Duration),
    ("format", Function::Format),
    ("getFullYear", Function::Part(Part::Year)),
    ("getMonth", Function::Part(Part::Month)),
    ("getDate", Function::Part(Part::Day)),
    ("getDayOfMonth", Function::Part(Part::DayOfMonth)),
    ("getDayOfWeek", Function::Part(Part::DayOfWeek)),
    ("getHours", Function::Part(Part::Hours)),
    ("getMinutes", Function::Part(Part::Minutes)),
    ("getSeconds", Function::Part(Part::Seconds)),
    ("getMilliseconds", Function::Part(Part::Milliseconds)),
    ("abs", Function::Abs),
    ("round", Function::Round),
    ("floor", Function::Floor),
    ("ceil", Function::Ceil),
    ("least", Function::Least),
    ("greatest", Function::Greatest),
];

impl Function {
    pub(super) fn of(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    /// Every name there is, for suggestions.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|(name, _)| *name).chain(["coalesce", "default", "has"])
    }

    /// The type of what it makes of values of these types; `None`: it does not take them. Null is a value of any type.
    pub(super) fn kind(self, given: &[Kind]) -> Option<Kind> {
        use Kind as K;
        let takes = |wanted: &[&[K]]| {
            let fits = |(given, wanted): (&K, &&[K])| *given == K::Null || wanted.contains(given);
            given.len() == wanted.len() && given.iter().zip(wanted).all(fits)
        };
        const TEXT: &[K] = &[K::Text];
        const INTEGER: &[K] = &[K::Integer];
        const NUMBER: &[K] = &[K::Integer, K::Decimal];
        let first = given.first().copied().unwrap_or(K::Null);
        match self {
            Self::Size => takes(&[&[K::Text, K::Texts]]).then_some(K::Integer),
            Self::Contains | Self::StartsWith | Self::EndsWith => takes(&[TEXT, TEXT]).then_some(K::Boolean),
            Self::Lower | Self::Upper | Self::Trim => takes(&[TEXT]).then_some(K::Text),
            Self::Substring => (takes(&[TEXT, INTEGER]) || takes(&[TEXT, INTEGER, INTEGER])).then_some(K::Text),
            Self::Replace => takes(&[TEXT, TEXT, TEXT]).then_some(K::Text),
            Self::Split => takes(&[TEXT, TEXT]).then_some(K::Texts),
            Self::Join => takes(&[&[K::Texts], TEXT]).then_some(K::Text),
            Self::IndexOf => takes(&[TEXT, TEXT]).then_some(K::Integer),
            Self::Int => takes(&[&[K::Text, K::Integer, K::Decimal, K::Boolean]]).then_some(K::Integer),
            Self::Decimal => takes(&[&[K::Text, K::Integer, K::Decimal]]).then_some(K::Decimal),
            Self::Text => (given.len() == 1 && !matches!(first, K::Texts | K::Duration)).then_some(K::Text),
            Self::Boolean => takes(&[&[K::Text, K::Boolean]]).then_some(K::Boolean),
            Self::Date => takes(&[&[K::Text, K::Date, K::Timestamp]]).then_some(K::Date),
            Self::Timestamp => takes(&[&[K::Text, K::Date, K::Timestamp]]).then_some(K::Timestamp),
            Self::Duration => takes(&[TEXT]).then_some(K::Duration),
            Self::Format => takes(&[&[K::Date, K::Timestamp, K::Time], TEXT]).then_some(K::Text),
            Self::Part(Part::Hours | Part::Minutes | Part::Seconds | Part::Milliseconds) => {
                takes(&[&[K::Timestamp, K::Time, K::Duration]]).then_some(K::Integer)
            }
            Self::Part(Part::Year | Part::Month | Part::Day | Part::DayOfMonth | Part::DayOfWeek) => {
                takes(&[&[K::Date, K::Timestamp]]).then_some(K::Integer)
            }
            Self::Abs => takes(&[NUMBER]).then_some(first),
            Self::Round => (takes(&[&[K::Decimal]]) || takes(&[&[K::Decimal], INTEGER])).then_some(K::Decimal),
            Self::Floor | Self::Ceil => takes(&[&[K::Decimal]]).then_some(K::Integer),
            Self::Least | Self::Greatest => (takes(&[NUMBER, NUMBER]) && given[0] == given[1]).then_some(first),
        }
    }

    /// What it takes, in words.
    pub(super) fn takes(self) -> &'static str {
        match self {
            Self::Size => "(text) or (list of texts)",
            Self::Contains | Self::StartsWith | Self::EndsWith | Self::Split | Self::IndexOf => "(text, text)",
            Self::Lower | Self::Upper | Self::Trim | Self::Duration => "(text)",
            Self::Substring => "(text, integer) or (text, integer, integer)",
            Self::Replace => "(text, text, text)",
            Self::Join => "(list of texts, text)",
            Self::Int => "(text), (integer), (decimal) or (boolean)",
            Self::Decimal => "(text), (integer) or (decimal)",
            Self::Text => "one value that is no list and no duration",
            Self::Boolean => "(text) or (boolean)",
            Self::Date | Self::Timestamp => "(text), (date) or (timestamp)",
            Self::Format => "(date, text), (timestamp, text) or (time, text)",
            Self::Part(Part::Hours | Part::Minutes | Part::Seconds | Part::Milliseconds) => {
                "(timestamp), (time) or (duration)"
            }
            Self::Part(Part::Year | Part::Month | Part::Day | Part::DayOfMonth | Part::DayOfWeek) => {
                "(date) or (timestamp)"
            }
            Self::Abs => "(integer) or (decimal)",
            Self::Round => "(decimal) or (decimal, integer)",
            Self::Floor | Self::Ceil => "(decimal)",
            Self::Least | Self::Greatest => "(integer, integer) or (decimal, decimal)",
        }
    }

    /// Calls it with values of types it takes, none of which is null.
    pub(super) fn apply(self, values: Vec<Value<'_>>) -> Result<Value<'_>, Fault> {
        use Value as V;
        let mut values = values.into_iter();
        let arguments = (values.next().unwrap_or(V::Null), values.next(), values.next());
        match (self, arguments) {
            (Self::Size, (V::Text(text), None, None)) => Ok(V::Integer(text.chars().count() as i64)),
            (Self::Size, (V::Texts(texts), None, None)) => Ok(V::Integer(texts.len() as i64)),
            (Self::Contains, (V::Text(a), Some(V::Text(b)), None)) => Ok(V::Boolean(a.contains(b.as_ref()))),
            (Self::StartsWith, (V::Text(a), Some(V::Text(b)), None)) => Ok(V::Boolean(a.starts_with(b.as_ref()))),
            (Self::EndsWith, (V::Text(a), Some(V::Text(b)), None)) => Ok(V::Boolean(a.ends_with(b.as_ref()))),
            (Self::Lower, (V::Text(text), None, None)) => bounded(text.to_lowercase()),
            (Self::Upper, (V::Text(text), None, None)) => bounded(text.to_uppercase()),
            (Self::Trim, (V::Text(text), None, None)) => Ok(V::Text(trimmed(text))),
            (Self::Substring, (V::Text(text), Some(V::Integer(from)), to)) => {
                Ok(V::Text(substring(&text, from, to.and_then(|to| to.as_integer())).into()))
            }
            (Self::Replace, (V::Text(text), Some(V::Text(old)), Some(V::Text(new)))) => replaced(&text, &old, &new),
            (Self::Split, (V::Text(text), Some(V::Text(separator)), None)) => split(&text, &separator),
            (Self::Join, (V::Texts(texts), Some(V::Text(separator)), None)) => joined(&texts, &separator),
            (Self::IndexOf, (V::Text(text), Some(V::Text(part)), None)) => Ok(V::Integer(index_of(&text, &part))),
            (Self::Int, (value, None, None)) => int(value),
            (Self::Decimal, (value, None, None)) => decimal(value),
            (Self::Text, (value, None, None)) => string(value),
            (Self::Boolean, (V::Text(text), None, None)) => {
                read(&text, Kind::Boolean, truth(text.trim())).map(V::Boolean)
            }
            (Self::Boolean, (value @ V::Boolean(_), None, None)) => Ok(value),
            (Self::Date, (V::Text(text), None, None)) => {
                read(&text, Kind::Date, scalar::date(text.trim().as_bytes())).map(V::Date)
            }
            (Self::Date, (V::Timestamp(millis), None, None)) => day(millis),
            (Self::Date, (value @ V::Date(_), None, None)) => Ok(value),
            (Self::Timestamp, (V::Text(text), None, None)) => {
                moment(read(&text, Kind::Timestamp, scalar::timestamp(text.trim().as_bytes()))?)
            }
            (Self::Timestamp, (V::Date(days), None, None)) => moment(i64::from(days) * MILLIS_PER_DAY),
            (Self::Timestamp, (value @ V::Timestamp(_), None, None)) => Ok(value),
            (Self::Duration, (V::Text(text), None, None)) => {
                read(&text, Kind::Duration, duration(text.trim())).map(V::Duration)
            }
            (Self::Format, (value, Some(V::Text(format)), None)) => formatted(&value, &format),
            (Self::Part(part), (value, None, None)) => part.of(&value).map(V::Integer),
            (Self::Abs, (V::Integer(number), None, None)) => {
                number.checked_abs().map(V::Integer).ok_or(Fault::TooLargeNumber)
            }
            (Self::Abs, (V::Decimal(number), None, None)) => Ok(V::Decimal(number.abs())),
            (Self::Round, (V::Decimal(number), digits, None)) => {
                let digits = digits.and_then(|digits| digits.as_integer()).unwrap_or(0);
                number::round(number, digits).map(V::Decimal)
            }
            (Self::Floor, (V::Decimal(number), None, None)) => {
                number::truncated(number.div_euclid(ONE) * ONE).map(V::Integer)
            }
            (Self::Ceil, (V::Decimal(number), None, None)) => {
                number::truncated(-((-number).div_euclid(ONE)) * ONE).map(V::Integer)
            }
            (Self::Least, (a, Some(b), None)) => Ok(if a.compare(&b)?.is_le() { a } else { b }),
            (Self::Greatest, (a, Some(b), None)) => Ok(if a.compare(&b)?.is_ge() { a } else { b }),
            _ => Err(Fault::Types),
        }
    }
}

impl Part {
    fn of(self, value: &Value<'_>) -> Result<i64, Fault> {
        let millis = match value {
            Value::Date(days) => i64::from(*days) * MILLIS_PER_DAY,
            Value::Timestamp(millis) => *millis,
            Value::Time(millis) => i64::from(*millis),
            Value::Duration(millis) => return self.of_duration(*millis),
            _ => return Err(Fault::Types),
        };
        let days = millis.div_euclid(MILLIS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        let millis = millis.rem_euclid(MILLIS_PER_DAY);
        Ok(match self {
            Self::Year => year,
            Self::Month => i64::from(month) - 1,
            Self::Day => i64::from(day),
            Self::DayOfMonth => i64::from(day) - 1,
            // 1970-01-01 was a Thursday.
            Self::DayOfWeek => (days + 4).rem_euclid(7),
            Self::Hours => millis / 3_600_000,
            Self::Minutes => millis / 60_000 % 60,
            Self::Seconds => millis / 1000 % 60,
            Self::Milliseconds => millis % 1000,
        })
    }

    /// A span in whole units, as CEL has it; its milliseconds are those beyond the seconds.
    fn of_duration(self, millis: i64) -> Result<i64, Fault> {
        match self {
            Self::Hours => Ok(millis / 3_600_000),
            Self::Minutes => Ok(millis / 60_000),
            Self::Seconds => Ok(millis / 1000),
            Self::Milliseconds => Ok(millis % 1000),
            Self::Year | Self::Month | Self::Day | Self::DayOfMonth | Self::DayOfWeek => Err(Fault::Types),
        }
    }
}

fn read<T>(text: &str, kind: Kind, value: Option<T>) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::NotA(kind, text.chars().take(100).collect()))
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// Characters from one place up to before another, both counted from 0; what lies outside of the text is empty.
fn substring(text: &str, from: i64, to: Option<i64>) -> String {
    let place = |place: i64| usize::try_from(place).unwrap_or(0);
    let (from, to) = (place(from), to.map_or(usize::MAX, place));
    text.chars().skip(from).take(to.saturating_sub(from)).collect()
}

fn replaced<'a>(text: &str, old: &str, new: &str) -> Result<Value<'a>, Fault> {
    if old.is_empty() {
        return Ok(Value::Text(text.to_owned().into()));
    }
    let found = text.matches(old).count();
    if text.len() + found * new.len().saturating_sub(old.len()) > MAX_TEXT {
        return Err(Fault::TooLongText);
    }
    bounded(text.replace(old, new))
}

fn split<'a>(text: &str, separator: &str) -> Result<Value<'a>, Fault> {
    if separator.is_empty() {
        return Ok(Value::Texts(vec![text.to_owned().into()]));
    }
    bounded_texts(text.split(separator).take(MAX_TEXTS + 1).map(|part| part.to_owned().into()).collect())
}

fn joined<'a>(texts: &[Cow<'_, str>], separator: &str) -> Result<Value<'a>, Fault> {
    let bytes: usize = texts.iter().map(|text| text.len() + separator.len()).sum();
    if bytes > MAX_TEXT + separator.len() { Err(Fault::TooLongText) } else { bounded(texts.join(separator)) }
}

/// The place in characters; -1 when there is none.
fn index_of(text: &str, part: &str) -> i64 {
    text.find(part).map_or(-1, |at| text[..at].chars().count() as i64)
}

fn int<'a>(value: Value<'_>) -> Result<Value<'a>, Fault> {
    match value {
        Value::Text(text) => read(&text, Kind::Integer, scalar::integer(text.trim().as_bytes())).map(Value::Integer),
        Value::Integer(number) => Ok(Value::Integer(number)),
        Value::Decimal(number) => number::truncated(number).map(Value::Integer),
        Value::Boolean(truth) => Ok(Value::Integer(i64::from(truth))),
        _ => Err(Fault::Types),
    }
}

fn decimal<'a>(value: Value<'_>) -> Result<Value<'a>, Fault> {
    match value {
        Value::Text(text) => read(&text, Kind::Decimal, scalar::decimal(text.trim().as_bytes())).map(Value::Decimal),
        Value::Integer(number) => Ok(Value::Decimal(i128::from(number) * ONE)),
        Value::Decimal(number) => Ok(Value::Decimal(number)),
        _ => Err(Fault::Types),
    }
}

fn string(value: Value<'_>) -> Result<Value<'_>, Fault> {
    let mut out = String::new();
    match value {
        Value::Text(_) => return Ok(value),
        Value::Integer(number) => out = number.to_string(),
        Value::Decimal(number) => write_decimal(&mut out, number),
        Value::Boolean(truth) => out = truth.to_string(),
        Value::Date(days) => write_date(&mut out, i64::from(days)),
        Value::Timestamp(millis) => write_timestamp(&mut out, millis),
        Value::Time(millis) => write_time(&mut out, i64::from(millis)),
        Value::Null | Value::Duration(_) | Value::Texts(_) => return Err(Fault::Types),
    }
    Ok(Value::Text(out.into()))
}

/// Milliseconds of `1h30m`, `-90s`, `1.5h`, `250ms`.
fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let millis: i128 = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1000,
            "ms" => 1,
            _ => return None,
        };
        total = total.checked_add(scalar::decimal(number.as_bytes())?.checked_mul(millis)?)?;
        rest = after;
    }
    let millis = i64::try_from(total / ONE).ok()?;
    (!text.is_empty() && text != "-").then_some(if negative { -millis } else { millis })
}

fn formatted<'a>(value: &Value<'_>, format: &str) -> Result<Value<'a>, Fault> {
    let millis = match value {
        Value::Date(days) => i64::from(*days) * MILLIS_PER_DAY,
        Value::Timestamp(millis) => *millis,
        Value::Time(millis) => i64::from(*millis),
        _ => return Err(Fault::Types),
    };
    let format = Format::parse(format).map_err(|_| Fault::NotA(Kind::Text, format.chars().take(100).collect()))?;
    let mut out = String::new();
    format.write(&mut out, millis);
    bounded(out)
}
