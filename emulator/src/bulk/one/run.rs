//! The work of a batch.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::batch::{Batch, Count, Results, Standing, State};
use super::job::{Concurrency, Job, Purpose};
use super::records;
use super::results::write_outcomes;
use super::select::Found;
use crate::bulk::columns::View;
use crate::bulk::fate::{Fate, Turn};
use crate::bulk::file::DiskError;
use crate::bulk::load::{Refusal, Target};
use crate::org::Org;
use crate::scenario::Advance;

/// Why a batch fails; shown as its `stateMessage`.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Message(String),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("Unknown : the emulator cannot read a batch: {0}")]
    Read(#[from] std::io::Error),
}

impl Org {
    /// Starts a batch when jobs run by themselves.
    pub(super) fn start_batch(self: &Arc<Self>, job: Arc<Job>, batch: Arc<Batch>) {
        if self.jobs.advance() == Advance::Auto {
            let org = Arc::clone(self);
            tokio::task::spawn_blocking(move || match job.order.concurrency {
                Concurrency::Parallel => org.run_batch(&job, &batch),
                Concurrency::Serial => org.run_in_turn(&job),
            });
        }
    }

    fn run_batch(self: &Arc<Self>, job: &Arc<Job>, batch: &Arc<Batch>) {
        self.step_batch(job, batch);
        self.step_batch(job, batch);
    }

    /// Runs the batches of a serial job in their order, until one has to wait.
    fn run_in_turn(self: &Arc<Self>, job: &Arc<Job>) {
        let _turn = job.turn.lock().unwrap_or_else(PoisonError::into_inner);
        for batch in job.batches() {
            self.run_batch(job, &batch);
            if !batch.is_over() {
                return;
            }
        }
    }

    /// Takes the batches of a job one state further; one batch after the other in a serial job.
    pub(in crate::bulk) fn step_batches(self: &Arc<Self>, job: &Arc<Job>) {
        job.expire(self.now());
        let most = match job.order.concurrency {
            Concurrency::Parallel => usize::MAX,
            Concurrency::Serial => 1,
        };
        let waiting = job.batches().into_iter().filter(|batch| !batch.is_over());
        waiting.take(most).for_each(|batch| self.step_batch(job, &batch));
    }

    fn step_batch(self: &Arc<Self>, job: &Arc<Job>, batch: &Arc<Batch>) {
        match batch.standing() {
            Standing::Queued => batch.begin(self.now()),
            Standing::InProgress => self.work_on_batch(job, batch),
            Standing::Completed | Standing::Failed | Standing::NotProcessed => {}
        }
    }

    fn work_on_batch(self: &Arc<Self>, job: &Arc<Job>, batch: &Arc<Batch>) {
        if job.is_stopped() {
            return;
        }
        let now = self.now();
        match (batch.fate.turn(now), job.order.fate.turn(now)) {
            (Turn::Wait, _) | (_, Turn::Wait) => return,
            (Turn::Abort, _) | (_, Turn::Abort) => return job.abort(now),
            (Turn::Fail(message), _) => {
                return batch.end(State::failed(message), Count::default(), Default::default(), now);
            }
            (_, Turn::Fail(message)) => return job.fail(&message, now),
            (Turn::Work, Turn::Work) => {}
        }
        let started = Instant::now();
        let (state, count) = match &job.order.purpose {
            Purpose::Load(target) => self.load_batch(job, batch, target),
            Purpose::Select { .. } => match self.select_batch(job, batch) {
                Ok(Found::Records { results, rows }) => {
                    (State::Completed(results), Count { processed: rows, failed: 0 })
                }
                Ok(Found::Chunks(chunks)) => {
                    batch.end(State::NotProcessed(None), Count::default(), started.elapsed(), self.now());
                    if self.jobs.advance() == Advance::Auto {
                        chunks.iter().for_each(|chunk| self.run_batch(job, chunk));
                    }
                    return;
                }
                Err(failure) => (State::failed(failure), Count::default()),
            },
        };
        batch.end(state, count, started.elapsed(), self.now());
    }

    fn load_batch(&self, job: &Job, batch: &Batch, target: &Target) -> (State, Count) {
        match self.load_rows_of(job, batch, target) {
            Ok(loaded) => loaded,
            Err(failure) => (State::failed(failure), Count::default()),
        }
    }

    fn load_rows_of(&self, job: &Job, batch: &Batch, target: &Target) -> Result<(State, Count), Failure> {
        let _turn = self.jobs.turn_to_load();
        let body = batch.request.whole()?;
        let snapshot = self.snapshot();
        let gone = || Failure::Message(format!("InvalidBatch : Unable to find object: {}", target.object));
        let (_, object) = snapshot.schema().find(&target.object).ok_or_else(gone)?;
        let view = View { object, schema: snapshot.schema(), access: &target.access };
        let mut rows = records::read(job.content(), &body, view, target.operation).map_err(Failure::Message)?;
        drop(body);
        let fate = if batch.fate == Fate::Normal { &job.order.fate } else { &batch.fate };
        let mut given_up = None;
        match fate {
            Fate::FailsRows { rows: first, code, message } => {
                let first = usize::try_from(*first).unwrap_or(usize::MAX);
                let refusal = Refusal { code: code.clone().into(), message: message.clone(), fields: Vec::new() };
                rows.iter_mut().take(first).for_each(|row| *row = Err(refusal.clone()));
            }
            Fate::GivesUp { after, message } => {
                rows.truncate(usize::try_from(*after).unwrap_or(usize::MAX));
                given_up = Some(message.clone());
            }
            Fate::Normal | Fate::Stuck | Fate::Slow(_) | Fate::Fails(_) | Fate::Aborted => {}
        }
        drop(snapshot);
        let outcomes = self.load_rows(target, &rows);
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count() as u64;
        let count = Count { processed: outcomes.len() as u64, failed };
        let results = Results::Rows(self.jobs.disk().store(&write_outcomes(job.content(), &outcomes))?);
        let state = match given_up {
            Some(message) => State::Failed { message, results: Some(results) },
            None => State::Completed(results),
        };
        Ok((state, count))
    }
}
