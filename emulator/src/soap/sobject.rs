//! Records as messages carry them.
//!
//! Source: partner WSDL v66, `sObject`; SOAP API guide, `create()`, `update()`, "fieldsToNull" and "Foreign Keys Using
//! External IDs". A record of the enterprise API has its type as an attribute.

use serde_json::{Map, Value};

use super::element::Element;
use super::fault::Fault;
use crate::database::{Record, RowError};
use crate::route::SoapApi;
use crate::schema::{FieldType, Object, Schema};

/// A record and the object that it is of, in the schema's spelling.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) object: String,
    pub(super) record: Record,
}

/// Reads a record. Nil elements say nothing: a field is emptied by `fieldsToNull`.
pub(super) fn read(element: &Element, api: SoapApi, schema: &Schema) -> Result<Given, Fault> {
    let kind = kind_of(element, api);
    let kind = kind.ok_or_else(|| Fault::call("INVALID_TYPE", "Must send a concrete entity type."))?;
    let (_, object) = schema.find(kind).ok_or_else(|| Fault::from(RowError::no_such_object(kind)))?;
    let mut record = Record::new();
    for child in element.children.iter().filter(|child| !child.is_nil) {
        match child.name.as_str() {
            "type" if api == SoapApi::Partner => {}
            "fieldsToNull" => {
                record.insert(child.text.trim().to_owned(), Value::Null);
            }
            name => {
                record.insert(name.to_owned(), value_of(child, api, object)?);
            }
        }
    }
    // An empty id is none.
    if record.get("Id").and_then(Value::as_str).is_some_and(|id| id.trim().is_empty()) {
        record.remove("Id");
    }
    Ok(Given { object: object.name.clone(), record })
}

fn kind_of(element: &Element, api: SoapApi) -> Option<&str> {
    let typed = element.kind.as_deref();
    let kind = match api {
        SoapApi::Enterprise => typed,
        // Some clients write the attribute there as well (WWW::Salesforce).
        SoapApi::Partner | SoapApi::Metadata | SoapApi::Apex | SoapApi::Tooling => {
            element.child("type").map(|kind| kind.text.trim()).or(typed)
        }
    };
    kind.filter(|kind| !kind.is_empty() && !kind.eq_ignore_ascii_case("sObject"))
}

fn value_of(element: &Element, api: SoapApi, object: &Object) -> Result<Value, Fault> {
    if !element.children.is_empty() {
        return Ok(parent(element, api));
    }
    let text = element.text.as_str();
    let kind = object.find(&element.name).map(|(_, field)| field.kind);
    Ok(match kind {
        // `xsd:boolean` has two spellings.
        Some(FieldType::Boolean) => match text.trim() {
            "1" => Value::Bool(true),
            "0" => Value::Bool(false),
            other => Value::String(other.to_owned()),
        },
        Some(kind) if kind.is_raw_json() => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(kind) if kind.is_text() => Value::String(text.to_owned()),
        _ => Value::String(text.trim().to_owned()),
    })
}

/// A record that is named by an external id, as REST writes it.
fn parent(element: &Element, api: SoapApi) -> Value {
    let mut named = Map::new();
    if let Some(kind) = kind_of(element, api) {
        named.insert("attributes".to_owned(), serde_json::json!({"type": kind}));
    }
    let is_type = |child: &Element| child.name == "type" && api == SoapApi::Partner;
    for child in
        element.children.iter().filter(|child| !child.is_nil && !is_type(child) && child.name != "fieldsToNull")
    {
        named.insert(child.name.clone(), Value::String(child.text.trim().to_owned()));
    }
    Value::Object(named)
}

/// Shortens texts to what their fields hold (SOAP API guide, "AllowFieldTruncationHeader").
pub(super) fn truncate(given: &mut Given, schema: &Schema) {
    let Some((_, object)) = schema.find(&given.object) else { return };
    for (name, value) in &mut given.record {
        let field = object.find(name).map(|(_, field)| field).filter(|field| field.kind.is_text());
        if let (Some(field), Value::String(text)) = (field, value)
            && text.chars().count() > field.length as usize
        {
            *text = text.chars().take(field.length as usize).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use roxmltree::Document;

    use super::*;
    use crate::catalog;

    static SCHEMA: LazyLock<Schema> = LazyLock::new(catalog::standard);

    fn given(xml: &str, api: SoapApi) -> Result<Given, Fault> {
        let text = format!("<r xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>{xml}</r>");
        let document = Document::parse(&text).unwrap();
        let element = Element::of(document.root_element()).unwrap();
        read(&element.children[0], api, &SCHEMA)
    }

    #[test]
    fn both_forms_say_the_same() {
        let partner = "<s><type>contact</type><fieldsToNull>Phone</fieldsToNull><Id></Id><LastName>A &amp; B</LastName>\
                       <DoNotCall>1</DoNotCall><Title xsi:nil='true'/>\
                       <Account><type>Account</type><Customer_Number__c>7</Customer_Number__c></Account></s>";
        let enterprise = "<s xsi:type='sf:Contact'><fieldsToNull>Phone</fieldsToNull><LastName>A &amp; B</LastName>\
                          <DoNotCall>1</DoNotCall>\
                          <Account xsi:type='sf:Account'><Customer_Number__c>7</Customer_Number__c></Account></s>";
        let expected = serde_json::json!({
            "Phone": null,
            "LastName": "A & B",
            "DoNotCall": true,
            "Account": {"attributes": {"type": "Account"}, "Customer_Number__c": "7"},
        });
        for (xml, api) in [(partner, SoapApi::Partner), (enterprise, SoapApi::Enterprise)] {
            let given = given(xml, api).unwrap();
            assert_eq!((given.object.as_str(), Value::Object(given.record)), ("Contact", expected.clone()));
        }
    }

    #[test]
    fn a_record_without_a_type_is_refused() {
        assert!(given("<s><Name>x</Name></s>", SoapApi::Partner).is_err());
        assert!(given("<s><type>Nope</type></s>", SoapApi::Partner).is_err());
        assert!(given("<s xsi:type='sf:sObject'/>", SoapApi::Enterprise).is_err());
    }

    proptest! {
        #[test]
        fn no_record_makes_it_panic(text in "[a-zA-Z0-9 ]{0,20}", names in proptest::collection::vec("(Id|type|Name|fieldsToNull|Active__c|Owner|x)", 0..6)) {
            let children: String = names.iter().map(|name| format!("<{name}>{text}<b>{text}</b></{name}><{name}>{text}</{name}>")).collect();
            for api in [SoapApi::Partner, SoapApi::Enterprise] {
                let _ = given(&format!("<s><type>Account</type>{children}</s>"), api);
                let _ = given(&format!("<s xsi:type='Account'>{children}</s>"), api);
            }
        }
    }
}
