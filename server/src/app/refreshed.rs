//! A sandbox that was refreshed: noticing it, asking, and putting the new org in the place of the former one.
//!
//! A refresh makes another org at the same address, whose records may have the former one's Ids with other content
//! (Salesforce Help, "Refresh Your Sandbox" and "Sandbox Setup Considerations"). So the rows of the two must never meet.
//! Taking the new org in the former one's place has three steps, in an order that any death in between survives:
//!
//! 1. The connection's state says what has happened, and nothing of it begins any more.
//! 2. Stream by stream, under its lease, the former org's rows leave the destination. The same transaction leaves the
//!    lease's epoch behind, so that a run of the former org that stood still meanwhile writes nothing more. Then what the
//!    control store holds of those rows goes.
//! 3. The sign-in to the new org is saved, and the connection goes on.
//!
//! Whoever dies before the third has changed nothing of what the connection is: it asks as before, its rows are the former
//! org's or gone, and the same command goes on where it stopped.

use serde_json::json;
use sync::checkpoint::Epoch;

use super::{App, disconnect::Removed, import::heartbeat::Heartbeat};
use crate::{
    connection::{
        keeper::{self, LEASE_TERM},
        outcome::Outcome,
        state::{ConnectionEvent, ConnectionState},
    },
    diagnose::Examined,
    error::Error,
    store::{
        StoreError, connections::Connection, journal::Actor, lease::Lease, redemptions::Settlement, streams::Stream,
    },
};

/// The former org's rows are removed, and its streams are held until the sign-in to the new one is saved.
pub(super) struct HandedOver {
    /// The org that the connection is of until then.
    pub(super) former: String,
    pub(super) removed: Vec<Removed>,
    held: Vec<Held>,
}

/// A stream that nobody runs meanwhile.
struct Held {
    stream: Stream,
    lease: Lease,
    _heartbeat: Heartbeat,
}

impl App {
    /// Removes what is imported of the org that the connection was of before its sandbox was refreshed, in preparation of
    /// a sign-in to the org `found`. Streams, mappings and schedules stay.
    ///
    /// # Errors
    /// A run under way, or rows of another installation's, before anything is removed; a destination that cannot be
    /// written. The connection's state says what is left to decide, and the same again goes on.
    pub(super) async fn hand_over(
        &self,
        connection: &Connection,
        found: &str,
        actor: &Actor,
    ) -> Result<HandedOver, Error> {
        let mut held = Vec::new();
        let removed = self.hand_over_under(connection, found, actor, &mut held).await;
        let handed_over = HandedOver { former: connection.org_id.clone(), removed: Vec::new(), held };
        match removed {
            Ok(removed) => Ok(HandedOver { removed, ..handed_over }),
            Err(error) => {
                self.let_go(handed_over).await;
                Err(error)
            }
        }
    }

    /// Lets the streams run again.
    pub(super) async fn let_go(&self, handed_over: HandedOver) {
        for held in handed_over.held {
            // A lease that cannot be given back lapses.
            let _ = self.store.release_lease(&held.lease).await;
        }
    }

    async fn hand_over_under(
        &self,
        connection: &Connection,
        found: &str,
        actor: &Actor,
        held: &mut Vec<Held>,
    ) -> Result<Vec<Removed>, Error> {
        self.hold_streams(connection, held).await?;
        let streams: Vec<Stream> = held.iter().map(|held| held.stream.clone()).collect();
        self.refuse_what_is_not_ours(connection, &streams).await?;
        self.note_refreshed(&connection.name, found).await?;
        // Whatever was remembered before that could still be about to begin.
        self.hold_streams(connection, held).await?;
        let drafts = self.store.drafts(&connection.id).await?;
        let mut removed = Vec::new();
        for Held { stream, lease, .. } in held.iter() {
            removed.push(self.remove_former_rows(connection, stream, lease).await?);
        }
        let now = self.now();
        let mut plans = self.store.plans(&connection.id).await?;
        plans.retain(|(id, plan)| !plan.paused && !drafts.contains(id));
        for (_, plan) in &mut plans {
            (plan.wanted_at, plan.failures, plan.trouble) = (Some(now), 0, None);
        }
        let detail = json!({ "from": connection.org_id, "to": found, "removed": removed });
        self.store.save_plans(connection, &plans, actor, "sandbox-replaced", &detail).await?;
        Ok(removed)
    }

    /// Takes the leases of the connection's streams that are not held yet.
    async fn hold_streams(&self, connection: &Connection, held: &mut Vec<Held>) -> Result<(), Error> {
        for stream in self.store.streams(&connection.id).await? {
            if held.iter().all(|held| held.stream.id != stream.id) {
                let (lease, heartbeat) = self.acquire_lease(&stream.lease_name()).await?;
                held.push(Held { stream, lease, _heartbeat: heartbeat });
            }
        }
        Ok(())
    }

    async fn remove_former_rows(
        &self,
        connection: &Connection,
        stream: &Stream,
        lease: &Lease,
    ) -> Result<Removed, Error> {
        let settings = self.settings(&stream.destination)?;
        let key = stream.key(connection, &self.store);
        let rows = destinations::hand_over(&settings, &key, Epoch(lease.epoch)).await.map_err(Error::destination)?;
        self.store.forget_copy(&stream.id, lease).await?;
        Ok(Removed {
            object: stream.object.clone(),
            table: stream.table.clone(),
            destination: stream.destination.clone(),
            rows,
        })
    }

    /// Notes that the sandbox of a connection is the org `found` now: nothing of it runs before a person has decided. A
    /// connection that was ended stays so.
    pub(crate) async fn note_refreshed(&self, name: &str, found: &str) -> Result<(), Error> {
        let lease = self.store.acquire_lease(&keeper::lease_name(name), &self.holder, LEASE_TERM).await?;
        let noted = self.note_refreshed_under(&lease, name, found).await;
        let _ = self.store.release_lease(&lease).await;
        Ok(noted?)
    }

    /// The same while the lease of the sign-in is held.
    pub(super) async fn note_refreshed_under(&self, lease: &Lease, name: &str, found: &str) -> Result<(), StoreError> {
        let connection = self.store.connection(name).await?;
        let is_known = matches!(&connection.state, ConnectionState::SandboxRefreshed { found_org_id, .. } if found_org_id == found);
        if is_known || matches!(connection.state, ConnectionState::Disconnected { .. }) {
            return Ok(());
        }
        let noticed = Outcome::SandboxRefreshed { from: connection.org_id.clone(), to: found.to_owned() };
        let event = Some(ConnectionEvent::SandboxRefreshed { org_id: found.to_owned() });
        let settlement = Settlement { event, outcomes: vec![noticed], ..Settlement::default() };
        self.store.settle(&connection, &settlement, lease).await
    }

    /// Refuses whatever would read or write in the name of an org that is there no longer.
    pub(crate) fn refuse_refreshed(&self, connection: &Connection) -> Result<(), Error> {
        match &connection.state {
            ConnectionState::SandboxRefreshed { found_org_id, .. } => {
                Err(Error::sandbox_refreshed(connection, found_org_id))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to go on with a connection whose org was replaced since it was read. Asked when a stream's lease is held:
    /// from then on nobody can replace it.
    pub(super) async fn refuse_replaced(&self, connection: &Connection) -> Result<(), Error> {
        let now = self.store.connection_of_id(&connection.id).await?;
        self.refuse_refreshed(&now)?;
        match now.org_id == connection.org_id {
            true => Ok(()),
            false => Err(Error::sandbox_refreshed(connection, &now.org_id)),
        }
    }

    /// Keeps what an examination has taught of a stored connection's org.
    pub(crate) async fn keep_findings_of_org(&self, name: &str, examined: &Examined) -> Result<(), Error> {
        let connection = self.store.connection(name).await?;
        if let Some(told) =
            examined.organization.as_ref().filter(|told| Some(*told) != connection.organization.as_ref())
        {
            self.store.save_organization(&connection.id, told).await?;
        }
        let found = examined.org_at_host.as_ref().filter(|found| !keeper::is_same_org(found, &connection.org_id));
        if let Some(found) = found.filter(|_| connection.org_kind().is_sandbox()) {
            match self.note_refreshed(name, found).await {
                // Whoever signs in at this moment meets the same.
                Ok(()) | Err(Error::Store(StoreError::Leased { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
