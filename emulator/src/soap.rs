//! The SOAP API as far as signing in goes: `login()` and `logout()`. Every other call is refused with a fault, after
//! its session has been checked (SOAP API guide; partner WSDL v66).

mod envelope;
mod fault;
mod login;

use http::{Method, StatusCode};

use crate::answer::Answer;
use crate::call::Call;
use crate::org::Org;
use crate::payload::Payload;
use crate::route::{NEWEST_VERSION, OLDEST_VERSION, SoapApi};
use crate::session::Session;
use envelope::{Message, Operation};
use fault::{Code, Fault};

pub(crate) use fault::EXPIRED_PASSWORD;

const MEDIA: &str = "text/xml;charset=UTF-8";

/// What a message says about the org that it is for: a login host serves many.
pub(crate) enum Key {
    Username(String),
    Session(String),
}

impl Key {
    /// The user that signs in, or else the session.
    pub(crate) fn of(call: &Call) -> Option<Self> {
        let message = Message::read(&call.body).ok()?;
        match message.operation {
            Operation::Login { username, .. } => Some(Self::Username(username)),
            Operation::Logout | Operation::Other(_) => message.session.map(Self::Session),
        }
    }
}

impl SoapApi {
    /// The namespace of the messages.
    fn namespace(self) -> &'static str {
        match self {
            Self::Partner => "urn:partner.soap.sforce.com",
            Self::Enterprise => "urn:enterprise.soap.sforce.com",
            Self::Metadata => "http://soap.sforce.com/2006/04/metadata",
        }
    }

    /// The namespace of the faults.
    fn fault_namespace(self) -> &'static str {
        match self {
            Self::Partner => "urn:fault.partner.soap.sforce.com",
            Self::Enterprise => "urn:fault.enterprise.soap.sforce.com",
            Self::Metadata => "http://soap.sforce.com/2006/04/metadata",
        }
    }
}

/// The answer of an org in maintenance.
pub(crate) fn in_maintenance(api: SoapApi) -> Answer {
    Fault::login(Code::OrgInMaintenance).into_answer(api)
}

impl Org {
    /// `POST /services/Soap/<api>/<version>[/<org id>]`. The header `SOAPAction` is ignored, as it is there: clients
    /// send anything in it.
    pub(crate) fn soap(&self, call: &Call, api: SoapApi, version: Option<u16>) -> Answer {
        if call.method != Method::POST {
            return Answer::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        match self.soap_result(call, api, version) {
            Ok(result) => Answer::typed(StatusCode::OK, MEDIA, Payload::bytes(in_envelope(api, &result))),
            Err(fault) => fault.into_answer(api),
        }
    }

    fn soap_result(&self, call: &Call, api: SoapApi, version: Option<u16>) -> Result<String, Fault> {
        let served = |version: &u16| (OLDEST_VERSION..=NEWEST_VERSION).contains(version);
        let version = version.filter(served).ok_or_else(|| Fault::unexpected(Code::UnsupportedApiVersion))?;
        let message = Message::read(&call.body)?;
        let in_its_wsdl = message.namespace.as_deref() == Some(api.namespace());
        match &message.operation {
            Operation::Login { username, password } if in_its_wsdl && api != SoapApi::Metadata => {
                self.soap_login(call, (api, version), username, password)
            }
            Operation::Logout if in_its_wsdl && api != SoapApi::Metadata => {
                self.soap_session(call, &message)?;
                self.sessions.end(message.session.as_deref().unwrap_or_default());
                Ok("<logoutResponse/>".to_owned())
            }
            Operation::Login { .. } => Err(message.unknown_operation("login")),
            Operation::Logout => Err(message.unknown_operation("logout")),
            Operation::Other(name) => {
                let session = self.soap_session(call, &message)?;
                match session.password_expired {
                    true => Err(Fault::unexpected(Code::InvalidOperationWithExpiredPassword)),
                    false => Err(message.unknown_operation(name)),
                }
            }
        }
    }

    /// The session in the `SessionHeader` of a message. A JWT is none to SOAP (`jsforce/jsforce:src/soap.ts`).
    fn soap_session(&self, call: &Call, message: &Message) -> Result<Session, Fault> {
        let token = message.session.as_deref().unwrap_or_default();
        let session = self.sessions.authenticate(token, self.now());
        session
            .filter(|session| session.is_opaque() && session.reaches_api())
            .filter(|session| self.still_holds(&self.setup(call), session))
            .ok_or_else(|| Fault::unexpected(Code::InvalidSessionId))
    }
}

fn in_envelope(api: SoapApi, result: &str) -> String {
    let namespace = api.namespace();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"{namespace}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>{result}</soapenv:Body></soapenv:Envelope>"
    )
}
