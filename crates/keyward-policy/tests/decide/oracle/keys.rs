//! The value of a condition key in the request.

use super::{Kind, Oracle, Target};
use keyward_types::CallerKind;
use std::collections::{BTreeMap, BTreeSet};

/// Keys that hold several values.
pub(super) const MANY: &[&str] = &[
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:tagkeys",
    "kms:encryptioncontextkeys",
    "kms:grantconstrainttype",
    "kms:grantoperations",
    "kms:resourcealiases",
];

impl Oracle<'_> {
    /// The values of a key, in lower case; none when it is absent.
    pub(super) fn values(&self, key: &str, kind: Kind) -> Vec<String> {
        // Only policies of identities see the key's aliases.
        if key == "kms:resourcealiases" && kind != Kind::Identity {
            return Vec::new();
        }
        let stated = self.ask.facts.iter().rfind(|(name, _)| name.to_lowercase() == key);
        match stated {
            Some((_, values)) => values.clone(),
            None => self.derived(key),
        }
    }

    /// The value of a variable.
    pub(super) fn single(&self, key: &str) -> Option<String> {
        self.values(key, Kind::Identity).into_iter().next()
    }

    fn derived(&self, key: &str) -> Vec<String> {
        let caller = &self.ask.caller;
        let origin = &caller.origin;
        let is_key = self.ask.target == Target::Key;
        if let Some((pairs, name)) = self.family(key) {
            let same = pairs.iter().filter(|(pair, _)| pair.to_lowercase() == name);
            return same.map(|(_, value)| value.clone()).collect();
        }
        let human = !self.is_service();
        let some = |value: &str| Some(value.to_owned());
        let one = match key {
            "aws:principalarn" if human => some(&caller.principal_arn),
            "aws:principalaccount" | "kms:calleraccount" if human => some(self.account()),
            "aws:userid" if human => some(&caller.user_id),
            "aws:username" => match &caller.kind {
                CallerKind::User { name } => some(name),
                _ => None,
            },
            "aws:principaltype" => match caller.kind {
                CallerKind::Root => some("Account"),
                CallerKind::User { .. } => some("User"),
                CallerKind::RoleSession { .. } => some("AssumedRole"),
                CallerKind::Federated { .. } => some("FederatedUser"),
                CallerKind::Service { .. } => None,
            },
            "aws:principalisawsservice" => some(&self.is_service().to_string()),
            "aws:principalservicename" => match &caller.kind {
                CallerKind::Service { name } => some(name),
                _ => None,
            },
            "aws:principalservicenameslist" => match &caller.kind {
                CallerKind::Service { name } => some(name),
                _ => None,
            },
            // MFA was shown when the session began.
            "aws:multifactorauthage" if caller.mfa == Some(true) => {
                let now = self.values("aws:epochtime", Kind::Identity);
                let now = now.first().and_then(|now| now.parse::<i64>().ok());
                now.zip(caller.issued)
                    .map(|(now, issued)| (now - issued.seconds()).max(0).to_string())
            }
            // Always there for these three, and nobody here asks for a service.
            "kms:grantisforawsresource" => {
                let asked = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"];
                asked.contains(&self.ask.action.as_str()).then(|| self.is_service().to_string())
            }
            "aws:multifactorauthpresent" => caller.mfa.map(|mfa| mfa.to_string()),
            "aws:securetransport" => some(&origin.secure_transport.to_string()),
            "aws:viaawsservice" => some("false"),
            "aws:useragent" => Some(origin.user_agent.clone()).filter(|agent| !agent.is_empty()),
            "aws:requestedregion" => some(origin.region.as_str()),
            "aws:resourceaccount" => self.resource_account().map(str::to_owned),
            // Not through an endpoint, and not of a service.
            "aws:sourceip" => {
                let endpoint = self.documents.endpoint.is_some()
                    || !self.values("aws:sourcevpce", Kind::Identity).is_empty();
                Some(origin.source_ip.clone()).filter(|ip| !endpoint && human && !ip.is_empty())
            }
            "kms:keyspec" | "kms:customermasterkeyspec" if is_key => some("SYMMETRIC_DEFAULT"),
            "kms:keyusage" | "kms:customermasterkeyusage" if is_key => some("ENCRYPT_DECRYPT"),
            "kms:keyorigin" if is_key => some("AWS_KMS"),
            "kms:multiregion" if is_key => some("false"),
            "kms:encryptioncontextkeys" => return self.ask.context.keys().cloned().collect(),
            "kms:resourcealiases" if is_key => return self.documents.aliases.clone(),
            _ => None,
        };
        one.into_iter().collect()
    }

    /// The pairs that a key with a free second half reads, and that half.
    fn family<'k>(&self, key: &'k str) -> Option<(&BTreeMap<String, String>, &'k str)> {
        if let Some(name) = key.strip_prefix("kms:encryptioncontext:") {
            Some((&self.ask.context, name))
        } else if let Some(name) = key.strip_prefix("aws:principaltag/") {
            Some((&self.ask.caller.tags, name))
        } else if let Some(name) = key.strip_prefix("aws:resourcetag/") {
            (self.ask.target == Target::Key).then_some((&self.documents.tags, name))
        } else {
            None
        }
    }

    /// Whether the request carries any of these keys in two spellings.
    pub(super) fn is_doubtful(&self, keys: impl IntoIterator<Item = String>) -> bool {
        keys.into_iter().any(|key| {
            let stated: BTreeSet<&String> = self
                .ask
                .facts
                .iter()
                .map(|(name, _)| name)
                .filter(|name| name.to_lowercase() == key)
                .collect();
            let paired = self.family(&key).map_or(0, |(pairs, name)| {
                pairs.keys().filter(|pair| pair.to_lowercase() == name).count()
            });
            stated.len() > 1 || paired > 1
        })
    }
}
