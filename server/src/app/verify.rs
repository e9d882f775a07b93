//! Holding copies against their sources: `orgtide verify`, and what it leaves behind.

use std::sync::Arc;

use salesforce::Timestamp;
use serde::Serialize;
use sync::{
    checkpoint::Epoch,
    idle::is_idle,
    run::{Counts, Progress, RunError},
    verify::{Certificate, Depth, Repaired, Verification, VerifyError, verify},
};
use tokio::sync::watch;

use super::{
    App,
    import::{
        RunEvent, Watcher,
        calls::Calls,
        execute::{Errand, OpenRun, failed},
        mirror::{Mirror, stored},
    },
};
use crate::{
    config::Verifying,
    error::Error,
    store::{
        certificates::KeptCertificate,
        runs::{Ending, Purpose, Reading, RunState},
        streams::Stream,
    },
};

/// How copies are compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Comparing {
    pub depth: Depth,
    /// What differs is put right.
    pub repair: bool,
}

/// What came of a comparison that nobody has asked for.
#[derive(Debug)]
pub enum Idly {
    Verified(Box<Certificate>),
    /// The org has no calls to spare now.
    Busy,
}

/// When a copy is held against its source next.
#[derive(Debug, Clone, Serialize)]
pub struct VerificationStatus {
    /// `None`: not by itself.
    pub next_at: Option<Timestamp>,
    /// Why the last attempt made no certificate.
    pub trouble: Option<String>,
}

/// How one stream's comparison ended.
#[derive(Debug)]
pub struct Verified {
    pub stream: Stream,
    pub result: Result<Certificate, Error>,
}

/// A certificate in short.
#[derive(Debug, Clone, Serialize)]
pub struct CertificateStatus {
    pub run: String,
    pub made_at: Timestamp,
    pub as_of: Timestamp,
    pub depth: Depth,
    /// The copy was the source.
    pub is_equal: bool,
    pub records: u64,
    pub rows: u64,
    pub differing: u64,
    pub repaired: Option<Repaired>,
}

impl CertificateStatus {
    pub(super) fn of(kept: &KeptCertificate) -> Self {
        let certificate = &kept.certificate;
        Self {
            run: kept.run_id.clone(),
            made_at: kept.made_at,
            as_of: certificate.as_of,
            depth: certificate.depth,
            is_equal: certificate.is_equal(),
            records: certificate.source().rows,
            rows: certificate.copy().rows,
            differing: certificate.differences.count(),
            repaired: certificate.repaired,
        }
    }
}

impl App {
    /// When a stream's copy is held against its source next.
    pub(super) async fn verification_status(&self, stream: &Stream) -> Result<VerificationStatus, Error> {
        let planned = self.store.planned_verification(&stream.id).await?;
        // A sample, and rows that are not the object's records, are compared with nothing.
        let is_copy = stream.checkpoint.is_some() && stream.mapping.limit.is_none() && stream.mapping.key.is_none();
        let planned = planned.filter(|_| self.config.verify.is_some() && is_copy);
        let (next_at, trouble) = planned.map(|planned| (planned.next_at, planned.trouble)).unzip();
        Ok(VerificationStatus { next_at, trouble: trouble.flatten() })
    }

    /// Compares the copies of a connection, or of some objects or tables of it, with the org, one after the other, and
    /// keeps the certificates.
    ///
    /// # Errors
    /// Nothing is remembered of what is named, it is staged and not imported, or the connection is paused. What happens to
    /// one stream stands in its outcome, and the others go on.
    pub async fn verify(
        &self,
        connection: &str,
        objects: &[String],
        how: Comparing,
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<Verified>, Error> {
        let connection = self.store.connection(connection).await?;
        self.refuse_paused(&connection).await?;
        let streams = self.imported(&connection, objects).await?;
        let calls = Calls::of(self.client(&connection));
        let errand =
            Errand { connection: &connection, calls: &calls, purpose: Purpose::Verify, watcher, stop, give_way: None };
        let mut all = Vec::new();
        for stream in streams {
            let result = self.verify_stream(&errand, &stream, how).await;
            all.push(Verified { stream, result });
            if *stop.borrow() {
                break;
            }
        }
        self.forget_old_runs().await?;
        Ok(all)
    }

    /// Compares the copy of a stream whose turn has come, unless the org has no calls to spare now.
    ///
    /// # Errors
    /// There is no such stream, it is staged and not imported, its connection is paused, or whatever kept it from a
    /// certificate; one that another process runs is [`StoreError::Leased`](crate::store::StoreError::Leased).
    pub async fn verify_when_idle(
        &self,
        stream_id: &str,
        how: Verifying,
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Idly, Error> {
        let stream = self.store.stream(stream_id).await?;
        let connection = self.store.connection_of_id(&stream.connection_id).await?;
        self.refuse_paused(&connection).await?;
        if self.store.drafts(&connection.id).await?.contains(&stream.id) {
            return Err(Error::NotImported { connection: connection.name, object: stream.object });
        }
        if self.is_for_another_day(&connection).await? {
            return Ok(Idly::Busy);
        }
        let calls = self.calls_of_runs(&connection);
        // How much is used stands on the answer to any call.
        calls.client.limits().await.map_err(|source| Error::api(&connection.name, source))?;
        if !is_idle(&calls.client, how.below_percent) {
            calls.settle().await;
            return Ok(Idly::Busy);
        }
        let errand =
            Errand { connection: &connection, calls: &calls, purpose: Purpose::Verify, watcher, stop, give_way: None };
        let comparing = Comparing { depth: how.depth, repair: how.repair };
        let verified = self.verify_stream(&errand, &stream, comparing).await;
        calls.settle().await;
        Ok(Idly::Verified(verified?.into()))
    }

    /// The latest certificate of each stream of a connection that has one.
    pub async fn latest_certificates(&self, connection: &str) -> Result<Vec<(Stream, KeptCertificate)>, Error> {
        let connection = self.store.connection(connection).await?;
        let mut all = Vec::new();
        for stream in self.store.streams(&connection.id).await? {
            let latest = self.store.certificates(&stream.id, 1).await?.pop();
            all.extend(latest.map(|kept| (stream, kept)));
        }
        Ok(all)
    }

    /// Compares one stream's copy, under its lease and with a record of the run.
    async fn verify_stream(&self, errand: &Errand<'_>, stream: &Stream, how: Comparing) -> Result<Certificate, Error> {
        let open = self.open_run(errand.connection, stream, errand.purpose).await?;
        errand.watcher.event(RunEvent::Started { stream });
        let (counts, result) = self.compare(errand, stream, how, &open).await;
        let ending = match &result {
            Ok(certificate) => ending(certificate, counts),
            Err(Error::Verify { source, .. }) if matches!(**source, VerifyError::Stopped) => stopped(counts),
            Err(error) => Ending { counts: stored(counts), ..failed(error) },
        };
        let kept = match &result {
            Ok(certificate) => self.store.keep_certificate(&open.record, certificate, &open.lease).await,
            Err(_) => Ok(()),
        };
        let closed = self.close_run(open, errand.calls, ending, &[], false).await;
        let certificate = result?;
        kept?;
        if let Some(Verifying { every, .. }) = self.config.verify {
            self.store.plan_verification(&stream.id, self.clock.now().after(every), None).await?;
        }
        closed?;
        Ok(certificate)
    }

    async fn compare(
        &self,
        errand: &Errand<'_>,
        stream: &Stream,
        how: Comparing,
        open: &OpenRun,
    ) -> (Counts, Result<Certificate, Error>) {
        let Errand { calls, watcher, .. } = *errand;
        let progress = match Mirror::open(self, stream, open, watcher, &calls.client).await {
            Ok(progress) => Arc::new(progress),
            Err(error) => return (Counts::default(), Err(error.into())),
        };
        let mut result = self.compare_once(errand, stream, how, open, false, &progress).await;
        if matches!(&result, Err(Error::Run { source, .. }) if matches!(**source, RunError::Outdated { .. })) {
            // A field has gone since the last describe: a fresh one tells.
            result = self.compare_once(errand, stream, how, open, true, &progress).await;
        }
        (progress.so_far().0, result)
    }

    async fn compare_once(
        &self,
        errand: &Errand<'_>,
        stream: &Stream,
        how: Comparing,
        open: &OpenRun,
        described_anew: bool,
        progress: &Arc<Mirror>,
    ) -> Result<Certificate, Error> {
        let Errand { connection, calls, stop, purpose, .. } = *errand;
        let mapping = self.fitting(connection, &calls.client, stream, described_anew).await?;
        let settings = self.settings(&stream.destination)?;
        let mut destination = destinations::open(&settings).map_err(Error::destination)?;
        let options = self.run_options(stream, purpose);
        let compared = verify(Verification {
            client: calls.client.clone(),
            calls_before: calls.before(),
            mapping: Arc::new(mapping),
            stream: stream.key(connection, &self.store),
            destination: &mut *destination,
            progress: Arc::clone(progress) as Arc<dyn Progress>,
            epoch: Epoch(open.lease.epoch),
            read: options.read,
            overlap: options.overlap,
            depth: how.depth,
            repair: how.repair,
            stop: stop.clone(),
        })
        .await;
        let closed = destination.close().await;
        let certificate = compared.map_err(|source| match source {
            VerifyError::Run(source) => Error::Run { object: stream.object.clone(), source: Box::new(source) },
            source => Error::Verify { connection: connection.name.clone(), source: Box::new(source) },
        })?;
        closed.map_err(Error::destination)?;
        Ok(certificate)
    }
}

/// The record of a comparison; rows were written only by a repair.
fn ending(certificate: &Certificate, counts: Counts) -> Ending {
    let Repaired { missing, extra, altered } = certificate.repaired.unwrap_or_default();
    let counts = Counts { rows: missing + altered, deletes: extra, rejected: certificate.rejected, ..counts };
    let reading = Reading { mode: Some(certificate.mode), ..Reading::default() };
    Ending { state: RunState::Completed, reading, counts: stored(counts), error: None }
}

/// The record of a comparison that a person has ended.
fn stopped(counts: Counts) -> Ending {
    Ending { state: RunState::Stopped, reading: Reading::default(), counts: stored(counts), error: None }
}
