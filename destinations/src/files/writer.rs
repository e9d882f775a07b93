//! One stream into one table: every call makes a version of the table, or none.

use std::{cell::RefCell, fmt::Write as _};

use ring::rand::{SecureRandom, SystemRandom};
use sync::{
    checkpoint::{Checkpoint, Epoch, Position},
    destination::{DestinationError, Written},
    table::{Held, StreamKey, TableBatch, TableSchema},
};

use super::{
    apply::Change,
    foreign::other_writer,
    format::FileFormat,
    manifest::{Manifest, Shape, StreamEntry},
    merge::{Merged, Workshop},
    publish::publish,
    read::RowReader,
    settings::FilesSettings,
    shape::check_names,
    store::{DATA, Store},
    versions::{Attempt, Stamps, last, make, mark_of, refuse_without_conditions, remove_orphans, tidy},
};
use crate::lost::Lost;

/// So often a write begins anew because others were faster.
const ATTEMPTS: usize = 50;

type Outcome<T> = Result<T, DestinationError>;

pub(super) struct Writer {
    settings: FilesSettings,
    stream: Option<Stream>,
    #[cfg(test)]
    pub(super) killed_after: Option<i64>,
}

/// A stream whose table is ready.
struct Stream {
    store: Store,
    key: StreamKey,
    table: TableSchema,
    /// The last version that is known.
    manifest: Manifest,
    stamps: Stamps,
    rows: RowReader,
}

impl Writer {
    pub(super) fn new(settings: FilesSettings) -> Self {
        Self {
            settings,
            stream: None,
            #[cfg(test)]
            killed_after: None,
        }
    }

    pub(super) fn prepare(&mut self, key: StreamKey, table: TableSchema, epoch: Epoch) -> Outcome<Option<Checkpoint>> {
        let store = self.store(&key)?;
        refuse(&store, &table, table.matching.as_ref().map(|_| NO_MATCHING.to_owned()))?;
        let (manifest, stamps) = ready(&store, &key, &table, epoch)?;
        let checkpoint = checkpoint(&store, &key, &manifest)?;
        show(&store, &manifest);
        let removed = tidy(&store, &manifest, &stamps, self.settings.keep)
            .and_then(|()| remove_orphans(&store, &manifest, &stamps, (&mark_of(&key), epoch.0)));
        warn(&store, "old files could not be removed", removed);
        self.stream = Some(Stream { store, key, table, manifest, stamps, rows: RowReader::default() });
        Ok(checkpoint)
    }

    pub(super) fn write(&mut self, batch: &TableBatch, resume: &Checkpoint, epoch: Epoch) -> Outcome<Written> {
        let stream = self.stream.as_mut().ok_or_else(|| unprepared(&self.settings))?;
        if resume.sweep.is_some() && !stream.table.sweeps {
            return Err(stream.misfit("a sweep arrived for a table that was not prepared for it"));
        }
        let swept = stream.write(batch, resume, epoch)?;
        show(&stream.store, &stream.manifest);
        if resume.at == Position::Complete {
            let removed = tidy(&stream.store, &stream.manifest, &stream.stamps, self.settings.keep);
            warn(&stream.store, "old files could not be removed", removed);
        }
        Ok(Written { swept, ..Written::default() })
    }

    pub(super) fn read(&mut self, after: Option<&str>, columns: &[usize]) -> Outcome<Held> {
        let stream = self.stream.as_mut().ok_or_else(|| unprepared(&self.settings))?;
        match stream.read(after, columns) {
            // Files of a version that others have followed may be gone.
            Err(_) if stream.catches_up() => stream.read(after, columns),
            read => read,
        }
    }

    pub(super) fn close(&mut self) -> Outcome<()> {
        self.stream = None;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn is_killed(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.store.is_killed())
    }

    fn store(&self, key: &StreamKey) -> Outcome<Store> {
        #[cfg_attr(not(test), allow(unused_mut))]
        let mut store = Store::new(&self.settings, key)?;
        #[cfg(test)]
        if let Some(effects) = self.killed_after {
            store.kill_after(effects);
        }
        Ok(store)
    }
}

impl Stream {
    /// Returns how many rows were swept.
    fn write(&mut self, batch: &TableBatch, resume: &Checkpoint, epoch: Epoch) -> Outcome<u64> {
        let mut done = None;
        for _ in 0..ATTEMPTS {
            let made = match self.made(done.take(), batch, resume, epoch) {
                // Files of a version that others have followed may be gone.
                Err(_) if self.catches_up() => continue,
                made => made?,
            };
            match self.commit(&made, resume, epoch) {
                Ok(None) => return Ok(made.merged.ended),
                Ok(Some(before)) => done = Some((before, made)),
                Err(error) => {
                    made.discard(&self.store);
                    return Err(error);
                }
            }
        }
        done.iter().for_each(|(_, made): &(Manifest, Made)| made.discard(&self.store));
        Err(busy(&self.store))
    }

    fn read(&mut self, after: Option<&str>, columns: &[usize]) -> Outcome<Held> {
        let Self { store, key, table, manifest, rows, .. } = self;
        rows.read(store, manifest, (key, table), after, columns)
    }

    /// Whether there is a later version, which is known then.
    fn catches_up(&mut self) -> bool {
        match last(&self.store) {
            Ok(Some((found, stamps))) if found.version > self.manifest.version => {
                (self.manifest, self.stamps) = (found, stamps);
                true
            }
            _ => false,
        }
    }

    /// The files for the next version: those that were made for it before, where others have not touched the connection's.
    fn made(
        &self,
        done: Option<(Manifest, Made)>,
        batch: &TableBatch,
        resume: &Checkpoint,
        epoch: Epoch,
    ) -> Outcome<Made> {
        let is_held = refuse_older_epoch(&self.store, &self.key, &self.manifest, epoch);
        let is_held = is_held.and_then(|()| self.manifest.entry(&self.key).map(drop).ok_or_else(|| self.dropped()));
        let Some((before, made)) = done else { return is_held.and_then(|()| self.merged(batch, resume, epoch)) };
        let files = |manifest: &Manifest| manifest.files_of(&self.key.connection);
        let is_as_it_was = before.shape == self.manifest.shape && files(&before) == files(&self.manifest);
        if is_held.is_ok() && is_as_it_was {
            return Ok(made);
        }
        made.discard(&self.store);
        is_held.and_then(|()| self.merged(batch, resume, epoch))
    }

    /// Makes the next version; `Some`: another one was made of this one meanwhile, and is known now.
    fn commit(&mut self, made: &Made, resume: &Checkpoint, epoch: Epoch) -> Outcome<Option<Manifest>> {
        let commit = random();
        let mut next = self.manifest.clone();
        next.version += 1;
        next.dropped.retain(|dropped| self.stamps.has(dropped.since));
        next.replace(&made.merged.gone, made.merged.made.clone());
        let saved = serde_json::to_value(resume).map_err(|error| self.misfit(&error.to_string()))?;
        let entry = next.entry_mut(&self.key).expect("the stream was looked for before files were made");
        entry.epoch = epoch.0;
        entry.commit.clone_from(&commit);
        entry.checkpoint = Some(saved);
        let is_ours = |found: &Manifest| found.entry(&self.key).is_some_and(|entry| entry.commit == commit);
        match make(&self.store, &next, &is_ours)? {
            Attempt::Made(stamps) => {
                (self.manifest, self.stamps) = (next, stamps);
                Ok(None)
            }
            Attempt::Behind(found, stamps) => {
                self.stamps = stamps;
                Ok(Some(std::mem::replace(&mut self.manifest, *found)))
            }
            Attempt::Gone => Err(self.dropped()),
        }
    }

    /// The files that the write puts in the place of others. Those that are made are there, and no version has them.
    fn merged(&self, batch: &TableBatch, resume: &Checkpoint, epoch: Epoch) -> Outcome<Made> {
        let change = Change::new(&self.manifest.shape, &self.key, &self.table, batch, resume)
            .ok_or_else(|| self.misfit("a batch arrived whose columns are not those of the table"))?;
        work(&self.store, &self.key, &self.manifest, epoch.0, |workshop| workshop.merge(&self.manifest, &change))
    }

    /// What arrives departs from what was agreed on by `prepare`.
    fn misfit(&self, reason: &str) -> DestinationError {
        DestinationError::Other { place: self.store.place().to_owned(), reason: reason.to_owned() }
    }

    fn dropped(&self) -> DestinationError {
        DestinationError::Incompatible {
            place: self.store.place().to_owned(),
            table: self.table.name.clone(),
            reason: "its folder was removed while rows were written to it; the next run makes it again and imports \
                     everything"
                .to_owned(),
        }
    }
}

/// Files that were made for a version that is not there yet.
pub(super) struct Made {
    pub(super) merged: Merged,
    names: Vec<String>,
}

impl Made {
    /// The version will not be: its files go. One that stays is found when the stream is prepared again.
    pub(super) fn discard(&self, store: &Store) {
        for name in &self.names {
            let _ = store.delete(&format!("{DATA}/{name}"));
        }
    }
}

/// Makes files by `make`, or leaves none.
pub(super) fn work(
    store: &Store,
    key: &StreamKey,
    manifest: &Manifest,
    epoch: i64,
    make: impl FnOnce(&Workshop<'_>) -> Outcome<Merged>,
) -> Outcome<Made> {
    let mark = mark_of(key);
    let names = RefCell::new(Vec::new());
    let name = || {
        let name = format!("{mark}-{epoch}-{}.{}", random(), manifest.files_are.extension());
        names.borrow_mut().push(name.clone());
        name
    };
    let outcome = make(&Workshop { store, key: &manifest.key, name: &name });
    let names = names.take();
    match outcome {
        Ok(merged) => Ok(Made { merged, names }),
        Err(error) => {
            Made { merged: Merged::default(), names }.discard(store);
            Err(error)
        }
    }
}

/// The table as this stream needs it, with its epoch.
fn ready(store: &Store, key: &StreamKey, table: &TableSchema, epoch: Epoch) -> Outcome<(Manifest, Stamps)> {
    for _ in 0..ATTEMPTS {
        let found = last(store)?;
        let held = found.as_ref().map(|(manifest, _)| manifest);
        refuse(store, table, check(held, key, table, store.format()).err())?;
        if let Some(held) = held {
            refuse_older_epoch(store, key, held, epoch)?;
            checkpoint(store, key, held)?;
        }
        store.make_ready()?;
        let shape = held.map_or_else(|| Shape::of(table), |held| held.shape.widened(table));
        if let Some((held, stamps)) = found.as_ref()
            && held.shape == shape
            && held.entry(key).is_some_and(|entry| is_claimed(entry, key, epoch))
        {
            return Ok((held.clone(), Stamps::clone(stamps)));
        }
        let id = &table.columns[table.id].name;
        let is_new = held.is_none();
        let mut next =
            found.map_or_else(|| Manifest::empty(&table.name, id, store.format(), shape.clone()), |(held, _)| held);
        let made = match next.shape == shape {
            true => None,
            false => Some(work(store, key, &next, epoch.0, |workshop| workshop.widen(&next, &shape))?),
        };
        next.version += 1;
        let retyped = retyped(&next.shape, &shape, table);
        next.shape = shape;
        if let Some(made) = &made {
            next.replace(&made.merged.gone, made.merged.made.clone());
        }
        forget(&mut next, &retyped);
        let commit = random();
        claim(&mut next, key, epoch, &commit);
        let is_ours = |found: &Manifest| found.entry(key).is_some_and(|entry| entry.commit == commit);
        let attempt = make(store, &next, &is_ours);
        if !matches!(attempt, Ok(Attempt::Made(_))) {
            made.iter().for_each(|made| made.discard(store));
        }
        if let Attempt::Made(stamps) = attempt? {
            if is_new && store.is_bucket() {
                refuse_without_conditions(store, &next)?;
            }
            return Ok((next, stamps));
        }
    }
    Err(busy(store))
}

/// The columns that have taken a wider type: their values are what the narrower one had left of them.
fn retyped(before: &Shape, after: &Shape, table: &TableSchema) -> Lost {
    let mut lost = Lost::default();
    for (index, column) in table.columns.iter().enumerate() {
        let kind = |shape: &Shape| shape.position(&column.name).map(|place| shape.columns[place].kind);
        if kind(before).is_some_and(|before| Some(before) != kind(after)) {
            lost.retyped(table, index);
        }
    }
    lost
}

/// The streams of the table learn what they have to read again. A checkpoint that this version cannot read stays as it is.
fn forget(manifest: &mut Manifest, lost: &Lost) {
    for entry in &mut manifest.streams {
        let saved = entry.checkpoint.clone().and_then(|saved| serde_json::from_value::<Checkpoint>(saved).ok());
        let revised = saved.and_then(|checkpoint| lost.revise(&checkpoint, entry.stream.is_some()));
        if let Some(revised) = revised {
            entry.checkpoint = Some(serde_json::to_value(revised).expect("a checkpoint is plain data"));
        }
    }
}

fn is_claimed(entry: &StreamEntry, key: &StreamKey, epoch: Epoch) -> bool {
    entry.epoch == epoch.0 && entry.org == key.org && entry.installation == key.installation
}

/// Notes who holds the stream.
fn claim(manifest: &mut Manifest, key: &StreamKey, epoch: Epoch, commit: &str) {
    let before = manifest.entry(key).and_then(|entry| entry.checkpoint.clone());
    manifest.streams.retain(|entry| !entry.is_of(key));
    manifest.streams.push(StreamEntry {
        connection: key.connection.clone(),
        object: key.object.clone(),
        stream: key.stream.clone(),
        org: key.org.clone(),
        installation: key.installation.clone(),
        epoch: epoch.0,
        commit: commit.to_owned(),
        checkpoint: before,
    });
}

pub(super) const NO_MATCHING: &str = "Files have no table of yours beside them that records could be matched with. Write to \
                           SQLite or PostgreSQL, or take the [match] section out of the mapping";

/// Why the table cannot take this stream.
fn check(held: Option<&Manifest>, key: &StreamKey, table: &TableSchema, format: FileFormat) -> Result<(), String> {
    check_names(table, held.map(|held| &held.shape))?;
    let Some(held) = held else { return Ok(()) };
    let id = &table.columns[table.id].name;
    if held.table != table.name {
        return Err(format!("its folder holds table {:?}; choose another table name in the mapping", held.table));
    }
    if held.files_are != format {
        let held = held.files_are;
        return Err(format!("its files are {held}, and the address asks for {format}; name another folder"));
    }
    if held.key != *id {
        let held = &held.key;
        return Err(format!("its key is (_connection, {held}), not (_connection, {id}); choose another table name"));
    }
    match held.other_writer(key) {
        Some((org, installation)) => Err(other_writer(key, org, installation)),
        None => Ok(()),
    }
}

fn refuse(store: &Store, table: &TableSchema, reason: Option<String>) -> Outcome<()> {
    match reason {
        Some(reason) => {
            let (place, table) = (store.place().to_owned(), table.name.clone());
            Err(DestinationError::Incompatible { place, table, reason })
        }
        None => Ok(()),
    }
}

pub(super) fn refuse_older_epoch(store: &Store, key: &StreamKey, manifest: &Manifest, epoch: Epoch) -> Outcome<()> {
    match manifest.entry(key) {
        Some(entry) if entry.epoch > epoch.0 => {
            let place = store.place().to_owned();
            Err(DestinationError::Fenced { place, ours: epoch.0, current: entry.epoch })
        }
        _ => Ok(()),
    }
}

fn checkpoint(store: &Store, key: &StreamKey, manifest: &Manifest) -> Outcome<Option<Checkpoint>> {
    let saved = manifest.entry(key).and_then(|entry| entry.checkpoint.clone());
    saved.map(serde_json::from_value).transpose().map_err(|error| DestinationError::Unusable {
        place: store.place().to_owned(),
        reason: format!(
            "the checkpoint of {} for connection {} is not one this version can read ({error}); run the version that wrote \
             it, or move the table's folder away to import everything again",
            key.object, key.connection
        ),
    })
}

fn unprepared(settings: &FilesSettings) -> DestinationError {
    let reason = "rows were written or read before the table was prepared".to_owned();
    DestinationError::Other { place: settings.place(), reason }
}

/// What readers see is behind what was written until the next write or run shows it.
fn show(store: &Store, manifest: &Manifest) {
    warn(store, "readers do not see the last write yet", publish(store, manifest));
}

fn warn(store: &Store, what: &str, outcome: Outcome<()>) {
    if let Err(error) = outcome {
        tracing::warn!(place = store.place(), reason = %error, "{what}");
    }
}

fn busy(store: &Store) -> DestinationError {
    let reason = "other runs write to this table without a pause; the next attempt goes on".to_owned();
    DestinationError::Unreachable { place: store.place().to_owned(), reason }
}

/// 64 random bits.
pub(super) fn random() -> String {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the operating system has randomness");
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes everything");
        text
    })
}
