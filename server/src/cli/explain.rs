//! `orgtide explain`

use clap::Args;
use salesforce::{OAuthError, oauth::read_error_page};
use serde_json::json;

use super::{
    findings::{block, wrapped},
    terminal::Terminal,
};
use crate::{
    config::closest,
    diagnose::{
        Who,
        catalogue::{self, Entry},
        of_error::of_oauth,
    },
    error::{Error, Exit},
};

/// Explains a finding by its code or a page of Salesforce's, or lists all codes
///
/// The codes are those of docs/errors.md. Some refusals end on a page of Salesforce's that leads nobody back: copy its
/// address, its words, or the text of the file that the browser saved.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide explain sign-in/unknown-consumer-key
  orgtide explain 'error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration'")]
pub(super) struct Arguments {
    /// A finding's code, or what an error page of Salesforce's says [default: all codes, in a line each]
    code: Option<String>,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, Error> {
    let all = catalogue::all();
    let Some(code) = &arguments.code else {
        terminal.document(&json!({ "findings": all.iter().map(document).collect::<Vec<_>>() }));
        let rows = all.iter().filter(|entry| !entry.cause.is_empty());
        rows.for_each(|entry| terminal.say(wrapped(&format!("{:<40}", entry.code()), entry.cause)));
        return Ok(Exit::Done);
    };
    let Some(entry) = all.iter().find(|entry| entry.code() == *code || entry.name == code) else {
        if let Some(refusal) = read_error_page(code) {
            let finding = of_oauth(&OAuthError::Refused(Box::new(refusal)));
            terminal.document(&json!({ "findings": [finding] }));
            terminal.say(block(&finding));
            return Ok(Exit::Done);
        }
        let codes: Vec<String> = all.iter().map(Entry::code).collect();
        let near = closest(code, codes.iter().map(String::as_str));
        let reason = match near {
            Some(near) => format!("there is no such code; did you mean {near}?"),
            None => "there is no such code; `orgtide explain` lists them".to_owned(),
        };
        return Err(Error::Unreadable { what: code.clone(), reason });
    };
    terminal.document(&document(entry));
    terminal.say(entry.code());
    let say = |label: &str, text: &str| terminal.say(wrapped(&format!("  {label:<12}"), text));
    if !entry.cause.is_empty() {
        say("why", entry.cause);
    }
    if !entry.remedy.is_empty() {
        say("what to do", entry.remedy);
    }
    if entry.who != Who::Nobody {
        say("who", &entry.who.to_string());
    }
    if let Some(place) = entry.place {
        say("in Setup", &format!("{} (Quick Find: {})", place.path, place.quick_find));
    }
    if let Some(passing) = entry.may_pass {
        say("may pass", &passing.to_string());
    }
    if entry.is_essential {
        say("note", "while this is so, `orgtide connect` saves nothing");
    }
    Ok(Exit::Done)
}

fn document(entry: &Entry) -> serde_json::Value {
    json!({
        "code": entry.code(),
        "layer": entry.layer,
        "severity": entry.severity,
        "cause": entry.cause,
        "remedy": entry.remedy,
        "setup": entry.place.map(|place| json!({ "path": place.path, "quick_find": place.quick_find })),
        "who": entry.who,
        "may_pass": entry.may_pass,
        "is_essential": entry.is_essential,
    })
}
