//! Certificates and sweeps on the page of a connection.

use sync::{mapping::Mapping, read::ReadChoice};
use tokio::sync::watch;

use super::{pages::connected, *};
use crate::app::import::{ImportRequest, RunEvent, Watcher};

struct Unwatched;

impl Watcher for Unwatched {
    fn event(&self, _: RunEvent<'_>) {}
}

async fn import_accounts(installation: &Installation) {
    let mapping = Mapping { object: "Account".into(), ..Mapping::default() };
    let request =
        ImportRequest { connection: "acme".into(), mappings: vec![mapping], destination: None, read: ReadChoice::Auto };
    let watcher: Arc<dyn Watcher> = Arc::new(Unwatched);
    let (_keep, stop) = watch::channel(false);
    for outcome in installation.app.import(&request, &watcher, &stop).await.unwrap() {
        outcome.result.unwrap();
    }
}

#[tokio::test]
async fn an_admin_compares_now_and_everybody_sees_the_certificate_by_month() {
    let (_emulator, installation) = connected().await;
    import_accounts(&installation).await;
    let (admin, member) = (installation.user(Role::Admin).await, installation.user(Role::Member).await);
    let before = admin.get("/connections/acme").await.body;
    assert!(before.contains("Not compared yet") && before.contains("Verify now"), "{before}");
    assert!(!member.get("/connections/acme").await.body.contains("Verify now"));

    let begun = admin.post("/connections/acme/verify", &[]).await;
    let ended = admin.last(begun.place()).await.body;
    assert!(ended.contains("The comparison is complete."), "{ended}");
    assert!(ended.contains("/connections/acme#certificates"), "{ended}");
    for visitor in [&admin, &member] {
        let page = visitor.get("/connections/acme").await.body;
        assert!(page.contains(">Equal</span>") && page.contains("every mapped column"), "{page}");
        assert!(page.contains("Account by month") && page.contains("<th scope=\"row\">20"), "{page}");
        assert!(!page.contains("--repair"), "{page}");
    }

    let database = rusqlite::Connection::open(installation.directory.path().join("data/acme.db")).unwrap();
    database.execute_batch("DELETE FROM Account WHERE rowid = (SELECT MIN(rowid) FROM Account)").unwrap();
    installation.pass(1_000);
    let begun = admin.post("/connections/acme/verify", &[("object", "Account")]).await;
    admin.last(begun.place()).await;
    let page = admin.get("/connections/acme").await.body;
    assert!(page.contains(">Differs</span>") && page.contains("1 missing, 0 left over, 0 altered"), "{page}");
    assert!(page.contains("orgtide verify acme Account --repair"), "{page}");
    let all = admin.get("/integrations").await.body;
    assert!(all.contains("One copy differs from its source"), "{all}");
    assert!(!member.get("/connections/acme").await.body.contains("--repair"), "a command is an admin's");
}
