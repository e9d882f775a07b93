//! From names and calls to operations on typed values.

use std::{borrow::Cow, cmp::Ordering};

use super::{
    Flaw, MAX_TEXTS,
    function::Function,
    number::{self, Arithmetic},
    parse::{Term, TermKind},
    value::{Fault, Kind, Row, Value, bounded},
};
use crate::{
    batch::ReadField,
    mapping::{
        path::nearest,
        text::{MILLIS_PER_DAY, ONE},
    },
};

/// A part of an expression whose types fit.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Literal(Value<'static>),
    /// Index of a name.
    Name(usize),
    Has(usize),
    List(Vec<Node>),
    If(Box<[Node; 3]>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// An integer among decimals.
    Widen(Box<Node>),
    Binary(Operator, Box<[Node; 2]>),
    /// Whether the first is one of the others.
    OneOf(Box<Node>, Vec<Node>),
    Coalesce(Vec<Node>),
    Call(Function, Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Calculate(Arithmetic),
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Whether a list has a text.
    In,
    /// The text at a place of a list, counted from 0.
    At,
}

impl Operator {
    /// By CEL's own name for it.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "_+_" => Self::Calculate(Arithmetic::Add),
            "_-_" => Self::Calculate(Arithmetic::Subtract),
            "_*_" => Self::Calculate(Arithmetic::Multiply),
            "_/_" => Self::Calculate(Arithmetic::Divide),
            "_%_" => Self::Calculate(Arithmetic::Remainder),
            "_==_" => Self::Equal,
            "_!=_" => Self::Different,
            "_<_" => Self::Less,
            "_<=_" => Self::LessOrEqual,
            "_>_" => Self::Greater,
            "_>=_" => Self::GreaterOrEqual,
            "@in" => Self::In,
            "_[_]" => Self::At,
            _ => return None,
        })
    }

    /// The type of what it makes of two values; `None`: it does not take them.
    fn kind(self, a: Kind, b: Kind) -> Option<Kind> {
        use Kind as K;
        match (self, a, b) {
            (Self::Equal | Self::Different, a, b) if a == b || a == K::Null || b == K::Null => {
                (a != K::Texts && b != K::Texts).then_some(K::Boolean)
            }
            (Self::Equal | Self::Different, _, _) => None,
            (Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual, a, b) => {
                (a == b && !matches!(a, K::Texts | K::Null)).then_some(K::Boolean)
            }
            (Self::Calculate(_), K::Integer, K::Integer) => Some(K::Integer),
            (Self::Calculate(_), K::Decimal, K::Decimal) => Some(K::Decimal),
            (Self::Calculate(Arithmetic::Add), K::Text, K::Text) => Some(K::Text),
            (Self::Calculate(Arithmetic::Add | Arithmetic::Subtract), K::Timestamp | K::Date, K::Duration) => Some(a),
            (Self::Calculate(Arithmetic::Add | Arithmetic::Subtract), K::Duration, K::Duration) => Some(K::Duration),
            (Self::Calculate(Arithmetic::Subtract), K::Timestamp, K::Timestamp)
            | (Self::Calculate(Arithmetic::Subtract), K::Date, K::Date) => Some(K::Duration),
            (Self::Calculate(_), _, _) => None,
            (Self::In, K::Text, K::Texts) => Some(K::Boolean),
            (Self::In, _, _) => None,
            (Self::At, K::Texts, K::Integer) => Some(K::Text),
            (Self::At, _, _) => None,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Calculate(Arithmetic::Add) => "+",
            Self::Calculate(Arithmetic::Subtract) => "-",
            Self::Calculate(Arithmetic::Multiply) => "*",
            Self::Calculate(Arithmetic::Divide) => "/",
            Self::Calculate(Arithmetic::Remainder) => "%",
            Self::Equal => "==",
            Self::Different => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::At => "[…]",
        }
    }
}

/// Checks an expression whose names are these fields, in this order.
pub(super) fn check(term: &Term, names: &[(String, ReadField)]) -> Result<(Node, Kind), Flaw> {
    Checking { names }.check(term)
}

struct Checking<'a> {
    names: &'a [(String, ReadField)],
}

type Checked = Result<(Node, Kind), Flaw>;

impl Checking<'_> {
    fn check(&self, term: &Term) -> Checked {
        match &term.kind {
            TermKind::Literal(value) => Ok((Node::Literal(value.clone()), literal_kind(value))),
            TermKind::Name(name) => self.name(term, name).map(|(index, kind)| (Node::Name(index), kind)),
            TermKind::Has(name) => self.name(term, name).map(|(index, _)| (Node::Has(index), Kind::Boolean)),
            TermKind::List(elements) => {
                let elements =
                    elements.iter().map(|element| self.of_kind(element, Kind::Text, "A list outside of \"in\""));
                Ok((Node::List(elements.collect::<Result<_, _>>()?), Kind::Texts))
            }
            TermKind::Call { name, arguments } => self.call(term, name, arguments),
        }
    }

    fn name(&self, term: &Term, name: &str) -> Result<(usize, Kind), Flaw> {
        let index = self.names.iter().position(|(known, _)| known == name);
        let index = index.ok_or_else(|| Flaw::new(term.at, format!("{name} is no field.")))?;
        Ok((index, Kind::of(self.names[index].1.kind)))
    }

    fn of_kind(&self, term: &Term, wanted: Kind, what: &str) -> Result<Node, Flaw> {
        let (node, kind) = self.check(term)?;
        if kind == wanted || kind == Kind::Null {
            return Ok(node);
        }
        Err(Flaw::new(term.at, format!("{what} takes a {wanted}, and this is a {kind}.")))
    }

    fn call(&self, term: &Term, name: &str, arguments: &[Term]) -> Checked {
        match (name, arguments) {
            ("_&&_", [first, rest @ ..]) => self.chain(first, rest, "&&", Node::And),
            ("_||_", [first, rest @ ..]) => self.chain(first, rest, "||", Node::Or),
            ("!_", [value]) => Ok((Node::Not(self.of_kind(value, Kind::Boolean, "!")?.into()), Kind::Boolean)),
            ("-_", [value]) => self.negation(value),
            ("_?_:_", [condition, yes, no]) => self.conditional(term, condition, yes, no),
            ("coalesce" | "default", [_, _, ..]) => self.coalesce(term, arguments),
            ("@in", [value, Term { kind: TermKind::List(elements), .. }]) => self.one_of(term, value, elements),
            (operator, [a, b]) if Operator::of(operator).is_some() => Operator::of(operator)
                .map_or_else(|| self.function(term, name, arguments), |known| self.binary(term, known, a, b)),
            _ => self.function(term, name, arguments),
        }
    }

    fn chain(&self, first: &Term, rest: &[Term], sign: &str, join: fn(Box<[Node; 2]>) -> Node) -> Checked {
        let mut node = self.of_kind(first, Kind::Boolean, sign)?;
        for term in rest {
            node = join([node, self.of_kind(term, Kind::Boolean, sign)?].into());
        }
        Ok((node, Kind::Boolean))
    }

    fn negation(&self, value: &Term) -> Checked {
        let (node, kind) = self.check(value)?;
        match kind {
            Kind::Integer | Kind::Decimal => Ok((Node::Negate(node.into()), kind)),
            _ => Err(Flaw::new(value.at, format!("- takes a number, and this is a {kind}."))),
        }
    }

    fn conditional(&self, term: &Term, condition: &Term, yes: &Term, no: &Term) -> Checked {
        let condition = self.of_kind(condition, Kind::Boolean, "?:")?;
        let ([yes, no], kind) = self.alike(term, "?:", [self.check(yes)?, self.check(no)?])?;
        Ok((Node::If([condition, yes, no].into()), kind))
    }

    fn coalesce(&self, term: &Term, arguments: &[Term]) -> Checked {
        let mut checked = arguments.iter().map(|argument| self.check(argument)).collect::<Result<Vec<_>, _>>()?;
        let is_decimal = checked.iter().any(|(_, kind)| *kind == Kind::Decimal);
        if is_decimal {
            checked = checked.into_iter().map(widened).collect();
        }
        let kind = checked.iter().map(|(_, kind)| *kind).find(|kind| *kind != Kind::Null).unwrap_or(Kind::Null);
        match checked.iter().find(|(_, other)| *other != kind && *other != Kind::Null) {
            Some((_, other)) => {
                Err(Flaw::new(term.at, format!("coalesce takes values of one type, not a {kind} and a {other}.")))
            }
            None => Ok((Node::Coalesce(checked.into_iter().map(|(node, _)| node).collect()), kind)),
        }
    }

    fn one_of(&self, term: &Term, value: &Term, elements: &[Term]) -> Checked {
        let (mut value, kind) = self.check(value)?;
        let mut others = Vec::with_capacity(elements.len());
        let mut wanted = kind;
        for element in elements {
            let ([new_value, element], kind) =
                self.alike(term, "in", [(value.clone(), wanted), self.check(element)?])?;
            (value, wanted) = (new_value, kind);
            others.push(element);
        }
        Ok((Node::OneOf(value.into(), others), Kind::Boolean))
    }

    fn binary(&self, term: &Term, operator: Operator, a: &Term, b: &Term) -> Checked {
        let [a, b] = both_widened([self.check(a)?, self.check(b)?]);
        let kind = match operator {
            // What is computed with null is null, of the type that the other side would have given.
            Operator::Calculate(_) if a.1 == Kind::Null => Some(b.1),
            Operator::Calculate(_) if b.1 == Kind::Null => Some(a.1),
            _ => operator.kind(a.1, b.1),
        };
        let kind = kind.ok_or_else(|| {
            let message = format!("{} does not take a {} and a {}.", operator.sign(), a.1, b.1);
            let hint = if matches!(operator, Operator::Calculate(Arithmetic::Add)) && [a.1, b.1].contains(&Kind::Text) {
                " Write string(…) around what is no text."
            } else {
                ""
            };
            Flaw::new(term.at, message + hint)
        })?;
        Ok((Node::Binary(operator, [a.0, b.0].into()), kind))
    }

    /// Two values of one type, or of which one is null.
    fn alike(&self, term: &Term, what: &str, values: [(Node, Kind); 2]) -> Result<([Node; 2], Kind), Flaw> {
        let [a, b] = both_widened(values);
        match (a.1, b.1) {
            (Kind::Null, kind) | (kind, Kind::Null) => Ok(([a.0, b.0], kind)),
            (kind, other) if kind == other => Ok(([a.0, b.0], kind)),
            (kind, other) => {
                Err(Flaw::new(term.at, format!("{what} takes values of one type, not a {kind} and a {other}.")))
            }
        }
    }

    fn function(&self, term: &Term, name: &str, arguments: &[Term]) -> Checked {
        let Some(function) = Function::of(name) else {
            let message = match name {
                "matches" => "There are no regular expressions; take contains, startsWith or endsWith.".to_owned(),
                _ => format!("There is no function {name}."),
            };
            let suggestion = nearest(name, Function::names());
            return Err(Flaw { suggestion, ..Flaw::new(term.at, message) });
        };
        let checked = arguments.iter().map(|argument| self.check(argument)).collect::<Result<Vec<_>, _>>()?;
        let kinds: Vec<Kind> = checked.iter().map(|(_, kind)| *kind).collect();
        let kind = function.kind(&kinds).ok_or_else(|| {
            let given: Vec<String> = kinds.iter().map(Kind::to_string).collect();
            Flaw::new(term.at, format!("{name} takes {}, not ({}).", function.takes(), given.join(", ")))
        })?;
        Ok((Node::Call(function, checked.into_iter().map(|(node, _)| node).collect()), kind))
    }
}

fn literal_kind(value: &Value<'_>) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Text(_) => Kind::Text,
        Value::Integer(_) => Kind::Integer,
        Value::Decimal(_) => Kind::Decimal,
        Value::Boolean(_) => Kind::Boolean,
        Value::Date(_) => Kind::Date,
        Value::Timestamp(_) => Kind::Timestamp,
        Value::Time(_) => Kind::Time,
        Value::Duration(_) => Kind::Duration,
        Value::Texts(_) => Kind::Texts,
    }
}

fn widened((node, kind): (Node, Kind)) -> (Node, Kind) {
    match kind {
        Kind::Integer => (Node::Widen(node.into()), Kind::Decimal),
        _ => (node, kind),
    }
}

/// A whole number beside a decimal becomes one.
fn both_widened([a, b]: [(Node, Kind); 2]) -> [(Node, Kind); 2] {
    match (a.1, b.1) {
        (Kind::Integer, Kind::Decimal) => [widened(a), b],
        (Kind::Decimal, Kind::Integer) => [a, widened(b)],
        _ => [a, b],
    }
}

impl Node {
    /// The value for one record. Each part is evaluated at most once.
    pub(super) fn evaluate<'a>(&'a self, row: &mut Row<'_, 'a>) -> Result<Value<'a>, Fault> {
        row.spend(0)?;
        match self {
            Self::Literal(value) => Ok(borrowed(value)),
            Self::Name(name) => row.value(*name),
            Self::Has(name) => row.value(*name).map(|value| Value::Boolean(!value.is_null())),
            Self::List(nodes) => list(nodes, row),
            Self::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                let holds = condition.evaluate(row)?.as_boolean() == Some(true);
                if holds { yes.evaluate(row) } else { no.evaluate(row) }
            }
            Self::And(parts) => decided(parts, row, false),
            Self::Or(parts) => decided(parts, row, true),
            Self::Not(value) => {
                Ok(value.evaluate(row)?.as_boolean().map_or(Value::Null, |truth| Value::Boolean(!truth)))
            }
            Self::Negate(value) => match value.evaluate(row)? {
                Value::Integer(number) => number.checked_neg().map(Value::Integer).ok_or(Fault::TooLargeNumber),
                Value::Decimal(number) => Ok(Value::Decimal(-number)),
                Value::Null => Ok(Value::Null),
                _ => Err(Fault::Types),
            },
            Self::Widen(value) => match value.evaluate(row)? {
                Value::Integer(number) => Ok(Value::Decimal(i128::from(number) * ONE)),
                Value::Null => Ok(Value::Null),
                _ => Err(Fault::Types),
            },
            Self::Binary(operator, parts) => {
                let (a, b) = (parts[0].evaluate(row)?, parts[1].evaluate(row)?);
                row.spend(a.bytes() + b.bytes())?;
                operator.apply(a, b)
            }
            Self::OneOf(value, others) => {
                let value = value.evaluate(row)?;
                for other in others {
                    if equal(&value, &other.evaluate(row)?)? {
                        return Ok(Value::Boolean(true));
                    }
                }
                Ok(Value::Boolean(false))
            }
            Self::Coalesce(nodes) => {
                for node in nodes {
                    let value = node.evaluate(row)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Value::Null)
            }
            Self::Call(function, nodes) => {
                let mut values = Vec::with_capacity(nodes.len());
                for node in nodes {
                    values.push(node.evaluate(row)?);
                }
                if values.iter().any(Value::is_null) {
                    return Ok(Value::Null);
                }
                row.spend_on(&values)?;
                function.apply(values)
            }
        }
    }
}

/// A literal without a copy of its text.
fn borrowed<'a>(value: &'a Value<'static>) -> Value<'a> {
    match value {
        Value::Text(text) => Value::Text(Cow::Borrowed(text)),
        other => other.clone(),
    }
}

/// Nulls are left out, so that what is joined has no gaps.
fn list<'a>(nodes: &'a [Node], row: &mut Row<'_, 'a>) -> Result<Value<'a>, Fault> {
    let mut texts = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node.evaluate(row)? {
            Value::Text(text) => texts.push(text),
            Value::Null => {}
            _ => return Err(Fault::Types),
        }
    }
    Ok(Value::Texts(texts))
}

/// `&&` and `||`: one side may decide alone, even when the other is a fault (CEL, *Logical Operators*). Null decides
/// nothing.
fn decided<'a>(parts: &'a [Node; 2], row: &mut Row<'_, 'a>, deciding: bool) -> Result<Value<'a>, Fault> {
    let first = parts[0].evaluate(row).map(|value| value.as_boolean());
    if first == Ok(Some(deciding)) {
        return Ok(Value::Boolean(deciding));
    }
    let second = parts[1].evaluate(row)?.as_boolean();
    if second == Some(deciding) {
        return Ok(Value::Boolean(deciding));
    }
    Ok(match (first?, second) {
        (Some(_), Some(_)) => Value::Boolean(!deciding),
        (None, _) | (_, None) => Value::Null,
    })
}

/// Null equals null alone, as in CEL.
fn equal(a: &Value<'_>, b: &Value<'_>) -> Result<bool, Fault> {
    match (a.is_null(), b.is_null()) {
        (false, false) => a.compare(b).map(Ordering::is_eq),
        (a, b) => Ok(a && b),
    }
}

impl Operator {
    fn apply<'a>(self, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Fault> {
        match self {
            Self::Equal => equal(&a, &b).map(Value::Boolean),
            Self::Different => equal(&a, &b).map(|equal| Value::Boolean(!equal)),
            _ if a.is_null() || b.is_null() => Ok(Value::Null),
            Self::Less => a.compare(&b).map(|order| Value::Boolean(order.is_lt())),
            Self::LessOrEqual => a.compare(&b).map(|order| Value::Boolean(order.is_le())),
            Self::Greater => a.compare(&b).map(|order| Value::Boolean(order.is_gt())),
            Self::GreaterOrEqual => a.compare(&b).map(|order| Value::Boolean(order.is_ge())),
            Self::Calculate(operation) => calculated(operation, a, b),
            Self::In => match (a, b) {
                (Value::Text(text), Value::Texts(texts)) => Ok(Value::Boolean(texts.contains(&text))),
                _ => Err(Fault::Types),
            },
            Self::At => match (a, b) {
                (Value::Texts(texts), Value::Integer(place)) => {
                    let text = usize::try_from(place).ok().and_then(|place| texts.into_iter().nth(place));
                    Ok(text.map_or(Value::Null, Value::Text))
                }
                _ => Err(Fault::Types),
            },
        }
    }
}

fn calculated<'a>(operation: Arithmetic, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Fault> {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => number::integers(operation, a, b).map(Value::Integer),
        (Value::Decimal(a), Value::Decimal(b)) => number::decimals(operation, a, b).map(Value::Decimal),
        (Value::Text(a), Value::Text(b)) => bounded(a.into_owned() + &b),
        (Value::Duration(a), Value::Duration(b)) => number::integers(operation, a, b).map(Value::Duration),
        (Value::Timestamp(a), Value::Timestamp(b)) => number::integers(operation, a, b).map(Value::Duration),
        (Value::Timestamp(a), Value::Duration(b)) => moment(number::integers(operation, a, b)?),
        (Value::Date(a), Value::Date(b)) => {
            let days = number::integers(operation, i64::from(a), i64::from(b))?;
            days.checked_mul(MILLIS_PER_DAY).map(Value::Duration).ok_or(Fault::TooLargeNumber)
        }
        (Value::Date(a), Value::Duration(b)) => {
            let millis = number::integers(operation, i64::from(a) * MILLIS_PER_DAY, b)?;
            match moment(millis)? {
                Value::Timestamp(millis) => day(millis),
                _ => Err(Fault::Types),
            }
        }
        _ => Err(Fault::Types),
    }
}

/// The years that every destination and every spelling of a date has.
const FIRST_MOMENT: i64 = -62_167_219_200_000;
const LAST_MOMENT: i64 = 253_402_300_799_999;

pub(super) fn moment<'a>(millis: i64) -> Result<Value<'a>, Fault> {
    if (FIRST_MOMENT..=LAST_MOMENT).contains(&millis) { Ok(Value::Timestamp(millis)) } else { Err(Fault::OutOfDates) }
}

/// The day of a moment, in UTC.
pub(super) fn day<'a>(millis: i64) -> Result<Value<'a>, Fault> {
    i32::try_from(millis.div_euclid(MILLIS_PER_DAY)).map(Value::Date).map_err(|_| Fault::OutOfDates)
}

/// The texts of a list that was made, unless they are too many.
pub(super) fn bounded_texts(texts: Vec<Cow<'_, str>>) -> Result<Value<'_>, Fault> {
    if texts.len() > MAX_TEXTS { Err(Fault::TooLongText) } else { Ok(Value::Texts(texts)) }
}
