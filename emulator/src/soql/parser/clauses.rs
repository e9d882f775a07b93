//! The clauses around the select list and the condition, in their order.

use super::{Parser, TokenKind, is_reserved};
use crate::soql::outcome::QueryError;
use crate::soql::syntax::{Condition, GroupBy, Name, Query, SortKey, Source, Totals};

/// What may stand behind WITH without changing an answer here: nobody is shown what they may not see anyway.
const ENFORCEMENTS: [&str; 3] = ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"];

impl Parser<'_> {
    /// A whole query, or one within parentheses.
    pub(super) fn query(&mut self) -> Result<Query, QueryError> {
        let at = self.peek().at;
        self.expect_word("SELECT")?;
        let select = self.select_list()?;
        self.expect_word("FROM")?;
        let from = self.source()?;
        let mut also = Vec::new();
        while self.take_symbol(",") {
            also.push(self.source()?);
        }
        let scope = self.scope()?;
        let filter = if self.take_word("WHERE") { Some(self.condition()?) } else { None };
        self.enforcement()?;
        let group = self.group_by()?;
        let having = self.having(group.as_ref())?;
        let order = self.order()?;
        let limit = self.count_after("LIMIT")?;
        let offset = self.count_after("OFFSET")?;
        let side_effect = self.side_effects(&order)?;
        if self.at_word("ALL") {
            return self.refuse(self.peek().at, "ALL ROWS is not allowed in this context; use queryAll");
        }
        Ok(Query { at, select, from, also, scope, filter, group, having, order, limit, offset, side_effect })
    }

    fn source(&mut self) -> Result<Source, QueryError> {
        let path = self.path()?;
        let alias = match self.peek().kind {
            TokenKind::Word(word) if !is_reserved(word) && !is_clause(word) => Some(self.name()?),
            _ => None,
        };
        Ok(Source { path, alias })
    }

    fn scope(&mut self) -> Result<Option<Name>, QueryError> {
        if !self.take_word("USING") {
            return Ok(None);
        }
        self.expect_word("SCOPE")?;
        self.name().map(Some)
    }

    fn enforcement(&mut self) -> Result<(), QueryError> {
        let at = self.peek().at;
        if !self.take_word("WITH") {
            return Ok(());
        }
        if self.at_word("DATA") && self.is_word_at(1, "CATEGORY") {
            return self.refuse(at, "WITH DATA CATEGORY needs an object with data categories, and this org has none");
        }
        match ENFORCEMENTS.iter().any(|word| self.take_word(word)) {
            true => Ok(()),
            false => self.unexpected(self.peek()),
        }
    }

    fn group_by(&mut self) -> Result<Option<GroupBy>, QueryError> {
        let at = self.peek().at;
        if !self.take_word("GROUP") {
            return Ok(None);
        }
        self.expect_word("BY")?;
        let is_open = self.peek_at(1).kind == TokenKind::Symbol("(");
        let totals = if is_open && self.take_word("ROLLUP") {
            Totals::Rollup
        } else if is_open && self.take_word("CUBE") {
            Totals::Cube
        } else {
            Totals::None
        };
        if totals == Totals::None {
            return Ok(Some(GroupBy { at, totals, keys: self.list(Self::expression)? }));
        }
        self.expect_symbol("(")?;
        let keys = self.list(Self::expression)?;
        self.expect_symbol(")")?;
        Ok(Some(GroupBy { at, totals, keys }))
    }

    fn having(&mut self, group: Option<&GroupBy>) -> Result<Option<Condition>, QueryError> {
        let at = self.peek().at;
        if !self.take_word("HAVING") {
            return Ok(None);
        }
        if group.is_none() {
            return self.refuse(at, "HAVING needs a GROUP BY clause");
        }
        self.condition().map(Some)
    }

    fn order(&mut self) -> Result<Vec<SortKey>, QueryError> {
        if !self.take_word("ORDER") {
            return Ok(Vec::new());
        }
        self.expect_word("BY")?;
        self.list(Self::sort_key)
    }

    fn sort_key(&mut self) -> Result<SortKey, QueryError> {
        let value = self.expression()?;
        let descending = !self.take_word("ASC") && self.take_word("DESC");
        let mut nulls_first = true;
        if self.take_word("NULLS") {
            nulls_first = self.take_word("FIRST");
            if !nulls_first {
                self.expect_word("LAST")?;
            }
        }
        Ok(SortKey { value, descending, nulls_first })
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

    /// `FOR VIEW`, `FOR REFERENCE`, `FOR UPDATE`, `UPDATE TRACKING`, `UPDATE VIEWSTAT`; the first of them.
    fn side_effects(&mut self, order: &[SortKey]) -> Result<Option<Name>, QueryError> {
        let mut first = None;
        loop {
            let at = self.peek().at;
            let text = if self.take_word("FOR") {
                self.side_effect(&["VIEW", "REFERENCE", "UPDATE"])?
            } else if self.take_word("UPDATE") {
                self.list(|parser| parser.side_effect(&["TRACKING", "VIEWSTAT"]))?.concat()
            } else {
                return Ok(first);
            };
            if text == "UPDATE" && !order.is_empty() {
                return self.refuse(at, "FOR UPDATE is not allowed with ORDER BY");
            }
            first.get_or_insert(Name { text, at });
        }
    }

    fn side_effect(&mut self, known: &[&str]) -> Result<String, QueryError> {
        match known.iter().find(|word| self.at_word(word)) {
            Some(word) => {
                self.next += 1;
                Ok((*word).to_owned())
            }
            None => self.unexpected(self.peek()),
        }
    }
}

/// Words that open a clause behind FROM and so are no alias.
fn is_clause(word: &str) -> bool {
    ["USING", "WITH", "ORDER", "OFFSET", "FOR", "UPDATE", "ALL"].iter().any(|clause| clause.eq_ignore_ascii_case(word))
}
