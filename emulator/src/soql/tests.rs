//! Queries against a small org.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

mod children;
mod functions;
mod groups;
mod joins;
mod nesting;
mod usual;

use super::*;
use crate::catalog;
use crate::database::{Author, Database, Record};
use crate::ids::RecordId;
use crate::schema::{Field, FullAccess};

const NOW: &str = "2026-11-21T10:00:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn user() -> RecordId {
    RecordId::parse("005gL0000000001").unwrap()
}

fn record(value: Json) -> Record {
    match value {
        Json::Object(record) => record,
        other => panic!("{other} is no record"),
    }
}

fn insert(database: &mut Database, object: &str, value: Json) -> RecordId {
    let author = Author { user: user(), at: at(NOW), access: &FullAccess };
    database.insert(object, &record(value), &author).unwrap()
}

/// One user, two accounts and three contacts.
fn small_org() -> Database {
    let mut database = Database::new(catalog::standard(), 1);
    let author = Author { user: user(), at: at(NOW), access: &FullAccess };
    let admin = json!({"FirstName": "Ada", "LastName": "Min", "Username": "ada@acme.test", "Email": "ada@acme.test"});
    database.insert_as("User", user(), &record(admin), &author).unwrap();
    let acme = insert(
        &mut database,
        "Account",
        json!({"Name": "Acme", "AnnualRevenue": 50000, "NumberOfEmployees": 12, "BillingCity": "Köln",
               "BillingLatitude": 50.93, "Credit_Limit__c": 1000.5, "Segments__c": "Enterprise;Startup"}),
    );
    insert(&mut database, "Account", json!({"Name": "bolt", "Active__c": true, "Segments__c": "Startup"}));
    for (first, last, account) in [("Zoë", "Alpha", Some(acme)), ("Bob", "beta", None), ("Carl_%", "Gamma", Some(acme))]
    {
        let account = account.map(|id| id.to_string());
        insert(&mut database, "Contact", json!({"FirstName": first, "LastName": last, "AccountId": account}));
    }
    database
}

fn compile(database: &Database, query: &str) -> Result<Arc<Plan>, QueryError> {
    Plan::compile(query, database.schema(), &FullAccess, RowScope::Live, at(NOW)).map(Arc::new)
}

/// The records of a page with all rows, children and groups included.
fn page(database: &Database, query: &str) -> Vec<Json> {
    let results =
        compile(database, query).unwrap_or_else(|error| panic!("{query}: {error}")).execute(database.snapshot());
    records(&results, Cut { rows: 100_000, child_rows: 1000 }).0
}

/// The first page, and the offset at which the next one begins.
fn records(results: &ResultSet, cut: Cut) -> (Vec<Json>, u64) {
    let page = results.page(0, cut, "v68.0", &mut |_, next| format!("more-{next}"));
    let text = format!("[{}]", String::from_utf8(page.records).unwrap());
    (serde_json::from_str(&text).unwrap(), page.next)
}

fn run(database: &Database, query: &str) -> Vec<Json> {
    let results = compile(database, query).unwrap().execute(database.snapshot());
    let projection = results.plan().projection().unwrap();
    let mut writer = RowWriter::new(projection, results.snapshot(), "v68.0");
    let rows = results.rows(0).map(|row| {
        let mut out = Vec::new();
        writer.write_json(&row, &mut out);
        serde_json::from_slice(&out).unwrap()
    });
    rows.collect()
}

fn names(database: &Database, rest: &str) -> Vec<String> {
    let object = if rest.starts_with("Contact") { "LastName" } else { "Name" };
    let rows = run(database, &format!("SELECT {object} FROM {rest}"));
    rows.iter().map(|row| row[object].as_str().unwrap().to_owned()).collect()
}

fn failure(query: &str) -> (&'static str, String) {
    let error = compile(&small_org(), query).err().unwrap_or_else(|| panic!("{query} is understood"));
    (error.code.as_str(), error.message)
}

#[test]
fn a_record_shows_its_fields_parents_and_compound_values() {
    let rows = run(
        &small_org(),
        "select name, account.name, Account.Owner.Username, Account.BillingAddress, AccountId from contact where LastName = 'ALPHA'",
    );
    let row = &rows[0];
    assert_eq!(row["attributes"]["type"], "Contact");
    assert_eq!(row["attributes"]["url"], "/services/data/v68.0/sobjects/Contact/003gL0000000001QAA");
    assert_eq!(row["Name"], "Zoë Alpha");
    assert_eq!(row["Account"]["Name"], "Acme");
    assert_eq!(row["Account"]["Owner"]["Username"], "ada@acme.test");
    assert_eq!(row["Account"]["BillingAddress"]["city"], "Köln");
    assert_eq!(row["Account"]["BillingAddress"]["street"], Json::Null);
    assert_eq!(row["Account"]["BillingAddress"]["latitude"], 50.93);
}

#[test]
fn a_missing_parent_is_null_and_a_missing_address_too() {
    let database = small_org();
    let rows = run(&database, "SELECT Account.Name, MailingAddress FROM Contact WHERE LastName = 'Beta'");
    assert_eq!(rows[0]["Account"], Json::Null);
    assert_eq!(rows[0]["MailingAddress"], Json::Null);
}

#[test]
fn numbers_keep_the_scale_of_their_field() {
    let plan = compile(&small_org(), "SELECT Credit_Limit__c, NumberOfEmployees FROM Account LIMIT 1").unwrap();
    let database = small_org();
    let results = plan.execute(database.snapshot());
    let mut writer = RowWriter::new(plan.projection().unwrap(), results.snapshot(), "v68.0");
    let (mut json, mut csv) = (Vec::new(), Vec::new());
    let row = results.rows(0).next().unwrap();
    writer.write_json(&row, &mut json);
    writer.write_csv(&row, CsvDialect::default(), &mut csv);
    assert!(String::from_utf8(json).unwrap().ends_with("\"Credit_Limit__c\":1000.50,\"NumberOfEmployees\":12}"));
    assert_eq!(String::from_utf8(csv).unwrap(), "\"1000.5\",\"12\"\n");
}

use crate::value::CsvDialect;

#[test]
fn comparisons_follow_salesforce_on_case_and_null() {
    let database = small_org();
    assert_eq!(names(&database, "Account WHERE Name = 'ACME'"), ["Acme"]);
    assert_eq!(names(&database, "Account WHERE BillingCity != 'Bonn'"), ["Acme", "bolt"]);
    assert_eq!(names(&database, "Account WHERE BillingCity = null"), ["bolt"]);
    assert_eq!(names(&database, "Account WHERE BillingCity != null"), ["Acme"]);
    assert_eq!(names(&database, "Account WHERE BillingCity > ''"), ["Acme"]);
    assert_eq!(names(&database, "Account WHERE AnnualRevenue < 60000"), ["Acme"]);
    assert_eq!(names(&database, "Account WHERE AnnualRevenue > 60000 OR Active__c = TRUE"), ["bolt"]);
    assert_eq!(names(&database, "Account WHERE NOT (Name = 'Acme' OR Name = 'x')"), ["bolt"]);
    assert_eq!(names(&database, "Contact WHERE Account.Name NOT IN ('Acme')"), ["beta"]);
}

#[test]
fn like_knows_wildcards_and_their_escapes() {
    let database = small_org();
    assert_eq!(names(&database, "Contact WHERE FirstName LIKE '%o%'"), ["Alpha", "beta"]);
    assert_eq!(names(&database, "Contact WHERE FirstName LIKE 'b_b'"), ["beta"]);
    assert_eq!(names(&database, r"Contact WHERE FirstName LIKE '%\_\%'"), ["Gamma"]);
    assert_eq!(names(&database, "Contact WHERE FirstName LIKE 'o%'"), Vec::<String>::new());
}

#[test]
fn multipicklists_are_tested_value_by_value() {
    let database = small_org();
    assert_eq!(names(&database, "Account WHERE Segments__c INCLUDES ('startup')"), ["Acme", "bolt"]);
    assert_eq!(names(&database, "Account WHERE Segments__c INCLUDES ('Startup;Enterprise')"), ["Acme"]);
    assert_eq!(names(&database, "Account WHERE Segments__c EXCLUDES ('Enterprise')"), ["bolt"]);
}

#[test]
fn rows_are_ordered_without_regard_to_case_and_nulls_come_first() {
    let database = small_org();
    assert_eq!(names(&database, "Contact ORDER BY LastName DESC"), ["Gamma", "beta", "Alpha"]);
    assert_eq!(names(&database, "Account ORDER BY BillingCity"), ["bolt", "Acme"]);
    assert_eq!(names(&database, "Account ORDER BY BillingCity NULLS LAST"), ["Acme", "bolt"]);
    assert_eq!(names(&database, "Contact ORDER BY LastName LIMIT 1 OFFSET 1"), ["beta"]);
}

#[test]
fn ids_are_found_in_both_forms_and_by_range() {
    let database = small_org();
    assert_eq!(names(&database, "Contact WHERE Id = '003gL0000000002'"), ["beta"]);
    assert_eq!(names(&database, "Contact WHERE Id > '003gL0000000001QAA' AND Id <= '003gL0000000002'"), ["beta"]);
    assert_eq!(names(&database, "Contact WHERE Id IN ('003gL0000000003', '003gL0000000001')"), ["Alpha", "Gamma"]);
}

#[test]
fn date_times_take_offsets_and_fractions_of_seconds_do_not_count() {
    let database = small_org();
    assert_eq!(names(&database, "Account WHERE CreatedDate = 2026-11-21T11:00:00.123+01:00").len(), 2);
    assert_eq!(names(&database, "Account WHERE SystemModstamp >= 2026-11-21T10:00:00Z").len(), 2);
    assert_eq!(names(&database, "Account WHERE CreatedDate = TODAY AND CreatedDate < TOMORROW").len(), 2);
    assert_eq!(names(&database, "Account WHERE CreatedDate > TODAY").len(), 0);
}

#[test]
fn count_is_a_total_without_records() {
    let mut database = small_org();
    let id = RecordId::parse("003gL0000000002").unwrap();
    database.delete(id, &Author { user: user(), at: at(NOW), access: &FullAccess }).unwrap();
    for (query, scope, total) in [
        ("SELECT COUNT() FROM Contact", RowScope::Live, 2),
        ("SELECT COUNT() FROM Contact", RowScope::All, 3),
        ("SELECT COUNT() FROM Contact WHERE LastName = 'beta'", RowScope::All, 1),
        ("SELECT COUNT() FROM Contact WHERE LastName = 'beta'", RowScope::Live, 0),
    ] {
        let plan = Plan::compile(query, database.schema(), &FullAccess, scope, at(NOW)).unwrap();
        let results = Arc::new(plan).execute(database.snapshot());
        assert_eq!((results.total(), results.rows(0).count()), (total, 0), "{query} {scope:?}");
    }
}

#[test]
fn an_unknown_column_is_named_with_its_place() {
    let (code, message) = failure("SELECT x FROM Contact");
    assert_eq!(code, "INVALID_FIELD");
    assert_eq!(
        message,
        "\nSELECT x FROM Contact\n       ^\nERROR at Row:1:Column:8\nNo such column 'x' on entity 'Contact'. If you are \
         attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference \
         your WSDL or the describe call for the appropriate names."
    );
}

#[test]
fn an_unknown_object_is_named_with_its_place() {
    let (code, message) = failure("SELECT Id,Name,BillingCity,IsDeleted FROM Accout");
    assert_eq!(code, "INVALID_TYPE");
    let start = "\nName,BillingCity,IsDeleted FROM Accout\n                                ^\nERROR at Row:1:Column:43\n\
                 sObject type 'Accout' is not supported.";
    assert!(message.starts_with(start), "{message}");
}

#[test]
fn a_field_that_cannot_be_filtered_or_sorted_is_refused() {
    let (code, message) = failure("SELECT Id FROM Contact WHERE Description = 'x'");
    assert_eq!(code, "INVALID_FIELD");
    assert!(message.ends_with("\nfield 'Description' can not be filtered in a query call"), "{message}");
    assert!(failure("SELECT Id FROM Contact ORDER BY Languages__c").1.contains("can not be sorted in a query call"));
}

#[test]
fn malformed_queries_are_refused_and_never_answered() {
    for query in [
        "",
        "SELECT",
        "SELECT FROM Contact",
        "SELECT * FROM Contact",
        "SELECT Id Contact",
        "SELECT Id FROM Contact WHERE",
        "SELECT Id FROM Contact WHERE LastName = 'a' AND FirstName = 'b' OR Title = 'c'",
        "SELECT Id FROM Contact WHERE LastName = 'a",
        r"SELECT Id FROM Contact WHERE LastName = 'a\q'",
        "SELECT Id FROM Contact WHERE CreatedDate > 2024-01-01T00:00:00 01:00",
        "SELECT Id FROM Contact LIMIT x",
        "SELECT Id FROM Contact; DROP",
        "SELECT COUNT(), Id FROM Contact",
        "SELECT COUNT() FROM Contact GROUP BY LastName",
        "SELECT COUNT() FROM Contact ORDER BY LastName",
        "SELECT LastName, COUNT(Id) FROM Contact",
        "SELECT FirstName FROM Contact GROUP BY LastName",
        "SELECT COUNT(Id) FROM Contact LIMIT 5",
        "SELECT COUNT(Id) FROM Contact HAVING COUNT(Id) > 1",
        "SELECT COUNT(DoNotCall) FROM Contact",
        "SELECT SUM(LastName) FROM Contact",
        "SELECT COUNT(Id) n, MAX(LastName) n FROM Contact",
        "SELECT LastName n FROM Contact",
        "SELECT CALENDAR_YEAR(CreatedDate) FROM Contact",
        "SELECT GROUPING(LastName), COUNT(Id) FROM Contact GROUP BY LastName",
        "SELECT COUNT(Id) FROM Contact GROUP BY CUBE(LastName, FirstName, Title, Department)",
        "SELECT Id FROM Contact WHERE COUNT(Id) > 1",
        "SELECT Id FROM Contact WHERE convertCurrency(Lifetime_Value__c) > 1",
        "SELECT Id FROM Contact WHERE Nonsense(LastName) = 'a'",
        "SELECT Id FROM Contact WHERE convertTimezone(CreatedDate) = TODAY",
        "SELECT Id, (SELECT COUNT() FROM Cases) FROM Contact",
        "SELECT Id, (SELECT Id FROM Cases OFFSET 1) FROM Contact",
        "SELECT Id FROM Contact WITH DATA CATEGORY Geography__c AT usa__c",
        "SELECT Id FROM Contact WITH NONSENSE",
        "SELECT Id FROM Contact ALL ROWS",
        "SELECT Id FROM Contact ORDER BY LastName FOR UPDATE",
        "SELECT Id FROM Contact FOR NOTHING",
        "SELECT TYPEOF Account WHEN Account THEN Name END FROM Contact",
        "SELECT TYPEOF Owner WHEN User THEN Name END, COUNT(Id) FROM Invoice__c",
        "SELECT TYPEOF Owner ELSE Name END FROM Invoice__c",
        "SELECT TYPEOF Owner WHEN Account THEN Name END FROM Invoice__c",
        "SELECT Id FROM Account, Contact",
        "SELECT FIELDS(ALL) FROM Contact",
        "SELECT FIELDS(CUSTOM) FROM Contact LIMIT 201",
    ] {
        assert_eq!(failure(query).0, "MALFORMED_QUERY", "{query}");
    }
}

#[test]
fn wrong_kinds_of_values_and_operators_are_refused() {
    for (query, code, words) in [
        ("SELECT Id FROM Contact WHERE LastName = 5", "INVALID_FIELD", "must be of type string and should be enclosed"),
        (
            "SELECT Id FROM Contact WHERE CreatedDate > '2024-01-01'",
            "INVALID_FIELD",
            "must be of type dateTime and should not be enclosed",
        ),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2024-01-01", "INVALID_FIELD", "of type dateTime"),
        ("SELECT Id FROM Contact WHERE Id = 'abc'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: abc"),
        ("SELECT Id FROM Contact WHERE DoNotCall > true", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
        ("SELECT Id FROM Contact WHERE MailingAddress = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
        ("SELECT Id FROM Contact OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
        ("SELECT Id, id FROM Contact", "INVALID_FIELD", "duplicate field selected: id"),
        ("SELECT Foo.Name FROM Contact", "INVALID_FIELD", "Didn't understand relationship 'Foo' in field path"),
        ("SELECT Id, (SELECT Id FROM Foos) FROM Contact", "INVALID_TYPE", "'Foos' in FROM part of query call"),
        ("SELECT Id FROM Account a, a.Contacts c WHERE c.Name = 'x'", "INVALID_FIELD", "relationship 'Contacts'"),
        ("SELECT Id FROM Contact USING SCOPE nonsense", "INVALID_QUERY_SCOPE", "nonsense"),
        ("SELECT Description FROM Contact GROUP BY Description", "INVALID_FIELD", "can not be grouped in a query call"),
        ("SELECT Id FROM Account WHERE AnnualRevenue > USD5000", "INVALID_FIELD", "invalid currency: USD"),
    ] {
        let (found, message) = failure(query);
        assert_eq!(found, code, "{query}");
        assert!(message.contains(words), "{query}: {message}");
    }
}

#[test]
fn a_statement_of_more_than_100000_characters_is_refused() {
    let query = format!("SELECT Id FROM Contact WHERE LastName = '{}'", "x".repeat(100_000));
    assert_eq!(failure(&query).1, "SOQL statements can not be longer than 100000 characters");
}

/// Hides one field, as field-level security does.
struct Hides(&'static str);

impl Access for Hides {
    fn reads(&self, object: &Object) -> bool {
        object.name != self.0
    }

    fn creates(&self, _: &Object) -> bool {
        true
    }

    fn edits(&self, _: &Object) -> bool {
        true
    }

    fn deletes(&self, _: &Object) -> bool {
        true
    }

    fn reads_field(&self, object: &Object, field: &Field) -> bool {
        format!("{}.{}", object.name, field.name) != self.0
    }

    fn edits_field(&self, _: &Object, _: &Field) -> bool {
        true
    }
}

#[test]
fn what_a_user_may_not_see_does_not_exist() {
    let database = small_org();
    let compile =
        |query: &str, hidden| Plan::compile(query, database.schema(), &Hides(hidden), RowScope::Live, at(NOW));
    for (query, hidden) in [
        ("SELECT Email FROM Contact", "Contact.Email"),
        ("SELECT Id FROM Contact WHERE Email = 'x'", "Contact.Email"),
        ("SELECT Id FROM Contact ORDER BY Email", "Contact.Email"),
        ("SELECT Account.Name FROM Contact", "Contact.AccountId"),
        ("SELECT Account.Name FROM Contact", "Account"),
    ] {
        assert_eq!(compile(query, hidden).unwrap_err().code, QueryErrorCode::InvalidField, "{query} without {hidden}");
    }
    assert_eq!(compile("SELECT Id FROM Contact", "Contact").unwrap_err().code, QueryErrorCode::InvalidType);
    let plan = compile("SELECT FIELDS(STANDARD) FROM Contact", "Contact.Email").unwrap();
    assert!(!plan.projection().unwrap().columns().any(|column| column == "Email"));
}

#[test]
fn bulk_refuses_what_its_guide_lists() {
    let database = small_org();
    for (query, words) in [
        ("SELECT BillingAddress FROM Account", "Selecting compound data not supported in Bulk Query"),
        ("SELECT COUNT() FROM Account", "Aggregate"),
        ("SELECT Id FROM Account LIMIT 5 OFFSET 5", "OFFSET"),
        ("SELECT Scan__c FROM Invoice__c", "binary"),
        ("SELECT Id FROM CaseStatus", "Entity 'CaseStatus' is not supported by the Bulk API."),
    ] {
        let refusal = compile(&database, query).unwrap().bulk_refusal().unwrap();
        assert!(refusal.message.contains(words), "{query}: {}", refusal.message);
    }
    assert_eq!(compile(&database, "SELECT Id, Owner.Name FROM Account ORDER BY Id").unwrap().bulk_refusal(), None);
}

#[test]
fn the_header_of_a_bulk_result_quotes_dotted_paths_as_written() {
    let plan = compile(&small_org(), "SELECT id, account.Owner.name FROM Contact").unwrap();
    let mut out = Vec::new();
    plan.projection().unwrap().write_csv_header(CsvDialect::default(), &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "\"Id\",\"account.Owner.name\"\n");
}

#[test]
fn a_polymorphic_owner_shows_its_name_and_type() {
    let mut database = small_org();
    insert(&mut database, "Invoice__c", json!({"Text__c": "x"}));
    let rows = run(&database, "SELECT Name, Owner.Name, Owner.Type FROM Invoice__c WHERE Owner.Type = 'User'");
    assert_eq!(rows[0]["Name"], "INV-000001");
    assert_eq!(rows[0]["Owner"]["Name"], "Ada Min");
    assert_eq!(rows[0]["Owner"]["Type"], "User");
    let author = Author { user: user(), at: at(NOW), access: &FullAccess };
    database.generate("Profile", 1, at(NOW)).unwrap();
    let profile = run(&database, "SELECT Id, Name FROM Profile")[0].clone();
    database.update(user(), &record(json!({"ProfileId": profile["Id"]})), &author).unwrap();
    let rows = run(&database, "SELECT Owner.Profile.Name FROM Invoice__c WHERE Owner.profile.Id != null");
    assert_eq!(rows[0]["Owner"]["Profile"]["Name"], profile["Name"]);
    assert_eq!(failure("SELECT Owner.Manager.Name FROM Invoice__c").0, "INVALID_FIELD");
}

#[test]
fn any_page_of_a_result_starts_where_the_one_before_ends() {
    let mut database = small_org();
    database.generate("Contact", 3_500, at(NOW)).unwrap();
    for query in ["SELECT Id FROM Contact WHERE HasOptedOutOfEmail = false", "SELECT Id FROM Contact ORDER BY LastName"]
    {
        let results = compile(&database, query).unwrap().execute(database.snapshot());
        let all: Vec<RecordId> = results.rows(0).map(|row| row.id()).collect();
        assert_eq!(all.len() as u64, results.total());
        for offset in [0, 1, 999, 1000, 1001, 2000] {
            let page: Vec<RecordId> = results.rows(offset).take(3).map(|row| row.id()).collect();
            let start = offset as usize;
            assert_eq!(page, all[start..start + 3], "{query} from {offset}");
        }
        assert_eq!(results.rows(results.total()).count(), 0);
    }
}

/// A comparison of one number field, with the answer worked out by hand.
fn expected(operator: &str, value: Option<i64>, wanted: Option<i64>) -> bool {
    match (operator, value, wanted) {
        ("=", value, wanted) => value == wanted,
        ("!=", value, wanted) => value != wanted,
        (_, None, _) | (_, _, None) => false,
        ("<", Some(value), Some(wanted)) => value < wanted,
        ("<=", Some(value), Some(wanted)) => value <= wanted,
        (">", Some(value), Some(wanted)) => value > wanted,
        (">=", Some(value), Some(wanted)) => value >= wanted,
        _ => unreachable!("an operator of the test"),
    }
}

fn numbers() -> impl Strategy<Value = Vec<Option<i64>>> {
    prop::collection::vec(prop::option::of(-3_i64..4), 1..12)
}

fn with_numbers(numbers: &[Option<i64>]) -> Database {
    let mut database = small_org();
    for number in numbers {
        insert(&mut database, "Invoice__c", json!({"Count__c": number}));
    }
    database
}

fn count_column(database: &Database, rest: &str) -> Vec<Option<i64>> {
    let rows = run(database, &format!("SELECT Count__c FROM Invoice__c {rest}"));
    rows.iter().map(|row| row["Count__c"].as_i64()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn filters_agree_with_a_naive_reference(
        numbers in numbers(),
        operator in prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]),
        wanted in prop::option::of(-3_i64..4),
        negated in any::<bool>(),
    ) {
        let database = with_numbers(&numbers);
        let shown = wanted.map_or("null".to_owned(), |number| number.to_string());
        let condition = format!("Count__c {operator} {shown}");
        let condition = if negated { format!("NOT {condition}") } else { condition };
        let found = count_column(&database, &format!("WHERE {condition}"));
        let reference: Vec<_> =
            numbers.iter().copied().filter(|value| expected(operator, *value, wanted) != negated).collect();
        prop_assert_eq!(found, reference);
    }

    #[test]
    fn orders_agree_with_a_naive_reference(numbers in numbers(), descending in any::<bool>(), last in any::<bool>(), limit in 1_usize..6) {
        let database = with_numbers(&numbers);
        let mut reference = numbers.clone();
        reference.sort_by_key(|value| (value.is_none() == last, value.map(|value| if descending { -value } else { value })));
        reference.truncate(limit);
        let direction = if descending { "DESC" } else { "ASC" };
        let nulls = if last { "NULLS LAST" } else { "NULLS FIRST" };
        let found = count_column(&database, &format!("ORDER BY Count__c {direction} {nulls} LIMIT {limit}"));
        prop_assert_eq!(found, reference);
    }
}
