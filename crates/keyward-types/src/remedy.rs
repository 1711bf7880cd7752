//! What would turn a refusal into an allow, and what else it would open.
//!
//! Found by `keyward-policy` after a refusal and frozen in the event with the decision.
//!
//! INVARIANT: `verified` means that the question was decided again with every change made, by the same
//! engine, and was allowed.

use crate::decision::Layer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Changes that together turn the answer into an allow; the fewest that do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    pub changes: Vec<PolicyChange>,
    /// Whether deciding again with the changes made allowed. `false` where another account's side must
    /// allow too and cannot be seen from the caller's.
    pub verified: bool,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChangeKind {
    /// Send the request with another encryption context; no policy changes. `body` is the context.
    ChangeRequest,
    /// Add the statement `body` to the document, or make a new one that holds it.
    AddStatement,
    /// Call CreateGrant with the parameters `body`.
    CreateGrant,
    /// Put `body` in the place of the statement.
    ReplaceStatement,
    RemoveStatement,
    /// The key's owner must allow too; what the owner's side says is not told.
    AskOwner,
}

/// One change, and what else it opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChange {
    pub kind: ChangeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
    /// The document that is changed; `None` for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// For policies of an organization, the place of the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Zero-based place of the statement that is replaced or removed, in the document as it is before any
    /// of the changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The statement, the grant or the encryption context, ready to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The change in one sentence.
    pub text: String,
    pub blast: Blast,
}

/// Who is reached by a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reach {
    /// Nobody's permissions change.
    Nobody,
    /// One user, role, session or service.
    Principal(String),
    /// Several by name.
    Principals(Vec<String>),
    /// Whoever the named policy is attached to.
    Holders(String),
    /// What the account's own policies hand out.
    Account(String),
    Everyone,
}

/// Which resources are reached by a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Extent {
    Nothing,
    /// One resource, by ARN.
    One(String),
    /// Those that the patterns name.
    Matching(Vec<String>),
    /// Every resource.
    All,
}

/// What else a change opens, beside the request that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blast {
    pub principals: Reach,
    pub actions: Vec<String>,
    pub resources: Extent,
    /// What must hold besides, such as `StringEquals kms:EncryptionContext:Project=Alpha`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// All of it in one sentence.
    pub words: String,
}

impl Blast {
    /// For comparing: a smaller one opens less.
    pub fn size(&self) -> [usize; 4] {
        let principals = match &self.principals {
            Reach::Nobody => 0,
            Reach::Principal(_) => 1,
            Reach::Principals(listed) => 1 + listed.len(),
            Reach::Holders(_) => 1_000,
            Reach::Account(_) => 2_000,
            Reach::Everyone => 3_000,
        };
        let resources = match &self.resources {
            Extent::Nothing => 0,
            Extent::One(_) => 1,
            Extent::Matching(patterns) => 1 + patterns.len(),
            Extent::All => 1_000,
        };
        let actions = self.actions.iter().map(|a| if a.contains(['*', '?']) { 100 } else { 1 });
        let always = principals > 0 && self.conditions.is_empty();
        [principals, resources, actions.sum(), usize::from(always)]
    }
}

impl Remedy {
    /// For sorting: fewest changes, then what opens least, then what is least to do.
    pub fn size(&self) -> (usize, Vec<[usize; 4]>, Vec<ChangeKind>) {
        let mut sizes: Vec<_> = self.changes.iter().map(|change| change.blast.size()).collect();
        sizes.sort_by(|one, other| other.cmp(one));
        (self.changes.len(), sizes, self.changes.iter().map(|change| change.kind).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constrained_grant_opens_less_than_a_delegation() {
        let blast = |principals, conditions: &[&str]| Blast {
            principals,
            actions: vec!["kms:Decrypt".to_owned()],
            resources: Extent::One("key".to_owned()),
            conditions: conditions.iter().map(|one| (*one).to_owned()).collect(),
            words: String::new(),
        };
        let one = || Reach::Principal("app".to_owned());
        let sizes = [
            Blast { principals: Reach::Nobody, ..blast(one(), &[]) }.size(),
            blast(one(), &["EncryptionContextEquals Project=Alpha"]).size(),
            blast(one(), &[]).size(),
            blast(Reach::Holders("AppUse".to_owned()), &["x"]).size(),
            blast(Reach::Account("111122223333".to_owned()), &[]).size(),
            blast(Reach::Everyone, &[]).size(),
        ];
        assert!(sizes.is_sorted_by(|smaller, larger| smaller < larger), "{sizes:?}");
    }
}
