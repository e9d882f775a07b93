//! Certificates: what comparisons of copies with their sources have found.

use salesforce::Timestamp;
use sync::verify::Certificate;

use super::{
    Store,
    database::{Change, Value},
    error::StoreError,
    lease::{Lease, still_held},
    runs::Run,
};

/// So many certificates of a stream are kept.
const KEPT: i64 = 20;

/// A certificate, and the run that made it.
#[derive(Debug, Clone)]
pub struct KeptCertificate {
    pub run_id: String,
    pub made_at: Timestamp,
    pub certificate: Certificate,
}

impl Store {
    /// Keeps what a run found, under the stream's lease; the stream's oldest certificates go.
    pub async fn keep_certificate(
        &self,
        run: &Run,
        certificate: &Certificate,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        const KEEP: &str = "INSERT INTO certificates (run_id, stream_id, made_at, certificate) VALUES ($1, $2, $3, $4)";
        const FORGET: &str = "DELETE FROM certificates WHERE stream_id = $1 AND run_id NOT IN (SELECT run_id \
             FROM certificates WHERE stream_id = $1 ORDER BY made_at DESC, run_id LIMIT $2)";
        let document = serde_json::to_string(certificate).expect("a certificate is plain data");
        let kept = [(&run.id).into(), (&run.stream_id).into(), self.clock.now().into(), document.into()];
        let changes = vec![
            still_held(lease),
            Change::new(KEEP, kept),
            Change::new(FORGET, [(&run.stream_id).into(), KEPT.into()]),
        ];
        self.commit_under(lease, changes).await
    }

    /// A stream's certificates, newest first.
    pub async fn certificates(&self, stream_id: &str, at_most: u32) -> Result<Vec<KeptCertificate>, StoreError> {
        const LATEST: &str = "SELECT run_id, made_at, certificate FROM certificates WHERE stream_id = $1 \
             ORDER BY made_at DESC, run_id LIMIT $2";
        self.read_certificates(LATEST, [stream_id.into(), i64::from(at_most).into()]).await
    }

    /// The certificate that a run has made.
    pub async fn certificate_of_run(&self, run_id: &str) -> Result<Option<KeptCertificate>, StoreError> {
        const OF_RUN: &str = "SELECT run_id, made_at, certificate FROM certificates WHERE run_id = $1";
        Ok(self.read_certificates(OF_RUN, [run_id.into()]).await?.pop())
    }

    async fn read_certificates(
        &self,
        query: &'static str,
        values: impl Into<Vec<Value>>,
    ) -> Result<Vec<KeptCertificate>, StoreError> {
        let rows = self.database.query(query, values).await?;
        rows.into_iter()
            .map(|mut row| {
                let (run_id, made_at, text) = (row.text()?, row.moment()?, row.text()?);
                let certificate = serde_json::from_str(&text)
                    .map_err(|error| StoreError::corrupt(format!("the certificate of {run_id}: {error}")))?;
                Ok(KeptCertificate { run_id, made_at, certificate })
            })
            .collect()
    }
}
