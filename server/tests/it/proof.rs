//! Long proofs, and the short slice of each that runs every time.
//!
//! `ORGTIDE_PROOF=full` runs them whole; every random choice follows from `ORGTIDE_PROOF_SEED`.

mod callers;
mod copies;
mod idle;
mod killed;
mod parquet;
mod process;
mod served;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use emulator::Scenario;
use rusqlite::Connection;
use tokio::process::Child;

use crate::org::{Acme, ended as ended_with};

/// How much of a proof runs.
struct Length {
    rows: u64,
    page_rows: u64,
    kills: u32,
}

fn length() -> Length {
    match std::env::var("ORGTIDE_PROOF").as_deref() {
        Ok("full") => Length { rows: 200_000, page_rows: 10_000, kills: 50 },
        _ => Length { rows: 12_000, page_rows: 1_000, kills: 4 },
    }
}

/// SplitMix64 (Steele, Lea and Flood): the same numbers for the same seed on every machine.
struct Random(u64);

impl Random {
    fn from_environment() -> Self {
        Self(std::env::var("ORGTIDE_PROOF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// An org with many contacts, connected.
async fn org_with_contacts(length: &Length) -> Acme {
    let mut scenario = Scenario::builtin("acme").unwrap();
    scenario.rows.insert("Contact".to_owned(), length.rows);
    scenario.bulk.page_rows = length.page_rows;
    let org = Acme::of(scenario).await;
    org.connect().await;
    org
}

/// Ten fields: the org keeps the results of every job, and each import makes one or two.
fn import_into(database: &Path) -> String {
    let fields = "Id,FirstName,LastName,Email,Phone,Description,MailingCity,AccountId,Birthdate,CreatedDate";
    format!("import acme Contact --read bulk --fields {fields} --to sqlite:{}", database.display())
}

/// Ends `import` by SIGKILL when `moment` has passed; false when it had ended well before.
async fn kill_after(mut import: Child, moment: Duration) -> bool {
    match tokio::time::timeout(moment, import.wait()).await {
        Ok(ended) => {
            let said = ended_with(import).await;
            assert!(ended.unwrap().success(), "an import that nobody kills succeeds: {said:?}");
            false
        }
        Err(_) => {
            import.kill().await.unwrap();
            true
        }
    }
}

/// Rows that one table has and the other has not, both ways, and how many rows the first has.
fn compare(ours: &Path, expected: &Path) -> (i64, i64, i64) {
    let database = Connection::open(ours).unwrap();
    database.execute("ATTACH ?1 AS expected", [expected.display().to_string()]).unwrap();
    let count = |sql: &str| -> i64 { database.query_row(sql, [], |row| row.get(0)).unwrap() };
    // A table that was imported again also says by which reading each row was named.
    let columns = "Id,FirstName,LastName,Email,Phone,Description,MailingCity,AccountId,Birthdate,CreatedDate,\
                   SystemModstamp,_connection,_deleted";
    let minus = |one: &str, other: &str| {
        let rows = |table: &str| format!("SELECT {columns} FROM {table}.Contact");
        count(&format!("SELECT count(*) FROM ({} EXCEPT {})", rows(one), rows(other)))
    };
    (count("SELECT count(*) FROM main.Contact"), minus("expected", "main"), minus("main", "expected"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_at_random_moments_gives_the_same_table_as_one_that_is_not() {
    let (length, mut random) = (length(), Random::from_environment());
    let org = org_with_contacts(&length).await;
    let folder = org.directory.path();
    let undisturbed = folder.join("undisturbed.db");
    let started = Instant::now();
    let done = org.run(&import_into(&undisturbed)).await;
    assert_eq!(done.code, 0, "{done:?}");
    let takes = started.elapsed();
    let (rows, ..) = compare(&undisturbed, &undisturbed);
    assert_eq!(rows, i64::try_from(length.rows).unwrap());

    let (mut kills, mut imports) = (0, 0);
    while kills < length.kills {
        let database = folder.join(format!("killed-{imports}.db"));
        while kills < length.kills {
            let moment = takes.mul_f64(random.below(1_000) as f64 / 1_000.0);
            if !kill_after(org.spawn(&import_into(&database)), moment).await {
                break;
            }
            kills += 1;
        }
        let ended = org.run(&import_into(&database)).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        imports += 1;
        assert_eq!(compare(&database, &undisturbed), (rows, 0, 0), "after {kills} kills");
        std::fs::remove_file(database).unwrap();
    }
    println!("proof: killed import: {kills} kills in {imports} imports of {rows} rows, 0 lost, 0 twice, 0 different");
}
