//! Which result pages a job has, in order.

use std::sync::Arc;

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use super::{
    JobId, Locator,
    budget::Budget,
    transfer::{Piece, Transfer},
};
use crate::{client::Client, error::ApiError, query::encode};

/// Pages that are transferred at the same time, the one being read included.
const TRANSFERS: usize = 3;

/// Pages that are begun and not yet being read, at most.
pub(super) const PAGES_AHEAD: usize = 8;

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
    /// Most records in a page, if Salesforce is to be told.
    page_rows: Option<u32>,
    begun: mpsc::Sender<Result<Page, ApiError>>,
    budget: Arc<Budget>,
    transfers: JoinSet<()>,
    permits: Arc<Semaphore>,
    next_number: usize,
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

impl Pages {
    pub(super) fn new(
        client: Client,
        job: JobId,
        page_rows: Option<u32>,
        begun: mpsc::Sender<Result<Page, ApiError>>,
        budget: Arc<Budget>,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(TRANSFERS));
        Self { client, job, page_rows, begun, budget, transfers: JoinSet::new(), permits, next_number: 0 }
    }

    /// Begins all pages from `from` on. Dropping this future ends all transfers.
    pub(super) async fn run(mut self, from: Option<Locator>) {
        if let Err(Stopped::Failed(error)) = self.begin_all(from).await {
            // The reader may have gone; then nobody needs to know.
            let _ = self.begun.send(Err(error)).await;
        }
        while self.transfers.join_next().await.is_some() {}
    }

    /// Begins a page, learns from its head which one follows, and goes on there: while a page is read, the next ones are on
    /// their way, and none costs a call beside its own.
    async fn begin_all(&mut self, from: Option<Locator>) -> Result<(), Stopped> {
        let mut locator = from;
        loop {
            let path = self.path(locator.as_ref());
            let (following, follows) = oneshot::channel();
            self.begin(path, locator.clone(), following).await?;
            // A page that fails before its head has told the reader so itself.
            let Ok(Some(next)) = follows.await else { return Ok(()) };
            if Some(&next) == locator.as_ref() {
                return Err(self.client.protocol("a page names itself as the one that follows").await.into());
            }
            locator = Some(next);
        }
    }

    /// Each page is asked for with the same number: a locator may be relative to it.
    fn path(&self, locator: Option<&Locator>) -> String {
        let most = self.page_rows.map(|rows| format!("maxRecords={rows}"));
        let locator = locator.map(|locator| format!("locator={}", encode(&locator.0)));
        let query: Vec<String> = most.into_iter().chain(locator).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        self.client.data_path(&format!("jobs/query/{}/results{mark}{}", encode(&self.job.0), query.join("&")))
    }

    /// Begins one page as soon as fewer than [`TRANSFERS`] are on their way.
    async fn begin(
        &mut self,
        path: String,
        locator: Option<Locator>,
        following: oneshot::Sender<Option<Locator>>,
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
            following: Some(following),
        };
        self.transfers.spawn(hold(permit, transfer));
        while self.transfers.try_join_next().is_some() {}
        self.begun.send(Ok(Page { number, locator, pieces })).await.map_err(|_| Stopped::Unwanted)
    }
}

async fn hold(_permit: OwnedSemaphorePermit, transfer: Transfer) {
    transfer.run().await;
}
