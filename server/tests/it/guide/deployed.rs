//! The app as files, deployed into an emulated org and connected: all by the command line, as an admin and a vendor would.

use std::{collections::BTreeSet, net::TcpListener, path::Path};

use emulator::Scenario;
use orgtide::{
    app::connect::{AppChoice, ConnectRequest, device::DevicePoll},
    diagnose::Quiet,
    store::{connections::Confirmed, journal::Actor},
};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::{
    org::{Acme, ORG},
    person::{Answer, Person},
};

const USER: &str = "integration@acme.example";
const SAM: (&str, &str) = ("sam@acme.example", "sams-password");

/// The org of `acme`, whose integration user may not read anything yet.
async fn org_before_setup() -> Acme {
    let mut scenario = Scenario::builtin("acme").unwrap();
    let user = scenario.users.iter_mut().find(|user| user.username == USER).unwrap();
    user.permission_sets.clear();
    Acme::of(scenario).await
}

/// What the admin does with `sf org assign permset`.
fn assign(org: &Acme, user: &str, permission_set: &str) {
    org.emulator
        .control()
        .change_setup(|setup| {
            let user = setup.users.iter_mut().find(|known| known.username == user).unwrap();
            user.permission_sets.push(permission_set.to_owned());
        })
        .unwrap();
}

/// A request to the emulator's own page and control routes, as a browser sends it.
async fn http(org: &Acme, method: &str, path: &str, body: &str) -> String {
    let address = org.emulator.http_url().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// `sf project deploy start`.
async fn deploy(org: &Acme, folder: &Path) {
    let body = serde_json::json!({ "folder": folder }).to_string();
    let answer = http(org, "POST", "/__emulator/deploy", &body).await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

/// Key and secret as the page shows them to people.
async fn key_and_secret(org: &Acme, app: &str) -> (String, String) {
    let page = http(org, "GET", "/", "").await;
    let shown = |what: &str| {
        let (_, rest) = page.split_once(&format!("{what} of {app}\"")).unwrap_or_else(|| panic!("no {what}: {page}"));
        let before = page.len() - rest.len();
        let field = &page[page[..before].rfind("<dt").or_else(|| page[..before].rfind("<div")).unwrap()..];
        let (_, code) = field.split_once("<code").unwrap();
        let (_, code) = code.split_once('>').unwrap();
        code.split_once('<').unwrap().0.trim().to_owned()
    };
    (shown("consumer key"), shown("consumer secret"))
}

/// Custom fields of an object that the connection's user sees.
async fn custom_fields(org: &Acme, object: &str) -> BTreeSet<String> {
    let described = org.run(&format!("objects describe acme {object} --json")).await.json();
    let fields = described["object"]["fields"].as_array().unwrap().iter();
    fields.filter(|field| field["custom"] == true).map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_exported_app_is_deployed_connected_and_reads_exactly_what_was_mapped() {
    let org = org_before_setup().await;
    let folder = org.directory.path().join("acme-app");
    let export = format!(
        "export-app {} --org {ORG} --name Acme_Sync --email admin@acme.example --run-as {USER} --object Contact \
         --field Id --field LastName --field Email --field Level__c --field MailingCity --field Account.Credit_Limit__c",
        folder.display()
    );
    let exported = org.run(&format!("{export} --json")).await;
    assert_eq!(exported.code, 0, "{exported:?}");
    let fields = ["Account.Credit_Limit__c", "Contact.AccountId", "Contact.Email", "Contact.Level__c"];
    let fields: Vec<&str> = fields.into_iter().chain(["Contact.MailingAddress"]).collect();
    assert_eq!(exported.json()["fields"], serde_json::json!(fields));

    deploy(&org, &folder).await;
    assign(&org, USER, "Acme_Sync_Read");
    let (key, secret) = key_and_secret(&org, "Acme_Sync").await;
    let connected = org
        .run_with(&format!("connect acme --org {ORG} --client-id {key}"), &[("ORGTIDE_CLIENT_SECRET", &secret)])
        .await;
    assert_eq!(connected.code, 0, "{connected:?}");
    assert!(connected.out.contains(USER), "{}", connected.out);

    assert_eq!(custom_fields(&org, "Contact").await, BTreeSet::from(["Level__c".to_owned()]));
    assert_eq!(custom_fields(&org, "Account").await, BTreeSet::from(["Credit_Limit__c".to_owned()]));
    let imported = org.run("import acme Contact --fields Id,LastName,Email,Level__c,Account.Credit_Limit__c").await;
    assert_eq!(imported.code, 0, "{imported:?}");
    let listed = org.run("objects list acme --json").await.json();
    assert!(!listed.to_string().contains("\"Opportunity\""), "{listed}");

    let refused = org.run(&export).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("are there already") && refused.err.contains("--force"), "{}", refused.err);
}

#[tokio::test]
async fn a_connection_exports_what_its_streams_read_today() {
    let org = Acme::start().await;
    org.connect().await;
    let imported = org.run("import acme Account --limit 5").await;
    assert_eq!(imported.code, 0, "{imported:?}");
    let mapping = org.directory.path().join("contacts.toml");
    let text = "object = \"Contact\"\ncolumns = [{ field = \"Level__c\" }, { field = \"Not_Yet__c\" }]\n";
    std::fs::write(&mapping, text).unwrap();
    let folder = org.directory.path().join("acme-app");
    let export = format!("export-app {} --connection acme --mapping {}", folder.display(), mapping.display());
    let exported = org.run(&format!("{export} --email admin@acme.example --run-as {USER} --json")).await;
    assert_eq!(exported.code, 0, "{exported:?}");
    let document = exported.json();
    let fields: Vec<&str> =
        document["fields"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect();
    for field in ["Account.Active__c", "Account.BillingAddress", "Account.Industry", "Contact.Level__c"] {
        assert!(fields.contains(&field), "{field}: {fields:?}");
    }
    // What the user cannot see yet is what the permission set is for.
    assert!(fields.contains(&"Contact.Not_Yet__c"), "{fields:?}");
    assert!(document["warnings"].to_string().contains("Not_Yet__c"), "{document}");
    assert!(!fields.iter().any(|field| field.ends_with(".Name") || field.ends_with("Street")), "{fields:?}");
    assert!(std::fs::read_to_string(folder.join("README.md")).unwrap().contains("--instance-url https://acme.my."));
}

#[tokio::test]
async fn a_stream_of_all_fields_exports_a_permission_set_that_deploys() {
    let org = Acme::start().await;
    org.connect().await;
    for object in ["Account", "Contact", "Opportunity"] {
        assert_eq!(org.run(&format!("import acme {object} --limit 1")).await.code, 0);
    }
    for flow in ["client-credentials", "web-server", "device"] {
        let folder = org.directory.path().join(flow);
        let export = format!("export-app {} --connection acme --flow {flow} --name {flow}_App", folder.display());
        let exported = org.run(&format!("{export} --email admin@acme.example").replace("-credentials_", "_")).await;
        assert_eq!(exported.code, 0, "{exported:?}");
        deploy(&org, &folder).await;
    }
}

/// Exports an app for `flow`, deploys it, lets `user` use it, and reads its key and its secret.
async fn deployed(org: &Acme, flow: &str, user: &str, more: &str) -> (String, String) {
    let folder = org.directory.path().join("app");
    let export = format!("export-app {} --org {ORG} --flow {flow} --name Sync {more}", folder.display());
    let exported = org.run(&format!("{export} --email admin@acme.example --object Contact --field Email")).await;
    assert_eq!(exported.code, 0, "{exported:?}");
    deploy(org, &folder).await;
    assign(org, user, "Sync_Read");
    key_and_secret(org, "Sync").await
}

#[tokio::test]
async fn an_exported_app_is_connected_by_a_certificate_that_was_made_here() {
    let org = org_before_setup().await;
    let file = org.directory.path().join("acme.crt");
    let made = org.run(&format!("certificate acme --output {}", file.display())).await;
    assert_eq!(made.code, 0, "{made:?}");
    let certificate = format!("--certificate {}", file.display());
    let (key, _) = deployed(&org, "jwt-bearer", USER, &certificate).await;
    let line = format!("connect acme --org {ORG} --flow jwt-bearer --client-id {key} --username {USER} --json");
    let connected = org.run_with(&line, &[("ORGTIDE_CLIENT_SECRET", "")]).await;
    assert_eq!(connected.code, 0, "{connected:?}");
    assert_eq!(connected.json()["username"], USER);
}

#[tokio::test]
async fn an_exported_app_is_connected_by_a_browser_with_a_secret_and_without() {
    for more in ["", "--public"] {
        let org = Acme::start().await;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let callback = format!("http://localhost:{port}/OauthRedirect");
        let more = format!("--callback https://sync.example.com/cb --callback {callback} {more}");
        let (key, secret) = deployed(&org, "web-server", SAM.0, &more).await;
        let secret = if more.contains("--public") { String::new() } else { secret };
        let line = format!(
            "connect acme --org {ORG} --flow web-server --client-id {key} --no-browser --callback {callback} --json"
        );
        let mut child = org.spawn_with(&line, &[("ORGTIDE_CLIENT_SECRET", &secret)]);
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let opened: Value = serde_json::from_str(&out.next_line().await.unwrap().unwrap()).unwrap();
        let url = opened["url"].as_str().unwrap_or_else(|| panic!("{opened}"));
        let seen = Person::new(&org.emulator, SAM.0, SAM.1).visit(url, Answer::Allow).await;
        assert!(seen.text.contains("Connected"), "{more}: {seen:?}");
        let connected: Value = serde_json::from_str(&out.next_line().await.unwrap().unwrap()).unwrap();
        assert_eq!(connected["username"], SAM.0, "{connected}");
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn an_exported_app_is_connected_by_a_code_on_another_device() {
    let org = Acme::start().await;
    let (client_id, secret) = deployed(&org, "device", SAM.0, "").await;
    let app = org.app(&[]).await;
    let request = ConnectRequest {
        name: None,
        org: ORG.to_owned(),
        customer: None,
        app: AppChoice::Own { client_id, client_secret: Some(secret.into()) },
        api_version: None,
        confirmed: Confirmed::default(),
        owner: None,
        actor: Actor::CommandLine,
        first_import: Default::default(),
    };
    let begun = app.begin_device(request, "browser").await.unwrap();
    let seen = Person::new(&org.emulator, SAM.0, SAM.1).visit(begun.prefilled_uri.as_str(), Answer::Allow).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    org.emulator.control().advance(begun.interval);
    let DevicePoll::Connected(connected) = app.poll_device(&begun.id, "browser", &Quiet).await.unwrap() else {
        panic!()
    };
    assert_eq!(connected.user.preferred_username, SAM.0);
}

#[tokio::test]
async fn somebody_without_the_permission_set_does_not_get_in() {
    let org = org_before_setup().await;
    let (key, secret) = deployed(&org, "client-credentials", SAM.0, &format!("--run-as {USER}")).await;
    let line = format!("connect acme --org {ORG} --client-id {key}");
    let refused = org.run_with(&line, &[("ORGTIDE_CLIENT_SECRET", &secret)]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("not admin approved"), "{}", refused.err);
}
