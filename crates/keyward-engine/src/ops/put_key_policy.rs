//! `PutKeyPolicy` <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>

use super::prelude::*;
use crate::key_policy::{self, Admitted};

pub(crate) struct PutKeyPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    policy: String,
    policy_name: Option<String>,
    bypass_policy_lockout_safety_check: Option<bool>,
}

impl Operation for PutKeyPolicy {
    const SPEC: Spec = Spec {
        logged: &["KeyId", "PolicyName", "Policy", "BypassPolicyLockoutSafetyCheck"],
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::InvalidArn,
            ErrorCode::MalformedPolicyDocument,
            ErrorCode::DependencyTimeout,
            ErrorCode::UnsupportedOperation,
            ErrorCode::Internal,
            ErrorCode::LimitExceeded,
            ErrorCode::InvalidState,
        ],
        ..control(
            "PutKeyPolicy",
            "PUT",
            "/v1/keys/{KeyId}/policy",
            &[
                KEY_ID,
                optional("PolicyName", POLICY_NAME_KIND),
                required("Policy", POLICY_KIND),
                optional("BypassPolicyLockoutSafetyCheck", Kind::Boolean),
            ],
        )
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add("kms:PolicyName", input.policy_name());
        if let Some(bypass) = input.bypass_policy_lockout_safety_check {
            facts.add("kms:BypassPolicyLockoutSafetyCheck", bypass.to_string());
        }
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        match input.policy_name() {
            key_policy::DEFAULT_NAME => {}
            key_policy::RAM_NAME => {
                return Err(KmsError::validation(
                    "The AWS_RAM policy can only be managed by the RAM service",
                ));
            }
            _ => return Err(KmsError::validation("The only valid policy name is default")),
        }
        let key = KeyRecord::clone(call.key()?);
        let bypass = input.bypass_policy_lockout_safety_check.unwrap_or(false);
        let Admitted { document, principals } =
            key_policy::admit(call, &key, &input.policy, bypass)?;
        call.put(Record::Key(KeyRecord { policy: document, policy_principals: principals, ..key }));
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}

impl Input {
    fn policy_name(&self) -> &str {
        self.policy_name.as_deref().unwrap_or(key_policy::DEFAULT_NAME)
    }
}
