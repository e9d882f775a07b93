//! How many requests a reading by Bulk takes: one for each page, and a few beside.

use emulator::{Effect, Fault};
use sync::{checkpoint::Position, read::ReadChoice, verify::Depth};

use crate::{
    memory::Crash,
    org::{Comparing, Org, Setting, nowhere, whole},
};

const ROWS: u64 = 3000;
const PAGE: u64 = 250;
const RESULTS: &str = "GET /services/data/*/jobs/query/*/results*";

/// An org that finds pages of more than a few records too large.
async fn org() -> Org {
    let org = Org::start(&format!("[rows]\nContact = {ROWS}\n[bulk]\npage_rows = {PAGE}")).await;
    org.emulator.control().advance(std::time::Duration::from_secs(3600));
    org
}

/// Requests for data since entry number `since` of the journal: those for pages of results, and the others.
fn requests(org: &Org, since: usize) -> (Vec<String>, Vec<String>) {
    let journal = org.emulator.control().journal();
    let data = journal[since..].iter().filter(|entry| entry.path.contains("/services/data/v"));
    data.map(|entry| format!("{} {}", entry.method, entry.path)).partition(|request| request.contains("/results"))
}

// Pitfall 55.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_and_a_certificate_take_a_request_for_each_page_and_three_beside_those_for_the_job() {
    let org = org().await;
    let durable = nowhere();
    let auto = || Setting { read: ReadChoice::Auto, ..Setting::default() };
    let mut since = 0;
    org.run(&whole("Contact"), &durable, auto()).await.unwrap();
    let binned = org.emulator.control().binned_records("Contact").len() as u64;
    let mut check = |what: &str, records: u64| {
        let (pages, others) = requests(&org, since);
        since = org.emulator.control().journal().len();
        assert_eq!(pages.len() as u64, records.div_ceil(PAGE), "{what}: {pages:#?}");
        // How often a job is asked after depends on how long it takes.
        let (asked, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|request| request.contains("query/750"));
        assert!(!asked.is_empty() && others.len() <= 3, "{what}: {others:#?}");
    };
    check("import", ROWS);
    assert_eq!(durable.lock().unwrap().rows.len() as u64, ROWS);
    for depth in [Depth::Content, Depth::Versions] {
        let certificate =
            org.verify(&whole("Contact"), &durable, Comparing { depth, ..Comparing::default() }).await.unwrap();
        assert!(certificate.is_equal());
        assert_eq!(certificate.source().rows, ROWS);
        // Deleted records are among those that are compared with.
        check(&format!("{depth:?}"), ROWS + binned);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_counts_for_the_pages_that_it_was_found_with() {
    let org = org().await;
    let durable = nowhere();
    let crash = Some(Crash::After(5));
    let by_bulk = || Setting { read: ReadChoice::Bulk, ..Setting::default() };
    org.run(&whole("Contact"), &durable, Setting { crash, ..by_bulk() }).await.unwrap_err();
    let place = durable.lock().unwrap().checkpoint.clone().unwrap().at;
    assert!(matches!(place, Position::Bulk { page_rows: Some(_), locator: Some(_), .. }), "{place:?}");
    let (since, written) = (org.emulator.control().journal().len(), durable.lock().unwrap().rows.len() as u64);
    org.run(&whole("Contact"), &durable, by_bulk()).await.unwrap();
    let (mut pages, _) = requests(&org, since);
    // What has changed since the run began is another job's.
    let job = pages[0].clone();
    pages.retain(|page| *page == job);
    assert_eq!(pages.len() as u64, (ROWS - written) / PAGE, "{pages:#?}");
    org.assert_has_all("Contact", &durable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_refuses_the_number_of_records_is_asked_for_pages_of_its_own_liking() {
    let org = org().await;
    let refusal = Effect::Error { status: 400, code: "API_ERROR".into(), message: "maxRecords is too large".into() };
    org.emulator.control().push_fault(Fault::next(RESULTS, refusal));
    let durable = nowhere();
    org.run(&whole("Contact"), &durable, Setting { read: ReadChoice::Bulk, ..Setting::default() }).await.unwrap();
    org.assert_has_all("Contact", &durable).await;
    let (pages, _) = requests(&org, 0);
    assert_eq!(pages.len() as u64, ROWS / PAGE + 1, "{pages:#?}");
}
