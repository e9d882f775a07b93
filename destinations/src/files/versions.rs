//! The versions of a table: which one is the last, how the next one is made, and what is removed when it is old.
//!
//! A version is made by creating the file with the next number, which fails when it is there: whoever was slower reads what
//! the other one has written and begins anew. So a version is always made of the one before, and the epochs that it
//! holds are those that its maker has compared its own with.

use std::time::Duration;

use sync::{destination::DestinationError, table::StreamKey};

use super::{
    format::FileFormat,
    manifest::{Manifest, sealed, unsealed},
    name::hash,
    store::{DATA, Listed, MANIFESTS, Store},
};

/// Nobody writes one file for that long: one that no version names is of a process that has ended.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

type Outcome<T> = Result<T, DestinationError>;

/// What became of an attempt.
pub(super) enum Attempt {
    /// The version is there, among these.
    Made(Stamps),
    /// Another one was made meanwhile; this is the last, among these.
    Behind(Box<Manifest>, Stamps),
    /// There is no table any more.
    Gone,
}

/// The versions that are there, and when they were made, by the store's clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamps(Vec<(u64, i64)>);

impl Stamps {
    fn of(listed: &[Listed]) -> Self {
        let version =
            |listed: &Listed| Some((listed.name.strip_suffix(".json")?.parse::<u64>().ok()?, listed.modified));
        let mut stamps: Vec<(u64, i64)> = listed.iter().filter_map(version).collect();
        stamps.sort_unstable();
        Self(stamps)
    }

    fn last(&self) -> Option<u64> {
        self.0.last().map(|(version, _)| *version)
    }

    pub(super) fn has(&self, version: u64) -> bool {
        self.made_at(version).is_some()
    }

    fn made_at(&self, version: u64) -> Option<i64> {
        self.0.iter().find(|(found, _)| *found == version).map(|(_, made_at)| *made_at)
    }
}

/// Whose files are called like this.
pub(super) fn mark_of(stream: &StreamKey) -> String {
    let StreamKey { connection, object, stream, .. } = stream;
    hash(&format!("{connection}\0{object}\0{}", stream.as_deref().unwrap_or_default()))[..12].to_owned()
}

/// The mark and the epoch of a file that Orgtide has made or begun.
fn maker(name: &str) -> Option<(&str, i64)> {
    let (mark, rest) = FileFormat::stem(name)?.split_once('-')?;
    let (epoch, random) = rest.rsplit_once('-')?;
    let is_hex = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex(mark, 12) && is_hex(random, 16)).then_some((mark, epoch.parse().ok()?))
}

fn path(version: u64) -> String {
    format!("{MANIFESTS}/{version:020}.json")
}

/// The last version of a table; `None`: there is no table.
pub(super) fn last(store: &Store) -> Outcome<Option<(Manifest, Stamps)>> {
    loop {
        let stamps = Stamps::of(&store.list(MANIFESTS)?);
        let Some(version) = stamps.last() else { return Ok(None) };
        // Another process removes a version only when there are later ones.
        if let Some(manifest) = read(store, version)? {
            return Ok(Some((manifest, stamps)));
        }
    }
}

fn read(store: &Store, version: u64) -> Outcome<Option<Manifest>> {
    let Some(text) = store.read(&path(version))? else { return Ok(None) };
    let manifest = unsealed(&text).map_err(|reason| DestinationError::Unusable {
        place: store.place().to_owned(),
        reason: format!(
            "the manifest {} cannot be used: {reason}. Put it back from a backup; or remove this file alone: the table is \
             then as it was before its last write, and the next run reads again what is missing",
            path(version)
        ),
    })?;
    Ok(Some(manifest))
}

/// Makes the next version. `is_ours` tells a version that holds what we have written.
pub(super) fn make(store: &Store, next: &Manifest, is_ours: &dyn Fn(&Manifest) -> bool) -> Outcome<Attempt> {
    let version = next.version;
    let made = match store.create(&path(version), sealed(next).as_bytes()) {
        Ok(made) => made,
        // The answer may be what was lost, rather than the request.
        Err(error) => match read(store, version) {
            Ok(Some(found)) if is_ours(&found) => false,
            Ok(_) | Err(_) => return Err(error),
        },
    };
    let stamps = Stamps::of(&store.list(MANIFESTS)?);
    if made && version > 1 && !stamps.has(version - 1) && stamps.last() == Some(version) {
        // The version that this one is made of is gone, and the table with it.
        store.delete(&path(version))?;
        return Ok(Attempt::Gone);
    }
    if made && stamps.last() == Some(version) {
        return Ok(Attempt::Made(stamps));
    }
    // The file is there already; or it was, and has been removed for its age while this process stood still.
    match last(store)? {
        None => Ok(Attempt::Gone),
        Some((found, stamps)) if is_ours(&found) => Ok(Attempt::Made(stamps)),
        Some((found, stamps)) => Ok(Attempt::Behind(Box::new(found), stamps)),
    }
}

/// Refuses a store that makes a file although it is there: two runs could not be kept apart in it.
pub(super) fn refuse_without_conditions(store: &Store, first: &Manifest) -> Outcome<()> {
    if !store.create(&path(first.version), sealed(first).as_bytes())? {
        return Ok(());
    }
    store.delete(&path(first.version))?;
    Err(DestinationError::Unusable {
        place: store.place().to_owned(),
        reason:
            "this store replaces objects although it is asked not to (If-None-Match), so that two runs could undo each \
                 other: use one that knows conditional writes, such as Amazon S3 or a current MinIO"
                .to_owned(),
    })
}

/// Removes files that no version has had for long, versions that are old, and what an ended run of this stream has left.
/// What cannot be removed now is removed later.
pub(super) fn tidy(store: &Store, manifest: &Manifest, stamps: &Stamps, keep: Duration) -> Outcome<()> {
    let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    let Some(now) = stamps.made_at(manifest.version) else { return Ok(()) };
    let is_old = |version: u64| stamps.made_at(version).is_none_or(|made_at| made_at.saturating_add(keep) <= now);
    for dropped in manifest.dropped.iter().filter(|dropped| is_old(dropped.since)) {
        store.delete(&format!("{DATA}/{}", dropped.name))?;
    }
    for (version, _) in stamps.0.iter().filter(|(version, _)| version + 1 < manifest.version && is_old(*version)) {
        store.delete(&path(*version))?;
    }
    Ok(())
}

/// Removes files that no version names: those of earlier runs of the stream, which is `mark`'s and at `epoch`, and of
/// processes that have ended long ago. A file of somebody else's is never touched.
pub(super) fn remove_orphans(
    store: &Store,
    manifest: &Manifest,
    stamps: &Stamps,
    (mark, epoch): (&str, i64),
) -> Outcome<()> {
    let Some(now) = stamps.made_at(manifest.version) else { return Ok(()) };
    let abandoned = i64::try_from(ABANDONED.as_millis()).unwrap_or(i64::MAX);
    for found in store.list(DATA)? {
        let is_named = manifest.files.iter().any(|file| file.name == found.name)
            || manifest.dropped.iter().any(|file| file.name == found.name);
        let Some((its_mark, its_epoch)) = maker(&found.name).filter(|_| !is_named) else { continue };
        let is_fenced = its_mark == mark && its_epoch < epoch;
        if is_fenced || found.modified.saturating_add(abandoned) < now {
            store.delete(&format!("{DATA}/{}", found.name))?;
        }
    }
    for found in store.list(MANIFESTS)?.iter().filter(|found| found.name.ends_with(".unfinished")) {
        if found.modified.saturating_add(abandoned) < now {
            store.delete(&format!("{MANIFESTS}/{}", found.name))?;
        }
    }
    Ok(())
}

/// Removes every version, the last one last.
pub(super) fn remove_all(store: &Store) -> Outcome<()> {
    for (version, _) in Stamps::of(&store.list(MANIFESTS)?).0 {
        store.delete(&path(version))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_ours_by_its_name_alone() {
        let mark = "0123456789ab";
        assert_eq!(maker(&format!("{mark}-7-0123456789abcdef.parquet")), Some((mark, 7)));
        assert_eq!(maker(&format!("{mark}--7-0123456789abcdef.parquet")), Some((mark, -7)));
        assert_eq!(maker(&format!("{mark}-7-0123456789abcdef.parquet-aa.unfinished")), Some((mark, 7)));
        assert_eq!(maker(&format!("{mark}-7-0123456789abcdef.jsonl.gz")), Some((mark, 7)));
        assert_eq!(maker(&format!("{mark}-7-0123456789abcdef.csv.gz-aa.unfinished")), Some((mark, 7)));
        for name in
            ["part-0.parquet", "0123456789ab-7.parquet", "notes.txt", "0123456789ab-7-0123456789abcdef.parquet.bak"]
        {
            assert_eq!(maker(name), None, "{name}");
        }
    }
}
