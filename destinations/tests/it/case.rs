//! A case: calls to a destination in order, and the rows that must be there.

mod removal;

use std::collections::BTreeMap;

use destinations::{
    DestinationSettings,
    matching::{self, Decider, Decision, Match, MatchStatus},
};
use serde::Deserialize;
use serde_json::Value;
use sync::{
    ApiVersion, Timestamp,
    checkpoint::{Asked, Checkpoint, Epoch, Position, Window},
    destination::{Destination, DestinationError},
    matching::Matching,
    table::{Column, ColumnType, DeleteMode, Deletion, Patch, StreamKey, TableBatch, TableSchema},
};

use crate::{
    foresight::{self, Ahead},
    reading,
    rows::{Row, batch_of, expanded, read_json, record_batch},
};

impl Case {
    /// Whether it can only be run where there is SQL.
    pub(crate) fn needs_sql(&self) -> bool {
        let by_step = |step: &Step| match step {
            Step::Sql(_) => true,
            Step::Prepare(Prepare { table: Some(table), .. }) => table.matching.is_some(),
            _ => false,
        };
        self.table.matching.is_some() || self.steps.iter().any(by_step)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    table: Table,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    name: String,
    columns: Vec<(String, ColumnType)>,
    id: String,
    version: Option<String>,
    #[serde(default)]
    deletes: DeleteMode,
    stream: Option<String>,
    #[serde(default)]
    sweeps: bool,
    #[serde(rename = "match")]
    matching: Option<Matching>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::large_enum_variant, reason = "a case has few steps")]
enum Step {
    Prepare(Prepare),
    Write(Write),
    /// Closes every runner.
    Reopen,
    Remove(removal::Remove),
    HandOver(removal::HandOver),
    /// Somebody's own SQL, such as every destination that has any understands.
    Sql(String),
    Decide(Decide),
    Retry(Retry),
    /// The links of the case's stream, by record.
    Links(Vec<Link>),
    Foresee(Foresee),
    Expect(Expect),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prepare {
    #[serde(default)]
    runner: String,
    #[serde(default = "acme")]
    connection: String,
    #[serde(default = "org")]
    org: String,
    #[serde(default = "installation")]
    installation: String,
    #[serde(default = "one")]
    epoch: i64,
    table: Option<Table>,
    /// Another stream into the case's table.
    stream: Option<String>,
    /// The position of the checkpoint that must be given back; not looked at when the stream was prepared before in
    /// the same case and nothing is said.
    checkpoint: Option<String>,
    /// Columns that the checkpoint must not count as filled any more.
    #[serde(default)]
    forgotten: Vec<String>,
    /// The checkpoint must be one that makes everything be read anew.
    #[serde(default)]
    anew: bool,
    refused: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    #[serde(default)]
    runner: String,
    #[serde(default = "one")]
    epoch: i64,
    #[serde(default)]
    rows: Vec<Row>,
    #[serde(default)]
    deletes: Vec<Delete>,
    patch: Option<PatchRows>,
    /// Keys of rows that the reading has named and leaves as they are.
    #[serde(default)]
    named: Vec<String>,
    /// The rows replace newer ones as well.
    #[serde(default)]
    overrules: bool,
    #[serde(default)]
    position: String,
    /// The generation of a reading that sweeps.
    sweep: Option<i64>,
    /// The window is there, whole.
    #[serde(default)]
    complete: bool,
    /// How many rows must have been swept.
    #[serde(default)]
    swept: u64,
    /// How many records must have been linked, how many must have found no row, and how many several.
    #[serde(default)]
    matched: [u64; 3],
    /// The rows are older than those that are there: what is foreseen of them does not come true.
    #[serde(default)]
    unforeseen: bool,
    refused: Option<Refusal>,
}

/// What a run would make of rows; nothing is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Foresee {
    table: Option<Table>,
    rows: Vec<Row>,
    #[serde(default)]
    becomes: Vec<Value>,
    /// What the refusal has to say.
    refused: Option<String>,
}

/// What a person says of a record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    record: String,
    /// The key of the row that it stands for; `null`: none.
    link: Option<String>,
    /// What the refusal has to say.
    refused: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Retry {
    #[serde(default)]
    records: Vec<String>,
    matched: [u64; 3],
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    record: String,
    status: MatchStatus,
    key: Option<String>,
    #[serde(default)]
    candidates: Vec<String>,
    by: Option<String>,
    #[serde(default)]
    gone: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    id: String,
    version: Option<Timestamp>,
}

/// The rows of a connection are removed for good.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchRows {
    columns: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    table: Option<String>,
    /// The columns by which the rows are in order; those of the key when nothing is said.
    #[serde(default = "of_key")]
    order: Vec<String>,
    rows: Vec<Row>,
    /// The rows of a destination that cannot hold them as they are, by the destination's name.
    #[serde(default)]
    on: BTreeMap<String, Vec<Row>>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Refusal {
    Fenced,
    Incompatible,
}

fn acme() -> String {
    "acme".to_owned()
}

pub(crate) fn of_key() -> Vec<String> {
    ["_connection", "Id"].map(str::to_owned).to_vec()
}

fn org() -> String {
    "00D000000000001".to_owned()
}

fn installation() -> String {
    "ins_1".to_owned()
}

fn one() -> i64 {
    1
}

/// A place to run cases against, empty at first.
pub(crate) trait Place {
    /// As cases name the kind of destination.
    fn name(&self) -> &'static str;

    fn open(&self) -> Box<dyn Destination>;

    /// The destination as people name it.
    fn settings(&self) -> DestinationSettings;

    /// All rows in this order, spelled as cases do; `kinds` are the columns' types where the case names them.
    fn rows(&self, table: &str, order: &[String], kinds: &BTreeMap<String, ColumnType>) -> Vec<Row>;

    /// Every table with its rows.
    fn everything(&self) -> Vec<String>;

    /// Whether there is any SQL, and so anything that it can do to tables or be matched with.
    fn has_sql(&self) -> bool {
        true
    }

    /// Runs somebody's own SQL where the tables are.
    fn sql(&self, statement: &str);

    /// Columns of Orgtide's own that are not among the rows here.
    fn lacks(&self) -> &'static [&'static str] {
        &[]
    }
}

impl Case {
    /// It is about tables that others change by hand, or that records are matched with.
    pub(crate) fn needs_tables(&self) -> bool {
        let is_matched = |step: &Step| matches!(step, Step::Prepare(prepare) if prepare.table.as_ref().is_some_and(|table| table.matching.is_some()));
        self.table.matching.is_some()
            || self.steps.iter().any(|step| match step {
                Step::Sql(statement) => !statement.contains("_orgtide_checkpoints"),
                Step::Decide(_) | Step::Retry(_) | Step::Links(_) | Step::Foresee(_) => true,
                step => is_matched(step),
            })
    }
}

struct Runner {
    destination: Box<dyn Destination>,
    stream: StreamKey,
    table: TableSchema,
}

/// Checkpoints as they were written last, by stream and by the position that tells them apart.
type Saved = BTreeMap<(String, Option<String>, String), Checkpoint>;

/// Runs a case.
///
/// # Panics
/// Where the destination departs from it.
pub(crate) async fn run(case: &Case, place: &dyn Place) {
    let mut runners: BTreeMap<String, Runner> = BTreeMap::new();
    let mut kinds: BTreeMap<String, ColumnType> = BTreeMap::new();
    let mut saved = Saved::new();
    for (index, step) in case.steps.iter().enumerate() {
        match step {
            Step::Prepare(prepare) => {
                let table = prepare.table.as_ref().unwrap_or(&case.table);
                if prepare.refused.is_none() {
                    kinds.extend(table.columns.iter().cloned());
                }
                run_prepare(prepare, table, &mut runners, place, &saved, index).await;
            }
            Step::Write(write) => {
                run_write(write, &mut runners, place, &mut saved, index).await;
                if let Some(runner) = runners.get_mut(&write.runner).filter(|_| write.refused.is_none()) {
                    let Runner { destination, stream, table } = runner;
                    reading::assert_same(place, (&mut **destination, stream, table), &kinds, index).await;
                }
            }
            Step::Reopen => {
                for runner in std::mem::take(&mut runners).into_values() {
                    runner.destination.close().await.unwrap();
                }
            }
            Step::Remove(remove) => removal::run_remove(remove, &case.table, place, index).await,
            Step::HandOver(given) => removal::run_hand_over(given, &case.table, place, index).await,
            Step::Sql(statement) => place.sql(statement),
            Step::Expect(expect) => {
                let table = expect.table.as_ref().unwrap_or(&case.table.name);
                let rows = expect.on.get(place.name()).unwrap_or(&expect.rows);
                let expected = rows.iter().map(|row| {
                    let mut row = read_json(expanded(row), &kinds);
                    row.retain(|name, _| !place.lacks().contains(&name.as_str()));
                    row
                });
                let actual = place.rows(table, &expect.order, &kinds).into_iter().map(|row| read_json(row, &kinds));
                assert_eq!(
                    actual.collect::<Vec<_>>(),
                    expected.collect::<Vec<_>>(),
                    "rows of {table} at step {index} on {}",
                    place.name()
                );
            }
            Step::Foresee(foresee) => run_foresee(foresee, &case.table, place, index).await,
            Step::Decide(decide) => run_decide(decide, &case.table, place, index).await,
            Step::Retry(retry) => {
                let stream = case.table.stream("acme");
                let tried = matching::retry(&place.settings(), &stream, &retry.records, Timestamp(0)).await.unwrap();
                assert_eq!([tried.matched, tried.unmatched, tried.ambiguous], retry.matched, "retried at step {index}");
            }
            Step::Links(expected) => {
                let links = matching::list(&place.settings(), &case.table.stream("acme"), None, 100).await.unwrap();
                let mut links: Vec<Link> = links.into_iter().map(Link::from).collect();
                links.sort_by(|one, other| one.record.cmp(&other.record));
                assert_eq!(&links, expected, "links at step {index}");
            }
        }
    }
}

async fn run_foresee(foresee: &Foresee, table: &Table, place: &dyn Place, index: usize) {
    let table = foresee.table.as_ref().unwrap_or(table);
    let rows: Vec<Row> = foresee.rows.iter().map(expanded).collect();
    let foreseen = foresight::look(place, (&table.stream("acme"), &table.schema()), &rows).await;
    match (&foresee.refused, foreseen) {
        (None, foreseen) => {
            let foreseen = foreseen.unwrap_or_else(|error| panic!("step {index}: {error}"));
            let foreseen = serde_json::to_value(foreseen).unwrap();
            assert_eq!(foreseen, Value::from(foresee.becomes.clone()), "foreseen at step {index} on {}", place.name());
        }
        (Some(words), Err(error)) => assert!(error.to_string().contains(words), "step {index}: {error}"),
        (Some(_), Ok(foreseen)) => panic!("step {index}: foreseen {foreseen:?}"),
    }
}

async fn run_decide(decide: &Decide, table: &Table, place: &dyn Place, index: usize) {
    let decision = decide.link.clone().map_or(Decision::Ignore, Decision::Link);
    let decider = Decider { name: "ada", at: Timestamp(0) };
    let decided = matching::decide(&place.settings(), &table.stream("acme"), &decide.record, decision, decider).await;
    match (&decide.refused, decided) {
        (None, decided) => drop(decided.unwrap_or_else(|error| panic!("step {index}: {error}"))),
        (Some(words), Err(error)) => assert!(error.to_string().contains(words), "step {index}: {error}"),
        (Some(_), Ok(decided)) => panic!("step {index}: decided {decided:?}"),
    }
}

impl From<Match> for Link {
    fn from(link: Match) -> Self {
        let Match { record, status, their_key: key, candidates, decided_by: by, gone, changed_at: _ } = link;
        Self { record, status, key, candidates, by, gone }
    }
}

async fn run_prepare(
    prepare: &Prepare,
    table: &Table,
    runners: &mut BTreeMap<String, Runner>,
    place: &dyn Place,
    saved: &Saved,
    index: usize,
) {
    let schema = TableSchema { stream: prepare.stream.clone().or(table.stream.clone()), ..table.schema() };
    let stream = StreamKey {
        org: prepare.org.clone(),
        installation: prepare.installation.clone(),
        stream: schema.stream.clone(),
        ..table.stream(&prepare.connection)
    };
    let is_again = runners.contains_key(&prepare.runner);
    let opened = || Runner { destination: place.open(), stream: stream.clone(), table: schema.clone() };
    let runner = runners.entry(prepare.runner.clone()).or_insert_with(opened);
    runner.table = schema.clone();
    let prepared = runner.destination.prepare(&stream, &schema, Epoch(prepare.epoch)).await;
    if let Some(refusal) = &prepare.refused {
        assert_refused(prepared.map(drop), refusal, index);
        return;
    }
    let given = prepared.unwrap_or_else(|error| panic!("step {index}: {error}"));
    if prepare.checkpoint.is_some() || !is_again {
        assert_eq!(given, prepare.expected(&stream, saved), "checkpoint at step {index}");
    }
}

impl Prepare {
    /// The checkpoint that must be given back.
    fn expected(&self, stream: &StreamKey, saved: &Saved) -> Option<Checkpoint> {
        let position = self.checkpoint.clone()?;
        let mut expected = saved[&(stream.connection.clone(), stream.stream.clone(), position)].clone();
        expected.asked.columns.retain(|column, _| !self.forgotten.contains(column));
        if self.anew {
            expected.asked = Asked::default();
        }
        Some(expected)
    }
}

async fn run_write(
    write: &Write,
    runners: &mut BTreeMap<String, Runner>,
    place: &dyn Place,
    saved: &mut Saved,
    index: usize,
) {
    let runner = runners.get_mut(&write.runner).expect("a case prepares before it writes");
    let rows: Vec<Row> = write.rows.iter().map(expanded).collect();
    let deletes =
        write.deletes.iter().map(|delete| Deletion { id: delete.id.clone(), version: delete.version }).collect();
    let patch = write.patch.as_ref().map(|patch| patch.of(&runner.table));
    let upserts = record_batch(&runner.table, &rows);
    let (named, overrules) = (write.named.clone(), write.overrules);
    let batch = TableBatch { upserts, deletes, patch, named, overrules };
    let resume = write.resume(&runner.table);
    let is_foreseen = write.refused.is_none() && !write.unforeseen && !rows.is_empty();
    let ahead = if is_foreseen { Ahead::of(place, (&runner.stream, &runner.table), &rows).await } else { None };
    let written = runner.destination.write(batch, &resume, Epoch(write.epoch)).await;
    match &write.refused {
        Some(refusal) => assert_refused(written.map(drop), refusal, index),
        None => {
            let written = written.unwrap_or_else(|error| panic!("step {index}: {error}"));
            assert_eq!(written.swept, write.swept, "rows swept at step {index}");
            let matched = [written.matched, written.unmatched, written.ambiguous];
            assert_eq!(matched, write.matched, "records matched at step {index}");
            if let Some(ahead) = ahead {
                ahead.assert_came_true(place, &runner.stream, index).await;
            }
            let StreamKey { connection, stream, .. } = &runner.stream;
            saved.insert((connection.clone(), stream.clone(), write.position.clone()), resume);
        }
    }
}

impl Write {
    fn resume(&self, table: &TableSchema) -> Checkpoint {
        let resume = checkpoint(&self.position);
        let columns = table.columns.iter().map(|column| (column.name.clone(), format!("{:?}", column.kind))).collect();
        Checkpoint {
            asked: Asked { scope: "everything".to_owned(), columns },
            at: if self.complete { Position::Complete } else { resume.at },
            sweep: self.sweep,
            ..resume
        }
    }
}

impl PatchRows {
    fn of(&self, table: &TableSchema) -> Patch {
        let index = |name: &String| {
            table.columns.iter().position(|column| column.name == *name).expect("a case names its own columns")
        };
        let columns: Vec<usize> = self.columns.iter().map(index).collect();
        let named: Vec<&Column> = columns.iter().map(|index| &table.columns[*index]).collect();
        let rows: Vec<Row> = self.rows.iter().map(expanded).collect();
        Patch { rows: batch_of(&named, &rows), columns }
    }
}

fn assert_refused(outcome: Result<(), DestinationError>, refusal: &Refusal, index: usize) {
    let error = outcome.expect_err("the case says that this is refused");
    let actual = match &error {
        DestinationError::Fenced { .. } => Refusal::Fenced,
        DestinationError::Incompatible { .. } => Refusal::Incompatible,
        other => panic!("step {index}: {other}"),
    };
    assert_eq!(&actual, refusal, "step {index}: {error}");
}

impl Table {
    fn stream(&self, connection: &str) -> StreamKey {
        StreamKey {
            connection: connection.to_owned(),
            org: org(),
            installation: installation(),
            object: self.name.clone(),
            table: self.name.clone(),
            stream: self.stream.clone(),
        }
    }

    fn schema(&self) -> TableSchema {
        let index = |name: &String| {
            self.columns.iter().position(|(column, _)| column == name).expect("a case names its own columns")
        };
        TableSchema {
            name: self.name.clone(),
            columns: self.columns.iter().map(|(name, kind)| Column { name: name.clone(), kind: *kind }).collect(),
            id: index(&self.id),
            version: self.version.as_ref().map(index),
            deletes: self.deletes,
            stream: self.stream.clone(),
            sweeps: self.sweeps,
            matching: self.matching.clone(),
        }
    }
}

/// A checkpoint that is told from others by its position.
pub(crate) fn checkpoint(last_id: &str) -> Checkpoint {
    let window = Window { from: None, until: Timestamp(1_727_148_367_000) };
    Checkpoint::new(window, Asked::default(), ApiVersion(66), Position::Query { last_id: last_id.to_owned() })
}
