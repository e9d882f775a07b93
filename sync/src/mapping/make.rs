//! How one column is made of what was read: a source, and what becomes of its values.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, Scalar, UInt32Array, cast::AsArray};
use arrow_select::{take::take, zip::zip};

use super::{
    Case,
    cast::{Cast, texts},
    currency::Exchange,
    expression::Computed,
};

/// How one column of a table is made.
#[derive(Debug, Clone)]
pub(super) struct Make {
    pub(super) source: MakeSource,
    pub(super) steps: Vec<Step>,
    /// One row: what stands in place of null.
    pub(super) default: Option<ArrayRef>,
    pub(super) required: bool,
    pub(super) reject_misfits: bool,
}

#[derive(Debug, Clone)]
pub(super) enum MakeSource {
    /// A field; the index is one of the fields that are read.
    Field(usize),
    /// One row, which is every row.
    Constant(ArrayRef),
    Computed(Computed),
}

/// What becomes of a whole column of values.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Words(Arc<Words>),
    Exchange(Exchange),
    Cast(Cast),
}

/// A value that could not be made, by its row.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) row: usize,
    pub(super) kind: TroubleKind,
}

#[derive(Debug)]
pub(super) enum TroubleKind {
    /// The cell is null; this is what stood there, or why there is nothing.
    Misfit(String),
    /// The record becomes no row.
    Reject(String),
}

impl Trouble {
    /// Notes a misfit; the cell is null.
    pub(super) fn misfit<T>(trouble: &mut Vec<Self>, row: usize, raw: &str) -> Option<T> {
        trouble.push(Self { row, kind: TroubleKind::Misfit(raw.to_owned()) });
        None
    }
}

impl Make {
    /// A source as it is.
    pub(super) fn plain(source: MakeSource) -> Self {
        Self { source, steps: Vec::new(), default: None, required: false, reject_misfits: false }
    }

    /// The field that this column is, unchanged.
    pub(super) fn as_field(&self) -> Option<usize> {
        match self.source {
            MakeSource::Field(field) if self.steps.is_empty() && self.default.is_none() => Some(field),
            MakeSource::Field(_) | MakeSource::Constant(_) | MakeSource::Computed(_) => None,
        }
    }

    /// Whether a record may become no row because of this column.
    pub(super) fn may_reject(&self) -> bool {
        let rejects_others = |step: &Step| matches!(step, Step::Words(words) if words.other == Fallback::Reject);
        self.required || self.reject_misfits || self.steps.iter().any(rejects_others)
    }

    /// The fields that it needs.
    pub(super) fn reads(&self) -> Vec<usize> {
        let mut fields = match &self.source {
            MakeSource::Field(field) => vec![*field],
            MakeSource::Constant(_) => Vec::new(),
            MakeSource::Computed(computed) => computed.fields.clone(),
        };
        for step in &self.steps {
            match step {
                Step::Exchange(exchange) => fields.push(exchange.currency),
                Step::Words(_) | Step::Cast(_) => {}
            }
        }
        fields
    }

    /// The same for fields that stand in other places. A field without a place is not read, and the column not made.
    pub(super) fn moved(&self, place: &impl Fn(usize) -> Option<usize>) -> Self {
        let moved = |field: &mut usize| *field = place(*field).unwrap_or(usize::MAX);
        let mut make = self.clone();
        match &mut make.source {
            MakeSource::Field(field) => moved(field),
            MakeSource::Constant(_) => {}
            MakeSource::Computed(computed) => computed.fields.iter_mut().for_each(moved),
        }
        for step in &mut make.steps {
            match step {
                Step::Exchange(exchange) => moved(&mut exchange.currency),
                Step::Words(_) | Step::Cast(_) => {}
            }
        }
        make
    }

    /// The column for these records, and what of it could not be made.
    pub(super) fn make(&self, records: &RecordBatch) -> (ArrayRef, Vec<Trouble>) {
        let mut trouble = Vec::new();
        let mut array = match &self.source {
            MakeSource::Field(field) => records.column(*field).clone(),
            MakeSource::Constant(one) => repeated(one, records.num_rows()),
            MakeSource::Computed(computed) => computed.evaluate(records, &mut trouble),
        };
        for step in &self.steps {
            array = match step {
                Step::Words(words) => words.apply(&array, &mut trouble),
                Step::Exchange(exchange) => exchange.apply(&array, records, &mut trouble),
                Step::Cast(cast) => cast.apply(&array, &mut trouble),
            };
        }
        if self.reject_misfits {
            trouble.iter_mut().for_each(Trouble::reject);
        }
        if let Some(default) = self.default.as_ref().filter(|_| array.null_count() > 0) {
            let nulls = BooleanArray::from_iter((0..array.len()).map(|row| Some(array.is_null(row))));
            array = zip(&nulls, &Scalar::new(default.clone()), &array).expect("the default has the column's type");
        }
        if self.required && array.null_count() > 0 {
            let known = |trouble: &[Trouble], row| trouble.iter().any(|known| known.row == row && known.is_rejection());
            for row in (0..array.len()).filter(|row| array.is_null(*row)) {
                if !known(&trouble, row) {
                    trouble.push(Trouble { row, kind: TroubleKind::Reject(self.missing(&trouble, row)) });
                }
            }
        }
        (array, trouble)
    }

    fn missing(&self, trouble: &[Trouble], row: usize) -> String {
        let misfit = trouble.iter().find(|misfit| misfit.row == row);
        match misfit.map(|misfit| &misfit.kind) {
            Some(TroubleKind::Misfit(raw)) => format!("A value is required here, and {raw:?} does not fit."),
            Some(TroubleKind::Reject(_)) | None => "A value is required here, and the record has none.".into(),
        }
    }
}

impl Trouble {
    fn reject(&mut self) {
        if let TroubleKind::Misfit(raw) = &self.kind {
            self.kind = TroubleKind::Reject(format!("{raw:?} does not fit."));
        }
    }

    fn is_rejection(&self) -> bool {
        matches!(self.kind, TroubleKind::Reject(_))
    }
}

fn repeated(one: &ArrayRef, rows: usize) -> ArrayRef {
    take(one, &UInt32Array::from_value(0, rows), None).expect("the one row is there")
}

/// Changes to texts, in the order of the fields.
#[derive(Debug, Clone)]
pub(super) struct Words {
    pub(super) trim: bool,
    /// `None`: in place of this text comes null.
    pub(super) values: HashMap<String, Option<String>>,
    pub(super) other: Fallback,
    /// A multi-select picklist: each choice is a text of its own, and they are separated by semicolons.
    pub(super) several: bool,
    pub(super) case: Option<Case>,
}

/// What becomes of a text that has no other in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fallback {
    Keep,
    Null,
    Reject,
}

impl Words {
    fn apply(&self, array: &ArrayRef, trouble: &mut Vec<Trouble>) -> ArrayRef {
        let source = array.as_string::<i32>();
        let changed = texts(array, |out, row| self.change(source.value(row), out, row, trouble));
        let empty = (0..changed.len()).any(|row| changed.is_valid(row) && changed.value(row).is_empty());
        if !empty {
            return Arc::new(changed);
        }
        Arc::new(changed.iter().map(|text| text.filter(|text| !text.is_empty())).collect::<arrow_array::StringArray>())
    }

    /// Writes what becomes of a text; nothing where it becomes null.
    fn change(&self, text: &str, out: &mut String, row: usize, trouble: &mut Vec<Trouble>) {
        if !self.several {
            return self.change_one(text, out, row, trouble);
        }
        for choice in text.split(';') {
            let end = out.len();
            if end > 0 {
                out.push(';');
            }
            let start = out.len();
            self.change_one(choice, out, row, trouble);
            if out.len() == start {
                out.truncate(end);
            }
        }
    }

    fn change_one(&self, text: &str, out: &mut String, row: usize, trouble: &mut Vec<Trouble>) {
        let text = if self.trim { text.trim() } else { text };
        let changed = match (self.values.get(text), self.other) {
            (Some(Some(other)), _) => other,
            (None, Fallback::Keep) => text,
            (Some(None), _) | (None, Fallback::Null) => return,
            (None, Fallback::Reject) => {
                let message = format!("{text:?} is not among the values that are mapped.");
                trouble.push(Trouble { row, kind: TroubleKind::Reject(message) });
                return;
            }
        };
        match self.case {
            None => out.push_str(changed),
            Some(Case::Lower) => out.push_str(&changed.to_lowercase()),
            Some(Case::Upper) => out.push_str(&changed.to_uppercase()),
        }
    }
}
