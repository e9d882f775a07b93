//! From a mapping and a describe to what is read and what is written, or every reason why not.

use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{SHA256, digest};
use salesforce::describe::{FieldType, ObjectDescribe};
use serde::Serialize;

use super::{
    ColumnMapping, CompiledMapping, Mapping, MappingProblem,
    path::{Resolved, resolve},
};
use crate::{
    batch::ReadField,
    catalogue::Catalogue,
    checkpoint::Asked,
    table::{Column, TableSchema},
};

/// Stamps that move with every change, best first (SOQL reference v66: SystemModstamp also moves when automation
/// changes a record, and is indexed).
const VERSION_FIELDS: [&str; 2] = ["SystemModstamp", "LastModifiedDate"];

impl Mapping {
    /// Checks this mapping against the org.
    ///
    /// `Id` and the record's stamp become columns even when the mapping does not name them: one is the key, the other
    /// decides which of two versions is newer.
    ///
    /// # Errors
    /// Every problem there is, in the order of the mapping.
    pub fn compile(&self, catalogue: &Catalogue) -> Result<CompiledMapping, Vec<MappingProblem>> {
        let mut problems = Vec::new();
        let Some(object) = catalogue.object(&self.object) else {
            return Err(vec![problem("object", format!("This user can see no object {:?}.", self.object))]);
        };
        if !object.queryable {
            problems.push(problem("object", format!("{} cannot be queried.", object.name)));
        }
        self.check_bounds(&mut problems);
        let selected = self.select(catalogue, object, &mut problems);
        check_names(&selected, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(self.assemble(object, selected))
    }

    fn check_bounds(&self, problems: &mut Vec<MappingProblem>) {
        if self.filter.as_deref().is_some_and(|filter| filter.trim().is_empty()) {
            problems.push(problem("filter", "The filter is empty; leave it out to read everything.".into()));
        }
        if self.limit == Some(0) {
            problems.push(problem("limit", "A limit of 0 reads nothing; leave it out to read everything.".into()));
        }
        if self.table.as_deref().is_some_and(|table| table.trim().is_empty() || table.starts_with('_')) {
            problems
                .push(problem("table", "A table's name is not empty and does not begin with an underscore.".into()));
        }
    }

    /// The fields to read and the columns they become; fields that only the pipeline needs have no column.
    fn select(
        &self,
        catalogue: &Catalogue,
        object: &ObjectDescribe,
        problems: &mut Vec<MappingProblem>,
    ) -> Vec<Selected> {
        let mut selected = Vec::new();
        let wanted = if self.columns.is_empty() { every_readable_field(object) } else { self.columns.clone() };
        for (index, column) in wanted.iter().enumerate() {
            let place = format!("columns[{index}].field");
            match resolve(catalogue, object, &column.field, &place) {
                Ok(resolved) => selected.push(Selected {
                    place: format!("columns[{index}].column"),
                    column: Some(column.column.clone().unwrap_or_else(|| resolved.field.path.replace('.', "_"))),
                    resolved,
                }),
                Err(found) => problems.push(found),
            }
        }
        for (name, as_column) in [("Id", true), (version_field(object).unwrap_or_default(), true), ("IsDeleted", false)]
        {
            let known = selected.iter().any(|field| field.resolved.field.path.eq_ignore_ascii_case(name));
            if known || object.field(name).is_none() {
                continue;
            }
            match resolve(catalogue, object, name, "object") {
                Ok(resolved) => {
                    let column = as_column.then(|| resolved.field.path.clone());
                    selected.push(Selected { place: "object".into(), column, resolved });
                }
                Err(found) => problems.push(found),
            }
        }
        if !selected.iter().any(|field| field.resolved.field.path == "Id") && problems.is_empty() {
            problems
                .push(problem("object", format!("{} has no Id, so its records cannot be told apart.", object.name)));
        }
        selected
    }

    fn assemble(&self, object: &ObjectDescribe, selected: Vec<Selected>) -> CompiledMapping {
        let index_of = |name: &str| selected.iter().position(|field| field.resolved.field.path == name);
        let id = index_of("Id").expect("select adds Id");
        let cursor = version_field(object).and_then(index_of);
        let deleted = index_of("IsDeleted");
        let columns = selected
            .iter()
            .filter_map(|field| Some(Column { name: field.column.clone()?, kind: field.resolved.field.kind }))
            .collect();
        let table = TableSchema {
            name: self.table.clone().unwrap_or_else(|| object.name.clone()),
            columns,
            id,
            version: cursor,
            deletes: self.deletes,
            stream: None,
            sweeps: false,
        };
        let bulk_readable = selected.iter().all(|field| field.resolved.bulk_readable);
        let fields: Vec<ReadField> = selected.into_iter().map(|field| field.resolved.field).collect();
        let asked = self.asked(object, &fields, &table);
        CompiledMapping {
            object: object.name.clone(),
            fields,
            table,
            filter: self.filter.clone(),
            limit: self.limit,
            record_id: id,
            cursor,
            deleted,
            bulk_readable,
            asked,
        }
    }

    fn asked(&self, object: &ObjectDescribe, fields: &[ReadField], table: &TableSchema) -> Asked {
        let columns = table.columns.iter().zip(fields);
        Asked {
            scope: hash(&(&object.name, &self.filter, self.limit)),
            columns: columns.map(|(column, field)| (column.name.clone(), hash(&(&field.path, field.kind)))).collect(),
        }
    }
}

/// SHA-256 of plain data, in hexadecimal.
fn hash(question: &impl Serialize) -> String {
    let text = serde_json::to_vec(question).expect("strings and numbers serialise");
    digest(&SHA256, &text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A field that is read, and the column it becomes.
struct Selected {
    place: String,
    column: Option<String>,
    resolved: Resolved,
}

fn problem(place: &str, message: String) -> MappingProblem {
    MappingProblem { place: place.to_owned(), message, suggestion: None }
}

fn every_readable_field(object: &ObjectDescribe) -> Vec<ColumnMapping> {
    object
        .fields
        .iter()
        .filter(|field| !matches!(field.kind, FieldType::Address | FieldType::Location | FieldType::Base64))
        .map(|field| ColumnMapping { field: field.name.clone(), column: None })
        .collect()
}

/// The stamp that tells versions of a record apart, when the org can filter by it.
fn version_field(object: &ObjectDescribe) -> Option<&'static str> {
    VERSION_FIELDS
        .into_iter()
        .find(|name| object.field(name).is_some_and(|field| field.filterable && field.kind == FieldType::Datetime))
}

/// Column names are not empty, do not begin with an underscore, and differ in more than case; a field is read once.
fn check_names(selected: &[Selected], problems: &mut Vec<MappingProblem>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut read: BTreeSet<&str> = BTreeSet::new();
    for field in selected {
        if !read.insert(&field.resolved.field.path) {
            let message = format!("{} is mapped twice; SOQL selects a field once.", field.resolved.field.path);
            problems.push(problem(&field.place, message));
        }
        let Some(name) = &field.column else { continue };
        if name.trim().is_empty() || name.starts_with('_') {
            let message =
                format!("{name:?} cannot name a column: names beginning with an underscore are Orgtide's own.");
            problems.push(problem(&field.place, message));
        }
        if let Some(earlier) = seen.insert(name.to_lowercase(), &field.resolved.field.path) {
            let message = format!("{name:?} would hold both {earlier} and {}.", field.resolved.field.path);
            problems.push(problem(&field.place, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::DeleteMode;

    fn contact() -> Catalogue {
        let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "filterable": true});
        let link = |name: &str, relationship: &str, to: &[&str]| json!({"name": name, "type": "reference", "relationshipName": relationship, "referenceTo": to});
        let contact = json!({"name": "Contact", "queryable": true, "fields": [
            field("Id", "id"), field("Name", "string"), field("Score__c", "double"), field("Born__c", "date"),
            field("MailingAddress", "address"), field("MailingCity", "string"), field("Photo__c", "base64"),
            link("AccountId", "Account", &["Account"]), link("OwnerId", "Owner", &["Group", "User"]),
            field("IsDeleted", "boolean"), field("SystemModstamp", "datetime"),
        ]});
        let account = json!({"name": "Account", "queryable": true, "fields": [
            field("Id", "id"), field("Name", "string"), link("ParentId", "Parent", &["Account"]),
        ]});
        [contact, account].into_iter().map(|object| serde_json::from_value(object).unwrap()).collect()
    }

    fn mapping(fields: &[&str]) -> Mapping {
        let columns = fields.iter().map(|field| ColumnMapping { field: (*field).to_owned(), column: None }).collect();
        Mapping { object: "contact".into(), columns, ..Mapping::default() }
    }

    fn names(compiled: &CompiledMapping) -> Vec<&str> {
        compiled.table.columns.iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn an_empty_mapping_takes_every_field_but_compound_ones_and_bodies() {
        let compiled = mapping(&[]).compile(&contact()).unwrap();
        assert_eq!(
            names(&compiled),
            ["Id", "Name", "Score__c", "Born__c", "MailingCity", "AccountId", "OwnerId", "IsDeleted", "SystemModstamp"]
        );
        assert_eq!(compiled.table.name, "Contact");
        assert!(compiled.bulk_readable);
    }

    #[test]
    fn the_key_and_the_stamp_become_columns_and_the_deletion_flag_is_only_read() {
        let compiled = mapping(&["name"]).compile(&contact()).unwrap();
        assert_eq!(names(&compiled), ["Name", "Id", "SystemModstamp"]);
        assert_eq!(compiled.fields.last().unwrap().path, "IsDeleted");
        assert_eq!((compiled.table.id, compiled.table.version), (1, Some(2)));
    }

    #[test]
    fn paths_to_parents_are_spelt_as_the_schema_does_and_become_columns_with_underscores() {
        let compiled = mapping(&["account.parent.NAME", "Owner.Name"]).compile(&contact()).unwrap();
        assert_eq!(compiled.fields[0].path, "Account.Parent.Name");
        assert_eq!(names(&compiled)[..2], ["Account_Parent_Name", "Owner_Name"]);
    }

    #[test]
    fn every_problem_is_named_at_once_with_its_place_and_a_suggestion() {
        let mut mapping = mapping(&["Nmae", "Account.Nam", "Owner.ParentId", "Name", "Score__c"]);
        mapping.columns[4].column = Some("name".into());
        mapping.filter = Some(" ".into());
        let problems: Vec<String> = mapping.compile(&contact()).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "filter: The filter is empty; leave it out to read everything.",
                "columns[0].field: Contact has no field \"Nmae\" that this user can see. Did you mean \"Name\"?",
                "columns[1].field: Account has no field \"Nam\" that this user can see. Did you mean \"Name\"?",
                "columns[2].field: OwnerId leads to several kinds of object (Group, User), of which only the fields they \
                 share can be read.",
                "columns[4].column: \"name\" would hold both Name and Score__c.",
            ]
        );
    }

    #[test]
    fn a_field_that_bulk_refuses_is_read_by_query() {
        assert!(!mapping(&["Photo__c"]).compile(&contact()).unwrap().bulk_readable);
        assert!(!mapping(&["MailingAddress"]).compile(&contact()).unwrap().bulk_readable);
    }

    // Pitfall 61.
    #[test]
    fn a_cursor_field_that_cannot_be_filtered_is_not_chosen() {
        let mut catalogue = contact();
        let mut describe = catalogue.object("Contact").unwrap().clone();
        describe.fields.iter_mut().filter(|field| field.name == "SystemModstamp").for_each(|f| f.filterable = false);
        catalogue.insert(describe);
        assert_eq!(mapping(&[]).compile(&catalogue).unwrap().cursor, None);
    }

    // Pitfall 63.
    #[test]
    fn the_question_has_another_hash_when_anything_read_or_written_changes() {
        let hash = |mapping: Mapping| mapping.compile(&contact()).unwrap().asked;
        let plain = hash(mapping(&["Name"]));
        let mut renamed = mapping(&["Name"]);
        renamed.columns[0].column = Some("full_name".into());
        let filtered = Mapping { filter: Some("Name != null".into()), ..mapping(&["Name"]) };
        let removing = Mapping { deletes: DeleteMode::Remove, ..mapping(&["Name"]) };
        assert_ne!(plain, hash(renamed));
        assert_ne!(plain, hash(filtered));
        assert_ne!(plain, hash(mapping(&["Name", "Score__c"])));
        assert_eq!(plain, hash(removing), "how deletions are kept does not change what is read");
    }
}
