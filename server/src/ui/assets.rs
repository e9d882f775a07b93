//! Files of the pages. An address carries the hash of its content, so a browser may keep it for ever.

use std::sync::LazyLock;

use axum::response::IntoResponse;
use http::header;
use ring::digest;

use super::{
    call::{Answer, Call},
    problem::Problem,
};
use crate::hex::hex;

struct Asset {
    name: &'static str,
    media: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 5] = [
    Asset {
        name: "console.css",
        media: "text/css; charset=utf-8",
        content: concat!(include_str!("../../assets/frame.css"), "\n", include_str!("../../assets/parts.css")),
    },
    Asset { name: "guide.css", media: "text/css; charset=utf-8", content: crate::guide::html::STYLE },
    Asset {
        name: "console.js",
        media: "text/javascript; charset=utf-8",
        content: include_str!("../../assets/console.js"),
    },
    Asset {
        name: "htmx.js",
        media: "text/javascript; charset=utf-8",
        content: include_str!("../../assets/htmx-4.0.1.min.js"),
    },
    Asset { name: "icon.svg", media: "image/svg+xml", content: include_str!("../../assets/icon.svg") },
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut context = digest::Context::new(&digest::SHA256);
    ASSETS.iter().for_each(|asset| context.update(asset.content.as_bytes()));
    hex(&context.finish().as_ref()[..6])
});

/// The address of a file.
pub(super) fn address(name: &str) -> String {
    format!("/assets/{name}?v={}", *VERSION)
}

pub(super) async fn show(call: Call) -> Answer {
    let asset = ASSETS.iter().find(|asset| asset.name == call.part("file"));
    let asset = asset.ok_or_else(|| Problem::not_found("There is no such file."))?;
    let kept = if call.query.text("v") == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(header::CONTENT_TYPE, asset.media), (header::CACHE_CONTROL, kept)], asset.content).into_response())
}
