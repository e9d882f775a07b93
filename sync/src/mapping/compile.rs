//! From a mapping and a describe to what is read and what is written, or every reason why not.

mod columns;
mod key;

use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{SHA256, digest};
use salesforce::describe::{FieldDescribe, FieldType, ObjectDescribe};
use serde::Serialize;

use super::{
    CompiledMapping, Mapping, MappingProblem,
    make::{Make, MakeSource},
    path::{Resolved, resolve},
};
use crate::{
    batch::ReadField,
    catalogue::Catalogue,
    checkpoint::Asked,
    strategy,
    table::{Column, ColumnType, TableSchema},
};

pub(super) use columns::currency_path;
use key::Key;

/// A PostgreSQL table has 1,600 columns at most, of which some are Orgtide's own (*Limits*).
const MAX_COLUMNS: usize = 1_590;

/// A query has at most so many bytes, and of parents (SOQL reference v66, *SOQL and SOSL Limits* and *Understanding
/// Relationship Query Limitations*). Some room stays for the conditions of a window.
const MAX_SELECT_BYTES: usize = 95_000;

/// The fields that an org derives from other records without moving the record's stamp, and that describe does not call
/// calculated (Object Reference v66, *Account*; LastViewedDate and its like tell of this very user, who looks at nothing).
const UNSTAMPED: [&str; 1] = ["LastActivityDate"];

const MAX_PARENTS: usize = 55;

impl Mapping {
    /// Checks this mapping against the org.
    ///
    /// The key and the stamp become columns even when the mapping does not name them: one tells the rows apart, the
    /// other decides which of two versions is newer.
    ///
    /// # Errors
    /// Every problem there is, in the order of the mapping.
    pub fn compile(&self, catalogue: &Catalogue) -> Result<CompiledMapping, Vec<MappingProblem>> {
        let Some(object) = catalogue.object(&self.object) else {
            return Err(vec![problem("object", format!("This user can see no object {:?}.", self.object))]);
        };
        let mut compiling = Compiling {
            catalogue,
            object,
            problems: Vec::new(),
            warnings: Vec::new(),
            reads: Vec::new(),
            columns: Vec::new(),
        };
        compiling.check_bounds(self);
        let key = compiling.key(self);
        compiling.add_columns(self, &key);
        let own = compiling.add_own(&key);
        compiling.check_whole();
        let Some(own) = own else { return Err(compiling.problems) };
        let table = compiling.table(self, &own);
        if compiling.problems.is_empty() {
            compiling.problems.extend(self.matching.iter().flat_map(|matching| matching.problems(&table)));
        }
        if compiling.problems.is_empty() {
            Ok(compiling.finish(self, &key, own, table))
        } else {
            Err(compiling.problems)
        }
    }
}

/// A mapping that is being compiled.
struct Compiling<'a> {
    catalogue: &'a Catalogue,
    object: &'a ObjectDescribe,
    problems: Vec<MappingProblem>,
    warnings: Vec<MappingProblem>,
    /// The fields to be read, each once.
    reads: Vec<Resolved>,
    columns: Vec<Made>,
}

/// One column, and where in the mapping it is from.
struct Made {
    /// `columns[2]`, or `object` for what nobody wrote.
    place: String,
    name: String,
    kind: ColumnType,
    make: Make,
    /// How the column is made, as a hash.
    print: String,
    /// What its values are, in words.
    source: String,
    /// Its values change without moving the record's stamp.
    is_volatile: bool,
}

/// Where the pipeline's own fields stand.
struct Own {
    /// Among the columns.
    id: usize,
    version: Option<usize>,
    /// Among the fields.
    record_id: usize,
    cursor: Option<usize>,
    parent_cursor: Option<usize>,
    deleted: Option<usize>,
}

impl Compiling<'_> {
    fn refuse(&mut self, place: &str, message: impl Into<String>) {
        self.problems.push(problem(place, message.into()));
    }

    fn warn(&mut self, place: &str, message: impl Into<String>) {
        self.warnings.push(problem(place, message.into()));
    }

    fn check_bounds(&mut self, mapping: &Mapping) {
        if let Some(refusal) = strategy::refusal(self.object, mapping.filter.as_deref()) {
            self.refuse("object", refusal.to_string());
        }
        if mapping.filter.as_deref().is_some_and(|filter| filter.trim().is_empty()) {
            self.refuse("filter", "The filter is empty; leave it out to read everything.");
        }
        if mapping.limit == Some(0) {
            self.refuse("limit", "A limit of 0 reads nothing; leave it out to read everything.");
        }
        if mapping.table.as_deref().is_some_and(|table| table.trim().is_empty() || table.starts_with('_')) {
            self.refuse("table", "A table's name is not empty and does not begin with an underscore.");
        }
        if mapping.stream.as_deref().is_some_and(|stream| stream.trim().is_empty()) {
            self.refuse("stream", "A stream's name is not empty; leave it out when no other stream fills the table.");
        }
    }

    fn add_columns(&mut self, mapping: &Mapping, key: &Key) {
        for (index, column) in mapping.columns.iter().enumerate() {
            self.add_column(column, &format!("columns[{index}]"));
        }
        if mapping.columns.is_empty() && key.is_parent() {
            self.refuse(
                "columns",
                "Rows that are not the records themselves have the columns that are named; name some.",
            );
        } else if mapping.columns.is_empty() || mapping.rest {
            self.add_rest();
        }
    }

    /// Every readable field that no column has yet, but compound addresses and locations, and base64 bodies.
    fn add_rest(&mut self) {
        let known: BTreeSet<String> = self.reads.iter().map(|read| read.field.path.clone()).collect();
        for field in every_readable_field(self.object).filter(|field| !known.contains(&field.name)) {
            match self.read(&field.name, "object") {
                Ok(index) => self.add_plain(index, None, "object"),
                Err(found) => self.problems.push(found),
            }
        }
    }

    /// The key and the stamp, unless the mapping has named them; and what is only read: the record's own Id and stamp,
    /// and the deletion flag of records that are rows.
    fn add_own(&mut self, key: &Key) -> Option<Own> {
        if self.object.field("Id").is_none() {
            self.refuse("object", format!("{} has no Id, so its records cannot be told apart.", self.object.name));
            return None;
        }
        let stamp = strategy::cursor(self.object);
        let (id, version, parent_cursor) = match key {
            Key::Record => (self.own_column("Id", "Id"), stamp.map(|stamp| self.own_column(stamp, stamp)), None),
            Key::Parent { path, twin, stamp } => {
                let known =
                    twin.as_ref().filter(|twin| self.plain_column(path).is_none() && self.plain_column(twin).is_some());
                let id = self.own_column(known.unwrap_or(path), "Id");
                let version = stamp.as_ref().map(|stamp| self.own_column(stamp, "SystemModstamp"));
                (id, version, stamp.as_ref().map(|stamp| self.read(stamp, "key")))
            }
            Key::Unique { path } => {
                (self.own_column(path, path), stamp.map(|stamp| self.own_column(stamp, stamp)), None)
            }
        };
        let record_id = self.read("Id", "object");
        let cursor = stamp.map(|stamp| self.read(stamp, "object"));
        let deletes = *key == Key::Record && self.object.field("IsDeleted").is_some();
        let deleted = deletes.then(|| self.read("IsDeleted", "object"));
        Some(Own {
            id: self.kept(id)?,
            version: version.and_then(|version| self.kept(version)),
            record_id: self.kept(record_id)?,
            cursor: cursor.and_then(|cursor| self.kept(cursor)),
            parent_cursor: parent_cursor.and_then(|cursor| self.kept(cursor)),
            deleted: deleted.and_then(|deleted| self.kept(deleted)),
        })
    }

    /// What was found; a problem is kept.
    fn kept<T>(&mut self, found: Result<T, MappingProblem>) -> Option<T> {
        found.map_err(|problem| self.problems.push(problem)).ok()
    }

    /// The column that holds a field as it is; the mapping's, or one more of this name.
    fn own_column(&mut self, path: &str, name: &str) -> Result<usize, MappingProblem> {
        let field = self.read(path, "object")?;
        let path = self.reads[field].field.path.clone();
        if self.plain_column(&path).is_none() {
            self.add_plain(field, Some(name.to_owned()), "object");
        }
        Ok(self.plain_column(&path).unwrap_or(self.columns.len() - 1))
    }

    /// The index of a field among those to be read.
    fn read(&mut self, path: &str, place: &str) -> Result<usize, MappingProblem> {
        let resolved = resolve(self.catalogue, self.object, path, place)?;
        if let Some(known) = self.position(&resolved.field.path) {
            return Ok(known);
        }
        self.reads.push(resolved);
        Ok(self.reads.len() - 1)
    }

    fn position(&self, path: &str) -> Option<usize> {
        self.reads.iter().position(|read| read.field.path.eq_ignore_ascii_case(path))
    }

    fn add_plain(&mut self, field: usize, name: Option<String>, place: &str) {
        let ReadField { path, kind } = self.reads[field].field.clone();
        let make = Make::plain(MakeSource::Field(field));
        let is_volatile = self.is_volatile(&make);
        self.columns.push(Made {
            place: place.to_owned(),
            name: name.unwrap_or_else(|| path.replace('.', "_")),
            kind,
            make,
            print: hash(&(&path, kind)),
            source: path,
            is_volatile,
        });
    }

    /// Whether what a column is made of changes without moving the record's stamp: formulas and roll-ups, which are computed;
    /// fields of parents, which move the parent's; and those that the org itself keeps.
    fn is_volatile(&self, make: &Make) -> bool {
        make.reads().into_iter().any(|field| {
            let Resolved { field, describe, .. } = &self.reads[field];
            let name = field.path.rsplit('.').next().unwrap_or_default();
            let is_kept_by_org = UNSTAMPED.iter().any(|known| known.eq_ignore_ascii_case(name));
            field.path.contains('.') || is_kept_by_org || describe.as_ref().is_some_and(|field| field.calculated)
        })
    }

    /// The column that holds a field as it is.
    fn plain_column(&self, path: &str) -> Option<usize> {
        let field = self.position(path)?;
        self.columns.iter().position(|column| column.make.as_field() == Some(field))
    }

    fn table(&self, mapping: &Mapping, own: &Own) -> TableSchema {
        TableSchema {
            name: mapping.table.clone().unwrap_or_else(|| self.object.name.clone()),
            columns: self.columns.iter().map(|made| Column { name: made.name.clone(), kind: made.kind }).collect(),
            id: own.id,
            version: own.version,
            deletes: mapping.deletes,
            stream: mapping.stream.clone(),
            sweeps: false,
            matching: mapping.matching.clone(),
        }
    }

    fn finish(self, mapping: &Mapping, key: &Key, own: Own, table: TableSchema) -> CompiledMapping {
        let filter = key.filter(self.object, mapping.filter.as_deref());
        // What a column rejects now, it may take when it is made otherwise; such records are no rows that a patch finds.
        let rejecting = self.columns.iter().filter(|made| made.make.may_reject());
        let rejecting: Vec<(&str, &str)> = rejecting.map(|made| (made.name.as_str(), made.print.as_str())).collect();
        let asked = Asked {
            scope: hash(&(&self.object.name, &filter, mapping.limit, &mapping.key, &mapping.stream, rejecting)),
            columns: self.columns.iter().map(|made| (made.name.clone(), made.print.clone())).collect(),
        };
        // Where rows have no stamp, all of them are read each time; where they are parents, the parents' stamp counts as well.
        let is_refreshed = |index: usize, made: &Made| {
            let is_own = index == own.id || own.version == Some(index);
            made.is_volatile && !is_own && own.cursor.is_some() && own.parent_cursor.is_none()
        };
        let columns = self.columns.iter().enumerate();
        let volatile = columns.filter(|(index, made)| is_refreshed(*index, made)).map(|(_, made)| made.name.clone());
        CompiledMapping {
            volatile: volatile.collect(),
            object: self.object.name.clone(),
            record_id: own.record_id,
            cursor: own.cursor,
            parent_cursor: own.parent_cursor,
            deleted: own.deleted,
            makes: self.columns.into_iter().map(|made| made.make).collect(),
            patch: None,
            replicateable: self.object.replicateable,
            bulk_readable: self.reads.iter().all(|read| read.bulk_readable),
            fields: self.reads.into_iter().map(|read| read.field).collect(),
            table,
            filter,
            limit: mapping.limit,
            asked,
            warnings: self.warnings,
        }
    }

    fn check_whole(&mut self) {
        self.check_names();
        if self.columns.len() > MAX_COLUMNS {
            self.refuse(
                "columns",
                format!("There are {} columns; a table has {MAX_COLUMNS} at most.", self.columns.len()),
            );
        }
        let bytes: usize = self.reads.iter().map(|read| read.field.path.len() + 1).sum();
        if bytes > MAX_SELECT_BYTES {
            self.refuse(
                "columns",
                format!("The names of the fields have {bytes} bytes; a query has room for {MAX_SELECT_BYTES}."),
            );
        }
        let parents = self.reads.iter().flat_map(|read| parents(&read.field.path)).collect::<BTreeSet<_>>().len();
        if parents > MAX_PARENTS {
            self.refuse("columns", format!("The paths lead to {parents} parents; a query has room for {MAX_PARENTS}."));
        }
    }

    /// Column names are not empty, do not begin with an underscore, and differ in more than case.
    fn check_names(&mut self) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        let mut problems = Vec::new();
        for Made { place, name, source, .. } in &self.columns {
            let place = if place == "object" { place.clone() } else { format!("{place}.column") };
            if name.trim().is_empty() || name.starts_with('_') {
                let message =
                    format!("{name:?} cannot name a column: names beginning with an underscore are Orgtide's own.");
                problems.push(problem(&place, message));
            }
            if let Some(earlier) = seen.insert(name.to_lowercase(), source) {
                let message = format!("{name:?} would hold both {earlier} and {source}.");
                problems.push(problem(&place, message));
            }
        }
        self.problems.append(&mut problems);
    }
}

/// `Account` and `Account.Owner` of `Account.Owner.Name`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('.').map(|(end, _)| &path[..end])
}

/// SHA-256 of plain data, in hexadecimal.
fn hash(question: &impl Serialize) -> String {
    let text = serde_json::to_vec(question).expect("strings and numbers serialise");
    digest(&SHA256, &text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn problem(place: &str, message: String) -> MappingProblem {
    MappingProblem { place: place.to_owned(), message, suggestion: None }
}

fn every_readable_field(object: &ObjectDescribe) -> impl Iterator<Item = &FieldDescribe> {
    let is_whole = |kind: &FieldType| matches!(kind, FieldType::Address | FieldType::Location | FieldType::Base64);
    object.fields.iter().filter(move |field| !is_whole(&field.kind))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::table::DeleteMode;

    fn contact() -> Catalogue {
        let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "filterable": true});
        let link = |name: &str, relationship: &str, to: &[&str]| json!({"name": name, "type": "reference", "relationshipName": relationship, "referenceTo": to});
        let contact = json!({"name": "Contact", "queryable": true, "fields": [
            field("Id", "id"), field("Name", "string"), field("Score__c", "double"), field("Born__c", "date"),
            field("MailingAddress", "address"), field("MailingCity", "string"), field("Photo__c", "base64"),
            link("AccountId", "Account", &["Account"]), link("OwnerId", "Owner", &["Group", "User"]),
            field("IsDeleted", "boolean"), field("SystemModstamp", "datetime"),
        ]});
        let account = json!({"name": "Account", "queryable": true, "fields": [
            field("Id", "id"), field("Name", "string"), link("ParentId", "Parent", &["Account"]),
        ]});
        [contact, account].into_iter().map(|object| serde_json::from_value(object).unwrap()).collect()
    }

    fn mapping(fields: &[&str]) -> Mapping {
        let columns = fields.iter().map(|field| crate::mapping::ColumnMapping::field(*field)).collect();
        Mapping { object: "contact".into(), columns, ..Mapping::default() }
    }

    fn names(compiled: &CompiledMapping) -> Vec<&str> {
        compiled.table.columns.iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn an_empty_mapping_takes_every_field_but_compound_ones_and_bodies() {
        let compiled = mapping(&[]).compile(&contact()).unwrap();
        assert_eq!(
            names(&compiled),
            ["Id", "Name", "Score__c", "Born__c", "MailingCity", "AccountId", "OwnerId", "IsDeleted", "SystemModstamp"]
        );
        assert_eq!(compiled.table.name, "Contact");
        assert!(compiled.bulk_readable);
    }

    #[test]
    fn the_key_and_the_stamp_become_columns_and_the_deletion_flag_is_only_read() {
        let compiled = mapping(&["name"]).compile(&contact()).unwrap();
        assert_eq!(names(&compiled), ["Name", "Id", "SystemModstamp"]);
        assert_eq!(compiled.fields.last().unwrap().path, "IsDeleted");
        assert_eq!((compiled.table.id, compiled.table.version), (1, Some(2)));
    }

    #[test]
    fn paths_to_parents_are_spelt_as_the_schema_does_and_become_columns_with_underscores() {
        let compiled = mapping(&["account.parent.NAME", "Owner.Name"]).compile(&contact()).unwrap();
        assert_eq!(compiled.fields[0].path, "Account.Parent.Name");
        assert_eq!(names(&compiled)[..2], ["Account_Parent_Name", "Owner_Name"]);
    }

    #[test]
    fn every_problem_is_named_at_once_with_its_place_and_a_suggestion() {
        let mut mapping = mapping(&["Nmae", "Account.Nam", "Owner.ParentId", "Name", "Score__c"]);
        mapping.columns[4].column = Some("name".into());
        mapping.filter = Some(" ".into());
        let problems: Vec<String> = mapping.compile(&contact()).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "filter: The filter is empty; leave it out to read everything.",
                "columns[0].field: Contact has no field \"Nmae\" that this user can see. Did you mean \"Name\"?",
                "columns[1].field: Account has no field \"Nam\" that this user can see. Did you mean \"Name\"?",
                "columns[2].field: OwnerId leads to several kinds of object (Group, User), of which only the fields they \
                 share can be read.",
                "columns[4].column: \"name\" would hold both Name and Score__c.",
            ]
        );
    }

    #[test]
    fn a_field_that_bulk_refuses_is_read_by_query() {
        assert!(!mapping(&["Photo__c"]).compile(&contact()).unwrap().bulk_readable);
        assert!(!mapping(&["MailingAddress"]).compile(&contact()).unwrap().bulk_readable);
    }

    // Pitfall 61.
    #[test]
    fn a_cursor_field_that_cannot_be_filtered_is_not_chosen() {
        let mut catalogue = contact();
        let mut describe = catalogue.object("Contact").unwrap().clone();
        describe.fields.iter_mut().filter(|field| field.name == "SystemModstamp").for_each(|f| f.filterable = false);
        catalogue.insert(describe);
        assert_eq!(mapping(&[]).compile(&catalogue).unwrap().cursor, None);
    }

    // Pitfall 63.
    #[test]
    fn the_question_has_another_hash_when_anything_read_or_written_changes() {
        let hash = |mapping: Mapping| mapping.compile(&contact()).unwrap().asked;
        let plain = hash(mapping(&["Name"]));
        let mut renamed = mapping(&["Name"]);
        renamed.columns[0].column = Some("full_name".into());
        let filtered = Mapping { filter: Some("Name != null".into()), ..mapping(&["Name"]) };
        let removing = Mapping { deletes: DeleteMode::Remove, ..mapping(&["Name"]) };
        assert_ne!(plain, hash(renamed));
        assert_ne!(plain, hash(filtered));
        assert_ne!(plain, hash(mapping(&["Name", "Score__c"])));
        assert_eq!(plain, hash(removing), "how deletions are kept does not change what is read");
    }

    #[test]
    fn the_rest_of_the_fields_keep_their_names_beside_those_that_are_mapped() {
        let mut mapping = mapping(&["Name"]);
        mapping.columns[0].column = Some("full_name".into());
        mapping.rest = true;
        let compiled = mapping.compile(&contact()).unwrap();
        assert_eq!(names(&compiled)[..3], ["full_name", "Id", "Score__c"]);
        assert_eq!(compiled.fields.iter().filter(|field| field.path == "Name").count(), 1);
    }

    #[test]
    fn one_field_may_fill_two_columns_and_is_read_once() {
        let mut mapping = mapping(&["Name", "Name", "Id"]);
        mapping.columns[1].column = Some("again".into());
        mapping.columns[2].column = Some("record".into());
        let compiled = mapping.compile(&contact()).unwrap();
        assert_eq!(names(&compiled), ["Name", "again", "record", "SystemModstamp"]);
        let paths: Vec<&str> = compiled.fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["Name", "Id", "SystemModstamp", "IsDeleted"]);
        assert_eq!(compiled.table.id, 2);
    }

    #[test]
    fn some_columns_alone_read_only_what_they_need_and_make_a_patch() {
        use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray, cast::AsArray};
        use arrow_schema::{Field, Schema};
        use std::sync::Arc;

        let whole = mapping(&["Name", "Score__c", "MailingCity"]).compile(&contact()).unwrap();
        assert!(whole.only(&BTreeSet::from(["Gone".to_owned()])).is_none());
        let only = whole.only(&BTreeSet::from(["MailingCity".to_owned()])).unwrap();
        let paths: Vec<&str> = only.fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["MailingCity", "Id", "SystemModstamp"]);
        assert_eq!(only.table, whole.table);
        assert_eq!((&only.fields[only.record_id].path, only.cursor), (&"Id".to_owned(), Some(2)));

        let fields: Vec<Field> =
            only.fields.iter().map(|field| Field::new(&field.path, field.kind.data_type(), true)).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["Ulm"])),
            Arc::new(StringArray::from(vec!["003000000000001"])),
            Arc::new(TimestampMillisecondArray::from(vec![1]).with_timezone("UTC")),
        ];
        let mapped = only.apply(&RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap());
        assert_eq!((mapped.rows.upserts.num_rows(), mapped.rows.deletes.len()), (0, 0));
        let patch = mapped.rows.patch.unwrap();
        assert_eq!(patch.columns, [2, 3, 4], "the city, the key and the stamp, by their place in the table");
        assert_eq!(patch.rows.column(0).as_string::<i32>().value(0), "Ulm");
        assert_eq!(patch.rows.column(1).as_string::<i32>().value(0), "003000000000001");
        assert_eq!(patch.rows.column(2).len(), 1);
    }
}
