//! Queries of Bulk API 1.0: one file of records for each batch, in the format of the job.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::batch::{Batch, Origin, Results, Sent};
use super::job::{Content, Job, Purpose};
use super::run::Failure;
use super::wire::NAMESPACE;
use crate::bulk::csv::{Reader, exhaust};
use crate::bulk::file::Tape;
use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::org::Org;
use crate::scenario::UserAccess;
use crate::schema::FieldType;
use crate::soql::{Asked, Plan, Projection, RowScope, RowWriter};
use crate::value::{CsvDialect, Date, Timestamp};

/// What a query that finds nothing answers in CSV.
const NOTHING: &str = "Records not found for this query";

/// What a query batch came to.
pub(super) enum Found {
    Records { results: Results, rows: u64 },
    Chunks(Vec<Arc<Batch>>),
}

impl Org {
    pub(super) fn select_batch(&self, job: &Job, batch: &Batch) -> Result<Found, Failure> {
        let Purpose::Select { operation, access, chunking, .. } = &job.order.purpose else {
            return Err(Failure::Message("InvalidBatch : The job is no query".to_owned()));
        };
        let query = match &batch.origin {
            Origin::Client => String::from_utf8_lossy(&batch.request.whole()?).trim().to_owned(),
            Origin::Chunk { query } => query.clone(),
        };
        let snapshot = self.snapshot();
        let plan = self.understood(&query, &snapshot, (job.user(), access), operation.scope())?;
        if let (Some(chunking), Origin::Client) = (chunking, &batch.origin)
            && let Some(chunks) = chunking.split(&query, plan.object(), &snapshot).map_err(Failure::Message)?
        {
            let made = chunks.into_iter().map(|chunk| {
                let request = self.jobs.disk().store(chunk.shown.as_bytes())?;
                let origin = Origin::Chunk { query: chunk.query };
                let media = Content::Csv.media().to_owned();
                Ok(self.add_batch(job, Sent { request, media, origin, fate: batch.fate.clone() }))
            });
            return Ok(Found::Chunks(made.collect::<Result<_, Failure>>()?));
        }
        let Some(projection) = plan.projection() else {
            return Err(Failure::Message(failed("the query counts")));
        };
        let results = plan.execute(snapshot);
        let mut tape = Tape::new(self.jobs.disk());
        let mut records = Records::new(job, &plan, projection, results.snapshot());
        tape.append(|out| records.begin(out))?;
        let mut rows = 0;
        for row in results.rows(0) {
            if rows % 10_000 == 0 && job.is_stopped() {
                return Err(Failure::Message(failed("the job was stopped")));
            }
            tape.append(|out| records.write(&row, rows, out))?;
            rows += 1;
        }
        tape.append(|out| records.end(rows, out))?;
        let id = self.jobs.next_result_id();
        Ok(Found::Records { results: Results::Records(vec![(id, tape.finish()?)]), rows })
    }

    fn understood(
        &self,
        query: &str,
        snapshot: &Snapshot,
        (user, access): (RecordId, &UserAccess),
        scope: RowScope,
    ) -> Result<Arc<Plan>, Failure> {
        let asked = Asked::by(user, snapshot, access, scope, Timestamp::from(self.now()));
        let plan = Plan::compile_as(query, &asked);
        let plan = plan.map_err(|error| Failure::Message(failed(&error.to_string())))?;
        match plan.bulk_refusal() {
            // Bulk 2.0 has a code of its own for this.
            Some(refusal) if refusal.message.contains("compound data") => {
                Err(Failure::Message(failed(&format!("FUNCTIONALITY_NOT_ENABLED: {}", refusal.message))))
            }
            Some(refusal) => Err(Failure::Message(failed(&refusal.to_string()))),
            None => Ok(Arc::new(plan)),
        }
    }
}

/// Source: `stateMessage` in field reports.
fn failed(why: &str) -> String {
    format!("InvalidBatch : Failed to process query: {why}")
}

/// Writes records in the format of the job.
struct Records<'a> {
    content: Content,
    writer: RowWriter<'a>,
    projection: &'a Projection,
    object: String,
    /// Paths of the columns that hold dates.
    dates: BTreeSet<String>,
    tree: Vec<Element>,
    scratch: Vec<u8>,
}

impl<'a> Records<'a> {
    fn new(job: &Job, plan: &'a Plan, projection: &'a Projection, snapshot: &'a Snapshot) -> Self {
        let named = projection.columns().zip(projection.types());
        let dates = named.filter(|(_, kind)| matches!(kind, FieldType::Date | FieldType::DateTime));
        Self {
            content: job.content(),
            writer: RowWriter::new(projection, snapshot, &format!("v{}.0", job.order.version)),
            projection,
            object: plan.object().name.clone(),
            dates: dates.map(|(name, _)| name.to_ascii_lowercase()).collect(),
            tree: Element::tree(projection.columns()),
            scratch: Vec::new(),
        }
    }

    fn begin(&self, out: &mut Vec<u8>) {
        match self.content {
            Content::Csv => {}
            Content::Xml => out.extend_from_slice(
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><queryResult xmlns=\"{NAMESPACE}\" \
                     xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
                )
                .as_bytes(),
            ),
            Content::Json => out.push(b'['),
        }
    }

    fn write(&mut self, row: &crate::table::Row<'a>, number: u64, out: &mut Vec<u8>) {
        match self.content {
            Content::Csv => {
                if number == 0 {
                    self.projection.write_csv_header(CsvDialect::default(), out);
                }
                self.writer.write_csv(row, CsvDialect::default(), out);
            }
            Content::Xml => {
                self.scratch.clear();
                self.writer.write_csv(row, CsvDialect::default(), &mut self.scratch);
                let read = exhaust(Reader::undeclared(self.scratch.as_slice())).unwrap_or_default();
                let values = read.into_iter().next().unwrap_or_default();
                let mut text = format!("<records xsi:type=\"sObject\"><type>{}</type>", self.object);
                self.tree.iter().for_each(|element| element.write(&values, &mut text));
                text.push_str("</records>");
                out.extend_from_slice(text.as_bytes());
            }
            Content::Json => {
                if number > 0 {
                    out.push(b',');
                }
                self.scratch.clear();
                self.writer.write_json(row, &mut self.scratch);
                with_numbers_for_dates(&self.scratch, "", &self.dates, out);
            }
        }
    }

    fn end(&self, rows: u64, out: &mut Vec<u8>) {
        match self.content {
            Content::Csv if rows == 0 => out.extend_from_slice(NOTHING.as_bytes()),
            Content::Csv => {}
            Content::Xml => out.extend_from_slice(b"</queryResult>"),
            Content::Json => out.push(b']'),
        }
    }
}

/// A column as an XML element, under those of its parents.
enum Element {
    Value { name: String, column: usize },
    Parent { name: String, children: Vec<Element> },
}

impl Element {
    fn tree<'n>(columns: impl Iterator<Item = &'n str>) -> Vec<Self> {
        let mut tree = Vec::new();
        for (column, path) in columns.enumerate() {
            let parts: Vec<&str> = path.split('.').collect();
            Self::place(&mut tree, &parts, column);
        }
        tree
    }

    fn place(elements: &mut Vec<Self>, path: &[&str], column: usize) {
        let [parent, rest @ ..] = path else { return };
        if rest.is_empty() {
            return elements.push(Self::Value { name: (*parent).to_owned(), column });
        }
        let is_it = |element: &Self| matches!(element, Self::Parent { name, .. } if name == parent);
        let at = elements.iter().position(is_it).unwrap_or_else(|| {
            elements.push(Self::Parent { name: (*parent).to_owned(), children: Vec::new() });
            elements.len() - 1
        });
        if let Some(Self::Parent { children, .. }) = elements.get_mut(at) {
            Self::place(children, rest, column);
        }
    }

    fn is_empty(&self, values: &[String]) -> bool {
        match self {
            Self::Value { column, .. } => values.get(*column).is_none_or(String::is_empty),
            Self::Parent { children, .. } => children.iter().all(|child| child.is_empty(values)),
        }
    }

    fn write(&self, values: &[String], out: &mut String) {
        let (Self::Value { name, .. } | Self::Parent { name, .. }) = self;
        if self.is_empty(values) {
            return out.push_str(&format!("<{name} xsi:nil=\"true\"/>"));
        }
        match self {
            Self::Value { column, .. } => {
                out.push_str(&format!("<{name}>{}</{name}>", crate::oauth::escape_xml(&values[*column])));
            }
            Self::Parent { children, .. } => {
                out.push_str(&format!("<{name} xsi:type=\"sObject\">"));
                children.iter().for_each(|child| child.write(values, out));
                out.push_str(&format!("</{name}>"));
            }
        }
    }
}

/// A record of REST with its dates as milliseconds since 1970, as this API's JSON has them (from reports of clients).
fn with_numbers_for_dates(record: &[u8], path: &str, dates: &BTreeSet<String>, out: &mut Vec<u8>) {
    let Ok(Ordered(entries)) = serde_json::from_slice(record) else {
        return out.extend_from_slice(record);
    };
    out.push(b'{');
    for (index, (name, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        crate::value::write_json_text(name, out);
        out.push(b':');
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") }.to_ascii_lowercase();
        let text = value.get();
        match milliseconds(text).filter(|_| dates.contains(&here)) {
            Some(number) => out.extend_from_slice(number.to_string().as_bytes()),
            None if text.starts_with('{') => with_numbers_for_dates(text.as_bytes(), &here, dates, out),
            None => out.extend_from_slice(text.as_bytes()),
        }
    }
    out.push(b'}');
}

fn milliseconds(json: &str) -> Option<i64> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    Timestamp::parse(text).or_else(|| Date::parse(text).map(Date::start)).map(|time| time.0)
}

/// The entries of an object in their order.
struct Ordered(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_numbers_where_a_column_holds_them_and_nowhere_else() {
        let record = br#"{"Name":"2024-09-24","CreatedDate":"2024-09-24T03:26:07.000+0000","Account":{"Due__c":"2024-09-24","X":null}}"#;
        let dates = ["createddate", "account.due__c"].map(str::to_owned).into();
        let mut out = Vec::new();
        with_numbers_for_dates(record, "", &dates, &mut out);
        let expected =
            r#"{"Name":"2024-09-24","CreatedDate":1727148367000,"Account":{"Due__c":1727136000000,"X":null}}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
