//! What was taken of each org's API quota, and what was decided about it.

use salesforce::Timestamp;
use serde_json::json;

use super::{
    Store,
    connections::Connection,
    database::{Change, Committed, DatabaseError, Row, Value},
    error::StoreError,
    journal::Actor,
};
use crate::{
    quota::{Heard, Hour, OwnRules, hour_of, last_forgotten},
    schedule::when::Schedule,
};

/// What is kept of one org's quota.
#[derive(Debug, Clone)]
pub struct OrgQuota {
    pub own: OwnRules,
    pub heard: Option<Heard>,
    /// The hours that still count, oldest first.
    pub hours: Vec<Hour>,
}

/// No more may be taken in all than this.
#[derive(Debug, Clone, Copy)]
pub struct Grant {
    pub calls: u64,
    pub jobs: u64,
}

/// What a process takes.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    pub calls: u64,
    pub jobs: u64,
    /// `None`: whatever was taken before.
    pub within: Option<Grant>,
    /// Kept by the way.
    pub heard: Option<Heard>,
}

/// A stream of an org that runs by a schedule, and what that costs.
#[derive(Debug, Clone)]
pub struct Regular {
    pub schedule: Schedule,
    /// Thousandths of a call that one of its latest runs has cost; a call where none has run yet.
    pub millicalls: u64,
}

impl Store {
    /// What is kept of an org's quota.
    pub async fn org_quota(&self, org_id: &str, now: Timestamp) -> Result<OrgQuota, StoreError> {
        const ORG: &str = "SELECT rules, used, available, heard_at FROM org_quotas WHERE org_id = $1";
        const HOURS: &str = "SELECT hour, calls, jobs FROM quota_hours WHERE org_id = $1 AND hour > $2 ORDER BY hour";
        let row = self.database.query_first(ORG, [org_id.into()]).await?;
        let (own, heard) = row.map(org).transpose()?.unwrap_or_default();
        let rows = self.database.query(HOURS, [org_id.into(), last_forgotten(now).into()]).await?;
        let hour = |mut row: Row| Ok(Hour { number: row.integer()?, calls: row.count()?, jobs: row.count()? });
        Ok(OrgQuota { own, heard, hours: rows.into_iter().map(hour).collect::<Result<_, StoreError>>()? })
    }

    /// Takes calls and jobs of the present hour; false, and nothing is taken, when that would be more than `within`.
    pub async fn take_quota(&self, org_id: &str, now: Timestamp, taken: &Taken) -> Result<bool, StoreError> {
        const HOUR: &str = "INSERT INTO quota_hours (org_id, hour, calls, jobs) VALUES ($1, $2, 0, 0) \
             ON CONFLICT (org_id, hour) DO NOTHING";
        const TAKE: &str = "UPDATE quota_hours SET calls = calls + $3, jobs = jobs + $4 WHERE org_id = $1 AND hour = $2 \
             AND $3 + (SELECT CAST(COALESCE(SUM(taken.calls), 0) AS BIGINT) FROM quota_hours taken \
               WHERE taken.org_id = $1 AND taken.hour > $5) <= $6 \
             AND $4 + (SELECT CAST(COALESCE(SUM(taken.jobs), 0) AS BIGINT) FROM quota_hours taken \
               WHERE taken.org_id = $1 AND taken.hour > $5) <= $7 RETURNING calls";
        const FORGET: &str = "DELETE FROM quota_hours WHERE org_id = $1 AND hour <= $2";
        let (hour, forgotten) = (hour_of(now), last_forgotten(now));
        let bound = |bound: fn(&Grant) -> u64| Value::from(taken.within.as_ref().map_or(u64::MAX, bound));
        let take: [Value; 7] = [
            org_id.into(),
            hour.into(),
            taken.calls.into(),
            taken.jobs.into(),
            forgotten.into(),
            bound(|within| within.calls),
            // A call needs no job to be left.
            if taken.jobs == 0 { u64::MAX.into() } else { bound(|within| within.jobs) },
        ];
        // The org's row is locked first, so that the sum is that of all who have committed before.
        let mut changes = vec![locked(org_id), Change::new(HOUR, [org_id.into(), hour.into()])];
        let place = changes.len();
        changes.push(Change::new(TAKE, take));
        changes.push(Change::new(FORGET, [org_id.into(), forgotten.into()]));
        changes.extend(taken.heard.map(|heard| keep(org_id, heard)));
        match self.database.commit(changes).await.map_err(DatabaseError::unexpected)? {
            Committed::Done(answers) => Ok(answers.get(place).is_some_and(|rows| !rows.is_empty())),
            Committed::Undone => Ok(false),
        }
    }

    /// Gives back calls that were taken in an hour and not spent, and keeps what the org has said.
    pub async fn give_back(&self, org_id: &str, hour: i64, calls: u64, heard: Option<Heard>) -> Result<(), StoreError> {
        const GIVE: &str = "UPDATE quota_hours SET calls = calls - $3 WHERE org_id = $1 AND hour = $2";
        let give = (calls > 0).then(|| Change::new(GIVE, [org_id.into(), hour.into(), calls.into()]));
        let keep = heard.into_iter().flat_map(|heard| [locked(org_id), keep(org_id, heard)]);
        let changes: Vec<Change> = keep.chain(give).collect();
        if !changes.is_empty() {
            self.database.commit(changes).await.map_err(DatabaseError::unexpected)?;
        }
        Ok(())
    }

    /// Replaces what was decided about the quota of a connection's org, and notes who decided so.
    pub async fn save_own_rules(
        &self,
        connection: &Connection,
        own: &OwnRules,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        const SAVE: &str = "UPDATE org_quotas SET rules = $2 WHERE org_id = $1";
        let document = json!(own);
        let org_id = connection.org_id.as_str();
        let save = Change::new(SAVE, [org_id.into(), document.to_string().into()]);
        let entry = self.entry(Some(&connection.name), actor, "quota-set", &document);
        self.database.commit(vec![locked(org_id), save, entry]).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// The streams of an org that run by a schedule.
    pub async fn regulars(&self, org_id: &str) -> Result<Vec<Regular>, StoreError> {
        const READ: &str = "SELECT schedules.schedule, CAST(COALESCE((SELECT SUM(latest.api_calls) * 1000 / COUNT(*) \
             FROM (SELECT api_calls FROM runs WHERE runs.stream_id = schedules.stream_id AND purpose = 'sync' \
               AND state = 'completed' ORDER BY epoch DESC LIMIT 8) AS latest), 1000) AS BIGINT) \
             FROM schedules JOIN streams ON streams.id = schedules.stream_id \
             JOIN connections ON connections.id = streams.connection_id \
             WHERE connections.org_id = $1 AND schedules.paused = 0 AND schedules.schedule <> 'none'";
        let read = |mut row: Row| {
            let schedule = row.text()?.parse();
            let schedule =
                schedule.map_err(|error| StoreError::corrupt(format!("a schedule cannot be read: {error}")))?;
            Ok(Regular { schedule, millicalls: row.count()? })
        };
        self.database.query(READ, [org_id.into()]).await?.into_iter().map(read).collect()
    }

    /// The calls that syncs of an org have cost that began at or after `since`.
    pub async fn sync_calls_since(&self, org_id: &str, since: Timestamp) -> Result<u64, StoreError> {
        const SUM: &str = "SELECT CAST(COALESCE(SUM(api_calls), 0) AS BIGINT) FROM runs \
             JOIN streams ON streams.id = runs.stream_id JOIN connections ON connections.id = streams.connection_id \
             WHERE connections.org_id = $1 AND runs.purpose = 'sync' AND runs.started_at >= $2";
        let row = self.database.query_first(SUM, [org_id.into(), since.into()]).await?;
        row.map_or(Ok(0), |mut row| row.count())
    }
}

/// Makes the org's row if there is none, and locks it until the commit.
fn locked(org_id: &str) -> Change {
    const LOCK: &str =
        "INSERT INTO org_quotas (org_id) VALUES ($1) ON CONFLICT (org_id) DO UPDATE SET org_id = excluded.org_id";
    Change::new(LOCK, [org_id.into()])
}

fn keep(org_id: &str, heard: Heard) -> Change {
    const KEEP: &str = "UPDATE org_quotas SET used = $2, available = $3, heard_at = $4 \
         WHERE org_id = $1 AND (heard_at IS NULL OR heard_at <= $4)";
    Change::new(KEEP, [org_id.into(), heard.used.into(), heard.max.into(), heard.at.into()])
}

fn org(mut row: Row) -> Result<(OwnRules, Option<Heard>), StoreError> {
    let own = row.document()?;
    let numbers = (row.optional_integer()?, row.optional_integer()?, row.optional_integer()?);
    let (Some(used), Some(max), Some(at)) = numbers else { return Ok((own, None)) };
    let count = |number| u64::try_from(number).map_err(|_| StoreError::corrupt("a quota is negative"));
    Ok((own, Some(Heard { used: count(used)?, max: count(max)?, at: Timestamp(at) })))
}
