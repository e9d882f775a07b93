//! SOQL over REST.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    changes::DeletedIn,
    client::Client,
    composite::Part,
    error::ApiError,
    http::{Answer, Request},
    time::Timestamp,
};

/// Whether deleted and archived records are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Deleted {
    /// The `query` resource and operation.
    Excluded,
    /// The `queryAll` resource and operation.
    Included,
}

impl Deleted {
    /// The name of the resource and of the Bulk operation.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Excluded => "query",
            Self::Included => "queryAll",
        }
    }
}

/// The page to ask for.
#[derive(Debug, Clone)]
pub enum QueryPage<'a> {
    First {
        soql: &'a str,
        deleted: Deleted,
    },
    /// A `nextRecordsUrl`, followed as it was given.
    Next {
        url: &'a str,
    },
}

/// Everything but the unreserved characters of RFC 3986, so `+` arrives as `+` and not as a blank.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A longer path and query is not sent as a URL. Salesforce refuses a URL over 16,384 bytes with 414, and a URL with its
/// headers over the same with 431 (REST guide v66, "Status Codes"); the rest is for the host and the headers, of which
/// a JWT-format token is the longest.
const LONGEST_PATH_BYTES: usize = 13_000;

/// As many rows as a page can have; the org may send fewer (REST guide v66, "Query Options Header").
const QUERY_OPTIONS: (HeaderName, &str) = (HeaderName::from_static("sforce-query-options"), "batchSize=2000");

/// Encodes a value of a query or a segment of a path.
pub(crate) fn encode(value: &str) -> String {
    utf8_percent_encode(value, QUERY_VALUE).to_string()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    #[serde(default = "Vec::new")]
    records: Vec<T>,
    done: bool,
    next_records_url: Option<String>,
}

/// Which deletions to ask for.
#[derive(Debug, Clone, Copy)]
pub struct DeletionsAsked<'a> {
    pub object: &'a str,
    /// At most 15 days ago, and more than a minute before `end`.
    pub start: Timestamp,
    pub end: Timestamp,
}

/// The beginning of an answer, and what is known of the time it was given.
#[derive(Debug)]
pub struct FirstPage {
    /// As [`Client::query_page`] gives it.
    pub body: Bytes,
    /// By the org's clock. Whatever was committed before is in the answer.
    pub as_of: Timestamp,
    /// What came of asking for deletions, when they were asked for: a refusal costs the deletions and not the page.
    pub deletions: Option<Result<DeletedIn, ApiError>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    total_size: u64,
}

impl Client {
    /// One page, as the bytes of its JSON: `{totalSize, done, nextRecordsUrl?, records}`.
    ///
    /// A query too long for a URL (16,384 bytes after encoding) is sent inside a composite request.
    ///
    /// # Errors
    /// A `nextRecordsUrl` of another host, or one that is no data resource, is not followed.
    pub async fn query_page(&self, page: QueryPage<'_>) -> Result<Bytes, ApiError> {
        let (path, doing) = match page {
            QueryPage::First { soql, deleted } => {
                (self.data_path(&format!("{}?q={}", deleted.operation(), encode(soql))), "querying records")
            }
            QueryPage::Next { url } => (self.follow(url).await?, "querying further records"),
        };
        if path.len() > LONGEST_PATH_BYTES {
            return self.query_in_composite(path).await;
        }
        let request = Request::get("/services/data/{version}/query", path, doing);
        let answer: Answer = self.call(&with_page_size(request)).await?;
        Ok(answer.body)
    }

    /// The first page of a query, with the time it answers for, and on wish with what getDeleted says: all in one call.
    ///
    /// Deletions are asked for first (subrequests of a composite run one after the other), so that everything up to
    /// their `latestDateCovered` is committed when the query begins.
    ///
    /// # Errors
    /// An answer without a `Date`, which leaves open what it covers.
    pub async fn first_page(
        &self,
        soql: &str,
        deleted: Deleted,
        asked: Option<DeletionsAsked<'_>>,
    ) -> Result<FirstPage, ApiError> {
        let doing = "querying records";
        let path = self.data_path(&format!("{}?q={}", deleted.operation(), encode(soql)));
        if asked.is_none() && path.len() <= LONGEST_PATH_BYTES {
            let request = Request::get("/services/data/{version}/query", path, doing);
            let answer: Answer = self.call(&with_page_size(request)).await?;
            return Ok(FirstPage { as_of: answer.dated()?, body: answer.body, deletions: None });
        }
        let deletions = asked.map(|asked| {
            let doing = format!("asking which records of {} were deleted", asked.object);
            Part { path: self.deleted_path(asked), doing }
        });
        let parts: Vec<Part> = deletions.into_iter().chain([Part { path, doing: doing.to_owned() }]).collect();
        let (mut answers, as_of) = self.read_together_at(&parts, &[QUERY_OPTIONS], doing).await?;
        let page = answers.pop().expect("each part has an answer")?;
        let read = |body: Bytes| serde_json::from_slice(&body).map_err(|error| error.to_string());
        let deletions = match answers.pop() {
            Some(Ok(body)) => match read(body) {
                Ok(deleted) => Some(Ok(deleted)),
                Err(reason) => {
                    let (doing, host) = (doing.to_owned(), self.host().await?);
                    Some(Err(ApiError::Unexpected { doing, host, reason }))
                }
            },
            Some(Err(error)) => Some(Err(error)),
            None => None,
        };
        Ok(FirstPage { body: page, as_of, deletions })
    }

    /// All living records of a small query, typed.
    ///
    /// # Errors
    /// As [`Client::query_with`].
    pub async fn query<T: DeserializeOwned>(&self, soql: &str) -> Result<Vec<T>, ApiError> {
        self.query_with(soql, Deleted::Excluded).await
    }

    /// All records of a small query, typed.
    ///
    /// # Errors
    /// `done: false` without `nextRecordsUrl` is an error, never the end.
    pub async fn query_with<T: DeserializeOwned>(&self, soql: &str, deleted: Deleted) -> Result<Vec<T>, ApiError> {
        let mut body = self.query_page(QueryPage::First { soql, deleted }).await?;
        let mut records = Vec::new();
        loop {
            let page: Page<T> = self.read(&body).await?;
            records.extend(page.records);
            match (page.done, page.next_records_url) {
                (true, _) => return Ok(records),
                (false, Some(url)) => body = self.query_page(QueryPage::Next { url: &url }).await?,
                (false, None) => return Err(self.protocol("it says that records follow but not where").await),
            }
        }
    }

    /// `SELECT COUNT()`: how many records match.
    pub async fn count(&self, object: &str, filter: Option<&str>, deleted: Deleted) -> Result<u64, ApiError> {
        let condition = filter.map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
        let soql = format!("SELECT COUNT() FROM {object}{condition}");
        let body = self.query_page(QueryPage::First { soql: &soql, deleted }).await?;
        Ok(self.read::<Counted>(&body).await?.total_size)
    }

    /// Sends a GET of `path` in the body of a composite request, and takes the answer out of its envelope.
    async fn query_in_composite(&self, path: String) -> Result<Bytes, ApiError> {
        let doing = "querying records";
        let part = Part { path, doing: doing.to_owned() };
        let answers = self.read_together(&[part], &[QUERY_OPTIONS], doing).await?;
        answers.into_iter().next().expect("one part has one answer")
    }

    /// The path of a link that Salesforce gave, on the host that this client speaks to.
    pub(crate) async fn follow(&self, url: &str) -> Result<String, ApiError> {
        let host = self.host().await?;
        match link_path(&host, url) {
            Some(path) => Ok(path),
            None => Err(self.protocol("a link leads away from the org's data").await),
        }
    }

    pub(crate) async fn read<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T, ApiError> {
        match serde_json::from_slice(body) {
            Ok(page) => Ok(page),
            Err(error) => Err(ApiError::Unexpected {
                doing: "querying records".to_owned(),
                host: self.host().await?,
                reason: error.to_string(),
            }),
        }
    }
}

fn with_page_size(request: Request) -> Request {
    let (name, value) = QUERY_OPTIONS;
    request.header(name, HeaderValue::from_static(value))
}

/// Path and query of `url` when it is relative or on `host`, and a data resource.
///
/// A doubled slash answers 404 (restforce issue 385), so none is made here; one inside the link stays, for links are
/// followed as they are given.
fn link_path(host: &str, url: &str) -> Option<String> {
    let path = match url.split_once("://") {
        Some((scheme, rest)) => {
            let (named, path) = rest.split_at(rest.find('/')?);
            (scheme.eq_ignore_ascii_case("https") && named.eq_ignore_ascii_case(host)).then_some(path)?
        }
        None => url,
    };
    let path = format!("/{}", path.trim_start_matches('/'));
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic()) && !path.contains(['#', '\\']);
    let climbs = path.split(['/', '?']).any(|segment| segment == ".." || segment == ".");
    (path.starts_with("/services/data/") && is_plain && !climbs).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Pitfall 59.
    #[test]
    fn a_plus_sign_in_a_query_does_not_become_a_blank() {
        assert_eq!(encode("t >= 2026-01-01T00:00:00+02:00"), "t%20%3E%3D%202026-01-01T00%3A00%3A00%2B02%3A00");
    }

    // Pitfall 30.
    #[test]
    fn links_are_followed_on_the_same_host_without_a_double_slash() {
        let path = |url| link_path("acme.my.salesforce.com", url);
        let next = "/services/data/v68.0/query/01g-2000";
        assert_eq!(path(next).as_deref(), Some(next));
        assert_eq!(path("services/data/v68.0/query/01g-2000").as_deref(), Some(next));
        assert_eq!(path("//services/data/v68.0/query/01g-2000").as_deref(), Some(next));
        assert_eq!(path("https://acme.my.salesforce.com/services/data/v68.0/query/01g-2000").as_deref(), Some(next));
    }

    #[test]
    fn links_that_lead_elsewhere_are_not_followed() {
        for url in [
            "https://evil.test/services/data/v68.0/query/x",
            "http://acme.my.salesforce.com/services/data/v68.0/query/x",
            "https://acme.my.salesforce.com.evil.test/services/data/x",
            "https://acme.my.salesforce.com@evil.test/services/data/x",
            "//evil.test/services/data/x",
            "/secur/logout.jsp",
            "/services/data/../../secur/logout.jsp",
            "/services/data/v68.0/query/a b",
            "",
        ] {
            assert_eq!(link_path("acme.my.salesforce.com", url), None, "{url}");
        }
    }
}
