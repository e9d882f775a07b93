//! What literals mean to what they are compared with.

use crate::ids::RecordId;
use crate::schema::FieldType;
use crate::soql::asked::Calendar;
use crate::soql::dates;
use crate::soql::lexer::{pattern, unescape};
use crate::soql::outcome::{QueryError, QueryErrorCode};
use crate::soql::path::Scene;
use crate::soql::predicate::Check;
use crate::soql::syntax::{Comparison, Expression, Literal, LiteralKind, Sense};
use crate::value::{Date, Decimal, TimeOfDay, Timestamp, Value};

/// What a literal is compared with.
pub(super) struct Criterion<'a> {
    pub scene: &'a Scene<'a>,
    pub calendar: Calendar,
    pub written: &'a Expression,
    pub kind: FieldType,
    /// Whether it is a time that the org keeps to the second.
    pub is_audit: bool,
}

impl Criterion<'_> {
    pub(super) fn comparison(&self, comparison: Comparison, literal: &Literal) -> Result<Check, QueryError> {
        let LiteralKind::DateSpan { name, count } = &literal.kind else {
            let value = self.value(literal)?;
            let is_empty_text = matches!(literal.kind, LiteralKind::Text(_)) && value == Value::Null;
            return Ok(match comparison {
                // Whatever there is comes after the empty text (django-salesforce's tests against orgs).
                Comparison::Greater if is_empty_text => Check::Compare(Comparison::NotEqual, Value::Null),
                _ => Check::Compare(comparison, value),
            });
        };
        let days = dates::span(name, *count, self.scene.asked.now, self.calendar);
        match (days, self.kind) {
            (None, _) => Err(self.scene.malformed(literal.at, "invalid number in a date literal")),
            (Some(days), FieldType::Date) => {
                Ok(Check::Span(comparison, Value::Date(days.start), Value::Date(days.end)))
            }
            (Some(days), FieldType::DateTime) => {
                let (start, end) = (self.calendar.start_of(days.start), self.calendar.start_of(days.end));
                Ok(Check::Span(comparison, Value::DateTime(start), Value::DateTime(end)))
            }
            _ => Err(self.mismatch()),
        }
    }

    pub(super) fn like(&self, literal: &Literal) -> Result<Check, QueryError> {
        let LiteralKind::Text(raw) = &literal.kind else { return Err(self.mismatch()) };
        pattern(raw).map(Check::Like).ok_or_else(|| self.bad_escape(literal))
    }

    pub(super) fn includes(&self, literals: &[Literal], sense: Sense) -> Result<Check, QueryError> {
        let mut alternatives = Vec::with_capacity(literals.len());
        for literal in literals {
            match self.value(literal)? {
                Value::Text(text) => alternatives.push(text.split(';').map(str::to_owned).collect()),
                _ => return Err(self.mismatch()),
            }
        }
        Ok(Check::Includes { alternatives, sense })
    }

    /// The value that a literal means to the type of what it is compared with.
    pub(super) fn value(&self, literal: &Literal) -> Result<Value, QueryError> {
        let value = match &literal.kind {
            LiteralKind::Null => Some(Value::Null),
            LiteralKind::Bool(value) => (self.kind == FieldType::Boolean).then_some(Value::Bool(*value)),
            LiteralKind::Text(raw) => return self.text(literal, raw),
            LiteralKind::Number(text) => self.unquoted(text),
            LiteralKind::Money { amount, .. } if self.kind == FieldType::Currency => {
                Decimal::parse(amount).map(Value::Decimal)
            }
            LiteralKind::Money { .. } | LiteralKind::DateSpan { .. } => None,
        };
        value.ok_or_else(|| self.mismatch())
    }

    fn text(&self, literal: &Literal, raw: &str) -> Result<Value, QueryError> {
        let text = unescape(raw).ok_or_else(|| self.bad_escape(literal))?;
        match self.kind {
            FieldType::Id | FieldType::Reference if text.is_empty() => Ok(Value::Null),
            FieldType::Id | FieldType::Reference => RecordId::parse(&text).map(Value::Id).map_err(|_| {
                let message = format!("invalid ID field: {text}");
                self.scene.error(QueryErrorCode::InvalidQueryFilterOperator, self.written.at(), &message)
            }),
            // Salesforce stores no empty text, so comparing with one is comparing with null.
            kind if kind.is_text() && text.is_empty() => Ok(Value::Null),
            kind if kind.is_text() => Ok(Value::text(text)),
            _ => Err(self.mismatch()),
        }
    }

    fn unquoted(&self, text: &str) -> Option<Value> {
        match self.kind {
            kind if kind.is_number() => Decimal::parse(text).map(Value::Decimal),
            FieldType::Date => Date::parse(text).filter(|date| (Date::MIN..=Date::MAX).contains(date)).map(Value::Date),
            FieldType::DateTime => Timestamp::parse(text).map(|time| Value::DateTime(self.precise(time))),
            FieldType::Time => TimeOfDay::parse(text).map(Value::Time),
            _ => None,
        }
    }

    fn precise(&self, time: Timestamp) -> Timestamp {
        if self.is_audit { time.whole_seconds() } else { time }
    }

    fn bad_escape(&self, literal: &Literal) -> QueryError {
        self.scene.malformed(literal.at, "Invalid string literal: illegal character sequence behind '\\'")
    }

    pub(super) fn mismatch(&self) -> QueryError {
        let (kind, quotes) = match self.kind {
            FieldType::DateTime => ("dateTime", "should not"),
            kind if kind.is_number() && !matches!(kind, FieldType::Int | FieldType::Long) => ("double", "should not"),
            FieldType::Boolean | FieldType::Date | FieldType::Time | FieldType::Int | FieldType::Long => {
                (self.kind.as_str(), "should not")
            }
            _ => ("string", "should"),
        };
        let message = format!(
            "value of filter criterion for field '{}' must be of type {kind} and {quotes} be enclosed in quotes",
            self.written.written()
        );
        self.scene.error(QueryErrorCode::InvalidField, self.written.at(), &message)
    }
}
