use serde_json::{Value as Json, json};

use super::*;

/// The column `c` of a contact whose field has this value.
fn made(toml: &str, field: &str, value: Json) -> Json {
    cell(&column(toml), "c", &json!({"Id": "003", field: value}))
}

#[test]
fn a_value_is_converted_to_the_type_that_is_asked_for() {
    for (field, target, value, expected) in [
        ("Score__c", "text", json!(50000.00), json!("50000")),
        ("Score__c", "integer", json!(7.0), json!(7)),
        ("Count__c", "decimal", json!(7), json!(7)),
        ("Count__c", "boolean", json!(1), json!(true)),
        ("Active__c", "integer", json!(true), json!(1)),
        ("Active__c", "text", json!(false), json!("false")),
        ("LastName", "integer", json!(" 42 "), json!(42)),
        ("LastName", "decimal", json!("1e-3"), json!(0.001)),
        ("LastName", "boolean", json!("Yes"), json!(true)),
        ("LastName", "date", json!("2026-02-28"), json!("2026-02-28")),
        ("LastName", "timestamp", json!("2026-02-28T01:00:00+01:00"), json!("2026-02-28T00:00:00.000Z")),
        ("LastName", "time", json!("10:15:00"), json!("10:15:00.000")),
        ("LastName", "json", json!("{\"a\": 1}"), json!({"a": 1})),
        ("LastName", "json", json!("plain"), json!("plain")),
        ("Born__c", "timestamp", json!("2026-02-28"), json!("2026-02-28T00:00:00.000Z")),
        ("Born__c", "text", json!("2026-02-28"), json!("2026-02-28")),
        ("Seen__c", "date", json!("2026-02-28T23:59:59.000+0000"), json!("2026-02-28")),
        ("Seen__c", "time", json!("2026-02-28T23:59:59.000+0000"), json!("23:59:59.000")),
        ("Interests__c", "list", json!("Golf;Tea"), json!(["Golf", "Tea"])),
        ("Seen__c", "json", json!("2026-02-28T23:59:59.000+0000"), json!("2026-02-28T23:59:59.000Z")),
    ] {
        let toml = format!("field = \"{field}\"\ncolumn = \"c\"\nas = \"{target}\"");
        assert_eq!(made(&toml, field, value), expected, "{field} as {target}");
        assert_eq!(made(&toml, field, Json::Null), Json::Null, "{field} as {target}");
    }
}

#[test]
fn dates_are_read_and_written_in_a_format() {
    let read = "field = \"LastName\"\ncolumn = \"c\"\nas = \"date\"\nformat = \"%d.%m.%Y\"";
    assert_eq!(made(read, "LastName", json!("1.2.2026")), json!("2026-02-01"));
    let write = "field = \"Seen__c\"\ncolumn = \"c\"\nas = \"text\"\nformat = \"%Y%m%d-%H%M\"";
    assert_eq!(made(write, "Seen__c", json!("2026-02-28T23:59:59.000+0000")), json!("20260228-2359"));
}

#[test]
fn a_value_that_cannot_be_converted_is_a_misfit_or_rejects_its_record() {
    let kept = column("field = \"LastName\"\ncolumn = \"c\"\nas = \"integer\"");
    let mapped = apply(&kept, &[json!({"Id": "003A", "LastName": "seven"}), json!({"Id": "003B", "LastName": "8"})]);
    assert_eq!(mapped.rows.upserts.num_rows(), 2);
    assert_eq!(mapped.misfits.len(), 1);
    let misfit = &mapped.misfits[0];
    assert_eq!((misfit.id.as_str(), misfit.field.as_str(), misfit.raw.as_str()), ("003A", "LastName", "seven"));

    let rejecting = column("field = \"LastName\"\ncolumn = \"c\"\nas = \"integer\"\non_misfit = \"reject\"");
    let mapped =
        apply(&rejecting, &[json!({"Id": "003A", "LastName": "seven"}), json!({"Id": "003B", "LastName": "8"})]);
    assert_eq!((mapped.rows.upserts.num_rows(), mapped.misfits.len()), (1, 0));
    let rejected = &mapped.rejected[0];
    assert_eq!((rejected.id.as_str(), rejected.problems[0].column.as_str()), ("003A", "c"));
    assert_eq!(rejected.problems[0].message, "\"seven\" does not fit.");
    let record: Json = serde_json::from_str(&rejected.record).unwrap();
    assert_eq!((&record["LastName"], &record["Id"]), (&json!("seven"), &json!("003A")));
}

#[test]
fn values_are_replaced_one_by_one_and_others_as_the_mapping_says() {
    let base = "field = \"Rating__c\"\ncolumn = \"c\"\nvalues = { Hot = 1, Warm = 2 }\nas = \"integer\"\n";
    assert_eq!(made(base, "Rating__c", json!("Warm")), json!(2));
    assert_eq!(made(&format!("{base}other = \"null\""), "Rating__c", json!("Cold")), Json::Null);
    let rejecting = column(&format!("{base}other = \"reject\""));
    let mapped = apply(&rejecting, &[json!({"Id": "003", "Rating__c": "Cold"})]);
    assert_eq!(mapped.rejected[0].problems[0].message, "\"Cold\" is not among the values that are mapped.");
    assert!(mapped.misfits.is_empty());
    let kept = "field = \"Interests__c\"\ncolumn = \"c\"\nvalues = { Golf = \"G\", Tea = \"\" }\nas = \"list\"";
    assert_eq!(made(kept, "Interests__c", json!("Golf;Tea;Sea")), json!(["G", "Sea"]));
    assert_eq!(made(kept, "Interests__c", json!("Tea")), Json::Null);
    let truths = "field = \"Active__c\"\ncolumn = \"c\"\nvalues = { true = \"ja\", false = \"nein\" }\nas = \"text\"";
    assert_eq!(made(truths, "Active__c", json!(true)), json!("ja"));
}

#[test]
fn labels_stand_in_place_of_values_of_single_and_multiple_choices() {
    let one = "field = \"Rating__c\"\ncolumn = \"c\"\nlabel = true";
    assert_eq!(made(one, "Rating__c", json!("Hot")), json!("Heiß"));
    assert_eq!(made(one, "Rating__c", json!("Gone")), json!("Gone"));
    let several = "field = \"Interests__c\"\ncolumn = \"c\"\nlabel = true\nas = \"list\"";
    assert_eq!(made(several, "Interests__c", json!("Tea;Golf")), json!(["Tee", "Golfen"]));
}

#[test]
fn texts_are_trimmed_and_cased_and_nothing_is_null() {
    let toml = "field = \"LastName\"\ncolumn = \"c\"\ntrim = true\ncase = \"upper\"";
    assert_eq!(made(toml, "LastName", json!("  straße ")), json!("STRASSE"));
    assert_eq!(made(toml, "LastName", json!("   ")), Json::Null);
}

#[test]
fn a_default_stands_for_null_and_what_is_required_rejects_without_it() {
    let toml = "field = \"Score__c\"\ncolumn = \"c\"\ndefault = 1.5";
    assert_eq!(made(toml, "Score__c", Json::Null), json!(1.5));
    assert_eq!(made(toml, "Score__c", json!(2)), json!(2));
    let required = column("field = \"Email\"\ncolumn = \"c\"\nrequired = true");
    let mapped = apply(&required, &[json!({"Id": "003A"}), json!({"Id": "003B", "Email": "b@b.example"})]);
    assert_eq!((mapped.rows.upserts.num_rows(), mapped.rejected.len()), (1, 1));
    assert_eq!(mapped.rejected[0].problems[0].message, "A value is required here, and the record has none.");
}

#[test]
fn a_deleted_record_is_a_deletion_and_is_never_rejected() {
    let required = column("field = \"Email\"\ncolumn = \"c\"\nrequired = true");
    let mapped = apply(&required, &[json!({"Id": "003A", "IsDeleted": true})]);
    assert_eq!((mapped.rows.upserts.num_rows(), mapped.rejected.len(), mapped.rows.deletes.len()), (0, 0, 1));
}

#[test]
fn a_constant_is_in_every_row_in_its_type() {
    for (written, expected) in [
        ("value = \"salesforce\"", json!("salesforce")),
        ("value = 7", json!(7)),
        ("value = 0.5", json!(0.5)),
        ("value = true", json!(true)),
        ("value = 2026-01-31", json!("2026-01-31")),
        ("value = \"31.1.2026\"\nas = \"date\"\nformat = \"%d.%m.%Y\"", json!("2026-01-31")),
        ("value = \"0.123456789012345678\"\nas = \"decimal\"", serde_json::from_str("0.123456789012345678").unwrap()),
        ("value = \"[1, 2]\"\nas = \"json\"", json!([1, 2])),
    ] {
        assert_eq!(made(&format!("column = \"c\"\n{written}"), "LastName", json!("x")), expected, "{written}");
    }
}

#[test]
fn an_amount_is_converted_by_the_rates_of_the_rows_own_currency() {
    let mapping = column("field = \"Amount__c\"\ncolumn = \"c\"\ncurrency = \"EUR\"");
    let amount = |code: &str, amount: f64| {
        cell(&mapping, "c", &json!({"Id": "003", "Amount__c": amount, "CurrencyIsoCode": code}))
    };
    assert_eq!(amount("USD", 10.0), json!(8));
    assert_eq!(amount("EUR", 10.01), json!(10.01));
    assert_eq!(amount("JPY", 1000.0), json!(5.32));
    let mapped = apply(&mapping, &[json!({"Id": "003", "Amount__c": 7, "CurrencyIsoCode": "XXX"})]);
    assert_eq!(mapped.misfits[0].raw, "7 XXX");
    let parent = column("field = \"Account.AnnualRevenue\"\ncolumn = \"c\"\ncurrency = \"USD\"");
    assert!(parent.fields.iter().any(|field| field.path == "Account.CurrencyIsoCode"));
}

#[test]
fn a_computed_column_takes_fields_and_paths() {
    let toml = "compute = \"FirstName + ' ' + Account.Name\"\ncolumn = \"c\"\nas = \"text\"";
    let mapping = column(toml);
    let record = json!({"Id": "003", "FirstName": "Ada", "Account.Name": "Acme"});
    assert_eq!(cell(&mapping, "c", &record), json!("Ada Acme"));
    assert_eq!(cell(&mapping, "c", &json!({"Id": "003", "FirstName": "Ada"})), Json::Null);
    let fault = column("compute = \"1 / (Count__c - 1)\"\ncolumn = \"c\"");
    let mapped = apply(&fault, &[json!({"Id": "003", "Count__c": 1})]);
    assert_eq!(mapped.misfits[0].raw, "A number is divided by zero.");
    assert_eq!(mapped.misfits[0].field, "c");
    let words = "compute = \"Rating__c\"\ncolumn = \"c\"\nvalues = { Hot = \"1\" }\nas = \"integer\"";
    assert_eq!(made(words, "Rating__c", json!("Hot")), json!(1));
    let list = "compute = \"Interests__c.split(';')\"\ncolumn = \"c\"";
    assert_eq!(made(list, "Interests__c", json!("Golf;Tea")), json!(["Golf", "Tea"]));
}

#[test]
fn a_plain_column_shares_the_memory_of_what_was_read() {
    let mapping = column("field = \"LastName\"\ncolumn = \"c\"");
    let records = read(&mapping, &[json!({"Id": "003", "LastName": "Lovelace"})]);
    let mapped = mapping.apply(&records);
    let place = mapping.fields.iter().position(|field| field.path == "LastName").unwrap();
    assert!(std::sync::Arc::ptr_eq(records.column(place), mapped.rows.upserts.column(0)));
}
