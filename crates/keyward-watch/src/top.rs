//! The largest contributors of a short time, in little room.
//!
//! Source: Metwally, Agrawal and El Abbadi, <https://doi.org/10.1007/978-3-540-30570-5_27> (Space-Saving).

use crate::Contributor;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Names that are counted at once.
const NAMES_MAX: usize = 5;

/// INVARIANT: at most five names; counts are never too low, and too high by no more than the smallest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Top {
    hour: i64,
    names: Vec<(Arc<str>, u32)>,
}

impl Top {
    /// Counts a name; what earlier hours counted is forgotten.
    pub(crate) fn count(&mut self, minute: i64, name: &Arc<str>) {
        let hour = minute.div_euclid(60);
        if self.hour != hour {
            self.hour = hour;
            self.names.clear();
        }
        if let Some((_, count)) = self.names.iter_mut().find(|(known, _)| known == name) {
            *count = count.saturating_add(1);
        } else if self.names.len() < NAMES_MAX {
            self.names.push((name.clone(), 1));
        } else if let Some(least) = self.names.iter_mut().min_by_key(|(_, count)| *count) {
            *least = (name.clone(), least.1.saturating_add(1));
        }
    }

    /// The largest first; equal ones by name.
    pub(crate) fn contributors(&self) -> Vec<Contributor> {
        let mut all: Vec<Contributor> = self
            .names
            .iter()
            .map(|(name, count)| Contributor { name: name.clone(), count: *count })
            .collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_stay_and_hours_begin_anew() {
        let mut top = Top::default();
        for i in 0..100 {
            top.count(1, &"often".into());
            top.count(1, &format!("seldom {i}").into());
        }
        let all = top.contributors();
        assert_eq!((all.len(), &*all[0].name, all[0].count), (5, "often", 100));
        top.count(60, &"next".into());
        assert_eq!(top.contributors(), [Contributor { name: "next".into(), count: 1 }]);
    }
}
