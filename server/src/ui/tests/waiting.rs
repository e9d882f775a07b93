//! Save & Check while a change in Setup takes effect: the countdown, its end, and stopping it.

use emulator::{Control, Passage};
use tokio::sync::Semaphore;

use super::*;
use crate::diagnose::patience::PROPAGATION;

/// Seconds pass when the test lets them, here and in the org.
struct ByHand {
    control: Control,
    seconds: Semaphore,
}

impl Timer for ByHand {
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        // Deadlines are not reached.
        if duration > Duration::from_secs(1) {
            return std::future::pending().boxed();
        }
        async move {
            self.seconds.acquire().await.unwrap().forget();
            self.control.advance(duration);
        }
        .boxed()
    }
}

async fn slow(scenario: &str, change: impl FnOnce(&mut Scenario)) -> (Emulator, Arc<ByHand>, Installation) {
    let mut scenario = Scenario::builtin(scenario).unwrap();
    (scenario.time, scenario.org.propagation_minutes) = (Passage::Frozen, 8);
    change(&mut scenario);
    let emulator = Emulator::start(scenario, Options::default()).await.unwrap();
    let timer = Arc::new(ByHand { control: emulator.control().clone(), seconds: Semaphore::new(0) });
    let installation = reaching(&emulator, timer.clone()).await;
    (emulator, timer, installation)
}

/// Looks at a page until it shows what is waited for.
async fn shows(visitor: &Visitor<'_>, place: &str, wanted: &str) -> String {
    for _ in 0..200_000 {
        let page = visitor.get(place).await;
        if page.body.contains(wanted) {
            return page.body;
        }
        assert!(page.headers.contains_key(header::REFRESH), "over without {wanted}: {}", page.body);
        tokio::task::yield_now().await;
    }
    panic!("{place} never shows {wanted}");
}

fn left(seconds: u32) -> String {
    format!("Next attempt in <strong>{seconds} s</strong>")
}

#[tokio::test]
async fn save_and_check_counts_down_and_connects_once_the_new_app_is_known() {
    let (_emulator, timer, installation) = slow("g2-genfin/not-waited", |_| {}).await;
    let admin = installation.user(Role::Admin).await;
    let fields = [
        ("org", "harbor-credit.my.salesforce.com"),
        ("client_id", "3MVG9.harbor.genfin"),
        ("client_secret", "harbor-genfin-secret"),
    ];
    let place = admin.post("/connect/client-credentials", &fields).await.place().to_owned();
    let page = shows(&admin, &place, &left(30)).await;
    for shown in ["sign-in/unknown-consumer-key", "Stop waiting", "takes 2 to 10 minutes to work"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    timer.seconds.add_permits(1);
    shows(&admin, &place, &left(29)).await;
    timer.seconds.add_permits(479);
    let page = admin.last(&place).await.body;
    assert!(page.contains("genfin@harbor-credit.example"), "{page}");
    assert_eq!(installation.app.status().await.unwrap().len(), 1);
}

#[tokio::test]
async fn each_attempt_begins_a_new_checklist_and_whoever_stops_gets_the_form_back() {
    let key = "3MVG9.acme.integration";
    let without_api = |scenario: &mut Scenario| {
        let app = scenario.apps.iter_mut().find(|app| app.consumer_key == key).unwrap();
        app.scopes = vec!["id".to_owned()];
    };
    let (_emulator, timer, installation) = slow("acme", without_api).await;
    let admin = installation.user(Role::Admin).await;
    let fields = [("org", "acme.my.salesforce.com"), ("client_id", key), ("client_secret", "acme-integration-secret")];
    let place = admin.post("/connect/client-credentials", &fields).await.place().to_owned();
    shows(&admin, &place, "api/scope-api-missing").await;
    timer.seconds.add_permits(29);
    shows(&admin, &place, &left(1)).await;
    timer.seconds.add_permits(1);
    let second = shows(&admin, &place, &left(30)).await;
    assert_eq!(second.matches("with a certificate of its own").count(), 1, "{second}");
    admin.post(&format!("{place}/stop"), &[]).await;
    timer.seconds.add_permits(1);
    let form = admin.last(&place).await.body;
    assert!(form.contains("api/scope-api-missing") && form.contains(key), "{form}");
    assert!(installation.app.status().await.unwrap().is_empty(), "nothing is saved");
}

#[tokio::test]
async fn after_ten_minutes_what_was_found_is_shown_on_the_form() {
    let (_emulator, timer, installation) = slow("acme", |_| {}).await;
    let admin = installation.user(Role::Admin).await;
    let fields =
        [("org", "acme.my.salesforce.com"), ("client_id", "3MVG9.nobodys"), ("client_secret", "SENTINEL-secret")];
    let place = admin.post("/connect/client-credentials", &fields).await.place().to_owned();
    shows(&admin, &place, &left(30)).await;
    timer.seconds.add_permits(usize::try_from(PROPAGATION.as_secs()).unwrap());
    let page = admin.last(&place).await.body;
    assert!(page.contains("sign-in/unknown-consumer-key") && !page.contains("Stop waiting"), "{page}");
    assert_eq!(timer.seconds.available_permits(), 0);
}
