//! All orgs of one process, what they share, and which of them a request is for.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::call::{Arrival, Call};
use crate::clock::Clock;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::mailbox::Mailbox;
use crate::oauth::{DeviceCodes, Parameters};
use crate::org::{Configuration, Org, PopulateError};
use crate::route::Route;
use crate::scenario::{AppSpec, AppState, Scenario, ScenarioError};
use crate::site::Site;
use crate::soap;
use crate::web::{Browsers, PendingAuthorizations};

/// Where clients that speak TLS find the orgs, and whom they have to trust.
pub(crate) struct Listeners {
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) proxy: Option<SocketAddr>,
    /// The certificate authority, in PEM.
    pub(crate) ca_pem: String,
}

/// What all orgs of a process have in common.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) mailbox: Mailbox,
    pub(crate) browsers: Browsers,
    /// Authorizations that wait for a person.
    pub(crate) pending: PendingAuthorizations,
    pub(crate) device_codes: DeviceCodes,
    /// Address of the plain listener, once it is bound.
    pub(crate) http_url: OnceLock<String>,
    /// The other listeners, once they are bound.
    pub(crate) listeners: OnceLock<Listeners>,
    configurations: Vec<Arc<Configuration>>,
    caller: Mutex<IpAddr>,
    released: watch::Sender<u64>,
}

impl Shared {
    /// The address that callers seem to have.
    pub(crate) fn caller(&self) -> IpAddr {
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_caller(&self, address: IpAddr) {
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    /// An app of whichever org, as an org sees it that does not have it: not installed.
    pub(crate) fn foreign_app(&self, consumer_key: &str, now: DateTime<Utc>, request: u64) -> Option<AppSpec> {
        self.configurations.iter().find_map(|configuration| {
            let setup = configuration.in_effect(now, request);
            let app = setup.app(consumer_key)?.clone();
            Some(AppSpec { state: AppState::NotInstalled, ..app })
        })
    }

    /// Waits, when told to, until [`Shared::release`].
    pub(crate) async fn hang_if(&self, hangs: bool) {
        if hangs {
            let mut released = self.released.subscribe();
            // The sender lives as long as the world, so the channel is not closed here.
            let _ = released.changed().await;
        }
    }

    /// Lets every request go on that hangs now.
    pub(crate) fn release(&self) {
        self.released.send_modify(|count| *count += 1);
    }
}

/// Every org of one process.
pub(crate) struct World {
    pub(crate) shared: Arc<Shared>,
    /// At least one; the first is the one that plain HTTP stands for. A sandbox that is refreshed gives its place to
    /// another org.
    orgs: RwLock<Vec<Arc<Org>>>,
    spool: Option<PathBuf>,
}

impl World {
    /// Makes the orgs of some scenarios, sandboxes included. Clock, seed of faults and caller are those of the first.
    pub(crate) fn new(scenarios: Vec<Scenario>, spool: Option<PathBuf>) -> Result<Arc<Self>, PopulateError> {
        let scenarios: Vec<Scenario> = scenarios.into_iter().flat_map(Scenario::orgs).collect();
        let first = scenarios.first().ok_or(PopulateError::NoOrg)?;
        refuse_duplicates(&scenarios)?;
        let clock = Clock::new(first.now, first.time);
        let now = clock.now();
        let configure = |scenario: &Scenario| Arc::new(Configuration::new(scenario.setup(), now));
        let shared = Arc::new(Shared {
            journal: Journal::default(),
            faults: Faults::new(first.seed),
            mailbox: Mailbox::default(),
            browsers: Browsers::default(),
            pending: PendingAuthorizations::default(),
            device_codes: DeviceCodes::default(),
            http_url: OnceLock::new(),
            listeners: OnceLock::new(),
            configurations: scenarios.iter().map(configure).collect(),
            caller: Mutex::new(first.caller_address),
            released: watch::channel(0).0,
            clock,
        });
        let orgs = scenarios
            .into_iter()
            .zip(&shared.configurations)
            .enumerate()
            .map(|(index, (scenario, configuration))| {
                Org::new(scenario, Arc::clone(configuration), Arc::clone(&shared), index == 0, spool.clone())
            })
            .collect::<Result<_, _>>()?;
        Ok(Arc::new(Self { shared, orgs: RwLock::new(orgs), spool }))
    }

    /// Every org, as they are now.
    pub(crate) fn orgs(&self) -> Vec<Arc<Org>> {
        self.orgs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first org of which this is true.
    pub(crate) fn org_that(&self, is_meant: impl Fn(&Org) -> bool) -> Option<Arc<Org>> {
        self.orgs.read().unwrap_or_else(PoisonError::into_inner).iter().find(|org| is_meant(org)).cloned()
    }

    /// The org that plain HTTP stands for.
    pub(crate) fn primary(&self) -> Arc<Org> {
        self.org_that(|_| true).expect("a world without orgs is refused when it is made")
    }

    /// The org with a My Domain, such as `acme` or `acme--uat`.
    pub(crate) fn org_named(&self, my_domain: &str) -> Option<Arc<Org>> {
        self.org_that(|org| org.scenario.org.my_domain == my_domain)
    }

    /// Copies an org into its sandbox anew: another org takes the place of the one that was there, which ends with its
    /// users, sessions and grants. `id`: that of the org that comes; `None`: any that no org has.
    ///
    /// Source: Salesforce Help, "Refresh Your Sandbox" and "Sandbox Setup Considerations".
    pub(crate) fn refresh_sandbox(&self, my_domain: &str, id: Option<&str>) -> Result<Arc<Org>, PopulateError> {
        let inconsistent = |problem: String| PopulateError::from(ScenarioError::Inconsistent(problem));
        // Held throughout, so that two refreshes are one after the other.
        let mut orgs = self.orgs.write().unwrap_or_else(PoisonError::into_inner);
        let named = |name: &str| orgs.iter().position(|org| org.scenario.org.my_domain == name);
        let place = named(my_domain).ok_or_else(|| inconsistent(format!("there is no org {my_domain:?}")))?;
        let origin = my_domain.split_once("--").and_then(|(origin, name)| Some((named(origin)?, name)));
        let Some((origin, name)) = origin else {
            return Err(inconsistent(format!("{my_domain:?} is no sandbox of an org of this process")));
        };
        let (origin, replaced) = (Arc::clone(&orgs[origin]), Arc::clone(&orgs[place]));
        let id = match id {
            Some(id) => id.to_owned(),
            None => {
                next_id(&replaced.scenario.org.id, &orgs).ok_or_else(|| inconsistent("no org id is left".into()))?
            }
        };
        if orgs.iter().any(|org| org.is_named(&id)) {
            return Err(inconsistent(format!("another org of this process has the id {id:?}")));
        }
        let refreshed = origin.copied_into(name, &id, &replaced, self.spool.clone())?;
        replaced.end();
        orgs[place] = Arc::clone(&refreshed);
        Ok(refreshed)
    }

    /// Every host name, the first org's My Domain first.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = Vec::new();
        for host in self.orgs().iter().flat_map(|org| org.hosts.all()) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    /// What a host name stands for, and the org behind it when it is one's own. The plain listener knows short names
    /// besides, and any name that it does not know stands for the first org's My Domain.
    pub(crate) fn locate(&self, host: &str, arrival: Arrival) -> (Site, Option<Arc<Org>>) {
        let own = self.orgs().into_iter().find_map(|org| Some((org.hosts.own_site(host)?, Some(org))));
        let place = own.or_else(|| Site::generic(host).map(|site| (site, None)));
        match arrival {
            Arrival::Tls => place.unwrap_or((Site::Unknown, None)),
            Arrival::Plain => {
                place.or_else(|| self.locate_short(host)).unwrap_or((Site::MyDomain, Some(self.primary())))
            }
        }
    }

    /// `login.localhost`, `test.localhost` and `<My Domain>.localhost`: names that browsers take to loopback.
    fn locate_short(&self, host: &str) -> Option<(Site, Option<Arc<Org>>)> {
        match host.strip_suffix(".localhost")? {
            "login" => Some((Site::Login, None)),
            "test" => Some((Site::Test, None)),
            name => Some((Site::MyDomain, Some(self.org_named(name)?))),
        }
    }

    /// The org that answers a request. A host that serves many orgs finds it by the token, the user or the app that the
    /// request names.
    pub(crate) fn org_for(&self, call: &Call, route: &Route) -> Arc<Org> {
        if let (_, Some(org)) = self.locate(&call.host, call.arrival) {
            return org;
        }
        if let (Route::Soap(..), Some(key)) = (route, soap::Key::of(call)) {
            return self.org_of_soap(call, &key).unwrap_or_else(|| self.primary());
        }
        let parameters = Parameters::of(call);
        let by_identity = || match route {
            Route::Identity { org, .. } => self.org_that(|known| known.is_named(org)),
            _ => None,
        };
        let by_token = || {
            let sent =
                ["token", "access_token", "oauth_token", "refresh_token", "code"].map(|name| parameters.get(name));
            let in_headers = [call.bearer(), call.header("x-sfdc-session")];
            let tokens: Vec<&str> = sent.into_iter().chain(in_headers).flatten().collect();
            self.org_that(|org| tokens.iter().any(|token| org.issued(token)))
        };
        let by_device_code = || {
            let org = self.shared.device_codes.org_of(parameters.get("code")?)?;
            self.org_that(|known| known.id == org)
        };
        let by_user = || {
            let username = parameters.username()?;
            self.org_that(|org| org.setup(call).user(&username).is_some())
        };
        by_identity()
            .or_else(by_token)
            .or_else(by_device_code)
            .or_else(by_user)
            .or_else(|| self.org_of_app(call, &parameters))
            .unwrap_or_else(|| self.primary())
    }

    fn org_of_soap(&self, call: &Call, key: &soap::Key) -> Option<Arc<Org>> {
        self.org_that(|org| match key {
            soap::Key::Username(username) => org.setup(call).user(username).is_some(),
            soap::Key::Session(token) => org.issued(token),
        })
    }

    /// The org that has the app a request names, preferably one that signs in at the host.
    fn org_of_app(&self, call: &Call, parameters: &Parameters) -> Option<Arc<Org>> {
        let key = parameters.client_id(call)?;
        let has_app = |org: &Org| org.setup(call).app(&key).is_some();
        let here = |org: &Org| has_app(org) && org.signs_in_at(&org.setup(call), call.site);
        self.org_that(here).or_else(|| self.org_that(has_app))
    }
}

/// The next org id that no org has; the 15 characters count up where they can.
fn next_id(id: &str, orgs: &[Arc<Org>]) -> Option<String> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let stem = id.get(..14)?;
    let ids = DIGITS.iter().map(|digit| format!("{stem}{}", char::from(*digit)));
    ids.into_iter().find(|id| !orgs.iter().any(|org| org.is_named(id)))
}

/// Org ids, host names and user names belong to one org each, as they do at Salesforce.
fn refuse_duplicates(scenarios: &[Scenario]) -> Result<(), PopulateError> {
    let mut known = std::collections::BTreeSet::new();
    for scenario in scenarios {
        let org = &scenario.org;
        let id = org.id.get(..15).unwrap_or(&org.id).to_owned();
        let users = scenario.users.iter().map(|user| user.username.to_ascii_lowercase());
        for name in [id, org.my_domain.clone()].into_iter().chain(users) {
            if !known.insert(name.clone()) {
                let problem = format!("two orgs of one process have {name:?} as an org id, a My Domain or a user name");
                return Err(ScenarioError::Inconsistent(problem).into());
            }
        }
    }
    Ok(())
}
