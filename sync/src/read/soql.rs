//! The text of the question.

use std::fmt::Write as _;

use crate::{checkpoint::Window, mapping::CompiledMapping};

/// `SELECT … FROM … WHERE …` for one window.
///
/// A full read has no stamp in its condition: a record that changes while it runs stays in the result, and the next
/// window reads its later version. An incremental read is `(from, until]`, both absolute and in UTC.
fn select(mapping: &CompiledMapping, window: &Window, after_id: Option<&str>) -> String {
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
    if let (Some(from), Some(version)) = (window.from, mapping.cursor) {
        let stamp = &mapping.fields[version].path;
        conditions.push(format!("{stamp} > {from}"));
        conditions.push(format!("{stamp} <= {}", window.until));
    }
    if let Some(id) = after_id {
        conditions.push(format!("Id > '{id}'"));
    }
    if !conditions.is_empty() {
        let _ = write!(soql, " WHERE {}", conditions.join(" AND "));
    }
    soql
}

/// For the query resource: in the order of Id, so that reading can go on after any record.
pub(super) fn by_id(mapping: &CompiledMapping, window: &Window, after_id: Option<&str>) -> String {
    let mut soql = select(mapping, window, after_id);
    soql.push_str(" ORDER BY Id");
    limit(&mut soql, mapping);
    soql
}

/// For a Bulk job: without an order, which would switch the server's chunking off (Bulk API 2.0 guide v66).
pub(super) fn for_bulk(mapping: &CompiledMapping, window: &Window) -> String {
    let mut soql = select(mapping, window, None);
    limit(&mut soql, mapping);
    soql
}

fn limit(soql: &mut String, mapping: &CompiledMapping) {
    if let Some(limit) = mapping.limit {
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

    fn window(from: Option<&str>) -> Window {
        let stamp = |text| Timestamp::parse(text).unwrap();
        Window { from: from.map(stamp), until: stamp("2026-11-21T10:00:00Z") }
    }

    // Pitfall 3.
    #[test]
    fn a_full_read_has_no_bound_that_could_hide_old_or_changing_records() {
        assert_eq!(for_bulk(&compiled(None, None), &window(None)), "SELECT Id,SystemModstamp FROM Task");
    }

    #[test]
    fn a_window_is_absolute_and_needs_no_plus_sign() {
        let soql =
            by_id(&compiled(Some("A = 1 OR B = 2"), None), &window(Some("2026-11-21T09:00:00+01:00")), Some("00T1"));
        assert_eq!(
            soql,
            "SELECT Id,SystemModstamp FROM Task WHERE (A = 1 OR B = 2) AND SystemModstamp > 2026-11-21T08:00:00.000Z \
             AND SystemModstamp <= 2026-11-21T10:00:00.000Z AND Id > '00T1' ORDER BY Id"
        );
    }

    #[test]
    fn a_limit_is_the_last_clause() {
        let soql = by_id(&compiled(None, Some(10)), &window(None), None);
        assert_eq!(soql, "SELECT Id,SystemModstamp FROM Task ORDER BY Id LIMIT 10");
    }
}
