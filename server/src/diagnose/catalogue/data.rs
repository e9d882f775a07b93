//! Objects, fields and records.

use super::{Entry, entries, places};
use crate::diagnose::finding::{
    Layer::Data,
    Who::{OrgAdmin, Vendor},
};

entries! { ENTRIES:
    OBJECT_READABLE = Entry::ok(Data, "object-readable");
    OBJECT_HIDDEN = Entry::failed(Data, "object-hidden")
        .because("the object exists, and the user may not read it")
        .cured_by(OrgAdmin, "Give the user Read on the object: Setup > Permission Sets > the set > Object Settings > \
                             the object, and assign the set to the user")
        .at(places::PERMISSION_SETS);
    OBJECT_MISSING_OR_HIDDEN = Entry::failed(Data, "object-missing-or-hidden")
        .because("the object does not exist, or the user may not read it: Salesforce gives the same answer for both")
        .cured_by(OrgAdmin, "Check its spelling; if the object exists, give the user Read on it: Setup > Permission \
                             Sets > the set > Object Settings > the object, and assign the set to the user")
        .at(places::PERMISSION_SETS);
    OBJECT_REFUSED = Entry::failed(Data, "object-permission-missing")
        .because("the list of objects is answered and this one is refused, so it is a permission of the user on the \
                  object, and no policy on sessions")
        .cured_by(OrgAdmin, "Give the user Read on the object: Setup > Permission Sets > the set > Object Settings > \
                             the object")
        .at(places::PERMISSION_SETS);
    OBJECT_READ_ONLY_REFUSAL = Entry::failed(Data, "object-access-or-readonly")
        .because("Salesforce gives one code for \"no access\" and \"read-only\". Nothing is written here, so access is \
                  what lacks: to the object, to the record, or to one that it refers to")
        .cured_by(OrgAdmin, "Give the user Read on the object and on those it refers to: Setup > Permission Sets > the \
                             set > Object Settings")
        .at(places::PERMISSION_SETS);
    OBJECT_NOT_QUERYABLE = Entry::failed(Data, "object-not-queryable")
        .because("Salesforce offers no queries on this object")
        .cured_by(Vendor, "Take it out of the mapping; a parent or child object may hold the same");
    NO_RECORDS = Entry::warning(Data, "no-records")
        .because("the object is readable, and the user sees no record of it: the org has none, or none is shared with \
                  the user")
        .cured_by(OrgAdmin, "If the org has some, give the user's permission set \"View All\" on the object, or share \
                             the records with the user")
        .at(places::PERMISSION_SETS);
    ALL_RECORDS = Entry::ok(Data, "all-records-visible");
    SHARED_RECORDS_ONLY = Entry::note(Data, "shared-records-only")
        .because("no permission set of the user has \"View All\" on the object: records that are not shared with the \
                  user are missing, and Salesforce does not tell how many")
        .cured_by(OrgAdmin, "If everything is wanted, give the user's permission set \"View All\" on the object; \
                             nothing is to be done where the org shares all its records anyway")
        .at(places::PERMISSION_SETS);
    FIELDS_READABLE = Entry::ok(Data, "fields-readable");
    FIELD_HIDDEN = Entry::failed(Data, "field-hidden")
        .because("the field exists, and field-level security hides it from the user")
        .cured_by(OrgAdmin, "Give the user Read Access to the field: Setup > Permission Sets > the set > Object \
                             Settings > the object > Field Permissions")
        .at(places::PERMISSION_SETS);
    FIELD_MISSING_OR_HIDDEN = Entry::failed(Data, "field-missing-or-hidden")
        .because("the field does not exist, or field-level security hides it from the user: Salesforce gives the same \
                  answer for both")
        .cured_by(OrgAdmin, "Check its spelling (custom fields end in __c); if the field exists, give the user Read \
                             Access: Setup > Permission Sets > the set > Object Settings > the object > Field \
                             Permissions")
        .at(places::PERMISSION_SETS);
    MAPPING_PROBLEM = Entry::failed(Data, "mapping-does-not-fit")
        .because("the mapping asks for what the object, as the user sees it, does not have")
        .cured_by(Vendor, "Correct the mapping; `orgtide objects describe` shows what the user may read");
    JOB_FAILED = Entry::failed(Data, "bulk-job-failed")
        .because("Salesforce ended a Bulk job without results, or has not ended it in time")
        .cured_by(Vendor, "Import again. If it fails again, narrow the query, or read by REST (--read rest)");
}
