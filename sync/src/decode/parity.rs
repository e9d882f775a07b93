//! The same records over both wires, in any spelling and any chunks, give the same batch.

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Date32Type, Decimal128Type, Int64Type, Time32MillisecondType, TimestampMillisecondType},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use salesforce::{Timestamp, time::civil_from_days};

use super::{CsvDecoder, JsonDecoder};
use crate::{
    batch::{Batch, ReadField},
    table::ColumnType,
};

const FIELDS: [(&str, ColumnType); 11] = [
    ("Id", ColumnType::Text),
    ("Name", ColumnType::Text),
    ("IsActive", ColumnType::Boolean),
    ("Count__c", ColumnType::Integer),
    ("Amount", ColumnType::Decimal),
    ("Birthdate", ColumnType::Date),
    ("Owner.Name", ColumnType::Text),
    ("SystemModstamp", ColumnType::Timestamp),
    ("Opens__c", ColumnType::Time),
    ("Extra__c", ColumnType::Json),
    ("Owner.Manager.Name", ColumnType::Text),
];

fn fields() -> Vec<ReadField> {
    FIELDS.iter().map(|(path, kind)| ReadField { path: (*path).to_owned(), kind: *kind }).collect()
}

#[derive(Debug, Clone)]
struct Record {
    id: String,
    name: Option<String>,
    is_active: Option<bool>,
    count: Option<i64>,
    /// Digits and how many of them follow the point.
    amount: Option<(i64, u32)>,
    birthdate: Option<i32>,
    modstamp: Option<i64>,
    opens: Option<i32>,
    extra: Option<String>,
    owner: Option<Owner>,
    /// Stands in the date column instead of a date.
    garbage: Option<String>,
    spelling: Spelling,
}

#[derive(Debug, Clone)]
struct Owner {
    name: Option<String>,
    manager: Option<Option<String>>,
}

/// Choices that change how a record is written and not what it says.
#[derive(Debug, Clone)]
struct Spelling {
    quotes: bool,
    crlf: bool,
    float_integers: bool,
    scientific: bool,
    escapes: bool,
}

fn text() -> impl Strategy<Value = String> {
    let awkward = select(vec!['"', ',', '\n', '\r', '\\', '\0', '\'', ' ', 'é', '漢', '😀', '\u{7f}', '\u{feff}']);
    vec(prop_oneof![any::<char>(), awkward], 0..12).prop_map(String::from_iter)
}

fn json() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{\"city\":\"Köln\",\"geo\":null}".to_owned()),
        Just("[1.50,2]".to_owned()),
        Just("7".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let spelling = any::<[bool; 5]>().prop_map(|[quotes, crlf, float_integers, scientific, escapes]| Spelling {
        quotes,
        crlf,
        float_integers,
        scientific,
        escapes,
    });
    let owner =
        (option::of(text()), option::of(option::of(text()))).prop_map(|(name, manager)| Owner { name, manager });
    (
        ("[a-zA-Z0-9]{18}", option::of(text()), any::<Option<bool>>(), any::<Option<i64>>()),
        (option::of((any::<i64>(), 0..19u32)), option::of(-98_615..741_000i32)),
        (option::of(-8_520_336_000_000..64_060_588_800_000i64), option::of(0..86_400_000i32), option::of(json())),
        (option::of(owner), option::weighted(0.1, "[a-z<>]{1,9}"), spelling),
    )
        .prop_map(|((id, name, is_active, count), (amount, birthdate), (modstamp, opens, extra), rest)| {
            let (owner, garbage, spelling) = rest;
            Record { id, name, is_active, count, amount, birthdate, modstamp, opens, extra, owner, garbage, spelling }
        })
}

fn date_text(days: i32) -> String {
    let (year, month, day) = civil_from_days(i64::from(days));
    format!("{year:04}-{month:02}-{day:02}")
}

fn clock_text(millis: i32) -> String {
    let seconds = millis / 1000;
    format!("{:02}:{:02}:{:02}.{:03}Z", seconds / 3600, seconds / 60 % 60, seconds % 60, millis % 1000)
}

fn plain_decimal((digits, scale): (i64, u32)) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", digits.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = text.split_at(text.len() - scale as usize);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

impl Record {
    fn decimal_text(&self, amount: (i64, u32)) -> String {
        if self.spelling.scientific { format!("{}E-{}", amount.0, amount.1) } else { plain_decimal(amount) }
    }

    fn integer_text(&self, count: i64) -> String {
        if self.spelling.float_integers { format!("{count}.0") } else { count.to_string() }
    }

    fn manager_name(&self) -> Option<String> {
        self.owner.as_ref()?.manager.clone()?
    }

    fn csv_values(&self) -> [Option<String>; 11] {
        [
            Some(self.id.clone()),
            self.name.clone(),
            self.is_active.map(|value| value.to_string()),
            self.count.map(|value| self.integer_text(value)),
            self.amount.map(|value| self.decimal_text(value)),
            self.garbage.clone().or(self.birthdate.map(date_text)),
            self.owner.as_ref().and_then(|owner| owner.name.clone()),
            self.modstamp.map(|value| Timestamp(value).to_string()),
            self.opens.map(clock_text),
            self.extra.clone(),
            self.manager_name(),
        ]
    }

    fn csv(&self) -> String {
        let values = self.csv_values().map(|value| match value.unwrap_or_default() {
            text if text.is_empty() => text,
            text if !self.spelling.quotes && !text.contains(['"', ',', '\n', '\r']) => text,
            text => format!("\"{}\"", text.replace('"', "\"\"")),
        });
        values.join(",") + if self.spelling.crlf { "\r\n" } else { "\n" }
    }

    fn json_string(&self, text: &str) -> String {
        if !self.spelling.escapes {
            return serde_json::to_string(text).unwrap();
        }
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{units}\"")
    }

    fn json(&self) -> String {
        let string = |text: Option<String>| text.map_or("null".to_owned(), |text| self.json_string(&text));
        let bare = |text: Option<String>| text.unwrap_or("null".to_owned());
        let owner = self.owner.as_ref().map_or("null".to_owned(), |owner| {
            let manager = owner.manager.as_ref().map_or("null".to_owned(), |name| {
                format!("{{\"attributes\":{{\"type\":\"User\",\"url\":\"/x\"}},\"Name\":{}}}", string(name.clone()))
            });
            format!(
                "{{\"attributes\":{{\"type\":\"User\"}},\"Name\":{},\"Manager\":{manager}}}",
                string(owner.name.clone())
            )
        });
        format!(
            "{{\"attributes\":{{\"type\":\"Account\",\"url\":\"/y\"}},\"Id\":{},\"Name\":{},\"IsActive\":{},\
             \"Count__c\":{},\"Amount\":{},\"Birthdate\":{},\"Owner\":{owner},\"SystemModstamp\":{},\"Opens__c\":{},\
             \"Extra__c\":{}}}",
            self.json_string(&self.id),
            string(self.name.clone()),
            bare(self.is_active.map(|value| value.to_string())),
            bare(self.count.map(|value| self.integer_text(value))),
            bare(self.amount.map(|value| self.decimal_text(value))),
            string(self.garbage.clone().or(self.birthdate.map(date_text))),
            string(self.modstamp.map(|value| Timestamp(value).to_string().replace('Z', "+0000"))),
            string(self.opens.map(clock_text)),
            bare(self.extra.clone()),
        )
    }
}

fn from_csv(records: &[Record], chunks: &[usize]) -> Option<Batch> {
    let header: Vec<String> = FIELDS.iter().map(|(path, _)| format!("\"{path}\"")).collect();
    let body = header.join(",") + "\n" + &records.iter().map(Record::csv).collect::<String>();
    let mut decoder = CsvDecoder::new(&fields(), 0);
    let mut rest = body.as_bytes();
    let mut sizes = chunks.iter().cycle();
    decoder.start_page();
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
        decoder.push(chunk, &mut |_| panic!("a few rows fill no batch")).unwrap();
        rest = later;
    }
    assert_eq!(decoder.finish_page(&mut |_| panic!("a few rows fill no batch")).unwrap(), records.len() as u64);
    decoder.flush()
}

fn from_json(records: &[Record]) -> Option<Batch> {
    let records: Vec<String> = records.iter().map(Record::json).collect();
    let page = format!("{{\"totalSize\":9,\"done\":true,\"records\":[{}]}}", records.join(","));
    let mut decoder = JsonDecoder::new(&fields(), 0);
    decoder.push_page(page.as_bytes(), &mut |_| panic!("a few rows fill no batch")).unwrap();
    decoder.flush()
}

fn texts(batch: &RecordBatch, column: usize) -> Vec<Option<String>> {
    batch.column(column).as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

/// Bulk cannot tell the empty text from null.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn assert_values(batch: &RecordBatch, records: &[Record]) {
    let column = |of: fn(&Record) -> Option<String>| -> Vec<Option<String>> {
        records.iter().map(|record| filled(of(record))).collect()
    };
    assert_eq!(texts(batch, 0), column(|record| Some(record.id.clone())));
    assert_eq!(texts(batch, 1), column(|record| record.name.clone()));
    assert_eq!(texts(batch, 6), column(|record| record.owner.as_ref().and_then(|owner| owner.name.clone())));
    assert_eq!(texts(batch, 9), column(|record| record.extra.clone()));
    assert_eq!(texts(batch, 10), column(Record::manager_name));
    for (row, record) in records.iter().enumerate() {
        let set = |column: usize| batch.column(column).is_valid(row);
        assert_eq!(set(2).then(|| batch.column(2).as_boolean().value(row)), record.is_active);
        assert_eq!(set(3).then(|| batch.column(3).as_primitive::<Int64Type>().value(row)), record.count);
        let exact = record.amount.map(|(digits, scale)| i128::from(digits) * 10i128.pow(18 - scale));
        assert_eq!(set(4).then(|| batch.column(4).as_primitive::<Decimal128Type>().value(row)), exact);
        let date = record.birthdate.filter(|_| record.garbage.is_none());
        assert_eq!(set(5).then(|| batch.column(5).as_primitive::<Date32Type>().value(row)), date);
        let stamps = batch.column(7).as_primitive::<TimestampMillisecondType>();
        assert_eq!(set(7).then(|| stamps.value(row)), record.modstamp);
        let times = batch.column(8).as_primitive::<Time32MillisecondType>();
        assert_eq!(set(8).then(|| times.value(row)), record.opens);
    }
}

proptest! {
    // Pitfall 46.
    #[test]
    fn the_same_records_over_bulk_and_rest_give_the_same_batch_value_for_value(
        records in vec(record(), 1..8),
        chunks in vec(1..40usize, 1..10),
    ) {
        let csv = from_csv(&records, &chunks).unwrap();
        let json = from_json(&records).unwrap();
        prop_assert_eq!(&csv.records, &json.records);
        prop_assert_eq!(&csv.misfits, &json.misfits);
        assert_values(&csv.records, &records);
        let garbage: Vec<&String> = records.iter().filter_map(|record| record.garbage.as_ref()).collect();
        prop_assert_eq!(csv.misfits.iter().map(|misfit| &misfit.raw).collect::<Vec<_>>(), garbage);
    }

    #[test]
    fn no_page_makes_a_decoder_panic(body in vec(select(b"\"\",,\n\r\\{}[]:Id1e.\xC3\xA9\x00".to_vec()), 0..60), chunk in 1..9usize) {
        let fields = [
            ReadField { path: "Id".to_owned(), kind: ColumnType::Text },
            ReadField { path: "e".to_owned(), kind: ColumnType::Decimal },
        ];
        let mut csv = CsvDecoder::new(&fields, 0);
        csv.start_page();
        let page = [b"Id,e\n".as_slice(), &body].concat();
        let read = page.chunks(chunk).try_for_each(|part| csv.push(part, &mut |_| ()));
        let _ = read.and_then(|()| csv.finish_page(&mut |_| ()).map(drop));
        let rows = csv.flush().map_or(0, |batch| batch.records.num_rows());
        prop_assert!(rows <= body.len());
        let mut json = JsonDecoder::new(&fields, 0);
        let _ = json.push_page(&body, &mut |_| ());
        let _ = json.flush();
    }
}
