//! Conditions of WHERE.

use std::collections::HashSet;
use std::sync::Arc;

use super::Binder;
use super::literal::Criterion;
use crate::schema::FieldType;
use crate::soql::operand::{Function, Operand};
use crate::soql::outcome::{QueryError, QueryErrorCode};
use crate::soql::predicate::{Check, Predicate};
use crate::soql::syntax::{Comparison, Condition, Expression, Literal, LiteralKind, Query, Test};
use crate::value::Value;

/// Joins that one WHERE may hold. Source: SOQL reference v66, "Semi-Joins with IN and Anti-Joins with NOT IN".
const MAX_JOINS: usize = 2;

/// Where in WHERE a test stands: joins are for its top alone.
#[derive(Clone, Copy)]
enum Place {
    /// WHERE itself, or one of its ANDs.
    Top,
    Alternative,
    Negated,
    Nested,
}

impl Place {
    /// Where the terms of an AND at this place stand.
    fn of_all(self, is_outermost: bool) -> Self {
        match self {
            Self::Top if is_outermost => Self::Top,
            Self::Top | Self::Nested => Self::Nested,
            Self::Alternative => Self::Alternative,
            Self::Negated => Self::Negated,
        }
    }
}

impl Binder<'_> {
    pub(super) fn filter_of(&self, condition: &Condition) -> Result<Predicate, QueryError> {
        if count_joins(condition) > MAX_JOINS {
            let message = "Maximum 2 semi join sub-selects are allowed.";
            return Err(QueryError::plain(QueryErrorCode::ExceededMaxSemijoinSubselects, message));
        }
        match condition {
            Condition::All(terms) => self.terms(terms, Place::Top.of_all(true)).map(Predicate::All),
            other => self.condition(other, Place::Top),
        }
    }

    fn terms(&self, terms: &[Condition], place: Place) -> Result<Vec<Predicate>, QueryError> {
        terms.iter().map(|term| self.condition(term, place)).collect()
    }

    fn condition(&self, condition: &Condition, place: Place) -> Result<Predicate, QueryError> {
        Ok(match condition {
            Condition::All(terms) => Predicate::All(self.terms(terms, place.of_all(false))?),
            Condition::Any(terms) => Predicate::Any(self.terms(terms, Place::Alternative)?),
            Condition::Not(term) => Predicate::Not(Box::new(self.condition(term, Place::Negated)?)),
            Condition::Test { subject, test: Test::Join { query, sense } } => {
                self.join_place(query, place)?;
                let (operand, join) = self.join(subject, query)?;
                let check = Check::Join { join: Arc::new(join), sense: *sense };
                Predicate::Test { text: self.scene.text_order(operand.path()), subject: operand, check }
            }
            Condition::Test { subject, test } => self.test(subject, test)?,
        })
    }

    /// Source: reports of users; the text for NOT is inferred.
    fn join_place(&self, query: &Query, place: Place) -> Result<(), QueryError> {
        let message = match place {
            Place::Top => return Ok(()),
            Place::Alternative => "Semi join sub-selects are not allowed with the 'OR' operator",
            Place::Negated => "Semi join sub-selects are not allowed with the 'NOT' operator",
            Place::Nested => {
                "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE \
                 expressions."
            }
        };
        Err(self.scene.malformed(query.at, message))
    }

    fn test(&self, written: &Expression, test: &Test) -> Result<Predicate, QueryError> {
        let mut subject = self.operand(written)?;
        self.check_filterable(&subject, written)?;
        if !allows(&subject, test) {
            let message = "invalid operator";
            return Err(self.scene.error(QueryErrorCode::InvalidQueryFilterOperator, written.at(), message));
        }
        if let Test::Compare(_, Literal { kind: LiteralKind::Money { currency, .. }, at }) = test {
            subject = self.in_currency(subject, currency, *at, written)?;
        }
        let criterion = self.criterion(&subject, written);
        let check = check(&criterion, test)?;
        Ok(Predicate::Test { text: self.scene.text_order(subject.path()), subject, check })
    }

    pub(super) fn criterion<'c>(&'c self, subject: &'c Operand, written: &'c Expression) -> Criterion<'c> {
        let field = subject.as_path().and_then(|path| self.scene.leaf(path));
        // Audit fields are compared to the second. Source: salesforce.stackexchange.com, question 234824.
        let is_audit = field.is_some_and(|field| !field.custom && !field.createable);
        Criterion { scene: &self.scene, calendar: self.calendar(), written, kind: subject.kind(), is_audit }
    }

    fn check_filterable(&self, subject: &Operand, written: &Expression) -> Result<(), QueryError> {
        if let Expression::Call(call) = written
            && ["FORMAT", "convertCurrency"].iter().any(|name| call.function.is(name))
        {
            let message = format!("{} is not allowed in WHERE", written.written());
            return Err(self.scene.malformed(written.at(), &message));
        }
        if self.scene.leaf(subject.path()).is_some_and(|field| !field.filterable) {
            let message = format!("field '{}' can not be filtered in a query call", written.written());
            return Err(self.scene.error(QueryErrorCode::InvalidField, written.at(), &message));
        }
        Ok(())
    }

    /// An amount as it is compared with one of this currency.
    fn in_currency(
        &self,
        subject: Operand,
        currency: &str,
        at: usize,
        written: &Expression,
    ) -> Result<Operand, QueryError> {
        let known = self.scene.asked.currencies.as_ref().is_some_and(|currencies| currencies.has(currency));
        match subject {
            Operand::Path(path) if known && path.kind == FieldType::Currency => Ok(self.converted(path, currency)),
            _ if known => Err(self.criterion(&subject, written).mismatch()),
            _ => {
                let message = format!("invalid currency: {currency}");
                Err(self.scene.error(QueryErrorCode::InvalidField, at, &message))
            }
        }
    }
}

/// What a value has to be for a test to hold.
pub(super) fn check(criterion: &Criterion<'_>, test: &Test) -> Result<Check, QueryError> {
    Ok(match test {
        Test::Compare(comparison, literal) => criterion.comparison(*comparison, literal)?,
        Test::Like(literal) => criterion.like(literal)?,
        Test::In { literals, sense } => {
            let values = literals.iter().map(|literal| criterion.value(literal)).collect::<Result<Vec<_>, _>>()?;
            let id = |value: &Value| if let Value::Id(id) = value { Some(*id) } else { None };
            match values.iter().map(id).collect::<Option<HashSet<_>>>() {
                // Connectors list hundreds of ids.
                Some(ids) => Check::Among { ids: Arc::new(ids), sense: *sense },
                None => Check::In { values, sense: *sense },
            }
        }
        Test::Includes { literals, sense } => criterion.includes(literals, *sense)?,
        // Joins are bound by themselves where they are allowed.
        Test::Join { sense, .. } => Check::In { values: Vec::new(), sense: *sense },
    })
}

fn count_joins(condition: &Condition) -> usize {
    match condition {
        Condition::All(terms) | Condition::Any(terms) => terms.iter().map(count_joins).sum(),
        Condition::Not(term) => count_joins(term),
        Condition::Test { test, .. } => usize::from(matches!(test, Test::Join { .. })),
    }
}

/// Which operators a value knows. Source: SOQL reference v66, comparison operators; for distances, "Location-Based SOQL
/// Queries".
fn allows(subject: &Operand, test: &Test) -> bool {
    if let Operand::Function(function) = subject
        && matches!(**function, Function::Distance(_))
    {
        return matches!(test, Test::Compare(comparison, _) if !matches!(comparison, Comparison::Equal | Comparison::NotEqual));
    }
    allows_kind(subject.kind(), test)
}

pub(super) fn allows_kind(kind: FieldType, test: &Test) -> bool {
    let ordered = !matches!(kind, FieldType::Boolean | FieldType::MultiPicklist);
    match test {
        _ if kind.is_compound() || kind.is_raw_json() || kind == FieldType::Base64 => false,
        Test::Compare(Comparison::Equal | Comparison::NotEqual, _) | Test::In { .. } | Test::Join { .. } => true,
        Test::Compare(..) => ordered,
        Test::Like(_) => kind.is_text() && kind != FieldType::MultiPicklist,
        Test::Includes { .. } => kind == FieldType::MultiPicklist,
    }
}
