//! The few file calls that durability rests on, in one place, so that a test can make each of them fail.
//!
//! It is no second storage: without a hook every call goes straight to the file system.
//!
//! INVARIANT: a file that was created or renamed is followed by a sync of its directory.

use crate::StoreError;
use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A call that a hook may judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskCall {
    Create,
    Write,
    Sync,
    SyncDirectory,
    Rename,
    Truncate,
    FreeSpace,
}

/// What a hook makes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Proceed,
    /// The call fails with this error number and does nothing.
    Fail(i32),
    /// A write leaves this many bytes and then fails with this error number.
    Tear(usize, i32),
    /// What [`DiskCall::FreeSpace`] answers.
    FreeBytes(u64),
}

/// Judges each call before it is made. For tests.
pub type DiskHook = Arc<dyn Fn(DiskCall, &Path) -> Verdict + Send + Sync>;

/// File calls, with the hook in front.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    hook: Option<DiskHook>,
}

impl Disk {
    pub(crate) fn new(hook: Option<DiskHook>) -> Self {
        Self { hook }
    }

    fn judge(&self, call: DiskCall, path: &Path) -> Verdict {
        self.hook.as_ref().map_or(Verdict::Proceed, |hook| hook(call, path))
    }

    fn allow(&self, call: DiskCall, path: &Path) -> Result<(), StoreError> {
        match self.judge(call, path) {
            Verdict::Fail(code) | Verdict::Tear(_, code) => {
                Err(StoreError::io(path, &io::Error::from_raw_os_error(code)))
            }
            Verdict::Proceed | Verdict::FreeBytes(_) => Ok(()),
        }
    }

    /// A new file, or one without content, to be written and read.
    pub(crate) fn create(&self, path: &Path) -> Result<File, StoreError> {
        self.allow(DiskCall::Create, path)?;
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(true);
        options.open(path).map_err(|e| StoreError::io(path, &e))
    }

    pub(crate) fn write_at(
        &self,
        file: &File,
        path: &Path,
        bytes: &[u8],
        offset: u64,
    ) -> Result<(), StoreError> {
        if let Verdict::Tear(kept, _) = self.judge(DiskCall::Write, path) {
            let head = bytes.get(..kept).unwrap_or(bytes);
            file.write_all_at(head, offset).map_err(|e| StoreError::io(path, &e))?;
        }
        self.allow(DiskCall::Write, path)?;
        file.write_all_at(bytes, offset).map_err(|e| StoreError::io(path, &e))
    }

    /// `fdatasync`. Never tried again after it failed: the kernel may have dropped the pages.
    pub(crate) fn sync(&self, file: &File, path: &Path) -> Result<(), StoreError> {
        self.allow(DiskCall::Sync, path)?;
        file.sync_data().map_err(|e| StoreError::io(path, &e))
    }

    pub(crate) fn sync_directory(&self, path: &Path) -> Result<(), StoreError> {
        self.allow(DiskCall::SyncDirectory, path)?;
        File::open(path)
            .and_then(|directory| directory.sync_all())
            .map_err(|e| StoreError::io(path, &e))
    }

    pub(crate) fn truncate(&self, file: &File, path: &Path, length: u64) -> Result<(), StoreError> {
        self.allow(DiskCall::Truncate, path)?;
        file.set_len(length).map_err(|e| StoreError::io(path, &e))
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        self.allow(DiskCall::Rename, to)?;
        fs::rename(from, to).map_err(|e| StoreError::io(to, &e))?;
        self.sync_parent(to)
    }

    pub(crate) fn sync_parent(&self, path: &Path) -> Result<(), StoreError> {
        // What is named alone stands where the process does.
        let here = |parent: &Path| parent.as_os_str().is_empty();
        path.parent().map_or(Ok(()), |parent| {
            self.sync_directory(if here(parent) { Path::new(".") } else { parent })
        })
    }

    /// Replaces a small file so that a reader finds the old one or the new one, whole.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let beside = beside(path, "new");
        self.allow(DiskCall::Write, &beside)?;
        let mut file = File::create(&beside).map_err(|e| StoreError::io(&beside, &e))?;
        file.write_all(bytes).map_err(|e| StoreError::io(&beside, &e))?;
        self.sync(&file, &beside)?;
        self.rename(&beside, path)
    }

    /// Bytes that an unprivileged process may still write to the file system of `path`.
    pub(crate) fn free_bytes(&self, path: &Path) -> Result<u64, StoreError> {
        if let Verdict::FreeBytes(bytes) = self.judge(DiskCall::FreeSpace, path) {
            return Ok(bytes);
        }
        let stat =
            rustix::fs::statvfs(path).map_err(|e| StoreError::io(path, &io::Error::from(e)))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// `path` with one more extension.
pub(crate) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

/// Copies a directory of files and folders. The copy can be written to, also where the original cannot.
pub(crate) fn copy_directory(
    from: &Path,
    to: &Path,
    copied: &mut dyn FnMut(u64),
) -> Result<(), StoreError> {
    fs::create_dir_all(to).map_err(|e| StoreError::io(to, &e))?;
    for entry in fs::read_dir(from).map_err(|e| StoreError::io(from, &e))? {
        let entry = entry.map_err(|e| StoreError::io(from, &e))?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &target, copied)?;
        } else {
            let failed = |e: io::Error| StoreError::io(&target, &e);
            copied(fs::copy(entry.path(), &target).map_err(failed)?);
            if fs::metadata(&target).map_err(failed)?.permissions().readonly() {
                let writable = fs::Permissions::from_mode(0o600);
                fs::set_permissions(&target, writable).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// Bytes of all files below a directory; 0 when there is none, and without what goes away meanwhile. Links are not
/// followed: a store has none.
pub fn directory_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => directory_bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
