//! Results on disk: the rows of a job as CSV in one temporary file, and where each row ends in another.
//!
//! Rows are written once. A page is a range of the first file; its bounds are two numbers of the second, so that
//! memory does not grow with the number of rows.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

const BUFFER: usize = 1 << 20;
const END_BYTES: u64 = 8;

/// The disk space that the results of one org may take.
#[derive(Debug)]
pub(super) struct Disk {
    /// Without one, the system's folder for temporary files.
    folder: Option<PathBuf>,
    capacity: u64,
    used: AtomicU64,
}

/// Why results could not be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpoolError {
    #[error(
        "Unknown : the emulator keeps at most {} MB of results on disk; delete jobs or raise bulk.spool_megabytes",
        .capacity >> 20
    )]
    Full { capacity: u64 },
    #[error("Unknown : the emulator cannot write results to {folder}: {source}")]
    Write { folder: String, source: io::Error },
}

impl Disk {
    pub(super) fn new(folder: Option<PathBuf>, capacity: u64) -> Self {
        Self { folder, capacity, used: AtomicU64::new(0) }
    }

    fn take(&self, bytes: u64) -> Result<(), SpoolError> {
        let grown = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.capacity);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
            .map(|_| ())
            .map_err(|_| SpoolError::Full { capacity: self.capacity })
    }

    fn failed(&self, source: io::Error) -> SpoolError {
        let folder = match &self.folder {
            Some(folder) => folder.display().to_string(),
            None => "the folder for temporary files".to_owned(),
        };
        SpoolError::Write { folder, source }
    }
}

/// A share of the disk, given back when it is dropped.
#[derive(Debug)]
struct Share {
    disk: Arc<Disk>,
    bytes: u64,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.disk.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Results that are being written.
pub(super) struct SpoolWriter {
    header: Bytes,
    rows: Tape,
    ends: Tape,
    count: u64,
    share: Share,
}

/// A file and what is not yet in it.
struct Tape {
    file: File,
    pending: Vec<u8>,
    written: u64,
}

impl Tape {
    fn create(disk: &Disk) -> Result<Self, SpoolError> {
        let file = match &disk.folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        let file = file.map_err(|source| disk.failed(source))?;
        Ok(Self { file, pending: Vec::with_capacity(BUFFER + BUFFER / 8), written: 0 })
    }

    fn flush(&mut self, share: &mut Share) -> Result<(), SpoolError> {
        let bytes = self.pending.len() as u64;
        share.disk.take(bytes)?;
        share.bytes += bytes;
        self.file.write_all(&self.pending).map_err(|source| share.disk.failed(source))?;
        self.written += bytes;
        self.pending.clear();
        Ok(())
    }
}

impl SpoolWriter {
    pub(super) fn create(disk: &Arc<Disk>, header: Vec<u8>) -> Result<Self, SpoolError> {
        Ok(Self {
            header: header.into(),
            rows: Tape::create(disk)?,
            ends: Tape::create(disk)?,
            count: 0,
            share: Share { disk: Arc::clone(disk), bytes: 0 },
        })
    }

    /// Appends the row that `write` puts into the buffer.
    pub(super) fn row(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), SpoolError> {
        write(&mut self.rows.pending);
        let end = self.rows.written + self.rows.pending.len() as u64;
        self.ends.pending.extend_from_slice(&end.to_le_bytes());
        self.count += 1;
        if self.rows.pending.len() >= BUFFER {
            self.rows.flush(&mut self.share)?;
        }
        if self.ends.pending.len() >= BUFFER {
            self.ends.flush(&mut self.share)?;
        }
        Ok(())
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn finish(mut self) -> Result<Spool, SpoolError> {
        self.rows.flush(&mut self.share)?;
        self.ends.flush(&mut self.share)?;
        Ok(Spool {
            header: self.header,
            rows: Arc::new(self.rows.file),
            ends: self.ends.file,
            count: self.count,
            _share: self.share,
        })
    }
}

/// Complete results. The files have no name and vanish with it.
#[derive(Debug)]
pub(super) struct Spool {
    header: Bytes,
    rows: Arc<File>,
    ends: File,
    count: u64,
    _share: Share,
}

impl Spool {
    /// The number of rows.
    pub(super) fn rows(&self) -> u64 {
        self.count
    }

    /// The header row, which every page repeats.
    pub(super) fn header(&self) -> Bytes {
        self.header.clone()
    }

    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.rows)
    }

    /// Where `row` begins in the file; for the number of rows, where the last one ends.
    pub(super) fn offset(&self, row: u64) -> io::Result<u64> {
        let Some(previous) = row.checked_sub(1) else {
            return Ok(0);
        };
        let mut end = [0; END_BYTES as usize];
        self.ends.read_exact_at(&mut end, previous * END_BYTES)?;
        Ok(u64::from_le_bytes(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(capacity: u64) -> Arc<Disk> {
        Arc::new(Disk::new(None, capacity))
    }

    #[test]
    fn rows_are_found_by_number_across_buffers() {
        let disk = disk(1 << 30);
        let mut writer = SpoolWriter::create(&disk, b"\"h\"\n".to_vec()).unwrap();
        for number in 0..200_000_u32 {
            writer.row(|out| out.extend_from_slice(format!("row {number}\n").as_bytes())).unwrap();
        }
        let spool = writer.finish().unwrap();
        for number in [0_u64, 1, 99_999, 131_072, 199_999] {
            let (start, end) = (spool.offset(number).unwrap(), spool.offset(number + 1).unwrap());
            let mut row = vec![0; usize::try_from(end - start).unwrap()];
            spool.file().read_exact_at(&mut row, start).unwrap();
            assert_eq!(row, format!("row {number}\n").as_bytes());
        }
    }

    #[test]
    fn a_full_disk_is_a_clear_failure_and_dropped_results_make_room() {
        let disk = disk(3 << 20);
        let fill = |megabytes: usize| {
            let mut writer = SpoolWriter::create(&disk, Vec::new())?;
            for _ in 0..megabytes {
                writer.row(|out| out.resize(1 << 20, b'x'))?;
            }
            writer.finish()
        };
        let kept = fill(2).unwrap();
        let refusal = fill(2).unwrap_err().to_string();
        assert!(refusal.contains("at most 3 MB"), "{refusal}");
        drop(kept);
        fill(2).unwrap();
    }
}
