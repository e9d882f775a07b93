//! Keeping connections alive, and saying what is to come of them.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use salesforce::{
    OAuthError, Timestamp,
    oauth::{IssuedToken, Renewal, TokenSource, introspect},
};
use serde::Serialize;
use tokio::sync::watch;

use super::App;
use crate::{
    connection::{
        forecast::{Forecast, Life},
        state::{Admission, ConnectionState},
    },
    error::Error,
    store::{
        care::{Approval, Lifetimes, Switches, TokenPolicy},
        connections::Connection,
        journal::Actor,
    },
};

/// Nothing is left alone for longer.
const LOOK_AT_LEAST: Duration = Duration::from_secs(3600);
/// Between two looks at least.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);
/// When the store could not be had.
const AFTER_A_FAILURE: Duration = Duration::from_secs(60);
/// So many grants are redeemed at a time.
const AT_A_TIME: usize = 4;
/// What happens every hour is forgotten after this long; what people did is kept.
const ROUTINE_IS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// A user's approvals of one app that Salesforce keeps (help article 000205876).
const APPROVALS_KEPT: usize = 5;

/// What was done for the connections, and when to come back.
#[derive(Debug, Serialize)]
pub struct Tended {
    /// Names of the connections whose grant was redeemed.
    pub renewed: Vec<String>,
    /// Name and reason of those whose grant could not be redeemed.
    pub failed: Vec<(String, String)>,
    pub next_at: Timestamp,
}

/// What a connection is allowed, what is known of its life, and what is to come.
#[derive(Debug, Serialize)]
pub struct Prospect {
    pub forecast: Forecast,
    pub lifetimes: Lifetimes,
    pub switches: Switches,
    /// The approvals of its user for its app that this installation knows of.
    pub approvals: Vec<Approval>,
    /// What a person should know of them, if anything.
    pub approvals_warning: Option<String>,
}

impl App {
    /// Does what is due now to keep all connections alive, and says when to be called next. Several processes may do so.
    ///
    /// A pause stops syncs only. A connection that Salesforce refuses is tried again when its state allows.
    ///
    /// # Errors
    /// The store cannot be had. What happens to one connection stands in its state and in what is returned.
    pub async fn tend(&self) -> Result<Tended, Error> {
        let now = self.clock.now();
        let mut next_at = now.after(LOOK_AT_LEAST);
        let mut due = Vec::new();
        for connection in self.store.connections().await? {
            let forecast = self.forecast(&connection).await?;
            match when(&connection, &forecast, now) {
                Some(at) if at <= now => due.push(connection.name),
                Some(at) => next_at = next_at.min(at),
                None => {}
            }
        }
        let tend_one = |name: String| async move {
            let outcome = self.keeper(&name).keep_alive().await;
            (name, outcome.map(|_| ()))
        };
        let outcomes: Vec<_> = stream::iter(due).map(tend_one).buffer_unordered(AT_A_TIME).collect().await;
        let mut tended = Tended { renewed: Vec::new(), failed: Vec::new(), next_at };
        for (name, outcome) in outcomes {
            match outcome {
                Ok(()) => tended.renewed.push(name),
                Err(error) => tended.failed.push((name, error.to_string())),
            }
        }
        if !tended.failed.is_empty() {
            tended.next_at = self.next_attempt(tended.next_at).await?;
        }
        let long_ago = now.0.saturating_sub(i64::try_from(ROUTINE_IS_KEPT.as_millis()).unwrap_or(i64::MAX));
        self.store.forget_routine(Timestamp(long_ago)).await?;
        self.forget_old_runs().await?;
        Ok(tended)
    }

    /// Tends all connections until `stop` becomes true.
    pub async fn keep_tending(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let timer = Arc::clone(&self.config.http.timer);
        loop {
            let wait = match self.tend().await {
                Ok(tended) => {
                    for (name, reason) in &tended.failed {
                        tracing::warn!(connection.name = name, reason, "a connection could not be kept alive");
                    }
                    let wait = tended.next_at.0.saturating_sub(self.clock.now().0);
                    Duration::from_millis(u64::try_from(wait).unwrap_or(0)).clamp(SHORTEST_WAIT, LOOK_AT_LEAST)
                }
                Err(error) => {
                    tracing::warn!(%error, "the connections cannot be tended now");
                    AFTER_A_FAILURE
                }
            };
            tokio::select! {
                () = timer.sleep(wait) => {}
                // Whoever could tell is gone: then so is the program.
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// The first moment, up to `latest`, at which a connection that failed may be tried again.
    async fn next_attempt(&self, latest: Timestamp) -> Result<Timestamp, Error> {
        let connections = self.store.connections().await?;
        let at = connections.iter().filter_map(|connection| match connection.state.admits_renewal(self.clock.now()) {
            Admission::From { at, .. } => Some(at),
            Admission::Now | Admission::Never { .. } => None,
        });
        Ok(at.min().map_or(latest, |at| at.min(latest)))
    }

    /// When a connection ends by itself, and what keeps it.
    pub async fn forecast(&self, connection: &Connection) -> Result<Forecast, Error> {
        Ok(forecast_of(connection, &self.store.lifetimes(&connection.id).await?))
    }

    /// A connection, and all that is known of its future.
    pub async fn prospect(&self, name: &str) -> Result<(Connection, Prospect), Error> {
        let connection = self.store.connection(name).await?;
        let approvals = self.store.approvals(&connection).await?;
        let lifetimes = self.store.lifetimes(&connection.id).await?;
        let prospect = Prospect {
            forecast: forecast_of(&connection, &lifetimes),
            lifetimes,
            switches: self.store.switches(&connection.id).await?,
            approvals_warning: warning_of(&connection, &approvals),
            approvals,
        };
        Ok((connection, prospect))
    }

    /// Warns when a user's approvals of an app come near to what Salesforce keeps.
    pub async fn approvals_warning(&self, connection: &Connection) -> Result<Option<String>, Error> {
        Ok(warning_of(connection, &self.store.approvals(connection).await?))
    }

    /// Notes the org's refresh token policy, as a person states it; `None`: it is not known.
    pub async fn state_policy(&self, name: &str, policy: Option<TokenPolicy>, actor: &Actor) -> Result<(), Error> {
        let connection = self.store.connection(name).await?;
        let lifetimes = Lifetimes { policy, ..self.store.lifetimes(&connection.id).await? };
        Ok(self.store.save_lifetimes(&connection, &lifetimes, actor).await?)
    }

    /// Changes what a connection may be used for.
    pub async fn switch(
        &self,
        name: &str,
        change: impl FnOnce(&mut Switches),
        actor: &Actor,
    ) -> Result<Switches, Error> {
        let connection = self.store.connection(name).await?;
        let mut switches = self.store.switches(&connection.id).await?;
        change(&mut switches);
        self.store.save_switches(&connection, &switches, actor).await?;
        Ok(switches)
    }

    /// Asks Salesforce how long a session of the connection lives, and keeps the answer. `None`: the app may not ask.
    ///
    /// # Errors
    /// There is no session to ask about.
    pub async fn ask_session_life(&self, name: &str) -> Result<Option<Duration>, Error> {
        let failed = |source| Error::sign_in(name, source);
        let keeper = self.keeper(name);
        let session = keeper.session().await.map_err(failed)?;
        let app = keeper.client_app().await.map_err(failed)?;
        let token = IssuedToken::Access(&session.access_token);
        let told = match introspect(&self.http, &session.instance_url, &app, token).await {
            Ok(told) if told.active => told,
            Ok(_) | Err(OAuthError::Refused(_) | OAuthError::SecretMissing { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let Some(expires_at) = told.expires_at else { return Ok(None) };
        let from = told.issued_at.unwrap_or_else(|| self.clock.now());
        let life = Duration::from_millis(u64::try_from(expires_at.0 - from.0).unwrap_or(0));
        let connection = self.store.connection(name).await?;
        let known = self.store.lifetimes(&connection.id).await?;
        let lifetimes = Lifetimes { session_seconds: Some(life.as_secs()), ..known };
        if lifetimes != known {
            self.store.save_lifetimes(&connection, &lifetimes, &Actor::Orgtide).await?;
        }
        Ok(Some(life))
    }

    /// Refuses what a pause stops, and what would be done in the name of an org that a refresh has ended.
    pub(crate) async fn refuse_paused(&self, connection: &Connection) -> Result<(), Error> {
        self.refuse_refreshed(connection)?;
        match self.store.switches(&connection.id).await?.paused {
            true => Err(Error::Paused { connection: connection.name.clone() }),
            false => Ok(()),
        }
    }
}

fn forecast_of(connection: &Connection, lifetimes: &Lifetimes) -> Forecast {
    Forecast::of(Life {
        flow: connection.flow,
        state: &connection.state,
        signed_in_at: connection.signed_in_at,
        renewed_at: connection.renewed_at,
        lifetimes,
    })
}

/// When the grant of a connection is to be redeemed without need; `None`: never.
fn when(connection: &Connection, forecast: &Forecast, now: Timestamp) -> Option<Timestamp> {
    match (&connection.state, connection.state.admits_renewal(now)) {
        (_, Admission::Never { .. }) | (ConnectionState::Pending { .. }, _) => None,
        (_, Admission::From { at, .. }) => Some(at),
        (ConnectionState::Connected { .. }, Admission::Now) => forecast.keep_alive_at,
        // It may work again: an admin has put things right, or the network is back.
        (_, Admission::Now) => Some(now),
    }
}

fn warning_of(connection: &Connection, approvals: &[Approval]) -> Option<String> {
    if connection.flow.renewal() != Renewal::RefreshToken || approvals.len() + 1 < APPROVALS_KEPT {
        return None;
    }
    let others: Vec<&str> = approvals
        .iter()
        .map(|approval| approval.connection.as_str())
        .filter(|other| *other != connection.name)
        .collect();
    let others = if others.is_empty() { String::new() } else { format!(" (for {})", others.join(", ")) };
    Some(format!(
        "{} has approved this app {} times here{others}. Salesforce keeps {APPROVALS_KEPT} approvals of a user for an app; \
         one more ends the oldest, and the connection that lives on it. Disconnect what is not needed, or sign in as \
         another user.",
        connection.username,
        approvals.len()
    ))
}
