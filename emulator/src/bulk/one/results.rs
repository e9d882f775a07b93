//! What became of the rows of a batch, and the ids of a query's results (Bulk API guide v66, "Get Batch Results").

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::batch::{Batch, Results, State};
use super::job::{Content, Job};
use super::wire::{NAMESPACE, Problem, Wire, json_answer, xml};
use crate::answer::Answer;
use crate::bulk::csv::write_value;
use crate::bulk::file::{Stored, file_answer, without_last_lines};
use crate::bulk::load::{Outcome, Refusal};
use crate::call::Call;
use crate::faults::Effect;
use crate::oauth::escape_xml;

/// Writes a result for each row.
pub(super) fn write_outcomes(content: Content, outcomes: &[Outcome]) -> Vec<u8> {
    match content {
        Content::Csv => {
            let mut out = b"\"Id\",\"Success\",\"Created\",\"Error\"\n".to_vec();
            outcomes.iter().for_each(|outcome| csv(outcome, &mut out));
            out
        }
        Content::Xml => {
            let rows: String = outcomes.iter().map(xml_result).collect();
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><results xmlns=\"{NAMESPACE}\">{rows}</results>").into()
        }
        Content::Json => json!(outcomes.iter().map(json_result).collect::<Vec<_>>()).to_string().into(),
    }
}

fn csv(outcome: &Outcome, out: &mut Vec<u8>) {
    let values = match outcome {
        Ok(saved) => [saved.id.to_string(), "true".to_owned(), saved.created.to_string(), String::new()],
        Err(refusal) => [String::new(), "false".to_owned(), "false".to_owned(), refusal.in_csv()],
    };
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_value(value, out);
    }
    out.push(b'\n');
}

fn xml_result(outcome: &Outcome) -> String {
    match outcome {
        Ok(saved) => {
            let (id, created) = (saved.id, saved.created);
            format!("<result><id>{id}</id><success>true</success><created>{created}</created></result>")
        }
        Err(Refusal { code, message, fields }) => {
            let fields: String = fields.iter().map(|field| format!("<fields>{}</fields>", escape_xml(field))).collect();
            format!(
                "<result><errors>{fields}<message>{}</message><statusCode>{code}</statusCode></errors>\
                 <success>false</success><created>false</created></result>",
                escape_xml(message)
            )
        }
    }
}

fn json_result(outcome: &Outcome) -> serde_json::Value {
    match outcome {
        Ok(saved) => json!({"success": true, "created": saved.created, "id": saved.id.to_string(), "errors": []}),
        Err(Refusal { code, message, fields }) => {
            let error = json!({"message": message, "fields": fields, "statusCode": code, "extendedErrorDetails": null});
            json!({"success": false, "created": false, "id": null, "errors": [error]})
        }
    }
}

impl Batch {
    fn finished(&self) -> Result<Results, Problem> {
        match self.state() {
            State::Completed(results) | State::Failed { results: Some(results), .. } => Ok(results),
            State::Failed { message, results: None } => Err(Problem::new("InvalidBatch", message)),
            State::Queued | State::InProgress | State::NotProcessed(_) => {
                Err(Problem::new("InvalidBatch", "Batch not completed"))
            }
        }
    }

    /// `GET …/result`: the results of rows, or the ids of a query's results.
    pub(super) fn results_answer(
        &self,
        call: &Call,
        job: &Job,
        wire: Wire,
        effect: Option<&Effect>,
    ) -> Result<Answer, Problem> {
        match self.finished()? {
            Results::Rows(file) => stored(call, job.content(), file, effect),
            Results::Records(files) => {
                let ids = files.iter().map(|(id, _)| id.short());
                Ok(match wire {
                    Wire::Json => json_answer(StatusCode::OK, &json!(ids.collect::<Vec<_>>())),
                    Wire::Xml => {
                        let ids: String = ids.map(|id| format!("<result>{id}</result>")).collect();
                        xml(StatusCode::OK, format!("<result-list xmlns=\"{NAMESPACE}\">{ids}</result-list>"))
                    }
                })
            }
        }
    }

    /// `GET …/result/{resultId}`: the records of a query.
    pub(super) fn result_answer(
        &self,
        call: &Call,
        job: &Job,
        id: &str,
        effect: Option<&Effect>,
    ) -> Result<Answer, Problem> {
        let unknown = || Problem::new("InvalidBatch", format!("Result {id} does not exist in this batch"));
        let Results::Records(files) = self.finished()? else {
            return Err(unknown());
        };
        let named = |known: &crate::ids::RecordId| id == known.short() || id == known.to_string();
        let (_, file) = files.into_iter().find(|(known, _)| named(known)).ok_or_else(unknown)?;
        stored(call, job.content(), file, effect)
    }
}

fn stored(call: &Call, content: Content, file: Arc<Stored>, effect: Option<&Effect>) -> Result<Answer, Problem> {
    let lacking = match effect {
        Some(Effect::ShortPage { rows }) => *rows,
        _ => 0,
    };
    let end = without_last_lines(&file, 0, lacking).map_err(|error| Problem::new("Unknown", error.to_string()))?;
    Ok(file_answer(call, content.media(), Bytes::new(), file, 0..end))
}
