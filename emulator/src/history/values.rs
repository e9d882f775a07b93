//! Random values for fields.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::random::Random;
use crate::schema::{Field, FieldType};
use crate::value::{Date, TimeOfDay, Timestamp};

const TEXTS: [&str; 10] = [
    "plain",
    "Grüße, Köln",
    "東京都",
    "a \"quoted\" word",
    "one\ntwo",
    "O'Neil; Söhne",
    "مرحبا",
    "tab\there",
    "null",
    "😀 ok",
];

/// Whether a history writes the field by itself. References are chosen among rows, and unique texts would collide.
pub(super) fn is_open(field: &Field) -> bool {
    let compound = field.kind.is_compound();
    field.createable && field.updateable && !field.unique && !compound && field.kind != FieldType::Reference
}

/// A value of the field's type; `None` where a text can say nothing of it.
pub(super) fn of(field: &Field, random: &mut Random) -> Option<Value> {
    Some(match field.kind {
        FieldType::Boolean => json!(random.once_in(2)),
        FieldType::Int => json!(random.below(10_000)),
        // As a text, so that no digit is lost on the way.
        FieldType::Long => json!((random.next() >> 8).to_string()),
        FieldType::Double | FieldType::Currency | FieldType::Percent => json!(decimal(field, random)),
        FieldType::Date => json!(written(|out| day(random).write(out))),
        FieldType::DateTime => {
            let time = Timestamp(day(random).start().0 + 1000 * random.below(86_400) as i64);
            json!(written(|out| time.write_rest(out)))
        }
        FieldType::Time => json!(written(|out| TimeOfDay(1000 * random.below(86_400) as u32).write(out))),
        FieldType::Email => json!(format!("p{}@example.com", random.below(100_000))),
        FieldType::Phone => json!(format!("+49 221 {}", random.below(10_000_000))),
        FieldType::Url => json!(format!("https://example.com/{}", random.below(10_000))),
        FieldType::Picklist | FieldType::MultiPicklist | FieldType::ComboBox if !field.picklist.is_empty() => {
            json!(random.pick(&field.picklist)?.value)
        }
        FieldType::Base64 => json!(base64::engine::general_purpose::STANDARD.encode(random.next().to_be_bytes())),
        FieldType::Json | FieldType::ComplexValue => json!({"n": random.below(1000)}),
        FieldType::FloatArray => json!([random.below(1000), 0.5]),
        FieldType::TextArray => json!([random.pick(&TEXTS)?]),
        FieldType::Id | FieldType::Reference | FieldType::Address | FieldType::Location => return None,
        FieldType::String
        | FieldType::TextArea
        | FieldType::Picklist
        | FieldType::MultiPicklist
        | FieldType::ComboBox
        | FieldType::EncryptedString
        | FieldType::DataCategoryGroupReference
        | FieldType::AnyType => json!(text(field, random)),
    })
}

fn text(field: &Field, random: &mut Random) -> String {
    let text = format!("{} {}", random.below(1_000_000), random.pick(&TEXTS).copied().unwrap_or_default());
    text.chars().take(field.length as usize).collect::<String>().trim_end().to_owned()
}

fn decimal(field: &Field, random: &mut Random) -> String {
    let whole = 10_u64.pow(u32::from(field.precision.saturating_sub(field.scale).min(9)));
    let number = random.below(whole);
    if field.scale == 0 {
        return number.to_string();
    }
    let scale = usize::from(field.scale.min(6));
    let part = random.below(10_u64.pow(scale as u32));
    format!("{number}.{part:0scale$}")
}

/// Between 1970 and 2052.
fn day(random: &mut Random) -> Date {
    Date(random.below(30_000) as i32)
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("dates and times are ASCII")
}
