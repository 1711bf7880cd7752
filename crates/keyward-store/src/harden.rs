//! Makes sled's flush a sync.
//!
//! sled 0.34.7 flushes with `sync_file_range` on Linux, which writes neither metadata nor the device's
//! cache. When that call answers ENOSYS, sled falls back to a full sync of its own.
//! A seccomp rule makes it answer so, for this process and its children.
//! Source: <https://github.com/spacejam/sled/issues/1452>, <https://man7.org/linux/man-pages/man2/sync_file_range.2.html>
//!
//! INVARIANT: a store that promises durable commits does not open unless [`sync_is_real`].

/// Installs the rule for every thread of the process. Call it first thing in `main`.
///
/// It also sets `no_new_privs`, without which an ordinary user may not install a rule.
///
/// # Errors
/// A sentence when the kernel refuses the rule.
#[cfg(target_os = "linux")]
pub fn make_sync_real() -> Result<(), String> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    use std::collections::BTreeMap;

    if sync_is_real() {
        return Ok(());
    }
    let arch = std::env::consts::ARCH.try_into().map_err(|e| format!("seccomp: {e:?}"))?;
    let enosys = u32::try_from(libc::ENOSYS).map_err(|e| e.to_string())?;
    let filter = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_sync_file_range, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(enosys),
        arch,
    );
    let program: BpfProgram =
        filter.and_then(TryInto::try_into).map_err(|e| format!("seccomp rule: {e}"))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|e| format!("seccomp: {e}"))?;
    if sync_is_real() {
        Ok(())
    } else {
        Err("the seccomp rule was accepted but has no effect".to_owned())
    }
}

/// Whether `sync_file_range` answers ENOSYS here: calls it once, on no file.
#[cfg(target_os = "linux")]
pub fn sync_is_real() -> bool {
    #[expect(
        unsafe_code,
        reason = "INVARIANT: the call takes plain numbers, and -1 names no file, so nothing is touched"
    )]
    let answer = unsafe { libc::sync_file_range(-1, 0, 0, 0) };
    answer == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS)
}

/// Elsewhere sled syncs by itself.
#[cfg(not(target_os = "linux"))]
pub fn make_sync_real() -> Result<(), String> {
    Ok(())
}

/// Elsewhere sled syncs by itself.
#[cfg(not(target_os = "linux"))]
pub fn sync_is_real() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_takes_effect_and_may_be_asked_for_twice() {
        make_sync_real().unwrap();
        assert!(sync_is_real());
        make_sync_real().unwrap();
    }
}
