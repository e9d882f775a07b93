//! `orgtide token` and `orgtide api-key`

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use secrecy::ExposeSecret;
use serde_json::json;

use super::terminal::Terminal;
use crate::{
    app::{App, access::AccessError},
    error::{Error, Exit},
    store::{api_keys::Allowance, journal::Actor},
};

/// Prints an access token of a connection, if that is switched on for it
///
/// Off by default: `orgtide connection allow NAME token`. Each one is noted in the journal.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  curl -H \"Authorization: Bearer $(orgtide token acme)\" …")]
pub(super) struct Arguments {
    /// The connection's name
    name: String,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let issued = app.token(&arguments.name, &Actor::CommandLine).await.map_err(plain)?;
    terminal.document(&json!({
        "access_token": issued.access_token.expose(),
        "instance_url": issued.instance_url,
        "api_version": issued.api_version.to_string(),
    }));
    terminal.say(issued.access_token.expose());
    Ok(Exit::Done)
}

/// Makes, lists and revokes the keys of programs
#[derive(Debug, Args)]
#[command(
    name = "api-key",
    after_help = "Example:\n  orgtide api-key create crm-sync --connection acme --allow token,proxy --expires 90d"
)]
pub(super) struct ApiKeyArguments {
    #[command(subcommand)]
    command: ApiKeyCommand,
}

#[derive(Debug, Subcommand)]
enum ApiKeyCommand {
    /// Makes a key for one connection and prints it, this once
    Create {
        name: String,
        #[arg(long)]
        connection: String,
        /// What it lets a program do
        #[arg(long, value_delimiter = ',', required = true)]
        allow: Vec<Allowed>,
        /// When it ends, such as 90d or 12h
        #[arg(long, value_parser = life)]
        expires: Option<Duration>,
    },
    /// Shows every key, without what proves it
    List,
    /// Ends a key at once
    Revoke { name: String },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Allowed {
    Token,
    Proxy,
    ProxyWrites,
}

impl From<Allowed> for Allowance {
    fn from(allowed: Allowed) -> Self {
        match allowed {
            Allowed::Token => Self::Token,
            Allowed::Proxy => Self::Proxy,
            Allowed::ProxyWrites => Self::ProxyWrites,
        }
    }
}

fn life(text: &str) -> Result<Duration, String> {
    super::connection::hours(text).map(|hours| Duration::from_secs(u64::from(hours) * 3600))
}

pub(super) async fn run_api_key(arguments: ApiKeyArguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    match arguments.command {
        ApiKeyCommand::Create { name, connection, allow, expires } => {
            let mut allows: Vec<Allowance> = allow.into_iter().map(Allowance::from).collect();
            allows.sort();
            allows.dedup();
            let key = app.create_api_key(&name, &connection, &allows, expires, &Actor::CommandLine).await?;
            terminal.document(&json!({ "name": name, "connection": connection, "api_key": key.expose_secret() }));
            terminal.say(key.expose_secret());
            terminal.notice("This key is shown once. Only its hash is stored.");
        }
        ApiKeyCommand::List => {
            let (keys, now) = app.api_keys().await?;
            terminal.document(&json!({ "api_keys": keys }));
            let rows = keys.iter().map(|key| {
                let allows: Vec<&str> = key.allows.iter().map(|allowed| allowed.name()).collect();
                let state = match (key.revoked_at, key.is_good(now)) {
                    (Some(at), _) => format!("revoked {at}"),
                    (None, false) => "expired".to_owned(),
                    (None, true) => key.expires_at.map_or("good".to_owned(), |at| format!("good until {at}")),
                };
                let used = key.last_used_at.map_or("never".to_owned(), |at| at.to_string());
                vec![key.name.clone(), key.connection.clone(), allows.join(", "), state, used]
            });
            terminal.table(&["name", "connection", "allows", "state", "last used"], &[], rows.collect());
        }
        ApiKeyCommand::Revoke { name } => {
            if !app.revoke_api_key(&name, &Actor::CommandLine).await? {
                return Err(Error::Missing { what: "an API key of that name", remedy: "see `orgtide api-key list`" });
            }
            terminal.document(&json!({ "revoked": name }));
            terminal.say(format!("{name} is revoked."));
        }
    }
    Ok(Exit::Done)
}

/// The same as an error of a command.
fn plain(error: AccessError) -> Error {
    match error {
        AccessError::Other(error) => *error,
        AccessError::SwitchedOff { connection, needs } => Error::SwitchedOff { connection, what: needs.name() },
        other => Error::Unreadable { what: "the token".into(), reason: other.to_string() },
    }
}
