//! Ending a connection: at Salesforce, here, and in the destinations.

use std::time::Duration;

use salesforce::oauth::{IssuedToken, Revoked, revoke};
use serde::Serialize;
use sync::destination::DestinationError;

use super::App;
use crate::{
    connection::keeper::{self, LEASE_TERM},
    error::Error,
    store::{connections::Connection, journal::Actor, lease::Lease, streams::Stream},
};

/// A stream's lease while its rows are removed.
const REMOVAL_TERM: Duration = Duration::from_secs(300);

/// What becomes of the imported data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    Keep,
    Delete,
}

/// What Salesforce was told.
#[derive(Debug, Serialize)]
#[serde(tag = "revoked", rename_all = "snake_case")]
pub enum Revocation {
    Done,
    /// There was nothing to revoke any more.
    Before,
    /// It was not done; a person has to. The secrets are forgotten all the same.
    Failed {
        reason: String,
        remedy: String,
    },
}

/// How a connection ended.
#[derive(Debug, Serialize)]
pub struct Disconnected {
    pub connection: String,
    #[serde(flatten)]
    pub revocation: Revocation,
    /// What else lives on in the org, if anything.
    pub left_in_the_org: Option<String>,
    /// Tables whose rows of this connection are removed, and how many.
    pub removed: Vec<Removed>,
}

/// The rows of a stream that are removed.
#[derive(Debug, Serialize)]
pub struct Removed {
    pub object: String,
    pub table: String,
    pub destination: String,
    pub rows: u64,
}

impl App {
    /// Revokes the connection's tokens at Salesforce, forgets its secrets, and removes its data if that is wanted. The
    /// connection stays known under its name, so that it can be connected again.
    ///
    /// # Errors
    /// A run or a sign-in that is under way, or data of another installation's, before anything is changed; a destination
    /// that cannot be written, after the connection was ended.
    pub async fn disconnect(&self, name: &str, data: Data, actor: &Actor) -> Result<Disconnected, Error> {
        let connection = self.store.connection(name).await?;
        let streams = self.store.streams(&connection.id).await?;
        let mut held = Vec::new();
        if data == Data::Delete {
            self.refuse_what_is_not_ours(&connection, &streams).await?;
            for stream in &streams {
                match self.store.acquire_lease(&stream.lease_name(), &self.holder, REMOVAL_TERM).await {
                    Ok(lease) => held.push(lease),
                    Err(error) => {
                        self.give_back_leases(&held).await;
                        return Err(error.into());
                    }
                }
            }
        }
        let ended = self.end(&connection, actor).await;
        let outcome = match ended {
            Ok(revocation) => self.remove(&connection, &streams, &held, actor).await.map(|removed| Disconnected {
                connection: connection.name.clone(),
                left_in_the_org: left_in_the_org(&connection),
                revocation,
                removed,
            }),
            Err(error) => Err(error),
        };
        self.give_back_leases(&held).await;
        outcome
    }

    /// A destination that cannot be asked now says so when its rows are to be removed.
    pub(super) async fn refuse_what_is_not_ours(
        &self,
        connection: &Connection,
        streams: &[Stream],
    ) -> Result<(), Error> {
        for stream in streams {
            let settings = self.settings(&stream.destination)?;
            let looked = destinations::may_remove(&settings, &stream.key(connection, &self.store)).await;
            if let Err(error @ DestinationError::NotOurs { .. }) = looked {
                return Err(Error::destination(error));
            }
        }
        Ok(())
    }

    /// Revokes and forgets, under the lease of the sign-in.
    async fn end(&self, connection: &Connection, actor: &Actor) -> Result<Revocation, Error> {
        let lease_name = keeper::lease_name(&connection.name);
        let lease = self.store.acquire_lease(&lease_name, &self.holder, LEASE_TERM).await?;
        let revocation = self.revoke_at_salesforce(connection).await;
        let is_revoked = !matches!(revocation, Revocation::Failed { .. });
        // As it is now: a renewal may have come in between.
        let current = self.store.connection(&connection.name).await?;
        let ended = self.store.end_connection(&current, is_revoked, actor, &lease).await;
        let _ = self.store.release_lease(&lease).await;
        self.forget_keeper(&connection.name);
        self.describes.forget(&connection.id);
        ended?;
        Ok(revocation)
    }

    /// The refresh token takes its sessions with it; without one, the session alone is ended.
    async fn revoke_at_salesforce(&self, connection: &Connection) -> Revocation {
        let failed = |reason: String| Revocation::Failed { reason, remedy: by_hand(connection) };
        let keeper = self.keeper(&connection.name);
        let outcome = match keeper.stored_tokens().await {
            Ok((Some(token), _)) => revoke(&self.http, &connection.org, IssuedToken::Refresh(&token)).await,
            Ok((None, Some(session))) => {
                revoke(&self.http, &session.instance_url, IssuedToken::Access(&session.access_token)).await
            }
            Ok((None, None)) => return Revocation::Before,
            Err(error) => return failed(error.to_string()),
        };
        match outcome {
            Ok(Revoked::Now) => Revocation::Done,
            Ok(Revoked::Before) => Revocation::Before,
            Err(error) => failed(error.to_string()),
        }
    }

    /// Removes the rows of streams whose leases are held.
    async fn remove(
        &self,
        connection: &Connection,
        streams: &[Stream],
        held: &[Lease],
        actor: &Actor,
    ) -> Result<Vec<Removed>, Error> {
        let mut removed = Vec::new();
        for (stream, lease) in streams.iter().zip(held) {
            let settings = self.settings(&stream.destination)?;
            let key = stream.key(connection, &self.store);
            let rows = destinations::remove(&settings, &key).await.map_err(Error::destination)?;
            self.store.forget_stream(&stream.id, lease).await?;
            removed.push(Removed {
                object: stream.object.clone(),
                table: stream.table.clone(),
                destination: stream.destination.clone(),
                rows,
            });
        }
        if !removed.is_empty() {
            let detail = serde_json::to_value(&removed).expect("counts are plain data");
            self.store.note(Some(&connection.name), actor, "data-deleted", detail).await?;
        }
        Ok(removed)
    }

    async fn give_back_leases(&self, held: &[Lease]) {
        for lease in held {
            // A lease that cannot be given back lapses.
            let _ = self.store.release_lease(lease).await;
        }
    }
}

/// Where an admin ends what could not be ended from here (Setup, *Connected Apps OAuth Usage*; the user's own page).
fn by_hand(connection: &Connection) -> String {
    format!(
        "in the org, Setup > Connected Apps OAuth Usage > the app > User Count > Revoke for {}, or that user's own Settings \
         > Advanced User Details > OAuth Connected Apps > Revoke",
        connection.username
    )
}

/// What still lets somebody in who has the credentials: revoking a session does not take them away.
fn left_in_the_org(connection: &Connection) -> Option<String> {
    use salesforce::oauth::Flow;
    match connection.flow {
        Flow::WebServer | Flow::Device | Flow::RefreshToken => None,
        Flow::ClientCredentials | Flow::JwtBearer => Some(format!(
            "The client app still admits whoever has its credentials. If it served {} alone, delete it or switch its flow \
             off in Setup > External Client App Manager.",
            connection.name
        )),
        Flow::Password | Flow::SoapLogin => Some(format!(
            "The password of {} still works. If it served this connection alone, deactivate the user or change the password \
             in Setup > Users.",
            connection.username
        )),
    }
}
