//! Where tests end the process: before any effect that a store has.

use sync::destination::DestinationError;

use super::Outcome;

/// Burns down with each effect. Outside of the tests beside these files there is none.
#[derive(Clone, Default)]
pub(super) struct Fuse {
    #[cfg(test)]
    left: Option<std::sync::Arc<std::sync::atomic::AtomicI64>>,
}

#[cfg(not(test))]
impl Fuse {
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "a kill point of tests")]
    pub(super) fn burn(&self, _place: &str) -> Outcome<()> {
        Ok::<(), DestinationError>(())
    }
}

#[cfg(test)]
impl Fuse {
    /// After this many more effects nothing happens any more.
    pub(super) fn of(effects: i64) -> Self {
        Self { left: Some(std::sync::Arc::new(effects.into())) }
    }

    pub(super) fn burn(&self, place: &str) -> Outcome<()> {
        use std::sync::atomic::Ordering::SeqCst;
        match &self.left {
            Some(left) if left.fetch_sub(1, SeqCst) <= 0 => {
                Err(DestinationError::Unreachable { place: place.to_owned(), reason: "killed".to_owned() })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_burnt(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(std::sync::atomic::Ordering::SeqCst) < 0)
    }
}
