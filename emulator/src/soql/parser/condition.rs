//! Conditions of WHERE and HAVING.

use super::{Parser, TokenKind};
use crate::soql::lexer::Token;
use crate::soql::outcome::QueryError;
use crate::soql::syntax::{Comparison, Condition, Literal, Sense, Test};

impl Parser<'_> {
    /// A chain of one connective. AND beside OR needs parentheses.
    pub(super) fn condition(&mut self) -> Result<Condition, QueryError> {
        let first = self.term()?;
        let is_and = self.at_word("AND");
        if !is_and && !self.at_word("OR") {
            return Ok(first);
        }
        let connective = if is_and { "AND" } else { "OR" };
        let mut terms = vec![first];
        while self.take_word(connective) {
            terms.push(self.term()?);
        }
        if self.at_word("AND") || self.at_word("OR") {
            return self.unexpected(self.peek());
        }
        Ok(if is_and { Condition::All(terms) } else { Condition::Any(terms) })
    }

    fn term(&mut self) -> Result<Condition, QueryError> {
        self.nested(|parser| {
            if parser.take_word("NOT") {
                return parser.term().map(|inner| Condition::Not(Box::new(inner)));
            }
            if parser.take_symbol("(") {
                let inner = parser.condition()?;
                return parser.expect_symbol(")").map(|()| inner);
            }
            parser.test()
        })
    }

    fn test(&mut self) -> Result<Condition, QueryError> {
        let subject = self.expression()?;
        let operator = self.advance();
        let test = match operator.kind {
            TokenKind::Symbol(symbol) => match comparison(symbol) {
                Some(comparison) => Test::Compare(comparison, self.literal()?),
                None => return self.unexpected(operator),
            },
            TokenKind::Word(word) => self.worded_test(word, operator)?,
            _ => return self.unexpected(operator),
        };
        Ok(Condition::Test { subject, test })
    }

    fn worded_test(&mut self, word: &str, operator: Token<'_>) -> Result<Test, QueryError> {
        match word.to_ascii_uppercase().as_str() {
            "LIKE" => self.literal().map(Test::Like),
            "IN" => self.membership(Sense::Is),
            "NOT" => {
                self.expect_word("IN")?;
                self.membership(Sense::IsNot)
            }
            "INCLUDES" => Ok(Test::Includes { literals: self.literals()?, sense: Sense::Is }),
            "EXCLUDES" => Ok(Test::Includes { literals: self.literals()?, sense: Sense::IsNot }),
            _ => self.unexpected(operator),
        }
    }

    fn membership(&mut self, sense: Sense) -> Result<Test, QueryError> {
        if !self.is_word_at(1, "SELECT") {
            return Ok(Test::In { literals: self.literals()?, sense });
        }
        self.expect_symbol("(")?;
        let query = self.nested(Self::query)?;
        self.expect_symbol(")")?;
        Ok(Test::Join { query: Box::new(query), sense })
    }

    fn literals(&mut self) -> Result<Vec<Literal>, QueryError> {
        self.expect_symbol("(")?;
        let literals = self.list(Self::literal)?;
        self.expect_symbol(")")?;
        Ok(literals)
    }
}

fn comparison(symbol: &str) -> Option<Comparison> {
    Some(match symbol {
        "=" => Comparison::Equal,
        "!=" | "<>" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
