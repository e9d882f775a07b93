//! Fields that an object has without declaring them.

use super::field::{Field, FieldType};
use super::spec::{FieldSpec, NameKind, ObjectSpec, OwnerSpec, SystemFields};

/// Id, owner, name and audit fields, in the order in which describes list them.
pub(super) fn fields(object: &ObjectSpec) -> Vec<Field> {
    let kept = kept(object.system_fields);
    let mut fields = vec![id()];
    if kept.is_deleted {
        fields.push(maintained("IsDeleted", FieldType::Boolean));
    }
    fields.extend(owner(object));
    fields.extend(name(object));
    if kept.created {
        fields.push(maintained("CreatedDate", FieldType::DateTime));
        fields.push(user_reference("CreatedById"));
    }
    if kept.modified {
        fields.push(maintained("LastModifiedDate", FieldType::DateTime));
        fields.push(user_reference("LastModifiedById"));
    }
    if kept.stamp {
        fields.push(maintained("SystemModstamp", FieldType::DateTime));
    }
    fields
}

/// Which audit fields there are, besides `Id`.
struct Kept {
    is_deleted: bool,
    created: bool,
    modified: bool,
    stamp: bool,
}

fn kept(fields: SystemFields) -> Kept {
    let [is_deleted, created, modified, stamp] = match fields {
        SystemFields::All => [true, true, true, true],
        SystemFields::WithoutRecycleBin => [false, true, true, true],
        SystemFields::StampOnly => [false, false, false, true],
        SystemFields::CreatedOnly => [true, true, false, false],
        SystemFields::ModifiedOnly => [true, false, true, false],
        SystemFields::None => [false, false, false, false],
    };
    Kept { is_deleted, created, modified, stamp }
}

/// The parts of an address or a location. Standard addresses drop `Address` from the compound's name; custom ones append
/// `__City__s` and so on to its stem.
pub(super) fn components(compound: &str, kind: FieldType) -> Vec<Field> {
    let (stem, custom) = match compound.strip_suffix("__c") {
        Some(stem) => (stem, true),
        None => (compound.strip_suffix("Address").unwrap_or(compound), false),
    };
    let parts: &[(&str, FieldType, u32)] = match kind {
        FieldType::Location => &[("Latitude", FieldType::Double, 0), ("Longitude", FieldType::Double, 0)],
        _ if custom => CUSTOM_ADDRESS,
        _ => STANDARD_ADDRESS,
    };
    parts.iter().map(|(part, kind, length)| component(compound, stem, custom, part, *kind, *length)).collect()
}

const STANDARD_ADDRESS: &[(&str, FieldType, u32)] = &[
    ("Street", FieldType::TextArea, 255),
    ("City", FieldType::String, 40),
    ("State", FieldType::String, 80),
    ("PostalCode", FieldType::String, 20),
    ("Country", FieldType::String, 80),
    ("Latitude", FieldType::Double, 0),
    ("Longitude", FieldType::Double, 0),
    ("GeocodeAccuracy", FieldType::Picklist, 40),
];

const CUSTOM_ADDRESS: &[(&str, FieldType, u32)] = &[
    ("Street", FieldType::TextArea, 255),
    ("City", FieldType::String, 40),
    ("PostalCode", FieldType::String, 20),
    ("StateCode", FieldType::String, 10),
    ("CountryCode", FieldType::String, 10),
    ("Latitude", FieldType::Double, 0),
    ("Longitude", FieldType::Double, 0),
    ("GeocodeAccuracy", FieldType::Picklist, 40),
];

fn component(compound: &str, stem: &str, custom: bool, part: &str, kind: FieldType, length: u32) -> Field {
    let name = if custom { format!("{stem}__{part}__s") } else { format!("{stem}{part}") };
    let mut spec = FieldSpec::of(&name, kind);
    spec.compound = Some(compound.to_owned());
    if length > 0 {
        spec.length = Some(length);
    }
    if kind == FieldType::Double {
        (spec.precision, spec.scale) = (Some(18), Some(15));
    }
    if part == "GeocodeAccuracy" {
        let values = ["Address", "NearAddress", "Block", "Street", "ExtendedZip", "Zip", "Neighborhood", "City"];
        spec.picklist = values.map(str::to_owned).to_vec();
    }
    built(&spec)
}

fn id() -> Field {
    let mut field = maintained("Id", FieldType::Id);
    field.id_lookup = true;
    field.label = "Record ID".to_owned();
    field
}

fn maintained(name: &str, kind: FieldType) -> Field {
    let mut field = built(&FieldSpec::of(name, kind));
    (field.createable, field.updateable, field.nillable, field.defaulted_on_create) = (false, false, false, true);
    field
}

fn user_reference(name: &str) -> Field {
    let mut field = maintained(name, FieldType::Reference);
    field.reference_to = vec!["User".to_owned()];
    field
}

fn owner(object: &ObjectSpec) -> Option<Field> {
    let standard = if object.name.ends_with("__c") { OwnerSpec::UserOrGroup } else { OwnerSpec::None };
    let mut field = user_reference("OwnerId");
    match object.owner.unwrap_or(standard) {
        OwnerSpec::None => return None,
        OwnerSpec::User => {}
        OwnerSpec::UserOrGroup => field.reference_to.insert(0, "Group".to_owned()),
    }
    (field.createable, field.updateable) = (true, true);
    Some(field)
}

fn name(object: &ObjectSpec) -> Vec<Field> {
    let custom = object.name.ends_with("__c");
    let mut spec = FieldSpec::of("Name", FieldType::String);
    spec.id_lookup = true;
    match &object.name_kind {
        NameKind::None => return Vec::new(),
        NameKind::Person => return person_name(),
        NameKind::Text => {
            spec.length = Some(if custom { 80 } else { 255 });
            spec.required = !custom;
        }
        NameKind::AutoNumber(format) => {
            spec.auto_number = Some(format.clone());
            spec.length = Some(80);
        }
    }
    let mut field = built(&spec);
    field.name_field = true;
    field.custom = false;
    if object.name == "Account" {
        field.extra_type_info = Some("switchablepersonname".to_owned());
        field.compound = Some("Name".to_owned());
    }
    vec![field]
}

fn person_name() -> Vec<Field> {
    let mut parts = Vec::new();
    for (name, length) in [("LastName", 80), ("FirstName", 40)] {
        let mut spec = FieldSpec::of(name, FieldType::String);
        (spec.length, spec.compound, spec.required) = (Some(length), Some("Name".to_owned()), name == "LastName");
        let mut field = built(&spec);
        field.extra_type_info = Some("personname".to_owned());
        parts.push(field);
    }
    let mut salutation = FieldSpec::of("Salutation", FieldType::Picklist);
    (salutation.length, salutation.compound) = (Some(40), Some("Name".to_owned()));
    salutation.picklist = ["Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx."].map(str::to_owned).to_vec();
    parts.push(built(&salutation));
    let mut whole = FieldSpec::of("Name", FieldType::String);
    (whole.length, whole.read_only) = (Some(121), true);
    let mut field = built(&whole);
    field.source = super::field::Source::PersonName;
    (field.name_field, field.nillable) = (true, false);
    field.extra_type_info = Some("personname".to_owned());
    parts.push(field);
    parts
}

fn built(spec: &FieldSpec) -> Field {
    spec.build("").ok().and_then(|fields| fields.into_iter().next()).expect("the field has a type")
}
