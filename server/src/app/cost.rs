//! What an import is going to cost, before anything of it is read.

use salesforce::Timestamp;
use serde::Serialize;
use sync::{
    forecast::{Expected, Rates, expected, mode, sample},
    read::{ReadMode, ReadOptions},
};

use super::{App, import::ImportRequest};
use crate::{
    error::Error,
    schedule::when::Schedule,
    store::{connections::Connection, forecasts::Pace},
};

/// A slower or a smaller run says nothing of how fast records come.
const TELLING_ROWS: u64 = 500;

/// What an import is expected to cost.
#[derive(Debug, Clone, Serialize)]
pub struct Cost {
    pub made_at: Timestamp,
    pub objects: Vec<ObjectCost>,
    /// Objects that are asked for by their parents: what they cost is not known, and not in the sums.
    pub unknown: Vec<String>,
    /// API calls that describe the objects.
    pub describe_calls: u64,
    /// API calls in all.
    pub calls: u64,
    pub jobs: u64,
    pub rows: u64,
    pub bytes: u64,
    pub seconds: f64,
    /// Of the API calls that are left of the budget now.
    pub percent_of_budget: f64,
    /// Of the API calls that the org as a whole has left now; `None`: it has not said.
    pub percent_of_org: Option<f64>,
    /// API calls in 24 hours of a schedule, when nothing has changed since its last run.
    pub scheduled_calls: Option<u64>,
}

/// What one object is expected to cost.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectCost {
    pub object: String,
    pub table: String,
    #[serde(flatten)]
    pub expected: Expected,
}

impl App {
    /// Says what importing these objects would cost, by one call an object and those that describe them; and keeps it, to be
    /// shown beside what the import then did cost. `schedule`: what they would cost a day afterwards.
    ///
    /// # Errors
    /// A mapping that does not fit, or what Salesforce refuses. Nothing is kept.
    pub async fn cost(&self, request: &ImportRequest, schedule: Option<&Schedule>) -> Result<Cost, Error> {
        let connection = self.store.connection(&request.connection).await?;
        let client = self.client(&connection);
        let mut compiled = Vec::new();
        for mapping in &request.mappings {
            compiled.push(self.compiled_by(&connection, &client, mapping).await?);
        }
        let describe_calls = client.usage().calls;
        let options =
            ReadOptions { choice: request.read, bulk_from: self.config.bulk_threshold, ..ReadOptions::default() };
        let (mut objects, mut unknown) = (Vec::new(), Vec::new());
        for mapping in &compiled {
            let first = sample(&client, mapping).await.map_err(|source| super::preview::unread(mapping, source))?;
            let Some(first) = first else {
                unknown.push(mapping.object.clone());
                continue;
            };
            let mode = mode(first.total, mapping, &options);
            let rates = self.rates(&connection, mode).await?;
            let expected = expected(&first, mode, request.read, &rates);
            objects.push(ObjectCost { object: mapping.object.clone(), table: mapping.table.name.clone(), expected });
        }
        let made_at = self.now();
        for cost in &objects {
            self.store.keep_forecast(&connection.id, &cost.table, &cost.expected).await?;
        }
        let sum = |of: fn(&Expected) -> u64| objects.iter().map(|cost| of(&cost.expected)).sum::<u64>();
        let calls = describe_calls + sum(|it| it.calls);
        let standing = self.governor(&connection.org_id).standing().await?;
        let left = standing.budget().calls.saturating_sub(standing.calls());
        Ok(Cost {
            made_at,
            unknown,
            describe_calls,
            calls,
            jobs: sum(|it| it.jobs),
            rows: sum(|it| it.rows),
            bytes: sum(|it| it.bytes),
            seconds: objects.iter().map(|cost| cost.expected.seconds).sum(),
            percent_of_budget: percent(calls, left),
            percent_of_org: standing.heard.map(|heard| percent(calls, heard.max.saturating_sub(heard.used))),
            scheduled_calls: schedule.map(|schedule| self.scheduled(schedule, objects.len() as u64, describe_calls)),
            objects,
        })
    }

    /// How fast this connection's records have come, by the latest run that tells.
    async fn rates(&self, connection: &Connection, mode: ReadMode) -> Result<Rates, Error> {
        let assumed = Rates::assumed(mode);
        let Some(Pace { rows, millis, waiting_millis }) =
            self.store.latest_pace(&connection.id, mode, TELLING_ROWS).await?
        else {
            return Ok(assumed);
        };
        let a_second = |millis: u64| rows as f64 * 1000.0 / millis.max(1) as f64;
        Ok(Rates {
            rows_a_second: a_second(millis.saturating_sub(waiting_millis)),
            job_rows_a_second: a_second(waiting_millis),
            is_assumed: false,
        })
    }

    /// One call a stream and run, and describes where the last ones are too old by then.
    fn scheduled(&self, schedule: &Schedule, streams: u64, describe_calls: u64) -> u64 {
        let runs = schedule.runs_a_day();
        let life = self.config.describe_life.as_secs().max(1);
        let describes = runs.min(24 * 3600 / life) * describe_calls.min(1);
        runs * streams + describes
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}
