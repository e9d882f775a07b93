//! Proposals for a contact, as an org describes it.

use serde_json::json;

use super::*;

fn catalogue() -> Catalogue {
    let field = |name: &str, label: &str, kind: &str| json!({"name": name, "label": label, "type": kind});
    let account = json!({"name": "Account", "label": "Account", "fields": [
        field("Id", "Account ID", "id"),
        {"name": "Name", "label": "Account Name", "type": "string", "nameField": true},
        field("Industry", "Industry", "picklist"),
    ]});
    let contact = json!({"name": "Contact", "label": "Contact", "queryable": true, "fields": [
        field("Id", "Contact ID", "id"),
        field("IsDeleted", "Deleted", "boolean"),
        field("FirstName", "First Name", "string"),
        field("LastName", "Last Name", "string"),
        field("Email", "Email", "email"),
        field("Phone", "Business Phone", "phone"),
        field("MobilePhone", "Mobile Phone", "phone"),
        field("MailingCity", "Mailing City", "string"),
        field("OtherCity", "Other City", "string"),
        field("MailingPostalCode", "Mailing Zip/Postal Code", "string"),
        field("MailingAddress", "Mailing Address", "address"),
        field("Birthdate", "Birthdate", "date"),
        field("crm__Kunden_Nr__c", "Customer number", "string"),
        field("Level__c", "Level", "string"),
        field("CreatedDate", "Created Date", "datetime"),
        {"name": "AccountId", "label": "Account ID", "type": "reference", "relationshipName": "Account",
         "referenceTo": ["Account"]},
    ]});
    [account, contact].into_iter().map(|describe| serde_json::from_value(describe).unwrap()).collect()
}

fn samples() -> Samples {
    let record = |number: usize| {
        json!({
            "Id": format!("003{number}"), "LastName": "Moss", "FirstName": "Jen", "Email": "j@acme.example",
            "MailingCity": "Ulm", "OtherCity": null, "Level__c": if number == 1 { "high" } else { "3" },
            "crm__Kunden_Nr__c": number.to_string(), "MobilePhone": null,
        })
    };
    let records: Vec<_> = (0..3).map(|number| record(number).as_object().unwrap().clone()).collect();
    Samples::of(&records)
}

fn proposed(columns: &[(&str, Option<ColumnType>)]) -> Vec<(String, Option<Target>)> {
    let catalogue = catalogue();
    let wanted: Vec<Wanted> =
        columns.iter().map(|(name, kind)| Wanted { name: (*name).to_owned(), kind: *kind }).collect();
    let suggestions = for_columns(&catalogue, catalogue.object("Contact").unwrap(), &samples(), &wanted);
    let field = |suggestion: Suggestion| {
        suggestion.proposed.map_or_else(|| ("nothing".to_owned(), None), |proposal| (proposal.field, proposal.target))
    };
    suggestions.into_iter().map(field).collect()
}

fn fields(columns: &[&str]) -> Vec<String> {
    let columns: Vec<_> = columns.iter().map(|name| (*name, None)).collect();
    proposed(&columns).into_iter().map(|(field, _)| field).collect()
}

#[test]
fn the_same_thing_is_found_under_other_names() {
    assert_eq!(
        fields(&["e_mail", "surname", "given_name", "tel", "mobile", "dob", "zip", "created_at", "company"]),
        [
            "Email",
            "LastName",
            "FirstName",
            "Phone",
            "MobilePhone",
            "Birthdate",
            "MailingPostalCode",
            "CreatedDate",
            "Account.Name"
        ]
    );
}

#[test]
fn a_label_finds_a_field_whose_name_says_nothing() {
    assert_eq!(fields(&["customer_number", "account_industry"]), ["crm__Kunden_Nr__c", "Account.Industry"]);
}

#[test]
fn of_two_alike_the_one_that_records_fill_is_proposed() {
    assert_eq!(fields(&["city"]), ["MailingCity"]);
}

#[test]
fn what_nothing_resembles_gets_nothing_and_each_field_is_proposed_once() {
    assert_eq!(fields(&["shoe_size", "email", "email_2"])[..2], ["nothing", "Email"]);
    let twice = fields(&["email", "e_mail"]);
    assert!(twice.contains(&"Email".to_owned()) && twice.contains(&"nothing".to_owned()), "{twice:?}");
}

#[test]
fn types_and_values_decide_whether_a_field_can_fill_a_column() {
    let integer = Some(ColumnType::Integer);
    assert_eq!(
        proposed(&[
            ("level", integer),
            ("customer_number", integer),
            ("id", integer),
            ("birthdate", Some(ColumnType::Text))
        ]),
        [
            ("nothing".to_owned(), None),
            ("crm__Kunden_Nr__c".to_owned(), Some(Target::Integer)),
            ("nothing".to_owned(), None),
            ("Birthdate".to_owned(), Some(Target::Text)),
        ]
    );
}

#[test]
fn a_proposal_says_why_and_what_else_it_may_be() {
    let catalogue = catalogue();
    let wanted = [Wanted { name: "mailing_city".into(), kind: Some(ColumnType::Text) }];
    let suggestion = for_columns(&catalogue, catalogue.object("Contact").unwrap(), &samples(), &wanted).remove(0);
    let proposal = suggestion.proposed.unwrap();
    assert_eq!(proposal.because, ["the same name", "the same type, text", "3 of 3 records have it"]);
    assert!(proposal.confidence >= 95, "{proposal:?}");
    assert!(suggestion.perhaps.iter().all(|other| other.confidence < proposal.confidence));
}

#[test]
fn a_tidy_mapping_has_plain_names_and_leaves_out_what_is_empty() {
    let catalogue = catalogue();
    let (columns, left_out) = tidy(catalogue.object("Contact").unwrap(), &samples());
    let names: Vec<&str> = columns.iter().filter_map(|column| column.column.as_deref()).collect();
    assert!(
        ["id", "last_name", "kunden_nr", "account_id", "level"].iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    assert!(!names.contains(&"is_deleted") && !names.contains(&"mailing_address"), "{names:?}");
    assert_eq!(left_out, ["MobilePhone", "OtherCity"], "what was not looked at stays");
}
