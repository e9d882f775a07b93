//! What the requests of a client cost, and what the org says of its quota.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters shared by all clones of a client.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    calls: AtomicU64,
    /// Used and available in the last 24 hours; an available quota of 0 means that the org has not said yet.
    org_used: AtomicU64,
    org_max: AtomicU64,
}

impl Usage {
    pub(super) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_limits(&self, header: &str) {
        if let Some((used, max)) = api_usage(header) {
            self.org_used.store(used, Ordering::Relaxed);
            self.org_max.store(max, Ordering::Relaxed);
        }
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
