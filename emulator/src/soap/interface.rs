//! Calls about what people see of the org, as REST shows it too: layouts beside the page layout, list views, and what comes
//! of approvals and mail in an org that has neither. What is always the same is in [`super::operation`].
//!
//! Source: partner WSDL v66; SOAP API guide, `process()` and `sendEmail()`; texts of refusals from field reports.

use super::Ask;
use super::describe::element;
use super::fault::Fault;
use super::write::check_number;
use super::writer::Elements;
use crate::org::Org;
use crate::rest::{compact_layout, compact_layouts, search_layout};

/// SOAP API guide, `process()`.
const MOST_REQUESTS: usize = 200;
/// Partner WSDL v66, `sendEmail`.
const MOST_MESSAGES: usize = 10;
const SINGLE_MAIL_OFF: &str = "Single email is not enabled for your organization or profile. Single Email must be enabled \
                               for you to use this feature.";
const MASS_MAIL_OFF: &str = "Mass email is not enabled for your organization or profile.";

impl Org {
    pub(super) fn soap_compact_layouts(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let object = self.soap_object(ask, ask.message.operation.text_of("sObjectType").trim())?;
        let mut out = Elements::default();
        element("result", &compact_layouts(&object, &ask.caller), &mut out);
        Ok(out.0)
    }

    pub(super) fn soap_primary_compact_layouts(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let mut out = Elements::default();
        for name in ask.message.operation.texts_of("sObjectTypes") {
            element("result", &compact_layout(&*self.soap_object(ask, &name)?, &ask.caller), &mut out);
        }
        Ok(out.0)
    }

    pub(super) fn soap_search_layouts(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let mut out = Elements::default();
        for name in ask.message.operation.texts_of("sObjectType") {
            element("result", &search_layout(&*self.soap_object(ask, &name)?), &mut out);
        }
        Ok(out.0)
    }

    /// Calls about an object that have nothing to tell of it.
    pub(super) fn soap_nothing_of_object(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        self.soap_object(ask, ask.message.operation.text_of("sObjectType").trim())?;
        Ok("<result/>".to_owned())
    }

    /// No approval process takes a record, and there are no requests to decide on.
    pub(super) fn soap_process(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let requests = || ask.message.operation.all("actions");
        check_number(requests().count(), MOST_REQUESTS)?;
        let mut out = Elements::default();
        for request in requests() {
            let (code, message) = match request.child("workitemId") {
                Some(_) => ("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
                None => ("NO_APPLICABLE_PROCESS", "No applicable approval process was found."),
            };
            out.within("result", |result| {
                result.nil("entityId");
                result.within("errors", |error| {
                    error.put("message", message);
                    error.put("statusCode", code);
                });
                result.nil("instanceId");
                result.nil("instanceStatus");
                result.flag("success", false);
            });
        }
        Ok(out.0)
    }

    /// The org sends system mail alone, as a new sandbox does.
    pub(super) fn soap_send_email(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let messages = || ask.message.operation.all("messages");
        check_number(messages().count(), MOST_MESSAGES)?;
        let mut out = Elements::default();
        for message in messages() {
            let (code, text) = match message.kind.as_deref() {
                Some("MassEmailMessage") => ("NO_MASS_MAIL_PERMISSION", MASS_MAIL_OFF),
                _ => ("NO_SINGLE_MAIL_PERMISSION", SINGLE_MAIL_OFF),
            };
            out.within("result", |result| {
                result.within("errors", |error| {
                    error.put("message", text);
                    error.put("statusCode", code);
                    error.nil("targetObjectId");
                });
                result.flag("success", false);
            });
        }
        Ok(out.0)
    }
}
