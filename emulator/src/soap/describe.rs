//! Describes. Their elements stand in the order of the WSDL, which is that of their names.

use std::sync::Arc;

use serde_json::Value;

use super::Ask;
use super::fault::Fault;
use super::writer::{Elements, escaped};
use crate::org::Org;
use crate::schema::{Access, Object};

/// SOAP API guide, `describeSObjects()`.
const MOST_DESCRIBES: usize = 100;
/// What REST alone shows.
const REST_ONLY: [&str; 4] = ["extendedBy", "extendsInterfaces", "sobjectDescribeOption", "urls"];
/// What is nil where REST shows null; other nulls are left out (partner WSDL v66).
const NILLABLE: [&str; 12] = [
    "associateEntityType",
    "associateParentEntity",
    "compactLayoutId",
    "defaultCompactLayoutId",
    "defaultImplementation",
    "errorMsg",
    "format",
    "id",
    "implementedBy",
    "implementsInterfaces",
    "keyPrefix",
    "networkScopeFieldName",
];

impl Org {
    pub(super) fn soap_describe_global(&self, ask: &Ask<'_>) -> String {
        self.global("result", ask).0
    }

    /// No object has a look of its own.
    pub(super) fn soap_describe_global_theme(&self, ask: &Ask<'_>) -> String {
        format!("<result>{}<theme/></result>", self.global("global", ask).0)
    }

    fn global(&self, tag: &str, ask: &Ask<'_>) -> Elements {
        let snapshot = self.snapshot();
        let mut body = snapshot.schema().describe_global(&ask.caller.access, &ask.caller.version_name());
        body["sobjects"].as_array_mut().into_iter().flatten().for_each(add_id_enabled);
        let mut out = Elements::default();
        element(tag, &body, &mut out);
        out
    }

    pub(super) fn soap_describe_object(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let name = ask.message.operation.text_of("sObjectType").trim();
        self.described(ask, name)
    }

    pub(super) fn soap_describe_objects(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let names = ask.message.operation.texts_of("sObjectType");
        if names.len() > MOST_DESCRIBES {
            let message = format!("cannot describe more than {MOST_DESCRIBES} objects in one call");
            return Err(Fault::call("EXCEEDED_ID_LIMIT", message));
        }
        names.iter().map(|name| self.described(ask, name)).collect()
    }

    /// The one layout of every object is without sections (simplified).
    pub(super) fn soap_describe_layout(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let object = self.soap_object(ask, ask.message.operation.text_of("sObjectType").trim())?;
        let body = self.snapshot().schema().describe(&object, &ask.caller.access, &ask.caller.version_name());
        let infos = body["recordTypeInfos"].as_array().cloned().unwrap_or_default();
        let mut out = Elements::default();
        out.within("result", |result| {
            result.within("layouts", |layout| layout.nil("id"));
            for info in &infos {
                result.within("recordTypeMappings", |mapping| record_type_mapping(info, mapping));
            }
            result.flag("recordTypeSelectorRequired", infos.len() > 1);
        });
        Ok(out.0)
    }

    fn described(&self, ask: &Ask<'_>, name: &str) -> Result<String, Fault> {
        let object = self.soap_object(ask, name)?;
        let mut body = self.snapshot().schema().describe(&object, &ask.caller.access, &ask.caller.version_name());
        add_id_enabled(&mut body);
        let base = self.instance_url(ask.call.arrival);
        let page = |path: String| Value::String(format!("{base}/{path}"));
        if let Some(prefix) = object.key_prefix.filter(|_| object.can.searchable) {
            body["urlDetail"] = page("{ID}".to_owned());
            body["urlEdit"] = page("{ID}/e".to_owned());
            body["urlNew"] = page(format!("{prefix}/e"));
        }
        let mut out = Elements::default();
        element("result", &body, &mut out);
        Ok(out.0)
    }

    /// The object, when it exists for the caller.
    pub(super) fn soap_object(&self, ask: &Ask<'_>, name: &str) -> Result<Arc<Object>, Fault> {
        let snapshot = self.snapshot();
        let found = snapshot.schema().find(name).map(|(_, object)| Arc::clone(object));
        found
            .filter(|object| ask.caller.access.reads(object))
            .ok_or_else(|| crate::database::RowError::no_such_object(name).into())
    }
}

fn add_id_enabled(body: &mut Value) {
    body["idEnabled"] = Value::Bool(true);
}

fn record_type_mapping(info: &Value, out: &mut Elements) {
    for name in ["active", "available", "defaultRecordTypeMapping"] {
        out.flag(name, info[name] == Value::Bool(true));
    }
    out.put("developerName", info["developerName"].as_str().unwrap_or_default());
    out.nil("layoutId");
    out.flag("master", info["master"] == Value::Bool(true));
    out.put("name", info["name"].as_str().unwrap_or_default());
    out.maybe("recordTypeId", info["recordTypeId"].as_str());
}

pub(super) fn element(tag: &str, value: &Value, out: &mut Elements) {
    match value {
        Value::Null if NILLABLE.contains(&tag) => out.nil(tag),
        Value::Null => {}
        // REST writes `urn:`.
        Value::String(text) if tag == "soapType" => out.put(tag, &text.replace("urn:", "tns:")),
        Value::Bool(flag) => out.flag(tag, *flag),
        Value::Number(number) => out.put(tag, &number.to_string()),
        Value::String(text) => out.put(tag, text),
        Value::Array(items) => items.iter().for_each(|item| element(tag, item, out)),
        Value::Object(members) => {
            out.open(tag);
            for (name, value) in members.iter().filter(|(name, _)| !REST_ONLY.contains(&name.as_str())) {
                match (tag, name.as_str(), value) {
                    ("fields", "defaultValue", Value::Bool(flag)) => any(name, "boolean", &flag.to_string(), out),
                    ("fields", "defaultValue", Value::String(text)) => any(name, "string", text, out),
                    _ => element(name, value, out),
                }
            }
            out.close(tag);
        }
    }
}

/// An element of any type says which.
fn any(tag: &str, kind: &str, text: &str, out: &mut Elements) {
    let declaration = "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"";
    out.0.push_str(&format!("<{tag} {declaration} xsi:type=\"xsd:{kind}\">{}</{tag}>", escaped(text)));
}
