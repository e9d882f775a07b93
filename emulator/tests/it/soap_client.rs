//! A plain client of the SOAP API.

use reqwest::Method;

use crate::client::{Acme, Seen};

const PARTNER: &str = "urn:partner.soap.sforce.com";

/// A session of the SOAP API in one version.
pub(crate) struct Soap<'a> {
    pub(crate) acme: &'a Acme,
    pub(crate) token: String,
    pub(crate) path: String,
    pub(crate) namespace: String,
    /// Headers besides `SessionHeader`.
    pub(crate) headers: String,
}

impl<'a> Soap<'a> {
    pub(crate) fn partner(acme: &'a Acme, token: &str) -> Self {
        Self {
            acme,
            token: token.to_owned(),
            path: "/services/Soap/u/60.0".to_owned(),
            namespace: PARTNER.to_owned(),
            headers: String::new(),
        }
    }

    pub(crate) fn enterprise(acme: &'a Acme, token: &str) -> Self {
        let namespace = PARTNER.replace("partner", "enterprise");
        Self { path: "/services/Soap/c/60.0/00DgL000000ACME".to_owned(), namespace, ..Self::partner(acme, token) }
    }

    pub(crate) fn with(mut self, header: &str) -> Self {
        self.headers.push_str(header);
        self
    }

    /// Calls an operation with the elements in it.
    pub(crate) async fn call(&self, operation: &str, content: &str) -> Seen {
        let Self { namespace, token, headers, .. } = self;
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><env:Envelope \
             xmlns:env=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"{namespace}\"><env:Header><SessionHeader>\
             <sessionId>{token}</sessionId></SessionHeader>{headers}</env:Header><env:Body><{operation}>{content}\
             </{operation}></env:Body></env:Envelope>"
        );
        let request = self.acme.http.request(Method::POST, self.acme.url(&self.path));
        let request = request.header("content-type", "text/xml; charset=UTF-8").header("soapaction", "\"\"");
        Seen::of(request.body(body).send().await.unwrap()).await
    }

    /// The content of the results of a call.
    pub(crate) async fn results(&self, operation: &str, content: &str) -> Vec<String> {
        let answer = self.call(operation, content).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        all(&answer.text, "result")
    }

    pub(crate) async fn query(&self, soql: &str) -> String {
        let soql = soql.replace('<', "&lt;");
        let mut results = self.results("query", &format!("<queryString>{soql}</queryString>")).await;
        results.pop().unwrap()
    }

    /// The exception code, message and type of a fault.
    pub(crate) async fn fault(&self, operation: &str, content: &str) -> (String, String, String) {
        let answer = self.call(operation, content).await;
        assert_eq!(answer.status, 500, "{}", answer.text);
        let detail = one(&answer.text, "detail");
        let kind = detail.split("xsi:type=\"sf:").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let code = one(&answer.text, "sf:exceptionCode");
        let message = one(&answer.text, "sf:exceptionMessage");
        assert_eq!(one(&answer.text, "faultcode"), format!("sf:{code}"));
        assert_eq!(one(&answer.text, "faultstring"), format!("{code}: {message}"));
        (code, message, kind)
    }
}

/// What stands in the first element of a name.
pub(crate) fn one(text: &str, name: &str) -> String {
    all(text, name).first().unwrap_or_else(|| panic!("no {name} in {text}")).clone()
}

/// What stands in each of the outermost elements of a name.
pub(crate) fn all(text: &str, name: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), text);
    let close = format!("</{name}>");
    while let Some(at) = start_of(rest, name) {
        let (tag, inside) = rest[at..].split_once('>').unwrap();
        if tag.ends_with('/') {
            found.push(String::new());
            rest = inside;
            continue;
        }
        let (mut depth, mut end) = (1, 0);
        while depth > 0 {
            let closes = inside[end..].find(&close).map(|at| end + at).unwrap();
            depth = depth - 1 + count(&inside[end..closes], name);
            end = closes + close.len();
        }
        found.push(inside[..end - close.len()].to_owned());
        rest = &inside[end..];
    }
    found
}

fn start_of(text: &str, name: &str) -> Option<usize> {
    let open = format!("<{name}");
    let mut from = 0;
    while let Some(at) = text[from..].find(&open) {
        let after = text[from + at + open.len()..].chars().next();
        if matches!(after, Some('>' | ' ' | '/')) {
            return Some(from + at);
        }
        from += at + open.len();
    }
    None
}

fn count(text: &str, name: &str) -> usize {
    let (mut number, mut rest) = (0, text);
    while let Some(at) = start_of(rest, name) {
        let (tag, inside) = rest[at..].split_once('>').unwrap();
        number += usize::from(!tag.ends_with('/'));
        rest = inside;
    }
    number
}
