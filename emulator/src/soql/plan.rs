//! Binds a parsed query to a schema and a user.

use std::sync::Arc;

use super::dates;
use super::lexer::{pattern, unescape};
use super::outcome::{QueryError, QueryErrorCode};
use super::path::{BoundPath, Leaf, Scene};
use super::predicate::{Check, Predicate};
use super::projection::Projection;
use super::syntax::{
    Comparison, Condition, FieldGroup, Literal, LiteralKind, Name, Path, Query, SelectList, Selected, SortKey, Test,
    malformed,
};
use super::{Ordered, Plan, RowScope, Shape};
use crate::ids::RecordId;
use crate::schema::{Access, Field, FieldType, Object, Schema};
use crate::value::{Date, Decimal, TextOrder, TimeOfDay, Timestamp, Value};

/// Rows that OFFSET may skip. Source: SOQL reference v66, OFFSET.
const MAX_OFFSET: u64 = 2000;
/// Rows for which `FIELDS(ALL)` and `FIELDS(CUSTOM)` may be asked. Source: SOQL reference v66, FIELDS().
const MAX_FIELDS_ROWS: u64 = 200;

/// Compiles a statement.
pub(super) fn compile(
    text: &str,
    schema: &Schema,
    access: &dyn Access,
    scope: RowScope,
    now: Timestamp,
) -> Result<Plan, QueryError> {
    let query = super::parser::parse(text)?;
    let found = schema.find(&query.from.text).filter(|(_, object)| access.reads(object));
    let (index, object) = found.ok_or_else(|| no_such_object(text, &query.from))?;
    if !object.can.queryable {
        let message = format!("entity type {} does not support query", object.name);
        return Err(QueryError::plain(QueryErrorCode::InvalidTypeForOperation, message));
    }
    check_restriction(&query, object)?;
    let alias = query.alias.as_ref().map(|alias| alias.text.as_str());
    let scene = Scene { query: text, schema, access, object: index, alias };
    let binder = Binder { scene: &scene, now };
    let shape = binder.shape(&query)?;
    let filter = query.filter.as_ref().map(|condition| binder.condition(condition)).transpose()?;
    let order = query.order.iter().map(|key| binder.sort_key(key)).collect::<Result<_, _>>()?;
    if query.offset.is_some_and(|offset| offset > MAX_OFFSET) {
        let message = "Maximum SOQL offset allowed is 2000";
        return Err(QueryError::plain(QueryErrorCode::NumberOutsideValidRange, message));
    }
    Ok(Plan {
        object: Arc::clone(object),
        object_index: index,
        scope,
        shape,
        filter,
        order,
        limit: query.limit,
        offset: query.offset,
    })
}

/// Refuses a query that does not name what its object requires.
///
/// Source: SOQL reference v66, "SOQL Object Limits and Limitations"; the text as `ContentDocumentLink` gives it.
fn check_restriction(query: &Query, object: &Object) -> Result<(), QueryError> {
    let required = &object.required_filter;
    if required.is_empty() || query.filter.as_ref().is_some_and(|filter| names_required(filter, required)) {
        return Ok(());
    }
    let message = format!(
        "Implementation restriction: {} requires a filter by a single Id on {} using the equals operator or multiple Id's \
         using the IN operator.",
        object.name,
        required.join(" or ")
    );
    Err(QueryError::plain(QueryErrorCode::MalformedQuery, message))
}

fn names_required(condition: &Condition, required: &[String]) -> bool {
    match condition {
        Condition::All(terms) => terms.iter().any(|term| names_required(term, required)),
        Condition::Test { path, test } => {
            let written = path.written();
            let named =
                required.iter().map(String::as_str).chain(["Id"]).any(|name| name.eq_ignore_ascii_case(&written));
            named && matches!(test, Test::Compare(Comparison::Equal, _) | Test::In { negated: false, .. })
        }
        Condition::Any(_) | Condition::Not(_) => false,
    }
}

fn no_such_object(query: &str, name: &Name) -> QueryError {
    let message = format!(
        "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' \
         after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
        name.text
    );
    QueryError::at(QueryErrorCode::InvalidType, query, name.at, &message)
}

struct Binder<'a> {
    scene: &'a Scene<'a>,
    now: Timestamp,
}

impl Binder<'_> {
    fn shape(&self, query: &Query) -> Result<Shape, QueryError> {
        let SelectList::Items(items) = &query.select else { return Ok(Shape::Count) };
        let mut columns: Vec<(BoundPath, String)> = Vec::new();
        let mut unbounded = false;
        for item in items {
            match item {
                Selected::Path(path) => self.select(path, &mut columns)?,
                Selected::Fields { group, at } => {
                    unbounded |= *group != FieldGroup::Standard;
                    self.select_group(*group, *at, &mut columns)?;
                }
            }
        }
        if unbounded && !is_bounded(query) {
            let message = "The SOQL FIELDS function must have a LIMIT of at most 200";
            return Err(QueryError::plain(QueryErrorCode::MalformedQuery, message));
        }
        let projection = Projection::new(self.scene.schema, columns);
        Ok(Shape::Records { projection, all_fields: unbounded })
    }

    fn select(&self, path: &Path, columns: &mut Vec<(BoundPath, String)>) -> Result<(), QueryError> {
        let bound = self.scene.resolve(path)?;
        if columns.iter().any(|(known, _)| *known == bound) {
            let message = format!("duplicate field selected: {}", path.written());
            return Err(self.scene.error(QueryErrorCode::InvalidField, path.at(), &message));
        }
        columns.push((bound, path.written()));
        Ok(())
    }

    fn select_group(
        &self,
        group: FieldGroup,
        at: usize,
        columns: &mut Vec<(BoundPath, String)>,
    ) -> Result<(), QueryError> {
        let (object, before) = (self.scene.object(), columns.len());
        for field in object.fields().iter().filter(|field| self.scene.access.reads_field(object, field)) {
            let wanted = match group {
                FieldGroup::All => true,
                FieldGroup::Standard => !field.custom,
                FieldGroup::Custom => field.custom,
            };
            if wanted {
                self.select(&Path { parts: vec![Name { text: field.name.clone(), at }] }, columns)?;
            }
        }
        if columns.len() > before {
            return Ok(());
        }
        let message = "'FIELDS(...)' expansion function must result in at least one field being selected.";
        Err(QueryError::plain(QueryErrorCode::MalformedQuery, message))
    }

    fn sort_key(&self, key: &SortKey) -> Result<Ordered, QueryError> {
        let path = self.scene.resolve(&key.path)?;
        if self.leaf(&path).is_some_and(|field| !field.sortable) {
            let message = format!("field '{}' can not be sorted in a query call", key.path.written());
            return Err(self.scene.error(QueryErrorCode::InvalidField, key.path.at(), &message));
        }
        // NULLS LAST is ignored on parents. Source: SOQL reference v66, ORDER BY.
        let nulls_first = key.nulls_first || !path.hops.is_empty();
        Ok(Ordered { text: self.text_order(&path), path, descending: key.descending, nulls_first })
    }

    fn condition(&self, condition: &Condition) -> Result<Predicate, QueryError> {
        let all = |terms: &[Condition]| terms.iter().map(|term| self.condition(term)).collect::<Result<Vec<_>, _>>();
        Ok(match condition {
            Condition::All(terms) => Predicate::All(all(terms)?),
            Condition::Any(terms) => Predicate::Any(all(terms)?),
            Condition::Not(term) => Predicate::Not(Box::new(self.condition(term)?)),
            Condition::Test { path, test } => self.test(path, test)?,
        })
    }

    fn test(&self, written: &Path, test: &Test) -> Result<Predicate, QueryError> {
        let path = self.scene.resolve(written)?;
        if self.leaf(&path).is_some_and(|field| !field.filterable) {
            let message = format!("field '{}' can not be filtered in a query call", written.written());
            return Err(self.scene.error(QueryErrorCode::InvalidField, written.at(), &message));
        }
        if !allows(path.kind, test) {
            return Err(self.scene.error(QueryErrorCode::InvalidQueryFilterOperator, written.at(), "invalid operator"));
        }
        let criterion = Criterion { binder: self, field: written, path: &path };
        let check = match test {
            Test::Compare(comparison, literal) => criterion.comparison(*comparison, literal)?,
            Test::Like(literal) => criterion.like(literal)?,
            Test::In { literals, negated } => {
                let values = literals.iter().map(|literal| criterion.value(literal)).collect::<Result<_, _>>()?;
                Check::In { values, negated: *negated }
            }
            Test::Includes { literals, negated } => criterion.includes(literals, *negated)?,
        };
        Ok(Predicate::Test { text: self.text_order(&path), path, check })
    }

    fn leaf(&self, path: &BoundPath) -> Option<&Field> {
        match path.leaf {
            Leaf::Field { object, field } => Some(self.scene.schema.object(object).field(field)),
            Leaf::Named { .. } | Leaf::TypeName => None,
        }
    }

    fn text_order(&self, path: &BoundPath) -> TextOrder {
        match self.leaf(path) {
            Some(field) if field.case_sensitive => TextOrder::CaseSensitive,
            _ => TextOrder::IgnoreCase,
        }
    }
}

/// Whether at most 200 rows can come: by LIMIT, or by a list of ids.
fn is_bounded(query: &Query) -> bool {
    fn lists_ids(condition: &Condition) -> bool {
        match condition {
            Condition::All(terms) => terms.iter().any(lists_ids),
            Condition::Test { path, test } => {
                let is_id = path.parts.last().is_some_and(|part| part.text.eq_ignore_ascii_case("Id"));
                match test {
                    Test::Compare(Comparison::Equal, _) => is_id,
                    Test::In { literals, negated: false } => is_id && literals.len() as u64 <= MAX_FIELDS_ROWS,
                    _ => false,
                }
            }
            Condition::Any(_) | Condition::Not(_) => false,
        }
    }
    query.limit.is_some_and(|limit| limit <= MAX_FIELDS_ROWS) || query.filter.as_ref().is_some_and(lists_ids)
}

/// Which operators a type knows. Source: SOQL reference v66, comparison operators.
fn allows(kind: FieldType, test: &Test) -> bool {
    let ordered = !matches!(kind, FieldType::Boolean | FieldType::MultiPicklist);
    match test {
        _ if kind.is_compound() || kind.is_raw_json() || kind == FieldType::Base64 => false,
        Test::Compare(Comparison::Equal | Comparison::NotEqual, _) | Test::In { .. } => true,
        Test::Compare(..) => ordered,
        Test::Like(_) => kind.is_text() && kind != FieldType::MultiPicklist,
        Test::Includes { .. } => kind == FieldType::MultiPicklist,
    }
}

/// The field that a literal is compared with.
struct Criterion<'a> {
    binder: &'a Binder<'a>,
    field: &'a Path,
    path: &'a BoundPath,
}

impl Criterion<'_> {
    fn comparison(&self, comparison: Comparison, literal: &Literal) -> Result<Check, QueryError> {
        let LiteralKind::DateSpan { name, count } = &literal.kind else {
            return Ok(Check::Compare(comparison, self.value(literal)?));
        };
        let days = dates::span(name, *count, self.binder.now);
        match (days, self.path.kind) {
            (None, _) => Err(malformed(self.binder.scene.query, literal.at, "invalid number in a date literal")),
            (Some(days), FieldType::Date) => {
                Ok(Check::Span(comparison, Value::Date(days.start), Value::Date(days.end)))
            }
            (Some(days), FieldType::DateTime) => {
                let (start, end) = (days.start.start(), days.end.start());
                Ok(Check::Span(comparison, Value::DateTime(start), Value::DateTime(end)))
            }
            _ => Err(self.mismatch()),
        }
    }

    fn like(&self, literal: &Literal) -> Result<Check, QueryError> {
        let LiteralKind::Text(raw) = &literal.kind else { return Err(self.mismatch()) };
        pattern(raw).map(Check::Like).ok_or_else(|| self.bad_escape(literal))
    }

    fn includes(&self, literals: &[Literal], negated: bool) -> Result<Check, QueryError> {
        let mut alternatives = Vec::with_capacity(literals.len());
        for literal in literals {
            match self.value(literal)? {
                Value::Text(text) => alternatives.push(text.split(';').map(str::to_owned).collect()),
                _ => return Err(self.mismatch()),
            }
        }
        Ok(Check::Includes { alternatives, negated })
    }

    /// The value that a literal means to the field's type.
    fn value(&self, literal: &Literal) -> Result<Value, QueryError> {
        let kind = self.path.kind;
        let value = match &literal.kind {
            LiteralKind::Null => Some(Value::Null),
            LiteralKind::Bool(value) => (kind == FieldType::Boolean).then_some(Value::Bool(*value)),
            LiteralKind::Text(raw) => return self.text(literal, raw),
            LiteralKind::Number(text) => self.unquoted(text),
            LiteralKind::DateSpan { .. } => None,
        };
        value.ok_or_else(|| self.mismatch())
    }

    fn text(&self, literal: &Literal, raw: &str) -> Result<Value, QueryError> {
        let text = unescape(raw).ok_or_else(|| self.bad_escape(literal))?;
        match self.path.kind {
            FieldType::Id | FieldType::Reference if text.is_empty() => Ok(Value::Null),
            FieldType::Id | FieldType::Reference => RecordId::parse(&text).map(Value::Id).map_err(|_| {
                let message = format!("invalid ID field: {text}");
                self.binder.scene.error(QueryErrorCode::InvalidQueryFilterOperator, self.field.at(), &message)
            }),
            // Salesforce stores no empty text, so comparing with one is comparing with null.
            kind if kind.is_text() && text.is_empty() => Ok(Value::Null),
            kind if kind.is_text() => Ok(Value::text(text)),
            _ => Err(self.mismatch()),
        }
    }

    fn unquoted(&self, text: &str) -> Option<Value> {
        match self.path.kind {
            kind if kind.is_number() => Decimal::parse(text).map(Value::Decimal),
            FieldType::Date => Date::parse(text).filter(|date| (Date::MIN..=Date::MAX).contains(date)).map(Value::Date),
            FieldType::DateTime => Timestamp::parse(text).map(|time| Value::DateTime(self.precise(time))),
            FieldType::Time => TimeOfDay::parse(text).map(Value::Time),
            _ => None,
        }
    }

    /// Audit fields are compared to the second. Source: salesforce.stackexchange.com, question 234824.
    fn precise(&self, time: Timestamp) -> Timestamp {
        let is_audit = self.binder.leaf(self.path).is_some_and(|field| !field.custom && !field.createable);
        if is_audit { time.whole_seconds() } else { time }
    }

    fn bad_escape(&self, literal: &Literal) -> QueryError {
        malformed(self.binder.scene.query, literal.at, "Invalid string literal: illegal character sequence behind '\\'")
    }

    fn mismatch(&self) -> QueryError {
        let (kind, quotes) = match self.path.kind {
            FieldType::DateTime => ("dateTime", "should not"),
            kind if kind.is_number() && !matches!(kind, FieldType::Int | FieldType::Long) => ("double", "should not"),
            FieldType::Boolean | FieldType::Date | FieldType::Time | FieldType::Int | FieldType::Long => {
                (self.path.kind.as_str(), "should not")
            }
            _ => ("string", "should"),
        };
        let message = format!(
            "value of filter criterion for field '{}' must be of type {kind} and {quotes} be enclosed in quotes",
            self.field.written()
        );
        self.binder.scene.error(QueryErrorCode::InvalidField, self.field.at(), &message)
    }
}
