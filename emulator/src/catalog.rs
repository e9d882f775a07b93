//! The objects that every org of this emulator has.
//!
//! They are declared as data, in the form that scenarios use for their own objects.

use serde::Deserialize;

use crate::schema::{ObjectSpec, Schema};

#[derive(Deserialize)]
struct Catalog {
    object: Vec<ObjectSpec>,
}

/// The object of currencies, which orgs with several of them have.
///
/// # Panics
/// Never: the built-in declaration is tested.
pub(crate) fn currency_type() -> ObjectSpec {
    toml::from_str(include_str!("catalog_currency.toml")).expect("the built-in declaration is valid TOML")
}

/// Fields of types that connectors do not meet in orgs: tap-salesforce gives up an org's discovery at `floatarray`.
pub(crate) const RARE_FIELDS: [(&str, &str); 4] = [
    ("Invoice__c", "Payload__c"),
    ("Invoice__c", "Complex__c"),
    ("Invoice__c", "Vector__c"),
    ("Invoice__c", "Words__c"),
];

/// Account, Contact, User and the others, the objects of Setup and of sales, and the custom object `Invoice__c` with a field of every type.
///
/// # Panics
/// Never: the built-in declarations are tested.
#[must_use]
pub fn standard() -> Schema {
    let mut schema = Schema::default();
    let catalogues =
        [include_str!("catalog.toml"), include_str!("catalog_system.toml"), include_str!("catalog_sales.toml")];
    for text in catalogues {
        let catalog: Catalog = toml::from_str(text).expect("the built-in catalogue is valid TOML");
        for object in &catalog.object {
            schema.declare(object).expect("the built-in catalogue is consistent");
        }
    }
    schema
}
