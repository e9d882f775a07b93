//! Aggregate functions, GROUP BY, HAVING.

use super::*;

/// Four invoices of two states; one has no amount.
fn invoices() -> Database {
    let mut database = small_org();
    for (status, amount, due, paid) in [
        ("Paid", Some("10.50"), "2025-01-31", true),
        ("paid", Some("20"), "2025-02-01", true),
        ("Draft", Some("-5.25"), "2026-02-28", false),
        ("Draft", None, "2026-02-28", false),
    ] {
        let status = if status == "paid" { "Paid" } else { status };
        insert(
            &mut database,
            "Invoice__c",
            json!({"Status__c": status, "Amount__c": amount, "Due_Date__c": due, "Paid__c": paid, "Text__c": status}),
        );
    }
    database
}

fn grouped(rest: &str) -> Vec<Json> {
    let rows = page(&invoices(), &format!("SELECT {rest}"));
    rows.into_iter()
        .map(|mut row| {
            assert_eq!(row["attributes"], json!({"type": "AggregateResult"}), "{rest}");
            row.as_object_mut().unwrap().remove("attributes");
            row
        })
        .collect()
}

#[test]
fn aggregates_without_groups_are_one_row() {
    assert_eq!(
        grouped("COUNT(Id), COUNT(Amount__c) filled, SUM(Amount__c), AVG(Amount__c) FROM Invoice__c"),
        [json!({"expr0": 4, "filled": 3, "expr1": 25.25, "expr2": 8.416_666_666_666_666})]
    );
    assert_eq!(
        grouped("COUNT_DISTINCT(Status__c), MIN(Due_Date__c), MAX(Due_Date__c) FROM Invoice__c"),
        [json!({"expr0": 2, "expr1": "2025-01-31", "expr2": "2026-02-28"})]
    );
    assert_eq!(
        grouped("COUNT(Id), SUM(Amount__c), MAX(Name) FROM Invoice__c WHERE Text__c = 'nothing'"),
        [json!({"expr0": 0, "expr1": null, "expr2": null})]
    );
}

#[test]
fn groups_have_their_keys_under_the_schemas_names() {
    assert_eq!(
        grouped("status__c, COUNT(Id), SUM(amount__c) total FROM Invoice__c GROUP BY Status__c"),
        [
            json!({"Status__c": "Draft", "expr0": 2, "total": -5.25}),
            json!({"Status__c": "Paid", "expr0": 2, "total": 30.5})
        ]
    );
    assert_eq!(
        grouped("CALENDAR_YEAR(Due_Date__c) y, COUNT(Id) FROM Invoice__c GROUP BY CALENDAR_YEAR(Due_Date__c)"),
        [json!({"y": 2025, "expr0": 2}), json!({"y": 2026, "expr0": 2})]
    );
    let rows = page(&small_org(), "SELECT Account.Name, COUNT(Id) n FROM Contact GROUP BY Account.Name");
    assert_eq!((&rows[0]["Name"], &rows[0]["n"]), (&Json::Null, &json!(1)));
    assert_eq!((&rows[1]["Name"], &rows[1]["n"]), (&json!("Acme"), &json!(2)));
}

#[test]
fn groups_are_filtered_and_sorted_by_what_they_add_up_to() {
    assert_eq!(
        grouped("Status__c FROM Invoice__c GROUP BY Status__c HAVING SUM(Amount__c) > 0 AND COUNT(Id) = 2"),
        [json!({"Status__c": "Paid"})]
    );
    assert_eq!(
        grouped("Status__c s, COUNT(Id) n FROM Invoice__c GROUP BY Status__c ORDER BY SUM(Amount__c) DESC LIMIT 1"),
        [json!({"s": "Paid", "n": 2})]
    );
    assert_eq!(
        grouped(
            "Due_Date__c, COUNT(Id) n FROM Invoice__c GROUP BY Due_Date__c ORDER BY n DESC, Due_Date__c DESC OFFSET 1"
        ),
        [json!({"Due_Date__c": "2025-02-01", "n": 1}), json!({"Due_Date__c": "2025-01-31", "n": 1})]
    );
    assert_eq!(
        grouped("Status__c, MAX(Due_Date__c) FROM Invoice__c GROUP BY Status__c HAVING Status__c LIKE 'd%'"),
        [json!({"Status__c": "Draft", "expr0": "2026-02-28"})]
    );
}

#[test]
fn rollups_and_cubes_show_subtotals() {
    let rollup = "Status__c s, Paid__c p, GROUPING(Status__c) gs, GROUPING(Paid__c) gp, COUNT(Id) n FROM Invoice__c";
    assert_eq!(
        grouped(&format!("{rollup} GROUP BY ROLLUP(Status__c, Paid__c)")),
        [
            json!({"s": "Draft", "p": false, "gs": 0, "gp": 0, "n": 2}),
            json!({"s": "Draft", "p": null, "gs": 0, "gp": 1, "n": 2}),
            json!({"s": "Paid", "p": true, "gs": 0, "gp": 0, "n": 2}),
            json!({"s": "Paid", "p": null, "gs": 0, "gp": 1, "n": 2}),
            json!({"s": null, "p": null, "gs": 1, "gp": 1, "n": 4}),
        ]
    );
    let cube = grouped(&format!("{rollup} GROUP BY CUBE(Status__c, Paid__c)"));
    assert_eq!(cube.len(), 7);
    assert!(cube.contains(&json!({"s": null, "p": true, "gs": 1, "gp": 0, "n": 2})));
}

#[test]
fn picklists_are_ordered_as_setup_lists_them() {
    let mut database = invoices();
    insert(&mut database, "Invoice__c", json!({"Status__c": "Overdue"}));
    let rows = page(&database, "SELECT MIN(Status__c) low, MAX(Status__c) high FROM Invoice__c");
    assert_eq!((&rows[0]["low"], &rows[0]["high"]), (&json!("Draft"), &json!("Overdue")));
    let rows = page(&database, "SELECT Status__c FROM Invoice__c ORDER BY Status__c DESC LIMIT 2");
    assert_eq!((&rows[0]["Status__c"], &rows[1]["Status__c"]), (&json!("Overdue"), &json!("Paid")));
}

#[test]
fn formats_stand_around_aggregates() {
    assert_eq!(
        grouped("FORMAT(MAX(Due_Date__c)) due, FORMAT(SUM(Amount__c)) sum FROM Invoice__c"),
        [json!({"due": "2/28/2026", "sum": "$25.25"})]
    );
}

#[test]
fn more_groups_than_a_page_holds_are_refused() {
    let mut database = small_org();
    database.generate("Contact", 2_100, at(NOW)).unwrap();
    let find = |query: &str| compile(&database, query).unwrap().execute(database.snapshot());
    let refusal = find("SELECT Id, COUNT(Name) FROM Contact GROUP BY Id").refusal().unwrap();
    assert_eq!(refusal.code, QueryErrorCode::ExceededIdLimit);
    assert!(refusal.message.starts_with("Aggregate query does not support queryMore()"), "{}", refusal.message);
    assert_eq!(find("SELECT Id, COUNT(Name) FROM Contact GROUP BY Id LIMIT 2000").refusal(), None);
}
