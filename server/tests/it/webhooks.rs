//! Rows as messages to a receiver, through the binary.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::org::{Acme, Ended};

const SECRET: (&str, &str) = ("ORGTIDE_WEBHOOK_SECRET", "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH");
const PLAIN: (&str, &str) = ("ORGTIDE_WEBHOOK_ALLOW_HTTP", "true");

/// Takes every message, or refuses those that say something.
#[derive(Clone)]
struct Receiver {
    address: String,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
    refuses: Arc<Mutex<Option<&'static str>>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("webhook:http://{}/hook", listener.local_addr().unwrap());
        let receiver = Self { address, taken: Arc::default(), refuses: Arc::default() };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.converse(connection).await });
            }
        });
        receiver
    }

    async fn converse(&self, connection: TcpStream) -> Option<()> {
        let mut connection = BufReader::new(connection);
        loop {
            let (mut length, mut id) = (0, String::new());
            loop {
                let mut line = String::new();
                if connection.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                match line.trim().split_once(": ") {
                    Some(("content-length", value)) => length = value.parse().ok()?,
                    Some(("webhook-id", value)) => id = value.to_owned(),
                    Some(_) => {}
                    None if line.trim().is_empty() => break,
                    None => {}
                }
            }
            let mut body = vec![0; length];
            connection.read_exact(&mut body).await.ok()?;
            let body = String::from_utf8(body).ok()?;
            let is_refused = self.refuses.lock().unwrap().is_some_and(|words| body.contains(words));
            let answer: &[u8] = match is_refused {
                true => b"HTTP/1.1 422 x\r\ncontent-length: 2\r\n\r\nno",
                false => b"HTTP/1.1 204 x\r\n\r\n",
            };
            if !is_refused {
                self.taken.lock().unwrap().push((id, serde_json::from_str(&body).ok()?));
            }
            connection.get_mut().write_all(answer).await.ok()?;
        }
    }

    fn taken(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.taken.lock().unwrap())
    }

    /// How many messages of a kind were taken since the last look, and how many rows they named.
    fn told(&self, kind: &str) -> (usize, usize) {
        let taken = self.taken();
        let messages: Vec<_> = taken.iter().filter(|(_, message)| message["type"] == kind).collect();
        let rows = messages.iter().filter_map(|(_, message)| message["data"]["upserts"].as_array());
        (messages.len(), rows.map(Vec::len).sum())
    }
}

async fn run(acme: &Acme, line: &str) -> Ended {
    acme.run_with(line, &[SECRET, PLAIN]).await
}

fn message_of(ended: &Ended) -> String {
    ended.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_org_is_imported_into_a_receiver_once_and_its_data_goes_with_the_connection() {
    let (acme, receiver) = (Acme::start().await, Receiver::start().await);
    acme.connect().await;
    let tried = run(&acme, &format!("webhook test {}", receiver.address)).await;
    assert_eq!((tried.code, receiver.taken()[0].1["type"].as_str()), (0, Some("orgtide.test")), "{tried:?}");

    let imported = run(&acme, &format!("import acme Account --to {}?rows=50", receiver.address)).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    assert_eq!(receiver.told("orgtide.rows"), (3, 120));
    let synced = run(&acme, "sync acme").await;
    assert_eq!((synced.code, receiver.taken().len()), (0, 0), "what has not changed is not told again: {synced:?}");
    let status = run(&acme, "status --json").await.json();
    assert_eq!(status["connections"][0]["streams"][0]["rows"], 120, "{status}");

    let verified = run(&acme, "verify acme Account --json").await;
    assert_eq!(verified.code, 5, "{verified:?}");
    assert!(verified.out.contains("cannot be read back"), "{verified:?}");
    receiver.taken();

    let ended = run(&acme, "disconnect acme --delete-data --yes --json").await;
    assert_eq!((ended.code, ended.json()["disconnected"]["removed"][0]["rows"].as_u64()), (0, Some(120)), "{ended:?}");
    assert_eq!(receiver.told("orgtide.removed").0, 1);
    let secret = SECRET.1.trim_start_matches("whsec_").as_bytes();
    for (path, bytes) in acme.every_file() {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
    }
}

#[tokio::test]
async fn a_message_that_is_refused_waits_for_a_person_who_sends_it_again() {
    let (acme, receiver) = (Acme::start().await, Receiver::start().await);
    acme.connect().await;
    *receiver.refuses.lock().unwrap() = Some("orgtide.rows");
    let imported = run(&acme, &format!("import acme Account --to {}?attempts=1", receiver.address)).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    let status = run(&acme, "status").await;
    assert!(status.out.contains("1 dead letter"), "{status:?}");
    let listed = run(&acme, "webhook list acme --dead --json").await.json();
    let letter = &listed["receivers"][0]["letters"][0];
    let id = letter["id"].as_str().unwrap();
    assert_eq!((&letter["state"], &letter["attempts"]), (&"dead".into(), &1.into()), "{listed}");
    assert!(letter["answer"].as_str().unwrap().contains("422"), "{listed}");
    let shown = run(&acme, &format!("webhook show acme {id} --json")).await.json();
    assert_eq!(shown["body"]["data"]["upserts"].as_array().unwrap().len(), 120);

    assert_eq!(run(&acme, "webhook replay acme").await.code, 2, "nobody said which");
    let unknown = run(&acme, "webhook replay acme msg_0 --json").await;
    assert!(unknown.code == 5 && message_of(&unknown).contains("msg_0"), "{unknown:?}");
    assert_eq!(run(&acme, "webhook replay acme --all").await.code, 7, "it is refused again");
    *receiver.refuses.lock().unwrap() = None;
    receiver.taken();
    let replayed = run(&acme, &format!("webhook replay acme {id} --json")).await.json();
    assert_eq!(replayed["messages"][0]["outcome"], "taken", "{replayed}");
    assert_eq!(receiver.taken()[0].0, id);
    let resent = run(&acme, "webhook resend acme Account --json").await.json();
    assert_eq!(resent["rows"], 120);
    assert_eq!(run(&acme, &format!("import acme Account --to {}", receiver.address)).await.code, 0);
    assert_eq!(receiver.told("orgtide.rows"), (1, 120));
}

#[tokio::test]
async fn an_address_inside_the_network_is_refused_before_the_org_is_asked_for_rows() {
    let (acme, receiver) = (Acme::start().await, Receiver::start().await);
    acme.connect().await;
    for (address, words) in [
        ("webhook:https://169.254.169.254/latest", "no public address"),
        (receiver.address.as_str(), "http:// is not encrypted"),
    ] {
        let refused = acme.run_with(&format!("import acme Account --to {address} --json"), &[SECRET]).await;
        assert_eq!(refused.code, 5, "{refused:?}");
        assert!(refused.out.contains(words), "{refused:?}");
    }
    let without = acme.run_with(&format!("import acme Account --to {} --json", receiver.address), &[PLAIN]).await;
    assert!(without.out.contains("orgtide webhook secret"), "{without:?}");
    assert!(receiver.taken().is_empty());
    let nobody = run(&acme, "webhook list acme --json").await;
    assert!(nobody.code == 0 || message_of(&nobody).contains("webhook"), "{nobody:?}");
}

#[tokio::test]
async fn a_secret_is_made_and_can_be_used() {
    let acme = Acme::start().await;
    let receiver = Receiver::start().await;
    let secret = acme.run("webhook secret").await.out;
    assert!(secret.starts_with("whsec_") && secret.len() == 51, "{secret}");
    assert_ne!(secret, acme.run("webhook secret").await.out);
    let line = format!("webhook test {}", receiver.address);
    let tried = acme.run_with(&line, &[("ORGTIDE_WEBHOOK_SECRET", secret.trim()), PLAIN]).await;
    assert_eq!((tried.code, receiver.taken().len()), (0, 1), "{tried:?}");
}
