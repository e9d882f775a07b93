//! Faults (SOAP API guide, "API Fault Element" and "ExceptionCode").

use std::borrow::Cow;

use http::StatusCode;

use super::MEDIA;
use super::writer::{Elements, escaped};
use crate::answer::{Answer, ApiError};
use crate::database::RowError;
use crate::payload::Payload;
use crate::route::SoapApi;
use crate::sign_in::Refusal;

/// What a session meets whose password has expired.
pub(crate) const EXPIRED_PASSWORD: &str =
    "The users password has expired, you must call SetPassword before attempting any other API operations";

const LOGIN_FAILED: &str = "Invalid username, password, security token; or user locked out.";
const TOKEN_MISSING: &str = "Invalid username, password, security token; or user locked out. Are you at a new location? When accessing \
     Salesforce--either via a desktop client or the API--from outside of your company's trusted networks, you must add \
     a security token to your password to log in. To get your new security token, log in to Salesforce. From your \
     personal settings, enter Reset My Security Token in the Quick Find box, then select Reset My Security Token.";

/// The exception codes that this org gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    ApiCurrentlyDisabled,
    ClientNotAccessibleForUser,
    InvalidLogin,
    /// `login()` is switched off in the org.
    LoginDisabled,
    /// `login()` is not part of the version.
    LoginRetired,
    InvalidOperationWithExpiredPassword,
    InvalidSessionId,
    LoginDuringRestrictedDomain,
    LoginDuringRestrictedTime,
    LoginMustUseSecurityToken,
    LoginRateExceeded,
    OrgInMaintenance,
    OrgLocked,
    TrialExpired,
    UnsupportedApiVersion,
    /// A data call at a login host.
    UrlNotReset,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::ApiCurrentlyDisabled => "API_CURRENTLY_DISABLED",
            Self::ClientNotAccessibleForUser => "CLIENT_NOT_ACCESSIBLE_FOR_USER",
            Self::InvalidLogin => "INVALID_LOGIN",
            Self::LoginDisabled | Self::LoginRetired => "INVALID_OPERATION",
            Self::InvalidOperationWithExpiredPassword => "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
            Self::InvalidSessionId => "INVALID_SESSION_ID",
            Self::LoginDuringRestrictedDomain => "LOGIN_DURING_RESTRICTED_DOMAIN",
            Self::LoginDuringRestrictedTime => "LOGIN_DURING_RESTRICTED_TIME",
            Self::LoginMustUseSecurityToken => "LOGIN_MUST_USE_SECURITY_TOKEN",
            Self::LoginRateExceeded => "LOGIN_RATE_EXCEEDED",
            Self::OrgInMaintenance => "ORG_IN_MAINTENANCE",
            Self::OrgLocked => "ORG_LOCKED",
            Self::TrialExpired => "TRIAL_EXPIRED",
            Self::UnsupportedApiVersion => "UNSUPPORTED_API_VERSION",
            Self::UrlNotReset => "UNKNOWN_EXCEPTION",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::ApiCurrentlyDisabled => "API is disabled for this User",
            Self::ClientNotAccessibleForUser => "This client is not accessible for this user",
            Self::InvalidLogin => LOGIN_FAILED,
            Self::LoginDisabled => "SOAP API login() is disabled by default in this org",
            Self::LoginRetired => "SOAP API login() is not available in API version 65.0 and later",
            Self::InvalidOperationWithExpiredPassword => EXPIRED_PASSWORD,
            Self::InvalidSessionId => "Invalid Session ID found in SessionHeader: Illegal Session",
            Self::LoginDuringRestrictedDomain => "cannot log in from current IP address",
            Self::LoginDuringRestrictedTime => "cannot log in during restricted time",
            Self::LoginMustUseSecurityToken => TOKEN_MISSING,
            Self::LoginRateExceeded => "number of logins exceeded",
            Self::OrgInMaintenance => "organization is in maintenance",
            Self::OrgLocked => "organization is locked",
            Self::TrialExpired => "trial expired",
            Self::UnsupportedApiVersion => "Invalid Api version specified on URL",
            Self::UrlNotReset => {
                "Destination URL not reset. The URL returned from login must be set in the SforceService"
            }
        }
    }
}

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::OrgLocked => Self::OrgLocked,
            Refusal::OrgDeleted => Self::TrialExpired,
            Refusal::FlowClosed => Self::LoginDisabled,
            Refusal::SecurityTokenMissing => Self::LoginMustUseSecurityToken,
            Refusal::RestrictedIp => Self::LoginDuringRestrictedDomain,
            Refusal::RestrictedHours => Self::LoginDuringRestrictedTime,
            Refusal::RateExceeded => Self::LoginRateExceeded,
            Refusal::AppNotAllowed => Self::ClientNotAccessibleForUser,
            Refusal::UnknownUser
            | Refusal::WrongPassword
            | Refusal::LockedOut
            | Refusal::Inactive
            | Refusal::NotInternal
            | Refusal::BrowserClosed
            | Refusal::HostClosed
            | Refusal::AppNotInstalled
            | Refusal::NotAdminApproved
            | Refusal::LevelTooLow => Self::InvalidLogin,
        }
    }
}

/// A fault, status 500.
#[derive(Debug)]
pub(super) enum Fault {
    /// `LoginFault`.
    Login(Code),
    /// `UnexpectedErrorFault`.
    Unexpected(Code),
    /// What a data call is refused with.
    Call(CallFault),
    /// The message itself is wrong: no exception code.
    Client(Cow<'static, str>),
}

/// The refusal of a data call.
#[derive(Debug)]
pub(super) struct CallFault {
    kind: Kind,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
}

/// The types of faults besides `LoginFault` (partner WSDL v66, `urn:fault.partner.soap.sforce.com`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    InvalidField,
    InvalidId,
    InvalidNewPassword,
    InvalidOldPassword,
    InvalidQueryLocator,
    InvalidSObject,
    MalformedQuery,
    MalformedSearch,
    Unexpected,
}

impl Kind {
    /// The type that a code belongs to. That the others are `UnexpectedErrorFault` is inferred.
    fn of(code: &str) -> Self {
        match code {
            "INVALID_FIELD" => Self::InvalidField,
            "INVALID_ID_FIELD" | "MALFORMED_ID" => Self::InvalidId,
            "INVALID_NEW_PASSWORD" => Self::InvalidNewPassword,
            "INVALID_OLD_PASSWORD" => Self::InvalidOldPassword,
            "INVALID_QUERY_LOCATOR" => Self::InvalidQueryLocator,
            "INVALID_TYPE" => Self::InvalidSObject,
            "MALFORMED_QUERY" => Self::MalformedQuery,
            "INVALID_SEARCH" | "MALFORMED_SEARCH" => Self::MalformedSearch,
            _ => Self::Unexpected,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::InvalidField => "InvalidFieldFault",
            Self::InvalidId => "InvalidIdFault",
            Self::InvalidNewPassword => "InvalidNewPasswordFault",
            Self::InvalidOldPassword => "InvalidOldPasswordFault",
            Self::InvalidQueryLocator => "InvalidQueryLocatorFault",
            Self::InvalidSObject => "InvalidSObjectFault",
            Self::MalformedQuery => "MalformedQueryFault",
            Self::MalformedSearch => "MalformedSearchFault",
            Self::Unexpected => "UnexpectedErrorFault",
        }
    }

    /// Whether it says where in a query the error is.
    fn has_place(self) -> bool {
        matches!(self, Self::InvalidField | Self::InvalidSObject | Self::MalformedQuery | Self::MalformedSearch)
    }
}

impl Fault {
    pub(super) fn login(code: impl Into<Code>) -> Self {
        Self::Login(code.into())
    }

    pub(super) fn unexpected(code: Code) -> Self {
        Self::Unexpected(code)
    }

    /// The refusal of a data call; the code decides its type.
    pub(super) fn call(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        let code = code.into();
        Self::Call(CallFault { kind: Kind::of(&code), code, message: message.into() })
    }

    pub(super) fn client(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Client(message.into())
    }

    pub(super) fn into_answer(self, api: SoapApi) -> Answer {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
             xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:sf=\"{}\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><soapenv:Fault>{}\
             </soapenv:Fault></soapenv:Body></soapenv:Envelope>",
            api.fault_namespace(),
            self.content(api),
        );
        Answer::typed(StatusCode::INTERNAL_SERVER_ERROR, MEDIA, Payload::bytes(text))
    }

    /// The metadata WSDL declares no faults, so that its have no detail, as field reports show them.
    fn content(&self, api: SoapApi) -> String {
        let (kind, name, message, place) = match self {
            Self::Login(code) => ("LoginFault", code.name(), code.message(), None),
            Self::Unexpected(code) => (Kind::Unexpected.name(), code.name(), code.message(), None),
            Self::Call(fault) => {
                let place = fault.kind.has_place().then(|| place_in(&fault.message));
                (fault.kind.name(), fault.code.as_ref(), fault.message.as_ref(), place)
            }
            Self::Client(message) => {
                let message = escaped(message);
                return format!("<faultcode>soapenv:Client</faultcode><faultstring>{message}</faultstring>");
            }
        };
        let mut content = Elements::default();
        content.put("faultcode", &format!("sf:{name}"));
        content.put("faultstring", &format!("{name}: {message}"));
        if !api.is_of_records() {
            return content.0;
        }
        content.open("detail");
        let tag = format!("sf:{kind}");
        content.open_typed(&tag, &tag);
        content.put("sf:exceptionCode", name);
        content.put("sf:exceptionMessage", message);
        if let Some((row, column)) = place {
            content.put("sf:row", &row);
            content.put("sf:column", &column);
        }
        content.close(&tag);
        content.close("detail");
        content.0
    }
}

/// Row and column as the message names them; `-1` when it does not (inferred).
fn place_in(message: &str) -> (String, String) {
    let number = |text: &str| -> String { text.chars().take_while(char::is_ascii_digit).collect() };
    let found = message.rsplit_once("ERROR at Row:").and_then(|(_, rest)| {
        let column = rest.split_once(":Column:").map(|(_, column)| number(column))?;
        Some((number(rest), column)).filter(|(row, column)| !row.is_empty() && !column.is_empty())
    });
    found.unwrap_or_else(|| ("-1".to_owned(), "-1".to_owned()))
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        match error.code.as_ref() {
            "INVALID_SESSION_ID" => Self::unexpected(Code::InvalidSessionId),
            "API_CURRENTLY_DISABLED" => Self::unexpected(Code::ApiCurrentlyDisabled),
            _ => Self::call(error.code, error.message),
        }
    }
}

impl From<RowError> for Fault {
    fn from(error: RowError) -> Self {
        Self::call(error.status_code.as_str(), error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_fault_says_where() {
        let message = "\nselect adfId from Contact\n       ^\nERROR at Row:1:Column:8\nNo such column 'adfId'";
        let fault = Fault::call("INVALID_FIELD", message).content(SoapApi::Partner);
        assert!(fault.contains("<sf:InvalidFieldFault xsi:type=\"sf:InvalidFieldFault\">"), "{fault}");
        assert!(
            fault.ends_with("<sf:row>1</sf:row><sf:column>8</sf:column></sf:InvalidFieldFault></detail>"),
            "{fault}"
        );
        assert!(fault.contains("No such column &apos;adfId&apos;"), "{fault}");
        assert_eq!(place_in("no place"), ("-1".to_owned(), "-1".to_owned()));
    }
}
