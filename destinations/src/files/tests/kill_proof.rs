//! A process that is killed between any two effects.

use sync::{
    checkpoint::{Checkpoint, Epoch},
    destination::DestinationError,
    table::{DeleteMode, Deletion, Patch, TableBatch},
};

use super::{FORMATS, Rows, Somewhere, key, resume, rows_of, table};
use crate::files::{FileFormat, FilesSettings, writer::Writer};

/// Writes that make, change, flag and sweep rows, fill gaps, and join neighbours.
fn story() -> Vec<(TableBatch, Checkpoint)> {
    let row = |id: usize, name: &str, at: i64| (format!("{id:03}"), Some(name.to_owned()), Some(at));
    let batch = |rows: &[(String, Option<String>, Option<i64>)]| TableBatch {
        upserts: rows_of(rows),
        ..TableBatch::empty(&table(None, DeleteMode::Flag))
    };
    let mut story: Vec<(TableBatch, Checkpoint)> = (0..5)
        .map(|part| {
            let rows: Vec<_> = (0..6).map(|id| row(part * 20 + id * 2, "first", 1)).collect();
            (batch(&rows), resume(&part.to_string(), None, false))
        })
        .collect();
    let changed: Vec<_> = [2, 3, 11, 24, 90, 95].map(|id| row(id, "second", 2)).to_vec();
    let mut second = batch(&changed);
    second.deletes = vec![Deletion { id: "004".to_owned(), version: None }];
    story.push((second, resume("second", None, false)));
    let patch = Patch { columns: vec![0, 1, 2], rows: rows_of(&[row(40, "patched", 3)]) };
    story.push((TableBatch { patch: Some(patch), ..batch(&[]) }, resume("patch", None, false)));
    let named: Vec<_> = (0..9).map(|id| row(id * 10, "swept", 4)).collect();
    story.push((batch(&named), resume("sweep", Some(7), true)));
    story
}

/// The rows after so many writes of the story.
fn told(format: FileFormat, parts: usize) -> Rows {
    let place = Somewhere::folder();
    tell(&place.settings(format), 1, &story()[..parts], None).unwrap();
    place.shown()
}

/// Prepares and writes, until an effect that the process does not live to see. The checkpoint that there was; `None`: the
/// process was killed.
fn tell(
    settings: &FilesSettings,
    epoch: i64,
    parts: &[(TableBatch, Checkpoint)],
    killed_after: Option<i64>,
) -> Option<Option<Checkpoint>> {
    let mut writer = Writer::new(settings.clone());
    writer.killed_after = killed_after;
    let fails = |error: DestinationError| assert!(killed_after.is_some(), "{error}");
    let prepared = writer.prepare(key("acme", None), table(None, DeleteMode::Flag), Epoch(epoch));
    let checkpoint = prepared.map_err(fails).ok()?;
    for (batch, resume) in parts {
        writer.write(batch, resume, Epoch(epoch)).map_err(fails).ok()?;
        // A process that was killed while it showed a version or tidied up is not there for the next write.
        if writer.is_killed() {
            return None;
        }
    }
    writer.close().unwrap();
    Some(checkpoint)
}

#[test]
fn a_process_that_is_killed_between_any_two_effects_loses_nothing_and_doubles_nothing() {
    let points: i64 = FORMATS
        .into_iter()
        .map(|format| kill_everywhere(format, Somewhere::folder) + kill_everywhere(format, Somewhere::bucket))
        .sum();
    println!(
        "proof: killed writes of files: {points} kills, one between any two effects of a story of imports, increments, \
         deletions, compactions and a sweep, of Parquet, CSV and JSON Lines in a folder and in a bucket, 0 lost, 0 twice"
    );
}

/// Returns how many points there are to be killed at.
fn kill_everywhere(format: FileFormat, new_place: fn() -> Somewhere) -> i64 {
    let story = story();
    let told: Vec<Rows> = (0..=story.len()).map(|parts| told(format, parts)).collect();
    for effects in 0..100_000 {
        let place = new_place();
        let settings = place.settings(format);
        let first = tell(&settings, 1, &story, Some(effects));
        // Whatever readers see is the table as it was after one of the writes.
        let seen = place.shown();
        assert!(told.contains(&seen), "{format}: after {effects} effects readers see {seen:?}");
        let checkpoint = tell(&settings, 2, &[], None).unwrap();
        let parts = checkpoint
            .as_ref()
            .map_or(0, |checkpoint| 1 + story.iter().position(|(_, resume)| resume == checkpoint).unwrap());
        assert_eq!(place.shown(), told[parts], "{format}: after {effects} effects");
        // The next run goes on, and repeats the last write as well.
        tell(&settings, 3, &story[parts.saturating_sub(1)..], None).unwrap();
        assert_eq!(place.shown(), told[story.len()], "{format}: after {effects} effects and another run");
        let [there, shown] = place.files();
        assert_eq!(there, shown, "{format}: after {effects} effects");
        if first.is_some() {
            assert_eq!(parts, story.len());
            return effects;
        }
    }
    unreachable!("a story has an end")
}
