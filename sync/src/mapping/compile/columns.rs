//! One column: what it is made of, what becomes of its values, and every reason why that cannot be.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use arrow_array::{ArrayRef, StringArray};
use salesforce::describe::{FieldDescribe, FieldType};

use super::{Compiling, Made, hash, problem};
use crate::{
    batch::ReadField,
    mapping::{
        ColumnMapping, Constant, MappingProblem, Misfitting, Other, Source, Target,
        cast::{Cast, is_possible},
        currency::Exchange,
        expression::{self, Computed, Expression, Flaw},
        make::{Fallback, Make, MakeSource, Step, Words},
        path::nearest,
        text::Format,
    },
    table::ColumnType,
};

/// What a column is made of.
struct Origin {
    source: MakeSource,
    kind: ColumnType,
    /// Of a field that the org describes.
    describe: Option<FieldDescribe>,
    /// In words.
    words: String,
    /// Every field that the values come from.
    fields: Vec<ReadField>,
}

impl Compiling<'_> {
    pub(super) fn add_column(&mut self, column: &ColumnMapping, place: &str) {
        let before = self.problems.len();
        if column.column.is_none() && column.path().is_none() {
            self.refuse(&format!("{place}.column"), "A column that is no field needs a name.");
        }
        let Some(origin) = self.origin(column, place) else { return };
        let target = column.target.unwrap_or_else(|| Target::from(origin.kind));
        if matches!(column.source, Source::Value(_)) {
            self.check_constant(column, place);
        }
        let steps = self.steps(column, &origin, target, place);
        let default = column.default.as_ref().and_then(|default| {
            let found = one_row(default, target, None).map_err(|message| problem(&format!("{place}.default"), message));
            self.kept(found)
        });
        if self.problems.len() > before {
            return;
        }
        let name = column.column.clone().unwrap_or_else(|| origin.words.replace('.', "_"));
        let make = Make {
            source: origin.source,
            steps,
            default,
            required: column.required,
            reject_misfits: column.on_misfit == Misfitting::Reject,
        };
        let print = print(column, &origin.fields, &make);
        let is_volatile = column.refresh.unwrap_or_else(|| self.is_volatile(&make));
        self.columns.push(Made {
            place: place.to_owned(),
            name,
            kind: target.column_type(),
            make,
            print,
            source: origin.words,
            is_volatile,
        });
    }

    fn origin(&mut self, column: &ColumnMapping, place: &str) -> Option<Origin> {
        match &column.source {
            Source::Field(path) => {
                let found = self.read(path, &format!("{place}.field"));
                let index = self.kept(found)?;
                let read = &self.reads[index];
                Some(Origin {
                    source: MakeSource::Field(index),
                    kind: read.field.kind,
                    describe: read.describe.clone(),
                    words: read.field.path.clone(),
                    fields: vec![read.field.clone()],
                })
            }
            Source::Value(constant) => {
                let kind = constant_kind(constant);
                let target = column.target.unwrap_or_else(|| Target::from(kind));
                let format = self.format(column, place);
                let row = one_row(constant, target, format.as_ref());
                let row = self.kept(row.map_err(|message| problem(&format!("{place}.value"), message)))?;
                Some(Origin {
                    source: MakeSource::Constant(row),
                    kind: target.column_type(),
                    describe: None,
                    words: format!("the constant {:?}", constant.text()),
                    fields: Vec::new(),
                })
            }
            Source::Compute(text) => {
                let place = format!("{place}.compute");
                let computed = self.computed(text, &place)?;
                Some(Origin {
                    kind: computed.expression.column_type(),
                    fields: computed.fields.iter().map(|field| self.reads[*field].field.clone()).collect(),
                    source: MakeSource::Computed(computed),
                    describe: None,
                    words: format!("the expression {text}"),
                })
            }
        }
    }

    fn computed(&mut self, text: &str, place: &str) -> Option<Computed> {
        let term = self.kept(expression::parse(text).map_err(|flaw| flawed(text, flaw, place)))?;
        let mut names = Vec::new();
        let mut fields = Vec::new();
        let mut is_whole = true;
        for (name, at) in term.names() {
            match self.read(&name, place) {
                Ok(field) => {
                    names.push((name, self.reads[field].field.clone()));
                    fields.push(field);
                }
                Err(found) => {
                    let message = found.message + &position(text, at);
                    self.problems.push(MappingProblem { message, ..found });
                    is_whole = false;
                }
            }
        }
        if !is_whole {
            return None;
        }
        let expression = self.kept(Expression::new(&term, &names).map_err(|flaw| flawed(text, flaw, place)))?;
        Some(Computed { expression: Arc::new(expression), fields })
    }

    /// A constant is written as it is.
    fn check_constant(&mut self, column: &ColumnMapping, place: &str) {
        let useless = [
            ("required", column.required),
            ("default", column.default.is_some()),
            ("trim", column.trim),
            ("case", column.case.is_some()),
            ("values", !column.values.is_empty()),
            ("other", column.other.is_some()),
            ("label", column.label),
            ("currency", column.currency.is_some()),
            ("on_misfit", column.on_misfit != Misfitting::Null),
            ("refresh", column.refresh.is_some()),
        ];
        for (key, _) in useless.into_iter().filter(|(_, is_set)| *is_set) {
            self.refuse(&format!("{place}.{key}"), "A constant is written as it is; leave this out.");
        }
    }

    fn steps(&mut self, column: &ColumnMapping, origin: &Origin, target: Target, place: &str) -> Vec<Step> {
        if matches!(origin.source, MakeSource::Constant(_)) {
            return Vec::new();
        }
        let mut steps = Vec::new();
        let mut kind = origin.kind;
        let mut format = self.format(column, place);
        let changes_words = column.trim || column.case.is_some() || column.label || !column.values.is_empty();
        if changes_words {
            if kind != ColumnType::Text {
                let cast = Cast { from: kind, target: Target::Text, format: format.take() };
                steps.push(Step::Cast(cast));
                kind = ColumnType::Text;
            }
            steps.push(Step::Words(Arc::new(self.words(column, origin, place))));
        } else if column.other.is_some() {
            self.refuse(&format!("{place}.other"), "There are no values that others could be told from; map some.");
        }
        if let Some(code) = &column.currency {
            if changes_words {
                self.refuse(&format!("{place}.currency"), "Texts are changed or amounts are converted, not both.");
            }
            steps.extend(self.exchange(code, origin, place).map(Step::Exchange));
        }
        if !is_possible(kind, target) {
            self.refuse(
                &format!("{place}.as"),
                format!("{} is a {}, which cannot become a {}.", origin.words, type_name(kind), target_name(target)),
            );
        } else if target == Target::List && !is_multiple(origin) {
            self.refuse(
                &format!("{place}.as"),
                format!("{} is no multi-select picklist, so it is no list.", origin.words),
            );
        }
        if let Some(format) = &format {
            self.check_format(format, kind, target, place);
        }
        let cast = Cast { from: kind, target, format };
        if cast.changes() && !(origin_is_list(origin) && target == Target::Json) {
            steps.push(Step::Cast(cast));
        }
        steps
    }

    fn format(&mut self, column: &ColumnMapping, place: &str) -> Option<Format> {
        let text = column.format.as_deref()?;
        let place = format!("{place}.format");
        self.kept(Format::parse(text).map_err(|message| problem(&place, message)))
    }

    fn check_format(&mut self, format: &Format, kind: ColumnType, target: Target, place: &str) {
        let place = format!("{place}.format");
        let is_moment = |kind| matches!(kind, ColumnType::Date | ColumnType::Timestamp | ColumnType::Time);
        match (kind, target) {
            (ColumnType::Text, Target::Date | Target::Timestamp) if !format.has_date() => {
                self.refuse(&place, "A date is read from %Y, %m and %d; the format lacks some.");
            }
            (ColumnType::Text, Target::Time) if !format.has_time() => {
                self.refuse(&place, "A time of day is read from %H and %M; the format lacks some.");
            }
            (ColumnType::Text, Target::Date | Target::Timestamp | Target::Time) => {}
            (kind, Target::Text) if is_moment(kind) => {}
            _ => self.refuse(&place, "A format is for a text that becomes a date or a time, or the other way round."),
        }
    }

    fn words(&mut self, column: &ColumnMapping, origin: &Origin, place: &str) -> Words {
        if (column.trim || column.case.is_some()) && origin.kind != ColumnType::Text && column.values.is_empty() {
            let key = if column.trim { "trim" } else { "case" };
            let message = format!("{} is a {}, and only texts are changed.", origin.words, type_name(origin.kind));
            self.refuse(&format!("{place}.{key}"), message);
        }
        let mut values: HashMap<String, Option<String>> = HashMap::new();
        if column.label {
            values.extend(self.labels(origin, place));
            if !column.values.is_empty() {
                self.refuse(
                    &format!("{place}.label"),
                    "Labels or values of your own stand in place of a value, not both.",
                );
            }
        }
        self.check_values(column, origin, place);
        for (value, other) in &column.values {
            values.insert(value.clone(), Some(other.text()).filter(|text| !text.is_empty()));
        }
        let other = match column.other {
            None | Some(Other::Keep) => Fallback::Keep,
            Some(Other::Null) => Fallback::Null,
            Some(Other::Reject) => Fallback::Reject,
        };
        Words { trim: column.trim, values, other, several: is_multiple(origin), case: column.case }
    }

    /// A picklist's labels by its values.
    fn labels(&mut self, origin: &Origin, place: &str) -> BTreeMap<String, Option<String>> {
        let is_picklist = |field: &&FieldDescribe| {
            matches!(field.kind, FieldType::Picklist | FieldType::Multipicklist | FieldType::Combobox)
        };
        let Some(field) = origin.describe.as_ref().filter(is_picklist) else {
            self.refuse(&format!("{place}.label"), format!("{} is no picklist and has no labels.", origin.words));
            return BTreeMap::new();
        };
        let labels = field.picklist_values.iter().filter_map(|entry| {
            let label = entry.label.as_ref().filter(|label| !label.is_empty())?;
            Some((entry.value.clone(), Some(label.clone())))
        });
        labels.collect()
    }

    /// Values that the picklist does not have. A restricted one never has them; another may have kept some.
    fn check_values(&mut self, column: &ColumnMapping, origin: &Origin, place: &str) {
        let Some(field) = origin.describe.as_ref().filter(|field| !field.picklist_values.is_empty()) else { return };
        let known = || field.picklist_values.iter().map(|entry| entry.value.as_str());
        for value in column.values.keys().filter(|value| !known().any(|known| known == *value)) {
            let found = MappingProblem {
                place: format!("{place}.values"),
                message: format!("{} has no value {value:?}.", origin.words),
                suggestion: nearest(value, known()),
            };
            match field.restricted_picklist {
                true => self.problems.push(found),
                false => self.warnings.push(found),
            }
        }
    }

    fn exchange(&mut self, code: &str, origin: &Origin, place: &str) -> Option<Exchange> {
        let place = format!("{place}.currency");
        let field = origin.describe.as_ref().filter(|field| field.kind == FieldType::Currency);
        let Some(scale) = field.map(|field| field.scale) else {
            self.refuse(&place, format!("{} is no amount of money.", origin.words));
            return None;
        };
        let Some(currencies) = self.catalogue.currencies().cloned() else {
            self.refuse(&place, "This org has one currency, or its rates cannot be read by this user (CurrencyType).");
            return None;
        };
        let Some(rate) = currencies.rates().get(code).copied() else {
            let message = format!("The org has no active currency {code:?}.");
            let suggestion = nearest(code, currencies.codes());
            self.problems.push(MappingProblem { place, message, suggestion });
            return None;
        };
        let found = self.read(&currency_path(&origin.words), &place);
        let currency = self.kept(found)?;
        Some(Exchange { currency, rates: Arc::new(currencies), rate, scale })
    }
}

/// The field with the currency of an amount: it stands beside it (Object Reference v66, *CurrencyIsoCode*).
pub(in crate::mapping) fn currency_path(amount: &str) -> String {
    match amount.rsplit_once('.') {
        Some((parents, _)) => format!("{parents}.CurrencyIsoCode"),
        None => "CurrencyIsoCode".into(),
    }
}

/// What shapes a column's values, as a hash. A column that is a field as it is has the same one whoever wrote it down.
fn print(column: &ColumnMapping, fields: &[ReadField], make: &Make) -> String {
    if let (Some(_), [field], false) = (make.as_field(), fields, make.may_reject()) {
        return hash(&(&field.path, field.kind));
    }
    let fields: Vec<_> = fields.iter().map(|field| (&field.path, field.kind)).collect();
    let unnamed = ColumnMapping { column: None, refresh: None, ..column.clone() };
    let mut learned: Vec<BTreeMap<String, String>> = Vec::new();
    for step in &make.steps {
        match step {
            Step::Words(words) => {
                let values = words.values.iter();
                learned.push(values.map(|(value, other)| (value.clone(), other.clone().unwrap_or_default())).collect());
            }
            Step::Exchange(exchange) => {
                let rates = exchange.rates.rates().iter();
                learned.push(rates.map(|(code, rate)| (code.clone(), rate.to_string())).collect());
            }
            Step::Cast(_) => {}
        }
    }
    hash(&(fields, unnamed, learned))
}

fn is_multiple(origin: &Origin) -> bool {
    origin.describe.as_ref().is_some_and(|field| field.kind == FieldType::Multipicklist)
}

/// A computed list of texts is a JSON array already.
fn origin_is_list(origin: &Origin) -> bool {
    matches!(origin.source, MakeSource::Computed(_)) && origin.kind == ColumnType::Json
}

fn flawed(text: &str, flaw: Flaw, place: &str) -> MappingProblem {
    let message = flaw.message + &position(text, flaw.at);
    MappingProblem { place: place.to_owned(), message, suggestion: flaw.suggestion }
}

/// Where in an expression, in characters from 1.
fn position(text: &str, at: Option<usize>) -> String {
    let before = at.and_then(|at| text.get(..at));
    before.map(|before| format!(" (at character {})", before.chars().count() + 1)).unwrap_or_default()
}

fn constant_kind(constant: &Constant) -> ColumnType {
    match constant {
        Constant::Text(_) => ColumnType::Text,
        Constant::Integer(_) => ColumnType::Integer,
        Constant::Decimal(_) => ColumnType::Decimal,
        Constant::Boolean(_) => ColumnType::Boolean,
    }
}

/// A written value as one row of a column; why not, in words.
fn one_row(constant: &Constant, target: Target, format: Option<&Format>) -> Result<ArrayRef, String> {
    let text = constant.text();
    let row: ArrayRef = Arc::new(StringArray::from(vec![Some(text.as_str()).filter(|text| !text.is_empty())]));
    // A list is written as JSON.
    let target = if target == Target::List { Target::Json } else { target };
    let mut trouble = Vec::new();
    let cast = Cast { from: ColumnType::Text, target, format: format.cloned().filter(|_| target != Target::Text) };
    let row = if cast.changes() { cast.apply(&row, &mut trouble) } else { row };
    match trouble.is_empty() {
        true => Ok(row),
        false => Err(format!("{text:?} is no {}.", target_name(target))),
    }
}

fn type_name(kind: ColumnType) -> &'static str {
    target_name(Target::from(kind))
}

fn target_name(target: Target) -> &'static str {
    match target {
        Target::Text => "text",
        Target::Integer => "integer",
        Target::Decimal => "decimal",
        Target::Boolean => "boolean",
        Target::Date => "date",
        Target::Timestamp => "timestamp",
        Target::Time => "time",
        Target::Json => "JSON",
        Target::List => "list",
    }
}
