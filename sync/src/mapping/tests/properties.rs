use std::collections::BTreeSet;

use arrow_array::{cast::AsArray, types::Decimal128Type};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value as Json, json};

use super::*;

/// A mapping that makes use of everything.
fn everything() -> CompiledMapping {
    compiled(
        r#"
        object = "Contact"
        rest = true
        [[columns]]
        field = "Rating__c"
        column = "rating"
        values = { Hot = 1, Warm = 2 }
        other = "reject"
        as = "integer"
        [[columns]]
        field = "LastName"
        column = "number"
        as = "integer"
        on_misfit = "reject"
        [[columns]]
        field = "Email"
        column = "email"
        trim = true
        case = "lower"
        required = true
        [[columns]]
        field = "Amount__c"
        column = "amount"
        currency = "EUR"
        [[columns]]
        compute = "coalesce(FirstName, '?') + ' ' + Account.Name"
        column = "name"
        default = "nobody"
        [[columns]]
        compute = "Count__c / (Count__c - 1)"
        column = "ratio"
        [[columns]]
        value = "salesforce"
        column = "source"
        [[columns]]
        field = "Interests__c"
        column = "interests"
        label = true
        as = "list"
        "#,
    )
}

prop_compose! {
    fn record()(
        number in 0u32..1_000_000,
        rating in option::of(select(vec!["Hot", "Warm", "Cold"])),
        last in option::of(select(vec!["7", " 8 ", "nine", "10.0", "10.5"])),
        email in option::of(select(vec![" A@B.example", "   ", "c@d.example"])),
        amount in option::of(-1_000_000i64..1_000_000),
        code in option::of(select(vec!["EUR", "USD", "XXX"])),
        first in option::of("[a-zé😀]{0,5}"),
        account in option::of("[a-z]{1,5}"),
        count in option::of(0i64..3),
        interests in option::of(select(vec!["Golf", "Golf;Tea", "Sea;Other"])),
        deleted in any::<bool>(),
    ) -> Json {
        json!({
            "Id": format!("003{number:012}"), "Rating__c": rating, "LastName": last, "Email": email,
            "Amount__c": amount.map(|amount| amount as f64 / 100.0), "CurrencyIsoCode": code, "FirstName": first,
            "Account.Name": account, "Count__c": count, "Interests__c": interests, "IsDeleted": deleted,
            "SystemModstamp": "2026-11-21T10:00:00.000Z",
        })
    }
}

proptest! {
    #[test]
    fn every_record_is_a_row_a_rejection_or_a_deletion(records in vec(record(), 0..40)) {
        let mapped = apply(&everything(), &records);
        let TableRows { rows, rejected, deletes } = TableRows::of(&mapped);
        prop_assert_eq!(rows + rejected + deletes, records.len());
        prop_assert_eq!(deletes, records.iter().filter(|record| record["IsDeleted"] == true).count());
        for rejected in &mapped.rejected {
            prop_assert!(!rejected.problems.is_empty());
            prop_assert!(serde_json::from_str::<Json>(&rejected.record).is_ok());
        }
    }

    #[test]
    fn some_columns_alone_have_the_values_that_they_have_among_all(records in vec(record(), 1..20), choice in any::<u32>()) {
        let mut records = records;
        for (number, record) in records.iter_mut().enumerate() {
            record["IsDeleted"] = json!(false);
            record["Id"] = json!(format!("003{number:012}"));
        }
        let whole = everything();
        let names = whole.table.columns.iter().enumerate().filter(|(index, _)| choice >> (index % 32) & 1 == 1);
        let names: BTreeSet<String> = names.map(|(_, column)| column.name.clone()).collect();
        let Some(only) = whole.only(&names) else { return Ok(()) };
        prop_assert!(only.fields.len() <= whole.fields.len());
        let all = rows(&apply(&whole, &records).rows.upserts, &whole);
        let patched = apply(&only, &records).rows.patch.unwrap();
        let patched = rows(&patched.rows, &whole);
        for row in all {
            // A record that a column of the patch rejects is a row of neither.
            let part = patched.iter().find(|part| part["Id"] == row["Id"]);
            let part = part.expect("what all columns take, some take");
            for name in names.iter() {
                prop_assert_eq!(&part[name], &row[name], "{}", name);
            }
        }
    }

    #[test]
    fn a_number_survives_its_way_through_text(digits in -999_999_999_999_999_999i64..999_999_999_999_999_999, places in 0u32..18) {
        let number = column("field = \"LastName\"\ncolumn = \"c\"\nas = \"decimal\"");
        let text = column("compute = \"string(decimal(LastName))\"\ncolumn = \"c\"");
        let decimal = |text: &str| {
            let mapped = apply(&number, &[json!({"Id": "003", "LastName": text})]);
            mapped.rows.upserts.column(0).as_primitive::<Decimal128Type>().value(0)
        };
        let written = format!("{digits}e-{places}");
        let expected = i128::from(digits) * 10i128.pow(18 - places);
        prop_assert_eq!(decimal(&written), expected);
        let again = cell(&text, "c", &json!({"Id": "003", "LastName": written}));
        prop_assert_eq!(decimal(again.as_str().unwrap()), expected);
    }

    #[test]
    fn a_date_survives_its_way_through_any_format(days in -719_528i64..2_932_896, format in select(vec!["%d.%m.%Y", "%Y%m%d", "%m/%d/%Y"])) {
        let mut iso = String::new();
        super::super::text::write_date(&mut iso, days);
        let written = column(&format!("field = \"Born__c\"\ncolumn = \"c\"\nas = \"text\"\nformat = \"{format}\""));
        let text = cell(&written, "c", &json!({"Id": "003", "Born__c": iso}));
        let read = column(&format!("field = \"LastName\"\ncolumn = \"c\"\nas = \"date\"\nformat = \"{format}\""));
        prop_assert_eq!(cell(&read, "c", &json!({"Id": "003", "LastName": text})), json!(iso));
    }
}

struct TableRows {
    rows: usize,
    rejected: usize,
    deletes: usize,
}

impl TableRows {
    fn of(mapped: &Mapped) -> Self {
        let rows = &mapped.rows;
        Self { rows: rows.upserts.num_rows(), rejected: mapped.rejected.len(), deletes: rows.deletes.len() }
    }
}
