//! `orgtide connect`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use salesforce::ApiVersion;
use serde_json::json;

use super::{
    secrets::{Asked, ask},
    terminal::Terminal,
};
use crate::{
    app::{
        App,
        connect::{Connected, OfferedGrant, SignIn},
    },
    error::{Error, Exit},
};

/// Connects an org: signs in, checks who and where that is, and saves it
///
/// Nothing is saved before the sign-in is proved. Secrets are asked for without echo, or come from a file, or from
/// ORGTIDE_CLIENT_SECRET, ORGTIDE_PASSWORD, ORGTIDE_SECURITY_TOKEN and ORGTIDE_REFRESH_TOKEN; never from an argument.
/// Connecting the same name again replaces the sign-in; another org under that name is refused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide connect acme.my.salesforce.com
  orgtide connect acme --org https://acme.lightning.force.com/lightning/setup --client-id 3MVG9…
  orgtide connect acme --grant password --username integration@acme.com --client-secret-file secret.txt")]
pub(super) struct Arguments {
    /// The connection's name; or the org's address, of which the first part becomes the name
    #[arg(value_name = "NAME|ADDRESS")]
    name: String,
    /// The org's address as you have it: My Domain, Lightning or Setup
    #[arg(long, value_name = "ADDRESS")]
    org: Option<String>,
    /// The app's consumer key
    #[arg(long, env = "ORGTIDE_CLIENT_ID", value_name = "KEY")]
    client_id: Option<String>,
    /// How to sign in
    #[arg(long, value_enum, default_value_t = GrantName::ClientCredentials)]
    grant: GrantName,
    /// The Salesforce user, for the password grant
    #[arg(long)]
    username: Option<String>,
    /// A file that holds the consumer secret
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// A file that holds the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file that holds the security token
    #[arg(long, value_name = "FILE")]
    security_token_file: Option<PathBuf>,
    /// A file that holds the refresh token
    #[arg(long, value_name = "FILE")]
    refresh_token_file: Option<PathBuf>,
    /// Whose org it is [default: the connection's name]
    #[arg(long)]
    customer: Option<String>,
    /// The API version, such as 60.0 [default: the newest that both sides know]
    #[arg(long, value_name = "VERSION", value_parser = api_version)]
    api_version: Option<ApiVersion>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GrantName {
    /// The app's own user (Run As); recommended
    ClientCredentials,
    /// A user's password and security token; ending
    Password,
    /// A refresh token that was obtained elsewhere
    RefreshToken,
}

fn api_version(text: &str) -> Result<ApiVersion, String> {
    let whole = text.trim_start_matches(['v', 'V']).trim_end_matches(".0");
    whole.parse().map(ApiVersion).map_err(|_| "a version such as 60.0 is expected".to_owned())
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let connected = app.connect(sign_in(arguments)?).await?;
    for warning in &connected.warnings {
        terminal.warning(warning);
    }
    let Connected { connection, user, again, warnings } = &connected;
    terminal.document(&json!({
        "connection": connection.name,
        "customer": connection.customer,
        "org": connection.org.host(),
        "org_id": connection.org_id,
        "username": user.preferred_username,
        "api_version": connection.api_version.to_string(),
        "grant": connection.grant.name(),
        "again": again,
        "warnings": warnings,
    }));
    let name = &connection.name;
    terminal.say(format!("{} {name}", if *again { "Connected again:" } else { "Connected:" }));
    terminal.say(format!("  org          {} ({})", connection.instance.host(), connection.org_id));
    terminal.say(format!("  user         {}", user.preferred_username));
    terminal.say(format!("  API version  {}", connection.api_version));
    terminal.say(format!("Next: orgtide check {name}, then orgtide import {name} Account Contact"));
    Ok(Exit::Done)
}

fn sign_in(arguments: Arguments) -> Result<SignIn, Error> {
    let (name, org) = match arguments.org.clone() {
        Some(org) => (Some(arguments.name.clone()), org),
        None => (None, arguments.name.clone()),
    };
    let client_id = ask(
        "Consumer key",
        arguments.client_id.clone(),
        "give --client-id: the Consumer Key of the app (External Client App Manager > the app > Settings > OAuth Settings)",
    )?;
    Ok(SignIn {
        name,
        org,
        client_id,
        grant: offered(&arguments)?,
        customer: arguments.customer,
        api_version: arguments.api_version,
    })
}

fn offered(arguments: &Arguments) -> Result<OfferedGrant, Error> {
    let client_secret = Asked {
        what: "Consumer secret",
        file: arguments.client_secret_file.as_ref(),
        variable: "ORGTIDE_CLIENT_SECRET",
        remedy: "give it with --client-secret-file or ORGTIDE_CLIENT_SECRET",
    };
    match arguments.grant {
        GrantName::ClientCredentials => {
            Ok(OfferedGrant::ClientCredentials { client_secret: client_secret.required()? })
        }
        GrantName::Password => Ok(OfferedGrant::Password {
            client_secret: client_secret.required()?,
            username: ask("User name", arguments.username.clone(), "give it with --username")?,
            password: Asked {
                what: "Password",
                file: arguments.password_file.as_ref(),
                variable: "ORGTIDE_PASSWORD",
                remedy: "give it with --password-file or ORGTIDE_PASSWORD",
            }
            .required()?,
            security_token: Asked {
                what: "Security token (empty if this network is trusted)",
                file: arguments.security_token_file.as_ref(),
                variable: "ORGTIDE_SECURITY_TOKEN",
                remedy: "",
            }
            .optional()?,
        }),
        GrantName::RefreshToken => Ok(OfferedGrant::RefreshToken {
            client_secret: client_secret.optional()?,
            refresh_token: Asked {
                what: "Refresh token",
                file: arguments.refresh_token_file.as_ref(),
                variable: "ORGTIDE_REFRESH_TOKEN",
                remedy: "give it with --refresh-token-file or ORGTIDE_REFRESH_TOKEN",
            }
            .required()?,
        }),
    }
}
