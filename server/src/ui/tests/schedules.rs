//! When streams run, as the console shows and changes it.

use super::*;

const FORM: [(&str, &str); 5] = [
    ("org", "acme.my.salesforce.com"),
    ("client_id", "3MVG9.acme.integration"),
    ("client_secret", "acme-integration-secret"),
    ("first_import", "Account, Contact"),
    ("schedule", "hourly at :20"),
];

async fn connected(admin: &Visitor<'_>) {
    let begun = admin.post("/connect/client-credentials", &FORM).await;
    admin.last(begun.place()).await;
}

#[tokio::test]
async fn what_is_typed_beside_a_sign_in_is_imported_by_itself_and_its_schedule_can_be_changed() {
    let (_emulator, installation) = beside("acme").await;
    let admin = installation.user(Role::Admin).await;
    connected(&admin).await;
    let page = admin.get("/connections/acme").await.body;
    assert_eq!((page.matches("hourly at :20<br>").count(), page.matches("asked for").count()), (2, 2), "{page}");

    for (decision, object, when, shown) in [
        ("pause", "Contact", "", "Resume Contact"),
        ("resume", "Contact", "", "Pause Contact"),
        ("set", "Account", "daily at 3am europe/berlin", "daily at 03:00 Europe/Berlin<br>"),
        ("run-now", "Account", "", "Run now: Account"),
    ] {
        let fields = [("decision", decision), ("object", object), ("when", when)];
        let changed = admin.post("/connections/acme/schedule", &fields).await;
        assert_eq!(changed.status, StatusCode::SEE_OTHER, "{decision}: {changed:?}");
        let page = admin.get(changed.place()).await.body;
        assert!(page.contains(shown), "{decision}: {page}");
    }
    for fields in [
        [("decision", "set"), ("object", "Account"), ("when", "at times")],
        [("decision", "set"), ("object", "Lead"), ("when", "hourly")],
    ] {
        let refused = admin.post("/connections/acme/schedule", &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    }
    let member = installation.user(Role::Member).await;
    let page = member.get("/connections/acme").await.body;
    assert!(page.contains("daily at 03:00 Europe/Berlin") && !page.contains("/connections/acme/schedule"), "{page}");
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_is_refused_before_anybody_signs_in() {
    let (emulator, installation) = beside("acme").await;
    let admin = installation.user(Role::Admin).await;
    let mut fields = FORM;
    fields[4].1 = "now & then";
    let refused = admin.post("/connect/client-credentials", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for shown in ["is no schedule", "now &#38; then", "Account, Contact"] {
        assert!(refused.body.contains(shown), "{shown}: {}", refused.body);
    }
    assert!(emulator.control().journal().is_empty());
    let link = "/connect/password?org=acme.my.salesforce.com&first_import=Account%2CContact&schedule=hourly";
    let form = admin.get(link).await.body;
    assert!(form.contains(r#"value="Account,Contact""#) && form.contains(r#"value="hourly""#), "{form}");
}
