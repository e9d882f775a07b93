//! Random histories: what happens to the records of an org over time, as a seed decides it.
//!
//! They are made to find what a copy of the org can miss: late commits, ties, second changes within one second, long
//! transactions, merges, undeletes, and rows that vanish.

mod shapes;
mod values;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::control::{Control, ControlError, Writer};
use crate::database::{Record, Snapshot, TransactionId};
use crate::ids::RecordId;
use crate::random::Random;
use crate::schema::{Field, FieldType, Object, ObjectIndex, contact_field};
use crate::table::{IdRange, Row};

/// Transactions that are open at a time.
const MAX_OPEN: usize = 2;
/// Rows of one mass update.
const MAX_MASS: u64 = 60;
/// How late a commit without an open transaction may come. Connectors read again what is younger than five minutes.
const LATEST: u64 = 240;

/// A random history of some objects: the same steps for the same seed, scenario and objects.
#[derive(Clone, Debug)]
pub struct History {
    random: Random,
    objects: Vec<String>,
    open: Vec<TransactionId>,
    shapes: Shapes,
    /// Fields that nobody sees, and how many fields were added.
    hidden: Vec<(String, String)>,
    added: u64,
}

/// Whether a history changes objects and permissions as well as records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shapes {
    Stay,
    Change,
}

/// What was done, and when by the emulated clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    pub at: DateTime<Utc>,
    #[serde(flatten)]
    pub deed: Deed,
}

/// What one step of a history does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum Deed {
    Insert {
        id: String,
    },
    Update {
        id: String,
        /// More than once in the same second.
        times: u64,
    },
    /// Many rows with one stamp.
    MassUpdate {
        object: String,
        rows: u64,
    },
    /// An insert or an update that shows from now on with an older stamp.
    LateCommit {
        id: String,
        stamped: DateTime<Utc>,
    },
    Begin {
        transaction: TransactionId,
    },
    /// A write that shows at the commit of its transaction.
    Inside {
        transaction: TransactionId,
        id: String,
    },
    Commit {
        transaction: TransactionId,
    },
    RollBack {
        transaction: TransactionId,
    },
    Delete {
        id: String,
    },
    Undelete {
        id: String,
    },
    Merge {
        master: String,
        loser: String,
    },
    /// Gone for good, from the recycle bin or at once.
    Purge {
        id: String,
    },
    EmptyBin {
        object: String,
        rows: u64,
    },
    Archive {
        id: String,
    },
    /// Moves `SystemModstamp` alone.
    Touch {
        id: String,
    },
    ReParent {
        id: String,
        field: String,
    },
    AddField {
        object: String,
        field: String,
    },
    RemoveField {
        object: String,
        field: String,
    },
    RenameField {
        object: String,
        from: String,
        to: String,
    },
    /// The field has another type from now on.
    RetypeField {
        object: String,
        field: String,
    },
    /// Nobody sees the field any more.
    HideField {
        object: String,
        field: String,
    },
    ShowField {
        object: String,
        field: String,
    },
    /// The org refused it, for example because a transaction locks the row.
    Refused {
        reason: String,
    },
    /// There was nothing to do it to.
    Nothing,
}

/// The kinds of steps, each as often as it is to happen among the others.
const KINDS: [(Kind, u64); 17] = [
    (Kind::Insert, 14),
    (Kind::Update, 20),
    (Kind::UpdateAgain, 8),
    (Kind::MassUpdate, 4),
    (Kind::LateInsert, 5),
    (Kind::LateUpdate, 5),
    (Kind::Begin, 5),
    (Kind::Inside, 8),
    (Kind::Commit, 5),
    (Kind::Delete, 9),
    (Kind::Undelete, 5),
    (Kind::Merge, 5),
    (Kind::Purge, 4),
    (Kind::EmptyBin, 1),
    (Kind::Archive, 3),
    (Kind::Touch, 4),
    (Kind::ReParent, 5),
];

/// Those that come along when objects and permissions change too.
const SHAPE_KINDS: [(Kind, u64); 6] = [
    (Kind::AddField, 2),
    (Kind::RemoveField, 1),
    (Kind::RenameField, 1),
    (Kind::RetypeField, 1),
    (Kind::HideField, 2),
    (Kind::ShowField, 2),
];

#[derive(Clone, Copy, Debug)]
enum Kind {
    Insert,
    Update,
    UpdateAgain,
    MassUpdate,
    LateInsert,
    LateUpdate,
    Begin,
    Inside,
    Commit,
    Delete,
    Undelete,
    Merge,
    Purge,
    EmptyBin,
    Archive,
    Touch,
    ReParent,
    AddField,
    RemoveField,
    RenameField,
    RetypeField,
    HideField,
    ShowField,
}

impl History {
    /// A history of these objects. Children come along where a step moves them.
    #[must_use]
    pub fn new(seed: u64, objects: &[&str]) -> Self {
        let objects = objects.iter().map(|object| (*object).to_owned()).collect();
        let (random, open, hidden) = (Random::new(seed), Vec::new(), Vec::new());
        Self { random, objects, open, shapes: Shapes::Stay, hidden, added: 0 }
    }

    /// The same, in which fields come, go, change and are hidden in between. What it adds begins with `Wander_`; it takes
    /// away and changes custom fields that are neither unique nor required.
    #[must_use]
    pub fn changing_shapes(self) -> Self {
        Self { shapes: Shapes::Change, ..self }
    }

    fn kind(&mut self) -> Kind {
        let more = match self.shapes {
            Shapes::Stay => &[][..],
            Shapes::Change => &SHAPE_KINDS[..],
        };
        let kinds = || KINDS.iter().chain(more);
        let all: u64 = kinds().map(|(_, weight)| weight).sum();
        let mut at = self.random.below(all);
        for (kind, weight) in kinds() {
            if at < *weight {
                return *kind;
            }
            at -= weight;
        }
        Kind::Update
    }

    /// Often none, so that changes share a second; at times hours.
    fn pause(&mut self) -> Duration {
        let seconds = match self.random.below(10) {
            0..3 => 0,
            3..5 => 1,
            5..8 => self.random.below(60),
            8 => self.random.below(1800),
            _ => self.random.below(3 * 3600),
        };
        Duration::from_secs(seconds)
    }
}

impl Control {
    /// Takes an org some random steps further, with pauses between them that move the emulated clock, and says what was
    /// done. Transactions may be open at the end; [`Control::settle`] ends them.
    pub fn wander(&self, history: &mut History, steps: usize) -> Vec<Step> {
        let step = |_| {
            self.advance(history.pause());
            let deed = Walk { control: self, snapshot: self.snapshot(), history }.step();
            Step { at: self.now(), deed }
        };
        (0..steps).map(step).collect()
    }

    /// Commits every transaction that a history has left open.
    pub fn settle(&self, history: &mut History) {
        for transaction in history.open.drain(..) {
            // Somebody else may have ended it.
            let _ = self.commit(transaction);
        }
    }
}

/// One step on its way.
struct Walk<'a> {
    control: &'a Control,
    snapshot: Snapshot,
    history: &'a mut History,
}

impl Walk<'_> {
    fn step(&mut self) -> Deed {
        let kind = self.history.kind();
        match self.attempt(kind) {
            Ok(Some(deed)) => deed,
            Ok(None) => Deed::Nothing,
            Err(refusal) => Deed::Refused { reason: refusal.to_string() },
        }
    }

    /// `None` when there is nothing to do it to.
    fn attempt(&mut self, kind: Kind) -> Result<Option<Deed>, ControlError> {
        match kind {
            Kind::Insert => self.insert(),
            Kind::Update => self.update(1),
            Kind::UpdateAgain => self.update(3),
            Kind::MassUpdate => self.mass_update(),
            Kind::LateInsert => self.late_insert(),
            Kind::LateUpdate => self.late_update(),
            Kind::Begin => self.begin(),
            Kind::Inside => self.inside(),
            Kind::Commit => self.end(),
            Kind::Delete => self.delete(),
            Kind::Undelete => self.undelete(),
            Kind::Merge => self.merge(),
            Kind::Purge => self.purge(),
            Kind::EmptyBin => self.empty_bin(),
            Kind::Archive => self.archive(),
            Kind::Touch => self.touch(),
            Kind::ReParent => self.re_parent(),
            Kind::AddField => self.add_field(),
            Kind::RemoveField => self.remove_field(),
            Kind::RenameField => self.rename_field(),
            Kind::RetypeField => self.retype_field(),
            Kind::HideField => self.hide_field(),
            Kind::ShowField => self.show_field(),
        }
    }

    fn insert(&mut self) -> Result<Option<Deed>, ControlError> {
        let inserted = self.insert_by(&self.control.writer())?;
        Ok(inserted.map(|id| Deed::Insert { id }))
    }

    fn insert_by(&mut self, writer: &Writer) -> Result<Option<String>, ControlError> {
        let Some((_, object)) = self.object(|_| true) else { return Ok(None) };
        let Some(fields) = self.new_record(&object) else { return Ok(None) };
        writer.insert(&object.name, Value::Object(fields)).map(|id| Some(id.to_string()))
    }

    fn update(&mut self, times: u64) -> Result<Option<Deed>, ControlError> {
        let Some((object, id)) = self.live(|object| object.can.updateable) else { return Ok(None) };
        for _ in 0..times {
            let fields = self.changes_of(&object, &id);
            self.control.update(&id, fields)?;
        }
        Ok(Some(Deed::Update { id, times }))
    }

    fn mass_update(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((index, object)) = self.object(|object| object.can.updateable) else { return Ok(None) };
        let fields = self.changes(&object, false);
        let most = usize::try_from(1 + self.history.random.below(MAX_MASS)).unwrap_or(1);
        let live = self.snapshot.table(index).scan(IdRange::ALL).filter(|row| !row.is_deleted());
        let ids: Vec<RecordId> = live.take(most).map(|row| row.id()).collect();
        let done = self.control.write(|database, author| {
            ids.iter().filter(|id| database.update(**id, &fields, author).is_ok()).count() as u64
        });
        Ok(Some(Deed::MassUpdate { object: object.name.clone(), rows: done }))
    }

    fn late_insert(&mut self) -> Result<Option<Deed>, ControlError> {
        let stamped = self.earlier();
        let inserted = self.insert_by(&self.control.writer_at(stamped))?;
        Ok(inserted.map(|id| Deed::LateCommit { id, stamped }))
    }

    /// The stamp is never older than the one that the row has: nobody else can have written it meanwhile.
    fn late_update(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((object, id)) = self.live(|object| object.can.updateable) else { return Ok(None) };
        let own = RecordId::parse(&id).ok().and_then(|id| self.snapshot.row(id)?.stamp());
        let stamped = own.map_or(self.earlier(), |own| DateTime::<Utc>::from(own).max(self.earlier()));
        let fields = self.changes_of(&object, &id);
        self.control.update_at(&id, fields, stamped)?;
        Ok(Some(Deed::LateCommit { id, stamped }))
    }

    fn earlier(&mut self) -> DateTime<Utc> {
        self.control.now() - Duration::from_secs(self.history.random.below(LATEST))
    }

    fn begin(&mut self) -> Result<Option<Deed>, ControlError> {
        if self.history.open.len() >= MAX_OPEN {
            return self.end();
        }
        let transaction = self.control.begin();
        self.history.open.push(transaction);
        Ok(Some(Deed::Begin { transaction }))
    }

    fn inside(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some(transaction) = self.history.random.pick(&self.history.open.clone()).copied() else { return Ok(None) };
        let writer = self.control.in_transaction(transaction);
        if self.history.random.once_in(3) {
            return Ok(self.insert_by(&writer)?.map(|id| Deed::Inside { transaction, id }));
        }
        let Some((object, id)) = self.live(|object| object.can.updateable && object.can.deletable) else {
            return Ok(None);
        };
        match self.history.random.once_in(4) {
            true => writer.delete(&id)?,
            false => writer.update(&id, self.changes_of(&object, &id))?,
        }
        Ok(Some(Deed::Inside { transaction, id }))
    }

    fn end(&mut self) -> Result<Option<Deed>, ControlError> {
        if self.history.open.is_empty() {
            return Ok(None);
        }
        let at = usize::try_from(self.history.random.below(self.history.open.len() as u64)).unwrap_or_default();
        let transaction = self.history.open.remove(at);
        if self.history.random.once_in(5) {
            self.control.roll_back(transaction)?;
            return Ok(Some(Deed::RollBack { transaction }));
        }
        self.control.commit(transaction)?;
        Ok(Some(Deed::Commit { transaction }))
    }

    fn delete(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((_, id)) = self.live(|object| object.can.deletable) else { return Ok(None) };
        self.control.delete(&id)?;
        Ok(Some(Deed::Delete { id }))
    }

    fn undelete(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((_, id)) = self.row(Object::has_recycle_bin, |row| row.is_deleted()) else { return Ok(None) };
        self.control.undelete(&id)?;
        Ok(Some(Deed::Undelete { id }))
    }

    fn merge(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((index, _)) = self.object(Object::is_mergeable) else { return Ok(None) };
        let one = self.row_of(index, |row| !row.is_deleted());
        let other = self.row_of(index, |row| !row.is_deleted());
        let (Some(master), Some(loser)) = (one, other) else { return Ok(None) };
        if master == loser {
            return Ok(None);
        }
        self.control.merge(&master, &[&loser])?;
        Ok(Some(Deed::Merge { master, loser }))
    }

    fn purge(&mut self) -> Result<Option<Deed>, ControlError> {
        let from_bin = self.history.random.once_in(2);
        let found = self.row(|object| object.can.deletable, |row| row.is_deleted() == from_bin);
        let Some((_, id)) = found else { return Ok(None) };
        self.control.purge(&id)?;
        Ok(Some(Deed::Purge { id }))
    }

    fn empty_bin(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((index, object)) = self.object(Object::has_recycle_bin) else { return Ok(None) };
        let rows = self.control.write(|database, author| {
            database.empty_recycle_bin(index, crate::value::Timestamp(author.at.0.saturating_add(1000)))
        });
        Ok(Some(Deed::EmptyBin { object: object.name.clone(), rows }))
    }

    fn archive(&mut self) -> Result<Option<Deed>, ControlError> {
        let archivable = |object: &Object| object.audit().is_archived.is_some();
        let Some((_, id)) = self.live(archivable) else { return Ok(None) };
        self.control.archive(&id)?;
        Ok(Some(Deed::Archive { id }))
    }

    fn touch(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((_, id)) = self.live(|object| object.audit().system_modstamp.is_some()) else { return Ok(None) };
        self.control.writer().touch(&id)?;
        Ok(Some(Deed::Touch { id }))
    }

    fn re_parent(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((object, id)) = self.live(|object| object.can.updateable) else { return Ok(None) };
        let references = object.fields().iter().filter(|field| field.kind == FieldType::Reference && field.updateable);
        let references: Vec<_> = references.filter(|field| field.name != "OwnerId").cloned().collect();
        let Some(field) = self.history.random.pick(&references).cloned() else { return Ok(None) };
        let Some(parent) = self.target(&field) else { return Ok(None) };
        self.control.update(&id, json!({ field.name.as_str(): parent }))?;
        Ok(Some(Deed::ReParent { id, field: field.name }))
    }

    /// One of the objects, among those that will do.
    fn object(&mut self, fits: impl Fn(&Object) -> bool) -> Option<(ObjectIndex, Object)> {
        let found = self.history.objects.iter().filter_map(|name| self.snapshot.schema().find(name));
        let fitting: Vec<(ObjectIndex, Object)> =
            found.filter(|(_, object)| fits(object)).map(|(index, object)| (index, Object::clone(object))).collect();
        self.history.random.pick(&fitting).cloned()
    }

    fn live(&mut self, fits: impl Fn(&Object) -> bool) -> Option<(Object, String)> {
        self.row(fits, |row| !row.is_deleted())
    }

    fn row(&mut self, fits: impl Fn(&Object) -> bool, wanted: impl Fn(&Row<'_>) -> bool) -> Option<(Object, String)> {
        let (index, object) = self.object(fits)?;
        let id = self.row_of(index, wanted)?;
        Some((object, id))
    }

    fn row_of(&mut self, index: ObjectIndex, wanted: impl Fn(&Row<'_>) -> bool) -> Option<String> {
        let rows = || self.snapshot.table(index).scan(IdRange::ALL).filter(|row| wanted(row));
        let nth = usize::try_from(self.history.random.below(rows().count() as u64)).ok()?;
        rows().nth(nth).map(|row| row.id().to_string())
    }

    /// A row that a reference may name, as a person picks it.
    fn target(&mut self, field: &Field) -> Option<String> {
        let name = self.history.random.pick(&field.reference_to)?.clone();
        let (index, _) = self.snapshot.schema().find(&name)?;
        self.row_of(index, |row| !row.is_deleted())
    }

    fn new_record(&mut self, object: &Object) -> Option<Record> {
        let person = object.record_types.iter().any(|kind| kind.is_person) && self.history.random.once_in(3);
        let mut record = self.changes(object, person);
        if person {
            record.insert("LastName".to_owned(), json!(format!("Person {}", self.history.random.below(1_000_000))));
        }
        for field in object.fields().iter().filter(|field| field.is_required() && !(person && field.name_field)) {
            let value = match field.kind {
                FieldType::Reference => Value::String(self.target(field)?),
                _ => values::of(field, &mut self.history.random)?,
            };
            record.insert(field.name.clone(), value);
        }
        Some(record)
    }

    fn changes_of(&mut self, object: &Object, id: &str) -> Value {
        let flag = object.find("IsPersonAccount").map(|(flag, _)| flag);
        let row = RecordId::parse(id).ok().and_then(|id| self.snapshot.row(id));
        let person = row.zip(flag).is_some_and(|(row, flag)| row.value(flag) == crate::value::Value::Bool(true));
        Value::Object(self.changes(object, person))
    }

    /// New values for a few fields. Of an account, a business has none of a person's, and a person's name comes by itself.
    fn changes(&mut self, object: &Object, person: bool) -> Record {
        let barred = |field: &Field| match object.name.as_str() {
            "Account" if person => field.name_field,
            "Account" => contact_field(field).is_some(),
            _ => false,
        };
        let fields = object.fields().iter().filter(|field| values::is_open(field) && !barred(field));
        let open: Vec<_> = fields.collect();
        let number = 1 + self.history.random.below(4);
        let mut record = Record::new();
        for _ in 0..number {
            let Some(field) = self.history.random.pick(&open) else { break };
            let null = field.nillable && field.name != "LastName" && self.history.random.once_in(6);
            let value = if null { Some(Value::Null) } else { values::of(field, &mut self.history.random) };
            if let Some(value) = value {
                record.insert(field.name.clone(), value);
            }
        }
        record
    }
}
