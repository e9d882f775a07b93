//! Sessions that a process obtains for itself, again whenever the last one ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::{ClientApp, Grant, Session, TokenSet, TokenSource, exchange};
use crate::{
    error::{OAuthError, Recovery},
    host::OrgUrl,
    http::Http,
    secret::{AccessToken, RefreshToken},
};

/// Stores a rotated refresh token.
///
/// Called before the session that came with it is handed to anybody: a token that is used before it is stored is lost
/// with the process. One call at a time. Ok means durable. After an error the same token is handed over again on the
/// next attempt, and no token is redeemed until it is stored.
pub trait KeepRefreshToken: Send + Sync {
    /// Makes `rotated` replace the stored token.
    ///
    /// # Errors
    /// A sentence for people; it must not contain the token.
    fn keep<'a>(&'a self, rotated: &'a RefreshToken) -> BoxFuture<'a, Result<(), String>>;
}

/// Obtains sessions by one grant, exchanging it again when a session is refused.
///
/// However many callers ask at once, one exchange runs, and all of them get its outcome. It runs in a task of its own,
/// so a caller that goes away loses nothing. Credentials that Salesforce has refused for good are not sent again until
/// they are changed by [`ReissuedSession::change_grant`]: repeated wrong passwords lock the user, and a replayed
/// refresh token ends its successors.
pub struct ReissuedSession {
    shared: Arc<Issuer>,
}

type Issuing = Shared<BoxFuture<'static, Result<Session, OAuthError>>>;

struct Issuer {
    http: Http,
    login: OrgUrl,
    app: ClientApp,
    keeper: Option<Arc<dyn KeepRefreshToken>>,
    state: Mutex<State>,
}

struct State {
    grant: Grant,
    standing: Standing,
    /// Counts changes of the grant by a person: the outcome of an exchange with an earlier one is not kept.
    edition: u64,
}

enum Standing {
    /// No session yet, or the last attempt failed for the moment.
    Absent,
    Issuing(Issuing),
    Open(Session),
    /// Redeemed, but the new refresh token is not stored yet.
    Unstored(Box<TokenSet>),
    /// The credentials are refused for good.
    Refused(OAuthError),
}

impl ReissuedSession {
    /// Obtains nothing yet. A rotated refresh token is kept in memory only.
    pub fn new(http: Http, login: OrgUrl, app: ClientApp, grant: Grant) -> Self {
        Self::build(http, login, app, grant, None)
    }

    /// Like [`ReissuedSession::new`], with `keeper` storing each rotated refresh token before its session is used.
    pub fn with_keeper(
        http: Http,
        login: OrgUrl,
        app: ClientApp,
        grant: Grant,
        keeper: Arc<dyn KeepRefreshToken>,
    ) -> Self {
        Self::build(http, login, app, grant, Some(keeper))
    }

    fn build(
        http: Http,
        login: OrgUrl,
        app: ClientApp,
        grant: Grant,
        keeper: Option<Arc<dyn KeepRefreshToken>>,
    ) -> Self {
        let state = Mutex::new(State { grant, standing: Standing::Absent, edition: 0 });
        Self { shared: Arc::new(Issuer { http, login, app, keeper, state }) }
    }

    /// Starts from a session that is already there, so that no exchange is made before it is refused.
    #[must_use]
    pub fn starting_with(self, session: Session) -> Self {
        self.shared.lock().standing = Standing::Open(session);
        self
    }

    /// Replaces the credentials, for example after a person typed the right password.
    pub fn change_grant(&self, grant: Grant) {
        let mut state = self.shared.lock();
        let edition = state.edition + 1;
        *state = State { grant, standing: Standing::Absent, edition };
    }

    async fn obtain(&self, rejected: Option<&AccessToken>) -> Result<Session, OAuthError> {
        let issuing = {
            let mut state = self.shared.lock();
            match &state.standing {
                Standing::Open(session) if !is_same(session, rejected) => return Ok(session.clone()),
                Standing::Refused(error) => return Err(error.clone()),
                // One that is over and has settled nothing was interrupted.
                Standing::Issuing(issuing) if issuing.peek().is_none() => issuing.clone(),
                Standing::Issuing(_) | Standing::Open(_) | Standing::Absent | Standing::Unstored(_) => {
                    self.start(&mut state)
                }
            }
        };
        issuing.await
    }

    /// Starts the one exchange that everybody waits for.
    fn start(&self, state: &mut State) -> Issuing {
        let before = std::mem::replace(&mut state.standing, Standing::Absent);
        let redeemed = match before {
            Standing::Unstored(tokens) => Some(tokens),
            _ => None,
        };
        let issue = Arc::clone(&self.shared).issue(state.grant.clone(), state.edition, redeemed);
        let task = tokio::spawn(issue);
        let issuing = async move { task.await.unwrap_or(Err(OAuthError::Interrupted)) }.boxed().shared();
        state.standing = Standing::Issuing(issuing.clone());
        issuing
    }
}

impl Issuer {
    /// A panic while the lock is held leaves a state that is still one of the enum's.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exchanges, stores, publishes; in this order.
    async fn issue(
        self: Arc<Self>,
        grant: Grant,
        edition: u64,
        redeemed: Option<Box<TokenSet>>,
    ) -> Result<Session, OAuthError> {
        let outcome = match redeemed {
            Some(tokens) => Ok(tokens),
            None => exchange(&self.http, &self.login, &self.app, &grant).await.map(Box::new),
        };
        let tokens = match outcome {
            Ok(tokens) => tokens,
            Err(error) if is_final(&grant, &error) => {
                self.settle(edition, Standing::Refused(error.clone()), None);
                return Err(error);
            }
            Err(error) => {
                self.settle(edition, Standing::Absent, None);
                return Err(error);
            }
        };
        if let Err(reason) = self.keep(&tokens).await {
            self.settle(edition, Standing::Unstored(tokens), None);
            return Err(OAuthError::NotStored { reason });
        }
        let session = tokens.session();
        let next = tokens.refresh_token.map(|refresh_token| Grant::Refresh { refresh_token });
        self.settle(edition, Standing::Open(session.clone()), next);
        Ok(session)
    }

    async fn keep(&self, tokens: &TokenSet) -> Result<(), String> {
        match (&self.keeper, &tokens.refresh_token) {
            (Some(keeper), Some(rotated)) => keeper.keep(rotated).await,
            _ => Ok(()),
        }
    }

    /// Keeps the outcome of an exchange, and the grant to use from now on.
    fn settle(&self, edition: u64, standing: Standing, next: Option<Grant>) {
        let mut state = self.lock();
        if state.edition == edition {
            state.standing = standing;
            state.grant = next.unwrap_or_else(|| state.grant.clone());
        }
    }
}

/// True when sending the same credentials again does harm. A refused client app may be cured in Setup meanwhile, so it
/// is asked again; a wrong password or a dead refresh token stays what it is.
fn is_final(grant: &Grant, error: &OAuthError) -> bool {
    let is_personal = matches!(grant, Grant::Password { .. } | Grant::Refresh { .. });
    let may_be_spent = matches!(grant, Grant::Refresh { .. }) && error.may_have_redeemed();
    is_personal && error.recovery() == Recovery::Reauthorize && !may_be_spent
}

fn is_same(session: &Session, rejected: Option<&AccessToken>) -> bool {
    rejected.is_some_and(|rejected| rejected.expose() == session.access_token.expose())
}

impl TokenSource for ReissuedSession {
    fn session(&self) -> BoxFuture<'_, Result<Session, OAuthError>> {
        self.obtain(None).boxed()
    }

    fn renew<'a>(&'a self, rejected: &'a AccessToken) -> BoxFuture<'a, Result<Session, OAuthError>> {
        self.obtain(Some(rejected)).boxed()
    }
}
