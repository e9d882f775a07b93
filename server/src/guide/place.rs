//! Places in Setup, and how to get there.

use salesforce::host::OrgUrl;
use serde::Serialize;

/// A place in Setup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The way by labels, from Setup on.
    pub path: String,
    /// What to type into Setup's Quick Find box; none for a place that is reached otherwise.
    pub quick_find: Option<&'static str>,
    /// The org's page, as far as its address is documented; otherwise the org's Setup home.
    pub url: Option<String>,
}

/// A page of Setup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    AppManager,
    ConnectedAppsUsage,
    ExternalClientApps,
    MyDomain,
    OauthSettings,
    PermissionSets,
    UserInterface,
    Users,
}

impl Page {
    /// Its label, and what to type into Quick Find.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::AppManager => ("App Manager", "app manager"),
            Self::ConnectedAppsUsage => ("Connected Apps OAuth Usage", "oauth usage"),
            Self::ExternalClientApps => ("External Client App Manager", "external client"),
            Self::MyDomain => ("My Domain", "my domain"),
            Self::OauthSettings => ("OAuth and OpenID Connect Settings", "oauth and openid"),
            Self::PermissionSets => ("Permission Sets", "permission sets"),
            Self::UserInterface => ("User Interface", "user interface"),
            Self::Users => ("Users", "users"),
        }
    }
}

/// Setup's home page (SFDO-Tooling/CumulusCI, `Salesforce.py`: opened below the instance URL). Pages other than this one
/// have no documented address, so links go no deeper.
const SETUP_HOME: &str = "/lightning/setup/SetupOneHome/home";

/// A place below a page of Setup.
pub(super) fn setup(org: Option<&OrgUrl>, page: Page, below: &[&str]) -> Place {
    let (label, quick_find) = page.words();
    let path = ["Setup", label].into_iter().chain(below.iter().copied()).collect::<Vec<_>>().join(" > ");
    let url = org.filter(|org| !org.is_generic()).map(|org| format!("{org}{SETUP_HOME}"));
    Place { path, quick_find: Some(quick_find), url }
}

/// A section of the form that the step before has opened.
pub(super) fn same_form(section: &str) -> Place {
    Place { path: format!("The same form > {section}"), quick_find: None, url: None }
}

/// A place of a person's own settings.
pub(super) fn personal(below: &[&str]) -> Place {
    let path = ["your picture", "Settings"].into_iter().chain(below.iter().copied()).collect::<Vec<_>>().join(" > ");
    Place { path, quick_find: None, url: None }
}
