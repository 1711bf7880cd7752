//! Names that are there once, however many series and principals bear them.

use crate::{Observation, novelty::concerned};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// So many names may be there that nothing bears any more, and as many as the others.
const UNUSED_MAX: usize = 1_024;

/// A name of [`Names`]. Two of the same text are the same place in memory, so that tables look for the place.
///
/// INVARIANT: what was read with copies is made to share (`share`) before anything is looked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Name(Arc<str>);

impl Name {
    pub(crate) fn shared(&self) -> &Arc<str> {
        &self.0
    }

    fn place(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl core::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.place());
    }
}

/// A hash of places in memory and of small numbers, which nobody outside can choose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Places(u64);

impl Hasher for Places {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.unsigned_abs() as u64);
    }

    /// The two halves of a product, so that each bit moves many.
    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number ^ 0x9e37_79b9_7f4a_7c15) * 0xd1b5_4a32_d192_ed03;
        let (low, high) = (product & u128::from(u64::MAX), product >> 64);
        self.0 = u64::try_from(low ^ high).unwrap_or_default();
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// INVARIANT: bounded by what bears names: at most twice that, and a few.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    known: HashSet<Arc<str>>,
    /// How many were there after the last sweep.
    used: usize,
}

/// The names of an event.
pub(crate) struct Named {
    pub(crate) account: Name,
    pub(crate) principal: Name,
    /// Each key with the account that owns it.
    pub(crate) keys: Vec<(Name, Name)>,
}

impl Names {
    pub(crate) fn of(&mut self, event: &Observation) -> Named {
        let account = self.one(&event.account);
        let principal = self.one(&event.principal);
        let owned = |key: &String| {
            let owner = concerned(&event.account, Some(key));
            let owner = if *owner == *account { account.clone() } else { self.one(owner) };
            (self.one(key), owner)
        };
        let keys = event.keys.iter().map(owned).collect();
        Named { account, principal, keys }
    }

    /// The name that others bear too, in place of a copy.
    pub(crate) fn share(&mut self, name: &mut Name) {
        *name = self.one(name);
    }

    /// The same for a name that is no key of a table.
    pub(crate) fn share_text(&mut self, name: &mut Arc<str>) {
        *name = self.one(name).0;
    }

    fn one(&mut self, name: &str) -> Name {
        if let Some(known) = self.known.get(name) {
            return Name(Arc::clone(known));
        }
        if 2 * self.used + UNUSED_MAX <= self.known.len() {
            self.known.retain(|name| 1 < Arc::strong_count(name));
            self.used = self.known.len();
        }
        let name: Arc<str> = name.into();
        self.known.insert(Arc::clone(&name));
        Name(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shared_and_those_of_nothing_go() {
        let mut names = Names::default();
        let (kept, again) = (names.one("kept"), names.one("kept"));
        assert_eq!(kept, again);
        for i in 0..10_000 {
            drop(names.one(&i.to_string()));
        }
        assert!(names.known.len() <= UNUSED_MAX + 2, "{}", names.known.len());
        assert_eq!(kept, names.one("kept"));
        assert_ne!(kept, Names::default().one("kept"), "of another watch");
    }
}
