//! Programs that chores run, and how their end is told.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::Failure;

/// The cargo that runs us, in the workspace, never asking for input.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).stdin(Stdio::null());
    // Build scripts look at what `cargo run` tells us about our own package: with it, they and all above them would be
    // built again here, and once more without it.
    std::env::vars_os().map(|(name, _)| name).filter(|name| is_of_our_package(name)).for_each(|name| {
        command.env_remove(name);
    });
    if in_ci() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

fn is_of_our_package(variable: &OsStr) -> bool {
    let variable = variable.to_string_lossy();
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// True on a build machine, where nobody answers and every build is the first.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value != "false" && !value.is_empty())
}

/// Runs to the end with its output on the terminal.
pub(crate) fn succeed(command: &mut Command) -> Result<(), Failure> {
    let line = describe(command);
    let status = command.status().map_err(|error| Failure::new(format!("`{line}` does not start: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{line}` ended with {status}"))) }
}

/// Runs to the end and returns its standard output; standard error goes to the terminal.
pub(crate) fn output_of(command: &mut Command) -> Result<String, Failure> {
    let line = describe(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new(format!("`{line}` does not start: {error}")))?;
    if !output.status.success() {
        return Err(Failure::new(format!("`{line}` ended with {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| Failure::new(format!("`{line}` wrote something that is not UTF-8")))
}

/// Which of a program's outputs is listened to; the other goes to the terminal unheard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Error,
}

/// Runs to the end, shows one of its outputs as it comes, and hands every line of it to `hear`.
pub(crate) fn listen(command: &mut Command, stream: Stream, mut hear: impl FnMut(&str)) -> Result<(), Failure> {
    let line = describe(command);
    match stream {
        Stream::Output => command.stdout(Stdio::piped()),
        Stream::Error => command.stderr(Stdio::piped()),
    };
    let mut child = command.spawn().map_err(|error| Failure::new(format!("`{line}` does not start: {error}")))?;
    let piped: Box<dyn std::io::Read> = match stream {
        Stream::Output => Box::new(child.stdout.take().expect("the output is piped")),
        Stream::Error => Box::new(child.stderr.take().expect("the error output is piped")),
    };
    for text in BufReader::new(piped).split(b'\n') {
        let text = text?;
        let text = String::from_utf8_lossy(&text);
        println!("{text}");
        hear(&text);
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{line}` ended with {status}"))) }
}

/// The path of a program, when the search path has it.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The command as a person would type it, without its environment.
pub(crate) fn describe(command: &Command) -> String {
    let mut words = vec![file_name(command.get_program())];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

fn file_name(program: &OsStr) -> String {
    Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_program_is_named_with_its_arguments() {
        let error = succeed(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.0.contains("`sh -c exit 3`"), "{error:?}");
        assert!(error.0.contains('3'), "{error:?}");
    }

    #[test]
    fn every_line_is_heard_and_the_other_output_is_not() {
        let mut heard = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; echo other >&2"]).stderr(Stdio::null());
        listen(&mut command, Stream::Output, |line| heard.push(line.to_owned())).unwrap();
        assert_eq!(heard, ["one", "two"]);
    }
}
