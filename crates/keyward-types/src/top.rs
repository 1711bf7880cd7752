//! The largest contributors of an hour, in little room.
//!
//! Source: Metwally, Agrawal and El Abbadi, <https://doi.org/10.1007/978-3-540-30570-5_27> (Space-Saving).

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// INVARIANT: at most `NAMES` names; counts are never too low, and too high by no more than the smallest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Top<const NAMES: usize> {
    hour: i64,
    names: Vec<(Arc<str>, u32)>,
}

impl<const NAMES: usize> Top<NAMES> {
    /// Counts a name; what earlier hours counted is forgotten.
    pub fn count(&mut self, hour: i64, name: &str) {
        self.add(hour, |known| **known == *name, || name.into());
    }

    /// The same with a name that is not copied: all names of this table must be of one pool, in which a text is there
    /// once.
    pub fn count_shared(&mut self, hour: i64, name: &Arc<str>) {
        self.add(hour, |known| Arc::ptr_eq(known, name), || Arc::clone(name));
    }

    fn add(
        &mut self,
        hour: i64,
        same: impl Fn(&Arc<str>) -> bool,
        make: impl FnOnce() -> Arc<str>,
    ) {
        self.turn(hour);
        if let Some((_, count)) = self.names.iter_mut().find(|(known, _)| same(known)) {
            *count = count.saturating_add(1);
        } else if self.names.len() < NAMES {
            // There are many of these tables, and most have one name.
            self.names.reserve_exact(1);
            self.names.push((make(), 1));
        } else if let Some(least) = self.names.iter_mut().min_by_key(|(_, count)| *count) {
            *least = (make(), least.1.saturating_add(1));
        }
    }

    /// The names, to be replaced by equal ones.
    pub fn names_mut(&mut self) -> impl Iterator<Item = &mut Arc<str>> {
        self.names.iter_mut().map(|(name, _)| name)
    }

    /// Forgets what another hour counted.
    pub fn turn(&mut self, hour: i64) {
        if self.hour != hour {
            self.hour = hour;
            self.names.clear();
        }
    }

    /// The largest first; equal ones by name.
    pub fn largest(&self) -> Vec<(Arc<str>, u32)> {
        let mut all = self.names.clone();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_stay_and_hours_begin_anew() {
        let mut top = Top::<5>::default();
        for i in 0..100 {
            top.count(1, "often");
            top.count(1, &format!("seldom {i}"));
        }
        let all = top.largest();
        let (name, count) = all.first().unwrap();
        assert_eq!((all.len(), &**name, *count), (5, "often", 100));
        top.count(2, "next");
        assert_eq!(top.largest(), [("next".into(), 1)]);
        top.turn(3);
        assert_eq!(top.largest(), []);
    }
}
