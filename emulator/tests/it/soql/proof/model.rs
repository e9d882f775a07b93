//! Questions about shops: what can be asked, apart from how either language writes it.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Text whose case counts.
    Code,
    /// One of [`PICKLIST`], in this order.
    Picklist,
    /// Some of [`TAGS`].
    Tags,
    Int,
    /// An amount with two digits behind the point; hundredths in SQLite.
    Cents,
    Bool,
    Date,
    DateTime,
    Id,
    Reference,
}

pub(super) const PICKLIST: [&str; 4] = ["north", "South", "east", "West"];
pub(super) const TAGS: [&str; 3] = ["Blue", "Red", "green"];

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub name: &'static str,
    pub column: &'static str,
    pub kind: Kind,
}

/// An object and the table that stands for it.
#[derive(Debug)]
pub(super) struct Table {
    pub object: &'static str,
    pub table: &'static str,
    pub fields: &'static [Field],
    /// The relationship to the table before, and its column.
    pub parent: Option<(&'static str, &'static str)>,
    /// The field that holds it.
    pub reference: Option<&'static str>,
    /// The relationship from the table before.
    pub children: Option<&'static str>,
}

const fn field(name: &'static str, column: &'static str, kind: Kind) -> Field {
    Field { name, column, kind }
}

pub(super) const TABLES: [Table; 3] = [
    Table {
        object: "Region__c",
        table: "region",
        fields: &[
            field("Id", "id", Kind::Id),
            field("Name", "name", Kind::Text),
            field("Code__c", "code", Kind::Code),
            field("Rank__c", "rank", Kind::Int),
            field("Area__c", "area", Kind::Cents),
            field("Opened__c", "opened", Kind::Date),
            field("Active__c", "active", Kind::Bool),
            field("Kind__c", "kind", Kind::Picklist),
        ],
        parent: None,
        reference: None,
        children: None,
    },
    Table {
        object: "Shop__c",
        table: "shop",
        fields: &[
            field("Id", "id", Kind::Id),
            field("Name", "name", Kind::Text),
            field("Region__c", "region", Kind::Reference),
            field("Label__c", "label", Kind::Text),
            field("Size__c", "size", Kind::Int),
            field("Turnover__c", "turnover", Kind::Cents),
            field("Founded__c", "founded", Kind::Date),
            field("Visited__c", "visited", Kind::DateTime),
            field("Kind__c", "kind", Kind::Picklist),
            field("Tags__c", "tags", Kind::Tags),
            field("Open__c", "open", Kind::Bool),
        ],
        parent: Some(("Region__r", "region")),
        reference: Some("Region__c"),
        children: Some("Shops__r"),
    },
    Table {
        object: "Sale__c",
        table: "sale",
        fields: &[
            field("Id", "id", Kind::Id),
            field("Name", "name", Kind::Text),
            field("Shop__c", "shop", Kind::Reference),
            field("Amount__c", "amount", Kind::Cents),
            field("Count__c", "count", Kind::Int),
            field("Sold__c", "sold", Kind::DateTime),
            field("Note__c", "note", Kind::Text),
            field("Paid__c", "paid", Kind::Bool),
        ],
        parent: Some(("Shop__r", "shop")),
        reference: Some("Shop__c"),
        children: Some("Sales__r"),
    },
];

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Quarter,
    Month,
    DayInMonth,
    DayInWeek,
    DayInYear,
    WeekInMonth,
    WeekInYear,
    FiscalYear,
    FiscalQuarter,
    FiscalMonth,
    Day,
    Hour,
}

/// A field of a row, or of a row above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Operand {
    /// Relationships that are climbed.
    pub up: usize,
    pub field: &'static Field,
    pub part: Option<Part>,
}

impl Operand {
    pub(super) fn kind(&self) -> Kind {
        match self.part {
            None => self.field.kind,
            Some(Part::Day) => Kind::Date,
            Some(_) => Kind::Int,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Literal {
    Null,
    Text(String),
    Int(i64),
    Cents(i64),
    Bool(bool),
    Date(String),
    /// In UTC, to the second: `2026-11-21T10:00:00`.
    DateTime(String),
    Id(String),
    /// A date literal, and its first day and the day behind its last as SQLite computes them.
    Span {
        soql: String,
        start: String,
        end: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wild {
    Any,
    One,
    Char(char),
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Compare(&'static str, Literal),
    Like(Vec<Wild>),
    In {
        values: Vec<Literal>,
        negated: bool,
    },
    Includes {
        alternatives: Vec<Vec<&'static str>>,
        negated: bool,
    },
    /// The ids that a field of another table holds.
    Join {
        table: usize,
        field: &'static Field,
        filter: Option<Box<Condition<Operand>>>,
        negated: bool,
    },
}

/// `S` is what its tests look at.
#[derive(Clone, Debug)]
pub(super) enum Condition<S> {
    All(Vec<Condition<S>>),
    Any(Vec<Condition<S>>),
    Not(Box<Condition<S>>),
    Test(S, Test),
}

#[derive(Clone, Debug)]
pub(super) struct Order<S> {
    pub by: S,
    pub descending: bool,
    pub nulls_last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Count,
    CountDistinct,
    Sum,
    Average,
    Least,
    Most,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measure {
    pub function: Function,
    pub of: Operand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Totals {
    None,
    Rollup,
    Cube,
}

/// A key or a measure, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Key(usize),
    Measure(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Groups {
    pub keys: Vec<Operand>,
    pub totals: Totals,
    pub measures: Vec<Measure>,
    pub having: Option<Condition<Item>>,
    pub order: Vec<Order<Item>>,
}

#[derive(Clone, Debug)]
pub(super) enum Shape {
    Count,
    Records { columns: Vec<Operand>, order: Vec<Order<Operand>>, children: Option<Box<Question>> },
    Groups(Groups),
}

#[derive(Clone, Debug)]
pub(super) struct Question {
    pub table: usize,
    pub shape: Shape,
    pub filter: Option<Condition<Operand>>,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
    /// Whether rows in the recycle bin count.
    pub deleted: bool,
}
