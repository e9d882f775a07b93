//! `orgtide guide`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use salesforce::oauth::Flow;
use serde_json::json;

use super::{
    reading::{Reading, callback_urls, flow_parser},
    terminal::Terminal,
};
use crate::{
    config::Config,
    error::{Error, Exit},
    guide::{
        Guide, GuideRequest, html, markdown,
        package::{PackageError, write_one},
    },
};

/// Writes the setup guide for a customer's Salesforce administrator: for one org and one way to connect
///
/// Numbered steps in today's Setup, with values to copy, known traps, how to check each step, and what is not needed.
/// Nothing is sent anywhere, unless --connection asks that connection's org which fields its streams read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide guide --flow client-credentials --org acme.my.salesforce.com
  orgtide guide --flow web-server --org acme.my.salesforce.com --object Contact --field Email --field Account.Name
  orgtide guide --flow jwt-bearer --connection acme --format html --output acme-guide.html")]
pub(super) struct Arguments {
    /// How to sign in
    #[arg(long, value_parser = flow_parser(Flow::ALL))]
    flow: Flow,
    /// The org's address as you have it; without it, the guide holds for any org and has no links
    #[arg(long, value_name = "ADDRESS")]
    org: Option<String>,
    /// For an org that still has a Connected App
    #[arg(long)]
    connected_app: bool,
    /// An app without a secret, for the flows web-server and device
    #[arg(long)]
    public: bool,
    /// What the app is called
    #[arg(long, value_name = "NAME", default_value = "Orgtide")]
    name: String,
    /// Whom Salesforce writes to about the app
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    // Not as a comment: its brackets are no links.
    #[arg(
        long,
        value_name = "URL",
        help = "A callback URL to register; may be repeated [default: this installation's]"
    )]
    callback: Vec<String>,
    /// The integration user's name
    #[arg(long, value_name = "USER")]
    run_as: Option<String>,
    #[command(flatten)]
    reading: Reading,
    /// How the guide is written
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
    /// A file for the guide, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrites that file
    #[arg(long, requires = "output")]
    force: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Readable as it is
    Markdown,
    /// A page that needs nothing else, for the browser and for paper
    Html,
    /// For programs
    Json,
}

pub(super) async fn run(arguments: Arguments, config: Config, terminal: &Terminal) -> Result<Exit, Error> {
    let read = arguments.reading.resolve(arguments.org.as_deref(), &config, "guide", terminal).await?;
    read.warnings.iter().for_each(|warning| terminal.warning(warning));
    let mut request = GuideRequest::new(arguments.flow, config.callback_url());
    request.org = read.org;
    request.connected_app = arguments.connected_app;
    request.public_client = arguments.public;
    request.app_name = arguments.name;
    request.contact_email = arguments.email;
    request.integration_user = arguments.run_as;
    request.access = read.access;
    request.callback_urls = callback_urls(arguments.callback, arguments.flow, &config);
    request.check().map_err(PackageError::from)?;
    let guide = Guide::of(&request);
    let Some(path) = arguments.output else {
        // With --json the guide is the document, whatever else was asked for.
        terminal.document(&guide);
        terminal.say(written(&guide, arguments.format).trim_end());
        return Ok(Exit::Done);
    };
    write_one(&path, &written(&guide, arguments.format), arguments.force)?;
    terminal.document(&json!({ "file": path, "title": guide.title, "steps": guide.steps.len() }));
    terminal.say(format!("{}: {} steps, written to {}", guide.title, guide.steps.len(), path.display()));
    Ok(Exit::Done)
}

fn written(guide: &Guide, format: Format) -> String {
    match format {
        Format::Markdown => markdown::render(guide),
        Format::Html => html::page(guide),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(guide).expect("a guide is plain data")),
    }
}
