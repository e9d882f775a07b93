//! Files on disk that have no name: uploads and results, so that memory does not grow with the number of rows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, StreamExt};
use http::{StatusCode, header};

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::payload::{Chunks, Payload};

/// What is collected before it is written. A file that is complete before shares one with others of its size, so that
/// thousands of small batches do not take a file descriptor each.
const BUFFER: usize = 1 << 20;
/// The least that a shared file sets aside.
const SMALLEST_BLOCK: u64 = 4 << 10;
pub(super) const CSV: &str = "text/csv; charset=UTF-8";
const CHUNK: u64 = 512 << 10;
/// Chunks read ahead of the client.
const READ_AHEAD: usize = 2;

/// The disk space that the files of one org may take.
#[derive(Debug)]
pub(super) struct Disk {
    /// Without one, the system's folder for temporary files.
    folder: Option<PathBuf>,
    capacity: u64,
    used: AtomicU64,
    shared: Mutex<Shared>,
}

/// One file for everything that is small, in blocks whose sizes are powers of two.
#[derive(Debug, Default)]
struct Shared {
    file: Option<Arc<File>>,
    end: u64,
    /// Places of free blocks by their size.
    free: BTreeMap<u64, Vec<u64>>,
}

/// Why something could not be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiskError {
    #[error(
        "Unknown : the emulator keeps at most {} MB of uploads and results on disk; delete jobs or raise bulk.spool_megabytes",
        .capacity >> 20
    )]
    Full { capacity: u64 },
    #[error("Unknown : the emulator cannot write to {folder}: {source}")]
    Write { folder: String, source: io::Error },
    #[error("Unknown : the emulator cannot read what it has written: {0}")]
    Read(#[source] io::Error),
}

impl Disk {
    pub(super) fn new(folder: Option<PathBuf>, capacity: u64) -> Self {
        Self { folder, capacity, used: AtomicU64::new(0), shared: Mutex::default() }
    }

    /// Keeps a few bytes or many.
    pub(super) fn store(self: &Arc<Self>, bytes: &[u8]) -> Result<Arc<Stored>, DiskError> {
        let mut tape = Tape::new(self);
        tape.append(|out| out.extend_from_slice(bytes))?;
        tape.finish()
    }

    fn create(&self) -> Result<File, DiskError> {
        let file = match &self.folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        file.map_err(|source| self.failed(source))
    }

    /// Writes into a block of the shared file.
    fn share(self: &Arc<Self>, bytes: &[u8]) -> Result<Stored, DiskError> {
        let length = bytes.len() as u64;
        let size = length.next_power_of_two().max(SMALLEST_BLOCK);
        let share = Share::of(self, size)?;
        let (file, start) = self.block(size)?;
        let stored = Stored { file, start, length, block: Some(size), share };
        stored.file.write_all_at(bytes, start).map_err(|source| self.failed(source))?;
        Ok(stored)
    }

    fn block(&self, size: u64) -> Result<(Arc<File>, u64), DiskError> {
        let mut shared = self.shared();
        let file = match &shared.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(shared.file.insert(Arc::new(self.create()?))),
        };
        let freed = shared.free.get_mut(&size).and_then(Vec::pop);
        let start = freed.unwrap_or_else(|| {
            shared.end += size;
            shared.end - size
        });
        Ok((file, start))
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: u64) -> Result<(), DiskError> {
        let grown = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.capacity);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
            .map(|_| ())
            .map_err(|_| DiskError::Full { capacity: self.capacity })
    }

    fn failed(&self, source: io::Error) -> DiskError {
        let folder = match &self.folder {
            Some(folder) => folder.display().to_string(),
            None => "the folder for temporary files".to_owned(),
        };
        DiskError::Write { folder, source }
    }
}

/// A share of the disk, given back when it is dropped.
#[derive(Debug)]
struct Share {
    disk: Arc<Disk>,
    bytes: u64,
}

impl Share {
    fn of(disk: &Arc<Disk>, bytes: u64) -> Result<Self, DiskError> {
        disk.take(bytes)?;
        Ok(Self { disk: Arc::clone(disk), bytes })
    }

    fn grow(&mut self, bytes: u64) -> Result<(), DiskError> {
        self.disk.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.disk.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What is being written.
#[derive(Debug)]
pub(super) struct Tape {
    pending: Vec<u8>,
    disk: Arc<Disk>,
    /// From the first time on that the buffer was full.
    file: Option<(File, Share)>,
}

impl Tape {
    pub(super) fn new(disk: &Arc<Disk>) -> Self {
        Self { pending: Vec::new(), disk: Arc::clone(disk), file: None }
    }

    /// Bytes so far.
    pub(super) fn length(&self) -> u64 {
        self.file.as_ref().map_or(0, |(_, share)| share.bytes) + self.pending.len() as u64
    }

    /// Appends what `write` puts into the buffer.
    pub(super) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), DiskError> {
        write(&mut self.pending);
        if self.pending.len() < BUFFER {
            return Ok(());
        }
        let (file, share) = match &mut self.file {
            Some(file) => file,
            None => self.file.insert((self.disk.create()?, Share::of(&self.disk, 0)?)),
        };
        flush(&mut self.pending, file, share)
    }

    pub(super) fn finish(mut self) -> Result<Arc<Stored>, DiskError> {
        let stored = match self.file {
            None => self.disk.share(&self.pending)?,
            Some((mut file, mut share)) => {
                flush(&mut self.pending, &mut file, &mut share)?;
                Stored { file: Arc::new(file), start: 0, length: share.bytes, block: None, share }
            }
        };
        Ok(Arc::new(stored))
    }
}

fn flush(pending: &mut Vec<u8>, file: &mut File, share: &mut Share) -> Result<(), DiskError> {
    share.grow(pending.len() as u64)?;
    file.write_all(pending).map_err(|source| share.disk.failed(source))?;
    pending.clear();
    Ok(())
}

/// What has been written. It vanishes with the last who holds it.
#[derive(Debug)]
pub(super) struct Stored {
    file: Arc<File>,
    start: u64,
    length: u64,
    /// The size of its block in the shared file.
    block: Option<u64>,
    share: Share,
}

impl Drop for Stored {
    fn drop(&mut self) {
        if let Some(size) = self.block {
            self.share.disk.shared().free.entry(size).or_default().push(self.start);
        }
    }
}

impl Stored {
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, self.start + offset)
    }

    fn piece(&self, bytes: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(bytes.end - bytes.start).map_err(io::Error::other)?;
        let mut piece = vec![0; length];
        self.read_exact_at(&mut piece, bytes.start)?;
        Ok(piece.into())
    }

    /// Everything, where that is known to be little.
    pub(super) fn whole(&self) -> io::Result<Bytes> {
        self.piece(0..self.length())
    }
}

/// Reads a stored file from a place on.
#[derive(Debug)]
pub(super) struct Reading {
    file: Arc<Stored>,
    at: u64,
}

impl Reading {
    pub(super) fn new(file: Arc<Stored>) -> Self {
        Self { file, at: 0 }
    }
}

impl io::Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.file.length().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        self.file.read_exact_at(&mut buffer[..length], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

/// 200 with a header and a part of a file as CSV, compressed for whoever asks for exactly `gzip`: any other value is
/// ignored (Bulk API 2.0 guide v66, "Get Results for a Query Job").
pub(super) fn csv_answer(call: &Call, head: Bytes, file: Arc<Stored>, bytes: Range<u64>) -> Answer {
    file_answer(call, CSV, head, file, bytes)
}

/// 200 with a beginning and a part of a file.
pub(super) fn file_answer(call: &Call, media: &str, head: Bytes, file: Arc<Stored>, bytes: Range<u64>) -> Answer {
    let zipped = call.header(header::ACCEPT_ENCODING) == Some("gzip");
    let length = head.len() as u64 + bytes.end - bytes.start;
    let chunks: Chunks = Box::pin(stream::iter([Ok(head)]).chain(pieces(file, bytes)));
    if zipped {
        return Answer::typed(StatusCode::OK, media, gzip(chunks)).with(header::CONTENT_ENCODING, "gzip");
    }
    Answer::typed(StatusCode::OK, media, Payload::chunks(chunks, Some(length)))
}

/// The bytes of a part, read a few pieces ahead of the client.
fn pieces(file: Arc<Stored>, bytes: Range<u64>) -> Chunks {
    let starts = (bytes.start..bytes.end).step_by(CHUNK as usize);
    let reads = starts.map(move |start| {
        // The file is kept with each piece: a job that is deleted meanwhile is still read to its end.
        let (file, end) = (Arc::clone(&file), bytes.end.min(start + CHUNK));
        async move {
            let read = tokio::task::spawn_blocking(move || file.piece(start..end));
            read.await.map_err(io::Error::other)?
        }
    });
    Box::pin(stream::iter(reads).buffered(READ_AHEAD))
}

/// The same bytes compressed on the way.
fn gzip(pieces: Chunks) -> Payload {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let compressed = stream::try_unfold(Some((pieces, encoder)), |state| async {
        let Some((mut pieces, mut encoder)) = state else {
            return Ok(None);
        };
        let Some(piece) = pieces.next().await else {
            return Ok(Some((Bytes::from(encoder.finish()?), None)));
        };
        let piece = piece?;
        let work = tokio::task::spawn_blocking(move || {
            encoder.write_all(&piece)?;
            let packed = std::mem::take(encoder.get_mut());
            Ok::<_, io::Error>((packed, encoder))
        });
        let (packed, encoder) = work.await.map_err(io::Error::other)??;
        Ok(Some((Bytes::from(packed), Some((pieces, encoder)))))
    });
    // An empty piece would end nothing, but costs a frame.
    let filled = compressed.filter(|piece| std::future::ready(!matches!(piece, Ok(piece) if piece.is_empty())));
    Payload::chunks(Box::pin(filled), None)
}

/// Where a file ends when its last lines are left out.
pub(super) fn without_last_lines(file: &Stored, from: u64, lacking: u64) -> io::Result<u64> {
    if lacking == 0 {
        return Ok(file.length());
    }
    let bytes = file.whole()?;
    let ends: Vec<u64> = memchr::memchr_iter(b'\n', &bytes).map(|at| at as u64 + 1).filter(|at| *at > from).collect();
    let kept = ends.len().saturating_sub(usize::try_from(lacking).unwrap_or(usize::MAX));
    Ok(kept.checked_sub(1).map_or(from, |last| ends[last]))
}

/// What a client is told when a file cannot be read.
pub(super) fn lost_results(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "a file of a job cannot be read or written");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN_EXCEPTION", "An unexpected error occurred")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_stored_is_read_back_while_others_come_and_go(
            steps in proptest::collection::vec((0_usize..40, 0_usize..20_000, any::<u8>()), 1..60),
        ) {
            let disk = Arc::new(Disk::new(None, 1 << 30));
            let mut kept: Vec<(Arc<Stored>, Vec<u8>)> = Vec::new();
            for (drop_at, length, byte) in steps {
                if drop_at < kept.len() {
                    kept.swap_remove(drop_at);
                }
                let bytes = vec![byte; length];
                kept.push((disk.store(&bytes).unwrap(), bytes));
                for (stored, bytes) in &kept {
                    prop_assert_eq!(&stored.whole().unwrap()[..], &bytes[..]);
                }
            }
            kept.clear();
            prop_assert_eq!(disk.used.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn blocks_are_used_again() {
        let disk = Arc::new(Disk::new(None, 1 << 30));
        for _ in 0..100 {
            disk.store(b"a few bytes").unwrap();
        }
        assert_eq!(disk.shared().end, SMALLEST_BLOCK);
    }
}
