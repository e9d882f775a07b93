//! `orgtide connection`

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::terminal::Terminal;
use crate::{
    app::{App, care::Prospect},
    error::{Error, Exit},
    store::{
        care::{Switches, TokenPolicy},
        connections::Connection,
        journal::{Actor, Entry},
    },
};

/// Shows a connection and its future, and changes what it may be used for
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  orgtide connection show acme\n  orgtide connection policy acme idle:90d\n  \
                        orgtide connection pause acme")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// When it ends by itself and what keeps it, what it may be used for, and what has happened
    Show {
        name: String,
        /// Asks Salesforce how long a session lives
        #[arg(long)]
        ask: bool,
        /// So many entries of the journal
        #[arg(long, default_value_t = 10)]
        journal: u32,
    },
    /// Stops its syncs; it is kept alive all the same
    Pause { name: String },
    /// Lets its syncs go on
    Resume { name: String },
    /// States the client app's refresh token policy, for the forecast
    Policy {
        name: String,
        /// until-revoked, idle:90d, lifetime:365d (or hours: idle:36h), or unknown
        #[arg(value_parser = policy)]
        policy: StatedPolicy,
    },
    /// Lets programs use it; everything is off by default
    Allow {
        name: String,
        what: Use,
        /// Takes it back
        #[arg(long)]
        off: bool,
    },
    /// Leaves so many API calls of the org's daily quota to others than programs
    Reserve { name: String, calls: u64 },
}

/// What programs may do with a connection.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Use {
    /// Get its access tokens
    Token,
    /// Read from the org through this installation
    Proxy,
    /// Write to the org through this installation
    ProxyWrites,
}

#[derive(Debug, Clone, Copy)]
struct StatedPolicy(Option<TokenPolicy>);

fn policy(text: &str) -> Result<StatedPolicy, String> {
    let stated = match text.split_once(':') {
        None if text == "unknown" => None,
        None if text == "until-revoked" => Some(TokenPolicy::UntilRevoked),
        Some(("idle", limit)) => Some(TokenPolicy::Idle { hours: hours(limit)? }),
        Some(("lifetime", limit)) => Some(TokenPolicy::Lifetime { hours: hours(limit)? }),
        _ => return Err("it is until-revoked, idle:90d, lifetime:365d or unknown".to_owned()),
    };
    Ok(StatedPolicy(stated))
}

/// `90d`, `36h` or `12m` (months of 30 days, as a lower bound).
pub(super) fn hours(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no time such as 90d or 36h");
    let (count, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let count: u32 = count.parse().map_err(|_| wrong())?;
    let hours = match unit {
        "h" => count.checked_mul(1),
        "d" => count.checked_mul(24),
        "m" => count.checked_mul(24 * 30),
        _ => None,
    };
    hours.filter(|hours| *hours > 0).ok_or_else(wrong)
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let actor = Actor::CommandLine;
    let name = match arguments.command {
        Command::Show { name, ask, journal } => {
            if ask && app.ask_session_life(&name).await?.is_none() {
                terminal.notice("Salesforce does not tell this app how long a session lives.");
            }
            let (connection, prospect) = app.prospect(&name).await?;
            let entries = app.journal(Some(&name), journal).await?;
            terminal.document(&json!({ "connection": name, "prospect": prospect, "journal": entries }));
            show(&connection, &prospect, &entries, terminal);
            return Ok(Exit::Done);
        }
        Command::Pause { name } => {
            app.switch(&name, |switches| switches.paused = true, &actor).await?;
            terminal.say(format!("{name} is paused: no stream of it is run. It is kept alive."));
            name
        }
        Command::Resume { name } => {
            app.switch(&name, |switches| switches.paused = false, &actor).await?;
            terminal.say(format!("{name} goes on."));
            name
        }
        Command::Policy { name, policy } => {
            app.state_policy(&name, policy.0, &actor).await?;
            let (_, prospect) = app.prospect(&name).await?;
            terminal.say(&prospect.forecast.text);
            name
        }
        Command::Allow { name, what, off } => {
            let change = |switches: &mut Switches| match what {
                Use::Token => switches.token = !off,
                Use::Proxy => switches.proxy = !off,
                Use::ProxyWrites => switches.proxy_writes = !off,
            };
            let switches = app.switch(&name, change, &actor).await?;
            terminal.say(format!("{name}: {}", uses(&switches)));
            name
        }
        Command::Reserve { name, calls } => {
            app.switch(&name, |switches| switches.reserve = calls, &actor).await?;
            terminal.say(format!("{name}: programs leave {calls} of the org's API calls a day to others."));
            name
        }
    };
    let (_, prospect) = app.prospect(&name).await?;
    terminal.document(&json!({ "connection": name, "prospect": prospect }));
    Ok(Exit::Done)
}

fn show(connection: &Connection, prospect: &Prospect, entries: &[Entry], terminal: &Terminal) {
    terminal.say(format!("{}: {}, {}", connection.name, connection.state.name(), connection.flow.title()));
    terminal.say(format!("  {}", prospect.forecast.text));
    if let Some(seconds) = prospect.lifetimes.session_seconds {
        terminal.say(format!("  A session lives {} minutes, as Salesforce says.", seconds / 60));
    }
    terminal.say(format!("  {}", uses(&prospect.switches)));
    if let Some(warning) = &prospect.approvals_warning {
        terminal.say(format!("  {warning}"));
    }
    if entries.is_empty() {
        return;
    }
    let rows = entries.iter().map(|entry| {
        let detail = entry.detail.as_object().filter(|detail| !detail.is_empty());
        let detail = detail.map(|_| entry.detail.to_string()).unwrap_or_default();
        vec![format!("  {}", entry.at), entry.event.clone(), entry.actor.text(), detail]
    });
    terminal.table(&["  when", "what", "who", "detail"], &[], rows.collect());
}

/// What the connection may be used for, in a sentence.
pub(super) fn uses(switches: &Switches) -> String {
    let allowed = [
        (switches.token, "get access tokens"),
        (switches.proxy, "read through the proxy"),
        (switches.proxy && switches.proxy_writes, "WRITE through the proxy"),
    ];
    let allowed: Vec<&str> = allowed.into_iter().filter_map(|(is_on, what)| is_on.then_some(what)).collect();
    let programs = match allowed.as_slice() {
        [] => "Programs may not use it".to_owned(),
        allowed => format!("Programs with a key may {}", allowed.join(", ")),
    };
    if switches.paused { format!("Paused. {programs}.") } else { format!("{programs}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_stated_in_days_or_hours() {
        let read = |text| policy(text).map(|stated| stated.0);
        assert_eq!(read("idle:90d"), Ok(Some(TokenPolicy::Idle { hours: 2160 })));
        assert_eq!(read("lifetime:36h"), Ok(Some(TokenPolicy::Lifetime { hours: 36 })));
        assert_eq!(read("until-revoked"), Ok(Some(TokenPolicy::UntilRevoked)));
        assert_eq!(read("unknown"), Ok(None));
        for text in
            ["", "idle", "idle:", "idle:d", "idle:0d", "idle:90", "idle:-1d", "idle:9999999999d", "idle:5ü", "x:1d"]
        {
            assert!(policy(text).is_err(), "{text}");
        }
    }
}
