//! The rows that a scenario implies besides those that tell of the org itself: statuses, currencies, generated data.

use serde_json::json;

use super::system::SystemRows;
use super::{Org, PopulateError};
use crate::database::{Author, CONVERTED_STATUS, Database, Record};
use crate::ids::{KeyPrefix, RecordId};
use crate::scenario::Scenario;
use crate::schema::{FullAccess, ObjectSpec};
use crate::value::{Timestamp, Value};

/// Rows of the scenario have ids far behind those that are counted up.
const FIRST_ORDINAL: u64 = 500_000_000_000;
/// Objects whose rows others refer to; they are generated first.
const PARENTS_FIRST: [&str; 16] = [
    "User",
    "Account",
    "Contact",
    "Lead",
    "Opportunity",
    "Campaign",
    "Case",
    "Task",
    "Event",
    "Idea",
    "ContentDocument",
    "Product2",
    "Pricebook2",
    "PricebookEntry",
    "Contract",
    "Order",
];

/// The id of the `index`th row that a scenario implies for an object.
pub(super) fn scenario_id(prefix: &str, index: usize) -> RecordId {
    let prefix = KeyPrefix::parse(prefix).expect("key prefixes of the catalogue are well-formed");
    RecordId::new(prefix, FIRST_ORDINAL + index as u64)
}

/// Fills a database as the scenario says.
pub(super) fn populate(
    database: &mut Database,
    system: &SystemRows,
    scenario: &Scenario,
    org: RecordId,
    now: Timestamp,
) -> Result<(), PopulateError> {
    for (object, fields) in &scenario.field_history {
        database.track(object, fields)?;
    }
    system.start(database, scenario, org, now)?;
    let author = Author { user: Org::user_id_in(scenario, ""), at: now, access: &FullAccess };
    let mut rows = Rows { database, author };
    rows.statuses("Case", "CaseStatus", "00Y")?;
    rows.statuses("Lead", "LeadStatus", "01V")?;
    rows.statuses("Task", "TaskStatus", "01X")?;
    rows.standing()?;
    rows.currencies(scenario)?;
    let named = scenario.rows.keys().map(String::as_str).filter(|name| !PARENTS_FIRST.contains(name));
    let order: Vec<&str> = PARENTS_FIRST.into_iter().chain(named).collect();
    for object in order {
        if let Some(count) = scenario.rows.get(object) {
            rows.database.generate(object, *count, now)?;
        }
    }
    let made_up: Vec<ObjectSpec> = scenario.volume.specs().collect();
    for spec in scenario.objects.iter().chain(&made_up) {
        if let Some(count) = spec.rows {
            rows.database.generate(&spec.name, count, now)?;
        }
    }
    rows.person_accounts(scenario.person_accounts.unwrap_or_default())?;
    scenario.shares.iter().try_for_each(|object| Ok(rows.database.make_private(object)?))
}

struct Rows<'a> {
    database: &'a mut Database,
    author: Author<'a>,
}

impl Rows<'_> {
    fn put(&mut self, object: &str, id: RecordId, record: serde_json::Value) -> Result<(), PopulateError> {
        let serde_json::Value::Object(record) = record else { return Ok(()) };
        let record: Record = record.into_iter().filter(|(_, value)| !value.is_null()).collect();
        self.database
            .insert_as(object, id, &record, &self.author)
            .map_err(|source| PopulateError::Row { object: object.to_owned(), source })
    }

    /// The values of the field `Status` of an object, as rows of another.
    fn statuses(&mut self, of: &str, object: &str, prefix: &str) -> Result<(), PopulateError> {
        let field = self.database.schema().find(of).and_then(|(_, of)| of.find("Status"));
        let values = field.map(|(_, field)| field.picklist.clone()).unwrap_or_default();
        for (index, value) in values.iter().enumerate() {
            let closed = ["Closed", "Completed"].contains(&value.value.as_str());
            let (end, reached) = match of {
                "Lead" => ("IsConverted", value.value == CONVERTED_STATUS),
                _ => ("IsClosed", closed),
            };
            let record = json!({
                "MasterLabel": value.label,
                "ApiName": value.value,
                "SortOrder": index + 1,
                "IsDefault": value.default,
                end: reached,
            });
            self.put(object, scenario_id(prefix, index), record)?;
        }
        Ok(())
    }

    /// What every org has from its first day: the standard price book, and business hours around the clock.
    fn standing(&mut self) -> Result<(), PopulateError> {
        let price_book = scenario_id("01s", 0);
        self.put("Pricebook2", price_book, json!({"Name": "Standard Price Book", "IsActive": true}))?;
        self.database
            .store_raw(price_book, "IsStandard", Value::Bool(true))
            .map_err(|source| PopulateError::Row { object: "Pricebook2".to_owned(), source })?;
        let mut hours = json!({"Name": "Default", "IsActive": true, "IsDefault": true, "TimeZoneSidKey": "GMT"});
        for day in ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] {
            for end in ["Start", "End"] {
                hours[format!("{day}{end}Time")] = json!("00:00:00.000Z");
            }
        }
        self.put("BusinessHours", scenario_id("01m", 0), hours)
    }

    fn currencies(&mut self, scenario: &Scenario) -> Result<(), PopulateError> {
        let Some(spec) = &scenario.currencies else { return Ok(()) };
        for (index, (code, rate)) in spec.all().into_iter().enumerate() {
            let whole = ["CLP", "ISK", "JPY", "KRW", "VND", "XAF", "XOF"].contains(&code.as_str());
            let record = json!({
                "IsoCode": code,
                "ConversionRate": rate,
                "DecimalPlaces": if whole { 0 } else { 2 },
                "IsActive": true,
                "IsCorporate": code == spec.corporate,
            });
            self.put("CurrencyType", scenario_id("01L", index), record)?;
        }
        Ok(())
    }

    /// Persons with names in several scripts; one in ten has a last name alone.
    fn person_accounts(&mut self, number: u64) -> Result<(), PopulateError> {
        for index in 0..number {
            let nth =
                |names: [&'static str; 5], every: u64| names[usize::try_from(index / every % 5).unwrap_or_default()];
            let mut person = json!({
                "LastName": format!("{} {index}", nth(["Öztürk", "Müller", "山田", "O'Neil", "Иванова"], 1)),
                "PersonEmail": format!("person{index}@example.com"),
                "PersonMailingCity": nth(["Köln", "Kyōto", "Cork", "Paris", "Kyiv"], 3),
                "PersonBirthdate": format!("19{:02}-02-28", index % 100),
            });
            if index % 10 != 9 {
                person["FirstName"] = json!(nth(["Ayşe", "Jürgen", "花子", "Seán", "Ольга"], 2));
            }
            self.database
                .insert("Account", &as_record(person), &self.author)
                .map_err(|source| PopulateError::Row { object: "Account".into(), source })?;
        }
        Ok(())
    }
}

fn as_record(value: serde_json::Value) -> Record {
    match value {
        serde_json::Value::Object(record) => record,
        _ => Record::new(),
    }
}
