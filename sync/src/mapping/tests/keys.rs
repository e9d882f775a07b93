use serde_json::json;

use super::*;
use crate::table::TableSchema;

fn key_and_version(table: &TableSchema) -> (&str, Option<&str>) {
    let name = |index: usize| table.columns[index].name.as_str();
    (name(table.id), table.version.map(name))
}

#[test]
fn the_owners_of_accounts_are_rows_by_their_own_id_and_stamp() {
    for key in ["OwnerId", "Owner.Id", "ownerid"] {
        let mapping = compiled(&format!(
            "object = \"Account\"\ntable = \"people\"\nstream = \"owners\"\nkey = \"{key}\"\nfilter = \"Name != 'x' OR Name = null\"\n\
             [[columns]]\nfield = \"Owner.Email\"\ncolumn = \"email\""
        ));
        assert_eq!(key_and_version(&mapping.table), ("Id", Some("SystemModstamp")));
        let path = if key == "Owner.Id" { "Owner.Id" } else { "OwnerId" };
        assert_eq!(
            mapping.filter.as_deref(),
            Some(format!("(Name != 'x' OR Name = null) AND {path} != null AND IsDeleted = false").as_str())
        );
        let stamp = |index: Option<usize>| index.map(|index| mapping.fields[index].path.as_str());
        assert_eq!(
            (stamp(mapping.cursor), stamp(mapping.parent_cursor)),
            (Some("SystemModstamp"), Some("Owner.SystemModstamp"))
        );
        assert!(!mapping.is_keyed_by_record() && mapping.warnings.is_empty());
        let mapped = apply(
            &mapping,
            &[json!({
                "Id": "001", path: "005", "Owner.Email": "o@o.example", "SystemModstamp": "2026-01-01T00:00:00.000Z",
                "Owner.SystemModstamp": "2026-02-02T00:00:00.000Z",
            })],
        );
        let row = &rows(&mapped.rows.upserts, &mapping)[0];
        assert_eq!(row["Id"], "005");
        assert_eq!(row["SystemModstamp"], "2026-02-02T00:00:00.000Z");
        assert_eq!(row["email"], "o@o.example");
    }
}

#[test]
fn a_column_that_is_the_key_already_keeps_its_name_in_either_spelling() {
    let mapping = compiled(
        "object = \"Account\"\nkey = \"OwnerId\"\n[[columns]]\nfield = \"Owner.Id\"\ncolumn = \"person\"\n\
         [[columns]]\nfield = \"Owner.SystemModstamp\"\ncolumn = \"changed\"",
    );
    assert_eq!(key_and_version(&mapping.table), ("person", Some("changed")));
    assert_eq!(mapping.table.columns.len(), 2);
}

#[test]
fn a_lookup_to_several_objects_has_rows_without_a_version_and_says_so() {
    let mapping = compiled("object = \"Contact\"\nkey = \"Owner.Id\"\n[[columns]]\nfield = \"Owner.Name\"");
    assert_eq!(key_and_version(&mapping.table), ("Id", None));
    assert!(listed(&mapping.warnings)[0].contains("replaced by whatever is read later"));
}

#[test]
fn a_record_without_a_key_is_rejected_rather_than_lost() {
    let mapping = compiled("object = \"Contact\"\nkey = \"AccountId\"\n[[columns]]\nfield = \"Account.Name\"");
    let mapped = apply(&mapping, &[json!({"Id": "003"})]);
    assert_eq!(mapped.rejected[0].problems[0].message, "The record has nothing that tells its row apart.");
}

#[test]
fn a_field_that_is_unique_may_be_the_key_and_others_may_not() {
    let mapping = compiled("object = \"Contact\"\nkey = \"Ext__c\"\n[[columns]]\nfield = \"Email\"");
    assert_eq!(key_and_version(&mapping.table), ("Ext__c", Some("SystemModstamp")));
    assert_eq!(mapping.filter.as_deref(), Some("Ext__c != null AND IsDeleted = false"));
    let problems = refused("object = \"Contact\"\nkey = \"Email\"\n[[columns]]\nfield = \"Email\"");
    assert!(problems[0].starts_with("key: Email does not tell rows apart"), "{problems:?}");
    let problems = refused("object = \"Contact\"\nkey = \"OwnrId\"\n[[columns]]\nfield = \"Email\"");
    assert!(problems[0].ends_with("Did you mean \"OwnerId\"?"), "{problems:?}");
    let problems = refused("object = \"Contact\"\nkey = \"AccountId\"");
    assert!(problems[0].starts_with("columns: Rows that are not the records themselves"), "{problems:?}");
}

#[test]
fn contacts_and_person_accounts_fill_one_table_of_people() {
    let contacts = compiled(
        r#"
        object = "Contact"
        table = "people"
        stream = "contacts"
        filter = "IsPersonAccount = false"
        [[columns]]
        field = "Email"
        column = "email"
        [[columns]]
        compute = "FirstName + ' ' + LastName"
        column = "name"
        "#,
    );
    let persons = compiled(
        r#"
        object = "Account"
        table = "people"
        stream = "person_accounts"
        filter = "IsPersonAccount = true"
        [[columns]]
        field = "PersonEmail"
        column = "email"
        [[columns]]
        compute = "FirstName + ' ' + LastName"
        column = "name"
        "#,
    );
    let shape = |mapping: &CompiledMapping| {
        let TableSchema { name, columns, id, version, .. } = mapping.table.clone();
        (name, columns, id, version)
    };
    assert_eq!(shape(&contacts), shape(&persons), "both fill the same table");
    assert_eq!(persons.table.stream.as_deref(), Some("person_accounts"));
    let person = json!({"Id": "001", "FirstName": "Ada", "LastName": "Lovelace", "PersonEmail": "a@l.example"});
    assert_eq!(cell(&persons, "name", &person), json!("Ada Lovelace"));
    assert_eq!(cell(&persons, "email", &person), json!("a@l.example"));
}
