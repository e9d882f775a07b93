//! Random questions.

use super::model::{
    Condition, Field, Function, Groups, Item, Kind, Literal, Measure, Operand, Order, PICKLIST, Part, Question, Shape,
    TABLES, TAGS, Test, Totals, Wild,
};
use super::sql::measured;

/// A splitmix64 sequence.
pub(super) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(super) fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

pub(super) const TEXTS: [&str; 14] = [
    "alpha",
    "Alpha",
    "ALPHABET",
    "beta",
    "Beta_1",
    "100%",
    "O'Brien",
    "back\\slash",
    "Ärger",
    "äRGER",
    "straße",
    "日本",
    "two words",
    "line\nbreak",
];
/// Days around the end of a year, a leap day, and around the moment at which questions are asked.
pub(super) const DAYS: [&str; 16] = [
    "2023-12-31",
    "2024-01-01",
    "2024-02-29",
    "2024-03-01",
    "2025-06-30",
    "2025-07-01",
    "2025-11-21",
    "2025-12-31",
    "2026-01-01",
    "2026-10-31",
    "2026-11-01",
    "2026-11-15",
    "2026-11-20",
    "2026-11-21",
    "2026-11-22",
    "2027-01-01",
];
pub(super) const TIMES: [&str; 4] = ["00:00:00", "09:30:15", "12:00:00", "23:59:59"];

/// Makes questions about what there is.
pub(super) struct Asker<'r> {
    pub random: &'r mut Random,
    /// The ids of each table's rows.
    pub ids: &'r [Vec<String>],
}

impl Asker<'_> {
    pub(super) fn question(&mut self) -> Question {
        let table = self.random.below(3);
        let shape = match self.random.below(10) {
            0 => Shape::Count,
            1..=4 => Shape::Groups(self.groups(table)),
            _ => self.records(table),
        };
        let has_window = !matches!(&shape, Shape::Groups(groups) if groups.keys.is_empty());
        let filter = if self.random.one_in(5) { None } else { Some(self.where_clause(table)) };
        Question {
            table,
            shape,
            filter,
            limit: (has_window && self.random.one_in(3)).then(|| self.random.below(40) as u64),
            offset: (has_window && self.random.one_in(6)).then(|| self.random.below(20) as u64),
            deleted: self.random.one_in(3),
        }
    }

    fn records(&mut self, table: usize) -> Shape {
        let columns = self.columns(table);
        let order = self.record_order(table);
        let has_children = table < 2 && self.random.one_in(2);
        let children = has_children.then(|| Box::new(self.children(table + 1)));
        Shape::Records { columns, order, children }
    }

    fn children(&mut self, table: usize) -> Question {
        let deeper = table < 2 && self.random.one_in(2);
        let shape = Shape::Records {
            columns: self.columns(table),
            order: self.record_order(table),
            children: deeper.then(|| Box::new(self.children(table + 1))),
        };
        let filter = if self.random.one_in(2) { None } else { Some(self.where_clause(table)) };
        let limit = self.random.one_in(3).then(|| self.random.below(6) as u64);
        Question { table, shape, filter, limit, offset: None, deleted: false }
    }

    fn columns(&mut self, table: usize) -> Vec<Operand> {
        let mut columns: Vec<Operand> = Vec::new();
        for _ in 0..=self.random.below(4) {
            let column = Operand { part: None, ..self.operand(table, |_| true) };
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns
    }

    fn record_order(&mut self, table: usize) -> Vec<Order<Operand>> {
        let keys = [0, 1, 1, 2, 3][self.random.below(5)];
        (0..keys)
            .map(|_| {
                let by = Operand { part: None, ..self.operand(table, |kind| kind != Kind::Tags) };
                self.order(by)
            })
            .collect()
    }

    fn order<S>(&mut self, by: S) -> Order<S> {
        Order { by, descending: self.random.one_in(2), nulls_last: self.random.one_in(3) }
    }

    /// A field of the table or of one above it, or a part of a date.
    fn operand(&mut self, table: usize, wanted: impl Fn(Kind) -> bool) -> Operand {
        loop {
            let up = if self.random.one_in(3) { self.random.below(table + 1) } else { 0 };
            let field = self.random.of(TABLES[table - up].fields);
            let part = match field.kind {
                Kind::Date | Kind::DateTime if self.random.one_in(2) => Some(self.part(field.kind)),
                _ => None,
            };
            let operand = Operand { up, field, part };
            if wanted(operand.kind()) {
                return operand;
            }
        }
    }

    fn part(&mut self, kind: Kind) -> Part {
        let parts = [
            Part::Year,
            Part::Quarter,
            Part::Month,
            Part::DayInMonth,
            Part::DayInWeek,
            Part::DayInYear,
            Part::WeekInMonth,
            Part::WeekInYear,
            Part::FiscalYear,
            Part::FiscalQuarter,
            Part::FiscalMonth,
            Part::Day,
            Part::Hour,
        ];
        let known = if kind == Kind::DateTime { parts.len() } else { parts.len() - 2 };
        *self.random.of(&parts[..known])
    }

    /// A condition that may hold joins at its top.
    fn where_clause(&mut self, table: usize) -> Condition<Operand> {
        let mut terms = vec![self.condition(table, 3)];
        while terms.len() < 3 && self.random.one_in(3) {
            let Some(join) = self.join(table) else { break };
            terms.push(join);
        }
        if terms.len() == 1 { terms.remove(0) } else { Condition::All(terms) }
    }

    fn condition(&mut self, table: usize, depth: usize) -> Condition<Operand> {
        let terms = |asker: &mut Self| {
            let count = 2 + asker.random.below(2);
            (0..count).map(|_| asker.condition(table, depth - 1)).collect()
        };
        match self.random.below(if depth == 0 { 1 } else { 5 }) {
            1 => Condition::All(terms(self)),
            2 => Condition::Any(terms(self)),
            3 => Condition::Not(Box::new(self.condition(table, depth - 1))),
            _ => {
                let subject = self.operand(table, |_| true);
                let test = self.test(subject.kind(), subject.field);
                Condition::Test(subject, test)
            }
        }
    }

    fn join(&mut self, table: usize) -> Option<Condition<Operand>> {
        // A reference is looked up among the ids of its table, an id among the references to it.
        let by_reference = table > 0 && self.random.one_in(2);
        let (subject, other, held) = if by_reference {
            (TABLES[table].reference?, table - 1, "Id")
        } else {
            let other = (table + 1 < TABLES.len()).then_some(table + 1)?;
            ("Id", other, TABLES[other].reference?)
        };
        let field = |table: usize, name: &str| TABLES[table].fields.iter().find(|field| field.name == name);
        let filter = self.random.one_in(2).then(|| Box::new(self.condition(other, 1)));
        let negated = self.random.one_in(2);
        let join = Test::Join { table: other, field: field(other, held)?, filter, negated };
        Some(Condition::Test(Operand { up: 0, field: field(table, subject)?, part: None }, join))
    }

    fn test(&mut self, kind: Kind, field: &Field) -> Test {
        let is_text = matches!(kind, Kind::Text | Kind::Code | Kind::Picklist);
        match self.random.below(6) {
            0 if kind == Kind::Tags => Test::Includes { alternatives: self.alternatives(), negated: false },
            1..=3 if kind == Kind::Tags => Test::Includes { alternatives: self.alternatives(), negated: true },
            0 if is_text && kind != Kind::Code => Test::Like(self.pattern()),
            1 => {
                let count = 1 + self.random.below(4);
                let values = (0..count).map(|_| self.value(kind, field)).collect();
                Test::In { values, negated: self.random.one_in(2) }
            }
            _ => {
                let is_ordered = !matches!(kind, Kind::Bool | Kind::Tags);
                let operators = ["=", "!=", "<", "<=", ">", ">="];
                let operator = *self.random.of(&operators[..if is_ordered { 6 } else { 2 }]);
                let is_date = matches!(kind, Kind::Date | Kind::DateTime);
                let value = if is_date && self.random.one_in(3) { self.span() } else { self.value(kind, field) };
                Test::Compare(operator, value)
            }
        }
    }

    fn value(&mut self, kind: Kind, field: &Field) -> Literal {
        if self.random.one_in(8) {
            return Literal::Null;
        }
        match kind {
            Kind::Text if field.name == "Name" => {
                Literal::Text(format!("{} {}", self.random.of(&TEXTS), self.random.below(8)))
            }
            Kind::Text => Literal::Text((*self.random.of(&TEXTS)).to_owned()),
            Kind::Code => {
                let code = format!("c{}", self.random.below(8));
                Literal::Text(if self.random.one_in(2) { code.to_uppercase() } else { code })
            }
            Kind::Picklist => {
                let value = *self.random.of(&PICKLIST);
                Literal::Text(if self.random.one_in(2) { value.to_uppercase() } else { value.to_owned() })
            }
            Kind::Tags => Literal::Text((*self.random.of(&TAGS)).to_owned()),
            Kind::Int => Literal::Int(self.random.below(13) as i64 - 4),
            Kind::Cents => Literal::Cents(self.random.below(41) as i64 * 25 - 300),
            Kind::Bool => Literal::Bool(self.random.one_in(2)),
            Kind::Date => Literal::Date((*self.random.of(&DAYS)).to_owned()),
            Kind::DateTime => Literal::DateTime(format!("{}T{}", self.random.of(&DAYS), self.random.of(&TIMES))),
            Kind::Id | Kind::Reference => {
                let table = TABLES.iter().position(|table| table.fields.iter().any(|known| std::ptr::eq(known, field)));
                let table = table.unwrap_or(0).saturating_sub(usize::from(kind == Kind::Reference));
                Literal::Id(self.random.of(&self.ids[table]).clone())
            }
        }
    }

    fn alternatives(&mut self) -> Vec<Vec<&'static str>> {
        let count = 1 + self.random.below(2);
        let list = |asker: &mut Self| {
            let values = 1 + asker.random.below(2);
            (0..values).map(|_| *asker.random.of(&TAGS)).collect()
        };
        (0..count).map(|_| list(self)).collect()
    }

    /// A pattern that fits some text: pieces of it are replaced.
    fn pattern(&mut self) -> Vec<Wild> {
        let text = *self.random.of(&TEXTS);
        let mut pattern = Vec::new();
        for c in text.chars() {
            match self.random.below(6) {
                0 => pattern.push(Wild::Any),
                1 => pattern.push(Wild::One),
                _ => pattern.push(Wild::Char(c)),
            }
        }
        if self.random.one_in(2) {
            pattern.push(Wild::Any);
        }
        pattern
    }

    /// A date literal, with its days as SQLite counts them from 2026-11-21.
    fn span(&mut self) -> Literal {
        let n = 1 + self.random.below(14);
        let date = |modifiers: &str| format!("date('2026-11-21'{modifiers})");
        let of = |soql: &str, start: &str, end: &str| Literal::Span {
            soql: soql.to_owned(),
            start: date(start),
            end: date(end),
        };
        let (month, year) = (", 'start of month'", ", 'start of year'");
        // Two weeks back to the Saturday, on to the Sunday of this week.
        let week = ", '-6 days', 'weekday 0'";
        match self.random.below(16) {
            0 => of("TODAY", "", ", '+1 day'"),
            1 => of("YESTERDAY", ", '-1 day'", ""),
            2 => of("TOMORROW", ", '+1 day'", ", '+2 days'"),
            3 => of(&format!("LAST_N_DAYS:{n}"), &format!(", '-{} days'", n - 1), ", '+1 day'"),
            4 => of(&format!("NEXT_N_DAYS:{n}"), ", '+1 day'", &format!(", '+{} days'", n + 1)),
            5 => of(&format!("N_DAYS_AGO:{n}"), &format!(", '-{n} days'"), &format!(", '-{} days'", n - 1)),
            6 => of("THIS_MONTH", month, &format!("{month}, '+1 month'")),
            7 => of("LAST_MONTH", &format!("{month}, '-1 month'"), month),
            8 => of(&format!("LAST_N_MONTHS:{n}"), &format!("{month}, '-{n} months'"), month),
            9 => of(
                &format!("NEXT_N_MONTHS:{n}"),
                &format!("{month}, '+1 month'"),
                &format!("{month}, '+{} months'", n + 1),
            ),
            10 => of("THIS_YEAR", year, &format!("{year}, '+1 year'")),
            11 => of("LAST_FISCAL_YEAR", &format!("{year}, '-1 year'"), year),
            12 => of(
                &format!("N_YEARS_AGO:{}", n % 4),
                &format!("{year}, '-{} years'", n % 4),
                &format!("{year}, '-{} years', '+1 year'", n % 4),
            ),
            13 => of("THIS_WEEK", week, &format!("{week}, '+7 days'")),
            14 => of(&format!("LAST_N_WEEKS:{n}"), &format!("{week}, '-{} days'", 7 * n), week),
            // The quarter around November began two months after the middle of the year.
            _ => of("THIS_QUARTER", &format!("{year}, '+9 months'"), &format!("{year}, '+12 months'")),
        }
    }

    fn groups(&mut self, table: usize) -> Groups {
        let keys = self.keys(table);
        let measures: Vec<Measure> = (0..1 + self.random.below(3)).map(|_| self.measure(table)).collect();
        let totals = match self.random.below(4) {
            0 if !keys.is_empty() => Totals::Rollup,
            1 if !keys.is_empty() => Totals::Cube,
            _ => Totals::None,
        };
        let has_having = !keys.is_empty() && self.random.one_in(3);
        let mut groups = Groups { keys, totals, measures, having: None, order: Vec::new() };
        if has_having {
            groups.having = self.having(&groups, 2);
        }
        for _ in 0..self.random.below(3) {
            if !groups.keys.is_empty() {
                let by = self.item(&groups);
                groups.order.push(self.order(by));
            }
        }
        groups
    }

    fn keys(&mut self, table: usize) -> Vec<Operand> {
        let mut keys: Vec<Operand> = Vec::new();
        for _ in 0..self.random.below(4) {
            // Amounts and times are no keys, but parts of times are.
            let key = self.operand(table, |kind| kind != Kind::Tags && kind != Kind::DateTime && kind != Kind::Cents);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    fn measure(&mut self, table: usize) -> Measure {
        let functions = [
            Function::Count,
            Function::CountDistinct,
            Function::Sum,
            Function::Average,
            Function::Least,
            Function::Most,
        ];
        let function = *self.random.of(&functions);
        let is_number = |kind| matches!(kind, Kind::Int | Kind::Cents);
        loop {
            let of = self.operand(table, |kind| kind != Kind::Bool && kind != Kind::Tags);
            let fits = !matches!(function, Function::Sum | Function::Average) || is_number(of.kind());
            if of.part.is_none() && fits {
                return Measure { function, of };
            }
        }
    }

    fn item(&mut self, groups: &Groups) -> Item {
        if self.random.one_in(2) {
            return Item::Key(self.random.below(groups.keys.len()));
        }
        Item::Measure(self.random.below(groups.measures.len()))
    }

    fn having(&mut self, groups: &Groups, depth: usize) -> Option<Condition<Item>> {
        match self.random.below(if depth == 0 { 1 } else { 4 }) {
            1 => Some(Condition::All(vec![self.having(groups, depth - 1)?, self.having(groups, depth - 1)?])),
            2 => Some(Condition::Any(vec![self.having(groups, depth - 1)?, self.having(groups, depth - 1)?])),
            3 => Some(Condition::Not(Box::new(self.having(groups, depth - 1)?))),
            _ => {
                let item = self.item(groups);
                let (kind, field) = match item {
                    Item::Key(index) => (groups.keys[index].kind(), groups.keys[index].field),
                    Item::Measure(index) => {
                        let measure = &groups.measures[index];
                        // The place of a picklist's value is compared by no literal, nor is an average by hundredths.
                        if measured(measure) == Kind::Picklist || measure.function == Function::Average {
                            return None;
                        }
                        (measured(measure), measure.of.field)
                    }
                };
                Some(Condition::Test(item, self.test(kind, field)))
            }
        }
    }
}
