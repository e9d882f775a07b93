//! An import that begins by itself when a connection is saved.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sync::{mapping::Mapping, read::ReadChoice};

use super::Prepared;
use crate::{
    app::{App, import::ImportRequest},
    error::Error,
    schedule::when::Schedule,
    store::{connections::Connection, journal::Actor, schedules::Plan, streams::Stream},
};

/// What is imported as soon as a connection is saved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FirstImport {
    /// API names, such as Account; every field that the user may read becomes a column.
    pub objects: Vec<String>,
    /// When they are brought up to date afterwards.
    pub schedule: Schedule,
}

impl FirstImport {
    /// Objects as people write them: separated by commas or spaces.
    pub fn read_objects(written: &str) -> Vec<String> {
        let names = written.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }
}

impl App {
    /// Remembers what is to be imported first, so that the next process that serves takes it. Returns what a person should
    /// know: an object that cannot be imported does not undo the connection.
    pub(super) async fn begin_first_import(&self, prepared: &Prepared, connection: &Connection) -> Vec<String> {
        let wanted = self.first_import(prepared);
        let mut warnings = Vec::new();
        for object in &wanted.objects {
            let begun = self.plan_first_run(connection, object, &wanted.schedule, &prepared.request.actor).await;
            if let Err(error) = begun {
                warnings.push(format!("{object} is not imported: {error}"));
            }
        }
        warnings
    }

    /// What the person asked for, or else what the configured client app says.
    fn first_import(&self, prepared: &Prepared) -> FirstImport {
        let asked = &prepared.request.first_import;
        let app = prepared.app.configured.as_deref().and_then(|name| self.config.client_apps.find(name));
        match app {
            Some(app) if asked.objects.is_empty() => app.first_import.clone(),
            Some(_) | None => asked.clone(),
        }
    }

    /// A stream that is there already keeps its schedule and its place.
    async fn plan_first_run(
        &self,
        connection: &Connection,
        object: &str,
        schedule: &Schedule,
        actor: &Actor,
    ) -> Result<(), Error> {
        let streams = self.store.streams(&connection.id).await?;
        if streams.iter().any(|stream| stream.object.eq_ignore_ascii_case(object)) {
            return Ok(());
        }
        let request = ImportRequest {
            connection: connection.name.clone(),
            mappings: vec![Mapping { object: object.to_owned(), ..Mapping::default() }],
            destination: None,
            read: ReadChoice::Auto,
        };
        let now = self.clock.now();
        let plan = |(stream, _): (Stream, _)| {
            let next_at = schedule.next(now, &stream.id);
            (stream.id, Plan { schedule: schedule.clone(), next_at, wanted_at: Some(now), ..Plan::default() })
        };
        let plans: Vec<_> = self
            .remember_streams(connection, &self.client(connection), &request)
            .await?
            .into_iter()
            .map(plan)
            .collect();
        let detail = json!({ "objects": [object], "schedule": schedule.to_string() });
        Ok(self.store.save_plans(connection, &plans, actor, "streams-scheduled", &detail).await?)
    }
}
