//! The page's buttons: each is a form that is posted, and leads back to the page with a sentence on what was done.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, header};

use super::faults;
use crate::answer::Answer;
use crate::faults::Fault;
use crate::world::World;

/// What a button did, or why it did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Clock,
    NoTime,
    Sessions,
    Caller,
    NoAddress,
    Fault,
    NoFault,
    Cleared,
    Released,
}

impl Notice {
    const ALL: [Self; 9] = [
        Self::Clock,
        Self::NoTime,
        Self::Sessions,
        Self::Caller,
        Self::NoAddress,
        Self::Fault,
        Self::NoFault,
        Self::Cleared,
        Self::Released,
    ];

    /// The notice that an address names.
    pub(super) fn named(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.code() == code)
    }

    fn code(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::NoTime => "no-time",
            Self::Sessions => "sessions",
            Self::Caller => "caller",
            Self::NoAddress => "no-address",
            Self::Fault => "fault",
            Self::NoFault => "no-fault",
            Self::Cleared => "cleared",
            Self::Released => "released",
        }
    }

    /// The section of the page that the button stands in.
    fn section(self) -> &'static str {
        match self {
            Self::Clock | Self::NoTime | Self::Sessions | Self::Caller | Self::NoAddress => "clock",
            Self::Fault | Self::NoFault | Self::Cleared | Self::Released => "faults",
        }
    }

    pub(super) fn text(&self) -> &'static str {
        match self {
            Self::Clock => "The clock has moved.",
            Self::NoTime => "The clock has not moved: give a whole number of at least 1.",
            Self::Sessions => "Every session has ended.",
            Self::Caller => "Callers seem to come from that address now.",
            Self::NoAddress => "The callers' address is as before: that was no IP address.",
            Self::Fault => "The fault waits for its request.",
            Self::NoFault => "No fault was added: choose what goes wrong, where, and at which request, counted from 1.",
            Self::Cleared => "No fault is waiting any more.",
            Self::Released => "Requests that hung go on.",
        }
    }

    pub(super) fn is_problem(&self) -> bool {
        matches!(self, Self::NoTime | Self::NoAddress | Self::NoFault)
    }
}

/// Does what a button says. An unknown button is not found.
pub(super) fn press(world: &Arc<World>, button: &str, body: &[u8]) -> Answer {
    let form = Form(body);
    let notice = match button {
        "clock" => move_clock(world, &form),
        "sessions" => {
            world.orgs().iter().for_each(|org| org.sessions.end_all());
            Notice::Sessions
        }
        "caller" => set_caller(world, &form),
        "faults" => add_fault(world, &form),
        "faults/clear" => {
            world.shared.faults.clear();
            Notice::Cleared
        }
        "faults/release" => {
            world.shared.release();
            Notice::Released
        }
        _ => return Answer::text(StatusCode::NOT_FOUND, "There is no such button here.\n"),
    };
    // 303: the browser comes back with GET, so a reload does nothing twice.
    let address = format!("/?done={}#{}", notice.code(), notice.section());
    Answer::empty(StatusCode::SEE_OTHER).with(header::LOCATION, &address)
}

fn move_clock(world: &World, form: &Form<'_>) -> Notice {
    let by_amount = || form.number("amount")?.checked_mul(form.number("unit")?);
    match form.number("seconds").or_else(by_amount) {
        Some(seconds) if seconds > 0 => {
            world.shared.clock.advance(Duration::from_secs(seconds));
            Notice::Clock
        }
        _ => Notice::NoTime,
    }
}

fn set_caller(world: &World, form: &Form<'_>) -> Notice {
    match form.text("address").and_then(|address| address.parse().ok()) {
        Some(address) => {
            world.shared.set_caller(address);
            Notice::Caller
        }
        None => Notice::NoAddress,
    }
}

fn add_fault(world: &World, form: &Form<'_>) -> Notice {
    let effect = form.text("effect").and_then(|id| faults::effect(&id));
    let nth = form.number("nth").and_then(|nth| u32::try_from(nth).ok()).filter(|nth| *nth > 0);
    match (effect, form.text("pattern").or_else(|| form.text("route")), nth) {
        (Some(effect), Some(on), Some(nth)) => {
            world.shared.faults.push(Fault { nth, ..Fault::next(&on, effect) });
            Notice::Fault
        }
        _ => Notice::NoFault,
    }
}

/// A form as browsers send it.
struct Form<'a>(&'a [u8]);

impl<'a> Form<'a> {
    /// A field without surrounding space; `None` when it is empty.
    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = url::form_urlencoded::parse(self.0).find(|(key, _)| key == name)?;
        let trimmed = value.trim();
        if trimmed.is_empty() {
            return None;
        }
        Some(if trimmed.len() == value.len() { value } else { Cow::Owned(trimmed.to_owned()) })
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_is_found_by_its_code() {
        for notice in Notice::ALL {
            assert_eq!(Notice::named(notice.code()), Some(notice));
        }
        assert_eq!(Notice::named("<script>"), None);
    }
}
