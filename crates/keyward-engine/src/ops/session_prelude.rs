//! What requests for sessions have in common: the policies that narrow a session, its tags, and the room for both.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>

use super::identity_prelude::*;
use keyward_types::IdentityDocument;

/// Characters of a session policy.
const POLICY_CHARS_MAX: usize = 2_048;
/// Managed session policies of one session.
const POLICY_ARNS_MAX: usize = 10;
/// Bytes of session policy and tags together, of which `PackedPolicySize` is the percentage.
const PACKED_BYTES_MAX: usize = 4_096;

pub(crate) const ARN_KIND: Kind = patterned(
    20,
    2_048,
    "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+",
    |text| text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{85}') || !c.is_control()),
);
pub(crate) const POLICY_ARNS: Member = optional(
    "PolicyArns",
    Kind::List { of: &Kind::Structure(&[optional("arn", ARN_KIND)]), min: 0, max: usize::MAX },
);
pub(crate) const SESSION_POLICY: Member = optional(
    "Policy",
    patterned(1, usize::MAX, "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |text| {
        text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'))
    }),
);
pub(crate) const SERIAL_NUMBER: Member =
    optional("SerialNumber", patterned(9, 256, "[\\w+=/:,.@-]*", |text| only(text, "_+=/:,.@-")));
pub(crate) const TOKEN_CODE: Member = optional("TokenCode", MFA_CODE_KIND);
/// Six digits.
pub(crate) const MFA_CODE_KIND: Kind =
    patterned(6, 6, "[\\d]*", |text| text.bytes().all(|b| b.is_ascii_digit()));

/// A managed policy as a request names it.
#[derive(Deserialize)]
pub(crate) struct PolicyArn {
    arn: Option<String>,
}

/// The members that narrow and tag a session.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Narrowing {
    #[serde(default)]
    policy_arns: Vec<PolicyArn>,
    policy: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<IamTag>,
}

impl Narrowing {
    pub(crate) fn check(&self) -> Result<(), KmsError> {
        check_iam_tags(&self.tags)?;
        let refuse = |member: &str, most: usize| {
            Err(KmsError::validation(format!(
                "1 validation error detected: Value at '{member}' failed to satisfy constraint: \
                 Member must have length less than or equal to {most}"
            )))
        };
        if self.policy.as_ref().is_some_and(|policy| POLICY_CHARS_MAX < policy.chars().count()) {
            return refuse("policy", POLICY_CHARS_MAX);
        }
        if self.policy_arns.iter().any(|policy| policy.arn.is_none()) {
            // One that is not understood would narrow nothing.
            return Err(KmsError::validation(
                "1 validation error detected: each of 'policyArns' must have an 'arn'",
            ));
        }
        if POLICY_ARNS_MAX < self.policy_arns.len() {
            return refuse("policyArns", POLICY_ARNS_MAX);
        }
        Ok(())
    }

    fn arns(&self) -> impl Iterator<Item = &str> {
        self.policy_arns.iter().filter_map(|policy| policy.arn.as_deref())
    }

    /// Writes the policies into a session. Managed ones must exist in the account of the session, or be AWS's.
    pub(crate) fn narrow(
        &self,
        call: &mut Call<'_>,
        session: &mut Session,
    ) -> Result<(), KmsError> {
        if let Some(policy) = &self.policy {
            check_identity_policy(call, policy)?;
            session.policies.push(IdentityDocument {
                source: "session policy".to_owned(),
                document: Document::new(policy.as_str()),
            });
        }
        for arn in self.arns() {
            let mut rested_on = Vec::new();
            let found = call.engine().managed_document(arn, &mut rested_on)?;
            rested_on.into_iter().for_each(|name| call.rest_on(name));
            let own = identity::managed_policy_name(arn)
                .is_none_or(|(account, _)| account == session.account);
            if found.is_none() || !own {
                return Err(KmsError::validation(format!(
                    "The session policy {arn} does not exist or is not of the session's account"
                )));
            }
            session.policy_arns.push(arn.to_owned());
        }
        Ok(())
    }

    /// Percent of the room that policy and tags take, rounded up; `None` when there is neither.
    pub(crate) fn packed_percent(&self) -> Result<Option<usize>, KmsError> {
        let tags: usize = self.tags.iter().map(|tag| tag.key.len() + tag.value.len()).sum();
        let arns: usize = self.arns().map(str::len).sum();
        let bytes = self.policy.as_ref().map_or(0, String::len) + arns + tags;
        let percent = (bytes * 100).div_ceil(PACKED_BYTES_MAX);
        if 100 < percent {
            let message = format!(
                "Packed policy and session tags consume {percent}% of allotted space, please use smaller policy or tags."
            );
            return Err(KmsError::new(ErrorCode::IamPackedPolicyTooLarge, message));
        }
        Ok((0 < bytes).then_some(percent))
    }
}
