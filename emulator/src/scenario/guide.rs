//! Guides: what a vendor tells its customer's admin to set up, step by step, what the vendor's client does then, and
//! what it gets when a step is done wrongly.
//!
//! A guide stands beside the scenario that follows it to the letter. A variant is that scenario with one step done
//! wrongly: a small patch, the mistake in a sentence, and the answer that proves it.

use serde::Deserialize;
use toml::Table;

use super::Builtin;
use super::patch::{Patch, merge};
use crate::secret::Secret;

/// A vendor's guide.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guide {
    /// Name of the scenario that follows the guide.
    pub name: String,
    pub vendor: String,
    /// What a guide leaves out and its client cannot do without.
    #[serde(default)]
    pub completion: Option<Completion>,
    /// What the vendor's client does when everything is right.
    client: Table,
    pub steps: Vec<Step>,
}

/// What a guide leaves out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    /// What is missing and why nothing works without it.
    pub missing: String,
    patch: Patch,
}

/// One step of a guide.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the guide tells the admin to do.
    pub says: String,
    /// Ways to get it wrong.
    pub variants: Vec<Variant>,
}

/// One way to get a step wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Name of the variant, behind the guide's and a slash.
    pub name: String,
    /// What the admin did wrong.
    pub mistake: String,
    /// Whether the guide's omissions stay in: the variant departs from the guide as it is written.
    #[serde(default)]
    pub as_written: bool,
    #[serde(default)]
    patch: Patch,
    /// What the client does otherwise, such as sending the wrong secret that it was given.
    #[serde(default)]
    client: Table,
    /// What the client gets.
    pub answer: Answer,
}

/// What a vendor's client has been given, and what it does with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    pub flow: Flow,
    /// The host that it was given.
    #[serde(default)]
    pub host: HostKind,
    pub consumer_key: String,
    /// Not sent when it is absent or empty.
    pub consumer_secret: Option<Secret>,
    /// The user who signs in, where somebody does.
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub security_token: Option<Secret>,
    /// Where the browser comes back to.
    pub callback_url: Option<String>,
    /// Scopes that it asks for; absent or empty when it asks for none.
    pub scope: Option<String>,
    /// Whether it sends a code challenge.
    #[serde(default)]
    pub pkce: bool,
    /// What the person enters in the place of the verification code that was sent.
    pub verification_code: Option<String>,
    /// Whether the person who is asked refuses.
    #[serde(default)]
    pub denies: bool,
    /// Whether it refreshes its session before it reads.
    #[serde(default)]
    pub refreshes: bool,
    /// Minutes that pass after it has signed in.
    #[serde(default)]
    pub idle_minutes: u64,
    /// API version, such as `60.0`.
    pub api_version: String,
    /// What it reads at last.
    pub reads: String,
}

/// The way in.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    ClientCredentials,
    Device,
    Password,
    SoapLogin,
    WebServer,
}

/// A host, by what it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum HostKind {
    #[default]
    MyDomain,
    /// `login.salesforce.com`
    Login,
    /// `test.salesforce.com`
    Test,
    Lightning,
    /// `*.my.salesforce-setup.com`
    Setup,
}

/// What a client gets.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Everything, down to the records: the step makes no difference to this client, or hurts only later.
    Works,
    /// An access token without a refresh token.
    NoRefreshToken,
    /// A refusal.
    Refused(Refusal),
}

/// A refusal: which request meets it, and its words.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    pub at: Request,
    /// HTTP status; of an authorization only where it is not a redirect.
    pub status: Option<u16>,
    /// `error` of OAuth, `errorCode` of the data API, or the heading of a page.
    pub error: String,
    /// `error_description`, or a part of the message.
    #[serde(default)]
    pub description: String,
    /// How an authorization is refused.
    pub shape: Option<Shape>,
}

/// A request of a client.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// `/services/oauth2/authorize`, with all that a person clicks through there.
    Authorize,
    /// The login page.
    Login,
    /// The start of the device flow.
    DeviceStart,
    /// The page where a person enters the code of a device.
    DeviceApproval,
    /// The token endpoint.
    Token,
    /// The token endpoint with a refresh token.
    Refresh,
    /// SOAP `login()`.
    Soap,
    /// A query.
    Query,
}

/// The shapes in which an authorization is refused.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A redirect to the callback with `error` and `error_description`.
    Redirect,
    /// A Salesforce page that never redirects.
    Page,
    /// A redirect to `/setup/secur/RemoteAccessErrorPage.apexp`.
    ErrorPage,
    /// A bare body with status 400.
    Bare,
}

/// Name of the variant that is right: the guide with its omissions filled in.
const COMPLETED: &str = "completed";

impl Guide {
    /// What the vendor's client does when everything is right.
    pub fn client(&self) -> Client {
        read_client(self.client.clone())
    }

    /// What the vendor's client does with a variant.
    pub fn client_of(&self, variant: &Variant) -> Client {
        let mut client = self.client.clone();
        merge(&mut client, &variant.client).expect("a client has no lists");
        read_client(client)
    }

    /// Every variant, in the order of the steps.
    pub fn variants(&self) -> impl Iterator<Item = &Variant> {
        self.steps.iter().flat_map(|step| &step.variants)
    }

    /// Name of the scenario with which the vendor's client works: the guide's own, or with its omissions filled in.
    pub fn working_scenario(&self) -> String {
        match self.completion {
            Some(_) => format!("{}/{COMPLETED}", self.name),
            None => self.name.clone(),
        }
    }

    /// The scenarios that depart from the guide.
    pub(super) fn departures(&self) -> Vec<Builtin> {
        let named =
            |name: &str, about: &str| Builtin { name: format!("{}/{name}", self.name), about: about.to_owned() };
        let completed = self.completion.iter().map(|completion| named(COMPLETED, &completion.missing));
        completed.chain(self.variants().map(|variant| named(&variant.name, &variant.mistake))).collect()
    }

    /// What a departure changes, in order.
    pub(super) fn patches(&self, name: &str) -> Option<Vec<&Patch>> {
        let completion = self.completion.as_ref().map(|completion| &completion.patch);
        if name == COMPLETED {
            return completion.map(|patch| vec![patch]);
        }
        let variant = self.variants().find(|variant| variant.name == name)?;
        let completion = completion.filter(|_| !variant.as_written);
        Some(completion.into_iter().chain([&variant.patch]).collect())
    }
}

fn read_client(table: Table) -> Client {
    table.try_into().expect("the tests read every guide that is shipped")
}
