//! `GetKeyPolicy` <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html>
//!
//! The text comes back as it was sent.

use super::prelude::*;
use crate::key_policy;

pub(crate) struct GetKeyPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    policy_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    policy: String,
    policy_name: &'static str,
}

impl Operation for GetKeyPolicy {
    const SPEC: Spec = Spec {
        read_only: true,
        logged: &["KeyId", "PolicyName"],
        ..control(
            "GetKeyPolicy",
            "GET",
            "/v1/keys/{KeyId}/policy",
            &[KEY_ID, optional("PolicyName", POLICY_NAME_KIND)],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add("kms:PolicyName", input.policy_name());
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        if input.policy_name() != key_policy::DEFAULT_NAME {
            return Err(KmsError::new(ErrorCode::NotFound, "No such policy exists"));
        }
        Ok(Output {
            policy: call.key()?.policy.text().to_owned(),
            policy_name: key_policy::DEFAULT_NAME,
        })
    }
}

impl Input {
    fn policy_name(&self) -> &str {
        self.policy_name.as_deref().unwrap_or(key_policy::DEFAULT_NAME)
    }
}
