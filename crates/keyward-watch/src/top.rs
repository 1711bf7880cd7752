//! The largest contributors to a series or a sweep in an hour.

use crate::{
    Contributor,
    names::{Name, Names},
};
use serde::{Deserialize, Serialize};

/// Names that are counted at once.
const NAMES_MAX: usize = 5;

/// INVARIANT: it is stored as what it wraps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Top(keyward_types::Top<NAMES_MAX>);

impl Top {
    /// Counts a name; what earlier hours counted is forgotten.
    pub(crate) fn count(&mut self, minute: i64, name: &Name) {
        self.0.count_shared(minute.div_euclid(60), name.shared());
    }

    /// The same for a table that counts nothing but texts.
    pub(crate) fn count_text(&mut self, minute: i64, text: &str) {
        self.0.count(minute.div_euclid(60), text);
    }

    /// Bears names that others bear too, where it was read with copies.
    pub(crate) fn share(&mut self, names: &mut Names) {
        self.0.names_mut().for_each(|name| names.share_text(name));
    }

    /// The largest first; equal ones by name.
    pub(crate) fn contributors(&self) -> Vec<Contributor> {
        let largest = self.0.largest().into_iter();
        largest.map(|(name, count)| Contributor { name, count }).collect()
    }
}
