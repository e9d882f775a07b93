//! The integrations: a card for Salesforce, with its connections.

use askama::Template;

use super::{
    call::{Answer, Call, go_to},
    frame::Frame,
    words::{Badge, badge_of, grouped},
};
use crate::app::{own_sign_in::OfferedSignIn, status::StreamStatus};

#[derive(Template)]
#[template(path = "ui/integrations.html")]
struct Page {
    frame: Frame,
    connections: Vec<Row>,
    /// Sign-ins that everybody may begin.
    offered: Vec<OfferedSignIn>,
}

struct Row {
    name: String,
    customer: String,
    org: String,
    badge: Badge,
    kind: String,
    streams: usize,
    rows: String,
    /// Copies that differed from their source when they were compared last, in words.
    differs: Option<String>,
}

pub(super) async fn first(_: Call) -> Answer {
    go_to("/integrations")
}

pub(super) async fn show(call: Call) -> Answer {
    let connections = call.console.app.status().await?.into_iter().map(|connection| Row {
        badge: badge_of(&connection.state),
        kind: connection.org_kind.to_string(),
        streams: connection.streams.len(),
        differs: differing(&connection.streams),
        rows: grouped(connection.streams.iter().filter_map(|stream| stream.rows).sum()),
        name: connection.name,
        customer: connection.customer,
        org: connection.org,
    });
    let offered = call.console.app.offered_sign_ins();
    call.page(&Page { frame: call.frame("Integrations"), connections: connections.collect(), offered })
}

fn differing(streams: &[StreamStatus]) -> Option<String> {
    let differs = |stream: &&StreamStatus| stream.certificate.as_ref().is_some_and(|certificate| !certificate.is_equal);
    match streams.iter().filter(differs).count() {
        0 => None,
        1 => Some("One copy differs from its source".to_owned()),
        number => Some(format!("{number} copies differ from their source")),
    }
}
