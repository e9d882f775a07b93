//! When streams run, as the console shows it, and its buttons.

use salesforce::Timestamp;

use super::{
    call::{Answer, Call, go_to},
    problem::Problem,
    words::Moment,
};
use crate::{
    app::schedules::{Decision, ScheduleStatus},
    error::Error,
    schedule::when::Schedule,
    store::journal::Actor,
};

/// When a stream runs.
pub(super) struct ScheduleView {
    pub(super) schedule: String,
    pub(super) next: Option<Moment>,
    /// Why `next` is none, or not to be relied on.
    pub(super) word: &'static str,
    pub(super) is_paused: bool,
    /// For admins alone.
    pub(super) trouble: Option<String>,
}

impl ScheduleView {
    pub(super) fn of(status: &ScheduleStatus, is_admin: bool, now: Timestamp) -> Self {
        let word = match (status.is_wanted, status.paused, status.next_at) {
            (true, ..) => "asked for",
            (false, true, _) => "paused",
            (false, false, Some(at)) if at <= now => "due",
            (false, false, Some(_)) => "",
            (false, false, None) => "not by itself",
        };
        let trouble = status.trouble.as_ref().filter(|_| is_admin);
        Self {
            schedule: status.schedule.clone(),
            next: status.next_at.filter(|_| word.is_empty()).map(|at| Moment::of(at, now)),
            word,
            is_paused: status.paused,
            trouble: trouble.map(|trouble| format!("It {}: {}", trouble.needs, trouble.message)),
        }
    }
}

/// Runs a stream now, pauses or resumes it, or sets when it runs; all streams where the form names none.
pub(super) async fn decide(call: Call) -> Answer {
    let name = call.part("name");
    let decision = match call.form.text("decision") {
        "run-now" => Decision::RunNow,
        "pause" => Decision::Pause,
        "resume" => Decision::Resume,
        "set" => Decision::Schedule(call.form.text("when").parse::<Schedule>().map_err(Error::from)?),
        _ => return Err(Problem::not_found("There is no such button.")),
    };
    let objects: Vec<String> = call.form.given("object").map(str::to_owned).into_iter().collect();
    let actor = Actor::User(call.caller()?.user.email.clone());
    call.console.app.decide(name, &objects, &decision, &actor).await?;
    go_to(&format!("/connections/{name}?done={}", if decision == Decision::RunNow { "wanted" } else { "scheduled" }))
}
