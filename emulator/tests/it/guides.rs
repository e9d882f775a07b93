//! Five vendors' guides: what each says works, and every way to get a step wrong gives the answer that is promised.

use emulator::scenario::guide::{Answer, Client, Guide};
use emulator::{Emulator, Options, Passage, Scenario};

use crate::vendor::Vendor;

/// Starts a scenario with its time standing still.
async fn start(name: &str) -> Emulator {
    let mut scenario = Scenario::builtin(name).unwrap();
    scenario.time = Passage::Frozen;
    Emulator::start(scenario, Options::default()).await.unwrap()
}

async fn answer(scenario: &str, client: Client) -> Answer {
    let emulator = start(scenario).await;
    Vendor::new(&emulator, client).connect().await
}

/// Whether an answer is the one that was promised. The message of a refusal may say more.
fn keeps(promised: &Answer, seen: &Answer) -> bool {
    match (promised, seen) {
        (Answer::Refused(promised), Answer::Refused(seen)) => {
            promised.at == seen.at
                && promised.error == seen.error
                && promised.shape == seen.shape
                && promised.status.is_none_or(|status| seen.status == Some(status))
                && seen.description.contains(&promised.description)
        }
        (promised, seen) => promised == seen,
    }
}

/// Tries a guide and all that can go wrong with it.
async fn prove(name: &str) {
    let guide = Guide::named(name).unwrap();
    let right = answer(&guide.working_scenario(), guide.client()).await;
    assert_eq!(right, Answer::Works, "{name}");
    let mut broken = Vec::new();
    for variant in guide.variants() {
        let scenario = format!("{name}/{}", variant.name);
        let seen = answer(&scenario, guide.client_of(variant)).await;
        if !keeps(&variant.answer, &seen) {
            broken.push(format!("{scenario}\n  promised {:?}\n  seen     {seen:?}", variant.answer));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[tokio::test]
async fn the_guide_of_genfin_holds_and_so_does_every_way_to_get_it_wrong() {
    prove("g2-genfin").await;
}

#[tokio::test]
async fn the_guide_of_multisource_csm_holds_and_so_does_every_way_to_get_it_wrong() {
    prove("g4-multisource-csm").await;
}

#[tokio::test]
async fn the_guide_of_tesorio_holds_and_so_does_every_way_to_get_it_wrong() {
    prove("g5-tesorio").await;
}

#[test]
fn every_step_of_every_guide_has_a_variant_and_every_variant_its_own_name() {
    for guide in Guide::all() {
        assert!(Scenario::builtin(&guide.working_scenario()).is_some(), "{}", guide.name);
        for step in &guide.steps {
            assert!(!step.variants.is_empty(), "{}: {}", guide.name, step.says);
        }
        let mut names: Vec<&str> = guide.variants().map(|variant| variant.name.as_str()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{}", guide.name);
    }
}

#[test]
fn every_scenario_that_is_listed_can_be_started_and_says_what_it_is() {
    let listed = Scenario::builtins();
    assert!(listed.iter().any(|builtin| builtin.name == "g2-genfin/run-as-missing"));
    for builtin in listed {
        assert_eq!(Scenario::builtin(&builtin.name).unwrap().name, builtin.name);
        assert!(builtin.about.len() > 20, "{}", builtin.name);
    }
    for unknown in ["g2", "g2-genfin/", "g2-genfin/unheard-of", "acme/anything", "/", ""] {
        assert!(Scenario::builtin(unknown).is_none(), "{unknown}");
    }
}
