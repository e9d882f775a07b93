//! `convertLead()`.

use super::Ask;
use super::element::Element;
use super::fault::Fault;
use super::write::{check_number, error};
use super::writer::Elements;
use crate::database::{Conversion, Converted, Deal, RowError, StatusCode};
use crate::ids::RecordId;
use crate::org::Org;
use crate::route::SoapApi;

/// Leads of one call (SOAP API guide, `convertLead()`).
const MOST_LEADS: usize = 100;
/// What a `LeadConvert` may name besides ids. The guide says little of these, so they are not taken for nothing.
const UNSUPPORTED: [&str; 5] =
    ["accountRecord", "contactRecord", "opportunityRecord", "relatedPersonAccountId", "relatedPersonAccountRecord"];

impl Org {
    pub(super) fn soap_convert_lead(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let wanted: Vec<&Element> = ask.message.operation.all("leadConverts").collect();
        check_number(wanted.len(), MOST_LEADS)?;
        let results = self.write_for(&ask.caller, |database, by| {
            let convert = |wanted: &&Element| conversion(wanted).and_then(|wanted| database.convert_lead(&wanted, by));
            wanted.iter().map(convert).collect::<Vec<_>>()
        });
        let mut out = Elements::default();
        for (wanted, result) in wanted.iter().zip(&results) {
            out.within("result", |out| converted(wanted, result, ask.api, out));
        }
        Ok(out.0)
    }
}

fn conversion(element: &Element) -> Result<Conversion, RowError> {
    if let Some(name) = UNSUPPORTED.into_iter().find(|name| !text(element, name).is_empty() || is_filled(element, name))
    {
        return Err(RowError::on(StatusCode::InvalidTypeForOperation, name, format!("{name} is not available")));
    }
    let deal = match id(element, "opportunityId")? {
        Some(known) => Deal::Known(known),
        None if element.flag("doNotCreateOpportunity") => Deal::None,
        None => Deal::New(Some(text(element, "opportunityName").to_owned()).filter(|name| !name.is_empty())),
    };
    Ok(Conversion {
        lead: id(element, "leadId")?
            .ok_or_else(|| RowError::on(StatusCode::MissingArgument, "leadId", "leadId not specified"))?,
        status: text(element, "convertedStatus").to_owned(),
        account: id(element, "accountId")?,
        contact: id(element, "contactId")?,
        deal,
        overwrites_lead_source: element.flag("overwriteLeadSource"),
        owner: id(element, "ownerId")?,
    })
}

fn is_filled(element: &Element, name: &str) -> bool {
    element.child(name).is_some_and(|child| !child.is_nil && !child.children.is_empty())
}

fn text<'a>(element: &'a Element, name: &str) -> &'a str {
    element.text_of(name).trim()
}

/// An id that may be left out, nil or empty.
fn id(element: &Element, name: &str) -> Result<Option<RecordId>, RowError> {
    match text(element, name) {
        "" => Ok(None),
        id => RecordId::parse(id).map(Some).map_err(|error| RowError::new(StatusCode::MalformedId, error.to_string())),
    }
}

/// A `LeadConvertResult` of the partner WSDL v66.
fn converted(wanted: &Element, result: &Result<Converted, RowError>, api: SoapApi, out: &mut Elements) {
    let id = |of: fn(&Converted) -> Option<RecordId>| result.as_ref().ok().and_then(of).map(|id| id.to_string());
    out.maybe("accountId", id(|done| Some(done.account)).as_deref());
    out.maybe("contactId", id(|done| Some(done.contact)).as_deref());
    if let Err(refused) = result {
        error(refused, api, out);
    }
    let lead = RecordId::parse(text(wanted, "leadId")).ok().map(|lead| lead.to_string());
    out.maybe("leadId", lead.as_deref());
    out.maybe("opportunityId", id(|done| done.opportunity).as_deref());
    out.flag("success", result.is_ok());
}
