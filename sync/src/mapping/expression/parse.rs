//! From text to a tree of names, literals and calls.

use std::thread;

use cel::{
    common::ast::{Expr, IdedExpr, LiteralValue, SourceInfo},
    parser::Parser,
};

use super::{Flaw, MAX_BYTES, MAX_DEPTH, value::Value};
use crate::decode::scalar;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::mapping) struct Term {
    /// Where it stands in the text.
    pub(super) at: Option<usize>,
    pub(super) kind: TermKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TermKind {
    Literal(Value<'static>),
    /// A field, or a path to a parent's field.
    Name(String),
    /// Whether a field has a value.
    Has(String),
    /// A function or an operator; what it is called on comes first.
    Call {
        name: String,
        arguments: Vec<Term>,
    },
    List(Vec<Term>),
}

/// A float has so many digits that are surely those written (IEEE 754 double).
const FLOAT_DIGITS: usize = 15;

/// The parser descends once for every part that stands in another. A chain of thousands of operators is as deep, and
/// is only measured when it has been read; so it is read on a stack that holds the deepest that fits the length.
const PARSER_STACK: usize = 64 * 1024 * 1024;

/// Reads an expression.
pub(in crate::mapping) fn parse(text: &str) -> Result<Term, Flaw> {
    if text.trim().is_empty() {
        return Err(Flaw::new(None, "The expression is empty."));
    }
    if text.len() > MAX_BYTES {
        return Err(Flaw::new(None, format!("The expression has {} bytes; {MAX_BYTES} are allowed.", text.len())));
    }
    let text = text.to_owned();
    thread::Builder::new()
        .name("expression".into())
        .stack_size(PARSER_STACK)
        .spawn(move || read(&text))
        .map_err(|error| Flaw::new(None, format!("The expression cannot be read now: {error}.")))?
        .join()
        .unwrap_or_else(|_| Err(Flaw::new(None, "The expression cannot be read.")))
}

fn read(text: &str) -> Result<Term, Flaw> {
    let parser = Parser::new().max_recursion_depth(MAX_DEPTH as u16).error_recovery_limit(1);
    let (expression, places) = parser.parse_with_source_info(text).map_err(|found| {
        let first = found.errors.into_iter().next();
        let place = first.as_ref().and_then(|error| offset(text, error.pos));
        let reason = first.map_or_else(|| "it is no expression".to_owned(), |error| error.msg);
        Flaw::new(place, format!("The expression cannot be read: {reason}."))
    })?;
    Reading { places: &places }.term(&expression, 0)
}

/// Bytes from the start of a line and a column, which count from 1 and in characters.
fn offset(text: &str, (line, column): (isize, isize)) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let within = text[start..].char_indices().nth(column).map_or(text.len() - start, |(at, _)| at);
    Some(start + within)
}

struct Reading<'a> {
    places: &'a SourceInfo,
}

impl Reading<'_> {
    fn term(&self, expression: &IdedExpr, depth: usize) -> Result<Term, Flaw> {
        let at = self.places.offset_for(expression.id).map(|(start, _)| start as usize);
        let flaw = |message: String| Flaw::new(at, message);
        if depth > MAX_DEPTH {
            return Err(flaw(format!("Parts of the expression stand in one another more than {MAX_DEPTH} deep.")));
        }
        let kind = match &expression.expr {
            Expr::Literal(literal) => TermKind::Literal(value(literal).map_err(flaw)?),
            Expr::Ident(name) => TermKind::Name(name.clone()),
            Expr::Select(select) => {
                let name = path(&select.operand).map(|parent| format!("{parent}.{}", select.field));
                match (name, select.test) {
                    (Some(name), true) => TermKind::Has(name),
                    (Some(name), false) => TermKind::Name(name),
                    (None, _) => {
                        return Err(flaw(format!("{:?} is asked of something that has no fields.", select.field)));
                    }
                }
            }
            Expr::Call(call) => {
                let target = call.target.as_deref();
                let arguments = target.into_iter().chain(&call.args);
                let arguments = arguments.map(|argument| self.term(argument, depth + 1)).collect::<Result<_, _>>()?;
                TermKind::Call { name: call.func_name.clone(), arguments }
            }
            Expr::List(list) => {
                let elements = list.elements.iter().map(|element| self.term(element, depth + 1));
                TermKind::List(elements.collect::<Result<_, _>>()?)
            }
            Expr::Comprehension(_) => {
                return Err(flaw(
                    "map, filter, all, exists and exists_one are not allowed: they have no bound.".into(),
                ));
            }
            Expr::Map(_) | Expr::Struct(_) => {
                return Err(flaw("Maps and messages cannot be made in a column's expression.".into()));
            }
            Expr::Unspecified => return Err(flaw("A part of the expression is missing.".into())),
        };
        Ok(Term { at, kind })
    }
}

/// `Account.Owner` of `Account.Owner.Name`.
fn path(expression: &IdedExpr) -> Option<String> {
    let mut names = Vec::new();
    let mut expression = &expression.expr;
    loop {
        match expression {
            Expr::Ident(name) => {
                names.push(name.as_str());
                names.reverse();
                return Some(names.join("."));
            }
            Expr::Select(select) if !select.test => {
                names.push(&select.field);
                expression = &select.operand.expr;
            }
            _ => return None,
        }
    }
}

fn value(literal: &LiteralValue) -> Result<Value<'static>, String> {
    Ok(match literal {
        LiteralValue::Null => Value::Null,
        LiteralValue::Boolean(truth) => Value::Boolean(*truth.inner()),
        LiteralValue::Int(number) => Value::Integer(*number.inner()),
        LiteralValue::UInt(number) => {
            Value::Integer(i64::try_from(*number.inner()).map_err(|_| format!("{} is too large.", number.inner()))?)
        }
        LiteralValue::Double(number) => {
            let digits = number.inner().to_string();
            let significant = digits.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
            let exact = scalar::decimal(digits.as_bytes()).filter(|_| significant <= FLOAT_DIGITS);
            Value::Decimal(exact.ok_or_else(|| {
                format!("{digits} has more digits than survive here; write it as decimal('…'), with quotes.")
            })?)
        }
        LiteralValue::String(text) => Value::Text(text.inner().to_owned().into()),
        LiteralValue::Bytes(_) => return Err("Bytes cannot be used in a column's expression.".into()),
    })
}

impl Term {
    /// Every path it names, each once, in the order of the text.
    pub(in crate::mapping) fn names(&self) -> Vec<(String, Option<usize>)> {
        let mut names = Vec::new();
        self.collect_names(&mut names);
        names
    }

    fn collect_names(&self, names: &mut Vec<(String, Option<usize>)>) {
        match &self.kind {
            TermKind::Literal(_) => {}
            TermKind::Name(name) | TermKind::Has(name) => {
                if !names.iter().any(|(known, _)| known == name) {
                    names.push((name.clone(), self.at));
                }
            }
            TermKind::Call { arguments: parts, .. } | TermKind::List(parts) => {
                parts.iter().for_each(|part| part.collect_names(names));
            }
        }
    }
}
