//! The rows of a finished job, as the reader takes them.

use std::{num::NonZeroUsize, sync::Arc};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    JobId, Locator,
    budget::Budget,
    pages::{PAGES_AHEAD, Page, Pages},
    transfer::Piece,
};
use crate::{client::Client, error::ApiError};

/// What the reader of results is handed, in page order.
#[derive(Debug)]
pub enum ResultChunk {
    /// A page begins, or begins again after a broken transfer: rows taken since the last `PageStart` of the same
    /// page are to be counted anew. `locator` names this page (`None`: the first).
    PageStart {
        locator: Option<Locator>,
    },
    Bytes(Bytes),
    /// The page is whole. `rows` is what Salesforce says it holds; `next` names the following page.
    PageEnd {
        rows: Option<u64>,
        next: Option<Locator>,
    },
}

/// The pages of a finished job, fetched ahead under a bound of bytes, handed over in order.
///
/// Dropping it ends all transfers.
pub struct BulkResults {
    client: Client,
    begun: mpsc::Receiver<Result<Page, ApiError>>,
    budget: Arc<Budget>,
    reading: Reading,
    pages: JoinHandle<()>,
}

/// Where the reader stands.
enum Reading {
    Between,
    In(Page),
    /// The page is whole, and which one follows is not known yet.
    Ended {
        rows: Option<u64>,
    },
    /// Nothing follows.
    Finished,
    Failed,
}

impl BulkResults {
    pub(super) fn open(
        client: Client,
        job: JobId,
        page_rows: Option<u32>,
        from: Option<Locator>,
        ahead_bytes: NonZeroUsize,
    ) -> Self {
        let (sender, begun) = mpsc::channel(PAGES_AHEAD);
        let budget = Arc::new(Budget::new(ahead_bytes));
        let pages = Pages::new(client.clone(), job, page_rows, sender, Arc::clone(&budget));
        Self { client, begun, budget, reading: Reading::Between, pages: tokio::spawn(pages.run(from)) }
    }

    /// The next piece, or `None` after the last page. A caller may drop the future and ask again: nothing is lost.
    ///
    /// # Errors
    /// A page that cannot be read although it was tried again. What came since its `PageStart` is not the whole page.
    pub async fn next(&mut self) -> Result<Option<ResultChunk>, ApiError> {
        let outcome = self.advance().await;
        if outcome.is_err() {
            self.reading = Reading::Failed;
        }
        outcome
    }

    async fn advance(&mut self) -> Result<Option<ResultChunk>, ApiError> {
        loop {
            match &mut self.reading {
                Reading::Between => match self.begun.recv().await.transpose()? {
                    Some(page) => self.read(page),
                    None => self.finish().await?,
                },
                Reading::In(page) => match page.pieces.recv().await {
                    Some(Piece::Start) => {
                        return Ok(Some(ResultChunk::PageStart { locator: page.locator.clone() }));
                    }
                    Some(Piece::Bytes { bytes, .. }) => return Ok(Some(ResultChunk::Bytes(bytes))),
                    Some(Piece::End { rows }) => self.reading = Reading::Ended { rows },
                    Some(Piece::Failed(error)) => return Err(error),
                    None => return Err(self.client.protocol("a result page was given up without a word").await),
                },
                Reading::Ended { rows } => {
                    let rows = *rows;
                    let following = self.begun.recv().await.transpose()?;
                    let next = following.as_ref().and_then(|page| page.locator.clone());
                    match following {
                        Some(page) => self.read(page),
                        None => self.finish().await?,
                    }
                    return Ok(Some(ResultChunk::PageEnd { rows, next }));
                }
                Reading::Finished => return Ok(None),
                Reading::Failed => return Err(self.client.protocol("results are read on after they failed").await),
            }
        }
    }

    /// No page follows, if the task that begins them came to its end.
    async fn finish(&mut self) -> Result<(), ApiError> {
        match (&mut self.pages).await {
            Ok(()) => {
                self.reading = Reading::Finished;
                Ok(())
            }
            Err(_) => Err(self.client.protocol("the list of result pages was given up without a word").await),
        }
    }

    fn read(&mut self, page: Page) {
        self.budget.begin(page.number);
        self.reading = Reading::In(page);
    }
}

impl Drop for BulkResults {
    fn drop(&mut self) {
        self.pages.abort();
    }
}
