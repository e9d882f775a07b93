//! Expressions, from their text to a value.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    super::{Target, cast::Cast},
    *,
};

const FIELDS: [(&str, ColumnType, &str); 8] = [
    ("Name", ColumnType::Text, "Ada Lovelace"),
    ("Empty", ColumnType::Text, ""),
    ("Count", ColumnType::Integer, "7"),
    ("Amount", ColumnType::Decimal, "12345678901234567.89"),
    ("Active", ColumnType::Boolean, "true"),
    ("Born", ColumnType::Date, "1815-12-10"),
    ("Seen", ColumnType::Timestamp, "2026-02-28T23:59:59.000Z"),
    ("Opens", ColumnType::Time, "10:15:00"),
];

fn records() -> RecordBatch {
    let fields = FIELDS.iter().map(|(path, kind, _)| Field::new(*path, kind.data_type(), true));
    let arrays = FIELDS.iter().map(|(_, kind, text)| {
        let text: ArrayRef =
            Arc::new(arrow_array::StringArray::from(vec![Some(*text).filter(|text| !text.is_empty())]));
        let target = match kind {
            ColumnType::Text => Target::Text,
            ColumnType::Json => Target::Json,
            ColumnType::Integer => Target::Integer,
            ColumnType::Decimal => Target::Decimal,
            ColumnType::Boolean => Target::Boolean,
            ColumnType::Date => Target::Date,
            ColumnType::Timestamp => Target::Timestamp,
            ColumnType::Time => Target::Time,
        };
        let mut trouble = Vec::new();
        let array = Cast { from: ColumnType::Text, target, format: None }.apply(&text, &mut trouble);
        assert!(trouble.is_empty());
        array
    });
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays.collect()).unwrap()
}

fn computed(text: &str) -> Result<Computed, Flaw> {
    let term = parse(text)?;
    let mut names = Vec::new();
    let mut fields = Vec::new();
    for (name, at) in term.names() {
        let index = FIELDS.iter().position(|(known, ..)| *known == name);
        let index = index.ok_or_else(|| Flaw::new(at, format!("{name} is no field.")))?;
        names.push((name.clone(), ReadField { path: name, kind: FIELDS[index].1 }));
        fields.push(index);
    }
    Ok(Computed { expression: Arc::new(Expression::new(&term, &names)?), fields })
}

/// The value as text, or why there is none.
fn value(text: &str) -> String {
    let computed = match computed(text) {
        Ok(computed) => computed,
        Err(flaw) => return flaw.message,
    };
    let mut trouble = Vec::new();
    let array = computed.evaluate(&records(), &mut trouble);
    if let Some(super::super::make::TroubleKind::Misfit(fault)) = trouble.pop().map(|trouble| trouble.kind) {
        return fault;
    }
    if arrow_array::Array::is_null(&array, 0) {
        return "null".into();
    }
    let cast = Cast { from: computed.expression.column_type(), target: Target::Text, format: None };
    let texts = if cast.changes() { cast.apply(&array, &mut trouble) } else { array };
    arrow_array::cast::AsArray::as_string::<i32>(&texts).value(0).to_owned()
}

#[test]
fn expressions_compute_what_they_say() {
    for (expression, expected) in [
        ("Name + '!'", "Ada Lovelace!"),
        ("1 + 2 * 3", "7"),
        ("7 / 2", "3"),
        ("7 % 4", "3"),
        ("Count / 2.0", "3.5"),
        ("1 / 3.0", "0.333333333333333333"),
        ("2 / 3.0", "0.666666666666666667"),
        ("Amount * 2", "24691357802469135.78"),
        ("Amount + 0.01", "12345678901234567.9"),
        ("-Count", "-7"),
        ("Count > 5 ? 'many' : 'few'", "many"),
        ("Active && Count == 7", "true"),
        ("!Active || Count != 7", "false"),
        ("Count in [1, 7]", "true"),
        ("Name in ['Ada']", "false"),
        ("'Ada' in Name.split(' ')", "true"),
        ("Name.split(' ')[1]", "Lovelace"),
        ("Name.split(' ')[9]", "null"),
        ("['a', Empty, 'b'].join('-')", "a-b"),
        ("size(Name)", "12"),
        ("Name.size()", "12"),
        ("Name.contains('Love') && Name.startsWith('Ada') && Name.endsWith('ace')", "true"),
        ("lower(Name) + upper('ß')", "ada lovelaceSS"),
        ("' x '.trim()", "x"),
        ("'añb'.substring(1, 2)", "ñ"),
        ("'abc'.substring(1)", "bc"),
        ("'abc'.substring(5)", "null"),
        ("'abab'.replace('a', 'x')", "xbxb"),
        ("'ñab'.indexOf('b')", "2"),
        ("coalesce(Empty, Name)", "Ada Lovelace"),
        ("default(Empty, 'x')", "x"),
        ("Empty + 'x'", "null"),
        ("Empty == null", "true"),
        ("Empty == 'x'", "false"),
        ("Empty == null ? 'none' : Empty", "none"),
        ("size(Empty) > 3 ? 'long' : 'short'", "short"),
        ("int('42') + int(2.9) + int(true)", "45"),
        ("decimal('0.123456789012345678')", "0.123456789012345678"),
        ("double('1.5')", "1.5"),
        ("string(Amount)", "12345678901234567.89"),
        ("string(Born)", "1815-12-10"),
        ("bool('yes')", "true"),
        ("Born.getFullYear()", "1815"),
        ("Born.getMonth()", "11"),
        ("Born.getDate()", "10"),
        ("Born.getDayOfWeek()", "0"),
        ("Seen.getHours()", "23"),
        ("Opens.getMinutes()", "15"),
        ("date(Seen)", "2026-02-28"),
        ("date('2026-03-01') - date('2026-02-28') == duration('24h')", "true"),
        ("(Seen - timestamp('2026-02-28T23:58:59Z')).getSeconds()", "60"),
        ("Seen + duration('1s')", "2026-03-01T00:00:00.000Z"),
        ("Born + duration('-24h')", "1815-12-09"),
        ("Seen.format('%d.%m.%Y')", "28.02.2026"),
        ("duration('1h30m') > duration('1.4h')", "true"),
        ("abs(-1.5)", "1.5"),
        ("round(2.5)", "3"),
        ("round(-2.345, 2)", "-2.35"),
        ("floor(-1.5)", "-2"),
        ("ceil(1.2)", "2"),
        ("least(1, 2) + greatest(1, 2)", "3"),
        ("Count == 0 || 1 / (Count - 7) > 0 || true", "true"),
        ("false && 1 / 0 > 0", "false"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn what_cannot_be_computed_says_why() {
    for (expression, expected) in [
        ("1 / 0", "A number is divided by zero."),
        ("9223372036854775807 + 1", "A number becomes larger than its type holds."),
        ("-9223372036854775808 / -1", "A number becomes larger than its type holds."),
        ("Amount * Amount * Amount", "A number becomes larger than its type holds."),
        ("int(Name)", "\"Ada Lovelace\" is no integer."),
        ("timestamp('soon')", "\"soon\" is no timestamp."),
        ("Seen + duration('99999999h')", "A date leaves the years 0 to 9999."),
        ("has(Name)", "The expression cannot be read: invalid argument to has() macro."),
        ("Nobody + 1", "Nobody is no field."),
        ("Name - 'x'", "- does not take a text and a text."),
        ("Name < 1", "< does not take a text and a integer."),
        ("Count ? 1 : 2", "?: takes a boolean, and this is a integer."),
        ("true ? 1 : 'x'", "?: takes values of one type, not a integer and a text."),
        ("Name.lower(1)", "lower takes (text), not (text, integer)."),
        ("duration('1h')", "A span of time is no column; take getSeconds() or getHours() of it."),
        ("{'a': 1}", "Maps and messages cannot be made in a column's expression."),
        ("b'x'", "Bytes cannot be used in a column's expression."),
        (
            "0.1234567890123456",
            "0.1234567890123456 has more digits than survive here; write it as decimal('…'), with quotes.",
        ),
        ("", "The expression is empty."),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn a_text_that_grows_is_stopped_before_it_fills_the_memory() {
    let doubling = (0..12).fold("'x'.replace('x', 'xxxxxxxxxxxxxxxx')".to_owned(), |text, _| {
        format!("{text}.replace('x', 'xxxxxxxxxxxxxxxx')")
    });
    assert_eq!(value(&doubling), "A text becomes longer than 1048576 bytes.");
}

#[test]
fn hostile_nesting_is_refused_and_never_overflows_the_stack() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("[", "'a'", "]"),
        ("!", "true", ""),
        ("-", "1", ""),
        ("1 + ", "1", ""),
        ("true ? 1 : ", "1", ""),
        ("1 == ", "1", ""),
        ("'a'", "", ".trim()"),
        ("lower(", "'a'", ")"),
        ("true && ", "true", ""),
        ("{'a':", "1", "}"),
        ("a.", "b", ""),
        ("'a'", "", "[0]"),
    ] {
        for deep in [10, 60, 400, 3_900 / (open.len() + close.len()).max(1)] {
            let text = format!("{}{middle}{}", open.repeat(deep), close.repeat(deep));
            if let Ok(computed) = computed(&text) {
                computed.evaluate(&records(), &mut Vec::new());
            }
        }
    }
    assert!(parse(&"x".repeat(MAX_BYTES + 1)).unwrap_err().message.contains("bytes"));
}

/// Pieces that make expressions, and much that is none.
fn pieces() -> Vec<&'static str> {
    vec![
        "Name",
        "Empty",
        "Count",
        "Amount",
        "Active",
        "Born",
        "Seen",
        "Opens",
        "Nobody",
        "1",
        "0",
        "2.5",
        "-",
        "+",
        "*",
        "/",
        "%",
        "(",
        ")",
        "[",
        "]",
        ",",
        ".",
        "'a'",
        "'ß'",
        "\"x",
        "null",
        "true",
        "false",
        " ? ",
        " : ",
        "&&",
        "||",
        "!",
        "==",
        "<",
        " in ",
        ".split('')",
        ".join(',')",
        ".size()",
        "lower(",
        "replace(",
        "coalesce(",
        "duration('1h')",
        ".format('%d')",
        ".substring(1)",
        "has(",
        "9223372036854775807",
        "map(x, x)",
        "\n",
        "//",
        "{",
        "}",
        "b'x'",
        "`",
        "\\",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_expression_panics_or_costs_more_than_it_may(parts in vec(select(pieces()), 1..14)) {
        check_bounds(&parts.concat())?;
    }

    #[test]
    fn no_text_at_all_panics(text in ".{0,60}") {
        check_bounds(&text)?;
    }
}

fn check_bounds(text: &str) -> Result<(), TestCaseError> {
    let Ok(computed) = computed(text) else { return Ok(()) };
    let batch = records();
    computed.evaluate(&batch, &mut Vec::new());
    let types = computed.fields.iter().zip(&computed.expression.types);
    let cells: Vec<Cells<'_>> = types.map(|(field, kind)| Cells::of(batch.column(*field), *kind)).collect();
    let mut row = Row::new(&cells, 0);
    let _ = computed.expression.root.evaluate(&mut row);
    prop_assert!(row.spent() <= MAX_STEPS);
    Ok(())
}
