//! Subqueries, TYPEOF, and the other shapes of a select list.

use super::*;

/// The small org with cases of one contact.
fn families() -> Database {
    let mut database = small_org();
    for (contact, subject) in [(1, "first"), (1, "second"), (1, "third"), (3, "other")] {
        let contact = format!("003gL000000000{contact}");
        insert(&mut database, "Case", json!({"ContactId": contact, "Subject": subject}));
    }
    database
}

#[test]
fn children_are_a_result_of_their_own_or_null() {
    let database = families();
    let rows = page(
        &database,
        "SELECT Name, (SELECT LastName, Account.Name FROM contacts ORDER BY LastName DESC) FROM Account",
    );
    let contacts = &rows[0]["Contacts"];
    assert_eq!((&contacts["totalSize"], &contacts["done"]), (&json!(2), &json!(true)));
    assert_eq!(contacts.get("nextRecordsUrl"), None);
    assert_eq!(contacts["records"][0]["LastName"], "Gamma");
    assert_eq!(contacts["records"][1]["Account"]["Name"], "Acme");
    assert_eq!(contacts["records"][1]["attributes"]["type"], "Contact");
    assert_eq!(rows[1]["Contacts"], Json::Null);
}

#[test]
fn subqueries_filter_limit_and_nest() {
    let database = families();
    let query = "SELECT Name, (SELECT LastName, (SELECT Subject FROM Cases WHERE Subject != 'second' ORDER BY Subject DESC \
                 LIMIT 1) FROM Contacts WHERE LastName LIKE 'a%') FROM Account WHERE Name = 'Acme'";
    let contacts = &page(&database, query)[0]["Contacts"];
    assert_eq!(contacts["totalSize"], 1);
    let cases = &contacts["records"][0]["Cases"];
    assert_eq!((&cases["totalSize"], &cases["records"][0]["Subject"]), (&json!(1), &json!("third")));
}

#[test]
fn long_lists_of_children_go_on_elsewhere() {
    let database = families();
    let query = "SELECT LastName, (SELECT Subject FROM Cases ORDER BY Subject DESC) FROM Contact ORDER BY LastName";
    let results = compile(&database, query).unwrap().execute(database.snapshot());
    let mut lists = Vec::new();
    let page = results.page(0, Cut { rows: 100, child_rows: 2 }, "v68.0", &mut |list, next| {
        lists.push(list);
        format!("/query/x-{next}")
    });
    let text = format!("[{}]", String::from_utf8(page.records).unwrap());
    let rows: Json = serde_json::from_str(&text).unwrap();
    let cases = &rows[0]["Cases"];
    assert_eq!((&cases["totalSize"], &cases["done"]), (&json!(3), &json!(false)));
    assert_eq!(cases["nextRecordsUrl"], "/query/x-2");
    assert_eq!(cases["records"][1]["Subject"], "second");
    assert_eq!(lists.len(), 1);
    let rest = lists[0].find(database.snapshot());
    let subject = database.schema().find("Case").unwrap().1.find("Subject").unwrap().0;
    let shown: Vec<_> = rest.rows(2).map(|row| row.value(subject)).collect();
    assert_eq!((rest.total(), shown), (3, vec![crate::value::Value::text("first")]));
}

#[test]
fn children_count_towards_the_page() {
    let database = families();
    let query = "SELECT LastName, (SELECT Subject FROM Cases) FROM Contact ORDER BY LastName";
    let results = compile(&database, query).unwrap().execute(database.snapshot());
    for (rows, shown) in [(1, 1), (4, 1), (5, 2), (6, 2), (7, 3)] {
        let (records, next) = records(&results, Cut { rows, child_rows: 100 });
        assert_eq!((records.len(), next), (shown, shown as u64), "{rows}");
    }
}

#[test]
fn subqueries_are_as_deep_as_the_version_allows() {
    let database = families();
    let deep = "SELECT Id, (SELECT Id, (SELECT Id FROM Cases) FROM Contacts) FROM Account";
    let compile = |version| {
        let mut asked = Asked::anonymously(database.schema(), &FullAccess, RowScope::Live, at(NOW));
        asked.version = version;
        Plan::compile_as(deep, &asked)
    };
    assert!(compile(58).is_ok());
    let error = compile(57).unwrap_err();
    assert_eq!(error.code, QueryErrorCode::MalformedQuery);
    assert!(error.message.contains("more than 1 level away from the root"), "{}", error.message);
    let levels = |count: usize| {
        (0..count).fold("SELECT Id FROM ChildAccounts".to_owned(), |inner, level| {
            let from = if level + 1 == count { "Account" } else { "ChildAccounts" };
            format!("SELECT Id, ({inner}) FROM {from}")
        })
    };
    assert!(super::compile(&database, &levels(4)).is_ok());
    assert!(failure(&levels(5)).1.contains("more than 4 level away"));
}

#[test]
fn what_a_user_may_not_see_is_no_child() {
    let database = families();
    for hidden in ["Contact", "Contact.AccountId"] {
        let query = "SELECT Id, (SELECT Id FROM Contacts) FROM Account";
        let error = Plan::compile(query, database.schema(), &Hides(hidden), RowScope::Live, at(NOW)).unwrap_err();
        assert_eq!(error.code, QueryErrorCode::InvalidType, "without {hidden}");
    }
}

#[test]
fn typeof_shows_what_fits_the_parent() {
    let mut database = small_org();
    let acme = database.snapshot().find_by_text(0, database.schema().object(0).find("Name").unwrap().0, "Acme")[0];
    let contact = "003gL0000000001QAA";
    insert(&mut database, "Task", json!({"Subject": "a", "WhatId": acme.to_string(), "WhoId": contact}));
    insert(&mut database, "Task", json!({"Subject": "b"}));
    let rows = page(
        &database,
        "SELECT Subject, TYPEOF What WHEN Opportunity THEN Amount WHEN Account THEN Name, Owner.Username ELSE Name END, \
         TYPEOF Who WHEN Lead THEN Company END FROM Task ORDER BY Subject",
    );
    assert_eq!(rows[0]["What"]["attributes"]["type"], "Account");
    assert_eq!(
        (&rows[0]["What"]["Name"], &rows[0]["What"]["Owner"]["Username"]),
        (&json!("Acme"), &json!("ada@acme.test"))
    );
    assert_eq!((&rows[0]["Who"], &rows[1]["What"]), (&Json::Null, &Json::Null));
    let rows =
        page(&database, "SELECT TYPEOF Who WHEN Lead THEN Company ELSE Name, Id END FROM Task WHERE Subject = 'a'");
    assert_eq!((&rows[0]["Who"]["Name"], &rows[0]["Who"]["Id"]), (&json!("Zoë Alpha"), &json!(contact)));
}

#[test]
fn parents_have_short_names_in_from() {
    let database = small_org();
    let query = "SELECT c.LastName, a.Name, u.Username FROM Contact c, c.Account a, a.Owner u WHERE a.Name = 'Acme'";
    let rows = page(&database, query);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["Account"]["Owner"]["Username"], "ada@acme.test");
}

#[test]
fn scopes_and_side_effects_are_understood() {
    let mut database = small_org();
    let other =
        insert(&mut database, "User", json!({"LastName": "B", "Username": "b@acme.test", "Email": "b@acme.test"}));
    insert(&mut database, "Account", json!({"Name": "theirs", "OwnerId": other.to_string()}));
    let snapshot = database.snapshot();
    let count = |query: &str| {
        let asked = Asked::by(user(), &snapshot, &FullAccess, RowScope::Live, at(NOW));
        Arc::new(Plan::compile_as(query, &asked).unwrap()).execute(snapshot.clone()).total()
    };
    assert_eq!(count("SELECT Id FROM Account USING SCOPE everything"), 3);
    assert_eq!(count("SELECT Id FROM Account USING SCOPE Mine WHERE Name != 'bolt'"), 1);
    assert_eq!(count("SELECT Id FROM Account USING SCOPE team"), 0);
    for rest in [
        "WITH SECURITY_ENFORCED",
        "WITH USER_MODE ORDER BY Name",
        "WITH SYSTEM_MODE LIMIT 10",
        "FOR VIEW",
        "FOR REFERENCE FOR VIEW",
        "LIMIT 10 FOR UPDATE",
        "UPDATE TRACKING",
        "UPDATE VIEWSTAT",
    ] {
        assert_eq!(count(&format!("SELECT Id FROM Account {rest}")), 3, "{rest}");
    }
}

#[test]
fn fields_of_children_are_bounded_like_others() {
    let database = families();
    let rows = page(&database, "SELECT Id, (SELECT FIELDS(ALL) FROM Contacts LIMIT 200) FROM Account");
    assert_eq!(rows[0]["Contacts"]["records"][0]["LastName"], "Alpha");
    assert_eq!(failure("SELECT Id, (SELECT FIELDS(ALL) FROM Contacts) FROM Account").0, "MALFORMED_QUERY");
    let old = Asked { version: 50, ..Asked::anonymously(database.schema(), &FullAccess, RowScope::Live, at(NOW)) };
    assert!(Plan::compile_as("SELECT FIELDS(STANDARD) FROM Account", &old).is_err());
}

#[test]
fn columns_are_described_instead_of_read() {
    let database = families();
    let columns = |query: &str| compile(&database, query).unwrap().describe_columns(database.schema());
    let found = columns("SELECT Id, Account.Name, (SELECT Subject FROM Cases) FROM Contact");
    assert_eq!((&found["entityName"], &found["keyPrefix"]), (&json!("Contact"), &json!("003")));
    assert_eq!((&found["idSelected"], &found["groupBy"]), (&json!(true), &json!(false)));
    let metadata = &found["columnMetadata"];
    assert_eq!(metadata[1]["columnName"], "Account");
    assert_eq!(metadata[1]["joinColumns"][0]["columnName"], "Name");
    assert_eq!((&metadata[2]["aggregate"], &metadata[2]["joinColumns"][0]["textType"]), (&json!(true), &json!(true)));
    let grouped = columns("SELECT LeadSource, COUNT(Id) FROM Contact GROUP BY LeadSource");
    assert_eq!((&grouped["groupBy"], &grouped["idSelected"]), (&json!(true), &json!(false)));
    let count = &grouped["columnMetadata"][1];
    assert_eq!((&count["columnName"], &count["displayName"]), (&json!("expr0"), &json!("COUNT(Id)")));
    assert_eq!((&count["aggregate"], &count["apexType"]), (&json!(true), &json!("Integer")));
}

#[test]
fn explanations_name_the_cheapest_way_first() {
    let database = families();
    let plan =
        compile(&database, "SELECT Id FROM Contact WHERE AccountId = '001gL0000000001' AND Title = 'x'").unwrap();
    let plans = plan.explain(&database.snapshot());
    let way = &plans["plans"][0];
    assert_eq!((&way["leadingOperationType"], &way["fields"]), (&json!("Index"), &json!(["AccountId"])));
    assert_eq!((&way["sobjectType"], &way["sobjectCardinality"]), (&json!("Contact"), &json!(3)));
    assert_eq!(way["notes"][0]["fields"], json!(["Title"]));
    assert_eq!(plans["plans"][1]["leadingOperationType"], "TableScan");
}
