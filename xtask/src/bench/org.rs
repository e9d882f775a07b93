//! The emulated org by itself: how much it stands, and in how much memory. Its own curl is the client.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use super::{in_fresh_folder, start_org, wire::Wire};
use crate::{Failure, emulated::EmulatedOrg};

const CONTACTS: u64 = 5_000_000;
const LOADED: u64 = 1_000_000;
const OBJECTS: usize = 2_000;
const FIELDS: usize = 800;
/// Small calls of a kind.
const CALLS: usize = 10_000;
/// Describes are larger, and the longest waits for them are what matters.
const DESCRIBES: usize = 100;
const AT_ONCE: usize = 8;

pub(super) fn run(program: &Path, folder: &Path) -> Result<(), Failure> {
    let mut table = String::from("| the emulated org | took | rate | peak memory so far |\n|---|---|---|---|\n");
    let mut line = |what: &str, count: u64, took: Duration, org: &EmulatedOrg| -> Result<(), Failure> {
        let (seconds, peak) = (took.as_secs_f64(), org.peak_kib()? as f64 / 1024.0);
        let rate = count as f64 / seconds;
        writeln!(table, "| {what} | {seconds:.2} s | {rate:.0}/s | {peak:.0} MiB |").expect("a string takes it");
        println!("\n{table}");
        Ok(())
    };
    in_fresh_folder(folder, || {
        let org = start_org(program, folder, &format!("\n[rows]\nContact = {CONTACTS}\n"))?;
        let wire = Wire::sign_in(&org, false)?;
        let took = query(&wire, folder)?;
        line(&format!("{CONTACTS} contacts of 8 fields by Bulk API 2.0"), CONTACTS, took, &org)?;
        for (what, calls) in small_calls(&wire)? {
            line(&what, calls.len() as u64, wire.ask_all(&calls, AT_ONCE, folder)?, &org)?;
        }
        Ok(())
    })?;
    in_fresh_folder(folder, || {
        let org = start_org(program, folder, "")?;
        let wire = Wire::sign_in(&org, false)?;
        let took = load(&wire, folder)?;
        line(&format!("{LOADED} accounts inserted by Bulk API 2.0"), LOADED, took, &org)
    })?;
    in_fresh_folder(folder, || {
        let org = start_org(program, folder, &many_objects())?;
        let wire = Wire::sign_in(&org, false)?;
        let describes = [
            (format!("the list of {OBJECTS} objects"), "sobjects".to_owned()),
            (format!("the describe of an object of {FIELDS} fields"), "sobjects/Wide__c/describe".to_owned()),
        ];
        for (what, path) in describes {
            let took = wire.ask_all(&vec![path; DESCRIBES], 1, folder)?;
            line(&what, DESCRIBES as u64, took, &org)?;
        }
        Ok(())
    })
}

/// From the creation of a query job to the end of its last page.
fn query(wire: &Wire<'_>, folder: &Path) -> Result<Duration, Failure> {
    let start = Instant::now();
    let fields = "Id, FirstName, LastName, Email, Phone, AccountId, CreatedDate, SystemModstamp";
    let results = wire.complete_job(&format!("SELECT {fields} FROM Contact"))?;
    let page = folder.join("page.csv");
    let mut locator = None;
    loop {
        locator = wire.fetch_page(&results, locator.as_deref(), &page)?;
        if locator.is_none() {
            return Ok(start.elapsed());
        }
    }
}

/// What many programs ask again and again: one record by its id, and one by a query.
fn small_calls(wire: &Wire<'_>) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let ids = wire.ids("SELECT Id FROM Contact LIMIT 2000")?;
    let of_each = |path: &dyn Fn(&str) -> String| ids.iter().cycle().take(CALLS).map(|id| path(id)).collect();
    let row = of_each(&|id| format!("sobjects/Contact/{id}"));
    let query = of_each(&|id| format!("query?q=SELECT+Id,Name,Account.Name+FROM+Contact+WHERE+Id='{id}'"));
    let named = |what: &str| format!("{what}, {AT_ONCE} at once");
    Ok(vec![(named("records by their id"), row), (named("queries for one record"), query)])
}

/// From the creation of an ingest job to its end, the upload included.
fn load(wire: &Wire<'_>, folder: &Path) -> Result<Duration, Failure> {
    let rows = folder.join("accounts.csv");
    let mut text = String::from("Name,Phone,Site\n");
    for number in 0..LOADED {
        writeln!(text, "Account {number},+49 30 {number},Berlin").expect("a string takes it");
    }
    fs::write(&rows, text)?;
    let start = Instant::now();
    wire.complete_load("Account", &rows)?;
    Ok(start.elapsed())
}

fn many_objects() -> String {
    let objects: String = (0..OBJECTS).map(|index| format!("\n[[objects]]\nname = \"Object_{index}__c\"\n")).collect();
    let fields: String = (0..FIELDS)
        .map(|index| format!("  {{ name = \"Field_{index}__c\", type = \"string\", length = 40 }},\n"))
        .collect();
    format!("{objects}\n[[objects]]\nname = \"Wide__c\"\nfields = [\n{fields}]\n")
}
