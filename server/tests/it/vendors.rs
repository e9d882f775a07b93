//! Five vendors' guides, each played from an empty installation to imported rows by the command line. The org is what its
//! administrator has set up by the guide; what was handed over is typed in.

use emulator::Scenario;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
};

use crate::{
    org::{Acme, Ended, rows},
    person::{Answer, Person},
};

async fn org(guide: &str) -> Acme {
    Acme::of(Scenario::builtin(guide).unwrap()).await
}

/// Starts `connect`, and reads the first line: where the person goes.
async fn begin(org: &Acme, line: &str, settings: &[(&str, &str)]) -> (Child, Lines<BufReader<ChildStdout>>, Value) {
    let mut child = org.spawn_with(&format!("connect {line} --json"), settings);
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = out.next_line().await.unwrap().unwrap();
    (child, out, serde_json::from_str(&first).unwrap())
}

/// Imports, compares the counts with what the org has, and checks what is remembered.
async fn imports_and_is_well(org: &Acme, name: &str, objects: &[(&str, i64)], settings: &[(&str, &str)]) {
    for (object, expected) in objects {
        let imported = org.run_with(&format!("import {name} {object}"), settings).await;
        assert_eq!(imported.code, 0, "{imported:?}");
        let database = org.data().join(format!("{name}.db"));
        assert_eq!(rows(&database, &format!("SELECT COUNT(*) FROM {object}")), *expected, "{object}");
    }
    let checked = org.run_with(&format!("check {name}"), settings).await;
    assert_eq!(checked.code, 0, "{checked:?}");
}

fn connected(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json()
}

#[tokio::test]
async fn g1_fynancial_an_administrator_enters_a_code_and_a_verification_code_from_their_mail() {
    let org = org("g1-fynancial/completed").await;
    let secret = [("ORGTIDE_CLIENT_SECRET", "meridian-fynancial-secret")];
    let line = "fynancial --org https://meridian-wealth.my.salesforce.com/ --flow device \
                --client-id 3MVG9.meridian.fynancial";
    let (mut child, mut out, shown) = begin(&org, line, &secret).await;
    let link =
        format!("{}?user_code={}", shown["verification_uri"].as_str().unwrap(), shown["user_code"].as_str().unwrap());
    let mut rhea = Person::new(&org.emulator, "rhea@meridian-wealth.example", "meridian-admin-password");
    rhea.visit(&link, Answer::Allow).await;
    let last: Value = serde_json::from_str(&out.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(
        (child.wait().await.unwrap().code(), &last["username"]),
        (Some(0), &"rhea@meridian-wealth.example".into())
    );
    // "Ready" and "cannot be imported", before anything is.
    assert_eq!(org.run("stage run fynancial Contact").await.code, 0);
    let staged = org.run("stage list fynancial Contact --json").await.json();
    assert_eq!((&staged["ready"], &staged["rejected"]), (&1800.into(), &0.into()), "{staged}");
    imports_and_is_well(&org, "fynancial", &[("Account", 400), ("Contact", 1800)], &[]).await;
}

#[tokio::test]
async fn g1_fynancial_followed_to_the_letter_says_that_the_scopes_are_missing() {
    let org = org("g1-fynancial").await;
    let secret = [("ORGTIDE_CLIENT_SECRET", "meridian-fynancial-secret")];
    let line = "fynancial --org meridian-wealth.my.salesforce.com --flow device --client-id 3MVG9.meridian.fynancial";
    let (mut child, _, refused) = begin(&org, line, &secret).await;
    assert_eq!(child.wait().await.unwrap().code(), Some(3));
    let error = &refused["error"];
    assert!(error["message"].as_str().unwrap().contains("invalid_scope"), "{error}");
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.contains("Selected OAuth Scopes"), "{remedy}");
}

#[tokio::test]
async fn g2_genfin_client_credentials_with_the_version_of_the_form() {
    let org = org("g2-genfin").await;
    let line = "connect genfin --org harbor-credit.my.salesforce.com --client-id 3MVG9.harbor.genfin --api-version v60.0 \
                --json";
    let ended = org.run_with(line, &[("ORGTIDE_CLIENT_SECRET", "harbor-genfin-secret")]).await;
    assert_eq!(connected(&ended)["api_version"], "v60.0");
    let checked = org.run("check genfin").await;
    assert_eq!(checked.code, 0, "accounts are none of Genfin's business: {checked:?}");
    imports_and_is_well(&org, "genfin", &[("Contact", 2500)], &[]).await;
    let database = org.data().join("genfin.db");
    assert!(rows(&database, "SELECT COUNT(*) FROM Contact WHERE Genfin_Borrower_Id__c IS NOT NULL") > 0);
}

#[tokio::test]
async fn g3_mailfino_a_user_signs_in_with_the_app_of_the_server_configuration() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let callback = format!("http://localhost:{port}/oauth/callback");
    let mut scenario = Scenario::builtin("g3-mailfino").unwrap();
    scenario.apps.iter_mut().for_each(|app| app.callback_urls = vec![callback.clone()]);
    let org = Acme::of(scenario).await;
    let config = org.directory.path().join("config.toml");
    let app = "[client_apps.nordlicht]\nclient_id = '3MVG9.nordlicht.mailfino'\n\
               client_secret = 'nordlicht-mailfino-secret'\norgs = ['nordlicht.my.salesforce.com']\n";
    std::fs::write(&config, app).unwrap();
    let settings = [("ORGTIDE_CONFIG", config.to_str().unwrap())];
    let line = format!("nordlicht.my.salesforce.com --flow web-server --app --no-browser --callback {callback}");
    let (mut child, mut out, opened) = begin(&org, &line, &settings).await;
    let mut mia = Person::new(&org.emulator, "mia@nordlicht.example", "nordlicht-mia-password");
    mia.visit(opened["url"].as_str().unwrap(), Answer::Allow).await;
    let last: Value = serde_json::from_str(&out.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!((child.wait().await.unwrap().code(), &last["username"]), (Some(0), &"mia@nordlicht.example".into()));
    imports_and_is_well(&org, "nordlicht", &[("Contact", 1600)], &settings).await;
    let status = org.run_with("status --json", &settings).await;
    assert!(!status.out.contains("3MVG9.nordlicht"), "an app of the server configuration is not shown");
}

#[tokio::test]
async fn g4_multisource_connector_client_credentials_of_a_connected_app() {
    let org = org("g4-multisource-csm").await;
    let line = "connect source --org brightwater.my.salesforce.com --client-id 3MVG9.brightwater.csm --json";
    let ended = org.run_with(line, &[("ORGTIDE_CLIENT_SECRET", "brightwater-csm-secret")]).await;
    assert_eq!(connected(&ended)["flow"], "client-credentials");
    // Build, Test, Full import, with a record limit.
    assert_eq!(org.run("stage build source Account").await.code, 0);
    assert_eq!(org.run("stage test source Account").await.code, 0);
    assert_eq!(rows(&org.data().join("source.db"), "SELECT COUNT(*) FROM Account"), 10);
    assert_eq!(org.run("stage import source Account").await.code, 0);
    assert_eq!(org.run("stage run source Contact --limit 100").await.code, 0);
    let staged = org.run("stage list source Contact --json").await.json();
    assert_eq!((&staged["ready"], &staged["rejected"]), (&100.into(), &0.into()), "{staged}");
    imports_and_is_well(&org, "source", &[("Account", 1200), ("Contact", 4000)], &[]).await;
}

#[tokio::test]
async fn g5_tesorio_a_password_with_a_security_token_works_says_that_it_is_ending_and_imports_by_itself() {
    let org = org("g5-tesorio").await;
    let line = "connect tesorio --org login.salesforce.com --flow password --client-id 3MVG9.cascade.tesorio \
                --username tesorio@cascade-freight.example --then-import Account,Contact --every 15m --json";
    let secrets = [
        ("ORGTIDE_CLIENT_SECRET", "cascade-tesorio-secret"),
        ("ORGTIDE_PASSWORD", "cascade-tesorio-password"),
        ("ORGTIDE_SECURITY_TOKEN", "TesorioSecurityToken000000"),
    ];
    let ended = org.run_with(line, &secrets).await;
    let document = connected(&ended);
    let warning = document["warnings"][0].as_str().unwrap();
    assert!(warning.contains("is ending") && warning.contains("client credentials"), "{warning}");
    let streams = document["streams"].as_array().unwrap();
    let imported: Vec<_> = streams.iter().map(|stream| (stream["object"].as_str().unwrap(), &stream["rows"])).collect();
    assert_eq!(imported, [("Account", &1500.into()), ("Contact", &3500.into())], "nobody has asked for them again");
    let status = org.run("status --json").await.json();
    for stream in status["connections"][0]["streams"].as_array().unwrap() {
        assert_eq!(stream["schedule"]["schedule"], "every 15 minutes", "{stream}");
        assert!(stream["schedule"]["next_at"].is_string(), "{stream}");
    }
    imports_and_is_well(&org, "tesorio", &[("Account", 1500), ("Contact", 3500)], &[]).await;
    matches_customers(&org).await;
}

/// Customers that Tesorio has already are found by the field that holds their id, and get the phone of the account.
async fn matches_customers(org: &Acme) {
    let database = org.data().join("tesorio.db");
    let own = rusqlite::Connection::open(&database).unwrap();
    own.execute_batch(
        "CREATE TABLE customers (id TEXT PRIMARY KEY, title TEXT, phone TEXT, city TEXT);
         INSERT INTO customers SELECT DISTINCT Tesorio_Customer_Id__c, 'own', NULL, 'own' FROM Account
         WHERE Tesorio_Customer_Id__c IS NOT NULL ORDER BY Id LIMIT 900;
         INSERT INTO customers VALUES ('nobody', 'own', NULL, 'own');
         CREATE TABLE expected AS SELECT a.Id AS record, c.id, a.Phone AS phone FROM Account AS a
         LEFT JOIN customers AS c ON c.id = a.Tesorio_Customer_Id__c",
    )
    .unwrap();
    drop(own);
    let mapping = org.data().join("customers.toml");
    let text = r#"
        object = "Account"
        rest = true
        [match]
        table = "customers"
        key = "id"
        by = [[{ theirs = "id", ours = "Tesorio_Customer_Id__c" }]]
        [match.columns]
        title = { from = "Name", wins = "theirs" }
        phone = { from = "Phone", wins = "salesforce" }
        city = { from = "BillingCity", wins = "empty" }
    "#;
    std::fs::write(&mapping, text).unwrap();
    let foreseen =
        org.run(&format!("map preview tesorio --file {} --records 200 --json", mapping.display())).await.json();
    let imported = org.run(&format!("import tesorio --mapping {}", mapping.display())).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    let is = |sql: &str, expected: i64| assert_eq!(rows(&database, sql), expected, "{sql}");
    is("SELECT COUNT(*) FROM customers", 901);
    is("SELECT COUNT(*) FROM expected WHERE id IS NOT NULL", 900);
    is("SELECT COUNT(*) FROM expected AS e JOIN customers AS c ON c.id = e.id WHERE c.phone IS NOT e.phone", 0);
    is(
        "SELECT COUNT(*) FROM customers WHERE phone IS NOT NULL",
        rows(&database, "SELECT COUNT(phone) FROM expected WHERE id IS NOT NULL"),
    );
    is("SELECT COUNT(*) FROM customers WHERE title <> 'own' OR city <> 'own'", 0);
    is("SELECT COUNT(*) FROM _orgtide_matches WHERE status = 'matched'", 900);
    is("SELECT COUNT(*) FROM _orgtide_matches WHERE status = 'unmatched'", 600);

    for record in foreseen["previews"][0]["records"].as_array().unwrap() {
        let (id, foreseen) = (record["record_id"].as_str().unwrap(), &record["match"]);
        let status = foreseen["status"].as_str().unwrap();
        let key = foreseen["their_key"].as_str().unwrap_or_default();
        let link = format!("record = '{id}' AND status = '{status}' AND coalesce(their_key, '') = '{key}'");
        is(&format!("SELECT COUNT(*) FROM _orgtide_matches WHERE {link}"), 1);
        let (is_matched, has_phone) = (status == "matched", record["row"]["Phone"].is_string());
        assert_eq!(foreseen["changes"].as_array().is_some_and(|changes| !changes.is_empty()), is_matched && has_phone);
    }

    let list = |line: &str| format!("match list tesorio {line} --limit 1000 --json");
    let open = org.run(&list("")).await.json();
    let waiting = open["streams"][0]["matches"].as_array().unwrap().clone();
    assert_eq!((waiting.len(), &open["streams"][0]["matched_with"]), (600, &"customers".into()));
    let record = waiting[0]["record"].as_str().unwrap();
    let linked = org.run(&format!("match link tesorio Account {record} nobody --json")).await;
    assert_eq!((linked.code, &linked.json()["their_key"]), (0, &"nobody".into()), "{linked:?}");
    is(
        &format!(
            "SELECT COUNT(*) FROM customers WHERE id = 'nobody' AND phone IS (SELECT Phone FROM Account WHERE Id = '{record}')"
        ),
        1,
    );
    let other = waiting[1]["record"].as_str().unwrap();
    assert_eq!(org.run(&format!("match ignore tesorio Account {other}")).await.code, 0);
    let unknown = org.run(&format!("match link tesorio Account {other} missing --json")).await;
    assert!(
        unknown.code == 3 && unknown.json()["error"]["message"].as_str().unwrap().contains("missing"),
        "{unknown:?}"
    );
    let retried = org.run("match retry tesorio --json").await.json();
    assert_eq!(retried["streams"][0]["unmatched"], 598);
    let decided = org.run(&list("--status ignored")).await.json();
    assert_eq!(decided["streams"][0]["matches"][0]["decided_by"], "command line");
    let elsewhere = org.run("match list tesorio Contact --json").await;
    assert!(
        elsewhere.code == 3 && elsewhere.json()["error"]["message"].as_str().unwrap().contains("[match]"),
        "{elsewhere:?}"
    );
}
