//! The program. What it can do is in the library of the same name.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    orgtide::cli::main(orgtide::cli::CommandLine::parse())
}
