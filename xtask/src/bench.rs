//! Speed and memory of an import, beside a floor in the same run.
//!
//! The method is in docs/performance.md. Nothing is asserted about time; the run fails when both tables differ.

mod columns;
mod duckdb;
mod floor;
mod idle;
pub(crate) mod memory;
mod org;
mod place;
mod product;
mod verify;
mod wide;
mod wire;

use std::{fs, path::Path, time::Duration};

use crate::{
    Failure,
    command::{cargo, succeed},
    emulated::EmulatedOrg,
    named_values,
};
use duckdb::DuckDb;
use place::{Place, Server};
use product::Product;
use wire::Wire;

pub(crate) const HELP: &str = "\
Imports contacts with 30 fields by Bulk API 2.0 into SQLite, into PostgreSQL and into Parquet files, beside a floor: curl of
the same result pages, then sqlite3 .import of them, or psql \\copy into a typed table and the same merge, or DuckDB's COPY
into Parquet. Then makes certificates of such imports, imports an object of 800 fields, and syncs ten objects in which
nothing has changed; then asks the emulated org alone, with curl. Prints wall times, their ratio, peak memory, requests and
CPU time, as the tables of docs/performance.md. Needs curl, sqlite3, PostgreSQL's programs and Python, for which DuckDB is
installed; 5,000,000 rows need about 20 GB of free disk.

Usage: cargo xtask bench [--rows <number>,<number>…] [--only <part>,<part>…] [--wide-rows <number>]

--rows       how many contacts, one run for each; default 100000,1000000,5000000. Some of them are deleted ones, which
             neither side reads
--only       sqlite, postgres, parquet: these destinations alone; plain, gzip: result pages as they are or packed;
             verify, wide, idle, org: these measurements alone
--wide-rows  how many rows of 800 fields; default 20000
";

const DEFAULT_ROWS: &str = "100000,1000000,5000000";
const DEFAULT_WIDE_ROWS: u64 = 20_000;
const PLACES: [&str; 3] = ["sqlite", "postgres", "parquet"];
const PAGES: [&str; 2] = ["plain", "gzip"];
/// Measurements that are no loads of contacts.
const ALONE: [&str; 4] = ["verify", "wide", "idle", "org"];

/// What is measured.
struct Chosen<'a>(Vec<&'a str>);

impl Chosen<'_> {
    /// Whether this place is wanted.
    fn has_place(&self, place: &str) -> bool {
        !self.names_any(&PLACES) || self.0.contains(&place)
    }

    /// Whether a load from such pages is wanted: unless measurements alone are.
    fn has_load(&self, pages: &str) -> bool {
        !self.names_any(&ALONE) && (!self.names_any(&PAGES) || self.0.contains(&pages)) || self.0.contains(&pages)
    }

    /// Whether a measurement is wanted that stands alone.
    fn has(&self, measurement: &str) -> bool {
        !self.names_any(&ALONE) && !self.names_any(&PAGES) && !self.names_any(&PLACES) || self.0.contains(&measurement)
    }

    fn names_any(&self, parts: &[&str]) -> bool {
        self.0.iter().any(|named| parts.contains(named))
    }
}

/// One load of contacts.
struct Trial<'a> {
    program: &'a Path,
    place: Place<'a>,
    is_packed: bool,
    rows: u64,
    folder: &'a Path,
}

/// What one run showed.
struct Figures {
    rows: u64,
    product: product::Import,
    /// From the first request for results to the end of the program.
    product_took: Duration,
    floor: floor::Load,
}

pub(crate) fn run(root: &Path, options: &[String]) -> Result<(), Failure> {
    let (mut sizes, mut wide_rows, mut only) = (DEFAULT_ROWS, DEFAULT_WIDE_ROWS, Vec::new());
    for (name, value) in named_values(options, &["--rows", "--only", "--wide-rows"])? {
        match name {
            "--rows" => sizes = value,
            "--only" => only = value.split(',').collect(),
            _ => wide_rows = value.parse().map_err(|_| Failure::new("--wide-rows takes a number"))?,
        }
    }
    let parts = [&PLACES[..], &PAGES, &ALONE].concat();
    if let Some(unknown) = only.iter().find(|part| !parts.contains(part)) {
        return Err(Failure::new(format!("--only {unknown}: there are {}", parts.join(", "))));
    }
    let sizes: Result<Vec<u64>, _> = sizes.split(',').map(str::parse).collect();
    let sizes = sizes.map_err(|_| Failure::new("--rows takes numbers, separated by commas"))?;
    let chosen = Chosen(only);

    succeed(cargo(root).args(["build", "--release", "--package", "orgtide"]))?;
    let program = product::release_build()?;
    let server = Server::start()?;
    let duckdb = DuckDb::install(root)?;
    let folder = root.join("target/bench/run");
    let places = [Place::Sqlite, Place::Postgres(&server), Place::Parquet(&duckdb)];
    let places: Vec<Place<'_>> = places.into_iter().filter(|place| chosen.has_place(place.name())).collect();
    let load = Loads { program: &program, places: &places, chosen: &chosen, folder: &folder };
    load.run(&sizes)?;
    if chosen.has("verify") {
        verify::run(&program, &places, &sizes, &folder)?;
    }
    if chosen.has("wide") {
        wide::run(&program, &places, wide_rows, &folder)?;
    }
    if chosen.has("idle") {
        idle::run(&program, &places, &folder)?;
    }
    if chosen.has("org") {
        org::run(&program, &folder)?;
    }
    Ok(())
}

/// All loads of contacts that are wanted.
struct Loads<'a> {
    program: &'a Path,
    places: &'a [Place<'a>],
    chosen: &'a Chosen<'a>,
    folder: &'a Path,
}

impl Loads<'_> {
    fn run(&self, sizes: &[u64]) -> Result<(), Failure> {
        let mut table = String::from(
            "| rows | into | pages | orgtide | floor | ratio | rows/s | peak memory | API calls |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for rows in sizes {
            for place in self.places {
                for is_packed in [false, true] {
                    let pages = if is_packed { "gzip" } else { "plain" };
                    if !self.chosen.has_load(pages) {
                        continue;
                    }
                    let trial =
                        Trial { program: self.program, place: *place, is_packed, rows: *rows, folder: self.folder };
                    let figures = in_fresh_folder(self.folder, || trial.run())?;
                    table.push_str(&figures.line(&trial));
                    println!("\n{table}");
                }
            }
        }
        Ok(())
    }
}

/// Works in an empty folder, and leaves none.
fn in_fresh_folder<T>(folder: &Path, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let done = work()?;
    fs::remove_dir_all(folder)?;
    Ok(done)
}

/// Starts the org of a scenario.
fn start_org(program: &Path, folder: &Path, scenario: &str) -> Result<EmulatedOrg, Failure> {
    let path = folder.join("scenario.toml");
    fs::write(&path, format!("{}{scenario}", include_str!("bench/scenario.toml")))?;
    EmulatedOrg::start(program, &path, folder)
}

impl Trial<'_> {
    fn run(&self) -> Result<Figures, Failure> {
        let Self { place, folder, rows, .. } = *self;
        let org = start_org(self.program, folder, &format!("\n[rows]\nContact = {rows}\n"))?;
        let wire = Wire::sign_in(&org, self.is_packed)?;
        place.prepare()?;

        println!("{rows} rows into {}: orgtide", place.name());
        let product = Product { program: self.program, org: &org, folder, is_packed: self.is_packed };
        product.connect()?;
        let fields: Vec<&str> = columns::names().collect();
        let import = product.import(
            &["Contact", "--read", "bulk", &format!("--fields={}", fields.join(","))],
            &place.address(folder)?,
        )?;
        let (first, now) = wire.first_results()?;
        // The org's clock runs with ours; the difference is a time of day and may pass midnight.
        let product_took =
            Duration::from_secs_f64((now - first).rem_euclid(86_400.0)).saturating_sub(import.ended.elapsed());

        println!("{rows} rows into {}: floor", place.name());
        let results = wire.complete_job(&columns::query())?;
        let floor = floor::load(&wire, &results, place, folder)?;

        let (ours, theirs) = (place.contents(place::OURS, folder)?, place.contents(place::FLOOR, folder)?);
        if ours != theirs || ours.rows == 0 {
            return Err(Failure::new(format!("the tables differ: {ours:?} here, {theirs:?} by the floor")));
        }
        Ok(Figures { rows: ours.rows, product: import, product_took, floor })
    }
}

impl Figures {
    fn line(&self, trial: &Trial<'_>) -> String {
        let ours = self.product_took.as_secs_f64();
        let (fetch, import) = (self.floor.fetch_took.as_secs_f64(), self.floor.import_took.as_secs_f64());
        format!(
            "| {} | {} | {} | {ours:.2} s | {fetch:.2} + {import:.2} = {:.2} s | {:.2} | {:.0} | {:.0} MiB | {} |\n",
            self.rows,
            trial.place.name(),
            if trial.is_packed { "gzip" } else { "plain" },
            fetch + import,
            ours / (fetch + import),
            self.rows as f64 / ours,
            self.product.peak_kib as f64 / 1024.0,
            self.product.api_calls,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_narrows_its_own_kind_and_measurements_stand_alone() {
        let chosen = |only: &[&'static str]| Chosen(only.to_vec());
        let loads = |only: &[&'static str], place: &str, pages: &str| {
            chosen(only).has_place(place) && chosen(only).has_load(pages)
        };
        assert!(loads(&[], "sqlite", "gzip"));
        assert!(loads(&["postgres"], "postgres", "gzip") && !loads(&["postgres"], "sqlite", "gzip"));
        assert!(loads(&["plain"], "sqlite", "plain") && !loads(&["plain"], "sqlite", "gzip"));
        assert!(!loads(&["wide"], "sqlite", "plain") && loads(&["wide", "plain"], "sqlite", "plain"));
        assert!(!loads(&["wide", "plain"], "sqlite", "gzip"));
        let alone = |only: &[&'static str], part: &str| chosen(only).has(part);
        assert!(alone(&[], "idle") && alone(&["idle"], "idle"));
        assert!(!alone(&["postgres"], "idle") && !alone(&["wide"], "idle"));
        assert!(alone(&["verify", "parquet"], "verify") && !loads(&["verify", "parquet"], "parquet", "plain"));
        assert!(!chosen(&["verify", "parquet"]).has_place("sqlite"));
    }
}
