//! What orgs say of their objects, kept for a while: describes are asked for in batches and shared by all runs of a
//! process, and by way of the store with those of others.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
};

use salesforce::{ApiError, ApiVersion, Client, ErrorCode, Timestamp, describe::ObjectDescribe};
use sync::{
    catalogue::Catalogue,
    mapping::{CompiledMapping, Currencies, Mapping},
};

use super::App;
use crate::{error::Error, store::connections::Connection};

/// At most so many fields and picklist values are kept, of all connections together: some 40 MB.
const MOST_KEPT: usize = 100_000;

/// The describes of this process, by the connection's id.
#[derive(Default)]
pub(super) struct Describes {
    connections: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Shelf>>>>,
}

/// Whom a describe was made for: another user sees other fields.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Viewer {
    org_id: String,
    user_id: String,
    version: ApiVersion,
}

impl Viewer {
    fn of(connection: &Connection) -> Self {
        let Connection { org_id, user_id, api_version, .. } = connection;
        Self { org_id: org_id.clone(), user_id: user_id.clone(), version: *api_version }
    }

    /// As the store knows it.
    fn name(&self) -> String {
        format!("{} {} {}", self.org_id, self.user_id, self.version)
    }
}

/// The describes of one connection, by the object's name in lower case.
#[derive(Default)]
struct Shelf {
    viewer: Option<Viewer>,
    kept: BTreeMap<String, Kept>,
}

struct Kept {
    describe: Arc<ObjectDescribe>,
    at: Timestamp,
}

impl Shelf {
    /// Drops what is of another viewer or too old.
    fn tidy(&mut self, viewer: &Viewer, life: &RangeInclusive<Timestamp>) {
        if self.viewer.as_ref() != Some(viewer) {
            self.kept.clear();
            self.viewer = Some(viewer.clone());
        }
        self.kept.retain(|_, kept| life.contains(&kept.at));
    }

    fn catalogue(&self) -> Catalogue {
        let mut catalogue = Catalogue::default();
        self.kept.values().for_each(|kept| catalogue.insert(Arc::clone(&kept.describe)));
        catalogue
    }

    /// Which objects of these mappings are not here.
    fn lacks(&self, mappings: &[&Mapping]) -> Vec<String> {
        let names = self.catalogue().needed(mappings);
        names.into_iter().filter(|name| !self.kept.contains_key(&name.to_ascii_lowercase())).collect()
    }

    fn keep(&mut self, name: &str, describe: ObjectDescribe, at: Timestamp) {
        self.kept.insert(name.to_ascii_lowercase(), Kept { describe: Arc::new(describe), at });
    }

    fn size(&self) -> usize {
        let fields = self.kept.values().flat_map(|kept| &kept.describe.fields);
        fields.map(|field| 1 + field.picklist_values.len()).sum()
    }
}

impl Describes {
    fn of(&self, connection_id: &str) -> Arc<tokio::sync::Mutex<Shelf>> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(connections.entry(connection_id.to_owned()).or_default())
    }

    /// Lets go of what one connection's user was shown.
    pub(super) fn forget(&self, connection_id: &str) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).remove(connection_id);
    }

    /// Lets go of other connections' describes when there are too many. Those that are in use now stay.
    fn make_room(&self, but: &str) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = 0;
        connections.retain(|id, shelf| {
            let Ok(shelf) = shelf.try_lock() else { return true };
            total += shelf.size();
            id == but || total <= MOST_KEPT
        });
    }
}

impl App {
    /// Takes in what the store has of a mapping's describes: another process may have asked lately. For runs alone, which
    /// ask anew when something does not fit; whoever looks at an org, or imports from it, is shown what it says now.
    pub(super) async fn recall_describes(&self, connection: &Connection, mapping: &Mapping) -> Result<(), Error> {
        let shelf = self.describes.of(&connection.id);
        let mut shelf = shelf.lock().await;
        let (viewer, life) = (Viewer::of(connection), self.describes_live());
        shelf.tidy(&viewer, &life);
        if shelf.lacks(&[mapping]).is_empty() {
            return Ok(());
        }
        for kept in self.store.kept_describes(&connection.id, &viewer.name(), &life).await? {
            let name = kept.describe.name.to_ascii_lowercase();
            shelf.kept.entry(name).or_insert(Kept { describe: Arc::new(kept.describe), at: kept.at });
        }
        Ok(())
    }

    /// When a describe was asked for that is not too old.
    fn describes_live(&self) -> RangeInclusive<Timestamp> {
        let life = i64::try_from(self.config.describe_life.as_millis()).unwrap_or(i64::MAX);
        let now = self.now();
        // One that has lived its time to the millisecond is too old.
        Timestamp(now.0.saturating_sub(life).saturating_add(1))..=now
    }

    /// The describes that `mappings` are compiled against. `fresh`: as they are now, whatever is remembered of them.
    ///
    /// What is lacking is asked for together with whatever the connection's streams lack, so that a cycle over all of
    /// them costs one call for 25 objects, and none while the describes live (`read.describe_minutes`).
    ///
    /// # Errors
    /// What Salesforce, or the way to it, refuses. An object that the user cannot see is left out; compiling names it.
    pub async fn catalogue(
        &self,
        connection: &Connection,
        mappings: &[&Mapping],
        fresh: bool,
    ) -> Result<Catalogue, Error> {
        self.look_up(connection, &self.client(connection), mappings, fresh).await.map(|(catalogue, _)| catalogue)
    }

    /// A mapping, compiled against the org. Describes that are remembered refuse nothing: before a problem is told, the org
    /// is asked anew.
    ///
    /// # Errors
    /// [`Error::Mapping`] with every problem there is.
    pub async fn compiled(&self, connection: &Connection, mapping: &Mapping) -> Result<CompiledMapping, Error> {
        self.compiled_by(connection, &self.client(connection), mapping).await
    }

    /// The same, by a client that counts what it asks.
    pub(super) async fn compiled_by(
        &self,
        connection: &Connection,
        client: &Client,
        mapping: &Mapping,
    ) -> Result<CompiledMapping, Error> {
        let (catalogue, is_remembered) = self.look_up(connection, client, &[mapping], false).await?;
        let compiled = match mapping.compile(&catalogue) {
            Err(_) if is_remembered => {
                let (catalogue, _) = self.look_up(connection, client, &[mapping], true).await?;
                mapping.compile(&catalogue)
            }
            compiled => compiled,
        };
        compiled.map_err(|problems| Error::Mapping { object: mapping.object.clone(), problems })
    }

    /// The describes, and whether nothing had to be asked for them. What is shared with others is asked by the client of
    /// whoever is first.
    pub(super) async fn look_up(
        &self,
        connection: &Connection,
        client: &Client,
        mappings: &[&Mapping],
        fresh: bool,
    ) -> Result<(Catalogue, bool), Error> {
        let shelf = self.describes.of(&connection.id);
        let mut shelf = shelf.lock().await;
        let (viewer, life) = (Viewer::of(connection), self.describes_live());
        shelf.tidy(&viewer, &life);
        if fresh {
            let known = shelf.catalogue().needed(mappings);
            known.iter().for_each(|name| drop(shelf.kept.remove(&name.to_ascii_lowercase())));
        }
        let is_remembered = shelf.lacks(mappings).is_empty();
        if !is_remembered {
            let streams = self.store.streams(&connection.id).await?;
            let of_streams: Vec<&Mapping> = streams.iter().map(|stream| &stream.mapping).collect();
            let begun = self.now();
            self.fill(&mut shelf, connection, client, mappings, &of_streams).await?;
            let new = shelf.kept.values().filter(|kept| kept.at >= begun).map(|kept| (&*kept.describe, kept.at));
            self.store.keep_describes(&connection.id, &viewer.name(), new, *life.start()).await?;
        }
        let mut catalogue = shelf.catalogue();
        drop(shelf);
        if mappings.iter().any(|mapping| mapping.converts_currencies()) {
            let currencies = Currencies::load(client).await;
            catalogue.set_currencies(currencies.map_err(|source| Error::api(&connection.name, source))?);
        }
        self.describes.make_room(&connection.id);
        Ok((catalogue, is_remembered))
    }

    /// Asks for what is lacking, parents after the objects that lead to them. What keeps an object of `others` alone from
    /// being described stops nobody.
    async fn fill(
        &self,
        shelf: &mut Shelf,
        connection: &Connection,
        client: &Client,
        mappings: &[&Mapping],
        others: &[&Mapping],
    ) -> Result<(), Error> {
        let api = |source| Error::api(&connection.name, source);
        let all: Vec<&Mapping> = mappings.iter().chain(others).copied().collect();
        let mut absent = BTreeSet::new();
        loop {
            let names: Vec<String> = shelf.lacks(&all).into_iter().filter(|name| !absent.contains(name)).collect();
            let lacking = shelf.lacks(mappings);
            if lacking.iter().all(|name| absent.contains(name)) {
                return Ok(());
            }
            for (name, outcome) in client.describe_many(&names).await.map_err(api)? {
                match outcome {
                    Ok(describe) => shelf.keep(&name, describe, self.now()),
                    Err(error) if !is_missing(&error) && lacking.contains(&name) => return Err(api(error)),
                    Err(_) => drop(absent.insert(name)),
                }
            }
        }
    }
}

/// The user can see no such object, or there is none. That is not remembered: it is what a person mends and tries again.
fn is_missing(error: &ApiError) -> bool {
    matches!(error.code(), Some(ErrorCode::NotFound | ErrorCode::InvalidType))
}
