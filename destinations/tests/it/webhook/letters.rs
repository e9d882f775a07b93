//! Messages that a receiver refuses for themselves.

use destinations::{
    DestinationSettings,
    webhook::letters::{self, Chosen, LetterState, Replayed},
};
use serde_json::json;
use sync::{
    Recovery,
    checkpoint::Epoch,
    destination::DestinationError,
    table::{Deletion, StreamKey, TableBatch},
};

use super::{BEGINNING, Hook, Reply, named, rows, write};
use crate::{
    case::checkpoint,
    contact::{names, stream},
};

impl Hook {
    fn settings_of_letters(&self) -> destinations::webhook::WebhookSettings {
        match self.with("") {
            DestinationSettings::Webhook(settings) => *settings,
            other => panic!("{other}"),
        }
    }

    /// From now on, messages that say this are refused.
    fn poison(&self, words: Option<&str>, reply: Reply) {
        self.receiver.state.lock().unwrap().poison = words.map(|words| (words.to_owned(), reply));
    }

    async fn letters(&self) -> Vec<letters::Letter> {
        letters::list(&self.settings_of_letters(), "acme").await.unwrap()
    }

    async fn replay(&self, chosen: &Chosen) -> Result<Vec<Replayed>, DestinationError> {
        let replayed = letters::replay(&self.settings_of_letters(), "acme", chosen).await?;
        Ok(replayed.into_iter().map(|(_, outcome)| outcome).collect())
    }
}

#[tokio::test]
async fn a_message_that_is_refused_for_itself_is_put_aside_and_those_behind_it_arrive() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("&rows=1", &names()).await.unwrap();
    hook.told();
    hook.poison(Some("\"Id\":\"2\""), Reply::refuse(422, "no twos"));
    write(&mut destination, rows(1..=3)).await.unwrap();
    destination.close().await.unwrap();
    assert_eq!(hook.told(), ["rows u1", "rows u2", "rows u2", "rows u2", "rows u3"]);
    let [letter] = &hook.letters().await[..] else { panic!("one letter") };
    assert_eq!((letter.state, letter.attempts), (LetterState::Dead, 3));
    assert_eq!(letter.answer.as_deref(), Some(r#"it answers 422: "no twos""#));
    let (_, body) = letters::show(&hook.settings_of_letters(), "acme", &letter.id).await.unwrap().unwrap();
    assert!(body.contains(r#""upserts":[{"Id":"2","Name":"a"}]"#), "{body}");
    assert_eq!(letters::show(&hook.settings_of_letters(), "beta", &letter.id).await.unwrap(), None);
    assert_eq!(hook.receiver.rows("Contact").len(), 2);
    // It is still refused, and then not.
    let refused = hook.replay(&Chosen::All).await.unwrap();
    assert!(matches!(&refused[..], [Replayed::Refused { reason }] if reason.contains("no twos")), "{refused:?}");
    hook.poison(None, Reply::Take(200, ""));
    assert_eq!(hook.replay(&Chosen::Ids(vec![letter.id.clone()])).await.unwrap(), [Replayed::Taken { left_out: 0 }]);
    let ids: Vec<String> = hook.receiver.arrived().into_iter().map(|arrived| arrived.id).collect();
    assert_eq!(ids, [letter.id.clone(), letter.id.clone()]);
    assert_eq!(hook.receiver.rows("Contact").len(), 3);
    assert!(hook.letters().await.is_empty() && hook.replay(&Chosen::All).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_200_that_says_that_it_failed_is_no_success_unless_the_address_says_so() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("&attempts=1", &names()).await.unwrap();
    hook.poison(Some("orgtide.rows"), Reply::refuse(200, r#"{"error": "disk full"}"#));
    write(&mut destination, rows([1])).await.unwrap();
    let [letter] = &hook.letters().await[..] else { panic!("one letter") };
    let answer = letter.answer.as_deref().unwrap_or_default();
    assert!(answer.contains("disk full") && answer.contains("says that it failed (error)"), "{answer}");
    let mut trusting = hook.prepared("&answers=status", &names()).await.unwrap();
    write(&mut trusting, rows([2])).await.unwrap();
    assert_eq!(hook.letters().await.len(), 1);
}

#[tokio::test]
async fn a_replayed_message_leaves_out_what_later_ones_have_told_since() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("&attempts=1", &names()).await.unwrap();
    hook.poison(Some("poison"), Reply::refuse(400, ""));
    write(&mut destination, named(1..=4, "poison")).await.unwrap();
    write(&mut destination, named([2], "newer")).await.unwrap();
    let gone = |id: &str| vec![Deletion { id: id.to_owned(), version: None }];
    write(&mut destination, TableBatch { deletes: gone("3"), ..TableBatch::empty(&names()) }).await.unwrap();
    hook.told();
    hook.poison(None, Reply::Take(200, ""));
    assert_eq!(hook.replay(&Chosen::All).await.unwrap(), [Replayed::Taken { left_out: 2 }]);
    assert_eq!(hook.told(), ["rows u1 u4"]);
    let names: Vec<_> = hook.receiver.rows("Contact").into_iter().map(|row| row["Name"].clone()).collect();
    assert_eq!(names, [json!("poison"), json!("newer"), json!("poison")]);
    // All of it is overtaken.
    hook.poison(Some("poison"), Reply::refuse(400, ""));
    write(&mut destination, named([5], "poison")).await.unwrap();
    write(&mut destination, named([5], "newer")).await.unwrap();
    hook.told();
    assert_eq!(hook.replay(&Chosen::Since(BEGINNING)).await.unwrap(), [Replayed::Overtaken]);
    assert_eq!(hook.told(), [""; 0]);
    assert!(hook.letters().await.is_empty());
}

#[tokio::test]
async fn a_receiver_that_refuses_everything_ends_the_run_instead_of_pretending_success() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("&rows=1&attempts=1&dead=2", &names()).await.unwrap();
    hook.poison(Some("orgtide.rows"), Reply::refuse(400, "no"));
    write(&mut destination, rows(1..=4)).await.unwrap();
    let error = write(&mut destination, rows([9])).await.unwrap_err();
    assert!(matches!(error, DestinationError::Unusable { .. }), "{error}");
    assert_eq!(error.recovery(), Recovery::Configure);
    let said = error.to_string();
    assert!(said.contains("2 messages in a row") && said.contains(r#"400: "no""#), "{said}");
    let states: Vec<LetterState> = hook.letters().await.iter().map(|letter| letter.state).collect();
    assert_eq!(states, [LetterState::Dead, LetterState::Dead, LetterState::Waiting, LetterState::Waiting]);
    hook.poison(None, Reply::Take(200, ""));
    write(&mut destination, rows([9])).await.unwrap();
    assert_eq!(hook.receiver.rows("Contact").len(), 3);
    assert_eq!(hook.replay(&Chosen::All).await.unwrap().len(), 2);
    assert_eq!(hook.receiver.rows("Contact").len(), 5);
}

#[tokio::test]
async fn a_message_that_only_breaks_its_receiver_is_put_aside_by_a_person() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("&rows=1&patience=0", &names()).await.unwrap();
    hook.poison(Some("\"Id\":\"1\""), Reply::refuse(500, "panic"));
    write(&mut destination, rows([1])).await.unwrap();
    let error = write(&mut destination, rows([2])).await.unwrap_err();
    assert!(matches!(error, DestinationError::Unreachable { .. }), "{error}");
    let settings = hook.settings_of_letters();
    let id = hook.letters().await[0].id.clone();
    assert!(!letters::set_aside(&settings, "beta", &id).await.unwrap());
    assert!(letters::set_aside(&settings, "acme", &id).await.unwrap());
    write(&mut destination, rows([2])).await.unwrap();
    assert_eq!(hook.receiver.rows("Contact").len(), 1);
    assert_eq!(letters::discard(&settings, "acme", &Chosen::All).await.unwrap(), 1);
    assert!(hook.letters().await.is_empty());
}

#[tokio::test]
async fn a_receiver_is_tried_with_a_message_that_says_nothing() {
    let hook = Hook::new().await;
    let settings = hook.settings_of_letters();
    letters::test(&settings).await.unwrap();
    assert_eq!(hook.told(), ["test"]);
    hook.receiver.script([Reply::refuse(401, "who?")]);
    let error = letters::test(&settings).await.unwrap_err();
    assert!(matches!(error, DestinationError::Denied { .. }), "{error}");
    assert!(!hook.ledger().exists(), "nothing is kept of it");
}

#[tokio::test]
async fn everything_is_told_again_once_somebody_has_asked_for_it() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("", &names()).await.unwrap();
    write(&mut destination, rows(1..=2)).await.unwrap();
    hook.told();
    write(&mut destination, rows(1..=2)).await.unwrap();
    assert_eq!(hook.told(), [""; 0]);
    assert_eq!(letters::resend(&hook.settings_of_letters(), &stream()).await.unwrap(), 2);
    write(&mut destination, rows(1..=2)).await.unwrap();
    assert_eq!(hook.told(), ["rows u1 u2"]);
}

#[tokio::test]
async fn a_receiver_is_told_to_remove_a_streams_rows_and_nothing_is_forgotten_before_it_has() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("", &names()).await.unwrap();
    write(&mut destination, rows(1..=2)).await.unwrap();
    destination.close().await.unwrap();
    hook.receiver.script([Reply::refuse(503, "")]);
    let error = destinations::remove(&hook.with(""), &stream()).await.unwrap_err();
    assert!(matches!(error, DestinationError::Unreachable { .. }), "{error}");
    assert_eq!(destinations::count(&hook.with(""), &stream()).await.unwrap().present, 2);
    assert_eq!(destinations::remove(&hook.with(""), &stream()).await.unwrap(), 2);
    assert_eq!(hook.receiver.rows("Contact").len(), 0);
    assert_eq!(destinations::remove(&hook.with(""), &stream()).await.unwrap(), 0);
    let mut anew = destinations::open(&hook.with("")).unwrap();
    let other = StreamKey { installation: "ins_2".to_owned(), ..stream() };
    assert_eq!(anew.prepare(&other, &names(), Epoch(1)).await.unwrap(), None);
    anew.write(rows([1]), &checkpoint("y"), Epoch(1)).await.unwrap();
    assert_eq!(hook.receiver.rows("Contact").len(), 1);
}
