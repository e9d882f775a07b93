//! What reading an object is going to cost, judged by the first page of the very question that a run would ask.

use salesforce::query::{Deleted, QueryPage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{
    mapping::CompiledMapping,
    read::{ReadChoice, ReadError, ReadMode, ReadOptions, result_page_rows, whole_question},
    strategy,
};

/// Of so many records of a page it is measured how long they are in CSV.
const MEASURED: usize = 200;

/// What the first page of an object tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Records that the question matches.
    pub total: u64,
    /// Records on the page; fewer than all of them where others follow.
    pub rows: u64,
    /// Bytes of the page, inflated.
    pub bytes: u64,
    /// Fields that are asked for.
    pub fields: usize,
    /// Mean bytes of a record in the results of a Bulk job.
    pub csv_bytes_a_row: f64,
    pub csv_header_bytes: u64,
}

/// How fast records come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// From the first request to the last record written, without the wait for a Bulk job.
    pub rows_a_second: f64,
    /// Of a Bulk job, while it is waited for.
    pub job_rows_a_second: f64,
    /// Nothing has been read yet that they could be taken from.
    pub is_assumed: bool,
}

impl Rates {
    /// What holds until something has been read in that mode: orders of magnitude of usual orgs and networks.
    pub fn assumed(mode: ReadMode) -> Self {
        let rows_a_second = match mode {
            ReadMode::Query => 1_500.0,
            ReadMode::Bulk => 10_000.0,
        };
        Self { rows_a_second, job_rows_a_second: 20_000.0, is_assumed: true }
    }
}

/// What a first reading is expected to cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    pub mode: ReadMode,
    pub rows: u64,
    /// Of records, inflated.
    pub bytes: u64,
    /// API calls, without those that describe objects.
    pub calls: u64,
    /// Bulk API 2.0 query jobs.
    pub jobs: u64,
    pub seconds: f64,
    pub is_rate_assumed: bool,
}

/// Asks for the first page of what a first reading would read. `None`: the object is asked for by its parents, and nobody
/// knows beforehand how many records they have.
///
/// # Errors
/// What Salesforce, or the way to it, refuses.
pub async fn sample(client: &salesforce::Client, mapping: &CompiledMapping) -> Result<Option<Sample>, ReadError> {
    if strategy::slices(&mapping.object, mapping.filter.as_deref()).is_some() {
        return Ok(None);
    }
    let deleted = if strategy::is_archived(&mapping.object) { Deleted::Included } else { Deleted::Excluded };
    let soql = whole_question(mapping);
    let body = client.query_page(QueryPage::First { soql: &soql, deleted }).await?;
    let page: Page<'_> = serde_json::from_slice(&body)
        .map_err(|error| ReadError::Parents { object: mapping.object.clone(), reason: error.to_string() })?;
    let measured: Vec<Value> =
        page.records.iter().take(MEASURED).filter_map(|record| serde_json::from_str(record.get()).ok()).collect();
    let paths: Vec<&str> = mapping.fields.iter().map(|field| field.path.as_str()).collect();
    let bytes: usize = measured.iter().map(|record| csv_bytes(record, &paths)).sum();
    Ok(Some(Sample {
        total: page.total_size,
        rows: page.records.len() as u64,
        bytes: body.len() as u64,
        fields: paths.len(),
        csv_bytes_a_row: bytes as f64 / measured.len().max(1) as f64,
        csv_header_bytes: paths.iter().map(|path| path.len() as u64 + 3).sum(),
    }))
}

/// The mode in which a first reading reads so many records.
pub fn mode(total: u64, mapping: &CompiledMapping, options: &ReadOptions) -> ReadMode {
    match options.choice {
        ReadChoice::Bulk => ReadMode::Bulk,
        ReadChoice::Auto if mapping.bulk_readable && total >= options.bulk_from => ReadMode::Bulk,
        ReadChoice::Auto | ReadChoice::Query => ReadMode::Query,
    }
}

/// What a first reading costs of which this is the first page.
pub fn expected(sample: &Sample, mode: ReadMode, choice: ReadChoice, rates: &Rates) -> Expected {
    let rows = sample.total;
    let reading = rows as f64 / rates.rows_a_second;
    let (calls, jobs, bytes, seconds) = match mode {
        ReadMode::Query => {
            let pages = if sample.rows == 0 { 1 } else { rows.div_ceil(sample.rows) };
            let bytes = sample.bytes as f64 / sample.rows.max(1) as f64 * rows.max(1) as f64;
            (pages, 0, bytes, reading)
        }
        ReadMode::Bulk => {
            let record_bytes = sample.bytes / sample.rows.max(1);
            let page_rows = result_page_rows(choice, sample.fields, record_bytes);
            // As many as are asked for: Salesforce documents neither a size nor a maximum, and may give fewer.
            let pages = rows.div_ceil(u64::from(page_rows)).max(1);
            let waiting = rows as f64 / rates.job_rows_a_second;
            // The first page, by which Bulk is chosen; where it is prescribed, nobody asks.
            let counting = u64::from(choice == ReadChoice::Auto);
            let calls = counting + 1 + polls(waiting) + pages;
            let bytes = sample.csv_bytes_a_row * rows as f64 + (pages * sample.csv_header_bytes) as f64;
            (calls, 1, bytes, waiting + reading)
        }
    };
    Expected { mode, rows, bytes: bytes as u64, calls, jobs, seconds, is_rate_assumed: rates.is_assumed }
}

/// How often a job is asked how it stands that takes so long.
fn polls(seconds: f64) -> u64 {
    let wait = salesforce::bulk::JobWait::default();
    let (mut pause, mut passed, mut polls) = (wait.first, 0.0, 1);
    while passed < seconds {
        passed += pause.as_secs_f64();
        pause = pause.saturating_mul(2).min(wait.longest);
        polls += 1;
    }
    polls
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    total_size: u64,
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

/// The bytes of a record in CSV: everything but null in quotes, with a comma or a line feed behind it.
fn csv_bytes(record: &Value, paths: &[&str]) -> usize {
    let cell = |path: &&str| match path.split('.').try_fold(record, |at, name| at.get(name)) {
        None | Some(Value::Null) => 1,
        Some(Value::String(text)) => quoted(text) + 1,
        Some(other) => other.to_string().len() + 3,
    };
    paths.iter().map(cell).sum()
}

/// Quotes are doubled; a moment of JSON ends in `+0000`, one of CSV in `Z`.
fn quoted(text: &str) -> usize {
    let is_moment = text.len() == 28 && text.ends_with("+0000");
    let length = if is_moment { text.len() - 4 } else { text.len() };
    length + 2 + text.bytes().filter(|byte| *byte == b'"').count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RATES: Rates = Rates { rows_a_second: 1_000.0, job_rows_a_second: 10_000.0, is_assumed: false };

    fn sample(total: u64, rows: u64) -> Sample {
        Sample { total, rows, bytes: rows * 1_100, fields: 30, csv_bytes_a_row: 360.0, csv_header_bytes: 50 }
    }

    #[test]
    fn pages_are_as_large_as_the_first_one_and_an_empty_object_costs_its_question() {
        let by_query = |total, rows| expected(&sample(total, rows), ReadMode::Query, ReadChoice::Auto, &RATES);
        let read = by_query(9_000, 2_000);
        assert_eq!((read.calls, read.jobs, read.bytes, read.seconds), (5, 0, 9_900_000, 9.0));
        assert_eq!((by_query(7, 7).calls, by_query(0, 0).calls), (1, 1));
        assert_eq!(by_query(9_000, 250).calls, 36, "wide records come by the quarter thousand");
    }

    #[test]
    fn a_job_costs_its_making_its_waiting_and_its_pages() {
        // Records of 1,100 bytes come by about 122,000.
        let read = expected(&sample(300_000, 2_000), ReadMode::Bulk, ReadChoice::Auto, &RATES);
        assert_eq!((read.calls, read.jobs), (1 + 1 + polls(30.0) + 3, 1));
        assert_eq!(read.bytes, 300_000 * 360 + 3 * 50);
        // Looks after 0, 0.2, 0.6, 1.4, 3, 6.2, 12.6 and 25.4 s.
        assert_eq!([polls(0.1), polls(12.0)], [2, 7]);
        let fixed = expected(&sample(100, 100), ReadMode::Bulk, ReadChoice::Bulk, &RATES);
        assert_eq!(fixed.calls, 1 + 2 + 1);
    }

    #[test]
    fn a_record_is_measured_as_csv_writes_it() {
        let record = json!({"Id": "001000000000001AAA", "Name": "a \"b\"", "Owner": {"Name": "Ada"}, "Size": 12,
            "Gone": null, "At": "2026-11-21T09:00:00.000+0000"});
        let written = "\"001000000000001AAA\",\"a \"\"b\"\"\",\"Ada\",\"12\",,\"2026-11-21T09:00:00.000Z\"\n";
        assert_eq!(csv_bytes(&record, &["Id", "Name", "Owner.Name", "Size", "Gone", "At"]), written.len());
    }
}
