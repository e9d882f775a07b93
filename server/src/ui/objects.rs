//! Choosing what to import.

use askama::Template;
use http::StatusCode;
use sync::{mapping::Mapping, read::ReadChoice};

use super::{
    call::{Answer, Call, html},
    frame::Frame,
    imports::{Work, start},
    problem::Problem,
};
use crate::app::import::ImportRequest;

/// Objects that people usually want; they stand first, with what is known of their fields.
const USUAL: [&str; 6] = ["Account", "Contact", "Lead", "Opportunity", "Case", "User"];

#[derive(Template)]
#[template(path = "ui/objects.html")]
struct Page {
    frame: Frame,
    connection: String,
    usual: Vec<Row>,
    others: Vec<Row>,
    problem: Option<&'static str>,
}

struct Row {
    name: String,
    label: String,
    /// Readable fields, and how many of them are custom.
    fields: Option<String>,
    is_custom: bool,
    is_chosen: bool,
}

pub(super) async fn show(call: Call) -> Answer {
    let page = page(&call, None).await?;
    call.page(&page)
}

async fn page(call: &Call, problem: Option<&'static str>) -> Result<Page, Problem> {
    let app = &call.console.app;
    let name = call.part("name").to_owned();
    let objects: Vec<_> = app.objects(&name).await?.into_iter().filter(|object| object.queryable).collect();
    let (_, status) = app.one_status(&name).await?;
    let is_chosen = |object: &str| status.streams.iter().any(|stream| stream.object == object);
    let mut usual = Vec::new();
    for wanted in USUAL {
        let Some(object) = objects.iter().find(|object| object.name == wanted) else { continue };
        usual.push(Row {
            name: object.name.clone(),
            label: object.label.clone(),
            fields: app.describe(&name, wanted).await.ok().map(|described| {
                let custom = described.fields.iter().filter(|field| field.custom).count();
                let own = if custom == 0 { String::new() } else { format!(", {custom} of them custom") };
                format!("{} fields{own}", described.fields.len())
            }),
            is_custom: false,
            is_chosen: is_chosen(wanted),
        });
    }
    let others = objects.into_iter().filter(|object| !USUAL.contains(&object.name.as_str())).map(|object| Row {
        is_chosen: is_chosen(&object.name),
        is_custom: object.custom,
        fields: None,
        label: object.label,
        name: object.name,
    });
    Ok(Page {
        frame: call
            .frame("Choose objects")
            .below("Integrations", "/integrations")
            .below(name.clone(), format!("/connections/{name}")),
        others: others.collect(),
        connection: name,
        usual,
        problem,
    })
}

/// Begins to import what was chosen.
pub(super) async fn choose(call: Call) -> Answer {
    let name = call.part("name").to_owned();
    let chosen = call.form.all("object");
    if chosen.is_empty() {
        let page = page(&call, Some("Choose at least one object.")).await?;
        return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page));
    }
    let mapping = |object: String| Mapping { object, ..Mapping::default() };
    let request = ImportRequest {
        connection: name.clone(),
        mappings: chosen.into_iter().map(mapping).collect(),
        destination: None,
        read: ReadChoice::Auto,
    };
    start(&call, &name, Work::Import(request)).await
}

/// Reads what has changed since the last time.
pub(super) async fn sync(call: Call) -> Answer {
    let name = call.part("name").to_owned();
    start(&call, &name, Work::Sync).await
}
