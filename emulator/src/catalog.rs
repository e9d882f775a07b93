//! The objects that every org of this emulator has.
//!
//! They are declared as data, in the form that scenarios use for their own objects.

use serde::Deserialize;

use crate::schema::{ObjectSpec, Schema};

#[derive(Deserialize)]
struct Catalog {
    object: Vec<ObjectSpec>,
}

/// Account, Contact, User and the others, and the custom object `Invoice__c` with a field of every type.
///
/// # Panics
/// Never: the built-in declarations are tested.
#[must_use]
pub fn standard() -> Schema {
    let catalog: Catalog = toml::from_str(include_str!("catalog.toml")).expect("the built-in catalogue is valid TOML");
    let mut schema = Schema::default();
    for object in &catalog.object {
        schema.declare(object).expect("the built-in catalogue is consistent");
    }
    schema
}
