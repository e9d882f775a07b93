//! `GET /query?explain=…`: how a query would be run.
//!
//! Source: REST API guide v66, "Get Feedback on Query Performance", for the keys. The numbers are inferred: a table is
//! scanned at a cost between nothing and a little above one, an index costs the share of rows that it leaves.

use serde_json::{Value as Json, json};

use super::Plan;
use super::operand::Operand;
use super::path::Leaf;
use super::predicate::{Check, Predicate};
use super::syntax::{Comparison, Sense};
use crate::database::Snapshot;
use crate::schema::{Field, FieldType};

/// Standard fields with an index. Source: "Best Practices for Deployments with Large Data Volumes", indexes.
const INDEXED: [&str; 6] = ["Id", "Name", "OwnerId", "CreatedDate", "SystemModstamp", "RecordTypeId"];
/// What a scan costs beyond the rows that it finds.
const SCAN_COST: f64 = 0.65;
/// Of this many rows a comparison with one value is taken to leave one, and a comparison with a range a third.
const ONE_IN: u64 = 10;
const RANGE_ONE_IN: u64 = 3;
const UNINDEXED: &str = "Not considering filter for optimization because unindexed";

impl Plan {
    /// The body of an explanation, the cheapest way first.
    #[must_use]
    pub fn explain(&self, snapshot: &Snapshot) -> Json {
        let table = snapshot.table(self.object_index);
        let rows = table.live_rows();
        let mut tests = Vec::new();
        if let Some(filter) = &self.filter {
            self.required(filter, &mut tests);
        }
        let notes: Vec<Json> = tests.iter().filter_map(|(field, _)| self.note(field)).collect();
        let indexed = tests.iter().filter(|(field, _)| is_indexed(field));
        let mut plans: Vec<(f64, Json)> = indexed
            .map(|(field, selects)| {
                let cardinality = selects.of(rows);
                let share = if rows == 0 { 0.0 } else { cardinality as f64 / rows as f64 };
                (share, self.way("Index", &[&field.name], cardinality, rows, share, &notes))
            })
            .collect();
        let left = tests.iter().map(|(_, selects)| selects.of(rows)).min().unwrap_or(rows);
        let cost = SCAN_COST + if rows == 0 { 0.0 } else { left as f64 / rows as f64 };
        plans.push((cost, self.way("TableScan", &[], left, rows, cost, &notes)));
        plans.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        json!({"plans": plans.into_iter().map(|(_, plan)| plan).collect::<Vec<_>>()})
    }

    fn way(&self, operation: &str, fields: &[&str], cardinality: u64, rows: u64, cost: f64, notes: &[Json]) -> Json {
        json!({
            "cardinality": cardinality,
            "fields": fields,
            "leadingOperationType": operation,
            "notes": notes,
            "relativeCost": (cost * 1000.0).round() / 1000.0,
            "sobjectCardinality": rows,
            "sobjectType": self.object.name,
        })
    }

    /// The tests of own fields that every row has to pass.
    fn required<'p>(&'p self, filter: &'p Predicate, out: &mut Vec<(&'p Field, Selects)>) {
        match filter {
            Predicate::All(terms) => terms.iter().for_each(|term| self.required(term, out)),
            Predicate::Test { subject: Operand::Path(path), check, .. } if path.is_own() => {
                let Leaf::Field { field, .. } = path.leaf else { return };
                let field = self.object.field(field);
                out.push((field, selects(field, check)));
            }
            Predicate::Test { .. } | Predicate::Any(_) | Predicate::Not(_) => {}
        }
    }

    fn note(&self, field: &Field) -> Option<Json> {
        let note = json!({"description": UNINDEXED, "fields": [field.name], "tableEnumOrId": self.object.name});
        (!is_indexed(field)).then_some(note)
    }
}

/// How much of the table a test is taken to leave.
#[derive(Clone, Copy)]
enum Selects {
    Rows(u64),
    OneIn(u64),
}

impl Selects {
    fn of(self, rows: u64) -> u64 {
        match self {
            Self::Rows(found) => found.min(rows),
            Self::OneIn(share) => rows / share,
        }
    }
}

fn is_indexed(field: &Field) -> bool {
    let is_reference = !field.reference_to.is_empty();
    is_reference || field.external_id || field.unique || INDEXED.contains(&field.name.as_str())
}

fn selects(field: &Field, check: &Check) -> Selects {
    let is_unique = field.unique || field.kind == FieldType::Id;
    match check {
        Check::Compare(Comparison::Equal, _) if is_unique => Selects::Rows(1),
        Check::In { values, sense: Sense::Is } if is_unique => Selects::Rows(values.len() as u64),
        Check::Among { ids, sense: Sense::Is } if is_unique => Selects::Rows(ids.len() as u64),
        Check::Compare(Comparison::Equal, _)
        | Check::In { sense: Sense::Is, .. }
        | Check::Among { sense: Sense::Is, .. }
        | Check::Join { sense: Sense::Is, .. } => Selects::OneIn(ONE_IN),
        _ => Selects::OneIn(RANGE_ONE_IN),
    }
}
