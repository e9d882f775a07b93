//! The project's chores: `cargo xtask test | prove | bench | tidy`.
//!
//! Standard library only, so that the first command of a fresh clone starts in seconds. Start with [`mod@test`], which
//! is what CI runs.
//!
//! Invariants:
//! - What a chore starts (PostgreSQL, an emulated org) ends with it, also when it is killed: see [`leash`].
//! - A chore that cannot do a part says so and what is skipped for it; it never passes in silence.
//!
//! Absent on purpose: knowledge of the product's inside. Chores use its command line, as a person does.

mod bench;
mod browser;
mod clients;
mod command;
mod emulated;
mod examples;
mod fuzz;
mod json;
mod leash;
mod pitfalls;
mod postgres;
mod prove;
mod runner;
mod s3;
mod setup;
mod steps;
mod test;
mod tidy;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

const HELP: &str = "\
The project's chores.

Usage: cargo xtask <command> [options]

Commands:
  test       everything that must hold before a change lands; what CI runs
  prove      the long proofs at full length; writes docs/proof.md
  bench      speed and memory beside a floor; prints the tables of docs/performance.md
  tidy       the rules between crates, and other rules that a compiler does not check
  pitfalls   writes the tests of each pitfall into docs/pitfalls.md

Every command has --help.
";

/// Why a chore failed, for the person at the terminal.
#[derive(Debug)]
struct Failure(String);

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let Some((command, options)) = arguments.split_first() else {
        print!("{HELP}");
        return Err(Failure::new("which command?"));
    };
    let root = workspace_root();
    match command.as_str() {
        "test" => with_help(test::HELP, options, |options| test::run(&root, options)),
        "prove" => with_help(prove::HELP, options, |options| prove::run(&root, options)),
        "bench" => with_help(bench::HELP, options, |options| bench::run(&root, options)),
        "pitfalls" => with_help(pitfalls::HELP, options, |options| pitfalls::run(&root, options)),
        "tidy" => with_help(tidy::HELP, options, |options| tidy::run(&root, options)),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(Failure::new(format!("{other:?} is not a command; see `cargo xtask --help`"))),
    }
}

fn with_help(
    help: &str,
    options: &[String],
    chore: impl FnOnce(&[String]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if options.iter().any(|option| option == "--help" || option == "-h") {
        print!("{help}");
        return Ok(());
    }
    chore(options)
}

/// The folder of the workspace this program was built from, whatever the current directory is.
fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Takes `--name value` pairs off `options`; anything else is refused.
fn named_values<'a>(options: &'a [String], known: &[&str]) -> Result<Vec<(&'a str, &'a str)>, Failure> {
    let mut pairs = Vec::new();
    let mut rest = options.iter();
    while let Some(name) = rest.next() {
        if !known.contains(&name.as_str()) {
            return Err(Failure::new(format!("{name:?} is not an option here; see --help")));
        }
        let value = rest.next().ok_or_else(|| Failure::new(format!("{name} needs a value")))?;
        pairs.push((name.as_str(), value.as_str()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn options_come_in_pairs_and_unknown_ones_are_refused() {
        let options = strings(&["--seed", "7"]);
        assert_eq!(named_values(&options, &["--seed"]).unwrap(), [("--seed", "7")]);
        assert!(named_values(&strings(&["--seed"]), &["--seed"]).unwrap_err().0.contains("needs a value"));
        assert!(named_values(&strings(&["--sed", "7"]), &["--seed"]).unwrap_err().0.contains("not an option"));
    }

    #[test]
    fn an_unknown_command_is_an_error_that_names_it() {
        assert!(run(&strings(&["tset"])).unwrap_err().0.contains("tset"));
    }
}
