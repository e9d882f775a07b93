//! A table's folder on a disk.
//!
//! A file appears under its name when it is whole and on the disk: it is written under another name, synchronised, and
//! linked or renamed. A link fails where the name is taken, which makes versions of the manifest exclusive.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};
use sync::destination::DestinationError;

use super::{Chunks, DATA, Listed, MANIFESTS, Outcome, fuse::Fuse};
use crate::files::{failure::io_fault, name::hash};

/// A name that is linked to the version that readers see.
const CURRENT: &str = "current";
const VIEWS: &str = "_orgtide/views";
/// The mark of a file that is being written.
const UNFINISHED: &str = ".unfinished";

#[derive(Clone)]
pub(super) struct LocalStore {
    root: PathBuf,
    folder: PathBuf,
    place: String,
    pub(super) fuse: Fuse,
}

impl LocalStore {
    pub(super) fn new(root: &Path, table: &str, place: String) -> Self {
        Self { root: root.to_owned(), folder: root.join(table), place, fuse: Fuse::default() }
    }

    pub(super) fn make_ready(&self) -> Outcome<()> {
        let parent = self.root.parent().filter(|parent| *parent != Path::new(""));
        if let Some(parent) = parent.filter(|parent| !self.root.exists() && !parent.exists()) {
            let reason = format!("the folder {} does not exist; create it first", parent.display());
            return Err(DestinationError::Denied { place: self.place.clone(), reason });
        }
        for folder in [MANIFESTS, DATA] {
            self.burn()?;
            fs::create_dir_all(self.folder.join(folder)).map_err(|error| self.fault(folder, &error))?;
        }
        let current = self.folder.join(CURRENT);
        if fs::symlink_metadata(&current).is_ok_and(|found| !found.file_type().is_symlink()) {
            let reason = format!("{} is in the way, and not Orgtide's: rename or move it", current.display());
            return Err(DestinationError::Unusable { place: self.place.clone(), reason });
        }
        Ok(())
    }

    pub(super) fn list(&self, folder: &str) -> Outcome<Vec<Listed>> {
        let fault = |error: io::Error| self.fault(folder, &error);
        let entries = match fs::read_dir(self.folder.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(fault)?,
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.map_err(fault)?;
            // Another process may have removed it meanwhile.
            let Ok(found) = entry.metadata() else { continue };
            let (Ok(name), true) = (entry.file_name().into_string(), found.is_file()) else { continue };
            let since = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let modified = since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
            listed.push(Listed { name, modified });
        }
        Ok(listed)
    }

    pub(super) fn read(&self, path: &str) -> Outcome<Option<Bytes>> {
        match fs::read(self.folder.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(|content| Some(content.into())).map_err(|error| self.fault(path, &error)),
        }
    }

    pub(super) fn create(&self, path: &str, content: &[u8]) -> Outcome<bool> {
        let target = self.folder.join(path);
        let unfinished = self.written(&target, content, true)?;
        self.burn()?;
        let linked = fs::hard_link(&unfinished, &target);
        self.burn()?;
        let _ = fs::remove_file(&unfinished);
        match linked {
            Ok(()) => self.sync_folder_of(&target).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) if !target.exists() && has_no_links(&error) => self.create_exclusively(&target, content),
            Err(error) => Err(self.fault(path, &error)),
        }
    }

    /// Where the file system has no links: a power failure may leave half of the file, which its hash tells.
    fn create_exclusively(&self, target: &Path, content: &[u8]) -> Outcome<bool> {
        let fault = |error: io::Error| self.fault(&target.display().to_string(), &error);
        match OpenOptions::new().write(true).create_new(true).open(target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            other => {
                let mut file = other.map_err(fault)?;
                file.write_all(content).and_then(|()| file.sync_all()).map_err(fault)?;
                self.sync_folder_of(target).map(|()| true)
            }
        }
    }

    pub(super) fn replace(&self, path: &str, content: &[u8]) -> Outcome<()> {
        let target = self.folder.join(path);
        let unfinished = self.written(&target, content, false)?;
        self.burn()?;
        fs::rename(&unfinished, &target).map_err(|error| self.fault(path, &error))
    }

    pub(super) fn delete(&self, path: &str) -> Outcome<()> {
        self.burn()?;
        match fs::remove_file(self.folder.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.fault(path, &error)),
            _ => Ok(()),
        }
    }

    pub(super) fn open(&self, path: &str) -> Outcome<Option<Chunks>> {
        match File::open(self.folder.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(|file| Some(Chunks::File(Arc::new(file)))).map_err(|error| self.fault(path, &error)),
        }
    }

    pub(super) fn begin(&self, path: &str) -> Outcome<LocalOutput> {
        self.burn()?;
        let target = self.folder.join(path);
        let unfinished = beside(&target);
        let file = File::create(&unfinished).map_err(|error| self.fault(path, &error))?;
        Ok(LocalOutput {
            store: self.clone(),
            file: Some(io::BufWriter::with_capacity(1 << 18, file)),
            unfinished,
            target,
            written: 0,
        })
    }

    pub(super) fn address(&self, path: &str) -> String {
        let folder = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        folder.join(path).display().to_string()
    }

    /// A folder of links, and `current` that leads to it.
    pub(super) fn show(&self, version: u64, names: &[&str]) -> Outcome<()> {
        // A version that was lost and made again has another name.
        let view = format!("{VIEWS}/{version:020}-{}", &hash(&names.concat())[..16]);
        let shown = fs::read_link(self.folder.join(CURRENT)).ok();
        if shown.as_deref() == Some(Path::new(&view)) || shown.and_then(|shown| version_of(&shown)) > Some(version) {
            return Ok(());
        }
        let folder = self.folder.join(&view);
        self.burn()?;
        fs::create_dir_all(&folder).map_err(|error| self.fault(&view, &error))?;
        for name in names {
            self.burn()?;
            match fs::hard_link(self.folder.join(DATA).join(name), folder.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if has_no_links(&error) => {
                    tracing::warn!(place = self.place, "the file system has no links: read view.sql or current.json");
                    let _ = fs::remove_dir_all(&folder);
                    return Ok(());
                }
                linked => linked.map_err(|error| self.fault(&view, &error))?,
            }
        }
        self.point_to(&view)?;
        self.remove_views_before(version);
        Ok(())
    }

    #[cfg(unix)]
    fn point_to(&self, view: &str) -> Outcome<()> {
        let link = beside(&self.folder.join("_orgtide").join(CURRENT));
        self.burn()?;
        std::os::unix::fs::symlink(view, &link).map_err(|error| self.fault(CURRENT, &error))?;
        self.burn()?;
        fs::rename(&link, self.folder.join(CURRENT)).map_err(|error| self.fault(CURRENT, &error))
    }

    /// Elsewhere making a link needs a privilege.
    #[cfg(not(unix))]
    fn point_to(&self, _: &str) -> Outcome<()> {
        Ok(())
    }

    /// The last one stays for those who are just opening its files.
    fn remove_views_before(&self, version: u64) {
        let mut old = self.views_before(version);
        old.pop();
        for name in old {
            if self.burn().is_ok() {
                let _ = fs::remove_dir_all(self.folder.join(VIEWS).join(name));
            }
        }
    }

    fn views_before(&self, version: u64) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join(VIEWS)).into_iter().flatten().flatten();
        let mut old: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        old.retain(|name| version_of(Path::new(name)).is_some_and(|found| found < version));
        old.sort_unstable();
        old
    }

    pub(super) fn forget_views_before(&self, version: u64) -> Outcome<()> {
        for name in self.views_before(version) {
            let view = self.folder.join(VIEWS).join(&name);
            fs::remove_dir_all(view).map_err(|error| self.fault(&name, &error))?;
        }
        Ok(())
    }

    /// Removes what is Orgtide's and the folder itself where nothing else is in it.
    pub(super) fn vanish(&self) -> Outcome<()> {
        let _ = fs::remove_file(self.folder.join(CURRENT));
        for name in ["current.json", "view.sql"] {
            self.delete(name)?;
        }
        match fs::remove_dir_all(self.folder.join("_orgtide")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.fault("_orgtide", &error)),
            _ => {}
        }
        let _ = fs::remove_dir(self.folder.join(DATA));
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }

    /// A file beside its place, whole, and on the disk where that matters.
    fn written(&self, target: &Path, content: &[u8], is_lasting: bool) -> Outcome<PathBuf> {
        self.burn()?;
        let unfinished = beside(target);
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(content)?;
            if is_lasting { file.sync_all() } else { Ok(()) }
        };
        match write() {
            Ok(()) => Ok(unfinished),
            Err(error) => {
                let _ = fs::remove_file(&unfinished);
                Err(self.fault(&target.display().to_string(), &error))
            }
        }
    }

    #[cfg(unix)]
    fn sync_folder_of(&self, path: &Path) -> Outcome<()> {
        let folder = path.parent().unwrap_or(&self.folder);
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| self.fault(&folder.display().to_string(), &error))
    }

    /// Elsewhere a folder cannot be opened.
    #[cfg(not(unix))]
    fn sync_folder_of(&self, _: &Path) -> Outcome<()> {
        Ok(())
    }

    fn fault(&self, doing: &str, error: &io::Error) -> DestinationError {
        io_fault(&self.place, doing, error)
    }

    fn burn(&self) -> Outcome<()> {
        self.fuse.burn(&self.place)
    }
}

/// A data file on its way.
pub(in crate::files) struct LocalOutput {
    store: LocalStore,
    file: Option<io::BufWriter<File>>,
    unfinished: PathBuf,
    target: PathBuf,
    written: u64,
}

impl LocalOutput {
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn finish(mut self) -> Outcome<()> {
        let fault = |error: &io::Error| self.store.fault("writing a file", error);
        let file = self.file.take().expect("a file is finished once");
        let file = file.into_inner().map_err(|error| fault(error.error()))?;
        self.store.burn()?;
        file.sync_all().map_err(|error| fault(&error))?;
        self.store.burn()?;
        fs::rename(&self.unfinished, &self.target).map_err(|error| fault(&error))?;
        self.store.sync_folder_of(&self.target)
    }
}

impl Write for LocalOutput {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.as_mut().map_or(Ok(0), |file| file.write(buffer))?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), io::Write::flush)
    }
}

impl Drop for LocalOutput {
    fn drop(&mut self) {
        if self.store.burn().is_ok() {
            // A file that is finished has another name by now.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}

/// The version that a view shows.
fn version_of(view: &Path) -> Option<u64> {
    view.file_name()?.to_str()?.split_once('-')?.0.parse().ok()
}

/// A name of its own in the same folder.
fn beside(target: &Path) -> PathBuf {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the operating system has randomness");
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!("-{:016x}{UNFINISHED}", u64::from_be_bytes(bytes)));
    target.with_file_name(name)
}

fn has_no_links(error: &io::Error) -> bool {
    // EPERM is what Linux says of a file system without links (link(2)).
    error.kind() == io::ErrorKind::Unsupported || (cfg!(unix) && error.raw_os_error() == Some(1))
}
