//! Policy tests as files: `*.policytest.yaml` in, what held and what did not out.
//!
//! A file says which policies, principals, keys and grants there are, what is asked, and what the answer must be.
//! Every case becomes a decision vector and is put to `keyward-policy`: nothing of the evaluation is written again
//! here. It opens no file and reads no clock: texts come in, and what a file names is read through a function.
//!
//! | file | what it does |
//! |---|---|
//! | `yaml.rs`, `members.rs` | the text as values with places; members taken once |
//! | `read/` | what a file says, checked before anything is decided |
//! | `run.rs`, `grounds.rs` | the decision of each case, against what it expects |
//! | `coverage.rs` | which statements and grants decided a case |
//! | `update.rs` | `by` written anew |
//! | `record.rs` | cases from recorded events |
//! | `report/` | for people, TAP, JUnit, JSON |
//!
//! INVARIANT: a member that is not known is refused, here and by `policies/policytest.schema.json`.

mod coverage;
mod fault;
mod grounds;
mod members;
mod read;
mod record;
pub mod report;
mod run;
mod update;
mod yaml;

pub use coverage::{Coverage, Unit};
pub use fault::Fault;
use keyward_policy::{Place, PolicyEngine};
pub use read::documents::ReadFile;
use read::{TestFile, proof::Proof};
pub use record::{Recorded, record};
pub use run::{Outcome, Status};

/// How a file is called by its name's end.
pub const SUFFIX: &str = ".policytest.yaml";

/// Whether a case of this title is run.
pub type Chosen<'c> = dyn Fn(&str) -> bool + 'c;

/// What became of one file.
#[derive(Clone, Debug)]
pub struct FileReport {
    pub file: String,
    /// `Err`: it could not be run.
    pub ran: Result<Ran, Fault>,
}

/// What became of a file's cases.
#[derive(Clone, Debug)]
pub struct Ran {
    pub outcomes: Vec<Outcome>,
    pub coverage: Coverage,
    /// The file's text with `by` as it was decided, where that differs.
    pub updated: Option<String>,
}

/// Everything that was run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub files: Vec<FileReport>,
}

/// How many cases came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    /// Files that could not be run.
    pub unreadable: usize,
    /// Files whose coverage is less than they ask for.
    pub uncovered: usize,
}

impl Report {
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for file in &self.files {
            let Ok(ran) = &file.ran else {
                totals.unreadable += 1;
                continue;
            };
            for outcome in &ran.outcomes {
                match outcome.status {
                    Status::Passed => totals.passed += 1,
                    Status::Failed => totals.failed += 1,
                    Status::Skipped(_) => totals.skipped += 1,
                }
            }
            totals.uncovered += usize::from(ran.coverage.problem().is_some());
        }
        totals
    }
}

/// A statement about every request to a key, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The key's ARN.
    pub key: String,
    pub says: Says,
    pub organization: Option<ClaimOrganization>,
}

/// The organization of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimOrganization {
    /// Policies by level, from the root down.
    pub scps: Vec<Vec<String>>,
    pub rcps: Vec<Vec<String>>,
    /// The accounts that they are over; `None` for every one.
    pub accounts: Option<Vec<String>>,
    /// The managing account, which they are never over.
    pub management: Option<String>,
    /// Roles of which the file says that they are service-linked.
    pub service_linked: Vec<String>,
}

/// What is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// The second key policy allows nothing that the first does not, whatever grants there are.
    NoNewAccess { from: String, to: String },
    /// With this key policy nobody but these can perform the action, where nobody has policies but the holders, and
    /// there are no grants but these, as decision vectors have them.
    Never {
        policy: String,
        action: String,
        except: Vec<String>,
        holders: Vec<ClaimHolder>,
        grants: Vec<serde_json::Value>,
    },
}

/// A principal of the file with its policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimHolder {
    /// As a key policy names it; a role's sessions are named by the role.
    pub arn: String,
    pub identity: Vec<String>,
    pub boundary: Option<String>,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    Holds,
    /// A request that shows that it does not.
    Fails(String),
    /// Why neither is known.
    Unknown(String),
}

/// Who proves claims: it takes a solver, which is not to be had here.
pub type Prove<'p> = dyn Fn(&Claim) -> Shown + 'p;

/// Runs one file. `prove`: who proves its statements about every request; without, they are skipped. `name`: what messages call it. `chosen`: which cases; `None` for all, and only then is the
/// file's own threshold of coverage held.
pub fn run_file(
    engine: &PolicyEngine,
    name: &str,
    text: &str,
    read: &ReadFile<'_>,
    chosen: Option<&Chosen<'_>>,
    prove: Option<&Prove<'_>>,
) -> FileReport {
    let ran = TestFile::read(engine, name, text, read).map(|file| {
        let decided = run::all(engine, &file, chosen);
        let coverage = coverage::of(&file, &decided, chosen.is_none());
        let updated = update::update(text, &file, &decided);
        let mut outcomes: Vec<Outcome> = decided.into_iter().map(|one| one.outcome).collect();
        let proofs = file.proofs.iter().filter(|one| chosen.is_none_or(|chosen| chosen(&one.name)));
        outcomes.extend(proofs.map(|one| proof(one, prove)));
        Ran { outcomes, coverage, updated }
    });
    FileReport { file: name.to_owned(), ran }
}

/// A file that could not even be read.
pub fn unreadable(name: &str, why: &str) -> FileReport {
    let at = Place { line: 1, column: 1 };
    let fault = Fault { file: name.to_owned(), at, message: why.to_owned() };
    FileReport { file: name.to_owned(), ran: Err(fault) }
}

fn proof(proof: &Proof, prove: Option<&Prove<'_>>) -> Outcome {
    let outcome = Outcome::new(&proof.name, proof.at, "proved");
    let Some(prove) = prove else {
        let why = "a proof needs a solver, and there is none".to_owned();
        return Outcome { status: Status::Skipped(why), ..outcome };
    };
    let failed = |got: &str, why: String| Outcome {
        status: Status::Failed,
        got: got.to_owned(),
        problems: vec![why],
        ..outcome.clone()
    };
    match prove(&proof.claim) {
        Shown::Holds => Outcome { got: "proved".to_owned(), ..outcome },
        Shown::Fails(request) => failed("refuted", request),
        // What is not proved does not pass.
        Shown::Unknown(why) => failed("unknown", why),
    }
}

#[cfg(test)]
mod tests;
