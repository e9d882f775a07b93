//! The floor: fetch the pages as they are, then import the text.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    columns,
    place::{self, FLOOR, Place, Server},
    wire::Wire,
};
use crate::{Failure, command::succeed};

/// As long as the id of a connection.
const CONNECTION: &str = "con_00000000000000000000";

/// A finished load.
pub(super) struct Load {
    pub(super) fetch_took: Duration,
    pub(super) import_took: Duration,
}

/// Fetches all pages of a complete job into files, then imports them into a fresh database.
pub(super) fn load(wire: &Wire<'_>, results: &str, place: Place<'_>, folder: &Path) -> Result<Load, Failure> {
    let start = Instant::now();
    let pages = fetch(wire, results, folder)?;
    let fetch_took = start.elapsed();

    let start = Instant::now();
    let import_took = match place {
        Place::Sqlite => import(&place::file(folder, FLOOR), &pages, folder).map(|()| start.elapsed())?,
        Place::Postgres(server) => copy(server, &pages, folder).map(|()| start.elapsed())?,
        Place::Parquet(duckdb) => duckdb.load(&pages, &place::parquet_file(folder, FLOOR), folder)?,
    };
    Ok(Load { fetch_took, import_took })
}

/// Returns the names of the pages within `folder`.
fn fetch(wire: &Wire<'_>, results: &str, folder: &Path) -> Result<Vec<String>, Failure> {
    let mut pages = Vec::new();
    let mut locator = None;
    loop {
        let page = format!("page-{}.csv", pages.len());
        locator = wire.fetch_page(results, locator.as_deref(), &folder.join(&page))?;
        pages.push(page);
        if locator.is_none() {
            return Ok(pages);
        }
    }
}

/// The table has the columns and the key of the product's, and is written with the same settings.
///
/// The connection stands in the key alone, because `.import` fills columns from the file; the floor writes that much less.
fn import(database: &Path, pages: &[String], folder: &Path) -> Result<(), Failure> {
    let columns: Vec<String> = columns::names().map(|name| format!("{name} TEXT")).collect();
    let mut script = vec![
        "PRAGMA journal_mode = WAL;".to_owned(),
        "PRAGMA synchronous = NORMAL;".to_owned(),
        format!("CREATE TABLE Contact ({});", columns.join(", ")),
        format!("CREATE UNIQUE INDEX Contact_key ON Contact (('{CONNECTION}' || ''), Id);"),
    ];
    script.extend(pages.iter().map(|page| format!(".import --csv --skip 1 {page} Contact")));
    let mut sqlite = Command::new("sqlite3");
    sqlite.current_dir(folder).args(["-batch", "-bail"]).arg(database).args(script);
    succeed(sqlite.stdin(Stdio::null()).stdout(Stdio::null()))
}

/// Text into a typed table without a log, then into a table with the product's columns and key, by the product's merge.
fn copy(server: &Server, pages: &[String], folder: &Path) -> Result<(), Failure> {
    let columns: Vec<String> = columns::typed().map(|(name, kind)| format!("\"{name}\" {kind}")).collect();
    let names: Vec<String> = columns::names().map(|name| format!("\"{name}\"")).collect();
    let newer: Vec<String> =
        names.iter().filter(|name| *name != "\"Id\"").map(|name| format!("{name} = excluded.{name}")).collect();
    let (columns, names) = (columns.join(", "), names.join(", "));
    let mut script = vec![
        format!("CREATE SCHEMA {FLOOR}"),
        format!(
            "CREATE TABLE {FLOOR}.\"Contact\" (_connection text COLLATE \"C\" NOT NULL, {columns}, \
             _deleted boolean NOT NULL DEFAULT false, PRIMARY KEY (_connection, \"Id\"))"
        ),
        format!("CREATE UNLOGGED TABLE {FLOOR}.staging ({columns})"),
    ];
    script.extend(pages.iter().map(|page| {
        format!("\\copy {FLOOR}.staging FROM '{page}' WITH (FORMAT csv, HEADER true, FORCE_NULL ({names}))")
    }));
    script.push(format!(
        "INSERT INTO {FLOOR}.\"Contact\" AS held (_connection, {names}) SELECT '{CONNECTION}', {names} FROM {FLOOR}.staging \
         ON CONFLICT (_connection, \"Id\") DO UPDATE SET {}, _deleted = false \
         WHERE excluded.\"SystemModstamp\" >= held.\"SystemModstamp\" OR held.\"SystemModstamp\" IS NULL \
         OR excluded.\"SystemModstamp\" IS NULL",
        newer.join(", ")
    ));
    let commands: Vec<&str> = script.iter().flat_map(|command| ["--command", command]).collect();
    succeed(server.psql(&commands).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::command;

    #[test]
    fn pages_with_quotes_and_line_breaks_become_rows() {
        if command::find("sqlite3").is_none() {
            return;
        }
        let folder = std::env::temp_dir().join(format!("orgtide-floor-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let header = columns::names().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
        let row = |id: &str| {
            let values = columns::names().map(|name| if name == "Id" { id } else { "\"a \"\"b\"\",\nc\"" });
            values.collect::<Vec<_>>().join(",")
        };
        fs::write(folder.join("page-0.csv"), format!("{header}\n{}\n", row("1"))).unwrap();
        fs::write(folder.join("page-1.csv"), format!("{header}\n{}\n{}\n", row("2"), row("3"))).unwrap();
        let database = folder.join("floor.db");
        import(&database, &["page-0.csv".to_owned(), "page-1.csv".to_owned()], &folder).unwrap();
        let contents = columns::contents(&database).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(contents.rows, 3);
    }
}
