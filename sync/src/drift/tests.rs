use serde_json::{Value, json};

use super::*;

fn field(name: &str, label: &str, kind: &str) -> Value {
    json!({"name": name, "label": label, "type": kind, "filterable": true})
}

fn catalogue(fields: &[Value]) -> Catalogue {
    let own = [field("Id", "Record ID", "id"), field("SystemModstamp", "System Modstamp", "datetime")];
    let fields: Vec<&Value> = own.iter().chain(fields).collect();
    let object = json!({"name": "Thing__c", "label": "Thing", "queryable": true, "fields": fields});
    [serde_json::from_value(object).unwrap()].into_iter().collect()
}

fn mapping(fields: &[&str]) -> Mapping {
    let columns = fields.iter().map(|field| ColumnMapping::field(*field)).collect();
    Mapping { object: "Thing__c".into(), columns, ..Mapping::default() }
}

fn shape(fields: &[Value]) -> Shape {
    Shape::of(&mapping(&[]), &catalogue(fields)).unwrap()
}

fn words(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

fn columns(mapping: &Mapping) -> Vec<(&str, Option<Target>)> {
    mapping.columns.iter().filter_map(|column| Some((column.path()?, column.target))).collect()
}

#[test]
fn the_same_fields_are_no_drift_and_leave_the_mapping_as_it_is() {
    let agreed = shape(&[field("A__c", "A", "string")]);
    assert_eq!(diff(&mapping(&[]), &agreed, &agreed), []);
    assert_eq!(fitted(&mapping(&[]), &agreed, &agreed), Some(mapping(&[])));
    let stored: Shape = serde_json::from_str(&serde_json::to_string(&agreed).unwrap()).unwrap();
    assert_eq!(stored, agreed);
}

#[test]
fn new_and_gone_fields_are_told_apart_from_a_rename_by_their_labels() {
    let agreed = shape(&[field("A__c", "Amount", "currency"), field("B__c", "Born", "date")]);
    let now = shape(&[field("Sum__c", "Amount", "currency"), field("Fresh__c", "Something", "boolean")]);
    assert_eq!(
        words(&diff(&mapping(&[]), &agreed, &now)),
        [
            "A__c is probably Sum__c now: both are labelled \"Amount\"",
            "B__c (Born) is removed, or hidden from this user",
            "Fresh__c (Something, boolean) is new",
        ]
    );
}

#[test]
fn a_rename_is_recognised_by_a_like_name_or_by_its_place() {
    let agreed = shape(&[field("Customer_Number__c", "No.", "string"), field("X__c", "X", "date")]);
    let now = shape(&[field("CustomerNumber__c", "Number", "string"), field("Qqq__c", "Q", "date")]);
    let changes = diff(&mapping(&[]), &agreed, &now);
    assert!(matches!(&changes[0], Change::Renamed { to, .. } if to == "CustomerNumber__c"), "{changes:?}");
    let agreed = shape(&[field("A__c", "A", "string"), field("X__c", "X", "date"), field("B__c", "B", "string")]);
    let now = shape(&[field("A__c", "A", "string"), field("Qqq__c", "Q", "date"), field("B__c", "B", "string")]);
    let changes = diff(&mapping(&[]), &agreed, &now);
    assert!(matches!(&changes[..], [Change::Renamed { to, .. }] if to == "Qqq__c"), "{changes:?}");
}

#[test]
fn a_mapping_of_some_fields_hears_of_those_alone() {
    let agreed = shape(&[field("A__c", "A", "string"), field("B__c", "B", "string")]);
    let now = shape(&[field("A__c", "A", "string"), field("New__c", "New", "boolean")]);
    assert_eq!(diff(&mapping(&["a__c"]), &agreed, &now), []);
    let changes = diff(&mapping(&["b__c", "A__c"]), &agreed, &now);
    assert!(matches!(&changes[..], [Change::Gone { field, .. }] if field == "B__c"), "{changes:?}");
    assert_eq!(columns(&fitted(&mapping(&["b__c", "A__c"]), &agreed, &now).unwrap()), [("A__c", None)]);
    assert_eq!(fitted(&mapping(&["b__c"]), &agreed, &now), None, "no column left is not all columns");
}

#[test]
fn a_column_stays_as_wide_as_its_field_ever_was() {
    let agreed = shape(&[field("A__c", "A", "int"), field("B__c", "B", "string"), field("C__c", "C", "date")]);
    let now = shape(&[field("A__c", "A", "double"), field("B__c", "B", "int"), field("C__c", "C", "boolean")]);
    let changes = diff(&mapping(&[]), &agreed, &now);
    let widening: Vec<bool> =
        changes.iter().map(|change| matches!(change, Change::Retyped { widening: true, .. })).collect();
    assert_eq!(widening, [true, false, false]);
    let applied = agreed.with(&now);
    let fitted = fitted(&mapping(&[]), &applied, &now).unwrap();
    let found = columns(&fitted);
    assert!(found.contains(&("A__c", None)), "{found:?}");
    assert!(
        found.contains(&("B__c", Some(Target::Text))) && found.contains(&("C__c", Some(Target::Text))),
        "{found:?}"
    );
    assert_eq!(diff(&mapping(&[]), &applied, &now), [], "what is agreed is no drift");
}

#[test]
fn what_is_not_agreed_is_not_read_and_what_is_gone_is_known_when_it_returns() {
    let agreed = shape(&[field("A__c", "A", "string")]);
    let now = shape(&[field("A__c", "A", "string"), field("B__c", "B", "boolean")]);
    let asked = fitted(&mapping(&[]), &agreed, &now).unwrap();
    assert_eq!(columns(&asked), [("Id", None), ("SystemModstamp", None), ("A__c", None)]);
    assert!(!asked.rest);
    assert_eq!(fitted(&mapping(&[]), &agreed.with(&now), &now), Some(mapping(&[])));

    let without = shape(&[]);
    let lost = agreed.with(&without);
    assert_eq!(diff(&mapping(&[]), &lost, &without), []);
    let changes = diff(&mapping(&[]), &lost, &agreed);
    assert!(matches!(&changes[..], [Change::New { returned: true, .. }]), "{changes:?}");
}

#[test]
fn other_labels_lengths_and_values_are_told_and_need_no_decision() {
    let pick = |value: &str| {
        let mut field = field("P__c", "Pick", "picklist");
        field["picklistValues"] = json!([{"value": value, "active": true}]);
        field
    };
    let mut longer = field("T__c", "Text", "string");
    longer["length"] = json!(80);
    let agreed = shape(&[pick("one"), longer.clone()]);
    longer["length"] = json!(255);
    longer["label"] = json!("Long text");
    let now = shape(&[pick("two"), longer]);
    let changes = diff(&mapping(&[]), &agreed, &now);
    assert_eq!(changes.len(), 3, "{changes:?}");
    assert!(!changes.iter().any(Change::matters));
}

#[test]
fn a_computed_column_goes_with_the_field_that_it_names() {
    let agreed = shape(&[field("A__c", "A", "string"), field("AB__c", "AB", "string")]);
    let now = shape(&[field("AB__c", "AB", "string")]);
    let mut mapping = mapping(&["AB__c"]);
    mapping.columns.push(ColumnMapping::compute("size(A__c) > 0", "has_a"));
    mapping.columns.push(ColumnMapping::compute("size(AB__c) > 0", "has_ab"));
    let fitted = fitted(&mapping, &agreed, &now).unwrap();
    let names: Vec<_> = fitted.columns.iter().filter_map(|column| column.column.as_deref()).collect();
    assert_eq!(names, ["has_ab"]);
}
