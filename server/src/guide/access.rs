//! Which objects and fields a permission set has to show, so that what is mapped can be read and nothing else.
//!
//! Sources: Metadata API developer guide, "PermissionSet"; `permissionable` of a field's describe (SOAP API guide,
//! "DescribeSObjectResult"); permission sets that people publish, which list an address (`Account.BillingAddress`) and
//! never its parts.

mod platform;

use std::collections::{BTreeMap, BTreeSet};

use salesforce::describe::{FieldDescribe, FieldType, ObjectDescribe};
use sync::{catalogue::Catalogue, mapping::Mapping};

/// What a permission set grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Objects to be read, by name.
    pub objects: Vec<ObjectRead>,
    /// Fields to be read, as `Contact.Email`, by name.
    pub fields: Vec<String>,
    /// What a person should know of what is not listed.
    pub notes: Vec<String>,
}

/// An object to be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRead {
    pub object: String,
    /// Why, when it is not mapped itself.
    pub because: Option<String>,
}

impl Access {
    /// What these mappings read. Names come from the describes as far as the catalogue has them; a field that it lacks,
    /// as one that the user cannot see yet, is taken as it is written.
    pub fn of(mappings: &[Mapping], catalogue: &Catalogue) -> Self {
        let mut asked = Asked { catalogue, objects: BTreeMap::new(), fields: BTreeSet::new(), notes: BTreeSet::new() };
        for mapping in mappings {
            asked.mapping(mapping);
        }
        asked.dependencies();
        let Asked { objects, fields, notes, .. } = asked;
        Self {
            objects: objects.into_iter().map(|(object, because)| ObjectRead { object, because }).collect(),
            fields: fields.into_iter().collect(),
            notes: notes.into_iter().collect(),
        }
    }
}

/// What has been asked for so far.
struct Asked<'a> {
    catalogue: &'a Catalogue,
    /// Objects, each with why it is listed unless it is mapped.
    objects: BTreeMap<String, Option<String>>,
    fields: BTreeSet<String>,
    notes: BTreeSet<String>,
}

impl Asked<'_> {
    fn mapping(&mut self, mapping: &Mapping) {
        let describe = self.catalogue.object(&mapping.object);
        let object = describe.map_or(mapping.object.as_str(), |describe| describe.name.as_str()).to_owned();
        self.object(&object, None);
        match (mapping.columns.is_empty() || mapping.rest, describe) {
            (true, Some(describe)) => {
                for field in &describe.fields {
                    self.field(describe, field);
                }
            }
            (true, None) => {
                self.notes.insert(format!(
                    "{object}: no field is named, and no org was asked; tick the fields that are to be read."
                ));
            }
            (false, _) => {}
        }
        mapping.paths().for_each(|path| self.path(&object, &path));
        if let Some(filter) = &mapping.filter {
            self.notes.insert(format!("{object}: the fields of its condition have to be readable too: {filter}"));
        }
    }

    /// Adds an object, and what governs it when it has no permissions of its own.
    fn object(&mut self, object: &str, because: Option<String>) {
        match platform::governed(object) {
            platform::Governed::Itself => {
                let known = self.objects.entry(object.to_owned()).or_insert_with(|| because.clone());
                if because.is_none() {
                    *known = None;
                }
            }
            platform::Governed::By(parent) => self.object(&parent, Some(format!("governs {object}"))),
            platform::Governed::Everybody => {
                self.notes.insert(format!("{object} has no object permission: every user with API Enabled reads it."));
            }
            platform::Governed::Activities => {
                self.notes.insert(format!(
                    "{object} has no object permission: the user needs the permission Access Activities, and reads what \
                     belongs to records that it reads."
                ));
            }
        }
    }

    /// Adds the field at the end of a path, and the references and parents on the way.
    fn path(&mut self, object: &str, path: &str) {
        let mut hops: Vec<&str> = path.split('.').map(str::trim).collect();
        let Some(last) = hops.pop() else { return };
        let mut object = object.to_owned();
        for hop in hops {
            let Some(parent) = self.hop(&object, hop) else {
                self.notes.insert(format!(
                    "{object}: where {hop} of {path} leads is not known without a describe; allow reading it by hand."
                ));
                return;
            };
            self.object(&parent, Some(format!("for {path}")));
            object = parent;
        }
        match self.catalogue.object(&object).map(|describe| (describe, describe.field(last))) {
            Some((describe, Some(field))) => self.field(describe, field),
            _ => self.unknown_field(&object, last),
        }
    }

    /// Adds the reference that a relationship goes by, and says which object it leads to.
    fn hop(&mut self, object: &str, relationship: &str) -> Option<String> {
        if let Some(describe) = self.catalogue.object(object) {
            let field = describe.relationship(relationship)?;
            self.field(describe, field);
            return match field.reference_to.as_slice() {
                [parent] => Some(parent.clone()),
                _ => None,
            };
        }
        if let Some(custom) = relationship.strip_suffix("__r") {
            self.unknown_field(object, &format!("{custom}__c"));
            return None;
        }
        self.unknown_field(object, &format!("{relationship}Id"));
        platform::parent(object, relationship)
    }

    fn field(&mut self, object: &ObjectDescribe, field: &FieldDescribe) {
        if let Some(name) = listed_as(object, field) {
            self.fields.insert(format!("{}.{name}", object.name));
        }
    }

    fn unknown_field(&mut self, object: &str, field: &str) {
        if let Some(name) = platform::listed_as(object, field) {
            self.fields.insert(format!("{object}.{name}"));
        }
    }

    /// Adds the parents without which an object cannot be read: standard ones, and masters of custom details.
    fn dependencies(&mut self) {
        let mut open: Vec<String> = self.objects.keys().cloned().collect();
        while let Some(object) = open.pop() {
            let standard = platform::needs(&object).iter().map(|parent| (*parent).to_owned());
            let masters = self.catalogue.object(&object).into_iter().flat_map(masters);
            for parent in standard.chain(masters).collect::<Vec<_>>() {
                if !self.objects.contains_key(&parent) && platform::governed(&parent) == platform::Governed::Itself {
                    self.objects.insert(parent.clone(), Some(format!("{object} cannot be read without it")));
                    open.push(parent);
                }
            }
        }
    }
}

/// Masters of a detail: a required custom reference to one object. Describe does not tell a master from a required
/// lookup; reading the parent is harmless for the latter.
fn masters(object: &ObjectDescribe) -> impl Iterator<Item = String> {
    let required = |field: &&FieldDescribe| {
        field.custom && field.kind == FieldType::Reference && !field.nillable && field.reference_to.len() == 1
    };
    object.fields.iter().filter(required).filter_map(|field| field.reference_to.first().cloned())
}

/// The name under which a permission set lists a field; `None` when it has no field-level security.
fn listed_as(object: &ObjectDescribe, field: &FieldDescribe) -> Option<String> {
    let whole = field.compound_field_name.as_deref().and_then(|name| object.field(name));
    if let Some(whole) = whole.filter(|whole| matches!(whole.kind, FieldType::Address | FieldType::Location)) {
        return Some(whole.name.clone());
    }
    match (field.permissionable, &field.kind) {
        (_, FieldType::Address | FieldType::Location) => Some(field.name.clone()),
        (Some(permissionable), _) => permissionable.then(|| field.name.clone()),
        (None, _) => platform::listed_as(&object.name, &field.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sync::mapping::ColumnMapping;

    fn mapping(object: &str, fields: &[&str]) -> Mapping {
        Mapping {
            object: object.to_owned(),
            columns: fields.iter().map(|field| ColumnMapping::field(*field)).collect(),
            ..Mapping::default()
        }
    }

    fn names(access: &Access) -> Vec<&str> {
        access.objects.iter().map(|object| object.object.as_str()).collect()
    }

    fn contact() -> ObjectDescribe {
        serde_json::from_value(json!({
            "name": "Contact", "queryable": true,
            "fields": [
                {"name": "Id", "type": "id", "permissionable": false},
                {"name": "LastName", "type": "string", "permissionable": false, "compoundFieldName": "Name"},
                {"name": "Name", "type": "string", "permissionable": false, "nameField": true},
                {"name": "Email", "type": "email", "permissionable": true, "nillable": true},
                {"name": "MailingStreet", "type": "textarea", "permissionable": true, "compoundFieldName": "MailingAddress"},
                {"name": "MailingAddress", "type": "address", "permissionable": true},
                {"name": "AccountId", "type": "reference", "permissionable": true, "nillable": true,
                 "referenceTo": ["Account"], "relationshipName": "Account"},
                {"name": "WhoKnows__c", "type": "reference", "permissionable": true, "nillable": true,
                 "referenceTo": ["Lead", "Contact"], "relationshipName": "WhoKnows__r"},
                {"name": "Level__c", "type": "picklist", "permissionable": true, "nillable": true, "custom": true},
                {"name": "Required__c", "type": "string", "permissionable": false, "custom": true}
            ]
        }))
        .unwrap()
    }

    #[test]
    fn only_mapped_fields_with_field_level_security_are_listed() {
        let catalogue: Catalogue = [contact()].into_iter().collect();
        let access = Access::of(&[mapping("contact", &["id", "lastname", "EMAIL", "Required__c"])], &catalogue);
        assert_eq!(access.fields, ["Contact.Email"]);
        assert_eq!(names(&access), ["Account", "Contact"]);
        assert_eq!(access.objects[0].because.as_deref(), Some("Contact cannot be read without it"));
        assert_eq!(access.objects[1].because, None);
    }

    #[test]
    fn a_mapping_of_all_fields_lists_them_one_by_one_and_addresses_whole() {
        let catalogue: Catalogue = [contact()].into_iter().collect();
        let access = Access::of(&[mapping("Contact", &[])], &catalogue);
        let expected = ["AccountId", "Email", "Level__c", "MailingAddress", "WhoKnows__c"];
        assert_eq!(access.fields, expected.map(|field| format!("Contact.{field}")));
        assert!(access.notes.is_empty(), "{:?}", access.notes);
    }

    #[test]
    fn a_path_to_a_parent_needs_the_reference_and_the_parent() {
        let catalogue: Catalogue = [contact()].into_iter().collect();
        let fields = ["Account.Industry", "Account.Name", "Owner.Email", "WhoKnows__r.Name"];
        let access = Access::of(&[mapping("Contact", &fields)], &catalogue);
        assert_eq!(access.fields, ["Account.Industry", "Contact.AccountId", "Contact.WhoKnows__c"]);
        assert!(access.notes.iter().any(|note| note.contains("WhoKnows__r")), "{:?}", access.notes);
    }

    #[test]
    fn without_a_describe_standard_names_decide() {
        let fields =
            ["Id", "OwnerId", "FirstName", "Email", "MailingCity", "Level__c", "Account.Industry", "Owner.Email"];
        let access = Access::of(&[mapping("Contact", &fields)], &Catalogue::default());
        let expected =
            ["Account.Industry", "Contact.AccountId", "Contact.Email", "Contact.Level__c", "Contact.MailingAddress"];
        assert_eq!(access.fields, expected);
        assert_eq!(names(&access), ["Account", "Contact"]);
        assert!(
            access.notes.iter().any(|note| note.starts_with("User has no object permission")),
            "{:?}",
            access.notes
        );
    }

    #[test]
    fn objects_without_permissions_of_their_own_follow_others() {
        let mappings = [mapping("OpportunityLineItem", &["Quantity"]), mapping("ContactHistory", &["Field"])];
        let access = Access::of(&mappings, &Catalogue::default());
        assert_eq!(names(&access), ["Account", "Contact", "Opportunity"]);
        let access = Access::of(&[mapping("Task", &["Subject"])], &Catalogue::default());
        assert!(access.objects.is_empty() && access.notes.iter().any(|note| note.contains("Access Activities")));
    }

    #[test]
    fn a_detail_cannot_be_read_without_its_master() {
        let detail: ObjectDescribe = serde_json::from_value(json!({
            "name": "Line__c", "queryable": true, "custom": true,
            "fields": [{"name": "Invoice__c", "type": "reference", "custom": true, "nillable": false,
                        "permissionable": false, "referenceTo": ["Invoice__c"], "relationshipName": "Invoice__r"}]
        }))
        .unwrap();
        let access = Access::of(&[mapping("Line__c", &[])], &[detail].into_iter().collect());
        assert_eq!(names(&access), ["Invoice__c", "Line__c"]);
        assert!(access.fields.is_empty());
    }
}
