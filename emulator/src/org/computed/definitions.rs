//! EntityDefinition, FieldDefinition, EntityParticle, and what the Tooling API makes of custom objects and fields.
//!
//! Source: object reference and Tooling API reference v66, under these names; field reference for the columns. Durable ids
//! are names for what is standard and ids for what is custom, which is how they are documented to be opaque.

use serde_json::json;

use super::{Rows, Scene, maybe, no_id, number_of, text};
use crate::ids::{KeyPrefix, RecordId};
use crate::schema::{Access, Api, Field, FieldType, Object, Source};
use crate::table::Table;
use crate::value::Value;

/// Places of an object's fields among all of them.
const FIELDS_EACH: u64 = 100_000;
const STANDARD: &str = "System";
const OWN: &str = "<local>";

impl Scene<'_> {
    /// The objects that the user sees, with their places.
    fn objects(&self) -> impl Iterator<Item = (u64, &Object)> {
        let (data, tooling) = (self.access.clone().by(Api::Data), self.access.clone().by(Api::Tooling));
        let seen = move |object: &Object| data.reads(object) || tooling.reads(object);
        let all = (1..).zip(self.schema.objects()).map(|(place, object)| (place, object.as_ref()));
        all.filter(move |(_, object)| seen(object))
    }

    /// The fields of the objects that the user sees, with their places.
    fn seen_fields(&self) -> impl Iterator<Item = (u64, &Object, &Field)> {
        self.objects().flat_map(move |(place, object)| {
            let fields = (0..).zip(object.fields());
            let seen = fields.filter(move |(_, field)| self.access.reads_field(object, field));
            seen.map(move |(nth, field)| (place * FIELDS_EACH + nth, object, field))
        })
    }

    pub(super) fn entities(&self, stored: &Table) -> Table {
        let mut rows = Rows::beside(stored, &ENTITY_COLUMNS);
        for (place, object) in self.objects() {
            let durable = durable_object(object);
            let id = rows.add(place, entity(object, &durable, self));
            rows.table.name(&durable, id);
        }
        rows.table
    }

    /// Parts of an address or a name are particles of their field, and no fields of their own.
    pub(super) fn fields(&self, stored: &Table) -> Table {
        let mut rows = Rows::beside(stored, &FIELD_COLUMNS);
        for (place, object, field) in self.seen_fields().filter(|(_, _, field)| whole_of(field).is_none()) {
            let durable = durable_field(object, field);
            let id = rows.add(place, definition(self, object, field, &durable));
            rows.table.name(&durable, id);
        }
        rows.table
    }

    pub(super) fn particles(&self, stored: &Table) -> Table {
        let mut rows = Rows::beside(stored, &PARTICLE_COLUMNS);
        for (place, object, field) in self.seen_fields() {
            let durable = durable_field(object, field);
            let id = rows.add(place, particle(self, object, field, &durable));
            rows.table.name(&durable, id);
        }
        rows.table
    }

    pub(super) fn custom_objects(&self, stored: &Table) -> Table {
        let mut rows = Rows::beside(stored, &["Id", "DeveloperName", "ManageableState", "Language", "SharingModel"]);
        for (_, object) in self.objects().filter(|(_, object)| object.custom) {
            let id = custom_object_id(object);
            let values = [Value::Id(id), text(stem(&object.name)), text("unmanaged"), text("en_US"), text("ReadWrite")];
            rows.add(number_of(&object.name), values);
        }
        rows.table
    }

    pub(super) fn custom_fields(&self, stored: &Table) -> Table {
        let columns = [
            "Id",
            "DeveloperName",
            "TableEnumOrId",
            "EntityDefinitionId",
            "ManageableState",
            "Length",
            "Precision",
            "Scale",
            "InlineHelpText",
        ];
        let mut rows = Rows::beside(stored, &columns);
        for (_, object, field) in self.seen_fields().filter(|(_, _, field)| field.custom && whole_of(field).is_none()) {
            let durable = durable_object(object);
            let values = [
                Value::Id(custom_field_id(object, field)),
                text(stem(&field.name)),
                text(durable.as_str()),
                text(durable.as_str()),
                text("unmanaged"),
                Value::Int(field.length.into()),
                Value::Int(field.precision.into()),
                Value::Int(field.scale.into()),
                maybe(field.help.as_deref()),
            ];
            rows.add(number_of(&format!("{}.{}", object.name, field.name)), values);
        }
        rows.table
    }
}

const ENTITY_COLUMNS: [&str; 37] = [
    "Id",
    "DurableId",
    "QualifiedApiName",
    "DeveloperName",
    "MasterLabel",
    "Label",
    "PluralLabel",
    "DefaultCompactLayoutId",
    "IsCustomizable",
    "IsApexTriggerable",
    "IsWorkflowEnabled",
    "IsProcessEnabled",
    "IsCompactLayoutable",
    "KeyPrefix",
    "IsReplicateable",
    "IsRetrieveable",
    "IsSearchLayoutable",
    "IsSearchable",
    "IsTriggerable",
    "IsIdEnabled",
    "IsEverCreatable",
    "IsEverUpdatable",
    "IsEverDeletable",
    "IsQueryable",
    "IsMruEnabled",
    "IsLayoutable",
    "PublisherId",
    "InternalSharingModel",
    "ExternalSharingModel",
    "DetailUrl",
    "EditUrl",
    "NewUrl",
    "EditDefinitionUrl",
    "HasSubtypes",
    "RecordTypesSupported",
    "LastModifiedDate",
    "LastModifiedById",
];

fn entity(object: &Object, durable: &str, scene: &Scene<'_>) -> [Value; 37] {
    let flag = Value::Bool;
    let prefix = object.key_prefix.map(|prefix| prefix.to_string());
    let page = |suffix: &str| match &prefix {
        Some(_) if object.can.searchable => text(suffix),
        _ => Value::Null,
    };
    let new = format!("/{}/e", prefix.as_deref().unwrap_or_default());
    let types: Vec<_> = (object.record_types.iter())
        .map(|kind| json!({"recordTypeId": kind.id.to_string(), "name": kind.name, "active": kind.active}))
        .collect();
    let changed = if object.custom { Value::DateTime(scene.stamp) } else { Value::Null };
    let by = if object.custom { Value::Id(scene.org.user_id("")) } else { Value::Null };
    [
        no_id(),
        text(durable),
        text(object.name.as_str()),
        text(stem(&object.name)),
        text(object.label.as_str()),
        text(object.label.as_str()),
        text(object.label_plural.as_str()),
        text("SYSTEM"),
        flag(is_customizable(object)),
        flag(object.can.createable),
        flag(object.can.searchable),
        flag(object.can.searchable),
        flag(object.can.searchable),
        maybe(prefix.as_deref()),
        flag(object.can.replicateable),
        flag(object.can.queryable),
        flag(object.can.searchable),
        flag(object.can.searchable),
        flag(object.can.createable),
        flag(true),
        flag(object.can.createable),
        flag(object.can.updateable),
        flag(object.can.deletable),
        flag(object.can.queryable),
        flag(object.can.searchable),
        flag(object.can.searchable),
        text(if object.custom { OWN } else { STANDARD }),
        text("ReadWrite"),
        text("Private"),
        page("/{ID}"),
        page("/{ID}/e"),
        page(&new),
        Value::Null,
        flag(false),
        Value::Json(json!({"recordTypeInfos": types}).to_string().into()),
        changed,
        by,
    ]
}

const FIELD_COLUMNS: [&str; 35] = [
    "Id",
    "DurableId",
    "QualifiedApiName",
    "EntityDefinitionId",
    "DeveloperName",
    "MasterLabel",
    "Label",
    "Length",
    "DataType",
    "ValueTypeId",
    "ExtraTypeInfo",
    "IsCalculated",
    "IsHtmlFormatted",
    "IsNameField",
    "IsNillable",
    "IsWorkflowFilterable",
    "IsCompactLayoutable",
    "Precision",
    "Scale",
    "IsFieldHistoryTracked",
    "IsIndexed",
    "IsApiFilterable",
    "IsApiSortable",
    "IsListFilterable",
    "IsListSortable",
    "IsApiGroupable",
    "IsListVisible",
    "PublisherId",
    "IsCompound",
    "IsPolymorphicForeignKey",
    "RelationshipName",
    "ReferenceTo",
    "ReferenceTargetField",
    "ControllingFieldDefinitionId",
    "LastModifiedDate",
];

fn definition(scene: &Scene<'_>, object: &Object, field: &Field, durable: &str) -> [Value; 35] {
    let flag = Value::Bool;
    let controller = field.controller.as_deref().and_then(|name| object.find(name));
    [
        no_id(),
        text(durable),
        text(field.name.as_str()),
        text(durable_object(object)),
        text(stem(&field.name)),
        text(field.label.as_str()),
        text(field.label.as_str()),
        Value::Int(field.length.into()),
        text(spoken_type(field)),
        text(value_type(field)),
        maybe(field.extra_type_info.as_deref()),
        flag(field.is_calculated()),
        flag(field.html),
        flag(field.name_field),
        flag(field.nillable),
        flag(field.filterable),
        flag(!field.kind.is_compound()),
        Value::Int(field.precision.into()),
        Value::Int(field.scale.into()),
        flag(object.tracked.contains(&field.name)),
        flag(is_indexed(field)),
        flag(field.filterable),
        flag(field.sortable),
        flag(field.filterable),
        flag(field.sortable),
        flag(field.groupable),
        flag(true),
        text(if field.custom { OWN } else { STANDARD }),
        flag(field.kind.is_compound() || is_person_name(field)),
        flag(field.is_polymorphic()),
        maybe(field.relationship_name.as_deref()),
        references(field),
        maybe(field.target_field.as_deref()),
        controller.map_or(Value::Null, |(_, controller)| text(durable_field(object, controller))),
        if field.custom { Value::DateTime(scene.stamp) } else { Value::Null },
    ]
}

const PARTICLE_COLUMNS: [&str; 47] = [
    "Id",
    "DurableId",
    "QualifiedApiName",
    "EntityDefinitionId",
    "FieldDefinitionId",
    "DeveloperName",
    "MasterLabel",
    "Label",
    "Length",
    "DataType",
    "ValueTypeId",
    "ExtraTypeInfo",
    "IsAutonumber",
    "ByteLength",
    "IsCaseSensitive",
    "IsUnique",
    "IsCreatable",
    "IsUpdatable",
    "IsDefaultedOnCreate",
    "IsCalculated",
    "IsHtmlFormatted",
    "IsNameField",
    "IsNillable",
    "IsPermissionable",
    "Digits",
    "InlineHelpText",
    "RelationshipName",
    "ReferenceTo",
    "ReferenceTargetField",
    "Name",
    "Mask",
    "MaskType",
    "IsWorkflowFilterable",
    "IsCompactLayoutable",
    "Precision",
    "Scale",
    "IsFieldHistoryTracked",
    "IsApiFilterable",
    "IsApiSortable",
    "IsApiGroupable",
    "IsListVisible",
    "IsLayoutable",
    "IsDependentPicklist",
    "IsDisplayLocationInDecimal",
    "IsIdLookup",
    "IsNamePointing",
    "RelationshipOrder",
];

fn particle(scene: &Scene<'_>, object: &Object, field: &Field, durable: &str) -> [Value; 47] {
    let flag = Value::Bool;
    let whole = whole_of(field).and_then(|name| object.find(name)).map_or(field, |(_, whole)| whole);
    let is_masked = field.kind == FieldType::EncryptedString;
    let edits = scene.access.edits(object) && scene.access.edits_field(object, field);
    [
        no_id(),
        text(durable),
        text(field.name.as_str()),
        text(durable_object(object)),
        text(durable_field(object, whole)),
        text(stem(&field.name)),
        text(field.label.as_str()),
        text(field.label.as_str()),
        Value::Int(field.length.into()),
        text(field.kind.as_str()),
        text(value_type(field)),
        maybe(field.extra_type_info.as_deref()),
        flag(field.is_auto_number()),
        Value::Int(field.byte_length().into()),
        flag(field.case_sensitive),
        flag(field.unique),
        flag(field.createable && scene.access.creates(object)),
        flag(field.updateable && edits),
        flag(field.defaulted_on_create),
        flag(field.is_calculated()),
        flag(field.html),
        flag(field.name_field),
        flag(field.nillable),
        flag(field.is_permissionable()),
        Value::Int(field.digits.into()),
        maybe(field.help.as_deref()),
        maybe(field.relationship_name.as_deref()),
        references(field),
        maybe(field.target_field.as_deref()),
        text(field.name.as_str()),
        if is_masked { text("*") } else { Value::Null },
        if is_masked { text("all") } else { Value::Null },
        flag(field.filterable),
        flag(!field.kind.is_compound()),
        Value::Int(field.precision.into()),
        Value::Int(field.scale.into()),
        flag(object.tracked.contains(&field.name)),
        flag(field.filterable),
        flag(field.sortable),
        flag(field.groupable),
        flag(true),
        flag(field.kind != FieldType::Id),
        flag(field.controller.is_some()),
        flag(field.kind == FieldType::Location),
        flag(field.id_lookup),
        flag(field.is_polymorphic()),
        field.relationship_order.map_or(Value::Null, |order| Value::Int(order.into())),
    ]
}

/// The field that this one is a part of.
fn whole_of(field: &Field) -> Option<&str> {
    field.compound.as_deref().filter(|whole| *whole != field.name)
}

fn is_person_name(field: &Field) -> bool {
    field.source == Source::PersonName
}

fn is_indexed(field: &Field) -> bool {
    field.id_lookup || field.unique || field.kind == FieldType::Reference || field.name == "SystemModstamp"
}

pub(crate) fn is_customizable(object: &Object) -> bool {
    object.custom || object.can.searchable && object.can.createable
}

/// `Invoice__c` → `Invoice`.
fn stem(name: &str) -> &str {
    name.rsplit_once("__").map_or(name, |(stem, _)| stem)
}

fn custom_id(prefix: &str, name: &str) -> RecordId {
    let prefix = KeyPrefix::parse(prefix).expect("the prefixes of definitions are well-formed");
    RecordId::new(prefix, number_of(name))
}

pub(crate) fn custom_object_id(object: &Object) -> RecordId {
    custom_id("01I", &object.name)
}

pub(crate) fn custom_field_id(object: &Object, field: &Field) -> RecordId {
    custom_id("00N", &format!("{}.{}", object.name, field.name))
}

fn durable_object(object: &Object) -> String {
    if object.custom { custom_object_id(object).short().to_owned() } else { object.name.clone() }
}

fn durable_field(object: &Object, field: &Field) -> String {
    let object_id = durable_object(object);
    match field.custom {
        true => format!("{object_id}.{}", custom_field_id(object, field).short()),
        false => format!("{object_id}.{}", field.name),
    }
}

fn references(field: &Field) -> Value {
    let referenced = (!field.reference_to.is_empty()).then_some(&field.reference_to);
    Value::Json(json!({"referenceTo": referenced}).to_string().into())
}

/// `xsd:dateTime` → `dateTime`, `tns:ID` → `id`.
fn value_type(field: &Field) -> String {
    let kind = field.kind.soap_type();
    let local = kind.split_once(':').map_or(kind, |(_, local)| local);
    if local == "ID" { "id".to_owned() } else { local.to_owned() }
}

/// A type as Setup writes it. The spellings are those of Setup; which of them go with computed fields is inferred.
fn spoken_type(field: &Field) -> String {
    let (length, scale) = (field.length, field.scale);
    let number = |name: &str| format!("{name}({}, {scale})", field.precision.saturating_sub(scale));
    match field.kind {
        _ if field.is_auto_number() => "Auto Number".to_owned(),
        _ if field.is_calculated() => format!("Formula ({})", field.kind.as_str()),
        _ if field.name_field || is_person_name(field) => "Name".to_owned(),
        FieldType::TextArea if field.html => format!("Rich Text Area({length})"),
        FieldType::TextArea if length > 255 => format!("Long Text Area({length})"),
        FieldType::TextArea => format!("Text Area({length})"),
        FieldType::Picklist => "Picklist".to_owned(),
        FieldType::MultiPicklist => "Picklist (Multi-Select)".to_owned(),
        FieldType::Boolean => "Checkbox".to_owned(),
        FieldType::Int | FieldType::Long => format!("Number({}, 0)", field.digits),
        FieldType::Double => number("Number"),
        FieldType::Currency => number("Currency"),
        FieldType::Percent => number("Percent"),
        FieldType::Date => "Date".to_owned(),
        FieldType::DateTime => "Date/Time".to_owned(),
        FieldType::Time => "Time".to_owned(),
        FieldType::Email => "Email".to_owned(),
        FieldType::Phone => "Phone".to_owned(),
        FieldType::Url => format!("URL({length})"),
        FieldType::EncryptedString => format!("Text (Encrypted)({length})"),
        FieldType::Address => "Address".to_owned(),
        FieldType::Location => "Geolocation".to_owned(),
        FieldType::Reference if field.relationship_order.is_some() => {
            format!("Master-Detail({})", field.reference_to.join(","))
        }
        FieldType::Reference => format!("Lookup({})", field.reference_to.join(",")),
        FieldType::Id => "Lookup()".to_owned(),
        _ => format!("Text({length})"),
    }
}
