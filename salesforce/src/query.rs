//! SOQL over REST.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{client::Client, error::ApiError};

/// Whether deleted and archived records are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Deleted {
    /// The `query` resource and operation.
    Excluded,
    /// The `queryAll` resource and operation.
    Included,
}

/// The page to ask for.
#[derive(Debug, Clone)]
pub enum QueryPage<'a> {
    First {
        soql: &'a str,
        deleted: Deleted,
    },
    /// A `nextRecordsUrl`, followed as it was given.
    Next {
        url: &'a str,
    },
}

impl Client {
    /// One page, as the bytes of its JSON: `{totalSize, done, nextRecordsUrl?, records}`.
    ///
    /// A query too long for a URL (16,384 bytes after encoding) is sent inside a composite request.
    pub async fn query_page(&self, _page: QueryPage<'_>) -> Result<Bytes, ApiError> {
        todo!()
    }

    /// All records of a small query, typed.
    ///
    /// # Errors
    /// `done: false` without `nextRecordsUrl` is an error, never the end.
    pub async fn query<T: DeserializeOwned>(&self, _soql: &str) -> Result<Vec<T>, ApiError> {
        todo!()
    }

    /// `SELECT COUNT()`: how many records match.
    pub async fn count(&self, _object: &str, _filter: Option<&str>, _deleted: Deleted) -> Result<u64, ApiError> {
        todo!()
    }
}
