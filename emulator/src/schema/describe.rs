//! Describe answers. Keys and their order are those of captured answers of real orgs.
//!
//! Source: REST API guide, "Describe Global" and "sObject Describe"; key sets checked against recorded answers.

use base64::Engine as _;
use serde_json::{Value as Json, json};

use super::field::{Field, FieldType, PicklistEntry};
use super::object::{Object, RecordType};
use super::{Access, Schema};

impl Schema {
    /// The body of `GET /services/data/{version}/sobjects`: the objects that the user may see. `version` is `v68.0`.
    #[must_use]
    pub fn describe_global(&self, access: &dyn Access, version: &str) -> Json {
        let visible = self.objects.iter().filter(|object| access.reads(object));
        let entries: Vec<Json> = visible.map(|object| describe_global_entry(object, access, version)).collect();
        json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": entries})
    }

    /// The body of `GET /services/data/{version}/sobjects/{object}/describe`. Fields that the user may not see are
    /// absent.
    #[must_use]
    pub fn describe(&self, object: &Object, access: &dyn Access, version: &str) -> Json {
        let fields = object.fields().iter().filter(|field| access.reads_field(object, field));
        let mut body = describe_global_entry(object, access, version);
        let extra = json!({
            "actionOverrides": [],
            "childRelationships": self.child_relationships(object, access),
            "compactLayoutable": true,
            "defaultImplementation": null,
            "extendedBy": null,
            "extendsInterfaces": null,
            "fields": fields.map(|field| describe_field(object, field, access)).collect::<Vec<_>>(),
            "implementedBy": null,
            "implementsInterfaces": null,
            "listviewable": null,
            "lookupLayoutable": null,
            "namedLayoutInfos": [],
            "networkScopeFieldName": null,
            "recordTypeInfos": record_type_infos(object, version),
            "searchLayoutable": object.can.searchable,
            "sobjectDescribeOption": "FULL",
            "supportedScopes": supported_scopes(object),
        });
        merge(&mut body, extra);
        body
    }

    /// The same with links to the pages of the org at `instance`.
    #[must_use]
    pub fn describe_at(&self, instance: &str, object: &Object, access: &dyn Access, version: &str) -> Json {
        let mut body = self.describe(object, access, version);
        for (name, url) in page_urls(object, instance) {
            body["urls"][name] = json!(url);
        }
        body
    }

    fn child_relationships(&self, parent: &Object, access: &dyn Access) -> Vec<Json> {
        let mut children = Vec::new();
        for child in self.objects.iter().filter(|object| access.reads(object)) {
            // Few fields refer to the parent, and asking who may see one costs more.
            let references = child.fields().iter().filter(|field| field.reference_to.contains(&parent.name));
            for field in references.filter(|field| access.reads_field(child, field)) {
                children.push(json!({
                    "cascadeDelete": field.cascade_delete,
                    "childSObject": child.name,
                    "deprecatedAndHidden": false,
                    "field": field.name,
                    "junctionIdListNames": [],
                    "junctionReferenceTo": [],
                    "relationshipName": field.child_relationship,
                    "restrictedDelete": field.restricted_delete,
                }));
            }
        }
        children
    }
}

/// One entry of describe global; also `objectDescribe` of `GET /sobjects/{object}`.
#[must_use]
pub fn describe_global_entry(object: &Object, access: &dyn Access, version: &str) -> Json {
    let base = format!("/services/data/{version}/sobjects/{}", object.name);
    let createable = object.can.createable && access.creates(object);
    let updateable = object.can.updateable && access.edits(object);
    let deletable = object.can.deletable && access.deletes(object);
    json!({
        "activateable": false,
        "associateEntityType": null,
        "associateParentEntity": null,
        "createable": createable,
        "custom": object.custom,
        "customSetting": false,
        "deepCloneable": false,
        "deletable": deletable,
        "deprecatedAndHidden": false,
        "feedEnabled": false,
        "hasSubtypes": false,
        "isInterface": false,
        "isSubtype": false,
        "keyPrefix": object.key_prefix.map(|prefix| prefix.to_string()),
        "label": object.label,
        "labelPlural": object.label_plural,
        "layoutable": object.can.searchable,
        "mergeable": object.is_mergeable(),
        "mruEnabled": object.can.searchable,
        "name": object.name,
        "queryable": object.can.queryable,
        "replicateable": object.can.replicateable,
        "retrieveable": object.can.queryable,
        "searchable": object.can.searchable,
        "triggerable": object.can.createable,
        "undeletable": deletable && object.has_recycle_bin(),
        "updateable": updateable,
        "urls": urls(object, &base),
    })
}

/// Links of an object. Only what has a layout has those of layouts, and only users have passwords.
///
/// Source: recorded describes of Account, Event, shares and histories; REST API guide v66, "sObject User Password".
fn urls(object: &Object, base: &str) -> Json {
    let mut urls =
        json!({"describe": format!("{base}/describe"), "rowTemplate": format!("{base}/{{ID}}"), "sobject": base});
    let mut link = |name: &str, path: &str| urls[name] = json!(format!("{base}/{path}"));
    if object.can.searchable {
        link("approvalLayouts", "describe/approvalLayouts");
        link("compactLayouts", "describe/compactLayouts");
        link("defaultValues", "defaultValues?recordTypeId&fields");
        link("layouts", "describe/layouts");
        link("listviews", "listviews");
        link("quickActions", "quickActions");
    }
    if object.name == "User" {
        link("passwordUtilities", "{ID}/password");
    }
    urls
}

/// Links into the user interface, where an object has one; describe alone shows them.
fn page_urls(object: &Object, instance: &str) -> Vec<(&'static str, String)> {
    let Some(prefix) = object.key_prefix.filter(|_| object.can.searchable) else { return Vec::new() };
    vec![
        ("uiDetailTemplate", format!("{instance}/{{ID}}")),
        ("uiEditTemplate", format!("{instance}/{{ID}}/e")),
        ("uiNewRecord", format!("{instance}/{prefix}/e")),
    ]
}

/// What `USING SCOPE` may name. Source: recorded describe of Account; that owned objects alone have more than one is
/// inferred.
fn supported_scopes(object: &Object) -> Json {
    let plural = object.label_plural.to_lowercase();
    let mut scopes = vec![json!({"label": format!("All {plural}"), "name": "everything"})];
    if object.audit().owner.is_some() {
        scopes.push(json!({"label": format!("My {plural}"), "name": "mine"}));
        scopes.push(json!({"label": format!("My team's {plural}"), "name": "team"}));
    }
    Json::Array(scopes)
}

fn describe_field(object: &Object, field: &Field, access: &dyn Access) -> Json {
    let editable = access.edits_field(object, field);
    let mut body = describe_type(object, field);
    merge(
        &mut body,
        json!({
            "aggregatable": !matches!(field.kind, FieldType::Boolean | FieldType::Base64) && !field.kind.is_compound(),
            "aiPredictionField": false,
            "createable": field.createable && editable,
            "custom": field.custom,
            "deprecatedAndHidden": false,
            "displayLocationInDecimal": field.kind == FieldType::Location,
            "encrypted": false,
            "externalId": field.external_id,
            "filterable": field.filterable,
            "filteredLookupInfo": null,
            "groupable": field.groupable,
            "highScaleNumber": false,
            "idLookup": field.id_lookup,
            "inlineHelpText": field.help,
            "label": field.label,
            "name": field.name,
            "nameField": field.name_field,
            "namePointing": field.is_polymorphic(),
            "permissionable": field.is_permissionable(),
            "queryByDistance": field.kind == FieldType::Location,
            "searchPrefilterable": field.kind == FieldType::Reference && field.custom,
            "sortable": field.sortable,
            "unique": field.unique,
            "updateable": field.updateable && editable,
            "writeRequiresMasterRead": false,
        }),
    );
    body
}

/// The half of a field's attributes that speaks of its values.
fn describe_type(object: &Object, field: &Field) -> Json {
    json!({
        "autoNumber": field.is_auto_number(),
        "byteLength": field.byte_length(),
        "calculated": field.is_calculated(),
        "calculatedFormula": formula_text(field),
        "cascadeDelete": field.cascade_delete,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.compound,
        "controllerName": field.controller,
        "defaultValue": default_value(field),
        "defaultValueFormula": null,
        "defaultedOnCreate": field.defaulted_on_create,
        "dependentPicklist": field.controller.is_some(),
        "digits": field.digits,
        "extraTypeInfo": field.extra_type_info,
        "formulaTreatNullNumberAsZero": field.is_calculated() && field.kind.is_number(),
        "htmlFormatted": field.html,
        "length": field.length,
        "mask": (field.kind == FieldType::EncryptedString).then_some("*"),
        "maskType": (field.kind == FieldType::EncryptedString).then_some("all"),
        "nillable": field.nillable,
        "picklistValues": picklist_values(object, field),
        "polymorphicForeignKey": field.is_polymorphic(),
        "precision": field.precision,
        "referenceTargetField": field.target_field,
        "referenceTo": field.reference_to,
        "relationshipName": field.relationship_name,
        "relationshipOrder": field.relationship_order,
        "restrictedDelete": field.restricted_delete,
        "restrictedPicklist": field.restricted_picklist,
        "scale": field.scale,
        "soapType": field.kind.soap_type(),
        "type": field.kind.as_str(),
    })
}

fn formula_text(field: &Field) -> Option<String> {
    match &field.source {
        super::Source::Formula(formula) => Some(formula.text()),
        _ => None,
    }
}

fn default_value(field: &Field) -> Json {
    match (&field.default_value, field.kind) {
        (Some(value), FieldType::Boolean) => json!(value == "true"),
        (Some(value), _) => json!(value),
        (None, FieldType::Boolean) => json!(false),
        (None, _) => Json::Null,
    }
}

fn picklist_values(object: &Object, field: &Field) -> Vec<Json> {
    let controlled = field.controller.as_deref().and_then(|name| object.find(name));
    let values = controlled.map_or(0, |(_, controller)| controller.picklist.len());
    let entry = |entry: &PicklistEntry| {
        json!({
            "active": entry.active,
            "defaultValue": entry.default,
            "label": entry.label,
            "validFor": entry.valid_for.as_ref().map(|valid| bitmap(valid, values)),
            "value": entry.value,
        })
    };
    field.picklist.iter().map(entry).collect()
}

/// Bit *n*, counted from the highest bit of the first byte, stands for the controlling field's value *n*.
fn bitmap(valid: &[usize], values: usize) -> String {
    let mut bytes = vec![0_u8; values.div_ceil(8).max(1)];
    for index in valid {
        if let Some(byte) = bytes.get_mut(index / 8) {
            *byte |= 0x80 >> (index % 8);
        }
    }
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The master record type is always there. Source: captured describes.
fn record_type_infos(object: &Object, version: &str) -> Vec<Json> {
    let layout = |id: &str| json!({"layout": format!("/services/data/{version}/sobjects/{}/describe/layouts/{id}", object.name)});
    let own = |record_type: &RecordType| {
        json!({
            "active": record_type.active,
            "available": true,
            "defaultRecordTypeMapping": false,
            "developerName": record_type.developer_name,
            "master": false,
            "name": record_type.name,
            "recordTypeId": record_type.id.to_string(),
            "urls": layout(&record_type.id.to_string()),
        })
    };
    let mut infos: Vec<Json> = object.record_types.iter().map(own).collect();
    infos.push(json!({
        "active": true,
        "available": true,
        "defaultRecordTypeMapping": true,
        "developerName": "Master",
        "master": true,
        "name": "Master",
        "recordTypeId": MASTER_RECORD_TYPE,
        "urls": layout(MASTER_RECORD_TYPE),
    }));
    infos
}

pub(crate) const MASTER_RECORD_TYPE: &str = "012000000000000AAA";

fn merge(body: &mut Json, extra: Json) {
    if let (Json::Object(body), Json::Object(extra)) = (body, extra) {
        body.extend(extra);
    }
}
