//! A table's folder in a bucket of an S3-compatible store.
//!
//! A version of the manifest is put with `If-None-Match: *`, which fails where it is there. Whole files are held in memory
//! on their way, which is why they are small.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, RetryConfig,
    aws::AmazonS3Builder, path::Path,
};
use sync::destination::DestinationError;
use tokio::runtime::Runtime;

use super::{Listed, Outcome, fuse::Fuse};
use crate::files::{failure::store_fault, settings::Bucket};

/// How long a request is tried for before the run ends and the next one goes on.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(in crate::files) struct S3Store {
    place: String,
    bucket: String,
    folder: String,
    store: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
    pub(super) fuse: Fuse,
}

impl S3Store {
    pub(super) fn new(bucket: &Bucket, table: &str, place: String) -> Outcome<Self> {
        // Another one that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| DestinationError::Unreachable { place: place.clone(), reason: error.to_string() })?;
        let folder = match bucket.prefix.is_empty() {
            true => table.to_owned(),
            false => format!("{}/{table}", bucket.prefix),
        };
        let store = opened(bucket, &place)?;
        let fuse = Fuse::default();
        Ok(Self { place, bucket: bucket.name.clone(), folder, store, runtime: Arc::new(runtime), fuse })
    }

    pub(super) fn list(&self, folder: &str) -> Outcome<Vec<Listed>> {
        let path = self.path(folder)?;
        let list = self.store.list(Some(&path)).try_collect::<Vec<_>>();
        let found = self.runtime.block_on(list).map_err(|error| self.fault(folder, &error))?;
        let listed = found.into_iter().filter_map(|found| {
            let name = found.location.filename()?.to_owned();
            Some(Listed { name, modified: found.last_modified.timestamp_millis() })
        });
        Ok(listed.collect())
    }

    pub(super) fn read(&self, path: &str) -> Outcome<Option<Bytes>> {
        let key = self.path(path)?;
        let get = async { self.store.get(&key).await?.bytes().await };
        match self.runtime.block_on(get) {
            Err(error @ Error::NotFound { .. }) => match self.fault(path, &error) {
                // The bucket itself may be what is not there.
                fault @ DestinationError::Unusable { .. } => Err(fault),
                _ => Ok(None),
            },
            other => other.map(Some).map_err(|error| self.fault(path, &error)),
        }
    }

    pub(super) fn create(&self, path: &str, content: &[u8]) -> Outcome<bool> {
        self.fuse.burn(&self.place)?;
        let key = self.path(path)?;
        let payload = PutPayload::from(content.to_vec());
        match self.runtime.block_on(self.store.put_opts(&key, payload, PutMode::Create.into())) {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.fault(path, &error)),
        }
    }

    pub(super) fn replace(&self, path: &str, content: &[u8]) -> Outcome<()> {
        self.put(path, content.to_vec())
    }

    pub(super) fn put(&self, path: &str, content: Vec<u8>) -> Outcome<()> {
        self.fuse.burn(&self.place)?;
        let key = self.path(path)?;
        let put = self.runtime.block_on(self.store.put(&key, PutPayload::from(content)));
        put.map(drop).map_err(|error| self.fault(path, &error))
    }

    pub(super) fn delete(&self, path: &str) -> Outcome<()> {
        self.fuse.burn(&self.place)?;
        let key = self.path(path)?;
        match self.runtime.block_on(self.store.delete(&key)) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.fault(path, &error)),
        }
    }

    pub(super) fn address(&self, path: &str) -> String {
        format!("s3://{}/{}/{path}", self.bucket, self.folder)
    }

    fn path(&self, path: &str) -> Outcome<Path> {
        Path::parse(format!("{}/{path}", self.folder)).map_err(|error| DestinationError::Unusable {
            place: self.place.clone(),
            reason: format!("the prefix or the table's name cannot stand in a bucket: {error}"),
        })
    }

    fn fault(&self, doing: &str, error: &Error) -> DestinationError {
        store_fault(&self.place, doing, error)
    }
}

fn opened(bucket: &Bucket, place: &str) -> Outcome<Arc<dyn ObjectStore>> {
    #[cfg(test)]
    if let Some(store) = memory::of(&bucket.name) {
        return Ok(store);
    }
    let store = builder(bucket).build().map_err(|error| store_fault(place, "opening the bucket", &error))?;
    Ok(Arc::new(store))
}

/// Credentials, and what the address leaves open, come from AWS's environment variables, or from the machine's role.
fn builder(bucket: &Bucket) -> AmazonS3Builder {
    let is_plain = bucket.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: 8, retry_timeout: PATIENCE };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&bucket.name)
        .with_virtual_hosted_style_request(bucket.virtual_hosted)
        .with_retry(retry)
        .with_client_options(ClientOptions::new().with_allow_http(is_plain).with_timeout(PATIENCE));
    if let Some(region) = &bucket.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder
}

/// Buckets that live as long as the process.
#[cfg(test)]
pub(in crate::files) mod memory {
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    use object_store::{ObjectStore, memory::InMemory};

    static BUCKETS: Mutex<BTreeMap<String, Arc<InMemory>>> = Mutex::new(BTreeMap::new());

    /// The bucket of a name that begins with `memory`.
    pub(in crate::files) fn of(name: &str) -> Option<Arc<dyn ObjectStore>> {
        let named = name.starts_with("memory");
        named.then(|| BUCKETS.lock().unwrap().entry(name.to_owned()).or_default().clone() as Arc<dyn ObjectStore>)
    }
}
