//! `orgtide map suggest`

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;
use serde_json::json;
use sync::{
    mapping::ColumnMapping,
    suggest::{Draft, Proposal, Suggestion, Wanted},
    table::ColumnType,
};

use crate::{
    app::{App, suggest::Targets},
    cli::terminal::{Terminal, counted},
    error::{Error, Exit},
};

/// Proposes a mapping, with how sure each column is and why; changes nothing
///
/// Names, labels, types and what some 50 records hold are compared. Without columns to fill, every field gets one with a
/// plain name, and fields that are empty in those records are left out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide map suggest acme Contact -o contacts.toml
  orgtide map suggest acme Contact --columns email,surname,company
  orgtide map suggest acme Account --like customers --to postgres://app@db/crm
  orgtide map suggest acme Account --like schema.toml

A schema file names columns and their types (text, integer, decimal, boolean, date, timestamp, time, json):

  [columns]
  email = \"text\"
  employees = \"integer\"")]
pub(super) struct Arguments {
    /// The connection's name
    connection: String,
    /// The object's API name
    object: String,
    /// The columns to fill
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', conflicts_with = "like")]
    columns: Vec<String>,
    /// A table of the destination whose columns are to be filled, or a schema file (.toml)
    #[arg(long, value_name = "TABLE")]
    like: Option<String>,
    // Not as a comment: its brackets are no links and no tags.
    #[arg(
        long,
        value_name = "DESTINATION",
        requires = "like",
        help = "Where that table is [default: sqlite:<data dir>/<connection>.db]"
    )]
    to: Option<String>,
    /// A file that does not exist yet, for the mapping
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Schema {
    columns: BTreeMap<String, ColumnType>,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let Arguments { connection, object, output, .. } = &arguments;
    let draft = app.suggest_mapping(connection, object, &targets(&arguments)?).await?;
    let text = text(&draft);
    if let Some(path) = output {
        write(path, &text)?;
    }
    terminal.document(&json!({
        "connection": connection,
        "file": output,
        "sampled": draft.sampled,
        "mapping": draft.mapping,
        "suggestions": draft.suggestions,
        "left_out": draft.left_out,
    }));
    match output {
        None => terminal.say(text.trim_end()),
        Some(path) => {
            let columns = counted(draft.mapping.columns.len() as u64, "column");
            terminal.say(format!("{columns} in {}", path.display()));
            terminal.say(format!("try it with: orgtide map preview {connection} --file {}", path.display()));
        }
    }
    Ok(Exit::Done)
}

fn targets(arguments: &Arguments) -> Result<Targets, Error> {
    let Some(like) = &arguments.like else {
        let names = arguments.columns.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        let wanted: Vec<Wanted> = names.map(|name| Wanted { name: name.to_owned(), kind: None }).collect();
        return Ok(if wanted.is_empty() { Targets::Anything } else { Targets::Columns(wanted) });
    };
    let path = Path::new(like);
    if path.extension().is_none_or(|extension| extension != "toml") {
        return Ok(Targets::Table { table: like.clone(), destination: arguments.to.clone() });
    }
    let unusable = |reason: String| Error::Unreadable { what: format!("the schema file {like}"), reason };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let schema: Schema = toml::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let wanted = schema.columns.into_iter().map(|(name, kind)| Wanted { name, kind: Some(kind) });
    Ok(Targets::Columns(wanted.collect()))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Error::Unwritable { path: path.to_owned(), reason: error.to_string() })
}

/// The mapping file. What is not sure, and why something is proposed, stands in comments.
fn text(draft: &Draft) -> String {
    let mut out = format!("# Proposed by names, labels, types and {}.\n", counted(draft.sampled as u64, "record"));
    out.push_str(&format!("object = {:?}\n", draft.mapping.object));
    if !draft.left_out.is_empty() {
        out.push_str(&format!("\n# Left out, for they are empty in those records: {}\n", draft.left_out.join(", ")));
    }
    if draft.suggestions.is_empty() {
        draft.mapping.columns.iter().for_each(|plain| out.push_str(&column(plain, "")));
    }
    draft.suggestions.iter().for_each(|suggestion| out.push_str(&suggested(suggestion)));
    out
}

fn suggested(suggestion: &Suggestion) -> String {
    let why = |proposal: &Proposal| format!("{} %: {}", proposal.confidence, proposal.because.join(", "));
    let mut out = match (&suggestion.proposed, suggestion.column()) {
        (Some(proposal), Some(proposed)) => column(&proposed, &format!("# {}\n", why(proposal))),
        _ => format!("\n# No field fits {:?} well.\n", suggestion.column),
    };
    for other in &suggestion.perhaps {
        out.push_str(&format!("# Perhaps {}: {}\n", other.field, why(other)));
    }
    out
}

fn column(column: &ColumnMapping, why: &str) -> String {
    let text = toml::to_string(column).expect("a field, a name and a type are plain data");
    format!("\n{why}[[columns]]\n{text}")
}
