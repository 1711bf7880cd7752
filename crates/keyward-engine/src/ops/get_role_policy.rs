//! `GetRolePolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>

use super::identity_prelude::*;

pub(crate) struct GetRolePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    policy_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    role_name: String,
    policy_name: String,
    /// URL-encoded.
    policy_document: String,
}

impl Operation for GetRolePolicy {
    const SPEC: Spec = iam_read(
        "GetRolePolicy",
        "GET",
        "/v1/roles/{RoleName}/policies/{PolicyName}",
        &[ROLE_NAME, POLICY_NAME],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let policy_document =
            policy_text::<RoleRecord>(call, &input.role_name, &input.policy_name)?;
        Ok(Output {
            role_name: input.role_name.clone(),
            policy_name: input.policy_name.clone(),
            policy_document,
        })
    }
}
