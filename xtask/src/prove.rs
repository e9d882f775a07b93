//! The long proofs at full length, and the page that says what they showed.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::{BuildHasher, Hasher},
    path::Path,
};

use crate::{Failure, fuzz, named_values, postgres, runner::Runner, setup};

pub(crate) const HELP: &str = "\
Runs the long proofs at full length and writes what they counted to docs/proof.md.

Usage: cargo xtask prove [--seed <number>] [--only <part of a name>]

A proof is a test with `proof` in its path. It reads ORGTIDE_PROOF (`full` here, unset for a short slice) and
ORGTIDE_PROOF_SEED (every random choice follows from it), and prints a line `proof: <name>: <counts>`.
Without --seed, a new seed is drawn; docs/proof.md keeps it. With --only, the page is not written.

The fuzz targets of the emulated org run as well, by cargo-fuzz, which is installed into target/tools/ when it is not
here; `--only fuzz` runs nothing else.
";

const PAGE: &str = "docs/proof.md";
/// The page up to here is written by hand.
const MARK: &str = "<!-- below: written by `cargo xtask prove` -->\n";

/// One line that a proof printed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Proved {
    name: String,
    counts: String,
}

pub(crate) fn run(root: &Path, options: &[String]) -> Result<(), Failure> {
    let mut seed = RandomState::new().build_hasher().finish() >> 32;
    let mut only = None;
    for (name, value) in named_values(options, &["--seed", "--only"])? {
        match name {
            "--seed" => seed = value.parse().map_err(|_| Failure::new(format!("--seed {value}: not a number")))?,
            _ => only = Some(value),
        }
    }
    let tools = setup::install(root);
    let servers = postgres::start_all(&tools)?;
    let mut variables = vec![("ORGTIDE_PROOF", "full".to_owned()), ("ORGTIDE_PROOF_SEED", seed.to_string())];
    variables.extend(servers.iter().map(|(variable, server)| (*variable, server.url().to_owned())));

    println!("seed {seed}");
    let mut proved = Vec::new();
    let fuzzing_alone = only == Some("fuzz");
    if !fuzzing_alone {
        let hear = |line: &str| proved.extend(proof_in(line));
        Runner::installed().run_aloud(root, only.unwrap_or("proof"), &variables, hear)?;
    }
    if only.is_none() || fuzzing_alone {
        for (target, inputs) in fuzz::run(root, seed)? {
            proved.push(Proved { name: format!("fuzz target {target}"), counts: format!("{inputs} inputs, no panic") });
        }
    }
    proved.sort();
    if proved.is_empty() {
        return Err(Failure::new("no proof ran"));
    }
    println!("{} proofs hold", proved.len());
    match only {
        Some(_) => Ok(()),
        None => write_page(&root.join(PAGE), seed, &proved),
    }
}

/// Reads `proof: <name>: <counts>`.
fn proof_in(line: &str) -> Option<Proved> {
    // A test harness that does not capture prints `test … ... ` in front of the first line.
    let (_, rest) = line.split_once("proof: ")?;
    let (name, counts) = rest.split_once(": ")?;
    Some(Proved { name: name.trim().to_owned(), counts: counts.trim().to_owned() })
}

fn write_page(page: &Path, seed: u64, proved: &[Proved]) -> Result<(), Failure> {
    let text = fs::read_to_string(page).map_err(|error| Failure::new(format!("{}: {error}", page.display())))?;
    let (head, _) = text.split_once(MARK).ok_or_else(|| Failure::new(format!("{PAGE} has lost its line {MARK}")))?;
    fs::write(page, format!("{head}{MARK}{}", results(seed, proved)))?;
    println!("written: {PAGE}");
    Ok(())
}

fn results(seed: u64, proved: &[Proved]) -> String {
    let mut text = format!("\nThe last run: `cargo xtask prove --seed {seed}`\n\n| proof | counts |\n|---|---|\n");
    for Proved { name, counts } in proved {
        text.push_str(&format!("| {name} | {} |\n", counts.replace('|', "\\|")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_found_in_the_output_of_either_runner() {
        let proved = Proved { name: "killed import".to_owned(), counts: "50 kills, 200000 rows, 0 lost".to_owned() };
        let line = "proof: killed import: 50 kills, 200000 rows, 0 lost";
        assert_eq!(proof_in(line), Some(proved.clone()));
        assert_eq!(proof_in(&format!("test proof::killed ... {line}")), Some(proved));
        assert_eq!(proof_in("running 3 tests"), None);
        assert_eq!(proof_in("proof: unfinished"), None);
    }

    #[test]
    fn the_page_keeps_its_head_and_names_the_command() {
        let folder = std::env::temp_dir().join(format!("orgtide-prove-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let page = folder.join("proof.md");
        fs::write(&page, format!("# Proofs\n\nBy hand.\n{MARK}old\n")).unwrap();
        let proved = [Proved { name: "storm".to_owned(), counts: "a | b".to_owned() }];
        write_page(&page, 7, &proved).unwrap();
        let text = fs::read_to_string(&page).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(text.starts_with("# Proofs\n\nBy hand.\n"), "{text}");
        assert!(text.contains("`cargo xtask prove --seed 7`") && text.ends_with("| storm | a \\| b |\n"), "{text}");
        assert!(!text.contains("old"), "{text}");
    }
}
