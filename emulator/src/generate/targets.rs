//! The rows that references of generated rows point to.

use crate::database::Snapshot;
use crate::ids::{KeyPrefix, RecordId};
use crate::schema::{Field, Object, ObjectIndex};
use crate::table::IdRange;

/// Rows looked up for small objects, such as users.
const MAX_LISTED: usize = 1000;

/// What one reference may point to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Nothing,
    /// Computed rows: every `skip`th of them is deleted and left out.
    Generated {
        prefix: KeyPrefix,
        first: u64,
        rows: u64,
        skip: Option<u64>,
    },
    Listed(Vec<RecordId>),
    /// Rows of several objects, as a polymorphic reference names them.
    Any(Vec<Target>),
}

/// The targets of all references of an object, by field.
#[derive(Debug)]
pub struct Targets(Vec<Target>);

impl Targets {
    pub(crate) fn of(data: &Snapshot, object: &Object) -> Self {
        Self(object.fields().iter().map(|field| target(data, object, field)).collect())
    }

    pub(super) fn take(&mut self, field: usize) -> Target {
        self.0.get_mut(field).map_or(Target::Nothing, |target| std::mem::replace(target, Target::Nothing))
    }
}

fn target(data: &Snapshot, object: &Object, field: &Field) -> Target {
    if field.reference_to.iter().any(|name| name == "RecordType") {
        let business = object.record_types.iter().filter(|record_type| !record_type.is_person);
        let ids: Vec<RecordId> = business.map(|record_type| record_type.id).collect();
        return if ids.is_empty() { Target::Nothing } else { Target::Listed(ids) };
    }
    let found = field.reference_to.iter().filter_map(|name| data.schema().find(name));
    let mut targets: Vec<Target> = found.filter_map(|(index, _)| rows_of(data, index)).collect();
    match targets.len() {
        0 => Target::Nothing,
        1 => targets.remove(0),
        _ => Target::Any(targets),
    }
}

fn rows_of(data: &Snapshot, object: ObjectIndex) -> Option<Target> {
    let table = data.table(object);
    if let Some(generator) = &table.generator
        && generator.rows() > 0
    {
        let (prefix, first) = (table.prefix(), generator.first_ordinal());
        return Some(Target::Generated { prefix, first, rows: generator.rows(), skip: generator.deletes_every() });
    }
    let live = table.scan(IdRange::ALL).filter(|row| !row.is_deleted());
    let ids: Vec<RecordId> = live.take(MAX_LISTED).map(|row| row.id()).collect();
    (!ids.is_empty()).then_some(Target::Listed(ids))
}

impl Target {
    /// The target that a hash means.
    pub(super) fn pick(&self, hash: u64) -> Option<RecordId> {
        match self {
            Self::Nothing => None,
            Self::Any(targets) => {
                let target = &targets[super::hash::below(hash, targets.len() as u64) as usize];
                target.pick(super::hash::mix(hash))
            }
            Self::Listed(ids) => Some(ids[super::hash::below(hash, ids.len() as u64) as usize]),
            Self::Generated { prefix, first, rows, skip } => {
                let rank = super::hash::below(hash, *rows);
                let is_deleted = skip.is_some_and(|every| rank % every == every - 1);
                Some(RecordId::new(*prefix, first + rank - u64::from(is_deleted)))
            }
        }
    }
}
