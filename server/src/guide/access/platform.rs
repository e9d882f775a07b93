//! What holds for standard objects and fields in every org, for when no describe tells.
//!
//! Sources: Object reference ("ObjectPermissions", "FieldPermissions" and the pages of the objects); messages of
//! deployments that people showed in public ("Permission Read … depends on permission(s): Read …"). Where the tables are
//! silent, an object has permissions and a field has field-level security, as most do.

/// Which permission decides whether an object is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Governed {
    Itself,
    /// Reading this other object.
    By(String),
    /// Every user reads it.
    Everybody,
    /// The user permission Access Activities.
    Activities,
}

const OPEN: [&str; 12] = [
    "BusinessHours",
    "CaseStatus",
    "Group",
    "GroupMember",
    "Holiday",
    "OpportunityStage",
    "Organization",
    "PermissionSet",
    "Profile",
    "RecordType",
    "User",
    "UserRole",
];

const GOVERNED: [(&str, &str); 7] = [
    ("AccountContactRole", "Account"),
    ("AccountTeamMember", "Account"),
    ("CampaignMember", "Campaign"),
    ("CaseComment", "Case"),
    ("OpportunityContactRole", "Opportunity"),
    ("OpportunityLineItem", "Opportunity"),
    ("OpportunityTeamMember", "Opportunity"),
];

/// Endings of objects that are kept about another one, standard and custom.
const SIDE_OBJECTS: [&str; 3] = ["History", "Feed", "Share"];

/// Objects that cannot be read unless these can.
const NEEDS: [(&str, &[&str]); 4] =
    [("Asset", &["Account"]), ("Contact", &["Account"]), ("Contract", &["Account"]), ("Opportunity", &["Account"])];

/// Fields of many objects that have no field-level security: system fields, names and their parts.
const WITHOUT_SECURITY: [&str; 22] = [
    "Id",
    "CaseNumber",
    "CreatedById",
    "CreatedDate",
    "FirstName",
    "IsDeleted",
    "LastActivityDate",
    "LastModifiedById",
    "LastModifiedDate",
    "LastName",
    "LastReferencedDate",
    "LastViewedDate",
    "MasterRecordId",
    "MiddleName",
    "Name",
    "OrderNumber",
    "OwnerId",
    "RecordTypeId",
    "Salutation",
    "Suffix",
    "SystemModstamp",
    "CurrencyIsoCode",
];

/// Fields that one object requires or computes.
const REQUIRED: [(&str, &[&str]); 6] = [
    ("Case", &["IsClosed", "Status"]),
    ("Contract", &["AccountId", "ContractNumber", "Status"]),
    ("Event", &["ActivityDateTime", "DurationInMinutes", "EndDateTime", "StartDateTime"]),
    ("Lead", &["Company", "IsConverted", "Status"]),
    ("Opportunity", &["CloseDate", "ForecastCategory", "IsClosed", "IsWon", "StageName"]),
    ("Order", &["AccountId", "EffectiveDate", "Status"]),
];

/// Endings of the parts of an address or a location.
const ADDRESS_PARTS: [&str; 10] = [
    "StateCode",
    "CountryCode",
    "PostalCode",
    "GeocodeAccuracy",
    "Street",
    "City",
    "State",
    "Country",
    "Latitude",
    "Longitude",
];

/// Addresses of standard objects, without their ending `Address`.
const ADDRESSES: [&str; 7] = ["Billing", "Shipping", "Mailing", "Other", "", "Person", "PersonMailing"];

pub(super) fn governed(object: &str) -> Governed {
    if matches!(object, "Task" | "Event") {
        return Governed::Activities;
    }
    if OPEN.contains(&object) {
        return Governed::Everybody;
    }
    if let Some((_, parent)) = GOVERNED.iter().find(|(own, _)| *own == object) {
        return Governed::By((*parent).to_owned());
    }
    let stem = SIDE_OBJECTS.iter().find_map(|ending| object.strip_suffix(ending)).filter(|stem| !stem.is_empty());
    match stem {
        // `Invoice__History` is about `Invoice__c`.
        Some(stem) if stem.ends_with("__") => Governed::By(format!("{stem}c")),
        Some(stem) if !object.ends_with("__c") => Governed::By(stem.to_owned()),
        _ => Governed::Itself,
    }
}

/// Objects that have to be readable for `object` to be.
pub(super) fn needs(object: &str) -> &'static [&'static str] {
    NEEDS.iter().find(|(own, _)| *own == object).map_or(&[], |(_, parents)| parents)
}

/// Where a standard relationship leads.
pub(super) fn parent(object: &str, relationship: &str) -> Option<String> {
    const NAMED_AS_THEIR_OBJECT: [&str; 10] = [
        "Account",
        "Asset",
        "Campaign",
        "Case",
        "Contact",
        "Contract",
        "Opportunity",
        "Pricebook2",
        "Product2",
        "RecordType",
    ];
    let parent = match relationship {
        "Owner" | "CreatedBy" | "LastModifiedBy" | "Manager" => "User",
        "Parent" | "ReportsTo" | "MasterRecord" => object,
        name if NAMED_AS_THEIR_OBJECT.contains(&name) => name,
        _ => return None,
    };
    Some(parent.to_owned())
}

/// The name under which a permission set lists a field; `None` when it has no field-level security.
pub(super) fn listed_as(object: &str, field: &str) -> Option<String> {
    let custom = field.ends_with("__c");
    if let Some(part) = field.strip_suffix("__s") {
        return part.rsplit_once("__").map(|(whole, _)| format!("{whole}__c"));
    }
    let required = REQUIRED.iter().any(|(own, fields)| *own == object && fields.contains(&field));
    let open = !custom && (governed(object) == Governed::Everybody || WITHOUT_SECURITY.contains(&field));
    if required || open {
        return None;
    }
    let part = ADDRESS_PARTS.iter().find_map(|part| field.strip_suffix(part));
    match part.filter(|stem| !custom && ADDRESSES.contains(stem)) {
        Some(stem) => Some(format!("{stem}Address")),
        None => Some(field.to_owned()),
    }
}
