//! An object store as the place of exposures: `s3://bucket/prefix`, at whatever speaks the S3 API.
//!
//! Where it is and who asks come from the environment, as with other programs that use it: `AWS_REGION`,
//! `AWS_ENDPOINT_URL` (`AWS_ALLOW_HTTP=true` for one without TLS), `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or
//! what the machine or the container was given.

use std::fmt::{self, Display};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{ClientConfigKey, ObjectStoreExt, RetryConfig};

use super::config::ExposuresError;
use super::place::Address;

/// The beginning of some objects' names in a bucket.
pub(super) struct Bucket {
    pub(super) store: AmazonS3,
    pub(super) prefix: Path,
    url: String,
}

impl Bucket {
    /// Asks the store nothing yet.
    pub(super) fn open(url: &str) -> Result<Self, ExposuresError> {
        let Address::Bucket { name, prefix } = Address::parse(url)? else {
            return Err(ExposuresError::Url(url.into()));
        };
        let failed = |problem: String| ExposuresError::Bucket { url: url.into(), problem };
        // Another part of the process may have chosen; any provider of TLS will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Each put has a runtime of its own, and between two files the store has long closed a connection.
        let idle = AmazonS3ConfigKey::Client(ClientConfigKey::PoolMaxIdlePerHost);
        // Whoever writes tries again itself.
        let retries = RetryConfig { max_retries: 2, retry_timeout: Duration::from_secs(10), ..Default::default() };
        let store = AmazonS3Builder::from_env().with_bucket_name(name).with_config(idle, "0").with_retry(retries);
        Ok(Self {
            store: store.build().map_err(|error| failed(error.to_string()))?,
            prefix: Path::parse(prefix).map_err(|error| failed(error.to_string()))?,
            url: url.trim_end_matches('/').into(),
        })
    }

    /// An object appears when it is whole; one that was put before under the same name is replaced.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> object_store::Result<()> {
        self.store.put(&self.prefix.clone().join(name), bytes.into()).await.map(|_| ())
    }
}

impl Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}
