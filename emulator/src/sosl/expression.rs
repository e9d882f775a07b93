//! What stands between the braces of `FIND`: words, phrases, wildcards, AND, OR, NOT.
//!
//! Source: SOQL and SOSL reference v66, "FIND {SearchQuery}". Operators bind in the order NOT, AND, OR; a missing one is AND.

use super::SearchError;

/// The escape character, and the characters that need it.
const ESCAPE: char = '\\';

/// A condition on the words of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    Has(Phrase),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
}

/// Words that stand one after the other in one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Phrase(Vec<Vec<Letter>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    Is(char),
    /// `?`: one character.
    One,
    /// `*`: any characters, or none.
    Any,
}

impl Expression {
    /// Reads the text between the braces.
    ///
    /// # Errors
    /// [`SearchError`] for unbalanced text, and for words of one character.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0 };
        let expression = parser.any()?;
        match parser.tokens.get(parser.next) {
            None => Ok(expression),
            Some(token) => Err(unexpected(token)),
        }
    }

    /// Words that a person typed, all of which count, the last one as far as it goes: for suggestions.
    #[must_use]
    pub fn prefix(text: &str) -> Option<Self> {
        let typed = words(text);
        let last = typed.len().checked_sub(1)?;
        let letters = |(index, word): (usize, &String)| {
            let mut letters: Vec<Letter> = word.chars().map(Letter::Is).collect();
            if index == last {
                letters.push(Letter::Any);
            }
            Self::Has(Phrase(vec![letters]))
        };
        Some(Self::All(typed.iter().enumerate().map(letters).collect()))
    }

    /// The text as it is, without operators: for `parameterizedSearch`.
    ///
    /// # Errors
    /// [`SearchError`] when there is no word of two characters in it.
    pub fn plain(text: &str) -> Result<Self, SearchError> {
        let phrases = text.split_whitespace().map(|word| phrase(&letters(word)));
        let all: Vec<Self> = phrases.filter(|phrase| !phrase.0.is_empty()).map(Self::Has).collect();
        long_enough(text, &all)?;
        Ok(Self::All(all))
    }

    /// Whether it holds, where `has` says whether a record has a phrase.
    pub(super) fn holds(&self, has: &dyn Fn(&Phrase) -> bool) -> bool {
        match self {
            Self::Has(phrase) => has(phrase),
            Self::All(terms) => terms.iter().all(|term| term.holds(has)),
            Self::Any(terms) => terms.iter().any(|term| term.holds(has)),
            Self::Not(term) => !term.holds(has),
        }
    }
}

impl Phrase {
    /// Whether the words of a field hold it.
    pub(super) fn is_in(&self, field: &[String]) -> bool {
        let fits = |window: &[String]| window.iter().zip(&self.0).all(|(word, pattern)| matches(pattern, word));
        !self.0.is_empty() && field.windows(self.0.len()).any(fits)
    }

    fn characters(&self) -> usize {
        let letters = self.0.iter().flatten();
        letters.filter(|letter| matches!(letter, Letter::Is(_))).count()
    }
}

/// The words of a text: runs of letters and digits, in lower case.
pub(super) fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect()
}

fn matches(pattern: &[Letter], word: &str) -> bool {
    let word: Vec<char> = word.chars().collect();
    fn fits(pattern: &[Letter], word: &[char]) -> bool {
        match pattern.split_first() {
            None => word.is_empty(),
            Some((Letter::Any, rest)) => (0..=word.len()).any(|taken| fits(rest, &word[taken..])),
            Some((Letter::One, rest)) => !word.is_empty() && fits(rest, &word[1..]),
            Some((Letter::Is(letter), rest)) => word.first() == Some(letter) && fits(rest, &word[1..]),
        }
    }
    fits(pattern, &word)
}

/// A word as it is written: with wildcards, and escaped characters for themselves.
fn letters(text: &str) -> Vec<Letter> {
    let mut letters = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ESCAPE => letters.extend(characters.next().into_iter().flat_map(char::to_lowercase).map(Letter::Is)),
            '*' => letters.push(Letter::Any),
            '?' => letters.push(Letter::One),
            other => letters.extend(other.to_lowercase().map(Letter::Is)),
        }
    }
    letters
}

/// Letters in words: what is neither letter, digit nor wildcard divides them. A wildcard does not begin a word.
fn phrase(letters: &[Letter]) -> Phrase {
    let divides = |letter: &Letter| matches!(letter, Letter::Is(c) if !c.is_alphanumeric());
    let words = letters.split(divides).map(|word| {
        let start = word.iter().position(|letter| matches!(letter, Letter::Is(_))).unwrap_or(word.len());
        word[start..].to_vec()
    });
    Phrase(words.filter(|word| !word.is_empty()).collect())
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(Phrase, String),
    And,
    Or,
    Not,
    Open,
    Close,
}

fn tokens(text: &str) -> Result<Vec<Token>, SearchError> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&character) = rest.peek() {
        match character {
            _ if character.is_whitespace() => {
                rest.next();
            }
            '(' | ')' => {
                tokens.push(if character == '(' { Token::Open } else { Token::Close });
                rest.next();
            }
            '"' => {
                rest.next();
                let quoted = until(&mut rest, |c| c == '"');
                if rest.next().is_none() {
                    return Err(SearchError::Malformed(format!("unexpected token: '{quoted}'")));
                }
                tokens.push(Token::Word(phrase(&letters(&quoted)), quoted));
            }
            _ => {
                let word = until(&mut rest, |c| c.is_whitespace() || matches!(c, '(' | ')' | '"'));
                tokens.push(match word.to_ascii_uppercase().as_str() {
                    "AND" => Token::And,
                    "OR" => Token::Or,
                    "NOT" => Token::Not,
                    _ => Token::Word(phrase(&letters(&word)), word),
                });
            }
        }
    }
    Ok(tokens)
}

/// Characters up to one that ends them; an escaped one does not.
fn until(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, ends: impl Fn(char) -> bool) -> String {
    let mut text = String::new();
    while let Some(&character) = rest.peek() {
        if ends(character) {
            break;
        }
        text.push(character);
        rest.next();
        if character == ESCAPE {
            text.extend(rest.next());
        }
    }
    text
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
}

impl Parser {
    fn any(&mut self) -> Result<Expression, SearchError> {
        let mut terms = vec![self.all()?];
        while self.takes(&Token::Or) {
            terms.push(self.all()?);
        }
        Ok(joined(terms, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, SearchError> {
        let mut terms = vec![self.term()?];
        loop {
            let joined = self.takes(&Token::And);
            match self.tokens.get(self.next) {
                Some(Token::Word(..) | Token::Not | Token::Open) => terms.push(self.term()?),
                _ if joined => return Err(self.unexpected()),
                _ => break,
            }
        }
        Ok(match terms.len() {
            1 => terms.remove(0),
            _ => Expression::All(terms),
        })
    }

    fn term(&mut self) -> Result<Expression, SearchError> {
        if self.takes(&Token::Not) {
            return Ok(Expression::Not(Box::new(self.term()?)));
        }
        if self.takes(&Token::Open) {
            let inner = self.any()?;
            return if self.takes(&Token::Close) { Ok(inner) } else { Err(self.unexpected()) };
        }
        match self.tokens.get(self.next) {
            Some(Token::Word(phrase, written)) => {
                let term = Expression::Has(phrase.clone());
                long_enough(written, std::slice::from_ref(&term))?;
                self.next += 1;
                Ok(term)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn takes(&mut self, token: &Token) -> bool {
        let there = self.tokens.get(self.next) == Some(token);
        self.next += usize::from(there);
        there
    }

    fn unexpected(&self) -> SearchError {
        self.tokens
            .get(self.next)
            .map_or_else(|| SearchError::Malformed("unexpected token: '}'".to_owned()), unexpected)
    }
}

fn joined(mut terms: Vec<Expression>, join: impl FnOnce(Vec<Expression>) -> Expression) -> Expression {
    match terms.len() {
        1 => terms.remove(0),
        _ => join(terms),
    }
}

fn unexpected(token: &Token) -> SearchError {
    let written = match token {
        Token::Word(_, written) => written,
        Token::And => "AND",
        Token::Or => "OR",
        Token::Not => "NOT",
        Token::Open => "(",
        Token::Close => ")",
    };
    SearchError::Malformed(format!("unexpected token: '{written}'"))
}

fn long_enough(written: &str, terms: &[Expression]) -> Result<(), SearchError> {
    let long = |term: &Expression| matches!(term, Expression::Has(phrase) if phrase.characters() > 1);
    if terms.iter().any(long) {
        return Ok(());
    }
    Err(SearchError::Invalid(format!("search term must be longer than one character: {written}")))
}
