//! One result page on its way from Salesforce to the reader.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use tokio::sync::{mpsc, oneshot};

use super::{
    Locator,
    budget::{Budget, Room},
};
use crate::{
    client::Client,
    error::ApiError,
    http::{Request, Streaming},
};

/// What the reader takes out of a page.
pub(super) enum Piece {
    /// The page begins, or begins again.
    Start,
    Bytes {
        bytes: Bytes,
        _room: Room,
    },
    End {
        rows: Option<u64>,
    },
    Failed(ApiError),
}

/// A page to fetch.
pub(super) struct Transfer {
    pub(super) client: Client,
    /// Path and query of the page.
    pub(super) path: String,
    pub(super) number: usize,
    pub(super) budget: Arc<Budget>,
    pub(super) pieces: mpsc::UnboundedSender<Piece>,
    /// Learns which page follows as soon as the head of the answer is there.
    pub(super) following: Option<oneshot::Sender<Option<Locator>>>,
}

/// Why a transfer ends early.
enum Stopped {
    Failed(ApiError),
    /// Nobody reads any more.
    Unwanted,
}

impl Transfer {
    /// Fetches the page, from its beginning again when a transfer breaks.
    pub(super) async fn run(mut self) {
        let mut attempt = 1;
        loop {
            let error = match self.copy().await {
                Ok(rows) => return drop(self.pieces.send(Piece::End { rows })),
                Err(Stopped::Unwanted) => return,
                Err(Stopped::Failed(error)) => error,
            };
            if !error.is_transient() || attempt >= self.client.http().attempts() {
                return drop(self.pieces.send(Piece::Failed(error)));
            }
            tracing::info!(page = self.number, attempt, "a result page broke off and is read again");
            self.client.http().pause(attempt, &error).await;
            attempt += 1;
        }
    }

    /// Copies the page once; tells how many rows Salesforce says it has.
    async fn copy(&mut self) -> Result<Option<u64>, Stopped> {
        self.hand_over(Piece::Start)?;
        let route = "/services/data/{version}/jobs/query/{job}/results";
        let request = Request::get(route, self.path.clone(), "reading a result page")
            .header(header::ACCEPT, HeaderValue::from_static("text/csv"));
        let mut answer: Streaming = self.client.call(&request).await.map_err(Stopped::Failed)?;
        let rows = rows(answer.headers());
        if let Some(following) = self.following.take() {
            // The reader may have gone; then nobody needs to know.
            let _ = following.send(following_locator(answer.headers()));
        }
        while let Some(bytes) = answer.chunk().await.map_err(Stopped::Failed)? {
            let room = self.budget.room(self.number, bytes.len()).await;
            self.hand_over(Piece::Bytes { bytes, _room: room })?;
        }
        Ok(rows)
    }

    fn hand_over(&self, piece: Piece) -> Result<(), Stopped> {
        self.pieces.send(piece).map_err(|_| Stopped::Unwanted)
    }
}

fn rows(headers: &HeaderMap) -> Option<u64> {
    headers.get("sforce-numberofrecords")?.to_str().ok()?.trim().parse().ok()
}

/// The page behind this one. The last page says `null`, in four letters (Bulk API 2.0 guide v66, "Get Results for a
/// Query Job").
fn following_locator(headers: &HeaderMap) -> Option<Locator> {
    let text = headers.get("sforce-locator")?.to_str().ok()?.trim();
    (!text.is_empty() && text != "null").then(|| Locator(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Pitfall 37.
    #[test]
    fn a_locator_spelt_null_is_the_end_and_not_a_page() {
        let headers = |locator: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(locator) = locator {
                headers.insert("Sforce-Locator", HeaderValue::from_static(locator));
            }
            headers
        };
        assert_eq!(following_locator(&headers(Some("null"))), None);
        assert_eq!(following_locator(&headers(Some(""))), None);
        assert_eq!(following_locator(&headers(None)), None);
        assert_eq!(following_locator(&headers(Some("MTAwMDA"))), Some(Locator("MTAwMDA".to_owned())));
    }
}
