//! Semi-joins and anti-joins.

use super::*;

#[test]
fn joins_find_ids_by_other_objects() {
    let database = small_org();
    assert_eq!(names(&database, "Account WHERE Id IN (SELECT AccountId FROM Contact)"), ["Acme"]);
    assert_eq!(names(&database, "Account WHERE Id NOT IN (SELECT AccountId FROM Contact)"), ["bolt"]);
    assert_eq!(
        names(&database, "Account WHERE Id IN (SELECT AccountId FROM Contact WHERE LastName = 'beta')").len(),
        0
    );
    assert_eq!(
        names(&database, "Contact WHERE AccountId IN (SELECT Id FROM Account WHERE Name LIKE 'A%')"),
        ["Alpha", "Gamma"]
    );
    assert_eq!(names(&database, "Contact WHERE AccountId NOT IN (SELECT Id FROM Account)"), ["beta"]);
    let both = "Account WHERE Name != 'x' AND Id IN (SELECT AccountId FROM Contact) AND Id NOT IN (SELECT AccountId FROM Case)";
    assert_eq!(names(&database, both), ["Acme"]);
}

#[test]
fn joins_see_the_rows_that_the_query_sees() {
    let mut database = small_org();
    let author = Author { user: user(), at: at(NOW), access: &FullAccess };
    for id in ["003gL0000000001", "003gL0000000003"] {
        database.delete(RecordId::parse(id).unwrap(), &author).unwrap();
    }
    let query = "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)";
    for (scope, total) in [(RowScope::Live, 0), (RowScope::All, 1)] {
        let plan = Plan::compile(query, database.schema(), &FullAccess, scope, at(NOW)).unwrap();
        assert_eq!(Arc::new(plan).execute(database.snapshot()).total(), total, "{scope:?}");
    }
}

#[test]
fn joins_stand_in_subqueries_and_counts() {
    let database = small_org();
    let query = "SELECT Name, (SELECT LastName FROM Contacts WHERE OwnerId IN (SELECT Id FROM User)) FROM Account";
    assert_eq!(page(&database, query)[0]["Contacts"]["totalSize"], 2);
    let counted =
        compile(&database, "SELECT COUNT() FROM Contact WHERE AccountId IN (SELECT Id FROM Account)").unwrap();
    assert_eq!(counted.execute(database.snapshot()).total(), 2);
}

#[test]
fn what_joins_may_not_be_is_refused() {
    for (condition, code, words) in [
        ("Id IN (SELECT Id FROM Account)", "MALFORMED_QUERY", "should not be on the same object type"),
        ("Name IN (SELECT AccountId FROM Contact)", "MALFORMED_QUERY", "should be an id field, cannot use: 'Name'"),
        ("Owner.Id IN (SELECT OwnerId FROM Contact)", "MALFORMED_QUERY", "cannot use: 'Owner.Id'"),
        ("Id IN (SELECT LastName FROM Contact)", "MALFORMED_QUERY", "can only query id fields, cannot use: 'LastName'"),
        ("Id IN (SELECT Account.Id FROM Contact)", "MALFORMED_QUERY", "cannot use: 'Account.Id'"),
        ("Id IN (SELECT OwnerId FROM Contact)", "MALFORMED_QUERY", "should point to the same object type"),
        ("Id IN (SELECT AccountId FROM Contact LIMIT 5)", "MALFORMED_QUERY", "take no GROUP BY"),
        ("Id IN (SELECT COUNT() FROM Contact)", "MALFORMED_QUERY", "cannot use: 'COUNT()'"),
        ("Id IN (SELECT AccountId, Id FROM Contact)", "MALFORMED_QUERY", "select one field"),
        (
            "Name = 'a' OR Id IN (SELECT AccountId FROM Contact)",
            "MALFORMED_QUERY",
            "not allowed with the 'OR' operator",
        ),
        ("NOT Id IN (SELECT AccountId FROM Contact)", "MALFORMED_QUERY", "not allowed with the 'NOT' operator"),
        (
            "Name = 'a' AND (Site = 'b' AND Id IN (SELECT AccountId FROM Contact))",
            "MALFORMED_QUERY",
            "only allowed at the top level WHERE expressions",
        ),
        (
            "Id IN (SELECT AccountId FROM Contact WHERE OwnerId IN (SELECT Id FROM User))",
            "MALFORMED_QUERY",
            "Nesting of semi join sub-selects is not supported",
        ),
        (
            "Id IN (SELECT AccountId FROM Contact) AND Id IN (SELECT AccountId FROM Case) AND Id IN (SELECT AccountId FROM \
             Opportunity)",
            "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS",
            "Maximum 2 semi join sub-selects are allowed.",
        ),
    ] {
        let (found, message) = failure(&format!("SELECT Id FROM Account WHERE {condition}"));
        assert_eq!(found, code, "{condition}");
        assert!(message.contains(words), "{condition}: {message}");
    }
}
