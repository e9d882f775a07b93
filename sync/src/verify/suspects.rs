//! Records on which the sides seem to differ, and what they turn out to be.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use salesforce::{Timestamp, ids::is_record_id};

use super::{
    Comparison, MOST_SUSPECTS, VerifyError,
    certificate::{Difference, DifferenceKind, Differences, Month},
    digest::{Cell, Digested, Rows},
    spoilt_if,
};
use crate::{
    mapping::CompiledMapping,
    read::IdReader,
    run::{Judged, RunError},
    table::Deletion,
};

/// So many differences are named in a certificate.
const EXAMPLES: usize = 100;

/// The rows of the parts whose sums differ, and which of them are suspect.
pub(super) struct Suspects {
    columns: Vec<usize>,
    source: HashMap<String, Digested>,
    copy: HashMap<String, Copied>,
    keys: BTreeSet<String>,
    to_write: Vec<RecordBatch>,
    to_delete: Vec<Deletion>,
}

struct Copied {
    digested: Digested,
    is_spoiled: bool,
    /// One number a compared column, where the row is suspect.
    columns: Vec<u64>,
}

impl Suspects {
    /// Compares these cells row by row; `None`: too many rows are suspect.
    pub(super) async fn find(
        comparison: &mut Comparison<'_>,
        mapping: &Arc<CompiledMapping>,
        columns: &[usize],
        cells: &HashSet<Cell>,
        left_out: &HashSet<String>,
    ) -> Result<Option<Self>, VerifyError> {
        let mut source = HashMap::new();
        let is_meant = |rows: &Rows<'_>, row: usize, digested: &Digested| {
            cells.contains(&digested.cell) && !left_out.contains(rows.key(row))
        };
        comparison
            .each_source_batch(mapping, columns, since(cells, mapping), |rows, _| {
                for row in 0..rows.len() {
                    let digested = rows.digest(row);
                    if is_meant(rows, row, &digested) {
                        source.insert(rows.key(row).to_owned(), digested);
                    }
                }
                Ok(())
            })
            .await?;
        let mut copy = HashMap::new();
        let mut keys = BTreeSet::new();
        comparison
            .read_copy(columns, |rows, row, is_spoiled| {
                let digested = spoilt_if(is_spoiled, rows.digest(row));
                if !is_meant(rows, row, &digested) {
                    return;
                }
                let key = rows.key(row);
                let is_suspect = source.get(key) != Some(&digested);
                let columns = if is_suspect { rows.column_digests(row) } else { Vec::new() };
                if is_suspect {
                    keys.insert(key.to_owned());
                }
                copy.insert(key.to_owned(), Copied { digested, is_spoiled, columns });
            })
            .await?;
        keys.extend(source.keys().filter(|key| !copy.contains_key(*key)).cloned());
        let columns = columns.to_vec();
        let found = Self { columns, source, copy, keys, to_write: Vec::new(), to_delete: Vec::new() };
        Ok(Some(found).filter(|found| found.keys.len() <= MOST_SUSPECTS))
    }

    /// Reads the suspects from the org once more, and says what differs in truth.
    pub(super) async fn look_up(
        &mut self,
        comparison: &mut Comparison<'_>,
        as_of: Timestamp,
    ) -> Result<Differences, VerifyError> {
        let ids: Vec<String> = self.keys.iter().filter(|key| is_record_id(key)).cloned().collect();
        let (client, mapping) = (comparison.work.client.clone(), Arc::clone(&comparison.work.mapping));
        let mut reader = IdReader::new(&client, &mapping, &ids);
        let mut differences = Differences::default();
        let failed = |error| RunError::read(&mapping.object, error);
        while let Some(batch) = reader.next().await.map_err(failed)? {
            let mut mapped = mapping.apply(&batch.records);
            mapped.misfits.extend(batch.misfits);
            for rejected in &mapped.rejected {
                self.leave_out(&rejected.id);
            }
            let fresh = mapped.rows.upserts;
            let compared = fresh.project(&self.columns).expect("columns of the table");
            let mut rows = comparison.rows(&compared, &self.columns);
            let differs: Vec<bool> =
                (0..rows.len()).map(|row| self.judge(comparison, &mut rows, row, as_of, &mut differences)).collect();
            if comparison.work.repair && differs.contains(&true) {
                let ids = rows.keys().clone();
                let judged = Judged { ids: &ids, rejected: &[], misfits: &mapped.misfits };
                comparison.work.progress.keep(judged).await.map_err(RunError::from)?;
                let differing = filter_record_batch(&fresh, &BooleanArray::from(differs));
                self.to_write.push(differing.expect("one flag a row"));
            }
        }
        self.judge_unnamed(&mut differences);
        Ok(differences)
    }

    /// Whether a record that was read just now differs from its row.
    fn judge(
        &mut self,
        comparison: &Comparison<'_>,
        rows: &mut Rows<'_>,
        row: usize,
        as_of: Timestamp,
        differences: &mut Differences,
    ) -> bool {
        let key = rows.key(row);
        self.keys.remove(key);
        if rows.version(row).is_some_and(|version| version > as_of) {
            self.leave_out(key);
            return false;
        }
        self.source.insert(key.to_owned(), rows.digest(row));
        let kind = match self.copy.get(key) {
            None => DifferenceKind::Missing,
            Some(copied) => {
                let pairs = rows.column_digests(row).into_iter().zip(&copied.columns).zip(&self.columns);
                let differing = pairs.filter(|((one, other), _)| one != *other).map(|(_, column)| *column);
                let columns: Vec<String> =
                    differing.map(|column| comparison.work.mapping.table.columns[column].name.clone()).collect();
                if columns.is_empty() && !copied.is_spoiled {
                    return false;
                }
                DifferenceKind::Altered { columns }
            }
        };
        differences.note(key, kind);
        true
    }

    /// What the org does not name any more: rows of it are left over.
    fn judge_unnamed(&mut self, differences: &mut Differences) {
        for key in std::mem::take(&mut self.keys) {
            self.source.remove(&key);
            if self.copy.contains_key(&key) {
                differences.note(&key, DifferenceKind::Extra);
                self.to_delete.push(Deletion { id: key, version: None });
            }
        }
    }

    /// A record that has changed by now, or becomes no row: nothing is said of it.
    fn leave_out(&mut self, key: &str) {
        self.keys.remove(key);
        self.source.remove(key);
        self.copy.remove(key);
    }

    pub(super) fn source_rows(&self) -> impl Iterator<Item = Digested> {
        self.source.values().copied()
    }

    pub(super) fn copy_rows(&self) -> impl Iterator<Item = Digested> {
        self.copy.values().map(|copied| copied.digested)
    }

    /// Rows as they are to be, those that are missing or altered.
    pub(super) fn to_write(&self) -> &[RecordBatch] {
        &self.to_write
    }

    /// Rows that are left over.
    pub(super) fn to_delete(&self) -> Vec<Deletion> {
        self.to_delete.clone()
    }
}

impl Differences {
    fn note(&mut self, key: &str, kind: DifferenceKind) {
        match &kind {
            DifferenceKind::Missing => self.missing += 1,
            DifferenceKind::Extra => self.extra += 1,
            DifferenceKind::Altered { columns } => {
                self.altered += 1;
                for column in columns {
                    *self.columns.entry(column.clone()).or_default() += 1;
                }
            }
        }
        if self.examples.len() < EXAMPLES {
            self.examples.push(Difference { id: key.to_owned(), kind });
        }
    }
}

/// The moment after which everything in these cells is stamped; `None`: records without a stamp are among them.
fn since(cells: &HashSet<Cell>, mapping: &CompiledMapping) -> Option<Timestamp> {
    mapping.cursor?;
    let months: Option<Vec<Month>> = cells.iter().map(|cell| cell.month).collect();
    months?.into_iter().min().map(Month::before)
}
