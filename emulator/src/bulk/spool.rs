//! Results of a query on disk: the rows of a job as CSV in one temporary file, and where each row ends in another.
//!
//! Rows are written once. A page is a range of the first file; its bounds are two numbers of the second.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::file::{Disk, DiskError, Stored, Tape};

const END_BYTES: u64 = 8;

/// Results that are being written.
pub(super) struct SpoolWriter {
    header: Bytes,
    rows: Tape,
    ends: Tape,
    count: u64,
}

impl SpoolWriter {
    pub(super) fn new(disk: &Arc<Disk>, header: Vec<u8>) -> Self {
        Self { header: header.into(), rows: Tape::new(disk), ends: Tape::new(disk), count: 0 }
    }

    /// Appends the row that `write` puts into the buffer.
    pub(super) fn row(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), DiskError> {
        self.rows.append(write)?;
        let end = self.rows.length();
        self.count += 1;
        self.ends.append(|out| out.extend_from_slice(&end.to_le_bytes()))
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn finish(self) -> Result<Spool, DiskError> {
        Ok(Spool { header: self.header, rows: self.rows.finish()?, ends: self.ends.finish()?, count: self.count })
    }
}

/// Complete results. The files have no name and vanish with it.
#[derive(Debug)]
pub(super) struct Spool {
    header: Bytes,
    rows: Arc<Stored>,
    ends: Arc<Stored>,
    count: u64,
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

    pub(super) fn file(&self) -> Arc<Stored> {
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
        let mut writer = SpoolWriter::new(&disk, b"\"h\"\n".to_vec());
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
            let mut writer = SpoolWriter::new(&disk, Vec::new());
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
