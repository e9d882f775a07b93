//! Salesforce's error codes.

use std::fmt;

use super::Recovery;

macro_rules! codes {
    ($($recovery:ident { $($(#[$doc:meta])* $name:ident = $text:literal,)* })*) => {
        /// The `errorCode` of a refused data request.
        ///
        /// Source: ExceptionCode of the partner WSDL v66, and the names that Bulk API 2.0 guide v66 gives jobs' errors,
        /// which arrive upper-cased. A code that is not in the list is kept as it was spelt.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($($(#[$doc])* $name,)*)*
            Other(String),
        }

        impl ErrorCode {
            /// Salesforce's spelling.
            pub fn as_str(&self) -> &str {
                match self {
                    $($(Self::$name => $text,)*)*
                    Self::Other(text) => text,
                }
            }

            /// Reads Salesforce's spelling; the Bulk API's mixed case is read like its upper case.
            pub fn parse(text: &str) -> Self {
                match text.to_ascii_uppercase().as_str() {
                    $($($text => Self::$name,)*)*
                    _ => Self::Other(text.to_owned()),
                }
            }

            /// What cures a refusal with this code, status and text aside.
            pub(super) fn recovery(&self) -> Recovery {
                match self {
                    $($(Self::$name => recovery!($recovery),)*)*
                    Self::Other(_) => Recovery::Configure,
                }
            }
        }
    };
}

macro_rules! recovery {
    (Retry) => {
        Recovery::Retry { after: None }
    };
    ($other:ident) => {
        Recovery::$other
    };
}

codes! {
    Retry {
        /// The day's quota, or too many requests at once: the message tells which.
        RequestLimitExceeded = "REQUEST_LIMIT_EXCEEDED",
        LimitExceeded = "LIMIT_EXCEEDED",
        ExceededQuota = "EXCEEDEDQUOTA",
        UnableToLockRow = "UNABLE_TO_LOCK_ROW",
        TooManyLockFailure = "TOOMANYLOCKFAILURE",
        ServerUnavailable = "SERVER_UNAVAILABLE",
        UnknownException = "UNKNOWN_EXCEPTION",
        LoginRateExceeded = "LOGIN_RATE_EXCEEDED",
        Timeout = "TIMEOUT",
        /// A cursor that is older than two days, or of another session.
        InvalidQueryLocator = "INVALID_QUERY_LOCATOR",
    }
    Reauthorize {
        InvalidSessionId = "INVALID_SESSION_ID",
        /// The text of an OAuth resource that refuses its token with status 403.
        BadOAuthToken = "BAD_OAUTH_TOKEN",
        InvalidAuthHeader = "INVALID_AUTH_HEADER",
        ExpiredPassword = "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
    }
    Configure {
        ApiDisabledForOrg = "API_DISABLED_FOR_ORG",
        /// "API is disabled for this User": the permission "API Enabled" is missing, which does not pass by itself.
        ApiCurrentlyDisabled = "API_CURRENTLY_DISABLED",
        UrlNotReset = "URL_NOT_RESET",
        InsufficientAccess = "INSUFFICIENT_ACCESS",
        InsufficientAccessOrReadonly = "INSUFFICIENT_ACCESS_OR_READONLY",
        InsufficientAccessOnCrossReferenceEntity = "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        InvalidField = "INVALID_FIELD",
        InvalidType = "INVALID_TYPE",
        NotFound = "NOT_FOUND",
        /// The API version is retired.
        Gone = "GONE",
        UnsupportedApiVersion = "UNSUPPORTED_API_VERSION",
        InvalidVersion = "INVALIDVERSION",
        OperationTooLarge = "OPERATION_TOO_LARGE",
        TransactionSecurityMetering = "TXN_SECURITY_METERING_ERROR",
        QueryTimeout = "QUERY_TIMEOUT",
        QueryTooComplicated = "QUERY_TOO_COMPLICATED",
        RequestRunningTooLong = "REQUEST_RUNNING_TOO_LONG",
        FeatureNotEnabled = "FEATURENOTENABLED",
        FunctionalityNotEnabled = "FUNCTIONALITY_NOT_ENABLED",
        StorageLimitExceeded = "STORAGE_LIMIT_EXCEEDED",
        CannotModify = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    }
    Reject {
        MalformedId = "MALFORMED_ID",
        InvalidFieldForInsertUpdate = "INVALID_FIELD_FOR_INSERT_UPDATE",
        RequiredFieldMissing = "REQUIRED_FIELD_MISSING",
        EntityIsDeleted = "ENTITY_IS_DELETED",
        DuplicateValue = "DUPLICATE_VALUE",
        DuplicatesDetected = "DUPLICATES_DETECTED",
        CustomValidation = "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        StringTooLong = "STRING_TOO_LONG",
        InvalidCrossReferenceKey = "INVALID_CROSS_REFERENCE_KEY",
        InvalidRestrictedPicklist = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        AllOrNoneRolledBack = "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    }
    Bug {
        MalformedQuery = "MALFORMED_QUERY",
        InvalidQueryFilterOperator = "INVALID_QUERY_FILTER_OPERATOR",
        InvalidBatchSize = "INVALID_BATCH_SIZE",
        /// More ids than getUpdated returns, or an object without further pages.
        ExceededIdLimit = "EXCEEDED_ID_LIMIT",
        InvalidReplicationDate = "INVALID_REPLICATION_DATE",
        NumberOutsideValidRange = "NUMBER_OUTSIDE_VALID_RANGE",
        ExceededMaxSemijoinSubselects = "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS",
        JsonParserError = "JSON_PARSER_ERROR",
        MethodNotAllowed = "METHOD_NOT_ALLOWED",
        /// Stands for several refusals of the Bulk API; the message tells which.
        ApiError = "API_ERROR",
        InvalidEntity = "INVALIDENTITY",
        InvalidJob = "INVALIDJOB",
        InvalidJobState = "INVALIDJOBSTATE",
        InvalidBatch = "INVALIDBATCH",
        InvalidOperation = "INVALIDOPERATION",
        InvalidUrl = "INVALIDURL",
        InvalidUser = "INVALIDUSER",
        ClientInputError = "CLIENTINPUTERROR",
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
