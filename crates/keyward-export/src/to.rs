//! Where files go, from the words of an operator: a folder, or `s3://BUCKET/PREFIX`.

use crate::{Destination, ExportError, Folder};
use keyward_trail::files::is_plain_key;
use serde::Deserialize;
use std::sync::Arc;

/// How an S3-compatible store is reached. Credentials are passed in, never read from a file.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// Such as `https://minio.example.com`; AWS's own unless said.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    #[serde(skip)]
    pub access_key_id: String,
    #[serde(skip)]
    pub secret_access_key: String,
    #[serde(skip)]
    pub session_token: Option<String>,
}

impl core::fmt::Debug for S3 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { endpoint, region, .. } = self;
        f.debug_struct("S3")
            .field("endpoint", endpoint)
            .field("region", region)
            .finish_non_exhaustive()
    }
}

/// A destination, and what it is called.
pub struct To {
    pub destination: Arc<dyn Destination>,
    /// When it is one.
    pub folder: Option<Folder>,
    /// When it is said.
    pub bucket: Option<String>,
    pub prefix: Option<String>,
}

/// # Errors
/// When it cannot be a destination, or this build cannot reach it.
pub fn to(text: &str, s3: &S3) -> Result<To, ExportError> {
    let Some(rest) = text.strip_prefix("s3://") else {
        let folder = Folder::new(text);
        return Ok(To {
            destination: Arc::new(folder.clone()),
            folder: Some(folder),
            bucket: None,
            prefix: None,
        });
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    let prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
    if !is_plain_key(bucket) || !prefix.as_deref().is_none_or(is_plain_key) {
        return Err(ExportError::Destination(format!(
            "{text} is not of the form s3://BUCKET/PREFIX with letters, digits and _-. alone"
        )));
    }
    let destination = bucket_at(bucket, s3)?;
    Ok(To { destination, folder: None, bucket: Some(bucket.to_owned()), prefix })
}

#[cfg(feature = "s3")]
fn bucket_at(bucket: &str, s3: &S3) -> Result<Arc<dyn Destination>, ExportError> {
    Ok(Arc::new(crate::Bucket::at(bucket, s3)?))
}

#[cfg(not(feature = "s3"))]
fn bucket_at(_: &str, _: &S3) -> Result<Arc<dyn Destination>, ExportError> {
    Err(ExportError::Destination(
        "this build writes to folders alone; build it with the feature `s3` for s3://".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_folder_and_nothing_else_is_guessed() {
        let place = to("/some/folder", &S3::default()).unwrap();
        assert_eq!(place.folder.unwrap().path(), std::path::Path::new("/some/folder"));
        for bad in ["s3://", "s3://b/../c", "s3://b/a b"] {
            assert!(matches!(to(bad, &S3::default()), Err(ExportError::Destination(_))), "{bad}");
        }
    }
}
