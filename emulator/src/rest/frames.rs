//! What surrounds an object in the user interface: layouts, list views, quick actions, default values.
//!
//! Source: REST API guide v66, "sObject Layouts" and its neighbours, for the shapes. Orgs here have the system's compact
//! layout and none of the rest.

use http::Method;
use serde_json::{Value, json};

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::route::FrameRoute;
use crate::schema::{Access, MASTER_RECORD_TYPE, Object};

/// The page layouts that belong to no object: those of global publishers.
const GLOBAL: &str = "Global";

impl Org {
    pub(super) fn frame(&self, call: &Call, caller: &Caller, frame: &FrameRoute) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        if frame.object() == GLOBAL {
            return match frame {
                FrameRoute::Layouts { record_type: None, .. } => Ok(Answer::ok(&json!({"layouts": []}))),
                _ => Err(ApiError::not_found()),
            };
        }
        let object = self.visible_object(caller, frame.object())?;
        let types = record_types(&object);
        let body = match frame {
            FrameRoute::Layouts { record_type: None, .. } => layouts(&object, caller, &types),
            FrameRoute::Layouts { record_type: Some(id), .. } => {
                let known = types.iter().any(|(known, _)| known.get(..15) == id.get(..15));
                if !known {
                    return Err(ApiError::not_found());
                }
                layout()
            }
            FrameRoute::ApprovalLayouts { .. } => json!({"approvalLayouts": []}),
            FrameRoute::CompactLayouts { .. } => compact_layouts(&object, caller),
            FrameRoute::ListViews { .. } => {
                json!({"done": true, "listviews": [], "nextRecordsUrl": null, "size": 0, "sobjectType": object.name})
            }
            FrameRoute::QuickActions { .. } => json!([]),
            FrameRoute::DefaultValues { .. } => default_values(&object, caller),
            FrameRoute::NamedLayouts { .. } if is_named_layout(call, &object) => layouts(&object, caller, &types),
            FrameRoute::NamedLayouts { .. } | FrameRoute::ListView { .. } | FrameRoute::QuickAction { .. } => {
                return Err(ApiError::not_found());
            }
        };
        Ok(Answer::ok(&body))
    }
}

/// The one layout of a name that every org has: that of users in other views (jsforce's tests against an org).
fn is_named_layout(call: &Call, object: &Object) -> bool {
    object.name == "User" && call.path.trim_end_matches('/').ends_with("/UserAlt")
}

/// Id and name of each record type, the master among them.
fn record_types(object: &Object) -> Vec<(String, String)> {
    let own = object.record_types.iter().map(|known| (known.id.to_string(), known.name.clone()));
    own.chain([(MASTER_RECORD_TYPE.to_owned(), "Master".to_owned())]).collect()
}

fn layout() -> Value {
    json!({
        "buttonLayoutSection": {"detailButtons": []},
        "detailLayoutSections": [],
        "editLayoutSections": [],
        "feedView": null,
        "highlightsPanelLayoutSection": null,
        "id": null,
        "multirowEditLayoutSections": [],
        "offlineLinks": [],
        "quickActionList": {"quickActionListItems": []},
        "relatedContent": null,
        "relatedLists": [],
        "saveOptions": [],
    })
}

fn layouts(object: &Object, caller: &Caller, types: &[(String, String)]) -> Value {
    let base = format!("{}/sobjects/{}/describe/layouts", caller.root(), object.name);
    let mapping = |(id, name): &(String, String)| {
        json!({
            "available": true,
            "defaultRecordTypeMapping": id == MASTER_RECORD_TYPE,
            "layoutId": null,
            "master": id == MASTER_RECORD_TYPE,
            "name": name,
            "picklistsForRecordType": [],
            "recordTypeId": id,
            "urls": {"layout": format!("{base}/{id}")},
        })
    };
    let mappings: Vec<Value> = types.iter().map(mapping).collect();
    json!({"layouts": [layout()], "recordTypeMappings": mappings, "recordTypeSelectorRequired": [false]})
}

/// The system's default: it shows the name.
pub(crate) fn compact_layout(object: &Object, caller: &Caller) -> Value {
    let name = object.fields().iter().find(|field| field.name_field && caller.access.reads_field(object, field));
    let items: Vec<Value> = name
        .map(|field| {
            json!({
                "editableForNew": false,
                "editableForUpdate": false,
                "label": field.label,
                "layoutComponents": [{"displayLines": 1, "tabOrder": 0, "type": "Field", "value": field.name}],
                "placeholder": false,
                "required": false,
            })
        })
        .into_iter()
        .collect();
    json!({
        "actions": [],
        "fieldItems": items,
        "id": null,
        "imageItems": [],
        "label": "System Default",
        "name": "SYSTEM",
        "objectType": object.name,
    })
}

pub(crate) fn compact_layouts(object: &Object, caller: &Caller) -> Value {
    let base = format!("{}/sobjects/{}/describe/compactLayouts", caller.root(), object.name);
    let mapping = |(id, name): &(String, String)| {
        json!({
            "available": true,
            "compactLayoutId": null,
            "compactLayoutName": "SYSTEM",
            "recordTypeId": id,
            "recordTypeName": name,
            "urls": {"compactLayout": format!("{base}/{id}")},
        })
    };
    json!({
        "compactLayouts": [compact_layout(object, caller)],
        "defaultCompactLayoutId": null,
        "recordTypeCompactLayoutMappings": record_types(object).iter().map(mapping).collect::<Vec<_>>(),
        "urls": {"primary": format!("{base}/primary")},
    })
}

/// The default value of each field that has one and that the caller may fill in.
fn default_values(object: &Object, caller: &Caller) -> Value {
    let fields = object.fields().iter().filter(|field| field.createable && caller.access.edits_field(object, field));
    let defaults = fields.filter_map(|field| Some((field.name.clone(), json!(field.default_value.as_ref()?))));
    let mut body: serde_json::Map<String, Value> = defaults.collect();
    body.insert("attributes".to_owned(), json!({"type": object.name}));
    Value::Object(body)
}
