//! Certificates and sweeps, as the page of a connection shows them, and the button that compares now.

use std::collections::HashMap;

use salesforce::Timestamp;
use sync::{
    checkpoint::Swept,
    verify::{Certificate, Depth, Month},
};

use super::{
    call::{Answer, Call},
    imports::{Work, start},
    problem::Problem,
    words::{BAD, Badge, CALM, GOOD, Moment, grouped},
};
use crate::app::status::{ConnectionStatus, StreamStatus};

/// How a stream's copy was found when it was last held against the org.
pub(super) struct VerifiedView {
    pub(super) object: String,
    pub(super) table: String,
    pub(super) badge: Badge,
    /// `None`: it was never compared.
    pub(super) certificate: Option<CertificateView>,
    pub(super) next: Option<Moment>,
    /// Why the last attempt made no certificate; for admins alone.
    pub(super) trouble: Option<String>,
    pub(super) swept: Option<SweptView>,
}

pub(super) struct CertificateView {
    pub(super) as_of: Moment,
    pub(super) compared: &'static str,
    pub(super) records: String,
    pub(super) rows: String,
    /// What differs, in words.
    pub(super) differing: Option<String>,
    /// Only the months tell where.
    pub(super) is_repairable: bool,
    pub(super) months: Vec<MonthView>,
}

/// The records that changed last in one month.
pub(super) struct MonthView {
    pub(super) month: String,
    pub(super) records: String,
    pub(super) rows: String,
    pub(super) badge: Badge,
}

/// When all rows were held against the org's Ids.
pub(super) struct SweptView {
    pub(super) as_of: Moment,
    pub(super) found: String,
    /// It goes on in the next runs.
    pub(super) is_under_way: bool,
    /// So much seemed gone that it was left: a permission may have been lost.
    pub(super) is_halted: bool,
}

/// The copies of a connection.
pub(super) async fn views(
    call: &Call,
    name: &str,
    status: &ConnectionStatus,
    is_admin: bool,
) -> Result<Vec<VerifiedView>, Problem> {
    let now = call.console.app.now();
    let latest = call.console.app.latest_certificates(name).await?;
    let mut certificates: HashMap<(String, String), Certificate> = HashMap::new();
    for (stream, kept) in latest {
        certificates.insert((stream.destination, stream.table), kept.certificate);
    }
    let view = |stream: &StreamStatus| {
        let certificate = certificates.get(&(stream.destination.clone(), stream.table.clone()));
        VerifiedView {
            object: stream.object.clone(),
            table: stream.table.clone(),
            badge: match certificate.map(Certificate::is_equal) {
                Some(true) => GOOD.named("Equal"),
                Some(false) => BAD.named("Differs"),
                None => CALM.named("Not compared yet"),
            },
            certificate: certificate.map(|certificate| CertificateView::of(certificate, now)),
            next: stream.verification.next_at.map(|at| Moment::of(at.max(now), now)),
            trouble: stream.verification.trouble.clone().filter(|_| is_admin),
            swept: SweptView::of(stream, now),
        }
    };
    Ok(status.streams.iter().filter(|stream| stream.fresh_as_of.is_some()).map(view).collect())
}

impl CertificateView {
    fn of(certificate: &Certificate, now: Timestamp) -> Self {
        let differences = &certificate.differences;
        let differing = match (certificate.is_equal(), differences.too_many) {
            (true, _) => None,
            (false, true) => Some("too much to name it row by row".to_owned()),
            (false, false) => Some(format!(
                "{} missing, {} left over, {} altered",
                grouped(differences.missing),
                grouped(differences.extra),
                grouped(differences.altered)
            )),
        };
        let months = certificate.slices.iter().map(|slice| MonthView {
            month: slice.month.map_or_else(|| "no stamp".to_owned(), Month::into),
            records: grouped(slice.source.rows),
            rows: grouped(slice.copy.rows),
            badge: if slice.is_equal() { GOOD.named("Equal") } else { BAD.named("Differs") },
        });
        Self {
            as_of: Moment::of(certificate.as_of, now),
            compared: match certificate.depth {
                Depth::Content => "every mapped column",
                Depth::Versions => "Ids and stamps",
            },
            records: grouped(certificate.source().rows),
            rows: grouped(certificate.copy().rows),
            is_repairable: !differences.too_many,
            months: months.collect(),
            differing,
        }
    }
}

impl SweptView {
    fn of(stream: &StreamStatus, now: Timestamp) -> Option<Self> {
        let is_under_way = stream.sweeping.is_some();
        let found: Swept = stream.sweeping.or(stream.swept.filter(|swept| swept.rows > 0))?;
        let left = if found.left > 0 { format!(", {} left as they are", grouped(found.left)) } else { String::new() };
        let (rows, gone, missing) = (grouped(found.rows), grouped(found.gone), grouped(found.missing));
        Some(Self {
            as_of: Moment::of(found.as_of, now),
            found: format!("{rows} rows: {gone} without a record, {missing} records without a row{left}"),
            is_under_way,
            is_halted: found.left > 0,
        })
    }
}

/// Holds one copy, or all, against the org while the person watches.
pub(super) async fn verify(call: Call) -> Answer {
    let name = call.part("name").to_owned();
    let objects: Vec<String> = call.form.given("object").map(str::to_owned).into_iter().collect();
    start(&call, &name, Work::Verify(objects)).await
}
