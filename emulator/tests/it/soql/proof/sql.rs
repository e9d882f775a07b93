//! The same questions in SQL, with SOQL's logic of two values spelled out: a comparison with null is false, `!=` and
//! `NOT IN` match null.

use super::model::{
    Condition, Function, Groups, Item, Kind, Literal, Measure, Operand, Order, PICKLIST, Part, Question, Shape, TABLES,
    Test, Totals, Wild,
};
use super::soql::is_totalled;

/// The statement of a question; of one about children, those of the parent whose id is `?1`.
pub(super) fn question(question: &Question) -> String {
    match &question.shape {
        Shape::Count => {
            let rows = format!("SELECT 1 {} {}", from(question), window(question));
            format!("SELECT COUNT(*) FROM ({rows})")
        }
        Shape::Records { columns, order, .. } => {
            let mut columns: Vec<String> = columns.iter().map(operand).collect();
            columns.push("t0.id".to_owned());
            let keys: Vec<String> = order.iter().map(record_key).chain(["t0.id".to_owned()]).collect();
            format!(
                "SELECT {} {} ORDER BY {} {}",
                columns.join(", "),
                from(question),
                keys.join(", "),
                window(question)
            )
        }
        Shape::Groups(groups) => grouped(question, groups),
    }
}

/// The statement of the children of one parent.
pub(super) fn children(child: &Question) -> String {
    let column = TABLES[child.table].parent.unwrap().1;
    question(child).replacen(" WHERE ", &format!(" WHERE t0.{column} = ?1 AND "), 1)
}

/// FROM and WHERE, with the rows above as `t1` and `t2`.
fn from(question: &Question) -> String {
    let scope = if question.deleted { "1" } else { "t0.deleted = 0" };
    let filter = question.filter.as_ref().map_or("1".to_owned(), |filter| condition(filter, question.deleted, &tested));
    format!("{} WHERE {scope} AND ({filter})", tables(question.table, "t"))
}

fn tables(table: usize, alias: &str) -> String {
    let mut text = format!("FROM {} {alias}0", TABLES[table].table);
    for level in 0..table {
        let (_, column) = TABLES[table - level].parent.unwrap();
        let above = TABLES[table - level - 1].table;
        let next = level + 1;
        text += &format!(" LEFT JOIN {above} {alias}{next} ON {alias}{next}.id = {alias}{level}.{column}");
    }
    text
}

fn window(question: &Question) -> String {
    let limit = question.limit.map_or(-1, |limit| i64::try_from(limit).unwrap());
    format!("LIMIT {limit} OFFSET {}", question.offset.unwrap_or(0))
}

fn operand(operand: &Operand) -> String {
    let column = format!("t{}.{}", operand.up, operand.field.column);
    match operand.part {
        Some(part) => date_part(part, &column),
        None => column,
    }
}

fn date_part(part: Part, column: &str) -> String {
    let day = format!("substr({column}, 1, 10)");
    let number = |format: &str| format!("CAST(strftime('{format}', {day}) AS INTEGER)");
    match part {
        Part::Year | Part::FiscalYear => number("%Y"),
        Part::Month | Part::FiscalMonth => number("%m"),
        Part::Quarter | Part::FiscalQuarter => format!("(({} + 2) / 3)", number("%m")),
        Part::DayInMonth => number("%d"),
        Part::DayInWeek => format!("({} + 1)", number("%w")),
        Part::DayInYear => number("%j"),
        Part::WeekInMonth => format!("(({} + 6) / 7)", number("%d")),
        Part::WeekInYear => format!("(({} + 6) / 7)", number("%j")),
        Part::Day => day,
        Part::Hour => format!("CAST(substr({column}, 12, 2) AS INTEGER)"),
    }
}

/// Text as it is compared.
fn folded(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Text | Kind::Picklist | Kind::Tags => format!("fold({text})"),
        _ => text.to_owned(),
    }
}

fn condition<S>(condition_: &Condition<S>, deleted: bool, test: &dyn Fn(&S, &Test, bool) -> String) -> String {
    let all = |terms: &[Condition<S>], word: &str| {
        let terms: Vec<String> = terms.iter().map(|term| format!("({})", condition(term, deleted, test))).collect();
        terms.join(word)
    };
    match condition_ {
        Condition::All(terms) => all(terms, " AND "),
        Condition::Any(terms) => all(terms, " OR "),
        Condition::Not(term) => format!("NOT ({})", condition(term, deleted, test)),
        Condition::Test(subject, found) => test(subject, found, deleted),
    }
}

fn tested(subject: &Operand, test: &Test, deleted: bool) -> String {
    test_of(subject.kind(), &operand(subject), test, deleted)
}

fn test_of(kind: Kind, column: &str, test: &Test, deleted: bool) -> String {
    let left = folded(kind, column);
    match test {
        Test::Compare("=", Literal::Null) => format!("{column} IS NULL"),
        Test::Compare("!=", Literal::Null) => format!("{column} IS NOT NULL"),
        Test::Compare(_, Literal::Null) => "0".to_owned(),
        Test::Compare(operator, Literal::Span { start, end, .. }) => {
            let day = if kind == Kind::DateTime { format!("substr({column}, 1, 10)") } else { column.to_owned() };
            match *operator {
                "=" => format!("COALESCE({day} >= {start} AND {day} < {end}, 0)"),
                "!=" => format!("COALESCE({day} < {start} OR {day} >= {end}, 1)"),
                "<" => format!("COALESCE({day} < {start}, 0)"),
                "<=" => format!("COALESCE({day} < {end}, 0)"),
                ">" => format!("COALESCE({day} >= {end}, 0)"),
                _ => format!("COALESCE({day} >= {start}, 0)"),
            }
        }
        Test::Compare("!=", value) => format!("COALESCE({left} <> {}, 1)", literal(kind, value)),
        Test::Compare(operator, value) => format!("COALESCE({left} {operator} {}, 0)", literal(kind, value)),
        Test::Like(pattern) => format!("COALESCE(fold({column}) LIKE '{}' ESCAPE '\\', 0)", like(pattern)),
        Test::In { values, negated } => {
            let known = values.iter().filter(|value| !matches!(value, Literal::Null));
            let known: Vec<String> = known.map(|value| literal(kind, value)).collect();
            let null = if known.len() < values.len() { format!(" OR {column} IS NULL") } else { String::new() };
            let found = format!("COALESCE({left} IN ({}), 0){null}", known.join(", "));
            if *negated { format!("NOT ({found})") } else { format!("({found})") }
        }
        Test::Includes { alternatives, negated } => {
            let has = |value: &&str| format!("instr(';' || fold({column}) || ';', ';{};') > 0", value.to_lowercase());
            let all = |list: &Vec<&'static str>| list.iter().map(has).collect::<Vec<_>>().join(" AND ");
            let any: Vec<String> = alternatives.iter().map(|list| format!("({})", all(list))).collect();
            let found = format!("COALESCE({}, 0)", any.join(" OR "));
            if *negated { format!("NOT {found}") } else { found }
        }
        Test::Join { table, field, filter, negated } => {
            let scope = if deleted { "1" } else { "t0.deleted = 0" };
            let filter = filter.as_ref().map_or("1".to_owned(), |filter| condition(filter, deleted, &tested));
            let held = format!("t0.{}", field.column);
            let inner =
                format!("SELECT {held} {} WHERE {scope} AND {held} IS NOT NULL AND ({filter})", tables(*table, "t"));
            let found = format!("COALESCE({column} IN ({inner}), 0)");
            if *negated { format!("NOT {found}") } else { found }
        }
    }
}

fn literal(kind: Kind, literal: &Literal) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match literal {
        Literal::Null => "NULL".to_owned(),
        Literal::Text(text) => folded(kind, &quoted(text)),
        Literal::Int(number) | Literal::Cents(number) => number.to_string(),
        Literal::Bool(value) => i64::from(*value).to_string(),
        Literal::Date(text) | Literal::DateTime(text) | Literal::Id(text) => quoted(text),
        Literal::Span { .. } => "NULL".to_owned(),
    }
}

fn like(pattern: &[Wild]) -> String {
    let part = |wild: &Wild| match wild {
        Wild::Any => "%".to_owned(),
        Wild::One => "_".to_owned(),
        Wild::Char('\'') => "''".to_owned(),
        Wild::Char(c @ ('%' | '_' | '\\')) => format!("\\{c}"),
        Wild::Char(c) => c.to_lowercase().to_string(),
    };
    pattern.iter().map(part).collect()
}

/// The place of a picklist's value.
fn rank(column: &str) -> String {
    let places = PICKLIST.iter().enumerate();
    let places: Vec<String> =
        places.map(|(place, value)| format!("WHEN '{}' THEN {place}", value.to_lowercase())).collect();
    format!(
        "CASE WHEN {column} IS NULL THEN NULL ELSE CASE fold({column}) {} ELSE {} END END",
        places.join(" "),
        PICKLIST.len()
    )
}

fn key<S>(order: &Order<S>, by: &str, is_parent: bool) -> String {
    let direction = if order.descending { "DESC" } else { "ASC" };
    let nulls = if order.nulls_last && !is_parent { "LAST" } else { "FIRST" };
    format!("{by} {direction} NULLS {nulls}")
}

fn record_key(order: &Order<Operand>) -> String {
    let column = operand(&order.by);
    let by = if order.by.kind() == Kind::Picklist { rank(&column) } else { folded(order.by.kind(), &column) };
    key(order, &by, order.by.up > 0)
}

fn measure(measure: &Measure) -> String {
    let (column, kind) = (operand(&measure.of), measure.of.kind());
    let value = if kind == Kind::Picklist { rank(&column) } else { folded(kind, &column) };
    match measure.function {
        Function::Count => format!("COUNT({column})"),
        Function::CountDistinct => format!("COUNT(DISTINCT {})", folded(kind, &column)),
        Function::Sum => format!("SUM({column})"),
        Function::Average => {
            format!("average(SUM({column}), COUNT({column}), {})", if kind == Kind::Cents { 2 } else { 0 })
        }
        Function::Least => format!("MIN({value})"),
        Function::Most => format!("MAX({value})"),
    }
}

/// What a measure comes out as.
pub(super) fn measured(measure: &Measure) -> Kind {
    match measure.function {
        Function::Count | Function::CountDistinct => Kind::Int,
        _ => measure.of.kind(),
    }
}

/// One SELECT for each kind of subtotal, and over them HAVING and ORDER BY.
fn grouped(question: &Question, groups: &Groups) -> String {
    let keys = groups.keys.len();
    let sets: Vec<usize> = match groups.totals {
        Totals::None => vec![(1 << keys) - 1],
        Totals::Rollup => (0..=keys).map(|count| (1 << count) - 1).collect(),
        Totals::Cube => (0..1 << keys).collect(),
    };
    let parts: Vec<String> = sets.iter().map(|set| grouped_by(question, groups, *set)).collect();
    let mut columns = Vec::new();
    let mut order: Vec<String> = groups.order.iter().map(|order| item_key(groups, order)).collect();
    for (index, found) in groups.keys.iter().enumerate() {
        columns.push(format!("k{index}"));
        if is_totalled(groups, found) {
            columns.push(format!("g{index}"));
        }
        order.push(format!("g{index}"));
        order.push(format!("k{index} ASC NULLS FIRST"));
    }
    columns.extend((0..groups.measures.len()).map(|index| format!("m{index}")));
    order.push("1".to_owned());
    let having = groups.having.as_ref().map_or("1".to_owned(), |having| {
        condition(having, false, &|item: &Item, test, deleted| {
            let (kind, column) = match item {
                Item::Key(index) => (groups.keys[*index].kind(), format!("k{index}")),
                Item::Measure(index) => (measured(&groups.measures[*index]), format!("m{index}")),
            };
            test_of(kind, &column, test, deleted)
        })
    });
    format!(
        "SELECT {} FROM ({}) WHERE {having} ORDER BY {} {}",
        columns.join(", "),
        parts.join(" UNION ALL "),
        order.join(", "),
        window(question)
    )
}

fn grouped_by(question: &Question, groups: &Groups, set: usize) -> String {
    let mut columns = Vec::new();
    let mut by = Vec::new();
    for (index, found) in groups.keys.iter().enumerate() {
        let counts = set & (1 << index) != 0;
        let value = folded(found.kind(), &operand(found));
        columns.push(format!("{} AS k{index}", if counts { &value } else { "NULL" }));
        columns.push(format!("{} AS g{index}", i64::from(!counts)));
        if counts {
            by.push(value);
        }
    }
    columns.extend(groups.measures.iter().enumerate().map(|(index, found)| format!("{} AS m{index}", measure(found))));
    let by = match (by.is_empty(), groups.keys.is_empty()) {
        // Without GROUP BY there is always one row; a grand total needs rows.
        (true, true) => String::new(),
        (true, false) => " HAVING COUNT(*) > 0".to_owned(),
        (false, _) => format!(" GROUP BY {}", by.join(", ")),
    };
    format!("SELECT {} {}{by}", columns.join(", "), from(question))
}

fn item_key(groups: &Groups, order: &Order<Item>) -> String {
    match order.by {
        Item::Key(index) if groups.keys[index].kind() == Kind::Picklist => {
            key(order, &rank(&format!("k{index}")), false)
        }
        Item::Key(index) => key(order, &format!("k{index}"), false),
        Item::Measure(index) => key(order, &format!("m{index}"), false),
    }
}
