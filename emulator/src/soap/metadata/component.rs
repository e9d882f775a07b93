//! Objects, fields and record types as `readMetadata()` shows them, in the order of the WSDL: the full name first, the rest
//! by name.
//!
//! Source: Metadata API developer guide v66, "CustomObject", "CustomField", "Metadata Field Types". Standard fields have
//! their name alone, and their picklists up to v37.0.

use super::super::Ask;
use super::super::writer::Elements;
use crate::database::CONVERTED_STATUS;
use crate::org::{Org, is_customizable};
use crate::schema::{Access, Field, FieldType, Object, RecordType, Source};

/// The last version in which picklists stand in the field itself.
const LAST_PLAIN_PICKLISTS: u16 = 37;

impl Org {
    /// A component, when it exists for the caller and is of a type that is read.
    pub(super) fn read_component(&self, ask: &Ask<'_>, kind: &str, name: &str) -> Option<Elements> {
        let (of, part) = name.split_once('.').map_or((name, None), |(of, part)| (of, Some(part)));
        let snapshot = self.snapshot();
        let (_, object) = snapshot.schema().find(of)?;
        if !is_customizable(object) || !ask.caller.access.reads(object) {
            return None;
        }
        let reader = Reader { ask, object };
        match (kind, part) {
            ("CustomObject", None) => Some(reader.object()),
            ("CustomField", Some(field)) => {
                let (_, field) = object.find(field).filter(|(_, field)| reader.shows(field))?;
                Some(reader.field(field, Some(name)))
            }
            ("RecordType", Some(part)) => {
                let known = object.record_types.iter().find(|kind| kind.developer_name.eq_ignore_ascii_case(part))?;
                Some(record_type(known, name))
            }
            _ => None,
        }
    }
}

struct Reader<'a> {
    ask: &'a Ask<'a>,
    object: &'a Object,
}

impl Reader<'_> {
    /// Fields that the system keeps, and parts of others, are not fields to this API.
    fn shows(&self, field: &Field) -> bool {
        let kept = matches!(field.name.as_str(), "Id" | "IsDeleted" | "SystemModstamp" | "MasterRecordId");
        !kept && field.compound.is_none() && self.ask.caller.access.reads_field(self.object, field)
    }

    fn object(&self) -> Elements {
        let object = self.object;
        let mut out = Elements::default();
        out.put("fullName", &object.name);
        if object.custom {
            out.flag("allowInChatterGroups", false);
        }
        out.put("compactLayoutAssignment", "SYSTEM");
        if object.custom {
            out.put("deploymentStatus", "Deployed");
            for (name, is_on) in OPTIONS {
                out.flag(name, is_on);
            }
        }
        for field in object.fields().iter().filter(|field| self.shows(field) && !field.name_field) {
            out.within("fields", |out| out.0.push_str(&self.field(field, None).0));
        }
        if object.custom {
            out.put("label", &object.label);
            out.within("nameField", |out| self.name_field(out));
            out.put("pluralLabel", &object.label_plural);
        }
        for kind in &object.record_types {
            out.within("recordTypes", |out| out.0.push_str(&record_type(kind, &kind.developer_name).0));
        }
        out.put("sharingModel", if object.is_private { "Private" } else { "ReadWrite" });
        if object.custom {
            out.put("visibility", "Public");
        }
        out
    }

    fn name_field(&self, out: &mut Elements) {
        let name = self.object.fields().iter().find(|field| field.name_field);
        if let Some(Source::AutoNumber(format)) = name.map(|field| &field.source) {
            out.put("displayFormat", format);
        }
        out.put("label", name.map_or("Name", |field| &field.label));
        out.put("type", if name.is_some_and(Field::is_auto_number) { "AutoNumber" } else { "Text" });
    }

    fn field(&self, field: &Field, full_name: Option<&str>) -> Elements {
        let mut out = Elements::default();
        out.put("fullName", full_name.unwrap_or(&field.name));
        if field.custom {
            self.custom_field(field, &mut out);
            return out;
        }
        let has_values = matches!(field.kind, FieldType::Picklist | FieldType::MultiPicklist);
        let shows_values = has_values && self.ask.caller.version <= LAST_PLAIN_PICKLISTS;
        if shows_values {
            out.within("picklist", |out| self.plain_picklist(field, out));
        }
        out.flag("trackFeedHistory", false);
        if shows_values {
            out.put("type", "Picklist");
        }
        out
    }

    fn custom_field(&self, field: &Field, out: &mut Elements) {
        use FieldType as T;
        let is_formula = field.is_calculated();
        if field.unique && field.kind == T::String {
            out.flag("caseSensitive", field.case_sensitive);
        }
        match (&field.default_value, field.kind) {
            (Some(value), kind) if kind != T::Picklist && kind != T::MultiPicklist => out.put("defaultValue", value),
            (None, T::Boolean) if !is_formula => out.flag("defaultValue", false),
            _ => {}
        }
        if field.kind == T::Reference && field.relationship_order.is_none() {
            out.put("deleteConstraint", if field.restricted_delete { "Restrict" } else { "SetNull" });
        }
        if let Source::AutoNumber(format) = &field.source {
            out.put("displayFormat", format);
        }
        out.flag("externalId", field.external_id);
        if let Source::Formula(formula) = &field.source {
            out.put("formula", &formula.text());
        }
        if let Some(help) = &field.help {
            out.put("inlineHelpText", help);
        }
        out.put("label", &field.label);
        let has_length = match field.kind {
            T::String | T::EncryptedString => true,
            kind => kind == T::TextArea && field.length > 255,
        };
        if has_length && !is_formula && !field.is_auto_number() {
            out.put("length", &field.length.to_string());
        }
        let has_values = matches!(field.kind, T::Picklist | T::MultiPicklist);
        let plain = has_values && self.ask.caller.version <= LAST_PLAIN_PICKLISTS;
        if plain {
            out.within("picklist", |out| self.plain_picklist(field, out));
        }
        let digits = digits(field);
        if let Some((precision, _)) = digits {
            out.put("precision", &precision.to_string());
        }
        self.reference(field, out);
        if !is_formula && !matches!(field.kind, T::Boolean) {
            out.flag("required", !field.nillable);
        }
        if let Some((_, scale)) = digits {
            out.put("scale", &scale.to_string());
        }
        out.flag("trackTrending", false);
        if let Some(kind) = kind_of(field) {
            out.put("type", kind);
        }
        if matches!(field.kind, T::String | T::Email | T::Double | T::Int | T::Long) && !is_formula {
            out.flag("unique", field.unique);
        }
        if has_values && !plain {
            out.within("valueSet", |out| value_set(field, out));
        }
        if field.kind == T::MultiPicklist || field.kind == T::TextArea && field.length > 255 {
            out.put("visibleLines", if field.kind == T::MultiPicklist { "4" } else { "3" });
        }
    }

    fn reference(&self, field: &Field, out: &mut Elements) {
        if field.kind != FieldType::Reference {
            return;
        }
        for to in &field.reference_to {
            out.put("referenceTo", to);
        }
        if let Some(children) = &field.child_relationship {
            out.put("relationshipLabel", &self.object.label_plural);
            out.put("relationshipName", children.strip_suffix("__r").unwrap_or(children));
        }
        if let Some(order) = field.relationship_order {
            out.put("relationshipOrder", &order.to_string());
        }
    }

    fn plain_picklist(&self, field: &Field, out: &mut Elements) {
        let is_of_leads = self.object.name == "Lead" && field.name == "Status";
        for entry in field.picklist.iter().filter(|entry| entry.active) {
            out.within("picklistValues", |out| {
                out.put("fullName", &entry.value);
                if is_of_leads {
                    out.flag("converted", entry.value == CONVERTED_STATUS);
                }
                out.flag("default", entry.default);
            });
        }
        out.flag("sorted", false);
    }
}

/// What every custom object has switched on or off.
const OPTIONS: [(&str, bool); 8] = [
    ("enableActivities", false),
    ("enableBulkApi", true),
    ("enableFeeds", false),
    ("enableHistory", false),
    ("enableReports", true),
    ("enableSearch", true),
    ("enableSharing", true),
    ("enableStreamingApi", true),
];

fn record_type(kind: &RecordType, full_name: &str) -> Elements {
    let mut out = Elements::default();
    out.put("fullName", full_name);
    out.flag("active", kind.active);
    out.put("label", &kind.name);
    out
}

fn value_set(field: &Field, out: &mut Elements) {
    if let Some(controller) = &field.controller {
        out.put("controllingField", controller);
    }
    if field.restricted_picklist {
        out.flag("restricted", true);
    }
    out.within("valueSetDefinition", |out| {
        out.flag("sorted", false);
        for entry in field.picklist.iter().filter(|entry| entry.active) {
            out.within("value", |out| {
                out.put("fullName", &entry.value);
                out.flag("default", entry.default);
                out.put("label", &entry.label);
            });
        }
    });
}

/// Precision and scale of a number.
fn digits(field: &Field) -> Option<(u8, u8)> {
    use FieldType as T;
    match field.kind {
        T::Double | T::Currency | T::Percent => Some((field.precision, field.scale)),
        T::Int => Some((field.digits, 0)),
        T::Long => Some((18, 0)),
        _ => None,
    }
}

/// The type as Setup knows it; none for types that Setup cannot make.
fn kind_of(field: &Field) -> Option<&'static str> {
    use FieldType as T;
    Some(match field.kind {
        _ if field.is_auto_number() => "AutoNumber",
        T::String => "Text",
        T::TextArea if field.html => "Html",
        T::TextArea if field.length > 255 => "LongTextArea",
        T::TextArea => "TextArea",
        T::Picklist => "Picklist",
        T::MultiPicklist => "MultiselectPicklist",
        T::Boolean => "Checkbox",
        T::Int | T::Long | T::Double => "Number",
        T::Currency => "Currency",
        T::Percent => "Percent",
        T::Phone => "Phone",
        T::Email => "Email",
        T::Url => "Url",
        T::Date => "Date",
        T::DateTime => "DateTime",
        T::Time => "Time",
        T::Location => "Location",
        T::EncryptedString => "EncryptedText",
        T::Reference if field.relationship_order.is_some() => "MasterDetail",
        T::Reference => "Lookup",
        _ => return None,
    })
}
