//! Everything that must hold before a change lands.

use std::path::Path;

use crate::{
    Failure, browser, clients,
    command::{cargo, in_ci, succeed},
    examples, named_values, postgres,
    runner::{Runner, SELECTION},
    s3,
    setup::{self, Tools},
    steps::Steps,
    tidy,
};

pub(crate) const HELP: &str = "\
Installs what the tests need, then runs everything that must hold before a change lands. This is what CI runs.

Usage: cargo xtask test [--only <step>]

Steps:
  setup     installs what is missing: Debian packages by apt (as root or by sudo that asks for no password), pinned
            npm and PyPI packages into folders of target/; says what it could not install and what
            is skipped for it
  format    cargo fmt --check
  tidy      the project's own rules (cargo xtask tidy)
  clippy    all targets, warnings denied
  docs      rustdoc, warnings denied
  tests     all tests, by cargo-nextest where it is installed, with private PostgreSQL servers on 127.0.0.1:
            Debian's, and version 13 from an npm package; and a store that speaks S3, DuckDB and pyarrow, from PyPI
  doctests  the examples in the documentation
  clients   jsforce, simple-salesforce and authlib, unmodified, against the emulated org
  browser   the pages of the emulated org in Chromium
  examples  the Node and Python examples of docs/emulator.md; the Rust one is a test

`--only` runs one of them (after setup, when it needs it). Tests take a short, seeded slice of every long proof;
`cargo xtask prove` runs them at full length.
";

const STEPS: [&str; 10] =
    ["setup", "format", "tidy", "clippy", "docs", "tests", "doctests", "clients", "browser", "examples"];

pub(crate) fn run(root: &Path, options: &[String]) -> Result<(), Failure> {
    let only = match named_values(options, &["--only"])?.as_slice() {
        [] => None,
        [(_, step)] if STEPS.contains(step) => Some(*step),
        _ => return Err(Failure::new(format!("--only takes one of: {}", STEPS.join(", ")))),
    };
    let chosen = |step: &str| only.is_none_or(|only| only == step);
    let needs_tools = ["setup", "tests", "clients", "browser", "examples"].into_iter().any(chosen);

    let mut steps = Steps::default();
    let mut tools = Tools::default();
    if needs_tools {
        steps.run("setup", || {
            tools = setup::install(root);
            Ok(())
        });
        tools.missing.iter().for_each(|sentence| steps.note(sentence));
    }
    if chosen("format") {
        steps.run("format", || succeed(cargo(root).args(["fmt", "--all", "--check"])));
    }
    if chosen("tidy") {
        steps.run("tidy", || tidy::run(root, &[]));
    }
    if chosen("clippy") {
        steps.run("clippy", || {
            succeed(
                cargo(root)
                    .args(["clippy", "--keep-going"])
                    .args(SELECTION)
                    .args(locked())
                    .args(["--", "-D", "warnings"]),
            )
        });
    }
    if chosen("docs") {
        steps.run("docs", || document(root));
    }
    if chosen("tests") {
        run_tests(root, &tools, &mut steps);
    }
    if chosen("doctests") {
        steps.run("doctests", || succeed(cargo(root).args(["test", "--workspace", "--doc"]).args(locked())));
    }
    if chosen("clients") {
        run_clients(root, &tools, &mut steps);
    }
    if let Some(browser) = tools.browser.as_ref().filter(|_| chosen("browser")) {
        steps.run("browser", || browser::run(root, browser));
    }
    if chosen("examples") {
        let mut skipped = Vec::new();
        steps.run("examples", || {
            skipped = examples::run(root)?;
            Ok(())
        });
        skipped.into_iter().for_each(|note| steps.note(note));
    }
    steps.finish()
}

fn document(root: &Path) -> Result<(), Failure> {
    let mut rustdoc = cargo(root);
    rustdoc.args(["doc", "--workspace", "--no-deps", "--document-private-items"]).args(locked());
    succeed(rustdoc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn run_tests(root: &Path, tools: &Tools, steps: &mut Steps) {
    let runner = Runner::installed();
    if runner == Runner::CargoTest {
        steps.note("cargo-nextest is not installed: the tests run by `cargo test`, which takes longer");
    }
    let (mut postgres_note, mut store_note) = (None, None);
    let mut count = None;
    steps.run("tests", || {
        let servers = postgres::start_all(tools).unwrap_or_else(|Failure(reason)| {
            postgres_note = Some(format!("the tests on PostgreSQL are skipped: {reason}"));
            Vec::new()
        });
        let mut variables: Vec<_> =
            servers.iter().map(|(variable, server)| (*variable, server.url().to_owned())).collect();
        let store = tools.parquet.as_ref().and_then(|packages| {
            variables.push((s3::READERS, packages.display().to_string()));
            let started = s3::Store::start(root, packages);
            started.map_err(|Failure(reason)| store_note = Some(format!("no bucket is tested: {reason}"))).ok()
        });
        variables.extend(store.iter().flat_map(s3::Store::variables));
        count = Some(runner.run_all(root, &variables)?);
        Ok(())
    });
    if let Some(count) = count {
        steps.note(format!("{} of {} tests passed", count.passed, count.run));
    }
    postgres_note.into_iter().chain(store_note).for_each(|note| steps.note(note));
}

fn run_clients(root: &Path, tools: &Tools, steps: &mut Steps) {
    if tools.npm.is_none() && tools.python.is_none() {
        steps.note("no third-party client ran");
        return;
    }
    steps.run("clients", || clients::run(root, tools));
}

/// On a build machine the committed lock file holds, and a change to it is a failure.
fn locked() -> &'static [&'static str] {
    if in_ci() { &["--locked"] } else { &[] }
}
