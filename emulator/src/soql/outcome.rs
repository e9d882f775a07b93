//! Why a query is refused, in the words of Salesforce.

use std::fmt;

/// Codes of query errors. Source: `ExceptionCode` of the partner WSDL v66.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryErrorCode {
    MalformedQuery,
    InvalidField,
    InvalidType,
    InvalidQueryFilterOperator,
    InvalidTypeForOperation,
    NumberOutsideValidRange,
    InvalidQueryScope,
    ExceededMaxSemijoinSubselects,
    ExceededIdLimit,
    /// Bulk only.
    ApiError,
    /// Bulk only: the object is not supported there.
    InvalidEntity,
}

impl QueryErrorCode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedQuery => "MALFORMED_QUERY",
            Self::InvalidField => "INVALID_FIELD",
            Self::InvalidType => "INVALID_TYPE",
            Self::InvalidQueryFilterOperator => "INVALID_QUERY_FILTER_OPERATOR",
            Self::InvalidTypeForOperation => "INVALID_TYPE_FOR_OPERATION",
            Self::NumberOutsideValidRange => "NUMBER_OUTSIDE_VALID_RANGE",
            Self::InvalidQueryScope => "INVALID_QUERY_SCOPE",
            Self::ExceededMaxSemijoinSubselects => "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS",
            Self::ExceededIdLimit => "EXCEEDED_ID_LIMIT",
            Self::ApiError => "API_ERROR",
            Self::InvalidEntity => "INVALIDENTITY",
        }
    }
}

impl fmt::Display for QueryErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refused query. The HTTP status is always 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct QueryError {
    pub code: QueryErrorCode,
    pub message: String,
}

impl QueryError {
    pub(super) fn plain(code: QueryErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// An error at byte `at` of `query`, shown with the text around it and a caret below.
    ///
    /// Source: messages captured from orgs show up to 32 characters before the place; how much follows is inferred.
    pub(super) fn at(code: QueryErrorCode, query: &str, at: usize, message: &str) -> Self {
        let at = (0..=at.min(query.len())).rev().find(|at| query.is_char_boundary(*at)).unwrap_or_default();
        let (before, after) = query.split_at(at);
        let row = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let skipped = before.chars().count().saturating_sub(CONTEXT_BEFORE);
        let head: String = before.chars().skip(skipped).map(flat).collect();
        let tail: String = after.chars().take(CONTEXT_AFTER).map(flat).collect();
        let indent = " ".repeat(head.chars().count());
        let message = format!("\n{head}{tail}\n{indent}^\nERROR at Row:{row}:Column:{column}\n{message}");
        Self { code, message }
    }
}

const CONTEXT_BEFORE: usize = 32;
const CONTEXT_AFTER: usize = 48;

/// Keeps the excerpt on one line.
fn flat(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}
