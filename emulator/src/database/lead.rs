//! Lead conversion: a lead becomes an account, a contact and, unless somebody says otherwise, an opportunity.
//!
//! Sources: SOAP API guide v66, `convertLead()`; Salesforce Help, "Lead Conversion Field Mapping"; texts of refusals from
//! field reports. Custom fields are mapped in Setup, so none are carried over here.

use serde_json::{Value as Json, json};

use super::records::record;
use super::write::{set, set_at, stamp};
use super::{Author, Database, Record, RowError, StatusCode};
use crate::ids::RecordId;
use crate::schema::Object;
use crate::table::StoredRow;
use crate::value::{Date, Timestamp, Value};

/// The status of a lead that may be converted to. Which ones may is decided in Setup.
pub(crate) const CONVERTED_STATUS: &str = "Closed - Converted";

/// Fields of a lead and where they go.
type Mapping = &'static [(&'static str, &'static str)];

const TO_ACCOUNT: Mapping = &[
    ("Company", "Name"),
    ("Phone", "Phone"),
    ("Website", "Website"),
    ("AnnualRevenue", "AnnualRevenue"),
    ("NumberOfEmployees", "NumberOfEmployees"),
    ("Rating", "Rating"),
    ("LeadSource", "AccountSource"),
    ("Street", "BillingStreet"),
    ("City", "BillingCity"),
    ("State", "BillingState"),
    ("PostalCode", "BillingPostalCode"),
    ("Country", "BillingCountry"),
    ("CurrencyIsoCode", "CurrencyIsoCode"),
];
const TO_CONTACT: Mapping = &[
    ("Salutation", "Salutation"),
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("Title", "Title"),
    ("Phone", "Phone"),
    ("MobilePhone", "MobilePhone"),
    ("Email", "Email"),
    ("Description", "Description"),
    ("LeadSource", "LeadSource"),
    ("Street", "MailingStreet"),
    ("City", "MailingCity"),
    ("State", "MailingState"),
    ("PostalCode", "MailingPostalCode"),
    ("Country", "MailingCountry"),
    ("CurrencyIsoCode", "CurrencyIsoCode"),
];
const TO_OPPORTUNITY: Mapping = &[("LeadSource", "LeadSource"), ("CurrencyIsoCode", "CurrencyIsoCode")];

/// What refers to a lead, and the field that says so for the contact that it becomes.
const FOLLOWERS: [(&str, &str, &str); 3] =
    [("Task", "WhoId", "WhoId"), ("Event", "WhoId", "WhoId"), ("CampaignMember", "LeadId", "ContactId")];

/// Which opportunity comes of a lead.
#[derive(Clone, Debug)]
pub enum Deal {
    None,
    Known(RecordId),
    /// The company's name unless there is another.
    New(Option<String>),
}

/// A lead that is to be converted.
#[derive(Clone, Debug)]
pub struct Conversion {
    pub lead: RecordId,
    pub status: String,
    /// An account and a contact that are there already; what is empty in them is filled from the lead.
    pub account: Option<RecordId>,
    pub contact: Option<RecordId>,
    pub deal: Deal,
    pub overwrites_lead_source: bool,
    /// Who owns what is made; the lead's owner unless somebody is named.
    pub owner: Option<RecordId>,
}

/// What became of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Converted {
    pub account: RecordId,
    pub contact: RecordId,
    pub opportunity: Option<RecordId>,
}

impl Database {
    /// Converts a lead.
    ///
    /// # Errors
    /// [`RowError`] when the lead or something named is not there, the status is none of converted leads, or one of the
    /// records cannot be written; nothing is written then.
    pub fn convert_lead(&mut self, wanted: &Conversion, by: &Author<'_>) -> Result<Converted, RowError> {
        let written = self.written.clone();
        let (done, undo) = self.recording(|database| database.carry_over(wanted, by));
        if done.is_err() {
            self.take_back(undo);
            self.written = written;
        }
        done
    }

    fn carry_over(&mut self, wanted: &Conversion, by: &Author<'_>) -> Result<Converted, RowError> {
        let (object, row) = self.convertible(wanted, by)?;
        let lead = self.fields_of(wanted.lead)?;
        let owner = self.owner_of_converted(&object, &row, wanted)?;
        let account = self.become_account(&lead, wanted, owner, by)?;
        let contact = self.become_contact(&lead, wanted, (account, owner), by)?;
        let opportunity = match &wanted.deal {
            Deal::None => None,
            Deal::Known(id) => Some(self.known("Opportunity", *id)?),
            Deal::New(name) => Some(self.become_opportunity(&lead, name.as_deref(), (account, owner), by)?),
        };
        let converted = Converted { account, contact, opportunity };
        self.mark_converted(&object, row, wanted, converted, by)?;
        self.hand_over(wanted.lead, contact, by.at)?;
        Ok(converted)
    }

    /// The lead, when it may be converted.
    fn convertible(
        &self,
        wanted: &Conversion,
        by: &Author<'_>,
    ) -> Result<(std::sync::Arc<Object>, StoredRow), RowError> {
        let (index, row) = self.live(wanted.lead)?;
        let object = self.current.schema.object(index).clone();
        if object.name != "Lead" {
            return Err(wrong_type(wanted.lead));
        }
        if !by.access.edits(&object) {
            let message = format!("insufficient access rights on object id {}", wanted.lead);
            return Err(RowError::new(StatusCode::InsufficientAccessOrReadonly, message));
        }
        refuse_converted(&object, &row)?;
        if wanted.status != CONVERTED_STATUS {
            let message = format!("invalid convertedStatus: {}", wanted.status);
            return Err(RowError::on(StatusCode::InvalidStatus, "Status", message));
        }
        Ok((object, row))
    }

    /// Queues own leads and nothing that comes of them.
    fn owner_of_converted(&self, object: &Object, row: &StoredRow, wanted: &Conversion) -> Result<RecordId, RowError> {
        let own = object.find("OwnerId").and_then(|(field, _)| row.values.get(field));
        let owner = wanted.owner.or(match own {
            Some(Value::Id(id)) => Some(*id),
            _ => None,
        });
        let is_user =
            |id: &RecordId| self.current.schema.find_prefix(id.prefix()).is_some_and(|(_, o)| o.name == "User");
        owner.filter(is_user).ok_or_else(|| {
            let message = "Converted objects can only be owned by users.  If the lead is not owned by a user, you must \
                           specify a user for the Owner field.";
            RowError::new(StatusCode::UnknownException, message)
        })
    }

    fn become_account(
        &mut self,
        lead: &Record,
        wanted: &Conversion,
        owner: RecordId,
        by: &Author<'_>,
    ) -> Result<RecordId, RowError> {
        let Some(id) = wanted.account else {
            let mut account = self.mapped("Account", TO_ACCOUNT, lead, by);
            account.insert("OwnerId".to_owned(), json!(owner.to_string()));
            return self.insert("Account", &account, by);
        };
        self.known("Account", id)?;
        self.fill(id, TO_ACCOUNT, lead, &[], by)
    }

    fn become_contact(
        &mut self,
        lead: &Record,
        wanted: &Conversion,
        (account, owner): (RecordId, RecordId),
        by: &Author<'_>,
    ) -> Result<RecordId, RowError> {
        let Some(id) = wanted.contact else {
            let mut contact = self.mapped("Contact", TO_CONTACT, lead, by);
            contact.insert("AccountId".to_owned(), json!(account.to_string()));
            contact.insert("OwnerId".to_owned(), json!(owner.to_string()));
            return self.insert("Contact", &contact, by);
        };
        self.known("Contact", id)?;
        let own_account = self.fields_of(id)?.remove("AccountId");
        if wanted.account.is_none() || own_account != Some(json!(account.to_string())) {
            let message = "the contact must belong to the account that is specified";
            return Err(RowError::on(StatusCode::FieldIntegrityException, "contactId", message));
        }
        let overwritten: &[&str] = if wanted.overwrites_lead_source { &["LeadSource"] } else { &[] };
        self.fill(id, TO_CONTACT, lead, overwritten, by)
    }

    fn become_opportunity(
        &mut self,
        lead: &Record,
        name: Option<&str>,
        (account, owner): (RecordId, RecordId),
        by: &Author<'_>,
    ) -> Result<RecordId, RowError> {
        let mut deal = self.mapped("Opportunity", TO_OPPORTUNITY, lead, by);
        let company = lead.get("Company").cloned().unwrap_or_default();
        deal.insert("Name".to_owned(), name.map_or(company, |name| json!(name)));
        deal.insert("AccountId".to_owned(), json!(account.to_string()));
        deal.insert("OwnerId".to_owned(), json!(owner.to_string()));
        deal.insert("StageName".to_owned(), self.first_stage());
        let mut closes = Vec::new();
        end_of_quarter(by.at.date()).write(&mut closes);
        deal.insert("CloseDate".to_owned(), json!(String::from_utf8_lossy(&closes)));
        self.insert("Opportunity", &deal, by)
    }

    /// The stage of new opportunities: the default, or the first in the list.
    fn first_stage(&self) -> Json {
        let found = self.current.schema.find("Opportunity").and_then(|(_, object)| object.find("StageName"));
        let stages = found.map(|(_, field)| field.picklist.as_slice()).unwrap_or_default();
        let first = stages.iter().find(|stage| stage.default).or(stages.first());
        first.map_or(Json::Null, |stage| json!(stage.value))
    }

    /// The fields of the lead as another object has them, as far as the author may write them.
    fn mapped(&self, object: &str, mapping: Mapping, lead: &Record, by: &Author<'_>) -> Record {
        let Some((_, object)) = self.current.schema.find(object) else { return Record::new() };
        let given = mapping.iter().filter_map(|(from, to)| Some((*to, lead.get(*from).filter(|v| !v.is_null())?)));
        let open = given.filter(|(to, _)| {
            let field = object.find(to).map(|(_, field)| field);
            field.is_some_and(|field| by.access.reads_field(object, field) && by.access.edits_field(object, field))
        });
        open.map(|(to, value)| (to.to_owned(), value.clone())).collect()
    }

    /// Fills what is empty in a record; values that are there stay, but for those to be overwritten.
    fn fill(
        &mut self,
        id: RecordId,
        mapping: Mapping,
        lead: &Record,
        overwritten: &[&str],
        by: &Author<'_>,
    ) -> Result<RecordId, RowError> {
        let known = self.fields_of(id)?;
        let (index, _) = self.live(id)?;
        let object = self.current.schema.object(index).name.clone();
        let mut fields = self.mapped(&object, mapping, lead, by);
        let is_empty = |name: &str| known.get(name).is_none_or(Json::is_null);
        fields.retain(|name, _| is_empty(name) || overwritten.contains(&name.as_str()));
        if !fields.is_empty() {
            self.update(id, &fields, by)?;
        }
        Ok(id)
    }

    fn mark_converted(
        &mut self,
        object: &Object,
        mut row: StoredRow,
        wanted: &Conversion,
        converted: Converted,
        by: &Author<'_>,
    ) -> Result<(), RowError> {
        let before = row.clone();
        for (name, value) in [
            ("IsConverted", Value::Bool(true)),
            ("Status", Value::text(wanted.status.as_str())),
            ("ConvertedDate", Value::Date(by.at.date())),
            ("ConvertedAccountId", Value::Id(converted.account)),
            ("ConvertedContactId", Value::Id(converted.contact)),
            ("ConvertedOpportunityId", converted.opportunity.map_or(Value::Null, Value::Id)),
        ] {
            set_at(&mut row.values, object.find(name).map(|(field, _)| field), value);
        }
        stamp(object, &mut row, by);
        self.check_rules(object, Some(&before), &row)?;
        let (index, _) = self.live(row.id)?;
        self.put(index, row);
        Ok(())
    }

    /// Activities and campaign memberships of the lead become the contact's. That their `SystemModstamp` alone moves is
    /// inferred.
    fn hand_over(&mut self, lead: RecordId, contact: RecordId, at: Timestamp) -> Result<(), RowError> {
        for (name, from, to) in FOLLOWERS {
            let Some((index, object)) = self.current.schema.find(name) else { continue };
            let (object, field) = (object.clone(), object.find(from).map(|(field, _)| field));
            let (Some(field), Some((target, _))) = (field, object.find(to)) else { continue };
            for id in self.current.referring(index, field, lead) {
                let (_, mut row) = self.stored(id)?;
                set(&mut row.values, target, Value::Id(contact));
                set_at(&mut row.values, object.audit().system_modstamp, Value::DateTime(at.whole_seconds()));
                self.put(index, row);
            }
        }
        Ok(())
    }

    /// A record of this object that is there.
    fn known(&self, object: &str, id: RecordId) -> Result<RecordId, RowError> {
        let (index, _) = self.live(id)?;
        if self.current.schema.object(index).name == object { Ok(id) } else { Err(wrong_type(id)) }
    }

    fn fields_of(&self, id: RecordId) -> Result<Record, RowError> {
        let (index, _) = self.live(id)?;
        let row = self.current.row(id).ok_or_else(RowError::not_found)?;
        Ok(record(self.current.schema.object(index), &row))
    }
}

/// Nobody changes a lead after its conversion (field reports; the permission "View and Edit Converted Leads" is absent).
pub(super) fn refuse_converted(object: &Object, row: &StoredRow) -> Result<(), RowError> {
    let flag = object.find("IsConverted").filter(|_| object.name == "Lead").map(|(field, _)| field);
    match flag.and_then(|field| row.values.get(field)) {
        Some(Value::Bool(true)) => {
            Err(RowError::new(StatusCode::CannotUpdateConvertedLead, "cannot reference converted lead"))
        }
        _ => Ok(()),
    }
}

fn wrong_type(id: RecordId) -> RowError {
    RowError::new(StatusCode::MalformedId, format!("id value of incorrect type: {id}"))
}

/// The last day of the quarter around a day (Salesforce Help, lead conversion: the close date of a new opportunity).
fn end_of_quarter(day: Date) -> Date {
    let (year, month, _) = day.civil();
    let next = match (month - 1) / 3 * 3 + 4 {
        13 => Date::from_civil(year + 1, 1, 1),
        month => Date::from_civil(year, month, 1),
    };
    Date(next.0 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opportunities_close_at_the_end_of_the_quarter() {
        for (day, end) in [("2026-01-01", "2026-03-31"), ("2026-11-22", "2026-12-31"), ("2028-06-30", "2028-06-30")] {
            assert_eq!(end_of_quarter(Date::parse(day).unwrap()), Date::parse(end).unwrap());
        }
    }
}
