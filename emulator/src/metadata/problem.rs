//! What a deployment reports.

use std::fmt;
use std::path::{Path, PathBuf};

/// Line and column of a character, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// One reason why a deployment is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, below the folder that is deployed.
    pub file: PathBuf,
    /// Where in the file; nothing when the whole file is meant.
    pub position: Option<Position>,
    /// What a deployment says.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(formatter, ":{line}:{column}")?;
        }
        write!(formatter, ": {}", self.message)
    }
}

/// Why a folder is not deployed. Nothing of it is then in effect.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// A folder or file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    /// `sfdx-project.json` is not what it should be.
    #[error("{path} names no package directories: {reason}")]
    Project { path: PathBuf, reason: String },
    /// The org refuses what the files say.
    #[error("the deployment of {folder} is refused:{}", Lines(.problems))]
    Refused { folder: PathBuf, problems: Vec<Problem> },
}

impl DeployError {
    /// What is wrong with the files, in the order of their names.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Refused { problems, .. } => problems,
            Self::Folder { .. } | Self::Project { .. } => &[],
        }
    }
}

struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| write!(formatter, "\n  {problem}"))
    }
}

/// Collects problems, so that one deployment names all of them.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, file: &Path, position: Option<Position>, message: impl Into<String>) {
        self.0.push(Problem { file: file.to_path_buf(), position, message: message.into() });
    }

    /// `value`, unless there are problems.
    pub(super) fn or(mut self, folder: &Path) -> Result<(), DeployError> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort();
        self.0.dedup();
        Err(DeployError::Refused { folder: folder.to_path_buf(), problems: self.0 })
    }
}
