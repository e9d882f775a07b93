//! Settings that are copied from one connection to another.

use serde_json::json;
use sync::{mapping::Mapping, read::ReadChoice};

use super::{
    Store,
    connections::Connection,
    database::{Change, Committed, DatabaseError},
    error::StoreError,
    fresh_id,
    journal::Actor,
    schedules::{self, Plan},
    streams::{Stream, choice_name, place},
};
use crate::schedule::when::Schedule;

/// A stream's settings, for another connection.
#[derive(Debug, Clone)]
pub struct PromotedSettings {
    /// The stream that they are copied from.
    pub source_id: String,
    pub object: String,
    pub table: String,
    pub destination: String,
    pub mapping: Mapping,
    pub read: ReadChoice,
    pub schedule: Schedule,
    pub is_paused: bool,
    pub target: Target,
}

/// What they are copied to.
#[derive(Debug, Clone)]
pub enum Target {
    New,
    /// As it was when that was decided.
    Existing {
        stream: Box<Stream>,
        plan: Plan,
    },
}

impl PromotedSettings {
    pub fn is_at_same_place(&self, other: &Self) -> bool {
        self.destination == other.destination
            && place(&self.table, &self.mapping) == place(&other.table, &other.mapping)
    }
}

impl Store {
    /// Saves settings that are copied from the connection named `from`: all of them or none.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`] when a stream was made, or changed, in between.
    pub async fn save_promoted(
        &self,
        to: &Connection,
        from: &str,
        all: &[PromotedSettings],
        actor: &Actor,
    ) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        for settings in all {
            changes.extend(match &settings.target {
                Target::New => self.added(to, from, settings, actor),
                Target::Existing { stream, plan } => self.changed(from, settings, (stream, plan), actor),
            });
        }
        let objects: Vec<&str> = all.iter().map(|settings| settings.object.as_str()).collect();
        let detail = json!({ "from": from, "objects": objects });
        changes.push(self.entry(Some(&to.name), actor, "settings-promoted", &detail));
        match self.database.commit(changes).await {
            Ok(Committed::Done(_)) => Ok(()),
            Ok(Committed::Undone) | Err(DatabaseError::Taken) => {
                Err(StoreError::NameTaken { kind: "table", name: objects.join(", ") })
            }
            Err(error) => Err(error.unexpected()),
        }
    }

    fn added(&self, to: &Connection, from: &str, settings: &PromotedSettings, actor: &Actor) -> Vec<Change> {
        const ADD: &str = "INSERT INTO streams (id, connection_id, destination, object, place, table_name, mapping, \
             mapping_version, read_mode, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9)";
        let (id, now) = (fresh_id("str"), self.clock.now());
        let mapping = document(&settings.mapping);
        let values = vec![
            (&id).into(),
            (&to.id).into(),
            (&settings.destination).into(),
            (&settings.object).into(),
            place(&settings.table, &settings.mapping).into(),
            (&settings.table).into(),
            (&mapping).into(),
            choice_name(settings.read).into(),
            now.into(),
        ];
        let plan = Plan {
            next_at: settings.schedule.next(now, &id),
            schedule: settings.schedule.clone(),
            paused: settings.is_paused,
            ..Plan::default()
        };
        let version = self.version_from(&id, 1, mapping, from, actor);
        vec![Change::exactly_one(ADD, values), version, schedules::save(&id, &plan)]
    }

    fn changed(
        &self,
        from: &str,
        settings: &PromotedSettings,
        (stream, plan): (&Stream, &Plan),
        actor: &Actor,
    ) -> Vec<Change> {
        const CHANGE: &str = "UPDATE streams SET mapping = $2, mapping_version = $3, read_mode = $4 \
             WHERE id = $1 AND mapping_version = $5";
        let (id, now) = (&stream.id, self.clock.now());
        let is_other_mapping = stream.mapping != settings.mapping;
        let version = stream.mapping_version + i64::from(is_other_mapping);
        let mapping = document(&settings.mapping);
        let values = [
            id.into(),
            (&mapping).into(),
            version.into(),
            choice_name(settings.read).into(),
            stream.mapping_version.into(),
        ];
        let mut changes = vec![Change::exactly_one(CHANGE, values)];
        if is_other_mapping {
            changes.push(self.version_from(id, version, mapping, from, actor));
        }
        if plan.schedule != settings.schedule || plan.paused != settings.is_paused {
            let plan = Plan {
                next_at: settings.schedule.next(now, id),
                schedule: settings.schedule.clone(),
                paused: settings.is_paused,
                failures: 0,
                trouble: None,
                wanted_at: plan.wanted_at,
            };
            changes.push(schedules::save(id, &plan));
        }
        changes
    }

    fn version_from(&self, id: &str, version: i64, mapping: String, from: &str, actor: &Actor) -> Change {
        const KEEP: &str = "INSERT INTO mapping_versions (stream_id, version, mapping, author, note, made_at) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        let note = format!("promoted from {from}");
        let values =
            [id.into(), version.into(), mapping.into(), actor.text().into(), note.into(), self.clock.now().into()];
        Change::new(KEEP, values)
    }
}

fn document(mapping: &Mapping) -> String {
    serde_json::to_string(mapping).expect("a mapping is plain data")
}
