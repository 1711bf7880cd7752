//! What a front states of a request that neither the caller nor the resource nor the request shows, such as the
//! service that calls for somebody, or the endpoint that it came through.
//!
//! Who is believed is the doors' business; a service's own signed headers arrive here in the same way.
//!
//! INVARIANT: only keys that the table marks are ever read from a front's statements.

use crate::{
    keys::{ConditionKey, KEYS, KeyRow, Place, Seen, flag, one},
    question::Question,
};
use std::borrow::Cow;

/// Attestation of an environment is checked by whoever stands before it.
pub(crate) const ATTESTATION: &str = "kms:recipientattestation:";

/// Whether a front may state this condition key: what neither the caller nor the resource nor the request shows.
pub fn front_may_state(name: &str) -> bool {
    ConditionKey::parse(name).is_some_and(|key| match key.place {
        Place::Fixed(_) => key.row().is_some_and(|row| row.front),
        Place::Tag(_) => key.name.starts_with(ATTESTATION),
    })
}

/// The keys that a front may state, in lower case; `kms:recipientattestation:*` beside them.
pub fn front_keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter(|row| row.front).map(|row| row.name)
}

/// What a front states, where it alone is asked.
pub(crate) fn by_front<'q>(question: &Question<'q>, name: &str, place: Place) -> Option<Seen<'q>> {
    match place {
        Place::Fixed(row) => match KEYS.get(row)? {
            KeyRow { front: true, derive: None, many: true, .. } => {
                let values: Vec<_> = trusted_list(question, name).map(Cow::Borrowed).collect();
                (!values.is_empty()).then_some(Seen::Many(values))
            }
            KeyRow { front: true, derive: None, .. } => trusted(question, name).map(one),
            _ => None,
        },
        Place::Tag(_) if name.starts_with(ATTESTATION) => trusted(question, name).map(one),
        Place::Tag(_) => None,
    }
}

pub(crate) fn trusted<'q>(question: &Question<'q>, name: &str) -> Option<&'q str> {
    let stated = question.caller.origin.trusted_facts.get(name)?.trim();
    (!stated.is_empty()).then_some(stated)
}

/// The values of a key that holds several, as one header states them: separated by commas.
pub(crate) fn trusted_list<'q>(
    question: &Question<'q>,
    name: &str,
) -> impl Iterator<Item = &'q str> {
    let stated = trusted(question, name).unwrap_or_default();
    stated.split(',').map(str::trim).filter(|value| !value.is_empty())
}

pub(crate) const CALLED_VIA: &str = "aws:calledvia";

/// A service that calls for somebody is named, or the front says plainly that there is one.
pub(crate) fn via_service<'q>(question: &Question<'q>) -> Option<Seen<'q>> {
    let named = ["kms:viaservice", CALLED_VIA, "aws:calledviafirst", "aws:calledvialast"];
    let via = || named.iter().any(|name| trusted(question, name).is_some());
    Some(trusted(question, "aws:viaawsservice").map_or_else(|| flag(via()), one))
}

/// Always there for the operations on grants: false, unless a service asks, or a front says that one does.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-grant-is-for-aws-resource>
pub(crate) fn grant_is_for_aws_resource<'q>(question: &Question<'q>) -> Option<Seen<'q>> {
    let asked = matches!(question.action, "kms:CreateGrant" | "kms:ListGrants" | "kms:RevokeGrant");
    asked.then(|| {
        trusted(question, "kms:grantisforawsresource")
            .map_or_else(|| flag(question.is_service()), one)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_states_only_what_nothing_else_shows() {
        for name in
            ["kms:ViaService", "aws:SourceVpce", "AWS:CalledVia", "kms:RecipientAttestation:PCR1"]
        {
            assert!(front_may_state(name), "{name}");
        }
        for name in [
            "aws:PrincipalArn",
            "aws:PrincipalAccount",
            "aws:PrincipalOrgID",
            "aws:PrincipalOrgPaths",
            "aws:PrincipalTag/team",
            "aws:PrincipalType",
            "aws:PrincipalIsAWSService",
            "aws:PrincipalServiceName",
            "aws:RequestTag/team",
            "aws:ResourceTag/team",
            "aws:ResourceAccount",
            "aws:ResourceOrgID",
            "aws:RequestedRegion",
            "aws:MultiFactorAuthPresent",
            "aws:MultiFactorAuthAge",
            "aws:TokenIssueTime",
            "aws:CurrentTime",
            "aws:SourceIp",
            "aws:SecureTransport",
            "aws:TagKeys",
            "aws:userid",
            "aws:username",
            "kms:CallerAccount",
            "kms:EncryptionContext:a",
            "kms:EncryptionContextKeys",
            "kms:GranteePrincipal",
            "kms:KeySpec",
            "kms:RequestAlias",
            "kms:Unknown",
            "s3:prefix",
            "nonsense",
        ] {
            assert!(!front_may_state(name), "{name}");
        }
        assert!(front_keys().all(front_may_state));
    }
}
