//! `orgtide import`

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use serde::Deserialize;
use sync::{
    mapping::{ColumnMapping, Mapping},
    read::ReadChoice,
    table::DeleteMode,
};

use super::{
    progress::{Bars, show_outcomes},
    stop_signal,
    terminal::Terminal,
};
use crate::{
    app::{
        App,
        import::{ImportRequest, Watcher},
        schedules::Decision,
    },
    error::{Error, Exit},
    schedule::when::Schedule,
    store::journal::Actor,
};

pub(super) const STOPPING: &str = "Stopping at the next checkpoint; Ctrl-C again stops at once.";

/// Imports objects whole into a database, and remembers them for `orgtide sync`
///
/// Every field that the user may read becomes a column, unless --fields or a mapping file says otherwise. An import
/// that was interrupted goes on where it stopped. Two runs of the same object never run at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide import acme Account Contact --every 15m
  orgtide import acme Contact --fields Id,Email --where \"Email != null\" --to mails.db
  orgtide import acme Contact --to \"postgres://sync@db.example/crm?schema=acme\"
  orgtide import acme Contact --to parquet:/data/crm
  orgtide import acme Contact --to \"csv:/data/crm?compress=gzip\"
  orgtide import acme Contact --to webhook:https://hooks.example.com/acme
  orgtide import acme --mapping contacts.toml --deletes remove")]
pub(super) struct Arguments {
    #[command(flatten)]
    what: What,
    /// When they are brought up to date afterwards, such as 15m or hourly: see `orgtide schedule`
    #[arg(long, value_name = "WHEN")]
    every: Option<Schedule>,
}

/// Which objects of which connection, and how they are read.
#[derive(Debug, Args)]
pub(super) struct What {
    /// The connection's name
    connection: String,
    /// API names of objects, such as Account, Contact or Invoice__c
    #[arg(required_unless_present = "mapping")]
    objects: Vec<String>,
    // Not as a comment: its brackets are no links and no tags.
    #[arg(
        long,
        value_name = "DESTINATION",
        help = "Where the rows go [default: sqlite:<data dir>/<connection>.db]",
        long_help = "Where the rows go: a SQLite file (rows.db), PostgreSQL \
                     (postgres://user@host/database?schema=crm), or files in a folder (parquet:/data/crm, csv:/data/crm, \
                     jsonl:/data/crm) or a bucket (s3://bucket/prefix?region=eu-central-1&format=parquet), or a receiver \
                     of signed messages (webhook:https://host/path) [default: sqlite:<data dir>/<connection>.db]"
    )]
    to: Option<String>,
    #[arg(long, value_name = "FILE", help = "A TOML file with one mapping, or several as [[mapping]]")]
    mapping: Option<PathBuf>,
    /// Only these fields, parents by path (Account.Name); with one object
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    fields: Vec<String>,
    /// Only records that meet this SOQL condition; with one object
    #[arg(long = "where", value_name = "CONDITION")]
    filter: Option<String>,
    /// At most this many records of each object
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,
    /// What becomes of the row of a deleted record [default: flag]
    #[arg(long, value_enum)]
    deletes: Option<Deletes>,
    /// How records are read: by Bulk for many and REST for few, or always by one
    #[arg(long, value_enum, default_value_t = Read::Auto)]
    read: Read,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Deletes {
    /// It stays, with _deleted set
    Flag,
    /// It goes
    Remove,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Read {
    Auto,
    Bulk,
    Rest,
}

impl What {
    /// More is said than which objects.
    pub(super) fn says_how(&self) -> bool {
        let is_chosen = !matches!(self.read, Read::Auto) || self.deletes.is_some();
        let is_part = !self.fields.is_empty() || self.filter.is_some() || self.limit.is_some();
        is_chosen || is_part || self.to.is_some() || self.mapping.is_some()
    }
}

/// A file with one mapping, or with several.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    mapping: Vec<Mapping>,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let request = request(&arguments.what)?;
    let stop = stop_signal(terminal, STOPPING);
    let watcher: Arc<dyn Watcher> = Arc::new(Bars::new(*terminal));
    let outcomes = app.import(&request, &watcher, &stop).await?;
    if let Some(schedule) = arguments.every {
        let objects: Vec<String> = outcomes.iter().map(|outcome| outcome.stream.object.clone()).collect();
        app.decide(&request.connection, &objects, &Decision::Schedule(schedule), &Actor::CommandLine).await?;
    }
    Ok(show_outcomes(&request.connection, &outcomes, terminal))
}

pub(super) fn request(arguments: &What) -> Result<ImportRequest, Error> {
    let in_file = arguments.mapping.as_deref().map(read_mappings).transpose()?.unwrap_or_default();
    let is_one_object = !arguments.fields.is_empty() || arguments.filter.is_some();
    if is_one_object && (arguments.objects.len() != 1 || !in_file.is_empty()) {
        let remedy = "name one object with --fields and --where, or write a mapping file for several";
        return Err(Error::Missing { what: "the one object that --fields and --where are for", remedy });
    }
    let mut mappings = if arguments.objects.is_empty() { in_file } else { named(&arguments.objects, &in_file) };
    for mapping in &mut mappings {
        adjust(mapping, arguments);
    }
    Ok(ImportRequest {
        connection: arguments.connection.clone(),
        mappings,
        destination: arguments.to.clone(),
        read: match arguments.read {
            Read::Auto => ReadChoice::Auto,
            Read::Bulk => ReadChoice::Bulk,
            Read::Rest => ReadChoice::Query,
        },
    })
}

/// The named objects, each with its mapping of the file or the default one.
fn named(objects: &[String], in_file: &[Mapping]) -> Vec<Mapping> {
    let mapping = |object: &String| {
        let written = in_file.iter().find(|mapping| mapping.object.eq_ignore_ascii_case(object));
        written.cloned().unwrap_or_else(|| Mapping { object: object.clone(), ..Mapping::default() })
    };
    let mut mappings: Vec<Mapping> = Vec::new();
    for object in objects {
        if !mappings.iter().any(|mapping| mapping.object.eq_ignore_ascii_case(object)) {
            mappings.push(mapping(object));
        }
    }
    mappings
}

/// Flags win over the file.
fn adjust(mapping: &mut Mapping, arguments: &What) {
    if !arguments.fields.is_empty() {
        mapping.columns = arguments.fields.iter().map(|field| ColumnMapping::field(field.trim())).collect();
    }
    if let Some(filter) = &arguments.filter {
        mapping.filter = Some(filter.clone());
    }
    if let Some(limit) = arguments.limit {
        mapping.limit = Some(limit);
    }
    match arguments.deletes {
        Some(Deletes::Flag) => mapping.deletes = DeleteMode::Flag,
        Some(Deletes::Remove) => mapping.deletes = DeleteMode::Remove,
        None => {}
    }
}

pub(super) fn read_mappings(path: &Path) -> Result<Vec<Mapping>, Error> {
    let unusable = |reason: String| Error::MappingFile { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| unusable(error.to_string()))?;
    let mappings = if table.contains_key("mapping") {
        table.try_into::<Several>().map(|several| several.mapping)
    } else {
        table.try_into::<Mapping>().map(|one| vec![one])
    };
    mappings.map_err(|error| unusable(error.to_string().trim_end().to_owned()))
}
