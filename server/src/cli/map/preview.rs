//! `orgtide map preview`

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use sync::{
    mapping::Mapping,
    preview::{Looked, Previewed, Unfit, Verdict},
};

use super::foreseen;

use crate::{
    app::{
        App,
        preview::{Preview, PreviewedColumn, PreviewedRecord},
    },
    cli::{
        export,
        import::read_mappings,
        terminal::{Terminal, counted, error_document},
    },
    error::{Error, Exit},
};

/// Reads a few records and shows what the mapping makes of each; writes nothing
///
/// Without a file it is the mapping of the object's stream; before an import, the one that takes every field. Where a mapping
/// has a `match` section, each record is looked up in your table, and what it would fill there is shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide map preview acme Contact
  orgtide map preview acme --file contacts.toml --records 3
  orgtide map preview acme --file contacts.toml --to \"postgres://sync@db.example/crm\"
  orgtide map preview acme Contact --id 0035g00000ABCDEAA4")]
pub(super) struct Arguments {
    /// The connection's name
    connection: String,
    /// An object, or the table of a stream; with a file, which of its mappings
    #[arg(required_unless_present = "file")]
    object: Option<String>,
    #[arg(long, value_name = "FILE", help = "A TOML file with one mapping, or several as [[mapping]]")]
    file: Option<PathBuf>,
    /// So many of the first records
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=200))]
    records: u64,
    /// The record of this Id instead; may be repeated
    #[arg(long = "id", value_name = "ID", conflicts_with = "records")]
    ids: Vec<String>,
    // Not as a comment: its brackets are no links and no tags.
    #[arg(
        long,
        value_name = "DESTINATION",
        help = "Where the table of a match section is [default: where the stream's rows go]"
    )]
    to: Option<String>,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let looked = if arguments.ids.is_empty() { Looked::First(arguments.records) } else { Looked::Ids(&arguments.ids) };
    let mut previews = Vec::new();
    for mapping in mappings(&arguments, &app).await? {
        previews.push(app.preview(&arguments.connection, &mapping, looked, arguments.to.as_deref()).await?);
    }
    let documents: Vec<Value> = previews.iter().map(document).collect();
    terminal.document(&json!({ "connection": arguments.connection, "previews": documents }));
    for preview in &previews {
        preview.warnings.iter().for_each(|warning| terminal.warning(&warning.to_string()));
        show(preview, terminal);
    }
    Ok(Exit::Done)
}

async fn mappings(arguments: &Arguments, app: &App) -> Result<Vec<Mapping>, Error> {
    let Arguments { connection, object, file, .. } = arguments;
    match (file, object) {
        (None, object) => {
            let object = object.as_deref().unwrap_or_default();
            Ok(vec![app.mapping_of_object(connection, object).await?])
        }
        (Some(path), None) => read_mappings(path),
        (Some(path), Some(object)) => {
            let mut mappings = read_mappings(path)?;
            mappings.retain(|mapping| {
                let names = [Some(&mapping.object), mapping.table.as_ref()];
                names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(object))
            });
            let reason = format!("it has no mapping of {object}");
            if mappings.is_empty() { Err(Error::MappingFile { path: path.clone(), reason }) } else { Ok(mappings) }
        }
    }
}

fn document(preview: &Preview) -> Value {
    let mut document = json!(preview);
    if let Some(error) = preview.matched_with.as_ref().and_then(|matched_with| matched_with.error.as_ref()) {
        document["match"]["error"] = error_document(error);
    }
    document
}

fn show(preview: &Preview, terminal: &Terminal) {
    let is_ready = |record: &&PreviewedRecord| matches!(record.previewed.verdict, Verdict::Ready { .. });
    let ready = preview.records.iter().filter(is_ready).count();
    let rejected = preview.records.len() - ready;
    let records = counted(preview.records.len() as u64, "record");
    terminal.say(format!("{} → {}: {records}, {ready} ready, {rejected} rejected", preview.object, preview.table));
    if let Some(matched_with) = &preview.matched_with {
        foreseen::summary(preview, matched_with, terminal);
    }
    for record in &preview.records {
        terminal.say("");
        show_record(&preview.columns, &record.previewed, terminal);
        if let (Some(matched_with), Some(foreseen)) = (&preview.matched_with, &record.foreseen) {
            foreseen::show(foreseen, matched_with, terminal);
        }
    }
    preview.not_found.iter().for_each(|id| terminal.say(format!("{id}: there is no such record for this mapping")));
}

fn show_record(columns: &[PreviewedColumn], record: &Previewed, terminal: &Terminal) {
    let id = &record.record_id;
    match &record.verdict {
        Verdict::Ready { row, misfits } => {
            terminal.say(format!("{id} is ready"));
            let lines: Vec<Vec<String>> = columns
                .iter()
                .map(|column| (column, row.get(&column.name).unwrap_or(&Value::Null)))
                .filter(|(column, cell)| !cell.is_null() || has_value(column, record))
                .map(|(column, cell)| vec![format!("  {}", column.name), from(column, record), export::text(cell)])
                .collect();
            let empty = columns.len() - lines.len();
            terminal.table(&["  column", "from", "becomes"], &[], lines);
            if empty > 0 {
                terminal.say(format!("  empty: {}", counted(empty as u64, "column")));
            }
            for Unfit { field, raw } in misfits {
                terminal.say(format!("  {field}: {raw:?} fits no cell, which is null"));
            }
        }
        Verdict::Rejected { problems } => {
            terminal.say(format!("{id} is rejected"));
            problems.iter().for_each(|problem| terminal.say(format!("  {}: {}", problem.column, problem.message)));
            let read = record.record.iter().filter(|(_, value)| !value.is_null());
            let lines = read.map(|(field, value)| vec![format!("  {field}"), export::text(value)]);
            terminal.table(&["  field", "value"], &[], lines.collect());
        }
    }
}

fn has_value(column: &PreviewedColumn, record: &Previewed) -> bool {
    column.from.iter().any(|path| record.record.get(path).is_some_and(|value| !value.is_null()))
}

/// `LastName: Moss`, each field that the column is made of.
fn from(column: &PreviewedColumn, record: &Previewed) -> String {
    let part = |path: &String| format!("{path}: {}", record.record.get(path).map(export::text).unwrap_or_default());
    column.from.iter().map(part).collect::<Vec<_>>().join(", ")
}
