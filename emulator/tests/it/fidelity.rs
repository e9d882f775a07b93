//! `FIDELITY.md` says of every route how faithful it is.

use std::collections::BTreeSet;

const ROUTES: [&str; 4] = [
    include_str!("../../src/route.rs"),
    include_str!("../../src/route/bulk.rs"),
    include_str!("../../src/route/platform.rs"),
    include_str!("../../src/route/rest.rs"),
];
const FIDELITY: &str = include_str!("../../FIDELITY.md");

/// The route templates of the program: every path that its table of routes writes out.
fn templates() -> BTreeSet<&'static str> {
    let programs = ROUTES.iter().map(|file| file.split("#[cfg(test)]").next().unwrap_or_default());
    let literals = programs.flat_map(|program| program.split('"').skip(1).step_by(2));
    literals.filter(|literal| literal.starts_with('/') && literal.len() > 1).collect()
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
