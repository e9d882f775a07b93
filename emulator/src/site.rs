//! Host names of orgs and what each of them is for.

use crate::scenario::{OrgKind, OrgSpec};

/// What stands behind a host name. Source: Salesforce Help, "My Domain Login and Application URL Formats".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// The org's My Domain: the only host that serves data.
    MyDomain,
    /// `login.salesforce.com`.
    Login,
    /// `test.salesforce.com`.
    Test,
    /// The Lightning pages of the org.
    Lightning,
    /// The Setup pages of the org.
    Setup,
    /// A name that belongs to nobody here.
    Unknown,
}

impl Site {
    /// Whether the host is the generic login host, of whichever kind.
    pub(crate) fn is_generic(self) -> bool {
        matches!(self, Self::Login | Self::Test)
    }

    /// Whether people sign in here.
    pub(crate) fn signs_in(self) -> bool {
        matches!(self, Self::MyDomain | Self::Login | Self::Test)
    }

    /// The generic login host that `host` (without port) names.
    pub(crate) fn generic(host: &str) -> Option<Self> {
        [(LOGIN, Self::Login), (TEST, Self::Test)]
            .into_iter()
            .find(|(name, _)| is_host(host, name))
            .map(|(_, site)| site)
    }
}

/// The host names of one org.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    my_domain: String,
    lightning: String,
    setup: String,
    generic: &'static str,
}

const LOGIN: &str = "login.salesforce.com";
const TEST: &str = "test.salesforce.com";

impl Hosts {
    pub(crate) fn of(org: &OrgSpec) -> Self {
        let (name, part) = (&org.my_domain, OrgKind::partition(org.kind));
        Self {
            my_domain: format!("{name}{part}.my.salesforce.com"),
            lightning: format!("{name}{part}.lightning.force.com"),
            setup: format!("{name}{part}.my.salesforce-setup.com"),
            generic: if org.kind.is_sandbox() { TEST } else { LOGIN },
        }
    }

    /// Every name that the certificate and the proxy answer for, the My Domain first.
    pub(crate) fn all(&self) -> Vec<String> {
        let names = [&self.my_domain, LOGIN, TEST, &self.lightning, &self.setup];
        names.into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn my_domain(&self) -> &str {
        &self.my_domain
    }

    /// The generic host that signs this kind of org in; identity URLs name it.
    pub(crate) fn generic(&self) -> &str {
        self.generic
    }

    /// Which of the org's own sites `host` (without port) names.
    pub(crate) fn own_site(&self, host: &str) -> Option<Site> {
        let own = [(&self.my_domain, Site::MyDomain), (&self.lightning, Site::Lightning), (&self.setup, Site::Setup)];
        own.into_iter().find(|(name, _)| is_host(host, name)).map(|(_, site)| site)
    }
}

fn is_host(host: &str, name: &str) -> bool {
    host.trim_end_matches('.').eq_ignore_ascii_case(name)
}
