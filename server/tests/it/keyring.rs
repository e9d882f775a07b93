//! The key that secrets are sealed with: replaced while everything runs, missed when it is lost.

use std::{collections::BTreeSet, sync::Arc};

use orgtide::{
    clock::SystemClock,
    store::{Store, StoreError, journal::Actor},
};

use crate::{
    database::on_both_databases,
    org::{Acme, rows},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_replaced_while_other_processes_run_and_the_old_one_can_be_dropped() {
    let acme = Acme::start().await;
    acme.connect().await;
    let running = acme.app_with_clock(Arc::new(SystemClock)).await;
    let rotated = acme.run("key rotate --json").await;
    assert_eq!(rotated.code, 0, "{rotated:?}");
    assert_eq!(rotated.json()["rotated"]["key"], 2);
    let uses = running.key_uses().await.unwrap();
    assert_eq!((uses[0].key, uses[0].records, uses[0].is_newest), (1, 0, false), "{uses:?}");
    // The process that ran before the rotation opens and seals with the new key.
    running.switch("acme", |switches| switches.token = true, &Actor::CommandLine).await.unwrap();
    running.token("acme", &Actor::CommandLine).await.unwrap();
    acme.emulator.control().expire_sessions();
    assert_eq!(acme.run("check acme").await.code, 0);
    assert!(running.key_uses().await.unwrap().iter().all(|known| known.is_newest || known.records == 0));
    let check = acme.run("key check").await;
    assert!(check.out.contains("key 1: seals nothing any more. It may be dropped"), "{}", check.out);

    let file = acme.data().join("keyring");
    let keyring = std::fs::read_to_string(&file).unwrap();
    let newest: String =
        keyring.lines().filter(|line| line.starts_with("2 ")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, newest).unwrap();
    assert_eq!(acme.run("check acme").await.code, 0, "the old key is not needed any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_process_seals_with_the_newest_key_of_its_keyrings_file() {
    let acme = Acme::start().await;
    acme.connect().await;
    let running = acme.app_with_clock(Arc::new(SystemClock)).await;
    assert_eq!(acme.run("key rotate").await.code, 0);
    running.switch("acme", |switches| switches.token = true, &Actor::CommandLine).await.unwrap();
    // Renewing seals a session.
    acme.emulator.control().expire_sessions();
    running.ask_session_life("acme").await.unwrap();
    let old = running.key_uses().await.unwrap().into_iter().find(|known| known.key == 1).unwrap();
    assert_eq!(old.records, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_keyring_is_missed_at_the_start_explained_and_not_replaced_in_silence() {
    let acme = Acme::start().await;
    acme.connect().await;
    let file = acme.data().join("keyring");
    std::fs::remove_file(&file).unwrap();
    let control = std::fs::read(acme.data().join("control.sqlite")).unwrap();
    let refused = acme.run("status").await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("keyring") && refused.err.contains("backup"), "{}", refused.err);
    assert!(!file.exists(), "no other keyring is made");
    assert_eq!(std::fs::read(acme.data().join("control.sqlite")).unwrap(), control, "nothing is written");
    assert_eq!(acme.run("key give-up").await.code, 3, "not without a confirmation");
    assert_eq!(acme.run("key give-up --yes").await.code, 0);
    let status = acme.run("status").await;
    assert!(status.out.contains("the key that its secrets were sealed with is lost"), "{status:?}");
    acme.connect().await;
    assert_eq!(acme.run("check acme").await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_keyring_is_refused_before_anything_is_written() {
    let acme = Acme::start().await;
    acme.connect().await;
    let wrong = orgtide::vault::Vault::fresh_keyring();
    let entries = rows(&acme.data().join("control.sqlite"), "SELECT count(*) FROM journal");
    let refused = acme.run_with("check acme", &[("ORGTIDE_KEY", wrong.as_str())]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("does not open the control store"), "{}", refused.err);
    assert!(!refused.err.contains(wrong.trim()), "the key is not shown");
    assert_eq!(rows(&acme.data().join("control.sqlite"), "SELECT count(*) FROM journal"), entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyring_of_the_environment_is_rotated_by_a_key_that_is_there_already() {
    let acme = Acme::start().await;
    let (first, second) = (orgtide::vault::Vault::fresh_keyring(), orgtide::vault::Vault::fresh_keyring());
    let old = first.trim().to_owned();
    let line = format!("connect acme --org {} --client-id {}", crate::org::ORG, crate::org::CLIENT_ID);
    assert_eq!(acme.run_with(&line, &[("ORGTIDE_KEY", &old)]).await.code, 0);
    let refused = acme.run_with("key rotate", &[("ORGTIDE_KEY", &old)]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("higher number"), "{}", refused.err);
    let both = format!("{old},2 {}", second.trim().trim_start_matches("1 "));
    assert_eq!(acme.run_with("key rotate", &[("ORGTIDE_KEY", &both)]).await.code, 0);
    let alone = format!("2 {}", second.trim().trim_start_matches("1 "));
    assert_eq!(acme.run_with("check acme", &[("ORGTIDE_KEY", &alone)]).await.code, 0);
}

on_both_databases! {
    async fn every_sealed_column_of_the_schema_is_resealed_and_a_wrong_key_opens_no_store(fixture: Fixture) {
        fixture.open().await.unwrap();
        let with_sealed: BTreeSet<String> = fixture.tables_with_column("sealed").await.into_iter().collect();
        let resealed: BTreeSet<String> = Store::sealed_tables().into_iter().map(str::to_owned).collect();
        assert_eq!(with_sealed, resealed);
        let mut fixture = fixture;
        fixture.keyring = orgtide::vault::Vault::fresh_keyring().to_string();
        let refused = fixture.open().await.err().expect("another keyring is refused");
        assert!(matches!(refused, StoreError::WrongKeyring { .. }), "{refused}");
    }
}
