//! Several requests in one call.

use reqwest::Method;
use serde_json::json;

use crate::{
    client::{Acme, Seen},
    rest::query,
};

const ROOT: &str = "/services/data/v60.0";

#[tokio::test]
async fn composite_runs_its_subrequests_in_order_and_hands_values_on() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let body = json!({"compositeRequest": [
        {"method": "POST", "url": format!("{ROOT}/sobjects/Account"), "referenceId": "account", "body": {"Name": "Parent"}},
        {"method": "POST", "url": format!("{ROOT}/sobjects/Contact"), "referenceId": "contact",
            "body": {"LastName": "Child", "AccountId": "@{account.id}"}},
        {"method": "GET", "url": format!("{ROOT}/sobjects/Contact/@{{contact.id}}?fields=AccountId"), "referenceId": "read"},
        {"method": "GET", "url": format!("{ROOT}/sobjects/Foo"), "referenceId": "wrong"},
    ]});
    let answer = acme.send(Method::POST, &format!("{ROOT}/composite"), &token, &body).await.json();
    let responses = answer["compositeResponse"].as_array().unwrap();
    let statuses: Vec<u64> = responses.iter().map(|response| response["httpStatusCode"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 201, 200, 404]);
    assert_eq!(responses[2]["body"]["AccountId"], responses[0]["body"]["id"]);
    assert_eq!(responses[3]["body"][0]["errorCode"], "NOT_FOUND");
}

#[tokio::test]
async fn a_query_in_a_composite_is_answered_as_one_by_itself_to_the_last_digit() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let contact = json!({"LastName": "Exact", "Score__c": "-99999999999999.9999"});
    acme.emulator.control().insert("Contact", contact).unwrap();
    let soql = "SELECT Score__c FROM Contact WHERE LastName = 'Exact'";
    let alone = query(&acme, &token, soql).await.text;
    let url = format!("{ROOT}/query?q={}", soql.replace(' ', "+"));
    let body = json!({"compositeRequest": [{"method": "GET", "url": url, "referenceId": "exact"}]});
    let answer = acme.send(Method::POST, &format!("{ROOT}/composite"), &token, &body).await.text;
    assert!(alone.contains("-99999999999999.9999") && answer.contains(&alone), "{alone} {answer}");
}

#[tokio::test]
async fn a_composite_that_asks_for_all_or_none_undoes_what_it_did_before_a_failure() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let before = query(&acme, &token, "SELECT Id, Name FROM Account").await.text;
    let first = query(&acme, &token, "SELECT Id FROM Account LIMIT 1").await.json()["records"][0]["Id"].clone();
    let body = json!({"allOrNone": true, "compositeRequest": [
        {"method": "POST", "url": format!("{ROOT}/sobjects/Account"), "referenceId": "a", "body": {"Name": "Not kept"}},
        {"method": "PATCH", "url": format!("{ROOT}/sobjects/Account/{}", first.as_str().unwrap()), "referenceId": "b",
            "body": {"Name": "Not kept either"}},
        {"method": "POST", "url": format!("{ROOT}/sobjects/Contact"), "referenceId": "c", "body": {"FirstName": "x"}},
        {"method": "POST", "url": format!("{ROOT}/sobjects/Account"), "referenceId": "d", "body": {"Name": "Not run"}},
    ]});
    let answer = acme.send(Method::POST, &format!("{ROOT}/composite"), &token, &body).await.json();
    let codes: Vec<&str> = answer["compositeResponse"]
        .as_array()
        .unwrap()
        .iter()
        .map(|response| response["body"][0]["errorCode"].as_str().unwrap())
        .collect();
    let halted = "PROCESSING_HALTED";
    assert_eq!(codes, [halted, halted, "REQUIRED_FIELD_MISSING", halted]);
    assert_eq!(query(&acme, &token, "SELECT Id, Name FROM Account").await.text, before);
}

#[tokio::test]
async fn one_composite_call_describes_and_asks_for_deletions_and_records() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let control = acme.emulator.control();
    let gone = control.insert("Account", json!({"Name": "Gone"})).unwrap().to_string();
    control.delete(&gone).unwrap();
    let sub = |id: &str, path: &str| json!({"method": "GET", "referenceId": id, "url": format!("{ROOT}/{path}")});
    let deleted = "sobjects/Account/deleted/?start=2026-11-21T08%3A00%3A00Z&end=2026-11-21T09%3A30%3A00%2B00%3A00";
    let requests = json!({"compositeRequest": [
        sub("describe", "sobjects/Account/describe"),
        sub("unknown", "sobjects/Nope/describe"),
        sub("deleted", deleted),
        sub("rows", "queryAll/?q=SELECT+Id+FROM+Account+WHERE+Name='Gone'"),
    ]});
    let before = acme.get(&format!("{ROOT}/limits"), &token).await;
    let answer = acme.send(Method::POST, &format!("{ROOT}/composite"), &token, &requests).await;
    let used =
        |answer: &Seen| answer.header("sforce-limit-info")[10..].split('/').next().unwrap().parse::<u64>().unwrap();
    assert_eq!(used(&answer), used(&before) + 1, "a composite call counts once");
    assert_eq!(answer.header("date"), "Sat, 21 Nov 2026 09:00:00 GMT");
    let parts = answer.json()["compositeResponse"].clone();
    assert_eq!(parts[0]["body"]["name"], "Account");
    assert_eq!(parts[0]["httpHeaders"]["Last-Modified"], "Sat, 21 Nov 2026 09:00:00 GMT");
    assert_eq!((&parts[1]["httpStatusCode"], &parts[1]["body"][0]["errorCode"]), (&json!(404), &json!("NOT_FOUND")));
    assert_eq!(parts[2]["body"]["deletedRecords"][0]["id"], json!(gone));
    assert_eq!(parts[3]["body"]["records"][0]["Id"], json!(gone));
}

#[tokio::test]
async fn a_composite_call_holds_five_queries_and_no_more() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let query = |index: usize| json!({"method": "GET", "referenceId": format!("q{index}"), "url": format!("{ROOT}/query?q=SELECT+Id+FROM+Account+LIMIT+1")});
    for (number, status) in [(5, 200), (6, 400)] {
        let requests = json!({"compositeRequest": (0..number).map(query).collect::<Vec<_>>()});
        let answer = acme.send(Method::POST, &format!("{ROOT}/composite"), &token, &requests).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

#[tokio::test]
async fn collections_and_trees_are_subrequests_and_what_they_answer_can_be_referred_to() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let account = |name: &str| json!({"attributes": {"type": "Account"}, "Name": name});
    let collection = json!({"allOrNone": true, "records": [account("First"), account("Second")]});
    let request = |all: bool, records: &serde_json::Value| {
        json!({"allOrNone": all, "collateSubrequests": true, "compositeRequest": [
            {"method": "POST", "url": format!("{ROOT}/composite/sobjects"), "referenceId": "many", "body": records},
            {"method": "POST", "url": format!("{ROOT}/sobjects/Contact"), "referenceId": "child",
                "body": {"LastName": "Of the second", "AccountId": "@{many[1].id}"}},
            {"method": "GET", "url": format!("{ROOT}/sobjects/Contact/@{{child.id}}/Account?fields=Name"), "referenceId": "up"},
        ]})
    };
    let path = format!("{ROOT}/composite");
    let answer = acme.send(Method::POST, &path, &token, &request(true, &collection)).await.json();
    assert_eq!(answer["compositeResponse"][2]["body"]["Name"], "Second", "{answer}");
    let failing = json!({"allOrNone": true, "records": [account("Third"), {"attributes": {"type": "Contact"}}]});
    let answer = acme.send(Method::POST, &path, &token, &request(true, &failing)).await.json();
    assert_eq!(answer["compositeResponse"][0]["httpStatusCode"], 200);
    assert_eq!(answer["compositeResponse"][1]["body"][0]["errorCode"], "PROCESSING_HALTED");
    let left = query(&acme, &token, "SELECT COUNT() FROM Account WHERE Name = 'Third'").await.json();
    assert_eq!(left["totalSize"], 0);
}

#[tokio::test]
async fn composite_answers_are_like_recorded_ones() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let body = json!({"compositeRequest": [
        {"referenceId": "one", "method": "GET", "url": format!("{ROOT}/query?q=SELECT Id FROM Account LIMIT 1")},
        {"referenceId": "foo", "method": "GET", "url": format!("{ROOT}/sobjects/Foo")},
    ]});
    let answer = acme.send(Method::POST, &format!("{ROOT}/composite"), &token, &body).await;
    let responses = answer.json()["compositeResponse"].clone();
    assert_eq!(responses[0]["body"]["totalSize"], 1);
    let error = json!([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]);
    let expected = json!({"body": error, "httpHeaders": {}, "httpStatusCode": 404, "referenceId": "foo"});
    assert_eq!(responses[1], expected);
}

#[tokio::test]
async fn versions_lack_the_resources_that_came_later() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    for (version, path, status) in [
        (37, "composite", 404),
        (38, "composite", 200),
        (41, "composite/sobjects/Account?ids=001000000000000&fields=Id", 404),
        (42, "composite/sobjects/Account?ids=001000000000000&fields=Id", 200),
        (49, "composite/graph", 404),
        (50, "composite/graph", 405),
        (39, "limits/recordCount", 404),
        (40, "limits/recordCount", 200),
    ] {
        let answer = acme.get(&format!("/services/data/v{version}.0/{path}"), &token).await;
        assert_eq!(answer.status, status, "v{version}.0/{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn subrequests_have_headers_of_their_own_and_names_that_can_be_referred_to() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let composite = async |version: u16, name: &str| {
        let url = format!("/services/data/v{version}.0/sobjects/Account");
        let headers = json!({"Sforce-Mru": "updateMru=true"});
        let body = json!({"compositeRequest": [
            {"method": "POST", "url": url, "referenceId": name, "body": {"Name": name}, "httpHeaders": headers},
            {"method": "POST", "url": url, "referenceId": "quiet", "body": {"Name": "quiet"}},
        ]});
        acme.send(Method::POST, &format!("/services/data/v{version}.0/composite"), &token, &body).await
    };
    assert_eq!(composite(53, "with-hyphen").await.status, 200);
    let refused = composite(54, "with-hyphen").await;
    let message = "Provided referenceId ('with-hyphen') must start with a letter or a number, and it can contain only \
                   letters, numbers and underscores ('_').";
    assert_eq!((refused.status, refused.json()[0]["message"].as_str()), (400, Some(message)));
    let recent = acme.get(&format!("{ROOT}/recent"), &token).await.json();
    assert_eq!((recent[0]["Name"].as_str(), recent.as_array().unwrap().len()), (Some("with-hyphen"), 1));
}
