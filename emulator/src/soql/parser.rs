//! Reads a statement. Keywords are case-insensitive.
//!
//! Source: SOQL and SOSL reference v66. Here is what all clauses share; `clauses`, `select` and `condition` read them.

mod clauses;
mod condition;
mod select;

use super::lexer::{Token, TokenKind, tokens};
use super::outcome::{QueryError, QueryErrorCode};
use super::syntax::{Call, Expression, Literal, LiteralKind, Name, Path, Query, malformed};

/// Longest statement. Source: SOQL reference v66, limits.
const MAX_CHARS: usize = 100_000;
/// Longest text between quotes. Source: SOQL reference v66, WHERE.
const MAX_TEXT_CHARS: usize = 4_000;
/// Deepest nesting of parentheses, NOTs, functions and subqueries; keeps hostile input off the stack.
const MAX_DEPTH: usize = 64;

/// Parses a statement.
pub(super) fn parse(query: &str) -> Result<Query, QueryError> {
    if query.chars().count() > MAX_CHARS {
        let message = "SOQL statements can not be longer than 100000 characters";
        return Err(QueryError::plain(QueryErrorCode::MalformedQuery, message));
    }
    let mut parser = Parser { query, tokens: tokens(query)?, next: 0, depth: 0 };
    let parsed = parser.query()?;
    match parser.peek() {
        Token { kind: TokenKind::End, .. } => Ok(parsed),
        token => parser.unexpected(token),
    }
}

struct Parser<'q> {
    query: &'q str,
    tokens: Vec<Token<'q>>,
    next: usize,
    depth: usize,
}

impl<'q> Parser<'q> {
    fn peek(&self) -> Token<'q> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Token<'q> {
        let end = Token { kind: TokenKind::End, at: self.query.len() };
        self.tokens.get(self.next + ahead).copied().unwrap_or(end)
    }

    fn advance(&mut self) -> Token<'q> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn unexpected<T>(&self, token: Token<'_>) -> Result<T, QueryError> {
        Err(malformed(self.query, token.at, &format!("unexpected token: '{}'", token.kind.shown())))
    }

    fn refuse<T>(&self, at: usize, message: &str) -> Result<T, QueryError> {
        Err(malformed(self.query, at, message))
    }

    /// Reads something that can stand within itself.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, QueryError>) -> Result<T, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.refuse(self.peek().at, "the query is nested too deeply");
        }
        let found = read(self);
        self.depth -= 1;
        found
    }

    fn at_word(&self, keyword: &str) -> bool {
        self.is_word_at(0, keyword)
    }

    fn is_word_at(&self, ahead: usize, keyword: &str) -> bool {
        matches!(self.peek_at(ahead).kind, TokenKind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn at_symbol(&self, symbol: &'static str) -> bool {
        self.peek().kind == TokenKind::Symbol(symbol)
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        let found = self.at_word(keyword);
        self.next += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: &'static str) -> bool {
        let found = self.at_symbol(symbol);
        self.next += usize::from(found);
        found
    }

    fn expect_word(&mut self, keyword: &str) -> Result<(), QueryError> {
        if self.take_word(keyword) { Ok(()) } else { self.unexpected(self.peek()) }
    }

    fn expect_symbol(&mut self, symbol: &'static str) -> Result<(), QueryError> {
        if self.take_symbol(symbol) { Ok(()) } else { self.unexpected(self.peek()) }
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, QueryError>) -> Result<Vec<T>, QueryError> {
        let mut items = vec![item(self)?];
        while self.take_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn name(&mut self) -> Result<Name, QueryError> {
        let token = self.peek();
        match token.kind {
            TokenKind::Word(text) if !is_reserved(text) || self.at_object_group() => {
                self.next += 1;
                Ok(Name { text: text.to_owned(), at: token.at })
            }
            _ => self.unexpected(token),
        }
    }

    /// The object Group, and the parent that GroupMember calls so, are named by a word that is reserved otherwise.
    fn at_object_group(&self) -> bool {
        self.at_word("GROUP") && !self.is_word_at(1, "BY")
    }

    fn path(&mut self) -> Result<Path, QueryError> {
        let mut parts = vec![self.name()?];
        while self.take_symbol(".") {
            parts.push(self.name()?);
        }
        Ok(Path { parts })
    }

    /// A path or a function of expressions.
    fn expression(&mut self) -> Result<Expression, QueryError> {
        if self.peek_at(1).kind != TokenKind::Symbol("(") {
            return self.path().map(Expression::Path);
        }
        self.nested(|parser| {
            let function = parser.name()?;
            parser.expect_symbol("(")?;
            let arguments = if parser.at_symbol(")") { Vec::new() } else { parser.list(Self::argument)? };
            parser.expect_symbol(")")?;
            Ok(Expression::Call(Call { function, arguments }))
        })
    }

    fn argument(&mut self) -> Result<Expression, QueryError> {
        match self.peek().kind {
            TokenKind::Text(_) | TokenKind::Number(_) => self.literal().map(Expression::Literal),
            _ => self.expression(),
        }
    }

    fn literal(&mut self) -> Result<Literal, QueryError> {
        let token = self.advance();
        let kind = match token.kind {
            TokenKind::Text(raw) if raw.chars().count() > MAX_TEXT_CHARS => {
                return self.refuse(token.at, "string literals can not be longer than 4000 characters");
            }
            TokenKind::Text(raw) => LiteralKind::Text(raw.to_owned()),
            TokenKind::Number(text) => LiteralKind::Number(text.to_owned()),
            TokenKind::Word(word) => self.word_literal(word, token)?,
            TokenKind::Symbol(_) | TokenKind::End => return self.unexpected(token),
        };
        Ok(Literal { kind, at: token.at })
    }

    fn word_literal(&mut self, word: &str, token: Token<'_>) -> Result<LiteralKind, QueryError> {
        let upper = word.to_ascii_uppercase();
        match upper.as_str() {
            "NULL" => return Ok(LiteralKind::Null),
            "TRUE" => return Ok(LiteralKind::Bool(true)),
            "FALSE" => return Ok(LiteralKind::Bool(false)),
            _ => {}
        }
        if let Some((currency, amount)) = super::lexer::money(&upper) {
            return Ok(LiteralKind::Money { currency: currency.to_owned(), amount: amount.to_owned() });
        }
        let mut count = None;
        if self.take_symbol(":") {
            let number = self.advance();
            let TokenKind::Number(text) = number.kind else { return self.unexpected(number) };
            let Ok(value) = text.parse() else { return self.unexpected(number) };
            count = Some(value);
        }
        if !super::dates::is_known(&upper, count.is_some()) {
            return self.unexpected(token);
        }
        Ok(LiteralKind::DateSpan { name: upper, count })
    }
}

/// Words that no field or object can be named. Source: SOQL reference v66, reserved keywords.
fn is_reserved(word: &str) -> bool {
    const RESERVED: [&str; 18] = [
        "AND", "ASC", "DESC", "EXCLUDES", "FIRST", "FROM", "GROUP", "HAVING", "IN", "INCLUDES", "LAST", "LIKE",
        "LIMIT", "NOT", "NULL", "OR", "SELECT", "WHERE",
    ];
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}
