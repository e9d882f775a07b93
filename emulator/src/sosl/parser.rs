//! Reads `FIND {…} IN … FIELDS RETURNING …(…) WITH … LIMIT …`.

use super::{Expression, Returning, Scope, Search, SearchError};

/// What may follow the fields of an object, in this order.
const CLAUSES: [&str; 5] = ["USING", "WHERE", "ORDER", "LIMIT", "OFFSET"];
/// WITH clauses that change nothing here.
const IDLE_WITH: [&str; 5] = ["HIGHLIGHT", "METADATA", "RECORDVISIBILITYCONTEXT", "SNIPPET", "SPELL_CORRECTION"];

/// Characters of a search. Source: SOQL and SOSL reference v66, "SOSL Limits"; the text of the refusal is inferred.
const LONGEST: usize = 100_000;

pub(super) fn parse(text: &str) -> Result<Search, SearchError> {
    if text.chars().count() > LONGEST {
        return Err(SearchError::Malformed(format!("SOSL statements can not be longer than {LONGEST} characters")));
    }
    let mut cursor = Cursor { rest: text.trim() };
    cursor.keyword("FIND").ok_or_else(no_term)?;
    let find = Expression::parse(&cursor.braced().ok_or_else(no_term)?)?;
    let mut search = Search { find, scope: Scope::All, returning: Vec::new(), limit: None };
    if cursor.keyword("IN").is_some() {
        let word = cursor.word();
        search.scope = Scope::parse(word).ok_or_else(|| unexpected(word))?;
        cursor.keyword("FIELDS").ok_or_else(|| unexpected(cursor.rest))?;
    }
    if cursor.keyword("RETURNING").is_some() {
        search.returning.push(returning(&mut cursor)?);
        while cursor.symbol(',') {
            search.returning.push(returning(&mut cursor)?);
        }
    }
    while cursor.keyword("WITH").is_some() {
        with(&mut cursor)?;
    }
    if cursor.keyword("LIMIT").is_some() {
        search.limit = Some(number(cursor.word())?);
    }
    // Of articles alone, which there are none of.
    if cursor.keyword("UPDATE").is_some() {
        cursor.rest = "";
    }
    if cursor.rest.is_empty() { Ok(search) } else { Err(unexpected(cursor.rest)) }
}

/// Source: REST API guide, "Search for a String".
fn no_term() -> SearchError {
    SearchError::Malformed("No search term found. The search term must be enclosed in braces.".to_owned())
}

fn unexpected(rest: &str) -> SearchError {
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')')).unwrap_or(rest.len());
    let token = match &rest[..end] {
        "" if rest.is_empty() => "<EOF>",
        "" => &rest[..rest.chars().next().map_or(0, char::len_utf8)],
        token => token,
    };
    SearchError::Malformed(format!("unexpected token: '{token}'"))
}

fn number(word: &str) -> Result<usize, SearchError> {
    word.parse().map_err(|_| unexpected(word))
}

fn with(cursor: &mut Cursor<'_>) -> Result<(), SearchError> {
    let name = cursor.word().to_owned();
    if !IDLE_WITH.iter().any(|idle| idle.eq_ignore_ascii_case(&name)) {
        let message = format!("WITH {name} is not supported in this organization");
        return Err(SearchError::Malformed(message));
    }
    let _ = cursor.parenthesised();
    if cursor.symbol('=') {
        cursor.word();
    }
    Ok(())
}

fn returning(cursor: &mut Cursor<'_>) -> Result<Returning, SearchError> {
    let object = cursor.word().to_owned();
    if object.is_empty() {
        return Err(unexpected(cursor.rest));
    }
    let mut wanted = Returning { object, ..Returning::default() };
    cursor.rest = cursor.rest.trim_start();
    if !cursor.rest.starts_with('(') {
        return Ok(wanted);
    }
    let inner = cursor.parenthesised().ok_or_else(|| unexpected(""))?;
    let parts = clauses(inner);
    let fields = parts.first().map_or("", |(_, text)| text);
    wanted.fields = top_level(fields, ',').into_iter().map(|field| field.trim().to_owned()).collect();
    wanted.fields.retain(|field| !field.is_empty());
    for (clause, text) in &parts[1..] {
        let text = text.trim();
        match *clause {
            "WHERE" => wanted.filter = Some(text.to_owned()),
            "ORDER" => wanted.order = Some(strip_keyword(text, "BY").ok_or_else(|| unexpected(text))?.to_owned()),
            "LIMIT" => wanted.limit = Some(number(text)?),
            "OFFSET" => wanted.offset = number(text)?,
            _ => return Err(SearchError::Malformed("USING is not supported in this organization".to_owned())),
        }
    }
    Ok(wanted)
}

/// The text of each clause; the first one is that of the fields.
fn clauses(text: &str) -> Vec<(&'static str, &str)> {
    let mut found = vec![("", 0, 0)];
    let mut next = 0;
    for (start, word) in words(text) {
        let clause = CLAUSES[next..].iter().position(|clause| clause.eq_ignore_ascii_case(word));
        if let Some(position) = clause {
            let name = CLAUSES[next + position];
            next += position + 1;
            found.push((name, start, start + word.len()));
        }
    }
    let ends: Vec<usize> = found.iter().skip(1).map(|(_, start, _)| *start).chain([text.len()]).collect();
    found.into_iter().zip(ends).map(|((name, _, from), to)| (name, &text[from..to])).collect()
}

/// Words outside quotes and parentheses, with their places.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut start = None;
    let mut outside = Outside::default();
    for (at, character) in text.char_indices().chain([(text.len(), ' ')]) {
        let is_letter = outside.step(character) && (character.is_alphanumeric() || character == '_');
        match (start, is_letter) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                words.push((from, &text[from..at]));
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// Parts between separators outside quotes and parentheses.
fn top_level(text: &str, separator: char) -> Vec<&str> {
    let mut outside = Outside::default();
    text.split(|character| outside.step(character) && character == separator).collect()
}

/// Whether a text is outside quotes and parentheses.
#[derive(Default)]
struct Outside {
    quoted: bool,
    escaped: bool,
    depth: usize,
}

impl Outside {
    /// Takes the next character, and says whether it stands outside.
    fn step(&mut self, character: char) -> bool {
        match character {
            _ if self.escaped => self.escaped = false,
            '\\' if self.quoted => self.escaped = true,
            '\'' => self.quoted = !self.quoted,
            '(' if !self.quoted => self.depth += 1,
            ')' if !self.quoted => self.depth = self.depth.saturating_sub(1),
            _ => return !self.quoted && self.depth == 0,
        }
        false
    }
}

fn strip_keyword<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let head = text.get(..keyword.len()).filter(|head| head.eq_ignore_ascii_case(keyword))?;
    let rest = &text[head.len()..];
    (!rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then(|| rest.trim_start())
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn keyword(&mut self, keyword: &str) -> Option<()> {
        self.rest = strip_keyword(self.rest.trim_start(), keyword)?;
        Some(())
    }

    fn symbol(&mut self, symbol: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(symbol);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '=')).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest.trim_start();
        word
    }

    /// What stands between braces; an escaped brace is a character of it.
    fn braced(&mut self) -> Option<String> {
        let rest = self.rest.trim_start().strip_prefix('{')?;
        let mut escaped = false;
        let end = rest.find(|c: char| {
            let ends = c == '}' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        self.rest = rest[end + 1..].trim_start();
        Some(rest[..end].to_owned()).filter(|text| !text.trim().is_empty())
    }

    /// What stands between parentheses that match.
    fn parenthesised(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start().strip_prefix('(')?;
        let mut outside = Outside { depth: 1, ..Outside::default() };
        let end = rest.char_indices().find(|(_, character)| {
            outside.step(*character);
            outside.depth == 0
        });
        let (end, _) = end?;
        self.rest = rest[end + 1..].trim_start();
        Some(&rest[..end])
    }
}
