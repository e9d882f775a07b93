//! Queries as a client sees them: pages of children, bodies of aggregates, refusals, and what stands beside records.

mod proof;

use emulator::Scenario;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v60.0";

/// An org, its administrator's token, and what they ask.
struct Asking {
    acme: Acme,
    token: String,
}

impl Asking {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Scenario)) -> Self {
        let acme = Acme::start_with(change).await;
        let token = acme.sign_in_as_admin().await;
        Self { acme, token }
    }

    async fn ask(&self, parameters: &[(&str, &str)], batch: Option<u32>) -> Seen {
        let mut request = self.acme.request(Method::GET, &format!("{ROOT}/query"), &self.token).query(parameters);
        if let Some(batch) = batch {
            request = request.header("Sforce-Query-Options", format!("batchSize={batch}"));
        }
        Seen::of(request.send().await.unwrap()).await
    }

    async fn query(&self, soql: &str) -> Value {
        let answer = self.ask(&[("q", soql)], None).await;
        assert_eq!(answer.status, 200, "{soql}: {}", answer.text);
        answer.json()
    }

    async fn follow(&self, result: &Value) -> Value {
        let url = result["nextRecordsUrl"].as_str().unwrap();
        let answer = self.acme.get(url, &self.token).await;
        assert_eq!(answer.status, 200, "{url}: {}", answer.text);
        answer.json()
    }

    fn insert(&self, object: &str, record: Value) -> String {
        self.acme.emulator.control().insert(object, record).unwrap().to_string()
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn ids(records: &Value) -> Vec<String> {
    records.as_array().unwrap().iter().map(|record| record["Id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_long_list_of_children_has_pages_of_its_own() {
    let asking = Asking::start_with(|scenario| scenario.pages.child_rows = 3).await;
    let account = asking.insert("Account", json!({"Name": "Family"}));
    let mut expected: Vec<String> = (0..8)
        .map(|number| asking.insert("Contact", json!({"LastName": format!("C{number}"), "AccountId": account})))
        .collect();
    expected.reverse();
    let soql = "SELECT Name, (SELECT Id FROM Contacts ORDER BY LastName DESC) FROM Account WHERE Name = 'Family'";
    let result = asking.query(soql).await;
    assert_eq!(keys(&result), ["done", "records", "totalSize"]);
    let mut page = result["records"][0]["Contacts"].clone();
    assert_eq!((&page["totalSize"], &page["done"]), (&json!(8), &json!(false)));
    assert!(page["nextRecordsUrl"].as_str().unwrap().ends_with("-3"), "{page}");
    let mut found = ids(&page["records"]);
    while page["done"] == false {
        page = asking.follow(&page).await;
        assert_eq!(page["totalSize"], 8);
        found.extend(ids(&page["records"]));
    }
    assert_eq!(found, expected);
    assert_eq!(page.get("nextRecordsUrl"), None);
}

#[tokio::test]
async fn all_children_are_found_over_pages_that_they_make_smaller() {
    let asking = Asking::start().await;
    let flat = asking.query("SELECT Id FROM Contact WHERE AccountId != null ORDER BY Id").await;
    let mut expected = ids(&flat["records"]);
    let soql = "SELECT Id, (SELECT Id FROM Contacts) FROM Account";
    let mut page = asking.ask(&[("q", soql)], Some(200)).await.json();
    assert_eq!((&page["totalSize"], &page["done"]), (&json!(120), &json!(false)));
    let (mut accounts, mut contacts) = (0, Vec::new());
    loop {
        let records = page["records"].as_array().unwrap();
        accounts += records.len();
        let lists = records.iter().filter(|account| !account["Contacts"].is_null());
        contacts.extend(lists.flat_map(|account| ids(&account["Contacts"]["records"])));
        if page["done"] == true {
            break;
        }
        page = asking.follow(&page).await;
    }
    contacts.sort();
    expected.sort();
    assert_eq!((accounts, contacts), (120, expected));
}

#[tokio::test]
async fn aggregates_are_results_without_urls() {
    let asking = Asking::start().await;
    let result = asking.query("SELECT COUNT() FROM Account").await;
    assert_eq!(result, json!({"totalSize": 120, "done": true, "records": []}));
    let result = asking.query("SELECT COUNT(Id), MIN(Name) least FROM Account").await;
    let record = &result["records"][0];
    assert_eq!((&result["totalSize"], &record["expr0"]), (&json!(1), &json!(120)));
    assert_eq!(record["attributes"], json!({"type": "AggregateResult"}));
    assert_eq!(keys(record), ["attributes", "expr0", "least"]);
    let groups = asking
        .query(
            "SELECT Industry, COUNT(Id) n FROM Account GROUP BY Industry HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC",
        )
        .await;
    let counts: Vec<i64> = groups["records"].as_array().unwrap().iter().map(|row| row["n"].as_i64().unwrap()).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b) && counts.len() > 1, "{counts:?}");
}

#[tokio::test]
async fn refusals_say_where_and_why() {
    let asking = Asking::start().await;
    for (soql, code, message) in [
        (
            "SELECT Id, (SELECT Id FROM Kids) FROM Account",
            "INVALID_TYPE",
            "\nSELECT Id, (SELECT Id FROM Kids) FROM Account\n                           ^\nERROR at Row:1:Column:28\n\
             Didn't understand relationship 'Kids' in FROM part of query call. If you are attempting to use a custom \
             relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the \
             describe call for the appropriate names.",
        ),
        (
            "SELECT Name\nFROM Account GROUP BY Id",
            "MALFORMED_QUERY",
            "\nSELECT Name FROM Account GROUP BY Id\n       ^\nERROR at Row:1:Column:8\nField must be grouped or aggregated: Name",
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact) AND Id IN (SELECT AccountId FROM Case) AND Id \
             IN (SELECT AccountId FROM Opportunity)",
            "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS",
            "Maximum 2 semi join sub-selects are allowed.",
        ),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
    ] {
        let answer = asking.ask(&[("q", soql)], None).await;
        assert_eq!(answer.status, 400, "{soql}");
        assert_eq!(answer.json(), json!([{"message": message, "errorCode": code}]), "{soql}");
    }
}

#[tokio::test]
async fn levels_of_children_depend_on_the_version_of_the_path() {
    let asking = Asking::start().await;
    let soql = "SELECT Id, (SELECT Id, (SELECT Id FROM Cases) FROM Contacts) FROM Account LIMIT 1";
    for (version, status) in [("v57.0", 400), ("v58.0", 200)] {
        let path = format!("/services/data/{version}/query");
        let request = asking.acme.request(Method::GET, &path, &asking.token).query(&[("q", soql)]);
        assert_eq!(request.send().await.unwrap().status(), status, "{version}");
    }
}

#[tokio::test]
async fn an_object_without_further_pages_says_so() {
    let asking = Asking::start_with(|scenario| {
        let object = "name = 'Registry__c'\nkey_prefix = 'a7z'\ncan = { query_more = false }\nrows = 300\nfields = []";
        scenario.objects.push(toml::from_str(object).unwrap());
        scenario.rows.insert("Registry__c".to_owned(), 300);
    })
    .await;
    let answer = asking.ask(&[("q", "SELECT Id FROM Registry__c")], Some(200)).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "EXCEEDED_ID_LIMIT"));
    assert!(answer.text.contains("Registry__c does not support queryMore(), use LIMIT to restrict"), "{}", answer.text);
    let answer = asking.ask(&[("q", "SELECT Id FROM Registry__c LIMIT 200")], Some(200)).await;
    assert_eq!((answer.status, &answer.json()["done"]), (200, &json!(true)));
}

#[tokio::test]
async fn a_query_is_explained_and_its_columns_are_described() {
    let asking = Asking::start().await;
    let plans = asking.ask(&[("explain", "SELECT Id FROM Account WHERE Name = 'x' AND Site = 'y'")], None).await.json();
    let way = &plans["plans"][0];
    let expected =
        ["cardinality", "fields", "leadingOperationType", "notes", "relativeCost", "sobjectCardinality", "sobjectType"];
    assert_eq!(keys(way), expected);
    assert_eq!((&way["leadingOperationType"], &way["sobjectCardinality"]), (&json!("Index"), &json!(120)));
    let parameters = [("q", "SELECT Id, Owner.Name, (SELECT Email FROM Contacts) FROM Account"), ("columns", "true")];
    let columns = asking.ask(&parameters, None).await.json();
    assert_eq!(keys(&columns), ["columnMetadata", "entityName", "groupBy", "idSelected", "keyPrefix"]);
    let names: Vec<&Value> = columns["columnMetadata"].as_array().unwrap().iter().map(|c| &c["columnName"]).collect();
    assert_eq!(names, ["Id", "Owner", "Contacts"]);
    let refused = asking.ask(&[("explain", "SELECT Nothing FROM Account")], None).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "INVALID_FIELD"));
}

#[tokio::test]
async fn bulk_refuses_what_only_rest_answers() {
    let asking = Asking::start().await;
    for soql in [
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT COUNT(Id) FROM Account",
        "SELECT Industry FROM Account GROUP BY Industry",
        "SELECT TYPEOF Who WHEN Contact THEN Email END FROM Task",
        "SELECT Id FROM Account OFFSET 5",
    ] {
        let body = json!({"operation": "query", "query": soql});
        let answer = asking.acme.send(Method::POST, &format!("{ROOT}/jobs/query"), &asking.token, &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "API_ERROR"), "{soql}: {}", answer.text);
    }
    let body =
        json!({"operation": "query", "query": "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)"});
    let answer = asking.acme.send(Method::POST, &format!("{ROOT}/jobs/query"), &asking.token, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// `Group` is a reserved word, and an object and a parent are called so all the same.
#[tokio::test]
async fn groups_can_be_queried_by_their_name() {
    let org = Asking::start().await;
    let group = org.insert("Group", json!({"Name": "Crew", "DeveloperName": "Crew", "Type": "Regular"}));
    let user = org.query("SELECT Id FROM User LIMIT 1").await["records"][0]["Id"].clone();
    org.insert("GroupMember", json!({"GroupId": group, "UserOrGroupId": user}));
    let counted = org.query("SELECT Type, COUNT(Id) FROM Group WHERE Name = 'Crew' GROUP BY Type").await;
    assert_eq!((&counted["records"][0]["Type"], &counted["records"][0]["expr0"]), (&json!("Regular"), &json!(1)));
    let members = org.query("SELECT Group.Name FROM GroupMember WHERE Group.Name = 'Crew'").await;
    assert_eq!(members["records"][0]["Group"]["Name"], "Crew");
}

/// django-salesforce names the object before every field.
#[tokio::test]
async fn a_semi_join_may_name_its_object_before_the_field() {
    let org = Asking::start().await;
    let account = org.insert("Account", json!({"Name": "Joined"}));
    org.insert("Contact", json!({"LastName": "Joined", "AccountId": account}));
    for inner in ["Contact.AccountId FROM Contact WHERE Contact", "c.AccountId FROM Contact c WHERE c"] {
        let soql = format!("SELECT Account.Name FROM Account WHERE Account.Id IN (SELECT {inner}.LastName = 'Joined')");
        assert_eq!(org.query(&soql).await["records"][0]["Name"], "Joined", "{soql}");
    }
    let soql = "SELECT Id FROM Account WHERE Id IN (SELECT Account.ParentId FROM Contact)";
    let refused = org.ask(&[("q", soql)], None).await;
    assert!(refused.text.contains("can only query id fields, cannot use: 'Account.ParentId'"), "{}", refused.text);
}
