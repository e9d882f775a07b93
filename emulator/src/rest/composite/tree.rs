//! `POST /composite/tree/{object}`: records with their children, all of them or none.
//!
//! Source: REST API guide v66, "sObject Tree". Codes and texts of refusals of a whole request are inferred.

use std::collections::{BTreeSet, HashSet};

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::database::{Change, Record, RowError};
use crate::ids::RecordId;
use crate::org::Org;
use crate::rest::allow;
use crate::rest::body::typed_body;
use crate::rest::caller::Caller;
use crate::rest::tokens::{self, Place};
use crate::schema::{Object, Schema};

const MAX_RECORDS: usize = 200;
const MAX_LEVELS: usize = 5;
const MAX_TYPES: usize = 5;

#[derive(Deserialize)]
struct Tree {
    records: Vec<Record>,
}

/// A record of the tree, without its children.
struct Node {
    object: String,
    reference_id: String,
    record: Record,
    /// Position of the parent, and the reference by which this one names it.
    parent: Option<(usize, String)>,
    level: usize,
}

impl Org {
    pub(super) fn tree(&self, call: &Call, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::POST])?;
        let object = self.visible_object(caller, name)?;
        let tree: Tree = typed_body(call)?;
        let snapshot = self.snapshot();
        let nodes = flatten(snapshot.schema(), &object, tree.records)?;
        check(&nodes)?;
        for node in &nodes {
            if let Some((_, object)) = snapshot.schema().find(&node.object) {
                tokens::check(call, object, &node.record, Place::Within)?;
            }
        }
        // A write copies what a view of the data still holds.
        drop(snapshot);
        let results = self.write_for(caller, |database, by| {
            let (results, undo) = database.recording(|database| {
                let insert = |object: &str, record: &Record| {
                    database.change(&Change::Insert { object, record }, by).map(|saved| saved.id)
                };
                plant(&nodes, insert)
            });
            if results.iter().any(|result| !matches!(result, Some(Ok(_)))) {
                database.take_back(undo);
            }
            results
        });
        Ok(answer(&nodes, &results))
    }
}

/// Inserts parents before their children; those of a record that failed are left out.
fn plant(
    nodes: &[Node],
    mut insert: impl FnMut(&str, &Record) -> Result<RecordId, RowError>,
) -> Vec<Option<Result<RecordId, RowError>>> {
    let mut results: Vec<Option<Result<RecordId, RowError>>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut record = node.record.clone();
        let result = match &node.parent {
            None => Some(insert(&node.object, &record)),
            Some((parent, reference)) => match results.get(*parent) {
                Some(Some(Ok(id))) => {
                    record.insert(reference.clone(), json!(id.to_string()));
                    Some(insert(&node.object, &record))
                }
                _ => None,
            },
        };
        results.push(result);
    }
    results
}

/// The answer, with its keys in the guide's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TreeResults<'a> {
    has_errors: bool,
    results: Vec<TreeResult<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TreeResult<'a> {
    reference_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<&'a RowError>,
}

/// Every record with its id, or those alone that failed.
fn answer(nodes: &[Node], results: &[Option<Result<RecordId, RowError>>]) -> Answer {
    let has_errors = results.iter().any(|result| matches!(result, Some(Err(_))));
    let told = nodes.iter().zip(results).filter_map(|(node, result)| {
        let result = result.as_ref().filter(|result| result.is_err() == has_errors)?;
        let id = result.as_ref().ok().map(ToString::to_string);
        Some(TreeResult { reference_id: &node.reference_id, id, errors: result.as_ref().err().into_iter().collect() })
    });
    let body = TreeResults { has_errors, results: told.collect() };
    Answer::json(if has_errors { StatusCode::BAD_REQUEST } else { StatusCode::CREATED }, &body)
}

/// The records level by level, as the results come in the guide's samples.
fn flatten(schema: &Schema, root: &Object, records: Vec<Record>) -> Result<Vec<Node>, ApiError> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut level: Vec<(Record, Option<(usize, String)>)> = records.into_iter().map(|record| (record, None)).collect();
    let mut depth = 1;
    while !level.is_empty() {
        let mut below = Vec::new();
        for (mut record, parent) in level {
            let (object, reference_id) = identity(&record, root, parent.is_none())?;
            let (_, declared) =
                schema.find(&object).ok_or_else(|| ApiError::from(RowError::no_such_object(&object)))?;
            for (relationship, children) in take_children(&mut record) {
                let (child, reference) = child_reference(schema, declared, &relationship, &children)?;
                let own = Some((nodes.len(), reference));
                below.extend(children.into_iter().map(|mut record| {
                    typed(&mut record, &child);
                    (record, own.clone())
                }));
            }
            nodes.push(Node { object, reference_id, record, parent, level: depth });
        }
        level = below;
        depth += 1;
    }
    Ok(nodes)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::bad_request("INVALID_INPUT", message.into())
}

/// The object and the reference id of a record.
fn identity(record: &Record, root: &Object, is_root: bool) -> Result<(String, String), ApiError> {
    let attribute = |name: &str| record.get("attributes").and_then(|attributes| attributes[name].as_str());
    let object =
        attribute("type").ok_or_else(|| invalid("Include the attributes.type of every record in the request."))?;
    if is_root && !object.eq_ignore_ascii_case(&root.name) {
        return Err(invalid(format!("The type {object} of a root record is not that of the request: {}.", root.name)));
    }
    let reference_id = attribute("referenceId").filter(|id| !id.is_empty());
    let reference_id =
        reference_id.ok_or_else(|| invalid("Include a reference ID for every record in the request."))?;
    Ok((object.to_owned(), reference_id.to_owned()))
}

/// Takes the members out of a record that hold `records`.
fn take_children(record: &mut Record) -> Vec<(String, Vec<Record>)> {
    let holds = |value: &Value| value.get("records").is_some_and(Value::is_array);
    let names: Vec<String> = record.iter().filter(|(_, value)| holds(value)).map(|(name, _)| name.clone()).collect();
    let taken = names.into_iter().filter_map(|name| {
        let Some(Value::Array(records)) = record.remove(&name)?.get_mut("records").map(Value::take) else {
            return None;
        };
        let records = records.into_iter().filter_map(|record| match record {
            Value::Object(record) => Some(record),
            _ => None,
        });
        Some((name, records.collect()))
    });
    taken.collect()
}

/// The object of some children, and its reference to the parent.
fn child_reference(
    schema: &Schema,
    parent: &Object,
    relationship: &str,
    children: &[Record],
) -> Result<(String, String), ApiError> {
    let said = children.first().and_then(|record| record.get("attributes")?.get("type")?.as_str());
    let found = schema.objects().iter().find_map(|child| {
        let field = child.fields().iter().find(|field| {
            field.child_relationship.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(relationship))
                && field.reference_to.contains(&parent.name)
        })?;
        let fits = said.is_none_or(|name| name.eq_ignore_ascii_case(&child.name));
        fits.then(|| (child.name.clone(), field.name.clone()))
    });
    found.ok_or_else(|| RowError::no_such_column(relationship, &parent.name).into())
}

/// A child whose type follows from its relationship.
fn typed(record: &mut Record, object: &str) {
    let attributes = record.entry("attributes").or_insert_with(|| json!({}));
    if let Some(attributes) = attributes.as_object_mut() {
        attributes.entry("type").or_insert_with(|| json!(object));
    }
}

fn check(nodes: &[Node]) -> Result<(), ApiError> {
    let types: BTreeSet<String> = nodes.iter().map(|node| node.object.to_ascii_lowercase()).collect();
    let levels = nodes.iter().map(|node| node.level).max().unwrap_or_default();
    for (what, number, limit) in [
        ("records", nodes.len(), MAX_RECORDS),
        ("levels of records", levels, MAX_LEVELS),
        ("types of records", types.len(), MAX_TYPES),
    ] {
        if number > limit {
            return Err(ApiError::bad_request("LIMIT_EXCEEDED", format!("Limit of {limit} {what} exceeded: {number}")));
        }
    }
    let mut ids = HashSet::new();
    match nodes.iter().find(|node| !ids.insert(node.reference_id.as_str())) {
        Some(twice) => Err(invalid(format!("Duplicate ReferenceId provided in the request: {}.", twice.reference_id))),
        None => Ok(()),
    }
}
