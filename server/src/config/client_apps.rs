//! Client apps of the server configuration: an installation signs in with them, and no interface ever shows them.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use salesforce::{HostRules, OrgUrl, oauth::ClientApp, secret::ClientSecret};
use serde::Deserialize;

use super::ConfigError;
use crate::{app::connect::FirstImport, schedule::when::ScheduleError};

/// A client app that every user of this installation may sign in with, where it fits.
#[derive(Clone)]
pub struct ConfiguredApp {
    /// The name of its section.
    pub name: String,
    /// What people see in its place.
    pub title: String,
    app: ClientApp,
    /// Whose orgs it serves; empty, with `orgs` empty too: every org (an app that is installed as a package).
    customers: Vec<String>,
    orgs: Vec<OrgUrl>,
    /// What is imported as soon as an org is connected with it.
    pub first_import: FirstImport,
}

/// All client apps of the server configuration.
#[derive(Clone, Debug, Default)]
pub struct ClientApps {
    apps: Vec<ConfiguredApp>,
}

/// Hidden as a whole: the consumer key is not shown either.
impl fmt::Debug for ConfiguredApp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ConfiguredApp({})", self.name)
    }
}

/// One section `[client_apps.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    client_id: String,
    client_secret: Option<String>,
    client_secret_file: Option<PathBuf>,
    client_secret_variable: Option<String>,
    title: Option<String>,
    #[serde(default)]
    customers: Vec<String>,
    #[serde(default)]
    orgs: Vec<String>,
    #[serde(default)]
    first_import: Vec<String>,
    schedule: Option<String>,
}

impl ConfiguredApp {
    /// What is sent to Salesforce.
    pub fn client_app(&self) -> &ClientApp {
        &self.app
    }

    /// The orgs that it is bound to; empty for one that is bound to customers or to nobody.
    pub fn orgs(&self) -> &[OrgUrl] {
        &self.orgs
    }

    fn is_for_org(&self, org: &OrgUrl) -> bool {
        self.orgs.contains(org)
    }

    fn is_for_customer(&self, customer: Option<&str>) -> bool {
        customer.is_some_and(|customer| self.customers.iter().any(|name| name.eq_ignore_ascii_case(customer)))
    }

    fn is_for_all(&self) -> bool {
        self.orgs.is_empty() && self.customers.is_empty()
    }
}

impl ClientApps {
    pub fn is_empty(&self) -> bool {
        self.apps.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &ConfiguredApp> {
        self.apps.iter()
    }

    /// The app of that name.
    pub fn find(&self, name: &str) -> Option<&ConfiguredApp> {
        self.apps.iter().find(|app| app.name == name)
    }

    /// The app that fits best: one that is bound to the org, else to the customer, else to nobody.
    pub fn fitting(&self, org: &OrgUrl, customer: Option<&str>) -> Option<&ConfiguredApp> {
        let find = |fits: &dyn Fn(&ConfiguredApp) -> bool| self.apps.iter().find(|app| fits(app));
        find(&|app| app.is_for_org(org))
            .or_else(|| find(&|app| app.is_for_customer(customer)))
            .or_else(|| find(&ConfiguredApp::is_for_all))
    }

    /// Reads the table of sections. Relative paths start from `directory`.
    pub(super) fn read(
        table: &toml::Table,
        origin: &str,
        directory: &Path,
        rules: HostRules,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let mut apps = Vec::new();
        for (name, section) in table {
            let wrong = |reason: String| ConfigError::Invalid {
                origin: origin.to_owned(),
                name: format!("client_apps.{name}"),
                reason,
            };
            let section: Section = section.clone().try_into().map_err(|error: toml::de::Error| {
                // The first line only: the following ones may quote a secret.
                wrong(error.message().lines().next().unwrap_or_default().to_owned())
            })?;
            apps.push(section.check(name, directory, rules, environment).map_err(wrong)?);
        }
        Ok(Self { apps })
    }
}

impl Section {
    fn check(
        self,
        name: &str,
        directory: &Path,
        rules: HostRules,
        environment: &BTreeMap<String, String>,
    ) -> Result<ConfiguredApp, String> {
        if self.client_id.trim().is_empty() {
            return Err("its client_id is empty".to_owned());
        }
        let client_secret = self.secret(directory, environment)?;
        let schedule = self.schedule.as_deref().map(str::parse).transpose();
        let schedule = schedule.map_err(|error: ScheduleError| error.to_string())?.unwrap_or_default();
        let orgs = self.orgs.iter().map(|org| OrgUrl::parse(org, rules).map_err(|error| error.to_string()));
        Ok(ConfiguredApp {
            name: name.to_owned(),
            orgs: orgs.collect::<Result<_, _>>()?,
            title: self.title.unwrap_or_else(|| name.to_owned()),
            app: ClientApp { client_id: self.client_id.trim().to_owned(), client_secret },
            customers: self.customers,
            first_import: FirstImport { objects: self.first_import, schedule },
        })
    }

    fn secret(&self, directory: &Path, environment: &BTreeMap<String, String>) -> Result<Option<ClientSecret>, String> {
        let given =
            [self.client_secret.is_some(), self.client_secret_file.is_some(), self.client_secret_variable.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err("give one of client_secret, client_secret_file and client_secret_variable".to_owned());
        }
        let secret = match (&self.client_secret, &self.client_secret_file, &self.client_secret_variable) {
            (Some(secret), ..) => secret.clone(),
            (_, Some(file), _) => {
                let path = directory.join(file);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("client_secret_file {} cannot be read: {error}", path.display()))?;
                text.trim_end_matches(['\n', '\r']).to_owned()
            }
            (_, _, Some(variable)) => environment
                .get(variable)
                .cloned()
                .ok_or_else(|| format!("the environment variable {variable} of client_secret_variable is not set"))?,
            (None, None, None) => return Ok(None),
        };
        Ok(Some(ClientSecret::from(secret)).filter(|secret| !secret.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apps(text: &str) -> Result<ClientApps, ConfigError> {
        let environment = BTreeMap::from([("ACME_SECRET".to_owned(), "from-the-environment".to_owned())]);
        ClientApps::read(&text.parse().unwrap(), "config.toml", Path::new("/etc"), HostRules::default(), &environment)
    }

    fn org(host: &str) -> OrgUrl {
        OrgUrl::parse(host, HostRules::default()).unwrap()
    }

    #[test]
    fn the_app_of_an_org_comes_before_that_of_its_customer_and_that_of_everybody() {
        let apps = apps(
            "[all]\nclient_id = 'a'\n[acme]\nclient_id = 'b'\ncustomers = ['Acme']\n\
             [sandbox]\nclient_id = 'c'\norgs = ['https://acme--uat.sandbox.lightning.force.com/']",
        )
        .unwrap();
        let fitting = |host, customer| apps.fitting(&org(host), customer).map(|app| app.name.as_str());
        assert_eq!(fitting("acme--uat.sandbox.my.salesforce.com", Some("acme")), Some("sandbox"));
        assert_eq!(fitting("acme.my.salesforce.com", Some("acme")), Some("acme"));
        assert_eq!(fitting("beta.my.salesforce.com", None), Some("all"));
    }

    #[test]
    fn an_org_that_no_app_is_bound_to_has_none() {
        let apps = apps("[acme]\nclient_id = 'b'\norgs = ['acme']").unwrap();
        assert!(apps.fitting(&org("beta"), Some("Beta")).is_none());
    }

    #[test]
    fn a_secret_comes_from_one_place_and_is_never_printed() {
        let read = apps("[acme]\nclient_id = '3MVG9.key'\nclient_secret_variable = 'ACME_SECRET'").unwrap();
        let secret = read.find("acme").unwrap().client_app().client_secret.as_ref().unwrap();
        assert_eq!(secret.expose(), "from-the-environment");
        let shown = format!("{read:?}");
        assert!(!shown.contains("from-the-environment") && !shown.contains("3MVG9.key"), "{shown}");
        for (text, words) in [
            ("[a]\nclient_id = 'x'\nclient_secret = 's'\nclient_secret_file = 'f'", "give one of"),
            ("[a]\nclient_id = 'x'\nclient_secret_variable = 'ABSENT'", "ABSENT"),
            ("[a]\nclient_id = 'x'\nclient_secret_file = '/nowhere/x'", "cannot be read"),
            ("[a]\nclient_id = ' '", "empty"),
            ("[a]\nclient_id = 'x'\norgs = ['acme.example.com']", "acme.example.com"),
            ("[a]\nclient_id = 'x'\nsecret = 's'", "unknown field"),
            ("[a]\nclient_id = 'x'\nschedule = 'at times'", "at times"),
        ] {
            let error = apps(text).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("client_apps.a"), "{error}");
        }
    }
}
