//! `orgtide export-app`

use std::path::PathBuf;

use clap::Args;
use salesforce::oauth::Flow;
use serde_json::json;

use super::{
    reading::{Reading, callback_urls, flow_parser},
    terminal::{Terminal, counted},
};
use crate::{
    config::Config,
    error::{Error, Exit},
    guide::package::{AppPackage, Certificate, PackageRequest, write},
};

/// Ways that an External Client App has.
const FLOWS: [Flow; 4] = [Flow::ClientCredentials, Flow::WebServer, Flow::Device, Flow::JwtBearer];

/// Writes a Salesforce project that deploys the client app and a permission set for exactly what is read
///
/// The folder is in source format: `sf project deploy start` creates an External Client App for the chosen way to sign in,
/// with the least scopes, and a read-only permission set. Its README has the exact commands. No secret is in it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide export-app acme-app --flow client-credentials --org acme.my.salesforce.com --email admin@acme.com \\
      --run-as orgtide@acme.com --object Contact --field Email --field Level__c
  orgtide export-app acme-app --flow web-server --connection acme --name \"Acme Sync\" --email admin@acme.com")]
pub(super) struct Arguments {
    /// The folder that the project is written into
    directory: PathBuf,
    /// How the app signs in
    #[arg(long, value_parser = flow_parser(FLOWS), default_value = "client-credentials")]
    flow: Flow,
    /// The org's address as you have it
    #[arg(long, value_name = "ADDRESS")]
    org: Option<String>,
    /// What the app is called
    #[arg(long, value_name = "NAME", default_value = "Orgtide")]
    name: String,
    /// Whom Salesforce writes to about the app
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    // Not as a comment: its brackets are no links.
    #[arg(long, value_name = "URL", help = "A callback URL; may be repeated [default: this installation's]")]
    callback: Vec<String>,
    /// An app without a secret, for the flows web-server and device
    #[arg(long)]
    public: bool,
    /// The integration user, for client-credentials and jwt-bearer
    #[arg(long, value_name = "USER")]
    run_as: Option<String>,
    /// The certificate as PEM, for jwt-bearer
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// Overwrites files that are there already
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(arguments: Arguments, config: Config, terminal: &Terminal) -> Result<Exit, Error> {
    let certificate = arguments.certificate.as_deref().map(Certificate::read).transpose()?;
    let read = arguments.reading.resolve(arguments.org.as_deref(), &config, "export-app", terminal).await?;
    read.warnings.iter().for_each(|warning| terminal.warning(warning));
    let access = read.access.clone();
    let package = AppPackage::new(PackageRequest {
        flow: arguments.flow,
        public_client: arguments.public,
        name: arguments.name,
        contact_email: arguments.email,
        callback_urls: callback_urls(arguments.callback, arguments.flow, &config),
        integration_user: arguments.run_as,
        certificate,
        access: read.access,
        org: read.org,
        connection: read.connection,
    })?;
    let files = package.files();
    write(&arguments.directory, &files, arguments.force)?;
    terminal.document(&json!({
        "directory": arguments.directory,
        "app": package.api_name(),
        "permission_set": package.permission_set(),
        "flow": arguments.flow,
        "files": files.iter().map(|file| &file.path).collect::<Vec<_>>(),
        "objects": access.objects.iter().map(|object| &object.object).collect::<Vec<_>>(),
        "fields": access.fields,
        "notes": access.notes,
        "warnings": read.warnings,
    }));
    let directory = arguments.directory.display();
    terminal.say(format!("Written: {} in {directory}", counted(files.len() as u64, "file")));
    terminal.say(format!("  app             {}", package.api_name()));
    terminal.say(format!("  permission set  {}", package.permission_set()));
    let (objects, fields) = (access.objects.len() as u64, access.fields.len() as u64);
    terminal.say(format!("  reads           {}, {}", counted(objects, "object"), counted(fields, "listed field")));
    access.notes.iter().for_each(|note| terminal.say(format!("  note: {note}")));
    terminal.say(format!("Next: follow {directory}/README.md"));
    Ok(Exit::Done)
}
