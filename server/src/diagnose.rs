//! The setup doctor: [`facts`] asks the org, [`checks`] judges what it said, and neither does the other's part. What
//! can be found is a table, [`catalogue`]; an [`Error`] about an org is one of its entries, too ([`of_error`]).

pub mod catalogue;
pub mod checklist;
pub mod checks;
pub mod facts;
pub mod finding;
pub mod of_error;
pub mod patience;
pub mod reference;

use salesforce::{Client, OrgUrl, Timestamp, oauth::ClientApp, org::Organization};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use self::facts::{Asking, OrgFacts};
pub use self::{
    checklist::{Checklist, Quiet, Step},
    checks::{Cell, Matrix},
    facts::{Case, Expected, Need},
    finding::{Finding, Layer, Passing, Severity, Who},
    patience::Patience,
};
use crate::{
    app::App,
    error::Error,
    store::{connections::Connection, credentials::CredentialKind, streams::Stream},
};

/// What an examination has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    pub findings: Vec<Finding>,
    /// Objects by fields: what can be read.
    pub matrix: Vec<Matrix>,
    /// What the org says of itself, where its user may read that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Organization>,
    /// The org that the host says it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_at_host: Option<String>,
}

impl Examined {
    /// The worst of what was found.
    pub fn worst(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }

    /// What keeps a connection from being saved, if anything does.
    pub fn obstacle(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.is_essential)
    }
}

/// The objects that are looked at when nobody says which.
const USUAL_OBJECTS: [&str; 2] = ["Account", "Contact"];

impl App {
    /// Examines a stored connection: everything that a run will need. `needs`: what to look at in the place of its
    /// streams.
    ///
    /// # Errors
    /// Only what is wrong here; what is wrong with the org is a finding.
    pub async fn check(
        &self,
        connection: &str,
        needs: Vec<Need>,
        checklist: &dyn Checklist,
    ) -> Result<Examined, Error> {
        let (connection, streams, client) = self.speak_for(connection).await?;
        let needs = if needs.is_empty() { needs_of(&streams) } else { needs };
        let name = connection.name.clone();
        let case = self.case_of(connection, needs).await?;
        let mut patience = Patience::new(self.http().timer(), checklist);
        loop {
            let examined = self.examine(&case, Some(&client), checklist).await;
            match examined.findings.iter().find(|finding| finding.severity == Severity::Failed) {
                Some(failed) if patience.waits_for(failed).await => {}
                _ => {
                    self.keep_findings_of_org(&name, &examined).await?;
                    return Ok(examined);
                }
            }
        }
    }

    async fn case_of(&self, connection: Connection, needs: Vec<Need>) -> Result<Case, Error> {
        const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
        let since = Timestamp(self.now().0 - DAY_MILLIS);
        let is_sandbox = connection.org_kind().is_sandbox();
        Ok(Case {
            app: self.app_of(&connection).await?,
            calls_of_a_day: Some(self.store().api_calls_since(&connection.id, since).await?),
            connection: connection.name,
            instance: connection.instance,
            flow: Some(connection.flow),
            scopes: connection.scopes,
            // Without one it would not have been saved.
            has_refresh_token: true,
            api_version: connection.api_version,
            expected: Some(Expected { is_sandbox, org_id: connection.org_id, username: connection.username }),
            needs,
        })
    }

    /// The client app that a connection signs in with, where it has a secret to prove itself by.
    async fn app_of(&self, connection: &Connection) -> Result<Option<ClientApp>, Error> {
        if let Some(name) = &connection.app {
            return Ok(self.config().client_apps.find(name).map(|configured| configured.client_app().clone()));
        }
        let secret = self.store().credential(&connection.id, CredentialKind::ClientSecret).await?;
        let secret = secret.map(|secret| secret.expose_secret().to_owned().into());
        let app =
            secret.map(|secret| ClientApp { client_id: connection.client_id.clone(), client_secret: Some(secret) });
        Ok(app)
    }

    /// Examines an address that nothing is connected to: what can be known without credentials.
    ///
    /// # Errors
    /// An address that is none of a Salesforce org.
    pub async fn check_address(&self, pasted: &str, checklist: &dyn Checklist) -> Result<Examined, Error> {
        let org = OrgUrl::parse(pasted, self.http().host_rules())?;
        Ok(self.examine(&Case::of_address(org), None, checklist).await)
    }

    /// Examines a sign-in, stored or about to be, layer by layer. A layer that lacks its ground is left out.
    pub async fn examine(&self, case: &Case, client: Option<&Client>, checklist: &dyn Checklist) -> Examined {
        let asking = Asking { http: self.http(), client, case };
        let mut facts = OrgFacts { now: Some(self.now()), ..OrgFacts::default() };
        let mut findings: Vec<Finding> = Vec::new();
        for layer in Layer::ALL {
            checklist.note(Step::Begins(layer));
            asking.ask(layer, &mut facts).await;
            for finding in checks::judge(layer, case, &facts) {
                let is_same = |known: &Finding| known.code == finding.code && known.subject == finding.subject;
                if findings.iter().any(is_same) {
                    continue;
                }
                log(&case.connection, &finding);
                checklist.note(Step::Found(&finding));
                findings.push(finding);
            }
            let is_cut_off =
                |finding: &Finding| finding.layer == Layer::Network && finding.severity == Severity::Failed;
            if findings.iter().any(is_cut_off) {
                break;
            }
        }
        Examined {
            findings,
            matrix: checks::matrix(&facts),
            org_at_host: facts.probe.known().and_then(|probe| probe.org_id.clone()),
            organization: facts.organization,
        }
    }

    /// Fails at once when there is certainly no way to `org`, so that a mistyped address is not tried again and again.
    ///
    /// # Errors
    /// The finding. What may be of the moment is no error here: the token endpoint is asked with patience.
    pub async fn knock(&self, connection: &str, org: &OrgUrl) -> Result<(), Error> {
        match salesforce::org::probe(self.http(), org).await {
            Err(error) if of_error::is_no_way(&error) => {
                Err(Error::finding_of(connection, of_error::of_api(&error).in_setup_of(org)))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl Case {
    /// An address, and nothing else.
    fn of_address(org: OrgUrl) -> Self {
        Self {
            connection: org.host().to_owned(),
            instance: org,
            flow: None,
            scopes: Vec::new(),
            app: None,
            calls_of_a_day: None,
            has_refresh_token: false,
            api_version: crate::app::connect::NEWEST_KNOWN,
            expected: None,
            needs: Vec::new(),
        }
    }
}

/// What the streams read, each object once.
fn needs_of(streams: &[Stream]) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for stream in streams {
        match needs.iter_mut().find(|need| need.object == stream.object) {
            Some(need) => need.mappings.push(stream.mapping.clone()),
            None => needs.push(Need {
                object: stream.object.clone(),
                fields: Vec::new(),
                mappings: vec![stream.mapping.clone()],
                is_usual: false,
            }),
        }
    }
    if needs.is_empty() { usual_needs() } else { needs }
}

/// What is looked at while nobody has chosen anything.
pub fn usual_needs() -> Vec<Need> {
    USUAL_OBJECTS.map(|object| Need { object: object.to_owned(), is_usual: true, ..Need::default() }).to_vec()
}

fn log(connection: &str, finding: &Finding) {
    if finding.severity >= Severity::Warning {
        tracing::info!(connection.name = connection, code = %finding.code, subject = finding.subject, "finding");
    }
}
