//! Faults: values in a queue, or a rate, that make requests go wrong.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::database::{RowError, StatusCode};
use crate::pattern::Pattern;
use crate::random::Random;

/// One fault. It strikes once and is then used up.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests: `METHOD path`, such as `GET /services/data/vXX.X/query`. It is compared with the path as sent
    /// and with the path whose variable parts are replaced (see [`crate::JournalEntry::route`]). `*` is any text.
    pub on: Pattern,
    /// Strikes at the nth matching request, counted from 1 when the fault is pushed.
    #[serde(default = "first")]
    pub nth: u32,
    pub effect: Effect,
}

impl Fault {
    /// A fault for the next request that fits `on`.
    pub fn next(on: &str, effect: Effect) -> Self {
        Self { on: Pattern::from(on), nth: 1, effect }
    }
}

/// What goes wrong.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// An error in the shape of the data API, without the work being done.
    Error { status: u16, code: String, message: String },
    /// Any answer, without the work being done.
    Answer { status: u16, content_type: String, body: String },
    /// 503, `SERVER_UNAVAILABLE`, with `Retry-After` in seconds.
    Unavailable { retry_after: u32 },
    /// A maintenance page in HTML. Real ones come with 503 and with 200.
    Maintenance { status: u16 },
    /// The connection breaks after so many bytes of the body.
    CutBody { after: u64 },
    /// The body comes at this pace; it costs at most a minute.
    SlowBody { bytes_per_second: u64 },
    /// No answer until the client gives up, the emulator stops or [`crate::Control::release`] lets it go on. A refresh
    /// token that is presented meanwhile counts as being processed.
    Hang,
    /// The work is done and then the connection dropped, without an answer.
    LostAnswer,
    /// The session that the request presents ends before it is looked at.
    ExpireSession,
    /// A Bulk job that is created stays in `InProgress`.
    StuckJob,
    /// A Bulk job that is created stays in `InProgress` for so long, by the emulated clock.
    SlowJob { seconds: u64 },
    /// A Bulk job that is created ends in `Failed`.
    FailedJob { message: String },
    /// The first rows of a Bulk job that is created, or of a batch, are refused so: `UNABLE_TO_LOCK_ROW` and its like.
    FailedRows { rows: u64, code: String, message: String },
    /// A Bulk job that is created fails after so many rows: they stay written, the rest is unprocessed.
    HalfDoneJob { after: u64, message: String },
    /// The connection breaks after so many bytes of an upload, and nothing of it is kept. Any other request goes
    /// unanswered.
    CutUpload { after: u64 },
    /// Somebody aborts the Bulk job: one that is created while it is in progress, one that is named by the request before
    /// it is looked at, unless it is done.
    AbortedJob,
    /// The Bulk job that the request names is gone before it is looked at, as after seven days: 404.
    ExpiredJob,
    /// The locator that the request presents has expired: 400 `INVALID_QUERY_LOCATOR`. A query's cursor is gone for good;
    /// that of a Bulk result is good again at the next request.
    ExpiredLocator,
    /// A Bulk result page lacks so many of its last rows, although its headers promise them.
    ShortPage { rows: u64 },
    /// A row is refused, whichever API writes it; the other rows of the request are not. It strikes rows instead of
    /// requests: `on` is compared with what is done and to which object, such as `INSERT Account`, `UPDATE *`, `UPSERT
    /// Contact`, `DELETE Lead`, `UNDELETE *`, and `nth` counts rows.
    RefusedRow {
        status_code: StatusCode,
        message: String,
        #[serde(default)]
        fields: Vec<String>,
    },
}

impl Effect {
    /// Name for the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Error { .. } => "error",
            Self::Answer { .. } => "answer",
            Self::Unavailable { .. } => "unavailable",
            Self::Maintenance { .. } => "maintenance",
            Self::CutBody { .. } => "cut_body",
            Self::SlowBody { .. } => "slow_body",
            Self::Hang => "hang",
            Self::LostAnswer => "lost_answer",
            Self::ExpireSession => "expire_session",
            Self::StuckJob => "stuck_job",
            Self::SlowJob { .. } => "slow_job",
            Self::FailedJob { .. } => "failed_job",
            Self::FailedRows { .. } => "failed_rows",
            Self::HalfDoneJob { .. } => "half_done_job",
            Self::CutUpload { .. } => "cut_upload",
            Self::AbortedJob => "aborted_job",
            Self::ExpiredJob => "expired_job",
            Self::ExpiredLocator => "expired_locator",
            Self::ShortPage { .. } => "short_page",
            Self::RefusedRow { .. } => "refused_row",
        }
    }

    fn strikes_rows(&self) -> bool {
        matches!(self, Self::RefusedRow { .. })
    }
}

/// A share of the requests that a pattern fits goes wrong, in a sequence that the scenario's seed decides.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FaultRate {
    pub on: Pattern,
    /// Between 0 and 1.
    pub probability: f64,
    pub effect: Effect,
}

fn first() -> u32 {
    1
}

/// The faults of one org that have not struck yet.
#[derive(Debug)]
pub(crate) struct Faults {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: Vec<Fault>,
    rates: Vec<FaultRate>,
    random: Random,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: Mutex::new(State { queue: Vec::new(), rates: Vec::new(), random: Random::new(seed) }) }
    }

    pub(crate) fn push(&self, fault: Fault) {
        self.lock().queue.push(fault);
    }

    /// Replaces the rate of the same pattern; a probability of 0 removes it.
    pub(crate) fn set_rate(&self, rate: FaultRate) {
        let mut state = self.lock();
        state.rates.retain(|known| known.on != rate.on);
        if rate.probability > 0.0 {
            state.rates.push(rate);
        }
    }

    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.queue.clear();
        state.rates.clear();
    }

    pub(crate) fn unused(&self) -> Vec<Fault> {
        self.lock().queue.clone()
    }

    /// The fault for a request, named by its line as sent and with the path replaced by its template.
    pub(crate) fn strike(&self, lines: [&str; 2]) -> Option<Effect> {
        self.due(&lines, |effect| !effect.strikes_rows())
    }

    /// The refusal for a row, named by what is done to which object: `INSERT Account`.
    pub(crate) fn strike_row(&self, line: &str) -> Option<RowError> {
        match self.due(&[line], Effect::strikes_rows)? {
            Effect::RefusedRow { status_code, message, fields } => {
                Some(RowError::of_fields(status_code, fields, message))
            }
            _ => None,
        }
    }

    fn due(&self, lines: &[&str], counts: impl Fn(&Effect) -> bool) -> Option<Effect> {
        let mut state = self.lock();
        let fits =
            |pattern: &Pattern, effect: &Effect| counts(effect) && lines.iter().any(|line| pattern.matches(line));
        let mut due = None;
        for (index, fault) in state.queue.iter_mut().enumerate() {
            if !fits(&fault.on, &fault.effect) {
                continue;
            }
            if fault.nth > 1 {
                fault.nth -= 1;
            } else if due.is_none() {
                due = Some(index);
            }
        }
        if let Some(index) = due {
            return Some(state.queue.remove(index).effect);
        }
        let rates = state.rates.clone();
        let struck = |rate: &FaultRate| fits(&rate.on, &rate.effect) && state.random.share() < rate.probability;
        rates.into_iter().find_map({
            let mut struck = struck;
            move |rate| struck(&rate).then_some(rate.effect)
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: [&str; 2] = ["GET /services/data/v60.0/query", "GET /services/data/vXX.X/query"];

    #[test]
    fn a_fault_strikes_at_its_nth_request_and_once() {
        let faults = Faults::new(1);
        faults.push(Fault { nth: 2, ..Fault::next("GET */query", Effect::Hang) });
        assert_eq!(faults.strike(QUERY), None);
        assert_eq!(faults.strike(["POST /x", "POST /x"]), None);
        assert_eq!(faults.strike(QUERY), Some(Effect::Hang));
        assert_eq!(faults.strike(QUERY), None);
        assert!(faults.unused().is_empty());
    }

    #[test]
    fn rows_and_requests_meet_faults_of_their_own() {
        let faults = Faults::new(1);
        let refused = |code| Effect::RefusedRow { status_code: code, message: "no".into(), fields: Vec::new() };
        faults.push(Fault { nth: 2, ..Fault::next("*", refused(StatusCode::UnableToLockRow)) });
        faults.push(Fault::next("*", Effect::Hang));
        assert_eq!(faults.strike_row("INSERT Account"), None);
        assert_eq!(faults.strike(QUERY), Some(Effect::Hang));
        assert_eq!(faults.strike(QUERY), None);
        let struck = faults.strike_row("UPDATE Contact").unwrap();
        assert_eq!((struck.status_code, struck.message.as_str()), (StatusCode::UnableToLockRow, "no"));
        assert!(faults.unused().is_empty());
    }

    #[test]
    fn a_rate_strikes_its_share_and_the_same_requests_for_the_same_seed() {
        let run = |seed| {
            let faults = Faults::new(seed);
            faults.set_rate(FaultRate { on: Pattern::from("*"), probability: 0.25, effect: Effect::LostAnswer });
            (0..1000).map(|_| faults.strike(QUERY).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let struck = run(7).into_iter().filter(|struck| *struck).count();
        assert!((200..300).contains(&struck), "{struck}");
    }
}
