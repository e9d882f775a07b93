//! The key that secrets are sealed with: replaced while everything runs, looked after, and given up when it is lost.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::json;

use super::App;
use crate::{
    clock::SharedClock,
    config::{Config, ConfigError},
    error::Error,
    store::{Store, journal::Actor, sealed::KeyUse},
    vault::source,
};

/// Only one process adds a key at a time.
const ROTATION: &str = "the keyring";
const ROTATION_TERM: Duration = Duration::from_secs(300);

/// What a rotation did.
#[derive(Debug, Serialize)]
pub struct Rotated {
    /// The key that seals from now on.
    pub key: u32,
    /// It was made now; otherwise the keyring had it already.
    pub is_made: bool,
    /// Records that were sealed anew.
    pub resealed: u64,
    pub uses: Vec<KeyUse>,
}

impl App {
    /// Makes a key that seals from now on, and seals everything anew with it while other processes work. A keyring that
    /// comes from elsewhere (a command, the environment) has to hold the key already.
    ///
    /// # Errors
    /// A keyring that cannot be added to, before anything is changed.
    pub async fn rotate_key(&self, actor: &Actor) -> Result<Rotated, Error> {
        let lease = self.store.acquire_lease(ROTATION, &self.holder, ROTATION_TERM).await?;
        let rotated = self.rotate_under_lease(actor).await;
        let _ = self.store.release_lease(&lease).await;
        rotated
    }

    async fn rotate_under_lease(&self, actor: &Actor) -> Result<Rotated, Error> {
        self.vault.reload();
        let former = self.vault.newest();
        let is_fresh = self.store.key_uses().await?.iter().all(|known| known.key < former || known.records == 0);
        // A key that seals nothing yet was added by hand for this rotation.
        let is_made = if is_fresh { false } else { source::add_key(&self.config)? };
        self.vault.reload();
        if !is_fresh && self.vault.newest() == former {
            return Err(ConfigError::KeyNotAdded.into());
        }
        let mut resealed = self.store.reseal().await?;
        // What another process sealed with the former key while it had not noticed the new one.
        resealed += self.store.reseal().await?;
        let key = self.vault.newest();
        self.store.note(None, actor, "key-rotated", json!({ "key": key, "resealed": resealed })).await?;
        Ok(Rotated { key, is_made, resealed, uses: self.store.key_uses().await? })
    }

    /// How much each key seals. One that seals nothing and is not the newest may be dropped.
    pub async fn key_uses(&self) -> Result<Vec<KeyUse>, Error> {
        self.vault.reload();
        Ok(self.store.key_uses().await?)
    }

    /// Gives up a key that is lost: forgets everything that is sealed, and begins anew with the present keyring, which is
    /// made if there is none. Connections keep their names, streams and data, and need a new sign-in.
    pub async fn give_up_lost_key(config: &Config, clock: SharedClock) -> Result<(), Error> {
        super::create_data_directory(&config.data_dir)?;
        let (vault, _) = source::load_or_create(config)?;
        let file = config.store_file();
        let store = Store::open_unproved(super::address(config, &file), clock, Arc::new(vault)).await?;
        store.forget_sealed().await?;
        Ok(store.note(None, &Actor::CommandLine, "key-given-up", json!({})).await?)
    }
}
