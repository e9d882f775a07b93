//! A receiver of webhooks as `docs/webhooks.md` describes one: it checks signatures, takes each message once, and keeps
//! tables of what they say. It can also misbehave.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use ring::hmac;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    sync::Notify,
};

use crate::rows::Row;

/// The bytes of the secret that [`SECRET`] spells.
pub(crate) const SECRET_BYTES: [u8; 24] = [7; 24];
pub(crate) const SECRET: &str = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Taken, with this answer.
    Take(u16, &'static str),
    /// Not taken; `headers` end in a line break each.
    Refuse { status: u16, headers: String, body: String },
    /// Not taken, and never answered; the notice tells the test.
    Hang,
    /// Taken, and never answered.
    TakeAndHang,
    /// Not taken: the connection breaks.
    Break,
    /// Taken, but the answer is lost.
    TakeAndBreak,
}

impl Reply {
    pub(crate) fn refuse(status: u16, body: &str) -> Self {
        Self::Refuse { status, headers: String::new(), body: body.to_owned() }
    }
}

/// A table as its messages have made it.
#[derive(Debug, Default)]
struct Table {
    kinds: BTreeMap<String, String>,
    is_flagged: bool,
    has_streams: bool,
    /// By connection and key.
    rows: BTreeMap<(String, String), Row>,
}

/// A message that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) id: String,
    pub(crate) timestamp: i64,
    pub(crate) message: Value,
    pub(crate) is_taken: bool,
}

#[derive(Default)]
pub(crate) struct State {
    tables: BTreeMap<String, Table>,
    taken: BTreeSet<String>,
    pub(crate) arrived: Vec<Arrived>,
    /// Replies to the next requests; when there are none, [`Reply::Take`].
    pub(crate) script: VecDeque<Reply>,
    /// The reply to every message that says this, whatever the script says.
    pub(crate) poison: Option<(String, Reply)>,
    /// Messages are taken however often they come.
    pub(crate) forgets_ids: bool,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<Mutex<State>>,
    /// Somebody hangs.
    pub(crate) hanging: Arc<Notify>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// With a certificate it speaks TLS.
    pub(crate) async fn start_with(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self { address: listener.local_addr().unwrap(), state: Arc::default(), hanging: Arc::default() };
        let serving = receiver.clone();
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let (serving, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serving.converse(connection).await,
                        Some(tls) => {
                            if let Ok(connection) = tls.accept(connection).await {
                                serving.converse(connection).await;
                            }
                        }
                    }
                });
            }
        });
        receiver
    }

    async fn converse(&self, connection: impl AsyncRead + AsyncWrite + Unpin) {
        let mut connection = BufReader::new(connection);
        while let Some((headers, body)) = request(&mut connection).await {
            let reply = self.take(&headers, &body);
            let (status, headers, body) = match reply {
                Reply::Take(status, body) => (status, String::new(), body.to_owned()),
                Reply::Refuse { status, headers, body } => (status, headers, body),
                Reply::Break | Reply::TakeAndBreak => return,
                Reply::Hang | Reply::TakeAndHang => {
                    self.hanging.notify_one();
                    std::future::pending().await
                }
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
            if connection.get_mut().write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn take(&self, headers: &BTreeMap<String, String>, body: &str) -> Reply {
        let mut state = self.state.lock().unwrap();
        let (id, timestamp) = (headers["webhook-id"].clone(), headers["webhook-timestamp"].clone());
        assert_eq!(headers["content-type"], "application/json");
        let message: Value = serde_json::from_str(body).unwrap();
        let is_signed = headers["webhook-signature"].split(' ').any(|signature| {
            let signed = format!("{id}.{timestamp}.{body}");
            let signature = decode(signature.strip_prefix("v1,").unwrap());
            hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET_BYTES), signed.as_bytes(), &signature).is_ok()
        });
        let scripted = state.script.pop_front();
        let poison = state.poison.clone().filter(|(words, _)| body.contains(words)).map(|(_, reply)| reply);
        let reply = match is_signed {
            true => poison.or(scripted).unwrap_or(Reply::Take(204, "")),
            false => Reply::refuse(401, "no such signature"),
        };
        let is_taken = matches!(reply, Reply::Take(..) | Reply::TakeAndBreak | Reply::TakeAndHang);
        if is_taken && (state.taken.insert(id.clone()) || state.forgets_ids) {
            state.apply(&message);
        }
        state.arrived.push(Arrived { id, timestamp: timestamp.parse().unwrap(), message, is_taken });
        reply
    }

    /// What arrived since the last look.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.state.lock().unwrap().arrived)
    }

    pub(crate) fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().script.extend(replies);
    }

    /// A table's rows in the order of their keys, every column in each.
    pub(crate) fn rows(&self, table: &str) -> Vec<Row> {
        let state = self.state.lock().unwrap();
        state.tables.get(table).map_or_else(Vec::new, |table| {
            table.rows.iter().map(|((connection, _), row)| table.whole(connection, row)).collect()
        })
    }
}

impl State {
    fn apply(&mut self, message: &Value) {
        let data = &message["data"];
        assert_eq!(data["format"], 1);
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let connection = text("connection");
        let stream = data["stream"].clone();
        let table = self.tables.entry(text("table")).or_default();
        match message["type"].as_str().unwrap() {
            "orgtide.table" => {
                table.is_flagged |= data["deletes_are"] == "flagged";
                table.has_streams |= !stream.is_null();
                for column in data["columns"].as_array().unwrap() {
                    let kind = column["type"].as_str().unwrap().to_owned();
                    table.kinds.insert(column["name"].as_str().unwrap().to_owned(), kind);
                }
            }
            "orgtide.rows" => {
                let (key, version) = (text("key"), data["version"].as_str());
                for row in data["upserts"].as_array().unwrap() {
                    let place = (connection.clone(), row[&key].as_str().unwrap().to_owned());
                    let held = table.rows.entry(place).or_default();
                    held.extend(row.as_object().unwrap().clone());
                    held.insert("_deleted".to_owned(), json!(false));
                    held.insert("_stream".to_owned(), stream.clone());
                }
                for row in data["patches"].as_array().unwrap() {
                    let place = (connection.clone(), row[&key].as_str().unwrap().to_owned());
                    if let Some(held) = table.rows.get_mut(&place) {
                        held.extend(row.as_object().unwrap().clone());
                    }
                }
                for gone in data["deletes"].as_array().unwrap() {
                    let place = (connection.clone(), gone["key"].as_str().unwrap().to_owned());
                    if data["deletes_are"] == "removed" {
                        table.rows.remove(&place);
                    } else if let Some(held) = table.rows.get_mut(&place) {
                        held.insert("_deleted".to_owned(), json!(true));
                        if let (Some(version), false) = (version, gone["version"].is_null()) {
                            held.insert(version.to_owned(), gone["version"].clone());
                        }
                    }
                }
            }
            "orgtide.removed" => {
                table.rows.retain(|(name, _), row| *name != connection || row["_stream"] != stream);
            }
            "orgtide.complete" | "orgtide.test" => {}
            other => panic!("{other}"),
        }
    }
}

impl Table {
    fn whole(&self, connection: &str, row: &Row) -> Row {
        let cell = |(name, kind): (&String, &String)| {
            let value = match row.get(name).unwrap_or(&Value::Null) {
                // The column has become wider since.
                Value::Number(number) if matches!(kind.as_str(), "text" | "decimal") => json!(number.to_string()),
                value => value.clone(),
            };
            (name.clone(), value)
        };
        let mut whole: Row = self.kinds.iter().map(cell).collect();
        whole.insert("_connection".to_owned(), json!(connection));
        if self.is_flagged {
            whole.insert("_deleted".to_owned(), row["_deleted"].clone());
        }
        if self.has_streams {
            whole.insert("_stream".to_owned(), row["_stream"].clone());
        }
        whole
    }
}

/// A request's headers and body; `None`: the connection has ended.
async fn request(connection: &mut BufReader<impl AsyncRead + Unpin>) -> Option<(BTreeMap<String, String>, String)> {
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    connection.read_exact(&mut body).await.ok()?;
    Some((headers, String::from_utf8(body).unwrap()))
}

fn decode(base64: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(base64).unwrap()
}
