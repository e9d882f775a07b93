//! Files are written into a folder.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use super::{PackageError, PackageFile};

/// Writes the files below `folder`, and says where they are. Files that are there already are overwritten only by `force`;
/// otherwise nothing is written at all.
///
/// # Errors
/// When one is there already, or cannot be written.
pub fn write(folder: &Path, files: &[PackageFile], force: bool) -> Result<Vec<PathBuf>, PackageError> {
    let paths: Vec<PathBuf> = files.iter().map(|file| folder.join(&file.path)).collect();
    let there: Vec<PathBuf> = paths.iter().filter(|path| path.symlink_metadata().is_ok()).cloned().collect();
    if !force && !there.is_empty() {
        return Err(PackageError::Exists { there });
    }
    for (file, path) in files.iter().zip(&paths) {
        write_one(path, &file.text, force)?;
    }
    Ok(paths)
}

/// Writes one file, and the folders above it.
///
/// # Errors
/// When it is there already, unless that is overruled by `force`, or cannot be written.
pub fn write_one(path: &Path, text: &str, force: bool) -> Result<(), PackageError> {
    put(path, text, force).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => PackageError::Exists { there: vec![path.to_owned()] },
        _ => PackageError::Unwritable { path: path.to_owned(), source },
    })
}

fn put(path: &Path, text: &str, force: bool) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    // A file that has appeared meanwhile is not overwritten either.
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    options.write(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> [PackageFile; 2] {
        ["a.txt", "b/c.txt"].map(|path| PackageFile { path: path.into(), text: format!("text of {path}") })
    }

    #[test]
    fn nothing_is_overwritten_unless_it_is_forced() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/c.txt"), "mine").unwrap();
        let refused = write(folder.path(), &files(), false).unwrap_err();
        assert!(matches!(&refused, PackageError::Exists { there } if there.len() == 1), "{refused}");
        assert!(!folder.path().join("a.txt").exists());
        assert_eq!(fs::read_to_string(folder.path().join("b/c.txt")).unwrap(), "mine");
        write(folder.path(), &files(), true).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("b/c.txt")).unwrap(), "text of b/c.txt");
    }
}
