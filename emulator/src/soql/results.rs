//! Finds the rows of a plan and pages through them.

use std::cmp::Ordering;
use std::sync::Arc;

use super::predicate::Candidates;
use super::{Plan, RowScope};
use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::table::{Row, Scan, Table};
use crate::value::{Cell, Value};

/// Rows between two remembered places of an unsorted result.
const MARK_EVERY: u64 = 1000;
/// Rows beyond LIMIT that a sort collects before it drops the hindmost.
const SORT_SLACK: usize = 4096;

/// The rows that a query found. Immutable; keeps its view of the data while writes go on.
#[derive(Debug)]
pub struct ResultSet {
    plan: Arc<Plan>,
    snapshot: Snapshot,
    total: u64,
    index: Index,
}

/// Where to find the nth row.
#[derive(Debug)]
enum Index {
    /// The id of every thousandth row, in id order.
    Marks(Vec<RecordId>),
    /// Every id, in the order that the query asks for.
    Sorted(Vec<RecordId>),
}

impl ResultSet {
    pub(super) fn find(plan: Arc<Plan>, snapshot: Snapshot) -> Self {
        let (total, index) = if plan.is_count() {
            (count(&plan, &snapshot), Index::Marks(Vec::new()))
        } else if plan.needs_sort() {
            let ids = sorted(&plan, &snapshot);
            (ids.len() as u64, Index::Sorted(ids))
        } else {
            marked(&plan, &snapshot)
        };
        Self { plan, snapshot, total, index }
    }

    /// How many rows there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The rows from `offset` on. Cheap for any offset.
    #[must_use]
    pub fn rows(&self, offset: u64) -> Rows<'_> {
        let remaining = if self.plan.is_count() { 0 } else { self.total.saturating_sub(offset) };
        let from = match &self.index {
            Index::Sorted(ids) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(ids.len());
                From::Ids { table: self.snapshot.table(self.plan.object_index), ids: ids[start..].iter() }
            }
            Index::Marks(marks) => {
                let mark = usize::try_from(offset / MARK_EVERY).ok().and_then(|mark| marks.get(mark));
                let mut matches = Matches::new(&self.plan, &self.snapshot, mark.copied());
                if mark.is_some() {
                    matches.by_ref().take((offset % MARK_EVERY) as usize).for_each(|_| {});
                }
                From::Matches(matches)
            }
        };
        Rows { from, remaining }
    }
}

/// Rows of a result, in its order.
#[derive(Debug)]
pub struct Rows<'a> {
    from: From<'a>,
    remaining: u64,
}

#[derive(Debug)]
enum From<'a> {
    Ids { table: &'a Table, ids: std::slice::Iter<'a, RecordId> },
    Matches(Matches<'a>),
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        match &mut self.from {
            From::Ids { table, ids } => table.row(*ids.next()?),
            From::Matches(matches) => matches.next(),
        }
    }
}

/// Rows that pass the filter, in id order.
#[derive(Debug)]
struct Matches<'a> {
    plan: &'a Plan,
    snapshot: &'a Snapshot,
    source: Source<'a>,
    scratch: String,
}

#[derive(Debug)]
enum Source<'a> {
    Scan(Scan<'a>),
    Points { table: &'a Table, ids: std::vec::IntoIter<RecordId> },
}

impl<'a> Matches<'a> {
    /// `from` leaves out all rows before it.
    fn new(plan: &'a Plan, snapshot: &'a Snapshot, from: Option<RecordId>) -> Self {
        let candidates = plan.filter.as_ref().map_or_else(Candidates::everything, |filter| filter.candidates());
        let table = snapshot.table(plan.object_index);
        let source = match candidates.points {
            Some(mut ids) => {
                ids.retain(|id| from.is_none_or(|from| *id >= from));
                Source::Points { table, ids: ids.into_iter() }
            }
            None => {
                let mut range = candidates.range;
                if let Some(from) = from {
                    range.from = std::ops::Bound::Included(from);
                }
                Source::Scan(table.scan(range))
            }
        };
        Self { plan, snapshot, source, scratch: String::new() }
    }
}

impl<'a> Iterator for Matches<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        loop {
            let row = match &mut self.source {
                Source::Scan(scan) => scan.next()?,
                Source::Points { table, ids } => match table.row(ids.next()?) {
                    Some(row) => row,
                    None => continue,
                },
            };
            if self.plan.scope == RowScope::Live && (row.is_deleted() || row.is_archived()) {
                continue;
            }
            if self.plan.filter.as_ref().is_none_or(|filter| filter.holds(&row, self.snapshot, &mut self.scratch)) {
                return Some(row);
            }
        }
    }
}

fn count(plan: &Plan, snapshot: &Snapshot) -> u64 {
    let table = snapshot.table(plan.object_index);
    let all = match (&plan.filter, plan.scope) {
        (None, RowScope::Live) if table.object().audit().is_archived.is_none() => table.live_rows(),
        (None, RowScope::All) => table.live_rows() + table.binned_rows(),
        (_, _) => Matches::new(plan, snapshot, None).count() as u64,
    };
    all.saturating_sub(plan.offset.unwrap_or(0)).min(plan.limit.unwrap_or(u64::MAX))
}

fn marked(plan: &Plan, snapshot: &Snapshot) -> (u64, Index) {
    let (offset, limit) = (plan.offset.unwrap_or(0), plan.limit.unwrap_or(u64::MAX));
    let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
    let (mut total, mut marks) = (0, Vec::new());
    let mut matches = Matches::new(plan, snapshot, None).skip(skipped);
    while total < limit
        && let Some(row) = matches.next()
    {
        if total % MARK_EVERY == 0 {
            marks.push(row.id());
        }
        total += 1;
    }
    (total, Index::Marks(marks))
}

struct SortRow {
    keys: Vec<Value>,
    id: RecordId,
}

fn sorted(plan: &Plan, snapshot: &Snapshot) -> Vec<RecordId> {
    let offset = usize::try_from(plan.offset.unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = usize::try_from(plan.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let keep = offset.saturating_add(limit);
    let mut rows: Vec<SortRow> = Vec::new();
    let mut scratch = String::new();
    for row in Matches::new(plan, snapshot, None) {
        let keys = plan.order.iter().map(|key| key.path.read(&row, snapshot, &mut scratch).to_value()).collect();
        rows.push(SortRow { keys, id: row.id() });
        if rows.len() >= keep.saturating_mul(2).max(keep.saturating_add(SORT_SLACK)) {
            rows.select_nth_unstable_by(keep, |a, b| compare(plan, a, b));
            rows.truncate(keep);
        }
    }
    rows.sort_unstable_by(|a, b| compare(plan, a, b));
    rows.into_iter().skip(offset).take(limit).map(|row| row.id).collect()
}

/// The order of two rows; ids decide between equal ones, so that a result has one order only.
fn compare(plan: &Plan, a: &SortRow, b: &SortRow) -> Ordering {
    for (key, (x, y)) in plan.order.iter().zip(a.keys.iter().zip(&b.keys)) {
        let (x, y): (Cell<'_>, Cell<'_>) = (x.as_cell(), y.as_cell());
        let order = match (x.is_null(), y.is_null()) {
            (true, true) => Ordering::Equal,
            (x_null, y_null) if x_null || y_null => {
                if x_null == key.nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            _ => {
                let order = x.order(y, key.text).unwrap_or(Ordering::Equal);
                if key.descending { order.reverse() } else { order }
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.id.cmp(&b.id)
}
