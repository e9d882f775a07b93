//! The rows of a batch in CSV, XML or JSON (Bulk API guide v66, "Prepare Data Files").

use std::sync::OnceLock;

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value as Json;

use super::job::Content;
use crate::bulk::columns::{Column, Columns, View, unknown_name};
use crate::bulk::csv::{Reader, Row};
use crate::bulk::load::{Operation, Parsed};
use crate::catalog;
use crate::database::Record;
use crate::scenario::{Permissions, UserAccess};
use crate::schema::Schema;

/// Rows of a batch (Bulk API guide v66, limits).
const MAX_ROWS: usize = 10_000;
/// Ten megabytes of rows hold fewer elements and texts than this.
const MOST_NODES: u32 = 3_000_000;
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Reads the rows of a batch.
///
/// # Errors
/// The `stateMessage` of the batch.
pub(super) fn read(content: Content, body: &[u8], view: View<'_>, operation: Operation) -> Result<Vec<Parsed>, String> {
    let rows = match content {
        Content::Csv => csv(body, view, operation),
        Content::Xml => xml(body, view),
        Content::Json => json(body, view),
    }?;
    if rows.len() > MAX_ROWS {
        return Err(format!("InvalidBatch : The batch has more than {MAX_ROWS} records"));
    }
    Ok(rows)
}

fn csv(body: &[u8], view: View<'_>, operation: Operation) -> Result<Vec<Parsed>, String> {
    let (mut reader, mut row) = (Reader::undeclared(body), Row::default());
    if !reader.next(&mut row).map_err(|error| error.to_string())? {
        return Err("InvalidBatch : The batch has no header".to_owned());
    }
    let columns = Columns::read(&row, view, operation)?;
    let mut rows = Vec::new();
    // One more than the limit is enough to know.
    while rows.len() <= MAX_ROWS && reader.next(&mut row).map_err(|error| error.to_string())? {
        rows.push(columns.record(&row));
    }
    Ok(rows)
}

fn xml(body: &[u8], view: View<'_>) -> Result<Vec<Parsed>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "InvalidBatch : The batch is not UTF-8".to_owned())?;
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text.trim_start_matches('\u{feff}'), options)
        .map_err(|error| format!("InvalidBatch : Failed to parse the batch: {error}"))?;
    let root = document.root_element();
    if root.tag_name().name() != "sObjects" {
        return Err(format!("InvalidBatch : sObjects is expected, not {}", root.tag_name().name()));
    }
    let records = root.children().filter(Node::is_element);
    records.map(|record| xml_record(record, view)).collect()
}

/// One `sObject`. A name that means nothing fails the batch, a value only its row.
fn xml_record(record: Node<'_, '_>, view: View<'_>) -> Result<Parsed, String> {
    let mut read = Record::new();
    let fields = record.children().filter(Node::is_element).filter(|field| field.tag_name().name() != "type");
    for (index, field) in fields.enumerate() {
        let name = field.tag_name().name();
        let nested = element(field, "sObject");
        let column = match nested {
            Some(parent) => xml_parent(name, parent, view),
            None => view.column(name).or_else(|| view.reference(name)),
        };
        let column = column.ok_or_else(|| unknown_name(name))?;
        let value = nested.and_then(key_of).unwrap_or(field);
        if field.attribute((INSTANCE, "nil")) == Some("true") {
            column.put_null(&mut read);
            continue;
        }
        let text: String = value.children().filter_map(|piece| piece.text()).collect();
        if !text.is_empty()
            && let Err(refusal) = column.put(&text, index, &mut read)
        {
            return Ok(Err(refusal));
        }
    }
    Ok(Ok(read))
}

/// A parent is named by one element, with the name of its object in `type` where there are several.
fn xml_parent(relationship: &str, parent: Node<'_, '_>, view: View<'_>) -> Option<Column> {
    let of = element(parent, "type").and_then(|of| of.text());
    view.parent(relationship, of, key_of(parent)?.tag_name().name())
}

fn key_of<'a, 'input>(parent: Node<'a, 'input>) -> Option<Node<'a, 'input>> {
    parent.children().filter(Node::is_element).find(|node| node.tag_name().name() != "type")
}

fn element<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn json(body: &[u8], view: View<'_>) -> Result<Vec<Parsed>, String> {
    let records: Vec<Record> =
        serde_json::from_slice(body).map_err(|error| format!("InvalidBatch : Failed to parse the batch: {error}"))?;
    records.iter().map(|record| json_record(record, view)).collect()
}

fn json_record(record: &Record, view: View<'_>) -> Result<Parsed, String> {
    let mut read = Record::new();
    let fields = record.iter().filter(|(name, _)| *name != "attributes");
    for (index, (name, value)) in fields.enumerate() {
        let (column, value) = match value {
            Json::Object(parent) => json_parent(name, parent, view).unzip(),
            value => (view.column(name).or_else(|| view.reference(name)), Some(value)),
        };
        let (Some(column), Some(value)) = (column, value) else {
            return Err(unknown_name(name));
        };
        if let Err(refusal) = column.put_typed(value, index, &mut read) {
            return Ok(Err(refusal));
        }
    }
    Ok(Ok(read))
}

fn json_parent<'a>(relationship: &str, parent: &'a Record, view: View<'_>) -> Option<(Column, &'a Json)> {
    let of = parent.get("attributes").and_then(|attributes| attributes["type"].as_str());
    let of = of.or_else(|| parent.get("type").and_then(Json::as_str));
    let (key, value) = parent.iter().find(|(name, _)| !matches!(name.as_str(), "attributes" | "type"))?;
    Some((view.parent(relationship, of, key)?, value))
}

/// Reads whatever it is given as one of the formats, which its first byte chooses.
pub(in crate::bulk) fn read_any(input: &[u8]) {
    static ORG: OnceLock<(Schema, UserAccess)> = OnceLock::new();
    let (schema, access) = ORG.get_or_init(|| {
        let everything = Permissions { modify_all_data: true, ..Permissions::default() };
        (catalog::standard(), UserAccess::combine([&everything].into_iter()))
    });
    let Some((choice, body)) = input.split_first() else { return };
    let Some((_, object)) = schema.find("Contact") else { return };
    let view = View { object, schema, access };
    let content = match choice % 3 {
        0 => Content::Csv,
        1 => Content::Xml,
        _ => Content::Json,
    };
    let _ = read(content, body, view, Operation::Upsert);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rows(content: Content, body: &str) -> Result<Vec<Parsed>, String> {
        let schema = catalog::standard();
        let everything = Permissions { modify_all_data: true, ..Permissions::default() };
        let access = UserAccess::combine([&everything].into_iter());
        let (_, object) = schema.find("Contact").unwrap();
        let view = View { object, schema: &schema, access: &access };
        read(content, body.as_bytes(), view, Operation::Upsert)
    }

    #[test]
    fn the_three_formats_say_the_same() {
        let expected = json!({
            "LastName": "O'Hara & Söhne", "Birthdate": "2001-02-03", "HasOptedOutOfEmail": true, "Phone": null,
            "Account": {"Customer_Number__c": "C-1"},
        });
        let csv = "LastName,Birthdate,HasOptedOutOfEmail,Phone,Account.Customer_Number__c\n\
                   O'Hara & Söhne,2001-02-03,true,#N/A,C-1\n";
        let xml = "<?xml version=\"1.0\"?><sObjects xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\" \
                   xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><sObject><LastName>O'Hara &amp; Söhne</LastName>\
                   <Birthdate>2001-02-03</Birthdate><HasOptedOutOfEmail>true</HasOptedOutOfEmail><Phone xsi:nil=\"true\"/>\
                   <Account><sObject><Customer_Number__c>C-1</Customer_Number__c></sObject></Account></sObject></sObjects>";
        let json = json!([expected]).to_string();
        for (content, body) in [(Content::Csv, csv), (Content::Xml, xml), (Content::Json, json.as_str())] {
            let rows = rows(content, body).unwrap();
            assert_eq!(rows, [Ok(expected.as_object().unwrap().clone())], "{content:?}");
        }
    }

    #[test]
    fn a_name_that_means_nothing_fails_the_batch_in_every_format() {
        for (content, body) in [
            (Content::Csv, "Nope\nx\n"),
            (Content::Xml, "<sObjects><sObject><Nope>x</Nope></sObject></sObjects>"),
            (Content::Json, "[{\"Nope\": 1}]"),
        ] {
            assert_eq!(rows(content, body).unwrap_err(), "InvalidBatch : Field name not found : Nope");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read_any(&bytes);
        }

        #[test]
        fn no_text_makes_it_panic(choice in 0_u8..3, body in "[a-zA-Z<>/\"{}\\[\\]:,#N/A.\n\r=' ]{0,120}") {
            let wrapped = format!("<sObjects><sObject>{body}</sObject></sObjects>");
            for text in [body, wrapped] {
                read_any(&[&[choice], text.as_bytes()].concat());
            }
        }
    }
}
