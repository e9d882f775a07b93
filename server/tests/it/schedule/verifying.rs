//! Copies that are held against their source by themselves.

use orgtide::{schedule::verifying::Verifier, store::runs::Purpose};
use sync::verify::Depth;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn pass(acme: &Acme, clock: &HandClock, time: Duration) {
    clock.advance_by(time);
    acme.emulator.control().advance(time);
}

async fn import_whole(app: &App, connection: &str, object: &str) {
    let mapping = Mapping { object: object.into(), ..Mapping::default() };
    let request = ImportRequest {
        connection: connection.into(),
        mappings: vec![mapping],
        destination: None,
        read: ReadChoice::Auto,
    };
    for outcome in app.import(&request, &unwatched(), &never()).await.unwrap() {
        outcome.result.unwrap();
    }
}

/// Looks once, and waits for what that began.
async fn look(app: &Arc<App>) {
    let mut verifier = Verifier::new(Arc::clone(app), never());
    verifier.look().await.unwrap();
    verifier.ended().await;
}

/// How many certificates have been made.
async fn certificates(app: &App) -> usize {
    let runs = app.latest_runs("acme", &[], 100).await.unwrap();
    runs.iter().filter(|run| run.run.purpose == Purpose::Verify && run.run.state == "completed").count()
}

/// A connected org whose accounts are copied whole, on the store of a fixture.
async fn copied(fixture: &Fixture, settings: &[(&str, &str)]) -> (Acme, Arc<App>) {
    let acme = Acme::start().await;
    let app = Arc::new(app_on(fixture, &acme, settings).await);
    connect(&app, "acme", ORG, (CLIENT_ID, CLIENT_SECRET)).await;
    pass(&acme, &fixture.clock, DAY);
    import_whole(&app, "acme", "Account").await;
    (acme, app)
}

on_both_databases! {
    async fn a_copy_gets_its_first_certificate_after_a_day_and_then_one_a_week_whoever_serves(fixture: Fixture) {
        let (acme, app) = copied(&fixture, &[]).await;
        look(&app).await;
        assert_eq!(certificates(&app).await, 0, "its turn comes in a day");
        pass(&acme, &fixture.clock, DAY);
        let other = Arc::new(app_on(&fixture, &acme, &[]).await);
        tokio::join!(look(&app), look(&other));
        assert_eq!(certificates(&app).await, 1, "one process does it: {}", fixture.kind());
        let (_, kept) = app.latest_certificates("acme").await.unwrap().remove(0);
        assert_eq!((kept.certificate.depth, kept.certificate.is_equal()), (Depth::Versions, true));
        drop((app, other));
        let restarted = Arc::new(app_on(&fixture, &acme, &[]).await);
        pass(&acme, &fixture.clock, WEEK - Duration::from_secs(60));
        look(&restarted).await;
        assert_eq!(certificates(&restarted).await, 1, "what is next stands in the store");
        pass(&acme, &fixture.clock, Duration::from_secs(120));
        look(&restarted).await;
        assert_eq!(certificates(&restarted).await, 2);
        let (_, status) = restarted.one_status("acme").await.unwrap();
        let next = status.streams[0].verification.next_at.unwrap();
        assert_eq!(next, fixture.clock.now().after(WEEK));
    }

    async fn nothing_is_compared_while_a_stream_is_due_or_the_org_has_no_calls_to_spare(fixture: Fixture) {
        let (acme, app) = copied(&fixture, &[]).await;
        pass(&acme, &fixture.clock, DAY);
        decide(&app, "acme", Decision::RunNow).await;
        look(&app).await;
        assert_eq!(certificates(&app).await, 0, "a run is wanted");
        work_off(&mut workers(&app)).await;
        let spent = Arc::new(app_on(&fixture, &acme, &[("ORGTIDE_VERIFY_BELOW_PERCENT", "0")]).await);
        look(&spent).await;
        look(&app).await;
        assert_eq!(certificates(&app).await, 0, "it is looked again in an hour");
        pass(&acme, &fixture.clock, Duration::from_secs(3600));
        look(&app).await;
        assert_eq!(certificates(&app).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_told_and_put_right_where_that_is_set_and_never_switches_it_off() {
    for (settings, is_equal) in [(vec![], false), (vec![("ORGTIDE_VERIFY_REPAIR", "true")], true)] {
        let clock = Arc::new(HandClock::new());
        let acme = Acme::start().await;
        let app = Arc::new(App::open(acme.config(&settings), clock.clone(), "test").await.unwrap());
        connect(&app, "acme", ORG, (CLIENT_ID, CLIENT_SECRET)).await;
        pass(&acme, &clock, DAY);
        import_whole(&app, "acme", "Account").await;
        let database = rusqlite::Connection::open(acme.data().join("acme.db")).unwrap();
        database.execute_batch("DELETE FROM Account WHERE rowid IN (SELECT rowid FROM Account LIMIT 3)").unwrap();
        pass(&acme, &clock, DAY);
        let off = acme.config(&[("ORGTIDE_VERIFY_EVERY_HOURS", "0")]);
        look(&Arc::new(App::open(off, clock.clone(), "test").await.unwrap())).await;
        assert_eq!(certificates(&app).await, 0);
        look(&app).await;
        let (_, status) = app.one_status("acme").await.unwrap();
        let certificate = status.streams[0].certificate.as_ref().unwrap();
        assert_eq!((certificate.is_equal, certificate.repaired.is_some()), (is_equal, is_equal), "{certificate:?}");
        assert_eq!(status.streams[0].verification.trouble, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_not_compared_and_a_failure_that_a_person_cures_is_told() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    let app = Arc::new(acme.app_with_clock(clock.clone()).await);
    connect(&app, "acme", ORG, (CLIENT_ID, CLIENT_SECRET)).await;
    import(&app, "acme", &[("Account", "Account")]).await;
    pass(&acme, &clock, DAY);
    look(&app).await;
    let (_, status) = app.one_status("acme").await.unwrap();
    let verification = &status.streams[0].verification;
    assert_eq!((verification.next_at, verification.trouble.as_deref()), (None, None));
    assert_eq!(certificates(&app).await, 0);

    import_whole(&app, "acme", "Contact").await;
    pass(&acme, &clock, DAY);
    std::fs::remove_file(acme.data().join("acme.db")).unwrap();
    std::fs::create_dir(acme.data().join("acme.db")).unwrap();
    look(&app).await;
    let (_, status) = app.one_status("acme").await.unwrap();
    let contact = status.streams.iter().find(|stream| stream.object == "Contact").unwrap();
    assert!(contact.verification.trouble.is_some(), "{:?}", contact.verification);
}
