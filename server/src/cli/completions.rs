//! `orgtide completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::terminal::Terminal;
use crate::error::Exit;

/// Prints the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orgtide completions bash > /etc/bash_completion.d/orgtide")]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::CommandLine::command(), "orgtide", &mut script);
    terminal.text(&String::from_utf8_lossy(&script));
    Exit::Done
}
