//! `orgtide objects`

use clap::{Args, Subcommand};
use serde_json::json;

use super::terminal::Terminal;
use crate::{
    app::App,
    error::{Error, Exit},
};

/// Shows the org's objects and fields, as the connection's user sees them
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  orgtide objects list acme\n  orgtide objects describe acme Contact")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: ObjectsCommand,
}

#[derive(Debug, Subcommand)]
enum ObjectsCommand {
    /// Lists every object that the user may see
    #[command(after_help = "Example:\n  orgtide objects list acme --all")]
    List {
        /// The connection's name
        connection: String,
        /// Also objects that cannot be queried
        #[arg(long)]
        all: bool,
    },
    /// Describes one object: the fields that the user may see, with their types
    #[command(after_help = "Example:\n  orgtide objects describe acme Contact")]
    Describe {
        /// The connection's name
        connection: String,
        /// The object's API name, such as Account or Invoice__c
        object: String,
    },
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    match arguments.command {
        ObjectsCommand::List { connection, all } => list(&connection, all, &app, terminal).await,
        ObjectsCommand::Describe { connection, object } => describe(&connection, &object, &app, terminal).await,
    }
}

async fn list(connection: &str, all: bool, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let objects = app.objects(connection).await?;
    let shown: Vec<_> = objects.iter().filter(|object| all || object.queryable).collect();
    terminal.document(&json!({ "connection": connection, "objects": shown }));
    let rows = shown.iter().map(|object| {
        let kind = if object.custom { "custom" } else { "standard" };
        vec![object.name.clone(), object.label.clone(), kind.to_owned(), object.key_prefix.clone().unwrap_or_default()]
    });
    terminal.table(&["object", "label", "kind", "prefix"], &[], rows.collect());
    Ok(Exit::Done)
}

async fn describe(connection: &str, object: &str, app: &App, terminal: &Terminal) -> Result<Exit, Error> {
    let described = app.describe(connection, object).await?;
    terminal.document(&json!({ "connection": connection, "object": described }));
    let rows = described.fields.iter().map(|field| {
        let length = if field.length > 0 { field.length.to_string() } else { String::new() };
        let kind = serde_json::to_value(&field.kind).ok();
        let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default().to_owned();
        vec![field.name.clone(), field.label.clone(), kind, length, notes(field)]
    });
    terminal.say(format!("{} ({}): {} fields", described.name, described.label, described.fields.len()));
    terminal.table(&["field", "label", "type", "length", "notes"], &[3], rows.collect());
    Ok(Exit::Done)
}

fn notes(field: &salesforce::describe::FieldDescribe) -> String {
    let leads_to = (!field.reference_to.is_empty()).then(|| {
        let by = field.relationship_name.as_ref().map(|name| format!(" as {name}")).unwrap_or_default();
        format!("to {}{by}", field.reference_to.join(" or "))
    });
    let marks = [
        (field.calculated, "formula"),
        (field.external_id, "external id"),
        (field.unique, "unique"),
        (field.name_field, "name"),
        (!field.nillable, "required"),
    ];
    let marks = marks.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark.to_owned());
    leads_to.into_iter().chain(marks).collect::<Vec<_>>().join(", ")
}
