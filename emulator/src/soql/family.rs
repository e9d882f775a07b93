//! The children of a page's records, found by one scan for each subquery.
//!
//! Only the ids that the page shows are kept, so that a page costs memory for itself alone, however many children there
//! are in all.

use std::collections::HashMap;
use std::sync::Arc;

use super::Plan;
use super::operand::Operand;
use super::path::{BoundPath, Leaf};
use super::predicate::{Check, Predicate};
use super::projection::{Projection, Subquery};
use super::results::{Foremost, Matches, ResultSet};
use super::syntax::Comparison;
use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::schema::{FieldIndex, FieldType};
use crate::value::{Cell, TextOrder, Value};

/// The children of some records, by subquery.
#[derive(Debug, Default)]
pub(super) struct Family {
    lists: Vec<Lists>,
}

/// The children that one subquery finds.
#[derive(Debug)]
struct Lists {
    subquery: Subquery,
    by_parent: HashMap<RecordId, List>,
    /// The children of these children.
    nested: Family,
}

/// The children of one record.
#[derive(Debug)]
pub(super) struct List {
    pub total: u64,
    /// The first of them, as many as a page shows.
    pub ids: Vec<RecordId>,
}

/// Children of one record as a result of their own, of which a page has shown the first.
#[derive(Clone, Debug)]
pub struct ChildList {
    pub(super) plan: Arc<Plan>,
    pub(super) reference: FieldIndex,
    pub(super) parent: RecordId,
}

impl ChildList {
    /// Finds all of them.
    #[must_use]
    pub fn find(&self, snapshot: Snapshot) -> ResultSet {
        let leaf = Leaf::Field { object: self.plan.object_index, field: self.reference };
        let path = BoundPath { hops: Vec::new(), leaf, kind: FieldType::Reference };
        let is_child = Predicate::Test {
            subject: Operand::Path(path),
            text: TextOrder::CaseSensitive,
            check: Check::Compare(Comparison::Equal, self.named(&snapshot)),
        };
        let mut plan = Plan::clone(&self.plan);
        plan.filter = Some(is_child.and(plan.filter.take()));
        ResultSet::find(Arc::new(plan), snapshot)
    }

    /// The parent as its children name it: by another field than its id where the reference is to one.
    fn named(&self, snapshot: &Snapshot) -> Value {
        let target = self.plan.object.field(self.reference).target_field.as_ref();
        let named = target.and_then(|target| {
            let parent = snapshot.row(self.parent)?;
            let (field, _) = parent.object().find(target)?;
            Some(parent.value(field))
        });
        named.unwrap_or(Value::Id(self.parent))
    }
}

impl Family {
    /// Finds the children of `parents`, at most `rows` of each.
    pub(super) fn gather(projection: &Projection, parents: &[RecordId], snapshot: &Snapshot, rows: usize) -> Self {
        let lists = projection.subqueries().iter().map(|subquery| Lists::gather(subquery, parents, snapshot, rows));
        Self { lists: lists.collect() }
    }

    pub(super) fn list(&self, subquery: usize, parent: RecordId) -> Option<(&List, &Self)> {
        let lists = self.lists.get(subquery)?;
        let list = lists.by_parent.get(&parent).filter(|list| list.total > 0)?;
        Some((list, &lists.nested))
    }

    pub(super) fn subquery(&self, index: usize) -> &Subquery {
        &self.lists[index].subquery
    }

    /// How many children of a record a page shows, their children included.
    pub(super) fn size(&self, parent: RecordId) -> usize {
        let children = self.lists.iter().filter_map(|lists| Some((lists.by_parent.get(&parent)?, &lists.nested)));
        children.map(|(list, nested)| list.ids.iter().map(|child| 1 + nested.size(*child)).sum::<usize>()).sum()
    }
}

impl Lists {
    fn gather(subquery: &Subquery, parents: &[RecordId], snapshot: &Snapshot, rows: usize) -> Self {
        let plan = &subquery.plan;
        let collect = |parent: &RecordId| (*parent, Foremost::new(plan, rows as u64));
        let mut collected: HashMap<RecordId, Foremost<'_>> = parents.iter().map(collect).collect();
        let mut scratch = String::new();
        if !collected.is_empty() {
            for row in Matches::new(plan, snapshot, None) {
                let parent = match row.cell(subquery.reference, &mut scratch) {
                    Cell::Id(parent) => Some(parent),
                    Cell::Text(name) => {
                        snapshot.row_named(row.object().field(subquery.reference), name).map(|parent| parent.id())
                    }
                    _ => None,
                };
                if let Some(children) = parent.and_then(|parent| collected.get_mut(&parent)) {
                    children.push(&row, snapshot, &mut scratch);
                }
            }
        }
        let finish = |(parent, children): (RecordId, Foremost<'_>)| {
            let (total, ids) = children.finish();
            (parent, List { total, ids })
        };
        let by_parent: HashMap<RecordId, List> = collected.into_iter().map(finish).collect();
        let children: Vec<RecordId> = by_parent.values().flat_map(|list| list.ids.iter().copied()).collect();
        let nested = match plan.projection() {
            Some(projection) => Family::gather(projection, &children, snapshot, rows),
            None => Family::default(),
        };
        Self { subquery: subquery.clone(), by_parent, nested }
    }
}
