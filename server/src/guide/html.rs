//! A guide as HTML: a whole page that needs nothing else, and the part of it that a console shows beside a form.
//!
//! Neither has a script. The page carries its own style sheet and a content security policy that allows exactly that one;
//! whoever embeds the fragment serves [`STYLE`] as a file.

use askama::Template;
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};

use super::{Enter, Guide};

/// The style sheet of guides; every class begins with `guide`.
pub const STYLE: &str = include_str!("../../templates/guide.css");

#[derive(Template)]
#[template(path = "guide.html")]
struct Page<'a> {
    guide: &'a Guide,
    /// The level of the guide's own heading.
    top: u8,
    style: &'static str,
    style_hash: String,
}

#[derive(Template)]
#[template(path = "guide_body.html")]
struct Fragment<'a> {
    guide: &'a Guide,
    top: u8,
}

/// A whole page, to be saved, printed or sent.
pub fn page(guide: &Guide) -> String {
    let style_hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let page = Page { guide, top: 1, style: STYLE, style_hash };
    page.render().expect("a guide is rendered into memory")
}

/// An `article` for a page that has a head, and a heading of the first level, of its own. At most one a page.
pub fn fragment(guide: &Guide) -> String {
    Fragment { guide, top: 2 }.render().expect("a guide is rendered into memory")
}

#[cfg(test)]
mod tests {
    use salesforce::oauth::Flow;

    use super::*;
    use crate::guide::GuideRequest;

    #[test]
    fn what_people_enter_cannot_become_markup_or_leave_the_policy() {
        let mut request = GuideRequest::new(Flow::WebServer, "http://localhost");
        request.app_name = "<script>alert(1)</script>\"'&".to_owned();
        let page = page(&Guide::of(&request));
        assert!(!page.contains("<script") && page.contains("&#60;script&#62;"), "{page}");
        assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"));
    }

    #[test]
    fn the_policy_allows_the_one_style_sheet_that_the_page_carries() {
        let page = page(&Guide::of(&GuideRequest::new(Flow::Device, "http://localhost")));
        let (_, rest) = page.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
        assert!(page.contains(&format!("style-src 'sha256-{hash}'")));
        assert!(!page.contains(" style=") && !page.contains("http-equiv=\"refresh\""));
    }
}
