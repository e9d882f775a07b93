//! `orgtide completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::error::{Error, Exit};

/// Prints the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orgtide completions bash > /etc/bash_completion.d/orgtide")]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::CommandLine::command(), "orgtide", &mut script);
    super::Terminal::new(false).text(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
