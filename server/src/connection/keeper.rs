//! Redeems stored grants, alone: nothing else in the program asks the token endpoint for a stored connection.
//!
//! One renewal's path: take the lease → read the store again → if its session is not the rejected one, use that →
//! commit the intent → exchange, under a deadline below half the lease → commit the sealed answer → publish → give the
//! lease back. It runs in a task of its own: a caller that goes away does not end it between "redeemed" and "stored".
//!
//! An intent that stays open says that a refresh token was sent and its answer is not known. Whoever finds it waits
//! until the sender's deadline has passed, and sends the same token again. Where the token does not rotate, that works.
//! Where it does and the first request had arrived, Salesforce refuses, and only a new sign-in helps: no client can
//! survive that. Silence alone never ends a connection; a refusal does. Each outcome stands in the journal.
//!
//! A process that stood still is fenced twice: it sends nothing when its intent has become too old, which is looked at
//! when the connection stands and the token is about to leave; and an answer that it holds is stored only while the token
//! that bought it is still the stored one.

use std::{sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use salesforce::{
    OAuthError, Recovery, Timestamp,
    error::{OAuthCause, WireError},
    http::MaySend,
    oauth::{ClientApp, Renewed, Session, TokenSource},
    secret::{AccessToken, RefreshToken},
};
use tokio::sync::Mutex;

use super::{
    outcome::{Outcome, event_of},
    state::{Admission, ConnectionEvent, ConnectionState},
};
use crate::{
    clock::SharedClock,
    config::ClientApps,
    store::{
        Store, StoreError,
        connections::Connection,
        credentials::CredentialKind,
        lease::{Holder, Lease},
        redemptions::{Closing, Redemption, Settlement},
    },
};

mod endpoint;
mod replaced;
mod settlement;
mod stored;

pub use endpoint::{Means, TokenEndpoint};
use replaced::{refreshed, refuse_refreshed};
use settlement::settlement_of;
use stored::StoredSession;
pub(crate) use stored::{document, is_same_org};

/// How long a lease on a grant is held at most.
pub(crate) const LEASE_TERM: Duration = Duration::from_secs(120);
/// No exchange takes longer; below half the lease. Counted from the intent.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(50);
/// A token that has not left so long after its intent is not sent any more; there is time to answer until the deadline.
const SEND_WITHIN: Duration = Duration::from_secs(25);
/// Between two looks at a lease that somebody else holds.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long others are waited for: two whole leases.
const LOOKS: u32 = 960;
/// A caller waits so long for the next attempt to be due; a longer wait is an error that says when.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often a refresh token is sent that certainly was not redeemed: nobody was reached, or another request had it.
const SENDINGS: u32 = 4;
/// Between two sendings; doubles.
const SEND_AGAIN: Duration = Duration::from_secs(1);
/// Waits between attempts to commit an answer that a passing failure of the store keeps out.
const COMMIT_AGAIN: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// The sessions of one stored connection; cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    kept: Arc<Kept>,
}

struct Kept {
    store: Arc<Store>,
    endpoint: Arc<dyn TokenEndpoint>,
    apps: ClientApps,
    clock: SharedClock,
    holder: Holder,
    connection: String,
    state: Mutex<Current>,
}

/// What this process knows of the connection's session.
#[derive(Default)]
struct Current {
    session: Option<Session>,
    /// An answer that the store has not taken yet. It goes there before anything else happens.
    late: Option<Box<LateAnswer>>,
}

/// An answer that is not stored.
struct LateAnswer {
    renewed: Renewed,
    /// The refresh token that bought it.
    token_hash: Option<String>,
    /// The sign-in that the token belongs to.
    signed_in_at: Timestamp,
}

/// How a renewal under the lease ended.
enum Step {
    Session(Session),
    /// The store holds something else now: look again.
    LookAgain,
}

impl Keeper {
    /// Keeps the grant of the connection named `connection`.
    pub fn new(
        store: Arc<Store>,
        endpoint: Arc<dyn TokenEndpoint>,
        apps: ClientApps,
        clock: SharedClock,
        holder: Holder,
        connection: String,
    ) -> Self {
        Self { kept: Arc::new(Kept { store, endpoint, apps, clock, holder, connection, state: Mutex::default() }) }
    }

    /// Redeems the grant although its session may still be good, unless somebody else does so meanwhile.
    ///
    /// # Errors
    /// As those of a renewal.
    pub async fn keep_alive(&self) -> Result<Session, OAuthError> {
        let connection = self.kept.store.connection(&self.kept.connection).await.map_err(stored)?;
        let known = self.kept.stored_session(&connection).await?.map(|session| session.access_token);
        self.obtain(known).await
    }

    /// The client app that the connection signs in with.
    ///
    /// # Errors
    /// [`OAuthError::Configuration`] when the server configuration no longer has it.
    pub async fn client_app(&self) -> Result<ClientApp, OAuthError> {
        let connection = self.kept.store.connection(&self.kept.connection).await.map_err(stored)?;
        self.kept.client_app(&connection).await
    }

    /// What is stored: the refresh token and the session, for the one who revokes them under the connection's lease.
    pub(crate) async fn stored_tokens(&self) -> Result<(Option<RefreshToken>, Option<Session>), OAuthError> {
        let connection = self.kept.store.connection(&self.kept.connection).await.map_err(stored)?;
        let refresh_token = self.kept.credential(&connection, CredentialKind::RefreshToken).await?;
        Ok((refresh_token.map(Into::into), self.kept.stored_session(&connection).await?))
    }

    async fn obtain(&self, rejected: Option<AccessToken>) -> Result<Session, OAuthError> {
        let kept = Arc::clone(&self.kept);
        tokio::spawn(async move { kept.obtain(rejected.as_ref()).await }).await.unwrap_or(Err(OAuthError::Interrupted))
    }
}

impl TokenSource for Keeper {
    fn session(&self) -> BoxFuture<'_, Result<Session, OAuthError>> {
        self.obtain(None).boxed()
    }

    fn renew<'a>(&'a self, rejected: &'a AccessToken) -> BoxFuture<'a, Result<Session, OAuthError>> {
        self.obtain(Some(rejected.clone())).boxed()
    }
}

impl Kept {
    async fn obtain(&self, rejected: Option<&AccessToken>) -> Result<Session, OAuthError> {
        let mut current = self.state.lock().await;
        if let Some(session) = current.session.as_ref().filter(|session| is_other(session, rejected)) {
            return Ok(session.clone());
        }
        let session = self.obtain_alone(&mut current, rejected).await?;
        current.session = Some(session.clone());
        Ok(session)
    }

    /// Goes on until there is a session, a refusal, or somebody else's.
    async fn obtain_alone(&self, current: &mut Current, rejected: Option<&AccessToken>) -> Result<Session, OAuthError> {
        for _ in 0..LOOKS {
            let connection = self.store.connection(&self.connection).await.map_err(stored)?;
            refuse_refreshed(&connection)?;
            if current.late.is_none() {
                if let Some(session) = self.stored_session(&connection).await?.filter(|s| is_other(s, rejected)) {
                    return Ok(session);
                }
                if !self.is_admitted(&connection).await? {
                    continue;
                }
            }
            match self.store.acquire_lease(&lease_name(&connection.name), &self.holder, LEASE_TERM).await {
                Ok(mut lease) => {
                    let step = self.renew_under(&mut lease, current, rejected).await;
                    // A lease that cannot be given back lapses.
                    let _ = self.store.release_lease(&lease).await;
                    match step? {
                        Step::Session(session) => return Ok(session),
                        Step::LookAgain => {}
                    }
                }
                Err(StoreError::Leased { .. }) => self.endpoint.timer().sleep(LOOK_AGAIN).await,
                Err(error) => return Err(stored(error)),
            }
        }
        Err(OAuthError::Store { reason: "another process has been signing in for minutes".into() })
    }

    /// Whether the connection's state lets the grant be redeemed now. Waits for a moment that is near.
    async fn is_admitted(&self, connection: &Connection) -> Result<bool, OAuthError> {
        let now = self.clock.now();
        match connection.state.admits_renewal(now) {
            Admission::Now => Ok(true),
            Admission::Never { reason } => Err(OAuthError::Retired { reason }),
            Admission::From { at, reason } => {
                let wait = between(now, at);
                if wait > PATIENCE {
                    return Err(OAuthError::Postponed { until: at, wait, reason });
                }
                self.endpoint.timer().sleep(wait).await;
                Ok(false)
            }
        }
    }

    async fn renew_under(
        &self,
        lease: &mut Lease,
        current: &mut Current,
        rejected: Option<&AccessToken>,
    ) -> Result<Step, OAuthError> {
        let connection = self.store.connection(&self.connection).await.map_err(stored)?;
        refuse_refreshed(&connection)?;
        if let Some(from) = lease.displaced.take() {
            self.note(&connection, &Outcome::TakenOver { from }).await;
        }
        if let Some(late) = current.late.take() {
            self.keep_late(&connection, current, late, lease).await?;
            return Ok(Step::LookAgain);
        }
        if let Some(session) = self.stored_session(&connection).await?.filter(|s| is_other(s, rejected)) {
            return Ok(Step::Session(session));
        }
        if connection.state.admits_renewal(self.clock.now()) != Admission::Now {
            return Ok(Step::LookAgain);
        }
        let means = match self.means(&connection).await {
            Ok(means) => means,
            Err(error @ OAuthError::Configuration { .. }) => return self.fail(&connection, None, error, lease).await,
            Err(error) => return Err(error),
        };
        match stored::hash_of(&means) {
            Some(hash) => self.redeem(&connection, current, &means, hash, lease).await,
            None => self.ask(&connection, current, &means, lease).await,
        }
    }

    /// Credentials that are not used up: they may be sent as often as it takes.
    async fn ask(
        &self,
        connection: &Connection,
        current: &mut Current,
        means: &Means,
        lease: &Lease,
    ) -> Result<Step, OAuthError> {
        if matches!(connection.state, ConnectionState::NeedsReauthorization { .. }) {
            // Committed before the attempt: one an hour, even if this process dies in the middle.
            let attempted = Settlement { event: Some(ConnectionEvent::Attempted), ..Settlement::default() };
            match self.store.settle(connection, &attempted, lease).await {
                Ok(()) => {}
                Err(StoreError::Fenced { .. }) => return Ok(Step::LookAgain),
                Err(error) => return Err(stored(error)),
            }
        }
        match self.exchange(self.clock.now(), connection, means).await {
            Ok(renewed) => self.publish(connection, current, renewed, None, lease).await,
            Err(error) => self.fail(connection, None, error, lease).await,
        }
    }

    /// Sends a refresh token, within its intent.
    async fn redeem(
        &self,
        connection: &Connection,
        current: &mut Current,
        means: &Means,
        hash: String,
        lease: &mut Lease,
    ) -> Result<Step, OAuthError> {
        let mut outcomes = self.after_an_earlier_sender(connection, &hash).await?;
        for sending in 1.. {
            let begun = self.store.begin_redemption(connection, &hash, lease, LEASE_TERM, &outcomes).await;
            let intent = match begun {
                Ok(intent) => intent,
                Err(StoreError::Fenced { epoch, .. }) => return Ok(self.fenced(connection, epoch).await),
                Err(error) => return Err(stored(error)),
            };
            outcomes.clear();
            // That commit was the last look at the epoch. Whoever stands still from here on may have a successor when
            // it wakes up, and must not send.
            match self.exchange(intent.started_at, connection, means).await {
                Ok(renewed) => return self.publish(connection, current, renewed, Some(hash), lease).await,
                Err(OAuthError::Wire { cause: WireError::TooLate { .. }, .. }) => {
                    self.withdraw(connection, Outcome::Overslept { began: intent.started_at }, lease).await?;
                    return Ok(Step::LookAgain);
                }
                Err(error) if sending < SENDINGS && is_worth_sending_again(&error) => {
                    let noted = match is_redeemed_elsewhere(&error) {
                        true => Outcome::RedeemedElsewhere { attempt: sending },
                        false => Outcome::Failed { reason: error.to_string() },
                    };
                    if !self.withdraw(connection, noted, lease).await? {
                        return Ok(Step::LookAgain);
                    }
                    self.endpoint.timer().sleep(SEND_AGAIN * (1 << sending)).await;
                    if self.has_other_credentials(connection, &hash).await? {
                        return Ok(Step::LookAgain);
                    }
                }
                Err(error) => return self.fail(connection, Some(&intent), error, lease).await,
            }
        }
        unreachable!("the last sending returns")
    }

    /// Waits until a request that an earlier holder may have under way cannot be answered any more; what is to be noted.
    async fn after_an_earlier_sender(&self, connection: &Connection, hash: &str) -> Result<Vec<Outcome>, OAuthError> {
        let open = self.store.open_redemption(&connection.id).await.map_err(stored)?;
        let Some(open) = open.filter(|open| open.token_hash == hash) else { return Ok(Vec::new()) };
        tracing::warn!(
            connection.id = connection.id,
            attempts = open.attempts,
            "the answer to an earlier renewal is not known; the refresh token is sent again"
        );
        let until = open.started_at.after(EXCHANGE_DEADLINE);
        while self.clock.now() < until {
            self.endpoint.timer().sleep(LOOK_AGAIN).await;
        }
        Ok(vec![Outcome::Replayed { attempts: open.attempts }])
    }

    /// One exchange that begins at `begun`, and ends at its deadline whatever it is doing then. An answer that is there
    /// already is taken even later: it may hold the only token that works.
    async fn exchange(&self, begun: Timestamp, connection: &Connection, means: &Means) -> Result<Renewed, OAuthError> {
        let clock = self.clock.clone();
        let may_send: MaySend = Arc::new(move || clock.now() < begun.after(SEND_WITHIN));
        let exchange = self.endpoint.renew(&connection.org, means, &connection.instance, may_send);
        let left = between(self.clock.now(), begun.after(EXCHANGE_DEADLINE));
        match select(exchange, self.endpoint.timer().sleep(left)).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(OAuthError::Wire {
                cause: WireError::NoAnswer { host: connection.org.host().to_owned(), waited: EXCHANGE_DEADLINE },
                attempts: 1,
            }),
        }
    }

    /// Commits an answer, then hands it out; never the other way round.
    async fn publish(
        &self,
        connection: &Connection,
        current: &mut Current,
        renewed: Renewed,
        hash: Option<String>,
        lease: &Lease,
    ) -> Result<Step, OAuthError> {
        let (settlement, verdict) = settlement_of(connection, &renewed);
        let late =
            |renewed| Some(Box::new(LateAnswer { renewed, token_hash: hash, signed_in_at: connection.signed_in_at }));
        match self.settle_patiently(connection, &settlement, lease).await {
            Ok(()) => verdict.map_or_else(|| Ok(Step::Session(renewed.tokens.session())), Err),
            Err(StoreError::Fenced { epoch, .. }) => {
                current.late = late(renewed);
                Ok(self.fenced(connection, epoch).await)
            }
            Err(error) => {
                current.late = late(renewed);
                Err(OAuthError::NotStored { reason: error.to_string() })
            }
        }
    }

    /// Stores an answer that came too late for its own lease, if it is still the newest of its token: nobody else has a
    /// token that works then. It replaces nothing else.
    async fn keep_late(
        &self,
        connection: &Connection,
        current: &mut Current,
        late: Box<LateAnswer>,
        lease: &Lease,
    ) -> Result<(), OAuthError> {
        let is_of_this_sign_in = connection.signed_in_at == late.signed_in_at
            && !matches!(connection.state, ConnectionState::Disconnected { .. });
        let is_newest = match &late.token_hash {
            Some(hash) => !self.has_other_credentials(connection, hash).await?,
            None => false,
        };
        let (mut settlement, _) = settlement_of(connection, &late.renewed);
        let was_refused = matches!(connection.state, ConnectionState::NeedsReauthorization { .. });
        let keeps = is_of_this_sign_in && is_newest && (!was_refused || late.renewed.tokens.refresh_token.is_some());
        if !keeps {
            settlement = Settlement { outcomes: vec![Outcome::LateAnswerDropped], ..Settlement::default() };
        } else {
            settlement.outcomes.push(Outcome::LateAnswerKept);
            if was_refused && let Some(answer) = &mut settlement.answer {
                // The token that bought it was refused since, which may have ended this one too. One attempt will tell.
                answer.credentials.retain(|(kind, _)| *kind != CredentialKind::Session);
                settlement.event = Some(ConnectionEvent::Replaced);
            }
        }
        match self.settle_patiently(connection, &settlement, lease).await {
            Ok(()) => Ok(()),
            Err(error) => {
                current.late = Some(late);
                match error {
                    StoreError::Fenced { .. } => Ok(()),
                    error => Err(OAuthError::NotStored { reason: error.to_string() }),
                }
            }
        }
    }

    /// Settles what failed. Whoever is fenced changes nothing, and looks what its successor has done.
    async fn fail(
        &self,
        connection: &Connection,
        intent: Option<&Redemption>,
        error: OAuthError,
        lease: &Lease,
    ) -> Result<Step, OAuthError> {
        let (lost, is_dead) = (error.may_have_redeemed(), error.cause() == Some(OAuthCause::RefreshTokenDead));
        let error = self.told_apart(connection, error).await;
        let event = self.explained(connection, &error, event_of(&error)).await;
        let after = connection.state.clone().on(event.clone(), self.clock.now()).ok();
        let outcome = match (&event, intent) {
            (ConnectionEvent::SandboxRefreshed { org_id }, _) => {
                Outcome::SandboxRefreshed { from: connection.org_id.clone(), to: org_id.clone() }
            }
            (ConnectionEvent::Refused { reason, .. }, _) => Outcome::Refused {
                cause: error.cause().map_or("configuration", OAuthCause::code).to_owned(),
                reason: reason.clone(),
                retry_at: match after {
                    Some(ConnectionState::NeedsReauthorization { retry_at, .. }) => retry_at,
                    _ => None,
                },
            },
            (_, Some(intent)) if lost => Outcome::AnswerLost { attempts: intent.attempts, reason: error.to_string() },
            _ => Outcome::Failed { reason: error.to_string() },
        };
        let redemption = match (lost, is_dead) {
            (true, _) => Closing::StaysOpen,
            (false, true) => Closing::Closed,
            (false, false) => Closing::Withdrawn,
        };
        let settlement = Settlement { answer: None, redemption, event: Some(event), outcomes: vec![outcome] };
        match self.store.settle(connection, &settlement, lease).await {
            Ok(()) => Err(error),
            Err(StoreError::Fenced { epoch, .. }) => Ok(self.fenced(connection, epoch).await),
            Err(unsettled) => {
                // The error itself matters more.
                tracing::warn!(connection.name = self.connection, error = %unsettled, "an outcome is not recorded");
                Err(error)
            }
        }
    }

    /// A refreshed sandbox refuses every grant of the org that it was, in words that fit other causes as well. Its host
    /// tells anybody which org is there.
    async fn told_apart(&self, connection: &Connection, error: OAuthError) -> OAuthError {
        if !matches!(error, OAuthError::Refused(_)) || !connection.org_kind().is_sandbox() {
            return error;
        }
        match self.endpoint.org_at(&connection.instance).await {
            Some(found) if !is_same_org(&found, &connection.org_id) => refreshed(connection, &found),
            Some(_) | None => error,
        }
    }

    /// Names the probable cause of a token's death: its user has approved the same app again since it last worked.
    async fn explained(&self, connection: &Connection, error: &OAuthError, event: ConnectionEvent) -> ConnectionEvent {
        let ConnectionEvent::Refused { reason, trial } = event else { return event };
        let is_dead = error.cause() == Some(OAuthCause::RefreshTokenDead);
        let approvals = if is_dead { self.store.approvals(connection).await.unwrap_or_default() } else { Vec::new() };
        let since: Vec<_> = approvals.iter().filter(|approval| approval.approved_at > connection.renewed_at).collect();
        let Some(last) = since.last() else { return ConnectionEvent::Refused { reason, trial } };
        let reason = format!(
            "{reason}. Probable cause: since it last worked, {} approved the same app again ({} here, the last as {} at {}). \
             Salesforce keeps five approvals of a user for an app, and one more ends the oldest",
            connection.username,
            match since.len() {
                1 => "once".to_owned(),
                times => format!("{times} times"),
            },
            last.connection,
            last.approved_at
        );
        ConnectionEvent::Refused { reason, trial }
    }

    /// Notes that nothing was redeemed by the last request; false when the lease is another's now.
    async fn withdraw(&self, connection: &Connection, outcome: Outcome, lease: &Lease) -> Result<bool, OAuthError> {
        let settlement =
            Settlement { redemption: Closing::Withdrawn, outcomes: vec![outcome], ..Settlement::default() };
        match self.store.settle(connection, &settlement, lease).await {
            Ok(()) => Ok(true),
            Err(StoreError::Fenced { epoch, .. }) => {
                self.fenced(connection, epoch).await;
                Ok(false)
            }
            Err(error) => Err(stored(error)),
        }
    }

    async fn fenced(&self, connection: &Connection, epoch: i64) -> Step {
        self.note(connection, &Outcome::Fenced { epoch }).await;
        Step::LookAgain
    }

    /// Notes what needs no commit of its own. What cannot be noted is logged: the session matters more.
    async fn note(&self, connection: &Connection, outcome: &Outcome) {
        if let Err(error) = self.store.note_outcome(connection, outcome).await {
            tracing::warn!(connection.name = self.connection, %error, "an outcome is not recorded");
        }
    }

    /// Commits; again and again for a while when the store cannot be reached: the answer may be the only one there is.
    async fn settle_patiently(
        &self,
        connection: &Connection,
        settlement: &Settlement,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        for wait in COMMIT_AGAIN {
            match self.store.settle(connection, settlement, lease).await {
                Err(error) if matches!(error.recovery(), Recovery::Retry { .. }) => {
                    self.endpoint.timer().sleep(wait).await;
                }
                settled => return settled,
            }
        }
        self.store.settle(connection, settlement, lease).await
    }

    async fn stored_session(&self, connection: &Connection) -> Result<Option<Session>, OAuthError> {
        let credential = self.store.credential(&connection.id, CredentialKind::Session).await.map_err(stored)?;
        credential.map(|credential| StoredSession::read(&credential)).transpose()
    }

    /// Whether another token than the one with `hash` is stored.
    async fn has_other_credentials(&self, connection: &Connection, hash: &str) -> Result<bool, OAuthError> {
        let token = self.store.credential(&connection.id, CredentialKind::RefreshToken).await.map_err(stored)?;
        Ok(token.is_none_or(|token| stored::token_hash(&token) != hash))
    }
}

/// The lease that whoever signs a connection in holds.
pub(crate) fn lease_name(connection: &str) -> String {
    format!("the sign-in of {connection}")
}

/// True for an error that says that the token was not redeemed, and may be cured by a moment's wait.
fn is_worth_sending_again(error: &OAuthError) -> bool {
    let unreached = matches!(error, OAuthError::Wire { cause: WireError::Unreachable { .. }, .. });
    unreached || is_redeemed_elsewhere(error)
}

/// "token request is already being processed"; before Winter '25 the same read "expired authorization code"
/// (field reports), which makes no sense about a refresh token otherwise.
fn is_redeemed_elsewhere(error: &OAuthError) -> bool {
    matches!(error.cause(), Some(OAuthCause::AlreadyInProgress | OAuthCause::AuthorizationCodeDead))
}

fn is_other(session: &Session, rejected: Option<&AccessToken>) -> bool {
    rejected.is_none_or(|rejected| rejected.expose() != session.access_token.expose())
}

fn between(now: Timestamp, then: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(then.0.saturating_sub(now.0)).unwrap_or(0))
}

fn stored(error: StoreError) -> OAuthError {
    OAuthError::Store { reason: error.to_string() }
}
