//! The largest contributors to a series or a sweep in an hour.

use crate::Contributor;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Names that are counted at once.
const NAMES_MAX: usize = 5;

/// INVARIANT: it is stored as what it wraps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Top(keyward_types::Top<NAMES_MAX>);

impl Top {
    /// Counts a name; what earlier hours counted is forgotten.
    pub(crate) fn count(&mut self, minute: i64, name: &Arc<str>) {
        self.0.count(minute.div_euclid(60), name);
    }

    /// The largest first; equal ones by name.
    pub(crate) fn contributors(&self) -> Vec<Contributor> {
        let largest = self.0.largest().into_iter();
        largest.map(|(name, count)| Contributor { name, count }).collect()
    }
}
