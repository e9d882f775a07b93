//! What `listMetadata()` says about each component.

use super::super::Ask;
use super::super::writer::Elements;
use crate::org::{Org, custom_field_id, custom_object_id, is_customizable};
use crate::schema::{Access, Field, Object, RecordType};
use crate::table::{IdRange, Row};
use crate::value::{Timestamp, Value};

/// When components were made that nobody has made. Source: captured lists.
const NEVER: &str = "1970-01-01T00:00:00.000Z";
/// Standard profiles and what the API calls them. Source: Metadata API developer guide, "Profile".
const PROFILES: [(&str, &str); 8] = [
    ("System Administrator", "Admin"),
    ("Standard User", "Standard"),
    ("Read Only", "ReadOnly"),
    ("Solution Manager", "SolutionManager"),
    ("Marketing User", "MarketingProfile"),
    ("Contract Manager", "ContractManager"),
    ("Minimum Access - Salesforce", "Minimum Access - Salesforce"),
    ("Guest License User", "Guest License User"),
];

/// `FileProperties` of a component.
pub(super) struct File {
    pub(super) full_name: String,
    file: String,
    /// Empty for what is standard.
    id: String,
    created: String,
    modified: String,
    kind: &'static str,
    by: (String, String),
}

impl File {
    /// In the order of the WSDL.
    pub(super) fn write(&self, out: &mut Elements) {
        let (user, name) = &self.by;
        out.put("createdById", user);
        out.put("createdByName", name);
        out.put("createdDate", &self.created);
        out.put("fileName", &self.file);
        out.put("fullName", &self.full_name);
        out.put("id", &self.id);
        out.put("lastModifiedById", user);
        out.put("lastModifiedByName", name);
        out.put("lastModifiedDate", &self.modified);
        if !self.id.is_empty() {
            out.put("manageableState", "unmanaged");
        }
        out.put("namespacePrefix", "");
        out.put("type", self.kind);
    }
}

impl Org {
    /// The components of a type.
    pub(super) fn metadata_files(&self, ask: &Ask<'_>, kind: &str) -> Vec<File> {
        match kind {
            "CustomObject" => self.files_of_objects(ask, |lister, object| vec![lister.object(object)]),
            "CustomField" => self.files_of_objects(ask, Lister::fields),
            "RecordType" => self.files_of_objects(ask, Lister::record_types),
            "Profile" => self.files_of_rows(ask, ("Profile", "Name"), ("Profile", "profiles", "profile")),
            "PermissionSet" => {
                self.files_of_rows(ask, ("PermissionSet", "Name"), ("PermissionSet", "permissionsets", "permissionset"))
            }
            "ConnectedApp" => self.files_of_rows(
                ask,
                ("ConnectedApplication", "Name"),
                ("ConnectedApp", "connectedApps", "connectedApp"),
            ),
            _ => Vec::new(),
        }
    }

    fn files_of_objects(&self, ask: &Ask<'_>, list: impl Fn(&Lister, &Object) -> Vec<File>) -> Vec<File> {
        let lister = self.lister(ask);
        let snapshot = self.snapshot();
        let seen = snapshot.schema().objects().iter();
        let seen = seen.filter(|object| is_customizable(object) && ask.caller.access.reads(object));
        seen.flat_map(|object| list(&lister, object)).collect()
    }

    fn files_of_rows(
        &self,
        ask: &Ask<'_>,
        (object, name): (&str, &str),
        (kind, folder, suffix): (&'static str, &str, &str),
    ) -> Vec<File> {
        let lister = self.lister(ask);
        let snapshot = self.snapshot();
        let Some((index, object)) = snapshot.schema().find(object) else { return Vec::new() };
        let Some((name, _)) = object.find(name) else { return Vec::new() };
        let of_profile = object.find("IsOwnedByProfile").map(|(index, _)| index);
        let rows = snapshot.table(index).scan(IdRange::ALL).filter(|row| !row.is_deleted());
        let rows = rows.filter(|row| of_profile.is_none_or(|field| row.value(field) != Value::Bool(true)));
        rows.filter_map(|row| {
            let Value::Text(name) = row.value(name) else { return None };
            let known = PROFILES.iter().find(|(label, _)| kind == "Profile" && **label == *name);
            let full_name = known.map_or(&*name, |(_, known)| known).to_owned();
            let file = format!("{folder}/{full_name}.{suffix}");
            Some(File { id: row.id().to_string(), ..lister.file(kind, full_name, file, dates(&row)) })
        })
        .collect()
    }

    fn lister(&self, ask: &Ask<'_>) -> Lister {
        let setup = self.setup(ask.call);
        let first = setup.users.first();
        let id = first.map(|user| self.user_id(&user.username).to_string()).unwrap_or_default();
        let changed = written(Timestamp::from(self.schema_changed()));
        Lister { by: (id, first.map(|user| user.full_name()).unwrap_or_default()), changed }
    }
}

/// What the components of an org have in common.
struct Lister {
    by: (String, String),
    /// When the schema was changed last.
    changed: String,
}

impl Lister {
    fn file(&self, kind: &'static str, full_name: String, file: String, (created, modified): (String, String)) -> File {
        File { full_name, file, id: String::new(), created, modified, kind, by: self.by.clone() }
    }

    fn changed(&self) -> (String, String) {
        (self.changed.clone(), self.changed.clone())
    }

    fn object(&self, object: &Object) -> File {
        let file = file_of(object);
        if object.custom {
            let id = custom_object_id(object).to_string();
            return File { id, ..self.file("CustomObject", object.name.clone(), file, self.changed()) };
        }
        self.file("CustomObject", object.name.clone(), file, (NEVER.to_owned(), NEVER.to_owned()))
    }

    fn fields(&self, object: &Object) -> Vec<File> {
        let custom = object.fields().iter().filter(|field| field.custom && field.compound.is_none());
        let file = |field: &Field| {
            let id = custom_field_id(object, field).to_string();
            let name = format!("{}.{}", object.name, field.name);
            File { id, ..self.file("CustomField", name, file_of(object), self.changed()) }
        };
        custom.map(file).collect()
    }

    fn record_types(&self, object: &Object) -> Vec<File> {
        let file = |kind: &RecordType| {
            let name = format!("{}.{}", object.name, kind.developer_name);
            File { id: kind.id.to_string(), ..self.file("RecordType", name, file_of(object), self.changed()) }
        };
        object.record_types.iter().map(file).collect()
    }
}

fn file_of(object: &Object) -> String {
    format!("objects/{}.object", object.name)
}

fn dates(row: &Row<'_>) -> (String, String) {
    let audit = row.object().audit();
    let date = |field: Option<usize>| match field.map(|field| row.value(field)) {
        Some(Value::DateTime(time)) => written(time),
        _ => NEVER.to_owned(),
    };
    (date(audit.created_date), date(audit.modified_date.or(audit.created_date)))
}

fn written(time: Timestamp) -> String {
    let mut text = Vec::new();
    time.write_bulk(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
