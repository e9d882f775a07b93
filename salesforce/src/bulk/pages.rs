//! Which result pages a job has, in order.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use super::{
    JobId, Locator,
    budget::Budget,
    transfer::{Piece, Transfer},
};
use crate::{
    client::{ApiVersion, Client},
    error::{ApiError, ErrorCode},
    http::{Answer, Request},
    query::encode,
};

/// Pages that are transferred at the same time, the one being read included.
const TRANSFERS: usize = 3;

/// Pages that are begun and not yet being read, at most.
pub(super) const PAGES_AHEAD: usize = 8;

/// `resultPages` exists from here on (Bulk API 2.0 guide, "Get Parallel Results for a Query Job").
const FIRST_WITH_PARALLEL_RESULTS: ApiVersion = ApiVersion(58);

/// A page that has been begun.
pub(super) struct Page {
    pub(super) number: usize,
    /// `None` for the first page of the job.
    pub(super) locator: Option<Locator>,
    pub(super) pieces: mpsc::UnboundedReceiver<Piece>,
}

/// Begins the pages one after the other, as far ahead as the reader allows.
pub(super) struct Pages {
    client: Client,
    job: JobId,
    begun: mpsc::Sender<Result<Page, ApiError>>,
    budget: Arc<Budget>,
    transfers: JoinSet<()>,
    permits: Arc<Semaphore>,
    next_number: usize,
}

/// Up to five pages, and where the list goes on. The guide's table spells the link `nextRecordUrl`, its example
/// `nextRecordsUrl`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultPages {
    #[serde(default)]
    result_pages: Vec<ResultPage>,
    next_record_url: Option<String>,
    next_records_url: Option<String>,
    done: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultPage {
    result_url: String,
}

/// Why no further pages are begun.
enum Stopped {
    Failed(ApiError),
    /// Nobody reads any more.
    Unwanted,
}

impl From<ApiError> for Stopped {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

/// How the list of pages ended.
#[derive(Debug, PartialEq, Eq)]
enum Listed {
    Whole,
    /// The list is not offered, or does not hold the page to start from.
    Nothing,
}

impl Pages {
    pub(super) fn new(
        client: Client,
        job: JobId,
        begun: mpsc::Sender<Result<Page, ApiError>>,
        budget: Arc<Budget>,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(TRANSFERS));
        Self { client, job, begun, budget, transfers: JoinSet::new(), permits, next_number: 0 }
    }

    /// Begins all pages from `from` on. Dropping this future ends all transfers.
    pub(super) async fn run(mut self, from: Option<Locator>) {
        if let Err(Stopped::Failed(error)) = self.begin_all(from).await {
            // The reader may have gone; then nobody needs to know.
            let _ = self.begun.send(Err(error)).await;
        }
        while self.transfers.join_next().await.is_some() {}
    }

    async fn begin_all(&mut self, from: Option<Locator>) -> Result<(), Stopped> {
        if self.client.version() >= FIRST_WITH_PARALLEL_RESULTS && self.listed(from.as_ref()).await? == Listed::Whole {
            return Ok(());
        }
        self.one_after_the_other(from).await
    }

    /// Begins the pages that `resultPages` lists, five a call.
    async fn listed(&mut self, from: Option<&Locator>) -> Result<Listed, Stopped> {
        let mut path = self.client.data_path(&format!("jobs/query/{}/resultPages", encode(&self.job.0)));
        let (mut is_found, mut is_first) = (from.is_none(), true);
        loop {
            let list = match self.list(&path).await {
                Err(ApiError::Refused(refusal)) if is_first && refusal.code != ErrorCode::RequestLimitExceeded => {
                    tracing::info!(code = refusal.code.as_str(), "results are read one page after the other");
                    return Ok(Listed::Nothing);
                }
                list => list?,
            };
            for page in &list.result_pages {
                let locator = locator_of(&page.result_url);
                if locator.is_none() && !is_first {
                    return Err(self.client.protocol("a page behind the first has no locator").await.into());
                }
                is_found = is_found || locator.as_ref() == from;
                // The first page of the job goes by no name, so that a reader starts over without one.
                let name = if is_first && from.is_none() { None } else { locator };
                is_first = false;
                if is_found {
                    let path = self.client.follow(&page.result_url).await?;
                    self.begin(path, name, None).await?;
                }
            }
            is_first = false;
            path = match list.next(&path) {
                Ok(None) if is_found => return Ok(Listed::Whole),
                Ok(None) => return Ok(Listed::Nothing),
                Ok(Some(next)) => self.client.follow(&next).await?,
                Err(violation) => return Err(self.client.protocol(violation).await.into()),
            };
        }
    }

    async fn list(&self, path: &str) -> Result<ResultPages, ApiError> {
        let route = "/services/data/{version}/jobs/query/{job}/resultPages";
        let request = Request::get(route, path.to_owned(), "listing result pages");
        self.client.call::<Answer>(&request).await?.json()
    }

    /// Begins a page, learns from its head which one follows, and goes on there.
    async fn one_after_the_other(&mut self, from: Option<Locator>) -> Result<(), Stopped> {
        let results = format!("jobs/query/{}/results", encode(&self.job.0));
        let mut locator = from;
        loop {
            let query = locator.as_ref().map(|locator| format!("?locator={}", encode(&locator.0)));
            let path = self.client.data_path(&format!("{results}{}", query.unwrap_or_default()));
            let (following, follows) = oneshot::channel();
            self.begin(path, locator.clone(), Some(following)).await?;
            // A page that fails before its head has told the reader so itself.
            let Ok(Some(next)) = follows.await else { return Ok(()) };
            if Some(&next) == locator.as_ref() {
                return Err(self.client.protocol("a page names itself as the one that follows").await.into());
            }
            locator = Some(next);
        }
    }

    /// Begins one page as soon as fewer than [`TRANSFERS`] are on their way.
    async fn begin(
        &mut self,
        path: String,
        locator: Option<Locator>,
        following: Option<oneshot::Sender<Option<Locator>>>,
    ) -> Result<(), Stopped> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let number = self.next_number;
        self.next_number += 1;
        let (sender, pieces) = mpsc::unbounded_channel();
        let transfer = Transfer {
            client: self.client.clone(),
            path,
            number,
            budget: Arc::clone(&self.budget),
            pieces: sender,
            following,
        };
        self.transfers.spawn(hold(permit, transfer));
        while self.transfers.try_join_next().is_some() {}
        self.begun.send(Ok(Page { number, locator, pieces })).await.map_err(|_| Stopped::Unwanted)
    }
}

async fn hold(_permit: OwnedSemaphorePermit, transfer: Transfer) {
    transfer.run().await;
}

impl ResultPages {
    /// The link to the rest of the list, or `None` at its end.
    fn next(self, path: &str) -> Result<Option<String>, &'static str> {
        let next = self.next_records_url.or(self.next_record_url).filter(|next| !next.is_empty());
        match (self.done, next) {
            (Some(true), _) | (None, None) => Ok(None),
            (Some(false), None) => Err("the list of result pages goes on but does not say where"),
            // Paths differ in case: `resultPages` is asked for, `resultpages` is given.
            (_, Some(next)) if next.eq_ignore_ascii_case(path) => Err("the list of result pages leads back to itself"),
            (_, Some(next)) => Ok(Some(next)),
        }
    }
}

/// The `locator` in the query of a link.
fn locator_of(url: &str) -> Option<Locator> {
    let (_, query) = url.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("locator="))?;
    let value = percent_decode_str(value).decode_utf8_lossy();
    (!value.is_empty()).then(|| Locator(value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(json: &str) -> ResultPages {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn both_spellings_of_the_link_to_further_pages_are_followed() {
        for key in ["nextRecordUrl", "nextRecordsUrl"] {
            let pages = list(&format!(r#"{{"resultPages":[{{"resultUrl":"/x"}}],"{key}":"/next","done":false}}"#));
            assert_eq!(pages.next("/first"), Ok(Some("/next".to_owned())));
        }
    }

    // Pitfall 55.
    #[test]
    fn the_list_ends_when_it_says_so_and_only_then() {
        assert_eq!(list(r#"{"resultPages":[],"done":true}"#).next("/a"), Ok(None));
        assert_eq!(list(r#"{"resultPages":[],"nextRecordsUrl":null,"done":true}"#).next("/a"), Ok(None));
        assert!(list(r#"{"resultPages":[],"done":false}"#).next("/a").is_err());
        assert!(
            list(r#"{"resultPages":[],"nextRecordsUrl":"/jobs/resultpages","done":false}"#)
                .next("/jobs/resultPages")
                .is_err()
        );
    }

    #[test]
    fn a_pages_name_is_the_locator_of_its_link() {
        let url = "/services/data/v68.0/jobs/query/750/results?maxRecords=5&locator=MDow%2BR2%3D";
        assert_eq!(locator_of(url), Some(Locator("MDow+R2=".to_owned())));
        assert_eq!(locator_of("/services/data/v68.0/jobs/query/750/results"), None);
    }
}
