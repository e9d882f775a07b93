//! When streams run by themselves: what was planned, who is due, and whose turn it is.
//!
//! A stream stays due until its run has ended, so nothing that a killed process has begun is forgotten. A turn is taken
//! once, and what came of it is recorded unless a person has planned anew in between.

use std::fmt;

use salesforce::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    Store,
    connections::Connection,
    database::{Change, DatabaseError, Row, Value},
    error::StoreError,
    journal::Actor,
};
use crate::{connection::state::ConnectionState, schedule::when::Schedule, store::care::Switches};

/// When a stream runs, and how its last attempts went.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub schedule: Schedule,
    /// The schedule starts nothing. A person may still ask for a run.
    pub paused: bool,
    /// It runs then, or as soon afterwards as its turn comes; `None`: never by itself.
    pub next_at: Option<Timestamp>,
    /// Since when a person wants a run that has not ended yet.
    pub wanted_at: Option<Timestamp>,
    /// Runs that have failed since the last one that went well.
    pub failures: u32,
    pub trouble: Option<Trouble>,
}

/// Why a stream does not keep to its schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub needs: Needs,
    /// What failed last.
    pub message: String,
    pub since: Timestamp,
}

/// What a stream in trouble waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// It passes by itself, and is tried again.
    Time,
    /// A person has to change something; it is tried now and then.
    Person,
    /// Nothing is tried before a person asks for it.
    Restart,
}

impl Default for Plan {
    /// That of a stream nobody has planned anything for.
    fn default() -> Self {
        Self { schedule: Schedule::None, paused: false, next_at: None, wanted_at: None, failures: 0, trouble: None }
    }
}

impl Plan {
    /// The moment from which on it is to run; `None`: not by itself.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.wanted_at.or(self.next_at.filter(|_| !self.paused))
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Time => "is tried again",
            Self::Person => "needs a person",
            Self::Restart => "has stopped",
        })
    }
}

/// A stream that is to run now.
#[derive(Debug, Clone)]
pub struct Due {
    pub stream_id: String,
    pub object: String,
    pub connection: String,
    pub customer_id: String,
    pub org_id: String,
    pub state: ConnectionState,
    pub switches: Switches,
    pub since: Timestamp,
    /// A person asks for it.
    pub is_wanted: bool,
    pub schedule: Schedule,
    pub failures: u32,
    pub trouble: Option<Trouble>,
    /// Its last turn.
    pub turn: i64,
    /// The last turn of any stream of its customer.
    pub customer_turn: i64,
}

/// A turn that this process has taken, under the plan of that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    decision: i64,
}

impl Store {
    /// The plan of each stream of a connection, by the stream's id, oldest stream first.
    pub async fn plans(&self, connection_id: &str) -> Result<Vec<(String, Plan)>, StoreError> {
        const READ: &str = "SELECT streams.id, COALESCE(schedule, 'none'), COALESCE(paused, 0), next_at, wanted_at, \
             COALESCE(failures, 0), trouble FROM streams LEFT JOIN schedules ON schedules.stream_id = streams.id \
             WHERE streams.connection_id = $1 ORDER BY streams.created_at, streams.object, streams.id";
        let rows = self.database.query(READ, [connection_id.into()]).await?;
        rows.into_iter().map(|mut row| Ok((row.text()?, plan(&mut row)?))).collect()
    }

    /// Replaces plans of streams of one connection, and notes who decided so.
    pub async fn save_plans(
        &self,
        connection: &Connection,
        plans: &[(String, Plan)],
        actor: &Actor,
        event: &'static str,
        detail: &Json,
    ) -> Result<(), StoreError> {
        let mut changes: Vec<Change> = plans.iter().map(|(stream_id, plan)| save(stream_id, plan)).collect();
        changes.push(self.entry(Some(&connection.name), actor, event, detail));
        self.database.commit(changes).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// The streams that are to run now, whoever runs them: of each connection those that have waited longest, at most so
    /// many.
    pub async fn due(&self, of_each_connection: u32) -> Result<Vec<Due>, StoreError> {
        const DUE: &str = "SELECT waiting.stream_id, object, connection, waiting.customer_id, org_id, state, switches, \
             wanted_at, next_at, schedule, failures, trouble, waiting.turn, customer_turn FROM (\
               SELECT stream_id, object, connections.name AS connection, customer_id, org_id, state, switches, \
               wanted_at, next_at, schedule, failures, trouble, turn, ROW_NUMBER() OVER (PARTITION BY connections.id ORDER BY \
               CASE WHEN wanted_at IS NULL THEN 1 ELSE 0 END, COALESCE(wanted_at, next_at), stream_id) AS place \
               FROM schedules JOIN streams ON streams.id = stream_id \
               JOIN connections ON connections.id = connection_id \
               WHERE wanted_at IS NOT NULL OR (paused = 0 AND next_at <= $1)) AS waiting \
             JOIN (SELECT customer_id, MAX(turn) AS customer_turn FROM schedules \
               JOIN streams ON streams.id = stream_id JOIN connections ON connections.id = connection_id \
               GROUP BY customer_id) AS served ON served.customer_id = waiting.customer_id \
             WHERE place <= $2";
        let values = [self.clock.now().into(), i64::from(of_each_connection).into()];
        self.database.query(DUE, values).await?.into_iter().map(due).collect()
    }

    /// Takes the turn of a stream that is due; `None` when another process has taken it, or it is not due any more.
    pub async fn take_turn(&self, due: &Due) -> Result<Option<Turn>, StoreError> {
        const TAKE: &str = "UPDATE schedules SET turn = (SELECT MAX(turn) + 1 FROM schedules) \
             WHERE stream_id = $1 AND turn = $2 AND (wanted_at IS NOT NULL OR (paused = 0 AND next_at <= $3)) \
             RETURNING decision";
        let change = Change::new(TAKE, [(&due.stream_id).into(), due.turn.into(), self.clock.now().into()]);
        let rows = self.database.commit_one(change).await.map_err(DatabaseError::unexpected)?;
        let taken = rows.into_iter().next();
        taken.map(|mut row| Ok(Turn { decision: row.integer()? })).transpose()
    }

    /// Puts a stream that stays due behind everybody: its customer was served until now.
    pub async fn give_up_turn(&self, stream_id: &str) -> Result<(), StoreError> {
        const LAST: &str = "UPDATE schedules SET turn = (SELECT MAX(turn) + 1 FROM schedules) WHERE stream_id = $1";
        self.database.commit_one(Change::new(LAST, [stream_id.into()])).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// Records what came of a turn, and what is next. A plan that a person has made since the turn was taken stays.
    pub async fn end_turn(
        &self,
        stream_id: &str,
        turn: Turn,
        next_at: Option<Timestamp>,
        failures: u32,
        trouble: Option<&Trouble>,
    ) -> Result<(), StoreError> {
        const END: &str = "UPDATE schedules SET next_at = $3, wanted_at = NULL, failures = $4, trouble = $5 \
             WHERE stream_id = $1 AND decision = $2";
        let values: [Value; 5] = [
            stream_id.into(),
            turn.decision.into(),
            next_at.into(),
            i64::from(failures).into(),
            document(trouble).into(),
        ];
        self.database.commit_one(Change::new(END, values)).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }
}

pub(super) fn save(stream_id: &str, plan: &Plan) -> Change {
    const SAVE: &str = "INSERT INTO schedules (stream_id, schedule, paused, next_at, wanted_at, failures, trouble, turn, \
         decision) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 1) \
         ON CONFLICT (stream_id) DO UPDATE SET schedule = excluded.schedule, paused = excluded.paused, \
         next_at = excluded.next_at, wanted_at = excluded.wanted_at, failures = excluded.failures, \
         trouble = excluded.trouble, decision = schedules.decision + 1";
    let values: [Value; 7] = [
        stream_id.into(),
        plan.schedule.to_string().into(),
        i64::from(plan.paused).into(),
        plan.next_at.into(),
        plan.wanted_at.into(),
        i64::from(plan.failures).into(),
        document(plan.trouble.as_ref()).into(),
    ];
    Change::new(SAVE, values)
}

fn document(trouble: Option<&Trouble>) -> Option<String> {
    trouble.map(|trouble| serde_json::to_string(trouble).expect("trouble is plain data"))
}

fn plan(row: &mut Row) -> Result<Plan, StoreError> {
    Ok(Plan {
        schedule: schedule(&row.text()?)?,
        paused: row.integer()? != 0,
        next_at: row.optional_integer()?.map(Timestamp),
        wanted_at: row.optional_integer()?.map(Timestamp),
        failures: failures(row)?,
        trouble: trouble(row)?,
    })
}

fn due(mut row: Row) -> Result<Due, StoreError> {
    let (stream_id, object, connection) = (row.text()?, row.text()?, row.text()?);
    let (customer_id, org_id) = (row.text()?, row.text()?);
    let (state, switches) = (row.document()?, row.document()?);
    let (wanted_at, next_at) = (row.optional_integer()?, row.optional_integer()?);
    let since = wanted_at.or(next_at).ok_or_else(|| StoreError::corrupt("a stream is due at no moment"))?;
    Ok(Due {
        stream_id,
        object,
        connection,
        customer_id,
        org_id,
        state,
        switches,
        since: Timestamp(since),
        is_wanted: wanted_at.is_some(),
        schedule: schedule(&row.text()?)?,
        failures: failures(&mut row)?,
        trouble: trouble(&mut row)?,
        turn: row.integer()?,
        customer_turn: row.integer()?,
    })
}

fn schedule(text: &str) -> Result<Schedule, StoreError> {
    text.parse().map_err(|error| StoreError::corrupt(format!("a schedule cannot be read: {error}")))
}

fn failures(row: &mut Row) -> Result<u32, StoreError> {
    u32::try_from(row.integer()?).map_err(|_| StoreError::corrupt("a count of failures is out of range"))
}

fn trouble(row: &mut Row) -> Result<Option<Trouble>, StoreError> {
    let text = row.optional_text()?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| StoreError::corrupt(format!("a stream's trouble cannot be read: {error}")))
}
