//! The work of a job: from the query's rows to a file.

use std::sync::Arc;
use std::time::Instant;

use super::job::{Job, Question, State};
use crate::bulk::fate::Turn;
use crate::bulk::file::DiskError;
use crate::bulk::spool::{Spool, SpoolWriter};
use crate::database::Snapshot;
use crate::org::Org;
use crate::scenario::Advance;
use crate::soql::{Asked, Plan, QueryError, RowWriter};
use crate::value::Timestamp;

/// Rows between two looks at whether the job has been aborted.
const LOOK_EVERY: u64 = 10_000;

/// What became of the work.
enum Outcome {
    Done(Spool),
    Aborted,
}

impl Org {
    /// Starts a job when jobs run by themselves.
    pub(super) fn start_query_job(self: &Arc<Self>, job: Arc<Job>) {
        if self.jobs.advance() == Advance::Auto {
            let org = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                org.step_query_job(&job);
                org.step_query_job(&job);
            });
        }
    }

    /// Takes one job one state further. The work itself is done on the way out of `InProgress`.
    pub(in crate::bulk) fn step_query_job(&self, job: &Job) {
        match job.state() {
            State::UploadComplete => {
                job.begin(self.now());
            }
            State::InProgress => self.work(job),
            State::Aborted | State::JobComplete | State::Failed => {}
        }
    }

    fn work(&self, job: &Job) {
        match job.fate.turn(self.now()) {
            Turn::Work => {}
            Turn::Wait => return,
            Turn::Abort => {
                job.abort(self.now());
                return;
            }
            Turn::Fail(message) => {
                job.fail(message, self.now());
                return;
            }
        }
        let started = Instant::now();
        let snapshot = self.snapshot();
        let plan = match self.plan_of(job, &snapshot) {
            Ok(plan) => plan,
            Err(error) => {
                job.fail(format!("InvalidBatch : Failed to process query: {error}"), self.now());
                return;
            }
        };
        match self.produce(job, &plan, snapshot) {
            Ok(Outcome::Done(spool)) => {
                job.complete(spool, started.elapsed(), self.now());
            }
            Ok(Outcome::Aborted) => {}
            Err(error) => {
                job.fail(error.to_string(), self.now());
            }
        }
    }

    /// The job's query, understood anew when objects or fields have changed since.
    fn plan_of(&self, job: &Job, snapshot: &Snapshot) -> Result<Arc<Plan>, QueryError> {
        let Question { query, access, schema } = &job.question;
        if Arc::ptr_eq(schema, snapshot.schema()) {
            return Ok(Arc::clone(&job.plan));
        }
        let (scope, now) = (job.operation.scope(), Timestamp::from(self.now()));
        let mut asked = Asked::by(job.created_by, snapshot, access, scope, now);
        asked.version = job.version;
        Plan::compile_as(query, &asked).map(Arc::new)
    }

    fn produce(&self, job: &Job, plan: &Arc<Plan>, snapshot: Snapshot) -> Result<Outcome, DiskError> {
        let dialect = job.format.dialect();
        let results = plan.execute(snapshot);
        let mut header = Vec::new();
        let Some(projection) = plan.projection() else {
            return Ok(Outcome::Done(SpoolWriter::new(self.jobs.disk(), header).finish()?));
        };
        projection.write_csv_header(dialect, &mut header);
        let mut spool = SpoolWriter::new(self.jobs.disk(), header);
        let mut writer = RowWriter::new(projection, results.snapshot(), "");
        for row in results.rows(0) {
            spool.row(|out| writer.write_csv(&row, dialect, out))?;
            if spool.count().is_multiple_of(LOOK_EVERY) && !job.report(spool.count()) {
                return Ok(Outcome::Aborted);
            }
        }
        spool.finish().map(Outcome::Done)
    }
}
