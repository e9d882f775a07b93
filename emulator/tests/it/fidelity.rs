//! `FIDELITY.md` says of every route how faithful it is.

use std::collections::BTreeSet;

const ROUTES: &str = include_str!("../../src/route.rs");
const FIDELITY: &str = include_str!("../../FIDELITY.md");

/// The route templates of the program: what `template` gives for the journal.
fn templates() -> BTreeSet<&'static str> {
    let in_quotes = |line: &'static str| line.split_once("=> \"")?.1.split_once('"').map(|(template, _)| template);
    ROUTES.lines().filter_map(in_quotes).filter(|template| template.starts_with('/')).collect()
}

#[test]
fn every_route_is_named_in_the_list_of_what_is_faithful() {
    let templates = templates();
    assert!(templates.len() > 20, "{templates:?}");
    let short = |template: &str| template.replace("/services/data/vXX.X", "");
    let named = |template: &&str| {
        let short = short(template);
        FIDELITY.contains(&format!("`{template}`")) || (!short.is_empty() && FIDELITY.contains(&format!("`{short}`")))
    };
    let missing: Vec<&&str> = templates.iter().filter(|template| !named(template)).collect();
    assert!(missing.is_empty(), "routes that FIDELITY.md does not name: {missing:#?}");
}
