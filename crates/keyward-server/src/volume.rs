//! How large the store's files are, and how much room is left beside them.
//!
//! Zeros where the system does not say, or where the directory is not known.

use keyward_store::directory_bytes;
use std::path::PathBuf;

/// The store's directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Volume(pub(crate) Option<PathBuf>);

impl Volume {
    /// Bytes of all files in it.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.0.as_deref().map_or(0, directory_bytes)
    }

    /// Bytes that its file system has left for us.
    pub(crate) fn free_bytes(&self) -> u64 {
        let stat = self.0.as_deref().and_then(|path| rustix::fs::statvfs(path).ok());
        stat.map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_are_added_at_every_depth() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("inner")).unwrap();
        fs::write(home.path().join("a"), [0; 10]).unwrap();
        fs::write(home.path().join("inner/b"), [0; 7]).unwrap();
        let volume = Volume(Some(home.path().to_owned()));
        assert_eq!(volume.size_bytes(), 17);
        assert!(0 < volume.free_bytes());
        assert_eq!((Volume::default().size_bytes(), Volume::default().free_bytes()), (0, 0));
    }
}
