//! Formula fields: a closed set of expressions over the record's own fields.

use serde::Deserialize;

/// What a calculated field shows. Names are fields of the same object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// The sum of number fields; null counts as zero.
    Sum(Vec<String>),
    /// The texts of fields with a blank between; null is left out.
    Join(Vec<String>),
    /// Whether a field is null.
    IsBlank(String),
}

impl Formula {
    /// The formula as describe shows it in `calculatedFormula`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Sum(fields) => fields.join(" + "),
            Self::Join(fields) => fields.join(" & \" \" & "),
            Self::IsBlank(field) => format!("ISBLANK({field})"),
        }
    }
}
