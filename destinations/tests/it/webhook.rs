//! What is particular to webhooks.

mod letters;
mod proof;
mod receiver;
mod tls;

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use destinations::{
    DestinationSettings,
    webhook::{Clock, Policy, Surroundings},
};
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use serde_json::{Value, json};
use sync::{
    Recovery, Timestamp,
    checkpoint::{Checkpoint, Epoch, Position},
    destination::{Destination, DestinationError},
    table::{ColumnType, Deletion, Patch, TableBatch, TableSchema},
};
use tempfile::TempDir;
use tokio::sync::Notify;

use self::receiver::SECRET;
pub(crate) use self::receiver::{Receiver, Reply};
use crate::{
    case::{Place, checkpoint},
    contact::{batch, names, stream, table},
    rows::Row,
};

/// A clock that a test moves: waits pass at once, and a receiver's time is over when the test says so.
#[derive(Default)]
pub(crate) struct TestClock {
    moved: Mutex<Duration>,
    pub(crate) waits: Mutex<Vec<Duration>>,
    pub(crate) over: Notify,
}

/// When tests take place.
const BEGINNING: Timestamp = Timestamp(1_795_000_000_000);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        BEGINNING.after(*self.moved.lock().unwrap())
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()> {
        self.waits.lock().unwrap().push(wait);
        *self.moved.lock().unwrap() += wait;
        Box::pin(async {})
    }

    fn time_out(&self, _limit: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.over.notified())
    }
}

/// A receiver with a ledger, empty at first.
pub(crate) struct Hook {
    folder: TempDir,
    pub(crate) receiver: Receiver,
    pub(crate) clock: Arc<TestClock>,
}

impl Hook {
    pub(crate) async fn new() -> Self {
        Self::of(Receiver::start().await)
    }

    fn of(receiver: Receiver) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        fs::write(&secret, SECRET).unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        Self { folder, receiver, clock: Arc::default() }
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    fn address(&self, parameters: &str) -> String {
        let secret = self.folder.path().join("secret");
        format!(
            "webhook:http://{}/hook?ledger={}&secret_file={}{parameters}",
            self.receiver.address,
            self.ledger().display(),
            secret.display()
        )
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        Surroundings {
            policy: Policy { allow: Vec::new(), allow_http: true },
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ..Surroundings::default()
        }
    }

    /// With further parameters of the address, such as `&rows=1`.
    pub(crate) fn with(&self, parameters: &str) -> DestinationSettings {
        self.address(parameters).parse::<DestinationSettings>().unwrap().within(&self.surroundings())
    }

    async fn prepared(&self, parameters: &str, table: &TableSchema) -> Result<Box<dyn Destination>, DestinationError> {
        let mut destination = destinations::open(&self.with(parameters)).unwrap();
        destination.prepare(&stream(), table, Epoch(1)).await.map(|_| destination)
    }

    /// What arrived since the last look, each by its `type` and the keys it is about.
    fn told(&self) -> Vec<String> {
        self.receiver.arrived().iter().map(|arrived| summary(&arrived.message)).collect()
    }

    fn waiting(&self) -> i64 {
        let query = "SELECT count(*) FROM messages WHERE state = 'waiting'";
        Connection::open(self.ledger()).unwrap().query_row(query, [], |row| row.get(0)).unwrap()
    }

    fn waits(&self) -> usize {
        self.clock.waits.lock().unwrap().len()
    }
}

fn summary(message: &Value) -> String {
    let data = &message["data"];
    let keys = |list: &str, key: &str| -> String {
        let entries = data[list].as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| format!(" {}{}", &list[..1], entry[key].as_str().unwrap())).collect()
    };
    let kind = message["type"].as_str().unwrap().trim_start_matches("orgtide.");
    let key = data["key"].as_str().unwrap_or_default();
    format!("{kind}{}{}{}", keys("upserts", key), keys("patches", key), keys("deletes", "key"))
}

impl Place for Hook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn open(&self) -> Box<dyn Destination> {
        destinations::open(&self.settings()).unwrap()
    }

    fn settings(&self) -> DestinationSettings {
        self.with("&rows=2")
    }

    fn rows(&self, table: &str, _order: &[String], _kinds: &BTreeMap<String, ColumnType>) -> Vec<Row> {
        self.receiver.rows(table)
    }

    fn everything(&self) -> Vec<String> {
        Vec::new()
    }

    /// The only tables are the ledger's.
    fn sql(&self, statement: &str) {
        Connection::open(self.ledger()).unwrap().execute_batch(statement).unwrap();
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["_generation"]
    }
}

fn rows(ids: impl IntoIterator<Item = u32>) -> TableBatch {
    named(ids, "a")
}

fn named(ids: impl IntoIterator<Item = u32>, name: &str) -> TableBatch {
    let rows: Vec<Value> = ids.into_iter().map(|id| json!({ "Id": id.to_string(), "Name": name })).collect();
    batch(&names(), &rows)
}

fn complete() -> Checkpoint {
    Checkpoint { at: Position::Complete, ..checkpoint("x") }
}

async fn write(destination: &mut Box<dyn Destination>, batch: TableBatch) -> Result<(), DestinationError> {
    destination.write(batch, &checkpoint("x"), Epoch(1)).await.map(drop)
}

#[tokio::test]
async fn a_receiver_is_told_of_the_table_then_of_rows_in_bounded_messages_then_that_the_window_is_whole() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("&rows=2", &names()).await.unwrap();
    write(&mut destination, rows(1..=5)).await.unwrap();
    destination.write(rows([]), &complete(), Epoch(1)).await.unwrap();
    destination.close().await.unwrap();
    let arrived = hook.receiver.arrived();
    let told: Vec<String> = arrived.iter().map(|arrived| summary(&arrived.message)).collect();
    assert_eq!(told, ["table", "rows u1 u2", "rows u3 u4", "rows u5", "complete"]);
    let message = &arrived[1].message;
    assert_eq!(message["timestamp"], BEGINNING.to_string());
    assert_eq!(arrived[1].timestamp, BEGINNING.0 / 1000);
    assert!(arrived[1].id.starts_with("msg_") && !arrived[1].id.contains('.'));
    let sequence = message["data"]["sequence"].as_i64().unwrap();
    let expected = json!({
        "format": 1, "connection": "acme", "org": "00D000000000001", "object": "Contact", "table": "Contact",
        "stream": null, "run": 1, "key": "Id", "version": null, "deletes_are": "flagged", "sequence": sequence,
        "upserts": [{"Id": "1", "Name": "a"}, {"Id": "2", "Name": "a"}], "patches": [], "deletes": [],
    });
    assert_eq!(message["data"], expected);
    assert_eq!(
        arrived[0].message["data"]["columns"],
        json!([{"name": "Id", "type": "text"}, {"name": "Name", "type": "text"}])
    );
    assert_eq!(arrived[4].message["data"]["until"], "2024-09-24T03:26:07.000Z");
    let sequences: Vec<i64> =
        arrived.iter().map(|arrived| arrived.message["data"]["sequence"].as_i64().unwrap()).collect();
    assert!(sequences.is_sorted_by(|one, next| one < next), "{sequences:?}");
    assert_eq!(hook.waiting(), 0);
}

#[tokio::test]
async fn what_a_receiver_knows_is_not_told_again() {
    let hook = Hook::new().await;
    let phones = table(&[("Id", ColumnType::Text), ("Name", ColumnType::Text), ("Phone", ColumnType::Text)]);
    let mut destination = hook.prepared("", &phones).await.unwrap();
    let row = |name: &str| batch(&phones, &[json!({"Id": "1", "Name": name, "Phone": null})]);
    let patch = |phone: &str| TableBatch {
        patch: Some(Patch {
            columns: vec![0, 2],
            rows: batch(
                &table(&[("Id", ColumnType::Text), ("Phone", ColumnType::Text)]),
                &[json!({"Id": "1", "Phone": phone})],
            )
            .upserts,
        }),
        ..TableBatch::empty(&phones)
    };
    let gone =
        || TableBatch { deletes: vec![Deletion { id: "1".to_owned(), version: None }], ..TableBatch::empty(&phones) };
    hook.told();
    for (batch, told) in [
        (row("a"), &["rows u1"][..]),
        (row("a"), &[]),
        (row("b"), &["rows u1"]),
        (patch("1"), &["rows p1"]),
        (patch("1"), &[]),
        (patch("2"), &["rows p1"]),
        (row("b"), &["rows u1"]),
        (row("b"), &[]),
        (gone(), &["rows d1"]),
        (gone(), &[]),
        (row("b"), &["rows u1"]),
        (TableBatch { overrules: true, ..row("b") }, &["rows u1"]),
    ] {
        write(&mut destination, batch).await.unwrap();
        assert_eq!(hook.told(), told);
    }
    destination.write(TableBatch::empty(&phones), &complete(), Epoch(1)).await.unwrap();
    destination.write(TableBatch::empty(&phones), &complete(), Epoch(1)).await.unwrap();
    assert_eq!(hook.told(), ["complete"], "an empty window is not worth a message");
}

#[tokio::test]
async fn a_message_of_many_bytes_is_cut_and_a_row_that_is_larger_goes_alone() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("&bytes=1024", &names()).await.unwrap();
    let row = |id: &str, length: usize| json!({"Id": id, "Name": "x".repeat(length)});
    let batch = batch(&names(), &[row("1", 400), row("2", 400), row("3", 400), row("4", 5000), row("5", 1)]);
    write(&mut destination, batch).await.unwrap();
    assert_eq!(hook.told(), ["table", "rows u1 u2", "rows u3", "rows u4", "rows u5"]);
}

#[tokio::test]
async fn what_does_not_arrive_is_sent_again_under_the_same_id_with_a_signature_of_its_own_time() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("&rows=1", &names()).await.unwrap();
    hook.told();
    let refuse = |status| Reply::refuse(status, "");
    hook.receiver.script([Reply::Break, refuse(503), refuse(429), Reply::TakeAndBreak]);
    write(&mut destination, rows([1, 2])).await.unwrap();
    assert_eq!((hook.waiting(), hook.waits()), (2, 0), "a write that has noted its batch waits for nobody");
    write(&mut destination, rows([3])).await.unwrap();
    let arrived = hook.receiver.arrived();
    let told: Vec<String> = arrived.iter().map(|arrived| summary(&arrived.message)).collect();
    assert_eq!(told, ["rows u1", "rows u1", "rows u1", "rows u1", "rows u1", "rows u2", "rows u3"]);
    assert!(arrived[..5].iter().all(|one| one.id == arrived[0].id && one.message == arrived[0].message));
    assert!(arrived[4].timestamp > arrived[0].timestamp);
    assert_eq!(hook.receiver.rows("Contact").len(), 3);
    assert_eq!((hook.waiting(), hook.waits()), (0, 3));
}

#[tokio::test]
async fn a_receiver_that_is_away_ends_the_run_and_the_next_one_sends_what_waits_first() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("&patience=100", &names()).await.unwrap();
    hook.receiver.state.lock().unwrap().poison = Some(("orgtide.rows".to_owned(), Reply::refuse(500, "down")));
    write(&mut destination, rows([1])).await.unwrap();
    let error = write(&mut destination, rows([2])).await.unwrap_err();
    assert!(matches!(error, DestinationError::Unreachable { .. }), "{error}");
    assert_eq!(error.recovery(), Recovery::Retry { after: None });
    let said = error.to_string();
    assert!(said.contains(r#"500: "down""#) && said.contains("the next run sends them first"), "{said}");
    let waited: Duration = hook.clock.waits.lock().unwrap().iter().sum();
    assert!(waited <= Duration::from_secs(100) && waited > Duration::from_secs(40), "{waited:?}");
    let waits = hook.waits();
    destination.close().await.unwrap();
    assert_eq!(hook.waits(), waits, "closing does not wait once more");
    hook.receiver.state.lock().unwrap().poison = None;
    hook.told();
    let mut next = destinations::open(&hook.with("")).unwrap();
    let resume = next.prepare(&stream(), &names(), Epoch(2)).await.unwrap();
    assert_eq!(resume, Some(checkpoint("x")), "the first batch counts, the refused one was never noted");
    assert_eq!(hook.told(), ["rows u1"]);
    next.close().await.unwrap();
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_its_time_and_no_more() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("&patience=0", &names()).await.unwrap();
    hook.told();
    hook.receiver.script([Reply::TakeAndHang, Reply::Hang]);
    let hanging = async {
        for _ in 0..2 {
            hook.receiver.hanging.notified().await;
            hook.clock.over.notify_one();
        }
    };
    let writing = async {
        write(&mut destination, rows([1])).await.unwrap();
        write(&mut destination, rows([2])).await.unwrap_err()
    };
    let (error, ()) = tokio::join!(writing, hanging);
    assert!(error.to_string().contains("has not answered whole within 20 seconds"), "{error}");
    assert_eq!(hook.told(), ["rows u1", "rows u1"]);
    write(&mut destination, rows([2])).await.unwrap();
    assert_eq!(hook.told(), ["rows u1", "rows u2"]);
    assert_eq!(hook.receiver.rows("Contact").len(), 2);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_nothing_arrives_where_it_leads() {
    let (hook, elsewhere) = (Hook::new().await, Receiver::start().await);
    let headers = format!("location: http://{}/\r\n", elsewhere.address);
    for status in [301, 302, 307, 308] {
        let redirect = Reply::Refuse { status, headers: headers.clone(), body: String::new() };
        hook.receiver.script([redirect]);
        let Err(error) = hook.prepared("", &names()).await else { panic!("{status}") };
        assert!(matches!(error, DestinationError::Unusable { .. }), "{error}");
        assert!(error.to_string().contains("no redirect is followed"), "{error}");
    }
    assert!(elsewhere.arrived().is_empty());
    assert_eq!((hook.waiting(), hook.waits()), (1, 0), "nothing is lost, and nobody waits");
}

#[tokio::test]
async fn what_a_person_has_to_correct_ends_the_run_at_once() {
    for (status, words) in [(401, "signing secret"), (403, "signing secret"), (404, "address"), (410, "Gone")] {
        let hook = Hook::new().await;
        hook.receiver.script([Reply::refuse(status, "no")]);
        let Err(error) = hook.prepared("", &names()).await else { panic!("{status}") };
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!((error.recovery(), hook.waiting(), hook.waits()), (Recovery::Configure, 1, 0));
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it_and_its_next_run_as_well() {
    let hook = Hook::new().await;
    let after = |seconds: u32| Reply::Refuse {
        status: 503,
        headers: format!("retry-after: {seconds}\r\n"),
        body: String::new(),
    };
    hook.receiver.script([after(90), after(3600)]);
    let Err(error) = hook.prepared("", &names()).await else { panic!("it was taken") };
    assert!(matches!(error, DestinationError::Unreachable { .. }), "{error}");
    assert_eq!(*hook.clock.waits.lock().unwrap(), [Duration::from_secs(90)]);
    hook.told();
    let Err(error) = hook.prepared("", &names()).await else { panic!("it was asked again") };
    assert!(error.to_string().contains("asked to be left alone"), "{error}");
    assert_eq!(hook.told(), [""; 0]);
    hook.clock.sleep(Duration::from_secs(3600)).await;
    hook.prepared("", &names()).await.unwrap();
    assert_eq!(hook.told(), ["table"]);
}

#[tokio::test]
async fn an_older_run_sends_nothing_once_a_later_one_has_begun() {
    let hook = Hook::new().await;
    let mut older = hook.prepared("", &names()).await.unwrap();
    hook.receiver.script([Reply::refuse(503, "")]);
    write(&mut older, rows([1])).await.unwrap();
    let mut later = destinations::open(&hook.with("")).unwrap();
    later.prepare(&stream(), &names(), Epoch(2)).await.unwrap();
    hook.told();
    let error = write(&mut older, rows([2])).await.unwrap_err();
    assert!(matches!(error, DestinationError::Fenced { .. }), "{error}");
    older.close().await.unwrap();
    assert_eq!(hook.told(), [""; 0]);
}

#[tokio::test]
async fn rows_that_were_sent_cannot_be_read_back_or_matched() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("", &names()).await.unwrap();
    let error = destination.read(None, &[0]).await.unwrap_err();
    assert!(matches!(error, DestinationError::WriteOnly { .. }), "{error}");
    assert_eq!(error.recovery(), Recovery::Configure);
    let matching = serde_json::from_value(json!({"table": "customers", "key": "id", "by": [["Name"]]})).unwrap();
    let matched = TableSchema { matching: Some(matching), ..names() };
    let Err(error) = hook.prepared("", &matched).await else { panic!("matched") };
    assert!(matches!(error, DestinationError::Incompatible { .. }), "{error}");
    assert!(destinations::matching::list(&hook.with(""), &stream(), None, 1).await.is_err());
    assert!(destinations::columns(&hook.with(""), &stream()).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_address_inside_a_network_is_refused_before_anything_is_written_or_sent() {
    let hook = Hook::new().await;
    for (url, words) in [
        (format!("http://{}/", hook.receiver.address), "http:// is not encrypted"),
        ("https://169.254.169.254/latest/meta-data".to_owned(), "no public address"),
        ("https://2130706433/".to_owned(), "127.0.0.1 is no public address"),
        ("https://[::ffff:10.0.0.1]/".to_owned(), "10.0.0.1 is no public address"),
        (format!("https://localhost:{}/", hook.receiver.address.port()), "no public address"),
    ] {
        let address = format!("webhook:{url}?{}", hook.address("").split_once('?').unwrap().1);
        let settings: DestinationSettings = address.parse().unwrap();
        let strict = Surroundings { policy: Policy::default(), ..hook.surroundings() };
        let mut destination = destinations::open(&settings.within(&strict)).unwrap();
        let error = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap_err();
        assert!(matches!(error, DestinationError::Denied { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(hook.receiver.arrived().is_empty());
    assert!(hook.receiver.rows("Contact").is_empty());
}

#[tokio::test]
async fn without_a_secret_or_a_ledger_nothing_begins() {
    let hook = Hook::new().await;
    let without = format!(
        "webhook:http://{}/?ledger={}&secret_env=ORGTIDE_TEST_NOTHING",
        hook.receiver.address,
        hook.ledger().display()
    );
    let settings: DestinationSettings = without.parse().unwrap();
    let mut destination = destinations::open(&settings.within(&hook.surroundings())).unwrap();
    let error = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap_err();
    assert!(error.to_string().contains("ORGTIDE_TEST_NOTHING") && !hook.ledger().exists(), "{error}");
    let Err(error) = destinations::open(&"webhook:https://h/".parse().unwrap()) else { panic!("opened") };
    assert!(error.to_string().contains("ledger="), "{error}");
}

#[tokio::test]
async fn a_ledger_is_for_its_owner_and_keeps_nothing_of_what_was_taken() {
    let hook = Hook::new().await;
    let mut destination = hook.prepared("", &names()).await.unwrap();
    write(&mut destination, named([1], "sentinel-of-a-person")).await.unwrap();
    destination.close().await.unwrap();
    assert_eq!(fs::metadata(hook.ledger()).unwrap().permissions().mode() & 0o777, 0o600);
    let file = fs::read(hook.ledger()).unwrap();
    assert!(!file.windows(8).any(|bytes| bytes == b"sentinel"));
}
