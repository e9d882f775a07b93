//! What the features of an org add to its objects: several currencies, and person accounts.

use std::sync::Arc;

use super::field::{Field, FieldType};
use super::object::{Object, RecordType};
use super::{FieldSpec, ObjectSpec, Schema, SchemaError};
use crate::ids::{KeyPrefix, RecordId};

/// Fields of Contact that Account shows as `Person…`. Source: object reference v66, Account, "person account fields".
const PERSON_FIELDS: [&str; 13] = [
    "MailingAddress",
    "OtherAddress",
    "MobilePhone",
    "HomePhone",
    "Email",
    "Title",
    "Department",
    "LeadSource",
    "Birthdate",
    "HasOptedOutOfEmail",
    "DoNotCall",
    "EmailBouncedReason",
    "EmailBouncedDate",
];
/// Record types of Account in an org with person accounts: API name, name, whether it makes persons.
const ACCOUNT_TYPES: [(&str, &str, bool); 2] =
    [("Business_Account", "Business Account", false), ("PersonAccount", "Person Account", true)];
/// Ids of these record types begin where no other object's lie.
const FIRST_TYPE: u64 = 900_001;

impl Schema {
    /// Adds `CurrencyIsoCode` to the objects that carry it, and the object `CurrencyType`, given as `currency_type`.
    ///
    /// # Errors
    /// [`SchemaError`] when an object declares these itself.
    ///
    /// Source: object reference v66, "Frequently Occurring Fields": most objects have it. Which do is simplified: custom ones,
    /// those with an owner or a currency field, and User.
    pub fn enable_currencies(
        &mut self,
        currency_type: &ObjectSpec,
        codes: &[String],
        corporate: &str,
    ) -> Result<(), SchemaError> {
        let carriers: Vec<String> =
            self.objects.iter().filter(|object| carries_currency(object)).map(|object| object.name.clone()).collect();
        for name in carriers {
            self.declare_field(&name, &currency_field("CurrencyIsoCode", codes, corporate))?;
        }
        self.declare_field("User", &currency_field("DefaultCurrencyIsoCode", codes, corporate))?;
        self.declare(currency_type).map(drop)
    }

    /// Adds the fields and record types of person accounts to Account, Contact and RecordType.
    ///
    /// # Errors
    /// [`SchemaError`] when one of these objects is missing or declares such a field itself.
    pub fn enable_person_accounts(&mut self) -> Result<(), SchemaError> {
        let flag = FieldSpec { read_only: true, ..FieldSpec::of("IsPersonAccount", FieldType::Boolean) };
        self.declare_field("Contact", &flag)?;
        self.declare_field("Account", &flag)?;
        let mut person = FieldSpec { read_only: true, ..FieldSpec::of("PersonContactId", FieldType::Reference) };
        person.reference_to = vec!["Contact".to_owned()];
        self.declare_field("Account", &person)?;
        self.declare_field("RecordType", &FieldSpec::of("IsPersonType", FieldType::Boolean))?;
        let mirrored: Vec<Field> = match self.find("Contact") {
            Some((_, contact)) => contact.fields().iter().filter_map(mirror).collect(),
            None => Vec::new(),
        };
        let unknown = || SchemaError::UnknownObject { name: "Account".to_owned() };
        let (index, _) = self.find("Account").ok_or_else(unknown)?;
        let account = Arc::make_mut(&mut self.objects[index]);
        mirrored.into_iter().for_each(|field| account.add_field(field));
        let prefix = KeyPrefix::parse("012").expect("the record type prefix is valid");
        account.record_types.extend(ACCOUNT_TYPES.iter().zip(FIRST_TYPE..).map(
            |((api_name, name, person), number)| RecordType {
                id: RecordId::new(prefix, number),
                developer_name: (*api_name).to_owned(),
                name: (*name).to_owned(),
                active: true,
                is_person: *person,
            },
        ));
        Ok(())
    }
}

fn carries_currency(object: &Object) -> bool {
    let has_amounts = object.fields().iter().any(|field| field.kind == FieldType::Currency);
    object.custom || object.audit().owner.is_some() || has_amounts || object.name == "User"
}

fn currency_field(name: &str, codes: &[String], corporate: &str) -> FieldSpec {
    FieldSpec {
        length: Some(3),
        default: Some(corporate.to_owned()),
        picklist: codes.to_vec(),
        restricted: true,
        ..FieldSpec::of(name, FieldType::Picklist)
    }
}

/// The field of Account that shows a field of the person's contact.
fn mirror(field: &Field) -> Option<Field> {
    let name = person_field(field)?;
    let mut mirrored = field.clone();
    if let Some(compound) = &field.compound
        && compound != "Name"
    {
        mirrored.compound = Some(format!("Person{compound}"));
    }
    if let Some(stem) = name.strip_suffix("__pc") {
        mirrored.relationship_name = field.relationship_name.as_ref().map(|_| format!("{stem}__pr"));
    }
    (mirrored.name, mirrored.nillable, mirrored.unique) = (name, true, false);
    mirrored.nillable = field.kind != FieldType::Boolean;
    mirrored.child_relationship = None;
    Some(mirrored)
}

fn person_field(field: &Field) -> Option<String> {
    let name = field.name.as_str();
    match name {
        "FirstName" | "LastName" | "Salutation" => return Some(name.to_owned()),
        _ => {}
    }
    if let Some(stem) = name.strip_suffix("__c") {
        return (!field.kind.is_compound()).then(|| format!("{stem}__pc"));
    }
    let listed = PERSON_FIELDS.contains(&name);
    let part = field.compound.as_deref().is_some_and(|compound| PERSON_FIELDS.contains(&compound));
    (listed || part).then(|| format!("Person{name}"))
}

/// The field of the person's contact behind a field of Account: `Email` behind `PersonEmail`, `Level__c` behind `Level__pc`.
#[must_use]
pub(crate) fn contact_field(account_field: &Field) -> Option<String> {
    let name = account_field.name.as_str();
    match name {
        "FirstName" | "LastName" | "Salutation" => Some(name.to_owned()),
        "PersonContactId" => None,
        _ if account_field.custom => name.strip_suffix("__pc").map(|stem| format!("{stem}__c")),
        _ => name.strip_prefix("Person").map(str::to_owned),
    }
}
