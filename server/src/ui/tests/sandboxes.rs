//! A sandbox beside its production org, as the console shows them, and what is decided there.

use super::*;

const UAT: &str = "acme--uat.sandbox.my.salesforce.com";

/// Production and its sandbox; the sandbox has two streams with schedules.
async fn both() -> (Emulator, Installation) {
    let sandbox = "\n[[sandboxes]]\nname = \"uat\"\nid = \"00DgL000000AUAT\"\n";
    let scenario = include_str!("../../../../emulator/scenarios/acme.toml").to_owned() + sandbox;
    let scenario = Scenario::from_toml(&scenario).unwrap();
    let emulator = Emulator::start(scenario, Options::default()).await.unwrap();
    let installation = reaching(&emulator, Arc::new(Hurrying)).await;
    let admin = installation.user(Role::Admin).await;
    let streams = [("first_import", "Account, Contact"), ("schedule", "hourly")];
    connect(&admin, &[("org", "acme.my.salesforce.com"), ("name", "acme")]).await;
    connect(&admin, &[&[("org", UAT), ("name", "acme-uat")], &streams[..]].concat()).await;
    (emulator, installation)
}

async fn connect(admin: &Visitor<'_>, more: &[(&str, &str)]) -> Answered {
    let app = [("client_id", "3MVG9.acme.integration"), ("client_secret", "acme-integration-secret")];
    let begun = admin.post("/connect/client-credentials", &[&app[..], more].concat()).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{begun:?}");
    admin.last(begun.place()).await
}

#[tokio::test]
async fn a_refreshed_sandbox_is_shown_and_an_admin_chooses_what_becomes_of_its_rows() {
    let (emulator, installation) = both().await;
    let admin = installation.user(Role::Admin).await;
    let list = admin.get("/integrations").await.body;
    assert!(list.contains("production</span>") && list.contains("sandbox (uat)</span>"), "{list}");
    let refreshed = emulator.control().org("acme--uat").unwrap().refresh_sandbox(None).unwrap();
    emulator.control().org("acme--uat").unwrap().expire_sessions();
    let checked = admin.post("/connections/acme-uat/check", &[]).await;
    admin.last(checked.place()).await;

    let page = admin.get("/connections/acme-uat").await.body;
    for shown in ["Sandbox refreshed", "sandbox (uat)", &refreshed.org_id(), "Replace the rows", "Keep the rows"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let member = installation.user(Role::Member).await;
    let seen = member.get("/connections/acme-uat").await.body;
    assert!(seen.contains("until an admin has decided") && !seen.contains("Replace the rows"), "{seen}");

    let form = admin.get(&format!("/connect/client-credentials?org={UAT}&name=acme-uat&refreshed=yes")).await.body;
    assert!(form.contains("name=\"refreshed\" value=\"yes\" checked"), "{form}");
    let target = [("org", UAT), ("name", "acme-uat")];
    let refused = connect(&admin, &target).await.body;
    assert!(refused.contains("org/sandbox-refreshed") || refused.contains("was refreshed"), "{refused}");
    let agreed = connect(&admin, &[&target[..], &[("refreshed", "yes")]].concat()).await.body;
    assert!(agreed.contains("acme-uat") && !agreed.contains("was refreshed after"), "{agreed}");
    let page = admin.get("/connections/acme-uat").await.body;
    assert!(page.contains(&refreshed.org_id()) && !page.contains("Replace the rows"), "{page}");
    assert_eq!(page.matches("hourly<br>").count(), 2, "streams and schedules stay: {page}");
}

#[tokio::test]
async fn settings_are_copied_to_another_connection_after_the_plan_was_shown() {
    let (_emulator, installation) = both().await;
    let admin = installation.user(Role::Admin).await;
    let page = admin.get("/connections/acme-uat").await.body;
    assert!(page.contains("/connections/acme-uat/promote"), "{page}");
    let empty = admin.get("/connections/acme-uat/promote").await.body;
    assert!(empty.contains("<option value=\"acme\">acme</option>") && !empty.contains("Copy to acme"), "{empty}");
    let plan = admin.get("/connections/acme-uat/promote?to=acme").await.body;
    assert_eq!((plan.matches("Is added").count(), plan.matches("Copy to acme").count()), (2, 1), "{plan}");
    let saved = admin.post("/connections/acme-uat/promote", &[("to", "acme")]).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{saved:?}");
    let there = admin.get(saved.place()).await.body;
    assert!(there.contains("The settings are copied.") && there.matches("hourly<br>").count() == 2, "{there}");
    let again = admin.get("/connections/acme-uat/promote?to=acme").await.body;
    assert!(again.contains("Nothing would be changed.") && !again.contains("Copy to acme"), "{again}");

    let fields = [("decision", "set"), ("object", "Account"), ("when", "every 15 minutes")];
    admin.post("/connections/acme-uat/schedule", &fields).await;
    let plan = admin.get("/connections/acme-uat/promote?to=acme").await.body;
    assert!(plan.contains("Is changed") && plan.contains("instead of hourly"), "{plan}");
    let refused = admin.post("/connections/acme-uat/promote", &[("to", "acme")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    let agreed = admin.post("/connections/acme-uat/promote", &[("to", "acme"), ("replace", "yes")]).await;
    assert_eq!(agreed.status, StatusCode::SEE_OTHER, "{agreed:?}");
    let member = installation.user(Role::Member).await;
    assert_eq!(member.get("/connections/acme-uat/promote").await.status, StatusCode::FORBIDDEN);
}
