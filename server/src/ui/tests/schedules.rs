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

/// The hidden fields of a page's form.
fn hidden(page: &str, form: &str) -> Vec<(String, String)> {
    let form = page.split_once(form).unwrap_or_else(|| panic!("{form}: {page}")).1.split_once("</form>").unwrap().0;
    let fields = form.split(r#"<input type="hidden" name=""#).skip(1);
    let field = |field: &str| {
        let (name, rest) = field.split_once(r#"" value=""#).unwrap();
        (name.to_owned(), rest.split_once('"').unwrap().0.to_owned())
    };
    fields.map(field).filter(|(name, _)| name != "form_token").collect()
}

/// The address that follows some text of a page.
fn link(page: &str, before: &str) -> String {
    let found = page.split_once(before).unwrap_or_else(|| panic!("{before}: {page}")).1;
    format!("{before}{}", found.split_once('"').unwrap().0).replace("&#38;", "&").replace("&amp;", "&")
}

#[tokio::test]
async fn what_a_link_says_is_kept_when_another_address_is_typed_and_through_every_step() {
    const SAID: &str = "name=acme-eu&customer=Acme+EU&api_version=60.0&client_id=3MVG9.acme.integration\
         &username=sync%40acme.example&other_user=yes&first_import=Account%2CContact&schedule=hourly+at+%3A20";
    let (_emulator, installation) = beside("acme").await;
    let stranger = installation.visitor();
    let entrance = format!("/connect?{SAID}");
    let sign_in = stranger.get(&entrance).await;
    let kept = url::Url::parse("https://console").unwrap().join(sign_in.place()).unwrap();
    assert_eq!(kept.query_pairs().find(|(name, _)| name == "to").unwrap().1, entrance, "{sign_in:?}");

    let admin = installation.user(Role::Admin).await;
    let first = admin.get(&entrance).await.body;
    let typed = |org: &str, page: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(hidden(page, r#"action="/connect""#)).append_pair("org", org);
        format!("/connect?{}", query.finish())
    };
    let wrong = admin.get(&typed("example.com", &first)).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let read = admin.get(&typed("acme.my.salesforce.com", &wrong.body)).await.body;
    let way = link(&read, "/connect/jwt-bearer?");
    assert_eq!(way, format!("/connect/jwt-bearer?org=acme.my.salesforce.com&{SAID}"));

    let form = admin.get(&way).await.body;
    for value in ["Account,Contact", "hourly at :20", "Acme EU", "acme-eu", "60.0", "sync@acme.example"] {
        assert!(form.contains(&format!(r#"value="{value}""#)), "{value}: {form}");
    }
    assert_eq!(link(&form, "/connect?"), format!("/connect?org=acme.my.salesforce.com&{SAID}"), "the way back");
    let fields = hidden(&form, r#"action="/certificate""#);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let made = admin.post("/certificate", &fields).await;
    assert_eq!(made.place(), format!("/connect/jwt-bearer?org=acme.my.salesforce.com&done=certificate&{SAID}"));
}
