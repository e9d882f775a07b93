//! Facts about an org and its user: versions, identity, limits.

mod kind;

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    client::{ApiVersion, Client},
    error::{ApiError, WireError},
    host::OrgUrl,
    http::{Answer, Http, Request},
    time::Timestamp,
};

pub use self::kind::{OrgKind, Organization};

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
    /// Has an integration license, or may use the API alone.
    #[serde(default)]
    pub is_salesforce_integration_user: bool,
}

/// What a host says of itself to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// 15 or 18 characters. The generic login hosts belong to no org.
    pub org_id: Option<String>,
    /// The org's clock when it answered, in whole seconds.
    pub at: Option<Timestamp>,
}

/// One entry of the limits resource.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Limit {
    pub max: i64,
    pub remaining: i64,
}

#[derive(Deserialize)]
struct AuthConfiguration {
    #[serde(rename = "OrgId")]
    org_id: Option<String>,
}

#[derive(Deserialize)]
struct VersionEntry {
    version: String,
    #[serde(default)]
    label: String,
}

/// A host that does not answer a probe within this time is not waited for.
const PROBE_TIME: Duration = Duration::from_secs(8);

/// Asks a host once, without a session, whether it is there and which org it belongs to.
///
/// Source: `/.well-known/auth-configuration` of a My Domain; the generic login hosts have none, and are asked for
/// `/.well-known/openid-configuration`.
///
/// # Errors
/// Nothing is tried again, so that a mistyped address is reported at once.
pub async fn probe(http: &Http, org: &OrgUrl) -> Result<Probe, ApiError> {
    let path = match org.is_generic() {
        true => "/.well-known/openid-configuration",
        false => "/.well-known/auth-configuration",
    };
    let doing = "asking which org this is";
    let request = Request::get(path, path.to_owned(), doing).uncounted().once();
    let Ok(answer) = tokio::time::timeout(PROBE_TIME, http.send::<Answer>(org, &request, None, None)).await else {
        let cause = WireError::NoAnswer { host: org.host().to_owned(), waited: PROBE_TIME };
        return Err(ApiError::Wire { doing: doing.to_owned(), cause });
    };
    let answer = answer?;
    let read: AuthConfiguration = answer.json()?;
    let org_id = read.org_id.filter(|id| id.starts_with("00D") && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if org_id.is_none() && !org.is_generic() {
        return Err(answer.unexpected("it does not say which org it belongs to".to_owned()));
    }
    Ok(Probe { org_id, at: answer.date() })
}

/// The versions an org supports, oldest first.
///
/// # Errors
/// The generic login hosts serve no data: ask the org's own host.
pub async fn versions(http: &Http, org: &OrgUrl) -> Result<Vec<SupportedVersion>, ApiError> {
    let request = Request::get("/services/data", "/services/data".to_owned(), "asking for the API versions");
    let answer: Answer = http.send(org, &request.uncounted(), None, None).await?;
    let entries: Vec<VersionEntry> = answer.json()?;
    let mut versions: Vec<SupportedVersion> = entries.into_iter().filter_map(supported).collect();
    if versions.is_empty() {
        return Err(answer.unexpected("it lists no API version".to_owned()));
    }
    versions.sort_by_key(|entry| entry.version);
    Ok(versions)
}

fn supported(entry: VersionEntry) -> Option<SupportedVersion> {
    let whole = entry.version.split('.').next()?.parse().ok()?;
    Some(SupportedVersion { version: ApiVersion(whole), label: entry.label })
}

/// Where an API version stands in Salesforce's end-of-life plan of November 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionStanding {
    /// Up to 30.0: answered with 410.
    Retired,
    /// 31.0 to 40.0: deprecated from Summer '27, retired in Summer '28.
    Retiring,
    Supported,
}

impl ApiVersion {
    /// Source: Connect REST API guide, "API End-of-Life Policy"; help article 005321531.
    pub fn standing(self) -> VersionStanding {
        match self.0 {
            ..=30 => VersionStanding::Retired,
            31..=40 => VersionStanding::Retiring,
            41.. => VersionStanding::Supported,
        }
    }

    /// What to tell a person who chose this version; `None` when there is nothing to say.
    pub fn warning(self) -> Option<String> {
        match self.standing() {
            VersionStanding::Retired => {
                Some(format!("API version {self} is retired and answers nothing. Choose v41.0 or newer."))
            }
            VersionStanding::Retiring => Some(format!(
                "API version {self} is deprecated from Summer '27 on and ends in Summer '28. Choose v41.0 or newer."
            )),
            VersionStanding::Supported => None,
        }
    }
}

impl Client {
    /// Whom the session belongs to. Not counted against the quota: it is an OAuth resource.
    pub async fn userinfo(&self) -> Result<UserInfo, ApiError> {
        let path = "/services/oauth2/userinfo";
        let request = Request::get(path, path.to_owned(), "asking whom the session belongs to").uncounted();
        self.call::<Answer>(&request).await?.json()
    }

    /// Named limits. Needs the permission "View Setup and Configuration".
    ///
    /// Entries that are not a pair of numbers are left out; the numbers lag by a few minutes.
    pub async fn limits(&self) -> Result<BTreeMap<String, Limit>, ApiError> {
        let request = Request::get("/services/data/{version}/limits", self.data_path("limits"), "asking for limits");
        let entries: BTreeMap<String, Value> = self.call::<Answer>(&request).await?.json()?;
        Ok(entries.into_iter().filter_map(|(name, entry)| Some((name, Limit::deserialize(entry).ok()?))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retiring_versions_are_warned_of_with_dates() {
        assert!(ApiVersion(30).warning().unwrap().contains("retired"));
        for version in [31, 40] {
            let warning = ApiVersion(version).warning().unwrap();
            assert!(warning.contains("Summer '27") && warning.contains("Summer '28"), "{warning}");
        }
        assert_eq!(ApiVersion(41).warning(), None);
        assert_eq!(ApiVersion(68).warning(), None);
    }

    #[test]
    fn limits_with_nested_apps_are_read() {
        let entry: Value = serde_json::json!({"Max": 15000, "Remaining": 14990, "My App": {"Max": 0, "Remaining": 0}});
        let limit = Limit::deserialize(entry).unwrap();
        assert_eq!((limit.max, limit.remaining), (15000, 14990));
    }
}
