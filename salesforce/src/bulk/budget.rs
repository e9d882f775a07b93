//! How many bytes of result pages may wait for the reader.

use std::{num::NonZeroUsize, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Bytes that wait, split between the page that is being read and the pages behind it.
///
/// With one pot for all, the pages behind could fill it while the page that is being read waits for room, and nothing
/// would ever move. So the page being read has a share of its own, and what it took before it was its turn comes free
/// as it is read.
pub(super) struct Budget {
    reading: Share,
    ahead: Share,
    /// The number of the page that is being read.
    turn: watch::Sender<usize>,
}

struct Share {
    bytes: Arc<Semaphore>,
    size: usize,
}

/// Room for one piece; given back when dropped.
pub(super) struct Room {
    _permit: OwnedSemaphorePermit,
}

impl Share {
    fn new(size: usize) -> Self {
        let size = size.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { bytes: Arc::new(Semaphore::new(size)), size }
    }

    /// Waits for room. A piece larger than the whole share waits until the share is empty.
    async fn room(&self, bytes: usize) -> Room {
        let wanted = bytes.min(self.size) as u32;
        let permit = Arc::clone(&self.bytes).acquire_many_owned(wanted).await;
        Room { _permit: permit.expect("the semaphore is never closed") }
    }
}

impl Budget {
    pub(super) fn new(bytes: NonZeroUsize) -> Self {
        let reading = bytes.get() / 4;
        Self { reading: Share::new(reading), ahead: Share::new(bytes.get() - reading), turn: watch::Sender::new(0) }
    }

    /// Page number `page` is being read from now on.
    pub(super) fn begin(&self, page: usize) {
        self.turn.send_replace(page);
    }

    /// Waits for room for a piece of page number `page`.
    pub(super) async fn room(&self, page: usize, bytes: usize) -> Room {
        let mut turn = self.turn.subscribe();
        // What `wait_for` returns is a lock, which must not be held while waiting for room.
        let is_my_turn = async { drop(turn.wait_for(|reading| *reading >= page).await) };
        tokio::select! {
            biased;
            () = is_my_turn => self.reading.room(bytes).await,
            room = self.ahead.room(bytes) => room,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn pages_behind_cannot_starve_the_page_that_is_read() {
        let budget = Budget::new(NonZeroUsize::new(400).unwrap());
        let held = budget.room(1, 300).now_or_never().expect("room ahead");
        assert!(budget.room(2, 1).now_or_never().is_none(), "nothing is left ahead");
        assert!(budget.room(0, 100).now_or_never().is_some(), "the page being read has its share");
        drop(held);
        assert!(budget.room(2, 1).now_or_never().is_some(), "room comes back");
    }

    #[test]
    fn a_page_whose_turn_comes_while_it_waits_goes_on() {
        let budget = Budget::new(NonZeroUsize::new(400).unwrap());
        let _held = budget.room(2, 300).now_or_never().expect("room ahead");
        let mut waiting = Box::pin(budget.room(1, 50));
        assert!(waiting.as_mut().now_or_never().is_none());
        budget.begin(1);
        assert!(waiting.now_or_never().is_some());
    }

    #[test]
    fn a_piece_larger_than_the_budget_is_let_through_alone() {
        let budget = Budget::new(NonZeroUsize::new(1).unwrap());
        let held = budget.room(0, 1_000_000).now_or_never().expect("alone");
        assert!(budget.room(0, 1).now_or_never().is_none());
        drop(held);
        assert!(budget.room(0, 1).now_or_never().is_some());
    }
}
