//! What the org itself fills in when a file is stored: sizes, and the document of a first version.
//!
//! Source: object reference v66, Attachment, Document, ContentVersion ("a ContentDocument is created automatically").

use serde_json::json;

use super::write::{set, set_at};
use super::{Author, Database, Record, RowError};
use crate::ids::RecordId;
use crate::schema::{FieldIndex, FullAccess, Object};
use crate::table::{IdRange, StoredRow};
use crate::value::Value;

/// Objects with a file, the field that holds it, and the field with its size.
const FILES: [(&str, &str, &str); 3] = [
    ("Attachment", "Body", "BodyLength"),
    ("ContentVersion", "VersionData", "ContentSize"),
    ("Document", "Body", "BodyLength"),
];
const VERSION: &str = "ContentVersion";
const DOCUMENT: &str = "ContentDocument";

impl Database {
    /// Counts the bytes of a row's file.
    pub(super) fn measure_file(object: &Object, row: &mut StoredRow) {
        let Some((_, body, size)) = FILES.iter().find(|(name, ..)| *name == object.name) else { return };
        let bytes = match object.find(body).and_then(|(field, _)| row.values.get(field)) {
            Some(Value::Bytes(bytes)) => bytes.len(),
            _ => return,
        };
        let size = object.find(size).map(|(field, _)| field);
        set_at(&mut row.values, size, Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX)));
    }

    /// A version without a title is called as its file is, without the extension (inferred).
    pub(super) fn title_file(object: &Object, row: &mut StoredRow) {
        let field = |name: &str| object.find(name).map(|(field, _)| field);
        if object.name != VERSION || !text(row, field("Title")).is_empty() {
            return;
        }
        let path = text(row, field("PathOnClient"));
        let file = path.rsplit(['/', '\\']).next().unwrap_or_default();
        let title = file.rsplit_once('.').map_or(file, |(title, _)| title);
        if !title.is_empty() {
            set_at(&mut row.values, field("Title"), Value::text(title));
        }
    }

    /// Makes a version that was inserted the latest one of its document, which is created when the version names none.
    pub(super) fn file_version(&mut self, object: &Object, id: RecordId, by: &Author<'_>) -> Result<(), RowError> {
        if object.name != VERSION || self.current.schema.find(DOCUMENT).is_none() {
            return Ok(());
        }
        let field = |name: &str| object.find(name).map(|(field, _)| field);
        let (index, mut row) = self.stored(id)?;
        let (kind, extension) = kind_of(&text(&row, field("PathOnClient")));
        let number = match value(&row, field("ContentDocumentId")) {
            Value::Id(document) => self.retire_versions(object, document, id)? + 1,
            _ => {
                let title = text(&row, field("Title"));
                let document = self.new_document(&title, &kind, &extension, by)?;
                set_at(&mut row.values, field("ContentDocumentId"), Value::Id(document));
                1
            }
        };
        set_at(&mut row.values, field("IsLatest"), Value::Bool(true));
        set_at(&mut row.values, field("VersionNumber"), Value::text(number.to_string()));
        set_at(&mut row.values, field("FileType"), Value::text(kind));
        set_at(&mut row.values, field("FileExtension"), Value::text(extension));
        let document = value(&row, field("ContentDocumentId"));
        let size = value(&row, field("ContentSize"));
        self.put(index, row);
        match document {
            Value::Id(document) => self.publish(document, id, size),
            _ => Ok(()),
        }
    }

    fn new_document(
        &mut self,
        title: &str,
        kind: &str,
        extension: &str,
        by: &Author<'_>,
    ) -> Result<RecordId, RowError> {
        let fields = json!({"Title": title, "FileType": kind, "FileExtension": extension, "PublishStatus": "P"});
        let serde_json::Value::Object(record) = fields else { return Err(RowError::not_found()) };
        let record: Record = record.into_iter().filter(|(_, value)| value != "").collect();
        self.insert(DOCUMENT, &record, &Author { access: &FullAccess, ..*by })
    }

    fn publish(&mut self, document: RecordId, version: RecordId, size: Value) -> Result<(), RowError> {
        let (index, mut row) = self.stored(document)?;
        let object = self.current.schema.object(index).clone();
        let field = |name: &str| object.find(name).map(|(field, _)| field);
        set_at(&mut row.values, field("LatestPublishedVersionId"), Value::Id(version));
        set_at(&mut row.values, field("ContentSize"), size);
        self.put(index, row);
        Ok(())
    }

    /// The other versions of a document are not the latest any more; how many there are.
    fn retire_versions(&mut self, object: &Object, document: RecordId, latest: RecordId) -> Result<usize, RowError> {
        let (Some((of, _)), Some((flag, _))) = (object.find("ContentDocumentId"), object.find("IsLatest")) else {
            return Ok(0);
        };
        let (index, _) = self.stored(latest)?;
        let rows = self.current.table(index).scan(IdRange::ALL);
        let others = rows.filter(|row| row.id() != latest && row.value(of) == Value::Id(document));
        let others: Vec<StoredRow> = others.map(|row| row.to_stored()).collect();
        let number = others.len();
        for mut row in others {
            set(&mut row.values, flag, Value::Bool(false));
            self.put(index, row);
        }
        Ok(number)
    }
}

fn value(row: &StoredRow, field: Option<FieldIndex>) -> Value {
    field.and_then(|field| row.values.get(field)).cloned().unwrap_or_default()
}

fn text(row: &StoredRow, field: Option<FieldIndex>) -> String {
    match value(row, field) {
        Value::Text(text) => text.into(),
        _ => String::new(),
    }
}

/// File type and extension by the path that a file had at the client.
fn kind_of(path: &str) -> (String, String) {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_owned()).unwrap_or_default();
    let kind = if extension.is_empty() { "UNKNOWN".to_owned() } else { extension.to_uppercase() };
    (kind, extension)
}
