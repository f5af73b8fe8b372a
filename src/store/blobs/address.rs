//! Stores by their address: `s3://bucket/prefix`, `gs://…`, `az://…`, `file:///…`.
//!
//! Credentials and everything else come as those ecosystems have them: from `AWS_…`, `GOOGLE_…`
//! and `AZURE_…` in the environment, or from the role of the machine. None is in an address.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, Error, ObjectStore, RetryConfig};
use tokio_rustls::rustls::crypto::ring;

use super::{BlobError, Blobs, FolderBlobs, ObjectBlobs};

/// After this a connection that can't be made is given up.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// After this an attempt is given up. A commit of 8 MiB takes a second on a connection of 70 Mbit/s;
/// [`super::Patience`] sets shorter limits for what is small.
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// Opens the store of an address. Nothing is asked of the store yet.
///
/// # Errors
/// [`BlobError::Address`] if the address names no store, or what the environment says of it can't
/// be used.
pub fn open(address: &str) -> Result<Arc<dyn Blobs>, BlobError> {
    let wrong = |why: &str| BlobError::Address {
        address: without_secret(address),
        why: format!("{why}; one looks like s3://bucket/prefix, gs://…, az://… or file:///folder"),
    };
    let (scheme, rest) = address
        .split_once("://")
        .ok_or_else(|| wrong("it has no ://"))?;
    if rest.contains(['?', '#', '@']) {
        return Err(wrong(
            "it has a ?, # or @, but keys and settings come from the environment",
        ));
    }
    if scheme == "file" {
        let folder = Path::new(rest);
        if !folder.is_absolute() {
            return Err(wrong("the folder's path does not begin with a /"));
        }
        let folder = FolderBlobs::open(folder).map_err(|error| wrong(&error.to_string()))?;
        return Ok(Arc::new(folder));
    }
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(wrong("it names no bucket"));
    }
    let prefix = prefix.trim_end_matches('/');
    if !prefix.is_empty() && !super::is_name(prefix) {
        return Err(wrong(
            "its prefix has other characters than letters, digits, '-', '_', '.' and '/', or an empty part",
        ));
    }
    let objects = match scheme {
        "s3" => s3(bucket),
        "gs" => gcs(bucket),
        "az" => azure(bucket),
        _ => return Err(wrong("no store has this scheme")),
    };
    let objects = objects.map_err(|error| wrong(&error.to_string()))?;
    let address = address.trim_end_matches('/').to_owned();
    Ok(Arc::new(ObjectBlobs::new(objects, address, prefix)))
}

fn s3(bucket: &str) -> Result<Arc<dyn ObjectStore>, Error> {
    let store = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        // Whatever the environment says: without this there is no log.
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(no_retries())
        .with_client_options(client_options("AWS_ALLOW_HTTP"))
        .build()?;
    Ok(Arc::new(store))
}

fn gcs(bucket: &str) -> Result<Arc<dyn ObjectStore>, Error> {
    let store = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(bucket)
        .with_retry(no_retries())
        .with_client_options(client_options("GOOGLE_ALLOW_HTTP"))
        .build()?;
    Ok(Arc::new(store))
}

fn azure(container: &str) -> Result<Arc<dyn ObjectStore>, Error> {
    let store = MicrosoftAzureBuilder::from_env()
        .with_container_name(container)
        .with_retry(no_retries())
        .with_client_options(client_options("AZURE_ALLOW_HTTP"))
        .build()?;
    Ok(Arc::new(store))
}

/// A create that the crate resends by itself is denied by the crate, though it was done.
fn no_retries() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

/// How requests are sent. Plain HTTP only where the environment's own variable allows it, as for a
/// server on this machine.
fn client_options(allow_http: &str) -> ClientOptions {
    // The TLS that everything else here uses. If the program chose one already, that one stays.
    let _ = ring::default_provider().install_default();
    let allowed = std::env::var(allow_http).is_ok_and(|value| value == "true" || value == "1");
    ClientOptions::new()
        .with_connect_timeout(CONNECT_MAX)
        .with_timeout(REQUEST_MAX)
        .with_allow_http(allowed)
}

/// An address as an error may show it: what stands before an `@` or behind a `?` may be a secret.
fn without_secret(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let rest = rest.rsplit('@').next().unwrap_or(rest);
    format!("{scheme}://{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_names_no_store_is_refused_and_no_secret_of_it_is_shown() {
        for address in [
            "bucket",
            "s3://",
            "s3:///prefix",
            "ftp://bucket/prefix",
            "file://relative",
            "s3://bucket/a//b",
            "s3://bucket/../b",
            "s3://bucket/pre fix",
            "s3://user:geheim@bucket/prefix",
            "s3://bucket/prefix?secret=geheim",
        ] {
            let error = open(address).unwrap_err();
            assert!(matches!(error, BlobError::Address { .. }), "{address}");
            let text = error.to_string();
            assert!(
                text.contains("looks like") && !text.contains("geheim"),
                "{text}"
            );
        }
    }
}
