//! Composites side by side, each of which stands or falls as a whole.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};
use crate::rest::query;

const ROOT: &str = "/services/data/v60.0";

async fn send(acme: &Acme, token: &str, graphs: Value) -> Seen {
    acme.send(Method::POST, &format!("{ROOT}/composite/graph"), token, &json!({"graphs": graphs})).await
}

fn node(method: &str, path: &str, reference: &str, body: &Value) -> Value {
    json!({"method": method, "url": format!("{ROOT}/{path}"), "referenceId": reference, "body": body})
}

#[tokio::test]
async fn each_graph_is_done_whole_or_undone_whole_and_may_read_what_it_wrote() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let parent = acme.emulator.control().insert("Account", json!({"Name": "Parent"})).unwrap();
    acme.emulator.control().insert("Contact", json!({"LastName": "Child", "AccountId": parent.to_string()})).unwrap();
    let good = json!([
        node("POST", "sobjects/Account", "new", &json!({"Name": "Of a graph"})),
        node("POST", "sobjects/Contact", "child", &json!({"LastName": "Of a graph", "AccountId": "@{new.id}"})),
        node("GET", "sobjects/Contact/@{child.id}?fields=AccountId", "read", &Value::Null),
    ]);
    let bad = json!([
        node("DELETE", &format!("sobjects/Account/{parent}"), "gone", &Value::Null),
        node("POST", "sobjects/Account", "undone", &json!({"Name": "Undone"})),
        node("POST", "sobjects/Contact", "wrong", &json!({"FirstName": "x"})),
    ]);
    let graphs = json!([
        {"graphId": "good", "compositeRequest": good},
        {"graphId": "bad", "compositeRequest": bad},
    ]);
    let before = query(&acme, &token, "SELECT Id, LastName FROM Contact WHERE LastName = 'Child'").await.text;
    let answer = send(&acme, &token, graphs).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let graphs = answer.json()["graphs"].clone();
    assert_eq!((&graphs[0]["graphId"], &graphs[0]["isSuccessful"]), (&json!("good"), &json!(true)));
    let responses = &graphs[0]["graphResponse"]["compositeResponse"];
    assert_eq!(responses[2]["body"]["AccountId"], responses[0]["body"]["id"]);
    assert_eq!(graphs[1]["isSuccessful"], false);
    let responses = graphs[1]["graphResponse"]["compositeResponse"].as_array().unwrap();
    let codes: Vec<&str> =
        responses.iter().map(|response| response["body"][0]["errorCode"].as_str().unwrap()).collect();
    assert_eq!(codes, ["PROCESSING_HALTED", "PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]);
    assert_eq!(query(&acme, &token, "SELECT COUNT() FROM Account WHERE Name = 'Undone'").await.json()["totalSize"], 0);
    // The children of the deleted account went with it, and have come back with it.
    let after = query(&acme, &token, "SELECT Id, LastName FROM Contact WHERE LastName = 'Child'").await.text;
    assert_eq!(after, before);
}

#[tokio::test]
async fn graphs_have_limits() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let read = |reference: &str| node("GET", "sobjects/Account/describe/layouts", reference, &Value::Null);
    let graph = |id: usize, nodes: usize| {
        let nodes: Vec<Value> = (0..nodes).map(|number| read(&format!("n{number}"))).collect();
        json!({"graphId": id.to_string(), "compositeRequest": nodes})
    };
    let graphs = |number: usize, nodes: usize| json!((0..number).map(|id| graph(id, nodes)).collect::<Vec<_>>());
    assert_eq!(send(&acme, &token, graphs(76, 1)).await.status, 400);
    assert_eq!(send(&acme, &token, graphs(2, 251)).await.status, 400);
    assert_eq!(send(&acme, &token, graphs(75, 2)).await.status, 200);
    assert_eq!(send(&acme, &token, json!([graph(1, 1), graph(1, 1)])).await.status, 400);
    let chain: Vec<Value> = (0..16)
        .map(|number: usize| {
            let body = match number {
                0 => json!({"Name": "0"}),
                _ => json!({"Name": "n", "ParentId": format!("@{{a{}.id}}", number - 1)}),
            };
            node("POST", "sobjects/Account", &format!("a{number}"), &body)
        })
        .collect();
    let of = |nodes: &[Value]| json!([{"graphId": "chain", "compositeRequest": nodes}]);
    assert_eq!(send(&acme, &token, of(&chain)).await.status, 400);
    let fits = send(&acme, &token, of(&chain[..15])).await.json();
    assert_eq!(fits["graphs"][0]["isSuccessful"], true, "{fits}");
}
