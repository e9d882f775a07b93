//! Grouped queries: aggregate functions, GROUP BY, HAVING, and the order of groups.

use super::condition::{allows_kind, check};
use super::expression::is_formatted;
use super::literal::Criterion;
use super::{Binder, Level};
use crate::schema::FieldType;
use crate::soql::Shape;
use crate::soql::aggregate::{AggregateFunction, GroupCell, GroupColumn, GroupKey, Grouped, Measure, Shown};
use crate::soql::operand::{Function, Operand};
use crate::soql::outcome::{QueryError, QueryErrorCode};
use crate::soql::predicate::Predicate;
use crate::soql::sorting::{Direction, Ordered};
use crate::soql::syntax::{Call, Condition, Expression, Name, Query, Selected, SortKey, Test, Totals};
use crate::value::TextOrder;

/// Keys of ROLLUP and CUBE. Source: SOQL reference v66, "GROUP BY ROLLUP".
const MAX_TOTALLED: usize = 3;
/// More keys than any query has: sets of them are kept as bits.
const MAX_KEYS: usize = 32;

impl Binder<'_> {
    /// `SELECT COUNT() FROM …`
    pub(super) fn plain_count(&self, query: &Query) -> Result<Option<Shape>, QueryError> {
        let is_count = |item: &Selected| {
            matches!(item, Selected::Value { value: Expression::Call(call), .. }
                if call.function.is("COUNT") && call.arguments.is_empty())
        };
        let Some(item) = query.select.iter().find(|item| is_count(item)) else { return Ok(None) };
        let Selected::Value { value, alias } = item else { return Ok(None) };
        if query.select.len() > 1 || query.group.is_some() || alias.is_some() {
            let message = "COUNT() stands alone; use COUNT(Id) beside other fields and with GROUP BY";
            return Err(self.scene.malformed(value.at(), message));
        }
        self.refuse_nested(query)?;
        match query.order.first() {
            Some(key) => Err(self.must_be_grouped(&key.value)),
            None => Ok(Some(Shape::Count)),
        }
    }

    pub(super) fn is_grouped(&self, query: &Query) -> bool {
        let is_aggregate = |item: &Selected| match item {
            Selected::Value { value, .. } => names_aggregate(value),
            _ => false,
        };
        query.group.is_some() || query.select.iter().any(is_aggregate)
    }

    /// Children are records, and so is what a join selects.
    pub(super) fn refuse_nested(&self, query: &Query) -> Result<(), QueryError> {
        match self.level {
            Level::Root => Ok(()),
            Level::Child { .. } | Level::Join => {
                Err(self.scene.malformed(query.at, "aggregate functions and GROUP BY are not allowed in a subquery"))
            }
        }
    }

    pub(super) fn grouped(&self, query: &Query) -> Result<Grouped, QueryError> {
        let mut groups = GroupBinder { binder: self, grouped: Grouped::default(), unnamed: 0 };
        groups.keys(query)?;
        for item in &query.select {
            groups.select(item)?;
        }
        if let Some(having) = &query.having {
            groups.grouped.having = Some(groups.having(having)?);
        }
        for key in &query.order {
            let order = groups.order(key)?;
            groups.grouped.order.push(order);
        }
        if query.group.is_none() && query.limit.is_some() {
            let message = "Non-grouped query that uses overall aggregate functions cannot also use LIMIT";
            return Err(self.scene.malformed(query.at, message));
        }
        Ok(groups.grouped)
    }
}

/// Binds a grouped query step by step.
struct GroupBinder<'a> {
    binder: &'a Binder<'a>,
    grouped: Grouped,
    /// Results without a name so far: `expr0`, `expr1` …
    unnamed: usize,
}

impl GroupBinder<'_> {
    fn malformed(&self, at: usize, message: &str) -> QueryError {
        self.binder.scene.malformed(at, message)
    }

    fn keys(&mut self, query: &Query) -> Result<(), QueryError> {
        let Some(group) = &query.group else {
            self.grouped.sets.push(0);
            return Ok(());
        };
        self.grouped.by_clause = true;
        if group.totals != Totals::None && group.keys.len() > MAX_TOTALLED {
            return Err(self.malformed(group.at, "GROUP BY ROLLUP and GROUP BY CUBE take at most 3 fields"));
        }
        if group.keys.len() > MAX_KEYS {
            return Err(self.malformed(group.at, "too many fields in GROUP BY"));
        }
        for written in &group.keys {
            let key = self.key(written)?;
            self.grouped.keys.push(key);
        }
        let all = u32::MAX.checked_shr(32 - self.grouped.keys.len() as u32).unwrap_or(0);
        self.grouped.sets = match group.totals {
            Totals::None => vec![all],
            Totals::Rollup => (0..=self.grouped.keys.len()).map(|keys| all & ((1_u32 << keys) - 1)).collect(),
            Totals::Cube => (0..=all).collect(),
        };
        Ok(())
    }

    fn key(&self, written: &Expression) -> Result<GroupKey, QueryError> {
        let binder = self.binder;
        let operand = binder.operand(written)?;
        let field = binder.scene.leaf(operand.path());
        let is_groupable = match &operand {
            Operand::Path(_) => field.is_none_or(|field| field.groupable),
            Operand::Function(function) => matches!(**function, Function::DatePart { .. }),
        };
        if !is_groupable {
            let message = format!("field '{}' can not be grouped in a query call", written.written());
            return Err(binder.scene.error(QueryErrorCode::InvalidField, written.at(), &message));
        }
        let scale = match &operand {
            Operand::Path(_) => field.map_or(0, |field| field.scale),
            Operand::Function(_) => 0,
        };
        Ok(GroupKey { text: binder.scene.text_order(operand.path()), operand, scale })
    }

    fn select(&mut self, item: &Selected) -> Result<(), QueryError> {
        match item {
            Selected::Value { value, alias } => self.select_value(value, alias.as_ref()),
            Selected::Fields { group, at } => {
                for path in self.binder.fields(*group, *at)? {
                    self.select_value(&Expression::Path(path), None)?;
                }
                Ok(())
            }
            Selected::Children(query) => {
                Err(self.malformed(query.at, "a subquery is not allowed with GROUP BY or aggregate functions"))
            }
            Selected::TypeOf(type_of) => {
                let message = "TYPEOF is not allowed with GROUP BY or aggregate functions";
                Err(self.malformed(type_of.reference.at, message))
            }
        }
    }

    fn select_value(&mut self, value: &Expression, alias: Option<&Name>) -> Result<(), QueryError> {
        let (cell, shown) = self.shown(value)?;
        let name = match (alias, value) {
            (Some(alias), _) => alias.text.clone(),
            (None, Expression::Path(path)) => self.spelled(cell, &path.written()),
            (None, _) => {
                self.unnamed += 1;
                format!("expr{}", self.unnamed - 1)
            }
        };
        if self.grouped.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name)) {
            let at = alias.map_or(value.at(), |alias| alias.at);
            return Err(self.malformed(at, &format!("duplicate alias: {name}")));
        }
        self.grouped.columns.push(GroupColumn { name, written: value.written(), cell, shown });
        Ok(())
    }

    /// `FORMAT()` stands around aggregates and keys alike.
    fn shown(&mut self, value: &Expression) -> Result<(GroupCell, Shown), QueryError> {
        let Expression::Call(call) = value else { return Ok((self.cell(value)?, Shown::Plain)) };
        if !call.function.is("FORMAT") {
            return Ok((self.cell(value)?, Shown::Plain));
        }
        let inner = self.binder.argument(call)?;
        let cell = self.cell(inner)?;
        let kind = self.grouped.kind(cell);
        if !is_formatted(kind) {
            let message = format!("FORMAT() does not take a value of type {}", kind.as_str());
            return Err(self.binder.scene.error(QueryErrorCode::InvalidField, value.at(), &message));
        }
        Ok((cell, Shown::Formatted(self.binder.calendar())))
    }

    /// The last part of a key's path, as the schema spells it.
    fn spelled(&self, cell: GroupCell, written: &str) -> String {
        let field = match cell {
            GroupCell::Key(index) => self.binder.scene.leaf(self.grouped.keys[index].operand.path()),
            GroupCell::Measure(_) | GroupCell::Grouping(_) => None,
        };
        let last = written.rsplit('.').next().unwrap_or_default();
        field.map_or_else(|| last.to_owned(), |field| field.name.clone())
    }

    /// What an expression means to a group.
    fn cell(&mut self, value: &Expression) -> Result<GroupCell, QueryError> {
        if let Expression::Call(call) = value {
            if let Some(function) = AggregateFunction::named(&call.function.text) {
                return self.measure(function, call);
            }
            if call.function.is("GROUPING") {
                return self.grouping(call);
            }
        }
        let operand = self.binder.operand(value)?;
        let key = self.grouped.keys.iter().position(|key| key.operand == operand);
        key.map(GroupCell::Key).ok_or_else(|| self.binder.must_be_grouped(value))
    }

    fn grouping(&self, call: &Call) -> Result<GroupCell, QueryError> {
        let operand = Operand::Path(self.binder.field_argument(call)?);
        let key = self.grouped.keys.iter().position(|key| key.operand == operand);
        match key {
            Some(key) if self.grouped.sets.len() > 1 => Ok(GroupCell::Grouping(key)),
            _ => {
                let message = "GROUPING() takes a field of GROUP BY ROLLUP or GROUP BY CUBE";
                Err(self.malformed(call.function.at, message))
            }
        }
    }

    fn measure(&mut self, function: AggregateFunction, call: &Call) -> Result<GroupCell, QueryError> {
        let path = self.binder.field_argument(call)?;
        if !aggregates(function, path.kind) {
            let message = format!(
                "field {} does not support aggregate operator {}",
                call.arguments[0].written(),
                call.function.text.to_ascii_uppercase()
            );
            return Err(self.malformed(call.function.at, &message));
        }
        let scene = &self.binder.scene;
        let text = scene.text_order(&path);
        let scale = scene.leaf(&path).map_or(0, |field| field.scale);
        let is_amount = path.kind == FieldType::Currency && function.is_of_values();
        // Amounts of several currencies meet in the corporate one. Source: SOQL reference v66, convertCurrency().
        let corporate = scene.asked.currencies.as_ref().filter(|_| is_amount).map(|known| known.corporate.clone());
        let operand = match corporate {
            Some(corporate) => self.binder.converted(path, &corporate),
            None => Operand::Path(path),
        };
        let known = self.grouped.measures.iter().position(|m| m.function == function && m.operand == operand);
        Ok(GroupCell::Measure(known.unwrap_or_else(|| {
            let ranks = self.binder.ranks(&operand);
            self.grouped.measures.push(Measure { function, operand, text, ranks, scale });
            self.grouped.measures.len() - 1
        })))
    }

    /// A cell of HAVING or ORDER BY, where aliases count as well.
    fn named_cell(&mut self, value: &Expression) -> Result<GroupCell, QueryError> {
        if let Expression::Path(path) = value
            && let [name] = path.parts.as_slice()
            && let Some(column) = self.grouped.columns.iter().find(|column| name.is(&column.name))
        {
            return Ok(column.cell);
        }
        self.cell(value)
    }

    fn having(&mut self, condition: &Condition) -> Result<Predicate<GroupCell>, QueryError> {
        let mut all = |terms: &[Condition]| -> Result<Vec<_>, QueryError> {
            terms.iter().map(|term| self.having(term)).collect()
        };
        Ok(match condition {
            Condition::All(terms) => Predicate::All(all(terms)?),
            Condition::Any(terms) => Predicate::Any(all(terms)?),
            Condition::Not(term) => Predicate::Not(Box::new(self.having(term)?)),
            Condition::Test { test: Test::Join { query, .. }, .. } => {
                return Err(self.malformed(query.at, "Semi-joins are only supported in WHERE clauses"));
            }
            Condition::Test { subject, test } => {
                let cell = self.named_cell(subject)?;
                let kind = self.grouped.kind(cell);
                let scene = &self.binder.scene;
                if !allows_kind(kind, test) {
                    let code = QueryErrorCode::InvalidQueryFilterOperator;
                    return Err(scene.error(code, subject.at(), "invalid operator"));
                }
                let calendar = self.binder.calendar();
                let criterion = Criterion { scene, calendar, written: subject, kind, is_audit: false };
                Predicate::Test { subject: cell, text: self.text(cell), check: check(&criterion, test)? }
            }
        })
    }

    fn order(&mut self, key: &SortKey) -> Result<Ordered<GroupCell>, QueryError> {
        let cell = self.named_cell(&key.value)?;
        let ranks = match cell {
            GroupCell::Key(index) => self.binder.ranks(&self.grouped.keys[index].operand),
            GroupCell::Measure(index) if self.grouped.measures[index].function.is_of_values() => {
                self.grouped.measures[index].ranks.clone()
            }
            GroupCell::Measure(_) | GroupCell::Grouping(_) => None,
        };
        let direction = Direction { text: self.text(cell), descending: key.descending, nulls_first: key.nulls_first };
        Ok(Ordered { subject: cell, direction, ranks })
    }

    fn text(&self, cell: GroupCell) -> TextOrder {
        match cell {
            GroupCell::Key(index) => self.grouped.keys[index].text,
            GroupCell::Measure(index) => self.grouped.measures[index].text,
            GroupCell::Grouping(_) => TextOrder::IgnoreCase,
        }
    }
}

fn names_aggregate(value: &Expression) -> bool {
    let Expression::Call(call) = value else { return false };
    let is_aggregate = AggregateFunction::named(&call.function.text).is_some() || call.function.is("GROUPING");
    is_aggregate || call.function.is("FORMAT") && call.arguments.iter().any(names_aggregate)
}

/// Which types a function takes. Source: SOQL reference v66, "Support for Field Types in Aggregate Functions".
fn aggregates(function: AggregateFunction, kind: FieldType) -> bool {
    let opaque = kind.is_compound() || kind.is_raw_json() || kind == FieldType::Base64;
    match function {
        AggregateFunction::Sum | AggregateFunction::Average => kind.is_number(),
        AggregateFunction::Count | AggregateFunction::CountDistinct => !opaque && kind != FieldType::Boolean,
        AggregateFunction::Least | AggregateFunction::Most => {
            !opaque && !matches!(kind, FieldType::Boolean | FieldType::MultiPicklist | FieldType::EncryptedString)
        }
    }
}
