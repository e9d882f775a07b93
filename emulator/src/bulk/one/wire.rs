//! XML and JSON of Bulk API 1.0: jobs, batches and errors (Bulk API guide v66, "Sample jobInfo" and its like).

use std::borrow::Cow;
use std::fmt::Write;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value as Json, json};

use super::job::{Content, Job};
use crate::answer::Answer;
use crate::bulk::rest_time;
use crate::call::Call;
use crate::oauth::escape_xml;
use crate::payload::Payload;
use crate::value::Timestamp;

pub(super) const NAMESPACE: &str = "http://www.force.com/2009/06/asyncapi/dataload";
const PROLOGUE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
/// Without a charset: clients compare the whole value (heroku/salesforce-bulk, `get_batch_results`).
pub(super) const XML: &str = "application/xml";
pub(super) const JSON: &str = "application/json";

/// In which of both an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Xml,
    Json,
}

/// A value of a job or a batch.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Text(Cow<'static, str>),
    /// XML leaves it out when it is nothing, JSON says null.
    Optional(Option<String>),
    Number(u64),
    Version(u16),
    Time(DateTime<Utc>),
    /// In JSON alone.
    Flag(bool),
}

pub(super) type Items = Vec<(&'static str, Item)>;

impl Item {
    fn xml(&self) -> Option<String> {
        Some(match self {
            Self::Text(text) => escape_xml(text),
            Self::Optional(text) => escape_xml(text.as_deref()?),
            Self::Number(number) => number.to_string(),
            Self::Version(version) => format!("{version}.0"),
            Self::Time(time) => xml_time(*time),
            Self::Flag(_) => return None,
        })
    }

    fn json(&self) -> Json {
        match self {
            Self::Text(text) => json!(text),
            Self::Optional(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Version(version) => json!(f64::from(*version)),
            Self::Time(time) => json!(rest_time(*time)),
            Self::Flag(flag) => json!(flag),
        }
    }
}

/// `2009-04-14T18:15:59.000Z`, as the guide's XML has it; its JSON has the form of REST.
fn xml_time(time: DateTime<Utc>) -> String {
    let mut text = Vec::new();
    Timestamp::from(time).whole_seconds().write_bulk(&mut text);
    String::from_utf8(text).expect("times are ASCII")
}

impl Wire {
    /// What the request says that it is, else what the job is.
    pub(super) fn of(call: &Call, job: Option<&Job>) -> Self {
        let says = |media| call.has_media_type(media);
        let is_json = job.is_some_and(|job| job.content() == Content::Json);
        if says("application/json") || (is_json && !says("application/xml")) { Self::Json } else { Self::Xml }
    }

    /// What is said of batches: JSON for batches of JSON alone, and XML for whoever asks for it.
    ///
    /// tap-salesforce asks for the batches of a CSV job with the media type of JSON and reads XML.
    pub(super) fn of_batches(call: &Call, job: &Job) -> Self {
        match job.content() {
            Content::Json => Self::of(call, Some(job)),
            Content::Csv | Content::Xml => Self::Xml,
        }
    }

    pub(super) fn object(self, status: StatusCode, name: &str, items: &Items) -> Answer {
        match self {
            Self::Xml => xml(status, format!("<{name} xmlns=\"{NAMESPACE}\">{}</{name}>", elements(items))),
            Self::Json => json_answer(status, &object(items)),
        }
    }

    pub(super) fn list(self, name: &str, each: &str, all: &[Items]) -> Answer {
        match self {
            Self::Xml => {
                let mut text = format!("<{name} xmlns=\"{NAMESPACE}\">");
                for items in all {
                    let _ = write!(text, "<{each}>{}</{each}>", elements(items));
                }
                let _ = write!(text, "</{name}>");
                xml(StatusCode::OK, text)
            }
            Self::Json => json_answer(StatusCode::OK, &json!({each: all.iter().map(object).collect::<Vec<_>>()})),
        }
    }
}

fn elements(items: &Items) -> String {
    let shown = items.iter().filter_map(|(name, item)| Some((name, item.xml()?)));
    shown.map(|(name, text)| format!("<{name}>{text}</{name}>")).collect()
}

fn object(items: &Items) -> Json {
    Json::Object(items.iter().map(|(name, item)| ((*name).to_owned(), item.json())).collect())
}

pub(super) fn xml(status: StatusCode, text: String) -> Answer {
    Answer::typed(status, XML, Payload::bytes(format!("{PROLOGUE}{text}")))
}

pub(super) fn json_answer(status: StatusCode, json: &Json) -> Answer {
    Answer::typed(status, JSON, Payload::bytes(json.to_string()))
}

/// An error of this API (Bulk API guide v66, "Errors").
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
}

impl Problem {
    pub(super) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    pub(super) fn no_job() -> Self {
        Self::new("InvalidJob", "Invalid job id")
    }

    pub(super) fn into_answer(self, wire: Wire) -> Answer {
        let Self { status, code, message } = self;
        match wire {
            Wire::Xml => {
                let message = escape_xml(&message);
                xml(
                    status,
                    format!(
                        "<error xmlns=\"{NAMESPACE}\"><exceptionCode>{code}</exceptionCode>\
                         <exceptionMessage>{message}</exceptionMessage></error>"
                    ),
                )
            }
            Wire::Json => json_answer(status, &json!({"exceptionCode": code, "exceptionMessage": message})),
        }
    }
}
