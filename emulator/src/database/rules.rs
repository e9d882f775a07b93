//! What an org demands of its rows beyond the types of their fields: validation rules, duplicate rules, storage.
//!
//! Source: Salesforce Help, "Validation Rules", "Duplicate Rules" and "Data and File Storage Allocations"; codes from
//! `StatusCode` of the partner WSDL v66.

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Database, RowError, Snapshot, StatusCode};
use crate::ids::RecordId;
use crate::schema::{FieldIndex, Object, Schema};
use crate::table::{IdRange, StoredRow};
use crate::value::{Cell, TextOrder, Value};

/// Most rows count as two kilobytes, whatever they hold. Source: Salesforce Help, "Data and File Storage Allocations".
const ROW_KILOBYTES: u64 = 2;
const NULL: Value = Value::Null;

/// The rules of an org.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Validation rules, in the order in which they are looked at.
    pub validations: Vec<ValidationRule>,
    /// Duplicate rules, in the order in which they are looked at.
    pub duplicates: Vec<DuplicateRule>,
    /// What becomes of lookups when their parent is deleted.
    pub deleted_parents: DeletedParents,
}

/// A row is refused while all conditions hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationRule {
    pub object: String,
    pub when: Vec<Condition>,
    /// The error message.
    pub message: String,
    /// The error location; without it, the top of the page.
    #[serde(default)]
    pub field: Option<String>,
}

/// Something about one field of a row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub field: String,
    pub is: Test,
}

/// What is looked at. Text is compared without regard to case.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    Blank,
    Present,
    /// By the write that is judged; a row that is created has changed in every field that it fills.
    Changed,
    Equals(Json),
    Differs(Json),
    Below(Json),
    Above(Json),
}

/// Rows whose fields all hold the same, none of them blank, are duplicates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuplicateRule {
    pub name: String,
    pub object: String,
    pub fields: Vec<String>,
    #[serde(default)]
    pub action: DuplicateAction,
    /// The alert text.
    #[serde(default = "alert")]
    pub message: String,
}

/// What a duplicate rule does.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateAction {
    /// Refuses, unless the request says that duplicates may be saved.
    #[default]
    Alert,
    Block,
}

/// What becomes of references that neither cascade nor restrict, when the record that they name is deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum DeletedParents {
    /// They keep the id.
    #[default]
    Kept,
    /// They are empty until the parent is undeleted. No stamp moves.
    Cleared,
}

/// Whether a request lets duplicates pass that a rule only warns of.
///
/// Source: REST API guide v66, "Duplicate Rule Header"; SOAP API guide v66, `DuplicateRuleHeader`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    #[default]
    Refused,
    Saved,
}

/// The records that a duplicate rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateResult {
    pub rule: String,
    pub object: String,
    /// Whether the request may be repeated with leave to save duplicates.
    pub allow_save: bool,
    pub matches: Vec<RecordId>,
}

/// The default alert text. Source: Salesforce Help, "Create or Edit a Duplicate Rule".
fn alert() -> String {
    "Use one of these records?".to_owned()
}

impl Rules {
    /// Whether no row is ever judged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.validations.is_empty() && self.duplicates.is_empty()
    }

    /// Finds objects and fields that do not exist.
    ///
    /// # Errors
    /// The first of them, in a sentence.
    pub fn check(&self, schema: &Schema) -> Result<(), String> {
        let of_validation = |rule: &ValidationRule| {
            let fields = rule.when.iter().map(|condition| condition.field.clone()).chain(rule.field.clone());
            (rule.object.clone(), fields.collect())
        };
        let validations = self.validations.iter().map(of_validation);
        let duplicates = self.duplicates.iter().map(|rule| (rule.object.clone(), rule.fields.clone()));
        for (name, fields) in validations.chain(duplicates) {
            let fields: Vec<String> = fields;
            let (_, object) =
                schema.find(&name).ok_or_else(|| format!("a rule is for {name}, which does not exist"))?;
            if let Some(field) = fields.iter().find(|field| object.find(field).is_none()) {
                return Err(format!("a rule of {name} names the field {field}, which does not exist"));
            }
        }
        Ok(())
    }
}

/// A row before and after a write.
struct Judged<'a> {
    object: &'a Object,
    before: Option<&'a StoredRow>,
    after: &'a StoredRow,
}

impl Judged<'_> {
    fn value(&self, field: FieldIndex) -> &Value {
        self.after.values.get(field).unwrap_or(&NULL)
    }

    fn has_changed(&self, field: FieldIndex) -> bool {
        let before = self.before.and_then(|row| row.values.get(field)).unwrap_or(&NULL);
        before != self.value(field)
    }
}

impl Snapshot {
    /// The storage that all rows take, the recycle bin included.
    #[must_use]
    pub fn storage_kilobytes(&self) -> u64 {
        self.tables.iter().map(|table| (table.live_rows() + table.binned_rows()) * ROW_KILOBYTES).sum()
    }
}

impl Database {
    /// Judges every write from now on by these rules.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules.into();
    }

    /// Refuses new rows from now on when all rows take so much.
    pub fn set_storage_limit(&mut self, megabytes: Option<u64>) {
        self.storage_megabytes = megabytes;
    }

    /// Writes on behalf of a request that says what becomes of duplicates.
    pub fn with_duplicates<T>(&mut self, duplicates: Duplicates, write: impl FnOnce(&mut Self) -> T) -> T {
        let usual = std::mem::replace(&mut self.duplicates, duplicates);
        let done = write(self);
        self.duplicates = usual;
        done
    }

    /// Whether a rule is about this object.
    pub(super) fn has_rules(&self, object: &Object) -> bool {
        let is_about = |name: &String| name.eq_ignore_ascii_case(&object.name);
        self.rules.validations.iter().any(|rule| is_about(&rule.object))
            || self.rules.duplicates.iter().any(|rule| is_about(&rule.object))
    }

    /// Judges a row that is about to be written.
    pub(super) fn check_rules(
        &self,
        object: &Object,
        before: Option<&StoredRow>,
        after: &StoredRow,
    ) -> Result<(), RowError> {
        let judged = Judged { object, before, after };
        let is_about = |name: &str| name.eq_ignore_ascii_case(&object.name);
        for rule in self.rules.validations.iter().filter(|rule| is_about(&rule.object)) {
            if rule.when.iter().all(|condition| self.holds(condition, &judged)) {
                let (code, message) = (StatusCode::FieldCustomValidationException, rule.message.as_str());
                return Err(match &rule.field {
                    Some(field) => RowError::on(code, field, message),
                    None => RowError::new(code, message),
                });
            }
        }
        let rules = self.rules.duplicates.iter().filter(|rule| is_about(&rule.object));
        rules.into_iter().try_for_each(|rule| self.check_duplicates(rule, &judged))
    }

    pub(super) fn check_storage(&self) -> Result<(), RowError> {
        match self.storage_megabytes {
            Some(megabytes) if self.current.storage_kilobytes() >= megabytes * 1024 => {
                Err(RowError::new(StatusCode::StorageLimitExceeded, "storage limit exceeded"))
            }
            _ => Ok(()),
        }
    }

    /// A condition on a field that the org has lost since holds for no row.
    fn holds(&self, condition: &Condition, judged: &Judged<'_>) -> bool {
        let Some((position, field)) = judged.object.find(&condition.field) else { return false };
        let value = judged.value(position);
        let order = |literal: &Json| {
            let literal = self.current.read_value(judged.object, field, literal).unwrap_or_default();
            value.as_cell().order(literal.as_cell(), TextOrder::IgnoreCase)
        };
        match &condition.is {
            Test::Blank => value.is_null(),
            Test::Present => !value.is_null(),
            Test::Changed => judged.has_changed(position),
            Test::Equals(literal) => order(literal).is_some_and(|order| order.is_eq()),
            Test::Differs(literal) => order(literal).is_none_or(|order| order.is_ne()),
            Test::Below(literal) => order(literal).is_some_and(|order| order.is_lt()),
            Test::Above(literal) => order(literal).is_some_and(|order| order.is_gt()),
        }
    }

    /// A rule looks at rows that are created, and at those that change in one of its fields.
    fn check_duplicates(&self, rule: &DuplicateRule, judged: &Judged<'_>) -> Result<(), RowError> {
        let fields: Vec<FieldIndex> =
            rule.fields.iter().filter_map(|name| judged.object.find(name)).map(|(position, _)| position).collect();
        let passes = rule.action == DuplicateAction::Alert && self.duplicates == Duplicates::Saved;
        let is_blank = fields.iter().any(|field| judged.value(*field).is_null());
        if passes || is_blank || fields.is_empty() || !fields.iter().any(|field| judged.has_changed(*field)) {
            return Ok(());
        }
        let matches = self.same_rows(&fields, judged);
        if matches.is_empty() {
            return Ok(());
        }
        let found = DuplicateResult {
            rule: rule.name.clone(),
            object: judged.object.name.clone(),
            allow_save: rule.action == DuplicateAction::Alert,
            matches,
        };
        let error = RowError::new(StatusCode::DuplicatesDetected, rule.message.as_str());
        Err(RowError { duplicates: Some(Box::new(found)), ..error })
    }

    fn same_rows(&self, fields: &[FieldIndex], judged: &Judged<'_>) -> Vec<RecordId> {
        let Some((index, _)) = self.current.schema.find(&judged.object.name) else { return Vec::new() };
        let mut scratch = String::new();
        let same = |cell: Cell<'_>, field: FieldIndex| {
            cell.order(judged.value(field).as_cell(), TextOrder::IgnoreCase).is_some_and(|order| order.is_eq())
        };
        let live = self.current.table(index).scan(IdRange::ALL).filter(|row| !row.is_deleted());
        let others = live.filter(|row| row.id() != judged.after.id);
        let twins = others.filter(|row| fields.iter().all(|field| same(row.cell(*field, &mut scratch), *field)));
        twins.map(|row| row.id()).collect()
    }
}
