//! Rows as signed messages to somebody's own receiver, as in *Standard Webhooks* 1.0.0 (standardwebhooks.com).
//!
//! A receiver has no table that could be asked, so what it was told stands in a *ledger* beside it (`ledger.rs`). A batch,
//! its checkpoint, the check of its epoch, and the messages that tell of it are one transaction there; messages then go
//! out in their order, each until it is taken (`delivery.rs`). So whatever ends the process between two steps, nothing is
//! lost, and what was on its way is sent again under the same id.
//!
//! A batch is only noted when everything before it has arrived: a slow receiver slows the reader, and what waits is never
//! more than one batch. `docs/webhooks.md` is the page for those who write receivers.

mod answer;
mod delivery;
mod ledger;
pub mod letters;
mod message;
mod network;
mod outbox;
mod overtaken;
mod prepare;
mod rows;
mod secret;
mod sender;
mod settings;
mod surroundings;

use std::path::Path;

use futures_util::future::BoxFuture;
use sync::{
    checkpoint::{Checkpoint, Epoch},
    destination::{Destination, DestinationError, Written},
    table::{Held, StreamKey, TableBatch, TableSchema},
};

pub(crate) use self::letters::{count, hand_over, may_remove, remove};
use self::{
    delivery::{Delivery, Patience},
    ledger::Ledger,
    rows::{Bounds, Stream},
    sender::Sender,
};
pub use self::{
    network::{Network, NotANetwork, Policy},
    secret::generate,
    settings::WebhookSettings,
    surroundings::{Clock, RuntimeClock, Surroundings},
};
use crate::sqlite::checkpoints;

/// Tells one stream's rows to one receiver; see the [module](self).
pub struct WebhookDestination {
    settings: WebhookSettings,
    ledger: Ledger,
    sender: Option<Sender>,
    stream: Option<Stream>,
    epoch: Epoch,
    /// A call has waited in vain for the receiver: closing does not wait once more.
    has_given_up: bool,
}

impl WebhookDestination {
    /// Nothing is touched before `prepare`.
    ///
    /// # Errors
    /// The settings name no ledger.
    pub fn new(settings: WebhookSettings) -> Result<Self, DestinationError> {
        let ledger = Ledger::at(ledger_path(&settings)?);
        Ok(Self { settings, ledger, sender: None, stream: None, epoch: Epoch(0), has_given_up: false })
    }

    async fn prepare_stream(
        &mut self,
        key: &StreamKey,
        table: &TableSchema,
        epoch: Epoch,
    ) -> Result<Option<Checkpoint>, DestinationError> {
        self.sender = Some(Sender::new(&self.settings)?);
        let (place, now) = (self.ledger.place(), self.settings.surroundings.clock.now());
        let (key, table) = (key.clone(), table.clone());
        let prepared = move |file: &rusqlite::Transaction<'_>| prepare::prepare(file, &place, key, table, epoch, now);
        let (stream, checkpoint) = self.ledger.transact(prepared).await?;
        (self.stream, self.epoch) = (Some(stream), epoch);
        self.deliver(Patience::Whole).await?;
        Ok(checkpoint)
    }

    async fn write_batch(
        &mut self,
        batch: TableBatch,
        resume: &Checkpoint,
        epoch: Epoch,
    ) -> Result<Written, DestinationError> {
        self.deliver(Patience::Whole).await?;
        let stream = self.stream.clone().ok_or_else(|| self.unprepared())?;
        let (place, resume) = (self.ledger.place(), resume.clone());
        let bounds = Bounds { rows: self.settings.max_rows, bytes: self.settings.max_bytes };
        let now = self.settings.surroundings.clock.now();
        let write = move |file: &rusqlite::Transaction<'_>| {
            checkpoints::claim(file, &place, &stream.key, epoch)?;
            let written = rows::write(file, &stream, &batch, &resume, epoch, (bounds, now))?;
            let saved = serde_json::to_string(&resume).expect("a checkpoint is plain data");
            checkpoints::save(file, &stream.key, &saved)?;
            Ok(written)
        };
        let written = self.ledger.transact(write).await?;
        // The batch is in the ledger, so this call has happened: what does not arrive now, the next one reports.
        if let Err(error) = self.deliver(Patience::None).await {
            tracing::debug!(%error, "a message waits for its receiver");
        }
        Ok(written)
    }

    async fn deliver(&mut self, patience: Patience) -> Result<(), DestinationError> {
        let (Some(sender), Some(stream)) = (&self.sender, &self.stream) else { return Err(self.unprepared()) };
        let (settings, ledger, epoch) = (&self.settings, &self.ledger, self.epoch);
        let delivered = Delivery { settings, ledger, sender, stream, epoch }.deliver(patience).await;
        self.has_given_up |= delivered.is_err() && patience == Patience::Whole;
        delivered
    }

    fn unprepared(&self) -> DestinationError {
        let reason = "it was used before the table was prepared".to_owned();
        DestinationError::Other { place: self.settings.place(), reason }
    }
}

impl Destination for WebhookDestination {
    fn prepare<'a>(
        &'a mut self,
        stream: &'a StreamKey,
        table: &'a TableSchema,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, DestinationError>> {
        Box::pin(self.prepare_stream(stream, table, epoch))
    }

    fn write<'a>(
        &'a mut self,
        batch: TableBatch,
        resume: &'a Checkpoint,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Written, DestinationError>> {
        Box::pin(self.write_batch(batch, resume, epoch))
    }

    fn read<'a>(
        &'a mut self,
        _after: Option<&'a str>,
        _columns: &'a [usize],
    ) -> BoxFuture<'a, Result<Held, DestinationError>> {
        let place = self.settings.place();
        Box::pin(async { Err(DestinationError::WriteOnly { place }) })
    }

    fn close(mut self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        Box::pin(async move {
            let delivered = match self.stream.is_some() && !self.has_given_up {
                true => self.deliver(Patience::Whole).await,
                false => Ok(()),
            };
            self.ledger.close().await;
            delivered
        })
    }
}

fn ledger_path(settings: &WebhookSettings) -> Result<&Path, DestinationError> {
    let named = settings.ledger.as_deref();
    named.ok_or_else(|| settings.unusable("its address names no ledger: ledger=<path of a file>".to_owned()))
}
