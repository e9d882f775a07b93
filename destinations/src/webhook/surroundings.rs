//! What a webhook needs of the program around it: who may be reached, by which way, and the time.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use sync::Timestamp;
use url::Url;

use super::network::Policy;

/// Time as a webhook sees it. The product takes the machine's; a test decides itself what passes.
pub trait Clock: Send + Sync {
    /// The present moment, for a message's signature.
    fn now(&self) -> Timestamp;

    /// Completes when the wait before another attempt is over.
    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()>;

    /// Completes when a receiver has had so long to answer.
    fn time_out(&self, limit: Duration) -> BoxFuture<'_, ()>;
}

/// The machine's clock and the runtime's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuntimeClock;

impl Clock for RuntimeClock {
    #[allow(clippy::disallowed_methods, reason = "a receiver holds the signature's time against its own clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(wait))
    }

    fn time_out(&self, limit: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(limit))
    }
}

/// What a webhook needs of the program around it. By default: public addresses alone, and the machine's clock.
#[derive(Clone)]
pub struct Surroundings {
    pub policy: Policy,
    /// Further certificate authorities, PEM bundles.
    pub extra_ca_pem: Vec<String>,
    /// A proxy for webhooks. The environment's proxy variables are not read.
    pub proxy: Option<Url>,
    pub clock: Arc<dyn Clock>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { policy: Policy::default(), extra_ca_pem: Vec::new(), proxy: None, clock: Arc::new(RuntimeClock) }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Surroundings").field("policy", &self.policy).finish_non_exhaustive()
    }
}
