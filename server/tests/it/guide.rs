//! Setup guides, and the app as files: written by the program, deployed into an emulated org, and connected.

use std::{collections::BTreeSet, path::Path};

use emulator::Scenario;
use salesforce::{HostRules, OrgUrl, oauth::Flow};
use sync::{
    catalogue::Catalogue,
    mapping::{ColumnMapping, Mapping},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use orgtide::guide::{AppKind, Guide, GuideRequest, access::Access, html, markdown};

use crate::org::{Acme, ORG, end, program};

mod metadata;

const USER: &str = "integration@acme.example";

fn request(flow: Flow) -> GuideRequest {
    let column = |field: &str| ColumnMapping { field: field.to_owned(), column: None };
    let columns = ["Id", "Email", "Level__c", "Account.Name"].map(column).to_vec();
    let mapping = Mapping { object: "Contact".into(), columns, ..Mapping::default() };
    GuideRequest {
        org: Some(OrgUrl::parse(ORG, HostRules::default()).unwrap()),
        app_name: "Acme Sync".into(),
        contact_email: Some("admin@acme.example".into()),
        integration_user: match flow {
            Flow::WebServer | Flow::Device | Flow::RefreshToken => None,
            _ => Some(USER.into()),
        },
        access: Access::of(&[mapping], &Catalogue::default()),
        ..GuideRequest::new(flow, "https://sync.example.com/oauth/callback")
    }
}

#[test]
fn each_way_to_connect_has_a_guide_that_reads_well() {
    for flow in Flow::ALL {
        let guide = Guide::of(&request(flow));
        insta::assert_snapshot!(format!("guide_{}", flow.name()), markdown::render(&guide));
    }
}

#[test]
fn an_org_that_still_has_a_connected_app_has_a_guide_of_its_own() {
    for flow in [Flow::WebServer, Flow::Device, Flow::ClientCredentials, Flow::JwtBearer] {
        let guide = Guide::of(&GuideRequest { connected_app: true, ..request(flow) });
        assert_eq!(guide.app, AppKind::ConnectedApp);
        assert!(guide.warnings.iter().any(|warning| warning.contains("Spring '26")), "{:?}", guide.warnings);
        insta::assert_snapshot!(format!("guide_connected_app_{}", flow.name()), markdown::render(&guide));
    }
}

#[test]
fn a_guide_for_no_org_in_particular_has_no_links_and_asks_for_the_my_domain() {
    let guide = Guide::of(&GuideRequest::new(Flow::ClientCredentials, "http://localhost:8723/oauth/callback"));
    assert!(guide.steps.iter().any(|step| step.title == "Look up the My Domain"));
    assert!(guide.steps.iter().filter_map(|step| step.place.as_ref()).all(|place| place.url.is_none()));
}

#[test]
fn every_form_of_a_guide_says_the_same() {
    for flow in Flow::ALL {
        let guide = Guide::of(&request(flow));
        let page = html::page(&guide).replace("&#39;", "'").replace("&#34;", "\"").replace("&#62;", ">");
        let document = serde_json::to_value(&guide).unwrap();
        for step in &guide.steps {
            assert!(page.contains(&step.title.replace('<', "&#60;")), "{flow}: {}", step.title);
            for text in step.traps.iter().chain(&step.actions).chain(&step.check) {
                assert!(page.contains(&text.replace('&', "&#38;").replace('<', "&#60;")), "{flow}: {text}");
            }
        }
        assert_eq!(document["flow"], flow.name());
        assert_eq!(document["steps"].as_array().unwrap().len(), guide.steps.len());
        let fragment = html::fragment(&guide);
        assert!(fragment.trim_start().starts_with("<article") && !fragment.contains("<h1"), "{fragment}");
        assert_eq!(fragment.matches("class=\"guide-step\"").count(), guide.steps.len());
    }
}

#[tokio::test]
async fn a_guide_is_printed_saved_and_never_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: String| {
        let mut command = program(&line);
        command.env("HOME", folder.path());
        end(command)
    };
    let guide = format!("guide --flow client-credentials --org https://{ORG}/lightning/setup --run-as {USER}");
    let printed = run(format!("{guide} --object Contact --field Email")).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(printed.out.starts_with("# Connect acme.my.salesforce.com to Orgtide"), "{}", printed.out);
    assert!(printed.out.contains("`http://localhost:8723/oauth/callback`"), "{}", printed.out);

    let document = run(format!("{guide} --json")).await.json();
    assert_eq!((&document["flow"], &document["app"]), (&"client-credentials".into(), &"external-client-app".into()));

    let file = folder.path().join("guide.html");
    let save = format!("{guide} --format html --output {}", file.display());
    assert_eq!(run(save.clone()).await.code, 0);
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("<!DOCTYPE html>"));
    let refused = run(format!("{save} --json")).await;
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (3, &"package".into()), "{refused:?}");
    assert_eq!(run(format!("{save} --force")).await.code, 0);
    // Nothing of an installation is made by writing a guide.
    assert!(!folder.path().join(".local").exists());
}

#[tokio::test]
async fn what_the_platform_would_refuse_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, "-----BEGIN PRIVATE KEY-----\nSENTINEL\n-----END PRIVATE KEY-----\n").unwrap();
    let app = folder.path().join("app");
    for (wrong, words) in [
        ("--email admin".to_owned(), "no e-mail address"),
        ("--email a@b.example --name 1st".to_owned(), "begin with a letter"),
        ("--email a@b.example --callback http://sync.example.com/cb".to_owned(), "must use https"),
        ("--email a@b.example --run-as integration".to_owned(), "form of an e-mail address"),
        ("--email a@b.example --object Contact --field E<mail".to_owned(), "letters, digits and underscores"),
        ("--email a@b.example --public".to_owned(), "public client"),
        ("--email a@b.example --flow jwt-bearer".to_owned(), "needs a certificate"),
        (format!("--email a@b.example --flow jwt-bearer --certificate {}", key.display()), "private key"),
    ] {
        let mut command = program(&format!("export-app {} {wrong}", app.display()));
        command.env("HOME", folder.path());
        let refused = end(command).await;
        assert_eq!(refused.code, 3, "{wrong}: {refused:?}");
        assert!(refused.err.contains(words) && !refused.err.contains("SENTINEL"), "{wrong}: {}", refused.err);
    }
    assert!(!app.exists());
}

/// The org of `acme`, whose integration user may not read anything yet.
async fn org_before_setup() -> Acme {
    let mut scenario = Scenario::builtin("acme").unwrap();
    let user = scenario.users.iter_mut().find(|user| user.username == USER).unwrap();
    user.permission_sets.clear();
    Acme::of(scenario).await
}

/// What the admin does with `sf org assign permset`.
fn assign(org: &Acme, permission_set: &str) {
    org.emulator
        .control()
        .change_setup(|setup| {
            let user = setup.users.iter_mut().find(|user| user.username == USER).unwrap();
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
    assign(&org, "Acme_Sync_Read");
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
