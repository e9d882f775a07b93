//! What kind of org it is: production, a sandbox, or one of those for trying things.
//!
//! Two sources tell. The host name says it to everybody (Salesforce Help, "My Domain URL Formats"): the label before
//! `my.salesforce.com` is `sandbox`, `scratch`, `develop` and so on, and a sandbox's own name stands behind two hyphens.
//! The record of Organization says it to users who may read it: `IsSandbox`, `OrganizationType`, `TrialExpirationDate`
//! (object reference v66). Salesforce's own command line tells scratch orgs from sandboxes by their expiration date
//! (sfdx-core, `src/org/org.ts`).

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{client::Client, composite::Part, error::ApiError, host::OrgUrl, query::encode, time::Timestamp};

/// What the record of Organization says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct Organization {
    #[serde(alias = "is_sandbox")]
    pub is_sandbox: bool,
    /// The edition, such as `Enterprise Edition`; a sandbox has that of the org it was copied from.
    #[serde(alias = "organization_type")]
    pub organization_type: Option<String>,
    /// When a trial or a scratch org ends.
    #[serde(alias = "trial_expiration_date")]
    pub trial_expiration_date: Option<Timestamp>,
}

/// What kind of org it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OrgKind {
    Production,
    /// A copy of another org, with the ids of its records.
    Sandbox {
        /// `uat` of `acme--uat`; `None` where the address does not tell.
        name: Option<String>,
    },
    Scratch,
    /// A Developer Edition org.
    Developer,
    /// A Trailhead Playground.
    Playground,
    Trial {
        ends_at: Timestamp,
    },
    /// A partition of host names that no org of a customer is expected in, such as `patch`.
    Other {
        partition: String,
    },
    /// Neither the address nor the org tells.
    Unknown,
}

impl OrgKind {
    /// What an API address says.
    pub fn of_host(org: &OrgUrl) -> Self {
        let mut labels = org.host().split('.');
        let (Some(label), Some(partition)) = (labels.next(), labels.next()) else { return Self::Unknown };
        let name = label.split_once("--").map(|(_, name)| name.to_owned()).filter(|name| !name.is_empty());
        match partition {
            "sandbox" => Self::Sandbox { name },
            "scratch" => Self::Scratch,
            "develop" => Self::Developer,
            "trailblaze" => Self::Playground,
            // Without enhanced domains, sandboxes and Developer Edition orgs stand where production does.
            "my" if name.is_some() => Self::Sandbox { name },
            "my" if label.ends_with("-dev-ed") => Self::Developer,
            "my" | "my-salesforce" => Self::Production,
            "patch" | "demo" | "free" => Self::Other { partition: partition.to_owned() },
            _ => Self::Unknown,
        }
    }

    /// What the record of Organization says.
    pub fn of_organization(organization: &Organization) -> Self {
        match (organization.is_sandbox, organization.trial_expiration_date, organization.organization_type.as_deref()) {
            (true, Some(_), _) => Self::Scratch,
            (true, None, _) => Self::Sandbox { name: None },
            (false, Some(ends_at), _) => Self::Trial { ends_at },
            (false, None, Some("Developer Edition")) => Self::Developer,
            (false, None, _) => Self::Production,
        }
    }

    /// What both say together. The address has the first word; where it leaves something open, the record is taken.
    pub fn of(org: &OrgUrl, organization: Option<&Organization>) -> Self {
        let by_host = Self::of_host(org);
        match (&by_host, organization.map(Self::of_organization)) {
            (Self::Unknown | Self::Production, Some(told @ (Self::Trial { .. } | Self::Developer))) => told,
            (Self::Unknown, Some(told)) => told,
            _ => by_host,
        }
    }

    /// In what the two sources contradict each other, as a sentence without its full stop; `None`: in nothing.
    pub fn contradiction(org: &OrgUrl, organization: &Organization) -> Option<String> {
        let (by_host, told) = (Self::of_host(org), Self::of_organization(organization));
        let is_copy = match by_host {
            Self::Sandbox { .. } | Self::Scratch => true,
            Self::Production | Self::Developer | Self::Playground => false,
            Self::Trial { .. } | Self::Other { .. } | Self::Unknown => return None,
        };
        (is_copy != organization.is_sandbox).then(|| {
            format!(
                "{} is the address of {}, and the org calls itself {}",
                org.host(),
                by_host.with_article(),
                told.with_article()
            )
        })
    }

    pub fn is_sandbox(&self) -> bool {
        matches!(self, Self::Sandbox { .. })
    }

    /// In a sentence: `a sandbox (uat)`.
    pub fn with_article(&self) -> String {
        match self {
            Self::Production => "a production org".to_owned(),
            Self::Sandbox { .. } | Self::Scratch | Self::Developer | Self::Playground | Self::Trial { .. } => {
                format!("a {self}")
            }
            Self::Other { .. } | Self::Unknown => format!("an {self}"),
        }
    }
}

impl fmt::Display for OrgKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Production => out.write_str("production"),
            Self::Sandbox { name: Some(name) } => write!(out, "sandbox ({name})"),
            Self::Sandbox { name: None } => out.write_str("sandbox"),
            Self::Scratch => out.write_str("scratch org"),
            Self::Developer => out.write_str("developer org"),
            Self::Playground => out.write_str("Trailhead playground"),
            Self::Trial { ends_at } => {
                let day: String = ends_at.to_string().chars().take(10).collect();
                write!(out, "trial that ends on {day}")
            }
            Self::Other { partition } => write!(out, "org of the partition {partition}"),
            Self::Unknown => out.write_str("org of an unknown kind"),
        }
    }
}

const ORGANIZATION: &str = "SELECT IsSandbox, OrganizationType, TrialExpirationDate FROM Organization";

#[derive(Deserialize)]
struct Records<T> {
    records: Vec<T>,
}

impl Client {
    /// What the org says of itself, and the records of another query of one page, in one API call. A refusal of one leaves
    /// the other as it is.
    ///
    /// # Errors
    /// When the call itself is refused.
    pub async fn organization_and<T: DeserializeOwned>(
        &self,
        soql: &str,
    ) -> Result<(Option<Organization>, Result<Vec<T>, ApiError>), ApiError> {
        let part = |soql: &str, doing: &str| Part {
            path: self.data_path(&format!("query?q={}", encode(soql))),
            doing: doing.to_owned(),
        };
        let parts = [part(ORGANIZATION, "asking what kind of org it is"), part(soql, "querying records")];
        let answers = self.read_together(&parts, &[], "asking what kind of org it is").await?;
        let mut answers = answers.into_iter();
        let mut next = || answers.next().expect("two parts have two answers");
        let organization = match next() {
            Ok(body) => self.read::<Records<Organization>>(&body).await?.records.into_iter().next(),
            Err(_) => None,
        };
        let records = match next() {
            Ok(body) => Ok(self.read::<Records<T>>(&body).await?.records),
            Err(error) => Err(error),
        };
        Ok((organization, records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostRules;

    fn org(address: &str) -> OrgUrl {
        OrgUrl::parse(address, HostRules { alternative_domains: true, legacy_instance_hosts: true }).unwrap()
    }

    fn record(json: &str) -> Organization {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_address_tells_the_kind_of_its_org() {
        for (address, kind) in [
            ("acme.my.salesforce.com", "production"),
            ("acme--uat.sandbox.my.salesforce.com", "sandbox (uat)"),
            ("acme--uat.my.salesforce.com", "sandbox (uat)"),
            ("dream-ability-1234-dev-ed.scratch.my.salesforce.com", "scratch org"),
            ("acme-dev-ed.develop.my.salesforce.com", "developer org"),
            ("acme-dev-ed.my.salesforce.com", "developer org"),
            ("brave-bear-1-dev-ed.trailblaze.my.salesforce.com", "Trailhead playground"),
            ("acme.my-salesforce.com", "production"),
            ("acme--uat.sandbox.my.sfcrmproducts.cn", "sandbox (uat)"),
            ("acme.patch.my.salesforce.com", "org of the partition patch"),
            ("login.salesforce.com", "org of an unknown kind"),
            ("na139.salesforce.com", "org of an unknown kind"),
        ] {
            assert_eq!(OrgKind::of_host(&org(address)).to_string(), kind, "{address}");
        }
    }

    #[test]
    fn the_record_says_what_the_address_leaves_open() {
        let trial = record(
            r#"{"IsSandbox":false,"OrganizationType":"Enterprise Edition","TrialExpirationDate":"2026-12-01T08:00:00.000+0000"}"#,
        );
        let developer =
            record(r#"{"IsSandbox":false,"OrganizationType":"Developer Edition","TrialExpirationDate":null}"#);
        let acme = org("acme.my.salesforce.com");
        assert_eq!(OrgKind::of(&acme, Some(&trial)).to_string(), "trial that ends on 2026-12-01");
        assert_eq!(OrgKind::of(&acme, Some(&developer)), OrgKind::Developer);
        assert_eq!(OrgKind::of(&acme, None), OrgKind::Production);
        assert_eq!(
            OrgKind::of(&org("na139.salesforce.com"), Some(&trial)).to_string(),
            "trial that ends on 2026-12-01"
        );
        assert_eq!(OrgKind::contradiction(&acme, &trial), None);
    }

    #[test]
    fn two_sources_that_contradict_each_other_are_told_apart_and_the_address_is_believed() {
        let sandbox =
            record(r#"{"IsSandbox":true,"OrganizationType":"Enterprise Edition","TrialExpirationDate":null}"#);
        let production = Organization { is_sandbox: false, ..sandbox.clone() };
        let (acme, uat) = (org("acme.my.salesforce.com"), org("acme--uat.sandbox.my.salesforce.com"));
        assert_eq!(OrgKind::contradiction(&uat, &sandbox), None);
        assert_eq!(OrgKind::contradiction(&acme, &production), None);
        let said = OrgKind::contradiction(&uat, &production).unwrap();
        assert!(
            said.contains("address of a sandbox (uat)") && said.contains("calls itself a production org"),
            "{said}"
        );
        assert!(OrgKind::contradiction(&acme, &sandbox).is_some());
        assert!(OrgKind::of(&uat, Some(&production)).is_sandbox());
    }

    #[test]
    fn what_was_kept_of_the_record_is_read_back() {
        let kept = record(r#"{"IsSandbox":true,"OrganizationType":null,"TrialExpirationDate":null}"#);
        assert_eq!(record(&serde_json::to_string(&kept).unwrap()), kept);
    }
}
