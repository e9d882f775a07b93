//! From the files of a connection to those after one write: only files with rows that change are written anew, and of
//! them only the row groups with such rows are decoded.

use std::ops::Range;

use arrow_array::RecordBatch;
use sync::destination::DestinationError;

use super::{
    apply::{Change, Ending, Event},
    data::{DataReader, DataWriter, FILE_BYTES, GROUP_BYTES, sources},
    manifest::{DataFile, Manifest, Shape},
    shape::{DELETED, GENERATION, STREAM},
    store::Store,
};

/// So many small files beside each other become one.
const NEIGHBOURS: usize = if cfg!(test) { 4 } else { 16 };

type Outcome<T> = Result<T, DestinationError>;

/// Files in the place of others.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) gone: Vec<DataFile>,
    pub(super) made: Vec<DataFile>,
    /// Rows that the end of a whole reading has deleted.
    pub(super) ended: u64,
}

/// Where files are, and how new ones are called.
pub(super) struct Workshop<'a> {
    pub(super) store: &'a Store,
    pub(super) key: &'a str,
    pub(super) name: &'a dyn Fn() -> String,
}

/// Events for a file, or for the gap between two.
struct Task<'a> {
    file: Option<&'a DataFile>,
    events: Range<usize>,
}

impl Workshop<'_> {
    /// What a write makes of a connection's files.
    pub(super) fn merge(&self, manifest: &Manifest, change: &Change) -> Outcome<Merged> {
        let files = manifest.files_of(&change.connection);
        if change.ending == Some(Ending::Everything) && !change.shape.stream {
            let ended = files.iter().map(|file| file.rows).sum();
            return Ok(Merged { gone: files, made: Vec::new(), ended });
        }
        let mut merged = Merged::default();
        for task in plan(&files, change) {
            match task.file {
                None => merged.made.extend(self.fill_gap(change, task.events)?),
                Some(_) if task.events.is_empty() && change.ending.is_none() => {}
                Some(file) => {
                    if let Some(made) = self.merge_file(file, change, task.events, &mut merged.ended)? {
                        merged.gone.push(file.clone());
                        merged.made.extend(made);
                    }
                }
            }
        }
        self.join_neighbours(files, &change.connection, &change.shape, merged)
    }

    fn writer<'a>(&'a self, connection: &'a str, shape: &Shape) -> DataWriter<'a> {
        DataWriter::new(self.store, connection, shape, self.key, self.name)
    }

    fn fill_gap(&self, change: &Change, events: Range<usize>) -> Outcome<Vec<DataFile>> {
        let mut writer = self.writer(&change.connection, &change.shape);
        writer.push(change.apply(None, &change.events[events]).rows)?;
        writer.finish()
    }

    /// `None`: the file stays as it is.
    fn merge_file(
        &self,
        file: &DataFile,
        change: &Change,
        events: Range<usize>,
        ended: &mut u64,
    ) -> Outcome<Option<Vec<DataFile>>> {
        let reader = DataReader::open(self.store, file, &change.shape)?;
        let events = &change.events[events];
        let mut writer: Option<DataWriter<'_>> = None;
        let mut next = 0;
        for group in 0..reader.groups() {
            let is_last = group + 1 == reader.groups();
            let until = match is_last {
                true => events.len(),
                false => {
                    next + events[next..]
                        .partition_point(|event| change.key_of(event) <= reader.keys(group).max.as_str())
                }
            };
            let changed = changed_group(&reader, group, change, &events[next..until], ended)?;
            next = until;
            match (changed, &mut writer) {
                (None, None) => {}
                (None, Some(writer)) => writer.copy(&reader, group)?,
                (Some(rows), Some(writer)) => writer.push(rows)?,
                (Some(rows), none) => {
                    let writer = none.insert(self.writer(&change.connection, &change.shape));
                    for group in 0..group {
                        writer.copy(&reader, group)?;
                    }
                    writer.push(rows)?;
                }
            }
        }
        writer.map(DataWriter::finish).transpose()
    }

    /// Makes one file of many small ones beside each other, and row groups of a good size of small ones.
    fn join_neighbours(
        &self,
        before: Vec<DataFile>,
        connection: &str,
        shape: &Shape,
        mut merged: Merged,
    ) -> Outcome<Merged> {
        let is_gone = |file: &DataFile| merged.gone.iter().any(|gone| gone.name == file.name);
        let mut files: Vec<DataFile> = before.iter().filter(|file| !is_gone(file)).cloned().collect();
        files.extend(merged.made.iter().cloned());
        files.sort_by(|one, other| one.min.cmp(&other.min));
        let Some(range) = small_neighbours(&files) else { return Ok(merged) };
        let mut writer = self.writer(connection, shape);
        for file in &files[range.clone()] {
            let reader = DataReader::open(self.store, file, shape)?;
            for group in 0..reader.groups() {
                match reader.bytes(group) >= GROUP_BYTES / 4 {
                    true => writer.copy(&reader, group)?,
                    false => writer.push(reader.decode(group)?)?,
                }
            }
        }
        let joined = writer.finish()?;
        let parts = &files[range];
        let is_part = |file: &DataFile| parts.iter().any(|part| part.name == file.name);
        // What this write has made itself is no part of any version, and goes at once.
        for file in merged.made.iter().filter(|file| is_part(file)) {
            self.store.delete(&format!("data/{}", file.name))?;
        }
        merged.made.retain(|file| !is_part(file));
        merged.gone.extend(before.into_iter().filter(is_part));
        merged.made.extend(joined);
        Ok(merged)
    }

    /// All files of a table, with the columns and types that it has now.
    pub(super) fn widen(&self, manifest: &Manifest, shape: &Shape) -> Outcome<Merged> {
        let mut merged = Merged::default();
        let sources = sources(&manifest.shape, shape);
        for file in &manifest.files {
            let reader = DataReader::open(self.store, file, &manifest.shape)?;
            let mut writer = self.writer(&file.connection, shape);
            for group in 0..reader.groups() {
                writer.copy_widened(&reader, group, &sources)?;
            }
            merged.made.extend(writer.finish()?);
            merged.gone.push(file.clone());
        }
        Ok(merged)
    }
}

/// The rows of a row group after these events; `None`: they are what they were.
fn changed_group(
    reader: &DataReader,
    group: usize,
    change: &Change,
    events: &[Event],
    ended: &mut u64,
) -> Outcome<Option<RecordBatch>> {
    let is_ended = || -> Outcome<bool> {
        let ends = |marks: RecordBatch| change.ends_any(&marks);
        Ok(change.ending.is_some() && reader.decode_columns(group, &[DELETED, STREAM, GENERATION]).map(ends)?)
    };
    if events.is_empty() && !is_ended()? {
        return Ok(None);
    }
    let held = reader.decode(group)?;
    let applied = change.apply(Some(&held), events);
    *ended += applied.ended;
    Ok((applied.rows.columns() != held.columns()).then_some(applied.rows))
}

/// Which file each event belongs to. Rows that come between two files go into one of them that is written anyway, or into
/// a file of their own.
fn plan<'a>(files: &'a [DataFile], change: &Change) -> Vec<Task<'a>> {
    let events = &change.events;
    let until = |from: usize, is_before: &dyn Fn(&str) -> bool| {
        from + events[from..].partition_point(|event| is_before(change.key_of(event)))
    };
    let mut tasks: Vec<Task<'a>> = Vec::with_capacity(2 * files.len() + 1);
    let mut next = 0;
    for file in files {
        let first = until(next, &|key| key < file.min.as_str());
        let end = until(first, &|key| key <= file.max.as_str());
        tasks.push(Task { file: None, events: next..first });
        tasks.push(Task { file: Some(file), events: first..end });
        next = end;
    }
    tasks.push(Task { file: None, events: next..events.len() });
    for gap in (0..tasks.len()).step_by(2) {
        let events_of_gap = tasks[gap].events.clone();
        if !change.inserts(&events[events_of_gap.clone()]) {
            tasks[gap].events.end = tasks[gap].events.start;
        } else if tasks.get(gap + 1).is_some_and(|task| !task.events.is_empty()) {
            tasks[gap + 1].events.start = events_of_gap.start;
            tasks[gap].events.end = tasks[gap].events.start;
        } else if gap > 0 && !tasks[gap - 1].events.is_empty() {
            tasks[gap - 1].events.end = events_of_gap.end;
            tasks[gap].events.start = tasks[gap].events.end;
        }
    }
    tasks.retain(|task| task.file.is_some() || !task.events.is_empty());
    tasks
}

/// Small files beside each other that are to become one.
fn small_neighbours(files: &[DataFile]) -> Option<Range<usize>> {
    let is_small = |file: &DataFile| file.bytes < FILE_BYTES / 2;
    let mut first = 0;
    for end in 0..=files.len() {
        if files.get(end).is_some_and(is_small) {
            continue;
        }
        if end - first >= NEIGHBOURS {
            let mut bytes = 0;
            let fitting = files[first..end].iter().take_while(|file| {
                bytes += file.bytes;
                bytes < FILE_BYTES
            });
            let count = fitting.count().max(2);
            return Some(first..first + count);
        }
        first = end + 1;
    }
    None
}
