//! Webhooks beside their runs: messages that a receiver has not taken, and trying a receiver.

use destinations::{
    DestinationSettings,
    webhook::{
        WebhookSettings,
        letters::{self, Chosen, Letter, Replayed},
    },
};
use salesforce::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sync::destination::DestinationError;

use super::App;
use crate::{
    error::Error,
    store::{connections::Connection, journal::Actor, streams::Stream},
};

/// Messages of one receiver.
#[derive(Debug, Serialize)]
pub struct Letters {
    pub receiver: String,
    pub letters: Vec<Letter>,
}

/// A message with what it says. Personal data.
#[derive(Debug, Serialize)]
pub struct WholeLetter {
    #[serde(flatten)]
    pub letter: Letter,
    pub body: Value,
}

/// A dead letter that was sent again.
#[derive(Debug, Serialize)]
pub struct Sent {
    #[serde(flatten)]
    pub letter: Letter,
    #[serde(flatten)]
    pub outcome: Replayed,
}

/// Which dead letters a person means.
#[derive(Debug, Clone)]
pub enum Meant {
    All,
    Ids(Vec<String>),
    Since(Timestamp),
}

/// A receiver, and the streams that are sent to it.
struct Hook {
    settings: Box<WebhookSettings>,
    streams: Vec<Stream>,
}

impl App {
    /// A destination as it is remembered, reaching others as the configuration allows.
    pub(super) fn settings(&self, destination: &str) -> Result<DestinationSettings, Error> {
        let settings: DestinationSettings = destination.parse().map_err(Error::destination)?;
        Ok(settings.within(&self.config.webhooks))
    }

    /// The messages that the receivers of a connection have not taken.
    ///
    /// # Errors
    /// No stream of the connection is sent to a receiver, or a ledger cannot be read.
    pub async fn letters(&self, connection: &str) -> Result<Vec<Letters>, Error> {
        let (connection, hooks) = self.hooks(connection).await?;
        let mut all = Vec::new();
        for Hook { settings, .. } in hooks {
            let letters = letters::list(&settings, &connection.name).await.map_err(Error::destination)?;
            all.push(Letters { receiver: settings.place(), letters });
        }
        Ok(all)
    }

    /// One message, with what it says.
    ///
    /// # Errors
    /// As [`App::letters`]; or there is no such message.
    pub async fn letter(&self, connection: &str, id: &str) -> Result<WholeLetter, Error> {
        let (connection, hooks) = self.hooks(connection).await?;
        for Hook { settings, .. } in hooks {
            if let Some((letter, body)) =
                letters::show(&settings, &connection.name, id).await.map_err(Error::destination)?
            {
                let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
                return Ok(WholeLetter { letter, body });
            }
        }
        Err(no_letter(&connection, id))
    }

    /// Sends dead letters again. No run of their streams goes on meanwhile.
    ///
    /// # Errors
    /// As [`App::letters`]; a run that is under way, an id that no message has, or a receiver that is away.
    pub async fn replay_letters(&self, connection: &str, meant: &Meant, actor: &Actor) -> Result<Vec<Sent>, Error> {
        let (connection, hooks) = self.hooks(connection).await?;
        self.refuse_unknown(&connection, &hooks, meant).await?;
        let mut sent = Vec::new();
        for hook in hooks {
            let mut held = Vec::new();
            for stream in &hook.streams {
                held.push(self.acquire_lease(&stream.lease_name()).await?);
            }
            let replayed = letters::replay(&hook.settings, &connection.name, &meant.chosen()).await;
            for (lease, heartbeat) in held {
                drop(heartbeat);
                // A lease that cannot be given back lapses.
                let _ = self.store.release_lease(&lease).await;
            }
            let replayed = replayed.map_err(Error::destination)?;
            sent.extend(replayed.into_iter().map(|(letter, outcome)| Sent { letter, outcome }));
        }
        let ids: Vec<&str> = sent.iter().map(|sent| sent.letter.id.as_str()).collect();
        self.store.note(Some(&connection.name), actor, "webhook-replayed", json!({ "messages": ids })).await?;
        Ok(sent)
    }

    /// Removes dead letters; returns how many.
    ///
    /// # Errors
    /// As [`App::letters`]; or an id that no message has.
    pub async fn discard_letters(&self, connection: &str, meant: &Meant, actor: &Actor) -> Result<u64, Error> {
        let (connection, hooks) = self.hooks(connection).await?;
        self.refuse_unknown(&connection, &hooks, meant).await?;
        let mut discarded = 0;
        for Hook { settings, .. } in &hooks {
            let removed = letters::discard(settings, &connection.name, &meant.chosen()).await;
            discarded += removed.map_err(Error::destination)?;
        }
        self.store.note(Some(&connection.name), actor, "webhook-discarded", json!({ "messages": discarded })).await?;
        Ok(discarded)
    }

    /// Makes a waiting message a dead letter, so that those behind it are sent.
    ///
    /// # Errors
    /// As [`App::letters`]; or no message of this id waits.
    pub async fn set_letter_aside(&self, connection: &str, id: &str, actor: &Actor) -> Result<(), Error> {
        let (connection, hooks) = self.hooks(connection).await?;
        for Hook { settings, .. } in &hooks {
            if letters::set_aside(settings, &connection.name, id).await.map_err(Error::destination)? {
                self.store.note(Some(&connection.name), actor, "webhook-set-aside", json!({ "message": id })).await?;
                return Ok(());
            }
        }
        Err(no_letter(&connection, id))
    }

    /// Has the next whole reading of some streams, or all, send every row, as if the receiver knew none; returns how many rows
    /// that concerns.
    ///
    /// # Errors
    /// As [`App::letters`]; or no stream is of a named object or table.
    pub async fn resend_rows(&self, connection: &str, objects: &[String], actor: &Actor) -> Result<u64, Error> {
        let (connection, hooks) = self.hooks(connection).await?;
        let streams: Vec<Stream> = hooks.iter().flat_map(|hook| hook.streams.clone()).collect();
        let chosen = super::import::chosen(&connection, streams, objects)?;
        let mut rows = 0;
        for stream in &chosen {
            let Some(hook) = hooks.iter().find(|hook| hook.streams.iter().any(|one| one.id == stream.id)) else {
                continue;
            };
            let forgotten = letters::resend(&hook.settings, &stream.key(&connection, &self.store)).await;
            rows += forgotten.map_err(Error::destination)?;
        }
        self.store.note(Some(&connection.name), actor, "webhook-resent", json!({ "rows": rows })).await?;
        Ok(rows)
    }

    /// Sends a message that says nothing to an address, or to the receivers of a connection; returns their names.
    ///
    /// # Errors
    /// What keeps a receiver from taking it.
    pub async fn try_webhooks(&self, target: &str) -> Result<Vec<String>, Error> {
        let hooks = match target.starts_with("webhook:") {
            true => match self.settings(target)? {
                DestinationSettings::Webhook(settings) => vec![settings],
                _ => Vec::new(),
            },
            false => self.hooks(target).await?.1.into_iter().map(|hook| hook.settings).collect(),
        };
        let mut tried = Vec::new();
        for settings in hooks {
            letters::test(&settings).await.map_err(Error::destination)?;
            tried.push(settings.place());
        }
        Ok(tried)
    }

    /// The receivers of a connection, each once.
    async fn hooks(&self, connection: &str) -> Result<(Connection, Vec<Hook>), Error> {
        let connection = self.store.connection(connection).await?;
        let mut hooks: Vec<Hook> = Vec::new();
        for stream in self.store.streams(&connection.id).await? {
            let DestinationSettings::Webhook(settings) = self.settings(&stream.destination)? else { continue };
            match hooks.iter_mut().find(|hook| hook.settings == settings) {
                Some(hook) => hook.streams.push(stream),
                None => hooks.push(Hook { settings, streams: vec![stream] }),
            }
        }
        if hooks.is_empty() {
            let reason = "no stream of it has a webhook as its destination; `orgtide import --to webhook:https://…` \
                          makes one";
            return Err(unusable(&connection, reason.to_owned()));
        }
        Ok((connection, hooks))
    }

    async fn refuse_unknown(&self, connection: &Connection, hooks: &[Hook], meant: &Meant) -> Result<(), Error> {
        let Meant::Ids(ids) = meant else { return Ok(()) };
        for id in ids {
            let mut is_known = false;
            for Hook { settings, .. } in hooks {
                let found = letters::show(settings, &connection.name, id).await.map_err(Error::destination)?;
                is_known |= found.is_some_and(|(letter, _)| letter.state == letters::LetterState::Dead);
            }
            if !is_known {
                return Err(no_letter(connection, id));
            }
        }
        Ok(())
    }
}

impl Meant {
    fn chosen(&self) -> Chosen {
        match self {
            Self::All => Chosen::All,
            Self::Ids(ids) => Chosen::Ids(ids.clone()),
            Self::Since(moment) => Chosen::Since(*moment),
        }
    }
}

fn no_letter(connection: &Connection, id: &str) -> Error {
    unusable(
        connection,
        format!("no such message {id:?} is kept; `orgtide webhook list {}` shows all", connection.name),
    )
}

fn unusable(connection: &Connection, reason: String) -> Error {
    Error::destination(DestinationError::Unusable { place: format!("connection {}", connection.name), reason })
}
