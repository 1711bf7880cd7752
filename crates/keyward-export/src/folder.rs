//! A folder as a bucket: a file for each key. Metadata stands beside, below `.metadata`, because files have none.
//!
//! INVARIANT: a key leads to a file only by plain names, and through no symbolic link.
//! INVARIANT: a file is there whole or not at all, also after a power cut.

use crate::Destination;
use keyward_trail::files::{Object, Objects, ObjectsError, is_plain_key};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

const METADATA: &str = ".metadata";
/// What a file is called until it is whole.
const UNFINISHED: &str = ".unfinished";

#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where a key leads, and whether that is a file and no folder.
    fn find(&self, key: &str) -> Result<Option<(PathBuf, bool)>, ObjectsError> {
        if !is_plain_key(key) {
            return Ok(None);
        }
        let mut path = self.0.clone();
        let mut is_file = false;
        for segment in key.split('/') {
            path.push(segment);
            // Of the entry itself: a link leads nowhere.
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => is_file = false,
                Ok(found) if found.is_file() => is_file = true,
                Ok(_) => return Ok(None),
                Err(error) if is_absent(&error) => return Ok(None),
                Err(error) => return Err(failed(&path, &error)),
            }
        }
        Ok(Some((path, is_file)))
    }

    fn metadata(&self, key: &str) -> Result<BTreeMap<String, String>, ObjectsError> {
        let path = self.metadata_path(key);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| ObjectsError(format!("{}: {error}", path.display()))),
            Err(error) if is_absent(&error) => Ok(BTreeMap::new()),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    fn metadata_path(&self, key: &str) -> PathBuf {
        self.0.join(METADATA).join(format!("{key}.json"))
    }

    /// The objects below a folder; and what is none, except what this folder keeps for itself.
    fn walk(&self, folder: &str, found: &mut Listed) -> Result<(), ObjectsError> {
        let path = self.0.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(failed(&path, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| failed(&path, &error))?;
            let kind = entry.file_type().map_err(|error| failed(&path, &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_own = (folder.is_empty() && name == METADATA && kind.is_dir())
                || (name.starts_with(UNFINISHED) && kind.is_file());
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            // What is not plain has no key.
            match is_plain_key(&key) {
                true if kind.is_dir() => self.walk(&key, found)?,
                true if kind.is_file() => found.objects.push(key),
                false if is_own => {}
                _ => found.strangers.push(key),
            }
        }
        Ok(())
    }
}

/// What lies in a folder.
#[derive(Default)]
struct Listed {
    objects: Vec<String>,
    strangers: Vec<String>,
}

impl Objects for Folder {
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectsError> {
        let mut found = Listed::default();
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder.is_empty() || self.find(folder)?.is_some() {
            self.walk(folder, &mut found)?;
        }
        let mut found = found.objects;
        found.retain(|key| key.starts_with(prefix));
        found.sort();
        Ok(found)
    }

    fn strangers(&self) -> Result<Vec<String>, ObjectsError> {
        let mut found = Listed::default();
        self.walk("", &mut found)?;
        let mut found = found.strangers;
        // A folder that is not plain may hold such a folder: it is not looked into.
        found.retain(|key| {
            key.split('/').any(|segment| segment == "AWSLogs") || self.0.join(key).is_dir()
        });
        found.sort();
        Ok(found)
    }

    fn get(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        let Some((path, true)) = self.find(key)? else { return Ok(None) };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(failed(&path, &error)),
        };
        Ok(Some(Object { bytes, metadata: self.metadata(key)? }))
    }
}

impl Destination for Folder {
    fn put(&self, key: &str, object: &Object) -> Result<(), ObjectsError> {
        if !is_plain_key(key) {
            return Err(ObjectsError(format!("{key:?} cannot be the name of a file")));
        }
        if !object.metadata.is_empty() {
            let path = self.metadata_path(key);
            let bytes = serde_json::to_vec(&object.metadata)
                .map_err(|error| ObjectsError(error.to_string()))?;
            write_whole(&path, &bytes).map_err(|error| failed(&path, &error))?;
        }
        let path = self.0.join(key);
        write_whole(&path, &object.bytes).map_err(|error| failed(&path, &error))
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn failed(path: &Path, error: &io::Error) -> ObjectsError {
    ObjectsError(format!("{}: {error}", path.display()))
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = folder.join(format!("{UNFINISHED}-{name}"));
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(folder)?.sync_all()
}

/// Makes what is missing, and syncs the folder in which it is made.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    make_folder(parent)?;
    match fs::create_dir(path) {
        Ok(()) => File::open(parent)?.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object { bytes: text.as_bytes().to_vec(), metadata: BTreeMap::new() }
    }

    #[test]
    fn what_is_put_is_got_and_listed() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().join("a/b"));
        assert_eq!(folder.list("").unwrap(), Vec::<String>::new());
        let metadata = BTreeMap::from([("signature".to_owned(), "00".to_owned())]);
        let signed = Object { metadata, ..object("digest") };
        folder.put("x/d.gz", &signed).unwrap();
        folder.put("x-y", &object("1")).unwrap();
        folder.put("x/a", &object("1")).unwrap();
        folder.put("x/a", &object("2")).unwrap();
        assert_eq!(folder.list("").unwrap(), ["x-y", "x/a", "x/d.gz"]);
        assert_eq!(folder.list("x/").unwrap(), ["x/a", "x/d.gz"]);
        assert_eq!(folder.list("x/d").unwrap(), ["x/d.gz"]);
        assert_eq!(folder.get("x/d.gz").unwrap(), Some(signed));
        assert_eq!(folder.get("x/a").unwrap(), Some(object("2")));
        for absent in ["x", "x/a/b", "y", "../a", ".metadata/x/d.gz.json", "/etc/passwd"] {
            assert_eq!(folder.get(absent).unwrap(), None, "{absent}");
        }
        assert!(folder.put("../x", &object("")).is_err());
    }

    #[test]
    fn links_lead_nowhere_and_leftovers_are_not_listed() {
        let home = tempfile::tempdir().unwrap();
        let outside = home.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "s").unwrap();
        let folder = Folder::new(home.path().join("in"));
        folder.put("real", &object("1")).unwrap();
        std::os::unix::fs::symlink(&outside, folder.path().join("folder")).unwrap();
        std::os::unix::fs::symlink(outside.join("secret"), folder.path().join("file")).unwrap();
        fs::write(folder.path().join(".unfinished-x"), "half").unwrap();
        assert_eq!(folder.list("").unwrap(), ["real"]);
        for absent in ["folder/secret", "file", ".unfinished-x"] {
            assert_eq!(folder.get(absent).unwrap(), None, "{absent}");
        }
        assert_eq!(folder.list("folder/").unwrap(), Vec::<String>::new());
        assert_eq!(folder.strangers().unwrap(), ["folder"], "it may hold anything");
    }

    #[test]
    fn what_lies_among_the_logs_and_is_none_is_told() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path());
        let metadata = BTreeMap::from([("signature".to_owned(), "00".to_owned())]);
        folder.put("a/AWSLogs/x/d.gz", &Object { metadata, ..object("1") }).unwrap();
        let logs = home.path().join("a/AWSLogs/x");
        fs::write(logs.join(".unfinished-e.gz"), "half").unwrap();
        assert_eq!(folder.strangers().unwrap(), Vec::<String>::new());
        fs::write(logs.join("a b.gz"), "").unwrap();
        fs::write(logs.join("a+b.gz"), "").unwrap();
        fs::write(logs.join(".hidden"), "").unwrap();
        std::os::unix::fs::symlink(logs.join("d.gz"), logs.join("e.gz")).unwrap();
        fs::create_dir(home.path().join("b c")).unwrap();
        fs::write(home.path().join("read me"), "").unwrap();
        let names = [".hidden", "a b.gz", "a+b.gz", "e.gz"];
        let names = names.map(|name| format!("a/AWSLogs/x/{name}"));
        let wanted: Vec<String> = names.into_iter().chain(["b c".to_owned()]).collect();
        assert_eq!(folder.strangers().unwrap(), wanted);
    }
}
