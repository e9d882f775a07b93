//! Bulk API 2.0 queries.

use std::num::NonZeroUsize;

use emulator::Effect;
use salesforce::{
    ApiError, ApiVersion, Client, ErrorCode,
    bulk::{JobId, JobWait, Locator, ResultChunk},
    error::BulkRefusal,
    query::Deleted,
};

use crate::acme::{Acme, VERSION};

const CREATE: &str = "POST /services/data/vXX.X/jobs/query";
const JOB: &str = "GET /services/data/vXX.X/jobs/query/{id}";
const DELETE: &str = "DELETE /services/data/vXX.X/jobs/query/{id}";
const RESULTS: &str = "GET /services/data/vXX.X/jobs/query/{id}/results";
const PAGES: &str = "GET /services/data/vXX.X/jobs/query/{id}/resultPages";
const SOQL: &str = "SELECT Id, Name FROM Contact";

/// A page as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Page {
    locator: Option<Locator>,
    next: Option<Locator>,
    rows: u64,
    text: String,
}

impl Page {
    /// Rows behind the header line; no name of the scenario holds a line break.
    fn lines(&self) -> Vec<&str> {
        self.text.lines().skip(1).collect()
    }
}

/// Everything from `from` on. A page that begins again is taken anew.
async fn read(client: &Client, job: &JobId, from: Option<Locator>) -> Result<Vec<Page>, ApiError> {
    let mut results = client.query_results(job, from, NonZeroUsize::new(256 << 10).unwrap());
    let (mut pages, mut started, mut bytes) = (Vec::new(), None, Vec::new());
    while let Some(chunk) = results.next().await? {
        match chunk {
            ResultChunk::PageStart { locator } => {
                started = locator;
                bytes.clear();
            }
            ResultChunk::Bytes(piece) => bytes.extend_from_slice(&piece),
            ResultChunk::PageEnd { rows, next } => pages.push(Page {
                locator: started.take(),
                next,
                rows: rows.unwrap(),
                text: String::from_utf8(std::mem::take(&mut bytes)).unwrap(),
            }),
        }
    }
    Ok(pages)
}

fn ids(pages: &[Page]) -> Vec<&str> {
    pages.iter().flat_map(|page| page.text.split("\"003").skip(1)).map(|row| &row[..15]).collect()
}

/// An org with so many contacts, in pages of 100 rows.
async fn contacts(rows: u64) -> Acme {
    Acme::start_with(|scenario| {
        scenario.rows.insert("Contact".to_owned(), rows);
        scenario.bulk.page_rows = 100;
    })
    .await
}

/// How many contacts there are, as the org counts them: some rows of a population are deleted from the start.
async fn living(client: &Client) -> u64 {
    client.count("Contact", None, Deleted::Excluded).await.unwrap()
}

async fn finished(client: &Client, soql: &str) -> JobId {
    let job = client.create_query_job(soql, Deleted::Excluded).await.unwrap();
    client.wait_for_query_job(&job.id, &mut |_| {}).await.unwrap().id
}

/// Pitfalls 37 and 55: every page is read, and the last one is the last.
#[tokio::test]
async fn all_pages_are_read_in_order_and_the_end_is_found() {
    let acme = contacts(1_234).await;
    let client = acme.client();
    let job = finished(&client, SOQL).await;
    let pages = read(&client, &job, None).await.unwrap();
    let rows: u64 = pages.iter().map(|page| page.rows).sum();
    assert_eq!((rows, ids(&pages).len() as u64), (living(&client).await, rows));
    assert!(ids(&pages).is_sorted(), "results come in order of Id");
    assert!(pages.iter().all(|page| page.text.starts_with("\"Id\",\"Name\"\n")), "each page repeats the header");
    assert_eq!(pages[0].locator, None);
    assert_eq!(pages.last().unwrap().next, None);
    for neighbours in pages.windows(2) {
        assert_eq!(neighbours[0].next, neighbours[1].locator);
    }
    assert_eq!(acme.count(PAGES), 3, "13 pages, listed five a call");
    assert_eq!(acme.count(RESULTS), 13);
}

#[tokio::test]
async fn results_are_the_same_one_after_the_other() {
    let acme = contacts(450).await;
    let client = acme.client_with(acme.settings(), ApiVersion(57));
    let job = finished(&client, SOQL).await;
    let serial = read(&client, &job, None).await.unwrap();
    assert_eq!(ids(&serial).len() as u64, living(&client).await);
    assert_eq!((acme.count(PAGES), acme.count(RESULTS)), (0, 5));
    let parallel = acme.client();
    let job = finished(&parallel, SOQL).await;
    assert_eq!(ids(&read(&parallel, &job, None).await.unwrap()), ids(&serial));
}

#[tokio::test]
async fn a_refused_list_of_pages_is_made_up_for_by_reading_one_after_the_other() {
    let acme = contacts(450).await;
    let client = acme.client();
    let job = finished(&client, SOQL).await;
    let (status, code) = (404, "NOT_FOUND".to_owned());
    acme.fault(PAGES, Effect::Error { status, code, message: "The requested resource does not exist".to_owned() });
    let pages = read(&client, &job, None).await.unwrap();
    assert_eq!((ids(&pages).len() as u64, pages.len()), (living(&client).await, 5));
}

#[tokio::test]
async fn reading_goes_on_at_a_saved_page() {
    let acme = contacts(1_234).await;
    let client = acme.client();
    let job = finished(&client, SOQL).await;
    let whole = read(&client, &job, None).await.unwrap();
    for at in [1, 4, 5, 12] {
        let rest = read(&client, &job, whole[at].locator.clone()).await.unwrap();
        assert_eq!(rest, whole[at..], "from page {at}");
    }
}

#[tokio::test]
async fn a_saved_page_of_a_serial_reading_is_found_too() {
    let acme = contacts(450).await;
    let serial = acme.client_with(acme.settings(), ApiVersion(57));
    let job = finished(&serial, SOQL).await;
    let whole = read(&serial, &job, None).await.unwrap();
    let rest = read(&serial, &job, whole[3].locator.clone()).await.unwrap();
    assert_eq!(rest, whole[3..]);
}

/// Pitfall 39: a dropped connection is noticed, and the page read again from its beginning.
#[tokio::test]
async fn a_page_that_breaks_off_is_read_again_whole() {
    let acme = contacts(1_234).await;
    let client = acme.client();
    let job = finished(&client, SOQL).await;
    let undisturbed = read(&client, &job, None).await.unwrap();
    for (nth, effect) in [
        (1, Effect::CutBody { after: 1_500 }),
        (3, Effect::CutBody { after: 0 }),
        (13, Effect::CutBody { after: 200 }),
        (2, Effect::LostAnswer),
        (4, Effect::Unavailable { retry_after: 1 }),
        (5, Effect::ExpireSession),
        (6, Effect::Maintenance { status: 200 }),
    ] {
        acme.emulator.control().push_fault(emulator::Fault { nth, ..emulator::Fault::next(RESULTS, effect.clone()) });
        let disturbed = read(&client, &job, None).await.unwrap();
        assert_eq!(disturbed, undisturbed, "{effect:?} at page {nth}");
        assert!(acme.emulator.control().unused_faults().is_empty(), "{effect:?}");
    }
}

#[tokio::test]
async fn a_page_that_always_breaks_off_fails_the_reading() {
    let acme = contacts(450).await;
    let client = acme.client();
    let job = finished(&client, SOQL).await;
    acme.fault_always(RESULTS, Effect::CutBody { after: 700 });
    let error = read(&client, &job, None).await.unwrap_err();
    assert!(matches!(error, ApiError::Wire { .. }), "{error:?}");
}

/// Pitfall 39: the reader is told how many rows a page has, so a short one is noticed.
#[tokio::test]
async fn a_page_that_lacks_rows_still_says_how_many_it_should_have() {
    let acme = contacts(100).await;
    let client = acme.client();
    let job = finished(&client, SOQL).await;
    acme.fault(RESULTS, Effect::ShortPage { rows: 7 });
    let pages = read(&client, &job, None).await.unwrap();
    assert_eq!(pages[0].rows, living(&client).await);
    assert_eq!(pages[0].lines().len() as u64, pages[0].rows - 7);
}

#[tokio::test]
async fn a_job_without_rows_has_an_end_and_no_error() {
    let acme = contacts(100).await;
    let client = acme.client();
    let job = finished(&client, "SELECT Id FROM Contact WHERE LastName = 'nobody at all'").await;
    let pages = read(&client, &job, None).await.unwrap();
    assert_eq!(pages.iter().map(|page| page.rows).sum::<u64>(), 0);
}

#[tokio::test]
async fn pages_behind_the_reader_are_not_all_fetched() {
    // Each page is far larger than what may wait, and comes in several pieces.
    let acme = Acme::start_with(|scenario| {
        scenario.rows.insert("Contact".to_owned(), 20_000);
        scenario.bulk.page_rows = 2_000;
    })
    .await;
    let client = acme.client();
    let job = finished(&client, SOQL).await;
    let mut results = client.query_results(&job, None, NonZeroUsize::new(4 << 10).unwrap());
    results.next().await.unwrap();
    acme.until_seen(RESULTS, 3).await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(acme.count(RESULTS), 3, "three pages are on their way, seven wait");
}

#[tokio::test]
async fn a_job_whose_creation_was_lost_is_created_again() {
    let acme = contacts(100).await;
    acme.fault(CREATE, Effect::LostAnswer);
    let client = acme.client();
    let job = finished(&client, SOQL).await;
    assert_eq!(acme.count(CREATE), 2);
    assert_eq!(ids(&read(&client, &job, None).await.unwrap()).len() as u64, living(&client).await);
}

#[tokio::test]
async fn waiting_asks_ever_less_often() {
    let acme = contacts(100).await;
    acme.fault(CREATE, Effect::StuckJob);
    let client = acme.client();
    let job = client.create_query_job(SOQL, Deleted::Excluded).await.unwrap().id;
    let wait = JobWait { in_all: std::time::Duration::from_secs(100), ..JobWait::default() };
    let mut seen = 0;
    let error = client.wait_for_query_job_within(&job, wait, &mut |_| seen += 1).await.unwrap_err();
    assert!(matches!(error, ApiError::JobUnfinished { .. }), "{error:?}");
    assert!(acme.timer.waits().is_sorted());
    assert_eq!((seen, acme.count(JOB)), (11, 11));
}

#[tokio::test]
async fn a_failed_job_is_reported_with_its_reason() {
    let acme = contacts(100).await;
    acme.fault(CREATE, Effect::FailedJob { message: "InvalidBatch : Field name not found : X".to_owned() });
    let client = acme.client();
    let job = client.create_query_job(SOQL, Deleted::Excluded).await.unwrap().id;
    let error = client.wait_for_query_job(&job, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, ApiError::JobEnded { aborted: false, .. }), "{error:?}");
    assert!(error.to_string().contains("Field name not found : X"), "{error}");
}

#[tokio::test]
async fn an_aborted_job_is_reported_and_may_be_aborted_and_deleted_twice() {
    let acme = contacts(100).await;
    acme.fault(CREATE, Effect::StuckJob);
    let client = acme.client();
    let job = client.create_query_job(SOQL, Deleted::Excluded).await.unwrap().id;
    client.abort_query_job(&job).await.unwrap();
    client.abort_query_job(&job).await.unwrap();
    let error = client.wait_for_query_job(&job, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, ApiError::JobEnded { aborted: true, .. }), "{error:?}");
    acme.fault(DELETE, Effect::LostAnswer);
    client.delete_query_job(&job).await.unwrap();
    client.delete_query_job(&job).await.unwrap();
    assert_eq!(client.query_job(&job).await.unwrap_err().code(), Some(&ErrorCode::NotFound));
}

#[tokio::test]
async fn a_complete_job_cannot_be_aborted() {
    let acme = contacts(100).await;
    let client = acme.client();
    let job = finished(&client, SOQL).await;
    let error = client.abort_query_job(&job).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidJobState));
}

#[tokio::test]
async fn results_are_refused_in_another_version_than_the_jobs() {
    let acme = contacts(100).await;
    let job = finished(&acme.client(), SOQL).await;
    let other = acme.client_with(acme.settings(), ApiVersion(VERSION.0 - 1));
    let error = read(&other, &job, None).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().status, 409, "{error}");
}

/// Pitfall 18.
#[tokio::test]
async fn a_saved_job_that_is_gone_is_told_as_such() {
    let acme = contacts(100).await;
    let client = acme.client();
    let job = finished(&client, SOQL).await;
    client.delete_query_job(&job).await.unwrap();
    let error = read(&client, &job, Some(Locator("MTAw".to_owned()))).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::NotFound));
}

/// Pitfall 9.
#[tokio::test]
async fn what_only_rest_can_read_is_told_apart_from_what_is_wrong() {
    let acme = Acme::start_with(|scenario| scenario.bulk.refused_objects = vec!["Opportunity".to_owned()]).await;
    let client = acme.client();
    let refusal = async |soql: &str| {
        let error = client.create_query_job(soql, Deleted::Excluded).await.unwrap_err();
        error.refusal().unwrap().by_bulk()
    };
    assert_eq!(refusal("SELECT Id FROM Opportunity").await, Some(BulkRefusal::Object));
    assert_eq!(refusal("SELECT BillingAddress FROM Account").await, Some(BulkRefusal::Field));
    assert_eq!(refusal("SELECT Nothing__c FROM Account").await, None);
}
