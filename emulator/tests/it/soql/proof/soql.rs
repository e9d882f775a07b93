//! Questions in SOQL. Case and blanks vary: they mean nothing.

use super::ask::Random;
use super::model::{
    Condition, Function, Groups, Item, Literal, Measure, Operand, Order, Part, Question, Shape, TABLES, Test, Totals,
    Wild,
};

/// Writes one question.
pub(super) struct Soql<'r> {
    random: &'r mut Random,
}

impl<'r> Soql<'r> {
    pub(super) fn new(random: &'r mut Random) -> Self {
        Self { random }
    }

    pub(super) fn question(&mut self, question: &Question) -> String {
        self.query(question, TABLES[question.table].object)
    }

    fn query(&mut self, question: &Question, from: &str) -> String {
        let select = match &question.shape {
            Shape::Count => "COUNT()".to_owned(),
            Shape::Records { columns, children, .. } => {
                let mut list: Vec<String> = columns.iter().map(|column| self.operand(question.table, column)).collect();
                if let Some(children) = children {
                    let relationship = TABLES[children.table].children.unwrap();
                    list.push(format!("({})", self.query(children, relationship)));
                }
                list.join(", ")
            }
            Shape::Groups(groups) => self.group_list(question.table, groups),
        };
        let mut text = format!("{} {select} {} {}", self.word("SELECT"), self.word("FROM"), self.word(from));
        if let Some(filter) = &question.filter {
            text += &format!(" {} {}", self.word("WHERE"), self.condition(question.table, filter));
        }
        match &question.shape {
            Shape::Count => {}
            Shape::Records { order, .. } => {
                text += &self.order(order, |soql, by| soql.operand(question.table, by));
            }
            Shape::Groups(groups) => text += &self.groups(question.table, groups),
        }
        if let Some(limit) = question.limit {
            text += &format!(" {} {limit}", self.word("LIMIT"));
        }
        if let Some(offset) = question.offset {
            text += &format!(" {} {offset}", self.word("OFFSET"));
        }
        text
    }

    /// A word in some case.
    fn word(&mut self, word: &str) -> String {
        match self.random.below(6) {
            0 => word.to_lowercase(),
            1 => word.to_uppercase(),
            _ => word.to_owned(),
        }
    }

    fn operand(&mut self, table: usize, operand: &Operand) -> String {
        let mut path = String::new();
        for level in 0..operand.up {
            path += TABLES[table - level].parent.unwrap().0;
            path.push('.');
        }
        path += operand.field.name;
        let path = self.word(&path);
        match operand.part {
            Some(part) => format!("{}({path})", self.word(function(part))),
            None => path,
        }
    }

    fn condition(&mut self, table: usize, condition: &Condition<Operand>) -> String {
        self.tree(condition, &mut |soql, subject, test| {
            let subject = soql.operand(table, subject);
            soql.test(&subject, test)
        })
    }

    fn tree<S>(&mut self, condition: &Condition<S>, test: &mut impl FnMut(&mut Self, &S, &Test) -> String) -> String {
        match condition {
            Condition::All(terms) | Condition::Any(terms) => {
                let word = if matches!(condition, Condition::All(_)) { "AND" } else { "OR" };
                let terms: Vec<String> = terms
                    .iter()
                    .map(|term| {
                        let text = self.tree(term, test);
                        if matches!(term, Condition::Test(..)) { text } else { format!("({text})") }
                    })
                    .collect();
                terms.join(&format!(" {} ", self.word(word)))
            }
            Condition::Not(term) => format!("{} ({})", self.word("NOT"), self.tree(term, test)),
            Condition::Test(subject, found) => test(self, subject, found),
        }
    }

    fn test(&mut self, subject: &str, test: &Test) -> String {
        match test {
            Test::Compare(operator, value) => format!("{subject} {operator} {}", self.literal(value)),
            Test::Like(pattern) => format!("{subject} {} '{}'", self.word("LIKE"), like(pattern)),
            Test::In { values, negated } => {
                let values: Vec<String> = values.iter().map(|value| self.literal(value)).collect();
                format!("{subject} {} ({})", self.word(if *negated { "NOT IN" } else { "IN" }), values.join(","))
            }
            Test::Includes { alternatives, negated } => {
                let lists: Vec<String> = alternatives.iter().map(|list| quoted(&list.join(";"))).collect();
                format!("{subject} {}({})", self.word(if *negated { "EXCLUDES" } else { "INCLUDES" }), lists.join(", "))
            }
            Test::Join { table, field, filter, negated } => {
                let filter = filter.as_ref().map(|filter| format!(" WHERE {}", self.condition(*table, filter)));
                let inner = format!("SELECT {} FROM {}", field.name, TABLES[*table].object);
                let operator = if *negated { "NOT IN" } else { "IN" };
                format!("{subject} {operator} ({inner}{})", filter.unwrap_or_default())
            }
        }
    }

    fn literal(&mut self, literal: &Literal) -> String {
        match literal {
            Literal::Null => self.word("null"),
            Literal::Text(text) => quoted(text),
            Literal::Int(number) => number.to_string(),
            Literal::Cents(cents) => {
                let sign = if *cents < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
            }
            Literal::Bool(value) => self.word(if *value { "TRUE" } else { "FALSE" }),
            Literal::Date(date) => date.clone(),
            Literal::DateTime(time) => match self.random.below(3) {
                0 => format!("{time}Z"),
                1 => format!("{time}.000+0000"),
                _ => format!("{time}-00:00"),
            },
            // The checksum is not needed.
            Literal::Id(id) => quoted(if self.random.below(2) == 0 { id } else { &id[..15] }),
            Literal::Span { soql, .. } => self.word(soql),
        }
    }

    fn order<S>(&mut self, order: &[Order<S>], mut by: impl FnMut(&mut Self, &S) -> String) -> String {
        let keys: Vec<String> = order
            .iter()
            .map(|key| {
                let mut text = by(self, &key.by);
                if key.descending {
                    text += " DESC";
                } else if self.random.below(2) == 0 {
                    text += " ASC";
                }
                if key.nulls_last {
                    text += " NULLS LAST";
                }
                text
            })
            .collect();
        if keys.is_empty() { String::new() } else { format!(" {} {}", self.word("ORDER BY"), keys.join(", ")) }
    }

    fn group_list(&mut self, table: usize, groups: &Groups) -> String {
        let mut list = Vec::new();
        for (index, key) in groups.keys.iter().enumerate() {
            list.push(format!("{} k{index}", self.operand(table, key)));
            if is_totalled(groups, key) {
                list.push(format!("GROUPING({}) g{index}", self.operand(table, key)));
            }
        }
        for (index, measure) in groups.measures.iter().enumerate() {
            list.push(format!("{} m{index}", self.measure(table, measure)));
        }
        list.join(", ")
    }

    fn measure(&mut self, table: usize, measure: &Measure) -> String {
        let name = match measure.function {
            Function::Count => "COUNT",
            Function::CountDistinct => "COUNT_DISTINCT",
            Function::Sum => "SUM",
            Function::Average => "AVG",
            Function::Least => "MIN",
            Function::Most => "MAX",
        };
        format!("{}({})", self.word(name), self.operand(table, &measure.of))
    }

    fn groups(&mut self, table: usize, groups: &Groups) -> String {
        let mut text = String::new();
        let keys: Vec<String> = groups.keys.iter().map(|key| self.operand(table, key)).collect();
        match groups.totals {
            _ if keys.is_empty() => {}
            Totals::None => text += &format!(" GROUP BY {}", keys.join(", ")),
            Totals::Rollup => text += &format!(" GROUP BY ROLLUP({})", keys.join(", ")),
            Totals::Cube => text += &format!(" group by cube ({})", keys.join(", ")),
        }
        if let Some(having) = &groups.having {
            let having = self.tree(having, &mut |soql, item, test| {
                let subject = soql.item(table, groups, *item);
                soql.test(&subject, test)
            });
            text += &format!(" HAVING {having}");
        }
        text + &self.order(&groups.order, |soql, item| soql.item(table, groups, *item))
    }

    /// A key or a measure, as it is written or by its alias.
    fn item(&mut self, table: usize, groups: &Groups, item: Item) -> String {
        let by_alias = self.random.below(2) == 0;
        match item {
            Item::Key(index) if by_alias => format!("k{index}"),
            Item::Measure(index) if by_alias => format!("m{index}"),
            Item::Key(index) => self.operand(table, &groups.keys[index]),
            Item::Measure(index) => self.measure(table, &groups.measures[index]),
        }
    }
}

/// Whether GROUPING() is asked of a key.
pub(super) fn is_totalled(groups: &Groups, key: &Operand) -> bool {
    groups.totals != Totals::None && key.part.is_none()
}

fn function(part: Part) -> &'static str {
    match part {
        Part::Year => "CALENDAR_YEAR",
        Part::Quarter => "CALENDAR_QUARTER",
        Part::Month => "CALENDAR_MONTH",
        Part::DayInMonth => "DAY_IN_MONTH",
        Part::DayInWeek => "DAY_IN_WEEK",
        Part::DayInYear => "DAY_IN_YEAR",
        Part::WeekInMonth => "WEEK_IN_MONTH",
        Part::WeekInYear => "WEEK_IN_YEAR",
        Part::FiscalYear => "FISCAL_YEAR",
        Part::FiscalQuarter => "FISCAL_QUARTER",
        Part::FiscalMonth => "FISCAL_MONTH",
        Part::Day => "DAY_ONLY",
        Part::Hour => "HOUR_IN_DAY",
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")
}

fn like(pattern: &[Wild]) -> String {
    let part = |wild: &Wild| match wild {
        Wild::Any => "%".to_owned(),
        Wild::One => "_".to_owned(),
        Wild::Char(c @ ('%' | '_')) => format!("\\{c}"),
        Wild::Char(c) => escaped(&c.to_string()),
    };
    pattern.iter().map(part).collect()
}
