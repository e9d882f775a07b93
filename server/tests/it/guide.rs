//! Setup guides, and the app as files: written by the program, deployed into an emulated org, and connected.

use salesforce::{HostRules, OrgUrl, oauth::Flow};
use sync::{
    catalogue::Catalogue,
    mapping::{ColumnMapping, Mapping},
};

use orgtide::guide::{AppKind, Guide, GuideRequest, access::Access, html, markdown};

use crate::org::{ORG, end, program};

mod deployed;
mod metadata;

const USER: &str = "integration@acme.example";

fn request(flow: Flow) -> GuideRequest {
    let column = |field: &str| ColumnMapping::field(field);
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
