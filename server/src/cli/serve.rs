//! `orgtide serve`

use std::{net::SocketAddr, sync::Arc};

use clap::Args;
use serde_json::json;

use super::{open, open_browser, stop_signal, terminal::Terminal};
use crate::{
    auth::Token,
    config::Config,
    error::{Error, Exit},
    web::{Listen, Listener},
};

const ENDING: &str =
    "Ending: requests under way get their answers, runs stop at their next checkpoint. Ctrl-C again stops at once.";

/// Starts the console and the API for programs, runs streams by their schedules, and keeps all connections alive
///
/// Several processes that share a control store in PostgreSQL share the work: what a killed one was doing, another goes on
/// with within a minute. serve.workers and serve.runs_per_org say how much runs at once.
///
/// It listens on this machine alone unless serve.listen says otherwise. Before there is an account, it prints a link that
/// makes its user the owner: it works once, for a day.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  orgtide serve\n  orgtide serve --listen 127.0.0.1:8080 --open")]
pub(super) struct Arguments {
    /// Where to listen, instead of serve.listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Opens the console in a browser
    #[arg(long)]
    open: bool,
}

pub(super) async fn run(arguments: Arguments, mut config: Config, terminal: &Terminal) -> Result<Exit, Error> {
    config.serve.listen = arguments.listen.unwrap_or(config.serve.listen);
    let listen = Listen {
        address: config.serve.listen,
        public_url: config.serve.public_url.clone(),
        production: config.production,
    };
    let app = Arc::new(open(config, "serve", terminal).await?);
    let mut stop = stop_signal(terminal, ENDING);
    let listener = Listener::start(Arc::clone(&app), &listen).await?;
    let first = app.first_start().await?.map(|token| link(&listener, &token));
    terminal.say(format!("The console is at {}", listener.url("/")));
    if let Some(link) = &first {
        terminal.say("Nobody has an account yet. This link makes you the owner; it works once, for a day:");
        terminal.say(format!("  {link}"));
    }
    terminal.document(&json!({
        "url": listener.url("/"),
        "address": listener.address().to_string(),
        "first_start": first,
    }));
    if arguments.open {
        open_browser(first.as_deref().unwrap_or(&listener.url("/")));
    }
    let tending = tokio::spawn(Arc::clone(&app).keep_tending(stop.clone()));
    let running = tokio::spawn(Arc::clone(&app).keep_running(stop.clone()));
    // Fails when nobody can tell it to end any more, which does not happen.
    let _ = stop.wait_for(|stop| *stop).await;
    listener.stop().await;
    // A renewal under way runs in a task of its own, and is given the time to store its answer.
    let _ = tending.await;
    // Runs under way end at their next checkpoint.
    let _ = running.await;
    Ok(Exit::Done)
}

/// The address of a one-time link.
pub(super) fn link(listener: &Listener, token: &Token) -> String {
    listener.url(&format!("/link?token={}", token.expose()))
}
