//! `orgtide emulator`

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::Args;
use emulator::{
    Emulator, Options, Scenario,
    scenario::{AppSpec, Builtin},
};
use serde_json::json;

use super::{interrupted, terminal::Terminal};
use crate::error::{Error, Exit};

/// Runs emulated Salesforce orgs, for any client
///
/// They listen on loopback only: as plain HTTP, as TLS under the orgs' real-looking host names, and as a CONNECT proxy
/// that answers for Salesforce names alone. It prints what a client has to be told, and stays up until Ctrl-C. A page
/// at the root of plain HTTP shows apps, users, mailbox and requests, and has buttons for faults and the clock.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide emulator
  orgtide emulator --scenario acme.toml --port 0 | my-test-runner
  orgtide emulator --scenario acme.toml --http 127.0.0.1:8080 --tls 127.0.0.1:8443 --ca ./authority")]
pub(super) struct Arguments {
    /// A scenario file, or the name of a scenario that comes with the program, such as acme or demo. Given several
    /// times, their orgs run side by side, and plain HTTP stands for the first
    #[arg(long, default_value = "acme", value_name = "FILE|NAME")]
    scenario: Vec<String>,
    /// Lists the scenarios that come with the program, among them every way to get a vendor's setup guide wrong
    #[arg(long)]
    list_scenarios: bool,
    /// The port of plain HTTP on 127.0.0.1. With 0 it is a free one, and the addresses are printed as one line of JSON
    /// when everything is ready, for programs
    #[arg(long, value_name = "PORT", conflicts_with = "http")]
    port: Option<u16>,
    /// Where plain HTTP listens [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Where TLS listens [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    tls: Option<SocketAddr>,
    /// Where the proxy listens [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    proxy: Option<SocketAddr>,
    /// The folder that keeps the certificate authority [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    ca: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments, terminal: &Terminal) -> Result<Exit, Error> {
    if arguments.list_scenarios {
        list_scenarios(terminal);
        return Ok(Exit::Done);
    }
    let terminal = &Terminal::new(terminal.is_json() || arguments.port == Some(0));
    let scenarios = arguments.scenario.iter().map(|named| scenario(named)).collect::<Result<Vec<_>, _>>()?;
    let temporary = tempfile::Builder::new().prefix("orgtide-authority-").tempdir().map_err(failure)?;
    let authority = arguments.ca.unwrap_or_else(|| temporary.path().to_owned());
    let authority = std::path::absolute(&authority).unwrap_or(authority);
    let defaults = Options::default();
    let options = Options {
        http: arguments
            .http
            .or(arguments.port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
            .or(defaults.http),
        tls: arguments.tls.or(defaults.tls),
        proxy: arguments.proxy.or(defaults.proxy),
        certificate_authority: Some(authority.clone()),
        spool: None,
    };
    let shown = scenarios.clone();
    let is_builtin = arguments.scenario.iter().all(|named| Scenario::builtin(named).is_some());
    let emulator = Emulator::start_all(scenarios, options).await.map_err(failure)?;
    let ca = authority.join("ca.pem");
    show(&shown, is_builtin, &emulator, &ca.display().to_string(), terminal);
    interrupted().await;
    emulator.stop().await;
    Ok(Exit::Done)
}

fn list_scenarios(terminal: &Terminal) {
    let builtins = Scenario::builtins();
    let document = |builtin: &Builtin| json!({"name": builtin.name, "about": builtin.about});
    terminal.document(&json!({"scenarios": builtins.iter().map(document).collect::<Vec<_>>()}));
    let rows = builtins.into_iter().map(|Builtin { name, about }| vec![name, about]).collect();
    terminal.table(&["scenario", "what it is"], &[], rows);
}

fn failure(error: impl std::fmt::Display) -> Error {
    Error::Emulator { reason: error.to_string() }
}

fn scenario(named: &str) -> Result<Scenario, Error> {
    if let Some(builtin) = Scenario::builtin(named) {
        return Ok(builtin);
    }
    let path = PathBuf::from(named);
    if !path.exists() {
        let builtin: Vec<&str> = Scenario::builtin_names().collect();
        let reason = format!(
            "there is no file {named:?}, and the scenarios that come along are {}; --list-scenarios says what they are",
            builtin.join(", ")
        );
        return Err(failure(reason));
    }
    Scenario::from_path(&path).map_err(failure)
}

fn show(scenarios: &[Scenario], is_builtin: bool, emulator: &Emulator, ca: &str, terminal: &Terminal) {
    let hosts = emulator.hosts();
    let host = hosts.first().map_or("", String::as_str);
    let tls = emulator.tls_address().map(|address| address.to_string()).unwrap_or_default();
    let proxy = emulator.proxy_address().map(|address| format!("http://{address}")).unwrap_or_default();
    let mapped = hosts.iter().map(|host| format!("{host}={tls}")).collect::<Vec<_>>().join(",");
    let plain = emulator.http_url();
    let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    terminal.document(&json!({
        "scenario": names.first(),
        "scenarios": names,
        "page": format!("{plain}/"),
        "plain": plain,
        "url": format!("https://{host}"),
        "tls": tls,
        "proxy": proxy,
        "ca": ca,
        "hosts": hosts,
        "mapped_hosts": mapped,
    }));
    for scenario in scenarios {
        terminal.say(format!("An emulated Salesforce org is up: {} (scenario {}).", scenario.org.name, scenario.name));
    }
    terminal.say(format!("\n  page         {plain}/"));
    terminal.say(format!("  TLS          https://{host} at {tls}"));
    terminal.say(format!("  plain HTTP   {plain}, with the control routes below /__emulator/"));
    terminal.say(format!("  proxy        {proxy}, for the org's host names only"));
    terminal.say(format!("  authority    {ca}"));
    terminal.say("\nClient apps of the scenario:\n");
    // Secrets of a scenario that comes with the program are in its source; those of a person's own stay in its file.
    let secret = |app: &AppSpec| if is_builtin { app.consumer_secret.expose() } else { "as in the file" }.to_owned();
    let row = |app: &AppSpec| vec![format!("  {}", app.name), app.consumer_key.clone(), secret(app)];
    let rows = scenarios.iter().flat_map(|scenario| &scenario.apps).map(row).collect();
    terminal.table(&["  app", "consumer key", "consumer secret"], &[], rows);
    terminal.say("\nFor orgtide, in another shell:\n");
    terminal.say(format!("  export ORGTIDE_MAPPED_HOSTS={mapped}"));
    terminal.say(format!("  export ORGTIDE_MAPPED_HOSTS_CA={ca}"));
    terminal.say(format!("  orgtide connect {host}"));
    terminal.say("\nFor other clients:\n");
    terminal.say(format!("  export HTTPS_PROXY={proxy} SSL_CERT_FILE={ca} NODE_EXTRA_CA_CERTS={ca}"));
    terminal.say("\nCtrl-C ends it.");
}
