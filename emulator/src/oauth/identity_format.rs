//! The formats of the identity URL's answer (Salesforce Help, "Identity URLs", request parameters).

use http::StatusCode;
use serde_json::Value;
use url::form_urlencoded;

use super::form::{Encoding, Parameters, escape_xml, jsonp};
use crate::answer::Answer;
use crate::call::Call;
use crate::payload::Payload;

/// The identity in the format that a request asks for: JSON, with a `callback` as a call of that function, XML, or
/// `x-www-form-urlencoded` with dotted names.
pub(super) fn answer(call: &Call, parameters: &Parameters, identity: &Value) -> Answer {
    match (Encoding::wanted(call, parameters, Encoding::Json), parameters.get("callback")) {
        (Encoding::Json, Some(callback)) => jsonp(StatusCode::OK, callback, &identity.to_string()),
        (Encoding::Json, None) => Answer::ok(identity),
        (Encoding::Xml, _) => {
            let body = Payload::bytes(xml(identity, call.wants_pretty_json()));
            Answer::typed(StatusCode::OK, "application/xml;charset=UTF-8", body)
        }
        (Encoding::UrlEncoded, _) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            append_form(&mut form, "", identity);
            let body = Payload::bytes(form.finish());
            Answer::typed(StatusCode::OK, "application/x-www-form-urlencoded", body)
        }
    }
}

fn xml(identity: &Value, pretty: bool) -> String {
    let mut text = String::from(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
    line(&mut text, pretty.then_some(0));
    text.push_str(r#"<user xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">"#);
    append_xml(&mut text, identity, pretty.then_some(1));
    line(&mut text, pretty.then_some(0));
    text.push_str("</user>");
    text
}

/// The members of an object as elements; with a depth, each on a line of its own.
fn append_xml(text: &mut String, object: &Value, depth: Option<usize>) {
    for (name, value) in object.as_object().into_iter().flatten() {
        line(text, depth);
        match value {
            Value::Null => text.push_str(&format!(r#"<{name} xsi:nil="true"/>"#)),
            Value::Object(_) => {
                text.push_str(&format!("<{name}>"));
                append_xml(text, value, depth.map(|depth| depth + 1));
                line(text, depth);
                text.push_str(&format!("</{name}>"));
            }
            simple => text.push_str(&format!("<{name}>{}</{name}>", escape_xml(&plain(simple)))),
        }
    }
}

fn line(text: &mut String, depth: Option<usize>) {
    if let Some(depth) = depth {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    }
}

fn append_form(form: &mut form_urlencoded::Serializer<'_, String>, prefix: &str, object: &Value) {
    for (name, value) in object.as_object().into_iter().flatten() {
        let name = format!("{prefix}{name}");
        match value {
            Value::Object(_) => append_form(form, &format!("{name}."), value),
            simple => drop(form.append_pair(&name, &plain(simple))),
        }
    }
}

/// A value that is no object, as text; nothing for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn xml_nests_escapes_and_marks_null() {
        let identity = json!({"a": "x<y&z", "b": {"c": true, "d": null}, "e": {}});
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?><user xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><a>x&lt;y&amp;z</a><b><c>true</c><d xsi:nil="true"/></b><e></e></user>"#;
        assert_eq!(xml(&identity, false), expected);
    }

    #[test]
    fn pretty_xml_has_an_element_a_line() {
        let text = xml(&json!({"a": 1, "b": {"c": 2}}), true);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines, ["  <a>1</a>", "  <b>", "    <c>2</c>", "  </b>", "</user>"]);
    }

    #[test]
    fn a_form_has_dotted_names() {
        let mut form = form_urlencoded::Serializer::new(String::new());
        append_form(&mut form, "", &json!({"a": "x y", "b": {"c": false, "d": null}}));
        assert_eq!(form.finish(), "a=x+y&b.c=false&b.d=");
    }
}
