//! The scenarios that come with the program.

use super::guide::Guide;
use super::{Scenario, ScenarioError};

/// Name, what it is, and the text.
const SCENARIOS: [(&str, &str, &str); 7] = [
    (
        "acme",
        "A small production org for tests; time stands still until it is moved",
        include_str!("../../scenarios/acme.toml"),
    ),
    ("demo", "The org of `orgtide demo`: 100,000 contacts, two client apps", include_str!("../../scenarios/demo.toml")),
    (
        "g1-fynancial",
        "Fynancial's guide as it is written: device flow, and neither a scope nor a callback URL",
        include_str!("../../scenarios/guides/g1.toml"),
    ),
    (
        "g2-genfin",
        "Genfin's guide: client credentials of an External Client App, contacts with custom fields",
        include_str!("../../scenarios/guides/g2.toml"),
    ),
    (
        "g3-mailfino",
        "mailfino's guide: web server flow with PKCE of an External Client App",
        include_str!("../../scenarios/guides/g3.toml"),
    ),
    (
        "g4-multisource-csm",
        "MultiSource Connector for CSM: client credentials of a Connected App, API Only user",
        include_str!("../../scenarios/guides/g4.toml"),
    ),
    (
        "g5-tesorio",
        "Tesorio's guide: username, password and security token by a Connected App",
        include_str!("../../scenarios/guides/g5.toml"),
    ),
];

/// The guides behind those of the scenarios that have variants.
const GUIDES: [&str; 5] = [
    include_str!("../../scenarios/guides/g1.guide.toml"),
    include_str!("../../scenarios/guides/g2.guide.toml"),
    include_str!("../../scenarios/guides/g3.guide.toml"),
    include_str!("../../scenarios/guides/g4.guide.toml"),
    include_str!("../../scenarios/guides/g5.guide.toml"),
];

/// A scenario that comes with the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// What [`Scenario::builtin`] takes, such as `g2-genfin` or `g2-genfin/run-as-missing`.
    pub name: String,
    /// What it is; of a variant of a guide, what the admin did wrong.
    pub about: String,
}

impl Scenario {
    /// A scenario that comes with the program: one of [`Scenario::builtins`].
    pub fn builtin(name: &str) -> Option<Self> {
        let scenario = match name.split_once('/') {
            None => Self::from_toml(text(name)?),
            Some((guide, variant)) => Guide::named(guide)?.scenario(variant)?,
        };
        Some(scenario.expect("the tests read every scenario that is shipped"))
    }

    /// Every scenario that comes with the program; variants follow the guide that they depart from.
    pub fn builtins() -> Vec<Builtin> {
        let guides = Guide::all();
        let described = |name: &str, about: &str| Builtin { name: name.to_owned(), about: about.to_owned() };
        let variants = |name: &str| {
            let guide = guides.iter().find(|guide| guide.name == name);
            guide.map(Guide::departures).unwrap_or_default()
        };
        let with_variants =
            |(name, about, _): (&str, &str, &str)| [vec![described(name, about)], variants(name)].concat();
        SCENARIOS.into_iter().flat_map(with_variants).collect()
    }

    /// Names of the scenarios that come with the program, without the variants of guides.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        SCENARIOS.iter().map(|(name, _, _)| *name)
    }
}

impl Guide {
    /// The five guides.
    pub fn all() -> Vec<Self> {
        let read = |text: &str| toml::from_str(text).expect("the tests read every guide that is shipped");
        GUIDES.into_iter().map(read).collect()
    }

    /// The guide of a scenario, such as `g2-genfin`.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|guide| guide.name == name)
    }

    /// One of [`Guide::departures`] by the part of its name behind the slash.
    fn scenario(&self, variant: &str) -> Option<Result<Scenario, ScenarioError>> {
        let patches = self.patches(variant)?;
        Some(Scenario::patched(text(&self.name)?, &format!("{}/{variant}", self.name), &patches))
    }
}

/// The text of a scenario, without variants.
fn text(name: &str) -> Option<&'static str> {
    SCENARIOS.iter().find(|(known, _, _)| *known == name).map(|(_, _, text)| *text)
}
