//! Copying a connection's settings to another one: the plan, and the button.

use askama::Template;

use super::{
    call::{Answer, Call, go_to},
    frame::Frame,
    words::{BAD, Badge, CALM, GOOD, WARN},
};
use crate::{
    app::promote::{Promoted, PromotedStream, Wanted},
    store::journal::Actor,
};

#[derive(Template)]
#[template(path = "ui/promote.html")]
struct Page {
    frame: Frame,
    name: String,
    /// The other connections.
    targets: Vec<String>,
    plan: Option<Plan>,
}

/// What would become of each stream at the chosen connection.
struct Plan {
    to: String,
    streams: Vec<Row>,
    /// Streams that are there are changed: somebody has to agree.
    has_changed: bool,
    /// Something does not fit: it is left out, or nothing is saved.
    has_unfit: bool,
    has_anything: bool,
}

struct Row {
    object: String,
    table: String,
    schedule: String,
    badge: Badge,
    details: Vec<String>,
}

pub(super) async fn show(call: Call) -> Answer {
    let name = call.part("name").to_owned();
    let app = &call.console.app;
    app.one_status(&name).await?;
    let targets = app.connection_names().await?.into_iter().filter(|other| *other != name).collect();
    let plan = match call.query.given("to") {
        Some(to) => Some(Plan::of(to, app.plan_promotion(&name, to, &Wanted::default()).await?.streams)),
        None => None,
    };
    let frame = call
        .frame("Copy settings")
        .below("Integrations", "/integrations")
        .below(name.clone(), format!("/connections/{name}"));
    call.page(&Page { frame, name, targets, plan })
}

impl Plan {
    fn of(to: &str, streams: Vec<PromotedStream>) -> Self {
        let has = |is_so: fn(&Promoted) -> bool| streams.iter().any(|stream| is_so(&stream.change));
        Self {
            to: to.to_owned(),
            has_changed: has(|change| matches!(change, Promoted::Changed { .. })),
            has_unfit: has(|change| matches!(change, Promoted::Unfit { .. })),
            has_anything: has(|change| matches!(change, Promoted::Added | Promoted::Changed { .. })),
            streams: streams.into_iter().map(Row::of).collect(),
        }
    }
}

impl Row {
    fn of(stream: PromotedStream) -> Self {
        let (badge, details) = match stream.change {
            Promoted::Added => (GOOD.named("Is added"), Vec::new()),
            Promoted::Changed { differences } => (WARN.named("Is changed"), differences),
            Promoted::Same => (CALM.named("Is the same"), Vec::new()),
            Promoted::Unfit { problems } => (BAD.named("Does not fit"), problems),
            Promoted::LeftOut { reason } => (CALM.named("Is left out"), vec![reason]),
        };
        Self { object: stream.object, table: stream.table, schedule: stream.schedule, badge, details }
    }
}

pub(super) async fn save(call: Call) -> Answer {
    let name = call.part("name").to_owned();
    let to = call.form.text("to").to_owned();
    let wanted = Wanted {
        replace: call.form.given("replace").is_some(),
        skip_unfit: call.form.given("skip_unfit").is_some(),
        ..Wanted::default()
    };
    let actor = Actor::User(call.caller()?.user.email.clone());
    call.console.app.promote(&name, &to, &wanted, &actor).await?;
    go_to(&format!("/connections/{to}?done=promoted"))
}
