//! Full-text search.

use emulator::Scenario;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v60.0";

async fn find(acme: &Acme, token: &str, sosl: &str) -> Seen {
    let request = acme.request(Method::GET, &format!("{ROOT}/search"), token).query(&[("q", sosl)]);
    Seen::of(request.send().await.unwrap()).await
}

/// An org whose rows are the test's own.
async fn org() -> (Acme, String) {
    let acme = Acme::start_with(|scenario: &mut Scenario| scenario.rows.clear()).await;
    let token = acme.sign_in_as_admin().await;
    let control = acme.emulator.control();
    for (name, phone) in [("Zephyr Airlines", "(415) 555-1212"), ("Zephyr Hotels", "0"), ("Boreas Ltd", "1")] {
        control.insert("Account", json!({"Name": name, "Phone": phone, "Description": "windy business"})).unwrap();
    }
    let person = json!({"FirstName": "Zoe", "LastName": "Zephyr", "Email": "zoe@boreas.example"});
    control.insert("Contact", person).unwrap();
    (acme, token)
}

fn names(answer: &Seen) -> Vec<String> {
    let records = answer.json()["searchRecords"].clone();
    let name = |record: &Value| record["Name"].as_str().unwrap_or_default().to_owned();
    records.as_array().unwrap_or_else(|| panic!("{}", answer.text)).iter().map(name).collect()
}

#[tokio::test]
async fn words_are_found_in_the_fields_of_every_object_that_is_asked_for() {
    let (acme, token) = org().await;
    let answer = find(&acme, &token, "FIND {zephyr} RETURNING Account(Name), Contact(Id, Name)").await;
    assert_eq!(names(&answer), ["Zephyr Airlines", "Zephyr Hotels", "Zoe Zephyr"]);
    assert_eq!(answer.json()["searchRecords"][2]["attributes"]["type"], "Contact");
    let everywhere = find(&acme, &token, "FIND {zephyr}").await;
    assert_eq!(everywhere.status, 200, "{}", everywhere.text);
    let everywhere = everywhere.json();
    assert_eq!(everywhere["searchRecords"].as_array().unwrap().len(), 3, "{everywhere}");
    let keys: Vec<&String> = everywhere["searchRecords"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["Id", "attributes"]);
    for (sosl, expected) in [
        ("FIND {\"windy business\" AND NOT hotels} RETURNING Account(Name)", 2),
        ("FIND {zeph* OR boreas} IN NAME FIELDS RETURNING Account(Name)", 3),
        ("FIND {windy} IN NAME FIELDS RETURNING Account(Name)", 0),
        ("FIND {boreas} IN EMAIL FIELDS RETURNING Contact(Name), Account(Name)", 1),
        ("FIND {4155551212} IN PHONE FIELDS RETURNING Account(Name)", 1),
        ("FIND {zephyr} IN SIDEBAR FIELDS RETURNING Account(Name), Contact LIMIT 2", 2),
        ("FIND {b?reas} RETURNING Account(Name) WITH SNIPPET(target_length=120)", 1),
    ] {
        let answer = find(&acme, &token, sosl).await;
        assert_eq!(names(&answer).len(), expected, "{sosl}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_is_returned_is_filtered_ordered_and_limited_as_in_soql() {
    let (acme, token) = org().await;
    let sosl = "FIND {zephyr} RETURNING Account(Name WHERE Name LIKE '%s' ORDER BY Name DESC LIMIT 1 OFFSET 1)";
    assert_eq!(names(&find(&acme, &token, sosl).await), ["Zephyr Airlines"]);
    let wrong = find(&acme, &token, "FIND {zephyr} RETURNING Account(Nonsense)").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "INVALID_FIELD"));
    let wrong = find(&acme, &token, "FIND {zephyr} RETURNING Nonsense").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "INVALID_TYPE"));
}

#[tokio::test]
async fn searches_that_are_malformed_are_refused_and_old_versions_answer_with_an_array() {
    let (acme, token) = org().await;
    let refused = find(&acme, &token, "SELECT Id FROM Account").await;
    let message = "No search term found. The search term must be enclosed in braces.";
    assert_eq!((refused.status, refused.json()), (400, json!([{"message": message, "errorCode": "MALFORMED_SEARCH"}])));
    let old = acme.get("/services/data/v36.0/search?q=FIND+%7Bboreas%7D+RETURNING+Account(Name)", &token).await;
    assert_eq!(old.json()[0]["Name"], "Boreas Ltd");
    let hidden = acme.sign_in().await;
    let answer = find(&acme, &hidden, "FIND {zoe} RETURNING Lead").await;
    assert_eq!(answer.code(), "INVALID_TYPE");
}

#[tokio::test]
async fn a_search_goes_without_sosl_by_parameters() {
    let (acme, token) = org().await;
    let path = format!(
        "{ROOT}/parameterizedSearch?q=Zephyr&sobject=Account&Account.fields=Id,Name&Account.limit=1&sobject=Contact&fields=Name"
    );
    let got = acme.get(&path, &token).await;
    assert_eq!(names(&got), ["Zephyr Airlines", "Zoe Zephyr"]);
    let body = json!({
        "q": "Zephyr",
        "in": "NAME",
        "fields": ["Name"],
        "sobjects": [{"name": "Account", "where": "Name = 'Zephyr Hotels'"}, {"name": "Contact"}],
        "overallLimit": 10,
    });
    let posted = acme.send(Method::POST, &format!("{ROOT}/parameterizedSearch"), &token, &body).await;
    assert_eq!(names(&posted), ["Zephyr Hotels", "Zoe Zephyr"]);
    assert_eq!(acme.get(&format!("{ROOT}/parameterizedSearch"), &token).await.status, 400);
}

#[tokio::test]
async fn suggestions_are_records_whose_name_begins_as_it_is_typed() {
    let (acme, token) = org().await;
    let answer = acme.get(&format!("{ROOT}/search/suggestions?q=zep&sobject=Account&limit=1"), &token).await.json();
    assert_eq!(answer["autoSuggestResults"][0]["Name"], "Zephyr Airlines", "{answer}");
    assert_eq!(answer["hasMoreResults"], true);
    assert_eq!(answer["meta"]["nameFields"], json!([{"entityApiName": "Account", "fieldApiName": "Name"}]));
    let layout = acme.get(&format!("{ROOT}/search/layout?q=Account,Contact"), &token).await.json();
    assert_eq!(layout[1]["searchColumns"][0]["field"], "Contact.Name");
    assert_eq!(acme.get(&format!("{ROOT}/search/scopeOrder"), &token).await.json(), json!([]));
}
