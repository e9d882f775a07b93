//! Hostile input: long, deep, and of every word of the language.

use super::*;

const DEEP: usize = 20_000;

#[test]
fn deep_nesting_is_refused_and_needs_no_stack() {
    let around = |open: &str, inner: &str, close: &str, count: usize| {
        format!("{}{inner}{}", open.repeat(count), close.repeat(count))
    };
    let of = "SELECT Id FROM Contact WHERE";
    for query in [
        format!("{of} {}", around("(", "Id = null", ")", DEEP)),
        format!("{of} {}", around("NOT ", "Id = null", "", DEEP)),
        format!("{of} {} = 1", around("f(", "Id", ")", DEEP)),
        format!("SELECT {} FROM Contact", around("f(", "Id", ")", DEEP)),
        format!("SELECT {} FROM Contact", around("(SELECT Id, ", "(SELECT Id FROM Cases)", " FROM Contacts)", 3_000)),
        format!("{of} {}", around("Id IN (SELECT Id FROM Account WHERE ", "Id = null", ")", 2_000)),
        format!("SELECT {} FROM Contact", vec!["Id"; DEEP].join(".")),
    ] {
        let error = compile(&small_org(), &query).err().unwrap();
        assert_eq!(error.code, QueryErrorCode::MalformedQuery, "{}", &query[..60]);
    }
}

#[test]
fn more_parents_than_a_statement_may_name_are_refused() {
    let names = ["Account", "Account.Parent", "ReportsTo.Account", "ReportsTo.ReportsTo.Account"];
    let users = ["Owner", "CreatedBy", "LastModifiedBy"];
    let managers = ["", ".Manager", ".Manager.Manager"];
    let mut paths = Vec::new();
    for name in names {
        for user in users {
            for manager in managers.iter().take(5 - name.split('.').count()) {
                paths.push(format!("{name}.{user}{manager}.Name"));
            }
        }
    }
    let query = |count: usize| format!("SELECT {} FROM Contact", paths[..count].join(", "));
    assert!(compile(&small_org(), &query(20)).is_ok());
    let extra = "ReportsTo.Owner.Manager.Manager.Name, ReportsTo.CreatedBy.Manager.Manager.Name, Owner.Manager.Manager.Name, \
                 CreatedBy.Manager.Manager.Name, LastModifiedBy.Manager.Manager.Name, \
                 ReportsTo.LastModifiedBy.Manager.Manager.Name, MasterRecord.Owner.Manager.Manager.Name, \
                 MasterRecord.CreatedBy.Manager.Manager.Name";
    let (code, message) = failure(&query(paths.len()).replace(" FROM", &format!(", {extra} FROM")));
    assert_eq!(code, "MALFORMED_QUERY");
    assert!(
        message.ends_with("No more than 55 child-to-parent relationships can be specified in a query"),
        "{message}"
    );
}

#[test]
fn more_subqueries_than_a_statement_may_hold_are_refused() {
    let contacts = "Cases, Tasks, Events, Invoices__r, CampaignMembers, Attachments, ContentDocumentLinks";
    let lists: Vec<String> = contacts.split(", ").map(|list| format!("(SELECT Id FROM {list})")).collect();
    let contact = format!("(SELECT Id, {} FROM Contacts)", lists.join(", "));
    let account = format!("(SELECT Id, {contact}, (SELECT Id FROM Cases) FROM ChildAccounts)");
    let query =
        format!("SELECT Id, {contact}, {account}, (SELECT Id FROM Shares), (SELECT Id FROM Histories) FROM Account");
    assert!(compile(&small_org(), &query).is_ok());
    let query = query.replace("(SELECT Id FROM Shares)", "(SELECT Id FROM Shares), (SELECT Id FROM Opportunities)");
    let (code, message) = failure(&query);
    assert_eq!(code, "MALFORMED_QUERY");
    assert!(message.ends_with("No more than 20 parent-to-child relationships can be specified"), "{message}");
}

#[test]
fn a_text_of_more_than_4000_characters_is_refused() {
    let query = |count: usize| format!("SELECT Id FROM Contact WHERE LastName = '{}'", "x".repeat(count));
    assert!(compile(&small_org(), &query(4_000)).is_ok());
    assert!(failure(&query(4_001)).1.ends_with("string literals can not be longer than 4000 characters"));
}

fn words() -> impl Strategy<Value = String> {
    let words = [
        "SELECT",
        "FROM",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "(",
        ")",
        ",",
        ".",
        "=",
        "!=",
        "<",
        "'x'",
        "'",
        "\\",
        "1",
        "USD5",
        "2024-01-01",
        "null",
        "Id",
        "Contact",
        "Account",
        "Cases",
        "IN",
        "LIKE",
        "ORDER",
        "BY",
        "LIMIT",
        "OFFSET",
        "COUNT",
        "SUM",
        "FIELDS",
        "ALL",
        "GROUP",
        "ROLLUP",
        "CUBE",
        "HAVING",
        "TYPEOF",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "toLabel",
        "FORMAT",
        "CALENDAR_YEAR",
        "CreatedDate",
        "DISTANCE",
        "GEOLOCATION",
        "USING",
        "SCOPE",
        "WITH",
        "FOR",
        "UPDATE",
        "TODAY",
        "LAST_N_DAYS",
        ":",
        "5",
        "n",
        "é",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..24).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn arbitrary_text_is_understood_or_refused(text in ".{0,80}", words in words()) {
        let schema = catalog::standard();
        for part in [&text, &words] {
            for query in [
                part.clone(),
                format!("SELECT {part} FROM Contact"),
                format!("SELECT Id FROM Contact WHERE {part}"),
                format!("SELECT Id FROM Contact {part}"),
                format!("SELECT LastName, COUNT(Id) n FROM Contact GROUP BY LastName {part}"),
                format!("SELECT Id, (SELECT {part} FROM Cases) FROM Contact"),
            ] {
                let _ = Plan::compile(&query, &schema, &FullAccess, RowScope::Live, Timestamp(0));
            }
        }
    }

    #[test]
    fn whatever_is_understood_is_also_answered(words in words()) {
        let database = small_org();
        for query in [
            format!("SELECT Id FROM Contact WHERE {words}"),
            format!("SELECT LastName, COUNT(Id) n FROM Contact GROUP BY LastName {words}"),
            format!("SELECT Id, {words} FROM Contact"),
        ] {
            if let Ok(plan) = compile(&database, &query) {
                let _ = plan.explain(&database.snapshot());
                let _ = plan.describe_columns(database.schema());
                let _ = records(&plan.execute(database.snapshot()), Cut { rows: 10, child_rows: 1 });
            }
        }
    }
}
