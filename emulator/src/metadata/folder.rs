//! Finds the files of a source-format folder and says what each is about.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::component::{self, SourceFile};
use super::problem::{DeployError, Problems};
use super::types::{self, REGISTRY, Registered, Role, SOURCE_SUFFIX};

const PROJECT_FILE: &str = "sfdx-project.json";
/// Deeper folders are not looked at; source folders are about six deep.
const MAX_DEPTH: usize = 32;

/// The components of a folder.
#[derive(Debug, Default)]
pub(super) struct Package {
    pub(super) files: Vec<(Role, SourceFile)>,
    pub(super) problems: Problems,
}

impl Package {
    /// Reads everything below `folder`, or below its package directories when it is a project.
    pub(super) fn read(folder: &Path) -> Result<Self, DeployError> {
        let mut paths = Vec::new();
        for directory in package_directories(folder)? {
            collect(&directory, MAX_DEPTH, &mut paths)?;
        }
        paths.sort();
        paths.dedup();
        let mut package = Self::default();
        for path in paths {
            package.add(folder, &path)?;
        }
        Ok(package)
    }

    /// The files of one role.
    pub(super) fn of(&self, role: Role) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(move |(own, _)| *own == role).map(|(_, file)| file)
    }

    fn add(&mut self, folder: &Path, path: &Path) -> Result<(), DeployError> {
        let below = path.strip_prefix(folder).unwrap_or(path);
        match infer(below) {
            Inferred::Other => Ok(()),
            Inferred::Nothing(message) => {
                self.problems.add(below, None, message);
                Ok(())
            }
            Inferred::Component { name, registered } => {
                let settings = (registered.folder == "settings").then(|| types::settings(&name));
                let (shape, role) = match settings {
                    Some(None) => return Ok(()),
                    Some(Some(known)) => known,
                    None => (registered.shape, registered.role),
                };
                let bytes = fs::read(path).map_err(|source| unreadable(path, source))?;
                let file = component::read(below, &name, &bytes, shape, &mut self.problems);
                self.keep(role, file);
                Ok(())
            }
        }
    }

    /// Names are unique within a type, whichever package directory holds the file.
    fn keep(&mut self, role: Role, file: SourceFile) {
        let twin = self.of(role).find(|first| role != Role::Passed && first.name == file.name);
        match twin.map(|first| format!("{} is also defined in {}", file.name, first.path.display())) {
            Some(message) => self.problems.add(&file.path, None, message),
            None => self.files.push((role, file)),
        }
    }
}

enum Inferred {
    Component {
        name: String,
        registered: &'static Registered,
    },
    /// A file in the folder of a type, or with the suffix of one, that is no component of it.
    Nothing(String),
    /// A file of some type that takes no part in signing in.
    Other,
}

fn infer(path: &Path) -> Inferred {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = file.strip_suffix(SOURCE_SUFFIX).and_then(|stem| stem.rfind('.').map(|dot| stem.split_at(dot)));
    let by_suffix = stem.and_then(|(_, suffix)| REGISTRY.iter().find(|known| known.suffix == suffix));
    match (folder_type(path), stem, by_suffix) {
        (Some(folder), Some((name, suffix)), _) if folder.suffix == suffix && !name.is_empty() => {
            Inferred::Component { name: name.to_owned(), registered: folder }
        }
        (Some(folder), ..) => Inferred::Nothing(format!(
            "Could not infer a metadata type. Files in {} end in {}{SOURCE_SUFFIX}",
            folder.folder, folder.suffix
        )),
        (None, _, Some(known)) => Inferred::Nothing(format!(
            "Could not infer a metadata type. Files that end in {}{SOURCE_SUFFIX} belong into {}",
            known.suffix, known.folder
        )),
        (None, _, None) => Inferred::Other,
    }
}

/// The type whose folder a file is in.
fn folder_type(path: &Path) -> Option<&'static Registered> {
    let folders = path.parent()?.components().rev();
    folders
        .filter_map(|part| part.as_os_str().to_str())
        .find_map(|part| REGISTRY.iter().find(|known| known.folder == part))
}

/// A project file as far as it says where the source is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Project {
    package_directories: Vec<PackageDirectory>,
}

#[derive(Deserialize)]
struct PackageDirectory {
    path: PathBuf,
}

/// Source: Salesforce DX developer guide, "Project Configuration".
fn package_directories(folder: &Path) -> Result<Vec<PathBuf>, DeployError> {
    let path = folder.join(PROJECT_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![folder.to_path_buf()]),
        Err(source) => return Err(unreadable(&path, source)),
    };
    let refuse = |reason: String| DeployError::Project { path: path.clone(), reason };
    let project: Project = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    match project.package_directories.is_empty() {
        true => Err(refuse("packageDirectories is empty".to_owned())),
        false => Ok(project.package_directories.iter().map(|directory| folder.join(&directory.path)).collect()),
    }
}

fn collect(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), DeployError> {
    for entry in fs::read_dir(folder).map_err(|source| unreadable(folder, source))? {
        let entry = entry.map_err(|source| unreadable(folder, source))?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') || name == "node_modules" {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type().map_err(|source| unreadable(&path, source))?;
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, paths)?;
        } else if kind.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, source: std::io::Error) -> DeployError {
    DeployError::Folder { path: path.to_path_buf(), source }
}
