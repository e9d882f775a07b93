//! Random questions, answered by the emulated org and by SQLite over the same rows: the answers are the same.
//!
//! `model` is what can be asked, `soql` and `sql` write it in either language and know nothing of each other, nor of the
//! emulator.

mod ask;
mod data;
mod model;
mod soql;
mod sql;

use std::sync::Arc;

use emulator::database::Snapshot;
use emulator::schema::FullAccess;
use emulator::soql::{Cut, Plan, ResultSet, RowScope};
use rusqlite::types::Value as Sql;
use serde_json::Value as Json;

use ask::{Asker, Random};
use data::World;
use model::{Function, Groups, Kind, Measure, Operand, PICKLIST, Question, Shape, TABLES};

/// Questions in a slice and at full length.
const SLICE: usize = 600;
const FULL: usize = 20_000;
/// Questions over one set of rows.
const PER_WORLD: usize = 200;

/// A value as both sides show it.
#[derive(Clone, Debug, PartialEq)]
enum Shown {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    List(Vec<Vec<Shown>>),
}

#[test]
fn queries_are_answered_as_sqlite_answers_them() {
    let is_full = std::env::var("ORGTIDE_PROOF").is_ok_and(|proof| proof == "full");
    let seed = std::env::var("ORGTIDE_PROOF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let questions = if is_full { FULL } else { SLICE };
    let mut random = Random(seed);
    let (mut records, mut groups, mut with_rows) = (0, 0, 0);
    for number in 0..questions.div_ceil(PER_WORLD) {
        let world = World::create(&mut random);
        for _ in 0..PER_WORLD.min(questions - number * PER_WORLD) {
            let question = Asker { random: &mut random, ids: &world.ids }.question();
            let rows = check(&world, &question, &mut random, seed);
            with_rows += usize::from(rows > 0);
            match question.shape {
                Shape::Groups(_) => groups += 1,
                Shape::Records { .. } | Shape::Count => records += 1,
            }
        }
    }
    assert!(with_rows * 2 > questions, "only {with_rows} of {questions} answers have rows");
    println!(
        "proof: soql against sqlite: {questions} queries, {records} of records, {groups} of groups, {with_rows} with rows, 0 \
         differences"
    );
}

/// Asks both sides; returns how many rows they answer with.
fn check(world: &World, question: &Question, random: &mut Random, seed: u64) -> usize {
    let soql = soql::Soql::new(random).question(question);
    let sql = sql::question(question);
    let asked = || format!("seed {seed}\n{soql}\n{sql}");
    let scope = if question.deleted { RowScope::All } else { RowScope::Live };
    let snapshot = world.database.snapshot();
    let plan = Plan::compile(&soql, snapshot.schema(), &FullAccess, scope, world.now);
    let plan = plan.unwrap_or_else(|error| panic!("{error}\n{}", asked()));
    let results = Arc::new(plan).execute(snapshot.clone());
    if matches!(question.shape, Shape::Count) {
        let total = world.ask(&sql, &[])[0][0].clone();
        assert_eq!(Sql::Integer(i64::try_from(results.total()).unwrap()), total, "{}", asked());
        return usize::from(results.total() > 0);
    }
    let cut = Cut { rows: 1 + random.below(60), child_rows: 1 + random.below(5) };
    let found = paged(&results, cut, &snapshot);
    let found: Vec<Vec<Shown>> = found.iter().map(|record| shown(question, record)).collect();
    let expected = expected(world, question, &sql, None);
    assert_eq!(results.total(), expected.len() as u64, "{}", asked());
    assert_eq!(found, expected, "{}", asked());
    expected.len()
}

/// All records of a result, page by page, with all their children.
fn paged(results: &ResultSet, cut: Cut, snapshot: &Snapshot) -> Vec<Json> {
    let mut records = Vec::new();
    let mut next = 0;
    loop {
        let mut lists = Vec::new();
        let page = results.page(next, cut, "v68.0", &mut |list, from| {
            lists.push((list, from));
            (lists.len() - 1).to_string()
        });
        let text = format!("[{}]", String::from_utf8(page.records).unwrap());
        let mut found: Vec<Json> = serde_json::from_str(&text).unwrap();
        for record in &mut found {
            complete(record, &mut |index| {
                let (list, from): &(emulator::soql::ChildList, u64) = &lists[index];
                let rest = paged(&list.find(snapshot.clone()), cut, snapshot);
                rest.into_iter().skip(usize::try_from(*from).unwrap()).collect()
            });
        }
        records.append(&mut found);
        assert!(page.next > next || page.next >= results.total(), "a page without rows");
        next = page.next;
        if next >= results.total() {
            return records;
        }
    }
}

/// Appends to every list of children what is behind its `nextRecordsUrl`.
fn complete(record: &mut Json, rest: &mut impl FnMut(usize) -> Vec<Json>) {
    for value in record.as_object_mut().into_iter().flat_map(|record| record.values_mut()) {
        let Some(list) = value.as_object_mut().filter(|value| value.contains_key("totalSize")) else { continue };
        let next = list.remove("nextRecordsUrl");
        let Some(records) = list["records"].as_array_mut() else { continue };
        for child in records.iter_mut() {
            complete(child, rest);
        }
        if let Some(next) = next {
            records.extend(rest(next.as_str().unwrap().parse().unwrap()));
        }
        let shown = records.len() as u64;
        assert_eq!(list["totalSize"], shown, "a list of children says how long it is");
    }
}

/// The values of a record, or of a group, in the order in which they are asked for.
fn shown(question: &Question, record: &Json) -> Vec<Shown> {
    match &question.shape {
        Shape::Count => Vec::new(),
        Shape::Records { columns, children, .. } => {
            let mut row: Vec<Shown> =
                columns.iter().map(|column| of_json(column.kind(), at(question.table, column, record))).collect();
            if let Some(children) = children {
                let list = &record[TABLES[children.table].children.unwrap()];
                let list = list["records"].as_array().map(Vec::as_slice).unwrap_or_default();
                row.push(Shown::List(list.iter().map(|child| shown(children, child)).collect()));
            }
            row
        }
        Shape::Groups(groups) => group_row(groups, record),
    }
}

fn at<'j>(table: usize, column: &Operand, record: &'j Json) -> &'j Json {
    let above = (0..column.up).fold(record, |record, level| &record[TABLES[table - level].parent.unwrap().0]);
    &above[column.field.name]
}

fn group_row(groups: &Groups, record: &Json) -> Vec<Shown> {
    let mut row = Vec::new();
    for (index, key) in groups.keys.iter().enumerate() {
        row.push(fold(key.kind(), of_json(key.kind(), &record[format!("k{index}")])));
        if soql::is_totalled(groups, key) {
            row.push(of_json(Kind::Int, &record[format!("g{index}")]));
        }
    }
    for (index, measure) in groups.measures.iter().enumerate() {
        row.push(of_measure(measure, &record[format!("m{index}")]));
    }
    row
}

fn of_measure(measure: &Measure, value: &Json) -> Shown {
    if measure.function == Function::Average {
        return value.as_f64().map_or(Shown::Null, Shown::Real);
    }
    let kind = sql::measured(measure);
    match (kind, value) {
        (Kind::Picklist, Json::String(text)) => {
            let place = PICKLIST.iter().position(|known| known == text).unwrap();
            Shown::Int(i64::try_from(place).unwrap())
        }
        _ => fold(kind, of_json(kind, value)),
    }
}

/// Which of several spellings a group shows is nobody's promise.
fn fold(kind: Kind, shown: Shown) -> Shown {
    match shown {
        Shown::Text(text) if matches!(kind, Kind::Text | Kind::Picklist) => Shown::Text(text.to_lowercase()),
        shown => shown,
    }
}

fn of_json(kind: Kind, value: &Json) -> Shown {
    match (kind, value) {
        (_, Json::Null) => Shown::Null,
        (Kind::Cents, Json::Number(number)) => Shown::Int((number.as_f64().unwrap() * 100.0).round() as i64),
        (_, Json::Number(number)) => Shown::Int(number.as_i64().unwrap()),
        (_, Json::Bool(value)) => Shown::Int(i64::from(*value)),
        (Kind::DateTime, Json::String(text)) => Shown::Text(text.strip_suffix(".000+0000").unwrap().to_owned()),
        (_, Json::String(text)) => Shown::Text(text.clone()),
        (_, other) => panic!("{other} is no value"),
    }
}

/// What SQLite answers; of children, those of one parent.
fn expected(world: &World, question: &Question, sql: &str, parent: Option<&str>) -> Vec<Vec<Shown>> {
    let parameters: Vec<&str> = parent.into_iter().collect();
    let mut rows = Vec::new();
    for row in world.ask(sql, &parameters) {
        let mut shown: Vec<Shown> = row.iter().map(of_sql).collect();
        if let Shape::Records { children, .. } = &question.shape {
            let Some(Shown::Text(id)) = shown.pop() else { panic!("a record has an id") };
            if let Some(children) = children {
                let mut children = children.clone();
                children.deleted = question.deleted;
                shown.push(Shown::List(expected(world, &children, &sql::children(&children), Some(&id))));
            }
        }
        rows.push(shown);
    }
    rows
}

fn of_sql(value: &Sql) -> Shown {
    match value {
        Sql::Null => Shown::Null,
        Sql::Integer(number) => Shown::Int(*number),
        // Read as the other side's JSON is, which may miss the last bit.
        Sql::Real(number) => Shown::Real(serde_json::from_str(&number.to_string()).unwrap()),
        Sql::Text(text) => Shown::Text(text.clone()),
        Sql::Blob(_) => panic!("no column holds bytes"),
    }
}
