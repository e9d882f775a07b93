//! The text of the question.

use std::fmt::Write as _;

use salesforce::Timestamp;

use super::IdRange;
use crate::{mapping::CompiledMapping, strategy};

/// What is asked for, beside the object and its fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    /// Stamped after this moment, absolute and in UTC. There is no upper limit: a record that changes while it is read
    /// stays in the result, and the next window reads its later version.
    pub(super) from: Option<Timestamp>,
    /// Behind this record in the order of Id.
    pub(super) after_id: Option<String>,
    pub(super) range: IdRange,
    /// Of these parents: the field that names them, and their Ids.
    pub(super) parents: Option<(&'static str, Vec<String>)>,
    /// At most so many records, whatever the mapping's own limit.
    pub(super) piece: Option<u64>,
}

/// `SELECT … FROM … WHERE …`.
fn select(mapping: &CompiledMapping, condition: &Condition) -> String {
    let mut soql = String::from("SELECT ");
    for (index, field) in mapping.fields.iter().enumerate() {
        soql.push_str(if index == 0 { "" } else { "," });
        soql.push_str(&field.path);
    }
    let _ = write!(soql, " FROM {}", mapping.object);
    let mut conditions = Vec::new();
    if let Some(filter) = &mapping.filter {
        conditions.push(format!("({filter})"));
    }
    if let (Some(from), Some(cursor)) = (condition.from, mapping.cursor) {
        let stamp = &mapping.fields[cursor].path;
        conditions.push(match mapping.parent_cursor.map(|parent| &mapping.fields[parent].path) {
            // The rows are parents, of which one may change while the record that names it does not.
            Some(parent) => format!("({stamp} > {from} OR {parent} > {from})"),
            None => format!("{stamp} > {from}"),
        });
    }
    if let Some((field, parents)) = &condition.parents {
        conditions.push(format!("{field} IN ('{}')", parents.join("','")));
    }
    // What comes behind a record of the range is behind its beginning, too.
    if let Some(id) = condition.after_id.as_ref().or(condition.range.after.as_ref()) {
        conditions.push(format!("Id > '{id}'"));
    }
    if let Some(id) = &condition.range.up_to {
        conditions.push(format!("Id <= '{id}'"));
    }
    if !conditions.is_empty() {
        let _ = write!(soql, " WHERE {}", conditions.join(" AND "));
    }
    soql
}

/// For the query resource: in the order of Id where there is one, so that reading can go on after any record.
pub(super) fn by_id(mapping: &CompiledMapping, condition: &Condition) -> String {
    let mut soql = select(mapping, condition);
    if strategy::is_ordered(&mapping.object) {
        soql.push_str(" ORDER BY Id");
    }
    limit(&mut soql, condition.piece.or(mapping.limit));
    soql
}

/// For a Bulk job: without an order, which would switch the server's chunking off (Bulk API 2.0 guide v66).
pub(super) fn for_bulk(mapping: &CompiledMapping, condition: &Condition) -> String {
    let mut soql = select(mapping, condition);
    limit(&mut soql, mapping.limit);
    soql
}

/// Whether these records are there, and deleted: their Ids and, where the object has them, flags and stamps.
pub(super) fn look_up(mapping: &CompiledMapping, ids: &[&str]) -> String {
    let fields = mapping.state_fields().join(",");
    format!("SELECT {fields} FROM {} WHERE Id IN ('{}')", mapping.object, ids.join("','"))
}

/// The next parents after the last.
pub(super) fn parents(object: &str, after: Option<&str>) -> String {
    let condition = after.map(|id| format!(" WHERE Id > '{id}'")).unwrap_or_default();
    format!("SELECT Id FROM {object}{condition} ORDER BY Id")
}

fn limit(soql: &mut String, limit: Option<u64>) {
    if let Some(limit) = limit {
        let _ = write!(soql, " LIMIT {limit}");
    }
}

#[cfg(test)]
mod tests {
    use salesforce::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::{catalogue::Catalogue, mapping::Mapping};

    fn compiled(filter: Option<&str>, limit: Option<u64>) -> CompiledMapping {
        let describe = json!({"name": "Task", "queryable": true, "fields": [
            {"name": "Id", "type": "id"},
            {"name": "SystemModstamp", "type": "datetime", "filterable": true},
        ]});
        let catalogue: Catalogue = [serde_json::from_value(describe).unwrap()].into_iter().collect();
        let mapping = Mapping { object: "Task".into(), filter: filter.map(Into::into), limit, ..Mapping::default() };
        mapping.compile(&catalogue).unwrap()
    }

    fn after(from: &str, id: &str) -> Condition {
        let from = Some(Timestamp::parse(from).unwrap());
        Condition { from, after_id: Some(id.to_owned()), ..Condition::default() }
    }

    // Pitfall 3.
    #[test]
    fn a_full_read_has_no_bound_that_could_hide_old_or_changing_records() {
        let soql = for_bulk(&compiled(None, None), &Condition::default());
        assert_eq!(soql, "SELECT Id,SystemModstamp FROM Task");
    }

    #[test]
    fn a_range_is_open_at_its_beginning_and_closed_at_its_end_and_read_on_behind_a_record() {
        let range = IdRange { after: Some("00T1".into()), up_to: Some("00T9".into()) };
        let condition = Condition { range, ..Condition::default() };
        let soql = for_bulk(&compiled(Some("A = 1"), None), &condition);
        assert!(soql.ends_with(" WHERE (A = 1) AND Id > '00T1' AND Id <= '00T9'"), "{soql}");
        let further = Condition { after_id: Some("00T5".into()), ..condition };
        let soql = by_id(&compiled(None, None), &further);
        assert!(soql.ends_with(" WHERE Id > '00T5' AND Id <= '00T9' ORDER BY Id"), "{soql}");
    }

    #[test]
    fn a_window_is_absolute_needs_no_plus_sign_and_is_open_at_its_end() {
        let soql = by_id(&compiled(Some("A = 1 OR B = 2"), None), &after("2026-11-21T09:00:00+01:00", "00T1"));
        assert_eq!(
            soql,
            "SELECT Id,SystemModstamp FROM Task WHERE (A = 1 OR B = 2) AND SystemModstamp > 2026-11-21T08:00:00.000Z \
             AND Id > '00T1' ORDER BY Id"
        );
    }

    #[test]
    fn a_limit_is_the_last_clause_and_a_piece_is_a_limit() {
        let soql = by_id(&compiled(None, Some(10)), &Condition::default());
        assert_eq!(soql, "SELECT Id,SystemModstamp FROM Task ORDER BY Id LIMIT 10");
        let piece = Condition { piece: Some(500), ..Condition::default() };
        assert!(by_id(&compiled(None, None), &piece).ends_with("ORDER BY Id LIMIT 500"));
    }

    #[test]
    fn parents_and_records_are_named_by_their_ids() {
        let parents_of =
            Condition { parents: Some(("WhatId", vec!["001".into(), "002".into()])), ..Condition::default() };
        assert!(by_id(&compiled(None, None), &parents_of).contains(" WHERE WhatId IN ('001','002') ORDER BY Id"));
        assert_eq!(
            look_up(&compiled(None, None), &["00T1", "00T2"]),
            "SELECT Id,SystemModstamp FROM Task WHERE Id IN ('00T1','00T2')"
        );
        assert_eq!(
            parents("ContentDocument", Some("069")),
            "SELECT Id FROM ContentDocument WHERE Id > '069' ORDER BY Id"
        );
    }
}
