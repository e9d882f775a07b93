//! Reads the clauses of a query. Keywords are case-insensitive.
//!
//! Source: SOQL and SOSL reference v66. What is outside the supported subset is refused with a message that says so.

use super::lexer::{Token, TokenKind, tokens};
use super::outcome::{QueryError, QueryErrorCode};
use super::syntax::{
    Comparison, Condition, FieldGroup, Literal, LiteralKind, Name, Path, Query, SelectList, Selected, SortKey, Test,
    malformed,
};

/// Longest statement. Source: SOQL reference v66, limits.
const MAX_CHARS: usize = 100_000;
/// Deepest nesting of parentheses and NOTs; keeps hostile input off the stack.
const MAX_DEPTH: usize = 64;

/// Parses a statement.
pub(super) fn parse(query: &str) -> Result<Query, QueryError> {
    if query.chars().count() > MAX_CHARS {
        let message = "SOQL statements can not be longer than 100000 characters";
        return Err(QueryError::plain(QueryErrorCode::MalformedQuery, message));
    }
    let mut parser = Parser { query, tokens: tokens(query)?, next: 0, depth: 0 };
    parser.statement()
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

    fn unsupported<T>(&self, at: usize, what: &str) -> Result<T, QueryError> {
        Err(malformed(self.query, at, &format!("{what} is not supported by this emulated org")))
    }

    fn at_word(&self, keyword: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        let found = self.at_word(keyword);
        self.next += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: &'static str) -> bool {
        let found = self.peek().kind == TokenKind::Symbol(symbol);
        self.next += usize::from(found);
        found
    }

    fn expect_word(&mut self, keyword: &str) -> Result<(), QueryError> {
        if self.take_word(keyword) { Ok(()) } else { self.unexpected(self.peek()) }
    }

    fn expect_symbol(&mut self, symbol: &'static str) -> Result<(), QueryError> {
        if self.take_symbol(symbol) { Ok(()) } else { self.unexpected(self.peek()) }
    }

    fn name(&mut self) -> Result<Name, QueryError> {
        let token = self.peek();
        match token.kind {
            TokenKind::Word(text) if !is_reserved(text) => {
                self.next += 1;
                Ok(Name { text: text.to_owned(), at: token.at })
            }
            _ => self.unexpected(token),
        }
    }

    fn path(&mut self) -> Result<Path, QueryError> {
        let mut parts = vec![self.name()?];
        while self.take_symbol(".") {
            parts.push(self.name()?);
        }
        Ok(Path { parts })
    }

    fn statement(&mut self) -> Result<Query, QueryError> {
        self.expect_word("SELECT")?;
        let select = self.select_list()?;
        self.expect_word("FROM")?;
        let from = self.name()?;
        let alias = self.alias()?;
        self.refuse_clause("USING", "USING SCOPE")?;
        let filter = if self.take_word("WHERE") { Some(self.condition()?) } else { None };
        for (keyword, clause) in [("WITH", "WITH"), ("GROUP", "GROUP BY"), ("HAVING", "HAVING")] {
            self.refuse_clause(keyword, clause)?;
        }
        let order = self.order()?;
        let limit = self.count_after("LIMIT")?;
        let offset = self.count_after("OFFSET")?;
        for (keyword, clause) in [("FOR", "FOR"), ("UPDATE", "UPDATE"), ("ALL", "ALL ROWS")] {
            self.refuse_clause(keyword, clause)?;
        }
        match self.peek() {
            Token { kind: TokenKind::End, .. } => Ok(Query { select, from, alias, filter, order, limit, offset }),
            token => self.unexpected(token),
        }
    }

    fn refuse_clause(&self, keyword: &str, clause: &str) -> Result<(), QueryError> {
        if self.at_word(keyword) { self.unsupported(self.peek().at, clause) } else { Ok(()) }
    }

    fn alias(&mut self) -> Result<Option<Name>, QueryError> {
        if self.peek().kind == TokenKind::Symbol(",") {
            return self.unsupported(self.peek().at, "a list of objects in FROM");
        }
        match self.peek().kind {
            TokenKind::Word(word) if !is_reserved(word) && !is_clause(word) => self.name().map(Some),
            _ => Ok(None),
        }
    }

    fn select_list(&mut self) -> Result<SelectList, QueryError> {
        if self.at_word("COUNT") && self.peek_at(1).kind == TokenKind::Symbol("(") {
            let closes = self.peek_at(2).kind == TokenKind::Symbol(")");
            if !closes {
                return self.unsupported(self.peek().at, "COUNT(field)");
            }
            self.next += 3;
            if !self.at_word("FROM") {
                return self.unsupported(self.peek().at, "COUNT() beside fields");
            }
            return Ok(SelectList::Count);
        }
        let mut items = vec![self.selected()?];
        while self.take_symbol(",") {
            items.push(self.selected()?);
        }
        Ok(SelectList::Items(items))
    }

    fn selected(&mut self) -> Result<Selected, QueryError> {
        let at = self.peek().at;
        if self.peek().kind == TokenKind::Symbol("(") {
            return self.unsupported(at, "a subquery");
        }
        if self.at_word("TYPEOF") {
            return self.unsupported(at, "TYPEOF");
        }
        if self.peek_at(1).kind != TokenKind::Symbol("(") {
            return self.path().map(Selected::Path);
        }
        let function = self.name()?;
        if !function.text.eq_ignore_ascii_case("FIELDS") {
            return self.unsupported(at, &format!("the function {}()", function.text));
        }
        self.expect_symbol("(")?;
        let group = match self.advance().kind {
            TokenKind::Word(word) if word.eq_ignore_ascii_case("ALL") => FieldGroup::All,
            TokenKind::Word(word) if word.eq_ignore_ascii_case("STANDARD") => FieldGroup::Standard,
            TokenKind::Word(word) if word.eq_ignore_ascii_case("CUSTOM") => FieldGroup::Custom,
            _ => {
                self.next -= 1;
                return self.unexpected(self.peek());
            }
        };
        self.expect_symbol(")")?;
        Ok(Selected::Fields { group, at })
    }

    /// A chain of one connective. AND beside OR needs parentheses.
    fn condition(&mut self) -> Result<Condition, QueryError> {
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
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(malformed(self.query, self.peek().at, "the condition is nested too deeply"));
        }
        let term = if self.take_word("NOT") {
            self.term().map(|inner| Condition::Not(Box::new(inner)))
        } else if self.take_symbol("(") {
            let inner = self.condition()?;
            self.expect_symbol(")").map(|()| inner)
        } else {
            self.test()
        };
        self.depth -= 1;
        term
    }

    fn test(&mut self) -> Result<Condition, QueryError> {
        let at = self.peek().at;
        let path = self.path()?;
        if self.peek().kind == TokenKind::Symbol("(") {
            return self.unsupported(at, &format!("the function {}()", path.written()));
        }
        let operator = self.advance();
        let test = match operator.kind {
            TokenKind::Symbol(symbol) => match comparison(symbol) {
                Some(comparison) => Test::Compare(comparison, self.literal()?),
                None => return self.unexpected(operator),
            },
            TokenKind::Word(word) => self.worded_test(word, operator)?,
            _ => return self.unexpected(operator),
        };
        Ok(Condition::Test { path, test })
    }

    fn worded_test(&mut self, word: &str, operator: Token<'_>) -> Result<Test, QueryError> {
        match word.to_ascii_uppercase().as_str() {
            "LIKE" => self.literal().map(Test::Like),
            "IN" => Ok(Test::In { literals: self.list()?, negated: false }),
            "NOT" => {
                self.expect_word("IN")?;
                Ok(Test::In { literals: self.list()?, negated: true })
            }
            "INCLUDES" => Ok(Test::Includes { literals: self.list()?, negated: false }),
            "EXCLUDES" => Ok(Test::Includes { literals: self.list()?, negated: true }),
            _ => self.unexpected(operator),
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, QueryError> {
        self.expect_symbol("(")?;
        if self.at_word("SELECT") {
            return self.unsupported(self.peek().at, "a semi-join");
        }
        let mut literals = vec![self.literal()?];
        while self.take_symbol(",") {
            literals.push(self.literal()?);
        }
        self.expect_symbol(")")?;
        Ok(literals)
    }

    fn literal(&mut self) -> Result<Literal, QueryError> {
        let token = self.advance();
        let kind = match token.kind {
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

    fn order(&mut self) -> Result<Vec<SortKey>, QueryError> {
        let mut keys = Vec::new();
        if !self.take_word("ORDER") {
            return Ok(keys);
        }
        self.expect_word("BY")?;
        loop {
            keys.push(self.sort_key()?);
            if !self.take_symbol(",") {
                return Ok(keys);
            }
        }
    }

    fn sort_key(&mut self) -> Result<SortKey, QueryError> {
        let at = self.peek().at;
        let path = self.path()?;
        if self.peek().kind == TokenKind::Symbol("(") {
            return self.unsupported(at, &format!("the function {}()", path.written()));
        }
        let descending = !self.take_word("ASC") && self.take_word("DESC");
        let mut nulls_first = true;
        if self.take_word("NULLS") {
            nulls_first = self.take_word("FIRST");
            if !nulls_first {
                self.expect_word("LAST")?;
            }
        }
        Ok(SortKey { path, descending, nulls_first })
    }

    fn count_after(&mut self, keyword: &str) -> Result<Option<u64>, QueryError> {
        if !self.take_word(keyword) {
            return Ok(None);
        }
        let token = self.advance();
        match token.kind {
            TokenKind::Number(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => self.unexpected(token),
            },
            _ => self.unexpected(token),
        }
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

/// Words that no field or object can be named. Source: SOQL reference v66, reserved keywords.
fn is_reserved(word: &str) -> bool {
    const RESERVED: [&str; 18] = [
        "AND", "ASC", "DESC", "EXCLUDES", "FIRST", "FROM", "GROUP", "HAVING", "IN", "INCLUDES", "LAST", "LIKE",
        "LIMIT", "NOT", "NULL", "OR", "SELECT", "WHERE",
    ];
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// Words that open a clause behind FROM and so are no alias.
fn is_clause(word: &str) -> bool {
    ["USING", "WITH", "ORDER", "OFFSET", "FOR", "UPDATE", "ALL"].iter().any(|clause| clause.eq_ignore_ascii_case(word))
}
