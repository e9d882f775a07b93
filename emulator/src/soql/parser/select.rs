//! What stands between SELECT and FROM.

use super::{Parser, TokenKind, is_reserved};
use crate::soql::outcome::QueryError;
use crate::soql::syntax::{FieldGroup, Name, Path, Selected, TypeOf};

impl Parser<'_> {
    pub(super) fn select_list(&mut self) -> Result<Vec<Selected>, QueryError> {
        self.list(Self::selected)
    }

    fn selected(&mut self) -> Result<Selected, QueryError> {
        if self.at_symbol("(") {
            return self.children();
        }
        if self.at_word("TYPEOF") && matches!(self.peek_at(1).kind, TokenKind::Word(_)) {
            return self.type_of();
        }
        if self.at_word("FIELDS") && self.peek_at(1).kind == TokenKind::Symbol("(") {
            return self.fields();
        }
        let value = self.expression()?;
        Ok(Selected::Value { value, alias: self.column_alias() })
    }

    /// A word behind a field or a function renames it.
    fn column_alias(&mut self) -> Option<Name> {
        match self.peek().kind {
            TokenKind::Word(word) if !is_reserved(word) => self.name().ok(),
            _ => None,
        }
    }

    fn children(&mut self) -> Result<Selected, QueryError> {
        self.expect_symbol("(")?;
        let query = self.nested(Self::query)?;
        self.expect_symbol(")")?;
        Ok(Selected::Children(Box::new(query)))
    }

    fn fields(&mut self) -> Result<Selected, QueryError> {
        let at = self.advance().at;
        self.expect_symbol("(")?;
        let token = self.advance();
        let group = match token.kind {
            TokenKind::Word(word) if word.eq_ignore_ascii_case("ALL") => FieldGroup::All,
            TokenKind::Word(word) if word.eq_ignore_ascii_case("STANDARD") => FieldGroup::Standard,
            TokenKind::Word(word) if word.eq_ignore_ascii_case("CUSTOM") => FieldGroup::Custom,
            _ => return self.unexpected(token),
        };
        self.expect_symbol(")")?;
        Ok(Selected::Fields { group, at })
    }

    fn type_of(&mut self) -> Result<Selected, QueryError> {
        self.expect_word("TYPEOF")?;
        let reference = self.name()?;
        let mut branches = Vec::new();
        while self.take_word("WHEN") {
            let object = self.name()?;
            self.expect_word("THEN")?;
            branches.push((object, self.branch()?));
        }
        if branches.is_empty() {
            return self.unexpected(self.peek());
        }
        let otherwise = if self.take_word("ELSE") { Some(self.branch()?) } else { None };
        self.expect_word("END")?;
        Ok(Selected::TypeOf(TypeOf { reference, branches, otherwise }))
    }

    fn branch(&mut self) -> Result<Vec<Path>, QueryError> {
        self.list(Self::path)
    }
}
