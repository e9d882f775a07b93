//! How two mappings differ, for people who look at versions.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::Mapping;

/// One difference. Values are as a mapping file has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    Added {
        column: String,
        now: Value,
    },
    Removed {
        column: String,
        was: Value,
    },
    Changed {
        column: String,
        was: Value,
        now: Value,
    },
    /// What is said of the whole stream; null: nothing is.
    Setting {
        key: String,
        was: Value,
        now: Value,
    },
}

/// What has changed from one mapping to another; the order of columns is no difference.
pub fn differences(was: &Mapping, now: &Mapping) -> Vec<Difference> {
    let (settings_before, settings_now) = (settings(was), settings(now));
    let keys: BTreeSet<&String> = settings_before.keys().chain(settings_now.keys()).collect();
    let value = |settings: &Map<String, Value>, key: &String| settings.get(key).cloned().unwrap_or_default();
    let mut found: Vec<Difference> = keys
        .into_iter()
        .map(|key| (key, value(&settings_before, key), value(&settings_now, key)))
        .filter(|(_, was, now)| was != now)
        .map(|(key, was, now)| Difference::Setting { key: key.clone(), was, now })
        .collect();
    let (before, after) = (columns(was), columns(now));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    found.extend(names.into_iter().filter_map(|name| {
        let column = name.clone();
        match (before.get(name), after.get(name)) {
            (Some(was), Some(now)) if was == now => None,
            (Some(was), Some(now)) => Some(Difference::Changed { column, was: was.clone(), now: now.clone() }),
            (Some(was), None) => Some(Difference::Removed { column, was: was.clone() }),
            (None, now) => Some(Difference::Added { column, now: now.cloned().unwrap_or_default() }),
        }
    }));
    found
}

fn settings(mapping: &Mapping) -> Map<String, Value> {
    match serde_json::to_value(mapping).expect("a mapping is plain data") {
        Value::Object(mut settings) => {
            settings.remove("columns");
            settings
        }
        _ => Map::new(),
    }
}

/// By name, without it.
fn columns(mapping: &Mapping) -> BTreeMap<String, Value> {
    let column = |column: &super::ColumnMapping| {
        let name = column.column.clone().or_else(|| column.path().map(|path| path.replace('.', "_")));
        let mut made = serde_json::to_value(column).expect("a column is plain data");
        made.as_object_mut().map(|made| made.remove("column"));
        (name.unwrap_or_default(), made)
    };
    mapping.columns.iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapping(document: Value) -> Mapping {
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn columns_are_compared_by_name_and_their_order_is_no_difference() {
        let was = mapping(json!({"object": "Contact", "columns": [
            {"field": "LastName"}, {"field": "Email", "column": "mail"}, {"field": "Account.Name"}
        ]}));
        let now = mapping(json!({"object": "Contact", "filter": "Email != null", "columns": [
            {"field": "Account.Name"}, {"field": "Email", "column": "mail", "case": "lower"}, {"field": "Phone"}
        ]}));
        assert_eq!(
            differences(&was, &now),
            [
                Difference::Setting { key: "filter".into(), was: Value::Null, now: json!("Email != null") },
                Difference::Removed { column: "LastName".into(), was: json!({"field": "LastName"}) },
                Difference::Added { column: "Phone".into(), now: json!({"field": "Phone"}) },
                Difference::Changed {
                    column: "mail".into(),
                    was: json!({"field": "Email"}),
                    now: json!({"field": "Email", "case": "lower"}),
                },
            ]
        );
        assert_eq!(differences(&now, &now), []);
    }
}
