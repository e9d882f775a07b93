//! What a table is made of, as of one write.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sync::table::{ColumnType, StreamKey};

use super::{data::TextGroup, format::FileFormat, name::hash};

/// The only format so far.
const FORMAT: u32 = 1;

/// One version of a table. The one with the highest number is the table; each is written once and never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) version: u64,
    pub(super) table: String,
    /// The name of the key column beside `_connection`.
    pub(super) key: String,
    /// What every file is.
    #[serde(default)]
    pub(super) files_are: FileFormat,
    pub(super) shape: Shape,
    pub(super) streams: Vec<StreamEntry>,
    /// By connection and key; no two of a connection overlap.
    pub(super) files: Vec<DataFile>,
    /// Files that earlier versions had.
    pub(super) dropped: Vec<Dropped>,
}

/// The columns of every file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) columns: Vec<HeldColumn>,
    /// Rows can carry a deletion flag.
    pub(super) deleted: bool,
    /// Rows carry the name of their stream.
    pub(super) stream: bool,
    /// Rows carry the reading that has named them.
    pub(super) generation: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeldColumn {
    pub(super) name: String,
    pub(super) kind: ColumnType,
}

/// A stream that writes to the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StreamEntry {
    pub(super) connection: String,
    pub(super) object: String,
    pub(super) stream: Option<String>,
    pub(super) org: String,
    pub(super) installation: String,
    pub(super) epoch: i64,
    /// The stream's last commit: tells whether a version holds what we have written.
    pub(super) commit: String,
    /// As it was given; another version of Orgtide may have written it.
    pub(super) checkpoint: Option<serde_json::Value>,
}

/// A file of rows, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DataFile {
    pub(super) name: String,
    pub(super) connection: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) min: String,
    pub(super) max: String,
    /// Where its row groups are, unless it says so itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<TextGroup>,
}

/// A file that is no part of the table any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dropped {
    pub(super) name: String,
    pub(super) connection: String,
    /// The first version without it.
    pub(super) since: u64,
}

impl StreamEntry {
    pub(super) fn is_of(&self, key: &StreamKey) -> bool {
        self.connection == key.connection && self.object == key.object && self.stream == key.stream
    }
}

impl Manifest {
    /// A table without rows and streams, before its first version.
    pub(super) fn empty(table: &str, key: &str, files_are: FileFormat, shape: Shape) -> Self {
        Self {
            format: FORMAT,
            version: 0,
            table: table.to_owned(),
            key: key.to_owned(),
            files_are,
            shape,
            streams: Vec::new(),
            files: Vec::new(),
            dropped: Vec::new(),
        }
    }

    pub(super) fn entry(&self, key: &StreamKey) -> Option<&StreamEntry> {
        self.streams.iter().find(|entry| entry.is_of(key))
    }

    pub(super) fn entry_mut(&mut self, key: &StreamKey) -> Option<&mut StreamEntry> {
        self.streams.iter_mut().find(|entry| entry.is_of(key))
    }

    /// The org and the installation that write the table under the connection's name, unless these are the stream's.
    pub(super) fn other_writer(&self, key: &StreamKey) -> Option<(&str, &str)> {
        let is_other = |theirs: &str, ours: &str| !theirs.is_empty() && theirs != ours;
        self.streams
            .iter()
            .filter(|entry| entry.connection == key.connection)
            .find(|entry| is_other(&entry.org, &key.org) || is_other(&entry.installation, &key.installation))
            .map(|entry| (entry.org.as_str(), entry.installation.as_str()))
    }

    /// The files of a connection, in the order of their keys.
    pub(super) fn files_of(&self, connection: &str) -> Vec<DataFile> {
        self.files.iter().filter(|file| file.connection == connection).cloned().collect()
    }

    /// Puts files in the place of others.
    pub(super) fn replace(&mut self, gone: &[DataFile], made: Vec<DataFile>) {
        let since = self.version;
        let is_gone = |file: &DataFile| gone.iter().any(|gone| gone.name == file.name);
        self.files.retain(|file| !is_gone(file));
        let dropped =
            gone.iter().map(|file| Dropped { name: file.name.clone(), connection: file.connection.clone(), since });
        self.dropped.extend(dropped);
        self.files.extend(made);
        self.files.sort_by(|one, other| (&one.connection, &one.min).cmp(&(&other.connection, &other.min)));
    }
}

/// A manifest with its hash, so that a half of one or a changed one is told.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    sha256: String,
    #[serde(borrow)]
    manifest: &'a RawValue,
}

/// The text of a manifest's file.
pub(super) fn sealed(manifest: &Manifest) -> String {
    let text = serde_json::to_string(manifest).expect("a manifest is plain data");
    format!("{{\"sha256\":\"{}\",\"manifest\":{text}}}\n", hash(&text))
}

/// Reads what [`sealed`] has written.
///
/// # Errors
/// What is wrong with it.
pub(super) fn unsealed(text: &[u8]) -> Result<Manifest, String> {
    let sealed: Sealed<'_> = serde_json::from_slice(text).map_err(|_| "it is cut off or no manifest".to_owned())?;
    if hash(sealed.manifest.get()) != sealed.sha256 {
        return Err("it has been changed: its hash is another one".to_owned());
    }
    let format = serde_json::from_str::<serde_json::Value>(sealed.manifest.get())
        .ok()
        .and_then(|manifest| manifest["format"].as_u64())
        .unwrap_or_default();
    if format != u64::from(FORMAT) {
        return Err(format!("its format is {format}, and this version of Orgtide knows {FORMAT}"));
    }
    serde_json::from_str(sealed.manifest.get()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let shape = Shape { columns: Vec::new(), deleted: true, stream: false, generation: false };
        Manifest::empty("Contact", "Id", FileFormat::Parquet, shape)
    }

    #[test]
    fn a_manifest_reads_as_it_was_written_and_no_part_of_it_does() {
        let text = sealed(&manifest());
        assert_eq!(unsealed(text.as_bytes()), Ok(manifest()));
        for end in 0..text.len() - 2 {
            assert!(unsealed(&text.as_bytes()[..end]).is_err());
        }
        assert!(unsealed(text.replace("Contact", "Account").as_bytes()).unwrap_err().contains("hash"));
    }

    #[test]
    fn a_later_format_is_not_guessed_at() {
        let text = sealed(&Manifest { format: 2, ..manifest() });
        assert!(unsealed(text.as_bytes()).unwrap_err().contains("format is 2"));
    }

    #[test]
    fn a_file_that_is_replaced_is_remembered_with_the_version_that_lacks_it() {
        let file = |name: &str, min: &str| DataFile {
            name: name.to_owned(),
            connection: "acme".to_owned(),
            rows: 1,
            bytes: 1,
            min: min.to_owned(),
            max: min.to_owned(),
            groups: Vec::new(),
        };
        let mut table = manifest();
        table.replace(&[], vec![file("b", "2"), file("a", "1")]);
        table.version = 7;
        table.replace(&[file("a", "1")], vec![file("c", "0")]);
        let names: Vec<&str> = table.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["c", "b"]);
        assert_eq!((table.dropped[0].name.as_str(), table.dropped[0].since), ("a", 7));
    }
}
