//! Grouped queries: COUNT, SUM and their like over groups of rows, with subtotals.
//!
//! The result is materialised: its rows stand for no record. Source: SOQL reference v66, "GROUP BY", "Aggregate
//! Functions".

mod tally;

use std::cmp::Ordering;
use std::collections::HashMap;

use tally::Tally;

use super::Plan;
use super::asked::Calendar;
use super::operand::{Operand, format};
use super::predicate::Predicate;
use super::results::Matches;
use super::sorting::{Ordered, Ranks, key};
use crate::database::Snapshot;
use crate::schema::FieldType;
use crate::table::Row;
use crate::value::{Cell, TextOrder, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AggregateFunction {
    Count,
    CountDistinct,
    Sum,
    Average,
    Least,
    Most,
}

impl AggregateFunction {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "COUNT" => Self::Count,
            "COUNT_DISTINCT" => Self::CountDistinct,
            "SUM" => Self::Sum,
            "AVG" => Self::Average,
            "MIN" => Self::Least,
            "MAX" => Self::Most,
            _ => return None,
        })
    }

    /// Whether the result is made of the values, not of their number.
    pub(super) fn is_of_values(self) -> bool {
        !matches!(self, Self::Count | Self::CountDistinct)
    }
}

/// What a grouped query groups by.
#[derive(Clone, Debug)]
pub(super) struct GroupKey {
    pub operand: Operand,
    pub text: TextOrder,
    pub scale: u8,
}

/// What it computes for each group.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    pub function: AggregateFunction,
    pub operand: Operand,
    pub text: TextOrder,
    pub ranks: Option<Ranks>,
    pub scale: u8,
}

/// A value of a group, by its place in the lists of keys and measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupCell {
    Key(usize),
    Measure(usize),
    /// Whether the key is summed up over: 1, else 0.
    Grouping(usize),
}

#[derive(Clone, Debug)]
pub(super) struct GroupColumn {
    pub name: String,
    pub written: String,
    pub cell: GroupCell,
    pub shown: Shown,
}

/// How a value of a group is shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    Plain,
    /// By `FORMAT()`.
    Formatted(Calendar),
}

/// A grouped query, bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Grouped {
    pub keys: Vec<GroupKey>,
    /// For each kind of group which keys tell its members apart, as bits.
    pub sets: Vec<u32>,
    pub measures: Vec<Measure>,
    pub columns: Vec<GroupColumn>,
    pub having: Option<Predicate<GroupCell>>,
    pub order: Vec<Ordered<GroupCell>>,
    pub by_clause: bool,
}

/// The values of one result row, by column.
pub(super) type GroupRow = Vec<Value>;

/// Rows that belong together.
struct Group {
    set: u32,
    keys: Vec<Value>,
    tallies: Vec<Tally>,
}

impl Grouped {
    /// Digits behind the point that a value of this kind shows at least.
    pub(super) fn scale(&self, cell: GroupCell) -> u8 {
        match cell {
            GroupCell::Key(index) => self.keys[index].scale,
            GroupCell::Measure(index) if self.measures[index].function.is_of_values() => self.measures[index].scale,
            GroupCell::Measure(_) | GroupCell::Grouping(_) => 0,
        }
    }

    pub(super) fn kind(&self, cell: GroupCell) -> FieldType {
        match cell {
            GroupCell::Key(index) => self.keys[index].operand.kind(),
            GroupCell::Measure(index) => {
                let measure = &self.measures[index];
                match measure.function {
                    AggregateFunction::Count | AggregateFunction::CountDistinct => FieldType::Int,
                    AggregateFunction::Average if measure.operand.kind() != FieldType::Currency => FieldType::Double,
                    _ => measure.operand.kind(),
                }
            }
            GroupCell::Grouping(_) => FieldType::Int,
        }
    }

    fn shown(&self, column: &GroupColumn, group: &Finished) -> Value {
        let value = group.value(column.cell);
        match column.shown {
            Shown::Plain => value,
            Shown::Formatted(calendar) => {
                let (kind, scale) = (self.kind(column.cell), self.scale(column.cell));
                let code = match column.cell {
                    GroupCell::Measure(index) => self.measures[index].operand.converts_to(),
                    GroupCell::Key(_) | GroupCell::Grouping(_) => None,
                };
                format(value.as_cell(), kind, scale, code, calendar).map_or(Value::Null, Value::text)
            }
        }
    }

    fn group(&self, set: u32, keys: Vec<Value>) -> Group {
        let tallies = self.measures.iter().map(|measure| Tally::of(measure.function)).collect();
        Group { set, keys, tallies }
    }
}

/// Computes the rows of a grouped query.
pub(super) fn run(plan: &Plan, grouped: &Grouped, snapshot: &Snapshot) -> Vec<GroupRow> {
    let mut groups = Groups::new(grouped);
    for row in Matches::new(plan, snapshot, None) {
        groups.add(&row, snapshot);
    }
    let mut finished = groups.finish();
    if let Some(having) = &grouped.having {
        finished
            .retain(|group| having.holds_by(&mut |cell, text, check| check.holds(group.value(*cell).as_cell(), text)));
    }
    sort(&mut finished, grouped);
    let skipped = usize::try_from(plan.offset.unwrap_or(0)).unwrap_or(usize::MAX);
    let wanted = usize::try_from(plan.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let shown = |group: &Finished| grouped.columns.iter().map(|column| grouped.shown(column, group)).collect();
    finished.iter().skip(skipped).take(wanted).map(shown).collect()
}

/// The groups while rows are still coming.
struct Groups<'a> {
    grouped: &'a Grouped,
    by_key: HashMap<Vec<u8>, Group>,
    scratch: String,
    /// The keys of the row at hand, for comparison, one behind the other.
    encoded: Vec<u8>,
    bounds: Vec<usize>,
    composed: Vec<u8>,
}

impl<'a> Groups<'a> {
    fn new(grouped: &'a Grouped) -> Self {
        let mut by_key = HashMap::new();
        if grouped.keys.is_empty() {
            // Without GROUP BY there is one row, whatever is found.
            by_key.insert(0_u32.to_be_bytes().to_vec(), grouped.group(0, Vec::new()));
        }
        let (encoded, bounds, composed) = (Vec::new(), Vec::new(), Vec::new());
        Self { grouped, by_key, scratch: String::new(), encoded, bounds, composed }
    }

    fn add<'r>(&mut self, row: &Row<'r>, snapshot: &'r Snapshot) {
        self.encoded.clear();
        self.bounds.clear();
        for key in &self.grouped.keys {
            encode(key.operand.read(row, snapshot, &mut self.scratch), key.text, &mut self.encoded);
            self.bounds.push(self.encoded.len());
        }
        for set in &self.grouped.sets {
            self.compose(*set);
            if !self.by_key.contains_key(&self.composed) {
                let keys = (self.grouped.keys.iter().zip(0..))
                    .map(|(key, bit)| match set & 1 << bit {
                        0 => Value::Null,
                        _ => key.operand.read(row, snapshot, &mut self.scratch).to_value(),
                    })
                    .collect();
                self.by_key.insert(self.composed.clone(), self.grouped.group(*set, keys));
            }
            let Some(group) = self.by_key.get_mut(&self.composed) else { continue };
            for (measure, tally) in self.grouped.measures.iter().zip(&mut group.tallies) {
                tally.add(measure.operand.read(row, snapshot, &mut self.scratch), measure);
            }
        }
    }

    /// Puts together by what the row at hand is told from rows of other groups.
    fn compose(&mut self, set: u32) {
        self.composed.clear();
        self.composed.extend_from_slice(&set.to_be_bytes());
        let mut start = 0;
        for (bit, end) in self.bounds.iter().enumerate() {
            if set & 1 << bit != 0 {
                let key = &self.encoded[start..*end];
                self.composed.extend_from_slice(&(key.len() as u64).to_be_bytes());
                self.composed.extend_from_slice(key);
            }
            start = *end;
        }
    }

    fn finish(self) -> Vec<Finished> {
        let finish = |group: Group| Finished {
            set: group.set,
            keys: group.keys,
            measures: group.tallies.into_iter().map(Tally::finish).collect(),
        };
        self.by_key.into_values().map(finish).collect()
    }
}

/// A group with all its values.
struct Finished {
    set: u32,
    keys: Vec<Value>,
    measures: Vec<Value>,
}

impl Finished {
    fn value(&self, cell: GroupCell) -> Value {
        match cell {
            GroupCell::Key(index) => self.keys[index].clone(),
            GroupCell::Measure(index) => self.measures[index].clone(),
            GroupCell::Grouping(index) => Value::Int(i64::from(self.set & 1 << index == 0)),
        }
    }
}

/// Groups come in the order that the query asks for; keys decide between equal ones, and subtotals come behind.
fn sort(groups: &mut [Finished], grouped: &Grouped) {
    let by_query = |a: &Finished, b: &Finished| {
        let orders = grouped.order.iter().map(|by| {
            let of = |group: &Finished| key(by.ranks.as_ref(), group.value(by.subject).as_cell());
            by.direction.order(of(a).as_cell(), of(b).as_cell())
        });
        first_difference(orders)
    };
    let by_keys = |a: &Finished, b: &Finished| {
        let keys = grouped.keys.iter().zip(a.keys.iter().zip(&b.keys));
        first_difference(keys.zip(0..).map(|((key, (x, y)), bit)| {
            let totals = (a.set & 1 << bit == 0).cmp(&(b.set & 1 << bit == 0));
            let nulls = y.is_null().cmp(&x.is_null());
            totals.then(nulls).then_with(|| x.as_cell().order(y.as_cell(), key.text).unwrap_or(Ordering::Equal))
        }))
    };
    groups.sort_by(|a, b| by_query(a, b).then_with(|| by_keys(a, b)));
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
}

/// Appends bytes that are the same for values that count as equal.
fn encode(cell: Cell<'_>, text: TextOrder, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => out.push(0),
        Cell::Text(value) => {
            out.push(1);
            match text {
                TextOrder::CaseSensitive => out.extend_from_slice(value.as_bytes()),
                TextOrder::IgnoreCase => {
                    let mut bytes = [0; 4];
                    for c in value.chars().flat_map(char::to_lowercase) {
                        out.extend_from_slice(c.encode_utf8(&mut bytes).as_bytes());
                    }
                }
            }
        }
        Cell::Int(value) => encode_number(i128::from(value), 0, out),
        Cell::Decimal(value) => {
            let (unscaled, scale) = value.trimmed().parts();
            encode_number(unscaled, scale, out);
        }
        Cell::Bool(value) => out.extend_from_slice(&[3, u8::from(value)]),
        Cell::Id(id) => {
            out.push(4);
            out.extend_from_slice(&id.to_bytes());
        }
        Cell::Date(date) => {
            out.push(5);
            out.extend_from_slice(&date.0.to_be_bytes());
        }
        Cell::DateTime(time) => {
            out.push(6);
            out.extend_from_slice(&time.0.to_be_bytes());
        }
        Cell::Time(time) => {
            out.push(7);
            out.extend_from_slice(&time.0.to_be_bytes());
        }
        Cell::Bytes(bytes) => {
            out.push(8);
            out.extend_from_slice(bytes);
        }
        Cell::Json(json) => {
            out.push(9);
            out.extend_from_slice(json.as_bytes());
        }
    }
}

fn encode_number(unscaled: i128, scale: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[2, scale]);
    out.extend_from_slice(&unscaled.to_be_bytes());
}
