//! What docs/mapping.md shows is what there is.

use super::*;

const PAGE: &str = include_str!("../../../../docs/mapping.md");

fn blocks() -> Vec<&'static str> {
    PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect()
}

#[test]
fn every_example_of_the_reference_is_a_mapping_that_fits_an_org() {
    assert!(blocks().len() > 15, "the reference has examples");
    for block in blocks() {
        let whole =
            if block.contains("object =") { block.to_owned() } else { format!("object = \"Contact\"\n{block}") };
        compiled(&whole);
        let mapping = parsed(&whole);
        let json = serde_json::to_string(&mapping).unwrap();
        assert_eq!(serde_json::from_str::<Mapping>(&json).unwrap(), mapping, "{json}");
        let toml = toml::to_string(&mapping).unwrap();
        assert_eq!(parsed(&toml), mapping, "{toml}");
    }
}

#[test]
fn the_reference_names_every_key() {
    for key in [
        "object",
        "table",
        "stream",
        "filter",
        "limit",
        "deletes",
        "drift",
        "key",
        "rest",
        "field",
        "value",
        "compute",
        "column",
        "as",
        "format",
        "trim",
        "case",
        "values",
        "other",
        "label",
        "currency",
        "default",
        "required",
        "on_misfit",
    ] {
        assert!(PAGE.contains(&format!("`{key}`")), "{key}");
        assert!(blocks().iter().any(|block| block.contains(&format!("{key} ="))), "an example of {key}");
    }
}
