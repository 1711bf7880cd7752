//! Which statements and grants decided at least one case.
//!
//! A document that two principals share counts once. Denies that nothing tries come first: they are what a
//! test that only allows forgets.

use crate::{
    read::{TestFile, Wanted},
    run::Decided,
};
use keyward_types::Layer;
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default)]
pub struct Coverage {
    pub units: Vec<Unit>,
    wanted: Option<f64>,
}

/// A statement or a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// `key.json:4 AllowUse`, or `grant nightly`.
    pub name: String,
    pub denies: bool,
    pub decided: bool,
}

impl Coverage {
    pub fn covered(&self) -> usize {
        self.units.iter().filter(|unit| unit.decided).count()
    }

    /// Of a file without statements everything is covered.
    #[expect(clippy::cast_precision_loss, reason = "a file has far fewer than 2^52 statements")]
    pub fn percent(&self) -> f64 {
        if self.units.is_empty() {
            return 100.0;
        }
        self.covered() as f64 * 100.0 / self.units.len() as f64
    }

    /// What decided nothing, denies first.
    pub fn missing(&self) -> Vec<&Unit> {
        let mut missing: Vec<&Unit> = self.units.iter().filter(|unit| !unit.decided).collect();
        missing.sort_by_key(|unit| !unit.denies);
        missing
    }

    /// `3 of 4 statements and grants (75.0%)`.
    pub fn words(&self) -> String {
        let (covered, all) = (self.covered(), self.units.len());
        format!("{covered} of {all} statements and grants ({:.1}%)", self.percent())
    }

    /// What is wrong, where the file fails under a threshold.
    pub fn problem(&self) -> Option<String> {
        let wanted = self.wanted.filter(|wanted| self.percent() < *wanted)?;
        Some(format!("coverage is {}, and the file asks for {wanted}%", self.words()))
    }
}

/// `whole`: every case was run, so that the file's threshold says something.
pub(crate) fn of(file: &TestFile, decided: &[Decided], whole: bool) -> Coverage {
    let mut statements: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut grants: BTreeSet<&str> = BTreeSet::new();
    for one in decided.iter().filter(|one| one.as_expected) {
        let asked = file.cases.get(one.case).map(|case| &case.asked);
        // A policy that was only tried is none of the file's.
        let Some(asked) = asked.filter(|asked| asked.put.is_none()) else { continue };
        let policy = asked.key.as_ref().and_then(|key| file.world.keys.get(key));
        for ground in &one.grounds {
            let document = match ground.layer {
                Layer::Grant => {
                    grants.insert(&ground.name);
                    continue;
                }
                Layer::KeyPolicy => policy.map(|key| key.policy),
                layer => file.documents.iter().position(|document| {
                    document.label == ground.document && document.is_of(layer)
                }),
            };
            statements.extend(document.map(|document| (document, ground.index)));
        }
    }
    let mut units = Vec::new();
    for (number, document) in file.documents.iter().enumerate() {
        for (index, statement) in document.statements.iter().enumerate() {
            let sid = statement.sid.clone().unwrap_or_else(|| format!("[{index}]"));
            units.push(Unit {
                name: format!("{}:{} {sid}", document.label, statement.at.line),
                denies: statement.denies,
                decided: statements.contains(&(number, index)),
            });
        }
    }
    units.extend(file.world.grants.iter().map(|grant| Unit {
        name: format!("grant {}", grant.id),
        denies: false,
        decided: grants.contains(grant.id.as_str()),
    }));
    let Wanted { statements, fail_under } = file.coverage;
    Coverage { units, wanted: statements.filter(|_| fail_under && whole) }
}
