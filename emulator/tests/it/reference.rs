//! The reference pages say what the program takes: no more, no less.

use std::collections::BTreeSet;
use std::fmt::Write;

use emulator::Scenario;
use emulator::scenario::guide::{Answer, Guide, Refusal, Request, Shape, Step};

const PAGE: &str = include_str!("../../../docs/scenarios.md");
const GUIDES: &str = include_str!("../../../docs/guides.md");

/// A section of the page, and the beginning of a scenario in which a key of that section may follow.
const SECTIONS: [(&str, &str); 25] = [
    ("Top level", ""),
    ("`[org]`", "[org]"),
    ("`[[sandboxes]]`", "[[sandboxes]]"),
    ("`[profiles.NAME]` and `[permission_sets.NAME]`", "[profiles.P]"),
    ("`login_hours`", "[profiles.P.login_hours]"),
    ("`[[users]]`", "[[users]]"),
    ("`[[apps]]`", "[[apps]]"),
    ("`client_credentials`", "[[apps]]\nclient_credentials.\"?\" = 1"),
    ("`[[refresh_tokens]]`", "[[refresh_tokens]]"),
    ("`[limits]`", "[limits]"),
    ("`[pages]`", "[pages]"),
    ("`[rest]`", "[rest]"),
    ("`[rules]`", "[rules]"),
    ("`[[rules.validations]]`", "[[rules.validations]]"),
    ("`when`", "[[rules.validations]]\n[[rules.validations.when]]"),
    ("`[[rules.duplicates]]`", "[[rules.duplicates]]"),
    ("`[bulk]`", "[bulk]"),
    ("`[currencies]`", "[currencies]"),
    ("`[volume]`", "[volume]"),
    ("`[[objects]]`", "[[objects]]"),
    ("`record_types`", "[[objects]]\n[[objects.record_types]]"),
    ("`can`", "[[objects]]\n[objects.can]"),
    ("`[[fields]]`", "[[fields]]"),
    ("`field`", "[[fields]]\n[fields.field]"),
    ("`field`", "[[objects]]\n[[objects.fields]]"),
];

/// Keys whose values are a closed set: the section, the key, and a scenario with a value that does not exist.
const CHOICES: [(&str, &str, &str); 28] = [
    ("Top level", "time", "time = '?'"),
    ("`[org]`", "kind", "[org]\nkind = '?'"),
    ("`[org]`", "state", "[org]\nstate = '?'"),
    ("`[org]`", "identity_verification", "[org]\nidentity_verification = '?'"),
    ("`[org]`", "session_level_policy", "[org]\nsession_level_policy = '?'"),
    ("`[org]`", "policy_refusals", "[org]\npolicy_refusals = '?'"),
    ("`[profiles.NAME]` and `[permission_sets.NAME]`", "objects", "[profiles.P]\nobjects.Account = ['?']"),
    ("`[[users]]`", "kind", "[[users]]\nkind = '?'"),
    ("`[[apps]]`", "kind", "[[apps]]\nkind = '?'"),
    ("`[[apps]]`", "state", "[[apps]]\nstate = '?'"),
    ("`[[apps]]`", "distribution", "[[apps]]\ndistribution = '?'"),
    ("`[[apps]]`", "permitted_users", "[[apps]]\npermitted_users = '?'"),
    ("`[[apps]]`", "ip_relaxation", "[[apps]]\nip_relaxation = '?'"),
    ("`[[apps]]`", "refresh_token_policy", "[[apps]]\nrefresh_token_policy = '?'"),
    ("`[[apps]]`", "required_session_level", "[[apps]]\nrequired_session_level = '?'"),
    ("`[[apps]]`", "level_action", "[[apps]]\nlevel_action = '?'"),
    ("`[rest]`", "deprecated_versions", "[rest]\ndeprecated_versions = '?'"),
    ("`[rules]`", "deleted_parents", "[rules]\ndeleted_parents = '?'"),
    ("`when`", "is", "[[rules.validations]]\n[[rules.validations.when]]\nis = '?'"),
    ("`[[rules.duplicates]]`", "action", "[[rules.duplicates]]\naction = '?'"),
    ("`[bulk]`", "advance", "[bulk]\nadvance = '?'"),
    ("`[[objects]]`", "system_fields", "[[objects]]\nsystem_fields = '?'"),
    ("`[[objects]]`", "owner", "[[objects]]\nowner = '?'"),
    ("`[[objects]]`", "name_kind", "[[objects]]\nname_kind = '?'"),
    ("`[[objects]]`", "served", "[[objects]]\nserved = '?'"),
    ("`[[objects]]`", "visibility", "[[objects]]\nvisibility = '?'"),
    ("`field`", "type", "[[fields]]\nfield.type = '?'"),
    ("`field`", "formula", "[[fields]]\nfield.formula = '?'"),
];

/// The rows of the table below a heading: key and the rest.
fn rows(heading: &str) -> Vec<(&'static str, &'static str)> {
    let named = |section: &&str| section.trim_start_matches(['#', ' ']).lines().next() == Some(heading);
    let section = PAGE.split("\n#").find(named).unwrap_or_else(|| panic!("there is no section {heading}"));
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | ")).collect()
}

/// What the program would have taken in the place of something that it does not know.
fn expected(scenario: &str) -> BTreeSet<String> {
    let refusal = Scenario::from_toml(scenario).unwrap_err().to_string();
    let (_, list) = refusal.split_once("expected").unwrap_or_else(|| panic!("{scenario}: {refusal}"));
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_reference_of_scenarios_lists_every_key_that_is_taken_and_no_other() {
    for (heading, start) in SECTIONS {
        let unknown = if start.contains('?') { String::new() } else { "\"?\" = 1".to_owned() };
        let taken = expected(&format!("{start}\n{unknown}"));
        let listed: BTreeSet<String> = rows(heading).into_iter().map(|(key, _)| key.to_owned()).collect();
        assert_eq!(listed, taken, "{heading}");
    }
}

#[test]
fn the_reference_of_scenarios_names_every_choice() {
    for (heading, key, scenario) in CHOICES {
        let (_, row) = rows(heading).into_iter().find(|(known, _)| *known == key).unwrap();
        for choice in expected(scenario) {
            let named = row.contains(&format!("`{choice}`")) || row.contains(&format!("{{ {choice} = "));
            assert!(named, "{heading} {key} does not name {choice}");
        }
    }
}

#[test]
fn the_smallest_scenario_of_the_reference_is_one() {
    let (_, rest) = PAGE.split_once("```toml\n").unwrap();
    let scenario = Scenario::from_toml(rest.split_once("```").unwrap().0).unwrap();
    assert_eq!(scenario.name, "small");
}

const GUIDES_HEAD: &str = "\
# Setup guides as scenarios

Five vendors tell their customers' admins how to set Salesforce up. For each guide there is a scenario that follows it
to the letter, and for each of its steps the ways to get it wrong. `orgtide emulator --scenario g2-genfin` runs a guide,
`orgtide emulator --scenario g2-genfin/run-as-missing` a mistake. Where the mistake lies in what the admin hands over,
the org is as the guide says, and the second column says what was handed over.

Tests get every answer on this page from a running org. How a scenario is written is in [scenarios.md](scenarios.md).
";

/// The page as the guides give it.
fn guides_page() -> String {
    let about = |name: &str| Scenario::builtins().into_iter().find(|builtin| builtin.name == name).unwrap().about;
    let mut page = GUIDES_HEAD.to_owned();
    for guide in Guide::all() {
        write!(page, "\n## `{}`: {}\n\n{}.\n", guide.name, guide.vendor, about(&guide.name)).unwrap();
        if let Some(completion) = &guide.completion {
            writeln!(page, "`{}` works: {}", guide.working_scenario(), completion.missing).unwrap();
        }
        for (number, step) in guide.steps.iter().enumerate() {
            write!(page, "\n**{}. {}**\n\n{}", number + 1, step.says, step_table(&guide.name, step)).unwrap();
        }
    }
    page
}

fn step_table(guide: &str, step: &Step) -> String {
    let row = |name: &str, mistake: &str, answer: String| format!("| `{guide}/{name}` | {mistake} | {answer} |\n");
    let rows = step.variants.iter().map(|variant| row(&variant.name, &variant.mistake, shown(&variant.answer)));
    "| scenario | mistake | what the client gets |\n|---|---|---|\n".to_owned() + &rows.collect::<String>()
}

fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Works => "works".to_owned(),
        Answer::NoRefreshToken => "no refresh token".to_owned(),
        Answer::Refused(refusal) => shown_refusal(refusal),
    }
}

fn shown_refusal(refusal: &Refusal) -> String {
    let Refusal { at, status, error, description, shape } = refusal;
    let at = match at {
        Request::Authorize => "authorize",
        Request::Login => "login page",
        Request::DeviceStart => "start of the device flow",
        Request::DeviceApproval => "activation page",
        Request::Token => "token",
        Request::Refresh => "refresh",
        Request::Soap => "SOAP login",
        Request::Query => "query",
    };
    let shape = match shape {
        None => "",
        Some(Shape::Redirect) => ", at the callback",
        Some(Shape::Page) => ", on a page",
        Some(Shape::ErrorPage) => ", on the error page",
        Some(Shape::Bare) => ", as a bare body",
    };
    let status = status.map(|status| format!(" {status}")).unwrap_or_default();
    let description = if description.is_empty() { String::new() } else { format!(": {description}") };
    format!("{at}{status}{shape}: `{error}`{description}")
}

#[test]
fn the_page_of_guides_lists_every_variant_with_its_answer() {
    let page = guides_page();
    if page != GUIDES {
        let written = concat!(env!("CARGO_TARGET_TMPDIR"), "/guides.md");
        std::fs::write(written, page).unwrap();
        panic!("docs/guides.md is out of date; {written} is how it has to be");
    }
}
