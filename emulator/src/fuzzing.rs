//! What fuzz targets feed: readers of outside input, each by one narrow function. Not part of the interface.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{Method, Request, header};

use crate::call::{Arrival, Call};
use crate::database::{Database, Snapshot};
use crate::jwt::{Certificate, Unverified};
use crate::oauth::Parameters;
use crate::schema::FullAccess;
use crate::site::Site;
use crate::soql::{Asked, Cut, Plan, RowScope};
use crate::value::Timestamp;

/// Reads an assertion as the token endpoint does.
pub fn jwt(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(jwt) = Unverified::parse(&text) {
        let claims = jwt.claims();
        claims.is_expired(0);
        claims.audiences().for_each(drop);
    }
}

/// Reads the certificate of an app.
pub fn certificate(input: &[u8]) {
    let _ = Certificate::from_pem(&String::from_utf8_lossy(input));
}

/// Reads a request of the token endpoint: the input's first three lines are its content type, its authorization and its
/// query string, the rest is its body.
pub fn form(input: &[u8]) {
    if let Some(call) = post(input) {
        Parameters::of(&call).client_id(&call);
    }
}

/// Reads a message as the SOAP endpoint does.
pub fn soap(input: &[u8]) {
    let body = Bytes::copy_from_slice(input);
    crate::soap::read(input);
    crate::soap::Key::of(&Call::new(Request::new(()).into_parts().0, body, Arrival::Plain, |_| Site::MyDomain));
}

/// Reads a metadata file, as one of every type.
pub fn metadata(input: &[u8]) {
    crate::metadata::read_as_all(input);
}

/// Reads an upload as the Bulk APIs do; its first byte chooses CSV, XML or JSON.
pub fn bulk(input: &[u8]) {
    crate::bulk::read_upload(input);
}

/// Reads a request for authorization and writes its answer into the callback: the input's first line is the callback,
/// its second the query string.
pub fn redirect(input: &[u8]) {
    let mut lines = input.splitn(2, |byte| *byte == b'\n').map(String::from_utf8_lossy);
    let (callback, query) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    crate::web::read_redirects(&Parameters::of_query(&query), &callback);
}

/// Reads a query and answers it from an org with a few rows.
pub fn soql(input: &[u8]) {
    static ORG: LazyLock<Snapshot> = LazyLock::new(few_rows);
    let query = String::from_utf8_lossy(input);
    let asked = Asked::anonymously(ORG.schema(), &FullAccess, RowScope::Live, NOW);
    let Ok(plan) = Plan::compile_as(&query, &asked).map(Arc::new) else { return };
    drop((plan.bulk_refusal(), plan.explain(&ORG), plan.describe_columns(ORG.schema())));
    let results = plan.execute(ORG.clone());
    results.page(0, Cut { rows: 10, child_rows: 2 }, "v68.0", &mut |_, _| String::new());
}

const NOW: Timestamp = Timestamp(1_795_255_200_000);

/// Accounts, contacts, cases and tasks that belong together.
fn few_rows() -> Snapshot {
    let mut database = Database::new(crate::catalog::standard(), 1);
    for object in ["User", "Account", "Contact", "Opportunity", "Case", "Task", "Invoice__c"] {
        database.generate(object, 5, NOW).expect("the built-in catalogue has the object");
    }
    database.snapshot()
}

fn post(input: &[u8]) -> Option<Call> {
    let mut lines = input.splitn(4, |byte| *byte == b'\n');
    let (content_type, authorization) = (lines.next()?, lines.next()?);
    let query = std::str::from_utf8(lines.next()?).ok()?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/services/oauth2/token?{query}"))
        .header(header::CONTENT_TYPE, content_type)
        .header(header::AUTHORIZATION, authorization);
    let parts = request.body(()).ok()?.into_parts().0;
    Some(Call::new(parts, Bytes::copy_from_slice(lines.next()?), Arrival::Plain, |_| Site::MyDomain))
}
