//! `orgtide check`

use clap::Args;
use serde_json::{Value, json};

use super::{findings, follower::Follower, terminal::Terminal};
use crate::{
    app::App,
    diagnose::{Examined, Need, Severity},
    error::{Error, Exit},
};

/// Checks connections: the way there, the org, sign-in, API, objects and fields, limits, lifetime
///
/// Each finding says what was seen, why, what to do and who can do it. Without a name, every connection is checked. An
/// address that nothing is connected to is checked as far as that goes without credentials. Ends with 7 when something
/// failed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide check acme
  orgtide check acme --object Contact --field LastName,Email,Account.Name
  orgtide check --org acme.my.salesforce.com")]
pub(super) struct Arguments {
    /// The connection's name [default: all]
    name: Option<String>,
    /// An org's address, in the place of a connection
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["name", "object"])]
    org: Option<String>,
    /// Objects to look at [default: those of the streams, else Account and Contact]
    #[arg(long, value_name = "OBJECT", value_delimiter = ',', requires = "name")]
    object: Vec<String>,
    /// Fields of the object that have to be readable, also by paths such as Account.Name
    #[arg(long, value_name = "FIELD", value_delimiter = ',', requires = "object")]
    field: Vec<String>,
    /// Tries again for up to ten minutes while a change in Setup may not have taken effect
    #[arg(long)]
    wait: bool,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let follower = Follower::new(terminal, arguments.wait);
    if let Some(org) = &arguments.org {
        let examined = app.check_address(org, &follower).await?;
        follower.finish();
        return Ok(show(org, &examined, terminal));
    }
    let needs = needs(&arguments)?;
    if let Some(name) = &arguments.name {
        let examined = app.check(name, needs, &follower).await?;
        follower.finish();
        return Ok(show(name, &examined, terminal));
    }
    let mut all = Vec::new();
    for name in app.connection_names().await? {
        let examined = app.check(&name, Vec::new(), &follower).await?;
        follower.finish();
        findings::print(&name, &examined, terminal);
        all.push((name, examined));
    }
    if all.is_empty() {
        terminal.say("Nothing is connected yet. Begin with: orgtide connect <address of the org>");
    }
    let is_well = all.iter().all(|(_, examined)| examined.worst() < Severity::Failed);
    let documents: Vec<Value> = all.iter().map(|(name, examined)| document(name, examined)).collect();
    terminal.document(&json!({ "ok": is_well, "connections": documents }));
    Ok(if is_well { Exit::Done } else { Exit::Partial })
}

fn needs(arguments: &Arguments) -> Result<Vec<Need>, Error> {
    if !arguments.field.is_empty() && arguments.object.len() > 1 {
        let reason = "fields belong to one object: give one --object with them".to_owned();
        return Err(Error::Unreadable { what: "--field".into(), reason });
    }
    let need = |object: &String| Need { object: object.clone(), fields: arguments.field.clone(), ..Need::default() };
    Ok(arguments.object.iter().map(need).collect())
}

fn show(name: &str, examined: &Examined, terminal: &Terminal) -> Exit {
    findings::print(name, examined, terminal);
    terminal.document(&document(name, examined));
    if examined.worst() < Severity::Failed { Exit::Done } else { Exit::Partial }
}

fn document(name: &str, examined: &Examined) -> Value {
    json!({
        "connection": name,
        "ok": examined.worst() < Severity::Failed,
        "findings": examined.findings,
        "matrix": examined.matrix,
        "organization": examined.organization,
    })
}
