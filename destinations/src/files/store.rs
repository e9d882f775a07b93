//! The folder of one table, on a disk or in a bucket: a few operations, each of which happens wholly or not at all.

mod fuse;
mod local;
pub(in crate::files) mod s3;

use std::io::{self, Write};

use bytes::Bytes;
use parquet::{
    errors::Result as ParquetResult,
    file::reader::{ChunkReader, Length},
};
use sync::{destination::DestinationError, table::StreamKey};

use self::{local::LocalStore, s3::S3Store};
use super::{
    format::FileFormat,
    name::safe,
    settings::{FilesPlace, FilesSettings},
};

/// Where the versions of a table are, and where its files.
pub(super) const MANIFESTS: &str = "_orgtide/manifests";
pub(super) const DATA: &str = "data";

type Outcome<T> = Result<T, DestinationError>;

/// One table's folder. Used by one thread.
pub(super) struct Store {
    place: String,
    format: FileFormat,
    kind: Kind,
}

enum Kind {
    Local(LocalStore),
    S3(S3Store),
}

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    /// By the clock of the store, in milliseconds.
    pub(super) modified: i64,
}

impl Store {
    /// The folder of a stream's table; nothing is touched.
    pub(super) fn new(settings: &FilesSettings, stream: &StreamKey) -> Outcome<Self> {
        let settings = settings.of(stream);
        let place = settings.place();
        let table = safe(&stream.table);
        let kind = match &settings.place {
            FilesPlace::Folder(path) => Kind::Local(LocalStore::new(path, &table, place.clone())),
            FilesPlace::Bucket(bucket) => Kind::S3(S3Store::new(bucket, &table, place.clone())?),
        };
        Ok(Self { place, format: settings.format, kind })
    }

    /// The folder or bucket, as messages name it.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// What the files of a new table are.
    pub(super) fn format(&self) -> FileFormat {
        self.format
    }

    pub(super) fn is_bucket(&self) -> bool {
        matches!(self.kind, Kind::S3(_))
    }

    /// Makes what has to be there before a file is written.
    pub(super) fn make_ready(&self) -> Outcome<()> {
        match &self.kind {
            Kind::Local(store) => store.make_ready(),
            Kind::S3(_) => Ok(()),
        }
    }

    /// The files of a folder; none where there is no such folder.
    pub(super) fn list(&self, folder: &str) -> Outcome<Vec<Listed>> {
        match &self.kind {
            Kind::Local(store) => store.list(folder),
            Kind::S3(store) => store.list(folder),
        }
    }

    /// A whole file; `None`: there is none.
    pub(super) fn read(&self, path: &str) -> Outcome<Option<Bytes>> {
        match &self.kind {
            Kind::Local(store) => store.read(path),
            Kind::S3(store) => store.read(path),
        }
    }

    /// Makes a file with this content unless one of the name is there; false: there was one.
    pub(super) fn create(&self, path: &str, content: &[u8]) -> Outcome<bool> {
        match &self.kind {
            Kind::Local(store) => store.create(path, content),
            Kind::S3(store) => store.create(path, content),
        }
    }

    /// Makes a file with this content, in the place of another one. What it says can be said again: a power failure may
    /// undo it.
    pub(super) fn replace(&self, path: &str, content: &[u8]) -> Outcome<()> {
        match &self.kind {
            Kind::Local(store) => store.replace(path, content),
            Kind::S3(store) => store.replace(path, content),
        }
    }

    /// Removes a file; none is as good.
    pub(super) fn delete(&self, path: &str) -> Outcome<()> {
        match &self.kind {
            Kind::Local(store) => store.delete(path),
            Kind::S3(store) => store.delete(path),
        }
    }

    /// A data file to read parts of; `None`: there is none.
    pub(super) fn open(&self, name: &str) -> Outcome<Option<Chunks>> {
        let path = format!("{DATA}/{name}");
        match &self.kind {
            Kind::Local(store) => store.open(&path),
            Kind::S3(store) => Ok(store.read(&path)?.map(Chunks::Memory)),
        }
    }

    /// Begins a data file, which is there when [`Output::finish`] is done, and not before.
    pub(super) fn begin(&self, name: &str) -> Outcome<Output> {
        let path = format!("{DATA}/{name}");
        match &self.kind {
            Kind::Local(store) => store.begin(&path).map(Output::Local),
            Kind::S3(store) => Ok(Output::Memory { store: store.clone(), path, content: Vec::new() }),
        }
    }

    /// How a reader elsewhere names a data file.
    pub(super) fn address(&self, name: &str) -> String {
        let path = format!("{DATA}/{name}");
        match &self.kind {
            Kind::Local(store) => store.address(&path),
            Kind::S3(store) => store.address(&path),
        }
    }

    /// Has the folder `current` hold these files and no others, from one moment to the next; where there are no folders,
    /// nothing.
    pub(super) fn show(&self, version: u64, names: &[&str]) -> Outcome<()> {
        match &self.kind {
            Kind::Local(store) => store.show(version, names),
            Kind::S3(_) => Ok(()),
        }
    }

    /// Removes what earlier versions have shown.
    pub(super) fn forget_views_before(&self, version: u64) -> Outcome<()> {
        match &self.kind {
            Kind::Local(store) => store.forget_views_before(version),
            Kind::S3(_) => Ok(()),
        }
    }

    /// Removes what is left of the folder when its files are gone.
    pub(super) fn vanish(&self) -> Outcome<()> {
        match &self.kind {
            Kind::Local(store) => store.vanish(),
            Kind::S3(_) => Ok(()),
        }
    }

    #[cfg(test)]
    pub(super) fn is_killed(&self) -> bool {
        match &self.kind {
            Kind::Local(store) => store.fuse.is_burnt(),
            Kind::S3(store) => store.fuse.is_burnt(),
        }
    }

    /// After this many more effects nothing happens any more, as if the process had been killed.
    #[cfg(test)]
    pub(super) fn kill_after(&mut self, effects: i64) {
        match &mut self.kind {
            Kind::Local(store) => store.fuse = fuse::Fuse::of(effects),
            Kind::S3(store) => store.fuse = fuse::Fuse::of(effects),
        }
    }
}

/// A data file that is read.
#[derive(Clone)]
pub(super) enum Chunks {
    File(std::sync::Arc<std::fs::File>),
    Memory(Bytes),
}

/// A part of one, from its start.
pub(super) enum Chunk {
    File(io::BufReader<std::fs::File>),
    Memory(io::Cursor<Bytes>),
}

impl io::Read for Chunk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Memory(memory) => memory.read(buffer),
        }
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => Length::len(&**file),
            Self::Memory(memory) => memory.len() as u64,
        }
    }
}

impl ChunkReader for Chunks {
    type T = Chunk;

    fn get_read(&self, start: u64) -> ParquetResult<Chunk> {
        Ok(match self {
            Self::File(file) => Chunk::File(file.get_read(start)?),
            Self::Memory(memory) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX).min(memory.len());
                Chunk::Memory(io::Cursor::new(memory.slice(start..)))
            }
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Self::File(file) => file.get_bytes(start, length),
            Self::Memory(memory) => memory.get_bytes(start, length),
        }
    }
}

/// A data file that is written. Dropped before its end, it leaves nothing.
pub(super) enum Output {
    Local(local::LocalOutput),
    Memory { store: S3Store, path: String, content: Vec<u8> },
}

impl Output {
    /// How many bytes.
    pub(super) fn written(&self) -> u64 {
        match self {
            Self::Local(output) => output.written(),
            Self::Memory { content, .. } => content.len() as u64,
        }
    }

    /// The file is whole, and there.
    pub(super) fn finish(self) -> Outcome<()> {
        match self {
            Self::Local(output) => output.finish(),
            Self::Memory { store, path, content } => store.put(&path, content),
        }
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Local(output) => output.write(buffer),
            Self::Memory { content, .. } => content.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Local(output) => output.flush(),
            Self::Memory { .. } => Ok(()),
        }
    }
}
