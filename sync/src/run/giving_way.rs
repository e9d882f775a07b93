//! When a run that others wait for may end: not before something that it has done in this turn is kept, so that each turn
//! brings it forward and none begins where the last one did.

use std::{future::pending, sync::Arc};

use salesforce::bulk::JobState;
use tokio::sync::watch;

use crate::{
    checkpoint::Position,
    mapping::CompiledMapping,
    read::{Listener, Phase, Question},
};

/// One leg of a run, seen as its turn.
pub(super) struct GivingWay {
    /// `None`: nobody is ever going to ask.
    asked: Option<watch::Receiver<bool>>,
    begun_at: Position,
    /// A limited query begins anew each time: it cannot tell how many of its records came before the last Id.
    is_limited: bool,
    seen: watch::Sender<Seen>,
}

/// How far the leg has come.
struct Seen {
    /// Durable.
    at: Position,
    /// How the job stood that was waited for last.
    job: Option<(JobState, u64)>,
    /// The org has got on with that job in this turn.
    job_advances: bool,
}

impl GivingWay {
    pub(super) fn new(
        asked: Option<watch::Receiver<bool>>,
        begun_at: Position,
        mapping: &CompiledMapping,
    ) -> Arc<Self> {
        let seen = Seen { at: begun_at.clone(), job: None, job_advances: false };
        Arc::new(Self { asked, begun_at, is_limited: mapping.limit.is_some(), seen: watch::Sender::new(seen) })
    }

    /// The question, with an ear for how its job stands.
    pub(super) fn hearing(self: &Arc<Self>, question: Question) -> Question {
        let (ours, listener) = (Arc::clone(self), Arc::clone(&question.listener));
        let hears: Listener = Arc::new(move |phase| {
            ours.hear(&phase);
            listener(phase);
        });
        Question { listener: hears, ..question }
    }

    fn hear(&self, phase: &Phase) {
        match phase {
            Phase::Job { state, records } => self.seen.send_modify(|seen| {
                let stands = (*state, *records);
                seen.job_advances |= seen.job.replace(stands).is_some_and(|before| before != stands);
            }),
            Phase::JobAgain { .. } => self.seen.send_modify(|seen| (seen.job, seen.job_advances) = (None, false)),
            Phase::Reading { .. } | Phase::FellBack { .. } => {}
        }
    }

    /// Everything up to this place is durable.
    pub(super) fn reached(&self, at: &Position) {
        self.seen.send_modify(|seen| seen.at.clone_from(at));
    }

    /// Completes when others wait and the run may end; never where nothing of it would be kept.
    pub(super) async fn is_due(&self) {
        let Some(asked) = &self.asked else { return pending().await };
        let (mut seen, mut asked) = (self.seen.subscribe(), asked.clone());
        let may_end = seen.wait_for(|seen| self.may_end(seen)).await.is_ok();
        // Whoever could ask is gone.
        if !may_end || asked.wait_for(|asked| *asked).await.is_err() {
            pending::<()>().await;
        }
    }

    /// True when the next turn goes on further than this one began.
    fn may_end(&self, seen: &Seen) -> bool {
        match (&self.begun_at, &seen.at) {
            // Nothing is written, or it is read from the beginning again: objects that the org cannot order.
            (_, Position::Start) => false,
            // The org works on the job whether or not anybody waits for it.
            (Position::Start, Position::Bulk { locator: None, .. }) => true,
            // A job that stands still is given up after a while, which has to pass in one turn.
            (Position::Bulk { job: before, .. }, Position::Bulk { job, locator: None, .. }) if before == job => {
                seen.job_advances
            }
            // Another job than the last turn's: the org may refuse each of them, which only whoever waits finds out.
            (_, Position::Bulk { locator: None, .. }) => false,
            (_, Position::Query { .. } | Position::Slice { .. }) if self.is_limited => false,
            (begun_at, at) => begun_at != at,
        }
    }
}
