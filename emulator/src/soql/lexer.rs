//! Splits a query into tokens that remember where they stand.

use super::outcome::{QueryError, QueryErrorCode};

/// What a token is. Texts are slices of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'q> {
    /// A keyword, a name or a date literal.
    Word(&'q str),
    /// What stands between single quotes, escapes untouched.
    Text(&'q str),
    /// A number, a date or a time, unquoted.
    Number(&'q str),
    Symbol(&'static str),
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'q> {
    pub kind: TokenKind<'q>,
    /// Byte offset in the query.
    pub at: usize,
}

impl TokenKind<'_> {
    /// The token as error messages quote it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(text) | Self::Number(text) => (*text).to_owned(),
            Self::Text(text) => format!("'{text}'"),
            Self::Symbol(symbol) => (*symbol).to_owned(),
            Self::End => "<EOF>".to_owned(),
        }
    }
}

const SYMBOLS: [&str; 13] = ["<=", ">=", "!=", "<>", "<", ">", "=", "(", ")", ",", ".", ":", "*"];

/// All tokens of a query, closed by [`TokenKind::End`].
pub(super) fn tokens(query: &str) -> Result<Vec<Token<'_>>, QueryError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = query[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, length) = token(&query[at..], c)
            .map_err(|reason| QueryError::at(QueryErrorCode::MalformedQuery, query, at, &reason))?;
        tokens.push(Token { kind, at });
        at += length;
    }
    tokens.push(Token { kind: TokenKind::End, at: query.len() });
    Ok(tokens)
}

/// The token at the start of `rest` and its length in bytes.
fn token(rest: &str, first: char) -> Result<(TokenKind<'_>, usize), String> {
    let while_true = |accept: fn(char) -> bool| rest.find(|c| !accept(c)).unwrap_or(rest.len());
    let signed = matches!(first, '-' | '+') && rest[1..].starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if first == '\'' {
        let end = closing_quote(rest).ok_or("line breaks not allowed in string literals, or a quote is missing")?;
        return Ok((TokenKind::Text(&rest[1..end]), end + 1));
    }
    if first.is_ascii_digit() || signed {
        let length = while_true(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | ':' | '.'));
        return Ok((TokenKind::Number(&rest[..length]), length));
    }
    if first.is_alphabetic() || first == '_' {
        let length = while_true(|c| c.is_alphanumeric() || c == '_');
        let length = length + cents(&rest[..length], &rest[length..]);
        return Ok((TokenKind::Word(&rest[..length]), length));
    }
    match SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
        Some(symbol) => Ok((TokenKind::Symbol(symbol), symbol.len())),
        None => Err(format!("unexpected token: '{first}'")),
    }
}

/// How much of `rest` belongs to the amount of a currency literal such as `USD19.90`.
fn cents(word: &str, rest: &str) -> usize {
    let is_money = money(word).is_some_and(|(_, amount)| !amount.contains('.'));
    match rest.strip_prefix('.') {
        Some(fraction) if is_money && fraction.starts_with(|c: char| c.is_ascii_digit()) => {
            1 + fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len())
        }
        _ => 0,
    }
}

/// The currency and the amount of a literal such as `USD5000`.
pub(super) fn money(word: &str) -> Option<(&str, &str)> {
    let (currency, amount) = word.split_at_checked(3)?;
    let is_amount = amount.starts_with(|c: char| c.is_ascii_digit())
        && amount.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (is_amount && currency.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some((currency, amount))
}

/// The offset of the quote that ends the text at the start of `rest`.
fn closing_quote(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => return Some(at),
            _ => {}
        }
    }
    None
}

/// One character of a quoted text, and whether a backslash stood before it.
struct Glyph {
    c: char,
    escaped: bool,
}

/// Resolves the escapes `\n \r \t \b \f \" \' \\ \_ \% \uXXXX`. Source: SOQL reference v66, "Quoted String Escape
/// Sequences".
fn glyphs(raw: &str) -> Option<Vec<Glyph>> {
    let mut glyphs = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            glyphs.push(Glyph { c, escaped: false });
            continue;
        }
        let c = match chars.next()? {
            'n' | 'N' => '\n',
            'r' | 'R' => '\r',
            't' | 'T' => '\t',
            'b' | 'B' => '\u{8}',
            'f' | 'F' => '\u{c}',
            'u' => {
                let digits: String = chars.by_ref().take(4).collect();
                char::from_u32(u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4)?)?
            }
            c @ ('"' | '\'' | '\\' | '_' | '%') => c,
            _ => return None,
        };
        glyphs.push(Glyph { c, escaped: true });
    }
    Some(glyphs)
}

/// The text that a quoted literal means. `None` for an escape that does not exist.
pub(super) fn unescape(raw: &str) -> Option<String> {
    Some(glyphs(raw)?.into_iter().map(|glyph| glyph.c).collect())
}

/// A part of a `LIKE` pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wild {
    /// `%`
    Any,
    /// `_`
    One,
    Char(char),
}

/// The pattern that a quoted literal means to `LIKE`, in lower case.
pub(super) fn pattern(raw: &str) -> Option<Vec<Wild>> {
    let mut parts = Vec::new();
    for glyph in glyphs(raw)? {
        match glyph.c {
            '%' if !glyph.escaped => parts.push(Wild::Any),
            '_' if !glyph.escaped => parts.push(Wild::One),
            c => parts.extend(c.to_lowercase().map(Wild::Char)),
        }
    }
    Some(parts)
}
