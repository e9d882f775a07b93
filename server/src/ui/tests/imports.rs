//! The page of an import.

use serde_json::json;
use sync::{mapping::Mapping, read::ReadChoice};
use tokio::sync::watch;

use super::{pages::connected, *};
use crate::app::import::{ImportRequest, RunEvent, Watcher};

struct Unwatched;

impl Watcher for Unwatched {
    fn event(&self, _: RunEvent<'_>) {}
}

/// Imports contacts of which those without a title are rejected.
async fn import(installation: &Installation) {
    let columns = json!([{"field": "LastName"}, {"field": "Title", "required": true}]);
    import_as(installation, json!({"object": "Contact", "filter": "Department = 'Probe'", "columns": columns})).await;
}

async fn import_as(installation: &Installation, mapping: serde_json::Value) {
    let mapping: Mapping = serde_json::from_value(mapping).unwrap();
    let request =
        ImportRequest { connection: "acme".into(), mappings: vec![mapping], destination: None, read: ReadChoice::Auto };
    let watcher: Arc<dyn Watcher> = Arc::new(Unwatched);
    let (_keep, stop) = watch::channel(false);
    for outcome in installation.app.import(&request, &watcher, &stop).await.unwrap() {
        outcome.result.unwrap();
    }
}

#[tokio::test]
async fn the_page_of_an_import_counts_what_is_rejected_and_names_the_command_that_lists_it() {
    let (emulator, installation) = connected().await;
    let control = emulator.control();
    let mut untitled = Vec::new();
    for (name, title) in [("Ada", Some("Countess")), ("Bob", None), ("Cy", None)] {
        let contact = json!({"LastName": name, "Department": "Probe", "Title": title});
        let id = control.insert("Contact", contact).unwrap();
        untitled.extend(title.is_none().then_some(id));
    }
    import(&installation).await;
    let admin = installation.user(Role::Admin).await;
    let listed = admin.get("/connections/acme").await.body;
    assert!(listed.contains("2 rejected: <code>orgtide rejected acme Contact</code>"), "{listed}");
    let shown = |body: &str, count: &str| {
        body.contains(&format!("{count} rejected: <code>orgtide rejected acme Contact</code>"))
    };
    let page = admin.get("/connections/acme/import").await.body;
    assert!(shown(&page, "2"), "{page}");

    control.update(&untitled[0].to_string(), json!({"Title": "Clerk"})).unwrap();
    let begun = admin.post("/connections/acme/sync", &[]).await;
    let page = admin.last(begun.place()).await.body;
    assert!(page.contains("The import is complete.") && shown(&page, "1"), "{page}");
    let member = installation.user(Role::Member).await;
    assert!(shown(&member.get(begun.place()).await.body, "1"), "of everybody's concern");

    control.update(&untitled[1].to_string(), json!({"Title": "Clerk"})).unwrap();
    let begun = admin.post("/connections/acme/sync", &[]).await;
    let page = admin.last(begun.place()).await.body;
    assert!(page.contains("The import is complete.") && !page.contains("rejected"), "{page}");
}

#[tokio::test]
async fn the_page_of_a_connection_shows_admins_which_changes_of_fields_wait_for_a_decision() {
    let (emulator, installation) = connected().await;
    import_as(&installation, json!({"object": "Contact", "filter": "Department = 'Probe'", "drift": "ask"})).await;
    let control = emulator.control();
    control
        .change_setup(|setup| {
            setup.profiles.values_mut().for_each(|profile| profile.hidden_fields.push("Contact.Title".into()));
        })
        .unwrap();
    control.advance(Duration::from_secs(20 * 60));
    installation.pass(20 * 60_000);
    let admin = installation.user(Role::Admin).await;
    let decide = "orgtide drift acme Contact";
    assert!(!admin.get("/connections/acme").await.body.contains(decide));

    let begun = admin.post("/connections/acme/sync", &[]).await;
    admin.last(begun.place()).await;
    let page = admin.get("/connections/acme").await.body;
    assert!(page.contains(decide) && page.contains("Title"), "{page}");
    let member = installation.user(Role::Member).await;
    assert!(!member.get("/connections/acme").await.body.contains(decide));
}
