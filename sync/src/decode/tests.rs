use arrow_array::{Array, RecordBatch, cast::AsArray, types::Int64Type};

use super::{CsvDecoder, DecodeError, JsonDecoder, MISFIT_BYTES, PageEnvelope};
use crate::{
    Recovery,
    batch::{BATCH_BYTES, Batch, Misfit, ReadField},
    table::ColumnType,
};

fn fields(list: &[(&str, ColumnType)]) -> Vec<ReadField> {
    list.iter().map(|(path, kind)| ReadField { path: (*path).to_owned(), kind: *kind }).collect()
}

fn id_and(path: &str, kind: ColumnType) -> Vec<ReadField> {
    fields(&[("Id", ColumnType::Text), (path, kind)])
}

fn try_csv(fields: &[ReadField], chunks: &[&[u8]]) -> Result<(u64, Option<Batch>), DecodeError> {
    let mut decoder = CsvDecoder::new(fields, 0);
    decoder.start_page();
    for chunk in chunks {
        decoder.push(chunk, &mut |_| panic!("small pages fill no batch"))?;
    }
    let rows = decoder.finish_page(&mut |_| panic!("small pages fill no batch"))?;
    Ok((rows, decoder.flush()))
}

fn csv(fields: &[ReadField], body: &[u8]) -> Batch {
    try_csv(fields, &[body]).unwrap().1.unwrap()
}

fn try_json(fields: &[ReadField], page: &[u8]) -> Result<(PageEnvelope, Option<Batch>), DecodeError> {
    let mut decoder = JsonDecoder::new(fields, 0);
    let envelope = decoder.push_page(page, &mut |_| panic!("small pages fill no batch"))?;
    Ok((envelope, decoder.flush()))
}

fn json(fields: &[ReadField], records: &str) -> Batch {
    let page = format!("{{\"totalSize\":1,\"done\":true,\"records\":[{records}]}}");
    try_json(fields, page.as_bytes()).unwrap().1.unwrap()
}

fn texts(records: &RecordBatch, column: usize) -> Vec<Option<&str>> {
    records.column(column).as_string::<i32>().iter().collect()
}

fn integers(records: &RecordBatch, column: usize) -> Vec<Option<i64>> {
    records.column(column).as_primitive::<Int64Type>().iter().collect()
}

// Pitfall 5.
#[test]
fn nul_bytes_inside_bulk_csv_are_part_of_the_text() {
    let batch = csv(&id_and("Name", ColumnType::Text), b"\"Id\",\"Name\"\n\"1\",\"a\0b\"\n\"2\",\"\0\"\n");
    assert_eq!(texts(&batch.records, 1), [Some("a\0b"), Some("\0")]);
    assert!(batch.misfits.is_empty());
}

// Pitfalls 7, 35.
#[test]
fn a_page_may_be_split_anywhere_even_inside_a_character_a_quote_or_a_line_end() {
    let body = "\u{feff}\"Id\",\"Name\"\r\n\"1\",\"é \"\"漢\"\" 😀\r\n,\"\r\n2,bare\r\n\"3\",\r\n\"4\",\"\"\"\"\r\n";
    let expected = [Some("é \"漢\" 😀\r\n,"), Some("bare"), None, Some("\"")];
    for first in 0..body.len() {
        for second in first..body.len() {
            let (start, middle, end) =
                (&body.as_bytes()[..first], &body.as_bytes()[first..second], &body.as_bytes()[second..]);
            let (rows, batch) = try_csv(&id_and("Name", ColumnType::Text), &[start, middle, end]).unwrap();
            assert_eq!(rows, 4, "split at {first} and {second}");
            assert_eq!(texts(&batch.unwrap().records, 1), expected, "split at {first} and {second}");
        }
    }
}

// Pitfall 13.
#[test]
fn a_text_far_longer_than_128_kb_is_read_whole_in_any_chunks() {
    let long = "long \"\"text\"\"\n".repeat(100_000);
    let body = format!("\"Id\",\"Name\"\n\"1\",\"{long}\"\n");
    let chunks: Vec<&[u8]> = body.as_bytes().chunks(16_384).collect();
    let (_, batch) = try_csv(&id_and("Name", ColumnType::Text), &chunks).unwrap();
    assert_eq!(texts(&batch.unwrap().records, 1), [Some(long.replace("\"\"", "\"").as_str())]);
}

// Pitfall 14.
#[test]
fn integers_written_as_floats_stay_integers_and_halves_become_misfits() {
    let fields = id_and("Count__c", ColumnType::Integer);
    let body = b"Id,Count__c\n1,\"0.0\"\n2,\"9.0E2\"\n3,\"9007199254740993\"\n4,\"3.5\"\n5,\n";
    let batch = csv(&fields, body);
    assert_eq!(integers(&batch.records, 1), [Some(0), Some(900), Some(9_007_199_254_740_993), None, None]);
    let misfit = Misfit { id: "4".to_owned(), field: "Count__c".to_owned(), raw: "3.5".to_owned() };
    assert_eq!(batch.misfits, std::slice::from_ref(&misfit));
    let over_rest = json(&fields, r#"{"Id":"3","Count__c":9007199254740993},{"Id":"4","Count__c":3.5}"#);
    assert_eq!(integers(&over_rest.records, 1), [Some(9_007_199_254_740_993), None]);
    assert_eq!(over_rest.misfits, [misfit]);
}

// Pitfall 15.
#[test]
fn nan_and_infinity_in_a_decimal_column_cost_the_cell_and_not_the_row() {
    let batch = csv(&id_and("Amount", ColumnType::Decimal), b"Id,Amount\n1,\"NaN\"\n2,\"-Infinity\"\n3,\"1.5\"\n");
    assert_eq!(batch.records.num_rows(), 3);
    assert_eq!(batch.records.column(1).null_count(), 2);
    let raw: Vec<&str> = batch.misfits.iter().map(|misfit| misfit.raw.as_str()).collect();
    assert_eq!(raw, ["NaN", "-Infinity"]);
}

#[test]
fn words_that_look_like_nothing_are_text() {
    let batch = csv(&id_and("Name", ColumnType::Text), b"Id,Name\n1,\"N/A\"\n2,\"null\"\n3,null\n4,\"\"\n");
    assert_eq!(texts(&batch.records, 1), [Some("N/A"), Some("null"), Some("null"), None]);
    let over_rest = json(&id_and("Name", ColumnType::Text), r#"{"Id":"2","Name":"null"},{"Id":"4","Name":null}"#);
    assert_eq!(texts(&over_rest.records, 1), [Some("null"), None]);
}

// Pitfall 6.
#[test]
fn bytes_that_are_no_utf8_are_replaced_and_reported_over_both_wires() {
    let fields = id_and("Name", ColumnType::Text);
    let batch = csv(&fields, b"Id,Name\n1,\"caf\xE9\"\n2,\"caf\xC3\"\n3,\"\xA9 ok\"\n4,fine\n");
    assert_eq!(texts(&batch.records, 1), [Some("caf\u{fffd}"), Some("caf\u{fffd}"), Some("\u{fffd} ok"), Some("fine")]);
    let ids: Vec<&str> = batch.misfits.iter().map(|misfit| misfit.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    let page = b"{\"totalSize\":2,\"done\":true,\"records\":[{\"Id\":\"1\",\"Name\":\"caf\xE9\"},{\"Id\":\"4\",\"Name\":\"fine\"}]}";
    let over_rest = try_json(&fields, page).unwrap().1.unwrap();
    assert_eq!(texts(&over_rest.records, 1), [Some("caf\u{fffd}"), Some("fine")]);
    assert_eq!(over_rest.misfits, batch.misfits[..1]);
}

#[test]
fn half_a_surrogate_pair_is_replaced_and_reported() {
    let batch =
        json(&id_and("Name", ColumnType::Text), r#"{"Id":"1","Name":"a\ud83db"},{"Id":"2","Name":"\ud83d\ude00"}"#);
    assert_eq!(texts(&batch.records, 1), [Some("a\u{fffd}b"), Some("😀")]);
    assert_eq!(batch.misfits.len(), 1);
}

#[test]
fn a_long_misfit_is_shortened_between_two_characters() {
    let batch = csv(&id_and("Day", ColumnType::Date), format!("Id,Day\n1,\"x{}\"\n", "é".repeat(500)).as_bytes());
    let raw = &batch.misfits[0].raw;
    assert!(raw.len() <= MISFIT_BYTES && raw.ends_with('é'), "{raw}");
}

#[test]
fn columns_are_found_by_name_in_any_order_and_case() {
    let fields = fields(&[("Owner.Name", ColumnType::Text), ("Id", ColumnType::Text)]);
    let mut decoder = CsvDecoder::new(&fields, 1);
    decoder.start_page();
    decoder.push(b"\"ID\",\"owner.name\"\n\"1\",\"Ann\"\n", &mut |_| ()).unwrap();
    decoder.start_page();
    decoder.push(b"\"Owner.Name\",\"Id\"\n\"Bob\",\"2\"\n", &mut |_| ()).unwrap();
    let records = decoder.flush().unwrap().records;
    assert_eq!(texts(&records, 0), [Some("Ann"), Some("Bob")]);
    assert_eq!(texts(&records, 1), [Some("1"), Some("2")]);
}

#[test]
fn a_header_other_than_asked_for_is_refused_by_name() {
    let fields = id_and("Name", ColumnType::Text);
    let refused = |body: &[u8]| try_csv(&fields, &[body]).unwrap_err();
    assert_eq!(refused(b"Id\n1\n"), DecodeError::MissingColumn { field: "Name".to_owned(), header: "Id".to_owned() });
    assert_eq!(refused(b"Id,Nam\n1,2\n"), DecodeError::UnknownColumn { column: "Nam".to_owned() });
    assert_eq!(refused(b"Id,Name,NAME\n1,2,3\n"), DecodeError::RepeatedColumn { column: "NAME".to_owned() });
}

#[test]
fn a_page_without_rows_is_no_error_in_any_of_its_forms() {
    let fields = id_and("Name", ColumnType::Text);
    for body in [
        "",
        "\n",
        "\"Id\",\"Name\"",
        "\"Id\",\"Name\"\r\n",
        "\"Id\",\"Name\"\n\n",
        "Records not found for this query\n",
    ] {
        let (rows, batch) = try_csv(&fields, &[body.as_bytes()]).unwrap();
        assert_eq!((rows, batch.is_none()), (0, true), "{body:?}");
    }
}

#[test]
fn a_last_row_without_a_line_end_counts() {
    for body in
        ["Id,Name\n1,a\n2,b", "Id,Name\n1,a\n\"2\",\"b\"", "Id,Name\n1,a\n2,\"b\"\r", "Id,Name\n\n1,a\r\n2,b\r\n\r\n"]
    {
        let (rows, batch) = try_csv(&id_and("Name", ColumnType::Text), &[body.as_bytes()]).unwrap();
        assert_eq!(rows, 2, "{body:?}");
        assert_eq!(texts(&batch.unwrap().records, 1), [Some("a"), Some("b")], "{body:?}");
    }
}

#[test]
fn a_page_that_ends_inside_a_row_is_read_again() {
    let fields = fields(&[("Id", ColumnType::Text), ("Name", ColumnType::Text), ("City", ColumnType::Text)]);
    for body in [
        "Id,Name,City\n1,a,b\n\"2",
        "Id,Name,City\n1,a,b\n\"2\",",
        "Id,Name,City\n1,a,b\n2,c",
        "Id,Name,City\n1,a,b\n\"2\"",
    ] {
        let error = try_csv(&fields, &[body.as_bytes()]).unwrap_err();
        assert!(matches!(error, DecodeError::Cut { row: 2, .. }), "{body:?}: {error}");
        assert_eq!(error.recovery(), Recovery::Retry { after: None });
    }
}

#[test]
fn a_row_of_another_width_is_an_error_that_names_the_row() {
    let fields = id_and("Name", ColumnType::Text);
    let refused = |body: &str| try_csv(&fields, &[body.as_bytes()]).unwrap_err();
    assert_eq!(refused("Id,Name\n1,a\n2\n"), DecodeError::ColumnCount { row: 2, byte: 12, found: 1, expected: 2 });
    assert_eq!(refused("Id,Name\n1,a,b\n"), DecodeError::ColumnCount { row: 1, byte: 12, found: 3, expected: 2 });
    assert_eq!(
        refused("Id,Name\n1,\"a\"b\n"),
        DecodeError::TextAfterQuote { row: 1, column: "Name".to_owned(), byte: 13 }
    );
}

#[test]
fn a_page_that_was_given_up_leaves_whole_rows_only() {
    let mut decoder = CsvDecoder::new(&id_and("Name", ColumnType::Text), 0);
    decoder.start_page();
    decoder.push(b"Id,Name\n1,a\n\"2\",\"half", &mut |_| ()).unwrap();
    decoder.start_page();
    decoder.push(b"Id,Name\n1,a\n2,whole\n", &mut |_| ()).unwrap();
    assert_eq!(decoder.finish_page(&mut |_| ()).unwrap(), 2);
    assert_eq!(texts(&decoder.flush().unwrap().records, 1), [Some("a"), Some("a"), Some("whole")]);
}

#[test]
fn a_last_row_without_a_line_end_that_fills_a_batch_is_handed_out_with_it() {
    let body = format!("Id,Name\n1,a\n2,{}", "x".repeat(BATCH_BYTES));
    let mut decoder = CsvDecoder::new(&id_and("Name", ColumnType::Text), 0);
    let mut batches = Vec::new();
    decoder.start_page();
    decoder.push(body.as_bytes(), &mut |batch| batches.push(batch)).unwrap();
    assert_eq!(decoder.finish_page(&mut |batch| batches.push(batch)).unwrap(), 2);
    batches.extend(decoder.flush());
    assert_eq!(batches.iter().map(|batch| batch.records.num_rows()).collect::<Vec<_>>(), [2]);
}

#[test]
fn batches_are_cut_by_bytes_and_lose_no_row() {
    let row = format!("\"1\",\"{}\"\n", "x".repeat(99_000));
    let body = "Id,Name\n".to_owned() + &row.repeat(200);
    let mut decoder = CsvDecoder::new(&id_and("Name", ColumnType::Text), 0);
    let mut batches = Vec::new();
    decoder.start_page();
    for chunk in body.as_bytes().chunks(65_536) {
        decoder.push(chunk, &mut |batch| batches.push(batch)).unwrap();
    }
    assert_eq!(decoder.finish_page(&mut |batch| batches.push(batch)).unwrap(), 200);
    batches.extend(decoder.flush());
    let rows: Vec<usize> = batches.iter().map(|batch| batch.records.num_rows()).collect();
    assert_eq!(rows, [85, 85, 30]);
    const { assert!(85 * 99_001 >= BATCH_BYTES && 84 * 99_001 < BATCH_BYTES) };
}

#[test]
fn parents_compounds_and_urls_of_query_pages_become_columns() {
    let fields = fields(&[
        ("Id", ColumnType::Text),
        ("Owner.Name", ColumnType::Text),
        ("Parent.Owner.Name", ColumnType::Text),
        ("BillingAddress", ColumnType::Json),
        ("Body", ColumnType::Text),
        ("Tags__c", ColumnType::Json),
    ]);
    let page = br#"{"totalSize":3214,"done":false,"nextRecordsUrl":"/services/data/v68.0/query/0r8xx50ZnWewYSzAUM-2000",
      "records":[
        {"attributes":{"type":"Account","url":"/services/data/v68.0/sobjects/Account/001"},"Id":"001","Unasked":{"a":[1]},
         "Owner":{"attributes":{"type":"User"},"Name":"A B"},"Parent":null,
         "BillingAddress":{"city":"K\u00f6ln","latitude":null},"Body":"/services/data/v68.0/sobjects/Attachment/00P/Body","Tags__c":[1.50]},
        {"attributes":{"type":"Account"},"Id":"002","Owner":null,"Parent":{"Owner":{"Name":"C"}},"BillingAddress":null,"Body":null,"Tags__c":"loose"}]}"#;
    let (envelope, batch) = try_json(&fields, page).unwrap();
    let next = Some("/services/data/v68.0/query/0r8xx50ZnWewYSzAUM-2000".to_owned());
    assert_eq!(envelope, PageEnvelope { total_size: Some(3214), done: false, next_records_url: next, rows: 2 });
    let records = batch.unwrap().records;
    assert_eq!(texts(&records, 1), [Some("A B"), None]);
    assert_eq!(texts(&records, 2), [None, Some("C")]);
    assert_eq!(texts(&records, 3), [Some(r#"{"city":"K\u00f6ln","latitude":null}"#), None]);
    assert_eq!(texts(&records, 4), [Some("/services/data/v68.0/sobjects/Attachment/00P/Body"), None]);
    assert_eq!(texts(&records, 5), [Some("[1.50]"), Some("\"loose\"")]);
}

// Pitfall 66.
#[test]
fn a_page_that_is_not_done_and_names_no_next_page_is_an_error() {
    let page = br#"{"totalSize":2,"done":false,"records":[{"Id":"1","Name":"a"}]}"#;
    assert_eq!(try_json(&id_and("Name", ColumnType::Text), page).unwrap_err(), DecodeError::NoNextPage);
}

#[test]
fn a_query_page_that_is_broken_names_the_record() {
    let fields = id_and("Owner.Name", ColumnType::Text);
    let refused = |records: &str| {
        let page = format!("{{\"totalSize\":1,\"done\":true,\"records\":[{{\"Id\":\"1\",\"Owner\":null}},{records}");
        try_json(&fields, page.as_bytes()).unwrap_err()
    };
    let field = || "Owner.Name".to_owned();
    assert_eq!(refused(r#"{"Id":"2"}]}"#), DecodeError::MissingField { row: 2, field: field() });
    assert_eq!(
        refused(r#"{"Id":"2","Owner":null,"Owner":null}]}"#),
        DecodeError::RepeatedField { row: 2, field: field() }
    );
    assert_eq!(refused(r#"{"Id":"2","Owner":{"Na"#), DecodeError::CutJson { row: 2 });
    assert!(matches!(refused(r#"{"Id":"2","Owner":7}]}"#), DecodeError::Json { row: 2, .. }));
    assert!(matches!(refused(r#"{"Id":"2","Owner":null}]} x"#), DecodeError::Json { .. }));
    assert!(matches!(refused("null]}"), DecodeError::Json { row: 2, .. }));
}

#[test]
fn fields_of_a_record_may_come_in_any_order_and_in_the_case_of_the_schema() {
    let batch =
        json(&id_and("owner.name", ColumnType::Text), r#"{"Owner":{"Name":"A"},"Id":"1"},{"id":"2","OWNER":null}"#);
    assert_eq!(texts(&batch.records, 0), [Some("1"), Some("2")]);
    assert_eq!(texts(&batch.records, 1), [Some("A"), None]);
}
