//! `orgtide promote`

use clap::Args;

use super::{
    progress::destination_place,
    terminal::{Terminal, counted},
};
use crate::{
    app::{
        App,
        promote::{Promoted, PromotedStream, Promotion, Wanted},
    },
    error::{Error, Exit},
    store::journal::Actor,
};

/// Copies the streams of a connection to another: mappings, read modes and schedules
///
/// Such as from a sandbox to production, or back. Each mapping is checked against the target as its user sees it, and what
/// would change is shown. Nothing is saved unless everything fits; records, secrets and grants stay where they are. What
/// was copied is imported by the next `orgtide import`, or when its schedule says so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide promote acme-uat --to acme --plan
  orgtide promote acme-uat --to acme
  orgtide promote acme-uat Account Contact --to acme --replace
  orgtide promote acme-uat --to acme --destination postgres://loader@db.example/sales")]
pub(super) struct Arguments {
    /// The connection whose settings are copied
    from: String,
    /// Objects or tables [default: all streams]
    #[arg(value_name = "OBJECT")]
    objects: Vec<String>,
    /// The connection that gets them
    #[arg(long, value_name = "CONNECTION")]
    to: String,
    /// Shows what would change, and changes nothing
    #[arg(long)]
    plan: bool,
    /// Streams that are there with other settings are changed
    #[arg(long)]
    replace: bool,
    /// What does not fit the target is left out
    #[arg(long)]
    skip_unfit: bool,
    /// Where the rows go [default: where the source's go; from its own file into the target's own]
    #[arg(long, value_name = "DESTINATION")]
    destination: Option<String>,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let Arguments { from, objects, to, plan, replace, skip_unfit, destination } = arguments;
    let wanted = Wanted { objects, destination, replace, skip_unfit };
    let planned = app.plan_promotion(&from, &to, &wanted).await?;
    show(&planned, terminal);
    if plan {
        terminal.document(&planned);
        return Ok(if planned.unfit().is_empty() { Exit::Done } else { Exit::Partial });
    }
    let promoted = app.promote(&from, &to, &wanted, &Actor::CommandLine).await?;
    terminal.document(&promoted);
    let saved = promoted.streams.iter().filter(|stream| is_saved(stream)).count() as u64;
    match saved {
        0 => terminal.say(format!("{to} has these settings already; nothing was changed.")),
        _ => {
            terminal.say(format!(
                "{} of {to} saved. Next: orgtide sync {to}, unless a schedule does so.",
                counted(saved, "stream")
            ));
        }
    }
    Ok(if promoted.unfit().is_empty() { Exit::Done } else { Exit::Partial })
}

fn is_saved(stream: &PromotedStream) -> bool {
    matches!(stream.change, Promoted::Added | Promoted::Changed { .. })
}

/// A line a stream, and below it what differs or does not fit.
fn show(promotion: &Promotion, terminal: &Terminal) {
    for stream in &promotion.streams {
        let (sign, word, details): (_, _, &[String]) = match &stream.change {
            Promoted::Added => ("+", "is added", &[]),
            Promoted::Changed { differences } => ("~", "is changed", differences),
            Promoted::Same => ("=", "is the same", &[]),
            Promoted::Unfit { problems } => ("!", "does not fit", problems),
            Promoted::LeftOut { reason } => ("-", "is left out", std::slice::from_ref(reason)),
        };
        let PromotedStream { object, table, destination, schedule, .. } = stream;
        let place = destination_place(destination);
        terminal.say(format!("{sign} {object} {word}: {table} in {place}, runs {schedule}"));
        details.iter().for_each(|detail| terminal.say(format!("    {detail}")));
    }
}
