//! Why a row was not written, as row results report it.

use serde::Serialize;

/// Codes of row errors. Source: `StatusCode` of the partner WSDL v66.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusCode {
    AllOrNoneOperationRolledBack,
    DeleteFailed,
    DuplicateExternalId,
    DuplicateValue,
    EntityIsDeleted,
    EntityIsNotDeleted,
    InsufficientAccessOrReadonly,
    InvalidCrossReferenceKey,
    InvalidEmailAddress,
    InvalidField,
    InvalidFieldForInsertUpdate,
    InvalidOrNullForRestrictedPicklist,
    InvalidType,
    InvalidTypeForOperation,
    InvalidTypeOnFieldInRecord,
    MalformedId,
    MissingArgument,
    NotFound,
    NumberOutsideValidRange,
    RequiredFieldMissing,
    StringTooLong,
    UnableToLockRow,
}

impl StatusCode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllOrNoneOperationRolledBack => "ALL_OR_NONE_OPERATION_ROLLED_BACK",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::DuplicateExternalId => "DUPLICATE_EXTERNAL_ID",
            Self::DuplicateValue => "DUPLICATE_VALUE",
            Self::EntityIsDeleted => "ENTITY_IS_DELETED",
            Self::EntityIsNotDeleted => "UNDELETE_FAILED",
            Self::InsufficientAccessOrReadonly => "INSUFFICIENT_ACCESS_OR_READONLY",
            Self::InvalidCrossReferenceKey => "INVALID_CROSS_REFERENCE_KEY",
            Self::InvalidEmailAddress => "INVALID_EMAIL_ADDRESS",
            Self::InvalidField => "INVALID_FIELD",
            Self::InvalidFieldForInsertUpdate => "INVALID_FIELD_FOR_INSERT_UPDATE",
            Self::InvalidOrNullForRestrictedPicklist => "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            Self::InvalidType => "INVALID_TYPE",
            Self::InvalidTypeForOperation => "INVALID_TYPE_FOR_OPERATION",
            Self::InvalidTypeOnFieldInRecord => "INVALID_TYPE_ON_FIELD_IN_RECORD",
            Self::MalformedId => "MALFORMED_ID",
            Self::MissingArgument => "MISSING_ARGUMENT",
            Self::NotFound => "NOT_FOUND",
            Self::NumberOutsideValidRange => "NUMBER_OUTSIDE_VALID_RANGE",
            Self::RequiredFieldMissing => "REQUIRED_FIELD_MISSING",
            Self::StringTooLong => "STRING_TOO_LONG",
            Self::UnableToLockRow => "UNABLE_TO_LOCK_ROW",
        }
    }

    /// The HTTP status when the row was the whole request.
    ///
    /// Source: REST API guide, status codes; 404 for `ENTITY_IS_DELETED` is unverified.
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Self::EntityIsDeleted | Self::NotFound => 404,
            Self::InsufficientAccessOrReadonly => 403,
            _ => 400,
        }
    }
}

/// A row error. As part of a row result its JSON is `{statusCode, message, fields}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct RowError {
    #[serde(serialize_with = "code_text")]
    pub status_code: StatusCode,
    pub message: String,
    pub fields: Vec<String>,
}

fn code_text<S: serde::Serializer>(code: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

impl RowError {
    pub(crate) fn new(status_code: StatusCode, message: impl Into<String>) -> Self {
        Self { status_code, message: message.into(), fields: Vec::new() }
    }

    pub(crate) fn on(status_code: StatusCode, field: &str, message: impl Into<String>) -> Self {
        Self { status_code, message: message.into(), fields: vec![field.to_owned()] }
    }

    pub(crate) fn no_such_column(field: &str, object: &str) -> Self {
        Self::new(StatusCode::InvalidField, format!("No such column '{field}' on sobject of type {object}"))
    }

    pub(crate) fn no_such_object(object: &str) -> Self {
        let hint = "If you are attempting to use a custom object, be sure to append the '__c' after the entity name. \
                    Please reference your WSDL or the describe call for the appropriate names.";
        Self::new(StatusCode::InvalidType, format!("sObject type '{object}' is not supported. {hint}"))
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NotFound, "The requested resource does not exist")
    }
}
