//! One org, one API version, one source of sessions.

use std::{fmt, sync::Arc};

use crate::{error::ApiError, http::Http, oauth::TokenSource, time::Timestamp};

/// An API version such as `68.0`, kept as its whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ApiVersion(pub u16);

impl fmt::Display for ApiVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "v{}.0", self.0)
    }
}

/// Calls made by this client, and what the org said of its quota (`Sforce-Limit-Info`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApiUsage {
    /// Requests sent that count against the quota, attempts included.
    pub calls: u64,
    pub org_used: Option<u64>,
    pub org_max: Option<u64>,
}

/// Speaks for one org; cheap to clone.
#[derive(Clone)]
pub struct Client {
    _http: Http,
    _tokens: Arc<dyn TokenSource>,
    _version: ApiVersion,
}

impl Client {
    pub fn new(http: Http, tokens: Arc<dyn TokenSource>, version: ApiVersion) -> Self {
        Self { _http: http, _tokens: tokens, _version: version }
    }

    pub fn version(&self) -> ApiVersion {
        self._version
    }

    /// What has been used so far.
    pub fn usage(&self) -> ApiUsage {
        todo!()
    }

    /// The org's clock, from the `Date` header of an answer to a request made for it (whole seconds).
    pub async fn server_time(&self) -> Result<Timestamp, ApiError> {
        todo!()
    }
}
