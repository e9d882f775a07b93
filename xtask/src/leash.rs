//! Programs that run beside a chore and cannot outlive it.
//!
//! The program runs under a shell whose standard input is a pipe that we hold. However we end (return, panic, Ctrl-C,
//! `kill -9`), the pipe closes, and the shell stops the program by its process id and waits for it.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::Failure;

/// Runs `"$@"` until standard input ends. Ctrl-C at the terminal does not reach it: it has its own process group.
/// The signal is TERM because a shell starts background programs with the interrupt ignored.
const SCRIPT: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ cat <&3 >/dev/null; kill "$program" 2>/dev/null; } &
watcher=$!
wait "$program"
kill "$watcher" 2>/dev/null
"#;

/// A running program; dropping it stops the program and waits until it is gone.
#[derive(Debug)]
pub(crate) struct Leashed {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Leashed {
    /// Starts a program that ends when it gets the signal TERM.
    pub(crate) fn program(program: &OsStr, arguments: &[String], folder: &Path) -> Result<Self, Failure> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "leash"]).arg(program).args(arguments).current_dir(folder);
        Self::shell(command)
    }

    /// Starts a shell command that watches its standard input itself.
    pub(crate) fn shell(mut command: Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn()?;
        let output = BufReader::new(child.stdout.take().expect("the output is piped"));
        Ok(Self { child, output })
    }

    /// The process id of the program itself: the first child of its shell (`/proc/<pid>/task/<tid>/children`, proc(5)).
    pub(crate) fn program_id(&self) -> Result<u32, Failure> {
        let shell = self.child.id();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
        let first = children.split_whitespace().next().and_then(|id| id.parse().ok());
        first.ok_or_else(|| Failure::new("the program has ended"))
    }

    /// The next line that the program prints, without its end; `None` when it has ended.
    pub(crate) fn next_line(&mut self) -> Result<Option<String>, Failure> {
        let mut line = String::new();
        let length = self.output.read_line(&mut line)?;
        Ok((length > 0).then(|| line.trim_end().to_owned()))
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            eprintln!("warning: a program that was started for this run may still be there: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_ends_when_its_leash_is_dropped() {
        let arguments = ["-c", "echo $$; exec sleep 1000"].map(str::to_owned);
        let mut leashed = Leashed::program(OsStr::new("sh"), &arguments, Path::new("/")).unwrap();
        let pid: u32 = leashed.next_line().unwrap().unwrap().parse().unwrap();
        assert_eq!(leashed.program_id().unwrap(), pid);
        assert!(Path::new(&format!("/proc/{pid}")).exists());
        drop(leashed);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn a_program_that_ends_by_itself_has_no_more_lines() {
        let arguments = ["-c", "echo here"].map(str::to_owned);
        let mut leashed = Leashed::program(OsStr::new("sh"), &arguments, Path::new("/")).unwrap();
        assert_eq!(leashed.next_line().unwrap().as_deref(), Some("here"));
        assert_eq!(leashed.next_line().unwrap(), None);
    }
}
