//! `orgtide quota`

use clap::Args;
use serde_json::json;

use super::terminal::{Terminal, counted, grouped, short};
use crate::{
    app::{App, quota::QuotaStatus},
    error::{Error, Exit},
    quota::{OwnRules, Rules},
    store::journal::Actor,
};

/// Shows how an org's API quota stands, and sets how much of it may be taken
///
/// All connections of the org, all streams and all processes share the budget. When it is used up, runs stop where they are,
/// keep what they have read, and go on when older calls are a day old. What a person waits for (check, connect, preview) is
/// counted and never refused. The section `quota` of the configuration holds for every org for which nothing else is set.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  orgtide quota acme
  orgtide quota acme --calls 200
  orgtide quota acme --share 30 --reserve 20 --jobs 50
  orgtide quota acme --default")]
pub(super) struct Arguments {
    /// The connection's name
    connection: String,
    /// No more API calls in 24 hours than this, whatever the share
    #[arg(long, value_name = "NUMBER")]
    calls: Option<u64>,
    /// No more Bulk jobs in 24 hours than this, whatever the share
    #[arg(long, value_name = "NUMBER")]
    jobs: Option<u64>,
    /// Of the org's calls and jobs, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    share: Option<u64>,
    /// Runs wait while all programs together have left less of the org's calls, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    reserve: Option<u64>,
    /// Forgets what was set for this org; what is given beside it is set
    #[arg(long)]
    default: bool,
}

impl Arguments {
    fn sets_something(&self) -> bool {
        let numbers = [self.calls, self.jobs, self.share, self.reserve];
        self.default || numbers.iter().any(Option::is_some)
    }

    fn apply(&self, own: &mut OwnRules) {
        let before = if self.default { OwnRules::default() } else { *own };
        *own = OwnRules {
            share_percent: self.share.or(before.share_percent),
            reserve_percent: self.reserve.or(before.reserve_percent),
            daily_calls: self.calls.or(before.daily_calls),
            daily_bulk_jobs: self.jobs.or(before.daily_bulk_jobs),
        };
    }
}

pub(super) async fn run(arguments: Arguments, app: App, terminal: &Terminal) -> Result<Exit, Error> {
    let name = &arguments.connection;
    let quota = match arguments.sets_something() {
        true => app.decide_quota(name, |own| arguments.apply(own), &Actor::CommandLine).await?,
        false => app.quota(name).await?,
    };
    terminal.document(&json!({ "connection": name, "quota": quota }));
    for line in lines(&quota) {
        terminal.say(line);
    }
    Ok(Exit::Done)
}

fn lines(quota: &QuotaStatus) -> Vec<String> {
    let QuotaStatus { calls, jobs, budget, rules, reserve, .. } = quota;
    let mut lines = vec![format!(
        "API calls of 24 hours: {} of the {} that may be made are used ({})",
        grouped(*calls),
        grouped(budget.calls),
        why(rules, quota.org.is_none())
    )];
    lines.push(format!("Bulk jobs of 24 hours: {} of {}", grouped(*jobs), grouped(budget.jobs)));
    lines.push(match quota.org {
        Some(heard) => format!(
            "The org: {} of {} API calls are used by all programs, as of {}; the last {} are left to others",
            grouped(heard.used),
            grouped(heard.max),
            short(heard.at),
            grouped(*reserve)
        ),
        None => "The org has not said yet how many API calls it has".to_owned(),
    });
    lines.push(format!("Schedules need about {} in 24 hours", counted(quota.scheduled_calls, "API call")));
    lines.extend(quota.notes());
    lines
}

/// Where the number comes from.
fn why(rules: &Rules, is_assumed: bool) -> String {
    let share = format!("{} % of the org's", rules.share_percent);
    let cap = rules.daily_calls.map(|calls| format!(", at most {}", grouped(calls))).unwrap_or_default();
    let assumed = if is_assumed { ", of which 15,000 are assumed" } else { "" };
    format!("{share}{assumed}{cap}")
}

/// How much of the budget is used, in a line of `status`.
pub(super) fn in_short(quota: &QuotaStatus) -> String {
    let budget = format!("{} of {} of the budget", grouped(quota.calls), grouped(quota.budget.calls));
    match quota.org {
        Some(heard) => {
            format!("{budget}; {} of {} of the org by all programs", grouped(heard.used), grouped(heard.max))
        }
        None => budget,
    }
}
