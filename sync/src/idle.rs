//! Whether an org has calls to spare.

use salesforce::Client;

/// True while less of the org's daily API calls is used than this, in percent, by what its last answer said. True where it
/// has said nothing yet.
pub fn is_idle(client: &Client, below_percent: u64) -> bool {
    let usage = client.usage();
    match (usage.org_used, usage.org_max) {
        (Some(used), Some(max)) => used.saturating_mul(100) < max.saturating_mul(below_percent),
        (None, _) | (_, None) => true,
    }
}
