//! The same random rows in an emulated org and in SQLite.

use emulator::database::{Author, Database};
use emulator::ids::RecordId;
use emulator::schema::{FullAccess, ObjectSpec, Schema};
use emulator::value::Timestamp;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value as Json, json};

use super::ask::{DAYS, Random, TEXTS, TIMES};
use super::model::{Field, Kind, PICKLIST, TABLES, TAGS};

const NOW: &str = "2026-11-21T10:00:00Z";
const ROWS: [usize; 3] = [8, 40, 120];
const DELETED_ONE_IN: usize = 12;

/// Rows, and what answers questions about them.
pub(super) struct World {
    pub database: Database,
    pub ids: Vec<Vec<String>>,
    pub now: Timestamp,
    sqlite: Connection,
}

impl World {
    pub(super) fn create(random: &mut Random) -> Self {
        let now = Timestamp::parse(NOW).unwrap();
        let mut world = Self { database: Database::new(schema(), 1), ids: Vec::new(), now, sqlite: sqlite() };
        for (table, rows) in ROWS.into_iter().enumerate() {
            world.ids.push(Vec::new());
            for number in 0..rows {
                world.insert(table, number, random);
            }
        }
        world
    }

    fn author(&self) -> Author<'static> {
        Author { user: RecordId::parse("005gL0000000001").unwrap(), at: self.now, access: &FullAccess }
    }

    fn insert(&mut self, table: usize, number: usize, random: &mut Random) {
        let mut record = Map::new();
        let mut row: Vec<(&str, Sql)> = Vec::new();
        for field in TABLES[table].fields.iter().filter(|field| field.kind != Kind::Id) {
            let (json, sql) = self.value(table, field, number, random);
            record.insert(field.name.to_owned(), json);
            row.push((field.column, sql));
        }
        let id = self.database.insert(TABLES[table].object, &record, &self.author()).unwrap();
        let is_deleted = random.one_in(DELETED_ONE_IN);
        if is_deleted {
            self.database.delete(id, &self.author()).unwrap();
        }
        row.push(("id", Sql::Text(id.to_string())));
        row.push(("deleted", Sql::Integer(i64::from(is_deleted))));
        let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
        let places: Vec<String> = (1..=row.len()).map(|place| format!("?{place}")).collect();
        let insert =
            format!("INSERT INTO {} ({}) VALUES ({})", TABLES[table].table, columns.join(", "), places.join(", "));
        self.sqlite.execute(&insert, params_from_iter(row.into_iter().map(|(_, value)| value))).unwrap();
        if !is_deleted {
            self.ids[table].push(id.to_string());
        }
    }

    fn value(&self, table: usize, field: &Field, number: usize, random: &mut Random) -> (Json, Sql) {
        let text = |text: String| (json!(text), Sql::Text(text));
        if field.name == "Name" {
            return text(format!("{} {}", random.of(&TEXTS), random.below(8)));
        }
        if field.kind == Kind::Code {
            // Two rows differ by case alone.
            return text(format!("{}{}", if number.is_multiple_of(2) { "c" } else { "C" }, number / 2));
        }
        if field.kind != Kind::Bool && random.one_in(5) {
            return (Json::Null, Sql::Null);
        }
        match field.kind {
            Kind::Text | Kind::Code => text((*random.of(&TEXTS)).to_owned()),
            Kind::Picklist => text((*random.of(&PICKLIST)).to_owned()),
            Kind::Tags => {
                let chosen: Vec<&str> = TAGS.into_iter().filter(|_| random.one_in(2)).collect();
                if chosen.is_empty() { (Json::Null, Sql::Null) } else { text(chosen.join(";")) }
            }
            Kind::Int => {
                let number = random.below(11) as i64 - 3;
                (json!(number), Sql::Integer(number))
            }
            Kind::Cents => {
                let cents = random.below(33) as i64 * 25 - 250;
                let sign = if cents < 0 { "-" } else { "" };
                (json!(format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)), Sql::Integer(cents))
            }
            Kind::Bool => {
                let value = random.one_in(2);
                (json!(value), Sql::Integer(i64::from(value)))
            }
            Kind::Date => text((*random.of(&DAYS)).to_owned()),
            Kind::DateTime => {
                let time = format!("{}T{}", random.of(&DAYS), random.of(&TIMES));
                (json!(format!("{time}Z")), Sql::Text(time))
            }
            Kind::Id | Kind::Reference => text(random.of(&self.ids[table - 1]).clone()),
        }
    }

    /// The rows of a statement.
    pub(super) fn ask(&self, sql: &str, parameters: &[&str]) -> Vec<Vec<Sql>> {
        let mut statement = self.sqlite.prepare(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
        let columns = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
        let rows = statement.query_map(params_from_iter(parameters), read).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
}

fn schema() -> Schema {
    let mut schema = Schema::default();
    for (index, table) in TABLES.iter().enumerate() {
        let fields = table.fields.iter().filter(|field| !["Id", "Name"].contains(&field.name));
        let fields: Vec<Json> = fields
            .map(|field| {
                let mut spec = json!({"name": field.name, "type": kind(field.kind)});
                match field.kind {
                    Kind::Picklist => spec["picklist"] = json!(PICKLIST),
                    Kind::Tags => spec["picklist"] = json!(TAGS),
                    Kind::Code => spec["case_sensitive"] = json!(true),
                    Kind::Reference => {
                        spec["reference_to"] = json!([TABLES[index - 1].object]);
                        spec["child_relationship"] = json!(table.children);
                    }
                    _ => {}
                }
                spec
            })
            .collect();
        let spec = json!({"name": table.object, "fields": fields});
        schema.declare(&serde_json::from_value::<ObjectSpec>(spec).unwrap()).unwrap();
    }
    schema
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Code => "string",
        Kind::Picklist => "picklist",
        Kind::Tags => "multipicklist",
        Kind::Int => "int",
        Kind::Cents => "currency",
        Kind::Bool => "boolean",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Id => "id",
        Kind::Reference => "reference",
    }
}

fn sqlite() -> Connection {
    let sqlite = Connection::open_in_memory().unwrap();
    for table in &TABLES {
        let columns: Vec<&str> = table.fields.iter().map(|field| field.column).collect();
        let columns = format!("{}, deleted", columns.join(", "));
        sqlite.execute(&format!("CREATE TABLE {} ({columns})", table.table), ()).unwrap();
    }
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let fold = |context: &rusqlite::functions::Context<'_>| {
        Ok(context.get::<Option<String>>(0)?.map(|text| text.to_lowercase()))
    };
    sqlite.create_scalar_function("fold", 1, flags, fold).unwrap();
    let average = |context: &rusqlite::functions::Context<'_>| {
        let (sum, count, places) = (context.get::<Option<i64>>(0)?, context.get::<i64>(1)?, context.get::<u32>(2)?);
        // From the sum's decimal text, so that it is the nearest binary number.
        Ok(sum.map(|sum| {
            let one = 10_i64.pow(places);
            let sign = if sum < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:0places$}", sum.abs() / one, sum.abs() % one, places = places as usize);
            text.trim_end_matches('.').parse::<f64>().unwrap() / count as f64
        }))
    };
    sqlite.create_scalar_function("average", 3, flags, average).unwrap();
    sqlite
}
