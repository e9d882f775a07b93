//! A sandbox that is refreshed: another org, copied from the one it belongs to.

use std::path::PathBuf;
use std::sync::Arc;

use super::system::SystemRows;
use super::{Org, PopulateError};
use crate::database::Database;
use crate::ids::RecordId;
use crate::scenario::Setup;
use crate::table::IdRange;
use crate::value::Timestamp;

/// What an org tells of itself alone; a copy begins without it.
const NOT_COPIED: [&str; 2] = ["Organization", "LoginHistory"];

impl Org {
    /// A copy of the org as it is now, with its records and their ids, in the place of its sandbox `replaced`. It has
    /// another id, the same hosts, the users of this org with the sandbox's name behind theirs, and no sessions or grants.
    ///
    /// Source: Salesforce Help, "Refresh Your Sandbox" and "Sandbox Setup Considerations".
    pub(crate) fn copied_into(
        &self,
        name: &str,
        id: &str,
        replaced: &Self,
        spool: Option<PathBuf>,
    ) -> Result<Arc<Self>, PopulateError> {
        let setup = self.configuration.saved();
        let scenario = self.scenario.refreshed_sandbox(&setup, name, id)?;
        let id = RecordId::parse(&scenario.org.id)?;
        let mut database = Database::copied(self.snapshot(), scenario.seed);
        for object in NOT_COPIED {
            forget_rows(&mut database, object);
        }
        let system = SystemRows::default();
        system.start(&mut database, &scenario, id, Timestamp::from(self.now()))?;
        let withheld = setup.withheld.clone();
        replaced.configuration.restart(Setup { withheld, ..scenario.setup() });
        let configuration = Arc::clone(&replaced.configuration);
        let shared = Arc::clone(&self.shared);
        Ok(Self::of(scenario, id, configuration, shared, replaced.is_primary, spool, (database, system)))
    }

    /// Ends whatever goes on in an org that is there no longer.
    pub(crate) fn end(&self) {
        self.sessions.end_all();
        self.jobs.abort_all(self.now());
    }
}

fn forget_rows(database: &mut Database, object: &str) {
    let Some((index, _)) = database.schema().find(object) else { return };
    let ids: Vec<RecordId> = database.current().table(index).scan(IdRange::ALL).map(|row| row.id()).collect();
    ids.into_iter().for_each(|id| database.forget(id));
}
