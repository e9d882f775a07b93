//! `orgtide connect`

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use salesforce::{ApiVersion, oauth::PrivateKey};
use serde_json::{Value, json};
use sync::{mapping::Mapping, read::ReadChoice};
use zeroize::Zeroizing;

mod browser;
mod loopback;

pub(super) use self::loopback::USUAL_CALLBACK;
use super::{
    findings,
    follower::Follower,
    import::STOPPING,
    progress::{Bars, documents, exit_of},
    secrets::{Asked, ask},
    stop_signal,
    terminal::{Terminal, counted},
};
use crate::{
    app::{
        App,
        connect::{AppChoice, ConnectRequest, Connected, FirstImport, Offered, UserPassword},
        disconnect::Removed,
        import::{ImportRequest, Watcher},
        schedules::Decision,
    },
    diagnose::Severity,
    error::{Error, Exit},
    schedule::when::Schedule,
    store::{connections::Confirmed, journal::Actor},
};

/// Connects an org: signs in, checks who and where that is, and saves it
///
/// Nothing is saved before the sign-in is proved. Secrets are asked for without echo, or come from a file, or from
/// ORGTIDE_CLIENT_SECRET, ORGTIDE_PASSWORD, ORGTIDE_SECURITY_TOKEN, ORGTIDE_REFRESH_TOKEN and ORGTIDE_PRIVATE_KEY; never
/// from an argument. Connecting the same name again replaces the sign-in and keeps everything else; another org or user
/// under that name is refused. `orgtide guide` says what to set up in the org.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide connect acme.my.salesforce.com
  orgtide connect acme --org https://acme.lightning.force.com/lightning/setup --client-id 3MVG9…
  orgtide connect acme --org acme.my.salesforce.com --flow web-server --client-id 3MVG9…
  orgtide connect acme --org acme.my.salesforce.com --flow device --app
  orgtide connect acme.my.salesforce.com --then-import Account,Contact --every 15m
  orgtide connect acme-uat --refreshed
  orgtide connect acme --flow password --username integration@acme.com --client-secret-file secret.txt")]
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
    /// Use a client app of the server configuration: the named one, or the one that fits the org
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "client_id")]
    app: Option<String>,
    /// Where the browser comes back to, for the web server flow: registered in the app, exactly so
    #[arg(long, value_name = "URL", default_value = USUAL_CALLBACK)]
    callback: String,
    /// Prints the link and opens no browser
    #[arg(long)]
    no_browser: bool,
    /// How to sign in
    #[arg(long, alias = "grant", value_enum, default_value_t = FlowName::ClientCredentials)]
    flow: FlowName,
    /// The Salesforce user, for the flows with a password or a certificate
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
    /// A file that holds the private key (PEM), for the JWT bearer flow [default: the one that `orgtide certificate` made]
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// A file that holds the refresh token
    #[arg(long, value_name = "FILE")]
    refresh_token_file: Option<PathBuf>,
    /// Whose org it is [default: the connection's name]
    #[arg(long)]
    customer: Option<String>,
    /// The API version, such as 60.0 [default: the newest that both sides know]
    #[arg(long, value_name = "VERSION", value_parser = api_version)]
    api_version: Option<ApiVersion>,
    /// Imports these objects at once, such as Account,Contact
    #[arg(long, value_name = "OBJECT,…", value_delimiter = ',')]
    then_import: Vec<String>,
    /// When they are brought up to date afterwards, such as 15m or "daily at 03:00 UTC" [default: never by themselves]
    #[arg(long, value_name = "WHEN", requires = "then_import")]
    every: Option<Schedule>,
    /// Tries again for up to ten minutes while a change in Setup may not have taken effect
    #[arg(long)]
    wait: bool,
    /// The sign-in may be another user's than the one that the connection was made with
    #[arg(long)]
    other_user: bool,
    /// The sign-in may lead to another org, as long as nothing of the former one was imported
    #[arg(long)]
    other_org: bool,
    /// The sandbox was refreshed: the former org's rows are removed, and everything is imported anew
    #[arg(long)]
    refreshed: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FlowName {
    /// The app's own user (Run As); recommended
    ClientCredentials,
    /// Sign in in a browser on this machine
    WebServer,
    /// Enter a code in a browser on any device
    Device,
    /// A certificate instead of a secret, for a user who has approved the app
    JwtBearer,
    /// A user's password and security token; ending
    Password,
    /// A user's password and security token by SOAP login(), without an app; ending
    SoapLogin,
    /// A refresh token that was obtained elsewhere
    RefreshToken,
}

fn api_version(text: &str) -> Result<ApiVersion, String> {
    let whole = text.trim_start_matches(['v', 'V']).trim_end_matches(".0");
    whole.parse().map(ApiVersion).map_err(|_| "a version such as 60.0 is expected".to_owned())
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let first =
        FirstImport { objects: arguments.then_import.clone(), schedule: arguments.every.clone().unwrap_or_default() };
    let connected = sign_in(arguments, &app, terminal).await?;
    for warning in &connected.warnings {
        terminal.warning(warning);
    }
    let Connected { connection, user, again, warnings, .. } = &connected;
    let document = json!({
        "connection": connection.name,
        "customer": connection.customer,
        "org": connection.org.host(),
        "org_id": connection.org_id,
        "org_kind": connection.org_kind(),
        "username": user.preferred_username,
        "api_version": connection.api_version.to_string(),
        "flow": connection.flow,
        "again": again,
        "warnings": warnings,
        "findings": connected.findings,
        "removed": connected.removed,
    });
    let failed = connected.findings.iter().filter(|finding| finding.severity == Severity::Failed);
    failed.for_each(|finding| terminal.notice(&findings::block(finding)));
    let name = &connection.name;
    terminal.say(format!("{} {name}", if *again { "Connected again:" } else { "Connected:" }));
    let kind = connection.org_kind();
    terminal.say(format!("  org          {} ({}), {kind}", connection.instance.host(), connection.org_id));
    terminal.say(format!("  user         {}", user.preferred_username));
    terminal.say(format!("  API version  {}", connection.api_version));
    for removed in &connected.removed {
        let Removed { object, rows, destination, .. } = removed;
        terminal.say(format!("  {object}: {} of the former org removed from {destination}", counted(*rows, "row")));
    }
    if first.objects.is_empty() && !connected.removed.is_empty() {
        terminal.document(&document);
        terminal
            .say(format!("Next: orgtide sync {name} imports everything anew, unless orgtide serve does so already"));
        return Ok(Exit::Done);
    }
    if first.objects.is_empty() {
        terminal.document(&document);
        terminal.say(format!("Next: orgtide check {name}, then orgtide import {name} Account Contact"));
        return Ok(Exit::Done);
    }
    import(name, first, document, &app, terminal).await
}

/// Imports what was asked for at once. The document of the connection then has the streams, too.
async fn import(
    connection: &str,
    first: FirstImport,
    mut document: Value,
    app: &App,
    terminal: &Terminal,
) -> Result<Exit, Error> {
    let mapping = |object: &String| Mapping { object: object.trim().to_owned(), ..Mapping::default() };
    let request = ImportRequest {
        connection: connection.to_owned(),
        mappings: first.objects.iter().map(mapping).collect(),
        destination: None,
        read: ReadChoice::Auto,
    };
    let stop = stop_signal(terminal, STOPPING);
    let watcher: Arc<dyn Watcher> = Arc::new(Bars::new(*terminal));
    let outcomes = app.import(&request, &watcher, &stop).await?;
    let objects: Vec<String> = outcomes.iter().map(|outcome| outcome.stream.object.clone()).collect();
    if first.schedule != Schedule::None {
        app.decide(connection, &objects, &Decision::Schedule(first.schedule), &Actor::CommandLine).await?;
    }
    document["streams"] = documents(&outcomes);
    terminal.document(&document);
    Ok(exit_of(&outcomes))
}

async fn sign_in(arguments: Arguments, app: &App, terminal: &Terminal) -> Result<Connected, Error> {
    let follower = Follower::new(terminal, arguments.wait);
    let connected = sign_in_by(arguments, app, terminal, &follower).await;
    follower.finish();
    connected
}

async fn sign_in_by(
    arguments: Arguments,
    app: &App,
    terminal: &Terminal,
    checklist: &Follower,
) -> Result<Connected, Error> {
    let request = request(&arguments)?;
    match arguments.flow {
        FlowName::WebServer => {
            let opens_browser = !arguments.no_browser;
            browser::sign_in(app, request, &arguments.callback, opens_browser, checklist, terminal).await
        }
        FlowName::Device => browser::show_code(app, request, checklist, terminal).await,
        FlowName::ClientCredentials => app.connect(request, Offered::ClientCredentials, checklist).await,
        FlowName::Password => app.connect(request, Offered::Password(password(&arguments)?), checklist).await,
        FlowName::SoapLogin => app.connect(request, Offered::SoapLogin(password(&arguments)?), checklist).await,
        FlowName::JwtBearer => app.connect(request, certificate(&arguments)?, checklist).await,
        FlowName::RefreshToken => app.connect(request, refresh_token(&arguments)?, checklist).await,
    }
}

fn request(arguments: &Arguments) -> Result<ConnectRequest, Error> {
    let (name, org) = match &arguments.org {
        Some(org) => (Some(arguments.name.clone()), org.clone()),
        None => (None, arguments.name.clone()),
    };
    Ok(ConnectRequest {
        name,
        org,
        customer: arguments.customer.clone(),
        app: app_choice(arguments)?,
        api_version: arguments.api_version,
        confirmed: Confirmed {
            other_user: arguments.other_user,
            other_org: arguments.other_org,
            refreshed: arguments.refreshed,
        },
        owner: None,
        actor: Actor::CommandLine,
        first_import: Default::default(),
    })
}

fn app_choice(arguments: &Arguments) -> Result<AppChoice, Error> {
    if let Some(name) = &arguments.app {
        return Ok(AppChoice::Configured { name: Some(name.clone()).filter(|name| !name.is_empty()) });
    }
    let client_secret = match arguments.flow {
        FlowName::SoapLogin => return Ok(AppChoice::Absent),
        FlowName::JwtBearer => None,
        FlowName::ClientCredentials | FlowName::Password => Some(client_secret(arguments).required()?),
        FlowName::WebServer | FlowName::Device | FlowName::RefreshToken => client_secret(arguments).optional()?,
    };
    let client_id = ask(
        "Consumer key",
        arguments.client_id.clone(),
        "give --client-id: the Consumer Key of the app (External Client App Manager > the app > Settings > OAuth Settings)",
    )?;
    Ok(AppChoice::Own { client_id, client_secret })
}

fn client_secret(arguments: &Arguments) -> Asked<'_> {
    Asked {
        what: "Consumer secret",
        file: arguments.client_secret_file.as_ref(),
        variable: "ORGTIDE_CLIENT_SECRET",
        remedy: "give it with --client-secret-file or ORGTIDE_CLIENT_SECRET",
    }
}

/// The key is not asked for: it has many lines, and usually it was made here.
fn certificate(arguments: &Arguments) -> Result<Offered, Error> {
    let key = Asked {
        what: "Private key",
        file: arguments.private_key_file.as_ref(),
        variable: "ORGTIDE_PRIVATE_KEY",
        remedy: "",
    };
    let key = key.given::<String>()?.map(Zeroizing::new);
    let key = key
        .map(|pem| PrivateKey::from_pem(&pem))
        .transpose()
        .map_err(|error| Error::Unreadable { what: "the private key".to_owned(), reason: error.to_string() })?;
    Ok(Offered::JwtBearer { username: username(arguments)?, key })
}

fn password(arguments: &Arguments) -> Result<UserPassword, Error> {
    Ok(UserPassword {
        username: username(arguments)?,
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
    })
}

fn username(arguments: &Arguments) -> Result<String, Error> {
    ask("User name", arguments.username.clone(), "give it with --username")
}

fn refresh_token(arguments: &Arguments) -> Result<Offered, Error> {
    Ok(Offered::RefreshToken {
        refresh_token: Asked {
            what: "Refresh token",
            file: arguments.refresh_token_file.as_ref(),
            variable: "ORGTIDE_REFRESH_TOKEN",
            remedy: "give it with --refresh-token-file or ORGTIDE_REFRESH_TOKEN",
        }
        .required()?,
    })
}
