//! Which fields become which columns.

use serde::{Deserialize, Serialize};

use crate::table::DeleteMode;

/// A stream's mapping, as data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub object: String,
    /// The table's name; the object's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Empty: every readable field under its own name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnMapping>,
    /// A SOQL condition, as it would stand after `WHERE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// At most this many records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    #[serde(default)]
    pub deletes: DeleteMode,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMapping {
    /// A field, or a path to a parent's field: `Account.Name`.
    pub field: String,
    /// The column's name; the path with underscores when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}
