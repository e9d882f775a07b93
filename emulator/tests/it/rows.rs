//! Single records beyond reading and writing their fields: files, relationships, upserts, what was lately used.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};
use crate::rest::query;

const ROOT: &str = "/services/data/v60.0";

const BOUNDARY: &str = "boundary_string";

/// A body of a record and a file, as the REST API guide writes it.
fn multipart(entity: &str, record: &Value, field: &str, bytes: &[u8]) -> Vec<u8> {
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{entity}\";\r\nContent-Type: application/json\r\n\r\n\
         {record}\r\n--{BOUNDARY}\r\nContent-Type: application/octet-stream\r\n\
         Content-Disposition: form-data; name=\"{field}\"; filename=\"file.bin\"\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--").as_bytes());
    body
}

async fn send_form(acme: &Acme, token: &str, method: Method, path: &str, form: Vec<u8>) -> Seen {
    let media = format!("multipart/form-data; boundary=\"{BOUNDARY}\"");
    let request = acme.request(method, path, token).header("content-type", media).body(form);
    Seen::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_file_is_uploaded_as_it_is_and_read_back_byte_for_byte() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let bytes = b"--\r\n\0 binary \xff\r\n";
    let user = query(&acme, &token, "SELECT Id FROM User LIMIT 1").await.json()["records"][0]["Id"].clone();
    let record = json!({"Name": "Brochure", "FolderId": user, "Type": "pdf"});
    let form = multipart("entity_document", &record, "Body", bytes);
    let created = send_form(&acme, &token, Method::POST, &format!("{ROOT}/sobjects/Document"), form).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let path = format!("{ROOT}/sobjects/Document/{}", created.json()["id"].as_str().unwrap());
    let body = acme.request(Method::GET, &format!("{path}/Body"), &token).send().await.unwrap();
    assert_eq!(body.headers()["content-type"], "application/octet-stream");
    assert_eq!(body.bytes().await.unwrap().as_ref(), bytes);
    let read = acme.get(&path, &token).await.json();
    assert_eq!((&read["BodyLength"], &read["Body"]), (&json!(bytes.len()), &json!(format!("{path}/Body"))));

    let form = multipart("entity_document", &json!({"Name": "Renamed"}), "Body", b"new");
    assert_eq!(send_form(&acme, &token, Method::PATCH, &path, form).await.status, 204);
    assert_eq!(acme.get(&format!("{path}/Body"), &token).await.text, "new");
}

#[tokio::test]
async fn base64_is_read_in_lines_too_as_mime_writes_it() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let user = query(&acme, &token, "SELECT Id FROM User LIMIT 1").await.json()["records"][0]["Id"].clone();
    let record = json!({"Name": "Brochure", "FolderId": user, "Body": "aGVs\r\nbG8=\n"});
    let created = acme.send(Method::POST, &format!("{ROOT}/sobjects/Document"), &token, &record).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let path = format!("{ROOT}/sobjects/Document/{}/Body", created.json()["id"].as_str().unwrap());
    assert_eq!(acme.get(&path, &token).await.text, "hello");
}

#[tokio::test]
async fn a_first_version_makes_its_document_and_the_next_one_replaces_it() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let path = format!("{ROOT}/sobjects/ContentVersion");
    let first = json!({"Title": "Plan", "PathOnClient": "plan.pdf"});
    let form = multipart("entity_content", &first, "VersionData", b"one");
    let id = send_form(&acme, &token, Method::POST, &path, form).await.json()["id"].as_str().unwrap().to_owned();
    let version = acme.get(&format!("{path}/{id}"), &token).await.json();
    let document = version["ContentDocumentId"].as_str().unwrap().to_owned();
    assert_eq!((&version["FileType"], &version["ContentSize"]), (&json!("PDF"), &json!(3)));
    let second =
        json!({"Title": "Plan", "PathOnClient": "plan.pdf", "ContentDocumentId": document, "VersionData": "dHdv"});
    let next = acme.send(Method::POST, &path, &token, &second).await.json()["id"].as_str().unwrap().to_owned();
    let record = acme.get(&format!("{ROOT}/sobjects/ContentDocument/{document}"), &token).await.json();
    assert_eq!((&record["LatestPublishedVersionId"], &record["Title"]), (&json!(next), &json!("Plan")));
    let old = acme.get(&format!("{path}/{id}?fields=IsLatest"), &token).await.json();
    assert_eq!(old["IsLatest"], false);
    assert_eq!(acme.get(&format!("{path}/{next}/VersionData"), &token).await.text, "two");
}

#[tokio::test]
async fn records_are_reached_by_their_relationships() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let control = acme.emulator.control();
    let root = control.insert("Account", json!({"Name": "Root"})).unwrap();
    let account = control.insert("Account", json!({"Name": "Own", "ParentId": root.to_string()})).unwrap();
    let contact = control.insert("Contact", json!({"LastName": "Kin", "AccountId": account.to_string()})).unwrap();
    let get = async |path: &str| acme.get(&format!("{ROOT}/sobjects/{path}"), &token).await;
    let parent = get(&format!("Contact/{contact}/Account?fields=Name")).await.json();
    assert_eq!((&parent["Name"], &parent["attributes"]["type"]), (&json!("Own"), &json!("Account")));
    assert_eq!(get(&format!("Contact/{contact}/Account/Parent")).await.json()["Name"], "Root");
    let children = get(&format!("Contact/{contact}/Account/Contacts?fields=LastName")).await.json();
    assert_eq!((&children["totalSize"], &children["records"][0]["LastName"]), (&json!(1), &json!("Kin")));
    let all = get(&format!("Account/{account}/Contacts")).await.json();
    assert_eq!(all["records"][0]["Id"], contact.to_string());
    for path in [format!("Account/{root}/Parent"), format!("Contact/{contact}/Nonsense")] {
        assert_eq!(get(&path).await.status, 404, "{path}");
    }
    let path = format!("{ROOT}/sobjects/Contact/{contact}/Account");
    assert_eq!(acme.send(Method::PATCH, &path, &token, &json!({"Site": "by child"})).await.status, 204);
    assert_eq!(get(&format!("Account/{account}?fields=Site")).await.json()["Site"], "by child");
}

#[tokio::test]
async fn upserts_only_update_where_asked_create_by_id_and_name_several_matches() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let path = format!("{ROOT}/sobjects/Account/Customer_Number__c/Q-1");
    let send = async |method: Method, path: &str, body: Value| acme.send(method, path, &token, &body).await;
    let only = send(Method::PATCH, &format!("{path}?updateOnly=true"), json!({"Name": "Q"})).await;
    assert_eq!((only.status, only.code().as_str()), (404, "NOT_FOUND"));
    let named_twice = send(Method::PATCH, &path, json!({"Name": "Q", "Customer_Number__c": "Q-1"})).await;
    assert_eq!(named_twice.json()[0]["errorCode"], "INVALID_FIELD");
    assert_eq!(send(Method::PATCH, &path, json!({"Name": "Q"})).await.status, 201);
    assert_eq!(send(Method::PATCH, &format!("{path}?updateOnly=true"), json!({"Name": "R"})).await.status, 200);
    let created = send(Method::POST, &format!("{ROOT}/sobjects/Account/Id"), json!({"Name": "By id"})).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let location = created.header("location").to_owned();
    assert_eq!(location, format!("{ROOT}/sobjects/Account/{}", created.json()["id"].as_str().unwrap()));
    let with_id = send(Method::PATCH, &location, json!({"Id": "001000000000001"})).await;
    assert_eq!(with_id.json()[0]["message"], "The Id field should not be specified in the sobject data.");
}

#[tokio::test]
async fn a_value_that_a_field_cannot_be_made_of_is_an_error_of_the_parser() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let id = acme.emulator.control().insert("Account", json!({"Name": "x"})).unwrap();
    let path = format!("{ROOT}/sobjects/Account/{id}");
    let refused = acme.send(Method::PATCH, &path, &token, &json!({"AnnualRevenue": "lots"})).await;
    let message = "Cannot deserialize instance of currency from VALUE_STRING value lots or request may be missing a \
                   required field at [line:1, column:18]";
    let expected = json!([{"message": message, "errorCode": "JSON_PARSER_ERROR"}]);
    assert_eq!((refused.status, refused.json()), (400, expected));
    let number = acme.send(Method::PATCH, &path, &token, &json!({"Phone": 5_551_212})).await.json();
    let message = "Cannot deserialize instance of phone from VALUE_NUMBER_INT value 5551212 or request";
    assert!(number[0]["message"].as_str().unwrap().starts_with(message), "{number}");

    let good = json!({"attributes": {"type": "Account"}, "Name": "Not made"});
    let bad = json!({"attributes": {"type": "Contact"}, "LastName": "x", "Birthdate": ""});
    let records = json!({"records": [good, bad]});
    let refused = acme.send(Method::POST, &format!("{ROOT}/composite/sobjects"), &token, &records).await;
    let message = "Cannot deserialize instance of date from VALUE_STRING value  or request may be missing a required \
                   field at [Source: N/A; line: -1, column: -1][line:-1, column:-1]";
    assert_eq!((refused.status, refused.json()[0]["message"].as_str()), (400, Some(message)));
    let left = query(&acme, &token, "SELECT COUNT() FROM Account WHERE Name = 'Not made'").await.json();
    assert_eq!(left["totalSize"], 0);
}

#[tokio::test]
async fn records_count_as_lately_used_when_the_request_says_so() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let send = async |method: Method, path: &str, body: Value, mru: &str| {
        let request = acme.request(method, &format!("{ROOT}/{path}"), &token).header("Sforce-Mru", mru).json(&body);
        Seen::of(request.send().await.unwrap()).await
    };
    let noted = "updateMru=true";
    let first = send(Method::POST, "sobjects/Account", json!({"Name": "First"}), noted).await.json()["id"].clone();
    send(Method::POST, "sobjects/Account", json!({"Name": "Quiet"}), "updateMru=false").await;
    send(Method::POST, "sobjects/Contact", json!({"LastName": "Second"}), noted).await;
    let path = format!("sobjects/Account/{}", first.as_str().unwrap());
    send(Method::GET, &path, Value::Null, noted).await;
    let recent = acme.get(&format!("{ROOT}/recent"), &token).await.json();
    let names: Vec<&str> = recent.as_array().unwrap().iter().map(|item| item["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["First", "Second"]);
    assert_eq!(acme.get(&format!("{ROOT}/recent?limit=1"), &token).await.json().as_array().unwrap().len(), 1);
    let items = acme.get(&format!("{ROOT}/sobjects/Contact"), &token).await.json()["recentItems"].clone();
    assert_eq!((items[0]["Name"].as_str(), items.as_array().unwrap().len()), (Some("Second"), 1));
}

#[tokio::test]
async fn records_are_counted_by_object() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let path = format!("{ROOT}/limits/recordCount");
    let some = acme.get(&format!("{path}?sObjects=Account,contact,Nope"), &token).await.json();
    let contacts = query(&acme, &token, "SELECT COUNT() FROM Contact").await.json()["totalSize"].clone();
    let counts = some["sObjects"].as_array().unwrap();
    assert_eq!(counts.len(), 2);
    assert!(counts.contains(&json!({"name": "Contact", "count": contacts})), "{some}");
    assert!(acme.get(&path, &token).await.json()["sObjects"].as_array().unwrap().len() > 20);
}

#[tokio::test]
async fn what_surrounds_an_object_is_well_formed_or_refused() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let get = async |path: &str| acme.get(&format!("{ROOT}/{path}"), &token).await;
    let describe = get("sobjects/Account/describe").await.json();
    for name in ["layouts", "approvalLayouts", "compactLayouts", "quickActions", "listviews", "defaultValues"] {
        let url = describe["urls"][name].as_str().unwrap();
        assert_eq!(acme.get(url, &token).await.status, 200, "{url}");
    }
    assert!(describe["urls"]["uiDetailTemplate"].as_str().unwrap().ends_with("/{ID}"));
    let layout = describe["recordTypeInfos"][0]["urls"]["layout"].as_str().unwrap();
    assert_eq!(acme.get(layout, &token).await.status, 200);
    assert_eq!(describe["supportedScopes"][1], json!({"label": "My accounts", "name": "mine"}));
    let user = get("sobjects/User/describe").await.json();
    assert!(user["urls"]["passwordUtilities"].is_string());
    for (path, status) in [
        ("sobjects/Global/describe/layouts", 200),
        ("sobjects/Account/describe/layouts/012000000000001AAA", 404),
        ("sobjects/Account/listviews/00B000000000001", 404),
        ("sobjects/Account/quickActions/Nope/describe", 404),
        ("sobjects/Nope/describe/layouts", 404),
        ("sobjects/User/describe/namedLayouts/UserAlt", 200),
        ("sobjects/User/describe/namedLayouts/Nope", 404),
        ("sobjects/Account/describe/namedLayouts/UserAlt", 404),
        ("analytics/reports", 200),
        ("analytics/dashboards", 200),
        ("analytics/reports/00O000000000001", 404),
        ("sobjects/relevantItems", 200),
        ("theme", 200),
        ("tabs", 200),
        ("appMenu/AppSwitcher", 200),
        ("appMenu/Nope", 404),
        ("compactLayouts?q=Account,Contact", 200),
        ("quickActions", 200),
        ("process/rules", 200),
        ("process/approvals", 200),
        ("actions", 200),
        ("actions/standard", 200),
        ("actions/custom", 200),
        ("actions/custom/flow", 200),
        ("actions/custom/flow/Nope", 404),
        ("support/dataCategoryGroups", 404),
        ("nouns/x", 404),
        ("knowledgeManagement/settings", 200),
        ("event/eventSchema/x", 404),
        ("composite", 200),
    ] {
        let answer = get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
    assert_eq!(acme.send(Method::POST, &format!("{ROOT}/theme"), &token, &json!({})).await.status, 405);
}

#[tokio::test]
async fn an_org_without_rules_and_approvals_triggers_none_and_takes_no_request() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let post = async |path: &str, body: &Value| acme.send(Method::POST, &format!("{ROOT}/{path}"), &token, body).await;
    let triggered = post("process/rules", &json!({"contextIds": ["001000000000001AAA"]})).await;
    assert_eq!(triggered.json(), json!({"errors": null, "success": true}));
    let submit = json!({"requests": [
        {"actionType": "Submit", "contextId": "001000000000001AAA", "comments": "Please"},
        {"actionType": "Approve", "contextId": "04i000000000001AAA"},
    ]});
    let results = post("process/approvals", &submit).await.json();
    assert_eq!((&results[0]["success"], &results[0]["entityId"]), (&json!(false), &json!("001000000000001AAA")));
    assert_eq!(results[0]["errors"][0]["statusCode"], "NO_APPLICABLE_PROCESS");
    assert_eq!(results[1]["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(post("process/approvals", &json!({})).await.status, 400);
    let nothing = post("quickActions/LogACall", &json!({"record": {}})).await;
    assert_eq!((nothing.status, nothing.code().as_str()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn a_version_without_a_title_is_called_as_its_file_is() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let path = format!("{ROOT}/sobjects/ContentVersion");
    let version = json!({"PathOnClient": "plans/next.year.pdf", "VersionData": "b25l"});
    let created = acme.send(Method::POST, &path, &token, &version).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(acme.get(&format!("{path}/{id}?fields=Title"), &token).await.json()["Title"], "next.year");
}

#[tokio::test]
async fn objects_by_the_thousand_and_fields_by_the_hundred_are_described() {
    let acme = Acme::start_with(|scenario| {
        for number in 0..2000 {
            let mut object = emulator::schema::ObjectSpec { name: format!("Thing{number}__c"), ..Default::default() };
            let fields = if number == 0 { 800 } else { 1 };
            object.fields = (0..fields)
                .map(|field| emulator::schema::FieldSpec {
                    name: format!("Field{field}__c"),
                    kind: Some(emulator::schema::FieldType::String),
                    ..Default::default()
                })
                .collect();
            scenario.objects.push(object);
        }
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    let global = acme.get(&format!("{ROOT}/sobjects"), &token).await.json();
    assert!(global["sobjects"].as_array().unwrap().len() > 2000);
    let wide = acme.get(&format!("{ROOT}/sobjects/Thing0__c/describe"), &token).await.json();
    assert!(wide["fields"].as_array().unwrap().len() > 800);
    let user = acme.get(&format!("{ROOT}/sobjects/User/describe"), &token).await.json();
    assert!(user["childRelationships"].as_array().unwrap().len() > 2000);
}

#[tokio::test]
async fn long_numbers_are_written_to_the_last_digit() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let body = r#"{"LastName": "Exact", "Score__c": -99999999999999.9999}"#;
    let request = acme.request(Method::POST, &format!("{ROOT}/sobjects/Contact"), &token);
    let created = Seen::of(request.header("content-type", "application/json").body(body).send().await.unwrap()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let read = query(&acme, &token, "SELECT Score__c FROM Contact WHERE LastName = 'Exact'").await;
    assert!(read.text.contains("-99999999999999.9999"), "{}", read.text);
}
