//! `POST /job` and `POST /job/{id}`: creating, closing and aborting jobs.

use std::sync::Arc;

use http::StatusCode;
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value as Json;

use super::chunking::Chunking;
use super::job::{Concurrency, Content, Job, Order, Purpose, State};
use super::wire::{Problem, Wire};
use crate::answer::Answer;
use crate::bulk::fate::Fate;
use crate::bulk::load::Operation;
use crate::bulk::query::Operation as Read;
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;
use crate::rest::Caller;
use crate::schema::Access;

/// A job's description has a dozen elements.
const MOST_NODES: u32 = 1_000;

/// The texts of a job's description by name.
struct Wanted(Vec<(String, String)>);

impl Wanted {
    fn read(call: &Call, wire: Wire) -> Result<Self, Problem> {
        match wire {
            Wire::Json => Self::of_json(&call.body),
            Wire::Xml => Self::of_xml(&call.body),
        }
    }

    fn of_json(body: &[u8]) -> Result<Self, Problem> {
        let unreadable = |message: String| Problem::new("ClientInputError", message);
        let json: Json = serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
        let object = json.as_object().ok_or_else(|| unreadable("A job is a JSON object".to_owned()))?;
        let text = |(name, value): (&String, &Json)| Some((name.clone(), value.as_str()?.to_owned()));
        Ok(Self(object.iter().filter_map(text).collect()))
    }

    fn of_xml(body: &[u8]) -> Result<Self, Problem> {
        let invalid = |message: String| Problem::new("InvalidXML", message);
        let text = std::str::from_utf8(body).map_err(|error| invalid(error.to_string()))?;
        let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text.trim_start_matches('\u{feff}'), options)
            .map_err(|error| invalid(error.to_string()))?;
        let root = document.root_element();
        if root.tag_name().name() != "jobInfo" {
            return Err(invalid(format!("jobInfo is expected, not {}", root.tag_name().name())));
        }
        let entry = |node: Node<'_, '_>| {
            let text: String = node.children().filter_map(|piece| piece.text()).collect();
            (node.tag_name().name().to_owned(), text.trim().to_owned())
        };
        Ok(Self(root.children().filter(Node::is_element).map(entry).collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let (_, text) = self.0.iter().find(|(known, _)| known == name)?;
        Some(text.as_str()).filter(|text| !text.is_empty())
    }

    /// A word of a closed set.
    fn choice<T: serde::de::DeserializeOwned>(&self, name: &str, code: &'static str) -> Result<Option<T>, Problem> {
        let Some(word) = self.get(name) else {
            return Ok(None);
        };
        let choice = serde_json::from_value(Json::String(word.to_owned()));
        choice.map(Some).map_err(|_| Problem::new(code, format!("{name} has no value {word}")))
    }
}

impl Org {
    pub(super) fn create_job_one(
        &self,
        call: &Call,
        caller: &Caller,
        wire: Wire,
        effect: Option<&Effect>,
    ) -> Result<Answer, Problem> {
        let wanted = Wanted::read(call, wire)?;
        if wanted.get("contentType").is_some_and(|content| content.starts_with("ZIP_")) {
            return Err(Problem::new("FeatureNotEnabled", "Binary attachments are not available in this org"));
        }
        let content: Option<Content> = wanted.choice("contentType", "InvalidJob")?;
        let concurrency: Option<Concurrency> = wanted.choice("concurrencyMode", "InvalidJob")?;
        let order = Order {
            purpose: self.purpose(call, caller, &wanted)?,
            content: content.unwrap_or_default(),
            concurrency: concurrency.unwrap_or_default(),
            assignment_rule: wanted.get("assignmentRuleId").map(str::to_owned),
            version: caller.version,
            fate: Fate::of(effect, self.now()),
        };
        let job = Arc::new(Job::new(self.jobs.next_job_id(), self.now(), order));
        self.jobs.one.add(Arc::clone(&job));
        Ok(wire.object(StatusCode::CREATED, "jobInfo", &job.items()))
    }

    fn purpose(&self, call: &Call, caller: &Caller, wanted: &Wanted) -> Result<Purpose, Problem> {
        let required = |name: &'static str| {
            wanted.get(name).ok_or_else(|| Problem::new("InvalidJob", format!("The job has no {name}")))
        };
        let (word, object) = (required("operation")?, required("object")?);
        let operation = match word {
            "query" => return self.selection(call, caller, Read::Query, object),
            "queryAll" => return self.selection(call, caller, Read::QueryAll, object),
            _ => wanted.choice::<Operation>("operation", "InvalidOperation")?.unwrap_or(Operation::Insert),
        };
        let key = wanted.get("externalIdFieldName").map(str::to_owned);
        let target = self.bulk_target(caller, object, operation, key);
        target.map(Purpose::Load).map_err(|refused| Problem::new(refused.code, refused.message))
    }

    fn selection(&self, call: &Call, caller: &Caller, operation: Read, object: &str) -> Result<Purpose, Problem> {
        let snapshot = self.snapshot();
        let known = snapshot.schema().find(object).filter(|(_, object)| caller.access.reads(object));
        let Some((_, known)) = known else {
            return Err(Problem::new("InvalidJob", format!("Unable to find object: {object}")));
        };
        if !known.can.bulk || self.refuse_object(&known.name).is_err() {
            let message = format!("Entity '{}' is not supported by the Bulk API.", known.name);
            return Err(Problem::new("InvalidEntity", message));
        }
        let chunking = call.header("sforce-enable-pkchunking").map(Chunking::read).transpose()?.flatten();
        let (user, access, object) = (caller.user_id, caller.access.clone(), known.name.clone());
        Ok(Purpose::Select { operation, object, user, access, chunking })
    }

    /// Closes or aborts a job. The texts of refusals are inferred.
    pub(super) fn change_job_one(&self, call: &Call, job: &Job) -> Result<(), Problem> {
        let wanted = Wanted::read(call, Wire::of(call, Some(job)))?;
        match (wanted.get("state"), job.state()) {
            (Some("Closed"), State::Open) => {
                job.close(self.now());
                Ok(())
            }
            (Some("Aborted"), State::Open | State::Closed) => {
                job.abort(self.now());
                Ok(())
            }
            (Some(word @ ("Closed" | "Aborted")), state) => {
                let message = format!("A job in the state {} cannot become {word}", state.name());
                Err(Problem::new("InvalidJobState", message))
            }
            _ => Err(Problem::new("InvalidJobState", "The state of a job can be set to Closed or Aborted")),
        }
    }
}
