//! Events as files: CloudTrail's folder with signed digests, and rows for other programs.
//!
//! [`Exporter`] drives what `keyward_trail::files` says; [`Folder`] is where it writes, or a bucket with the
//! feature `s3`. It knows no policy and no HTTP of its own; the key that signs comes in as [`SigningKey`].
//!
//! INVARIANT: what was written once is never written differently.
//! INVARIANT: a process that is killed leaves a destination that the next run finishes.

#[cfg(feature = "s3")]
mod bucket;
mod cloudtrail;
mod folder;
#[cfg(feature = "parquet")]
mod parquet;
mod rows;
#[cfg(test)]
mod tests;
mod to;

#[cfg(feature = "s3")]
pub use bucket::Bucket;
pub use cloudtrail::{ExportError, Exported, Exporter, SigningKey, Until};
pub use folder::Folder;
#[cfg(feature = "parquet")]
pub use parquet::ParquetRows;
pub use rows::{COLUMNS, Column, csv_header, csv_row};
pub use to::{S3, To, to};

use keyward_trail::files::{Object, Objects, ObjectsError};

/// Where files go.
pub trait Destination: Objects + Send + Sync {
    /// Stores an object whole or not at all, in the place of one that is there.
    ///
    /// # Errors
    /// When it is not stored for certain.
    fn put(&self, key: &str, object: &Object) -> Result<(), ObjectsError>;
}
