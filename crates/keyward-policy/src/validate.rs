//! Whether a document may be saved: exactly what evaluation needs, and what AWS asks besides.
//!
//! Sizes and the existence of principals are the caller's business; this names the principals.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html>

use crate::{
    document::{DocumentKind, Parsed},
    engine::PolicyEngine,
    error::{LOCKOUT, PolicyError},
    principal::Named,
    question::Question,
};
use keyward_types::AccountId;
use std::collections::BTreeSet;

/// The AWS principals that a policy names, for the check that they exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPolicyPrincipals {
    /// ARNs of users, roles, role sessions and federated users.
    pub arns: BTreeSet<String>,
    pub accounts: BTreeSet<AccountId>,
    pub services: BTreeSet<String>,
    /// Whether a statement names everybody.
    pub anyone: bool,
}

impl PolicyEngine {
    /// Checks a key policy as PutKeyPolicy and CreateKey do before they look for its principals.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong and where.
    pub fn validate_key_policy(&self, text: &str) -> Result<KeyPolicyPrincipals, PolicyError> {
        key_policy(text)
    }

    /// Checks a policy for a user, group, role, boundary or session.
    ///
    /// # Errors
    /// As [`Self::validate_key_policy`].
    pub fn validate_identity_policy(&self, text: &str) -> Result<(), PolicyError> {
        identity_policy(text)
    }

    /// Checks a role's trust policy.
    ///
    /// # Errors
    /// As [`Self::validate_key_policy`].
    pub fn validate_trust_policy(&self, text: &str) -> Result<KeyPolicyPrincipals, PolicyError> {
        trust_policy(text)
    }

    /// The lockout safety check: whether the caller could still replace the key policy under the one that
    /// `question` holds as its key policy. Grants and a policy that RAM manages do not count.
    ///
    /// Facts are the request's own, with `kms:PolicyName` `default`.
    pub fn keeps_caller_able(&self, question: &Question<'_>) -> bool {
        let after = Question {
            action: "kms:PutKeyPolicy",
            cross_account_allowed: false,
            // The candidate is saved now, and means the principals of now.
            key_policy_ignores_arns: false,
            ram_policy: None,
            grants: &[],
            child_grant: None,
            ..*question
        };
        self.decide_tersely(&after).allowed()
    }

    /// The error of a policy that [`Self::keeps_caller_able`] refuses.
    pub fn lockout_error() -> PolicyError {
        PolicyError::malformed("", LOCKOUT)
    }
}

/// Whether a key policy can hold the character.
pub(crate) fn key_policy_holds(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}')
}

pub(crate) fn key_policy(text: &str) -> Result<KeyPolicyPrincipals, PolicyError> {
    if let Some((at, c)) = text.char_indices().find(|(_, c)| !key_policy_holds(*c)) {
        return Err(PolicyError::malformed(
            "",
            format!("U+{:04X} at byte {at} is not allowed in a key policy", u32::from(c)),
        ));
    }
    principals(&check(text, DocumentKind::Resource)?)
}

pub(crate) fn identity_policy(text: &str) -> Result<(), PolicyError> {
    sids(&check(text, DocumentKind::Identity)?)
}

/// The Sids of IAM's own documents; KMS takes any.
fn sids(parsed: &Parsed) -> Result<(), PolicyError> {
    let mut sids = BTreeSet::new();
    for (index, sid) in
        parsed.statements.iter().enumerate().filter_map(|(i, s)| Some((i, s.sid.as_ref()?)))
    {
        let at = format!("Statement[{index}].Sid");
        if !is_identity_sid(sid) {
            return Err(PolicyError::malformed(at, "a Sid is of letters and digits"));
        }
        if !sids.insert(sid) {
            return Err(PolicyError::malformed(
                at,
                "Statement IDs (SID) in a single policy must be unique.",
            ));
        }
    }
    Ok(())
}

/// Whether IAM takes the Sid; KMS takes any.
pub(crate) fn is_identity_sid(sid: &str) -> bool {
    sid.bytes().all(|b| b.is_ascii_alphanumeric())
}

pub(crate) fn trust_policy(text: &str) -> Result<KeyPolicyPrincipals, PolicyError> {
    let parsed = check(text, DocumentKind::Trust)?;
    sids(&parsed)?;
    principals(&parsed)
}

/// Parses, compiles every statement once, and refuses actions that KMS does not have.
pub(crate) fn check(text: &str, kind: DocumentKind) -> Result<Parsed, PolicyError> {
    let parsed = Parsed::parse(text, kind)?;
    for (index, statement) in parsed.statements.iter().enumerate() {
        let at = |element: &str| format!("Statement[{index}].{element}");
        let mut needs = crate::condition::emit::Needs::default();
        for guard in [false, true] {
            crate::translate::policies(statement, kind, None, guard, &mut needs)
                .map_err(|error| PolicyError::malformed(at(""), error.0))?;
        }
        let actions = statement.actions.iter().flat_map(|listed| &listed.items);
        if let Some(action) = actions.clone().find(|action| action.is_unknown_to_kms()) {
            return Err(PolicyError::malformed(
                at("Action"),
                format!("KMS has no action {}", action.text),
            ));
        }
        if kind == DocumentKind::Resource
            && let Some(test) = statement.tests.iter().find(|test| test.is_overly_permissive())
        {
            let at = at(&format!("Condition.{}.{}", test.operator_text, test.key_text));
            return Err(PolicyError::OverlyPermissive { at });
        }
        if kind != DocumentKind::Identity && statement.principals.is_none() {
            return Err(PolicyError::malformed(at("Principal"), "the statement has no Principal"));
        }
    }
    Ok(parsed)
}

fn principals(parsed: &Parsed) -> Result<KeyPolicyPrincipals, PolicyError> {
    let mut found = KeyPolicyPrincipals::default();
    for named in parsed
        .statements
        .iter()
        .flat_map(|statement| &statement.principals)
        .flat_map(|listed| &listed.items)
    {
        match named {
            Named::Anyone => found.anyone = true,
            Named::Account(id) => found.accounts.extend(AccountId::parse(id)),
            Named::User(arn) | Named::Role(arn) | Named::Session(arn) | Named::Federated(arn) => {
                found.arns.insert(arn.clone());
            }
            Named::Service(name) => {
                found.services.insert(name.clone());
            }
            // A unique id stands for who may be gone; there is nothing to look for.
            Named::UserId(_) | Named::RoleId(_) | Named::Provider => {}
        }
    }
    Ok(found)
}
