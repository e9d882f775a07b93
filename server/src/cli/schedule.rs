//! `orgtide schedule`

use clap::Args;
use serde_json::json;

use super::terminal::{Terminal, short};
use crate::{
    app::{
        App,
        schedules::{Decision, PlannedStream, ScheduleStatus},
    },
    error::{Error, Exit},
    schedule::when::Schedule,
    store::journal::Actor,
};

/// Shows when streams run by themselves, and changes it
///
/// `orgtide serve` runs them. A schedule is `none`, `every 15 minutes` (or 15m, 2h), `hourly`, `hourly at :20`,
/// `daily at 03:00 Europe/Berlin`, or `cron` with five fields and a zone; without a zone it is UTC. Streams of an interval
/// begin spread over its first tenth. What was missed is caught up by one run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide schedule acme
  orgtide schedule acme every 15 minutes
  orgtide schedule acme Account Contact daily at 03:00 Europe/Berlin
  orgtide schedule acme Contact \"cron */20 6-18 * * 1-5 Europe/Berlin\"
  orgtide schedule acme Contact --now")]
pub(super) struct Arguments {
    /// The connection's name
    connection: String,
    /// Objects [default: every object that was imported], then when they run
    #[arg(value_name = "OBJECT… WHEN")]
    words: Vec<String>,
    /// The schedule starts nothing until --resume
    #[arg(long, conflicts_with_all = ["resume", "now"])]
    pause: bool,
    /// The schedule counts again, and what was missed is caught up
    #[arg(long, conflicts_with = "now")]
    resume: bool,
    /// One run as soon as a process that serves has a worker for it
    #[arg(long)]
    now: bool,
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let name = &arguments.connection;
    let known = app.schedules(name, &[]).await?;
    let (objects, schedule) = split(name, &arguments.words, &known)?;
    let flags =
        [(arguments.pause, Decision::Pause), (arguments.resume, Decision::Resume), (arguments.now, Decision::RunNow)];
    let by_flag = flags.into_iter().filter(|(is_given, _)| *is_given).map(|(_, decision)| decision);
    for decision in schedule.map(Decision::Schedule).into_iter().chain(by_flag) {
        app.decide(name, &objects, &decision, &Actor::CommandLine).await?;
    }
    if arguments.now {
        terminal.notice(&format!(
            "`orgtide serve` runs it as soon as a worker is free; `orgtide sync {name}` runs it here."
        ));
    }
    let streams = app.schedules(name, &objects).await?;
    terminal.document(&json!({ "connection": name, "streams": streams }));
    let row = |stream: &PlannedStream| {
        vec![stream.object.clone(), stream.schedule.schedule.clone(), next_run(&stream.schedule)]
    };
    terminal.table(&["object", "schedule", "next run"], &[], streams.iter().map(row).collect());
    for stream in &streams {
        show_trouble(&stream.object, &stream.schedule, "", terminal);
    }
    Ok(Exit::Done)
}

/// When it runs next, in a column.
pub(super) fn next_run(schedule: &ScheduleStatus) -> String {
    match (schedule.is_wanted, schedule.paused, schedule.next_at) {
        (true, ..) => "asked for".to_owned(),
        (false, true, _) => "paused".to_owned(),
        (false, false, Some(at)) => short(at),
        (false, false, None) => String::new(),
    }
}

/// Says why a stream does not keep to its schedule.
pub(super) fn show_trouble(object: &str, schedule: &ScheduleStatus, indent: &str, terminal: &Terminal) {
    let Some(trouble) = &schedule.trouble else { return };
    terminal.say(format!(
        "{indent}{object} {}, since {} ({} failed): {}",
        trouble.needs,
        short(trouble.since),
        super::terminal::counted(u64::from(schedule.failures), "run"),
        trouble.message
    ));
}

/// The objects that come first, and the schedule after them.
fn split(
    connection: &str,
    words: &[String],
    known: &[PlannedStream],
) -> Result<(Vec<String>, Option<Schedule>), Error> {
    let is_known = |word: &&String| known.iter().any(|stream| stream.object.eq_ignore_ascii_case(word));
    let objects = words.iter().take_while(is_known).count();
    let (objects, when) = words.split_at(objects);
    let Some(first) = when.first() else { return Ok((objects.to_vec(), None)) };
    match when.join(" ").parse() {
        Ok(schedule) => Ok((objects.to_vec(), Some(schedule))),
        // A misspelt object stands before a schedule, or alone.
        Err(_) if names_an_object(when) => Err(Error::UnknownStream {
            connection: connection.to_owned(),
            object: first.clone(),
            known: known.iter().map(|stream| stream.object.clone()).collect(),
        }),
        Err(error) => Err(error.into()),
    }
}

fn names_an_object(when: &[String]) -> bool {
    let is_schedule = |words: &[String]| words.join(" ").parse::<Schedule>().is_ok();
    let begins_large = when.first().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_uppercase()));
    begins_large && (when.len() == 1 || (1..when.len()).any(|index| is_schedule(&when[index..])))
}
