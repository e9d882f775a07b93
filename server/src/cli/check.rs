//! `orgtide check`

use clap::Args;
use serde_json::json;

use super::terminal::Terminal;
use crate::{
    app::App,
    diagnose::{Finding, Severity},
    error::{Error, Exit},
};

/// Checks a connection: sign-in, identity, API version, objects, mappings, quota
///
/// Each finding says what to do about it. Ends with 7 when something failed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orgtide check acme")]
pub(super) struct Arguments {
    /// The connection's name
    name: String,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let findings = app.check(&arguments.name).await?;
    let worst = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok);
    terminal.document(&json!({
        "connection": arguments.name,
        "ok": worst < Severity::Failed,
        "findings": findings,
    }));
    findings.iter().for_each(|finding| terminal.say(line(finding)));
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (failed, warnings) = (count(Severity::Failed), count(Severity::Warning));
    terminal.say(match (failed, warnings) {
        (0, 0) => format!("{} is well.", arguments.name),
        _ => format!("{failed} failed, {warnings} to look at, {} ok.", count(Severity::Ok)),
    });
    Ok(if failed > 0 { Exit::Partial } else { Exit::Done })
}

fn line(finding: &Finding) -> String {
    let mark = match finding.severity {
        Severity::Ok => "ok     ",
        Severity::Warning => "warning",
        Severity::Failed => "FAILED ",
    };
    let remedy = finding.remedy.iter().map(|remedy| format!("\n         what to do: {remedy}"));
    format!("{mark}  {}{}", finding.summary, remedy.collect::<String>())
}
