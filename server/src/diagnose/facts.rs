//! Asks an org what can be known of a connection, and judges nothing. A refusal is knowledge.

mod objects;
mod permissions;

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join4;
use salesforce::{
    ApiError, ApiVersion, Client, Http, OrgUrl, Timestamp,
    describe::ObjectSummary,
    error::WireError,
    oauth::{ClientApp, Flow, Introspection},
    org::{Limit, Organization, Probe, UserInfo, probe, versions},
};
use sync::mapping::Mapping;

pub use self::{
    objects::{FieldFact, FieldState, ObjectFacts},
    permissions::{Existence, Grants},
};
use super::finding::Layer;

/// What was asked, and what came of it.
#[derive(Debug, Default)]
pub enum Fact<T> {
    Known(T),
    Refused(ApiError),
    /// Something before it was refused, or there was no reason to ask.
    #[default]
    NotAsked,
}

impl<T> Fact<T> {
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Refused(_) | Self::NotAsked => None,
        }
    }

    pub fn refused(&self) -> Option<&ApiError> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Known(_) | Self::NotAsked => None,
        }
    }
}

impl<T> From<Result<T, ApiError>> for Fact<T> {
    fn from(answer: Result<T, ApiError>) -> Self {
        match answer {
            Ok(known) => Self::Known(known),
            Err(error) => Self::Refused(error),
        }
    }
}

/// The sign-in that is examined: a stored connection, one that is about to be saved, or an address alone.
#[derive(Debug, Clone)]
pub struct Case {
    /// The connection's name; the address when there is none yet.
    pub connection: String,
    /// Where data is asked for.
    pub instance: OrgUrl,
    pub flow: Option<Flow>,
    /// What the last sign-in granted; empty when that is not known.
    pub scopes: Vec<String>,
    /// The client app, to ask with what its token is good for.
    pub app: Option<ClientApp>,
    /// Whether there is a refresh token, where the flow may bring one.
    pub has_refresh_token: bool,
    pub api_version: ApiVersion,
    /// Whom the connection belongs to, once it is saved.
    pub expected: Option<Expected>,
    /// API calls of the runs of the last 24 hours: what the next ones will need about.
    pub calls_of_a_day: Option<u64>,
    /// What is to be read.
    pub needs: Vec<Need>,
}

/// The org and the user that were connected.
#[derive(Debug, Clone)]
pub struct Expected {
    pub org_id: String,
    pub username: String,
    /// It is a sandbox, which a refresh makes another org.
    pub is_sandbox: bool,
}

/// An object that is to be read.
#[derive(Debug, Clone, Default)]
pub struct Need {
    pub object: String,
    /// Fields, or paths to parents' fields.
    pub fields: Vec<String>,
    pub mappings: Vec<Mapping>,
    /// Nobody has chosen it: it is looked at because most orgs are read for it.
    pub is_usual: bool,
}

/// Everything that is asked.
#[derive(Debug, Default)]
pub struct OrgFacts {
    /// The clock here when the host was probed.
    pub now: Option<Timestamp>,
    pub probe: Fact<Probe>,
    pub identity: Fact<UserInfo>,
    pub versions: Fact<Vec<ApiVersion>>,
    /// The list of all objects: whether the API answers at all.
    pub objects_listed: Fact<Vec<ObjectSummary>>,
    pub speaks_by_jwt: Option<bool>,
    /// What Salesforce says of the token, where the app can ask.
    pub introspection: Option<Introspection>,
    pub objects: Vec<ObjectFacts>,
    /// What the org says of itself, where its user may read that.
    pub organization: Option<Organization>,
    pub bulk: Fact<()>,
    pub limits: Fact<BTreeMap<String, Limit>>,
    /// Used and allowed requests of 24 hours, from the headers of the answers.
    pub requests: Option<(u64, u64)>,
}

/// Whoever asks.
pub(super) struct Asking<'a> {
    pub(super) http: &'a Http,
    /// `None`: there is an address and no sign-in.
    pub(super) client: Option<&'a Client>,
    pub(super) case: &'a Case,
}

impl Asking<'_> {
    /// Asks what belongs to `layer`.
    pub(super) async fn ask(&self, layer: Layer, facts: &mut OrgFacts) {
        match layer {
            Layer::Network => facts.probe = self.knock().await.into(),
            Layer::SignIn => {
                if let Some(client) = self.client {
                    facts.identity = client.userinfo().await.into();
                }
            }
            Layer::Api => self.ask_api(facts).await,
            Layer::Data => {
                if let (Some(client), Some(user)) = (self.admitted(facts), facts.identity.known()) {
                    (facts.organization, facts.objects) = objects::ask(client, &user.user_id, &self.case.needs).await;
                }
            }
            Layer::Limit => self.ask_limits(facts).await,
            Layer::Org | Layer::Life => {}
        }
    }

    /// Asks the host who it is: once when there is certainly no way there, twice when the way broke off.
    async fn knock(&self) -> Result<Probe, ApiError> {
        match probe(self.http, &self.case.instance).await {
            Err(error) if is_worth_another_knock(&error) => {
                self.http.timer().sleep(Duration::from_secs(1)).await;
                probe(self.http, &self.case.instance).await
            }
            outcome => outcome,
        }
    }

    /// A client, where the session is accepted and the API answers.
    fn admitted(&self, facts: &OrgFacts) -> Option<&Client> {
        self.client.filter(|_| facts.objects_listed.known().is_some())
    }

    async fn ask_api(&self, facts: &mut OrgFacts) {
        let offered = async {
            let offered = versions(self.http, &self.case.instance).await;
            offered.map(|offered| offered.into_iter().map(|offered| offered.version).collect())
        };
        let Some(client) = self.client.filter(|_| facts.identity.known().is_some()) else {
            if !self.case.instance.is_generic() {
                facts.versions = offered.await.into();
            }
            return;
        };
        let introspection = async {
            match self.case.app.as_ref().filter(|app| app.client_secret.is_some()) {
                Some(app) => client.introspect(app).await.ok().filter(|introspection| introspection.active),
                None => None,
            }
        };
        let (offered, listed, by_jwt, introspection) =
            join4(offered, client.describe_global(), client.speaks_by_jwt(), introspection).await;
        (facts.versions, facts.objects_listed) = (offered.into(), listed.into());
        (facts.speaks_by_jwt, facts.introspection) = (by_jwt.ok(), introspection);
    }

    async fn ask_limits(&self, facts: &mut OrgFacts) {
        if let Some(client) = self.admitted(facts) {
            // Bulk refuses JWTs as ended sessions, and a session that is refused would be renewed for nothing.
            let bulk = async {
                match facts.speaks_by_jwt {
                    Some(true) => Fact::NotAsked,
                    _ => client.ask_for_bulk().await.into(),
                }
            };
            let (bulk, limits) = futures_util::future::join(bulk, client.limits()).await;
            (facts.bulk, facts.limits) = (bulk, limits.into());
        }
        if let Some(client) = self.client {
            let usage = client.usage();
            facts.requests = usage.org_used.zip(usage.org_max);
        }
    }
}

/// False when the host certainly cannot be reached as things are.
fn is_worth_another_knock(error: &ApiError) -> bool {
    match error {
        ApiError::Wire { cause, .. } => matches!(
            cause,
            WireError::Broken { .. } | WireError::Maintenance { .. } | WireError::Unavailable { status: 500.., .. }
        ),
        _ => false,
    }
}
