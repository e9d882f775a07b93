//! What the page shows when it is asked for.

use std::sync::Arc;

use askama::Template;

use super::actions::Notice;
use super::faults::{EFFECTS, ROUTES, TypicalFault, TypicalRoute};
use super::live::{self, MOST_REQUESTS};
use super::org::OrgView;
use crate::world::World;

#[derive(Template)]
#[template(path = "home/page.html")]
pub(super) struct Page {
    title: String,
    notice: Option<Notice>,
    connect: Connect,
    /// At least one.
    orgs: Vec<OrgView>,
    scenarios: Vec<String>,
    caller: String,
    units: &'static [Unit],
    effects: &'static [TypicalFault],
    routes: &'static [TypicalRoute],
    most_requests: usize,
    clock: String,
    faults: String,
    mailbox: String,
    requests: String,
}

/// Where a client finds the orgs.
struct Connect {
    plain: String,
    tls: Option<String>,
    proxy: Option<String>,
}

/// A unit of time that the clock can be moved by.
struct Unit {
    name: &'static str,
    seconds: u32,
}

const UNITS: [Unit; 4] = [
    Unit { name: "minutes", seconds: 60 },
    Unit { name: "hours", seconds: 3600 },
    Unit { name: "days", seconds: 86_400 },
    Unit { name: "seconds", seconds: 1 },
];

impl Page {
    pub(super) fn of(world: &Arc<World>, notice: Option<Notice>) -> Self {
        let mut scenarios: Vec<String> = world.orgs().iter().map(|org| org.scenario.name.clone()).collect();
        scenarios.dedup();
        Self {
            title: title(world),
            notice,
            connect: Connect::of(world),
            orgs: world.orgs().iter().map(|org| OrgView::of(org, world)).collect(),
            scenarios,
            caller: world.shared.caller().to_string(),
            units: &UNITS,
            effects: &EFFECTS,
            routes: &ROUTES,
            most_requests: MOST_REQUESTS,
            clock: live::clock(world),
            faults: live::waiting_faults(world),
            mailbox: live::mailbox(world),
            requests: live::newest_requests(world),
        }
    }
}

fn title(world: &World) -> String {
    let name = world.primary().scenario.org.name.clone();
    match world.orgs().len() {
        1 => name,
        2 => format!("{name} and another org"),
        more => format!("{name} and {} other orgs", more - 1),
    }
}

impl Connect {
    fn of(world: &World) -> Self {
        let listeners = world.shared.listeners.get();
        let tls = listeners.and_then(|listeners| listeners.tls);
        let proxy = listeners.and_then(|listeners| listeners.proxy);
        Self {
            plain: world.shared.http_url.get().cloned().unwrap_or_default(),
            tls: tls.map(|address| address.to_string()),
            proxy: proxy.map(|address| format!("http://{address}")),
        }
    }
}
