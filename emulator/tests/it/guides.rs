//! Five vendors' guides: what each says works, and every way to get a step wrong gives the answer that is promised.

use std::time::Duration;

use emulator::scenario::guide::{Answer, Client, Guide};
use emulator::{Emulator, Options, Passage, Scenario};

use crate::vendor::Vendor;

const DAY: Duration = Duration::from_secs(86_400);

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
async fn the_guide_of_fynancial_holds_once_it_is_completed_and_so_does_every_way_to_get_it_wrong() {
    prove("g1-fynancial").await;
}

#[tokio::test]
async fn the_guide_of_genfin_holds_and_so_does_every_way_to_get_it_wrong() {
    prove("g2-genfin").await;
}

#[tokio::test]
async fn the_guide_of_mailfino_holds_and_so_does_every_way_to_get_it_wrong() {
    prove("g3-mailfino").await;
}

#[tokio::test]
async fn the_guide_of_multisource_csm_holds_and_so_does_every_way_to_get_it_wrong() {
    prove("g4-multisource-csm").await;
}

#[tokio::test]
async fn the_guide_of_tesorio_holds_and_so_does_every_way_to_get_it_wrong() {
    prove("g5-tesorio").await;
}

#[tokio::test]
async fn fynancials_refresh_tokens_rotate_and_a_replay_ends_the_connection() {
    let guide = Guide::named("g1-fynancial").unwrap();
    let emulator = start(&guide.working_scenario()).await;
    let vendor = Vendor::new(&emulator, guide.client());
    let first = vendor.sign_in().await.unwrap();
    let first_token = first.refresh_token.as_deref().unwrap();
    let second = vendor.refresh(first_token).await.unwrap();
    let second_token = second.refresh_token.as_deref().unwrap();
    assert_ne!(first_token, second_token);
    vendor.read(&second).await.unwrap();
    let expired = "expired access/refresh token";
    assert_eq!(vendor.refresh(first_token).await.err().unwrap().description, expired);
    assert_eq!(vendor.refresh(second_token).await.err().unwrap().description, expired);
    assert_eq!(vendor.read(&second).await.unwrap_err().error, "INVALID_SESSION_ID");
}

#[tokio::test]
async fn fynancials_connection_lives_as_long_as_it_is_used_within_90_days() {
    let guide = Guide::named("g1-fynancial").unwrap();
    let emulator = start(&guide.working_scenario()).await;
    let vendor = Vendor::new(&emulator, guide.client());
    let mut tokens = vendor.sign_in().await.unwrap();
    for days in [90, 90, 89] {
        emulator.control().advance(days * DAY);
        tokens = vendor.refresh(tokens.refresh_token.as_deref().unwrap()).await.unwrap();
    }
    vendor.read(&tokens).await.unwrap();
    emulator.control().advance(90 * DAY + Duration::from_secs(1));
    assert!(vendor.refresh(tokens.refresh_token.as_deref().unwrap()).await.is_err());
}

#[tokio::test]
async fn mailfinos_session_is_renewed_with_a_refresh_token_that_stays() {
    let guide = Guide::named("g3-mailfino").unwrap();
    let emulator = start(&guide.name).await;
    let vendor = Vendor::new(&emulator, guide.client());
    let tokens = vendor.sign_in().await.unwrap();
    let refresh_token = tokens.refresh_token.as_deref().unwrap();
    emulator.control().advance(DAY);
    assert_eq!(vendor.read(&tokens).await.unwrap_err().error, "INVALID_SESSION_ID");
    for _ in 0..2 {
        let renewed = vendor.refresh(refresh_token).await.unwrap();
        assert_eq!(renewed.refresh_token, None);
        vendor.read(&renewed).await.unwrap();
    }
}

#[tokio::test]
async fn the_records_that_a_guide_reads_hold_values_in_its_custom_fields() {
    for (name, fields) in [
        ("g2-genfin", ["Genfin_Borrower_Id__c", "Genfin_Credit_Score__c"]),
        ("g3-mailfino", ["mailfino_Last_Mail__c", "Preferred_Language__c"]),
        ("g4-multisource-csm", ["CSM_Health_Score__c", "CSM_Renewal_Date__c"]),
        ("g5-tesorio", ["Tesorio_Customer_Id__c", "Name"]),
    ] {
        let guide = Guide::named(name).unwrap();
        let emulator = start(name).await;
        let vendor = Vendor::new(&emulator, guide.client());
        let records = vendor.read(&vendor.sign_in().await.unwrap()).await.unwrap();
        for field in fields {
            assert!(records.iter().any(|record| !record[field].is_null()), "{name} {field}");
        }
    }
}

#[tokio::test]
async fn who_did_not_wait_for_an_app_gets_in_eight_minutes_later() {
    for guide in Guide::all() {
        let emulator = start(&format!("{}/not-waited", guide.name)).await;
        let vendor = Vendor::new(&emulator, guide.client());
        assert_ne!(vendor.connect().await, Answer::Works, "{}", guide.name);
        emulator.control().advance(Duration::from_secs(8 * 60));
        assert_eq!(vendor.connect().await, Answer::Works, "{}", guide.name);
    }
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
