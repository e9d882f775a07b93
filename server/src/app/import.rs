//! Running streams: the first import, and every sync after it.

use std::sync::Arc;

use destinations::DestinationSettings;
use salesforce::{ApiError, Client, Timestamp, quota::OverBudget};
use sync::{
    mapping::{CompiledMapping, Mapping},
    read::{Phase, ReadChoice},
    run::{Counts, Report},
};
use tokio::sync::watch;

use self::execute::{Errand, Order};
use super::App;
use crate::{
    error::{Error, api_of},
    store::{
        connections::Connection,
        runs::Purpose,
        streams::{NewStream, Stream},
    },
};

pub(super) mod calls;
pub(super) mod execute;
pub(crate) mod heartbeat;
pub(super) mod mirror;

/// What is to be imported.
#[derive(Debug)]
pub struct ImportRequest {
    pub connection: String,
    pub mappings: Vec<Mapping>,
    /// As it was given; `None`: a file of the connection's name in the data directory.
    pub destination: Option<String>,
    pub read: ReadChoice,
}

/// What happens while streams run.
#[derive(Debug)]
pub enum RunEvent<'a> {
    Started {
        stream: &'a Stream,
    },
    Phase {
        stream: &'a Stream,
        phase: Phase,
    },
    /// Rows up to here are durable.
    Progress {
        stream: &'a Stream,
        counts: Counts,
        org_used: Option<u64>,
        org_max: Option<u64>,
    },
    Ended {
        outcome: &'a StreamOutcome,
    },
}

/// Is told what happens while streams run. Must return at once.
pub trait Watcher: Send + Sync {
    fn event(&self, event: RunEvent<'_>);
}

/// How one stream's run ended.
#[derive(Debug)]
pub struct StreamOutcome {
    pub stream: Stream,
    pub result: Result<Report, Error>,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
}

impl App {
    /// Imports objects whole, and remembers them as streams. An import that was interrupted goes on where it stopped.
    ///
    /// # Errors
    /// A mapping that does not fit, or a destination that cannot be, is an error before anything runs. What happens to
    /// one stream later stands in its outcome, and the others go on.
    pub async fn import(
        &self,
        request: &ImportRequest,
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<StreamOutcome>, Error> {
        let connection = self.store.connection(&request.connection).await?;
        self.refuse_paused(&connection).await?;
        let calls = self.calls_of_runs(&connection);
        let remembered = self.remember_streams(&connection, &calls.client, request).await;
        if remembered.is_err() {
            calls.settle().await;
        }
        let orders = remembered?.into_iter().map(|(stream, _)| Order { stream, is_agreed: true }).collect();
        let errand =
            Errand { connection: &connection, calls: &calls, purpose: Purpose::Import, watcher, stop, give_way: None };
        self.carry_out_all(&errand, orders).await
    }

    /// Checks all mappings against the org, and remembers each as a stream.
    pub(super) async fn remember_streams(
        &self,
        connection: &Connection,
        client: &Client,
        request: &ImportRequest,
    ) -> Result<Vec<(Stream, CompiledMapping)>, Error> {
        let destination = self.destination(connection, request.destination.as_deref())?;
        let mut compiled = Vec::new();
        for mapping in &request.mappings {
            compiled.push((mapping, self.compiled_by(connection, client, mapping).await?));
        }
        let mut remembered = Vec::new();
        for (mapping, compiled) in compiled {
            let new = NewStream {
                connection_id: &connection.id,
                destination: &destination.to_string(),
                object: &compiled.object,
                table: &compiled.table.name,
                mapping,
                read: request.read,
            };
            remembered.push((self.store.remember_stream(&new).await?, compiled));
        }
        Ok(remembered)
    }

    /// Brings remembered streams up to date: all, or those of the named objects.
    ///
    /// # Errors
    /// Nothing is remembered of what is named, or it is staged and not imported. What happens to one stream stands in its outcome, and the others go on.
    pub async fn sync(
        &self,
        connection: &str,
        objects: &[String],
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<StreamOutcome>, Error> {
        self.sync_as(Purpose::Sync, connection, objects, watcher, stop).await
    }

    /// Like [`App::sync`]; then looks for rows whose records are gone, whenever the last sweep was, to its end.
    pub async fn sweep(
        &self,
        connection: &str,
        objects: &[String],
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<StreamOutcome>, Error> {
        self.sync_as(Purpose::Sweep, connection, objects, watcher, stop).await
    }

    async fn sync_as(
        &self,
        purpose: Purpose,
        connection: &str,
        objects: &[String],
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<StreamOutcome>, Error> {
        let connection = self.store.connection(connection).await?;
        self.refuse_paused(&connection).await?;
        let streams = self.imported(&connection, objects).await?;
        let calls = self.calls_of_runs(&connection);
        let orders = streams.into_iter().map(|stream| Order { stream, is_agreed: false }).collect();
        let errand = Errand { connection: &connection, calls: &calls, purpose, watcher, stop, give_way: None };
        self.carry_out_all(&errand, orders).await
    }

    /// The streams of the named objects or tables, or all; those that are staged and not imported are none, and an error
    /// where they are named.
    pub(super) async fn imported(&self, connection: &Connection, objects: &[String]) -> Result<Vec<Stream>, Error> {
        let streams = chosen(connection, self.store.streams(&connection.id).await?, objects)?;
        let drafts = self.store.drafts(&connection.id).await?;
        let (streams, drafts): (Vec<Stream>, Vec<Stream>) =
            streams.into_iter().partition(|stream| !drafts.contains(&stream.id));
        match drafts.into_iter().next().filter(|_| streams.is_empty() || !objects.is_empty()) {
            Some(draft) => Err(Error::NotImported { connection: connection.name.clone(), object: draft.object }),
            None => Ok(streams),
        }
    }

    pub(super) fn destination(
        &self,
        connection: &Connection,
        given: Option<&str>,
    ) -> Result<DestinationSettings, Error> {
        let default = || format!("sqlite:{}", self.config.default_database(&connection.name).display());
        let text = given.map_or_else(default, str::to_owned);
        let settings: DestinationSettings = text.parse().map_err(Error::destination)?;
        // Remembered, so it has to mean the same from any working directory.
        let settings = settings.absolute().with_files_in(&self.config.data_dir, &connection.name);
        Ok(settings.within(&self.config.webhooks))
    }

    /// Runs streams one after the other, until somebody asks to stop, nobody is signed in any more, or the org's budget of
    /// API calls is used up; then the others are left for later, and say so.
    async fn carry_out_all(&self, errand: &Errand<'_>, orders: Vec<Order>) -> Result<Vec<StreamOutcome>, Error> {
        let mut outcomes = Vec::new();
        let mut orders = orders.into_iter();
        while let Some(order) = orders.next() {
            let outcome = self.carry_out(errand, order).await;
            // The next stream would meet the same.
            let is_end = *errand.stop.borrow() || outcome.result.as_ref().is_err_and(is_of_sign_in);
            let waits = outcome.result.as_ref().err().and_then(Error::over_budget).copied();
            outcomes.push(outcome);
            if let Some(over) = waits {
                outcomes.extend(orders.map(|order| self.put_off(errand, order, over)));
                break;
            }
            if is_end {
                break;
            }
        }
        self.forget_old_runs().await?;
        Ok(outcomes)
    }

    /// A stream that is not begun because the budget is used up.
    fn put_off(&self, errand: &Errand<'_>, order: Order, over: OverBudget) -> StreamOutcome {
        let now = self.clock.now();
        let waiting = Error::Waiting { object: order.stream.object.clone(), read: 0, source: Box::new(over) };
        let outcome = StreamOutcome { stream: order.stream, result: Err(waiting), started_at: now, ended_at: now };
        errand.watcher.event(RunEvent::Ended { outcome: &outcome });
        outcome
    }
}

/// True when what failed is the sign-in, which all streams of a connection share.
fn is_of_sign_in(error: &Error) -> bool {
    match error {
        Error::Api { source, .. } => matches!(**source, ApiError::SignIn(_)),
        Error::Run { source, .. } => matches!(api_of(source), Some(ApiError::SignIn(_))),
        _ => false,
    }
}

/// The streams of the named objects or tables; all when none is named.
pub(super) fn chosen(connection: &Connection, streams: Vec<Stream>, objects: &[String]) -> Result<Vec<Stream>, Error> {
    if streams.is_empty() {
        return Err(Error::NoStreams { connection: connection.name.clone() });
    }
    let is_named = |stream: &Stream, name: &str| {
        stream.object.eq_ignore_ascii_case(name) || stream.table.eq_ignore_ascii_case(name)
    };
    for object in objects {
        if !streams.iter().any(|stream| is_named(stream, object)) {
            let known = streams.iter().map(|stream| stream.object.clone()).collect();
            return Err(Error::UnknownStream { connection: connection.name.clone(), object: object.clone(), known });
        }
    }
    let wanted = |stream: &Stream| objects.is_empty() || objects.iter().any(|object| is_named(stream, object));
    Ok(streams.into_iter().filter(wanted).collect())
}
