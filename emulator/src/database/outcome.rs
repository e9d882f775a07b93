//! Why a row was not written, as row results report it.

use serde::{Deserialize, Serialize};

use super::DuplicateResult;

/// Codes of row errors. Source: `StatusCode` of the partner WSDL v66.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StatusCode {
    AllOrNoneOperationRolledBack,
    CannotExecuteFlowTrigger,
    CannotInsertUpdateActivateEntity,
    CannotUpdateConvertedLead,
    DeleteFailed,
    DuplicateExternalId,
    DuplicateValue,
    DuplicatesDetected,
    EntityIsDeleted,
    #[serde(rename = "UNDELETE_FAILED")]
    EntityIsNotDeleted,
    EntityIsLocked,
    FieldCustomValidationException,
    FieldIntegrityException,
    InactiveOwnerOrUser,
    InsufficientAccessOnCrossReferenceEntity,
    InsufficientAccessOrReadonly,
    InvalidCrossReferenceKey,
    InvalidEmailAddress,
    InvalidField,
    InvalidFieldForInsertUpdate,
    InvalidOrNullForRestrictedPicklist,
    InvalidStatus,
    InvalidType,
    InvalidTypeForOperation,
    InvalidTypeOnFieldInRecord,
    LimitExceeded,
    MalformedId,
    MissingArgument,
    MixedDmlOperation,
    NotFound,
    NumberOutsideValidRange,
    ProcessingHalted,
    RequiredFieldMissing,
    StorageLimitExceeded,
    StringTooLong,
    TransferRequiresRead,
    UnableToLockRow,
    UnknownException,
}

impl StatusCode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllOrNoneOperationRolledBack => "ALL_OR_NONE_OPERATION_ROLLED_BACK",
            Self::CannotExecuteFlowTrigger => "CANNOT_EXECUTE_FLOW_TRIGGER",
            Self::CannotInsertUpdateActivateEntity => "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            Self::CannotUpdateConvertedLead => "CANNOT_UPDATE_CONVERTED_LEAD",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::DuplicateExternalId => "DUPLICATE_EXTERNAL_ID",
            Self::DuplicateValue => "DUPLICATE_VALUE",
            Self::DuplicatesDetected => "DUPLICATES_DETECTED",
            Self::EntityIsDeleted => "ENTITY_IS_DELETED",
            Self::EntityIsNotDeleted => "UNDELETE_FAILED",
            Self::EntityIsLocked => "ENTITY_IS_LOCKED",
            Self::FieldCustomValidationException => "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            Self::FieldIntegrityException => "FIELD_INTEGRITY_EXCEPTION",
            Self::InactiveOwnerOrUser => "INACTIVE_OWNER_OR_USER",
            Self::InsufficientAccessOnCrossReferenceEntity => "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            Self::InsufficientAccessOrReadonly => "INSUFFICIENT_ACCESS_OR_READONLY",
            Self::InvalidCrossReferenceKey => "INVALID_CROSS_REFERENCE_KEY",
            Self::InvalidEmailAddress => "INVALID_EMAIL_ADDRESS",
            Self::InvalidField => "INVALID_FIELD",
            Self::InvalidFieldForInsertUpdate => "INVALID_FIELD_FOR_INSERT_UPDATE",
            Self::InvalidOrNullForRestrictedPicklist => "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            Self::InvalidStatus => "INVALID_STATUS",
            Self::InvalidType => "INVALID_TYPE",
            Self::InvalidTypeForOperation => "INVALID_TYPE_FOR_OPERATION",
            Self::InvalidTypeOnFieldInRecord => "INVALID_TYPE_ON_FIELD_IN_RECORD",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::MalformedId => "MALFORMED_ID",
            Self::MissingArgument => "MISSING_ARGUMENT",
            Self::MixedDmlOperation => "MIXED_DML_OPERATION",
            Self::NotFound => "NOT_FOUND",
            Self::NumberOutsideValidRange => "NUMBER_OUTSIDE_VALID_RANGE",
            Self::ProcessingHalted => "PROCESSING_HALTED",
            Self::RequiredFieldMissing => "REQUIRED_FIELD_MISSING",
            Self::StorageLimitExceeded => "STORAGE_LIMIT_EXCEEDED",
            Self::StringTooLong => "STRING_TOO_LONG",
            Self::TransferRequiresRead => "TRANSFER_REQUIRES_READ",
            Self::UnableToLockRow => "UNABLE_TO_LOCK_ROW",
            Self::UnknownException => "UNKNOWN_EXCEPTION",
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
    pub status_code: StatusCode,
    pub message: String,
    pub fields: Vec<String>,
    /// What a duplicate rule found.
    #[serde(skip)]
    pub duplicates: Option<Box<DuplicateResult>>,
}

impl RowError {
    pub(crate) fn new(status_code: StatusCode, message: impl Into<String>) -> Self {
        Self { status_code, message: message.into(), fields: Vec::new(), duplicates: None }
    }

    pub(crate) fn on(status_code: StatusCode, field: &str, message: impl Into<String>) -> Self {
        Self::of_fields(status_code, vec![field.to_owned()], message)
    }

    pub(crate) fn of_fields(status_code: StatusCode, fields: Vec<String>, message: impl Into<String>) -> Self {
        Self { fields, ..Self::new(status_code, message) }
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
