//! Finds the rows of a plan and pages through them.

use std::sync::Arc;

use super::aggregate::{self, GroupRow};
use super::outcome::{QueryError, QueryErrorCode};
use super::predicate::Candidates;
use super::sorting::{SortRow, compare, key};
use super::{Plan, RowScope, Shape};
use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::table::{Row, Scan, Table};

/// Rows between two remembered places of an unsorted result.
const MARK_EVERY: u64 = 1000;
/// Rows beyond LIMIT that a sort collects before it drops the hindmost.
const SORT_SLACK: usize = 4096;
/// Groups that a query may answer with: one page. The number is inferred.
const MAX_GROUPS: usize = 2000;

/// The rows that a query found. Immutable; keeps its view of the data while writes go on.
#[derive(Debug)]
pub struct ResultSet {
    pub(super) plan: Arc<Plan>,
    pub(super) snapshot: Snapshot,
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
    /// A grouped query's rows themselves: they stand for no record.
    Groups(Vec<GroupRow>),
}

impl ResultSet {
    pub(super) fn find(plan: Arc<Plan>, snapshot: Snapshot) -> Self {
        let plan = plan.resolved(&snapshot).map_or(plan, Arc::new);
        let (total, index) = match &plan.shape {
            Shape::Count => (count(&plan, &snapshot), Index::Marks(Vec::new())),
            Shape::Groups(grouped) => {
                let groups = aggregate::run(&plan, grouped, &snapshot);
                (groups.len() as u64, Index::Groups(groups))
            }
            Shape::Records { .. } if plan.needs_sort() => {
                let ids = sorted(&plan, &snapshot);
                (ids.len() as u64, Index::Sorted(ids))
            }
            Shape::Records { .. } => marked(&plan, &snapshot),
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

    /// Why the result is not shown although the query was understood: too many groups.
    ///
    /// Source: reports of users ("Aggregate query does not support queryMore()"); that the limit is 2,000 is inferred.
    #[must_use]
    pub fn refusal(&self) -> Option<QueryError> {
        match &self.index {
            Index::Groups(groups) if groups.len() > MAX_GROUPS => Some(no_query_more("Aggregate query")),
            _ => None,
        }
    }

    /// The rows of a grouped query.
    pub(super) fn groups(&self) -> &[GroupRow] {
        match &self.index {
            Index::Groups(groups) => groups,
            Index::Marks(_) | Index::Sorted(_) => &[],
        }
    }

    /// The records from `offset` on; none of a query that counts or groups. Cheap for any offset.
    #[must_use]
    pub fn rows(&self, offset: u64) -> Rows<'_> {
        let table = self.snapshot.table(self.plan.object_index);
        let remaining = match self.plan.shape {
            Shape::Records { .. } => self.total.saturating_sub(offset),
            Shape::Count | Shape::Groups(_) => 0,
        };
        let from = match &self.index {
            Index::Sorted(ids) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(ids.len());
                From::Ids { table, ids: ids[start..].iter() }
            }
            Index::Groups(_) => From::Ids { table, ids: [].iter() },
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

/// The refusal of a result that would need a second page.
///
/// Source: SalesforceLabs/OrgCheck issue 429, for `EntityDefinition`.
pub(super) fn no_query_more(of: &str) -> QueryError {
    let message = format!("{of} does not support queryMore(), use LIMIT to restrict the results to a single batch");
    QueryError::plain(QueryErrorCode::ExceededIdLimit, message)
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
pub(super) struct Matches<'a> {
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
    pub(super) fn new(plan: &'a Plan, snapshot: &'a Snapshot, from: Option<RecordId>) -> Self {
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

fn sorted(plan: &Plan, snapshot: &Snapshot) -> Vec<RecordId> {
    let mut foremost = Foremost::new(plan, u64::MAX);
    let mut scratch = String::new();
    for row in Matches::new(plan, snapshot, None) {
        foremost.push(&row, snapshot, &mut scratch);
    }
    foremost.finish().1
}

/// Collects the foremost rows of a plan's order, as many as its limit or its reader wants, and counts the rest.
#[derive(Debug)]
pub(super) struct Foremost<'a> {
    plan: &'a Plan,
    keep: usize,
    wanted: u64,
    seen: u64,
    rows: Vec<SortRow>,
}

impl<'a> Foremost<'a> {
    /// `wanted` is how many rows the reader takes at most.
    pub(super) fn new(plan: &'a Plan, wanted: u64) -> Self {
        let wanted = wanted.min(plan.limit.unwrap_or(u64::MAX));
        let keep = usize::try_from(plan.offset.unwrap_or(0).saturating_add(wanted)).unwrap_or(usize::MAX);
        Self { plan, keep, wanted, seen: 0, rows: Vec::new() }
    }

    /// Takes the next row in id order.
    pub(super) fn push<'r>(&mut self, row: &Row<'r>, snapshot: &'r Snapshot, scratch: &mut String) {
        self.seen += 1;
        if !self.plan.needs_sort() {
            if self.rows.len() < self.keep {
                self.rows.push(SortRow { keys: Vec::new(), id: row.id() });
            }
            return;
        }
        let order = &self.plan.order;
        let keys = order.iter().map(|by| key(by.ranks.as_ref(), by.subject.read(row, snapshot, scratch))).collect();
        self.rows.push(SortRow { keys, id: row.id() });
        if self.rows.len() >= self.keep.saturating_mul(2).max(self.keep.saturating_add(SORT_SLACK)) {
            self.rows.select_nth_unstable_by(self.keep, |a, b| compare(order, a, b));
            self.rows.truncate(self.keep);
        }
    }

    /// How many rows the plan has in all, and the foremost of them.
    pub(super) fn finish(mut self) -> (u64, Vec<RecordId>) {
        if self.plan.needs_sort() {
            self.rows.sort_unstable_by(|a, b| compare(&self.plan.order, a, b));
        }
        let offset = self.plan.offset.unwrap_or(0);
        let total = self.seen.saturating_sub(offset).min(self.plan.limit.unwrap_or(u64::MAX));
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let wanted = usize::try_from(self.wanted).unwrap_or(usize::MAX);
        (total, self.rows.into_iter().skip(skipped).take(wanted).map(|row| row.id).collect())
    }
}
