//! Saying when streams run.

use salesforce::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::{App, import::chosen};
use crate::{
    error::Error,
    schedule::when::Schedule,
    store::{
        journal::Actor,
        schedules::{Plan, Trouble},
    },
};

/// When a stream runs, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleStatus {
    /// As people write it: `every 15 minutes`.
    pub schedule: String,
    pub paused: bool,
    /// When it runs next; in the past while it runs or waits for its turn. `None`: not by itself.
    pub next_at: Option<Timestamp>,
    /// A person has asked for a run that has not ended yet.
    pub is_wanted: bool,
    /// Runs that have failed since the last one that went well.
    pub failures: u32,
    pub trouble: Option<Trouble>,
}

/// A stream, and when it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStream {
    pub object: String,
    pub table: String,
    #[serde(flatten)]
    pub schedule: ScheduleStatus,
}

/// What a person decides about a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It runs by this schedule from now on, whatever has failed before.
    Schedule(Schedule),
    /// The schedule starts nothing until it is resumed.
    Pause,
    /// The schedule counts again; what was missed is caught up by one run.
    Resume,
    /// It runs once as soon as a process that serves has a worker for it, paused or not.
    RunNow,
}

impl From<&Plan> for ScheduleStatus {
    fn from(plan: &Plan) -> Self {
        Self {
            schedule: plan.schedule.to_string(),
            paused: plan.paused,
            next_at: plan.due_at(),
            is_wanted: plan.wanted_at.is_some(),
            failures: plan.failures,
            trouble: plan.trouble.clone(),
        }
    }
}

impl Decision {
    fn event(&self) -> &'static str {
        match self {
            Self::Schedule(_) => "streams-scheduled",
            Self::Pause => "streams-paused",
            Self::Resume => "streams-resumed",
            Self::RunNow => "run-wanted",
        }
    }

    fn apply(&self, plan: &mut Plan, stream_id: &str, now: Timestamp) {
        match self {
            Self::Schedule(schedule) => {
                plan.next_at = schedule.next(now, stream_id);
                plan.schedule = schedule.clone();
                (plan.failures, plan.trouble) = (0, None);
            }
            Self::Pause => plan.paused = true,
            Self::Resume => {
                plan.paused = false;
                if plan.failures > 0 {
                    plan.next_at = Some(now);
                }
                plan.failures = 0;
            }
            Self::RunNow => {
                plan.wanted_at = Some(now);
                plan.failures = 0;
            }
        }
    }
}

impl App {
    /// When the streams of a connection run: of the named objects, or all.
    ///
    /// # Errors
    /// [`Error::NoStreams`] and [`Error::UnknownStream`].
    pub async fn schedules(&self, connection: &str, objects: &[String]) -> Result<Vec<PlannedStream>, Error> {
        let connection = self.store.connection(connection).await?;
        let streams = chosen(&connection, self.store.streams(&connection.id).await?, objects)?;
        let plans = self.store.plans(&connection.id).await?;
        let planned = streams.into_iter().filter_map(|stream| {
            let (_, plan) = plans.iter().find(|(id, _)| *id == stream.id)?;
            Some(PlannedStream { object: stream.object, table: stream.table, schedule: plan.into() })
        });
        Ok(planned.collect())
    }

    /// Carries out what a person has decided about streams: of the named objects, or all.
    ///
    /// # Errors
    /// [`Error::NoStreams`] and [`Error::UnknownStream`]; nothing is changed.
    pub async fn decide(
        &self,
        connection: &str,
        objects: &[String],
        decision: &Decision,
        actor: &Actor,
    ) -> Result<(), Error> {
        let connection = self.store.connection(connection).await?;
        let streams = chosen(&connection, self.store.streams(&connection.id).await?, objects)?;
        let now = self.clock.now();
        let mut plans = self.store.plans(&connection.id).await?;
        plans.retain(|(id, _)| streams.iter().any(|stream| stream.id == *id));
        plans.iter_mut().for_each(|(id, plan)| decision.apply(plan, id, now));
        let objects: Vec<&str> = streams.iter().map(|stream| stream.object.as_str()).collect();
        let detail = match decision {
            Decision::Schedule(schedule) => json!({ "objects": objects, "schedule": schedule.to_string() }),
            Decision::Pause | Decision::Resume | Decision::RunNow => json!({ "objects": objects }),
        };
        self.store.save_plans(&connection, &plans, actor, decision.event(), &detail).await?;
        Ok(())
    }
}
