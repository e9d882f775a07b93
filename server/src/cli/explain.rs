//! `orgtide explain`

use clap::Args;
use serde_json::json;

use super::{findings::wrapped, terminal::Terminal};
use crate::{
    config::closest,
    diagnose::{
        Who,
        catalogue::{self, Entry},
    },
    error::{Error, Exit},
};

/// Explains a finding by its code, or lists all codes
///
/// The same as docs/errors.md.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orgtide explain sign-in/unknown-consumer-key")]
pub(super) struct Arguments {
    /// A finding's code [default: all of them, in a line each]
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
