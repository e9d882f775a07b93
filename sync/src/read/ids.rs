//! Reading certain records by their Ids.

use std::collections::VecDeque;

use salesforce::{
    Client,
    query::{Deleted, QueryPage},
};

use super::ReadError;
use crate::{batch::Batch, decode::JsonDecoder, mapping::CompiledMapping, strategy};

/// So many Ids are asked for at once: with them a query stays far below the 100,000 characters that SOQL allows.
const IDS_A_QUERY: usize = 500;

/// Reads the records of these Ids that the mapping would read and that meet its filter, in no order: those alive, and of
/// objects that are archived the deleted ones as well, because nothing else shows the archived ones.
pub(crate) struct IdReader<'a> {
    client: &'a Client,
    mapping: &'a CompiledMapping,
    chunks: std::slice::Chunks<'a, String>,
    next_url: Option<String>,
    pending: VecDeque<Batch>,
    pub(crate) wire_bytes: u64,
}

impl<'a> IdReader<'a> {
    pub(crate) fn new(client: &'a Client, mapping: &'a CompiledMapping, ids: &'a [String]) -> Self {
        let chunks = ids.chunks(IDS_A_QUERY);
        Self { client, mapping, chunks, next_url: None, pending: VecDeque::new(), wire_bytes: 0 }
    }

    /// The next records, or `None` when all Ids have been asked for.
    pub(crate) async fn next(&mut self) -> Result<Option<Batch>, ReadError> {
        while self.pending.is_empty() {
            let body = match (self.next_url.take(), &mut self.chunks) {
                (Some(url), _) => self.client.query_page(QueryPage::Next { url: &url }).await?,
                (None, chunks) => {
                    let Some(ids) = chunks.next() else { return Ok(None) };
                    let soql = by_ids(self.mapping, ids);
                    let deleted = match strategy::is_archived(&self.mapping.object) {
                        true => Deleted::Included,
                        false => Deleted::Excluded,
                    };
                    self.client.query_page(QueryPage::First { soql: &soql, deleted }).await?
                }
            };
            self.wire_bytes += body.len() as u64;
            let mut decoder = JsonDecoder::new(&self.mapping.fields, self.mapping.record_id);
            let pending = &mut self.pending;
            let envelope = decoder.push_page(&body, &mut |batch| pending.push_back(batch)).map_err(|source| {
                ReadError::Decode { object: self.mapping.object.clone(), source: Box::new(source) }
            })?;
            self.pending.extend(decoder.flush().filter(|batch| batch.records.num_rows() > 0));
            self.next_url = envelope.next_records_url;
        }
        Ok(self.pending.pop_front())
    }
}

fn by_ids(mapping: &CompiledMapping, ids: &[String]) -> String {
    let fields: Vec<&str> = mapping.fields.iter().map(|field| field.path.as_str()).collect();
    let filter = mapping.filter.as_ref().map(|filter| format!("({filter}) AND ")).unwrap_or_default();
    // Whoever names an Id may have typed anything.
    let quoted: Vec<String> = ids
        .iter()
        .map(|id| format!("'{}'", id.chars().filter(char::is_ascii_alphanumeric).collect::<String>()))
        .collect();
    format!("SELECT {} FROM {} WHERE {filter}Id IN ({})", fields.join(","), mapping.object, quoted.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{catalogue::Catalogue, mapping::Mapping};

    #[test]
    fn ids_are_asked_for_under_the_filter_and_can_say_nothing_else() {
        let describe = json!({"name": "Task", "queryable": true, "fields": [{"name": "Id", "type": "id"}]});
        let catalogue: Catalogue =
            [serde_json::from_value::<salesforce::describe::ObjectDescribe>(describe).unwrap()].into_iter().collect();
        let filter = Some("A = 1 OR B = 2".to_owned());
        let mapping = Mapping { object: "Task".into(), filter, ..Mapping::default() };
        let soql = by_ids(&mapping.compile(&catalogue).unwrap(), &["00T1".into(), "x') OR (Id != '".into()]);
        assert_eq!(soql, "SELECT Id FROM Task WHERE (A = 1 OR B = 2) AND Id IN ('00T1','xORId')");
    }
}
