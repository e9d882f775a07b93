//! Leases: who may do what only one process may do at a time.
//!
//! A lease has a fencing epoch that only ever grows, also across holders. Whoever acts under a lease hands its epoch to
//! the place of effect, which refuses an older one. A lapsed lease is free; so is one whose process is known to be gone.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use salesforce::Timestamp;

use super::{
    Store,
    database::{Change, Row},
    error::StoreError,
};

/// Which process holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What it does, as a person typed it: `orgtide import`.
    pub command: String,
    pub host: String,
    pub process: u32,
    /// What makes the process id unmistakable: boot, process namespace and the start of the process. `None` where
    /// the system does not tell.
    pub birth: Option<Birth>,
}

/// Tells one process from a later one with the same id (Linux).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Birth {
    boot: String,
    namespace: String,
    started_ticks: u64,
}

impl Birth {
    /// The birth of a process of this machine that runs now.
    fn of(process: u32) -> Option<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned();
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The second field is the name in parentheses and may hold anything; the 22nd is the start time (proc(5)).
        let started_ticks = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        Some(Self { boot, namespace, started_ticks })
    }
}

impl Holder {
    /// This process.
    pub fn this_process(command: &str) -> Self {
        Self::of_process(command, std::process::id())
    }

    /// A process of this machine that runs now.
    pub fn of_process(command: &str, process: u32) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        let host = if host.is_empty() { "this machine".to_owned() } else { host };
        Self { command: command.to_owned(), host, process, birth: Birth::of(process) }
    }

    /// True when the process certainly does not run any more: it ran under this kernel and in this process namespace,
    /// and its id belongs to nobody, or to a later process.
    fn is_gone(&self) -> bool {
        let (Some(theirs), Some(ours)) = (&self.birth, Birth::of(std::process::id())) else { return false };
        // Where other users' processes are hidden (`hidepid`, proc(5)), absence says nothing; the first process is
        // always there, and usually another user's.
        if Birth::of(1).is_none() {
            return false;
        }
        theirs.boot == ours.boot
            && theirs.namespace == ours.namespace
            && Birth::of(self.process).is_none_or(|now| now.started_ticks != theirs.started_ticks)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` (process {} on {})", self.command, self.process, self.host)
    }
}

/// A lease that this process holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    /// Counts up with every holder; the fence.
    pub epoch: i64,
    pub expires_at: Timestamp,
    /// Who held it before and never gave it back: its process is gone, or stood still for too long.
    pub displaced: Option<Box<Holder>>,
}

struct Held {
    holder: Holder,
    epoch: i64,
    acquired_at: Timestamp,
    expires_at: Timestamp,
}

/// In the place of the end of a lease that nobody holds.
const GIVEN_BACK: Timestamp = Timestamp(0);

impl Held {
    fn refusal(self, name: &str) -> StoreError {
        StoreError::Leased { name: name.to_owned(), holder: Box::new(self.holder), since: self.acquired_at }
    }
}

impl Store {
    /// Takes the lease `name` for `term`.
    ///
    /// # Errors
    /// [`StoreError::Leased`] with the holder and since when, while another process holds it.
    pub async fn acquire_lease(&self, name: &str, holder: &Holder, term: Duration) -> Result<Lease, StoreError> {
        let now = self.clock.now();
        // More than once: between a look and the next step a holder may come or go.
        for _ in 0..3 {
            if let Some(lease) = self.take_free_lease(name, holder, now, term).await? {
                return Ok(lease);
            }
            let Some(held) = self.held(name).await?.filter(|held| held.expires_at > GIVEN_BACK) else { continue };
            if held.expires_at > now && !held.holder.is_gone() {
                return Err(held.refusal(name));
            }
            tracing::info!(lease = name, holder = %held.holder, "taking over from a process that is gone or stalled");
            if let Some(lease) = self.take_over(name, &held, holder, now, term).await? {
                return Ok(Lease { displaced: Some(Box::new(held.holder)), ..lease });
            }
        }
        self.refusal(name).await
    }

    async fn take_free_lease(
        &self,
        name: &str,
        holder: &Holder,
        now: Timestamp,
        term: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        const TAKE: &str = "INSERT INTO leases (name, holder, epoch, acquired_at, expires_at) \
             VALUES ($1, $2, 1, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = leases.epoch + 1, \
             acquired_at = excluded.acquired_at, expires_at = excluded.expires_at \
             WHERE leases.expires_at = 0 RETURNING epoch";
        let expires_at = now.after(term);
        let change = Change::new(TAKE, [name.into(), document(holder).into(), now.into(), expires_at.into()]);
        self.granted(name, expires_at, change).await
    }

    async fn take_over(
        &self,
        name: &str,
        held: &Held,
        holder: &Holder,
        now: Timestamp,
        term: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        const TAKE_OVER: &str = "UPDATE leases SET holder = $2, epoch = epoch + 1, acquired_at = $3, expires_at = $4 \
             WHERE name = $1 AND epoch = $5 AND expires_at > 0 RETURNING epoch";
        let expires_at = now.after(term);
        let values = [name.into(), document(holder).into(), now.into(), expires_at.into(), held.epoch.into()];
        self.granted(name, expires_at, Change::new(TAKE_OVER, values)).await
    }

    async fn granted(&self, name: &str, expires_at: Timestamp, change: Change) -> Result<Option<Lease>, StoreError> {
        let rows = self.database.commit_one(change).await.map_err(|error| error.unexpected())?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        Ok(Some(Lease { name: name.to_owned(), epoch: row.integer()?, expires_at, displaced: None }))
    }

    async fn refusal(&self, name: &str) -> Result<Lease, StoreError> {
        match self.held(name).await? {
            Some(held) => Err(held.refusal(name)),
            None => Err(StoreError::corrupt(format!("the lease {name} vanished"))),
        }
    }

    async fn held(&self, name: &str) -> Result<Option<Held>, StoreError> {
        const HELD: &str = "SELECT holder, epoch, acquired_at, expires_at FROM leases WHERE name = $1";
        let read = |mut row: Row| {
            Ok(Held {
                holder: row.document()?,
                epoch: row.integer()?,
                acquired_at: row.moment()?,
                expires_at: row.moment()?,
            })
        };
        self.database.query_first(HELD, [name.into()]).await?.map(read).transpose()
    }

    /// Holds a lease for another `term` from now.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another process has taken it, or it was released.
    pub async fn renew_lease(&self, lease: &Lease, term: Duration) -> Result<Lease, StoreError> {
        const RENEW: &str = "UPDATE leases SET expires_at = $3 \
             WHERE name = $1 AND epoch = $2 AND expires_at > 0 RETURNING epoch";
        let expires_at = self.clock.now().after(term);
        let change = Change::new(RENEW, [lease.name.as_str().into(), lease.epoch.into(), expires_at.into()]);
        self.granted(&lease.name, expires_at, change)
            .await?
            .ok_or_else(|| StoreError::Fenced { name: lease.name.clone(), epoch: lease.epoch })
    }

    /// Gives a lease back. One that another process has taken meanwhile stays with that process.
    pub async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        const RELEASE: &str = "UPDATE leases SET expires_at = 0 WHERE name = $1 AND epoch = $2";
        let change = Change::new(RELEASE, [lease.name.as_str().into(), lease.epoch.into()]);
        self.database.commit_one(change).await.map_err(|error| error.unexpected())?;
        Ok(())
    }

    /// Who holds the lease `name` at present, and since when.
    pub async fn lease_holder(&self, name: &str) -> Result<Option<(Holder, Timestamp)>, StoreError> {
        const LIVE: &str = "SELECT holder, acquired_at FROM leases WHERE name = $1 AND expires_at > $2";
        let row = self.database.query_first(LIVE, [name.into(), self.clock.now().into()]).await?;
        let read = |mut row: Row| Ok::<(Holder, Timestamp), StoreError>((row.document()?, row.moment()?));
        Ok(row.map(read).transpose()?.filter(|(holder, _)| !holder.is_gone()))
    }
}

/// Demands, as part of a commit, that `lease` is still ours.
pub(super) fn still_held(lease: &Lease) -> Change {
    // An update that changes nothing locks the row in both databases, so that nobody takes the lease before the commit.
    const STILL_HELD: &str = "UPDATE leases SET epoch = epoch WHERE name = $1 AND epoch = $2 AND expires_at > 0";
    Change::exactly_one(STILL_HELD, [lease.name.as_str().into(), lease.epoch.into()])
}

/// Holds `lease` until `expires_at`, as part of a commit that is undone when it is ours no more.
pub(super) fn hold_until(lease: &Lease, expires_at: Timestamp) -> Change {
    const HOLD: &str = "UPDATE leases SET expires_at = $3 WHERE name = $1 AND epoch = $2 AND expires_at > 0";
    Change::exactly_one(HOLD, [lease.name.as_str().into(), lease.epoch.into(), expires_at.into()])
}

fn document(holder: &Holder) -> String {
    serde_json::to_string(holder).expect("a holder is plain data")
}
