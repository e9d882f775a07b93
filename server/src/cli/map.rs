//! `orgtide map`

mod foreseen;
mod preview;
mod suggest;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use sync::mapping::{Difference, Mapping, differences};

use super::{
    import::read_mappings,
    terminal::{Terminal, short},
};
use crate::{
    app::{
        App,
        mappings::{MappingChange, Rereads},
    },
    error::{Error, Exit},
    store::{journal::Actor, streams::Stream},
};

/// Proposes, checks and changes the mappings of streams, and shows what they were
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide map suggest acme Contact --columns email,surname,company -o contacts.toml
  orgtide map preview acme --file contacts.toml
  orgtide map check acme --file contacts.toml
  orgtide map set acme --file contacts.toml --dry-run
  orgtide map history acme Contact
  orgtide map show acme Contact --version 2
  orgtide map revert acme Contact --version 2")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Suggest(suggest::Arguments),
    Preview(preview::Arguments),
    /// Names every problem of a mapping file, with its place and a suggestion; changes nothing
    #[command(after_help = "Example:\n  orgtide map check acme --file contacts.toml")]
    Check(Given),
    /// Gives streams the mappings of a file, and says what their next runs read anew because of it
    #[command(after_help = "Example:\n  orgtide map set acme --file contacts.toml --note \"the phone as well\"")]
    Set {
        #[command(flatten)]
        given: Given,
        /// Changes nothing
        #[arg(long)]
        dry_run: bool,
        /// Why, for whoever reads the history
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Lists the mappings that a stream has had
    #[command(after_help = "Example:\n  orgtide map history acme Contact")]
    History(Of),
    /// Prints a stream's mapping as a mapping file
    #[command(after_help = "Example:\n  orgtide map show acme Contact > contacts.toml")]
    Show {
        #[command(flatten)]
        of: Of,
        /// One of its earlier versions
        #[arg(long, value_name = "NUMBER")]
        version: Option<i64>,
    },
    /// Compares a stream's mapping with an earlier version, or with a file
    #[command(after_help = "\
Examples:
  orgtide map diff acme Contact
  orgtide map diff acme Contact --version 2
  orgtide map diff acme Contact --file contacts.toml")]
    Diff {
        #[command(flatten)]
        of: Of,
        /// The earlier version [default: the one before the last]
        #[arg(long, value_name = "NUMBER", conflicts_with = "file")]
        version: Option<i64>,
        /// A mapping file that may come to be the next version
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Gives a stream the mapping of an earlier version, as a further one
    #[command(after_help = "Example:\n  orgtide map revert acme Contact --version 2")]
    Revert {
        #[command(flatten)]
        of: Of,
        /// The version
        #[arg(long, value_name = "NUMBER")]
        version: i64,
    },
}

#[derive(Debug, Args)]
struct Given {
    /// The connection's name
    connection: String,
    #[arg(long, value_name = "FILE", help = "A TOML file with one mapping, or several as [[mapping]]")]
    file: PathBuf,
}

#[derive(Debug, Args)]
struct Of {
    /// The connection's name
    connection: String,
    /// An object that was imported, or its table
    stream: String,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    match arguments.action {
        Action::Suggest(arguments) => suggest::run(arguments, app, terminal).await,
        Action::Preview(arguments) => preview::run(arguments, app, terminal).await,
        Action::Check(given) => check(&given, &app, terminal).await,
        Action::Set { given, dry_run, note } => {
            let mut changes = Vec::new();
            for mapping in read_mappings(&given.file)? {
                let actor = &Actor::CommandLine;
                changes.push(app.set_mapping(&given.connection, &mapping, dry_run, actor, note.as_deref()).await?);
            }
            show_changes(&given.connection, &changes, dry_run, terminal);
            Ok(Exit::Done)
        }
        Action::History(of) => history(&of, &app, terminal).await,
        Action::Show { of, version } => {
            let mapping = mapping(&of, version, &app).await?;
            terminal.document(&json!({ "connection": of.connection, "mapping": mapping }));
            let text = toml::to_string(&mapping).map_err(|error| unreadable(&of, error.to_string()))?;
            terminal.say(text.trim_end());
            Ok(Exit::Done)
        }
        Action::Diff { of, version, file } => diff(&of, version, file.as_deref(), &app, terminal).await,
        Action::Revert { of, version } => {
            let mapping = mapping(&of, Some(version), &app).await?;
            let note = format!("as in version {version}");
            let changed = app.set_mapping(&of.connection, &mapping, false, &Actor::CommandLine, Some(&note)).await?;
            show_changes(&of.connection, &[changed], false, terminal);
            Ok(Exit::Done)
        }
    }
}

/// All mappings of the file are checked before the first problem ends the command.
async fn check(given: &Given, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let mut checked = Vec::new();
    let mut is_fine = true;
    for mapping in read_mappings(&given.file)? {
        let problems = match app.check_mapping(&given.connection, &mapping).await {
            Ok(compiled) => {
                compiled.warnings.iter().for_each(|warning| terminal.warning(&warning.to_string()));
                Vec::new()
            }
            Err(Error::Mapping { problems, .. }) => problems,
            Err(error) => return Err(error),
        };
        is_fine &= problems.is_empty();
        let verdict = if problems.is_empty() { "fits the org" } else { "does not fit the org" };
        terminal.say(format!("{}: {verdict}", mapping.object));
        problems.iter().for_each(|problem| terminal.say(format!("  {problem}")));
        let listed = problems.iter().map(
            |problem| json!({ "place": problem.place, "message": problem.message, "suggestion": problem.suggestion }),
        );
        checked.push(json!({ "object": mapping.object, "problems": listed.collect::<Vec<_>>() }));
    }
    terminal.document(&json!({ "connection": given.connection, "ok": is_fine, "mappings": checked }));
    Ok(if is_fine { Exit::Done } else { Exit::Refused })
}

async fn history(of: &Of, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let (stream, versions) = app.mapping_versions(&of.connection, &of.stream).await?;
    let listed = versions.iter().map(|version| {
        json!({ "version": version.version, "at": version.made_at, "by": version.author, "note": version.note })
    });
    let listed: Vec<_> = listed.collect();
    terminal.document(&json!({ "connection": of.connection, "object": stream.object, "versions": listed }));
    let rows = versions.into_iter().map(|version| {
        let note = version.note.unwrap_or_default();
        vec![version.version.to_string(), short(version.made_at), version.author.text(), note]
    });
    terminal.table(&["version", "since", "by", "note"], &[0], rows.collect());
    Ok(Exit::Done)
}

async fn diff(
    of: &Of,
    version: Option<i64>,
    file: Option<&Path>,
    app: &App,
    terminal: &Terminal,
) -> Result<Exit, Error> {
    let (stream, versions) = app.mapping_versions(&of.connection, &of.stream).await?;
    let (was, now) = match file {
        Some(path) => (stream.mapping.clone(), of_stream(path, &stream)?),
        None => {
            let wanted = version.unwrap_or(stream.mapping_version - 1);
            let found = versions.into_iter().find(|known| known.version == wanted);
            let found = found.ok_or_else(|| unreadable(of, format!("it has no version {wanted}")))?;
            (found.mapping, stream.mapping.clone())
        }
    };
    let found = differences(&was, &now);
    terminal.document(&json!({ "connection": of.connection, "object": stream.object, "differences": found }));
    if found.is_empty() {
        terminal.say("no difference");
    }
    found.iter().for_each(|difference| terminal.say(line(difference)));
    Ok(Exit::Done)
}

/// The mapping of a file that is meant for a stream.
fn of_stream(path: &Path, stream: &Stream) -> Result<Mapping, Error> {
    let mappings = read_mappings(path)?;
    let is_meant = |mapping: &Mapping| {
        let table = mapping.table.as_ref().unwrap_or(&mapping.object);
        mapping.object.eq_ignore_ascii_case(&stream.object) && table.eq_ignore_ascii_case(&stream.table)
    };
    let reason = format!("it has no mapping of {} into the table {}", stream.object, stream.table);
    let none = || Error::MappingFile { path: path.to_owned(), reason };
    mappings.into_iter().find(is_meant).ok_or_else(none)
}

fn line(difference: &Difference) -> String {
    match difference {
        Difference::Added { column, now } => format!("+ {column} {now}"),
        Difference::Removed { column, was } => format!("- {column} {was}"),
        Difference::Changed { column, was, now } => format!("~ {column} {was} → {now}"),
        Difference::Setting { key, was, now } => format!("~ {key}: {was} → {now}"),
    }
}

async fn mapping(of: &Of, version: Option<i64>, app: &App) -> Result<Mapping, Error> {
    let (stream, versions) = app.mapping_versions(&of.connection, &of.stream).await?;
    let Some(wanted) = version else { return Ok(stream.mapping) };
    let found = versions.into_iter().find(|known| known.version == wanted);
    found.map(|known| known.mapping).ok_or_else(|| unreadable(of, format!("it has no version {wanted}")))
}

fn unreadable(of: &Of, reason: String) -> Error {
    Error::Unreadable { what: format!("the mapping of {}", of.stream), reason }
}

fn show_changes(connection: &str, changes: &[MappingChange], dry: bool, terminal: &Terminal) {
    terminal.document(&json!({ "connection": connection, "dry_run": dry, "changes": changes }));
    for change in changes {
        let reads = match &change.rereads {
            Rereads::Everything => "everything is read anew".to_owned(),
            Rereads::Columns { columns } => format!("filled in the rows that are there: {}", columns.join(", ")),
            Rereads::Nothing => "nothing is read anew".to_owned(),
        };
        let is = if dry { "would be" } else { "is" };
        terminal.say(format!("{} → {} {is} at version {}; {reads}", change.object, change.table, change.version));
    }
}
