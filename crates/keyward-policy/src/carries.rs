//! TABLE: which condition keys a request of each action can carry, and what it is asked of.
//!
//! Evaluation does not need it: a key that is not there is absent. The lint does: a statement that waits for
//! a key which none of its actions carries never matches.
//! Vectors take from it which operations other accounts are offered.
//! Names are in lower case; one that ends in `:` or `/` is a family.
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html>

/// What an action's authorization is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A KMS key.
    Key,
    /// A KMS key and an alias, each by its own question.
    KeyAndAlias,
    /// No resource: `Resource` must be `*`, and no key policy has a say.
    Nothing,
}

pub(crate) struct ActionRow {
    /// As in [`KMS_ACTIONS`](crate::actions::KMS_ACTIONS).
    pub(crate) name: &'static str,
    pub(crate) asked: Asked,
    /// Whether a principal of another account can be allowed.
    pub(crate) across: bool,
    keys: &'static [&'static str],
}

/// Whether an action of KMS, in its own spelling, is asked of a key; `None` for another action.
pub fn is_asked_of_key(action: &str) -> Option<bool> {
    ACTIONS.iter().find(|row| row.name == action).map(|row| row.asked != Asked::Nothing)
}

/// Carried by every action.
const ALWAYS: &[&str] = &["kms:calleraccount", "kms:viaservice"];

/// Properties of a key, carried by every action on one.
const OF_KEYS: &[&str] = &[
    "aws:resourcetag/",
    "kms:customermasterkeyspec",
    "kms:customermasterkeyusage",
    "kms:keyorigin",
    "kms:keyspec",
    "kms:keyusage",
    "kms:multiregion",
    "kms:multiregionkeytype",
    "kms:resourcealiases",
];

const NONE: &[&str] = &[];
const ALIAS: &[&str] = &["kms:requestalias"];
const CONTEXT: &[&str] = &[
    "kms:encryptionalgorithm",
    "kms:encryptioncontext:",
    "kms:encryptioncontextkeys",
    "kms:requestalias",
];
const CONTEXT_ENCLAVE: &[&str] = &[
    "kms:encryptionalgorithm",
    "kms:encryptioncontext:",
    "kms:encryptioncontextkeys",
    "kms:recipientattestation:",
    "kms:requestalias",
];
const PAIR: &[&str] = &[
    "kms:datakeypairspec",
    "kms:encryptionalgorithm",
    "kms:encryptioncontext:",
    "kms:encryptioncontextkeys",
    "kms:requestalias",
];
const PAIR_ENCLAVE: &[&str] = &[
    "kms:datakeypairspec",
    "kms:encryptionalgorithm",
    "kms:encryptioncontext:",
    "kms:encryptioncontextkeys",
    "kms:recipientattestation:",
    "kms:requestalias",
];
const RE_ENCRYPT: &[&str] = &[
    "kms:encryptionalgorithm",
    "kms:encryptioncontext:",
    "kms:encryptioncontextkeys",
    "kms:reencryptonsamekey",
    "kms:requestalias",
];
const SIGN: &[&str] = &["kms:messagetype", "kms:requestalias", "kms:signingalgorithm"];
const MAC: &[&str] = &["kms:macalgorithm", "kms:requestalias"];
const FOR_AWS: &[&str] = &["kms:grantisforawsresource"];
const IDLE: &[&str] = &["kms:trailingdayswithoutkeyusage"];

const fn key(name: &'static str, keys: &'static [&'static str]) -> ActionRow {
    ActionRow { name, asked: Asked::Key, across: false, keys }
}

const fn across(name: &'static str, keys: &'static [&'static str]) -> ActionRow {
    ActionRow { name, asked: Asked::Key, across: true, keys }
}

const fn alias(name: &'static str) -> ActionRow {
    ActionRow { name, asked: Asked::KeyAndAlias, across: false, keys: NONE }
}

const fn nothing(name: &'static str, keys: &'static [&'static str]) -> ActionRow {
    ActionRow { name, asked: Asked::Nothing, across: false, keys }
}

/// Every action of AWS's KMS.
pub(crate) const ACTIONS: &[ActionRow] = &[
    key("kms:CancelKeyDeletion", NONE),
    nothing("kms:ConnectCustomKeyStore", NONE),
    alias("kms:CreateAlias"),
    nothing("kms:CreateCustomKeyStore", NONE),
    across(
        "kms:CreateGrant",
        &[
            "kms:encryptioncontext:",
            "kms:encryptioncontextkeys",
            "kms:grantconstraintsourcearn",
            "kms:grantconstrainttype",
            "kms:granteeprincipal",
            "kms:granteeserviceprincipal",
            "kms:grantisforawsresource",
            "kms:grantoperations",
            "kms:retiringprincipal",
            "kms:retiringserviceprincipal",
        ],
    ),
    nothing(
        "kms:CreateKey",
        &[
            "aws:requesttag/",
            "aws:resourcetag/",
            "aws:tagkeys",
            "kms:bypasspolicylockoutsafetycheck",
            "kms:customermasterkeyspec",
            "kms:customermasterkeyusage",
            "kms:keyorigin",
            "kms:keyspec",
            "kms:keyusage",
            "kms:multiregion",
            "kms:multiregionkeytype",
        ],
    ),
    across("kms:Decapsulate", ALIAS),
    across("kms:Decrypt", CONTEXT_ENCLAVE),
    alias("kms:DeleteAlias"),
    nothing("kms:DeleteCustomKeyStore", NONE),
    key("kms:DeleteImportedKeyMaterial", NONE),
    across(
        "kms:DeriveSharedSecret",
        &["kms:keyagreementalgorithm", "kms:recipientattestation:", "kms:requestalias"],
    ),
    nothing("kms:DescribeCustomKeyStores", NONE),
    across("kms:DescribeKey", ALIAS),
    key("kms:DisableKey", IDLE),
    key("kms:DisableKeyRotation", NONE),
    nothing("kms:DisconnectCustomKeyStore", NONE),
    key("kms:EnableKey", NONE),
    key("kms:EnableKeyRotation", &["kms:rotationperiodindays"]),
    across("kms:Encapsulate", ALIAS),
    across("kms:Encrypt", CONTEXT),
    across("kms:GenerateDataKey", CONTEXT_ENCLAVE),
    across("kms:GenerateDataKeyPair", PAIR_ENCLAVE),
    across("kms:GenerateDataKeyPairWithoutPlaintext", PAIR),
    across("kms:GenerateDataKeyWithoutPlaintext", CONTEXT),
    across("kms:GenerateMac", MAC),
    nothing("kms:GenerateRandom", &["kms:recipientattestation:"]),
    key("kms:GetKeyLastUsage", NONE),
    key("kms:GetKeyPolicy", &["kms:policyname"]),
    across("kms:GetKeyRotationStatus", NONE),
    key("kms:GetParametersForImport", &["kms:wrappingalgorithm", "kms:wrappingkeyspec"]),
    across("kms:GetPublicKey", ALIAS),
    key("kms:ImportKeyMaterial", &["kms:expirationmodel", "kms:validto"]),
    nothing("kms:ListAliases", NONE),
    across("kms:ListGrants", FOR_AWS),
    key("kms:ListKeyPolicies", NONE),
    key("kms:ListKeyRotations", NONE),
    nothing("kms:ListKeys", NONE),
    key("kms:ListResourceTags", NONE),
    nothing("kms:ListRetirableGrants", NONE),
    key("kms:PutKeyPolicy", &["kms:bypasspolicylockoutsafetycheck", "kms:policyname"]),
    across("kms:ReEncryptFrom", RE_ENCRYPT),
    across("kms:ReEncryptTo", RE_ENCRYPT),
    key("kms:ReplicateKey", &["aws:requesttag/", "aws:tagkeys", "kms:replicaregion"]),
    across(
        "kms:RetireGrant",
        &["kms:encryptioncontext:", "kms:encryptioncontextkeys", "kms:grantconstrainttype"],
    ),
    across("kms:RevokeGrant", FOR_AWS),
    key("kms:RotateKeyOnDemand", NONE),
    key(
        "kms:ScheduleKeyDeletion",
        &["kms:schedulekeydeletionpendingwindowindays", "kms:trailingdayswithoutkeyusage"],
    ),
    across("kms:Sign", SIGN),
    key("kms:SynchronizeMultiRegionKey", NONE),
    key("kms:TagResource", &["aws:requesttag/", "aws:tagkeys"]),
    key("kms:UntagResource", &["aws:tagkeys"]),
    alias("kms:UpdateAlias"),
    nothing("kms:UpdateCustomKeyStore", NONE),
    key("kms:UpdateKeyDescription", NONE),
    key("kms:UpdatePrimaryRegion", &["kms:primaryregion"]),
    across("kms:Verify", SIGN),
    across("kms:VerifyMac", MAC),
];

impl ActionRow {
    /// Whether a request of the action can carry the key. Keys of all services are carried by all actions.
    pub(crate) fn carries(&self, key: &str) -> bool {
        let of_key: &[&str] = if self.asked == Asked::Nothing { NONE } else { OF_KEYS };
        !is_particular(key)
            || [ALWAYS, of_key, self.keys].into_iter().flatten().any(|one| names(one, key))
    }
}

/// Whether only some actions carry the key: KMS's own, and those of the request's and the resource's tags.
fn is_particular(key: &str) -> bool {
    key.starts_with("kms:")
        || ["aws:requesttag/", "aws:resourcetag/", "aws:tagkeys"].iter().any(|one| names(one, key))
}

fn names(one: &str, key: &str) -> bool {
    one == key || one.ends_with([':', '/']) && key.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actions::KMS_ACTIONS,
        keys::{ConditionKey, KEYS},
    };

    #[test]
    fn every_action_of_kms_has_one_row() {
        let rows: Vec<&str> = ACTIONS.iter().map(|row| row.name).collect();
        let of_aws: Vec<&str> = KMS_ACTIONS.to_vec();
        assert_eq!(rows, of_aws);
    }

    #[test]
    fn every_name_is_a_condition_key_and_every_key_of_kms_is_carried() {
        let carried = || ACTIONS.iter().flat_map(|row| row.keys).chain(OF_KEYS).chain(ALWAYS);
        for name in carried() {
            let whole =
                if name.ends_with([':', '/']) { format!("{name}x") } else { (*name).into() };
            assert!(ConditionKey::parse(&whole).is_some(), "{name}");
        }
        for row in KEYS.iter().filter(|row| row.name.starts_with("kms:")) {
            assert!(carried().any(|name| *name == row.name), "nothing carries {}", row.name);
        }
    }
}
