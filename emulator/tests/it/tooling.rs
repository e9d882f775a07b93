//! What tools ask for when they sign in: the root, the Tooling API, users and the org as the Connect API shows them, the use
//! of apps.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v66.0";

async fn ask(acme: &Acme, token: &str, resource: &str, soql: &str) -> Seen {
    let request = acme.request(Method::GET, &format!("{ROOT}/{resource}"), token).query(&[("q", soql)]);
    Seen::of(request.send().await.unwrap()).await
}

async fn records(acme: &Acme, token: &str, resource: &str, soql: &str) -> Vec<Value> {
    let answer = ask(acme, token, resource, soql).await;
    assert_eq!(answer.status, 200, "{soql}: {}", answer.text);
    answer.json()["records"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_root_lists_the_resources_of_its_version_and_the_identity() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let newest = acme.get(ROOT, &token).await.json();
    for name in ["sobjects", "query", "queryAll", "tooling", "chatter", "connect", "jobs", "wave", "limits", "recent"] {
        assert_eq!(newest[name], format!("{ROOT}/{name}"));
    }
    let identity = newest["identity"].as_str().unwrap();
    assert!(identity.starts_with(acme.emulator.http_url()) && identity.contains("/id/00DgL000000ACME"), "{identity}");
    assert_eq!(acme.get(&identity.replace(acme.emulator.http_url(), ""), &token).await.status, 200);
    let oldest = acme.get("/services/data/v31.0", &token).await.json();
    assert!(oldest.get("jobs").is_none() && oldest.get("composite").is_none() && oldest.get("tooling").is_some());
}

#[tokio::test]
async fn the_tooling_api_serves_the_objects_of_setup_under_its_own_path() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let root = acme.get(&format!("{ROOT}/tooling"), &token).await.json();
    assert_eq!(root["query"], format!("{ROOT}/tooling/query"));
    let global = acme.get(&format!("{ROOT}/tooling/sobjects"), &token).await.json();
    let names: Vec<&str> =
        global["sobjects"].as_array().unwrap().iter().map(|object| object["name"].as_str().unwrap()).collect();
    for name in ["ApexClass", "CustomField", "CustomObject", "EntityDefinition", "TraceFlag", "User"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(!names.contains(&"Account") && !names.contains(&"Invoice__c"));
    assert_eq!(global["sobjects"][0]["urls"]["sobject"], format!("{ROOT}/tooling/sobjects/{}", names[0]));
    let describe = acme.get(&format!("{ROOT}/tooling/sobjects/CustomField/describe"), &token).await;
    assert_eq!((describe.status, &describe.json()["keyPrefix"]), (200, &json!("00N")));
    assert!(records(&acme, &token, "tooling/query", "SELECT Id, Name, Body FROM ApexClass").await.is_empty());
    let refused = ask(&acme, &token, "tooling/query", "SELECT Id FROM Account").await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "INVALID_TYPE"));
    let refused = ask(&acme, &token, "query", "SELECT Id FROM CustomField").await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "INVALID_TYPE"));
    let absent = acme.get("/services/data/v66.0/sobjects/TraceFlag/describe", &token).await;
    assert_eq!(absent.status, 404);

    let soql = "SELECT Id, DeveloperName, TableEnumOrId, EntityDefinition.QualifiedApiName FROM CustomField WHERE \
                DeveloperName = 'Level'";
    let found = records(&acme, &token, "tooling/query", soql).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["EntityDefinition"]["QualifiedApiName"], "Contact");
    assert_eq!(
        (&found[0]["TableEnumOrId"], found[0]["Id"].as_str().unwrap().get(..3)),
        (&json!("Contact"), Some("00N"))
    );
    let url = found[0]["attributes"]["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{ROOT}/tooling/sobjects/CustomField/00N")), "{url}");
    let objects = records(&acme, &token, "tooling/queryAll", "SELECT Id, DeveloperName FROM CustomObject").await;
    assert_eq!(objects[0]["DeveloperName"], "Invoice");
    let user = acme.get(&format!("{ROOT}/tooling/sobjects/User/{}", admin_id(&acme, &token).await), &token).await;
    assert_eq!(user.json()["Username"], "admin@acme.example");
    let apex = acme.get(&format!("{ROOT}/tooling/executeAnonymous"), &token).await;
    assert_eq!((apex.status, apex.code().as_str()), (403, "INSUFFICIENT_ACCESS"));
    assert_eq!(acme.get(&format!("{ROOT}/tooling/nothing"), &token).await.status, 404);
}

async fn admin_id(acme: &Acme, token: &str) -> String {
    let user = acme.get("/services/oauth2/userinfo", token).await.json();
    user["user_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_result_of_the_tooling_api_goes_on_under_its_path() {
    let acme = Acme::start_with(|scenario| {
        scenario.rows.insert("User".to_owned(), 300);
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    let request =
        acme.request(Method::GET, &format!("{ROOT}/tooling/query"), &token).query(&[("q", "SELECT Id FROM User")]);
    let page = Seen::of(request.header("sforce-query-options", "batchSize=200").send().await.unwrap()).await.json();
    let next = page["nextRecordsUrl"].as_str().unwrap();
    assert!(next.starts_with(&format!("{ROOT}/tooling/query/")), "{next}");
    assert_eq!(acme.get(next, &token).await.json()["done"], true);
}

#[tokio::test]
async fn chatter_and_connect_show_the_user_and_the_org() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let me = acme.get(&format!("{ROOT}/chatter/users/me"), &token).await.json();
    assert_eq!(
        (&me["username"], &me["name"], &me["type"]),
        (&json!("admin@acme.example"), &json!("Ada Admin"), &json!("User"))
    );
    let id = me["id"].as_str().unwrap();
    assert_eq!(me["url"], format!("{ROOT}/chatter/users/{id}"));
    assert_eq!(acme.get(&format!("{ROOT}/chatter/users/{}", &id[..15]), &token).await.json()["id"], id);
    assert_eq!(acme.get(&format!("{ROOT}/chatter/users/005000000000000"), &token).await.status, 404);
    let users = acme.get(&format!("{ROOT}/chatter/users?pageSize=1"), &token).await.json();
    assert_eq!((&users["users"][0]["id"], &users["users"][1]), (&json!(id), &Value::Null), "{users}");
    let next = acme.get(users["nextPageUrl"].as_str().unwrap(), &token).await.json();
    assert_eq!(next["previousPageUrl"], users["currentPageUrl"]);
    let batch = json!({"batchRequests": [{"method": "GET", "url": format!("{ROOT}/chatter/users/me")}]});
    let together = acme.send(Method::POST, &format!("{ROOT}/connect/batch"), &token, &batch).await.json();
    assert_eq!((&together["hasErrors"], &together["results"][0]["result"]["id"]), (&json!(false), &json!(id)));
    let org = acme.get(&format!("{ROOT}/connect/organization"), &token).await.json();
    assert_eq!((&org["name"], &org["userSettings"]["userId"]), (&json!("Acme"), &json!(id)));
    assert_eq!(
        (&org["features"]["multiCurrency"], &org["userSettings"]["canModifyAllData"]),
        (&json!(false), &json!(true))
    );
    let communities = acme.get(&format!("{ROOT}/connect/communities"), &token).await.json();
    assert_eq!(communities, json!({"communities": [], "total": 0}));
}

#[tokio::test]
async fn what_needs_a_licence_is_forbidden_and_apex_answers_nowhere() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    for path in [
        "wave",
        "wave/datasets",
        "analytics/notifications",
        "chatter/feeds/news/me/feed-elements",
        "folders",
        "ui-api/object-info/Account",
        "metadata/deployRequest",
    ] {
        let refused = acme.get(&format!("{ROOT}/{path}"), &token).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "FUNCTIONALITY_NOT_ENABLED"), "{path}");
    }
    let apex = acme.get("/services/apexrest/FieldCase?company=x", &token).await;
    assert_eq!(apex.status, 404);
    assert_eq!(apex.json(), json!([{"message": "Could not find a match for URL", "errorCode": "NOT_FOUND"}]));
    assert_eq!(acme.get("/services/apexrest/FieldCase", "wrong").await.code(), "INVALID_SESSION_ID");
}

#[tokio::test]
async fn the_use_of_apps_is_listed_and_tokens_are_taken_away() {
    let acme = Acme::start_with(|scenario| {
        let toml = "app = '3MVG9.acme.rotating'\nuser = 'sam@acme.example'\ntoken = '5Aep.sam'";
        scenario.refresh_tokens = vec![toml::from_str(toml).unwrap()];
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    let usage = format!("{ROOT}/apps/oauth/usage");
    let apps = acme.get(&usage, &token).await.json();
    let app =
        apps["apps"].as_array().unwrap().iter().find(|app| app["developerName"] == "Acme_Rotating").unwrap().clone();
    let users = acme.get(app["usersUrl"].as_str().unwrap(), &token).await.json();
    assert_eq!(users["users"][0]["username"], "sam@acme.example", "{users}");
    let tokens_url = users["users"][0]["tokensUrl"].as_str().unwrap();
    let tokens = acme.get(tokens_url, &token).await.json();
    assert_eq!(tokens["tokens"][0]["appIdentifier"], app["identifier"], "{tokens}");
    assert_eq!(
        (&tokens["tokens"][0]["useCount"], &tokens["tokens"][0]["accessTokenFormat"]),
        (&json!(1), &json!("Opaque"))
    );

    let soql = "SELECT AppName, UseCount, User.Username, DeleteToken FROM OauthToken WHERE AppName = 'Acme Rotating'";
    let rows = records(&acme, &token, "query", soql).await;
    assert_eq!((&rows[0]["User"]["Username"], &rows[0]["UseCount"]), (&json!("sam@acme.example"), &json!(1)));
    let sam = acme.sign_in_as("sam@acme.example", "sams-passwordTokenOfSam").await;
    assert_eq!(records(&acme, &sam, "query", soql).await.len(), 1);
    assert_eq!(acme.get(&usage, &sam).await.code(), "INSUFFICIENT_ACCESS");
    let integration = acme.sign_in().await;
    assert!(records(&acme, &integration, "query", "SELECT AppName FROM OauthToken").await.is_empty());
    assert_eq!(acme.get("/services/data/v58.0/apps/oauth/usage", &token).await.status, 404);

    let renewed = acme.refresh("3MVG9.acme.rotating", "acme-rotating-secret", "5Aep.sam").await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    assert_eq!(records(&acme, &token, "query", soql).await[0]["UseCount"], 2);
    let delete = rows[0]["DeleteToken"].as_str().unwrap();
    let revoked = acme.http.post(acme.url("/services/oauth2/revoke")).form(&[("token", delete)]).send().await.unwrap();
    assert_eq!(revoked.status(), 200);
    assert!(records(&acme, &token, "query", soql).await.is_empty());
    assert_eq!(acme.get(tokens_url, &token).await.json()["tokens"], json!([]));
}

#[tokio::test]
async fn the_password_of_a_user_is_a_resource() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let rows = records(&acme, &token, "query", "SELECT Id FROM User WHERE Username = 'sam@acme.example'").await;
    let path = format!("{ROOT}/sobjects/User/{}/password", rows[0]["Id"].as_str().unwrap());
    assert_eq!(acme.get(&path, &token).await.json(), json!({"IsExpired": false}));
    assert_eq!(acme.get(&path.replace("/User/", "/user/"), &token).await.status, 200);
    let weak = acme.send(Method::POST, &path, &token, &json!({"NewPassword": "weak"})).await;
    assert_eq!((weak.status, weak.code().as_str()), (400, "INVALID_NEW_PASSWORD"));
    assert_eq!(acme.send(Method::POST, &path, &token, &json!({"NewPassword": "stronger-1"})).await.status, 204);
    let sam = acme.sign_in_as("sam@acme.example", "stronger-1TokenOfSam").await;
    let made_up = Seen::of(acme.request(Method::DELETE, &path, &sam).send().await.unwrap()).await;
    let password = made_up.json()["NewPassword"].as_str().unwrap().to_owned();
    assert_eq!(acme.get(&path, &token).await.json(), json!({"IsExpired": true}));
    acme.sign_in_as("sam@acme.example", &format!("{password}TokenOfSam")).await;
    let admin = format!("{ROOT}/sobjects/User/{}/password", admin_id(&acme, &token).await);
    assert_eq!(acme.get(&admin, &sam).await.code(), "INSUFFICIENT_ACCESS");
}
