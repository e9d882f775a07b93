//! The bodies of refusals: three JSON shapes, HTML, plain text, nothing.

use serde::Deserialize;
use url::form_urlencoded;

use super::ErrorCode;

/// What a refusal's body says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A REST error array, or a row's result.
    Code {
        code: ErrorCode,
        message: String,
        fields: Vec<String>,
    },
    /// An OAuth endpoint's object.
    OAuth {
        error: String,
        description: String,
    },
    /// A page for people; its title.
    Page {
        title: String,
    },
    /// Anything else that has words.
    Text(String),
    Nothing,
}

/// One entry of the error array; row results spell the code `statusCode`, errors `errorCode` (REST guide v66, "Status
/// Codes and Error Responses" and "sObject Collections").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(alias = "statusCode")]
    error_code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    fields: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Entries(Vec<Entry>),
    OAuth { error: String, error_description: Option<String> },
    Row { errors: Vec<Entry> },
    Entry(Entry),
}

/// Reads the body of an answer with an error status, whatever its Content-Type claims.
pub(crate) fn read(body: &[u8]) -> Said {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        return Said::Nothing;
    }
    if text.starts_with('<') {
        return Said::Page { title: page_title(text) };
    }
    if let Some((error, description)) = read_form(text) {
        return Said::OAuth { error: redact(&error), description: redact(&description) };
    }
    let entry = match serde_json::from_str(text) {
        Ok(Body::OAuth { error, error_description }) => {
            return Said::OAuth { error: redact(&error), description: redact(&error_description.unwrap_or_default()) };
        }
        Ok(Body::Entries(entries) | Body::Row { errors: entries }) => entries.into_iter().next(),
        Ok(Body::Entry(entry)) => Some(entry),
        Err(_) => None,
    };
    match entry {
        Some(Entry { error_code: Some(code), message, fields }) => Said::Code {
            code: ErrorCode::parse(&code),
            message: redact(&message.unwrap_or_default()),
            fields: fields.unwrap_or_default(),
        },
        _ => Said::Text(redact(&text.chars().take(300).collect::<String>())),
    }
}

/// `error` and `error_description` of a form, in which the revocation endpoint refuses (jsforce `src/oauth2.ts`), and the
/// authorization endpoint, there unescaped, when a code challenge is missing.
pub(crate) fn read_form(text: &str) -> Option<(String, String)> {
    if !text.starts_with("error=") {
        return None;
    }
    let value = |name: &str| form_urlencoded::parse(text.as_bytes()).find(|(key, _)| key == name);
    let (_, error) = value("error").filter(|(_, error)| !error.is_empty())?;
    let description = value("error_description").map(|(_, description)| description.into_owned());
    Some((error.into_owned(), description.unwrap_or_default()))
}

/// The words of the first heading or title.
fn page_title(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    for tag in ["title", "h1"] {
        let open = format!("<{tag}>");
        if let Some(start) = lower.find(&open).map(|at| at + open.len())
            && let Some(length) = lower[start..].find("</")
        {
            return page[start..start + length].trim().chars().take(100).collect();
        }
    }
    String::new()
}

/// Blots out what looks like a token: `00D…!…`, and any unbroken run of 80 token characters.
///
/// Salesforce's texts name fields and values but now and then repeat a token (`invalid token: …` of the revoke
/// endpoint).
pub(crate) fn redact(text: &str) -> String {
    let is_token_character = |c: char| c.is_ascii_alphanumeric() || "._!+/=-".contains(c);
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_token_character(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let session = run.len() > 16 && run.starts_with("00D") && run.contains('!');
        let refresh_token = run.len() > 20 && run.starts_with("5Aep");
        safe.push_str(if session || refresh_token || run.len() >= 80 { "(hidden)" } else { run });
        let mut following = after.chars();
        safe.extend(following.next());
        rest = following.as_str();
    }
    safe
}
