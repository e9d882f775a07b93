//! A certificate over contacts that have not changed: what it asks of the org, and of this machine.

use std::path::Path;

use super::{columns, in_fresh_folder, place::Place, product::Product, start_org};
use crate::Failure;

pub(super) fn run(program: &Path, places: &[Place<'_>], sizes: &[u64], folder: &Path) -> Result<(), Failure> {
    let mut table = String::from(
        "| certificate over rows | in | depth | took | peak memory | API calls |\n|---|---|---|---|---|---|\n",
    );
    for (rows, place) in sizes.iter().flat_map(|rows| places.iter().map(move |place| (*rows, *place))) {
        let lines = in_fresh_folder(folder, || measure(program, place, rows, folder))?;
        table.push_str(&lines);
        println!("\n{table}");
    }
    Ok(())
}

fn measure(program: &Path, place: Place<'_>, rows: u64, folder: &Path) -> Result<String, Failure> {
    let org = start_org(program, folder, &format!("\n[rows]\nContact = {rows}\n"))?;
    place.prepare()?;
    let product = Product { program, org: &org, folder, is_packed: false };
    product.connect()?;
    let fields: Vec<&str> = columns::names().collect();
    product.import(&["Contact", &format!("--fields={}", fields.join(","))], &place.address(folder)?)?;
    let mut lines = String::new();
    for depth in ["versions", "content"] {
        println!("{rows} rows in {}: a certificate of their {depth}", place.name());
        let verified = product.verify("Contact", depth)?;
        lines.push_str(&format!(
            "| {rows} | {} | {depth} | {:.2} s | {:.0} MiB | {} |\n",
            place.name(),
            verified.took.as_secs_f64(),
            verified.peak_kib as f64 / 1024.0,
            verified.api_calls,
        ));
    }
    Ok(lines)
}
