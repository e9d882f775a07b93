//! Describe answers against recorded ones of real orgs.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::*;
use crate::catalog;

/// Keys of a field, from a captured answer.
const FIELD_KEYS: &str = "aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula cascadeDelete \
    caseSensitive compoundFieldName controllerName createable custom defaultValue defaultValueFormula defaultedOnCreate \
    dependentPicklist deprecatedAndHidden digits displayLocationInDecimal encrypted externalId extraTypeInfo filterable \
    filteredLookupInfo formulaTreatNullNumberAsZero groupable highScaleNumber htmlFormatted idLookup inlineHelpText label \
    length mask maskType name nameField namePointing nillable permissionable picklistValues polymorphicForeignKey precision \
    queryByDistance referenceTargetField referenceTo relationshipName relationshipOrder restrictedDelete \
    restrictedPicklist scale searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead";

fn describe(name: &str) -> Json {
    let schema = catalog::standard();
    let object = schema.find(name).unwrap().1;
    schema.describe(object, &FullAccess, "v68.0")
}

fn keys(json: &Json) -> BTreeSet<String> {
    json.as_object().unwrap().keys().cloned().collect()
}

fn field<'a>(describe: &'a Json, name: &str) -> &'a Json {
    describe["fields"].as_array().unwrap().iter().find(|field| field["name"] == name).unwrap()
}

#[test]
fn a_field_has_every_attribute_in_capture_order() {
    let account = describe("Account");
    let text = serde_json::to_string(field(&account, "Name")).unwrap();
    let mut from = 0;
    for key in FIELD_KEYS.split_whitespace() {
        from += text[from..].find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} is missing or out of order"));
    }
    assert_eq!(field(&account, "Name").as_object().unwrap().len(), FIELD_KEYS.split_whitespace().count());
}

#[test]
fn account_name_is_described_as_captured() {
    let account = describe("Account");
    let name = field(&account, "Name");
    for (key, value) in [
        ("byteLength", Json::from(765)),
        ("compoundFieldName", "Name".into()),
        ("extraTypeInfo", "switchablepersonname".into()),
        ("length", 255.into()),
        ("nameField", true.into()),
        ("nillable", false.into()),
        ("permissionable", false.into()),
        ("soapType", "xsd:string".into()),
    ] {
        assert_eq!(name[key], value, "{key}");
    }
}

#[test]
fn hidden_fields_are_absent() {
    struct NoEmail;
    impl Access for NoEmail {
        fn reads(&self, _: &Object) -> bool {
            true
        }
        fn creates(&self, _: &Object) -> bool {
            false
        }
        fn edits(&self, _: &Object) -> bool {
            false
        }
        fn deletes(&self, _: &Object) -> bool {
            false
        }
        fn reads_field(&self, _: &Object, field: &Field) -> bool {
            field.name != "Email"
        }
        fn edits_field(&self, _: &Object, _: &Field) -> bool {
            false
        }
    }
    let schema = catalog::standard();
    let contact = schema.describe(schema.find("Contact").unwrap().1, &NoEmail, "v68.0");
    assert!(contact["fields"].as_array().unwrap().iter().all(|field| field["name"] != "Email"));
    assert_eq!(contact["createable"], false);
    assert_eq!(field(&contact, "LastName")["updateable"], false);
}

#[test]
fn compound_polymorphic_and_controlled_fields_say_so() {
    let invoice = describe("Invoice__c");
    let owner = field(&invoice, "OwnerId");
    assert_eq!((&owner["namePointing"], &owner["polymorphicForeignKey"]), (&Json::Bool(true), &Json::Bool(true)));
    assert_eq!(field(&invoice, "Delivery_Address__c")["soapType"], "urn:address");
    assert_eq!(field(&invoice, "Delivery_Address__City__s")["compoundFieldName"], "Delivery_Address__c");
    assert_eq!(field(&invoice, "Warehouse__Latitude__s")["compoundFieldName"], "Warehouse__c");
    assert_eq!(field(&invoice, "Reason__c")["controllerName"], "Status__c");
    assert_eq!(field(&invoice, "Reason__c")["picklistValues"][0]["validFor"], "gA==");
    let account = describe("Account");
    let children = account["childRelationships"].as_array().unwrap();
    assert!(children.iter().any(|child| child["relationshipName"] == "Contacts" && child["field"] == "AccountId"));
}

#[test]
fn the_invoice_has_a_field_of_every_type() {
    let invoice = describe("Invoice__c");
    let types: BTreeSet<&str> =
        invoice["fields"].as_array().unwrap().iter().filter_map(|field| field["type"].as_str()).collect();
    assert_eq!(types.len(), 29, "{types:?}");
}

#[test]
fn a_declaration_without_sense_is_refused() {
    let mut schema = catalog::standard();
    let named = |name: &str| ObjectSpec { name: name.to_owned(), ..ObjectSpec::default() };
    assert!(matches!(schema.declare(&named("account")), Err(SchemaError::DuplicateObject { .. })));
    let bad_prefix = ObjectSpec { key_prefix: Some("a-1".to_owned()), ..named("X__c") };
    assert!(matches!(schema.declare(&bad_prefix), Err(SchemaError::KeyPrefix { .. })));
    let untyped =
        ObjectSpec { fields: vec![FieldSpec { name: "F__c".to_owned(), ..FieldSpec::default() }], ..named("X__c") };
    assert!(matches!(schema.declare(&untyped), Err(SchemaError::FieldWithoutType { .. })));
    let index = schema.declare(&named("X__c")).unwrap();
    assert_eq!(schema.object(index).key_prefix.unwrap().as_str(), "a01");
}

/// The body of a recorded exchange; `None`, with a message, where the recordings are absent.
fn recorded(name: &str) -> Option<Json> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/recordings/cumulusci");
    let path = folder.join(format!("GET_sobjects_{name}_describe.yaml"));
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no recorded answers at {}", folder.display());
        return None;
    };
    let (_, body) = text.split_once("string: ").unwrap();
    let body: Vec<&str> =
        body.lines().take_while(|line| !line.trim_start().starts_with("headers:")).map(str::trim).collect();
    let body = body.join(" ");
    let body = body.trim_start_matches(['>', '-', ' ']);
    let unquoted = body.strip_prefix('\'').map(|body| body.trim_end().trim_end_matches('\'').replace("''", "'"));
    let json = unquoted.as_deref().unwrap_or(body);
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<Json>();
    Some(values.next().unwrap().unwrap())
}

#[test]
fn described_keys_are_those_of_recorded_answers() {
    for (recording, ours) in
        [("Account", "Account"), ("Contact", "Contact"), ("Case", "Case"), ("Custom__c", "Invoice__c")]
    {
        let Some(theirs) = recorded(recording) else { return };
        let ours = describe(ours);
        // Recordings are from older versions: they may lack keys, and may have none that we lack.
        let missing: Vec<String> = keys(&theirs).difference(&keys(&ours)).cloned().collect();
        assert!(missing.is_empty(), "{recording}: {missing:?}");
        for part in ["fields", "childRelationships", "recordTypeInfos"] {
            let (Some(their_part), Some(our_part)) = (theirs[part].get(0), ours[part].get(0)) else { continue };
            let missing: Vec<String> = keys(their_part).difference(&keys(our_part)).cloned().collect();
            assert!(missing.is_empty(), "{recording} {part}: {missing:?}");
        }
    }
}

#[test]
fn global_entries_have_the_keys_of_a_recorded_answer() {
    let Some(theirs) = recorded("Global") else { return };
    let ours = catalog::standard().describe_global(&FullAccess, "v68.0");
    assert_eq!(keys(&theirs), keys(&ours));
    assert_eq!(keys(&theirs["sobjects"][0]), keys(&ours["sobjects"][0]));
}

const STABLE_KEYS: [&str; 13] = [
    "type",
    "soapType",
    "custom",
    "length",
    "byteLength",
    "compoundFieldName",
    "calculated",
    "digits",
    "precision",
    "scale",
    "createable",
    "filterable",
    "sortable",
];

/// Attributes that follow from the standard object alone, so that a recording can confirm ours.
#[test]
fn standard_fields_agree_with_recorded_ones() {
    let mut different = Vec::new();
    for name in ["Account", "Contact", "Case"] {
        let Some(theirs) = recorded(name) else { return };
        let ours = describe(name);
        for recorded in theirs["fields"].as_array().unwrap() {
            let same = |field: &&Json| field["name"] == recorded["name"];
            let Some(own) = ours["fields"].as_array().unwrap().iter().find(same) else { continue };
            for key in STABLE_KEYS {
                if own[key] != recorded[key] {
                    different
                        .push(format!("{name}.{}: {key} is {}, recorded {}", own["name"], own[key], recorded[key]));
                }
            }
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}
