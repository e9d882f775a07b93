//! An object of 800 fields: what matters is memory.

use std::path::Path;

use super::{in_fresh_folder, place::Place, product::Product, start_org};
use crate::Failure;

const FIELDS: usize = 800;
const OBJECT: &str = "Wide__c";

pub(super) fn run(program: &Path, places: &[Place<'_>], rows: u64, folder: &Path) -> Result<(), Failure> {
    let mut table = format!("| rows of {FIELDS} fields | into | peak memory |\n|---|---|---|\n");
    for place in places {
        let import = in_fresh_folder(folder, || {
            let org = start_org(program, folder, &scenario(rows))?;
            place.prepare()?;
            println!("{rows} rows of {FIELDS} fields into {}", place.name());
            let product = Product { program, org: &org, folder, is_packed: false };
            product.connect()?;
            product.import(&[OBJECT, "--read", "bulk"], &place.address(folder)?)
        })?;
        table.push_str(&format!("| {rows} | {} | {:.0} MiB |\n", place.name(), import.peak_kib as f64 / 1024.0));
        println!("\n{table}");
    }
    Ok(())
}

/// Fields of every common type. A row has to fit into a page of PostgreSQL's, so that most texts are short.
fn scenario(rows: u64) -> String {
    let kinds = [
        r#"type = "boolean""#,
        r#"type = "int", digits = 4"#,
        r#"type = "date""#,
        r#"type = "picklist", picklist = ["Low", "High"]"#,
        r#"type = "string", length = 4"#,
    ];
    let fields: String = (0..FIELDS)
        .map(|index| format!("  {{ name = \"Field_{index}__c\", {} }},\n", kinds[index % kinds.len()]))
        .collect();
    format!("\n[[objects]]\nname = \"{OBJECT}\"\nrows = {rows}\nfields = [\n{fields}]\n")
}
