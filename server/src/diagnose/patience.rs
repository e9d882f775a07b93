//! How what may pass is waited for.

use std::time::Duration;

use salesforce::http::Timer;

use super::{
    catalogue,
    checklist::{Checklist, Step},
    finding::{Finding, Passing},
};
use crate::error::Error;

/// Changes in Setup work after this long at the latest (help pages of External Client Apps: "up to 10 minutes").
pub const PROPAGATION: Duration = Duration::from_secs(600);

const SECOND: Duration = Duration::from_secs(1);
/// Between two attempts. Propagation is reported to end after two minutes at the earliest, but what was changed a
/// minute ago may work in one.
const BETWEEN: Duration = Duration::from_secs(30);

/// The rest of somebody's patience.
pub struct Patience<'a> {
    timer: &'a dyn Timer,
    checklist: &'a dyn Checklist,
    left: Duration,
}

impl<'a> Patience<'a> {
    pub fn new(timer: &'a dyn Timer, checklist: &'a dyn Checklist) -> Self {
        Self { timer, checklist, left: checklist.patience().min(PROPAGATION) }
    }

    /// The same for what an error has found.
    pub async fn waits_out(&mut self, error: &Error) -> bool {
        match error.finding() {
            Some(finding) => self.waits_for(&finding).await,
            None => false,
        }
    }

    /// The same, when it is tried again with the session in hand: what that was granted stays.
    pub async fn waits_out_with_session(&mut self, error: &Error) -> bool {
        match error.finding() {
            Some(finding) if finding.code != catalogue::SCOPE_API_MISSING.code() => self.waits_for(&finding).await,
            _ => false,
        }
    }

    /// Waits, when `finding` may be cured by that and there is patience left. True: try again.
    pub async fn waits_for(&mut self, finding: &Finding) -> bool {
        if finding.may_pass != Some(Passing::Propagation) || self.left.is_zero() {
            return false;
        }
        let mut again_in = BETWEEN.min(self.left);
        while !again_in.is_zero() {
            if self.checklist.is_stopped() {
                return false;
            }
            let left = self.left;
            self.checklist.note(Step::Waiting { finding, again_in, left });
            let pause = SECOND.min(again_in);
            self.timer.sleep(pause).await;
            again_in -= pause;
            self.left -= pause;
        }
        if self.checklist.is_stopped() {
            return false;
        }
        self.checklist.note(Step::Again);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    };

    use futures_util::{FutureExt, future::BoxFuture};

    use super::*;
    use crate::diagnose::{Quiet, catalogue};

    /// Counts the seconds that were slept.
    #[derive(Default)]
    struct Seconds(AtomicU64);

    impl Timer for Seconds {
        fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
            self.0.fetch_add(duration.as_secs(), Ordering::SeqCst);
            std::future::ready(()).boxed()
        }
    }

    struct Follower {
        patience: Duration,
        stops_after: usize,
        /// Seconds until the next attempt and at most from then on; nothing for an attempt.
        steps: Mutex<Vec<Option<(u64, u64)>>>,
    }

    impl Follower {
        fn new(patience: u64, stops_after: usize) -> Self {
            Self { patience: Duration::from_secs(patience), stops_after, steps: Mutex::default() }
        }

        fn count(&self) -> usize {
            self.steps.lock().unwrap().len()
        }
    }

    impl Checklist for Follower {
        fn note(&self, step: Step<'_>) {
            let waited = match step {
                Step::Waiting { again_in, left, .. } => Some((again_in.as_secs(), left.as_secs())),
                _ => None,
            };
            self.steps.lock().unwrap().push(waited);
        }

        fn patience(&self) -> Duration {
            self.patience
        }

        fn is_stopped(&self) -> bool {
            self.count() >= self.stops_after
        }
    }

    fn passing(may_pass: Option<Passing>) -> Finding {
        Finding { may_pass, ..catalogue::API_REFUSED.found("refused") }
    }

    #[tokio::test]
    async fn what_may_be_propagation_is_tried_again_for_ten_minutes_and_counted_down() {
        let (timer, follower) = (Seconds::default(), Follower::new(3_600, usize::MAX));
        let mut patience = Patience::new(&timer, &follower);
        let mut attempts = 0;
        while patience.waits_for(&passing(Some(Passing::Propagation))).await {
            attempts += 1;
        }
        assert_eq!((attempts, timer.0.load(Ordering::SeqCst)), (20, 600));
        let steps = follower.steps.lock().unwrap();
        assert_eq!(steps.len(), 620, "one each second, and one each attempt");
        assert_eq!((steps[0], steps[29], steps[30]), (Some((30, 600)), Some((1, 571)), None));
    }

    #[tokio::test]
    async fn nothing_else_is_waited_for() {
        let (timer, follower) = (Seconds::default(), Follower::new(600, usize::MAX));
        for may_pass in [None, Some(Passing::Later)] {
            assert!(!Patience::new(&timer, &follower).waits_for(&passing(may_pass)).await);
        }
        assert!(!Patience::new(&timer, &Quiet).waits_for(&passing(Some(Passing::Propagation))).await);
        assert_eq!((follower.count(), timer.0.load(Ordering::SeqCst)), (0, 0));
    }

    #[tokio::test]
    async fn who_stops_does_not_wait_for_the_next_attempt() {
        let (timer, follower) = (Seconds::default(), Follower::new(600, 3));
        assert!(!Patience::new(&timer, &follower).waits_for(&passing(Some(Passing::Propagation))).await);
        assert_eq!(timer.0.load(Ordering::SeqCst), 3);
    }
}
