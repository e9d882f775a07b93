//! The SOAP API: `login()`, and the calls of the partner and the enterprise WSDL for data, describes and passwords
//! (SOAP API guide; partner WSDL v66); and what the Metadata API says about the org. The APIs for Apex and tooling have the
//! checks of a session and no calls.

mod describe;
mod element;
mod envelope;
mod fault;
mod interface;
mod json;
mod lead;
mod login;
mod metadata;
mod operation;
mod password;
mod query;
mod replication;
mod rows;
mod sobject;
mod write;
mod writer;

use std::sync::{Arc, LazyLock};

use http::{Method, StatusCode};

use crate::answer::Answer;
use crate::call::Call;
use crate::org::Org;
use crate::payload::Payload;
use crate::rest::Caller;
use crate::route::{NEWEST_VERSION, OLDEST_VERSION, SoapApi};
use crate::schema::Schema;
use crate::session::Session;
use crate::site::Site;
use envelope::Message;
use fault::{Code, Fault};
use operation::Operation;
use writer::Elements;

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
        match message.operation.name.as_str() {
            "login" => Some(Self::Username(message.operation.text_of("username").to_owned())),
            _ => message.headers.session.map(Self::Session),
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
            Self::Apex => "http://soap.sforce.com/2006/08/apex",
            Self::Tooling => "urn:tooling.soap.sforce.com",
        }
    }

    /// Whether it is one for records, with the headers of those.
    fn is_of_records(self) -> bool {
        matches!(self, Self::Partner | Self::Enterprise)
    }

    /// The namespace of records.
    fn record_namespace(self) -> &'static str {
        match self {
            Self::Enterprise => "urn:sobject.enterprise.soap.sforce.com",
            Self::Partner | Self::Metadata | Self::Apex | Self::Tooling => "urn:sobject.partner.soap.sforce.com",
        }
    }

    /// The namespace of the faults.
    fn fault_namespace(self) -> &'static str {
        match self {
            Self::Partner => "urn:fault.partner.soap.sforce.com",
            Self::Enterprise => "urn:fault.enterprise.soap.sforce.com",
            Self::Tooling => "urn:fault.tooling.soap.sforce.com",
            Self::Metadata | Self::Apex => self.namespace(),
        }
    }
}

/// The answer of an org in maintenance.
pub(crate) fn in_maintenance(api: SoapApi) -> Answer {
    Fault::login(Code::OrgInMaintenance).into_answer(api)
}

/// Reads a message as every call does, for fuzz targets.
pub(crate) fn read(body: &[u8]) {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(crate::catalog::standard);
    let Ok(message) = Message::read(body) else { return };
    for api in [SoapApi::Partner, SoapApi::Enterprise] {
        for element in &message.operation.children {
            if let Ok(mut given) = sobject::read(element, api, &SCHEMA) {
                sobject::truncate(&mut given, &SCHEMA);
            }
        }
    }
}

/// A call of somebody who is signed in.
struct Ask<'a> {
    call: &'a Call,
    api: SoapApi,
    caller: Caller,
    session: Session,
    message: &'a Message,
}

/// What an answer holds besides its body.
enum Reply {
    /// Of `login()` and `logout()`.
    Bare(String),
    /// Of a call that counts as a request: `LimitInfoHeader` says how many there were.
    Counted(String),
}

impl Org {
    /// `POST /services/Soap/<api>/<version>[/<org id>]`. The header `SOAPAction` is ignored, as it is there: clients
    /// send anything in it.
    pub(crate) async fn soap(self: &Arc<Self>, call: &Call, api: SoapApi, version: Option<u16>) -> Answer {
        if call.method != Method::POST {
            return Answer::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        match self.soap_reply(call, api, version).await {
            Ok(reply) => Answer::typed(StatusCode::OK, MEDIA, Payload::bytes(self.in_envelope(api, &reply))),
            Err(fault) => fault.into_answer(api),
        }
    }

    async fn soap_reply(self: &Arc<Self>, call: &Call, api: SoapApi, version: Option<u16>) -> Result<Reply, Fault> {
        let served = |version: &u16| (OLDEST_VERSION..=NEWEST_VERSION).contains(version);
        let version = version.filter(served).ok_or_else(|| Fault::unexpected(Code::UnsupportedApiVersion))?;
        let message = Message::read(&call.body)?;
        let in_its_wsdl = message.operation.namespace.as_deref() == Some(api.namespace());
        let operation = Operation::parse(api, &message.operation.name).filter(|_| in_its_wsdl);
        match operation {
            Some(Operation::Login) => self.soap_login(call, (api, version), &message.operation).map(Reply::Bare),
            Some(Operation::Logout) => {
                self.soap_session(call, &message)?;
                self.sessions.end(message.headers.session.as_deref().unwrap_or_default());
                Ok(Reply::Bare("<logoutResponse/>".to_owned()))
            }
            // A misspelt call to sign in names no session.
            None if matches!(message.operation.name.as_str(), "login" | "logout") => Err(message.unknown_operation()),
            operation => self.soap_call(call, (api, version), &message, operation).await,
        }
    }

    /// A call that needs a session. What it asks for is looked at after the session.
    async fn soap_call(
        self: &Arc<Self>,
        call: &Call,
        (api, version): (SoapApi, u16),
        message: &Message,
        operation: Option<Operation>,
    ) -> Result<Reply, Fault> {
        let session = self.soap_session(call, message)?;
        if session.password_expired && !operation.is_some_and(Operation::sets_own_password) {
            return Err(Fault::unexpected(Code::InvalidOperationWithExpiredPassword));
        }
        let operation = operation.ok_or_else(|| message.unknown_operation())?;
        if call.site != Site::MyDomain {
            return Err(Fault::unexpected(Code::UrlNotReset));
        }
        let admitted = Session { password_expired: false, ..session.clone() };
        let options = message.headers.options.clone();
        let caller = Caller { options, ..self.admit_session(call, &admitted, version)? };
        let ask = Ask { call, api, caller, session, message };
        let result = self.soap_operation(operation, &ask).await?;
        Ok(if api.is_of_records() { Reply::Counted(result) } else { Reply::Bare(result) })
    }

    async fn soap_operation(self: &Arc<Self>, operation: Operation, ask: &Ask<'_>) -> Result<String, Fault> {
        let result = match operation {
            Operation::Login | Operation::Logout => return Err(ask.message.unknown_operation()),
            Operation::GetServerTimestamp => self.soap_timestamp(),
            Operation::GetUserInfo => self.soap_user_info(ask),
            Operation::SetPassword => self.soap_set_password(ask)?,
            Operation::ChangeOwnPassword => self.soap_change_own_password(ask)?,
            Operation::ResetPassword => self.soap_reset_password(ask)?,
            Operation::InvalidateSessions => self.soap_invalidate_sessions(ask),
            Operation::DescribeGlobal => self.soap_describe_global(ask),
            Operation::DescribeSObject => self.soap_describe_object(ask)?,
            Operation::DescribeSObjects => self.soap_describe_objects(ask)?,
            Operation::DescribeLayout => self.soap_describe_layout(ask)?,
            Operation::DescribeGlobalTheme => self.soap_describe_global_theme(ask),
            Operation::DescribeCompactLayouts => self.soap_compact_layouts(ask)?,
            Operation::DescribePrimaryCompactLayouts => self.soap_primary_compact_layouts(ask)?,
            Operation::DescribeSearchLayouts => self.soap_search_layouts(ask)?,
            Operation::DescribeApprovalLayout | Operation::DescribePathAssistants => {
                self.soap_nothing_of_object(ask)?
            }
            Operation::Fixed(content) => content.to_owned(),
            Operation::Query => self.soap_query(ask, "query").await?,
            Operation::QueryAll => self.soap_query(ask, "queryAll").await?,
            Operation::QueryMore => self.soap_query_more(ask).await?,
            Operation::Search => self.soap_search(ask).await?,
            Operation::Retrieve => self.soap_retrieve(ask)?,
            Operation::GetUpdated => self.soap_updated(ask).await?,
            Operation::GetDeleted => self.soap_deleted(ask).await?,
            Operation::Create => self.soap_create(ask)?,
            Operation::Update => self.soap_update(ask)?,
            Operation::Upsert => self.soap_upsert(ask)?,
            Operation::Delete => self.soap_delete(ask)?,
            Operation::Undelete => self.soap_undelete(ask)?,
            Operation::EmptyRecycleBin => self.soap_empty_recycle_bin(ask)?,
            Operation::Merge => self.soap_merge(ask)?,
            Operation::ConvertLead => self.soap_convert_lead(ask)?,
            Operation::Process => self.soap_process(ask)?,
            Operation::SendEmail => self.soap_send_email(ask)?,
            Operation::DescribeMetadata => self.soap_describe_metadata(ask)?,
            Operation::ListMetadata => self.soap_list_metadata(ask)?,
            Operation::ReadMetadata => self.soap_read_metadata(ask)?,
            Operation::ChangeMetadata => return Err(metadata::refused(ask)),
        };
        let name = &ask.message.operation.name;
        Ok(format!("<{name}Response>{result}</{name}Response>"))
    }

    /// The session in the `SessionHeader` of a message. A JWT is none to SOAP (`jsforce/jsforce:src/soap.ts`).
    fn soap_session(&self, call: &Call, message: &Message) -> Result<Session, Fault> {
        let token = message.headers.session.as_deref().unwrap_or_default();
        let session = self.sessions.authenticate(token, self.now());
        session
            .filter(|session| session.is_opaque() && session.reaches_api())
            .filter(|session| self.still_holds(&self.setup(call), session))
            .ok_or_else(|| Fault::unexpected(Code::InvalidSessionId))
    }

    fn in_envelope(&self, api: SoapApi, reply: &Reply) -> String {
        let (header, body) = match reply {
            Reply::Bare(body) => (String::new(), body),
            Reply::Counted(body) => (self.soap_limit_info(), body),
        };
        let namespace = api.namespace();
        let has_records = body.contains("<sf:") || body.contains("\"sf:");
        let records = match has_records {
            true => format!(" xmlns:sf=\"{}\"", api.record_namespace()),
            false => String::new(),
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
             xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"{namespace}\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"{records}>{header}<soapenv:Body>{body}\
             </soapenv:Body></soapenv:Envelope>"
        )
    }

    /// Source: SOAP API guide, "LimitInfoHeader".
    fn soap_limit_info(&self) -> String {
        let mut header = Elements::default();
        header.within("soapenv:Header", |header| {
            header.within("LimitInfoHeader", |header| {
                header.within("limitInfo", |info| {
                    info.put("current", &self.usage.api_requests.used(self.now()).to_string());
                    info.put("limit", &self.scenario.limits.daily_api_requests.to_string());
                    info.put("type", "API REQUESTS");
                });
            });
        });
        header.0
    }
}
