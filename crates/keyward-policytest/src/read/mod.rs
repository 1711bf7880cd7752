//! A `*.policytest.yaml` as it was understood: what it tests, its cases, and what it asks of coverage.
//!
//! `world.rs` reads what cases refer to, `documents.rs` the policies, `cases.rs` the tests. Everything is read and
//! checked before anything is decided, so that a file with a mistake has no result.

pub(crate) mod cases;
pub(crate) mod documents;
mod fields;
pub(crate) mod proof;
pub(crate) mod world;

use crate::{
    fault::{Fault, Wrong},
    members::Members,
    yaml::Node,
};
use cases::Case;
use documents::{Documents, ReadFile, TestedDocument};
use keyward_policy::{Place, PolicyEngine};
use proof::Proof;
use world::World;

/// One file.
pub(crate) struct TestFile {
    pub(crate) documents: Vec<TestedDocument>,
    pub(crate) world: World,
    pub(crate) cases: Vec<Case>,
    pub(crate) proofs: Vec<Proof>,
    pub(crate) coverage: Wanted,
}

/// What a file asks of coverage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    /// Percent of statements and grants.
    pub(crate) statements: Option<f64>,
    pub(crate) fail_under: bool,
}

impl TestFile {
    /// `name`: what the file is called in messages. `read`: reads what it names.
    pub(crate) fn read(
        engine: &PolicyEngine,
        name: &str,
        text: &str,
        read: &ReadFile<'_>,
    ) -> Result<Self, Fault> {
        Self::understand(engine, text, read).map_err(|wrong| wrong.of(name))
    }

    fn understand(engine: &PolicyEngine, text: &str, read: &ReadFile<'_>) -> Result<Self, Wrong> {
        let start = Place { line: 1, column: 1 };
        let root = Node::read(text)?.ok_or_else(|| Wrong::new(start, "the file is empty"))?;
        let mut members = Members::of("a policy test", &root)?;
        let version = members.needed("version")?;
        if version.text() != Some("1") {
            return Err(Wrong::new(version.at, "version is 1"));
        }
        let (policies, defaults) = (members.take("policies"), members.take("defaults"));
        let tests = members.needed("tests")?;
        let (proofs, coverage) = (members.list("prove")?, members.take("coverage"));
        // A misspelt name is told before what its absence makes of the rest.
        members.end()?;
        let mut documents = Documents::new(engine, read);
        let world = World::read(policies, &mut documents)?;
        let cases = cases::read(tests, defaults, &world, &documents)?;
        let proof = |node| proof::read(node, &world, &documents);
        let proofs = proofs.iter().map(proof).collect::<Result<_, _>>()?;
        let coverage = coverage.map(wanted).transpose()?.unwrap_or_default();
        Ok(Self { documents: documents.all, world, cases, proofs, coverage })
    }
}

fn wanted(node: &Node) -> Result<Wanted, Wrong> {
    let mut members = Members::of("coverage", node)?;
    let statements = members.take("statements");
    let percent = |node: &Node| {
        let text = node.text().unwrap_or_default();
        let number = text.trim_end_matches('%').parse().ok();
        number.filter(|number| (0.0..=100.0).contains(number)).ok_or_else(|| {
            Wrong::new(node.at, format!("statements is a percentage such as 90%, not {text}"))
        })
    };
    let wanted = Wanted {
        statements: statements.map(percent).transpose()?,
        fail_under: members.truth("fail_under")?.unwrap_or(false),
    };
    if wanted.fail_under && wanted.statements.is_none() {
        return Err(Wrong::new(
            node.at,
            "fail_under has no percentage to fail under; add statements",
        ));
    }
    members.end()?;
    Ok(wanted)
}
