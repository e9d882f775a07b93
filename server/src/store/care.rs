//! What is known of a connection's life, what it may be used for, and the approvals behind it.

use std::time::Duration;

use salesforce::{Timestamp, oauth::Flow};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Store,
    connections::{Connection, NewConnection},
    database::{Change, DatabaseError, Row},
    error::StoreError,
    fresh_id,
    journal::Actor,
    lease::{Lease, still_held},
};
use crate::connection::state::ConnectionEvent;

/// A client app's refresh token policy, as its org's admin has set it (Setup, *App Authorization*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenPolicy {
    UntilRevoked,
    /// Expires if unused for so many hours.
    Idle {
        hours: u32,
    },
    /// Expires so many hours after the sign-in, whatever is done.
    Lifetime {
        hours: u32,
    },
}

/// What is known of the life of a connection's tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lifetimes {
    /// As a person has stated it; `None`: nobody knows.
    pub policy: Option<TokenPolicy>,
    /// A session's life from its beginning, as Salesforce tells by introspection.
    pub session_seconds: Option<u64>,
}

/// What a connection may be used for. Everything that gives anything away is off by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switches {
    /// No stream is run; the connection is kept alive all the same.
    pub paused: bool,
    /// Its access tokens may be handed out.
    pub token: bool,
    /// Programs may read from the org through this installation.
    pub proxy: bool,
    /// And write.
    pub proxy_writes: bool,
    /// API calls of the org's daily quota that programs leave to others.
    pub reserve: u64,
}

/// An approval that a person gave through this installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The connection's name at the time.
    pub connection: String,
    pub approved_at: Timestamp,
}

/// What the org said last of its daily quota of API calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quota {
    pub used: u64,
    pub available: u64,
    pub seen_at: Timestamp,
}

/// API calls that programs made through the proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ProxiedCalls {
    pub calls: u64,
    /// Those among them that could change something.
    pub writes: u64,
}

const HOUR_MILLIS: i64 = 3_600_000;

impl Store {
    /// What is known of the life of the connection's tokens.
    pub async fn lifetimes(&self, connection: &str) -> Result<Lifetimes, StoreError> {
        const READ: &str = "SELECT lifetimes FROM connections WHERE id = $1";
        let row = self.database.query_first(READ, [connection.into()]).await?;
        row.map_or(Ok(Lifetimes::default()), |mut row| row.document())
    }

    /// What the connection may be used for.
    pub async fn switches(&self, connection: &str) -> Result<Switches, StoreError> {
        const READ: &str = "SELECT switches FROM connections WHERE id = $1";
        let row = self.database.query_first(READ, [connection.into()]).await?;
        row.map_or(Ok(Switches::default()), |mut row| row.document())
    }

    /// Replaces what is known, and notes who said so.
    pub async fn save_lifetimes(
        &self,
        connection: &Connection,
        lifetimes: &Lifetimes,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        const SAVE: &str = "UPDATE connections SET lifetimes = $2 WHERE id = $1";
        let document = serde_json::to_value(lifetimes).expect("lifetimes are plain data");
        let save = Change::new(SAVE, [(&connection.id).into(), document.to_string().into()]);
        let entry = self.entry(Some(&connection.name), actor, "lifetimes-stated", &document);
        self.database.commit(vec![save, entry]).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// Replaces what the connection may be used for, and notes who decided so.
    pub async fn save_switches(
        &self,
        connection: &Connection,
        switches: &Switches,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        const SAVE: &str = "UPDATE connections SET switches = $2 WHERE id = $1";
        let document = serde_json::to_value(switches).expect("switches are plain data");
        let save = Change::new(SAVE, [(&connection.id).into(), document.to_string().into()]);
        let entry = self.entry(Some(&connection.name), actor, "switched", &document);
        self.database.commit(vec![save, entry]).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// The change that remembers a person's approval; none for ways in which nobody approves anything.
    pub(super) fn approval(&self, new: &NewConnection) -> Option<Change> {
        const APPROVE: &str = "INSERT INTO approvals (id, client_id, org_id, user_id, connection, approved_at) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        if !matches!(new.flow, Flow::WebServer | Flow::Device) {
            return None;
        }
        let values = [
            fresh_id("app").into(),
            (&new.client_id).into(),
            (&new.org_id).into(),
            (&new.user_id).into(),
            (&new.name).into(),
            self.clock.now().into(),
        ];
        Some(Change::new(APPROVE, values))
    }

    /// The approvals of the connection's user for its client app that have not been ended, the oldest first.
    pub async fn approvals(&self, connection: &Connection) -> Result<Vec<Approval>, StoreError> {
        const OF_USER: &str = "SELECT connection, approved_at FROM approvals WHERE client_id = $1 AND org_id = $2 \
             AND user_id = $3 AND ended_at IS NULL ORDER BY approved_at, id";
        let values = [(&connection.client_id).into(), (&connection.org_id).into(), (&connection.user_id).into()];
        let read = |mut row: Row| Ok(Approval { connection: row.text()?, approved_at: row.moment()? });
        self.database.query(OF_USER, values).await?.into_iter().map(read).collect()
    }

    /// Ends a connection: its secrets are forgotten, its keys are revoked, and it is said why.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another process has taken the lease of the sign-in.
    pub async fn end_connection(
        &self,
        connection: &Connection,
        is_revoked: bool,
        actor: &Actor,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        const FORGET_SECRETS: &str = "DELETE FROM credentials WHERE connection_id = $1";
        const FORGET_INTENT: &str = "DELETE FROM redemptions WHERE connection_id = $1";
        const REVOKE_KEYS: &str = "UPDATE api_keys SET revoked_at = $2 WHERE connection_id = $1 AND revoked_at IS NULL";
        const END_APPROVALS: &str = "UPDATE approvals SET ended_at = $2 WHERE connection = $1 AND ended_at IS NULL";
        let (id, now) = (&connection.id, self.clock.now());
        let mut changes = vec![
            still_held(lease),
            Change::new(FORGET_SECRETS, [id.into()]),
            Change::new(FORGET_INTENT, [id.into()]),
            Change::new(REVOKE_KEYS, [id.into(), now.into()]),
        ];
        changes.extend(self.moved(connection, Some(&ConnectionEvent::Disconnect)));
        if is_revoked {
            changes.push(Change::new(END_APPROVALS, [(&connection.name).into(), now.into()]));
        }
        let detail = json!({ "revoked": is_revoked });
        changes.push(self.entry(Some(&connection.name), actor, "disconnected", &detail));
        self.commit_under(lease, changes).await
    }

    /// Forgets a stream with its runs, its stage, its mappings and what they rejected and certified, while its lease is held.
    pub async fn forget_stream(&self, stream: &str, lease: &Lease) -> Result<(), StoreError> {
        const VALUES: &str = "DELETE FROM rejected_values WHERE run_id IN (SELECT id FROM runs WHERE stream_id = $1)";
        const ROWS: &str = "DELETE FROM rejected_rows WHERE stream_id = $1";
        const STAGED: &str = "DELETE FROM staged_rows WHERE stream_id = $1";
        const STAGE: &str = "DELETE FROM stages WHERE stream_id = $1";
        const RUNS: &str = "DELETE FROM runs WHERE stream_id = $1";
        const SCHEDULE: &str = "DELETE FROM schedules WHERE stream_id = $1";
        const MAPPINGS: &str = "DELETE FROM mapping_versions WHERE stream_id = $1";
        const SHAPE: &str = "DELETE FROM shapes WHERE stream_id = $1";
        const DRIFTS: &str = "DELETE FROM drifts WHERE stream_id = $1";
        const CERTIFICATES: &str = "DELETE FROM certificates WHERE stream_id = $1";
        const VERIFICATION: &str = "DELETE FROM verifications WHERE stream_id = $1";
        const STREAM: &str = "DELETE FROM streams WHERE id = $1";
        let mut changes = vec![still_held(lease)];
        let all =
            [VALUES, ROWS, STAGED, STAGE, RUNS, SCHEDULE, MAPPINGS, SHAPE, DRIFTS, CERTIFICATES, VERIFICATION, STREAM];
        changes.extend(all.map(|sql| Change::new(sql, [stream.into()])));
        self.commit_under(lease, changes).await
    }

    /// Counts calls that a program made through the proxy, and keeps what the org said of its quota.
    pub async fn count_proxied(
        &self,
        connection: &str,
        calls: &ProxiedCalls,
        quota: Option<(u64, u64)>,
    ) -> Result<(), StoreError> {
        const COUNT: &str = "INSERT INTO proxied_calls (connection_id, hour, calls, writes) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (connection_id, hour) DO UPDATE SET calls = proxied_calls.calls + excluded.calls, \
             writes = proxied_calls.writes + excluded.writes";
        const QUOTA: &str = "INSERT INTO quotas (connection_id, used, available, seen_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (connection_id) DO UPDATE SET used = excluded.used, available = excluded.available, \
             seen_at = excluded.seen_at";
        let now = self.clock.now();
        let hour = now.0.div_euclid(HOUR_MILLIS);
        let count = [connection.into(), hour.into(), calls.calls.into(), calls.writes.into()];
        let mut changes = vec![Change::new(COUNT, count)];
        if let Some((used, available)) = quota {
            changes.push(Change::new(QUOTA, [connection.into(), used.into(), available.into(), now.into()]));
        }
        self.database.commit(changes).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// What programs have asked of the org through the proxy within `last`, to whole hours.
    pub async fn proxied_calls(&self, connection: &str, last: Duration) -> Result<ProxiedCalls, StoreError> {
        const SUM: &str = "SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT), CAST(COALESCE(SUM(writes), 0) AS BIGINT) \
             FROM proxied_calls WHERE connection_id = $1 AND hour > $2";
        let since = self.clock.now().0 - i64::try_from(last.as_millis()).unwrap_or(i64::MAX);
        let values = [connection.into(), since.div_euclid(HOUR_MILLIS).into()];
        let row = self.database.query_first(SUM, values).await?;
        row.map_or(Ok(ProxiedCalls::default()), |mut row| {
            Ok(ProxiedCalls { calls: row.count()?, writes: row.count()? })
        })
    }

    /// What the org said last of its quota to a program that went through the proxy.
    pub async fn quota(&self, connection: &str) -> Result<Option<Quota>, StoreError> {
        const READ: &str = "SELECT used, available, seen_at FROM quotas WHERE connection_id = $1";
        let read = |mut row: Row| Ok(Quota { used: row.count()?, available: row.count()?, seen_at: row.moment()? });
        self.database.query_first(READ, [connection.into()]).await?.map(read).transpose()
    }

    /// Forgets what was noted in the ordinary course of things before `then`; what people did stays.
    pub async fn forget_routine(&self, then: Timestamp) -> Result<(), StoreError> {
        const FORGET: &str = "DELETE FROM journal WHERE at < $1 AND event IN ('renewed', 'rotated', 'renewal-failed')";
        self.database.commit_one(Change::new(FORGET, [then.into()])).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }
}
