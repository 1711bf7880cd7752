//! The organization that accounts may belong to, and endpoints through which requests may come.
//!
//! One store hosts at most one organization; an account that is not listed is outside it.
//! Source: <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_inheritance_auth.html>

use crate::{
    AccountId, Timestamp,
    caller::{Document, IdentityDocument},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// AWS's policy that allows everything, attached to every target until it is detached. Each request of a
/// member account has it at every level, so that its digest is taken once.
static FULL_ACCESS: LazyLock<Document> = LazyLock::new(|| {
    Document::new(
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    )
});

/// What a policy of an organization limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OrganizationPolicyKind {
    /// What principals of member accounts may do.
    ServiceControlPolicy,
    /// What may be done to resources of member accounts; it only denies.
    ResourceControlPolicy,
}

/// A service control policy or resource control policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationPolicy {
    pub kind: OrganizationPolicyKind,
    pub description: String,
    pub document: Document,
}

/// An organizational unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationalUnit {
    pub name: String,
    /// The root's id, or another unit's.
    pub parent: String,
}

/// An organization: a tree of units with accounts as leaves, and policies attached to any of them.
///
/// INVARIANT: every parent exists, and following parents ends at the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationRecord {
    /// `o-…`
    pub id: String,
    /// Outside all policies of the organization.
    pub management_account: AccountId,
    /// `r-…`
    pub root: String,
    /// By id, `ou-…`.
    pub units: BTreeMap<String, OrganizationalUnit>,
    /// The parent of each member account.
    pub accounts: BTreeMap<AccountId, String>,
    /// By name.
    pub policies: BTreeMap<String, OrganizationPolicy>,
    /// Names of the policies attached to a root, unit or account.
    pub attachments: BTreeMap<String, BTreeSet<String>>,
    /// Targets from which `FullAWSAccess` was detached.
    pub without_full_access: BTreeSet<String>,
    pub updated: Timestamp,
}

impl OrganizationRecord {
    /// Whether the account is a member, or manages the organization.
    pub fn has(&self, account: &AccountId) -> bool {
        *account == self.management_account || self.accounts.contains_key(account)
    }

    /// Root, units and the account itself, from the top; empty for accounts outside the organization.
    fn chain(&self, account: &AccountId) -> Vec<&str> {
        let Some(mut parent) = self.accounts.get(account) else { return Vec::new() };
        let mut chain = Vec::new();
        // Never longer than the tree has units, whatever a damaged record says.
        for _ in 0..=self.units.len() {
            chain.push(parent.as_str());
            match self.units.get(parent) {
                Some(unit) => parent = &unit.parent,
                None => break,
            }
        }
        chain.reverse();
        chain
    }

    /// The policies that apply to a member account, level by level from the root. Empty for the management
    /// account and for accounts outside: nothing limits those.
    pub fn levels(
        &self,
        account: &AccountId,
        kind: OrganizationPolicyKind,
    ) -> Vec<Vec<IdentityDocument>> {
        if *account == self.management_account {
            return Vec::new();
        }
        let mut targets = self.chain(account);
        if !targets.is_empty() {
            targets.push(account.as_str());
        }
        targets.into_iter().map(|target| self.level(target, kind)).collect()
    }

    fn level(&self, target: &str, kind: OrganizationPolicyKind) -> Vec<IdentityDocument> {
        let named = self.attachments.get(target).into_iter().flatten();
        let attached = named.filter_map(|name| {
            let policy = self.policies.get(name).filter(|policy| policy.kind == kind)?;
            Some(IdentityDocument { source: name.clone(), document: policy.document.clone() })
        });
        let full = kind == OrganizationPolicyKind::ServiceControlPolicy
            && !self.without_full_access.contains(target);
        let full = full.then(|| IdentityDocument {
            source: "FullAWSAccess".to_owned(),
            document: FULL_ACCESS.clone(),
        });
        full.into_iter().chain(attached).collect()
    }

    /// `aws:PrincipalOrgPaths`: `o-…/r-…/ou-…/`.
    pub fn path(&self, account: &AccountId) -> Option<String> {
        if !self.has(account) {
            return None;
        }
        let mut path = format!("{}/", self.id);
        let chain = self.chain(account);
        // The management account stands at the root where it is not placed elsewhere.
        let chain = if chain.is_empty() { vec![self.root.as_str()] } else { chain };
        for part in chain {
            path.push_str(part);
            path.push('/');
        }
        Some(path)
    }
}

/// A VPC endpoint with its policy. Which request came through it, a trusted front says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRecord {
    /// `vpce-…`
    pub id: String,
    /// `vpc-…`: `aws:SourceVpc`, where the front does not say it.
    #[serde(default)]
    pub vpc: Option<String>,
    pub account: AccountId,
    pub document: Document,
    pub updated: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> AccountId {
        AccountId::parse(id).unwrap()
    }

    fn organization() -> OrganizationRecord {
        let unit = |name: &str, parent: &str| OrganizationalUnit {
            name: name.to_owned(),
            parent: parent.to_owned(),
        };
        let policy = |kind| OrganizationPolicy {
            kind,
            description: String::new(),
            document: Document::new("{}"),
        };
        OrganizationRecord {
            id: "o-1".to_owned(),
            management_account: account("000000000000"),
            root: "r-1".to_owned(),
            units: BTreeMap::from([
                ("ou-1".to_owned(), unit("work", "r-1")),
                ("ou-2".to_owned(), unit("deep", "ou-1")),
            ]),
            accounts: BTreeMap::from([(account("111122223333"), "ou-2".to_owned())]),
            policies: BTreeMap::from([
                ("region".to_owned(), policy(OrganizationPolicyKind::ServiceControlPolicy)),
                ("fence".to_owned(), policy(OrganizationPolicyKind::ResourceControlPolicy)),
            ]),
            attachments: BTreeMap::from([(
                "ou-1".to_owned(),
                BTreeSet::from(["region".to_owned(), "fence".to_owned()]),
            )]),
            without_full_access: BTreeSet::from(["111122223333".to_owned()]),
            updated: Timestamp(0),
        }
    }

    #[test]
    fn levels_go_from_the_root_to_the_account() {
        let organization = organization();
        let names = |kind| -> Vec<Vec<String>> {
            let levels = organization.levels(&account("111122223333"), kind);
            levels.into_iter().map(|l| l.into_iter().map(|d| d.source).collect()).collect()
        };
        assert_eq!(
            names(OrganizationPolicyKind::ServiceControlPolicy),
            [vec!["FullAWSAccess"], vec!["FullAWSAccess", "region"], vec!["FullAWSAccess"], vec![]]
        );
        assert_eq!(
            names(OrganizationPolicyKind::ResourceControlPolicy),
            [vec![], vec!["fence"], vec![], vec![]]
        );
    }

    #[test]
    fn the_manager_and_outsiders_are_not_limited() {
        let organization = organization();
        for outside in ["000000000000", "999999999999"] {
            assert!(
                organization
                    .levels(&account(outside), OrganizationPolicyKind::ServiceControlPolicy)
                    .is_empty()
            );
        }
        assert_eq!(organization.path(&account("000000000000")).as_deref(), Some("o-1/r-1/"));
        assert_eq!(
            organization.path(&account("111122223333")).as_deref(),
            Some("o-1/r-1/ou-1/ou-2/")
        );
        assert_eq!(organization.path(&account("999999999999")), None);
    }

    #[test]
    fn a_ring_of_units_ends() {
        let mut organization = organization();
        organization.units.get_mut("ou-1").unwrap().parent = "ou-2".to_owned();
        assert!(organization.path(&account("111122223333")).unwrap().len() < 100);
    }
}
