//! Messages to the SOAP API (SOAP 1.1; partner WSDL v66).

use roxmltree::{Document, Node, ParsingOptions};

use super::fault::Fault;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// A message to sign in has a dozen; more than this is an attempt to fill the memory.
const MOST_NODES: u32 = 100_000;

/// A message. It may hold a password, so there is no `Debug`.
pub(super) struct Message {
    pub(super) operation: Operation,
    /// Namespace of the operation.
    pub(super) namespace: Option<String>,
    /// `SessionHeader/sessionId`.
    pub(super) session: Option<String>,
}

/// What a message asks for.
pub(super) enum Operation {
    Login { username: String, password: String },
    Logout,
    Other(String),
}

impl Message {
    /// Reads an envelope: the operation is the first element of its body. Headers other than `SessionHeader`, such as
    /// `CallOptions` and `LoginScopeHeader`, change nothing here.
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
        let operation = part(envelope, "Body").and_then(first_element);
        let operation = operation.ok_or_else(|| Fault::client("The body of the message is empty"))?;
        Ok(Self {
            namespace: operation.tag_name().namespace().map(str::to_owned),
            session: part(envelope, "Header").and_then(|header| {
                let session = child(header, "SessionHeader")?;
                text_of(session, "sessionId")
            }),
            operation: Operation::of(operation),
        })
    }

    pub(super) fn unknown_operation(&self, name: &str) -> Fault {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        Fault::client(format!(
            "No operation available for request {{{namespace}}}{name}, please check the WSDL for the service."
        ))
    }
}

impl Operation {
    fn of(element: Node<'_, '_>) -> Self {
        let text = |name| text_of(element, name).unwrap_or_default();
        match element.tag_name().name() {
            "login" => Self::Login { username: text("username"), password: text("password") },
            "logout" => Self::Logout,
            other => Self::Other(other.to_owned()),
        }
    }
}

fn first_element<'a, 'input>(node: Node<'a, 'input>) -> Option<Node<'a, 'input>> {
    node.children().find(Node::is_element)
}

fn part<'a, 'input>(envelope: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    envelope.children().find(|node| node.has_tag_name((SOAP, name)))
}

/// A child by its name without regard to the namespace: clients differ in how they qualify what lies inside.
fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

/// The whole text of a child, which may come in pieces (CDATA).
fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    let texts = child(node, name)?.children().filter_map(|piece| piece.text());
    Some(texts.collect())
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
        let header = "<u:SessionHeader xmlns:u='x'><u:sessionId>00D!A</u:sessionId></u:SessionHeader>";
        let login = "<p:login xmlns:p='urn:p'><p:username>a&amp;b</p:username>\
                     <p:password><![CDATA[<x>]]>&#33;</p:password></p:login>";
        let message = Message::read(envelope(header, login).as_bytes()).ok().unwrap();
        assert_eq!(message.namespace.as_deref(), Some("urn:p"));
        assert_eq!(message.session.as_deref(), Some("00D!A"));
        let Operation::Login { username, password } = message.operation else { panic!("a login") };
        assert_eq!((username.as_str(), password.as_str()), ("a&b", "<x>!"));
    }

    #[test]
    fn a_document_type_is_refused() {
        let bomb = format!("<!DOCTYPE x [<!ENTITY a \"aaaa\">]>{}", envelope("", "<login/>"));
        assert!(Message::read(bomb.as_bytes()).is_err());
    }

    #[test]
    fn deep_nesting_is_refused_or_read_without_harm() {
        let deep = "<a>".repeat(60_000) + &"</a>".repeat(60_000);
        let _ = Message::read(envelope("", &deep).as_bytes());
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
