//! Sign-ins that people do for themselves, with a client app of the server configuration.

use salesforce::OrgUrl;

use super::{
    App,
    accounts::Caller,
    connect::{AppChoice, ConnectRequest, web_server::BegunWebServer},
};
use crate::{
    error::Error,
    store::{StoreError, connections::Confirmed, journal::Actor},
};

/// A sign-in that everybody with an account may begin. It shows nothing of the client app but its title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedSignIn {
    /// What people see in the place of the app.
    pub title: String,
    /// The org that it is for; `None`: whoever begins it types the address.
    pub org: Option<String>,
}

impl App {
    /// Reads an address as people paste it.
    ///
    /// # Errors
    /// [`Error::Host`] with the reason.
    pub fn read_address(&self, pasted: &str) -> Result<OrgUrl, Error> {
        Ok(OrgUrl::parse(pasted, self.http.host_rules())?)
    }

    /// The sign-ins that the server configuration makes possible.
    pub fn offered_sign_ins(&self) -> Vec<OfferedSignIn> {
        let mut offered = Vec::new();
        for app in self.config.client_apps.iter() {
            if app.orgs().is_empty() {
                offered.push(OfferedSignIn { title: app.title.clone(), org: None });
            }
            let of_org = |org: &OrgUrl| OfferedSignIn { title: app.title.clone(), org: Some(org.host().to_owned()) };
            offered.extend(app.orgs().iter().map(of_org));
        }
        offered
    }

    /// Begins, or renews, the caller's own sign-in to an org, with the client app that fits. `name` is that of the
    /// caller's connection when it is renewed.
    ///
    /// # Errors
    /// A connection of that name that is somebody else's is left alone.
    pub async fn begin_own_sign_in(
        &self,
        caller: &Caller,
        pasted: &str,
        name: Option<&str>,
        redirect_uri: &str,
        begun_by: &str,
    ) -> Result<BegunWebServer, Error> {
        let org = self.read_address(pasted)?;
        let name = name.map_or_else(|| own_name(&org, &caller.user.email), str::to_owned);
        let known = self.store.find_connection(&name).await?;
        if known.as_ref().is_some_and(|known| known.owner.as_ref() != Some(&caller.user.id)) {
            return Err(StoreError::NameTaken { kind: "connection", name }.into());
        }
        let request = ConnectRequest {
            name: Some(name),
            org: org.host().to_owned(),
            customer: known.map(|known| known.customer),
            app: AppChoice::Configured { name: None },
            api_version: None,
            confirmed: Confirmed::default(),
            owner: Some(caller.user.id.clone()),
            actor: Actor::User(caller.user.email.clone()),
            first_import: Default::default(),
        };
        self.begin_web_server(request, redirect_uri, begun_by).await
    }
}

/// The org's first label and who signs in: each person has a connection of their own.
fn own_name(org: &OrgUrl, email: &str) -> String {
    let label = org.host().split('.').next().unwrap_or_default();
    let person = email.split('@').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    format!("{label}-{person}").chars().map(plain).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_person_has_a_connection_of_their_own() {
        let org: OrgUrl = serde_json::from_value("nordlicht.my.salesforce.com".into()).unwrap();
        assert_eq!(own_name(&org, "mia@nordlicht.example"), "nordlicht-mia");
        assert_eq!(own_name(&org, "jörg.o'neil+x@nordlicht.example"), "nordlicht-j-rg-o-neil-x");
        assert_eq!(own_name(&org, &"a".repeat(90)).len(), 64);
    }
}
