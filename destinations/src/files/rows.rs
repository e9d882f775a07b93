//! A stream's rows, for people: counted, removed, described.

use arrow_array::{Array as _, cast::AsArray};
use sync::{checkpoint::Epoch, destination::DestinationError, table::StreamKey};

use super::{
    apply::Change,
    data::DataReader,
    foreign::not_ours,
    manifest::{Manifest, StreamEntry},
    publish::{columns as columns_of, publish},
    settings::FilesSettings,
    shape::{CONNECTION, DELETED, STREAM},
    store::{DATA, Store},
    versions::{Attempt, last, make, remove_all},
    writer::{random, refuse_older_epoch, work},
};
use crate::{DeclaredColumn, RowCounts};

type Outcome<T> = Result<T, DestinationError>;

const ATTEMPTS: usize = 50;

pub(crate) fn count(settings: &FilesSettings, stream: &StreamKey) -> Outcome<RowCounts> {
    let store = Store::new(settings, stream)?;
    let Some((manifest, _)) = last(&store)? else {
        return Err(DestinationError::Incompatible {
            place: store.place().to_owned(),
            table: stream.table.clone(),
            reason: "there is no such table yet".to_owned(),
        });
    };
    let mut counts = RowCounts::default();
    for file in manifest.files_of(&stream.connection) {
        let reader = DataReader::open(&store, &file, &manifest.shape)?;
        for group in 0..reader.groups() {
            let rows = reader.decode_columns(group, &[CONNECTION, DELETED, STREAM])?;
            let names = rows.column_by_name(STREAM).map(AsArray::as_string::<i32>);
            let flags = rows.column_by_name(DELETED).map(AsArray::as_boolean);
            for row in 0..rows.num_rows() {
                let is_ours = names.map_or(stream.stream.is_none(), |names| {
                    (!names.is_null(row)).then(|| names.value(row)) == stream.stream.as_deref()
                });
                let is_deleted = flags.is_some_and(|flags| flags.value(row));
                counts.deleted += u64::from(is_ours && is_deleted);
                counts.present += u64::from(is_ours && !is_deleted);
            }
        }
    }
    Ok(counts)
}

pub(crate) fn columns(settings: &FilesSettings, stream: &StreamKey) -> Outcome<Vec<DeclaredColumn>> {
    let store = Store::new(settings, stream)?;
    let Some((manifest, _)) = last(&store)? else { return Ok(Vec::new()) };
    let column =
        |(name, declared): (&str, &str)| DeclaredColumn { name: name.to_owned(), declared: declared.to_owned() };
    Ok(columns_of(&manifest).into_iter().map(column).collect())
}

/// Looks whether the rows are the stream's own to remove.
pub(crate) fn may_remove(settings: &FilesSettings, stream: &StreamKey) -> Outcome<()> {
    let store = Store::new(settings, stream)?;
    last(&store)?.map_or(Ok(()), |(manifest, _)| refuse_what_is_not_ours(&store, &manifest, stream))
}

fn refuse_what_is_not_ours(store: &Store, manifest: &Manifest, stream: &StreamKey) -> Outcome<()> {
    match manifest.other_writer(stream) {
        Some((org, installation)) => Err(DestinationError::NotOurs {
            place: store.place().to_owned(),
            table: stream.table.clone(),
            reason: not_ours(stream, org, installation),
        }),
        None => Ok(()),
    }
}

/// Removes the rows and the checkpoint together, and the table when no rows are left. Files that had the rows go at once.
pub(crate) fn remove(settings: &FilesSettings, stream: &StreamKey) -> Outcome<u64> {
    removed(settings, stream, None)
}

/// The same, but the table stays, with the epoch for whichever org comes next.
pub(crate) fn hand_over(settings: &FilesSettings, stream: &StreamKey, epoch: Epoch) -> Outcome<u64> {
    removed(settings, stream, Some(epoch))
}

fn removed(settings: &FilesSettings, stream: &StreamKey, successor: Option<Epoch>) -> Outcome<u64> {
    let store = Store::new(settings, stream)?;
    for _ in 0..ATTEMPTS {
        let Some((manifest, _)) = last(&store)? else { return Ok(0) };
        refuse_what_is_not_ours(&store, &manifest, stream)?;
        if let Some(epoch) = successor {
            refuse_older_epoch(&store, stream, &manifest, epoch)?;
        }
        let epoch = manifest.entry(stream).map_or(0, |entry| entry.epoch);
        let change = Change::removal(&manifest.shape, stream, &manifest.key).filter(|_| {
            // Rows of a table without streams' names are those of the stream without a name.
            manifest.shape.stream || stream.stream.is_none()
        });
        let made = match &change {
            Some(change) => Some(work(&store, stream, &manifest, epoch, |workshop| workshop.merge(&manifest, change))?),
            None => None,
        };
        let mut next = manifest.clone();
        next.version += 1;
        next.streams.retain(|entry| !entry.is_of(stream));
        next.streams.extend(successor.map(|epoch| vacated(stream, epoch)));
        if let Some(made) = &made {
            next.replace(&made.merged.gone, made.merged.made.clone());
        }
        let left = next.entry(stream).map(|entry| entry.commit.clone());
        let is_left = |found: &Manifest| found.entry(stream).map(|entry| &entry.commit) == left.as_ref();
        let attempt = make(&store, &next, &|found| is_left(found) && found.files == next.files);
        if !matches!(attempt, Ok(Attempt::Made(_))) {
            made.iter().for_each(|made| made.discard(&store));
        }
        if let Attempt::Made(_) = attempt? {
            forget(&store, &next, stream, successor.is_none())?;
            return Ok(made.map_or(0, |made| made.merged.ended));
        }
    }
    let reason = "other runs write to this table without a pause; try again".to_owned();
    Err(DestinationError::Unreachable { place: store.place().to_owned(), reason })
}

/// What is left of a stream whose rows have gone: its epoch, and nobody's org.
fn vacated(stream: &StreamKey, epoch: Epoch) -> StreamEntry {
    StreamEntry {
        connection: stream.connection.clone(),
        object: stream.object.clone(),
        stream: stream.stream.clone(),
        org: String::new(),
        installation: stream.installation.clone(),
        epoch: epoch.0,
        commit: random(),
        checkpoint: None,
    }
}

/// Removes files that had the stream's rows; everything where no rows are left and the table may go.
fn forget(store: &Store, manifest: &Manifest, stream: &StreamKey, may_go: bool) -> Outcome<()> {
    let is_empty = may_go && manifest.files.is_empty();
    if !is_empty {
        publish(store, manifest)?;
        store.forget_views_before(manifest.version)?;
    }
    for dropped in manifest.dropped.iter().filter(|dropped| is_empty || dropped.connection == stream.connection) {
        store.delete(&format!("{DATA}/{}", dropped.name))?;
    }
    if is_empty {
        for name in ["current.json", "view.sql"] {
            store.delete(name)?;
        }
        remove_all(store)?;
        store.vanish()?;
    }
    Ok(())
}
