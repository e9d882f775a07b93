//! Ten objects in which nothing has changed: what a cycle asks of the org, and of this machine.

use std::path::Path;

use super::{in_fresh_folder, place::Place, product::Product, start_org, wire::Wire};
use crate::Failure;

const OBJECTS: usize = 10;
/// The first cycle after an import reads what the import's windows overlap, and describes; the later ones are alike.
const CYCLES: usize = 3;

pub(super) fn run(program: &Path, places: &[Place<'_>], folder: &Path) -> Result<(), Failure> {
    let mut table = format!("| cycle of {OBJECTS} objects | into | requests | CPU |\n|---|---|---|---|\n");
    for place in places {
        let lines = in_fresh_folder(folder, || measure(program, *place, folder))?;
        table.push_str(&lines);
        println!("\n{table}");
    }
    Ok(())
}

fn measure(program: &Path, place: Place<'_>, folder: &Path) -> Result<String, Failure> {
    let org = start_org(program, folder, &scenario())?;
    let wire = Wire::sign_in(&org, false)?;
    place.prepare()?;
    let product = Product { program, org: &org, folder, is_packed: false };
    product.connect()?;
    for index in 0..OBJECTS {
        product.import(&[&object(index)], &place.address(folder)?)?;
    }
    let mut lines = String::new();
    for cycle in 1..=CYCLES {
        let before = wire.requests()?;
        let cpu = product.sync()?;
        let requests = wire.requests()? - before;
        lines.push_str(&format!(
            "| {cycle} | {} | {requests} | {:.0} ms |\n",
            place.name(),
            cpu.as_secs_f64() * 1000.0
        ));
    }
    Ok(lines)
}

fn object(index: usize) -> String {
    format!("Quiet_{index}__c")
}

fn scenario() -> String {
    (0..OBJECTS).map(|index| format!("\n[[objects]]\nname = \"{}\"\nrows = 100\n", object(index))).collect()
}
