//! `orgtide serve` as a process, and the accounts behind it on both databases.

use orgtide::{
    auth::{Purpose, Role, Token},
    store::{
        Store,
        users::{AccountChange, Link, User},
    },
};
use salesforce::Timestamp;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::{
    database::on_both_databases,
    org::{end, ended, program},
};

#[tokio::test]
async fn serve_says_where_it_listens_answers_and_ends_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program("serve --json --listen 127.0.0.1:0");
    let mut child = command.env("HOME", directory.path()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let document: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let address = document["address"].as_str().unwrap();
    let url = document["url"].as_str().unwrap();
    assert!(document["first_start"].as_str().unwrap().starts_with(&format!("{url}link?token=")), "{document}");

    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");

    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = ended(child).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!ended.err.contains("panicked"), "{ended:?}");
}

#[tokio::test]
async fn in_production_nobody_listens_to_other_machines_without_tls() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program("serve --json --listen 0.0.0.0:0");
    command.env("HOME", directory.path()).env("ORGTIDE_PRODUCTION", "true");
    let key = orgtide::vault::Vault::fresh_keyring();
    command.env("ORGTIDE_KEY", key.as_str());
    let refused = end(command).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "listen");
    assert!(error["remedy"].as_str().unwrap().contains("serve.public_url"), "{error}");
}

fn done<T: std::fmt::Debug + PartialEq>(change: AccountChange<T>) -> T {
    match change {
        AccountChange::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

async fn link(store: &Store, purpose: Purpose, email: Option<&str>, expires_at: Timestamp) -> Token {
    let token = Token::fresh();
    store.save_link(&token, &Link { purpose, email: email.map(str::to_owned), expires_at }).await.unwrap();
    token
}

async fn create(store: &Store, role: Role, email: &str, expires_at: Timestamp) -> User {
    let token = link(store, Purpose::Invitation(role), Some(email), expires_at).await;
    let created = store.create_user(&token, Purpose::Invitation(role), email, role, &"hash".into()).await;
    done(created.unwrap())
}

on_both_databases! {
    async fn links_serve_once_and_accounts_keep_an_owner(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let soon = Timestamp(i64::MAX);
        let first = link(&store, Purpose::FirstStart, None, soon).await;
        let second = Token::fresh();
        let make = async |token: &Token, purpose| {
            store.create_user(token, purpose, "ada@example.com", Role::Owner, &"hash".into()).await.unwrap()
        };
        assert_eq!(make(&second, Purpose::FirstStart).await, AccountChange::Refused, "an unknown link");
        assert_eq!(make(&first, Purpose::Password).await, AccountChange::Refused, "a link for something else");
        let ada = done(make(&first, Purpose::FirstStart).await);
        assert_eq!(make(&first, Purpose::FirstStart).await, AccountChange::Refused, "a used link");
        let late = link(&store, Purpose::FirstStart, None, soon).await;
        assert_eq!(make(&late, Purpose::FirstStart).await, AccountChange::Refused, "there is an owner");
        let taken = link(&store, Purpose::Invitation(Role::Member), Some("ada@example.com"), soon).await;
        assert_eq!(make(&taken, Purpose::Invitation(Role::Member)).await, AccountChange::EmailTaken);
        assert!(store.link(&taken).await.unwrap().is_some(), "nothing is changed");

        assert_eq!(store.remove_user(&ada.id).await.unwrap(), AccountChange::Refused);
        assert_eq!(store.change_role(&ada.id, Role::Admin).await.unwrap(), AccountChange::Refused);
        let bob = create(&store, Role::Owner, "bob@example.com", soon).await;
        let both = tokio::join!(store.remove_user(&ada.id), store.remove_user(&bob.id));
        let removed = [both.0.unwrap(), both.1.unwrap()];
        assert_eq!(removed.iter().filter(|change| **change == AccountChange::Done(())).count(), 1, "{removed:?}");
        assert!(store.has_owner().await.unwrap());
    }

    async fn sessions_are_stored_by_their_hash_and_end_with_their_user(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let soon = Timestamp(i64::MAX);
        create(&store, Role::Owner, "ada@example.com", soon).await;
        let bob = create(&store, Role::Member, "bob@example.com", soon).await;
        let (one, two) = (Token::fresh(), Token::fresh());
        store.open_session(&one, &bob, None, Timestamp(0)).await.unwrap();
        store.open_session(&two, &bob, Some(&one), Timestamp(0)).await.unwrap();
        assert!(store.session(&one).await.unwrap().is_none(), "a session that is replaced ends");
        fixture.clock.advance(90);
        store.touch_session(&two).await.unwrap();
        let stored = store.session(&two).await.unwrap().unwrap();
        assert_eq!((stored.user.email.as_str(), stored.seen_at.0 - stored.created_at.0), ("bob@example.com", 90_000));
        let dump = fixture.dump().await;
        let holds = |secret: &str| dump.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!holds(two.expose()) && holds("bob@example.com"), "{}", fixture.kind());
        done(store.remove_user(&bob.id).await.unwrap());
        assert!(store.session(&two).await.unwrap().is_none());
    }
}
