//! `ListKeyPolicies` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyPolicies.html>
//!
//! Every key has one policy, `default`, so that there is never a second page; a marker is ignored,
//! because AWS's model names no error for a bad one.

use super::prelude::*;
use crate::key_policy;

pub(crate) struct ListKeyPolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    policy_names: [&'static str; 1],
    #[serde(flatten)]
    page: Page,
}

impl Operation for ListKeyPolicies {
    const SPEC: Spec = Spec {
        read_only: true,
        logged: &["KeyId", "Limit", "Marker"],
        ..control("ListKeyPolicies", "GET", "/v1/keys/{KeyId}/policies", &[KEY_ID, LIMIT, MARKER])
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(_call: &mut Call<'_>, _input: &Input) -> Result<Output, KmsError> {
        Ok(Output { policy_names: [key_policy::DEFAULT_NAME], page: Page::default() })
    }
}
