//! One column, as a person writes it.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
};

use crate::table::ColumnType;

/// One column: where its values come from, and what becomes of them on the way.
///
/// In TOML and JSON exactly one of `field`, `value` and `compute` is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct ColumnMapping {
    pub source: Source,
    /// The column's name; the path with underscores when absent. What is no field needs one.
    pub column: Option<String>,
    /// `as`; the source's own type when absent.
    pub target: Option<Target>,
    /// How a date, a moment or a time of day is spelt in text: `%d.%m.%Y`.
    pub format: Option<String>,
    /// White space goes from both ends of a text; what is empty then is null.
    pub trim: bool,
    pub case: Option<Case>,
    /// A text in place of another. Of several choices each is replaced.
    pub values: BTreeMap<String, Constant>,
    /// What becomes of values that `values` does not have; they are kept when absent.
    pub other: Option<Other>,
    /// A picklist's labels in place of its values.
    pub label: bool,
    /// The ISO code of the currency that amounts are converted to.
    pub currency: Option<String>,
    /// In place of null.
    pub default: Option<Constant>,
    /// A record without it becomes no row.
    pub required: bool,
    pub on_misfit: Misfitting,
    /// Its values change without moving the record's stamp, so that they are read again now and then; when absent, describe
    /// and the path say whether they do.
    pub refresh: Option<bool>,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A field, or a path to a parent's field: `Account.Name`.
    Field(String),
    /// The same value in every row.
    Value(Constant),
    /// A CEL expression over fields and paths.
    Compute(String),
}

/// The type that values are converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Text,
    Integer,
    Decimal,
    Boolean,
    Date,
    Timestamp,
    Time,
    Json,
    /// A JSON array of a multi-select picklist's choices.
    List,
}

/// The conversion that leaves values of a column's type as they are.
impl From<ColumnType> for Target {
    fn from(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Text => Self::Text,
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Integer => Self::Integer,
            ColumnType::Decimal => Self::Decimal,
            ColumnType::Date => Self::Date,
            ColumnType::Timestamp => Self::Timestamp,
            ColumnType::Time => Self::Time,
            ColumnType::Json => Self::Json,
        }
    }
}

impl Target {
    /// The type of the column that holds it.
    pub fn column_type(self) -> ColumnType {
        match self {
            Self::Text => ColumnType::Text,
            Self::Integer => ColumnType::Integer,
            Self::Decimal => ColumnType::Decimal,
            Self::Boolean => ColumnType::Boolean,
            Self::Date => ColumnType::Date,
            Self::Timestamp => ColumnType::Timestamp,
            Self::Time => ColumnType::Time,
            Self::Json | Self::List => ColumnType::Json,
        }
    }
}

/// The case that a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    Lower,
    Upper,
}

/// What becomes of values that a map of values does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Other {
    Keep,
    Null,
    /// The record becomes no row.
    Reject,
}

/// What becomes of a value that cannot be converted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfitting {
    /// The cell is null, and the value is kept as a misfit.
    #[default]
    Null,
    /// The record becomes no row.
    Reject,
}

/// A value that a person writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    Text(String),
    Integer(i64),
    /// The digits of a number with a fraction.
    Decimal(String),
    Boolean(bool),
}

impl Constant {
    /// As text; numbers as they were written.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Decimal(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Boolean(truth) => truth.to_string(),
        }
    }
}

impl ColumnMapping {
    /// A field or a path, as it is.
    pub fn field(path: impl Into<String>) -> Self {
        Self::of(Source::Field(path.into()))
    }

    /// The same value in every row.
    pub fn value(value: Constant, column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..Self::of(Source::Value(value)) }
    }

    /// A CEL expression.
    pub fn compute(expression: impl Into<String>, column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..Self::of(Source::Compute(expression.into())) }
    }

    /// The path, where the source is one.
    pub fn path(&self) -> Option<&str> {
        match &self.source {
            Source::Field(path) => Some(path),
            Source::Value(_) | Source::Compute(_) => None,
        }
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            column: None,
            target: None,
            format: None,
            trim: false,
            case: None,
            values: BTreeMap::new(),
            other: None,
            label: false,
            currency: None,
            default: None,
            required: false,
            on_misfit: Misfitting::Null,
            refresh: None,
        }
    }
}

/// A column as it stands in TOML and JSON.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<WrittenConstant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compute: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    trim: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    case: Option<Case>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    other: Option<Other>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    label: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<Constant>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    required: bool,
    #[serde(default, skip_serializing_if = "is_null")]
    on_misfit: Misfitting,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<bool>,
    /// Last, for TOML writes tables after values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<String, Constant>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_null(misfitting: &Misfitting) -> bool {
    *misfitting == Misfitting::Null
}

impl TryFrom<Written> for ColumnMapping {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let mut target = written.target;
        let source = match (written.field, written.value, written.compute) {
            (Some(path), None, None) => Source::Field(path),
            (None, Some(value), None) => {
                target = target.or(value.target);
                Source::Value(value.constant)
            }
            (None, None, Some(expression)) => Source::Compute(expression),
            (None, None, None) => return Err("a column needs one of field, value and compute".into()),
            _ => return Err("a column has only one of field, value and compute".into()),
        };
        Ok(Self {
            source,
            column: written.column,
            target,
            format: written.format,
            trim: written.trim,
            case: written.case,
            values: written.values,
            other: written.other,
            label: written.label,
            currency: written.currency,
            default: written.default,
            required: written.required,
            on_misfit: written.on_misfit,
            refresh: written.refresh,
        })
    }
}

impl From<ColumnMapping> for Written {
    fn from(column: ColumnMapping) -> Self {
        let (mut field, mut value, mut compute) = (None, None, None);
        match column.source {
            Source::Field(path) => field = Some(path),
            Source::Value(constant) => value = Some(WrittenConstant { constant, target: None }),
            Source::Compute(expression) => compute = Some(expression),
        }
        Self {
            field,
            value,
            compute,
            column: column.column,
            target: column.target,
            format: column.format,
            trim: column.trim,
            case: column.case,
            other: column.other,
            label: column.label,
            currency: column.currency,
            default: column.default,
            required: column.required,
            on_misfit: column.on_misfit,
            refresh: column.refresh,
            values: column.values,
        }
    }
}

/// A constant, and the type that TOML's own dates and times say it has.
#[derive(Clone)]
struct WrittenConstant {
    constant: Constant,
    target: Option<Target>,
}

/// A float whose digits may be others than those written has more than so many (IEEE 754 double: 15).
const FLOAT_DIGITS: usize = 15;

impl<'de> Deserialize<'de> for WrittenConstant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ConstantVisitor)
    }
}

impl<'de> Deserialize<'de> for Constant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WrittenConstant::deserialize(deserializer).map(|written| written.constant)
    }
}

impl Serialize for WrittenConstant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.constant.serialize(serializer)
    }
}

impl Serialize for Constant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Boolean(truth) => serializer.serialize_bool(*truth),
            // Digits that a float cannot carry stay text, and mean the same in a column of decimals.
            Self::Decimal(digits) => match digits.parse::<f64>() {
                Ok(number) if number.to_string() == *digits => serializer.serialize_f64(number),
                _ => serializer.serialize_str(digits),
            },
        }
    }
}

struct ConstantVisitor;

impl<'de> Visitor<'de> for ConstantVisitor {
    type Value = WrittenConstant;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text, a number, true, false or a date")
    }

    fn visit_str<E>(self, text: &str) -> Result<WrittenConstant, E> {
        Ok(WrittenConstant { constant: Constant::Text(text.to_owned()), target: None })
    }

    fn visit_bool<E>(self, truth: bool) -> Result<WrittenConstant, E> {
        Ok(WrittenConstant { constant: Constant::Boolean(truth), target: None })
    }

    fn visit_i64<E>(self, number: i64) -> Result<WrittenConstant, E> {
        Ok(WrittenConstant { constant: Constant::Integer(number), target: None })
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<WrittenConstant, E> {
        let number = i64::try_from(number).map_err(|_| E::custom(format!("{number} is too large a number")))?;
        self.visit_i64(number)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<WrittenConstant, E> {
        let digits = number.to_string();
        let significant = digits.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
        if !number.is_finite() || significant > FLOAT_DIGITS {
            return Err(E::custom(format!(
                "{digits} has more digits than survive here: write the number in quotes, with as = \"decimal\""
            )));
        }
        Ok(WrittenConstant { constant: Constant::Decimal(digits), target: None })
    }

    /// TOML's dates and times arrive as a map of one entry, whose key is the `toml` crate's own.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WrittenConstant, A::Error> {
        match map.next_entry::<String, String>()? {
            Some((key, text)) if key == "$__toml_private_datetime" => {
                let target = match (text.contains(':'), text.contains('-')) {
                    (true, true) => Target::Timestamp,
                    (true, false) => Target::Time,
                    (false, _) => Target::Date,
                };
                Ok(WrittenConstant { constant: Constant::Text(text), target: Some(target) })
            }
            _ => Err(A::Error::custom("a value is a text, a number, true, false or a date")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(column: serde_json::Value) -> Result<ColumnMapping, String> {
        serde_json::from_value(column).map_err(|error| error.to_string())
    }

    #[test]
    fn a_column_has_exactly_one_source() {
        assert_eq!(parsed(json!({"field": "Name"})), Ok(ColumnMapping::field("Name")));
        assert_eq!(parsed(json!({"value": 7, "column": "n"})), Ok(ColumnMapping::value(Constant::Integer(7), "n")));
        for wrong in
            [json!({"column": "n"}), json!({"field": "Name", "value": 1}), json!({"field": "A", "compute": "B"})]
        {
            assert!(parsed(wrong.clone()).unwrap_err().contains("one of field, value and compute"), "{wrong}");
        }
        assert!(parsed(json!({"field": "Name", "colum": "n"})).unwrap_err().contains("unknown field `colum`"));
    }

    #[test]
    fn a_number_that_a_float_would_change_is_refused() {
        assert_eq!(
            parsed(json!({"value": 0.1, "column": "n"})).unwrap().source,
            Source::Value(Constant::Decimal("0.1".into()))
        );
        let digits = serde_json::from_str::<ColumnMapping>(r#"{"value": 0.12345678901234567, "column": "n"}"#);
        assert!(digits.unwrap_err().to_string().contains("in quotes"));
    }

    #[test]
    fn a_column_is_written_as_it_was_read() {
        let written = json!({
            "field": "Rating", "column": "rating", "as": "integer", "trim": true, "case": "lower",
            "values": {"hot": "1", "warm": 2, "cold": 0.5, "x": true}, "other": "reject", "label": true,
            "default": "9", "required": true, "on_misfit": "reject", "format": "%d", "currency": "EUR",
        });
        assert_eq!(serde_json::to_value(parsed(written.clone()).unwrap()).unwrap(), written);
    }
}
