//! What the requests of a client cost, and what the org says of its quota.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    error::ApiError,
    quota::{Governor, Spend},
};

/// Counters shared by all clones of a client, and who admits what they count.
#[derive(Default)]
pub(crate) struct Usage {
    /// `None`: whatever is sent may be sent.
    governor: Option<Arc<dyn Governor>>,
    calls: AtomicU64,
    /// Those among them that made a Bulk job.
    jobs: AtomicU64,
    /// Used and available in the last 24 hours; an available quota of 0 means that the org has not said yet.
    org_used: AtomicU64,
    org_max: AtomicU64,
}

impl Usage {
    pub(crate) fn governed_by(governor: Arc<dyn Governor>) -> Self {
        Self { governor: Some(governor), ..Self::default() }
    }

    /// Counts a request that is about to be sent, if it may be.
    pub(super) async fn spend(&self, spend: Spend) -> Result<(), ApiError> {
        if let Some(governor) = &self.governor {
            governor.admit(spend).await?;
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        if spend == Spend::Job {
            self.jobs.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn note_limits(&self, header: &str) {
        let Some((used, max)) = api_usage(header) else { return };
        self.org_used.store(used, Ordering::Relaxed);
        self.org_max.store(max, Ordering::Relaxed);
        if let Some(governor) = &self.governor {
            governor.heard(used, max);
        }
    }

    pub(crate) fn jobs(&self) -> u64 {
        self.jobs.load(Ordering::Relaxed)
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// `(used, max)`, when the org has said it.
    pub(crate) fn org(&self) -> Option<(u64, u64)> {
        let max = self.org_max.load(Ordering::Relaxed);
        (max > 0).then(|| (self.org_used.load(Ordering::Relaxed), max))
    }
}

/// `api-usage` of `Sforce-Limit-Info`, found by its key among others such as `per-app-api-usage=17/250(appName=x)`
/// (REST guide v66, "Limit Info Header").
fn api_usage(header: &str) -> Option<(u64, u64)> {
    let value = header.split([';', ',']).find_map(|part| part.trim().strip_prefix("api-usage="))?;
    let (used, max) = value.split_once('/')?;
    Some((used.trim().parse().ok()?, max.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Pitfall 24.
    #[test]
    fn api_usage_is_found_by_key_when_a_per_app_part_follows_or_precedes() {
        for header in [
            "api-usage=25/5000",
            "api-usage=25/5000; per-app-api-usage=17/250(appName=sample-connected-app)",
            "per-app-api-usage=17/250(appName=x); api-usage=25/5000",
            "api-bursts=1/2;api-usage=25/5000",
        ] {
            assert_eq!(api_usage(header), Some((25, 5000)), "{header}");
        }
        for header in ["", "api-usage=", "api-usage=x/y", "per-app-api-usage=17/250(appName=x)"] {
            assert_eq!(api_usage(header), None, "{header}");
        }
    }
}
