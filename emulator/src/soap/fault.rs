//! Faults (SOAP API guide, "API Fault Element" and "ExceptionCode").

use std::borrow::Cow;

use http::StatusCode;

use super::MEDIA;
use crate::answer::Answer;
use crate::oauth::escape_xml;
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
    /// The message itself is wrong: no exception code.
    Client(Cow<'static, str>),
}

impl Fault {
    pub(super) fn login(code: impl Into<Code>) -> Self {
        Self::Login(code.into())
    }

    pub(super) fn unexpected(code: Code) -> Self {
        Self::Unexpected(code)
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
            self.content(),
        );
        Answer::typed(StatusCode::INTERNAL_SERVER_ERROR, MEDIA, Payload::bytes(text))
    }

    fn content(&self) -> String {
        let (kind, code) = match self {
            Self::Login(code) => ("LoginFault", code),
            Self::Unexpected(code) => ("UnexpectedErrorFault", code),
            Self::Client(message) => {
                let message = escape_xml(message);
                return format!("<faultcode>soapenv:Client</faultcode><faultstring>{message}</faultstring>");
            }
        };
        let (name, message) = (code.name(), escape_xml(code.message()));
        format!(
            "<faultcode>sf:{name}</faultcode><faultstring>{name}: {message}</faultstring><detail>\
             <sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{name}</sf:exceptionCode>\
             <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{kind}></detail>"
        )
    }
}
