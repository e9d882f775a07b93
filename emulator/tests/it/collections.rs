//! Many records in one call, each with a result of its own.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};
use crate::rest::query;

const ROOT: &str = "/services/data/v60.0";
const COLLECTION: &str = "/services/data/v60.0/composite/sobjects";

async fn write(acme: &Acme, token: &str, method: Method, all_or_none: bool, records: Value) -> Seen {
    acme.send(method, COLLECTION, token, &json!({"allOrNone": all_or_none, "records": records})).await
}

fn account(name: &str) -> Value {
    json!({"attributes": {"type": "Account"}, "Name": name})
}

fn contact(last_name: &str) -> Value {
    json!({"attributes": {"type": "Contact"}, "LastName": last_name})
}

async fn count(acme: &Acme, token: &str, name: &str) -> Value {
    query(acme, token, &format!("SELECT COUNT() FROM Account WHERE Name = '{name}'")).await.json()["totalSize"].clone()
}

#[tokio::test]
async fn records_of_several_objects_are_created_with_results_in_their_order() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let nameless = json!({"attributes": {"type": "Contact"}, "FirstName": "x"});
    let untyped = json!({"Name": "What"});
    let records = json!([account("One"), nameless, untyped, contact("Two")]);
    let answer = write(&acme, &token, Method::POST, false, records).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let rows = answer.json();
    let successes: Vec<bool> = rows.as_array().unwrap().iter().map(|row| row["success"].as_bool().unwrap()).collect();
    assert_eq!(successes, [true, false, false, true]);
    assert!(rows[0]["id"].as_str().unwrap().starts_with("001") && rows[3]["id"].as_str().unwrap().starts_with("003"));
    let expected = json!([{
        "statusCode": "REQUIRED_FIELD_MISSING",
        "message": "Required fields are missing: [LastName]",
        "fields": ["LastName"],
    }]);
    assert_eq!(rows[1], json!({"success": false, "errors": expected}));
    assert_eq!(rows[0]["errors"], json!([]));
}

#[tokio::test]
async fn all_or_none_rolls_innocent_rows_back_and_says_so() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    for bad in [json!({"attributes": {"type": "Account"}}), json!({"Name": "untyped"})] {
        let rows = write(&acme, &token, Method::POST, true, json!([account("Innocent"), bad])).await.json();
        let error = &rows[0]["errors"][0];
        assert_eq!(error["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
        let message =
            "Record rolled back because not all records were valid and the request was using AllOrNone header";
        assert_eq!(error["message"], message);
        assert_eq!(rows[1]["success"], false);
        assert_eq!(count(&acme, &token, "Innocent").await, 0);
    }
}

#[tokio::test]
async fn records_are_updated_and_deleted_by_their_ids() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let created = write(&acme, &token, Method::POST, false, json!([account("Old"), account("Kept")])).await.json();
    let id = created[0]["id"].as_str().unwrap().to_owned();
    let changes = json!([
        {"attributes": {"type": "Account"}, "id": id, "Name": "New"},
        {"attributes": {"type": "Account"}, "Name": "No id"},
        {"attributes": {"type": "Account"}, "id": "003000000000001", "Name": "Wrong object"},
    ]);
    let rows = write(&acme, &token, Method::PATCH, false, changes).await.json();
    assert_eq!(rows[0], json!({"id": id, "success": true, "errors": []}));
    assert_eq!(rows[1]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
    assert_eq!(rows[2]["errors"][0]["statusCode"], "MALFORMED_ID");
    assert_eq!(count(&acme, &token, "New").await, 1);

    let malformed = "001RM000003oLrB000";
    let path = format!("{COLLECTION}?ids={id},{malformed}&allOrNone=false");
    let rows = acme.send(Method::DELETE, &path, &token, &Value::Null).await.json();
    assert_eq!(rows[0]["success"], true);
    let error = json!({"statusCode": "MALFORMED_ID", "message": format!("malformed id {malformed}"), "fields": []});
    assert_eq!(rows[1], json!({"success": false, "errors": [error]}));
    let nobody = acme.send(Method::DELETE, &format!("{COLLECTION}?ids=001000000000000"), &token, &Value::Null).await;
    let unknown =
        json!({"statusCode": "INVALID_CROSS_REFERENCE_KEY", "message": "invalid cross reference id", "fields": []});
    assert_eq!(nobody.json()[0]["errors"][0], unknown);
    let alone =
        acme.send(Method::DELETE, &format!("{ROOT}/sobjects/Account/001000000000000"), &token, &Value::Null).await;
    assert_eq!((alone.status, alone.code().as_str()), (404, "INVALID_CROSS_REFERENCE_KEY"));
    let again = acme.send(Method::DELETE, &format!("{COLLECTION}?ids={id}"), &token, &Value::Null).await.json();
    let gone = json!({"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": []});
    assert_eq!(again[0]["errors"][0], gone);
}

#[tokio::test]
async fn records_are_upserted_by_an_external_id() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let path = format!("{COLLECTION}/Account/Customer_Number__c");
    let record = |number: &str, name: &str| json!({"attributes": {"type": "Account"}, "Customer_Number__c": number, "Name": name});
    let records = json!([record("U-1", "First"), record("U-2", "Second"), record("u-1", "Twice")]);
    let rows = acme.send(Method::PATCH, &path, &token, &json!({"records": records})).await.json();
    assert_eq!((&rows[0]["created"], &rows[1]["created"]), (&json!(true), &json!(true)), "{rows}");
    assert_eq!(rows[2]["errors"][0]["statusCode"], "DUPLICATE_VALUE");
    let rows = acme.send(Method::PATCH, &path, &token, &json!({"records": [record("U-1", "Renamed")]})).await.json();
    assert_eq!((&rows[0]["created"], &rows[0]["success"]), (&json!(false), &json!(true)));
    assert_eq!(count(&acme, &token, "Renamed").await, 1);
    let records = json!([record("U-1", "Old"), {"attributes": {"type": "Account"}, "Customer_Number__c": "U-3"}]);
    let refused = acme.send(Method::PATCH, &path, &token, &json!({"allOrNone": true, "records": records})).await.json();
    assert_eq!((&refused[0]["success"], &refused[1]["success"]), (&json!(false), &json!(false)), "{refused}");
    assert_eq!(
        (&refused[0]["created"], &refused[1]["created"]),
        (&json!(false), &json!(true)),
        "as it would have been"
    );
    let path = format!("{path}?updateOnly=true");
    let records = json!([record("U-1", "Again"), record("U-9", "Unknown")]);
    let rows = acme.send(Method::PATCH, &path, &token, &json!({"records": records})).await.json();
    assert_eq!((&rows[0]["success"], &rows[0]["created"]), (&json!(true), &json!(false)));
    assert_eq!(rows[1]["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!((count(&acme, &token, "Again").await, count(&acme, &token, "Unknown").await), (json!(1), json!(0)));
    let wrong = acme.send(Method::PATCH, &format!("{COLLECTION}/Account/Phone"), &token, &json!({"records": []})).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn records_are_retrieved_in_the_order_of_their_ids_with_null_for_missing_ones() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let created = write(&acme, &token, Method::POST, false, json!([account("A"), account("B")])).await.json();
    let (a, b) = (created[0]["id"].as_str().unwrap(), created[1]["id"].as_str().unwrap());
    let path = format!("{COLLECTION}/Account?ids={b},001000000000000,{a}&fields=Name,Id");
    let rows = acme.get(&path, &token).await;
    let body = json!({"ids": [b, "001000000000000", a], "fields": ["Name", "Id"]});
    let posted = acme.send(Method::POST, &format!("{COLLECTION}/Account"), &token, &body).await;
    assert_eq!(rows.json(), posted.json(), "{}", posted.text);
    let rows = rows.json();
    assert_eq!((&rows[0]["Name"], &rows[1], &rows[2]["Name"]), (&json!("B"), &Value::Null, &json!("A")));
    assert_eq!(rows[0]["attributes"]["type"], "Account");
    let wrong = acme.get(&format!("{COLLECTION}/Account?ids={a}&fields=Nonsense"), &token).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "INVALID_FIELD"));
}

#[tokio::test]
async fn too_many_records_and_too_many_changes_of_the_object_are_refused_whole() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let before = acme.get(&format!("{ROOT}/limits"), &token).await;
    let used = |answer: &Seen| answer.header("sforce-limit-info")[10..].split('/').next().unwrap().parse::<u64>();
    let many: Vec<Value> = (0..201).map(|number| account(&format!("N{number}"))).collect();
    let refused = write(&acme, &token, Method::POST, false, json!(many)).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "EXCEEDED_ID_LIMIT"));
    let fits = write(&acme, &token, Method::POST, false, json!(many[..200])).await;
    assert_eq!(fits.json().as_array().unwrap().len(), 200);
    assert_eq!(used(&fits).unwrap(), used(&before).unwrap() + 2, "a collection counts once");
    let mixed: Vec<Value> =
        (0..11).map(|number| if number % 2 == 0 { account("mixed") } else { contact("mixed") }).collect();
    assert_eq!(write(&acme, &token, Method::POST, false, json!(mixed)).await.status, 400);
    assert_eq!(write(&acme, &token, Method::POST, false, json!(mixed[..10])).await.status, 200);
    assert_eq!(write(&acme, &token, Method::POST, false, json!([])).await.status, 400);
    assert_eq!(acme.get(COLLECTION, &token).await.status, 405);
}

#[tokio::test]
async fn parents_are_named_by_external_id_and_rights_are_those_of_the_user() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    acme.emulator.control().insert("Account", json!({"Name": "P", "Customer_Number__c": "P-1"})).unwrap();
    let mut child = contact("Child");
    child["Account"] = json!({"Customer_Number__c": "P-1"});
    let rows = write(&acme, &token, Method::POST, true, json!([child])).await.json();
    assert_eq!(rows[0]["success"], true, "{rows}");
    let soql = "SELECT Account.Name FROM Contact WHERE LastName = 'Child'";
    assert_eq!(query(&acme, &token, soql).await.json()["records"][0]["Account"]["Name"], "P");
    let reader = acme.sign_in().await;
    let rows = write(&acme, &reader, Method::POST, false, json!([account("Not mine")])).await.json();
    assert_eq!(rows[0]["success"], false);
}

#[tokio::test]
async fn files_of_a_collection_are_parts_that_its_records_name() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let parent = acme.emulator.control().insert("Account", json!({"Name": "P"})).unwrap().to_string();
    let attachment = |name: &str, part: &str| {
        let attributes = json!({"type": "Attachment", "binaryPartName": part, "binaryPartNameAlias": "Body"});
        json!({"attributes": attributes, "Name": name, "ParentId": parent})
    };
    let records = json!({"records": [attachment("a.txt", "first"), attachment("b.txt", "second")]});
    let part = |name: &str, media: &str, text: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {media}\r\n\r\n{text}\r\n")
    };
    let body = [
        part("collection", "application/json", &records.to_string()),
        part("second", "text/plain", "two"),
        part("first", "text/plain", "one"),
        "--b--".to_owned(),
    ];
    let request =
        acme.request(Method::POST, COLLECTION, &token).header("content-type", "multipart/form-data; boundary=b");
    let rows = Seen::of(request.body(body.concat()).send().await.unwrap()).await;
    assert_eq!(rows.json()[1]["success"], true, "{}", rows.text);
    for (index, text) in ["one", "two"].into_iter().enumerate() {
        let id = rows.json()[index]["id"].as_str().unwrap().to_owned();
        assert_eq!(acme.get(&format!("{ROOT}/sobjects/Attachment/{id}/Body"), &token).await.text, text);
    }
}

/// django-salesforce writes `null` where nobody asked for all or none.
#[tokio::test]
async fn a_switch_that_is_null_is_off() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let body = json!({"allOrNone": null, "records": [account("Null"), {"attributes": {"type": "Account"}}]});
    let rows = acme.send(Method::POST, COLLECTION, &token, &body).await.json();
    assert_eq!((&rows[0]["success"], &rows[1]["success"]), (&json!(true), &json!(false)));
    let list = json!({"method": "GET", "url": "/services/data/v60.0/limits", "referenceId": "l", "httpHeaders": null});
    let composite = json!({"allOrNone": null, "compositeRequest": [list]});
    let answer = acme.send(Method::POST, &format!("{ROOT}/composite"), &token, &composite).await;
    assert_eq!(answer.json()["compositeResponse"][0]["httpStatusCode"], 200, "{}", answer.text);
    let batch = json!({"haltOnError": null, "batchRequests": [{"method": "GET", "url": "v60.0/limits"}]});
    let answer = acme.send(Method::POST, &format!("{ROOT}/composite/batch"), &token, &batch).await;
    assert_eq!(answer.json()["results"][0]["statusCode"], 200, "{}", answer.text);
}
