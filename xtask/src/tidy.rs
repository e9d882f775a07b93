//! Rules that the compiler does not check: which crate may know which, where SQL and the environment may stand, names,
//! sizes, links.
//!
//! Every rule is a pure function of the tracked files' text. Start with [`check`].

mod documents;
mod lock;
mod manifests;
mod sources;

use std::{fmt, fs, path::Path, process::Command};

use crate::{Failure, command, pitfalls};

pub(crate) const HELP: &str = "\
Checks the rules that a compiler does not: borders between crates, where SQL, the environment and the HTTP client may
stand, file sizes, names, unfinished work, links and test names in the documents, one SQLite driver and one TLS
provider. CONTRIBUTING.md gives the reasons.

Usage: cargo xtask tidy
";

/// A tracked text file, by its path from the root.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A rule that does not hold, and where.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    /// Counted from 1; `None` for the file as a whole.
    line: Option<usize>,
    reason: String,
}

impl Violation {
    fn in_file(file: &File, reason: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line: None, reason: reason.into() }
    }

    /// `index` counts from 0, as `enumerate` does.
    fn at_line(file: &File, index: usize, reason: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line: Some(index + 1), reason: reason.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}: {}", self.path, self.reason),
            None => write!(out, "{}: {}", self.path, self.reason),
        }
    }
}

pub(crate) fn run(root: &Path, options: &[String]) -> Result<(), Failure> {
    crate::named_values(options, &[])?;
    let files = tracked_files(root)?;
    let violations = check(&files);
    for violation in &violations {
        eprintln!("{violation}");
    }
    match violations.len() {
        0 => {
            println!("{} files are tidy", files.len());
            Ok(())
        }
        count => Err(Failure::new(format!("{count} rules of the project are broken"))),
    }
}

fn check(files: &[File]) -> Vec<Violation> {
    let mut violations = Vec::new();
    violations.extend(manifests::check(files));
    violations.extend(lock::check(files));
    violations.extend(sources::check(files));
    violations.extend(documents::check(files));
    violations.extend(pitfalls(files));
    violations
}

/// The page of pitfalls says what the tests' marks say.
fn pitfalls(files: &[File]) -> Option<Violation> {
    let page = files.iter().find(|file| file.path == pitfalls::PAGE)?;
    let is_written = pitfalls::written(&page.text, files) == page.text;
    (!is_written).then(|| Violation::in_file(page, "is not what the tests' marks say; run `cargo xtask pitfalls`"))
}

/// What git tracks, and what it would track: a file that was just written is checked too.
pub(crate) fn tracked_files(root: &Path) -> Result<Vec<File>, Failure> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut files = Vec::new();
    for path in command::output_of(&mut git)?.split_terminator('\0') {
        // A file deleted but not committed is listed; one that is not text has no rules.
        let Ok(bytes) = fs::read(root.join(path)) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        files.push(File { path: path.to_owned(), text });
    }
    Ok(files)
}

#[cfg(test)]
pub(crate) fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_project_is_tidy() {
        let files = tracked_files(&crate::workspace_root()).unwrap();
        assert!(files.iter().any(|file| file.path == "Cargo.lock"), "the files were not found");
        let violations: Vec<String> = check(&files).iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }
}
