//! `GetRole` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>

use super::identity_prelude::*;

pub(crate) struct GetRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    role: Role,
}

impl Operation for GetRole {
    const SPEC: Spec = iam_read("GetRole", "GET", "/v1/roles/{RoleName}", &[ROLE_NAME]);
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        Ok(Output { role: Role::of(&*known(call, &input.role_name)?) })
    }
}
