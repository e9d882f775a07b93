//! What the program can do. The command line and the console parse, call one method, and render.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use salesforce::{Client, Http, Timestamp};

use crate::{
    auth::throttle::Throttle,
    clock::SharedClock,
    config::{Config, ConfigError},
    connection::keeper::Keeper,
    error::Error,
    quota::{Priority, governor::OrgGovernor},
    store::{
        Store, StoreAddress, StoreError,
        connections::Connection,
        lease::{Holder, Lease},
        streams::Stream,
    },
    vault::{
        Vault,
        source::{self, Loaded},
    },
};

pub mod access;
pub mod accounts;
pub mod care;
pub mod connect;
pub mod cost;
mod describes;
pub mod disconnect;
pub mod drift;
pub mod import;
pub mod mapped;
pub mod mappings;
pub mod matches;
pub mod objects;
pub mod own_sign_in;
pub mod preview;
pub mod promote;
pub mod quota;
mod refreshed;
pub mod rejected;
pub mod runs;
pub mod schedules;
pub mod sealing;
pub mod stage;
pub mod status;
pub mod suggest;
pub mod verify;
pub mod webhooks;

use import::heartbeat::{Heartbeat, LEASE_TERM};

/// The program, ready to work.
pub struct App {
    config: Config,
    store: Arc<Store>,
    vault: Arc<Vault>,
    http: Http,
    clock: SharedClock,
    holder: Holder,
    /// The keepers of this process, by connection: its callers share them.
    keepers: Mutex<HashMap<String, Keeper>>,
    /// Who keeps the budgets of API calls, by org.
    governors: Mutex<HashMap<String, Arc<OrgGovernor>>>,
    describes: describes::Describes,
    notices: Vec<String>,
    attempts_of_user: Throttle,
    attempts_of_address: Throttle,
}

impl App {
    /// Opens the data directory, the keyring and the control store; creates what is not there yet. `command` is what
    /// other processes are told that this one does.
    pub async fn open(config: Config, clock: SharedClock, command: &str) -> Result<Self, Error> {
        create_data_directory(&config.data_dir)?;
        let file = config.store_file();
        let (vault, created) = keyring(&config, &file).await?;
        let notices = created.iter().map(|path| {
            format!(
                "A keyring was created in {}. It opens the stored secrets: back it up, apart from the data.",
                path.display()
            )
        });
        let notices = notices.collect();
        let vault = Arc::new(vault);
        let store = Store::open(address(&config, &file), clock.clone(), Arc::clone(&vault)).await?;
        let http = Http::new(config.http.clone())?;
        let holder = Holder::this_process(command);
        Ok(Self {
            config,
            store: Arc::new(store),
            vault,
            http,
            clock,
            holder,
            keepers: Mutex::default(),
            governors: Mutex::default(),
            describes: describes::Describes::default(),
            notices,
            attempts_of_user: Throttle::new(10, 60),
            attempts_of_address: Throttle::new(30, 10),
        })
    }

    /// What a person should know of the opening.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Takes a lease of the store for a run, and keeps it alive.
    pub(crate) async fn acquire_lease(&self, name: &str) -> Result<(Lease, Heartbeat), StoreError> {
        let lease = self.store.acquire_lease(name, &self.holder, LEASE_TERM).await?;
        let timer = Arc::clone(&self.config.http.timer);
        Ok((lease.clone(), Heartbeat::start(Arc::clone(&self.store), timer, lease)))
    }

    /// A stored connection, its streams, and a client that speaks for it.
    pub(crate) async fn speak_for(&self, name: &str) -> Result<(Connection, Vec<Stream>, Client), Error> {
        let connection = self.store.connection(name).await?;
        let streams = self.store.streams(&connection.id).await?;
        let client = self.client(&connection);
        Ok((connection, streams, client))
    }

    /// A client that speaks for a stored connection, for what a person waits for.
    fn client(&self, connection: &Connection) -> Client {
        self.client_for(connection, Priority::Person)
    }

    /// Who redeems the grant of the connection of that name, for all callers of this process.
    pub(crate) fn keeper(&self, connection: &str) -> Keeper {
        let fresh = || {
            Keeper::new(
                Arc::clone(&self.store),
                Arc::new(self.http.clone()),
                self.config.client_apps.clone(),
                self.clock.clone(),
                self.holder.clone(),
                connection.to_owned(),
            )
        };
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        keepers.entry(connection.to_owned()).or_insert_with(fresh).clone()
    }

    /// Lets go of what this process knows of a connection's session, which belongs to a former sign-in.
    pub(crate) fn forget_keeper(&self, connection: &str) {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner).remove(connection);
    }
}

/// Where the control store is.
fn address<'a>(config: &'a Config, file: &'a Path) -> StoreAddress<'a> {
    match &config.database_url {
        Some(url) => StoreAddress::Url(url),
        None => StoreAddress::File(file),
    }
}

/// The keyring. One is made in the data directory only for a store that holds nothing sealed yet: to a store whose
/// keyring is lost, a fresh one would be of no use.
async fn keyring(config: &Config, file: &Path) -> Result<(Vault, Option<PathBuf>), Error> {
    if let Loaded::Absent(path) = source::load(config)?
        && Store::holds_secrets(address(config, file)).await?
        // Another process may have begun with this store in between.
        && !path.exists()
    {
        let store = match &config.database_url {
            Some(_) => "in PostgreSQL".to_owned(),
            None => file.display().to_string(),
        };
        return Err(ConfigError::KeyringLost { path, store }.into());
    }
    Ok(source::load_or_create(config)?)
}

/// A data directory is for its owner alone: rows of customers lie in it.
fn create_data_directory(path: &Path) -> Result<(), ConfigError> {
    let unusable =
        |error: std::io::Error| ConfigError::DataDirectory { path: path.to_owned(), reason: error.to_string() };
    if !path.exists() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(unusable)?;
    }
    // Whether it can be written is known only by writing.
    tempfile::tempfile_in(path).map_err(unusable)?;
    Ok(())
}

/// A name that is safe as a file name and easy to type.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let wrong = |reason| Err(Error::Name { name: name.to_owned(), reason });
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    match name.as_bytes() {
        [] => wrong("it is empty"),
        bytes if bytes.len() > 64 => wrong("it is longer than 64 characters"),
        [first, ..] if !first.is_ascii_alphanumeric() => wrong("it begins with neither a letter nor a digit"),
        bytes if !bytes.iter().copied().all(allowed) => wrong("it has a character that is not allowed"),
        _ => Ok(()),
    }
}
