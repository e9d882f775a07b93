//! How each field of a generated row comes about. Chosen once per object, by the field's part and type.

use super::targets::Target;
use super::words;
use crate::schema::{Field, FieldIndex, FieldType, Object, Source, contact_field};

/// How a field's values are computed.
#[derive(Clone, Debug)]
pub(super) enum Recipe {
    Id,
    IsDeleted,
    Archived,
    Created,
    Modified,
    Stamp,
    Reference {
        target: Target,
        nulls: Nulls,
    },
    FirstName,
    LastName,
    Company,
    Deal,
    Email {
        nulls: Nulls,
    },
    Phone {
        nulls: Nulls,
    },
    Place {
        part: PlacePart,
        salt: u64,
    },
    Pick {
        values: Vec<Box<str>>,
        nulls: Nulls,
    },
    Phrase {
        length: u32,
        nulls: Nulls,
    },
    Paragraph {
        length: u32,
        nulls: Nulls,
    },
    Static {
        values: &'static [&'static str],
        nulls: Nulls,
    },
    RawJson {
        values: &'static [&'static str],
        nulls: Nulls,
    },
    Blob,
    /// A text that no other row has.
    Numbered {
        head: String,
        width: usize,
        tail: String,
    },
    Bool,
    False,
    Int,
    Long {
        nulls: Nulls,
    },
    Decimal {
        precision: u8,
        scale: u8,
        nulls: Nulls,
    },
    Coordinate {
        limit: i64,
        salt: u64,
    },
    Birthdate,
    Date {
        nulls: Nulls,
    },
    DateTime {
        nulls: Nulls,
    },
    Time {
        nulls: Nulls,
    },
    Any,
    /// Another recipe's values as a field of another type holds them.
    Retyped {
        was: Box<Recipe>,
        field: Box<Field>,
    },
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlacePart {
    Street,
    City,
    State,
    PostalCode,
    Country,
}

/// How often a value is missing, in 64ths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nulls(pub u64);

/// The recipe of a field.
pub(super) fn of(object: &Object, index: FieldIndex, field: &Field, target: Target) -> Recipe {
    of_business(object, field)
        .or_else(|| of_open_lead(object, field))
        .or_else(|| by_source(field))
        .or_else(|| by_name(object, field))
        .unwrap_or_else(|| by_type(object, index, field, target))
}

/// Generated leads are still to be converted.
fn of_open_lead(object: &Object, field: &Field) -> Option<Recipe> {
    match field.name.as_str() {
        _ if object.name != "Lead" => None,
        "IsConverted" => Some(Recipe::False),
        name if name.starts_with("Converted") => Some(Recipe::Null),
        _ => None,
    }
}

/// Generated accounts are businesses, and generated contacts are theirs: what makes persons of them is empty.
fn of_business(object: &Object, field: &Field) -> Option<Recipe> {
    let is_personal = match object.name.as_str() {
        "Account" => field.name == "PersonContactId" || field.name != "Name" && contact_field(field).is_some(),
        "Contact" => false,
        _ => return None,
    };
    let is_flag = field.name == "IsPersonAccount";
    match field.kind {
        FieldType::Boolean if is_personal || is_flag => Some(Recipe::False),
        _ if is_personal => Some(Recipe::Null),
        _ => None,
    }
}

fn by_source(field: &Field) -> Option<Recipe> {
    match &field.source {
        Source::Stored => None,
        Source::AutoNumber(format) => {
            let (head, rest) = format.split_once('{').unwrap_or((format, ""));
            let (zeros, tail) = rest.split_once('}').unwrap_or((rest, ""));
            Some(Recipe::Numbered { head: head.to_owned(), width: zeros.len(), tail: tail.to_owned() })
        }
        Source::PersonName | Source::Compound | Source::Formula(_) => Some(Recipe::Null),
    }
}

fn by_name(object: &Object, field: &Field) -> Option<Recipe> {
    Some(match field.name.as_str() {
        "Id" => Recipe::Id,
        "IsDeleted" => Recipe::IsDeleted,
        "CreatedDate" => Recipe::Created,
        "IsArchived" => Recipe::Archived,
        "LoginTime" => Recipe::Created,
        "LastModifiedDate" => Recipe::Modified,
        "SystemModstamp" => Recipe::Stamp,
        "FirstName" => Recipe::FirstName,
        "LastName" => Recipe::LastName,
        "CurrencyIsoCode" => Recipe::Pick { values: choices(field), nulls: Nulls(0) },
        "Company" => Recipe::Company,
        "Name" if object.name == "Opportunity" => Recipe::Deal,
        "Name" if object.name != "Contact" => Recipe::Company,
        "Username" => Recipe::Email { nulls: Nulls(0) },
        "TimeZoneSidKey" => Recipe::Static { values: words::TIME_ZONES, nulls: Nulls(0) },
        "Birthdate" => Recipe::Birthdate,
        "Description" => Recipe::Paragraph { length: field.length, nulls: Nulls(25) },
        "MasterRecordId" | "LastViewedDate" | "LastReferencedDate" | "EmailBouncedReason" | "EmailBouncedDate" => {
            Recipe::Null
        }
        _ => return None,
    })
}

fn by_type(object: &Object, index: FieldIndex, field: &Field, target: Target) -> Recipe {
    let nulls = if field.nillable { Nulls(8) } else { Nulls(0) };
    let salt = salt(object, field, index);
    if let Some(recipe) = place(field, salt) {
        return recipe;
    }
    let picked = |nulls| Recipe::Pick { values: choices(field), nulls };
    match field.kind {
        FieldType::Id => Recipe::Id,
        FieldType::Reference => Recipe::Reference { target, nulls },
        FieldType::Boolean => Recipe::Bool,
        FieldType::Int => Recipe::Int,
        FieldType::Long => Recipe::Long { nulls },
        FieldType::Double | FieldType::Currency | FieldType::Percent => {
            Recipe::Decimal { precision: field.precision, scale: field.scale, nulls }
        }
        FieldType::Date => Recipe::Date { nulls },
        FieldType::DateTime => Recipe::DateTime { nulls },
        FieldType::Time => Recipe::Time { nulls },
        FieldType::Email => Recipe::Email { nulls },
        FieldType::Phone => Recipe::Phone { nulls },
        FieldType::Url => Recipe::Static { values: words::URLS, nulls },
        FieldType::Base64 => Recipe::Blob,
        FieldType::Json | FieldType::ComplexValue => Recipe::RawJson { values: words::JSON, nulls },
        FieldType::FloatArray => Recipe::RawJson { values: words::FLOATS, nulls },
        FieldType::TextArray => Recipe::RawJson { values: words::TEXTS, nulls },
        FieldType::AnyType => Recipe::Any,
        FieldType::TextArea if field.html => Recipe::Static { values: words::RICH, nulls },
        FieldType::TextArea => Recipe::Paragraph { length: field.length, nulls: Nulls(56) },
        FieldType::Address | FieldType::Location => Recipe::Null,
        _ if field.unique || field.external_id => {
            Recipe::Numbered { head: format!("{}-", field.name.trim_end_matches("__c")), width: 8, tail: String::new() }
        }
        _ if !field.picklist.is_empty() => picked(nulls),
        _ => Recipe::Phrase { length: field.length, nulls },
    }
}

/// Parts of one compound share a salt, so that a city lies in its country.
fn salt(object: &Object, field: &Field, index: FieldIndex) -> u64 {
    let compound = field.compound.as_deref().and_then(|name| object.find(name)).map(|(index, _)| index);
    compound.unwrap_or(index) as u64 + 1
}

fn place(field: &Field, salt: u64) -> Option<Recipe> {
    field.compound.as_ref()?;
    let stem = field.name.strip_suffix("__s").unwrap_or(&field.name);
    let ends = |suffix: &str| stem.ends_with(suffix);
    let part = match () {
        () if ends("Latitude") => return Some(Recipe::Coordinate { limit: 90, salt }),
        () if ends("Longitude") => return Some(Recipe::Coordinate { limit: 180, salt }),
        () if ends("Street") => PlacePart::Street,
        () if ends("City") => PlacePart::City,
        () if ends("State") => PlacePart::State,
        () if ends("PostalCode") => PlacePart::PostalCode,
        () if ends("Country") => PlacePart::Country,
        () if ends("CountryCode") => {
            return Some(Recipe::Static { values: &["DE", "FR", "GB", "JP", "US"], nulls: Nulls(4) });
        }
        () if ends("StateCode") => return Some(Recipe::Static { values: &["CA", "NY", "TX"], nulls: Nulls(32) }),
        () => return None,
    };
    Some(Recipe::Place { part, salt })
}

/// A picklist's values; of a multi-select one, also some combinations.
fn choices(field: &Field) -> Vec<Box<str>> {
    let active = field.picklist.iter().filter(|entry| entry.active);
    let single: Vec<Box<str>> = active.map(|entry| entry.value.as_str().into()).collect();
    if field.kind != FieldType::MultiPicklist {
        return single;
    }
    let pairs = single.windows(2).map(|pair| pair.join(";").into());
    let all = std::iter::once(single.join(";").into());
    single.iter().cloned().chain(pairs).chain(all).collect()
}
