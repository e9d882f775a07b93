//! Facts about an org and its user: versions, identity, limits.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    client::{ApiVersion, Client},
    error::ApiError,
    host::OrgUrl,
    http::Http,
};

/// A supported API version, from `GET /services/data` (which needs no session and costs no call).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportedVersion {
    pub version: ApiVersion,
    pub label: String,
}

/// Who the session belongs to (`/services/oauth2/userinfo`).
#[derive(Debug, Clone, Deserialize)]
pub struct UserInfo {
    pub user_id: String,
    pub organization_id: String,
    pub preferred_username: String,
    #[serde(default)]
    pub name: String,
}

/// One entry of the limits resource.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Limit {
    pub max: i64,
    pub remaining: i64,
}

/// The versions an org supports, oldest first.
pub async fn versions(_http: &Http, _org: &OrgUrl) -> Result<Vec<SupportedVersion>, ApiError> {
    todo!()
}

impl Client {
    pub async fn userinfo(&self) -> Result<UserInfo, ApiError> {
        todo!()
    }

    /// Named limits. Needs the permission "View Setup and Configuration".
    pub async fn limits(&self) -> Result<BTreeMap<String, Limit>, ApiError> {
        todo!()
    }
}
