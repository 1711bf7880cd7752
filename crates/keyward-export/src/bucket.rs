//! An S3-compatible store, by the `object_store` crate.
//!
//! INVARIANT: nothing is awaited outside: each call runs to its end on a runtime of its own, as file calls do.

use crate::{Destination, ExportError, S3};
use futures_util::TryStreamExt as _;
use keyward_trail::files::{Object, Objects, ObjectsError, is_plain_key};
use object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStore, PutOptions, PutPayload,
    aws::AmazonS3Builder, path::Path,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::runtime::{Builder, Runtime};

pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // Waiting for it would panic on a thread of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Bucket {
    /// A bucket of AWS's, or of whatever is at the endpoint; no request is made.
    ///
    /// # Errors
    /// When the settings do not fit together.
    pub fn at(bucket: &str, settings: &S3) -> Result<Self, ExportError> {
        let S3 { endpoint, region, access_key_id, secret_access_key, session_token } = settings;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(region.as_deref().unwrap_or("us-east-1"))
            .with_access_key_id(access_key_id)
            .with_secret_access_key(secret_access_key);
        if let Some(token) = session_token {
            builder = builder.with_token(token);
        }
        if let Some(endpoint) = endpoint {
            // Without TLS only when the operator wrote so.
            builder =
                builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http:"));
        }
        let store = builder.build().map_err(|error| ExportError::Destination(error.to_string()))?;
        Self::of(Arc::new(store))
    }

    /// # Errors
    /// When the system gives no runtime.
    pub fn of(store: Arc<dyn ObjectStore>) -> Result<Self, ExportError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| ExportError::Destination(error.to_string()))?;
        Ok(Self { store, runtime: Some(runtime) })
    }

    fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            None => Err(Error::NotImplemented {
                operation: "a call".to_owned(),
                implementer: "a bucket that was dropped".to_owned(),
            }),
        }
    }
}

fn failed(key: &str, error: &Error) -> ObjectsError {
    ObjectsError(format!("{key}: {error}"))
}

impl Objects for Bucket {
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectsError> {
        // The library lists whole folders.
        let folder = prefix.rsplit_once('/').map(|(folder, _)| Path::from(folder));
        let listed = self.store.list(folder.as_ref()).map_ok(|found| found.location.to_string());
        let keys: Result<Vec<String>, Error> = self.run(listed.try_collect());
        let mut keys = keys.map_err(|error| failed(prefix, &error))?;
        keys.retain(|key| key.starts_with(prefix));
        keys.sort();
        Ok(keys)
    }

    fn get(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        let path = Path::from(key);
        let got = self.run(async {
            let found = self.store.get_opts(&path, GetOptions::default()).await?;
            let attributes = found.attributes.clone();
            Ok((attributes, found.bytes().await?))
        });
        let (attributes, bytes) = match got {
            Ok(got) => got,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(key, &error)),
        };
        let metadata: BTreeMap<String, String> = attributes
            .iter()
            .filter_map(|(name, value)| match name {
                Attribute::Metadata(name) => {
                    Some((name.to_ascii_lowercase(), value.as_ref().to_owned()))
                }
                _ => None,
            })
            .collect();
        Ok(Some(Object { bytes: bytes.to_vec(), metadata }))
    }
}

impl Destination for Bucket {
    fn put(&self, key: &str, object: &Object) -> Result<(), ObjectsError> {
        if !is_plain_key(key) {
            return Err(ObjectsError(format!("{key:?} cannot be the name of an object")));
        }
        let attributes: Attributes = object
            .metadata
            .iter()
            .map(|(name, value)| (Attribute::Metadata(name.clone().into()), value.clone()))
            .collect();
        let (path, payload) = (Path::from(key), PutPayload::from(object.bytes.clone()));
        let options = PutOptions::from(attributes);
        self.run(self.store.put_opts(&path, payload, options))
            .map(drop)
            .map_err(|error| failed(key, &error))
    }
}
