//! Speed and memory of an import, beside a floor in the same run.
//!
//! The method is in docs/performance.md. Nothing is asserted about time; the run fails when both tables differ.

mod columns;
mod floor;
mod memory;
mod product;
mod wire;

use std::{fs, path::Path, time::Duration};

use crate::{
    Failure,
    command::{cargo, succeed},
    emulated::EmulatedOrg,
    named_values,
};
use wire::Wire;

pub(crate) const HELP: &str = "\
Imports contacts with 30 fields by Bulk API 2.0 into SQLite, beside a floor: curl of the same result pages, then
sqlite3 .import of them. Prints wall times, their ratio, peak memory and API calls, as the table of
docs/performance.md. Needs curl and sqlite3; 5,000,000 rows need about 10 GB of free disk.

Usage: cargo xtask bench [--rows <number>,<number>…]

--rows   how many contacts, one run for each; default 100000,1000000,5000000. Some of them are deleted ones, which
         neither side reads
";

const DEFAULT_ROWS: &str = "100000,1000000,5000000";

/// What one run showed.
struct Figures {
    rows: u64,
    product: product::Import,
    /// From the first request for results to the end of the program.
    product_took: Duration,
    floor: floor::Load,
}

pub(crate) fn run(root: &Path, options: &[String]) -> Result<(), Failure> {
    let options = named_values(options, &["--rows"])?;
    let sizes = options.last().map_or(DEFAULT_ROWS, |(_, sizes)| *sizes);
    let sizes: Result<Vec<u64>, _> = sizes.split(',').map(str::parse).collect();
    let sizes = sizes.map_err(|_| Failure::new("--rows takes numbers, separated by commas"))?;

    succeed(cargo(root).args(["build", "--release", "--package", "orgtide"]))?;
    let program = product::release_build()?;
    let mut table = String::from(
        "| rows | orgtide | floor: curl + .import | ratio | rows/s | peak memory | API calls |\n|---|---|---|---|---|---|---|\n",
    );
    for rows in sizes {
        let folder = root.join("target/bench").join(rows.to_string());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let figures = measure(&program, rows, &folder)?;
        fs::remove_dir_all(&folder)?;
        table.push_str(&figures.line());
        println!("\n{table}");
    }
    Ok(())
}

fn measure(program: &Path, rows: u64, folder: &Path) -> Result<Figures, Failure> {
    let scenario = folder.join("scenario.toml");
    fs::write(&scenario, include_str!("bench/scenario.toml").replace("{rows}", &rows.to_string()))?;
    let org = EmulatedOrg::start(program, &scenario, folder)?;
    let wire = Wire::sign_in(&org)?;

    println!("{rows} rows: orgtide");
    let product = product::import(program, &org, folder)?;
    let (first, now) = wire.first_results()?;
    // The org's clock runs with ours; the difference is a time of day and may pass midnight.
    let product_took =
        Duration::from_secs_f64((now - first).rem_euclid(86_400.0)).saturating_sub(product.ended.elapsed());

    println!("{rows} rows: floor");
    let results = wire.complete_job(&columns::query())?;
    let floor = floor::load(&wire, &results, folder)?;

    let (ours, theirs) = (columns::contents(&product.database)?, columns::contents(&floor.database)?);
    if ours != theirs || ours.rows == 0 {
        return Err(Failure::new(format!("the tables differ: {ours:?} here, {theirs:?} by the floor")));
    }
    Ok(Figures { rows: ours.rows, product, product_took, floor })
}

impl Figures {
    fn line(&self) -> String {
        let ours = self.product_took.as_secs_f64();
        let (fetch, import) = (self.floor.fetch_took.as_secs_f64(), self.floor.import_took.as_secs_f64());
        format!(
            "| {} | {ours:.2} s | {fetch:.2} + {import:.2} = {:.2} s | {:.2} | {:.0} | {:.0} MiB | {} |\n",
            self.rows,
            fetch + import,
            ours / (fetch + import),
            self.rows as f64 / ours,
            self.product.peak_kib as f64 / 1024.0,
            self.product.api_calls,
        )
    }
}
