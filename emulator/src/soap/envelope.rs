//! Messages to the SOAP API (SOAP 1.1; partner WSDL v66).

use roxmltree::{Document, Node, ParsingOptions};

use super::element::Element;
use super::fault::Fault;
use crate::database::Duplicates;
use crate::rest::{Recency, RequestOptions};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Two hundred records of the widest objects have fewer; more than this is an attempt to fill the memory.
const MOST_NODES: u32 = 1_000_000;

/// A message. It may hold a password, so there is no `Debug`.
pub(super) struct Message {
    /// The first element of the body.
    pub(super) operation: Element,
    pub(super) headers: Headers,
}

/// What the headers of a message decide.
///
/// `CallOptions`, `LoginScopeHeader`, `AssignmentRuleHeader` and the others change nothing here: the org has no namespace
/// and no assignment rules.
#[derive(Default)]
pub(super) struct Headers {
    /// `SessionHeader/sessionId`.
    pub(super) session: Option<String>,
    /// `QueryOptions/batchSize`.
    pub(super) batch_size: Option<String>,
    /// `AllOrNoneHeader/allOrNone`.
    pub(super) all_or_none: bool,
    /// `AllowFieldTruncationHeader/allowFieldTruncation`.
    pub(super) truncates: bool,
    /// `DuplicateRuleHeader/allowSave` and `MruHeader/updateMru`.
    pub(super) options: RequestOptions,
}

impl Message {
    /// Reads an envelope.
    pub(super) fn read(body: &[u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(body).map_err(|_| Fault::client("the message is not UTF-8"))?;
        let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
        // A byte order mark is not part of the text.
        let document = Document::parse_with_options(text.trim_start_matches('\u{feff}'), options)
            .map_err(|error| Fault::client(format!("Unable to parse the message: {error}")))?;
        let envelope = document.root_element();
        if !envelope.has_tag_name((SOAP, "Envelope")) {
            return Err(Fault::client("The message is no SOAP 1.1 envelope"));
        }
        let operation = part(envelope, "Body").and_then(|body| body.children().find(Node::is_element));
        let operation = operation.ok_or_else(|| Fault::client("The body of the message is empty"))?;
        let too_deep = || Fault::client("The message is nested too deeply");
        let headers = part(envelope, "Header").map(Element::of).unwrap_or(Some(Element::default()));
        Ok(Self {
            operation: Element::of(operation).ok_or_else(too_deep)?,
            headers: Headers::of(&headers.ok_or_else(too_deep)?),
        })
    }

    pub(super) fn unknown_operation(&self) -> Fault {
        let Element { name, namespace, .. } = &self.operation;
        let namespace = namespace.as_deref().unwrap_or_default();
        Fault::client(format!(
            "No operation available for request {{{namespace}}}{name}, please check the WSDL for the service."
        ))
    }
}

impl Headers {
    fn of(header: &Element) -> Self {
        let text = |of: &str, name: &str| Some(header.child(of)?.child(name)?.text.trim().to_owned());
        let flag = |of: &str, name: &str| header.child(of).is_some_and(|header| header.flag(name));
        Self {
            session: text("SessionHeader", "sessionId"),
            batch_size: text("QueryOptions", "batchSize"),
            all_or_none: flag("AllOrNoneHeader", "allOrNone"),
            truncates: flag("AllowFieldTruncationHeader", "allowFieldTruncation"),
            options: RequestOptions {
                duplicates: if flag("DuplicateRuleHeader", "allowSave") {
                    Duplicates::Saved
                } else {
                    Duplicates::Refused
                },
                recent: if flag("MruHeader", "updateMru") { Recency::Noted } else { Recency::Ignored },
                ledger: None,
            },
        }
    }
}

fn part<'a, 'input>(envelope: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    envelope.children().find(|node| node.has_tag_name((SOAP, name)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope(header: &str, body: &str) -> String {
        format!("<e:Envelope xmlns:e=\"{SOAP}\"><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>")
    }

    #[test]
    fn prefixes_entities_and_character_data_do_not_matter() {
        let header = "<u:SessionHeader xmlns:u='x'><u:sessionId>00D!A</u:sessionId></u:SessionHeader>\
                      <QueryOptions><batchSize>250</batchSize></QueryOptions>\
                      <AllOrNoneHeader><allOrNone>true</allOrNone></AllOrNoneHeader>";
        let login = "<p:login xmlns:p='urn:p'><p:username>a&amp;b</p:username>\
                     <p:password><![CDATA[<x>]]>&#33;</p:password></p:login>";
        let message = Message::read(envelope(header, login).as_bytes()).ok().unwrap();
        let operation = &message.operation;
        assert_eq!((operation.name.as_str(), operation.namespace.as_deref()), ("login", Some("urn:p")));
        assert_eq!((operation.text_of("username"), operation.text_of("password")), ("a&b", "<x>!"));
        assert_eq!(message.headers.session.as_deref(), Some("00D!A"));
        assert_eq!(message.headers.batch_size.as_deref(), Some("250"));
        assert!(message.headers.all_or_none && !message.headers.truncates);
    }

    #[test]
    fn a_document_type_is_refused() {
        let bomb = format!("<!DOCTYPE x [<!ENTITY a \"aaaa\">]>{}", envelope("", "<login/>"));
        assert!(Message::read(bomb.as_bytes()).is_err());
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = "<a>".repeat(60_000) + &"</a>".repeat(60_000);
        assert!(Message::read(envelope("", &deep).as_bytes()).is_err());
        assert!(Message::read(envelope(&deep, "<a/>").as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Message::read(&body);
        }

        #[test]
        fn no_text_makes_it_panic(body in "[<>/a-e:=\"'!\\[\\]&;? ]{0,200}") {
            let _ = Message::read(envelope(&body, &body).as_bytes());
        }
    }
}
