//! SOAP `login()`: a user name and a password, without any client app (SOAP API guide, `login()`; partner WSDL).
//!
//! It is offered up to version 64.0 and ends in Summer '27 (help article 005132110).

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use roxmltree::{Document, Node, ParsingOptions};
use url::Url;
use zeroize::Zeroizing;

use super::{TokenSet, grant::with_token, in_words_of_oauth};
use crate::{
    error::{OAuthError, OAuthRefusal, Stage},
    host::{HostRules, OrgUrl},
    http::{Http, Replay, Request, Whatever},
    ids::whole_id,
    secret::{Password, SecurityToken},
};

/// An API version in which SOAP has `login()`: 31.0 to 64.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoapVersion(u16);

impl SoapVersion {
    /// The newest one.
    pub const NEWEST: Self = Self(64);

    /// `None` outside 31 to 64.
    pub fn new(version: u16) -> Option<Self> {
        (31..=64).contains(&version).then_some(Self(version))
    }
}

impl Default for SoapVersion {
    fn default() -> Self {
        Self::NEWEST
    }
}

/// Whom `login()` signs in.
#[derive(Debug, Clone, Copy)]
pub struct SoapLogin<'a> {
    pub username: &'a str,
    pub password: &'a Password,
    /// Goes directly behind the password.
    pub security_token: Option<&'a SecurityToken>,
    pub version: SoapVersion,
}

/// Signs in at `login`. The session is one of the user and not of an app: it has no scopes and may do whatever the user
/// may.
///
/// It is sent again only if Salesforce has certainly not seen it: each wrong password counts towards a lock-out.
///
/// # Errors
/// The fault with its cause; a session of an expired password is refused like one, since it is good for nothing.
pub async fn soap_login(http: &Http, login: &OrgUrl, who: &SoapLogin<'_>) -> Result<TokenSet, OAuthError> {
    let path = format!("/services/Soap/u/{}.0", who.version.0);
    let request = Request::new(Method::POST, "/services/Soap/u/{version}", path, "signing in")
        .xml(envelope(who), Replay::OnlyIfNotSeen)
        .header(HeaderName::from_static("soapaction"), HeaderValue::from_static("login"))
        .header(header::ACCEPT, HeaderValue::from_static("text/xml"))
        .uncounted()
        .taking_anything();
    let answer: Whatever =
        http.send(login, &request, None, None).await.map_err(|error| in_words_of_oauth(error, Stage::Soap, 1))?;
    match read(&answer.body) {
        Ok(Said::Session(session)) => session.into_tokens(http.host_rules()),
        Ok(Said::Fault { code, message }) => {
            Err(OAuthRefusal::new(Stage::Soap, login.host(), answer.status, &code, &message).into())
        }
        // Maintenance, a proxy, or a status without a word.
        Err(_) if !matches!(answer.status, 200..=299) => Err(in_words_of_oauth(answer.into_error(), Stage::Soap, 1)),
        Err(reason) => Err(OAuthError::Unexpected { host: login.host().to_owned(), reason: reason.to_owned() }),
    }
}

fn envelope(who: &SoapLogin<'_>) -> Bytes {
    let password = with_token(who.password, who.security_token);
    let (username, password) = (escaped(who.username), Zeroizing::new(escaped(&password).into_owned()));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <env:Envelope xmlns:env=\"http://schemas.xmlsoap.org/soap/envelope/\"><env:Body>\
         <login xmlns=\"urn:partner.soap.sforce.com\"><username>{username}</username>\
         <password>{}</password></login></env:Body></env:Envelope>",
        *password
    )
    .into()
}

/// A text as content of an element. A carriage return would be read as a line feed (XML 1.0, section 2.11).
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '\r']) {
        return text.into();
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('\r', "&#13;").into()
}

/// What an envelope says. It may hold a session, so there is no `Debug`.
enum Said {
    Session(SoapSession),
    Fault { code: String, message: String },
}

struct SoapSession {
    session_id: String,
    server_url: String,
    password_expired: bool,
    user_id: Option<String>,
    org_id: Option<String>,
}

/// An envelope has some hundred nodes; more are an attempt to fill the memory.
const MOST_NODES: u32 = 10_000;

/// Reads the answer. A document type definition, which could make much of little, is not read but refused.
fn read(body: &[u8]) -> Result<Said, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
    let options = ParsingOptions { nodes_limit: MOST_NODES, allow_dtd: false, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text.trim_start_matches('\u{feff}').trim_start(), options)
        .map_err(|_| "it is not XML")?;
    if let Some(fault) = element(document.root_element(), "Fault") {
        return Ok(read_fault(fault));
    }
    let result = element(document.root_element(), "loginResponse").and_then(|response| element(response, "result"));
    let result = result.ok_or("it is no answer to login()")?;
    let text = |name: &str| element(result, name).and_then(|node| node.text()).map(str::to_owned);
    Ok(Said::Session(SoapSession {
        session_id: text("sessionId").filter(|id| !id.is_empty()).ok_or("it has no session")?,
        server_url: text("serverUrl").ok_or("it names no server")?,
        password_expired: text("passwordExpired").is_some_and(|expired| expired == "true"),
        user_id: text("userId"),
        org_id: text("organizationId"),
    }))
}

/// The exception code, or else the fault code without its prefix.
fn read_fault(fault: Node<'_, '_>) -> Said {
    let text = |name: &str| element(fault, name).and_then(|node| node.text()).unwrap_or_default().trim();
    let fault_code = text("faultcode").rsplit(':').next().unwrap_or_default();
    let code = Some(text("exceptionCode")).filter(|code| !code.is_empty()).unwrap_or(fault_code);
    let message = Some(text("exceptionMessage")).filter(|message| !message.is_empty());
    let message =
        message.unwrap_or_else(|| text("faultstring").trim_start_matches(code).trim_start_matches(':').trim());
    Said::Fault { code: code.to_owned(), message: message.to_owned() }
}

/// The first element of that name below `node`, whatever its namespace.
fn element<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.descendants().find(|below| below.is_element() && below.tag_name().name() == name)
}

impl SoapSession {
    fn into_tokens(self, rules: HostRules) -> Result<TokenSet, OAuthError> {
        let instance_url = instance_url(&self.server_url, rules)?;
        if self.password_expired {
            let said = "the session is good for nothing but setting another password";
            return Err(OAuthRefusal::new(Stage::Soap, instance_url.host(), 200, "PASSWORD_EXPIRED", said).into());
        }
        Ok(TokenSet {
            access_token: self.session_id.into(),
            refresh_token: None,
            instance_url,
            org_id: self.org_id.as_deref().and_then(whole_id),
            user_id: self.user_id.as_deref().and_then(whole_id),
            scopes: Vec::new(),
        })
    }
}

/// The API base in `https://acme.my.salesforce.com/services/Soap/u/64.0/00D…`.
fn instance_url(server_url: &str, rules: HostRules) -> Result<OrgUrl, OAuthError> {
    let base = Url::parse(server_url).map(|url| url.origin().ascii_serialization());
    Ok(OrgUrl::from_instance_url(base.as_deref().unwrap_or(server_url), rules)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::OAuthCause;

    fn login<'a>(username: &'a str, password: &'a Password) -> SoapLogin<'a> {
        SoapLogin { username, password, security_token: None, version: SoapVersion::default() }
    }

    fn answer(server: &str, expired: bool) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
             xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:partner.soap.sforce.com\">\
             <soapenv:Body><loginResponse><result><passwordExpired>{expired}</passwordExpired>\
             <serverUrl>{server}</serverUrl><sessionId>00Dx!canary</sessionId><userId>005x00000012Q9P</userId>\
             <userInfo><organizationId>00Dx0000000BV7z</organizationId></userInfo></result></loginResponse>\
             </soapenv:Body></soapenv:Envelope>"
        )
    }

    fn tokens(text: &str) -> Result<TokenSet, OAuthError> {
        match read(text.as_bytes()) {
            Ok(Said::Session(session)) => session.into_tokens(HostRules::default()),
            Ok(Said::Fault { code, message }) => Err(OAuthRefusal::new(Stage::Soap, "", 500, &code, &message).into()),
            Err(reason) => Err(OAuthError::Unexpected { host: String::new(), reason: reason.to_owned() }),
        }
    }

    const SERVER: &str = "https://acme.my.salesforce.com/services/Soap/u/64.0/00Dx0000000BV7z";

    #[test]
    fn a_session_names_its_org_its_user_and_its_host() {
        let tokens = tokens(&answer(SERVER, false)).unwrap();
        assert_eq!(tokens.access_token.expose(), "00Dx!canary");
        assert_eq!(tokens.instance_url.host(), "acme.my.salesforce.com");
        assert_eq!(tokens.org_id.as_deref(), Some("00Dx0000000BV7zEAG"));
        assert_eq!(tokens.user_id.as_deref(), Some("005x00000012Q9PAAU"));
    }

    #[test]
    fn a_session_of_an_expired_password_is_none() {
        let error = tokens(&answer(SERVER, true)).unwrap_err();
        assert_eq!(error.cause(), Some(OAuthCause::PasswordExpired));
        assert!(!format!("{error} {error:?}").contains("canary"));
    }

    #[test]
    fn a_server_elsewhere_is_not_trusted() {
        for server in [
            "https://evil.example/services/Soap/u/64.0",
            "http://acme.my.salesforce.com/services/Soap/u/64.0",
            "https://acme.my.salesforce.com:8443/services/Soap/u/64.0",
            "https://acme.my.salesforce.com@evil.example/",
            "nonsense",
            "",
        ] {
            let error = tokens(&answer(server, false)).unwrap_err();
            assert!(matches!(error, OAuthError::InstanceHost(_) | OAuthError::Unexpected { .. }), "{server}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }

    #[test]
    fn document_type_definitions_and_swarms_of_nodes_are_refused() {
        let bomb = format!("<!DOCTYPE x [<!ENTITY a \"aaaa\">]>{}", "<x>&a;</x>");
        assert!(read(bomb.as_bytes()).is_err());
        assert!(read(format!("<x>{}</x>", "<y/>".repeat(20_000)).as_bytes()).is_err());
        assert!(read(b"\xff\xfe").is_err());
        assert!(read(b"<html>Maintenance</html>").is_err());
    }

    #[test]
    fn a_fault_without_detail_is_read_by_its_code() {
        let fault = "<e:Envelope xmlns:e=\"x\"><e:Body><e:Fault><faultcode>sf:INVALID_LOGIN</faultcode>\
                     <faultstring>INVALID_LOGIN: Invalid username</faultstring></e:Fault></e:Body></e:Envelope>";
        let error = tokens(fault).unwrap_err();
        assert_eq!(error.cause(), Some(OAuthCause::SoapLoginRefused));
        let OAuthError::Refused(refusal) = &error else { panic!("{error}") };
        assert_eq!((refusal.error.as_str(), refusal.description.as_str()), ("INVALID_LOGIN", "Invalid username"));
    }

    #[test]
    fn only_versions_with_login_are_taken() {
        for (version, is_taken) in [(30, false), (31, true), (64, true), (65, false)] {
            assert_eq!(SoapVersion::new(version).is_some(), is_taken, "{version}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read(bytes: Vec<u8>, text in "[<>/a-zA-Z:=\"& ;!\\[\\]é]{0,200}", inner in ".{0,100}") {
            let _ = read(&bytes);
            let _ = read(text.as_bytes());
            let _ = tokens(&answer(&inner, false));
        }

        #[test]
        fn what_is_typed_arrives_as_it_is(username in "[^\\p{C}]{0,30}", password in "[^\\p{C}\u{fffe}\u{ffff}]{0,30}") {
            let secret = Password::from(password.clone());
            let sent = envelope(&login(&username, &secret));
            let document = Document::parse(std::str::from_utf8(&sent).unwrap()).unwrap();
            let text = |name: &str| element(document.root_element(), name).unwrap().text().unwrap_or_default().to_owned();
            prop_assert_eq!((text("username"), text("password")), (username, password));
        }
    }
}
