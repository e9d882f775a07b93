//! The page as it changes: server-sent events with the rows and parts that the page itself is made of.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{faults, rendered, words};
use crate::clock::Passage;
use crate::journal::JournalEntry;
use crate::org::Org;
use crate::payload::Payload;
use crate::world::World;

/// Requests on the page.
pub(super) const MOST_REQUESTS: usize = 200;
/// Messages and logins on the page.
const MOST_LISTED: usize = 20;
/// What changes by other ways than a request is looked at as often.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Template)]
#[template(path = "home/clock.html")]
struct ClockPart {
    machine: String,
    hour: String,
    day: String,
    passage: &'static str,
}

#[derive(Template)]
#[template(path = "home/faults.html")]
struct FaultsPart {
    faults: Vec<WaitingFault>,
}

struct WaitingFault {
    effect: String,
    on: String,
    when: String,
}

#[derive(Template)]
#[template(path = "home/mailbox.html")]
struct MailboxPart {
    messages: Vec<Letter>,
}

struct Letter {
    number: u64,
    machine: String,
    at: String,
    to: String,
    subject: String,
    text: String,
    code: Option<String>,
}

#[derive(Template)]
#[template(path = "home/logins.html")]
struct LoginsPart {
    id: String,
    org: String,
    entries: Vec<Login>,
}

struct Login {
    machine: String,
    at: String,
    username: String,
    from: String,
    application: String,
    login_type: &'static str,
    status: &'static str,
    succeeded: bool,
}

#[derive(Template)]
#[template(path = "home/requests.html")]
struct RequestRows {
    requests: Vec<RequestRow>,
}

struct RequestRow {
    number: u64,
    machine: String,
    at: String,
    method: String,
    path: String,
    host: String,
    class: &'static str,
    status: String,
    fault: Option<&'static str>,
}

pub(super) fn clock(world: &World) -> String {
    let now = world.shared.clock.now();
    rendered(&ClockPart {
        machine: machine(now),
        hour: now.format("%H:%M:%S").to_string(),
        day: now.format("%A %-d %B %Y").to_string(),
        passage: match world.shared.clock.passage() {
            Passage::Running => "runs with real time",
            Passage::Frozen => "stands still until it is moved",
        },
    })
}

pub(super) fn waiting_faults(world: &World) -> String {
    let waiting = world.shared.faults.unused();
    let told = waiting.iter().map(|fault| WaitingFault {
        effect: faults::described(fault),
        on: fault.on.to_string(),
        when: faults::due(fault),
    });
    rendered(&FaultsPart { faults: told.collect() })
}

pub(super) fn mailbox(world: &World) -> String {
    let messages = world.shared.mailbox.messages().into_iter().rev().take(MOST_LISTED);
    let letters = messages.map(|message| Letter {
        number: message.number,
        machine: machine(message.at),
        at: day_and_time(message.at),
        to: message.to,
        subject: message.subject,
        text: message.text,
        code: message.code,
    });
    rendered(&MailboxPart { messages: letters.collect() })
}

pub(super) fn logins(org: &Org) -> String {
    let entries = org.login_history.entries().into_iter().rev().take(MOST_LISTED);
    let entries = entries.map(|entry| Login {
        machine: machine(entry.at),
        at: day_and_time(entry.at),
        username: entry.username,
        from: entry.from.to_string(),
        application: entry.application.unwrap_or_else(|| "unknown".to_owned()),
        login_type: entry.login_type,
        status: entry.status,
        succeeded: entry.status == "Success",
    });
    let my_domain = &org.scenario.org.my_domain;
    rendered(&LoginsPart { id: format!("logins-{my_domain}"), org: my_domain.clone(), entries: entries.collect() })
}

/// Rows of the newest requests.
pub(super) fn newest_requests(world: &World) -> String {
    request_rows(world.shared.journal.newest(MOST_REQUESTS))
}

fn request_rows(entries: Vec<JournalEntry>) -> String {
    let rows = entries.into_iter().map(|entry| RequestRow {
        number: entry.number,
        machine: machine(entry.at),
        at: entry.at.format("%H:%M:%S").to_string(),
        method: entry.method,
        path: entry.path,
        host: entry.host,
        class: words::status_class(entry.status),
        status: entry.status.map_or_else(|| "none yet".to_owned(), |status| status.to_string()),
        fault: entry.fault,
    });
    rendered(&RequestRows { requests: rows.collect() })
}

fn machine(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn day_and_time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// An endless body of events: everything first, then what changes.
pub(super) fn events(world: Arc<World>) -> Payload {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = Feed { requests: world.shared.journal.watch(), parts: Vec::new(), look, world };
    let start = Some(News::Everything);
    let chunks = futures_util::stream::unfold((feed, start), |(mut feed, mut news)| async move {
        loop {
            let found = match news.take() {
                Some(found) => found,
                None => feed.wait().await,
            };
            let text = feed.tell(found);
            if !text.is_empty() {
                return Some((Ok(Bytes::from(text)), (feed, None)));
            }
        }
    });
    Payload::chunks(Box::pin(chunks), None)
}

/// What one reader of the events has been told.
struct Feed {
    world: Arc<World>,
    requests: Receiver<JournalEntry>,
    look: Interval,
    /// As they were sent last, in the order of [`parts`].
    parts: Vec<String>,
}

enum News {
    Everything,
    Requests(Vec<JournalEntry>),
    /// It is time to look whether a part has changed.
    Nothing,
}

impl Feed {
    async fn wait(&mut self) -> News {
        tokio::select! {
            received = self.requests.recv() => self.drain(received),
            _ = self.look.tick() => News::Nothing,
        }
    }

    /// Takes what else has come, so that many requests make one event.
    fn drain(&mut self, first: Result<JournalEntry, RecvError>) -> News {
        let Ok(first) = first else {
            // Some changes were missed.
            self.requests = self.requests.resubscribe();
            return News::Everything;
        };
        let mut entries = vec![first];
        while entries.len() < MOST_REQUESTS {
            let Ok(entry) = self.requests.try_recv() else { break };
            entries.retain(|known| known.number != entry.number);
            entries.push(entry);
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.number));
        News::Requests(entries)
    }

    fn tell(&mut self, news: News) -> String {
        let mut text = match news {
            News::Everything => event("all-rows", &newest_requests(&self.world)),
            News::Requests(entries) => event("rows", &request_rows(entries)),
            News::Nothing => String::new(),
        };
        let parts = parts(&self.world);
        for (index, part) in parts.iter().enumerate() {
            if self.parts.get(index) != Some(part) {
                text.push_str(&event("part", part));
            }
        }
        self.parts = parts;
        text
    }
}

fn parts(world: &World) -> Vec<String> {
    let shared = [clock(world), waiting_faults(world), mailbox(world)];
    shared.into_iter().chain(world.orgs().iter().map(|org| logins(org))).collect()
}

/// One event (WHATWG HTML, "Server-sent events"): a line break in the data begins another `data` line.
fn event(name: &str, data: &str) -> String {
    let mut text = format!("event: {name}\n");
    for line in data.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        text.push_str(&format!("data: {line}\n"));
    }
    if data.trim().is_empty() {
        text.push_str("data\n");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn a_verification_code_that_was_sent_can_be_read_and_copied() {
        let world = World::new(vec![Scenario::builtin("acme").unwrap()], None).unwrap();
        assert!(mailbox(&world).contains("No message."));
        let now = world.shared.clock.now();
        world.shared.mailbox.send_code("ada@acme.example", "111111", now);
        world.shared.mailbox.send_code("ada@acme.example", "222222", now);
        let html = mailbox(&world);
        assert!(html.find("data-copy=\"222222\"").unwrap() < html.find("data-copy=\"111111\"").unwrap(), "{html}");
    }

    #[test]
    fn every_line_of_an_event_is_data() {
        assert_eq!(event("part", "<p>\none\r\ntwo</p>\n"), "event: part\ndata: <p>\ndata: one\ndata: two</p>\n\n");
        assert_eq!(event("all-rows", ""), "event: all-rows\ndata\n\n");
    }
}
