//! `orgtide certificate`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::terminal::{Terminal, short};
use crate::{
    app::App,
    error::{Error, Exit},
};

/// Makes a key for the JWT bearer flow, and prints the certificate to upload to the client app
///
/// The private key stays in the control store, sealed; `orgtide connect NAME --flow jwt-bearer` uses it. Making another
/// one replaces it for the next sign-in; a connection goes on with its former key until then.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  orgtide certificate acme --output acme.crt
  orgtide connect acme --org acme.my.salesforce.com --flow jwt-bearer --client-id 3MVG9… --username integration@acme.com")]
pub(super) struct Arguments {
    /// The name of the connection that is to use it
    name: String,
    /// Where the certificate is written [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Prints the certificate of the key that is there, and makes none
    #[arg(long)]
    show: bool,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let name = &arguments.name;
    let made = match arguments.show {
        false => app.make_client_key(name).await?,
        true => app.client_certificate(name).await?.ok_or(Error::Missing {
            what: "the certificate",
            remedy: "have one made: the same command without --show",
        })?,
    };
    terminal.document(&json!({ "connection": name, "certificate": made.certificate, "ends_at": made.ends_at }));
    match &arguments.output {
        None => terminal.say(made.certificate.trim_end()),
        Some(path) => {
            std::fs::write(path, &made.certificate).map_err(|error| Error::Unreadable {
                what: format!("the file {}", path.display()),
                reason: error.to_string(),
            })?;
            terminal.say(format!("The certificate is in {}; it ends {}.", path.display(), short(made.ends_at)));
        }
    }
    terminal.notice(
        "Upload it to the client app: External Client App Manager > the app > Settings > Flow Enablement > Enable JWT \
         Bearer Flow.",
    );
    Ok(Exit::Done)
}
